"""From a page's request to rows in the store: over the simulated fleet, and by hand where a host says odd things."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from collectors import inventory
from collectors.base import Context
from collectors.dtrace.asker import Asker
from collectors.dtrace.door import Policy
from collectors.engine import Engine
from collectors.links import Sink
from collectors.probe import Missing
from collectors.sources.dtrace import SOURCE, STANDING
from fleet import Fleet
from frames.requests import Request, Requests
from frames.schemas import SCHEMAS
from tests.sshd import wait_for


class Rows:
    """A store that keeps rows."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def append(self, second: int, frames: Any) -> int:
        for name, table in frames.items():
            self.tables.setdefault(name, []).extend(table.to_pylist())
        return 0

    def dtrace(self, question: str) -> dict[str, int]:
        """Events by host."""
        out: dict[str, int] = {}
        for row in list(self.tables.get("dtrace", [])):
            if row["question"] == question:
                events = sum(row["counts"]) if row["counts"] else int(row["value"])
                out[row["host"]] = out.get(row["host"], 0) + events
        return out

    def events(self) -> list[str]:
        return [e["text"] for e in list(self.tables.get("events", [])) if e["kind"] == "dtrace"]


def state(requests: Requests, id_: str) -> Request:
    request = requests.get(id_)
    assert request
    return request


def test_three_hosts_are_asked_at_once(tmp_path: Path) -> None:
    requests, rows, stop = Requests(tmp_path), Rows(), threading.Event()
    with Fleet(tmp_path / "fleet") as fleet:
        hosts = inventory.load(fleet.inventory)
        allowed = {n: h.model_copy(update={"dtrace": ["disk_io"] * (n != "ma2")}) for n, h in hosts.hosts.items()}
        hosts = hosts.model_copy(update={"hosts": allowed})
        engine = Engine(hosts, rows, {}, each_beat=[Asker(requests)])
        loop = threading.Thread(target=engine.run, args=(stop,))
        loop.start()
        try:
            wait_for(lambda: all(h.state == "up" for h in engine.hosts.values()), "the fleet is up", 60)
            question = "disk_io/by=zone,latency/where=operation=read"
            body = {"hosts": ["ms1", "ms2", "om1", "ma2", "bk1"], "question": question, "duration": 300}
            began = time.monotonic()
            id_ = requests.ask("dtrace_start", body, "anna")
            wait_for(lambda: set(rows.dtrace(question)) == {"ms1", "ms2", "om1"}, "answers of three hosts", 30)
            took = time.monotonic() - began
            assert min(rows.dtrace(question).values()) > 0
            assert state(requests, id_).state == "running"
            texts = rows.events()
            assert sum(t == "D question started for 300 s" for t in texts) == 3
            assert any("disk_io is not allowed on ma2; to allow it: [hosts.ma2]" in t for t in texts)
            wait_for(lambda: any("needs more privileges" in t for t in rows.events()), "the Linux host says why not")
            requests.ask("dtrace_stop", {"request": id_}, "bert")
            wait_for(lambda: state(requests, id_).state == "ended", "it has ended")
            why = state(requests, id_).why
            assert "ms1: stopped by bert" in why
            assert "ma2: disk_io is not allowed" in why
            wait_for(lambda: rows.events().count("D question ended: stopped by bert") == 3, "each host's end is told")
            states = [r["state"] for r in rows.tables["requests"] if r["request"] == id_]
            assert states == ["taken", "running", "ended"]
        finally:
            stop.set()
            loop.join(20)
    print(f"first rows of three hosts {took:.1f} s after the request")


# -- by hand -----------------------------------------------------------------------------------------------------


class FakeLink:
    """Commands that were started, each with its sink, for the test to speak through."""

    def __init__(self) -> None:
        self.alive = True
        self.started: list[tuple[str, Sink]] = []
        self.stopped: list[str] = []

    def start(self, command: str, sink: Sink, **more: Any) -> Any:
        self.started.append((command, sink))
        return SimpleNamespace(stop=lambda: self.stopped.append(command), dropped=0)


class FakeEngine:
    """A host 'box' that is up; `soon` calls at once."""

    def __init__(self, os: str, allowed: list[str]) -> None:
        self.link = FakeLink()
        self.run = SimpleNamespace(
            name="box",
            state="up",
            link=self.link,
            offset=0.0,
            facts=SimpleNamespace(os=os, facts={"release": "5.11"}, missing=[]),
            host=SimpleNamespace(dtrace=allowed),
            streams={},
        )
        self.hosts = {"box": self.run}
        self.rows: list[tuple[str, dict[str, list[Any]]]] = []
        self.said: list[str] = []
        self.tape: list[tuple[Context, str, str, str]] = []
        self.told_tape: list[tuple[str, list[str]]] = []
        self.rested: list[tuple[str, str, float, str]] = []

    def rest(self, *words: Any) -> None:
        self.rested.append(words)

    def recorded(self, run: Any, ctx: Context, source: str, variant: str, command: str) -> Any:
        self.tape.append((ctx, source, variant, command))
        return lambda kind, at, words: self.told_tape.append((kind, words))

    def add(self, table: str, **columns: list[Any]) -> None:
        self.rows.append((table, columns))

    def event(self, host: str, kind: str, what: str, severity: str, text: str, who: str = "") -> None:
        self.said.append(text)

    def soon(self, call: Callable[[], None]) -> None:
        call()

    def told(self, table: str) -> list[dict[str, Any]]:
        """Rows of `table` so far."""
        return [
            {name: values[i] for name, values in columns.items()}
            for t, columns in self.rows
            if t == table
            for i in range(len(columns["time"]))
        ]


@pytest.fixture
def box(tmp_path: Path) -> tuple[FakeEngine, Asker, Requests]:
    requests = Requests(tmp_path)
    return FakeEngine("illumos", ["tcp_accepts", "disk_io"]), Asker(requests, Policy(unwatched=3600)), requests


def ask(requests: Requests, question: str, **more: Any) -> str:
    return requests.ask("dtrace_start", {"hosts": ["box", "elsewhere"], "question": question, **more}, "anna")


def test_a_host_without_the_first_ways_probes_gets_another(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "tcp_accepts")
    asker(engine, 0.0)
    command, sink = engine.link.started[0]
    assert "tcp:::accept-established" in command
    sink.errors(1.0, ["dtrace: invalid probe specifier X: probe description tcp::: does not match any probes"])
    sink.closed(1, "")
    listing, sink = engine.link.started[1]
    assert listing.startswith("dtrace -l -n 'tcp:::accept-established' -n 'mib:::tcpPassiveOpens'")
    sink.lines(2.0, ["   ID PROVIDER MODULE FUNCTION NAME", "812 mib ip tcp_conn_request tcpPassiveOpens"])
    sink.closed(1, "")
    command, sink = engine.link.started[2]
    assert "mib:::tcpPassiveOpens" in command
    sink.lines(3.0, ["zs1 start 2900000000 tcp_accepts 77", "zs1 begin 1 0 3000000000", "zs1 key count=5"])
    sink.lines(3.0, ["zs1 end 1 3000000000 0"])
    ((table, columns),) = [r for r in engine.rows if r[0] == "dtrace"]
    assert (table, columns["value"], columns["time"], columns["host"]) == ("dtrace", [5.0], [3_000_000], ["box"])
    assert state(requests, id_).state == "running"
    asker(engine, 0.0)
    assert engine.link.started[3][0] == "ps -o pid= -o time= -p 77"


def test_a_host_is_asked_for_its_probes_once(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    ask(requests, "tcp_accepts")
    asker(engine, 0.0)
    sink = engine.link.started[0][1]
    sink.errors(1.0, ["dtrace: probe description tcp::: does not match any probes"])
    sink.closed(1, "")
    sink = engine.link.started[1][1]
    sink.lines(2.0, ["812 mib ip tcp_conn_request tcpPassiveOpens"])
    sink.closed(1, "")
    ask(requests, "tcp_accepts/by=subsecond")
    asker(engine, 0.0)
    assert len(engine.link.started) == 4
    assert "mib:::tcpPassiveOpens" in engine.link.started[3][0]


def test_a_run_that_is_stopped_while_its_probes_are_listed_ends(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "tcp_accepts")
    asker(engine, 0.0)
    sink = engine.link.started[0][1]
    sink.errors(1.0, ["dtrace: probe description tcp::: does not match any probes"])
    sink.closed(1, "")
    requests.ask("dtrace_stop", {"request": id_}, "bert")
    asker(engine, 0.0)
    assert (state(requests, id_).state, state(requests, id_).why) == ("ended", "box: stopped by bert")
    assert engine.link.stopped == [engine.link.started[1][0]]
    assert not asker.door.runs
    engine.link.started[1][1].closed(None, "")
    assert len(engine.link.started) == 2


def test_where_a_compiler_knows_other_types_the_next_way_is_tried(tmp_path: Path) -> None:
    """illumos before the end of 2014: another header of the ARC's. Its compiler repeats the program in its words."""
    requests = Requests(tmp_path)
    engine, asker = FakeEngine("illumos", ["*"]), Asker(requests)
    id_ = ask(requests, "arc_access/by=contents")
    asker(engine, 0.0)
    said = "{}: in action list: b_l1hdr is not a member of struct arc_buf_hdr"
    refused: list[str] = []
    for start in (0, 1):
        command, sink = engine.link.started[start]
        refused.append(command)
        lines = command.removesuffix("'").splitlines()
        sink.errors(1.0, [f"dtrace: invalid probe specifier {lines[0]}", *lines[1:-1], said.format(lines[-1])])
        sink.closed(1, "")
    assert "b_type == 2" in refused[0]
    assert "b_type == 1" in refused[1]
    assert len(engine.link.started) == 2, "there is no third"
    assert not asker.door.runs
    assert state(requests, id_).why == (
        "box: dtrace ended with status 1: in action list: b_l1hdr is not a member of struct arc_buf_hdr"
    )
    assert sum("D question" in text for text in engine.said) == 1


def test_nobody_is_asked_in_another_way_who_stopped_the_first(tmp_path: Path) -> None:
    requests = Requests(tmp_path)
    engine, asker = FakeEngine("illumos", ["*"]), Asker(requests)
    id_ = ask(requests, "arc_access/by=contents")
    asker(engine, 0.0)
    requests.ask("dtrace_stop", {"request": id_}, "bert")
    asker(engine, 0.0)
    engine.link.started[0][1].errors(1.0, ["dtrace: failed to compile"])
    engine.link.started[0][1].closed(1, "")
    assert len(engine.link.started) == 1
    assert state(requests, id_).why == "box: stopped by bert"


def test_a_host_where_no_way_fits_says_so(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "tcp_accepts")
    asker(engine, 0.0)
    sink = engine.link.started[0][1]
    sink.errors(1.0, ["dtrace: probe description tcp::: does not match any probes"])
    sink.closed(1, "")
    engine.link.started[1][1].closed(1, "")
    request = state(requests, id_)
    assert request.state == "refused"
    assert request.why == "box: the host has no probe tcp:::accept-established, mib:::tcpPassiveOpens"
    assert len(engine.link.started) == 2


def test_a_lack_of_privileges_is_named_with_its_fix(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "disk_io/by=latency")
    asker(engine, 0.0)
    sink = engine.link.started[0][1]
    sink.errors(1.0, ["dtrace: failed to initialize dtrace: DTrace requires additional privileges"])
    sink.closed(1, "")
    request = state(requests, id_)
    assert request.state == "ended"
    assert "box: dtrace needs more privileges than this user has; fix: usermod -K defaultpriv=" in request.why


@pytest.mark.parametrize("drop", ["link object", "alive"])
def test_a_dropped_link_ends_it(box: tuple[FakeEngine, Asker, Requests], drop: str) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "disk_io/by=latency")
    asker(engine, 0.0)
    if drop == "alive":
        engine.link.alive = False
    else:
        engine.run.link = None
    asker(engine, 0.0)
    assert (state(requests, id_).state, state(requests, id_).why) == ("ended", "box: the link dropped")
    assert "D question ended: the link dropped" in engine.said
    assert not asker.door.runs


def test_two_who_ask_the_same_share_one_run(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    first, second = ask(requests, "disk_io"), ask(requests, "disk_io")
    asker(engine, 0.0)
    assert len(engine.link.started) == 1
    engine.link.started[0][1].lines(1.0, ["zs1 start 1 disk_io 5"])
    assert [state(requests, r).state for r in (first, second)] == ["running", "running"]
    engine.link.started[0][1].closed(0, "")
    assert [state(requests, r).why for r in (first, second)] == ["box: dtrace ended by itself before its time"] * 2


@pytest.mark.parametrize(
    ("attached", "duration", "status", "why"),
    [
        (True, 1, 0, "its time is over"),
        (True, 600, 0, "dtrace ended by itself before its time"),
        (True, 600, None, "the link dropped"),
        (True, 600, 137, "dtrace ended with status 137: Killed"),
        (False, 600, 0, "dtrace ended before its probes were attached"),
        (False, 600, None, "the link dropped"),
    ],
)
def test_why_it_ended_is_told_apart(
    box: tuple[FakeEngine, Asker, Requests], attached: bool, duration: int, status: int | None, why: str
) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "disk_io", duration=duration)
    asker(engine, 0.0)
    sink = engine.link.started[0][1]
    if attached:
        sink.lines(1.0, ["zs1 start 1 disk_io 5"])
    if status:
        sink.errors(1.0, ["Killed"])
    sink.closed(status, "")
    assert state(requests, id_).why == f"box: {why}"


def test_bodies_that_make_no_sense_are_refused(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    ids = [
        ask(requests, "disk_io", interval="1; rm"),
        ask(requests, "disk_io", duration="long"),
        ask(requests, ""),
        requests.ask("dtrace_start", {"hosts": ["box"]}, "anna"),
    ]
    asker(engine, 0.0)
    assert [state(requests, i).state for i in ids] == ["refused"] * 4
    assert not engine.link.started


def test_a_host_without_dtrace_says_that_before_what_the_inventory_lacks(
    box: tuple[FakeEngine, Asker, Requests],
) -> None:
    engine, asker, requests = box
    engine.run.host.dtrace = []
    missing = Missing("dtrace", "its probe `dtrace …` said 1", "kldload dtraceall")

    def refusal() -> str:
        id_ = ask(requests, "disk_io")
        asker(engine, 0.0)
        return state(requests, id_).why

    assert "disk_io is not allowed on box" in refusal()
    engine.run.facts.missing = [missing]
    assert refusal() == "box: dtrace does not work on box: its probe `dtrace …` said 1; fix: kldload dtraceall"
    engine.run.facts.facts = {"dtrace_at": "none"}
    assert refusal().startswith("box: there is no dtrace on box, along PATH; fix: ")
    engine.run.facts.facts = {"dtrace_at": "/usr/sbin/dtrace"}
    engine.run.host.dtrace = ["disk_io"]
    ask(requests, "disk_io")
    asker(engine, 0.0)
    assert engine.link.started, "what is allowed is tried: privileges may have come since the probe"


def test_what_an_earlier_collector_ran_is_over(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "disk_io")
    also = ask(requests, "disk_io")
    refused = requests.ask("dtrace_start", {"hosts": ["box"], "question": "zfs_io"}, "anna")
    requests.update(id_, "running")
    requests.update(also, "running")
    requests.update(refused, "running", "elsewhere: down; box: zfs_io is not allowed on box")
    asker(engine, 0.0)
    assert (state(requests, id_).state, state(requests, id_).why) == ("ended", "the collector was started anew")
    assert state(requests, refused).state == "ended"
    assert engine.said == ["D question ended: the collector was started anew"], "of one run, and of none that was not"


def test_a_collector_that_is_stopped_says_what_ended_with_it(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    engine.run.streams["dtrace"] = SimpleNamespace(running=object(), parser=SimpleNamespace(running=False, names={}))
    ids = [ask(requests, "disk_io"), ask(requests, STANDING.id)]
    asker(engine, 0.0)
    engine.link.started[0][1].lines(1.0, ["zs1 start 1 disk_io 5"])
    asker.stopped(engine)  # type: ignore[arg-type]
    assert [state(requests, i).why for i in ids] == ["box: the collector was stopped"] * 2
    assert engine.said[-1] == "D question ended: the collector was stopped"
    assert engine.link.stopped == [engine.link.started[0][0]]
    assert not asker.door.runs


def test_who_looks_leaves_no_rows(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    id_ = ask(requests, "disk_io")
    asker(engine, 0.0)
    before = len(engine.told("requests"))
    look = requests.ask("keep_alive", {"request": id_}, "anna")
    asker(engine, 0.0)
    assert state(requests, look).state == "ended"
    assert len(engine.told("requests")) == before


def test_the_standing_question_is_not_run_twice(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, requests = box
    engine.run.streams["dtrace"] = SimpleNamespace(running=object(), parser=SimpleNamespace(running=False))
    id_ = ask(requests, STANDING.id)
    asker(engine, 0.0)
    assert not engine.link.started
    assert state(requests, id_).state == "running"
    requests.ask("dtrace_stop", {"request": id_}, "anna")
    asker(engine, 0.0)
    assert (state(requests, id_).state, state(requests, id_).why) == ("ended", "box: it runs there all the time")


def test_what_a_run_costs_and_its_program_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("collectors.dtrace.asker.time.monotonic", lambda: clock)
    engine, requests = FakeEngine("linux", ["disk_io"]), Requests(tmp_path)
    asker = Asker(requests)
    id_ = ask(requests, "disk_io/by=latency", duration=60)
    asker(engine, 0.0)
    (program,) = engine.told("dtrace_programs")
    assert (program["host"], program["question"], program["who"]) == ("box", "disk_io/by=latency", "anna")
    assert program["program"].startswith("/* zonescope disk_io/by=latency */\n")
    assert program["program"] in engine.link.started[0][0]
    sink = engine.link.started[0][1]
    sink.lines(1.0, ["zs1 start 1 disk_io/by=latency 77", "zs1 begin 1 0 1000000000", "zs1 key count=2"])
    sink.errors(1.0, ["dtrace: 3 drops on CPU 0"])
    sink.lines(1.0, ["zs1 end 1 1000000000 0"])
    for now, ticks in ((1001.0, 100), (1006.0, 130), (1011.0, 150)):
        clock = now
        asker(engine, 0.0)
        look, answer = engine.link.started[-1]
        assert look.startswith("for f in /proc/77/stat; do read -r s")
        answer.lines(1.0, [f"77 (dtrace) S 1 1 1 0 -1 0 9 9 9 9 {ticks} 10 0 0 20 0 1 0"])
        answer.closed(0, "")
    clock = 1012.0
    asker(engine, 0.0)
    requests.ask("dtrace_stop", {"request": id_}, "anna")
    asker(engine, 0.0)
    sink.closed(None, "")
    for rows in (engine.told("dtrace_runs"), engine.told("dtrace_programs")):
        columns = {name: [r.get(name) for r in rows] for name in set().union(*rows)}
        SCHEMAS["dtrace_runs" if "state" in columns else "dtrace_programs"].table(columns)
    first, *_, last, over = engine.told("dtrace_runs")
    assert (first["state"], first["left"], first["cpu"]) == ("starting", None, None)
    assert {k: last[k] for k in ("state", "who", "requests", "drops", "rows", "left")} == {
        "state": "running",
        "who": "anna",
        "requests": id_,
        "drops": 3.0,
        "rows": 1.0,
        "left": 48.0,
    }
    assert last["cpu"] == pytest.approx(0.04)
    assert (over["state"], over["rows"]) == ("ended", 1.0)
    assert over["time"] > last["time"]


def test_the_standing_question_is_accounted_for_too(box: tuple[FakeEngine, Asker, Requests]) -> None:
    engine, asker, _ = box
    ctx = Context("box", "illumos", 1.0)
    parser = SimpleNamespace(running=True, pid=99, lost=5.0)
    engine.run.streams["dtrace"] = SimpleNamespace(running=object(), parser=parser, ctx=ctx)
    asker(engine, 0.0)
    asker(engine, 0.0)
    (program,) = engine.told("dtrace_programs")
    assert program["program"] in SOURCE.variants_for("illumos")[0].command(ctx)
    assert engine.link.started[0][0] == "ps -o pid= -o time= -p 99"
    (row,) = engine.told("dtrace_runs")
    assert (row["question"], row["who"], row["drops"]) == (STANDING.id, "zonescope", 5.0)


def test_the_standing_question_rests_where_it_passes_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("collectors.dtrace.asker.time.monotonic", lambda: clock)
    engine, asker = FakeEngine("linux", ["*"]), Asker(Requests(tmp_path), Policy(drops=100, drops_for=5))
    parser = SimpleNamespace(running=True, pid=99, lost=0.0, names={})
    engine.run.streams["dtrace"] = SimpleNamespace(running=object(), parser=parser, ctx=Context("box", "linux", 1.0))
    for n in range(12):
        clock = 1000.0 + n
        parser.lost = 90.0 * n if n < 6 else 450.0 + 200.0 * (n - 5)
        asker(engine, 0.0)
        if engine.rested:
            break
    ((host, source, seconds, why),) = engine.rested
    assert (host, source, seconds) == ("box", "dtrace", 600.0)
    assert why.startswith("it dropped ")
    assert "(bound 100); it rests for 10 minutes" in why
    assert any(text.startswith("D question ended: it dropped ") for text in engine.said)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "disk_io/by=device,latency",
            [
                "zs1 key 3:sd3 quantize",
                "           value  ------------- Distribution ------------- count",
                "               1 |                                         0",
                "               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 7",
                "               4 |                                         0",
                "zs1 yek",
            ],
        ),
        ("oncpu_kernel", ["zs1 key 5:imapd stack", "              zfs`arc_read+0x21", "zs1 yek count=12"]),
    ],
)
def test_what_a_run_says_is_recorded_and_can_be_played(tmp_path: Path, asked: str, said: list[str]) -> None:
    engine, requests = FakeEngine("illumos", ["*"]), Requests(tmp_path)
    engine.run.streams["dtrace"] = SimpleNamespace(
        running=None, parser=SimpleNamespace(running=False, names={"sd3": "c3t0d0"})
    )
    asker = Asker(requests)
    ask(requests, asked)
    asker(engine, 0.0)
    command, sink = engine.link.started[0]
    ((ctx, source, variant, recorded),) = engine.tape
    assert (source, variant, recorded) == ("dtrace", "illumos", command)
    sink.lines(1.0, [f"zs1 start 1 {asked} 77", "zs1 begin 1 0 1000000000"])
    sink.lines(1.0, [*said, "zs1 end 1 1000000000 0"])
    sink.errors(1.0, ["dtrace: 2 drops on CPU 0"])
    sink.closed(None, "")
    assert [kind for kind, _ in engine.told_tape] == ["out", "out", "err", "end"]
    (chosen,) = (v for v in SOURCE.variants_for("illumos") if v.name == variant)
    parser = chosen.parser(ctx)
    (batch,) = [b for kind, words in engine.told_tape if kind == "out" for w in words for b in parser.feed(w, 1.0)]
    (row,) = engine.told("dtrace")
    assert {name: values[0] for name, values in batch.columns.items()} == {
        name: value for name, value in row.items() if name not in ("time", "host")
    }
    assert row["keys"][0] in ("c3t0d0", "imapd")
