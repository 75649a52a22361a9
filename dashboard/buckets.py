"""Rows of the live ring in the shape of `frames.store.Store.window`, so that one panel function serves both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from frames.query import extremes
from frames.schemas import Schema, to_pandas


def bucketed(table: pa.Table, schema: Schema, step: float, columns: Sequence[str] = ()) -> pd.DataFrame:
    """One row per series and bucket: `time` is the bucket's start; a gauge or rate `c` becomes `c` (mean), `c_min`
    and `c_max` (see frames.query.extremes), a counter its sum, a histogram the sum of each bucket, a label the
    last; `n` counts samples.

    `columns`: only these besides time and keys (() for all). `step` in seconds; df.attrs["step"] holds it.
    """
    names = [c.name for c in schema.columns if c.name in ("time", *schema.keys) or not columns or c.name in columns]
    frame = to_pandas(table.select(names))
    micro = round(step * 1e6)
    times = frame["time"].to_numpy("datetime64[us]").astype("int64")
    bucket = times // micro * micro
    frame["time"] = pd.to_datetime(bucket, unit="us", utc=True).as_unit("us")
    keys = [k for k in schema.keys if k in frame]
    for k in keys:
        if schema.by_name[k].dtype == "list[str]":
            frame[k] = pd.Series([tuple(v) for v in table[k].to_pylist()], dtype=object, index=frame.index)
    levels = [c for c in schema.of_role("gauge", "rate") if c in frame]
    order = np.argsort(times, kind="stable")
    frame = frame.iloc[order]
    if frame.duplicated(["time", *keys]).any():
        how: dict[str, Any] = {}
        for c in frame.columns:
            if c in ("time", *keys):
                continue
            role = schema.by_name[c].role
            how[c] = {"gauge": "mean", "rate": "mean", "counter": "sum", "label": "last"}.get(role, _add_counts)
        group = frame.groupby(["time", *keys], sort=False, dropna=False)
        out = group.agg(how) if how else group.size().to_frame("n")[[]]
        least = group[levels].min().rename(columns={c: extremes(schema, c)[1] for c in levels})
        most = group[levels].max().rename(columns={c: extremes(schema, c)[2] for c in levels})
        frame = pd.concat([out, least, most, group.size().rename("n")], axis=1).reset_index()
    else:
        extra = {name: frame[c] for c in levels for name in extremes(schema, c)[1:]}
        frame = frame.assign(**extra, n=1).reset_index(drop=True)
    frame.attrs["step"] = step
    return frame


def _add_counts(column: pd.Series) -> list[int] | None:
    arrays = [np.asarray(v, np.int64) for v in column if v is not None]
    if not arrays:
        return None
    out = np.zeros(max(map(len, arrays)), np.int64)
    for a in arrays:
        out[: len(a)] += a
    return out.tolist()
