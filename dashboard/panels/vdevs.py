"""The vdevs of a host's pools over time: operations, waits, queues, how busy their disks are, and the pace of a scan.

Each panel shows all top-level vdevs or, where the query names `pool` and `vdev`, that one and what is in it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Floats, Grid, PanelData, Series
from dashboard.panels.disks import TABLES, disk_latency, within
from dashboard.panels.pools import chosen, mirrored
from dashboard.panels.tools import dash, lines, one, seconds
from dashboard.scans import RECENT

OPS = ("read_ops", "write_ops")
WAITS = ("total_wait_read", "total_wait_write")
PARTS = (
    ("disk_wait", "disk", ("read", "write")),
    ("syncq_wait", "sync", ("read", "write")),
    ("asyncq_wait", "async", ("read", "write")),
    ("scrub_wait", "scrub", ("read",)),
    ("trim_wait", "trim", ("write",)),
    ("rebuild_wait", "rebuild", ("write",)),
)
"""(measure, words, sides) of what a total wait is made of; a scrub reads, trims and rebuilds write."""
QUEUES = (
    ("syncq_read", "sync read"),
    ("syncq_write", "sync write"),
    ("asyncq_read", "async read"),
    ("asyncq_write", "async write"),
    ("scrubq_read", "scrub"),
    ("trimq_write", "trim"),
    ("rebuildq_write", "rebuild"),
)


def _column(measure: str, side: str, sides: tuple[str, ...]) -> str:
    return f"{measure}_{side}" if len(sides) == 2 else measure


PART_COLUMNS = tuple(_column(m, side, sides) for m, _, sides in PARTS for side in sides)
QUEUE_COLUMNS = tuple(f"{queue}_{state}" for queue, _ in QUEUES for state in ("pend", "activ"))
BY = ("host", "pool")


def _iostat(*columns: str) -> dict[str, Need]:
    return {"zpool_iostat": Need(("kind", *columns), by=BY)}


@panel(
    "vdev_ops",
    kind="mirror",
    title="Operations per vdev",
    subtitle="read up, write down",
    source="zpool iostat, 1 s",
    tables=_iostat(*OPS),
)
def vdev_ops(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame, aside, lead = chosen(frames["zpool_iostat"], query)
    return mirrored(frame, grid, known, aside, OPS, "1/s", lead=lead)


@panel(
    "vdev_wait",
    kind="mirror",
    title="Wait per vdev",
    subtitle="queue and disk; read up, write down",
    source="zpool iostat -l, 1 s",
    tables=_iostat(*WAITS),
)
def vdev_wait(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Mean time of an operation from its queue to its end; of many vdevs the slowest, for waits add up to nothing."""
    frame, aside, lead = chosen(frames["zpool_iostat"], query)
    return mirrored(frame, grid, known, aside, WAITS, "s", rest=False, lead=lead)


def _single(frame: pd.DataFrame, query: Query) -> pd.DataFrame:
    """Rows of the one vdev that the query names, or of the pool that has most vdevs."""
    if vdev := query.get("vdev"):
        return frame[frame["vdev"] == vdev]
    if not len(frame):
        return frame
    largest = frame["pool"].value_counts().idxmax()
    return frame[(frame["vdev"] == "") & (frame["pool"] == largest)]


@panel(
    "vdev_parts",
    kind="mirror",
    title="Where an operation waits",
    subtitle="at the disk and in its queues; read up, write down",
    source="zpool iostat -l, 1 s",
    tables=_iostat(*PART_COLUMNS),
)
def vdev_parts(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """The queues before the disk and the disk itself, of the vdev that is chosen or else of the largest pool."""
    frame = _single(frames["zpool_iostat"], query)
    series, rows = [], []
    for i, (measure, words, sides) in enumerate(PARTS):
        for side in sides:
            values = one(frame, _column(measure, side, sides), grid, "mean")
            id = f"{measure}/{side}"
            if np.isfinite(values).any() or id in known:
                label = f"{words} {side}"
                series.append(_mirror(id, label, "s", i, 1 if side == "read" else -1, measure))
                rows.append(values)
    return PanelData(grid, series, np.vstack(rows) if rows else np.empty((0, 0), np.float32), unit="s")


def _mirror(id: str, label: str, unit: str, i: int, side: Literal[1, -1], group: str) -> Series:
    return Series(id, label, unit, (1, 3, 2, 4, 5, 6, 7)[i], dash(i), side, group=group)


@panel(
    "vdev_queues",
    kind="mirror",
    title="Queues",
    subtitle="waiting up, at the disk down",
    source="zpool iostat -q, 1 s",
    tables=_iostat(*QUEUE_COLUMNS),
)
def vdev_queues(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Operations of each class that wait and that were issued to the disks, of one vdev as above."""
    frame = _single(frames["zpool_iostat"], query)
    series, rows = [], []
    for i, (queue, words) in enumerate(QUEUES):
        for state, word, side in (("pend", "waiting", 1), ("activ", "issued", -1)):
            values = one(frame, f"{queue}_{state}", grid, "mean")
            id = f"{queue}/{state}"
            if np.isfinite(values).any() or id in known:
                series.append(_mirror(id, f"{words} {word}", "operations", i, 1 if side > 0 else -1, queue))
                rows.append(values)
    values = np.vstack(rows) if rows else np.empty((0, 0), np.float32)
    return PanelData(grid, series, values, unit="operations")


# -- disks ---------------------------------------------------------------------------------------------------------

_LABELS = ("pool", "vdev")


def _disks(frames: Frames, query: Query) -> pd.DataFrame:
    """Rows of the disks of the pool and vdev that the query names; without either, of those that are in a pool."""
    frame = frames["disk_io"]
    if query.get("pool"):
        return frame[within(frame, query)]
    return frame[frame["pool"].notna()] if frame["pool"].notna().any() else frame


NOT_JOINED = "Which of this host's disks are in it is not known."


@panel(
    "vdev_busy",
    kind="lines",
    title="Disks, busy",
    subtitle="share of time with a request being served",
    source="iostat, 1 s",
    tables={"disk_io": Need(("busy", *_LABELS))},
)
def vdev_busy(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """The eight busiest: a line at 100 % far above the others is a dying disk that no counter of errors shows."""
    frame = _disks(frames, query)
    data = lines(frame, "device", "busy", grid, known, table="disk_io", rest=False)
    data.yrange = (0.0, 1.0)
    data.empty = NOT_JOINED if not len(frame) and len(frames["disk_io"]) and not known else ""
    return data


@panel(
    "vdev_service",
    kind="lines",
    title="Disks, service time",
    subtitle="mean of each disk, the eight slowest",
    source="iostat, 1 s",
    tables={"disk_io": Need(("asvc_t", *_LABELS))},
)
def vdev_service(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = _disks(frames, query)
    data = lines(frame, "device", "asvc_t", grid, known, table="disk_io", rest=False)
    data.empty = NOT_JOINED if not len(frame) and len(frames["disk_io"]) and not known else ""
    return data


@panel(
    "vdev_latency",
    kind="heat",
    title="Disk latency",
    subtitle="every disk, log scale",
    source="dtrace, 1 s",
    cost="dtrace",
    tables=TABLES | {"disk_io": Need((*TABLES["disk_io"].columns, *_LABELS))},
    context=60.0,
)
def vdev_latency(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """The heat map of the Host page, of the disks of one vdev."""
    return disk_latency(frames, query, grid, known)


# -- scans ---------------------------------------------------------------------------------------------------------

PACES = {"B/s": "/pace", "%/h": "/share"}
"""Ends of the series' ids: a panel that draws the one needs a new fill for the other."""
LEAST_APART = 240.0
"""A pace is taken over at least so many seconds: what is printed has three digits."""


@panel(
    "scan_pace",
    kind="lines",
    title="Pace of the scan",
    subtitle="over the last 15 min; dashed: the mean as printed",
    source="zpool status, 10 s",
    tables={"pool_scan": Need(("scan", "state", "fraction", "issued", "scanned", "total", "rate"), by=BY)},
    context=RECENT,
    lookback=2 * RECENT,
)
def scan_pace(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Bytes a second of the scan of each pool, from what it has done; per cent an hour where no bytes are told."""
    frame = frames["pool_scan"].sort_values("time")
    running = frame[frame["state"] == "in_progress"]
    series, rows = [], []
    pools = [str(p) for p in running["pool"].unique()]
    told = {p: _done(running[running["pool"] == p]) for p in pools}
    kept = [k.rpartition("/")[0] for k in known if k.endswith(tuple(PACES.values()))]
    in_bytes = any(unit == "B/s" for _, unit in told.values()) if told else not any(k.endswith("/share") for k in known)
    unit = "B/s" if in_bytes else "%/h"
    for i, pool in enumerate(dict.fromkeys([*kept, *sorted(pools)])):
        mine = running[running["pool"] == pool]
        done, own = told.get(pool, (np.empty(0), unit))
        fits = own == unit
        pace = recent_pace(seconds(mine), done if fits else np.full(len(mine), np.nan), mine["scan"].to_numpy(object))
        who = f"{pool} " if len(pools) > 1 or len(kept) > 1 else ""
        series.append(Series(f"{pool}{PACES[unit]}", f"{who}last 15 min", unit, i % 8 + 1))
        rows.append(one(mine.assign(pace=pace), "pace", grid, "mean"))
        if in_bytes:
            series.append(Series(f"{pool}/mean", f"{who}mean", unit, i % 8 + 1, "dash"))
            rows.append(one(mine, "rate", grid, "mean"))
    if not series:
        return PanelData(grid, unit=unit, empty="" if known else "No scan ran in this range.")
    return PanelData(grid, series, np.vstack(rows).astype(np.float32), unit=unit)


def _done(rows: pd.DataFrame) -> tuple[npt.NDArray[np.float64], str]:
    """(what was done by each row of one pool, the unit of its rate), as its newest row tells it: bytes issued, else the
    share of the total, else bytes scanned, else per cent (whose rate is in per cent an hour)."""
    for values in (rows["issued"], rows["fraction"] * rows["total"], rows["scanned"]):
        if values.notna().iloc[-1]:
            return values.to_numpy(float), "B/s"
    return rows["fraction"].to_numpy(float) * 100 * 3600, "%/h"


def recent_pace(times: npt.NDArray[np.float64], done: npt.NDArray[np.float64], scan: npt.NDArray[np.object_]) -> Floats:
    """Growth of `done` a second at each of `times` (ascending), over RECENT or as much of it as there is; NaN with less
    than LEAST_APART, and across another scan or one begun anew."""
    out = np.full(len(times), np.nan, np.float32)
    began = first = 0
    for i in range(len(times)):
        if i and (scan[i] != scan[i - 1] or done[i] < done[i - 1]):
            began = i
        first = max(first, began)
        while first < i and times[first] < times[i] - RECENT:
            first += 1
        apart = times[i] - times[first]
        if apart >= LEAST_APART:
            out[i] = (done[i] - done[first]) / apart
    return out
