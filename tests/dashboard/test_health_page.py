"""The Health page: sources that are not well with why and fix, links, and what the history takes on its disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard import panels
from dashboard.live import Live, NoHistory
from dashboard.panels import PANELS, VIEWS, health
from dashboard.panels.data import Grid
from frames.store import Store, Writer
from frames.tail import Second
from tests.dashboard.scene import table

START = 1_795_400_000


@pytest.fixture(autouse=True)
def _loaded() -> None:
    panels.load()


def sources(second: int, host: str = "om1", **bad: Any) -> Any:
    """Two sources that are well but for `bad`, which the second one has."""
    given: dict[str, list[Any]] = {
        "source": ["arcstats", "disk_io"], "state": ["ok", "ok"], "newest": [(second - 1) * 1_000_000] * 2,
        "lag": [0.2, 0.3], "lines": [60.0, 300.0], "rows": [1.0, 30.0], "dropped": [0.0, 0.0], "errors": [0.0, 0.0],
        "why": ["", ""], "fix": ["", ""], "command": ["", ""],
    }  # fmt: skip
    for column, value in bad.items():
        given[column][1] = value
    return table("source_health", second, host, given)


def link(second: int, host: str = "om1", state: str = "up", **more: Any) -> Any:
    given: dict[str, list[Any]] = {
        "state": [state], "reason": [""], "since": [(START - 500) * 1_000_000], "attempt": [0.0], "clock_offset": [0.01]
    }  # fmt: skip
    return table("links", second, host, {**given, **{k: [v] for k, v in more.items()}})


def live(*seconds: dict[str, Any], now: float = START + 12.0) -> Live:
    out = Live(NoHistory(), clock=lambda: now)
    for i, frames in enumerate(seconds):
        out.add(Second(i + 1, START + i, "test", frames))
    return out


def shown(name: str, state: Live, host: str = "") -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    table = VIEWS[name](state, {"host": host} if host else {}, None)
    ids = [c["id"] for c in table["columns"]]
    return table, {r["label"]: dict(zip(ids, r["cells"], strict=True)) for r in table["rows"]}


def test_sources_that_are_well_are_a_sentence() -> None:
    table, _ = shown("health_sources", live({"source_health": sources(START + 5)}))
    assert table["rows"] == []
    assert table["empty"] == "All 2 sources of 1 host are well."


def test_a_source_that_cannot_be_read_says_why_and_what_to_do() -> None:
    bad = sources(START, errors=2.0, why="disk_io of om1: line 3: “1,5”", fix="LC_ALL=C", command="iostat -xnz 1")
    state = live({"source_health": bad}, {"source_health": sources(START + 5)})
    table, cells = shown("health_sources", state)
    row = cells["om1 disk_io"]
    assert (row["errors"], row["why"], row["fix"], row["command"]) == (
        2.0, "disk_io of om1: line 3: “1,5”", "LC_ALL=C", "iostat -xnz 1",
    )  # fmt: skip
    assert row["lines"] == 600.0 / health.RECENT
    assert row["age"] == 8.0
    assert table["rows"][0]["state"] == "warn"
    assert table["rows"][0]["href"] == "/health/om1"


def test_a_failed_source_stands_above_a_late_one() -> None:
    late = sources(START, "a1", lag=4.0)
    failed = sources(START, "om1", state="failed", why="exit 127")
    table, cells = shown("health_sources", live({"source_health": late}, {"source_health": failed}))
    assert list(cells) == ["om1 disk_io", "a1 disk_io"]
    assert [r["state"] for r in table["rows"]] == ["bad", "warn"]


def test_a_host_has_all_its_sources() -> None:
    _, cells = shown("health_sources", live({"source_health": sources(START + 5)}), "om1")
    assert list(cells) == ["arcstats", "disk_io"]
    assert cells["arcstats"]["lag"] == 0.2


def test_a_missing_source_is_no_trouble() -> None:
    state = live({"source_health": sources(START, state="missing", why="no such command", lag=None, newest=None)})
    table, _ = shown("health_sources", state)
    assert table["rows"] == []
    table, cells = shown("health_sources", state, "om1")
    assert cells["disk_io"]["age"] is None
    assert cells["disk_io"]["lag"] is None
    assert table["rows"][-1]["quiet"]


def test_hosts_show_their_link_and_their_worst() -> None:
    down = link(START + 5, "s10", "down", reason="no route to host", attempt=3.0, next_try=4.0)
    frames = {"links": link(START + 5), "source_health": sources(START + 5, errors=1.0)}
    table, cells = shown("health_hosts", live(frames, {"links": down}))
    assert list(cells) == ["s10", "om1"]
    assert cells["s10"]["reason"] == "no route to host"
    assert cells["om1"]["well"] == "2 of 2"
    assert cells["om1"]["errors"] == 1.0
    assert [r["state"] for r in table["rows"]] == ["bad", "warn"]
    _, cells = shown("health_hosts", live(frames))
    assert {"next_try", "attempt", "reason"}.isdisjoint(cells["om1"])  # nothing to say of a link that is up


def test_links_of_which_nobody_tells_any_more_are_not_up() -> None:
    _, cells = shown("health_hosts", live({"links": link(START)}, now=START + 60.0))
    assert cells["om1"]["state"] == "no collector"


def test_lag_is_the_slowest_source_and_never_a_sum() -> None:
    frame = table("source_health", START, "om1", {"source": ["a", "b"], "lag": [0.5, 2.0]}).to_pandas()
    frame = frame.assign(lag_min=frame["lag"], lag_max=frame["lag"])
    frame["time"] = pd.to_datetime([START] * 2, unit="s", utc=True)
    data = PANELS["health_lag"].build({"source_health": frame}, {}, Grid(START, 5.0, 2), [])
    assert [s.id for s in data.series] == ["om1"]
    np.testing.assert_array_equal(data.values[0], np.array([2, np.nan], np.float32))
    data = PANELS["health_lag"].build({"source_health": frame}, {"host": "om1"}, Grid(START, 5.0, 1), [])
    assert sorted(s.id for s in data.series) == ["a", "b"]


def test_counters_are_drawn_as_rates() -> None:
    frame = sources(START, errors=10.0, dropped=5.0).to_pandas()
    data = PANELS["health_lines"].build({"source_health": frame}, {}, Grid(START, 5.0, 1), [])
    assert [(s.id, s.unit) for s in data.series] == [("om1", "1/s")]
    assert data.values[0, 0] == 72.0
    data = PANELS["health_errors"].build({"source_health": frame}, {}, Grid(START, 5.0, 1), [])
    assert data.values[0, 0] == 3.0


def test_the_history_is_measured_where_it_lies(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.append(START, {"source_health": sources(START), "links": link(START)})
        writer.commit()
        state = Live(Store(tmp_path), clock=lambda: START + 90.0)
        table, cells = shown("health_store", state)
        files = list((tmp_path / "data" / "main" / "source_health").rglob("*.parquet"))
        assert cells["source_health"]["files"] == len(files) > 0
        assert cells["source_health"]["bytes"] == sum(f.stat().st_size for f in files)
        assert table["sort"] == "bytes"
        head = VIEWS["health_head"](state, {}, None)
    assert any(f.startswith("history ") for f in head["facts"])
    assert any(f.endswith(" free on its disk") for f in [*head["facts"], *head["warn"]])


def test_a_folder_without_a_history_says_so() -> None:
    table, _ = shown("health_store", live())
    assert "Nothing is in the history yet" in table["empty"]
    assert VIEWS["health_head"](live(), {}, None) == {"facts": [], "warn": []}
