"""Error counters of disks: `iostat -En` of Solaris and illumos, and what Linux keeps in sysfs, once a minute.

Formats: iostat(1M), where a device's first line counts soft, hard and transport errors and the last ones the kinds of
them; ioerr_cnt and iotmo_cnt of a SCSI device in sysfs, in hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import nan

from collectors import sh

EVERY = 60.0
SOLARIS = sh.beside("(iostat -En 2>/dev/null | sed 's/^/En:/'; echo En.)", EVERY)
LINUX = sh.beside(
    "(cd /sys/block 2>/dev/null && for d in sd*; do test -r $d/device/ioerr_cnt && "
    'echo "err= $d `cat $d/device/ioerr_cnt` `cat $d/device/iotmo_cnt 2>/dev/null`"; done; echo En.)',
    EVERY,
)

FIRST = re.compile(
    r" *(\S.*?) +Soft Errors: *([0-9]{1,10}) +Hard Errors: *([0-9]{1,10}) +Transport Errors: *([0-9]{1,10})\s*$"
)
FURTHER = re.compile(r"\s*(?:[A-Z][\w ]{0,40}: ?.*)?$")
KIND = re.compile(r"(Media Error|Device Not Ready|Predictive Failure Analysis): ([0-9]{1,10})\b")
SYSFS = re.compile(r"err= (\S+) 0x([0-9a-f]{1,16})(?: 0x([0-9a-f]{1,16}))?\s*$")

TELLING = {
    "media": "media error",
    "hard": "hard error",
    "transport": "transport error",
    "predicted": "prediction of its failure",
}
"""Kinds that are worth an event. Soft errors and illegal requests are asked for by tools; drives that are not ready
are drives without a medium, which count as hard errors too."""

Counts = Mapping[str, float]


def read(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    """Counters by device of `iostat -En`: soft, hard, transport, and media and predicted where they are printed.

    Raises ValueError with the index of a line that is none of it.
    """
    out: dict[str, dict[str, float]] = {}
    device: dict[str, float] | None = None
    for i, line in enumerate(lines):
        first = FIRST.match(line)
        if first:
            soft, hard, transport = map(float, first.groups()[1:])
            device = out[first[1]] = {"soft": soft, "hard": hard, "transport": transport}
        elif device is None or not FURTHER.match(line):
            raise ValueError(i)
        else:
            kinds = {kind: float(n) for kind, n in KIND.findall(line)}
            if "Device Not Ready" in kinds:
                device["unready"] = kinds["Device Not Ready"]
            if "Media Error" in kinds:
                device["media"] = kinds["Media Error"]
            if "Predictive Failure Analysis" in kinds:
                device["predicted"] = kinds["Predictive Failure Analysis"]
    return out


class Errors:
    """The newest counters: `take` reads lines of the stream, `now` has them, `news` what the newest look found."""

    def __init__(self) -> None:
        self.now: dict[str, dict[str, float]] = {}
        self.news: list[tuple[str, str]] = []
        self._next: dict[str, dict[str, float]] = {}
        self._lines: list[str] = []
        self._looked = False

    def take(self, line: str) -> bool:
        """Whether `line` is one of ours; reads it if so. `news` has (device, sentence) until the next line of ours."""
        if not line.startswith(("En", "err= ")):
            return False
        self.news = []
        match = SYSFS.match(line)
        if match:
            errors, timeouts = int(match[2], 16), float(int(match[3], 16)) if match[3] else nan
            self._next[match[1]] = {"hard": float(errors), "transport": timeouts}
        elif line.startswith("En:") and len(self._lines) < 100_000:
            self._lines.append(line[3:])
        elif line == "En.":
            self._close()
        else:
            return False
        return True

    def _close(self) -> None:
        lines, self._lines = self._lines, []
        found, self._next = self._next, {}
        try:
            found |= read(lines)
        except ValueError:  # a torn listing: the next one comes in a minute
            return
        if self._looked:
            for device, counts in found.items():
                self.news += told(device, self.now.get(device), counts)
        self.now, self._looked = found, True


def told(device: str, before: Counts | None, counts: Counts) -> list[tuple[str, str]]:
    """What a person should know of the counters' growth; nothing of a device that is new or started anew."""
    if before is None:
        return []
    grown = {kind: counts.get(kind, nan) - before.get(kind, nan) for kind in (*TELLING, "unready")}
    if any(n < 0 for n in grown.values()):
        return []
    if grown["hard"] <= grown["unready"]:
        grown["hard"] = 0
    parts = [f"{n:.0f} more {what}{'s' if n > 1 else ''}" for kind, what in TELLING.items() if (n := grown[kind]) > 0]
    return [(device, f"{device}: {', '.join(parts)}")] if parts else []
