"""PanelData -> plotly figure: axes only, from the templates. The browser draws the data on a canvas over them,
moves the x range, and re-labels the y axis when its range changes; exports draw the data too (`with_data`)."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from dashboard import tokens
from dashboard.panels.data import Kind, PanelData

tokens.register_templates()


def figure(data: PanelData, theme: tokens.Theme, kind: Kind) -> go.Figure:
    """The axes of a panel: x over its grid in UTC, y over `yrange` or the data, labelled by `ticks`."""
    g = data.grid
    fig = go.Figure(layout={"template": f"zs_{theme}", "uirevision": "zs", "datarevision": 0})
    fig.update_xaxes(range=[_iso(g.start), _iso(g.end)], fixedrange=True)
    if kind == "strip":
        fig.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 18})
        fig.update_yaxes(visible=False)
    if kind == "lanes":
        rows = list(dict.fromkeys(s.group or s.id for s in data.series)) or [""]
        fig.update_layout(margin={"l": 64, "r": 8, "t": 8, "b": 24})
        fig.update_yaxes(
            range=[len(rows), 0],
            tickmode="array",
            tickvals=[i + 0.5 for i in range(len(rows))],
            ticktext=[_label(data, row) for row in rows],
            showgrid=False,
            fixedrange=True,
        )
        return fig
    if kind == "forecast":  # the limits are named beside the plot, now above it
        fig.update_layout(margin={"l": 48, "r": 128, "t": 28, "b": 24})
    low, high = data.yrange or extent(data)
    if kind == "mirror" and data.yrange is None:
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    log = data.yscale == "log"
    fig.update_yaxes(
        type="log" if log else "linear",
        range=[math.log10(max(low, 1e-12)), math.log10(max(high, 1e-12))] if log else [low, high],
        fixedrange=True,
    )
    return fig


def extent(data: PanelData) -> tuple[float, float]:
    """The y range that holds all samples: from 0 (or below it) to a little above the largest."""
    parts = [a for a in (data.values, data.low, data.high) if a is not None and a.size]
    if data.heat is not None and data.heat.bounds:
        finite = [b for b in data.heat.bounds if math.isfinite(b) and b > 0]
        return (finite[0], finite[-1] * 2) if finite else (0.0, 1.0)
    flat = np.concatenate([p.ravel() for p in parts]) if parts else np.empty(0, np.float32)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    high = float(flat.max())
    return min(0.0, float(flat.min())), high * 1.08 if high > 0 else 1.0


def _iso(epoch: float) -> str:
    return str(np.datetime64(round(epoch * 1000), "ms"))


def _label(data: PanelData, row: str) -> str:
    return next((s.label for s in data.series if (s.group or s.id) == row), row)
