"""The HTML that every page shares, as Dash components: top bar, page head, phone bar, panel and view elements.

Python writes the elements once; assets/zs.js fills and drives them. What it may rely on:

* Anything that acts has `data-zs`: find, keys, theme, menu (phone: opens the pages), range (opens the range
  menu), prev, next (shift by half the range), zoom-out, pause, live (back to live).
* `.zs-range-text` (several: head and phone bar) shows the range, `.zs-tz` the zone of time.
* `#zs-live` and the phone bar's badge have class `zs-badge` and `data-state`: live, paused, history, polling or
  lost; in them `.zs-live-word`, `.zs-live-time` and `.zs-live-age` (of the newest sample).
* `[data-zs=pause]` holds an `<i>` and `.zs-pause-word`; `data-on="1"` while paused.
* `#zs-title`, `#zs-page` change with the page; `#zs-page[data-page]` is the route's path, `#zs-page[data-ranged]`
  is "1" where the range control applies.
* `#zs-config` holds JSON: plotly templates by theme, range presets, zones of time of the hosts, hosts.
* A panel is `section.zs-panel` with data-panel, data-kind, data-query, data-title, data-source, data-cost; a view
  is `div.zs-view` with data-view, data-query.
* A spark has no plotly axes: `.zs-value` (number, unit, "of cap") above its canvas.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from dashboard import panels
from dashboard.figures import figure
from dashboard.panels.data import Grid, PanelData


def attrs(**given: str) -> dict[str, Any]:
    """HTML attributes that are no Python names: data_zs becomes data-zs."""
    return {k.replace("_", "-"): v for k, v in given.items()}


def icon(name: str) -> html.I:
    return html.I(className=f"zs-i zs-i-{name}", **attrs(aria_hidden="true"))


def button(action: str, *children: Any, cls: str = "", title: str = "", **attributes: Any) -> html.Button:
    return html.Button(
        list(children),
        className=f"zs-button {cls}".strip(),
        title=title or None,
        **attrs(data_zs=action, aria_label=title or action),
        **attributes,
    )


def slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)


def canonical(query: panels.Query) -> str:
    """The query as JSON with its keys in order, so that equal queries are one stream."""
    return json.dumps(dict(query), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def panel_shell(
    name: str,
    query: panels.Query,
    *,
    id: str = "",
    title: str = "",
    subtitle: str | None = None,
    source: str | None = None,
    cost: str = "",
    height: int | None = None,
    cls: str = "",
) -> html.Section:
    """The element of panel `name`; empty until the browser has a fill for it. `height` of the plot in px.

    Raises KeyError for a panel that nobody registered.
    """
    p = panels.PANELS[name]
    id = id or f"p-{slug(name)}"
    title = title or p.title
    subtitle = p.subtitle if subtitle is None else subtitle
    source = p.source if source is None else source
    cost = cost or p.cost
    plot: list[Any] = []
    if p.kind != "spark":
        empty = PanelData(Grid(0.0, 1.0, 1))
        plot.append(
            dcc.Graph(
                id=f"{id}-axes",
                figure=figure(empty, "dark", p.kind),
                className="zs-axes",
                responsive=True,
                config={"displayModeBar": False, "doubleClick": False, "scrollZoom": False, "staticPlot": False},
            )
        )
    plot.append(html.Canvas(className="zs-canvas"))
    style = {"--zs-plot-height": f"{height}px"} if height else None
    head = [
        html.H2(title, className="zs-panel-title"),
        html.Span(subtitle, className="zs-panel-sub"),
        html.Span(className="zs-panel-state"),
        html.Span(source, className=f"zs-panel-source zs-cost-{cost}"),
        button("panel-menu", icon("dots"), cls="zs-panel-menu", title="Panel menu"),
    ]
    body: list[Any] = [html.Div(plot, className="zs-plot")]
    if p.kind == "spark":
        head = [html.H2(title, className="zs-panel-title"), html.Span(className="zs-panel-state")]
        body = [html.Div(className="zs-value"), *body]
    elif p.kind != "strip":
        body.append(html.Div(className="zs-legend"))
    return html.Section(
        [html.Header(head, className="zs-panel-head"), html.Div(body, className="zs-panel-body")],
        id=id,
        className=f"zs-panel zs-kind-{p.kind} {cls}".strip(),
        style=style,
        **attrs(
            data_panel=name,
            data_kind=p.kind,
            data_query=canonical(query),
            data_title=title,
            data_source=source,
            data_cost=cost,
        ),
    )


def view_shell(name: str, query: panels.Query, *, id: str = "", cls: str = "", **attributes: Any) -> html.Div:
    """The element of view `name`. Raises KeyError for a view that nobody registered."""
    panels.VIEWS[name]
    return html.Div(
        id=id or f"v-{slug(name)}",
        className=f"zs-view zs-view-{name} {cls}".strip(),
        **attrs(data_view=name, data_query=canonical(query)),
        **attributes,
    )


def columns(left: list[Any], right: list[Any]) -> html.Div:
    """Two columns of panels, one below the other where the page is narrow."""
    return html.Div([html.Div(side, className="zs-column") for side in (left, right)], className="zs-columns")


def section(title: str, *body: Any, subtitle: str = "", aside: Sequence[Any] = (), cls: str = "") -> html.Section:
    """A panel that is no plot: `body` under its title."""
    head = [html.H2(title, className="zs-panel-title"), html.Span(subtitle, className="zs-panel-sub"), *aside]
    return html.Section([html.Header(head, className="zs-panel-head"), *body], className=f"zs-panel {cls}".strip())


def table_section(title: str, subtitle: str, view: str, query: panels.Query, *, rows: str) -> html.Section:
    """The view `view`, a table of `dashboard.panels.tables` whose rows are `rows` ("zone"), with its file to keep."""
    id = f"v-{slug(view)}"
    element = view_shell(view, query, id=id, **attrs(data_rows=rows))
    save = html.Button(
        "CSV",
        className="zs-button zs-save",
        title="The table as a file",
        **attrs(data_save_table=id, data_name=view.replace("_", "-")),
    )
    return section(title, element, subtitle=subtitle, aside=[save], cls="zs-table-panel")


def top_bar(links: list[tuple[str, str]], here: str) -> list[Any]:
    """The top bar's children: the pages that exist are links, the others plain words."""
    items: list[Any] = []
    for word, href in links:
        if href:
            current = attrs(aria_current="page") if word == here else {}
            cls = "zs-nav-item zs-here" if word == here else "zs-nav-item"
            items.append(html.Span(dcc.Link(word, href=href, className=cls), **current))
        else:
            items.append(html.Span(word, className="zs-nav-item zs-nav-none", title="not built yet"))
    return items


def _live_badge(id: str = "") -> html.Button:
    return button(
        "live",
        icon("dot"),
        html.Span("–", className="zs-live-word"),
        html.Span("", className="zs-live-time"),
        html.Span("", className="zs-live-age"),
        cls="zs-badge",
        title="Live: back to now",
        **({"id": id} if id else {}),
        **attrs(data_state="lost"),
    )


def _range_button(id: str = "") -> html.Button:
    return button(
        "range",
        icon("clock"),
        html.Span("Last 15 min", className="zs-range-text"),
        html.Span("UTC", className="zs-tz"),
        title="Time range",
        **({"id": id} if id else {}),
        **attrs(aria_haspopup="dialog"),
    )


def _pause_button(id: str = "", *, key: bool = True) -> html.Button:
    return button(
        "pause",
        icon("pause"),
        html.Span("Pause", className="zs-pause-word"),
        *([html.Kbd("Space")] if key else []),
        title="Pause or go on (Space)",
        **({"id": id} if id else {}),
        **attrs(data_on="0"),
    )


def frame() -> list[Any]:
    """Everything around a page. `#zs-nav`, `#zs-title` and `#zs-page` are filled by the router."""
    return [
        html.Header(
            [
                dcc.Link("zonescope", href="/", className="zs-brand"),
                html.Nav(id="zs-nav", className="zs-nav", **attrs(aria_label="Pages")),
                html.Div(
                    [
                        button("find", icon("search"), html.Span("Find"), html.Kbd("Ctrl K"), title="Find (Ctrl K)"),
                        button("keys", html.Span("Keys"), html.Kbd("?"), title="Keys (?)"),
                        button("theme", icon("moon"), cls="zs-icon-button", title="Dark or light"),
                        button("menu", icon("menu"), cls="zs-icon-button zs-phone-only", title="Pages"),
                    ],
                    className="zs-top-right",
                ),
            ],
            className="zs-top",
        ),
        html.Div(
            [
                html.Div(id="zs-title", className="zs-title"),
                html.Div(
                    [
                        _range_button("zs-range"),
                        button("prev", icon("left"), cls="zs-icon-button", title="Earlier by half the range"),
                        button("next", icon("right"), cls="zs-icon-button", title="Later by half the range"),
                        button("zoom-out", icon("zoom-out"), cls="zs-icon-button", title="Zoom out"),
                        _pause_button("zs-pause"),
                        _live_badge("zs-live"),
                    ],
                    id="zs-controls",
                    className="zs-controls",
                ),
            ],
            className="zs-head",
        ),
        html.Main(id="zs-page", className="zs-page"),
        html.Nav(
            [_range_button(), _pause_button(key=False), _live_badge()],
            className="zs-bottom",
            **attrs(aria_label="Time"),
        ),
    ]
