"""Cumulative counters become rates where they enter, over the host's own time.

What a counter can do besides growing: start anew (reboot, module reload, `clear`), wrap at 32 or 64 bits, stand
beside a clock that was stepped back, vanish and return. None of these may show as a spike or a negative rate:
the sample is NaN, the next one counts from there, and an event says so (`Rates.events`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

from collectors.base import Batch

WRAPS = (1 << 32, 1 << 64)
HALF = 1 << 63
"""A step this large is a counter that went below zero and is printed unsigned."""
QUIET = 60.0
"""Seconds of its own time for which a series must run on before it is told again: some counters are none."""
NAMED = 3
"""Series that an event names; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Anew:
    """A series that started anew; `back`: seconds by which its time ran back, 0 where its counters fell."""

    key: Hashable
    back: float = 0.0


class Rates:
    """The rates of many series (disks, zones, one ARC), each a row of counters in a fixed order.

    `step(key, stamp, counters)`: rates per second since the series' last step, in the same order. `stamp` is the
    host's own time in seconds (kstat snaptime, uptime, epoch), counters are integers or NaN where there is none.
    All are NaN at a series' first step, when `stamp` did not advance, and when the series started anew.
    """

    __slots__ = ("_anew", "_last", "_rates", "_told", "resets")

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[float, Sequence[float]]] = {}
        self._rates: dict[Hashable, list[float]] = {}
        self._anew: dict[Hashable, Anew] = {}
        self._told: dict[Hashable, float] = {}
        self.resets = 0
        """Steps at which a series was found to have started anew."""

    def step(self, key: Hashable, stamp: float, counters: Sequence[float]) -> list[float]:
        last = self._last.get(key)
        self._last[key] = (stamp, counters)
        if last is None or len(last[1]) != len(counters):
            return [nan] * len(counters)
        span = stamp - last[0]
        if not span > 0:
            if span < 0:
                self._reset(key, stamp, span)
            self._rates.pop(key, None)
            return [nan] * len(counters)
        steps = [b - a for a, b in zip(last[1], counters, strict=True)]
        # A NaN in front makes min() NaN: the slow way sorts that out.
        if steps and not (min(steps) >= 0 and max(steps) < HALF):
            return self._odd(key, stamp, span, last[1], steps)
        rates = self._rates[key] = [d / span for d in steps]
        return rates

    def _reset(self, key: Hashable, stamp: float, back: float = 0.0) -> None:
        self.resets += 1
        told = self._told.get(key)
        self._told[key] = stamp
        if told is None or abs(stamp - told) >= QUIET:
            self._anew[key] = Anew(key, -back)

    def anew(self) -> list[Anew]:
        """Series that started anew since the last call; one that does so all the time only the first time."""
        if not self._anew:
            return []
        found, self._anew = list(self._anew.values()), {}
        return found

    def events(
        self, who: str, name: Callable[[Hashable], str], stamp: float | None, *, uptime: bool = False
    ) -> list[Batch]:
        """`anew()` as `events` tells it."""
        return events(self.anew(), who, name, stamp, uptime=uptime)

    def _odd(
        self, key: Hashable, stamp: float, span: float, before: Sequence[float], steps: list[float]
    ) -> list[float]:
        """A counter fell, jumped or is missing. One that fell may have wrapped; two are a series started anew."""
        fell = [i for i, d in enumerate(steps) if d < 0]
        usual = self._rates.get(key)
        if len(fell) == 1:
            i = fell[0]
            steps[i] = _wrapped(before[i], steps[i], span, usual[i] if usual else nan)
        anew = len(fell) > 1 or any(steps[i] != steps[i] for i in fell)
        if anew:
            self._reset(key, stamp)
            self._rates.pop(key, None)
            return [nan] * len(steps)
        rates = self._rates[key] = [d / span if d < HALF else nan for d in steps]
        return rates

    def keep(self, keys: Iterable[Hashable]) -> None:
        """Forget every series that is not in `keys`: one that returns counts anew."""
        for key in self._last.keys() - keys:
            del self._last[key]
            self._rates.pop(key, None)
            self._told.pop(key, None)


def events(
    found: Sequence[Anew], who: str, name: Callable[[Hashable], str], stamp: float | None, *, uptime: bool = False
) -> list[Batch]:
    """What started anew as at most two rows of events, for counters that fell and for time that ran back.

    `who`: the source. `name`: what a key is called in a sentence. `uptime`: the series' time is counted from boot,
    so that it falls by a reboot only.
    """
    rows: list[tuple[str, str, str]] = []
    for back in (True, False):
        names = sorted({name(a.key) for a in found if (a.back > 0) == back})
        if not names:
            continue
        those = ", ".join(names) if len(names) <= NAMED else f"{names[0]} and {len(names) - 1} more"
        if not back:
            text = f"counters of {those} fell and count anew"
            rows.append(("counters", names[0] if len(names) == 1 else "", text))
        elif uptime:
            rows.append(("reboot", "", f"time since boot fell: counters of {those} count anew"))
        else:
            step = max(a.back for a in found)
            rows.append(("clock", "", f"clock ran back by {step:.0f} s: counters of {those} count anew"))
    if not rows:
        return []
    kinds, objects, texts = zip(*rows, strict=True)
    columns = {
        "kind": list(kinds),
        "object": list(objects),
        "severity": ["warn"] * len(rows),
        "text": list(texts),
        "who": [who] * len(rows),
    }
    return [Batch("events", columns, stamp)]


def _wrapped(before: float, step: float, span: float, usual: float) -> float:
    """The true step of a counter that fell from `before`, or NaN where no wrap explains it.

    A wrap is believed when the step it implies is no more than eight times the usual rate, or, before there is a
    rate, when it is under 1/256 of the counter's range.
    """
    for top in WRAPS:
        if before < top:
            implied = step + top
            bound = usual * span * 8 if usual == usual else 0.0
            return implied if 0 <= implied <= max(bound, top >> 8) else nan
    return nan


def per(total: float, count: float) -> float:
    """`total` over `count`: the mean of what happened in an interval, NaN where nothing did."""
    return total / count if count > 0 else nan


@dataclass(frozen=True, slots=True)
class Shift:
    """What a `Clock` noticed: the host was booted at `boot`, or its clock was stepped by `step` seconds."""

    kind: Literal["reboot", "clock"]
    boot: float
    step: float


class Clock:
    """Tells a reboot and a stepped clock apart from ordinary time: wall clock and uptime of the same moments.

    `boot`: boot time already known (epoch seconds), NaN if not. `slack`: a smaller difference is rounding or
    slewing by NTP and is followed silently.
    """

    def __init__(self, boot: float = nan, slack: float = 3.0) -> None:
        self._boot, self._uptime, self._slack = boot, nan, slack

    def see(self, now: float, uptime: float) -> Shift | None:
        """`now`: the host's epoch seconds, `uptime`: its seconds since boot."""
        boot, known, before = now - uptime, self._boot, self._uptime
        self._boot, self._uptime = boot, uptime
        if not abs(boot - known) > self._slack:
            return None
        # A reboot makes uptime fall; where this is the first look, boot moved forward by more than the uptime.
        rebooted = uptime < before if before == before else boot > known + self._slack
        return Shift("reboot" if rebooted else "clock", boot, boot - known)
