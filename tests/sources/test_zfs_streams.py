"""zfs send and receive: what processes and logs say, put together. Whole reports are in tests/recorded/zfs_streams."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from math import isnan
from pathlib import Path

import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.zfs_streams import SOURCE, Streams
from collectors.streams.logs import Log
from collectors.streams.pace import Pace
from collectors.streams.processes import Process, pipelines, process
from tests.zfsfuse import Zfs, zfs  # noqa: F401 (a fixture)

K, M, G = 2**10, 2**20, 2**30
HOUR = "01:00:00"


def ps(command: str, pid: int = 10, parent: int = 9, group: int = 9, zone: str = "global") -> str:
    return f" {pid} {parent} {group} {HOUR} {zone} {command}"


def told(command: str) -> Process:
    p = process(ps(command))
    assert p
    return p


@pytest.mark.parametrize(
    ("command", "side", "dataset", "origin", "to"),
    [
        ("zfs send tank/a@1", "send", "tank/a", "", "1"),
        ("zfs send tank/a 1", "send", "tank/a", "", "1"),  # zfs has put a NUL where the @ was
        ("zfs send -v with space/b 1", "send", "with space/b", "", "1"),
        ("zfs send tank/a", "send", "tank/a", "", ""),
        ("/sbin/zfs send -vRI @1 tank/a@2", "send", "tank/a", "1", "2"),
        ("zfs send -w -i tank/a#mark tank/a@2", "send", "tank/a", "#mark", "2"),
        ("zfs send -t 1-bf31b879a-b8-789c636064", "send", "", "", ""),
        ("zfs send --redact book -i 1 tank/a@2", "send", "tank/a", "1", "2"),
        ("zfs recv -suF mail/a", "receive", "mail/a", "", ""),
        ("zfs receive -o mountpoint=/x -x quota -d mail", "receive", "mail", "", ""),
        ("zfs: sending tank/a b@2 (12%: 1.20G/9.80G)", "send", "tank/a b", "", "2"),
    ],
)
def test_processes(command: str, side: str, dataset: str, origin: str, to: str) -> None:
    p = told(command)
    assert (p.side, p.dataset, p.from_snapshot, p.to_snapshot) == (side, dataset, origin, to)


@pytest.mark.parametrize(
    "command",
    [
        "sh -c zfs send tank/a@1 | zfs receive mail/a",
        "sudo zfs send tank/a@1",
        "zfs list -t snapshot",
        "zfs receive -A mail/a",  # gives a partial receive up
        "ssh ms2 uptime",
        "zfs",
        "vim zfs-send.8",
    ],
)
def test_what_is_no_stream(command: str) -> None:
    assert process(ps(command)) is None


def test_what_is_piped_behind_a_send() -> None:
    lines = [
        ps("zfs send tank/a@1", 11),
        ps("pv -s 12G", 12),
        ps("mbuffer -q -m 1G -l/var/log/a.log -O [fe80::1]:9090", 13),
        ps("zfs send tank/b@1", 21, 20, 20),
        ps("ssh -p 22 -o BatchMode=yes ops@ms2 zfs receive -F mail/b", 22, 20, 20),
    ]
    first, second = pipelines([p for p in map(process, lines) if p])
    assert (first.peer, first.logs, first.expected) == ("fe80::1", ["/var/log/a.log"], 12 * G)
    assert (second.peer, second.logs) == ("ms2", [])


def log(*lines: str) -> Log:
    out = Log()
    for line in lines:
        assert out.read(line), line
    return out


def test_mbuffer_at_the_ends_of_its_scale() -> None:
    full = log("in @  0.0 kiB/s, out @ 5432 kiB/s, 2 x  120 MiB total, buffer 100% full, 12% done")
    assert (full.done, full.rate, full.buffer, full.total) == (120 * M, 5432 * K, 1.0, 1000 * M)
    torn = log("mbuffer: in @  ??? B/s, out @  ??? B/s, 9.8 GiB total, buffer   0% full")
    assert (torn.done, torn.rate, torn.buffer) == (pytest.approx(9.8 * G), None, 0.0)
    assert log("summary: 1.5 GiByte in 1h 02min 03.4sec - average of 98.2 MiB/s, 3x empty").state == "done"


@pytest.mark.parametrize(
    ("line", "done", "rate", "eta", "total"),
    [
        ("1.20GiB 0:00:33 [36.4MiB/s] [=>      ] 12% ETA 0:04:00", 1.2 * G, 36.4 * M, 240, 10 * G),
        ("mail3: 40.0MiB 0:00:02 [21.2MiB/s] [20.0MiB/s] [====>] 69% ETA 1:02:03:04", 40 * M, 21.2 * M, 93784, 58 * M),
        ("15.5GiB 0:02:19 [ 113MiB/s] [=====================>] 100%", 15.5 * G, 113 * M, None, 15.5 * G),
        (" 768kiB 0:00:03 [ 250kiB/s] [   <=>              ]", 768 * K, 250 * K, None, None),
        ("1.00GiB 0:00:33 [36.4MiB/s] [>       ]  3% ETA 0:14:00", 1.0 * G, 36.4 * M, 840, None),  # too round
    ],
)
def test_bars_of_pv(line: str, done: float, rate: float, eta: float | None, total: float | None) -> None:
    found = log(line)
    assert (found.done, found.rate, found.eta) == (pytest.approx(done), pytest.approx(rate), eta)
    assert found.total == (None if total is None else pytest.approx(total, rel=0.01))


def test_syncoid_names_the_streams_that_pv_counts() -> None:
    found = log(
        "INFO: Sending oldest full snapshot tank/a@s1 (~ 88 KB) to new target filesystem:",
        "51.3KiB 0:00:00 [1.10MiB/s] [=================>             ]  58%",
        "INFO: Updating new target filesystem with incremental tank/a@s1 ... s2 (~ 4 KB):",
    )
    assert (found.dataset, found.from_snapshot, found.to_snapshot, found.total) == ("tank/a", "s1", "s2", 4 * K)
    assert found.done is None
    found = log("INFO: Resuming interrupted zfs send/receive from tank/b to mail/b (~ 3.4 GB remaining):")
    assert (found.dataset, found.total) == ("tank/b", pytest.approx(3.4 * G))
    assert log("INFO: Sending incremental tank/a@s1 ... s2 to mail/a (~ UNKNOWN):").total is None


def test_a_recursive_send_counts_all_its_snapshots() -> None:
    heads = [f"send from @{i} to tank/a@{i + 1} estimated size is 1.00G" for i in range(3)]
    found = log(*heads, "total estimated size is 3.00G", "13:05:22   1.10G   tank/a@1", "13:06:22    512M   tank/a@2")
    assert (found.done, found.total) == (pytest.approx(1.6 * G), 3 * G)
    later = log(*heads, "13:07:22   256M   tank/a@3")  # the tail no longer has the others: their estimates stand in
    assert later.done == 2.25 * G


def test_words_that_say_nothing_are_left() -> None:
    assert not Log().read("the quick brown fox")
    assert not Log().read("x" * 5000)


def test_rounded_counts_need_a_longer_window() -> None:
    pace = Pace()
    for i in range(61):  # 20 MiB a second, printed to a tenth of a GiB
        pace.add(5.0 * i, round(20 * M * 5 * i / G, 1) * G, G / 10)
        if 2 <= i < 5:
            assert isnan(pace.rate), "one step of the last digit is no rate"
    assert pace.rate == pytest.approx(20 * M, rel=0.06)
    assert 100 <= pace.span <= 110


def test_a_count_that_falls_starts_anew() -> None:
    pace = Pace()
    for at, done in ((0.0, 100.0), (5.0, 200.0), (10.0, 50.0)):
        pace.add(at, done)
    assert isnan(pace.rate)
    pace.add(15.0, 100.0)
    assert pace.rate == 10.0


def run(parser: Streams, at: int, *lines: str) -> dict[str, dict[str, object]]:
    """The rows of one report by stream."""
    assert parser.feed(f"== begin {at} 2026-11-24 00:00:00", 0.0) == []
    for line in ("ps", *lines):
        parser.feed(line, 0.0)
    batches = parser.feed("== end", 0.0)
    rows = [dict(zip(b.columns, r, strict=True)) for b in batches for r in zip(*b.columns.values(), strict=True)]
    return {str(r["stream"]): r for r in rows}


T = 1_795_478_400


def test_five_minutes_without_a_byte_are_a_stall() -> None:
    parser = Streams(Context("h", "linux", 5.0))
    states = []
    for i in range(70):
        sent = min(i, 4) * 100
        row = run(parser, T + 5 * i, ps(f"zfs: sending tank/a@1 (1%: {sent}M/10.0G)"))["send tank/a"]
        states.append(row["state"])
    assert states[:64] == ["running"] * 64
    assert states[64:] == ["stalled"] * 6
    assert row["rate"] == 0.0
    row = run(parser, T + 350, ps("zfs: sending tank/a@1 (1%: 500M/10.0G)"))["send tank/a"]
    assert row["state"] == "running"


def test_a_stream_that_is_gone_is_told_for_five_minutes() -> None:
    parser = Streams(Context("h", "linux", 5.0))
    run(parser, T, ps("zfs: sending tank/a@1 (10%: 1.00G/10.0G)"), ps("zfs receive mail/b", 12))
    gone = run(parser, T + 5)
    assert {name: r["state"] for name, r in gone.items()} == {"send tank/a": "ended", "receive mail/b": "ended"}
    assert gone["send tank/a"]["done"] == G
    assert run(parser, T + 300)
    assert not run(parser, T + 310)


def test_two_sends_of_one_dataset_are_two_streams() -> None:
    rows = run(Streams(Context("h", "linux", 5.0)), T, ps("zfs send tank/a@1", 11), ps("zfs send tank/a@1", 21, 20, 20))
    assert list(rows) == ["send tank/a", "send tank/a (21)"]


def test_one_log_of_a_pipe_on_one_host_is_the_senders() -> None:
    pipe = [ps("zfs send tank/a 1", 11), ps("mbuffer -l /l/m.log", 12), ps("zfs receive mail/a", 13)]
    grows = ["used mail/a\t{used}", "==> /l/m.log", "in @ 9 MiB/s, out @ 9 MiB/s, {sent}.0 MiB total, buffer  98% full"]
    parser = Streams(Context("h", "linux", 5.0))
    for i in range(4):
        rows = run(parser, T + 5 * i, *pipe, *(g.format(used=i * 5 * M, sent=i * 10) for g in grows))
    assert (rows["send tank/a"]["done"], rows["send tank/a"]["buffer"]) == (30 * M, 0.98)
    assert rows["receive mail/a"]["done"] is None
    assert rows["receive mail/a"]["rate"] == M
    # The sender ends first; its log is not taken over by the receiver.
    rows = run(parser, T + 20, pipe[2], "==> /l/m.log", "summary: 31.0 MiByte in  17.0sec - average of 9 MiB/s")
    assert rows["send tank/a"]["state"] == "done"
    assert rows["receive mail/a"]["done"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# zfs send -v tank/a@1 > /dev/null\nfull send of tank/a@1 estimated size is 18.2G\n"
            "total estimated size is 18.2G\nTIME        SENT   SNAPSHOT tank/a@1\n13:05:22   1.50G   tank/a@1\n^C\n",
            {"stream": "send tank/a", "done": 1.5 * 2**30, "total": 18.2 * 2**30, "to_snapshot": "1"},
        ),
        (
            "in @ 59.8 MiB/s, out @ 59.8 MiB/s, 30.0 MiB total, buffer   0% full\r"
            "in @ 61.0 MiB/s, out @ 59.8 MiB/s, 90.0 MiB total, buffer  10% full\n",
            {"stream": "saved", "done": 90 * 2**20},
        ),
    ],
)
def test_a_log_that_was_saved_alone(text: str, expected: dict[str, object]) -> None:
    row = parse_text(SOURCE.variants[0], f"This is how far it comes:\n{text}and no further.\n")["transfers"].iloc[0]
    assert {column: row[column] for column in expected} == pytest.approx(expected)
    with pytest.raises(ParseError, match="line 1"):
        parse_text(SOURCE.variants[0], "This is how far it comes:\n")


def test_a_line_that_is_nothing_is_refused() -> None:
    with pytest.raises(ParseError, match="line 3"):
        run(Streams(Context("h", "linux", 5.0)), T, "bash: ps: command not found")


# -- the real command on this machine --------------------------------------------------------------------------


@pytest.fixture
def streams(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The Linux variant's command, every second, over the logs in `tmp_path`."""
    linux = next(v for v in SOURCE.variants if "linux" in v.systems)
    ctx = Context("h", "linux", 1.0, {"option:zfs_streams_log": f"{tmp_path}/*.log"})
    assert subprocess.run(["sh", "-c", linux.probe], capture_output=True).returncode == 0
    stream = subprocess.Popen(
        ["sh", "-c", linux.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    yield stream
    os.killpg(stream.pid, 9)
    stream.wait()
    assert stream.stdout
    stream.stdout.close()


def rows_until(stream: subprocess.Popen[str], name: str, state: str, seconds: float = 40.0) -> dict[str, object]:
    """The first row of stream `name` in `state`."""
    parser = getattr(stream, "parser", None) or Streams(Context("h", "linux", 1.0))
    stream.parser = parser  # type: ignore[attr-defined]
    assert stream.stdout
    end = time.monotonic() + seconds
    seen: list[object] = []
    for line in stream.stdout:
        for batch in parser.feed(line.rstrip("\n"), time.time()):
            for values in zip(*batch.columns.values(), strict=True):
                row = dict(zip(batch.columns, values, strict=True))
                seen.append((row["stream"], row["state"], row["done"]))
                if (row["stream"], row["state"]) == (name, state):
                    return row
        assert time.monotonic() < end, seen[-10:]
    raise AssertionError("the command ended")


def test_the_command_finds_processes_and_logs(tmp_path: Path, streams: subprocess.Popen[str]) -> None:
    """Processes with the names of a send; a log with carriage returns, as pv and mbuffer write them."""
    (tmp_path / "m.log").write_bytes(
        b"\rin @ 9 MiB/s, out @ 9 MiB/s, 10.0 MiB total, buffer   0% full"
        b"\rin @ 9 MiB/s, out @ 9 MiB/s, 20.0 MiB total, buffer  50% full"
    )
    (tmp_path / "old.log").write_text("13:05:22   1.00G   tank/old@1\n")
    os.utime(tmp_path / "old.log", (time.time() - 5 * 86400,) * 2)
    names = ["zfs: sending tank/zs a@1 (12%: 1.20G/9.80G)", f"mbuffer -l {tmp_path}/m.log -O ms2:9090"]
    shell = "; ".join(f'(exec -a "{n}" sleep 60) &' for n in names).replace("&;", "&") + " wait"
    fake = subprocess.Popen(["bash", "-c", shell], start_new_session=True)
    try:
        row = rows_until(streams, "send tank/zs a", "running")
        assert (row["done"], row["total"], row["peer"]) == (pytest.approx(1.2 * G), pytest.approx(9.8 * G), "ms2")
        assert (row["buffer"], row["zone"]) == (0.5, "global")
    finally:
        os.killpg(fake.pid, 9)
        fake.wait()
    assert rows_until(streams, "send tank/zs a", "ended")["dataset"] == "tank/zs a"


@pytest.mark.zpool
@pytest.mark.skipif(not shutil.which("mbuffer"), reason="mbuffer is not installed")
def test_a_real_pipe(tmp_path: Path, zfs: Zfs, streams: subprocess.Popen[str]) -> None:  # noqa: F811
    source, mount = zfs.pool(zfs.disk("from", 256))
    target, _ = zfs.pool(zfs.disk("to", 256))
    zfs.run("zfs", "create", f"{source}/mail")
    sent = 40 * M
    (mount / "mail" / "data").write_bytes(os.urandom(sent))
    zfs.run("zfs", "snapshot", f"{source}/mail@1")
    pipe = (
        f"zfs send {source}/mail@1 | mbuffer -q -r 6M -m 4M -l {tmp_path}/m.log "
        f"| zfs receive -v {target}/mail >{tmp_path}/receive.log"
    )
    with subprocess.Popen(["bash", "-c", pipe], start_new_session=True) as running:
        while not (row := rows_until(streams, f"send {source}/mail", "running"))["done"]:
            pass
        assert 0 < float(str(row["done"])) <= 1.02 * sent
        assert (row["dataset"], row["to_snapshot"]) == (f"{source}/mail", "1")
        assert running.wait(60) == 0
    done = rows_until(streams, f"send {source}/mail", "done")
    assert sent < float(str(done["done"])) < 1.1 * sent
    assert rows_until(streams, f"receive {target}/mail", "done")["to_snapshot"] == "1"
