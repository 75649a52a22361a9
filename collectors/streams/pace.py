"""How fast bytes grow, from counts that are printed rounded: a window as long as the rounding needs."""

from __future__ import annotations

from collections import deque
from math import inf, nan

WINDOW = 300.0
"""Seconds that are looked back at most; so long without a byte is a stall (zrepl#516)."""
STEPS = 20
"""A difference of so many steps of the last printed digit is good to 5 %."""
FEW = 5
"""With fewer, there is no rate before the window is full."""


class Pace:
    """`add` samples of one count in order of time, then ask for `rate` and `still`.

    `least` is the shortest window in seconds: what grows once in a transaction group needs some of them.
    """

    __slots__ = ("_changed", "_least", "_samples", "rate", "span")

    def __init__(self, least: float = 0.0) -> None:
        self._least = least
        self._samples: deque[tuple[float, float]] = deque()
        self._changed = nan
        self.rate = nan
        """Bytes a second, NaN until two samples allow it."""
        self.span = nan
        """Seconds that it is the mean of; infinite where rounding makes it a rough one."""

    def add(self, at: float, done: float, step: float | None = None) -> None:
        """`done` at `at` seconds; `step`: what its last digit is worth (None: exact). A fall starts anew."""
        last = self._samples[-1] if self._samples else None
        if last and (done < last[1] or at <= last[0]):
            if at <= last[0] and done == last[1]:
                return
            self._samples.clear()
            last = None
        if last is None or done > last[1]:
            self._changed = at
        self._samples.append((at, done))
        while len(self._samples) > 2 and self._samples[1][0] <= at - WINDOW:
            self._samples.popleft()
        self.rate, self.span = self._rate(at, done, step or 0.0)

    def _rate(self, at: float, done: float, step: float) -> tuple[float, float]:
        """Over the shortest window that is long enough, else over all there is."""
        for then, count in reversed(self._samples):
            span, grown = at - then, done - count
            if span > 0 and span >= self._least and grown >= step * STEPS:
                return grown / span, span
        then, count = self._samples[0]
        span, grown = at - then, done - count
        if span > 0 and (grown >= step * FEW or span >= 0.9 * WINDOW):
            return grown / span, inf
        return nan, nan

    def still(self, at: float) -> float:
        """Seconds since the count last grew (or was first seen)."""
        return at - self._changed
