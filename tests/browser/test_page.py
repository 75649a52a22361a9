"""The live page as a person meets it: what moves, what stays, what is said."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = [pytest.mark.browser]


def panel(page, id):
    return page.evaluate("(id) => zs.debug.panel(id)", id)


def state(page):
    return page.evaluate("() => zs.debug.state()")


def refreshes(page, n):
    page.wait_for_function(f"(t) => zs.link.ticks >= t + {n}", arg=state(page)["ticks"], timeout=60000)


def box(page, id):
    """The plot in page coordinates: x, y, width, height."""
    page.locator(f"#{id}").scroll_into_view_if_needed()
    return page.evaluate(
        """(id) => { const p = zs.panels.get(id), r = p.plot.getBoundingClientRect();
        return [r.left + p.geo.x, r.top + p.geo.y, p.geo.w, p.geo.h]; }""",
        id,
    )


def drag(page, a, b):
    page.mouse.move(*a)
    page.mouse.down()
    page.mouse.move((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    page.mouse.move(*b)
    page.mouse.up()


def test_panels_move_and_the_newest_second_is_young(site):
    page = site.open("?from=now-5m&to=now")
    before = panel(page, "p-h-many")
    page.wait_for_function(
        "([id, t]) => zs.debug.panel(id).newest >= t + 2", arg=["p-h-many", before["newest"]], timeout=20000
    )
    page.wait_for_function("(id) => zs.now() - zs.debug.panel(id).newest < 2", arg="p-h-many", timeout=20000)
    after = panel(page, "p-h-many")
    assert after["drawn"]["to"] > before["drawn"]["to"]
    # what is drawn is what the harness computes for that second: ticks and a new fill agree
    live = dict(zip(after["times"], after["values"][0], strict=True))
    page.evaluate("() => { window.fillsBefore = zs.link.fills; zs.rewatch(true); }")
    page.wait_for_function("() => zs.link.fills >= window.fillsBefore + 16")
    filled = panel(page, "p-h-many")
    again = dict(zip(filled["times"], filled["values"][0], strict=True))
    shared = [t for t in live if t in again and live[t] is not None and t < after["newest"] - 2]
    assert len(shared) > 60
    assert all(live[t] == again[t] for t in shared)


def test_selection_scroll_y_zoom_and_an_open_menu_survive_ten_refreshes(site):
    page = site.open()
    row = page.locator("#p-h-many .zs-legend tr[data-id='d9']")
    row.click()
    x, y, w, h = box(page, "p-h-mirror")
    page.keyboard.down("Shift")
    drag(page, (x + w / 2, y + h * 0.2), (x + w / 2, y + h * 0.5))
    page.keyboard.up("Shift")
    zoomed = panel(page, "p-h-mirror")["y"][:2]
    page.evaluate("() => { document.querySelector('#p-h-many .zs-legend').scrollTop = 60; window.scrollTo(0, 120); }")
    legend = page.evaluate("() => document.querySelector('#p-h-many .zs-legend').scrollTop")
    assert legend > 0
    page.mouse.move(5, 5)
    page.locator("#zs-range").click()
    page.locator(".zs-range-menu input").fill("half a ra")
    scroll = page.evaluate("() => window.scrollY")
    refreshes(page, 10)
    assert page.locator(".zs-range-menu input").input_value() == "half a ra"
    assert panel(page, "p-h-many")["selected"] == ["d9"]
    assert row.get_attribute("aria-pressed") == "true"
    assert panel(page, "p-h-mirror")["y"][:2] == pytest.approx(zoomed)
    assert page.evaluate("() => document.querySelector('#p-h-many .zs-legend').scrollTop") == legend
    assert page.evaluate("() => window.scrollY") == scroll
    assert state(page)["mode"] == "live"
    # and the address alone brings the same picture back
    query = page.url.split("?")[1]
    other = site.open("?" + query)
    other.wait_for_function("() => zs.debug.panel('p-h-many').selected.length === 1")
    assert panel(other, "p-h-mirror")["y"][:2] == pytest.approx(zoomed, rel=1e-3)


def sampled(page, id, share):
    """A place near `share` of the panel's width that is in none of the harness's gaps, nor will soon be."""
    d = panel(page, id)
    first, last = d["drawn"]["from"], d["drawn"]["to"]
    while any(a - 5 <= first + (last - first) * share <= b + 15 for a, b in d["gaps"]):
        share -= 0.02
    return share


def test_hovering_holds_the_panel_and_its_tooltip_while_data_arrive(site):
    page = site.open()
    x, y, w, h = box(page, "p-h-mirror")
    page.mouse.move(x + w * sampled(page, "p-h-mirror", 0.6), y + h / 2)
    page.locator(".zs-tip").wait_for(state="visible")
    page.wait_for_timeout(300)
    before, tip = panel(page, "p-h-mirror"), page.locator(".zs-tip").inner_text()
    assert "raidz2-0 read" in tip
    refreshes(page, 10)
    after = panel(page, "p-h-mirror")
    assert page.locator(".zs-tip").inner_text() == tip
    assert after["drawn"] == before["drawn"]
    assert after["newest"] >= before["newest"] + 8
    page.mouse.move(5, 5)
    page.wait_for_function("(to) => zs.debug.panel('p-h-mirror').drawn.to > to", arg=before["drawn"]["to"])
    assert not page.locator(".zs-tip").is_visible()


def test_drag_zooms_the_page_and_back_restores_the_range(site):
    page = site.open()
    x, y, w, _ = box(page, "p-h-mirror")
    drawn = panel(page, "p-h-mirror")["drawn"]
    drag(page, (x + 3, y + 20), (x + 6, y + 20))
    assert state(page)["mode"] == "live", "under five pixels is no drag"
    page.keyboard.press("Escape")
    drag(page, (x + w * 0.25, y + 30), (x + w * 0.5, y + 30))
    page.wait_for_function("() => zs.mode() === 'history'")
    q = parse_qs(urlsplit(page.url).query)
    a, b = float(q["from"][0]) / 1000, float(q["to"][0]) / 1000
    span = drawn["to"] - drawn["from"]
    assert b - a == pytest.approx(span / 4, rel=0.05)
    assert a == pytest.approx(drawn["from"] + span / 4, abs=6)
    page.wait_for_function("(a) => Math.abs(zs.debug.panel('p-h-heat').drawn.from - a) < 1", arg=a)
    page.wait_for_function("() => zs.debug.panel('p-h-heat').step <= 1")
    assert page.locator("#zs-live .zs-live-word").inner_text() == "HISTORY"
    page.evaluate("() => { window.mark = document.getElementById('p-h-heat'); }")
    page.go_back()
    page.wait_for_function("() => zs.mode() === 'live'")
    assert page.evaluate("() => [zs.state.from, zs.state.to]") == ["now-15m", "now"]
    assert page.evaluate("() => window.mark === document.getElementById('p-h-heat')"), "the page was laid anew"
    page.go_forward()
    page.wait_for_function("() => zs.mode() === 'history'")
    page.locator("#zs-live").click()
    page.wait_for_function("() => zs.mode() === 'live'")


def test_a_gap_is_drawn_as_a_hatch_and_never_bridged(site):
    page = site.open("?from=now-10m&to=now")
    d = panel(page, "p-h-many")
    now = state(page)["now"]
    whole = [g for g in d["gaps"] if g[1] < now - 30 and g[0] > d["drawn"]["from"] + 30]
    assert whole
    for a, b in whole:
        assert a % 300 <= d["step"]
        assert b - a == pytest.approx(20, abs=2 * d["step"])
    # pixels of the gap's middle column: hatch and panel only, no line's colour
    found = page.evaluate(
        """([a, b]) => {
        const p = zs.panels.get('p-h-mirror'), dpr = devicePixelRatio;
        const w = Math.round((p.px(b) - p.px(a) - 4) * dpr);
        const [y, h] = [Math.round(p.geo.y * dpr), Math.round(p.geo.h * dpr)];
        const at = (x) => p.ctx.getImageData(Math.round(x * dpr), y, w, h).data;
        const hues = (d) => { let inked = 0, coloured = 0;
          for (let i = 0; i < d.length; i += 4) { if (d[i + 3] > 120) { inked++;
            if (Math.max(d[i], d[i+1], d[i+2]) - Math.min(d[i], d[i+1], d[i+2]) > 60) coloured++; } }
          return [inked, coloured]; };
        return [hues(at(p.px(a) + 2)), hues(at(p.px(b) + 20))];
      }""",
        whole[-1],
    )
    (hatch, lines_in_gap), (_, lines_beside) = found
    assert hatch > 100
    assert lines_in_gap == 0
    assert lines_beside > 20


def test_stale_ends_early_and_says_so(site):
    page = site.open("?from=now-5m&to=now")
    page.wait_for_function(
        "() => { const d = zs.debug.panel('p-h-stale'); return d.staleFrom !== null && d.drawn; }", timeout=130000
    )
    d = panel(page, "p-h-stale")
    assert d["newest"] <= d["staleFrom"] + d["step"]
    assert page.locator("#p-h-stale .zs-legend td.zs-col-last").inner_text() == "–"


def test_old_values_step_back_and_say_of_when_they_are(site):
    page = site.open("?from=now-5m&to=now")
    page.wait_for_function(
        "() => zs.panels.get('p-h-stale').old() && zs.panels.get('p-h-stale').visible", timeout=130000
    )
    page.wait_for_selector("#p-h-stale.zs-old .zs-panel-old")
    said = page.locator("#p-h-stale .zs-panel-old").inner_text()
    assert said == f"values are of {page.evaluate('() => zs.hms(zs.panels.get(`p-h-stale`).old())')}"
    assert page.locator("#p-h-many .zs-panel-old").count() == 0
    # of the past they are neither old nor new
    page.evaluate("() => { const p = zs.panels.get('p-h-stale'), t = p.old(); zs.setRange(t - 60, t); }")
    page.wait_for_function("() => !document.querySelector('.zs-panel-old')")


def test_words_on_a_plot_never_touch(site):
    page = site.open()
    found = page.evaluate("""() => {
      const p = [...zs.panels.values()].find((q) => q.top), now = zs.now(), out = [];
      for (const gap of [0.1, 1, 4, 20, 60]) {
        p.events = Array.from({ length: 12 }, (_, i) => ({ time: now - 30 - i * gap, until: null, host: "ms2",
          kind: "link", severity: ["info", "bad", "warn"][i % 3], text: `event ${i} in words`.repeat(1 + (i % 6)) }));
        p.paint();
        const w = p.words;
        for (let i = 0; i < w.length; i++) for (let k = 0; k < i; k++)
          if (Math.abs(w[i][2] - w[k][2]) < 13 && w[i][0] < w[k][1] && w[i][1] > w[k][0]) out.push([gap, w[i], w[k]]);
        if (w.some((r) => r[0] < p.geo.x - 1 || r[1] > p.geo.x + p.geo.w + 1)) out.push([gap, "outside"]);
        if (!w.length) out.push([gap, "no words"]);
      }
      return out;
    }""")
    assert found == []


def test_an_event_of_another_host_is_not_on_a_panel(site):
    page = site.open()
    seen = page.evaluate(
        """() => { const p = zs.panels.get('p-h-heat'), query = p.query;
        p.query = { ...query, host: ['ms2'] };
        const at = zs.now() - 10, of = (host) => ({ time: at, until: null, host, kind: 'link', text: `of ${host}` });
        zs.mergeEvents(p, ['ms2', 'ma1', ''].map(of));
        p.query = query;
        return p.events.filter((e) => e.time === at).map((e) => e.text); }"""
    )
    assert seen == ["of ms2", "of "]


def test_the_weightiest_of_events_at_once_has_the_flag(site):
    page = site.open()
    drawn = page.evaluate("""() => {
      const p = [...zs.panels.values()].find((q) => q.top), time = zs.now() - 40, said = [];
      const three = [["collector", "warn", "ended"], ["link", "bad", "link down"], ["collector", "info", "started"]];
      p.events = three.map(([kind, severity, text], i) => (
        { time: time + i / 10, until: null, host: "ms2", kind, severity, text: text.repeat(9) }));
      const halo = zs.halo;
      zs.halo = (ctx, s, ...rest) => (said.push(s), halo(ctx, s, ...rest));
      p.paint();
      zs.halo = halo;
      return said.filter((s) => /ended|down|started/.test(s));
    }""")
    assert drawn[0].startswith("link down")
    assert not any(s.startswith("started") for s in drawn)


def test_before_the_first_word_of_the_server_nothing_is_claimed(site):
    page = site.open(ready=False, script="window.WebSocket = class { close() {} };")
    page.wait_for_selector("#zs-live[data-state=connecting], #zs-live[data-state=lost]")
    assert "LIVE" not in page.locator("#zs-live").inner_text()
    assert page.locator(".zs-view .zs-loading").first.inner_text() == "Loading …"


def test_what_is_no_time_is_said_and_leaves_the_url(site):
    page = site.open("?from=garbage&to=now&tz=Nowhere/Land", ready=False)
    page.wait_for_selector(".zs-said")
    assert "garbage" in page.locator(".zs-said").first.inner_text()
    page.wait_for_function("() => !location.search.includes('garbage') && !location.search.includes('Nowhere')")


def test_axes_table_and_csv_are_in_the_zone_that_is_chosen(site):
    page = site.open()
    page.keyboard.press("Escape")
    page.click("[data-zs=range] >> visible=true")
    page.select_option("dialog select", "browser")
    page.keyboard.press("Escape")
    assert "tz=browser" in page.url
    page.evaluate("() => { zs.state.tz = 'Asia/Kathmandu'; zs.saveState(false); zs.emit('range'); }")
    page.wait_for_function("() => document.querySelector('.zs-tz').textContent === 'Asia/Kathmandu'")
    t = int(state(page)["now"]) // 60 * 60
    expected = page.evaluate(
        "(t) => new Intl.DateTimeFormat('en-GB', {timeZone: 'Asia/Kathmandu', hour: '2-digit', minute: '2-digit'})"
        ".format(new Date(t * 1000))",
        t,
    )
    assert page.evaluate("(t) => zs.hm(t)", t) == expected
    ticks = page.evaluate("() => zs.timeTicks(...zs.panels.get('p-h-many').win, 6)")
    assert all(label == page.evaluate("(t) => zs.hm(t)", at) for at, label in ticks if ":" in label)
    page.evaluate("() => zs.dataTable(zs.panels.get('p-h-many'))")
    head, first = page.evaluate(
        "() => [document.querySelector('.zs-data th').textContent, document.querySelector('.zs-data td').textContent]"
    )
    assert "Asia/Kathmandu" in head
    asked = page.evaluate(
        "() => { const a = HTMLAnchorElement.prototype; let h; const c = a.click;"
        "a.click = function () { h = this.href; }; zs.csv(zs.panels.get('p-h-many')); a.click = c; return h; }"
    )
    text = page.evaluate("async (u) => (await fetch(u)).text()", asked)
    assert text.splitlines()[0].startswith("time (Asia/Kathmandu)")
    assert "+05:45" in text.splitlines()[1]
    assert any(line.startswith(first.replace(" ", "T")) for line in text.splitlines())


def test_an_empty_panel_says_why_and_what_to_do(site):
    page = site.open()
    text = page.locator("#p-h-empty .zs-empty").inner_text()
    assert "dtrace_kernel" in text
    assert "usermod" in text


def test_isolate_toggle_and_all(site):
    page = site.open()
    rows = page.locator("#p-h-mirror .zs-legend tbody tr")
    all_ids = panel(page, "p-h-mirror")["series"]
    rows.nth(2).click()
    assert panel(page, "p-h-mirror")["selected"] == [all_ids[2]]
    rows.nth(4).click(modifiers=["Control"])
    assert panel(page, "p-h-mirror")["selected"] == [all_ids[2], all_ids[4]]
    rows.nth(4).click()
    rows.nth(4).click()
    assert panel(page, "p-h-mirror")["selected"] == all_ids
    assert "sel." not in page.url


def test_a_click_pins_the_instant_on_all_panels_and_escape_lets_go(site):
    page = site.open()
    x, y, w, h = box(page, "p-h-mirror")
    page.mouse.click(x + w * 0.7, y + h / 2)
    page.mouse.move(5, 5)
    pin = state(page)["pin"]
    d = panel(page, "p-h-mirror")["drawn"]
    assert pin == pytest.approx(d["from"] + 0.7 * (d["to"] - d["from"]), abs=8)
    inked = """() => ['p-h-mirror', 'p-h-heat', 'p-h-lanes'].map((id) => { const p = zs.panels.get(id);
      const d = p.octx.getImageData(0, 0, p.over.width, p.over.height).data; let n = 0;
      for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n; })"""
    page.wait_for_function(f"() => ({inked})().every((n) => n > 100)")
    assert f"at={round(pin * 1000)}" in page.url
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => ({inked})().every((n) => n === 0)")


def test_a_paused_window_keeps_its_columns_however_late_it_is_asked_of(site):
    page = site.open()
    page.evaluate("() => zs.setRange('now-30s', 'now')")
    whole = """() => { const p = zs.panels.get('p-h-heat'); if (!p.meta || !p.win) return false;
      const [a, b] = p.columns(); let n = 0; for (let i = a; i < b; i++) n += p.has(i); return n >= 28 && n; }"""
    page.wait_for_function(whole, timeout=60000)
    page.evaluate("() => zs.pause(true)")
    asked = page.evaluate("() => zs.watchRange()")
    page.wait_for_function("(t) => zs.now() > t / 1000 + 12", arg=int(asked["to"]), timeout=60000)
    fills = page.evaluate("() => { const n = zs.link.fills; zs.rewatch(true); return n; }")
    page.wait_for_function("(n) => zs.link.fills > n", arg=fills)
    page.wait_for_function(whole, timeout=10000)
    assert page.evaluate("() => zs.watchRange()") == asked
    page.evaluate("() => zs.pause(false)")
    refreshes(page, 2)
    page.wait_for_function(whole, timeout=60000)


def test_keys_act_but_not_while_typing(site):
    page = site.open()
    page.keyboard.press("Space")
    assert state(page)["mode"] == "paused"
    paused = panel(page, "p-h-heat")["drawn"]
    refreshes(page, 1)
    assert panel(page, "p-h-heat")["drawn"] == paused
    page.keyboard.press("Space")
    assert state(page)["mode"] == "live"
    page.keyboard.press("?")
    assert page.locator(".zs-keys").is_visible()
    page.keyboard.press("Escape")
    page.locator("#zs-range").click()
    page.locator(".zs-range-menu input").fill("")
    page.keyboard.type("t z ? 45m")
    assert page.locator(".zs-keys").count() == 0
    assert state(page)["mode"] == "live"
    page.locator(".zs-range-menu input").fill("45m")
    page.keyboard.press("Enter")
    page.wait_for_function("() => zs.state.from === 'now-45m'")
    said = page.evaluate(
        "() => ['1M', '2M', '1w', '1h', '30s'].map((x) => { zs.state.from = `now-${x}`; return zs.rangeText(); })"
    )
    assert [x.replace("\u2009", " ") for x in said] == [
        "Last 1 month",
        "Last 2 months",
        "Last 1 week",
        "Last 1 h",
        "Last 30 s",
    ]
    page.evaluate("() => (zs.state.from = 'now-45m')")
    page.keyboard.press("t")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => zs.mode() === 'history'")
    page.keyboard.press("Control+k")
    page.keyboard.type("pool i/o")
    assert page.locator(".zs-found button").count() == 1


def test_a_hidden_tab_stops_and_fills_when_it_is_shown_again(site):
    page = site.open(
        script="""(() => { let hidden = false;
        Object.defineProperty(document, 'hidden', { get: () => hidden });
        window.hide = (on) => { hidden = on; document.dispatchEvent(new Event('visibilitychange')); }; })()"""
    )
    page.evaluate("() => window.hide(true)")
    page.wait_for_timeout(1500)
    s = state(page)
    assert s["stopped"]
    drawn, drew = panel(page, "p-h-heat")["newest"], s["cost"]["drawn"]
    page.wait_for_timeout(3000)
    assert panel(page, "p-h-heat")["newest"] == drawn
    assert state(page)["cost"]["drawn"] == drew
    page.evaluate("() => window.hide(false)")
    page.wait_for_function("(t) => zs.debug.panel('p-h-heat').newest > t + 2", arg=drawn)


def test_a_lost_socket_is_said_and_refilled(site):
    page = site.open(
        script="""(() => { const Real = WebSocket; window.sockets = [];
        window.WebSocket = class extends Real {
          constructor(u) { super(u); if (String(u).includes('/live')) window.sockets.push(this); } }; })()"""
    )
    fills = state(page)["fills"]
    page.evaluate(
        """() => { window.words = [];
        zs.on('status', () => words.push(document.querySelector('#zs-live').dataset.state));
        sockets[sockets.length - 1].close(); }"""
    )
    page.wait_for_function("(n) => zs.link.how === 'live' && zs.link.fills >= n + 16", arg=fills)
    assert "lost" in page.evaluate("() => window.words")
    assert page.evaluate("() => window.sockets.length") == 2


def test_where_websockets_are_blocked_it_polls_and_says_so(site):
    page = site.open(script="window.WebSocket = class { constructor() { throw new Error('blocked'); } };", ready=False)
    page.wait_for_function("() => window.zs && zs.link.how === 'polling'", timeout=30000)
    page.wait_for_function("() => zs.debug.panel('p-h-heat') && zs.debug.panel('p-h-heat').drawn")
    first = panel(page, "p-h-heat")["newest"]
    page.wait_for_function("(t) => zs.debug.panel('p-h-heat').newest > t + 1", arg=first, timeout=20000)
    badge = page.locator("#zs-live").inner_text()
    assert "POLLING" in badge
    assert "WebSocket blocked" in badge


def test_text_of_hosts_is_never_html(site):
    page = site.open()
    evil = "<img src=x onerror='window.broken=1'><b>c3t0d0</b>"
    x, y, w, h = box(page, "p-h-mirror")
    page.evaluate(
        """(evil) => { for (const p of zs.panels.values()) { if (!p.meta) continue;
        for (const s of p.meta.series) { s.label = evil; s.group = s.group && p.kind === 'lanes' ? s.group : ''; }
        p.events = [{ time: zs.now() - 100, until: null, text: evil, severity: 'bad' }];
        p.el.dataset.title = evil; p.setEmpty(p.id === 'p-h-empty' ? evil : '', evil); zs.invalidate(p); } }""",
        evil,
    )
    page.wait_for_timeout(400)
    page.mouse.move(x + w * sampled(page, "p-h-mirror", 0.9), y + h / 2)
    page.locator(".zs-tip").wait_for(state="visible")
    assert evil in page.locator(".zs-tip").inner_text()
    assert evil in page.locator("#p-h-mirror .zs-legend").inner_text()
    page.keyboard.press("i")
    assert evil in page.locator(".zs-data-dialog").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    assert page.locator("img").count() == 0
    assert page.locator(".zs-tip b b, .zs-legend b, .zs-dialog b").count() == 0
    assert page.evaluate("() => window.broken") is None


def test_pixels_and_times_are_plotlys(site):
    """`_offset`, `_length` and `d2p` are undocumented: this is what pins the plotly in uv.lock."""
    page = site.open()
    page.keyboard.press("Space")  # what stands still has its time range from plotly too
    page.wait_for_function("() => zs.panels.get('p-h-mirror').axis.x === zs.panels.get('p-h-mirror').win.join()")
    found = page.evaluate(
        """() => { const p = zs.panels.get('p-h-mirror'), f = p.gd._fullLayout;
        const t = (p.win[0] + p.win[1]) / 2, v = (p.yr[0] + p.yr[1] * 3) / 4;
        return [p.px(t) - p.geo.x, f.xaxis.d2p(t * 1000), p.py(v) - p.geo.y, f.yaxis.d2p(v)]; }"""
    )
    assert found[0] == pytest.approx(found[1], abs=0.5)
    assert found[2] == pytest.approx(found[3], abs=0.5)
    labels = page.evaluate(
        """() => { const p = zs.panels.get('p-h-mirror'), box = p.plot.getBoundingClientRect();
        const at = [...p.gd.querySelectorAll('.ytick text')].map((e) => e.getBoundingClientRect());
        const ys = JSON.parse(p.axis.y).ticks.map((t) => p.py(t[0]));
        return at.map((r, i) => [(r.top + r.bottom) / 2 - box.top - ys[i], p.geo.x - (r.right - box.left)]); }"""
    )
    assert len(labels) >= 3
    for off, left in labels:
        assert abs(off) < 3, "a label stands at the height of its value"
        assert 0 <= left < 12, "labels end just left of where we draw"


def test_a_menu_offers_view_data_csv_and_link(site):
    page = site.open()
    page.locator("#p-h-mirror").hover()
    page.locator("#p-h-mirror .zs-panel-menu").click()
    words = page.locator(".zs-menu").inner_text()
    for word in ("View full", "Data table", "CSV", "Copy link"):
        assert word in words
    page.locator(".zs-menu button", has_text="Data table").click()
    head = page.locator(".zs-data th").all_inner_texts()
    assert head[0] == "time, UTC"
    assert len(head) == 7
    shown = page.locator(".zs-data tbody tr").count()
    d = panel(page, "p-h-mirror")
    inside = [
        t
        for t, v in zip(d["times"], d["values"][0], strict=True)
        if v is not None and t + d["step"] > d["drawn"]["from"]
    ]
    assert abs(shown - len(inside)) <= 3
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    assert page.evaluate("() => document.querySelector('.zs-full') !== null")
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.querySelector('.zs-full') === null")


@pytest.mark.parametrize("width", [390, 1000, 1600])
def test_nothing_sticks_out_of_the_page(site, width):
    page = site.open(width=width, height=844, ready=False)
    page.wait_for_function("() => window.zs && zs.debug.panel('p-h-heat') && zs.debug.panel('p-h-heat').geo")
    assert page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_nothing_is_fetched_from_elsewhere(site, harness):
    page = site.open()
    urls = page.evaluate("() => performance.getEntriesByType('resource').map((r) => r.name)")
    assert any("ibm-plex-sans" in u for u in urls)
    assert [u for u in urls if not u.startswith(harness) and not u.startswith("data:")] == []
    assert page.evaluate("() => [...document.fonts].some((f) => f.status === 'loaded')")


def test_a_range_that_ends_before_it_starts_opens_as_the_default(site):
    page = site.open("?from=now&to=now-1h")
    assert page.evaluate("() => [zs.state.from, zs.state.to]") == ["now-15m", "now"]


def test_axes_are_seen_only_once_they_have_a_range(site):
    page = site.open()
    seen = """() => { const p = document.getElementById('p-h-lines'), a = p.querySelector('.zs-axes');
    const now = getComputedStyle(a).visibility; p.classList.remove('zs-drawn');
    return [now, getComputedStyle(a).visibility]; }"""
    assert page.evaluate(seen) == ["visible", "hidden"]
