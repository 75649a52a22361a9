"""A migration night: verdict, then the stream that stops it, then both hosts of a pair side by side on one scale."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.pages import Page, Url, host_path, page
from dashboard.panels.migration import Pair, pairs, worst_first
from dashboard.shell import panel_shell, section, table_section, view_shell

PLAN = "bytes of all streams; hollow = plan, solid = actual, dashed = forecast, hatched = span of its end"


def _query(pair: Pair) -> dict[str, Any]:
    return {
        "host": [pair.source, pair.target],
        "source": pair.source,
        "target": pair.target,
        "source_pool": pair.source_pool,
        "target_pool": pair.target_pool,
    }


def _side(pair: Pair, end: str, tag: str) -> html.Div:
    """One host's column."""
    name = pair.source if end == "source" else pair.target
    query = {"host": name}
    return html.Div(
        [
            html.H2([html.A(name, href=host_path(name)), html.Span(f" {end}")], className="zs-side-name"),
            panel_shell("pair_side", {**_query(pair), "side": end}, id=f"p-side-{tag}", height=120),
            panel_shell("disk_latency", query, id=f"p-latency-{tag}", height=170, cls="zs-no-legend"),
            panel_shell("zones_cpu", query, id=f"p-zones-{tag}", height=180, cls="zs-no-legend"),
        ],
        className="zs-column",
    )


@page("/migration", nav="Migration")
def migration(url: Url) -> Page:
    found = pairs(url.live)
    if not found:
        body = html.Div(
            [
                html.H2("No pair is named in hosts.toml" if url.live.hosts else "No collector has been heard of yet"),
                html.P("Add [[pairs]] with source and target to see a migration's progress; see docs/hosts-file.md.")
                if url.live.hosts
                else html.P(["Start one: ", html.Code("zonescope collect hosts.toml")]),
            ],
            className="zs-nothing",
        )
        return Page("Migration", [body, view_shell("heard", {"of": "pairs"})], ranged=False)
    chosen = next((p for p in found if str(p.index) == url.query.get("pair")), found[0])
    rows = [
        html.Article(
            [
                view_shell("pair", {"pair": p.index}, id=f"v-pair-{p.index}"),
                panel_shell("pair_io", _query(p), id=f"p-pair-{p.index}", height=92, cls="zs-no-legend zs-pair-plot"),
                view_shell("transfers", {"pair": p.index}, id=f"v-transfers-{p.index}"),
            ],
            className="zs-pair",
        )
        for p in worst_first(url.live, found)
    ]
    tabs = [
        html.A(
            f"{p.source} → {p.target}",
            href=f"/migration?pair={p.index}",
            className="zs-button" + (" zs-on" if p is chosen else ""),
        )
        for p in found
    ]
    hosts = sorted({h for p in found for h in (p.source, p.target)})
    lower = html.Div(
        [
            html.Div(
                [
                    section("Plan and actual", view_shell("migration_plan", {}), subtitle=PLAN),
                    section("Log of the night", view_shell("events_log", {"host": hosts})),
                ],
                className="zs-column",
            ),
            section("Go or no-go", view_shell("migration_checks", {})),
        ],
        className="zs-columns zs-migration-lower",
    )
    mail = []
    if any("imapsync" in h.fact("sources").split(",") for h in list(url.live.hosts.values())):
        mail = [
            table_section("Accounts", "mailboxes that imapsync copies", "imapsync_accounts", {}, rows="account"),
            panel_shell("imapsync_rate", {}, height=130),
        ]
    return Page(
        "Migration",
        head=[view_shell("migration_head", {})],
        body=[
            html.Div(rows, className="zs-pairs"),
            lower,
            html.Div(mail, className="zs-column zs-migration-mail"),
            html.Div(tabs, className="zs-segments zs-pair-tabs"),
            html.Div([_side(chosen, "source", "a"), _side(chosen, "target", "b")], className="zs-columns zs-sides"),
        ],
        wall=True,
    )
