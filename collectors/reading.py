"""From a stream's lines to rows: what the engine does with live streams and `replay` with recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import structlog

from collectors.base import Batch, ParseError
from collectors.stamp import Ticks
from frames.schemas import SCHEMAS, SchemaError

log = structlog.get_logger("collector")

HELD_UP = 30.0
"""A host's own stamp further than this from the arrival (offset taken off) is not believed."""


def parse(calls: Iterable[Callable[[], list[Batch]]], complain: Callable[[str], None]) -> list[Batch]:
    """The batches of calls to a parser; what a call raises is told to `complain`, and costs that call only."""
    batches: list[Batch] = []
    for call in calls:
        try:
            batches += call() or ()
        except ParseError as e:
            complain(str(e))
        except Exception as e:  # a parser's bug stays with its host and source
            complain(f"{type(e).__name__}: {e}")
    return batches


def ticks(interval: float) -> Ticks:
    """Streams up to 2 s keep their own grid; slower ones that of seconds, so that no stamp is off by more."""
    return Ticks(interval if interval <= 2.0 else 1.0)


class Rows:
    """Rows on their way to a frame per table."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, list[Any]]] = {}

    def add(self, table: str, **columns: list[Any]) -> None:
        """Queue rows; `time` in microseconds since the epoch. Absent columns are NA."""
        n = len(next(iter(columns.values())))
        out = self._rows.get(table)
        if out is None:
            out = self._rows[table] = {name: [] for name in SCHEMAS[table].names}
        for name, values in out.items():
            given = columns.get(name)
            values.extend(given if given is not None else [None] * n)

    def take(self) -> dict[str, pa.Table]:
        """All rows since the last call, as frames; one that does not fit its schema is logged and dropped."""
        rows, self._rows = self._rows, {}
        frames = {}
        for table, columns in rows.items():
            try:
                frames[table] = SCHEMAS[table].table(columns)
            except SchemaError as e:
                log.error("frame does not fit its schema; dropped", table=table, why=str(e))
        return frames


@dataclass(slots=True)
class Placed:
    """What became of an arrival: rows of series written and refused, the newest stamp (0: none)."""

    rows: int = 0
    refused: int = 0
    newest: float = 0.0


def place(
    rows: Rows, host: str, batches: list[Batch], at: float, *, interval: float, offset: float, ticks: Ticks
) -> Placed:
    """Stamp what one arrival (at epoch seconds `at`) completed, and add its rows. `offset`: the host's clock's."""
    out = Placed()
    left: dict[str, int] = {}
    for b in batches:
        left[b.table] = left.get(b.table, 0) + 1
    stamps: dict[int, float | None] = {}
    for b in batches:
        n = len(next(iter(b.columns.values()), []))
        if not n:
            continue
        if SCHEMAS[b.table].kind == "log":
            times = b.columns.get("time") or [b.time or at] * n
            rows.add(b.table, **{**b.columns, "time": [int(t * 1e6) for t in times], "host": [host] * n})
            continue
        # Several intervals in one arrival were held up on the way: the last is of now, the others before it.
        left[b.table] -= 1
        i = left[b.table]
        t = at - i * interval
        if b.time is not None and abs(b.time - offset - at) <= HELD_UP:
            t = b.time - offset
        if i not in stamps:
            stamps[i] = ticks.at(t)
        tick = stamps[i]
        if tick is None:
            out.refused += n
            continue
        out.newest = tick
        out.rows += n
        rows.add(b.table, **{**b.columns, "time": [int(tick * 1e6)] * n, "host": [host] * n})
    return out
