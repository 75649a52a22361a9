"""Puts samples on whole multiples of their interval, so that rows of several hosts share a time axis.

A tool that prints "every second" drifts by milliseconds; stored as they come, its samples would leave some
one-second buckets empty and fill others twice, which reads as gaps that never were.
"""

from __future__ import annotations


class Ticks:
    """Stamps of one stream: consecutive samples get consecutive ticks while they are near their own time.

    `at(t)` takes the end of an interval in epoch seconds and returns a multiple of `interval` that is at most
    0.75 interval from `t` and always later than the one before; where that is impossible (two samples within
    half an interval, a clock stepped back) it returns None the first time, and starts anew after three.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._last: int | None = None
        self._refused = 0

    def at(self, t: float) -> float | None:
        nearest = round(t / self.interval)
        if self._last is None:
            tick = nearest
        else:
            tick = self._last + max(1, nearest - self._last)
            following = self._last + 1
            # A sample that drifts stays on the next tick until it is 0.75 interval away from it.
            if abs(t / self.interval - following) <= 0.75:
                tick = following
            if tick - t / self.interval > 0.75:
                self._refused += 1
                if self._refused < 3:
                    return None
                tick = nearest
        self._refused = 0
        self._last = tick
        return tick * self.interval
