"""The newest minutes of every table in memory, fed by the live tails, and what they say about each host.

One `Live` per process. `follow` runs as a task on the event loop and calls `add` for each second; readers on
other threads use the methods, which take the lock. The ring is bounded in time and bytes; older rows are the
history's (`store`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from dashboard.buckets import bucketed
from dashboard.panels.data import Grid
from frames.schemas import SCHEMAS, to_pandas

log = structlog.get_logger()
T = TypeVar("T")

KEEP = 1200.0
KEEP_BYTES = 256 << 20
EVENTS = 2000
SHARED = 3.0
"""A shared answer (verdicts) is at most about so many seconds old, however long it took."""
SILENT = 5.0
"""A host without a sample for this long is stale, whatever its link says."""


class History(Protocol):
    """What a dashboard reads of the past; frames.store.Store is one."""

    def window(
        self,
        table: str,
        start: float,
        end: float,
        *,
        points: int | None = None,
        where: dict[str, list] | None = None,
        columns: list[str] | None = None,
    ) -> pd.DataFrame: ...

    def latest(
        self, table: str, *, at: float | None = None, within: float = 60.0, where: dict[str, list] | None = None
    ) -> pd.DataFrame: ...

    def events(self, start: float, end: float, **where: Any) -> pd.DataFrame: ...

    def span(self) -> tuple[float, float] | None: ...


class NoHistory:
    """A history without a row."""

    def window(self, table: str, start: float, end: float, **_: Any) -> pd.DataFrame:
        return SCHEMAS[table].frame()

    def latest(self, table: str, **_: Any) -> pd.DataFrame:
        return SCHEMAS[table].frame()

    def events(self, start: float, end: float, **_: Any) -> pd.DataFrame:
        return SCHEMAS["events"].frame()

    def span(self) -> tuple[float, float] | None:
        return None


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known about a host: `value`, and for a lack the exact `fix`."""

    value: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the events table; `index` counts up as they arrive. Times in epoch seconds."""

    index: int
    time: float
    until: float | None
    host: str
    kind: str
    object: str
    severity: str
    text: str

    def wire(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "until": self.until,
            "host": self.host,
            "kind": self.kind,
            "object": self.object,
            "severity": self.severity,
            "text": self.text,
        }


@dataclass(slots=True)
class Host:
    """State of one host. `link`: up, connecting, down, refused or '' where no link row came yet."""

    name: str
    link: str = ""
    reason: str = ""
    since: float | None = None
    attempt: float = 0.0
    next_try: float | None = None
    newest: float | None = None
    facts: dict[str, Fact] = field(default_factory=dict)

    def silent(self, now: float) -> float | None:
        """Seconds since its newest sample, None when it never sent one."""
        return None if self.newest is None else max(0.0, now - self.newest)

    def up(self, now: float) -> bool:
        age = self.silent(now)
        return self.link in ("up", "") and age is not None and age <= SILENT

    def fact(self, name: str, default: str = "") -> str:
        f = self.facts.get(name)
        return f.value if f else default


_CONTROL = {"links", "source_health", "host_facts", "events", "requests", "dtrace_runs", "dtrace_programs"}
"""Tables about the collector, not samples of the host: they do not make a host fresh."""


MERGE = 40
"""So many appends of a table become one: each alone costs tens of kB of schema and small buffers, whatever it holds."""
FRESH = 300
"""Appends of a table nobody asks for that are kept to be folded into its newest rows."""
LATEST = 4_102_444_800.0
"""2100: after every sample."""


def _newest_rows(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The newest row of each of `keys`; of two as new the one that came later."""
    return frame.sort_values("time", kind="stable").drop_duplicates(keys, keep="last").reset_index(drop=True)


class Live:
    def __init__(
        self,
        store: History,
        *,
        keep: float = KEEP,
        keep_bytes: int = KEEP_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.clock = store, clock
        self.keep, self.keep_bytes = keep, keep_bytes
        self.hosts: dict[str, Host] = {}
        self.events: deque[Event] = deque(maxlen=EVENTS)
        self._events_from = 0.0  # events of before are in the history alone
        self.seq = 0
        self.link_changes = 0
        """Counts up when a host's link goes up or down."""
        self.lost = 0
        """Appends that neither the tail nor its backlog had (the history has them)."""
        self._ring: dict[str, deque[tuple[float, pa.Table]]] = defaultdict(deque)
        self._loose: dict[str, int] = defaultdict(int)
        self._bytes = 0
        self._since: float | None = None
        self._newest: dict[tuple[str, str], float] = {}
        self._spacing: dict[tuple[str, str], float] = {}
        self._last_seq: dict[str, int] = {}
        self._index = itertools.count(1)
        self._lock = threading.RLock()
        self._waiters: set[asyncio.Event] = set()
        self._shared: dict[str, tuple[float, int, int, Any]] = {}
        self._shared_lock = threading.RLock()
        self._last: dict[str, pd.DataFrame] = {}
        self._fresh: dict[str, list[pa.Table]] = {}
        self._last_lock = threading.Lock()

    # -- feeding --------------------------------------------------------------------------------------------

    def add(self, second: Any) -> None:
        """Takes one `frames.tail.Second`; wakes those who wait."""
        with self._lock:
            last = self._last_seq.get(second.owner)
            if last is not None and second.seq > last + 1:
                self.lost += second.seq - last - 1
            if last is None or second.seq > last + 1:
                self._since = max(self._since or 0.0, float(second.second) + 1)
            self._last_seq[second.owner] = second.seq
            self.seq += 1
            for name, table in second.frames.items():
                if len(table) and name in SCHEMAS:  # a collector of another release may know more, or less
                    self._take(name, SCHEMAS[name].fitted(table))
            self._trim(float(second.second))
        for waiter in tuple(self._waiters):
            waiter.set()

    def _take(self, name: str, table: pa.Table) -> None:
        if name == "events":
            self._add_events(to_pandas(table))
            return
        if name == "host_facts":
            self._add_facts(to_pandas(table))
            return
        # A row of requests names all its hosts at once.
        newest = (
            table.slice(0, 0 if name == "requests" else None)
            .group_by("host", use_threads=False)
            .aggregate([("time", "max")])
        )
        for host, at in zip(newest["host"].to_pylist(), newest["time_max"].to_pylist(), strict=True):
            t = at.timestamp()
            state = self.hosts.setdefault(host, Host(host))
            before = self._newest.get((name, host))
            if before is None or t > before:
                self._newest[name, host] = t
                if before is not None:
                    self._space(name, host, t - before)
            if name not in _CONTROL and (state.newest is None or t > state.newest):
                state.newest = t
        if name == "links":
            for row in table.to_pylist():
                h = self.hosts[row["host"]]
                if h.link != (row["state"] or ""):
                    self.link_changes += 1
                h.link, h.reason = row["state"] or "", row["reason"] or ""
                h.since = row["since"].timestamp() if row["since"] else None
                h.attempt = row["attempt"] or 0.0
                h.next_try = row["next_try"]
        self._ring[name].append((pc.max(table["time"]).as_py().timestamp(), table))
        self._bytes += table.nbytes
        self._loose[name] += 1
        if self._loose[name] >= MERGE:
            self._merge(name)
        if (fresh := self._fresh.get(name)) is not None:
            fresh.append(table)
            if len(fresh) > FRESH:
                del self._fresh[name]

    def _merge(self, name: str) -> None:
        """The newest MERGE appends of `name` as one table. Its time is that of its newest row, as for each of them."""
        self._loose[name] = 0
        ring = self._ring[name]
        newest = [ring.pop() for _ in range(min(MERGE, len(ring)))][::-1]
        if newest[-1][0] - newest[0][0] > self.keep / 20:  # a slow source; what is merged is dropped at once
            ring.extend(newest)
            return
        merged = pa.concat_tables([t for _, t in newest]).combine_chunks()
        self._bytes += merged.nbytes - sum(t.nbytes for _, t in newest)
        ring.append((max(at for at, _ in newest), merged))

    def _space(self, name: str, host: str, gap: float) -> None:
        """The usual distance of samples: falls at once, rises slowly, so that a hole is not an interval."""
        old = self._spacing.get((name, host))
        if old is None or gap < old:
            self._spacing[name, host] = gap
        else:
            self._spacing[name, host] = min(gap, old * 1.1)

    def _trim(self, now: float) -> None:
        for ring in self._ring.values():
            while ring and ring[0][0] < now - self.keep:
                self._drop(ring)
        while self._bytes > self.keep_bytes:
            ring = max(self._ring.values(), key=lambda r: r[0][1].nbytes * len(r) if r else 0)
            if len(ring) < 2:
                break
            self._drop(ring)

    def _drop(self, ring: deque[tuple[float, pa.Table]]) -> None:
        time, table = ring.popleft()
        self._bytes -= table.nbytes
        self._since = max(self._since or 0.0, time + 1)

    def _add_events(self, frame: pd.DataFrame) -> None:
        for row in frame.to_dict("records"):
            until = row.get("until")
            self.events.append(
                Event(
                    next(self._index),
                    row["time"].timestamp(),
                    None if until is None or pd.isna(until) else until.timestamp(),
                    *(_text(row.get(c)) for c in ("host", "kind", "object", "severity", "text")),
                )
            )

    def _add_facts(self, frame: pd.DataFrame) -> None:
        for row in frame.to_dict("records"):
            host = self.hosts.setdefault(row["host"], Host(row["host"]))
            host.facts[_text(row["fact"])] = Fact(_text(row["value"]), _text(row["fix"]))

    def load(self) -> None:
        """What the history already knows: facts of every host and the newest day's events."""
        now = self.clock()
        with self._lock, contextlib.suppress(FileNotFoundError):
            self._add_facts(self.store.window("host_facts", 0, now + 60).sort_values("time"))
            self._events_from = now - 86400
            self._add_events(self.store.events(self._events_from, now + 60))
            for row in self.store.latest("links", within=7 * 86400).to_dict("records"):
                self.hosts.setdefault(row["host"], Host(row["host"]))
            # A history that no collector of this release has written still has hosts.
            days = self.store.window("host_load", now - 30 * 86400, now + 60, points=30, columns=["ncpu"])
            for name in days["host"].unique():
                self.hosts.setdefault(str(name), Host(str(name)))

    async def follow(self, folder: Path, tails: Sequence[str] = ()) -> None:
        """Follows the tails of `folder` and `tails` until cancelled; waits for a collector that is not there yet."""
        from frames.tail import Follower, addresses

        while True:
            found = list(dict.fromkeys([*addresses(folder), *tails]))
            if not found:
                await asyncio.sleep(0.5)
                continue
            follower = Follower(found)
            reader = asyncio.create_task(self._read(follower))
            try:
                while not reader.done() and set(found) >= {*addresses(folder), *tails}:
                    await asyncio.wait([reader], timeout=1.0)
                if reader.done() and (error := reader.exception()):
                    log.warning("live tail failed; following again", why=str(error))
                    await asyncio.sleep(1.0)
            finally:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await reader
                follower.close()

    async def _read(self, follower: Any) -> None:
        async for second in follower.follow(backlog=self.keep):
            self.add(second)

    @contextlib.contextmanager
    def changes(self) -> Any:
        """An asyncio.Event that is set after every `add`, for the time of the with block."""
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            yield event
        finally:
            self._waiters.discard(event)

    # -- reading --------------------------------------------------------------------------------------------

    def newest(self, tables: Iterable[str] = (), hosts: Sequence[str] = ()) -> float | None:
        """Time of the newest sample, of these tables and hosts (empty: any)."""
        wanted, names = set(tables), set(hosts)
        with self._lock:
            found = [
                t
                for (table, host), t in self._newest.items()
                if (table in wanted if wanted else table not in _CONTROL) and (not names or host in names)
            ]
        return max(found, default=None)

    def interval(self, table: str, hosts: Sequence[str] = ()) -> float:
        """Seconds between samples of a series as observed, whole; the schema's where nothing was seen yet."""
        with self._lock:
            names = set(hosts)
            seen = [g for (t, h), g in self._spacing.items() if t == table and (not names or h in names)]
        usual = SCHEMAS[table].every
        return max(1.0, float(round(max(seen)))) if seen else usual

    def oldest(self, table: str) -> float | None:
        """Time of the oldest rows of `table` in the ring."""
        with self._lock:
            ring = self._ring.get(table)
            return ring[0][0] if ring else None

    def holds(self, start: float) -> bool:
        """Whether the ring has every row of every table from `start` on."""
        with self._lock:
            return self._since is not None and start >= self._since

    def rows(self, table: str, start: float, end: float, where: Mapping[str, Sequence[str]] | None = None) -> pa.Table:
        """Rows of the ring with start <= time < end, restricted by columns; oldest first."""
        with self._lock:
            chunks = [t for newest, t in self._ring.get(table, ()) if newest >= start]
        if not chunks:
            return SCHEMAS[table].table({})
        found = pa.concat_tables(chunks)
        low = pa.scalar(round(start * 1e6), pa.int64()).cast(found["time"].type)
        high = pa.scalar(round(end * 1e6), pa.int64()).cast(found["time"].type)
        keep = pc.and_(pc.greater_equal(found["time"], low), pc.less(found["time"], high))
        for column, values in (where or {}).items():
            keep = pc.and_(keep, pc.is_in(found[column], pa.array(values, pa.string())))
        return found.filter(keep)

    def recent(
        self,
        table: str,
        grid: Grid,
        where: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """The ring's rows in the shape of `Store.window` over `grid`."""
        return bucketed(self.rows(table, grid.start, grid.end, where), SCHEMAS[table], grid.step, columns)

    def latest(
        self, table: str, *, within: float = 60.0, where: Mapping[str, Sequence[str]] | None = None
    ) -> pd.DataFrame:
        """Newest row of each series of the ring that is not older than `within` seconds."""
        now = self.clock()
        keys = [k for k in SCHEMAS[table].keys if SCHEMAS[table].by_name[k].dtype == "str"]
        if not set(where or ()) <= set(keys):
            return _newest_rows(to_pandas(self.rows(table, now - within, now + 3600, where)), keys)
        # Folding in what came since costs a hundredth of looking through the ring.
        with self._last_lock:
            with self._lock:
                fresh = self._fresh.get(table)
                self._fresh[table] = []
            if fresh is None:
                self._last[table] = _newest_rows(to_pandas(self.rows(table, 0.0, LATEST)), keys)
            elif fresh:
                frame = to_pandas(pa.concat_tables(fresh))
                frame = pd.concat([self._last[table], frame]) if len(self._last[table]) else frame
                frame = frame[frame["time"] >= pd.Timestamp(now - self.keep, unit="s", tz="UTC")]
                self._last[table] = _newest_rows(frame, keys)
            frame = self._last[table]
        low, high = (pd.Timestamp(t, unit="s", tz="UTC") for t in (now - within, now + 3600))
        kept = (frame["time"] >= low) & (frame["time"] < high)
        for column, values in (where or {}).items():
            kept &= frame[column].isin(list(values))
        return frame[kept].reset_index(drop=True)

    def remembers_events(self, start: float) -> bool:
        """Whether `span_events` knows all events since `start`; older ones are in the history."""
        with self._lock:
            full = len(self.events) == EVENTS
            return start >= max(self._events_from, self.events[0].time if full else 0.0)

    def span_events(self, start: float, end: float, hosts: Sequence[str] = ()) -> list[Event]:
        """Events that touch [start, end), of these hosts (empty: all) or of no host."""
        names = set(hosts)
        with self._lock:
            return [
                e
                for e in self.events
                if e.time < end and (e.until or e.time) >= start and (not names or e.host in names or not e.host)
            ]

    def shared(self, key: str, compute: Callable[[], T]) -> T:
        """`compute()`, shared by all who ask: again when something came since, yet never for more than a tenth of
        the time, nor older than SHARED s or than the newest change of a link."""
        with self._shared_lock:
            until, seq, links, value = self._shared.get(key, (0.0, -1, -1, None))
            began = time.monotonic()
            if links == self.link_changes and (began < until or (seq == self.seq and seq and began < until + 1)):
                return value
            value = compute()
            ended = time.monotonic()
            hold = min(9 * (ended - began), SHARED)
            self._shared[key] = (ended + hold, self.seq, self.link_changes, value)
            return value

    def host(self, name: str) -> Host | None:
        with self._lock:
            return self.hosts.get(name)

    def counts(self) -> dict[str, int]:
        now = self.clock()
        with self._lock:
            up = sum(h.up(now) for h in self.hosts.values())
            return {"up": up, "down": len(self.hosts) - up}


def _text(value: Any) -> str:
    return "" if value is None or (not isinstance(value, str) and pd.isna(value)) else str(value)
