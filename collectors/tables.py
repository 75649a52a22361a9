"""Tables that `zpool list` and `zfs list` print: with headings, which name their columns, or with tabs (-H)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LONGEST = 2048
"""Names have at most 255 characters, mount points 1024; longer lines are no rows, and cost time to match."""

_CELL = r"(?:-|none|[0-9.,]+[KMGTPEZ]?B?[%x]?|[A-Z]+)"
_BETWEEN = re.compile(r"\s{2,}")
"""Between columns of words, which may hold single blanks."""


class Heading:
    """The columns of a table with headings; the first is a name, which may hold blanks, as may the last.

    `row(line)` gives {heading: cell} or None where the line is not a row; `indent` is how much the name stands in
    from its heading (a vdev below its pool). Cells that a row lacks at its end are left out.
    """

    def __init__(self, line: str) -> None:
        self.names = line.split()
        self._left = len(line.expandtabs()) - len(line.expandtabs().lstrip())
        middle = rf"\s+({_CELL})" * max(0, len(self.names) - 2)
        self._row = re.compile(rf"(\s*)(\S.*?){middle}(?:\s+(\S.*?))?\s*")

    def row(self, line: str) -> dict[str, str] | None:
        text = line.expandtabs()
        if len(text) >= LONGEST:
            return None
        m = self._row.fullmatch(text)
        cells = text.split()
        if m and (m[m.re.groups] is not None or len(cells) != len(self.names)):
            return {n: c for n, c in zip(self.names, (m[2], *m.groups()[2:]), strict=True) if c is not None}
        if len(cells) != len(self.names):
            cells = _BETWEEN.split(text.strip())
        return dict(zip(self.names, cells, strict=True)) if len(cells) == len(self.names) else None

    def indent(self, line: str) -> int:
        text = line.expandtabs()
        return len(text) - len(text.lstrip()) - self._left


def is_heading(line: str, among: Iterable[str]) -> bool:
    """NAME and other words in capitals, one of them `among` those of the tool."""
    tokens = line.split()
    return tokens[:1] == ["NAME"] and all(t.isupper() for t in tokens) and not set(among).isdisjoint(tokens[1:])


def is_torn(line: str) -> bool:
    """Whether a line that is no row has numbers like one behind its first word, and is damage."""
    tokens = line.split()
    return sum(t[0].isdecimal() or t == "-" for t in tokens[1:]) * 2 > len(tokens) - 1 > 0


def tabbed(line: str, columns: Sequence[str]) -> dict[str, str] | None:
    """A row of -H under the columns that were asked for; None where their number differs."""
    cells = line.split("\t")
    return dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else None
