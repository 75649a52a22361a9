"""Disks of Linux: /proc/diskstats, and iostat of the package sysstat.

Formats: Documentation/admin-guide/iostats.rst of the kernel (11 statistics a disk, with discards 15, with flushes 17;
before 2.6.25 a partition had 4), and the first ten of them as `vmstat -d` prints them; sysstat's iostat(1) of releases
5 to 12, plain, -x, -s and -h, in kilobytes, megabytes or sectors, with and without -t.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from collectors.base import Batch, Context
from collectors.disks.rows import COLUMNS, Disks, number, share
from collectors.members import partition
from collectors.rates import Rates, per

NOT_DISKS = re.compile(r"(?:loop|ram|zd|sr|scd|fd)\d+(?:p\d+)?$|nvme\d+c\d+n\d+$|mmcblk\d+(?:boot|rpmb)\d*$")
"""Pseudo devices, zvols, and the paths of a disk that has several: its disk counts them."""
DISKSTATS = re.compile(r"^ *\d{1,10} +\d{1,10} (\S+)((?: +\d{1,20}){11,24})$", re.M)
OLD_PARTITION = re.compile(r" *\d{1,10} +\d{1,10} \S+(?: +\d{1,20}){4}$")
VMSTAT_D = re.compile(r"([a-z]\S*)((?: +\d{1,20}){10})(?: +\S+ \S+)?\s*$")
UPTIME = re.compile(r"^([0-9]{1,12}\.[0-9]+) [0-9]{1,15}\.[0-9]+$", re.M)


class Diskstats(Disks):
    """/proc/uptime and /proc/diskstats, once a tick. Disks that never did anything are left out.

    asvc_t is the time from queueing to the end (the kernel tells no two parts apart), actv how many were under way.
    """

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()
        self._tables = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        if lines[0].startswith("disk-"):
            return self._vmstat(lines, stamp)
        text = "\n".join(lines)
        found, uptime = DISKSTATS.findall(text), UPTIME.match(text)
        if not uptime or len(found) + 1 != len(lines):
            for i, line in enumerate(lines):
                if not (UPTIME.match(line) if i == 0 else DISKSTATS.match(line) or OLD_PARTITION.match(line)):
                    raise self.bad(i, line, "not a line of /proc/diskstats after one of /proc/uptime")
        assert uptime
        return self._disks({name: list(map(int, numbers.split())) for name, numbers in found}, float(uptime[1]), stamp)

    def _vmstat(self, lines: list[str], stamp: float | None) -> list[Batch]:
        """A table of vmstat -d: the time of all queued requests, the eleventh statistic, is not in it."""
        tables: list[dict[str, list[float]]] = [{}]
        for i, line in enumerate(lines):
            match = VMSTAT_D.match(line)
            if match:
                *numbers, seconds = map(int, match[2].split())
                if match[1] in tables[-1]:
                    tables.append({})
                tables[-1][match[1]] = [*numbers, seconds * 1000, nan]
            elif not line.startswith("disk-") and "sectors" not in line:
                raise self.bad(i, line, "not a line of vmstat -d")
        out: list[Batch] = []
        for found in tables:
            self._tables += 1
            out += self._disks(found, self._tables * self.ctx.interval, stamp)
        return out

    def _disks(self, found: Mapping[str, Sequence[float]], moment: float, stamp: float | None) -> list[Batch]:
        rows: dict[str, list[Any]] = {c: [] for c in COLUMNS}
        for name, numbers in found.items():
            if NOT_DISKS.match(name) or partition(name)[0] in found:
                continue
            reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms, _, busy_ms, queue_ms, *_ = numbers
            if not reads and not writes:
                continue
            r, w, rs, ws, rt, wt, busy, queue = self._rates.step(
                name, moment, (reads, writes, read_sectors, write_sectors, read_ms, write_ms, busy_ms, queue_ms)
            )
            row = {
                "device": name,
                "read_ops": r,
                "write_ops": w,
                "read_bytes": rs * 512,
                "write_bytes": ws * 512,
                "actv": queue / 1000,
                "asvc_t": per((rt + wt) / 1000, r + w),
                "busy": share(busy / 1000),
            }
            for column, values in rows.items():
                values.append(row.get(column))
        self._rates.keep(set(rows["device"]))
        del rows["soft_errors"]
        anew = self._rates.events("disk_io", str, stamp, uptime=True)
        return [*anew, *self.batch(rows, stamp)] if rows["device"] else anew


SYSSTAT: dict[str, tuple[str, float]] = {
    "r/s": ("read_ops", 1),
    "w/s": ("write_ops", 1),
    "rsec/s": ("read_bytes", 512),
    "wsec/s": ("write_bytes", 512),
    "Blk_read/s": ("read_bytes", 512),
    "Blk_wrtn/s": ("write_bytes", 512),
    "rkB/s": ("read_bytes", 1024),
    "wkB/s": ("write_bytes", 1024),
    "kB_read/s": ("read_bytes", 1024),
    "kB_wrtn/s": ("write_bytes", 1024),
    "rMB/s": ("read_bytes", 2**20),
    "wMB/s": ("write_bytes", 2**20),
    "MB_read/s": ("read_bytes", 2**20),
    "MB_wrtn/s": ("write_bytes", 2**20),
    "avgqu-sz": ("actv", 1),
    "aqu-sz": ("actv", 1),
    "await": ("asvc_t", 0.001),
    "r_await": ("r_await", 0.001),
    "w_await": ("w_await", 0.001),
    "%util": ("busy", 0.01),
}
"""sysstat's headings: column and factor to its unit."""


class Sysstat(Disks):
    """Reports of sysstat's iostat; the first is since boot and is dropped."""

    opening = re.compile(r"avg-cpu:|\s*\S+\s.*?\s(?:[rw]/s|[rw]sec/s|tps)\s|\s*Device:?\s*\S*[rw]")

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._seen: set[str] = set()

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        # "Device:rrqm/s": the first heading was wider than its column. The word itself is in the host's language.
        names = re.sub(r"(?<=[^\s:]):(?=\S)", ": ", lines[0], count=1).split()
        name_last = names[-1] in ("Device", "Device:")
        names = names[:-1] if name_last else names[1:]
        plan = [(at, *SYSSTAT[name]) for at, name in enumerate(names) if name in SYSSTAT]
        if not plan:
            if len(lines) > 2 and not lines[0].startswith("avg-cpu"):
                raise self.bad(0, lines[0], "neither disks nor CPU nor the machine's name")
            return []  # the machine's name, a date, the CPU
        rows: dict[str, list[Any]] = {"device": []}
        long_name: list[str] = []
        for i, line in enumerate(lines[1:], 1):
            words = long_name + line.split()
            long_name = []
            if len(words) == 1 and not name_last:
                long_name = words  # its numbers stand in the next line
                continue
            if len(words) != len(names) + 1:
                raise self.bad(i, line, f"{len(words)} fields under {len(names) + 1} headings")
            device = words.pop() if name_last else words.pop(0)
            try:
                row = {column: _cell(words[at], factor) for at, column, factor in plan}
            except ValueError as e:
                raise self.bad(i, line, f"iostat: {e}") from e
            if NOT_DISKS.match(device):
                continue
            reads, writes = row.pop("r_await", nan), row.pop("w_await", nan)
            if "asvc_t" not in row and {"read_ops", "write_ops"} <= row.keys():
                r, w = row["read_ops"], row["write_ops"]
                row["asvc_t"] = per(reads * r + writes * w, r + w)
            if "busy" in row:
                row["busy"] = share(row["busy"])
            rows["device"].append(device)
            for column, value in row.items():
                rows.setdefault(column, []).append(value)
        if long_name:
            raise self.bad(len(lines) - 1, lines[-1], "a disk without numbers")
        # With -h a report is several tables, each of which is since boot the first time.
        since_boot = (heading := " ".join(names)) not in self._seen
        self._seen = {*list(self._seen)[:20], heading}
        batches = self.batch(rows, stamp) if rows["device"] else []
        return self.since_boot(batches) if since_boot else batches


def _cell(text: str, factor: float) -> float:
    """A cell's value in its unit; with -h sizes name their own, percentages are marked."""
    if text[-1:] in "kMGT":
        return number(text[:-1]) * 1024.0 ** (" kMGT".index(text[-1]) - 1) * factor
    return number(text.removesuffix("%")) * factor
