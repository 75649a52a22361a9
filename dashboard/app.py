"""The Dash app: one layout, one router callback, and the routes of our own (push, poll, export) on its server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.backends._fastapi import reset_current_request, set_current_request
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from dashboard import ask, export, pages, panels, ranges, shell, tokens
from dashboard.http import Compress, SecurityHeaders
from dashboard.live import Live
from dashboard.push import Hub

ASSETS = Path(__file__).parent.parent / "assets"

INDEX = """<!DOCTYPE html>
<html lang="en" data-mantine-color-scheme="dark">
  <head>
    {%metas%}
    <title>{%title%}</title>
    {%favicon%}
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <script type="application/json" id="zs-config">ZS_CONFIG</script>
    <footer>
      {%config%}
      {%scripts%}
      {%renderer%}
    </footer>
  </body>
</html>"""


def create_app(
    folder: Path,
    *,
    live: Live | None = None,
    tails: tuple[str, ...] = (),
    modules: tuple[str, ...] | None = None,
    background: Callable[[Live], Any] | None = None,
) -> dash.Dash:
    """The app over the history in `folder` and its live tail; `app.server` is the ASGI app to serve.

    `live`: another source of data than the folder's (tests, the harness). `modules`: page modules instead of all.
    `background(live)`: a coroutine run for the server's life instead of following the tails.
    """
    if live is None:
        from frames.store import Store

        live = Live(Store(folder))
    pages.load(modules)
    panels.load()
    hub = Hub(live)

    @contextlib.asynccontextmanager
    async def lifespan(_server: FastAPI) -> AsyncIterator[None]:
        app._setup_server()  # else the first page, when it is not "/", goes out without its assets
        if background is None:
            await asyncio.to_thread(live.load)
        feed = background(live) if background else live.follow(folder, tails)
        tasks = [asyncio.create_task(hub.run()), asyncio.create_task(feed)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            hub.close()

    server = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    server.state.hub = hub
    app = dash.Dash(
        "zonescope",
        server=server,  # type: ignore[arg-type]
        backend="fastapi",
        assets_folder=str(ASSETS),
        title="zonescope",
        update_title="",
        serve_locally=True,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "dark light"},
        ],
        index_string=INDEX.replace("ZS_CONFIG", config_json()),
    )
    # Pages have one WebSocket, /live: Dash's own for callbacks is neither announced nor answered.
    app.backend.websocket_capability = False
    server.router.routes[:] = [r for r in server.router.routes if not isinstance(r, WebSocketRoute)]
    app.layout = dmc.MantineProvider(
        html.Div([dcc.Location(id="zs-url", refresh="callback-nav"), *shell.frame()], id="zs-app", className="zs-app"),
        theme=tokens.mantine_theme(),
        defaultColorScheme="auto",
    )
    _router(app, live)
    _routes(app, server, hub, live)
    ask.add_routes(server, live, folder)
    server.add_middleware(Compress)
    server.add_middleware(SecurityHeaders, scripts=app.csp_hashes())
    return app


def config_json() -> str:
    """What the browser needs once, safe inside a script element: templates, presets, colours of the heat maps."""
    config = {
        "templates": {t: tokens.template(t) for t in tokens.THEMES},
        "presets": [list(p) for p in ranges.PRESETS],
        "default": list(ranges.DEFAULT),
        "gutter": tokens.GUTTER,
    }
    return json.dumps(config, separators=(",", ":")).replace("<", "\\u003c")


def _router(app: dash.Dash, live: Live) -> None:
    # Only the path chooses a page: a zoom changes the search string and must not lay out the page anew.
    @app.callback(
        Output("zs-nav", "children"),
        Output("zs-title", "children"),
        Output("zs-page", "children"),
        Output("zs-page", "data-page"),
        Output("zs-page", "data-ranged"),
        Input("zs-url", "pathname"),
        State("zs-url", "search"),
    )
    async def route(path: str | None, search: str | None) -> tuple[Any, ...]:
        links = pages.links(live)
        found = pages.match(path or "/", search or "", live)
        if found is None:
            body = [
                html.Div(
                    [html.H2("No such page"), html.P(f"Nothing is at {path}. The bar above names every page.")],
                    className="zs-nothing",
                )
            ]
            return shell.top_bar(links, ""), [html.H1("Not found")], body, "", "0"
        route, url = found
        page = await asyncio.to_thread(route.function, url)  # it may ask the history
        title = [html.H1(page.title), *page.head]
        return shell.top_bar(links, route.nav), title, page.body, route.path, "1" if page.ranged else "0"


def _routes(app: dash.Dash, server: FastAPI, hub: Hub, live: Live) -> None:
    @server.websocket("/live")
    async def push(websocket: WebSocket) -> None:
        await hub.serve(websocket)

    async def index(request: Request) -> Response:
        token = set_current_request(request)
        try:
            return Response(app.index(), media_type="text/html")
        finally:
            reset_current_request(token)

    server.add_api_route("/poll", hub.poll, methods=["GET"], include_in_schema=False, response_model=None)
    export.add_routes(server, live)

    async def known(_request: Request) -> Response:
        """What menus offer of hosts: their names and zones of time."""
        zones = {h.fact("timezone") for h in list(live.hosts.values())}
        return JSONResponse({"hosts": sorted(live.hosts), "zones": sorted(z for z in zones if ranges.is_zone(z))})

    server.add_api_route("/api/known", known, methods=["GET"], include_in_schema=False, response_model=None)
    # Before Dash's own catch-all, which asks a global for the newest app of the process.
    for route in pages.ROUTES.values():
        if route.path != "/":
            path = route.path.replace("<", "{").replace(">", "}")
            server.add_api_route(path, index, methods=["GET"], include_in_schema=False, response_model=None)
