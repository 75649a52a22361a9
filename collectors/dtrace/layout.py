"""Parser of dtrace's default layout: what `printa(@)`, or the end of a script, prints of aggregations.

For recorded output and programs of others; programs of ours print frames of their own (`framing`). The layout is
not unambiguous, so this reads what stands there and guesses no more than it must:

* A string or symbol key is two blanks and the text padded to 50, an integer key is right-aligned in 9, 17, 6 or 4
  columns by its size, a value is right-aligned in 17. Blanks at the ends of a string key are lost in the padding.
* `values`, the number of aggregations of a joined printa, is not in the output: it must be said, else 1.
* Which of count, sum, avg, min, max and stddev a number is is not printed either: `agg` is then ''.
* A histogram with keys in a format of the script's own (``CMD: bash   PID: 12508``) has that line as its one key.
* 9223372036854775807 and -9223372036854775808 are what clear() leaves of min and max: NA.
* Rows of ``-x aggpack`` give their count only: the marks between min and max are no numbers.

Source of the layout: illumos lib/libdtrace/common/dt_consume.c; seen from DTrace for Linux 2.0.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from collectors.dtrace import blocks
from collectors.dtrace.drops import drops
from frames.schemas import SCHEMAS

_VALUE = 17
_STRING = 52
_INTS = (9, 17, 6, 4)
_SENTINELS = (2**63 - 1, -(2**63))
_HIST_KEYS = re.compile(r"\s*key\s+-+ Distribution -+ count\s*")
_HIST_ROW = re.compile(r" *(?P<key>.*?) (?P<left>[@▏▎▍▌▋▊▉█ ]*)\|(?P<right>.*?)\s(?P<count>-?\d+)\s*")
_PACK_HEADER = re.compile(r"\s*(?P<key>key\s+)?min \.-+\. max\s+\| count\s*")
_PACK_ROW = re.compile(r"(?P<head>.*?) *(?P<min>(?:< )?-?\d+) :.*: (?P<max>(?:>= )?-?\d+)\s+\| (?P<count>-?\d+)\s*")
_COLUMNS = re.compile(r"\s*(CPU\s+ID\s+)?FUNCTION:NAME\s*")
_PROBE = re.compile(r"\s*(\d+\s+\d+\s+)?[^\s:]*:[^\s:]+ .*")
_FRAME = re.compile(r"\s{3,}(\S*`\S.*|0x[0-9a-f]+|<.*>)\s*")
_ELISION = re.compile(r"\s*\[?\.\.\.\]?\s*")
_INT = re.compile(r" *(-?\d+)")


@dataclass(frozen=True, slots=True)
class Row:
    """One key tuple of one aggregation. `value` is None for histograms and for an empty min or max."""

    keys: list[str]
    agg: str
    value: int | None = None
    bounds: str | None = None
    counts: list[int] | None = None


@dataclass(slots=True)
class Answer:
    """All rows in the order of the text, the lines that are no aggregation, what was dropped and complained of."""

    rows: list[Row] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    drops: int = 0
    complaints: list[str] = field(default_factory=list)

    def frame(self, question: str, host: str, at: float) -> pd.DataFrame:
        """Rows as a frame of table ``dtrace``, stamped `at` (epoch seconds)."""
        n = len(self.rows)
        return SCHEMAS["dtrace"].frame(
            {
                "time": [int(at * 1e6)] * n,
                "host": [host] * n,
                "question": [question] * n,
                "keys": [r.keys for r in self.rows],
                "value": [None if r.value is None else float(r.value) for r in self.rows],
                "agg": [r.agg for r in self.rows],
                "bounds": [r.bounds for r in self.rows],
                "counts": [r.counts for r in self.rows],
                "drops": [float(self.drops)] * n,
            }
        )


def keys(text: str) -> list[str] | None:
    """The keys of a line without its values, None where `text` does not stand in the default layout."""
    return _keys(text, 0, 0)


def _columns(line: str) -> bool:
    """Whether a line of keys may be cut into columns: it is padded, or ends in an integer, or is one text anyway."""
    return len(line) < _STRING or line.endswith(" ") or line[-1].isdigit()


def _keys(text: str, at: int, depth: int) -> list[str] | None:
    if not text[at:].strip(" ") and depth and len(text) - at < 2:
        return []
    if at == len(text):
        return []
    if depth > 32 or text[at] != " ":
        return None
    m = _INT.match(text, at)
    if m and text[at : at + 2] != "  " + m[1]:
        width = m.end() - at
        if (width in _INTS or (width > 9 and text[at + 1] != " ")) and (
            rest := _keys(text, m.end(), depth + 1)
        ) is not None:
            return [m[1], *rest]
    if text[at : at + 2] != "  ":
        return None
    for end in _string_ends(text, at):
        rest = _keys(text, end, depth + 1)
        if rest is not None:
            return [text[at:end].strip(" "), *rest]
    return None


def _string_ends(text: str, at: int) -> Iterator[int]:
    """Where a string column that begins at `at` may end, likeliest first."""
    full = at + _STRING
    if full < len(text):
        yield full
        # The text was longer than 50 and pushed its column right.
        for m in re.finditer(r"(?=  \S| +-?\d+(?: |$))", text[full:]):
            yield full + m.start()
    yield len(text)


def _number(line: str) -> tuple[str, int] | None:
    """Key part and value of a line that ends in a value column, None for another."""
    m = re.search(r"-?\d+$", line)
    if not m:
        return None
    width = max(_VALUE, len(m[0]) + 1)
    cut = len(line) - width
    if cut > 0 and line[:cut].isspace() and cut % _STRING:
        return None  # an address that is a frame of a stack
    if cut < 0 or line[cut:] != " " * (width - len(m[0])) + m[0]:
        return None
    return line[:cut], int(m[0])


def parse(text: str, *, values: int = 1) -> Answer:
    """Read the whole of an output. Raises nothing: a histogram that contradicts itself is text and a complaint."""
    return _Reader(text.split("\n"), values).read()


class _Reader:
    def __init__(self, lines: list[str], values: int) -> None:
        self.lines = [line.removesuffix("\r") for line in lines]
        self.values = values
        self.answer = Answer()
        self.at = 0
        self.before: list[tuple[int, str]] = []
        """Lines since the last row that may be keys of the next, with their number."""
        self.stacks: list[list[str]] = []
        """Stack keys under way, and whether a blank line followed the last."""
        self.stacks_from = 0
        self.gap = False
        self.columns = False
        self.last_histogram_ends = -1
        self.shape: tuple[int, int] | None = None
        """Of the last row with a stack: place of the stack, number of keys."""

    def read(self) -> Answer:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if blocks.HEADER.fullmatch(line):
                self._histogram()
            elif _HIST_KEYS.fullmatch(line):
                self._table(_HIST_ROW)
            elif _PACK_HEADER.fullmatch(line):
                self._table(_PACK_ROW)
            else:
                self._line(line)
                self.at += 1
        self._discard()
        return self.answer

    # -- lines ---------------------------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        if line.startswith("dtrace: "):
            n = drops(line)
            self.answer.drops += n
            if not n:
                self.answer.complaints.append(line)
            return
        if not line:
            self.gap = bool(self.stacks)
            return
        if _COLUMNS.fullmatch(line):
            self.columns = True
            self._discard()
            self.answer.text.append(line)
            return
        if self.columns and _PROBE.fullmatch(line):
            self._discard()
            self.answer.text.append(line)
            return
        number = _number(line)
        # A value right above a histogram is an integer key of 64 bits.
        if number and not self._heads_histogram() and self._value(*number):
            return
        if self._is_frame(line, number is not None):
            if not self.stacks:
                self.stacks_from = self.at
            if not self.stacks or self.gap:
                self.stacks.append([])
            self.stacks[-1].append(line.strip())
            self.gap = False
            return
        if self.gap:
            self._discard()
        self.before.append((self.at, line))

    def _heads_histogram(self) -> bool:
        following = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        return self.values == 1 and blocks.HEADER.fullmatch(following) is not None

    def _is_frame(self, line: str, number: bool) -> bool:
        if _FRAME.fullmatch(line):
            return True
        # An address or a symbol without a module, at dtrace's own indent.
        return not number and line.startswith(" " * 14) and line[14:15] not in ("", " ")

    def _value(self, head: str, value: int) -> bool:
        """A line that ends in a value; False where what stands before it is no key."""
        more: list[int] = []
        for _ in range(self.values - 1):
            left = _number(head)
            if not left:
                return False
            head, earlier = left
            more.insert(0, earlier)
        own = keys(head) if head else []
        blank = self.at > 0 and not self.lines[self.at - 1].strip()
        if own is None or (head and not head.startswith(" ")):
            joined = self._with_newlines(head)
            if joined is None:
                return False
            own = joined
        elif self.stacks:
            own = [*self._stack_keys(), *own]
            self.shape = (self.shape or (0, 0))[0], len(own)
        elif not blank and self.last_histogram_ends == self.at and not own and self.answer.rows:
            own = self.answer.rows[-1].keys  # a further aggregation of the same printa
        elif not blank and self.before and self.before[-1][0] == self.at - 1 and len(self.before[-1][1]) >= _STRING:
            own = [*self._early_keys(), "", *own]  # an empty stack after other keys
        elif blank and self.shape and len(own) == self.shape[1] - 1:
            own.insert(self.shape[0], "")  # an empty stack among stacks
        for v in (*more, value):
            self.answer.rows.append(Row(own, "", value=None if v in _SENTINELS else v))
        if self.last_histogram_ends == self.at:
            self.last_histogram_ends += 1
        self._discard()
        return True

    def _stack_keys(self) -> list[str]:
        """Keys before the stack(s), if they stand right above, and the stacks; an empty one is a blank line."""
        stacks = ["\n".join(frames) for frames in self.stacks] + ([""] if self.gap else [])
        early = self._early_keys() if self.before and self.before[-1][0] == self.stacks_from - 1 else []
        self.shape = len(early), len(early) + len(stacks)
        self.stacks, self.gap = [], False
        return [*early, *stacks]

    def _with_newlines(self, head: str) -> list[str] | None:
        """Keys of a line that begins in the middle of a string key with raw newlines."""
        for n in range(1, min(4, len(self.before)) + 1):
            lines = self.before[-n:]
            if lines[0][0] != self.at - n:
                return None
            if lines[0][1].startswith("  "):
                got = keys("\n".join([line for _, line in lines] + [head]))
                if got is not None:
                    del self.before[-n:]
                    return got
        return None

    def _early_keys(self) -> list[str]:
        """Keys printed on the line(s) before a stack or a histogram; lines further up are text."""
        if not self.before:
            return []
        for n in range(1, min(4, len(self.before)) + 1):
            part = [line for _, line in self.before[-n:]]
            if part[0].startswith(" "):
                got = keys("\n".join(part)) if n > 1 or _columns(part[0]) else None
                if got is not None and (n == 1 or any("\n" in k for k in got)):
                    del self.before[-n:]
                    return got
            if n > 1 and self.before[-n][0] != self.before[-n + 1][0] - 1:
                break
        return [self.before.pop()[1].strip()]

    def _discard(self) -> None:
        """What turned out to be no key is text."""
        self.answer.text += [line for _, line in self.before] + [f for frames in self.stacks for f in frames]
        self.before, self.stacks, self.gap = [], [], False

    # -- blocks --------------------------------------------------------------------------------------------

    def _rows(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        out = []
        while self.at < len(self.lines) and (m := pattern.fullmatch(self.lines[self.at])):
            out.append(m)
            self.at += 1
        return out

    def _histogram(self) -> None:
        header = self.at
        self.at += 1
        rows, whole = self._rows(blocks.ROW), True
        while self._elided():
            whole = False
            self.at += 1
            rows += self._rows(blocks.ROW)
        own = self._histogram_keys(header)
        try:
            h = blocks.guess([blocks.bucket(m) for m in rows], whole=whole)
        except ValueError as e:
            self.answer.complaints.append(f"line {header + 1}: not a histogram: {e}")
            self.answer.text += self.lines[header : self.at]
        else:
            self.answer.rows.append(Row(own, h.agg, bounds=h.bounds, counts=h.counts))
        self._discard()
        self.last_histogram_ends = self.at

    def _elided(self) -> bool:
        """Whether somebody cut buckets out here: a line of dots, and then more of them."""
        two = self.lines[self.at : self.at + 2]
        return len(two) == 2 and bool(_ELISION.fullmatch(two[0]) and blocks.ROW.fullmatch(two[1]))

    def _histogram_keys(self, header: int) -> list[str]:
        if self.stacks:
            below = self.before.pop() if self.before and self.before[-1][0] == header - 1 else None
            self.gap = False
            return [*self._stack_keys(), *((keys(below[1]) or [below[1].strip()]) if below else [])]
        last = self.before[-1][0] if self.before else None
        if last is not None and header - last <= 2:
            return self._early_keys()
        if self.last_histogram_ends == header - 1 and not self.lines[header - 1].strip() and self.answer.rows:
            # One blank line: the next histogram of a joined printa. Two: another aggregation.
            return self.answer.rows[-1].keys
        return []

    def _table(self, pattern: re.Pattern[str]) -> None:
        """-x agghist and -x aggpack: a line per key below one header."""
        named = "key" in self.lines[self.at].split("Distribution")[0].split("min")[0]
        self.at += 1
        self._discard()
        for m in self._rows(pattern):
            own = [m["key"].strip()] if pattern is _HIST_ROW else self._pack_keys(m["head"]) if named else []
            self.answer.rows.append(Row(own, "count" if pattern is _PACK_ROW else "", value=int(m["count"])))

    def _pack_keys(self, head: str) -> list[str]:
        return re.split(r" {2,}", head.strip()) if head.strip() else []
