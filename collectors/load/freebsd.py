"""Load of FreeBSD: sysctl(8), swapinfo(8) and netstat(1) -ibn in one loop, an epoch line before each report."""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.load.rows import Load, shares
from collectors.units import size

NAMES = (
    "kern.cp_time kern.boottime hw.ncpu hw.physmem vm.loadavg vm.swap_total vm.stats.vm.v_page_size "
    "vm.stats.vm.v_free_count vm.stats.vm.v_inactive_count vm.stats.vm.v_pdpages vm.stats.vm.v_swappgsin "
    "vm.stats.vm.v_swappgsout"
)
SYSCTL = re.compile(r"([a-z][\w.]+)(?:: |=)(.*)$")
NUMBER = re.compile(r"[0-9]{1,20}$")
BOOT = re.compile(r"\{ sec = ([0-9]{1,11}), ")
SWAP = re.compile(
    r"(?!Total\s)\S+ +\S+ +([0-9]{1,15}|[0-9.]{1,9}[BKMGT]) +([0-9]{1,15}|[0-9.]{1,9}[BKMGT]) +[0-9]+%\s*$"
)
BLOCKS = re.compile(r"Device\s+([0-9]+)([KMG]?)-blocks\s")
NIC = re.compile(r"(\S+?)\*? +[0-9]+ +<Link#[0-9]+>((?: +\S+){4,20}) *$")
COUNTERS = ("Ibytes", "Obytes", "Ipkts", "Opkts", "Ierrs", "Oerrs")
QUEUES = re.compile(r"Processes:\s+\(RUNQ: +([0-9]{1,9}) Disk Wait: +([0-9]{1,9}) Page Wait: +([0-9]{1,9}) ")


def command(ctx: Context) -> str:
    """A name that a release does not know costs that name, not the stream."""
    ask = f"sysctl {NAMES}; sysctl vm.vmtotal | grep RUNQ; swapinfo -k; netstat -ibnW"
    return f"while date +%s; do ({ask}) 2>/dev/null; echo || exit; sleep {ctx.interval:g}; done"


class Sysctl(Load):
    """A tick: one row of host_load and one of net_io per interface."""

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        values: dict[str, str] = {}
        nics: dict[str, list[float]] = {}
        swap_free = swap_used = queue = on_disk = on_pages = nan
        block = 1024.0
        headings: list[str] = []
        for i, line in enumerate(lines):
            match = SYSCTL.match(line)
            if match:
                values[match[1]] = match[2]
                continue
            if line.startswith("Name") and "Ipkts" in line:
                words = line.split()
                headings = words[words.index("Ipkts") :]
                continue
            match = NIC.match(line)
            if match:
                # Some releases have Idrop or Drop, and an interface need not have an address: counted from the right.
                n = dict(zip(reversed(headings), reversed(match[2].split()), strict=False))
                if not all(NUMBER.match(n.get(c, "")) for c in COUNTERS):
                    raise self.bad(i, line, "no counters under netstat's headings")
                if n["Ipkts"] != "0" or n["Opkts"] != "0":
                    nics[match[1]] = [int(n[c]) for c in COUNTERS]
                continue
            match = QUEUES.search(line)
            if match:
                queue, on_disk, on_pages = map(float, match.groups())
                continue
            match = SWAP.match(line)
            blocks = BLOCKS.match(line)
            if blocks:
                block = float(blocks[1]) * 1024.0 ** " KMG".index(blocks[2] or " ")
            elif match:
                used, free = (float(n) * block if n.isdecimal() else size(n)[0] or 0.0 for n in match.groups())
                swap_used = used + (0.0 if swap_used != swap_used else swap_used)
                swap_free = free + (0.0 if swap_free != swap_free else swap_free)
            elif (
                not line.startswith(("Name", "Device", "Total", "/")) and "<Link" not in line and len(line.split()) < 5
            ):
                raise self.bad(i, line, "not a line of sysctl, swapinfo or netstat")
        swap = {"swap_total": swap_used + swap_free, "swap_free": swap_free}
        if self.ctx.saved and "kern.cp_time" not in values and swap_free == swap_free:
            return self.load(swap, stamp)  # swapinfo alone
        ticks = values.get("kern.cp_time", "").split()
        if len(ticks) != 5 or not all(NUMBER.match(t) for t in ticks):
            raise self.bad(0, lines[0], "no kern.cp_time in the report")
        user, nice, system, interrupt, idle = map(int, ticks)

        def number(name: str) -> float:
            text = values.get(name, "")
            return int(text) if NUMBER.match(text) else nan

        def page(name: str) -> float:
            return number(f"vm.stats.vm.{name}") * self.page_size

        boot = BOOT.match(values.get("kern.boottime", ""))
        uptime = stamp - int(boot[1]) if boot and stamp is not None else nan
        counters = [user + nice, system + interrupt, idle] + [
            number(f"vm.stats.vm.{n}") for n in ("v_pdpages", "v_swappgsin", "v_swappgsout")
        ]
        if stamp is None:
            raise self.bad(0, lines[0], "no epoch line before the report")
        *modes, scan, swapped_in, swapped_out = self.rates.step("load", stamp, counters)
        page_size = number("vm.stats.vm.v_page_size")
        self.page_size = page_size if page_size == page_size else self.page_size
        ncpu = number("hw.ncpu")
        load = values.get("vm.loadavg", "").strip("{} ").split()
        row = dict(zip(("cpu_user", "cpu_sys", "cpu_idle"), shares(modes, ncpu), strict=True))
        row.update(
            ncpu=ncpu,
            run_queue=queue,
            blocked=on_disk + on_pages,
            load_1=float(load[0]) if load and re.fullmatch(r"[0-9]{1,6}\.[0-9]+", load[0]) else nan,
            mem_total=number("hw.physmem"),
            mem_free=page("v_free_count") + page("v_inactive_count"),
            swap_total=number("vm.swap_total") if "vm.swap_total" in values else swap["swap_total"],
            swap_free=swap_free,
            scan_rate=scan,
            page_in=swapped_in * self.page_size,
            page_out=swapped_out * self.page_size,
            uptime=uptime,
        )
        batches = [*self.load(row, stamp), *self.net(nics, stamp, stamp)]
        return [*self.time(stamp, uptime, stamp, by_uptime=False), *batches]
