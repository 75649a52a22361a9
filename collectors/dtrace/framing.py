r"""What a composed D program prints, and the parser of it.

The default layout of an aggregation cannot be split for certain (a string key may hold blanks and newlines and
pushes its column right), so composed programs print with formats of their own. All lines of the frame start with
``zs1 `` at the first column; anything outside of ``zs1 begin`` … ``zs1 end`` is no data and is skipped. Two
intervals of the standing question on a Solaris host::

    zs1 alias sd3 c3t0d0
    zs1 alias sd4 c3t1d0
    zs1 start 1795466706660834223 disk_io/by=device,latency
    zs1 begin 1 1795466706660834223 1795466707664415554
    zs1 key 3:sd3 quantize
               value  ------------- Distribution ------------- count
               65536 |                                         0
              131072 |@@@@                                     14
              262144 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@     126
              524288 |                                         0
    zs1 yek
    zs1 key 3:sd4 quantize
               value  ------------- Distribution ------------- count
             4194304 |                                         0
             8388608 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1
            16777216 |                                         0
    zs1 yek
    zs1 end 1 1795466707664415554
    zs1 begin 2 1795466707664415554 1795466708664187483
    zs1 end 2 1795466708664187483

``alias DEVICE NAME``
    Before the program, where the system has them: the kernel's name of a disk and what people call it (Solaris
    and illumos: sd3 is c3t0d0). Printed by the shell command around dtrace. May be missing altogether; then keys
    stay as the kernel names them.
``start WALLTIMESTAMP QUESTION [PID]``
    Printed by BEGIN: every probe is attached. PID is dtrace's own, for a look at what it costs. Times are
    walltimestamp, nanoseconds since the epoch by the host's clock.
``begin N FROM TO`` … ``end N TO [FAULTS]``
    One interval, N counting from 1. Printed in one clause, so nothing stands between them but the answer of this
    interval; an interval whose ``end`` carries another N or TO was cut and is dropped. An interval without events
    has no ``key``. TO - FROM is the interval's true length: a host that is too busy (or, under Linux, too idle) to
    fire its tick prints fewer and longer intervals, and no event is lost by it. FAULTS counts the interval's errors
    of the program itself (dtrace:::ERROR).
``key KEY… AGG``
    One aggregated row. A string key is ``LENGTH:TEXT``, length in bytes, so that it may hold blanks, newlines and
    anything else (``0:`` is the empty string); an integer key is ``#-5``. AGG is either ``quantize`` (or
    ``lquantize …``, ``llquantize …``), followed by dtrace's own block of lines: the header, one line per bucket
    (lower bound right-aligned in 16 columns, a blank, ``|``, 40 columns of bar, a blank, the count padded to 8, a
    blank; empty buckets outside of the data are elided but for one at each end) and a ``zs1 yek`` line; or
    ``count=12`` (sum, avg, min, max, stddev) on the same line. A stack key comes last: ``stack``, its frames on
    lines of their own from the innermost to the outermost, then a line ``zs1 yek count=12``.

Values of the standing question are nanoseconds; ``quantize`` has powers of two as lower bounds. The order of keys
is dtrace's own (by value) and changes from interval to interval. stderr carries drops and faults
(``dtrace: 12 aggregation drops on CPU 0``): they mark the interval under way.

The command is recognised by the comment that its program starts with, ``/* zonescope disk_io/by=device,latency */``
(the question's id; see `collectors.dtrace.compose`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from collectors.base import Batch, Context, ParseError
from collectors.dtrace import blocks
from collectors.dtrace.drops import drops
from frames.questions import Question
from frames.schemas import bounds

SOURCE = "dtrace"
_SCALAR = re.compile(r"(count|sum|avg|min|max|stddev)=(-?\d+)")
_KEY = re.compile(r"#(-?\d+) |(\d{1,6}):")
_BUCKETS = re.compile(r"quantize|lquantize -?\d+ -?\d+ \d+|stack")
_MAX_ROWS = 10_000
"""Keys of one interval; more are dropped and counted."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a parser must know of a program: its id, which keys are devices, the kind of its answer."""

    id: str
    agg: str
    bounds: str = ""
    devices: tuple[int, ...] = ()

    @staticmethod
    def of(question: Question) -> Expected:
        devices = tuple(i for i, f in enumerate(question.discrete) if f.name == "device")
        if question.numeric is None:
            return Expected(question.id, "count" if question.metric.unit == "1" else "sum", devices=devices)
        bounds_ = question.numeric.bounds
        return Expected(question.id, bounds_.partition(":")[0], bounds_, devices)


@dataclass(slots=True)
class _Row:
    keys: list[str]
    agg: str
    value: float | None = None
    bounds: str | None = None
    counts: list[int] | None = None


@dataclass(slots=True)
class _Interval:
    number: int
    to: int
    rows: list[_Row] = field(default_factory=list)
    surplus: int = 0


def _take(text: str, at: int) -> tuple[str, int] | None:
    """The key at `at` and the place after it, None when `text` ends before the key does.

    A byte that is no UTF-8 was decoded to U+FFFD, which stands for one to three bytes: then the key ends at the
    first place that its length allows and where a blank follows.
    Raises ValueError if there is no key at `at`.
    """
    m = _KEY.match(text, at)
    if not m:
        raise ValueError("no key where one should stand")
    if m[1]:
        return m[1], m.end()
    length, least, most, i = int(m[2]), 0, 0, m.end()
    while not (least <= length <= most and text.startswith(" ", i)):
        if least > length:
            raise ValueError("a key is longer than its length says")
        if i >= len(text):
            return None
        n = len(text[i].encode())
        least += 1 if text[i] == "\ufffd" else n
        most += n
        i += 1
    return text[m.end() : i], i + 1


class FrameParser:
    """Parser of composed output (module docstring) to rows of table ``dtrace``: one batch per whole interval.

    A row per key that saw anything; keys that are only kept alive (zeros) are left out. An interval in which
    nothing happened gives one row with no keys and zero counts, so that silence differs from a gap. `drops` is
    what dtrace said it dropped since the interval before, plus the program's own faults.
    """

    def __init__(self, ctx: Context, asked: Question | Expected) -> None:
        self.ctx = ctx
        self._expected = asked if isinstance(asked, Expected) else Expected.of(asked)
        self._alias: dict[str, str] = {}
        self._line_no = 0
        self._interval: _Interval | None = None
        self._key: str | None = None
        self._keys: list[str] = []
        self._agg = ""
        self._block: list[str] = []
        self._drops = 0.0
        self.running = False
        """BEGIN has fired: every probe is attached."""
        self.pid: int | None = None
        """dtrace's own, once it is running."""
        self.dropped = 0.0
        """Records lost so far, faults included."""
        self.complaints: list[str] = []
        """The last lines of stderr that are not drops."""

    def error(self, line: str, at: float) -> None:
        """One line of stderr: drops mark the interval under way, other words are kept for a person to read."""
        n = drops(line)
        if n:
            self._drops += n
        elif line.strip():
            self.complaints = [*self.complaints[-4:], line]

    def feed(self, line: str, at: float) -> list[Batch]:
        self._line_no += 1
        try:
            return self._feed(line)
        except ValueError as e:
            self._interval = self._key = None
            self._agg = ""
            if isinstance(e, ParseError):
                raise
            raise ParseError(SOURCE, self.ctx.host, self._line_no, line, str(e)) from e

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        self._interval = None
        return []

    def _feed(self, line: str) -> list[Batch]:
        if self._key is not None:
            # A raw newline within a string key.
            self._head(self._key + "\n" + line)
            return []
        if self._agg:
            if line.startswith("zs1 yek"):
                self._close(line[8:])
            else:
                self._block.append(line)
            return []
        word, _, rest = line[4:].partition(" ") if line.startswith("zs1 ") else ("", "", "")
        if word == "key" and self._interval:
            self._head(rest)
        elif word == "begin":
            number, _, to = rest.split(" ")
            self._interval = _Interval(int(number), int(to))
        elif word == "end" and self._interval:
            interval, self._interval = self._interval, None
            number, to, *faults = rest.split(" ")
            if (int(number), int(to)) != (interval.number, interval.to):
                raise ValueError("the interval's begin and end differ: lines were lost")
            return [self._batch(interval, sum(map(int, faults)))]
        elif word == "alias":
            device, name = rest.split(" ", 1)
            self._alias[device] = name
        elif word == "start":
            self.running = True
            pid = rest.rsplit(" ", 1)[-1]
            self.pid = int(pid) if rest.count(" ") == 2 and pid.isdigit() else None
        return []

    def _head(self, text: str) -> None:
        """A key line's text after ``zs1 key``; waits for more lines while a key is not whole."""
        self._key, at, keys = None, 0, []
        while not (_SCALAR.fullmatch(text, at) or _BUCKETS.fullmatch(text, at)):
            if len(text) > 8192:
                raise ValueError("a key without end")
            got = _take(text, at)
            if got is None:
                self._key = text
                return
            key, at = got
            keys.append(key)
        self._keys = keys
        if m := _SCALAR.fullmatch(text, at):
            self._add(_Row(keys, m[1], value=float(m[2])))
        else:
            self._agg, self._block = text[at:], []

    def _close(self, tail: str) -> None:
        agg, self._agg = self._agg, ""
        if agg == "stack":
            m = _SCALAR.fullmatch(tail)
            if not m:
                raise ValueError("a stack without its value")
            frames = [f.strip() for f in self._block if f.strip()]
            self._add(_Row([*self._keys, "\n".join(frames)], m[1], value=float(m[2])))
            return
        buckets = []
        for line in self._block:
            bucket = blocks.row(line)
            if bucket:
                buckets.append(bucket)
            elif line.strip() and not blocks.HEADER.fullmatch(line):
                raise ValueError(f"not a bucket: {line.strip()!r}")
        kind, *numbers = agg.split(" ")
        h = blocks.linear(buckets, *map(int, numbers)) if kind == "lquantize" else blocks.quantize(buckets)
        self._add(_Row(self._keys, h.agg, bounds=h.bounds, counts=h.counts))

    def _add(self, row: _Row) -> None:
        assert self._interval is not None
        alive = any(row.counts) if row.counts is not None else row.value or row.agg not in ("count", "sum")
        if not alive:
            return
        if len(self._interval.rows) >= _MAX_ROWS:
            self._interval.surplus += 1
            return
        for i in self._expected.devices:
            if i < len(row.keys):
                row.keys[i] = self._alias.get(row.keys[i], row.keys[i])
        self._interval.rows.append(row)

    def _batch(self, interval: _Interval, faults: int) -> Batch:
        dropped, self._drops = self._drops + faults + interval.surplus, 0.0
        self.dropped += dropped
        rows = interval.rows or [self._nothing()]
        n = len(rows)
        return Batch(
            "dtrace",
            {
                "question": [self._expected.id] * n,
                "keys": [r.keys for r in rows],
                "value": [r.value for r in rows],
                "agg": [r.agg for r in rows],
                "bounds": [r.bounds for r in rows],
                "counts": [r.counts for r in rows],
                "drops": [dropped] * n,
            },
            interval.to / 1e9,
        )

    def _nothing(self) -> _Row:
        e = self._expected
        if not e.bounds:
            return _Row([], e.agg, value=0.0)
        return _Row([], e.agg, bounds=e.bounds, counts=[0] * len(bounds(e.bounds)))
