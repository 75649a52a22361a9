"""What every parser of disk_io shares: each disk's place in a pool, its errors, and numbers as tools print them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import nan
from typing import Any

from collectors.base import Batch, Context
from collectors.disks.errors import Errors
from collectors.members import Members
from collectors.reports import Reports
from frames.schemas import DISK_IO

COLUMNS = DISK_IO.names[2:]
COUNTED = {"soft": "soft_errors", "hard": "hard_errors", "transport": "transport_errors"}

NUMBER = re.compile(r"[0-9]{1,20}(?:[.,][0-9]{1,9})?$")
NO_NUMBER = re.compile(r"-[0-9.,]{1,30}$|-?(?:nan|inf)$", re.IGNORECASE)
"""What a tool prints when its own arithmetic went wrong: a counter fell, nothing was done in no time."""


class Disks(Reports):
    """Reports of disks with `zpool status` and error counters between them."""

    source = "disk_io"
    prompts = True

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._members = Members()
        self._errors = Errors()

    def feed(self, line: str, at: float) -> list[Batch]:
        if self._members.take(line):
            self.line_no += 1
            return []
        if self._errors.take(line):
            self.line_no += 1
            return self._news() if self._errors.news else []
        return super().feed(line, at)

    def batch(self, rows: dict[str, list[Any]], stamp: float | None) -> list[Batch]:
        """The rows with all columns: pool, vdev and, where the report has none, errors are filled in."""
        devices = rows["device"]
        columns = {c: rows.get(c) or [None] * len(devices) for c in COLUMNS}
        places = [self._members.of(str(device)) for device in devices]
        columns["pool"] = [pool for pool, _ in places]
        columns["vdev"] = [vdev for _, vdev in places]
        known = self._errors.now
        if known and "soft_errors" not in rows:
            for kind, column in COUNTED.items():
                columns[column] = [known.get(str(d), {}).get(kind) for d in devices]
        return [Batch("disk_io", columns, stamp)]

    def _news(self) -> list[Batch]:
        devices, texts = zip(*self._errors.news, strict=True)
        n = len(devices)
        columns: dict[str, Sequence[Any]] = {
            "kind": ["disk"] * n,
            "object": devices,
            "severity": ["warn"] * n,
            "text": texts,
            "who": ["disk_io"] * n,
        }
        return [Batch("events", {c: list(v) for c, v in columns.items()})]


def number(text: str) -> float:
    """A cell's number, with a decimal point or comma; NaN for one that is none. Raises ValueError for other text."""
    if NUMBER.match(text):
        return float(text.replace(",", "."))
    if NO_NUMBER.match(text):
        return nan
    raise ValueError(f"not a number: {text[:40]!r}")


def share(value: float) -> float:
    """A share of time: rounding of the interval can print 101 percent."""
    return 1.0 if value > 1.0 else value
