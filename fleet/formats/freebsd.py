"""sysctl, iostat, swapinfo, netstat, jls, rctl, ps and glabel of FreeBSD 14, as their manual pages print."""

from __future__ import annotations

import time

from fleet.files import ARC_NAMES, arc_values
from fleet.formats.tool import Make, Tool, UsageError, once
from fleet.formats.zpool import options
from fleet.live import SWAP, Live, disk_rates
from fleet.model import PAGE
from fleet.site import GIB

ARCSTATS = "kstat.zfs.misc.arcstats"
STATHZ = 127
"""Ticks of kern.cp_time a second."""


def _oids(live: Live, t: float) -> dict[str, str]:
    """Every sysctl that the host has, at a time."""
    host, boot = live.host, live.model.boot
    block, i = live.at(t)
    c = live.counters(t)
    user, kernel = (float(v) for v in c["cpu"])
    idle = max((t - boot) * host.ncpu - user - kernel, 0.0)
    booted = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(boot))
    load = float(block.cpu_user[i] + block.cpu_sys[i]) + int(block.run_queue[i])
    free = int(float(block.mem_free[i]) / PAGE)
    ticks = (user * 0.98, user * 0.02, kernel * 0.93, kernel * 0.07, idle)
    return {
        "hw.machine": "amd64",
        "hw.model": "Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz",
        "hw.ncpu": str(host.ncpu),
        "hw.physmem": str(host.memory),
        "hw.pagesize": str(PAGE),
        "kern.boottime": f"{{ sec = {boot}, usec = 318204 }} {booted}",
        "kern.cp_time": " ".join(str(int(v * STATHZ)) for v in ticks),
        "kern.ostype": "FreeBSD",
        "kern.racct.enable": "1",
        "vm.loadavg": f"{{ {load:.2f} {load * 0.96:.2f} {load * 0.93:.2f} }}",
        "vm.swap_total": str(int(SWAP)),
        "vm.stats.vm.v_page_size": str(PAGE),
        "vm.stats.vm.v_free_count": str(int(free * 0.7)),
        "vm.stats.vm.v_inactive_count": str(free - int(free * 0.7)),
        "vm.stats.vm.v_pdpages": "118204",
        "vm.stats.vm.v_swappgsin": "0",
        "vm.stats.vm.v_swappgsout": "0",
    }


def _arcstats(live: Live, t: float) -> dict[str, str]:
    values = dict(zip(ARC_NAMES, arc_values(live, t), strict=True))
    return {f"{ARCSTATS}.{n}": str(values[n]) for n in reversed(ARC_NAMES)}


def sysctl(live: Live, args: list[str]) -> Tool:
    """sysctl [-n] [-e] name …: a name that is a node prints what lies below it."""
    opts, names = options(args, "")

    def text(t: float) -> str:
        out: list[str] = []
        for name in names:
            have = _arcstats(live, t) if name.startswith(ARCSTATS) else _oids(live, t)
            found = {k: v for k, v in have.items() if k == name or k.startswith(name + ".")}
            if not found:
                raise UsageError(f"sysctl: unknown oid '{name}'\n", 1)
            between = "=" if "e" in opts else ": "
            out += [f"{v}\n" if "n" in opts else f"{k}{between}{v}\n" for k, v in found.items()]
        return "".join(out)

    text(live.model.scenario.start)  # an unknown name is refused before anything is printed
    return once(text)


def iostat(live: Live, args: list[str]) -> Tool:
    """iostat -x -d [-w wait] [-c count]; the first report is since boot."""
    opts, _ = options(args, "cwnMtT")
    interval = float(opts.get("w", 0) or 0)
    count = int(opts.get("c", 0) or 0) or (0 if interval else 1)

    def report(t: float, before: float | None) -> str:
        ops, size, actv, busy = disk_rates(live, t, before)
        out = [
            "                        extended device statistics  \n",
            "device       r/s     w/s     kr/s     kw/s  ms/r  ms/w  ms/o  ms/t qlen  %b  \n",
        ]
        for n, d in enumerate(live.model.disks):
            r, w = float(ops[2 * n]), float(ops[2 * n + 1])
            kr, kw = float(size[2 * n]) / 1024, float(size[2 * n + 1]) / 1024
            ms = 1000.0 * float(actv[n]) / (r + w) if r + w else 0.0
            out.append(
                f"{d.name:<8.8} {r:7.0f} {w:7.0f} {kr:8.1f} {kw:8.1f} "
                f"{ms:5.0f} {ms:5.0f} {0:5d} {ms:5.0f} {float(actv[n]):4.0f} {100 * float(busy[n]):3.0f} \n"
            )
        return "".join(out)

    return Tool(report, interval, count)


def swapinfo(live: Live, args: list[str]) -> Tool:
    return once(
        lambda t: (
            "Device          1K-blocks     Used    Avail Capacity\n"
            f"/dev/nda0p2     {int(SWAP) // 1024:9d} {0:8d} {int(SWAP) // 1024:8d}     0%\n"
        )
    )


def netstat(live: Live, args: list[str]) -> Tool:
    """netstat -ibn: a line per interface and per address."""

    def text(t: float) -> str:
        c = live.counters(t)["nic"]
        out = [
            "Name    Mtu Network       Address              Ipkts Ierrs Idrop     Ibytes    Opkts Oerrs     Obytes  "
            "Coll\n"
        ]
        for n, nic in enumerate(live.host.nics):
            rx, tx = int(c[2 * n]), int(c[2 * n + 1])
            figures = f"{rx // 840:8d} {{0:>5}} {{0:>5}} {rx:10d} {tx // 840:8d} {{0:>5}} {tx:10d} {{0:>5}}"
            out.append(f"{nic:<6} 1500 {f'<Link#{n + 1}>':<13} 00:25:90:4d:1a:{n:02x}  {figures.format(0)}\n")
            out.append(f"{nic:<6}    - 10.1.{n}.0/24     10.1.{n}.41         {figures.format('-')}\n")
        lo = len(live.host.nics) + 1
        out.append(f"{'lo0':<5} 16384 {f'<Link#{lo}>':<13} {'lo0':<17}  {812:8d}     0     0     104212      812     0 "
                   "    104212     0\n")  # fmt: skip
        return "".join(out)

    return once(text)


def jls(live: Live, args: list[str]) -> Tool:
    """jls [jid] [name]: the parameters asked for; without any, the table."""
    _, wanted = options(args, "j")

    def text(t: float) -> str:
        zones = [(z.zid, live.zones[k]) for k, z in enumerate(live.host.zones, 1)]
        if not wanted:
            head = "   JID  IP Address      Hostname                      Path\n"
            return head + "".join(f"{j:6d}  10.1.0.{j + 40:<9d} {n:<29} /jails/{n}\n" for j, n in zones)
        return "".join(" ".join(str(j) if w == "jid" else n for w in wanted) + "\n" for j, n in zones)

    return once(text)


def rctl(live: Live, args: list[str]) -> Tool:
    """rctl: rules; rctl -u jail:NAME: what a jail uses."""
    opts, rest = options(args, "")
    if "u" not in opts:
        return once(
            lambda t: "".join(
                f"jail:{live.zones[k]}:memoryuse:deny={int(z.rss_cap * GIB)}\n"
                f"jail:{live.zones[k]}:pcpu:deny={round(z.cap * 100)}\n"
                for k, z in enumerate(live.host.zones, 1)
            )
        )
    name = rest[0].removeprefix("jail:") if rest else ""
    if name not in live.zones[1:]:
        raise UsageError(f"rctl: failed to show resource consumption for '{name}': No such process\n", 1)
    k = live.zones.index(name)

    def text(t: float) -> str:
        block, i = live.at(t)
        c = live.counters(t)
        rss, swap = int(block.zone_rss[i, k]), int(block.zone_swap[i, k])
        use = {
            "cputime": int(c["zone_user"][k] + c["zone_sys"][k]), "datasize": rss // 2, "stacksize": rss // 40,
            "coredumpsize": 0, "memoryuse": rss, "memorylocked": 0, "maxproc": int(block.zone_nproc[i, k]),
            "openfiles": int(block.zone_nproc[i, k]) * 24, "vmemoryuse": swap * 3, "pseudoterminals": 0, "swapuse": 0,
            "nthr": int(block.zone_nlwp[i, k]), "msgqqueued": 0, "msgqsize": 0, "nmsgq": 0, "nsem": 0, "nsemop": 0,
            "nshm": 0, "shmsize": 0, "wallclock": int(t - live.model.boot),
            "pcpu": round(float(block.zone_cpu[i, k]) * 100),
            "readbps": int(block.zone_read_bytes[i, k]), "writebps": int(block.zone_write_bytes[i, k]),
            "readiops": int(block.zone_reads[i, k]), "writeiops": int(block.zone_writes[i, k]),
        }  # fmt: skip
        return "".join(f"{n}={v}\n" for n, v in use.items())

    return once(text)


def glabel(live: Live, args: list[str]) -> Tool:
    """glabel status -s: labels and the partitions that carry them."""
    return once(
        lambda t: "".join(
            f"gptid/3f1c8d2e-0a4b-11ee-9c0{n}-00259{n:05d}  N/A  {d.name}\n"
            for n, d in enumerate(live.model.disks)
            if d.name.startswith("nda")
        )
    )


PROGRAMS: dict[str, Make] = {
    "sysctl": sysctl, "iostat": iostat, "swapinfo": swapinfo, "netstat": netstat, "jls": jls, "rctl": rctl,
    "glabel": glabel, "getconf": lambda live, args: once(lambda t: f"{PAGE}\n"),
}  # fmt: skip
