"""The engine over real sshds: a host that dies, hangs, refuses or talks nonsense costs itself and nothing else."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pyarrow as pa
import pytest

from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.engine import Engine, Stream, _fix, rebooted
from collectors.inventory import load
from frames.schemas import SCHEMAS, to_pandas
from tests.sshd import Sshd, processes, wait_for

pytestmark = pytest.mark.sshd


class Count:
    """Parser of `sample N` lines into host_load.load_1; 'boom' is a ParseError, 'bug' a bug."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.n = ctx, 0

    def feed(self, line: str, at: float) -> list[Batch]:
        self.n += 1
        if "bug" in line:
            raise ZeroDivisionError("a parser's bug")
        word, _, number = line.partition(" ")
        if word != "sample":
            raise ParseError("count", self.ctx.host, self.n, line, "is no sample")
        return [Batch("host_load", {"load_1": [float(number)]})]

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return []


def source(command: str, name: str = "count", probe: str = "true", fix: str = "") -> Source:
    systems = ("linux",)
    return Source(name, "", ("host_load",), 1.0, (Variant("v", systems, lambda ctx: command, Count, probe, fix),))


COUNT = "i=0; while :; do i=`expr $i + 1`; echo sample $i; sleep {interval}; done"


class Memory:
    """A store that keeps what is appended, and may refuse."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, dict[str, pa.Table]]] = []
        self.refuse = False

    def append(self, second, frames):
        if self.refuse:
            raise OSError("No space left on device")
        self.frames.append((second, frames))
        return len(self.frames)

    def rows(self, table, **where):
        tables = [f[table] for _, f in list(self.frames) if table in f]
        frame = to_pandas(pa.concat_tables(tables)) if tables else SCHEMAS[table].frame()
        for column, value in where.items():
            frame = frame[frame[column] == value]
        return frame


class Bench:
    """Two hosts behind two real sshds, an engine in a thread."""

    def __init__(self, tmp_path: Path) -> None:
        self.servers = {name: Sshd(tmp_path / name) for name in ("ma1", "ms1")}
        self.store = Memory()
        self.stop = threading.Event()
        self.path = tmp_path / "hosts.toml"
        self.thread: threading.Thread | None = None

    def run(self, sources: dict[str, Source], *, hosts: str = "") -> Engine:
        text = ""
        for name, server in self.servers.items():
            server.start()
            o = server.link_options(name)
            text += f'[hosts.{name}]\naddress = "{o.address}"\nport = {o.port}\nuser = "{o.user}"\n'
            text += f'identity = "{o.identity}"\nknown_hosts = "{o.known_hosts}"\nssh_config = "{o.ssh_config}"\n'
            text += f"sources = {list(sources)}\n"
        self.path.write_text(text + hosts)
        engine = Engine(load(self.path, sources), self.store, sources)
        self.thread = threading.Thread(target=engine.run, args=(self.stop,), daemon=True)
        self.thread.start()
        return engine

    def close(self) -> None:
        self.stop.set()
        if self.thread:
            self.thread.join(10)
            assert not self.thread.is_alive()
        for server in self.servers.values():
            server.stop()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def newest(store: Memory, host: str) -> float:
    rows = store.rows("host_load", host=host)
    return rows["time"].max().timestamp() if len(rows) else 0.0


def test_seconds_arrive_one_by_one_on_whole_seconds(bench):
    bench.run({"count": source(COUNT.format(interval=1))})
    wait_for(lambda: len(bench.store.rows("host_load", host="ma1")) >= 5, "five samples", 20)
    rows = bench.store.rows("host_load", host="ma1")
    assert (rows["load_1"].diff().dropna() == 1).all()
    assert (rows["time"].diff().dropna().dt.total_seconds() == 1.0).all()
    assert set(bench.store.rows("links")["state"]) >= {"up"}


def test_a_killed_sshd_is_a_gap_of_one_host_and_comes_back(bench):
    bench.run({"count": source(COUNT.format(interval=1))})
    wait_for(lambda: newest(bench.store, "ma1") and newest(bench.store, "ms1"), "both hosts speak", 20)
    bench.servers["ma1"].stop()
    killed = time.time()

    def down():
        links = bench.store.rows("links", host="ma1", state="down")
        return len(links) and links["time"].min().timestamp()

    assert wait_for(down, "ma1 is down") - killed <= 5.0
    before = newest(bench.store, "ma1")
    time_of_other = newest(bench.store, "ms1")
    wait_for(lambda: newest(bench.store, "ms1") >= time_of_other + 4, "the other host goes on")
    bench.servers["ma1"].start()
    wait_for(lambda: newest(bench.store, "ma1") > before, "ma1 speaks again", 20)
    times = bench.store.rows("host_load", host="ma1")["time"].map(lambda t: t.timestamp())
    assert times.diff().max() >= 4.0
    others = bench.store.rows("host_load", host="ms1")["time"].map(lambda t: t.timestamp())
    assert others.diff().dropna().max() <= 2.0
    texts = list(bench.store.rows("events", host="ma1")["text"])
    assert any("link down" in t for t in texts)
    assert texts[-1] == "link up again"
    assert len(bench.store.rows("events", host="ms1")) == 1


def test_a_half_open_connection_is_noticed(bench):
    bench.run({"count": source(COUNT.format(interval=1))})
    wait_for(lambda: newest(bench.store, "ma1") and newest(bench.store, "ms1"), "both hosts speak", 20)
    bench.servers["ma1"].pause()
    wait_for(lambda: len(bench.store.rows("links", host="ma1", state="down")), "ma1 is down")
    reason = bench.store.rows("links", host="ma1", state="down")["reason"].iloc[0]
    assert reason
    before = newest(bench.store, "ma1")
    wait_for(lambda: newest(bench.store, "ma1") > before, "ma1 speaks on a new connection", 30)


def test_nonsense_and_a_parsers_bug_cost_their_lines_only(bench):
    bad = "i=0; while :; do i=`expr $i + 1`; echo boom '<b>x</b>'; echo bug; echo sample $i; sleep 1; done"
    bench.run({"bad": source(bad, "bad"), "count": source(COUNT.format(interval=1))})
    wait_for(lambda: len(bench.store.rows("host_load", host="ma1")) >= 6, "samples of both", 20)

    def complaint():
        rows = bench.store.rows("source_health", host="ma1", source="bad")
        return rows["errors"].sum() >= 2 and list(rows["why"])

    assert "ZeroDivisionError" in wait_for(complaint, "errors are counted", 20)[0]
    told = bench.store.rows("source_health", host="ma1", source="bad").query("errors > 0").iloc[0]
    assert told["command"] == bad
    assert "zonescope parse bad" in told["fix"]
    assert not bench.store.rows("source_health", host="ma1", source="count")["errors"].any()


def test_a_source_that_has_nothing_to_tell_is_well(tmp_path):
    path = tmp_path / "hosts.toml"
    path.write_text('[hosts.ma1]\nsources = ["idle", "nonsense", "mute"]\n')
    sources, store = {n: source("true", n) for n in ("idle", "nonsense", "mute")}, Memory()
    engine = Engine(load(path, sources), store, sources)
    run = engine.hosts["ma1"]
    run.state = "up"
    ctx, variant = Context("ma1", "linux", 1.0, {}), sources["idle"].variants[0]
    for name, errors in (("idle", 0), ("nonsense", 4), ("mute", 0)):
        stream = Stream(name, variant, ctx, Count(ctx), None, 1, time.monotonic() - 60)
        stream.lines, stream.errors = 0 if name == "mute" else 4, errors
        run.streams[name] = stream
    engine._health_rows()
    engine.flush()
    rows = store.rows("source_health")
    assert dict(zip(rows["source"], rows["state"], strict=True)) == {
        "idle": "ok",
        "nonsense": "starting",
        "mute": "starting",
    }


def test_lines_that_a_link_dropped_are_told_once(tmp_path):
    path = tmp_path / "hosts.toml"
    path.write_text('[hosts.ma1]\nsources = ["count"]\n')
    sources, store = {"count": source("true")}, Memory()
    engine = Engine(load(path, sources), store, sources)
    ctx = Context("ma1", "linux", 1.0, {})
    stream = Stream("count", sources["count"].variants[0], ctx, Count(ctx), None, 1, 0.0)
    engine.hosts["ma1"].streams["count"] = stream
    told = []
    for running, refused in ((SimpleNamespace(dropped=7), 0), (SimpleNamespace(dropped=9), 1), (None, 0)):
        stream.running, stream.refused = running, refused
        engine._health_rows()
        engine.flush()
        told.append(store.rows("source_health")["dropped"].iloc[-1])
    assert told == [7.0, 3.0, 0.0]


@pytest.mark.parametrize(("line", "fix"), [("r/s 0,5 w/s 1,25", "LC_ALL=C"), ("r/s ? at 12:30", "zonescope parse")])
def test_decimal_commas_have_a_fix_of_their_own(line, fix):
    ctx = Context("ms2", "solaris10", 1.0, {})
    stream = Stream("disk_io", source("iostat").variants[0], ctx, Count(ctx), None, 1, 0.0)
    stream.complaint = str(ParseError("disk_io", "ms2", 3, line, "is no number, or two: it has a 1,5"))
    assert fix in _fix(stream)
    stream.complaint = ""
    assert _fix(stream) == ""


def test_what_ends_is_started_again_and_what_is_missing_says_how_to_mend_it(bench):
    short = source("echo sample 1; sleep 1; echo sample 2; echo going >&2; exit 3", "short")
    absent = source("true", "absent", probe="test -x /no/such/dtrace", fix="usermod -K defaultpriv=… ops")
    bench.run({"short": short, "absent": absent})
    wait_for(lambda: len(bench.store.rows("host_load", host="ma1", load_1=1.0)) >= 2, "started twice", 30)
    assert any("short ended: going" in t for t in bench.store.rows("events", host="ma1")["text"])
    facts = bench.store.rows("host_facts", host="ma1", fact="missing:absent")
    assert list(facts["fix"]) == ["usermod -K defaultpriv=… ops"]


def test_a_changed_host_key_is_refused_with_its_fix_and_the_other_host_collects(bench):
    other = bench.servers["ms1"]
    bench.run({"count": source(COUNT.format(interval=1))})
    wait_for(lambda: newest(bench.store, "ma1"), "ma1 speaks", 20)
    lines = bench.servers["ma1"].known_hosts.read_text().split()
    foreign = other.known_hosts.read_text().split()
    bench.servers["ma1"].known_hosts.write_text(" ".join([lines[0], *foreign[1:]]) + "\n")
    bench.servers["ma1"].kill_sessions()
    refused = wait_for(lambda: len(bench.store.rows("links", host="ma1", state="refused")), "ma1 is refused", 30)
    assert refused
    reason = bench.store.rows("links", host="ma1", state="refused")["reason"].iloc[-1]
    assert "ssh-keygen -R" in reason
    at = newest(bench.store, "ms1")
    wait_for(lambda: newest(bench.store, "ms1") > at, "the other host goes on")


def test_a_store_that_refuses_loses_nothing_while_memory_lasts(bench):
    bench.run({"count": source(COUNT.format(interval=1))})
    wait_for(lambda: newest(bench.store, "ma1"), "ma1 speaks", 20)
    bench.store.refuse = True
    held = time.time()
    wait_for(lambda: time.time() > held + 3, "three seconds pass")
    bench.store.refuse = False
    wait_for(lambda: newest(bench.store, "ma1") > held + 4, "it goes on", 20)
    times = bench.store.rows("host_load", host="ma1")["time"].map(lambda t: t.timestamp())
    assert times.diff().dropna().max() <= 2.0


def test_the_end_leaves_nothing_on_the_host(bench):
    bench.run({"count": source("echo sample 1; exec sleep 98765.4321")})
    wait_for(lambda: len(processes("98765.4321")) == 2, "the commands run", 20)
    began = time.monotonic()
    bench.stop.set()
    assert bench.thread
    bench.thread.join(5)
    assert time.monotonic() - began < 5
    wait_for(lambda: not processes("98765.4321"), "nothing is left")


@pytest.mark.parametrize(
    ("before", "after", "is_reboot"),
    [
        ("1795449600", "1795449600", False),
        ("1795449600", "1795449601", False),
        ("1795449600", "1795449595", False),
        ("1795449600", "1795449700", True),
        ("1795449600", "", False),
        ("", "1795449600", False),
        ("1795449600", "unknown", False),
    ],
)
def test_a_boot_time_that_wobbles_is_no_reboot(before, after, is_reboot):
    assert rebooted({"boot_time": before} if before else {}, {"boot_time": after} if after else {}) is is_reboot


class Rebooting:
    """A link to a host whose boot time is another at each connection; it ends when it is told to."""

    boots: ClassVar[list[int]] = []
    links: ClassVar[list["Rebooting"]] = []

    def __init__(self, options):
        self.options, self.alive, self.broken, self.facts = options, False, "", {}

    def connect(self):
        self.boot, self.alive = self.boots[len(self.links)], True
        self.links.append(self)

    def run(self, command, timeout=20.0):
        return 0, f"sysname=Linux\nboot_time={self.boot}\nprobe:count:v=0\n", ""

    def start(self, command, sink, *, limits=None, pty=False):
        return SimpleNamespace(stop=lambda: None, dropped=0)

    def close(self):
        self.alive = False


def test_a_reboot_while_the_link_was_down_is_an_event_and_a_wobble_is_none(tmp_path):
    Rebooting.boots, Rebooting.links = [1_795_449_600, 1_795_449_603, 1_795_450_000, 1_795_450_000], []
    path = tmp_path / "hosts.toml"
    path.write_text('[hosts.bk1]\nsources = ["count"]\n')
    sources, store, stop = {"count": source("true")}, Memory(), threading.Event()
    engine = Engine(load(path, sources), store, sources, link=Rebooting)
    thread = threading.Thread(target=engine.run, args=(stop,), daemon=True)
    thread.start()
    try:
        for n in (1, 2, 3):
            wait_for(lambda n=n: len(Rebooting.links) == n and engine.hosts["bk1"].state == "up", f"connection {n}", 20)
            Rebooting.links[-1].alive = False
            wait_for(lambda: engine.hosts["bk1"].state == "down", "it is down")
        wait_for(lambda: len(Rebooting.links) == 4, "the last connection", 20)
    finally:
        stop.set()
        thread.join(10)
    assert len(store.rows("events", kind="reboot")) == 1
