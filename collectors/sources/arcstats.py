"""arcstats: what the ZFS cache holds and serves, from the kernel's own counters.

Formats: kstat(1M) with -p, without, and with -j (illumos: kstat.c); OpenZFS /proc/spl/kstat/zfs/arcstats
(spl-kstat.c); FreeBSD's sysctl kstat.zfs.misc. A parser reads each of them, whatever variant it was made for, and in
saved texts parts of them and arcstat, by its headings.
The statistics' names are those of arc.c, which differ little between systems (`NAMES`, `SUMS`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import nan

from collectors.base import Batch, Context, Source, Variant
from collectors.rates import Rates
from collectors.reports import Reports
from collectors.sh import whole
from frames.schemas import ARCSTATS

RATES = ARCSTATS.of_role("rate")
DERIVED = frozenset(c for c in ARCSTATS.of_role("gauge") if c.endswith("_ratio")) | {"growth", "prefetch_efficiency"}
GAUGES = [c for c in ARCSTATS.of_role("gauge") if c not in DERIVED]
NAMES = {
    "meta_used": ("arc_meta_used", "meta_used"),
    "meta_limit": ("arc_meta_limit", "meta_limit"),
    "memory_throttle": ("memory_throttle_count",),
}
"""Columns whose statistic has another name, the first one present counts."""
SUMS = {
    "evicted": (("evict_l2_cached", "evict_l2_eligible", "evict_l2_ineligible"), ("evict_mru", "evict_mfu")),
    "prefetches": (("predictive_prefetch",), ("prefetch_data_misses", "prefetch_metadata_misses")),
    "prefetches_used": (
        ("demand_hit_predictive_prefetch", "demand_iohit_predictive_prefetch"),
        ("demand_hit_predictive_prefetch",),
    ),
}
"""Columns that are sums of statistics: the first choice of which all are there."""
RATIOS = {
    f"{part}hit_ratio": part
    for part in ("", "demand_data_", "demand_metadata_", "prefetch_data_", "prefetch_metadata_")
}
"""Hit ratios: prefix of the rates that make them."""

STATISTICS = frozenset([*GAUGES, *RATES, *(n for names in NAMES.values() for n in names)])
UNSET = 2**64 - 1
FRACTION = 2**32
"""OpenZFS 2.2 on: meta, pd and pm are fractions of 2**32."""

NUMBER = r"(-?[0-9]{1,20})(?:[.,]([0-9]{1,12}))?"
KSTAT_P = re.compile(rf"^[ \t]*zfs:0:arcstats:(\w+)[ \t:]+{NUMBER}[ \t]*$", re.M)
KSTAT = re.compile(rf"^[ \t]+(\w+)[ \t]+{NUMBER}[ \t]*$", re.M)
PROCFS = re.compile(r"^[ \t]*(\w+) +[0-8] +(-?[0-9]{1,20})()[ \t]*$", re.M)
SYSCTL = re.compile(r"^[ \t]*kstat\.zfs\.misc\.arcstats\.(\w+)(?:: | ?= ?)(-?[0-9]{1,20})()$", re.M)
FORMS = (KSTAT_P, PROCFS, SYSCTL, KSTAT)
ASIDE = re.compile(
    r"zfs:0:arcstats:class[ \t:]+misc\s*$|module:\s+zfs\s|name:\s+arcstats\s|\s+class\s+misc\s*$"
    r"|[0-9]+ [0-9]+ 0x[0-9a-f]+( [0-9]+){4}$|name +type +data$"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
    r"|\w+:[0-9]+:(?!arcstats:)[^:]*:\S|(kstat|vfs)\.zfs\.(?!misc\.arcstats\.)\S+(: | ?= ?)"
)
"""Lines of a report that carry no statistic of the ARC: headings, and what else the command was asked for."""
NAMED = re.compile(r"(?:zfs:0:arcstats:|[ \t]+|kstat\.zfs\.misc\.arcstats\.|(?=\w+ +[0-8] ))\w+[ \t:=]+")
"""A statistic's name: what is wrong in such a line is its value."""
OTHER = re.compile(r"module:\s+\S|name:\s+\S")
SNAPTIME = re.compile(r"^[0-9]+ [0-9]+ 0x[0-9a-f]+ [0-9]+ [0-9]+ [0-9]+ ([0-9]{1,20})\s*$")
AMBIGUOUS = frozenset(["hits", "misses", "deleted", "size"])
"""Statistics that other kstats have as well."""
PRINTED: dict[str, tuple[str, float]] = {
    "arcsz": ("size", 1024),
    "size": ("size", 1024),
    "c": ("c", 1024),
    "hits": ("hits", 1000),
    "miss": ("misses", 1000),
    "mru": ("mru_hits", 1000),
    "mfu": ("mfu_hits", 1000),
    "mrug": ("mru_ghost_hits", 1000),
    "mfug": ("mfu_ghost_hits", 1000),
    "eskip": ("evict_skip", 1000),
    "l2hits": ("l2_hits", 1000),
    "l2miss": ("l2_misses", 1000),
    "l2size": ("l2_size", 1024),
    "l2asize": ("l2_asize", 1024),
    "l2bytes": ("l2_read_bytes", 1024),
    "l2wbytes": ("l2_write_bytes", 1024),
    "hit%": ("hit_ratio", 0),
    **{
        f"{short}{what}": (f"{long}_{column}", scale)
        for short, long in {
            "dd": "demand_data",
            "dm": "demand_metadata",
            "pd": "prefetch_data",
            "pm": "prefetch_metadata",
        }.items()
        for what, column, scale in (
            ("hit", "hits", 1000),
            ("ioh", "iohits", 1000),
            ("mis", "misses", 1000),
            ("h%", "hit_ratio", 0),
        )
    },
}
"""arcstat's headings: column, and what a K is there; 0 for percentages."""
READS = ("ddread", "dmread", "pdread", "pmread")
PRETTY = re.compile(r"([0-9]{1,20}(?:[.,][0-9]{1,9})?)([KMGTPE]?)$")
Found = list[tuple[str, str, str]]
"""(name, integer part, fraction) of each statistic."""


class Arcstats(Reports):
    """One row per report; `form` finds the statistics in the variant's own text, the others are tried after it."""

    source = "arcstats"
    prompts = True
    opening = re.compile(r"\[|module:\s|[0-9]+ [0-9]+ 0x")

    def __init__(self, ctx: Context, form: re.Pattern[str]) -> None:
        super().__init__(ctx)
        self._forms = (form, *(f for f in FORMS if f is not form))
        self._rates = Rates()
        self._reports = 0
        self._size: tuple[str, float, float] = ("", nan, nan)
        self._headings: list[str] = []

    def feed(self, line: str, at: float) -> list[Batch]:
        if self.ctx.saved:
            words = line.split()
            if "read" in words and {"c", "arcsz", "miss%", "hit%", "ddh%"} & set(words):
                self.line_no += 1
                self._headings = words
                return []
            if self._headings and len(words) == len(self._headings) and not words[-1].isalpha():
                self.line_no += 1
                return self._printed(line, words)
        return super().feed(line, at)

    def _printed(self, line: str, words: list[str]) -> list[Batch]:
        """A line of arcstat: the rates of an interval, but the first's."""
        self._first = self.line_no
        row = dict.fromkeys(ARCSTATS.names[2:], nan)
        read = misses = nan
        idle = set()  # a ratio of nothing is printed as 0
        for heading, word in zip(self._headings, words, strict=True):
            column, scale = PRINTED.get(heading, ("", 0))
            if not column and heading not in ("read", "miss%", *READS):
                continue
            match = PRETTY.match(word)
            if not match:
                raise self.bad(0, line, f"arcstat: no number under {heading}", line.find(word) + 1)
            value = float(match[1].replace(",", ".")) * (scale or 1000) ** " KMGTPE".index(match[2] or " ")
            if heading in ("read", *READS):
                read = value if heading == "read" else read
                if not value:
                    idle.add(PRINTED["hit%" if heading == "read" else f"{heading[:-4]}h%"][0])
            elif heading == "miss%":
                misses = value / 100
            else:
                row[column] = value if scale else value / 100
        if row["hits"] != row["hits"]:
            row["hits"] = read - row["misses"]
        if read > 0 and row["misses"] == row["misses"]:
            row["hit_ratio"] = 1 - row["misses"] / read
        elif row["hit_ratio"] != row["hit_ratio"]:
            row["hit_ratio"] = 1 - misses
        row.update(dict.fromkeys(idle, nan))
        stamp = float(words[0]) if words[0].isdecimal() and len(words[0]) == 10 else None
        batches = [Batch("arcstats", {c: [v] for c, v in row.items()}, stamp)]
        self._reports += 1
        if self._reports == 1:
            return self.since_boot(batches)
        self._shown = True
        return batches

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        first = lines[0]
        if first[0] in "[{":
            found = self._json(lines)
        elif OTHER.match(first) and not any(ASIDE.match(line) for line in lines[1:2]):
            return []  # the long form of another kstat
        else:
            found = self._text(lines)
        if self.ctx.saved and self._reports and not found:
            return []  # other statistics, behind those of the ARC
        values = {name: int(number) for name, number, _ in found}
        whole = "size" in values and "hits" in values
        if not (whole or (self.ctx.saved and self._of_the_arc(lines, values))):
            raise self.bad(0, first, "no size or hits: not a whole report of arcstats", 1)
        self._reports += 1
        kind, moment = self._time(first, found, stamp)
        columns = self._levels(values)
        counters = [self._counter(values, c) for c in RATES]
        rates = dict(zip(RATES, self._rates.step(kind, moment, counters), strict=True))
        before, then, size = self._size
        self._size = (kind, moment, columns["size"])
        derived = _derived(rates.__getitem__)
        derived["growth"] = (columns["size"] - size) / (moment - then) if kind == before and moment > then else nan
        row = {**columns, **derived, **rates}
        events = self._rates.events("arcstats", lambda _: "the ARC", stamp, uptime=kind == "snaptime")
        return [*events, Batch("arcstats", {c: [v] for c, v in row.items()}, stamp)]

    @staticmethod
    def _of_the_arc(lines: list[str], values: dict[str, int]) -> bool:
        """Whether a part of a report, which somebody cut out, is of the ARC."""
        known = values.keys() & STATISTICS
        return bool(known - AMBIGUOUS or (known and "arcstats" in lines[0]))

    def _text(self, lines: list[str]) -> Found:
        """The statistics of a report in one of `FORMS`. Raises ParseError for a line that none explains."""
        text = "\n".join(lines)
        for form in self._forms:
            found = form.findall(text)
            if found:
                break
        else:
            form, found = self._forms[0], []
        if len(found) != len(lines):
            for i, line in enumerate(lines):
                if not form.match(line) and not ASIDE.match(line):
                    named = NAMED.match(line)
                    raise self.bad(i, line, "not a statistic of the ARC", named.end() + 1 if named else 1)
        return found

    def _json(self, lines: list[str]) -> Found:
        """The statistics of kstat -j: an array of objects with name and data."""
        try:
            read = json.loads("\n".join(lines), parse_int=str, parse_float=str, parse_constant=str)
        except json.JSONDecodeError as e:
            i = min(e.lineno, len(lines)) - 1
            raise self.bad(i, lines[i], f"kstat -j: {e.msg}", e.colno) from e
        except RecursionError as e:
            raise self.bad(0, lines[0], "kstat -j: nested too deep", 1) from e
        for kstat in read if isinstance(read, list) else [read]:
            if isinstance(kstat, dict) and kstat.get("name") == "arcstats" and isinstance(kstat.get("data"), dict):
                data = {"snaptime": kstat.get("snaptime", ""), **kstat["data"]}
                text = "\n".join(f"\t{k}\t{v}" for k, v in data.items() if isinstance(v, str))
                return KSTAT.findall(text)
        raise self.bad(0, lines[0], "kstat -j: no arcstats", 1)

    def _levels(self, values: dict[str, int]) -> dict[str, float]:
        """The gauges as they were read; 2**64 - 1 stands for none."""
        columns: dict[str, float] = {}
        for c in GAUGES:
            v = next((values[n] for n in NAMES.get(c, (c,)) if n in values), UNSET)
            columns[c] = float(v) if v < UNSET else nan
        if "p" not in values and {"c", "meta", "pd", "pm"} <= values.keys():
            meta, pd, pm = (values[n] / FRACTION for n in ("meta", "pd", "pm"))
            columns["p"] = columns["c"] * (meta * pm + (1 - meta) * pd)
        return columns

    @staticmethod
    def _counter(values: dict[str, int], column: str) -> float:
        choices = SUMS.get(column)
        if choices is None:
            return next((values[n] for n in NAMES.get(column, (column,)) if n in values), nan)
        return next((sum(values[n] for n in names) for names in choices if all(n in values for n in names)), nan)

    def _time(self, first: str, found: Found, stamp: float | None) -> tuple[str, float]:
        """The report's moment in seconds, by its kind: snaptime, else its epoch stamp, else a count of intervals."""
        for name, number, fraction in found:
            if name == "snaptime":
                return "snaptime", float(f"{number}.{fraction or 0}")
        header = SNAPTIME.match(first)
        if header:
            return "snaptime", int(header[1]) / 1e9
        if stamp is not None:
            return "stamp", stamp
        return "count", self._reports * self.ctx.interval


def _derived(rate: Callable[[str], float]) -> dict[str, float]:
    """Ratios of an interval from its rates; NaN where nothing was accessed, issued or missed."""
    out = {}
    for column, prefix in RATIOS.items():
        hits, under_way = rate(f"{prefix}hits"), rate(f"{prefix}iohits")
        accesses = hits + rate(f"{prefix}misses") + (under_way if under_way == under_way else 0.0)
        out[column] = hits / accesses if accesses > 0 else nan
    issued, used = rate("prefetches"), rate("prefetches_used")
    # A block may be used an interval after its prefetch was issued.
    out["prefetch_efficiency"] = min(1.0, used / issued) if issued > 0 and used == used else nan
    misses, ghosts = rate("misses"), rate("mru_ghost_hits") + rate("mfu_ghost_hits")
    out["ghost_hit_ratio"] = min(1.0, ghosts / misses) if misses > 0 and ghosts == ghosts else nan
    return out


SOURCE = Source(
    name="arcstats",
    meaning="size, target and hits of the ZFS cache (ARC) and of its second level",
    tables=("arcstats", "events"),
    interval=1.0,
    variants=(
        Variant(
            name="kstat",
            systems=("solaris10", "solaris11", "illumos"),
            command=lambda ctx: f"kstat -T u -p zfs:0:arcstats {whole(ctx)}",
            parser=lambda ctx: Arcstats(ctx, KSTAT_P),
            probe="kstat -p zfs:0:arcstats:size | grep size",
            fix="load ZFS (zpool list) and give the user kstat(1M), which every user may run",
        ),
        Variant(
            name="kstat-long",
            systems=("solaris10", "solaris11", "illumos"),
            command=lambda ctx: f"kstat zfs:0:arcstats {whole(ctx)}",
            parser=lambda ctx: Arcstats(ctx, KSTAT),
            probe="kstat zfs:0:arcstats | grep size",
            fix="load ZFS (zpool list) and give the user kstat(1M), which every user may run",
            tool="kstat",
        ),
        Variant(
            name="procfs",
            systems=("linux",),
            command=lambda ctx: f"while cat /proc/spl/kstat/zfs/arcstats && echo; do sleep {ctx.interval:g}; done",
            parser=lambda ctx: Arcstats(ctx, PROCFS),
            probe="test -r /proc/spl/kstat/zfs/arcstats",
            fix="load the OpenZFS module: modprobe zfs",
            tool="/proc/spl",
        ),
        Variant(
            name="sysctl",
            systems=("freebsd",),
            command=lambda ctx: (
                f"while date +%s && sysctl kstat.zfs.misc.arcstats && echo; do sleep {ctx.interval:g}; done"
            ),
            parser=lambda ctx: Arcstats(ctx, SYSCTL),
            probe="sysctl -n kstat.zfs.misc.arcstats.size",
            fix="load ZFS: kldload zfs",
        ),
    ),
)
