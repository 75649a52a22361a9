"""Mail services of a host: connections, processes and accepts of each service and zone."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, tables, view
from dashboard.panels.data import Grid, PanelData
from dashboard.panels.tools import lines

GLOBAL = "global"
SILENT = 60.0
"""A service of which nobody has told for so long is not shown, s."""


def named(frame: pd.DataFrame) -> pd.Series:
    """'imapd mail3' of each row: the service and its zone, as far as there is one."""
    zones = frame["zone"].fillna("").where(frame["zone"] != GLOBAL, "")
    return (frame["service"].fillna("") + " " + zones).str.strip()


CURVES = {
    "connections": ("Mail, open connections", "connections"),
    "processes": ("Mail, processes", "processes"),
    "accepts": ("Mail, connections accepted", ""),
}
"""Column of `mail_activity` -> the title of its panel and what is counted, where it is no rate."""


def _curve(column: str, title: str, unit: str) -> None:
    """Registers the panel ``mail_<column>``."""

    @panel(
        f"mail_{column}",
        kind="lines",
        title=title,
        subtitle="of each service and zone",
        source="mail_activity, 5 s",
        tables={"mail_activity": Need((column,))},
    )
    def curve(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
        frame = frames["mail_activity"]
        frame = frame[frame[column].notna()] if len(frame) else frame
        return lines(frame.assign(name=named(frame)), "name", column, grid, known, table="mail_activity", unit=unit)


for _column, _said in CURVES.items():
    _curve(_column, *_said)


COLUMNS = (
    tables.column("mail_activity", "zone", "zone", phone=True),
    tables.column("mail_activity", "connections", "connections", "count", phone=True),
    tables.column("mail_activity", "processes", "processes", "count", phone=True),
    tables.column("mail_activity", "accepts", "accepted"),
    tables.column("mail_activity", "requests", "requests"),
    tables.column("mail_activity", "errors", "errors"),
)


@view("mail_table")
def mail_table(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """The mail services of a host; a table as `dashboard.panels.tables` describes it."""
    frame = tables.newest(live, "mail_activity", at, SILENT, str(query.get("host", "")))
    columns = [c for c in COLUMNS if c.id == "zone" or frame[c.id].notna().any()]
    rows = [
        tables.Row(
            f"{r['service']} {r['zone']}",
            r["service"],
            {c.id: r[c.id] for c in columns},
            {"errors": "warn"} if (r["errors"] or 0) > 0 else {},
        )
        for r in frame.sort_values(["service", "zone"]).to_dict("records")
    ]
    return tables.table(columns, rows, empty="No mail service has been seen on this host.")
