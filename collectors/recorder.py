"""Keeps the raw lines of hosts with ``record = true``: gzipped JSON lines that `replay` plays (docs/recording.md).

Lifecycle: `Recorder.channel` is the engine's tap and, like what it returns, only appends to a queue. One daemon thread,
from start to `close`, writes what has queued up every `every` seconds: one gzip member per host, appended to the host's
file and nothing kept open, so that a kill leaves whole members and at most one torn end. A disk that refuses costs
recorded lines, which are counted, and nothing else.
"""

from __future__ import annotations

import gzip
import json
import os
import queue
import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import structlog

from collectors.base import Context
from collectors.engine import Engine, Tell, Told

log = structlog.get_logger("recorder")

FORMAT = 1
FOLDER = "recordings"
SUFFIX = ".jsonl.gz"
PRELUDE = 5.0
PRELUDE_LINES = 500
"""Seconds and lines from the first, of what every further file of a command repeats."""
HOLD = 64_000_000
"""Characters held in memory while the disk is slow; what comes on top is lost and counted."""


@dataclass(slots=True, eq=False)
class _Run:
    """One started command. `start` is its record; `lost` lines that the file does not hold, not yet told in it;
    `prelude` its first lines, until `learnt`: names and headings that stand nowhere else, for files to come."""

    start: dict[str, Any]
    lost: int = 0
    losing: list[int] | None = None
    prelude: list[str] = field(default_factory=list)
    learnt: float = 0.0


@dataclass(slots=True)
class _File:
    path: Path
    hour: int
    size: int = 0


@dataclass(slots=True)
class _Host:
    live: dict[int, _Run] = field(default_factory=dict)
    file: _File | None = None
    files: int = 0


@dataclass(slots=True)
class _Item:
    run: _Run
    kind: str
    at: float
    words: list[str]
    lost: list[int] | None = None


class Recorder:
    """Records below `folder`: ``<host>/<date>/<time>.jsonl.gz``, times in UTC, a new file every hour.

    keep_bytes: the oldest files go while all hold more. keep_free: nothing is written while the disk has less left,
    for the history lies there too. Pass `channel` to the engine as its tap, and the recorder as one of `each_beat`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_bytes: int = 2 << 30,
        keep_free: int = 1 << 30,
        every: float = 2.0,
        rotate: float = 3600.0,
        hold: int = HOLD,
    ) -> None:
        self.folder = folder
        self._keep, self._free, self._every, self._rotate, self._hold = keep_bytes, keep_free, every, rotate, hold
        self._began = time.time()
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()
        self._queue: deque[_Item] = deque()
        self._held = 0
        self._runs = 0
        self._events: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._failing = ""
        self._lost = 0
        self._total: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    # -- on the engine's and the links' threads ------------------------------------------------------------

    def channel(
        self, ctx: Context, source: str, variant: str, command: str, offset: float, told: Told = MappingProxyType({})
    ) -> Tell:
        """A command is about to start; returns the call that takes what it says (see collectors.engine.Tell)."""
        with self._lock:
            self._runs += 1
            number = self._runs
        start: dict[str, Any] = {
            "kind": "start",
            "at": time.time(),
            "run": number,
            "source": source,
            "variant": variant,
            "os": ctx.os,
            "interval": ctx.interval,
            "offset": offset,
            "facts": dict(ctx.facts),
            "told": {fact: list(said) for fact, said in told.items()},
            "command": command,
            "host": ctx.host,
        }
        run = _Run(start)

        def tell(kind: str, at: float, words: list[str]) -> None:
            size = 100 + sum(map(len, words))
            with self._lock:
                if kind != "end" and self._held + size > self._hold:
                    if run.losing is None:
                        run.losing = [0]
                        self._queue.append(_Item(run, "lost", at, [], run.losing))
                    run.losing[0] += len(words)
                    return
                run.losing = None
                self._held += size
                self._queue.append(_Item(run, kind, at, words))

        with self._lock:
            self._queue.append(_Item(run, "start", start["at"], []))
        return tell

    def __call__(self, engine: Engine, now: float) -> None:
        """Hand the engine what has happened, as events."""
        while not self._events.empty():
            severity, text = self._events.get()
            engine.event("", "collector", "recorder", severity, text)

    def close(self, timeout: float = 1.0) -> None:
        """Write what has queued up; a disk that hangs is not waited for."""
        self._stop.set()
        self._thread.join(timeout)

    # -- on the recorder's own thread ----------------------------------------------------------------------

    def _work(self) -> None:
        last = False
        while not last:
            last = self._stop.wait(self._every)
            try:
                self._turn()
            except Exception:  # recording must never end what it records
                log.exception("recorder")

    def _turn(self) -> None:
        with self._lock:
            items, self._queue = self._queue, deque()
            self._held = 0
            for item in items:
                if item.lost is item.run.losing:
                    item.run.losing = None
        by_host: dict[str, list[_Item]] = {}
        for item in items:
            by_host.setdefault(item.run.start["host"], []).append(item)
        for name, chunk in by_host.items():
            host = self._hosts.setdefault(name, _Host())
            try:
                self._write(name, host, chunk)
            except OSError as e:
                host.file = None
                self._count_lost(chunk)
                if not self._failing:
                    self._failing = e.strerror or str(e)
                    log.error("cannot record; lines are lost", folder=str(self.folder), why=self._failing)
                    self._events.put(("warn", f"recording has stopped: {self._failing}"))
            else:
                if self._failing:
                    self._failing = ""
                    log.warning("recording goes on", lost=self._lost)
                    self._events.put(("warn", f"recording goes on; {self._lost} lines were not recorded"))
                    self._lost = 0
            for item in chunk:
                number = item.run.start["run"]
                if item.kind == "start":
                    host.live[number] = item.run
                elif item.kind == "out":
                    _learn(item)
                elif item.kind == "end":
                    host.live.pop(number, None)
        self._within_budget()

    def _count_lost(self, chunk: list[_Item]) -> None:
        for item in chunk:
            n = item.lost[0] if item.lost else len(item.words) if item.kind in ("out", "err") else 0
            item.run.lost += n
            self._lost += n

    def _write(self, name: str, host: _Host, chunk: list[_Item]) -> None:
        """Append one gzip member. Raises OSError, and then the file is as it was, or gone where it was new."""
        if shutil.disk_usage(_existing(self.folder)).free < self._free:
            raise OSError(f"less than {self._free >> 20} MiB are left on the disk")
        now = time.time()
        hour = int(now // self._rotate)
        if host.file and (host.file.hour != hour or host.file.size > self._keep // 50):
            host.file = None
        records: list[dict[str, Any]] = []
        file = host.file
        told: list[_Run] = []
        if file is None:
            file = _File(self._new(name, now), hour)
            host.files += 1
            head = {"kind": "recording", "format": FORMAT, "at": chunk[0].at, "host": name}
            records.append({**head, "collector": self._began, "file": host.files})
            for run in host.live.values():
                records.append({**_public(run.start), "at": chunk[0].at, "continues": True})
                if run.prelude:
                    first = {"kind": "prelude", "at": chunk[0].at, "run": run.start["run"], "lines": run.prelude}
                    records.append(first)
                if run.lost:
                    told.append(run)
                    records.append({"kind": "lost", "at": chunk[0].at, "run": run.start["run"], "lines": run.lost})
        records += [_record(item) for item in chunk]
        text = "\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records) + "\n"
        data = gzip.compress(text.encode("utf-8", "replace"), 6)
        # Only a new file is made: one that was deleted meanwhile would go on without its head.
        fd = os.open(file.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | (0 if host.file else os.O_CREAT), 0o600)
        try:
            before = os.fstat(fd).st_size
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(fd, before)
                    if not before:
                        file.path.unlink()
                raise
        finally:
            os.close(fd)
        file.size = before + len(data)
        host.file = file
        for run in told:
            run.lost = 0
        if self._total is not None:
            self._total += len(data)

    def _new(self, name: str, now: float) -> Path:
        day = self.folder / name / time.strftime("%Y-%m-%d", time.gmtime(now))
        day.mkdir(mode=0o700, parents=True, exist_ok=True)
        ms = int(now * 1000)
        while (path := day / f"{time.strftime('%H%M%S', time.gmtime(ms // 1000))}-{ms % 1000:03}{SUFFIX}").exists():
            ms += 1
        return path

    def _within_budget(self) -> None:
        if self._total is not None and self._total <= self._keep:
            return
        found = []
        for path in self.folder.rglob(f"*{SUFFIX}"):
            with suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, path))
        self._total = sum(size for _, size, _ in found)
        if self._total <= self._keep:
            return
        gone = 0
        for _, size, path in sorted(found):
            with suppress(OSError):
                path.unlink()
                gone += 1
                self._total -= size
                for host in self._hosts.values():
                    if host.file and host.file.path == path:
                        host.file = None
                path.parent.rmdir()
            if self._total <= self._keep * 0.9:
                break
        log.info("oldest recordings deleted", files=gone, keep_bytes=self._keep)
        self._events.put(("info", f"the oldest {gone} recordings were deleted: more than {self._keep >> 20} MiB"))


def _learn(item: _Item) -> None:
    run = item.run
    run.learnt = run.learnt or item.at + PRELUDE
    if item.at <= run.learnt and (room := PRELUDE_LINES - len(run.prelude)) > 0:
        run.prelude += item.words[:room]


def _public(start: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in start.items() if k != "host"}


def _record(item: _Item) -> dict[str, Any]:
    if item.kind == "start":
        return _public(item.run.start)
    out: dict[str, Any] = {"kind": item.kind, "at": item.at, "run": item.run.start["run"]}
    if item.kind in ("out", "err"):
        out["lines"] = item.words
    elif item.kind == "end":
        out["status"], out["why"] = (int(item.words[0]) if item.words[0] else None), item.words[1]
    elif item.lost is not None:
        out["lines"] = item.lost[0]
    return out


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
