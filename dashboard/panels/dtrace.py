"""Answers to D questions: the heat map with lit keys, stacked keys over time, the keys of a window or of one cell,
flame graphs, and what is running where.

A question is named by its id (frames.questions) or is one of `PROGRAMS`, the plain D programs. Its rows are those of
table ``dtrace``; an interval without events is a row without keys, so that silence is no gap. `COUNTED` are maps of
the same kind that need no D: they are made of what the kernel counts anyway.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from dashboard import flame
from dashboard.live import KEEP, Event, Host, Live
from dashboard.panels import Frames, Known, Need, Query, panel, view
from dashboard.panels.data import Floats, Grid, Heat, PanelData, Series
from dashboard.panels.tools import histogram, percentile, relaid, seconds
from frames import metrics
from frames.metrics import METRICS
from frames.questions import All, Field, Is, Predicate, Question, QuestionError, value_text
from frames.requests import Request, Requests
from frames.schemas import bounds

Mode = Literal["heat", "counts", "stacks"]
Keys = npt.NDArray[np.object_]
Counts = npt.NDArray[np.float64]
SEPARATOR = "\x1f"
LINES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
LIT = 8
"""Keys lit at once in a heat map, each in its own hue."""
UP = 3
"""Questions shown over the one that was drilled down from them."""
TOP = 7
LISTED = 60
"""Keys in the table; the others are summed up under it."""
LAPSED = 60.0
"""Seconds after which a request that no collector took is no longer waited for."""
FRESH = 8.0
"""A host whose newest row is not older has the question running, seconds."""
COARSE_CPU = 0.05
"""What `cpu` may be off by on a system whose ps tells whole seconds, cores (collectors/dtrace/cost.py)."""
LOCAL = {"device", "pid", "cpu", "interface", "remote_port"}
"""Keys that mean something else on every host."""


@dataclass(frozen=True, slots=True)
class Program:
    """A plain D program as the page knows it: `sentence`, the names of its keys, what is counted."""

    sentence: str
    keys: tuple[str, ...]
    value: Literal["count", "sum", "quantize"]
    unit: str
    look: str = ""
    """Colours of its stacks: kernel, user or wait."""


PROGRAMS: dict[str, Program] = {
    "oncpu_kernel": Program("on-CPU stacks of the kernel", ("execname", "stack"), "count", "1", "kernel"),
    "oncpu_user": Program("on-CPU stacks of programs", ("execname", "ustack"), "count", "1", "user"),
    "offcpu": Program("time off CPU by stack", ("execname", "stack"), "sum", "ns", "wait"),
    "spa_sync": Program("time of spa_sync broken down by pool", ("pool",), "quantize", "ns"),
}
COUNTED: dict[str, Program] = {
    "disk_busy": Program("disks broken down by utilisation", ("device",), "quantize", "%"),
}
"""What kernels count anyway, as heat maps: nearly free, never asked for. `unit` is that of the axis."""
BUSY = "lquantize:0:100:5"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks: a question or a program. `numeric`: the field of the heat map, '' without one."""

    id: str
    sentence: str
    keys: tuple[str, ...]
    mode: Mode
    numeric: str
    unit: str
    """Of the numeric field, as frames.questions names it."""
    counted: str
    """'1' for events, 'B' for bytes, 'ns'."""
    bounds: str
    question: Question | None
    table: str = "dtrace"


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that show nothing and may turn the words after them around."""


def tame(sentence: str) -> str:
    """`sentence` with what a value could hide in it written out."""
    return _UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", sentence)


@lru_cache(maxsize=512)
def asked(id: str) -> Asked:
    """What `id` asks. Raises QuestionError."""
    if counted := COUNTED.get(id):
        return Asked(id, counted.sentence, counted.keys, "heat", "utilisation", "%", "1", BUSY, None, "disk_io")
    if program := PROGRAMS.get(id):
        heat = program.value == "quantize"
        mode: Mode = "heat" if heat else "stacks"
        of = "1" if heat else program.unit
        return Asked(
            id, program.sentence, program.keys, mode, "latency" * heat, "ns" * heat, of, "quantize" * heat, None
        )
    q = metrics.question(id)
    f = q.numeric
    keys = tuple(k.name for k in q.discrete)
    if f is None:
        return Asked(q.id, tame(q.sentence), keys, "counts", "", "", q.metric.unit, "", q)
    return Asked(q.id, tame(q.sentence), keys, "heat", f.name, f.unit, q.metric.unit, f.bounds, q)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a heat map: lower bounds in `unit`, the bounds shown, and how to come from a field's numbers."""

    lower: tuple[float, ...]
    unit: str
    factor: float
    shown: tuple[float, float] | None
    log: bool
    top: float = math.inf
    """Nothing can be larger: 100 %."""


FACTORS = {"ns": (1e-9, "s"), "us": (1e-6, "s"), "ms": (1e-3, "s"), "ms-of-second": (1e-3, "s"),
           "B": (1.0, "B"), "KiB": (1024.0, "B"), "GiB": (1024.0**3, "B"), "%": (0.01, "1")}  # fmt: skip
_LATENCY = (2.0**7, 2.0**36)
_SIZE = (2.0**6, 2.0**30)
"""First and last row of latencies (ns) and sizes (B): what is beyond is in them."""


@lru_cache(maxsize=64)
def rows_of(name: str, unit: str) -> Rows:
    """Rows for a numeric field in `unit` whose buckets are those of `name`."""
    factor, shown_unit = FACTORS.get(unit, (1.0, ""))
    if name.startswith(("quantize", "log2")):
        first, last = _LATENCY if shown_unit == "s" else _SIZE
        rows = tuple(b * factor for b in bounds(name) if first <= b <= last)
        return Rows(rows, shown_unit, factor, None if shown_unit == "s" else (512.0, 2.0**24), True)
    lower = tuple(b * factor for b in bounds(name))
    log = name.startswith("llquantize")
    finite = [b for b in lower if math.isfinite(b)]
    if log and shown_unit == "s":
        return Rows(lower, "s", factor, None, True)
    low = next((b for b in finite if b > 0), 1.0) if log else finite[0]
    top = finite[-1] + (finite[-1] - finite[-2]) * (unit == "%")  # 100 % is a row: a disk that does nothing else
    return Rows(lower, shown_unit, factor, (low, top), log, 1.0 if unit == "%" else math.inf)


def fineness(name: str) -> int:
    """How many buckets `name` has where latencies and sizes lie."""
    return sum(2**10 <= b < 2**34 for b in bounds(name))


def finest(names: Iterable[str], else_: str) -> str:
    """The finest of the bounds that hosts send, `else_` without any: a map's rows are the true buckets of the host
    that tells most."""
    found = sorted({n for n in names if n}, key=lambda n: (-fineness(n), n))
    return found[0] if found else else_


def hosts_of(query: Query) -> list[str]:
    value = query.get("host") or []
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def keys_of(frame: pd.DataFrame, a: Asked, hosts: Sequence[str]) -> Keys:
    """The id of each row's key: its values joined, after its host where the same value means another thing there."""
    each = [SEPARATOR.join(k) if k is not None else "" for k in frame["keys"]]
    if by_host(a, hosts):
        each = [f"{h}{SEPARATOR}{k}" for h, k in zip(frame["host"], each, strict=True)]
    return np.array(each, dtype=object)


def by_host(a: Asked, hosts: Sequence[str]) -> bool:
    """Whether a key is told apart by its host."""
    return len(hosts) != 1 and (not a.keys or bool(LOCAL & set(a.keys)))


def row_counts(frame: pd.DataFrame, rows: Rows) -> Counts:
    """[rows of the frame, rows of the heat map] events. Counts in coarser buckets than the rows are laid over theirs
    in parts that add up to them."""
    names = frame["bounds"].fillna("")
    out = np.zeros((len(frame), len(rows.lower)))
    for name in names.unique():
        if not name:
            continue
        mine = (names == name).to_numpy()
        source = tuple(b * rows.factor for b in bounds(str(name)))
        out[mine] = relaid(histogram(frame[mine]), source, rows.lower, log=rows.log)
    return out


def _busy(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of table disk_io as answers of a question: each disk is one event in the bucket of its utilisation."""
    busy = frame["busy"].to_numpy(float)
    known = np.isfinite(busy)
    lower = np.asarray(bounds(BUSY))
    at = np.clip(np.searchsorted(lower, 100 * busy[known] + 1e-6, "right") - 1, 1, len(lower) - 1)
    counts = np.zeros((int(known.sum()), len(lower)), np.int64)
    counts[np.arange(len(at)), at] = 1
    kept = frame[known]
    return pd.DataFrame(
        {
            "time": kept["time"], "host": kept["host"], "keys": [[d] for d in kept["device"]], "bounds": BUSY,
            "counts": list(counts), "value": np.nan, "drops": 0.0,
        }
    )  # fmt: skip


def answers(frame: pd.DataFrame, a: Asked) -> pd.DataFrame:
    """`frame` of the question's table with the columns of table dtrace."""
    return _busy(frame) if a.table == "disk_io" else frame


def _empty(query: Query) -> tuple[str, str]:
    try:
        question = asked(str(query.get("question", "")))
    except QuestionError as e:
        return str(e), "Choose another question."
    return (
        f"Nobody has asked for {question.sentence} in this range.",
        "Start asks it of the hosts chosen; answers stay in the history.",
    )


NEED = Need(("bounds", "counts", "drops"), by=("host", "question"))
ROWS, DROPS = "rows:", "drops"
"""Series that are not drawn as lines: the bounds that the map's rows have, and records that dtrace lost."""


@panel(
    "dtrace_heat",
    kind="heat",
    title="Latency",
    source="dtrace, 1 s",
    cost="dtrace",
    tables={"dtrace": NEED, "disk_io": Need(("busy",))},
)
def dtrace_heat(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """All events, then those of each key in `lit`: layers of the heat map. `lines` names the percentiles drawn,
    `scale` is log or linear."""
    why, hint = _empty(query)
    try:
        a = asked(str(query.get("question", "")))
    except QuestionError:
        return PanelData(grid, empty=why, hint=hint)
    if a.mode != "heat":
        return PanelData(grid, empty=why, hint=hint)
    frame = answers(frames[a.table], a)
    drawn = [k.removeprefix(ROWS) for k in known if k.startswith(ROWS)]
    name = finest([*drawn, *frame["bounds"].dropna().unique()], a.bounds)
    rows = rows_of(name, a.unit)
    at = grid.columns(seconds(frame)) if len(frame) else np.empty(0, np.int64)
    inside = (at >= 0) & (at < grid.n)
    frame, at = frame[inside], at[inside]
    counts = row_counts(frame, rows)
    lit = [str(k) for k in (query.get("lit") or [])][:LIT]
    keys = keys_of(frame, a, hosts_of(query))
    n = len(rows.lower)
    layers = np.zeros((grid.n, (1 + len(lit)) * n), np.float32)
    every = np.zeros((grid.n, n))
    np.add.at(every, at, counts)
    layers[:, :n] = every
    for k, key in enumerate(lit, 1):
        part = np.zeros((grid.n, n))
        mine = keys == key
        np.add.at(part, at[mine], counts[mine])
        layers[:, k * n : (k + 1) * n] = part
    sampled = np.zeros(grid.n, bool)
    sampled[at] = True
    layers[~sampled] = np.nan
    lines = [line for line in query.get("lines", ("p50", "p99")) if line in LINES]
    series = [
        Series(line, line, rows.unit, group="overlay", legend=False, dash="solid" if line == "p50" else "dash")
        for line in lines
    ]
    values = [quantile(every, rows, LINES[line]).astype(np.float32) for line in lines]
    series += [Series(i, i, group="hidden", legend=False) for i in (ROWS + name, DROPS)]
    values += [np.full(grid.n, np.nan, np.float32), lost(frame, at, grid)]
    log = rows.log and query.get("scale") != "linear"
    return PanelData(
        grid,
        series,
        np.vstack(values),
        heat=Heat(rows.lower, rows.unit, layers),
        unit=rows.unit,
        yscale="log" if log else "linear",
        yrange=_yrange(every.sum(axis=0), rows, log=log),
        empty="" if sampled.any() else why,
        hint=hint,
    )


def lost(frame: pd.DataFrame, at: npt.NDArray[np.int64], grid: Grid) -> Floats:
    """Records dropped in each column, NaN where none were: each host's interval says it on all of its rows."""
    out = np.zeros(grid.n)
    drops = np.nan_to_num(frame["drops"].to_numpy(float)) if len(frame) else np.empty(0)
    if drops.any():
        each = pd.DataFrame({"at": at, "host": frame["host"].to_numpy(), "d": drops}).groupby(["at", "host"])["d"].max()
        np.add.at(out, each.index.get_level_values("at").to_numpy(np.int64), each.to_numpy())
    return np.where(out > 0, out, np.nan).astype(np.float32)


def _yrange(counts: Counts, rows: Rows, *, log: bool) -> tuple[float, float] | None:
    """The part of the axis that is shown: None leaves it to the browser; a linear one ends where 999 of 1000 events
    are below, the rest goes to the row over it."""
    if log:
        return rows.shown
    if not counts.any():
        return rows.shown or (0.0, 1.0)
    upper = [*rows.lower[1:], rows.lower[-1] * 2]
    running = np.cumsum(counts)
    last = int(np.searchsorted(running, 0.999 * running[-1]))
    low = 0.0 if rows.shown is None or rows.log else rows.shown[0]
    top = upper[last] if rows.log or rows.unit == "B" else (rows.shown or (0.0, upper[last]))[1]
    return low, max(top, low + 1e-9)


def quantile(counts: Counts, rows: Rows, q: float) -> npt.NDArray[np.float64]:
    """Quantile of each row of counts, in the rows' unit; the largest (q = 1) is the upper bound of its bucket."""
    if q < 1:
        lower = [b if math.isfinite(b) else 0.0 for b in rows.lower]
        return np.minimum(percentile(counts, lower, q), rows.top)
    upper = np.array([*rows.lower[1:], rows.top if math.isfinite(rows.top) else rows.lower[-1] * 2])
    c = np.atleast_2d(counts)
    top = c.shape[-1] - 1 - np.argmax(c[..., ::-1] > 0, axis=-1)
    return np.where(c.sum(axis=-1) > 0, upper[top], np.nan).reshape(counts.shape[:-1])


def weights(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """What each row counts over its bucket: events of its histogram, or its number times the samples in it."""
    n = frame["n"].to_numpy(float) if "n" in frame else np.ones(len(frame))
    value = np.nan_to_num(frame["value"].to_numpy(float)) * n
    return np.where(frame["bounds"].fillna("") == "", value, histogram(frame).sum(axis=1))


@panel(
    "dtrace_stack",
    kind="stack",
    title="Per second",
    subtitle="by key, stacked",
    source="dtrace, 1 s",
    cost="dtrace",
    tables={"dtrace": Need(("value", "bounds", "counts", "drops"), by=("host", "question"))},
)
def dtrace_stack(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Events (or bytes) a second of the largest keys, of those in `lit` and of the rest, one on the other."""
    why, hint = _empty(query)
    try:
        a = asked(str(query.get("question", "")))
    except QuestionError:
        return PanelData(grid, empty=why, hint=hint)
    frame = frames["dtrace"]
    if a.mode != "counts" or not len(frame):
        return PanelData(grid, empty=why, hint=hint)
    unit = {"B": "B/s"}.get(a.counted, "1/s")
    keys = keys_of(frame, a, hosts_of(query))
    some = np.array([k is not None and (len(k) > 0 or not a.keys) for k in frame["keys"]], bool)
    at = grid.columns(seconds(frame))
    inside = (at >= 0) & (at < grid.n)
    rate = weights(frame) / max(grid.step, float(query.get("interval") or 1))
    sampled = np.zeros(grid.n, bool)
    sampled[at[inside]] = True
    codes, ids = pd.factorize(keys[some & inside])
    sums = np.zeros((len(ids), grid.n))
    np.add.at(sums, (codes, at[some & inside]), rate[some & inside])
    names = [str(i) for i in ids]
    order = {k: i for i, k in enumerate(names)}
    drawn = [k for k in known if k not in ("rest", DROPS)]
    largest = sorted(names, key=lambda k: (-sums[order[k]].sum(), k))
    lit = [str(k) for k in (query.get("lit") or []) if k in order and k not in largest[:TOP]][:LIT]
    chosen = drawn or [*largest[: min(TOP, 1 + TOP - len(lit))], *lit]
    series = [Series(k, " ".join(k.split(SEPARATOR)) or "all", unit, slot=1 + i) for i, k in enumerate(chosen)]
    values = [sums[order[k]] if k in order else np.zeros(grid.n) for k in chosen]
    others = [i for i, k in enumerate(names) if k not in chosen]
    if (others and not drawn) or "rest" in known:
        series.append(Series("rest", "rest", unit))
        values.append(sums[others].sum(axis=0) if others else np.zeros(grid.n))
    out: Floats = np.vstack(values).astype(np.float32) if values else np.empty((0, grid.n), np.float32)
    out[:, ~sampled] = np.nan
    if sampled.any():
        series.append(Series(DROPS, "dropped", unit, group="hidden", legend=False))
        out = np.vstack([out, lost(frame[inside], at[inside], grid)])
    return PanelData(grid, series, out, unit=unit, empty="" if sampled.any() else why, hint=hint)


# -- views ---------------------------------------------------------------------------------------------------------


def _span(live: Live, query: Query, at: float | None) -> tuple[float, float]:
    end = live.clock() if at is None else at
    return end - max(1.0, min(float(query.get("span") or 300), 366 * 86400.0)), end


def _window(live: Live, query: Query, start: float, end: float, *, whole: bool = False) -> pd.DataFrame:
    """Rows of the question over [start, end), a bucket of time each: from the ring if it reaches back so far.
    `whole`: one bucket will do, which costs a fifth."""
    a = asked(str(query.get("question", "")))
    where = {"question": [a.id]} if a.table == "dtrace" else {}
    if hosts := hosts_of(query):
        where["host"] = hosts
    if whole and live.holds(start):
        found = live.recent(a.table, Grid(math.floor(start), math.ceil(end) - math.floor(start), 1), where)
    elif live.holds(start):
        found = live.recent(a.table, Grid.over(start, end, 1.0 if end - start <= 3600 else 60.0), where)
    else:
        found = live.store.window(a.table, start, end, points=max(1, min(round(end - start), 1500)), where=where)
    return answers(found, a)


def _shared(name: str, live: Live, query: Query, at: float | None, compute: Any) -> dict[str, Any]:
    """An answer that all pages with this query share; of the past it is made once."""
    key = f"{name} {at} {json.dumps(dict(query), sort_keys=True)}"
    return live.shared(key, compute) if at is None else compute()


def sums(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The sum of each list of a column; 0 for a missing one."""
    lists = column.combine_chunks()
    sizes = np.asarray(lists.value_lengths().fill_null(0)).astype(np.int64)
    running = np.r_[0, np.cumsum(np.asarray(lists.flatten()).astype(np.int64))]
    ends = np.cumsum(sizes)
    return (running[ends] - running[ends - sizes]).astype(float)


def _problem(query: Query) -> str:
    """Why what a page asks is no question, '' where it is one."""
    try:
        asked(str(query.get("question", "")))
    except QuestionError as e:
        return str(e)
    return ""


@view("dtrace_keys")
def dtrace_keys(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """Who was in the window of `span` seconds, or in `cell` [from, to, low, high] (high None: open above): counts
    that add up to `sum`, the share and the p99 of each key, percentiles of all with the width of their bucket. The
    largest keys come first, with `sort` "p99" the slowest."""
    if problem := _problem(query):
        return {"error": problem}
    return _shared("keys", live, query, at, lambda: _keys(live, query, at))


def _keys(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    a = asked(str(query.get("question", "")))
    hosts = hosts_of(query)
    cell = query.get("cell")
    start, end = (float(cell[0]), float(cell[1])) if cell else _span(live, query, at)
    counted = a.mode == "heat" and a.table == "dtrace"
    frame = _window(live, query, start, end, whole=counted and not cell)
    if cell and len(frame):
        t = seconds(frame)
        frame = frame[(t >= start - 1e-3) & (t < end - 1e-3)]
    fields = [*(["host"] if by_host(a, hosts) else []), *a.keys]
    out: dict[str, Any] = {
        "fields": fields, "mode": a.mode, "unit": a.counted, "keys": [], "more": 0, "rest": 0, "sum": 0,
        "from": start, "to": end, "cell": cell, "percentiles": [], "id": a.id, "sampled": len(frame) > 0,
    }  # fmt: skip
    if not len(frame) or a.mode == "stacks":
        return out
    some = np.array([k is not None and (len(k) > 0 or not a.keys) for k in frame["keys"]], bool)
    frame = frame[some]
    codes, ids = pd.factorize(keys_of(frame, a, hosts))
    each: Counts | None = None
    rows = rows_of(finest(frame["bounds"].dropna().unique(), a.bounds), a.unit) if a.mode == "heat" else None
    if rows is not None:
        each = np.zeros((len(ids), len(rows.lower)))
        np.add.at(each, codes, row_counts(frame, rows))
        every = each.sum(axis=0)
        out["percentiles"] = [_percentile(every, rows, name, q) for name, q in LINES.items()] if every.any() else []
        if cell:
            inside = _inside(rows, float(cell[2]), None if cell[3] is None else float(cell[3]))
            totals = each[:, inside].sum(axis=1).astype(float)
        else:
            totals = each.sum(axis=1).astype(float)
    else:
        totals = np.bincount(codes, weights(frame), len(ids)) if len(ids) else np.empty(0)
    p99 = quantile(each, rows, 0.99) if each is not None and rows is not None else np.full(len(ids), np.nan)
    by = np.nan_to_num(p99, nan=-1.0) if query.get("sort") == "p99" else totals
    order = [int(i) for i in np.argsort(-by, kind="stable") if totals[i] != 0]
    size = float(np.abs(totals).sum())  # a sum of what can be negative has shares too
    for i in order[:LISTED]:
        key = str(ids[i])
        values = key.split(SEPARATOR) if fields else []
        out["keys"].append(
            {
                "id": key,
                "values": values,
                "count": 1 if 0 < totals[i] < 1 else round(totals[i]),
                "share": abs(totals[i]) / size,
                "p99": None if np.isnan(p99[i]) else float(p99[i]),
            }
        )
    out["more"] = max(0, len(order) - LISTED)
    out["rest"] = int(sum(totals[i] for i in order[LISTED:]))
    out["sum"] = round(float(totals.sum()))
    out["span"] = rows.unit if rows else ""
    return out


def _inside(rows: Rows, low: float, high: float | None) -> npt.NDArray[np.bool_]:
    lower = np.asarray(rows.lower)
    return (lower >= low * 0.999999 - 1e-15) & ((lower < high * 0.999999) if high is not None else True)


def _percentile(counts: Counts, rows: Rows, name: str, q: float) -> dict[str, Any]:
    """{"name", "value", "low", "high"}: the truth is between the bounds of its bucket."""
    value = float(quantile(counts, rows, q))
    lower = np.asarray(rows.lower)
    running = np.cumsum(counts)
    i = int(np.searchsorted(running, q * running[-1] - 1e-9))  # as tools.percentile has it
    high = lower[i + 1] if i + 1 < len(lower) else min(lower[i] * 2, rows.top)
    return {"name": name, "value": value, "low": max(float(lower[i]), 0.0), "high": float(high), "unit": rows.unit}


@view("dtrace_flame")
def dtrace_flame(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """The stacks of the window, or of its part `range` [from, to], as a tree (flame.wire); with `base` [from, to]
    beside those of that window."""
    if problem := _problem(query):
        return {"error": problem}
    end = None if at is None else at
    if end is None:  # every five seconds: boxes that move each second cannot be read
        end = live.clock() // 5 * 5
    return _shared("flame", live, {**query, "end": end}, None, lambda: _flame(live, query, end))


def _flame(live: Live, query: Query, end: float) -> dict[str, Any]:
    a = asked(str(query.get("question", "")))
    if a.mode != "stacks":
        return {"id": a.id, "tree": None}
    chosen = query.get("range")
    start, end = (float(chosen[0]), float(chosen[1])) if chosen else _span(live, query, end)
    base = query.get("base")
    before = _stacks(_window(live, query, float(base[0]), float(base[1]))) if base else []
    tree = flame.trim(flame.fold(_stacks(_window(live, query, start, end)), before))
    program = PROGRAMS[a.id]
    return {
        "id": a.id, "tree": flame.wire(tree), "look": program.look, "unit": a.counted, "from": start, "to": end,
        "base": base, "total": tree.value, "before": tree.before, "range": chosen,
    }  # fmt: skip


def _stacks(frame: pd.DataFrame) -> list[tuple[Sequence[str], float]]:
    if not len(frame):
        return []
    return [(k, float(w)) for k, w in zip(frame["keys"], weights(frame), strict=True) if k is not None and len(k)]


# -- what is asked, and where it runs --------------------------------------------------------------------------------


def parts_of(where: Predicate | None) -> tuple[Predicate, ...]:
    """The comparisons that hold together, as the page shows them: a piece each."""
    if where is None:
        return ()
    return where.parts if isinstance(where, All) else (where,)


def together(parts: Sequence[Predicate]) -> Predicate | None:
    """The reverse of `parts_of`."""
    return None if not parts else parts[0] if len(parts) == 1 else All(tuple(parts))


def described(a: Asked) -> dict[str, Any]:
    """The question for the page: its sentence, metric, breakdown and each piece of its predicate."""
    q = a.question
    out: dict[str, Any] = {
        "id": a.id, "sentence": a.sentence, "mode": a.mode, "numeric": a.numeric, "keys": list(a.keys),
        "metric": q.metric.name if q else a.id, "by": list(q.by) if q else [], "where": [], "unit": a.counted,
        "counted": a.table != "dtrace", "log": a.mode == "heat" and rows_of(a.bounds, a.unit).log,
        "look": PROGRAMS[a.id].look if a.id in PROGRAMS else "",
    }  # fmt: skip
    if q:
        parts = parts_of(q.where)
        for i, p in enumerate(parts):
            rest = Question(q.metric, q.by, together([*parts[:i], *parts[i + 1 :]]))
            out["where"].append({**_piece(q, p), "without": rest.id})
    return out


WORDS = {"=": "is", "!=": "is not", "<": "under", "<=": "at most", ">=": "at least", ">": "over"}


def _piece(q: Question, p: Predicate) -> dict[str, Any]:
    if isinstance(p, Is):
        f = q.metric.field(p.field)
        word = WORDS[p.op]
        return {"field": p.field, "word": word, "value": value_text(f, p.value)}
    return {"field": "", "word": "", "value": Question(q.metric, (), p).sentence.removeprefix(q.metric.noun).strip()}


def catalogue() -> list[dict[str, Any]]:
    """Every metric and program with its fields, for the page's menus."""

    def said(f: Field) -> dict[str, str]:
        return {"name": f.name, "kind": f.kind, "type": f.type, "meaning": f.meaning, "unit": f.unit}

    found: list[dict[str, Any]] = [
        {"name": m.name, "noun": m.noun, "meaning": m.meaning, "fields": [said(f) for f in m.fields]}
        for m in METRICS.values()
    ]
    for some, meaning in ((PROGRAMS, "a plain D program"), (COUNTED, "counted by the kernel anyway: nearly free")):
        found += [
            {"name": n, "noun": p.sentence, "meaning": meaning, "fields": [], "mode": asked(n).mode}
            for n, p in some.items()
        ]
    return found


def _open_requests(live: Live, ids: Collection[str]) -> list[Request]:
    """Requests for questions `ids` that are under way, oldest first."""
    folder = getattr(live.store, "folder", None)
    requests = Requests(folder) if folder else None
    if requests is None or not requests.path.exists():
        return []
    now = live.clock()
    return [
        r
        for r in requests.open()
        if r.action == "dtrace_start"
        and r.body.get("question") in ids
        and not (r.state == "asked" and r.time < now - LAPSED)
    ]


def _refused(live: Live, a: Asked, now: float) -> dict[str, str]:
    """Why hosts refused the newest request for the question, where it was refused at all of them lately."""
    newest: dict[str, Any] | None = None
    for row in live.rows("requests", now - 60, now + 60).to_pylist():
        with contextlib.suppress(ValueError):
            if row["action"] == "dtrace_start" and json.loads(row["body"] or "{}").get("question") == a.id:
                newest = row
    if newest is None or newest["state"] != "refused":
        return {}
    parts = [p.partition(": ") for p in str(newest["why"] or "").split("; ")]
    return {host: why for host, _, why in parts if why}


@view("dtrace_head")
def dtrace_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """The question in words and pieces, the requests for it that are under way, and its state on each host; the same
    in short for the questions `up` that it was drilled down from. `turns`: its starts and ends in the window."""
    try:
        a = asked(str(query.get("question", "")))
    except QuestionError as e:
        return {"problem": str(e)}
    return _shared("head", live, query, at, lambda: _head(live, query, a, at))


def _head(live: Live, query: Query, a: Asked, at: float | None) -> dict[str, Any]:
    now = live.clock()
    above = [q for q in map(_known, query.get("up") or []) if q is not None]
    every = _open_requests(live, {a.id, *(q.id for q in above)})
    open_ = [r for r in every if r.body.get("question") == a.id]
    wanted = {str(h): r for r in open_ for h in r.body.get("hosts", [])}
    chosen = hosts_of(query)
    names = sorted(live.hosts)
    with_rows, runs = _newest(live, a, now), _runs(live, a.id, now)
    refused = _refused(live, a, now)
    hosts = []
    for name in names:
        host = _host(live, a, name, wanted.get(name), with_rows.get(name), runs.get(name), now)
        host["chosen"] = name in chosen
        if name in refused and host["state"] in ("", "ended"):
            host |= {"state": "refused", "why": refused[name]}
        hosts.append(host)
    hosts += [_stranger(name) for name in dict.fromkeys(chosen) if name not in live.hosts]
    running = [h for h in hosts if h["state"] == "running" and h["chosen"]]
    ends = [h["ends"] for h in running if h["ends"] is not None]
    untaken = any(r.state == "asked" and r.time < now - 5 for r in open_)
    why, hint = note(a, [h for h in hosts if h["chosen"]], past=at is not None)
    if untaken and at is None:
        why, hint = "No collector has taken it yet.", "zonescope collect takes it, if it runs on this history."
    return {
        **described(a),
        "hosts": hosts,
        "running": [h["name"] for h in running],
        "ends": max(ends, default=None),
        "requests": [_short(r) for r in open_],
        "untaken": untaken,
        "lately": lately(live),
        "note": [why, hint],
        "turns": _turns(live, query, a, at),
        "up": [
            {**_of(q), "requests": [_short(r) for r in every if r.body.get("question") == q.id]} for q in above[:UP]
        ],
    }


def _known(id: Any) -> Asked | None:
    with contextlib.suppress(QuestionError):
        return asked(str(id))
    return None


def _of(a: Asked) -> dict[str, Any]:
    return {"id": a.id, "sentence": a.sentence, "mode": a.mode, "numeric": a.numeric}


def _short(r: Request) -> dict[str, Any]:
    return {"id": r.id, "hosts": r.body.get("hosts", []), "state": r.state, "who": r.who}


def _turns(live: Live, query: Query, a: Asked, at: float | None) -> list[list[Any]]:
    """[time, host, text] of each start and end of the question in the window: time between an end and the next start
    was not asked about, other holes are losses."""
    if at is None:
        return []  # a live page has the events beside the columns
    start, end = _span(live, query, at)
    found = live.store.events(start - 1, end + 1)
    if not len(found):
        return []
    mine = found[(found["kind"] == "dtrace") & (found["object"] == a.id)].sort_values("time")
    return [[t.timestamp(), h, x] for t, h, x in zip(mine["time"], mine["host"], mine["text"], strict=True)]


def note(a: Asked, hosts: Sequence[Mapping[str, Any]], *, past: bool = False) -> tuple[str, str]:
    """Why there is nothing to see of a question on `hosts` (as `_host` tells of each), and what to do about it."""
    if not hosts:
        return "No host is chosen.", "Choose one in the sentence above: on …"
    if all(h.get("unknown") for h in hosts):
        return f"No host is called {', '.join(h['name'] for h in hosts)}.", "Choose one in the sentence above: on …"
    hosts = [h for h in hosts if not h.get("unknown")]
    if past:
        return f"Nobody had asked for {a.sentence} in this range.", "Ask now starts it; answers stay in the history."

    def those(state: Callable[[Mapping[str, Any]], bool]) -> list[Mapping[str, Any]]:
        return [h for h in hosts if state(h)]

    def named(some: Sequence[Mapping[str, Any]]) -> str:
        return ", ".join(h["name"] for h in some)

    if some := those(lambda h: h["state"] == "running"):
        return f"It runs on {named(some)}; its first interval is not over.", "A row comes at the end of each interval."
    if some := those(lambda h: h["state"] == "asked"):
        return (
            f"Probes are being attached on {named(some)}.",
            "A loaded host takes up to 40 s for that.",
        )
    if some := those(lambda h: h["state"] == "refused"):
        why, hint = advice(some[0]["why"])
        return f"{some[0]['name']}: {why}", hint
    if a.table == "dtrace":
        if len(some := those(lambda h: h["up"] and not h["knows"])) == len(hosts):
            return (
                f"No dtrace on {named(some)}" + (f": {some[0]['lacks']}." if some[0]["lacks"] else "."),
                some[0]["fix"] or "Choose another host in the sentence above.",
            )
        if len(some := those(lambda h: h["up"] and h["knows"] and not h["allowed"])) == len(hosts):
            metric = a.id.partition("/")[0]
            line = f'[hosts.{some[0]["name"]}] dtrace = ["{metric}", …]'
            return f"The inventory does not allow {metric} on {named(some)}.", f"To allow it, in hosts.toml: {line}"
    if len(some := those(lambda h: not h["up"])) == len(hosts):
        return f"{named(some)} cannot be reached" + (f": {some[0]['lacks']}." if some[0]["lacks"] else "."), (
            "Answers of before are in the history; a run starts again when the link is up and somebody asks."
        )
    if a.table != "dtrace":
        return "No samples in this range.", "Source disk_io tells the utilisation of disks; see zonescope check."
    if some := those(lambda h: h["state"] == "ended"):
        why, hint = advice(some[0]["why"])
        return (
            f"It has ended on {some[0]['name']}: {why}.",
            hint or "Start asks again; a longer range shows the answer.",
        )
    return (
        f"Nobody has asked for {a.sentence} in this range.",
        "Start asks it of the hosts chosen; answers stay in the history.",
    )


def advice(why: str) -> tuple[str, str]:
    """A reason as the collector gives it, cut into what is and what to do."""
    for mark in ("; to allow it: ", "; fix: ", "; stop one"):
        found, cut, rest = why.partition(mark)
        if cut:
            words = {"; to allow it: ": f"To allow it, in hosts.toml: {rest}", "; fix: ": f"To mend it: {rest}"}
            return found, words.get(mark, f"Stop one{rest}")
    for words_, hint in HINTS.items():
        if words_ in why:
            return why, hint
    return why, ""


HINTS = {
    "no probe": "Another metric may tell the same; docs/dtrace.md lists what each system has.",
    "has no field": "Break it down by another field.",
    "no way is known": "Choose another metric, or a host with another system.",
    "nobody has watched": "Keep this page in sight while it runs; Start asks again.",
    "of a CPU": "Ask for less: fewer keys, a predicate, a longer interval.",
    "records a second": "Ask for less: fewer keys, a predicate, a longer interval.",
    "the link dropped": "Start asks again once the host is up.",
    "its time": "Start asks again; choose a longer time in the sentence above.",
    "probes were not attached": "The host is very busy; ask again when it is calmer.",
}


def lately(live: Live, most: int = 8) -> list[dict[str, str]]:
    """The questions that were last started anywhere, newest first: their answers are in the history."""
    found: dict[str, str] = {}
    for e in reversed(live.events):
        if e.kind == "dtrace" and "started" in e.text and e.object not in found:
            with contextlib.suppress(QuestionError):
                found[e.object] = asked(e.object).sentence
        if len(found) >= most:
            break
    return [{"id": k, "sentence": v} for k, v in found.items()]


def _newest(live: Live, a: Asked, now: float) -> dict[str, dict[str, float]]:
    """Of each host with rows lately: time of the newest, what a second of it counted, records dropped in a minute."""
    if a.table != "dtrace":
        found = live.latest(a.table, within=60.0)
        return {
            str(h): {"at": x["time"].max().timestamp(), "rate": float(len(x)), "drops": 0.0}
            for h, x in found.groupby("host")
        }
    table = live.rows("dtrace", now - 60, now + 60, {"question": [a.id]})
    if not len(table):
        return {}
    frame = pd.DataFrame(
        {
            "host": table["host"].to_pylist(),
            "t": np.asarray(table["time"].cast(pa.int64())) / 1e6,
            "n": sums(table["counts"]) + np.nan_to_num(np.asarray(table["value"].to_numpy(), float)),
            "drops": np.nan_to_num(np.asarray(table["drops"].to_numpy(), float)),
        }
    )
    out = {}
    for host, mine in frame.groupby("host"):
        newest = float(mine["t"].max())
        recent = mine[mine["t"] > newest - 10]
        span = max(1.0, newest - float(recent["t"].min()) + 1)
        out[str(host)] = {
            "at": newest,
            "rate": float(recent["n"].sum()) / span,
            "drops": float(mine.groupby("t")["drops"].max().sum()),
        }
    return out


def _runs(live: Live, id: str, now: float) -> dict[str, dict[str, Any]]:
    """The newest row of table dtrace_runs of each host that ran question `id` lately."""
    found = live.latest("dtrace_runs", within=KEEP, where={"question": [id]})
    return {str(r["host"]): {str(k): _plain(v) for k, v in r.items()} for r in found.to_dict("records")}


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.timestamp()
    return None if not isinstance(value, str) and pd.isna(value) else value


def _host(
    live: Live,
    a: Asked,
    name: str,
    request: Request | None,
    rows: dict[str, float] | None,
    run: dict[str, Any] | None,
    now: float,
) -> dict[str, Any]:
    """State of the question on one host: running, asked, refused, ended, lost (nobody tells any more) or '' with the
    reason in words; who asked, what dtrace itself costs there (cores), seconds to its end."""
    host = live.hosts[name]
    allowed = [x for x in host.fact("dtrace").split(",") if x]
    metric = a.id.partition("/")[0]
    event = _last_event(live, name, a.id)
    text = event.text if event else ""
    fresh = rows is not None and now - rows["at"] < FRESH
    going = run if run is not None and run["state"] != "ended" and now - run["time"] < FRESH else None
    state, why, ends = "", "", None
    started = event is not None and "started" in text
    if request is not None and not (event is not None and not started and event.time >= request.time - 1):
        state = "running" if started or fresh else "asked"
        if started and event is not None and (duration := request.body.get("duration")):
            ends = event.time + float(duration)
    elif going is not None or (
        fresh and not started and not (event and event.time > (rows or {}).get("at", 0) - 3)
    ):  # asked elsewhere, or a standing question
        state = "asked" if going is not None and going["state"] == "starting" else "running"
    elif text:
        state = "refused" if "refused" in text else "ended"
        why = text.partition(": ")[2] or text
    if going is not None and going["left"] is not None:
        ends = now + going["left"]
    heard = host.newest is not None or host.link not in ("up", "")  # a dashboard that has just begun has not yet
    if state == "running" and heard and not host.up(now) and not fresh and going is None:
        state, why = ("lost", _silence(host, now)) if host.link in ("up", "") else ("ended", "the link dropped")
    lack = found if (found := host.facts.get("missing:dtrace")) is not None and found.value else None
    knows = lack is None and host.fact("dtrace_at") != "none"
    return {
        "name": name, "up": host.up(now), "link": host.link, "knows": knows, "state": state,
        "allowed": a.table != "dtrace" or "*" in allowed or metric in allowed, "why": why, "ends": ends,
        "lacks": (lack.value if lack else "") if host.up(now) else host.reason or _silence(host, now),
        "fix": lack.fix if lack else "",
        "who": (run or {}).get("who") or (request.who if request else ""),
        "cpu": going["cpu"] if going else None,
        "cpu_error": COARSE_CPU if host.fact("os") in ("solaris10", "solaris11", "illumos") else 0.0,
        "lost": going["drops"] if going else None,
        "rate": round(rows["rate"], 1) if rows and fresh else None, "drops": rows["drops"] if rows and fresh else None,
    }  # fmt: skip


def _stranger(name: str) -> dict[str, Any]:
    """The state of a host that an address names and no inventory does."""
    return {
        "name": name, "up": False, "link": "", "knows": False, "state": "", "allowed": False, "why": "", "ends": None,
        "lacks": "no host is called so", "fix": "", "who": "", "cpu": None, "cpu_error": 0.0, "lost": None,
        "rate": None, "drops": None, "chosen": True, "unknown": True,
    }  # fmt: skip


def _silence(host: Host, now: float) -> str:
    age = host.silent(now)
    return f"no sample for {age:.0f} s" if host.link == "up" and age is not None else ""


def _last_event(live: Live, host: str, id: str) -> Event | None:
    return next((e for e in reversed(live.events) if e.kind == "dtrace" and e.host == host and e.object == id), None)
