"""The spool: every second's frames in a SQLite file, durable when `append` returns, until the history has them.

Journal WAL with synchronous FULL: one fsync a second, and SQLite's own checksums find a torn end after a crash.
A row is one table's frame of one append: Arrow IPC stream bytes (lz4). A sequence number (`seq`) orders appends
and never repeats, also over restarts; the history remembers the last one it took (the mark).
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import structlog

log = structlog.get_logger(__name__)

FILE = "spool.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (seq INTEGER NOT NULL, second INTEGER NOT NULL, name TEXT NOT NULL,
                                  rows INTEGER NOT NULL, ipc BLOB NOT NULL, PRIMARY KEY (seq, name));
CREATE INDEX IF NOT EXISTS spool_name ON spool (name, seq);
CREATE TABLE IF NOT EXISTS rejected (seq INTEGER NOT NULL, name TEXT NOT NULL, ipc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
TAKE_BYTES = 32 << 20
"""Appends that the history takes at once, compressed: two minutes of 200 hosts."""
_CODEC = pa.ipc.IpcWriteOptions(compression="lz4")


class SpoolError(OSError):
    """The spool could not be written or read: disk full, no permission, damaged. Says which file and why."""


def encode(table: pa.Table) -> bytes:
    """`table` as one Arrow IPC stream, lz4 compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_CODEC) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def decode(ipc: bytes) -> pa.Table:
    """The table in `ipc`; raises pa.ArrowException when the bytes are damaged."""
    with pa.ipc.open_stream(ipc) as reader:
        return reader.read_all()


def _connect(path: Path, *, timeout: float = 30.0) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous=FULL")
    return db


class Spool:
    """The writer's side. One instance per folder (its caller holds the folder's lock); any thread may call."""

    def __init__(self, folder: Path, owner: str) -> None:
        """Opens or makes the spool. A file that SQLite calls damaged is set aside (`spool.sqlite.broken-…`) and
        named in the log, since a collector that cannot start loses more than the last minutes.
        Raises SpoolError when the folder cannot be written."""
        self.path = folder / FILE
        self.fresh = not self.path.exists()
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as e:
            if isinstance(e, sqlite3.OperationalError):
                raise SpoolError(f"{self.path}: {e}") from e
            aside = self.path.with_name(f"{FILE}.broken-{time.time_ns() // 1000}")
            log.error("spool is damaged, set aside", file=str(self.path), aside=str(aside), why=str(e))
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(FILE + suffix)
                if part.exists():
                    os.replace(part, aside.with_name(aside.name + suffix))
            self.fresh = True
            self._db = self._open()
        self._append_lock = threading.Lock()
        self._take = _connect(self.path)  # the maintenance thread's own connection: reading never blocks an append
        self._take_lock = threading.Lock()
        self._db.execute("INSERT OR REPLACE INTO state VALUES ('owner', ?)", (owner,))
        self._db.execute("INSERT OR IGNORE INTO state VALUES ('maintained', ?)", (time.time(),))
        newest = self._db.execute("SELECT max(seq) FROM spool").fetchone()[0] or 0
        taken = self._db.execute("SELECT value FROM state WHERE key = 'taken'").fetchone()
        self._seq = max(newest, taken[0] if taken else 0)

    def _open(self) -> sqlite3.Connection:
        db = _connect(self.path)
        try:
            db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(_SCHEMA)
            check = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if check != "ok":
                raise sqlite3.DatabaseError(check)
        except sqlite3.Error:
            db.close()
            raise
        return db

    @property
    def seq(self) -> int:
        """The last sequence number given."""
        return self._seq

    @property
    def maintained(self) -> float:
        """When the history's hourly work was done last (epoch seconds); the spool's beginning before the first."""
        with self._take_lock:
            return float(self._take.execute("SELECT value FROM state WHERE key = 'maintained'").fetchone()[0])

    @maintained.setter
    def maintained(self, at: float) -> None:
        with self._take_lock:
            self._take.execute("INSERT OR REPLACE INTO state VALUES ('maintained', ?)", (at,))

    def skip_to(self, seq: int) -> None:
        """Never give a number up to `seq` again: the history already has them."""
        with self._append_lock:
            self._seq = max(self._seq, seq)

    def append(self, second: int, frames: dict[str, tuple[int, bytes]]) -> int:
        """Stores (rows, IPC bytes) per table in one durable transaction; returns its sequence number.
        Raises SpoolError (nothing is stored then, and the next append may succeed)."""
        rows = [(name, n, ipc) for name, (n, ipc) in frames.items() if n] or [("", 0, b"")]
        with self._append_lock:
            seq = self._seq + 1
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT INTO spool VALUES (?, ?, ?, ?, ?)", [(seq, second, name, n, ipc) for name, n, ipc in rows]
                )
                self._db.execute("COMMIT")
            except sqlite3.Error as e:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise SpoolError(f"{self.path}: {e}") from e
            self._seq = seq
        return seq

    def waiting(self) -> tuple[int, int]:
        """(appends, bytes) that the history has not taken."""
        with self._take_lock:
            n, size = self._take.execute(
                "SELECT count(DISTINCT seq), coalesce(sum(length(ipc)), 0) FROM spool"
            ).fetchone()
        return n, size

    def cut(self, before: float | None, limit: int = 900, size: int = TAKE_BYTES) -> int | None:
        """The last sequence number to take now: the oldest `limit` appends or `size` bytes of them (one at least), of
        those up to the last one whose second is below `before` (None: all). None when there is nothing to take."""
        with self._take_lock:
            found = self._take.execute(
                "SELECT seq, sum(length(ipc)) FROM spool GROUP BY seq ORDER BY seq LIMIT ?", (limit,)
            ).fetchall()
            if not found:
                return None
            sizes = itertools.accumulate(n for _, n in found)
            fits = sum(1 for total in sizes if total <= size)
            end = int(found[max(fits, 1) - 1][0])
            if before is None:
                return end
            (last,) = self._take.execute(
                "SELECT max(seq) FROM spool WHERE second < ? AND seq <= ?", (before, end)
            ).fetchone()
        return last

    def take(self, after: int, upto: int) -> Iterator[tuple[str, list[pa.Table]]]:
        """Frames of the appends after < seq <= upto, oldest first, one table name after the other (so that one
        table's minute is in memory at a time). Bytes that do not decode are kept in the table `rejected` and named
        in the log."""
        span = (after, upto)
        with self._take_lock:
            names = self._take.execute(
                "SELECT DISTINCT name FROM spool WHERE seq > ? AND seq <= ? AND rows > 0 ORDER BY name", span
            ).fetchall()
        for (name,) in names:
            with self._take_lock:
                rows = self._take.execute(
                    "SELECT seq, ipc FROM spool WHERE name = ? AND seq > ? AND seq <= ? ORDER BY seq", (name, *span)
                ).fetchall()
            tables = []
            for seq, ipc in rows:
                try:
                    tables.append(decode(ipc))
                except (pa.ArrowException, OSError) as e:
                    where = {"file": str(self.path), "seq": seq, "table": name}
                    log.error("a spooled frame is damaged, kept in 'rejected'", **where, why=str(e))
                    with self._take_lock:
                        self._take.execute("INSERT INTO rejected VALUES (?, ?, ?)", (seq, name, ipc))
            del rows
            if tables:
                yield name, tables

    def drop(self, upto: int) -> None:
        """Forgets appends up to `upto`: the history has them."""
        with self._take_lock:
            self._take.execute("BEGIN IMMEDIATE")
            self._take.execute("DELETE FROM spool WHERE seq <= ?", (upto,))
            self._take.execute("INSERT OR REPLACE INTO state VALUES ('taken', ?)", (upto,))
            self._take.execute("COMMIT")

    def shrink(self) -> None:
        """Gives pages that a long backlog left behind back to the disk."""
        with self._take_lock:
            self._take.execute("PRAGMA incremental_vacuum").fetchall()

    def close(self) -> None:
        with self._append_lock, self._take_lock:
            self._take.close()
            self._db.close()


class SpoolReader:
    """What the history does not have yet, for readers in any process; keeps what it decoded."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._kept: dict[str, list[tuple[int, pa.Table]]] = {}

    def _connection(self) -> sqlite3.Connection | None:
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = 0
        if inode != self._inode and self._db is not None:
            self._db.close()
            self._db = None
            self._kept.clear()
        if self._db is None and inode:
            self._db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5, check_same_thread=False)
            self._inode = inode
        return self._db

    def frames(self, names: Iterable[str]) -> dict[str, pa.Table]:
        """Spooled rows per asked table, with a column ``_seq``; tables without rows are absent.

        A caller reads this *before* the history and leaves out rows whose ``_seq`` is at or below the mark it
        sees there: so no second is lost or doubled while the writer moves them. Raises SpoolError."""
        with self._lock:
            try:
                db = self._connection()
                if db is None:
                    return {}
                out = {}
                for name in names:
                    oldest = db.execute("SELECT min(seq) FROM spool WHERE name = ?", (name,)).fetchone()[0]
                    if oldest is None:
                        self._kept.pop(name, None)
                        continue
                    kept = [k for k in self._kept.get(name, ()) if k[0] >= oldest]
                    last = kept[-1][0] if kept else 0
                    rows = db.execute(
                        "SELECT seq, ipc FROM spool WHERE name = ? AND seq > ? ORDER BY seq", (name, last)
                    )
                    for seq, ipc in rows.fetchall():
                        try:
                            table = decode(ipc)
                        except (pa.ArrowException, OSError) as e:
                            log.error(
                                "a spooled frame is damaged", file=str(self.path), seq=seq, table=name, why=str(e)
                            )
                            continue
                        kept.append(
                            (seq, table.append_column("_seq", pa.repeat(pa.scalar(seq, pa.int64()), len(table))))
                        )
                    self._kept[name] = kept
                    if kept:
                        out[name] = pa.concat_tables([t for _, t in kept], promote_options="default")
                return out
            except sqlite3.OperationalError as e:
                if "no such table" in str(e):  # the writer is just making it
                    return {}
                raise SpoolError(f"{self.path}: {e}") from e
            except sqlite3.DatabaseError as e:
                raise SpoolError(f"{self.path}: {e}") from e

    def span(self) -> tuple[int, int] | None:
        """(oldest, newest) spooled second (epoch), None when the spool is empty. Raises SpoolError."""
        with self._lock:
            try:
                db = self._connection()
                row = db.execute("SELECT min(second), max(second) FROM spool WHERE rows > 0").fetchone() if db else None
            except sqlite3.DatabaseError as e:
                if "no such table" in str(e):
                    return None
                raise SpoolError(f"{self.path}: {e}") from e
        return (row[0], row[1]) if row and row[0] is not None else None

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
