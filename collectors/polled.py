"""Commands that end, asked again and again: framing of their reports by marker lines.

The command prints `== begin <epoch> <local date> <local time>` before and `== end` after each report, so that a
report is whole without waiting for the next, and carries the host's clock. Solaris 10's date knows no %s and
prints something else in its place: then there is no epoch, and the arrival time is used.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from collectors.base import Batch, Context, ParseError
from collectors.pasted import unquoted

MOST_LINES = 200_000
"""More lines without an end are not a report (but see `Polled.most`); they are refused and forgotten."""

DOCUMENT = re.compile(r'\{\s*(?:"|$)')
"""The first line of JSON: neither laid out nor broken at its commas does it have another line like it."""
_BEGIN = re.compile(r"== begin (\S+)(?: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d))?")


def again(command: str, interval: float) -> str:
    """sh that runs `command` every `interval` seconds between markers, until it fails."""
    begin = "echo \"== begin `date +%s` `date '+%Y-%m-%d %H:%M:%S'`\""
    return f"while {begin}; {command}; do echo '== end'; sleep {max(1, round(interval))}; done"


class Polled:
    """Base of parsers of such reports: a subclass reads a whole one in `report(lines)`.

    `stamp` is the report's epoch, `local` the host's own date and time, `east` how many seconds that is ahead of
    UTC; None where unknown. Text without markers is one report to its end, or several where `opens` says that a
    line begins another. A report that the next one begins without its end has lost lines and is refused. `bad`
    makes a ParseError; `around` takes that of a line which may stand around the output in a saved text.
    """

    source = ""
    most = MOST_LINES

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.stamp: float | None = None
        self.local: datetime | None = None
        self._line_no = 0
        self._first = 1
        self._lines: list[str] = []
        self._framed = False
        self._refusing = False
        self._open = False
        self._found = False
        self._around: ParseError | None = None

    @property
    def strict(self) -> bool:
        """Whether every line is the command's: in a stream, and between markers of ours."""
        return self._framed or not self.ctx.saved

    @property
    def east(self) -> float | None:
        if self.stamp is None or self.local is None:
            return None
        # Zones are whole quarters of an hour apart; the two clocks were read a moment apart.
        return round((self.local.replace(tzinfo=UTC).timestamp() - self.stamp) / 900) * 900.0

    def report(self, lines: list[str]) -> list[Batch]:
        raise NotImplementedError

    def opens(self, line: str) -> bool:
        """Whether `line` begins another report; asked of every line, in order, where no markers tell."""
        return False

    def bad(self, i: int, line: str, why: str, column: int = 1) -> ParseError:
        """The error of line i (0-based) of the report being read."""
        return ParseError(self.source, self.ctx.host, self._first + i, line, why, column)

    def around(self, e: ParseError) -> None:
        """Raises, in a saved text only at its end and if nothing was found in it."""
        if self.strict:
            raise e
        self._around = self._around or e

    def document(self, lines: list[str], at: int) -> Any:
        """The JSON that begins in line `at`: as it was printed, or broken at its commas, as our commands do with it."""
        wrong: list[json.JSONDecodeError] = []
        for between in ("\n", ","):
            try:
                return json.JSONDecoder().raw_decode(between.join(lines[at:]))[0]
            except json.JSONDecodeError as e:
                wrong.append(e)
            except RecursionError:
                raise self.bad(at, lines[at], "JSON without a bottom") from None
        between, furthest = max(zip(("\n", ","), wrong, strict=True), key=lambda w: w[1].pos)
        before = furthest.doc[: furthest.pos]
        several = len(lines) - at > 1
        i = min(at + before.count(between), len(lines) - 1) if several else at
        column = 1 + furthest.pos - (before.rfind(between) + 1 if several else 0)
        raise self.bad(i, lines[i], f"not JSON: {furthest.msg}", column) from furthest

    def feed(self, line: str, at: float) -> list[Batch]:
        self._line_no += 1
        if self.ctx.saved:
            line = unquoted(line)
        if line.startswith("== "):
            begin = _BEGIN.fullmatch(line)
            if begin or line == "== end":
                torn = bool(begin) and self._open
                self._open = bool(begin)
                if torn:
                    self._lines, self._refusing = [], False
                out = self._close()
                if begin:
                    self._framed = True
                    self.stamp = float(begin[1]) if re.fullmatch(r"[0-9]{9,11}", begin[1]) else None
                    self.local = _date(begin[2])
                if torn:
                    raise ParseError(self.source, self.ctx.host, self._line_no, line, "the report before has no end", 1)
                return out
        out = self._close() if not self._framed and self.opens(line) and self._lines else []
        if self._refusing:
            return out
        if not self._lines:
            self._first = self._line_no
        elif len(self._lines) >= self.most:
            self._lines, self._refusing = [], True
            raise ParseError(self.source, self.ctx.host, self._line_no, line, f"no end after {self.most} lines", 1)
        self._lines.append(line)
        return out

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        out = self._close()
        if self._around and not self._found:
            raise self._around
        return out

    def _close(self) -> list[Batch]:
        lines, self._lines, self._refusing = self._lines, [], False
        if not any(line.strip() for line in lines):
            return []
        try:
            out = self.report(lines)
            self._found = self._found or bool(out)
            return out
        finally:
            self._first = self._line_no


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
