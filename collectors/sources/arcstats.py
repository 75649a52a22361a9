"""arcstats: what the ZFS cache holds and serves, from the kernel's own counters.

Formats: kstat(1M) with -p and without; OpenZFS /proc/spl/kstat/zfs/arcstats; FreeBSD's sysctl kstat.zfs.misc.
The statistics' names are those of arc.c, which differ little between systems (`NAMES`).
"""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context, Source, Variant
from collectors.rates import Rates
from collectors.reports import Reports
from collectors.sh import whole
from frames.schemas import ARCSTATS

GAUGES = ARCSTATS.of_role("gauge")
RATES = ARCSTATS.of_role("rate")
NAMES = {
    "meta_used": ("arc_meta_used", "meta_used"),
    "meta_limit": ("arc_meta_limit", "meta_limit"),
    "memory_throttle": ("memory_throttle_count",),
}
"""Columns whose statistic has another name, the first one present counts."""

UNSET = 2**64 - 1

KSTAT_P = re.compile(r"^zfs:0:arcstats:(\w+)[ \t]+(-?[0-9]{1,20})(?:[.,]([0-9]{1,12}))?$", re.M)
KSTAT = re.compile(r"^[ \t]+(\w+)[ \t]+(-?[0-9]{1,20})(?:[.,]([0-9]{1,12}))?[ \t]*$", re.M)
PROCFS = re.compile(r"^(\w+) +[34] +(-?[0-9]{1,20})()$", re.M)
SYSCTL = re.compile(r"^kstat\.zfs\.misc\.arcstats\.(\w+)(?:: |=)(-?[0-9]{1,20})()$", re.M)
ASIDE = re.compile(
    r"zfs:0:arcstats:class\s+misc$|module:\s+zfs\s|name:\s+arcstats\s|\s+class\s+misc$"
    r"|[0-9]+ [0-9]+ 0x[0-9a-f]+( [0-9]+){4}$|name +type +data$"
)
"""Lines of a report that carry no statistic."""

SNAPTIME = re.compile(r"^[0-9]+ [0-9]+ 0x[0-9a-f]+ [0-9]+ [0-9]+ [0-9]+ ([0-9]{1,20})$")


class Arcstats(Reports):
    """One row per report; `statistics` finds (name, integer part, fraction) in its text."""

    source = "arcstats"

    def __init__(self, ctx: Context, statistics: re.Pattern[str]) -> None:
        super().__init__(ctx)
        self._find = statistics.findall
        self._rates = Rates()
        self._reports = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        found = self._find("\n".join(lines))
        values = {name: int(number) for name, number, _ in found}
        if len(found) != len(lines):
            for i, line in enumerate(lines):
                if not self._find(line) and not ASIDE.match(line):
                    raise self.bad(i, line, "not a statistic of the ARC")
        if "size" not in values or "hits" not in values:
            raise self.bad(0, lines[0], "no size or hits: not a whole report of arcstats")
        self._reports += 1
        for column, names in NAMES.items():
            values[column] = next((values[n] for n in names if n in values), UNSET)
        get = values.get
        columns: dict[str, list[float]] = {}
        for c in GAUGES:
            v = get(c, UNSET)
            columns[c] = [float(v) if v < UNSET else nan]
        counters = [get(c, nan) for c in RATES]
        for c, rate in zip(RATES, self._rates.step("", self._time(lines, found, stamp), counters), strict=True):
            columns[c] = [rate]
        return [Batch("arcstats", columns, stamp)]

    def _time(self, lines: list[str], found: list[tuple[str, str, str]], stamp: float | None) -> float:
        """The report's moment in seconds: snaptime, else its epoch stamp, else a count of intervals."""
        for name, number, fraction in found:
            if name == "snaptime":
                return float(f"{number}.{fraction or 0}")
        header = SNAPTIME.match(lines[0])
        if header:
            return int(header[1]) / 1e9
        return stamp if stamp is not None else self._reports * self.ctx.interval


SOURCE = Source(
    name="arcstats",
    meaning="size, target and hits of the ZFS cache (ARC) and of its second level",
    tables=("arcstats",),
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
        ),
        Variant(
            name="procfs",
            systems=("linux",),
            command=lambda ctx: f"while cat /proc/spl/kstat/zfs/arcstats && echo; do sleep {ctx.interval:g}; done",
            parser=lambda ctx: Arcstats(ctx, PROCFS),
            probe="test -r /proc/spl/kstat/zfs/arcstats",
            fix="load the OpenZFS module: modprobe zfs",
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
