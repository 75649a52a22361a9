"""When is which pool full: the answer as the heading, its growth and forecast, and all pools by what comes first."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.pages import Page, Url, page
from dashboard.panels.capacity import answer, chosen
from dashboard.shell import attrs, panel_shell, view_shell

RANGE = "now-1y,now+1y"


def _box(title: str, sub: str, view: str, query: dict[str, Any], cls: str = "") -> html.Section:
    head = [html.H2(title, className="zs-panel-title"), html.Span(sub, className="zs-panel-sub")]
    return html.Section(
        [html.Header(head, className="zs-panel-head"), view_shell(view, query)], className=f"zs-panel {cls}".strip()
    )


@page("/capacity", nav="Capacity")
def capacity(url: Url) -> Page:
    p = chosen(url.live, url.query.get("pool"))
    if p is None:
        said = "No pool has a sample yet. Start a collector: zonescope collect hosts.toml. This page goes on by itself."
        body = html.Div(html.P(said), className="zs-nothing")
        return Page("Capacity", [body, view_shell("heard", {"of": "pools"})], ranged=False)
    query: dict[str, Any] = dict(p.query)
    table = _box("All pools", "by nearest 80\u2009%, likely in 8 of 10 cases", "capacity_pools", {}, "zs-all-pools")
    retention = _box(
        "Snapshot retention, what if", "from bytes held by the snapshots there are", "capacity_retention", query
    )
    arc = _box("ARC, starved?", "misses of the last 24 h that a larger one would have served", "capacity_arc", {})
    growth = panel_shell("pool_growth", query, height=420, cls="zs-no-legend zs-growth")
    return Page(
        title=answer(p),
        head=[view_shell("capacity_head", query)],
        body=[
            html.Div([growth, table], className="zs-capacity-top", **attrs(data_range=RANGE)),
            html.Div([retention, arc], className="zs-columns zs-capacity-lower"),
        ],
    )
