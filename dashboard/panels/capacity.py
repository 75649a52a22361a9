"""Capacity: how full each pool is, how it grows, and when it reaches 80 %; what dashboard/forecast.py makes of a year.
What other snapshot retention would cost, and whether a larger ARC would help, from what was measured.

A pool's rows come from `pool_capacity` (zpool list), else from its own row in `zpool_iostat`. Both count RAID-Z parity
on both sides, so a share of the pool is a share of what it can hold.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from dashboard.forecast import DAY, WEEK, Forecast, Reach, forecast
from dashboard.live import Live
from dashboard.panels import Frames, Known, Need, Query, panel, view
from dashboard.panels.data import Grid, Mark, PanelData, Series, number
from dashboard.panels.tools import Doubles, last, one, seconds
from frames import units

PLAN = 0.80
"""Plan to this share: beyond it a pool has ever fewer metaslabs with room (USERS.md (d))."""
FULL = 0.90
LOOKBACK = 365 * DAY
"""What a forecast is made of, s."""
FRESH = 600.0
"""Forecasts are made anew after so many seconds."""
GIB = float(1 << 30)
SLOP_MAX = 128 * GIB


def refused(size: float, system: str) -> float:
    """Used bytes from which a pool of `size` bytes refuses writes, so that it can still free.

    Solaris keeps 1/64 back (dsl_pool_adjustedsize). illumos and OpenZFS keep 1/32, spa_slop_shift; OpenZFS since 2.1
    at most 128 GiB, spa_max_slop (zfs(4), spa_misc.c)."""
    if system.startswith("solaris"):
        return size - size / 64
    slop = size / 32
    return size - (slop if system == "illumos" else min(slop, SLOP_MAX))


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's use now and what is likely. `system` as in the fact os."""

    host: str
    pool: str
    used: float
    size: float
    system: str
    forecast: Forecast
    """Without its walks."""
    plan: Reach
    """When it reaches 80 %."""
    past: tuple[Doubles, Doubles]
    """Epoch seconds and used bytes that the forecast is made of."""

    @property
    def key(self) -> str:
        return f"{self.host}/{self.pool}"

    @property
    def query(self) -> dict[str, str]:
        """What the growth panel and the views of one pool ask for."""
        return {"host": self.host, "pool": self.pool, "system": self.system}

    def rank(self) -> tuple[int, float, float]:
        """Order of the table: over 80 % first, then by the nearest date, then by share used."""
        share = self.used / self.size
        if self.plan.over:
            return 0, -share, 0.0
        if self.plan.early is not None:
            return 1, self.plan.early, self.plan.middle or float("inf")
        return (3 if self.forecast.why else 2), -share, 0.0


_lock = threading.Lock()
_kept: WeakKeyDictionary[Live, tuple[float, list[Pool]]] = WeakKeyDictionary()


def pools(live: Live) -> list[Pool]:
    """Every pool, the one nearest to 80 % first: forecasts are made anew every FRESH seconds, used and size are those
    of the newest sample, as on every other page."""
    now = live.clock()
    with _lock:
        found = _kept.get(live)
        if found is None or not 0 <= now - found[0] < (FRESH if found[1] else 5.0):
            found = _kept[live] = (now, _pools(live, now))
    fresh = live.shared("pools", lambda: _newest(live))
    return [replace(p, used=fresh[p.key][0], size=fresh[p.key][1]) if p.key in fresh else p for p in found[1]]


def _newest(live: Live) -> dict[str, tuple[float, float]]:
    """'host/pool' -> (used, size) of the newest sample that the ring holds."""
    out: dict[str, tuple[float, float, float]] = {}
    for table, where in (("zpool_iostat", {"vdev": [""]}), ("pool_capacity", None)):
        frame = live.latest(table, within=live.keep, where=where)[["time", "host", "pool", "alloc", "size"]].dropna()
        for at, host, pool, used, size in frame.itertuples(index=False):
            key = f"{host}/{pool}"
            if size > 0 and (key not in out or at.timestamp() > out[key][2]):
                out[key] = (float(used), float(size), at.timestamp())
    return {key: (used, size) for key, (used, size, _) in out.items()}


def _pools(live: Live, now: float) -> list[Pool]:
    out: dict[tuple[str, str], Pool] = {}
    for table in ("pool_capacity", "zpool_iostat"):
        where = {"vdev": [""]} if table == "zpool_iostat" else {}
        if out:  # the second question is only for those who did not answer the first
            have = {host for host, _ in out}
            where["host"] = [h for h in live.hosts if h not in have]
            if not where["host"]:
                break
        frame = live.store.window(
            table,
            (now - LOOKBACK) // DAY * DAY,
            now + 1,
            points=int(LOOKBACK / DAY) + 1,
            columns=["alloc", "size"],
            where=where or None,
        )
        for (h, p), rows in frame.groupby(["host", "pool"], observed=True):
            host, pool = str(h), str(p)
            known = live.host(host)
            made = _pool(host, pool, rows, known.fact("os") if known else "")
            if made is not None:
                out[host, pool] = made
    return sorted(out.values(), key=lambda p: (*p.rank(), p.key))


def _pool(host: str, name: str, rows: pd.DataFrame, system: str) -> Pool | None:
    size, used = last(rows, "size"), last(rows, "alloc")
    if not size or used is None:
        return None
    past = standing(rows)
    made = forecast(*past, size)
    return Pool(host, name, used, size, system, replace(made, walks=None), made.reach(PLAN * size), past)


def standing(rows: pd.DataFrame) -> tuple[Doubles, Doubles]:
    """Epoch seconds and used bytes by day: means, but where a pool stands in its newest day, which a migration may
    fill by a tenth: that day's extreme farther from the day before."""
    rows = rows.sort_values("time")
    used = rows["alloc"].to_numpy(float).copy()
    if len(used) > 1 and {"alloc_min", "alloc_max"} <= set(rows.columns):
        low, high = float(rows["alloc_min"].iloc[-1]), float(rows["alloc_max"].iloc[-1])
        used[-1] = high if high - used[-2] >= used[-2] - low else low
    return seconds(rows), used


def chosen(live: Live, key: str | None = None) -> Pool | None:
    """The pool called 'host/pool', else the one nearest to 80 %."""
    every = pools(live)
    return next((p for p in every if p.key == key), every[0] if every else None)


# -- words --------------------------------------------------------------------------------------------------------


def answer(p: Pool) -> str:
    """The page's heading: when the pool reaches 80 %, as a span; holds in 8 of 10 cases."""
    who = f"{p.host} {p.pool}"
    percent = f"80{units.THIN}%"
    r = p.plan
    if r.over:
        return f"{who} is over {percent}"
    if p.forecast.why:
        return f"{who}: no forecast yet"
    if r.early is None:
        return f"{who} does not reach {percent} within 2 years"
    if r.late is None:
        return f"{who} reaches {percent} on {units.date(r.early)} at the earliest"
    early, late = units.date(r.early), units.date(r.late)
    if early[-4:] == late[-4:]:
        early = early[:-5]
    if early == late[:-5]:
        return f"{who} reaches {percent} on {late}"
    return f"{who} reaches {percent} between {early} and {late}"


def detail(p: Pool) -> str:
    """Beside the heading: what it rests on."""
    if p.forecast.why:
        return p.forecast.why
    now = f"{units.text(p.used / p.size, '%')} used"
    weekly = f"{units.text(abs(p.forecast.drift) * WEEK, 'B')} a week"
    return f"{now}, {'grows' if p.forecast.drift >= 0 else 'shrinks'} by {weekly}"


def _row(p: Pool) -> dict[str, Any]:
    r, f = p.plan, p.forecast
    if r.over:
        early, late = "over now", ""
    elif f.why:
        early, late = f.why.partition(";")[0], ""
    elif r.early is None:
        early, late = "not within 2 years", ""
    else:
        early, late = units.date(r.early), units.date(r.late) if r.late is not None else "not certain"
    return {
        "key": p.key,
        "host": p.host,
        "pool": p.pool,
        "query": p.query,
        "used": number(p.used),
        "size": number(p.size),
        "share": number(p.used / p.size),
        "weekly": number(f.drift * WEEK),
        "early": number(r.early),
        "middle": number(r.middle),
        "late": number(r.late),
        "early_text": early,
        "late_text": late,
        "state": "bad" if p.used >= FULL * p.size else "warn" if r.over else "",
        "why": f.why,
    }


@view("capacity_pools")
def capacity_pools(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{pools: [row], note}, the nearest to 80 % first."""
    every = pools(live)
    shares = sorted({round(100 * refused(p.size, p.system) / p.size, 1) for p in every})
    between = f"{shares[0]:g}" + (f" to {shares[-1]:g}" if len(shares) > 1 else "") if shares else ""
    return {
        "pools": [_row(p) for p in every],
        "note": f"Writes are refused from {between}{units.THIN}%, by system and size; plan to 80{units.THIN}%."
        if shares
        else "",
    }


@view("capacity_head")
def capacity_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{title, detail, pool: row or None, middle, trend}: the answer for one pool."""
    p = chosen(live, _key(query))
    if p is None:
        return {"title": "Capacity", "detail": "", "pool": None}
    return {
        "title": answer(p),
        "detail": detail(p),
        "pool": _row(p),
        "middle": units.date(p.plan.middle) if p.plan.middle is not None and not p.plan.over else "",
        "trend": p.forecast.why or f"trend of {p.forecast.days:.0f} days, weekly steps",
    }


def _key(query: Query) -> str | None:
    return f"{query['host']}/{query['pool']}" if query.get("host") and query.get("pool") else None


# -- the plot -----------------------------------------------------------------------------------------------------

_NEED = ("alloc", "size")
BANDS: tuple[tuple[str, str, int], ...] = (
    ("middle", "forecast", 2),
    ("low80", "80 % from", 1),
    ("high80", "80 % to", 3),
    ("low95", "95 % from", 0),
    ("high95", "95 % to", 4),
)
"""Series of the forecast: id, label, place in forecast.QUANTILES."""


@panel(
    "pool_growth",
    kind="forecast",
    title="Pool growth",
    subtitle="allocated with parity",
    source="zpool list, by day",
    tables={
        "pool_capacity": Need(_NEED, by=("host", "pool")),
        "zpool_iostat": Need(_NEED, by=("host", "pool"), where={"vdev": [""]}),
    },
    step=DAY,
    lookback=LOOKBACK,
)
def pool_growth(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Used bytes by day and their forecast over the columns of `grid` behind the newest sample."""
    frame = frames["pool_capacity"]
    if not len(frame):
        frame = frames["zpool_iostat"]
    series = [Series("used", "used", "B", 1)]
    series += [Series(i, label, "B", 1 if i == "middle" else None, "dash") for i, label, _ in BANDS]
    values = np.full((len(series), grid.n), np.nan, np.float32)
    size = last(frame, "size")
    if not size:
        if not query.get("host"):
            return PanelData(grid, unit="B")
        return PanelData(grid, series, values, unit="B")
    times, used = standing(frame)
    values[0] = one(frame.sort_values("time").assign(alloc=used), "alloc", grid, "mean")
    made = forecast(times, used, size)
    if made.times is not None:
        middles = grid.start + (np.arange(grid.n) + 0.5) * grid.step
        at = made.at(middles)
        for k, (_, _, place) in enumerate(BANDS):
            values[k + 1] = at[place]
    system = str(query.get("system") or "")
    limit = refused(size, system)
    marks = [
        Mark(PLAN * size, "80 %", "warn"),
        Mark(FULL * size, "90 %", "bad"),
        Mark(limit, "refused", "refused"),
    ]
    return PanelData(grid, series, values, marks=marks, unit="B")


# -- snapshot retention -------------------------------------------------------------------------------------------

KEEP: tuple[tuple[int, str], ...] = ((7, "7 days"), (14, "14 days"), (30, "1 month"), (60, "2 months"))
DEFAULT_KEEP = 30


@dataclass(frozen=True, slots=True)
class Held:
    """What the snapshots of one dataset hold: `days` back to the oldest, `bytes` in all, `oldest` unique to the
    oldest day. `exact`: the sum is the host's own (usedbysnapshots), else that of unique bytes, which is less."""

    days: float
    bytes: float
    oldest: float
    exact: bool

    @property
    def rate(self) -> float:
        """Bytes a day that go out of use. What is deleted stays as long as a snapshot that saw it, so bytes held are
        rate times retention (Little's law)."""
        return self.bytes / self.days

    def keep(self, days: float) -> tuple[float, float, float]:
        """(likely, least, most) bytes when kept `days` days. Beyond what was measured the oldest day's own bytes are a
        second measure of a day's worth: the two are the span."""
        if days <= self.days:
            return (self.rate * days,) * 3
        more, rates = days - self.days, sorted((self.rate, self.oldest))
        return self.bytes + more * self.rate, self.bytes + more * rates[0], self.bytes + more * rates[1]


def held(snapshots: pd.DataFrame, usage: pd.DataFrame, now: float) -> dict[str, Held]:
    """By dataset, from the newest rows of `snapshots` and `dataset_usage` of one host; datasets whose snapshots are
    all younger than two days (those of a replication under way) are left out."""
    totals = dict(zip(usage["dataset"], usage["used_by_snapshots"], strict=True)) if len(usage) else {}
    out = {}
    for dataset, rows in snapshots.dropna(subset=["creation", "used"]).groupby("dataset"):
        ages = now - rows["creation"].to_numpy("datetime64[us]").astype("int64") / 1e6
        days = float(np.ceil(ages.max() / DAY))
        if days < 2:
            continue
        used = rows["used"].to_numpy(float)
        total = float(totals.get(dataset, np.nan))
        exact = bool(np.isfinite(total))
        out[str(dataset)] = Held(
            days, total if exact else float(used.sum()), float(used[ages > (days - 1) * DAY].sum()), exact
        )
    return out


_retained: WeakKeyDictionary[Live, dict[str, tuple[float, dict[str, Any]]]] = WeakKeyDictionary()


@view("capacity_retention")
def capacity_retention(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{rows: [{days, text, bytes, least, most, date, sentence, now}], ages: [[day, bytes]], days, why}; made anew
    every FRESH seconds."""
    p = chosen(live, _key(query))
    if p is None:
        return {"rows": [], "ages": [], "why": "No pool has a sample yet."}
    now = live.clock()
    kept = _retained.setdefault(live, {})
    found = kept.get(p.key)
    if found is None or not 0 <= now - found[0] < FRESH:
        found = kept[p.key] = (now, _retention(live, p, now))
    return found[1]


def _retention(live: Live, p: Pool, now: float) -> dict[str, Any]:
    where = {"host": [p.host]}
    usage = live.store.latest("dataset_usage", at=now, within=7200, where=where)
    snapshots = live.store.latest("snapshots", at=now, within=7200, where=where)
    inside = snapshots["dataset"].map(lambda d: str(d).split("/", 1)[0] == p.pool).astype(bool)
    snapshots = snapshots[inside] if len(snapshots) else snapshots
    sets = held(snapshots, usage, now)
    if not sets:
        return {"rows": [], "ages": [], "why": f"{p.host} {p.pool} has no snapshot older than a day."}
    top = usage[usage["dataset"] == p.pool]
    usable = float((top["used"] + top["avail"]).iloc[0]) if len(top) else p.size
    parity = p.size / usable if usable > 0 else 1.0
    made = forecast(*p.past, p.size)
    have = max(h.days for h in sets.values())
    current = sum(h.bytes for h in sets.values())
    rows = []
    for days, text in sorted({(int(have), f"{have:.0f} days"), *(k for k in KEEP if k[0] != int(have))}):
        likely, least, most = (sum(x) for x in zip(*(h.keep(days) for h in sets.values()), strict=True))
        same = days == int(have)
        if same:
            likely = least = most = current
        r = made.reach(PLAN * p.size, more=(likely - current) * parity)
        rows.append(
            {
                "days": days,
                "text": f"{text}, now" if same else text,
                "now": same,
                "bytes": number(likely),
                "least": number(least),
                "most": number(most),
                "date": ("over now" if same else "at once")
                if r.over
                else units.date(r.middle)
                if r.middle is not None
                else "after 2 years",
                "sentence": _sentence(days, have, likely - current, parity, p, r),
            }
        )
    ages = np.ceil((now - snapshots["creation"].to_numpy("datetime64[us]").astype("int64") / 1e6) / DAY).astype(int)
    by_day = pd.Series(snapshots["used"].to_numpy(float)).groupby(ages).sum()
    return {
        "rows": rows,
        "ages": [[d, b] for d, b in zip(by_day.index.tolist(), by_day.tolist(), strict=True)],
        "days": int(have),
        "why": "",
        "note": ""
        if all(h.exact for h in sets.values())
        else f"{p.host} does not tell usedbysnapshots: these are bytes unique to one snapshot, so at least this much.",
    }


def _sentence(days: int, have: float, more: float, parity: float, p: Pool, r: Reach) -> str:
    if days == int(have):
        return ""
    cost = f"{days} days instead of {have:.0f} {'cost' if more >= 0 else 'free'} {units.text(abs(more), 'B')}"
    share = f"{100 * abs(more) * parity / p.size:.1f}{units.THIN}% of the pool"
    if r.middle is None or p.plan.middle is None or r.over or p.plan.over:
        return f"{cost}, {share}."
    moved = round((p.plan.middle - r.middle) / DAY)
    effect = f"{abs(moved)} days {'nearer' if moved > 0 else 'farther off'}" if moved else "no nearer"
    return f"{cost}, {share}, and bring the 80{units.THIN}% mark {effect}."


# -- ARC ----------------------------------------------------------------------------------------------------------

ARC_SPAN = DAY
STARVED, STARVED_RATE = 0.2, 5.0
"""Starved: at least this share of misses, and as many a second, would have been hits in a larger ARC."""


@view("capacity_arc")
def capacity_arc(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{hosts: [{host, size, target, max, misses, ghosts, share, state, word}]} over the newest day, starved first."""
    now = live.clock()
    kept = _retained.setdefault(live, {})
    found = kept.get("")
    if found is None or not 0 <= now - found[0] < FRESH:
        found = kept[""] = (now, {"hosts": _arc(live, now)})
    return found[1]


def _arc(live: Live, now: float) -> list[dict[str, Any]]:
    columns = ["size", "c", "c_max", "misses", "mru_ghost_hits", "mfu_ghost_hits"]
    frame = live.store.window("arcstats", now - ARC_SPAN, now + 1, points=24, columns=columns)
    if not len(frame):
        return []
    means = frame.groupby("host")[columns].mean()
    out = []
    for host, m in means.iterrows():
        ghosts = float(m["mru_ghost_hits"] + m["mfu_ghost_hits"])
        share = ghosts / float(m["misses"]) if m["misses"] > 0 else float("nan")
        starved = share >= STARVED and ghosts >= STARVED_RATE
        at_max = m["c"] >= 0.97 * m["c_max"]
        out.append(
            {
                "host": str(host),
                "size": number(float(m["size"])),
                "target": number(float(m["c"])),
                "max": number(float(m["c_max"])),
                "misses": number(float(m["misses"])),
                "ghosts": number(ghosts),
                "share": number(share),
                "state": "warn" if starved else "",
                "word": ("limit is low" if at_max else "memory is short") if starved else "enough",
            }
        )
    return sorted(out, key=lambda r: (not r["state"], -(r["share"] or 0.0), r["host"]))
