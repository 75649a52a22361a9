"""zonescope itself: which links and sources are well, how late, what was lost, and what the history takes."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.pages import Page, Url, page
from dashboard.pages.host import chooser, host_pages, unknown_host
from dashboard.shell import attrs, columns, panel_shell, section, table_section, view_shell

LINES = 150


path_of, _ = host_pages("health")


def _page(url: Url, host: str) -> Page:
    query: dict[str, Any] = {"host": host} if host else {}
    every = html.A(
        "all hosts", href="/health", className="zs-button" + ("" if host else " zs-on"), **attrs(data_keep="1")
    )
    choice = html.Div(
        [html.Div([every], className="zs-segments"), chooser(url.live, host, path_of)], className="zs-choices"
    )
    if host:
        words = "of this host, newest minute"
        tables = [table_section("Sources", words, "health_sources", query, rows="source")]
    else:
        tables = [
            table_section("Hosts", "links and sources, newest minute", "health_hosts", {}, rows="host"),
            table_section("Sources that are not well", "newest minute", "health_sources", {}, rows="source"),
        ]
    left = [panel_shell("health_lag", query, height=LINES), panel_shell("health_errors", query, height=LINES)]
    right = [panel_shell("health_lines", query, height=LINES)]
    kinds = ["collector", "link", "clock", "counters", "reboot"]
    log = section(
        "Links, clocks, counters and collectors",
        view_shell("events_log", {"host": [host] if host else [], "kind": kinds, "n": 30}),
    )
    right.append(log)
    body: list[Any] = [
        *tables,
        columns(left, right),
    ]
    if not host:
        body.append(table_section("History", "on the disk now, by table", "health_store", {}, rows="table"))
    return Page(
        f"Health of {host}" if host else "Health",
        head=[view_shell("health_head", {})],
        body=[choice, html.Div(body, className="zs-column")],
    )


@page("/health", nav="Health")
def health(url: Url) -> Page:
    return _page(url, "")


@page("/health/<host>", nav="Health", home=lambda _live: "/health")
def health_of(url: Url) -> Page:
    host = url.args["host"]
    return unknown_host(url.live, host) or _page(url, host)
