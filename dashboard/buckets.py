"""Rows of the live ring in the shape of `frames.store.Store.window`, so that one panel function serves both.

In numpy and not in pandas: every open panel asks each second, and a pandas group-by of some hundred rows costs
ten times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from frames.query import apart, extremes
from frames.schemas import Schema


def bucketed(table: pa.Table, schema: Schema, step: float, columns: Sequence[str] = ()) -> pd.DataFrame:
    """One row per series and bucket: `time` is the bucket's start; a gauge or rate `c` becomes `c` (mean), `c_min`
    and `c_max` (see frames.query.extremes), a counter its sum, a histogram the sum of each bucket, a label the
    last; `n` counts samples.

    `columns`: only these besides time and keys (() for all). `step` in seconds; df.attrs["step"] holds it.
    """
    micro = round(step * 1e6)
    times = np.asarray(table["time"].cast(pa.int64())).astype(np.int64)
    bucket = times // micro * micro
    codes = bucket.copy()
    for k in [*schema.keys, *apart(schema, schema.columns)]:
        codes = _combine(codes, _codes(table[k]))
    order = np.lexsort((times, codes))
    ordered = codes[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else np.empty(0, np.int64)
    last = np.r_[first[1:], len(order)] - 1 if len(order) else first
    # Groups in order of their first row, as they came.
    rank = np.argsort(np.minimum.reduceat(order, first), kind="stable") if len(order) else first
    newest = order[last][rank]
    out: dict[str, Any] = {"time": pd.to_datetime(bucket[newest], unit="us", utc=True).as_unit("us")}
    chosen = [c for c in schema.columns if c.name in schema.keys or not columns or c.name in columns]
    for c in chosen:
        if c.name == "time":
            continue
        if c.role in ("key", "label"):
            picked = table[c.name].take(pa.array(newest))
            if c.dtype == "time":
                out[c.name] = picked.to_pandas()
            elif c.dtype == "list[str]":
                out[c.name] = pd.Series([tuple(v) for v in picked.to_pylist()], dtype=object)
            else:
                out[c.name] = pd.Series(picked.to_pylist(), dtype="str" if c.dtype == "str" else object)
        elif c.role == "histogram":
            out[c.name] = _summed(table[c.name], order, first, rank)
        else:
            values = np.asarray(table[c.name].to_numpy(), float)[order]
            have = np.isfinite(values)
            n = np.add.reduceat(have, first, dtype=float)[rank] if len(order) else np.empty(0)
            total = np.add.reduceat(np.where(have, values, 0.0), first)[rank] if len(order) else np.empty(0)
            if c.role == "counter":
                out[c.name] = np.where(n > 0, total, np.nan)
                continue
            out[c.name] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
            _, least, most = extremes(schema, c.name)
            out[least] = np.fmin.reduceat(values, first)[rank] if len(order) else np.empty(0)
            out[most] = np.fmax.reduceat(values, first)[rank] if len(order) else np.empty(0)
    out["n"] = (last - first + 1)[rank]
    frame = pd.DataFrame(out)
    frame.attrs["step"] = step
    return frame


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """An integer per value, equal for equal values."""
    if pa.types.is_list(column.type):
        return pd.factorize(np.array([*map("\0".join, column.to_pylist())], dtype=object))[0].astype(np.int64)
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)


def _combine(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """An integer per pair of codes."""
    _, a = np.unique(a, return_inverse=True)
    return a.astype(np.int64) * (int(b.max(initial=0)) + 2) + b + 1


def _summed(
    column: pa.ChunkedArray, order: npt.NDArray[np.int64], first: npt.NDArray[np.int64], rank: npt.NDArray[np.int64]
) -> pd.Series:
    """Element-wise sums of each group's lists; None for a group without any."""
    if not len(order):
        return pd.Series([], dtype=object)
    lists = column.combine_chunks()
    sizes = np.asarray(lists.value_lengths().fill_null(0)).astype(np.int64)
    width = int(sizes.max(initial=0))
    matrix = np.zeros((len(sizes), width), np.int64)
    matrix[np.arange(width)[None, :] < sizes[:, None]] = np.asarray(lists.flatten()).astype(np.int64)
    sums = np.add.reduceat(matrix[order], first, axis=0)[rank]
    longest = np.maximum.reduceat(sizes[order], first)[rank]
    some = np.add.reduceat(np.asarray(lists.is_valid())[order], first, dtype=np.int64)[rank] > 0
    rows = [s[:n] if ok else None for s, n, ok in zip(sums, longest, some, strict=True)]
    out = pd.Series([None] * len(rows), dtype=object)
    out[:] = rows
    return out
