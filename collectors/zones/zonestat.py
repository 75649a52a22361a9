"""zonestat(1) of Solaris 11: parseable (-p) and for people, with zoneadm's listing in the same stream.

Parseable lines, with an epoch in front under -T u:

    interval:processor-set:TYPE:PSET:ZONE:USED:PCT:CAP:PCTCAP:SHARES:PCTSHARES:PCTSHARESUSED:TIME
    interval:{physical,virtual}-memory:NAME:ZONE:USED:PCT:CAP:PCTCAP      (also processes, lwps)
    interval:summary:ZONE:CPUS:PART:PCTCPUCAP:PCTSHARES:RSS:PCT:PCTCAP:VM:PCT:PCTCAP:NET:PCT

between `interval:header:…` and `interval:footer:…`; `[total]`, `[system]` and `[resource]` are no zones. CPU is
in CPUs, sizes have a K, M or G, '-' is none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan

from collectors.base import Batch, Context, ParseError
from collectors.sh import lines, whole
from collectors.zones.solaris import CONFIG, LISTING
from collectors.zones.zoneadm import NUMBER, Listing, size
from frames.schemas import ZONE_USAGE

MEMORY = {"physical-memory": ("rss", "rss_cap"), "virtual-memory": ("swap", "swap_cap")}
COUNTS = {"processes": "nproc", "lwps": "nlwp"}
RESOURCES = "psets,physical-memory,virtual-memory,processes,lwps"


def cores(text: str) -> float:
    """CPUs or a plain count; NaN for '-', 'inf' and 'no-fss'. Raises ValueError."""
    if text in ("-", "inf", "no-fss"):
        return nan
    if not text.replace(".", "", 1).isdecimal() or len(text) > 20:
        raise ValueError(f"not a number: {text!r}")
    return float(text)


class Zonestat:
    """Rows of an interval, made at its footer (or at the empty line that ends the form for people)."""

    source = "zone_usage"

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.line_no = 0
        self._stamp: float | None = None
        self._rows: dict[str, dict[str, float]] = {}
        self._listing = Listing()

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        words = line.split(":")
        if len(words) > 1 and words[1] == "interval" and NUMBER.match(words[0]) and len(words[0]) < 12:
            self._stamp = float(words[0])
            words = words[1:]
        try:
            if words[0] == "interval" and len(words) > 2:
                return self._parseable(words)
            return self._text(line)
        except ValueError as e:
            self._rows = {}
            raise ParseError(self.source, self.ctx.host, self.line_no, line, str(e)) from e

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return self._close()

    def _row(self, zone: str) -> dict[str, float]:
        return self._rows.setdefault(zone, {})

    def _parseable(self, words: list[str]) -> list[Batch]:
        resource = words[1]
        if resource == "header":
            self._rows = {}
        elif resource == "footer":
            return self._close()
        elif resource == "processor-set" and len(words) >= 10 and words[4][:1] != "[":
            row = self._row(words[4])
            row["cpu"] = row.get("cpu", 0.0) + cores(words[5])
            row["cpu_cap"] = cores(words[7])
            row["cpu_shares"] = cores(words[9])
        elif resource in MEMORY and len(words) >= 7 and words[3][:1] != "[":
            used, cap = MEMORY[resource]
            row = self._row(words[3])
            row[used], row[cap] = size(words[4]), size(words[6])
        elif resource in COUNTS and len(words) >= 5 and words[3][:1] != "[":
            self._row(words[3])[COUNTS[resource]] = size(words[4])
        elif resource == "summary" and len(words) >= 14 and words[2][:1] != "[":
            row = self._row(words[2])
            row["cpu"], row["rss"], row["swap"] = cores(words[3]), size(words[7]), size(words[10])
        return []

    def _text(self, line: str) -> list[Batch]:
        words = line.split()
        if not words or words[0] == "Interval:":
            return self._close()
        if words[0] in ("SUMMARY", "ZONE", "Collecting") or words[0].startswith(("[", "---")):
            return []
        if len(words) in (7, 9) and words[2].endswith("%") and words[4].endswith("%"):
            row = self._row(words[0])
            row["cpu"], row["rss"], row["swap"] = cores(words[1]), size(words[3]), size(words[5])
            return []
        events = self._listing.take(line, self._stamp)
        if events is None:
            raise ValueError("not a line of zonestat or zoneadm")
        return events

    def _close(self) -> list[Batch]:
        rows, self._rows = self._rows, {}
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
            if config and columns["rss_cap"][-1] != columns["rss_cap"][-1]:
                columns["rss_cap"][-1] = config.rss_cap
        stamp, self._stamp = self._stamp, None
        return [Batch("zone_usage", columns, stamp)]


def command() -> Callable[[Context], str]:
    """zonestat beside the loops that list zones and their configuration."""

    def make(ctx: Context) -> str:
        return f"{CONFIG} {LISTING} " + lines(f"zonestat -p -T u -r {RESOURCES} {whole(ctx)}")

    return make
