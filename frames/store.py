"""The store of a folder: `Writer` for its one collector, `Store` for any number of readers.

A second's way: `Writer.append` makes it durable in the spool and publishes it; each minute `commit` moves spooled
seconds into the history with their rollup and the mark of the last one; `Store` joins both, so a reader never sees
a second twice or not at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import math
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from frames import query
from frames.history import CATALOG, Lake, StoreError, connect, first_line
from frames.query import Level, Part, Prefix, quote
from frames.schemas import SCHEMAS, Column, Schema, SchemaError, to_pandas
from frames.spool import Spool, SpoolError, SpoolReader, encode
from frames.tail import Publisher

__all__ = ["Prefix", "SpoolError", "Store", "StoreError", "Writer"]

log = structlog.get_logger(__name__)

LOCK = "writer.lock"


def _schema(table: str) -> Schema:
    try:
        return SCHEMAS[table]
    except KeyError:
        raise SchemaError(f"no table {table!r}; there are {', '.join(sorted(SCHEMAS))}") from None


def _give_back_memory() -> None:
    """A minute of 200 hosts passes through 200 MB; without this the allocators keep it, commit after commit."""
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


class Writer:
    """The one writer of a folder. `append` may be called from any thread; commits and maintenance run on a thread
    of the writer's own, from start to `close`."""

    def __init__(
        self,
        folder: Path,
        *,
        owner: str = "collector",
        tail: str | None = None,
        commit_every: float = 60.0,
        keep_days: float = 400,
        keep_bytes: int | None = None,
    ) -> None:
        """Takes the folder's lock, opens the spool, publishes the tail at `tail` (default: a socket in the folder).

        commit_every: seconds between commits; from 60 on they fall just after a full minute. keep_days: rows of
        single seconds older than this go; rollups stay. keep_bytes: the oldest days of single seconds also go while
        the history holds more. Raises StoreError when another process writes here or
        nobody can."""
        self.folder = Path(folder)
        self.owner, self._every = owner, commit_every
        self._keep_days, self._keep_bytes = keep_days, keep_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = open(self.folder / LOCK, "a+")  # noqa: SIM115  (held until close)
        except OSError as e:
            raise StoreError(f"{self.folder}: cannot be written: {e.strerror or e}") from e
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock_file.seek(0)
            who = self._lock_file.read().strip() or "?"
            self._lock_file.close()
            raise StoreError(f"{self.folder}: another collector (pid {who}) writes here") from None
        self._lock_file.truncate(0)
        self._lock_file.write(str(os.getpid()))
        self._lock_file.flush()
        self._lake: Lake | None = None
        self._committing = threading.Lock()
        try:
            self._spool = Spool(self.folder, owner)
            if self._spool.fresh and (self.folder / CATALOG).exists():
                self._spool.skip_to(self._open().mark()[0])
            self._tail = Publisher(self.folder, owner, tail)
        except BaseException:
            self._lock_file.close()
            raise
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def append(self, second: int, frames: Mapping[str, pa.Table | pd.DataFrame]) -> int:
        """Stores and then publishes one second's frames (table name -> frame of its schema); its sequence number.

        On return they are on disk. Several appends for one second are allowed. Raises SchemaError for a frame that
        does not fit (nothing is stored then) and SpoolError when the disk refuses (the writer stays usable)."""
        encoded = {}
        for name, frame in frames.items():
            table = _schema(name).check(frame)
            if len(table):
                encoded[name] = (len(table), encode(table))
        seq = self._spool.append(second, encoded)
        self._tail.publish(seq, second, {name: ipc for name, (_, ipc) in encoded.items()})
        return seq

    def _open(self) -> Lake:
        if self._lake is None:
            self._lake = Lake(self.folder, self.owner)
        return self._lake

    def commit(self) -> None:
        """Moves all spooled seconds into the history. Raises StoreError; the spool keeps them then."""
        self._commit(None)

    def _commit(self, before: float | None) -> None:
        with self._committing:
            while (upto := self._spool.cut(before)) is not None:
                lake = self._open()
                after = lake.mark()[0]
                if upto > after:  # else a kill came between the history's commit and the spool's: only drop
                    lake.take(self._spool.take(after, upto), upto)
                self._spool.drop(upto)
                _give_back_memory()

    def maintain(self) -> None:
        """The hour's work: 1 h rollup, merge, retention, expiry. Runs by itself each hour on the writer's thread;
        appends go on meanwhile. Each step is done even if another fails; raises StoreError with the first failure."""
        with self._committing:
            lake = self._open()
            failed: StoreError | None = None
            for step in (
                lake.roll_hours,
                lake.clean,
                lake.merge,
                lambda: lake.retain(self._keep_days, self._keep_bytes, time.time()),
            ):
                try:
                    step()
                except StoreError as e:
                    log.error("maintenance failed", why=str(e))
                    failed = failed or e
            self._spool.shrink()
            self._spool.maintained = time.time()
            _give_back_memory()
            if failed:
                raise failed

    def write_past(
        self, table: str, frame: pa.Table | pd.DataFrame, *, resolution: Literal["raw", "1m"] = "raw"
    ) -> None:
        """Writes rows of the past straight into the history with their rollups, one transaction per call; for
        imports and demo pasts. Call it with an hour or more of all hosts at once (each call makes files), never
        twice with the same rows (they would count double), and not for seconds that `append` also gets.

        resolution "1m": each row speaks of one minute (``time`` within it) and becomes a row of the minute rollup
        only, as if every sample of it had the value; counters and histograms are the minute's sums. The frame may
        then also have the columns of `query.extremes` (``x_min``, ``x_max``). Fast: 2 days of a table with 100
        series are 288,000 such rows. Raises SchemaError, StoreError."""
        schema = _schema(table)
        if resolution == "raw":
            batch = schema.check(frame)
            with self._committing:
                self._open().write_past(schema, batch)
            return
        if schema.kind == "log":
            raise SchemaError(f"{table}: a log has no minutes")
        given = pa.Table.from_pandas(frame, preserve_index=False) if isinstance(frame, pd.DataFrame) else frame
        limits = {n for c in schema.of_role("gauge", "rate") for n in query.extremes(schema, c)[1:]}
        own = [c for c in given.column_names if c not in limits]
        batch = schema.check(frame[own] if isinstance(frame, pd.DataFrame) else given.select(own))
        count = max(1, round(60 / schema.every))
        minutes = batch.set_column(0, "time", pc.floor_temporal(batch["time"], 1, "minute"))
        for c in schema.of_role("gauge", "rate"):
            n, low, high = query.extremes(schema, c)
            minutes = minutes.append_column(
                n, pc.multiply(pc.is_valid(batch[c]).cast(pa.int32()), pa.scalar(count, pa.int32()))
            )
            for name in (low, high):
                minutes = minutes.append_column(
                    name, given[name].cast(pa.float64()) if name in given.column_names else batch[c]
                )
        for name, value in (("n", count), ("seq", 0)):
            minutes = minutes.append_column(name, pa.repeat(pa.scalar(value, pa.int64()), len(minutes)))
        with self._committing:
            self._open().write_past(schema, batch, minutes)

    def files(self, table: str) -> list[tuple[str, int]]:
        """(path, bytes) of the Parquet files that hold a table's rows now: `zpool_iostat`, `zpool_iostat_1m`, …"""
        with self._committing:
            return self._open().files(table)

    def waiting(self) -> tuple[int, int]:
        """(appends, bytes) that the history has not taken yet; for the health page."""
        return self._spool.waiting()

    def _run(self) -> None:
        aligned = self._every >= 60
        while True:
            now = time.time()
            pause = self._every - now % self._every + 2.0 if aligned else self._every
            if self._stop.wait(pause):
                return
            try:
                now = time.time()
                self._commit(now - now % 60 if aligned else None)
                if now - self._spool.maintained >= 3600:
                    self.maintain()
            except Exception as e:
                log.error(
                    "commit or maintenance failed; what was not taken stays in the spool",
                    folder=str(self.folder),
                    why=str(e),
                )

    def close(self) -> None:
        """Stops the thread and the tail. What is spooled stays spooled for the next start."""
        self._stop.set()
        self._thread.join()
        self._tail.close()
        self._spool.close()
        if self._lake is not None:
            self._lake.close()
        self._lock_file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Store:
    """Reads a folder from any process and any thread; also an empty one, which may become a history later."""

    def __init__(self, folder: Path, *, memory: str = "1GB") -> None:
        self.folder = Path(folder)
        self._memory = memory
        self._spool = SpoolReader(self.folder)
        self._lock = threading.Lock()
        self._con: duckdb.DuckDBPyConnection | None = None
        self._attached = False
        self._local = threading.local()
        self._columns: dict[str, frozenset[str]] = {}
        self._first: tuple[float, dict[str, float]] = (-1e9, {})

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's cursor; attaches the history as soon as there is one."""
        with self._lock:
            if not self._attached and (self.folder / CATALOG).exists():
                try:
                    con = connect(self.folder, read_only=True, memory=self._memory)
                    # To its end: a result that is left open keeps the catalog locked, and no commit gets through.
                    con.execute("SELECT 1 FROM lake.mark LIMIT 1").fetchall()
                    self._con, self._attached = con, True
                    self._local = threading.local()
                except duckdb.Error as e:
                    log.info("history is not readable yet", folder=str(self.folder), why=str(e))
            if self._con is None:
                self._con = duckdb.connect(":memory:")
                self._con.execute("SET TimeZone = 'UTC'")
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._con.cursor()
            self._local.cursor.execute("SET TimeZone = 'UTC'")
        return self._local.cursor

    def _has(self, table: str) -> frozenset[str]:
        """Columns of a table in the history; empty when it is not there (yet)."""
        known = self._columns.get(table)
        if known:
            return known
        cursor = self._cursor()
        if not self._attached:
            return frozenset()
        found = cursor.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'lake' AND table_name = ?", (table,)
        ).fetchall()
        names = frozenset(n for (n,) in found)
        if names:
            self._columns[table] = names
        return names

    def _parts(self, schema: Schema, level: Level, has_spool: bool) -> list[Part]:
        """Where rows for `level` lie; the spool is the frame registered as ``spool``, read before this is asked.

        A mark bounds the next part only beside a part that holds what the mark excludes: the history may come into
        being, or get the table, after the spool was read and while this runs."""
        parts: list[Part] = []

        def stored(at: Level, condition: str = "true") -> bool:
            name = query.table_name(schema, at)
            have = self._has(name)
            if have:
                absent = frozenset(c for c, _ in query.stored(schema, at)) - have
                parts.append(Part(f"lake.{quote(name)}", at, condition, absent))
            return bool(have)

        if level == "1h":
            hours = stored("1h")
            in_history = stored("1m", "seq > coalesce((SELECT max(hour_seq) FROM lake.mark), 0)" if hours else "true")
        else:
            in_history = stored(level)
        if has_spool:
            mark = "_seq > coalesce((SELECT max(seq) FROM lake.mark), 0)" if in_history else "true"
            parts.append(Part("spool", "raw", mark))
        return parts

    def _run(self, sql: str, parameters: list[Any], spool: pa.Table | None, table: str) -> pa.Table:
        cursor = self._cursor()
        for again in (True, False):  # maintenance may remove a merged file between the plan and its reading
            try:
                return cursor.execute(sql, parameters).to_arrow_table()
            except duckdb.IOException as e:
                if not again:
                    raise StoreError(f"{table}: {first_line(e)}") from e
            except duckdb.Error as e:
                self._columns.clear()
                raise StoreError(f"{table}: {first_line(e)}") from e
        raise AssertionError

    def _spooled(self, schema: Schema) -> pa.Table | None:
        """Spooled rows in the schema's columns (a collector of another release may have written them) and ``_seq``."""
        try:
            found = self._spool.frames([schema.name]).get(schema.name)
            return None if found is None else schema.fitted(found).append_column("_seq", found["_seq"])
        except (SpoolError, SchemaError) as e:
            log.error("spool is not readable, answering from the history alone", why=str(e))
            return None

    def _empty(self, schema: Schema, values: Sequence[Column], bucketed: bool) -> pa.Table:
        keys = [schema.by_name[k] for k in ("time", *schema.keys)]
        fields = [(c.name, schema.arrow.field(c.name).type) for c in keys]
        for c in values:
            fields.append((c.name, schema.arrow.field(c.name).type))
            if bucketed and c.role in ("gauge", "rate"):
                fields += [(name, pa.float64()) for name in query.extremes(schema, c.name)[1:]]
        if bucketed:
            fields.append(("n", pa.int64()))
        return pa.schema(fields).empty_table()

    def window(
        self,
        table: str,
        start: float,
        end: float,
        *,
        points: int | None = None,
        where: Mapping[str, Sequence[Any]] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Samples with start <= time < end (epoch seconds), ordered by keys and time.

        Without `points`: rows as they were sampled. With `points`: a row per series and bucket that has a sample;
        ``time`` is the bucket's start, a multiple of ``df.attrs["step"]`` seconds (at least (end - start) / points;
        whole buckets, so the first and the last may reach beyond the window). A gauge or rate `c` is the mean, with
        `c_min` and `c_max` (see `query.extremes`); a counter and a histogram are sums; a label is the last one; `n`
        counts samples. Where single seconds are gone or never were, the answer comes from the minutes.
        columns: those besides keys that are wanted (all, if None): asking for few is much faster. where: see
        `query.filters`. Raises SchemaError for an unknown table or column, StoreError when a file is damaged."""
        schema = _schema(table)
        values = query.chosen(schema, columns)
        condition, parameters = query.filters(schema, where)
        spool = self._spooled(schema)  # before the history: see SpoolReader.frames
        level: Level = "raw"
        step = 0
        if points is not None:
            step, level = query.choose_step(schema, end - start, points)
            if schema.kind == "log":
                level = "raw"
            elif level == "raw" and self._before_raw(schema, start):
                step, level = -(-step // 60) * 60, "1m"
            start, end = start // step * step, -(-end // step) * step
        parts = self._parts(schema, level, spool is not None)
        if not parts:
            answer = self._empty(schema, values, points is not None)
        else:
            bounds = " AND time >= make_timestamptz(?) AND time < make_timestamptz(?)" + condition
            each = [round(start * 1e6), round(end * 1e6), *parameters]
            if points is None:
                sql = query.rows(schema, values, parts, bounds)
            else:
                sql = query.aggregate(schema, values, parts, step, bounds)
            answer = self._run(sql, each * len(parts), spool, table)
            if points is not None:
                answer = query.finish(schema, answer)
        frame = to_pandas(answer)
        frame.attrs["step"] = float(step or schema.every)
        return frame

    def latest(
        self,
        table: str,
        *,
        at: float | None = None,
        within: float = 60.0,
        where: Mapping[str, Sequence[Any]] | None = None,
    ) -> pd.DataFrame:
        """The newest row of each series with at - within < time <= at (default: now), in the table's columns.
        Where single seconds are gone, the newest minute's means."""
        schema = _schema(table)
        at = time.time() if at is None else at
        values = query.chosen(schema, None)
        condition, parameters = query.filters(schema, where)
        spool = self._spooled(schema)
        level: Level = "raw"
        if schema.kind == "series" and self._before_raw(schema, at):
            level, within = "1m", max(within, 120.0)
        parts = self._parts(schema, level, spool is not None)
        if not parts:
            return to_pandas(self._empty(schema, values, False))[schema.names]
        bounds = " AND time > make_timestamptz(?) AND time <= make_timestamptz(?)" + condition
        each = [round((at - within) * 1e6), round(at * 1e6), *parameters]
        answer = self._run(query.newest(schema, values, parts, bounds), each * len(parts), spool, table)
        return to_pandas(answer)[schema.names]

    def events(self, start: float, end: float, **where: Sequence[Any]) -> pd.DataFrame:
        """Rows of `events` that touch start <= time < end, lasting ones by their ``until``, ordered by time.
        where: as in `window`, e.g. ``host=["ms2"], kind=["phase", "marker"]``."""
        schema = SCHEMAS["events"]
        values = query.chosen(schema, None)
        condition, parameters = query.filters(schema, where)
        spool = self._spooled(schema)
        parts = self._parts(schema, "raw", spool is not None)
        if not parts:
            return schema.frame()
        bounds = " AND time < make_timestamptz(?) AND coalesce(until, time) >= make_timestamptz(?)" + condition
        each = [round(end * 1e6), round(start * 1e6), *parameters]
        answer = self._run(query.rows(schema, values, parts, bounds), each * len(parts), spool, "events")
        return to_pandas(answer.sort_by("time"))[schema.names]

    def span(self) -> tuple[float, float] | None:
        """(first, last) sample time in the store, epoch seconds; None when it is empty."""
        seconds = self._spool.span()
        first = [float(seconds[0])] if seconds else []
        last = [float(seconds[1])] if seconds else []
        first += self._coverage(0.0).values()
        if self._attached:
            row = self._cursor().execute("SELECT max(epoch_us(last)) FROM lake.mark").fetchall()[0]
            if row and row[0]:
                last.append(row[0] / 1e6)
        return (min(first), max(last)) if first and last else None

    def _coverage(self, age: float = 5.0) -> dict[str, float]:
        """First time in each table of the history, epoch seconds; at most `age` seconds old."""
        cursor = self._cursor()
        if not self._attached:
            return {}
        at, first = self._first
        if time.monotonic() - at > age:
            rows = cursor.execute("SELECT name, epoch_us(first) / 1e6 FROM lake.coverage").fetchall()
            first = dict(rows)
            self._first = (time.monotonic(), first)
        return first

    def _before_raw(self, schema: Schema, at: float) -> bool:
        """Whether `at` lies before the first raw row but not before the first minute of it."""
        first = self._coverage()
        raw = first.get(schema.name, math.inf)
        minute = first.get(query.table_name(schema, "1m"), math.inf)
        return at < raw - 60 and minute < raw - 60

    def close(self) -> None:
        with self._lock:
            self._spool.close()
            if self._con is not None:
                self._con.close()
                self._con, self._attached = None, False
                self._local = threading.local()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
