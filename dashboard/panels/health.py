"""zonescope itself: links and sources of every host, how late their rows are, what was lost, what is on the disk."""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, tables, view
from dashboard.panels.data import Grid, PanelData
from dashboard.panels.host import system
from dashboard.panels.tools import lines
from frames import units
from frames.schemas import SCHEMAS, to_pandas

RECENT = 60.0
"""Lines, rows and errors are counted over so many seconds."""
LATE = 2.0
"""Rows that reach the spool so many seconds after their line arrived are late."""
MANY = 1000
"""Files of a table from which its queries are slow."""
DISK_LOW = 0.05
"""Free share of the history's disk below which it is said."""
WELL = ("ok", "off")


def _health(live: Live, at: float | None, host: str) -> pd.DataFrame:
    """Rows of `source_health` of the last RECENT seconds."""
    where = {"host": [host]} if host else None
    if at is None:
        now = live.clock()
        return live.shared(
            f"health {host}", lambda: to_pandas(live.rows("source_health", now - RECENT, now + 5, where))
        )
    return live.store.window("source_health", at - RECENT, at, where=where)


def sources(frame: pd.DataFrame) -> pd.DataFrame:
    """The newest row of each source of `frame` (rows of `source_health`), its counters summed, `lag` at its worst;
    `why`, `fix` and `command` are the last that were told."""
    keys = ["host", "source"]
    frame = frame.sort_values("time")
    frame = frame.assign(**{c: frame[c].replace("", None) for c in ("why", "fix", "command")})
    how = dict.fromkeys(("lines", "rows", "dropped", "errors"), "sum")
    last = dict.fromkeys(("state", "newest", "why", "fix", "command"), "last")
    return frame.groupby(keys, sort=True).agg({**last, **how, "lag": "max"}).reset_index()


COLUMNS = (
    tables.Column("state", "state", phone=True),
    tables.Column("age", "newest", "age", "age of the newest sample", phone=True),
    tables.Column("lag", "lag", "s", "the longest way from a line's arrival to the spool in the last minute"),
    tables.Column("lines", "lines", "1/s", "lines read in the last minute, a second"),
    tables.Column("rows", "rows", "1/s", "rows made of them, a second"),
    tables.Column("dropped", "dropped", "count", "lines dropped by a bound in the last minute"),
    tables.Column("errors", "errors", "count", "lines that could not be read in the last minute"),
    tables.Column("why", "why", phone=True),
    tables.Column("fix", "fix"),
    tables.Column("command", "command"),
)
_SOURCE_STATES: dict[str, tables.State] = {"failed": "bad", "stale": "warn"}


@view("health_sources")
def health_sources(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """Every source of the query's host; without one, those of all hosts that are not well."""
    host = str(query.get("host", ""))
    found = sources(_health(live, at, host))
    now = live.clock() if at is None else at
    rows = []
    for r in found.to_dict("records"):
        states = {k: s for k, s in (("state", _SOURCE_STATES.get(r["state"], "")),) if s}
        states |= {c: "warn" for c in ("dropped", "errors") if r[c] > 0}
        if r["lag"] > LATE:
            states["lag"] = "warn"
        if not host and not states:
            continue
        age = now - r["newest"].timestamp() if pd.notna(r["newest"]) else None
        cells: dict[str, tables.Cell] = {c: r[c] for c in ("lag", "dropped", "errors")}
        cells |= {c: (r[c] if isinstance(r[c], str) else "") for c in ("state", "why", "fix", "command")}
        cells |= {
            "age": age if age is None else max(0.0, age),
            "lines": r["lines"] / RECENT,
            "rows": r["rows"] / RECENT,
        }
        label = r["source"] if host else f"{r['host']} {r['source']}"
        href = "" if host else f"/health/{quote(r['host'], safe='')}"
        quiet = r["state"] not in (*WELL, *_SOURCE_STATES)
        rows.append(tables.Row(f"{r['host']} {r['source']}", label, cells, states, href=href, quiet=quiet))
    rows.sort(key=lambda r: ("", "warn", "bad").index(r.state), reverse=True)
    shown = [c for c in COLUMNS if c.id not in ("why", "fix", "command") or any(r.cells[c.id] for r in rows)]
    if len(found):
        hosts = found["host"].nunique()
        empty = f"All {len(found)} sources of {hosts} host{'s' if hosts > 1 else ''} are well."
    else:
        empty = "No collector has told of its sources here."
    return tables.table(shown, rows, empty=empty)


HOSTS = (
    tables.Column("state", "link", phone=True),
    tables.Column("since", "since", "time", "when the link came into this state"),
    tables.Column("age", "newest", "age", "age of the host's newest sample", phone=True),
    tables.Column("well", "sources", meaning="sources that are well, of those asked for", phone=True),
    tables.Column("lag", "lag", "s", "the longest way from a line's arrival to the spool in the last minute"),
    tables.Column("lines", "lines", "1/s", "lines read in the last minute, a second"),
    tables.Column("dropped", "dropped", "count", "lines dropped by a bound in the last minute"),
    tables.Column("errors", "errors", "count", "lines that could not be read in the last minute"),
    tables.Column("clock_offset", "clock", "s", "the host's clock minus the collector's"),
    tables.Column("attempt", "attempts", "count", "connection attempts since the last success"),
    tables.Column("next_try", "next try", "s"),
    tables.Column("reason", "why", phone=True),
)
_LINK_STATES: dict[str, tables.State] = {"down": "bad", "refused": "bad", "connecting": "warn"}
CLOCK = 2.0
"""A clock so many seconds off is said."""


@view("health_hosts")
def health_hosts(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """Every host's link and the sum of its sources."""
    links = tables.newest(live, "links", at, 7 * 86400.0 if at is None else RECENT)
    per_host = {str(h): rows for h, rows in sources(_health(live, at, "")).groupby("host")}
    now = live.clock() if at is None else at
    rows = []
    for r in links.to_dict("records"):
        name, mine = r["host"], per_host.get(r["host"])
        host = live.host(name)
        newest = mine["newest"].max().timestamp() if mine is not None and mine["newest"].notna().any() else None
        if at is None and host is not None and host.newest is not None:
            newest = host.newest
        silent = now - r["time"].timestamp() > 10
        cells: dict[str, tables.Cell] = {
            "state": "no collector" if silent else r["state"],
            "since": r["since"].timestamp() if pd.notna(r["since"]) else None,
            "age": None if newest is None else max(0.0, now - newest),
            "reason": r["reason"] or "",
            **{c: r[c] if pd.notna(r[c]) else None for c in ("clock_offset", "attempt", "next_try")},
        }
        states: dict[str, tables.State] = {"state": "warn"} if silent else {}
        if (bad := _LINK_STATES.get(r["state"])) and not silent:
            states["state"] = bad
        if mine is not None:
            asked = mine[mine["state"] != "off"]
            well = int((asked["state"] == "ok").sum())
            cells |= {
                "well": f"{well} of {len(asked)}",
                "lag": mine["lag"].max(),
                "lines": mine["lines"].sum() / RECENT,
            }
            cells |= {c: mine[c].sum() for c in ("dropped", "errors")}
            states |= {c: "warn" for c in ("dropped", "errors") if mine[c].sum() > 0}
            if mine["lag"].max() > LATE:
                states["lag"] = "warn"
        if abs(r["clock_offset"]) > CLOCK:
            states["clock_offset"] = "warn"
        if cells["age"] is not None and float(cells["age"]) > 5 and r["state"] == "up":
            states["age"] = "warn"
        href = f"/health/{quote(name, safe='')}"
        rows.append(tables.Row(name, name, cells, states, href=href, note=system(host) if host else ""))
    rows.sort(key=lambda r: ("bad", "warn", "").index(r.state))
    always = ("state", "since", "age", "well", "lag", "lines", "clock_offset")
    shown = [c for c in HOSTS if c.id in always or any(r.cells.get(c.id) for r in rows)]
    return tables.table(
        shown, rows, empty="No collector has told of a host yet.", hint="Start one: zonescope collect hosts.toml"
    )


# -- the history on its disk --------------------------------------------------------------------------------------

LEVELS = {"": "seconds", "_1m": "minutes", "_1h": "hours"}
_SIZES = 30.0
_sizes: dict[Path, tuple[float, dict[str, tuple[int, int]]]] = {}


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """(bytes, files) of the Parquet files of each table of the history, `zpool_iostat_1m` beside `zpool_iostat`; looked
    at every 30 s. Files that a merge has replaced count until they are cleaned up."""
    root = folder / "data" / "main"
    kept = _sizes.get(folder)
    if kept and time.monotonic() - kept[0] < _SIZES:
        return kept[1]
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path, _, names in os.walk(root):
        table = Path(path).relative_to(root).parts[:1]
        for name in names if table else ():
            try:
                found[table[0]][0] += os.path.getsize(os.path.join(path, name))
            except OSError:
                continue  # merged away meanwhile
            found[table[0]][1] += 1
    out = {t: (size, files) for t, (size, files) in found.items()}
    _sizes[folder] = (time.monotonic(), out)
    return out


STORED = tuple(
    c
    for level, word in LEVELS.items()
    for c in (
        tables.Column(f"bytes{level}", word, "B", f"bytes of its {word} on the disk", phone=not level),
        tables.Column(f"files{level}", "files", "count", "Parquet files that hold them", cap=True),
    )
)


@view("health_store")
def health_store(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """What each table of the history takes on the disk now, by resolution."""
    folder = getattr(live.store, "folder", None)
    found = sizes(folder) if folder else {}
    rows = []
    for name, schema in sorted(SCHEMAS.items()):
        cells: dict[str, tables.Cell] = {}
        states: dict[str, tables.State] = {}
        for level in LEVELS:
            size, files = found.get(name + level, (None, None))
            cells |= {f"bytes{level}": size, f"files{level}": files}
            if files is not None and files >= MANY:
                states[f"files{level}"] = "warn"
        if any(v is not None for v in cells.values()):
            rows.append(tables.Row(name, name, cells, states, note=schema.meaning))
    table = tables.table(STORED, rows, empty="Nothing is in the history yet: it takes the spool in every minute.")
    return table | {"sort": "bytes" if rows else ""}


@view("health_head")
def health_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{facts: [text], warn: [text]}: the history's disk, its span and what waits in the spool."""
    folder = getattr(live.store, "folder", None)
    if folder is None or not Path(folder).is_dir():
        return {"facts": [], "warn": [f"there is no folder {folder}"] if folder else []}
    total = sum(size for size, _ in sizes(folder).values())
    files = sum(n for _, n in sizes(folder).values())
    disk = shutil.disk_usage(folder)
    facts = [f"history {units.text(float(total), 'B')} in {files} files"]
    if (span := live.shared("span", live.store.span)) is not None:
        facts.append(f"{units.span(span[1] - span[0])} long")
    spool = sum(p.stat().st_size for p in Path(folder).glob("spool.sqlite*") if p.exists())
    facts.append(f"spool {units.text(float(spool), 'B')}")
    free = f"{units.text(float(disk.free), 'B')} free on its disk"
    warn = []
    if disk.free < DISK_LOW * disk.total:
        warn.append(f"{free}, {100 * disk.free / disk.total:.0f} %")
    else:
        facts.append(free)
    if live.lost:
        warn.append(f"{live.lost} seconds did not reach this page live; the history has them")
    return {"facts": facts, "warn": warn}


# -- over time ----------------------------------------------------------------------------------------------------


def _key(query: Query) -> str:
    """What a line is: a source of the host that is asked for, or a host."""
    return "source" if query.get("host") else "host"


@panel(
    "health_lag",
    kind="lines",
    title="From a line's arrival to the spool",
    subtitle="the slowest source of each",
    source="collector, 5 s",
    tables={"source_health": Need(("lag",))},
)
def health_lag(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["source_health"]
    key = _key(query)
    worst = frame[frame["lag"].notna()].groupby([key, "time"], as_index=False)[["lag", "lag_min", "lag_max"]].max()
    return lines(worst, key, "lag", grid, known, table="source_health", rest=False)


@panel(
    "health_lines",
    kind="lines",
    title="Lines read",
    subtitle="of each",
    source="collector, 5 s",
    tables={"source_health": Need(("lines",))},
)
def health_lines(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return lines(frames["source_health"], _key(query), "lines", grid, known, table="source_health")


@panel(
    "health_errors",
    kind="lines",
    title="Lines that could not be read, or were dropped",
    subtitle="of each",
    source="collector, 5 s",
    tables={"source_health": Need(("errors", "dropped"))},
)
def health_errors(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["source_health"]
    both = frame.assign(errors=frame["errors"].fillna(0) + frame["dropped"].fillna(0))[frame["errors"].notna()]
    return lines(both, _key(query), "errors", grid, known, table="source_health")
