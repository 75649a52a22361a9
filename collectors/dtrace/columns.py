"""The columns in which dtrace's default layout prints keys, cut where they most likely begin and end.

After dt_print_datum and dt_print_bytes of libdtrace: an integer is a blank and the number right-aligned in 3, 5, 8
or 16 columns by its size, wider when it is longer; a string or symbol is two blanks and the text padded to 50,
wider when it is longer. Under ``-x agghist`` and ``-x aggpack`` a string is a blank and the text right-aligned in
16. Nothing is quoted, so a cut is a judgement: `split` weighs every way to cut a line into such columns and takes
the one with the fewest oddities (blanks within a key, a key longer than its column, a column cut short).
Two ways that are equally odd are settled for the earlier end. A string of more than 50 that holds two blanks before
a word, or what looks like an integer column, cannot be told from two keys.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

STRING = 52
_PADDING = " " * 8
_MOST = 16_384
"""Longest line that is cut, in characters."""
_INT = re.compile(r" {1,16}(-?\d{1,20})(?= |$)")
_WORD_END = re.compile(r"[^ ](?= |$)")
_RIGHT = {4: range(3, 5), 6: range(5, 7), 9: range(8, 12), 17: range(16, 21)}
"""Width of an integer column: lengths that the number may have when it fills or overflows it."""


@dataclass(frozen=True, slots=True)
class _Cut:
    odd: int
    key: str | None
    next: _Cut | None


def split(text: str, *, trimmed: bool = False) -> list[str] | None:
    """The keys that `text` holds in columns, [] of an empty text; None where it is no such line.

    `trimmed`: the padding of the last column may have been cut off.
    """
    found = weigh(text, trimmed=trimmed)
    return found[1] if found else None


def weigh(text: str, *, trimmed: bool = False) -> tuple[int, list[str]] | None:
    """How odd the best cut of `text` is (0: nothing against it), and its keys; see `split`."""
    return next(iter(_weigh(text, 1, trimmed)), None)


def reflowed(text: str) -> tuple[int, list[str]] | None:
    """As `weigh`, of a line that somebody may have indented, and trimmed at its end."""
    most = min(len(text) - len(text.lstrip(" ")), 12)
    found = _weigh(text, max(most, 1), True)
    return min(found, key=lambda got: got[0], default=None)


def _weigh(text: str, starts: int, trimmed: bool) -> Iterator[tuple[int, list[str]]]:
    """The best cuts that begin at each of the first `starts` places, with 2 more against each but the first."""
    n = len(text)
    if n > _MOST or (n and text[0] != " "):
        return
    # From the right: best[i] is the best way to cut text[i:], at the places where a column may begin.
    best: dict[int, _Cut] = {n: _Cut(0, None, None)}
    ends = [-n] if n and text[-1] != " " else []
    """Of them those where a long string may end and columns follow; negative, so that they rise."""
    trim = len(text.rstrip()) if trimmed else -1
    for at in sorted(_places(text, starts), reverse=True):
        if at >= n or text[at] != " ":
            continue
        if (cut := _best(text, at, best, ends, trim)) is not None:
            best[at] = cut
            if at and text[at - 1] != " ":
                ends.append(-at)
    for at in range(starts):
        cut = best.get(at)
        if trimmed and text.startswith("  ", at) and n < at + STRING:
            key, odd = _string(text[at + 2 :])
            cut = min((c for c in (cut, _Cut(odd, key, best[n])) if c), key=lambda c: c.odd)
        if cut is None:
            continue
        odd, keys = cut.odd + 2 * (at > 0), []
        while cut.key is not None:
            keys += unshifted(cut.key)
            cut = cut.next
            assert cut is not None
        yield odd, keys


def _places(text: str, starts: int) -> set[int]:
    """Where columns may begin: at the start, after a word, and a string column after either."""
    found: set[int] = set()
    for at in (*range(starts), *(m.end() for m in _WORD_END.finditer(text))):
        while at not in found and at <= len(text):
            found.add(at)
            if not text.startswith("  ", at):
                break
            at += STRING
    return found


def unshifted(key: str) -> list[str]:
    """The keys in `key`: what overflows a column and has padding within it is several that somebody has shifted."""
    if len(key) <= STRING - 2 or _PADDING not in key:
        return [key]
    return [part.strip(" ") for part in key.split("  ") if part.strip(" ")]


def _best(text: str, at: int, best: dict[int, _Cut], ends: list[int], trim: int) -> _Cut | None:
    n, found = len(text), []
    if m := _INT.match(text, at):
        width, digits = m.end() - at, len(m[1])
        fits = width in _RIGHT and digits < width
        if fits or (width == digits + 1 and any(digits in longer for longer in _RIGHT.values())):
            found.append((m.end(), m[1], 0))
    if text.startswith("  ", at):
        full = at + STRING
        if full <= n:
            found.append((full, *_string(text[at + 2 : full])))
            if full < n and (i := bisect_right(ends, -full - 1)):
                end = -ends[i - 1]
                key, odd = _string(text[at + 2 : end])
                found.append((end, key, odd + 1 + (text[full - 1] == " ")))
        elif at < trim:
            key, odd = _string(text[at + 2 :])
            found.append((n, key, odd + 1))
    ways = [_Cut(odd + rest.odd, key, rest) for end, key, odd in found if (rest := best.get(end))]
    return min(ways, key=lambda cut: cut.odd) if ways else None


def _string(cell: str) -> tuple[str, int]:
    """The key in a column, and how odd it is."""
    key = cell.strip(" ")
    return key, 3 * (cell[:1] == " " and key != "") + (key == "") + 4 * ("  " in key)


def packed(heads: list[str], width: int) -> list[list[str]]:
    """Keys of the rows of one agghist or aggpack table, whose header says that they take `width` columns."""
    sure = [head for head in heads if len(head) == width]
    places = next(iter(sorted(_packings(sure, width), key=lambda ways: ways[0])), (0, ()))[1] if sure else ()
    out = []
    for head in heads:
        if len(head) != width or len(places) < 2:
            out.append([head.strip(" ")] if width else [])
        else:
            out.append([head[a:b].strip(" ") for a, b in zip((0, *places), places, strict=False)])
    return out


def _packings(heads: list[str], width: int) -> list[tuple[int, tuple[int, ...]]]:
    """Ways to cut all `heads` at the same places, with their oddity."""
    ways: dict[int, list[tuple[int, tuple[int, ...]]]] = {0: [(0, ())]}
    for end in range(1, width + 1):
        found = []
        for step in _RIGHT:
            for odd, places in ways.get(end - step, []):
                more = _odd([head[end - step : end] for head in heads], step)
                if more is not None:
                    found.append((odd + more, (*places, end)))
        if found:
            ways[end] = sorted(found)[:4]
    return ways.get(width, [])


def _odd(cells: list[str], step: int) -> int | None:
    """How odd these cells are as one column, None if they are none."""
    if any(cell[0] != " " or cell[-1] == " " for cell in cells):
        return None
    if all(re.fullmatch(r" +-?\d+", cell) for cell in cells):
        return 0
    return 1 + 3 * any("  " in cell.strip() for cell in cells) if step == 17 else None
