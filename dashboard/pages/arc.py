"""The ARC of a host: how its size stands, what it holds and serves, and what a larger one would have served."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.live import Live
from dashboard.pages import Page, Url, page
from dashboard.pages.host import chooser, host_pages, of_host, tool, unknown_host
from dashboard.panels.vdev_tree import newest
from dashboard.shell import columns, panel_shell, view_shell

LEFT = (("arc", 230), ("arc_lists", 160), ("arc_content", 160), ("arc_pressure", 160))
RIGHT = (("arc_reads", 178), ("arc_ratios", 150), ("arc_ghosts", 160), ("arc_prefetch", 120))
L2ARC = (("arc_l2_size", 130), ("arc_l2_io", 150), ("arc_l2_hits", 130))
"""(panel, height of its plot in px)."""


path_of, home = host_pages("arc")


def has_l2arc(live: Live, host: str) -> bool:
    """Whether anything is, or was not long ago, in an L2ARC."""
    found = newest(live, "arcstats", host, None)
    return bool((found[["l2_size", "l2_hdr_size"]].fillna(0) > 0).any().any())


@page("/arc/<host>", nav="ARC", home=home)
def arc(url: Url) -> Page:
    live, name = url.live, url.args["host"]
    if (unknown := unknown_host(live, name)) is not None:
        return unknown
    query: dict[str, Any] = {"host": name}
    source = tool(live, name, "arcstats")
    left, right, l2arc = (
        [panel_shell(p, query, height=h, source=source, cls="zs-wide-legend") for p, h in panels]
        for panels in (LEFT, RIGHT, L2ARC)
    )
    if has_l2arc(live, name):
        left += l2arc[:1]
        right += l2arc[1:]
    return Page(
        f"ARC of {name}",
        head=[view_shell("host_head", query)],
        body=[
            html.Div([chooser(live, name, path_of)], className="zs-choices"),
            view_shell("arc_verdict", query),
            columns(left, right),
            view_shell("host_lacks", query),
        ],
    )


@page("/arc", nav="ARC", home=home)
def arc_any(url: Url) -> Page:
    """`?host=ms2`; without one, the host that most needs a look."""
    return of_host(url, "ARC", arc)
