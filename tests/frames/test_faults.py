"""Disks that fill up and spools that tear: a clear error, nothing acknowledged lost, and on it goes."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from frames.store import SpoolError, Store, StoreError, Writer
from tests.frames.samples import numbered

T0 = 1_790_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB; skips aloud where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"cannot mount a small file system: {made.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as f:
        for size in (1 << 16, 512):
            try:
                while f.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def numbers(store: Store) -> list[int]:
    return sorted(store.window("arcstats", T0, T0 + 10_000, columns=["size"])["size"].astype(int))


def test_a_full_disk_refuses_loudly_and_all_goes_on_once_there_is_space(small_disk: Path) -> None:
    folder = small_disk / "history"
    kept = []
    with Writer(folder, commit_every=3600) as writer, Store(folder) as store:

        def append(number: int) -> None:
            writer.append(T0 + number, numbered(number, T0 + number))
            kept.append(number)

        append(0)
        writer.commit()
        append(1)
        fill(small_disk)
        with pytest.raises(StoreError, match=r"(?i)no space|full"):  # the commit; its seconds stay spooled
            writer.commit()
        assert numbers(store) == kept
        refused = ""
        for number in range(2, 2000):  # the journal has some room yet
            try:
                append(number)
            except SpoolError as e:
                refused = str(e)
                break
        assert "full" in refused
        assert numbers(store) == kept
        (small_disk / "ballast").unlink()
        append(5000)
        writer.commit()
        assert writer.waiting() == (0, 0)
        assert numbers(store) == kept
    with Store(folder) as store:
        lines = store.window("source_health", T0 - 60, T0 + 6000, points=100, columns=["lines"])["lines"].sum()
        assert lines == len(kept)


def test_a_torn_end_of_the_spool_loses_what_was_torn_and_no_more(tmp_path: Path) -> None:
    with Writer(tmp_path / "live", commit_every=3600) as writer:
        for i in range(20):
            writer.append(T0 + i, numbered(i, T0 + i))
        shutil.copytree(tmp_path / "live", tmp_path / "crashed", ignore=shutil.ignore_patterns("tail*", "*-shm"))
    journal = tmp_path / "crashed" / "spool.sqlite-wal"
    journal.write_bytes(journal.read_bytes()[:-100])
    with Writer(tmp_path / "crashed", commit_every=3600) as writer, Store(tmp_path / "crashed") as store:
        assert numbers(store) == list(range(19))
        writer.append(T0 + 99, numbered(99, T0 + 99))
        writer.commit()
        assert numbers(store) == [*range(19), 99]


def test_a_spool_that_is_garbage_is_set_aside_and_collecting_starts(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer:
        for i in range(5):
            last = writer.append(T0 + i, numbered(i, T0 + i))
        writer.commit()
    (tmp_path / "spool.sqlite").write_bytes(b"not a database" * 1000)
    with Store(tmp_path) as store:
        assert numbers(store) == list(range(5))  # the history alone
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        assert len(list(tmp_path.glob("spool.sqlite.broken-*"))) == 1
        assert writer.append(T0 + 7, numbered(7, T0 + 7)) > last
        assert numbers(store) == [0, 1, 2, 3, 4, 7]


def test_one_damaged_frame_is_kept_aside_and_the_others_are_taken(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i in range(3):
            writer.append(T0 + i, numbered(i, T0 + i))
        db = sqlite3.connect(tmp_path / "spool.sqlite")
        with db:
            db.execute("UPDATE spool SET ipc = substr(ipc, 1, 700) WHERE seq = 2 AND name = 'arcstats'")
        assert numbers(store) == [0, 2]
        writer.commit()
        assert numbers(store) == [0, 2]
        assert db.execute("SELECT seq, name FROM rejected").fetchall() == [(2, "arcstats")]
        assert len(store.events(T0, T0 + 9)) == 3
        db.close()


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file, not a folder")
    with pytest.raises(StoreError, match="history: cannot be written"):
        Writer(tmp_path / "history")


def test_a_catalog_that_is_garbage_stops_commits_and_not_collecting(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").touch()
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        writer.append(T0, numbered(0, T0))
        (tmp_path / "catalog.sqlite").write_bytes(b"not a database" * 1000)
        with pytest.raises(StoreError, match=r"catalog\.sqlite"):
            writer.commit()
        writer.append(T0 + 1, numbered(1, T0 + 1))
        assert numbers(store) == [0, 1]
        (tmp_path / "catalog.sqlite").unlink()
        writer.commit()
        assert numbers(store) == [0, 1]
