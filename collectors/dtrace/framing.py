r"""What a composed D program prints, and the parser of it.

The default layout of an aggregation cannot be split for certain (a string key may hold blanks and newlines and
pushes its column right), so composed programs print with formats of their own. All lines of the frame start with
``zs1 `` at the first column; anything outside of ``zs1 begin`` … ``zs1 end`` is no data and is skipped. Two
intervals of the standing question on a Solaris host::

    zs1 alias sd3 c3t0d0
    zs1 alias sd4 c3t1d0
    zs1 start 1795466706660834223 disk_io/by=device,latency
    zs1 begin 1 1795466706660834223 1795466707664415554
    zs1 key 3:sd3 log2 4
               value  ------------- Distribution ------------- count
                  65 |                                         0
                  66 |@@@@                                     14
                  67 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@     126
                  68 |                                         0
    zs1 yek
    zs1 key 3:sd4 log2 4
               value  ------------- Distribution ------------- count
                  87 |                                         0
                  88 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1
                  89 |                                         0
    zs1 yek
    zs1 end 1 1795466707664415554
    zs1 begin 2 1795466707664415554 1795466708664187483
    zs1 end 2 1795466708664187483

``alias DEVICE NAME``
    Before the program, where the system has them: the kernel's name of a disk and what people call it (Solaris
    and illumos: sd3 is c3t0d0). Printed by the shell command around the standing question, which tells the others.
    May be missing altogether; then keys stay as the kernel names them.
``start WALLTIMESTAMP QUESTION [PID]``
    Printed by BEGIN: every probe is attached. PID is dtrace's own, for a look at what it costs. Times are
    walltimestamp, nanoseconds since the epoch by the host's clock.
``begin N FROM TO`` … ``end N TO [FAULTS]``
    One interval, N counting from 1. Printed in one clause, so nothing stands between them but the answer of this
    interval; an interval that has no ``end``, or one with another N or TO, was cut and is dropped, and so is one
    whose N is not above the last (N starts again after another ``start``). An interval without events has no
    ``key``. TO - FROM is the interval's true length: a host that is too busy (or, under Linux, too idle) to fire its
    tick prints fewer and longer intervals, and no event is lost by it; where the host's clock is set back, TO may lie
    before FROM. FAULTS counts the interval's errors of the program itself (dtrace:::ERROR).
``key KEY… AGG``
    One aggregated row. A string key is ``LENGTH:TEXT``, length in bytes, so that it may hold blanks, newlines and
    anything else (``0:`` is the empty string); an integer key is ``#-5``. AGG is either ``quantize`` (or
    ``lquantize …``, ``llquantize …``, or ``log2 N``: an lquantize of the indices of the buckets of 'log2:N'),
    followed by dtrace's own block of lines: the header, one line per bucket (lower bound right-aligned in 16
    columns, a blank, ``|``, 40 columns of bar, a blank, the count padded to 8, a blank; empty buckets outside of the
    data are elided but for one at each end) and a ``zs1 yek`` line; or ``count=12`` (sum, avg, min, max, stddev) on
    the same line. A stack key comes last: ``stack``, its frames on lines of their own from the innermost to the
    outermost, then a line ``zs1 yek count=12``.

Values of the standing question are nanoseconds. The order of keys is dtrace's own (by value) and changes from interval
to interval. stderr carries drops and faults (``dtrace: 12 aggregation drops on CPU 0``): they mark the interval under
way.

The command is recognised by the comment that its program starts with, ``/* zonescope disk_io/by=device,latency */``
(the question's id; see `collectors.dtrace.compose`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from collectors.base import Batch, Context, ParseError
from collectors.dtrace import blocks
from collectors.dtrace.drops import drops
from frames.questions import Question
from frames.schemas import bounds

SOURCE = "dtrace"
_SCALAR = re.compile(r"(count|sum|avg|min|max|stddev)=(-?\d{1,20})", re.A)
_KEY = re.compile(r"#(-?\d{1,20}) |(\d{1,6}):", re.A)
_READ: dict[str, Callable[..., blocks.Histogram]] = {
    "quantize": blocks.quantize,
    "lquantize": blocks.linear,
    "llquantize": blocks.loglinear,
    "log2": blocks.indices,
}
_BUCKETS = re.compile(
    r"quantize|log2 \d{1,2}|lquantize -?\d{1,10} -?\d{1,10} \d{1,10}|llquantize(?: \d{1,5}){4}|stack", re.A
)
_BEGIN = re.compile(r"(\d{1,18}) (\d{1,20}) (\d{1,20})", re.A)
_END = re.compile(r"(\d{1,18}) (\d{1,20})(?: (\d{1,18}))?", re.A)
_LONGEST_KEY = 8192
_LONGEST_STRING = 1024
"""dtrace cuts strings at 256 (strsize); a longer one is none, and would be waited for over many lines."""
_MOST_LINES = 4096
"""Lines of one block, and devices with another name."""
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
        return Expected(question.id, bounds_.partition(":")[0].replace("log2", "lquantize"), bounds_, devices)


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


class _Damage(ValueError):
    """What cannot be, and its column (from 1) in the line."""

    def __init__(self, why: str, column: int = 1) -> None:
        self.column = column
        super().__init__(why)


def _take(text: str, at: int) -> tuple[str, int] | None:
    """The key at `at` and the place after it, None when `text` ends before the key does.

    A byte that is no UTF-8 was decoded to U+FFFD, which stands for one to three bytes: then the key ends at the
    first place that its length allows and where a blank follows.
    Raises _Damage if there is no key at `at`.
    """
    m = _KEY.match(text, at)
    if not m:
        raise _Damage("no key where one should stand", at + 1)
    if m[1]:
        return m[1], m.end()
    length, rest = int(m[2]), text[m.end() :].encode("utf-8", "replace")
    if length > _LONGEST_STRING:
        raise _Damage("longer than a string may be", at + 1)
    if len(rest) <= length:
        return None
    if "\ufffd" not in text:
        key = rest[:length].decode("utf-8", "ignore")
        if rest[length] != ord(" "):
            raise _Damage("a key is longer than its length says", m.end() + len(key) + 1)
        return key, m.end() + len(key) + 1
    least, most, i = 0, 0, m.end()
    while not (least <= length <= most and text.startswith(" ", i)):
        if least > length:
            raise _Damage("a key is longer than its length says", i + 1)
        if i >= len(text):
            return None
        n = len(text[i].encode("utf-8", "replace"))
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

    def __init__(self, ctx: Context, asked: Question | Expected, names: Mapping[str, str] | None = None) -> None:
        self.ctx = ctx
        self._expected = asked if isinstance(asked, Expected) else Expected.of(asked)
        self.names = dict(names or {})
        """Devices by the kernel's name: as people call them. `alias` lines add to it."""
        self._line_no = 0
        self._interval: _Interval | None = None
        self._key: str | None = None
        self._keys: list[str] = []
        self._agg = ""
        self._block: list[str] = []  # lines of a stack
        self._rows: list[re.Match[str]] = []  # lines of a histogram
        self._drops = 0.0
        self._last = 0
        """Number of the last interval that began."""
        self._stranger: tuple[int, str] | None = None
        """The first line of something else, its number and text; until a line of ours comes."""
        self._ours = False
        self.running = False
        """BEGIN has fired: every probe is attached."""
        self.pid: int | None = None
        """dtrace's own, once it is running."""
        self.dropped = 0.0
        """Records lost so far, faults included."""
        self.complaints: list[str] = []
        """The last lines of stderr that are not drops."""

    @property
    def lost(self) -> float:
        """`dropped`, and what was lost since the last whole interval."""
        return self.dropped + self._drops

    def error(self, line: str, at: float) -> None:
        """One line of stderr: drops mark the interval under way, other words are kept for a person to read."""
        n = drops(line)
        if n:
            self._drops += n
        elif line.strip():
            self._complain(line[:500])

    def _complain(self, why: str) -> None:
        self.complaints = [*self.complaints[-4:], why]

    def feed(self, line: str, at: float) -> list[Batch]:
        """The batch of the interval that `line` ends. Raises ParseError, and the interval under way is lost."""
        self._line_no += 1
        try:
            return self._feed(line)
        except ValueError as e:
            self._interval = self._key = None
            self._agg, self._block, self._rows = "", [], []
            if line.startswith("zs1 begin "):
                # What was not ended must not take the next interval with it.
                with contextlib.suppress(ValueError):
                    self._feed(line)
            column = getattr(e, "column", 1)
            raise ParseError(SOURCE, self.ctx.host, self._line_no, line, str(e), column) from e

    def cut(self) -> None:
        """Lines were lost here: the interval under way will not be shown, though its end should come."""
        if self._interval:
            self._complain(f"interval {self._interval.number}: the link dropped lines of it")
        self._interval = self._key = None
        self._agg, self._block, self._rows = "", [], []

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        """Raises ParseError where no line of all was of a composed program."""
        self._interval = None
        if self._stranger and not self._ours:
            line_no, line = self._stranger
            column = len(line) - len(line.lstrip()) + 1
            why = "no output of a composed program: not one line begins with 'zs1 '"
            raise ParseError(SOURCE, self.ctx.host, line_no, line, why, column)
        return []

    def _feed(self, line: str) -> list[Batch]:
        if self._key is not None:
            # A raw newline within a string key.
            self._head(self._key + "\n" + line, line)
            return []
        if line.startswith("dtrace: "):
            self.error(line, 0.0)  # stderr on the same channel
            return []
        if self._agg:
            self._in_block(line)
            return []
        if not line.startswith("zs1 "):
            if not self._stranger and line.strip():
                self._stranger = self._line_no, line
            return []
        self._ours = True
        word, _, rest = line[4:].partition(" ")
        if word == "key" and self._interval:
            self._head(rest, line)
        elif word == "begin":
            self._begin(rest)
        elif word == "end" and self._interval:
            return [self._end(rest)]
        elif word == "alias":
            device, _, name = rest.partition(" ")
            if not name or len(self.names) >= _MOST_LINES:
                raise _Damage("no alias", 5)
            self.names[device] = name
        elif word == "start":
            self.running, self._last = True, 0
            pid = rest.rsplit(" ", 1)[-1]
            self.pid = int(pid) if rest.count(" ") == 2 and re.fullmatch(r"\d{1,10}", pid, re.A) else None
        return []

    def _begin(self, rest: str) -> None:
        unended, self._interval = self._interval, None
        m = _BEGIN.fullmatch(rest)
        if not m:
            raise _Damage("not the begin of an interval", 5)
        if int(m[1]) <= self._last:
            raise _Damage(f"interval {m[1]} after {self._last}", 11)
        self._last = int(m[1])
        self._interval = _Interval(self._last, int(m[3]))
        if unended:
            self._complain(f"interval {unended.number} has no end")

    def _end(self, rest: str) -> Batch:
        interval, self._interval = self._interval, None
        m = _END.fullmatch(rest)
        if not interval or not m or (int(m[1]), int(m[2])) != (interval.number, interval.to):
            raise _Damage("the interval's begin and end differ: lines were lost", 5)
        return self._batch(interval, int(m[3] or 0))

    def _in_block(self, line: str) -> None:
        """A line of a histogram or a stack."""
        if line.startswith("zs1 yek"):
            self._close(line[8:])
        elif line.startswith("zs1 ") or len(self._block) + len(self._rows) >= _MOST_LINES:
            raise _Damage(f"a {self._agg.partition(' ')[0]} without end")
        elif self._agg == "stack":
            self._block.append(line)
        elif m := blocks.ROW.fullmatch(line):
            self._rows.append(m)
        elif line.strip() and not blocks.HEADER.fullmatch(line):
            raise _Damage("not a bucket", len(line) - len(line.lstrip()) + 1)

    def _head(self, text: str, line: str) -> None:
        """A key line's text after ``zs1 key``; waits for more lines while a key is not whole."""
        self._key, at, keys = None, 0, []
        # Columns are told of `line`, the last of the lines that `text` was put together from.
        shift = len(line) - len(text)
        try:
            while not (_SCALAR.fullmatch(text, at) or _BUCKETS.fullmatch(text, at)):
                if len(text) > _LONGEST_KEY:
                    raise _Damage("a key without end")
                got = _take(text, at)
                if got is None:
                    self._key = text
                    return
                key, at = got
                keys.append(key)
        except _Damage as e:
            e.column = max(1, e.column + shift)
            raise
        self._keys = keys
        if m := _SCALAR.fullmatch(text, at):
            self._add(_Row(keys, m[1], value=float(m[2])))
        else:
            self._agg, self._block, self._rows = text[at:], [], []

    def _close(self, tail: str) -> None:
        agg, self._agg = self._agg, ""
        if agg == "stack":
            m = _SCALAR.fullmatch(tail)
            if not m:
                raise _Damage("a stack without its value", 9)
            frames = [f.strip() for f in self._block if f.strip()]
            self._add(_Row([*self._keys, "\n".join(frames)], m[1], value=float(m[2])))
            return
        kind, *numbers = agg.split(" ")
        h = _READ[kind]([blocks.bucket(m) for m in self._rows], *map(int, numbers))
        bounds_, counts = h.bounds, h.counts
        if bounds_ == "quantize_signed":
            # No field is below zero; clocks of two CPUs may be apart. Sums want one set of bounds.
            zero = len(counts) // 2
            bounds_, counts = "quantize", [sum(counts[: zero + 1]), *counts[zero + 1 :]]
        self._add(_Row(self._keys, h.agg, bounds=bounds_, counts=counts))

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
                row.keys[i] = self.names.get(row.keys[i], row.keys[i])
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
