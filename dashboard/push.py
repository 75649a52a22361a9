"""`/live`: each second the newest columns of the panels that are open, encoded once and sent to every page that
shows them; `/poll`: the same over plain HTTP where WebSockets are blocked.

Client -> server, JSON text:

    {"op":"watch","gen":7,"range":{"from":"now-15m","to":"now","tz":"UTC"},
     "panels":[{"id":"p-pool_io","panel":"pool_io","query":{...},"points":520}],
     "views":[{"id":"v1","view":"fleet","query":{}}]}     replaces all; `gen` comes back in every answer
    {"op":"ack","seq":12}                                 after drawing tick 12; none follows before

Server -> client, binary (panels/data.py `encode`): uint32 LE length, JSON header, float32 LE arrays.

    fill   header of `fill_header` and op, gen, id, range [from, to], live, events
    tick   {"op":"tick","gen","seq","now","newest","panels":[{"id","at","n","arrays",["series"]}],
           "views":[{"id","data"}],"events":[...]}: n columns from epoch `at` replace or append; `series` comes
           with them only when a label, cap or state changed; arrays of all panels concatenated in order.
           The first views of a gen come in a tick, for history too.

and text: {"op":"status","now","newest","hosts":{"up","down"},"lost","seq","gen","range"} every second,
{"op":"error","text","id"?}.

The few newest columns go with every tick, so rows that come late are put right; a page that missed more than
those gets a fill again. Only the newest state is ever kept for a page: a slow one skips, nothing queues.

Lifecycle: `Hub.run` is one task for the life of the server; `Hub.serve` one call per WebSocket, which owns a
reader (itself), a writer task and a fill task, all ended before it returns. Panels are computed on one worker
thread for ticks and on two for fills.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard import fill, panels, ranges
from dashboard.live import Live
from dashboard.panels import Query
from dashboard.panels.data import Grid, PanelData, Series, array_bytes, encode, fill_header, number
from dashboard.shell import canonical

log = structlog.get_logger()

MAX_CLIENTS = 200
MAX_PANELS = 80
MAX_MESSAGE = 1 << 16
BACK = 4
"""Columns sent with every tick at one second; wider ones go two at a time."""
EARLIER = 30.0
"""A panel of an earlier day reads the history, not the ring: once in so many seconds is enough for a comparison."""
AGAIN = 5.0
"""At most one new fill of a panel in this many seconds when its series change."""


class WatchError(ValueError):
    """A watch that cannot be followed; the message is for the person who reads the page's code."""


@dataclass(eq=False, slots=True)
class Stream:
    """One (panel, query, step) that at least one page watches live, and its newest columns."""

    panel: panels.Panel
    query: Query
    step: float
    series: list[Series] = field(default_factory=list)
    bands: bool = False
    heat_rows: int = 0
    filled: bool = False
    revision: int = 0
    at: float = 0.0
    n: int = 0
    shapes: str = "[]"
    body: bytes = b""
    changed_at: float = float("-inf")
    epoch: int = 0
    """Counts up when the series or what is said of them changed, so that every page needs a new fill."""

    @property
    def back(self) -> int:
        return BACK if self.step <= 1 else 2


@dataclass(slots=True)
class Shown:
    """What one page shows of a stream: where its columns end and which revision it has."""

    id: str
    stream: Stream
    points: int
    filled: bool = False
    revision: int = 0
    end: float = 0.0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """A checked watch message."""

    gen: int
    start: str
    end: str
    tz: str
    panels: tuple[tuple[str, panels.Panel, Query, int], ...]
    views: tuple[tuple[str, str, Query], ...]
    have: Mapping[str, float]


def parse_watch(message: Mapping[str, Any]) -> Watch:
    """Checks a watch. Raises WatchError."""
    try:
        span = message.get("range") or {}
        wanted = message.get("panels") or []
        seen = message.get("views") or []
        if len(wanted) + len(seen) > MAX_PANELS:
            raise WatchError(f"{len(wanted) + len(seen)} panels and views; at most {MAX_PANELS}")
        out = []
        for p in wanted:
            panel = panels.PANELS.get(p["panel"])
            if panel is None:
                raise WatchError(f"no panel is called {p['panel']!r}")
            out.append((str(p["id"]), panel, _query(p), int(p.get("points") or 300)))
        views = []
        for v in seen:
            if v["view"] not in panels.VIEWS:
                raise WatchError(f"no view is called {v['view']!r}")
            views.append((str(v["id"]), str(v["view"]), _query(v)))
        return Watch(
            int(message.get("gen") or 0),
            str(span.get("from") or ranges.DEFAULT[0]),
            str(span.get("to") or ranges.DEFAULT[1]),
            str(span.get("tz") or "UTC"),
            tuple(out),
            tuple(views),
            {str(k): float(v) for k, v in (message.get("have") or {}).items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        if isinstance(e, WatchError):
            raise
        raise WatchError(f"malformed watch: {e!r}") from e


def hosts_shown(watch: Watch | None) -> list[str]:
    """The hosts that a page is about: those that its panels and views name; empty (all) where one names none."""
    if watch is None:
        return []
    named = [fill.hosts_of(query) for query in (*(p[2] for p in watch.panels), *(v[2] for v in watch.views))]
    return sorted({host for hosts in named for host in hosts}) if all(named) else []


def _query(item: Mapping[str, Any]) -> dict[str, Any]:
    query = item.get("query") or {}
    if not isinstance(query, dict):
        raise WatchError(f"query of {item.get('id')!r} is no object")
    return query


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a WebSocket comes from a page of this very server: browsers always name the origin."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


class Client:
    """One page: what it watches and the newest that it has not been sent."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.watch: Watch | None = None
        self.live = False
        self.shown: dict[str, Shown] = {}
        self.views: dict[str, tuple[str, str]] = {}
        """view id -> (key of the view, JSON last sent)"""
        self.fills: list[bytes | str] = []
        self.want: list[str] = []
        """panels that need a fill"""
        self.range: ranges.Range | None = None
        self.tick_due = False
        self.status: str | None = None
        self.unacked: int | None = None
        self.event_index = 0
        self.wake = asyncio.Event()
        self.fill_wake = asyncio.Event()


class Hub:
    """Knows every page and every stream; see the module."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.clients: set[Client] = set()
        self.streams: dict[tuple[str, str, float], Stream] = {}
        self.view_json: dict[str, str] = {}
        self._filling: dict[tuple[Any, ...], asyncio.Future[PanelData]] = {}
        self._seq = itertools.count(1)
        self._answered: set[tuple[str, str]] = set()
        self._ticks = ThreadPoolExecutor(1, "tick")
        self._fills = ThreadPoolExecutor(2, "fill")

    # -- the one task ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ticks after each new second of data and at least once a second; until cancelled."""
        loop = asyncio.get_running_loop()
        last = 0.0
        with self.live.changes() as changed:
            while True:
                await self._pause(changed, last)
                last = loop.time()
                try:
                    await self.tick()
                except Exception:
                    log.exception("tick failed")

    async def _pause(self, changed: asyncio.Event, last: float) -> None:
        """Until the next tick: 0.9 s after the last where something came, a second where nothing did; at once when a
        question that somebody has just asked has its first answer."""
        loop = asyncio.get_running_loop()
        came = False
        while (left := last + (0.9 if came else 1.0) - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)
                changed.clear()
                came = True
                if self._first_answer():
                    break
        # The sources of one second come within some tens of milliseconds of each other.
        await asyncio.sleep(0.04)

    def _first_answer(self) -> bool:
        """Whether a host has just begun to answer a question that some page shows."""
        shown = {
            q for s in self.streams.values() for q in [s.query.get("question")] if "dtrace" in s.panel.tables and q
        }
        if not shown:
            return False
        now = self.live.clock()
        rows = self.live.rows("dtrace", now - 3, now + 3, {"question": sorted(map(str, shown))})
        pairs = rows.group_by(["question", "host"]).aggregate([])
        seen = set(zip(pairs["question"].to_pylist(), pairs["host"].to_pylist(), strict=True))
        new, self._answered = seen - self._answered, seen
        return bool(new)

    async def tick(self) -> None:
        """Brings every stream and view up to date and wakes the pages."""
        for key in [k for k, s in self.streams.items() if not any(self._shows(c, s) for c in self.clients)]:
            del self.streams[key]
        wanted = {key: None for c in self.clients if c.live for key, _ in c.views.values()}
        streams = [s for s in self.streams.values() if s.filled]
        if streams or wanted:
            loop = asyncio.get_running_loop()
            self.view_json = await loop.run_in_executor(self._ticks, self._compute, streams, list(wanted))
        for client in self.clients:
            client.status = json.dumps(self._status(client.watch))
            client.tick_due = True
            client.wake.set()

    @staticmethod
    def _shows(client: Client, stream: Stream) -> bool:
        return any(s.stream is stream for s in client.shown.values())

    def _compute(self, streams: Iterable[Stream], views: Iterable[str]) -> dict[str, str]:
        for stream in streams:
            try:
                self._advance(stream)
            except Exception:
                log.exception("panel failed", panel=stream.panel.name, query=stream.query)
        return {key: self._view(key, None) for key in views}

    def _some_views(self, keys: Iterable[str], at: float | None) -> dict[str, str]:
        return {key: self._view(key, at) for key in keys}

    def _view(self, key: str, at: float | None) -> str:
        name, query = json.loads(key)
        try:
            return json.dumps(panels.VIEWS[name](self.live, query, at), allow_nan=False, separators=(",", ":"))
        except Exception as e:
            log.exception("view failed", view=name, query=query)
            return json.dumps({"error": f"{type(e).__name__} in view {name}"})

    def _advance(self, stream: Stream) -> None:
        """Computes the stream's newest columns; raises what the panel function raises."""
        newest = self._newest(stream.panel, stream.query)
        if newest is None or (fill.shift_of(stream.query) and newest - stream.at < EARLIER):
            return
        last = Grid.over(newest, newest + 1e-3, stream.step).start
        n = max(stream.back, math.ceil(stream.panel.context / stream.step))
        grid = Grid(last - (n - 1) * stream.step, stream.step, n)
        data = fill.columns(self.live, stream.panel, stream.query, grid, [s.id for s in stream.series])
        if not data.series and not stream.series and data.heat is None:
            return
        aligned = fill.align(data, stream.series)
        now = self.live.clock()
        by_id = {s.id: s for s in data.series}
        described = [by_id.get(s.id, s) for s in stream.series]
        if (aligned is None or described != stream.series) and now - stream.changed_at >= AGAIN:
            stream.changed_at = now
            stream.epoch += 1
            stream.series = [] if aligned is None else described
        if aligned is None or len(aligned.series) != len(stream.series):
            return
        aligned = fill.same_arrays(tail(aligned, stream.back), bands=stream.bands, heat_rows=stream.heat_rows)
        body = array_bytes(aligned)
        if aligned.grid.start == stream.at and body == stream.body:
            return
        stream.at, stream.n, stream.body = aligned.grid.start, aligned.grid.n, body
        stream.shapes = json.dumps([[name, *a.shape] for name, a in aligned.arrays()], separators=(",", ":"))
        stream.revision += 1

    def _newest(self, panel: panels.Panel, query: Query) -> float | None:
        if not panel.tables:
            return self.live.clock() // 1
        return self.live.newest(panel.tables, fill.hosts_of(query))

    def _status(self, watch: Watch | None) -> dict[str, Any]:
        span = self._resolve(watch) if watch else None
        return {
            "op": "status",
            "now": self.live.clock(),
            "newest": number(self.live.newest((), hosts_shown(watch))),
            "hosts": self.live.counts(),
            "lost": self.live.lost,
            "seq": self.live.seq,
            "gen": watch.gen if watch else 0,
            "range": [span.start, span.end] if span else None,
        }

    def _resolve(self, watch: Watch) -> ranges.Range | None:
        with contextlib.suppress(ranges.RangeError):
            return ranges.resolve(watch.start, watch.end, self.live.clock(), tz=watch.tz)
        return None

    # -- one page -------------------------------------------------------------------------------------------

    async def serve(self, websocket: WebSocket) -> None:
        """The whole life of one page's WebSocket."""
        if not same_origin(websocket.headers):
            await websocket.close(1008)
            return
        if len(self.clients) >= MAX_CLIENTS:
            await websocket.close(1013)
            return
        await websocket.accept()
        client = Client(websocket)
        self.clients.add(client)
        tasks = [asyncio.create_task(self._write(client)), asyncio.create_task(self._fill(client))]
        try:
            while True:
                text = await websocket.receive_text()
                if len(text) > MAX_MESSAGE:
                    await websocket.close(1009)
                    return
                self._receive(client, text)
        except (WebSocketDisconnect, RuntimeError, KeyError):
            return  # gone, or sent bytes where text is agreed
        finally:
            self.clients.discard(client)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _receive(self, client: Client, text: str) -> None:
        try:
            message = json.loads(text)
            op = message.get("op")
        except (ValueError, AttributeError):
            client.fills.append(_error("not a JSON object"))
            client.wake.set()
            return
        if op == "ack":
            if message.get("seq") == client.unacked:
                client.unacked = None
                client.wake.set()
        elif op == "watch":
            try:
                watch = parse_watch(message)
                span = ranges.resolve(watch.start, watch.end, self.live.clock(), tz=watch.tz)
            except (WatchError, ranges.RangeError) as e:
                client.fills.append(_error(str(e)))
                client.wake.set()
                return
            self._watch(client, watch, span)
        else:
            client.fills.append(_error(f"unknown op {op!r}"))
            client.wake.set()

    def _watch(self, client: Client, watch: Watch, span: ranges.Range) -> None:
        client.watch, client.live, client.range = watch, span.live, span
        client.fills.clear()
        client.unacked = None
        client.shown = {
            id: Shown(id, self._stream(panel, query, span, points, shared=span.live), points)
            for id, panel, query, points in watch.panels
        }
        client.views = {id: (json.dumps([name, json.loads(canonical(q))]), "") for id, name, q in watch.views}
        # A panel with a long time of its own costs most and is looked at last.
        client.want = [id for id, panel, *_ in sorted(watch.panels, key=lambda p: p[1].span > 0)]
        client.event_index = self.live.events[-1].index if self.live.events else 0
        client.fill_wake.set()

    def _stream(self, panel: panels.Panel, query: Query, span: ranges.Range, points: int, *, shared: bool) -> Stream:
        span = own_span(panel, span)
        step = fill.step_for(self.live, panel, query, span.start, span.end, points)
        if not shared:
            return Stream(panel, query, step)
        key = (panel.name, canonical(query), step)
        return self.streams.setdefault(key, Stream(panel, query, step))

    async def _fill(self, client: Client) -> None:
        """Fills of one page, one after the other in the order of the page, and beside them its views."""
        while True:
            await client.fill_wake.wait()
            client.fill_wake.clear()
            views = asyncio.create_task(self._fill_views(client))
            while client.want and client.watch:
                watch, id = client.watch, client.want.pop(0)
                shown = client.shown.get(id)
                span = self._resolve(watch)
                if shown is None or span is None:
                    continue
                stream = shown.stream
                try:
                    data = await self._filled(stream, span)
                except Exception as e:
                    log.exception("fill failed", panel=stream.panel.name, query=stream.query)
                    client.fills.append(_error(f"{type(e).__name__}: {e}", id))
                    client.wake.set()
                    continue
                if client.watch is not watch:
                    continue  # another range or page was asked for meanwhile
                if [x.id for x in data.series] != [x.id for x in stream.series] or not stream.filled:
                    stream.epoch += stream.filled and bool(stream.series)  # who drew other lines fills again
                    stream.step = data.grid.step  # the history may hold only wider columns
                    stream.series = list(data.series)
                    stream.bands = data.low is not None
                    stream.heat_rows = data.heat.counts.shape[1] if data.heat is not None else 0
                    stream.filled = True
                shown.filled, shown.epoch = True, stream.epoch
                shown.revision, shown.end = 0, data.grid.end
                client.fills.append(self._fill_message(data, stream, watch.gen, id, span))
                client.wake.set()
            await views

    async def _fill_views(self, client: Client) -> None:
        """The views of a new watch, beside its panels: what another page has just been sent comes at once."""
        if not client.watch or not client.views:
            return
        watch, at = client.watch, (None if client.live else client.range.end if client.range else None)
        keys = {key for key, _ in client.views.values()}
        found = {} if at else {k: v for k, v in self.view_json.items() if k in keys}
        for part in (found, None):
            if part is None and (missing := keys - set(found)):
                loop = asyncio.get_running_loop()
                part = await loop.run_in_executor(self._fills, self._some_views, missing, at)
            if part and client.watch is watch:
                client.fills.append(self._views_message(client, part))
                client.wake.set()

    async def _filled(self, stream: Stream, span: ranges.Range) -> PanelData:
        """The fill of a stream; pages that ask for the same one at the same time wait for one computation."""
        grid = Grid.over(span.start, span.end, stream.step)
        key = (stream.panel.name, canonical(stream.query), grid, tuple(x.id for x in stream.series))
        if (found := self._filling.get(key)) is None:
            found = asyncio.get_running_loop().run_in_executor(self._fills, self._fill_data, stream, span)
            self._filling[key] = found
            found.add_done_callback(lambda _done: self._filling.pop(key, None))
        return await asyncio.shield(found)

    def _fill_data(self, stream: Stream, span: ranges.Range) -> PanelData:
        own = own_span(stream.panel, span)
        known = [x.id for x in stream.series]
        data = fill.fill(self.live, stream.panel, stream.query, own.start, own.end, stream.step, known)
        same = fill.align(data, stream.series) if stream.filled and stream.series else None
        if same is not None:
            # Pages that join a stream draw the same lines in the same colours as those before them.
            same = fill.same_arrays(same, bands=stream.bands, heat_rows=stream.heat_rows)
            data.series, data.values, data.low, data.high = list(stream.series), same.values, same.low, same.high
        if span.live:
            trim(data, self._newest(stream.panel, stream.query))
        data.events = fill.events(self.live, stream.query, own.start, own.end)
        return data

    def _fill_message(self, data: PanelData, stream: Stream, gen: int, id: str, span: ranges.Range) -> bytes:
        span = own_span(stream.panel, span)
        header = {
            "op": "fill",
            "gen": gen,
            "id": id,
            "range": [span.start, span.end],
            "live": span.live,
            **fill_header(data),
            "events": data.events,
        }
        return encode(header, array_bytes(data))

    def _views_message(self, client: Client, found: Mapping[str, str]) -> bytes:
        """A tick of views only, which needs no answer."""
        assert client.watch is not None
        parts = []
        for id, (key, _) in client.views.items():
            if key in found:
                client.views[id] = (key, found[key])
                parts.append(f'{{"id":{json.dumps(id)},"data":{found[key]}}}')
        return self._tick_bytes(client.watch, 0, [], parts, [], [])

    def _tick_bytes(
        self,
        watch: Watch,
        seq: int,
        parts: list[str],
        views: list[str],
        events: list[dict[str, Any]],
        bodies: list[bytes],
    ) -> bytes:
        text = (
            f'{{"op":"tick","gen":{watch.gen},"seq":{seq},"now":{self.live.clock()!r},'
            f'"newest":{json.dumps(number(self.live.newest((), hosts_shown(watch))))},"panels":[{",".join(parts)}],'
            f'"views":[{",".join(views)}],"events":{json.dumps(events)}}}'
        ).encode()
        text += b" " * (-len(text) % 4)
        return b"".join([len(text).to_bytes(4, "little"), text, *bodies])

    def _tick_message(self, client: Client) -> tuple[int, bytes] | None:
        """The newest of everything that this page shows and has not got; None when there is nothing new."""
        parts, bodies = [], []
        for shown in client.shown.values():
            s = shown.stream
            if not shown.filled:
                continue
            if shown.epoch != s.epoch or (s.n and s.revision != shown.revision and s.at > shown.end + 1e-6):
                shown.filled = False
                client.want.append(shown.id)
                client.fill_wake.set()
                continue
            if not s.n or s.revision == shown.revision:
                continue
            parts.append(f'{{"id":{json.dumps(shown.id)},"at":{s.at!r},"n":{s.n},"arrays":{s.shapes}}}')
            bodies.append(s.body)
            shown.revision, shown.end = s.revision, max(shown.end, s.at + s.n * s.step)
        views = []
        for id, (key, sent) in client.views.items():
            found = self.view_json.get(key)
            if found is not None and found != sent:
                client.views[id] = (key, found)
                views.append(f'{{"id":{json.dumps(id)},"data":{found}}}')
        events = [e for e in tuple(self.live.events) if e.index > client.event_index]
        if events:
            client.event_index = events[-1].index
        if not (parts or views or events):
            return None
        seq = next(self._seq)
        assert client.watch is not None
        return seq, self._tick_bytes(client.watch, seq, parts, views, [e.wire() for e in events], bodies)

    async def _write(self, client: Client) -> None:
        """The only sender of one page. Awaiting a send is the backpressure: meanwhile newer states replace older."""
        ws = client.websocket
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, ConnectionError):
            while True:
                await client.wake.wait()
                client.wake.clear()
                while client.fills:
                    message = client.fills.pop(0)
                    await (ws.send_text(message) if isinstance(message, str) else ws.send_bytes(message))
                if client.live and client.tick_due and client.unacked is None and client.watch:
                    client.tick_due = False
                    if (tick := self._tick_message(client)) is not None:
                        client.unacked = tick[0]
                        await ws.send_bytes(tick[1])
                if client.status is not None:
                    status, client.status = client.status, None
                    await ws.send_text(status)

    # -- polling --------------------------------------------------------------------------------------------

    async def poll(self, request: Request) -> Response:
        """GET /poll?watch=JSON: fills (or, for panels named in `have` with the end of their last column, only the
        newest columns), a tick with the views and the status, each message after its length as uint32 LE."""
        try:
            watch = parse_watch(json.loads(request.query_params.get("watch", "")))
            span = ranges.resolve(watch.start, watch.end, self.live.clock(), tz=watch.tz)
        except (ValueError, AttributeError) as e:
            return PlainTextResponse(str(e), 400)
        loop = asyncio.get_running_loop()
        messages = await loop.run_in_executor(self._fills, self._polled, watch, span)
        return Response(
            b"".join(len(m).to_bytes(4, "little") + m for m in messages),
            media_type="application/octet-stream",
            headers={"Cache-Control": "no-store"},
        )

    def _polled(self, watch: Watch, span: ranges.Range) -> list[bytes]:
        out = []
        for id, panel, query, points in watch.panels:
            part = own_span(panel, span)
            step = fill.step_for(self.live, panel, query, part.start, part.end, points)
            if span.live and id in watch.have:
                part = replace(part, start=max(part.start, watch.have[id] - 2 * step))
                panel = replace(panel, span=0.0)
            stream = Stream(panel, query, step)
            out.append(self._fill_message(self._fill_data(stream, part), stream, watch.gen, id, part))
        at = None if span.live else span.end
        views = [(id, self._view(json.dumps([name, q]), at)) for id, name, q in watch.views]
        parts = [f'{{"id":{json.dumps(id)},"data":{text}}}' for id, text in views]
        out.append(self._tick_bytes(watch, 0, [], parts, [], []))
        out.append(encode(self._status(watch)))
        return out

    def close(self) -> None:
        self._ticks.shutdown(wait=False, cancel_futures=True)
        self._fills.shutdown(wait=False, cancel_futures=True)


def own_span(panel: panels.Panel, span: ranges.Range) -> ranges.Range:
    """The range of a panel: the page's, unless it has a time of its own."""
    return replace(span, start=span.end - panel.span) if panel.span else span


def tail(data: PanelData, n: int) -> PanelData:
    """The last `n` columns of `data`."""
    g = data.grid
    if g.n <= n:
        return data
    heat = data.heat and replace(data.heat, counts=data.heat.counts[-n:])
    low, high = (None if a is None else a[:, -n:] for a in (data.low, data.high))
    grid = Grid(g.start + (g.n - n) * g.step, g.step, n)
    return PanelData(grid, data.series, data.values[:, -n:], low, high, heat)


def trim(data: PanelData, newest: float | None) -> None:
    """Cuts the columns behind the one that holds `newest`: they have not happened yet."""
    g = data.grid
    if newest is None or newest >= g.end - g.step or newest < g.start:
        return
    n = int((newest - g.start) // g.step) + 1
    data.grid = Grid(g.start, g.step, n)
    data.values = data.values[:, :n]
    data.low = None if data.low is None else data.low[:, :n]
    data.high = None if data.high is None else data.high[:, :n]
    if data.heat is not None:
        data.heat = replace(data.heat, counts=data.heat.counts[:n])


def _error(text: str, id: str = "") -> str:
    return json.dumps({"op": "error", "text": text, **({"id": id} if id else {})})
