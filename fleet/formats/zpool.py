"""zpool iostat, zpool status, zpool list and zfs list.

Formats: Solaris 10 5/08 to 10/09 ('used avail', 'scrub:' lines), Solaris 10 with the 9/10 patches
('alloc free', 'raidz2-0', still 'scrub:'), illumos ('scan:'), OpenZFS 2.x (-H, -p, -y, 'scan:' of 2.2).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fleet.formats.human import nicenum
from fleet.formats.tool import Tool, UsageError, once, stamp, timing
from fleet.formats.zhisto import histograms
from fleet.live import Live, rates
from fleet.model import Block, Row
from fleet.scenario import DAY, Resilver
from fleet.site import GIB, MIB, Host, Pool

ASHIFT_ROUND = 512


def options(args: list[str], with_value: str) -> tuple[dict[str, str], list[str]]:
    """Options of getopt's kind and the operands. `with_value`: letters that take a value."""
    found: dict[str, str] = {}
    rest: list[str] = []
    i = 0
    while i < len(args):
        a = args[i]
        if a == "--":
            rest += args[i + 1 :]
            break
        if len(a) > 1 and a[0] == "-" and not a[1:].isdigit():
            j = 1
            while j < len(a):
                if a[j] in with_value:
                    value = a[j + 1 :]
                    if not value and i + 1 < len(args):
                        i += 1
                        value = args[i]
                    found[a[j]] = value
                    break
                found[a[j]] = ""
                j += 1
        else:
            rest.append(a)
        i += 1
    return found, rest


def zpool(live: Live, args: list[str]) -> Tool:
    """The `zpool` command. Raises UsageError as the tool would refuse."""
    sub, rest = (args[0], args[1:]) if args else ("", [])
    if sub == "iostat":
        return zpool_iostat(live, rest)
    if sub == "status":
        return zpool_status(live, rest)
    if sub == "list":
        return zpool_list(live, rest)
    if sub in ("version", "upgrade") and live.host.openzfs:
        return once(lambda t: "zfs-2.3.2-1\nzfs-kmod-2.3.2-1\n")
    raise UsageError(f"unrecognized command '{sub}'\nusage: zpool command args ...\n")


def _pools(live: Live, names: list[str]) -> list[Pool]:
    known = {p.name: p for p in live.host.pools}
    for name in names:
        if name not in known:
            raise UsageError(f"cannot open '{name}': no such pool\n", 1)
    return [known[n] for n in names] if names else list(live.host.pools)


def _pool_order(live: Live) -> list[int]:
    return sorted(range(len(live.host.pools)), key=lambda i: live.host.pools[i].name)


def _zpool_usage(sub: str, letter: str) -> UsageError:
    return UsageError(f"invalid option '{letter}'\nusage:\n\t{sub} [-v] [pool] ... [interval [count]]\n")


def zpool_iostat(live: Live, args: list[str]) -> Tool:
    linux = live.host.openzfs
    opts, rest = options(args, "T")
    for letter in opts:
        if letter not in ("vTHpylqwrPLgn" if linux else "vTn" if live.host.release == "omnios" else "vT"):
            raise _zpool_usage("iostat", letter)
    names, interval, count = timing(rest)
    chosen = {p.name for p in _pools(live, names)}
    order = [p for p in _pool_order(live) if live.host.pools[p].name in chosen]
    verbose, exact = "v" in opts, "p" in opts
    plan = _iostat_plan(live, order, verbose)
    head, line_of, width = _iostat_layout(live, plan)
    dash = _dashes(width)
    if "w" in opts or "r" in opts:
        return _histograms(live, plan, opts, interval, count)
    unit = (lambda v: str(int(v))) if exact else nicenum
    latency, queues = "l" in opts, "q" in opts
    if linux and "H" not in opts:
        head = _linux_head(width)
    scripted = "H" in opts
    seen = {"reports": 0}

    def report(t: float, before: float | None) -> str:
        now = live.counters(t)
        if before is None:
            if "y" in opts and interval:
                return ""
            then, seconds = None, t - live.model.boot
        else:
            then, seconds = live.counters(before), t - before
        if then is None:
            ops, size = now["row_ops"] / seconds, now["row_bytes"] / seconds
        else:
            ops, size = rates(then, now, "row_ops", seconds), rates(then, now, "row_bytes", seconds)
        block, i = live.at(t)
        alloc, free = block.row_alloc[i], block.row_free[i]
        ops_l, size_l = ops.tolist(), size.tolist()
        out = [stamp(opts.get("T", ""), t)]
        if not scripted and (verbose or seen["reports"] % 20 == 0):
            out.append(head)
        seen["reports"] += 1
        for entry in plan:
            if isinstance(entry, str):
                if scripted:
                    out.append("\n" if entry != "-" else "")
                elif entry == "-":
                    out.append(dash)
                else:
                    out.append(line_of(entry, ["-"] * 6))
                continue
            r, row = entry
            space = (["0", "0"] if exact else ["-", "-"]) if row.depth == 2 else [unit(alloc[r]), unit(free[r])]
            cells = [
                *space,
                unit(ops_l[2 * r]),
                unit(ops_l[2 * r + 1]),
                unit(size_l[2 * r]),
                unit(size_l[2 * r + 1]),
            ]
            if scripted:
                if latency:
                    cells += _latency_cells(live, block, i, row, ops_l[2 * r], ops_l[2 * r + 1])
                if queues:
                    cells += _queue_cells(live, block, i, row, t, ops_l[2 * r], ops_l[2 * r + 1])
                out.append("\t".join([_printed(live, row, linux), *cells]) + "\n")
            else:
                out.append(line_of("  " * row.depth + _printed(live, row, linux), cells))
        if not scripted and len(order) > 1 and not verbose:
            out.append(dash)
        return "".join(out)

    return Tool(report, interval, count)


def _histograms(
    live: Live, plan: list[tuple[int, Row] | str], opts: dict[str, str], interval: float, count: int
) -> Tool:
    """-w or -r; totals since import, so without an interval only."""
    if interval:
        raise UsageError("histograms of an interval are not simulated\n", 1)
    if {"w", "r"} <= set(opts):
        raise UsageError("[-r|-w] can't be used together\n", 1)
    if {"l", "q"} & set(opts):
        raise UsageError("[-r|-w] isn't allowed with [-c|-l|-q]\n", 1)
    rows = [entry for entry in plan if not isinstance(entry, str)]
    how = {"latency": "w" in opts, "exact": "p" in opts, "scripted": "H" in opts}
    return Tool(lambda t, before: stamp(opts.get("T", ""), t) + histograms(live, rows, t, **how), interval, count)


def _disk_time(live: Live, block: Block, i: int, row: Row) -> float:
    time_ = block.disk_time[i]
    if row.leaf >= 0:
        return float(time_[row.leaf])
    data = [k for k, d in enumerate(live.model.disks) if d.role == "data"]
    return float(np.mean(time_[data]))


def _queue_cells(live: Live, block: Block, i: int, row: Row, t: float, reads: float, writes: float) -> list[str]:
    """Columns of -q, pending and active each: syncq_read, syncq_write, asyncq_read, asyncq_write, scrubq_read,
    trimq_write, rebuildq_write. So many are under way as come in the time that one takes (Little's law); writes of a
    transaction group wait in a heap."""
    each = _disk_time(live, block, i, row)
    reading, writing = reads * each, writes * each
    scan = scan_of(live, live.host.pools[row.pool], t)
    scrubs = 2 if scan and row.role == "data" and float(scan.fraction(np.array([t]))[0]) < 1.0 else 0
    pairs = [
        (0.4 * reading, reading),
        (0.0, 0.1 * writing),
        (0.0, 0.0),
        (2.5 * writing, 0.9 * writing),
        (scrubs, scrubs),
        (0.0, 0.0),
        (0.0, 0.0),
    ]
    return [str(round(v)) for pair in pairs for v in pair]


def _latency_cells(live: Live, block: Block, i: int, row: Row, reads: float, writes: float) -> list[str]:
    """Columns of -l in ns: total, disk, syncq, asyncq (read, write), scrub, trim; - for what did not occur."""
    ns = int(_disk_time(live, block, i, row) * 1e9)
    waits = (ns * 1.12, ns * 1.3, ns, ns * 0.9, 14300, 9100, None, ns // 3)
    occurred = (reads > 0, writes > 0)
    cells = [str(int(w)) if w is not None and occurred[k % 2] else "-" for k, w in enumerate(waits)]
    return [*cells, "-", "-", "-"]


def _printed(live: Live, row: Row, linux: bool) -> str:
    if live.host.release == "u5" and row.kind in ("mirror", "raidz1", "raidz2"):
        return row.kind
    return row.name


def _iostat_plan(live: Live, order: list[int], verbose: bool) -> list[tuple[int, Row] | str]:
    """Rows (with their index) in print order; 'logs' and 'cache' are headings, '-' a closing line of dashes."""
    plan: list[tuple[int, Row] | str] = []
    every = list(enumerate(live.model.rows))
    for p in order:
        mine = [(r, row) for r, row in every if row.pool == p]
        if not verbose:
            plan.append(mine[0])
            continue
        role = "data"
        for r, row in mine:
            if row.role != role:
                role = row.role
                plan.append({"log": "logs", "cache": "cache"}[role])
            plan.append((r, row))
        plan.append("-")
    return plan


def _iostat_layout(live: Live, plan: list[tuple[int, Row] | str]) -> tuple[str, Callable[[str, list[str]], str], int]:
    """The heading, a function that lays out a line, the width of the name's column."""
    names = ["  " * e[1].depth + _printed(live, e[1], False) if not isinstance(e, str) else "" for e in plan]
    width = max(10, max((len(n) for n in names), default=10))
    old = live.host.release in ("u5",)
    first = "  used  avail" if old else " alloc   free"
    head = (
        f"{'':{width}}     capacity     operations    bandwidth\n"
        f"{'pool':{width}} {first}   read  write   read  write\n" + _dashes(width)
    )

    def line(name: str, cells: list[str]) -> str:
        return f"{name:{width}}" + "".join(f"  {c:>5}" for c in cells) + "\n"

    return head, line, width


def _linux_head(width: int) -> str:
    return (
        f"{'':{width}}    capacity     operations     bandwidth \n"
        f"{'pool':{width}}  alloc   free   read  write   read  write\n" + _dashes(width)
    )


def _dashes(width: int) -> str:
    return "-" * width + "  -----" * 6 + "\n"


# zpool status


def zpool_status(live: Live, args: list[str]) -> Tool:
    opts, rest = options(args, "TcD")
    names, interval, count = timing(rest)
    if "j" in opts or any(o not in "vxTLPpse" for o in opts):
        letter = next(o for o in opts if o not in "vxTLPpse")
        raise UsageError(f"invalid option '{letter}'\nusage:\n\tstatus [-vx] [-T d|u] [pool] ... [interval [count]]\n")
    pools = _pools(live, names)

    def report(t: float, before: float | None) -> str:
        text = "\n".join(status_text(live, p, t) for p in sorted(pools, key=lambda p: p.name))
        if "x" in opts and "DEGRADED" not in text and "in progress" not in text:
            text = "all pools are healthy\n"
        return stamp(opts.get("T", ""), t) + text + ("\n" if interval else "")

    return Tool(report, interval, count)


def scan_of(live: Live, pool: Pool, t: float) -> Resilver | None:
    """The newest scan of a pool that has begun by `t`."""
    begun = [s for s in live.model.scans if s.pool == pool.name and s.began <= t]
    return max(begun, key=lambda s: s.began) if begun else None


def _ctime(t: float) -> str:
    return time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(t))


def _short(seconds: float) -> str:
    return f"{int(seconds) // 3600}h{int(seconds) // 60 % 60}m"


def _days(seconds: float) -> str:
    s = int(seconds)
    return f"{s // DAY} days {s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}"


def scan_lines(live: Live, pool: Pool, t: float) -> str:
    """The scrub: or scan: lines with their label."""
    release = live.host.release
    old = live.host.system == "solaris10"
    scan = scan_of(live, pool, t)
    if scan is None:
        if old:
            return " scrub: none requested\n"
        return "" if live.host.openzfs else "  scan: none requested\n"
    kind = "scrub" if scan.scrub else "resilver"
    done = float(scan.fraction(np.array([t]))[0])
    elapsed = t - scan.began
    if done >= 1.0:
        end = scan.began + scan.span
        if old:
            return f" scrub: {kind} completed after {_short(scan.span)} with 0 errors on {_ctime(end)}\n"
        if scan.scrub:
            took = _days(scan.span)
            zero = "0B" if live.host.openzfs else "0"
            if live.host.openzfs:
                took = took.split(" days ")[1] if took.startswith("0 days") else took
            return f"  scan: scrub repaired {zero} in {took} with 0 errors on {_ctime(end)}\n"
        return f"  scan: resilvered {nicenum(scan.bytes / 5)} in {_days(scan.span)} with 0 errors on {_ctime(end)}\n"
    left = elapsed * (1 - done) / max(done, 1e-6)
    if old:
        since = f" for {_short(elapsed)}," if release != "u5" else ","
        return f" scrub: {kind} in progress{since} {done * 100:.2f}% done, {_short(left)} to go\n"
    rate = scan.bytes * done / max(elapsed, 1)
    fixed = nicenum(0 if scan.scrub else scan.bytes * done / 5)
    word = "repaired" if scan.scrub else "resilvered"
    if live.host.openzfs:
        togo = _days(left).replace("0 days ", "")
        return (
            f"  scan: {kind} in progress since {_ctime(scan.began)}\n"
            f"\t{nicenum(min(scan.bytes, scan.bytes * done * 1.05))} / {nicenum(scan.bytes)} scanned, "
            f"{nicenum(scan.bytes * done)} / {nicenum(scan.bytes)} issued at {nicenum(rate)}/s\n"
            f"\t{fixed if fixed != '0' else '0B'} {word}, {done * 100:.2f}% done, {togo} to go\n"
        )
    return (
        f"  scan: {kind} in progress since {_ctime(scan.began)}\n"
        f"    {nicenum(scan.bytes * done)} scanned out of {nicenum(scan.bytes)} at {nicenum(rate)}/s, "
        f"{_short(left)} to go\n"
        f"    {fixed} {word}, {done * 100:.2f}% done\n"
    )


def status_text(live: Live, pool: Pool, t: float) -> str:
    """One pool's block of `zpool status`."""
    host = live.host
    tab = "\t" if host.openzfs else "        "
    scan = scan_of(live, pool, t)
    repairing = scan is not None and not scan.scrub and scan.began <= t < scan.began + scan.span
    state = "DEGRADED" if repairing else "ONLINE"
    out = [f"  pool: {pool.name}\n state: {state}\n"]
    if repairing:
        wrap = "\t" if host.openzfs else "        "
        out.append(
            "status: One or more devices is currently being resilvered.  The pool will\n"
            f"{wrap}continue to function, possibly in a degraded state.\n"
            "action: Wait for the resilver to complete.\n"
        )
    out.append(scan_lines(live, pool, t))
    out.append("config:\n\n")
    rows: list[tuple[str, str, str, str, str, str]] = [("NAME", "STATE", "READ", "WRITE", "CKSUM", "")]

    def add(depth: int, name: str, st: str, note: str = "") -> None:
        rows.append(("  " * depth + name, st, "0", "0", "0", note))

    add(0, pool.name, state)
    role = "data"
    indexed = host.release != "u5"
    for v in pool.vdevs:
        if v.role != role:
            role = v.role
            rows.append(({"log": "logs", "cache": "cache"}[role], "", "", "", "", ""))
        hurt = repairing and scan is not None and scan.vdev == v.name
        vstate = "DEGRADED" if hurt else "ONLINE"
        if v.kind == "disk":
            add(1, v.disks[0].name, "ONLINE")
            continue
        add(1, v.name if indexed else v.kind, vstate)
        for d in v.disks:
            if hurt and scan is not None and d.name == scan.disk:
                old = host.system == "solaris10"
                add(2, "replacing" if old else "replacing-3", "DEGRADED")
                add(3, f"{d.name}/old" if old else "old", "FAULTED", "too many errors")
                done = nicenum(scan.bytes * float(scan.fraction(np.array([t]))[0]) / 5)
                add(3, d.name, "ONLINE", f"{done} resilvered" if old else "(resilvering)")
            else:
                add(2, d.name, "ONLINE")
    width = max(len(r[0]) for r in rows)
    swidth = max(8, max(len(r[1]) for r in rows))
    for name, st, a, b, c, note in rows:
        if not st:
            out.append(f"{tab}{name}\n")
        else:
            line = f"{tab}{name:{width}}  {st:{swidth}} {a:>5} {b:>5} {c:>5}"
            out.append(line + (f"  {note}" if note else "") + "\n")
    out.append("\nerrors: No known data errors\n")
    return "".join(out)


# zpool list


def zpool_list(live: Live, args: list[str]) -> Tool:
    opts, rest = options(args, "oT")
    names, interval, count = timing(rest)
    pools = _pools(live, names)
    host = live.host
    linux, omnios = host.openzfs, host.release == "omnios"
    if "p" in opts and not (linux or omnios):
        raise UsageError("invalid option 'p'\nusage:\n\tlist [-H] [-o property[,...]] [pool] ...\n")
    if "v" in opts and not (linux or omnios):
        raise UsageError("invalid option 'v'\nusage:\n\tlist [-H] [-o property[,...]] [pool] ...\n")
    default = {
        "u5": "name,size,used,available,capacity,health,altroot",
        "u8": "name,size,allocated,free,capacity,health,altroot",
        "omnios": "name,size,allocated,free,checkpoint,expandsize,fragmentation,capacity,dedupratio,health,altroot",
        "s11": "name,size,allocated,free,capacity,dedupratio,health,altroot",
    }.get(host.release, _OPENZFS_LIST)
    wanted = [_ALIASES.get(c, c) for c in (opts.get("o") or default).split(",")]
    new = {"checkpoint", "expandsize", "fragmentation"} | (set() if host.release == "s11" else {"dedupratio"})
    known = set(_HEADS) - (set() if linux or omnios else new)
    if host.release == "u5":
        known -= {"allocated", "free", "guid"}
    for c in wanted:
        if c not in known:
            raise UsageError(f"bad property list: invalid property '{c}'\n")

    def report(t: float, before: float | None) -> str:
        table = [] if "H" in opts else [[_HEADS[c] for c in wanted]]
        table += [[_pool_cell(live, p, c, t, "p" in opts) for c in wanted] for p in sorted(pools, key=lambda p: p.name)]
        if "H" in opts:
            return stamp(opts.get("T", ""), t) + "".join("\t".join(r) + "\n" for r in table)
        widths = [max(len(r[k]) for r in table) for k in range(len(wanted))]
        left = {"name", "health", "altroot"}
        lines = [
            "  ".join(
                f"{v:<{w}}" if c in left else f"{v:>{w}}" for v, w, c in zip(r, widths, wanted, strict=True)
            ).rstrip()
            for r in table
        ]
        return stamp(opts.get("T", ""), t) + "\n".join(lines) + "\n"

    return Tool(report, interval, count)


_OPENZFS_LIST = "name,size,allocated,free,checkpoint,expandsize,fragmentation,capacity,dedupratio,health,altroot"
_ALIASES = {"alloc": "allocated", "cap": "capacity", "frag": "fragmentation", "expandsz": "expandsize",
"dedup": "dedupratio",
            "avail": "available"}  # fmt: skip
_HEADS = {
    "name": "NAME", "size": "SIZE", "used": "USED", "available": "AVAIL", "allocated": "ALLOC", "free": "FREE",
    "checkpoint": "CKPOINT", "expandsize": "EXPANDSZ", "fragmentation": "FRAG", "capacity": "CAP",
    "dedupratio": "DEDUP",
    "health": "HEALTH", "altroot": "ALTROOT", "guid": "GUID",
}  # fmt: skip


def _pool_cell(live: Live, pool: Pool, column: str, t: float, exact: bool) -> str:
    level = int(live.model.allocated(np.array([t]))[0, list(live.host.pools).index(pool)])
    unit = str if exact else nicenum
    if column in ("allocated", "used"):
        return unit(level)
    if column in ("free", "available"):
        return unit(pool.size - level)
    if column == "size":
        return unit(pool.size)
    if column == "capacity":
        return f"{100 * level // pool.size}" + ("" if exact else "%")
    if column == "fragmentation":
        return f"{int(6 + 34 * (level / pool.size) ** 2)}" + ("" if exact else "%")
    if column == "dedupratio":
        return "1.00" if exact else "1.00x"
    if column == "health":
        scan = scan_of(live, pool, t)
        return "DEGRADED" if scan and not scan.scrub and t < scan.began + scan.span else "ONLINE"
    return {"name": pool.name, "guid": "7145126390233412110"}.get(column, "-")


# Datasets


class Dataset:
    """A file system, volume or snapshot with its space in bytes at one moment."""

    __slots__ = ("avail", "creation", "mountpoint", "name", "refer", "snapshots", "type", "used")

    def __init__(
        self, name: str, used: float, avail: float, refer: float, kind: str = "filesystem", *,
        snapshots: float = 0.0, creation: float = 0.0, mountpoint: str = "-",
    ) -> None:  # fmt: skip
        self.name, self.used, self.avail, self.refer, self.type = name, used, avail, refer, kind
        self.snapshots, self.creation, self.mountpoint = snapshots, creation, mountpoint


KEEP_DAYS = 7


def datasets(live: Live, t: float) -> list[Dataset]:
    """Everything below the host's pools at `t`, parents before children, snapshots after their dataset.

    The pool's usable bytes are shared out: what no zone's data set accounts for lies in 'archive', so the sum
    agrees with the pool.
    """
    host = live.host
    level = live.model.allocated(np.array([t]))[0]
    out: list[Dataset] = []
    for p, pool in sorted(enumerate(host.pools), key=lambda e: e[1].name):
        usable = level[p] / pool.overhead
        # zfs keeps back a share of the pool.
        avail = max(pool.size / pool.overhead * 0.968 - usable, 0.0)
        out += _main(live, host, pool, usable, avail, t) if pool.main else _root(host, pool, usable, avail, t)
    return out


def _received(live: Live, name: str, t: float) -> float | None:
    """Bytes of dataset `name` that a stream has brought by `t`; None when no stream brings it here."""
    for s in live.model.streams_in:
        if s.dataset == name:
            return float(s.done(np.array([t]))[0])
    return None


def _main(live: Live, host: Host, pool: Pool, usable: float, avail: float, t: float) -> list[Dataset]:
    out: list[Dataset] = []
    total = 0.0
    created = live.model.scenario.start - 400 * DAY
    for z in host.zones:
        name = f"{pool.name}/{z.name}"
        came = _received(live, name, t)
        if came is not None and came <= 0:
            continue
        full = z.dataset or SIZES.get(z.name, 30.0)
        sent = any(s.dataset == name for s in live.model.streams_out)
        refer = came if came is not None else full * GIB * (0.955 if not sent else 0.97)
        snaps: list[Dataset] = []
        unique = 0.0
        if z.kind in ("mail", "backup") and came is None:
            churn = full * GIB * 0.0045
            midnight = t // DAY * DAY
            for age in range(KEEP_DAYS - 1, -1, -1):
                at = midnight - age * DAY
                share = churn * (1.6 / (1 + 0.55 * (KEEP_DAYS - 1 - age)) if age else 0.2)
                day = time.strftime("%Y-%m-%d", time.gmtime(at))
                snaps.append(Dataset(f"{name}@daily-{day}", share, 0, refer - age * churn, "snapshot", creation=at))
                unique += share
        snaps += _replicas(live, name, refer, t)
        used = refer + unique
        total += used
        out.append(Dataset(name, used, avail, refer, snapshots=unique, creation=created, mountpoint=f"/zones/{z.name}"))
        out += snaps
    rest = max(usable - total - 3 * GIB, GIB)
    archive = f"{pool.name}/archive"
    top = Dataset(pool.name, usable, avail, 96 * 1024, creation=created, mountpoint=f"/{pool.name}")
    extra = Dataset(archive, rest, avail, rest, creation=created, mountpoint=f"/{archive}")
    merged = [extra, *out]
    merged.sort(key=lambda d: (d.name.partition("@")[0], "@" in d.name, d.creation))
    return [top, *merged]


SIZES = {"mail1": 413.0, "mail2": 388.0, "mail3": 512.0, "mail4": 366.0}
"""GiB of the stores that the migration moves."""

REPLICATE = 300
"""Seconds between two replication snapshots of a dataset on its way."""


def _replicas(live: Live, name: str, refer: float, t: float) -> list[Dataset]:
    """Replication snapshots of the newest quarter of an hour; on the target those that arrived."""
    for s in (*live.model.streams_out, *live.model.streams_in):
        if s.dataset != name or t < s.began:
            continue
        last = t
        if s.target == live.host.name:
            for a, b in s.stalls:
                if a <= t < b:
                    last = a
            last -= 40
        newest = last // REPLICATE * REPLICATE
        return [
            Dataset(
                f"{name}@repl-{time.strftime('%Y%m%d%H%M', time.gmtime(at))}",
                MIB * 3,
                0,
                refer,
                "snapshot",
                creation=at,
            )
            for at in (newest - 2 * REPLICATE, newest - REPLICATE, newest)
            if at >= s.began
        ]
    return []


def _root(host: Host, pool: Pool, usable: float, avail: float, t: float) -> list[Dataset]:
    name = pool.name
    be = {"u5": "s10x_u5", "u8": "s10x_u8wos_08a", "omnios": "omnios-r151046", "s11": "11.4.42.111.0"}.get(
        host.release, "root"
    )
    swap, dump = 8.0 * GIB, 4.0 * GIB
    rest = max(usable - swap - dump, 2 * GIB)
    born = t - host.uptime_days * DAY - 300 * DAY
    return [
        Dataset(name, usable, avail, 38 * 1024, creation=born, mountpoint=f"/{name}"),
        Dataset(f"{name}/ROOT", rest * 0.7, avail, 18 * 1024, creation=born, mountpoint="legacy"),
        Dataset(f"{name}/ROOT/{be}", rest * 0.7, avail, rest * 0.7, creation=born, mountpoint="/"),
        Dataset(f"{name}/dump", dump, avail, dump, "volume", creation=born),
        Dataset(f"{name}/export", rest * 0.3, avail, rest * 0.3, creation=born, mountpoint="/export"),
        Dataset(f"{name}/swap", swap, avail + swap, 16 * 1024, "volume", creation=born),
    ]


_ZFS_COLUMNS = {
    "name": "NAME", "used": "USED", "avail": "AVAIL", "available": "AVAIL", "refer": "REFER", "referenced": "REFER",
    "mountpoint": "MOUNTPOINT", "type": "TYPE", "creation": "CREATION", "usedbysnapshots": "USEDSNAP",
    "usedbydataset": "USEDDS", "usedbychildren": "USEDCHILD", "usedbyrefreservation": "USEDREFRESERV", "quota": "QUOTA",
    "usedsnap": "USEDSNAP", "usedds": "USEDDS", "usedchild": "USEDCHILD", "refquota": "REFQUOTA",
    "compressratio": "RATIO", "logicalused": "LUSED", "guid": "GUID", "written": "WRITTEN",
    "receive_resume_token": "RESUMETOK",
    "origin": "ORIGIN", "usedrefreserv": "USEDREFRESERV", "volsize": "VOLSIZE", "reservation": "RESERV",
}  # fmt: skip


def zfs(live: Live, args: list[str]) -> Tool:
    """The `zfs` command. Raises UsageError as the tool would refuse."""
    sub, rest = (args[0], args[1:]) if args else ("", [])
    if sub == "list":
        return zfs_list(live, rest)
    if sub == "get":
        return zfs_get(live, rest)
    raise UsageError(f"unrecognized command '{sub}'\nusage: zfs command args ...\n")


def _select(live: Live, t: float, types: str, names: list[str], recursive: bool, depth: int | None) -> list[Dataset]:
    wanted = set(types.split(","))
    every = {"all"} & wanted
    out = []
    for d in datasets(live, t):
        kind = {"filesystem": {"filesystem", "fs"}, "volume": {"volume", "vol"}, "snapshot": {"snapshot", "snap"}}[
            d.type
        ]
        if not every and not kind & wanted:
            continue
        base = d.name.partition("@")[0]
        if names:
            inside = [n for n in names if base == n or d.name == n or (recursive and base.startswith(n + "/"))]
            if not inside:
                continue
            if not recursive and d.type == "snapshot" and d.name not in names and not every:
                continue
            if depth is not None and all(base.count("/") - n.count("/") > depth for n in inside):
                continue
        out.append(d)
    return out


def zfs_list(live: Live, args: list[str]) -> Tool:
    opts, names = options(args, "otsSd")
    old = live.host.system == "solaris10"
    if "p" in opts and old:
        raise UsageError("invalid option 'p'\nusage:\n\tlist [-rH] [-o property[,...]] [-t type[,...]] ...\n")
    if live.host.release == "u5" and "d" in opts:
        raise UsageError("invalid option 'd'\nusage:\n\tlist [-rH] [-o property[,...]] [-t type[,...]] ...\n")
    columns = (opts.get("o") or "name,used,avail,refer,mountpoint").split(",")
    if columns == ["space"]:
        columns = ["name", "avail", "used", "usedsnap", "usedds", "usedrefreserv", "usedchild"]
    unknown = set(_ZFS_COLUMNS)
    if old:
        unknown -= {"written", "logicalused", "guid", "receive_resume_token"}
    if live.host.release == "u5":
        unknown -= {"usedbysnapshots", "usedbydataset", "usedbychildren", "usedbyrefreservation", "usedsnap", "usedds",
                    "usedchild", "usedrefreserv", "refquota"}  # fmt: skip
    for c in columns:
        if c not in unknown:
            raise UsageError(f"bad property list: invalid property '{c}'\n")
    exact = "p" in opts
    types = opts.get("t") or ("filesystem,volume" + (",snapshot" if live.host.release == "u5" else ""))
    depth = int(opts["d"]) if opts.get("d", "").isdigit() else None

    def text(t: float) -> str:
        found = _select(live, t, types, names, "r" in opts or depth is not None, depth)
        if opts.get("s") == "creation" or opts.get("S") == "creation":
            found.sort(key=lambda d: d.creation, reverse="S" in opts)
        table = [[_dataset_cell(d, c, exact) for c in columns] for d in found]
        if "H" in opts:
            return "".join("\t".join(r) + "\n" for r in table)
        table.insert(0, [_ZFS_COLUMNS[c] for c in columns])
        widths = [max(len(r[k]) for r in table) for k in range(len(columns))]
        left = {"name", "mountpoint", "type", "creation"}
        return "".join(
            "  ".join(
                f"{v:<{w}}" if c in left else f"{v:>{w}}" for v, w, c in zip(r, widths, columns, strict=True)
            ).rstrip()
            + "\n"
            for r in table
        )

    return once(text)


def _dataset_cell(d: Dataset, column: str, exact: bool) -> str:
    unit = (lambda v: str(int(v))) if exact else nicenum
    snap = d.type == "snapshot"
    if column == "used":
        return unit(d.used)
    if column in ("avail", "available"):
        return "-" if snap else unit(d.avail)
    if column in ("refer", "referenced"):
        return unit(d.refer)
    if column in ("usedbysnapshots", "usedsnap"):
        return "-" if snap else unit(d.snapshots)
    if column in ("usedbydataset", "usedds"):
        return "-" if snap else unit(d.refer)
    if column in ("usedbychildren", "usedchild"):
        return "-" if snap else unit(max(d.used - d.refer - d.snapshots, 0))
    if column in ("usedbyrefreservation", "usedrefreserv"):
        return "-" if snap else unit(0)
    if column in ("quota", "refquota", "reservation"):
        return "-" if snap else ("0" if exact else "none")
    if column == "creation":
        return str(int(d.creation)) if exact else time.strftime("%a %b %e %H:%M %Y", time.gmtime(d.creation))
    if column in ("logicalused", "written"):
        return unit(d.used)
    return {"name": d.name, "type": d.type, "mountpoint": d.mountpoint, "compressratio": "1.00x"}.get(column, "-")


def zfs_get(live: Live, args: list[str]) -> Tool:
    opts, rest = options(args, "otsd")
    old = live.host.system == "solaris10"
    if not rest:
        raise UsageError("missing property argument\n")
    properties, names = rest[0].split(","), rest[1:]
    fields = (opts.get("o") or "name,property,value,source").split(",")
    if old and "t" in opts:
        raise UsageError("invalid option 't'\n")

    def text(t: float) -> str:
        out = []
        for d in _select(live, t, opts.get("t", "all"), names, "r" in opts, None):
            if names and "r" not in opts and d.name not in names:
                continue  # a dataset that is named, without its snapshots
            for prop in properties:
                value = _dataset_cell(d, prop, "p" in opts) if prop in _ZFS_COLUMNS else "-"
                cells = {"name": d.name, "property": prop, "value": value, "source": "-"}
                out.append([cells[f] for f in fields])
        if "H" in opts:
            return "".join("\t".join(r) + "\n" for r in out)
        out.insert(0, [f.upper() for f in fields])
        widths = [max(len(r[k]) for r in out) for k in range(len(fields))]
        return "".join("  ".join(f"{v:<{w}}" for v, w in zip(r, widths, strict=True)).rstrip() + "\n" for r in out)

    return once(text)
