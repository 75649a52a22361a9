"""FreeBSD jails: jls(8), and rctl(8) for use and limits where the kernel counts (kern.racct.enable=1).

A report is an epoch line, `jail JID NAME` lines, rules (`jail:NAME:RESOURCE:ACTION=AMOUNT`) and, after each
`usage NAME`, that jail's counters (`memoryuse=…`).
"""

from __future__ import annotations

import re
from math import nan

from collectors.base import Batch, Context
from collectors.rates import Rates
from collectors.reports import Reports
from collectors.zones.states import State, States
from frames.schemas import ZONE_USAGE

RULE = re.compile(r"jail:([^:]+):(\w+):\w+=([0-9]{1,20})(?:/jail)?$")
USE = re.compile(r"(\w+)=([0-9]{1,20})$")


def command(ctx: Context) -> str:
    """A loop of short commands: four and one more per jail a tick, for FreeBSD has no tool that streams these."""
    return (
        "while date +%s; do jls jid name | sed 's/^/jail /'; rctl 2>/dev/null | grep '^jail:'; "
        'for j in `jls name`; do echo "usage $j"; rctl -u jail:$j 2>/dev/null; done; '
        f"echo; sleep {ctx.interval:g}; done"
    )


class Jails(Reports):
    """One row of zone_usage per jail and report."""

    source = "zone_usage"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()
        self._states = States("jail")
        self._reports = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        ids: dict[str, int] = {}
        caps: dict[tuple[str, str], float] = {}
        use: dict[tuple[str, str], float] = {}
        current = ""
        for i, line in enumerate(lines):
            words = line.split()
            rule, counter = RULE.match(line), USE.match(line)
            if len(words) == 3 and words[0] == "jail" and words[1].isdecimal() and len(words[1]) < 10:
                ids[words[2]] = int(words[1])
            elif len(words) == 2 and words[0] == "usage":
                current = words[1]
            elif rule:
                caps[rule[1], rule[2]] = float(rule[3])
            elif counter and current:
                use[current, counter[1]] = float(counter[2])
            else:
                raise self.bad(i, line, "not a line of jls or rctl")
        self._reports += 1
        moment = stamp if stamp is not None else self._reports * self.ctx.interval
        columns: dict[str, list[object]] = {c: [] for c in ZONE_USAGE.names[2:]}
        for name, jid in ids.items():
            (cputime,) = self._rates.step(name, moment, [use.get((name, "cputime"), nan)])
            row = {
                "zone": name,
                "brand": "jail",
                "state": "running",
                "zone_id": float(jid),
                "cpu": cputime,
                "cpu_cap": caps.get((name, "pcpu"), nan) / 100,
                "rss": use.get((name, "memoryuse"), nan),
                "rss_cap": caps.get((name, "memoryuse"), nan),
                "swap": use.get((name, "swapuse"), nan),
                "swap_cap": caps.get((name, "swapuse"), nan),
                "nproc": use.get((name, "maxproc"), nan),
                "nlwp": use.get((name, "nthr"), nan),
            }
            for column, values in columns.items():
                values.append(row.get(column))
        self._rates.keep(ids)
        out = self._states.see({name: State(jid, "running", "jail") for name, jid in ids.items()}, stamp)
        return [*out, Batch("zone_usage", columns, stamp)] if ids else out
