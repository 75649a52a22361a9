"""The range syntax of the time control and the URL, as Grafana's users type it, over any zone of time.

    now, now-6h, now+2h        units s m h d w M Q y; a month ago keeps the day where the month has it
    now/d, now-1M/M            rounding down to the unit in the viewer's zone; weeks begin on Monday
    now/d+8h                   chains, left to right
    2026-11-23 03:10:00        absolute, in the viewer's zone; seconds, time, T and Z or an offset optional
    1795403400000              epoch milliseconds
    45m                        as `from`: the last 45 minutes; as `to`: 45 minutes from now

As the end of a range, rounding goes up to the last instant of the unit (Grafana's rule): now/d to now/d is all
of today.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNITS = "smhdwMQy"
PRESETS: tuple[tuple[str, str, str], ...] = (
    *((f"Last {n} min", f"now-{n}m", "now") for n in (5, 15, 30)),
    *((f"Last {n} h", f"now-{n}h", "now") for n in (1, 2, 6, 12)),
    *((f"Last {n} d", f"now-{n}d", "now") for n in (1, 2, 7)),
    ("Today so far", "now/d", "now"),
    ("Yesterday", "now-1d/d", "now-1d/d"),
    ("This day last week", "now-7d/d", "now-7d/d"),
)
DEFAULT = ("now-15m", "now")

_STEP = re.compile(r"([+-])(\d{0,9})([smhdwMQy])|/([smhdwMQy])")
_BARE = re.compile(r"(\d{1,9})\s*([smhdwMQy])$")
_ABSOLUTE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class RangeError(ValueError):
    """A text that is no instant or a range that ends before it starts; the message says what would be."""


@dataclass(frozen=True, slots=True)
class Range:
    """[start, end) in epoch seconds. `live`: the end is now, so it goes on. `sliding`: the start moves too."""

    start: float
    end: float
    live: bool
    sliding: bool


def zone(name: str) -> tzinfo:
    """UTC or an IANA zone. Raises RangeError for a name nobody knows."""
    if name in ("", "UTC", "utc"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise RangeError(f"no zone of time is called {name!r}: give an IANA name such as Europe/Berlin") from e


def is_zone(name: str) -> bool:
    """Whether `name` is a zone that `zone` knows."""
    try:
        return bool(name) and zone(name) is not None
    except RangeError:
        return False


def instant(text: str, now: float, *, tz: str = "UTC", end: bool = False) -> float:
    """Epoch seconds of `text`. `end`: it ends a range, so rounding goes up to the end of the unit.

    Raises RangeError.
    """
    text = text.strip()
    where = zone(tz)
    if m := _BARE.match(text):
        text = f"now{'+' if end else '-'}{m[1]}{m[2]}"
    if text == "now":
        return now
    if text.startswith("now"):
        at, pos = datetime.fromtimestamp(now, where), 3
        while pos < len(text):
            m = _STEP.match(text, pos)
            if m is None:
                raise RangeError(f"{text!r}: expected +6h, -30m or /d at {text[pos:]!r}")
            try:
                step = int(m[2] or 1) * (-1 if m[1] == "-" else 1)
                at = _round(at, m[4], up=end) if m[4] else _shift(at, step, m[3])
            except (OverflowError, ValueError) as e:
                raise RangeError(f"{text!r}: outside the years 1970 to 2200") from e
            pos = m.end()
        return _bounded(at, text)
    if re.fullmatch(r"\d{11,14}", text):
        return int(text) / 1000
    if m := _ABSOLUTE.match(text):
        year, month, day, hour, minute, second = (int(m[i] or 0) for i in range(1, 7))
        micro = int((m[7] or "0").ljust(6, "0"))
        try:
            at = datetime(year, month, day, hour, minute, second, micro, tzinfo=where)
            if m[8]:
                at = at.replace(tzinfo=datetime.strptime(m[8].replace("Z", "+0000"), "%z").tzinfo)
        except ValueError as e:
            raise RangeError(f"{text!r}: {e}") from e
        return _bounded(at, text)
    raise RangeError(f"{text!r} is no time: try now-6h, 45m, now/d or 2026-11-23 03:10")


def resolve(start: str, end: str, now: float, *, tz: str = "UTC") -> Range:
    """The range from `start` to `end` as typed. Raises RangeError, also for one that is empty."""
    a, b = instant(start, now, tz=tz), instant(end, now, tz=tz, end=True)
    if b <= a:
        raise RangeError(f"the range {start!r} to {end!r} ends before it starts")
    live = end.strip() == "now"
    return Range(a, b, live, live and (start.strip().startswith("now") or bool(_BARE.match(start.strip()))))


def _bounded(at: datetime, text: str) -> float:
    if not _FIRST <= at.astimezone(UTC) <= _LAST:
        raise RangeError(f"{text!r}: outside the years 1970 to 2200")
    return at.timestamp()


def _shift(at: datetime, n: int, unit: str) -> datetime:
    if unit in _SECONDS:  # real time, whatever the clocks on the wall do
        return (at.astimezone(UTC) + timedelta(seconds=n * _SECONDS[unit])).astimezone(at.tzinfo)
    if unit in "dw":  # wall time: the same hour of another day
        return _real(at + timedelta(days=n * (7 if unit == "w" else 1)))
    months = at.year * 12 + at.month - 1 + n * {"M": 1, "Q": 3, "y": 12}[unit]
    year, month = months // 12, months % 12 + 1
    return _real(at.replace(year=year, month=month, day=min(at.day, _days(year, month))))


def _days(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day


def _real(at: datetime) -> datetime:
    """A wall time that the clocks skipped becomes the instant it would have been."""
    return at.astimezone(UTC).astimezone(at.tzinfo)


def _floor(at: datetime, unit: str) -> datetime:
    if unit == "s":
        return at.replace(microsecond=0)
    if unit == "m":
        return at.replace(second=0, microsecond=0)
    if unit == "h":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "w":
        day -= timedelta(days=day.weekday())
    elif unit == "M":
        day = day.replace(day=1)
    elif unit == "Q":
        day = day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
    elif unit == "y":
        day = day.replace(day=1, month=1)
    return _real(day)


def _round(at: datetime, unit: str, *, up: bool) -> datetime:
    floor = _floor(at, unit)
    return _shift(floor, 1, unit) if up else floor
