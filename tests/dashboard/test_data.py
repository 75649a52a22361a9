"""Panel data on the wire, gaps, grids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.fill import align, same_arrays
from dashboard.panels.data import (
    Grid,
    Heat,
    Mark,
    PanelData,
    Series,
    array_bytes,
    decode,
    encode,
    fill_header,
    find_gaps,
    split_arrays,
)

NAN = float("nan")


def panel(values: list[list[float]], ids: str = "ab", start: float = 100.0) -> PanelData:
    a = np.array(values, np.float32)
    return PanelData(Grid(start, 1.0, a.shape[1]), [Series(i, i) for i in ids], a)


@given(st.floats(0, 2e9), st.floats(0.5, 1e6), st.sampled_from([1, 2, 5, 60, 3600, 86400]))
def test_a_grid_covers_its_range_on_multiples_of_its_step(start: float, span: float, step: int) -> None:
    g = Grid.over(start, start + span, step)
    assert g.start % step == pytest.approx(0, abs=1e-6)
    assert g.start <= start + 1e-6 * step
    assert g.end >= start + span - 1e-6 * step
    assert g.end - g.step < start + span + 1e-6 * step
    assert list(g.columns([g.start, g.end - step / 2])) == [0, g.n - 1]


def test_a_fill_comes_back_as_it_was_sent() -> None:
    data = panel([[1, NAN, 3], [4, 5, 6]])
    data.low, data.high = data.values - 1, data.values + 1
    data.heat = Heat((1e-3, 2e-3), "s", np.arange(6, dtype=np.float32).reshape(3, 2))
    data.marks = [Mark(10.0, "max 10")]
    message = encode({"op": "fill", **fill_header(data)}, array_bytes(data))
    header, body = decode(message)
    assert (4 + int.from_bytes(message[:4], "little")) % 4 == 0
    assert header["grid"] == {"start": 100.0, "step": 1.0, "n": 3}
    assert header["series"][1]["id"] == "b"
    assert header["marks"] == [{"value": 10.0, "label": "max 10", "style": "limit"}]
    arrays, end = split_arrays(header["arrays"], body)
    assert end == len(body)
    np.testing.assert_array_equal(arrays["values"], data.values)
    np.testing.assert_array_equal(arrays["high"], data.high)
    np.testing.assert_array_equal(arrays["heat"], data.heat.counts)


@given(st.text(), st.integers(0, 50))
def test_any_text_and_any_arrays_stay_aligned(text: str, n: int) -> None:
    header, body = decode(encode({"text": text}, np.zeros(n, "<f4").tobytes()))
    assert header == {"text": text}
    assert len(body) == 4 * n


def test_a_cut_message_is_refused() -> None:
    message = encode({"op": "fill"})
    with pytest.raises(ValueError, match="header of"):
        decode(message[:-1])
    with pytest.raises(ValueError, match="shorter"):
        decode(b"\1")


def test_values_must_fit_their_series_and_grid() -> None:
    with pytest.raises(ValueError, match="2 series on 3 columns"):
        PanelData(Grid(0, 1, 3), [Series("a", "a"), Series("b", "b")], np.zeros((1, 3), np.float32))


def test_a_missing_cap_and_an_infinite_bound_are_null() -> None:
    data = panel([[1.0]], "a")
    data.series = [Series("a", "a", cap=NAN)]
    data.heat = Heat((float("-inf"), 0.0), "", np.zeros((1, 2), np.float32))
    header, _ = decode(encode(fill_header(data), array_bytes(data)))
    assert header["series"][0]["cap"] is None
    assert header["heat"]["bounds"] == [None, 0.0]


def test_a_gap_is_where_nothing_was_sampled() -> None:
    data = panel([[1, NAN, NAN, 4, NAN], [NAN, 1, NAN, NAN, NAN]])
    assert find_gaps(data) == [(102.0, 103.0)]
    assert find_gaps(panel([[NAN, NAN], [NAN, NAN]])) == []


def test_columns_line_up_with_the_series_a_page_draws() -> None:
    drawn = [Series("b", "b"), Series("c", "c"), Series("a", "a")]
    got = align(panel([[1, 2], [3, 4]]), drawn)
    assert got is not None
    np.testing.assert_array_equal(got.values, np.array([[3, 4], [NAN, NAN], [1, 2]], np.float32))
    assert align(panel([[1, 2], [3, 4]], "ax"), drawn) is None


def test_columns_have_the_arrays_that_the_fill_had() -> None:
    data = same_arrays(panel([[1, 2], [3, 4]]), bands=True, heat_rows=3)
    assert [name for name, _ in data.arrays()] == ["values", "low", "high", "heat"]
    assert data.arrays()[3][1].shape == (2, 3)
    banded = panel([[1, 2], [3, 4]])
    banded.low = banded.high = banded.values
    assert [name for name, _ in same_arrays(banded, bands=False, heat_rows=0).arrays()] == ["values"]
