"""Load of Linux from procfs (proc(5)): one grep a tick over six files whose lines tell by shape what they are."""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.load.rows import Load, shares

FILES = "/proc/uptime /proc/loadavg /proc/stat /proc/meminfo /proc/vmstat /proc/net/dev"
PRESSURE = "/proc/pressure/cpu /proc/pressure/memory /proc/pressure/io"
WANTED = (
    "^[0-9]|^cpu|^(btime|procs_running|procs_blocked) "
    "|^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|SwapFree):"
    "|^(pswpin|pswpout) |^pgscan_(kswapd|direct)(_(dma|dma32|normal|high|movable))? "
    "|^some avg|^ *[^ |]+: *[0-9]+( +[0-9]+){15}"
)
UPTIME = re.compile(r"([0-9]{1,12}\.[0-9]+) [0-9]{1,15}\.[0-9]+$")
LOADAVG = re.compile(r"([0-9]{1,9}\.[0-9]+) [0-9.]+ [0-9.]+ [0-9]+/[0-9]+ [0-9]+$")
NAMED = re.compile(r"(\w+):? +([0-9]{1,20})(?: kB)?$")
CPU = re.compile(r"(cpu[0-9]*)((?: +[0-9]{1,20}){4,10})$")
STALLED = re.compile(r"some avg10=[0-9.]+ avg60=[0-9.]+ avg300=[0-9.]+ total=([0-9]{1,20})$")
NIC = re.compile(r" *([^\s|:]+(?::[^\s|:]+)?):( *[0-9]{1,20}(?: +[0-9]{1,20}){15})$")


def command(ctx: Context) -> str:
    # Where pressure is compiled in but switched off, its files are there and cannot be read.
    pressure = f"p='{PRESSURE}'; cat $p >/dev/null 2>&1 || p=; "
    return f"{pressure}while grep -hE '{WANTED}' {FILES} $p && echo; do sleep {ctx.interval:g}; done"


class Procfs(Load):
    """A tick: one row of host_load and one of net_io per interface that ever carried a packet."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._ticks: list[int] = []
        self._lost: list[int] = []

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        numbers: dict[str, float] = {}
        ticks: list[int] = []
        nics: dict[str, list[float]] = {}
        uptime = load_1 = nan
        ncpu = 0
        pressure: list[float] = []
        for i, line in enumerate(lines):
            match = NAMED.match(line)
            if match:
                numbers[match[1]] = int(match[2])
                continue
            match = NIC.match(line)
            if match:
                n = [int(x) for x in match[2].split()]
                if n[1] or n[9]:
                    nics[match[1]] = [n[0], n[8], n[1], n[9], n[2], n[10]]
                continue
            match = CPU.match(line)
            if match:
                if match[1] == "cpu":
                    ticks = [int(x) for x in match[2].split()]
                else:
                    ncpu += 1
                continue
            match = UPTIME.match(line)
            if match:
                uptime = float(match[1])
                continue
            match = STALLED.match(line)
            if match:
                pressure.append(float(match[1]))
                continue
            match = LOADAVG.match(line)
            if not match:
                raise self.bad(i, line, "not a line of procfs that was asked for")
            load_1 = float(match[1])
        if uptime != uptime or len(ticks) < 4:
            raise self.bad(0, lines[0], "no uptime or no cpu line in the report")
        user, nice, system, idle, wait, irq, softirq, steal = self._onward((ticks + [0] * 8)[:8])
        get = numbers.get
        stalls = pressure if len(pressure) == 3 else [nan] * 3
        counters = [
            user + nice,
            system + irq + softirq,
            idle,
            wait,
            steal,
            sum(n for name, n in numbers.items() if name.startswith("pgscan_")) if "pswpin" in numbers else nan,
            get("pswpin", nan),
            get("pswpout", nan),
            *stalls,
        ]
        *modes, scan, swapped_in, swapped_out, on_cpu, on_memory, on_io = self.rates.step("load", uptime, counters)
        cpus = float(ncpu) or self.ncpu
        row = dict(zip(("cpu_user", "cpu_sys", "cpu_idle", "cpu_wait", "cpu_steal"), shares(modes, cpus), strict=True))
        row.update(
            ncpu=cpus,
            # procs_running counts those on a CPU too, among them the grep that reads it.
            run_queue=max(numbers["procs_running"] - 1 - cpus, 0.0) if "procs_running" in numbers else nan,
            blocked=get("procs_blocked", nan),
            load_1=load_1,
            mem_total=get("MemTotal", nan) * 1024,
            # Before Linux 3.14 nobody says what is available; what is free and what caches hold is near it.
            mem_free=get("MemAvailable", get("MemFree", nan) + get("Buffers", 0) + get("Cached", 0)) * 1024,
            swap_total=get("SwapTotal", nan) * 1024,
            swap_free=get("SwapFree", nan) * 1024,
            scan_rate=scan,
            page_in=swapped_in * self.page_size,
            page_out=swapped_out * self.page_size,
            cpu_pressure=min(on_cpu / 1e6, 1.0) if on_cpu == on_cpu else nan,
            memory_pressure=min(on_memory / 1e6, 1.0) if on_memory == on_memory else nan,
            io_pressure=min(on_io / 1e6, 1.0) if on_io == on_io else nan,
            uptime=uptime,
        )
        batches = [*self.load(row, stamp), *self.net(nics, uptime, stamp)]
        # btime is the wall clock less the uptime: it moves when the clock is stepped.
        return [*self.time(get("btime", nan) + uptime, uptime, stamp), *batches]

    def _onward(self, ticks: list[int]) -> list[int]:
        """The modes' ticks as counters that never fall: idle and iowait run back a little at times (proc(5)), and by
        more when a CPU goes; they count on from where they were. A host that counts anew has less of everything."""
        before, self._ticks = self._ticks, ticks
        if not before or (ticks[0] < before[0] and ticks[2] < before[2]):
            self._lost, before = [0] * len(ticks), ticks
        self._lost = [lost + max(b - a, 0) for lost, a, b in zip(self._lost, ticks, before, strict=True)]
        return [a + lost for a, lost in zip(ticks, self._lost, strict=True)]
