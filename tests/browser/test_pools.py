"""The Pools and ARC pages in a browser: they draw, a vdev is chosen without a new page, a host's text stays text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from frames.schemas import SCHEMAS
from tests.browser.conftest import fed

pytestmark = [pytest.mark.browser]

EVIL = "<img src=x onerror=alert(1)>"
GIB = float(1 << 30)
VDEVS = ["", "mirror-0", "mirror-0/c3t0d0", f"mirror-0/{EVIL}", "logs/c1t2d0"]
NAMES = ["mail", "mirror-0", "c3t0d0", EVIL, "c1t2d0"]
KINDS = ["pool", "mirror", "disk", "disk", "disk"]


def second(at: int) -> dict[str, Any]:
    def table(name: str, columns: dict[str, list[Any]]) -> Any:
        n = len(next(iter(columns.values())))
        return SCHEMAS[name].table({"time": [at * 10**6] * n, "host": ["a"] * n, **columns})

    tree = {"pool": ["mail"] * 5, "vdev": VDEVS, "device": NAMES, "kind": KINDS}
    states = ["DEGRADED", "DEGRADED", "ONLINE", "FAULTED", "ONLINE"]
    return {
        "zpool_status": table("zpool_status", tree | {"state": states, "read_errors": [0.0, 0.0, 0.0, 7.0, 0.0]}),
        "zpool_iostat": table(
            "zpool_iostat", tree | {"read_ops": [30.0, 30, 15, 15, 0], "write_ops": [20.0, 20, 10, 10, 5],
                                    "read_bytes": [3e6, 3e6, 2e6, 1e6, 0.0], "write_bytes": [2e6, 2e6, 1e6, 1e6, 5e5],
                                    "total_wait_read": [0.005, 0.005, 0.004, 0.006, None],
                                    "total_wait_write": [0.002, 0.002, 0.002, 0.002, 0.001]},
        ),
        "disk_io": table(
            "disk_io", {"device": NAMES[2:], "pool": ["mail"] * 3, "vdev": VDEVS[2:], "asvc_t": [0.004, 0.006, 0.001],
                        "read_ops": [15.0, 15, 0], "write_ops": [10.0, 10, 5], "busy": [0.2, 0.9, 0.1]},
        ),
        "pool_capacity": table(
            "pool_capacity", {"pool": ["mail"], "size": [1000 * GIB], "alloc": [850 * GIB], "frag": [0.31],
                              "dedup": [1.0], "health": ["DEGRADED"]},
        ),
        "pool_scan": table(
            "pool_scan", {"pool": ["mail"], "scan": ["resilver"], "state": ["in_progress"], "fraction": [0.25],
                          "issued": [200 * GIB], "total": [800 * GIB], "rate": [100e6], "elapsed": [2000.0],
                          "repaired": [190 * GIB], "errors": [0.0], "text": [f"resilver {EVIL}"]},
        ),
        "arcstats": table(
            "arcstats", {"size": [7 * GIB], "c": [7.2 * GIB], "c_min": [2 * GIB], "c_max": [8 * GIB],
                         "hits": [900.0], "misses": [100.0], "mru_ghost_hits": [30.0], "mfu_ghost_hits": [10.0],
                         "memory_throttle": [0.0], "demand_data_hits": [900.0], "demand_data_misses": [100.0],
                         "mru_size": [3 * GIB], "mfu_size": [3 * GIB]},
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with fed(tmp_path_factory.mktemp("pools"), second) as url:
        yield url


DRAWN = "(id) => { const d = window.zs && zs.debug && zs.debug.panel(id); return d && d.geo && d.newest; }"


@pytest.fixture
def open_page(visit, address):
    def opened(path: str, panel: str):
        page = visit(address + path)
        page.wait_for_function(DRAWN, arg=panel, timeout=60000)
        return page

    return opened


def rows(page) -> list[str]:
    return page.locator("#v-vdev-tree tbody tr td.zs-name").all_inner_texts()


def series(page, panel: str) -> list[str]:
    return page.evaluate("(id) => zs.debug.panel(id).series", panel)


def drawn(page, panel: str, vdev: str) -> None:
    shown = "zs.debug.panel(id).series.some((s) => s.startsWith(v.split('/').pop()))"
    page.wait_for_function(f"([id, v]) => zs.panels.get(id).query.vdev === v && {shown}", arg=[panel, vdev])


def test_a_degraded_pool_is_told_in_words_and_its_tree_is_text(open_page):
    page = open_page("/pools/a", "p-pool-io")
    page.locator("#v-vdev-tree tbody tr").nth(5).wait_for()
    assert [r.strip() for r in rows(page)] == ["mail", "mirror-0", EVIL, "c3t0d0", "logs", "c1t2d0"]
    assert page.locator("#zs-page img").count() == 0
    words = page.locator(".zs-ph").inner_text().replace("\u2009", " ")
    assert "Degraded" in words
    assert f"mirror-0/{EVIL} faulted" in words
    assert "850 GiB of 1000 GiB, 85 %" in words
    assert "past 80 %" in words
    assert "31 % of the free space in small pieces (FRAG)" in words
    assert "25.0 % issued, 200 GiB of 800 GiB issued" in words
    assert "ends " in words
    assert "resilvered 190 GiB, 0 errors" in words
    faulted = page.locator("#v-vdev-tree tbody tr").nth(2)
    assert faulted.locator("td[data-state=bad]").inner_text() == "faulted"
    assert faulted.locator("td[data-state=warn]").inner_text() == "7"


def test_a_click_shows_a_vdev_in_the_panels_and_back_shows_all_again(open_page):
    page = open_page("/pools/a", "p-pool-io")
    assert "mirror-0/read" in series(page, "p-pool-io")
    page.evaluate("() => { window.stays = 1; }")
    page.locator("#v-vdev-tree tbody tr").nth(2).click()
    vdev = f"mirror-0/{EVIL}"
    drawn(page, "p-pool-io", vdev)
    assert series(page, "p-pool-io") == [f"{EVIL}/read", f"{EVIL}/write"]
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["pool"], asked["vdev"]) == (["mail"], [vdev])
    page.wait_for_function(f"() => zs.debug.panel('p-vdev-busy').series.join() === {EVIL!r}")
    assert vdev in page.locator("#zs-vdev-said").inner_text()
    assert page.locator("#v-vdev-tree tr[aria-current]").count() == 1
    # the address alone brings the same picture
    other = open_page("/pools/a?" + urlsplit(page.url).query, "p-pool-io")
    drawn(other, "p-pool-io", vdev)
    page.go_back()
    page.wait_for_function("() => zs.debug.panel('p-pool-io').series.includes('mirror-0/read')")
    assert page.evaluate("() => window.stays") == 1  # never laid anew
    assert page.locator("#v-vdev-tree tr[aria-current]").count() == 0


def test_the_tree_is_chosen_from_by_keys_and_kept_as_a_file(open_page):
    page = open_page("/pools/a", "p-pool-io")
    page.locator("#v-vdev-tree tbody tr").nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    drawn(page, "p-pool-io", "mirror-0")
    assert "mirror-0" in page.locator("#zs-vdev-said").inner_text()
    page.get_by_role("button", name="all vdevs").click()
    page.wait_for_function("() => !zs.panels.get('p-pool-io').query.vdev")
    page.locator(".zs-table-panel").first.hover()
    with page.expect_download() as download:
        page.locator("[data-save-table='v-vdev-tree']").click()
    text = Path(download.value.path()).read_text()
    assert text.splitlines()[0].startswith('"pool, vdev",state,read_errors')
    assert f"{EVIL},faulted,7" in text


def test_the_arc_page_has_its_verdict_and_draws(open_page):
    page = open_page("/arc/a", "p-arc")
    said = page.locator(".zs-arc-said")
    said.first.wait_for()
    text = said.first.inner_text().replace("\u2009", " ")
    assert text.strip().startswith("Starved, memory is short: 40 % of 100 misses a second would have hit a larger ARC")
    assert said.first.get_attribute("data-state") == "warn"
    page.wait_for_function("() => zs.debug.panel('p-arc-lists').series.join() === 'mru_size,mfu_size'")
    assert page.locator("#p-arc-content .zs-empty").inner_text().startswith("This release tells the size of its ARC")
    assert page.locator("#p-arc-l2-io").count() == 0
