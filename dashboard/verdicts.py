"""What is wrong with each host, in words: read from the newest frames, the same for every page.

A verdict is made of reasons, worst first. Only what an operator would act on is a reason: a busy CPU is none, a
zone whose threads wait for its cap is.

A disk is named by either of two rules, since it is latency that shows a dying disk long before any error counter:

* p99 of its I/Os in the last minute (DTrace, `zpool iostat -w`) at least 4 times the median of its peers', and 50 ms
  (panels/disks.py): trouble;
* its mean service time (asvc_t: iostat, /proc/diskstats), weighted by I/Os, at least twice the median of the other
  disks of its vdev, in each of the last 3 minutes: a warning. At least 2 peers, 60 I/Os a minute, 5 ms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from dashboard import onset
from dashboard import scans as scan
from dashboard.fill import Loaded
from dashboard.live import SILENT, Host, Live
from dashboard.panels.data import Grid
from dashboard.panels.disks import TABLES, disk_counts, slow_disks
from frames import units
from frames.schemas import to_pandas

State = Literal["bad", "stale", "warn", "scan", "well"]
ORDER: tuple[State, ...] = ("bad", "stale", "warn", "scan", "well")
WORDS: dict[State, str] = {"bad": "Trouble", "stale": "Stale", "warn": "Warning", "scan": "Scrubbing", "well": "Well"}
ICONS: dict[State, str] = {"bad": "trouble", "stale": "stale", "warn": "warn", "scan": "scan", "well": "check"}
SCANNING = {"Resilver": "Resilvering", "Expansion": "Expanding", "Removal": "Removing"}
GOOD_STATES = frozenset({"ONLINE", "AVAIL", "INUSE", ""})
LAG_TIMES, LAG_MINUTES, LAG_PEERS, LAG_IOS, LAG_LEAST = 2.0, 3, 2, 60, 0.005
"""The second rule of a slow disk, above."""
LAG_EVERY = 10.0
"""It speaks of minutes: judged anew every so many seconds."""
UNREAD = 60.0
"""A source whose lines could not be read within the last so many seconds is told."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`what` in a few words ("Pool mail degraded"), `detail` the figures; `since` epoch seconds where known, `before`:
    it was so before that already."""

    state: State
    what: str
    detail: str = ""
    object: str = ""
    since: float | None = None
    icon: str = ""
    before: bool = False

    def began(self, found: onset.Onset | None) -> Reason:
        """The same with its beginning, where that is known."""
        return self if found is None else replace(self, since=found.since, before=found.before)

    def wire(self) -> dict[str, str | float | bool | None]:
        icon = self.icon or ICONS[self.state]
        return {
            "state": self.state,
            "icon": icon,
            "what": self.what,
            "detail": self.detail,
            "object": self.object,
            "since": self.since,
            "before": self.before,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """A host's state and why; `reasons` worst first."""

    state: State
    reasons: tuple[Reason, ...] = ()

    @property
    def word(self) -> str:
        """Trouble, Stale, Warning, Scrubbing, Resilvering, Expanding, Removing or Well."""
        return (
            SCANNING.get(self.reasons[0].what.split()[0], WORDS["scan"]) if self.state == "scan" else WORDS[self.state]
        )

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
    before = earlier(live, scans, now)
    zones = live.latest("zone_usage", within=15)
    unread = unreadable(live, now)
    lagging = _lagging(live, now)
    out = {}
    for name in hosts:
        host = live.host(name)
        assert host is not None
        disks = _disks(live, name)
        slow = {r.object for r in disks}
        reasons = [
            *_link(host, now),
            *(_dated(live, name, r) for r in pool_reasons(status[status["host"] == name])),
            *_scans(scans[scans["host"] == name], before),
            *disks,
            *(r for r in lagging.get(name, ()) if r.object not in slow),
            *(
                r.began(onset.onsets(live).of(live, (name, "zone", r.object), onset.zone(name, r.object)))
                for r in _zones(zones[zones["host"] == name])
            ),
            *_unread(unread.get(name, [])),
        ]
        reasons.sort(key=lambda r: ORDER.index(r.state))
        out[name] = Verdict(reasons[0].state if reasons else "well", tuple(reasons))
    return out


def _dated(live: Live, host: str, r: Reason) -> Reason:
    if r.state != "bad":
        return r
    search = onset.pool(host, r.object, GOOD_STATES)
    return r.began(onset.onsets(live).of(live, (host, "pool", r.object), search))


def reasons_at(live: Live, at: float) -> dict[str, Verdict]:
    """The same for an instant of the past, from the history: of links and single disks it does not speak."""
    status, scans, zones = (
        live.store.latest(t, at=at, within=120) for t in ("zpool_status", "pool_scan", "zone_usage")
    )
    before = earlier(live, scans, at)
    out = {}
    for name in sorted(live.hosts):
        mine = [f[f["host"] == name] if len(f) else f for f in (status, scans, zones)]
        if not any(len(f) for f in mine):
            continue
        found = [*pool_reasons(mine[0]), *_scans(mine[1], before), *_zones(mine[2])]
        reasons = sorted(found, key=lambda r: ORDER.index(r.state))
        out[name] = Verdict(reasons[0].state if reasons else "well", tuple(reasons))
    return out


def _link(host: Host, now: float) -> list[Reason]:
    age = host.silent(now)
    # A collector that has just started is still connecting while what came before it is fresh.
    if host.link in ("down", "refused") or (host.link == "connecting" and (age is None or age > SILENT)):
        tries = f"attempt {host.attempt:.0f}" if host.attempt else ""
        wait = f"next in {units.span(host.next_try)}" if host.next_try else ""
        detail = "; ".join(x for x in (host.reason, ", ".join(x for x in (tries, wait) if x)) if x)
        return [Reason("stale", f"Link {host.link}", detail, since=host.since)]
    if age is None:
        return [Reason("stale", "No sample yet")]
    if age > SILENT:
        return [Reason("stale", "Silent", "its link is up; no source sends", since=host.newest)]
    return []


def pool_reasons(status: pd.DataFrame) -> list[Reason]:
    out: list[Reason] = []
    errors = status[["read_errors", "write_errors", "cksum_errors"]].fillna(0).sum(axis=1)
    if status["state"].isin(GOOD_STATES).all() and not errors.any():
        return out  # nearly always, and for every host of the fleet
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
        hit = rows[(errors[rows.index] > 0) & (rows["vdev"] != "") & rows["state"].fillna("").isin(GOOD_STATES)]
        if len(hit):
            counted = list(zip(hit["vdev"], errors[hit.index], strict=True))
            names = ", ".join(f"{v} {int(e)}" for v, e in counted[:4])
            out.append(Reason("warn", f"Pool {pool} has device errors", names, str(pool)))
    return out


def _scans(scans: pd.DataFrame, before: Mapping[tuple[str, str], scan.Row]) -> list[Reason]:
    out = []
    for r in scans[scans["state"] == "in_progress"].to_dict("records"):
        earlier = before.get((r["host"], r["pool"]))
        apart = (r["time"] - earlier["time"]).total_seconds() if earlier else scan.RECENT
        what = f"{str(r['scan']).capitalize()} of {r['pool']}"
        out.append(Reason("scan", what, scan.progress(r, earlier, apart), str(r["pool"])))
    return out


_scanned: WeakKeyDictionary[Live, tuple[float, dict[tuple[str, str], scan.Row]]] = WeakKeyDictionary()


def earlier(live: Live, scans: pd.DataFrame, at: float) -> dict[tuple[str, str], scan.Row]:
    """Where the scans that are under way were a quarter of an hour before `at`, by host and pool; read each minute."""
    if not len(scans) or not (scans["state"] == "in_progress").any():
        return {}
    minute = at // 60 * 60
    kept = _scanned.get(live)
    if kept and kept[0] == minute:
        return kept[1]
    rows = live.store.latest("pool_scan", at=minute - scan.RECENT, within=120)
    found: dict[tuple[str, str], scan.Row] = (
        {(r["host"], r["pool"]): r for r in rows.to_dict("records")} if len(rows) else {}
    )
    _scanned[live] = (minute, found)
    return found


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
        search = onset.disk(name, disk, [d for d in disks if d != disk], LAG_TIMES)
        known = onset.onsets(live).of(live, (name, "disk", disk), search)
        out.append(Reason("bad", f"Disk {disk} slow", detail, disk).began(known))
    return out


_SLICE = re.compile(r"^(c\d+(?:t[0-9A-F]+)?d\d+)[sp]\d+$")


def _device(leaf: str) -> str:
    """The disk of a vdev's leaf: slices and labels of the same disk are one."""
    found = _SLICE.match(leaf)
    return found[1] if found else leaf


def siblings(status: pd.DataFrame) -> dict[str, str]:
    """Disk -> its top-level vdev ('mail raidz2-1') from one host's rows of zpool_status. Disks that are themselves
    top-level vdevs of a pool are siblings of each other."""
    out = {}
    for pool, vdev in zip(status["pool"], status["vdev"], strict=True):
        path = str(vdev).split("/")
        disk = next((p for p in reversed(path) if p != "old"), "")
        if disk and "old" not in path:
            group = path[0] if len(path) > 1 else ""
            out[_device(disk)] = f"{pool} {group}".strip()
    return out


_lags: WeakKeyDictionary[Live, tuple[float, dict[str, list[Reason]]]] = WeakKeyDictionary()


def _lagging(live: Live, now: float) -> dict[str, list[Reason]]:
    """host -> a warning for each disk that has been twice as slow as its siblings for minutes."""
    kept = _lags.get(live)
    if kept and 0 <= now - kept[0] < LAG_EVERY:
        return kept[1]
    rows = to_pandas(live.rows("disk_io", now - 60 * LAG_MINUTES, now + 5))
    status = live.latest("zpool_status", within=120)
    out: dict[str, list[Reason]] = {}
    for host, mine in rows.groupby("host"):
        name = str(host)
        found = lagging(mine, siblings(status[status["host"] == name]), now)
        for disk, (mean, peers, group, others) in found.items():
            spare = [d for d in status[status["host"] == name]["vdev"] if disk in d and "replacing" in d]
            what = f"mean service time {units.text(mean, 's')} against {units.text(peers, 's')}"
            detail = f"{what} in {len(others)} peers of {group}" + ("; it is being resilvered" if spare else "")
            search = onset.disk(name, disk, others, LAG_TIMES)
            known = onset.onsets(live).of(live, (name, "disk", disk), search)
            out.setdefault(name, []).append(Reason("warn", f"Disk {disk} behind its peers", detail, disk).began(known))
    _lags[live] = (now, out)
    return out


def lagging(
    rows: pd.DataFrame, groups: Mapping[str, str], now: float
) -> dict[str, tuple[float, float, str, list[str]]]:
    """Disk -> (its mean asvc_t of the newest minute, median of its siblings', their vdev, the siblings) for each disk
    that keeps the second rule above. `rows` of disk_io of one host over the last LAG_MINUTES; `groups` as `siblings`
    gives them, disks without one are each other's peers."""
    ops = rows["read_ops"].fillna(0) + rows["write_ops"].fillna(0)
    seconds = rows["time"].to_numpy("datetime64[us]").astype("int64") / 1e6
    spent = pd.DataFrame(
        {
            "disk": rows["device"].astype(str),
            "minute": np.floor((now - seconds) / 60).astype(int),
            "ops": ops,
            "busy": ops * rows["asvc_t"].fillna(0),
        }
    )
    summed = spent.groupby(["disk", "minute"])[["ops", "busy"]].sum()
    summed = summed[summed["ops"] >= LAG_IOS]
    means = (summed["busy"] / summed["ops"]).unstack("minute")
    if not {*range(LAG_MINUTES)} <= set(means.columns):
        return {}
    means = means[list(range(LAG_MINUTES))].dropna()
    group = np.array([groups.get(_device(str(d)), "this host") for d in means.index])
    out = {}
    for i, (disk, own) in enumerate(means.iterrows()):
        peers = means[(group == group[i]) & (means.index != disk)]
        if len(peers) < LAG_PEERS or own.min() < LAG_LEAST:
            continue
        middle = peers.median()
        if (own >= LAG_TIMES * middle).all():
            out[str(disk)] = (float(own[0]), float(middle[0]), str(group[i]), [str(d) for d in peers.index])
    return out


@dataclass(frozen=True, slots=True)
class Unread:
    """A source that does not give what it should: `why` holds the line, `command` what runs on the host; `some`: other
    lines of it could be read."""

    source: str
    why: str
    command: str = ""
    fix: str = ""
    some: bool = False
    since: float | None = None


def unreadable(live: Live, now: float) -> dict[str, list[Unread]]:
    """host -> its sources that failed, or whose output could not be read, within the last minute."""
    table = live.rows("source_health", now - UNREAD, now + 5)
    bad = pc.or_(pc.greater(table["errors"].fill_null(0), 0), pc.equal(table["state"].fill_null(""), "failed"))
    if not len(table) or not pc.any(bad).as_py():
        return {}
    out: dict[str, list[Unread]] = {}
    wrong = to_pandas(table.filter(bad))
    read = table.filter(pc.greater(table["rows"].fill_null(0), 0))
    some = set(zip(read["host"].to_pylist(), read["source"].to_pylist(), strict=True))
    for (host, source), rows in wrong.groupby(["host", "source"]):
        row = rows.sort_values("time").iloc[-1]
        said = [str(w) for w in rows["why"] if w == w and w]
        command, fix = ("" if pd.isna(row[c]) else str(row[c]) for c in ("command", "fix"))
        out.setdefault(str(host), []).append(
            Unread(
                str(source),
                said[-1] if said else "its output could not be read",
                command,
                fix,
                some=(host, source) in some,
                since=None if pd.isna(row["newest"]) else row["newest"].timestamp(),
            )
        )
    return out


def _unread(found: list[Unread]) -> list[Reason]:
    """One warning for all of a host's sources that cannot be read; their lines are on its own page."""
    none = [u.source for u in found if not u.some]
    some = [u.source for u in found if u.some]
    out = []
    if none:
        what = f"{len(none)} source{'s' if len(none) > 1 else ''} cannot be read"
        since = min((u.since for u in found if u.since and not u.some), default=None)
        out.append(Reason("warn", what, ", ".join(none), since=since))
    if some:
        out.append(Reason("warn", "Lines that cannot be read", ", ".join(some)))
    return out


def _zones(zones: pd.DataFrame) -> list[Reason]:
    out = []
    for r in zones[zones["cpu_waiting"].fillna(0) > 0].to_dict("records"):
        n = int(r["cpu_waiting"])
        cap = f" for the cap of {units.text(r['cpu_cap'], 'cores')}" if pd.notna(r["cpu_cap"]) else ""
        detail = f"{n} thread{'s' if n > 1 else ''} wait{'' if n > 1 else 's'}{cap}"
        out.append(Reason("warn", f"Zone {r['zone']} at CPU cap", detail, str(r["zone"])))
    return out
