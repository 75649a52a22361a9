"""Every host in one look: who is in trouble and why, without a click."""

from __future__ import annotations

from dash import html

from dashboard.pages import Page, Url, page
from dashboard.shell import attrs, view_shell

BOXES = (("cpu", "CPU"), ("memory", "Memory"), ("io", "I/O"))


@page("/", nav="Fleet")
def fleet(url: Url) -> Page:
    choice = html.Div(
        [
            html.Button(text, className="zs-button", **attrs(data_boxes=name, aria_pressed=str(name == "cpu").lower()))
            for name, text in BOXES
        ],
        className="zs-segments zs-boxes-of",
        **attrs(role="group", aria_label="what a zone's box shows"),
    )
    return Page(
        title="Fleet",
        head=[view_shell("fleet_head", {}), choice],
        body=[view_shell("fleet", {})],
    )
