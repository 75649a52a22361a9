"""Ticks: a drifting stream fills every second once; a gap stays a gap; a clock that steps back makes no rows."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collectors.stamp import Ticks


def test_a_stream_that_drifts_skips_one_tick_and_no_more():
    ticks = Ticks(1.0)
    stamps = [ticks.at(1000.4 + i * 1.003) for i in range(400)]
    steps = [b - a for a, b in pairwise(stamps)]
    assert set(steps) == {1.0, 2.0}
    assert steps.count(2.0) == 1


def test_jitter_neither_doubles_nor_leaves_out():
    ticks = Ticks(1.0)
    jitter = [0.0, 0.4, -0.2, 0.3, -0.4, 0.1, 0.4, -0.3]
    stamps = [ticks.at(500 + i + jitter[i % 8]) for i in range(80)]
    assert stamps == [500.0 + i for i in range(80)]


def test_a_gap_stays_a_gap():
    ticks = Ticks(1.0)
    assert [ticks.at(t) for t in (10.0, 11.0, 20.1, 21.1)] == [10.0, 11.0, 20.0, 21.0]


def test_a_clock_stepped_back_starts_anew_after_three():
    ticks = Ticks(1.0)
    assert ticks.at(100.0) == 100.0
    assert [ticks.at(t) for t in (40.0, 41.0, 42.0, 43.0)] == [None, None, 42.0, 43.0]


@given(st.lists(st.floats(0.5, 5.0), min_size=1, max_size=60), st.sampled_from([0.5, 1.0, 2.0]))
def test_stamps_are_near_and_never_repeat_while_time_goes_on(steps, interval):
    ticks, t, last = Ticks(interval), 1000.0, 0.0
    for step in steps:
        t += step * interval
        stamp = ticks.at(t)
        if stamp is not None:
            assert stamp > last
            assert abs(stamp - t) <= 0.75 * interval + 1e-9
            last = stamp
