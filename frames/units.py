"""Numbers for people: three significant figures, the unit the host's own commands print, nothing for nothing.

Bytes in binary units (KiB, MiB/s), times in µs, ms, s, CPU in cores with two decimals, fractions as percent; a
thin space before the unit and between thousands from 10 000 on; a missing value is –, never 0.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TypeGuard
from zoneinfo import ZoneInfo

THIN = "\u2009"
MISSING = "–"
_MINUS = "\u2212"
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@dataclass(frozen=True, slots=True)
class Scale:
    """How a column or an axis prints: ``value / factor``, then `unit` (with its prefix, '' for none). `decimals`
    is fixed for cores and percent, None for three significant figures."""

    factor: float
    unit: str
    decimals: int | None = None

    def text(self, value: float | None) -> str:
        """The number alone; – for a missing one."""
        if not _known(value):
            return MISSING
        return number(value if self.factor == 1 else value / self.factor, self.decimals)


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def number(value: float | None, decimals: int | None = None) -> str:
    """`value` with three significant figures (an int in full), or with `decimals`.

    >>> number(0.01234), number(12.345), number(1234.5), number(98765.4), number(None)
    ('0.0123', '12.3', '1230', '98\u2009800', '–')
    """
    if not _known(value):
        return MISSING
    if decimals is None:
        if isinstance(value, int) or value == 0:
            decimals, value = 0, int(value)
        else:
            magnitude = math.floor(math.log10(abs(value)))
            value = round(value, 2 - magnitude)
            decimals = min(12, max(0, 2 - math.floor(math.log10(abs(value)))))
    text = f"{abs(value):,.{decimals}f}"
    whole, _, rest = text.partition(".")
    whole = whole.replace(",", THIN if len(whole) > 5 else "")
    zero = not any(c in "123456789" for c in text)
    return ("" if value >= 0 or zero else _MINUS) + whole + ("." + rest if rest else "")


def scale(unit: str, peak: float | None) -> Scale:
    """The scale that suits values up to `peak` (absolute) of a schema's `unit`; one for a whole column or axis.

    Units: B, B/s (binary prefixes), s and ns (µs, ms, s), cores, % (the value is a fraction), % .1 (with one
    decimal: scans and hit ratios), 1 and '' (plain), 1/s; any other is printed as it is."""
    peak = 0.0 if peak is None or not math.isfinite(peak) else abs(float(peak))
    if unit in ("B", "B/s"):
        i = 0
        while i < len(_BINARY) - 1 and _round3(peak / 1024**i) >= 1000:
            i += 1
        return Scale(1024.0**i, _BINARY[i] + unit, 0 if i == 0 and unit == "B" else None)
    if unit in ("s", "ns"):
        second = 1.0 if unit == "s" else 1e9
        for factor, name in ((1e-6, "µs"), (1e-3, "ms")):
            if _round3(peak / second / factor) < 1000 and peak:
                return Scale(factor * second, name)
        return Scale(second, "s")
    if unit == "cores":
        return Scale(1.0, "cores", 2)
    if unit in ("%", "% .1"):
        return Scale(0.01, "%", 1 if unit == "% .1" else 0)
    return Scale(1.0, "" if unit == "1" else "/s" if unit == "1/s" else unit)


def _round3(value: float) -> float:
    return round(value, 2 - math.floor(math.log10(value))) if value > 0 else 0.0


def fmt(value: float | None, unit: str, *, like: float | None = None) -> tuple[str, str]:
    """(number, unit) as printed, ('–', '') for a missing value. like: the value whose scale to share.

    >>> fmt(3.2e6, "B/s"), fmt(0.0042, "s"), fmt(0.5, "cores"), fmt(0.934, "%"), fmt(None, "B")
    (('3.05', 'MiB/s'), ('4.20', 'ms'), ('0.50', 'cores'), ('93', '%'), ('–', ''))
    """
    if not _known(value):
        return MISSING, ""
    s = scale(unit, value if like is None else like)
    return s.text(value), s.unit


def text(value: float | None, unit: str, *, like: float | None = None) -> str:
    """`fmt` in one string, a thin space before the unit: '3.05 MiB/s', '93 %', '–'."""
    figure, name = fmt(value, unit, like=like)
    return figure + (THIN + name if name else "")


def span(seconds: float | None) -> str:
    """A duration in its two largest units: '850 ms', '32 s', '4 min 5 s', '1 h 52 min', '3 d 4 h', '2 y 40 d'.

    Whole units below the first are rounded, so that '59 min 59.9 s' is '1 h'."""
    if not _known(seconds):
        return MISSING
    sign, s = (_MINUS, -seconds) if seconds < 0 else ("", seconds)
    if s < 1:
        return f"{sign}{round(s * 1000)}{THIN}ms" if round(s * 1000) < 1000 else f"{sign}1{THIN}s"
    steps = ((31_536_000, "y"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    for i, (size, _) in enumerate(steps):
        least = steps[min(i + 1, len(steps) - 1)][0]
        if i == 0:
            least = 86_400
        rounded = round(s / least) * least
        if rounded >= size:
            big, rest = divmod(rounded, size)
            name = steps[i][1]
            small = next(n for z, n in steps if z == least)
            tail = f" {rest // least}{THIN}{small}" if rest and least != size else ""
            return f"{sign}{big}{THIN}{name}{tail}"
    return f"{sign}1{THIN}s"


def clock(epoch: float | None, zone: str = "UTC", *, seconds: bool = True) -> str:
    """Time of day '02:41:08' (or '02:41') of an instant in `zone`; the zone is named once elsewhere."""
    if not _known(epoch):
        return MISSING
    return dt.datetime.fromtimestamp(epoch, ZoneInfo(zone)).strftime("%H:%M:%S" if seconds else "%H:%M")


def date(epoch: float | None, zone: str = "UTC") -> str:
    """Date '6 Aug 2027' of an instant in `zone`."""
    if not _known(epoch):
        return MISSING
    at = dt.datetime.fromtimestamp(epoch, ZoneInfo(zone))
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def eta(early: float | None, late: float | None, zone: str = "UTC", *, now: float | None = None, why: str = "") -> str:
    """An arrival, always a span: '03:31 to 03:51', with dates when not today (of `now`); 'no ETA' and why without."""
    if not (_known(early) and _known(late)):
        return f"no ETA: {why}" if why else "no ETA"

    def at(epoch: float) -> str:
        day = date(epoch, zone)
        return (
            clock(epoch, zone, seconds=False)
            if now is None or day == date(now, zone)
            else (f"{clock(epoch, zone, seconds=False)} on {day}")
        )

    return f"{at(min(early, late))} to {at(max(early, late))}"
