"""zonestat, svcs and dladm of Solaris 11, as their manual pages print; the rest is as on Solaris 10."""

from __future__ import annotations

import time

from fleet.formats.tool import Make, Tool, UsageError, once, timing
from fleet.formats.zpool import options
from fleet.live import Live, rates
from fleet.site import GIB


def zonestat(live: Live, args: list[str]) -> Tool:
    """zonestat -p [-T u] -r resources interval. Only what is parseable."""
    opts, rest = options(args, "rTzRSn")
    if "p" not in opts:
        raise UsageError("zonestat: only -p is simulated\n", 2)
    resources = opts.get("r", "summary").split(",")
    _, interval, count = timing(rest)
    host = live.host
    names = ["global", *live.zones[1:]]
    seen = {"n": 0}

    def report(t: float, before: float | None) -> str:
        seen["n"] += 1
        front = f"{int(t)}:" if opts.get("T") == "u" else ""
        now = live.counters(t)
        then, seconds = live.counters(before or t - 1.0), t - (before or t - 1.0)
        cpu = rates(then, now, "zone_user", seconds) + rates(then, now, "zone_sys", seconds)
        block, i = live.at(t)
        day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(t))
        out = [f"interval:header:since-last-interval:{day}:{seen['n']}:{round(seconds)}"]

        def size(value: float) -> str:
            return f"{int(value / 1024)}K"

        def pset(zone: str, used: float, cap: str, share: str) -> str:
            return (
                f"interval:processor-set:default-pset:pset_default:{zone}:{used:.2f}:{used / host.ncpu * 100:.2f}%:"
                f"{cap}:{'-' if cap == '-' else f'{used / float(cap) * 100:.2f}%'}:{share}:-:-:{used * seconds:.2f}"
            )

        if "psets" in resources:
            out.append(f"interval:processor-set:default-pset:pset_default:[resource]:{host.ncpu}.00:-:-:-:-:-:-:-")
            out.append(pset("[total]", float(cpu.sum()), "-", "-"))
            out.append(pset("[system]", float(cpu[0]) * 0.7, "-", "-"))
            for k, zone in enumerate(names):
                cap = f"{host.zones[k - 1].cap:.2f}" if k else "-"
                used = float(cpu[k]) * (1.0 if k else 0.3)
                out.append(pset(zone, used, cap, str(host.zones[k - 1].shares) if k else "no-fss"))
        for resource, word, level, factor in (
            ("physical-memory", "mem_default", block.zone_rss, 1.0),
            ("virtual-memory", "vm_default", block.zone_swap, 2.0),
        ):
            if resource not in resources:
                continue
            total = float(host.memory) * factor
            head = f"interval:{resource}:{word}:"
            out.append(f"{head}[resource]:{size(total)}:-:-:-")
            for k, zone in enumerate(["[total]", "[system]", *names]):
                amount = float(level[i].sum()) if not k else float(level[i, max(k - 2, 0)])
                limit = host.zones[k - 3].rss_cap * GIB * factor if k > 2 else 0.0
                out.append(
                    f"{head}{zone}:{size(amount)}:{amount / total * 100:.2f}%:{size(limit) if limit else '-'}:"
                    f"{f'{amount / limit * 100:.2f}%' if limit else '-'}"
                )
        for resource, most, counts in (("processes", 30000, block.zone_nproc), ("lwps", 2**31 - 1, block.zone_nlwp)):
            if resource in resources:
                out.append(f"interval:{resource}:{resource}:[resource]:{most}:-:-:-")
                for zone, n in zip(["[total]", *names], [int(counts[i].sum()), *map(int, counts[i])], strict=True):
                    out.append(f"interval:{resource}:{resource}:{zone}:{n}:{n / most * 100:.2f}%:-:-")
        out.append(f"interval:footer:since-last-interval:{day}:{seen['n']}:{round(seconds)}")
        return "".join(f"{front}{line}\n" for line in out)

    return Tool(report, interval, count)


PROGRAMS: dict[str, Make] = {
    "zonestat": zonestat,
    "svcs": lambda live, args: once(lambda t: "online\n"),
    "dladm": lambda live, args: once(lambda t: "".join(f"{n}\n" for n in live.host.nics)),
}
