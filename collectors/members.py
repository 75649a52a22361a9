"""Which pool and vdev a disk belongs to, from `zpool status` running beside a disk's own statistics.

`beside(os)` is a loop that prints, once a minute, `zpool= POOL` and `zpool:` lines (the config section, indentation
kept), `zlink= NAME DISK` where the system has other names for disks, and closes with `zpool.`; any other line of the
stream is left to its own parser.
"""

from __future__ import annotations

import re

from collectors import sh
from collectors.base import OS
from collectors.vdevs import SECTIONS, Tree

EVERY = 60.0
TELLING = r"sed -n 's/^ *pool: */zpool= /p;s/^	/zpool:/p;s/^        /zpool:/p;/^zlink= /p'"
"""The blank in the second pattern is a tab; some systems indent by eight blanks instead."""
LINUX = (
    "zpool status -L 2>/dev/null || "
    "{ zpool status; find /dev/disk -type l | "
    'while read n; do d=`readlink "$n"`; echo "zlink= ${n##*/} ${d##*/}"; done; }'
)
"""-L names the disks themselves; releases without it name what was given to `zpool create`, often a by-id link."""
FREEBSD = 'zpool status; glabel status -s | awk \'{ print "zlink= " $1 " " $3 }\''

PARTITION = re.compile(
    r"((?:sd|vd|xvd|hd|dasd)[a-z]+|.*\d(?=[ps])|.+(?=-part)|emcpower\d+)(\d{1,3}|[ps]\d{1,3}[a-h]?|-part\d{1,3}|[a-h])"
)
"""A disk's own name and what stands behind it: c3t7d0s0, c3d0p1, sda1, nvme0n1p1, da0p3, ada0s1a, wwn-…-part1."""
WHOLE = frozenset(["s0", "1", "p1", "-part1"])
"""The partition that ZFS makes on a disk that it was given whole; the pool then shows the disk's own name."""
LAYER = re.compile(r"(\.(?:eli|nop|bde|journal))+$")
"""GEOM's providers on top of a disk: da0p3.eli."""
ROW = re.compile(r"zpool:( *)(\S.*)$")
LINK = re.compile(r"zlink= (\S+) (\S+)$")

Place = tuple[str, str]


def beside(os: OS) -> str:
    """The loop, in the background; silent where there is no zpool."""
    status = {"linux": LINUX, "freebsd": FREEBSD}.get(os, "zpool status")
    return sh.beside(f"(({status}) 2>/dev/null | {TELLING}; echo zpool.)", EVERY)


class Members:
    """The newest `zpool status`: `of(device)` is (pool, vdev path), or (None, None)."""

    def __init__(self) -> None:
        self._now: dict[str, Place] = {}
        self._next: dict[str, Place] = {}
        self._links: dict[str, str] = {}
        self._tree = Tree()
        self._pool = ""
        self._open = False  # below the pool's own row, past status and action, which are indented too

    def take(self, line: str) -> bool:
        """Whether `line` is one of ours; reads it if so."""
        if not line.startswith("z"):
            return False
        if line.startswith("zpool= "):
            self._pool, self._open = line[7:].strip(), False
            self._tree = Tree()
        elif line == "zpool.":
            self._now, self._next, self._links = _by_device(self._next, self._links), {}, {}
        elif match := ROW.match(line):
            self._row(len(match[1]), match[2].split())
        elif match := LINK.match(line):
            self._links[match[1]] = match[2]
        else:
            return False
        return True

    def _row(self, depth: int, words: list[str]) -> None:
        name = words[0]
        if depth == 0 and name == self._pool:
            self._tree.pool(name)
            self._open = True
        elif not self._open:
            return
        elif depth == 0 and name in SECTIONS:
            self._tree.section(name, SECTIONS[name])
        elif len(words) > 1:
            vdev = self._tree.vdev(depth, name)
            if vdev.kind == "disk":
                self._next.setdefault(name, (self._pool, vdev.path))

    def of(self, device: str) -> tuple[str | None, str | None]:
        """Pool and vdev path of a disk, also where the pool uses a slice or partition of it.

        Of a disk whose slices are in several places (a log and a cache), the first that `zpool status` names.
        """
        return self._now.get(device) or _whole(device, self._now) or (None, None)


def partition(name: str) -> tuple[str, str]:
    """The disk and the partition that a name is made of; ('', '') where it is that of no partition."""
    match = PARTITION.fullmatch(name)
    return (match[1], match[2]) if match else ("", "")


def _by_device(vdevs: dict[str, Place], links: dict[str, str]) -> dict[str, Place]:
    """Places by every name a disk may have: as printed, without its folder, as linked, and its whole disk's."""
    out: dict[str, Place] = {}
    for name, place in vdevs.items():
        names = [name, name.rpartition("/")[2]]
        names += [bare for n in names if (bare := LAYER.sub("", n)) != n]
        names += [links[n] for n in names if n in links]
        for n in names:
            out.setdefault(n, place)
    for name, place in list(out.items()):
        disk, _ = partition(name)
        if disk:
            out.setdefault(disk, place)
    return out


def _whole(device: str, places: dict[str, Place]) -> Place | None:
    """The place of a disk that ZFS was given whole, asked for by its first partition."""
    disk, part = partition(device)
    return places.get(disk) if part in WHOLE else None
