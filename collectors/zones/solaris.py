"""Zones of Solaris 10 and illumos: prstat -Z, rcapstat -z, zoneadm list -cp and zone kstats in one stream.

Each tool streams on its own and the lines come mixed; each line tells by its shape where it belongs:

* kstat -p lines hold a tab; a report of them ends at an empty line or at the epoch line of the next (-T u).
* prstat(1M): ZONEID NPROC SWAP RSS MEMORY TIME CPU ZONE, closed by "Total:". CPU is the share of all CPUs.
* rcapstat(1M): id zone nproc vm rss cap at avgat pg avgpg; pg is what was paged out since its last report.
* zoneadm(1M): id:name:state:path:uuid:brand:ip-type[:debugid], closed by our own line "zones.".
* /etc/zones/*.xml: configured caps and shares, for what no kstat tells.

A row per zone is made when a kstat report ends, with the newest of the rest beside it. Without kstat
(`kstats=False`) rows are made when prstat's report ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import nan

from collectors.base import Batch, Context, ParseError
from collectors.rates import Rates, per
from collectors.sh import beside, lines, whole
from collectors.zones.zoneadm import NUMBER, SIZE, Config, Listing, size
from frames.schemas import ZONE_IO, ZONE_USAGE

KSTAT = re.compile(r"^(\w+):(\d{1,9}):([^:\n]*):([^:\t\n]+)\t(.*)$", re.M)
SNAPTIME = re.compile(r"[0-9]{1,12}([.,][0-9]{1,12})?$")
PERCENT = re.compile(r"[0-9.]{1,6}%$")
STALE = 6
"""prstat's numbers are dropped when this many kstat reports have passed since."""
RCAP_EVERY = 5
"""Interval of rcapstat, seconds: rcapd itself samples every 5 s."""
MOST_LINES = 50_000


@dataclass(slots=True)
class Prstat:
    """A prstat -Z row."""

    nproc: float
    swap: float
    rss: float
    share: float
    name: str


@dataclass(slots=True)
class Rcap:
    """An rcapstat -z row: cap in bytes, bytes a second paged out."""

    cap: float
    pagedout: float


@dataclass(slots=True)
class Counters:
    """A zone's kstats of one report: 'cpucaps:usage' -> text."""

    get: dict[str, str] = field(default_factory=dict)

    def number(self, key: str) -> float:
        """The value, NaN where it is absent or stands for 'none'."""
        text = self.get.get(key)
        if text is None or not NUMBER.match(text):
            return nan
        value = int(text)
        return nan if value >= 2**63 else value

    def cap(self, key: str) -> float:
        """As `number`; a missing cap also shows as 0."""
        value = self.number(key)
        return value if value > 0 else nan


NO_CONFIG = Config()

CPU = ("zones:nsec_user", "zones:nsec_sys", "zones:nsec_waitrq", "cpucaps:above_sec")
MEMORY = ("memory_cap:pagedout", "memory_cap:anon_alloc_fail")
IO = (
    *(f"zone_vfs:{s}" for s in ("reads", "writes", "nread", "nwritten", "rlentime", "wlentime")),
    *(f"zone_vfs:{s}" for s in ("10ms_ops", "100ms_ops", "1s_ops", "10s_ops", "delay_cnt", "delay_time")),
    *(f"zone_zfs:{s}" for s in ("reads", "writes")),
)
IO_COLUMNS = ("ops_10ms", "ops_100ms", "ops_1s", "ops_10s", "delay_cnt", "delay_time")


class Zones:
    """Parser of the mixed stream. `size` units are bytes, CPU is in cores (prstat's share times facts' ncpu)."""

    source = "zone_usage"

    def __init__(self, ctx: Context, *, kstats: bool = True) -> None:
        self.ctx = ctx
        self.line_no = 0
        ncpu = ctx.facts.get("ncpu", "")
        self._ncpu = float(ncpu) if NUMBER.match(ncpu) else nan
        self._with_kstats = kstats
        self._kstats: list[str] = []
        self._kstats_from = 0
        self._expect = 0
        self._stamp: float | None = None
        self._rates = Rates()
        self._names: dict[int, str] = {}
        self._listing = Listing()
        self._prstat: dict[int, Prstat] = {}
        self._prstat_next: dict[int, Prstat] = {}
        self._prstat_age = STALE
        self._rcap: dict[int, Rcap] = {}

    # -- lines ---------------------------------------------------------------------------------------------

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        if "\t" in line:
            if not self._kstats:
                self._kstats_from = self.line_no
            self._kstats.append(line)
            if len(self._kstats) > MOST_LINES:
                self._kstats = []
                raise self._bad(line, f"no end of the report after {MOST_LINES} lines")
            return []
        if not line or (line.isdecimal() and len(line) < 12):
            out = self._close(at) if self._kstats else []
            if line:
                self._stamp = float(line)
            return out
        return self._other(line)

    def idle(self, at: float) -> list[Batch]:
        return self._close(at) if self._kstats and len(self._kstats) == self._expect else []

    def end(self, at: float) -> list[Batch]:
        return self._close(at) if self._kstats else []

    def _bad(self, line: str, why: str) -> ParseError:
        return ParseError(self.source, self.ctx.host, self.line_no, line, why)

    def _other(self, line: str) -> list[Batch]:
        words = line.split()
        if not words:
            return []
        first, n = words[0], len(words)
        if first == "Total:":
            self._prstat, self._prstat_next, self._prstat_age = self._prstat_next, {}, 0
            return [] if self._with_kstats else self._rows({}, nan, None)
        if n == 8 and PERCENT.match(words[4]) and PERCENT.match(words[6]):
            self._prstat_row(line, words)
        elif first == "ZONEID":
            self._prstat_next = {}
        elif first == "rcapd":
            self._rcap = {}
        elif n == 10 and NUMBER.match(first) and SIZE.match(words[5]) and SIZE.match(words[9]):
            self._rcap_row(line, words)
        elif first in ("PID", "id") or (n >= 10 and NUMBER.match(first) and "/" in line):
            pass  # headings, and the processes of prstat's upper half
        else:
            try:
                events = self._listing.take(line, self._stamp)
            except ValueError as e:
                raise self._bad(line, str(e)) from e
            if events is None:
                raise self._bad(line, "not a line of prstat, rcapstat, zoneadm or kstat")
            return events
        return []

    def _prstat_row(self, line: str, words: list[str]) -> None:
        if not (NUMBER.match(words[0]) and NUMBER.match(words[1])):
            raise self._bad(line, "prstat: zone id and processes must be numbers")
        try:
            self._prstat_next[int(words[0])] = Prstat(
                float(int(words[1])), size(words[2]), size(words[3]), float(words[6][:-1]) / 100, words[7]
            )
        except ValueError as e:
            raise self._bad(line, f"prstat: {e}") from e

    def _rcap_row(self, line: str, words: list[str]) -> None:
        try:
            self._rcap[int(words[0])] = Rcap(size(words[5]), size(words[8]) / RCAP_EVERY)
        except ValueError as e:
            raise self._bad(line, f"rcapstat: {e}") from e

    # -- rows ----------------------------------------------------------------------------------------------

    def _close(self, at: float) -> list[Batch]:
        lines, stamp = self._kstats, self._stamp
        self._kstats, self._stamp, self._expect = [], None, len(lines)
        found = KSTAT.findall("\n".join(lines))
        if len(found) != len(lines):
            for i, line in enumerate(lines):
                if not KSTAT.match(line):
                    raise ParseError(self.source, self.ctx.host, self._kstats_from + i, line, "not a kstat -p line")
        zones: dict[int, Counters] = {}
        moment = nan
        for module, instance, name, statistic, value in found:
            if statistic == "snaptime":
                # All of a report are read within a moment: the first one's time does for all.
                if moment != moment and SNAPTIME.match(value):
                    moment = float(value.replace(",", "."))
                continue
            if module == "unix":
                continue
            key = int(instance)
            counters = zones.get(key)
            if counters is None:
                counters = zones[key] = Counters()
            # caps:1:swapresv_zone_1:usage, zones:1:mail1:nsec_user
            counters.get[f"{name.partition('_')[0] if module == 'caps' else module}:{statistic}"] = value
        for key, counters in zones.items():
            zonename = counters.get.get("zones:zonename") or counters.get.get("cpucaps:zonename")
            if zonename and key not in self._names:
                self._names[key] = zonename
        self._prstat_age += 1
        if self._prstat_age > STALE:
            self._prstat = {}
        return self._rows(zones, moment if moment == moment else (stamp or at), stamp)

    def _rows(self, zones: dict[int, Counters], moment: float, stamp: float | None) -> list[Batch]:
        usage: dict[str, list[object]] = {c: [] for c in ZONE_USAGE.names[2:]}
        io: dict[str, list[object]] = {c: [] for c in ZONE_IO.names[2:]}
        ids = sorted(zones.keys() | self._prstat.keys())
        for key in ids:
            name = self._name(key)
            if name is None:
                continue
            counters = zones.get(key) or Counters()
            _add(usage, self._usage(key, name, counters, moment))
            if "zone_vfs:reads" in counters.get:
                _add(io, self._io(key, name, counters, moment))
        if self._listing.fresh:
            self._listing.fresh = False
            shown = set(usage["zone"])
            for name, state in self._listing.zones.items():
                if name not in shown:
                    _add(usage, {"zone": name, "brand": state.brand, "state": state.state})
        self._rates.keep({(kind, key) for kind in ("cpu", "memory", "io") for key in ids})
        out = []
        if usage["zone"]:
            out.append(Batch("zone_usage", usage, stamp))
        if io["zone"]:
            out.append(Batch("zone_io", io, stamp))
        return out

    def _name(self, key: int) -> str | None:
        """The zone's whole name; None while only a cut one is known."""
        known = self._listing.names.get(key) or self._names.get(key)
        if known:
            return known
        row = self._prstat.get(key)
        if row is None:
            return "global" if key == 0 else None
        if not row.name.endswith("*"):
            return row.name
        whole = [name for name in self._listing.zones if name.startswith(row.name[:-1])]
        return whole[0] if len(whole) == 1 else None

    def _usage(self, key: int, name: str, counters: Counters, moment: float) -> dict[str, object]:
        row, rcap = self._prstat.get(key), self._rcap.get(key)
        config, state = self._listing.config.get(name, NO_CONFIG), self._listing.zones.get(name)
        number, cap = counters.number, counters.cap
        user, system, waiting, above = self._rates.step(("cpu", key), moment, [number(k) for k in CPU])
        cpu = (user + system) / 1e9
        if cpu != cpu:
            cpu = row.share * self._ncpu if row else number("cpucaps:usage") / 100
        pagedout, failed = self._rates.step(("memory", key), moment, [number(k) for k in MEMORY])
        return {
            "zone": name,
            "brand": state.brand if state else None,
            "state": state.state if state else "running",
            "zone_id": float(key),
            "cpu": cpu,
            "cpu_user": user / 1e9,
            "cpu_sys": system / 1e9,
            "cpu_cap": _first(cap("cpucaps:value") / 100, config.cpu_cap),
            "cpu_waiting": float(number("cpucaps:nwait")),
            "cpu_above_cap": above,
            "cpu_wait_rq": waiting / 1e9,
            "cpu_shares": config.shares,
            "rss": _first(float(number("memory_cap:rss")), row.rss if row else nan),
            "rss_cap": _first(float(cap("memory_cap:physcap")), rcap.cap if rcap else nan, config.rss_cap),
            "swap": _first(float(number("memory_cap:swap")), float(number("swapresv:usage")), row.swap if row else nan),
            "swap_cap": _first(float(cap("memory_cap:swapcap")), float(cap("swapresv:value")), config.swap_cap),
            "pagedout": _first(pagedout, rcap.pagedout if rcap else nan),
            "anon_alloc_fail": failed,
            "nproc": _first(row.nproc if row else nan, float(number("nprocs:usage"))),
            "nlwp": float(number("lwps:usage")),
        }

    def _io(self, key: int, name: str, counters: Counters, moment: float) -> dict[str, object]:
        rates = self._rates.step(("io", key), moment, [counters.number(k) for k in IO])
        reads, writes, nread, nwritten, rlen, wlen, *slow = rates
        row: dict[str, object] = {
            "zone": name,
            "read_ops": reads,
            "write_ops": writes,
            "read_bytes": nread,
            "write_bytes": nwritten,
            "read_time": per(rlen / 1e9, reads),
            "write_time": per(wlen / 1e9, writes),
            "zfs_read_ops": slow[6],
            "zfs_write_ops": slow[7],
            **dict(zip(IO_COLUMNS, slow[:6], strict=True)),
        }
        row["delay_time"] = slow[5] / 1e6  # counted in microseconds
        return row


def _first(*values: float) -> float:
    return next((v for v in values if v == v), nan)


def _add(columns: dict[str, list[object]], row: dict[str, object]) -> None:
    for name, values in columns.items():
        values.append(row.get(name))


# -- commands ----------------------------------------------------------------------------------------------


SYSTEM = "unix:0:system_misc:/^(boot_time|snaptime)$/"
CAPS = "caps::/^(cpucaps|swapresv|nprocs)_zone/:/^(usage|value|nwait|above_sec)$/"
NAMES = "z=`zoneadm list | sed 's/^\\(.\\{30\\}\\).*/\\1/'`; z=`echo $z | tr ' ' '|'`"
"""Names of the running zones as a pattern, cut to the 30 characters of a kstat's name."""
ILLUMOS = (
    r"zones::/^($z)\$/:/^(zonename|snaptime|nsec_user|nsec_sys|nsec_waitrq)\$/",
    r"memory_cap::/^($z)\$/:/^(rss|physcap|swap|swapcap|pagedout|anon_alloc_fail)\$/",
    r"zone_vfs::/^($z)\$/:/^(reads|writes|nread|nwritten|rlentime|wlentime|10*m?s_ops|delay_cnt|delay_time)\$/",
    r"zone_zfs::/^($z)\$/:/^(reads|writes)\$/",
)
"""With names in every selector: illumos's kstat reads each kstat of the host whose module or name fits one of them,
so a selector without a name makes it read thousands a second."""
ROUND = 60
"""Reports until kstat is started again, with the names of the zones that run by then."""

CONFIG = beside("egrep -h '<zone |<rctl|<mcap' /etc/zones/*.xml 2>/dev/null", 60)
LISTING = beside("(zoneadm list -cp && echo zones.)", 5)
RCAP = beside(f"(rcapstat -z {RCAP_EVERY} 2>/dev/null; echo rcapd)", 60)


def solaris10(ctx: Context) -> str:
    """Small loops beside one kstat of the caps."""
    return f"{CONFIG} {LISTING} {RCAP} ({_prstat(ctx)}) & kstat -T u -p '{SYSTEM}' '{CAPS}' {whole(ctx)}"


def illumos(ctx: Context) -> str:
    """Small loops beside a kstat that is started again every `ROUND` reports."""
    every, selectors = whole(ctx), " ".join(f'"{s}"' for s in ILLUMOS)
    kstat = f"{NAMES}; kstat -T u -p '{CAPS}' {selectors} {every} {ROUND} || exit; sleep {every}"
    return f"{CONFIG} {LISTING} ({_prstat(ctx)}) & while :; do {kstat}; done"


def prstat(ctx: Context) -> str:
    """Without kstat."""
    return f"{CONFIG} {LISTING} {_prstat(ctx)}"


def _prstat(ctx: Context) -> str:
    return lines(f"prstat -Z -c -n 1,999 {whole(ctx)}")
