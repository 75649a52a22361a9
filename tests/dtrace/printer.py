"""An independent printer of aggregations, to hold the parser against: what libdtrace prints, from its source.

After dt_print_aggs, dt_print_datum, dt_print_bytes, dt_print_stack, dt_print_quantize, dt_print_lquantize,
dt_print_llquantize and dt_print_quantline of illumos lib/libdtrace/common/dt_consume.c; where DTrace for Linux
(dtrace-utils libdtrace/dt_consume.c) differs, `linux` says so. Nothing here is shared with the parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

BAR = 40


@dataclass(frozen=True)
class Int:
    """An integer key of 8, 16, 32 or 64 bits."""

    value: int
    bits: int = 32


@dataclass(frozen=True)
class Text:
    """A string, sym(), mod(), func(), usym(), umod() or uaddr()."""

    value: str


@dataclass(frozen=True)
class Stack:
    """stack(), ustack() or jstack(), innermost frame first."""

    frames: tuple[str, ...]
    indent: int = 14


Key = Int | Text | Stack


def key(k: Key) -> str:
    if isinstance(k, Int):
        return f" {k.value:{ {8: 3, 16: 5, 32: 8, 64: 16}[k.bits] }d}"
    if isinstance(k, Text):
        return f"  {k.value:<50}"
    return "\n" + "".join(f"{'':{k.indent}}{frame}\n" for frame in k.frames)


def scalar(n: int) -> str:
    return f" {n:16d}"


HEADER = f"\n{'value':>16} {'------------- Distribution -------------':>41} {'count':<9}\n"


def line(label: str, n: int, counts: Sequence[int], normal: int, *, zoom: bool = False, utf8: bool = False) -> str:
    """A row of a histogram: its bar lies left of | where counts are negative, both ways where they are mixed."""
    total = max(max(map(abs, counts)) / 0.95, 1e-9) if zoom else sum(map(abs, counts)) or 1
    positives, negatives = any(c > 0 for c in counts), any(c < 0 for c in counts)
    shown = int(n / normal)  # C divides towards zero
    if not negatives:
        if utf8 and positives:
            whole, part = divmod(int(abs(n) * BAR / total * 8), 8)
            blocks = "█" * whole + (" ▏▎▍▌▋▊▉"[part] if part else "")
            return f"{label:>16} |{blocks}{'':{BAR - len(blocks)}} {shown:<9d}\n"
        depth = int(abs(n) * BAR / total + 0.5) if positives else 0
        return f"{label:>16} |{'@' * depth}{'':{BAR - depth}} {shown:<9d}\n"
    if not positives:
        depth = int(abs(n) * BAR / total + 0.5)
        return f"{label:>16} {'':{BAR - depth}}{'@' * depth}| {shown:<9d}\n"
    half = BAR // 2
    depth = int(abs(n) * half / total + 0.5)
    if n <= 0:
        return f"{label:>16} {'':{half - depth}}{'@' * depth}|{'':{half}} {shown:<9d}\n"
    return f"{label:>16} {'':{half}}|{'@' * depth}{'':{half - depth}} {shown:<9d}\n"


def _span(counts: Sequence[int], nothing: tuple[int, int]) -> tuple[int, int]:
    """First and last bucket that are printed: one empty one at each end, where there is one."""
    full = [i for i, c in enumerate(counts) if c]
    if not full:
        return nothing
    return max(full[0] - 1, 0), min(full[-1] + 1, len(counts) - 1)


def _block(labels: Sequence[str], counts: Sequence[int], span: tuple[int, int], normal: int, **how: bool) -> str:
    part = range(span[0], span[1] + 1)
    shown = [counts[i] for i in part]
    return HEADER + "".join(line(labels[i], counts[i], shown, normal, **how) for i in part)


def quantize(counts: dict[int, int], normal: int = 1, **how: bool) -> str:
    """`counts` by the bucket's label: 0 and ± powers of two to 2^62."""
    lows = [-(2**i) for i in range(62, -1, -1)] + [0] + [2**i for i in range(63)]
    data = [counts.get(low, 0) for low in lows]
    zero = lows.index(0)
    return _block([str(low) for low in lows], data, _span(data, (zero - 1, zero + 1)), normal, **how)


def lquantize(base: int, levels: int, step: int, counts: Sequence[int], normal: int = 1, **how: bool) -> str:
    """`counts`: underflow, `levels` buckets, overflow."""
    labels = [f"< {base}", *(str(base + i * step) for i in range(levels)), f">= {base + levels * step}"]
    return _block(labels, counts, _span(counts, (0, 2)), normal, **how)


def llquantize_lows(factor: int, low: int, high: int, steps: int) -> list[int]:
    """Lower bounds of an llquantize of Solaris, illumos, FreeBSD and macOS, and where its overflow begins."""
    lows: list[int] = []
    value, order = factor**low, low
    following = value * factor
    step = following // steps if following > steps else 1
    while order <= high:
        lows.append(value)
        value += step
        if value == following:
            following = value * factor
            step = following // steps if following > steps else 1
            order += 1
    return [*lows, value]


def llquantize(lows: Sequence[int], counts: Sequence[int], normal: int = 1, **how: bool) -> str:
    """`counts`: underflow, one per bound but the last, overflow."""
    labels = [f"< {lows[0]}", *map(str, lows[:-1]), f">= {lows[-1]}"]
    return _block(labels, counts, _span(counts, (0, 1)), normal, **how)


def llquantize_linux(lows: Sequence[int], counts: Sequence[int], normal: int = 1) -> str:
    """Of DTrace for Linux: negative values have buckets too, named by the end that is nearer to zero.

    `counts`: overflow below, buckets below zero downwards to zero, the middle, buckets above, overflow above.
    """
    bound, inner = lows[-1], list(lows[:-1])
    data = list(counts)
    assert len(data) == 2 * len(inner) + 3
    zero = len(inner) + 1
    full = [i for i, c in enumerate(data) if c]
    first, last = (full[0], full[-1]) if full else (zero + 1, zero + 1)
    first, last = max(first - 1, 0), min(last + 1, len(data) - 1)
    middle = "0" if lows[0] == 1 else f"< {lows[0]}" if first >= zero else f"abs() < {lows[0]}"
    labels = [f"<= -{bound}", *(f"-{n}" for n in reversed(inner)), middle, *map(str, inner), f">= {bound}"]
    return _block(labels, data, (first, last), normal)


def printa(rows: Iterable[tuple[Sequence[Key], Sequence[int | str]]], *, after: Callable[[], str] = lambda: "") -> str:
    """One printa(@, …) without a format: a row is its keys and its values, a value being a number or a block."""
    text = "\n"
    for keys, values in rows:
        text += "".join(map(key, keys)) + "".join(scalar(v) if isinstance(v, int) else v for v in values) + "\n"
    return text + after()


def hist_bar(n: int, total: float, positives: bool, negatives: bool) -> str:
    """The bar of -x agghist: like that of a histogram over the aggregation's own total."""
    if positives and negatives:
        half = BAR // 2
        depth = int(abs(n) * half / total + 0.5)
        if n <= 0:
            return f"{'':{half - depth}}{'@' * depth}|{'':{half}}"
        return f"{'':{half}}|{'@' * depth}{'':{half - depth}}"
    depth = int(abs(n) * BAR / total + 0.5)
    return f"{'':{BAR - depth}}{'@' * depth}|" if negatives else f"|{'@' * depth}{'':{BAR - depth}}"


def packed_key(k: Key) -> str:
    """A key under -x agghist or aggpack: strings right-aligned in 16."""
    return f" {k.value:>16}" if isinstance(k, Text) else key(k)


def packed_width(keys: Sequence[Key]) -> int:
    return sum(({8: 3, 16: 5, 32: 8, 64: 16}[k.bits] if isinstance(k, Int) else 16) + 1 for k in keys)


def agghist(rows: Sequence[tuple[Sequence[Key], int]], *, zoom: bool = False) -> str:
    counts = [n for _, n in rows]
    total = max(map(abs, counts)) / 0.95 if zoom else sum(map(abs, counts)) or 1
    width = packed_width(rows[0][0])
    text = f"\n\n{'key':>{width}} {'------------- Distribution -------------':>41} {'count':<9}\n"
    for keys, n in rows:
        bar = hist_bar(n, total or 1, any(c > 0 for c in counts), any(c < 0 for c in counts))
        text += "".join(map(packed_key, keys)) + f" {bar} {n:<9d}\n"
    return text


def aggpack(rows: Sequence[tuple[Sequence[Key], Sequence[int]]], labels: Sequence[str], *, linear: bool) -> str:
    """-x aggpack: `labels` of all buckets that the aggregation's columns span, counts of the same length per row."""
    width = packed_width(rows[0][0])
    low, high = (7, 8) if linear else (len(labels[0]), len(labels[-1]))
    head = f"{'key':>{width}}" if width else ""
    text = f"\n\n{head} {'min':>{low}} .{'-' * len(labels)}. {'max':<{high}} | count\n"
    for keys, counts in rows:
        total = sum(map(abs, counts)) or 1
        marks = "".join(
            " " if not c else "vvvvVV"[int(-c * 5 / total + 0.5)] if c < 0 else "__xxxxXX"[int(c * 7 / total + 0.5)]
            for c in counts
        )
        left = f"{labels[0]:>8} :" if linear else f" {labels[0]:>{low}} :"
        right = f": {labels[-1]:<8}" if linear else f": {labels[-1]:<{high}}"
        text += "".join(map(packed_key, keys)) + f"{left}{marks}{right} | {sum(counts)}\n"
    return text
