"""What the pipes of a pair say: stream bytes, rate at both ends, buffers, and with that who holds the other up.

Beside the growth of the target (`dashboard.panels.migration`), which works without them: the table `transfers` has
a row for each zfs send and receive that a host's processes and logs tell of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from dashboard.live import Live
from dashboard.panels import Query, view
from dashboard.panels.data import number
from dashboard.panels.migration import RECENT, Pair, pairs
from dashboard.panels.tools import seconds
from frames import units
from frames.schemas import SCHEMAS, to_pandas

State = Literal["failed", "stalled", "stale", "running", "waiting", "ended", "done"]
ORDER: tuple[State, ...] = ("failed", "stalled", "stale", "running", "waiting", "ended", "done")
WORDS: dict[State, str] = {s: s.capitalize() for s in ORDER}
ICONS: dict[State, str] = {
    "failed": "trouble",
    "stalled": "trouble",
    "stale": "stale",
    "running": "play",
    "waiting": "waiting",
    "ended": "waiting",
    "done": "check",
}
OVER = ("done", "failed", "ended")
MISSED = 3
"""Intervals without a sample that make a stream stale."""
STEADY = 60.0
"""Buffers are judged by their mean over so many seconds."""
FULL, EMPTY = 0.9, 0.1
BOTH = {"send": "zfs_send", "receive": "zfs_receive"}


@dataclass(frozen=True, slots=True)
class End:
    """One end of a pipe: bytes, bytes a second, fractions, seconds; None is unknown."""

    state: State
    done: float | None
    total: float | None
    rate: float | None
    mean: float | None
    buffer: float | None
    age: float
    origin: str
    snapshot: str
    text: str


@dataclass(frozen=True, slots=True)
class Pipe:
    """One dataset on its way, as its ends tell of it; `eta` in epoch seconds, `who` is silent where it is stale."""

    name: str
    state: State
    out: End | None
    into: End | None
    eta: tuple[float, float] | None
    verdict: str
    who: str = ""

    @property
    def ends(self) -> tuple[End, ...]:
        """The sender first: it knows the bytes and the estimate."""
        return tuple(e for e in (self.out, self.into) if e)


def pipes(frame: pd.DataFrame, pair: Pair, now: float, *, every: float = 5.0, gone: Collection[str] = ()) -> list[Pipe]:
    """The pipes of `pair` in rows of `transfers` of the last `RECENT` seconds, worst first."""
    sides = {
        "out": _series(frame, pair.source, BOTH["send"], {d: d for d in pair.datasets}, pair.source_pool),
        "into": _series(
            frame, pair.target, BOTH["receive"], {pair.on_target(d): d for d in pair.datasets}, pair.target_pool
        ),
    }
    out = []
    for name in dict.fromkeys([*sides["out"], *sides["into"]]):
        ends = {side: _end(found[name], now) if name in found else None for side, found in sides.items()}
        out.append(_pipe(name, ends["out"], ends["into"], pair, now, MISSED * every, gone))
    return sorted(out, key=lambda p: (ORDER.index(p.state), p.name))


def _series(
    frame: pd.DataFrame, host: str, kind: str, datasets: Mapping[str, str], pool: str
) -> dict[str, pd.DataFrame]:
    """Short name of a dataset -> rows of the one stream of it that was heard of last."""
    mine = frame[(frame["host"] == host) & (frame["kind"] == kind)].sort_values("time")
    found: dict[str, pd.DataFrame] = {}
    for stream, rows in mine.groupby("stream", sort=False):
        last = rows.iloc[-1]
        dataset = last["dataset"] if isinstance(last["dataset"], str) else ""
        # A recursive stream is named by where it began; a log without a dataset by its file.
        roots = [str(stream).partition(" ")[2], dataset]
        if datasets:
            name = next((n for d, n in datasets.items() if any(r == d or r.startswith(f"{d}/") for r in roots)), None)
            name = name or next((n for n in datasets.values() if _short(n) == str(stream).partition(".")[0]), None)
        else:
            name = next((r for r in roots if r and (r == pool or r.startswith(f"{pool}/"))), None)
        if name is None:
            continue
        short = _short(name)
        if short not in found or _rank(found[short]) <= _rank(rows):
            found[short] = rows
    return found


def _short(dataset: str) -> str:
    return dataset.rpartition("/")[2]


def _rank(rows: pd.DataFrame) -> tuple[bool, pd.Timestamp]:
    last = rows.iloc[-1]
    return last["state"] not in OVER, last["time"]


def _end(rows: pd.DataFrame, now: float) -> End:
    last = rows.iloc[-1]
    times = seconds(rows)
    state: State = last["state"] if last["state"] in ORDER else "waiting"
    done, total = number(last["done"]), number(last["total"])
    elapsed = number(last["elapsed"])
    buffer = rows["buffer"][times >= now - STEADY].mean()
    return End(
        state,
        done,
        total,
        number(last["rate"]),
        done / elapsed if done and elapsed else None,
        None if state in OVER else number(buffer),
        now - float(times[-1]),
        *(last[c] if isinstance(last[c], str) else "" for c in ("from_snapshot", "to_snapshot", "text")),
    )


def _pipe(
    name: str, out: End | None, into: End | None, pair: Pair, now: float, stale: float, gone: Collection[str]
) -> Pipe:
    ends = {pair.source: out, pair.target: into}
    states = {e.state for e in ends.values() if e}
    silent = [h for h, e in ends.items() if e and e.state not in OVER and (e.age > stale or h in gone)]
    if silent:
        state: State = "stale"
    elif out and out.state == "running" and into and into.state in OVER:
        state = into.state if into.state != "done" else "running"  # the next of several streams is on its way
    else:
        state = min(states, key=ORDER.index)
    if into and into.state == "done" and states <= {"done", "ended"}:
        state = "done"  # the receiver has the last word
    eta = None
    first = next((e for e in (out, into) if e and e.done is not None and e.total), None)
    if first and state == "running" and first.done is not None and first.total:
        left = max(0.0, first.total - first.done)
        rates = [r for r in (first.rate, first.mean) if r and r > 0]
        eta = (now + left / max(rates), now + left / min(rates)) if rates else None
    verdict = _verdict(out, into) if state in ("running", "stalled") else ""
    return Pipe(name, state, out, into, eta, verdict, silent[0] if silent else "")


def _verdict(out: End | None, into: End | None) -> str:
    """Who holds the stream up, from how full the buffers are: a full one waits for what is behind it."""
    a, b = (e.buffer if e else None for e in (out, into))
    known = [x for x in (a, b) if x is not None]
    if a is not None and b is not None and a >= FULL and b <= EMPTY:
        return "network slow"
    if any(x >= FULL for x in known):
        return "receiver slow"
    if known and all(x <= EMPTY for x in known):
        return "sender slow"
    return "even" if known else ""


@view("transfers")
def transfers(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{pipes: [{name, state, word, icon, what, done, total, out, in, was, eta, buffers, verdict, bad, note, title}],
    empty}: `eta` is [early, late] in epoch seconds, rates are bytes a second, buffers fractions at both ends."""
    index = int(query.get("pair", 0))
    pair = next((p for p in pairs(live) if p.index == index), None)
    if pair is None:
        return {"pipes": [], "empty": ""}
    now = live.clock() if at is None else at
    where = {"host": [pair.source, pair.target]}
    every = SCHEMAS["transfers"].every
    if at is None:
        frame = to_pandas(live.rows("transfers", now - RECENT, now + 60, where))
        gone = {h for h in (pair.source, pair.target) if (host := live.host(h)) and not host.up(now)}
        every = max(every, live.interval("transfers", where["host"]))
    else:
        frame = live.store.window("transfers", at - RECENT, at + 1, where=where)
        gone = set()
    found = pipes(frame, pair, now, every=every, gone=gone)
    return {"pipes": [_wire(p) for p in found], "empty": "" if found else _empty(live, pair)}


def _empty(live: Live, pair: Pair) -> str:
    """Why there is nothing; '' where nobody asked for it."""
    asked = [h for h in (pair.source, pair.target) if (host := live.host(h)) and "zfs_streams" in host.fact("sources")]
    return f"no zfs send or receive runs on {' or '.join(asked)}" if asked else ""


def _wire(p: Pipe) -> dict[str, Any]:
    first = p.ends[0]
    known = next((e for e in p.ends if e.done is not None), first)
    live = p.state in ("running", "stalled")
    rates = [number(e.rate) if e and live else None for e in (p.out, p.into)]
    note = ""
    if p.state == "stale":
        note = f"{p.who} silent for {units.span(max(e.age for e in p.ends))}"
    elif p.state == "ended":
        note = "gone without a word: compare snapshots"
    elif p.state == "failed":
        note = next((e.text for e in p.ends if e.state == "failed"), "")
    elif live and known.total is None:
        note = "no estimate"
    return {
        "name": p.name,
        "state": p.state,
        "word": WORDS[p.state],
        "icon": ICONS[p.state],
        "what": _what(first),
        "done": number(known.done),
        "total": number(known.total),
        "out": rates[0],
        "in": rates[1],
        "was": number(first.rate) if p.state == "stale" else None,
        "eta": list(p.eta) if p.eta else None,
        "buffers": [e.buffer if e else None for e in (p.out, p.into)] if live else [None, None],
        "verdict": p.verdict,
        "bad": p.state in ("failed", "stalled"),
        "note": note,
        "title": "\n".join(e.text for e in p.ends if e.text),
    }


def _what(end: End) -> str:
    if not end.snapshot:
        return ""
    start = end.origin if end.origin.startswith("#") else f"@{end.origin}"
    return f"{start} to @{end.snapshot}" if end.origin else f"all of @{end.snapshot}"
