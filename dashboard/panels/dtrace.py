"""Answers to D questions: the heat map with lit keys, stacked keys over time, the keys of a window or of one cell,
flame graphs, and what is running where.

A question is named by its id (frames.questions) or is one of `PROGRAMS`, the plain D programs. Its rows are those of
table ``dtrace``; an interval without events is a row without keys, so that silence is no gap.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from dashboard import flame
from dashboard.live import Event, Live
from dashboard.panels import Frames, Known, Need, Query, panel, view
from dashboard.panels.data import Floats, Grid, Heat, PanelData, Series
from dashboard.panels.tools import histogram, percentile, rebin, seconds
from frames import metrics
from frames.metrics import METRICS
from frames.questions import All, Field, Is, Predicate, Question, QuestionError, value_text
from frames.requests import Request, Requests
from frames.schemas import bounds

Mode = Literal["heat", "counts", "stacks"]
Keys = npt.NDArray[np.object_]
Counts = npt.NDArray[np.int64]
SEPARATOR = "\x1f"
LINES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
LIT = 3
"""Keys lit at once in a heat map, each in its own hue."""
TOP = 7
LISTED = 60
"""Keys in the table; the others are summed up under it."""
LAPSED = 60.0
"""Seconds after which a request that no collector took is no longer waited for."""
FRESH = 8.0
"""A host whose newest row is not older has the question running, seconds."""
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


@lru_cache(maxsize=512)
def asked(id: str) -> Asked:
    """What `id` asks. Raises QuestionError."""
    program = PROGRAMS.get(id)
    if program:
        heat = program.value == "quantize"
        mode: Mode = "heat" if heat else "stacks"
        counted = "1" if heat else program.unit
        return Asked(
            id, program.sentence, program.keys, mode, "latency" * heat, "ns" * heat, counted, "quantize" * heat, None
        )
    q = metrics.question(id)
    f = q.numeric
    keys = tuple(k.name for k in q.discrete)
    if f is None:
        return Asked(q.id, q.sentence, keys, "counts", "", "", q.metric.unit, "", q)
    return Asked(q.id, q.sentence, keys, "heat", f.name, f.unit, q.metric.unit, f.bounds, q)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a heat map: lower bounds in `unit`, the bounds shown, and how to come from a field's numbers."""

    lower: tuple[float, ...]
    unit: str
    factor: float
    shown: tuple[float, float] | None
    log: bool


FACTORS = {"ns": (1e-9, "s"), "us": (1e-6, "s"), "ms": (1e-3, "s"), "ms-of-second": (1e-3, "s"),
           "B": (1.0, "B"), "KiB": (1024.0, "B"), "GiB": (1024.0**3, "B")}  # fmt: skip
_LATENCY = tuple(2.0**i for i in range(7, 37))
_SIZE = tuple(2.0**i for i in range(6, 31))


@lru_cache(maxsize=64)
def rows_of(name: str, unit: str) -> Rows:
    """Rows for a numeric field in `unit` whose buckets are those of `name`."""
    factor, shown_unit = FACTORS.get(unit, (1.0, ""))
    if name.startswith("quantize"):
        if shown_unit == "s":
            return Rows(tuple(b * factor for b in _LATENCY), "s", factor, None, True)
        return Rows(_SIZE, shown_unit, factor, (512.0, 2.0**24), True)
    lower = tuple(b * factor for b in bounds(name))
    log = name.startswith("llquantize")
    finite = [b for b in lower if math.isfinite(b)]
    low = next((b for b in finite if b > 0), 1.0) if log else finite[0]
    return Rows(lower, shown_unit, factor, (low, finite[-1]), log)


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
    """[rows of the frame, rows of the heat map] events."""
    names = frame["bounds"].fillna("")
    out = np.zeros((len(frame), len(rows.lower)), np.int64)
    for name in names.unique():
        if not name:
            continue
        mine = (names == name).to_numpy()
        source = [b * rows.factor for b in bounds(str(name))]
        out[mine] = rebin(histogram(frame[mine]), source, rows.lower)
    return out


def _empty(query: Query) -> tuple[str, str]:
    try:
        question = asked(str(query.get("question", "")))
    except QuestionError as e:
        return str(e), "Choose another question."
    return (
        f"Nobody has asked for {question.sentence} in this range.",
        "Start asks it of the hosts chosen; answers stay in the history.",
    )


@panel(
    "dtrace_heat",
    kind="heat",
    title="Latency",
    source="dtrace, 1 s",
    cost="dtrace",
    tables={"dtrace": Need(("bounds", "counts"), by=("host", "question"))},
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
    rows = rows_of(a.bounds, a.unit)
    frame = frames["dtrace"]
    at = grid.columns(seconds(frame)) if len(frame) else np.empty(0, np.int64)
    inside = (at >= 0) & (at < grid.n)
    counts = row_counts(frame, rows)[inside]
    at = at[inside]
    lit = [str(k) for k in (query.get("lit") or [])][:LIT]
    keys = keys_of(frame, a, hosts_of(query))[inside]
    n = len(rows.lower)
    layers = np.zeros((grid.n, (1 + len(lit)) * n), np.float32)
    every = np.zeros((grid.n, n), np.int64)
    np.add.at(every, at, counts)
    layers[:, :n] = every
    for k, key in enumerate(lit, 1):
        part = np.zeros((grid.n, n), np.int64)
        mine = keys == key
        np.add.at(part, at[mine], counts[mine])
        layers[:, k * n : (k + 1) * n] = part
    sampled = np.zeros(grid.n, bool)
    sampled[at] = True
    layers[~sampled] = np.nan
    lines = [name for name in query.get("lines", ("p50", "p99")) if name in LINES]
    series = [
        Series(name, name, rows.unit, group="overlay", legend=False, dash="solid" if name == "p50" else "dash")
        for name in lines
    ]
    values = [quantile(every, rows, LINES[name]).astype(np.float32) for name in lines]
    log = rows.log and query.get("scale") != "linear"
    return PanelData(
        grid,
        series,
        np.vstack(values) if values else np.empty((0, grid.n), np.float32),
        heat=Heat(rows.lower, rows.unit, layers),
        unit=rows.unit,
        yscale="log" if log else "linear",
        yrange=_yrange(every.sum(axis=0), rows, log=log),
        empty="" if sampled.any() else why,
        hint=hint,
    )


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
        return percentile(counts, lower, q)
    upper = np.array([*rows.lower[1:], rows.lower[-1] * 2])
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
    tables={"dtrace": Need(("value", "bounds", "counts"), by=("host", "question"))},
)
def dtrace_stack(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Events (or bytes) a second of the largest keys and of the rest, one on the other."""
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
    chosen = [k for k in known if k != "rest"] or sorted(names, key=lambda k: (-sums[order[k]].sum(), k))[:TOP]
    series = [Series(k, " ".join(k.split(SEPARATOR)) or "all", unit, slot=1 + i) for i, k in enumerate(chosen)]
    values = [sums[order[k]] if k in order else np.zeros(grid.n) for k in chosen]
    others = [i for i, k in enumerate(names) if k not in chosen]
    if (others and not known) or "rest" in known:
        series.append(Series("rest", "rest", unit))
        values.append(sums[others].sum(axis=0) if others else np.zeros(grid.n))
    out: Floats = np.vstack(values).astype(np.float32) if values else np.empty((0, grid.n), np.float32)
    out[:, ~sampled] = np.nan
    return PanelData(grid, series, out, unit=unit, empty="" if sampled.any() else why, hint=hint)


# -- views ---------------------------------------------------------------------------------------------------------


def _span(live: Live, query: Query, at: float | None) -> tuple[float, float]:
    end = live.clock() if at is None else at
    return end - max(1.0, min(float(query.get("span") or 300), 366 * 86400.0)), end


def _window(live: Live, query: Query, start: float, end: float) -> pd.DataFrame:
    """Rows of the question over [start, end), a bucket of time each: from the ring if it reaches back so far."""
    where = {"question": [str(query.get("question", ""))]}
    if hosts := hosts_of(query):
        where["host"] = hosts
    if live.holds(start):
        return live.recent("dtrace", Grid.over(start, end, 1.0 if end - start <= 3600 else 60.0), where)
    return live.store.window("dtrace", start, end, points=max(1, min(round(end - start), 1500)), where=where)


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


@view("dtrace_keys")
def dtrace_keys(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """Who was in the window of `span` seconds, or in `cell` [from, to, low, high] (high None: open above): counts
    that add up to `sum`, the share and the p99 of each key, percentiles of all with the width of their bucket."""
    return _shared("keys", live, query, at, lambda: _keys(live, query, at))


def _keys(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    a = asked(str(query.get("question", "")))
    hosts = hosts_of(query)
    cell = query.get("cell")
    start, end = (float(cell[0]), float(cell[1])) if cell else _span(live, query, at)
    frame = _window(live, query, start, end)
    if cell and len(frame):
        t = seconds(frame)
        frame = frame[(t >= start - 1e-3) & (t < end - 1e-3)]
    fields = [*(["host"] if by_host(a, hosts) else []), *a.keys]
    out: dict[str, Any] = {
        "fields": fields, "mode": a.mode, "unit": a.counted, "keys": [], "more": 0, "rest": 0, "sum": 0,
        "from": start, "to": end, "cell": cell, "percentiles": [], "id": a.id,
    }  # fmt: skip
    if not len(frame) or a.mode == "stacks":
        return out
    some = np.array([k is not None and (len(k) > 0 or not a.keys) for k in frame["keys"]], bool)
    frame = frame[some]
    codes, ids = pd.factorize(keys_of(frame, a, hosts))
    each: Counts | None = None
    rows = rows_of(a.bounds, a.unit) if a.mode == "heat" else None
    if rows is not None:
        each = np.zeros((len(ids), len(rows.lower)), np.int64)
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
    order = [int(i) for i in np.argsort(-totals, kind="stable") if totals[i] > 0]
    whole = float(totals.sum())
    for i in order[:LISTED]:
        key = str(ids[i])
        values = key.split(SEPARATOR) if fields else []
        out["keys"].append(
            {
                "id": key,
                "values": values,
                "count": round(totals[i]),
                "share": totals[i] / whole,
                "p99": None if np.isnan(p99[i]) else float(p99[i]),
            }
        )
    out["more"] = max(0, len(order) - LISTED)
    out["rest"] = int(sum(totals[i] for i in order[LISTED:]))
    out["sum"] = round(whole)
    out["span"] = rows.unit if rows else ""
    return out


def _inside(rows: Rows, low: float, high: float | None) -> npt.NDArray[np.bool_]:
    lower = np.asarray(rows.lower)
    return (lower >= low * 0.999999 - 1e-15) & ((lower < high * 0.999999) if high is not None else True)


def _percentile(counts: Counts, rows: Rows, name: str, q: float) -> dict[str, Any]:
    """{"name", "value", "low", "high"}: the truth is between the bounds of its bucket."""
    value = float(quantile(counts, rows, q))
    lower = np.asarray(rows.lower)
    probe = value * (0.999999 if q == 1 else 1)
    i = int(np.clip(np.searchsorted(lower, probe, "right") - 1, 0, len(lower) - 1))
    high = lower[i + 1] if i + 1 < len(lower) else lower[i] * 2
    return {"name": name, "value": value, "low": max(float(lower[i]), 0.0), "high": float(high), "unit": rows.unit}


@view("dtrace_flame")
def dtrace_flame(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """The stacks of the window as a tree (flame.wire); with `base` [from, to] beside those of that window."""
    end = None if at is None else at
    if end is None:  # every five seconds: boxes that move each second cannot be read
        end = live.clock() // 5 * 5
    return _shared("flame", live, {**query, "end": end}, None, lambda: _flame(live, query, end))


def _flame(live: Live, query: Query, end: float) -> dict[str, Any]:
    a = asked(str(query.get("question", "")))
    start, end = _span(live, query, end)
    if a.mode != "stacks":
        return {"id": a.id, "tree": None}
    base = query.get("base")
    before = _stacks(_window(live, query, float(base[0]), float(base[1]))) if base else []
    tree = flame.trim(flame.fold(_stacks(_window(live, query, start, end)), before))
    program = PROGRAMS[a.id]
    return {
        "id": a.id, "tree": flame.wire(tree), "look": program.look, "unit": a.counted, "from": start, "to": end,
        "base": base, "total": tree.value, "before": tree.before,
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
    }  # fmt: skip
    if q:
        parts = parts_of(q.where)
        for i, p in enumerate(parts):
            rest = Question(q.metric, q.by, together([*parts[:i], *parts[i + 1 :]]))
            out["where"].append({**_piece(q, p), "without": rest.id})
    return out


def _piece(q: Question, p: Predicate) -> dict[str, Any]:
    if isinstance(p, Is):
        f = q.metric.field(p.field)
        word = "is" if p.op == "=" else "is not" if p.op == "!=" else p.op
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
    found += [
        {"name": n, "noun": p.sentence, "meaning": "a plain D program", "fields": []} for n, p in PROGRAMS.items()
    ]
    return found


def _open_requests(live: Live, a: Asked) -> list[Request]:
    folder = getattr(live.store, "folder", None)
    requests = Requests(folder) if folder else None
    if requests is None or not requests.path.exists():
        return []
    now = live.clock()
    return [
        r
        for r in requests.open()
        if r.action == "dtrace_start"
        and r.body.get("question") == a.id
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
    """The question in words and pieces, the requests for it that are under way, and its state on each host."""
    try:
        a = asked(str(query.get("question", "")))
    except QuestionError as e:
        return {"problem": str(e)}
    return _shared("head", live, query, None, lambda: _head(live, query, a))


def _head(live: Live, query: Query, a: Asked) -> dict[str, Any]:
    now = live.clock()
    open_ = _open_requests(live, a)
    wanted = {str(h): r for r in open_ for h in r.body.get("hosts", [])}
    chosen = hosts_of(query)
    names = sorted(live.hosts)
    with_rows = _newest(live, a.id, now)
    refused = _refused(live, a, now)
    hosts = []
    for name in names:
        host = _host(live, a, name, wanted.get(name), with_rows.get(name), now) | {"chosen": name in chosen}
        if name in refused and host["state"] in ("", "ended"):
            host |= {"state": "refused", "why": refused[name]}
        hosts.append(host)
    running = [h for h in hosts if h["state"] == "running" and h["chosen"]]
    ends = [h["ends"] for h in running if h["ends"] is not None]
    return {
        **described(a),
        "hosts": hosts,
        "running": [h["name"] for h in running],
        "ends": max(ends, default=None),
        "requests": [{"id": r.id, "hosts": r.body.get("hosts", []), "state": r.state, "who": r.who} for r in open_],
        "untaken": any(r.state == "asked" and r.time < now - 5 for r in open_),
        "lately": lately(live),
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


def _newest(live: Live, id: str, now: float) -> dict[str, dict[str, float]]:
    """Of each host with rows lately: time of the newest, what a second of it counted, records dropped in a minute."""
    table = live.rows("dtrace", now - 60, now + 60, {"question": [id]})
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


def _host(
    live: Live, a: Asked, name: str, request: Request | None, rows: dict[str, float] | None, now: float
) -> dict[str, Any]:
    """State of the question on one host: running, asked, refused, ended, standing or '' with the reason in words."""
    host = live.hosts[name]
    allowed = [x for x in host.fact("dtrace").split(",") if x]
    metric = a.id.partition("/")[0]
    event = _last_event(live, name, a.id)
    text = event.text if event else ""
    fresh = rows is not None and now - rows["at"] < FRESH
    state, why, ends = "", "", None
    started = event is not None and "started" in text
    if request is not None and not (event is not None and not started and event.time >= request.time - 1):
        state = "running" if started or fresh else "asked"
        if started and event is not None and (duration := request.body.get("duration")):
            ends = event.time + float(duration)
    elif fresh and not started and not (event and event.time > (rows or {}).get("at", 0) - 3):
        state = "running"  # asked elsewhere, or a standing question
    elif text:
        state = "refused" if "refused" in text else "ended"
        why = text.partition(": ")[2] or text
    return {
        "name": name, "up": host.up(now), "link": host.link, "allowed": "*" in allowed or metric in allowed,
        "knows": bool(host.fact("dtrace")), "state": state, "why": why, "ends": ends,
        "rate": round(rows["rate"], 1) if rows and fresh else None, "drops": rows["drops"] if rows and fresh else None,
    }  # fmt: skip


def _last_event(live: Live, host: str, id: str) -> Event | None:
    return next((e for e in reversed(live.events) if e.kind == "dtrace" and e.host == host and e.object == id), None)
