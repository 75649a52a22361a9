"""The histogram block that dtrace prints, as bounds and counts.

Layout after illumos lib/libdtrace/common/dt_consume.c (dt_print_quantize and its kin): a header line, then a line
per bucket: the bucket right-aligned in 16 columns (overflowing when longer), a blank, a bar of 40 columns about a
``|``, a blank, the count. Buckets outside of the data are elided but for one empty one at each end.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import dataclass

from frames.schemas import BOUNDS_QUANTIZE, bounds, log2_levels

HEADER = re.compile(r" *value {1,64}-+ Distribution -+ count *")
_BAR = r"[ @\u2580-\u259f]{0,64}"
ROW = re.compile(
    rf" *(?P<end>abs\(\) < |<= |< |>= )?(?P<low>-?\d{{1,20}}) {_BAR}\|{_BAR} (?P<count>-?\d{{1,20}}) *", re.A
)
"""The bar may be of blanks, @ or (with ``-x encoding=utf8``) block characters, on either side of the |."""
_CELLS = re.compile(rf"{_BAR}\|{_BAR}")
_NUMBER = re.compile(r"-?\d{1,20}", re.A)
_PACK_MIN = re.compile(r"((?:< )?-?\d{1,20})$", re.A)
_PACK_MAX = re.compile(r"(?:>= )?-?\d{1,20} *", re.A)

_INDEX = {int(low): i for i, low in enumerate(BOUNDS_QUANTIZE)}
_MOST_LEVELS = 65_535
_ZERO = len(BOUNDS_QUANTIZE) - 1
"""Index of bucket 0 in 'quantize_signed'."""


@dataclass(slots=True)
class Bucket:
    """A printed row: `end` is '<', '<=' or '>=' for the outer buckets, 'abs() <' for the middle one of a signed
    llquantize (Linux), else ''."""

    end: str
    low: int
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts over the bounds named `bounds` (see frames.schemas.bounds)."""

    agg: str
    bounds: str
    counts: list[int]


def hist_row(line: str, width: int) -> tuple[str, int] | None:
    """Keys as printed (`width` columns or more) and count of a row of ``-x agghist``; None of another line."""
    head, _, count = line.rstrip(" ").rpartition(" ")
    if not _NUMBER.fullmatch(count) or not head.startswith(" "):
        return None
    if _CELLS.fullmatch(head[-41:]) and head[-42:-41] == " ":
        return head[:-42].ljust(width), int(count)
    keys, bar, _ = head.rpartition("|")
    return (keys.rstrip(" @").ljust(width), int(count)) if bar else None


def pack_row(line: str, width: int, marks: int) -> tuple[str, int] | None:
    """Keys as printed (`width` columns or more) and count of a row of ``-x aggpack``; None of another line.

    `marks`: how many buckets are drawn between min and max.
    """
    rest, _, count = line.rstrip(" ").rpartition("| ")
    head, _, most = rest.rpartition(": ")
    if not _NUMBER.fullmatch(count) or not _PACK_MAX.fullmatch(most) or head[-marks - 1 : -marks] != ":":
        return None
    head = head[: -marks - 1].rstrip(" ")
    if _PACK_MIN.fullmatch(head[width:].strip(" ")):
        return head[:width], int(count)
    least = _PACK_MIN.search(head[-23:])
    if not least:
        return None
    return head[: len(head) - len(least[1])].rstrip(" ").ljust(width), int(count)


def row(line: str) -> Bucket | None:
    """The bucket that `line` prints, None if it is no such line. Raises ValueError as `bucket` does."""
    m = ROW.fullmatch(line)
    return bucket(m) if m else None


def bucket(m: re.Match[str]) -> Bucket:
    """The bucket of a match of ROW. Raises ValueError for numbers beyond 64 bits."""
    end, low_, count_ = m.group("end", "low", "count")
    low, count = int(low_), int(count_)
    if (len(low_) > 18 or len(count_) > 18) and max(abs(low), abs(count + (count < 0))) >= 2**63:
        raise ValueError(f"not of 64 bits: {low}, {count}")
    return Bucket(end.strip() if end else "", low, count)


def quantize(rows: list[Bucket], *, whole: bool = True) -> Histogram:
    """Of a quantize(). Raises ValueError for a bucket that is no power of two or is printed twice, or (unless not
    `whole`) a hole."""
    signed = any(r.low < 0 and r.count for r in rows)
    size, zero = (2 * _ZERO + 1, _ZERO) if signed else (_ZERO + 1, 0)
    counts, seen = [0] * size, set()
    for r in rows:
        i = _INDEX.get(abs(r.low))
        if i is None or r.end or r.low in seen:
            raise ValueError(f"not a bucket of quantize: {r.end}{r.low}")
        seen.add(r.low)
        if r.low >= 0:
            counts[zero + i] = r.count
        elif signed:
            counts[zero - i] = r.count
    places = [_INDEX[abs(r.low)] * (1 if r.low >= 0 else -1) for r in rows]
    if whole and places and places != list(range(places[0], places[0] + len(rows))):
        raise ValueError("a bucket is missing: a line was lost")
    return Histogram("quantize", "quantize_signed" if signed else "quantize", counts)


def linear(rows: list[Bucket], low: int, high: int, step: int) -> Histogram:
    """Of an lquantize(…, low, high, step). Raises ValueError for a bucket that it does not have, or a hole."""
    levels = (high - low) // step if step > 0 else 0
    if not 0 < levels <= _MOST_LEVELS:
        raise ValueError(f"no lquantize({low}, {high}, {step})")
    counts = [0] * (levels + 2)
    places = []
    for r in rows:
        i, rest = divmod(r.low - low, step)
        if rest or not 0 <= i <= levels or (r.end == "<" and i) or (r.end == ">=" and i != levels):
            if not r.count:
                continue
            raise ValueError(f"not a bucket of lquantize({low}, {high}, {step}): {r.end}{r.low}")
        places.append(0 if r.end == "<" else i + 1)
        counts[places[-1]] = r.count
    if places and places != list(range(places[0], places[0] + len(places))):
        raise ValueError("a bucket is missing: a line was lost")
    return Histogram("lquantize", f"lquantize:{low}:{high}:{step}", counts)


def loglinear(rows: list[Bucket], factor: int, low: int, high: int, steps: int) -> Histogram:
    """Of an llquantize(…, factor, low, high, steps); what DTrace for Linux counts below zero is underflow here.

    Raises ValueError for a bucket that it does not have.
    """
    if not (1 < factor <= steps and 0 <= low <= high < 64 and steps * (high - low + 1) <= _MOST_LEVELS):
        raise ValueError(f"no llquantize({factor}, {low}, {high}, {steps})")
    name = f"llquantize:{factor}:{low}:{high}:{steps}"
    index = {bound: i for i, bound in enumerate(bounds(name))}
    counts = [0] * len(index)
    for r in rows:
        i = 0 if r.low <= 0 or r.end in ("<", "abs() <") else index.get(r.low, -1)
        if i < 0 or (r.end == ">=" and i != len(counts) - 1):
            raise ValueError(f"not a bucket of llquantize({factor}, {low}, {high}, {steps}): {r.end}{r.low}")
        counts[i] += r.count
    return Histogram("llquantize", name, counts)


def indices(rows: list[Bucket], steps: int) -> Histogram:
    """Of an lquantize of the indices of the buckets of 'log2:steps' (see `compose`), without the empty ones at its
    end; what is below zero is in the first one. Raises ValueError for a bucket that it does not have."""
    below, *counts = linear(rows, 0, log2_levels(steps), 1).counts
    counts[0] += below
    last = max((r.low for r in rows if r.count), default=0)
    return Histogram("lquantize", f"log2:{steps}", counts[: max(last, 0) + 1])


def guess(rows: list[Bucket], *, whole: bool = True) -> Histogram:
    """Of a histogram whose kind is not printed, from its buckets.

    Powers of two are a quantize, equal steps an lquantize over what was printed, others an llquantize with its
    bounds spelled out ('list:…'). `whole`: no bucket was cut out. Raises ValueError for bounds that do not rise.
    """
    if not rows:
        raise ValueError("no bucket")
    with contextlib.suppress(ValueError):
        return quantize(rows, whole=whole)
    with contextlib.suppress(ValueError):
        return _linear(rows)
    lows: list[float] = []
    for i, r in enumerate(rows):
        if r.end in ("<", "<=") or (r.low < 0 and not i):
            lows.append(float("-inf"))
        elif r.end == "abs() <":
            lows.append(-r.low)
        elif r.low < 0:
            lows.append(rows[i - 1].low)  # labels below zero name the end that is nearer to zero
        else:
            lows.append(r.low)
    if any(b <= a for a, b in itertools.pairwise(lows)):
        raise ValueError(f"the buckets do not rise: {lows[:8]}")
    names = ["-inf" if low == float("-inf") else f"{low:d}" for low in lows]
    return Histogram("llquantize", f"list:{','.join(names)}", [r.count for r in rows])


def _linear(rows: list[Bucket]) -> Histogram:
    """Of an lquantize, as far as it was printed. Raises ValueError where the steps differ."""
    plain = [r.low for r in rows if r.end != "<"]
    steps = {b - a for a, b in itertools.pairwise(plain)}
    ends = {r.end for r in rows} - {"", "<", ">="}
    if len(steps) != 1 or ends or min(steps) < 1 or (rows[0].end == "<" and rows[0].low != plain[0]):
        raise ValueError("not of equal steps")
    step = steps.pop()
    return linear(rows, plain[0], plain[-1] if rows[-1].end == ">=" else plain[-1] + step, step)
