"""pool_capacity: size, use, fragmentation and deduplication of every pool, from `zpool list`.

CKPOINT, EXPANDSZ and FRAG came and went with the releases, so columns are read by their headings; -p, where the
tool has it, gives bytes under the same headings. A pool that cannot be opened shows "-" throughout.
Source: zpool(1M) of Solaris 10 and illumos, zpool-list(8) of OpenZFS.
"""

from __future__ import annotations

from typing import Any

from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.pasted import columns, is_command
from collectors.polled import DOCUMENT, Polled, again
from collectors.tables import Heading, is_heading, is_torn
from collectors.units import is_date, percent, size
from collectors.vdevs import SECTIONS, is_group
from frames.schemas import POOL_CAPACITY

DEFAULT = ("NAME", "SIZE", "ALLOC", "FREE", "CKPOINT", "EXPANDSZ", "FRAG", "CAP", "DEDUP", "HEALTH", "ALTROOT")
OLDEST = ("NAME", "SIZE", "USED", "AVAIL", "CAP", "HEALTH", "ALTROOT")
BY_NUMBER = {
    len(columns): columns
    for columns in (
        DEFAULT,
        tuple(c for c in DEFAULT if c != "CKPOINT"),
        tuple(c for c in DEFAULT if c not in ("CKPOINT", "FRAG")),
        tuple(c for c in DEFAULT if c not in ("CKPOINT", "FRAG", "EXPANDSZ")),
        OLDEST,
    )
}
"""Columns of -H by their number, which came and went with the releases; nothing else says which they are."""
TELEGRAF = ("NAME", "HEALTH", "SIZE", "ALLOC", "FREE", "FRAG", "CAP", "DEDUP")
"""Columns that this agent asks for with -Hp: their second is a word."""
_PROPERTIES = {
    "allocated": "ALLOC",
    "capacity": "CAP",
    "fragmentation": "FRAG",
    "dedupratio": "DEDUP",
    "expandsize": "EXPANDSZ",
    "checkpoint": "CKPOINT",
    "available": "AVAIL",
}
"""Names that -o takes, to the headings they have."""
_HEALTH = ("ONLINE", "DEGRADED", "FAULTED", "UNAVAIL", "SUSPENDED", "OFFLINE", "REMOVED")


class CapacityParser(Polled):
    """One row per pool; rows of vdevs (-v) are passed over. `columns` names those of -H, if they were chosen."""

    source = "pool_capacity"

    def __init__(self, ctx: Context, columns: tuple[str, ...] = ()) -> None:
        super().__init__(ctx)
        self._columns = {len(columns): columns} if columns else BY_NUMBER

    def opens(self, line: str) -> bool:
        return is_heading(line, OF_POOLS) or DOCUMENT.match(line) is not None

    def report(self, lines: list[str]) -> list[Batch]:
        out: dict[str, list[Any]] = {c: [] for c in POOL_CAPACITY.names[2:]}
        document = next((i for i, line in enumerate(lines) if DOCUMENT.match(line)), None)
        if document is not None:
            self._json(lines, document, out)
        else:
            self._text(lines, out)
        return [Batch(POOL_CAPACITY.name, out, self.stamp)] if out["pool"] else []

    def _json(self, lines: list[str], at: int, out: dict[str, list[Any]]) -> None:
        """-j of OpenZFS 2.3."""
        try:
            for key, pool in self.document(lines, at)["pools"].items():
                row = {_PROPERTIES.get(p, p.upper()): str(v["value"]) for p, v in pool["properties"].items()}
                self._add(out, {"HEALTH": pool["state"], **row, "NAME": str(pool.get("name", key))})
        except ParseError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise self.bad(at, lines[at], f"not the JSON of zpool list: {type(e).__name__} {e}") from e

    def _text(self, lines: list[str], out: dict[str, list[Any]]) -> None:
        heading: Heading | None = None
        flat = False  # vdevs of -v that have lost their indentation stand behind their pool
        for i, line in enumerate(lines):
            if is_heading(line, OF_POOLS):
                heading = Heading(line)
                continue
            if not line.strip() or line.strip() == "no pools available":
                continue
            row = heading.row(line) if heading else self._scripted(line)
            if row is None and not self.strict and is_command(line):
                heading = None
                asked = tuple(_PROPERTIES.get(c, c.upper()) for c in columns(line) if c != "space")
                self._columns = {len(asked): asked} if asked else self._columns
                continue
            if heading.indent(line) > 0 if heading else line.startswith("\t"):
                continue  # of -v
            if _is_vdev(line, row, behind_pool=bool(out["pool"]), behind_vdev=flat):
                flat = True
                continue
            if row is None and not self.strict and not (heading and is_torn(line)):
                heading = None  # words below it
                if not is_date(line):
                    self.around(self.bad(i, line, "not a row under the headings of `zpool list`"))
                continue
            if row is None:
                raise self.bad(i, line, "not a row under the headings of `zpool list`")
            flat = False
            try:
                self._add(out, row)
            except ValueError as e:
                raise self.bad(i, line, str(e)) from e

    def _scripted(self, line: str) -> dict[str, str] | None:
        """A row of -H, whose tabs a terminal may have turned into blanks."""
        cells = line.split("\t") if "\t" in line or self.strict else line.split()
        layouts = (self._columns.get(len(cells), ()), () if self.strict else TELEGRAF)
        rows = (dict(zip(layout, cells, strict=True)) for layout in layouts if len(layout) == len(cells))
        return next((row for row in rows if row.get("HEALTH", "ONLINE") in _HEALTH), None)

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


OF_POOLS = ("SIZE", "ALLOC", "CAP", "HEALTH")


def _is_vdev(line: str, row: dict[str, str] | None, *, behind_pool: bool, behind_vdev: bool) -> bool:
    """A row of -v that does not stand in: a section, or one that has lost its indentation and lacks what pools have."""
    name, *cells = line.split()
    if (name in SECTIONS and set(cells) == {"-"}) or (behind_pool and is_group(name)):
        return True
    if row is None or not behind_pool or row.get("DEDUP") != "-":
        return False
    return behind_vdev or row.get("HEALTH") not in ("FAULTED", "UNAVAIL")


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
