"""The mailboxes that imapsync copies: one list of accounts with what is done, what is left and what went wrong."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, tables, view
from dashboard.panels.data import Grid, PanelData, number
from dashboard.panels.tools import lines
from frames import units

DAY = 86400.0
SILENT = 60.0
"""A copy under way of which nobody has told for so long is silent, s."""
ORDER = ("failed", "stalled", "silent", "running", "waiting", "ended", "done")
STATES: dict[str, tables.State] = {"failed": "bad", "stalled": "bad", "silent": "warn"}
UNDER_WAY = ("running", "stalled", "waiting")

COLUMNS = (
    tables.Column("state", "state", phone=True),
    tables.Column("share", "synced", "1", "messages done, of all", phone=True),
    tables.column("transfers", "items_done", "messages", "count"),
    tables.column("transfers", "items_total", "of", "count", cap=True),
    tables.Column("done", "copied", "B", "bytes that this run copied"),
    tables.column("transfers", "total", "of", cap=True),
    tables.column("transfers", "rate", "rate", phone=True),
    tables.Column("eta", "left", "span", "time to go as imapsync reckons it"),
    tables.column("transfers", "errors", "errors", "count", phone=True),
    tables.Column("elapsed", "for", "span", "time since it began"),
    tables.Column("host", "runs on"),
    tables.Column("text", "its last line"),
)


def copies(live: Live, at: float | None) -> pd.DataFrame:
    """The newest row of each imapsync run that anybody has told of within a day of `at` (None: now), its `state` silent
    where it was under way and is no longer told of."""
    frame = tables.newest(live, "transfers", at, DAY)
    frame = frame[frame["kind"] == "imapsync"]
    now = pd.Timestamp(live.clock() if at is None else at, unit="s", tz="UTC")
    silent = frame["state"].isin(UNDER_WAY) & (frame["time"] < now - pd.Timedelta(seconds=SILENT))
    return frame.assign(state=frame["state"].mask(silent, "silent"))


@view("imapsync_accounts")
def imapsync_accounts(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """Every account, worst first; a table as `dashboard.panels.tables` describes it, and `said`: all of them in a
    sentence."""
    frame = copies(live, at)
    rows = []
    for r in frame.to_dict("records"):
        cells: dict[str, tables.Cell] = {c.id: r[c.id] if pd.notna(r[c.id]) else None for c in COLUMNS if c.id in r}
        cells["share"] = _share(r["items_done"], r["items_total"])
        if r["state"] not in UNDER_WAY:
            cells |= {"rate": None, "eta": None}
        states = {"state": s} if (s := STATES.get(r["state"])) else {}
        if (r["errors"] or 0) > 0:
            states["errors"] = "warn"
        quiet = r["state"] in ("done", "ended")
        rows.append(tables.Row(f"{r['host']} {r['stream']}", r["stream"], cells, states, quiet=quiet))
    rows.sort(key=lambda r: (ORDER.index(str(r.cells["state"])) if r.cells["state"] in ORDER else 3, r.label))
    shown = [c for c in COLUMNS if c.phone or any(r.cells.get(c.id) not in (None, "") for r in rows)]
    return tables.table(shown, rows, empty="No imapsync log has been heard of.") | {"said": said(frame)}


def _share(done: float, total: float) -> float | None:
    return min(done / total, 1.0) if pd.notna(done) and pd.notna(total) and total > 0 else None


def said(frame: pd.DataFrame) -> str:
    """'12 accounts: 1 failed, 2 running, 9 done; 41000 of 60000 messages; 3 errors; …'."""
    if not len(frame):
        return ""
    n = len(frame)
    words = [f"{(frame['state'] == s).sum()} {s}" for s in ORDER if (frame["state"] == s).any()]
    parts = [f"{n} account{'s' if n > 1 else ''}: {', '.join(words)}"]
    told = frame[frame["items_done"].notna() & frame["items_total"].notna()]
    if len(told):
        done, total = int(told["items_done"].sum()), int(told["items_total"].sum())
        parts.append(f"{units.number(done)} of {units.number(total)} messages")
    if (errors := int(frame["errors"].sum())) > 0:
        parts.append(f"{units.number(errors)} error{'s' if errors > 1 else ''}")
    running = frame[frame["state"] == "running"]
    if (left := number(running["eta"].max())) is not None:
        parts.append(f"those under way end in {units.span(left)} at imapsync's own reckoning")
    return "; ".join(parts)


@panel(
    "imapsync_rate",
    kind="lines",
    title="imapsync, bytes copied",
    subtitle="the busiest accounts and the rest",
    source="imapsync logs, 5 s",
    tables={"transfers": Need(("rate",), by=(), where={"kind": ["imapsync"]})},
)
def imapsync_rate(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return lines(frames["transfers"], "stream", "rate", grid, known, table="transfers")
