"""The one door that D programs pass: checks, limits and records. No clock, no link: the engine tells it both.

A run is asked for, started, watched and ended. It is refused unless the inventory allows its metric or script on
that host (``dtrace = ["disk_io", "syscalls"]``, or ``"*"``), and ends after its time limit, when nobody watches,
when the link drops, and when drops or its own CPU share stay over a bound. Each refusal, start and end is an event.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.base import OS
from collectors.dtrace import compose, scripts
from collectors.dtrace.cost import Counted
from collectors.dtrace.framing import Expected
from frames import metrics
from frames.metrics import METRICS
from frames.questions import QuestionError


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds of every run; times in seconds."""

    at_once: int = 4
    """Runs on one host, the standing question not counted."""
    limit: float = 3600.0
    """Longest duration that may be asked for."""
    default: float = 600.0
    unwatched: float = 60.0
    """A run that nobody has watched for so long ends."""
    attach: float = 120.0
    """A program that has not attached its probes by then ends (a loaded host takes 40 s)."""
    drops: float = 1000.0
    """Dropped records a second, …"""
    drops_for: float = 10.0
    """… as a mean over so many seconds."""
    cpu: float = 0.25
    """Share of one CPU that dtrace itself may use as a mean over `cpu_for`."""
    cpu_for: float = 30.0
    look: float = 5.0
    """How often the engine should ask the host for the CPU time of its dtraces (`collectors.dtrace.cost`)."""


class Refused(Exception):
    """A run that may not start: why, in a sentence."""


@dataclass(slots=True)
class Run:
    """One program on one host. `command` is what a link starts; `limit` ends it on the host itself."""

    id: str
    host: str
    name: str
    who: str
    program: str
    command: str
    expected: Expected
    others: int
    """Other ways to ask the same there, if the host's compiler refuses this one."""
    asked: float
    limit: float
    watchers: set[str]
    seen: float
    """When somebody watched it last."""
    started: float | None = None
    pid: int | None = None
    lost: Counted = field(default_factory=lambda: Counted(60.0))
    cpu: Counted = field(default_factory=lambda: Counted(60.0))
    stopping: str = ""


class Door:
    """All runs of one collector. Methods take the time `now` (seconds, monotonic over a run)."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.runs: dict[str, Run] = {}
        self._events: list[dict[str, Any]] = []
        self._ids = itertools.count(1)

    def ask(
        self,
        host: str,
        name: str,
        who: str,
        now: float,
        *,
        os: OS,
        allowed: Sequence[str],
        interval: int = 1,
        duration: float | None = None,
        probes: Iterable[str] | None = None,
        devices: Mapping[str, str] | None = None,
        lacking: str = "",
        way: int = 0,
    ) -> Run:
        """A run of `name`, a question's id or a script's name, that the engine is to start; or the one that is
        already under way with the same name on that host, which `who` then watches too.

        `probes`: what `dtrace -l` shows there, if known; `devices`: the kernel's names of disks with those that people
        use; `lacking`: why no D program runs there whatever the inventory allows; `way`: how many of `compose.ways` the
        host's compiler refused. Raises Refused with the reason, which is an event as well.
        """
        try:
            for run in self.runs.values():
                if (run.host, run.name) == (host, name) and not run.stopping:
                    self._allowed(name, host, allowed, lacking)
                    self.watch(run, who, now)
                    return run
            self._allowed(name, host, allowed, lacking)
            return self._admit(host, name, who, now, os, interval, duration, probes, devices or {}, way)
        except Refused as e:
            self._event(host, name, "warn", f"D question refused: {e}", who)
            raise

    def _admit(
        self,
        host: str,
        name: str,
        who: str,
        now: float,
        os: OS,
        interval: int,
        duration: float | None,
        probes: Iterable[str] | None,
        devices: Mapping[str, str],
        way: int,
    ) -> Run:
        busy = [r for r in self.runs.values() if r.host == host]
        if len(busy) >= self.policy.at_once:
            names = ", ".join(r.name for r in busy)
            raise Refused(f"{len(busy)} programs are running on {host} already ({names}); stop one first")
        limit = self.policy.default if duration is None else duration
        if not 1 <= interval <= 60 or not interval <= limit <= self.policy.limit:
            raise Refused(
                f"an interval is 1 to 60 s, a duration at most {self.policy.limit:.0f} s; not {interval} and {limit:g}"
            )
        others = 0
        try:
            if any(s.name == name for s in scripts.load()):
                script = scripts.choose(name, os, probes)
                source, expected = script.program(os, interval=interval, limit=int(limit)), script.expected
            else:
                question = metrics.question(name)
                found, *more = compose.ways(question, os, probes)[way:]
                others = len(more)
                told = compose.by_kernel_names(question, devices)
                source = compose.program(told, os, interval=interval, limit=int(limit), recipe_=found)
                expected = Expected.of(question)
            command = compose.command(source)
        except (compose.NoRecipe, QuestionError, ValueError) as e:
            raise Refused(str(e)) from e
        run = Run(
            f"{host}-{next(self._ids)}", host, name, who, source, command, expected, others, now, limit, {who}, now
        )
        self.runs[run.id] = run
        return run

    def _allowed(self, name: str, host: str, allowed: Sequence[str], lacking: str) -> None:
        metric = name.partition("/")[0]
        if metric not in METRICS and not any(s.name == metric for s in scripts.load()):
            raise Refused(f"there is no metric or script {metric!r}")
        if lacking:
            raise Refused(lacking)
        if metric not in allowed and "*" not in allowed:
            line = ", ".join(f'"{a}"' for a in [*allowed, metric])
            raise Refused(f"{metric} is not allowed on {host}; to allow it: [hosts.{host}] dtrace = [{line}]")

    # -- what the engine tells ---------------------------------------------------------------------------------

    def attached(self, run: Run, now: float, pid: int | None = None) -> None:
        """Its first line has come: the probes are attached and its time runs."""
        if run.started is None:
            run.started, run.pid = now, pid
            self._event(run.host, run.name, "info", f"D question started for {run.limit:g} s", run.who)

    def watch(self, run: Run, who: str, now: float) -> None:
        """`who` still looks at it."""
        run.watchers.add(who)
        run.seen = now

    def dropped(self, run: Run, now: float, total: float) -> None:
        """`total` records lost so far (`FrameParser.dropped`)."""
        run.lost.add(now, total)

    def spent(self, run: Run, now: float, seconds: float) -> None:
        """`seconds` of CPU time that its dtrace has used so far."""
        run.cpu.add(now, seconds)

    def stop(self, run: Run, who: str) -> None:
        """A person ends it; `due` names it next."""
        run.stopping = run.stopping or f"stopped by {who}"

    def ended(self, run: Run, why: str = "") -> str:
        """The command is over; why, in words. `why`: what it said last, if it was not told to stop."""
        why = run.stopping or why or "its time is over"
        if self.runs.pop(run.id, None):
            usual = why.startswith(("stopped by", "its time", "nobody"))
            self._event(run.host, run.name, "info" if usual else "warn", f"D question ended: {why}", run.who)
        return why

    def forget(self, run: Run) -> None:
        """It is tried in another way: no event."""
        self.runs.pop(run.id, None)

    # -- what the engine must do -------------------------------------------------------------------------------

    def due(self, now: float) -> list[Run]:
        """Runs to stop now; each says why in `stopping`. They stay until `ended`."""
        out = []
        for run in self.runs.values():
            run.stopping = run.stopping or self._verdict(run, now)
            if run.stopping:
                out.append(run)
        return out

    def _verdict(self, run: Run, now: float) -> str:
        p = self.policy
        if run.started is None:
            return f"its probes were not attached within {p.attach:g} s" if now - run.asked > p.attach else ""
        if now - run.started > run.limit + 5.0:
            return f"its time of {run.limit:g} s is over"
        if now - run.seen > p.unwatched:
            return f"nobody has watched it for {p.unwatched:g} s"
        return self.too_dear(run.cpu, run.lost)

    def too_dear(self, cpu: Counted, lost: Counted) -> str:
        """What bound CPU seconds and lost records have passed, '' for none."""
        p = self.policy
        rate = lost.rate(p.drops_for * 0.8)
        if rate is not None and rate > p.drops:
            return f"it dropped {rate:.0f} records a second (bound {p.drops:g})"
        share = cpu.rate(p.cpu_for)
        if share is not None and share > p.cpu:
            return f"dtrace used {share:.0%} of a CPU (bound {p.cpu:.0%})"
        return ""

    def events(self) -> list[dict[str, Any]]:
        """Rows of table ``events`` (without time) since the last call."""
        out, self._events = self._events, []
        return out

    def _event(self, host: str, what: str, severity: str, text: str, who: str) -> None:
        self._events.append(
            {"host": host, "kind": "dtrace", "object": what, "severity": severity, "text": text, "who": who}
        )
