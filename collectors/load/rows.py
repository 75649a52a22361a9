"""What every system's parser of host_load shares: rows, rates, and a clock that notices steps and reboots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from collectors.base import Batch, Context
from collectors.rates import Clock, Rates
from collectors.reports import Reports
from frames.schemas import HOST_LOAD, NET_IO

LOAD = HOST_LOAD.names[2:]
NET = NET_IO.names[2:]
NET_RATES = NET[1:]


class Load(Reports):
    """Base: `load`, `net` and `time` make the batches of one report."""

    source = "host_load"
    prompts = True

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.rates = Rates()
        self.clock = Clock()
        self.cpus: set[tuple[str, str]] = set()
        """Keys of the rates of single CPUs."""
        ncpu = ctx.facts.get("ncpu", "")
        self.ncpu = float(ncpu) if ncpu.isdecimal() and len(ncpu) < 6 else nan
        page = ctx.facts.get("page_size", "")
        self.page_size = float(page) if page.isdecimal() and len(page) < 9 else 4096.0

    def load(self, row: Mapping[str, float], stamp: float | None) -> list[Batch]:
        """The row of host_load; nothing where nothing is known."""
        return [Batch("host_load", {c: [row.get(c)] for c in LOAD}, stamp)]

    def net(self, nics: Mapping[str, Sequence[float]], moment: float, stamp: float | None) -> list[Batch]:
        """Rows of net_io from counters in the order of the schema: bytes, packets and errors in and out."""
        self.rates.keep({"load", *self.cpus, *(("nic", nic) for nic in nics)})
        if not nics:
            return []
        columns: dict[str, list[Any]] = {"nic": list(nics), **{c: [] for c in NET_RATES}}
        for nic, counters in nics.items():
            for c, rate in zip(NET_RATES, self.rates.step(("nic", nic), moment, counters), strict=True):
                columns[c].append(rate)
        return [Batch("net_io", columns, stamp)]

    def time(self, now: float, uptime: float, stamp: float | None, *, by_uptime: bool = True) -> list[Batch]:
        """An event where the host was rebooted, its clock stepped or its counters began anew since the last report.

        To be called after all rates of the report, which are taken over the uptime (`by_uptime`) or the wall clock.
        `now` and `uptime` may be NaN.
        """
        shift = self.clock.see(now, uptime) if now == now and uptime == uptime else None
        anew = self.rates.events("host_load", _named, stamp, uptime=by_uptime)
        if shift is None:
            return anew
        if shift.kind == "reboot":
            text = f"{self.ctx.host} was rebooted {uptime:.0f} s ago"
        else:
            text = f"the clock of {self.ctx.host} was stepped by {shift.step:+.0f} s"
        columns: dict[str, list[Any]] = {
            "kind": [shift.kind],
            "object": [""],
            "severity": ["warn"],
            "text": [text],
            "who": ["host_load"],
        }
        return [Batch("events", columns, stamp)]


def _named(key: object) -> str:
    """What a series of rates is called in a sentence."""
    if isinstance(key, tuple):
        return str(key[1]) if key[0] == "nic" else f"CPU {key[1]}"
    return "CPUs and memory"


def shares(steps: Sequence[float], ncpu: float) -> list[float]:
    """Cores spent in each mode, from the rates of its ticks: whatever a tick is, all modes together are all CPUs."""
    total = sum(steps)
    return [s / total * ncpu if total > 0 else nan for s in steps]
