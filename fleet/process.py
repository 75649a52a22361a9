"""One process of a fleet: its share of the hosts behind their ports. Started by `fleet.run` with its orders as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from fleet import control
from fleet.clock import Clock
from fleet.commands import Machine
from fleet.live import Live
from fleet.model import HostModel
from fleet.scenario import scenario
from fleet.server import HostServer, keys
from fleet.site import site_of


async def serve(spec: dict[str, Any]) -> None:
    """One process of a fleet: its share of the hosts, until standard input ends or TERM comes."""
    folder = Path(spec["folder"])
    site = site_of(spec["hosts"])
    what = scenario(spec["scenario"], float(spec["start"]), site, float(spec["offset"]))
    clock = Clock()
    servers: dict[str, HostServer] = {}
    for name in spec["own"]:
        weak = name in spec["weak"]
        machine = Machine(Live(HostModel(site.host(name), what, int(spec["seed"]))), clock)
        servers[name] = HostServer(machine, keys(folder, name, weak), weak=weak)
    for server in servers.values():
        await server.start()
    number = spec["number"]
    switch = control.Control(folder / (control.SOCKET if not number else f"control{number}.sock"), servers, clock)
    await switch.start()
    print(json.dumps({n: s.port for n, s in servers.items()}), flush=True)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, over.set)

    def ended() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            over.set()

    loop.add_reader(0, ended)
    await over.wait()
    await switch.stop()
    for server in servers.values():
        await server.stop()


def main() -> None:
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    # A host that was stopped or frozen on purpose has connections that nobody can write to: no news for a terminal.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(serve(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
