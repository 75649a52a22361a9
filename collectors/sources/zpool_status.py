"""zpool_status: state and errors of every pool and vdev, and its scrub or resilver as numbers.

Formats: `zpool status` from Solaris 10 (`scrub: resilver in progress, 3.13% done, 0h15m to go`) over illumos
(`scan: … scanned out of …`) and Solaris 11 (`… scanned`, `… resilvered at …`) to OpenZFS (`… / … issued at …`), with
-v, -x, -s, -p, -D, -c, and its JSON (-j, OpenZFS 2.3). Source: zpool(1M), zpool-status(8), and print_scan_status,
print_raidz_expand_status, print_removal_status in zpool_main.c of each.

Text gives sizes with three digits; JSON gives bytes, and from them, as the tool does, rate and time to go (none
below 10 MiB/s). A pool may print a scrub, a resilver, the expansion of a raidz and the removal of a vdev: the one
under way counts, else the one that ended last.

A list of damaged files (-v) may hold anything: until a pool that stands in no deeper than the list's heading, its
lines are only counted. Where a paste has lost its indentation, groups take the disks that follow them.

In a saved text, words around the output are passed over as long as there is a pool somewhere; one whose beginning was
left out takes its name from the first row. A command that a shell repeated ends what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.pasted import is_command
from collectors.polled import DOCUMENT, Polled, again
from collectors.units import duration, is_date, nanoseconds, percent, size, utc
from collectors.vdevs import SECTIONS, Nest, Tree, Vdev, is_group
from frames.schemas import POOL_SCAN, ZPOOL_STATUS

_FIELD = re.compile(
    r"\s*(pool|id|state|status|action|see|comment|scan|scrub|config|errors|remove|expand|checkpoint|dedup|"
    r"scan warning|device details):\s*(.*)"
)
_STATES = "ONLINE|DEGRADED|FAULTED|OFFLINE|REMOVED|UNAVAIL|AVAIL|INUSE|SUSPENDED|SPLIT|UNKNOWN|DISMOUNTED"
_COUNTED = re.compile(rf"(\s*)(\S.*?)\s+({_STATES})((?:\s+[0-9][0-9.,]*[KMGTPE]?){{3}}(?:\s.*)?)")
"""A row with its three counters: a name may hold the word ONLINE, but no numbers follow it there."""
_ROW = re.compile(rf"(\s*)(\S.*?)\s+({_STATES})(?:\s+(.*))?")
_HEADING = re.compile(r"\s*NAME\s+STATE\s+READ\s+WRITE\s+CKSUM(?:\s.*)?")
_BEFORE_NOTE = ("SLOW", "POWER", "DIO")
"""Columns of -s, --power and -d; those of -c stand behind the note."""
_SCANS = ("scan", "scrub", "expand", "remove")
_DAY = r"\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}"
_SPAN = r"((?:[0-9]+ days? )?(?:[0-9]+:[0-9]{2}:[0-9]{2}|(?:[0-9]+[dhms])+))"
_SIZE = r"([0-9][0-9.,]*[KMGTPE]?B?)"
LONGEST = 2048
"""Longer rows and fields are not the tool's; they would only cost time to match."""

MIN_RATE = 10 * 1024 * 1024
"""Below this the tool prints no time to go."""
CENTURY = 100 * 365 * 86400.0


class StatusParser(Polled):
    """One batch of `zpool_status` and one of `pool_scan` per report."""

    source = "zpool_status"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._pools: set[str] = set()
        self._field_before = ""
        self._list = 0  # the column of the heading of a list of damaged files, while one is being printed
        self._scan_at = (0, "")
        self._last = 0

    def opens(self, line: str) -> bool:
        if DOCUMENT.match(line):
            return True
        if self._field_before in ("config", "errors") and (line.isdecimal() or is_date(line)) and line[0].strip():
            self._pools, self._list, self._field_before = set(), 0, ""
            return True
        m = _FIELD.match(line) if ":" in line else None
        if not m or (self._list and _start(line) > self._list + 2):
            return False
        self._list, self._field_before = _start(line) if _lists_files(m) else 0, m[1]
        if m[1] != "pool":
            return False
        again = m[2] in self._pools
        self._pools = {m[2]} if again else self._pools | {m[2]}
        return again

    def report(self, lines: list[str]) -> list[Batch]:
        if not self._framed:
            self.stamp = self.local = None
        rows: dict[str, list[Any]] = {c: [] for c in ZPOOL_STATUS.names[2:]}
        scans: dict[str, list[Any]] = {c: [] for c in POOL_SCAN.names[2:]}
        document = next((i for i, line in enumerate(lines) if DOCUMENT.match(line)), None)
        for pool_rows, scan in self._text(lines) if document is None else self._json(lines, document):
            for vdev, state, counters, note in pool_rows:
                values = (vdev.pool, vdev.path, vdev.device, vdev.kind, vdev.alloc_class, state, *counters, note)
                for column, value in zip(rows.values(), values, strict=True):
                    column.append(value)
            for name, column in scans.items():
                column.append(scan.get(name))
        out = [(ZPOOL_STATUS.name, rows), (POOL_SCAN.name, scans)]
        return [Batch(table, columns, self.stamp) for table, columns in out if columns["pool"]]

    def _text(self, lines: list[str]) -> Iterator[tuple[list[_Row], dict[str, Any]]]:
        o, self._last = _Open(), len(lines) - 1
        for i, line in enumerate(lines):
            m = _FIELD.match(line) if ":" in line else None
            if o.lists and not o.ends_list(lines, i, m):
                o.count(line)
            elif o.last == "config" and o.is_row(line):
                o.rows.append((i, line))
            elif (heading := _HEADING.fullmatch(line) is not None) or m:
                fragment = heading and o.last not in ("", "config") and not o.pool
                if fragment or (m and m[1] == "pool") or (o.rows and (heading or (m and m[1] == "state"))):
                    yield from self._whole(o)
                    o = _Open()
                if m:
                    self._field(o, m, i, line)
                else:
                    o.last = "config"
                    o.rows.append((i, line))
            elif is_command(line) and ("zpool status" in line or not self.strict):
                yield from self._whole(o)
                o = _Open()
            elif not line.strip():
                o.blank, o.gap = True, bool(o.rows)
            elif o.last == "config" and not self.strict and o.is_beside(lines, i):
                o.gap = bool(o.rows)
            elif o.last == "config" and not o.gap:
                o.rows.append((i, line))  # which is damage
            elif o.last == "dedup" or (o.last and o.last != "config" and (o.pool or not self.strict)):
                o.add(line)
            elif not self._stamped(line, o) and line.strip() not in _NO_POOLS and not _HEALTHY.fullmatch(line):
                what = "before any 'pool:'" if o.last and not o.pool else "neither a field nor a row of `zpool status`"
                self.around(self.bad(i, line, what))
        yield from self._whole(o)

    def _stamped(self, line: str, o: _Open) -> bool:
        """The line of -T, where nothing else tells the time."""
        epoch = line.isdecimal() and 9 <= len(line) <= 11
        if not epoch and not is_date(line):
            return False
        if not self._framed and not o.last:
            self.stamp, self.local = (float(line), None) if epoch else (utc(line.split()), _day(line))
        return True

    def _field(self, o: _Open, m: re.Match[str], i: int, line: str) -> None:
        o.last, o.blank, o.gap, o.lists, o.indent = m[1], False, False, _lists_files(m), _start(line)
        if m[1] == "pool":
            o.pool = m[2].strip()
            if not o.pool:
                raise self.bad(i, line, "a pool without a name", len(line))
        elif m[1] in _SCANS:
            self._scan_at = (i, line)
        if m[1] != "dedup":
            o.fields.setdefault(m[1], []).append(m[2].strip())

    def _whole(self, o: _Open) -> Iterator[tuple[list[_Row], dict[str, Any]]]:
        """The pool that was open, if one was; without its first lines it has the name of its first row."""
        if not o.pool and o.rows:
            (_, heading), (i, line) = o.rows[0], o.rows[min(1, len(o.rows) - 1)]
            m = _COUNTED.fullmatch(line.expandtabs().rstrip()) if len(line) < LONGEST else None
            if m and not self.strict and _start(line.expandtabs()) <= _start(heading.expandtabs()):
                o.pool = m[2]
            else:
                self.around(self.bad(i, line, "before any 'pool:'"))
        if o.pool:
            yield self._pool(o)

    def _pool(self, o: _Open) -> tuple[list[_Row], dict[str, Any]]:
        pool, fields, config = o.pool, o.fields, o.rows
        tree, rows, before, behind, indent = Tree(), [], 0, 0, None
        state = fields.get("state", [""])[0].split(" ")[0]
        flat = _is_flat([line for _, line in config])
        nest = Nest()
        for i, line in config:
            text = line.expandtabs()
            tokens = text.split()
            if tokens[:2] == ["NAME", "STATE"]:
                before = sum(t in _BEFORE_NOTE for t in tokens[5:])
                behind = len(tokens) - 5 - before
                continue
            short = len(text) < LONGEST
            m = (_COUNTED.fullmatch(text.rstrip()) or _ROW.fullmatch(text.rstrip())) if short else None
            own = m[2] if m else text.strip()
            depth = len(text) - len(text.lstrip())
            if indent is None:
                if not m:
                    raise self.bad(i, line, "no state of the pool", _start(line))
                indent, vdev = depth, tree.pool(pool)
                vdev = Vdev(pool, "", own, "pool", "data")
            elif depth <= indent and own in SECTIONS:
                vdev = tree.section(own, SECTIONS[own])
                nest = Nest()
                if not m:
                    continue
            elif not m:
                raise self.bad(i, line, "no state in the row", _start(line))
            else:
                vdev = tree.vdev(nest.depth(own) if flat else depth, own)
            assert m is not None
            counters, note = self._counters(i, line, m[4] or "", before, behind if vdev.kind == "disk" else 0)
            # I/O to a suspended pool hangs, while its configuration may still say ONLINE
            rows.append((vdev, state if vdev.kind == "pool" and state == "SUSPENDED" else m[3], counters, note))
        unknown = fields.get("config", [""])[0]  # 'The configuration cannot be determined.'
        if not rows and unknown and re.fullmatch(_STATES, state):
            rows.append((tree.pool(pool), state, (None, None, None), unknown))
        return rows, self._scan(pool, fields, o.files)

    def _counters(
        self, i: int, line: str, text: str, before: int, behind: int
    ) -> tuple[tuple[float | None, ...], str | None]:
        """READ, WRITE, CKSUM and the note; spares have no counters.

        Columns before the note (SLOW, POWER) and behind it (-c) are passed over.
        """
        tokens = text.split(None, 3 + before)
        counters: list[float | None] = []
        for token in tokens[:3]:
            try:
                counters.append(size(token)[0])
            except ValueError:
                break
        if len(counters) < 3:
            if not counters:
                return (None, None, None), text.strip() or None
            if len(tokens) > len(counters):
                wrong = tokens[len(counters)]
                raise self.bad(i, line, f"{wrong.split()[0][:40]!r} is no count of errors", line.rindex(wrong) + 1)
            if self.strict or i == self._last:
                raise self.bad(i, line, "the row is cut", len(line))
            return (*counters, *[None] * (3 - len(counters))), None
        note = tokens[3 + before].strip() if len(tokens) > 3 + before else ""
        if behind:
            note = " ".join(note.split()[:-behind])
        return tuple(counters), note or None

    def _scan(self, pool: str, fields: dict[str, list[str]], files: int) -> dict[str, Any]:
        data_errors = _data_errors(fields.get("errors", [""])[0], files)
        try:
            scans = [read_scan(text, self.local) for name in _SCANS for text in fields.get(name, [])]
        except ValueError as e:
            raise self.bad(*self._scan_at, str(e)) from e
        return _foremost(scans, pool, data_errors)

    def _json(self, lines: list[str], at: int) -> Iterator[tuple[list[_Row], dict[str, Any]]]:
        try:
            pools = self.document(lines, at)["pools"]
            for key, pool in pools.items():
                name = str(pool.get("name", key))  # the key is a guid with --json-pool-key-guid
                yield list(_json_rows(name, pool)), self._json_scan(name, pool)
        except ParseError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as e:
            raise self.bad(at, lines[at], f"not the JSON of zpool status: {type(e).__name__} {e}") from e

    def _json_scan(self, pool: str, data: dict[str, Any]) -> dict[str, Any]:
        errors = _number(data.get("error_count"))
        stats = data.get("scan_stats") or {}
        scans = [self._json_pass(_Pass.of_scan(stats))] if stats.get("function", "NONE") != "NONE" else []
        scans += [self._json_pass(_Pass.of_rebuild(s)) for s in (stats.get("rebuild_stats") or {}).values()]
        expand, remove = data.get("raidz_expand_stats"), data.get("removal_stats")
        if expand and expand.get("state") != "NONE":
            scans.append(self._json_pass(_Pass.of_copy(expand, "expansion", "to_reflow", "reflowed")))
        if remove and remove.get("state") != "NONE":
            scans.append(self._json_pass(_Pass.of_copy(remove, "removal", "to_copy", "copied")))
        return _foremost(scans, pool, errors)

    def _json_pass(self, p: _Pass) -> dict[str, Any]:
        out: dict[str, Any] = {
            "scan": p.scan,
            "state": p.state,
            "fraction": 1.0 if p.state == "finished" else None,
            "scanned": p.scanned,
            "issued": p.issued,
            "total": p.total,
            "repaired": p.repaired,
            "errors": p.errors,
            "ended": p.end,
            "text": f"{p.scan} {p.state.replace('_', ' ')} since {p.since}",
        }
        if p.state == "finished":
            out["elapsed"] = (p.end - p.start).total_seconds() if p.start and p.end else None
        elif p.state in ("in_progress", "paused"):
            out["ended"] = None
            done = p.scanned if p.issued is None else p.issued
            out["fraction"] = done / p.total if p.total else None
            spent = p.spent(self.stamp)
            if spent is not None:
                out["elapsed"] = spent
                if p.state == "in_progress":
                    rate = out["rate"] = (done if p.this_pass is None else p.this_pass) / spent
                    out["eta"] = max(p.total - done, 0.0) / rate if rate >= MIN_RATE else None
        return out


_Row = tuple[Vdev, str, tuple[float | None, ...], str | None]
_STATE = {"SCANNING": "in_progress", "ACTIVE": "in_progress", "FINISHED": "finished", "COMPLETE": "finished"}
_STATE |= {"CANCELED": "canceled"}


@dataclass(frozen=True, slots=True)
class _Pass:
    """A scan, rebuild, expansion or removal as JSON tells of it; times by the host's clock, sizes in bytes.

    `issued` is None where bytes are not issued apart from being scanned; `this_pass` is what was done since
    `begun` (epoch; a pass begins anew at import and after a pause), where told; `took` its seconds, where told.
    """

    scan: str
    state: str
    since: str
    start: datetime | None
    end: datetime | None
    scanned: float
    issued: float | None
    total: float
    repaired: float | None
    errors: float | None
    this_pass: float | None
    begun: float | None
    paused: float
    took: float | None

    def spent(self, now: float | None) -> float | None:
        """Seconds of this pass, at least 1; None where no clock tells."""
        if self.took is not None:
            return max(self.took, 1.0)
        return max(now - self.begun - self.paused, 1.0) if now and self.begun else None

    @classmethod
    def of_scan(cls, stats: dict[str, Any]) -> _Pass:
        paused = stats.get("scrub_pause", "-") not in ("-", 0, "0")
        state = _STATE.get(stats["state"], "none")
        n = {k: _number(stats.get(k)) for k in ("examined", "issued", "skipped", "to_examine", "processed", "errors")}
        return cls(
            scan=stats["function"].lower(),
            state="paused" if paused and state == "in_progress" else state,
            since=str(stats.get("start_time")),
            start=_moment(stats.get("start_time")),
            end=_moment(stats.get("end_time")),
            scanned=n["examined"] or 0.0,
            issued=n["issued"] or 0.0,
            total=max((n["to_examine"] or 0.0) - (n["skipped"] or 0.0), 0.0),
            repaired=n["processed"],
            errors=n["errors"],
            this_pass=_number(stats.get("issued_bytes_per_scan")),
            begun=_number(stats.get("pass_start")),
            paused=_number(stats.get("scrub_spent_paused")) or 0.0,
            took=None,
        )

    @classmethod
    def of_rebuild(cls, stats: dict[str, Any]) -> _Pass:
        """A sequential resilver of one mirror or draid; its progress is what it has scanned."""
        return cls(
            scan="resilver",
            state=_STATE.get(stats["state"], "none"),
            since=str(stats.get("start_time")),
            start=_moment(stats.get("start_time")),
            end=_moment(stats.get("end_time")),
            scanned=_number(stats.get("scanned")) or 0.0,
            issued=None,
            total=_number(stats.get("to_scan")) or 0.0,
            repaired=_number(stats.get("rebuilt")),
            errors=_number(stats.get("errors")),
            this_pass=_number(stats.get("pass_scanned")),
            begun=None,
            paused=0.0,
            took=_seconds(stats.get("pass_time")),
        )

    @classmethod
    def of_copy(cls, stats: dict[str, Any], scan: str, total: str, done: str) -> _Pass:
        waiting = stats.get("waiting_for_resilver", 0) not in (0, "0")
        state = _STATE.get(stats["state"], "none")
        start = stats.get("start_time")
        return cls(
            scan=scan,
            state="paused" if waiting and state == "in_progress" else state,
            since=str(start),
            start=_moment(start),
            end=_moment(stats.get("end_time")),
            scanned=_number(stats.get(done)) or 0.0,
            issued=None,
            total=_number(stats.get(total)) or 0.0,
            repaired=None,
            errors=None,
            this_pass=None,
            begun=_number(start) if str(start).isdecimal() else None,
            paused=0.0,
            took=None,
        )


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

    kind = re.match(r"(?:error )?(scrub|resilver|expan|Evacuation|Removal)", text)
    scan = _KINDS[kind[1]] if kind else "none"
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
    elapsed = span(rf"(?:progress for|after) {_SPAN}") if running or "after" in text else span(rf" in {_SPAN}(?: |,)")
    if elapsed is None and running and since and local:
        elapsed = max((local - since).total_seconds(), 0.0)
    eta = span(rf"{_SPAN} to go")
    if eta is not None and fraction and (not 0 < (percent(fraction) or 0.0) <= 1 or eta > CENTURY):
        eta = None  # of nothing done none is honest, and beyond the end, where some scrubs get, it has wrapped around
    errors = find(r"with ([0-9]{1,18}) errors")
    if re.search(r"issued(?! I/O)", text):  # the rate of the scan runs ahead of it; below 1 B/s none is printed
        rate = number(rf"issued(?: at)? {_SIZE}/s")
        rate = 0.0 if rate is None and state == "in_progress" else rate
    else:
        rate = number(rf" at {_SIZE}/s")
    return {
        "scan": scan,
        "state": state,
        "fraction": 1.0 if state == "finished" else percent(fraction) if fraction else None,
        "scanned": number(rf"{_SIZE} (?:/ \S+ )?(?:scanned|copied)"),
        "issued": number(rf"{_SIZE} (?:/ \S+ )?issued(?! I/O)"),
        "total": number(rf"/ {_SIZE} (?:issued|copied)|{_SIZE} total|out of {_SIZE}") or number(rf"/ {_SIZE} scanned"),
        "rate": rate,
        "elapsed": elapsed,
        "eta": eta,
        "repaired": number(rf"(?:scrub repaired|resilvered(?: \(\S+\))?) {_SIZE} in|{_SIZE} (?:repaired|resilvered)"),
        "errors": float(errors) if errors else None,
        "text": text,
        "ended": None if running else ended,
    }


_KINDS = {
    "scrub": "scrub",
    "resilver": "resilver",
    "expan": "expansion",
    "Evacuation": "removal",
    "Removal": "removal",
}


def _foremost(scans: list[dict[str, Any]], pool: str, data_errors: float | None) -> dict[str, Any]:
    """The scan to speak of; an expansion or removal only while it runs and nothing else does."""
    kept = [s for s in scans if s["scan"] in ("scrub", "resilver", "none") or s["state"] in ("in_progress", "paused")]

    def weight(s: dict[str, Any]) -> tuple[bool, bool, datetime]:
        running = s["state"] in ("in_progress", "paused")
        return running, s["scan"] in ("scrub", "resilver"), s["ended"] or datetime.min

    scan = max(reversed(kept), key=weight) if kept else {"scan": "none", "state": "none"}
    return scan | {"pool": pool, "errors": data_errors if scan.get("errors") is None else scan["errors"]}


def _moment(value: object) -> datetime | None:
    """A time of JSON: epoch seconds with --json-int or -p, else as in the text; None for 0 and '-'."""
    text = str(value)
    if text.isdecimal() and len(text) < 12:
        return datetime.fromtimestamp(int(text), UTC).replace(tzinfo=None) if int(text) else None
    return _day(text)


def _seconds(value: object) -> float | None:
    """A span of JSON: nanoseconds, or text such as '12s'; None where it is absent."""
    return None if value is None else nanoseconds(str(value))[0]


def _day(text: str | None) -> datetime | None:
    """'Mon Nov 23 15:58:49 2026', also with a time zone before the year, as the host's local time."""
    if not text:
        return None
    tokens = text.split()
    try:
        return datetime.strptime(" ".join([*tokens[:4], *tokens[-1:]]), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return None


def _start(line: str) -> int:
    """The column of the first character that is no blank."""
    return len(line) - len(line.lstrip()) + 1


def _lists_files(field: re.Match[str]) -> bool:
    return field[1] == "errors" and "errors have been detected" in field[2]


@dataclass(slots=True)
class _Open:
    """The pool that is being read: its fields, the lines of its configuration, its damaged files."""

    pool: str = ""
    last: str = ""
    """The field that lines belong to."""
    fields: dict[str, list[str]] = field(default_factory=dict)
    rows: list[tuple[int, str]] = field(default_factory=list)
    blank: bool = False
    """A blank line since that field."""
    gap: bool = False
    """A line that is no row stood behind the rows."""
    lists: bool = False
    indent: int = 0
    """Column of the field."""
    files: int = 0
    inside: bool | None = None
    """The list of files stands further in than its heading."""

    def is_row(self, line: str) -> bool:
        """Whether a line below `config:` is a row; behind a gap only what can be nothing else."""
        if len(line) >= LONGEST:
            return False
        text = line.expandtabs().rstrip()
        if _COUNTED.fullmatch(text) or (self.rows and text.strip() in SECTIONS):
            return True
        m = _ROW.fullmatch(text)
        return m is not None and (not self.gap or (m[1] != "" and " " not in m[2]))

    def is_beside(self, lines: list[str], i: int) -> bool:
        """Whether line i, which is no row, is somebody's own: not indented, or a word behind the last."""
        if lines[i][0].strip() or _LEFT_OUT.fullmatch(lines[i]):
            return True
        return len(lines[i].split()) == 1 and i + 1 < len(lines) and not self.is_row(lines[i + 1])

    def add(self, line: str) -> None:
        """What the field goes on to say. A scan has no empty line, but words may follow one."""
        if self.last == "dedup" or (self.last in _SCANS and self.blank and not _OF_SCAN.search(line)):
            return
        said = self.fields[self.last]
        if len(said[-1]) < LONGEST:
            said[-1] += " " + line.strip()[:LONGEST]

    def count(self, line: str) -> None:
        """A line of the list of damaged files: the rest of a name that is broken does not stand in."""
        if not any(c.isalnum() for c in line[:LONGEST]):
            self.lists = bool(self.inside or not self.files)  # without indentation nothing else ends it
            return
        deeper = _start(line) > self.indent
        self.inside = deeper if self.inside is None else self.inside
        self.files += deeper or not self.inside

    def ends_list(self, lines: list[str], i: int, field: re.Match[str] | None) -> bool:
        """Whether line i is no name of a damaged file: a command, the next pool, or the table of -D."""
        if field is None:
            return self.files > 0 and _start(lines[i]) <= self.indent and is_command(lines[i])
        if field[1] == "dedup":
            return field[2].startswith(("DDT entries", "no DDT entries"))
        if field[1] != "pool" or _start(lines[i]) > self.indent + 2:
            return False
        then = _FIELD.match(lines[i + 1]) if i + 1 < len(lines) else None
        return then is not None and then[1] in ("state", "id")


_OF_SCAN = re.compile(r"[0-9]\S* (?:/|scanned|issued|copied|repaired|resilvered)|[0-9]% done|to go")
_NO_POOLS = ("no pools available", "all pools are healthy")
_HEALTHY = re.compile(r"\s*pool '.{1,255}' is healthy\s*")
_LEFT_OUT = re.compile(r"\s*(?:[^\w\s]{1,40}|[<\[(].{0,200}[>\])])\s*")
"""Where somebody left lines out."""


def _is_flat(rows: list[str]) -> bool:
    """Whether every row of a configuration stands in the same column, though there are groups."""
    rows = [row.expandtabs() for row in rows if row.split()[:2] != ["NAME", "STATE"]]
    depths = {len(row) - len(row.lstrip()) for row in rows}
    return len(depths) == 1 and len(rows) > 2 and any(is_group(row.split()[0]) for row in rows)


def _data_errors(text: str, files: int) -> float | None:
    """The pool's damaged files or objects, from `errors:` and the length of the list below it."""
    if text.startswith("No known"):
        return 0.0
    m = re.match(r"([0-9]{1,18}) data errors?", text)
    if m:
        return float(m[1])
    if "errors have been detected" not in text:
        return None
    heading = "persistent" in text  # DATASET OBJECT RANGE
    return float(max(1, files - heading))


def _number(value: object) -> float | None:
    """A JSON number, given as a number, as digits or as "1.37M"."""
    return None if value is None else size(str(value))[0]


AUX = {
    "OPEN_FAILED": "cannot open",
    "CORRUPT_DATA": "corrupted data",
    "NO_REPLICAS": "insufficient replicas",
    "BAD_GUID_SUM": "missing device",
    "BAD_LABEL": "invalid label",
    "VERSION_NEWER": "newer version",
    "UNSUP_FEAT": "unsupported feature(s)",
    "SPARED": "currently in use",
    "ERR_EXCEEDED": "too many errors",
    "IO_FAILURE": "experienced I/O failures",
    "BAD_LOG": "bad intent log",
    "EXTERNAL": "external device fault",
    "SPLIT_POOL": "split into new pool",
    "ACTIVE": "currently in use",
    "CHILDREN_OFFLINE": "all children offline",
}
"""Why a vdev is not well: the names of JSON and the words of the text."""


def _json_rows(name: str, pool: dict[str, Any]) -> Iterator[_Row]:
    scan = pool.get("scan_stats") or {}
    healing = "" if scan.get("state") != "SCANNING" else "repairing" if scan["function"] == "SCRUB" else "resilvering"
    tree = Tree()

    def note_of(data: dict[str, Any]) -> str | None:
        notes = []
        if "was" in data:
            notes.append(f"was {data['was']}")
        elif data.get("aux", "NONE") != "NONE":
            notes.append(AUX.get(data["aux"], str(data["aux"]).lower().replace("_", " ")))
        if data.get("removing") not in (None, 0, "0"):
            notes.append("(removing)")
        if not data.get("vdevs") and healing and data["state"] == "ONLINE":
            if _number(data.get("scan_processed")):
                notes.append(f"({healing})")
            elif data.get("resilver_deferred") not in (None, 0, "0"):
                notes.append("(awaiting resilver)")
        return "  ".join(notes) or None

    def row(vdev: Vdev, data: dict[str, Any]) -> _Row:
        counters = tuple(_number(data.get(f"{k}_errors")) for k in ("read", "write", "checksum"))
        state = data.get("state", "UNAVAIL")  # a spare that cannot be opened has none
        if not isinstance(state, str):
            raise TypeError(f"state is {state!r}")
        return vdev, state, counters, note_of({**data, "state": state})

    def walk(children: dict[str, Any], depth: int) -> Iterator[_Row]:
        for child, data in children.items():
            yield row(tree.vdev(depth, child), data)
            yield from walk(data.get("vdevs", {}), depth + 1)

    roots = list(pool.get("vdevs", {}).values())
    for root in roots:
        suspended = {"state": "SUSPENDED"} if pool.get("state") == "SUSPENDED" else {}
        yield row(tree.pool(name), {**root, **suspended})
        yield from walk(root.get("vdevs", {}), 1)
    if not roots and "state" in pool:
        yield row(tree.pool(name), {"state": pool["state"]})
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
