"""The sources' own commands against real pools, in the states that can be made real here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from collectors.base import Batch, Context, Source
from collectors.sources import zfs_list, zpool_iostat, zpool_list, zpool_status
from tests.sshd import wait_for
from tests.zfsfuse import Zfs, zfs

__all__ = ["zfs"]
pytestmark = [pytest.mark.zpool]


@contextmanager
def collecting(source: Source, variant: str, interval: float = 1.0) -> Iterator[Queue[tuple[float, Batch]]]:
    """Runs the variant's command in sh and yields its batches, each with the time at which it was read."""
    chosen = next(v for v in source.variants if v.name == variant)
    ctx = Context("here", "solaris10", interval)
    assert subprocess.run(["sh", "-c", chosen.probe], capture_output=True).returncode == 0, "the probe fails here"
    process = subprocess.Popen(
        ["sh", "-c", chosen.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser = chosen.parser(ctx)
    batches: Queue[tuple[float, Batch]] = Queue()

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            for batch in parser.feed(line.rstrip("\n"), time.time()):
                batches.put((time.time(), batch))

    reader = Thread(target=read)
    reader.start()
    try:
        yield batches
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        reader.join()
        process.wait()
        assert process.stdout
        process.stdout.close()


def rows(batch: Batch) -> dict[str, dict[str, object]]:
    """Rows by vdev, or by pool or dataset."""
    key = next(k for k in ("vdev", "snapshot", "dataset", "pool") if k in batch.columns)
    names = list(batch.columns)
    return {
        str(values[names.index(key)]): dict(zip(names, values, strict=True))
        for values in zip(*batch.columns.values(), strict=True)
    }


def take(batches: Queue[tuple[float, Batch]], table: str, seconds: float = 30.0) -> dict[str, dict[str, object]]:
    while True:
        _, batch = batches.get(timeout=seconds)
        if batch.table == table:
            return rows(batch)


def test_iostat_while_it_is_written_to(zfs: Zfs) -> None:
    _, mount = zfs.pool("raidz", *(zfs.disk(f"r{i}") for i in range(3)), "log", zfs.disk("log"))
    written = 40 << 20
    with collecting(zpool_iostat.SOURCE, "headings-stamped") as batches:
        assert take(batches, "zpool_iostat")[""]["write_bytes"] == 0, "the report since boot is no interval"
        (mount / "data").write_bytes(os.urandom(written))
        seen = 0.0
        for _ in range(20):
            row = take(batches, "zpool_iostat")["raidz1-0"]
            assert row["kind"] == "raidz1"
            seen += float(row["write_bytes"] or 0)  # type: ignore[arg-type]
            if seen > 0.9 * written:
                break
    # rates over intervals that are a little longer than a second; metadata comes on top
    assert 0.8 * written < seen < 2 * written


def test_iostat_gives_an_interval_when_it_is_printed(zfs: Zfs) -> None:
    """The stamp is the interval's end: a batch must not wait for the interval after it."""
    zfs.pool(zfs.disk("single"))
    with collecting(zpool_iostat.SOURCE, "headings-stamped", 2.0) as batches:
        lags = []
        for _ in range(3):
            arrived, batch = batches.get(timeout=30)
            assert batch.time is not None
            lags.append(arrived - batch.time)
    assert min(lags) < 1.5, "stamps are whole seconds; waiting for the next report would make it 2 to 3"


def test_iostat_through_a_replacement(zfs: Zfs) -> None:
    old, other, new = zfs.disk("old"), zfs.disk("other"), zfs.disk("new")
    name, _ = zfs.pool("mirror", old, other)
    with collecting(zpool_iostat.SOURCE, "headings-stamped") as batches:
        assert f"mirror-0/{old}" in take(batches, "zpool_iostat")
        zfs.run("zpool", "replace", name, old, new)
        for _ in range(20):
            found = take(batches, "zpool_iostat")
            if f"mirror-0/{new}" in found:
                break
        assert found[f"mirror-0/{new}"]["write_bytes"] is None, "the mean since boot is no interval"
        for _ in range(20):
            found = take(batches, "zpool_iostat")
            if f"mirror-0/{old}" not in found and found[""]["write_bytes"] is not None:
                break
        assert found[f"mirror-0/{new}"]["write_bytes"] is not None


def wait_for_pools(batches: Queue[tuple[float, Batch]], pools: set[str]) -> bool:
    """Whether a second comes that has rows of just these; a pool that is new comes in a batch of its own."""
    at, seen = None, set[str]()
    for _ in range(40):
        _, batch = batches.get(timeout=30)
        if batch.time != at:
            if seen == pools:
                return True
            at, seen = batch.time, set()
        seen |= {*batch.columns["pool"]}
    return False


def _seconds(zfs: Zfs, name: str, n: int) -> list[str]:
    """The pool's lines of `n` seconds; the mean since boot is left out."""
    lines = zfs.run("zpool", "iostat", name, "1", str(n + 1)).splitlines()
    return [line for line in lines if line.split()[:1] == [name]][1:]


def test_iostat_through_every_hot_change(zfs: Zfs) -> None:
    """Each change shows within seconds, and none makes a rate: nothing is written but the changes themselves."""
    zfs.close()
    a, b, c, d = (zfs.disk(n) for n in ("ha", "hb", "hc", "hd"))
    name, mount = zfs.pool(a)
    (mount / "data").write_bytes(os.urandom(40 << 20))
    zfs.run("sync")
    # Past the transaction group that the data went with: six seconds without a write.
    wait_for(lambda: {line.split()[4] for line in _seconds(zfs, name, 6)} == {"0"}, "the pool rests", 60)
    steps: list[tuple[tuple[str, ...], set[str]]] = [
        (("attach", "-f", name, a, b), {f"mirror-0/{a}", f"mirror-0/{b}"}),
        (("add", "-f", name, "log", c), {c}),
        (("add", "-f", name, d), {d}),
        (("detach", name, a), {b}),
    ]
    with collecting(zpool_iostat.SOURCE, "headings-stamped") as batches:
        assert take(batches, "zpool_iostat")[a]["kind"] == "disk"
        written = []
        for change, shown in steps:
            zfs.run("zpool", *change)
            for _ in range(20):
                found = take(batches, "zpool_iostat")
                written.append(float(found[""]["write_bytes"] or 0))  # type: ignore[arg-type]
                if shown <= set(found):
                    break
            assert shown <= set(found), change
            assert found[""]["write_bytes"] is None, "the mean since boot is no interval"
        # a stream of zfs-fuse's tool never shows a new pool that sorts behind those it knows
        other, _ = zfs.pool(zfs.disk("he"), first=True)
        assert wait_for_pools(batches, {name, other})
        zfs.patiently("zpool", "export", other)
        assert wait_for_pools(batches, {name})
        zfs.run("zpool", "import", "-d", str(zfs.folder), other)
        assert wait_for_pools(batches, {name, other})
    # the 40 MiB are resilvered to the second disk; nothing else is written
    assert sum(written) < 50 << 20


def test_status_of_pools_whose_disks_are_gone(zfs: Zfs) -> None:
    """UNAVAIL with its reason for each vdev, and no numbers where there are none."""
    lost, half = zfs.disk("lost"), [zfs.disk("half0"), zfs.disk("half1")]
    single, _ = zfs.pool(lost)
    mirror, _ = zfs.pool("mirror", *half)
    raidz, _ = zfs.pool("raidz", *(zfs.disk(f"rz{i}") for i in range(3)), "log", zfs.disk("rzlog"))
    os.truncate(lost, 0)
    for path in (half[0], zfs.folder / "rz0", zfs.folder / "rz1", zfs.folder / "rzlog"):
        os.remove(path)
    zfs.restart()
    with collecting(zpool_status.SOURCE, "text") as batches:
        status = batches.get(timeout=30)[1].columns
    states = {
        (p, v.replace(f"{zfs.folder}/", "")): (s, n)
        for p, v, s, n in zip(status["pool"], status["vdev"], status["state"], status["note"], strict=True)
    }
    assert states[single, ""] == ("UNAVAIL", "insufficient replicas")
    assert states[single, "lost"] == ("UNAVAIL", "corrupted data")
    assert states[mirror, ""][0] == states[mirror, "mirror-0"][0] == "DEGRADED"
    assert states[mirror, "mirror-0/half0"] == ("UNAVAIL", "cannot open")
    assert states[mirror, "mirror-0/half1"] == ("ONLINE", None)
    assert states[raidz, "raidz1-0"] == ("UNAVAIL", "insufficient replicas")
    assert states[raidz, "logs/rzlog"] == ("UNAVAIL", "cannot open")
    with collecting(zpool_list.SOURCE, "rounded") as batches:
        row = take(batches, "pool_capacity")[single]
        assert (row["health"], row["size"], row["alloc"]) == ("FAULTED", None, None)
    with collecting(zpool_iostat.SOURCE, "headings-stamped") as batches:
        pools = batches.get(timeout=30)[1].columns["pool"]
        assert mirror in pools
        assert single not in pools, "the tool prints nothing of a pool that it cannot open"


def test_status_of_damage_and_repair(zfs: Zfs) -> None:
    bad, good = zfs.disk("bad"), zfs.disk("good")
    name, mount = zfs.pool("mirror", bad, good)
    (mount / "data").write_bytes(os.urandom(50 << 20))
    zfs.run("zpool", "offline", name, bad)
    with collecting(zpool_status.SOURCE, "text") as batches:
        found = take(batches, "zpool_status")
        assert (found[""]["state"], found[f"mirror-0/{bad}"]["state"]) == ("DEGRADED", "OFFLINE")
        assert take(batches, "pool_scan")[name]["state"] in ("none", "finished")
        zfs.run("zpool", "online", name, bad)
        with open(bad, "r+b") as disk:
            disk.seek(20 << 20)
            disk.write(os.urandom(40 << 20))
            os.fsync(disk.fileno())
        zfs.run("zpool", "scrub", name)
        for _ in range(30):
            found, scan = take(batches, "zpool_status"), take(batches, "pool_scan")[name]
            if (scan["scan"], scan["state"]) == ("scrub", "finished"):
                break
        assert (scan["fraction"], scan["errors"]) == (1.0, 0.0)
        assert float(found[f"mirror-0/{bad}"]["cksum_errors"]) > 0  # type: ignore[arg-type]
        assert found[f"mirror-0/{bad}"]["state"] == found[""]["state"] == "ONLINE", "errors do not change the state"


def fill(path: Path) -> None:
    """Raises OSError when the pool is full."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(os.urandom(1 << 20))


def test_a_full_pool_with_snapshots(zfs: Zfs) -> None:
    name, mount = zfs.pool(zfs.disk("small", 256))
    zfs.run("zfs", "create", f"{name}/mail")
    for i in range(5):
        zfs.run("zfs", "snapshot", f"{name}/mail@hourly-{i}")
    with pytest.raises(OSError, match="space"):
        fill(mount / "mail" / "full")
    with collecting(zpool_list.SOURCE, "rounded") as batches:
        for _ in range(20):
            row = take(batches, "pool_capacity")[name]
            if float(row["alloc"]) / float(row["size"]) > 0.8:  # type: ignore[arg-type]
                break
        assert float(row["alloc"]) / float(row["size"]) > 0.8  # type: ignore[arg-type]
    with collecting(zfs_list.SOURCES[0], "rounded") as batches:
        assert take(batches, "dataset_usage")[f"{name}/mail"]["avail"] == 0
    with collecting(zfs_list.SOURCES[1], "get") as batches:
        _, batch = batches.get(timeout=30)
        assert batch.columns["snapshot"] == [f"hourly-{i}" for i in range(5)]
        assert all(abs(c / 1e6 - time.time()) < 600 for c in batch.columns["creation"])


SNAPSHOTS = 400
ODD = ("a:b", "a.b", "-r", "_", "two words", " blank before", "blank behind ", "none", "NAME", "0", "-", "x" * 180)
"""Names that a snapshot may have: letters, digits, blanks and -_.: (no others, zfs_namecheck.c)."""


def exactly(zfs: Zfs, properties: tuple[str, ...], *names: str) -> dict[str, dict[str, str]]:
    """Properties in bytes as `zfs get -Hp` of each of these by its name tells them."""
    out: dict[str, dict[str, str]] = {name: {} for name in names}
    for i in range(0, len(names), 50):
        some = names[i : i + 50]
        text = zfs.run("zfs", "get", "-Hp", "-o", "name,property,value", ",".join(properties), *some)
        for line in text.splitlines():
            name, key, value = line.split("\t")
            out[name][key] = value
    return out


def snapshots(batches: Queue[tuple[float, Batch]], dataset: str) -> dict[str, tuple[object, object, object]]:
    """The newest report's (used, refer, creation) by name of the dataset's snapshots, in the report's order."""
    while True:
        _, batch = batches.get(timeout=30)
        if batches.empty():
            break
    cells = batch.columns
    keys = zip(cells["dataset"], cells["snapshot"], cells["used"], cells["refer"], cells["creation"], strict=True)
    return {str(snapshot): (used, refer, made) for of, snapshot, used, refer, made in keys if of == dataset}


def test_hundreds_of_snapshots(zfs: Zfs) -> None:
    """Each in the order of creation, to the byte, as they come and go, whatever their names."""
    zfs.close()
    name, mount = zfs.pool(zfs.disk("many", 256))
    mail, other = f"{name}/two words", f"{name}/z.other:1_-"
    for dataset in (mail, other):
        zfs.run("zfs", "create", dataset)
    zfs.run("zfs", "set", "quota=100M", mail)
    before = int(time.time())
    for i, odd in enumerate(ODD):
        (mount / "two words" / "data").write_bytes(os.urandom(10_000 * (i + 1)))
        zfs.run("zfs", "snapshot", f"{mail}@{odd}")
    # Counted down, so that their names' order is not that of their creation; most hold bytes of their own.
    loop = """
    i=$2
    while [ $i -gt 0 ]; do
        dd if=/dev/urandom of="$3" bs=1k count=$((i % 50 + 1)) 2>/dev/null
        zfs snapshot "$1@hourly-$i" || exit 1
        i=$((i - 1))
    done"""
    zfs.run("sh", "-c", loop, "sh", mail, str(SNAPSHOTS), str(mount / "two words" / "data"))
    zfs.run("zfs", "snapshot", f"{other}@hourly-1")
    after = int(time.time())
    made = [*ODD, *(f"hourly-{i}" for i in range(SNAPSHOTS, 0, -1))]

    def told() -> dict[str, tuple[object, object, object]]:
        found = exactly(zfs, ("used", "referenced", "creation"), *(f"{mail}@{snapshot}" for snapshot in made))
        return {
            name.partition("@")[2]: (float(p["used"]), float(p["referenced"]), int(p["creation"]) * 1_000_000)
            for name, p in found.items()
        }

    with collecting(zfs_list.SOURCES[1], "get") as batches:
        found = wait_for(lambda: (own := snapshots(batches, mail)) == told() and own, "the reports agree", 60)
        assert list(found) == made, "in the order of creation"
        creations = [row[2] for row in found.values()]
        assert creations == sorted(creations)
        assert before <= creations[0] / 1e6 <= creations[-1] / 1e6 <= after
        assert sum(used > 0 for used, _, _ in found.values()) > SNAPSHOTS / 2
        listed = zfs.run("zfs", "list", "-H", "-r", "-t", "snapshot", "-s", "creation", "-o", "name", mail)
        assert listed.splitlines() == [f"{mail}@{snapshot}" for snapshot in made]
        # Some go while they are read, others come: no report is lost, and none has what never was.
        came: list[str] = []
        for i in range(SNAPSHOTS, SNAPSHOTS - 60, -2):
            zfs.run("zfs", "destroy", f"{mail}@hourly-{i}")
            zfs.run("zfs", "snapshot", f"{mail}@late-{i}")
            made.remove(f"hourly-{i}")
            came.append(f"late-{i}")
        for odd in ("two words", "blank behind ", "-r"):
            zfs.run("zfs", "destroy", f"{mail}@{odd}")
            made.remove(odd)
        ever = {*found, *came}
        made += came
        while list(found := snapshots(batches, mail)) != made:
            assert set(found) <= ever
        wait_for(lambda: snapshots(batches, mail) == told(), "the reports agree again", 60)

    columns = ("used", "available", "referenced", "usedbysnapshots", "usedbydataset", "usedbychildren")
    datasets = (name, mail, other)
    with collecting(zfs_list.SOURCES[0], "rounded") as batches:

        def agrees() -> bool:
            exact = exactly(zfs, ("type", *columns, "quota", "mountpoint"), *datasets)
            rows = take(batches, "dataset_usage")
            if exact != exactly(zfs, ("type", *columns, "quota", "mountpoint"), *datasets):
                return False  # a transaction group went by
            assert tuple(rows) == datasets
            for dataset, row in rows.items():
                of = exact[dataset]
                assert (row["type"], row["mountpoint"]) == (of["type"], of["mountpoint"])
                assert row["quota"] == (float(of["quota"]) or None)
                for column in columns:
                    value = row[zfs_list.COLUMNS[column]]
                    # three digits are printed
                    assert value == pytest.approx(float(of[column]), rel=0.0051, abs=0.5), (dataset, column)
            assert float(exact[mail]["usedbysnapshots"]) > 1e6
            return True

        wait_for(agrees, "usage and the pool's own figures agree", 60)


def test_a_host_without_pools(zfs: Zfs) -> None:
    """`zpool status` has words for it, and there are no rows."""
    zfs.close()
    with collecting(zpool_status.SOURCE, "text") as batches, pytest.raises(Empty):
        batches.get(timeout=3)
