"""Streams of whole reports: what most commands print when given an interval.

A report ends at an empty line, at an epoch line (`-T u`, `date +%s`: it stamps the report that follows), at a
line that opens the next one, or when the output rests and as many lines have come as in the report before.
"""

from __future__ import annotations

import re

from collectors.base import Batch, Context, ParseError

MOST_LINES = 50_000
"""More lines without an end of a report are not a report; they are refused and forgotten."""


class Reports:
    """Base of parsers of reports: a subclass reads one whole report in `report(lines, stamp)`.

    `source` is its name for errors; `opening` matches a line that begins a report, where nothing else ends one.
    `stamp` is the host's own epoch seconds where the stream carries them, else None. `bad(i, …)` makes the
    ParseError of the report's line i (0-based).
    """

    source = ""
    opening: re.Pattern[str] | None = None

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.line_no = 0
        self._lines: list[str] = []
        self._first = 1
        self._expect = 0
        self._stamp: float | None = None

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        raise NotImplementedError

    def bad(self, i: int, line: str, why: str, column: int = 0) -> ParseError:
        return ParseError(self.source, self.ctx.host, self._first + i, line, why, column)

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        if line and not (line.isdecimal() and len(line) < 12):
            lines = self._lines
            if not lines:
                self._first = self.line_no
            elif self.opening is not None and self.opening.match(line):
                return self._close(line)
            elif len(lines) >= MOST_LINES:
                self._lines = []
                raise self.bad(len(lines), line, f"no end of the report after {MOST_LINES} lines")
            lines.append(line)
            return []
        out = self._close() if self._lines else []
        if line:
            self._stamp = float(line)
        return out

    def idle(self, at: float) -> list[Batch]:
        return self._close() if self._lines and len(self._lines) == self._expect else []

    def end(self, at: float) -> list[Batch]:
        return self._close() if self._lines else []

    def _close(self, *following: str) -> list[Batch]:
        lines, stamp = self._lines, self._stamp
        self._lines, self._stamp = list(following), None
        self._expect = len(lines)
        try:
            return self.report(lines, stamp)
        finally:
            if following:
                self._first = self.line_no
