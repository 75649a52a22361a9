"""zonestat(1) of Solaris 11 and illumos: parseable (-p) and for people, with zoneadm's listing in the same stream.

Parseable lines, under -T with an epoch (u) or an ISO 8601 time (i) in front (zonestat.c):

    interval:processor-set:TYPE:PSET:ZONE:USED:PCT:CAP:PCTCAP:SHARES:PCTSHARES:PCTSHARESUSED:TIME
    interval:{physical,virtual,locked}-memory:NAME:ZONE:USED:PCT:CAP:PCTCAP      (also processes, lwps)
    interval:summary:ZONE:CPUS:PART:PCTCPUCAP:PCTSHARES:RSS:PCT:PCTCAP:VM:PCT:PCTCAP[:NET:PCT]

between `interval:header:…` and `interval:footer:…` (-P may leave both out); `[total]`, `[system]` and `[resource]`
are no zones. CPU is in CPUs, sizes have a K, M or G, '-' is none. Later releases add resources, and fields at the
end. Lines of `report-total`, `report-average` and `report-high` (-R) speak of many intervals and are passed over.

For people: "Interval: N", then for each resource a table with headings of its own, last of them one that begins
with ZONE and names the columns; each ends at an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import nan

from collectors import units
from collectors.base import Batch, Context, ParseError
from collectors.reports import is_prompt
from collectors.sh import lines, whole
from collectors.zones.solaris import LISTING, config
from collectors.zones.states import States
from collectors.zones.zoneadm import Listing, size
from frames.schemas import ZONE_USAGE

MEMORY = {"physical-memory": ("rss", "rss_cap"), "virtual-memory": ("swap", "swap_cap")}
COUNTS = {"processes": "nproc", "lwps": "nlwp"}
RESOURCES = "psets,physical-memory,virtual-memory,processes,lwps"
STAMP = re.compile(r"(?:([0-9]{1,11})|([0-9]{8}T[0-9]{6}Z)):(?=interval:|report-)")
TABLES = {"SUMMARY": "summary", "PROCESSOR_SET": "processor-set", "PHYSICAL-MEMORY": "physical-memory"}
TABLES |= {"VIRTUAL-MEMORY": "virtual-memory", "PROCESSES": "processes", "LWPS": "lwps"}
"""First word of a table's first heading: its resource. Others (LOCKED-MEMORY, NETWORK-DEVICE, …) are passed over."""
HEADING = re.compile(r"[A-Z][A-Z_-]{2,}(?: |$)")
USED = {"summary": ("cpu", "rss", "swap"), "processor-set": ("cpu",), "physical-memory": ("rss",)}
USED |= {"virtual-memory": ("swap",), "processes": ("nproc",), "lwps": ("nlwp",)}
"""What a table's columns USED are, from left to right."""
CAPS = {"processor-set": "cpu_cap", "physical-memory": "rss_cap", "virtual-memory": "swap_cap"}


MOST_ZONES = 10_000


def cores(text: str) -> float:
    """CPUs or a plain count; NaN for '-', 'inf' and 'no-fss'. Raises ValueError."""
    if text in ("-", "inf", "no-fss"):
        return nan
    value, _ = units.size(text)
    return nan if value is None else value


class Zonestat:
    """Rows of an interval, made at its footer (or where the next interval begins)."""

    source = "zone_usage"

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.line_no = 0
        self._stamp: float | None = None
        self._rows: dict[str, dict[str, float]] = {}
        self._cells: set[tuple[str, ...]] = set()
        self._listing = Listing()
        self._table = ""
        self._columns: list[str] = []
        self._report = False
        self._word = ""

    @property
    def states(self) -> States:
        """What is known of the zones; the engine carries it over to the next link."""
        return self._listing.states

    @states.setter
    def states(self, states: States) -> None:
        self._listing.states = states

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        if self.ctx.saved and is_prompt(line):
            return []
        stamp = STAMP.match(line)
        self._word = ""
        try:
            if stamp or line.startswith(("interval:", "report-")):
                return self._parseable(stamp, line)
            return self._text(line)
        except ValueError as e:
            if not self.ctx.saved:
                self._forget()
            column = line.find(self._word) + 1 if self._word else 1
            raise ParseError(self.source, self.ctx.host, self.line_no, line, str(e), column) from e

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return self._close()

    def _forget(self) -> None:
        self._rows, self._cells = {}, set()

    def _row(self, zone: str) -> dict[str, float]:
        if len(self._rows) > MOST_ZONES:
            raise ValueError(f"no end of the interval after {MOST_ZONES} zones")
        return self._rows.setdefault(zone, {})

    def _cpus(self, text: str) -> float:
        self._word = text
        return cores(text)

    def _bytes(self, text: str) -> float:
        self._word = text
        return size(text)

    # -- parseable -----------------------------------------------------------------------------------------

    def _parseable(self, stamp: re.Match[str] | None, line: str) -> list[Batch]:
        words = (line[stamp.end() :] if stamp else line).split(":")
        if words[0] != "interval" or len(words) < 3:
            return []
        out: list[Batch] = []
        resource = words[1]
        if resource == "header":
            out = self._close()
        elif resource == "footer":
            return self._close()
        # Without header and footer (-P zones) an interval ends where a zone's resource comes again.
        zone = {"processor-set": 4, "summary": 2}.get(resource, 3)
        if len(words) > zone and words[zone][:1] != "[":
            cell = (resource, *words[2 : zone + 1])
            if cell in self._cells:
                out = self._close()
            self._cells.add(cell)
            if stamp:
                self._stamp = _epoch(stamp)
            self._resource(resource, words, zone)
        return out

    def _resource(self, resource: str, words: list[str], zone: int) -> None:
        if resource == "processor-set" and len(words) >= 10:
            row = self._row(words[zone])
            row["cpu"] = row.get("cpu", 0.0) + self._cpus(words[5])
            row["cpu_cap"] = self._cpus(words[7])
            row["cpu_shares"] = self._cpus(words[9])
        elif resource in MEMORY and len(words) >= 7:
            used, cap = MEMORY[resource]
            row = self._row(words[zone])
            row[used], row[cap] = self._bytes(words[4]), self._bytes(words[6])
        elif resource in COUNTS and len(words) >= 5:
            self._row(words[zone])[COUNTS[resource]] = self._bytes(words[4])
        elif resource == "summary" and len(words) >= 12:
            row = self._row(words[zone])
            row["cpu"], row["rss"], row["swap"] = (
                self._cpus(words[3]),
                self._bytes(words[7]),
                self._bytes(words[10]),
            )

    # -- for people ----------------------------------------------------------------------------------------

    def _text(self, line: str) -> list[Batch]:
        words = line.split()
        if not words:
            self._columns = []
            return []
        if "Interval:" in words or words[0] == "Report:":
            out = self._close()
            self._report, self._table, self._columns = words[0] == "Report:", "", []
            first = words[0].rstrip(",")
            self._stamp = float(first) if first.isdecimal() and len(first) < 12 else None
            return out
        if self._report or words[0] == "Collecting" or words[0].startswith(("[", "---")):
            return []
        if words[0] == "ZONE":
            self._columns = words
            return []
        if HEADING.match(line):
            self._table, self._columns = TABLES.get(words[0], "other"), []
            return []
        if self._columns and len(words) == len(self._columns):
            self._people(words)
            return []
        if self._table and not self._columns and ":" not in line:
            return []  # the resource itself, under its headings
        if words[:2] == ["mixed", "schedulers"]:
            return []
        events = self._listing.take(line, self._stamp)
        if events is None:
            raise ValueError("not a line of zonestat or zoneadm")
        return events

    def _people(self, words: list[str]) -> None:
        table = self._table or "summary"
        used = iter(USED.get(table, ()))
        found: dict[str, float] = {}
        for column, word in zip(self._columns[1:], words[1:], strict=True):
            if column == "USED":
                name = next(used, "")
                if name:
                    found[name] = self._cpus(word) if name == "cpu" else self._bytes(word)
            elif column == "CAP" and table in CAPS:
                found[CAPS[table]] = self._cpus(word) if table == "processor-set" else self._bytes(word)
            elif column == "SHRS":
                found["cpu_shares"] = self._cpus(word)
        if found:
            row = self._row(words[0])
            if table == "processor-set":
                found["cpu"] = found.get("cpu", nan) + row.get("cpu", 0.0)
            row.update(found)

    # -- rows ----------------------------------------------------------------------------------------------

    def _close(self) -> list[Batch]:
        rows = self._rows
        self._forget()
        if not rows:
            return []
        if self._listing.fresh:
            self._listing.fresh = False
            for name in self._listing.zones:
                rows.setdefault(name, {})
        columns: dict[str, list[object]] = {c: [] for c in ZONE_USAGE.names[2:]}
        for name, row in rows.items():
            state, config = self._listing.zones.get(name), self._listing.config.get(name)
            for column, values in columns.items():
                values.append(row.get(column))
            columns["zone"][-1] = name
            columns["brand"][-1] = state.brand if state else None
            columns["state"][-1] = state.state if state else "running"
            columns["zone_id"][-1] = float(state.id) if state and state.id is not None else nan
            if config:
                for cap, configured in (
                    ("cpu_cap", config.cpu_cap),
                    ("rss_cap", config.rss_cap),
                    ("swap_cap", config.swap_cap),
                    ("cpu_shares", config.shares),
                ):
                    known = columns[cap][-1]
                    if known is None or known != known:
                        columns[cap][-1] = configured
        stamp, self._stamp = self._stamp, None
        return [Batch("zone_usage", columns, stamp)]


def _epoch(stamp: re.Match[str]) -> float:
    if stamp[1]:
        return float(stamp[1])
    return datetime.strptime(stamp[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def command() -> Callable[[Context], str]:
    """zonestat beside the loops that list zones and their configuration."""

    def make(ctx: Context) -> str:
        return f"{config(ctx)} {LISTING} " + lines(f"zonestat -p -T u -r {RESOURCES} {whole(ctx)}")

    return make
