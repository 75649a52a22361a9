"""Load of Solaris and illumos from kstats.

Statistics: cpu_sys and cpu_vm (cpu:*:sys, cpu:*:vm) per CPU; unix:0:sysinfo and vminfo are sums of samples taken
once a second (`updates` counts them), as vmstat reads them; avenrun is fixed point with 8 bits of fraction.

`dladm show-link -s` is read too (net_io): what it prints first is since boot, with -i the lines below are increments.
"""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.kstats import Long
from collectors.load.rows import Load, shares
from collectors.rates import per
from collectors.sh import whole

KSTAT = re.compile(r"^[ \t]*(\w+):([0-9]{1,9}):([^:\n]*):([^:\t\n ]+)[\t ]+(.*)$", re.M)
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
NET_32 = ("rbytes", "obytes", "ipackets", "opackets", "ierrors", "oerrors")
"""Old drivers count in 32 bits only."""
COUNTED = frozenset([*NET, *NET_32])
ON_LINE = ("on-line", "no-intr")
LINKS = rf"link::/^(${{l:-[a-z0-9_]*[0-9]}})\$/:/^({'|'.join(NET)})\$/"
"""With the links' names ($l): illumos's kstat reads every kstat of the host for a selector that has no name."""
DRIVERS = (
    "/^(aggr|bge|bnx|bnxe|ce|dmfe|e1000g|elxl|eri|ge|hme|igb|iprb|ixgb|ixgbe|nge|nxge|pcn|qfe|rge|rtls|vnet|xge)$/"
    f":::/^({'|'.join(dict.fromkeys((*NET, *NET_32)))})$/"
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
)
PAGING = ("scan", "pgpgin", "pgpgout")
SAMPLES = ("sysinfo:runque", "sysinfo:waiting", "sysinfo:updates", "vminfo:swap_resv", "vminfo:swap_avail")


DLADM = {
    "RBYTES": "rx_bytes",
    "OBYTES": "tx_bytes",
    "IPACKETS": "rx_packets",
    "OPACKETS": "tx_packets",
    "IERRORS": "rx_errors",
    "OERRORS": "tx_errors",
}


class Kstats(Load):
    """A report of kstat -p: one row of host_load and one of net_io per interface."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._long = Long()

    def feed(self, line: str, at: float) -> list[Batch]:
        if not self.ctx.saved:
            return super().feed(line, at)
        out: list[Batch] = []
        n = self.line_no
        for short in self._long.take(line):
            out += super().feed(short, at)
        self.line_no = n + 1
        return out

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        if lines[0].split()[:1] == ["LINK"] and "RBYTES" in lines[0]:
            return self._dladm(lines)
        found = KSTAT.findall("\n".join(lines))
        if len(found) != len(lines):
            for i, line in enumerate(lines):
                if not KSTAT.match(line):
                    raise self.bad(i, line, "not a kstat -p line")
        cpus: dict[str, dict[str, float]] = {}
        online: dict[str, bool] = {}
        unix: dict[str, int] = {}
        nics: dict[str, dict[str, int]] = {}
        macs: dict[str, dict[str, int]] = {}
        moment = nan
        for module, instance, name, statistic, value in found:
            value = value.rstrip()
            if statistic == "snaptime":
                if DECIMAL.match(value):
                    moment = float(value.replace(",", "."))
                continue
            if module == "cpu_info":
                if statistic == "state":
                    online[instance] = value in ON_LINE
                continue
            if not NUMBER.match(value):
                continue
            if module == "cpu":
                cpus.setdefault(instance, {})[statistic] = int(value)
            elif module == "unix":
                unix[f"{name}:{statistic}"] = int(value)
            elif statistic in COUNTED and (module == "link" or name == module + instance):
                nics.setdefault(name, {})[statistic] = int(value)
            elif statistic in COUNTED and name == "mac":
                macs.setdefault(module + instance, {})[statistic] = int(value)
        if not (cpus or unix or nics or macs or any(online.values())):
            return []
        if moment != moment:
            if stamp is None and not self.ctx.saved:
                raise self.bad(0, lines[0], "neither snaptime nor a stamp")
            moment = nan if stamp is None else stamp
        ncpu = float(unix.get("system_misc:ncpus", 0) or len(cpus) or sum(online.values())) or self.ncpu
        user, kernel, idle, *ticks = self._sum("cpu", CPU, cpus, moment)
        scan, pgin, pgout = self._sum("paging", PAGING, cpus, moment)
        counters = [unix.get(c, nan) for c in (*SAMPLES, "vminfo:updates")]
        runque, waiting, updates, swap_resv, swap_avail, vm_updates = self.rates.step("load", moment, counters)
        wait = nan
        if user + kernel + idle == user + kernel + idle:
            user, kernel, idle = user / 1e9, kernel / 1e9, idle / 1e9
        else:
            user, kernel, idle, wait = shares(ticks, ncpu)
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
        net = {
            nic: [stats.get(s, stats.get(s32, nan)) for s, s32 in zip(NET, NET_32, strict=True)]
            for nic, stats in (nics or macs).items()
        }
        batches = [*(self.load(row, stamp) if cpus or unix or online else []), *self.net(net, moment, stamp)]
        by_uptime = stamp is None or moment != stamp
        wall = stamp if stamp is not None and by_uptime else nan
        return [*self.time(wall, moment, stamp, by_uptime=by_uptime), *batches]

    def _dladm(self, lines: list[str]) -> list[Batch]:
        names = lines[0].split()
        intervals: list[dict[str, list[float]]] = [{}]
        for i, line in enumerate(lines[1:], 1):
            cells = dict(zip(names, line.split(), strict=False))
            if len(cells) != len(names) or not all(NUMBER.match(cells[n]) for n in DLADM if n in cells):
                raise self.bad(i, line, "not a row of dladm show-link -s")
            if cells["LINK"] in intervals[-1]:
                intervals.append({})
            known = any(cells["LINK"] in before for before in intervals)
            row = [float(cells[n]) / self.ctx.interval if known and n in cells else nan for n in DLADM]
            intervals[-1][cells["LINK"]] = row
        columns = list(DLADM.values())
        return [
            Batch(
                "net_io", {"nic": list(rows), **{c: [row[k] for row in rows.values()] for k, c in enumerate(columns)}}
            )
            for rows in intervals
            if rows
        ]

    def _sum(self, what: str, names: tuple[str, ...], cpus: dict[str, dict[str, float]], moment: float) -> list[float]:
        """The rates of all CPUs together; one that has just come, or wraps its counters, is left out of its first.

        Summed before they become rates, a CPU that goes would be a counter that fell, one that comes a spike.
        """
        total = [nan] * len(names)
        for cpu, statistics in cpus.items():
            rates = self.rates.step((what, cpu), moment, [statistics.get(n, nan) for n in names])
            total = [r if t != t else t if r != r else t + r for t, r in zip(total, rates, strict=True)]
        self.cpus = {(w, cpu) for w in ("cpu", "paging") for cpu in cpus}
        return total


def command_drivers(ctx: Context) -> str:
    return f"{_kstat()} '{DRIVERS}' {whole(ctx)}"


def command_links(ctx: Context) -> str:
    """The links are those that are there when it starts."""
    return f"l=`dladm show-link -p -o link 2>/dev/null`; l=`echo $l | tr ' ' '|'`; {_kstat()} \"{LINKS}\" {whole(ctx)}"


def _kstat() -> str:
    return "kstat -T u -p " + " ".join(f"'{s}'" for s in SELECTORS)
