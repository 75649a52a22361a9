"""A panel's data for a range: frames from the history, live columns from the ring, by one panel function.

Called on worker threads; nothing here waits for the event loop.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.live import Live
from dashboard.panels import Panel, Query
from dashboard.panels.data import Floats, Grid, Heat, PanelData, Series, find_gaps
from frames.schemas import SCHEMAS

STEPS = (
    *(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800),
)
"""Column widths in seconds: divisors and multiples of the rollups' minute and hour."""

MAX_POINTS = 4000


def hosts_of(query: Query) -> list[str]:
    """Hosts that a query names; empty: all."""
    value = query.get("host") or query.get("hosts") or []
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def step_for(live: Live, panel: Panel, query: Query, start: float, end: float, points: int) -> float:
    """Width of a column: at most `points` of them, none shorter than the panel's sources sample."""
    if panel.step:
        return panel.step
    points = min(max(points, 1), MAX_POINTS)
    least = max(
        (end - start) / points,
        panel.least_step,
        *(live.interval(t, hosts_of(query)) for t in panel.tables if SCHEMAS[t].kind == "series"),
    )
    return float(next((s for s in STEPS if s >= least - 1e-6), math.ceil(least / 604800) * 604800))


def shift_of(query: Query) -> float:
    """Seconds that a query looks back from the page's range: whole hours, so that columns stay on their grid."""
    try:
        return max(0.0, round(float(query.get("shift") or 0) / 3600) * 3600.0)
    except (TypeError, ValueError):
        return 0.0


class Loaded(Mapping[str, pd.DataFrame]):
    """A panel's frames, each loaded when the panel function first looks at it: a second choice costs nothing."""

    def __init__(self, names: Iterable[str], load: Callable[[str], pd.DataFrame]) -> None:
        self._names, self._load = tuple(names), load
        self._have: dict[str, pd.DataFrame] = {}

    def __getitem__(self, table: str) -> pd.DataFrame:
        if table not in self._have:
            if table not in self._names:
                raise KeyError(table)
            self._have[table] = self._load(table)
        return self._have[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Wider(Exception):
    """The history holds only columns of `step` seconds for this range."""

    def __init__(self, step: float) -> None:
        super().__init__(step)
        self.step = step


def fill(
    live: Live, panel: Panel, query: Query, start: float, end: float, step: float, known: Sequence[str] = ()
) -> PanelData:
    """The panel over [start, end) in columns of `step` or of what the history still holds, if that is wider."""

    def attempt(grid: Grid) -> PanelData:
        def load(table: str) -> pd.DataFrame:
            if not panel.lookback and not shift_of(query) and live.holds(grid.start):
                return _recent(live, panel, table, query, grid)
            frame = _window(live, panel, table, query, grid, live.seq, panel.lookback)
            if (held := float(frame.attrs.get("step") or 0)) > grid.step:
                raise _Wider(held)
            return frame

        return panel.build(Loaded(panel.tables, load), query, grid, known)

    while True:
        try:
            data = attempt(Grid.over(start, end, step))
            break
        except _Wider as wider:
            step = wider.step
    data.gaps = find_gaps(data)
    if not data.empty and not _any(data):
        data.empty, data.hint = why_empty(live, panel, query)
    return data


MAX_EVENTS = 200

_shared: OrderedDict[tuple[Any, ...], pd.DataFrame] = OrderedDict()
_SHARED = 24
"""Frames kept: the sparks of a page ask for the same ones."""
_shared_lock = threading.Lock()


def _once(key: tuple[Any, ...], load: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """`load()`, or what it gave for this key not long ago. Panel functions do not change what they are given."""
    with _shared_lock:
        if (found := _shared.get(key)) is not None:
            return found
    frame = load()
    with _shared_lock:
        _shared[key] = frame
        while len(_shared) > _SHARED:
            _shared.popitem(last=False)
    return frame


def events(live: Live, query: Query, start: float, end: float) -> list[dict[str, Any]]:
    """What happened on the query's hosts in [start, end), moved by its shift as its columns are: at most MAX_EVENTS,
    the gravest and newest; from the history where they are older than what is in memory."""
    shift, names = shift_of(query), set(hosts_of(query))
    a, b = start - shift, end - shift
    if live.remembers_events(a):
        found = [e.wire() for e in live.span_events(a, b, sorted(names))]
    else:
        key = (id(live), "events", a, b, live.clock() // 60)
        frame = _once(key, lambda: live.store.events(a, b))
        found = [
            {
                **{k: "" if pd.isna(r[k]) else str(r[k]) for k in ("host", "kind", "object", "severity", "text")},
                "time": r["time"].timestamp(),
                "until": None if pd.isna(r.get("until")) else r["until"].timestamp(),
            }
            for r in frame.to_dict("records")
            if not names or not r["host"] or r["host"] in names
        ]
    if len(found) > MAX_EVENTS:
        found = sorted(found, key=lambda e: (e["severity"] in ("warn", "bad"), e["time"]))[-MAX_EVENTS:]
    for e in found if shift else ():
        e["time"] += shift
        e["until"] = None if e["until"] is None else e["until"] + shift
    return sorted(found, key=lambda e: float(e["time"]))


def _window(
    live: Live, panel: Panel, table: str, query: Query, grid: Grid, age: float, lookback: float
) -> pd.DataFrame:
    """`table` from the history over `grid`, begun `lookback` seconds before now if that is earlier, moved by the
    query's shift. `age`: changes when an answer from before is no longer good."""
    need, shift, now = panel.tables[table], shift_of(query), live.clock()
    where = need.restrict(query)
    start, end = grid.start, grid.end
    if lookback:
        start = min(start, (now - lookback) // grid.step * grid.step)
        end = max(end, math.ceil(now / grid.step) * grid.step)

    def load() -> pd.DataFrame:
        frame = live.store.window(
            table,
            start - shift,
            end - shift,
            points=round((end - start) / grid.step),
            where=where or None,
            columns=list(need.columns) or None,
        )
        if shift:
            step = frame.attrs.get("step")
            frame = frame.assign(time=frame["time"] + pd.Timedelta(seconds=shift))
            frame.attrs["step"] = step
        return frame

    key = (id(live), age, table, need.columns, repr(sorted(where.items())), start, end, grid.step, shift)
    return _once(key, load)


def _recent(live: Live, panel: Panel, table: str, query: Query, grid: Grid) -> pd.DataFrame:
    """The same from the live ring."""
    need = panel.tables[table]
    where = need.restrict(query)
    key = (id(live), live.seq, "ring", table, need.columns, repr(sorted(where.items())), grid)
    return _once(key, lambda: live.recent(table, grid, where, need.columns))


def columns(live: Live, panel: Panel, query: Query, grid: Grid, known: Sequence[str]) -> PanelData:
    """The panel over the few newest columns of `grid`, from the ring while it reaches back far enough; wide columns,
    which the ring does not, are asked of the history now and then."""

    def load(table: str) -> pd.DataFrame:
        if shift_of(query) or (grid.step > 60 and not live.holds(grid.start)):
            return _window(live, panel, table, query, grid, live.clock() // max(10.0, grid.step / 20), 0.0)
        return _recent(live, panel, table, query, grid)

    return panel.build(Loaded(panel.tables, load), query, grid, known)


def align(data: PanelData, series: Sequence[Series]) -> PanelData | None:
    """`data` with its rows in the order of `series` (absent ones NaN); None where it brings a series that is not
    among them or a heat map of other rows, so that a page needs a new fill."""
    place = {s.id: i for i, s in enumerate(data.series)}
    if set(place) - {s.id for s in series}:
        return None
    take = [place.get(s.id, -1) for s in series]

    def rows(a: Floats | None) -> Floats | None:
        if a is None:
            return None
        out = np.full((len(take), data.grid.n), np.nan, np.float32)
        for to, at in enumerate(take):
            if at >= 0:
                out[to] = a[at]
        return out

    values = rows(data.values)
    assert values is not None
    return PanelData(data.grid, list(series), values, rows(data.low), rows(data.high), data.heat)


def same_arrays(data: PanelData, *, bands: bool, heat_rows: int) -> PanelData:
    """`data` with exactly the arrays that the fill had: bands are values where there are none, and the reverse."""
    low, high = (data.low, data.high) if bands else (None, None)
    if bands and (low is None or high is None):
        low = high = data.values
    heat = data.heat
    if heat_rows and (heat is None or heat.counts.shape[1] != heat_rows):
        heat = Heat((), "", np.full((data.grid.n, heat_rows), np.nan, np.float32))
    return PanelData(data.grid, data.series, data.values, low, high, heat if heat_rows else None)


def _any(data: PanelData) -> bool:
    return bool(np.isfinite(data.values).any()) or (data.heat is not None and bool(np.isfinite(data.heat.counts).any()))


def why_empty(live: Live, panel: Panel, query: Query) -> tuple[str, str]:
    """Why a panel has no sample and what to do, from what is known about its hosts and their sources."""
    now = live.clock()
    for name in hosts_of(query):
        host = live.host(name)
        if host is None:
            return f"No host called {name} has sent a sample yet.", "Check hosts.toml with: zonescope check hosts.toml"
        if host.link in ("down", "refused", "connecting"):
            return f"The link to {name} is {host.link}" + (f": {host.reason}" if host.reason else "."), ""
        for table in panel.tables:
            for fact, f in host.facts.items():
                if fact == f"missing:{table}" or (fact.startswith("missing:") and fact[8:] in panel.source):
                    return f"{name}: {f.value}", f.fix
        if (age := host.silent(now)) is not None and age > 60:
            return f"{name} has been silent for {age:.0f} s.", ""
    return "No samples in this range.", "Choose another range, or wait for the first sample."
