"""The pools of a host: state, space and scan of each, its vdevs as a tree, and what the chosen one does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pyarrow.compute as pc
from dash import html

from dashboard import ranges
from dashboard.live import Live
from dashboard.pages import Page, Url, page
from dashboard.pages.host import chooser, host_pages, latency_source, of_host, tool, unknown_host
from dashboard.panels.vdev_tree import newest
from dashboard.panels.vdevs import PART_COLUMNS, QUEUE_COLUMNS, WAITS
from dashboard.shell import panel_shell, section, table_section, view_shell

MIRROR, LINES, HEAT = 178, 150, 230


path_of, home = host_pages("pools")


def instant(url: Url) -> float | None:
    """The end of the range that the address names; None for now."""
    with suppress(ranges.RangeError):
        start, end = url.query.get("from") or ranges.DEFAULT[0], url.query.get("to") or ranges.DEFAULT[1]
        span = ranges.resolve(start, end, url.live.clock(), tz=url.query.get("tz") or "UTC")
        return None if span.live else span.end
    return None


def selected(url: Url, host: str) -> dict[str, str]:
    """`?pool=mail&vdev=raidz2-0/c3t7d0` as far as the host has them: those of another host stay behind."""
    pool, vdev = url.query.get("pool", ""), url.query.get("vdev", "")
    if not pool:
        return {}
    at = instant(url)
    frames = [newest(url.live, t, host, at) for t in ("zpool_status", "zpool_iostat")]
    have = {(p, v) for f in frames for p, v in zip(f["pool"], f["vdev"], strict=True)}
    if (pool, vdev) not in have:
        vdev = ""
    return {"pool": pool, "vdev": vdev} if any(p == pool for p, _ in have) else {}


def gives(live: Live, host: str, columns: tuple[str, ...]) -> bool:
    """Whether the host's zpool iostat tells any of `columns`: of an idle vdev it does not in every interval."""
    now = live.clock()
    rows = live.rows("zpool_iostat", now - live.keep, now + 5, {"host": [host]})
    if len(rows):
        return any(pc.any(pc.is_valid(rows[c])).as_py() for c in columns)
    found = newest(live, "zpool_iostat", host, None)
    return bool(found[list(columns)].notna().any().any())


@page("/pools/<host>", nav="Pools", home=home)
def pools(url: Url) -> Page:
    live, name = url.live, url.args["host"]
    if (unknown := unknown_host(live, name)) is not None:
        return unknown
    query: dict[str, Any] = {"host": name}
    part = query | selected(url, name)
    disks = tool(live, name, "disk_io")
    source, subtitle, cost = latency_source(live, name)
    curves = [
        panel_shell("pool_io", part, height=MIRROR),
        panel_shell("vdev_ops", part, height=MIRROR),
    ]
    if gives(live, name, WAITS):
        curves.append(panel_shell("vdev_wait", part, height=MIRROR))
        if gives(live, name, PART_COLUMNS):
            curves.append(panel_shell("vdev_parts", part, height=MIRROR))
    else:
        curves.append(panel_shell("vdev_service", part, height=LINES, source=disks))
    if gives(live, name, QUEUE_COLUMNS):
        curves.append(panel_shell("vdev_queues", part, height=MIRROR, cls="zs-wide-legend"))
    curves += [
        panel_shell("vdev_latency", part, height=HEAT, source=source, subtitle=subtitle, cost=cost),
        panel_shell("vdev_busy", part, height=LINES, source=disks),
        panel_shell("scan_pace", part, height=LINES),
    ]
    tree = table_section("Vdevs", "newest; a click shows one in the panels", "vdev_tree", query, rows="pool, vdev")
    events = {"host": [name], "kind": ["pool", "disk", "scan", "counters"], "n": 20}
    left = [
        section("Pools", view_shell("pools_head", query)),
        tree,
        table_section("Scans that ended", "of the last half year", "scan_history", query, rows="scan"),
        section("What happened to pools and disks", view_shell("events_log", events)),
    ]
    right = [html.Div(id="zs-vdev-said", className="zs-vdev-said"), *curves]
    return Page(
        f"Pools of {name}",
        head=[view_shell("host_head", query)],
        body=[
            html.Div([chooser(live, name, path_of)], className="zs-choices"),
            html.Div(
                [html.Div(left, className="zs-column"), html.Div(right, className="zs-column zs-vdev-panels")],
                className="zs-columns zs-pools",
            ),
            view_shell("host_lacks", query),
        ],
    )


@page("/pools", nav="Pools", home=home)
def pools_any(url: Url) -> Page:
    """`?host=ms2`; without one, the host that most needs a look."""
    return of_host(url, "Pools", pools)
