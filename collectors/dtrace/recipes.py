"""How each metric of `frames.metrics` is had from a system: probes, D expressions, what is saved at entry.

A recipe is data. In its expressions ``{name}`` stands for what was saved at entry under that name; `start` is
always saved where there is an entry. Its program is composed by `collectors.dtrace.compose`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors.base import OS

SOLARIS: tuple[OS, ...] = ("solaris10", "solaris11", "illumos")


@dataclass(frozen=True)
class Recipe:
    """One way to answer questions about `metric`.

    `fire`: probes at which it happens. `fields`: D expression of each field that this way can give, evaluated
    there. `enter`: probes at which it begins, `saves`: what is kept from there on, under `key` (an expression that
    is the same at both ends; '' keeps it in the thread). `fire_if`/`enter_if`: what must hold besides. `value`:
    what is summed; '' counts events. `needs`: probe names that `dtrace -l` must show (default: all of them).
    """

    metric: str
    systems: tuple[OS, ...]
    fire: tuple[str, ...]
    fields: Mapping[str, str]
    enter: tuple[str, ...] = ()
    saves: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    enter_if: str = ""
    fire_if: str = ""
    value: str = ""
    cost: str = "low"
    """low: events of a disk or a connection. medium: thousands a second. high: every system call or dispatch."""

    @property
    def probes(self) -> tuple[str, ...]:
        return self.enter + self.fire


_SUBSECOND = "(walltimestamp % 1000000000) / 1000000"

RECIPES: list[Recipe] = [
    *(
        Recipe(
            "disk_io",
            systems,
            fire=("io:::done",),
            enter=("io:::start",),
            key="arg0",
            saves={"start": "timestamp", **who},
            fields={
                "device": "args[1]->dev_statname",
                "operation": '(args[0]->b_flags & B_READ ? "read" : "write")',
                **{name: f"{{{name}}}" for name in who},
                "latency": "(timestamp - {start})",
                "size": "args[0]->b_bcount",
                "offset": "(args[0]->b_blkno / 2097152)",
                "subsecond": _SUBSECOND,
            },
        )
        for systems, who in (
            (SOLARIS, {"zone": "zonename", "pid": "pid", "execname": "execname"}),
            (("linux", "freebsd"), {"pid": "pid", "execname": "execname"}),
        )
    ),
]
