"""iostat -x of Solaris, illumos and FreeBSD, by its headings.

Formats: iostat(1M) -x with and without -n (the name stands last, and may hold blanks: "d1 (/)"), -e (error counters),
-c and -t (CPU and terminals behind the first device, or in lines of their own), -p, -C, -X, -Y (partitions,
controllers and paths are rows too), -I (counts in the interval), -M, -r (commas), -T u and -T d; iostat -En alone;
FreeBSD's iostat(8) -x up to release 10 (svc_t) and since (ms/r … ms/t), with -C, -T and -I.

Without -x the disks stand side by side, three columns each: of -D reads, writes and use, of the others the service
time only, for what they tell besides is not of reads or of writes.

iostat's first report is since boot, and so is the one after a disk came or went ("<<State change>>"): both are dropped.
"""

from __future__ import annotations

import re

from collectors.base import Batch, Context
from collectors.disks import errors
from collectors.disks.rows import COUNTED, Disks, number, share

HEADINGS: dict[str, tuple[str, float]] = {
    "r/s": ("read_ops", 1),
    "w/s": ("write_ops", 1),
    "kr/s": ("read_bytes", 1024),
    "kw/s": ("write_bytes", 1024),
    "Mr/s": ("read_bytes", 2**20),
    "Mw/s": ("write_bytes", 2**20),
    "wait": ("wait", 1),
    "actv": ("actv", 1),
    "wsvc_t": ("wsvc_t", 0.001),
    "asvc_t": ("asvc_t", 0.001),
    "svc_t": ("asvc_t", 0.001),
    "ms/t": ("asvc_t", 0.001),
    "qlen": ("actv", 1),
    "%w": ("waiting", 0.01),
    "%b": ("busy", 0.01),
    "s/w": ("soft_errors", 1),
    "h/w": ("hard_errors", 1),
    "trn": ("transport_errors", 1),
}
"""iostat's headings: column and factor to its unit."""
COUNTS = frozenset(["read_ops", "write_ops", "read_bytes", "write_bytes"])
SIDE: dict[str, tuple[str, float]] = {
    "rps": ("read_ops", 1),
    "wps": ("write_ops", 1),
    "util": ("busy", 0.01),
    "serv": ("asvc_t", 0.001),
    "kps": ("", 0),
    "tps": ("", 0),
}
"""The headings of disks side by side; of all transfers together the frame has nothing."""
BESIDES = frozenset(["tin", "tout", "us", "sy", "wt", "st", "id", "ni", "in"])
"""Terminals and CPU: printed behind the first device only."""
TITLE = re.compile(r"\s*(?:extended\b.*\bstatistics|---- errors ---)")
DATE = re.compile(r"(?=[^\n]{0,60}\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b)(?=[^\n]{0,60}\b[0-9]{4}\b)[A-Z][a-z]+,? ")
HEADINGS_LINE = re.compile(r"(?=.*\bdevice\b)\s*(?:device\s+r/[si]\s|r/[si][\s,]+w/[si][\s,]|s/w[\s,]+h/w[\s,])")
ASIDE = re.compile(r"\s*(?:tty\b|cpu\b|us,? ?(?:sy|ni)\b|tin,? ?tout\b)")
ABREAST = re.compile(r"\s*(?:tin +tout +)?(?:(?:[kr]ps +[tw]ps +(?:serv|util)\b *)+)(?:us +sy +(?:wt|st) +id\b)?\s*$")
TOUCHING = re.compile(r"(\d+\.\d)(?=\d+\.\d)")
"""Two numbers of one decimal each with nothing between them: the first was wider than its column."""


class Heading:
    """A line of headings: `row(line)` gives the device and its numbers in the order of `plan`.

    Raises ValueError where the line has no device, or no reads and writes and no errors.
    """

    def __init__(self, line: str, interval: float) -> None:
        self.commas = "," in line
        text = line.replace("totdevice", "tot,device") if self.commas else line  # -er forgets a comma
        names = text.split(",") if self.commas else text.split()
        if "device" not in (*names[:1], *names[-1:]):
            raise ValueError("not the headings of iostat -x")
        self.name_last = names[0] != "device"
        self.names = names[:-1] if self.name_last else names[1:]
        self.few = len(self.names) - sum(n in BESIDES for n in self.names)
        self.counts = any(name.endswith("/i") for name in self.names)
        self.plan: list[tuple[int, str, float]] = []
        for at, name in enumerate(self.names):
            if name in HEADINGS:
                self.plan.append((at, *HEADINGS[name]))
            elif name[-2:] == "/i" and f"{name[:-2]}/s" in HEADINGS:
                column, factor = HEADINGS[f"{name[:-2]}/s"]
                self.plan.append((at, column, factor / interval))
        known = {column for _, column, _ in self.plan}
        if not {"read_ops", "write_ops"} <= known and "hard_errors" not in known:
            raise ValueError("neither reads and writes nor errors under these headings")

    def row(self, line: str) -> tuple[str, list[float]]:
        words = self._words(line)
        name, cells = (words[-1].strip(), words[:-1]) if self.name_last else (words[0].strip(), words[1:])
        if not name:
            raise ValueError("no device")
        row = []
        for at, column, factor in self.plan:
            value = number(cells[at].strip()) * factor
            row.append(share(value) if column in ("busy", "waiting") else value)
        return name, row

    def _words(self, line: str) -> list[str]:
        n = len(self.names)
        for text in (line, TOUCHING.sub(r"\1 ", line)):
            words = text.split(",") if self.commas else text.split(None, n if self.name_last else -1)
            if len(words) == n + 1 or (not self.name_last and len(words) == self.few + 1):
                return words
        raise ValueError(f"{len(line.split())} fields under {n + 1} headings")


class Iostat(Disks):
    """Reports of iostat -x, and of iostat -En."""

    opening = re.compile(rf"{TITLE.pattern}|\s*<<")

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._since_boot = True
        self._line = ""
        self._known: Heading | None = None
        self._abreast: list[str] = []
        self._side: list[str] = []

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        if errors.FIRST.match(lines[0]):
            return self._counts(lines, stamp)
        if self._abreast or any(map(ABREAST.match, lines[:2])):
            return self._side_by_side(lines, stamp)
        tables: list[tuple[Heading, list[str], list[list[float]]]] = []
        for i, line in enumerate(lines):
            if line.lstrip().startswith("<<"):
                self._since_boot = True
                return []
            if DATE.match(line) or ASIDE.match(line):
                if tables:
                    break  # what stands before the next report's title
                if ASIDE.match(line):
                    return []  # CPU and terminals, before the title of the disks
            elif TITLE.match(line):
                pass
            elif not tables or HEADINGS_LINE.match(line):  # more than one where no titles stand between them
                tables.append((self._heading(i, line), [], []))
            else:
                heading, devices, rows = tables[-1]
                try:
                    device, row = heading.row(line)
                except ValueError as e:
                    raise self.bad(i, line, f"iostat: {e}") from e
                devices.append(device)
                rows.append(row)
        return [batch for table in tables for batch in self._rows(*table, stamp)]

    def _rows(self, heading: Heading, devices: list[str], rows: list[list[float]], stamp: float | None) -> list[Batch]:
        since_boot, self._since_boot = self._since_boot, False
        if not devices:
            return self.since_boot([])  # -z: nothing was done
        columns: dict[str, list[object]] = {"device": list(devices)}
        for (_, column, _), values in zip(heading.plan, zip(*rows, strict=True), strict=True):
            columns[column] = list(values)
        if since_boot and heading.counts:  # over the time since boot, which nobody tells
            columns = {c: v for c, v in columns.items() if c not in COUNTS}
        batches = self.batch(columns, stamp)
        return self.since_boot(batches) if since_boot else batches

    def _side_by_side(self, lines: list[str], stamp: float | None) -> list[Batch]:
        """A line an interval; names of disks in the line above the headings."""
        found: list[dict[str, list[object]]] = []
        names: list[str] = []
        for i, line in enumerate(lines):
            words = line.split()
            if ABREAST.match(line):
                disks = names or self._abreast
                if not disks or len(disks) * 3 != sum(words.count(w) for w in SIDE):
                    raise self.bad(i, line, f"{len(disks)} disks over these headings")
                self._abreast, self._side = disks, words
            elif words[0][0].isalpha():
                names = [w for w in words if w not in ("tty", "cpu")]
            elif not self._side or len(words) != len(self._side):
                raise self.bad(i, line, f"{len(words)} fields under {len(self._side)} headings")
            else:
                found.append(self._line_of_disks(i, line, words))
        out: list[Batch] = []
        for columns in found:
            since_boot, self._since_boot = self._since_boot, False
            batches = self.batch(columns, stamp)
            out += self.since_boot(batches) if since_boot else batches
        return out

    def _line_of_disks(self, i: int, line: str, words: list[str]) -> dict[str, list[object]]:
        columns: dict[str, list[object]] = {"device": list(self._abreast)}
        for name, word in zip(self._side, words, strict=True):
            column, factor = SIDE.get(name, ("", 0))
            if column:
                try:
                    value = number(word) * factor
                except ValueError as e:
                    raise self.bad(i, line, f"iostat: {e}") from e
                columns.setdefault(column, []).append(share(value) if column == "busy" else value)
        return columns

    def _heading(self, i: int, line: str) -> Heading:
        if self._known is None or line != self._line:
            try:
                self._known, self._line = Heading(line, self.ctx.interval), line
            except ValueError as e:
                raise self.bad(i, line, str(e)) from e
        return self._known

    def _counts(self, lines: list[str], stamp: float | None) -> list[Batch]:
        """iostat -En alone: the errors since boot of each device, and nothing else of it."""
        try:
            found = errors.read(lines)
        except ValueError as e:
            i = int(str(e))
            raise self.bad(i, lines[i], "not a line of iostat -En") from e
        columns: dict[str, list[object]] = {"device": list(found)}
        for kind, column in COUNTED.items():
            columns[column] = [counts[kind] for counts in found.values()]
        return self.batch(columns, stamp)
