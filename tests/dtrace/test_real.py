"""A real dtrace over a real sshd: a known load comes out as its known number, and nothing is left running."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.base import Batch, Context, ParseError
from collectors.dtrace import blocks, compose, framing
from collectors.links import Link, Sink, make_link
from collectors.sources.dtrace import SOURCE
from frames.metrics import question
from frames.questions import Field, Question
from frames.schemas import bounds
from tests.dtrace import real
from tests.dtrace.estate import processes
from tests.sshd import Sshd, wait_for

pytestmark = [pytest.mark.dtrace, pytest.mark.sshd, real.needed]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "dtrace").symlink_to(real.DTRACE)
    with Sshd(tmp_path, env={"PATH": f"{tools}:{os.environ['PATH']}"}) as server:
        yield server


@pytest.fixture
def link(sshd: Sshd) -> Iterator[Link]:
    link = make_link(sshd.link_options("box"))
    link.connect()
    yield link
    link.close()


class Asked:
    """A question running on the host; its batches as they come."""

    def __init__(self, link: Link, q: Question, limit: int = 60) -> None:
        self.question = q
        self.parser = framing.FrameParser(Context("box", "linux", 1.0), q)
        self.batches: queue.Queue[Batch] = queue.Queue()
        self.ended: list[tuple[int | None, str]] = []
        self.late: list[float] = []
        self.running = link.start(
            compose.command(compose.program(q, "linux", limit=limit)),
            Sink(lines=self._lines, errors=self._errors, closed=lambda status, why: self.ended.append((status, why))),
        )

    def _lines(self, at: float, lines: list[str]) -> None:
        for line in lines:
            for batch in self.parser.feed(line, at):
                self.late.append(at - (batch.time or 0.0))
                self.batches.put(batch)

    def _errors(self, at: float, lines: list[str]) -> None:
        for line in lines:
            self.parser.error(line, at)

    def started(self) -> None:
        wait_for(lambda: self.parser.running or self.ended, "dtrace has attached its probes", 90)
        assert self.parser.running, (self.ended, self.parser.complaints)

    def total(self, keys: list[str], at_least: int, seconds: float = 20.0) -> int:
        """Events of `keys` over all intervals until there are `at_least`, and one interval more."""
        total, end, more = 0, time.monotonic() + seconds, 1
        while more >= 0:
            assert time.monotonic() < end, f"{total} of {at_least} events of {keys}: {self.parser.complaints}"
            try:
                batch = self.batches.get(timeout=1.0)
            except queue.Empty:
                continue
            columns = batch.columns
            assert columns["drops"][0] == 0
            for row, value, counts in zip(columns["keys"], columns["value"], columns["counts"], strict=True):
                if row == keys:
                    total += sum(counts) if counts is not None else int(value)
            more -= total >= at_least
        return total

    def stop(self) -> None:
        self.running.stop()
        wait_for(lambda: self.ended, "the command has ended")
        wait_for(lambda: not processes(self.question.id), "no process of it is left on the host")


def test_a_loop_of_getpid_is_counted_exactly(link: Link) -> None:
    calls = 12_345
    loop = f"import os, time, sys; sys.stdin.readline(); [os.getppid() for _ in range({calls})]; time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", loop], stdin=subprocess.PIPE, text=True) as child:
        asked = Asked(link, question(f"syscalls/by=syscall,pid/where=and(pid={child.pid},syscall=getppid)"))
        asked.started()
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
        assert asked.total(["getppid", str(child.pid)], calls) == calls
        asked.stop()
        child.kill()


@pytest.mark.flaky(reruns=2)  # a block that the file system lays over two extents is two smaller I/Os
def test_direct_writes_of_dd_are_counted_and_timed(link: Link, tmp_path: Path) -> None:
    writes, size = 400, 65_536
    with subprocess.Popen(
        ["sh", "-c", f"read go; exec dd if=/dev/zero of={tmp_path}/f bs={size} count={writes} oflag=direct"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as dd:
        # By the process that started the I/O, so that other work on the disk is not counted.
        asked = Asked(link, question(f"disk_io/by=pid,operation,latency/where=and(pid={dd.pid},size={size})"))
        asked.started()
        assert dd.stdin
        dd.stdin.write("\n")
        dd.stdin.flush()
        assert asked.total([str(dd.pid), "write"], writes) == writes
        assert dd.wait() == 0
        asked.stop()
    # Printed and here within a fraction of a second of the interval's end.
    assert sorted(asked.late)[len(asked.late) // 2] < 1.0


def test_starts_and_ends_of_processes_are_counted(link: Link, tmp_path: Path) -> None:
    runs = 25
    program = tmp_path / "zs_true"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    starts = Asked(link, question("process_starts/by=execname/where=execname=zs_true"))
    exits = Asked(link, question("process_exits/by=execname,reason,runtime/where=execname=zs_true"))
    starts.started()
    exits.started()
    for _ in range(runs):
        subprocess.run([program], check=True)
    assert starts.total(["zs_true"], runs) == runs
    assert exits.total(["zs_true", "exited"], runs) == runs
    starts.stop()
    exits.stop()


DAEMON = """
import ctypes, os
ctypes.CDLL(None).prctl(15, {name!r})
while got := os.read(0, 65536):
    last = got.strip().split(b"\\r\\n")[-1].split()
    os.write(1, {answers!r}.get(last[min(1, len(last) - 1)], {other!r}))
"""


def spoken(name: bytes, answers: dict[bytes, bytes], other: bytes) -> subprocess.Popen[bytes]:
    """A process of that name that answers what is written to it by its second word, or its only one."""
    code = DAEMON.format(name=name, answers=answers, other=other)
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def say(daemon: subprocess.Popen[bytes], *packets: bytes) -> None:
    """Each is answered before the next is sent."""
    assert daemon.stdin
    assert daemon.stdout
    for packet in packets:
        daemon.stdin.write(packet)
        daemon.stdin.flush()
        os.read(daemon.stdout.fileno(), 65536)


def test_imap_commands_are_told_by_name_and_no_mail_is(link: Link) -> None:
    with spoken(b"imapd", {b"APPEND": b"+ go ahead\r\n", b"IDLE": b"+ idling\r\n"}, b"a OK\r\n") as imapd:
        asked = Asked(link, question("imap_commands/by=pid,command,latency"))
        asked.started()
        say(imapd, b"a0 NOOP\r\n")  # it reads this since before the probes were there
        for n in range(20):
            say(imapd, b"a2 APPEND INBOX {30}\r\n", b"Subject: nobody's business\r\n\r\n")
            say(imapd, b"a3 UID FETCH 1:* (FLAGS)\r\n", b"%d uid search all\r\n" % n, b"a4 IDLE\r\n", b"DONE\r\n")
            say(imapd, b"From a man of whom there is nothing to tell here whatsoever\r\n")
        pid, found = str(imapd.pid), {}
        for command in ("APPEND", "UID FETCH", "UID search", "IDLE"):
            found[command] = 0
        end = time.monotonic() + 20
        while sum(found.values()) < 100 and time.monotonic() < end:
            columns = asked.batches.get(timeout=10).columns
            for keys, counts in zip(columns["keys"], columns["counts"], strict=True):
                if keys[:1] == [pid] and keys[1] != "NOOP":
                    found[keys[1]] = found.get(keys[1], 0) + sum(counts)
        asked.stop()
        imapd.kill()
    assert found == {"APPEND": 20, "UID FETCH": 20, "UID search": 20, "IDLE": 20, "a": 20}


def test_lmtp_deliveries_are_told_from_data_on(link: Link) -> None:
    answers = {b"DATA": b"250 2.1.0 ok\r\n" * 30 + b"354 go ahead\r\n", b"FROM:<>": b"250 2.1.0 ok\r\n"}
    with spoken(b"lmtpd", answers, b"452 4.2.2 over quota\r\n250 2.1.5 ok\r\n") as lmtpd:
        asked = Asked(link, question("lmtp_deliveries/by=pid,reply,latency"))
        asked.started()
        say(lmtpd, b"MAIL FROM:<>\r\n")  # it reads this since before the probes were there
        for _ in range(15):
            # As Postfix says it, all at once; and as others do, one by one.
            say(lmtpd, b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@b.example>\r\n" * 29 + b"DATA\r\n", b"body\r\n.\r\n")
            say(lmtpd, b"MAIL FROM:<>\r\n", b"DATA\r\n", b"body\r\n.\r\n")
        assert asked.total([str(lmtpd.pid), "452"], 30) == 30
        asked.stop()
        lmtpd.kill()


def test_the_standing_source_follows_an_idle_host(link: Link) -> None:
    """An idle CPU fires no tick under Linux: intervals must come all the same, one a second."""
    (variant,) = SOURCE.variants_for("linux")
    status, _, err = link.run(f"({variant.probe}) >/dev/null", timeout=60)
    assert status == 0, err
    ctx = Context("box", "linux", 1.0)
    parser = variant.parser(ctx)
    batches: list[Batch] = []

    def lines(at: float, new: list[str]) -> None:
        for line in new:
            batches.extend(parser.feed(line, at))

    running = link.start(variant.command(ctx), Sink(lines=lines))
    wait_for(lambda: len(batches) >= 6, "six intervals", 60)
    running.stop()
    times = [b.time or 0.0 for b in batches[:6]]
    assert 4.5 < times[-1] - times[0] < 6.5
    assert all(set(b.columns["agg"]) == {"lquantize"} for b in batches)
    wait_for(lambda: not processes("disk_io/by=device,latency"), "no process of it is left on the host")


@pytest.mark.parametrize("steps", [2, 4, 8, 16])
def test_a_value_falls_into_its_step_of_its_power_of_two(steps: int) -> None:
    """The composed arithmetic, run by a real dtrace: below the steps, at their borders, at the ends of 64 bits."""
    name = f"log2:{steps}"
    powers = [s << t for t in (0, 1, 7, 17, 31, 32, 40, 46) for s in (steps, steps + 1)]
    values = sorted({-5, 0, 1, 3, 123_456_789, 2**48, 2**63 - 1, *powers, *(p - 1 for p in powers)})
    field = Field("x", "numeric", "", unit="ns", bounds=name)
    clauses = []
    for v in values:
        before, counted = compose.quantized(field, compose.literal(v), [])
        clauses.append(f"dtrace:::BEGIN {{ {' '.join(before)} @q[(int64_t)({compose.literal(v)})] = {counted}; }}")
    end = 'dtrace:::BEGIN { exit(0); } dtrace:::END { printa("key %d%@d", @q); }'
    done = subprocess.run(
        [real.DTRACE, "-q", "-s", "/dev/stdin"], input="\n".join([*clauses, end]), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    got: dict[int, list[blocks.Bucket]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("key "):
            rows = got[int(line[4:])] = []
        elif found := blocks.row(line):
            rows.append(found)
    lower = bounds(name)
    for v in values:
        counts = blocks.indices(got.pop(v), steps).counts
        place = max(bisect_right(lower, v) - 1, 0)
        assert counts == [0] * place + [1], v
    assert not got


def test_a_time_limit_ends_it_on_the_host_itself(link: Link) -> None:
    asked = Asked(link, question("thread_samples/by=mode"), limit=2)
    asked.started()
    wait_for(lambda: asked.ended, "it has ended by itself", 90)
    assert asked.ended[0][0] == 0
    assert asked.batches.qsize() == 2


@pytest.mark.parametrize("death", ["the link closes", "the server's session is killed"])
def test_a_severed_link_leaves_no_dtrace(link: Link, sshd: Sshd, death: str) -> None:
    q = question("syscalls/by=execname")
    asked = Asked(link, q)
    asked.started()
    assert processes(q.id)
    if death == "the link closes":
        link.close()
    else:
        sshd.kill_sessions()
    wait_for(lambda: not processes(q.id), "no process of it is left on the host")


def test_a_process_named_like_the_marks_is_a_key_like_any_other(link: Link) -> None:
    name, calls = "é\nzs1 end 1 2", 4_321
    loop = (
        f"import ctypes, os, sys, time; ctypes.CDLL(None).prctl(15, {name.encode()!r}); sys.stdin.readline();"
        f"[os.getppid() for _ in range({calls})]; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", loop], stdin=subprocess.PIPE, text=True) as child:
        asked = Asked(link, question(f"syscalls/by=execname,syscall/where=and(pid={child.pid},syscall=getppid)"))
        asked.started()
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
        assert asked.total([name, "getppid"], calls) == calls
        asked.stop()
        child.kill()


def test_fifty_thousand_keys_and_a_dtrace_that_is_killed_among_them(link: Link, tmp_path: Path) -> None:
    keys = 50_000
    loop = f"import os, time; f = os.open({str(tmp_path / 'f')!r}, os.O_CREAT | os.O_RDWR); end = time.time() + 150\n"
    loop += f"while time.time() < end:\n time.sleep(0.5)\n for i in range({keys}): os.lseek(f, i, 0)"
    with subprocess.Popen([sys.executable, "-c", loop]) as child:
        program = compose.fold(
            [
                *compose.begin("many keys", 1),
                f"syscall::lseek:entry /pid == {child.pid}/ {{ @q[arg1] = count(); }}",
                *compose.frame("#%d count=%@d", "linux", 1, 60),
            ]
        )
        parser = framing.FrameParser(Context("box", "linux", 1.0), framing.Expected("many keys", "count"))
        batches: list[Batch] = []
        wrong: list[ParseError] = []
        ended: list[tuple[int | None, str]] = []

        def lines(at: float, new: list[str]) -> None:
            for line in new:
                try:
                    batches.extend(parser.feed(line, at))
                except ParseError as e:
                    wrong.append(e)

        def errors(at: float, new: list[str]) -> None:
            for line in new:
                parser.error(line, at)

        running = link.start(
            compose.command(program),
            Sink(lines=lines, errors=errors, closed=lambda status, why: ended.append((status, why))),
        )
        wait_for(lambda: running.dropped or ended or any(b.columns["drops"][0] for b in batches), "the flood", 120)
        assert not ended, parser.complaints
        for p in processes("many keys"):
            if p.name() == "dtrace":
                p.kill()
        wait_for(lambda: ended, "the command has ended", 30)
        running.stop()
        child.kill()
    # More lines than the link takes in a second cost their interval; more keys than are kept are counted as lost. What
    # is shown is a whole interval all the same.
    assert running.dropped or any(b.columns["drops"][0] for b in batches)
    for b in batches:
        found = {keys[0] for keys in b.columns["keys"] if keys}
        assert len(found) == sum(map(bool, b.columns["keys"])) <= 10_000
        assert b.columns["drops"][0] or len(found) < 10_000
    assert all(e.line_no and e.column for e in wrong)
    wait_for(lambda: not processes("many keys"), "no process of it is left on the host")
