"""The DTrace page's side in Python: layers of the heat map, who was in a cell, questions from clicks, the one route
that writes."""

from __future__ import annotations

import csv
import io
import json
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collectors.dtrace import scripts
from dashboard import ask
from dashboard.export import panel_csv
from dashboard.live import Live
from dashboard.panels import PANELS, VIEWS, dtrace
from dashboard.panels.data import Grid
from dashboard.panels.tools import percentile
from dashboard.push import Hub, Stream
from frames import metrics
from frames.questions import QuestionError
from frames.requests import Requests
from frames.schemas import SCHEMAS, bounds
from frames.store import Store, Writer
from frames.tail import Second
from tests.dashboard.serving import Answer, Dashboard

START = 1_795_400_000
QUESTION = "disk_io/by=zone,latency"
EVIL = 'a"; system("rm -rf /"); /*'
SECONDS = 40
N = 64


def histogram(**buckets: int) -> list[int]:
    """Counts of quantize from {"b20": 3}: three events of 2**19 … 2**20 ns."""
    out = [0] * N
    for name, count in buckets.items():
        out[int(name[1:])] = count
    return out


ROWS = {
    ("ms2", "mail3"): histogram(b20=10, b24=3),
    ("ms2", "mail4"): histogram(b20=5),
    ("ma2", "mail3"): histogram(b20=1, b28=1),
}


def rows(second: int) -> dict:
    """Three rows of the question, a row of a host without events, two stacks, three counted keys."""
    t = second * 10**6
    heat = list(ROWS.items())
    stacks = [["imapd", "zfs`arc_read+0x1\nunix`sys+0x2"], ["sched", "unix`swtch+0x3"]]
    calls = [["read"], ["write"], ["read"]]
    n = len(heat) + 1 + 2 + 3
    return {
        "dtrace": SCHEMAS["dtrace"].table(
            {
                "time": [t] * n,
                "host": [h for (h, _), _ in heat] + ["om1"] + ["ms2"] * 2 + ["ms2", "ms2", "ma2"],
                "question": [QUESTION] * (len(heat) + 1) + ["oncpu_kernel"] * 2 + ["syscalls/by=syscall"] * 3,
                "keys": [[z] for (_, z), _ in heat] + [[]] + stacks + calls,
                "agg": ["quantize"] * (len(heat) + 1) + ["count"] * 5,
                "bounds": ["quantize"] * (len(heat) + 1) + [None] * 5,
                "counts": [c for _, c in heat] + [[0] * N] + [None] * 5,
                "value": [None] * (len(heat) + 1) + [70.0, 30.0, 400.0, 100.0, 50.0],
                "drops": [0.0] * n,
            }
        )
    }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    folder: Path = tmp_path_factory.mktemp("history")
    found = Live(Store(folder), clock=lambda: START + SECONDS)
    with Writer(folder) as writer:
        for i, s in enumerate(range(START, START + SECONDS)):
            seq = writer.append(s, rows(s))
            assert seq > i
            found.add(Second(seq, s, "collector", rows(s)))
    return found


def heat(live: Live, **query):
    grid = Grid(START, 1.0, SECONDS)
    query = {"question": QUESTION, "host": ["ms2", "ma2", "om1"], **query}
    where = {"question": [query["question"]], "host": query["host"]}
    return dtrace.dtrace_heat({"dtrace": live.recent("dtrace", grid, where)}, query, grid, ())


def drawn(data) -> list[str]:
    return [s.id for s in data.series if s.group != "hidden"]


def cell(low: int, high: int, seconds: int = 1) -> list[float]:
    return [START + 5.0, START + 5.0 + seconds, 2.0**low * 1e-9, 2.0**high * 1e-9]


# -- heat map ------------------------------------------------------------------------------------------------------


def test_layers_are_all_events_and_those_of_each_lit_key(live: Live) -> None:
    data = heat(live, lit=["mail3", "mail4"])
    assert data.heat is not None
    n = len(data.heat.bounds)
    assert data.heat.counts.shape == (SECONDS, 3 * n)
    every, mail3, mail4 = (data.heat.counts[:, k * n : (k + 1) * n] for k in range(3))
    assert every.sum() == SECONDS * 20
    assert mail3.sum() == SECONDS * 15, "over both hosts"
    assert mail4.sum() == SECONDS * 5
    np.testing.assert_array_equal(every, mail3 + mail4)
    row = [round(b * 1e9) for b in data.heat.bounds].index(2**19)
    assert every[3, row] == 16


def test_an_interval_without_events_is_a_sample_and_no_key(live: Live) -> None:
    data = heat(live, host=["om1"])
    assert data.heat is not None
    assert (data.heat.counts == 0).all()
    assert data.empty == ""
    said = VIEWS["dtrace_keys"](live, {"question": QUESTION, "host": ["om1"], "span": 30}, None)
    assert said["keys"] == []
    assert said["sum"] == 0


def test_percentiles_come_from_the_buckets(live: Live) -> None:
    data = heat(live, lines=["p50", "p90", "p99", "max"])
    assert drawn(data) == ["p50", "p90", "p99", "max"]
    by = dict(zip([s.id for s in data.series], data.values[:, 7], strict=True))
    assert 2**19 <= by["p50"] * 1e9 <= 2**20
    assert 2**23 <= by["p90"] * 1e9 <= 2**24
    assert by["max"] * 1e9 == pytest.approx(2**28, rel=1e-6)
    assert data.heat is not None
    np.testing.assert_allclose(by["p90"], percentile(data.heat.counts[7], data.heat.bounds, 0.9), rtol=1e-6)


def test_a_linear_axis_ends_where_nearly_all_events_are_below(live: Live) -> None:
    data = heat(live, scale="linear", host=["ms2"])
    assert data.yscale == "linear"
    assert data.yrange == (0.0, pytest.approx(2**24 * 1e-9))


def test_nobody_asked(live: Live) -> None:
    data = heat(live, question="syscalls/by=syscall,latency")
    assert data.empty == "Nobody has asked for system calls broken down by syscall and latency in this range."
    assert "no metric 'nonsense'" in heat(live, question="nonsense").empty


@pytest.mark.parametrize("metric", sorted(metrics.METRICS))
def test_every_numeric_field_has_rows_in_a_unit_that_pages_know(metric: str) -> None:
    for f in metrics.METRICS[metric].fields:
        if f.kind == "numeric":
            a = dtrace.asked(f"{metric}/by={f.name}")
            found = dtrace.rows_of(a.bounds, a.unit)
            assert found.unit in ("s", "B"), f
            assert list(found.lower) == sorted(found.lower)
            assert 10 < len(found.lower) < 200


FINE = "llquantize:10:3:10:20"


def answer(bounds_: str, counts: list[int], *, host: str = "ms2", drops: float = 0.0, second: int = START) -> dict:
    return {
        "time": second * 10**6, "host": host, "question": QUESTION, "keys": ["mail3"], "agg": bounds_.partition(":")[0],
        "bounds": bounds_, "counts": counts, "value": None, "drops": drops,
    }  # fmt: skip


def map_of(*rows_: dict, known: tuple[str, ...] = (), n: int = 5):
    table = SCHEMAS["dtrace"].table({k: [r[k] for r in rows_] for k in rows_[0]})
    live = Live(Store(Path("nowhere")), clock=lambda: START + n)
    live.add(Second(1, START, "collector", {"dtrace": table}))
    grid = Grid(START, 1.0, n)
    query = {"question": QUESTION, "host": ["ms2", "ma2"]}
    return dtrace.dtrace_heat({"dtrace": live.recent("dtrace", grid)}, query, grid, known)


def test_rows_are_the_true_buckets_of_the_host_that_tells_most() -> None:
    fine = [0] * len(bounds(FINE))
    fine[bounds(FINE).index(550_000)] = 4
    data = map_of(answer(FINE, fine))
    assert data.heat is not None
    assert [round(b * 1e9) for b in data.heat.bounds] == [round(b) for b in bounds(FINE)]
    assert data.heat.counts[0][[round(b * 1e9) for b in data.heat.bounds].index(550_000)] == 4
    coarse = map_of(answer("quantize", histogram(b20=8)))
    assert coarse.heat is not None
    assert [round(b * 1e9) for b in coarse.heat.bounds[:3]] == [128, 256, 512], "powers of two, where nobody tells more"


def test_coarse_buckets_lie_over_the_fine_rows_and_add_up() -> None:
    data = map_of(answer(FINE, [0] * len(bounds(FINE))), answer("quantize", histogram(b20=8), host="ma2"))
    assert data.heat is not None
    column = data.heat.counts[0]
    assert column.sum() == pytest.approx(8)
    lower = np.array(data.heat.bounds) * 1e9
    inside = np.flatnonzero(column)
    assert len(inside) > 5
    assert lower[inside[0]] <= 2**19 < lower[inside[0] + 1]
    assert lower[inside[-1]] < 2**20 <= lower[inside[-1] + 1]


def test_a_map_keeps_its_rows_from_column_to_column() -> None:
    data = map_of(answer("quantize", histogram(b20=8)), known=("p50", f"rows:{FINE}", "drops"))
    assert data.heat is not None
    assert len(data.heat.bounds) == len(bounds(FINE))
    assert f"rows:{FINE}" in [s.id for s in data.series]


def test_records_lost_mark_their_column_once_per_host() -> None:
    some = histogram(b20=1)
    data = map_of(
        answer("quantize", some, drops=30),
        answer("quantize", some, drops=30),
        answer("quantize", some, host="ma2", drops=5),
        answer("quantize", some, second=START + 2),
    )
    lost = data.values[[s.id for s in data.series].index("drops")]
    assert lost[0] == 35
    assert np.isnan(lost[1:]).all()


def test_utilisation_counts_each_disk_once_a_column() -> None:
    table = SCHEMAS["disk_io"].table(
        {
            "time": [START * 10**6] * 4,
            "host": ["ms2"] * 4,
            "device": ["a", "b", "c", "d"],
            "busy": [0.0, 0.12, 1.0, None],
        }
    )
    live = Live(Store(Path("nowhere")), clock=lambda: START + 5)
    live.add(Second(1, START - 60, "collector", {"disk_io": table}))
    grid = Grid(START, 1.0, 3)
    query = {"question": "disk_busy", "host": ["ms2"], "lit": ["c"], "lines": ["max"]}
    data = dtrace.dtrace_heat({"disk_io": live.recent("disk_io", grid)}, query, grid, ())
    assert data.heat is not None
    n = len(data.heat.bounds)
    found = {round(100 * data.heat.bounds[r]): int(v) for r, v in enumerate(data.heat.counts[0, :n]) if v}
    assert found == {0: 1, 10: 1, 100: 1}
    assert data.heat.counts[0, n:].sum() == 1
    assert data.values[0, 0] == 1.0, "nothing is busier than all the time"
    assert data.yscale == "linear"
    said = VIEWS["dtrace_keys"](live, {"question": "disk_busy", "host": ["ms2"], "span": 5}, None)
    assert {k["id"] for k in said["keys"]} == {"a", "b", "c"}
    most = said["percentiles"][-1]
    assert (most["name"], most["low"], most["high"]) == ("max", 1.0, 1.0)
    head = VIEWS["dtrace_head"](live, {"question": "disk_busy", "host": ["ms2"]}, None)
    assert head["counted"], "nearly free, never started"


# -- keys ----------------------------------------------------------------------------------------------------------


def test_the_keys_of_a_cell_add_up_to_the_cell_of_the_map(live: Live) -> None:
    said = VIEWS["dtrace_keys"](live, {"question": QUESTION, "host": ["ms2", "ma2"], "cell": cell(19, 20)}, None)
    assert {k["id"]: k["count"] for k in said["keys"]} == {"mail3": 11, "mail4": 5}
    data = heat(live)
    assert data.heat is not None
    row = [round(b * 1e9) for b in data.heat.bounds].index(2**19)
    assert said["sum"] == data.heat.counts[5, row] == 16
    assert sum(k["share"] for k in said["keys"]) == pytest.approx(1)
    open_above = [*cell(22, 23)[:3], None]
    said = VIEWS["dtrace_keys"](live, {"question": QUESTION, "host": ["ms2", "ma2"], "cell": open_above}, None)
    assert {k["id"]: k["count"] for k in said["keys"]} == {"mail3": 4}


def test_the_whole_window_and_its_percentiles(live: Live) -> None:
    said = VIEWS["dtrace_keys"](live, {"question": QUESTION, "host": ["ms2", "ma2"], "span": 20}, None)
    assert said["sum"] == 20 * 20
    for p in said["percentiles"]:
        assert p["low"] <= p["value"] <= p["high"] * 1.000001
        assert p["high"] == pytest.approx(2 * p["low"]), "a bucket's width is the error"


def test_the_slowest_keys_come_first_where_the_table_is_sorted_so(tmp_path: Path) -> None:
    slow = {"keys": [["fast"], ["slow"]], "counts": [histogram(b20=9), histogram(b28=1)]}
    table = SCHEMAS["dtrace"].table(
        {
            "time": [START * 10**6] * 2, "host": ["ms2"] * 2, "question": [QUESTION] * 2, "agg": ["quantize"] * 2,
            "bounds": ["quantize"] * 2, "value": [None] * 2, "drops": [0.0] * 2, **slow,
        }
    )  # fmt: skip
    live = Live(Store(tmp_path), clock=lambda: START + 2.0)
    with Writer(tmp_path) as writer:
        writer.append(START, {"dtrace": table})

    def of(**more: str) -> list[str]:
        query = {"question": QUESTION, "host": ["ms2"], "span": 2, **more}
        return [k["id"] for k in VIEWS["dtrace_keys"](live, query, None)["keys"]]

    assert of() == ["fast", "slow"]
    assert of(sort="p99") == ["slow", "fast"]


def test_a_map_as_csv_has_its_rows_and_nothing_that_the_page_keeps_for_itself(live: Live) -> None:
    head, *lines = list(csv.reader(io.StringIO(panel_csv(heat(live, lines=["p50"])))))
    assert head[:3] == ["time (UTC)", "p50 (s)", "events from 1.28e-07 s"]
    assert len(set(head)) == len(head)
    assert [sum(float(x) for x in line[2:]) for line in lines] == [20.0] * SECONDS
    grid, query = Grid(START, 1.0, 1), {"question": "disk_busy", "host": ["ms2"]}
    busy = pd.DataFrame(
        {"time": pd.to_datetime([START], unit="s", utc=True), "host": "ms2", "device": "sd0", "busy": 0.5}
    )
    head, line = list(csv.reader(io.StringIO(panel_csv(dtrace.dtrace_heat({"disk_io": busy}, query, grid, ())))))
    first = head.index("events below 0")
    assert head[first + 1 : first + 3] == ["events from 0", "events from 0.05"]
    assert line[head.index("events from 0.5")] == "1"


def test_history_gives_the_same_keys_as_the_ring(live: Live) -> None:
    query = {"question": QUESTION, "host": ["ms2", "ma2"], "span": 30}
    past = Live(Store(live.store.folder), clock=live.clock)  # type: ignore[attr-defined]
    now = VIEWS["dtrace_keys"](live, query, None)
    then = VIEWS["dtrace_keys"](past, query, START + SECONDS)
    assert now["sum"] == then["sum"] == 30 * 20
    assert now["keys"] == then["keys"]


def test_a_device_is_told_apart_by_its_host() -> None:
    a = dtrace.asked("disk_io/by=device,latency")
    assert dtrace.by_host(a, ["ms2", "ma2"])
    assert not dtrace.by_host(a, ["ms2"])
    assert not dtrace.by_host(dtrace.asked(QUESTION), ["ms2", "ma2"])


# -- stacked keys, stacks ------------------------------------------------------------------------------------------


def test_keys_are_stacked_by_what_they_count_a_second(live: Live) -> None:
    for step, n in ((1.0, SECONDS), (10.0, 4)):
        grid = Grid(START, step, n)
        query = {"question": "syscalls/by=syscall", "host": ["ms2", "ma2"]}
        where = {"question": [query["question"]], "host": query["host"]}
        data = dtrace.dtrace_stack({"dtrace": live.recent("dtrace", grid, where)}, query, grid, ())
        assert drawn(data) == ["read", "write"]
        np.testing.assert_allclose(data.values[0], 450)
        np.testing.assert_allclose(data.values[1], 100)


def counted(tmp_path: Path, values: dict[str, float]) -> Live:
    """A ring with one second of system calls: a value of each key."""
    n = len(values)
    table = SCHEMAS["dtrace"].table(
        {
            "time": [START * 10**6] * n, "host": ["ms2"] * n, "question": ["syscalls/by=syscall"] * n,
            "keys": [[k] for k in values], "agg": ["sum"] * n, "bounds": [None] * n, "counts": [None] * n,
            "value": list(values.values()), "drops": [0.0] * n,
        }
    )  # fmt: skip
    found = Live(Store(tmp_path), clock=lambda: START + 3.0)
    found.add(Second(1, START - 60, "collector", {"dtrace": table}))
    return found


def test_a_lit_key_has_its_place_in_the_stack_however_small_it_is(tmp_path: Path) -> None:
    live = counted(tmp_path, {f"k{i}": 100.0 - i for i in range(12)})
    grid = Grid(START, 1.0, 3)
    query = {"question": "syscalls/by=syscall", "host": ["ms2"], "lit": ["k11", "k2", "unheard"]}
    frames = {"dtrace": live.recent("dtrace", grid, {"question": [query["question"]]})}
    data = dtrace.dtrace_stack(frames, query, grid, ())
    assert drawn(data) == [*(f"k{i}" for i in range(7)), "k11", "rest"]
    assert data.values[7, 0] == 89
    data = dtrace.dtrace_stack(frames, {**query, "lit": ["k11", "k10", "k9"]}, grid, ())
    assert drawn(data) == [*(f"k{i}" for i in range(5)), "k11", "k10", "k9", "rest"], "eight have hues"


def test_sums_below_zero_are_told_and_shares_are_at_most_all(tmp_path: Path) -> None:
    live = counted(tmp_path, {"up": 30.0, "down": -10.0})
    said = VIEWS["dtrace_keys"](live, {"question": "syscalls/by=syscall", "host": ["ms2"], "span": 10}, None)
    assert [(k["id"], k["count"], k["share"]) for k in said["keys"]] == [("up", 30, 0.75), ("down", -10, 0.25)]
    assert said["sum"] == 20
    assert said["sampled"]
    nothing = VIEWS["dtrace_keys"](live, {"question": "syscalls/by=syscall", "host": ["om1"], "span": 10}, None)
    assert not nothing["sampled"], "no samples are no 0 events"


def test_stacks_of_a_window_beside_those_of_another(live: Live) -> None:
    query = {"question": "oncpu_kernel", "host": ["ms2"], "span": 10, "base": [START, START + 5]}
    said = VIEWS["dtrace_flame"](live, query, START + SECONDS)
    assert said["total"] == 10 * 100
    assert said["before"] == 5 * 100
    assert [c[0] for c in said["tree"][3]] == ["imapd", "sched"]
    assert said["look"] == "kernel"
    assert VIEWS["dtrace_flame"](live, {"question": QUESTION, "host": [], "span": 10}, None)["tree"] is None


def test_programs_of_the_page_are_those_of_the_collector() -> None:
    found = {s.name: s for s in scripts.load() if "linux" not in s.systems or len(s.systems) > 1}
    assert set(dtrace.PROGRAMS) == {s.name for s in scripts.load()}
    for name, s in found.items():
        p = dtrace.PROGRAMS[name]
        assert (p.keys[-1], p.value, p.unit) == (s.keys[-1], s.value, s.unit)


# -- asking --------------------------------------------------------------------------------------------------------


def test_a_clicked_value_is_a_value_and_never_code() -> None:
    built = ask.build({"question": QUESTION, "by": ["execname", "latency"], "fix": [["zone", "=", EVIL]]})
    again = metrics.question(built["question"])
    assert [p.value for p in dtrace.parts_of(again.where)] == [EVIL]
    deeper = ask.build({"question": built["question"], "by": ["device", "latency"], "fix": [["pid", "=", "42"]]})
    assert [p.value for p in dtrace.parts_of(metrics.question(deeper["question"]).where)] == [EVIL, 42]
    pieces = dtrace.described(dtrace.asked(deeper["question"]))["where"]
    assert [p["field"] for p in pieces] == ["zone", "pid"]
    assert (
        metrics.question(pieces[0]["without"]).where == dtrace.parts_of(metrics.question(deeper["question"]).where)[1]
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"question": QUESTION, "by": ["colour"]}, "no field 'colour'"),
        ({"question": QUESTION, "by": ["latency", "size"]}, "one numeric field"),
        ({"question": QUESTION, "fix": [["pid", "=", "1; exit"]]}, "pid is an integer"),
        ({"question": QUESTION, "fix": [["zone", "like", "x"]]}, "an operator"),
        ({"question": QUESTION, "fix": [["zone", "=", "a\0b"]]}, "without NUL"),
        ({"question": "spa_sync", "by": ["pool"]}, "no fields"),
        ({"question": QUESTION, "by": "zone"}, "lists"),
    ],
)
def test_what_is_no_question_is_refused_with_its_reason(body: dict, error: str) -> None:
    with pytest.raises((ask.AskError, QuestionError), match=error):
        ask.build(body)


@pytest.fixture(scope="module")
def dashboard(live: Live):
    served = Dashboard(live.store.folder, live=live, still=True)  # type: ignore[attr-defined]
    yield served
    served.stop()


def post(dashboard: Dashboard, body: bytes, **headers: str) -> Answer:
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return dashboard._ask(urllib.request.Request(f"{dashboard.url}/api/ask", body, named))


START_BODY = {"do": "start", "question": QUESTION, "hosts": ["ms2", "ma2"], "interval": 1, "duration": 60}


def test_start_keep_and_stop_become_requests(dashboard: Dashboard) -> None:
    requests = Requests(dashboard.live.store.folder)  # type: ignore[attr-defined]
    id_ = dashboard.post("/api/ask", START_BODY).json()["request"]
    [made] = [r for r in requests.pending() if r.id == id_]
    assert made.action == "dtrace_start"
    assert made.body == {"hosts": ["ms2", "ma2"], "question": QUESTION, "interval": 1, "duration": 60}
    assert made.who.startswith("page at 127.0.0.1")
    head = VIEWS["dtrace_head"](dashboard.live, {"question": QUESTION, "host": ["ms2"]}, None)
    assert [r["id"] for r in head["requests"]] == [id_]
    for do, action in (("keep", "keep_alive"), ("stop", "dtrace_stop")):
        assert dashboard.post("/api/ask", {"do": do, "request": id_}).status == 200
        assert [r.body for r in requests.pending() if r.action == action] == [{"request": id_}]
    requests.update(id_, "ended", "stopped")
    before = len(requests.pending())
    assert dashboard.post("/api/ask", {"do": "keep", "request": id_}).status == 200
    assert len(requests.pending()) == before, "what is over needs nobody to watch"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"hosts": ["nowhere"]}, "no host is called nowhere"),
        ({"hosts": []}, "choose 1 to"),
        ({"hosts": "ms2"}, "choose 1 to"),
        ({"question": 'x"; system'}, "no metric"),
        ({"interval": 0}, "interval"),
        ({"interval": True}, "interval"),
        ({"duration": 10**6}, "duration"),
        ({"do": "dance"}, "cannot do 'dance'"),
        ({"do": "stop", "request": "x"}, "no such request"),
    ],
)
def test_a_bad_request_says_why_and_leaves_nothing(dashboard: Dashboard, change: dict, error: str) -> None:
    requests = Requests(dashboard.live.store.folder)  # type: ignore[attr-defined]
    before = len(requests.pending())
    answer = dashboard.post("/api/ask", START_BODY | change)
    assert answer.status == 400
    assert error in answer.json()["error"]
    assert len(requests.pending()) == before


def test_other_sites_may_not_ask(dashboard: Dashboard) -> None:
    body = json.dumps(START_BODY).encode()
    requests = Requests(dashboard.live.store.folder)  # type: ignore[attr-defined]
    before = len(requests.pending())
    kind = "application/json"
    assert post(dashboard, body, Content_Type=kind, Origin="http://evil.example").status == 403
    assert post(dashboard, body, Content_Type=kind, Sec_Fetch_Site="cross-site").status == 403
    assert post(dashboard, body, Content_Type="text/plain").status == 400
    assert post(dashboard, b"[1]", Content_Type=kind).status == 400
    assert post(dashboard, b"{", Content_Type=kind).status == 400
    assert len(requests.pending()) == before
    assert post(dashboard, body, Content_Type=kind, Origin=dashboard.url).status == 200


def test_the_page_opens_on_the_question_of_its_address(dashboard: Dashboard) -> None:
    page = dashboard.get("/dtrace", {"q": QUESTION})
    assert page.status == 200
    head = VIEWS["dtrace_head"](dashboard.live, {"question": "disk_io/by=nothing", "host": []}, None)
    assert "no field 'nothing'" in head["problem"]
    for name in ("dtrace_keys", "dtrace_flame"):
        said = VIEWS[name](dashboard.live, {"question": "disk_io/by=nothing", "host": []}, None)
        assert "no field 'nothing'" in said["error"], "in words, and no fault of the server's"


def test_the_first_answer_of_each_host_is_told_at_once_and_the_next_ones_are_not() -> None:
    live = Live(Store(Path("nowhere")), clock=lambda: START + 1)
    hub = Hub(live)

    def answered(second: int, host: str) -> bool:
        row = answer("quantize", histogram(b20=1), host=host, second=second)
        live.add(Second(1, second, "collector", {"dtrace": SCHEMAS["dtrace"].table({k: [v] for k, v in row.items()})}))
        return hub._first_answer()

    assert not answered(START - 2, "ma2"), "nobody looks"
    query = {"question": QUESTION, "host": ["ms2", "om1"]}
    hub.streams[("dtrace_heat", "", 1.0)] = Stream(PANELS["dtrace_heat"], query, 1.0)
    assert answered(START, "ms2")
    assert not answered(START + 1, "ms2")
    assert answered(START + 1, "om1")
    hub.close()


HOST = {
    "name": "ms2", "up": True, "knows": True, "allowed": True, "state": "", "why": "", "lacks": "", "fix": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why", "hint"),
    [
        ({}, "Nobody has asked for disk I/O", "Start asks"),
        ({"state": "running"}, "first interval is not over", "end of each interval"),
        ({"state": "asked"}, "Probes are being attached on ms2", "40 s"),
        ({"knows": False, "lacks": "dtrace needs more privileges than this user has", "fix": "usermod -K x"},
         "No dtrace on ms2: dtrace needs more privileges", "usermod -K x"),
        ({"knows": False}, "No dtrace on ms2.", "another host"),
        ({"allowed": False}, "does not allow disk_io on ms2", '[hosts.ms2] dtrace = ["disk_io", …]'),
        ({"up": False, "lacks": "connection refused"}, "ms2 cannot be reached: connection refused", "in the history"),
        ({"state": "refused", "why": 'disk_io is not allowed on ms2; to allow it: [hosts.ms2] dtrace = ["disk_io"]'},
         "disk_io is not allowed on ms2", 'hosts.toml: [hosts.ms2] dtrace = ["disk_io"]'),
        ({"state": "refused", "why": "4 programs are running on ms2 already (a, b, c, d); stop one first"},
         "4 programs are running on ms2 already (a, b, c, d)", "Stop one first"),
        ({"state": "refused", "why": "the host has no probe zfs:::x"}, "no probe zfs:::x", "Another metric"),
        ({"state": "ended", "why": "the link dropped"}, "ended on ms2: the link dropped", "once the host is up"),
        ({"state": "ended", "why": "its time of 600 s is over"}, "its time of 600 s is over", "longer time"),
        ({"state": "ended", "why": "dtrace used 40% of a CPU (bound 25%)"}, "40% of a CPU", "Ask for less"),
        ({"state": "ended", "why": "it dropped 2000 records a second (bound 1000)"}, "2000 records", "Ask for less"),
    ],
)  # fmt: skip
def test_nothing_to_see_says_why_and_what_to_do(change: dict, why: str, hint: str) -> None:
    said = dtrace.note(dtrace.asked(QUESTION), [HOST | change])
    assert why in said[0]
    assert hint in said[1]


def test_no_host_and_a_past_that_nobody_asked_about() -> None:
    assert "No host" in dtrace.note(dtrace.asked(QUESTION), [])[0]
    assert "No host is called ms5." in dtrace.note(dtrace.asked(QUESTION), [HOST | {"name": "ms5", "unknown": True}])
    assert "Ask now" in dtrace.note(dtrace.asked(QUESTION), [HOST], past=True)[1]


def test_what_a_run_costs_who_asked_and_its_program(tmp_path: Path) -> None:
    live = Live(Store(tmp_path), clock=lambda: START + 3.0)
    t = [(START + 2) * 10**6]
    frames = {
        "links": SCHEMAS["links"].table({"time": t, "host": ["ms2"], "state": ["up"]}),
        "dtrace_runs": SCHEMAS["dtrace_runs"].table(
            {
                "time": t, "host": ["ms2"], "question": [QUESTION], "state": ["running"], "who": ["page at ::1"],
                "requests": ["r1"], "cpu": [0.009], "drops": [2.0], "rows": [10.0], "left": [500.0],
            }
        ),
        "dtrace_programs": SCHEMAS["dtrace_programs"].table(
            {"time": t * 2, "host": ["ms2", "ms2"], "question": [QUESTION, "syscalls"], "who": ["page at ::1"] * 2,
             "program": ["io:::done { }", "syscall:::entry { }"]}
        ),
    }  # fmt: skip
    live.add(Second(1, START + 2, "collector", frames))
    head = VIEWS["dtrace_head"](
        live, {"question": QUESTION, "host": ["ms2"], "up": ["syscalls/by=zone", "nonsense"]}, None
    )
    [host] = head["hosts"]
    assert (host["state"], host["who"], host["cpu"], host["lost"]) == ("running", "page at ::1", 0.009, 2.0)
    assert host["cpu_error"] == 0.0, "its system tells hundredths"
    frames["host_facts"] = SCHEMAS["host_facts"].table(
        {"time": t, "host": ["ms2"], "fact": ["os"], "value": ["solaris10"]}
    )
    live.add(Second(2, START + 2, "collector", frames))
    [host] = VIEWS["dtrace_head"](live, {"question": QUESTION, "host": ["ms2"]}, None)["hosts"]
    assert host["cpu_error"] == 0.05, "its ps tells whole seconds"
    assert host["ends"] == START + 503
    assert [u["sentence"] for u in head["up"]] == ["system calls broken down by zone"]
    said = ask.follow({"do": "program", "question": QUESTION, "hosts": ["ms2"]}, live, Requests(tmp_path), "page")
    assert said == {"programs": [{"host": "ms2", "time": START + 2, "who": "page at ::1", "text": "io:::done { }"}]}


def test_the_past_tells_when_it_was_not_asked(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        t = [START * 10**6, (START + 60) * 10**6, START * 10**6]
        texts = [
            "D question started for 60 s",
            "D question ended: its time of 60 s is over",
            "D question started for 9 s",
        ]
        n = len(t)
        table = SCHEMAS["events"].table(
            {
                "time": t, "host": ["ms2"] * n, "kind": ["dtrace"] * n, "object": [QUESTION, QUESTION, "syscalls"],
                "text": texts,
            }
        )  # fmt: skip
        writer.append(START + 60, {"events": table})
        live = Live(Store(tmp_path), clock=lambda: START + 10**6)
        query = {"question": QUESTION, "host": ["ms2"], "span": 300}
        turns = VIEWS["dtrace_head"](live, query, START + 200.0)["turns"]
    assert turns == [[START, "ms2", texts[0]], [START + 60, "ms2", texts[1]]]


def test_hostile_keys_stay_values(tmp_path: Path) -> None:
    hostile = ["<script>alert(1)</script>", "\"'&\u202egnirts", "x" * 5000, ""]
    table = SCHEMAS["dtrace"].table(
        {
            "time": [START * 10**6] * 4, "host": ["ms2"] * 4, "question": [QUESTION] * 4,
            "keys": [[k] for k in hostile],
            "agg": ["quantize"] * 4, "bounds": ["quantize"] * 4, "counts": [histogram(b20=1)] * 4, "drops": [0.0] * 4,
        }
    )  # fmt: skip
    live = Live(Store(tmp_path), clock=lambda: START + 3.0)
    live.add(Second(1, START - 60, "collector", {"dtrace": table}))
    said = VIEWS["dtrace_keys"](live, {"question": QUESTION, "host": ["ms2"], "span": 10}, None)
    assert {k["values"][0] for k in said["keys"]} == set(hostile)
    for key in hostile[:2]:
        built = ask.build({"question": QUESTION, "fix": [["zone", "=", key]]})
        assert [p.value for p in dtrace.parts_of(metrics.question(built["question"]).where)] == [key]
    with pytest.raises(QuestionError, match="at most 200 bytes"):
        ask.build({"question": QUESTION, "fix": [["zone", "=", "x" * 5000]]})


def test_a_collector_that_is_gone_is_told_on_its_hosts_and_of_what_it_should_take(tmp_path: Path) -> None:
    asked_at = int(time.time())
    live = Live(Store(tmp_path), clock=lambda: asked_at + 38.0)
    second = asked_at
    up = SCHEMAS["links"].table({"time": [second * 10**6], "host": ["ms2"], "state": ["up"]})
    live.add(Second(1, second, "collector", rows(second) | {"links": up}))
    query = {"question": "zfs_io/by=zone", "host": ["ms2"]}
    [host] = [h for h in VIEWS["dtrace_head"](live, query, None)["hosts"] if h["name"] == "ms2"]
    assert (host["up"], host["lacks"]) == (False, "no sample for 38 s")
    Requests(tmp_path).ask("dtrace_start", {"question": query["question"], "hosts": ["ms2"]}, "page")
    head = VIEWS["dtrace_head"](live, {**query, "span": 30}, None)
    assert head["untaken"]
    assert "No collector" in head["note"][0], "and not that probes are being attached"


def test_a_run_is_not_said_to_have_ended_where_nobody_tells(tmp_path: Path) -> None:
    event = SCHEMAS["events"].table(
        {
            "time": [START * 10**6],
            "host": ["ms2"],
            "kind": ["dtrace"],
            "object": [QUESTION],
            "text": ["D question started"],
        }
    )
    query = {"question": QUESTION, "host": ["ms2", "ms5"]}
    Requests(tmp_path).ask("dtrace_start", {"question": QUESTION, "hosts": ["ms2"]}, "page")

    def host(live: Live) -> tuple[str, str]:
        [found] = [h for h in VIEWS["dtrace_head"](live, query, None)["hosts"] if h["name"] == "ms2"]
        return found["state"], found["why"]

    now = time.time()
    young = Live(Store(tmp_path), clock=lambda: now)
    started = event.set_column(event.schema.get_field_index("time"), "time", [[int(now * 1e6)]])
    young.add(Second(1, int(now), "collector", {"events": SCHEMAS["events"].fitted(started)}))
    young.hosts["ms2"] = dtrace.Host("ms2")
    assert host(young) == ("running", ""), "a dashboard that has just begun has heard of no host"
    young.hosts["ms2"].newest = now - 60
    young.hosts["ms2"].link = "up"
    young.seq += 1
    young._shared.clear()
    assert host(young) == ("lost", "no sample for 60 s")
    young.hosts["ms2"].link = "down"
    young._shared.clear()
    assert host(young) == ("ended", "the link dropped")
    [stranger] = [h for h in VIEWS["dtrace_head"](young, query, None)["hosts"] if h["name"] == "ms5"]
    assert stranger["unknown"]
    assert stranger["lacks"] == "no host is called so"


def test_dtrace_that_is_missing_is_told_apart_from_what_the_inventory_does_not_allow(tmp_path: Path) -> None:
    def knows(*facts: tuple[str, str]) -> bool:
        live = Live(Store(tmp_path), clock=lambda: START + 1.0)
        table = SCHEMAS["host_facts"].table(
            {"time": [START * 10**6] * len(facts), "host": ["ms2"] * len(facts), "fact": [f for f, _ in facts],
             "value": [v for _, v in facts], "fix": ["usermod"] * len(facts)}
        )  # fmt: skip
        live.add(Second(1, START, "collector", {"host_facts": table}))
        [host] = VIEWS["dtrace_head"](live, {"question": QUESTION, "host": ["ms2"]}, None)["hosts"]
        return bool(host["knows"])

    assert knows(("dtrace", "")), "the inventory allows nothing; dtrace may well be there"
    assert not knows(("dtrace", "*"), ("missing:dtrace", "it needs more privileges"))
    assert knows(("dtrace", "*"), ("missing:dtrace", "")), "no longer missing"
    assert not knows(("dtrace", ""), ("dtrace_at", "none"))


def test_no_value_turns_the_sentence_around() -> None:
    id = metrics.question(ask.build({"question": QUESTION, "fix": [["zone", "=", "\u202etxet\n"]]})["question"]).id
    assert dtrace.asked(id).sentence == 'disk I/O of zone "\\u202etxet\\u000a" broken down by zone and latency'


def test_a_refusal_is_told_with_its_reason_on_each_host(tmp_path: Path) -> None:
    live = Live(Store(tmp_path), clock=lambda: START + 3.0)
    body = json.dumps({"hosts": ["ms2", "ma2"], "question": QUESTION})
    why = "ms2: ms2 is down; ma2: disk_io is not allowed on ma2"
    frames = {
        "links": SCHEMAS["links"].table({"time": [START * 10**6] * 2, "host": ["ms2", "ma2"], "state": ["up"] * 2}),
        "requests": SCHEMAS["requests"].table(
            {
                "time": [START * 10**6], "host": ["ms2,ma2"], "request": ["r1"], "action": ["dtrace_start"],
                "body": [body], "who": ["page"], "state": ["refused"], "why": [why],
            }
        ),
    }  # fmt: skip
    live.add(Second(1, START, "collector", frames))
    said = VIEWS["dtrace_head"](live, {"question": QUESTION, "host": ["ms2", "ma2"]}, None)
    assert {h["name"]: (h["state"], h["why"]) for h in said["hosts"] if h["chosen"]} == {
        "ms2": ("refused", "ms2 is down"),
        "ma2": ("refused", "disk_io is not allowed on ma2"),
    }
    assert set(live.hosts) == {"ms2", "ma2"}, "a request's hosts are no host"
    other = VIEWS["dtrace_head"](live, {"question": "syscalls/by=zone", "host": ["ms2"]}, None)
    assert {h["state"] for h in other["hosts"]} == {""}
