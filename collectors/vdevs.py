"""The tree of a pool's vdevs, from the names that `zpool iostat` and `zpool status` print.

A vdev's path is its place below the pool: 'raidz2-0/c3t7d0', 'logs/mirror-1/c1t2d0'; '' is the pool itself.
Old releases print 'raidz1' where new ones print 'raidz1-0'; the index is the vdev's place among its siblings
(for top-level vdevs: among all top-level ones, logs included), which is how ZFS numbers them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SECTIONS = {
    "logs": "log",
    "log": "log",
    "cache": "cache",
    "special": "special",
    "dedup": "dedup",
    "spares": "spare",
    "spare": "spare",
}
"""Heading of a section to the class of the vdevs under it."""

_GROUP = re.compile(r"(mirror|raidz[123]?|draid[123]?(?::\w+)*|spare|replacing|indirect|hole|missing)(-\d+)?")


@dataclass(frozen=True, slots=True)
class Vdev:
    """One row of the tree, in the words of the schema."""

    pool: str
    path: str
    device: str
    kind: str
    alloc_class: str | None


def kind_of(name: str) -> str:
    """mirror, raidz1, draid2, spare, replacing, …, or disk; 'raidz' is the oldest name of raidz1."""
    m = _GROUP.fullmatch(name)
    if not m:
        return "disk"
    kind = m[1].split(":")[0]
    return {"raidz": "raidz1", "draid": "draid1"}.get(kind, kind)


def is_group(name: str) -> bool:
    """Whether the name is that of a vdev that has children."""
    return _GROUP.fullmatch(name) is not None


class Tree:
    """Places the rows of one report, fed in the order in which they are printed."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, str]] = []
        self._children: dict[str, int] = {}
        self._paths: set[str] = set()
        self._pool, self._section, self._class = "", "", "data"

    def pool(self, name: str) -> Vdev:
        """The pool's own row; what follows belongs to it."""
        self._stack, self._children, self._paths = [], {}, {""}
        self._pool, self._section, self._class = name, "", "data"
        return Vdev(name, "", name, "pool", "data")

    def section(self, name: str, alloc_class: str | None) -> Vdev:
        """A heading such as `logs`; vdevs that follow are of its class (None: not knowable)."""
        self._stack, self._section, self._class = [], name, alloc_class or ""
        return Vdev(self._pool, name, name, "section", alloc_class)

    def vdev(self, depth: int, name: str) -> Vdev:
        """A vdev; `depth` grows with nesting (the indentation, any step)."""
        while self._stack and self._stack[-1][0] >= depth:
            self._stack.pop()
        top = not self._stack
        parent = self._section if top else self._stack[-1][1]
        # cache devices and spares are not children of the pool's root: they have a numbering of their own
        counter = parent if not top or self._class in ("cache", "spare") else ""
        place = self._children.get(counter, 0)
        self._children[counter] = place + 1
        kind = kind_of(name)
        own = f"{name}-{place}" if kind != "disk" and not re.search(r"-\d+$", name) else name
        path = base = f"{parent}/{own}" if parent else own
        again = 1
        while path in self._paths:
            again += 1
            path = f"{base}#{again}"
        self._paths.add(path)
        self._stack.append((depth, path))
        return Vdev(self._pool, path, name, kind, self._class or None)


class Nest:
    """Depths of rows that have lost their indentation, below one pool or section.

    A group takes the disks that follow it; a `replacing` or `spare` stands in a group and takes the next two.
    """

    def __init__(self) -> None:
        self._in_group, self._nested, self._waiting = False, 0, 0

    def depth(self, name: str) -> int:
        """1 for a top-level vdev, 2 for what is in it, 3 for the halves of a `replacing`."""
        kind = kind_of(name)
        if kind in ("replacing", "spare"):
            self._nested, self._waiting = (2 if self._in_group else 1), 2
            return self._nested
        if kind != "disk":
            self._in_group, self._waiting = True, 0
            return 1
        if self._waiting:
            self._waiting -= 1
            return self._nested + 1
        return 2 if self._in_group else 1
