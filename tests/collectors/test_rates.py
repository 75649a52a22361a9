"""Counters that reset, wrap, run backwards or vanish: never a spike, never a negative rate."""

from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.rates import Clock, Rates, Shift


def test_first_step_has_no_rate_and_later_ones_count_over_the_hosts_own_time() -> None:
    rates = Rates()
    assert all(map(isnan, rates.step("a", 100.0, [5, 5])))
    assert rates.step("a", 102.0, [25, 5]) == [10.0, 0.0]
    assert all(map(isnan, rates.step("b", 102.0, [1, 1])))


def test_a_reboot_is_one_missing_sample_and_no_spike() -> None:
    rates = Rates()
    rates.step("a", 1000.0, [10_000, 20_000])
    assert all(map(isnan, rates.step("a", 3.0, [7, 9]))), "snaptime fell"
    assert rates.step("a", 4.0, [17, 9]) == [10.0, 0.0]
    assert rates.resets == 1


def test_counters_that_start_anew_under_a_running_clock() -> None:
    rates = Rates()
    rates.step("a", 10.0, [10_000, 20_000])
    assert all(map(isnan, rates.step("a", 11.0, [3, 4])))
    assert rates.step("a", 12.0, [4, 6]) == [1.0, 2.0]


@pytest.mark.parametrize("bits", [32, 64])
def test_a_wrap_counts_through(bits: int) -> None:
    top = 1 << bits
    rates = Rates()
    rates.step("a", 10.0, [top - 3000, 50])
    assert rates.step("a", 11.0, [top - 2000, 60]) == [1000.0, 10.0]
    assert rates.step("a", 13.0, [1000, 70]) == [1500.0, 5.0]


def test_a_fall_from_mid_range_is_no_wrap() -> None:
    rates = Rates()
    rates.step("a", 10.0, [3_000_000_000, 50])
    rates.step("a", 11.0, [3_000_000_500, 60])
    assert all(map(isnan, rates.step("a", 12.0, [100, 70])))


def test_a_clock_stepped_back_or_standing_still_gives_nothing() -> None:
    rates = Rates()
    rates.step("a", 100.0, [1])
    assert isnan(rates.step("a", 40.0, [2])[0])
    assert isnan(rates.step("a", 40.0, [3])[0])
    assert rates.step("a", 41.0, [5]) == [2.0]


def test_a_counter_below_zero_printed_unsigned_is_missing() -> None:
    rates = Rates()
    rates.step("a", 1.0, [5, 5])
    first, second = rates.step("a", 2.0, [2**64 - 7, 6])
    assert isnan(first)
    assert second == 1.0


def test_a_counter_that_is_missing_stays_missing_beside_those_that_are_there() -> None:
    rates = Rates()
    rates.step("a", 1.0, [nan, 5, 7])
    first, second, third = rates.step("a", 2.0, [nan, 6, 9])
    assert isnan(first)
    assert (second, third) == (1.0, 2.0)


def test_a_series_that_left_and_returned_counts_anew() -> None:
    rates = Rates()
    rates.step("a", 1.0, [5])
    rates.step("b", 1.0, [5])
    rates.keep({"b"})
    assert isnan(rates.step("a", 9.0, [500])[0])
    assert rates.step("b", 2.0, [6]) == [1.0]


counter = st.one_of(st.integers(-(2**33), 2**64 - 1), st.just(nan))


def test_a_counter_that_was_never_positive_wraps_nowhere() -> None:
    rates = Rates()
    rates.step("a", 1.0, [-1])
    assert isnan(rates.step("a", 2.0, [-(2**33)])[0])


@given(st.lists(st.tuples(st.floats(0, 1e9), st.lists(counter, min_size=3, max_size=3)), max_size=12))
def test_no_rate_is_ever_negative_or_faster_than_its_range(steps: list[tuple[float, list[float]]]) -> None:
    rates = Rates()
    before = None
    for stamp, counters in steps:
        for r in rates.step("x", stamp, counters):
            assert isnan(r) or r >= 0
            assert isnan(r) or (before is not None and r * (stamp - before) < 2**63 * 1.001)
        before = stamp


def test_clock_tells_a_reboot_from_a_step() -> None:
    clock = Clock()
    assert clock.see(1000.0, 500.0) is None
    assert clock.see(1001.2, 501.0) is None
    assert clock.see(942.0, 502.0) == Shift("clock", 440.0, pytest.approx(-60.2))
    assert clock.see(1100.0, 12.0) == Shift("reboot", 1088.0, pytest.approx(648.0))


def test_clock_knows_of_a_reboot_between_two_links() -> None:
    shift = Clock(boot=500.0).see(2000.0, 30.0)
    assert shift is not None
    assert shift.kind == "reboot"
