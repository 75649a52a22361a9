"""kstat(1M): the kernel's statistics of Solaris 10 and illumos, long form and -p.

Which statistics a release has: arcstats without l2_* before Solaris 10 10/08 (u6); caps since Solaris 10 5/08;
zones, memory_cap, zone_vfs and zone_zfs only on illumos.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass

from fleet.formats.tool import Tool, UsageError, stamp, timing, words
from fleet.formats.zpool import options
from fleet.live import Counters, Live
from fleet.model import PAGE, Block
from fleet.site import GIB

Value = int | float | str


@dataclass(frozen=True)
class Moment:
    """What a kstat is read from: time, counters, the block and the index of the last whole second in it."""

    t: float
    counters: Counters
    block: Block
    i: int


@dataclass(frozen=True)
class Kstat:
    """One kstat: its address, its statistics' names sorted, and their values at a moment in that order."""

    module: str
    instance: int
    name: str
    klass: str
    names: tuple[str, ...]
    values: Callable[[Moment], list[Value]]


def moment(live: Live, t: float) -> Moment:
    block, i = live.at(t)
    return Moment(t, live.counters(t), block, i)


_ARC_BASE = words(
    "c c_max c_min data_size deleted demand_data_hits demand_data_misses demand_metadata_hits "
    "demand_metadata_misses evict_skip hash_chain_max hash_chains hash_collisions hash_elements "
    "hash_elements_max hdr_size hits memory_throttle_count mfu_ghost_hits mfu_hits misses mru_ghost_hits "
    "mru_hits mutex_miss other_size p prefetch_data_hits prefetch_data_misses prefetch_metadata_hits "
    "prefetch_metadata_misses recycle_miss size"
)
_ARC_L2 = words(
    "l2_abort_lowmem l2_cksum_bad l2_evict_lock_retry l2_evict_reading l2_feeds l2_free_on_write l2_hdr_size "
    "l2_hits l2_io_error l2_misses l2_read_bytes l2_rw_clash l2_size l2_write_bytes l2_writes_done "
    "l2_writes_error l2_writes_hdr_miss l2_writes_sent"
)
_ARC_ILLUMOS = words(
    "anon_evictable_data anon_evictable_metadata anon_size arc_meta_limit arc_meta_max arc_meta_min "
    "arc_meta_used duplicate_buffers duplicate_buffers_size duplicate_reads evict_l2_cached evict_l2_eligible "
    "evict_l2_ineligible evict_l2_skip evict_not_enough l2_asize l2_compress_failures l2_compress_successes "
    "l2_compress_zeros metadata_size mfu_evictable_data mfu_evictable_metadata mfu_ghost_evictable_data "
    "mfu_ghost_evictable_metadata mfu_ghost_size mfu_size mru_evictable_data mru_evictable_metadata "
    "mru_ghost_evictable_data mru_ghost_evictable_metadata mru_ghost_size mru_size"
)


def arc_names(release: str) -> list[str]:
    """Statistics of zfs:0:arcstats in a release."""
    names = list(_ARC_BASE)
    if release == "u5":
        names = [n for n in names if n not in ("memory_throttle_count", "hdr_size", "data_size", "other_size")]
    else:
        names += _ARC_L2
    if release == "s11":
        names += words("data_size meta_limit meta_max meta_used mfu_size mru_size")
        names = sorted(set(names) - {"recycle_miss", "memory_throttle_count"})
    if release == "omnios":
        names += _ARC_ILLUMOS
        names.remove("recycle_miss")
    return sorted(names)


def arc_value(name: str, m: Moment, counters: dict[str, float]) -> int:
    """One statistic of the ARC, by its kernel's name."""
    if name in counters:
        return int(counters[name])
    arc, i = m.block.arc, m.i
    alias = {
        "arc_meta_used": "meta_used", "arc_meta_limit": "meta_limit", "arc_meta_max": "meta_max",
        "metadata_size": "meta_used", "l2_asize": "l2_size",
    }.get(name, name)  # fmt: skip
    if alias in arc:
        value = float(arc[alias][i])
        return int(value * 0.71) if name == "l2_asize" else int(value)
    size = float(arc["size"][i])
    return {
        "hash_elements": int(size / 23_000), "hash_elements_max": int(size / 21_000), "hash_chain_max": 9,
        "hash_chains": int(size / 130_000), "hash_collisions": int(counters["hits"] * 0.11),
        "mutex_miss": int(counters["deleted"] * 1e-4), "recycle_miss": int(counters["misses"] * 0.02),
        "l2_writes_sent": int(counters["l2_write_bytes"] / 4e6),
        "l2_writes_done": int(counters["l2_write_bytes"] / 4e6),
        "l2_feeds": int(m.t), "arc_meta_min": 1 << 29, "mfu_evictable_data": int(size * 0.3),
        "mru_evictable_data": int(size * 0.25), "evict_l2_eligible": int(counters["deleted"] * 24_000),
        "evict_l2_ineligible": int(counters["deleted"] * 6_000), "evict_l2_cached": int(counters["deleted"] * 8_000),
        "l2_compress_successes": int(counters["l2_write_bytes"] / 30_000),
    }.get(name, 0)  # fmt: skip


def _arcstats(live: Live) -> Kstat:
    names = tuple(arc_names(live.host.release))

    def values(m: Moment) -> list[Value]:
        counters = m.counters.arc
        return [arc_value(n, m, counters) for n in names]

    return Kstat("zfs", 0, "arcstats", "misc", names, values)


def _caps(live: Live, k: int) -> list[Kstat]:
    """`k`: index of the zone in the model (0 is the global zone, which has no cap)."""
    zone = live.host.zones[k - 1]
    illumos = live.host.system == "illumos"
    names = ["above_sec", "below_sec", "maxusage", "nwait", "usage", "value", "zonename"]
    if illumos:
        names += ["above_base_sec", "baseline", "burst_limit_sec", "bursting_sec", "effective"]
    names.sort()

    def cap(m: Moment) -> list[Value]:
        c, b, i = m.counters, m.block, m.i
        above = int(c["zone_above"][k])
        found: dict[str, Value] = {
            "above_sec": above, "below_sec": int(m.t - live.model.boot) - above,
            "maxusage": round(zone.cap * 100 * 1.02), "nwait": int(b.zone_wait[i, k]),
            "usage": round(float(b.zone_cpu[i, k]) * 100), "value": round(zone.cap * 100),
            "zonename": live.zones[k], "above_base_sec": 0, "baseline": 0, "burst_limit_sec": 0, "bursting_sec": 0,
            "effective": round(zone.cap * 100),
        }  # fmt: skip
        return [found[n] for n in names]

    def swap(m: Moment) -> list[Value]:
        return [int(m.block.zone_swap[m.i, k]), int(zone.rss_cap * 2 * GIB), live.zones[k]]

    def locked(m: Moment) -> list[Value]:
        return [0, 2**64 - 1, live.zones[k]]

    three = ("usage", "value", "zonename")
    return [
        Kstat("caps", zone.zid, f"cpucaps_zone_{zone.zid}", "zone_caps", tuple(names), cap),
        Kstat("caps", zone.zid, f"lockedmem_zone_{zone.zid}", "zone_caps", three, locked),
        Kstat("caps", zone.zid, f"swapresv_zone_{zone.zid}", "zone_caps", three, swap),
    ]


def _illumos_zone(live: Live, k: int) -> list[Kstat]:
    zid = 0 if k == 0 else live.host.zones[k - 1].zid
    cap = 0.0 if k == 0 else live.host.zones[k - 1].rss_cap * GIB
    name = live.zones[k][:30]
    own = live.model.boot + 40 + 11 * k

    zones = words(
        "avenrun_15min avenrun_1min avenrun_5min boot_time forkfail_cap forkfail_misc forkfail_nomem "
        "forkfail_noproc init_pid mapfail nested_interp nsec_sys nsec_user nsec_waitrq zonename"
    )

    def usage(m: Moment) -> list[Value]:
        c, b, i = m.counters, m.block, m.i
        load = int(float(b.zone_cpu[i, k]) * 256)
        return [
            load, load, load, own, 0, 0, 0, 0, 1200 + 31 * k, 0, 0,
            int(c["zone_sys"][k] * 1e9), int(c["zone_user"][k] * 1e9), int(c["zone_wait"][k] * 1e9), live.zones[k],
        ]  # fmt: skip

    memory = words(
        "anon_alloc_fail anonpgin execpgin fspgin n_pf_throttle n_pf_throttle_usec nover pagedout pgpgin "
        "physcap rss swap swapcap zonename"
    )

    def mem(m: Moment) -> list[Value]:
        b, i = m.block, m.i
        return [
            0, 0, 112, 900 + 3 * k, 0, 0, 0, 0, 1012 + 3 * k, int(cap) or 2**64 - 1, int(b.zone_rss[i, k]),
            int(b.zone_swap[i, k]), int(cap * 2) or 2**64 - 1, live.zones[k],
        ]  # fmt: skip

    vfs = words(
        "100ms_ops 10ms_ops 10s_ops 1s_ops delay_cnt delay_time nread nwritten rcnt reads rlastupdate rlentime "
        "rtime wcnt wlastupdate wlentime writes wtime zonename"
    )

    def files(m: Moment) -> list[Value]:
        c = m.counters
        slow = [int(v) for v in c["zone_slow"][4 * k : 4 * k + 4]]
        # rtime: time with an operation under way; rlentime: the sum over operations.
        spent = int(c["zone_read_time"][k] * 1e9)
        return [
            slow[1], slow[0], slow[3], slow[2], 0, 0, int(c["zone_read_bytes"][k]), int(c["zone_write_bytes"][k]), 0,
            int(c["zone_reads"][k]), int(m.t * 1e9), spent, spent, 0, int(m.t * 1e9),
            int(c["zone_writes"][k] * 30_000), int(c["zone_writes"][k]), int(c["zone_writes"][k] * 30_000),
            live.zones[k],
        ]  # fmt: skip

    zfs = words(
        "nread nwritten rcnt reads rlastupdate rlentime rtime waittime wcnt wlastupdate wlentime writes wtime zonename"
    )

    def logical(m: Moment) -> list[Value]:
        c = m.counters
        # Logical ZFS reads are larger than calls: read-ahead by blocks.
        return [
            int(c["zone_read_bytes"][k] * 1.2), int(c["zone_write_bytes"][k]), 0, int(c["zone_reads"][k] * 0.31),
            int(m.t * 1e9), 0, 0, int(c["zone_read_time"][k] * 1e9), 0, int(m.t * 1e9), 0,
            int(c["zone_writes"][k] * 0.4), 0, live.zones[k],
        ]  # fmt: skip

    return [
        Kstat("memory_cap", zid, name, "zone_memory_cap", tuple(memory), mem),
        Kstat("zone_vfs", zid, name, "zone_vfs", tuple(vfs), files),
        Kstat("zone_zfs", zid, name, "zone_zfs", tuple(zfs), logical),
        Kstat("zones", zid, name, "zone_misc", tuple(zones), usage),
    ]


def _cpu(live: Live, n: int) -> list[Kstat]:
    ncpu = live.host.ncpu
    boot = live.model.boot
    names = words(
        "bawrite bread bwrite canch cpu_load_intr cpu_nsec_idle cpu_nsec_intr cpu_nsec_kernel cpu_nsec_user "
        "cpu_ticks_idle cpu_ticks_kernel cpu_ticks_user cpu_ticks_wait cpumigrate intr intrblk inv_swtch lread "
        "lwrite nthreads pswitch syscall trap wait_ticks_io xcalls"
    )

    def sys(m: Moment) -> list[Value]:
        user, kernel = (float(v) / ncpu for v in m.counters["cpu"])
        idle = max((m.t - boot) - user - kernel, 0.0)
        found: dict[str, Value] = {
            "cpu_nsec_idle": int(idle * 1e9), "cpu_nsec_kernel": int(kernel * 1e9), "cpu_nsec_user": int(user * 1e9),
            "cpu_nsec_intr": int(kernel * 4e7), "cpu_ticks_idle": int(idle * 100),
            "cpu_ticks_kernel": int(kernel * 100),
            "cpu_ticks_user": int(user * 100), "pswitch": int((user + kernel) * 9000), "syscall": int(user * 21_000),
            "intr": int((m.t - boot) * 310), "xcalls": int(kernel * 800), "inv_swtch": int(user * 60),
            "nthreads": int(kernel * 5), "trap": int(user * 300),
        }  # fmt: skip
        return [found.get(x, 0) for x in names]

    vm = words(
        "anonfree anonpgin anonpgout as_fault cow_fault dfree execfree execpgin execpgout fsfree fspgin fspgout "
        "hat_fault kernel_asflt maj_fault pgfrec pgin pgout pgpgin pgpgout pgrec pgrrun pgswapin pgswapout "
        "prot_fault rev scan softlock swapin swapout zfod"
    )

    def paging(m: Moment) -> list[Value]:
        user = float(m.counters["cpu"][0]) / ncpu
        found: dict[str, Value] = {
            "as_fault": int(user * 900), "cow_fault": int(user * 90), "zfod": int(user * 300),
            "pgpgin": int(user * 0.2),
            "pgin": int(user * 0.1), "fspgin": int(user * 0.2), "maj_fault": int(user * 0.1), "pgrec": int(user * 2),
        }  # fmt: skip
        return [found.get(x, 0) for x in vm]

    info = (
        "brand",
        "chip_id",
        "clock_MHz",
        "core_id",
        "cpu_type",
        "fpu_type",
        "implementation",
        "state",
        "state_begin",
    )

    def described(m: Moment) -> list[Value]:
        brand = "Dual-Core AMD Opteron(tm) Processor 2218"
        return [brand, n // 2, 2593, n, "i386", "i387 compatible", "x86 (AuthenticAMD family 15)", "on-line", boot]

    return [
        Kstat("cpu", n, "sys", "misc", tuple(names), sys),
        Kstat("cpu", n, "vm", "misc", tuple(vm), paging),
        Kstat("cpu_info", n, f"cpu_info{n}", "misc", info, described),
    ]


def _unix(live: Live) -> list[Kstat]:
    host, boot = live.host, live.model.boot
    total = host.memory // PAGE
    pages = words(
        "availrmem crtime desfree desscan econtig fastscan freemem kernelbase lotsfree minfree nalloc "
        "nalloc_calls nfree nfree_calls nscan pagesfree pageslocked pagestotal physmem pp_kernel slowscan"
    )
    pages.remove("crtime")

    def system_pages(m: Moment) -> list[Value]:
        free = int(float(m.block.mem_free[m.i]) / PAGE)
        found: dict[str, Value] = {
            "availrmem": int(total * 0.52), "desfree": total // 128, "desscan": 25, "freemem": free,
            "lotsfree": total // 64,
            "minfree": total // 256, "pagesfree": free, "pageslocked": int(total * 0.48), "pagestotal": total,
            "physmem": total, "pp_kernel": int(total * 0.5), "slowscan": 100, "fastscan": total // 2, "nscan": 0,
            "econtig": 18446744073646514176, "kernelbase": 18446604435732824064,
        }  # fmt: skip
        return [found.get(x, 0) for x in pages]

    misc = [
        "avenrun_15min",
        "avenrun_1min",
        "avenrun_5min",
        "boot_time",
        "clk_intr",
        "deficit",
        "lbolt",
        "ncpus",
        "nproc",
        "vac",
    ]

    def system_misc(m: Moment) -> list[Value]:
        load = int((float(m.block.cpu_user[m.i]) + float(m.block.cpu_sys[m.i]) + int(m.block.run_queue[m.i])) * 256)
        ticks = int((m.t - boot) * 100)
        return [load, load, load, boot, ticks, 0, ticks, host.ncpu, int(m.block.zone_nproc[m.i].sum()), 0]

    info = ("runocc", "runque", "swpocc", "swpque", "updates", "waiting")

    def sysinfo(m: Moment) -> list[Value]:
        # Sums of samples, one a second (sysinfo.h): the queue's length is the increment of runque.
        queue = int(m.counters["queue"][0])
        updates = int(m.t - boot)
        return [min(queue, updates), queue, 0, 0, updates, 0]

    vm = ("freemem", "swap_alloc", "swap_avail", "swap_free", "swap_resv", "updates")

    def vminfo(m: Moment) -> list[Value]:
        # Sums of one sample a second, as sysinfo's.
        updates = int(m.t - boot)
        free, used, swap = (int(v) for v in m.counters["vm"])
        levels: list[Value] = [free, used, swap, swap + used // 8, used]
        return [*levels, updates]

    return [
        Kstat("unix", 0, "sysinfo", "misc", info, sysinfo),
        Kstat("unix", 0, "system_misc", "misc", tuple(misc), system_misc),
        Kstat("unix", 0, "system_pages", "pages", tuple(pages), system_pages),
        Kstat("unix", 0, "vminfo", "vm", vm, vminfo),
    ]


def _nic(live: Live, n: int) -> list[Kstat]:
    nic = live.host.nics[n]
    driver, instance = nic.rstrip("0123456789"), int(re.sub(r"\D*\d*[a-z]+", "", nic) or 0)
    names = words(
        "ierrors ifspeed ipackets ipackets64 link_duplex link_state link_up multircv multixmt obytes obytes64 "
        "oerrors opackets opackets64 rbytes rbytes64 unknowns"
    )

    def values(m: Moment) -> list[Value]:
        rx, tx = (int(v) for v in m.counters["nic"][2 * n : 2 * n + 2])
        found: dict[str, Value] = {
            "ifspeed": 1_000_000_000, "ipackets": (rx // 840) % 2**32, "ipackets64": rx // 840, "link_duplex": 2,
            "link_state": 1, "link_up": 1, "obytes": tx % 2**32, "obytes64": tx, "opackets": (tx // 840) % 2**32,
            "opackets64": tx // 840, "rbytes": rx % 2**32, "rbytes64": rx,
        }  # fmt: skip
        return [found.get(x, 0) for x in names]

    out = [Kstat(driver, instance, "mac", "net", tuple(names), values)]
    if live.host.system in ("illumos", "solaris11"):
        out.append(Kstat("link", 0, nic, "net", tuple(names), values))
    else:
        out.append(Kstat(driver, instance, nic, "net", tuple(names), values))
    return out


def _disk(live: Live, n: int) -> list[Kstat]:
    names = words("nread nwritten rcnt reads rlastupdate rlentime rtime wcnt wlastupdate wlentime writes wtime")

    def values(m: Moment) -> list[Value]:
        c = m.counters
        now = int((m.t - live.model.boot) * 1e9)
        reads, writes = c["disk_ops"][2 * n : 2 * n + 2]
        nread, nwritten = c["disk_bytes"][2 * n : 2 * n + 2]
        actv = c["disk_actv"][n]
        return [
            int(nread), int(nwritten), 0, int(reads), now, int(actv * 1e9), int(c["disk_busy"][n] * 1e9), 0, now,
            int(actv * 2e7), int(writes), int(actv * 1e7),
        ]  # fmt: skip

    errors = ("Device Not Ready", "Hard Errors", "Illegal Request", "Media Error", "No Device",
    "Predictive Failure Analysis",
              "Product", "Recoverable", "Revision", "Serial No", "Size", "Soft Errors", "Transport Errors",
              "Vendor")  # fmt: skip

    def failing(m: Moment) -> list[Value]:
        return [0, 0, 0, 0, 0, 0, "HITACHI HUA7210S", 0, "A90A", f"GTA000P{n:02d}", 1000204886016, 0, 0, "ATA"]

    name = f"sd{n}"
    return [
        Kstat("sd", n, name, "disk", tuple(names), values),
        Kstat("sderr", n, f"{name},err", "device_error", errors, failing),
    ]


def all_kstats(live: Live) -> list[Kstat]:
    """Every kstat of a host, sorted as the tool prints them."""
    host = live.host
    out = [_arcstats(live), *_unix(live)]
    for n in range(host.ncpu):
        out += _cpu(live, n)
    for n in range(len(host.nics)):
        out += _nic(live, n)
    for n in range(len(live.model.disks)):
        out += _disk(live, n)
    for k in range(1, len(host.zones) + 1):
        out += _caps(live, k)
    if host.system == "illumos":
        for k in range(len(host.zones) + 1):
            out += _illumos_zone(live, k)
    out.sort(key=lambda s: (s.module, s.instance, s.name))
    return out


def _matcher(pattern: str) -> Callable[[str], bool]:
    if not pattern:
        return lambda text: True
    if pattern.startswith("/") and pattern.endswith("/"):
        return lambda text: bool(re.search(pattern[1:-1], text))
    if any(c in pattern for c in "*?["):
        found = re.compile(fnmatch.translate(re.sub(r"\{([^}]*)\}", r"\1", pattern)))
        return lambda text: bool(found.match(text))
    return lambda text: text == pattern


def kstat(live: Live, args: list[str]) -> Tool:
    """The `kstat` command. Raises UsageError as the tool would refuse."""
    opts, rest = options(args, "mincsT")
    for letter in opts:
        if letter not in "lpqCmincsT":
            raise UsageError(f"Unknown option: {letter}\nUsage:\nkstat [ -Cjlpq ] [ -T d|u ] ...\n")
    operands, interval, count = timing(rest)
    if opts.get("T", "u") not in ("u", "d"):
        raise UsageError("Option T requires u or d\n")
    chosen: list[tuple[Kstat, tuple[int, ...]]] = []
    addresses = [o.split(":") + [""] * 4 for o in operands] or [["", "", "", "", ""]]
    tests = [[_matcher(p) for p in a[:4]] for a in addresses]
    own = [_matcher(opts.get(x, "")) for x in "mins"]
    klass = _matcher(opts.get("c", ""))
    for k in all_kstats(live):
        fields = (k.module, str(k.instance), k.name)
        if not klass(k.klass) or not all(f(v) for f, v in zip(own, fields, strict=False)):
            continue
        every = [*k.names, "class", "crtime", "snaptime"]
        wanted: set[int] = set()
        for t in tests:
            if all(f(v) for f, v in zip(t, fields, strict=False)):
                wanted |= {i for i, n in enumerate(every) if t[3](n) and own[3](n)}
        if wanted:
            chosen.append((k, tuple(sorted(wanted, key=lambda i: every[i]))))
    if not chosen:
        return Tool(lambda t, before: "", 0.0, 1)
    print_one = _parsable if "p" in opts else _long
    plans = [print_one(live, k, picked, "l" in opts) for k, picked in chosen]

    def report(t: float, before: float | None) -> str:
        m = moment(live, t)
        body = "".join([p(m) for p in plans])
        return stamp(opts.get("T", ""), t) + body + ("\n" if interval and "p" in opts else "")

    return Tool(report, interval, count)


def _values(live: Live, k: Kstat) -> Callable[[Moment], list[Value]]:
    crtime = 38.0 + k.instance * 0.1

    def values(m: Moment) -> list[Value]:
        return [*k.values(m), k.klass, f"{crtime:.9f}", f"{m.t - live.model.boot:.9f}"]

    return values


def _parsable(live: Live, k: Kstat, picked: tuple[int, ...], list_only: bool) -> Callable[[Moment], str]:
    names = [*k.names, "class", "crtime", "snaptime"]
    address = f"{k.module}:{k.instance}:{k.name}:".replace("%", "%%")
    values = _values(live, k)
    if list_only:
        text = "".join(f"{address}{names[i]}\n" for i in picked)
        return lambda m: text
    template = "".join(f"{address}{names[i]}\t%s\n" for i in picked)

    def show(m: Moment) -> str:
        v = values(m)
        return template % tuple([v[i] for i in picked])

    return show


def _long(live: Live, k: Kstat, picked: tuple[int, ...], list_only: bool) -> Callable[[Moment], str]:
    names = [*k.names, "class", "crtime", "snaptime"]
    values = _values(live, k)
    head = f"module: {k.module:<30}  instance: {k.instance:<6}\nname:   {k.name:<30}  class:    {k.klass:<30}\n"

    def show(m: Moment) -> str:
        v = values(m)
        return head + "".join(f"\t{names[i]:<30}  {v[i]}\n" for i in picked if names[i] != "class") + "\n"

    return show
