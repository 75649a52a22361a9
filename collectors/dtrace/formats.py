r"""Rows that a program printed with a format of its own: ``printa("%-20s %8@d\n", @)``, told the format.

Conversions after illumos lib/libdtrace/common/dt_printf.c: ``@`` marks an aggregation's value, a conversion without
it is the next key. A value may be a number or a whole histogram; ``%k`` is a stack. Width is a least width. What a
format does not delimit is not in the text: of two strings with only a blank between them the first ends at the first
blank that lets the rest of the format fit, and blanks at a string's ends are taken for padding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from collectors.dtrace import blocks

_CONVERSION = re.compile(r"%(?P<flags>(?:[-+ #0'@]|\d{1,4}|\.\d{1,4}|\.?\*|hh|h|ll|l|L|w)*)(?P<kind>[A-Za-z%])")
_ESCAPE = re.compile(r"\\([abfnrtv0\\\"'?])")
_ESCAPED = dict(zip("abfnrtv0", "\a\b\f\n\r\t\v\0", strict=True))
_PAD = r" {0,256}+"
_NUMBER = re.compile(rf"{_PAD}(-?(?:0x)?\d{{1,20}}){_PAD}", re.A)
_HEX = re.compile(rf"{_PAD}((?:0x)?[0-9a-fA-F]{{1,16}}){_PAD}")
_DATE = re.compile(rf"{_PAD}(\d{{4}} [A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d){_PAD}", re.A)
_STACK = re.compile(r"\n((?: [^\n]*+\n|[^\n`]*+`[^\n]*+\n|0x[0-9a-f]++\n|\n){0,512}+)")
_LINE_END = re.compile(r" +(?=\n|$)")
_STRINGS = frozenset("sSaAcwC")
_MOST = 64
"""Conversions in a format."""
_LONGEST = 2048
"""Characters of a line in which a row is looked for."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A literal (`kind` ''; `trimmed`: without blanks at its lines' ends), or a conversion: its letter, whether it is
    a value, its least width."""

    kind: str
    text: str = ""
    value: bool = False
    width: int = 0
    trimmed: str = ""


@dataclass(frozen=True, slots=True)
class Printed:
    """A row: keys as text, values as numbers or histograms, where it ends in the text."""

    keys: list[str]
    values: list[int | blocks.Histogram]
    end: int


class Format:
    """A printa format. Raises ValueError for one that names no aggregation."""

    def __init__(self, text: str) -> None:
        text = _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), text)
        self._tokens: list[_Token] = []
        at = 0
        for m in _CONVERSION.finditer(text):
            self._literal(text[at : m.start()])
            at = m.end()
            if m["kind"] == "%":
                self._literal("%")
                continue
            width = re.search(r"(?<![.\d])[1-9]\d{0,3}", m["flags"])
            self._tokens.append(_Token(m["kind"], value="@" in m["flags"], width=int(width[0]) if width else 0))
        self._literal(text[at:])
        if not any(t.value for t in self._tokens) or len(self._tokens) > 2 * _MOST:
            raise ValueError(f"no aggregation is printed by {text[:80]!r}, or {_MOST} and more conversions")

    def _literal(self, text: str) -> None:
        if text and self._tokens and not self._tokens[-1].kind:
            text = self._tokens.pop().text + text
        if text:
            self._tokens.append(_Token("", text, trimmed=_LINE_END.sub("", text)))

    def match(self, text: str, at: int) -> Printed | None:
        """The row that begins at `at`, None where none does."""
        dead: set[tuple[int, int]] = set()
        lost: dict[int, tuple[int, int]] = {}
        """Of a string: the line's end and the first place at which it led nowhere; no later one can do better."""
        found: list[str | int | blocks.Histogram] = []

        def walk(i: int, pos: int) -> int:
            """Where the row ends if token i begins at `pos`, else -1."""
            if i == len(self._tokens):
                return pos
            token = self._tokens[i]
            string = token.kind in _STRINGS and not token.value
            line = text.find("\n", pos) if string else -1
            if (i, pos) in dead or (i in lost and lost[i][0] == line and lost[i][1] <= pos):
                return -1
            for got, end in _ways(token, text, pos):
                if token.kind:
                    found.append(got)
                last = walk(i + 1, end)
                if last >= 0:
                    return last
                if token.kind:
                    found.pop()
            dead.add((i, pos))
            if string:
                lost[i] = line, pos
            return -1

        end = walk(0, at)
        if end < 0:
            return None
        tokens = [t for t in self._tokens if t.kind]
        keys = [str(got) for t, got in zip(tokens, found, strict=True) if not t.value]
        values = [got for t, got in zip(tokens, found, strict=True) if t.value and not isinstance(got, str)]
        return Printed(keys, values, end)


def _ways(token: _Token, text: str, at: int) -> Iterator[tuple[str | int | blocks.Histogram, int]]:
    """What `token` may be at `at`, and where it ends, likeliest first."""
    if not token.kind:
        if text.startswith(token.text, at):
            yield "", at + len(token.text)
        # Somebody may have cut off the blanks at a line's end, before a histogram or the end of the row.
        if token.trimmed != token.text and text.startswith(token.trimmed, at):
            end = at + len(token.trimmed)
            if token.trimmed.endswith("\n") or end >= len(text) or text[end] == "\n":
                yield "", end
        return
    if token.value:
        if block := _block(text, at):
            yield block
        pattern = _HEX if token.kind in "xXp" else _NUMBER
        for end in _ends(pattern, text, at):
            word = text[at:end].strip()
            yield int(word, 16 if token.kind in "xXp" else 10), end
        return
    if token.kind == "k":
        if m := _STACK.match(text, at):
            yield "\n".join(line.strip() for line in m[1].split("\n") if line.strip()), m.end()
        return
    if token.kind not in _STRINGS:
        pattern = _HEX if token.kind in "xXop" else _DATE if token.kind == "Y" else _NUMBER
        for end in _ends(pattern, text, at):
            yield text[at:end].strip(), end
        return
    stop = text.find("\n", at)
    stop = min(stop if stop >= 0 else len(text), at + _LONGEST)
    for end in range(at + token.width, stop + 1):
        yield text[at:end].strip(" "), end


def _ends(pattern: re.Pattern[str], text: str, at: int) -> Iterator[int]:
    """Places where what `pattern` finds at `at` may end: with all the blanks after it, or fewer."""
    m = pattern.match(text, at)
    if m:
        yield from range(m.end(), m.end(1) - 1, -1)


def _block(text: str, at: int) -> tuple[blocks.Histogram, int] | None:
    """A histogram that begins with the newline at `at`."""
    stop = text.find("\n", at + 1)
    if text[at : at + 1] != "\n" or stop < 0 or not blocks.HEADER.fullmatch(text[at + 1 : stop]):
        return None
    rows = []
    while stop >= 0:
        following = text.find("\n", stop + 1)
        m = blocks.ROW.fullmatch(text[stop + 1 : following]) if following >= 0 else None
        if not m:
            break
        rows.append(m)
        stop = following
    try:
        return blocks.guess([blocks.bucket(m) for m in rows]), stop + 1
    except ValueError:
        return None
