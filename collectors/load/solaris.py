"""Load of Solaris and illumos from kstats, and from vmstat(1M) where there is no kstat.

Statistics: cpu_sys and cpu_vm (cpu:*:sys, cpu:*:vm) per CPU; unix:0:sysinfo and vminfo are sums of samples taken
once a second (`updates` counts them), as vmstat reads them; avenrun is fixed point with 8 bits of fraction.
"""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.load.rows import Load, shares
from collectors.rates import per
from collectors.sh import whole

KSTAT = re.compile(r"^(\w+):([0-9]{1,9}):([^:\n]*):([^:\t\n]+?)[\t ]+(\S+)$", re.M)
NUMBER = re.compile(r"[0-9]{1,20}$")
DECIMAL = re.compile(r"[0-9]{1,12}([.,][0-9]{1,12})?$")
SELECTORS = (
    "cpu::sys:/^(cpu_nsec_(user|kernel|idle)|cpu_ticks_(user|kernel|idle|wait))$/",
    "cpu::vm:/^(scan|pgpgin|pgpgout)$/",
    "unix:0:system_pages:/^(freemem|physmem)$/",
    "unix:0:system_misc:/^(avenrun_1min|ncpus|snaptime)$/",
    "unix:0:sysinfo:/^(runque|waiting|updates)$/",
    "unix:0:vminfo:/^(swap_resv|swap_avail|updates)$/",
)
NET = ("rbytes64", "obytes64", "ipackets64", "opackets64", "ierrors", "oerrors")
LINKS = rf"link::/^(${{l:-[a-z0-9_]*[0-9]}})\$/:/^({'|'.join(NET)})\$/"
"""With the links' names ($l): illumos's kstat reads every kstat of the host for a selector that has no name."""
DRIVERS = (
    "/^(aggr|bge|bnx|bnxe|ce|dmfe|e1000g|elxl|eri|ge|hme|igb|iprb|ixgb|ixgbe|nge|nxge|pcn|qfe|rge|rtls|vnet|xge)$/"
    f":::/^({'|'.join(NET)})$/"
)
"""Solaris 10 has no link kstats: those of each driver, whose name is the interface's (e1000g0)."""
CPU = (
    "cpu_nsec_user",
    "cpu_nsec_kernel",
    "cpu_nsec_idle",
    "cpu_ticks_user",
    "cpu_ticks_kernel",
    "cpu_ticks_idle",
    "cpu_ticks_wait",
    "scan",
    "pgpgin",
    "pgpgout",
)
SAMPLES = ("sysinfo:runque", "sysinfo:waiting", "sysinfo:updates", "vminfo:swap_resv", "vminfo:swap_avail")


class Kstats(Load):
    """A report of kstat -p: one row of host_load and one of net_io per interface."""

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        found = KSTAT.findall("\n".join(lines))
        if len(found) != len(lines):
            for i, line in enumerate(lines):
                if not KSTAT.match(line):
                    raise self.bad(i, line, "not a kstat -p line")
        cpus: dict[str, int] = {}
        unix: dict[str, int] = {}
        nics: dict[str, dict[str, int]] = {}
        ids, moment = set(), nan
        for module, instance, name, statistic, value in found:
            if statistic == "snaptime":
                if DECIMAL.match(value):
                    moment = float(value.replace(",", "."))
                continue
            if not NUMBER.match(value):
                continue
            if module == "cpu":
                ids.add(instance)
                cpus[statistic] = cpus.get(statistic, 0) + int(value)
            elif module == "unix":
                unix[f"{name}:{statistic}"] = int(value)
            elif module == "link" or name == module + instance:
                nics.setdefault(name, {})[statistic] = int(value)
        if moment != moment:
            if stamp is None:
                raise self.bad(0, lines[0], "neither snaptime nor a stamp")
            moment = stamp
        ncpu = float(unix.get("system_misc:ncpus", 0) or len(ids)) or self.ncpu
        counters = [cpus.get(c, nan) for c in CPU] + [unix.get(c, nan) for c in (*SAMPLES, "vminfo:updates")]
        rates = self.rates.step("load", moment, counters)
        user, kernel, idle, *ticks = rates[:7]
        wait = nan
        if user + kernel + idle == user + kernel + idle:
            user, kernel, idle = user / 1e9, kernel / 1e9, idle / 1e9
        else:
            user, kernel, idle, wait = shares(ticks, ncpu)
        scan, pgin, pgout, runque, waiting, updates, swap_resv, swap_avail, vm_updates = rates[7:]
        physmem, freemem = (unix.get(f"system_pages:{s}", nan) for s in ("physmem", "freemem"))
        reserved, available = per(swap_resv, vm_updates), per(swap_avail, vm_updates)
        row = {
            "ncpu": ncpu,
            "cpu_user": user,
            "cpu_sys": kernel,
            "cpu_idle": idle,
            "cpu_wait": wait,
            "run_queue": per(runque, updates),
            "blocked": per(waiting, updates),
            "load_1": unix.get("system_misc:avenrun_1min", nan) / 256,
            "mem_total": physmem * self.page_size,
            "mem_free": freemem * self.page_size,
            "swap_total": (reserved + available) * self.page_size,
            "swap_free": available * self.page_size,
            "scan_rate": scan,
            "page_in": pgin * self.page_size,
            "page_out": pgout * self.page_size,
            "uptime": moment,
        }
        events = self.time(stamp, moment, stamp) if stamp is not None and moment != stamp else []
        net = {nic: [stats.get(s, nan) for s in NET] for nic, stats in nics.items()}
        return [*events, *self.load(row, stamp), *self.net(net, moment, stamp)]


def command_drivers(ctx: Context) -> str:
    return f"{_kstat()} '{DRIVERS}' {whole(ctx)}"


def command_links(ctx: Context) -> str:
    """The links are those that are there when it starts."""
    return f"l=`dladm show-link -p -o link 2>/dev/null`; l=`echo $l | tr ' ' '|'`; {_kstat()} \"{LINKS}\" {whole(ctx)}"


def command_vmstat(ctx: Context) -> str:
    return f"vmstat {whole(ctx)}"


def _kstat() -> str:
    return "kstat -T u -p " + " ".join(f"'{s}'" for s in SELECTORS)


VMSTAT = {
    "r": ("run_queue", 1.0),
    "b": ("blocked", 1.0),
    "swap": ("swap_free", 1024.0),
    "free": ("mem_free", 1024.0),
    "pi": ("page_in", 1024.0),
    "po": ("page_out", 1024.0),
    "sr": ("scan_rate", 1.0),
}
"""vmstat's columns: kilobytes, and kilobytes a second."""


class Vmstat(Load):
    """vmstat N: a row a line; the first line is since boot and is dropped. Disk columns differ from host to host."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._headings: list[str] = []
        self._since_boot = True

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        self._first = self.line_no
        words = line.split()
        if not words or words[0] in ("kthr", "procs"):
            return []
        if words[:3] == ["r", "b", "w"]:
            self._headings = words
            return []
        if len(words) == 1 and NUMBER.match(words[0]) and len(words[0]) < 12:
            self._stamp = float(words[0])
            return []
        if words[0].startswith("<<"):
            self._since_boot = True
            return []
        # A value wider than its column can touch its neighbour: better no row than a wrong one.
        if not self._headings or len(words) != len(self._headings):
            raise self.bad(0, line, f"{len(words)} fields under {len(self._headings)} headings")
        try:
            values = [float(w) for w in words]
        except ValueError as e:
            raise self.bad(0, line, f"vmstat: {e}") from e
        if self._since_boot:
            self._since_boot = False
            return []
        row: dict[str, float] = {}
        for heading, value in zip(self._headings[:12], values[:12], strict=True):
            if heading in VMSTAT:
                name, factor = VMSTAT[heading]
                row[name] = value * factor
        user, kernel, idle = (v / 100 * self.ncpu for v in values[-3:])
        row.update(ncpu=self.ncpu, cpu_user=user, cpu_sys=kernel, cpu_idle=idle)
        stamp, self._stamp = self._stamp, None
        return self.load(row, stamp)

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return []
