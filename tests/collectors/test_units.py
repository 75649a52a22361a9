"""Numbers as the tools print them, with the step of their last digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.units import Memo, duration, nanoseconds, nicenum, percent, size

K, M, G, T = 2**10, 2**20, 2**30, 2**40


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("0", 0, None),
        ("602", 602, None),
        ("0B", 0, None),
        ("349K", 349 * K, K),
        ("1.37M", 1.37 * M, 0.01 * M),
        ("24.0G", 24 * G, 0.1 * G),
        ("2,5T", 2.5 * T, 0.1 * T),
        ("1007K", 1007 * K, K),
        ("10 GiB", 10 * G, G),
    ],
)
def test_sizes(text: str, value: float, step: float | None) -> None:
    got, got_step = size(text)
    assert got == pytest.approx(value)
    assert got_step == (None if step is None else pytest.approx(step))


def test_zfs_prints_one_or_two_digits_for_even_multiples_only() -> None:
    assert nicenum("70G") == (70 * G, None)
    assert nicenum("230G") == (230 * G, G)
    assert size("70G") == (70 * G, G)


@given(st.integers(0, 2**62))
def test_the_value_lies_within_half_a_step(n: int) -> None:
    """Against zfs_nicenum written out."""
    value, step = nicenum(zfs_nicenum(n))
    assert value is not None
    assert abs(value - n) <= (step or 0.0) / 2 * (1 + 1e-9)


def zfs_nicenum(n: int) -> str:
    """As lib/libzfs does: the largest unit, an even multiple whole, else as many decimals as fit in five characters."""
    index, rest = 0, n
    while rest >= 1024:
        rest //= 1024
        index += 1
    if index == 0:
        return str(n)
    unit = "KMGTPE"[index - 1]
    if n % 1024**index == 0:
        return f"{rest}{unit}"
    texts = [f"{n / 1024**index:.{i}f}{unit}" for i in (2, 1, 0)]
    return next((t for t in texts if len(t) <= 5), texts[-1])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("336ns", 336e-9),
        ("6us", 6e-6),
        ("0h15m", 900),
        ("123h32m", 444720),
        ("2d3h", 183600),
        ("02:00:00", 7200),
        ("550:06:58", 1980418),
        ("0 days 00:03:10", 190),
        ("1 day 00:00:01", 86401),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


def test_latencies_with_and_without_a_unit() -> None:
    assert nanoseconds("1896338") == (pytest.approx(0.001896338), None)
    assert nanoseconds("18us") == (pytest.approx(18e-6), 1e-6)
    assert nanoseconds("-") == (None, None)


def test_percentages() -> None:
    assert percent("48%") == percent("48") == pytest.approx(0.48)
    assert percent("-") is None


@given(st.text(max_size=12))
def test_anything_else_is_a_value_error(text: str) -> None:
    for read in (size, nicenum, duration, nanoseconds, percent):
        try:
            read(text)
        except ValueError:
            continue


@pytest.mark.parametrize("text", ["", "K", "1.2.3G", "9" * 400, "1e9", "inf", "-5", "１2G", "12GG"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        size(text)


def test_a_memo_forgets() -> None:
    memo = Memo(size, limit=10)
    for n in range(1000):
        assert memo[str(n)] == (n, None)
    assert len(memo) <= 10
