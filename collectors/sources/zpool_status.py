"""zpool_status: state and errors of every pool and vdev, and its scrub or resilver as numbers.

Formats: `zpool status` from Solaris 10 (`scrub: resilver in progress, 3.13% done, 0h15m to go`) over illumos
(`scan: … scanned out of …`) to OpenZFS (`… / … issued at …`), and its JSON (-j, OpenZFS 2.3).
Source: zpool(1M), zpool-status(8), and print_scan_status in zpool_main.c of each.

Text gives sizes with three digits; JSON gives bytes, and from them, as the tool does, rate and time to go (none
below 10 MiB/s). A pool may print a scrub and a resilver: the one under way counts, else the one that ended last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collectors.base import Batch, Context, Source, Variant
from collectors.polled import Polled, again
from collectors.units import duration, percent, size
from collectors.vdevs import SECTIONS, Tree, Vdev
from frames.schemas import POOL_SCAN, ZPOOL_STATUS

_FIELD = re.compile(
    r"\s*(pool|id|state|status|action|see|scan|scrub|config|errors|remove|expand|checkpoint|dedup|scan warning):\s*(.*)"
)
_STATES = "ONLINE|DEGRADED|FAULTED|OFFLINE|REMOVED|UNAVAIL|AVAIL|INUSE|SUSPENDED"
_ROW = re.compile(rf"(\s*)(\S.*?)\s+({_STATES})(?:\s+(.*))?")
_DAY = r"\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}"
_SPAN = r"((?:[0-9]+ days? )?[0-9:]+(?:[hmd][0-9]+[hms])?)"
_SIZE = r"([0-9.,]+[KMGTPE]?B?)"
LONGEST = 2048
"""Longer rows and fields are not the tool's; they would only cost time to match."""

MIN_RATE = 10 * 1024 * 1024
"""Below this the tool prints no time to go."""


class StatusParser(Polled):
    """One batch of `zpool_status` and one of `pool_scan` per report."""

    source = "zpool_status"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._pools: set[str] = set()
        self._scan_at = (0, "")

    def opens(self, line: str) -> bool:
        m = _FIELD.match(line) if ":" in line else None
        if not m or m[1] != "pool":
            return False
        again = m[2] in self._pools
        if again:
            self._pools = set()
        self._pools.add(m[2])
        return again

    def report(self, lines: list[str]) -> list[Batch]:
        self._pools = set()
        rows: dict[str, list[Any]] = {c: [] for c in ZPOOL_STATUS.names[2:]}
        scans: dict[str, list[Any]] = {c: [] for c in POOL_SCAN.names[2:]}
        read = self._json if lines[0].lstrip().startswith("{") else self._text
        for pool_rows, scan in read(lines):
            for vdev, state, counters, note in pool_rows:
                values = (vdev.pool, vdev.path, vdev.device, vdev.kind, vdev.alloc_class, state, *counters, note)
                for column, value in zip(rows.values(), values, strict=True):
                    column.append(value)
            for name, column in scans.items():
                column.append(scan.get(name))
        out = [(ZPOOL_STATUS.name, rows), (POOL_SCAN.name, scans)]
        return [Batch(table, columns, self.stamp) for table, columns in out if columns["pool"]]

    def _text(self, lines: list[str]) -> Iterator[tuple[list[_Row], dict[str, Any]]]:
        fields: dict[str, list[str]] = {}
        config: list[tuple[int, str]] = []
        last, pool = "", ""
        for i, line in enumerate(lines):
            m = _FIELD.match(line) if ":" in line else None
            if m and not (last == "config" and _ROW.fullmatch(line)):
                if m[1] == "pool":
                    if pool:
                        yield self._pool(pool, fields, config)
                    fields, config, pool = {}, [], m[2].strip()
                    if not pool:
                        raise self.bad(i, line, "a pool without a name", len(line))
                last = m[1]
                if last in ("scan", "scrub"):
                    self._scan_at = (i, line)
                fields.setdefault(last, []).append(m[2].strip())
            elif last == "config":
                if line.strip():
                    config.append((i, line))
                elif config:
                    last = ""
            elif last and line.strip():
                if not pool:
                    raise self.bad(i, line, "before any 'pool:'")
                if len(fields[last][-1]) < LONGEST:
                    fields[last][-1] += " " + line.strip()[:LONGEST]
            elif line.strip() and line.strip() not in ("no pools available", "all pools are healthy"):
                raise self.bad(i, line, "neither a field nor a row of `zpool status`")
        if pool:
            yield self._pool(pool, fields, config)

    def _pool(
        self, pool: str, fields: dict[str, list[str]], config: list[tuple[int, str]]
    ) -> tuple[list[_Row], dict[str, Any]]:
        tree, rows, extra, indent = Tree(), [], 0, None
        for i, line in config:
            text = line.expandtabs()
            tokens = text.split()
            if tokens[:2] == ["NAME", "STATE"]:
                extra = len(tokens) - 5
                continue
            m = _ROW.fullmatch(text.rstrip()) if len(text) < LONGEST else None
            own = m[2] if m else text.strip()
            depth = len(text) - len(text.lstrip())
            if indent is None:
                if not m:
                    raise self.bad(i, line, "no state of the pool", depth + 1)
                indent, vdev = depth, tree.pool(pool)
                vdev = Vdev(pool, "", own, "pool", "data")
            elif depth <= indent and own in SECTIONS:
                vdev = tree.section(own, SECTIONS[own])
                if not m:
                    continue
            elif not m:
                raise self.bad(i, line, "no state in the row", depth + 1)
            else:
                vdev = tree.vdev(depth, own)
            assert m is not None
            counters, note = self._counters(i, line, m[4] or "", extra)
            rows.append((vdev, m[3], counters, note))
        return rows, self._scan(pool, fields)

    def _counters(self, i: int, line: str, text: str, extra: int) -> tuple[tuple[float | None, ...], str | None]:
        """READ, WRITE, CKSUM and the note; spares have no counters. `extra` columns (SLOW, POWER) are passed over."""
        tokens = text.split(None, 3 + max(0, extra))
        try:
            counters = tuple(size(t)[0] for t in tokens[:3])
        except ValueError:
            counters = ()
        if len(counters) < 3:
            if counters and len(tokens) == len(counters):
                raise self.bad(i, line, "the row is cut", len(line))
            return (None, None, None), text.strip() or None
        note = tokens[3 + max(0, extra) :]
        return counters, note[0].strip() if note else None

    def _scan(self, pool: str, fields: dict[str, list[str]]) -> dict[str, Any]:
        data_errors = _data_errors(fields.get("errors", [""])[0])
        try:
            scans = [read_scan(text, self.local) for text in fields.get("scan", []) + fields.get("scrub", [])]
        except ValueError as e:
            raise self.bad(*self._scan_at, str(e)) from e
        scans.sort(key=lambda s: (s["state"] in ("in_progress", "paused"), s.pop("ended") or datetime.min))
        scan: dict[str, Any] = scans[-1] if scans else {"scan": "none", "state": "none"}
        if scan.get("errors") is None:
            scan["errors"] = data_errors
        return scan | {"pool": pool}

    def _json(self, lines: list[str]) -> Iterator[tuple[list[_Row], dict[str, Any]]]:
        text = ",".join(lines)  # the command breaks its one long line at commas
        try:
            pools = json.loads(text)["pools"]
            for name, pool in pools.items():
                yield list(_json_rows(name, pool)), self._json_scan(name, pool)
        except json.JSONDecodeError as e:
            before = text[: e.pos].count(",")
            i = min(before, len(lines) - 1) if len(lines) > 1 else 0
            raise self.bad(i, lines[i], f"not JSON: {e.msg}", (e.pos if len(lines) == 1 else 0) + 1) from e
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as e:
            raise self.bad(0, lines[0], f"not the JSON of zpool status: {type(e).__name__} {e}") from e

    def _json_scan(self, pool: str, data: dict[str, Any]) -> dict[str, Any]:
        errors = _number(data.get("error_count"))
        stats = data.get("scan_stats")
        if not stats or stats.get("function", "NONE") == "NONE":
            return {"pool": pool, "scan": "none", "state": "none", "errors": errors}
        paused = stats.get("scrub_pause", "-") not in ("-", 0, "0")
        state = {"SCANNING": "paused" if paused else "in_progress", "FINISHED": "finished", "CANCELED": "canceled"}
        examined, issued, skipped = (_number(stats.get(k)) or 0.0 for k in ("examined", "issued", "skipped"))
        total = max((_number(stats.get("to_examine")) or 0.0) - skipped, 0.0)
        out: dict[str, Any] = {
            "pool": pool,
            "scan": stats["function"].lower(),
            "state": state.get(stats["state"], "none"),
            "scanned": examined,
            "issued": issued,
            "total": total,
            "repaired": _number(stats.get("processed")),
            "errors": _number(stats.get("errors")),
            "text": f"{stats['function'].lower()} {stats['state'].lower()} since {stats.get('start_time')}",
        }
        start, end = _day(str(stats.get("start_time"))), _day(str(stats.get("end_time")))
        if out["state"] == "finished":
            out["fraction"] = 1.0
            out["elapsed"] = (end - start).total_seconds() if start and end else None
        elif out["state"] in ("in_progress", "paused"):
            out["fraction"] = issued / total if total else None
            begun = _number(stats.get("pass_start"))
            if self.stamp and begun:
                spent = max(self.stamp - begun - (_number(stats.get("scrub_spent_paused")) or 0.0), 1.0)
                out["elapsed"] = spent
                if not paused:
                    out["rate"] = issued / spent
                    out["eta"] = max(total - issued, 0.0) / out["rate"] if out["rate"] >= MIN_RATE else None
        return out


_Row = tuple[Vdev, str, tuple[float | None, ...], str | None]


def read_scan(text: str, local: datetime | None = None) -> dict[str, Any]:
    """The lines after `scan:` or `scrub:`, joined by blanks, as columns of pool_scan; `ended` is when, or None.

    `local` is the host's own date and time, which gives the elapsed time of a scan that only says since when.
    """

    def find(pattern: str) -> str | None:
        m = re.search(pattern, text)
        return next((g for g in m.groups() if g), None) if m else None

    def number(pattern: str) -> float | None:
        found = find(pattern)
        return size(found)[0] if found else None

    def span(pattern: str) -> float | None:
        found = find(pattern)
        return duration(found) if found else None

    scan = "scrub" if "scrub" in text else "resilver" if "resilver" in text else "none"
    state = (
        "none"
        if scan == "none"
        else "in_progress"
        if "in progress" in text
        else "paused"
        if "paused" in text
        else "canceled"
        if "cancel" in text or "stopped" in text
        else "finished"
    )
    running = state in ("in_progress", "paused")
    fraction = find(r"([0-9]+(?:[.,][0-9]+)?)% done")
    since, ended = _day(find(rf"(?:started on|since) ({_DAY})")), _day(find(rf" on ({_DAY})"))
    elapsed = span(rf"(?:progress for|after) {_SPAN}") if running or "after" in text else span(rf" in {_SPAN} with")
    if elapsed is None and running and since and local:
        elapsed = max((local - since).total_seconds(), 0.0)
    errors = find(r"with ([0-9]{1,18}) errors")
    return {
        "scan": scan,
        "state": state,
        "fraction": 1.0 if state == "finished" else percent(fraction) if fraction else None,
        "scanned": number(rf"{_SIZE} (?:/ \S+ )?scanned"),
        "issued": number(rf"{_SIZE} (?:/ \S+ )?issued"),
        "total": number(rf"/ {_SIZE} issued|{_SIZE} total|out of {_SIZE}"),
        "rate": number(rf"issued(?: at)? {_SIZE}/s") or number(rf" at {_SIZE}/s"),
        "elapsed": elapsed,
        "eta": span(rf"{_SPAN} to go"),
        "repaired": number(rf"(?:scrub repaired|resilvered(?: \(\S+\))?) {_SIZE} in|{_SIZE} (?:repaired|resilvered)"),
        "errors": float(errors) if errors else None,
        "text": text,
        "ended": None if running else ended,
    }


def _day(text: str | None) -> datetime | None:
    """'Mon Nov 23 15:58:49 2026', also with a time zone before the year, as the host's local time."""
    if not text:
        return None
    tokens = text.split()
    try:
        return datetime.strptime(" ".join([*tokens[:4], *tokens[-1:]]), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return None


def _data_errors(text: str) -> float | None:
    if not text:
        return None
    if text.startswith("No known"):
        return 0.0
    m = re.match(r"([0-9]{1,18}) data errors?", text)
    if m:
        return float(m[1])
    return float(max(1, len(text.split(":", 1)[1].split()))) if "Permanent errors" in text and ":" in text else None


def _number(value: object) -> float | None:
    """A JSON number, given as a number, as digits or as "1.37M"."""
    return None if value is None else size(str(value))[0]


def _json_rows(name: str, pool: dict[str, Any]) -> Iterator[_Row]:
    scan = pool.get("scan_stats", {})
    healing = "" if scan.get("state") != "SCANNING" else "repairing" if scan["function"] == "SCRUB" else "resilvering"
    tree = Tree()

    def row(vdev: Vdev, data: dict[str, Any]) -> _Row:
        counters = tuple(_number(data.get(f"{k}_errors")) for k in ("read", "write", "checksum"))
        note = None
        if not data.get("vdevs") and _number(data.get("scan_processed")) and healing:
            note = f"({healing})"
        if not isinstance(data["state"], str):
            raise TypeError(f"state is {data['state']!r}")
        return vdev, data["state"], counters, note

    def walk(children: dict[str, Any], depth: int) -> Iterator[_Row]:
        for child, data in children.items():
            yield row(tree.vdev(depth, child), data)
            yield from walk(data.get("vdevs", {}), depth + 1)

    for root in pool.get("vdevs", {}).values():
        yield row(tree.pool(name), root)
        yield from walk(root.get("vdevs", {}), 1)
    for key, section in (
        ("dedup", "dedup"),
        ("special", "special"),
        ("logs", "logs"),
        ("l2cache", "cache"),
        ("spares", "spares"),
    ):
        if pool.get(key):
            tree.section(section, SECTIONS[section])
            yield from walk(pool[key], 1)


SOURCE = Source(
    name="zpool_status",
    meaning="state, errors, scrub and resilver of every pool and vdev",
    tables=("zpool_status", "pool_scan"),
    interval=10.0,
    variants=(
        Variant(
            name="json",
            systems=("linux", "freebsd"),
            command=lambda ctx: again("zpool status -j --json-int | tr ',' '\\n'", ctx.interval),
            parser=StatusParser,
            probe="zpool status -j --json-int",
            fix="OpenZFS 2.3 or later has it; the text form serves until then",
        ),
        Variant(
            name="text",
            systems=("solaris10", "solaris11", "illumos", "freebsd", "linux"),
            command=lambda ctx: again("zpool status", ctx.interval),
            parser=StatusParser,
            probe="zpool status",
            fix="put zpool on the PATH (/usr/sbin)",
        ),
    ),
)
