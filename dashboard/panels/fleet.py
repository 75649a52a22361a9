"""The fleet in one look: a row per host with its zones on their shelf, pools, I/O, disk latency, ARC and age."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import structlog

from dashboard.live import Host, Live
from dashboard.panels import Query, view
from dashboard.panels.data import Floats, Grid, number
from dashboard.panels.disks import TABLES as DISKS
from dashboard.panels.disks import worst_p99
from dashboard.panels.pools import IO
from dashboard.panels.tools import one
from dashboard.verdicts import ICONS, ORDER, Reason, State, Verdict, reasons_at, verdicts
from frames.schemas import to_pandas

log = structlog.get_logger()

SPAN, STEP = 900.0, 15.0
"""The curves and the p95 marks of a row speak of so many seconds before the page's instant, in buckets of STEP."""
LATE, WHOLE = 60.0, 300.0
"""Live curves are continued by measuring what is newer than LATE seconds before the last time, and made anew every
WHOLE seconds: all columns of six hosts cost a second of CPU while the ring does not reach back so far."""
LEAST_IO = float(1 << 20)
"""Full scale of an I/O curve is at least 1 MiB/s, so that an idle host's curve is flat."""
LATENCY = (1e-3, 1.0)
"""The p99 curve's log scale, s."""
GONE = 255
QUIET = 15.0
"""A rate older than this is missing, s."""
USES = {"cpu": ("cpu", "cpu_cap"), "memory": ("rss", "rss_cap")}
_ZONE = ("cpu", "cpu_cap", "cpu_waiting", "rss", "rss_cap")


@dataclass(slots=True)
class _Past:
    """What a row shows beside its newest values: curves over `grid` and p95, as of `made`; all columns of `whole`."""

    made: float = 0.0
    whole: float = 0.0
    grid: Grid = field(default_factory=lambda: Grid(0.0, STEP, 0))
    io: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    p99: dict[str, tuple[Floats, bool]] = field(default_factory=dict)
    p95: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)


_pasts: WeakKeyDictionary[Live, dict[float | None, _Past]] = WeakKeyDictionary()


def curve(values: Floats, low: float, high: float, log: bool = False) -> str:
    """`values` as one byte each in base64: 0 … 254 from `low` to `high`, 255 where there is no sample."""
    v = np.asarray(values, float)
    if log:
        v, low, high = np.log(np.maximum(v, low)), float(np.log(low)), float(np.log(high))
    with np.errstate(invalid="ignore"):
        scaled = np.clip(np.round((v - low) / (high - low) * 254), 0, 254)
    return base64.b64encode(np.where(np.isfinite(v), scaled, GONE).astype(np.uint8).tobytes()).decode()


def _window(live: Live, table: str, grid: Grid, where: dict[str, list[str]], columns: tuple[str, ...]) -> pd.DataFrame:
    """`Store.window` over `grid`, its newest part from the ring, so that it holds the second that has just come."""
    oldest = live.oldest(table)
    if oldest is not None and oldest <= grid.start + grid.step:
        return live.recent(table, grid, where, columns)
    frame = live.store.window(
        table, grid.start, grid.end, points=grid.n, where=where or None, columns=list(columns) or None
    )
    if oldest is None or oldest >= grid.end:
        return frame
    cut = pd.Timestamp(grid.start + np.ceil((oldest - grid.start) / grid.step) * grid.step, unit="s", tz="UTC")
    newer = live.recent(table, grid, where, columns)
    return pd.concat([frame[frame["time"] < cut], newer[newer["time"] >= cut]], ignore_index=True)


_refresh = ThreadPoolExecutor(1, "fleet")
"""Curves are made beside the ticks, which every panel of every page waits for."""
_refreshing: WeakSet[Live] = WeakSet()


def _past(live: Live, at: float | None) -> _Past:
    """Curves up to `at` (None: now): the newest there are; where they are some seconds old, new ones are begun."""
    kept = _pasts.setdefault(live, {})
    past = kept.get(at)
    if at is not None:
        if past is None:
            kept.clear()
            past = kept[at] = _curves(live, at)
        return past
    if (past is None or live.clock() - past.made >= STEP / 3) and live not in _refreshing:
        _refreshing.add(live)
        _refresh.submit(_renew, live)
    return past or _Past()


def _renew(live: Live) -> None:
    try:
        now = live.clock()
        old = _pasts.get(live, {}).get(None)
        known = old is not None and old.made <= now < old.whole + WHOLE
        _pasts[live] = {None: _continued(live, old, now) if old and known else _curves(live, None)}
    except Exception:
        log.exception("curves of the fleet failed")
    finally:
        _refreshing.discard(live)


def _curves(live: Live, at: float | None) -> _Past:
    now = live.clock()
    end = now if at is None else at
    grid = Grid.over(end - SPAN, end, STEP)
    past = _Past(now, now, grid)
    _measure(live, past, grid)
    past.p95 = _p95(live, grid)
    return past


def _continued(live: Live, old: _Past, now: float) -> _Past:
    """`old` up to `now`."""
    grid = Grid.over(now - SPAN, now, STEP)
    tail = _Past(now)
    start = max(grid.start, (old.made - LATE) // STEP * STEP)
    newest = round((grid.end - start) / STEP)
    _measure(live, tail, Grid(start, STEP, newest))
    moved = round((grid.start - old.grid.start) / STEP)

    def joined(before: Floats | None, new: Floats | None) -> Floats:
        out = np.full(grid.n, np.nan, np.float32)
        if before is not None:
            kept = before[moved : moved + grid.n]
            out[: len(kept)] = kept
        out[-newest:] = np.nan if new is None else new
        return out

    past = _Past(now, old.whole, grid, p95=_p95(live, grid))
    for host in old.io.keys() | tail.io.keys():
        (reads, writes), (newer_reads, newer_writes) = (p.io.get(host, (None, None)) for p in (old, tail))
        past.io[host] = joined(reads, newer_reads), joined(writes, newer_writes)
    for host in old.p99.keys() | tail.p99.keys():
        new, slow = tail.p99.get(host, (None, False))
        past.p99[host] = joined(old.p99.get(host, (None, False))[0], new), slow
    return past


def _measure(live: Live, past: _Past, grid: Grid) -> None:
    """The curves of every host over `grid`."""
    pools = _window(live, "zpool_iostat", grid, {"vdev": [""]}, IO)
    for host, rows in pools.groupby("host"):
        past.io[str(host)] = (one(rows, "read_bytes", grid), one(rows, "write_bytes", grid))
    disks = {t: _window(live, t, grid, need.restrict({}), need.columns) for t, need in DISKS.items()}
    hosts = {h for f in disks.values() if len(f) for h in f["host"].unique()}
    for host in hosts:
        past.p99[str(host)] = worst_p99({t: f[f["host"] == host] if len(f) else f for t, f in disks.items()}, grid)


def _p95(live: Live, grid: Grid) -> dict[tuple[str, str], dict[str, float]]:
    """(host, zone) -> p95 of each use over `grid`: of the samples in the ring, else of the history's buckets."""
    rows = live.rows("zone_usage", grid.start, grid.end)
    oldest = live.oldest("zone_usage")
    if oldest is None or oldest > grid.start + 60:
        frame = live.store.window("zone_usage", grid.start, grid.end, points=grid.n, columns=["cpu", "rss"])
    else:
        frame = to_pandas(rows.select(["host", "zone", "cpu", "rss"]))
    if not len(frame):
        return {}
    found = frame.groupby(["host", "zone"])[["cpu", "rss"]].quantile(0.95)
    return {
        (str(h), str(z)): {"cpu": cpu, "rss": rss}
        for (h, z), cpu, rss in zip(found.index, found["cpu"], found["rss"], strict=True)
    }


def _latest(live: Live, table: str, at: float | None) -> pd.DataFrame:
    """Newest row of each series: as of `at`, or of all the ring holds, so that a silent host keeps its last ones."""
    if at is not None:
        return live.store.latest(table, at=at, within=120.0)
    return live.latest(table, within=live.keep)


@view("fleet")
def fleet(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{hosts: [row]}; rows sorted by trouble. Numbers are SI; None is missing."""
    now = live.clock() if at is None else at
    told = verdicts(live) if at is None else reasons_at(live, at)
    frames = {
        t: _latest(live, t, at) for t in ("zone_usage", "zpool_iostat", "pool_scan", "arcstats", "host_load", "zone_io")
    }
    past = _past(live, at)
    hosts = [_row(live, name, told.get(name), frames, past, now, at) for name in sorted(live.hosts)]
    hosts.sort(key=lambda h: (ORDER.index(h["state"]), h["host"]))
    return {"hosts": hosts}


def _row(
    live: Live,
    name: str,
    verdict: Verdict | None,
    frames: dict[str, pd.DataFrame],
    past: _Past,
    now: float,
    at: float | None,
) -> dict[str, Any]:
    host = live.host(name) or Host(name)
    verdict = verdict or Verdict("stale", (Reason("stale", "No sample then"),))
    mine = {t: f[f["host"] == name] if len(f) else f for t, f in frames.items()}
    load = mine["host_load"].to_dict("records")
    ncpu = next((r["ncpu"] for r in load if r["ncpu"] == r["ncpu"]), None) or _float(host.fact("ncpu"))
    memory = next((r["mem_total"] for r in load if r["mem_total"] == r["mem_total"]), None) or _float(
        host.fact("memory")
    )
    reads, writes = past.io.get(name, (None, None))
    p99, slow = past.p99.get(name, (None, False))
    stale = verdict.state == "stale"
    quiet = stale or not _recent(mine["zpool_iostat"], now)
    return {
        "host": name,
        "model": described(host),
        "state": verdict.state,
        "word": verdict.word,
        "icon": ICONS[verdict.state],
        "reasons": [r.wire() for r in verdict.reasons if r.state in ("bad", "stale", "warn")],
        "shelf": {"cpu": number(ncpu), "memory": number(memory), "io": None},
        "zones": _zones(name, mine, past, stale or _recent(mine["zone_usage"], now)),
        "pools": _pools(mine),
        "io": _io(mine["zpool_iostat"], reads, writes, quiet),
        "p99": _latency(p99, slow, stale),
        "arc": _arc(mine["arcstats"]),
        "newest": number(host.newest) if at is None else None,
    }


def _recent(rows: pd.DataFrame, now: float) -> bool:
    """Whether the newest of `rows` is of the present: a host may be heard while one of its sources is not."""
    return bool(len(rows)) and now - rows["time"].max().timestamp() <= QUIET


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def described(host: Host) -> str:
    """'X4100 M2 + J4200, S10': its model, and its system unless the model says it."""
    model, os = host.fact("model"), short_os(host)
    return ", ".join(x for x in (model, "" if os.lower() in model.lower() else os) if x)


def short_os(host: Host) -> str:
    """'S10', 'S11', 'OmniOS', 'Linux', 'FreeBSD' by what the host said of itself."""
    title, os = host.fact("title"), host.fact("os")
    known = {"solaris10": "S10", "solaris11": "S11", "linux": "Linux", "freebsd": "FreeBSD"}
    return known.get(os) or (title.split()[0] if title else os)


def _zones(name: str, mine: dict[str, pd.DataFrame], past: _Past, known: bool) -> list[dict[str, Any]]:
    """The zones' boxes; `known`: the newest samples say something of now, or the row says of when they are."""
    io = {r["zone"]: _sum(r["read_bytes"], r["write_bytes"]) for r in mine["zone_io"].to_dict("records")}
    out = []
    for r in mine["zone_usage"].to_dict("records"):
        if r["zone"] == "global" or (r["state"] not in ("running", None, "") and r["state"] == r["state"]):
            continue
        p95 = past.p95.get((name, r["zone"]), {})
        out.append(
            {
                "zone": r["zone"],
                "waiting": 0 if pd.isna(r["cpu_waiting"]) or not known else int(r["cpu_waiting"]),
                "cpu": [number(r["cpu"]) if known else None, number(r["cpu_cap"]), number(p95.get("cpu", np.nan))],
                "memory": [number(r["rss"]) if known else None, number(r["rss_cap"]), number(p95.get("rss", np.nan))],
                "io": [number(io.get(r["zone"], np.nan)), None, None],
            }
        )
    out.sort(key=lambda z: (-(z["cpu"][1] or 0.0), z["zone"]))
    return out


def _sum(*values: float) -> float:
    """Sum of those that are there; NaN where none is."""
    have = [v for v in values if v == v]
    return sum(have) if have else float("nan")


def _pools(mine: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    pools = mine["zpool_iostat"]
    pools = pools[pools["vdev"] == ""] if len(pools) else pools
    scans = {r["pool"]: r for r in mine["pool_scan"].to_dict("records") if r["state"] == "in_progress"}
    out = []
    for r in sorted(pools.to_dict("records"), key=lambda r: -(r["size"] if r["size"] == r["size"] else 0)):
        scan = scans.get(r["pool"])
        out.append(
            {
                "pool": r["pool"],
                "fill": number(r["alloc"] / r["size"]) if r["size"] else None,
                "scan": {"kind": scan["scan"], "fraction": number(scan["fraction"])} if scan else None,
            }
        )
    return out


def _io(pools: pd.DataFrame, reads: Floats | None, writes: Floats | None, stale: bool) -> dict[str, Any]:
    now = pools[pools["vdev"] == ""] if len(pools) else pools
    out: dict[str, Any] = {
        "read": None if stale or not len(now) else number(float(now["read_bytes"].sum(min_count=1))),
        "write": None if stale or not len(now) else number(float(now["write_bytes"].sum(min_count=1))),
    }
    if reads is not None and writes is not None:
        both = np.concatenate([reads, writes])
        top = max(LEAST_IO, float(np.nanmax(both)) if np.isfinite(both).any() else 0.0)
        out["curves"] = [curve(reads, 0, top), curve(writes, 0, top)]
    return out


def _latency(p99: Floats | None, slow: bool, stale: bool) -> dict[str, Any]:
    if p99 is None:
        return {"value": None, "curve": "", "bad": False}
    have = p99[np.isfinite(p99)]
    value = float(have[-1]) if len(have) and not stale else np.nan
    return {"value": number(value), "curve": curve(p99, *LATENCY, log=True), "bad": slow and not stale}


def _arc(arc: pd.DataFrame) -> dict[str, float | None]:
    if not len(arc):
        return {}
    r = arc.iloc[0]
    return {name: number(float(r[name])) for name in ("size", "c", "c_min", "c_max")}


@view("fleet_head")
def fleet_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{counts, hosts, zones, at_cap}: the line above the page."""
    told = verdicts(live) if at is None else reasons_at(live, at)
    states: dict[State, int] = {s: sum(v.state == s for v in told.values()) for s in ORDER}
    zones = live.rows("zone_usage", live.clock() - 15, live.clock() + 60) if at is None else None
    n = waiting = 0
    if zones is not None and len(zones):
        latest = zones.filter(pc.not_equal(zones["zone"], "global")).group_by(["host", "zone"])
        found = latest.aggregate([("cpu_waiting", "max")])
        n = len(found)
        waiting = int(pc.sum(pc.greater(found["cpu_waiting_max"].fill_null(0), 0)).as_py() or 0)
    return {"hosts": len(told), "counts": states, "zones": n, "at_cap": waiting}
