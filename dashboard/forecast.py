"""When a pool reaches a level: a random walk with drift, fitted to its own past, and how sure that is.

The method, in full:

1. Used bytes are averaged per day; days without a sample stay missing.
2. The drift is (last - first) / days between them, the maximum-likelihood estimate for a walk.
3. The spread per day is that of growth over spans of one, two, four or eight weeks (the longest that fits six times
   into the past), overlapping, divided by the span's length. Growth over whole weeks holds the weekly rhythm and what
   goes up one day and down the next, so that neither is taken for uncertainty about next year (Lo and MacKinlay's
   variance over k days, 1988, with their correction of the bias).
4. `WALKS` walks go on from the newest day in steps of a week. Each draws its own drift and spread from what the past
   leaves possible (normal and scaled inverse chi square), then its own steps; their quantiles are the bands.
5. A level is reached by a walk when it first touches it; `Reach` has the tenth, fiftieth and ninetieth percentile of
   those dates: "between 25 Jun and 1 Oct" holds in 8 of 10 cases.

What it does not know: plans. A migration, a new customer or a quota is a jump that the past may not have had. Growth
that speeds up is under-estimated, by about half of what it gained within the past.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DAY = 86400.0
WEEK = 7 * DAY
LEAST_DAYS = 14.0
"""With less history there is no forecast."""
HORIZON = 104
"""Weeks ahead: two years."""
WALKS = 2000
QUANTILES = (0.025, 0.10, 0.50, 0.90, 0.975)
"""Of the bands: 95 % from the outer, 80 % from the inner pair."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reach:
    """When a level is reached, epoch seconds: in one of ten cases before `early`, in half before `middle`, in one of
    ten after `late`. None: not within the horizon. `over`: it already is."""

    level: float
    early: float | None
    middle: float | None
    late: float | None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """`days` of history; why there is no forecast, or the bands.

    `drift` in bytes per second with its standard error; `times` [HORIZON + 1] epoch seconds from the newest sample
    on, weekly; `bands` [5, HORIZON + 1] bytes at QUANTILES."""

    days: float
    why: str = ""
    level: float = math.nan
    drift: float = math.nan
    error: float = math.nan
    times: Doubles | None = None
    bands: Doubles | None = None
    walks: Doubles | None = None
    """[WALKS, HORIZON + 1] bytes, with what `reach` needs of them."""

    def at(self, when: npt.ArrayLike) -> Doubles:
        """[5, n] bytes at QUANTILES for times after the newest sample; NaN before it and beyond the horizon."""
        t = np.asarray(when, float)
        if self.times is None or self.bands is None:
            return np.full((len(QUANTILES), len(t)), np.nan)
        return np.array([np.interp(t, self.times, b, left=np.nan, right=np.nan) for b in self.bands])

    def reach(self, level: float, *, more: float = 0.0) -> Reach:
        """When used bytes (and `more` on top of them) first touch `level`."""
        if self.times is None or self.walks is None:
            return Reach(level, None, None, None, over=self.level + more >= level)
        if self.level + more >= level:
            now = float(self.times[0])
            return Reach(level, now, now, now, over=True)
        top = np.maximum.accumulate(self.walks + more, axis=1)
        there = top >= level
        hit = there.any(axis=1)
        k = np.clip(np.argmax(there, axis=1), 1, None)
        rows = np.arange(len(top))
        before, after = top[rows, k - 1], top[rows, k]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(after > before, (level - before) / (after - before), 1.0)
        when = np.where(hit, self.times[0] + (k - 1 + np.clip(share, 0.0, 1.0)) * WEEK, np.inf)
        found = np.quantile(when, (0.10, 0.50, 0.90), method="inverted_cdf")
        early, middle, late = (float(t) if math.isfinite(t) else None for t in found)
        return Reach(level, early, middle, late)


def daily(times: Doubles, values: Doubles) -> tuple[Doubles, Doubles]:
    """(days, means): each day that has a sample, in days since the epoch, and the mean of its values."""
    keep = np.isfinite(values)
    days = np.floor(times[keep] / DAY)
    found, place = np.unique(days, return_inverse=True)
    means = np.bincount(place, weights=values[keep], minlength=len(found)) / np.maximum(np.bincount(place), 1)
    return found, means


def forecast(times: Doubles, values: Doubles, size: float = math.inf) -> Forecast:
    """The forecast for used bytes `values` at `times` (epoch seconds, any order) of a pool of `size` bytes.

    The same numbers give the same forecast: the walks are drawn from a fixed seed."""
    days, used = daily(np.asarray(times, float), np.asarray(values, float))
    if len(days) < 2:
        return Forecast(0.0, "no history yet", float(used[-1]) if len(used) else math.nan)
    span = float(days[-1] - days[0])
    level = float(used[-1])
    if span < LEAST_DAYS:
        return Forecast(span, f"{span:.0f} days of history; a forecast needs at least {LEAST_DAYS:.0f} days", level)
    drift = (level - float(used[0])) / span
    lag = next((weeks * 7 for weeks in (8, 4, 2) if span >= 6 * 7 * weeks), 7)
    full = np.full(int(span) + 1, np.nan)
    full[(days - days[0]).astype(int)] = used
    growth = full[lag:] - full[:-lag]
    growth = growth[np.isfinite(growth)]
    if not len(growth):
        return Forecast(span, "the history has no two days a week apart", level)
    # Lo and MacKinlay: overlapping spans around a drift that was fitted to the same days.
    variance = float(np.sum((growth - drift * lag) ** 2)) / len(growth) / lag / max(1 - lag / (span + 1), 1e-3)
    # Overlapping spans hold about half as much again as those end to end.
    freedom = max(1.5 * span / lag - 1, 1.0)
    error = math.sqrt(variance / span)
    rng = np.random.default_rng(20261123)
    half = WALKS // 2
    spread = np.sqrt(variance * freedom / rng.chisquare(freedom, half))
    own = rng.standard_normal(half) * spread / math.sqrt(span)
    steps = rng.standard_normal((half, HORIZON)) * spread[:, None] * math.sqrt(7) + own[:, None] * 7
    # Each walk with its mirror image: the middle is the drift itself.
    off = np.cumsum(np.concatenate([steps, -steps]), axis=1)
    ahead = np.concatenate([np.zeros((WALKS, 1)), off + drift * 7 * np.arange(1, HORIZON + 1)], axis=1)
    walks = np.clip(level + ahead, 0.0, size)
    start = float(np.max(times[np.isfinite(values)])) if len(times) else 0.0
    when = start + WEEK * np.arange(HORIZON + 1, dtype=float)
    ordered = np.sort(np.ascontiguousarray(walks.T), axis=1)
    bands = np.array([ordered[:, round(q * (WALKS - 1))] for q in QUANTILES])
    return Forecast(span, "", level, drift / DAY, error / DAY, when, bands, walks)
