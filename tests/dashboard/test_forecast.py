"""The forecast against pasts whose future is known."""

import numpy as np
import pytest

from dashboard.forecast import DAY, LEAST_DAYS, WEEK, daily, forecast

PAST, AHEAD = 365, 364
NOON = np.arange(PAST + AHEAD) * DAY + DAY / 2


def walk(rng: np.random.Generator) -> np.ndarray:
    return 1000 + np.cumsum(3 + 8 * rng.standard_normal(PAST + AHEAD))


def weekdays(rng: np.random.Generator) -> np.ndarray:
    """A walk that also breathes with the week."""
    return walk(rng) + 40 * np.sin(np.arange(PAST + AHEAD) * 2 * np.pi / 7)


def moods(rng: np.random.Generator) -> np.ndarray:
    """Growth that keeps its pace for some ten days at a time."""
    pace, out = 0.0, []
    for step in rng.standard_normal(PAST + AHEAD):
        pace = 0.9 * pace + 1.6 * step
        out.append(3 + pace)
    return 1000 + np.cumsum(out)


def jumps(rng: np.random.Generator) -> np.ndarray:
    """Half of the growth comes at once, on one day in fifty."""
    moved = (rng.random(PAST + AHEAD) < 0.02) * rng.exponential(75, PAST + AHEAD)
    return 1000 + np.cumsum(1.5 + moved)


@pytest.mark.parametrize("past", [walk, weekdays, moods, jumps])
def test_the_bands_hold_what_they_say(past) -> None:
    rng = np.random.default_rng(8)
    n, days = 120, [91, 364]
    in80, in95 = np.zeros(2), np.zeros(2)
    for _ in range(n):
        y = past(rng)
        then = y[PAST - 1 :][days]
        low95, low80, _, high80, high95 = forecast(NOON[:PAST], y[:PAST]).at(NOON[PAST - 1 :][days])
        in80 += (low80 <= then) & (then <= high80)
        in95 += (low95 <= then) & (then <= high95)
    # Two standard deviations of 120 draws are 7 and 4 percent; the rest is what a walk does not know of moods.
    assert (in80 / n >= 0.70).all()
    assert (in80 / n <= 0.90).all()
    assert (in95 / n >= 0.86).all()


def test_the_span_of_dates_holds_eight_of_ten_crossings() -> None:
    rng = np.random.default_rng(5)
    inside, n = 0, 120
    for _ in range(n):
        y = walk(rng)
        made = forecast(NOON[:PAST], y[:PAST])
        target = y[PAST - 1] + 500
        r = made.reach(target)
        crossed = np.flatnonzero(y[PAST:] >= target)
        when = NOON[PAST + crossed[0]] if len(crossed) else np.inf
        assert r.early is not None
        assert r.middle is not None
        assert r.early <= r.middle
        inside += r.early <= when <= (np.inf if r.late is None else r.late)
    assert 0.70 <= inside / n <= 0.90


def test_a_straight_line_goes_straight_on() -> None:
    y = 100 + 2.0 * np.arange(PAST)
    made = forecast(NOON[:PAST], y)
    assert made.drift * DAY == pytest.approx(2.0)
    r = made.reach(y[-1] + 140)
    assert r.middle == pytest.approx(NOON[PAST - 1] + 70 * DAY, abs=DAY)
    assert r.early == pytest.approx(r.late, abs=DAY)


def test_too_little_history_is_said_and_nothing_drawn() -> None:
    y = 100.0 + np.arange(5)
    made = forecast(NOON[:5], y)
    assert made.why == "4 days of history; a forecast needs at least 14 days"
    assert np.isnan(made.at(NOON[10:20])).all()
    assert made.reach(200.0).early is None
    assert made.reach(50.0).over
    assert not forecast(NOON[: int(LEAST_DAYS) + 1], 100.0 + np.arange(LEAST_DAYS + 1)).why
    assert forecast(np.empty(0), np.empty(0)).why == "no history yet"


def test_two_weeks_are_far_less_certain_than_a_year() -> None:
    y = walk(np.random.default_rng(1))

    def width(days: int) -> float:
        bands = forecast(NOON[PAST - days : PAST], y[PAST - days : PAST]).at(NOON[PAST + 90 : PAST + 91])[:, 0]
        return float(bands[3] - bands[1])

    assert width(15) > 1.5 * width(365)


@pytest.mark.parametrize("slope", [0.0, -0.5])
def test_what_does_not_grow_is_not_full_within_two_years(slope: float) -> None:
    rng = np.random.default_rng(3)
    y = 500 + slope * np.arange(PAST) + rng.standard_normal(PAST)
    assert forecast(NOON[:PAST], y).reach(800).early is None


def test_a_gap_of_weeks_changes_little() -> None:
    y = walk(np.random.default_rng(4))[:PAST]
    whole, holed = y.copy(), y.copy()
    holed[100:150] = np.nan
    a, b = forecast(NOON[:PAST], whole), forecast(NOON[:PAST], holed)
    assert a.drift == b.drift
    assert b.error == pytest.approx(a.error, rel=0.25)


def test_bands_stay_inside_the_pool_and_the_same_past_gives_the_same_forecast() -> None:
    y = walk(np.random.default_rng(2))[:PAST]
    a, b = forecast(NOON[:PAST], y, size=2500.0), forecast(NOON[:PAST], y, size=2500.0)
    assert a.bands is not None
    assert b.bands is not None
    assert a.bands.max() == 2500.0
    assert a.bands.min() >= 0.0
    assert np.array_equal(a.bands, b.bands)
    assert (np.diff(a.bands, axis=0) >= 0).all()


def test_more_on_top_brings_the_date_nearer() -> None:
    y = 100 + 2.0 * np.arange(PAST)
    made = forecast(NOON[:PAST], y)
    target = y[-1] + 140
    sooner = made.reach(target, more=28.0).middle
    assert sooner == pytest.approx(NOON[PAST - 1] + 8 * WEEK, abs=DAY)


def test_days_are_means_of_what_they_have() -> None:
    days, means = daily(np.array([0.0, 10.0, DAY, 3 * DAY]), np.array([1.0, 3.0, np.nan, 5.0]))
    assert days.tolist() == [0.0, 3.0]
    assert means.tolist() == [2.0, 5.0]
