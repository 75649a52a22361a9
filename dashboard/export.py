"""A panel's or a table's numbers as CSV and JSON, with units in the header: what is drawn, or the raw samples.

    /api/panel.csv?panel=pool_io&query={"host":"ms2"}&from=now-1h&to=now&points=520
    /api/panel.json     the same
    /api/raw.csv?panel=…          the rows behind it, as sampled, of its first table (table=… for another)

`tz` is UTC or an IANA name and sets the time column, as on the axes. Text cells that a spreadsheet would run as a
formula get an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dashboard import fill, panels, ranges
from dashboard.live import Live
from dashboard.panels.data import PanelData, fill_header
from dashboard.push import WatchError, own_span
from frames.schemas import SCHEMAS

MAX_ROWS = 500_000


def add_routes(server: FastAPI, live: Live) -> None:
    """Adds the routes above to `server`."""

    async def answer(request: Request) -> Response:
        kind = request.url.path.rsplit("/", 1)[1]
        try:
            return await run_in_threadpool(_answer, live, kind, dict(request.query_params))
        except (WatchError, ranges.RangeError) as e:
            return PlainTextResponse(str(e), 400)

    for path in ("/api/panel.csv", "/api/panel.json", "/api/raw.csv"):
        server.add_api_route(path, answer, methods=["GET"], include_in_schema=False, response_model=None)


def _answer(live: Live, kind: str, asked: dict[str, str]) -> Response:
    panel = panels.PANELS.get(asked.get("panel", ""))
    if panel is None:
        raise WatchError(f"no panel is called {asked.get('panel', '')!r}")
    try:
        query = json.loads(asked.get("query") or "{}")
        points = int(asked.get("points") or 1000)
    except ValueError as e:
        raise WatchError(f"malformed query or points: {e}") from e
    if not isinstance(query, dict):
        raise WatchError("query is no JSON object")
    tz = asked.get("tz") or "UTC"
    span = ranges.resolve(
        asked.get("from") or ranges.DEFAULT[0], asked.get("to") or ranges.DEFAULT[1], live.clock(), tz=tz
    )
    span = own_span(panel, span)
    name = "-".join([panel.name, *(str(v) for v in query.values() if isinstance(v, str))])
    if kind == "raw.csv":
        return _file(raw_csv(live, panel, query, span, asked.get("table", ""), tz), name)
    step = fill.step_for(live, panel, query, span.start, span.end, points)
    data = fill.fill(live, panel, query, span.start, span.end, step)
    if kind == "panel.csv":
        return _file(panel_csv(data, tz, fill.shift_of(query)), name)
    return Response(json.dumps(panel_json(panel, query, data), allow_nan=False), media_type="application/json")


def _file(text: str, name: str) -> Response:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{safe}.csv"', "Cache-Control": "no-store"},
    )


def cell(value: Any) -> str:
    """`value` as a CSV cell: missing is empty, numbers at full precision, text never a formula."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, int | float | np.floating | np.integer):
        return f"{value:.10g}"
    text = str(value)
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def stamp(epoch: float, tz: str) -> str:
    """ISO 8601 with the offset of the zone."""
    return datetime.fromtimestamp(epoch, ranges.zone(tz)).isoformat(timespec="milliseconds" if epoch % 1 else "seconds")


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def panel_csv(data: PanelData, tz: str = "UTC", shift: float = 0.0) -> str:
    """A row per column of the grid: time, each series with its least and greatest where known, then the heat map's
    buckets as "events from 0.0001 s". Times are `shift` seconds before the grid's: what is laid beside a later window
    keeps its own."""
    head = [f"time ({tz})"]
    columns = []
    for i, s in enumerate(data.series):
        if s.group == "hidden" and not np.isfinite(data.values[i]).any():
            continue  # what a page keeps for itself
        unit = f" ({s.unit})" if s.unit else ""
        kinds = [("", data.values), (" min", data.low), (" max", data.high)]
        for word, array in kinds:
            if array is not None:
                name = s.label if s.label == s.id or data.series[0].group == "" else s.id
                head.append(cell(f"{name or s.id}{word}{unit}"))
                columns.append(array[i])
    if data.heat is not None:
        for k, bound in enumerate(data.heat.bounds):
            unit = "" if data.heat.unit == "1" else f" {data.heat.unit}"
            word, at = ("from", bound) if np.isfinite(bound) else ("below", data.heat.bounds[k + 1])
            head.append(f"events {word} {at:.4g}{unit}")
            columns.append(data.heat.counts[:, k])
    g = data.grid
    rows = ([stamp(g.start + i * g.step - shift, tz), *(cell(float(c[i])) for c in columns)] for i in range(g.n))
    return _csv([head, *rows])


def panel_json(panel: panels.Panel, query: panels.Query, data: PanelData) -> dict[str, Any]:
    """The fill as JSON, arrays as lists with null for missing; its times are `shift` seconds before the grid's."""

    def listed(array: np.ndarray) -> list[Any]:
        return [[None if not np.isfinite(v) else float(v) for v in row] for row in array]

    return {
        "panel": panel.name,
        "title": panel.title,
        "query": dict(query),
        "shift": fill.shift_of(query),
        **fill_header(data),
        **{name: listed(array) for name, array in data.arrays()},
    }


def _flat(value: Any, is_list: bool) -> Any:
    if is_list:
        return None if value is None else " ".join(map(str, value))
    return None if value is None or value != value else value


def raw_csv(
    live: Live, panel: panels.Panel, query: panels.Query, span: ranges.Range, table: str = "", tz: str = "UTC"
) -> str:
    """Samples as they were taken, with the schema's units. Raises WatchError for a table that is not the panel's and
    for a range of more than MAX_ROWS rows."""
    table = table or next(iter(panel.tables), "")
    if table not in panel.tables:
        raise WatchError(f"{panel.name} reads {', '.join(panel.tables) or 'no table'}, not {table!r}")
    shift = fill.shift_of(query)
    frame = live.store.window(
        table, span.start - shift, span.end - shift, where=panel.tables[table].restrict(query) or None
    )
    if len(frame) > MAX_ROWS:
        raise WatchError(f"{len(frame)} rows; at most {MAX_ROWS}: choose a shorter range")
    schema = SCHEMAS[table]
    names = [c for c in schema.names if c in frame]
    head = [f"time ({tz})"]
    head += [f"{c} ({u})" if (u := schema.by_name[c].unit) else c for c in names if c != "time"]
    times = [stamp(t.timestamp(), tz) for t in frame["time"]]
    lists = {c for c in names if schema.by_name[c].dtype.startswith("list")}
    columns = [[cell(_flat(v, c in lists)) for v in frame[c]] for c in names if c != "time"]
    return _csv([head, *zip(times, *columns, strict=True)])
