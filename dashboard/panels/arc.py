"""The ARC: size against its target and bounds, ghost hits, and hit ratios split as arcstat splits them."""

from __future__ import annotations

import numpy as np

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Floats, Grid, Mark, PanelData, Series
from dashboard.panels.tools import last, one
from frames import units

FEW_READS = 10.0
"""Below this many reads a second a hit ratio says nothing and is left out."""

RATIOS = (
    ("demand_data", "demand data", ("demand_data",)),
    ("demand_metadata", "demand metadata", ("demand_metadata",)),
    ("prefetch", "prefetch", ("prefetch_data", "prefetch_metadata")),
)
_RATES = tuple(f"{part}_{what}" for _, _, parts in RATIOS for part in parts for what in ("hits", "iohits", "misses"))
_USED = ("prefetches", "prefetches_used", "misses")
TABLES = {"arcstats": Need(("size", "c", "c_min", "c_max", "mru_ghost_hits", "mfu_ghost_hits", *_USED, *_RATES))}


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part` of `whole`, NaN where `whole` is below FEW_READS a second."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole >= FEW_READS, np.minimum(part / whole, 1.0), np.nan).astype(np.float32)


def hit_ratio(row: dict[str, Floats], parts: tuple[str, ...]) -> Floats:
    """Hits over accesses of `parts`; a read under way is an access where the system counts them."""
    hits, misses = (np.sum([row[f"{p}_{what}"] for p in parts], axis=0) for what in ("hits", "misses"))
    under_way = np.nansum([row[f"{p}_iohits"] for p in parts], axis=0)
    return ratio(hits, hits + misses + under_way)


@panel("arc", kind="lines", title="ARC", subtitle="ghost hits below", source="kstat, 1 s", tables=TABLES)
def arc(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Size and target as lines between min and max, ghost hits as a band, ratios of what was asked in the table."""
    frame = frames["arcstats"]
    if not len(frame) and not known:
        return PanelData(grid, unit="B")
    row = {c: one(frame, c, grid, "mean") for c in TABLES["arcstats"].columns}
    series = [
        Series("size", "size", "B", 1),
        Series("c", "target", "B", 3, "dash"),
        Series("ghost", "ghost hits", "1/s", 2, fill=True, group="ghost"),
        *(Series(id, label, "1", None, group="table") for id, label, _ in RATIOS),
        Series("prefetches_used", "prefetched and used", "1", None, group="table"),
        Series("ghost_share", "misses that a larger ARC serves", "1", None, group="table"),
    ]
    ghost = np.nansum([row["mru_ghost_hits"], row["mfu_ghost_hits"]], axis=0)
    ghost = np.where(np.isfinite(row["mru_ghost_hits"]) | np.isfinite(row["mfu_ghost_hits"]), ghost, np.nan)
    ratios = [
        *(hit_ratio(row, parts) for _, _, parts in RATIOS),
        ratio(row["prefetches_used"], row["prefetches"]),
        ratio(ghost, row["misses"]),
    ]
    values = np.vstack([row["size"], row["c"], ghost, *ratios]).astype(np.float32)
    low, high = last(frame, "c_min"), last(frame, "c_max")
    marks = []
    if low is not None and high is not None:
        factor = units.scale("B", high).factor
        marks = [Mark(high, f"max {high / factor:.3g}"), Mark(low, f"min {low / factor:.3g}")]
    return PanelData(grid, series, values, marks=marks, unit="B", yrange=_range(values[:2], low, high))


def _range(levels: Floats, low: float | None, high: float | None) -> tuple[float, float] | None:
    """From a little below min to a little above max, or wide enough for what was seen."""
    if low is None or high is None:
        return None
    flat = levels[np.isfinite(levels)]
    bottom = min(low, float(flat.min())) if flat.size else low
    ceiling = max(high, float(flat.max())) if flat.size else high
    pad = (ceiling - bottom) * 0.06 or ceiling * 0.06
    return max(0.0, bottom - pad), ceiling + pad
