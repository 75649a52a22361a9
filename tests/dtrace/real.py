"""The real dtrace, where one runs: ZONESCOPE_DTRACE, else from PATH, else that of a Debian sid chroot."""

from __future__ import annotations

import os
import shutil
import subprocess

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


def compiles(program: str) -> None:
    """Fails with dtrace's own words unless the real compiler takes `program`."""
    command = [DTRACE, "-q", "-e", "-s", "/dev/stdin"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, f"{done.stderr.strip()[-400:]}\n{program[:4000]}"
