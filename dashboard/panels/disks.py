"""Disk latency: the heat map over all disks of a host with its percentiles, and p99 of each disk.

Three ways to it, the best that a host gives: DTrace's histogram of every I/O, ZFS's own histograms
(`zpool iostat -w`), or mean service times (`iostat -xn`, /proc/diskstats), where all I/Os of a disk and second count
as its mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Floats, Grid, Heat, PanelData, Series
from dashboard.panels.tools import LATENCY, heat_columns, histogram, latency_bounds, means, percentile, relaid, seconds

STANDING = "disk_io/by=device,latency"
TABLES = {
    "dtrace": Need(("bounds", "counts"), where={"question": [STANDING]}),
    "zpool_histogram": Need(("counts",), where={"measure": ["disk_wait_read", "disk_wait_write"]}),
    "disk_io": Need(("read_ops", "write_ops", "asvc_t")),
}
SLOW_TIMES, SLOW_LEAST, SLOW_EVENTS = 4.0, 0.05, 20
"""A disk is slow when its p99 is this many times the median of its peers', at least so many seconds, over at least so
many I/Os. The appliance's experience: one dying disk shows in latency long before any error counter."""
DISKS = 9
MORE = "+more"

Counts = npt.NDArray[np.float64]
Sampled = npt.NDArray[Any]


def within(frame: pd.DataFrame, query: Query) -> npt.NDArray[np.bool_]:
    """Rows of the pool, and of the vdev or what is in it, that the query names."""
    pool, vdev = str(query.get("pool") or ""), str(query.get("vdev") or "")
    inside = np.ones(len(frame), bool)
    if pool:
        inside &= (frame["pool"] == pool).to_numpy(bool)
    if vdev:
        inside &= ((frame["vdev"] == vdev) | frame["vdev"].astype(str).str.startswith(f"{vdev}/")).to_numpy(bool)
    return inside


def disk_counts(frames: Frames, grid: Grid, query: Query | None = None) -> tuple[list[str], Counts, Sampled]:
    """(disks, I/Os [disks, grid.n, rows of LATENCY], whether sampled [disks, grid.n]) by the best way there is; of the
    pool and vdev that `query` names, if any."""
    part = bool(query and query.get("pool"))
    frame = frames["dtrace"]
    if len(frame) and part:
        disks = frames["disk_io"]
        own = set(disks[within(disks, query or {})]["device"])
        frame = frame[[len(k) > 0 and k[0] in own for k in frame["keys"]]]
    if len(frame):
        keys = np.array([k[0] if len(k) else "" for k in frame["keys"]], dtype=object)
        return heat_columns(keys, grid.columns(seconds(frame)), _dtrace_counts(frame), grid)
    frame = frames["zpool_histogram"]
    if len(frame):
        frame = frame[_leaves(frame)]
        frame = frame[within(frame, query or {})] if part else frame
        keys = frame["vdev"].str.rsplit("/", n=1).str[-1].to_numpy(dtype=object)
        counts = relaid(histogram(frame), latency_bounds("quantize"), LATENCY)
        return heat_columns(keys, grid.columns(seconds(frame)), counts, grid)
    frame = frames["disk_io"]
    frame = frame[within(frame, query or {})] if part else frame
    ops = (frame["read_ops"].fillna(0) + frame["write_ops"].fillna(0)).to_numpy(float) * grid.step
    counts = np.zeros((len(frame), len(LATENCY)))
    service = frame["asvc_t"].to_numpy(float)
    row = np.clip(np.searchsorted(LATENCY, np.nan_to_num(service), "right") - 1, 0, None)
    counts[np.arange(len(frame)), row] = np.where(np.isfinite(service), np.round(ops), 0)
    return heat_columns(frame["device"].to_numpy(dtype=object), grid.columns(seconds(frame)), counts, grid)


def _dtrace_counts(frame: pd.DataFrame) -> Counts:
    names = frame["bounds"].fillna("quantize")
    out = np.zeros((len(frame), len(LATENCY)))
    for name in names.unique():
        mine = (names == name).to_numpy()
        out[mine] = relaid(histogram(frame[mine]), latency_bounds(str(name)), LATENCY)
    return out


def _leaves(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Rows of vdevs that hold no others: the disks."""
    vdevs = frame["vdev"].astype(object)
    parents = {v.rsplit("/", 1)[0] for v in vdevs.unique() if "/" in v} | {""}
    return (~vdevs.isin(parents)).to_numpy(bool)


def slow_disks(counts: Mapping[str, Counts]) -> dict[str, tuple[float, float]]:
    """Disks whose p99 stands out: disk -> (its p99, median p99 of the others), s. `counts` over LATENCY per disk."""
    p99 = {d: float(percentile(c, LATENCY, 0.99)) for d, c in counts.items() if round(c.sum()) >= SLOW_EVENTS}
    out = {}
    for disk, value in p99.items():
        peers = [v for d, v in p99.items() if d != disk]
        if peers and value >= SLOW_LEAST and value >= SLOW_TIMES * (middle := float(np.median(peers))):
            out[disk] = (value, middle)
    return out


def newest_counts(counts: Counts, have: Sampled, grid: Grid, last: float = 60.0) -> Counts:
    """[disks, rows] summed over the last `last` seconds that have a sample."""
    at = np.flatnonzero(have.any(axis=0))
    if not len(at):
        return np.zeros((counts.shape[0], counts.shape[2]))
    first = max(0, int(at[-1]) - max(1, round(last / grid.step)) + 1)
    return counts[:, first : at[-1] + 1].sum(axis=1)


@panel(
    "disk_latency",
    kind="heat",
    title="Disk latency",
    subtitle="every disk, log scale",
    source="dtrace, 1 s",
    cost="dtrace",
    tables=TABLES,
    context=60.0,
)
def disk_latency(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """I/Os per second and latency; p50 and p99 over them; the table holds p99 of each disk, slow ones marked."""
    disks, counts, have = disk_counts(frames, grid, query)
    sampled = have.any(axis=0)
    every = counts.sum(axis=0)
    heat = every.astype(np.float32)
    heat[~sampled] = np.nan
    rows: list[Floats] = [percentile(every, LATENCY, q).astype(np.float32) for q in (0.5, 0.99)]
    if not disks and not known:
        return PanelData(grid, unit="s", yscale="log")
    slow = slow_disks(dict(zip(disks, newest_counts(counts, have, grid), strict=True)))
    series = [
        Series("p50", "p50", "s", group="overlay", legend=False),
        Series("p99", "p99", "s", dash="dash", group="overlay", legend=False),
    ]
    each = percentile(counts, LATENCY, 0.99)
    shown = _shown(disks, each, slow, known)
    for disk in shown:
        series.append(Series(disk, disk, "s", group="table", state="bad" if disk in slow else ""))
        rows.append(each[disks.index(disk)].astype(np.float32))
    others = [i for i, disk in enumerate(disks) if disk not in shown]
    if (others and not known) or MORE in known:
        series.append(Series(MORE, f"{len(others)} more", "s", group="table"))
        rows.append(percentile(counts[others].sum(axis=0), LATENCY, 0.99).astype(np.float32))
    values = np.vstack(rows)
    return PanelData(grid, series, values, heat=Heat(LATENCY, "s", heat), unit="s", yscale="log")


def _shown(disks: list[str], p99: npt.NDArray[np.float64], slow: Mapping[str, Any], known: Known) -> list[str]:
    """The disks of the table: slow ones first, then by p99, at most DISKS; those that a page shows stay."""
    if known:
        return [k for k in known if k in disks]
    weight = dict(zip(disks, means(p99.astype(np.float32)), strict=True))
    chosen = sorted(disks, key=lambda d: (d not in slow, -weight[d]))
    chosen = chosen if len(disks) <= DISKS + 1 else chosen[:DISKS]
    return sorted(chosen, key=lambda d: (d not in slow, natural(d)))


def natural(name: str) -> list[tuple[int, str]]:
    """c3t10d0 after c3t9d0."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.findall(r"[0-9]+|[^0-9]+", name)]


def worst_p99(frames: Frames, grid: Grid) -> tuple[Floats, bool]:
    """(the largest p99 of any disk per column [grid.n], whether a disk is slow now)."""
    disks, counts, have = disk_counts(frames, grid)
    if not disks:
        return np.full(grid.n, np.nan, np.float32), False
    each = np.atleast_2d(np.nan_to_num(percentile(counts, LATENCY, 0.99)))  # a disk without an I/O has none
    worst = np.where(have.any(axis=0), each.max(axis=0), np.nan)
    slow = slow_disks(dict(zip(disks, newest_counts(counts, have, grid), strict=True)))
    return worst.astype(np.float32), bool(slow)


@panel("disk_worst", kind="spark", title="Worst disk p99", tables=TABLES, context=60.0)
def disk_worst(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    worst, slow = worst_p99(frames, grid)
    return PanelData(grid, [Series("v", "worst disk p99", "s", state="bad" if slow else "")], worst[None, :], unit="s")


@panel("disk_strip", kind="strip", title="disk p99, 6 h", tables=TABLES, span=21600.0)
@panel("disk_strip_day", kind="strip", title="disk p99, 2 d", tables=TABLES, span=172800.0)
def disk_strip(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """p99 over all disks, for the strip over a page."""
    _, counts, _ = disk_counts(frames, grid)
    p99 = percentile(counts.sum(axis=0), LATENCY, 0.99).astype(np.float32)
    return PanelData(grid, [Series("p99", "disk p99", "s")], p99[None, :], unit="s")
