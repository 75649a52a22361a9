"""CPU times of dtraces: what systems print, and what the real kernel here says of a process that burns."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from collectors.dtrace import cost


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("  4711    0:01", (4711, 1.0)),
        ("20341    00:02", (20341, 2.0)),
        ("7 12:34", (7, 754.0)),
        ("7  1-02:03:04", (7, 93784.0)),
        ("  801 0:01.25", (801, 1.25)),
        ("77 (dtrace) S 1 1 1 0 -1 4194304 96 0 0 0 250 50 0 0 20 0 1 0 1200935", (77, 3.0)),
        ("77 (a) b (c) R 1 1 1 0 -1 4194304 96 0 0 0 7 0 0 0 20 0 1 0 1200935", (77, 0.07)),
        ("", None),
        ("  PID     TIME", None),
        ("77 (dtrace) S 1 1", None),
        ("77 <defunct>", None),
    ],
)
def test_lines(line: str, found: tuple[int, float] | None) -> None:
    assert cost.read(line) == (pytest.approx(found) if found else None)


def test_rates() -> None:
    spent = cost.Counted(60.0)
    for now, seconds in ((0, 4.0), (10, 5.0), (20, 5.0), (30, 6.0)):
        assert spent.rate(15) is None or now >= 20
        spent.add(now, seconds)
    assert spent.rate(15) == pytest.approx(0.05)
    assert spent.rate(31) is None
    assert cost.share(spent, "illumos") == pytest.approx(0.05)  # over 20 s: whole seconds are all that ps tells
    assert cost.share(spent, "linux") == pytest.approx(0.1)
    spent.add(100, 20.0)
    assert spent.rate(1) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_burning_process_of_linux() -> None:
    burn = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        command = cost.command("linux", [child.pid, 2**22 + 1, os.getpid()])
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        child.kill()
    assert done.stderr == ""
    found = dict(filter(None, map(cost.read, done.stdout.splitlines())))
    assert set(found) == {child.pid, os.getpid()}
    assert 0.45 <= found[child.pid] < 2.0
