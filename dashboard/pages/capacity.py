"""When is which pool full: the answer as the heading, its growth and forecast, and all pools by what comes first."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.pages import Page, Url, page
from dashboard.panels.capacity import answer, chosen
from dashboard.shell import attrs, panel_shell, view_shell

RANGE = "now-1y,now+1y"


@page("/capacity", nav="Capacity")
def capacity(url: Url) -> Page:
    p = chosen(url.live, url.query.get("pool"))
    query: dict[str, Any] = dict(p.query) if p else {}
    table = html.Section(
        [
            html.Header(
                [
                    html.H2("All pools", className="zs-panel-title"),
                    html.Span("by nearest 80\u2009%, likely in 8 of 10 cases", className="zs-panel-sub"),
                ],
                className="zs-panel-head",
            ),
            view_shell("capacity_pools", {}),
        ],
        className="zs-panel zs-all-pools",
    )
    growth = panel_shell("pool_growth", query, height=340, cls="zs-no-legend zs-growth")
    return Page(
        title=answer(p) if p else "Capacity",
        head=[view_shell("capacity_head", query)],
        body=[html.Div([growth, table], className="zs-capacity-top", **attrs(data_range=RANGE))],
    )
