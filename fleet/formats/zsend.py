"""The pipes of a migration as its hosts show them: processes of zfs send, mbuffer and zfs receive, and their logs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fleet import noise
from fleet.formats.tool import Tool, UsageError, once
from fleet.live import Live
from fleet.scenario import Stream
from fleet.site import MIB

PORT = 9090
LOGS = "/var/log/zsend"
LAST = 20.0
"""Seconds of a log that are there to be read; mbuffer writes one line every two of them."""
KEPT = 86_400.0
Text = Callable[[float], str]


def snapshot(s: Stream) -> str:
    """The replication snapshot that a stream sends."""
    return time.strftime("repl-%Y%m%d%H%M", time.gmtime(s.began // 300 * 300))


def _mine(live: Live) -> list[tuple[Stream, bool]]:
    """Streams of this host, and whether it receives them."""
    model = live.model
    return [(s, False) for s in model.streams_out] + [(s, True) for s in model.streams_in]


def _done(s: Stream, t: float) -> float:
    return float(s.done(np.array([max(t, s.began)]))[0])


def _under_way(s: Stream, t: float) -> bool:
    return t >= s.began and _done(s, t) < s.total


def processes(live: Live, t: float) -> list[tuple[int, int, float, str]]:
    """(pid, parent, seconds, command) of every pipe that runs at `t`."""
    out = []
    for k, (s, receives) in enumerate(_mine(live)):
        if not _under_way(s, t):
            continue
        shell, since = 21_000 + 40 * k, t - s.began
        log = f"{LOGS}/{s.dataset.rpartition('/')[2]}.log"
        buffer = f"mbuffer -q -s 128k -m 1G -l {log}"
        if receives:
            pipe = [f"{buffer} -I {PORT + k}", f"zfs receive -F {s.dataset}"]
        else:
            pipe = [f"zfs send {s.dataset}@{snapshot(s)}", f"{buffer} -O {s.target}:{PORT + k}"]
        out += [(shell + 1 + i, shell, since, command) for i, command in enumerate(pipe)]
    return out


def ps(live: Live, args: list[str]) -> Tool:
    """`ps -eo pid,ppid,pgid,etime,zone,args`, or its columns one by one without headings."""
    names = [n for a in args if "=" in a or "," in a for n in a.rstrip("=").split(",")]
    bare = any(a.endswith("=") for a in args)

    def text(t: float) -> str:
        rows = [] if bare else ["  PID  PPID  PGID     ELAPSED     ZONE COMMAND"]
        since = t - live.model.boot
        others = [(1, 0, since, "/sbin/init"), (412, 1, since, "/usr/lib/ssh/sshd")]
        for pid, parent, seconds, command in [*others, *processes(live, t)]:
            cells = {
                "pid": f"{pid:5d}", "ppid": f"{parent:5d}", "pgid": f"{parent:5d}", "etime": f"{_elapsed(seconds):>11}",
                "zone": f"{'global':>8}", "cgroup:100": f"{'0::/system.slice/cron.service':<100}", "jail": "-",
                "args": command if bare else command[:80], "command": command,
            }  # fmt: skip
            rows.append(" ".join(cells.get(n, "-") for n in names))
        return "\n".join(rows) + "\n"

    return once(text)


def _elapsed(seconds: float) -> str:
    s = int(max(seconds, 0))
    days, hours = s // 86_400, s // 3600 % 24
    out = f"{s // 60 % 60:02d}:{s % 60:02d}"
    if days or hours:
        out = f"{hours:02d}:{out}"
    return f"{days}-{out}" if days else out


def pgrep(live: Live, args: list[str]) -> Tool:
    """`pgrep -x zfs`."""
    return once(lambda t: "".join(f"{p[0]}\n" for p in processes(live, t) if p[3].startswith(f"{args[-1]} ")))


def pargs(live: Live, args: list[str]) -> Tool:
    """`pargs -l PID`: zfs has cut its own word where the @ was."""

    def text(t: float) -> str:
        found = next((p[3] for p in processes(live, t) if str(p[0]) == args[-1]), None)
        if found is None:
            raise UsageError(f"pargs: cannot examine {args[-1]}: no such process\n", 1)
        return found.partition("@")[0] + "\n"

    return once(text)


def find(live: Live, args: list[str]) -> Tool:
    """`find FILES -mtime -1 -print`, files that the shell has found already."""
    there = logs(live)
    return once(lambda t: "".join(f"{a}\n" for a in args if a in there and there[a](t)))


def logs(live: Live) -> dict[str, Text]:
    """mbuffer's log of each stream by path."""
    return {f"{LOGS}/{s.dataset.rpartition('/')[2]}.log": _log(live, s, receives) for s, receives in _mine(live)}


def _log(live: Live, s: Stream, receives: bool) -> Text:
    key = noise.seeds("mbuffer", s.source, s.dataset, names=["fill"])

    def text(t: float) -> str:
        if t < s.began:
            return ""
        end = min(t, _end(s, t))
        if t - end > KEPT:
            return ""
        lines = ["mbuffer: warning: No controlling terminal and no autoloader command specified."]
        at = max(s.began + 2, (end - LAST) // 2 * 2)
        while at <= end:
            lines.append(_line(s, at, receives, key))
            at += 2
        if end < t:
            lines.append(_summary(s, end))
        return "\n".join(lines) + "\n"

    return text


def _end(s: Stream, t: float) -> float:
    """When the last byte came; later than `t` where it has not come yet."""
    if _done(s, t) < s.total:
        return t + 1
    low, high = s.began, t
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (middle, high) if _done(s, middle) < s.total else (low, middle)
    return high


def _line(s: Stream, t: float, receives: bool, key: noise.Seeds) -> str:
    rate = (_done(s, t) - _done(s, t - 2)) / 2
    wobble = float(noise.smooth(key, np.array([t]), 20.0)[0, 0])
    # A quick stream waits for its source; a slower one, or one that stalls, for its target: both buffers fill.
    slow = s.rate < 60 * MIB
    fill = min(100.0, (94 if receives else 97) + 3 * abs(wobble)) if slow else min(100.0, 6 * abs(wobble))
    return f"mbuffer: in @ {_kb(rate)}B/s, out @ {_kb(rate)}B/s, {_kb(_done(s, t))}B total, buffer {fill:3.0f}% full"


def _summary(s: Stream, end: float) -> str:
    seconds = end - s.began
    h, m, left = int(seconds // 3600), int(seconds // 60 % 60), seconds % 60
    return f"summary: {_kb(s.total)}Byte in {h}h {m:02d}min {left:04.1f}sec - average of {_kb(s.total / seconds)}B/s"


def _kb(value: float) -> str:
    """As mbuffer prints sizes: at most 10000 of a unit, one decimal below 100."""
    v, units = value / 1024, iter("kMGT")
    unit = next(units)
    while v > 10_000 and unit != "T":
        v, unit = v / 1024, next(units)
    return f"{v:4.1f} {unit}i" if v < 100 else f"{v:4.0f} {unit}i"
