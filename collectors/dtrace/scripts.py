"""Plain D programs beside the composed ones: what does not fit a metric (stacks, spa_sync).

A file ``scripts/NAME[.VARIANT].d`` collects into @q and runs by itself with ``dtrace -s``; its header says what it
means, where it works, what it needs and costs, and what its keys are. Here it gets the frame of `framing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast, get_args

from collectors.base import OS
from collectors.dtrace import compose
from collectors.dtrace.framing import Expected

_FOLDER = Path(__file__).parent / "scripts"
_HEADER = ("meaning", "systems", "privilege", "cost", "keys", "value", "unit")


@dataclass(frozen=True)
class Script:
    """A plain program: `keys` in order (a stack comes last), `value` is count, sum or quantize, in `unit`."""

    name: str
    meaning: str
    systems: tuple[OS, ...]
    privilege: str
    cost: str
    keys: tuple[str, ...]
    value: str
    unit: str
    source: str

    @property
    def probes(self) -> tuple[str, ...]:
        """Probe descriptions that the host must have."""
        return tuple(dict.fromkeys(re.findall(r"^(\w+:\w*:\w*:[\w-]+)", self.source, re.M)))

    @property
    def stacks(self) -> bool:
        return self.keys[-1] in ("stack", "ustack")

    @property
    def expected(self) -> Expected:
        return Expected(self.name, self.value, "quantize" if self.value == "quantize" else "")

    def program(self, os: OS, *, interval: int = 1, limit: int = 0) -> str:
        """The D program with its frame, a clause a line."""
        clauses = [" ".join(c.split()) for c in re.findall(r".+?\n\}", self.source, re.S)]
        keys = "%d:%s " * (len(self.keys) - self.stacks)
        if self.stacks:
            answer = f"{keys}stack%kzs1 yek {self.value}=%@d"
        elif self.value == "quantize":
            answer = f"{keys}quantize%@dzs1 yek"
        else:
            answer = f"{keys}{self.value}=%@d"
        return compose.fold(
            [*compose.begin(self.name, interval), *clauses, *compose.frame(answer, os, interval, limit)]
        )


def read(path: Path) -> Script:
    """The script in a file. Raises ValueError naming the file and the line of its header that is missing, or what it
    must not contain."""
    text = path.read_text()
    header, _, source = text.partition("*/\n")
    found = dict(re.findall(r"^ \* (\w+): +(.+)$", header, re.M))
    for name in _HEADER:
        if name not in found:
            raise ValueError(f"{path}: the header has no line '{name}:'")
    systems = tuple(found["systems"].split())
    unknown = set(systems) - set(get_args(OS))
    if unknown:
        raise ValueError(f"{path}: unknown system {sorted(unknown)[0]}")
    try:
        compose.harmless(source)
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from e
    return Script(
        name=path.name.split(".")[0],
        meaning=found["meaning"],
        systems=cast(tuple[OS, ...], systems),
        privilege=found["privilege"],
        cost=found["cost"],
        keys=tuple(found["keys"].split()),
        value=found["value"],
        unit=found["unit"],
        source=source,
    )


@cache
def load() -> tuple[Script, ...]:
    """Every script, by name."""
    return tuple(read(path) for path in sorted(_FOLDER.glob("*.d")))


def choose(name: str, os: OS, probes: Iterable[str] | None = None) -> Script:
    """The first form of script `name` for `os` whose probes are among `probes`, as `dtrace -l` shows them there; None
    leaves them unchecked. Raises compose.NoRecipe where there is none, with what the host lacks."""
    forms = [s for s in load() if s.name == name]
    mine = [s for s in forms if os in s.systems]
    if not mine:
        raise compose.NoRecipe(f"{name} has no form for {os}" if forms else f"no script {name!r}")
    have = None if probes is None else list(probes)
    lacking = {s: compose.lacking(s.probes, have) if have is not None else [] for s in mine}
    for s in mine:
        if not lacking[s]:
            return s
    raise compose.NoRecipe(
        f"the host has no probe {', '.join(dict.fromkeys(p for ps in lacking.values() for p in ps))}"
    )
