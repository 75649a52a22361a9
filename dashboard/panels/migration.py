"""A migration's pairs: both hosts on one scale, each stream's progress, rate and time left, go or no-go.

Progress is read from the target's own space (`zfs list`), which works for zfs send, rsync and imapsync alike and
needs nothing of the tool that copies: bytes of the dataset on the target against those on the source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, view
from dashboard.panels.accounts import copies
from dashboard.panels.data import Grid, PanelData, Series, number
from dashboard.panels.tools import one, seconds
from dashboard.verdicts import reasons_at, verdicts
from frames import units
from frames.schemas import SCHEMAS, to_pandas

State = Literal["stalled", "stale", "sending", "waiting", "done"]
ORDER: tuple[State, ...] = ("stalled", "stale", "sending", "waiting", "done")
WORDS = {"stalled": "Stalled", "stale": "Stale", "sending": "Sending", "waiting": "Waiting", "done": "Done"}
ICONS = {"stalled": "trouble", "stale": "stale", "sending": "play", "waiting": "waiting", "done": "check"}

RECENT = 300.0
"""The recent rate is that of the last 5 minutes; a stream without a byte in as long has stalled (zrepl#516)."""
MINUTE = 60.0
EXACT = 900.0
"""So far back samples are taken as they came, so that a stream's last byte is known to one of them, s."""
BACK = 12 * 3600.0
"""How far back the start of a copy is looked for, s."""
DONE = 0.97
"""A target of at least this share of its source that has stopped growing is done: compression, RAID-Z padding and
snapshots left behind make the two differ by some percent."""
TXG = 10.0
"""Momentary rates are means of so many seconds: two transaction groups, which saw-tooth every 5 s (zfs(4))."""
ROOM = 0.20
"""Share of a target pool that must stay free once all streams are done (USERS.md: plan to 80 %)."""
SNAPSHOT_AGE = 3600.0
"""A newest common snapshot older than this makes the final increment long, s."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hosts of hosts.toml between which data move."""

    index: int
    name: str
    source: str
    target: str
    source_pool: str
    target_pool: str
    datasets: tuple[str, ...]
    begin: float | None = None
    end: float | None = None
    """The plan of hosts.toml, epoch seconds."""

    def on_target(self, dataset: str) -> str:
        """The dataset's name on the target: its pool replaced."""
        _, _, rest = dataset.partition("/")
        return f"{self.target_pool or self.source_pool}/{rest}" if rest else self.target_pool


def pairs(live: Live) -> list[Pair]:
    """The pairs that the collector's inventory names."""
    out = []
    for name in sorted(live.hosts):
        host = live.host(name)
        try:
            told = json.loads(host.fact("pairs") or "{}") if host else {}
        except ValueError:
            continue
        for index, p in told.items():
            try:
                out.append(
                    Pair(
                        int(index),
                        p["name"] or f"{p['source']} to {p['target']}",
                        p["source"],
                        p["target"],
                        p["source_pool"],
                        p["target_pool"] or p["source_pool"],
                        tuple(p["datasets"]),
                        *(datetime.fromisoformat(p[k]).timestamp() if p.get(k) else None for k in ("begin", "end")),
                    )
                )
            except (ValueError, KeyError, TypeError):
                continue
    return sorted(out, key=lambda p: p.index)


# -- panels -------------------------------------------------------------------------------------------------------

_POOL = Need(("read_bytes", "write_bytes"), where={"vdev": [""]})


def _nice(top: float) -> float:
    """The next of 1, 2, 5 times a power of two in MiB, so that two panels agree on a scale that seldom moves."""
    step = float(1 << 20)
    while step < top:
        step *= 2
    return step


def _pool(frames: Frames, host: Any, pool: Any) -> pd.DataFrame:
    frame = frames["zpool_iostat"]
    frame = frame[frame["host"] == host]
    return frame[frame["pool"] == pool] if pool else frame


@panel(
    "pair_io",
    kind="lines",
    title="Out and in",
    subtitle="source reads, target writes",
    source="zpool iostat, 1 s",
    tables={"zpool_iostat": _POOL},
)
def pair_io(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """What the source pool reads and the target pool writes, on one scale."""
    source, target = (
        _pool(frames, query.get("source"), query.get("source_pool")),
        _pool(frames, query.get("target"), query.get("target_pool")),
    )
    rows = np.vstack([one(source, "read_bytes", grid), one(target, "write_bytes", grid)])
    series = [
        Series("out", f"{query.get('source')} reads", "B/s", 1),
        Series("in", f"{query.get('target')} writes", "B/s", 3, "dash"),
    ]
    return PanelData(grid, series, rows, unit="B/s")


@panel(
    "pair_side",
    kind="mirror",
    title="Pool I/O",
    subtitle="read up, write down; both hosts on one scale",
    source="zpool iostat, 1 s",
    tables={"zpool_iostat": _POOL},
)
def pair_side(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """One host of a pair: what its pool reads and writes, on the scale of whichever host needs the larger."""
    sides = {}
    for end in ("source", "target"):
        frame = _pool(frames, query.get(end), query.get(f"{end}_pool"))
        sides[end] = np.vstack([one(frame, "read_bytes", grid), one(frame, "write_bytes", grid)])
    both = np.concatenate([v.ravel() for v in sides.values()])
    top = _nice(float(np.nanmax(both))) if np.isfinite(both).any() else float(1 << 20)
    series = [
        Series("read", "read", "B/s", 1, group="io"),
        Series("write", "write", "B/s", 3, "dash", -1, group="io"),
    ]
    rows = sides["target" if query.get("side") == "target" else "source"]
    return PanelData(grid, series, rows, unit="B/s", yrange=(-top, top))


# -- streams ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stream:
    """One dataset on its way. Bytes, bytes per second, epoch seconds; None is unknown."""

    name: str
    state: State
    done: float | None
    total: float | None
    rate: float | None
    mean: float | None
    eta: tuple[float, float] | None
    still: float | None
    """Seconds without a byte."""
    why: str = ""
    began: float | None = None
    """The last sample before its first byte; None where it began before the look back, or not at all."""
    grown: float | None = None
    """Its newest byte."""


def progress(times: np.ndarray, used: np.ndarray, total: float | None, now: float, name: str = "") -> Stream:
    """A stream from the target's used bytes over time (epoch seconds, ascending) and the source's newest.

    See `_progress` for how it is judged.
    """
    s = _progress(times, used, total, now, name)
    grown = np.flatnonzero(np.diff(used) > 0) if len(used) else np.empty(0, int)
    if not len(grown):
        return s
    return replace(s, began=float(times[grown[0]]), grown=float(times[grown[-1] + 1]))


def _progress(times: np.ndarray, used: np.ndarray, total: float | None, now: float, name: str) -> Stream:
    """Rates are differences over the recent window and since the copy began (the last sample before the first
    growth); the ETA is the span between both, which is as honest as two samples of the past can be.
    """
    if not len(used):
        return Stream(name, "waiting", 0.0 if total else None, total, None, None, None, None)
    grown = np.flatnonzero(np.diff(used) > 0)
    done = float(used[-1])
    last_growth = float(times[grown[-1] + 1]) if len(grown) else None
    still = now - (last_growth if last_growth is not None else float(times[0]))
    recent = times >= now - RECENT
    first = int(np.argmax(recent)) if recent.any() else len(times) - 1
    first = max(0, first - 1) if times[first] > now - RECENT + 30 else first
    span = float(times[-1] - times[first])
    rate = max(0.0, float(used[-1] - used[first]) / span) if span >= 20 else None
    mean = None
    if len(grown):
        begin = int(grown[0])
        if (long := float(times[-1] - times[begin])) >= 20:
            mean = max(0.0, float(used[-1] - used[begin]) / long)
    left = None if total is None else max(0.0, total - done)
    if total and done >= DONE * total and (still >= 60 or done >= total):
        return Stream(name, "done", done, total, None, mean, None, still)
    if still >= RECENT and last_growth is not None:
        return Stream(name, "stalled", done, total, 0.0, mean, None, still)
    if last_growth is None and (not total or done < 0.001 * total):
        return Stream(name, "waiting", done, total, None, None, None, None)
    if last_growth is None and times[-1] - times[0] >= RECENT:
        return Stream(name, "stalled", done, total, 0.0, None, None, still)
    eta = None
    rates = [r for r in (rate, mean) if r and r > 0]
    if left is not None and rates:
        eta = (now + left / max(rates), now + left / min(rates))
    return Stream(name, "sending", done, total, rate, mean, eta, still)


@dataclass(frozen=True, slots=True)
class Night:
    """All streams as of one instant: pair index -> its streams, worst first, and the bytes of all over time."""

    streams: dict[int, list[Stream]]
    times: np.ndarray
    done: np.ndarray


_kept: WeakKeyDictionary[Live, dict[float | None, tuple[float, Night]]] = WeakKeyDictionary()


def night(live: Live, at: float | None = None) -> Night:
    """Every pair's streams; made anew every 2 s."""
    now = live.clock()
    kept = _kept.setdefault(live, {})
    if (found := kept.get(at)) and (at is not None or 0 <= now - found[0] < 2.0):
        return found[1]
    found_pairs = pairs(live)
    hosts = sorted({h for p in found_pairs for h in (p.source, p.target)})
    end = now if at is None else at
    out: dict[int, list[Stream]] = {}
    grid = np.arange((end - BACK) // MINUTE * MINUTE, end + MINUTE, MINUTE)
    done = np.zeros(len(grid))
    if hosts:
        frame = live.store.window(
            "dataset_usage",
            end - BACK,
            end + 1,
            points=int(BACK / 60),
            where={"host": hosts},
            columns=["used"],
        )
        # The rollup ends with the last full bucket; what is newer comes as it is.
        newest = live.store.window("dataset_usage", end - EXACT, end + 1, where={"host": hosts}, columns=["used"])
        cut = newest["time"].min() if len(newest) else None
        if cut is not None:
            step = pd.Timedelta(seconds=float(frame.attrs.get("step") or MINUTE))
            frame = pd.concat([frame[frame["time"] + step <= cut], newest], ignore_index=True)
        gone = {h for h in hosts if at is None and (host := live.host(h)) and not host.up(now)}
        running = _receives(live, hosts, at)
        for pair in found_pairs:
            out[pair.index], copied = _of(pair, frame, end, gone, running)
            for times, used in copied:
                # Between samples it has grown evenly; after the newest it is where it was last seen.
                done += np.interp(grid, times, used, left=0.0)
            heard = seconds(frame[frame["host"] == pair.target])
            done[grid < heard.min(initial=np.inf)] = np.nan  # nothing is known of before, which is not that it was 0
    kept.clear()
    made = Night(out, grid, done)
    kept[at] = (now, made)
    return made


def streams(live: Live, at: float | None = None) -> dict[int, list[Stream]]:
    """Pair index -> its streams, worst first."""
    return night(live, at).streams


def rank(found: list[Stream]) -> int:
    """Order of a pair on the page: that of its worst stream."""
    return min((ORDER.index(s.state) for s in found), default=len(ORDER))


def worst_first(live: Live, found: list[Pair]) -> list[Pair]:
    """The pairs as the page lays them: the one that stops the night on top."""
    by_pair = streams(live)
    return sorted(found, key=lambda p: (rank(by_pair.get(p.index, [])), p.index))


Copied = list[tuple[np.ndarray, np.ndarray]]
"""Of each dataset: epoch seconds, bytes on the target, of its source at most."""


def _receives(live: Live, hosts: list[str], at: float | None) -> set[tuple[str, str]]:
    """(host, dataset) of every `zfs receive` under way; one that does not say where it is, by where it began."""
    where = {"host": hosts}
    within = 4 * SCHEMAS["transfers"].every
    if at is None:
        rows = live.latest("transfers", within=within, where=where)
    else:
        rows = live.store.window("transfers", at - within, at + 1, where=where).groupby(["host", "stream"]).tail(1)
    mine = rows[(rows["kind"] == "zfs_receive") & rows["state"].isin(["running", "stalled"])]
    began = mine["stream"].str.split(" ", n=1).str[-1]
    return set(zip(mine["host"], mine["dataset"].fillna(began), strict=True))


def _of(
    pair: Pair, frame: pd.DataFrame, now: float, gone: set[str], running: set[tuple[str, str]]
) -> tuple[list[Stream], Copied]:
    at_source = frame[frame["host"] == pair.source].sort_values("time")
    at_target = frame[frame["host"] == pair.target].sort_values("time")
    names = pair.datasets or tuple(
        d for d in dict.fromkeys(at_source["dataset"]) if str(d).startswith(f"{pair.source_pool}/")
    )
    out, copied = [], []
    for dataset in names:
        source = at_source[at_source["dataset"] == dataset]["used"].dropna()
        target = at_target[at_target["dataset"] == pair.on_target(dataset)].dropna(subset=["used"])
        total = float(source.iloc[-1]) if len(source) else None
        short = dataset.rpartition("/")[2]
        times, used = seconds(target), target["used"].to_numpy(float)
        s = progress(times, used, total, now, short)
        if total and len(used):
            copied.append((times, np.minimum(used, total)))
        own = pair.on_target(dataset)
        if s.state == "done" and any(h == pair.target and (d == own or d.startswith(f"{own}/")) for h, d in running):
            # As large as its source, which is not that all of it is there: the source's size is of a minute ago.
            s = replace(s, state="sending", why="its receive still runs")
        silent = [h for h in (pair.source, pair.target) if h in gone]
        if silent and s.state != "done":
            s = replace(s, state="stale", why=f"{silent[0]} is silent")
        out.append(s)
    return sorted(out, key=lambda s: (ORDER.index(s.state), s.name)), copied


def _wire(s: Stream, now: float) -> dict[str, Any]:
    note = ""
    if s.state == "sending" and s.why:
        note = s.why
    elif s.state == "stalled" or (s.state == "sending" and not s.eta):
        note = f"0 bytes for {units.span(s.still)}"
    elif s.state == "stale":
        note = s.why
    elif s.state == "sending":
        note = _left(s.eta, now)
    elif s.state == "waiting":
        note = "nothing on the target yet"
    elif s.state == "done":
        over = s.total is not None and s.done is not None and s.done > s.total
        note = f"source {units.text(s.total, 'B')}" if over else ""
    return {
        "name": s.name,
        "state": s.state,
        "word": WORDS[s.state],
        "icon": ICONS[s.state],
        "done": number(s.done),
        "total": number(s.total),
        "rate": number(s.rate) if s.state in ("sending", "stalled") else None,
        "was": number(s.rate) if s.state == "stale" else None,
        "eta": list(s.eta) if s.eta and s.state in ("sending", "stale") else None,
        "since": s.grown if s.state in ("stalled", "done") else None,
        "note": note,
    }


def _left(eta: tuple[float, float] | None, now: float) -> str:
    """'in 50 min to 1 h 10 min'."""
    if not eta:
        return ""
    early, late = (units.span(max(0.0, t - now)) for t in eta)
    return f"in {early}" + ("" if early == late else f" to {late}")


@view("migration_plan")
def migration_plan(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{now, begin, end, total, done: [[time, bytes]], eta, why, plan, rows: [{pair, name, state, begin, end, eta, plan,
    word}], phases: [{time, until, text}]}: the bytes of all streams over time and when they will be there, each stream
    beside its plan. Epoch seconds, bytes."""
    now = live.clock() if at is None else at
    found = night(live, at)
    known = {p.index: p for p in pairs(live)}
    rows = []
    for index, mine in found.streams.items():
        pair = known[index]
        for s in mine:
            rows.append(
                {
                    "pair": f"{pair.source} to {pair.target}",
                    "name": s.name,
                    "state": s.state,
                    "word": WORDS[s.state],
                    "begin": s.began,
                    "end": s.grown if s.state in ("done", "stalled", "stale") else now if s.began else None,
                    "eta": list(s.eta) if s.eta and s.state == "sending" else None,
                    "plan": [pair.begin, pair.end] if pair.begin and pair.end else None,
                }
            )
    every = [s for mine in found.streams.values() for s in mine]
    total = sum(s.total or 0.0 for s in every)
    began = [s.began for s in every if s.began]
    plans = [(p.begin, p.end) for p in known.values() if p.begin and p.end]
    eta, why = ends(every)
    begin = min([*began, *(b for b, _ in plans if b > now - BACK)], default=now - 3600)
    last = max([now + 1800, *(e for _, e in plans), *(s.eta[1] for s in every if s.eta and s.state == "sending")])
    shown = (found.times >= begin - 900) & (found.times < now) & np.isfinite(found.done)
    times = np.append(found.times[shown], now)
    done = np.append(found.done[shown], sum(min(s.done or 0.0, s.total or 0.0) for s in every))
    thin = max(1, len(times) // 300)
    phases = [e for e in _events(live, at, begin - 900, now + 60) if e["kind"] == "phase"]
    return {
        "now": now,
        "begin": begin,
        "end": min(last, now + BACK),
        "total": number(total),
        "done": [[float(t), float(v)] for t, v in zip(times[::-thin][::-1], done[::-thin][::-1], strict=True)],
        "eta": list(eta) if eta else None,
        "why": why,
        "plan": [min(b for b, _ in plans), max(e for _, e in plans)] if plans else None,
        "rows": rows,
        "phases": [{k: e[k] for k in ("time", "until", "text", "host")} for e in phases][-12:],
    }


def ends(every: list[Stream]) -> tuple[tuple[float, float] | None, str]:
    """When all streams will be there: (earliest, latest), or why that cannot be said."""
    stuck = [s for s in every if s.state in ("stalled", "stale")]
    if stuck:
        return None, f"no ETA while {stuck[0].name} {'stalls' if stuck[0].state == 'stalled' else 'is stale'}"
    if running := [s for s in every if s.state == "sending" and s.why]:
        return None, f"no ETA while the receive of {running[0].name} runs"
    if waiting := [s for s in every if s.state == "waiting"]:
        return None, f"no ETA before {waiting[0].name} begins"
    etas = [s.eta for s in every if s.state == "sending" and s.eta]
    if etas:
        return (max(e[0] for e in etas), max(e[1] for e in etas)), ""
    return None, "all copied" if every and all(s.state == "done" for s in every) else ""


@view("pair")
def pair_view(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{name, source, target, out, in, streams}: one row of the page."""
    index = int(query.get("pair", 0))
    pair = next((p for p in pairs(live) if p.index == index), None)
    if pair is None:
        return {"streams": [], "source": "", "target": ""}
    now = live.clock() if at is None else at
    rates: list[float | None] = []
    for host, pool, column in (
        (pair.source, pair.source_pool, "read_bytes"),
        (pair.target, pair.target_pool, "write_bytes"),
    ):
        where = {"host": [host], "vdev": [""], **({"pool": [pool]} if pool else {})}
        frame = (
            to_pandas(live.rows("zpool_iostat", now - TXG, now + 5, where))
            if at is None
            else live.store.window("zpool_iostat", at - TXG, at, where=where, columns=[column])
        )
        rates.append(number(float(frame.groupby("time")[column].sum(min_count=1).mean())) if len(frame) else None)
    found = streams(live, at).get(index, [])
    return {
        "name": pair.name,
        "source": pair.source,
        "target": pair.target,
        "out": rates[0],
        "in": rates[1],
        "streams": [_wire(s, now) for s in found],
        "rank": rank(found),
    }


# -- go or no-go --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a cutover: state pass, fail or waiting."""

    what: str
    state: Literal["pass", "fail", "waiting"]
    detail: str
    since: float | None = None
    """Epoch seconds, where it fails and that is known."""


def checks(live: Live, at: float | None = None) -> list[Check]:
    """What must hold before anything is cut over, failures first."""
    found = pairs(live)
    if not found:
        return []
    now = live.clock() if at is None else at
    by_pair = streams(live, at)
    told = verdicts(live) if at is None else reasons_at(live, at)
    out = [_links(live, found, now) if at is None else None]
    targets = list(dict.fromkeys(p.target for p in found))
    bad = [
        f"{h}: {r.what[:1].lower()}{r.what[1:]}" + (f", {r.detail}" if r.detail else "")
        for h in targets
        for r in (told[h].reasons if h in told else ())
        if r.state == "bad"
    ]
    ill = [
        r.since
        for h in targets
        for r in (told[h].reasons if h in told else ())
        if r.state == "bad" and r.since and not r.before
    ]
    out.append(
        Check(
            "Targets healthy",
            "fail" if bad else "pass",
            "; ".join(bad[:2]) or ", ".join(targets),
            min(ill, default=None),
        )
    )
    every = [s for p in found for s in by_pair.get(p.index, [])]
    still = [s for s in every if s.state == "stalled"]
    moving = sum(s.state == "sending" for s in every)
    detail = "; ".join(f"{s.name}: 0 bytes for {units.span(s.still)}" for s in still) or f"{moving} moving"
    stood = min((s.grown for s in still if s.grown), default=None)
    out.append(Check("All streams move", "fail" if still else "pass", detail, stood))
    left = [s for s in every if s.state != "done"]
    out.append(
        Check(
            "Copies complete",
            "waiting" if left else "pass",
            f"{len(every) - len(left)} of {len(every)} streams done",
        )
    )
    out.append(_mailboxes(live, at))
    out.append(_room(live, found, by_pair, at))
    out.append(_snapshots(live, found, now))
    rank = {"fail": 0, "waiting": 1, "pass": 2}
    return sorted((c for c in out if c), key=lambda c: rank[c.state])


def _mailboxes(live: Live, at: float | None) -> Check | None:
    """What imapsync copies, if it copies anything."""
    frame = copies(live, at)
    if not len(frame):
        return None
    bad = sorted(frame["stream"][frame["state"].isin(["failed", "stalled", "silent", "ended"])])
    left = int((~frame["state"].isin(["done"])).sum())
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        return Check("Mailboxes copied", "fail", f"not {', '.join(bad[:3])}{more}")
    return Check(
        "Mailboxes copied", "waiting" if left else "pass", f"{len(frame) - left} of {len(frame)} accounts done"
    )


def _links(live: Live, found: list[Pair], now: float) -> Check:
    silent, heard = [], []
    for name in dict.fromkeys(h for p in found for h in (p.source, p.target)):
        host = live.host(name)
        if host is None or not host.up(now):
            age = host.silent(now) if host else None
            heard += [host.newest] if host and host.newest else []
            silent.append(f"{name} silent for {units.span(age)}" if age is not None else f"{name} was never heard of")
    text = "; ".join(silent) or "all hosts of all pairs"
    return Check("Both ends are heard", "fail" if silent else "pass", text, min(heard, default=None))


def _room(live: Live, found: list[Pair], by_pair: Mapping[int, list[Stream]], at: float | None) -> Check:
    worst: tuple[float, str] | None = None
    for p in found:
        where = {"host": [p.target], "pool": [p.target_pool], "vdev": [""]}
        frame = (
            live.store.latest("zpool_iostat", at=at, within=3600, where=where)
            if at is not None
            else (live.latest("zpool_iostat", where=where))
        )
        if not len(frame):
            continue
        row = frame.iloc[0]
        share = sum(max(0.0, (s.total or 0) - (s.done or 0)) for s in by_pair.get(p.index, []))
        free = (row["size"] - row["alloc"] - share) / row["size"]
        if np.isfinite(free) and (worst is None or free < worst[0]):
            worst = (float(free), p.target)
    if worst is None:
        return Check("Room on targets", "waiting", "no sample of a target pool")
    text = f"{worst[0]:.0%} free on {worst[1]} once done, limit {ROOM:.0%}".replace("%", f"{units.THIN}%")
    return Check("Room on targets", "pass" if worst[0] >= ROOM else "fail", text)


def _snapshots(live: Live, found: list[Pair], now: float) -> Check:
    """Age of the newest snapshot that both ends have: what an incremental send starts from."""
    oldest: tuple[float, str] | None = None
    missing = []
    for p in found:
        frame = live.latest("snapshots", within=live.keep, where={"host": [p.source, p.target]})
        for dataset in p.datasets:
            a = frame[(frame["host"] == p.source) & (frame["dataset"] == dataset)]
            b = frame[(frame["host"] == p.target) & (frame["dataset"] == p.on_target(dataset))]
            common = a[a["snapshot"].isin(set(b["snapshot"]))]["creation"].dropna()
            short = dataset.rpartition("/")[2]
            if not len(common):
                missing.append(short)
                continue
            age = now - common.max().timestamp()
            if oldest is None or age > oldest[0]:
                oldest = (age, short)
    if missing:
        return Check("Newest common snapshot", "waiting", f"none yet of {', '.join(missing)}")
    if oldest is None:
        return Check("Newest common snapshot", "waiting", "no dataset is named in hosts.toml")
    text = f"{oldest[1]}: {units.span(oldest[0])} old, limit {units.span(SNAPSHOT_AGE)}"
    return Check("Newest common snapshot", "pass" if oldest[0] <= SNAPSHOT_AGE else "fail", text)


@view("migration_checks")
def migration_checks(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{checks: [{what, state, word, icon, detail, since}]}"""
    words = {"pass": ("Pass", "check"), "fail": ("Fail", "trouble"), "waiting": ("Waiting", "waiting")}
    return {
        "checks": [
            {
                "what": c.what,
                "state": c.state,
                "word": words[c.state][0],
                "icon": words[c.state][1],
                "detail": c.detail,
                "since": c.since if c.state == "fail" else None,
            }
            for c in checks(live, at)
        ]
    }


@view("migration_head")
def migration_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{verdict, icon, state, detail, done, total, eta, why, since}: the page in one line; NO-GO since the oldest of the
    failures that still hold."""
    found = checks(live, at)
    failed = sum(c.state == "fail" for c in found)
    waiting = sum(c.state == "waiting" for c in found)
    every = [s for rows in streams(live, at).values() for s in rows]
    done = sum(min(s.done or 0.0, s.total) for s in every if s.total)
    total = sum(s.total or 0.0 for s in every)
    eta, why = ends(every)
    state = "fail" if failed else "waiting" if waiting else "pass"
    return {
        "verdict": {"fail": "NO-GO", "waiting": "WAIT", "pass": "GO"}[state] if found else "",
        "state": state,
        "icon": {"fail": "trouble", "waiting": "waiting", "pass": "check"}[state],
        "detail": f"{failed} of {len(found)} checks fail"
        if failed
        else (f"{waiting} of {len(found)} checks wait" if waiting else f"all {len(found)} checks pass"),
        "done": number(done),
        "total": number(total),
        "eta": list(eta) if eta else None,
        "why": why,
        "since": min((c.since for c in found if c.state == "fail" and c.since), default=None),
    }


@view("events_log")
def events_log(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{events: [{time, severity, host, kind, text}]} newest first; of the hosts and kinds of the query, or of all."""
    end = live.clock() if at is None else at
    hosts = query.get("host") or []
    names = [hosts] if isinstance(hosts, str) else [str(h) for h in hosts]
    found = _events(live, at, end - 86400, end + 60 if at is None else end, names)
    if kinds := query.get("kind"):
        found = [e for e in found if e["kind"] in kinds]
    found.sort(key=lambda e: -float(e["time"]))
    return {"events": found[: int(query.get("n", 12))]}


def _events(live: Live, at: float | None, start: float, end: float, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Events of these hosts (none: of all): live ones, or as of `at` from the history."""
    if at is None:
        return [e.wire() for e in live.span_events(start, end, names)]
    frame = live.store.events(start, end, **({"host": list(names)} if names else {}))
    return [
        {
            **{k: r[k] for k in ("severity", "host", "kind", "text")},
            "time": t,
            "until": None if pd.isna(r.get("until")) else r["until"].timestamp(),
        }
        for t, r in zip(seconds(frame), frame.to_dict("records"), strict=True)
    ]
