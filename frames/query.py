"""SQL of the history, derived from schemas: rollup columns, filters, and the aggregation of a window. Text only.

Sizes of a bucket are whole seconds; a bucket starts at a multiple of its size since the epoch and holds samples
with start <= time < start + size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from frames.schemas import Column, Schema, SchemaError

Level = Literal["raw", "1m", "1h"]
SECONDS: dict[Level, int] = {"raw": 1, "1m": 60, "1h": 3600}

SQL_TYPE = {
    "time": "TIMESTAMPTZ",
    "str": "VARCHAR",
    "float": "DOUBLE",
    "list[str]": "VARCHAR[]",
    "list[int]": "BIGINT[]",
}


class Prefix(str):
    """A filter value that matches every text beginning with it: ``where={"vdev": [Prefix("raidz2-0/")]}``."""

    __slots__ = ()


def levels(schema: Schema) -> tuple[Level, ...]:
    """The levels at which a schema is kept: a log is not rolled up."""
    return ("raw",) if schema.kind == "log" else ("raw", "1m", "1h")


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def table_name(schema: Schema, level: Level) -> str:
    return schema.name if level == "raw" else f"{schema.name}_{level}"


def stored(schema: Schema, level: Level) -> list[tuple[str, str]]:
    """(column, SQL type) of the table that holds `schema` at `level`.

    In a rollup a gauge or rate `c` is its mean with `c_n` (samples that had a value), `c_min`, `c_max`; a counter
    and a histogram are sums; a label is the last one; `n` is the number of samples; `seq` is the mark of the
    commit that wrote the row (0: its part of the next coarser rollup is already there). Rows are *partial*: one
    bucket of one series may have several, which every query combines."""
    out = []
    for c in schema.columns:
        out.append((c.name, SQL_TYPE[c.dtype]))
        if level != "raw" and c.role in ("gauge", "rate"):
            n, low, high = extremes(schema, c.name)
            out += [(n, "INTEGER"), (low, "DOUBLE"), (high, "DOUBLE")]
    if level != "raw":
        out += [("n", "BIGINT"), ("seq", "BIGINT")]
    return out


def extremes(schema: Schema, column: str) -> tuple[str, str, str]:
    """Names of the columns with the count, the least and the greatest of `column` in a rollup and a window:
    ``x_n``, ``x_min``, ``x_max``; where the schema has a column of such a name itself (the ARC's target `c` beside
    its bounds `c_min` and `c_max`), ``x_samples``, ``x_lowest``, ``x_highest``."""
    names = (f"{column}_n", f"{column}_min", f"{column}_max")
    if any(n in schema.by_name for n in names):
        return f"{column}_samples", f"{column}_lowest", f"{column}_highest"
    return names


def sort_keys(schema: Schema) -> list[str]:
    """Order of rows in the files: host, object, time; a log by time."""
    return ["time", "host"] if schema.kind == "log" else [*schema.keys, "time"]


def chosen(schema: Schema, columns: Sequence[str] | None) -> list[Column]:
    """Columns to answer with, keys left out. Raises SchemaError for an unknown one."""
    if columns is not None:
        for c in columns:
            if c not in schema.by_name:
                raise SchemaError(f"{schema.name}: unknown column {c!r}")
    keys = {"time", *schema.keys}
    return [c for c in schema.columns if c.name not in keys and (columns is None or c.name in columns)]


def filters(schema: Schema, where: Mapping[str, Sequence[Any]] | None) -> tuple[str, list[Any]]:
    """(SQL beginning with ' AND', parameters) of `where`: column -> allowed values.

    A value None matches a missing one, a `Prefix` what begins with it. In a list column a list value must be equal
    and a text must be one of the elements. An empty list of values matches nothing. Raises SchemaError for a
    column that is unknown or neither key nor label."""
    sql = ""
    parameters: list[Any] = []
    for name, values in (where or {}).items():
        column = schema.by_name.get(name)
        if column is None or column.role not in ("key", "label") or column.dtype == "time":
            raise SchemaError(f"{schema.name}: cannot filter by {name!r}")
        if isinstance(values, str):
            raise SchemaError(f"{schema.name}.{name}: a filter is a list of values, not {values!r}")
        terms, plain, q = [], [], quote(name)
        for v in values:
            if v is None:
                terms.append(f"{q} IS NULL")
            elif isinstance(v, Prefix):
                terms.append(f"starts_with({q}, ?)")
                parameters.append(str(v))
            elif column.dtype == "list[str]":
                terms.append(f"list_contains({q}, ?)" if isinstance(v, str) else f"{q} = ?::VARCHAR[]")
                parameters.append(v if isinstance(v, str) else list(v))
            else:
                plain.append(str(v))
        if plain:  # an IN list of constants is pushed into the files' statistics
            terms.append(f"{q} IN ({', '.join('?' * len(plain))})")
            parameters += plain
        sql += f" AND ({' OR '.join(terms) or 'false'})"
    return sql, parameters


@dataclass(frozen=True, slots=True)
class Part:
    """One place that holds rows of a window: a table (or the spool), its level and a condition of its own."""

    source: str
    level: Level
    condition: str = "true"
    absent: frozenset[str] = frozenset()
    """Columns that this place does not have yet; they read as missing."""


def apart(schema: Schema, values: Sequence[Column]) -> list[str]:
    """Columns besides the keys that keep rows apart: histograms over other bounds cannot be summed."""
    sums = any(c.role == "histogram" for c in values)
    return ["bounds"] if sums and "bounds" in schema.by_name else []


def _inner(schema: Schema, values: Sequence[Column], part: Part, rollup: bool) -> str:
    """SELECT of `part`, in the shape of a rollup if `rollup`."""

    def of(name: str, type_: str = "DOUBLE") -> str:
        return f"NULL::{type_} AS {quote(name)}" if name in part.absent else quote(name)

    out = ["time", *(quote(k) for k in schema.keys)]
    out += [of(a, "VARCHAR") for a in apart(schema, values) if all(c.name != a for c in values)]
    for c in values:
        out.append(of(c.name, SQL_TYPE[c.dtype]))
        if rollup and c.role in ("gauge", "rate"):
            n, low, high = extremes(schema, c.name)
            if part.level != "raw":
                out += [of(n, "INTEGER"), of(low), of(high)]
            elif c.name in part.absent:
                out += [f"0 AS {quote(n)}", f"NULL::DOUBLE AS {quote(low)}", f"NULL::DOUBLE AS {quote(high)}"]
            else:
                q = quote(c.name)
                out += [f"({q} IS NOT NULL)::INTEGER AS {quote(n)}", f"{q} AS {quote(low)}", f"{q} AS {quote(high)}"]
    if rollup:
        out.append("n" if part.level != "raw" else "1 AS n")
    return f"SELECT {', '.join(out)} FROM {part.source} WHERE {part.condition}"


def _aggregate(schema: Schema, c: Column, rollup: bool, keep_n: bool) -> list[str]:
    q = quote(c.name)
    if c.role in ("gauge", "rate"):
        n, low, high = map(quote, extremes(schema, c.name))
        if rollup:
            mean, count, lowest, highest = f"sum({q} * {n}) / nullif(sum({n}), 0)", f"sum({n})", low, high
        else:
            mean, count, lowest, highest = f"avg({q})", f"count({q})", q, q
        out = [f"{mean} AS {q}"]
        if keep_n:
            out.append(f"{count}::INTEGER AS {n}")
        return [*out, f"min({lowest}) AS {low}", f"max({highest}) AS {high}"]
    if c.role == "counter":
        return [f"sum({q}) AS {q}"]
    if c.role == "histogram":  # summed by `sum_histograms`: three times faster than in SQL
        return [f"list({q}) FILTER ({q} IS NOT NULL) AS {q}"]
    return [f"arg_max({q}, _at) AS {q}"]


def aggregate(
    schema: Schema, values: Sequence[Column], parts: Sequence[Part], step: int, where: str = "", *, keep_n: bool = False
) -> str:
    """Rows per (keys, bucket of `step` seconds) over `parts`; `where` (with its parameters) applies to each part.
    Histogram columns come as lists of lists, for `sum_histograms`. keep_n: with `c_n`, as a rollup stores it."""
    rollup = any(p.level != "raw" for p in parts)
    keys = [quote(k) for k in schema.keys]
    inner = " UNION ALL ".join(_inner(schema, values, p, rollup) + where for p in parts)
    out = [f"make_timestamptz((epoch_us(any_value(_at)) // {step * 1_000_000}) * {step * 1_000_000}) AS time", *keys]
    for c in values:
        out += _aggregate(schema, c, rollup, keep_n)
    out.append("sum(n)::BIGINT AS n" if rollup else "count(*) AS n")
    group = ", ".join([*keys, *map(quote, apart(schema, values)), f"epoch_us(_at) // {step * 1_000_000}"])
    return (
        f"SELECT {', '.join(out)} FROM (SELECT time AS _at, * EXCLUDE (time) FROM ({inner})) "
        f"GROUP BY {group} ORDER BY {', '.join([*keys, 'time'])}"
    )


def rows(schema: Schema, values: Sequence[Column], parts: Sequence[Part], where: str = "") -> str:
    """The rows of `parts` as they are, ordered by keys and time."""
    inner = " UNION ALL ".join(_inner(schema, values, p, False) + where for p in parts)
    return f"SELECT * FROM ({inner}) ORDER BY {', '.join([*(quote(k) for k in schema.keys), 'time'])}"


def newest(schema: Schema, values: Sequence[Column], parts: Sequence[Part], where: str = "") -> str:
    """The newest row of each series in `parts`."""
    keys = ", ".join(quote(k) for k in schema.keys)
    inner = " UNION ALL ".join(_inner(schema, values, p, False) + where for p in parts)
    newest_first = f"row_number() OVER (PARTITION BY {keys} ORDER BY time DESC)"
    return f"SELECT * FROM ({inner}) QUALIFY {newest_first} = 1 ORDER BY {keys}"


def choose_step(schema: Schema, span: float, points: int) -> tuple[int, Level]:
    """(bucket size in seconds, coarsest level that has a row per bucket) for `span` seconds on `points` pixels.

    The size is a multiple of the level's own, so that sums over buckets are even; beyond half a minute (half an
    hour) the next rollup is near enough, and it keeps extremes."""
    step = max(1, math.ceil(span / max(1, points)))
    every = max(1, math.ceil(schema.every))
    if step > 1800:
        return math.ceil(step / 3600) * 3600, "1h"
    if step > 30:
        return math.ceil(step / 60) * 60, "1m"
    return math.ceil(step / every) * every, "raw"


def sum_histograms(column: pa.ChunkedArray) -> pa.Array:
    """Element-wise sum of each row's lists: list<list<int64>> -> list<int64>; a row without lists stays null.
    A group's sum is as long as its longest list."""
    outer = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    valid = np.asarray(outer.is_valid())
    group = np.asarray(outer.value_lengths().fill_null(0)).astype(np.int64)
    inner = outer.flatten()
    if not len(inner):
        return pa.nulls(len(outer), pa.list_(pa.int64()))
    sizes = np.asarray(inner.value_lengths()).astype(np.int64)
    values = np.asarray(inner.flatten()).astype(np.int64)
    width = int(sizes.max())
    if width == 0:
        lengths = np.zeros(len(outer), dtype=np.int64)
        sums = np.zeros((len(outer), 0), dtype=np.int64)
    else:
        if (sizes == width).all():
            matrix = values.reshape(-1, width)
        else:
            matrix = np.zeros((len(sizes), width), dtype=np.int64)
            matrix[np.arange(width) < sizes[:, None]] = values
        filled = group > 0
        starts = (np.cumsum(group) - group)[filled]
        sums = np.zeros((len(outer), width), dtype=np.int64)
        lengths = np.zeros(len(outer), dtype=np.int64)
        sums[filled] = np.add.reduceat(matrix, starts, axis=0)
        lengths[filled] = np.maximum.reduceat(sizes, starts)
    flat = sums[np.arange(width) < lengths[:, None]]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(flat, type=pa.int64()), mask=pa.array(~valid) if not valid.all() else None
    )


def finish(schema: Schema, table: pa.Table) -> pa.Table:
    """`aggregate`'s answer with its histograms summed."""
    for c in schema.columns:
        if c.role == "histogram" and c.name in table.column_names:
            at = table.column_names.index(c.name)
            table = table.set_column(at, c.name, sum_histograms(table[c.name]))
    return table
