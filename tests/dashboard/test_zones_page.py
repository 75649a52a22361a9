"""The Zones page: usage beside its cap, who is held back and by whom, mail services, as tables and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import pages, panels
from dashboard.live import Live, NoHistory
from dashboard.pages import Url
from dashboard.panels import PANELS, VIEWS
from dashboard.panels.data import Grid
from frames.query import extremes
from frames.schemas import SCHEMAS
from frames.store import Store, Writer
from frames.tail import Second
from tests.dashboard.scene import facts, second_of, table

START = 1_795_400_000
GIB = float(1 << 30)


@pytest.fixture(autouse=True)
def _loaded() -> None:
    panels.load()


def rows(second: int) -> dict[str, Any]:
    usage = table("zone_usage", second, "om1", {
        "zone": ["global", "mail1", "<b>x</b>", "web1"], "state": ["running", "running", "running", "installed"],
        "cpu": [0.2, 0.98, 0.3, None], "cpu_cap": [None, 1.0, 0.5, 0.5], "cpu_waiting": [None, 3.0, 0.0, None],
        "rss": [GIB, GIB, 2 * GIB, None], "rss_cap": [None, 2 * GIB, 2 * GIB, 2 * GIB],
        "anon_alloc_fail": [None, 0.0, 2.0, None],
    })  # fmt: skip
    io = table("zone_io", second, "om1", {
        "zone": ["mail1", "<b>x</b>"], "read_bytes": [4096.0, 0.0], "write_bytes": [0.0, 0.0],
        "ops_10ms": [3.0, 0.0], "ops_100ms": [2.0, 0.0], "delay_cnt": [0.0, 40.0],
    })  # fmt: skip
    mail = table("mail_activity", second, "om1", {
        "zone": ["mail1", "global"], "service": ["imapd", "nginx"], "connections": [73.0, None],
        "processes": [73.0, 8.0], "errors": [0.0, None],
    })  # fmt: skip
    return {"zone_usage": usage, "zone_io": io, "mail_activity": mail}


def live(*, until: int = 3, now: float | None = None) -> Live:
    out = Live(NoHistory(), clock=lambda: now if now is not None else START + until + 0.5)
    out.add(Second(1, START, "test", facts(START, "om1")))
    for i in range(until + 1):
        out.add(Second(i + 2, START + i, "test", rows(START + i)))
    return out


def shown(name: str, state: Live, at: float | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The table, and {row: {column: cell}}."""
    table = VIEWS[name](state, {"host": "om1"}, at)
    ids = [c["id"] for c in table["columns"]]
    return table, {r["label"]: dict(zip(ids, r["cells"], strict=True)) for r in table["rows"]}


def test_each_zone_has_its_usage_beside_its_cap_and_what_holds_it_back() -> None:
    table, cells = shown("zones_table", live())
    assert cells["mail1"] == {
        "state": "running", "cpu": 0.98, "cpu_cap": 1.0, "cpu_waiting": 3.0, "rss": GIB, "rss_cap": 2 * GIB,
        "anon_alloc_fail": 0.0, "read_bytes": 4096.0, "write_bytes": 0.0, "ops_10ms": 3.0, "ops_100ms": 2.0,
        "delay_cnt": 0.0,
    }  # fmt: skip
    assert cells["global"]["cpu_cap"] is None
    by_label = {r["label"]: r for r in table["rows"]}
    ids = [c["id"] for c in table["columns"]]
    states = {k: dict(zip(ids, r["states"], strict=True)) for k, r in by_label.items()}
    assert states["mail1"]["cpu_waiting"] == "warn"
    assert states["mail1"]["ops_100ms"] == "warn"  # the victim
    assert states["<b>x</b>"]["delay_cnt"] == "warn"  # the offender
    assert by_label["<b>x</b>"]["state"] == "bad"  # its allocations fail
    assert by_label["global"]["state"] == ""


def test_a_zone_that_does_not_run_stands_below_and_has_no_figures() -> None:
    table, cells = shown("zones_table", live())
    assert table["rows"][-1]["label"] == "web1"
    assert table["rows"][-1]["quiet"]
    assert cells["web1"]["state"] == "installed"
    assert cells["web1"]["cpu"] is None


def test_a_host_that_has_fallen_silent_has_no_usage_any_more() -> None:
    table, cells = shown("zones_table", live(now=START + 60.0))
    assert cells["mail1"] == {**dict.fromkeys(cells["mail1"]), "state": "silent"}
    assert all(r["quiet"] for r in table["rows"])


def test_an_unknown_host_says_so() -> None:
    table = VIEWS["zones_table"](live(), {"host": "nowhere"}, None)
    assert table["rows"] == []
    assert "nowhere" in table["empty"]


def test_a_column_that_the_host_never_gives_is_left_out() -> None:
    table, _ = shown("zones_table", live())
    assert {"swap", "pagedout", "nlwp"}.isdisjoint(c["id"] for c in table["columns"])


def test_the_past_comes_from_the_history(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        for i in range(3):
            writer.append(START + i, rows(START + i))
    state = Live(Store(tmp_path), clock=lambda: START + 90_000.0)
    _, cells = shown("zones_table", state, at=START + 2.0)
    assert cells["mail1"]["cpu"] == 0.98
    assert cells["<b>x</b>"]["delay_cnt"] == 40.0
    assert shown("mail_table", state, at=START + 2.0)[1]["imapd"]["connections"] == 73.0


def test_mail_services_name_their_zone() -> None:
    table, cells = shown("mail_table", live())
    assert cells["imapd"] == {"zone": "mail1", "connections": 73.0, "processes": 73.0, "errors": 0.0}
    assert cells["nginx"]["connections"] is None
    assert [c["id"] for c in table["columns"]] == ["zone", "connections", "processes", "errors"]


def windowed(table_name: str, columns: dict[str, list[Any]], times: list[int]) -> Any:
    schema = SCHEMAS[table_name]
    frame = table(table_name, START, "om1", columns).to_pandas()
    frame["time"] = np.array([(START + t) * 1_000_000 for t in times], "datetime64[us]")
    for c in columns:
        if schema.by_name[c].role in ("gauge", "rate"):
            _, low, high = extremes(schema, c)
            frame[low] = frame[high] = frame[c]
    return frame


def test_threads_held_back_are_counted_and_no_percentage() -> None:
    frame = windowed("zone_usage", {"zone": ["a", "b", "a"], "cpu_waiting": [3.0, None, 0.0]}, [0, 0, 2])
    data = PANELS["zones_waiting"].build({"zone_usage": frame}, {}, Grid(START, 1.0, 3), [])
    assert [(s.id, s.unit) for s in data.series] == [("a", "threads")]
    np.testing.assert_array_equal(data.values[0], np.array([3, np.nan, 0], np.float32))


def test_zones_read_up_and_write_down() -> None:
    frame = windowed("zone_io", {"zone": ["a", "b"], "read_bytes": [10.0, 1.0], "write_bytes": [5.0, None]}, [0, 0])
    data = PANELS["zones_io"].build({"zone_io": frame}, {}, Grid(START, 1.0, 1), [])
    assert [(s.label, s.side) for s in data.series] == [("a read", 1), ("write", -1), ("b read", 1), ("write", -1)]
    np.testing.assert_array_equal(data.values[:, 0], np.array([10, 5, 1, np.nan], np.float32))


def test_swap_has_rows_as_high_as_the_cap_and_red_where_memory_fails() -> None:
    frame = windowed(
        "zone_usage",
        {"zone": ["a", "b"], "swap": [GIB, None], "swap_cap": [2 * GIB, None], "anon_alloc_fail": [1.0, None],
         "cpu": [0.1, 0.1], "rss": [1.0, 1.0]},
        [0, 0],
    )  # fmt: skip
    data = PANELS["zones_swap"].build({"zone_usage": frame}, {}, Grid(START, 1.0, 1), [])
    assert [(s.id, s.cap, s.state) for s in data.series] == [("a", 2 * GIB, ""), ("a:bad", 2 * GIB, "bad")]


def test_the_page_has_the_panels_that_its_host_can_fill() -> None:
    pages.load()
    state = live()
    route, url = pages.match("/zones/om1", "", state) or (None, None)
    assert route is not None
    assert url is not None
    text = str(route.function(url).body)
    assert "zones_slow" in text
    assert "mail_connections" in text
    assert "zones_swap" not in text  # nobody has told of swap
    state.add(Second(90, START + 4, "test", {k: v for k, v in second_of(START + 4, "s10").items() if k != "zone_io"}))
    text = str(route.function(Url("/zones/s10", {"host": "s10"}, {}, state)).body)
    assert "zones_slow" not in text
    assert "zones_waiting" in text
