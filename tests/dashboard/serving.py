"""A dashboard on a real socket in a thread, fed by hand."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, connect

from dashboard.app import create_app
from dashboard.live import Live
from dashboard.panels.data import decode, split_arrays
from dashboard.serve import bind, server
from frames.store import Store, Writer


async def _nothing(_live: Live) -> None:
    return


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    given: dict[str, str]
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {k.lower(): v for k, v in self.given.items()}

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


class Dashboard:
    """Serves `folder` on loopback until `stop`; `feed` writes into it as a collector does, history and live tail.
    `still`: nothing is followed."""

    def __init__(
        self, folder: Path, writer: Writer | None = None, *, live: Live | None = None, still: bool = False
    ) -> None:
        self.writer, self.pages = writer, list[Page]()
        self.live = live or Live(Store(folder))
        self.app = create_app(folder, live=self.live, background=_nothing if still else None)
        self.sock = bind("127.0.0.1", 0)
        self.address = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self.server = server(self.app.server)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.server.started)

    def _run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.sock]))

    def feed(self, second: int, frames: dict[str, Any]) -> None:
        assert self.writer is not None
        self.writer.append(second, frames)

    def get(self, path: str, params: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Answer:
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return self._ask(urllib.request.Request(self.url + path + query, headers=headers or {}))

    def post(self, path: str, body: Any) -> Answer:
        data = json.dumps(body).encode()
        return self._ask(urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}))

    @staticmethod
    def _ask(request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as e:
            return Answer(e.code, dict(e.headers.items()), e.read())

    def page(self, **kwargs: Any) -> Page:
        self.pages.append(Page(connect(f"ws://{self.address}/live", max_size=None, legacy=True, **kwargs)))
        return self.pages[-1]

    def stop(self) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        self.server.should_exit = True
        self.thread.join(20)
        self.sock.close()
        for page in self.pages:
            page.ws.close()
        return time.monotonic() - began


def wait_for(truth: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


class Page:
    """What a browser does with the protocol: its panels' columns by time, the newest status."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.gen = 0
        self.fills: list[dict[str, Any]] = []
        self.ticks: list[dict[str, Any]] = []
        self.status: dict[str, Any] = {}
        self.errors: list[str] = []
        self.columns: dict[str, dict[float, np.ndarray]] = {}
        self.views: dict[str, Any] = {}
        self.bodies: list[bytes] = []
        self.ack = True

    def watch(
        self, *panels: str, query: dict[str, Any] | None = None, span: tuple[str, str] = ("now-2m", "now"),
        points: int = 200, views: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.gen += 1
        q = {"host": "ms2"} if query is None else query
        self.send(
            op="watch", gen=self.gen, range={"from": span[0], "to": span[1]},
            panels=[{"id": p, "panel": p, "query": q, "points": points} for p in panels],
            views=[{"id": v, "view": v, "query": q} for v in views],
        )  # fmt: skip

    def send(self, **message: Any) -> None:
        self.ws.send(json.dumps(message))

    def read(self, truth: Callable[[], Any], seconds: float = 20) -> None:
        """Reads messages until `truth()`."""
        end = time.monotonic() + seconds
        while not truth():
            self.one(end - time.monotonic())

    def one(self, timeout: float = 10) -> None:
        self.take(self.ws.recv(timeout=max(timeout, 0.01)))

    def take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            text = json.loads(message)
            if text["op"] == "status":
                self.status = text
            else:
                self.errors.append(text["text"])
            return
        header, body = decode(message)
        if header["op"] == "fill":
            self.fills.append(header)
            arrays, _ = split_arrays(header["arrays"], body)
            g = header["grid"]
            self.columns[header["id"]] = {g["start"] + i * g["step"]: arrays["values"][:, i] for i in range(g["n"])}
        elif header["op"] == "status":
            self.status = header
        else:
            self.ticks.append(header)
            self.bodies.append(body)
            at = 0
            for part in header["panels"]:
                arrays, at = split_arrays(part["arrays"], body, at)
                step = next(f["grid"]["step"] for f in reversed(self.fills) if f["id"] == part["id"])
                for i in range(part["n"]):
                    self.columns[part["id"]][part["at"] + i * step] = arrays["values"][:, i]
            self.views |= {v["id"]: v["data"] for v in header["views"]}
            if self.ack and header["seq"]:
                self.send(op="ack", seq=header["seq"])
