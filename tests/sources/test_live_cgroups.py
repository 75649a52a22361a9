"""A container made of this machine's own control groups, watched over a real sshd: its cap holds, and it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Batch, Context
from collectors.links import Sink, make_link
from collectors.sources.zone_usage import SOURCE
from tests.sshd import Sshd, wait_for

pytestmark = pytest.mark.sshd

ROOT = Path("/sys/fs/cgroup")
VARIANT = next(v for v in SOURCE.variants if v.name == "cgroups")
M = 2**20
LIMITS = {
    "cpu.max": "20000 100000",
    "cpu.cfs_quota_us": "20000",
    "memory.max": str(64 * M),
    "memory.limit_in_bytes": str(64 * M),
}
"""A fifth of a CPU and 64 MiB, in the words of both hierarchies."""


class Container:
    """A group under docker/ in every hierarchy and controller that lets us make one, with a busy loop in it."""

    def __init__(self) -> None:
        self.id = os.urandom(32).hex()
        self.busy: list[subprocess.Popen[bytes]] = []
        self.made: list[Path] = []
        roots = [ROOT] if (ROOT / "cgroup.controllers").exists() else [p for p in ROOT.glob("*") if not p.is_symlink()]
        for root in roots:
            path = root / "docker" / self.id
            if root.name == "cpuset":  # takes no process before it has CPUs
                continue
            with contextlib.suppress(OSError):
                if root == ROOT:
                    (root / "docker").mkdir(exist_ok=True)
                    for where in (root, root / "docker"):
                        (where / "cgroup.subtree_control").write_text("+cpu +memory +pids")
                path.mkdir(parents=True)
                self.made.append(path)
                for file, value in LIMITS.items():
                    if (path / file).exists():
                        (path / file).write_text(value)

    def capped(self) -> bool:
        return any((p / f).exists() for p in self.made for f in ("cpu.max", "cpu.cfs_quota_us"))

    def start(self) -> None:
        self.busy = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(2)]
        for path in self.made:
            for process in self.busy:
                (path / "cgroup.procs").write_text(str(process.pid))

    def stop(self) -> None:
        for process in self.busy:
            process.kill()
            process.wait()
        for path in self.made:
            for _ in range(100):
                try:
                    path.rmdir()
                    break
                except OSError:
                    time.sleep(0.02)
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        self.made = []


@pytest.fixture
def container() -> Iterator[Container]:
    container = Container()
    yield container
    container.stop()


def test_a_container_at_its_cap_and_its_end(container: Container, tmp_path: Path) -> None:
    if not container.capped():
        pytest.skip("this machine lets nobody make a control group with a CPU limit")
    got: list[Batch] = []
    said: list[str] = []
    ctx = Context("here", "linux", 1.0)
    parser = VARIANT.parser(ctx)
    name = container.id[:12]

    def rows() -> list[dict[str, Any]]:
        usage = [b.columns for b in got if b.table == "zone_usage" and name in b.columns["zone"]]
        return [{c: values[u["zone"].index(name)] for c, values in u.items()} for u in usage]

    def events() -> list[str]:
        return [t for b in got if b.table == "events" for t in b.columns["text"] if name in t]

    with Sshd(tmp_path) as server:
        link = make_link(server.link_options("here"))
        link.connect()
        status, _, err = link.run(VARIANT.probe)
        assert status == 0, err

        def lines(at: float, lines: list[str]) -> None:
            got.extend(b for line in lines for b in parser.feed(line, at))

        running = link.start(VARIANT.command(ctx), Sink(lines, errors=lambda at, lines: said.extend(lines)))
        wait_for(lambda: len(rows()) >= 1, "the container without a process", 30)
        container.start()
        wait_for(lambda: len([r for r in rows() if r["cpu"] > 0.1]) >= 4, "four seconds of use", 60)
        container.stop()
        wait_for(lambda: events(), "its end", 30)
        running.stop()
        link.close()
    assert not said, "nothing on stderr"
    assert events() == [f"container {name} is gone (was running)"]
    last = max(rows(), key=lambda r: float(r["nproc"]) + float(r["cpu"] if r["cpu"] == r["cpu"] else 0))
    assert last["brand"] == "docker"
    assert last["cpu_cap"] == 0.2
    assert last["cpu"] == pytest.approx(0.2, abs=0.1), "two busy loops get what the cap lets them"
    assert 0 < last["cpu_above_cap"] <= 1
    assert last["nproc"] == 2
    assert (last["rss_cap"], last["rss"]) == (64 * M, pytest.approx(2 * M, abs=4 * M))
