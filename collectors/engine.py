"""Runs every source on every host and appends what they say, once a beat, to the store.

Lifecycle: `Engine.run` is the one loop and owns all state. Each connection attempt is a short-lived daemon thread;
the links' poller calls the sinks, which only parse and enqueue. Nothing here waits for a host, so a dead one never
holds up another.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import pyarrow as pa
import structlog

from collectors import probe
from collectors.base import Batch, Context, Parser, Source, Variant
from collectors.inventory import Host, Inventory
from collectors.links import Backoff, Limits, Link, LinkError, LinkOptions, Running, Sink, make_link
from collectors.reading import Rows, parse, place, ticks
from collectors.stamp import Ticks
from collectors.zones.moves import Moves

log = structlog.get_logger("collector")

SILENT_INTERVALS = 5
"""A stream that has spoken and then says nothing for this many intervals (at least 4 s) is taken for dead."""
FIRST_LINE_WITHIN = 90.0
"""dtrace may take 40 s to start on a loaded machine."""
QUIET_START = 10.0
"""A stream that is read without complaint for so long is well, though no row has come of it."""
RETRY_MISSING = 300.0
COMMAND = 500
"""Characters of a command that are told with an error."""
MANY = 40
"""From so many hosts on rows are gathered for half a second instead of a quarter: fewer, larger appends."""
KEEP_UNWRITTEN = 120.0
"""Seconds of frames held in memory while the store refuses them (disk full)."""


REBOOT_APART = 5
"""Seconds between two boot times that are not the same boot."""

Tell = Callable[[str, float, list[str]], None]
"""`tell(kind, at, words)` from any thread, never blocking: "out" and "err" lines, "idle" [], "end" [status, why]."""
Told = Mapping[str, tuple[str, str]]
"""Facts of a host as they were written: value and fix by name."""
Tap = Callable[[Context, str, str, str, float, Told], Tell]
"""`tap(ctx, source, variant, command, offset, told)`: a command is about to start (see collectors.recorder)."""
LAST_WORDS = 0.3
"""Seconds that the end of all waits for what their commands have said last."""


class Store(Protocol):
    """What the engine needs of frames.store.Writer."""

    def append(self, second: int, frames: Mapping[str, pa.Table]) -> int: ...


@dataclass(slots=True)
class Stream:
    """One source running on one host."""

    source: str
    variant: Variant
    ctx: Context
    parser: Parser
    ticks: Ticks
    generation: int
    started: float
    running: Running | None = None
    over: bool = False
    last_line: float = 0.0
    newest: float = 0.0
    state: str = "starting"
    lines: int = 0
    rows: int = 0
    refused: int = 0
    dropped: int = 0
    """Lines that the link had dropped at the last health row."""
    errors: int = 0
    lag: float = 0.0
    why: str = ""
    complaint: str = ""
    """Last parse error since the last health row."""
    quiet_until: float = 0.0
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    restarts: Backoff = field(default_factory=Backoff)
    restart_at: float | None = None


@dataclass(slots=True)
class HostRun:
    """One host: its link, its state, its streams."""

    name: str
    host: Host
    state: str = "connecting"
    reason: str = "first connection"
    since: float = 0.0
    attempt: int = 0
    due: float | None = 0.0
    generation: int = 0
    link: Link | None = None
    facts: probe.HostFacts | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    offset: float | None = None
    backoff: Backoff = field(default_factory=Backoff)
    told: dict[str, tuple[str, str]] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    """What a source's parser knew of its zones: a zone that halts while the link is down is told after it."""


@dataclass(slots=True)
class _Arrived:
    host: HostRun
    stream: Stream
    at: float
    batches: list[Batch]


class Engine:
    """Collects `inventory` into `store` until `stop` is set.

    `tap` is told of every start on a host with ``record = true``, and what it returns of every raw line. Raises
    nothing while running: what goes wrong is an event, a host's state or a source's health.
    """

    def __init__(
        self,
        inventory: Inventory,
        store: Store,
        sources: Mapping[str, Source],
        *,
        link: Callable[[LinkOptions], Link] = make_link,
        beat: float | None = None,
        tap: Tap | None = None,
        each_beat: Iterable[Callable[[Engine, float], None]] = (),
    ) -> None:
        self.inventory, self.store, self.sources = inventory, store, sources
        self._make_link, self._tap = link, tap
        self._beat = beat or (0.25 if len(inventory.hosts) <= MANY else 0.5)
        self._each_beat = list(each_beat)
        self.hosts = {name: HostRun(name, host, since=time.time()) for name, host in inventory.hosts.items()}
        self._inbox: queue.SimpleQueue[_Arrived] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._rows = Rows()
        self._moves = Moves((pair.source, pair.target) for pair in inventory.pairs)
        fact = pairs_fact(inventory)
        self._pairs = dict(zip(fact["host"], fact["value"], strict=True))
        self._unwritten: deque[tuple[int, dict[str, pa.Table]]] = deque()
        self._store_down = False
        self.lags: deque[float] = deque(maxlen=100_000)
        """Seconds from an arrival to its durable append, newest last; read by the benchmark."""

    # -- the loop ------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Collect until `stop`; then end every command and link, and write what has arrived."""
        self.event("", "collector", "", "info", f"collector started, {len(self.hosts)} hosts")
        next_beat = time.monotonic()
        next_second = next_beat
        next_health = next_beat
        while not stop.is_set():
            now = time.monotonic()
            while not self._calls.empty():
                self._calls.get()()
            for run in self.hosts.values():
                self._watch(run, now)
            for call in self._each_beat:
                call(self, time.time())
            if now >= next_second:
                next_second += 1.0 + int(now - next_second)
                self._link_rows()
                if now >= next_health:
                    next_health = now + 5.0
                    self._health_rows()
            self.flush()
            next_beat = max(next_beat + self._beat, time.monotonic())
            stop.wait(max(0.0, next_beat - time.monotonic()))
        for call in self._each_beat:
            if stopped := getattr(call, "stopped", None):
                stopped(self)
        for run in self.hosts.values():
            run.generation += 1
            if run.link:
                run.link.close()
        until = time.monotonic() + LAST_WORDS
        while time.monotonic() < until and any(
            s.running and not s.over for run in self.hosts.values() if run.link for s in run.streams.values()
        ):
            time.sleep(0.01)
        self.event("", "collector", "", "info", "collector stopped")
        self.flush()

    def soon(self, call: Callable[[], None]) -> None:
        """Run `call` in the loop at its next turn; may be called from any thread."""
        self._calls.put(call)

    # -- rows to the store ---------------------------------------------------------------------------------

    def add(self, table: str, **columns: list[Any]) -> None:
        """Queue rows for the next beat; `time` in microseconds since the epoch. Absent columns are NA."""
        self._rows.add(table, **columns)

    def recorded(self, run: HostRun, ctx: Context, source: str, variant: str, command: str) -> Tell | None:
        """What to tell of a command that is about to start on the host, None where its lines are not recorded."""
        if not (self._tap and run.host.record):
            return None
        told = {**run.told, "pairs": (self._pairs[run.name], "")}
        return self._tap(ctx, source, variant, command, run.offset or 0.0, told)

    def event(
        self, host: str, kind: str, what: str, severity: str, text: str, who: str = "zonescope", at: float | None = None
    ) -> None:
        """One row of the events table, stamped now or `at`."""
        self.add(
            "events",
            time=[int((time.time() if at is None else at) * 1e6)],
            host=[host],
            kind=[kind],
            object=[what],
            severity=[severity],
            text=[text],
            who=[who],
        )

    def flush(self) -> None:
        """Gather what has arrived into a frame per table and append it durably."""
        arrived: list[tuple[Stream, float]] = []
        while not self._inbox.empty():
            item = self._inbox.get()
            self._place(item)
            arrived.append((item.stream, item.at))
        frames = self._rows.take()
        if frames:
            self._unwritten.append((int(time.time()), frames))
        while self._unwritten:
            second, frames = self._unwritten[0]
            try:
                self.store.append(second, frames)
            except Exception as e:
                if not self._store_down:
                    self._store_down = True
                    log.error("store refuses frames; held in memory", why=str(e), seconds=KEEP_UNWRITTEN)
                lost = 0
                while self._unwritten and self._unwritten[0][0] < time.time() - KEEP_UNWRITTEN:
                    self._unwritten.popleft()
                    lost += 1
                if lost:
                    log.error("frames lost: the store has refused them too long", beats=lost)
                break
            self._unwritten.popleft()
            if self._store_down:
                self._store_down = False
                log.info("store accepts frames again")
                self.event("", "collector", "", "warn", "the store refused frames for a while")
        done = time.time()
        for stream, at in arrived:
            stream.lag = max(stream.lag, done - at)
            self.lags.append(done - at)

    def _place(self, item: _Arrived) -> None:
        """Stamp an arrival's batches and add their rows."""
        run, stream = item.host, item.stream
        for host, zone, severity, text in self._moves.see(run.name, item.batches, item.at):
            self.event(host, "zone", zone, severity, text, at=item.at)
        placed = place(
            self._rows,
            run.name,
            item.batches,
            item.at,
            interval=stream.ctx.interval,
            offset=run.offset or 0.0,
            ticks=stream.ticks,
        )
        stream.refused += placed.refused
        if placed.rows:
            stream.newest = placed.newest
            stream.rows += placed.rows
            stream.state, stream.why = "ok", ""
            stream.restarts.reset()

    def _link_rows(self) -> None:
        now, runs = time.time(), list(self.hosts.values())
        clock = time.monotonic()
        self.add(
            "links",
            time=[int(now) * 1_000_000] * len(runs),
            host=[r.name for r in runs],
            state=[r.state for r in runs],
            reason=[r.reason for r in runs],
            since=[int(r.since * 1e6) for r in runs],
            attempt=[float(r.attempt) for r in runs],
            next_try=[max(0.0, r.due - clock) if r.due is not None and r.state != "up" else None for r in runs],
            clock_offset=[r.offset for r in runs],
        )

    def _health_rows(self) -> None:
        now = int(time.time()) * 1_000_000
        for run in self.hosts.values():
            streams = list(run.streams.values())
            missing = run.facts.missing if run.facts else []
            if not streams and not missing:
                continue
            for s in streams:
                if s.state == "starting" and s.lines and not s.errors and time.monotonic() - s.started > QUIET_START:
                    s.state = "ok"  # it is read, and has nothing to tell: no stream runs, no pool is there
            n = len(streams)
            dropped = [s.running.dropped if s.running else s.dropped for s in streams]
            self.add(
                "source_health",
                time=[now] * (n + len(missing)),
                host=[run.name] * (n + len(missing)),
                source=[s.source for s in streams] + [m.source for m in missing],
                state=[s.state if run.state == "up" else "stale" for s in streams] + ["missing"] * len(missing),
                newest=[int(s.newest * 1e6) if s.newest else None for s in streams] + [None] * len(missing),
                lag=[s.lag if s.lag else None for s in streams] + [None] * len(missing),
                lines=[float(s.lines) for s in streams] + [None] * len(missing),
                rows=[float(s.rows) for s in streams] + [None] * len(missing),
                dropped=[float(s.refused + so_far - s.dropped) for s, so_far in zip(streams, dropped, strict=True)]
                + [None] * len(missing),
                errors=[float(s.errors) for s in streams] + [None] * len(missing),
                why=[s.complaint or s.why for s in streams] + [m.why for m in missing],
                fix=[_fix(s) for s in streams] + [m.fix for m in missing],
                command=[s.variant.command(s.ctx)[:COMMAND] if s.complaint or s.why else "" for s in streams]
                + [""] * len(missing),
            )
            for s, so_far in zip(streams, dropped, strict=True):
                s.dropped = so_far
                s.lines = s.rows = s.errors = s.refused = 0
                s.lag, s.complaint = 0.0, ""

    # -- links ---------------------------------------------------------------------------------------------

    def _watch(self, run: HostRun, now: float) -> None:
        """One host's turn: connect when due, notice a dead or silent link, restart what ended."""
        if run.link is None:
            if run.due is not None and now >= run.due:
                run.due = None
                run.attempt += 1
                run.generation += 1
                threading.Thread(
                    target=self._connect, args=(run, run.generation), name=f"connect {run.name}", daemon=True
                ).start()
            return
        if not run.link.alive:
            self._lost(run, run.link.broken or "the SSH connection broke")
            return
        silent, live = [], 0
        for stream in run.streams.values():
            if stream.restart_at is not None:
                if now >= stream.restart_at:
                    stream.restart_at = None
                    self._start(run, stream)
                continue
            if stream.running is None:
                continue
            live += 1
            quiet = now - (stream.last_line or stream.started)
            bound = max(4.0, SILENT_INTERVALS * stream.ctx.interval) if stream.last_line else FIRST_LINE_WITHIN
            if quiet > bound:
                silent.append(stream)
        if not silent:
            return
        spoke = [s for s in silent if s.last_line]
        if spoke and len(silent) == live:
            self._lost(run, f"no source has said anything for {now - max(s.last_line for s in spoke):.0f} s")
            return
        for stream in silent:
            stream.state, stream.why = "stale", "it fell silent and is started again"
            self._end_stream(run, stream)
            self._later(stream, now)

    def _connect(self, run: HostRun, generation: int) -> None:
        """In a thread of its own: connect, probe, start. What comes of it is handed to the loop."""
        try:
            link = self._make_link(run.host.link_options(run.name))
            link.connect()
        except LinkError as e:
            failure = e
            self._calls.put(lambda: self._failed(run, generation, failure.why, failure.fix, failure.final))
            return
        except Exception as e:  # an unforeseen failure of one host must not pass for success or stop the others
            why = f"{type(e).__name__}: {e}"
            log.exception("connect failed", host=run.name)
            self._calls.put(lambda: self._failed(run, generation, why, "", False))
            return
        try:
            facts, offset = survey(link, run.host, self.sources)
        except (LinkError, probe.UnknownSystem) as e:
            link.close()
            why = e.why if isinstance(e, LinkError) else str(e)
            self._calls.put(lambda: self._failed(run, generation, why, "", False))
            return
        self._calls.put(lambda: self._up(run, generation, link, facts, offset))

    def _failed(self, run: HostRun, generation: int, why: str, fix: str, final: bool) -> None:
        if generation != run.generation:
            return
        state = "refused" if final else "down"
        reason = f"{why}; fix: {fix}" if fix else why
        if (state, reason) != (run.state, run.reason):
            log.warning("host is not reachable", host=run.name, why=why, fix=fix or None, attempt=run.attempt)
        if run.state != state:
            self._set_state(run, state, reason)
        run.reason = reason
        run.due = time.monotonic() + (60.0 if final else run.backoff.next())

    def _up(self, run: HostRun, generation: int, link: Link, facts: probe.HostFacts, offset: float | None) -> None:
        if generation != run.generation:
            link.close()
            return
        before = run.facts
        run.link, run.facts, run.offset = link, facts, offset
        run.attempt = 0
        run.backoff.reset()
        self._set_state(run, "up", "")
        self._fact_rows(run)
        if before and rebooted(before.facts, facts.facts):
            self.event(run.name, "reboot", "", "warn", f"{run.name} was rebooted while the link was down")
        run.streams.clear()
        for name, variant in facts.chosen.items():
            source = self.sources[name]
            interval = run.host.intervals.get(name, source.interval)
            options = {**run.host.options, "dtrace": ",".join(run.host.dtrace)}
            ctx = probe.context(run.name, facts, interval, options)
            stream = Stream(name, variant, ctx, variant.parser(ctx), ticks(interval), generation, time.monotonic())
            run.streams[name] = stream
            self._start(run, stream)
        log.info(
            "host is up",
            host=run.name,
            os=facts.os,
            sources=",".join(facts.chosen),
            missing=",".join(m.source for m in facts.missing) or None,
        )

    def _lost(self, run: HostRun, why: str) -> None:
        link, run.link = run.link, None
        run.generation += 1
        for stream in run.streams.values():
            stream.running = None
            stream.restart_at = None
        self._set_state(run, "down", why)
        run.due = time.monotonic() + run.backoff.next()
        log.warning("host is down", host=run.name, why=why)
        if link:
            threading.Thread(target=link.close, name=f"close {run.name}", daemon=True).start()

    def _set_state(self, run: HostRun, state: str, reason: str) -> None:
        if state == run.state:
            return
        was, run.state, run.reason, run.since = run.state, state, reason, time.time()
        if state == "up":
            text = "link up" if was == "connecting" else "link up again"
            self.event(run.name, "link", "", "info", text)
        else:
            self.event(run.name, "link", "", "bad", f"link {state}: {reason}")

    def _fact_rows(self, run: HostRun) -> None:
        """Write the facts that are new or have changed since they were last told."""
        assert run.facts
        facts = run.facts
        now = {name: (value, "") for name, value in facts.facts.items() if name != "now"}
        now["os"] = (facts.os, "")
        now["title"] = (probe.title(facts.facts), "")
        now["sources"] = (",".join(facts.chosen), "")
        now["dtrace"] = (",".join(run.host.dtrace), "")
        now |= {f"tool:{source}": (v.tool or v.name, "") for source, v in facts.chosen.items()}
        if run.host.model:
            now["model"] = (run.host.model, "")
        for m in facts.missing:
            now[f"missing:{m.source}"] = (m.why, m.fix)
        for gone in [n for n in run.told if n.startswith("missing:") and n not in now]:
            now[gone] = ("", "")
        changed = {n: v for n, v in now.items() if run.told.get(n) != v}
        if not changed:
            return
        run.told.update(changed)
        stamp = int(time.time() * 1e6)
        self.add(
            "host_facts",
            time=[stamp] * len(changed),
            host=[run.name] * len(changed),
            fact=list(changed),
            value=[v for v, _ in changed.values()],
            fix=[f for _, f in changed.values()],
        )

    # -- streams -------------------------------------------------------------------------------------------

    def _start(self, run: HostRun, stream: Stream) -> None:
        """Start `stream` afresh: a new parser, new ticks, a new command on the host."""
        assert run.link
        fresh = Stream(
            stream.source,
            stream.variant,
            stream.ctx,
            stream.variant.parser(stream.ctx),
            ticks(stream.ctx.interval),
            run.generation,
            time.monotonic(),
            newest=stream.newest,
            state=stream.state,
            why=stream.why,
            restarts=stream.restarts,
        )
        run.streams[stream.source] = fresh
        if hasattr(fresh.parser, "states"):
            fresh.parser.states = run.states.setdefault(stream.source, fresh.parser.states)
        command = stream.variant.command(stream.ctx)
        tell = self.recorded(run, stream.ctx, stream.source, stream.variant.name, command)
        try:
            source = self.sources[stream.source]
            limits = Limits(lines_per_second=source.lines_per_second, lease=source.lease)
            fresh.running = run.link.start(command, self._sink(run, fresh, tell), limits=limits)
        except LinkError as e:
            fresh.state, fresh.why = "failed", e.why
            self._later(fresh, time.monotonic())

    def _sink(self, run: HostRun, stream: Stream, tell: Tell | None) -> Sink:
        parser = stream.parser
        on_error = getattr(parser, "error", None)

        def take(at: float, calls: Iterable[Callable[[], list[Batch]]]) -> None:
            batches = parse(calls, lambda why: self._parse_error(run, stream, why))
            if batches:
                self._inbox.put(_Arrived(run, stream, at, batches))

        def lines(at: float, got: list[str]) -> None:
            stream.last_line = time.monotonic()
            stream.lines += len(got)
            if tell:
                tell("out", at, got)
            take(at, (partial(parser.feed, line, at) for line in got))

        def errors(at: float, got: list[str]) -> None:
            stream.stderr.extend(got)
            if tell:
                tell("err", at, got)
            if on_error:
                take(at, (partial(on_error, line, at) for line in got))

        def closed(status: int | None, why: str) -> None:
            at = time.time()
            if tell:
                tell("end", at, [f"{'' if status is None else status}", why])
            take(at, [lambda: parser.end(at)])
            stream.over = True
            self._calls.put(lambda: self._ended(run, stream, status, why))

        def idle(at: float) -> None:
            if tell:
                tell("idle", at, [])
            take(at, [lambda: parser.idle(at)])

        return Sink(lines, errors, closed, idle)

    def _parse_error(self, run: HostRun, stream: Stream, why: str) -> None:
        stream.errors += 1
        stream.complaint = why
        now = time.monotonic()
        if now >= stream.quiet_until:
            stream.quiet_until = now + 60.0
            log.warning("cannot read; not told again for a minute", host=run.name, source=stream.source, why=why)

    def _end_stream(self, run: HostRun, stream: Stream) -> None:
        running, stream.running = stream.running, None
        if running:
            running.stop()

    def _ended(self, run: HostRun, stream: Stream, status: int | None, why: str) -> None:
        """A command ended by itself: say why, try again later."""
        if stream.generation != run.generation or run.streams.get(stream.source) is not stream:
            return
        if stream.running is None or run.link is None:
            return
        stream.running = None
        if not run.link.alive:
            return  # the link ended with all its commands, which is told once
        said = next((line for line in reversed(stream.stderr) if line.strip()), "") or why
        stream.state = "missing" if status in (126, 127) else "failed"
        stream.why = f"`{stream.variant.command(stream.ctx)[:120]}` ended with status {status}: {said}"
        log.warning("source ended", host=run.name, source=stream.source, status=status, why=said)
        self.event(run.name, "collector", stream.source, "warn", f"{stream.source} ended: {said or status}")
        if stream.state == "missing":
            stream.restart_at = time.monotonic() + RETRY_MISSING
        else:
            self._later(stream, time.monotonic())

    def rest(self, host: str, source: str, seconds: float, why: str) -> None:
        """End a source that costs its host too much, and start it again after `seconds`."""
        run = self.hosts[host]
        stream = run.streams[source]
        stream.state, stream.why = "failed", why
        self._end_stream(run, stream)
        stream.restart_at = time.monotonic() + seconds

    def _later(self, stream: Stream, now: float) -> None:
        stream.restart_at = now + stream.restarts.next()


_COMMA = re.compile(r"\d,\d")


def _fix(stream: Stream) -> str:
    """What to do about lines that cannot be read."""
    if not stream.complaint:
        return ""
    if _COMMA.search(stream.complaint.rpartition(": ")[2]):
        return (
            "the numbers have decimal commas: something on the host sets its locale after zonescope's LC_ALL=C; "
            "end the account's start-up file (~/.profile) with: LC_ALL=C; export LC_ALL"
        )
    return (
        f"save what the command prints and see: zonescope parse {stream.source} FILE --os {stream.ctx.os}; "
        f"to do without it, leave {stream.source} out of the host's sources in hosts.toml"
    )


def rebooted(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether the host's facts tell of another boot. Linux counts btime from the uptime, so it wobbles by seconds."""
    was, now = before.get("boot_time", ""), after.get("boot_time", "")
    return was.isdecimal() and now.isdecimal() and abs(int(now) - int(was)) > REBOOT_APART


def survey(link: Link, host: Host, sources: Mapping[str, Source]) -> tuple[probe.HostFacts, float | None]:
    """What the host at the other end is, which variants work, and its clock's offset in seconds.

    Raises LinkError when it does not answer, probe.UnknownSystem when it is nothing we know.
    """
    asked = time.time()
    status, out, err = link.run(probe.FACTS)
    answered = time.time()
    raw = probe.read(out)
    if "sysname" not in raw:
        said = (err.strip() or out.strip() or "nothing").splitlines()[-1][:200]
        raise LinkError(link.options.host, f"the probe got no answer from uname (status {status}): {said}")
    facts = probe.normalise(raw)
    os = probe.system(raw) if host.os == "auto" else host.os
    wanted = [sources[name] for name in host.sources if name in sources]
    if not {"disk_io", "*"} & set(host.dtrace):  # the standing question is one of disk_io
        wanted = [source for source in wanted if source.name != "dtrace"]
    _, said, _ = link.run(probe.probes(wanted, os), timeout=60.0)
    now = facts.get("now", "")
    # `date +%s` has whole seconds: on average half a second has passed since the one it names.
    offset = float(now) + 0.5 - (asked + answered) / 2 if now.isdigit() else None
    if offset is not None and abs(offset) <= 1.0 + (answered - asked):
        offset = 0.0
    return probe.choose(os, facts, wanted, probe.read(said)), offset


def pairs_fact(inventory: Inventory) -> dict[str, list[Any]]:
    """The inventory's pairs as host_facts rows, so that pages know them: each host's fact 'pairs' is a JSON object of
    those that begin there by their number, also where none does (any more)."""
    hosts = list(inventory.hosts)
    of: dict[str, dict[int, Any]] = {h: {} for h in hosts}
    for i, pair in enumerate(inventory.pairs):
        of[pair.source][i] = pair.model_dump(mode="json")
    return {
        "time": [int(time.time() * 1e6)] * len(hosts),
        "host": hosts,
        "fact": ["pairs"] * len(hosts),
        "value": [json.dumps(of[h]) for h in hosts],
        "fix": [""] * len(hosts),
    }
