"""Plays recordings (collectors.recorder, docs/recording.md) through the same parsers and stamps into a history.

A recording may come from anybody: it is read as data, bounded and checked record by record, before a row is written.
What it says of commands is never run.
"""

from __future__ import annotations

import heapq
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from math import inf
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, get_args

import structlog
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from collectors import probe
from collectors.base import OS, Batch, Context, Parser, Source
from collectors.engine import Store as Sink
from collectors.inventory import NAME
from collectors.reading import Rows, parse, place, ticks
from collectors.recorder import FORMAT
from collectors.stamp import Ticks
from collectors.zones.moves import Moves
from frames.schemas import SCHEMAS
from frames.store import Store

log = structlog.get_logger("replay")

LONGEST = 16_000_000
"""Bytes of one record; a link reads far less at once."""
READ = 1 << 20
MEMBER = b"\x1f\x8b\x08"
"""How a gzip member begins: the recorder writes one every two seconds."""
HELD = 8_000_000
"""Bytes of a member that are held until its checksum is known."""
BEAT = 0.25
GATHER = 10.0
"""Played seconds in one append, at most."""
GATHER_LINES = 200_000
"""Lines in one append, at whatever times they say they came."""
COMPLAINTS = 20
MENDING = 120.0
"""Seconds after a hole for which a parser is watched."""
HOLE = 60.0
"""Seconds without a record, after which a pace goes on at once: nobody recorded, or a clock was stepped."""
BOTH = 5.0
"""Seconds for which two recordings of a host may overlap: two collectors' rows would count double."""

At = Annotated[float, Field(ge=0, le=2**33, allow_inf_nan=False)]
Run = Annotated[int, Field(ge=0, le=2**53)]
Word = Annotated[str, Field(max_length=100_000)]


class RecordingError(ValueError):
    """A file is no recording, or a damaged one: `file`, `line` (1-based, 0 unknown) and `why`."""

    def __init__(self, file: Path, line: int, why: str) -> None:
        self.file, self.line, self.why = file, line, why
        super().__init__(f"{file}:{line}: {why}" if line else f"{file}: {why}")


def iso(at: float) -> str:
    """As `--at` takes it: 2026-11-23T21:30:05."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class OverlapError(ValueError):
    """The history already has rows of a host in the time that would be played."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    at: At


class Head(_Record):
    """The first record of a file. `collector` names the run of the collector: channels go on over its files, which
    are numbered by `file`."""

    kind: Literal["recording"]
    format: int
    host: Word
    collector: At
    file: Annotated[int, Field(ge=0, le=2**53)]


class Start(_Record):
    """A command was started, or (`continues`) runs since an earlier file."""

    kind: Literal["start"]
    run: Run
    source: Word
    variant: Word
    os: Word
    interval: Annotated[float, Field(ge=0.1, le=86_400)]
    offset: Annotated[float, Field(ge=-1e10, le=1e10)]
    facts: Annotated[dict[Word, Word], Field(max_length=1000)]
    told: Annotated[dict[Word, Annotated[list[Word], Field(min_length=2, max_length=2)]], Field(max_length=1000)] = {}
    command: Annotated[str, Field(max_length=LONGEST)]
    continues: bool = False


class Lines(_Record):
    """One arrival of stdout or stderr."""

    kind: Literal["out", "err"]
    run: Run
    lines: list[Word]


class Prelude(_Record):
    """The first lines of a command that runs since an earlier file, for a parser that has not had that."""

    kind: Literal["prelude"]
    run: Run
    lines: Annotated[list[Word], Field(max_length=10_000)]


class Idle(_Record):
    kind: Literal["idle"]
    run: Run


class Lost(_Record):
    """Lines that were not recorded."""

    kind: Literal["lost"]
    run: Run
    lines: int


class End(_Record):
    kind: Literal["end"]
    run: Run
    status: int | None
    why: Word


AnyRecord = Head | Start | Prelude | Lines | Idle | Lost | End
_READ: TypeAdapter[AnyRecord] = TypeAdapter(Annotated[AnyRecord, Field(discriminator="kind")])


class _Mark(Enum):
    """What is between the files of a recording and in none of them."""

    HOLE = "records are missing"
    END = "the collector ended"


@dataclass(slots=True)
class _File:
    """A recording that has been read through once. `first` and `last`: the earliest and latest time in it."""

    path: Path
    head: Head
    first: float
    last: float
    torn: bool
    damaged: int


@dataclass(slots=True)
class _Stream:
    source: str
    ctx: Context
    offset: float
    make: Callable[[Context], Parser]
    parser: Parser
    ticks: Ticks
    new: bool = True

    def mend(self) -> None:
        """Lines are missing here."""
        knows = self.parser.knows if isinstance(self.parser, _Mended) else self.parser
        self.parser = _Mended(knows, self.make(self.ctx))


class _Mended:
    """A parser after lines were lost. `knows` has learnt from what came before (names of disks, headings) and may hold
    the first half of a report; `fresh` has neither, and so shows where whole reports begin again: a table's rows are
    those of `knows` from where both have as many of them."""

    def __init__(self, knows: Parser, fresh: Parser) -> None:
        self.knows, self._fresh = knows, fresh
        self._whole: set[str] = set()
        self._until = inf

    def feed(self, line: str, at: float) -> list[Batch]:
        return self._both("feed", at, line, at)

    def error(self, line: str, at: float) -> list[Batch]:
        return self._both("error", at, line, at)

    def idle(self, at: float) -> list[Batch]:
        return self._both("idle", at, at)

    def end(self, at: float) -> list[Batch]:
        return self._both("end", at, at)

    def _both(self, name: str, at: float, *words: Any) -> list[Batch]:
        call, again = getattr(self.knows, name, None), getattr(self._fresh, name, None)
        if call is None or again is None:
            return []
        if self._until == inf:
            self._until = at + MENDING
        if at > self._until:
            return call(*words) or []
        try:
            mine = call(*words) or []
        except Exception:
            mine = []
        try:
            theirs = again(*words) or []
        except Exception:
            if mine and {b.table for b in mine} <= self._whole:
                return mine
            raise
        alike = {(b.table, _size(b)): b for b in theirs}
        out = []
        for b in mine:
            if b.table in self._whole:
                out.append(b)
            elif other := alike.get((b.table, _size(b))):
                out.append(_since(b, other))
        told = {b.table for b in mine}
        out += [b for b in theirs if b.table not in told | self._whole]
        self._whole |= {b.table for b in theirs}
        return out


def _since(batch: Batch, fresh: Batch) -> Batch:
    """`batch` with what it counted since before the hole as `fresh` has it: not known yet."""
    counted = [c for c in SCHEMAS[batch.table].of_role("rate", "counter") if c in fresh.columns]
    return Batch(batch.table, {**batch.columns, **{c: fresh.columns[c] for c in counted}}, batch.time)


def _size(batch: Batch) -> int:
    return len(next(iter(batch.columns.values()), []))


@dataclass(slots=True)
class Played:
    """What came of it: files, hosts, first and last second (as written), lines, rows by table, what went wrong."""

    files: int = 0
    hosts: list[str] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0
    lines: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    lost: int = 0
    errors: int = 0
    complaints: list[str] = field(default_factory=list)
    """The first parse errors, with file and line."""
    torn: list[Path] = field(default_factory=list)
    damaged: dict[Path, int] = field(default_factory=dict)
    """Files with damaged pieces, which were left out, and how many."""
    rest: float | None = None
    """Where it was stopped: the second that has not been played, as recorded."""


# -- reading -----------------------------------------------------------------------------------------------


def find(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those below the folders named. Raises RecordingError where there are none."""
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for pattern in ("*.jsonl.gz", "*.jsonl") for p in path.rglob(pattern) if p.is_file())
            if not inside:
                raise RecordingError(path, 0, "no recordings (*.jsonl.gz) in this folder")
        elif path.is_file():
            inside = [path]
        else:
            raise RecordingError(path, 0, "no such file")
        found.update((p.resolve(), p) for p in inside)
    return list(found.values())


def _bytes(path: Path, torn: list[Path]) -> Iterator[bytes | None]:
    """The file's text in pieces of bounded size, None where a damaged gzip member was left out; `torn` gets the path
    when the last member is incomplete. Raises zlib.error where a damaged one was too large to be held until its end."""
    try:
        with path.open("rb") as f:
            data = f.read(READ)
            if data[:2] != MEMBER[:2]:
                while data:
                    yield data
                    data = f.read(READ)
                return
            member, held, size = zlib.decompressobj(31), list[bytes](), 0
            while data:
                try:
                    piece = member.decompress(data, READ)
                except zlib.error:
                    if size > HELD:
                        raise
                    yield None
                    data = _next_member(data, f)
                    member, held, size = zlib.decompressobj(31), [], 0
                    continue
                held.append(piece)
                size += len(piece)
                if member.eof or size > HELD:
                    yield from held
                    held = []
                if not member.eof:
                    data = member.unconsumed_tail or f.read(READ)
                    continue
                data = member.unused_data or f.read(READ)
                if data and not data.strip(b"\0"):  # a file system may leave zeros behind after a crash
                    torn.append(path)
                    return
                if data:
                    member, size = zlib.decompressobj(31), 0
            yield from held
            while not member.eof and (piece := member.decompress(b"", READ)):
                yield piece
            if not member.eof:
                torn.append(path)
    except OSError as e:
        raise RecordingError(path, 0, f"cannot be read: {e.strerror or e}") from e


def _next_member(data: bytes, f: BinaryIO) -> bytes:
    """What follows in `f` from where the next gzip member seems to begin, after the first byte of `data`."""
    data = data[1:]
    while (at := data.find(MEMBER)) < 0:
        more = f.read(READ)
        if not more:
            return b""
        data = data[-2:] + more
    return data[at:]


def _lines(path: Path, torn: list[Path]) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their number; None where some are missing."""
    number, rest = 0, b""
    try:
        for piece in _bytes(path, torn):
            if piece is None:
                rest = b""
                yield number, None
                continue
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                number += 1
                yield number, line
            if len(rest) > LONGEST:
                raise RecordingError(path, number + 1, f"a record longer than {LONGEST} bytes")
    except zlib.error as e:
        raise RecordingError(path, number + 1, f"damaged gzip data: {e}") from e
    if rest and path not in torn:
        torn.append(path)


def _why(e: ValidationError) -> str:
    first = e.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:80] for part in first["loc"][1:])
    return f"{where}: {first['msg'][:200]}" if where else first["msg"][:200]


def records(path: Path, sources: Mapping[str, Source], torn: list[Path]) -> Iterator[tuple[int, AnyRecord | _Mark]]:
    """Line number and record, each checked; a mark where some are missing. Raises RecordingError."""
    begun: set[int] = set()
    number, whole = 0, True
    for number, line in _lines(path, torn):
        if line is None:
            whole = False
            yield number, _Mark.HOLE
            continue
        try:
            record = _READ.validate_json(line)
        except ValidationError as e:
            raise RecordingError(path, number, f"no record of a recording: {_why(e)}") from e
        if (number == 1) is not isinstance(record, Head):
            raise RecordingError(path, number, "the first line of a recording, and only it, is of kind 'recording'")
        if isinstance(record, Head):
            if record.format != FORMAT:
                raise RecordingError(path, number, f"format {record.format}; this zonescope reads {FORMAT}")
            if not NAME.fullmatch(record.host):
                raise RecordingError(path, number, f"{record.host!r} is no name of a host")
        elif isinstance(record, Start):
            try:
                _stream(record, "", sources)
            except ValueError as e:
                raise RecordingError(path, number, str(e)) from e
            begun.add(record.run)
        elif record.run not in begun:
            if not whole:  # its start is what was damaged
                continue
            raise RecordingError(path, number, f"run {record.run} has not been started")
        yield number, record
    if not number:
        torn.append(path)
        raise RecordingError(path, 1, "an empty file, or torn in its first record")


def _stream(start: Start, host: str, sources: Mapping[str, Source]) -> _Stream:
    """Raises ValueError where this zonescope has no such parser, or the parser cannot live with the facts."""
    source = sources.get(start.source)
    if source is None:
        raise ValueError(f"no source {start.source!r} here; a package that brings it may not be installed")
    variant = next((v for v in source.variants if v.name == start.variant), None)
    if variant is None:
        raise ValueError(f"source {source.name} has no variant {start.variant!r}")
    if start.os not in get_args(OS) or start.os not in variant.systems:
        raise ValueError(f"{source.name} {variant.name} is not for {start.os!r}")
    ctx = Context(host, start.os, start.interval, start.facts)
    try:
        parser = variant.parser(ctx)
    except Exception as e:
        raise ValueError(f"the parser of {source.name} refuses the facts: {type(e).__name__}: {e}") from e
    return _Stream(source.name, ctx, start.offset, variant.parser, parser, ticks(start.interval))


def _survey(paths: list[Path], sources: Mapping[str, Source], only: set[str]) -> list[_File]:
    """Read every file through once, so that a bad one is told of before anything is written."""
    files = []
    for path in paths:
        torn: list[Path] = []
        head, first, last, damaged = None, inf, 0.0, 0
        try:
            for _, record in records(path, sources, torn):
                if isinstance(record, _Mark):
                    damaged += 1
                    continue
                if isinstance(record, Head):
                    head = record
                    if only and head.host not in only:
                        break
                first, last = min(first, record.at), max(last, record.at)
        except RecordingError:
            if torn and head is None and len(paths) > 1:  # killed in its first write: it holds nothing
                log.warning("torn in its first record, left out", file=str(path))
                continue
            raise
        if head and not (only and head.host not in only):
            files.append(_File(path, head, first, last, bool(torn), damaged))
    return _once(files)


def _once(files: list[_File]) -> list[_File]:
    """Each file of a recording once: of copies the longest. Raises RecordingError where two collectors recorded a
    host at one time."""
    found: dict[tuple[str, float, int], _File] = {}
    for file in sorted(files, key=lambda f: f.last, reverse=True):
        kept = found.setdefault((file.head.host, file.head.collector, file.head.file), file)
        if kept is not file:
            log.warning("a copy of another file, left out", file=str(file.path), other=str(kept.path))
    spans: dict[tuple[str, float], tuple[float, float, _File]] = {}
    for (host, collector, _), file in found.items():
        first, last, named = spans.get((host, collector), (inf, -inf, file))
        spans[host, collector] = min(first, file.first), max(last, file.last), named
    newest: dict[str, tuple[float, _File]] = {}
    for (host, _), (first, last, file) in sorted(spans.items(), key=lambda s: s[1][0]):
        until, other = newest.get(host, (-inf, file))
        if first < until - BOTH:
            why = f"two collectors recorded {host} at {iso(first)}, this and that of {other.path}: play one of them"
            raise RecordingError(file.path, 1, why)
        newest[host] = max((until, other), (last, file), key=lambda n: n[0])
    return [file for file in files if file in found.values()]


# -- playing -----------------------------------------------------------------------------------------------


class Player:
    """Plays recordings into `sink`. Making one reads and checks them all; raises RecordingError.

    speed: 1 as it was, 10 ten times as fast, None as fast as it goes. hosts: only these. at: rows before this time
    (epoch seconds) are not written, though what their lines taught the parsers is kept. now: move all times so that
    playing ends at the present (at speed 1: begins at it).
    """

    def __init__(
        self,
        paths: Iterable[Path],
        sources: Mapping[str, Source],
        *,
        speed: float | None = None,
        hosts: Iterable[str] = (),
        at: float | None = None,
        now: bool = False,
    ) -> None:
        self._sources, self._speed = sources, speed
        only = set(hosts)
        found = find(paths)
        self.files = _survey(found, sources, only)
        if missing := sorted(only - {f.head.host for f in self.files}):
            raise RecordingError(found[-1], 0, f"neither this nor another of the files is of host {missing[0]!r}")
        if not self.files:
            raise RecordingError(found[-1], 0, "neither this nor another of the files holds anything")
        first = min(f.first for f in self.files)
        last = max(f.last for f in self.files)
        self._from = max(first, at) if at is not None else first
        if self._from > last:
            raise RecordingError(self.files[-1].path, 0, "ends before the time asked for")
        self.shift = 0.0
        if now:
            self.shift = float(round(time.time() + (last - self._from) / (speed or 1e9) - last))
        self.played = Played(
            files=len(self.files),
            hosts=sorted({f.head.host for f in self.files}),
            first=self._from + self.shift,
            last=last + self.shift,
            torn=[f.path for f in self.files if f.torn],
            damaged={f.path: f.damaged for f in self.files if f.damaged},
        )
        self._rows = Rows()
        self._streams: dict[tuple[str, float, int], _Stream] = {}
        self._told: dict[str, dict[str, tuple[str, str]]] = {}
        self._moves = Moves(())
        self._linked: set[int] = set()
        self._live: dict[str, set[tuple[str, float, int]]] = {}

    def refuse_overlap(self, store: Store) -> None:
        """Raises OverlapError where `store` has rows of these hosts and times: they would count double."""
        for host in self.played.hosts:
            held = store.window(
                "links", self.played.first, self.played.last + 1, points=1, where={"host": [host]}, columns=["state"]
            )
            if len(held):
                raise OverlapError(
                    f"the history already holds {host} at that time; name another folder{self._rest(store)}"
                )

    def _rest(self, store: Store) -> str:
        """How to go on with what was stopped: after the newest second that the history has of these hosts."""
        until = store.latest("links", at=self.played.last, within=self.played.last - self.played.first + 1)
        until = until[until["host"].isin(self.played.hosts)]
        after = until["time"].max().timestamp() + 1 if len(until) and not self.shift else inf
        return f", or go on with --at {iso(after)}" if after <= self.played.last else ""

    def play(self, sink: Sink, stop: threading.Event | None = None) -> Played:
        """Append everything to `sink`, until the end or `stop`."""
        stop = stop or threading.Event()
        due, before = time.monotonic(), self._from
        beat = min(BEAT * self._speed, GATHER) if self._speed else GATHER
        current: int | None = None
        second = lines = 0
        for at, host, file, number, record in heapq.merge(*self._sessions(), key=lambda r: r[0]):
            if at >= self._from and int(at / beat) != current:
                current = int(at / beat)
                self._append(sink, second)
                if self._speed:
                    step, before = at - before, at
                    # Moved to now, a hole must stay one: what follows would be ahead of the present.
                    due += max(0.0, step) / self._speed if step < HOLE or self.shift else 0.0
                    stop.wait(max(0.0, due - time.monotonic()))
            now = int(at + self.shift)
            if now != second and stop.is_set():  # whole seconds, so that another playing can go on from there
                self.played.rest = max(float(int(at)), self._from)
                self.played.last = float(second) if second else self.played.first
                break
            if now != second and at >= self._from:
                second = now
                self._link_rows(second)
            if isinstance(record, _Mark):
                self._between(record, (host, file.head.collector))
            else:
                self._take(host, file, number, record)
            if self.played.lines - lines >= GATHER_LINES:
                lines = self.played.lines
                self._append(sink, second)
        self._append(sink, second)
        return self.played

    def _sessions(self) -> list[Iterator[tuple[float, str, _File, int, AnyRecord | _Mark]]]:
        """The records of each run of a collector on each host, one file after the other."""
        grouped: dict[tuple[str, float], list[_File]] = {}
        for file in sorted(self.files, key=lambda f: (f.head.collector, f.head.file)):
            grouped.setdefault((file.head.host, file.head.collector), []).append(file)

        def each(files: list[_File]) -> Iterator[tuple[float, str, _File, int, AnyRecord | _Mark]]:
            at, before = 0.0, files[0]
            for file in files:
                if before is not file and (before.torn or file.head.file != before.head.file + 1):
                    yield at, file.head.host, file, 0, _Mark.HOLE
                before = file
                for number, record in records(file.path, self._sources, []):
                    at = at if isinstance(record, _Mark) else record.at
                    yield at, file.head.host, file, number, record
            yield at, before.head.host, before, 0, _Mark.END

        return [each(files) for files in grouped.values()]

    def _between(self, mark: _Mark, session: tuple[str, float]) -> None:
        if mark is _Mark.END:
            self._live[session[0]] = {key for key in self._live.get(session[0], ()) if key[:2] != session}
        else:
            # What stands before the hole and what comes after it are not one report.
            for key, stream in self._streams.items():
                if key[:2] == session:
                    stream.mend()

    def _take(self, host: str, file: _File, number: int, record: AnyRecord) -> None:
        if isinstance(record, Head):
            return
        key = (host, file.head.collector, record.run)
        if isinstance(record, Start):
            if not (record.continues and key in self._streams):
                self._streams[key] = _stream(record, host, self._sources)
            self._live.setdefault(host, set()).add(key)
            self._fact_rows(record, host)
            return
        stream, at = self._streams[key], record.at
        parser = stream.parser
        calls: list[Callable[[], list[Batch]]] = []
        if isinstance(record, Prelude):
            if stream.new:
                parse((partial(parser.feed, line, at) for line in record.lines), lambda why: None)
                stream.mend()
            return
        stream.new = False
        if isinstance(record, Lines):
            self.played.lines += len(record.lines)
            feed = parser.feed if record.kind == "out" else getattr(parser, "error", None)
            calls = [partial(feed, line, at) for line in record.lines] if feed else []
        elif isinstance(record, Idle):
            calls = [partial(parser.idle, at)]
        elif isinstance(record, Lost):
            self.played.lost += record.lines
            stream.mend()
        else:
            calls = [partial(parser.end, at)]
            self._live.get(host, set()).discard(key)

        def complain(why: str) -> None:
            self.played.errors += 1
            if len(self.played.complaints) < COMPLAINTS:
                shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in why[:500])
                self.played.complaints.append(f"{file.path}:{number}: {shown}")

        batches = parse(calls, complain)
        if batches:
            self._place(host, stream, at, batches)

    def _place(self, host: str, stream: _Stream, at: float, batches: list[Batch]) -> None:
        rows = self._rows if at >= self._from else Rows()
        for where, zone, severity, text in self._moves.see(host, batches, at):
            rows.add(
                "events",
                time=[int((at + self.shift) * 1e6)],
                host=[where],
                kind=["zone"],
                object=[zone],
                severity=[severity],
                text=[text],
                who=["zonescope"],
            )
        if self.shift:
            batches = [_shifted(b, self.shift) for b in batches]
        placed = place(
            rows,
            host,
            batches,
            at + self.shift,
            interval=stream.ctx.interval,
            offset=stream.offset,
            ticks=stream.ticks,
        )
        self.played.refused += placed.refused

    def _append(self, sink: Sink, second: int) -> None:
        frames = self._rows.take()
        if not frames:
            return
        sink.append(second, frames)
        for table, frame in frames.items():
            self.played.rows[table] = self.played.rows.get(table, 0) + len(frame)

    def _link_rows(self, second: int) -> None:
        hosts = [] if second in self._linked else list(self._live)
        if hosts:
            self._linked.add(second)
            self._rows.add(
                "links",
                time=[second * 1_000_000] * len(hosts),
                host=hosts,
                state=["up" if self._live[h] else "down" for h in hosts],
                reason=["from a recording"] * len(hosts),
                since=[int(self.played.first * 1e6)] * len(hosts),
                attempt=[0.0] * len(hosts),
            )

    def _fact_rows(self, start: Start, host: str) -> None:
        """The facts that the collector told of the host; of a recording without them, those that its parsers had."""
        told = self._told.setdefault(host, {})
        now = {fact: (value, fix) for fact, (value, fix) in start.told.items()}
        if not now:
            own = {k: v for k, v in start.facts.items() if k != "now" and not k.startswith("option:")}
            sources = {*filter(None, told.get("sources", ("", ""))[0].split(",")), start.source}
            own |= {"os": start.os, "title": probe.title(start.facts), "sources": ",".join(sorted(sources))}
            now = {fact: (value, "") for fact, value in own.items()}
        new = {k: v for k, v in now.items() if told.get(k) != v}
        told.update(new)
        if "pairs" in new:
            for source, target in _pairs(new["pairs"][0]):
                self._moves.join(source, target)
        if new:
            at = max(start.at, self._from) + self.shift
            self._rows.add(
                "host_facts",
                time=[int(at * 1e6)] * len(new),
                host=[host] * len(new),
                fact=list(new),
                value=[value for value, _ in new.values()],
                fix=[fix for _, fix in new.values()],
            )


def _pairs(fact: str) -> list[tuple[str, str]]:
    """Source and target of each pair in the fact 'pairs'."""
    try:
        return [(str(p["source"]), str(p["target"])) for p in json.loads(fact).values()]
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return []


def _shifted(b: Batch, by: float) -> Batch:
    """The batch with every time in it moved: columns of times are microseconds, a log's `time` is seconds."""
    columns: dict[str, list[Any]] = {}
    schema = SCHEMAS[b.table]
    for name, values in b.columns.items():
        if schema.by_name[name].dtype == "time":
            step = by if name == "time" else int(by * 1e6)
            values = [None if v is None else v + step for v in values]
        columns[name] = values
    return Batch(b.table, columns, None if b.time is None else b.time + by)
