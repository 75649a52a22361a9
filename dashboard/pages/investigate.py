"""One host over any past window, beside the same window of an earlier day.

The host and the day to compare with are in the path, the window in the query string, so a link opens the same picture.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from dash import html

from dashboard.live import Live
from dashboard.pages import Page, Url, page
from dashboard.pages.host import chooser, latency_source, of_host, unknown_host
from dashboard.pages.host import first as worst_host
from dashboard.shell import attrs, panel_shell, section, view_shell

COMPARE: dict[str, tuple[str, float]] = {
    "alone": ("this window alone", 0.0),
    "1h": ("an hour earlier", 3600.0),
    "1d": ("a day earlier", 86400.0),
    "7d": ("a week earlier", 604800.0),
}
PANELS = (
    ("disk_latency", 290, 210),
    ("pool_io", 178, 130),
    ("arc", 150, 150),
    ("zones_cpu", 300, 300),
    ("zones_memory", 280, 280),
)
"""(panel, height alone beside its table, height in a comparison, where tables are hidden), px."""


def path_of(host: str, compare: str) -> str:
    return f"/investigate/{quote(host, safe='')}/{compare}"


def home(live: Live) -> str:
    """The bar's link: the host that most needs a look, this window alone."""
    host = worst_host(live).removeprefix("/host/")
    return f"/investigate/{host}/alone" if host else "/investigate"


def _column(live: Live, host: str, shift: float, word: str, tag: str, alone: bool) -> html.Div:
    query: dict[str, Any] = {"host": host, **({"shift": shift} if shift else {})}
    source, subtitle, cost = latency_source(live, host)
    shells = []
    for name, tall, low in PANELS:
        height = tall if alone else low
        more = {"source": source, "cost": cost} if name == "disk_latency" else {}
        said = word if shift else (subtitle if name == "disk_latency" else None)
        shells.append(
            panel_shell(name, query, id=f"p-{name}-{tag}", height=height, subtitle=said, cls="zs-compared", **more)
        )
    return html.Div(shells, className="zs-column" + (" zs-earlier" if shift else ""))


@page("/investigate/<host>/<compare>", nav="Investigate", home=home)
def investigate(url: Url) -> Page:
    host = url.args["host"]
    if (unknown := unknown_host(url.live, host)) is not None:
        return unknown
    chosen = url.args["compare"] if url.args["compare"] in COMPARE else "alone"
    word, shift = COMPARE[chosen]
    against = html.Div(
        [
            html.A(
                text,
                href=path_of(host, key),
                className="zs-button" + (" zs-on" if key == chosen else ""),
                **attrs(data_keep="1"),
            )
            for key, (text, _) in COMPARE.items()
        ],
        className="zs-segments",
        **attrs(role="group", aria_label="compare with"),
    )
    columns = [_column(url.live, host, 0.0, "", "a", not shift)]
    if shift:
        columns.append(_column(url.live, host, shift, word, "b", False))
    return Page(
        f"Investigate {host}",
        head=[view_shell("host_head", {"host": host})],
        body=[
            html.Div([chooser(url.live, host, lambda name: path_of(name, chosen)), against], className="zs-choices"),
            panel_shell("disk_strip_day", {"host": host}),
            html.Div(columns, className="zs-columns" if shift else "zs-columns zs-one"),
            section("What happened", view_shell("events_log", {"host": [host], "n": 40})),
        ],
    )


@page("/investigate", nav="Investigate", home=home)
def investigate_any(url: Url) -> Page:
    """`?host=ms2`, as a panel's menu links here; without one, the host that most needs a look."""
    return of_host(
        url, "Investigate", lambda u: investigate(Url(u.path, {**u.args, "compare": "alone"}, u.query, u.live))
    )
