"""What is wrong with each host, in words: read from the newest frames, the same for every page.

A verdict is made of reasons, worst first. Only what an operator would act on is a reason: a busy CPU is none, a
zone whose threads wait for its cap is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dashboard.fill import Loaded
from dashboard.live import SILENT, Host, Live
from dashboard.panels.data import Grid
from dashboard.panels.disks import TABLES, disk_counts, slow_disks
from frames import units

State = Literal["bad", "stale", "warn", "scan", "well"]
ORDER: tuple[State, ...] = ("bad", "stale", "warn", "scan", "well")
WORDS: dict[State, str] = {"bad": "Trouble", "stale": "Stale", "warn": "Warning", "scan": "Scrubbing", "well": "Well"}
ICONS: dict[State, str] = {"bad": "trouble", "stale": "stale", "warn": "warn", "scan": "scan", "well": "check"}
GOOD_STATES = frozenset({"ONLINE", "AVAIL", "INUSE", ""})


@dataclass(frozen=True, slots=True)
class Reason:
    """`what` in a few words ("Pool mail degraded"), `detail` the figures; `since` epoch seconds where known."""

    state: State
    what: str
    detail: str = ""
    object: str = ""
    since: float | None = None
    icon: str = ""

    def wire(self) -> dict[str, str | float | None]:
        icon = self.icon or ICONS[self.state]
        return {
            "state": self.state,
            "icon": icon,
            "what": self.what,
            "detail": self.detail,
            "object": self.object,
            "since": self.since,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """A host's state and why; `reasons` worst first."""

    state: State
    reasons: tuple[Reason, ...] = ()

    @property
    def word(self) -> str:
        """Trouble, Stale, Warning, Scrubbing, Resilvering or Well."""
        if self.state == "scan" and self.reasons[0].what.startswith("Resilver"):
            return "Resilvering"
        return WORDS[self.state]

    @property
    def sentence(self) -> str:
        """The reasons in one line, lower case after the first word: 'pool mail degraded, disk c3t7d0 slow'."""
        return ", ".join(r.what[:1].lower() + r.what[1:] for r in self.reasons if r.state in ("bad", "stale", "warn"))


def verdicts(live: Live) -> dict[str, Verdict]:
    """The verdict on every host that was ever heard of, as fresh as a tenth of the time it takes allows."""
    return live.shared("verdicts", lambda: judge(live))


def judge(live: Live) -> dict[str, Verdict]:
    """The verdicts as of now."""
    now = live.clock()
    hosts = sorted(live.hosts)
    status = live.latest("zpool_status", within=60)
    scans = live.latest("pool_scan", within=60)
    zones = live.latest("zone_usage", within=15)
    out = {}
    for name in hosts:
        host = live.host(name)
        assert host is not None
        reasons = [
            *_link(host, now),
            *_pools(status[status["host"] == name]),
            *_scans(scans[scans["host"] == name]),
            *_disks(live, name),
            *_zones(zones[zones["host"] == name]),
        ]
        reasons.sort(key=lambda r: ORDER.index(r.state))
        out[name] = Verdict(reasons[0].state if reasons else "well", tuple(reasons))
    return out


def reasons_at(live: Live, at: float) -> dict[str, Verdict]:
    """The same for an instant of the past, from the history: of links and single disks it does not speak."""
    status, scans, zones = (
        live.store.latest(t, at=at, within=120) for t in ("zpool_status", "pool_scan", "zone_usage")
    )
    out = {}
    for name in sorted(live.hosts):
        mine = [f[f["host"] == name] if len(f) else f for f in (status, scans, zones)]
        if not any(len(f) for f in mine):
            continue
        reasons = sorted([*_pools(mine[0]), *_scans(mine[1]), *_zones(mine[2])], key=lambda r: ORDER.index(r.state))
        out[name] = Verdict(reasons[0].state if reasons else "well", tuple(reasons))
    return out


def _link(host: Host, now: float) -> list[Reason]:
    age = host.silent(now)
    # A collector that has just started is still connecting while what came before it is fresh.
    if host.link in ("down", "refused") or (host.link == "connecting" and (age is None or age > SILENT)):
        tries = f"attempt {host.attempt:.0f}" if host.attempt else ""
        wait = f"next in {units.span(host.next_try)}" if host.next_try else ""
        detail = "; ".join(x for x in (host.reason, ", ".join(x for x in (tries, wait) if x)) if x)
        since = f" since {units.clock(host.since)}" if host.since else ""
        return [Reason("stale", f"Link {host.link}{since}", detail, since=host.since)]
    if age is None:
        return [Reason("stale", "No sample yet")]
    if age > SILENT:
        return [Reason("stale", f"Silent for {units.span(age)}", "its link is up; no source sends", since=host.newest)]
    return []


def _pools(status: pd.DataFrame) -> list[Reason]:
    out = []
    for pool, rows in status.groupby("pool"):
        bad = rows[~rows["state"].fillna("").isin(GOOD_STATES)]
        if not len(bad):
            continue
        whole = rows[rows["vdev"] == ""]["state"]
        word = str(whole.iloc[0]).lower() if len(whole) and whole.iloc[0] not in GOOD_STATES else "has a bad vdev"
        states = {str(v): str(s).lower() for v, s in zip(bad["vdev"], bad["state"], strict=True) if v}
        causes = [v for v in states if not any(o.startswith(f"{v}/") for o in states)]
        detail = ", ".join(f"{v} {states[v]}" for v in causes[:4])
        out.append(Reason("bad", f"Pool {pool} {word}", detail, str(pool), icon="degraded"))
    for pool, rows in status.groupby("pool"):
        errors = rows[["read_errors", "write_errors", "cksum_errors"]].fillna(0).sum(axis=1)
        hit = rows[(errors > 0) & (rows["vdev"] != "") & rows["state"].fillna("").isin(GOOD_STATES)]
        if len(hit):
            counted = list(zip(hit["vdev"], errors[hit.index], strict=True))
            names = ", ".join(f"{v} {int(e)}" for v, e in counted[:4])
            out.append(Reason("warn", f"Pool {pool} has device errors", names, str(pool)))
    return out


def _scans(scans: pd.DataFrame) -> list[Reason]:
    out = []
    for r in scans[scans["state"] == "in_progress"].to_dict("records"):
        part = units.text(r["fraction"], "% .1")
        out.append(Reason("scan", f"{str(r['scan']).capitalize()} of {r['pool']}", f"{part} done", str(r["pool"])))
    return out


def _disks(live: Live, name: str) -> list[Reason]:
    newest = live.newest(TABLES, [name])
    if newest is None:
        return []
    grid = Grid(newest // 1 - 59, 60.0, 1)

    def load(table: str) -> pd.DataFrame:
        need = TABLES[table]
        frame = live.recent(table, grid, need.restrict({"host": name}), need.columns)
        # `recent` aligns buckets to multiples of the step: take whatever falls into the minute.
        frame["time"] = pd.to_datetime(np.full(len(frame), grid.start), unit="s", utc=True)
        return frame

    frames = Loaded(TABLES, load)
    disks, counts, _ = disk_counts(frames, grid)
    out = []
    for disk, (p99, peers) in slow_disks(dict(zip(disks, counts[:, 0], strict=True))).items():
        detail = f"p99 {units.text(p99, 's')} against {units.text(peers, 's')} in its {len(disks) - 1} peers"
        out.append(Reason("bad", f"Disk {disk} slow", detail, disk))
    return out


def _zones(zones: pd.DataFrame) -> list[Reason]:
    out = []
    for r in zones[zones["cpu_waiting"].fillna(0) > 0].to_dict("records"):
        n = int(r["cpu_waiting"])
        cap = f" for the cap of {units.text(r['cpu_cap'], 'cores')}" if pd.notna(r["cpu_cap"]) else ""
        detail = f"{n} thread{'s' if n > 1 else ''} wait{'' if n > 1 else 's'}{cap}"
        out.append(Reason("warn", f"Zone {r['zone']} at CPU cap", detail, str(r["zone"])))
    return out
