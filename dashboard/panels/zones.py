"""Zones of a host: CPU and memory as lanes, a row as high as the zone's own cap; who holds whom up; all as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, tables, view
from dashboard.panels.data import Floats, Grid, PanelData, Series
from dashboard.panels.pools import IO, mirrored
from dashboard.panels.tools import TOP, last_of, lines, means, pivot, top, total

NEAR = 0.995
"""Without a count of waiting threads, use of this share of the cap counts as capped (one rounding step below)."""


def lanes(
    ids: list[str],
    use: Floats,
    flags: Sequence[tuple[str, Floats]],
    caps: dict[str, float],
    unit: str,
    grid: Grid,
    known: Known,
) -> PanelData:
    """Rows of the top zones (those with a cap first, then by use) and the rest.

    `flags`: (state, [ids, n] truth) drawn over the row in that state."""
    if not ids and not known:
        return PanelData(grid, unit=unit)
    have = [k for k in known if ":" not in k and k != "rest"]
    mean = means(use)
    capped = float(mean.max(initial=0.0)) + 1.0
    weights = [m + (capped if i in caps else 0.0) for i, m in zip(ids, mean, strict=True)]
    chosen = top(ids, weights, have, TOP)
    others = [k for k, i in enumerate(ids) if i not in chosen]
    series: list[Series] = []
    rows: list[Floats] = []
    for name in chosen:
        k = ids.index(name)
        cap = caps.get(name)
        series.append(Series(name, name, unit, cap=cap, fill=True, group=name))
        rows.append(use[k])
        for state, truth in flags:
            series.append(Series(f"{name}:{state}", name, unit, cap=cap, state=state, group=name, legend=False))  # type: ignore[arg-type]
            rows.append(np.where(truth[k] > 0, use[k], np.nan).astype(np.float32))
    if others or "rest" in known:
        series.append(Series("rest", "rest", unit, fill=True, group="rest"))
        rows.append(total(use[others]) if others else np.full(grid.n, np.nan, np.float32))
    return PanelData(grid, series, np.vstack(rows), unit=unit)


def running(frame: pd.DataFrame, known: Known) -> pd.DataFrame:
    """Without zones that never used anything in the frame (installed, not running)."""
    return frame[frame["cpu"].notna() | frame["rss"].notna()] if len(frame) else frame


_CPU = ("cpu", "cpu_cap", "cpu_waiting", "cpu_above_cap", "rss")


@panel(
    "zones_cpu",
    kind="lanes",
    title="Zones, CPU",
    subtitle="cores; row height = cap, top eight and rest",
    source="prstat, kstat, 1 s",
    tables={"zone_usage": Need(_CPU)},
)
def zones_cpu(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Cores used; amber where the cap held threads back: some waited, or time was spent above it."""
    frame = running(frames["zone_usage"], known)
    ids, (use, cap, waiting, above) = pivot(frame, "zone", _CPU[:4], grid, "mean")
    told = np.isfinite(waiting) | np.isfinite(above)
    with np.errstate(invalid="ignore"):
        held = np.where(told, (waiting > 0) | (above > 0), use >= cap * NEAR)
    return lanes(ids, use, [("warn", held.astype(np.float32))], last_of(frame, "zone", "cpu_cap"), "cores", grid, known)


_MEMORY = ("rss", "rss_cap", "pagedout", "anon_alloc_fail", "cpu")


@panel(
    "zones_memory",
    kind="lanes",
    title="Zones, memory",
    subtitle="resident; row height = cap",
    source="rcapstat, prstat, 5 s",
    tables={"zone_usage": Need(_MEMORY)},
)
def zones_memory(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Resident memory; amber while the cap pages out, red where allocations fail."""
    frame = running(frames["zone_usage"], known)
    ids, (rss, _, paged, failed) = pivot(frame, "zone", _MEMORY[:4], grid, "mean")
    return lanes(ids, rss, [("warn", paged), ("bad", failed)], last_of(frame, "zone", "rss_cap"), "B", grid, known)


_SWAP = ("swap", "swap_cap", "anon_alloc_fail", "cpu", "rss")


@panel(
    "zones_swap",
    kind="lanes",
    title="Zones, swap",
    subtitle="reserved; row height = cap",
    source="kstat, 5 s",
    tables={"zone_usage": Need(_SWAP)},
)
def zones_swap(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Swap reserved; red while allocations of anonymous memory fail."""
    frame = frames["zone_usage"]
    frame = frame[frame["swap"].notna()] if len(frame) else frame
    ids, (swap, _, failed) = pivot(frame, "zone", _SWAP[:3], grid, "mean")
    return lanes(ids, swap, [("bad", failed)], last_of(frame, "zone", "swap_cap"), "B", grid, known)


@panel(
    "zones_waiting",
    kind="lines",
    title="Threads that a CPU cap holds back",
    subtitle="of each zone",
    source="kstat caps, 1 s",
    tables={"zone_usage": Need(("cpu_waiting",))},
)
def zones_waiting(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["zone_usage"]
    frame = frame[frame["cpu_waiting"].notna()] if len(frame) else frame
    return lines(frame, "zone", "cpu_waiting", grid, known, table="zone_usage", unit="threads")


@panel(
    "zones_io",
    kind="mirror",
    title="Zones, file-system I/O",
    subtitle="read up, write down",
    source="kstat zone_vfs, 1 s",
    tables={"zone_io": Need(IO)},
)
def zones_io(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Bytes read (up) and written (down) per second of the busiest zones and the rest."""
    frame = frames["zone_io"]
    return mirrored(frame.assign(name=frame["zone"]), grid, known, frozenset())


@panel(
    "zones_slow",
    kind="lines",
    title="File-system operations of 10 ms and more",
    subtitle="victims: of each zone",
    source="kstat zone_vfs, 1 s",
    tables={"zone_io": Need(("ops_10ms",))},
)
def zones_slow(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return lines(frames["zone_io"], "zone", "ops_10ms", grid, known, table="zone_io")


@panel(
    "zones_delayed",
    kind="lines",
    title="Operations that the I/O throttle delays",
    subtitle="offenders: of each zone",
    source="kstat zone_zfs, 1 s",
    tables={"zone_io": Need(("delay_cnt",))},
)
def zones_delayed(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["zone_io"]
    frame = frame[frame["delay_cnt"].notna()] if len(frame) else frame
    return lines(frame, "zone", "delay_cnt", grid, known, table="zone_io")


USAGE = (
    tables.Column("state", "state", phone=True),
    tables.column("zone_usage", "cpu", "CPU", phone=True),
    tables.column("zone_usage", "cpu_cap", "cap", cap=True, phone=True),
    tables.column("zone_usage", "cpu_waiting", "waiting", "count"),
    tables.column("zone_usage", "cpu_shares", "shares", "count"),
    tables.column("zone_usage", "rss", "resident", phone=True),
    tables.column("zone_usage", "rss_cap", "cap", cap=True, phone=True),
    tables.column("zone_usage", "pagedout", "paged out"),
    tables.column("zone_usage", "swap", "swap"),
    tables.column("zone_usage", "swap_cap", "cap", cap=True),
    tables.column("zone_usage", "anon_alloc_fail", "alloc. failed"),
    tables.column("zone_usage", "nproc", "processes", "count"),
    tables.column("zone_usage", "nlwp", "threads", "count"),
)
OPERATIONS = (
    tables.column("zone_io", "read_bytes", "read"),
    tables.column("zone_io", "write_bytes", "written"),
    tables.column("zone_io", "read_time", "a read"),
    tables.column("zone_io", "write_time", "a write"),
    tables.column("zone_io", "ops_10ms", "≥ 10 ms"),
    tables.column("zone_io", "ops_100ms", "≥ 100 ms"),
    tables.column("zone_io", "ops_1s", "≥ 1 s"),
    tables.column("zone_io", "delay_cnt", "delayed"),
)
STATES: dict[str, tables.State] = {
    "cpu_waiting": "warn",
    "pagedout": "warn",
    "anon_alloc_fail": "bad",
    "ops_100ms": "warn",
    "ops_1s": "bad",
    "delay_cnt": "warn",
}
"""Columns in which anything above zero is trouble."""
QUIET = 15.0
"""A usage older than this is no longer one, s."""
KNOWN = 120.0
"""A zone that nobody has told of for so long is not on the host, s."""


@view("zones_table")
def zones_table(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """Every zone of a host with its usage beside its caps and, where the host counts them, its file-system operations;
    a table as `dashboard.panels.tables` describes it."""
    host = str(query.get("host", ""))
    usage = tables.newest(live, "zone_usage", at, KNOWN, host)
    io = tables.newest(live, "zone_io", at, QUIET, host)
    columns = [c for c in USAGE if c.id in ("state", "cpu") or usage[c.id].notna().any()]
    columns += [c for c in OPERATIONS if io[c.id].notna().any()]
    now = live.clock() if at is None else at
    fresh = usage["time"] >= pd.Timestamp(now - max(QUIET, 60.0 if at is not None else 0.0), unit="s", tz="UTC")
    operations = {r["zone"]: r for r in io.to_dict("records")}
    rows = []
    for r, new in zip(usage.to_dict("records"), fresh, strict=True):
        cells: dict[str, tables.Cell] = {c.id: r[c.id] if new else None for c in USAGE if c.id in r}
        cells["state"] = (r["state"] if pd.notna(r["state"]) else "") if new else "silent"
        more = operations.get(r["zone"], {})
        cells |= {c.id: more.get(c.id) for c in OPERATIONS}
        states = {c: s for c, s in STATES.items() if isinstance(v := cells.get(c), float) and v > 0}
        brand = r["brand"] if pd.notna(r["brand"]) else ""
        rows.append(tables.Row(r["zone"], r["zone"], cells, states, note=brand, quiet=cells["state"] != "running"))
    rows.sort(key=lambda r: (r.quiet, -(tables.value(r, "cpu") or 0.0), r.id))
    return tables.table(columns, rows, empty=f"No zone of {host} has been heard of yet.", hint=_HINT)


_HINT = "zonescope check hosts.toml says whether source zone_usage works there."
