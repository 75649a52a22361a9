"""Fills: what is asked of the history, in which columns, and how a panel's own time is honoured."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import fill, panels
from dashboard.live import Live
from dashboard.panels.data import Grid, PanelData
from dashboard.push import own_span, tail, trim
from dashboard.ranges import Range
from frames.schemas import SCHEMAS
from tests.dashboard import scene

NOW = 1_795_400_000.0
panels.load()
CPU = panels.PANELS["cpu"]


class Asked:
    """A history that notes what it is asked, and answers in columns of at least `least` seconds."""

    def __init__(self, least: float = 1.0) -> None:
        self.least, self.asked = least, list[tuple[str, float, float, int]]()

    def window(self, table: str, start: float, end: float, *, points: int, **_: Any) -> pd.DataFrame:
        self.asked.append((table, start, end, points))
        step = max(self.least, (end - start) / points)
        frame = SCHEMAS[table].frame(
            {"time": [round(start * 1e6)], "host": ["ms2"], "cpu_user": [2.0], "cpu_sys": [1.0]}
        )
        frame["cpu_user_min"] = frame["cpu_user_max"] = 2.0
        frame.attrs["step"] = step
        return frame


def asked(least: float = 1.0) -> tuple[Live, Asked]:
    history = Asked(least)
    return Live(history, clock=lambda: NOW), history  # type: ignore[arg-type]


@given(st.floats(1, 4e7), st.integers(1, 4000))
def test_there_are_never_more_columns_than_asked_for(span: float, points: int) -> None:
    live, _ = asked()
    step = fill.step_for(live, CPU, {}, NOW - span, NOW, points)
    assert span / step <= points + 1e-6
    assert step in fill.STEPS or step % 604800 == 0


def test_columns_are_as_wide_as_the_source_samples() -> None:
    live, _ = asked()
    assert fill.step_for(live, CPU, {}, NOW - 60, NOW, 600) == 1
    slow = dataclasses.replace(CPU, tables={"zpool_status": panels.Need()})
    assert fill.step_for(live, slow, {}, NOW - 60, NOW, 600) == 10


def test_the_history_may_hold_only_wider_columns() -> None:
    live, history = asked(least=60.0)
    data = fill.fill(live, CPU, {"host": "ms2"}, NOW - 900, NOW, 2.0)
    assert data.grid.step == 60
    assert [points for *_, points in history.asked] == [450, 16]


def test_a_second_choice_is_not_asked_for_where_the_first_answers() -> None:
    loaded = []
    frames = fill.Loaded(["a", "b"], lambda t: loaded.append(t) or pd.DataFrame())  # type: ignore[func-returns-value]
    assert list(frames) == ["a", "b"]
    frames["a"], frames["a"]
    assert loaded == ["a"]
    with pytest.raises(KeyError):
        frames["c"]


def test_panels_that_ask_the_same_ask_once() -> None:
    live, history = asked()
    for name in ("cpu", "run_queue", "memory_free", "paging"):
        p = panels.PANELS[name]
        assert len(fill._window(live, p, "host_load", {"host": "ms2"}, Grid(NOW - 9, 1, 9), 1, 0)) == 1
    assert len(history.asked) == 1


def test_what_the_ring_holds_is_not_asked_of_the_history() -> None:
    live, history = asked()
    for second in scene.seconds(int(NOW) - 60, 60):
        live.add(second)
    data = fill.fill(live, CPU, {"host": "ms2"}, NOW - 30, NOW, 2.0)
    assert history.asked == []
    assert np.isfinite(data.values).all()
    fill.fill(live, CPU, {"host": "ms2"}, NOW - 90, NOW, 2.0)
    assert len(history.asked) == 1


def test_a_shifted_query_shows_the_past_at_todays_times() -> None:
    live, history = asked()
    data = fill.fill(live, CPU, {"host": "ms2", "shift": 86400}, NOW - 900, NOW, 1.0)
    _, start, end, _ = history.asked[0]
    assert (start, end) == (NOW - 900 - 86400, NOW - 86400)
    assert data.grid.start == NOW - 900
    assert data.values[0, 0] == 3.0
    assert fill.shift_of({"shift": "junk"}) == 0


class Happened(Asked):
    """A history of the events `at` seconds, one of each host that is named."""

    def __init__(self, at: list[float], hosts: list[str]) -> None:
        super().__init__()
        self.at, self.names, self.spans = at, hosts, list[tuple[float, float]]()

    def events(self, start: float, end: float, **_: Any) -> pd.DataFrame:
        self.spans.append((start, end))
        rows = [(t, h) for t in self.at for h in self.names if start <= t < end]
        times = [round(t * 1e6) for t, _ in rows]
        until = [t + 60_000_000 for t in times]
        more = {"time": times, "until": until, "host": [h for _, h in rows], "text": ["resilver"] * len(rows)}
        return SCHEMAS["events"].frame({**more, "severity": ["info"] * len(rows), "kind": ["phase"] * len(rows)})

    def window(self, table: str, start: float, end: float, **_: Any) -> pd.DataFrame:
        return SCHEMAS[table].frame()

    def latest(self, table: str, **_: Any) -> pd.DataFrame:
        return SCHEMAS[table].frame()


def test_events_older_than_the_memory_come_from_the_history_and_each_day_has_its_own() -> None:
    yesterday, long_ago = NOW - 86400 - 300, NOW - 5 * 86400
    history = Happened([long_ago, yesterday, NOW - 300], ["ms2", "ma1", ""])
    live = Live(history, clock=lambda: NOW)  # type: ignore[arg-type]
    live.load()
    query = {"host": "ms2"}
    assert [(e["time"], e["host"]) for e in fill.events(live, query, NOW - 900, NOW)] == [
        (NOW - 300, "ms2"),
        (NOW - 300, ""),
    ]
    assert len(history.spans) == 1, "that of the load: the newest day is in memory"
    earlier = fill.events(live, {**query, "shift": 86400}, NOW - 900, NOW)
    assert [(e["time"], e["until"], e["host"]) for e in earlier] == [
        (NOW - 300, NOW - 240, "ms2"),
        (NOW - 300, NOW - 240, ""),
    ]
    assert history.spans[1:] == [(NOW - 900 - 86400, NOW - 86400)]
    old = fill.events(live, {}, long_ago - 60, long_ago + 60)
    assert [e["host"] for e in old] == ["ms2", "ma1", ""]
    assert json.dumps(old, allow_nan=False)
    assert fill.events(live, {}, NOW - 3 * 86400, NOW - 2 * 86400) == []


def test_a_thousand_events_leave_the_gravest_and_newest() -> None:
    history = Happened([NOW - 9 * 86400 + i for i in range(1000)], ["ms2"])
    live = Live(history, clock=lambda: NOW)  # type: ignore[arg-type]
    live.load()
    found = fill.events(live, {}, NOW - 10 * 86400, NOW - 8 * 86400)
    assert [e["time"] for e in found] == [NOW - 9 * 86400 + i for i in range(1000 - fill.MAX_EVENTS, 1000)]


def test_a_panel_that_looks_back_gets_more_than_its_columns() -> None:
    live, history = asked()
    far = dataclasses.replace(CPU, lookback=7200.0)
    data = fill.fill(live, far, {"host": "ms2"}, NOW - 60, NOW, 1.0)
    _, start, end, points = history.asked[0]
    assert (start, end, points) == (NOW - 7200, NOW, 7200)
    assert data.grid == Grid(NOW - 60, 1.0, 60)


def test_a_strip_has_its_own_span() -> None:
    strip = panels.PANELS["disk_strip"]
    span = own_span(strip, Range(NOW - 900, NOW, True, True))
    assert (span.start, span.end) == (NOW - 21600, NOW)
    assert own_span(CPU, Range(NOW - 900, NOW, True, True)).start == NOW - 900


def test_columns_that_have_not_happened_are_cut() -> None:
    data = PanelData(Grid(NOW, 2.0, 5), [panels.data.Series("a", "a")], np.zeros((1, 5), np.float32))
    trim(data, NOW + 5)
    assert (data.grid.n, data.values.shape) == (3, (1, 3))
    trim(data, NOW - 100)  # nothing is known: left as it is
    assert data.grid.n == 3


def test_the_last_columns_are_cut_out_with_their_times() -> None:
    data = PanelData(Grid(NOW, 2.0, 5), [panels.data.Series("a", "a")], np.arange(5, dtype=np.float32)[None, :])
    short = tail(data, 2)
    assert short.grid == Grid(NOW + 6, 2.0, 2)
    assert short.values.tolist() == [[3, 4]]
