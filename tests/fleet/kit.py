"""A machine of the simulated site without SSH: run a command, parse its text with the repository's parsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from collectors import probe
from collectors.base import Batch, Context
from collectors.sources import load
from fleet.clock import Clock
from fleet.commands import Machine, execute
from fleet.live import Live
from fleet.model import HostModel
from fleet.scenario import scenario
from fleet.shell import IO
from fleet.site import MAIL_SITE

START = 1_795_449_600.0
"""2026-11-23 16:00 UTC, a Monday."""


class Stepped(Clock):
    """A clock that moves when it is told to: streams print without waiting."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.t = start

    def now(self) -> float:
        return self.t

    async def stream(self, tool: Any, out: Callable[[str], None]) -> None:
        before = None
        # What runs beside it gets its turn, as on a host.
        await asyncio.sleep(0.05)
        for i in range(tool.count or 6):
            at = self.t + i * tool.interval
            out(tool.report(at, before))
            before = at
            await asyncio.sleep(0.01)


def model(host: str, name: str = "quiet", start: float = START, seed: int = 1) -> HostModel:
    return HostModel(MAIL_SITE.host(host), scenario(name, start, MAIL_SITE), seed)


def machine(host: str, name: str = "quiet", at: float = START + 0.25, clock: Clock | None = None) -> Machine:
    return Machine(Live(model(host, name)), clock or Stepped(at))


def run(m: Machine, command: str, seconds: float = 20.0) -> tuple[int, str, str]:
    """Exit status, stdout, stderr; status -1 when it was still running after `seconds`."""
    out: list[str] = []
    err: list[str] = []

    async def go() -> int:
        task = asyncio.ensure_future(execute(m, command, IO(out.append, err.append)))
        try:
            return await asyncio.wait_for(task, seconds)
        except TimeoutError:
            return -1

    status = asyncio.run(go())
    return status, "".join(out), "".join(err)


def facts(m: Machine) -> tuple[dict[str, str], Any]:
    found = probe.read(run(m, probe.FACTS)[1])
    return probe.normalise(found), probe.system(found)


def parsed(m: Machine, source: str, seconds: float = 20.0) -> dict[str, list[Batch]]:
    """Batches by table of `source`'s own command on `m`, by the variant that its probes choose there."""
    known, os = facts(m)
    wanted = [load()[source]]
    chosen = probe.choose(os, known, wanted, probe.read(run(m, probe.probes(wanted, os))[1])).chosen
    variant = chosen[source]
    ctx = Context(m.live.host.name, os, wanted[0].interval, known)
    text = run(m, variant.command(ctx), seconds)[1]
    parser = variant.parser(ctx)
    batches: list[Batch] = []
    for line in text.splitlines():
        batches += parser.feed(line, time.time())
    batches += parser.idle(time.time())
    out: dict[str, list[Batch]] = {}
    for b in batches:
        out.setdefault(b.table, []).append(b)
    return out
