"""What the simulated mail site is made of: hosts, zones, pools, disks. No behaviour; that is `fleet.model`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40

System = Literal["solaris10", "solaris11", "illumos", "freebsd", "linux"]


@dataclass(frozen=True)
class Zone:
    """A zone or container: `cpu` are the cores it uses at mean load, `cap` its cap in cores (0: none)."""

    name: str
    kind: str
    cpu: float
    cap: float
    rss: float
    """GiB at mean load."""
    rss_cap: float
    """GiB; 0: none."""
    nproc: int
    zid: int
    shares: int = 10
    dataset: float = 0.0
    """GiB of its dataset, without snapshots."""


@dataclass(frozen=True)
class Disk:
    """`median` and `fast`: ms of a seek and of a hit in cache or track; `iops`: where it saturates."""

    name: str
    role: Literal["data", "log", "cache"] = "data"
    median: float = 6.0
    sigma: float = 0.52
    fast: float = 0.42
    fast_share: float = 0.36
    iops: float = 170.0

    @property
    def whole(self) -> str:
        """The disk itself, where the pool has a slice of it: iostat tells of disks."""
        return re.sub(r"(?<=d\d)s\d$", "", self.name)


@dataclass(frozen=True)
class Vdev:
    """`kind`: raidz1, raidz2, mirror or disk."""

    name: str
    kind: str
    disks: tuple[Disk, ...]
    role: Literal["data", "log", "cache"] = "data"

    @property
    def parity(self) -> int:
        return {"raidz1": 1, "raidz2": 2}.get(self.kind, len(self.disks) - 1 if self.kind == "mirror" else 0)


@dataclass(frozen=True)
class Pool:
    """`size`: bytes as `zpool list` counts them (raw for raidz); `fill`: share allocated at the scenario's start."""

    name: str
    vdevs: tuple[Vdev, ...]
    size: int
    fill: float
    growth: float
    """GiB a week of usable space."""
    main: bool = False

    @property
    def overhead(self) -> float:
        """Allocated bytes per byte of data (the parity of raidz; mirrors count once)."""
        v = self.vdevs[0]
        n = len(v.disks)
        return n / (n - v.parity) if v.kind.startswith("raidz") else 1.0


@dataclass(frozen=True)
class Host:
    """`release`: u5, u8, s11, omnios, fbsd, linux (which text forms its tools print)."""

    name: str
    system: System
    release: str
    model: str
    zones: tuple[Zone, ...]
    pools: tuple[Pool, ...]
    ncpu: int = 4
    memory: int = 16 * GIB
    nics: tuple[str, ...] = ("e1000g0",)
    arc_level: float = 7.5
    """GiB around which the ARC hovers."""
    uptime_days: float = 43.0
    cpu_base: float = 0.18
    """Cores that the global zone uses when nothing happens."""

    @property
    def openzfs(self) -> bool:
        """Whether its zpool and zfs are OpenZFS 2.x."""
        return self.system in ("linux", "freebsd")

    @property
    def disks(self) -> list[Disk]:
        return [d for p in self.pools for v in p.vdevs for d in v.disks]

    @property
    def main_pool(self) -> Pool:
        return next(p for p in self.pools if p.main)


@dataclass(frozen=True)
class Pair:
    name: str
    source: str
    target: str
    datasets: tuple[str, ...]
    source_pool: str = "mail"
    target_pool: str = "mail"


@dataclass(frozen=True)
class Site:
    hosts: tuple[Host, ...]
    pairs: tuple[Pair, ...] = field(default=())

    def host(self, name: str) -> Host:
        """Raises KeyError for a name that the site does not have."""
        for h in self.hosts:
            if h.name == name:
                return h
        raise KeyError(name)


def _zone(
    zid: int, name: str, kind: str, cpu: float, cap: float, rss: float, rss_cap: float, nproc: int, data: float = 0.0
) -> Zone:
    return Zone(name, kind, cpu, cap, rss, rss_cap, nproc, zid, max(1, round(cap * 20)), data)


def _disks(names: list[str], **kw: object) -> tuple[Disk, ...]:
    return tuple(Disk(n, **kw) for n in names)  # type: ignore[arg-type]


def _root_pool(name: str, fill: float, disks: list[str], size: int = 136 * GIB) -> Pool:
    mirror = Vdev("mirror-0", "mirror", _disks(disks, median=5.2, iops=180.0))
    return Pool(name, (mirror,), size, fill, 0.15)


def _scsi_pool(fill: float, growth: float) -> Pool:
    """Two raidz1 of seven 146 GB SCSI disks."""
    slow = {"median": 7.6, "sigma": 0.5, "fast": 0.55, "fast_share": 0.3, "iops": 150.0}
    vdevs = (
        Vdev("raidz1-0", "raidz1", _disks([f"c2t{i}d0" for i in range(7)], **slow)),
        Vdev("raidz1-1", "raidz1", _disks([f"c2t{i}d0" for i in range(8, 15)], **slow)),
    )
    return Pool("mail", vdevs, 1904 * GIB, fill, growth, main=True)


def _j4200_pool(fill: float, growth: float) -> Pool:
    """A J4200: two raidz2 of six 1 TB disks, a mirrored log, a cache."""
    vdevs = (
        Vdev("raidz2-0", "raidz2", _disks([f"c3t{i}d0" for i in range(6)])),
        Vdev("raidz2-1", "raidz2", _disks([f"c3t{i}d0" for i in range(6, 12)])),
        Vdev(
            "mirror-2",
            "mirror",
            _disks(["c1t2d0", "c1t3d0"], role="log", median=0.9, sigma=0.35, fast=0.2, fast_share=0.7, iops=2500.0),
            "log",
        ),
        Vdev(
            "c1t4d0",
            "disk",
            _disks(["c1t4d0"], role="cache", median=0.6, sigma=0.3, fast=0.15, fast_share=0.6, iops=4000.0),
            "cache",
        ),
    )
    return Pool("mail", vdevs, 11176 * GIB, fill, growth, main=True)


def _ms(name: str, zones: tuple[Zone, ...], fill: float, growth: float, root: float, arc: float) -> Host:
    return Host(
        name,
        "solaris10",
        "u8",
        "X4100 M2 + J4200",
        zones,
        (_j4200_pool(fill, growth), _root_pool("rpool", root, ["c1t0d0s0", "c1t1d0s0"])),
        arc_level=arc,
        nics=("e1000g0", "nge0"),
    )


def _ma(name: str, zones: tuple[Zone, ...], fill: float, growth: float, root: float, arc: float) -> Host:
    return Host(
        name,
        "solaris10",
        "u5",
        "X4100 M2 + SCSI",
        zones,
        (_scsi_pool(fill, growth), _root_pool("root", root, ["c0t0d0s0", "c0t1d0s0"], 68 * GIB)),
        arc_level=arc,
        uptime_days=211.0,
    )


MA1 = _ma(
    "ma1",
    (
        _zone(1, "mail1", "mail", 0.20, 1.2, 1.30, 2.0, 118, 413),
        _zone(2, "mail2", "mail", 0.52, 1.2, 1.55, 2.0, 164, 388),
        _zone(3, "imap1", "imap", 0.14, 0.4, 0.31, 0.5, 44, 6),
        _zone(4, "pop1", "pop", 0.06, 0.4, 0.13, 0.4, 21, 4),
    ),
    0.79,
    9,
    0.52,
    7.3,
)
MA2 = _ma(
    "ma2",
    (
        _zone(1, "mail3", "mail", 0.62, 1.2, 1.62, 2.0, 171, 512),
        _zone(2, "mail4", "mail", 0.40, 1.2, 1.10, 1.5, 132, 366),
        _zone(5, "imap2", "imap", 0.15, 0.4, 0.28, 0.5, 41, 6),
        _zone(6, "pop2", "pop", 0.05, 0.4, 0.12, 0.4, 19, 4),
    ),
    0.74,
    8,
    0.50,
    7.2,
)
MS1 = _ms(
    "ms1",
    (
        _zone(3, "mail1", "mail", 0.41, 1.0, 1.40, 2.0, 121, 0),
        _zone(4, "mail2", "mail", 0.20, 0.8, 0.95, 1.5, 96, 0),
        _zone(7, "mail7", "mail", 0.17, 0.5, 0.72, 1.2, 74, 486),
        _zone(8, "imap1", "imap", 0.12, 0.4, 0.30, 0.5, 43, 6),
        _zone(9, "spam1", "spam", 0.13, 0.4, 0.34, 0.5, 26, 9),
        _zone(11, "web1", "web", 0.07, 0.4, 0.22, 0.5, 31, 12),
    ),
    0.58,
    31,
    0.29,
    7.7,
)
MS2 = _ms(
    "ms2",
    (
        _zone(2, "mail3", "mail", 0.68, 1.0, 1.62, 2.0, 174, 0),
        _zone(3, "mail4", "mail", 0.33, 0.5, 1.10, 1.5, 128, 0),
        _zone(5, "mail9", "mail", 0.22, 0.5, 0.74, 1.2, 81, 412),
        _zone(6, "mail10", "mail", 0.16, 0.4, 0.61, 1.0, 70, 305),
        _zone(9, "spam2", "spam", 0.14, 0.35, 0.30, 0.5, 25, 9),
        _zone(10, "imap2", "imap", 0.12, 0.35, 0.28, 0.5, 42, 6),
        _zone(12, "web2", "web", 0.06, 0.3, 0.21, 0.5, 30, 12),
        _zone(13, "pop2", "pop", 0.04, 0.3, 0.12, 0.4, 18, 4),
        _zone(14, "dns2", "dns", 0.02, 0.3, 0.06, 0.3, 9, 1),
    ),
    0.62,
    36,
    0.31,
    7.6,
)
OM1 = Host(
    "om1",
    "illumos",
    "omnios",
    "X4540, OmniOS r151046",
    (
        _zone(4, "mail11", "mail", 0.38, 1.0, 1.28, 2.0, 110, 520),
        _zone(5, "mail12", "mail", 0.33, 1.0, 1.05, 1.5, 101, 471),
        _zone(8, "mail13", "mail", 0.29, 0.8, 0.88, 1.2, 90, 402),
        _zone(11, "nginx1", "web", 0.30, 0.6, 0.24, 0.5, 9, 2),
        _zone(12, "mx1", "spam", 0.16, 0.4, 0.30, 0.5, 28, 9),
    ),
    (
        Pool(
            "mail",
            (
                Vdev("raidz2-0", "raidz2", _disks([f"c4t{i}d0" for i in range(6)], median=5.4)),
                Vdev(
                    "c4t7d0",
                    "disk",
                    _disks(["c4t7d0"], role="log", median=0.7, sigma=0.3, fast=0.16, fast_share=0.7, iops=4000.0),
                    "log",
                ),
            ),
            5588 * GIB,
            0.55,
            18,
            main=True,
        ),
        _root_pool("rpool", 0.28, ["c1t0d0", "c1t1d0"], 222 * GIB),
    ),
    arc_level=7.4,
    nics=("igb0", "igb1"),
    uptime_days=96.0,
)
BK1 = Host(
    "bk1",
    "linux",
    "linux",
    "x86 + 24 disks, Linux",
    (
        _zone(1001, "restore", "web", 0.03, 1.0, 0.35, 2.0, 12, 40),
        _zone(1002, "recv", "backup", 0.41, 1.0, 0.62, 2.0, 9, 9000),
    ),
    (
        Pool(
            "tank",
            (
                Vdev("raidz2-0", "raidz2", _disks([f"sd{c}" for c in "cdefghijklmn"], median=6.8)),
                Vdev("raidz2-1", "raidz2", _disks([f"sd{c}" for c in "opqrstuvwxyz"], median=6.8)),
            ),
            43 * TIB + 610 * GIB,
            0.71,
            14,
            main=True,
        ),
    ),
    arc_level=7.9,
    nics=("eno1",),
    uptime_days=63.0,
    cpu_base=0.12,
)

PAIRS = (
    Pair("ma1 to ms1", "ma1", "ms1", ("mail/mail1", "mail/mail2")),
    Pair("ma2 to ms2", "ma2", "ms2", ("mail/mail3", "mail/mail4")),
)

MAIL_SITE = Site((MA1, MA2, MS1, MS2, OM1, BK1), PAIRS)


SO1 = Host(
    "so1",
    "solaris11",
    "s11",
    "X4-2, Solaris 11.4",
    (
        _zone(2, "mail21", "mail", 0.44, 1.0, 1.36, 2.0, 114, 498),
        _zone(3, "mail22", "mail", 0.31, 0.8, 1.02, 1.5, 96, 437),
        _zone(6, "imap4", "imap", 0.14, 0.4, 0.30, 0.5, 44, 6),
        _zone(7, "spam4", "spam", 0.15, 0.4, 0.32, 0.5, 27, 9),
    ),
    (
        Pool(
            "mail",
            (
                Vdev("raidz2-0", "raidz2", _disks([f"c0t5000CCA0{i:X}9A1B2C3d0" for i in range(6)], median=5.6)),
                Vdev(
                    "c0t5000C500A1D2E3F4d0",
                    "disk",
                    _disks(
                        ["c0t5000C500A1D2E3F4d0"], role="log", median=0.7, sigma=0.3, fast=0.16, fast_share=0.7,
                        iops=4000.0,
                    ),
                    "log",
                ),
            ),
            5588 * GIB,
            0.57,
            15,
            main=True,
        ),
        _root_pool("rpool", 0.24, ["c2t0d0", "c2t1d0"], 556 * GIB),
    ),
    arc_level=7.5,
    nics=("net0", "net1"),
    uptime_days=120.0,
)  # fmt: skip
FB1 = Host(
    "fb1",
    "freebsd",
    "fbsd",
    "x86, FreeBSD 14.2",
    (
        _zone(3, "mail31", "mail", 0.36, 1.0, 1.18, 2.0, 102, 451),
        _zone(4, "relay1", "spam", 0.21, 0.6, 0.36, 0.6, 33, 9),
        _zone(7, "www1", "web", 0.09, 0.4, 0.24, 0.5, 29, 14),
    ),
    (
        Pool(
            "tank",
            (
                Vdev("raidz2-0", "raidz2", _disks([f"da{i}" for i in range(8)], median=6.1)),
                Vdev(
                    "mirror-1",
                    "mirror",
                    _disks(["nda0p3", "nda1p3"], role="log", median=0.4, sigma=0.3, fast=0.1, fast_share=0.7, iops=9e3),
                    "log",
                ),
            ),
            29 * TIB,
            0.48,
            12,
            main=True,
        ),
        _root_pool("zroot", 0.21, ["nda0p4", "nda1p4"], 180 * GIB),
    ),
    arc_level=7.6,
    nics=("igb0", "igb1"),
    uptime_days=77.0,
)

ESTATE = Site((*MAIL_SITE.hosts, SO1, FB1), PAIRS)
"""The mail site with a host of every further system: what an operator of a mixed estate has."""


def generated(n: int) -> Site:
    """`n` hosts ms001, ms002, … of one build: 14 vdevs in one pool, 8 zones each."""
    log, cache = MS2.main_pool.vdevs[2:]
    vdevs = (
        Vdev("raidz2-0", "raidz2", _disks([f"c3t{i}d0" for i in range(5)])),
        Vdev("raidz2-1", "raidz2", _disks([f"c3t{i}d0" for i in range(5, 10)])),
        Vdev("c1t2d0", "disk", log.disks[:1], "log"),
        cache,
    )
    pool = replace(MS2.main_pool, vdevs=vdevs, size=9314 * GIB)
    zones = tuple(
        replace(z, name=z.name.rstrip("0123456789") + str(i + 1)) if z.kind == "mail" else z
        for i, z in enumerate(MS2.zones[:8])
    )
    return Site(tuple(replace(MS2, name=f"ms{i:03d}", zones=zones, pools=(pool,)) for i in range(1, n + 1)))


def site_of(hosts: int | list[str] | None) -> Site:
    """None: the mail site. A number: so many hosts of one build. Names: those of the estate."""
    if hosts is None:
        return MAIL_SITE
    if isinstance(hosts, int):
        return generated(hosts)
    picked = tuple(ESTATE.host(n) for n in hosts)
    return Site(picked, tuple(p for p in ESTATE.pairs if {p.source, p.target} <= set(hosts)))
