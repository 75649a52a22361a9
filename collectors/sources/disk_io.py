"""disk_io: operations, service time and use of each disk.

Formats: iostat(1M) -xn of Solaris and illumos, where a name stands last and may hold blanks ("d1 (/)"), with -e
error counters before it; FreeBSD's iostat(8) -x, where it stands first; Linux /proc/diskstats
(Documentation/admin-guide/iostats.rst). iostat's first report is since boot, and so is the one after a disk came
or went ("<<State change>>"): both are dropped.
"""

from __future__ import annotations

import re

from collectors.base import Batch, Context, Source, Variant
from collectors.members import BESIDE, Members
from collectors.rates import Rates, per
from collectors.reports import Reports
from collectors.sh import whole
from frames.schemas import DISK_IO

COLUMNS = DISK_IO.names[2:]

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


class Disks(Reports):
    """Reports of disks with `zpool status` between them, so that each disk has its place in a pool."""

    source = "disk_io"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._members = Members()

    def feed(self, line: str, at: float) -> list[Batch]:
        if self._members.take(line):
            self.line_no += 1
            return []
        return super().feed(line, at)

    def place(self, rows: dict[str, list[object]]) -> dict[str, list[object]]:
        """Fill pool and vdev."""
        places = [self._members.of(str(device)) for device in rows["device"]]
        rows["pool"] = [pool for pool, _ in places]
        rows["vdev"] = [vdev for _, vdev in places]
        return rows


class Iostat(Disks):
    """Reports of iostat -x, by their headings."""

    opening = re.compile(r"\s*extended device statistics|\s*<<")

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._since_boot = True
        self._headings = ""
        self._plan: list[tuple[int, str, float]] = []

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        devices: list[str] = []
        rows: list[list[float]] = []
        names: list[str] = []
        last, name_stands_last = 0, False
        for i, line in enumerate(lines):
            if names:
                words = line.split(None, last) if name_stands_last else line.split()
                if len(words) != last + 1:
                    raise self.bad(i, line, f"{len(words)} fields under {last + 1} headings")
                try:
                    row = [float(words[at]) * factor for at, _, factor in self._plan]
                except ValueError as e:
                    raise self.bad(i, line, f"iostat: {e}") from e
                if min(row) < 0:
                    raise self.bad(i, line, "a number below zero")
                rows.append(row)
                devices.append(words[last].rstrip() if name_stands_last else words[0])
            elif line.lstrip().startswith("<<"):
                self._since_boot = True
                return []
            elif not ("extended" in line and "statistics" in line):
                names = line.split()
                last, name_stands_last = len(names) - 1, names[-1:] == ["device"]
                if line != self._headings:
                    if "device" not in names or not {"r/s", "w/s"} <= set(names):
                        raise self.bad(i, line, "not the headings of iostat -x")
                    self._headings = line
                    self._plan = [(at, *HEADINGS[name]) for at, name in enumerate(names) if name in HEADINGS]
        since_boot, self._since_boot = self._since_boot and bool(names), self._since_boot and not names
        if since_boot or not devices:
            return []
        columns: dict[str, list[object]] = {c: [None] * len(devices) for c in COLUMNS}
        columns["device"] = list(devices)
        for (_, column, _), values in zip(self._plan, zip(*rows, strict=True), strict=True):
            columns[column] = list(values)
        return [Batch("disk_io", self.place(columns), stamp)]


NOT_DISKS = re.compile(r"(loop|ram|zd|sr|fd)\d+$|(sd|vd|xvd|hd)[a-z]+\d+$|(nvme\d+n\d+|mmcblk\d+)p\d+$")
"""Pseudo devices and partitions: their disk counts them already."""
DISKSTATS = re.compile(r"^ *\d{1,10} +\d{1,10} (\S+)((?: \d{1,20}){11,17})$", re.M)
UPTIME = re.compile(r"^([0-9]{1,12}\.[0-9]+) [0-9]{1,15}\.[0-9]+$", re.M)


class Diskstats(Disks):
    """/proc/uptime and /proc/diskstats, once a tick. Disks that never did anything are left out.

    asvc_t is the time from queueing to the end (the kernel tells no two parts apart), actv how many were under way.
    """

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        text = "\n".join(lines)
        found, uptime = DISKSTATS.findall(text), UPTIME.match(text)
        if not uptime or len(found) + 1 != len(lines):
            for i, line in enumerate(lines):
                if not (UPTIME.match(line) if i == 0 else DISKSTATS.match(line)):
                    raise self.bad(i, line, "not a line of /proc/diskstats after one of /proc/uptime")
        assert uptime
        moment = float(uptime[1])
        rows: dict[str, list[object]] = {c: [] for c in COLUMNS}
        for name, numbers in found:
            if NOT_DISKS.match(name):
                continue
            reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms, _, busy_ms, queue_ms, *_ = map(
                int, numbers.split()
            )
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
                "busy": busy / 1000 if not busy > 1000 else 1.0,
            }
            for column, values in rows.items():
                values.append(row.get(column))
        self._rates.keep(set(rows["device"]))
        return [Batch("disk_io", self.place(rows), stamp)] if rows["device"] else []


SOLARIS_FIX = "install SUNWcsu (pkg:/system/core-os); every user may run iostat"

SOURCE = Source(
    name="disk_io",
    meaning="operations, bandwidth, queue, service time, %busy and errors of each disk",
    tables=("disk_io",),
    interval=1.0,
    variants=(
        Variant(
            name="iostat",
            systems=("solaris10", "solaris11", "illumos"),
            command=lambda ctx: f"{BESIDE} iostat -xne -T u {whole(ctx)}",
            parser=Iostat,
            probe="iostat -xne -T u 1 1",
            fix=SOLARIS_FIX,
        ),
        Variant(
            name="iostat-old",
            systems=("solaris10",),
            command=lambda ctx: f"{BESIDE} iostat -xn {whole(ctx)}",
            parser=Iostat,
            probe="iostat -xn 1 1",
            fix=SOLARIS_FIX,
        ),
        Variant(
            name="diskstats",
            systems=("linux",),
            command=lambda ctx: (
                f"{BESIDE.replace('zpool status', 'zpool status -L')} "
                f"while cat /proc/uptime /proc/diskstats && echo; do sleep {ctx.interval:g}; done"
            ),
            parser=Diskstats,
            probe="test -r /proc/diskstats",
            fix="mount /proc",
        ),
        Variant(
            name="iostat-bsd",
            systems=("freebsd",),
            command=lambda ctx: f"{BESIDE} iostat -x -d -w {whole(ctx)}",
            parser=Iostat,
            probe="iostat -x -d -c 1",
            fix="install the base system's iostat; every user may run it",
        ),
    ),
)
