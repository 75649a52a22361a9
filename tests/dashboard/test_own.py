"""What a user's own package collects is drawn on the host's page by what its tables declare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from dashboard import panels
from dashboard.panels import own
from dashboard.panels.data import Grid
from frames.schemas import SCHEMAS

START = 1_795_400_000
LOGINS = """
from types import SimpleNamespace
from frames.schemas import counter, declare, gauge, key, label, rate
declare("own_logins", "sessions", key("user", "login name"), key("tty", "line"), label("from", "where from"),
        gauge("open", "1", "sessions open"), rate("bytes", "B/s", "typed"), counter("bad", "1", "failed"), every=10.0)
SOURCE = SimpleNamespace(name="logins", meaning="sessions", tables=("own_logins", "host_load"))
"""


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    (tmp_path / "package_of_mine.py").write_text(LOGINS)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [EntryPoint("x", where, "zonescope.sources") for where in ("no_such_package:X", "package_of_mine:SOURCE")]
    found = own.register(points)
    yield found
    for name in found["logins"]:
        del panels.PANELS[name]
    del SCHEMAS["own_logins"], sys.modules["package_of_mine"]


def test_each_number_that_a_package_declares_has_a_panel(registered: dict[str, list[str]]) -> None:
    assert registered == {"logins": ["own-own_logins-open", "own-own_logins-bytes", "own-own_logins-bad"]}
    shown = panels.PANELS["own-own_logins-open"]
    assert (shown.title, shown.subtitle, shown.source) == ("own_logins: sessions open", "by user, tty", "logins, 10 s")
    time = pd.to_datetime([START, START, START + 10], unit="s", utc=True)
    columns = {"open": [1.0, 2.0, 3.0], "bytes": [5.0, 6.0, 7.0], "bad": [10.0, 0.0, 20.0]}
    frame = pd.DataFrame(
        {"time": time, "host": "a", "user": ["anna", "bob", "anna"], "tty": ["1", "2", "1"], **columns}
    )
    for c in ("open", "bytes"):
        frame[f"{c}_min"] = frame[f"{c}_max"] = frame[c]
    grid = Grid(START, 10.0, 2)
    units = {}
    for name in registered["logins"]:
        data = panels.PANELS[name].build({"own_logins": frame}, {}, grid, [])
        units[name.rpartition("-")[2]] = data.unit
        assert {s.id for s in data.series} == {"anna 1", "bob 2"}
    assert units == {"open": "count", "bytes": "B/s", "bad": "1/s"}
    assert not panels.PANELS[name].build({"own_logins": frame[:0]}, {}, grid, []).series


def test_they_stand_on_the_page_of_a_host_that_has_the_source(
    registered: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "OWN", registered)
    hosts = {"a": SimpleNamespace(facts={"tool:logins": "who"}), "b": SimpleNamespace(facts={})}
    live = SimpleNamespace(hosts=hosts)
    assert own.own_of(live, "a") == registered["logins"]  # type: ignore[arg-type]
    assert own.own_of(live, "b") == []  # type: ignore[arg-type]
