"""Since when: the beginning of what is wrong, looked up once in the history and kept while it lasts.

`Onsets.of` never waits: the first answer about something new is None, the history's comes with a later verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import structlog

if TYPE_CHECKING:
    from dashboard.live import Live

log = structlog.get_logger()

FORGET = 300.0
"""What has not been wrong for so long begins anew when it is wrong again, s."""
REST = 3
"""So many good buckets in a row end what was wrong: one alone may be a lull."""
_worker = ThreadPoolExecutor(1, "onset")


@dataclass(frozen=True, slots=True)
class Onset:
    """Epoch seconds; `before`: it was so already where the history begins, or where the look back ended."""

    since: float
    before: bool = False


Bad = Callable[[pd.DataFrame], pd.Series]
"""Rows of a window -> whether something is wrong, by time."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where to look: `table` restricted by `where`; `looks`: (seconds back, bucket width), a longer one where the
    first sees no beginning."""

    table: str
    where: Mapping[str, Sequence[str]]
    columns: tuple[str, ...]
    bad: Bad
    looks: tuple[tuple[float, float], ...]


def began(live: Live, search: Search, now: float) -> Onset | None:
    """The beginning of the run of bad buckets that reaches the present; None where the newest ones are good. Gaps
    neither end a run nor begin one."""
    found = None
    for back, step in search.looks:
        end = float(np.ceil((now + 1) / step) * step)
        frame = live.store.window(
            search.table,
            end - back,
            end,
            points=round(back / step),
            where={k: list(v) for k, v in search.where.items()},
            columns=list(search.columns),
        )
        again = _run(frame, search.bad)
        # Where the history begins between two wide buckets, the narrow ones knew better.
        if again and not (found and again.before and again.since > found.since - step):
            found = again
        if found is None or not found.before:
            break
    return found


def _run(frame: pd.DataFrame, bad_rows: Bad) -> Onset | None:
    if not len(frame):
        return None
    told = bad_rows(frame).sort_index()
    times = told.index.to_numpy("datetime64[us]").astype("int64") / 1e6
    bad = told.to_numpy(bool)
    first, good = None, 0
    for i in range(len(bad) - 1, -1, -1):
        good = 0 if bad[i] else good + 1
        if good == REST or (first is None and good > 1):
            break
        if bad[i]:
            first = i
    if first is None:
        return None
    return Onset(float(times[first]), before=first == 0)


class Onsets:
    """The onsets of one dashboard, by what is wrong."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[Onset | None, float]] = {}

    def of(self, live: Live, key: tuple[str, ...], search: Search) -> Onset | None:
        """Since when; None as long as it is not known."""
        now = live.clock()
        found = self._known.get(key)
        if found is None:
            for old in [k for k, (_, asked) in self._known.items() if now - asked > FORGET]:
                del self._known[old]
            # Until the history has answered, and where it knows nothing, it is unknown.
            self._known[key] = (None, now)
            _worker.submit(self._look, live, key, search)
            return None
        self._known[key] = (found[0], now)
        return found[0]

    def _look(self, live: Live, key: tuple[str, ...], search: Search) -> None:
        now = live.clock()
        try:
            onset = began(live, search, now)
        except Exception:
            log.exception("the history does not say since when", table=search.table, where=dict(search.where))
            return
        # What has begun in this very minute is not in the history yet.
        self._known[key] = (onset or Onset(now), self._known.get(key, (None, now))[1])


_onsets: WeakKeyDictionary[Live, Onsets] = WeakKeyDictionary()


def onsets(live: Live) -> Onsets:
    return _onsets.setdefault(live, Onsets())


def pool(host: str, name: str, good: frozenset[str]) -> Search:
    """A pool of which some vdev is in no good state."""

    def bad(frame: pd.DataFrame) -> pd.Series:
        return (~frame["state"].fillna("").isin(good)).groupby(frame["time"]).any()

    looks = ((86400.0, 60.0), (30 * 86400.0, 3600.0))
    return Search("zpool_status", {"host": [host], "pool": [name]}, ("state",), bad, looks)


def zone(host: str, name: str) -> Search:
    """A zone at its CPU cap: threads wait for most of a minute."""

    def bad(frame: pd.DataFrame) -> pd.Series:
        return frame.set_index("time")["cpu_waiting"].fillna(0) > 0.5

    return Search("zone_usage", {"host": [host], "zone": [name]}, ("cpu_waiting",), bad, ((21600.0, 60.0),))


def disk(host: str, name: str, peers: Sequence[str], times: float) -> Search:
    """A disk whose mean service time is `times` that of the median of its peers."""

    def bad(frame: pd.DataFrame) -> pd.Series:
        table = frame.pivot_table(index="time", columns="device", values="asvc_t", observed=True)
        if name not in table:
            return pd.Series(False, index=table.index)
        others = table.drop(columns=name).median(axis=1)
        return (table[name] >= times * others).fillna(False)

    return Search("disk_io", {"host": [host], "device": [name, *peers]}, ("asvc_t",), bad, ((86400.0, 60.0),))
