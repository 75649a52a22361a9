"""Parser of dtrace's default layout: what `printa(@)`, or the end of a script, prints of aggregations.

For recorded output and programs of others; programs of ours print frames of their own (`framing`). The layout is
not unambiguous, so this reads what stands there and guesses no more than it must:

* Keys are cut at the columns of `columns.split`; blanks at the ends of a string key are lost in the padding. A
  string with bytes beyond ASCII is printed as a dump of its bytes and read back as UTF-8 (else as hexadecimal).
* `values`, the number of aggregations of a joined printa, is not in the output: it must be said, else 1. What the
  surplus columns hold is then read as keys.
* Which of count, sum, avg, min, max and stddev a number is is not printed either: `agg` is then ''.
* A histogram with keys in a format of the script's own (``CMD: bash   PID: 12508``) has that line as its one key.
* 9223372036854775807 and -9223372036854775808 are what clear() leaves of min and max: NA.
* Rows of ``-x aggpack`` give their count only: the marks between min and max are no numbers.
* A stack key may be empty, and then is only a line's end: it is seen where stacks are seen around it. An
  aggregation without keys that is printed right after one by stacks is taken for its empty stack, one by a stack
  after one by two for rows whose first is empty.
* An lquantize or llquantize is known by its printed buckets only; those outside of them were elided. Buckets in
  equal steps are read as an lquantize, also where a Linux llquantize printed nothing but negative ones in equal
  steps, whose labels are upper bounds.

Source of the layout: illumos lib/libdtrace/common/dt_consume.c; seen from DTrace for Linux 2.0.7.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from collectors.dtrace import blocks, structured
from collectors.dtrace.columns import STRING, packed, reflowed, split, unshifted, weigh
from collectors.dtrace.drops import drops, fault
from collectors.dtrace.formats import Format
from frames.schemas import SCHEMAS

_VALUE = 17
_INDENT = 14
_SENTINELS = (2**63 - 1, -(2**63))
_HIST_KEYS = re.compile(r" *key {1,64}-+ Distribution -+ count *")
_PACK_HEADER = re.compile(r" *(key +)?min \.(-+)\. max +\| count *")
_COLUMNS = re.compile(r" *(CPU +ID +)?FUNCTION:NAME *|CPU +FUNCTION *")
_PROBE = re.compile(r" {0,2}\d{1,4} +\d{1,8} {1,40}[^:]{0,80}:[^\s:]+ |(?=.{32} ) {0,31}[^\s:]*:[^\s:]+ ")
_INDENTED_PROBE = re.compile(r" {3,8}\d{1,4} +\d{1,8} {1,40}[^:]{0,80}:[^\s:]+ ")
_FLOW = re.compile(r" {0,2}\d{1,4} +(->|<-|=>|<=|\|) ")
_FRAME = re.compile(
    r"(?: ?(?![^`]*`[^`]*`)|  (?=\S+`)(?!.*\S {2,}(?:\S|$))| {3,64})"
    r"(\S+`(?![^(<\[]*, )[^`\s].*|`[^`\s].*|\S+:0x[0-9a-f]+|0x[0-9a-f]+|<.*>|\[ .* \]) *"
)
"""At the margin a second backtick is prose; what is padded at dtrace's indent of keys is a key; what has a comma
outside of brackets is a script's own heading."""
_INDENTED_FRAME = re.compile(r" {14,40}(?=\S+`)")
_ELISION = re.compile(r" *\[?\.\.\.\]? *")
_DUMP_HEAD = re.compile(r" {5,}( {2}[0-9a-f]){16} {2}0123456789abcdef")
_DUMP_ROW = re.compile(r" {5} *([0-9a-f]+):((?: [0-9a-f]{2}){1,16}) {2,50}.{1,16}")
_TAIL = re.compile(r"-?\d{1,20}$")
_FIRST = re.compile(r"(-?\d{1,16})(?=  |$)|[^ ]")
_BARE = re.compile(r" +(-?\d{1,20}) *")
_NOISE = re.compile(
    r"\S*\^C|(?:\[[^\]]{1,80}\]|[A-Za-z][\w.@:~/-]{0,80}(?: [\w.~/-]{1,40})?)?[#$%](?: .*)?|> .*|.*[})\]] *['\"]"
    r"|`{3}.*|~{3}.*|\{%.*%\}|[A-Z]:\\[^<>|]*>.*|\[?\.\.\.\]?|</?(?:pre|code|tt|p|br|div|blockquote)\b[^<>]*>"
    r"|\d{1,3} {1,6}\d{1,6} +[^\s:]*:[^\s:]+(?: .*)?"
)
"""Of a session or a page around an output, never a key: an interrupt, a prompt and what was typed, a fence, a probe
that fired."""
_SESSION = re.compile(r"dtrace: |\^C| *(?:value|key) {1,64}-+ Dist| *(?:CPU +ID +)FUNCTION:NAME| *(?:key +)?min \.-")
_MARK = re.compile(r"\t{1,64}|(?:> ?){1,9}")
_TYPED = re.compile(r" +(?:dtrace: |\^C|(?:[#$] |sudo )+dtrace )")
"""What stands at the margin of a session."""
_PROSE = re.compile(r"[a-z]+(?: [\w(),.'-]+){2,}:?")
_SENTENCE = re.compile(r"[A-Z`'\"(][^ ]* .* .*[.!?] *")
_NEWLINES = 8
"""Lines that a string key may span."""


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
    """All rows in the order of the text, the lines that are no aggregation, what was dropped and complained of.

    `drops` counts lost records, `faults` errors of the program itself; both mark every row of the frame. `torn`
    says where the text ends within an aggregation, '' where it ends between two.
    """

    rows: list[Row] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    drops: int = 0
    faults: int = 0
    complaints: list[str] = field(default_factory=list)
    torn: str = ""

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
                "drops": [float(self.drops + self.faults)] * n,
            }
        )

    def said(self, line: str) -> None:
        """Take in a line of stderr."""
        lost, wrong = drops(line), fault(line)
        self.drops += lost
        self.faults += wrong
        if line.strip() and not lost:
            self.complaints.append(line)


def parse(text: str, *, values: int = 1, formats: Sequence[str] = (), stderr: str = "") -> Answer:
    """Read the whole of an output, also of FreeBSD's ``-x oformat=json``.

    `formats`: what the program gave to its printa(), as it stands in the source; lines that fit one of them are
    rows. Raises ValueError for a format that prints no aggregation, else nothing: a histogram that contradicts
    itself is text and a complaint that names its line and column.
    """
    answer = structured.parse(text) if structured.looks(text) else _Reader(text, values, formats).read()
    for line in stderr.splitlines():
        answer.said(line)
    return answer


@dataclass(slots=True)
class _Item:
    """Something above that may yet turn out to be a key: line `at`, its text, or the key of a block of lines."""

    at: int
    parts: list[str]
    kind: str = "line"
    """'line', 'frames', 'dump', 'noise', or 'blank'."""
    end: int = 0

    @property
    def text(self) -> str:
        return "\n".join(self.parts)

    @property
    def block(self) -> bool:
        return self.kind in ("frames", "dump")


class _Reader:
    def __init__(self, text: str, values: int, formats: Sequence[str]) -> None:
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        self.lines = _unindented(lines if formats else _unmarked(lines))
        self.formats = [Format(f) for f in formats]
        self.whole = "\n".join(self.lines) if formats else ""
        self.offset = 0
        """Of the line that comes next, in `whole`."""
        self.values = values
        self.answer = Answer()
        self.at = 0
        self.above: list[_Item] = []
        """What stands between the last row and here."""
        self.columns = False
        self.row_ends = -1
        """Line after the last row of values."""
        self.block_ends = -1
        """Line after the last block of buckets."""
        self.shape: list[bool] = []
        """Which keys of the last row with a stack are stacks."""
        self.stackless: list[list[str]] = []
        """Keys of the rows right above that may lack an empty stack."""

    def read(self) -> Answer:
        while self.at < len(self.lines):
            line, before = self.lines[self.at], self.at
            if self.formats and self._formatted():
                pass
            elif blocks.HEADER.fullmatch(line):
                self._histogram()
            elif _HIST_KEYS.fullmatch(line) or _PACK_HEADER.fullmatch(line):
                self._table()
            elif _DUMP_HEAD.fullmatch(line):
                self._dump()
            else:
                self._line(line)
                self.at += 1
            self.offset += sum(len(passed) + 1 for passed in self.lines[before : self.at])
        if not self.answer.torn and self.lines[-1]:
            self._torn(len(self.lines), "the last line has no end")
        self._discard()
        return self.answer

    def _torn(self, line: int, why: str) -> None:
        self.answer.torn = f"line {line}, column {len(self.lines[line - 1]) + 1}: {why}"

    def _formatted(self) -> bool:
        """Take in the rows that one of the program's own formats printed here; False where there is none."""
        probe = _PROBE.match(self.lines[self.at]) if self.columns else None
        for form in self.formats:
            # After the columns of a probe its first row goes on on their line.
            got = form.match(self.whole, self.offset + (probe.end() if probe else 0))
            # A format without a newline at its end prints row after row on one line.
            rows = [got] if got else []
            while got and not self._at_line(got.end):
                got = form.match(self.whole, got.end)
                rows += [got] if got and got.end > rows[-1].end else []
            if not rows or not self._at_line(rows[-1].end):
                continue
            self._discard()
            for row in rows:
                for value in row.values:
                    if isinstance(value, int):
                        self._add(row.keys, [value])
                    else:
                        self.answer.rows.append(Row(row.keys, value.agg, bounds=value.bounds, counts=value.counts))
            self.at += self.whole.count("\n", self.offset, rows[-1].end) or 1
            return True
        return False

    def _at_line(self, offset: int) -> bool:
        return offset >= len(self.whole) or self.whole[offset - 1] == "\n"

    # -- lines ---------------------------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        if line.startswith("dtrace: ") or (line.lstrip(" ").startswith("dtrace: ") and not _full(line)):
            self.answer.said(line.strip())
            return
        if not line.strip() and len(line) < STRING:
            if self.above and self.above[-1].kind == "blank":
                self.above[-1].end += 1
            else:
                self.above.append(_Item(self.at, [""], "blank", self.at + 1))
            return
        if _COLUMNS.fullmatch(line):
            self.columns = True
        number = _number(line)
        if _COLUMNS.fullmatch(line) or (self.columns and _is_probe(line, number is not None)):
            self._discard()
            self.shape, self.stackless = [], []
            self.answer.text.append(line)
            return
        # What looks like a value is an integer key where a stack follows (a row that begins with a stack has an
        # empty line before it), and where a histogram does, unless values are joined.
        if number and not self._heads_keys() and self._value(*number):
            return
        if not number and self._ends_stack(line):
            self._add(self._blocks([]), [int(line)])
            self.row_ends = self.at + 1
            self._discard()
            return
        if not number and _is_noise(line):
            self._keep(line, "noise")
            return
        if self._is_frame(line, number is not None):
            last = self.above[-1] if self.above else None
            if last and last.kind == "frames" and last.end == self.at:
                last.parts.append(line.strip())
                last.end += 1
            else:
                self.above.append(_Item(self.at, [line.strip()], "frames", self.at + 1))
            return
        self._keep(line)

    def _keep(self, line: str, kind: str = "line") -> None:
        """A line that is nothing yet. What lies so far above that it cannot be a key any more is text."""
        self.above.append(_Item(self.at, [line], kind, self.at + 1))
        if len(self.above) > 4 * _NEWLINES:
            self._discard(self.above[: -2 * _NEWLINES])
            del self.above[: -2 * _NEWLINES]

    def _heads_keys(self) -> bool:
        following = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        if blocks.HEADER.fullmatch(following):
            return self._on_this_line() == 0
        if _DUMP_HEAD.fullmatch(following):
            return True
        if _number(following) or _is_noise(following):
            return False
        return bool(_FRAME.fullmatch(following) or _stands_as_frame(following))

    def _ends_stack(self, line: str) -> bool:
        """Whether `line` is the value of the stack right above, in a column that somebody moved."""
        above = self.above[-1] if self.above else None
        if self.values != 1 or not above or above.kind != "frames" or above.end != self.at:
            return False
        if not _BARE.fullmatch(line) or (line.endswith("  ") and _full(line)) or self._heads_keys():
            return False
        if _indent(line) != _indent(self.lines[self.at - 1]):
            return True
        following = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        return _indent(following) != _indent(line) and not _BARE.fullmatch(following)

    def _is_frame(self, line: str, number: bool) -> bool:
        if number or (line.endswith("  ") and _full(line)):
            return False  # padded, as string keys are and frames are not
        if _FRAME.fullmatch(line):
            return True
        if not line.startswith(" ") or not line.strip():
            return False
        # An address or a symbol without a module, at dtrace's own indent or that of the frame above; or more lines
        # of what a ustack helper has to say.
        above = self.above[-1] if self.above else None
        if above and above.kind == "frames" and above.end == self.at:
            return _indent(line) == _indent(self.lines[self.at - 1]) or _indent(line) > _INDENT
        return _stands_as_frame(line)

    def _dump(self) -> None:
        """Bytes of a key that is no printable string."""
        start, data = self.at, bytearray()
        self.at += 1
        while self.at < len(self.lines) and (m := _DUMP_ROW.fullmatch(self.lines[self.at])):
            if int(m[1], 16) != len(data):
                break
            data += bytes.fromhex(m[2])
            self.at += 1
        self.above.append(_Item(start, [_text(bytes(data))], "dump", self.at))

    # -- values --------------------------------------------------------------------------------------------

    def _value(self, head: str, value: int) -> bool:
        """A line that ends in a value; False where what stands before it is no key."""
        below = self.block_ends == self.at and bool(self.answer.rows)
        found = [value]
        for _ in range(self.values - 1 if below else self._on_this_line() - 1):
            left = _number(head)
            if not left:
                if below:
                    break
                return False
            head = left[0]
            found.insert(0, left[1])
        if below and not head:
            # Right below a histogram: further aggregations of the same printa.
            self._add(self.answer.rows[-1].keys, found)
            self.row_ends = self.at + 1
            return True
        own = self._own(head)
        if own is None:
            return False
        self._add(own, found)
        self.row_ends = self.at + 1
        self._discard()
        return True

    def _on_this_line(self) -> int:
        """How many of the joined values stand on this first line of a row, and not in or below its histograms."""
        n, at, last = self.values, self.at + 1, len(self.lines) - 1
        while n and at <= last and blocks.HEADER.fullmatch(self.lines[at]):
            n, at = n - 1, at + 1
            while at <= last and blocks.ROW.fullmatch(self.lines[at]):
                at += 1
            number = _number(self.lines[at]) if at <= last else None
            at += number is not None or (at < last and not self.lines[at])
            while number and n:
                n, number = n - 1, _number(number[0])
        return n

    def _add(self, own: list[str], found: list[int]) -> None:
        for value in found:
            self.answer.rows.append(Row(own, "", value=None if value in _SENTINELS else value))

    def _own(self, head: str) -> list[str] | None:
        """All keys of the row whose line begins with `head`; None where it is none."""
        found = weigh(head)
        if (found is None or found[0] > 2) and head.startswith("  ") and not self._keys_only():
            found = min((way for way in (found, reflowed(head)) if way), key=lambda way: way[0], default=None)
            texts = unshifted(head.strip())
            if found is None and head.endswith(" ") and not any("  " in key for key in texts):
                found = 0, texts  # that a format of the script's own has padded
        elif found is None and (_FRAME.fullmatch(head) or (_indent(head) == 1 and not _full(self.lines[self.at]))):
            found = (0, [head.strip()]) if _FRAME.fullmatch(head) else weigh(" " + head, trimmed=True)
        own = found[1] if found else _at_margin(head)
        if own is None or (head and not head.strip() and len(head) % STRING):
            joined = self._with_newlines(head)
            if joined is None:
                return None
            return self._blocks(joined) if self.above and self.above[-1].block else joined
        if self.above and self.above[-1].block:
            return self._blocks(own)
        return self._with_empty_stack(own)

    def _keys_only(self) -> bool:
        """Whether this line may be all keys, whose stack is empty: columns to its end, and a bare value follows."""
        following = next((line for line in self.lines[self.at + 1 : self.at + 5] if line.strip()), "")
        return _BARE.fullmatch(following) is not None and _full(self.lines[self.at])

    def _blocks(self, after: list[str], empty: int = 0) -> list[str]:
        """All keys of a row with the stack (or dump) right above: `[keys] stack [keys] stack … after`.

        `empty`: stacks between it and `after`.
        """
        got, shape = [*[""] * empty, *after], [True] * empty + [False] * len(after)
        first, same, lacks = 0, False, False
        while self.above and self.above[-1].block:
            got.insert(0, self.above.pop().text)
            shape.insert(0, True)
            first = 0
            if not self.above:
                break
            above = self.above[-1]
            if above.kind == "blank":
                lines = above.end - above.at
                same = lines == 1
                self.above.pop()
                inner = bool(self.above) and self.above[-1].block
                # As many empty lines as empty stacks before this one, and its own; else one of the aggregation's.
                empty = lines - 1 if inner else int(lines == 2 and self.shape == [True, *shape])
                got[:0] = [""] * empty
                shape[:0] = [True] * empty
                lacks = lines == 3 and not inner
                continue
            same = True
            early = self._early(above.end)
            got[:0] = early
            shape[:0] = [False] * len(early)
            first = len(early)
        if same:
            for keys in self.stackless:
                if len(keys) == len(got) - 1:
                    keys.insert(first, "")
        self.stackless = [got] if lacks else []
        self.shape = shape
        return got

    def _with_empty_stack(self, own: list[str]) -> list[str]:
        above = self.above[-1] if self.above else None
        if above and above.kind == "line" and _full(above.text):
            early = self._early(above.end)
            self.shape = [False] * len(early) + [True] + [False] * len(own)
            return [*early, "", *own]
        if above and above.kind == "blank":
            if len(self.above) > 1 and self.above[-2].block:
                self.above.pop()
                return self._blocks(own, empty=above.end - above.at)
            if self.shape and len(own) == len(self.shape) - 1 and above.end - above.at == 1:
                own.insert(self.shape.index(True), "")
            else:
                self.stackless = self.stackless if above.end - above.at == 1 else []
                self.stackless.append(own)
        else:
            self.shape, self.stackless = [], []
        return own

    def _with_newlines(self, head: str) -> list[str] | None:
        """Keys of a line that begins in the middle of a string key with raw newlines."""
        for n in range(1, min(_NEWLINES, len(self.above)) + 1):
            items = self.above[-n:]
            if items[-1].end != self.at or any(a.end != b.at for a, b in itertools.pairwise(items)):
                return None
            if items[0].kind == "noise":
                return None
            if items[0].kind == "line" and items[0].text.startswith("  "):
                got = split("\n".join([*_lines(items), head]))
                if got is not None:
                    del self.above[-n:]
                    return got
        return None

    def _early(self, end: int) -> list[str]:
        """Keys printed on the line(s) before line `end`, where a stack or a histogram begins; [] if none are."""
        if not self.above or self.above[-1].kind != "line" or self.above[-1].end != end:
            return []
        if own := _at_margin(self.above[-1].text, trimmed=True):
            self.above.pop()
            return own
        for n in range(1, min(_NEWLINES, len(self.above)) + 1):
            items = self.above[-n:]
            if items[0].kind == "noise" or (n > 1 and items[0].end != items[1].at):
                break
            if items[0].text.startswith(" "):
                line = "\n".join(_lines(items))
                got = reflowed(line)
                sure = n == 1 and (_whole(line) or split(line) is not None)
                if got and (sure or any("\n" in k for k in got[1])):
                    del self.above[-n:]
                    heading = any(k.endswith(" =") for k in got[1]) or (got[0] > 4 and not line.endswith(" "))
                    return unshifted(line.strip()) if heading else got[1]
        if _SENTENCE.fullmatch(self.above[-1].text):
            return []
        return unshifted(self.above.pop().text.strip())

    def _discard(self, items: list[_Item] | None = None) -> None:
        """What turned out to be no key is text."""
        for item in self.above if items is None else items:
            self.answer.text += self.lines[item.at : item.end] if item.kind != "blank" else []
        if items is None:
            self.above = []

    # -- blocks --------------------------------------------------------------------------------------------

    def _rows(self) -> list[re.Match[str]]:
        out = []
        while self.at < len(self.lines) and (m := blocks.ROW.fullmatch(self.lines[self.at])):
            out.append(m)
            self.at += 1
        return out

    def _histogram(self) -> None:
        header = self.at
        self.at += 1
        rows, whole = self._rows(), True
        while self._elided():
            whole = False
            self.at += 1
            rows += self._rows()
        if not any(item.block for item in self.above):
            self.shape, self.stackless = [], []
        own = self._histogram_keys(header)
        try:
            h = blocks.guess([blocks.bucket(m) for m in rows], whole=whole)
        except ValueError as e:
            column = getattr(e, "column", 1)
            self.answer.complaints.append(f"line {header + 1}, column {column}: not a histogram: {e}")
            self.answer.text += self.lines[header : self.at]
        else:
            self.answer.rows.append(Row(own, h.agg, bounds=h.bounds, counts=h.counts))
        if self.at >= len(self.lines) - 1:
            self._torn(min(self.at + 1, len(self.lines)), "the last histogram has no end")
        self._discard()
        self.block_ends = self.at

    def _elided(self) -> bool:
        """Whether somebody cut buckets out here: a line of dots, and then more of them."""
        two = self.lines[self.at : self.at + 2]
        return len(two) == 2 and bool(_ELISION.fullmatch(two[0]) and blocks.ROW.fullmatch(two[1]))

    def _histogram_keys(self, header: int) -> list[str]:
        if self.row_ends == header and self.answer.rows:
            return self.answer.rows[-1].keys  # the value before it has named them
        above = self.above[-1] if self.above else None
        if above and above.block:
            return self._blocks([])
        if above and above.kind == "line":
            early = self._early(header)
            return self._blocks(early) if self.above and self.above[-1].block else early
        if above and above.kind == "blank" and above.end - above.at == 1:
            before = self.above[-2] if len(self.above) > 1 else None
            if before and before.block:
                self.above.pop()
                return self._blocks([])
            if before and before.kind == "line":
                # A heading of the script's own, and a blank line; or the end of what somebody wrote about it.
                prose = len(self.above) > 2 and self.above[-3].end == before.at and _PROSE.fullmatch(before.text)
                if prose and self.above[-3].kind == "line":
                    return []
                self.above.pop()
                return self._early(before.end)
            if self.block_ends == header - 1 and self.answer.rows:
                # One blank line: the next histogram of a joined printa. Two: another aggregation.
                return self.answer.rows[-1].keys
        return []

    def _table(self) -> None:
        """-x agghist and -x aggpack: a line per key below one header."""
        header = self.lines[self.at]
        pack = _PACK_HEADER.fullmatch(header)
        width = header.find("key") + 3 if "key" in header else 0
        self.at += 1
        self._discard()
        found = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            row = blocks.pack_row(line, width, len(pack[2])) if pack else blocks.hist_row(line, width)
            if row is None:
                break
            found.append(row)
            self.at += 1
        for own, (_, count) in zip(packed([head for head, _ in found], width), found, strict=True):
            self.answer.rows.append(Row(own, "count" if pack else "", value=count))
        if self.at >= len(self.lines) - 1:
            self._torn(min(self.at + 1, len(self.lines)), "the last table may have no end")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _unmarked(lines: list[str]) -> list[str]:
    """`lines` without the tabs, or marks of a quotation, that somebody put before all, or before a session, as its
    own lines show."""
    ends = [m.end() if (m := _MARK.match(line)) else 0 for line in lines]
    marked = [line[end:] for line, end in zip(lines, ends, strict=True) if end]
    if len(marked) == sum(bool(line.strip()) for line in lines) or any(map(_SESSION.match, marked)):
        return [line[end:] for line, end in zip(lines, ends, strict=True)]
    return lines


def _unindented(lines: list[str]) -> list[str]:
    """`lines` with what lies between two at the margin where dtrace prints it, if somebody indented it or cut
    blanks off, as its histograms, stacks, dumps, or the session around them show."""
    out: list[str] = []
    at = 0
    for n in range(len(lines) + 1):
        if n == len(lines) or (lines[n] and lines[n][0] != " "):
            out += _moved(lines[at:n])
            out += lines[n : n + 1]
            at = n + 1
    return out


def _moved(lines: list[str]) -> list[str]:
    least = min((_indent(line) for line in lines if line.strip()), default=0)
    places = {line.index("value") - 11 for line in lines if blocks.HEADER.fullmatch(line)}
    places |= {m.end() - _INDENT for line in lines if (m := _INDENTED_FRAME.match(line))}
    places |= {line.index("0") - 13 for line in lines if _DUMP_HEAD.fullmatch(line)}
    places |= {_indent(line) for line in lines if _TYPED.match(line) and not _full(line)}
    by = min(places, default=0)
    if 0 < by <= least:
        return [line[by:] for line in lines]
    by = max(places, default=0)
    return [" " * -by + line if line.strip() else line for line in lines] if by < 0 else lines


def _number(line: str) -> tuple[str, int] | None:
    """Key part and value of a line that ends in a value column, None for another."""
    m = _TAIL.search(line[-21:])
    if not m:
        return None
    width = max(_VALUE, len(m[0]) + 1)
    cut = len(line) - width
    if cut < 0 or line[cut:] != " " * (width - len(m[0])) + m[0]:
        return None
    if cut % STRING and not line[:cut].strip():
        return None  # an address that is a frame of a stack
    return line[:cut], int(m[0])


def _stands_as_frame(line: str) -> bool:
    """Whether `line` begins at dtrace's indent of a stack, and not with an integer key of 64 bits."""
    if not line.startswith(" " * _INDENT) or line[_INDENT : _INDENT + 1] in ("", " "):
        return False
    own = split(line)
    return not own or not own[0].lstrip("-").isdigit()


def _is_noise(line: str) -> bool:
    """Whether `line` is of a session or a page around the output, and no key."""
    if "`" in line and "```" not in line:
        return False
    return _NOISE.fullmatch(line.strip()) is not None and not _full(line)


def _is_probe(line: str, number: bool) -> bool:
    """Whether `line` is a row of a probe that fired: CPU, ID, FUNCTION:NAME and what it traced."""
    return bool(_PROBE.match(line) or _FLOW.match(line) or (not number and _INDENTED_PROBE.match(line)))


def _at_margin(text: str, *, trimmed: bool = False) -> list[str] | None:
    """Keys of a line whose first column has lost the blanks before it; `trimmed`: of an integer, and others after."""
    m = _FIRST.match(text)
    if not m or (trimmed and not m[1]):
        return None
    found = weigh(" " * (2 if not m[1] else (9 if len(m[1]) < 9 else 17) - len(m[1])) + text, trimmed=trimmed)
    return found[1] if found and found[0] < 2 else None


def _full(line: str) -> bool:
    """Whether `line` is columns to its end, none of them trimmed."""
    found = weigh(line)
    return found is not None and found[0] <= 2 and found[1] != []


def _whole(line: str) -> bool:
    """Whether a line of keys may be cut into columns: it is padded, or ends in an integer, or is one text anyway."""
    return len(line) < STRING or line.endswith(" ") or line[-1].isdigit()


def _lines(items: list[_Item]) -> list[str]:
    return [line for item in items for line in (item.text.split("\n") if not item.block else [item.text])]


def _text(data: bytes) -> str:
    """A dumped string: to its first NUL if only NULs follow, as UTF-8; else all bytes in hexadecimal."""
    body = data.rstrip(b"\0")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body.hex()
    return text if text and "\0" not in text and (data != body or text.isprintable()) else data.hex()
