"""Faults on demand: a unix socket in the fleet's folder takes a line of JSON and answers with one.

Requests: {"do": NAME, "host": HOST, …}; answers {"ok": true, …} or {"ok": false, "why": TEXT}.

stop, resume          the host's port closes with all its connections; opens again
freeze, thaw          half open: TCP answers, nothing else does
banner {text}         what the login shell prints before every command ("" ends it)
truncate              the next report loses the end of a line
comma {on}            decimal commas, as a host in another locale prints
zone {zone, name}     a zone gets another name (`<b>x</b>`)
slow {seconds}        the login shell takes its time
newkey {on}           another host key, from the next connections on
status                what is there: hosts, ports, sessions, D programs among them, the longest lateness
"""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

from fleet.clock import Clock
from fleet.server import HostServer

SOCKET = "control.sock"


class Control:
    """The server side of the socket, within a fleet process that owns `hosts`."""

    def __init__(self, path: Path, hosts: dict[str, HostServer], clock: Clock) -> None:
        self.path, self.hosts, self.clock = path, hosts, clock
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, _address(self.path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                try:
                    answer = {"ok": True, **await self.act(json.loads(line))}
                except (KeyError, ValueError, TypeError) as e:
                    answer = {"ok": False, "why": f"{type(e).__name__}: {e}"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()

    async def act(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do one request. Raises KeyError for an unknown host, ValueError for an unknown verb."""
        do = request["do"]
        if do == "status":
            return {
                "hosts": {n: _status(h) for n, h in self.hosts.items()},
                "late": self.clock.late,
            }
        host = self.hosts[request["host"]]
        if do == "stop":
            await host.stop()
        elif do == "resume":
            await host.start()
        elif do == "freeze":
            await host.freeze()
        elif do == "thaw":
            await host.thaw()
        elif do == "banner":
            host.machine.banner = str(request.get("text", ""))
        elif do == "truncate":
            host.machine.truncate = True
        elif do == "comma":
            host.machine.comma = bool(request.get("on", True))
        elif do == "zone":
            live = host.machine.live
            live.zones[live.model.zone_names.index(request["zone"])] = str(request["name"])
        elif do == "slow":
            host.machine.delay = float(request.get("seconds", 0.0))
        elif do == "newkey":
            host.new_key = bool(request.get("on", True))
            await host.stop()
            await host.start()
        else:
            raise ValueError(f"no fault {do!r}")
        return {}


def _status(host: HostServer) -> dict[str, int]:
    programs = sum("/* zonescope " in s.line for s in host.sessions)
    return {
        "port": host.port,
        "sessions": len(host.sessions),
        "programs": programs,
        "connections": len(host.connections),
    }


def _address(path: Path) -> str:
    # A unix socket's address holds 107 bytes; a deep folder's does not fit.
    if len(str(path).encode()) < 104:
        return str(path)
    return "\0zonescope-fleet-" + str(path)[-60:].replace("/", "_")


def ask(folder: Path, do: str, host: str = "", **more: Any) -> dict[str, Any]:
    """Send one request to the fleet in `folder`, whichever of its processes owns `host`.

    Raises RuntimeError with the fleet's answer when it refuses, OSError when no fleet runs there.
    """
    body = json.dumps({"do": do, "host": host, **more}).encode() + b"\n"
    sockets = sorted(folder.glob("control*.sock")) or [folder / SOCKET]
    answer: dict[str, Any] = {}
    for path in sockets:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(_address(path))
            s.sendall(body)
            data = b""
            while not data.endswith(b"\n"):
                got = s.recv(65_536)
                if not got:
                    break
                data += got
        answer = json.loads(data or b"{}")
        if answer.get("ok"):
            return answer
    raise RuntimeError(str(answer.get("why", "no answer")))
