"""One host: an instant across all its layers, disks to zones."""

from __future__ import annotations

from dash import html

from dashboard.live import Live
from dashboard.pages import Page, Url, host_path, page
from dashboard.shell import panel_shell, view_shell
from dashboard.verdicts import ORDER, verdicts

VITALS = ("cpu", "run_queue", "memory_free", "paging", "pool_read", "pool_write", "disk_worst", "net_in")
PHONE = ("cpu", "disk_worst", "pool_write", "arc_size")
"""The four that a phone shows, trouble's usual places."""

SOURCES = (("dtrace", "dtrace, 1 s", "every I/O"), ("zpool_histogram", "zpool iostat -w, 1 s", "every I/O"))


def first(live: Live) -> str:
    """The host that most needs a look, for the bar's link."""
    found = sorted(verdicts(live).items(), key=lambda item: (ORDER.index(item[1].state), item[0]))
    return host_path(found[0][0]) if found else "/host/"


def latency_source(live: Live, name: str) -> tuple[str, str]:
    """(source, subtitle) of the latency panel by what the host gives."""
    for table, source, what in SOURCES:
        if live.newest([table], [name]) is not None:
            return source, f"{what} of every disk, log scale"
    if live.newest(["disk_io"], [name]) is not None:
        return "iostat, 1 s", "mean of each disk and second, log scale"
    return SOURCES[0][1], "every disk, log scale"


def _vital(name: str) -> str:
    if name not in VITALS:
        return "zs-vital zs-phone-only"
    return "zs-vital" if name in PHONE else "zs-vital zs-not-phone"


@page("/host/<name>", nav="Host", home=first)
def host(url: Url) -> Page:
    name = url.args["name"]
    query = {"host": name}
    source, subtitle = latency_source(url.live, name)
    sparks = [panel_shell(v, query, cls=_vital(v)) for v in (*VITALS, "arc_size")]
    left = [
        panel_shell("disk_latency", query, height=310, source=source, subtitle=subtitle),
        panel_shell("pool_io", query, height=150, cls="zs-not-phone"),
        panel_shell("arc", query, height=150, cls="zs-not-phone"),
    ]
    right = [
        panel_shell("zones_cpu", query, height=345),
        panel_shell("zones_memory", query, height=330, cls="zs-not-phone"),
    ]
    return Page(
        title=name,
        head=[view_shell("host_head", query)],
        body=[
            panel_shell("disk_strip", query),
            html.Div(sparks, className="zs-vitals"),
            html.Div(
                [html.Div(left, className="zs-column"), html.Div(right, className="zs-column")], className="zs-columns"
            ),
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
