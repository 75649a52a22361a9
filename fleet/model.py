"""How the site behaves: one block of seconds of one host, everything in it cut from the same load.

IMAP load drives the zones' CPU; CPU drives file-system operations; those meet the ARC; what it misses reaches the
pool, its vdevs and disks; disks that are busy are slow. A block is a pure function of (seed, scenario, host,
seconds), so a past written in bulk and a present printed second by second come from the same lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fleet import noise
from fleet.noise import Floats
from fleet.scenario import DAY, Scenario
from fleet.site import GIB, MIB, Host, Pool, Site, Vdev

Ints = NDArray[np.int64]

PAGE = 4096
_KINDS = ("mail", "imap", "pop", "spam", "web", "dns", "backup")


def load(t: Floats, kind: str) -> Floats:
    """The daily and weekly cycle of one kind of service, about 1 at its mean [T]. Time is UTC."""
    hour = (t % DAY) / 3600.0
    day = ((t // DAY) + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    office = np.exp(-(((hour - 10.5) / 3.0) ** 2)) + 0.9 * np.exp(-(((hour - 15.0) / 2.6) ** 2))
    evening = 0.55 * np.exp(-(((hour - 20.5) / 2.4) ** 2))
    night = 0.25 * np.exp(-(((hour - 2.5) / 1.6) ** 2))  # expiry and indexing
    week = np.where(day >= 5, 0.62, 1.08)
    if kind == "backup":
        return 0.4 + 1.6 * np.exp(-(((hour - 3.0) / 2.4) ** 2)) + 0.5 * evening
    if kind in ("spam", "dns"):
        return 0.72 + 0.35 * (office * week + evening)
    if kind == "web":
        return 0.6 + 0.45 * office * week + 1.0 * evening
    return 0.62 + (0.5 * office + 0.3 * evening) * week + night


@dataclass(frozen=True)
class Row:
    """One line of `zpool iostat -v`: `depth` 0 pool, 1 vdev, 2 leaf. `leaf`: index into the host's disks, or -1."""

    pool: int
    name: str
    kind: str
    depth: int
    role: str
    leaf: int


def rows(host: Host) -> list[Row]:
    """Lines in the order that the tool prints them, pool by pool, without the headings of logs and cache."""
    out: list[Row] = []
    leaf = 0
    for p, pool in enumerate(host.pools):
        out.append(Row(p, pool.name, "pool", 0, "data", -1))
        for v in pool.vdevs:
            single = v.kind == "disk"
            out.append(Row(p, v.name, v.kind, 1, v.role, leaf if single else -1))
            if not single:
                out += [Row(p, d.name, "disk", 2, v.role, leaf + i) for i, d in enumerate(v.disks)]
            leaf += len(v.disks)
    return out


@dataclass
class Block:
    """`n` samples of one host, the first at `start`, `step` seconds apart; each describes [s, s + step).

    Arrays are [n, objects]; rates are per second, sizes in bytes, times in seconds, cpu in cores.
    """

    host: Host
    start: int
    step: int
    n: int
    # zones: index 0 is the global zone
    zone_user: Floats
    zone_sys: Floats
    zone_cap: Floats
    zone_wait: Ints
    zone_above: Floats
    zone_rss: Floats
    zone_swap: Floats
    zone_nproc: Ints
    zone_nlwp: Ints
    zone_reads: Floats
    zone_writes: Floats
    zone_read_bytes: Floats
    zone_write_bytes: Floats
    zone_read_time: Floats
    zone_slow: Floats
    """[n, zones, 4]: operations a second of at least 10 ms, 100 ms, 1 s, 10 s."""
    # zpool iostat lines
    row_alloc: Floats
    row_free: Floats
    row_ops: Floats
    """[n, rows, 2]: reads and writes a second."""
    row_bytes: Floats
    """[n, rows, 2]."""
    # disks
    disk_ops: Floats
    """[n, disks, 2]."""
    disk_bytes: Floats
    disk_time: Floats
    """[n, disks]: mean service time."""
    disk_median: Floats
    disk_fast: Floats
    disk_slow: Floats
    """[n, disks]: share of the operations that sit in the hump of a failing disk."""
    # host
    cpu_user: Floats
    cpu_sys: Floats
    run_queue: Ints
    blocked: Ints
    mem_free: Floats
    nic_bytes: Floats
    """[n, nics, 2]: received and sent a second."""
    arc: dict[str, Floats] = field(default_factory=dict)
    """levels in bytes and rates a second, by arcstats name."""

    @property
    def time(self) -> Ints:
        return self.start + np.arange(self.n, dtype=np.int64) * self.step

    @cached_property
    def zone_cpu(self) -> Floats:
        return self.zone_user + self.zone_sys

    @cached_property
    def disk_busy(self) -> Floats:
        """Share of time with a request being served [n, disks]: Little's law with the arrivals spread out."""
        actv = self.disk_ops.sum(axis=2) * self.disk_time
        return 1.0 - np.exp(-actv)


class HostModel:
    """One host's behaviour. `block` is pure; the object holds only what follows from seed, site and scenario."""

    def __init__(self, host: Host, scenario: Scenario, seed: int = 1) -> None:
        self.host, self.scenario, self.seed = host, scenario, seed
        self.zone_names = ["global", *(z.name for z in host.zones)]
        self.disks = host.disks
        self.rows = rows(host)
        self.streams_out = [s for s in scenario.streams if s.source == host.name]
        self.streams_in = [s for s in scenario.streams if s.target == host.name]
        self.slow = [s for s in scenario.slow if s.host == host.name]
        self.scans = [s for s in scenario.scans if s.host == host.name]
        self.boot = int(scenario.start - host.uptime_days * DAY)

        def own(what: str, names: list[str]) -> noise.Seeds:
            return noise.seeds(seed, host.name, what, names=names)

        self._zone = own("zone", self.zone_names)
        self._zone_rss = own("rss", self.zone_names)
        self._vdevs: list[tuple[int, Pool, Vdev, int]] = []
        leaf = 0
        for p, pool in enumerate(host.pools):
            for v in pool.vdevs:
                self._vdevs.append((p, pool, v, leaf))
                leaf += len(v.disks)
        self._vdev = own("vdev", [f"{p.name}/{v.name}" for _, p, v, _ in self._vdevs])
        self._disk = own("disk", [d.name for d in self.disks])
        self._disk_latency = own("latency", [d.name for d in self.disks])
        self._misc = own("misc", ["arc", "target", "ghost", "hit", "meta", "prefetch", "net", "mood"])
        self._pool = own("pool", [p.name for p in host.pools])
        self._nic = own("nic", list(host.nics))
        self._median = np.array([d.median for d in self.disks]) / 1e3
        self._sigma = np.array([d.sigma for d in self.disks])
        self._fast = np.array([d.fast for d in self.disks]) / 1e3
        self._fast_share = np.array([d.fast_share for d in self.disks])
        self._iops = np.array([d.iops for d in self.disks])
        self._kinds = [z.kind for z in host.zones]
        self._weights = np.array([z.cpu for z in host.zones])
        self._caps = np.array([z.cap for z in host.zones])
        # Text cuts at zone names, so a zone's index is found once.
        self._slow_zone = [self.zone_names.index(s.zone) if s.zone in self.zone_names else 0 for s in self.slow]
        self._slow_disk = [[d.name for d in self.disks].index(s.disk) for s in self.slow if self._has(s.disk)]

    def _has(self, disk: str) -> bool:
        return any(d.name == disk for d in self.disks)

    # Levels that other parts ask at single times.

    def allocated(self, t: Floats) -> Floats:
        """[T, pools] bytes as the pools count them: years of growth, weekly steps, what a migration brings."""
        start = np.array([self.scenario.start])
        out = np.empty((len(t), len(self.host.pools)))
        for i, pool in enumerate(self.host.pools):
            key = self._pool[i : i + 1]
            weekly = pool.growth * GIB * pool.overhead / (7 * DAY)

            def shape(x: Floats, key: noise.Seeds = key, weekly: float = weekly) -> Floats:
                drift = noise.smooth(key, x, 31 * DAY) * 15 + noise.smooth(key + np.uint64(1), x, 9 * DAY) * 5
                # Expiry at 03:00 takes back a part of the day; Sunday takes most.
                day = np.mod(x - 3 * 3600, DAY) / DAY - np.mod(x - 3 * 3600 + 3 * DAY, 7 * DAY) / (7 * DAY) * 1.4
                out: Floats = weekly * (x - self.scenario.start) + weekly * DAY * (drift[:, 0] * 0.5 + day * 0.25)
                return out

            level = pool.fill * pool.size + shape(t) - shape(start)[0]
            if pool.main and self.streams_in:
                came = sum(s.done(t) for s in self.streams_in)
                had = sum(float(s.done(start)[0]) for s in self.streams_in)
                level = level + (came - had) * pool.overhead
            out[:, i] = np.clip(level, 0.04 * pool.size, 0.985 * pool.size)
        return out

    def block(self, start: int, n: int, step: int = 1) -> Block:
        """`n` samples from epoch second `start`, `step` seconds apart; with a step over 1, what varies faster than
        the step is left out, as in a mean over it."""
        host = self.host
        t = (start + np.arange(n) * step).astype(np.float64)
        index = t.astype(np.int64)
        nz, _nd = len(self.zone_names), len(self.disks)

        by_kind = {k: load(t, k) for k in set(self._kinds)}
        mood = 1.0 + 0.18 * noise.wander(self._misc[7:8], t, step)
        jitter = noise.wander(self._zone, t, step)
        shape = np.stack([by_kind[k] for k in self._kinds], axis=1) if self._kinds else np.zeros((n, 0))
        demand = self._weights * shape * mood * np.exp(0.42 * jitter[:, 1:])

        level = np.zeros(n)
        onset = np.zeros(n)
        for s, zi in zip(self.slow, self._slow_zone, strict=True):
            here = s.level(t)
            level = np.maximum(level, here)
            onset = np.maximum(onset, here * np.exp(-np.maximum(t - s.began, 0.0) / 400.0))
            if zi:
                # imapd processes pile up behind the disk: from two minutes in, the zone wants more than its cap.
                pressed = here * np.clip((t - s.began - 100.0) / 90.0, 0.0, 1.0)
                cap = self._caps[zi - 1]
                want = cap * (1.22 + 0.06 * jitter[:, zi])
                demand[:, zi - 1] = demand[:, zi - 1] * (1 - pressed) + np.maximum(want, demand[:, zi - 1]) * pressed

        # Zones: demand against caps.
        cpu = np.minimum(demand, self._caps)
        over = np.maximum(demand - self._caps, 0.0)
        wait = np.where(over > 0, np.maximum(np.rint(over / np.maximum(self._caps, 0.01) * 13.0), 1), 0)
        above = np.where(over > 0, 1.0, 0.0)

        # Application operations and what the ARC makes of them.
        sends = sum((s.done(t + step) - s.done(t)) / step for s in self.streams_out) + np.zeros(n)
        recvs = sum((s.done(t + step) - s.done(t)) / step for s in self.streams_in) + np.zeros(n)
        per_core = np.array(
            [{"backup": 300.0, "dns": 60.0, "web": 420.0, "spam": 700.0}.get(k, 2400.0) for k in self._kinds]
        )
        reads = cpu * per_core
        per_write = np.array([{"backup": 260_000.0}.get(k, 9_200.0) for k in self._kinds])
        writes = cpu * per_core * np.array([{"backup": 1.1}.get(k, 0.16) for k in self._kinds])
        arc = self._arc(t, step, reads.sum(axis=1), sends, onset, level)
        zr_bytes, zw_bytes = reads * 11_500.0, writes * per_write

        vr, vw, vrb, vwb = self._vdev_flows(
            t, step, index, arc, writes.sum(axis=1), zw_bytes.sum(axis=1), sends, recvs, level
        )
        disk_ops, disk_bytes = self._disk_flows(t, step, index, vr, vw, vrb, vwb)
        median, fast, slow, mean = self._latency(t, step, disk_ops, level)
        row_ops, row_bytes, row_alloc, row_free = self._rows(t, vr, vw, vrb, vwb, disk_ops, disk_bytes)

        # The global zone is the kernel's threads: checksums and parity cost with the pools' bytes.
        moved = row_bytes[:, [i for i, r in enumerate(self.rows) if r.depth == 0], :].sum(axis=(1, 2))
        base = host.cpu_base * (1.0 + 0.25 * jitter[:, 0]) + moved / (330.0 * MIB)
        total = cpu.sum(axis=1)
        room = host.ncpu * 0.97 - total
        glob = np.clip(base, 0.02, np.maximum(room, 0.05))
        share_sys = 0.34 + 0.05 * jitter[:, 1:]
        zone_sys = np.concatenate([(glob * 0.86)[:, None], cpu * share_sys], axis=1)
        zone_user = np.concatenate([(glob * 0.14)[:, None], cpu * (1 - share_sys)], axis=1)
        zone_wait = np.concatenate([np.zeros((n, 1)), wait], axis=1).astype(np.int64)

        rss_noise = noise.wander(self._zone_rss, t, max(step, 30))
        rss0 = np.array([0.62, *(z.rss for z in host.zones)])
        rss_cap = np.array([0.0, *(z.rss_cap for z in host.zones)])
        rss = rss0 * (0.94 + 0.07 * mood + 0.05 * rss_noise) * GIB
        rss = np.where(rss_cap > 0, np.minimum(rss, rss_cap * GIB * 0.995), rss)
        nproc0 = np.array([62, *(z.nproc for z in host.zones)], dtype=np.float64)
        nproc = np.rint(nproc0 * (0.93 + 0.1 * mood + 0.04 * rss_noise)).astype(np.int64) + zone_wait * 6

        # What of a zone's reads had to wait for a disk, and how long that took.
        miss = arc["_miss_share"][:, None]
        data_disks = [i for i, d in enumerate(self.disks) if d.role == "data"]
        disk_mean = mean[:, data_disks].mean(axis=1)[:, None]
        read_time = 0.00004 + miss * disk_mean * 1.3
        slow_ops = np.zeros((n, nz, 4))
        hit = level[:, None] * (1.0 / max(len(data_disks), 1)) * 0.8
        slow_ops[:, 1:, 0] = reads * miss * (0.28 + 0.3 * hit)
        slow_ops[:, 1:, 1] = reads * miss * (0.002 + 0.55 * hit)
        slow_ops[:, 1:, 2] = reads * miss * 0.02 * hit

        pad = np.zeros((n, 1))
        arc_size = arc["size"]
        free = np.maximum(host.memory - arc_size - rss.sum(axis=1) - 0.66 * GIB, 0.11 * GIB)
        nic = self._network(t, step, reads.sum(axis=1), sends, recvs)
        busy = total + glob
        return Block(
            host, start, step, n,
            zone_user, zone_sys,
            np.broadcast_to(np.concatenate([[0.0], self._caps]), (n, nz)),
            zone_wait, np.concatenate([pad, above], axis=1), rss,
            rss * 1.12 + 0.05 * GIB, nproc, (nproc * 1.35).astype(np.int64),
            np.concatenate([pad, reads], axis=1), np.concatenate([pad, writes], axis=1),
            np.concatenate([pad, zr_bytes], axis=1), np.concatenate([pad, zw_bytes], axis=1),
            np.concatenate([pad, np.broadcast_to(read_time, (n, nz - 1))], axis=1), slow_ops,
            row_alloc, row_free, row_ops, row_bytes,
            disk_ops, disk_bytes, mean, median, fast, slow,
            zone_user.sum(axis=1), zone_sys.sum(axis=1),
            np.rint(np.maximum(busy - 0.45 * host.ncpu, 0.0) ** 2 * 1.6).astype(np.int64),
            np.rint(disk_ops.sum(axis=2)[:, data_disks].sum(axis=1) * disk_mean[:, 0] * 0.2).astype(np.int64),
            free, nic, arc,
        )  # fmt: skip

    def _arc(
        self, t: Floats, step: int, reads: Floats, sends: Floats, onset: Floats, level: Floats
    ) -> dict[str, Floats]:
        slow6 = noise.wander(self._misc, t, max(step, 15))
        quick = noise.wander(self._misc, t, step)
        size = (self.host.arc_level + 0.28 * slow6[:, 0] + 0.25 * onset) * GIB
        c = np.maximum(size + (0.19 + 0.14 * slow6[:, 1]) * GIB, 6.0 * GIB)
        size, c = np.clip(size, 6.02 * GIB, 9.9 * GIB), np.clip(c, 6.05 * GIB, 10.0 * GIB)
        accesses = reads
        pressure = 1.0 + 1.5 * onset + 0.35 * np.minimum(sends / (80 * MIB), 1.0)
        meta = accesses * 0.63
        data = accesses * 0.37
        data_miss = np.clip(0.036 * pressure * (1 + 0.5 * quick[:, 3]), 0.008, 0.4)
        meta_miss = np.clip(0.009 * pressure * (1 + 0.4 * quick[:, 4]), 0.002, 0.2)
        pre = accesses * 0.035 * (1 + 0.5 * quick[:, 5]) + sends / 131_072
        pre_miss = np.clip(0.58 + 0.12 * quick[:, 5] + 0.3 * np.minimum(sends / (60 * MIB), 1.0), 0.1, 0.97)
        out = {
            "demand_data_hits": data * (1 - data_miss), "demand_data_misses": data * data_miss,
            "demand_metadata_hits": meta * (1 - meta_miss), "demand_metadata_misses": meta * meta_miss,
            "prefetch_data_hits": pre * 0.8 * (1 - pre_miss), "prefetch_data_misses": pre * 0.8 * pre_miss,
            "prefetch_metadata_hits": pre * 0.2 * (1 - pre_miss * 0.6),
            "prefetch_metadata_misses": pre * 0.12 * pre_miss,
        }  # fmt: skip
        hits = (
            out["demand_data_hits"]
            + out["demand_metadata_hits"]
            + out["prefetch_data_hits"]
            + out["prefetch_metadata_hits"]
        )
        misses = (
            out["demand_data_misses"] + out["demand_metadata_misses"]
            + out["prefetch_data_misses"] + out["prefetch_metadata_misses"]
        )  # fmt: skip
        demand = out["demand_data_misses"] + out["demand_metadata_misses"]
        ghosts = demand * np.clip(0.55 + 0.2 * quick[:, 2] + 1.1 * onset, 0.1, 0.97)
        l2_hits = demand * np.clip(0.22 + 0.06 * slow6[:, 2], 0.05, 0.5)
        cached = float(any(d.role == "cache" for d in self.disks))
        l2_hits = l2_hits * cached
        l2_size = (58.0 + slow6[:, 3]) * GIB * cached
        mfu = 0.55 + 0.04 * slow6[:, 4]
        meta_size = size * (0.27 + 0.02 * slow6[:, 4])
        out |= {
            "hits": hits, "misses": misses,
            "mru_hits": hits * 0.28, "mfu_hits": hits * 0.72,
            "mru_ghost_hits": ghosts * 0.6, "mfu_ghost_hits": ghosts * 0.4,
            "deleted": misses * 0.96, "evict_skip": misses * 0.05, "memory_throttle_count": np.zeros_like(size),
            "l2_hits": l2_hits, "l2_misses": (demand - l2_hits) * cached,
            "l2_read_bytes": l2_hits * 26_000.0, "l2_write_bytes": np.minimum(misses * 7_800.0, 8.0 * MIB) * cached,
            "size": size, "c": c, "p": c * (0.42 + 0.05 * slow6[:, 1]),
            "c_min": np.full_like(size, 6.0 * GIB), "c_max": np.full_like(size, 10.0 * GIB),
            "mfu_size": size * mfu, "mru_size": size * (0.96 - mfu), "anon_size": size * 0.01,
            "mru_ghost_size": c * 0.36, "mfu_ghost_size": c * 0.21,
            "hdr_size": size * 0.012, "data_size": size - meta_size, "other_size": size * 0.035,
            "meta_used": meta_size, "meta_limit": np.full_like(size, 2.5 * GIB), "meta_max": meta_size * 1.08,
            "l2_size": l2_size, "l2_hdr_size": l2_size * 0.0036,
            "_miss_share": np.clip(demand / np.maximum(accesses, 1.0), 0.0, 1.0),
            "_demand_misses": demand - l2_hits, "_readahead": accesses * 0.02,
        }  # fmt: skip
        return out

    def _vdev_flows(
        self, t: Floats, step: int, index: Ints, arc: dict[str, Floats], writes: Floats, write_bytes: Floats,
        sends: Floats, recvs: Floats, level: Floats,
    ) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
        """Reads, writes, bytes read and written a second of each vdev [T, vdevs]."""
        n, nv = len(t), len(self._vdevs)
        ops_r, ops_w, by_r, by_w = (np.zeros((n, nv)) for _ in range(4))
        lean = noise.wander(self._vdev, t, step)
        # A transaction group every five seconds; sampled coarser than that it is a mean.
        beat = np.array([0.34, 0.42, 0.62, 2.45, 1.17])[(index + self.seed) % 5] if step == 1 else np.ones(n)
        for p, pool in enumerate(self.host.pools):
            data = [i for i, (q, _, v, _) in enumerate(self._vdevs) if q == p and v.role == "data"]
            share = 1.0 + 0.16 * lean[:, data]
            for j, i in enumerate(data):
                for s in self.slow:
                    if any(d.name == s.disk for d in self._vdevs[i][2].disks):
                        share[:, j] *= 1.0 - 0.18 * level
            share /= share.sum(axis=1, keepdims=True)
            if pool.main:
                rd = arc["_demand_misses"] + arc["_readahead"]
                # A stream's blocks are read ahead and written in long runs: few, large operations.
                rb = arc["_demand_misses"] * 34_000.0 + arc["_readahead"] * 70_000.0 + sends
                ro = rd + sends / 560_000.0
                wb = (write_bytes * 1.7 + recvs) * beat
                wo = writes * 0.32 * beat + recvs / 480_000.0 * beat
            else:
                quiet = np.exp(0.9 * lean[:, data[0]])
                ro, rb = 0.7 * quiet, 11_000.0 * quiet
                wo, wb = 9.0 * quiet * beat, 92_000.0 * quiet * beat
            ops_r[:, data], by_r[:, data] = ro[:, None] * share, rb[:, None] * share
            ops_w[:, data], by_w[:, data] = wo[:, None] * share, wb[:, None] * share
            for i, (q, _, v, _) in enumerate(self._vdevs):
                if q != p:
                    continue
                if v.role == "log":
                    sync = writes * 0.075 * (1.0 + 0.3 * lean[:, i])
                    ops_w[:, i], by_w[:, i] = sync, sync * 14_300.0
                elif v.role == "cache":
                    ops_r[:, i], by_r[:, i] = arc["l2_hits"], arc["l2_read_bytes"]
                    ops_w[:, i], by_w[:, i] = arc["l2_write_bytes"] / 90_000.0, arc["l2_write_bytes"]
                for scan in self.scans:
                    if scan.pool == pool.name and (scan.vdev == v.name or (scan.scrub and v.role == "data")):
                        on = scan.running(t) * (1.0 + 0.22 * lean[:, i]) * (14.0 if not scan.scrub else 46.0) * MIB
                        by_r[:, i] += on
                        ops_r[:, i] += on / 74_000.0
                        if not scan.scrub:
                            by_w[:, i] += on / 5.0
                            ops_w[:, i] += on / 5.0 / 60_000.0
        return ops_r, ops_w, by_r, by_w

    def _disk_flows(
        self, t: Floats, step: int, index: Ints, vr: Floats, vw: Floats, vrb: Floats, vwb: Floats
    ) -> tuple[Floats, Floats]:
        n, nd = len(t), len(self.disks)
        ops, size = np.zeros((n, nd, 2)), np.zeros((n, nd, 2))
        lean = noise.wander(self._disk, t, step) * 0.11
        physical = self.host.openzfs
        for i, (_, pool, v, leaf) in enumerate(self._vdevs):
            k = len(v.disks)
            at = slice(leaf, leaf + k)
            share = np.maximum(1.0 + lean[:, at], 0.05)
            share /= share.sum(axis=1, keepdims=True)
            if v.kind.startswith("raidz"):
                # A block lies on all data disks of its vdev, a small one on fewer.
                spread_r, spread_w = 0.62 * k, 0.78 * k
                parity = 1.0 if physical else k / (k - v.parity)
            else:
                spread_r, spread_w, parity = 1.0, float(k), float(k)
            ops[:, at, 0], ops[:, at, 1] = vr[:, i : i + 1] * share * spread_r, vw[:, i : i + 1] * share * spread_w
            size[:, at, 0], size[:, at, 1] = vrb[:, i : i + 1] * share, vwb[:, i : i + 1] * share * parity
            for s, d in zip(self.slow, self._slow_disk, strict=False):
                if leaf <= d < leaf + k:
                    # A slow disk is asked for as little as redundancy allows.
                    ops[:, d] *= (1.0 - 0.55 * s.level(t))[:, None]
                    size[:, d] *= (1.0 - 0.3 * s.level(t))[:, None]
            for scan in self.scans:
                if scan.vdev == v.name and scan.disk and scan.pool == pool.name:
                    d = leaf + [x.name for x in v.disks].index(scan.disk)
                    on = scan.running(t)
                    ops[:, d, 0] *= 1.0 - 0.97 * on
                    size[:, d, 0] *= 1.0 - 0.97 * on
                    size[:, d, 1] += on * 7.1 * MIB
                    ops[:, d, 1] += on * 78.0
        return ops, size

    def _latency(self, t: Floats, step: int, ops: Floats, level: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Median of seeks, median of hits, share in the failing hump and the mean, seconds [T, disks]."""
        use = ops.sum(axis=2) / self._iops
        drift = noise.wander(self._disk_latency, t, step)
        median = self._median * (1.0 + 0.9 * np.minimum(use, 1.6) ** 2) * np.exp(0.13 * drift)
        fast = self._fast * np.exp(0.07 * drift)
        slow = np.zeros_like(median)
        for s, d in zip(self.slow, self._slow_disk, strict=False):
            slow[:, d] = np.maximum(slow[:, d], s.level(t) * 0.93)
        # A resilvered disk writes in long runs behind a full queue.
        for scan in self.scans:
            for d, disk in enumerate(self.disks):
                if disk.name == scan.disk:
                    median[:, d] *= 1.0 + 1.1 * scan.running(t)
        seek_mean = median * np.exp(self._sigma**2 / 2)
        mean = self._fast_share * fast * 1.07 + (1 - self._fast_share) * seek_mean
        slow_mean = self._slow_median() * math.exp(SLOW_SIGMA**2 / 2)
        mean = mean * (1 - slow) + slow * slow_mean
        return median, fast, slow, mean

    def _slow_median(self) -> float:
        return self.slow[-1].median / 1e3 if self.slow else 0.2

    def _rows(
        self, t: Floats, vr: Floats, vw: Floats, vrb: Floats, vwb: Floats, disk_ops: Floats, disk_bytes: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        n, nr = len(t), len(self.rows)
        ops, size = np.zeros((n, nr, 2)), np.zeros((n, nr, 2))
        alloc, free = np.zeros((n, nr)), np.zeros((n, nr))
        level = self.allocated(t)
        r = 0
        v = 0
        for p, pool in enumerate(self.host.pools):
            top = r
            r += 1
            alloc[:, top], free[:, top] = level[:, p], pool.size - level[:, p]
            data = [x for x in pool.vdevs if x.role == "data"]
            for vdev in pool.vdevs:
                leaf = self._vdevs[v][3]
                ops[:, r, 0], ops[:, r, 1], size[:, r, 0], size[:, r, 1] = vr[:, v], vw[:, v], vrb[:, v], vwb[:, v]
                if vdev.role == "data":
                    lean = 0.5 if len(data) == 1 else (0.52 if vdev is data[0] else 0.48)
                    part = level[:, p] * (1.0 if len(data) == 1 else lean)
                    alloc[:, r], free[:, r] = part, pool.size / len(data) - part
                elif vdev.role == "log":
                    alloc[:, r] = 9.0 * MIB + vwb[:, v] * 5.0
                    free[:, r] = 29.5 * GIB - alloc[:, r]
                else:
                    alloc[:, r], free[:, r] = 58.0 * GIB, 1.4 * GIB
                if vdev.role != "cache":
                    ops[:, top] += ops[:, r]
                    size[:, top] += size[:, r]
                r += 1
                if vdev.kind != "disk":
                    k = len(vdev.disks)
                    ops[:, r : r + k], size[:, r : r + k] = disk_ops[:, leaf : leaf + k], disk_bytes[:, leaf : leaf + k]
                    r += k
                v += 1
        return ops, size, alloc, free

    def _network(self, t: Floats, step: int, reads: Floats, sends: Floats, recvs: Floats) -> Floats:
        lean = noise.wander(self._nic, t, step)
        out = np.zeros((len(t), len(self.host.nics), 2))
        mail_in, mail_out = reads * 640.0, reads * 2_900.0
        out[:, 0, 0] = (mail_in + 9_000.0) * (1.0 + 0.2 * lean[:, 0])
        out[:, 0, 1] = (mail_out + 14_000.0) * (1.0 + 0.2 * lean[:, 0])
        # Migration runs over the last interface: the only one on old hosts. Headers cost 3 %, acknowledgements 1 %.
        last = len(self.host.nics) - 1
        out[:, last, 0] += recvs * 1.03 + sends * 0.012
        out[:, last, 1] += sends * 1.03 + recvs * 0.012
        if last:
            out[:, last, :] += 700.0 * (1.0 + 0.5 * lean[:, last : last + 1])
        return out

    # Latency histograms.

    def histogram(self, block: Block, bounds: Floats, seconds: float = 1.0, scale: float = 1.0) -> Ints:
        """[n, disks, len(bounds)] operations whose latency times `scale` falls into [bounds[i], bounds[i+1]).

        The last bucket is open above. `seconds`: how long each sample's interval is.
        """
        b = np.maximum(np.asarray(bounds, dtype=np.float64) / scale, 1e-12)
        logb = np.log(b)

        def below(median: Floats, sigma: Floats | float) -> Floats:
            z = (logb - np.log(median)[:, :, None]) / (np.asarray(sigma)[..., None] if np.ndim(sigma) else sigma)
            # The normal distribution to 2e-4 without scipy (Bowling et al. 2009).
            return 1.0 / (1.0 + np.exp(-np.clip(1.5976 * z + 0.070565 * z**3, -60, 60)))

        hump = self._fast_share[:, None] * below(block.disk_fast, 0.34)
        hump = hump + (1 - self._fast_share)[:, None] * below(block.disk_median, self._sigma)
        if block.disk_slow.any():
            s = block.disk_slow[:, :, None]
            failing = 0.995 * below(np.full_like(block.disk_median, self._slow_median()), SLOW_SIGMA)
            failing = failing + 0.005 * below(np.full_like(block.disk_median, 1.15), 0.15)
            hump = hump * (1 - s) + failing * s
        hump[:, :, 0] = 0.0
        upper = np.concatenate([hump[:, :, 1:], np.ones((*hump.shape[:2], 1))], axis=2)
        expected = (upper - hump) * (block.disk_ops.sum(axis=2) * seconds)[:, :, None]
        n, nd, nb = expected.shape
        offsets = np.arange(nb, dtype=np.uint64) * np.uint64(7919)
        keys: noise.Seeds = (self._disk[:, None] + offsets[None, :]).reshape(-1).astype(np.uint64)
        flat = expected.reshape(n, nd * nb)
        # Far tails of the fitted curve are nobody's operation.
        flat = np.where(flat < 2e-3, 0.0, flat)
        return noise.counts(flat, keys, block.time).reshape(n, nd, nb)


SLOW_SIGMA = 0.3


def models(site: Site, scenario: Scenario, seed: int = 1) -> dict[str, HostModel]:
    """A model per host of the site."""
    return {h.name: HostModel(h, scenario, seed) for h in site.hosts}
