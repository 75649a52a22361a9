"""When a scrub, resilver, expansion or removal will be done: a span, for no single number is honest.

The tool extrapolates the mean since its pass began, and says nothing below 10 MiB/s; a scan that meets the morning's
load goes on at another pace. So its end lies between what the last quarter of an hour and what the mean foretell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frames import units

RECENT = 900.0
"""Seconds that the newest pace is taken over."""
STALLED = 600.0
"""No progress over as long is said."""

Row = Mapping[Any, Any]
"""A row of pool_scan."""


def progress(now: Row, before: Row | None = None, apart: float = RECENT) -> str:
    """'45.2 % done, 38 min to 1 h 5 min to go'. `before`: the same pool's row `apart` seconds earlier."""
    done = now["fraction"]
    part = f"{units.text(done, '% .1')} done"
    if done != done or done >= 1:  # more than all may be done: blocks that were written meanwhile
        return part
    pace = (done - before["fraction"]) / apart if before and _same(now, before) else None
    if pace is not None and pace <= 0 and apart >= STALLED:
        return f"{part}, no progress for {units.span(apart)}"
    ends = [(1 - done) / pace] if pace and pace > 0 else []
    ends += [left] if (left := mean(now)) is not None else []
    if not ends:
        return f"{part}, end unknown"
    first, last = (units.span(s) for s in (min(ends), max(ends)))
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
