"""Frames as `Store.window` gives them, turned into rows of numbers on a grid; percentiles from histograms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from dashboard.panels.data import Floats, Grid, PanelData, Series
from frames.query import extremes
from frames.schemas import SCHEMAS, bounds

Doubles = npt.NDArray[np.float64]
DASHES: tuple[Literal["solid", "dash", "dot"], ...] = ("solid", "solid", "dash", "dot")
"""From the third line on the dash varies too."""
TOP = 8


def dash(i: int) -> Literal["solid", "dash", "dot"]:
    """Dash of the i-th line (from 0)."""
    return DASHES[i % 4] if i < 4 else DASHES[i % 3 + 1]


def seconds(frame: pd.DataFrame) -> Doubles:
    """Epoch seconds of the frame's time column."""
    return frame["time"].to_numpy("datetime64[us]").astype("int64") / 1e6


def pivot(
    frame: pd.DataFrame,
    key: str | Callable[[pd.DataFrame], pd.Series],
    columns: Sequence[str],
    grid: Grid,
    how: Literal["sum", "mean"] = "sum",
) -> tuple[list[str], list[Floats]]:
    """(ids in order of first appearance, one [ids, grid.n] array per column). Several rows of one id and bucket are
    added (or averaged); a bucket without a row, or with nothing but NaN, is NaN."""
    labels = frame[key] if isinstance(key, str) else key(frame)
    codes, ids = pd.factorize(labels.to_numpy(dtype=object))
    at = grid.columns(seconds(frame)) if len(frame) else np.empty(0, np.int64)
    inside = (at >= 0) & (at < grid.n) & (codes >= 0)
    codes, at = codes[inside], at[inside]
    cells = codes * grid.n + at
    out = []
    for c in columns:
        values = frame[c].to_numpy(float)[inside]
        have = np.isfinite(values)
        n = np.bincount(cells[have], minlength=len(ids) * grid.n)
        total = np.bincount(cells[have], weights=values[have], minlength=len(ids) * grid.n)
        with np.errstate(invalid="ignore", divide="ignore"):
            result = np.where(n > 0, total / n if how == "mean" else total, np.nan)
        out.append(result.reshape(len(ids), grid.n).astype(np.float32))
    return [str(i) for i in ids], out


def one(frame: pd.DataFrame, column: str, grid: Grid, how: Literal["sum", "mean"] = "sum") -> Floats:
    """`column` of the whole frame on the grid: [grid.n]."""
    _, (values,) = pivot(frame, lambda f: pd.Series("", index=f.index), [column], grid, how)
    return values[0] if len(values) else np.full(grid.n, np.nan, np.float32)


def last(frame: pd.DataFrame, column: str) -> float | None:
    """The newest value of `column` that is not missing."""
    found = frame[["time", column]].dropna().sort_values("time") if len(frame) else frame
    return float(found[column].iloc[-1]) if len(found) else None


def last_of(frame: pd.DataFrame, key: str, column: str) -> dict[str, float]:
    """The newest value of `column` of each key, where there is one."""
    found = frame[["time", key, column]].dropna().sort_values("time")
    return {str(k): float(v) for k, v in zip(found[key], found[column], strict=True)}


def top(ids: Sequence[str], weights: Sequence[float], known: Iterable[str] = (), n: int = TOP) -> list[str]:
    """The `n` ids of the largest weight, by name among equals; of those that a page draws, just them."""
    if have := [i for i in known if i in set(ids)]:
        return have[:n]
    weight = dict(zip(ids, np.nan_to_num(np.asarray(weights, float), nan=-1.0), strict=True))
    return sorted(ids, key=lambda i: (-weight[i], i))[:n]


def means(values: Floats) -> Doubles:
    """Mean of each row without its NaN; 0 for an empty row."""
    n = np.isfinite(values).sum(axis=1)
    return np.where(n > 0, np.nansum(values, axis=1) / np.maximum(n, 1), 0.0)


def total(values: Floats) -> Floats:
    """Sum over rows; NaN where every row is."""
    if not len(values):
        return np.full(values.shape[1], np.nan, np.float32)
    return np.where(np.isfinite(values).any(axis=0), np.nansum(values, axis=0), np.nan).astype(np.float32)


def lines(
    frame: pd.DataFrame,
    key: str,
    column: str,
    grid: Grid,
    known: Sequence[str] = (),
    *,
    table: str,
    label: Callable[[str], str] = str,
    n: int = TOP,
    rest: bool = True,
    unit: str = "",
) -> PanelData:
    """One line per key with its band, the largest `n` and the sum of the rest; unit from the schema of `table`, unless
    what is counted is named ("threads"). A counter's increments become a rate."""
    declared = SCHEMAS[table].by_name[column]
    unit = unit or declared.unit
    if declared.role == "counter":
        unit += "/s"
        ids, (values,) = pivot(frame, key, [column], grid)
        low = high = values = (values / grid.step).astype(np.float32)
    else:
        _, least, most = extremes(SCHEMAS[table], column)
        ids, (values, low, high) = pivot(frame, key, [column, least, most], grid)
    chosen = top(ids, list(means(values)), [k for k in known if k != "rest"], n)
    place = [ids.index(i) for i in chosen]
    series = [Series(i, label(i), unit, k + 1 if k < TOP else None, dash(k)) for k, i in enumerate(chosen)]
    others = [k for k in range(len(ids)) if k not in place]
    parts = [values[place], low[place], high[place]]
    if (others and rest) or "rest" in known:
        series.append(Series("rest", "rest", unit))
        parts = [np.vstack([p, total(a[others])[None, :]]) for p, a in zip(parts, (values, low, high), strict=True)]
    return PanelData(grid, series, *banded(*parts), unit=unit)


def banded(values: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats | None, Floats | None]:
    """The three without the band where it is nowhere wider than the line."""
    if np.array_equal(low, high, equal_nan=True):
        return values, None, None
    return values, low, high


# -- histograms ---------------------------------------------------------------------------------------------------


def histogram(frame: pd.DataFrame, column: str = "counts") -> npt.NDArray[np.int64]:
    """[rows, buckets] of a list column; shorter lists are filled up with zeros, missing ones are all zero."""
    series = frame[column]
    lists = (
        pa.array(series, type=pa.list_(pa.int64()), from_pandas=True)
        if len(series)
        else pa.array([], pa.list_(pa.int64()))
    )
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    sizes = np.asarray(lists.value_lengths().fill_null(0)).astype(np.int64)
    width = int(sizes.max()) if len(sizes) else 0
    out = np.zeros((len(sizes), width), np.int64)
    flat = np.asarray(lists.flatten()).astype(np.int64)
    out[np.arange(width)[None, :] < sizes[:, None]] = flat
    return out


def rebin(counts: npt.NDArray[np.int64], source: Sequence[float], target: Sequence[float]) -> npt.NDArray[np.int64]:
    """`counts` over lower bounds `source` on lower bounds `target`, each bucket whole into the one that holds its
    lower end; what lies below the first goes into the first."""
    place = np.clip(np.searchsorted(np.asarray(target), np.asarray(source)[: counts.shape[1]], "right") - 1, 0, None)
    out = np.zeros((*counts.shape[:-1], len(target)), np.int64)
    np.add.at(out.T, place, counts.T)
    return out


@lru_cache(maxsize=64)
def _parts(source: tuple[float, ...], target: tuple[float, ...], log: bool) -> Doubles | None:
    """[source buckets, target buckets]: how the former lie over the latter, in equal parts of the axis (log or not);
    None where each goes whole into one."""
    low, rows = np.array(source), np.asarray(target)
    if not log or all(np.isclose(low, t, rtol=1e-9, atol=0).any() for t in rows):
        return None
    ends, upper = np.r_[low[1:], np.inf], np.r_[rows[1:], np.inf]
    out = np.zeros((len(low), len(rows)))
    for i, (a, b) in enumerate(zip(low, ends, strict=True)):
        if a > 0 and math.isfinite(b):
            lower = np.r_[min(rows[0], a), rows[1:]]
            out[i] = np.clip(np.log(np.minimum(upper, b)) - np.log(np.maximum(lower, a)), 0, None) / math.log(b / a)
        else:
            out[i, 0 if a <= 0 else -1] = 1.0
    return out


def relaid(
    counts: npt.NDArray[np.int64], source: tuple[float, ...], target: tuple[float, ...], *, log: bool = True
) -> Doubles:
    """`counts` over lower bounds `source` on lower bounds `target`: as `rebin`, but where the target is finer on a
    log axis, a bucket's events are laid over it in equal parts of the axis, which add up to them."""
    parts = _parts(source, target, log)
    if parts is None:
        return rebin(counts, source, target).astype(float)
    return counts @ parts[: counts.shape[1]]


def percentile(counts: npt.NDArray[Any], lower: Sequence[float], q: float) -> Doubles:
    """Quantile `q` (0 … 1) of each row of `counts` [..., buckets] over lower bounds `lower`, NaN where it is empty.

    Inside its bucket the quantile is interpolated on a log scale, as if the events lay evenly there; the truth is
    somewhere in that bucket, so a bucket's width is the error (a factor of 2 for quantize).
    """
    c = np.asarray(counts, float)
    upper = np.array([*lower[1:], (lower[-1] or 1.0) * 2])
    low = np.asarray(lower, float)
    running = np.cumsum(c, axis=-1)
    n = running[..., -1]
    aim = q * n
    at = np.argmax(running >= aim[..., None] - 1e-9, axis=-1)
    inside = np.take_along_axis(c, at[..., None], -1)[..., 0]
    before = np.take_along_axis(running, at[..., None], -1)[..., 0] - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((aim - before) / inside, 0, 1)
        a, b = low[at], upper[at]
        value = np.where(a > 0, a * (b / np.where(a > 0, a, 1)) ** share, b * share)
    return np.where(n > 0, value, np.nan)


LATENCY: tuple[float, ...] = tuple(b * 1e-9 for b in bounds("log2:4") if 2**13 <= b <= 2**36)
"""Rows of a latency heat map, lower bounds in s: 8 us to 69 s, four to a power of two, as D questions count them."""


@lru_cache(maxsize=64)
def latency_bounds(name: str) -> tuple[float, ...]:
    """Lower bounds in s of a histogram of nanoseconds."""
    return tuple(b * 1e-9 for b in bounds(name))


def heat_columns(
    keys: npt.NDArray[np.object_], at: npt.NDArray[np.int64], counts: Doubles, grid: Grid
) -> tuple[list[str], Doubles, npt.NDArray[np.bool_]]:
    """(ids, counts [ids, grid.n, buckets], sampled [ids, grid.n]) from rows with a key, a column and counts."""
    codes, ids = pd.factorize(keys)
    inside = (at >= 0) & (at < grid.n)
    out = np.zeros((len(ids), grid.n, counts.shape[1]))
    np.add.at(out, (codes[inside], at[inside]), counts[inside])
    have = np.zeros((len(ids), grid.n), bool)
    have[codes[inside], at[inside]] = True
    return [str(i) for i in cast(Sequence[Any], ids)], out, have
