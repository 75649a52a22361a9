"""One timer for all streams of a process: thousands of tasks that sleep would cost more than what they print."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.formats.tool import Tool

GRAIN = 0.02
"""Streams due within this many seconds of each other are served by one wake-up."""


@dataclass(order=True)
class _Stream:
    due: float
    number: int
    tool: Tool = field(compare=False)
    out: Callable[[str], None] = field(compare=False)
    done: asyncio.Future[None] = field(compare=False)
    before: float | None = field(compare=False, default=None)
    left: int = field(compare=False, default=0)
    broken: Exception | None = field(compare=False, default=None)


class Clock:
    """Prints each stream's reports when they are due. `now` is the site's time: the wall clock plus `shift`."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift
        self._heap: list[_Stream] = []
        self._handle: asyncio.TimerHandle | None = None
        self._count = 0
        self.late = 0.0
        """The longest that a report has waited for the process, seconds."""

    def now(self) -> float:
        return time.time() + self.shift

    async def stream(self, tool: Tool, out: Callable[[str], None]) -> None:
        """Print the first report now, the next ones at the tool's interval from the start; return after the last."""
        self._count += 1
        s = _Stream(self.now(), self._count, tool, out, asyncio.get_running_loop().create_future(), None, tool.count)
        if self._print(s):
            return
        heapq.heappush(self._heap, s)
        self._arm()
        await s.done

    def _print(self, s: _Stream) -> bool:
        """One report; True after the last."""
        text = s.tool.report(s.due, s.before)
        if text:
            s.out(text)
        s.before = s.due
        s.due += s.tool.interval
        if s.left:
            s.left -= 1
            return s.left == 0
        return False

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._heap:
            wait = max(self._heap[0].due - self.now(), 0.0)
            # Up to the next grain, so that neighbours share the wake-up.
            wait = (wait // GRAIN + 1) * GRAIN
            self._handle = asyncio.get_running_loop().call_later(wait, self._tick)
        else:
            self._handle = None

    def _tick(self) -> None:
        now = self.now()
        heap = self._heap
        while heap and heap[0].due <= now:
            s = heapq.heappop(heap)
            if s.done.cancelled():
                continue
            self.late = max(self.late, now - s.due)
            if now - s.due > 5 * s.tool.interval:
                # The process slept; a real tool would go on from here.
                s.due = now
            try:
                over = self._print(s)
            except Exception as e:
                if not s.done.done():
                    s.done.set_exception(e)
                continue
            if over:
                if not s.done.done():
                    s.done.set_result(None)
            else:
                heapq.heappush(heap, s)
        self._handle = None
        self._arm()
