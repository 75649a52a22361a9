"""The real dtrace, where one runs: ZONESCOPE_DTRACE, else from PATH, else that of a Debian sid chroot."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

CHROOT = "/tmp/dtrace-chroot/dtrace"
DTRACE = (
    os.environ.get("ZONESCOPE_DTRACE")
    or shutil.which("dtrace", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    or (CHROOT if os.access(CHROOT, os.X_OK) else "")
)

needed = pytest.mark.skipif(
    not DTRACE or os.getuid() != 0,
    reason="no real dtrace: set ZONESCOPE_DTRACE to its command and run as root",
)


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Every CPU at work: under Linux a profile or tick probe does not fire on one that idles."""
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def compiles(program: str) -> None:
    """Fails with dtrace's own words unless the real compiler takes `program`."""
    command = [DTRACE, "-q", "-e", "-s", "/dev/stdin"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, f"{done.stderr.strip()[-400:]}\n{program[:4000]}"
