"""Which pool and vdev a disk belongs to, from `zpool status` running beside a disk's own statistics.

`BESIDE` is a loop that prints, once a minute, `zpool= POOL` and `zpool:` lines (the config section, indentation
kept) and closes with `zpool.`; any other line of the stream is left to its own parser.
"""

from __future__ import annotations

import re

from collectors.sh import beside
from collectors.vdevs import SECTIONS, Tree

BESIDE = beside(
    "(zpool status 2>/dev/null | sed -n 's/^ *pool: */zpool= /p;s/^\t/zpool:/p;s/^        /zpool:/p'; echo zpool.)",
    60,
)
"""The blank in the second pattern is a tab; some systems indent by eight blanks instead."""

PARTITION = re.compile(r"(?<=\dd\d)[sp]\d+$|(?<=[a-z])\d+$|(?<=\d)[ps]\d+[a-h]?$")
"""c3t7d0s0, c3d0p1, sda1, nvme0n1p1, da0p3, ada0s1a: what stands behind the disk's own name."""
ROW = re.compile(r"zpool:( *)(\S.*)$")


class Members:
    """The newest `zpool status`: `of(device)` is (pool, vdev path), or (None, None)."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[str, str]] = {}
        self._next: dict[str, tuple[str, str]] = {}
        self._tree = Tree()
        self._pool = ""
        self._open = False  # below the pool's own row, past status and action, which are indented too
        self._memo: dict[str, tuple[str | None, str | None]] = {}

    def take(self, line: str) -> bool:
        """Whether `line` is one of ours; reads it if so."""
        if not line.startswith("zpool"):
            return False
        if line.startswith("zpool= "):
            self._pool, self._open = line[7:].strip(), False
            self._tree = Tree()
        elif line == "zpool.":
            self._now, self._next, self._memo = self._next, {}, {}
        else:
            match = ROW.match(line)
            if not match:
                return False
            self._row(len(match[1]), match[2].split())
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
                self._next[name.rpartition("/")[2]] = (self._pool, vdev.path)

    def of(self, device: str) -> tuple[str | None, str | None]:
        """Pool and vdev path of a disk, also where the pool uses a slice or partition of it."""
        known = self._memo.get(device)
        if known is None:
            known = self._now.get(device) or next(
                (place for name, place in self._now.items() if PARTITION.sub("", name) == device), (None, None)
            )
            if len(self._memo) > 10_000:
                self._memo.clear()
            self._memo[device] = known
        return known
