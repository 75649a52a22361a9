"""Recordings are plain gzipped JSON lines; a kill, a full disk or a slow one costs lines of them and nothing else."""

import base64
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from collectors.base import Context
from collectors.recorder import Recorder
from collectors.replay import records
from collectors.sources import load as sources
from frames.store import Store
from tests.sshd import Sshd, wait_for

ROOT = Path(__file__).parents[2]
CTX = Context("ms2", "linux", 1.0, {"sysname": "Linux", "ncpu": "4"})
VARIANT = next(v.name for v in sources()["host_load"].variants if "linux" in v.systems)


def channel(recorder: Recorder, host: str = "ms2"):
    return recorder.channel(Context(host, "linux", 1.0, CTX.facts), "host_load", VARIANT, "vmstat 1", 0.0)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl.gz"))


def read(path: Path) -> list[dict]:
    """What replay accepts of a file, as plain dicts; a torn end is allowed."""
    return [record.model_dump() for _, record in records(path, sources(), [])]


def kinds(folder: Path) -> list[str]:
    return [r["kind"] for path in files(folder) for r in read(path)]


def lines(folder: Path) -> list[str]:
    return [line for path in files(folder) for r in read(path) if r["kind"] == "out" for line in r["lines"]]


def noise(n: int) -> str:
    """n characters that do not compress well."""
    return base64.b85encode(random.randbytes(n)).decode()[:n]


class Events:
    """An engine, as far as a recorder needs one."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def event(self, host, kind, what, severity, text, who="zonescope"):
        self.said.append((severity, text))

    def of(self, recorder: Recorder) -> list[tuple[str, str]]:
        recorder(self, time.time())
        return self.said


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "recordings", every=0.05, keep_free=0)
    yield recorder
    recorder.close(5)


def test_standard_tools_read_it(tmp_path, recorder):
    if shutil.which("zcat") is None:
        pytest.skip("zcat is not installed")
    tell = channel(recorder)
    tell("out", 1_795_449_600.123456, ["r b w  swap µ", '"quoted"\t\\', ""])
    tell("err", 1_795_449_601.0, ["vmstat: no such thing"])
    tell("idle", 1_795_449_601.1, [])
    tell("end", 1_795_449_602.0, ["3", "it ended"])
    recorder.close(5)
    (path,) = files(tmp_path)
    assert path.parts[-4:-1] == ("recordings", "ms2", time.strftime("%Y-%m-%d", time.gmtime()))
    text = subprocess.run(["zcat", path], check=True, capture_output=True, text=True).stdout
    head, start, out, err, idle, end = map(json.loads, text.splitlines())
    assert (head["kind"], head["format"], head["host"]) == ("recording", 1, "ms2")
    assert {k: start[k] for k in ("source", "variant", "os", "interval", "offset", "command", "facts")} == {
        "source": "host_load", "variant": VARIANT, "os": "linux", "interval": 1.0, "offset": 0.0,
        "command": "vmstat 1", "facts": {"sysname": "Linux", "ncpu": "4"},
    }  # fmt: skip
    assert (out["at"], out["lines"]) == (1_795_449_600.123456, ["r b w  swap µ", '"quoted"\t\\', ""])
    assert (err["kind"], err["lines"]) == ("err", ["vmstat: no such thing"])
    assert idle == {"kind": "idle", "at": 1_795_449_601.1, "run": start["run"]}
    assert (end["status"], end["why"]) == (3, "it ended")
    assert read(path)[2]["lines"] == out["lines"]


def test_only_its_owner_may_read_it(tmp_path, recorder):
    channel(recorder)
    wait_for(lambda: files(tmp_path), "a file")
    (path,) = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_each_file_of_a_rotation_can_be_read_alone(tmp_path):
    recorder = Recorder(tmp_path, every=0.05, rotate=0.3, keep_free=0)
    tell, ended = channel(recorder), channel(recorder)
    ended("end", time.time(), ["", "stopped"])
    said = 0

    def go_on():
        nonlocal said
        said += 1
        tell("out", time.time(), [str(said)])
        return len(files(tmp_path)) >= 4

    wait_for(go_on, "four files")
    recorder.close(5)
    found = [read(path) for path in files(tmp_path)]
    assert [r[0]["kind"] for r in found] == ["recording"] * len(found)
    assert len({r[0]["collector"] for r in found}) == 1
    assert [r[0]["file"] for r in found] == list(range(1, len(found) + 1))
    run = next(r["run"] for r in found[0] if r["kind"] == "start")
    for later in found[1:]:
        starts = [r for r in later if r["kind"] == "start"]
        assert [(r["run"], r["continues"]) for r in starts] == [(run, True)], "what has ended is not named again"
        first = next(r for r in later if r["kind"] == "prelude")
        assert first["lines"] == [str(i + 1) for i in range(len(first["lines"]))], "what the command said first"
        assert 0 < len(first["lines"]) <= 500
    assert lines(tmp_path) == [str(i) for i in range(1, said + 1)]


def test_a_host_each_has_its_folder(tmp_path, recorder):
    for host in ("ms2", "bk1"):
        channel(recorder, host)("out", 1.0, [host])
    wait_for(lambda: len(files(tmp_path)) == 2, "two files")
    assert {p.parts[-3]: read(p)[-1]["lines"] for p in files(tmp_path)} == {"ms2": ["ms2"], "bk1": ["bk1"]}


SPEAK = """
import sys, time
from pathlib import Path
from collectors.base import Context
from collectors.recorder import Recorder
tell = Recorder(Path(sys.argv[1]), every=0.2, keep_free=0).channel(
    Context("ms2", "linux", 1.0, {}), "host_load", sys.argv[2], "vmstat 1", 0.0)
while True:
    tell("out", time.time(), ["x" * 50])
    time.sleep(0.002)
"""


def test_a_kill_loses_the_newest_moment_only(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", SPEAK, tmp_path, VARIANT], cwd=ROOT)
    try:
        wait_for(lambda: files(tmp_path) and len(lines(tmp_path)) > 300, "it has written several times", 30)
    finally:
        killed = time.time()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    (path,) = files(tmp_path)
    at = [r["at"] for r in read(path)]
    assert killed - at[-1] < 5.0
    assert at == sorted(at)


FULL = """
import base64, json, random, resource, sys, time
from pathlib import Path
from collectors.base import Context
from collectors.recorder import Recorder

class Engine:
    said = []
    def event(self, host, kind, what, severity, text, who="zonescope"):
        self.said.append(text)

def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "too late"
        recorder(Engine(), 0.0)
        time.sleep(0.02)

folder = Path(sys.argv[1])
recorder = Recorder(folder, every=0.05, keep_free=0)
tell = recorder.channel(Context("ms2", "linux", 1.0, {}), "host_load", sys.argv[2], "vmstat 1", 0.0)
tell("out", 1.0, ["before"])
until(lambda: list(folder.rglob("*.gz")))
size = lambda: sum(p.stat().st_size for p in folder.rglob("*.gz"))
was = size()
resource.setrlimit(resource.RLIMIT_FSIZE, (was + 100, resource.RLIM_INFINITY))
tell("out", 2.0, [base64.b85encode(random.randbytes(500)).decode(), "lost too"])
until(lambda: Engine.said)
assert size() == was, "half a member was left behind"
started = recorder.channel(Context("ms2", "linux", 1.0, {}), "host_load", sys.argv[2], "while full", 0.0)
started("out", 2.5, [base64.b85encode(random.randbytes(500)).decode()])
time.sleep(0.3)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
tell("out", 3.0, ["after"])
started("out", 3.0, ["of the second"])
until(lambda: len(Engine.said) == 2)
recorder.close(5)
print(json.dumps(Engine.said))
"""


def test_a_full_disk_is_an_event_and_a_hole_that_is_marked(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path, VARIANT], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    stopped, goes_on = json.loads(run.stdout.splitlines()[-1])
    assert stopped == "recording has stopped: File too large"
    assert goes_on == "recording goes on; 3 lines were not recorded"
    assert run.stderr.count("cannot record") + run.stdout.count("cannot record") == 1
    first, second = (read(path) for path in files(tmp_path))
    assert [r["kind"] for r in first] == ["recording", "start", "out"]
    assert [(r["run"], r["lines"]) for r in second if r["kind"] == "lost"] == [(1, 2), (2, 1)]
    assert [r["command"] for r in second if r["kind"] == "start"] == ["vmstat 1", "while full"]
    assert lines(tmp_path) == ["before", "after", "of the second"]


def test_a_disk_with_little_left_is_left_to_the_history(tmp_path):
    recorder = Recorder(tmp_path / "recordings", every=0.05, keep_free=1 << 60)
    events = Events()
    channel(recorder)
    wait_for(lambda: events.of(recorder), "it says so")
    assert events.said == [("warn", f"recording has stopped: less than {1 << 40} MiB are left on the disk")]
    recorder.close(5)
    assert not files(tmp_path)


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path):
    (tmp_path / "recordings").write_text("in the way")
    recorder = Recorder(tmp_path / "recordings", every=0.05, keep_free=0)
    events = Events()
    tell = channel(recorder)
    wait_for(lambda: events.of(recorder), "it says so")
    (tmp_path / "recordings").unlink()
    tell("out", 1.0, ["x"])
    wait_for(lambda: len(events.of(recorder)) == 2, "it goes on")
    recorder.close(5)
    assert lines(tmp_path) == ["x"]


def test_a_file_taken_away_is_begun_anew(tmp_path, recorder):
    tell = channel(recorder)
    wait_for(lambda: files(tmp_path), "a file")
    files(tmp_path)[0].unlink()
    said = 0

    def go_on():
        nonlocal said
        said += 1
        tell("out", 1.0, [str(said)])
        return files(tmp_path)

    wait_for(go_on, "another file")
    recorder.close(5)
    assert kinds(tmp_path)[:2] == ["recording", "start"]
    assert lines(tmp_path)[-1] == str(said)


def test_the_oldest_go_when_there_are_too_many(tmp_path):
    budget = 60_000
    recorder = Recorder(tmp_path, every=0.02, keep_bytes=budget, keep_free=0)
    tell, events, said = channel(recorder), Events(), 0

    def go_on():
        nonlocal said
        said += 1
        tell("out", 1.0, [f"{said}", noise(2_000)])
        return len(events.of(recorder)) >= 3

    wait_for(go_on, "three clearings", 60)
    recorder.close(5)
    assert events.said[0][0] == "info"
    assert sum(p.stat().st_size for p in files(tmp_path)) <= budget
    kept = [int(line) for line in lines(tmp_path) if line.isdecimal()]
    assert 1 not in kept
    assert kept == list(range(kept[0], said + 1))


def test_what_memory_does_not_hold_is_counted(tmp_path):
    recorder = Recorder(tmp_path, every=600.0, keep_free=0, hold=1_000)
    tell = channel(recorder)
    tell("out", 1.0, ["held"])
    for i in range(10):
        tell("out", 2.0 + i, ["x" * 2_000, "and a second"])
    tell("out", 20.0, ["held again"])
    tell("end", 21.0, ["0", "it ended"])
    recorder.close(5)
    (path,) = files(tmp_path)
    assert [(r["kind"], r.get("lines")) for r in read(path)[2:]] == [
        ("out", ["held"]),
        ("lost", 20),
        ("out", ["held again"]),
        ("end", None),
    ]


def test_telling_waits_for_no_disk(tmp_path, monkeypatch):
    """The disk hangs for as long as the test likes; telling goes on, and so does closing."""
    hanging = SimpleNamespace(entered=False, over=False)

    def hang(*args, **kwargs):
        hanging.entered = True
        while not hanging.over:
            time.sleep(0.02)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("collectors.recorder.os.open", hang)
    recorder = Recorder(tmp_path, every=0.02, keep_free=0, hold=10_000)
    tell = channel(recorder)
    wait_for(lambda: hanging.entered, "the disk hangs")
    for _ in range(1_000):
        tell("out", 1.0, ["x" * 100])
    recorder.close(0.1)
    assert recorder._held <= 10_000
    hanging.over = True
    wait_for(lambda: not recorder._thread.is_alive(), "its thread ends")


@pytest.mark.sshd
def test_collect_records_and_replay_tells_the_same(tmp_path):
    """The two commands, over a real sshd, as an operator would run them."""
    store, again = tmp_path / "history", tmp_path / "again"
    with Sshd(tmp_path) as server:
        o = server.link_options("box")
        (tmp_path / "hosts.toml").write_text(
            f'[hosts.box]\naddress = "{o.address}"\nport = {o.port}\nuser = "{o.user}"\nidentity = "{o.identity}"\n'
            f'known_hosts = "{o.known_hosts}"\nssh_config = "{o.ssh_config}"\nrecord = true\n'
            'sources = ["host_load", "disk_io"]\n'
        )
        command = [sys.executable, "-m", "zonescope"]
        collect = subprocess.Popen(
            [*command, "collect", str(tmp_path / "hosts.toml"), "--store", str(store)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        try:
            with Store(store) as live:
                wait_for(lambda: len(live.window("host_load", 0, 2**32)) >= 6, "six samples", 40)
        finally:
            cut = time.time() - 2.0
            collect.terminate()
            collect.wait(10)
    replay = subprocess.run(
        [*command, "replay", str(store / "recordings"), "--store", str(again)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert replay.returncode == 0, replay.stderr
    assert replay.stdout.startswith("box: ")
    with Store(store) as was, Store(again) as now:
        for table in ("host_load", "disk_io"):
            rows = was.window(table, 0, cut)
            assert len(rows) >= 3
            assert now.window(table, 0, cut).equals(rows)
