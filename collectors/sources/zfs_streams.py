"""zfs_streams: each zfs send and receive under way: bytes done and expected, rate, buffer, how it ended.

Three feeds, with nothing installed on the host:

* `ps`: which sends and receives run, in which zone, for how long, to which host; `zfs send -V` puts its progress there;
* the logs that the inventory's option `zfs_streams_log` names (a shell pattern): what `zfs send -v`, `zfs receive -v`,
  mbuffer, pv and syncoid write, see collectors.streams.logs;
* of a receive that runs, the growth of the dataset that it writes to: zfs receive itself says nothing before its end.

A process and a log are the same stream where mbuffer names the log (`-l`) or both name the dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan

from collectors.base import OS, Batch, Context, Source, Variant
from collectors.polled import Polled, again
from collectors.streams.logs import TELLING, Log
from collectors.streams.pace import WINDOW, Pace
from collectors.streams.processes import Process, Running, pipelines, process, whole
from frames.schemas import TRANSFERS

EVERY = 5.0
SAVED = "saved"
"""What a log is called that was saved without its name."""
ENDED_FOR = 300.0
"""Seconds for which a stream whose process has gone is told on."""
TXG = 15.0
"""The space of a dataset grows once a transaction group (5 s, zfs(4)): the window of its rate, s."""
MOMENT = 30.0
"""Seconds over which a mean is as good as the momentary rate that mbuffer and pv print."""
NEARLY = 0.97
"""A send of at least this share of its estimate, which misses by some percent, has ended well."""
COLUMNS = TRANSFERS.names[2:]

GROWTH = re.compile(r"used ([^\t]{1,512})\t([0-9]{1,20})$")
WHOLE = re.compile(r"pargs ([0-9]{1,10}) +(\S.*)$")


@dataclass(slots=True)
class Known:
    """A stream as it was last seen."""

    row: dict[str, object] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    growth: Pace = field(default_factory=lambda: Pace(TXG))
    seen: float = nan
    sent: tuple[str, float, float] = ("", 0.0, 0.0)
    """`zfs send -V`: the snapshot it was at, its bytes, and those of the snapshots before it."""


@dataclass(slots=True)
class File:
    """A log and when it last said anything new."""

    log: Log = field(default_factory=Log)
    said: str = ""
    stream: str = ""
    """Of a process that wrote it."""
    first: float = nan
    news: float = nan
    """When it last changed under our eyes, NaN: not yet."""


class Streams(Polled):
    """A report: `ps` and its lines, `pargs PID COMMAND`, `used DATASET<tab>BYTES`, `==> FILE` and its lines.

    A saved text may be the lines of one log alone, with words around them.
    """

    source = "zfs_streams"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._known: dict[str, Known] = {}
        self._files: dict[str, File] = {}
        self._roots: dict[str, Process] = {}
        self._reports = 0

    def report(self, lines: list[str]) -> list[Batch]:
        self._reports += 1
        now = self.stamp if self.stamp is not None else self._reports * self.ctx.interval
        found, used, files = self._read(lines)
        self._heard(files, now)
        left = dict(files)
        rows: dict[str, dict[str, object]] = {}
        for running in pipelines(found):
            file = left.pop(self._log_of(running, left), None)
            row = self._running(running, file, used, now, rows)
            rows[str(row["stream"])] = row
            if file:
                file.stream = str(row["stream"])
        for path, file in left.items():
            if file.log.text:
                row = self._logged(path, file, now)
                rows.setdefault(str(row["stream"]), row)
        for name, known in list(self._known.items()):
            if name in rows:
                continue
            if now - known.seen > ENDED_FOR or now < known.seen:
                del self._known[name]
            else:
                rows[name] = _ended(known.row)
        self._roots = {pid: root for pid, root in self._roots.items() if any(p.pid == pid for p in found)}
        columns = {c: [row.get(c) for row in rows.values()] for c in COLUMNS}
        return [Batch(TRANSFERS.name, columns, self.stamp)] if rows else []

    # -- lines ---------------------------------------------------------------------------------------------

    def _read(self, lines: list[str]) -> tuple[list[Process], dict[str, float], dict[str, File]]:
        found: dict[str, Process] = {}
        used: dict[str, float] = {}
        files: dict[str, File] = {}
        file, alone = None, File()
        for i, line in enumerate(lines):
            if line.startswith("==> "):
                file = files[line[4:].strip()] = self._files.get(line[4:].strip(), File())
                file.log.again()
            elif file is not None:
                file.log.read(line)
            elif line.startswith("used "):
                if grown := GROWTH.match(line):
                    used[grown[1]] = float(grown[2])
            elif long := WHOLE.match(line):
                if (p := found.get(long[1])) and p.side and not p.title:
                    whole(p, long[2])
            elif p := process(line):
                found[p.pid] = self._rooted(p)
            elif not self.strict and alone.log.read(line):
                files[SAVED] = alone
            elif line.strip() not in ("", "ps") and not re.match(r"\s*[0-9]+\s+[0-9]+\s+[0-9]+\s", line):
                self.around(self.bad(i, line, "not a process, a dataset's space or a log"))
        self._files = files
        return list(found.values()), used, files

    def _rooted(self, p: Process) -> Process:
        """`zfs send -V` hides its arguments behind its progress after a second: what they were is remembered."""
        if not p.title:
            if p.side:
                self._roots[p.pid] = p
            return p
        root = self._roots.setdefault(p.pid, p)
        p.recursive, p.from_snapshot = root.recursive, p.from_snapshot or root.from_snapshot
        return p

    def _heard(self, files: dict[str, File], now: float) -> None:
        for file in files.values():
            log = file.log
            said = f"{log.text}\n{log.done}\n{log.received}"
            if not isfinite(file.first):
                file.first = now
            elif said != file.said:
                file.news = now
            file.said = said

    @staticmethod
    def _log_of(running: Running, files: Mapping[str, File]) -> str:
        """The log that is named by a pipe, or speaks of the same snapshot: of several the one that spoke last."""
        p = running.process
        for log in running.logs:
            for path, file in files.items():
                if file.stream and not file.stream.startswith(p.side):
                    continue  # both ends of a pipe on one host: its log is the sender's
                if path == log or (not log.startswith("/") and path.endswith(f"/{log.removeprefix('./')}")):
                    return path
        same = [(file.news, path) for path, file in files.items() if _speaks_of(file.log, p)]
        spoke = [s for s in same if isfinite(s[0])]
        return max(spoke)[1] if spoke else same[0][1] if len(same) == 1 else ""

    # -- rows ----------------------------------------------------------------------------------------------

    def _running(
        self,
        running: Running,
        file: File | None,
        used: dict[str, float],
        now: float,
        taken: dict[str, dict[str, object]],
    ) -> dict[str, object]:
        p, root = running.process, self._roots.get(running.process.pid, running.process)
        log = file.log if file else None
        dataset = root.dataset if not root.cut or not log else log.dataset or root.dataset
        name = f"{p.side} {dataset}" if dataset else f"{p.side} {p.pid}"
        if name in taken:
            name = f"{name} ({p.pid})"
        known = self._known.setdefault(name, Known())
        done = step = total = None
        if p.title:
            done, step, total = self._titled(known, p)
        elif log:
            done, step, total = log.done, log.step, log.total
        total = total if total is not None else running.expected
        if done is not None:
            known.pace.add(now, done, step)
        rate = _rate(known.pace, log)
        if done is None and p.side == "receive" and dataset in used:
            known.growth.add(now, used[dataset])
            rate = known.growth.rate
        pace = known.pace if done is not None else known.growth
        still = pace.still(now)
        state = "stalled" if isfinite(still) and still >= _patience(pace, step) else "running"
        current = log.now if log and log.now else None
        row: dict[str, object] = {
            "stream": name,
            "kind": f"zfs_{p.side}",
            "peer": running.peer,
            "dataset": (p.dataset if p.title else "") or (log.dataset if log and current else "") or dataset,
            "from_snapshot": (log.from_snapshot if log and current else "") or p.from_snapshot,
            "to_snapshot": (p.to_snapshot if p.title else "") or (log.to_snapshot if log else "") or p.to_snapshot,
            "zone": p.zone,
            "pid": p.pid,
            "state": state,
            "done": done,
            "total": total,
            "rate": 0.0 if state == "stalled" else rate,
            "buffer": log.buffer if log else None,
            "elapsed": p.elapsed,
            "eta": log.eta if log else None,
            "text": log.text if log and log.text else p.command[:300],
        }
        known.row, known.seen = row, now
        return row

    @staticmethod
    def _titled(known: Known, p: Process) -> tuple[float, float | None, float]:
        """Bytes of all snapshots so far: under -R the title counts each anew against the size of all."""
        assert p.title
        bytes_, step, total = p.title
        name, last, before = known.sent
        at = f"{p.dataset}@{p.to_snapshot}"
        if name and name != at:
            same = known.row.get("total") == total
            before = before + last if same else 0.0
        known.sent = (at, bytes_, before)
        return before + bytes_, step, total

    def _logged(self, path: str, file: File, now: float) -> dict[str, object]:
        """A log without a process that is known to write it."""
        log = file.log
        name = file.stream or (f"{log.side} {log.root}" if log.root else path.rpartition("/")[2])
        known = self._known.setdefault(name, Known())
        before = known.row
        if log.done is not None:
            known.pace.add(now, log.done, log.step)
        # It may be written from elsewhere: it runs for as long as it says something new.
        quiet = now - file.news if isfinite(file.news) else nan
        fresh = max(60.0, 3 * self.ctx.interval)
        state: str | None = log.state or ("running" if quiet < fresh else None)
        over = not state and (isfinite(quiet) or now - file.first >= 3 * self.ctx.interval)
        row: dict[str, object] = {
            "stream": name,
            "kind": f"zfs_{log.side}" if log.side else before.get("kind", "zfs_send"),
            "dataset": log.dataset or before.get("dataset"),
            "from_snapshot": log.from_snapshot if log.now else before.get("from_snapshot"),
            "to_snapshot": log.to_snapshot if log.now else before.get("to_snapshot"),
            "zone": before.get("zone"),
            "peer": before.get("peer"),
            "state": state,
            "done": log.done,
            "total": log.total if log.total is not None else before.get("total"),
            "rate": _rate(known.pace, log) if state == "running" else None,
            "buffer": log.buffer if state == "running" else None,
            "eta": log.eta if state == "running" else None,
            "text": log.text,
        }
        if over:
            row = _ended(row)
        known.row, known.seen = row, now
        return row


def _speaks_of(log: Log, p: Process) -> bool:
    if not p.dataset or log.side != p.side or p.dataset not in (log.dataset, log.root):
        return False
    if p.side == "receive" or p.recursive or not p.to_snapshot or not log.now:
        return True
    return p.to_snapshot == log.to_snapshot or f"{p.dataset}@{p.to_snapshot}" in log.now.send


def _rate(pace: Pace, log: Log | None) -> float:
    """What was counted, unless rounding makes that a mean of long ago: then what the tool says of its last moment."""
    if log and (log.done is None or (log.rate is not None and not pace.span <= MOMENT)):
        return nan if log.rate is None else log.rate
    return pace.rate


def _patience(pace: Pace, step: float | None) -> float:
    """Seconds without a byte that make a stall; longer where the printed digits move more seldom than that."""
    rate = pace.rate
    return max(WINDOW, 2 * step / rate) if step and isfinite(rate) and rate > 0 else WINDOW


def _ended(row: dict[str, object]) -> dict[str, object]:
    """The last row of a stream that is gone: done where its bytes say so, else nobody knows how it ended."""
    done, total, state = row.get("done"), row.get("total"), row.get("state")
    if state not in ("done", "failed"):
        whole = isinstance(done, float) and isinstance(total, float) and done >= NEARLY * total
        state = "done" if whole else "ended"
    return {**row, "state": state, "rate": None, "buffer": None, "eta": None}


# -- commands --------------------------------------------------------------------------------------------------

OURS = "^ *[0-9]+ +[0-9]+ +[0-9]+ +[^ ]+ +[^ ]+ +([^ ]*/)?(zfs:? |mbuffer |pv |ssh .*zfs)"
RECEIVES = r"s/^ *[0-9]* *[0-9]* *[0-9]* *[^ ]* *[^ ]* *[^ ]*zfs rec[a-z]*\( .*\)$/\1/p"
LAST = "s/ *$//;s/.* //;s/@.*//"


def command(ps: str, more: str = "") -> str:
    """What one report is made of; lines under 1,000 characters, which is as long as an old csh takes them."""
    return (
        f"p=`{ps} | egrep '{OURS}'`; echo ps; echo \"$p\"\n{more}"
        f"for d in `echo \"$p\" | sed -n '{RECEIVES}' | sed '{LAST}'`; do\n"
        "zfs get -Hp -o name,value used \"$d\" 2>/dev/null | sed 's/^/used /'\n"
        "done"
    )


def logs(ctx: Context) -> str:
    pattern = ctx.facts.get("option:zfs_streams_log")
    if not pattern:
        return ":"
    return (
        f"for f in `find {pattern} -mtime -1 -print 2>/dev/null`; do\n"
        f'echo "==> $f"; head -2000 "$f" | egrep \'{HEADS}\' | tail -200\n'
        f"tail -8000c \"$f\" | tr '\\015' '\\012' | egrep '{TELLING}' | tail -12\n"
        "done; :"
    )


HEADS = "full send of|send from|[Ss]ending |[Uu]pdating new|Resuming|estimated|^full|^incremental|^size|receiving"
PARGS = 'for q in `pgrep -x zfs`; do\necho "pargs $q `pargs -l $q 2>/dev/null`"\ndone\n'


def _variant(name: str, systems: tuple[OS, ...], ps: str, more: str = "") -> Variant:
    return Variant(
        name=name,
        systems=systems,
        command=lambda ctx: again(f"{command(ps, more)}\n{logs(ctx)}", ctx.interval),
        parser=Streams,
        probe=f"{ps} | grep .",
        fix="let the user see all processes (Linux: no hidepid; FreeBSD: security.bsd.see_other_uids=1)",
    )


SOURCE = Source(
    name="zfs_streams",
    meaning="each zfs send and receive under way, from ps, logs and the growth of what is received",
    tables=("transfers",),
    interval=EVERY,
    variants=(
        _variant("ps-zone", ("solaris10", "solaris11", "illumos"), "ps -eo pid,ppid,pgid,etime,zone,args", PARGS),
        _variant("ps-cgroup", ("linux",), "ps -eww -o pid= -o ppid= -o pgid= -o etime= -o cgroup:100= -o args="),
        _variant("ps-jail", ("freebsd",), "ps -axww -o pid= -o ppid= -o pgid= -o etime= -o jail= -o command="),
    ),
)
