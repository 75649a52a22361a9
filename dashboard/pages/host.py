"""One host: an instant across all its layers, disks to zones."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from dash import html

from dashboard.live import Live
from dashboard.pages import Page, PageFunction, Url, host_path, page
from dashboard.panels.own import own_of
from dashboard.panels.tools import TOP
from dashboard.shell import attrs, columns, panel_shell, view_shell
from dashboard.verdicts import ORDER, verdicts

VITALS = ("cpu", "run_queue", "memory_free", "paging", "pool_read", "pool_write", "disk_worst", "net_in")
PHONE = ("cpu", "disk_worst", "pool_write", "arc_size")
"""The four that a phone shows, trouble's usual places."""

LATENCY = (
    ("dtrace", "dtrace, 1 s", "every I/O of every disk, log scale", "dtrace"),
    ("zpool_histogram", "zpool iostat -w, 1 s", "every I/O of every disk, log scale", "kstat"),
    ("disk_io", "iostat, 1 s", "mean of each disk and second, log scale", "kstat"),
)
"""(table, source, subtitle, cost) of the ways to disk latency, best first."""
LANE, AXIS = 31, 32
"""Height of a zone's row and of the axis under the last, px."""


def first(live: Live) -> str:
    """The host that most needs a look, for the bar's link."""
    found = sorted(verdicts(live).items(), key=lambda item: (ORDER.index(item[1].state), item[0]))
    return host_path(found[0][0]) if found else "/host/"


def tool(live: Live, name: str, source: str, seconds: int = 1) -> str | None:
    """What the panels of a source say of its origin on this host: 'jls, rctl, 1 s'; None where nobody has told."""
    found = live.hosts[name].facts.get(f"tool:{source}")
    return f"{found.value}, {seconds} s" if found and found.value else None


def latency_source(live: Live, name: str) -> tuple[str, str, str]:
    """(source, subtitle, cost) of the latency panel by what the host gives."""
    for table, *what in LATENCY:
        if live.newest([table], [name]) is not None:
            own = tool(live, name, table) if table == "disk_io" else None
            return own or what[0], what[1], what[2]
    return LATENCY[0][1:]


def lanes_height(live: Live, name: str) -> int:
    """Height of the zones' panels, px: a row each, of eight and the rest at most."""
    zones = live.latest("zone_usage", within=60, where={"host": [name]})
    rows = int(zones["cpu"].notna().sum()) or TOP + 1
    return AXIS + LANE * max(2, min(rows, TOP + 1))


def _vital(name: str) -> str:
    if name not in VITALS:
        return "zs-vital zs-phone-only"
    return "zs-vital" if name in PHONE else "zs-vital zs-not-phone"


def unknown_host(live: Live, name: str) -> Page | None:
    """What stands where a host's page would: those there are; it gives way once the host is heard of. None for a host
    that is known."""
    if name in live.hosts:
        return None
    links = [html.A(h, href=host_path(h), className="zs-button") for h in sorted(live.hosts)]
    said = (
        "Those heard of:" if links else "No host has been heard of yet. Start a collector: zonescope collect hosts.toml"
    )
    body = html.Div(
        [html.H2(f"No host is called {name}"), html.P(said), html.Div(links, className="zs-choices")],
        className="zs-nothing",
    )
    return Page(name, [body, view_shell("heard", {"of": "host", "name": name})], ranged=False)


def host_pages(page: str) -> tuple[Callable[[str], str], Callable[[Live], str]]:
    """(path of a host's page below ``/page/``, the bar's link: that of the host that most needs a look)."""

    def path_of(host: str) -> str:
        return f"/{page}/{quote(host, safe='')}"

    def home(live: Live) -> str:
        host = first(live).removeprefix("/host/")
        return f"/{page}/{host}" if host else f"/{page}"

    return path_of, home


def chooser(live: Live, here: str, path_of: Callable[[str], str]) -> html.Div:
    """The hosts as buttons, `here` pressed; a click keeps the range."""
    links = [
        html.A(
            name,
            href=path_of(name),
            className="zs-button" + (" zs-on" if name == here else ""),
            **attrs(data_keep="1"),
        )
        for name in sorted(live.hosts)
    ]
    return html.Div(links, className="zs-segments", **attrs(role="group", aria_label="host"))


def of_host(url: Url, title: str, function: PageFunction) -> Page:
    """The page `function` of ``?host=ms2``, as a panel's menu links to it; without one, of the host that most needs a
    look."""
    host = url.query.get("host") or first(url.live).removeprefix("/host/")
    if not host:
        body = html.Div(html.P("No host has been heard of yet. This page goes on by itself."), className="zs-nothing")
        return Page(title, [body, view_shell("heard", {"of": "hosts"})], ranged=False)
    if (unknown := unknown_host(url.live, host)) is not None:
        return unknown
    return function(Url(url.path, {**url.args, "host": host}, url.query, url.live))


@page("/host/<name>", nav="Host", home=first)
def host(url: Url) -> Page:
    name = url.args["name"]
    if (unknown := unknown_host(url.live, name)) is not None:
        return unknown
    query = {"host": name}
    source, subtitle, cost = latency_source(url.live, name)
    lanes = lanes_height(url.live, name)
    sparks = [panel_shell(v, query, cls=_vital(v)) for v in (*VITALS, "arc_size")]
    left = [
        panel_shell("disk_latency", query, height=275, source=source, subtitle=subtitle, cost=cost),
        panel_shell("pool_io", query, height=178, cls="zs-not-phone"),
        panel_shell("arc", query, height=145, source=tool(url.live, name, "arcstats"), cls="zs-not-phone"),
    ]
    zones = tool(url.live, name, "zone_usage")
    right = [
        panel_shell("zones_cpu", query, height=lanes, source=zones),
        panel_shell("zones_memory", query, height=lanes, source=zones, cls="zs-not-phone"),
    ]
    own = [panel_shell(p, query, height=145) for p in own_of(url.live, name)]
    left += own[::2]
    right += own[1::2]
    return Page(
        title=name,
        head=[view_shell("host_head", query)],
        body=[
            panel_shell("disk_strip", query),
            html.Div(sparks, className="zs-vitals"),
            columns(left, right),
            view_shell("host_lacks", query),
        ],
    )


@page("/host", nav="Host", home=first)
def hosts(url: Url) -> Page:
    """Without a name: the hosts there are."""
    names = sorted(url.live.hosts)
    if not names:
        body = [html.P("No host has been heard of yet. Start a collector: zonescope collect hosts.toml")]
    else:
        body = [html.P([html.A(n, href=host_path(n))]) for n in names]
    return Page("Hosts", [html.Div(body, className="zs-nothing")], ranged=False)
