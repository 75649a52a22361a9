"""Ask running systems a question and watch the answer: the sentence is the title and the address.

`?q=disk_io/by=device,latency&hosts=ms2,ma2`; the browser changes the question without laying the page anew.
"""

from __future__ import annotations

import json
from typing import Any

from dash import html

from dashboard.live import Live
from dashboard.pages import Page, Url, page
from dashboard.panels.disks import STANDING
from dashboard.panels.dtrace import UP, asked, catalogue
from dashboard.shell import attrs, panel_shell, view_shell
from frames.questions import QuestionError

SPAN = 300


def able(live: Live) -> list[str]:
    """Hosts whose inventory allows D questions; all hosts where none is known to."""
    names = sorted(live.hosts)
    return [n for n in names if live.hosts[n].fact("dtrace")] or names


@page("/dtrace", nav="DTrace")
def dtrace(url: Url) -> Page:
    live = url.live
    wanted = url.query.get("q") or STANDING
    problem = ""
    try:
        question = asked(wanted)
    except QuestionError as e:
        question, problem = asked(STANDING), str(e)
    named = [h for h in url.query.get("hosts", "").split(",") if h in live.hosts]
    hosts = named or able(live)
    query: dict[str, Any] = {"question": question.id, "host": hosts}
    settings = {"catalogue": catalogue(), "standing": STANDING, "able": able(live), "problem": problem}
    heat = panel_shell("dtrace_heat", {**query, "lit": [], "lines": ["p50", "p99"], "scale": "log"}, height=560)
    stack = panel_shell("dtrace_stack", query, height=560)
    # Graphs that were drilled down from: not shown until there are any; each is a map or a stack as it needs.
    above = [
        panel_shell("dtrace_heat", {"question": ""}, id=f"p-dtrace-up-{i}", cls="zs-dtrace-up")
        for i in range(1, UP + 1)
    ]
    keys = html.Section(
        [
            view_shell("dtrace_keys", {**query, "span": SPAN}),
            html.Div(id="zs-dtrace-hosts", className="zs-dtrace-hosts"),
        ],
        className="zs-panel zs-dtrace-side",
    )
    flames = html.Section(
        [view_shell("dtrace_flame", {**query, "span": SPAN})],
        className="zs-panel zs-dtrace-flames",
    )
    return Page(
        question.sentence,
        head=[view_shell("dtrace_head", query)],
        body=[
            html.Div(id="zs-dtrace-bar", className="zs-dtrace-bar"),
            html.Div(
                [
                    html.Div(
                        id="zs-dtrace-tools", className="zs-dtrace-tools", role="toolbar", **attrs(aria_label="Graph")
                    ),
                    html.Div(id="zs-dtrace-how", className="zs-dtrace-how"),
                ],
                className="zs-dtrace-row",
            ),
            html.Div(
                [
                    html.Div(
                        [
                            *above,
                            heat,
                            stack,
                        ],
                        className="zs-dtrace-plots",
                    ),
                    keys,
                    flames,
                ],
                id="zs-dtrace",
                className="zs-dtrace",
                **attrs(data_settings=json.dumps(settings), data_mode=question.mode, data_range=f"now-{SPAN}s,now"),
            ),
        ],
    )
