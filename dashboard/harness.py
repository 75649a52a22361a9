"""`python -m dashboard.harness [--port N]`: a page with a panel of every kind fed by synthetic data, without any
collector or history, for work on the browser's side: lines, mirror, lanes, heat, strip, spark; a gap every
two minutes, a stale and an empty panel, a zone that is capped now and then, a view.

Every value is a pure function of its time, so fills and ticks agree.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dash import html

from dashboard import pages
from dashboard.live import Live, NoHistory
from dashboard.panels import Frames, Known, Query, panel, view
from dashboard.panels.data import Floats, Grid, Heat, Mark, PanelData, Series
from dashboard.shell import panel_shell, view_shell

MIB, GIB = float(1 << 20), float(1 << 30)
BOUNDS = tuple(float(2**i) * 1e-9 for i in range(13, 36))


class Synthetic(Live):
    """Always fresh: a sample each second."""

    def newest(self, tables: Iterable[str] = (), hosts: Sequence[str] = ()) -> float | None:
        return self.clock() // 1


def times(grid: Grid) -> Floats:
    return grid.start + grid.step * np.arange(grid.n)


def noise(t: np.ndarray, seed: int) -> np.ndarray:
    """0 … 1, different each second, the same for the same second."""
    return np.modf(np.sin(np.floor(t) * 12.9898 + seed * 78.233) * 43758.5453)[0] % 1.0


def wave(t: np.ndarray, seed: int, level: float, swing: float) -> np.ndarray:
    """A wandering level with noise; NaN for 20 s of every 300 s and in the future."""
    slow = np.sin(t / (47 + seed * 13) + seed) + 0.5 * np.sin(t / (11 + seed * 3))
    out = level + swing * (0.5 * slow + 0.5 * (noise(t, seed) - 0.5))
    out[(t % 300) < 20] = np.nan
    out[t > time.time()] = np.nan
    return np.maximum(out, 0)


@panel("h_lines", kind="lines", title="ARC", subtitle="GiB, ghost hits below", source="kstat, 1 s", tables={})
def h_lines(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    size, target = wave(t, 1, 7.4 * GIB, 0.3 * GIB), wave(t, 2, 7.7 * GIB, 0.2 * GIB)
    rows = [size, target, wave(t, 3, 60, 100), wave(t, 4, 0.96, 0.02)]
    series = [
        Series("size", "size", "B", 1),
        Series("c", "target", "B", 3, dash="dash"),
        Series("ghost", "ghost hits", "1/s", 2, fill=True, group="ghost"),
        Series("demand", "demand data hit", "1", None, group="table"),
    ]
    values = np.array(rows, np.float32)
    return PanelData(
        grid, series, values, values * 0.97, values * 1.03,
        marks=[Mark(10 * GIB, "max 10"), Mark(6 * GIB, "min 6")], unit="B",
    )  # fmt: skip


@panel("h_many", kind="lines", title="Twenty lines", subtitle="ms", source="harness", tables={})
def h_many(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    n = 20
    dashes = ("solid", "solid", "dash", "dot")
    series = [Series(f"d{i}", f"c3t{i}d0", "s", i + 1 if i < 8 else None, dash=dashes[i % 4]) for i in range(n)]  # type: ignore[arg-type]
    return PanelData(
        grid, series, np.array([wave(t, i, 0.01 + i / 800, 0.004) for i in range(n)], np.float32), unit="s"
    )


@panel("h_mirror", kind="mirror", title="Pool I/O per vdev", subtitle="MiB/s", source="zpool iostat, 1 s", tables={})
def h_mirror(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    series, rows = [], []
    for i, name in enumerate(("raidz2-0", "raidz2-1", "mirror-0")):
        dash = "dash" if i == 2 else "solid"
        series.append(Series(f"{name}/read", f"{name} read", "B/s", (1, 3, 2)[i], dash, 1, group=name))  # type: ignore[arg-type]
        series.append(Series(f"{name}/write", "write", "B/s", (1, 3, 2)[i], dash, -1, group=name))  # type: ignore[arg-type]
        rows += [wave(t, i, 20 * MIB / (i + 1), 9 * MIB), wave(t, i + 9, 30 * MIB / (i + 1), 12 * MIB)]
    return PanelData(grid, series, np.array(rows, np.float32), unit="B/s")


@panel("h_lanes", kind="lanes", title="Zones, CPU", subtitle="cores; row height = cap", source="prstat, 1 s", tables={})
def h_lanes(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    series, rows = [], []
    caps = {"mail3": 1.0, "mail4": 0.5, "mail9": 0.5, "mail10": 0.4, "spam2": 0.35, "imap2": 0.35, "rest": None}
    for i, (zone, cap) in enumerate(caps.items()):
        use = wave(t, i, (cap or 0.8) * 0.6, 0.2)
        capped = np.full(grid.n, np.nan)
        if zone == "mail3":
            hit = (t % 600) > 250
            use[hit & np.isfinite(use)] = 1.0
            capped = np.where(hit, use, np.nan)
        series.append(Series(zone, zone, "cores", None, cap=cap, fill=True, group=zone))
        rows.append(np.minimum(use, cap or 9))
        series.append(Series(f"{zone}:capped", zone, "cores", None, cap=cap, state="warn", group=zone, legend=False))
        rows.append(capped)
    return PanelData(grid, series, np.array(rows, np.float32), unit="cores")


@panel(
    "h_heat", kind="heat", title="Disk latency", subtitle="log scale", source="dtrace, 1 s", cost="dtrace", tables={}
)
def h_heat(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    middle = np.sqrt(np.array(BOUNDS) * np.array([*BOUNDS[1:], BOUNDS[-1] * 2]))
    crowd = 90 * np.exp(-((np.log10(middle) + 2.1) ** 2) / 0.12) + 60 * np.exp(-((np.log10(middle) + 3.5) ** 2) / 0.03)
    jitter = np.array([noise(t, 100 + r) for r in range(len(BOUNDS))]).T
    counts = np.floor(crowd[None, :] * (0.4 + jitter) * grid.step)
    slow = (t % 900) > 300
    counts[:, 15] += np.where(slow, np.floor(6 * noise(t, 7)), 0)
    counts[:, 16] += np.where(slow, np.floor(9 * noise(t, 8)), 0)
    counts[:, 18] += noise(t, 9) > 0.97
    gone = ~np.isfinite(wave(t, 0, 1, 0))
    counts[gone] = np.nan
    p50, p99 = wave(t, 1, 0.0066, 0.002), np.where(slow, wave(t, 2, 0.33, 0.05), wave(t, 3, 0.03, 0.01))
    series = [
        Series("p50", "p50", "s", group="overlay", legend=False),
        Series("p99", "p99", "s", dash="dash", group="overlay", legend=False),
    ]
    rows = [p50, p99]
    for i in range(12):
        bad = i == 7
        series.append(Series(f"c3t{i}d0", f"c3t{i}d0", "s", group="table", state="bad" if bad else ""))
        rows.append(p99 if bad else wave(t, i, 0.015, 0.004))
    return PanelData(grid, series, np.array(rows, np.float32), heat=Heat(BOUNDS, "s", counts.astype(np.float32)),
                     unit="s", yscale="log")  # fmt: skip


@panel("h_strip", kind="strip", title="disk p99, 6 h", source="dtrace, 1 s", tables={}, span=21600)
def h_strip(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    row = wave(times(grid), 1, 0.02, 0.01)
    return PanelData(grid, [Series("p99", "disk p99", "s")], row[None, :].astype(np.float32), unit="s")


@panel("h_spark", kind="spark", title="CPU", tables={})
def h_spark(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    seed = int(query.get("seed", 1))
    unit, level, cap = [("cores", 2.6, 4.0), ("B/s", 40 * MIB, None), ("s", 0.4, None), ("B", 2 * GIB, 16 * GIB)][
        seed % 4
    ]
    return PanelData(
        grid, [Series("v", "", unit, cap=cap, state="bad" if seed % 4 == 2 else "")],
        wave(times(grid), seed, level, level / 4)[None, :].astype(np.float32), unit=unit,
    )  # fmt: skip


@panel("h_stale", kind="lines", title="Stale", subtitle="stopped 40 s after each 2 min", source="harness", tables={})
def h_stale(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    row = wave(t, 5, 10, 3)
    row[t > time.time() // 120 * 120 + 40] = np.nan
    return PanelData(grid, [Series("a", "a", "1/s", 1)], row[None, :].astype(np.float32), unit="1/s")


@panel("h_empty", kind="lines", title="Empty", source="kstat, 1 s", tables={})
def h_empty(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return PanelData(
        grid,
        empty="bk1 lets ops read no D probes: zonescope lacks dtrace_kernel there.",
        hint="usermod -K defaultpriv=basic,dtrace_kernel,dtrace_proc,dtrace_user ops",
    )


@view("h_view")
def h_view(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    return {"clock": at or live.clock(), "text": "<b>data, not HTML</b>", "state": "bad"}


def harness_page(url: pages.Url) -> pages.Page:
    sparks = [panel_shell("h_spark", {"seed": i}, id=f"spark-{i}", title=f"Vital {i}") for i in range(8)]
    kinds = ("h_heat", "h_lanes", "h_mirror", "h_lines", "h_many", "h_stale", "h_empty")
    return pages.Page(
        "harness",
        [
            view_shell("h_view", {"host": "ms2"}),
            panel_shell("h_strip", {"host": "ms2"}),
            html.Div(sparks, className="zs-vitals"),
            html.Div([panel_shell(k, {"host": "ms2"}) for k in kinds], className="zs-columns"),
        ],
    )


async def beat(live: Live) -> None:
    """Nothing arrives; the hub ticks by itself."""
    live.events.clear()
    await asyncio.Event().wait()


def main() -> None:
    from dashboard.app import create_app
    from dashboard.serve import _run, address, bind, server

    parser = argparse.ArgumentParser(description="a page of synthetic panels")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    pages.page("/", nav="Fleet")(harness_page)
    pages.page("/host/<name>", nav="Host", home=lambda _live: "/host/harness")(harness_page)
    live = Synthetic(NoHistory())
    app = create_app(Path("."), live=live, modules=(), background=beat)
    sock = bind("127.0.0.1", args.port)
    print(address(sock), flush=True)
    asyncio.run(_run(server(app.server), sock, lambda _text: None))


if __name__ == "__main__":
    main()
