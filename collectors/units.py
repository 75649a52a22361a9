"""Numbers as the tools print them: sizes, counts, times and percentages, with the step of the last digit.

A printed number stands for a range; `step` is how much the last printed digit is worth, so that sums and
differences of rounded values can say how sure they are. None means exact. "-" is no number: (None, None).
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from time import strptime

Number = tuple[float | None, float | None]
"""(value, step); (None, None) where nothing is printed."""

_SCALE = {u: 1024.0**i for i, u in enumerate(("", "K", "M", "G", "T", "P", "E", "Z"))}
_SIZE = re.compile(r"([0-9]{1,20})(?:[.,]([0-9]{1,12}))?\s?([KMGTPEZ]?)(?:i?B)?", re.IGNORECASE)
_TIME = re.compile(r"([0-9]{1,12}(?:[.,][0-9]{1,12})?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_CLOCK = re.compile(r"(?:([0-9]{1,9}) days? )?([0-9]{1,9}):([0-9]{2}):([0-9]{2})")


def size(text: str) -> Number:
    """Bytes, or a count, from "1.37M", "349K", "602", "0B", "2,5G", "10 GiB"; multiples are of 1024.

    Without a unit the number is exact. Raises ValueError for anything else.
    """
    if text == "-":
        return None, None
    m = _SIZE.fullmatch(text)
    if not m:
        raise ValueError(f"not a size: {text!r}")
    whole, fraction, unit = m.groups()
    scale = _SCALE[unit.upper()]
    if fraction:
        return float(f"{whole}.{fraction}") * scale, scale / 10 ** len(fraction)
    return int(whole) * scale, scale if unit else None


def nicenum(text: str) -> Number:
    """`size` as ZFS prints it (zfs_nicenum): five characters, as many decimals as fit.

    One or two digits without decimals stand for an even multiple and are exact: 12G, where 12.3 GiB is "12.3G".
    Source: illumos and OpenZFS, lib/libzfs/common/libzfs_util.c.
    """
    value, step = size(text)
    if step is not None and len(text) < 4 and text[:-1].isdecimal():
        return value, None
    return value, step


def duration(text: str) -> float:
    """Seconds from "336ns", "6us", "0h15m", "123h32m", "2d3h", "02:00:00", "550:06:58", "0 days 00:03:10".

    Raises ValueError for anything else.
    """
    m = _CLOCK.fullmatch(text)
    if m:
        days, h, mi, s = (int(x or 0) for x in m.groups())
        return days * 86400.0 + h * 3600.0 + mi * 60.0 + s
    total, at = 0.0, 0
    for m in _TIME.finditer(text):
        if m.start() != at:
            break
        total += float(m[1].replace(",", ".")) * _SECONDS[m[2]]
        at = m.end()
    if not at or at != len(text):
        raise ValueError(f"not a duration: {text!r}")
    return total


def nanoseconds(text: str) -> Number:
    """Seconds from a time as `zpool iostat -l` prints it: "336ns", "6us", with -p a bare count of nanoseconds.

    ZFS cuts times to whole units, so the step is one unit. Raises ValueError for anything else.
    """
    if text == "-":
        return None, None
    if text.isdecimal() and len(text) < 20:
        return int(text) * 1e-9, None
    value = duration(text)
    unit = text.lstrip("0123456789.,")
    return value, _SECONDS.get(unit)


def percent(text: str) -> float | None:
    """A fraction from "48%", "48", "92.79%", "3,1%"; None for "-". Raises ValueError for anything else."""
    if text == "-":
        return None
    m = re.fullmatch(r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)%?", text)
    if not m:
        raise ValueError(f"not a percentage: {text!r}")
    return float(m[1].replace(",", ".")) / 100


_DATE = re.compile(r"(?=.*\b(?:19|20)\d\d(?!\d))(?=.*(?<!\d)\d?\d[:.時시h]\s?\d\d(?!\d)).*\D.*", re.ASCII)


def is_date(line: str) -> bool:
    """Whether a line may be the date and time that `-T d` prints, in any locale: a year and a time of day."""
    return len(line) < 80 and _DATE.fullmatch(line) is not None


def utc(tokens: list[str]) -> float | None:
    """Epoch seconds of `-T d` in the C locale; None where its time zone is not UTC, since names are ambiguous."""
    if len(tokens) == 6 and tokens[4] in ("UTC", "GMT"):
        try:
            return float(timegm(strptime(" ".join(tokens[:4] + tokens[5:]), "%a %b %d %H:%M:%S %Y")))
        except ValueError:
            return None
    return None


class Memo(dict[str, Number]):
    """A parser of cells that remembers: most cells of a second were seen before (0, 24.0G, 112K).

    `memo[text]` is `parse(text)`; forgets everything at `limit` entries, so that it cannot grow for ever.
    """

    def __init__(self, parse: Callable[[str], Number], limit: int = 50_000) -> None:
        self._parse, self._limit = parse, limit

    def __missing__(self, text: str) -> Number:
        value = self._parse(text)
        if len(self) >= self._limit:
            self.clear()
        self[text] = value
        return value
