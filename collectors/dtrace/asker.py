"""Takes what pages ask (frames.requests), passes it through the door and runs it on the engine's links.

Bodies of the requests::

    dtrace_start  {"hosts": ["ms2", "om1"], "question": "disk_io/by=zone,latency", "interval": 1, "duration": 600}
    keep_alive    {"request": ID}       somebody still watches; at least every `Policy.unwatched` seconds
    dtrace_stop   {"request": ID}

`question` is a question's id or a script's name. A start is ``running`` once a host has attached its probes,
``refused`` when every host refused it, ``ended`` when every host is done; `why` says what happened where.

Each second every run, and the standing question of source ``dtrace``, writes what it costs to table ``dtrace_runs``;
its program goes to table ``dtrace_programs`` when it starts. Where a host's lines are recorded, those of a run are, as
of source ``dtrace``.

All methods run in the engine's own loop; what links say comes by way of `Engine.soon`.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import structlog

from collectors.base import Batch, Context, ParseError
from collectors.dtrace import cost
from collectors.dtrace import host as host_
from collectors.dtrace.cost import Counted
from collectors.dtrace.door import Door, Policy, Refused, Run
from collectors.dtrace.framing import FrameParser
from collectors.links import Limits, Link, LinkError, Running, Sink
from collectors.sources.dtrace import FIX, LEASE, SOURCE, STANDING, recorded_as, standing_program
from collectors.stamp import Ticks
from frames.requests import Request, RequestError, Requests

log = structlog.get_logger("collector")


REST = 600.0
"""Seconds that the standing question stays away from a host after it has passed a bound there."""
LINES = 60_000
"""Lines a second that an answer may have: all keys of an interval come in one burst, a histogram in some 20 lines."""
Tell = Callable[[str, float, list[str]], None]


class Engine(Protocol):
    """What is needed of collectors.engine.Engine."""

    @property
    def hosts(self) -> Mapping[str, Any]: ...
    def add(self, table: str, **columns: list[Any]) -> None: ...
    def event(self, host: str, kind: str, what: str, severity: str, text: str, who: str = ...) -> None: ...
    def soon(self, call: Any) -> None: ...
    def rest(self, host: str, source: str, seconds: float, why: str) -> None: ...
    def recorded(self, run: Any, ctx: Context, source: str, variant: str, command: str) -> Tell | None: ...


@dataclass(slots=True)
class _Asked:
    """A dtrace_start that is not over: its hosts, each with its run or with why it has none."""

    request: Request
    runs: dict[str, str] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    standing: set[str] = field(default_factory=set)
    """Hosts where the question runs all the time anyway, as source ``dtrace``."""
    refused: int = 0
    state: str = "taken"


@dataclass(slots=True)
class _Live:
    """A run under way."""

    run: Run
    parser: FrameParser
    ticks: Ticks
    link: Link
    running: Running | None = None
    listed: bool = False
    """Its way was chosen by the host's own list of probes."""
    way: int = 0
    """Ways to ask that its compiler refused before this one."""
    listing: bool = False
    """That list is awaited; `running` is the command that prints it."""
    stopped: bool = False
    errors: int = 0
    rows: int = 0
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    unread: int = 0
    """Lines that the link has dropped so far."""

    def gap(self) -> bool:
        """Whether the link dropped lines since the last call."""
        before, self.unread = self.unread, self.running.dropped if self.running else 0
        return self.unread != before


@dataclass(slots=True)
class _Standing:
    """The standing question as it runs on a host: the stream that it is, and its CPU time."""

    stream: Any
    cpu: Counted = field(default_factory=lambda: Counted(60.0))
    lost: Counted = field(default_factory=lambda: Counted(60.0))


@dataclass(slots=True)
class _Look:
    """When to ask a host for CPU times next; not while an answer is awaited."""

    at: float = 0.0
    until: float = 0.0


class Asker:
    """Call it once a beat with the engine and the time: ``Engine(…, each_beat=[Asker(requests)])``."""

    def __init__(self, requests: Requests, policy: Policy | None = None) -> None:
        self.requests = requests
        self.door = Door(policy)
        self._asked: dict[str, _Asked] = {}
        self._live: dict[str, _Live] = {}
        self._probes: dict[tuple[str, str], tuple[Link, list[str]]] = {}
        """What a host listed for a metric or script, as long as its link lasts."""
        self._standing: dict[str, _Standing] = {}
        self._looks: dict[str, _Look] = {}
        self._figures_at = 0.0
        self._begun = False

    def __call__(self, engine: Engine, now: float) -> None:
        """Raises nothing: a fault of a question must not stop the collecting."""
        try:
            self._turn(engine)
        except Exception:
            log.exception("D questions")

    def _turn(self, engine: Engine) -> None:
        if not self._begun:
            self._begun = True
            self._sweep(engine)
        for request in self.requests.pending():
            self._take(engine, request)
        clock = time.monotonic()
        for live in list(self._live.values()):
            run = engine.hosts[live.run.host]
            if run.link is not live.link or not live.link.alive:
                self._end(engine, live, "the link dropped")
        for due in self.door.due(clock):
            stopped = self._live.get(due.id)
            self._stop(stopped)
            if stopped and stopped.listing:
                self._end(engine, stopped, "")
        self._stand(engine)
        self._look(engine, clock)
        if clock >= self._figures_at:
            self._figures_at = max(self._figures_at + 1.0, clock + 0.5)
            self._figures(engine, clock)
        self._tell(engine)

    def stopped(self, engine: Engine) -> None:
        """The collector ends: so does all that it runs."""
        why = "the collector was stopped"
        try:
            for live in list(self._live.values()):
                self._end(engine, live, why)
            for asked in list(self._asked.values()):
                asked.over.update(dict.fromkeys(asked.standing, why))
                self._settle(engine, asked)
        except Exception:
            log.exception("D questions")

    # -- requests ----------------------------------------------------------------------------------------------

    def _mine(self, engine: Engine, request: Request) -> list[str]:
        return [h for h in request.body.get("hosts", []) if h in engine.hosts]

    def _sweep(self, engine: Engine) -> None:
        """What an earlier collector left running ended with it."""
        why, told = "the collector was started anew", set()
        for request in self.requests.open():
            if request.action != "dtrace_start" or request.state == "asked" or not self._mine(engine, request):
                continue
            self._record(engine, request, "ended", why)
            over = {part.partition(": ")[0] for part in request.why.split("; ")}
            for host in self._mine(engine, request) if request.state == "running" else ():
                question = str(request.body.get("question"))
                if host not in over and (host, question) not in told:
                    told.add((host, question))
                    engine.event(host, "dtrace", question, "warn", f"D question ended: {why}", request.who)

    def _take(self, engine: Engine, request: Request) -> None:
        if request.action == "dtrace_start" and self._mine(engine, request):
            self._start(engine, request)
        elif request.action in ("keep_alive", "dtrace_stop"):
            asked = self._asked.get(str(request.body.get("request")))
            if asked is None:
                return
            for id_ in asked.runs.values():
                run = self.door.runs.get(id_)
                if run and request.action == "keep_alive":
                    self.door.watch(run, request.who, time.monotonic())
                elif run:
                    self.door.stop(run, request.who)
            if request.action == "dtrace_stop" and asked.standing:
                asked.over.update(dict.fromkeys(asked.standing, "it runs there all the time"))
                asked.standing.clear()
                self._settle(engine, asked)
            self._record(engine, request, "ended", "")

    def _start(self, engine: Engine, request: Request) -> None:
        asked = self._asked[request.id] = _Asked(request)
        self._record(engine, request, "taken", "")
        for name in self._mine(engine, request):
            try:
                self._admit(engine, asked, name)
            except Refused as e:
                asked.refused += 1
                asked.over[name] = str(e)
        self._settle(engine, asked)

    def _admit(self, engine: Engine, asked: _Asked, name: str, probes: list[str] | None = None, way: int = 0) -> None:
        """Through the door and onto the host's link. Raises Refused."""
        host, body = engine.hosts[name], asked.request.body
        metric = str(body.get("question", "")).partition("/")[0]
        if probes is None and (known := self._probes.get((name, metric))) and known[0] is host.link:
            probes = known[1]
        if host.link is None or host.facts is None:
            raise Refused(f"{name} is {host.state}")
        stream = host.streams.get(SOURCE.name)
        if body.get("question") == STANDING.id and stream is not None and stream.running is not None:
            asked.standing.add(name)
            return
        interval, duration = body.get("interval", 1), body.get("duration")
        if not isinstance(interval, int) or not isinstance(duration, int | float | None):
            raise Refused(f"interval {interval!r} and duration {duration!r} must be numbers of seconds")
        run = self.door.ask(
            name,
            str(body.get("question", "")),
            asked.request.who,
            time.monotonic(),
            os=host.facts.os,
            allowed=host.host.dtrace,
            interval=interval,
            duration=duration,
            probes=probes,
            devices=self._names(host),
            lacking=_lacking(host, metric),
            way=way,
        )
        asked.runs[name] = run.id
        if run.id in self._live:
            return
        names = self._names(host)
        ctx = Context(name, host.facts.os, float(interval), recorded_as(host.facts.facts, run.name, names))
        parser = FrameParser(ctx, run.expected, names)
        tell = engine.recorded(host, ctx, SOURCE.name, ctx.os, run.command) or (lambda kind, at, words: None)
        live = _Live(run, parser, Ticks(float(interval)), host.link, listed=probes is not None, way=way)
        self._live[run.id] = live
        self._program(engine, name, run.name, run.who, run.program)

        def lines(at: float, got: list[str]) -> None:
            tell("out", at, got)
            batches: list[Batch] = []
            gap = live.gap()
            if gap:  # before these lines, or after them: the link does not say
                parser.cut()
            for line in got:
                try:
                    batches += parser.feed(line, at)
                except ParseError as e:
                    live.errors += 1
                    log.warning("cannot read", host=name, question=run.name, why=str(e))
            if gap:
                parser.cut()
            if batches or parser.running:
                engine.soon(lambda: self._arrived(engine, live, at, batches))

        def errors(at: float, got: list[str]) -> None:
            tell("err", at, got)
            live.stderr.extend(got)
            lost = parser.lost
            for line in got:
                parser.error(line, at)
            if parser.lost != lost:
                engine.soon(lambda: self.door.dropped(run, time.monotonic(), parser.lost))

        def closed(status: int | None, why: str) -> None:
            tell("end", time.time(), [f"{'' if status is None else status}", why])
            engine.soon(lambda: self._closed(engine, live, status, why))

        try:
            live.running = host.link.start(
                run.command, Sink(lines, errors, closed), limits=Limits(lines_per_second=LINES, lease=LEASE)
            )
        except LinkError as e:
            del self._live[run.id]
            self.door.forget(run)
            raise Refused(e.why) from e

    @staticmethod
    def _names(host: Any) -> Mapping[str, str]:
        """The host's devices by the kernel's name, as people call them: the standing question lists them."""
        stream = host.streams.get(SOURCE.name)
        found = getattr(stream.parser, "names", None) if stream is not None else None
        return found or {}

    def _settle(self, engine: Engine, asked: _Asked) -> None:
        """Tell the request's state where it has changed."""
        attached = [h for h, id_ in asked.runs.items() if id_ in self._live and self._live[id_].run.started is not None]
        why = "; ".join(f"{h}: {text}" for h, text in asked.over.items())
        hosts = self._mine(engine, asked.request)
        state = asked.state
        if len(asked.over) == len(hosts):
            state = "refused" if asked.refused == len(hosts) else "ended"
            self._asked.pop(asked.request.id, None)
        elif attached or asked.standing:
            state = "running"
        if state != asked.state:
            asked.state = state
            self._record(engine, asked.request, state, why)

    def _record(self, engine: Engine, request: Request, state: str, why: str) -> None:
        try:
            self.requests.update(request.id, state, why)
        except RequestError as e:
            log.warning("request", id=request.id, why=str(e))
            return
        if request.action == "keep_alive":
            return  # one each ten seconds of every page in sight: nothing to keep
        engine.add(
            "requests",
            time=[int(time.time() * 1e6)],
            request=[request.id],
            action=[request.action],
            body=[json.dumps(request.body)],
            who=[request.who],
            state=[state],
            why=[why],
            host=[",".join(self._mine(engine, request))],
        )

    # -- what links say ------------------------------------------------------------------------------------------

    def _arrived(self, engine: Engine, live: _Live, at: float, batches: list[Batch]) -> None:
        run, clock = live.run, time.monotonic()
        if run.id not in self._live:
            return
        if run.started is None:
            self.door.attached(run, clock, live.parser.pid)
            self._looks.setdefault(run.host, _Look()).at = clock
            for asked in list(self._asked.values()):
                if run.id in asked.runs.values():
                    self._settle(engine, asked)
            self._tell(engine)
        self.door.dropped(run, clock, live.parser.lost)
        offset = engine.hosts[run.host].offset or 0.0
        for i, b in enumerate(batches):
            # Several in one arrival were held up on the way: the last is of now.
            t = at - (len(batches) - 1 - i) * live.ticks.interval
            if b.time is not None and abs(b.time - offset - at) <= 30.0:
                t = b.time - offset
            tick = live.ticks.at(t)
            n = len(b.columns["keys"])
            if tick is not None:
                live.rows += n
                engine.add(b.table, **{**b.columns, "time": [int(tick * 1e6)] * n, "host": [run.host] * n})

    def _closed(self, engine: Engine, live: _Live, status: int | None, why: str) -> None:
        if live.run.id not in self._live:
            return
        os = live.parser.ctx.os
        known = host_.explain(live.stderr, os)
        if live.run.started is None and known and "no probe" in known[0] and not live.listed:
            self._list(engine, live)
            return
        if live.run.started is None and not live.run.stopping and not known and status == 1 and live.run.others:
            # Its compiler knows other types, of another release.
            self._again(engine, live, None, live.way + 1)
            return
        if known:
            why = f"{known[0]}; fix: {known[1]}" if known[1] else known[0]
        elif status:
            said = next((line for line in reversed(live.stderr) if line.strip()), why)
            # A compiler repeats the whole program before it says what is wrong.
            why = f"dtrace ended with status {status}: {said.rpartition('}: ')[2][-300:]}"
        elif status is None and not live.run.stopping:
            why = "the link dropped"
        elif live.run.started is None:
            why = f"dtrace ended before its probes were attached: {why}".rstrip(": ")
        elif time.monotonic() - live.run.started < live.run.limit - live.parser.ctx.interval - 2.0:
            why = "dtrace ended by itself before its time"
        else:
            why = ""
        self._end(engine, live, why)

    def _list(self, engine: Engine, live: _Live) -> None:
        """The first way found no probes: let the host's own list choose another, or say that none fits."""
        said: list[str] = []
        metric = live.run.name.partition("/")[0]
        done = lambda: self._again(engine, live, host_.probes("\n".join(said)))  # noqa: E731
        sink = Sink(lambda at, got: said.extend(got), closed=lambda s, why: engine.soon(done))
        live.listing = True
        live.running = self._also(live.link, host_.listing(metric, live.parser.ctx.os), sink)

    def _again(self, engine: Engine, live: _Live, probes: list[str] | None, way: int = 0) -> None:
        if self._live.pop(live.run.id, None) is None:
            return
        if probes is not None:
            self._probes[live.run.host, live.run.name.partition("/")[0]] = (live.link, probes)
        self.door.forget(live.run)
        for asked in list(self._asked.values()):
            if asked.runs.get(live.run.host) == live.run.id:
                del asked.runs[live.run.host]
                try:
                    self._admit(engine, asked, live.run.host, probes, way)
                except Refused as e:
                    asked.refused += 1
                    asked.over[live.run.host] = str(e)
                self._settle(engine, asked)
        self._tell(engine)

    def _end(self, engine: Engine, live: _Live, why: str) -> None:
        self._live.pop(live.run.id, None)
        if live.running and not live.stopped:
            live.running.stop()
        said = self.door.ended(live.run, why)
        self._figure(engine, live, time.monotonic(), "ended")
        for asked in list(self._asked.values()):
            if live.run.id in asked.runs.values():
                asked.over[live.run.host] = said
                self._settle(engine, asked)
        self._tell(engine)

    # -- limits ------------------------------------------------------------------------------------------------------

    def _stop(self, live: _Live | None) -> None:
        if live and live.running and not live.stopped:
            live.stopped = True
            live.running.stop()

    def _look(self, engine: Engine, clock: float) -> None:
        """Ask each host for the CPU time of its dtraces, one look at a time."""
        policy, runs = self.door.policy, self.door.runs.values()
        counted: dict[str, dict[int, Callable[[float, float], None]]] = {}
        for live in self._live.values():
            if live.run.pid and live.run.started is not None:
                counted.setdefault(live.run.host, {})[live.run.pid] = partial(self.door.spent, live.run)
        for name, standing in self._standing.items():
            if pid := standing.stream.parser.pid:
                counted.setdefault(name, {})[pid] = standing.cpu.add
        for name, pids in counted.items():
            look, host = self._looks.setdefault(name, _Look()), engine.hosts[name]
            if clock < max(look.at, look.until) or host.link is None or host.facts is None:
                continue
            # The first figure soon, for somebody waits for it; then at leisure.
            young = any(r.host == name and r.started is not None and clock - r.started < 5.0 for r in runs)
            look.at, look.until = clock + (min(1.5, policy.look) if young else policy.look), clock + 30.0
            sink = Sink(partial(self._seen, engine, pids), closed=partial(_again, look))
            self._also(host.link, cost.command(host.facts.os, pids), sink)

    def _seen(
        self, engine: Engine, pids: Mapping[int, Callable[[float, float], None]], at: float, got: list[str]
    ) -> None:
        for line in got:
            found = cost.read(line)
            if found and found[0] in pids:
                engine.soon(partial(pids[found[0]], time.monotonic(), found[1]))

    # -- what it costs -----------------------------------------------------------------------------------------------

    def _stand(self, engine: Engine) -> None:
        """Follow the standing question: a new stream of it is a new program."""
        for name, host in engine.hosts.items():
            stream = host.streams.get(SOURCE.name)
            up = host.link is not None and stream is not None and stream.running is not None
            known = self._standing.get(name)
            if not up or not stream.parser.running:
                self._standing.pop(name, None)
            elif known is None or known.stream is not stream:
                self._standing[name] = _Standing(stream)
                self._looks.setdefault(name, _Look()).at = 0.0
                self._program(engine, name, STANDING.id, "zonescope", standing_program(stream.ctx))

    def _program(self, engine: Engine, host: str, question: str, who: str, text: str) -> None:
        now = [int(time.time() * 1e6)]
        engine.add("dtrace_programs", time=now, host=[host], question=[question], who=[who], program=[text])

    def _figures(self, engine: Engine, clock: float) -> None:
        for live in self._live.values():
            self._figure(engine, live, clock, "starting" if live.run.started is None else "running")
        for name, standing in list(self._standing.items()):
            stream = standing.stream
            standing.lost.add(clock, stream.parser.lost)
            if why := self.door.too_dear(standing.cpu, standing.lost):
                del self._standing[name]
                engine.rest(name, SOURCE.name, REST, f"{why}; it rests for {REST / 60:.0f} minutes")
                engine.event(name, "dtrace", STANDING.id, "warn", f"D question ended: {why}", "zonescope")
                continue
            self._row(
                engine,
                name,
                question=STANDING.id,
                state="running",
                who="zonescope",
                requests=",".join(a.request.id for a in self._asked.values() if name in a.standing),
                cpu=cost.share(standing.cpu, stream.ctx.os),
                drops=float(stream.parser.lost),
            )

    def _figure(self, engine: Engine, live: _Live, clock: float, state: str) -> None:
        run = live.run
        self._row(
            engine,
            run.host,
            question=run.name,
            state=state,
            who=run.who,
            requests=",".join(a.request.id for a in self._asked.values() if run.id in a.runs.values()),
            cpu=cost.share(run.cpu, live.parser.ctx.os),
            drops=float(live.parser.lost),
            rows=float(live.rows),
            left=None if run.started is None else max(0.0, run.started + run.limit - clock),
        )

    def _row(self, engine: Engine, host: str, **values: Any) -> None:
        second = int(time.time()) + (values["state"] == "ended")  # after the last one of the run
        engine.add(
            "dtrace_runs", time=[second * 1_000_000], host=[host], **{name: [value] for name, value in values.items()}
        )

    def _also(self, link: Link, command: str, sink: Sink) -> Running | None:
        """A command beside a run; where the link is gone, the run's own end tells."""
        try:
            return link.start(command, sink)
        except LinkError as e:
            log.info("link", host=e.host, why=e.why)
            return None

    def _tell(self, engine: Engine) -> None:
        for e in self.door.events():
            engine.event(e["host"], e["kind"], e["object"], e["severity"], e["text"], e["who"])


def _lacking(host: Any, metric: str) -> str:
    """Why no D program can run on `host` whatever the inventory says, '' where nothing is known against it. What the
    inventory allows is tried all the same where a probe failed: privileges may have come since."""
    facts = host.facts
    if facts.facts.get("dtrace_at") == "none":
        return f"there is no dtrace on {host.name}, along PATH; fix: {FIX.get(facts.os) or 'install it'}"
    lack = next((m for m in facts.missing if m.source == SOURCE.name), None)
    if lack is None or {metric, "*"} & set(host.host.dtrace):
        return ""
    return f"dtrace does not work on {host.name}: {lack.why}; fix: {lack.fix}"


def _again(look: _Look, status: int | None, why: str) -> None:
    look.until = 0.0
