"""The history: a DuckLake in a folder. Parquet files and a SQLite catalog, a table per frame and rollup.

Layout: ``catalog.sqlite``, and ``data/main/<table>/year=…/month=…/day=…/*.parquet``, which any Parquet reader
opens. One writer (its caller holds the folder's lock), any number of readers. The extensions come from their PyPI
packages; nothing is fetched when zonescope runs.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import math
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from frames import query
from frames.query import Level, quote
from frames.schemas import SCHEMAS, Schema

log = structlog.get_logger(__name__)

CATALOG = "catalog.sqlite"
DATA = "data"
_PARTITION: dict[Level, str] = {
    "raw": "year(time), month(time), day(time)",
    "1m": "year(time), month(time)",
    "1h": "year(time)",
}


_ROLLUP_BYTES, _INSERT_BYTES = 48 << 20, 96 << 20


class StoreError(RuntimeError):
    """The history cannot answer or take rows; says which table or file and why."""


def connect(folder: Path, *, read_only: bool, memory: str, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the folder's history attached as ``lake``. Raises duckdb.Error."""
    con = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": memory,
            "threads": str(threads),
            "temp_directory": str(folder / "tmp"),
            "preserve_insertion_order": "true",
        },
    )
    try:
        for name in ("sqlite_scanner", "ducklake"):
            package = Path(str(importlib.import_module(f"duckdb_extension_{name}").__file__)).parent
            file = package / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
            con.execute(f"LOAD '{_text(file)}'")
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            f"ATTACH 'ducklake:sqlite:{_text(folder / CATALOG)}' AS lake (DATA_PATH '{_text(folder / DATA)}/', "
            f"OVERRIDE_DATA_PATH true, META_BUSY_TIMEOUT 5000{', READ_ONLY' if read_only else ''})"
        )
    except BaseException:
        con.close()
        raise
    return con


def first_line(error: Exception) -> str:
    """DuckDB's message without its stack trace."""
    return str(error).split("\n", 1)[0]


def _filled(batch: pa.Table) -> set[str]:
    """Columns of `batch` with at least one value."""
    return {c for c, v in zip(batch.column_names, batch.columns, strict=True) if v.null_count < len(v)}


def _shares(schema: Schema, batch: pa.Table, size: int) -> list[str]:
    """Conditions that cut `batch` into parts of some `size` bytes each, a series whole in one of them: lists of
    histograms do not spill to disk, so that one part after the other keeps within the memory limit."""
    n = 1 + batch.nbytes // size
    if n == 1:
        return ["true"]
    keys = ", ".join(quote(k) for k in schema.keys)
    return [f"hash({keys}) % {n} = {i}" for i in range(n)]


def _day(path: str) -> int | None:
    """Start of the day (epoch seconds) whose partition a file lies in."""
    found = re.search(r"year=(\d+)/month=(\d+)/day=(\d+)/", path)
    if found is None:
        return None
    year, month, day = map(int, found.groups())
    return int(dt.datetime(year, month, day, tzinfo=dt.UTC).timestamp())


def _text(path: Path) -> str:
    return str(path.resolve()).replace("'", "''")


MEMORY, MEMORY_PAST = "300MB", "2GB"
"""What DuckDB may hold beside the collector's own frames; writing days of past at once takes more."""


class Lake:
    """The writer's side: tables, commits, rollups, maintenance. Used by one thread at a time (`lock`)."""

    def __init__(self, folder: Path, owner: str) -> None:
        """Opens or makes the history. Raises StoreError when the catalog cannot be read or written."""
        self.folder, self.owner = folder, owner
        self.lock = threading.RLock()
        (folder / DATA).mkdir(parents=True, exist_ok=True)
        try:
            self.con = connect(folder, read_only=False, memory=MEMORY, threads=1)
            self._prepare()
        except duckdb.Error as e:
            raise StoreError(f"{folder / CATALOG}: {first_line(e)}") from e
        self._first = dict(self.con.execute("SELECT name, epoch_us(first) FROM lake.coverage").fetchall())

    def _prepare(self) -> None:
        con = self.con
        have = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'").fetchall()
        self._columns: dict[str, set[str]] = {}
        if "mark" not in {n for (n,) in have}:
            for option, value in {
                "parquet_compression": "zstd",
                "parquet_version": 2,
                "data_inlining_row_limit": 0,
                "target_file_size": "64MB",  # so that one merge sorts no more than memory holds
            }.items():
                con.execute("CALL lake.set_option(?, ?)", (option, value))
            # Every table in one transaction: DuckLake 1.0 cannot merge tables that are younger than an inlined one
            # ("failed to find table entry for given snapshot id").
            con.execute("BEGIN")
            con.execute("CREATE TABLE lake.mark (owner VARCHAR, seq BIGINT, hour_seq BIGINT, last TIMESTAMPTZ)")
            con.execute("CREATE TABLE lake.coverage (name VARCHAR, first TIMESTAMPTZ)")
            for schema in SCHEMAS.values():
                for level in query.levels(schema):
                    self._ensure(schema, level)
            con.execute("COMMIT")
        if not con.execute("SELECT 1 FROM ducklake_options('lake') WHERE scope_entry = 'main.coverage'").fetchone():
            for name in ("mark", "coverage"):
                con.execute("CALL lake.set_option('data_inlining_row_limit', 1000, table_name => ?)", (name,))
        for name, column in con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'lake'"
        ).fetchall():
            self._columns.setdefault(name, set()).add(column)

    def mark(self) -> tuple[int, int]:
        """(last seq taken, last seq in the 1 h rollup); zeros before the first commit."""
        row = self.con.execute("SELECT max(seq), max(hour_seq) FROM lake.mark").fetchone()
        return (int(row[0] or 0), int(row[1] or 0)) if row else (0, 0)

    def _ensure(self, schema: Schema, level: Level) -> str:
        """The table of `schema` at `level`, made or given the columns it lacks; its name."""
        name = query.table_name(schema, level)
        columns = query.stored(schema, level)
        if name not in self._columns:
            body = ", ".join(f"{quote(c)} {t}" for c, t in columns)
            self.con.execute(f"CREATE TABLE lake.{quote(name)} ({body})")
            self.con.execute(f"ALTER TABLE lake.{quote(name)} SET PARTITIONED BY ({_PARTITION[level]})")
            order = ", ".join(quote(c) for c in query.sort_keys(schema))
            self.con.execute(f"ALTER TABLE lake.{quote(name)} SET SORTED BY ({order})")
            self._columns[name] = {c for c, _ in columns}
        for column, type_ in columns:
            if column not in self._columns[name]:
                self.con.execute(f"ALTER TABLE lake.{quote(name)} ADD COLUMN {quote(column)} {type_}")
                self._columns[name].add(column)
        return name

    def _insert(self, schema: Schema, level: Level, batch: pa.Table) -> None:
        name = self._ensure(schema, level)
        filled = _filled(batch)  # most hosts fill a third of a schema
        columns = [c for c, _ in query.stored(schema, level) if c in filled]
        names = ", ".join(quote(c) for c in columns)
        # the table's SORTED BY sorts what is inserted
        for share in _shares(schema, batch, _INSERT_BYTES):
            self.con.execute(f"INSERT INTO lake.{quote(name)} ({names}) SELECT {names} FROM batch WHERE {share}")

    def _covers(self, name: str, batch: pa.Table) -> int:
        """Remembers where table `name` begins; the newest time in `batch`, epoch µs."""
        span = pc.min_max(batch["time"].cast(pa.int64())).as_py()
        first, last = span["min"], span["max"]
        if first is not None and self._first.get(name, first + 1) > first:
            self.con.execute("DELETE FROM lake.coverage WHERE name = ?", (name,))
            self.con.execute("INSERT INTO lake.coverage VALUES (?, make_timestamptz(?))", (name, first))
            self._first[name] = first
        return last or 0

    def _rollup(self, schema: Schema, batch: pa.Table, source: Level, to: Level, seq: int) -> pa.Table:
        """`batch` (rows of level `source`) aggregated to rows of level `to`, marked with `seq`. Columns without a
        single value are left out."""
        keys = {"time", *schema.keys}
        filled = _filled(batch)
        values = [c for c in schema.columns if c.name not in keys and c.name in filled]
        parts = []
        for share in _shares(schema, batch, _ROLLUP_BYTES):
            sql = query.aggregate(schema, values, [query.Part("batch", source, share)], query.SECONDS[to], keep_n=True)
            parts.append(query.finish(schema, self.con.execute(sql).to_arrow_table()))
        out = pa.concat_tables(parts)
        return out.append_column("seq", pa.repeat(pa.scalar(seq, pa.int64()), len(out)))

    def _transaction(self) -> _Transaction:
        return _Transaction(self)

    def take(self, frames: Iterable[tuple[str, list[pa.Table]]], seq: int) -> None:
        """One transaction: the rows, their 1-minute rollup, and the mark `seq`. Raises StoreError; then nothing of
        it is in the history."""
        last = 0
        with self.lock, self._transaction():
            for name, tables in frames:
                schema = SCHEMAS.get(name)
                if schema is None:
                    log.error("spooled rows of a table that no schema declares are left out", table=name)
                    continue
                table = schema.check(pa.concat_tables(tables, promote_options="default"))
                self._insert(schema, "raw", table)
                last = max(last, self._covers(name, table))
                if schema.kind == "series":
                    minutes = self._rollup(schema, table, "raw", "1m", seq)
                    self._insert(schema, "1m", minutes)
                    self._covers(query.table_name(schema, "1m"), minutes)
            self._set_mark(seq=seq, last=last)

    def write_past(self, schema: Schema, batch: pa.Table, minutes: pa.Table | None = None) -> None:
        """One transaction: raw rows of `batch` with both rollups; or, given `minutes` (rows in the shape of a
        1-minute rollup), those alone with their hours. Raises StoreError."""
        with self.lock, self._memory(MEMORY_PAST), self._transaction():
            last = 0
            if minutes is None:
                self._insert(schema, "raw", batch)
                last = self._covers(schema.name, batch)
                if schema.kind == "series":
                    minutes = self._rollup(schema, batch, "raw", "1m", 0)
            if minutes is not None:
                self._insert(schema, "1m", minutes)
                last = max(last, self._covers(query.table_name(schema, "1m"), minutes))
                hours = self._rollup(schema, minutes, "1m", "1h", 0)
                self._insert(schema, "1h", hours)
                self._covers(query.table_name(schema, "1h"), hours)
            self._set_mark(last=last)

    @contextlib.contextmanager
    def _memory(self, limit: str) -> Iterator[None]:
        """DuckDB's memory limit for the time of the with block."""
        self.con.execute(f"SET memory_limit = '{limit}'")
        try:
            yield
        finally:
            self.con.execute(f"SET memory_limit = '{MEMORY}'")

    def roll_hours(self) -> None:
        """Brings the minutes that came since the last time into the 1 h rollup, in one transaction."""
        with self.lock, self._transaction():
            seq, hour = self.mark()
            if seq == hour:
                return
            for schema in SCHEMAS.values():
                name = query.table_name(schema, "1m")
                if name not in self._columns:
                    continue
                self._ensure(schema, "1m")
                columns = ", ".join(quote(c) for c, _ in query.stored(schema, "1m"))
                minutes = self.con.execute(
                    f"SELECT {columns} FROM lake.{quote(name)} WHERE seq > ? AND seq <= ?", [hour, seq]
                ).to_arrow_table()
                if len(minutes):
                    hours = self._rollup(schema, minutes, "1m", "1h", seq)
                    self._insert(schema, "1h", hours)
                    self._covers(query.table_name(schema, "1h"), hours)
            self._set_mark(hour_seq=seq)

    def files(self, name: str) -> list[tuple[str, int]]:
        """(path, bytes) of the live data files of a table."""
        with self.lock:
            return self.con.execute(
                "SELECT data_file, data_file_size_bytes FROM ducklake_list_files('lake', ?)", (name,)
            ).fetchall()

    def merge(self, *, max_file: int = 64 << 20) -> None:
        """Merges the small files of each table; files beyond `max_file` bytes are left as they are, so that a day's
        growing file is not written anew for ever. Raises StoreError with the first failure, after the last table."""
        failed = ""
        with self.lock:
            for name in sorted(self._columns):
                if name in ("mark", "coverage") or len(self.files(name)) < 2:
                    continue
                try:
                    self.con.execute(
                        "CALL ducklake_merge_adjacent_files('lake', ?, max_file_size => ?)", (name, max_file)
                    ).fetchall()
                except duckdb.Error as e:
                    failed = failed or f"{name}: merge: {first_line(e)}"
        if failed:
            raise StoreError(failed)

    def retain(self, keep_days: float, keep_bytes: int | None, now: float) -> None:
        """Deletes whole days (UTC) of single seconds: those before `keep_days`, and the oldest ones while all data
        files hold more than `keep_bytes`; never the newest day. Rollups and logs stay. Raises StoreError."""
        with self.lock:
            raw = [s.name for s in SCHEMAS.values() if s.kind == "series" and s.name in self._columns]
            cutoff = (int(now) // 86400 - math.ceil(keep_days)) * 86400
            if keep_bytes is not None:
                days: dict[int, int] = {}
                total = 0
                for name in self._columns:
                    for path, size in self.files(name):
                        total += size
                        if name in raw and (day := _day(path)) is not None:
                            days[day] = days.get(day, 0) + size
                for day in sorted(days)[:-1]:
                    if day >= cutoff and total <= keep_bytes:
                        break
                    total -= days[day]
                    cutoff = max(cutoff, day + 86400)
            for name in raw:
                if self._first.get(name, math.inf) >= cutoff * 1_000_000:
                    continue
                with self._transaction():
                    self.con.execute(
                        f"DELETE FROM lake.{quote(name)} WHERE time < make_timestamptz(?)", (cutoff * 1_000_000,)
                    )
                    first = self.con.execute(f"SELECT epoch_us(min(time)) FROM lake.{quote(name)}").fetchone()
                    self.con.execute("DELETE FROM lake.coverage WHERE name = ?", (name,))
                    self._first.pop(name, None)
                    if first and first[0] is not None:
                        self._first[name] = first[0]
                        self.con.execute("INSERT INTO lake.coverage VALUES (?, make_timestamptz(?))", (name, first[0]))
                log.info("retention", table=name, before=cutoff)

    def clean(self, *, keep: float = 3600.0) -> None:
        """Removes the files that the last maintenance put out of use (readers have had the time since) and what a
        killed commit left behind a day ago; then forgets snapshots older than `keep` seconds. Raises StoreError."""
        with self.lock:
            try:
                self.con.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)").fetchall()
                self.con.execute(
                    "CALL ducklake_delete_orphaned_files('lake', older_than => now() - INTERVAL '1 day')"
                ).fetchall()
                # by number: `older_than` compares texts and takes the whole day
                old = self.con.execute(
                    "SELECT list(snapshot_id) FROM ducklake_snapshots('lake') WHERE snapshot_time < to_timestamp(?) "
                    "AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots('lake'))",
                    (time.time() - keep,),
                ).fetchone()
                if old and old[0]:
                    self.con.execute(f"CALL ducklake_expire_snapshots('lake', versions => {old[0]})").fetchall()
                self._forget_old_marks()
            except (duckdb.Error, sqlite3.Error) as e:
                raise StoreError(f"{self.folder}: {first_line(e)}") from e

    def _forget_old_marks(self) -> None:
        """Deletes inlined rows that no snapshot shows any more: DuckLake keeps each minute's mark for ever, and every
        query reads past them."""
        with contextlib.closing(sqlite3.connect(self.folder / CATALOG, timeout=5)) as db, db:
            inlined = "SELECT table_name FROM ducklake_inlined_data_tables"
            for (name,) in db.execute(inlined).fetchall():
                db.execute(
                    f"DELETE FROM {quote(name)} WHERE end_snapshot <= (SELECT min(snapshot_id) FROM ducklake_snapshot)"
                )

    def _set_mark(self, *, seq: int | None = None, hour_seq: int | None = None, last: int = 0) -> None:
        """Replaces the mark; what is not given stays. last: time of the newest row written, epoch µs."""
        had = self.con.execute("SELECT max(seq), max(hour_seq), max(epoch_us(last)) FROM lake.mark").fetchone()
        old_seq, old_hour, old_last = (v or 0 for v in had or (0, 0, 0))
        self.con.execute("DELETE FROM lake.mark")
        self.con.execute(
            "INSERT INTO lake.mark VALUES (?, ?, ?, make_timestamptz(?))",
            (
                self.owner,
                old_seq if seq is None else seq,
                old_hour if hour_seq is None else hour_seq,
                max(last, old_last),
            ),
        )

    def close(self) -> None:
        with self.lock:
            self.con.close()


class _Transaction:
    """BEGIN … COMMIT, or ROLLBACK with what was remembered forgotten, and duckdb's error as a StoreError."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def __enter__(self) -> None:
        self._before = {n: set(c) for n, c in self._lake._columns.items()}, dict(self._lake._first)
        self._lake.con.execute("BEGIN")

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None:
            try:
                self._lake.con.execute("COMMIT")
                return
            except duckdb.Error as e:
                error = e
        self._lake._columns, self._lake._first = self._before
        with contextlib.suppress(duckdb.Error):  # a failed COMMIT has ended the transaction already
            self._lake.con.execute("ROLLBACK")
        if isinstance(error, duckdb.Error):
            raise StoreError(f"{self._lake.folder}: {first_line(error)}") from error
        raise error
