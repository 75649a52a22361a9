"""Pool I/O: what each top-level vdev reads and writes, and the pools of a host together."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Grid, PanelData, Series
from dashboard.panels.tools import banded, dash, means, one, pivot, top, total

VDEVS = 4
ASIDE = ("logs/", "cache/", "special/", "dedup/")
IO = ("read_bytes", "write_bytes")
SLOTS = (1, 3, 2, 4)
"""Colours of the vdevs: the first two as far apart as any."""


def top_level(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the vdevs that data is striped over: 'raidz2-0', a lone disk, 'logs/c1t2d0', not the pool, sections or
    members."""
    kind, path = frame["kind"].fillna(""), frame["vdev"].astype(object)
    depth = path.str.count("/").fillna(0) - path.str.startswith(ASIDE).astype(int)
    return frame[(path != "") & (depth == 0) & ~kind.isin(["section", "spare", "logs", "cache"])]


@panel(
    "pool_io",
    kind="mirror",
    title="Pool I/O per vdev",
    subtitle="read up, write down",
    source="zpool iostat, 1 s",
    tables={"zpool_iostat": Need(("kind", *IO), by=("host", "pool"))},
)
def pool_io(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Bytes read (up) and written (down) per second of the four busiest vdevs and the rest."""
    frame = top_level(frames["zpool_iostat"])
    # Only the pools beside the largest are named.
    largest = frame["pool"].value_counts().idxmax() if len(frame) else ""
    names = frame["vdev"].str.split("/").str[-1]
    names = names.where(frame["pool"] == largest, frame["pool"] + " " + names)
    apart = frame["vdev"].str.startswith(ASIDE) | (frame["pool"] != largest)
    aside = set(names[apart]) if len(frame) else set()
    return mirrored(frame.assign(name=names), grid, known, aside)


def mirrored(frame: pd.DataFrame, grid: Grid, known: Known, aside: Collection[str] = ()) -> PanelData:
    """Bytes read (up) and written (down) of the busiest of column ``name`` and the rest, those `aside` last."""
    columns = ("read_bytes", "read_bytes_min", "read_bytes_max", "write_bytes", "write_bytes_min", "write_bytes_max")
    ids, arrays = pivot(frame, "name", columns, grid)
    have = list(dict.fromkeys(k.rsplit("/", 1)[0] for k in known))
    chosen = top(ids, list(means(arrays[0]) + means(arrays[3])), [k for k in have if k != "rest"], VDEVS)
    others = [i for i, name in enumerate(ids) if name not in chosen]
    chosen = chosen if have else sorted(chosen, key=lambda name: (name in aside, name))
    series: list[Series] = []
    rows: list[list[np.ndarray]] = [[], [], []]
    for i, name in enumerate([*chosen, *(["rest"] if others or "rest" in have else [])]):
        slot = None if name == "rest" else SLOTS[i % len(SLOTS)]
        for side, word, first in ((1, "read", 0), (-1, "write", 3)):
            label = f"{name} read" if side == 1 else "write"
            series.append(Series(f"{name}/{word}", label, "B/s", slot, dash(i), side, group=name))  # type: ignore[arg-type]
            for into, array in zip(rows, arrays[first : first + 3], strict=True):
                into.append(total(array[others]) if name == "rest" else array[ids.index(name)])
    if not series:
        return PanelData(grid, unit="B/s")
    return PanelData(grid, series, *banded(*(np.vstack(r) for r in rows)), unit="B/s")


def pools_total(frame: pd.DataFrame, column: str, grid: Grid) -> np.ndarray:
    """Sum over the pools themselves."""
    return one(frame[frame["vdev"] == ""], column, grid)
