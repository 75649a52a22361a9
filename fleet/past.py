"""Writes a past of the simulated site into a history: the same model as the present, without SSH.

`python -m fleet.past --store DIR`: the newest half hour by seconds, a day and the two nights before by minutes,
400 days of capacity by hours. The rows are those that the collector would have made of the tools' text, but exact
where the tools round.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleet.formats.dtrace import bounds
from fleet.formats.human import printed
from fleet.formats.zpool import datasets, scan_lines, scan_of
from fleet.live import SWAP, Live
from fleet.model import Block, HostModel, Row, models
from fleet.noise import Floats
from fleet.run import STARTED
from fleet.scenario import DAY, Scenario, last_night, scenario
from fleet.site import GIB, Host, Site, site_of

if TYPE_CHECKING:
    from frames.store import Writer

QUESTION = "disk_io/by=device,latency"
BOUNDS = bounds("log2 4")

Columns = dict[str, Any]


def vdev_path(rows: list[Row], i: int) -> str:
    """The path that the collector gives a row of `zpool iostat -v`: 'raidz2-0/c3t7d0', 'logs/mirror-2/c1t2d0'."""
    row = rows[i]
    if row.depth == 0:
        return ""
    section = {"log": "logs/", "cache": "cache/"}.get(row.role, "")
    if row.depth == 1:
        return section + row.name
    parent = next(rows[k].name for k in range(i - 1, -1, -1) if rows[k].depth == 1)
    return f"{section}{parent}/{row.name}"


class Past:
    """Frames of the past of one site: a method per table, each from the blocks of all hosts."""

    def __init__(self, site: Site, what: Scenario, seed: int) -> None:
        self.site, self.what = site, what
        self.models = models(site, what, seed)

    def blocks(self, start: int, n: int, step: int) -> list[tuple[HostModel, Block]]:
        """A block of every host; times are the ends of intervals, so the block begins a step earlier."""
        return [(m, m.block(start - step, n, step)) for m in self.models.values()]

    def zpool_iostat(self, m: HostModel, b: Block) -> Columns:
        rows = m.rows
        order = sorted(range(len(rows)), key=lambda i: (m.host.pools[rows[i].pool].name, i))
        paths = [vdev_path(rows, i) for i in order]
        own = np.array([rows[i].depth < 2 for i in order])
        old = m.host.release == "u5"
        alloc = np.where(own, b.row_alloc[:, order], np.nan)
        return {
            "pool": _names([m.host.pools[rows[i].pool].name for i in order]),
            "vdev": _names(paths),
            "device": _names([rows[i].kind if old and rows[i].depth == 1 else rows[i].name for i in order]),
            "kind": _names([rows[i].kind for i in order]),
            "alloc_class": _names([rows[i].role for i in order]),
            "alloc": alloc,
            "size": np.where(own, b.row_alloc[:, order] + b.row_free[:, order], np.nan),
            "read_ops": b.row_ops[:, order, 0],
            "write_ops": b.row_ops[:, order, 1],
            "read_bytes": b.row_bytes[:, order, 0],
            "write_bytes": b.row_bytes[:, order, 1],
        }

    def arcstats(self, m: HostModel, b: Block) -> Columns:
        old = m.host.release == "u5"
        cache = any(d.role == "cache" for d in m.disks)
        out: Columns = {}
        for name in ARC:
            out[name] = b.arc[name]
        if not old:
            out["memory_throttle"] = b.arc["memory_throttle_count"]
        if cache:
            for name in ("l2_hits", "l2_misses", "l2_read_bytes", "l2_write_bytes", "l2_size", "l2_hdr_size"):
                out[name] = b.arc[name]
        if m.host.system not in ("solaris10", "solaris11"):
            for name in ("mru_size", "mfu_size", "mru_ghost_size", "mfu_ghost_size", "data_size"):
                out[name] = b.arc[name]
            out["metadata_size"] = out["meta_used"] = b.arc["meta_used"]
        return out

    def zone_usage(self, m: HostModel, b: Block) -> Columns:
        skip = 1 if m.host.openzfs else 0
        zones = m.host.zones
        sun = not m.host.openzfs
        own = slice(skip, None)
        ids = np.array([0.0, *(float(z.zid) for z in zones)])[own]
        rss_cap = np.array([np.nan, *(z.rss_cap * GIB for z in zones)])[own]
        capped = b.zone_cap[:, own] > 0
        brand = BRANDS[m.host.system]
        out: Columns = {
            "zone": _names(m.zone_names[own]),
            "brand": _names(["ipkg" if m.host.system == "illumos" and not k else brand for k in range(len(ids))]),
            "state": _names(["running"] * len(ids)),
            "zone_id": np.broadcast_to(ids, (b.n, len(ids))) if sun else None,
            "cpu": b.zone_cpu[:, own],
            "cpu_cap": np.where(capped, b.zone_cap[:, own], np.nan),
            "cpu_waiting": np.where(capped, b.zone_wait[:, own], np.nan) if sun else None,
            "cpu_above_cap": np.where(capped, b.zone_above[:, own], np.nan),
            "cpu_shares": np.broadcast_to(
                np.array([np.nan, *(float(z.shares) for z in zones)])[own] if sun else np.full(len(ids), 100.0),
                (b.n, len(ids)),
            ),
            "rss": b.zone_rss[:, own],
            "rss_cap": np.broadcast_to(rss_cap, (b.n, len(ids))),
            "swap": b.zone_swap[:, own] if sun else np.zeros((b.n, len(ids))),
            "swap_cap": np.broadcast_to(rss_cap * 2, (b.n, len(ids))) if sun else None,
            "nproc": b.zone_nproc[:, own].astype(np.float64),
        }
        if m.host.system in ("illumos", "linux"):
            out |= {"cpu_user": b.zone_user[:, own], "cpu_sys": b.zone_sys[:, own]}
        return {k: v for k, v in out.items() if v is not None}

    def zone_io(self, m: HostModel, b: Block) -> Columns:
        if m.host.system not in ("illumos", "linux"):
            return {}
        own = slice(1 if m.host.openzfs else 0, None)
        out: Columns = {
            "zone": _names(m.zone_names[own]),
            "read_ops": b.zone_reads[:, own],
            "write_ops": b.zone_writes[:, own],
            "read_bytes": b.zone_read_bytes[:, own],
            "write_bytes": b.zone_write_bytes[:, own],
        }
        if m.host.system == "illumos":
            slow = b.zone_slow[:, own]
            out["read_time"] = np.where(b.zone_reads[:, own] > 0, b.zone_read_time[:, own], np.nan)
            for k, name in enumerate(("ops_10ms", "ops_100ms", "ops_1s", "ops_10s")):
                out[name] = slow[:, :, k]
            out["delay_cnt"] = out["delay_time"] = np.zeros_like(slow[:, :, 0])
        return out

    def disk_io(self, m: HostModel, b: Block) -> Columns:
        ops = b.disk_ops.sum(axis=2)
        actv = ops * b.disk_time
        wait = np.maximum(actv - 32.0, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            asvc = np.where(ops > 0, (actv - wait) / ops, 0.0)
            wsvc = np.where(ops > 0, wait / ops, 0.0)
        place = {row.leaf: i for i, row in enumerate(m.rows) if row.leaf >= 0}
        out: Columns = {
            "device": _names([d.whole for d in m.disks]),
            "pool": _names([m.host.pools[m.rows[place[n]].pool].name for n in range(len(m.disks))]),
            "vdev": _names([vdev_path(m.rows, place[n]) for n in range(len(m.disks))]),
            "read_ops": b.disk_ops[:, :, 0],
            "write_ops": b.disk_ops[:, :, 1],
            "read_bytes": b.disk_bytes[:, :, 0],
            "write_bytes": b.disk_bytes[:, :, 1],
            "actv": actv - wait,
            "asvc_t": asvc,
            "busy": b.disk_busy,
        }
        if not m.host.openzfs:
            out |= {"wait": wait, "wsvc_t": wsvc, "waiting": (wait > 0.5).astype(np.float64)}
            zero = np.zeros_like(asvc)
            out |= {"soft_errors": zero, "hard_errors": zero, "transport_errors": zero}
        return out

    def host_load(self, m: HostModel, b: Block) -> Columns:
        n = float(m.host.ncpu)
        used = b.zone_swap.sum(axis=1)
        busy = b.cpu_user + b.cpu_sys
        zero = np.zeros(b.n)
        out: Columns = {
            "ncpu": np.full(b.n, n),
            "cpu_user": b.cpu_user,
            "cpu_sys": b.cpu_sys,
            "cpu_idle": np.maximum(n - busy, 0.0),
            "run_queue": b.run_queue.astype(np.float64),
            "blocked": b.blocked.astype(np.float64),
            "load_1": busy + b.run_queue,
            "mem_total": np.full(b.n, float(m.host.memory)),
            "mem_free": b.mem_free,
            "swap_total": used + b.mem_free + SWAP if not m.host.openzfs else np.full(b.n, SWAP),
            "swap_free": b.mem_free + SWAP if not m.host.openzfs else np.full(b.n, SWAP),
            "scan_rate": zero,
            "page_in": zero,
            "page_out": zero,
            "uptime": (b.time + b.step - m.boot).astype(np.float64),
        }
        if m.host.system == "freebsd":  # its tools tell no run queue
            del out["run_queue"], out["blocked"]
        return out

    def net_io(self, m: HostModel, b: Block) -> Columns:
        zero = np.zeros((b.n, len(m.host.nics)))
        return {
            "nic": _names(list(m.host.nics)),
            "rx_bytes": b.nic_bytes[:, :, 0],
            "tx_bytes": b.nic_bytes[:, :, 1],
            "rx_packets": b.nic_bytes[:, :, 0] / 840,
            "tx_packets": b.nic_bytes[:, :, 1] / 840,
            "rx_errors": zero,
            "tx_errors": zero,
        }

    def dtrace(self, m: HostModel, b: Block) -> Columns:
        if m.host.openzfs:
            return {}
        first, last = np.searchsorted(BOUNDS, (2**11, 2**33))
        part = m.histogram(b, BOUNDS[first:last], seconds=float(b.step), scale=1e9)
        counts = np.zeros((b.n, len(m.disks), last), dtype=np.int64)
        counts[:, :, first:] = part
        return {
            "question": _names([QUESTION] * len(m.disks)),
            "keys": [[d.whole] for d in m.disks],
            "agg": _names(["lquantize"] * len(m.disks)),
            "bounds": _names(["log2:4"] * len(m.disks)),
            "counts": counts,
            "drops": np.zeros((b.n, len(m.disks))),
        }

    def pool_capacity(self, m: HostModel, times: Floats) -> Columns:
        level = m.allocated(times)
        size = np.array([float(p.size) for p in m.host.pools])
        out: Columns = {
            "pool": _names([p.name for p in m.host.pools]),
            "size": np.broadcast_to(size, level.shape),
            "alloc": level,
            "health": _names(["ONLINE"] * len(size)),
        }
        if m.host.system == "solaris11":
            out["dedup"] = np.ones_like(level)
        elif m.host.system != "solaris10":
            out["frag"] = np.floor(6 + 34 * (level / size) ** 2) / 100
            out["dedup"] = np.ones_like(level)
        return out


BRANDS = {"solaris10": "native", "solaris11": "solaris", "illumos": "lipkg", "freebsd": "jail", "linux": "lxc"}
ARC = (
    "size", "c", "c_min", "c_max", "p", "hits", "misses", "demand_data_hits", "demand_data_misses",
    "demand_metadata_hits", "demand_metadata_misses", "prefetch_data_hits", "prefetch_data_misses",
    "prefetch_metadata_hits", "prefetch_metadata_misses", "mru_hits", "mfu_hits", "mru_ghost_hits", "mfu_ghost_hits",
    "deleted", "evict_skip",
)  # fmt: skip
"""What every release's arcstats have."""

SECONDS: tuple[str, ...] = (
    "zpool_iostat", "arcstats", "zone_usage", "zone_io", "disk_io", "host_load", "net_io", "dtrace",
)  # fmt: skip
"""Tables with a row a second."""


def _names(values: Sequence[str]) -> pa.Array:
    return pa.array(list(values), type=pa.string())


def table(host: Host, times: NDArray[np.int64], columns: Columns) -> pa.Table:
    """[n] or [n, objects] arrays and per-object names as rows, time by time."""
    n = len(times)
    objects = max((len(v) for v in columns.values() if isinstance(v, pa.Array | list)), default=1)
    which = np.tile(np.arange(objects, dtype=np.int64), n)
    stamps = pa.array(np.repeat(times, objects) * 1_000_000, type=pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    fields: dict[str, pa.Array] = {
        "time": stamps,
        "host": pa.array([host.name], type=pa.string()).take(pa.array(np.zeros(n * objects, dtype=np.int64))),
    }
    for name, v in columns.items():
        if isinstance(v, list):
            fields[name] = pa.array(v, type=pa.list_(pa.string())).take(pa.array(which))
        elif isinstance(v, pa.Array):
            fields[name] = v.take(pa.array(which))
        elif v.ndim == 3:
            width = v.shape[2]
            offsets = pa.array(np.arange(0, n * objects * width + 1, width, dtype=np.int32))
            fields[name] = pa.ListArray.from_arrays(offsets, pa.array(v.reshape(-1)))
        else:
            fields[name] = pa.array(np.ascontiguousarray(v, dtype=np.float64).reshape(-1), from_pandas=True)
    return pa.table(fields)


def _union(tables: list[pa.Table]) -> pa.Table | None:
    """Rows of all hosts; what a host does not have is null there."""
    tables = [t for t in tables if t.num_rows and t.num_columns > 2]
    return pa.concat_tables(tables, promote_options="default") if tables else None


def _seconds(past: Past, name: str, blocks: list[tuple[HostModel, Block]]) -> pa.Table | None:
    make: Callable[[HostModel, Block], Columns] = getattr(past, name)
    return _union([table(m.host, b.time + b.step, make(m, b)) for m, b in blocks])


def _datasets(past: Past, times: Sequence[int], snapshots: bool) -> pa.Table | None:
    """dataset_usage (or snapshots) of every host at each of `times`."""
    rows: dict[str, list[Any]] = {}
    for m in past.models.values():
        live = Live(m)
        exact = m.host.release != "u5"
        for t in times:
            found = [d for d in datasets(live, float(t)) if (d.type == "snapshot") == snapshots]
            for d in found:
                row: dict[str, Any] = {"time": int(t) * 1_000_000, "host": m.host.name}
                if snapshots:
                    base, _, name = d.name.partition("@")
                    row |= {
                        "dataset": base,
                        "snapshot": name,
                        "creation": int(d.creation * 1e6),
                        "used": d.used,
                        "refer": d.refer,
                    }
                else:
                    sizes = {"used": d.used, "avail": d.avail, "refer": d.refer}
                    if exact:
                        sizes |= {"used_by_snapshots": d.snapshots, "used_by_dataset": d.refer}
                        sizes["used_by_children"] = max(d.used - d.refer - d.snapshots, 0.0)
                    else:
                        row |= dict.fromkeys(("used_by_snapshots", "used_by_dataset", "used_by_children"))
                    if m.host.system == "solaris10":  # its zfs list has no -p
                        sizes = {name: printed(size) for name, size in sizes.items()}
                    row |= {"dataset": d.name, "type": d.type, **sizes, "mountpoint": d.mountpoint}
                for k, v in row.items():
                    rows.setdefault(k, []).append(v)
    return _stamped(rows)


def _scans(past: Past, times: Sequence[int]) -> tuple[pa.Table | None, pa.Table | None]:
    """zpool_status and pool_scan of every pool at each of `times`."""
    states: dict[str, list[Any]] = {}
    scans: dict[str, list[Any]] = {}

    def add(to: dict[str, list[Any]], row: dict[str, Any]) -> None:
        for k, v in row.items():
            to.setdefault(k, []).append(v)

    for m in past.models.values():
        live = Live(m)
        for t in times:
            for p, pool in enumerate(m.host.pools):
                scan = scan_of(live, pool, float(t))
                done = float(scan.fraction(np.array([float(t)]))[0]) if scan else 0.0
                running = scan is not None and done < 1.0
                hurt = running and scan is not None and not scan.scrub
                head = {"time": int(t) * 1_000_000, "host": m.host.name, "pool": pool.name}
                text = " ".join(scan_lines(live, pool, float(t)).split()).partition(": ")[2]
                add(
                    scans,
                    {
                        **head,
                        "scan": "none" if scan is None else "scrub" if scan.scrub else "resilver",
                        "state": "none" if scan is None else "in_progress" if running else "finished",
                        "fraction": done if scan else None,
                        "total": scan.bytes if scan else None,
                        "issued": scan.bytes * done if scan else None,
                        "rate": scan.bytes * done / max(t - scan.began, 1.0) if scan and running else None,
                        "elapsed": min(t - scan.began, scan.span) if scan else None,
                        "eta": (t - scan.began) * (1 - done) / max(done, 1e-6) if scan and running else None,
                        "errors": 0.0,
                        "text": text,
                    },
                )
                for i, row in enumerate(m.rows):
                    if row.pool != p:
                        continue
                    bad = hurt and scan is not None and (row.depth == 0 or row.name == scan.vdev)
                    add(
                        states,
                        {
                            **head, "vdev": vdev_path(m.rows, i), "device": row.name, "kind": row.kind,
                            "alloc_class": row.role, "state": "DEGRADED" if bad else "ONLINE", "read_errors": 0.0,
                            "write_errors": 0.0, "cksum_errors": 0.0, "note": "",
                        },
                    )  # fmt: skip
    return _stamped(states), _stamped(scans)


def _stamped(rows: dict[str, list[Any]]) -> pa.Table | None:
    """Column lists as a table; `time` and `creation` are microseconds since the epoch."""
    if not rows:
        return None
    stamp = pa.timestamp("us", tz="UTC")
    made = {k: pa.array(v) for k, v in rows.items()}
    return pa.table({k: v.cast(pa.int64()).cast(stamp) if k in ("time", "creation") else v for k, v in made.items()})


def _events(past: Past, since: float, until: float) -> pa.Table | None:
    marks = [e for e in past.what.markers if since <= e.time < until]
    if not marks:
        return None
    stamp = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "time": pa.array([int(e.time * 1e6) for e in marks], type=pa.int64()).cast(stamp),
            "host": [e.host for e in marks],
            "kind": [e.kind for e in marks],
            "object": [e.object for e in marks],
            "severity": [e.severity for e in marks],
            "text": [e.text for e in marks],
            "who": [e.who for e in marks],
            "until": pa.array([int(e.until * 1e6) if e.until else None for e in marks], type=pa.int64()).cast(stamp),
        }
    )


def write(
    folder: Path | Writer,
    *,
    until: float | None = None,
    scenario_name: str = "quiet",
    start: float | None = None,
    offset: float = 0.0,
    seed: int = 1,
    hosts: int | list[str] | None = None,
    seconds: int = 1800,
    days: float = 1.0,
    capacity_days: int = 400,
    top_up: bool = False,
) -> dict[str, int]:
    """Write a past that ends at `until` (epoch seconds, default now) into the history in `folder`.

    The newest `seconds` by seconds; before them `days` by minutes and the two newest nights (01:00 to 04:00 UTC),
    which differ by an incident; before those `capacity_days` of capacity by hours (the oldest by six hours).
    `start`, `offset`, `seed`, `hosts` as of the fleet whose present goes on from here.
    `top_up`: when done, write by seconds also what passed meanwhile. Returns rows written per table.
    Raises frames.store.StoreError where another collector writes.
    """
    from frames.store import Writer

    end = int(time.time() if until is None else until)
    site = site_of(hosts)
    past = Past(site, scenario(scenario_name, float(end) if start is None else start, site, offset), seed)
    if isinstance(folder, Writer):
        return _write(folder, past, end, seconds, days, capacity_days, top_up)
    writer = Writer(folder, commit_every=3600.0)
    try:
        return _write(writer, past, end, seconds, days, capacity_days, top_up)
    finally:
        writer.close()


def _write(
    writer: Writer, past: Past, end: int, seconds: int, days: float, capacity_days: int, top_up: bool
) -> dict[str, int]:
    written: dict[str, int] = {}

    def put(name: str, frame: pa.Table | None, resolution: str = "raw") -> None:
        if frame is not None:
            writer.write_past(name, frame, resolution=resolution)  # type: ignore[arg-type]
            written[name] = written.get(name, 0) + frame.num_rows

    fine = (end - seconds) // 60 * 60
    coarse = int(fine - days * DAY) // 60 * 60
    oldest = int(end - capacity_days * DAY) // 3600 * 3600
    recent = max(oldest, end // 3600 * 3600 - 60 * DAY)
    hours = np.concatenate([np.arange(oldest, recent, 6 * 3600), np.arange(recent, coarse, 3600)]).astype(np.int64)
    minutes = np.arange(coarse, end, 60, dtype=np.int64)
    times = np.concatenate([hours, minutes])
    put(
        "pool_capacity",
        _union([table(m.host, times, past.pool_capacity(m, times.astype(np.float64))) for m in past.models.values()]),
        "1m",
    )
    if len(hours):
        # Capacity is also read off the pools' own rows; one row of each pool an hour is enough for a year.
        put("zpool_iostat", _union([_pools_by_hour(m, hours) for m in past.models.values()]), "1m")
        put("dataset_usage", _datasets(past, [int(h) for h in hours[::28]], False), "1m")
    spans = _spans(coarse, fine, past.what.start)
    if spans:
        blocks = [past.blocks(first + 60, (last - first) // 60, 60) for first, last in spans]
        for name in SECONDS:
            frame = _union([f for b in blocks if (f := _seconds(past, name, b)) is not None])
            if frame is not None:
                # A minute's row is stamped with its beginning.
                put(name, frame.set_column(0, "time", _shifted(frame["time"], -60)), "1m")
        every = [t for first, last in spans for t in range(first, last, 600)]
        put("dataset_usage", _datasets(past, every[::3], False), "1m")
        status, scans = _scans(past, every)
        put("zpool_status", status, "1m")
        put("pool_scan", scans, "1m")
    _put_seconds(past, put, fine, end)
    put("snapshots", _datasets(past, [end - 1], True))
    put("events", _events(past, oldest, end))
    if top_up and (now := int(time.time())) > end:
        _put_seconds(past, put, end, now)
    return written


def _spans(coarse: int, fine: int, start: float) -> list[tuple[int, int]]:
    """What is written by minutes, from old to new: the two nights (as far as older than `coarse`), then the rest."""
    if coarse >= fine:
        return []
    night = int(last_night(start, 1.0))
    nights = [(n, min(n + 3 * 3600, coarse)) for n in (night - DAY, night) if n < coarse]
    return [*nights, (coarse, fine)]


def _put_seconds(past: Past, put: Callable[..., None], first: int, end: int) -> None:
    """Rows by seconds for (first, end]."""
    if end <= first:
        return
    blocks = past.blocks(first + 1, end - first, 1)
    for name in SECONDS:
        put(name, _seconds(past, name, blocks))
    status, scans = _scans(past, list(range((first // 10 + 1) * 10, end + 1, 10)))
    put("zpool_status", status)
    put("pool_scan", scans)
    put("dataset_usage", _datasets(past, list(range((first // 60 + 1) * 60, end + 1, 60)), False))


def _shifted(stamps: pa.ChunkedArray, seconds: int) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.add(stamps, pa.scalar(seconds * 1_000_000, pa.duration("us")))


def _pools_by_hour(m: HostModel, times: NDArray[np.int64]) -> pa.Table:
    level = m.allocated(times.astype(np.float64))
    size = np.broadcast_to(np.array([float(p.size) for p in m.host.pools]), level.shape)
    names = [p.name for p in m.host.pools]
    columns: Columns = {
        "pool": _names(names),
        "vdev": _names([""] * len(names)),
        "device": _names(names),
        "kind": _names(["pool"] * len(names)),
        "alloc_class": _names(["data"] * len(names)),
        "alloc": level,
        "size": size,
    }
    return table(m.host, times, columns)


def started(folder: Path, wait: float) -> dict[str, Any]:
    """What the fleet in `folder` said of its start (see `fleet.run`); {} when none has started within `wait` s."""
    deadline = time.monotonic() + wait
    while True:
        try:
            found: dict[str, Any] = json.loads((folder / STARTED).read_text())
            return found
        except (OSError, ValueError):
            if time.monotonic() >= deadline:
                return {}
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fleet.past", description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True, help="folder of the history")
    parser.add_argument("--fleet", type=Path, help="folder of the running fleet (default: the one around the store)")
    parser.add_argument("--scenario", default="quiet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=1800, help="how much of it by seconds")
    parser.add_argument("--days", type=float, default=1.0, help="how much of it by minutes")
    parser.add_argument("--capacity-days", type=int, default=400, help="how much capacity by hours")
    a = parser.parse_args()
    said = started(a.fleet or a.store.parent, 5.0)
    begun = time.monotonic()
    written = write(
        a.store,
        scenario_name=said.get("scenario", a.scenario),
        start=said.get("start"),
        seed=int(said.get("seed", a.seed)),
        offset=float(said.get("offset", 0.0)),
        hosts=said.get("hosts"),
        seconds=a.seconds,
        days=a.days,
        capacity_days=a.capacity_days,
        top_up=True,
    )
    print(f"{sum(written.values())} rows in {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
