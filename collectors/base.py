"""What a source is: per operating system a long-running command, and a pure parser of its lines.

A source knows its name, its systems and its tables, and nothing of sockets, screens or other sources.
To add one, copy `collectors/sources/arcstats.py` (see docs/adding-a-source.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

from frames.schemas import SCHEMAS, to_pandas

OS = Literal["solaris10", "solaris11", "illumos", "freebsd", "linux"]
SYSTEMS: tuple[OS, ...] = ("solaris10", "solaris11", "illumos", "freebsd", "linux")


class ParseError(ValueError):
    """A line that a parser cannot read: source, host, line number (1-based), the line (cut) and why."""

    def __init__(self, source: str, host: str, line_no: int, line: str, why: str, column: int = 0) -> None:
        self.source, self.host, self.line_no, self.column = source, host, line_no, column
        self.line, self.why = line[:200], why
        self.rest: list[Batch] = []
        """What a saved text's report has beside that line (see `Context.saved`)."""
        self.more: list[ParseError] = []
        """Further lines of that report which cannot be read."""
        super().__init__(f"{source} on {host or '?'}: line {line_no}, column {column}: {why}: {self.line!r}")


@dataclass(slots=True)
class Batch:
    """All rows of one table that belong to one interval of one host (one batch per table and interval).

    `columns`: column lists of equal length in the table's schema, without ``time`` and ``host`` (the collector
    adds those), except in log tables (events), which may carry ``time``. `time`: the host's own stamp of the
    interval's end in epoch seconds, None where the output carries none (then the arrival time is used).
    """

    table: str
    columns: dict[str, list[Any]]
    time: float | None = None


class Parser(Protocol):
    """Incremental parser of one command's output on one host; holds no socket, no clock, no file.

    `feed` takes one line without its newline and the arrival time (epoch seconds) and returns the batches that
    it completes (usually none). `idle` is called when no line came for 0.1 s: a burst is over, so a parser whose
    output has no closing line may complete an interval that has as many rows as the one before. `end` is called
    at the end of the output. Lines that cannot be read raise ParseError; the parser stays usable after it, and
    drops the interval that the line stood in.
    """

    def feed(self, line: str, at: float) -> list[Batch]: ...
    def idle(self, at: float) -> list[Batch]: ...
    def end(self, at: float) -> list[Batch]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a command and a parser may depend on: the host's name, its system and what is known about it."""

    host: str
    os: OS
    interval: float
    facts: Mapping[str, str] = field(default_factory=dict)
    """release, ncpu, page_size, boot_time, … as the probe learnt them; options of the inventory as 'option:x'."""
    saved: bool = False
    """A text that somebody kept, no stream: what it has of a report is shown, what stands around it passed over."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to get the data: where it works, what to run, how to tell, how to read it.

    `command(ctx)` is a POSIX sh command (no bashisms; Solaris 10's /bin/sh is a Bourne shell: no $(…), no
    arithmetic) that streams until it is killed. `probe` is a quick sh command that exits 0 where the variant
    works; `fix` is what an operator must do where it does not. `tool` names what runs, where `name` does not.
    """

    name: str
    systems: tuple[OS, ...]
    command: Callable[[Context], str]
    parser: Callable[[Context], Parser]
    probe: str
    fix: str
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A source: `variants` in order of preference; the first whose system and probe fit a host is used."""

    name: str
    meaning: str
    tables: tuple[str, ...]
    interval: float
    variants: tuple[Variant, ...]
    privilege: str = ""
    lines_per_second: int = 20_000
    """More are dropped (links.base.Limits). A source whose reports come as one burst asks for as many as they have."""
    lease: float = 0.0
    """Seconds after which the host ends the command by itself when nothing has come from here (links.base.Limits), for
    commands that burden it."""

    def variants_for(self, os: OS) -> list[Variant]:
        return [v for v in self.variants if os in v.systems]


def parse_text(
    variant: Variant,
    text: str,
    *,
    os: OS | None = None,
    host: str = "host",
    interval: float = 1.0,
    at: float = 0.0,
    facts: Mapping[str, str] | None = None,
    complain: Callable[[ParseError], None] | None = None,
) -> dict[str, Any]:
    """The whole of a recorded output as frames: table name -> DataFrame in the table's schema.

    Without a stamp in the output, interval i (0-based) is stamped ``at + (i + 1) * interval``. A text that holds one
    report only shows it, although in a stream the first is the mean since boot.
    Raises ParseError at the first line that cannot be read, unless `complain` takes it: then reading goes on, as it
    does on a live stream.
    """
    ctx = Context(host, os or variant.systems[0], interval, facts or {}, saved=True)
    parser = variant.parser(ctx)
    batches: list[Batch] = []

    def take(call: Callable[[], list[Batch]]) -> None:
        try:
            batches.extend(call())
        except ParseError as e:
            if complain is None:
                raise
            batches.extend(e.rest)
            for told in (e, *e.more):
                complain(told)

    for line in text.splitlines():
        take(partial(parser.feed, line, at))
    take(partial(parser.end, at))
    merged: dict[str, dict[str, list[Any]]] = {}
    seen: dict[str, int] = {}
    for b in batches:
        schema = SCHEMAS[b.table]
        out = merged.setdefault(b.table, {name: [] for name in schema.names})
        n = len(next(iter(b.columns.values()), []))
        i = seen[b.table] = seen.get(b.table, 0) + 1
        stamp = b.time if b.time is not None else at + i * interval
        for name in schema.names:
            if name in b.columns:
                out[name] += b.columns[name]
            elif name == "time":
                out[name] += [int(stamp * 1_000_000)] * n
            elif name == "host":
                out[name] += [host] * n
            else:
                out[name] += [None] * n
    return {t: to_pandas(SCHEMAS[t].check(SCHEMAS[t].table(c))) for t, c in merged.items()}
