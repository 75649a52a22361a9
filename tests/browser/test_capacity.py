"""The Capacity page in a browser: the answer, a future without hatch, another pool without a new page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.forecast import DAY
from frames.store import Writer
from tests.dashboard.serving import Dashboard

pytestmark = [pytest.mark.browser]

SIZE = 8.0 * 1024**4
POOLS = {("ms2", "mail"): (0.45, 0.62), ("ms1", "mail"): (0.55, 0.77), ("ms1", "<b>rpool</b>"): (0.3, 0.3)}


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("capacity")
    now = int(time.time())
    hours = np.arange(now - 370 * DAY, now, 6 * 3600.0)
    rows = [
        {"time": pd.Timestamp(t, unit="s", tz="UTC"), "host": host, "pool": pool, "alloc": s * SIZE, "size": SIZE}
        for (host, pool), (was, is_) in POOLS.items()
        for t, s in zip(hours, np.linspace(was, is_, len(hours)), strict=True)
    ]
    with Writer(folder, commit_every=3600) as writer:
        writer.write_past("pool_capacity", pd.DataFrame(rows), resolution="1m")
    dashboard = Dashboard(folder)
    yield dashboard.url
    dashboard.stop()


@pytest.fixture
def open_page(chromium, address):
    contexts, errors = [], []

    def opened(search: str = "", **how):
        context = chromium.new_context(viewport={"width": 1500, "height": 1000}, color_scheme="light", **how)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.goto(f"{address}/capacity{search}")
        page.wait_for_function("() => { const d = zs.debug.panel('p-pool-growth'); return d && d.geo && d.y; }")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def title(page) -> str:
    return page.locator("#zs-title h1").inner_text().replace("\u2009", " ")


def test_the_heading_is_the_answer_and_the_future_is_no_gap(open_page) -> None:
    page = open_page()
    assert title(page).startswith("ms1 mail reaches 80 % ")
    assert page.locator(".zs-range-text").first.inner_text() == "now-1y to now+1y"
    assert page.locator("#zs-live .zs-live-word").inner_text() == "FORECAST"
    d = page.evaluate("() => zs.debug.panel('p-pool-growth')")
    assert d["drawn"]["to"] - d["drawn"]["from"] == pytest.approx(730 * DAY, abs=3 * DAY)
    assert d["gaps"] == []
    assert d["staleFrom"] is None
    middle = d["values"][d["series"].index("middle")]
    assert middle[-2] > SIZE * 0.8
    rows = page.locator(".zs-view-capacity_pools tbody tr")
    assert [rows.nth(i).get_attribute("data-key") for i in range(2)] == ["ms1/mail", "ms2/mail"]
    assert rows.nth(0).get_attribute("aria-current") == "true"
    assert page.locator("td b b").count() == 0


def test_a_click_shows_another_pool_and_back_the_one_before(open_page) -> None:
    page = open_page()
    first = title(page)
    page.evaluate("() => { window.mark = document.getElementById('p-pool-growth'); }")
    page.locator(".zs-view-capacity_pools tr[data-key='ms2/mail']").click()
    page.wait_for_function("() => document.querySelector('#zs-title h1').textContent.startsWith('ms2 mail')")
    assert "pool=ms2/mail" in page.url
    assert page.locator("#p-pool-growth .zs-panel-title").inner_text() == "Pool growth, ms2 mail"
    page.wait_for_function(
        "(v) => { const d = zs.debug.panel('p-pool-growth'), u = d.values[0].filter((x) => x !== null);"
        "return Math.abs(u[u.length - 1] - v) < 1e-3 * v; }",
        arg=0.62 * SIZE,
    )
    assert page.evaluate("() => window.mark === document.getElementById('p-pool-growth')"), "the page was laid anew"
    said = title(page)
    assert title(open_page("?pool=ms2/mail")) == said, "the address alone gives the same picture"
    page.go_back()
    page.wait_for_function("(t) => document.querySelector('#zs-title h1').textContent.startsWith(t)", arg="ms1 mail")
    assert title(page) == first


def test_the_table_is_a_file(open_page) -> None:
    page = open_page()
    with page.expect_download() as download:
        page.locator(".zs-capacity-csv").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("host,pool,used (B),size (B)")
    assert len(lines) == 1 + len(POOLS)
    assert lines[1].split(",")[:2] == ["ms1", "mail"]
    assert float(lines[1].split(",")[2]) == pytest.approx(0.77 * SIZE, rel=1e-3)
