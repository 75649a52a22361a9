"""A sink that remembers."""

from __future__ import annotations

import threading

from collectors.links import Limits, Link, Running, Sink
from tests.sshd import wait_for


class Heard:
    """A sink that keeps all it is told, in order, and starts commands that tell it."""

    def __init__(self, link: Link, command: str, *, limits: Limits | None = None, pty: bool = False) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.times: list[float] = []
        self.calls: list[str] = []
        self.end: tuple[int | None, str] | None = None
        self.threads: set[str] = set()
        sink = Sink(self._lines, self._errors, self._closed, lambda at: self.calls.append("idle"))
        self.running: Running = link.start(command, sink, limits=limits, pty=pty)

    def _lines(self, at: float, lines: list[str]) -> None:
        self.threads.add(threading.current_thread().name)
        self.calls.append("lines")
        self.times.append(at)
        self.lines += lines

    def _errors(self, at: float, lines: list[str]) -> None:
        self.errors += lines

    def _closed(self, status: int | None, why: str) -> None:
        assert self.end is None, "closed twice"
        self.calls.append("closed")
        self.end = status, why

    def wait_lines(self, n: int = 1, seconds: float = 15.0) -> list[str]:
        wait_for(lambda: len(self.lines) >= n or self.end, f"{n} lines", seconds)
        assert len(self.lines) >= n, self.end
        return self.lines

    def wait_end(self, seconds: float = 15.0) -> tuple[int | None, str]:
        wait_for(lambda: self.end, "the command's end", seconds)
        assert self.end
        return self.end
