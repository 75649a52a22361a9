"""The DTrace page over a simulated fleet, its collector and its dashboard: ask three hosts, light a key, look into a
cell, drill down twice, search a flame graph, stop, and nothing is left on a host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.control import ask
from tests.sshd import wait_for

pytestmark = [pytest.mark.browser]

HOSTS = ["ma2", "ms2", "om1"]
HAS_DATA = "() => { const d = zs.debug.panel('p-dtrace-heat'); return d && d.geo && d.newest !== null; }"


class Demo:
    """A running `zonescope demo`: its URL, and how many D programs run on each of its hosts."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def programs(self) -> dict[str, int]:
        return {name: h["programs"] for name, h in ask(self.folder, "status")["hosts"].items()}


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
    """D programs on each host while no question is asked: the standing one."""
    expected = {name: int(name != "bk1") for name in demo.programs()}  # bk1 is Linux without dtrace
    wait_for(lambda: demo.programs() == expected, "the standing question runs on every host", 120)
    return expected


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
    assert all(demo.programs()[h] == quiet[h] + 1 for h in HOSTS)
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 3")

    # Two levels down: of the global zone by operation, of its writes by device.
    page.locator("tr[data-id=global]").click(button="right")
    page.locator(".zs-dtrace-menu .zs-item", has_text="operation").first.click()
    page.wait_for_function("() => document.querySelector('h1').innerText.includes('of zone global')")
    assert title(page) == "disk I/O of zone global broken down by operation and latency"
    assert "where=zone=global" in page.url
    # A new graph: the one it comes from stays over it, runs on, and has the key lit.
    above = page.locator("#p-dtrace-up-1")
    page.wait_for_function(
        "() => { const p = zs.panels.get('p-dtrace-up-1'); return p.heat && p.heat.lit.length === 1; }"
    )
    assert above.locator(".zs-dtrace-open").inner_text() == "disk I/O broken down by zone and latency"
    assert above.locator(".zs-panel-sub").inner_text() == "the graph below is its global"
    page.wait_for_selector("tr[data-id=write]", timeout=60000)
    page.locator("tr[data-id=write] .zs-dtrace-drill").click()
    page.locator(".zs-dtrace-menu .zs-item", has_text="device").first.click()
    page.wait_for_function("() => document.querySelector('h1').innerText.includes('operation write')")
    settle(page, "Running on 3 hosts")
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 10", timeout=60000)
    assert {rows(page).nth(i).locator("td.zs-name").nth(0).inner_text() for i in range(10)} <= set(HOSTS)
    chips = [c.split() for c in page.locator(".zs-dtrace-chip").all_inner_texts()]
    assert chips == [["zone", "is", "global"], ["operation", "is", "write"]]

    page.wait_for_function("() => zs.dtrace.head.up.length === 2 && zs.dtrace.head.up.every((u) => u.requests.length)")
    assert page.locator(".zs-dtrace-up.zs-shown").count() == 2
    # What stops and closes a graph is never pushed out of it by a long sentence.
    inside = """() => [...document.querySelectorAll('.zs-dtrace-up.zs-shown')].every((p) => {
      const box = p.getBoundingClientRect();
      return [...p.querySelectorAll('.zs-dtrace-upper button:not([hidden]), .zs-panel-source')].every((b) => {
        const r = b.getBoundingClientRect();
        return r.width > 0 && r.left >= box.left && r.right <= box.right;
      });
    })"""
    for width in (1500, 1280, 1000):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate(inside), width
    page.set_viewport_size({"width": 1500, "height": 1000})

    # What was asked of each host, and of whom.
    page.locator(".zs-dtrace-program").click()
    page.wait_for_selector(".zs-dtrace-text")
    texts = page.locator(".zs-dtrace-text").all_inner_texts()
    assert all("io:::done" in t and '== "global"' in t for t in texts)
    heads = page.locator(".zs-dtrace-programs h3").all_inner_texts()
    assert sorted(s.split(",")[0] for s in heads) == HOSTS, "hosts with the same program share it"
    page.keyboard.press("Escape")
    assert "asked by page at" in page.locator(".zs-dtrace-host").first.inner_text()

    # Stop ends this graph's question and those of the graphs over it.
    page.locator(".zs-dtrace-go").click()
    settle(page, "Not running")
    wait_for(lambda: demo.programs() == quiet, "left on the hosts", 60)
    assert page.locator(".zs-dtrace-host", has_text="ended: stopped by page").count() == 3

    # The answer is kept, and Back shows the ones before.
    page.go_back()
    page.wait_for_function("() => document.querySelector('h1').innerText.includes('by operation')")
    page.wait_for_selector("tr[data-id=write]")
    assert page.locator(".zs-dtrace-up.zs-shown").count() == 1
    page.go_back()
    page.wait_for_function("() => document.querySelector('h1').innerText.endsWith('by zone and latency')")
    page.wait_for_function(HAS_DATA)
    assert demo.programs() == quiet, "looking back asks nobody"


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
        " return [zs.ramp('rest'), zs.shares('key1').flat(), zs.ramp('heat')]"
        ".map((cs) => cs.filter((c) => seen.has(zs.rgb(c).join())).length); }"
    )
    assert colours[0] > 0
    assert colours[1] > 0
    assert colours[2] == 0, "the crowd is grey beside a lit key"
    rows(page).nth(1).click(modifiers=["Shift"])
    page.wait_for_function("() => zs.panels.get('p-dtrace-heat').heat.lit.length === 2")
    assert page.evaluate("() => String(getSelection())") == "", "Shift lights a key and marks no text"
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

    # Another range has no bucket chosen; Back brings back the one that was.
    page.mouse.move(10, 500)
    page.mouse.click(full["x"], full["y"])
    page.wait_for_function("() => document.querySelector('.zs-view-dtrace_keys h2').innerText === 'One bucket'")
    address, cell = page.url, page.evaluate("() => zs.dtrace.cell")
    page.evaluate("() => { const [a, b] = zs.range(); zs.setRange(b - 60, b - 5); }")
    page.wait_for_function("() => document.querySelector('.zs-view-dtrace_keys h2').innerText === 'Keys'")
    page.go_back()
    page.wait_for_function("() => document.querySelector('.zs-view-dtrace_keys h2').innerText === 'One bucket'")
    assert page.evaluate("() => zs.dtrace.cell") == pytest.approx(cell)
    assert page.url == address


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
    # Two clicks on the map of where in each second samples fell, in any order, choose the seconds that are shown.
    ends = """() => { const p = zs.panels.get('p-dtrace-heat'); if (!p.heat || !p.geo || !p.newest()) return null;
      const r = p.plot.getBoundingClientRect(), i = Math.round((p.newest() - p.start) / p.step) - 2;
      if (i < 2 || !p.has(i) || !p.has(i - 2)) return null;
      const at = (k) => [r.left + p.px(p.start + (k + 0.5) * p.step), p.start + k * p.step];
      return [at(i), at(i - 2), r.top + p.geo.y + p.geo.h / 2]; }"""
    page.wait_for_function(ends, timeout=60000)
    page.evaluate("() => zs.pause(true)")
    (late, t1), (early, t0), y = page.evaluate(ends)
    page.mouse.click(late, y)
    page.mouse.click(early, y)
    page.wait_for_function("() => zs.flame.data.range && zs.flame.data.total > 0", timeout=30000)
    assert page.evaluate("() => zs.dtrace.range") == [t0, t1 + 1]
    assert "fr=" in page.url
    page.mouse.click(late, y)
    page.wait_for_function("() => !zs.flame.data.range", timeout=30000)
    page.evaluate("() => zs.goLive()")
    page.locator(".zs-flame-tools button", has_text="Reset zoom").click()
    page.wait_for_function("() => !document.querySelector('.zs-ancestor')")
    page.locator(".zs-flame-tools button", has_text="Compare").click()
    page.locator(".zs-dialog .zs-item", has_text="keep this window").click()
    page.wait_for_function("() => zs.flame.data.base && zs.flame.data.before > 0", timeout=30000)
    assert "base=" in page.url
    page.locator(".zs-dtrace-go").click()
    wait_for(lambda: demo.programs() == quiet, "left on the hosts", 60)


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


PIXELS = """() => { const seen = new Set();
  const px = zs.panels.get('p-dtrace-heat').pixels;
  for (const v of px) if (v) seen.add([v & 255, (v >> 8) & 255, (v >> 16) & 255].join());
  const has = (name) => zs.shares(name).flat().some((c) => seen.has(zs.rgb(c).join()));
  return ['key1', 'key2', 'key3', 'key4'].filter(has).length; }"""


def test_the_tools_change_the_picture_and_the_address_reopens_it(open_page) -> None:
    page = open_page("?hosts=ms2")
    page.wait_for_function(HAS_DATA, timeout=60000)
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 8")
    # Some seconds to choose from, and a picture that stands still under the tools.
    page.wait_for_function(
        "() => { const p = zs.panels.get('p-dtrace-heat'); let n = 0;"
        " for (let i = 0; i < p.n; i++) n += p.has(i); return n >= 20; }",
        timeout=60000,
    )
    page.evaluate("() => zs.pause(true)")
    tools = page.locator("#zs-dtrace-tools")
    assert all(b.get_attribute("title") for b in tools.locator("button").all())

    # Crop steps through the shares removed, and the tooltip names the one that rules.
    crop = tools.locator("button", has_text="Crop")
    seen = []
    for _ in range(3):
        crop.click()
        page.wait_for_function("(n) => zs.state.y['p-dtrace-heat'] && (n || true)", arg=len(seen))
        seen.append((crop.inner_text(), page.evaluate("() => zs.state.y['p-dtrace-heat'][1]")))
    assert [name.split(": ")[1].replace("\u2009", " ") for name, _ in seen] == ["none", "0.1 %", "1 %"]
    assert seen[0][1] >= seen[1][1] >= seen[2][1]
    assert seen[0][1] > seen[2][1]
    assert "1\u2009% cropped" in crop.get_attribute("title")
    crop.click(modifiers=["Shift"])
    assert "0.1" in crop.inner_text()
    over = page.evaluate("() => { const p = zs.panels.get('p-dtrace-heat'); return p.cells.over < p.heat.rows; }")
    assert over, "what is cropped has a row of its own"

    # A list of rows zooms to those that are chosen.
    tools.locator("button", has_text="Rows").click()
    rows_ = page.locator(".zs-dtrace-rows button")
    page.locator(".zs-dtrace-rows button[data-row='52']").click()
    page.locator(".zs-dtrace-rows button[data-row='55']").click(modifiers=["Shift"])
    assert rows_.locator("xpath=self::*[@aria-selected='true']").count() == 4
    page.locator(".zs-dialog button", has_text="Crop to these").click()
    low, high = page.evaluate("() => zs.state.y['p-dtrace-heat']")
    bounds = page.evaluate("() => zs.panels.get('p-dtrace-heat').heat.bounds")
    assert (low, high) == (pytest.approx(bounds[52]), pytest.approx(bounds[56]))

    # Rainbow: every key a hue.
    tools.locator("button", has_text="Rainbow").click()
    page.wait_for_function("() => zs.panels.get('p-dtrace-heat').heat.lit.length === 8")
    page.wait_for_function(PIXELS.replace("return [", "return 2 < ["))
    assert len(set(page.evaluate("() => [1,2,3,4,5,6,7,8].map((n) => zs.ramp('key' + n)[3])"))) == 8

    # The least and the most are pinned.
    tools.locator("button", has_text="Max").click()
    page.wait_for_function("() => zs.state.pin !== null")
    peak = page.evaluate("() => zs.state.pin")
    tools.locator("button", has_text="Max").click(modifiers=["Shift"])
    assert page.evaluate("() => zs.state.pin") != peak

    page.locator(".zs-dtrace-how button", has_text="Lit only").click()
    page.locator(".zs-dtrace-how button", has_text="Square root").click()
    tools.locator("button", has_text="Save").click()
    state_ = (
        "() => JSON.stringify([zs.dtrace.q, zs.dtrace.lit, zs.state.y['p-dtrace-heat'].map((v) => v.toPrecision(4)),"
        " zs.state.sel, zs.state.pin])"
    )
    again = open_page(page.url.partition("/dtrace")[2])
    again.wait_for_function(
        "() => zs.panels.get('p-dtrace-heat').heat && zs.panels.get('p-dtrace-heat').heat.lit.length === 8"
    )
    assert again.evaluate(state_) == page.evaluate(state_)
    page.locator(".zs-dtrace-metric").click()
    assert page.locator(".zs-dtrace-menu h3").first.inner_text() == "Saved"


def test_time_that_nobody_asked_about_is_no_gap_and_silence_is_told(open_page) -> None:
    page = open_page("?q=syscalls/by=zone,latency&hosts=om1")
    go = page.locator(".zs-dtrace-go")
    for turn in range(2):
        go.click()
        page.wait_for_function(
            "(after) => { const p = zs.panels.get('p-dtrace-heat'); return p.newest() > after; }",
            arg=0 if not turn else page.evaluate("() => zs.panels.get('p-dtrace-heat').newest()"),
            timeout=60000,
        )
        settle(page, "Running on 1 host")
        if not turn:
            go.click()
            settle(page, "Not running")
            page.wait_for_timeout(7000)  # long enough to be a hole
    page.wait_for_function("() => zs.panels.get('p-dtrace-heat').idle.length === 1", timeout=30000)
    assert page.evaluate("() => zs.panels.get('p-dtrace-heat').gapList.length") == 0, "nothing was lost"
    go.click()
    settle(page, "Not running")

    page.goto(page.url.split("?")[0] + "?q=disk_io/by=zone,latency/where=zone=nowhere&hosts=om1")
    page.wait_for_selector(".zs-dtrace-host", timeout=60000)
    page.locator(".zs-dtrace-go").click()
    settle(page, "Running on 1 host")
    page.wait_for_function("() => zs.panels.get('p-dtrace-heat').newest() !== null", timeout=60000)
    assert page.evaluate("() => zs.panels.get('p-dtrace-heat').litScales[0]") == 0
    assert page.locator("#p-dtrace-heat .zs-empty").count() == 0, "asked and nothing happened is no empty panel"
    page.locator(".zs-dtrace-go").click()
    settle(page, "Not running")


def test_a_host_that_may_not_be_asked_says_what_to_do_and_counted_maps_need_no_start(open_page) -> None:
    page = open_page("?q=syscalls/by=zone,latency&hosts=bk1")
    page.wait_for_selector("#p-dtrace-heat .zs-empty")
    page.locator(".zs-dtrace-go").click()
    page.wait_for_function(
        "() => document.querySelector('#p-dtrace-heat .zs-empty').innerText.includes('not allowed on bk1')",
        timeout=30000,
    )
    assert 'dtrace = ["syscalls"]' in page.locator("#p-dtrace-heat .zs-empty").inner_text()
    page = open_page("?q=disk_busy&hosts=bk1,ms2")
    page.wait_for_function(HAS_DATA, timeout=60000)
    assert title(page) == "disks broken down by utilisation"
    assert page.locator(".zs-dtrace-go").is_hidden()
    page.wait_for_function(
        "() => document.querySelector('#p-dtrace-heat .zs-panel-source').innerText.startsWith('kstat')"
    )


def test_an_address_that_asks_nothing_shows_what_always_runs_and_says_so(open_page) -> None:
    page = open_page("?q=nonsense/by=x&hosts=ms2&lit=a")
    page.wait_for_function("() => document.querySelector('.zs-dtrace-metric')", timeout=30000)
    page.wait_for_function("() => document.body.innerText.includes(\"no metric 'nonsense'\")")
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 3", timeout=60000)
    assert title(page) == "disk I/O broken down by device and latency"
    problem = page.locator(".zs-dtrace-problem")
    assert problem.is_visible(), "until it is read"
    problem.locator("button").click()
    assert problem.count() == 0
    assert "q=disk_io/by=device,latency" in page.url
    assert "lit=" not in page.url
    # Its keys sorted by p99: the slowest on top, and the address says so.
    slowest = (
        "() => { const k = zs.dtrace.keys.keys.map((x) => x.p99); return k.every((v, i) => !i || v <= k[i - 1]); }"
    )
    page.locator(".zs-dtrace-keys th button", has_text="p99").click()
    page.wait_for_function(slowest)
    assert "sort=p99" in page.url
    # What no page ever wrote into an address is taken as it stands.
    odd = open_page("?hosts=ms2,ms5&lit=%25&up=%25|%25&cell=1,2&every=-3&lines=x&yscale=x&y.p-dtrace-heat=nan,nan")
    odd.wait_for_function(HAS_DATA, timeout=60000)
    assert odd.evaluate("() => zs.dtrace.lit") == ["%"]
    assert "no host is called so" in odd.locator(".zs-dtrace-host", has_text="ms5").inner_text()


def test_keys_of_a_hostile_host_are_text(open_page) -> None:
    page = open_page("?hosts=ms2")
    page.wait_for_function("() => document.querySelectorAll('.zs-dtrace-keys tbody tr').length > 3")
    page.evaluate("() => zs.pause(true)")
    hostile = [
        "<script>window.pwned = 1</script>",
        "<img src=x onerror='window.pwned = 1'>",
        "\u202etxet",
        "\"'&",
        "x" * 5000,
    ]
    page.evaluate(
        """(values) => { const d = { ...zs.dtrace.keys, fields: ['device'], more: 0 };
          d.keys = values.map((v) => ({ id: v, values: [v], count: 1, share: 0.2, p99: 0.001 }));
          zs.views.get('v-dtrace-keys').name = 'held'; zs.renderers.dtrace_keys(zs.dtrace.keysEl, d); }""",
        hostile,
    )
    shown = page.locator(".zs-dtrace-keys tbody tr td.zs-name").all_inner_texts()
    assert shown[:4] == hostile[:4]
    assert len(shown[4]) == 201
    wide = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    for i in range(4):
        rows(page).nth(i).click(modifiers=["Shift"])
    rows(page).nth(0).locator(".zs-dtrace-drill").click()
    assert "<script>" in page.locator(".zs-dtrace-menu h3").inner_text()
    page.keyboard.press("Escape")
    again = open_page(page.url.partition("/dtrace")[2])
    assert again.evaluate("() => zs.dtrace.lit") == page.evaluate("() => zs.dtrace.lit")
    assert page.evaluate("() => window.pwned") is None
    assert again.evaluate("() => window.pwned") is None
