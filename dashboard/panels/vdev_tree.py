"""A host's pools as of one instant: state, space and scan of each, its vdevs as a tree, and the scans that ended."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from dashboard.live import Live
from dashboard.panels import Query, view
from dashboard.panels.capacity import PLAN, refused
from dashboard.panels.data import number
from dashboard.panels.disks import natural
from dashboard.panels.pools import UNNAMED, own_name, parents
from dashboard.panels.tables import Column, Row, column, table
from dashboard.scans import RECENT, ahead, pace
from dashboard.verdicts import GOOD_STATES, Reason, earlier, pool_reasons, verdicts
from frames import units
from frames.schemas import SCHEMAS

QUIET = 15.0
"""A rate older than this is missing, s."""
OLD = 60.0
"""A state older than this is told with its time, s."""
DAY = 86400.0
BACK = 180 * DAY
"""How far back scans are looked for."""
CLASSES = ("data", "special", "dedup", "log", "cache", "spare")
SECTION_CLASS = {"logs": "log", "log": "log", "spares": "spare", "spare": "spare"}
Record = Mapping[Any, Any]
RATES = ("read_ops", "write_ops", "read_bytes", "write_bytes")


# -- what is known of a host's pools -------------------------------------------------------------------------------

_kept: WeakKeyDictionary[Live, OrderedDict[tuple[str, str, float | None], tuple[float, pd.DataFrame]]] = (
    WeakKeyDictionary()
)
MANY = 64
"""Answers of the history that are kept: the views of a page ask for the same ones."""


def newest(live: Live, name: str, host: str, at: float | None) -> pd.DataFrame:
    """The newest row of each series of one host: of a silent one the last there were within a day, from the history."""
    where = {"host": [host]}
    if at is None and len(frame := live.latest(name, within=live.keep, where=where)):
        return frame
    kept = _kept.setdefault(live, OrderedDict())
    now, key = live.clock(), (name, host, at)
    found = kept.get(key)
    if found is None or not 0 <= now - found[0] < 60:
        within = DAY if at is None else max(120.0, 3 * SCHEMAS[name].every)
        found = kept[key] = (now, live.store.latest(name, at=now if at is None else at, within=within, where=where))
        while len(kept) > MANY:
            with suppress(KeyError):
                kept.popitem(last=False)
    return found[1]


def fresh(frame: pd.DataFrame, now: float) -> pd.DataFrame:
    """Rows that speak of now."""
    return frame[frame["time"] >= pd.Timestamp(now - QUIET, unit="s", tz="UTC")] if len(frame) else frame


# -- the tree ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """A vdev's place: `path` '' is the pool itself; `section`: a heading such as `logs`."""

    pool: str
    path: str
    name: str
    depth: int
    section: bool = False
    group: bool = False


def _class(path: str) -> int:
    first = path.partition("/")[0]
    word = "log" if first.startswith(UNNAMED) else SECTION_CLASS.get(first, first)
    return CLASSES.index(word) if word in CLASSES else 0


def nested(pool: str, paths: Iterable[str], sections: Iterable[str] = ()) -> list[Node]:
    """The pool, then each vdev before what is in it: data first, then special, logs, cache and spares; c3t10d0 after
    c3t9d0."""
    inside = parents(list(paths))
    headings = {*sections, *(p for p in inside.values() if p and p not in set(paths))}
    children: dict[str, list[str]] = {}
    for path, parent in inside.items():
        children.setdefault(parent, []).append(path)
    out = [Node(pool, "", pool, 0, group=True)]

    def below(parent: str, depth: int) -> None:
        found = sorted(children.get(parent, ()), key=lambda p: (_class(p), natural(own_name(p, parent))))
        for path in found:
            own = own_name(path, parent)
            out.append(Node(pool, path, own, depth, path in headings, path in children))
            below(path, depth + 1)

    below("", 1)
    return out


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _value(row: Record | None, name: str) -> float | None:
    found = None if row is None else row.get(name)
    return None if found is None or found != found else float(found)


def weighted(row: Record) -> float | None:
    """Mean total wait of reads and writes together, by their operations."""
    spent = ops = 0.0
    for side in ("read", "write"):
        wait, n = _value(row, f"total_wait_{side}"), _value(row, f"{side}_ops")
        if wait is not None and n:
            spent, ops = spent + wait * n, ops + n
    return spent / ops if ops else None


COLUMNS = (
    column("zpool_status", "state", "state", phone=True),
    column("zpool_status", "read_errors", "err R", "count", phone=True),
    column("zpool_status", "write_errors", "W", "count", phone=True),
    column("zpool_status", "cksum_errors", "sum", "count", phone=True),
    column("zpool_iostat", "alloc", "alloc", "bytes"),
    column("zpool_iostat", "size", "size", "bytes"),
    column("zpool_iostat", "read_ops", "r ops"),
    column("zpool_iostat", "write_ops", "w ops"),
    column("zpool_iostat", "read_bytes", "read"),
    column("zpool_iostat", "write_bytes", "write"),
    Column("wait", "wait", "s", "mean time of an operation, queue and disk (zpool iostat -l)"),
    column("disk_io", "asvc_t", "asvc_t"),
    Column("busy", "busy", "1", "share of time with a request being served (%b)", phone=True),
    Column("note", "note", "text", "what stands behind the counters, and what is known otherwise"),
)
ALWAYS = ("state", "read_errors", "write_errors", "cksum_errors")


def tree(
    status: pd.DataFrame,
    iostat: pd.DataFrame,
    disks: pd.DataFrame,
    capacity: pd.DataFrame,
    slow: Mapping[str, Reason] | None = None,
) -> dict[str, Any]:
    """The table of a host's vdevs, `zpool status` and `zpool iostat -v` in one: frames of the newest rows of one host.
    Rows have `pool`, `path`, `depth`, `section` and `group` besides those of tables.table; columns that nobody tells
    are left out. `slow`: the verdicts on single disks."""
    by = {(r["pool"], r["vdev"]): r for r in status.to_dict("records")}
    io = {(r["pool"], r["vdev"]): r for r in iostat.to_dict("records")}
    of = {(r["pool"], r["vdev"]): r for r in disks.to_dict("records") if isinstance(r["pool"], str)}
    space = {r["pool"]: r for r in capacity.to_dict("records")}
    nodes: list[Node] = []
    for pool in sorted({p for p, _ in by} | {p for p, _ in io} | set(space), key=lambda p: natural(str(p))):
        _moved(io, of, pool, {v for p, v in by if p == pool})
        paths = {v for p, v in (*by, *io) if p == pool and v}
        headings = {v for (p, v), r in io.items() if p == pool and r.get("kind") == "section"}
        nodes += nested(str(pool), paths, headings)
    rows = [_row(n, by.get((n.pool, n.path)), io.get((n.pool, n.path)), of, space, slow or {}) for n in nodes]
    told = {c.id for c in COLUMNS if any(r.cells.get(c.id) not in (None, "") for r in rows)} | {*ALWAYS}
    out = table(
        [c for c in COLUMNS if c.id in told],
        rows,
        empty="No pool of this host has been heard of yet.",
        hint="It needs zpool status or zpool iostat; what this host lacks is told below.",
    )
    out["tree"] = True
    for row, node in zip(out["rows"], nodes, strict=True):
        row |= {"pool": node.pool, "path": node.path, "depth": node.depth, "section": node.section, "group": node.group}
    return out


def _moved(io: dict[Any, Any], disks: dict[Any, Any], pool: Any, status: set[str]) -> None:
    """Puts what zpool iostat or the disks tell of a device where zpool status has it: it may stand in a `replacing` or
    `spare` in one of them alone."""
    if not status:
        return
    inside = parents(status)
    leaves = {own_name(p, inside[p]): p for p in inside if p not in set(inside.values())}
    for rows in (io, disks):
        for path in [v for p, v in rows if p == pool and v not in status]:
            place = leaves.get(path.rpartition("/")[2])
            if place and (pool, place) not in rows:
                rows[pool, place] = rows.pop((pool, path))


def _row(
    node: Node,
    status: Record | None,
    io: Record | None,
    disks: Mapping[Any, Record],
    space: Mapping[Any, Record],
    slow: Mapping[str, Reason],
) -> Row:
    disk = None if node.group else disks.get((node.pool, node.path))
    state = _text((status or {}).get("state"))
    cells: dict[str, float | str | None] = {"state": state.lower()}
    states: dict[str, Any] = {}
    if state not in GOOD_STATES:
        states["state"] = "bad"
    for errors in ("read_errors", "write_errors", "cksum_errors"):
        cells[errors] = _value(status, errors)
        if (cells[errors] or 0) > 0:  # type: ignore[operator]
            states[errors] = "warn"
    whole = space.get(node.pool) if not node.path else None
    for name in ("alloc", "size"):
        known = _value(whole, name)
        cells[name] = _value(io, name) if known is None else known
    for name in RATES:
        cells[name] = _value(io, name)
    cells["wait"] = None if io is None else weighted(io)
    for name in ("asvc_t", "busy"):
        cells[name] = "" if node.group else _value(disk, name)
    device = _text((disk or {}).get("device"))
    notes = [_text((status or {}).get("note")), f"disk {device}" if device and device != node.name else ""]
    if reason := slow.get(device or node.name):
        notes.append(f"{'slow' if reason.state == 'bad' else 'behind its peers'}: {reason.detail}")
        states["asvc_t"] = states["note"] = reason.state
    cells["note"] = "; ".join(n.strip("() ") for n in notes if n)
    return Row(f"{node.pool}\n{node.path}", node.name, cells, states)


@view("vdev_tree")
def vdev_tree(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """`tree` of the query's host, as of now or of `at`; `of`: when its states are from, where that is not now."""
    host = str(query.get("host", ""))
    now = live.clock() if at is None else at
    status, iostat, disks, capacity = (
        standing(newest(live, t, host, at)) for t in ("zpool_status", "zpool_iostat", "disk_io", "pool_capacity")
    )
    slow: dict[str, Reason] = {}
    if at is None and (verdict := verdicts(live).get(host)):
        slow = {r.object: r for r in verdict.reasons if r.what.startswith("Disk ")}
    out = tree(status, without_rates(iostat, now), fresh(disks, now), capacity, slow)
    said = status["time"].max().timestamp() if len(status) else None
    out["of"] = said if said is not None and (at is not None or now - said > OLD) else None
    return out


def standing(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` without what its host has no longer told of in its newest rows: a device that was taken away."""
    if not len(frame):
        return frame
    return frame[frame["time"] >= frame["time"].max() - pd.Timedelta(seconds=OLD)]


def without_rates(frame: pd.DataFrame, now: float) -> pd.DataFrame:
    """`frame` of zpool_iostat without the rates of rows that do not speak of now: space lasts, a rate does not."""
    old = frame["time"] < pd.Timestamp(now - QUIET, unit="s", tz="UTC") if len(frame) else None
    if old is None or not old.any():
        return frame
    schema = SCHEMAS["zpool_iostat"]
    rates = [c for c in schema.of_role("rate", "gauge") if c not in ("alloc", "size", "alloc_step")]
    return frame.assign(**{c: frame[c].mask(old) for c in rates})


# -- the pools -----------------------------------------------------------------------------------------------------


@view("pools_head")
def pools_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{pools: [{pool, state, word, icon, why, alloc, size, plan, refused, frag, dedup, checkpoint, expandsz, scan}]}:
    shares of the size are fractions; `refused` is None where the system is not known."""
    host = str(query.get("host", ""))
    now = live.clock() if at is None else at
    status, iostat, capacity, scans = (
        standing(newest(live, t, host, at)) for t in ("zpool_status", "zpool_iostat", "pool_capacity", "pool_scan")
    )
    before = earlier(live, scans, now)
    known = live.host(host)
    system = known.fact("os") if known else ""
    roots = iostat[iostat["vdev"] == ""] if len(iostat) else iostat
    space = {r["pool"]: r for f in (roots, capacity) for r in f.to_dict("records")}
    running = {r["pool"]: r for r in scans.to_dict("records")}
    out = []
    for pool in sorted({*space, *status["pool"].unique(), *running}, key=lambda p: natural(str(p))):
        mine = status[status["pool"] == pool]
        out.append(head(str(pool), mine, space.get(pool), system) | {"scan": scan(running.get(pool), before, host)})
    return {"pools": out}


WORST = {"FAULTED", "UNAVAIL", "SUSPENDED", "REMOVED"}


def head(pool: str, status: pd.DataFrame, space: Record | None, system: str) -> dict[str, Any]:
    """State and space of one pool, from its rows of zpool_status and its newest of pool_capacity or zpool_iostat."""
    reasons = pool_reasons(status)
    whole = status[status["vdev"] == ""]["state"]
    said = _text(whole.iloc[0]) if len(whole) else _text((space or {}).get("health"))
    state = next((r.state for r in reasons), "well" if said else "")
    if not reasons and said not in GOOD_STATES:
        state = "bad"
    size = _value(space, "size")
    icon = {"bad": "degraded" if said == "DEGRADED" else "trouble", "warn": "warn", "well": "check"}.get(state, "")
    return {
        "pool": pool,
        "state": state,
        "word": said.capitalize(),
        "icon": icon,
        "why": "; ".join(r.detail if r.state == "bad" else f"errors: {r.detail}" for r in reasons if r.detail),
        "alloc": _value(space, "alloc"),
        "size": size,
        "plan": PLAN,
        "refused": refused(size, system) / size if size and system else None,
        **{name: _value(space, name) for name in ("frag", "dedup", "checkpoint", "expandsz")},
    }


def scan(row: Record | None, before: Mapping[tuple[str, str], Record], host: str) -> dict[str, Any] | None:
    """What runs, or ran last: {kind, state, fraction, done, scanned, total, recent, mean, elapsed, eta: [early, late],
    why, repaired, errors, text}; numbers SI, ends in epoch seconds. None where the host tells nothing."""
    if row is None:
        return None
    out: dict[str, Any] = {"kind": _text(row["scan"]) or "none", "state": _text(row["state"]) or "none"}
    out |= {k: _value(row, k) for k in ("fraction", "scanned", "total", "elapsed", "repaired", "errors")}
    out |= {"done": _value(row, "issued"), "mean": _value(row, "rate"), "text": _text(row["text"]), "recent": None}
    out |= {"eta": None, "why": ""}
    if out["state"] not in ("in_progress", "paused"):
        return out
    then = before.get((host, str(row["pool"])))
    apart = (row["time"] - then["time"]).total_seconds() if then else RECENT
    lately = pace(row, then, apart)
    out["recent"] = number(lately * out["total"]) if lately is not None and out["total"] else None
    left = ahead(row, then, apart)
    at = row["time"].timestamp()
    if left.first is not None and left.last is not None:
        out["eta"] = [at + left.first, at + left.last]
    out["why"] = left.why
    return out


# -- scans that ended ----------------------------------------------------------------------------------------------

HISTORY = (
    Column("pool", "pool", phone=True),
    Column("end", "ended", "text", "as the host prints it, by its own clock", phone=True),
    Column("elapsed", "took", "age", "from its beginning to its end"),
    Column("repaired", "repaired", "bytes", "bytes repaired or resilvered", phone=True),
    Column("errors", "errors", "count", "errors that it found", phone=True),
)
_ENDED = re.compile(r" on (\w{3} \w{3} +\d{1,2} [\d:]{8} \d{4})\b")


def ended(frame: pd.DataFrame) -> list[Row]:
    """The scans that finished or were canceled, newest first, each once: rows of pool_scan over a long time, as a
    window gives them."""
    over = frame[frame["state"].isin(["finished", "canceled"]) & (frame["scan"] != "none")].sort_values("time")
    out: list[tuple[pd.Timestamp, Row]] = []
    for (pool, text), rows in over.groupby(["pool", "text"], sort=False):
        final = rows.iloc[-1].to_dict()
        cells: dict[str, Any] = {"pool": str(pool)}
        # A bucket in which it ended holds the mean of its course; its largest is the end.
        for name in ("elapsed", "repaired", "errors"):
            most = _value(final, f"{name}_max")
            cells[name] = _value(final, name) if most is None else most
        said = _ENDED.search(str(text))
        first = rows["time"].iloc[0]
        cells["end"] = said[1] if said else f"{units.date(first.timestamp())} or before"
        states: dict[str, Any] = {"errors": "warn"} if (cells["errors"] or 0) > 0 else {}
        word = str(final["scan"]).capitalize() + (", canceled" if final["state"] == "canceled" else "")
        out.append((first, Row(f"{pool}\n{text}", word, cells, states)))
    return [row for _, row in sorted(out, key=lambda x: x[0], reverse=True)]


_ended: WeakKeyDictionary[Live, dict[str, tuple[frozenset[str], list[Row]]]] = WeakKeyDictionary()


@view("scan_history")
def scan_history(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """The scans of the last half year; read again when one has ended."""
    host = str(query.get("host", ""))
    now = newest(live, "pool_scan", host, None)
    stands = frozenset(
        f"{r['pool']} {r['state']} {r['text']}" for r in now[now["state"] != "in_progress"].to_dict("records")
    )
    kept = _ended.setdefault(live, {})
    found = kept.get(host)
    if found is None or found[0] != stands:
        end = live.clock()
        rows = live.store.window("pool_scan", end - BACK, end + 1, points=int(BACK / 7200), where={"host": [host]})
        found = kept[host] = (stands, ended(pd.concat([rows, now], ignore_index=True) if len(now) else rows))
    empty = "No scan of this host has ended in the last half year, as far as its history goes."
    return table(HISTORY, found[1], empty=empty)
