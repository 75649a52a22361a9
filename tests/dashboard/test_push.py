"""The push route over real sockets: fills, ticks, slow pages, foreign pages, nonsense, the end of the server."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from dashboard import panels
from dashboard.panels.data import decode
from dashboard.push import hosts_shown, parse_watch
from frames.store import Writer
from tests.dashboard import scene
from tests.dashboard.serving import Dashboard, Page, wait_for


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory):
    """A history of the minute before now."""
    now = int(time.time())
    with Writer(tmp_path_factory.mktemp("history")) as writer:
        for s in range(now - 60, now):
            writer.append(s, scene.second_of(s) | (scene.facts(s) if s == now - 60 else {}))
        yield writer


@pytest.fixture(scope="module")
def served(writer: Writer):
    dashboard = Dashboard(writer.folder, writer)
    wait_for(lambda: dashboard.live.newest())  # it has found the tail and read its backlog
    yield dashboard
    dashboard.stop()


def now_fed(served: Dashboard, **how) -> int:
    """Feeds the present second of the scene."""
    second = int(time.time())
    served.feed(second, scene.second_of(second, **how))
    return second


def index(page: Page, panel: str, series: str) -> int:
    fill = next(f for f in reversed(page.fills) if f["id"] == panel)
    return [s["id"] for s in fill["series"]].index(series)


def test_the_newest_sample_is_of_the_hosts_that_a_page_is_about() -> None:
    """Else the page of a silent host says that its newest sample is of now."""
    panels.load()
    of = {"panel": "arc", "query": {"host": "ms2"}}
    two = {"panel": "pair_io", "query": {"host": ["ma1", "ms1"]}}
    every = {"view": "fleet", "query": {}}
    one = parse_watch(
        {"panels": [{"id": "a", **of}], "views": [{"id": "v", "view": "host_head", "query": {"host": "ms2"}}]}
    )
    assert hosts_shown(one) == ["ms2"]
    assert hosts_shown(parse_watch({"panels": [{"id": "a", **of}, {"id": "b", **two}]})) == ["ma1", "ms1", "ms2"]
    assert hosts_shown(parse_watch({"panels": [{"id": "a", **of}], "views": [{"id": "v", **every}]})) == []
    assert hosts_shown(None) == []


def test_a_page_fills_from_history_and_goes_on_live(served: Dashboard) -> None:
    page = served.page()
    page.watch("arc", "disk_latency", views=("host_head",))
    page.read(lambda: len(page.fills) == 2 and page.views)
    assert [f["id"] for f in page.fills] == ["arc", "disk_latency"]
    size = index(page, "arc", "size")
    filled = [c[size] for c in page.columns["arc"].values()]
    assert np.isfinite(filled).sum() >= 50
    assert page.views["host_head"]["host"] == "ms2"
    second = now_fed(served)
    page.read(lambda: np.isfinite(page.columns["arc"].get(float(second), np.full(9, np.nan))[size]))
    expected = scene.second_of(second)["arcstats"]["size"][0].as_py()
    assert page.columns["arc"][float(second)][size] == pytest.approx(expected, rel=1e-6)
    assert page.ticks[-1]["newest"] >= second
    assert all(t["gen"] == page.gen for t in page.ticks)


def test_each_second_is_computed_once_for_all_pages(served: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    cpu = panels.PANELS["cpu"]

    def counted(frames, query, grid, known):
        calls.append(grid.n)
        return cpu.build(frames, query, grid, known)

    monkeypatch.setitem(panels.PANELS, "cpu", dataclasses.replace(cpu, build=counted))
    pages = [served.page() for _ in range(4)]
    for page in pages:
        page.watch("cpu")
    for page in pages:
        page.read(lambda p=page: p.fills)
    calls.clear()
    second = now_fed(served)
    for page in pages:
        page.read(lambda p=page: float(second) in p.columns["cpu"] and p.bodies)
    bodies = {page.bodies[-1] for page in pages}
    ticks = max(len(page.ticks) for page in pages)
    assert len(bodies) == 1
    assert len(calls) <= ticks + 2 < 4 * max(1, ticks) + 2


def test_a_slow_page_skips_and_misses_nothing(served: Dashboard) -> None:
    page = served.page()
    page.ack = False
    page.watch("cpu")
    page.read(lambda: page.fills)
    seconds = []
    for _ in range(8):
        seconds.append(now_fed(served))
        time.sleep(1)
    statuses = 0
    while statuses < 6:  # they go on while ticks wait for the page
        before = page.status
        page.one()
        statuses += page.status is not before
    live = [t for t in page.ticks if t["seq"]]
    assert len(live) == 1
    page.ack = True
    page.send(op="ack", seq=live[0]["seq"])
    page.read(lambda: float(seconds[-1]) in page.columns["cpu"])
    assert len(page.fills) == 2  # what lies further back than a tick reaches
    for second in seconds:
        assert np.isfinite(page.columns["cpu"][float(second)]).all(), f"{second - seconds[-1]} s"


def test_a_range_of_the_past_is_filled_once_and_stays(served: Dashboard) -> None:
    page = served.page()
    page.watch("arc", span=("now-50s", "now-20s"), views=("host_head",))
    page.read(lambda: page.fills and page.views)
    assert page.fills[0]["live"] is False
    now_fed(served)
    page.status = {}
    page.read(lambda: page.status)
    first = page.status["now"]
    page.read(lambda: page.status["now"] > first + 1.5)
    assert not [t for t in page.ticks if t["panels"]]
    assert len(page.fills) == 1


def test_the_newest_watch_rules(served: Dashboard) -> None:
    page = served.page()
    for _ in range(5):
        page.watch("arc", "pool_io", "zones_cpu")
    page.read(lambda: len([f for f in page.fills if f["gen"] == 5]) == 3)
    assert {f["gen"] for f in page.fills[-3:]} == {5}
    page.watch()
    now_fed(served)
    page.status = {}
    page.read(lambda: page.status.get("gen") == 6)


def test_a_panel_without_samples_says_why_and_fills_when_they_come(served: Dashboard) -> None:
    page = served.page()
    host = f"new{time.time_ns()}"
    page.watch("arc", query={"host": host})
    page.read(lambda: page.fills)
    assert host in page.fills[0]["empty"]
    assert page.fills[0]["hint"]
    second = int(time.time())
    served.feed(second, {"arcstats": scene.second_of(second, host=host)["arcstats"]})
    page.read(lambda: len(page.fills) > 1)
    assert [s["id"] for s in page.fills[-1]["series"]][:2] == ["size", "c"]


@pytest.mark.parametrize(
    "message",
    [
        "{", "[]", "null", '"x"', '{"op":"dance"}', '{"op":"watch","panels":[{"id":1}]}',
        '{"op":"watch","panels":[{"id":"a","panel":"../../etc"}]}', '{"op":"watch","range":{"from":"yesterday"}}',
        '{"op":"watch","views":[{"id":"v","view":"nosuch"}]}', '{"op":"watch","panels":7}',
        '{"op":"watch","panels":[{"id":"a","panel":"arc","query":[1]}]}',
    ],
)  # fmt: skip
def test_nonsense_is_answered_and_the_page_lives_on(served: Dashboard, message: str) -> None:
    page = served.page()
    page.ws.send(message)
    page.read(lambda: page.errors)
    page.watch("arc")
    page.read(lambda: page.fills)


def test_a_message_too_long_ends_only_its_page(served: Dashboard) -> None:
    page, other = served.page(), served.page()
    page.ws.send(json.dumps({"op": "watch", "junk": "x" * 200_000}))
    with pytest.raises(ConnectionClosed):
        page.read(lambda: False)
    other.watch("arc")
    other.read(lambda: other.fills)


def test_pages_of_other_sites_are_refused(served: Dashboard) -> None:
    for origin in ("http://evil.example", f"http://{served.address}.evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{served.address}/live", origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
    page = served.page(origin=f"http://{served.address}")
    page.read(lambda: page.status)


def test_where_sockets_are_blocked_polling_gives_the_same(served: Dashboard) -> None:
    now_fed(served)
    watch = {
        "gen": 9, "range": {"from": "now-2m", "to": "now"},
        "panels": [{"id": "a", "panel": "arc", "query": {"host": "ms2"}, "points": 200}],
        "views": [{"id": "v", "view": "host_head", "query": {"host": "ms2"}}],
    }  # fmt: skip

    def polled(**more) -> list[bytes]:
        asked = urllib.parse.urlencode({"watch": json.dumps(watch | more)})
        with urllib.request.urlopen(f"{served.url}/poll?{asked}") as answer:
            whole = answer.read()
        out = []
        while whole:
            n = int.from_bytes(whole[:4], "little")
            out.append(whole[4 : 4 + n])
            whole = whole[4 + n :]
        return out

    headers = [decode(m)[0] for m in polled()]
    assert [h["op"] for h in headers] == ["fill", "tick", "status"]
    assert headers[0]["gen"] == 9
    assert headers[1]["views"][0]["data"]["host"] == "ms2"
    end = headers[0]["grid"]["start"] + headers[0]["grid"]["n"]
    short = decode(polled(have={"a": end})[0])[0]
    assert short["grid"]["n"] < headers[0]["grid"]["n"] / 4


def test_streams_nobody_watches_are_let_go(served: Dashboard) -> None:
    hub = served.app.server.state.hub
    page = served.page()
    page.watch("run_queue")
    page.read(lambda: page.fills)
    assert any(k[0] == "run_queue" for k in hub.streams)
    page.ws.close()
    wait_for(lambda: not any(k[0] == "run_queue" for k in hub.streams))


def test_it_ends_within_a_second_or_so_with_pages_open(writer: Writer) -> None:
    dashboard = Dashboard(writer.folder, writer)
    pages = [dashboard.page() for _ in range(3)]
    for page in pages:
        page.watch("arc")
        page.read(lambda p=page: p.fills)
    dashboard.server.should_exit = True
    dashboard.thread.join(5)
    assert not dashboard.thread.is_alive()
    for page in pages:
        with pytest.raises(ConnectionClosed):
            page.read(lambda: False)


def test_pages_that_come_at_once_share_one_fill(served: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    arc = panels.PANELS["arc"]
    release, calls = threading.Event(), []

    def waiting(frames, query, grid, known):
        calls.append(grid.n)
        release.wait(20)
        return arc.build(frames, query, grid, known)

    monkeypatch.setitem(panels.PANELS, "arc", dataclasses.replace(arc, build=waiting))
    pages = [served.page() for _ in range(5)]
    for page in pages:
        page.watch("arc", query={"host": "ms2", "of": "this test"}, span=("now/d", "now+1h"))
    wait_for(lambda: sum(c.watch is not None and not c.want for c in served.app.server.state.hub.clients) >= 5)
    release.set()
    for page in pages:
        page.read(lambda p=page: p.fills)
    assert len({json.dumps(p.fills[0]["grid"]) for p in pages}) == 1
    assert len(calls) == 1
