"""dataset_usage and snapshots: space of every file system and volume, and what each snapshot holds.

Commands give tabs (-H) and, where the tool can, bytes (-p). Solaris 10's `zfs list` has no -p; its `zfs get` has,
and gives a snapshot's creation as an epoch, which `zfs list` prints in the host's own time zone. Tables with
headings, as people paste them, are read too. A name that holds "@" is a snapshot; "#" makes a bookmark and "%", but
for the `%recv` of a receive under way, a share of Solaris 11, which are passed over; any other is a dataset.
A host may have a hundred thousand snapshots, which all come within a second.
Source: zfs(1M) of Solaris 10, 11 and illumos, zfs-list(8) and zfs-get(8) of OpenZFS.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from collectors.base import OS, Batch, Context, ParseError, Source, Variant
from collectors.pasted import columns, is_command, unwrapped
from collectors.polled import DOCUMENT, Polled, again
from collectors.tables import Heading, is_heading, is_torn, tabbed
from collectors.units import is_date, size
from frames.schemas import DATASET_USAGE, SNAPSHOTS

COLUMNS = {
    "name": "dataset",
    "type": "type",
    "used": "used",
    "avail": "avail",
    "available": "avail",
    "refer": "refer",
    "referenced": "refer",
    "usedsnap": "used_by_snapshots",
    "usedbysnapshots": "used_by_snapshots",
    "usedds": "used_by_dataset",
    "usedbydataset": "used_by_dataset",
    "usedchild": "used_by_children",
    "usedbychildren": "used_by_children",
    "quota": "quota",
    "mountpoint": "mountpoint",
    "creation": "creation",
}
"""A property, or its heading in lower case, to the column that holds it."""

FULL = (
    "name",
    "type",
    "used",
    "avail",
    "refer",
    "usedbysnapshots",
    "usedbydataset",
    "usedbychildren",
    "quota",
    "mountpoint",
)
BASIC = ("name", "type", "used", "avail", "refer", "quota", "mountpoint")
OF_SNAPSHOTS = ("name", "used", "refer", "creation")
PLAIN = ("name", "used", "avail", "refer", "mountpoint")
"""Columns of `zfs list -H`, where none were asked for."""
TELEGRAF = ("name", "avail", "used", "usedsnap", "usedds")
"""Columns that this agent asks for with -Hp; no mount point is a number."""
OF_SPACE = ("name", "avail", "used", "usedbysnapshots", "usedbydataset", "usedbyrefreservation", "usedbychildren")
"""Columns of `-o space`."""
HEADINGS = {name.upper() for name in COLUMNS} - {"NAME"}
_TYPES = ("filesystem", "volume", "snapshot", "bookmark", "share")
_TEXT = {"dataset", "type", "mountpoint"}
MOST_SNAPSHOTS = 1_000_000
"""Lines of one report, and so its memory; `zfs get` gives three for each snapshot."""


class ListParser(Polled):
    """Rows of `zfs list -H -o columns`, or of a table with headings."""

    source = "dataset_usage"
    most = MOST_SNAPSHOTS

    def __init__(self, ctx: Context, columns: tuple[str, ...]) -> None:
        super().__init__(ctx)
        self._layouts = [columns, PLAIN, TELEGRAF]

    def opens(self, line: str) -> bool:
        return is_heading(line, HEADINGS) or DOCUMENT.match(line) is not None

    def report(self, lines: list[str]) -> list[Batch]:
        rows = Rows(self.east)
        document = next((i for i, line in enumerate(lines) if DOCUMENT.match(line)), None)
        if document is not None:
            self._json(lines, document, rows)
        else:
            self._text(lines, rows)
        return rows.batches(self.stamp)

    def _json(self, lines: list[str], at: int, rows: Rows) -> None:
        """-j of OpenZFS 2.3."""
        try:
            for name, dataset in self.document(lines, at)["datasets"].items():
                values = {"type": str(dataset["type"]).lower()}
                values |= {COLUMNS[p]: str(v["value"]) for p, v in dataset["properties"].items() if p in COLUMNS}
                rows.add({**values, "dataset": name})
        except ParseError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise self.bad(at, lines[at], f"not the JSON of zfs list: {type(e).__name__} {e}") from e

    def _text(self, lines: list[str], rows: Rows) -> None:
        heading: Heading | None = None
        for i, line in enumerate(lines if self.strict else unwrapped(lines)):
            cells = self._scripted(line) if "\t" in line else None
            if cells is None and is_heading(line, HEADINGS):
                heading = Heading(line)
                continue
            if cells is None and _nothing(line):
                continue
            if cells is None:
                cells = heading.row(line) if heading else self._scripted(line)
            why = "not a row of the columns that were asked for"
            if cells is None and not self.strict and is_command(line):
                heading = None
                asked = columns(line)
                self._layouts = [OF_SPACE if asked == ("space",) else asked] if asked else self._layouts
                continue
            if cells is None and not self.strict and not _is_damage(line, heading):
                heading = None  # words below the table
                if not is_date(line):
                    self.around(self.bad(i, line, why))
                continue
            if cells is None:
                raise self.bad(i, line, why)
            try:
                rows.add({COLUMNS[n.lower()]: c for n, c in cells.items() if n.lower() in COLUMNS})
            except ValueError as e:
                raise self.bad(i, line, str(e)) from e

    def _scripted(self, line: str) -> dict[str, str] | None:
        """A row of -H, whose tabs a terminal may have turned into blanks."""
        for layout in self._layouts:
            row = tabbed(line, layout)
            if row is None and not self.strict:
                cells = line.split()
                numbers = is_torn(" ".join(cells[:4])) and len(cells) == len(layout)
                row = dict(zip(layout, cells, strict=True)) if numbers else None
            if row and row.get("type", "volume") in _TYPES and not row.get("mountpoint", "").isdecimal():
                return row
        return None


def _is_damage(line: str, heading: Heading | None) -> bool:
    """Whether a line that is no row is the rest of one, and no words around the table."""
    return is_torn(line) if heading else "\t" in line


class GetParser(Polled):
    """Rows of `zfs get`, with -H or headings, with or without SOURCE: a dataset's properties follow each other."""

    source = "snapshots"
    most = MOST_SNAPSHOTS

    def report(self, lines: list[str]) -> list[Batch]:
        rows = Rows(self.east)
        found: dict[str, str] = {}
        at = 0
        headed = False
        for i, line in enumerate(lines):
            if _nothing(line):
                continue
            if line.split()[:3] == ["NAME", "PROPERTY", "VALUE"]:
                headed = True
                continue
            cells = _UNDER_HEADINGS.split(line.strip(), 2) if headed and "\t" not in line else line.split("\t")
            if len(cells) not in (3, 4) or cells[1] not in COLUMNS:
                why = self.bad(i, line, "not a name, a property and a value")
                if self.strict or "\t" in line:
                    raise why
                if not headed:  # else a property that does not concern us
                    self.around(why)
                continue
            if found and found["dataset"] != cells[0]:
                self._add(rows, found, at, lines)
                found = {}
            found["dataset"], at = cells[0], i
            found[COLUMNS[cells[1]]] = _SOURCE.sub("", cells[2]) if headed else cells[2]
        if found:
            self._add(rows, found, at, lines)
        return [b for b in rows.batches(self.stamp) if b.table == SNAPSHOTS.name]

    def _add(self, rows: Rows, found: dict[str, str], i: int, lines: list[str]) -> None:
        try:
            rows.add(found)
        except ValueError as e:
            raise self.bad(i, lines[i], str(e)) from e


_UNDER_HEADINGS = re.compile(r"\s{2,}")
_SOURCE = re.compile(r"\s+(?:-|local|default|received|temporary|none|inherited from \S+)$")


class Rows:
    """Columns of both tables, filled row by row. `east`: seconds that the host's local time is ahead of UTC."""

    def __init__(self, east: float | None = None) -> None:
        self._east = east
        self._datasets: dict[str, list[Any]] = {c: [] for c in DATASET_USAGE.names[2:]}
        self._snapshots: dict[str, list[Any]] = {c: [] for c in SNAPSHOTS.names[2:]}

    def add(self, cells: dict[str, str]) -> None:
        """Raises ValueError for a cell that is neither a number nor '-' nor 'none'."""
        name, at, snapshot = cells["dataset"].partition("@")
        values: dict[str, Any] = {c: (t if c in _TEXT else _number(t)) for c, t in cells.items() if c != "creation"}
        if at:
            values["dataset"], values["snapshot"] = name, snapshot
            values["creation"] = _creation(cells.get("creation", "-"), self._east)
        elif "#" in name or "%" in name.rpartition("/")[2][1:]:
            return
        elif values.get("quota") == 0:
            values["quota"] = None  # -p prints 0 where there is none
        for c, column in (self._snapshots if at else self._datasets).items():
            column.append(values.get(c))

    def batches(self, stamp: float | None) -> list[Batch]:
        both = ((DATASET_USAGE.name, self._datasets), (SNAPSHOTS.name, self._snapshots))
        return [Batch(table, columns, stamp) for table, columns in both if columns["dataset"]]


def _nothing(line: str) -> bool:
    return not line.strip() or line.strip() == "no datasets available"


def _number(text: str) -> float | None:
    if text.isdecimal() and text.isascii() and len(text) < 20:  # nearly every cell of -p
        return float(text)
    return None if text == "none" else size(text)[0]


def _creation(text: str, east: float | None) -> int | None:
    """Microseconds since 1970, from an epoch, or from "Mon Nov 23 15:57 2026" where the host's offset is known.

    The offset is today's: a date beyond a change of the clocks is an hour off.
    """
    if text.isdecimal():
        return int(text) * 1_000_000 if len(text) < 12 else None
    try:
        local = datetime.strptime(" ".join(text.split()), "%a %b %d %H:%M %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
    return None if east is None else int((local.timestamp() - east) * 1_000_000)


ALL: tuple[OS, ...] = ("solaris10", "solaris11", "illumos", "freebsd", "linux")


def _list(name: str, columns: tuple[str, ...], flags: str, types: str, fix: str) -> Variant:
    command = f"zfs list {flags} -t {types} -o {','.join(columns)}"
    return Variant(
        name=name,
        systems=ALL,
        command=lambda ctx: again(command, ctx.interval),
        parser=lambda ctx: ListParser(ctx, columns),
        probe=f"zfs list {flags} -o {','.join(columns)}",  # without -t: a host may have thousands of snapshots
        fix=fix,
    )


_OLD = "old releases lack the option; the next form serves"
SOURCES = (
    Source(
        name="dataset_usage",
        meaning="space of every file system and volume",
        tables=("dataset_usage",),
        interval=60.0,
        variants=(
            _list("exact", FULL, "-Hp", "filesystem,volume", _OLD),
            _list("rounded", FULL, "-H", "filesystem,volume", _OLD),
            _list("basic", BASIC, "-H", "filesystem,volume", "put zfs on the PATH (/usr/sbin)"),
        ),
    ),
    Source(
        name="snapshots",
        meaning="every snapshot's creation and the space that only it holds",
        tables=("snapshots",),
        interval=600.0,
        lines_per_second=MOST_SNAPSHOTS,
        variants=(
            _list("exact", OF_SNAPSHOTS, "-Hp", "snapshot", _OLD),
            Variant(
                name="get",
                systems=ALL,
                command=lambda ctx: again("zfs get -Hp -o name,property,value used,referenced,creation", ctx.interval),
                parser=GetParser,
                probe="zfs list -H -o name",
                fix="put zfs on the PATH (/usr/sbin)",
            ),
        ),
    ),
)
