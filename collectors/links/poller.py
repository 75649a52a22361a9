"""One thread reads every command of every link of this process and calls their sinks.

Lifecycle: the thread starts with the first link, is a daemon, and sleeps without waking while no link is open.
While one is, it turns every `TICK` seconds: it reads what has become ready since (paramiko's transport threads
mark their channels, child processes' pipes are asked of the kernel), calls `idle` for bursts that are over, ends
what has ended, and lets every link look after itself. It never blocks on a host.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from collectors.lines import LineSplitter
from collectors.links.base import Limits, LinkOptions, Sink
from collectors.links.shell import BEATS, MARK

log = structlog.get_logger(__name__)

TICK = 0.04
IDLE = 0.1
NOISE_LINES = 20
LOOK = 0.25
END_GRACE = 2.0
"""Seconds that a stopped command has for its last words and its exit status before its channel is closed."""


@dataclass(slots=True)
class Startup:
    """What the login shell did before our command began: `seconds` it took (None: not begun), what it printed."""

    seconds: float | None = None
    noise: list[str] = field(default_factory=list)


class Watched(Protocol):
    """A link, as the poller sees it."""

    def look(self, now: float) -> None:
        """Every `LOOK` seconds, on the poller's thread; must not block. `now` is time.monotonic()."""
        ...


class Command:
    """A started command: cuts off what came before the marker, splits, bounds and passes on (see base.Running).

    A link's subclass provides `read(at)` (take what is there; True while more is left than one turn takes),
    `ending()` (the end has begun), `over()` (and nothing more will come), `release()` (give back channel or child;
    returns the exit status) and `beat()` (write a line to its standard input; never blocks).
    """

    def __init__(self, host: str, text: str, sink: Sink, limits: Limits | None, merged: bool = False) -> None:
        self.host, self.text, self.sink = host, text, sink
        self.limits = limits or Limits()
        self.startup = Startup()
        self.began = time.monotonic()
        self._beaten = self.began
        self.stopped = 0.0  # when `stop` was called
        self.why = ""  # why it ended, where its status does not say
        self.finished = threading.Event()
        self.marked = 0.0  # arrival of the first data not yet read, epoch seconds; 0: none
        self.burst = 0.0  # when the last stdout line came that `idle` has not followed yet
        self._out = LineSplitter(self.limits.line)
        self._err = LineSplitter(self.limits.line)
        self._out_begun = False
        self._err_begun = merged  # a pty has one output only
        self._second = 0
        self._count = 0
        self._dropped = 0

    @property
    def dropped(self) -> int:
        return self._dropped + self._out.cut + self._err.cut

    # -- what a link provides ------------------------------------------------------------------------------

    def read(self, at: float) -> bool:
        raise NotImplementedError

    def ending(self) -> bool:
        raise NotImplementedError

    def over(self) -> bool:
        raise NotImplementedError

    def release(self) -> int | None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def beat(self) -> None:
        raise NotImplementedError

    # -- on the poller's thread ----------------------------------------------------------------------------

    def take_out(self, at: float, data: bytes) -> None:
        lines = self._out.feed(data)
        if not self._out_begun:
            lines = self._begin_out(lines)
        if lines:
            self._pass_out(at, lines)

    def _begin_out(self, lines: list[str]) -> list[str]:
        noise = self.startup.noise
        for i, line in enumerate(lines):
            if line.endswith(MARK):
                self._out_begun = True
                self.startup.seconds = time.monotonic() - self.began
                if line != MARK and len(noise) < NOISE_LINES:
                    noise.append(line.removesuffix(MARK)[:200])
                return lines[i + 1 :]
            if len(noise) < NOISE_LINES:
                noise.append(line[:200])
        return []

    def _pass_out(self, at: float, lines: list[str]) -> None:
        lines = self._within_rate(lines)
        if lines:
            self.burst = time.monotonic()
            self._call("lines", at, lines)

    def take_err(self, at: float, data: bytes) -> None:
        lines = self._err.feed(data)
        if not self._err_begun:
            for i, line in enumerate(lines):
                if line.endswith(MARK):
                    self._err_begun = True
                    lines = lines[i + 1 :]
                    break
                if len(self.startup.noise) < NOISE_LINES and not line.startswith("mux_client_"):  # ssh's own words
                    self.startup.noise.append(line[:200])
            else:
                return
        lines = self._within_rate(lines)
        if lines:
            self._call("errors", at, lines)

    def _within_rate(self, lines: list[str]) -> list[str]:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        room = max(0, self.limits.lines_per_second - self._count)
        if len(lines) > room:
            self._dropped += len(lines) - room
            lines = lines[:room]
        self._count += len(lines)
        return lines

    def beat_if_due(self, now: float) -> None:
        """Keep its lease; a little more often than it counts."""
        lease = self.limits.lease
        if lease and not self.stopped and now - self._beaten >= 0.8 * lease / BEATS:
            self._beaten = now
            self.beat()

    def idle_if_due(self, now: float) -> bool:
        """True once the burst is over (and told)."""
        if now - self.burst < IDLE:
            return False
        self.burst = 0.0
        self._call("idle", time.time())
        return True

    def finish(self) -> None:
        """Last words, then `closed`, once."""
        at = time.time()
        if self._out_begun and (last := self._out.end()):
            self._pass_out(at, last)
        if self._err_begun and (last := self._err.end()):
            self._call("errors", at, last)
        status = self.release()
        why = self.why or ("stopped" if self.stopped else "")
        if status is not None and not self.stopped:
            why = f"it ended with status {status}"
        if not self._out_begun and not self.stopped:
            said = " / ".join(line for line in self.startup.noise if line.strip())[:300]
            why = (why or "it ended") + " before it began" + (f"; the login shell said: {said}" if said else "")
        self._call("closed", None if self.stopped else status, why)

    def _call(self, what: str, *args: Any) -> None:
        try:
            getattr(self.sink, what)(*args)
        except Exception:  # one sink's fault must not end the reading of all
            log.exception("a sink failed", host=self.host, command=self.text[:120], sink=what)


class Poller:
    """See the module's first lines. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._links: set[Watched] = set()
        self._ready: deque[Command] = deque()
        self._ending: dict[Command, None] = {}
        self._bursts: dict[Command, None] = {}
        self._selector = selectors.DefaultSelector()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, link: Watched) -> None:
        with self._lock:
            self._links.add(link)
            self._busy.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="links", daemon=True)
                self._thread.start()

    def forget(self, link: Watched) -> None:
        with self._lock:
            self._links.discard(link)

    def mark(self, command: Command) -> None:
        """Something is there to read, or the command has ended."""
        if not command.marked:
            command.marked = time.time()
            self._ready.append(command)

    def add_fd(self, fd: int, command: Command) -> None:
        self._selector.register(fd, selectors.EVENT_READ, command)

    def drop_fd(self, fd: int) -> None:
        self._selector.unregister(fd)

    def _run(self) -> None:
        looked = 0.0
        while True:
            try:
                now = time.monotonic()
                self._turn(now)
                if now - looked >= LOOK:
                    looked = now
                    with self._lock:
                        links = list(self._links)
                        if not (links or self._ending or self._bursts or self._ready):
                            self._busy.clear()
                    for link in links:
                        link.look(now)
            except Exception:  # the one thread that reads must outlive whatever it meets
                log.exception("the poller failed")
            self._busy.wait()
            time.sleep(TICK)

    def _turn(self, now: float) -> None:
        for key, _ in self._selector.select(0):
            self.mark(key.data)
        for _ in range(len(self._ready)):
            command = self._ready.popleft()
            at, command.marked = command.marked or time.time(), 0.0
            if command.finished.is_set():
                continue
            try:
                if command.read(at):
                    self.mark(command)
            except Exception as e:  # one command's fault
                log.exception("a command cannot be read", host=command.host, command=command.text[:120])
                command.why = f"reading it failed: {e}"
                command.stop()
            if command.burst:
                self._bursts[command] = None
            if command.ending():
                self._ending[command] = None
        for command in [c for c in self._bursts if c.idle_if_due(now)]:
            del self._bursts[command]
        for command in [c for c in self._ending if c.over()]:
            del self._ending[command]
            self._bursts.pop(command, None)
            if not command.finished.is_set():
                command.finished.set()
                command.finish()


POLLER = Poller()


class Commands:
    """What every link has: its running commands, what it learnt from them, `run` by way of `start`."""

    def __init__(self, options: LinkOptions) -> None:
        self.options = options
        self.broken = ""  # see base.Link
        self._lock = threading.Lock()
        self._commands: set[Command] = set()
        self._slowest = 0.0
        self._noise: list[str] = []

    @property
    def facts(self) -> dict[str, str]:
        """What an operator may want to mend: login_shell_seconds (the slowest yet), login_shell_noise (its lines)."""
        found = {}
        with self._lock:
            for startup in [c.startup for c in self._commands]:
                self._note(startup)
            if self._slowest:
                found["login_shell_seconds"] = f"{self._slowest:.2f}"
            if self._noise:
                found["login_shell_noise"] = "\n".join(self._noise)
        return found

    def _note(self, startup: Startup) -> None:
        self._slowest = max(self._slowest, startup.seconds or 0.0)
        self._noise = startup.noise or self._noise

    def add(self, command: Command) -> None:
        with self._lock:
            self._commands.add(command)

    def gone(self, command: Command) -> None:
        with self._lock:
            self._commands.discard(command)
            self._note(command.startup)

    def tend(self, now: float) -> None:
        """Have the poller end what has ended without a word; keep the leases of the others."""
        with self._lock:
            commands = list(self._commands)
        for command in commands:
            if command.ending():
                POLLER.mark(command)
            else:
                command.beat_if_due(now)

    def start(self, command: str, sink: Sink, *, limits: Limits | None = None, pty: bool = False) -> Command:
        raise NotImplementedError

    def run(self, command: str, timeout: float = 20.0) -> tuple[int | None, str, str]:
        """See base.Link; where the status is None, stderr ends with the reason. Not for the poller's own thread."""
        out: list[str] = []
        err: list[str] = []
        end: list[tuple[int | None, str]] = []
        done = threading.Event()

        def closed(status: int | None, why: str) -> None:
            end.append((status, why))
            done.set()

        sink = Sink(lambda at, lines: out.extend(lines), lambda at, lines: err.extend(lines), closed)
        running = self.start(command, sink, limits=Limits(lines_per_second=1_000_000))
        if not done.wait(timeout):
            running.stop()
            done.wait(END_GRACE + 1.0)
            end[:] = [(None, f"it did not end within {timeout:g} s")]
        status, why = end[0]
        if status is None:
            err.append(why)
        return status, "".join(f"{line}\n" for line in out), "".join(f"{line}\n" for line in err)
