"""Real pools without a kernel module: Debian's zfs-fuse (pool version 23, the tools of the Solaris 10 era).

    from tests.zfsfuse import zfs  # a fixture, one daemon per test module
    @pytest.mark.zpool

One daemon serves a whole machine, so a file lock lets one test module at a time use it; those that cannot have it
(not root, no /dev/fuse, no zfs-fuse) are skipped and say why.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

LOCK = Path(tempfile.gettempdir()) / "zs-zfs-fuse.lock"
_numbers = count()


class Zfs:
    """Pools on files in `folder`, which are destroyed at the end. `daemon` is None where it ran before us."""

    def __init__(self, folder: Path, daemon: subprocess.Popen[bytes] | None = None) -> None:
        self.folder, self.daemon = folder, daemon
        self._pools: list[str] = []

    def run(self, *argv: str) -> str:
        """Standard output of `zpool …` or `zfs …`. Raises CalledProcessError with its words."""
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
        return done.stdout

    def patiently(self, *argv: str) -> None:
        """`run` of a command that a pool refuses while it is busy."""
        _patiently(lambda: self.run(*argv))

    def disk(self, name: str, mib: int = 128) -> str:
        """Path of a new sparse file to be a vdev."""
        path = self.folder / name
        with path.open("wb") as f:
            f.truncate(mib << 20)
        return str(path)

    def pool(self, *layout: str, first: bool = False) -> tuple[str, Path]:
        """Name and mount point of a new pool: `pool("mirror", disk("a"), disk("b"))`. `first`: sorts before others."""
        name = f"{'a' if first else ''}zs{os.getpid()}x{next(_numbers)}"
        mount = self.folder / f"mnt-{name}"
        self.run("zpool", "create", "-f", "-m", str(mount), name, *layout)
        self._pools.append(name)
        return name, mount

    def restart(self) -> None:
        """Ends the daemon and starts another, which opens the pools again with what is left of their files."""
        if self.daemon is None:
            pytest.skip("zfs-fuse ran before the tests, so it is not theirs to restart")
        _stop(self.daemon)
        self.daemon = _start()

    def close(self) -> None:
        """Destroys the pools; more may be made afterwards."""
        while self._pools:
            name = self._pools.pop()
            self.patiently("zpool", "destroy", "-f", name)


def _patiently(call: Callable[[], object], seconds: float = 20.0) -> None:
    """A pool just written to is busy for a moment."""
    end = time.monotonic() + seconds
    while True:
        try:
            call()
            return
        except subprocess.CalledProcessError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _answers() -> bool:
    return subprocess.run(["zpool", "list"], capture_output=True, timeout=20).returncode == 0


def _start() -> subprocess.Popen[bytes]:
    """A daemon that answers."""
    daemon = subprocess.Popen(
        ["zfs-fuse", "--no-daemon", "--no-kstat-mount"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 30
    while not _answers():
        if daemon.poll() is not None or time.monotonic() > end:
            _stop(daemon)
            pytest.skip("no real pools: zfs-fuse does not start here")
        time.sleep(0.2)
    return daemon


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(15)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait(15)


def _sweep() -> None:
    """Destroys the pools of test runs that were killed: the daemon remembers them, without their files."""
    names = subprocess.run(["zpool", "list", "-H", "-o", "name"], capture_output=True, text=True, timeout=20).stdout
    for name in names.split():
        m = re.fullmatch(r"a?zs([0-9]+)x[0-9]+", name)
        if m and not Path("/proc", m[1]).exists():
            subprocess.run(["zpool", "destroy", "-f", name], capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def zfs() -> Iterator[Zfs]:
    for why, missing in (
        ("zfs-fuse is not installed (apt-get install zfs-fuse)", not shutil.which("zfs-fuse")),
        ("zfs-fuse needs root", os.geteuid() != 0),
        ("there is no /dev/fuse", not os.access("/dev/fuse", os.R_OK | os.W_OK)),
    ):
        if missing:
            pytest.skip(f"no real pools: {why}")
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon = None if _answers() else _start()
        with tempfile.TemporaryDirectory(prefix="zs", ignore_cleanup_errors=True) as folder:
            pools = Zfs(Path(folder), daemon)
            try:
                _sweep()
                yield pools
            finally:
                try:
                    pools.close()
                finally:
                    if pools.daemon:
                        _stop(pools.daemon)
