"""Load from vmstat and mpstat, where a system's own counters cannot be read.

Formats: vmstat(1M) of Solaris and illumos (also -S and -p), FreeBSD's vmstat(8) (also -h), vmstat(8) of procps (also
-a, -w, -t and -s); `swap -s` and `swap -l` beside it or alone; mpstat(1M) of Solaris and illumos, mpstat(1) of sysstat,
and the `avg-cpu:` of its iostat. Disk columns differ from host to host. What is since boot, most tools' first report,
is dropped.
"""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.load.rows import Load
from collectors.reports import is_prompt
from collectors.sh import beside, whole
from collectors.units import is_date, size

NUMBER = re.compile(r"-?[0-9]{1,20}$")
HUMAN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,3})?[KMGT]?$")
EPOCH = re.compile(r"[0-9]{9,11}$")
SWAP = re.compile(r"total: \S{1,20} (?:bytes )?allocated \+ \S{1,20} reserved = (\S{1,20}) used, (\S{1,20}) available")
SWAP_L = re.compile(r"\S{1,1024}\s+(?:[0-9]{1,9},[0-9]{1,9}|-)\s+\S{1,20}\s+(\S{1,20})\s+(\S{1,20})(?:\s+\w+)?\s*$")
TOTALS = re.compile(r"([0-9]{1,20}) K (total memory|free memory|total swap|free swap)$")
TOTAL_COLUMNS = {
    "total memory": "mem_total",
    "free memory": "mem_free",
    "total swap": "swap_total",
    "free swap": "swap_free",
}
"""What `vmstat -s` of procps tells besides counts."""
TOTALED = re.compile(r"\s*[0-9]{1,20} (?:K |M )?[a-zA-Z][\w ,./'()-]{2,60}$")
"""Other lines of -s."""
UNIT = re.compile(r".*\bvmstat\b.*\s-\w*S ?([kKmM])\b")
UNITS = {"k": 1000.0, "K": 1024.0, "m": 1e6, "M": 1024.0**2}
"""procps' option -S, which its headings do not show."""
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
"""vmstat's columns: kilobytes, and kilobytes a second; FreeBSD pages so many pages a second."""
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
        self._beside: dict[str, float] = {}
        self._unit = 1024.0
        memory = ctx.facts.get("memory", "")
        self._memory = float(memory) if memory.isdecimal() and len(memory) < 18 else nan

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        self._first = self.line_no
        if self.ctx.saved and is_prompt(line):
            unit = UNIT.match(line)
            self._unit = UNITS[unit[1]] if unit else 1024.0
            return []
        words = line.split()
        if not words or words[0] in ("kthr", "procs", "memory") or set(line) <= set("- "):
            return []
        if not NUMBER.match(words[0]) or (len(words) > 1 and words[1][0].isalpha()):
            return self._aside(line, words)
        if len(words) == 1 and EPOCH.match(words[0]):
            self._stamp = float(words[0])
            return []
        if len(words) == len(self._headings) + 1 and STAMP.search(line):
            words = [*words[:-2], "0"]  # vmstat -t: a date and a time below the zone's name
        # A value wider than its column can touch its neighbour: better no row than a wrong one.
        if not self._headings or len(words) != len(self._headings):
            raise self.bad(0, line, f"{len(words)} fields under {len(self._headings)} headings")
        for name, word in zip(self._headings, words, strict=True):
            if not (HUMAN if name in ("avm", "fre") else NUMBER).match(word):
                raise self.bad(0, line, f"vmstat: no number under {name}", line.find(word) + 1)
        since_boot, self._since_boot = self._since_boot, False
        if since_boot and not self.ctx.saved:
            return []
        stamp, self._stamp = self._stamp, None
        batches = self.load(self._row(words), stamp)
        self._shown |= not since_boot
        return self.since_boot(batches) if since_boot else batches

    def _aside(self, line: str, words: list[str]) -> list[Batch]:
        """Headings, swap, a date, a state change."""
        swap, device, total = SWAP.match(line), SWAP_L.match(line), TOTALS.match(line.strip())
        if swap:
            used, free = self._sizes(line, *swap.groups())
            self._beside |= {"swap_total": used + free, "swap_free": free}
        elif device:
            blocks, free = self._sizes(line, *device.groups(), plain=512.0)
            for column, more in (("swap_total", blocks), ("swap_free", free)):
                self._beside[column] = self._beside.get(column, 0.0) + more
        elif words[0] == "swapfile":
            self._beside = {c: v for c, v in self._beside.items() if not c.startswith("swap")}
        elif total:
            self._beside[TOTAL_COLUMNS[total[2]]] = float(total[1]) * 1024
        elif words[0].startswith("<<"):
            self._since_boot = True
        elif ("free" in words or "fre" in words) and not any(map(NUMBER.match, words)):
            self._headings = words
        elif not (words[0].startswith("procs") or is_date(line) or (NUMBER.match(words[0]) and TOTALED.search(line))):
            raise self.bad(0, line, "not a line of vmstat")
        return []

    def _sizes(self, line: str, *texts: str, plain: float = 1.0) -> tuple[float, ...]:
        try:
            return tuple((size(t)[0] or 0.0) * (plain if t.isdecimal() else 1.0) for t in texts)
        except ValueError as e:
            raise self.bad(0, line, f"swap: {e}") from e

    def _row(self, words: list[str]) -> dict[str, float]:
        names = self._headings
        row = {"ncpu": self.ncpu, "mem_total": self._memory, **self._beside}
        last = names.index("cs") if "cs" in names else len(names)
        first = names.index("in", 0, last) if "in" in names[:last] else last
        known = LINUX if "swpd" in names else MEMORY
        for name, word in zip(names[:first], words, strict=False):
            if name in known:
                column, factor = known[name]
                if known is LINUX and factor > 1:
                    factor = self._unit
                elif "fre" in names and name in ("pi", "po"):
                    factor = self.page_size
                value = float(word) * factor if NUMBER.match(word) else size(word)[0]
                row.setdefault(column, nan if value is None else value)
        if "fpi" in names:  # -p: by what the pages are of
            for column, kinds in (("page_in", ("epi", "api", "fpi")), ("page_out", ("epo", "apo", "fpo"))):
                row[column] = sum(float(words[names.index(k)]) for k in kinds) * 1024
        for name, word in zip(names[last + 1 :], words[last + 1 :], strict=True):
            if name in CPU:
                row[CPU[name]] = float(word) / 100 * self.ncpu
        return row

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        if self.ctx.saved and self._beside and not self._shown and not self._means:
            return self.load(self._beside, None)
        return self.alone()


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
    "%system": "cpu_sys",
    "%irq": "cpu_sys",
    "%soft": "cpu_sys",
    "%iowait": "cpu_wait",
    "%steal": "cpu_steal",
    "%guest": "cpu_user",
    "%gnice": "cpu_user",
    "%idle": "cpu_idle",
}
"""mpstat's columns, in percent of one CPU; sysstat takes guests out of %usr, as it does nice."""
SHARE = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,3})?%?$")
PER_CPU = frozenset(["CPU", "SET", "NODE"])
DISKS = re.compile(r"\s*(?:Device:?|\S+\s.*\bDevice)\b")
"""What iostat prints after the CPU."""
BANNER = re.compile(r".*\(([0-9]{1,5}) CPU\)\s*$")


class Mpstat(Load):
    """mpstat N: a row a CPU; together they are the host's."""

    opening = re.compile(r"\s*(?:\S+ +){0,2}(?:CPU|SET|NODE) +(?:minf|[0-9A-Z%])|avg-cpu:")

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._reports = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        banner = BANNER.match(lines[0])
        if banner:
            self.ncpu = float(banner[1])
            return []
        lines = [line for line in lines if not line.startswith("<<") and not is_date(line)]
        head = lines[0].split() if lines else []
        if head[:1] == ["avg-cpu:"]:
            at, names = 0, ["all", *head[1:]]
            lines = [lines[0], *(f"all {line}" for line in lines[1:2])]
        else:
            # A time of day, in the words of any language, stands before the headings of sysstat, and before its rows.
            at = next((i for i, word in enumerate(head[:4]) if word in PER_CPU), -1)
            names = head[at:] if at >= 0 else []
        if not names:
            if len(lines) > 1 and not DISKS.match(lines[0]):
                raise self.bad(0, lines[0], "not the headings of mpstat")
            return []
        if not {"%idle", "idl"} & set(names) or (at and not _timed(head[:at])):
            return []  # interrupts by CPU, the mean at the end
        out: list[Batch] = []
        for clock, rows in self._intervals(lines, names, at):
            row = self._row(names, rows)
            self._reports += 1
            if not row:
                continue
            batches = self.load(row, stamp)
            # sysstat waits for its first interval, unless it was given none: then its heading has the time of its rows.
            since_boot = clock == head[:at] if at else self._reports == 1
            out += self.since_boot(batches) if since_boot else batches
        return out

    def _intervals(self, lines: list[str], names: list[str], at: int) -> list[tuple[list[str], list[list[str]]]]:
        """(time of day, cells of its rows) of each interval under one heading; `mpstat N` repeats it once a screen."""
        out: list[tuple[list[str], list[list[str]]]] = []
        for i, line in enumerate(lines[1:], 1):
            words = line.split()
            if at and not _timed(words[:at]):
                break  # the mean at the end
            if len(words) != len(names) + at:
                raise self.bad(i, line, f"{len(words) - at} fields under {len(names)} headings")
            for name, word in zip(names, words[at:], strict=True):
                if name in MODES and not SHARE.match(word):
                    raise self.bad(i, line, f"no percentage under {name}", line.find(word) + 1)
            if not out or words[:at] != out[-1][0] or any(words[at] == cpu[0] for cpu in out[-1][1]):
                out.append((words[:at], []))
            out[-1][1].append(words[at:])
        return out

    def _row(self, names: list[str], rows: list[list[str]]) -> dict[str, float]:
        row: dict[str, float] = {}
        cpus = 0.0
        sums = any(words[0] == "all" for words in rows)
        for words in rows:
            size = float(words[-1]) if names[-1] == "sze" and NUMBER.match(words[-1]) else 1.0
            if sums and words[0] != "all":
                cpus += size if names[0] == "CPU" else 0.0
                continue
            cpus += 0.0 if sums else size
            for name, word in zip(names, words, strict=True):
                if name in MODES:
                    share = float(word.replace(",", ".").removesuffix("%"))
                    row[MODES[name]] = row.get(MODES[name], 0.0) + share / 100 * size
        if sums:
            cpus = cpus or self.ncpu
            row = {name: value * cpus for name, value in row.items()}
        return {"ncpu": cpus, **row} if row else {}


def _timed(words: list[str]) -> bool:
    """Whether a time of day stands in these words, and not that it is a mean of all."""
    return any(c.isdigit() for word in words for c in word)
