"""Pages by path. A page module registers a function that returns Dash components:

    @page("/capacity", nav="Capacity")
    def capacity(url: Url) -> Page:
        return Page(title="Capacity", body=[panel_shell("pool_growth", {"pool": "mail"})])

and stands in `MODULES`, in the order of the top bar. `<name>` in a path matches one segment; `url.args["name"]` holds
it. The title, range control, live badge and phone bar come from dashboard/shell.py.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

if TYPE_CHECKING:
    from dashboard.live import Live

NAV = ("Fleet", "Host", "Pools", "ARC", "Zones", "DTrace", "Migration", "Investigate", "Capacity", "Health")


@dataclass(frozen=True, slots=True)
class Url:
    """What a page is asked for: path arguments, the query string, and the live state to name things from."""

    path: str
    args: Mapping[str, str]
    query: Mapping[str, str]
    live: Live


@dataclass(frozen=True, slots=True)
class Page:
    """`title` as text; `head`: components beside it; `body`: the page; `ranged`: has the range control."""

    title: str
    body: list[Any]
    head: list[Any] = field(default_factory=list)
    ranged: bool = True
    wall: bool = False


PageFunction = Callable[[Url], Page]


@dataclass(frozen=True, slots=True)
class Route:
    path: str
    nav: str
    function: PageFunction
    home: Callable[[Live], str]
    pattern: re.Pattern[str]


ROUTES: dict[str, Route] = {}


def page(path: str, *, nav: str, home: Callable[[Live], str] | None = None) -> Callable[[PageFunction], PageFunction]:
    """Registers a page under `path`; the entry `nav` of the top bar links to `home(live)` or else to `path`."""

    def register(function: PageFunction) -> PageFunction:
        pattern = re.compile("^" + re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", path) + "/?$")
        ROUTES[path] = Route(path, nav, function, home or (lambda _live: path), pattern)
        return function

    return register


def load(modules: tuple[str, ...] | None = None) -> dict[str, Route]:
    """Imports the page modules and returns all routes."""
    for name in MODULES if modules is None else modules:
        importlib.import_module(name)
    return ROUTES


MODULES: tuple[str, ...] = (
    "dashboard.pages.fleet",
    "dashboard.pages.host",
    "dashboard.pages.pools",
    "dashboard.pages.arc",
    "dashboard.pages.zones",
    "dashboard.pages.dtrace",
    "dashboard.pages.migration",
    "dashboard.pages.investigate",
    "dashboard.pages.capacity",
    "dashboard.pages.health",
)


def match(path: str, search: str, live: Live) -> tuple[Route, Url] | None:
    """The route and its url for a browser's path and search string, None where no page answers."""
    for route in ROUTES.values():
        if m := route.pattern.match(path):
            args = {k: unquote(v) for k, v in m.groupdict().items()}
            return route, Url(path, args, dict(parse_qsl(search.lstrip("?"))), live)
    return None


def links(live: Live) -> list[tuple[str, str]]:
    """(word, href) of the top bar in its order; href '' for a page that is not built."""
    built = {r.nav: r.home(live) for r in ROUTES.values()}
    return [(word, built.get(word, "")) for word in NAV]


def host_path(host: str) -> str:
    return f"/host/{quote(host, safe='')}"
