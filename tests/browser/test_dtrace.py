"""The DTrace page over a simulated fleet, its collector and its dashboard: ask three hosts, light a key, look into a
cell, drill down twice, search a flame graph, stop, and nothing is left on a host."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.control import ask

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HOSTS = ["ma2", "ms2", "om1"]
HAS_DATA = "() => { const d = zs.debug.panel('p-dtrace-heat'); return d && d.geo && d.newest !== null; }"


class Demo:
    """A running `zonescope demo`: its URL, and how many commands run on each host's SSH server."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def sessions(self) -> dict[str, int]:
        return {name: h["sessions"] for name, h in ask(self.folder, "status")["hosts"].items()}


@pytest.fixture(scope="module")
def demo(chromium, tmp_path_factory) -> Iterator[Demo]:
    folder: Path = tmp_path_factory.mktemp("demo")
    command = [
        sys.executable,
        "-m",
        "zonescope",
        "demo",
        "--no-open",
        "--no-past",
        "--port",
        "0",
        "--folder",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.stdout
            lines = iter(process.stdout.readline, "")
            url = next(line.split()[1] for line in lines if line.startswith("zonescope: http"))
            yield Demo(folder, url.rstrip("/"))
        finally:
            process.terminate()


def wait_for(truth: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.fixture
def open_page(chromium, demo):
    contexts, errors = [], []

    def opened(search: str, **how):
        context = chromium.new_context(viewport={"width": 1500, "height": 1000}, color_scheme="light", **how)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.goto(f"{demo.url}/dtrace{search}")
        page.wait_for_selector(".zs-dtrace-host", timeout=60000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="module")
def quiet(demo) -> dict[str, int]:
    """Commands on each host once every source runs and no question is asked."""
    seen: list[dict[str, int]] = []

    def settled() -> bool:
        seen.append(demo.sessions())
        return len(seen) > 30 and min(seen[-1].values()) > 3 and all(s == seen[-1] for s in seen[-30:])

    wait_for(settled, f"sources did not settle: {seen[-3:]}", 120)
    return seen[-1]


def title(page) -> str:
    return page.locator("#zs-title h1").inner_text()


def state(page) -> str:
    return page.locator(".zs-dtrace-state").inner_text()


def rows(page):
    return page.locator(".zs-dtrace-keys tbody tr")


def count(text: str) -> int:
    return int("".join(c for c in text if c.isdigit()))


def settle(page, words: str) -> None:
    page.wait_for_function(
        "(w) => document.querySelector('.zs-dtrace-state').innerText.startsWith(w)", arg=words, timeout=60000
    )


def test_three_hosts_answer_two_drill_downs_follow_and_stop_leaves_no_process(open_page, demo, quiet) -> None:
    page = open_page(f"?q=disk_io/by=zone,latency&hosts={','.join(HOSTS)}")
    assert title(page) == "disk I/O broken down by zone and latency"
    assert state(page) == "Not running"
    page.locator(".zs-dtrace-go").click()
    page.wait_for_function(HAS_DATA, timeout=60000)
    settle(page, "Running on 3 hosts")
    assert page.locator(".zs-dtrace-go").inner_text() == "Stop"
    assert all(demo.sessions()[h] > quiet[h] for h in HOSTS)
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 3")

    # Two levels down: of the global zone by operation, of its writes by device.
    page.locator("tr[data-id=global]").click(button="right")
    page.locator(".zs-dtrace-menu .zs-item", has_text="operation").first.click()
    page.wait_for_function("() => document.querySelector('h1').innerText.includes('of zone global')")
    assert title(page) == "disk I/O of zone global broken down by operation and latency"
    assert "where=zone=global" in page.url
    page.wait_for_selector("tr[data-id=write]", timeout=60000)
    page.locator("tr[data-id=write] .zs-dtrace-drill").click()
    page.locator(".zs-dtrace-menu .zs-item", has_text="device").first.click()
    page.wait_for_function("() => document.querySelector('h1').innerText.includes('operation write')")
    settle(page, "Running on 3 hosts")
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 10", timeout=60000)
    assert {rows(page).nth(i).locator("td.zs-name").nth(0).inner_text() for i in range(10)} <= set(HOSTS)
    chips = [c.split() for c in page.locator(".zs-dtrace-chip").all_inner_texts()]
    assert chips == [["zone", "is", "global"], ["operation", "is", "write"]]

    page.locator(".zs-dtrace-go").click()
    settle(page, "Not running")
    wait_for(lambda: demo.sessions() == quiet, f"left on the hosts: {demo.sessions()} against {quiet}")
    assert page.locator(".zs-dtrace-host", has_text="ended: stopped by page").count() == 3

    # The answer is kept, and Back shows the ones before.
    page.go_back()
    page.wait_for_function("() => document.querySelector('h1').innerText.includes('by operation')")
    page.wait_for_selector("tr[data-id=write]")
    page.go_back()
    page.wait_for_function("() => document.querySelector('h1').innerText.endsWith('by zone and latency')")
    page.wait_for_function(HAS_DATA)
    assert demo.sessions() == quiet, "looking back asks nobody"


def test_a_cell_says_who_was_in_it_and_a_lit_key_is_its_own_hue(open_page) -> None:
    page = open_page("?hosts=ms2")  # the standing question
    page.wait_for_function(HAS_DATA, timeout=60000)
    assert state(page) == "Always running on 1 host"
    assert page.locator(".zs-dtrace-go").is_hidden()
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 5")
    key = rows(page).nth(0).get_attribute("data-id")
    rows(page).nth(0).click()
    page.wait_for_function("() => zs.panels.get('p-dtrace-heat').heat.lit.length === 1")
    assert f"lit={key}" in page.url
    ramp = page.evaluate("() => [zs.ramp('heat'), zs.ramp('rest'), zs.ramp('key1'), zs.ramp('key2')].map(String)")
    assert len(set(ramp)) == 4
    colours = page.evaluate(
        "() => { const p = zs.panels.get('p-dtrace-heat'); const seen = new Set();"
        " for (const v of p.pixels) if (v) seen.add([v & 255, (v >> 8) & 255, (v >> 16) & 255].join());"
        " return ['rest', 'key1', 'heat'].map((n) => zs.ramp(n).filter((c) => seen.has(zs.rgb(c).join())).length); }"
    )
    assert colours[0] > 0
    assert colours[1] > 0
    assert colours[2] == 0, "the crowd is grey beside a lit key"
    rows(page).nth(1).click(modifiers=["Shift"])
    page.wait_for_function("() => zs.panels.get('p-dtrace-heat').heat.lit.length === 2")
    page.locator(".zs-dtrace-how button", has_text="Lit").first.click()
    page.wait_for_function(
        "() => { const p = zs.panels.get('p-dtrace-heat'); const seen = new Set();"
        " for (const v of p.pixels) if (v) seen.add([v & 255, (v >> 8) & 255, (v >> 16) & 255].join());"
        " return seen.size && !zs.ramp('rest').some((c) => seen.has(zs.rgb(c).join())); }"
    )
    page.locator(".zs-dtrace-how button", has_text="All").first.click()

    spot = """() => { const p = zs.panels.get('p-dtrace-heat'), r = p.plot.getBoundingClientRect();
      for (let back = 3.5; back < 30; back += 1) {
        const x = Math.round(r.left + p.px(p.newest() - back));  // a click has whole pixels
        for (let y = Math.round(r.top + p.geo.y + p.geo.h - 3); y > r.top + p.geo.y; y -= 4) {
          const c = zs.cellAt(p, p.tx(x - r.left), y - r.top);
          if (c && c.has && (WANTED ? c.count > 3 : !c.count)) return { x, y, count: c.count };
        }
      }
      return null; }"""
    for wanted in ("true", "false"):
        page.wait_for_function(spot.replace("WANTED", wanted))
    page.evaluate("() => zs.pause(true)")
    full = page.evaluate(spot.replace("WANTED", "true"))
    page.mouse.click(full["x"], full["y"])
    page.wait_for_function("() => document.querySelector('.zs-view-dtrace_keys h2').innerText === 'One bucket'")
    page.wait_for_function("() => zs.dtrace.keys.cell")
    shown = page.evaluate("() => zs.dtrace.keys")
    assert shown["sum"] == full["count"]
    assert sum(k["count"] for k in shown["keys"]) == full["count"]
    assert count(page.locator(".zs-dtrace-keys tfoot td.zs-n").first.inner_text()) == full["count"]
    empty = page.evaluate(spot.replace("WANTED", "false"))
    page.mouse.move(10, 500)
    page.mouse.click(empty["x"], empty["y"])
    page.wait_for_function("() => document.querySelector('.zs-view-dtrace_keys h2').innerText === 'Keys'")


def test_stacks_are_searched_zoomed_and_kept_in_the_address(open_page, demo, quiet) -> None:
    page = open_page("?q=oncpu_kernel&hosts=ms2,ma2")
    page.locator(".zs-dtrace-go").click()
    page.wait_for_selector(".zs-frame:nth-child(20)", timeout=60000)
    page.locator(".zs-flame-search").fill("^zfs`")
    page.wait_for_function("() => document.querySelector('.zs-flame-found').innerText.startsWith('matched')")
    assert page.locator(".zs-frame.zs-match").count() > 3
    found = page.evaluate(
        "() => { const sum = (f) => /^zfs`/i.test(f[0]) ? f[1] : f[3].reduce((n, c) => n + sum(c), 0);"
        " return [sum(zs.flame.data.tree) / zs.flame.data.tree[1], zs.flame.shown.matched]; }"
    )
    assert found[0] == pytest.approx(found[1])
    assert 0.1 < found[1] < 0.9
    siblings = page.evaluate("() => zs.flame.data.tree[3].map((c) => c[0])")
    assert siblings == sorted(siblings)
    page.locator(".zs-frame[aria-label^='imapd:']").click()
    page.wait_for_selector(".zs-ancestor")
    assert "fz=imapd" in page.url
    assert "fs=" in page.url
    width = page.evaluate(
        "() => document.querySelector(\".zs-frame[aria-label^='imapd:']\").getBoundingClientRect().width"
    )
    whole = page.evaluate("() => document.querySelector('.zs-flame').getBoundingClientRect().width")
    assert width == pytest.approx(whole, abs=3)
    again = open_page(page.url.partition("/dtrace")[2])
    again.wait_for_selector(".zs-ancestor")
    assert again.locator(".zs-flame-search").input_value() == "^zfs`"
    page.locator(".zs-flame-tools button", has_text="Reset zoom").click()
    page.wait_for_function("() => !document.querySelector('.zs-ancestor')")
    page.locator(".zs-flame-tools button", has_text="Compare").click()
    page.locator(".zs-dialog .zs-item", has_text="keep this window").click()
    page.wait_for_function("() => zs.flame.data.base && zs.flame.data.before > 0", timeout=30000)
    assert "base=" in page.url
    page.locator(".zs-dtrace-go").click()
    wait_for(lambda: demo.sessions() == quiet, "left on the hosts")


def test_a_page_that_nobody_looks_at_asks_for_nothing(open_page) -> None:
    page = open_page("?q=disk_io/by=zone,latency&hosts=ms2")
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.post_data or "") if r.url.endswith("/api/ask") else None)
    page.locator(".zs-dtrace-go").click()
    settle(page, "Running on 1 host")
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    wait_for(lambda: [s for s in sent if '"keep"' in s], "a page that is looked at keeps its run alive", 20)
    page.evaluate("() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); }")
    before = len(sent)
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    assert len(sent) == before
    page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    page.locator(".zs-dtrace-go").click()
    settle(page, "Not running")
