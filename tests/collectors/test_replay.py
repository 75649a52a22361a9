"""What was recorded plays again as it was; what is torn, damaged or hostile is told of with file and line."""

import gzip
import json
import threading
import time
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import zonescope
from collectors import replay
from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.engine import Engine, pairs_fact
from collectors.inventory import load
from collectors.recorder import Recorder
from collectors.replay import OverlapError, Player, RecordingError
from collectors.sources import load as real_sources
from fleet import Fleet
from frames.schemas import SCHEMAS
from frames.store import Store, Writer
from tests.sshd import wait_for

AT = 1_795_449_600.0
OWN = {"links", "source_health", "host_facts"}
"""Tables that the engine and the player write of themselves."""


class Memory:
    """A store that keeps what is appended."""

    def __init__(self) -> None:
        self.frames: list[dict[str, pa.Table]] = []
        self.seconds: list[int] = []

    def append(self, second, frames):
        self.frames.append(dict(frames))
        self.seconds.append(second)
        return len(self.frames)

    def rows(self, table) -> list[dict]:
        return [row for f in list(self.frames) if table in f for row in f[table].to_pylist()]

    def tables(self) -> set[str]:
        return {t for f in self.frames for t in f}


class Pairs:
    """Parser of `begin N`, `end` into host_load.load_1 = N; idle completes `rest N`; stderr `e N` too."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.n, self.open, self.rest = ctx, 0, None, None
        if ctx.facts.get("page_size") == "nonsense":
            raise ValueError("page_size 'nonsense'")

    def feed(self, line: str, at: float) -> list[Batch]:
        self.n += 1
        word, _, number = line.partition(" ")
        if word == "begin":
            self.open = float(number)
        elif word == "rest":
            self.rest = float(number)
        elif word == "end" and self.open is not None:
            value, self.open = self.open, None
            return [Batch("host_load", {"load_1": [value]})]
        else:
            raise ParseError("pairs", self.ctx.host, self.n, line, "is neither")
        return []

    def error(self, line: str, at: float) -> list[Batch]:
        return [Batch("host_load", {"load_1": [float(line.split()[1])]})]

    def idle(self, at: float) -> list[Batch]:
        value, self.rest = self.rest, None
        return [] if value is None else [Batch("host_load", {"load_1": [value]})]

    def end(self, at: float) -> list[Batch]:
        return []


PAIRS = Source("pairs", "", ("host_load",), 1.0, (Variant("v", ("linux",), lambda ctx: "true", Pairs, "true", ""),))
SOURCES = {"pairs": PAIRS}

HEAD = {"kind": "recording", "format": 1, "at": AT, "host": "ms2", "collector": AT, "file": 1}
START = {
    "kind": "start", "at": AT, "run": 1, "source": "pairs", "variant": "v", "os": "linux", "interval": 1.0,
    "offset": 0.0, "facts": {"sysname": "Linux"}, "command": "true",
}  # fmt: skip


def out(second: float, *lines: str, run: int = 1, kind: str = "out") -> dict:
    return {"kind": kind, "at": AT + second, "run": run, "lines": list(lines)}


def write(path: Path, *records: dict | str, packed: bool = True) -> Path:
    data = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def loads(store: Memory) -> list[tuple[float, float]]:
    return [(row["time"].timestamp() - AT, row["load_1"]) for row in store.rows("host_load")]


def play(*paths: Path, **options) -> tuple[Memory, replay.Played]:
    store = Memory()
    return store, Player(paths, SOURCES, **options).play(store)


# -- as it was ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_a_recorded_run_of_a_fleet_plays_again_row_for_row(tmp_path):
    """Six systems' worth of sources over real SSH: every table has the same rows at the same times."""
    store, stop = Memory(), threading.Event()
    sources = real_sources()
    with Fleet(tmp_path / "fleet", "migration", hosts=["ma2", "ms2", "bk1"], options={"record": True}) as fleet:
        recorder = Recorder(tmp_path / "recordings", every=0.5, rotate=5.0, keep_free=0)
        inventory = load(fleet.inventory, sources)
        engine = Engine(inventory, store, sources, tap=recorder.channel, each_beat=[recorder])
        engine.add("host_facts", **pairs_fact(inventory))
        thread = threading.Thread(target=engine.run, args=(stop,), daemon=True)
        thread.start()
        try:
            wait_for(lambda: store.tables() >= {"zpool_iostat", "dtrace", "zone_usage", "host_load"}, "all speak", 60)
            fleet.fault("stop", "ms2")
            wait_for(lambda: engine.hosts["ms2"].state == "down", "one of them is lost")
            fleet.fault("resume", "ms2")
            began = time.time()
            wait_for(lambda: time.time() > began + 10, "ten seconds pass")
        finally:
            cut = time.time() - 1.0
            stop.set()
            thread.join(20)
            recorder.close(5)
    again = Memory()
    played = Player([tmp_path / "recordings"], sources).play(again)
    assert played.hosts == ["bk1", "ma2", "ms2"]
    assert played.files > 3, "the hour's end lies in the middle"
    assert not played.torn
    assert not played.lost
    tables = store.tables() - OWN
    assert len(tables) >= 8
    for table in sorted(tables | again.tables() - OWN):

        def kept(rows):
            return Counter(
                repr(sorted(row.items()))
                for row in rows
                if row["time"].timestamp() < cut and (row.get("kind") not in ("link", "collector"))
            )

        was, now = kept(store.rows(table)), kept(again.rows(table))
        assert now == was, (table, list((now - was) + (was - now))[:3])
    assert {r["host"] for r in again.rows("links") if r["state"] == "up"} == {"bk1", "ma2", "ms2"}

    def facts(rows):
        return {(r["host"], r["fact"], r["value"], r["fix"]) for r in rows}

    assert facts(again.rows("host_facts")) == facts(store.rows("host_facts"))
    assert ("bk1", "os", "linux", "") in facts(again.rows("host_facts"))


def test_times_are_the_recorded_ones(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, *(out(i + 0.1, f"begin {i}", "end") for i in range(3)))
    store, played = play(path)
    assert loads(store) == [(0, 0), (1, 1), (2, 2)]
    assert (played.first, played.last, played.lines) == (AT, AT + 2.1, 6)


def test_facts_are_those_that_were_told_with_pairs_and_fixes(tmp_path):
    pairs = json.dumps({"0": {"source": "ms2", "target": "ms3"}})
    told = {"os": ["linux", ""], "pairs": [pairs, ""], "missing:dtrace": ["no dtrace", "install it"]}
    again = START | {"run": 2, "at": AT + 1, "told": told | {"missing:dtrace": ["", ""]}}
    store, _ = play(write(tmp_path / "a.jsonl", HEAD, START | {"told": told}, again, packed=False))
    got = [(r["fact"], r["value"], r["fix"]) for r in store.rows("host_facts")]
    assert got == [*((f, *v) for f, v in told.items()), ("missing:dtrace", "", "")]


@pytest.mark.parametrize("pairs", ["", "[]", "[1]", '{"0": 1}', '{"0": {"source": "a"}}', "[" * 90_000])
def test_pairs_that_are_none_are_left(tmp_path, pairs):
    store, played = play(write(tmp_path / "a.jsonl", HEAD, START | {"told": {"pairs": [pairs, ""]}}, packed=False))
    assert [r["value"] for r in store.rows("host_facts")] == [pairs]
    assert not played.errors


def test_a_second_has_one_row_of_each_link_whatever_the_order_of_its_records(tmp_path):
    records = [out(i, "begin 1", "end") for i in (1.1, 2.1, 1.9, 2.2)]
    store, _ = play(write(tmp_path / "a.jsonl", HEAD, START, *records, packed=False))
    assert [r["time"].timestamp() - AT for r in store.rows("links")] == [1, 2]


def test_standard_error_and_the_pause_after_a_burst_reach_the_parser(tmp_path):
    idle = {"kind": "idle", "at": AT + 1.2, "run": 1}
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, out(1, "rest 7"), idle, out(2, "e 5", kind="err"))
    assert loads(play(path)[0]) == [(1, 7), (2, 5)]


def test_a_channel_goes_on_over_the_hours_end_and_not_over_a_new_collector(tmp_path):
    a = write(tmp_path / "a.jsonl.gz", HEAD, START, out(1, "begin 1", "end", "begin 2"))
    later = {**HEAD, "at": AT + 2, "file": 2}
    again = {**START, "at": AT + 2, "continues": True}
    b = write(tmp_path / "b.jsonl.gz", later, again, out(2, "end"))
    assert loads(play(a, b)[0]) == loads(play(b, a)[0]) == [(1, 1), (2, 2)]
    other = write(tmp_path / "c.jsonl.gz", {**later, "collector": AT + 1}, again, out(2, "end"))
    store, played = play(a, other)
    assert loads(store) == [(1, 1)]
    assert played.complaints == [f"{other}:3: pairs on ms2: line 1, column 0: is neither: 'end'"]


def test_reports_are_not_joined_over_lost_lines(tmp_path):
    lost = {"kind": "lost", "at": AT + 1, "run": 1, "lines": 3}
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, out(1, "begin 1"), lost, out(2, "end"), out(3, "begin 3", "end"))
    store, played = play(path)
    assert loads(store) == [(3, 3)]
    assert (played.lost, played.errors) == (3, 1)


def test_reports_are_not_joined_over_a_file_that_is_missing_or_torn(tmp_path):
    start = {**START, "continues": True}
    write(tmp_path / "1.jsonl", HEAD, START, out(5, "begin 1", "end", "begin 2"), packed=False)
    write(tmp_path / "2.jsonl", {**HEAD, "file": 2}, start, out(15, "end", "begin 3"), packed=False)
    write(tmp_path / "3.jsonl", {**HEAD, "file": 3}, start, out(25, "end", "begin 4", "end"), packed=False)
    assert loads(play(tmp_path)[0]) == [(5, 1), (15, 2), (24, 3), (25, 4)], "whole files are one stream"
    second = tmp_path / "2.jsonl"
    second.write_bytes(second.read_bytes() + b'{"kind": "out"')
    store, played = play(tmp_path)
    assert (loads(store), played.errors) == ([(5, 1), (15, 2), (25, 4)], 1)
    second.unlink()
    store, played = play(tmp_path)
    assert (loads(store), played.errors) == ([(5, 1), (25, 4)], 1)


def test_a_host_and_a_beginning_can_be_chosen(tmp_path):
    records = [out(i, f"begin {i}", "end") for i in range(1, 5)]
    write(tmp_path / "a.jsonl.gz", HEAD, START, *records)
    write(tmp_path / "b.jsonl.gz", {**HEAD, "host": "ma2"}, START, *records)
    store, played = play(tmp_path, hosts=["ma2"], at=AT + 3)
    assert loads(store) == [(3, 3), (4, 4)]
    assert played.hosts == ["ma2"]
    with pytest.raises(RecordingError, match="'ms9'"):
        Player([tmp_path], SOURCES, hosts=["ms9"])


def test_times_move_to_now_and_the_pace_is_kept(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, *(out(i, f"begin {i}", "end") for i in range(41)))
    began = time.time()
    store, _ = play(path, now=True, speed=20.0)
    assert time.time() - began >= 1.5
    times = [row["time"].timestamp() for row in store.rows("host_load")]
    assert [b - a for a, b in pairwise(times)] == [1.0] * 40
    assert began - 2 <= times[-1] <= time.time() + 2
    assert len(store.frames) > 4


def test_stop_ends_a_playing(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, out(1, "begin 1", "end"), out(50, "begin 2", "end"))
    store, stop = Memory(), threading.Event()
    player = Player([path], SOURCES, speed=1.0)
    thread = threading.Thread(target=lambda: player.play(store, stop))
    thread.start()
    wait_for(lambda: store.rows("host_load"), "the first row")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert loads(store) == [(1, 1)]
    assert (player.played.last, player.played.rest) == (AT + 1, AT + 50)


class Impatient(Memory):
    """Whoever plays into it presses Ctrl-C when it has `most` rows."""

    def __init__(self, stop: threading.Event, most: int) -> None:
        super().__init__()
        self.stop, self.most = stop, most

    def append(self, second, frames):
        if len(self.rows("host_load")) + len(frames.get("host_load", ())) > self.most:
            self.stop.set()
        return super().append(second, frames)


@pytest.mark.parametrize("speed", [None, 2000.0])
def test_what_was_stopped_goes_on_where_it_stopped(tmp_path, speed):
    """Reports that straddle the seconds: what one half has, the other has not, and together they are all."""
    records = [out(i / 2 + 0.2, "end", f"begin {i}") for i in range(1, 400)]
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, out(0, "begin 0"), *records)
    whole, _ = play(path)
    stop = threading.Event()
    first = Impatient(stop, 100)
    played = Player([path], SOURCES, speed=speed).play(first, stop)
    assert 90 <= len(loads(first)) < 130, "no more than ten seconds are gathered"
    assert played.rest == int(played.last) + 1
    then, rest = play(path, at=played.rest)
    assert loads(first) + loads(then) == loads(whole)
    assert [row["time"] for s in (first, then) for row in s.rows("links")] == [r["time"] for r in whole.rows("links")]
    assert rest.rest is None


def test_a_stop_before_the_first_row_plays_nothing(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, out(1, "begin 1", "end"))
    store, stop = Memory(), threading.Event()
    stop.set()
    played = Player([path], SOURCES).play(store, stop)
    assert (store.frames, played.rest, played.last) == ([], AT, AT)


# -- clocks, holes, several of one host --------------------------------------------------------------------


def test_a_clock_that_was_stepped_costs_no_second(tmp_path):
    """The collector's clock: an hour back in the middle, then half a day on. Everything plays, in its order."""
    steps = [(0, 30), (-3600, 30), (43_200, 30)]
    times = [base + i for base, n in steps for i in range(n)]
    records = [out(t + 0.1, f"begin {n}", "end") for n, t in enumerate(times)]
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, *records)
    began = time.monotonic()
    for speed in (None, 100.0):
        store, played = play(path, speed=speed)
        got = loads(store)
        assert [n for _, n in got] == [n for n in range(90) if n not in (30, 31)], "two until the new time is believed"
        assert [t for t, _ in got] == [times[int(n)] for _, n in got]
        assert [played.first - AT, played.last - AT] == pytest.approx([-3599.9, 43_229.1])
    assert time.monotonic() - began < 20, "nobody waits for half a day"


def test_a_clock_stepped_back_goes_into_a_real_history(tmp_path):
    times = [*range(3600, 3660), *range(60)]
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, *(out(t, f"begin {t}", "end") for t in times))
    with Writer(tmp_path / "history") as writer:
        Player([path], SOURCES).play(writer)
        writer.commit()
    with Store(tmp_path / "history") as store:
        held = store.window("host_load", AT - 10, AT + 4000)
        assert len(held) == 118
        assert held["load_1"].tolist() == [*range(2, 60), *range(3600, 3660)]
        assert store.span() == (AT, AT + 3659)


def test_a_copy_of_a_file_plays_once_and_the_longer_one(tmp_path):
    records = [out(i, f"begin {i}", "end") for i in range(1, 7)]
    write(tmp_path / "z.jsonl.gz", HEAD, START, *records)
    write(tmp_path / "a.jsonl.gz", HEAD, START, *records[:3])
    (tmp_path / "z (2).jsonl.gz").write_bytes((tmp_path / "z.jsonl.gz").read_bytes())
    store, played = play(tmp_path)
    assert loads(store) == [(i, i) for i in range(1, 7)]
    assert played.files == 1


def test_two_collectors_that_recorded_one_host_at_once_are_refused(tmp_path):
    records = [out(i, f"begin {i}", "end") for i in range(1, 60)]
    write(tmp_path / "a.jsonl.gz", HEAD, START, *records)
    other = {**HEAD, "collector": AT + 20, "at": AT + 20}
    write(tmp_path / "b.jsonl.gz", other, {**START, "at": AT + 20}, *records[20:])
    write(tmp_path / "c.jsonl.gz", {**other, "host": "ma2"}, {**START, "at": AT + 20}, *records[20:])
    with pytest.raises(RecordingError, match=r"b\.jsonl\.gz:1: two collectors recorded ms2 at 2026-11-2.*a\.jsonl\.gz"):
        Player([tmp_path], SOURCES)
    assert play(tmp_path, hosts=["ma2"])[1].hosts == ["ma2"]


def test_a_collector_that_was_killed_leaves_its_hosts_down(tmp_path):
    write(tmp_path / "a.jsonl.gz", HEAD, START, *(out(i, f"begin {i}", "end") for i in range(1, 10)))
    later = {**HEAD, "host": "ma2", "collector": AT + 5}
    write(tmp_path / "b.jsonl.gz", later, START, *(out(i, f"begin {i}", "end") for i in range(5, 30)))
    links = [
        (row["time"].timestamp() - AT, row["state"]) for row in play(tmp_path)[0].rows("links") if row["host"] == "ms2"
    ]
    assert [t for t, state in links if state == "up"] == list(range(1, 10))
    assert [t for t, state in links if state == "down"] == list(range(10, 30))


def test_a_history_that_has_the_time_already_is_left_alone(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, *(out(i + 0.1, f"begin {i}", "end") for i in range(5)))
    player = Player([path], SOURCES)
    with Store(tmp_path / "history") as store:
        player.refuse_overlap(store)
    with Writer(tmp_path / "history") as writer:
        player.play(writer)
        writer.commit()
    with Store(tmp_path / "history") as store:
        assert len(store.window("host_load", AT - 1, AT + 10)) == 5
        with pytest.raises(OverlapError, match=r"holds ms2 at that time; name another folder$"):
            Player([path], SOURCES).refuse_overlap(store)
    longer = write(tmp_path / "b.jsonl.gz", HEAD, START, *(out(i + 0.1, f"begin {i}", "end") for i in range(9)))
    with Store(tmp_path / "history") as store:
        with pytest.raises(OverlapError, match=r"another folder, or go on with --at 2026-11-23T16:00:05$"):
            Player([longer], SOURCES).refuse_overlap(store)
        player = Player([longer], SOURCES, at=zonescope._time("2026-11-23T16:00:05"))
        player.refuse_overlap(store)
    with Writer(tmp_path / "history") as writer:
        player.play(writer)
    with Store(tmp_path / "history") as store:
        assert store.window("host_load", AT - 1, AT + 10)["load_1"].tolist() == list(range(9))


@pytest.fixture
def logging_as_it_was():
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("logging_as_it_was")
def test_the_command_line_plays_a_file_that_a_person_wrote(tmp_path):
    """Plain JSON lines, real parser: what a bug report may look like."""
    start = {**START, "source": "host_load", "variant": "linux"}
    variant = next(v for v in real_sources()["host_load"].variants if "linux" in v.systems)
    start["variant"] = variant.name
    path = write(tmp_path / "bug.jsonl", HEAD, start, out(1, "what no host says", "\x1b[2J"), packed=False)
    result = CliRunner().invoke(zonescope.app, ["replay", str(path), "--store", str(tmp_path / "history")])
    assert result.exit_code == 0, result.output
    assert "ms2: 2026-11-23 16:00:00 to 2026-11-23 16:00:01 UTC, 2 lines from 1 files" in result.output
    assert "\x1b" not in result.output
    result = CliRunner().invoke(zonescope.app, ["replay", str(path), "--store", str(tmp_path / "history")])
    assert result.exit_code == 1
    assert "already holds ms2" in result.output
    assert CliRunner().invoke(zonescope.app, ["replay", str(path), "--speed", "fast"]).exit_code == 2
    assert CliRunner().invoke(zonescope.app, ["replay", str(path), "--at", "noon"]).exit_code == 2


# -- torn, damaged, hostile --------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_torn_anywhere_plays_to_its_last_whole_record(tmp_path, packed):
    records = [HEAD, START, *(out(i, f"begin {i}", "end") for i in range(1, 30))]
    parts = [(json.dumps(r) + "\n").encode() for r in records]
    # As the recorder writes: a member for each few records.
    members = [b"".join(parts[i : i + 3]) for i in range(0, len(parts), 3)]
    data = b"".join(gzip.compress(m) if packed else m for m in members)
    path = tmp_path / "a.jsonl.gz"
    counts = []
    for size in range(len(gzip.compress(members[0]) if packed else members[0]), len(data), 7):
        path.write_bytes(data[:size])
        store, played = play(path)
        rows = loads(store)
        assert rows == [(i, i) for i in range(1, len(rows) + 1)]
        counts.append((len(rows), bool(played.torn)))
    assert {torn for _, torn in counts} == {True, False}
    assert [n for n, _ in counts] == sorted(n for n, _ in counts)
    assert counts[-1][0] >= 26
    path.write_bytes(data + b"\0" * 4096 if packed else data)
    assert len(loads(play(path)[0])) == 29


def test_a_file_killed_in_its_first_write_stops_no_other(tmp_path):
    write(tmp_path / "a.jsonl.gz", HEAD, START, out(1, "begin 1", "end"))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"kind": "recording"')[:12])
    (tmp_path / "c.jsonl.gz").write_bytes(b"")
    assert loads(play(tmp_path)[0]) == [(1, 1)]
    with pytest.raises(RecordingError, match=r"c\.jsonl\.gz:1: an empty file"):
        Player([tmp_path / "c.jsonl.gz"], SOURCES)


BAD = {
    "not JSON": ([HEAD, "rm -rf /"], 2, "Invalid JSON"),
    "no head": ([START], 1, "first line"),
    "two heads": ([HEAD, HEAD], 2, "first line"),
    "a later format": ([{**HEAD, "format": 2}], 1, "format 2"),
    "a host that climbs": ([{**HEAD, "host": "../../etc"}], 1, "no name of a host"),
    "an unknown kind": ([HEAD, {"kind": "exec", "at": AT, "command": "id"}], 2, "tag"),
    "an unknown key": ([HEAD, {**START, "pickle": "gASV"}], 2, "pickle: Extra inputs"),
    "a key that is missing": ([HEAD, {k: v for k, v in START.items() if k != "os"}], 2, "os: Field required"),
    "an unknown source": ([HEAD, {**START, "source": "os.system"}], 2, "no source 'os.system'"),
    "an unknown variant": ([HEAD, {**START, "variant": "w"}], 2, "no variant 'w'"),
    "another system": ([HEAD, {**START, "os": "beos"}], 2, "not for 'beos'"),
    "an interval of nothing": ([HEAD, {**START, "interval": 0}], 2, "interval"),
    "facts the parser refuses": ([HEAD, {**START, "facts": {"page_size": "nonsense"}}], 2, "refuses the facts"),
    "facts that are no text": ([HEAD, {**START, "facts": {"ncpu": 4}}], 2, "facts.ncpu"),
    "a run out of nowhere": ([HEAD, START, out(1, "begin 1", run=2)], 3, "run 2 has not been started"),
    "a time that is none": ([HEAD, START, '{"kind": "idle", "at": NaN, "run": 1}'], 3, "finite|Invalid JSON|NaN"),
    "a time beyond time": ([HEAD, START, out(1e12, "begin 1")], 3, "at: Input should be less"),
    "lines that are no text": ([HEAD, START, {**out(1), "lines": [1]}], 3, "lines.0"),
    "deep nesting": ([HEAD, "[" * 100_000], 2, "recursion|Invalid JSON"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_recording_is_told_with_file_and_line_before_anything_is_written(tmp_path, name, packed):
    records, line, why = BAD[name]
    path = write(tmp_path / "bad.jsonl.gz", *records, packed=packed)
    with pytest.raises(RecordingError, match=why) as e:
        Player([path], SOURCES)
    assert (e.value.file, e.value.line) == (path, line)
    assert str(e.value).startswith(f"{path}:{line}: ")
    assert len(str(e.value)) < 600


def test_files_that_are_not_there_or_are_something_else(tmp_path):
    with pytest.raises(RecordingError, match="no such file"):
        Player([tmp_path / "none.jsonl.gz"], SOURCES)
    with pytest.raises(RecordingError, match="no recordings"):
        Player([tmp_path], SOURCES)
    with pytest.raises(RecordingError, match="no such file"):
        Player([Path("/dev/zero")], SOURCES)


@pytest.mark.parametrize(
    "break_", [lambda b: b[: len(b) // 2] + b"~~~~" + b[len(b) // 2 + 4 :], lambda b: b"", lambda b: b[40:]]
)
def test_a_damaged_piece_is_left_out_and_told_of(tmp_path, break_):
    begin = gzip.compress(f"{json.dumps(HEAD)}\n{json.dumps(START)}\n".encode())
    members = []
    for i in range(4):
        records = [out(i * 50 + k, f"begin {i * 50 + k}", "end") for k in range(50)]
        members.append(gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode()))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(begin + members[0] + break_(members[1]) + members[2] + b"garbage" + members[3])
    store, played = play(path)
    whole = [k for k in range(200) if not 50 <= k < 100]
    assert [v for _, v in loads(store)] == whole
    assert played.damaged == {path: 1 if break_(members[1]) == b"" else 2}
    assert not played.errors


def test_a_damaged_beginning_is_refused_and_a_run_that_began_in_a_hole_left_out(tmp_path):
    begin = gzip.compress(f"{json.dumps(HEAD)}\n".encode())
    start = bytearray(gzip.compress(f"{json.dumps(START)}\n".encode()))
    start[len(start) // 2] ^= 0xFF
    rest = [out(1, "begin 1", "end"), START | {"run": 2}, out(2, "begin 2", "end", run=2)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(begin + bytes(start) + gzip.compress("".join(json.dumps(r) + "\n" for r in rest).encode()))
    assert loads(play(path)[0]) == [(2, 2)]
    path.write_bytes(bytes(start) + gzip.compress(b"".join(json.dumps(r).encode() + b"\n" for r in [HEAD, *rest])))
    store, played = play(path)
    assert (loads(store), played.damaged) == ([(2, 2)], {path: 1})


class Names:
    """Parser of `name N WORD` once, then reports `= N` … `.`: what it learnt at the beginning it needs for ever. Rates
    are from the second report on."""

    def __init__(self, ctx: Context) -> None:
        self.names: dict[str, str] = {}
        self.nics: list[str] = []
        self.rate: float | None = None

    def feed(self, line: str, at: float) -> list[Batch]:
        word, *rest = line.split()
        if word == "name":
            self.names[rest[0]] = rest[1]
        elif word == "=":
            self.nics.append(self.names.get(rest[0], rest[0]))
        else:
            nics, self.nics = self.nics, []
            rate, self.rate = self.rate, 1.0
            return [Batch("net_io", {"nic": nics, "rx_bytes": [rate] * len(nics)})]
        return []

    def idle(self, at: float) -> list[Batch]:
        return []

    end = idle


def test_what_a_parser_learnt_at_the_beginning_lasts_over_a_hole(tmp_path):
    source = Source("pairs", "", ("net_io",), 1.0, (Variant("v", ("linux",), lambda ctx: "true", Names, "true", ""),))
    report = ["= 0", "= 1", "."]
    records = [
        *(HEAD, START, out(1, "name 0 e0", "name 1 e1", *report), out(2, "= 0")),
        {"kind": "lost", "at": AT + 3, "run": 1, "lines": 5},
        *(out(4, "= 1", "."), out(5, *report)),
        {"kind": "lost", "at": AT + 5.5, "run": 1, "lines": 5},
        *(out(6, *report), out(300, *report)),
    ]
    store = Memory()
    Player([write(tmp_path / "a.jsonl", *records, packed=False)], {"pairs": source}).play(store)
    got = [(row["time"].timestamp() - AT, row["nic"], row["rx_bytes"]) for row in store.rows("net_io")]
    # The halves of a report are not one, and what was counted since before a hole is no rate of a second.
    seen = ((1, None), (5, 1.0), (6, None), (300, 1.0))
    assert got == [(at, nic, rate) for at, rate in seen for nic in ("e0", "e1")]


def test_an_hour_s_file_alone_knows_what_was_printed_before_it(tmp_path):
    source = Source("pairs", "", ("net_io",), 1.0, (Variant("v", ("linux",), lambda ctx: "true", Names, "true", ""),))
    prelude = {"kind": "prelude", "at": AT + 3600, "run": 1, "lines": ["name 0 e0", "name 1 e1", "= 0", "= 1"]}
    records = [START | {"continues": True}, prelude, *(out(3600 + k, "= 0", ".") for k in range(3))]
    path = write(tmp_path / "b.jsonl", HEAD | {"file": 2}, *records, packed=False)
    before = write(tmp_path / "a.jsonl", HEAD, START, out(1, "name 0 eth0"), packed=False)
    for paths, name in (([path], "e0"), ([before, path], "eth0")):
        store = Memory()
        Player(paths, {"pairs": source}).play(store)
        assert {row["nic"] for row in store.rows("net_io")} == {name}


def test_a_bomb_is_refused_without_being_unpacked(tmp_path):
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(pack.compress(b"[" * 1_000_000) for _ in range(300)) + pack.flush()
    assert len(data) < 1_000_000
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="longer than") as e:
        Player([path], SOURCES)
    assert e.value.line == 1


def test_memory_does_not_grow_with_what_claims_to_be_one_second(tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "GATHER_LINES", 100)
    path = write(tmp_path / "a.jsonl.gz", HEAD, START, *[out(1, "end", *["begin 1", "end"] * 20)] * 50)
    store, played = play(path)
    assert (played.lines, len(store.frames) > 10) == (2050, True)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(gzip.compress)))
def test_random_bytes_raise_nothing_else(tmp_path, data):
    path = tmp_path / "r"
    path.write_bytes(data)
    with pytest.raises(RecordingError):
        Player([path], SOURCES)


def test_every_table_shifts_its_times():
    columns = {c.name for s in SCHEMAS.values() for c in s.columns if c.dtype == "time"}
    assert {"time", "creation"} <= columns
    batch = Batch("snapshots", {"dataset": ["p/a"], "snapshot": ["x"], "creation": [1_000_000]}, 50.0)
    moved = replay._shifted(batch, 10.0)
    assert (moved.time, moved.columns["creation"], moved.columns["dataset"]) == (60.0, [11_000_000], ["p/a"])


def test_the_docs_name_every_kind_key_and_option():
    text = (Path(__file__).parents[2] / "docs" / "recording.md").read_text()
    for model in (replay.Head, replay.Start, replay.Prelude, replay.Lines, replay.Idle, replay.Lost, replay.End):
        fields = model.model_fields
        names = [*get_args(fields["kind"].annotation), *fields]
        assert [n for n in names if f"`{n}`" not in text] == []
    for name in ("--store", "--speed", "--host", "--at", "--now"):
        assert f"`{name}" in text
        assert name in CliRunner().invoke(zonescope.app, ["replay", "--help"], env={"COLUMNS": "200"}).output
