"""The Linux forms of the kernel-side sources, run on this machine over a real sshd: a row a second, nothing left."""

from __future__ import annotations

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
        wait_for(lambda: not processes(), "every loop to end with its command", 10)
        link.close()
    assert not said, "nothing on stderr"
    load = [b.columns for _, b in got["host_load"] if b.table == "host_load"]
    uptimes = [row["uptime"][0] for row in load]
    assert uptimes == sorted(set(uptimes))
    assert all(0 <= row["cpu_idle"][0] <= row["ncpu"][0] for row in load[1:])
    net = [b.columns for _, b in got["host_load"] if b.table == "net_io"]
    lo = [row["rx_bytes"][row["nic"].index("lo")] for row in net]
    assert max(lo[1:]) > 0, "the connection itself goes over lo"
