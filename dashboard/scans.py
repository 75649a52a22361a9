"""When a scrub, resilver, expansion or removal will be done: a span, for no single number is honest.

The tool extrapolates the mean since its pass began, and says nothing below 10 MiB/s; a scan that meets the morning's
load goes on at another pace. So its end lies between what the last quarter of an hour and what the mean foretell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frames import units

RECENT = 900.0
"""Seconds that the newest pace is taken over."""
STALLED = 600.0
"""No progress over as long is said."""

Row = Mapping[Any, Any]
"""A row of pool_scan."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Seconds to go at the quicker and at the slower pace, or `why` nobody can say; neither where all is done."""

    first: float | None = None
    last: float | None = None
    why: str = ""


def ahead(now: Row, before: Row | None = None, apart: float = RECENT) -> Ahead:
    """When it will be done. `before`: the same pool's row `apart` seconds earlier."""
    done = now["fraction"]
    if done >= 1:  # more than all may be done: blocks that were written meanwhile
        return Ahead()
    if now["state"] == "paused":
        return Ahead(why="it is paused")
    recent = pace(now, before, apart)
    if recent == 0 and apart >= STALLED:
        return Ahead(why=f"no progress for {units.span(apart)}")
    ends = [(1 - done) / recent] if recent else []
    ends += [left] if (left := mean(now)) is not None else []
    if not ends:
        return Ahead(why="nothing is done yet" if done == 0 else "the host tells neither pace nor time")
    return Ahead(min(ends), max(ends))


def pace(now: Row, before: Row | None, apart: float = RECENT) -> float | None:
    """The share done per second lately; None where it was not this scan that ran then."""
    if not before or not _same(now, before) or apart <= 0:
        return None
    return max(float(now["fraction"] - before["fraction"]), 0.0) / apart


def progress(now: Row, before: Row | None = None, apart: float = RECENT) -> str:
    """'45.2 % done, 38 min to 1 h 5 min to go'. `before`: the same pool's row `apart` seconds earlier."""
    done = now["fraction"]
    part = f"{units.text(done, '% .1')} done"
    if done != done or done >= 1:
        return part
    left = ahead(now, before, apart)
    if left.first is None:
        return f"{part}, {left.why if left.why.startswith('no progress') else 'end unknown'}"
    first, last = (units.span(s) for s in (left.first, left.last))
    return f"{part}, {first} to go" if first == last else f"{part}, {first} to {last} to go"


def mean(now: Row) -> float | None:
    """Seconds to go at the mean pace of this pass; None where nothing tells it."""
    rate, total, issued = (_known(now.get(k)) for k in ("rate", "total", "issued"))
    if rate and total and issued is not None:
        return max(total - issued, 0.0) / rate
    elapsed, done = _known(now.get("elapsed")), _known(now["fraction"])
    if elapsed and done:
        return elapsed * (1 - done) / done
    return _known(now.get("eta"))


def _known(value: Any) -> float | None:
    return float(value) if value is not None and value == value else None


def _same(now: Row, before: Row) -> bool:
    """Whether both speak of one scan that was under way."""
    began = before["state"] == now["state"] == "in_progress" and before["scan"] == now["scan"]
    return began and bool(before["fraction"] <= now["fraction"])
