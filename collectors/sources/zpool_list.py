"""pool_capacity: size, use, fragmentation and deduplication of every pool, from `zpool list`.

CKPOINT, EXPANDSZ and FRAG came and went with the releases, so columns are read by their headings; -p, where the
tool has it, gives bytes under the same headings. A pool that cannot be opened shows "-" throughout.
Source: zpool(1M) of Solaris 10 and illumos, zpool-list(8) of OpenZFS.
"""

from __future__ import annotations

from typing import Any

from collectors.base import Batch, Context, Source, Variant
from collectors.polled import Polled, again
from collectors.tables import Heading, is_heading, tabbed
from collectors.units import percent, size
from collectors.vdevs import SECTIONS
from frames.schemas import POOL_CAPACITY

DEFAULT = ("NAME", "SIZE", "ALLOC", "FREE", "CKPOINT", "EXPANDSZ", "FRAG", "CAP", "DEDUP", "HEALTH", "ALTROOT")
"""Columns of -H in OpenZFS 2, where nothing says which they are."""


class CapacityParser(Polled):
    """One row per pool; rows of vdevs (-v) are passed over. `columns` names those of -H."""

    source = "pool_capacity"

    def __init__(self, ctx: Context, columns: tuple[str, ...] = DEFAULT) -> None:
        super().__init__(ctx)
        self._columns = columns

    def opens(self, line: str) -> bool:
        return is_heading(line)

    def report(self, lines: list[str]) -> list[Batch]:
        out: dict[str, list[Any]] = {c: [] for c in POOL_CAPACITY.names[2:]}
        heading: Heading | None = None
        for i, line in enumerate(lines):
            if is_heading(line):
                heading = Heading(line)
                continue
            if not line.strip() or line.strip() == "no pools available":
                continue
            if heading:
                if heading.indent(line) > 0:
                    continue
                row = heading.row(line)
            elif line.startswith("\t") or (line.split()[0] in SECTIONS and set(line.split()[1:]) == {"-"}):
                continue
            else:
                row = tabbed(line, self._columns)
            if row is None:
                raise self.bad(i, line, "not a row under the headings of `zpool list`")
            if row["NAME"] in SECTIONS and all(cell == "-" for name, cell in row.items() if name != "NAME"):
                continue  # of -v; a pool of that name has a health
            try:
                self._add(out, row)
            except ValueError as e:
                raise self.bad(i, line, str(e)) from e
        return [Batch(POOL_CAPACITY.name, out, self.stamp)] if out["pool"] else []

    @staticmethod
    def _add(out: dict[str, list[Any]], row: dict[str, str]) -> None:
        def number(*names: str) -> float | None:
            return next((size(row[n])[0] for n in names if n in row), None)

        values = {
            "pool": row["NAME"],
            "size": number("SIZE"),
            "alloc": number("ALLOC", "USED"),
            "frag": percent(row.get("FRAG", "-")),
            "dedup": size(row.get("DEDUP", "-").removesuffix("x"))[0],
            "expandsz": number("EXPANDSZ"),
            "checkpoint": number("CKPOINT"),
            "health": row.get("HEALTH"),
        }
        for name, column in out.items():
            column.append(values[name])


SOURCE = Source(
    name="pool_capacity",
    meaning="size, fragmentation and deduplication of every pool",
    tables=("pool_capacity",),
    interval=60.0,
    variants=(
        Variant(
            name="exact",
            systems=("linux", "freebsd", "illumos", "solaris11"),
            command=lambda ctx: again("zpool list -p", ctx.interval),
            parser=CapacityParser,
            probe="zpool list -p",
            fix="old releases have no -p; sizes then come with three digits",
        ),
        Variant(
            name="rounded",
            systems=("solaris10", "solaris11", "illumos", "freebsd", "linux"),
            command=lambda ctx: again("zpool list", ctx.interval),
            parser=CapacityParser,
            probe="zpool list",
            fix="put zpool on the PATH (/usr/sbin)",
        ),
    ),
)
