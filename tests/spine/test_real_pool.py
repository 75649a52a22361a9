"""A real zpool, a real sshd, the collector and the history: bytes agree, intervals arrive when they are printed."""

import subprocess
import threading
import time

import pytest

from collectors.engine import Engine
from collectors.inventory import load
from collectors.sources import load as sources
from frames.store import Store, Writer
from tests.sshd import Sshd, wait_for
from tests.zfsfuse import zfs  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.zpool, pytest.mark.sshd]

SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def printed(cell: str) -> tuple[float, float]:
    """(value, rounding step) of a size as zpool prints it: an independent reading of '1.37M', '349K', '0'."""
    unit = cell[-1] if cell[-1] in SIZES else ""
    digits = cell.removesuffix(unit)
    places = len(digits.partition(".")[2])
    return float(digits) * SIZES[unit], SIZES[unit] / 10**places if unit else 0.5


class Peer:
    """A second `zpool iostat POOL 1`, run here, each line with the time it came."""

    def __init__(self, pool: str) -> None:
        self.lines: list[tuple[float, list[str]]] = []
        self.pool = pool
        self.process = subprocess.Popen(["zpool", "iostat", pool, "1"], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            fields = line.split()
            if fields and fields[0] == self.pool:
                self.lines.append((time.time(), fields))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(5)


def test_bytes_in_the_history_agree_with_a_second_zpool_iostat(tmp_path, zfs):  # noqa: F811
    pool, mount = zfs.pool("raidz", *(zfs.disk(f"d{i}") for i in range(4)), "log", zfs.disk("log"))
    with Sshd(tmp_path) as server, Writer(tmp_path / "store") as writer:
        o = server.link_options("box")
        (tmp_path / "hosts.toml").write_text(
            f'[hosts.box]\naddress = "127.0.0.1"\nport = {o.port}\nuser = "{o.user}"\nidentity = "{o.identity}"\n'
            f'known_hosts = "{o.known_hosts}"\nssh_config = "{o.ssh_config}"\nsources = ["zpool_iostat"]\n'
        )
        stop, store = threading.Event(), Store(tmp_path / "store")
        engine = Engine(load(tmp_path / "hosts.toml"), writer, sources())
        loop = threading.Thread(target=engine.run, args=(stop,))
        loop.start()
        peer = Peer(pool)
        try:

            def rows():
                return store.window("zpool_iostat", 0, time.time() + 60, where={"pool": [pool], "vdev": [""]})

            wait_for(lambda: len(rows()) >= 2, "two seconds of the pool", 60)
            subprocess.run(
                ["dd", "if=/dev/urandom", f"of={mount}/load", "bs=1M", "count=48", "conv=fsync"],
                check=True,
                capture_output=True,
            )
            done = time.time()
            wait_for(lambda: rows()["time"].max().timestamp() > done + 2, "the write is over", 60)
        finally:
            peer.close()
            stop.set()
            loop.join()
        got = rows()
        everything = store.window("zpool_iostat", 0, time.time() + 60, where={"pool": [pool]})

    ours = float(got["write_bytes"].sum())
    first, last = got["time"].min().timestamp(), got["time"].max().timestamp()
    theirs = [printed(f[6]) for at, f in peer.lines[1:] if first - 1.5 <= at <= last + 0.5]
    assert len(theirs) >= 4
    # Two streams that are not in step cut the same bytes into other seconds: the sums agree, within the rounding of
    # every printed value and of ours.
    rounding = sum(step for _, step in theirs) / 2 + float(got["bytes_step"].fillna(1).sum()) / 2
    total = sum(value for value, _ in theirs)
    assert total > 32 * 1024**2
    assert ours == pytest.approx(total, abs=rounding + 0.03 * total)
    # Every vdev has rows of its own: the raidz, its four disks and the log (which these tools list among the others).
    assert "raidz1" in set(everything["kind"])
    written = everything[everything["kind"] == "disk"].groupby("device")["write_bytes"].sum()
    assert {name.rsplit("/", 1)[-1] for name in written.index} == {"d0", "d1", "d2", "d3", "log"}
    assert (written[[name for name in written.index if not name.endswith("log")]] > 4 * 1024**2).all()


def test_each_interval_arrives_within_a_fifth_of_a_second_of_being_printed(tmp_path, zfs):  # noqa: F811
    """The command stamps each line as it prints it, the link when it came; both clocks are this machine's."""
    from collectors.links import Sink, make_link

    pool, _ = zfs.pool(zfs.disk("single"))
    stamp = "while read l; do echo `date +%s.%N` $l; done"
    came: list[tuple[float, float]] = []
    with Sshd(tmp_path) as server:
        link = make_link(server.link_options("box"))
        link.connect()
        try:

            def lines(at: float, got: list[str]) -> None:
                came.extend((float(line.split()[0]), at) for line in got)

            running = link.start(f"zpool iostat {pool} 1 | {stamp}", Sink(lines))
            wait_for(lambda: len(came) >= 12, "a dozen lines", 60)
            running.stop()
        finally:
            link.close()
    lags = sorted(at - printed_at for printed_at, at in came)
    assert lags[len(lags) // 2] < 0.2
