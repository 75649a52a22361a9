"""Capacity: how full each pool is, how it grows, and when it reaches 80 %; what dashboard/forecast.py makes of a year.

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
from dashboard.panels.tools import last, one, seconds
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
    """Every pool with its forecast, the one nearest to 80 % first; made anew every FRESH seconds."""
    now = live.clock()
    with _lock:
        found = _kept.get(live)
        if found is None or not 0 <= now - found[0] < (FRESH if found[1] else 5.0):
            found = _kept[live] = (now, _pools(live, now))
    return found[1]


def _pools(live: Live, now: float) -> list[Pool]:
    out: dict[tuple[str, str], Pool] = {}
    for table, where in (("pool_capacity", None), ("zpool_iostat", {"vdev": [""]})):
        frame = live.store.window(
            table,
            (now - LOOKBACK) // DAY * DAY,
            now + 1,
            points=int(LOOKBACK / DAY) + 1,
            columns=["alloc", "size"],
            where=where,
        )
        for (h, p), rows in frame.groupby(["host", "pool"], observed=True):
            host, pool = str(h), str(p)
            if (host, pool) in out:
                continue
            known = live.host(host)
            made = _pool(host, pool, rows, known.fact("os") if known else "")
            if made is not None:
                out[host, pool] = made
    return sorted(out.values(), key=lambda p: (*p.rank(), p.key))


def _pool(host: str, name: str, rows: pd.DataFrame, system: str) -> Pool | None:
    size, used = last(rows, "size"), last(rows, "alloc")
    if not size or used is None:
        return None
    made = forecast(seconds(rows), rows["alloc"].to_numpy(float), size)
    return Pool(host, name, used, size, system, replace(made, walks=None), made.reach(PLAN * size))


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
    values[0] = one(frame, "alloc", grid, "mean")
    made = forecast(seconds(frame), frame["alloc"].to_numpy(float), size)
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
