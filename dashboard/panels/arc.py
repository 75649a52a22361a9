"""The ARC: size against its target and bounds, what it holds and serves, split as arcstat splits it; what a larger one
would have served, and a verdict in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, view
from dashboard.panels.capacity import STARVED, STARVED_RATE
from dashboard.panels.data import Floats, Grid, Mark, PanelData, Series
from dashboard.panels.tools import dash, last, one
from frames import units
from frames.schemas import to_pandas

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


# -- the ARC's own page ----------------------------------------------------------------------------------------------


def _rows(frames: Frames, grid: Grid, *columns: str) -> dict[str, Floats]:
    return {c: one(frames["arcstats"], c, grid, "mean") for c in columns}


def _need(*columns: str) -> dict[str, Need]:
    return {"arcstats": Need(columns)}


def _told(grid: Grid, known: Known, unit: str, found: list[tuple[Series, Floats]], lacks: str) -> PanelData:
    """The series that have a sample; why there is none (`lacks`) where the host sends others."""
    kept = [(s, v) for s, v in found if np.isfinite(v).any() or s.id in known]
    if not kept:
        return PanelData(grid, unit=unit, empty=lacks)
    return PanelData(grid, [s for s, _ in kept], np.vstack([v for _, v in kept]).astype(np.float32), unit=unit)


def _lacks(frames: Frames, words: str) -> str:
    return words if len(frames["arcstats"]) else ""


LISTS = ("mru_size", "mfu_size", "mru_ghost_size", "mfu_ghost_size", "p", "size", "c")


@panel(
    "arc_lists",
    kind="lines",
    title="Lists",
    subtitle="used once, used often; dashed: ghosts, whose data are gone",
    source="kstat, 1 s",
    tables=_need(*LISTS),
)
def arc_lists(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """MRU and MFU one on the other, their ghost lists as lines; where a release tells only the MRU's target, that."""
    row = _rows(frames, grid, *LISTS)
    found = [
        (Series("mru_size", "MRU, used once", "B", 1, fill=True, group="held"), row["mru_size"]),
        (Series("mfu_size", "MFU, used often", "B", 3, fill=True, group="held"), row["mfu_size"]),
        (Series("mru_ghost_size", "MRU ghosts", "B", 1, "dash"), row["mru_ghost_size"]),
        (Series("mfu_ghost_size", "MFU ghosts", "B", 3, "dash"), row["mfu_ghost_size"]),
        (Series("p", "target of the MRU", "B", 2, "dot"), row["p"]),
    ]
    if not np.isfinite(row["mru_size"]).any() and "mru_size" not in known:
        found.append((Series("c", "target of the ARC", "B", None), row["c"]))
    return _told(grid, known, "B", found, _lacks(frames, "This release does not tell the sizes of its lists."))


LITTLE = 0.005
"""What is left of the size below this share of it is rounding."""
CONTENT = ("data_size", "metadata_size", "meta_used", "l2_hdr_size", "size")


@panel(
    "arc_content",
    kind="lines",
    title="Content",
    subtitle="data, metadata and the rest of its size",
    source="kstat, 1 s",
    tables=_need(*CONTENT, "meta_limit"),
)
def arc_content(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """What the ARC's bytes are, adding up to its size; metadata by what counts against its limit where that is all."""
    row = _rows(frames, grid, *CONTENT)
    metadata = np.where(np.isfinite(row["metadata_size"]), row["metadata_size"], row["meta_used"])
    told = np.isfinite(row["data_size"]) | np.isfinite(metadata)
    index = np.where(told & (row["l2_hdr_size"] > 0), row["l2_hdr_size"], np.nan)
    known_parts = np.nansum([row["data_size"], metadata, index], axis=0)
    have = np.isfinite(row["data_size"])
    rest = np.where(have, np.maximum(row["size"] - known_parts, 0.0), np.nan)
    rest = np.where(rest < LITTLE * row["size"], 0.0, rest)
    some = bool((rest > 0).any()) or "rest" in known
    limit = last(frames["arcstats"], "meta_limit")
    found = [
        (Series("data_size", "data", "B", 1, fill=True, group="held"), row["data_size"]),
        (Series("metadata_size", "metadata", "B", 3, fill=True, group="held", cap=limit or None), metadata),
        (Series("l2_hdr_size", "index of the L2ARC", "B", 2, fill=True, group="held"), index),
        (Series("rest", "else", "B", None, fill=True, group="held"), rest if some else np.full_like(rest, np.nan)),
    ]
    return _told(grid, known, "B", found, _lacks(frames, "This release tells the size of its ARC, not what is in it."))


@panel(
    "arc_reads",
    kind="lines",
    title="Reads",
    subtitle="asked of the ARC; dashed: not found in it",
    source="kstat, 1 s",
    tables=_need(*_RATES),
)
def arc_reads(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Accesses and misses a second, split as arcstat splits them."""
    row = _rows(frames, grid, *_RATES)
    found = []
    for i, (id, label, parts) in enumerate(RATIOS):
        hits, misses = (_sum([row[f"{p}_{what}"] for p in parts]) for what in ("hits", "misses"))
        under_way = np.nan_to_num(_sum([row[f"{p}_iohits"] for p in parts]))
        slot = (1, 3, 2)[i]
        found.append((Series(id, label, "1/s", slot, group=id), hits + misses + under_way))
        found.append((Series(f"{id}_misses", f"{label} misses", "1/s", slot, "dash", group=id), misses))
    return _told(grid, known, "1/s", found, _lacks(frames, "This release does not tell reads by kind."))


def _sum(values: list[Floats]) -> Floats:
    """Sum of those that are there; NaN where none is."""
    stacked = np.vstack(values)
    return np.where(np.isfinite(stacked).any(axis=0), np.nansum(stacked, axis=0), np.nan).astype(np.float32)


@panel(
    "arc_ratios",
    kind="lines",
    title="Hit ratio",
    subtitle=f"left out below {FEW_READS:.0f} reads a second",
    source="kstat, 1 s",
    tables=_need(*_RATES, *_USED),
)
def arc_ratios(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Hits over accesses of each kind, and how much of what was prefetched was asked for."""
    row = _rows(frames, grid, *_RATES, *_USED)
    found = [
        (Series(id, label, "1", (1, 3, 2)[i], dash(i)), hit_ratio(row, parts))
        for i, (id, label, parts) in enumerate(RATIOS)
    ]
    found.append(
        (Series("used", "prefetched and used", "1", 4, "dot"), ratio(row["prefetches_used"], row["prefetches"]))
    )
    few = "No kind of read was asked for often enough in this range to have a ratio."
    data = _told(grid, known, "1", found, few if np.isfinite(row["demand_data_hits"]).any() else "")
    least = float(np.nanmin(data.values)) if np.isfinite(data.values).any() else 0.0
    data.yrange = (max(0.0, np.floor(least * 10 - 0.2) / 10), 1.0)
    return data


GHOSTS = ("mru_ghost_hits", "mfu_ghost_hits", "misses")


@panel(
    "arc_ghosts",
    kind="lines",
    title="What a larger ARC would have served",
    subtitle="ghost hits: misses on what was evicted not long ago",
    source="kstat, 1 s",
    tables=_need(*GHOSTS),
)
def arc_ghosts(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Hits in the ghost lists, one on the other, under all misses; their share in the table."""
    row = _rows(frames, grid, *GHOSTS)
    ghosts = _sum([row["mru_ghost_hits"], row["mfu_ghost_hits"]])
    found = [
        (Series("misses", "all misses", "1/s", None), row["misses"]),
        (Series("mru_ghost_hits", "MRU ghost hits", "1/s", 1, fill=True, group="ghosts"), row["mru_ghost_hits"]),
        (Series("mfu_ghost_hits", "MFU ghost hits", "1/s", 3, fill=True, group="ghosts"), row["mfu_ghost_hits"]),
        (Series("share", "of all misses", "1", None, group="table"), ratio(ghosts, row["misses"])),
    ]
    return _told(grid, known, "1/s", found, _lacks(frames, "This release does not tell ghost hits."))


PRESSURE = ("evicted", "growth", "deleted", "evict_skip", "memory_throttle")


@panel(
    "arc_pressure",
    kind="lines",
    title="Eviction and growth",
    subtitle="below: writes held back because memory was short",
    source="kstat, 1 s",
    tables=_need(*PRESSURE),
)
def arc_pressure(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Bytes evicted and grown a second; the memory throttle as a band; buffers in the table."""
    row = _rows(frames, grid, *PRESSURE)
    throttled = frames["arcstats"]["memory_throttle"].sum() > 0 if len(frames["arcstats"]) else False
    found = [
        (Series("evicted", "evicted", "B/s", 3), row["evicted"]),
        (Series("growth", "grown", "B/s", 1), row["growth"]),
        (
            Series(
                "memory_throttle", "writes held back", "1/s", 2, fill=bool(throttled),
                group="throttle" if throttled else "table", state="warn" if throttled else "",
            ),
            row["memory_throttle"],
        ),
        (Series("deleted", "buffers evicted", "1/s", None, group="table"), row["deleted"]),
        (Series("evict_skip", "buffers passed over", "1/s", None, group="table"), row["evict_skip"]),
    ]  # fmt: skip
    in_bytes = np.isfinite([row["evicted"], row["growth"]]).any() or {"evicted", "growth"} & set(known)
    return _told(grid, known, "B/s" if in_bytes else "1/s", found, "")  # buffers are drawn where no bytes are told


@panel(
    "arc_prefetch",
    kind="lines",
    title="Prefetch",
    subtitle="issued and used; its efficiency in the table",
    source="kstat, 1 s",
    tables=_need(*_USED, *(f"prefetch_{kind}_{what}" for kind in ("data", "metadata") for what in ("hits", "misses"))),
)
def arc_prefetch(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    row = _rows(frames, grid, *_USED)
    found = [
        (Series("prefetches", "issued", "1/s", 1), row["prefetches"]),
        (Series("prefetches_used", "used by a demand read", "1/s", 3), row["prefetches_used"]),
        (
            Series("efficiency", "efficiency", "1", None, group="table"),
            ratio(row["prefetches_used"], row["prefetches"]),
        ),
    ]
    return _told(grid, known, "1/s", found, _lacks(frames, "This release does not tell what it prefetches."))


# -- L2ARC ---------------------------------------------------------------------------------------------------------

L2_SIZES = ("l2_size", "l2_asize", "l2_hdr_size")


@panel(
    "arc_l2_size",
    kind="lines",
    title="L2ARC",
    subtitle="what it holds, and what its index takes of the ARC",
    source="kstat, 1 s",
    tables=_need(*L2_SIZES, "size"),
)
def arc_l2_size(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    row = _rows(frames, grid, *L2_SIZES, "size")
    with np.errstate(invalid="ignore", divide="ignore"):
        cost = np.where(row["size"] > 0, row["l2_hdr_size"] / row["size"], np.nan).astype(np.float32)
    found = [
        (Series("l2_size", "data", "B", 1), row["l2_size"]),
        (Series("l2_asize", "on its devices", "B", 3, "dash"), row["l2_asize"]),
        (Series("l2_hdr_size", "index, in the ARC", "B", 2), row["l2_hdr_size"]),
        (Series("cost", "index of the ARC", "1", None, group="table"), cost),
    ]
    return _told(grid, known, "B", found, _lacks(frames, "This host has no L2ARC."))


@panel(
    "arc_l2_io",
    kind="mirror",
    title="L2ARC traffic",
    subtitle="read up, written down",
    source="kstat, 1 s",
    tables=_need("l2_read_bytes", "l2_write_bytes"),
)
def arc_l2_io(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    row = _rows(frames, grid, "l2_read_bytes", "l2_write_bytes")
    found = [
        (Series("read", "L2ARC read", "B/s", 1, group="io"), row["l2_read_bytes"]),
        (Series("write", "write", "B/s", 3, "dash", -1, group="io"), row["l2_write_bytes"]),
    ]
    return _told(grid, known, "B/s", found, _lacks(frames, "This host has no L2ARC."))


@panel(
    "arc_l2_hits",
    kind="lines",
    title="L2ARC hits",
    subtitle="of what the ARC missed; says nothing until both are warm: hours to days",
    source="kstat, 1 s",
    tables=_need("l2_hits", "l2_misses"),
)
def arc_l2_hits(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    row = _rows(frames, grid, "l2_hits", "l2_misses")
    found = [
        (Series("l2_hits", "hits", "1/s", 1), row["l2_hits"]),
        (Series("l2_misses", "misses", "1/s", None, "dash"), row["l2_misses"]),
        (
            Series("ratio", "hit ratio", "1", None, group="table"),
            ratio(row["l2_hits"], row["l2_hits"] + row["l2_misses"]),
        ),
    ]
    return _told(grid, known, "1/s", found, _lacks(frames, "This host has no L2ARC."))


# -- the verdict ---------------------------------------------------------------------------------------------------

JUDGED = 600.0
"""A verdict speaks of so many seconds; a memory throttle within them is told."""
AT_TARGET, AT_LIMIT = 0.95, 0.97
"""Shares of the target, and of the limit, from which the ARC is at them."""
_JUDGES = ("size", "c", "c_min", "c_max", "hits", "misses", "mru_ghost_hits", "mfu_ghost_hits", "memory_throttle")


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence about the ARC; `state` '', 'warn' or 'well'."""

    state: str
    text: str


def judge(frame: pd.DataFrame, every: float = 1.0) -> list[Said]:
    """What the samples of one host's arcstats over JUDGED seconds, `every` so many seconds, come to: how its size
    stands, and whether a larger ARC would have served more; first what was worst."""
    mean = {c: float(frame[c].mean()) for c in _JUDGES} if len(frame) else {}
    size, target, least, most = (mean.get(c, np.nan) for c in ("size", "c", "c_min", "c_max"))
    if not np.isfinite(size):
        return [Said("", "No sample of the ARC in these ten minutes.")]
    out = []
    held = float((frame["memory_throttle"] * every).sum())
    if held > 0:
        n = f"{units.number(round(held))} write{'' if round(held) == 1 else 's'}" if held >= 0.5 else "a write"
        was = "was" if held < 1.5 else "were"
        out.append(Said("warn", f"Memory was short: {n} {was} held back by the ARC within ten minutes."))
    misses, accesses = mean["misses"], mean["misses"] + mean["hits"]
    ghosts = float(frame[["mru_ghost_hits", "mfu_ghost_hits"]].sum(axis=1, min_count=1).mean())
    share = ghosts / misses if misses > 0 else np.nan
    sizes = _stands(size, target, least, most)
    if np.isfinite(accesses) and accesses < FEW_READS:
        return [*out, Said("well", f"{sizes}; {units.number(accesses)} reads a second are too few to judge it by.")]
    served = f"{units.text(share, '%')} of {units.number(misses)} misses a second would have hit a larger ARC"
    if share >= STARVED and ghosts >= STARVED_RATE:
        room = np.isfinite(most) and target < AT_LIMIT * most
        what = "memory is short" if room else "its limit is low" if np.isfinite(most) else ""
        whole = f"Starved{f', {what}' if what else ''}: {served}; {sizes}."
        return [*out, Said("warn", whole)]
    if np.isfinite(share):
        return [*out, Said("well", f"{sizes}; {served}.")]
    if misses == 0:
        return [*out, Said("well", f"{sizes}; nothing was missed.")]
    return [*out, Said("well", f"{sizes}; this release does not tell what a larger ARC would have served.")]


def _stands(size: float, target: float, least: float, most: float) -> str:
    """'ARC at its target, 7.60 of 7.80 GiB', 'ARC at its limit of 10.0 GiB'."""
    if not np.isfinite(target) or target <= 0:
        return f"ARC of {units.text(size, 'B')}"
    of = f"{units.fmt(size, 'B', like=target)[0]} of {units.text(target, 'B')}"
    if size < AT_TARGET * target:
        return f"ARC below its target, {of}"
    if np.isfinite(most) and target >= AT_LIMIT * most:
        return f"ARC at its limit, {of}"
    if np.isfinite(least) and target <= least / AT_LIMIT:
        return f"ARC pressed to its least, {of}"
    return f"ARC at its target, {of}"


@view("arc_verdict")
def arc_verdict(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{said: [{state, icon, text}]} of the ten minutes up to now or to `at`."""
    host = str(query.get("host", ""))
    end = live.clock() if at is None else at
    if at is None and (live.oldest("arcstats") or end) <= end - JUDGED:
        frame = to_pandas(live.rows("arcstats", end - JUDGED, end + 5, {"host": [host]}).select(["time", *_JUDGES]))
    else:
        frame = _history(live, host, end if at is not None else end // 10 * 10)
    said = judge(frame, float(frame.attrs.get("step") or live.interval("arcstats", [host])))
    icons = {"warn": "warn", "well": "check"}
    return {"said": [{"state": s.state, "icon": icons.get(s.state, ""), "text": s.text} for s in said]}


_past: WeakKeyDictionary[Live, tuple[str, float, pd.DataFrame]] = WeakKeyDictionary()


def _history(live: Live, host: str, end: float) -> pd.DataFrame:
    """The samples of JUDGED seconds from the history; kept for the next who asks the same."""
    kept = _past.get(live)
    if kept is None or kept[:2] != (host, end):
        columns = list(_JUDGES)
        frame = live.store.window("arcstats", end - JUDGED, end + 1, where={"host": [host]}, columns=columns)
        kept = _past[live] = (host, end, frame)
    return kept[2]
