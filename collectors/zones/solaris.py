"""Zones of Solaris 10 and illumos: prstat -Z, rcapstat -z, zoneadm list -cp and zone kstats in one stream.

Each tool streams on its own and the lines come mixed; each line tells by its shape where it belongs:

* kstat -p: module:instance:name:statistic and, after a tab or blanks, a value; a report of them ends at an empty
  line or at the epoch line of the next (-T u).
* prstat(1M): ZONEID NPROC SWAP RSS MEMORY TIME CPU ZONE, closed by "Total:" (prstat.c). CPU is the share of all
  CPUs; SIZE stood for SWAP before Solaris 10 8/07; with -L, NLWP for NPROC. Tables of processes, users, tasks and
  projects have headings of their own and are passed over.
* rcapstat(1M): id zone nproc vm rss cap at avgat pg avgpg, since Solaris 11.3 with a column more (cappd: the headings
  tell where); pg is what was paged out since its last report.
* zoneadm(1M): id:name:state:path:uuid:brand:ip-type[:debugid], closed by our own line "zones. N".
* /etc/zones/*.xml and prctl(1): caps and shares, for what no kstat tells.

A row per zone is made when a kstat report ends, with the newest of the rest beside it. Without kstat
(`kstats=False`, or where none comes) rows are made when prstat's report ends. A saved text may hold but one of these,
or what `printed` reads: what it tells of each zone is a row.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Set
from dataclasses import dataclass, field
from math import nan

from collectors import units
from collectors.base import Batch, Context, ParseError
from collectors.kstats import Long
from collectors.rates import Rates, per
from collectors.reports import is_prompt
from collectors.sh import beside, lines, whole
from collectors.zones.printed import Printed
from collectors.zones.states import State, States
from collectors.zones.zoneadm import NUMBER, Config, Listing, size
from frames.schemas import ZONE_IO, ZONE_USAGE

KSTAT = re.compile(r"^[ \t]*([a-z_]\w*):([0-9]{1,9}):([^:\n]*):([^:\s]+)[\t ]+(.*)$", re.M | re.ASCII)
SNAPTIME = re.compile(r"[0-9]{1,12}([.,][0-9]{1,12})?$")
PERCENT = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,3})?%$")
TOTAL = re.compile(r"\s*[^\W\d]+: *[0-9]+ [^\W\d]+, [0-9]+ lwp", re.IGNORECASE)
"""prstat's last line, in any language: "Total: 145 processes, 900 lwps, load averages: …"."""
HEADINGS = {
    "ZONEID": "zones",
    "PID": "others",
    "NPROC": "others",
    "NLWP": "others",
    "TASKID": "others",
    "PROJID": "others",
}
"""First word of a heading of prstat's tables. Rows of others look like zones': projects have ids and percentages."""
STALE = 6
"""prstat's numbers are dropped when this many kstat reports have passed since."""
PAGED = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?[KMGTPE]$")
RCAPSTAT = ["id", "zone", "nproc", "vm", "rss", "cap", "at", "avgat", "pg", "avgpg"]
RCAP_EVERY = 5
"""Interval of rcapstat, seconds: rcapd itself samples every 5 s."""
WITHOUT_KSTAT = 3
"""prstat's reports without a kstat report between them, after which rows are made of prstat alone."""
PATIENCE = 3
"""prstat's reports that wait for a listing when names in them are cut; after them a cut name is a name."""
NO_CPU_CAP = 2**32 - 1
"""cpucaps' value without a cap (MAXCAP, UINT_MAX)."""
MOST_LINES = 50_000


@dataclass(slots=True)
class Prstat:
    """A prstat -Z row."""

    nproc: float
    nlwp: float
    swap: float
    rss: float
    share: float
    name: str


@dataclass(slots=True)
class Rcap:
    """An rcapstat -z row: bytes resident, cap in bytes, bytes a second paged out."""

    zone: str
    rss: float
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

    def cap(self, key: str, none: float = 2**63) -> float:
        """As `number`; a missing cap also shows as 0, or as `none` and more."""
        value = self.number(key)
        return value if 0 < value < none else nan


NO_CONFIG = Config()

CPU = ("zones:nsec_user", "zones:nsec_sys", "zones:nsec_waitrq", "cpucaps:above_sec")
NAMED = frozenset(["zones", "memory_cap", "zone_vfs", "zone_zfs", "zone_misc"])
"""Modules whose kstats are named after the zone."""
MODULES = NAMED | {"caps"}
KSTAT_NAME = 30
"""A kstat's name is cut to this many characters (KSTAT_STRLEN)."""
ZONENAMES = tuple(f"{m}:zonename" for m in ("zones", "memory_cap", "zone_vfs", "cpucaps", "swapresv", "nprocs"))
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
        self._table = "zones"
        self._threads = False
        self._reports = 0
        self._alone = 0
        self._patience = PATIENCE
        self._rcap: dict[int, Rcap] = {}
        self._rcap_names = RCAPSTAT
        self._long = Long()
        self._printed = Printed(ctx.interval, self._listing.names)

    @property
    def states(self) -> States:
        """What is known of the zones; the engine carries it over to the next link."""
        return self._listing.states

    @states.setter
    def states(self, states: States) -> None:
        self._listing.states = states

    # -- lines ---------------------------------------------------------------------------------------------

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        return self._saved(line, at) if self.ctx.saved else self._line(line, at)

    def _saved(self, line: str, at: float) -> list[Batch]:
        if not self._listing.comment and is_prompt(line):
            return self._printed.interrupted() + (self._close(at) if self._kstats else [])
        try:
            out = self._printed.take(line)
        except ValueError as e:
            raise self._bad(line, str(e)) from e
        return [b for short in self._long.take(line) for b in self._line(short, at)] if out is None else out

    def _line(self, line: str, at: float) -> list[Batch]:
        if KSTAT.match(line) or ("\t" in line and line[0].isalpha()):
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
        if self.ctx.saved:
            self._listing.close()
        out = self._printed.end()
        if self._kstats:
            return out + self._close(at)
        self._patience = 0
        if self._prstat_next and not self._reports:
            self._prstat = self._prstat_next  # one table without its last line: a report that somebody cut out
            self._alone = WITHOUT_KSTAT
        if self._reports:
            return out
        if self._prstat:
            return out + self._rows({}, nan, None)
        return out + (self._told() if self.ctx.saved else [])

    def _bad(self, line: str, why: str, word: str = "") -> ParseError:
        column = line.find(word) + 1 if word else 1
        return ParseError(self.source, self.ctx.host, self.line_no, line, why, column)

    def _other(self, line: str) -> list[Batch]:
        words = line.split()
        if not words:
            return []
        first, n = words[0], len(words)
        if TOTAL.match(line):
            self._prstat, self._prstat_next, self._prstat_age = self._prstat_next, {}, 0
            self._table = "zones"
            self._alone += 1
            if not self._prstat or (self._with_kstats and self._alone <= WITHOUT_KSTAT):
                return []
            if self._patience and None in map(self._name, self._prstat):
                self._patience -= 1
                return []
            return self._rows({}, nan, None)
        if first in HEADINGS:
            self._table = HEADINGS[first]
            self._threads = "NLWP" in words
            if first == "ZONEID":
                self._prstat_next = {}
        elif self._table == "others" and NUMBER.match(first) and ("/" in words[-1] or "%" in line):
            pass
        elif n == 8 and PERCENT.match(words[4]) and PERCENT.match(words[6]):
            self._prstat_row(line, words)
        elif first == "rcapd":
            self._rcap = {}
        elif first == "id" and {"rss", "cap", "pg"} <= set(words):
            self._rcap_names = words
        elif n == len(self._rcap_names) and NUMBER.match(first) and PAGED.match(words[-1]) and PAGED.match(words[-2]):
            if "zone" in self._rcap_names:
                return self._rcap_row(line, words)
        elif line.startswith(("physical memory utilization", "cap enforcement threshold")) or _process(words):
            pass  # rcapstat -g, and the processes of prstat's upper half
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
        for word in words[:2]:
            if not NUMBER.match(word):
                raise self._bad(line, "prstat: zone id and processes must be numbers", word)
        count = float(int(words[1]))
        word = words[6]
        try:
            share = units.percent(word) or 0.0
            word = words[2]
            swap = size(word)
            word = words[3]
            rss = size(word)
        except ValueError as e:
            raise self._bad(line, f"prstat: {e}", word) from e
        nproc, nlwp = (nan, count) if self._threads else (count, nan)
        self._prstat_next[int(words[0])] = Prstat(nproc, nlwp, swap, rss, share, words[7])
        if len(self._prstat_next) > MOST_LINES:
            self._prstat_next = {}
            raise self._bad(line, f"no end of the table after {MOST_LINES} zones")

    def _rcap_row(self, line: str, words: list[str]) -> list[Batch]:
        out = []
        if self.ctx.saved and int(words[0]) in self._rcap and not (self._prstat or self._prstat_next):
            out = self._told()  # rcapstat alone: another report of it begins
            self._rcap, self._reports = {}, 0
        cells = dict(zip(self._rcap_names, words, strict=True))
        word = cells["rss"]
        try:
            rss = size(word)
            word = cells["cap"]
            cap = size(word)
            word = cells["pg"]
            self._rcap[int(words[0])] = Rcap(cells["zone"], rss, cap, size(word) / RCAP_EVERY)
        except ValueError as e:
            raise self._bad(line, f"rcapstat: {e}", word) from e
        if len(self._rcap) > MOST_LINES:
            self._rcap = {}
        return out

    # -- rows ----------------------------------------------------------------------------------------------

    def _close(self, at: float) -> list[Batch]:
        lines, stamp = self._kstats, self._stamp
        self._kstats, self._stamp, self._expect = [], None, len(lines)
        found = KSTAT.findall("\n".join(lines))
        if len(found) != len(lines):
            for i, line in enumerate(lines):
                if not KSTAT.match(line):
                    why = "not a kstat -p line"
                    raise ParseError(self.source, self.ctx.host, self._kstats_from + i, line, why, 1)
        self._alone = 0
        zones: dict[int, Counters] = {}
        moment = nan
        for module, instance, name, statistic, value in found:
            if statistic == "snaptime":
                # All of a report are read within a moment: the first one's time does for all.
                if moment != moment and SNAPTIME.match(value):
                    moment = float(value.replace(",", "."))
                continue
            if module not in MODULES:
                continue
            key = int(instance)
            counters = zones.get(key)
            if counters is None:
                counters = zones[key] = Counters()
            # caps:1:swapresv_zone_1:usage, zones:1:mail1:nsec_user
            counters.get[f"{name.partition('_')[0] if module == 'caps' else module}:{statistic}"] = value
            if module in NAMED and len(name) < KSTAT_NAME:
                self._names.setdefault(key, name)
        for key, counters in zones.items():
            zonename = next((counters.get[k] for k in ZONENAMES if k in counters.get), "")
            if zonename:
                self._names[key] = zonename
        self._prstat_age += 1
        if self._prstat_age > STALE:
            self._prstat = {}
        return self._rows(zones, moment if moment == moment else (stamp or at), stamp)

    def _rows(
        self, zones: dict[int, Counters], moment: float, stamp: float | None, alone: Set[int] = frozenset()
    ) -> list[Batch]:
        """`alone`: ids of zones that have neither kstats nor a row of prstat."""
        usage: dict[str, list[object]] = {c: [] for c in ZONE_USAGE.names[2:]}
        io: dict[str, list[object]] = {c: [] for c in ZONE_IO.names[2:]}
        ids = sorted(zones.keys() | self._prstat.keys() | alone)
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
            for name in self._listing.zones:
                if name not in shown:
                    _add(usage, self._not_running(name))
        self._reports += 1
        self._rates.keep({(kind, key) for kind in ("cpu", "memory", "io") for key in ids})
        out = self._rates.events("zone_usage", self._called, stamp, uptime=True)
        if usage["zone"]:
            out.append(Batch("zone_usage", usage, stamp))
        if io["zone"]:
            out.append(Batch("zone_io", io, stamp))
        return out

    def _told(self) -> list[Batch]:
        """Rows of a text of rcapstat, zoneadm, prctl or a zone's XML, and nothing beside it."""
        listing = self._listing
        for name in listing.config.keys() - listing.names.values() - {""}:
            listing.zones.setdefault(name, State(None, ""))
            listing.fresh = True
        running = {s.id for s in listing.zones.values() if s.id is not None}
        if not (running or self._rcap or listing.names or listing.fresh):
            return []
        return self._rows({}, nan, None, self._rcap.keys() | running | listing.names.keys())

    def _not_running(self, name: str) -> dict[str, object]:
        """A zone of which nothing but its listing and its configuration is known."""
        state, config = self._listing.zones.get(name), self._listing.config.get(name, NO_CONFIG)
        return {
            "zone": name,
            "brand": (state.brand if state else "") or config.brand or None,
            "state": (state.state if state else "") or None,
            "cpu_cap": config.cpu_cap,
            "cpu_shares": config.shares,
            "rss_cap": config.rss_cap,
            "swap_cap": config.swap_cap,
        }

    def _called(self, key: Hashable) -> str:
        assert isinstance(key, tuple)
        return f"zone {self._name(key[1]) or key[1]}"

    def _name(self, key: int) -> str | None:
        """The zone's whole name; None while only a cut one is known and a listing may still come."""
        known = self._listing.names.get(key) or self._names.get(key)
        if known:
            return known
        row = self._prstat.get(key)
        if row is None:
            rcap = self._rcap.get(key) if self.ctx.saved else None
            return "global" if key == 0 else rcap.zone if rcap else None
        if not row.name.endswith("*"):
            return row.name
        if not self._listing.zones and not self._patience:
            alike = sum(other.name == row.name for other in self._prstat.values())
            return row.name if alike == 1 else f"{row.name}{key}"
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
            "brand": (state.brand if state else config.brand) or None,
            "state": state.state if state else "running",
            "zone_id": float(key),
            "cpu": cpu,
            "cpu_user": user / 1e9,
            "cpu_sys": system / 1e9,
            "cpu_cap": _first(cap("cpucaps:value", NO_CPU_CAP) / 100, config.cpu_cap),
            "cpu_waiting": float(number("cpucaps:nwait")),
            "cpu_above_cap": above,
            "cpu_wait_rq": waiting / 1e9,
            "cpu_shares": config.shares,
            "rss": _first(float(number("memory_cap:rss")), row.rss if row else nan, rcap.rss if rcap else nan),
            "rss_cap": _first(float(cap("memory_cap:physcap")), rcap.cap if rcap else nan, config.rss_cap),
            "swap": _first(float(number("memory_cap:swap")), float(number("swapresv:usage")), row.swap if row else nan),
            "swap_cap": _first(float(cap("memory_cap:swapcap")), float(cap("swapresv:value")), config.swap_cap),
            "pagedout": _first(pagedout, rcap.pagedout if rcap else nan),
            "anon_alloc_fail": failed,
            "nproc": _first(row.nproc if row else nan, float(number("nprocs:usage"))),
            "nlwp": _first(row.nlwp if row else nan, float(number("lwps:usage"))),
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


def _process(words: list[str]) -> bool:
    """Whether these may be a row of prstat's table of processes, where its heading was not seen."""
    return NUMBER.match(words[0]) is not None and "/" in words[-1] and len(words) >= 9


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

CONFIGURED = "egrep -h '<zone |<rctl|<mcap' /etc/zones/*.xml 2>/dev/null"
PRCTL = 'for z in `zoneadm list`; do prctl -P -t privileged -i zone "$z" 2>/dev/null; done'
LISTING = beside('(z=`zoneadm list -cp` && echo "$z" && n=`echo "$z" | wc -l` && echo zones. $n)', 5)
"""With the number of its lines, so that a listing that was cut is never taken for zones that are gone."""
RCAP = beside(f"(rcapstat -z {RCAP_EVERY} 2>/dev/null; echo rcapd)", 60)


def config(ctx: Context) -> str:
    """What is configured and, with the option zone_prctl, what was set since: prctl stops a process to ask it."""
    return beside(f"({CONFIGURED}; {PRCTL})" if ctx.facts.get("option:zone_prctl") else CONFIGURED, 60)


def solaris10(ctx: Context) -> str:
    """Small loops beside one kstat of the caps."""
    return f"{config(ctx)} {LISTING} {RCAP} ({_prstat(ctx)}) & kstat -T u -p '{SYSTEM}' '{CAPS}' {whole(ctx)}"


def illumos(ctx: Context) -> str:
    """Small loops beside a kstat that is started again every `ROUND` reports."""
    every, selectors = whole(ctx), " ".join(f'"{s}"' for s in ILLUMOS)
    kstat = f"{NAMES}; kstat -T u -p '{CAPS}' {selectors} {every} {ROUND} || exit; sleep {every}"
    return f"{config(ctx)} {LISTING} ({_prstat(ctx)}) & while :; do {kstat}; done"


def prstat(ctx: Context) -> str:
    """Without kstat."""
    return f"{config(ctx)} {LISTING} {_prstat(ctx)}"


def _prstat(ctx: Context) -> str:
    return lines(f"prstat -Z -c -n 1,999 {whole(ctx)}")
