"""Pools as hypothesis draws them, printed as the `zpool` of each era prints them.

The printers follow print_iostat_header, print_vdev_stats, print_iostat_histo and print_status_config of zpool_main.c
(OpenSolaris to OpenZFS 2.4) and zfs_nicenum of libzfs; the parsers under test share no code with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st

KEYWORDS = ["logs", "mirror", "capacity", "pool", "raidz1-0", "cache", "spares", "vdev", "errors", "NAME", "special"]
SECTIONS = {"dedup": "dedup", "special": "special", "logs": "log", "cache": "cache"}
"""In the order in which OpenZFS prints them."""


@dataclass
class V:
    """A vdev, or a pool: `space` is (alloc, free), None for what has none of its own; `rates` the four of an interval.

    `kind` and `path` are what a parser must make of it; `section` is the heading that it stands under.
    """

    name: str
    kind: str
    space: tuple[int, int] | None
    rates: tuple[int, int, int, int] = (0, 0, 0, 0)
    children: list[V] = field(default_factory=list)
    section: str = ""
    path: str = ""
    histogram: list[list[int]] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, V]]:
        """Itself and all below it, in the order in which they are printed."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def nicenum(n: int) -> str:
    if n < 1024:
        return str(n)
    index = (n.bit_length() - 1) // 10
    scale = 1 << (10 * index)
    unit = "KMGTPE"[index - 1]
    if n % scale == 0:
        return f"{n // scale}{unit}"
    return next(t for digits in (2, 1, 0) if len(t := f"{n / scale:.{digits}f}{unit}") <= 5 or not digits)


NAMES = st.one_of(
    st.sampled_from(["c0t0d0", "sda", "gpt/disk0", "disk/by-id/scsi-SATA_x y-part1", "Backup Disk 2 (USB)", "a 1G 2"]),
    st.text("abcdz019_.:-/ ", min_size=1, max_size=60).map(lambda s: "d" + " ".join(s.split())),
    st.sampled_from(KEYWORDS),
)
NUMBERS = st.one_of(st.integers(0, 1100), st.integers(0, 2**63), st.integers(0, 60).map(lambda k: 1 << k))
RATES = st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)


@st.composite
def pools(draw: st.DrawFn, *, indexed: bool = True) -> list[V]:
    """One to three pools with groups, replacements, spares and sections; numbers are anything that fits 63 bits."""
    names = draw(st.lists(st.one_of(st.sampled_from(KEYWORDS), st.just("tank")), min_size=1, max_size=3, unique=True))
    return [draw(_pool(name, indexed)) for name in names]


@st.composite
def _pool(draw: st.DrawFn, name: str, indexed: bool) -> V:
    pool = V(name, "pool", None, draw(RATES))
    taken = {"": set[str]()}

    def leaf(parent: str, space: tuple[int, int] | None, section: str) -> V:
        own = draw(NAMES.filter(lambda n: n not in taken.setdefault(parent, set()) and not _is_group(n)))
        taken[parent].add(own)
        return V(own, "disk", space, draw(RATES), [], section, f"{parent}/{own}" if parent else own)

    tops = 0
    for section in ["", *sorted(draw(st.sets(st.sampled_from(sorted(SECTIONS)), max_size=3)), key=_order)]:
        for _ in range(draw(st.integers(1, 2))):
            space = (draw(st.integers(1, 2**50)), draw(st.integers(1, 2**50)))
            shape = "disk" if section == "cache" else draw(st.sampled_from(["disk", "mirror", "raidz2"]))
            if shape == "disk":
                pool.children.append(leaf(section, space, section))
            else:
                path = "/".join(x for x in (section, f"{shape}-{tops}") if x)
                group = V(f"{shape}-{tops}" if indexed else shape, shape, space, draw(RATES), [], section, path)
                for i in range(draw(st.integers(1, 3))):
                    group.children.append(_half(draw, leaf, path, i, indexed, section))
                pool.children.append(group)
            tops += section != "cache"
    data = [c.space for c in pool.children if c.space and not c.section]
    pool.space = (sum(a for a, _ in data), sum(f for _, f in data))
    return pool


def _half(draw: st.DrawFn, leaf: object, path: str, i: int, indexed: bool, section: str) -> V:
    """A child of a group: a disk, or two that replace each other."""
    assert callable(leaf)
    kind = draw(st.sampled_from(["disk", "disk", "disk", "replacing", "spare"]))
    if kind == "disk":
        out = leaf(path, None, section)
        assert isinstance(out, V)
        return out
    own = f"{path}/{kind}-{i}"
    return V(
        f"{kind}-{i}" if indexed else kind,
        kind,
        None,
        draw(RATES),
        [leaf(own, None, section), leaf(own, None, section)],
        section,
        own,
    )


def _order(section: str) -> int:
    return list(SECTIONS).index(section)


def _is_group(name: str) -> bool:
    return name in ("mirror", "raidz1-0")


def iostat(found: list[V], *, used: bool = False, centred: bool = False, width: int | None = None) -> str:
    """One report of `zpool iostat -v`. `used`: headings before 9/10; `centred`: those of OpenZFS 0.7.

    `width`: of the name's column, where it is less than the longest name.
    """
    rows = [(depth, v) for pool in found for depth, v in pool.walk()]
    wide = width or max(10, *(2 * depth + len(v.name) for depth, v in rows))
    gap = " " * (4 if centred else 5)
    head = f"{'':{wide}}{gap}capacity     operations  {'  ' if centred else ''} bandwidth{' ' if centred else ''}\n"
    head += f"{'pool':<{wide}}" + ("   used  avail" if used else "  alloc   free") + "   read  write   read  write\n"
    rule = "-" * wide + "  -----" * 6 + "\n"
    out = head + rule
    for pool in found:
        section = ""
        for depth, v in pool.walk():
            if v.section != section:
                section = v.section
                out += f"{section:<{wide}}" + "      -" * 6 + "\n"
            cells = [nicenum(x) for x in v.space] if v.space else ["-", "-"]
            cells += [nicenum(x) for x in v.rates]
            out += f"{'  ' * depth + v.name:<{wide}}" + "".join(f"  {c:>5}" for c in cells) + "\n"
        out += rule
    return out


def iostat_exact(found: list[V]) -> str:
    """One report of `zpool iostat -vHp`."""
    out = ""
    for pool in found:
        section = ""
        for _, v in pool.walk():
            if v.section != section:
                section = v.section
                out += "\n"
            out += "\t".join([v.name, *map(str, v.space or (0, 0)), *map(str, v.rates)]) + "\n"
    return out


LATENCY = (
    (("total_wait", 2), ("disk_wait", 2), ("syncq_wait", 2), ("asyncq_wait", 2)),
    ("read", "write") * 4 + ("scrub", "trim", "rebuild"),
)
LATENCY_MEASURES = [f"{q}_wait_{d}" for q in ("total", "disk", "syncq", "asyncq") for d in ("read", "write")]
LATENCY_MEASURES += ["scrub_wait", "trim_wait", "rebuild_wait"]
REQUESTS = ("sync_read", "sync_write", "async_read", "async_write", "scrub", "trim", "rebuild")
REQUEST_MEASURES = [f"{q}_{s}" for q in REQUESTS for s in ("ind", "agg")]


def nicetime(ns: int) -> str:
    """Whole units, cut."""
    for unit in ("ns", "us", "ms", "s"):
        if ns < 1000 or unit == "s":
            return f"{ns}{unit}"
        ns //= 1000
    raise AssertionError


def histogram(v: V, *, latency: bool, exact: bool, scripted: bool, wide: int = 10) -> str:
    """The table of one vdev as -w (or -r) prints it; `v.histogram` holds a column of counts per measure."""
    label = nicenum if exact else (lambda n: nicenum(n))
    number = str if exact else nicenum
    first = 0 if latency else 9
    table = list(zip(*v.histogram, strict=True))[first:]
    if scripted:
        rows = ""
        for j, counts in enumerate(table, first):
            end = (1 << (j + 1)) - 1 if latency else 1 << j
            rows += "\t".join([str(end), *map(number, counts)]) + "\n"
        return f"\n{v.name}\n{rows}"
    column = max(5, *(len(number(c)) for counts in v.histogram for c in counts))
    wide = max(wide, len(v.name), 8)
    tops = LATENCY[0] if latency else tuple((q, 2) for q in REQUESTS)
    bottoms = LATENCY[1] if latency else ("ind", "agg") * 7
    head = f"{v.name:<{wide}}" + "".join(f"  {t:^{column * n + 2 * (n - 1)}}" for t, n in tops) + "\n"
    head += f"{'latency' if latency else 'req_size':<{wide}}" + "".join(f"  {b:>{column}}" for b in bottoms) + "\n"
    head += "-" * wide + ("  " + "-" * column) * len(bottoms) + "\n"
    rows = ""
    for j, counts in enumerate(table, first):
        name = nicetime((1 << (j + 1)) - 1) if latency else label(1 << j)
        rows += f"{name:<{wide}}" + "".join(f"  {number(c):>{column}}" for c in counts) + "\n"
    return "\n" + head + rows + "-" * (wide + (column + 2) * len(bottoms)) + "\n"


STATES = ("ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "REMOVED", "UNAVAIL")
NOTES = ("", "cannot open", "too many errors", "was /dev/dsk/c1t0d0s0/old", "(resilvering)", "insufficient replicas")


@dataclass
class S:
    """What `zpool status` says of a vdev."""

    state: str
    errors: tuple[int, int, int]
    note: str


def status(
    pool: V,
    said: list[S],
    *,
    margin: str = "\t",
    exact: bool = False,
    label: str = "scan",
    scan: str = "none requested",
    spares: tuple[str, ...] = (),
    slow: bool = False,
) -> str:
    """One pool's block of `zpool status`; `said` has one entry per vdev, in the order of `walk`."""
    rows = list(pool.walk())
    wide = max(10, *(2 * depth + len(v.name) for depth, v in rows))
    extra = "  SLOW" if slow else ""
    number = str if exact else nicenum
    out = f"  pool: {pool.name}\n state: {said[0].state}\nstatus: Some words over\n{margin}two lines: all well.\n"
    out += f"action: None.\n   see: http://illumos.org/msg/ZFS-8000-9P\n{label:>6}: {scan}\nconfig:\n\n"
    out += f"{margin}{'NAME':<{wide}}  {'STATE':<8} {'READ':>5} {'WRITE':>5} {'CKSUM':>5}{extra}\n"
    section = ""
    for (depth, v), s in zip(rows, said, strict=True):
        if v.section != section:
            section = v.section
            out += f"{margin}{section}\t\n" if margin == "\t" else f"{margin}{section}\n"
        cells = "".join(f" {number(e):>5}" for e in s.errors)
        cells += f" {'-' if v.children else '0':>5}" if slow else ""
        out += f"{margin}{'  ' * depth + v.name:<{wide}}  {s.state:<8}{cells}"
        out += (f"  {s.note}" if s.note else "") + "\n"
    if spares:
        out += f"{margin}spares\n"
        for name in spares:
            out += f"{margin}{'  ' + name:<{wide}}  {'AVAIL':<8}\n"
    return out + "\nerrors: No known data errors\n"
