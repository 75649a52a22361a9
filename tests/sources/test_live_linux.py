"""The Linux forms of the kernel-side sources, run on this machine over a real sshd: a row a second, nothing left.

A known load comes out as its known number: CPU time of a busy loop, bytes over lo, bytes past the page cache.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from collectors.base import Batch, Context
from collectors.links import Sink, make_link
from collectors.sources import disk_io, host_load, mail_activity, zone_usage
from tests.sshd import Sshd, wait_for

pytestmark = pytest.mark.sshd

SOURCES = (disk_io.SOURCE, host_load.SOURCE, zone_usage.SOURCE, mail_activity.SOURCE)
TICK = 0.53


def processes() -> set[int]:
    """Our loops and their sleeps: an interval that nobody else uses tells them apart."""
    return {p.pid for p in psutil.process_iter(["cmdline"]) if f"sleep {TICK:g}" in " ".join(p.info["cmdline"] or [])}


def test_four_sources_over_one_connection(tmp_path: Path) -> None:
    got: dict[str, list[tuple[float, Batch]]] = {s.name: [] for s in SOURCES}
    said: list[str] = []
    with Sshd(tmp_path) as server:
        link = make_link(server.link_options("here"))
        link.connect()
        running = []
        for source in SOURCES:
            ctx = Context("here", "linux", TICK)
            variant = source.variants_for("linux")[0]
            status, _, err = link.run(variant.probe)
            assert status == 0, err
            parser = variant.parser(ctx)

            def lines(at: float, lines: list[str], parser: Any = parser, name: str = source.name) -> None:
                got[name] += [(at, b) for line in lines for b in parser.feed(line, at)]

            running.append(link.start(variant.command(ctx), Sink(lines, errors=lambda at, lines: said.extend(lines))))
        wait_for(lambda: sum(b.table == "host_load" for _, b in got["host_load"]) >= 8, "eight rows", 30)
        for r in running:
            r.stop()
        wait_for(lambda: not processes(), "every loop to end with its command", 30)
        link.close()
    assert not said, "nothing on stderr"
    load = [b.columns for _, b in got["host_load"] if b.table == "host_load"]
    uptimes = [row["uptime"][0] for row in load]
    assert uptimes == sorted(set(uptimes))
    assert all(0 <= row["cpu_idle"][0] <= row["ncpu"][0] for row in load[1:])
    net = [b.columns for _, b in got["host_load"] if b.table == "net_io"]
    lo = [row["rx_bytes"][row["nic"].index("lo")] for row in net]
    assert max(lo[1:]) > 0, "the connection itself goes over lo"


def sent_over_lo(size: int) -> None:
    """`size` bytes through a TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def receive() -> None:
            with server.accept()[0] as c:
                while c.recv(1 << 20):
                    pass

        reader = threading.Thread(target=receive)
        reader.start()
        with socket.create_connection(server.getsockname()) as c:
            c.sendall(bytes(size))
        reader.join()


def written_past_the_cache(path: Path, size: int) -> None:
    """`size` bytes with O_DIRECT, as dd oflag=direct does it. Raises OSError where the file system has none."""
    with mmap.mmap(-1, 1 << 20) as block:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
        try:
            for _ in range(size >> 20):
                os.write(fd, block)
        finally:
            os.close(fd)


def device_of(path: Path) -> str | None:
    """The disk that holds a path, by its number; None where it is on none."""
    number = os.stat(path).st_dev
    there = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not there.exists():
        return None
    disk = there.resolve()
    return (disk.parent if (disk / "partition").exists() else disk).name


BUSY = "import os, time\nos.sched_setaffinity(0, {0})\nwhile time.process_time() < 1.5: sum(range(100_000))\n"


def test_a_known_load_comes_out_as_its_known_number(tmp_path: Path) -> None:
    sums = {"cpu_user": 0.0, "lo": 0.0, "disk": 0.0}
    seen = {"host_load": 0, "disk_io": 0}
    last: dict[str, float] = {}
    disk = device_of(tmp_path)

    def add(at: float, batches: list[Batch]) -> None:
        for b in batches:
            c = b.columns
            if b.table == "host_load":
                last["span"] = c["uptime"][0] - last.get("uptime", c["uptime"][0])
                last["uptime"] = c["uptime"][0]
                sums["cpu_user"] += c["cpu_user"][0] * last["span"] if c["cpu_user"][0] == c["cpu_user"][0] else 0.0
            elif b.table == "net_io" and "lo" in c["nic"]:
                rate = c["rx_bytes"][c["nic"].index("lo")]
                sums["lo"] += rate * last["span"] if rate == rate else 0.0
            elif b.table == "disk_io" and disk in c["device"]:
                rate = c["write_bytes"][c["device"].index(disk)]
                sums["disk"] += rate * TICK if rate == rate else 0.0
            if b.table in seen:
                seen[b.table] += 1

    with Sshd(tmp_path) as server:
        link = make_link(server.link_options("here"))
        link.connect()
        before = (psutil.cpu_times(), psutil.net_io_counters(pernic=True)["lo"].bytes_recv)
        running = []
        for source in (host_load.SOURCE, disk_io.SOURCE):
            variant = source.variants_for("linux")[0]
            parser = variant.parser(Context("here", "linux", TICK))

            def lines(at: float, lines: list[str], parser: Any = parser) -> None:
                add(at, [b for line in lines for b in parser.feed(line, at)])

            running.append(link.start(variant.command(Context("here", "linux", TICK)), Sink(lines)))
        wait_for(lambda: seen["host_load"] >= 2 and seen["disk_io"] >= 2, "both to run", 30)
        subprocess.run([sys.executable, "-c", BUSY], check=True)
        sent_over_lo(200 << 20)
        direct = disk is not None
        try:
            written_past_the_cache(tmp_path / "direct", 64 << 20)
        except OSError:
            direct = False
        settled = {name: n + 2 for name, n in seen.items()}
        wait_for(lambda: all(seen[n] >= settled[n] for n in seen), "the last intervals", 30)
        for r in running:
            r.stop()
        link.close()
        after = (psutil.cpu_times(), psutil.net_io_counters(pernic=True)["lo"].bytes_recv)
    spent = sum(getattr(after[0], mode) - getattr(before[0], mode) for mode in ("user", "nice"))
    assert 1.4 <= sums["cpu_user"] <= spent + 0.1, "no less than the loop's, no more than the machine's"
    assert sums["lo"] * 1.001 >= 200 << 20
    assert sums["lo"] <= (after[1] - before[1]) * 1.001
    if direct:
        assert sums["disk"] >= 0.9 * (64 << 20)
