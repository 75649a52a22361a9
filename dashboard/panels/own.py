"""Panels of what a user's own package collects: a line panel for each number that its tables declare.

Nothing here is written for a table: titles, units and meanings come from its schema. Packages name their sources as
entry points (docs/adding-a-source.md); where a dashboard runs without them, their tables are not known and not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import pandas as pd
import structlog

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Grid, PanelData
from dashboard.panels.tools import lines
from frames.schemas import BUILT_IN, SCHEMAS, Schema

log = structlog.get_logger("own")

_SERIES = "_series"


def _panel(schema: Schema, column: str, source: str) -> str:
    """Registers the panel of one column; its name."""
    keys = [k for k in schema.keys if k != "host"]
    name = f"own-{schema.name}-{column}"

    def build(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
        frame = frames[schema.name]
        series = (
            frame[keys].astype(str).agg(" ".join, axis=1) if keys and len(frame) else pd.Series(column, frame.index)
        )
        # Whether a sum of the rest would mean anything is not known, nor whether a bare number is a share.
        unit = "count" if told.unit == "1" and told.role != "counter" else ""
        frame = frame.assign(**{_SERIES: series})
        return lines(frame, _SERIES, column, grid, known, table=schema.name, rest=False, unit=unit)

    told = schema.by_name[column]
    panel(
        name,
        kind="lines",
        title=f"{schema.name}: {told.meaning}",
        subtitle=f"by {', '.join(keys)}" if keys else "",
        source=f"{source}, {schema.every:g} s",
        tables={schema.name: Need((column,))},
        least_step=schema.every,
    )(build)
    return name


def register(points: Iterable[EntryPoint]) -> dict[str, list[str]]:
    """Panels of each source that `points` name; one that cannot be loaded is told of and left out."""
    found: dict[str, list[str]] = {}
    for point in points:
        try:
            source = point.load()
            schemas = [SCHEMAS[table] for table in source.tables if table not in BUILT_IN]
            found[source.name] = [
                _panel(schema, column, source.name)
                for schema in schemas
                if schema.kind == "series"
                for column in schema.of_role("gauge", "rate", "counter")
            ]
        except Exception as e:  # somebody's package must not stop the pages
            log.error("a source cannot be loaded, left out", entry_point=point.value, why=f"{type(e).__name__}: {e}")
    return found


OWN = register(entry_points(group="zonescope.sources"))


def own_of(live: Live, host: str) -> list[str]:
    """The panels of what this host gives of them, or once did."""
    facts = live.hosts[host].facts
    return [name for source, names in OWN.items() if f"tool:{source}" in facts for name in names]
