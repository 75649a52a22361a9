"""Requests from pages to collectors."""

from __future__ import annotations

import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from frames.requests import RequestError, Requests


def test_a_request_is_asked_taken_and_ended(tmp_path: Path) -> None:
    page, collector = Requests(tmp_path / "new"), Requests(tmp_path / "new")
    body = {"host": "ms2", "question": "disk_io/by=device,latency", "seconds": 60}
    id_ = page.ask("dtrace_start", body, "anna")
    (request,) = collector.pending()
    assert (request.id, request.action, request.body, request.who) == (id_, "dtrace_start", body, "anna")
    collector.update(id_, "running")
    assert collector.pending() == []
    assert [r.state for r in page.open()] == ["running"]
    collector.update(id_, "ended", "nobody watched for 60 s")
    assert page.open() == []
    ended = page.get(id_)
    assert ended is not None
    assert (ended.state, ended.why) == ("ended", "nobody watched for 60 s")
    with pytest.raises(RequestError, match="is ended already"):
        collector.update(id_, "running")


def test_what_nobody_takes_lapses(tmp_path: Path) -> None:
    requests = Requests(tmp_path, life=-1)
    id_ = requests.ask("marker", {"text": "switch"}, "anna")
    assert requests.pending() == []
    lapsed = requests.get(id_)
    assert lapsed is not None
    assert (lapsed.state, lapsed.why) == ("ended", "no collector took it in time")


def test_nonsense_is_refused(tmp_path: Path) -> None:
    requests = Requests(tmp_path)
    with pytest.raises(RequestError, match="no action 'format_disk'"):
        requests.ask("format_disk", {}, "anna")
    with pytest.raises(RequestError, match="no JSON"):
        requests.ask("marker", {"at": math.nan}, "anna")
    with pytest.raises(RequestError, match="no request 'x'"):
        requests.update("x", "taken")
    with pytest.raises(RequestError, match="no state 'done'"):
        requests.update("x", "done")
    assert requests.get("x") is None


def test_many_may_ask_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda i: Requests(tmp_path).ask("marker", {"n": i}, "anna"), range(64)))
    assert {r.id: r.body["n"] for r in Requests(tmp_path).pending()} == {id_: i for i, id_ in enumerate(ids)}


def test_what_is_over_goes_and_pages_that_look_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = Requests(tmp_path)
    clock = 1_000_000.0
    monkeypatch.setattr("frames.requests.time.time", lambda: clock)
    old, open_ = requests.ask("dtrace_start", {}, "anna"), requests.ask("dtrace_start", {}, "anna")
    requests.update(old, "ended")
    requests.update(open_, "running")
    for _ in range(1000):  # some three hours of one page
        clock += 10
        requests.update(requests.ask("keep_alive", {"request": open_}, "anna"), "ended")
    with sqlite3.connect(requests.path) as db:
        assert db.execute("SELECT count(*) FROM requests").fetchone()[0] < 12
    assert requests.get(old)
    clock += 8 * 86400
    requests.ask("marker", {}, "anna")
    assert requests.get(old) is None
    assert requests.get(open_)
