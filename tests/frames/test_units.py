"""Numbers as people read them."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import units
from frames.units import clock, date, eta, fmt, number, scale, span, text

T = "\u2009"


def test_the_examples_of_the_docstrings() -> None:
    assert doctest.testmod(units).attempted > 0
    assert doctest.testmod(units).failed == 0


@pytest.mark.parametrize(
    ("value", "unit", "want"),
    [
        (0, "B", ("0", "B")),
        (512, "B", ("512", "B")),
        (1536, "B", ("1.50", "KiB")),
        (1000 * 1024, "B", ("0.977", "MiB")),
        (999.4 * 1024, "B", ("999", "KiB")),
        (7.5 * 2**30, "B/s", ("7.50", "GiB/s")),
        (3.2e-5, "s", ("32.0", "µs")),
        (0.9994, "s", ("999", "ms")),
        (0.9996, "s", ("1.00", "s")),
        (131_072, "ns", ("131", "µs")),
        (0.999, "cores", ("1.00", "cores")),
        (-0.001, "cores", ("0.00", "cores")),
        (0.805, "%", ("80", "%")),
        (0.9876, "% .1", ("98.8", "%")),
        (12_345.6, "1/s", (f"12{T}300", "/s")),
        (9_876.5, "1/s", ("9880", "/s")),
        (123_456, "1", (f"123{T}456", "")),
        (-42.0, "1", ("\u221242.0", "")),
        (None, "B", ("–", "")),
        (float("nan"), "cores", ("–", "")),
    ],
)
def test_fmt(value: float | None, unit: str, want: tuple[str, str]) -> None:
    assert fmt(value, unit) == want


def test_a_column_shares_one_unit() -> None:
    column = scale("B", 3 * 2**30)
    assert (column.unit, [column.text(v) for v in (3 * 2**30, 2**20, 0.0, None)]) == (
        "GiB",
        ["3.00", "0.000977", "0", "–"],
    )
    assert text(2**20, "B", like=2**30) == f"0.000977{T}GiB"


@given(st.floats(min_value=1e-9, max_value=1e17), st.sampled_from(["B", "B/s", "s", "1/s"]))
def test_what_is_printed_is_the_value_to_three_figures(value: float, unit: str) -> None:
    figure, _ = fmt(value, unit)
    printed = float(figure.replace(T, "")) * scale(unit, value).factor
    assert printed == pytest.approx(value, rel=0.0051 if unit != "B" or value >= 1000 else 1, abs=0.51)


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        (0.85, "850 ms"), (0.9999, "1 s"), (32, "32 s"), (59.6, "1 min"), (245, "4 min 5 s"), (3599.9, "1 h"),
        (6720, "1 h 52 min"), (86_399, "1 d"), (90_000, "1 d 1 h"), (400 * 86_400, "1 y 35 d"), (-32, "\u221232 s"),
        (None, "–"),
    ],
)  # fmt: skip
def test_span(seconds: float | None, want: str) -> None:
    assert span(seconds).replace(T, " ") == want


def test_instants_and_arrivals() -> None:
    at = 1_817_509_268  # 2027-08-05 23:41:08 UTC
    assert (clock(at), clock(at, "Europe/Berlin", seconds=False)) == ("23:41:08", "01:41")
    assert (date(at), date(at, "Europe/Berlin")) == ("5 Aug 2027", "6 Aug 2027")
    assert eta(at + 1200, at, now=at) == "23:41 to 00:01 on 6 Aug 2027"
    assert eta(at, at + 600) == "23:41 to 23:51"
    assert eta(None, at, why="no progress for 5 min") == "no ETA: no progress for 5 min"
    assert (clock(None), date(None), number(None)) == ("–", "–", "–")
