"""prstat -Z, zoneadm, iostat -xn, vmstat, rcapstat, swap, psrinfo, prtconf and the like of Solaris and illumos."""

from __future__ import annotations

import time

from fleet.formats.human import percent, prstat_size, prstat_time
from fleet.formats.tool import Tool, UsageError, once, stamp, timing
from fleet.formats.zpool import options
from fleet.live import Live, disk_rates, rates
from fleet.site import GIB

ZONE_COLUMN = 28
"""prstat cuts longer zone names and marks the cut with '*'."""


def cut(name: str, width: int = ZONE_COLUMN) -> str:
    return name if len(name) <= width else name[: width - 1] + "*"


def prstat(live: Live, args: list[str]) -> Tool:
    """prstat with -Z: processes, then zones by CPU. -c prints anew, as it does into a pipe."""
    opts, rest = options(args, "nspPuUCkjShzT")
    for letter in opts:
        if letter not in "aAcdHJLmRrtTvZnsSpPuUCkjhz":
            raise UsageError(f"prstat: illegal option -- {letter}\nUsage:\tprstat [-acJLmRrtTvZ] ...\n", 1)
    _, interval, count = timing(rest)
    if not rest:
        interval, count = 5.0, 0
    host = live.host
    tops, _, zone_max = opts.get("n", "15").partition(",")
    processes = int(tops) if tops.isdigit() else 15
    most = int(zone_max) if zone_max.isdigit() else processes if "n" in opts else 10**6

    def report(t: float, before: float | None) -> str:
        now = live.counters(t)
        if before is None:
            block, i = live.at(t)
            cpu = block.zone_cpu[i] / host.ncpu
        else:
            then = live.counters(before)
            seconds = t - before
            cpu = (rates(then, now, "zone_user", seconds) + rates(then, now, "zone_sys", seconds)) / host.ncpu
            block, i = live.at(t)
        spent = now["zone_user"] + now["zone_sys"]
        out = []
        if "d" in opts or "T" in opts:
            out.append(stamp(opts.get("d") or opts.get("T", ""), t))
        order = sorted(range(len(live.zones)), key=lambda k: -float(cpu[k]))
        if processes:
            out.append("   PID USERNAME  SIZE   RSS STATE  PRI NICE      TIME  CPU PROCESS/NLWP\n")
            for k in order[:processes]:
                name = "zpool-mail" if k == 0 else "imapd"
                out.append(
                    f"{4100 + 37 * k:6d} {'root' if not k else 'cyrus':<8} "
                    f"{prstat_size(float(block.zone_rss[i, k]) / 9):>5} "
                    f"{prstat_size(float(block.zone_rss[i, k]) / 12):>5} sleep   59    0 "
                    f"{prstat_time(float(spent[k]) / 5):>9} "
                    f"{percent(float(cpu[k]) / 4):>4} {name}/{3 if k else 112}\n"
                )
        if "Z" in opts:
            out.append("ZONEID    NPROC  SWAP   RSS MEMORY      TIME  CPU ZONE\n")
            for k in order[:most]:
                zid = 0 if k == 0 else host.zones[k - 1].zid
                rss = float(block.zone_rss[i, k])
                out.append(
                    f"{zid:6d} {int(block.zone_nproc[i, k]):8d} {prstat_size(float(block.zone_swap[i, k])):>5} "
                    f"{prstat_size(rss):>5}  {percent(rss / host.memory):>5} {prstat_time(float(spent[k])):>9} "
                    f"{percent(float(cpu[k])):>4} {cut(live.zones[k])}\n"
                )
        total = float(block.zone_cpu[i].sum()) + int(block.run_queue[i])
        out.append(
            f"Total: {int(block.zone_nproc[i].sum())} processes, {int(block.zone_nlwp[i].sum())} lwps, "
            f"load averages: {total:.2f}, {total * 0.97:.2f}, {total * 0.94:.2f}\n"
        )
        return "".join(out)

    return Tool(report, interval, count)


def zoneadm(live: Live, args: list[str]) -> Tool:
    if args[:1] != ["list"]:
        raise UsageError("zoneadm: unknown sub-command\n", 1)
    opts, _ = options(args[1:], "")
    illumos = live.host.system == "illumos"

    def text(t: float) -> str:
        rows = []
        for k, name in enumerate(live.zones):
            zid = 0 if k == 0 else live.host.zones[k - 1].zid
            path = "/" if k == 0 else f"/zones/{live.model.zone_names[k]}"
            uuid = "" if k == 0 else f"{live.model.boot:08x}-04d{k % 10}-e1e6-822e-{zid:012x}"
            new = ("ipkg" if k == 0 else "lipkg") if illumos else "solaris"
            brand = "native" if live.host.system == "solaris10" else new
            kind = "excl" if illumos and k else "shared"
            rows.append((str(zid), name, "running", path, uuid, brand, kind, str(k)))
        if "p" in opts:
            escaped = [(*r[:1], r[1].replace(":", "\\:"), *r[2:]) for r in rows]
            return "".join(":".join(r if illumos else r[:7]) + "\n" for r in escaped)
        if "v" in opts:
            head = "  ID NAME             STATUS     PATH                           BRAND    IP    \n"
            return head + "".join(f"{r[0]:>4} {r[1]:16} {r[2]:10} {r[3]:30} {r[5]:8} {r[6]:6}\n" for r in rows)
        return "".join(r[1] + "\n" for r in rows)

    return once(text)


def iostat(live: Live, args: list[str]) -> Tool:
    """iostat -xn of Solaris: one block per interval, -z without idle devices, -r with commas, -e errors."""
    opts, rest = options(args, "lT")
    for letter in opts:
        if letter not in "cCdDeEiImMnpPrsStTlxXYz":
            raise UsageError(f"iostat: illegal option -- {letter}\nUsage: iostat [-cCdDeEiImMnpPrstxXYz] ...\n", 1)
    _, interval, count = timing(rest)
    if not rest:
        interval, count = 0.0, 1
    if "E" in opts:
        return once(lambda t: _errors(live))
    names = [d.whole for d in live.model.disks] if "n" in opts else [f"sd{n}" for n in range(len(live.model.disks))]
    comma, errors = "r" in opts, "e" in opts
    trailing = "n" in opts or errors
    factor = 1024.0 * 1024.0 if "M" in opts else 1024.0
    unit = "M" if "M" in opts else "k"

    def report(t: float, before: float | None) -> str:
        ops, size, actv, busy = disk_rates(live, t, before)
        out = [stamp(opts.get("T", ""), t)]
        out.append(
            "extended device statistics\n"
            if comma
            else "                    extended device statistics              \n"
        )
        if comma:
            head = f"r/s,w/s,{unit}r/s,{unit}w/s,wait,actv,wsvc_t,asvc_t,%w,%b,"
            out.append(head + ("s/w,h/w,trn,tot,device\n" if errors else "device\n"))
        elif errors:
            out[-1] = "                            extended device statistics       ---- errors --- \n"
            out.append("    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b s/w h/w trn tot device\n")
        elif not trailing:
            out[-1] = "                 extended device statistics              \n"
            out.append(f"device    r/s    w/s   {unit}r/s   {unit}w/s wait actv  svc_t  %w  %b \n")
        else:
            out.append(f"    r/s    w/s   {unit}r/s   {unit}w/s wait actv wsvc_t asvc_t  %w  %b device\n")
        for n, name in enumerate(names):
            r, w = float(ops[2 * n]), float(ops[2 * n + 1])
            if "z" in opts and r + w < 0.05:
                continue
            kr, kw, a, b = float(size[2 * n]) / factor, float(size[2 * n + 1]) / factor, float(actv[n]), float(busy[n])
            asvc = 1000.0 * a / (r + w) if r + w else 0.0
            # The driver holds what exceeds the disk's queue of 32.
            wait = max(a - 32.0, 0.0)
            a -= wait
            asvc, wsvc = (1000.0 * a / (r + w), 1000.0 * wait / (r + w)) if r + w else (asvc, 0.0)
            pw = 100 if wait > 0.5 else 0
            if comma:
                cells = [f"{r:.1f}", f"{w:.1f}", f"{kr:.1f}", f"{kw:.1f}", f"{wait:.1f}", f"{a:.1f}", f"{wsvc:.1f}",
                         f"{asvc:.1f}", f"{pw:.0f}", f"{100 * b:.0f}"]  # fmt: skip
                out.append(",".join([*cells, *(["0", "0", "0", "0"] if errors else []), name]) + "\n")
            elif not trailing:
                out.append(
                    f"{name:<8} {r:6.1f} {w:6.1f} {kr:6.1f} {kw:6.1f} {wait:4.1f} {a:4.1f} "
                    f"{asvc + wsvc:6.1f} {pw:3.0f} {100 * b:3.0f} \n"
                )
            else:
                mid = "   0   0   0   0" if errors else ""
                out.append(
                    f" {r:6.1f} {w:6.1f} {kr:6.1f} {kw:6.1f} {wait:4.1f} {a:4.1f} {wsvc:6.1f} {asvc:6.1f} {pw:3.0f} "
                    f"{100 * b:3.0f}{mid} {name}\n"
                )
        return "".join(out)

    return Tool(report, interval, count)


def _errors(live: Live) -> str:
    return "".join(
        f"{d.whole:<16} Soft Errors: 0 Hard Errors: 0 Transport Errors: 0 \n"
        f"Vendor: ATA      Product: HITACHI HUA7210S Revision: A90A Serial No: GTA000P{n:02d} \n"
        "Size: 1000.20GB <1000204886016 bytes>\n"
        "Media Error: 0 Device Not Ready: 0 No Device: 0 Recoverable: 0 \n"
        "Illegal Request: 0 Predictive Failure Analysis: 0 \n"
        for n, d in enumerate(live.model.disks)
    )


def vmstat(live: Live, args: list[str]) -> Tool:
    opts, rest = options(args, "T")
    _, interval, count = timing(rest)
    host = live.host
    lines = {"n": 0}

    def report(t: float, before: float | None) -> str:
        block, i = live.at(t)
        now = live.counters(t)
        if before is None:
            user, kernel = (float(v) / (t - live.model.boot) for v in now["cpu"])
        else:
            user, kernel = (float(v) for v in rates(live.counters(before), now, "cpu", t - before))
        us, sy = round(100 * user / host.ncpu), round(100 * kernel / host.ncpu)
        head = ""
        if lines["n"] % 19 == 0:
            head = (
                " kthr      memory            page            disk          faults      cpu\n"
                " r b w   swap  free  re  mf pi po fr de sr s0 s1 s2 s3   in   sy   cs us sy id\n"
            )
        lines["n"] += 1
        free = float(block.mem_free[i])
        swap = (8 * GIB + free) / 1024
        d = block.disk_ops[i].sum(axis=1)
        disks = " ".join(f"{int(v):2d}" for v in (d[:4].tolist() + [0] * 4)[:4])
        return (
            stamp(opts.get("T", ""), t)
            + head
            + (
                f" {int(block.run_queue[i])} {int(block.blocked[i])} 0 {int(swap)} {int(free / 1024)} "
                f"{int(user * 60):3d} "
                f"{int(user * 900):4d} 0  0  0  0  0 {disks} {int(900 + kernel * 2600):4d} {int(user * 21_000):4d} "
                f"{int((user + kernel) * 9000):4d} {us:2d} {sy:2d} {max(100 - us - sy, 0):2d}\n"
            )
        )

    return Tool(report, interval, count)


def rcapstat(live: Live, args: list[str]) -> Tool:
    """rcapstat -z: zones with a cap on resident memory."""
    _, rest = options(args, "")
    _, interval, count = timing(rest)
    if not rest:
        interval, count = 5.0, 0

    def report(t: float, before: float | None) -> str:
        block, i = live.at(t)
        out = ["    id zone            nproc    vm   rss   cap    at avgat    pg avgpg\n"]
        for k, z in enumerate(live.host.zones, 1):
            if z.rss_cap:
                out.append(
                    f"{z.zid:6d} {cut(live.zones[k], 15):<15} {'-':>5} {_rcap(float(block.zone_swap[i, k])):>5} "
                    f"{_rcap(float(block.zone_rss[i, k])):>5} {_rcap(z.rss_cap * GIB):>5}    0K    0K    0K    0K\n"
                )
        return "".join(out)

    return Tool(report, interval, count)


def _rcap(value: float) -> str:
    k = value / 1024
    return f"{k:.0f}K" if k < 10240 else f"{k / 1024:.0f}M"


def swap(live: Live, args: list[str]) -> Tool:
    def text(t: float) -> str:
        block, i = live.at(t)
        used = float(block.zone_swap[i].sum())
        if "-l" in args:
            dev = f"/dev/zvol/dsk/{live.host.pools[-1].name}/swap"
            return f"swapfile             dev  swaplo blocks   free\n{dev} 181,1       8 16777208 16777208\n"
        free = (8 * GIB + float(block.mem_free[i])) / 1024
        return (
            f"total: {int(used * 0.8 / 1024)}k bytes allocated + {int(used * 0.2 / 1024)}k reserved = "
            f"{int(used / 1024)}k used, "
            f"{int(free)}k available\n"
        )

    return once(text)


def psrinfo(live: Live, args: list[str]) -> Tool:
    def text(t: float) -> str:
        if "-p" in args:
            return f"{max(live.host.ncpu // 2, 1)}\n"
        since = time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime(live.model.boot))
        return "".join(f"{n}\ton-line   since {since}\n" for n in range(live.host.ncpu))

    return once(text)


def prtconf(live: Live, args: list[str]) -> Tool:
    return once(
        lambda t: (
            "System Configuration:  Sun Microsystems  i86pc\n"
            f"Memory size: {live.host.memory >> 20} Megabytes\n"
            "System Peripherals (Software Nodes):\n\ni86pc\n"
        )
    )


def prtdiag(live: Live, args: list[str]) -> Tool:
    model = {"omnios": "Sun Fire X4540", "s11": "SUN SERVER X4-2"}.get(live.host.release, "Sun Fire X4100 M2")
    return once(
        lambda t: f"System Configuration: Sun Microsystems {model}\nBIOS Configuration: American Megatrends Inc.\n"
    )
