"""The live tail: each second's frames over ZeroMQ as they are appended, with a backlog for late joiners.

A publisher has two sockets: PUB sends every append; ROUTER answers "what came after seq n" or "the last n seconds"
from memory. A slow follower loses messages (PUB keeps few for it) and asks the backlog for what it missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import structlog
import zmq
import zmq.asyncio

from frames.spool import decode

log = structlog.get_logger(__name__)

FILE = "tail.json"
_IPC_LIMIT = 100  # sun_path holds 107 bytes; the names get a suffix


class TailError(OSError):
    """The tail's address cannot be bound or read; names it."""


@dataclass(frozen=True, slots=True)
class Second:
    """One append: `second` in epoch seconds, `frames` per table name as Arrow tables of its schema."""

    seq: int
    second: int
    owner: str
    frames: dict[str, pa.Table]


def sockets(address: str) -> tuple[str, str]:
    """(PUB, ROUTER) addresses of a tail: 'ipc://path' -> path.live, path.ask; 'tcp://host:port' -> port, port + 1."""
    if address.startswith("ipc://"):
        return address + ".live", address + ".ask"
    host, _, port = address.rpartition(":")
    if not address.startswith("tcp://") or not port.isdigit():
        raise TailError(f"tail address {address!r} is neither ipc://path nor tcp://host:port")
    return address, f"{host}:{int(port) + 1}"


def default_address(folder: Path) -> str:
    """An ipc address inside `folder`, or in a directory of its own under the temporary one where the path is too
    long for a socket."""
    path = folder.resolve() / "tail"
    if len(os.fsencode(path)) > _IPC_LIMIT:
        path = Path(tempfile.mkdtemp(prefix="zonescope-")) / "tail"
    return f"ipc://{path}"


def addresses(folder: Path) -> list[str]:
    """Addresses of the tails that write into `folder`; empty when none ever did."""
    try:
        return [json.loads((folder / FILE).read_text())["address"]]
    except (FileNotFoundError, ValueError, KeyError):
        return []


class Publisher:
    """Sends appends to followers; owns its two sockets and one thread from start to `close`."""

    def __init__(
        self, folder: Path, owner: str, address: str | None = None, *, keep: float = 300, keep_bytes: int = 64 << 20
    ) -> None:
        """`keep`: seconds of backlog held in memory, at most `keep_bytes`. Writes `tail.json` into the folder.
        Raises TailError when the address is taken or malformed."""
        self.address = address or default_address(folder)
        self.owner = owner
        self._keep, self._keep_bytes = keep, keep_bytes
        self._backlog: deque[tuple[int, int, list[bytes]]] = deque()
        self._held = 0
        self._lock = threading.Lock()
        self._context = zmq.Context()
        live, ask = sockets(self.address)
        self._live = self._context.socket(zmq.PUB)
        self._live.set_hwm(30)
        self._live.setsockopt(zmq.LINGER, 0)
        self._ask = self._context.socket(zmq.ROUTER)
        self._ask.setsockopt(zmq.LINGER, 0)
        try:
            self._live.bind(live)
            self._ask.bind(ask)
        except zmq.ZMQError as e:
            self._live.close()
            self._ask.close()
            self._context.term()
            raise TailError(f"tail address {self.address}: {e}") from e
        temporary = folder / (FILE + ".new")
        temporary.write_text(json.dumps({"address": self.address, "owner": owner, "pid": os.getpid()}))
        temporary.replace(folder / FILE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._answer, name="tail", daemon=True)
        self._thread.start()

    def publish(self, seq: int, second: int, frames: dict[str, bytes]) -> None:
        """Sends one append (IPC bytes per table). Never blocks and never raises on a slow or gone follower."""
        head = json.dumps({"seq": seq, "second": second, "owner": self.owner, "names": list(frames)}).encode()
        message = [head, *frames.values()]
        with self._lock:
            self._backlog.append((seq, second, message))
            self._held += sum(map(len, message))
            while len(self._backlog) > 1 and (
                self._held > self._keep_bytes or self._backlog[0][1] < second - self._keep
            ):
                self._held -= sum(map(len, self._backlog.popleft()[2]))
            self._live.send_multipart(message)

    def _answer(self) -> None:
        while not self._stop.is_set():
            if not self._ask.poll(200):
                continue
            who, *parts = self._ask.recv_multipart()
            try:
                ask = json.loads(parts[-1])
                after, since = int(ask.get("after", 0)), float(ask.get("since", 0))
            except (ValueError, TypeError, AttributeError, IndexError) as e:
                log.warning("tail: unreadable question", why=str(e))
                continue
            with self._lock:
                found = [m for seq, second, m in self._backlog if seq > after and second >= since]
            answer = [who, str(len(found)).encode()]
            for m in found:
                answer += [str(len(m)).encode(), *m]
            with contextlib.suppress(zmq.ZMQError):
                self._ask.send_multipart(answer, flags=zmq.NOBLOCK)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._live.close()
            self._ask.close()
            self._context.term()


def _second(message: Sequence[bytes]) -> Second:
    head = json.loads(message[0])
    frames = {name: decode(ipc) for name, ipc in zip(head["names"], message[1:], strict=True)}
    return Second(head["seq"], head["second"], head["owner"], frames)


class Follower:
    """Follows one or many tails from one asyncio task. Publishers may come, go and restart; ZeroMQ reconnects."""

    def __init__(self, addresses: str | Sequence[str]) -> None:
        """`addresses` as `sockets` reads them; see `addresses(folder)` for a folder's own."""
        self._addresses = [addresses] if isinstance(addresses, str) else list(addresses)
        self._context = zmq.asyncio.Context()
        self._seen: dict[str, int] = {}

    async def backlog(self, seconds: float, *, timeout: float = 2.0) -> list[Second]:
        """The newest `seconds` that the publishers hold, oldest first; of those that answer within `timeout` s."""
        since = time.time() - seconds
        parts = await asyncio.gather(*(self._request(a, {"since": since}, timeout) for a in self._addresses))
        return sorted((s for part in parts for s in part), key=lambda s: (s.second, s.owner, s.seq))

    async def _request(self, address: str, question: dict[str, float], timeout: float) -> list[Second]:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        try:
            socket.connect(sockets(address)[1])
            await socket.send(json.dumps(question).encode())
            answer = await asyncio.wait_for(socket.recv_multipart(), timeout)
        except TimeoutError:
            return []
        finally:
            socket.close()
        out, at = [], 1
        for _ in range(int(answer[0])):
            n = int(answer[at])
            out.append(_second(answer[at + 1 : at + 1 + n]))
            at += 1 + n
            if len(out) % 20 == 0:
                await asyncio.sleep(0)  # minutes of frames to decode: others of this loop go on between
        return out

    async def follow(self, backlog: float = 0.0) -> AsyncIterator[Second]:
        """Every second as it comes, each once and in order of its publisher's seq; first the last `backlog` seconds.

        What a slow reader missed is fetched from the publisher's backlog as long as it holds it; a hole that
        stays is visible as a jump of `seq`, and the history has it."""
        live = self._context.socket(zmq.SUB)
        live.set_hwm(100)
        live.setsockopt(zmq.LINGER, 0)
        live.setsockopt(zmq.SUBSCRIBE, b"")
        of: dict[str, str] = {}
        try:
            for address in self._addresses:
                live.connect(sockets(address)[0])
            if backlog:
                for address in self._addresses:
                    for s in await self._request(address, {"since": time.time() - backlog}, 2.0):
                        of[s.owner] = address
                        if s.seq > self._seen.get(s.owner, 0):
                            self._seen[s.owner] = s.seq
                            yield s
            while True:
                s = _second(await live.recv_multipart())
                last = self._seen.get(s.owner)
                if last is not None and s.seq <= last:
                    continue
                if last is None and backlog and s.owner not in of:
                    # A publisher that began after the backlog was asked for, or did not answer: what it sent before
                    # the subscription had reached it is still in its memory.
                    for address in self._addresses:
                        for earlier in await self._request(address, {"since": time.time() - backlog}, 2.0):
                            if earlier.owner == s.owner and (last or 0) < earlier.seq < s.seq:
                                of[s.owner] = address
                                self._seen[s.owner] = last = earlier.seq
                                yield earlier
                if last is not None and s.seq > last + 1:
                    for address in [of[s.owner]] if s.owner in of else self._addresses:
                        for missed in await self._request(address, {"after": last}, 1.0):
                            if missed.owner == s.owner and last < missed.seq < s.seq:
                                of[s.owner] = address
                                last = missed.seq
                                yield missed
                self._seen[s.owner] = s.seq
                yield s
        finally:
            live.close()

    def close(self) -> None:
        self._context.destroy(linger=0)
