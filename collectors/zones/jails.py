"""FreeBSD jails: jls(8), and rctl(8) for use and limits where the kernel counts (kern.racct.enable=1).

A report is an epoch line, `jail JID NAME` lines and `jails N` after them, rules (`jail:NAME:RESOURCE:ACTION=AMOUNT`)
and, after each `usage NAME`, that jail's counters (`memoryuse=…`; with rctl -h in K, M, G). A list of jails of
another length than N was cut and says nothing of the jails that it lacks. The forms of jls without parameters and
with -n are read too; the first tells no names but hosts' names.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from math import nan

from collectors.base import Batch, Context
from collectors.rates import Rates
from collectors.reports import Reports
from collectors.zones.states import State, States
from collectors.zones.zoneadm import size
from frames.schemas import ZONE_USAGE

AMOUNT = r"([0-9]{1,20}(?:\.[0-9]{1,3})?[KMGTPE]?)"
RULE = re.compile(rf"jail:([^:]+):(\w+):(\w+)={AMOUNT}(?:/(\w+))?$")
USE = re.compile(rf"(\w+)={AMOUNT}$")
JLS = re.compile(r"\s*([0-9]{1,9})(?:\s+(?:[0-9a-f.:]+|-))?\s+(\S+)\s+(/.*)$")
TELLS = frozenset(["log", "devctl"])
"""Actions of a rule that limit nothing."""


def command(ctx: Context) -> str:
    """A loop of short commands: six and one more per jail a tick, for FreeBSD has no tool that streams these."""
    return (
        "while date +%s; do j=`jls jid name` && echo \"$j\" | sed -n 's/^./jail &/p' && "
        'n=`echo "$j" | grep -c .`; echo jails $n; '
        "rctl 2>/dev/null | grep '^jail:'; "
        'for j in `jls name`; do echo "usage $j"; rctl -u jail:$j 2>/dev/null; done; '
        f"echo; sleep {ctx.interval:g}; done"
    )


class Jails(Reports):
    """One row of zone_usage per jail and report."""

    source = "zone_usage"
    prompts = True

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()
        self.states = States("jail")
        self._reports = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        ids: dict[str, int] = {}
        caps: dict[tuple[str, str], float] = {}
        use: dict[tuple[str, str], float] = {}
        current, whole = "", False
        for i, line in enumerate(lines):
            words = line.split()
            rule, counter, listed = RULE.match(line), USE.match(line), JLS.match(line)
            if len(words) == 3 and words[0] == "jail" and words[1].isdecimal() and len(words[1]) < 10:
                ids[words[2]] = int(words[1])
            elif len(words) == 2 and words[0] == "jails" and words[1].isdecimal() and len(words[1]) < 10:
                if int(words[1]) != len(ids):
                    raise self.bad(i, line, f"{len(ids)} jails: the list is not believed", line.find(words[1]) + 1)
                whole = True
            elif len(words) == 2 and words[0] == "usage":
                current = words[1]
            elif rule:
                if rule[3] not in TELLS and rule[5] in (None, "jail"):
                    key = rule[1], rule[2]
                    caps[key] = min(caps.get(key, size(rule[4])), size(rule[4]))
            elif counter and current:
                use[current, counter[1]] = size(counter[2])
            elif listed:
                ids[listed[2]] = int(listed[1])
            elif words[:1] == ["JID"]:
                pass
            elif "jid=" in line and "name=" in line:
                told = dict(word.split("=", 1) for word in words if "=" in word)
                if not (told.get("jid", "").isdecimal() and len(told["jid"]) < 10 and told.get("name")):
                    raise self.bad(i, line, "jls: no jid and name", line.find("jid=") + 1)
                ids[told["name"]] = int(told["jid"])
            else:
                raise self.bad(i, line, "not a line of jls or rctl", 1)
        self._reports += 1
        moment = stamp if stamp is not None else self._reports * self.ctx.interval
        columns: dict[str, list[object]] = {c: [] for c in ZONE_USAGE.names[2:]}
        for name, jid in ids.items():
            # rctl prints whole seconds of cputime: at one a second a jail would seem to rest, or to use a whole CPU.
            (cputime,) = self._rates.step((name, jid), moment, [use.get((name, "cputime"), nan)])
            percent = use.get((name, "pcpu"), nan)
            cap = {resource: caps.get((name, resource), nan) or nan for resource in ("pcpu", "memoryuse", "swapuse")}
            row = {
                "zone": name,
                "brand": "jail",
                "state": "running",
                "zone_id": float(jid),
                "cpu": percent / 100 if percent == percent else cputime,
                "cpu_cap": cap["pcpu"] / 100,
                "rss": use.get((name, "memoryuse"), nan),
                "rss_cap": cap["memoryuse"],
                "swap": use.get((name, "swapuse"), nan),
                "swap_cap": cap["swapuse"],
                "nproc": use.get((name, "maxproc"), nan),
                "nlwp": use.get((name, "nthr"), nan),
            }
            for column, values in columns.items():
                values.append(row.get(column))
        self._rates.keep(ids.items())
        out = self._rates.events("zone_usage", _called, stamp)
        if whole:
            out += self.states.see({name: State(jid, "running", "jail") for name, jid in ids.items()}, stamp)
        return [*out, Batch("zone_usage", columns, stamp)] if ids else out


def _called(key: Hashable) -> str:
    assert isinstance(key, tuple)
    return f"jail {key[0]}"
