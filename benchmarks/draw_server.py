"""The page that benchmarks/draw.py measures: 8 line panels of 8 traces, 2 stacked areas, a heat map of 900 x 40, a
second a column, and beside it the same numbers off the same wire drawn with uPlot."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route

from dashboard import pages
from dashboard.harness import NoHistory, Synthetic, beat, noise, times
from dashboard.panels import Frames, Known, Query, panel
from dashboard.panels.data import Grid, Heat, PanelData, Series
from dashboard.shell import panel_shell

HERE = Path(__file__).parent
LINES, AREAS, TRACES, ROWS = 8, 2, 8, 40
BOUNDS = tuple(1e-4 * 10 ** (i / 8) for i in range(ROWS))
UPLOT = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/bench/uPlot.min.css">
<body style="margin:0;background:#0d1014;color:#87919c;width:1560px"><script src="/bench/uPlot.iife.min.js"></script>
<script src="/bench/uplot_page.js"></script>"""


def traces(grid: Grid, seed: int) -> np.ndarray:
    t = times(grid)
    rows = [20 + 9 * np.sin(t / (40 + 7 * i) + seed) + 4 * noise(t, seed * 10 + i) for i in range(TRACES)]
    return np.array(rows, np.float32)


@panel("bench_lines", kind="lines", title="Lines", tables={})
def bench_lines(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    series = [Series(f"s{i}", f"trace {i}", "", i + 1) for i in range(TRACES)]
    return PanelData(grid, series, traces(grid, int(query["seed"])))


@panel("bench_area", kind="lines", title="Area", tables={})
def bench_area(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    series = [Series(f"s{i}", f"trace {i}", "", i + 1, fill=True, group="stack") for i in range(TRACES)]
    return PanelData(grid, series, traces(grid, int(query["seed"])))


@panel("bench_heat", kind="heat", title="Heat", tables={})
def bench_heat(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    t = times(grid)
    crowd = 60 * np.exp(-((np.arange(ROWS) - 16) ** 2) / 40) + 30 * np.exp(-((np.arange(ROWS) - 29) ** 2) / 8)
    jitter = np.array([noise(t, 100 + r) for r in range(ROWS)]).T
    counts = np.floor(crowd[None, :] * (0.2 + jitter)).astype(np.float32)
    return PanelData(grid, unit="s", yscale="log", heat=Heat(BOUNDS, "s", counts))


def bench_page(url: pages.Url) -> pages.Page:
    body = [panel_shell("bench_lines", {"seed": i}, id=f"lines-{i}", height=120) for i in range(LINES)]
    body += [panel_shell("bench_area", {"seed": 20 + i}, id=f"area-{i}", height=120) for i in range(AREAS)]
    return pages.Page("draw", [*body, panel_shell("bench_heat", {}, id="heat", height=200)])


def main() -> None:
    from dashboard.app import create_app
    from dashboard.serve import _run, address, bind, server

    parser = argparse.ArgumentParser()
    parser.add_argument("--uplot", type=Path, required=True, help="folder with uPlot's dist")
    args = parser.parse_args()
    pages.page("/", nav="Fleet")(bench_page)
    app = create_app(Path("."), live=Synthetic(NoHistory()), modules=(), background=beat)

    async def file(request: object) -> FileResponse:
        name = request.path_params["name"]  # type: ignore[attr-defined]
        return FileResponse((HERE if name == "uplot_page.js" else args.uplot) / name)

    async def page(_request: object) -> HTMLResponse:
        return HTMLResponse(UPLOT)

    app.server.router.routes[:0] = [Route("/bench/", page), Route("/bench/{name}", file)]
    sock = bind("127.0.0.1", 0)
    print(address(sock), flush=True)
    asyncio.run(_run(server(app.server), sock, lambda _text: None))


if __name__ == "__main__":
    main()
