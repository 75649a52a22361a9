"""What running programs cost their host: the CPU time of each dtrace, by its pid.

Linux tells hundredths in /proc (field 14 and 15 of stat, proc(5)) and its ps whole seconds only; FreeBSD's ps tells
hundredths, that of Solaris and illumos whole seconds. What probes cost the probed is in no process's account.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from collectors.base import OS

TICK = 0.01
"""Seconds of a clock tick in Linux's /proc (USER_HZ, 100 but on Alpha and Itanium)."""


def command(os: OS, pids: Iterable[int]) -> str:
    """sh command that prints a line for each of `pids` that lives; see `read`."""
    if os == "linux":
        names = " ".join(f"/proc/{pid}/stat" for pid in pids)
        return f'for f in {names}; do read -r s <$f && echo "$s"; done 2>/dev/null'
    return f"ps -o pid= -o time= -p {','.join(map(str, pids))}"


def step(os: OS) -> float:
    """The step of the time that `read` gives, seconds."""
    return 0.01 if os in ("linux", "freebsd") else 1.0


def read(line: str) -> tuple[int, float] | None:
    """(pid, seconds of CPU so far) of a line that `command` printed, None for any other."""
    stat = re.fullmatch(r"(\d+) \(.*\) \S (.*)", line, re.DOTALL)
    if stat:
        fields = stat[2].split()
        return (int(stat[1]), (int(fields[10]) + int(fields[11])) * TICK) if len(fields) > 11 else None
    pid, _, time = line.strip().partition(" ")
    seconds = of_ps(time)
    return (int(pid), seconds) if pid.isdigit() and seconds is not None else None


def of_ps(text: str) -> float | None:
    """Seconds of a ps time: '[[dd-]hh:]mm:ss[.cc]'; None for anything else."""
    m = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)", text.strip())
    if not m:
        return None
    days, hours, minutes = (int(g or 0) for g in m.groups()[:3])
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(m[4])


@dataclass(slots=True)
class Counted:
    """A number that only grows, and how fast it does. `keep`: seconds that are looked back."""

    keep: float
    points: list[tuple[float, float]] = field(default_factory=list)

    def add(self, now: float, total: float) -> None:
        self.points = [(t, n) for t, n in self.points if t >= now - self.keep] + [(now, total)]

    def rate(self, over: float) -> float | None:
        """Per second over the last `over` seconds or more, None before there are so many."""
        if len(self.points) < 2 or self.points[-1][0] - self.points[0][0] < over:
            return None
        first = [p for p in self.points if p[0] <= self.points[-1][0] - over][-1]
        return (self.points[-1][1] - first[1]) / (self.points[-1][0] - first[0])


def share(spent: Counted, os: OS) -> float | None:
    """Cores that a dtrace on `os` has used lately; None while the clock's step makes an error over 0.05."""
    return spent.rate(max(1.0, 20 * step(os)))
