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


def said(rates: Rates, *, uptime: bool = False) -> list[tuple[str, str, str]]:
    """(kind, object, text) of the events of series named as their keys."""
    rows = []
    for batch in rates.events("disk_io", str, 7.0, uptime=uptime):
        assert (batch.table, batch.time) == ("events", 7.0)
        c = batch.columns
        assert set(c["who"]) == {"disk_io"}
        rows += list(zip(c["kind"], c["object"], c["text"], strict=True))
    return rows


def test_counters_that_fall_are_an_event_once() -> None:
    rates = Rates()
    rates.step("sd0", 1.0, [10_000, 20_000])
    assert said(rates) == []
    rates.step("sd0", 2.0, [3, 4])
    assert said(rates) == [("counters", "sd0", "counters of sd0 fell and count anew")]
    rates.step("sd0", 3.0, [4, 5])
    assert said(rates) == []


def test_a_wrap_and_a_missing_counter_are_no_event() -> None:
    rates = Rates()
    rates.step("sd0", 1.0, [2**32 - 1000, 5])
    rates.step("sd0", 2.0, [1000, 6])
    rates.step("sd0", 3.0, [nan, 7])
    rates.step("sd0", 4.0, [3000, 8])
    rates.step("sd0", 4.0, [3000, 8])
    assert said(rates) == []
    assert rates.resets == 0


def test_time_that_runs_back_is_a_clock_or_a_reboot() -> None:
    for uptime, kind in ((False, "clock"), (True, "reboot")):
        rates = Rates()
        rates.step("sd0", 100.0, [1])
        rates.step("sd0", 40.0, [2])
        [event] = said(rates, uptime=uptime)
        assert event[:2] == (kind, "")
    assert event[2] == "time since boot fell: counters of sd0 count anew"


def test_many_series_at_once_are_one_event() -> None:
    rates = Rates()
    for n in (1, 2):
        for i in range(40):
            rates.step(f"sd{i:02}", float(n), [100 // n, 100 // n])
    assert said(rates) == [("counters", "", "counters of sd00 and 39 more fell and count anew")]


def test_a_counter_that_keeps_falling_is_told_once_until_it_was_calm_for_a_minute() -> None:
    rates = Rates()
    told = []
    for second in [*range(300), *range(400, 403)]:
        rates.step("sd0", float(second), [1000 - second, 1000 - second])
        told += [second for _ in said(rates)]
    assert told == [1, 400]
    assert rates.resets == 302


def test_a_series_that_left_is_forgotten_with_what_was_told_of_it() -> None:
    rates = Rates()
    for name in ("a", "b"):
        rates.step(name, 1.0, [5, 5])
        rates.step(name, 2.0, [1, 1])
    said(rates)
    rates.keep(["b", "c"])
    assert isnan(rates.step("a", 3.0, [9, 9])[0])
    rates.step("a", 4.0, [1, 1])
    assert said(rates) == [("counters", "a", "counters of a fell and count anew")]
