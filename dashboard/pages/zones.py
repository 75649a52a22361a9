"""The zones of a host: usage beside its caps, who is held back by what, and the mail that runs in them."""

from __future__ import annotations

from dash import html

from dashboard.live import Live
from dashboard.pages import Page, Url, page
from dashboard.pages.host import chooser, host_pages, lanes_height, of_host, tool, unknown_host
from dashboard.panels.mail import CURVES
from dashboard.shell import columns, panel_shell, section, table_section, view_shell

LINES = 178


path_of, home = host_pages("zones")


def _gives(live: Live, host: str, *tables: str) -> bool:
    """Whether the host has given any of these tables within a day; the history knows where the ring does not."""
    if live.newest(tables, [host]) is not None:
        return True
    where = {"host": [host]}
    return any(len(live.store.latest(t, within=86400, where=where)) > 0 for t in tables)


@page("/zones/<host>", nav="Zones", home=home)
def zones(url: Url) -> Page:
    live, name = url.live, url.args["host"]
    if (unknown := unknown_host(live, name)) is not None:
        return unknown
    query = {"host": name}
    usage, lanes = tool(live, name, "zone_usage"), lanes_height(live, name)
    left = [panel_shell("zones_cpu", query, height=lanes, source=usage)]
    right = [panel_shell("zones_memory", query, height=lanes, source=usage)]
    seen = live.latest("zone_usage", within=300, where={"host": [name]})
    if seen["cpu_waiting"].notna().any():
        left.append(panel_shell("zones_waiting", query, height=LINES))
    if seen["swap"].notna().any():
        right.append(panel_shell("zones_swap", query, height=lanes, source=usage))
    if _gives(live, name, "zone_io"):
        left += [panel_shell("zones_slow", query, height=LINES), panel_shell("zones_delayed", query, height=LINES)]
        right.append(panel_shell("zones_io", query, height=LINES))
    mail = []
    if _gives(live, name, "mail_activity"):
        source = tool(live, name, "mail_activity", 5)
        counts = live.latest("mail_activity", within=300, where={"host": [name]})
        curves = [
            panel_shell(f"mail_{c}", query, height=LINES, source=source)
            for c in CURVES
            if c == "connections" or counts[c].notna().any()
        ]
        services = table_section("Mail services", "newest", "mail_table", query, rows="service")
        mail = [html.Div([services, html.Div(curves, className="zs-column")], className="zs-columns")]
    return Page(
        f"Zones of {name}",
        head=[view_shell("host_head", query)],
        body=[
            html.Div([chooser(live, name, path_of)], className="zs-choices"),
            html.Div(
                [
                    table_section("Usage beside its caps", "newest", "zones_table", query, rows="zone"),
                    columns(left, right),
                    *mail,
                    section(
                        "Zones that came, went or changed",
                        view_shell("events_log", {"host": [name], "kind": ["zone"], "n": 40}),
                    ),
                ],
                className="zs-column",
            ),
        ],
    )


@page("/zones", nav="Zones", home=home)
def zones_any(url: Url) -> Page:
    """`?host=ms2`; without one, the host that most needs a look."""
    return of_host(url, "Zones", zones)
