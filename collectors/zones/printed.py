"""What SmartOS prints of zones for people, in saved texts: vfsstat, ziostat and zonememstat, by their headings.

vfsstat(1M): rates, or with -I counts of an interval, in kilobytes or with -M megabytes, times in microseconds, with -r
in commas; the zone's name is cut to eight characters, its id stands behind. ziostat(1M): the reads that reached ZFS.
Their first report is since the zone booted. zonememstat(1M): megabytes; NOVER and POUT count since the zone booted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import nan

from collectors.base import Batch
from collectors.disks.rows import number
from frames.schemas import ZONE_IO, ZONE_USAGE

IO: dict[str, tuple[str, float]] = {
    "r/s": ("read_ops", 1),
    "w/s": ("write_ops", 1),
    "kr/s": ("read_bytes", 1024),
    "kw/s": ("write_bytes", 1024),
    "Mr/s": ("read_bytes", 2**20),
    "Mw/s": ("write_bytes", 2**20),
    "read_t": ("read_time", 1e-6),
    "writ_t": ("write_time", 1e-6),
    "d/s": ("delay_cnt", 1),
    "del_t": ("delay_time", 1e-6),
}
ZIO: dict[str, tuple[str, float]] = {"r/s": ("zfs_read_ops", 1)}
MEMORY: dict[str, tuple[str, float]] = {"RSS(MB)": ("rss", 2**20), "CAP(MB)": ("rss_cap", 2**20)}
ZONE = re.compile(r"\s+(\S+) \(([0-9]{1,9})\)\s*$|,([^,]+),([0-9]{1,9})\s*$")
MOST = 50_000

Key = tuple[str, int]


class Printed:
    """`take` reads a line: None if it is none of these tables', else the batches that it completes.

    Raises ValueError for a row that does not fit its headings. `names` are whole names of zones by their ids.
    """

    def __init__(self, interval: float, names: Mapping[int, str]) -> None:
        self._interval = interval
        self._whole = names
        self._names: list[str] = []
        self._columns: Mapping[str, tuple[str, float]] = {}
        self._rows: dict[Key, dict[str, object]] = {}
        self._since_boot: list[Batch] | None = None
        self._shown = False

    def take(self, line: str) -> list[Batch] | None:
        words = line.replace(",", " ").split()
        if words[-1:] == ["zone"] and {"r/s", "r/i"} & set(words):
            return self._heading(words[:-1], ZIO if "wsvc_t" in words else IO)
        if words[:1] == ["ZONE"] and "RSS(MB)" in words:
            return self._heading(words[1:], MEMORY)
        if not self._names:
            return None
        if self._columns is MEMORY:
            return self._row((words[0], -1), words[1:]) if len(words) == len(self._names) + 1 else None
        zone = ZONE.search(line)
        if not zone:
            return None
        key = (zone[1], int(zone[2])) if zone[1] else (zone[3], int(zone[4]))
        return self._row(key, line[: zone.start()].replace(",", " ").split())

    def end(self) -> list[Batch]:
        """The last report; what is since boot only where there is nothing else."""
        return self._close() or ([] if self._shown else self._since_boot or [])

    def interrupted(self) -> list[Batch]:
        """Something else begins: the table goes on only under another heading."""
        out, self._names = self._close(), []
        return out

    def _heading(self, names: list[str], columns: Mapping[str, tuple[str, float]]) -> list[Batch]:
        out = self._close()
        if columns is not self._columns:
            out = out or self.end()
            self._since_boot, self._shown = None, False
        self._names, self._columns = names, columns
        return out

    def _row(self, key: Key, words: list[str]) -> list[Batch]:
        if len(words) != len(self._names):
            raise ValueError(f"{len(words)} fields under {len(self._names)} headings")
        row: dict[str, object] = {}
        for heading, word in zip(self._names, words, strict=True):
            counted = heading.endswith("/i")
            column, factor = self._columns.get(heading[:-1] + "s" if counted else heading, ("", 0.0))
            if column and word != "-":
                value = number(word) * factor
                # The heading d/i stands over a rate in spite of its name.
                row[column] = value / self._interval if counted and column != "delay_cnt" else value
        delays, each = row.get("delay_cnt"), row.get("delay_time")
        if isinstance(delays, float) and isinstance(each, float):
            row["delay_time"] = delays * each
        out = self._close() if key in self._rows or len(self._rows) > MOST else []
        self._rows[key] = row
        return out

    def _close(self) -> list[Batch]:
        rows, self._rows = self._rows, {}
        if not rows:
            return []
        alike = [name for name, _ in rows]
        zones = [self._whole.get(i) or (n if alike.count(n) == 1 else f"{n} ({i})") for n, i in rows]
        table, schema = ("zone_usage", ZONE_USAGE) if self._columns is MEMORY else ("zone_io", ZONE_IO)
        columns: dict[str, list[object]] = {c: [row.get(c) for row in rows.values()] for c in schema.names[2:]}
        columns["zone"] = list(zones)
        if self._columns is MEMORY:
            columns["state"] = ["running"] * len(rows)
            columns["rss_cap"] = [cap or nan for cap in columns["rss_cap"]]  # a missing cap shows 0
        batches = [Batch(table, columns)]
        if self._columns is not MEMORY and self._since_boot is None:
            self._since_boot = batches
            return []
        self._shown = True
        return batches
