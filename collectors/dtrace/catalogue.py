"""The library of metrics and scripts as a table: for docs/dtrace.md, which a test holds to it, and for the CLI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from collectors.base import OS, SYSTEMS
from collectors.dtrace import scripts
from collectors.dtrace.recipes import RECIPES, Recipe
from frames.metrics import METRICS


@dataclass(frozen=True)
class Entry:
    """A metric or script: what it means, its keys or fields, where it works, what it needs and costs; `compiled`: which
    of its programs a compiler has met (tests/dtrace/test_compose.py, test_scripts.py)."""

    name: str
    meaning: str
    unit: str
    fields: tuple[str, ...]
    systems: tuple[OS, ...]
    compiled: str
    privilege: str
    cost: str


def _privilege(recipes: list[Recipe]) -> str:
    """On Solaris and illumos; root elsewhere."""
    reads_memory = any("copyin" in code for r in recipes for code in (*r.saves.values(), *r.fields.values()))
    user = any(p.startswith("syscall") for r in recipes for p in r.probes)
    return "dtrace_kernel" + (", dtrace_user" if user else "") + (", dtrace_proc" if reads_memory else "")


def _compiled(probes: Iterable[str]) -> str:
    """What tests compile of programs for Linux with these probes: an fbt one is replaced."""
    return "Linux, with other probes" if any(p.startswith("fbt:") for p in probes) else "Linux"


def entries() -> Iterator[Entry]:
    """All metrics, then all scripts (the variants of one script as one)."""
    for metric in METRICS.values():
        mine = [r for r in RECIPES if r.metric == metric.name]
        yield Entry(
            metric.name,
            metric.meaning,
            metric.unit,
            tuple(f.name if f.kind == "discrete" else f"*{f.name}*" for f in metric.fields),
            tuple(s for s in SYSTEMS if any(s in r.systems for r in mine)),
            _compiled(p for r in mine if "linux" in r.systems for p in r.probes),
            _privilege(mine),
            max((r.cost for r in mine), key=["low", "medium", "high"].index),
        )
    for name in dict.fromkeys(s.name for s in scripts.load()):
        variants = [s for s in scripts.load() if s.name == name]
        yield Entry(
            name,
            variants[0].meaning,
            variants[0].unit,
            tuple(dict.fromkeys(key for s in variants for key in s.keys)),
            tuple(s for s in SYSTEMS if any(s in v.systems for v in variants)),
            _compiled(p for v in variants if "linux" in v.systems for p in v.probes),
            "dtrace_kernel, dtrace_proc, dtrace_user" if name == "oncpu_user" else "dtrace_kernel",
            variants[0].cost.partition(":")[0],
        )


def markdown() -> str:
    """The table of docs/dtrace.md."""
    rows = ["| name | what happens | counts | fields | systems | compiled | privilege | cost |", "|---" * 8 + "|"]
    for e in entries():
        systems = "all" if e.systems == SYSTEMS else ", ".join(e.systems)
        unit = "events" if e.unit == "1" else e.unit
        fields = ", ".join(e.fields)
        rows.append(
            f"| `{e.name}` | {e.meaning} | {unit} | {fields} | {systems} | {e.compiled} | {e.privilege} | {e.cost} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
