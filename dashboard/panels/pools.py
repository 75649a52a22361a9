"""Pool I/O: what each top-level vdev reads and writes, and the pools of a host together."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Grid, PanelData, Series
from dashboard.panels.tools import banded, dash, means, one, pivot, top, total

VDEVS = 4
ASIDE = ("logs", "log", "cache", "special", "dedup")
"""Sections whose vdevs do I/O of their own; spares do none."""
SECTIONS = (*ASIDE, "spares", "spare")
UNNAMED = "section-"
"""A section whose heading was not printed: 'section-1'."""
IO = ("read_bytes", "write_bytes")
SLOTS = (1, 3, 2, 4)
"""Colours of the vdevs: the first two as far apart as any."""


def is_section(name: str) -> bool:
    return name in SECTIONS or (name.startswith(UNNAMED) and "/" not in name)


def parents(paths: Iterable[str]) -> dict[str, str]:
    """Path -> that of the vdev or section it is in, '' for the pool. A name may itself hold slashes ('/dev/dsk/c1d0'),
    so it is what there is that tells where a path parts; 'c3t9d0/old' is what Solaris calls a disk that is replaced in
    its place."""
    known = {"", *paths} | {s for p in paths if "/" in p and is_section(s := p.partition("/")[0])}
    out = {}
    for path in known - {""}:
        cut = path.removesuffix("/old").rfind("/")
        while cut > 0 and path[:cut] not in known:
            cut = path.rfind("/", 0, cut)
        out[path] = path[:cut] if cut > 0 else ""
    return out


def own_name(path: str, parent: str) -> str:
    return path[len(parent) + 1 :] if parent else path


def top_level(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the vdevs that data is striped over: 'raidz2-0', a lone disk, 'logs/c1t2d0', not the pool, sections or
    members."""
    inside = parents([str(v) for v in frame["vdev"].unique()])
    parent = frame["vdev"].map(inside)
    kind = frame["kind"].fillna("")
    does_io = parent.isin(["", *ASIDE]) | parent.astype(str).str.startswith(UNNAMED)
    return frame[does_io & ~kind.isin(["section", "spare"]) & ~frame["vdev"].map(is_section).astype(bool)]


def chosen(frame: pd.DataFrame, query: Query) -> tuple[pd.DataFrame, set[str], str]:
    """(rows of the vdev that the query names and of those right in it, or without one of the top-level vdevs, with
    what each is called as `name`; those of the names that stand aside; the one that the query names). Only the pools
    beside the largest are told in names."""
    inside = parents([str(v) for v in frame["vdev"].unique()])
    called = {path: own_name(path, parent) for path, parent in inside.items()}
    vdev = str(query.get("vdev") or "")
    rows = frame[(frame["vdev"] == vdev) | (frame["vdev"].map(inside) == vdev)] if vdev else top_level(frame)
    largest = rows["pool"].value_counts().idxmax() if len(rows) else ""
    names = rows["vdev"].map(called).astype(object)
    names = names.where(rows["pool"] == largest, rows["pool"] + " " + names)
    own = rows["vdev"] == vdev
    apart = ~own if vdev else rows["vdev"].map(inside).map(is_section).astype(bool) | (rows["pool"] != largest)
    return rows.assign(name=names), set(names[apart]), str(names[own].iloc[0]) if own.any() else ""


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
    frame, aside, lead = chosen(frames["zpool_iostat"], query)
    return mirrored(frame, grid, known, aside, lead=lead)


def mirrored(
    frame: pd.DataFrame,
    grid: Grid,
    known: Known,
    aside: Collection[str] = (),
    of: tuple[str, str] = IO,
    unit: str = "B/s",
    rest: bool = True,
    lead: str = "",
) -> PanelData:
    """What is read (up) and written (down) of `lead`, of the busiest of column ``name`` and of the rest, those `aside`
    last."""
    columns = [f"{c}{part}" for c in of for part in ("", "_min", "_max")]
    ids, arrays = pivot(frame, "name", columns, grid)
    have = list(dict.fromkeys(k.rsplit("/", 1)[0] for k in known))
    weights = np.where(np.array(ids, object) == lead, np.finfo(float).max, means(arrays[0]) + means(arrays[3]))
    drawn = top(ids, list(weights), [k for k in have if k != "rest"], VDEVS)
    others = [i for i, name in enumerate(ids) if name not in drawn]
    drawn = drawn if have else sorted(drawn, key=lambda name: (name in aside, name))
    series: list[Series] = []
    rows: list[list[np.ndarray]] = [[], [], []]
    for i, name in enumerate([*drawn, *(["rest"] if (others and rest) or "rest" in have else [])]):
        slot = None if name == "rest" else SLOTS[i % len(SLOTS)]
        for side, word, first in ((1, "read", 0), (-1, "write", 3)):
            label = f"{name} read" if side == 1 else "write"
            series.append(Series(f"{name}/{word}", label, unit, slot, dash(i), side, group=name))  # type: ignore[arg-type]
            for into, array in zip(rows, arrays[first : first + 3], strict=True):
                into.append(total(array[others]) if name == "rest" else array[ids.index(name)])
    if not series:
        return PanelData(grid, unit=unit)
    return PanelData(grid, series, *banded(*(np.vstack(r) for r in rows)), unit=unit)


def pools_total(frame: pd.DataFrame, column: str, grid: Grid) -> np.ndarray:
    """Sum over the pools themselves."""
    return one(frame[frame["vdev"] == ""], column, grid)
