"""From a page's request through the engine to the history, on a host with a real dtrace: known loads come out as their
known numbers at every zoom, and after no kind of death anything is left on the host."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from collectors.dtrace.door import Policy
from collectors.sources.dtrace import SOURCE, STANDING
from frames.requests import Requests
from frames.schemas import bounds
from frames.store import Store
from tests.dtrace import real
from tests.dtrace.estate import Estate, dtraces, processes, tools
from tests.sshd import Sshd, wait_for

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.sshd, pytest.mark.timeout(400)]
dtrace = pytest.mark.dtrace


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "dtrace").symlink_to(real.DTRACE)
    with Sshd(tmp_path, env={"PATH": f"{bin_}:{os.environ['PATH']}"}) as server:
        yield server


def counted(store: Store, question: str, since: float, points: int | None) -> dict[tuple[str, ...], float]:
    """Events by keys over all of a window that ends now, as a panel of `points` pixels gets them."""
    frame = store.window("dtrace", since, time.time() + 5, points=points, where={"question": [question]})
    out: dict[tuple[str, ...], float] = {}
    for keys, value, counts, n in zip(
        frame["keys"], frame["value"], frame["counts"], frame["n"] if points else [1] * len(frame), strict=True
    ):
        events = value * n if counts is None or counts is pd.NA else sum(counts)
        if len(keys):
            out[tuple(keys)] = out.get(tuple(keys), 0) + round(events)
    return out


def costs(store: Store, question: str, since: float) -> list[float]:
    """Cores that its dtrace used, as far as was measured."""
    frame = store.window("dtrace_runs", since, time.time() + 5, where={"question": [question]})
    return list(frame["cpu"].dropna())


@dtrace
@real.needed
def test_known_loads_come_out_of_the_history_at_every_zoom(tmp_path: Path, sshd: Sshd) -> None:
    calls, writes, size = 54_321, 300, 32_768
    loop = f"import os, sys, time; sys.stdin.readline(); [os.getppid() for _ in range({calls})]; time.sleep(60)"
    copy = f"read go; exec dd if=/dev/zero of={tmp_path}/f bs={size} count={writes} oflag=direct"
    pipe = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with (
        Estate(tmp_path, sshd) as estate,
        subprocess.Popen([sys.executable, "-c", loop], **pipe) as getpid,
        subprocess.Popen(["unshare", "--uts", "sh", "-c", f"hostname mail3; {copy}"], **pipe) as dd,
    ):
        since = time.time()
        questions = {
            f"syscalls/by=syscall,pid/where=and(syscall=getppid,pid={getpid.pid})": (
                ("getppid", str(getpid.pid)),
                calls,
            ),
            f"disk_io/by=zone,operation,latency/where=and(zone=mail3,size={size})": (("mail3", "write"), writes),
            f"disk_bytes/by=pid,operation/where=and(pid={dd.pid},size={size})": (
                (str(dd.pid), "write"),
                writes * size,
            ),
        }
        ids = [estate.ask(q) for q in questions]
        for id_ in ids:
            estate.started(id_)
        for child in (getpid, dd):
            assert child.stdin
            child.stdin.write(b"\n")
            child.stdin.flush()
        with estate.store() as store:
            for q, (keys, n) in questions.items():
                wait_for(lambda q=q, keys=keys, n=n: counted(store, q, since, None).get(keys) == n, f"{n} of {q}", 40)
            for q in questions:
                wait_for(lambda q=q: costs(store, q, since), f"the cost of {q}")
        assert dd.wait() == 0
        getpid.kill()
        for id_ in ids:
            estate.requests.ask("dtrace_stop", {"request": id_}, "bert")
        assert [estate.ended(id_) for id_ in ids] == ["box: stopped by bert"] * 3
        for where in ("spool", "history", "rollups"):
            if where == "history":
                estate.writer.commit()
            elif where == "rollups":
                estate.writer.maintain()
            with estate.store() as store:
                for q, (keys, n) in questions.items():
                    for points in (None, 1000, 7, 1):
                        for start in (since - 10, since - 300, since - 7200):
                            got = counted(store, q, start, points)
                            assert got == {keys: n}, (where, q, points, start - since)
        with estate.store() as store:
            programs = store.window("dtrace_programs", since - 5, time.time() + 5)
            runs = store.window("dtrace_runs", since - 5, time.time() + 5)
        assert set(programs["question"]) == set(questions)
        assert all(f"/* zonescope {q} */" in p for q, p in zip(programs["question"], programs["program"], strict=True))
        # What each cost was measured on the host: dtrace itself, over seconds.
        for q in questions:
            mine = runs[runs["question"] == q]
            assert set(mine["state"]) == {"starting", "running", "ended"}
            assert 0.0 <= mine["cpu"].dropna().iloc[-1] < 0.5
            assert mine["rows"].iloc[-1] > 0
        for q in questions:
            estate.gone(q)


# -- every kind of death -------------------------------------------------------------------------------------------

QUESTION = "disk_io/by=device,latency/where=size=512"


@dtrace
@real.needed
@pytest.mark.parametrize("death", ["stop", "time limit", "nobody watches", "cpu", "sessions killed", "dtrace killed"])
def test_nothing_is_left_after(death: str, tmp_path: Path, sshd: Sshd) -> None:
    policy = Policy(unwatched=2.0) if death == "nobody watches" else Policy()
    if death == "cpu":
        policy = Policy(cpu=0.0001, cpu_for=2.0, look=1.0)
    with Estate(tmp_path, sshd, policy=policy) as estate:
        id_ = estate.ask(QUESTION, duration=3 if death == "time limit" else 600)
        estate.started(id_)
        assert dtraces(QUESTION)
        if death == "stop":
            estate.requests.ask("dtrace_stop", {"request": id_}, "bert")
        elif death == "sessions killed":
            sshd.kill_sessions()
        elif death == "dtrace killed":
            for p in dtraces(QUESTION):
                p.kill()
        why = estate.ended(id_)
        estate.gone(QUESTION)
        words = {
            "stop": "stopped by bert",
            "time limit": "its time",
            "nobody watches": "nobody has watched it for 2 s",
            "cpu": "of a CPU (bound 0%)",
            "sessions killed": "the link dropped",
            "dtrace killed": "dtrace ended with status",
        }
        assert words[death] in why
        wait_for(lambda: len(estate.events()) >= 2, "both events")
        (who, began), *_, (_, end) = estate.events()
        assert who == "anna"
        assert began.startswith("D question started for ")
        assert words[death] in end


@dtrace
@real.needed
def test_a_start_that_is_stopped_before_its_probes_are_attached_leaves_nothing(tmp_path: Path, sshd: Sshd) -> None:
    with Estate(tmp_path, sshd) as estate:
        for wait in (0.0, 0.3, 1.5):
            id_ = estate.ask(QUESTION)
            if wait:
                wait_for(lambda: processes(QUESTION), "its command has come to the host", 60)
            time.sleep(wait)
            estate.requests.ask("dtrace_stop", {"request": id_}, "bert")
            assert estate.ended(id_, 90) == "box: stopped by bert"
            estate.gone(QUESTION)
        assert not estate.asker.door.runs
        # On a quick machine the probes of the later ones are attached by then: their start is told as well.
        ends = ["D question ended: stopped by bert"] * 3
        wait_for(lambda: [text for _, text in estate.events() if " ended" in text] == ends, "events")


def collector(folder: Path, sshd: Sshd) -> subprocess.Popen[bytes]:
    """`zonescope collect` as a process of its own."""
    o = sshd.link_options("box")
    hosts = folder / "hosts.toml"
    fields = ("address", "port", "user", "identity", "known_hosts", "ssh_config")
    lines = [f"{f} = {getattr(o, f)!r}".replace("'", '"') for f in fields]
    hosts.write_text("[hosts.box]\n" + "\n".join(lines) + '\nsources = ["disk_io"]\ndtrace = ["disk_io"]\n')
    command = [sys.executable, "-m", "zonescope", "collect", str(hosts), "--store", str(folder / "history"), "--child"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)


def up(folder: Path, since: float = 0.0) -> bool:
    """Whether the host's newest row, if it is of after `since`, says so."""
    with contextlib.suppress(FileNotFoundError), Store(folder) as store:
        links = store.latest("links")
        return "up" in set(links["state"][links["time"] > pd.Timestamp(since, unit="s", tz="UTC")])
    return False


def under_way(requests: Requests, id_: str) -> bool:
    """Whether it is neither refused nor ended."""
    request = requests.get(id_)
    return request is not None and request.state in ("asked", "taken", "running")


def running(requests: Requests, id_: str) -> bool:
    request = requests.get(id_)
    assert request
    assert request.state in ("asked", "taken", "running"), request.why
    return request.state == "running"


@dtrace
@real.needed
@pytest.mark.parametrize("death", ["SIGKILL", "SIGSTOP"])
def test_nothing_is_left_after_the_collector_dies(death: str, tmp_path: Path, sshd: Sshd) -> None:
    """SIGSTOP: a collector that hangs for ever reads nothing and watches nothing; the program's own limit ends it."""
    requests = Requests(tmp_path / "history")
    with collector(tmp_path, sshd) as process:
        try:
            wait_for(lambda: up(tmp_path / "history"), "the host is up", 60)
            body = {"hosts": ["box"], "question": QUESTION, "duration": 8}
            id_ = requests.ask("dtrace_start", body, "anna")
            wait_for(lambda: running(requests, id_), "the question runs", 90)
            assert dtraces(QUESTION)
            process.send_signal(getattr(signal, death))
            wait_for(lambda: not processes(QUESTION), "nothing is left", 60)
        finally:
            process.kill()


@dtrace
@real.needed
def test_a_collector_that_is_started_anew_tells_what_ended_and_stores_nothing_twice(tmp_path: Path, sshd: Sshd) -> None:
    folder, since = tmp_path / "history", time.time()
    requests = Requests(folder)

    def asked(begun: float) -> str:
        wait_for(lambda: up(folder, begun), "the host is up", 90)
        id_ = requests.ask("dtrace_start", {"hosts": ["box"], "question": QUESTION, "duration": 120}, "anna")
        wait_for(lambda: running(requests, id_), "the question runs", 120)
        return id_

    def rows() -> pd.DataFrame:
        with Store(folder) as store:
            return store.window("dtrace", since, time.time() + 5, where={"question": [QUESTION]})

    with collector(tmp_path, sshd) as process:
        first = asked(since)
        wait_for(lambda: len(rows()) >= 2, "rows", 30)
        process.kill()
    before = len(rows())
    since_second = time.time() + 1.0
    with collector(tmp_path, sshd) as process:
        try:
            wait_for(lambda: not under_way(requests, first), "what it ran is over", 90)
            request = requests.get(first)
            assert request
            assert (request.state, request.why) == ("ended", "the collector was started anew")
            second = asked(since_second)
            wait_for(lambda: len(rows()) >= before + 3, "rows of the second", 60)
            process.terminate()
            process.wait(60)
        finally:
            process.kill()
    request = requests.get(second)
    assert request
    assert (request.state, request.why) == ("ended", "box: the collector was stopped")
    with Store(folder) as store:
        events = store.events(since, time.time() + 5, kind=["dtrace"])
    assert list(zip(events["who"], events["text"], strict=True)) == [
        ("anna", "D question started for 120 s"),
        ("anna", "D question ended: the collector was started anew"),
        ("anna", "D question started for 120 s"),
        ("anna", "D question ended: the collector was stopped"),
    ]
    stored = rows()
    assert not stored.duplicated(["time"]).any(), "one row an interval: nothing of that size happens"
    assert (stored["time"] > pd.Timestamp(since_second, unit="s", tz="UTC")).sum() >= 3
    wait_for(lambda: not processes(QUESTION), "nothing is left", 60)


@dtrace
@real.needed
def test_a_connection_that_hears_nothing_more_leaves_nothing(tmp_path: Path, sshd: Sshd) -> None:
    """The server's session stands still, as behind a black hole: neither end learns of the other's."""
    with Estate(tmp_path, sshd) as estate:
        id_ = estate.ask(QUESTION, duration=10)
        estate.started(id_)
        sshd.pause()
        try:
            assert "the link dropped" in estate.ended(id_, 60)
            wait_for(lambda: not dtraces(QUESTION), "its limit ends dtrace on the host", 60)
        finally:
            sshd.resume()
        estate.gone(QUESTION)


STUBBORN = """#!/bin/sh
trap '' 1 2 15
echo "zs1 start 1000000000 x $$"
[ "$ZS_DROPS" ] && while :; do echo "dtrace: 5000 drops on CPU 0" >&2; sleep 1; done
while :; do sleep 1; done
"""


@pytest.mark.parametrize("death", ["stop", "sessions killed", "drops"])
def test_a_dtrace_that_minds_no_signal_is_killed(death: str, tmp_path: Path) -> None:
    env = tools(tmp_path / "bin", STUBBORN) | ({"ZS_DROPS": "1"} if death == "drops" else {})
    policy = Policy(drops=1000.0, drops_for=3.0)
    with Sshd(tmp_path, env=env) as server, Estate(tmp_path, server, policy=policy) as estate:
        id_ = estate.ask(QUESTION)
        estate.started(id_)
        if death == "stop":
            estate.requests.ask("dtrace_stop", {"request": id_}, "bert")
        elif death == "sessions killed":
            server.kill_sessions()
        why = estate.ended(id_)
        estate.gone(QUESTION)
        assert {"stop": "bert", "sessions killed": "link", "drops": "records a second (bound 1000)"}[death] in why


def test_the_standing_question_leaves_a_host_alone_that_it_burdens(tmp_path: Path) -> None:
    script = STUBBORN.replace("trap", 'case "$*" in *" -e "*) exit 0; esac\ntrap', 1)
    env = tools(tmp_path / "bin", script) | {"ZS_DROPS": "1"}
    policy = Policy(drops=1000.0, drops_for=3.0)
    with (
        Sshd(tmp_path, env=env) as server,
        Estate(tmp_path, server, policy=policy, sources={"dtrace": SOURCE}) as estate,
    ):
        wait_for(lambda: processes(STANDING.id), "it runs")
        wait_for(lambda: any("D question ended: it dropped" in text for _, text in estate.events()), "it rests", 40)
        estate.gone(STANDING.id)
        stream = estate.engine.hosts["box"].streams["dtrace"]
        assert stream.state == "failed"
        assert "it rests for 10 minutes" in stream.why
        assert stream.restart_at is not None
        assert stream.restart_at > time.monotonic() + 500


def test_no_more_than_allowed_run_at_once_however_they_race(tmp_path: Path) -> None:
    quiet = '#!/bin/sh\necho "zs1 start 1000000000 x $$"\nexec sleep 300\n'
    with (
        Sshd(tmp_path, env=tools(tmp_path / "bin", quiet)) as server,
        Estate(tmp_path, server, policy=Policy(at_once=3)) as estate,
    ):
        questions = [f"disk_io/where=size={n}" for n in range(12)]
        ids: list[str] = []
        askers = [threading.Thread(target=lambda q=q: ids.append(estate.ask(q))) for q in questions]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        wait_for(lambda: all(estate.request(i).state in ("running", "refused") for i in ids), "all are answered")
        states = [estate.request(i).state for i in ids]
        assert (states.count("running"), states.count("refused")) == (3, 9)
        assert all(
            "3 programs are running on box already" in estate.request(i).why for i in ids if estate.request(i).why
        )
        for i in ids:
            estate.requests.ask("dtrace_stop", {"request": i}, "bert")
        wait_for(lambda: all(estate.request(i).state in ("ended", "refused") for i in ids), "all have ended")
        again = estate.ask(questions[0])
        estate.started(again)


def test_starts_and_stops_that_race(tmp_path: Path) -> None:
    """Twice, at once, in both orders, and again while the first is still ending."""
    slow = """#!/bin/sh
trap 'sleep 1; exit 0' 1 2 15
echo "zs1 start 1000000000 x $$"
while :; do sleep 0.1; done
"""
    with Sshd(tmp_path, env=tools(tmp_path / "bin", slow)) as server, Estate(tmp_path, server) as estate:
        first, second = estate.ask(QUESTION, "anna"), estate.ask(QUESTION, "bert")
        estate.started(first)
        estate.started(second)
        assert len(estate.asker.door.runs) == 1
        for who in ("anna", "bert", "carl"):
            estate.requests.ask("dtrace_stop", {"request": first}, who)
        third = estate.ask(QUESTION, "dora")  # while the other one ends
        assert estate.ended(first) == "box: stopped by anna"
        assert estate.ended(second) == "box: stopped by anna", "they shared it"
        estate.started(third)
        assert len(estate.asker.door.runs) == 1
        estate.requests.ask("dtrace_stop", {"request": first}, "anna")  # of one that is over
        time.sleep(1)
        assert estate.request(third).state == "running"
        estate.requests.ask("dtrace_stop", {"request": third}, "dora")
        stopped = estate.ask(QUESTION, "emil")
        estate.requests.ask("dtrace_stop", {"request": stopped}, "emil")  # in the same turn, maybe
        assert estate.ended(third) == "box: stopped by dora"
        assert estate.ended(stopped) in ("box: stopped by emil", "box: stopped by dora")
        estate.gone(QUESTION)
        assert not estate.asker.door.runs
        texts = [text for _, text in estate.events()]
        assert texts.count("D question ended: stopped by anna") == 1
        assert sum(t.startswith("D question ended") for t in texts) >= sum("started" in t for t in texts)


@real.needed
def test_the_first_column_comes_soon(tmp_path: Path, sshd: Sshd, capsys: pytest.CaptureFixture[str]) -> None:
    """No bar: a machine that tests is busy. Printed for the reader."""
    with Estate(tmp_path, sshd) as estate, contextlib.closing(estate.store()) as store:
        began = time.time()
        estate.started(estate.ask("disk_io/by=latency"))
        up = time.time() - began
        wait_for(lambda: len(store.window("dtrace", began - 5, time.time() + 5)), "a row", 30)
        frame = store.window("dtrace", began - 5, time.time() + 5)
        with capsys.disabled():
            print(f"\nattached after {up:.1f} s, first row after {time.time() - began:.1f} s")
    assert 0 < len(frame["counts"].iloc[0]) <= len(bounds(frame["bounds"].iloc[0]))
