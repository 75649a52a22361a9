"""The Host page's elements: what a panel says of its origin is what runs on that host."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dashboard.live import Live
from dashboard.pages.host import tool
from frames.schemas import SCHEMAS
from frames.store import Store, Writer

START = 1_795_400_000


def test_a_panel_names_the_command_that_its_host_has(tmp_path: Path) -> None:
    told = {"tool:zone_usage": "jls, rctl", "tool:arcstats": ""}
    with Writer(tmp_path) as writer:
        columns = {"host": ["fb1"] * 2, "fact": list(told), "value": list(told.values()), "fix": [""] * 2}
        at = pd.to_datetime([START] * 2, unit="s", utc=True)
        writer.append(START, {"host_facts": SCHEMAS["host_facts"].frame({"time": at, **columns})})
    live = Live(Store(tmp_path), clock=lambda: START + 30.0)
    live.load()
    assert tool(live, "fb1", "zone_usage") == "jls, rctl, 1 s"
    assert tool(live, "fb1", "arcstats") is None
    assert tool(live, "fb1", "disk_io") is None
