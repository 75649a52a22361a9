"""Starts the dashboard: one process, one event loop, one port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose. Raises OSError naming the address when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as e:
        sock.close()
        raise OSError(e.errno, f"cannot listen on {host} port {port}: {e.strerror}") from e
    sock.set_inheritable(False)
    return sock


def address(sock: socket.socket) -> str:
    """The URL of the page at `sock`."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - shown, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server(app: FastAPI) -> uvicorn.Server:
    """A uvicorn server that ends within a second although pages hold their WebSockets open."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            ws_max_size=1 << 16,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            ws_per_message_deflate=False,  # float columns hardly shrink, and it costs a context per page
            timeout_graceful_shutdown=1,
            lifespan="on",
            server_header=False,
        )
    )


def serve(
    folder: Path | str,
    host: str = "127.0.0.1",
    port: int = 8050,
    tails: Sequence[str] = (),
    *,
    say: Callable[[str], None] = print,
) -> None:
    """Serves the pages over the history in `folder` until SIGINT or SIGTERM; `say` gets the address once it
    listens. `tails`: further live tails than the folder's own. Raises OSError when the port is taken."""
    from dashboard.app import create_app

    sock = bind(host, port)
    try:
        app = create_app(Path(folder), tails=tuple(tails))
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_run(server(app.server), sock, say))
    finally:
        sock.close()


async def _run(running: uvicorn.Server, sock: socket.socket, say: Callable[[str], None]) -> None:
    task = asyncio.create_task(running.serve(sockets=[sock]))
    while not running.started and not task.done():
        await asyncio.sleep(0.02)
    if running.started:
        say(f"zonescope: {address(sock)}")
    await task
