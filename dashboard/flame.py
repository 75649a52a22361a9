"""Flame graphs: rows of stacks folded into a tree, for one window or for two that are compared.

A stack comes as dtrace prints it, the innermost frame first, frames joined by newlines, each ``module`symbol+0x1a``.
Siblings are in alphabetical order, so that a frame has its place in every graph, whatever came first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROOT = "all"
MOST = 4000
"""Frames that are sent to a page; narrower ones are left out, their time stays in their parents."""
DEEP = 240
"""Frames of a stack that become boxes; a runaway recursion's further ones are one box on top of these."""
_OFFSET = re.compile(r"\+0x[0-9a-f]+$")


@dataclass(slots=True)
class Frame:
    """One box: `value` in the window shown, `before` in the one it is compared with; both hold what is above it."""

    name: str
    value: float = 0.0
    before: float = 0.0
    children: dict[str, Frame] = field(default_factory=dict)

    def size(self) -> int:
        """Boxes from here on up."""
        return 1 + sum(c.size() for c in self.children.values())


def frames_of(stack: str) -> list[str]:
    """Frames from the outermost on, without offsets: the calls of one function are one box."""
    return [_OFFSET.sub("", f.strip()) for f in reversed(stack.splitlines()) if f.strip()]


def path_of(keys: Sequence[str]) -> list[str]:
    """Boxes over the root for a row's keys, whose last one is the stack: the program first."""
    *others, stack = keys or [""]
    found = [*others, *frames_of(stack)]
    return found if len(found) <= DEEP else [*found[:DEEP], f"… {len(found) - DEEP} frames more"]


def fold(rows: Iterable[tuple[Sequence[str], float]], before: Iterable[tuple[Sequence[str], float]] = ()) -> Frame:
    """The tree of `rows` of (keys, value), with the values of `before` beside them."""
    root = Frame(ROOT)
    for part, attribute in ((rows, "value"), (before, "before")):
        for keys, value in part:
            if not value > 0:
                continue
            at = root
            setattr(at, attribute, getattr(at, attribute) + value)
            for name in path_of(keys):
                at = at.children.setdefault(name, Frame(name))
                setattr(at, attribute, getattr(at, attribute) + value)
    return root


def trim(root: Frame, most: int = MOST) -> Frame:
    """`root` with at most `most` boxes: the narrowest subtrees go first. Changes and returns it."""
    if root.size() <= most:
        return root
    widths: list[float] = []
    stack = [root]
    while stack:
        frame = stack.pop()
        widths.append(max(frame.value, frame.before))
        stack += frame.children.values()
    least = sorted(widths, reverse=True)[most]
    stack = [root]
    while stack:
        frame = stack.pop()
        frame.children = {n: c for n, c in frame.children.items() if max(c.value, c.before) > least}
        stack += frame.children.values()
    return root


def wire(frame: Frame) -> list[Any]:
    """[name, value, before, [children …]] in alphabetical order; for JSON."""
    return [
        frame.name,
        _short(frame.value),
        _short(frame.before),
        [wire(c) for _, c in sorted(frame.children.items())],
    ]


def _short(value: float) -> float:
    return int(value) if value == int(value) else float(f"{value:.6g}")


def change(frame: Frame, root: Frame, *, equal: bool = True) -> float:
    """How much wider (> 0) or narrower a box is than before, as a share of the whole, -1 … 1.

    equal: both windows count as one whole each, so that a busier hour does not make every box grow.
    """
    now = root.value or 1.0
    then = (root.before if equal else root.value) or 1.0
    return frame.value / now - frame.before / then


def matched(frame: Frame, names: Mapping[str, bool]) -> float:
    """What the boxes with names in `names` hold; one inside another counts once."""
    if names.get(frame.name):
        return frame.value
    return sum(matched(c, names) for c in frame.children.values())
