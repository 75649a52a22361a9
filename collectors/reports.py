"""Streams of whole reports: what most commands print when given an interval.

A report ends at an empty line, at an epoch line (`-T u`, `date +%s`: it stamps the report that follows), at a
line that opens the next one, or when the output rests and as many lines have come as in the report before.
"""

from __future__ import annotations

import re

from collectors.base import Batch, Context, ParseError
from collectors.pasted import is_command

_TOOLS = (
    "iostat|vmstat|mpstat|prstat|zonestat|zoneadm|kstat|arcstat|vfsstat|ziostat|zonememstat|rcapstat|prctl|swap|swapinfo|"
    "dladm|sysctl|cat|psrinfo|prtconf"
)
_TOOL = re.compile(
    rf"\^C|\s*\[[^\]\s]{{1,40}}@[^\]]{{1,80}}\]"
    rf"|(?:sudo )?(?:/(?:usr/)?s?bin/(?:\S{{1,20}}/)?)?(?:{_TOOLS})(?:\.p[ly])?(?: +[-/a-z0-9].{{0,300}})?$"
)
FOREIGN = 20
"""Lines of a saved report that nobody can read, after which the rest of it is not believed either."""
BEFORE = 3
"""Of them before its headings, which may be none."""
MOST_LINES = 50_000
"""More lines without an end of a report are not a report; they are refused and forgotten."""


def is_prompt(line: str) -> bool:
    """Whether a line of a saved text is a shell's prompt, with or without a command, or one of our tools' commands."""
    return _TOOL.match(line) is not None or is_command(line)


class Reports:
    """Base of parsers of reports: a subclass reads one whole report in `report(lines, stamp)`.

    `source` is its name for errors; `opening` matches a line that begins a report, where nothing else ends one.
    `stamp` is the host's own epoch seconds where the stream carries them, else None. `bad(i, …)` makes the
    ParseError of the report's line i (0-based). `since_boot` takes the batches of a report that is no interval.
    """

    source = ""
    opening: re.Pattern[str] | None = None
    prompts = False
    """Whether a line that looks like a shell's prompt is one: it ends the report, in a saved text."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.line_no = 0
        self._lines: list[str] = []
        self._first = 1
        self._expect = 0
        self._stamp: float | None = None
        self._numbers: list[int] = []
        self._means: list[list[Batch]] = []
        self._shown = False

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        raise NotImplementedError

    def bad(self, i: int, line: str, why: str, column: int = 0) -> ParseError:
        line_no = self._numbers[i] if self._numbers else self._first + i
        return ParseError(self.source, self.ctx.host, line_no, line, why, column)

    def since_boot(self, batches: list[Batch]) -> list[Batch]:
        """What is the mean since boot is no interval; a saved text that holds nothing else shows it at its end."""
        if self.ctx.saved:
            self._means = [*self._means[-1:], batches]
        return []

    def alone(self) -> list[Batch]:
        """The batches of a saved text's only report."""
        return self._means[0] if len(self._means) == 1 and not self._shown else []

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        if self.prompts and self.ctx.saved and is_prompt(line):
            return self._close() if self._lines else []
        blank = not line or line.isspace()
        if not blank and not (line.isdecimal() and len(line) < 12):
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
        if not blank:
            self._stamp = float(line)
        return out

    def idle(self, at: float) -> list[Batch]:
        return self._close() if self._lines and len(self._lines) == self._expect else []

    def end(self, at: float) -> list[Batch]:
        return (self._close() if self._lines else []) or self.alone()

    def _close(self, *following: str) -> list[Batch]:
        lines, stamp = self._lines, self._stamp
        self._lines, self._stamp = list(following), None
        self._expect = len(lines)
        try:
            out = self._beside_foreign(lines, stamp) if self.ctx.saved else self.report(lines, stamp)
            self._shown |= bool(out)
            return out
        finally:
            if following:
                self._first = self.line_no

    def _beside_foreign(self, lines: list[str], stamp: float | None) -> list[Batch]:
        """A saved report without the lines that somebody wrote into it: they are told, the others are read."""
        self._numbers = list(range(self._first, self._first + len(lines)))
        told: list[ParseError] = []
        try:
            while True:
                try:
                    out = self.report(lines, stamp)
                    break
                except ParseError as e:
                    told.append(e)
                    at = self._numbers.index(e.line_no) if e.line_no in self._numbers else 0
                    if len(told) == FOREIGN or len(lines) == 1 or (at == 0 and len(told) > BEFORE):
                        told[0].more = told[1:]
                        raise told[0] from None
                    lines = lines[:at] + lines[at + 1 :]
                    del self._numbers[at]
        finally:
            self._numbers = []
        if told:
            told[0].rest, told[0].more, self._shown = out, told[1:], self._shown or bool(out)
            raise told[0]
        return out
