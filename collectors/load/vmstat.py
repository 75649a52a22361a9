"""Load from vmstat and mpstat, where a system's own counters cannot be read.

Formats: vmstat(1M) of Solaris and illumos (also -S and -p), FreeBSD's vmstat(8), vmstat(8) of procps (also -a, -w and
-t); `swap -s` beside it; mpstat(1M) of Solaris and illumos, mpstat(1) of sysstat. Disk columns differ from host to
host. What is since boot, most tools' first report, is dropped.
"""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.load.rows import Load
from collectors.sh import beside, whole
from collectors.units import is_date, size

NUMBER = re.compile(r"-?[0-9]{1,20}$")
EPOCH = re.compile(r"[0-9]{9,11}$")
SWAP = re.compile(r"total: \S{1,20} (?:bytes )?allocated \+ \S{1,20} reserved = (\S{1,20}) used, (\S{1,20}) available")
STAMP = re.compile(r"\s+([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\s*$")
MEMORY = {
    "r": ("run_queue", 1.0),
    "b": ("blocked", 1.0),
    "swap": ("swap_free", 1024.0),
    "free": ("mem_free", 1024.0),
    "fre": ("mem_free", 1024.0),
    "pi": ("page_in", 1024.0),
    "po": ("page_out", 1024.0),
    "sr": ("scan_rate", 1.0),
}
"""vmstat's columns: kilobytes, and kilobytes a second."""
LINUX = {"r": MEMORY["r"], "b": MEMORY["b"], "free": MEMORY["free"], "si": ("page_in", 1024), "so": ("page_out", 1024)}
CPU = {
    "us": "cpu_user",
    "sy": "cpu_sys",
    "id": "cpu_idle",
    "wa": "cpu_wait",
    "wt": "cpu_wait",
    "st": "cpu_steal",
}
"""The columns behind `cs`, in percent of all CPUs."""


def command(ctx: Context) -> str:
    return f"{beside('swap -s 2>/dev/null', 10)} vmstat {whole(ctx)}"


def command_linux(ctx: Context) -> str:
    return f"vmstat -n {whole(ctx)}"


class Vmstat(Load):
    """vmstat N: a row a line."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._headings: list[str] = []
        self._since_boot = True
        self._swap: dict[str, float] = {}
        memory = ctx.facts.get("memory", "")
        self._memory = float(memory) if memory.isdecimal() and len(memory) < 18 else nan

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        self._first = self.line_no
        words = line.split()
        if not words or words[0] in ("kthr", "procs", "memory") or set(line) <= set("- "):
            return []
        if words[0][0].isalpha() or words[0][0] in "-<":
            return self._aside(line, words)
        if len(words) == 1 and EPOCH.match(words[0]):
            self._stamp = float(words[0])
            return []
        if len(words) == len(self._headings) + 1 and STAMP.search(line):
            words = [*words[:-2], "0"]  # vmstat -t: a date and a time below the zone's name
        # A value wider than its column can touch its neighbour: better no row than a wrong one.
        if not self._headings or len(words) != len(self._headings):
            raise self.bad(0, line, f"{len(words)} fields under {len(self._headings)} headings")
        if not all(map(NUMBER.match, words)):
            raise self.bad(0, line, "vmstat: not a row of numbers")
        if self._since_boot:
            self._since_boot = False
            return []
        stamp, self._stamp = self._stamp, None
        return self.load(self._row([float(w) for w in words]), stamp)

    def _aside(self, line: str, words: list[str]) -> list[Batch]:
        """Headings, swap -s, a date, a state change."""
        swap = SWAP.match(line)
        if swap:
            try:
                used, free = (value or 0.0 for value, _ in map(size, swap.groups()))
            except ValueError as e:
                raise self.bad(0, line, f"swap: {e}") from e
            self._swap = {"swap_total": used + free, "swap_free": free}
        elif words[0].startswith("<<"):
            self._since_boot = True
        elif ("free" in words or "fre" in words) and not any(map(NUMBER.match, words)):
            self._headings = words
        elif not (words[0].startswith("procs") or is_date(line)):
            raise self.bad(0, line, "not a line of vmstat")
        return []

    def _row(self, values: list[float]) -> dict[str, float]:
        names = self._headings
        row = {"ncpu": self.ncpu, "mem_total": self._memory, **self._swap}
        last = names.index("cs") if "cs" in names else len(names)
        first = names.index("in", 0, last) if "in" in names[:last] else last
        known = LINUX if "swpd" in names else MEMORY
        for name, value in zip(names[:first], values, strict=False):
            if name in known:
                column, factor = known[name]
                row.setdefault(column, value * factor)
        for name, value in zip(names[last + 1 :], values[last + 1 :], strict=True):
            if name in CPU:
                row[CPU[name]] = value / 100 * self.ncpu
        return row

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return []


MODES = {
    "usr": "cpu_user",
    "sys": "cpu_sys",
    "wt": "cpu_wait",
    "idl": "cpu_idle",
    "st": "cpu_steal",
    "%usr": "cpu_user",
    "%user": "cpu_user",
    "%nice": "cpu_user",
    "%sys": "cpu_sys",
    "%irq": "cpu_sys",
    "%soft": "cpu_sys",
    "%iowait": "cpu_wait",
    "%steal": "cpu_steal",
    "%guest": "cpu_user",
    "%gnice": "cpu_user",
    "%idle": "cpu_idle",
}
"""mpstat's columns, in percent of one CPU; sysstat takes guests out of %usr, as it does nice."""
SHARE = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,3})?$")
CLOCK = re.compile(r"[0-9]{2}[:.][0-9]{2}[:.][0-9]{2}(?: [AP]M)?\s+|Average:\s+")


class Mpstat(Load):
    """mpstat N: a row a CPU; together they are the host's."""

    opening = re.compile(r"\s*(?:CPU|SET) +minf|(?:[0-9.:]+(?: [AP]M)?|Average:) +CPU ")

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._reports = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        lines = [line for line in lines if not line.startswith("<<") and not is_date(line)]
        names = CLOCK.sub("", lines[0]).split() if lines else []
        if names[:1] not in (["CPU"], ["SET"]):
            return [] if len(lines) < 2 else self._refuse(lines)
        if not {"%idle", "idl"} & set(names) or lines[0].startswith("Average"):
            return []  # interrupts by CPU, the mean at the end
        row: dict[str, float] = {}
        cpus = 0.0
        rows = [CLOCK.sub("", line).split() for line in lines[1:]]
        clocks = [match[0].split() for line in (lines[0], lines[-1]) if (match := CLOCK.match(line))]
        sums = any(words[:1] == ["all"] for words in rows)
        for i, words in enumerate(rows, 1):
            if len(words) != len(names):
                raise self.bad(i, lines[i], f"{len(words)} fields under {len(names)} headings")
            size = float(words[-1]) if names[-1] == "sze" and NUMBER.match(words[-1]) else 1.0
            if sums and words[0] != "all":
                cpus += size
                continue
            cpus += 0.0 if sums else size
            for name, word in zip(names, words, strict=True):
                if name in MODES:
                    if not SHARE.match(word):
                        raise self.bad(i, lines[i], f"no percentage under {name}")
                    row[MODES[name]] = row.get(MODES[name], 0.0) + float(word.replace(",", ".")) / 100 * size
        if sums:
            cpus = cpus or self.ncpu
            row = {name: value * cpus for name, value in row.items()}
        self._reports += 1
        # sysstat waits for its first interval, unless it was given none: then its heading has the time of its rows.
        since_boot = clocks[0] == clocks[-1] if clocks else self._reports == 1
        return self.load({"ncpu": cpus, **row}, stamp) if row and not since_boot else []

    def _refuse(self, lines: list[str]) -> list[Batch]:
        raise self.bad(0, lines[0], "not the headings of mpstat")
