"""Zones of a host: CPU and memory as lanes, each row as high as the zone's own cap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Floats, Grid, PanelData, Series
from dashboard.panels.tools import TOP, last_of, means, pivot, top, total

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
