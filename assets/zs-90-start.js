/* Finds panels and views as Dash lays pages, and lets go of those it takes away. */
(() => {
  "use strict";
  const zs = window.zs;

  const seen = new IntersectionObserver((entries) => {
    for (const e of entries) {
      const p = zs.panels.get(e.target.id);
      if (!p) continue;
      p.visible = e.isIntersecting;
      if (p.visible) zs.invalidate(p);
    }
  }, { rootMargin: "100px" });

  // plotly takes its new size a moment after its box has it.
  let resizing = 0;
  const sized = new ResizeObserver((entries) => {
    for (const e of entries) {
      const p = [...zs.panels.values()].find((q) => q.plot === e.target);
      if (p) {
        p.box = null;
        zs.invalidate(p);
      }
    }
    clearTimeout(resizing);
    resizing = setTimeout(() => {
      zs.findTop();
      for (const p of zs.panels.values()) {
        p.box = null;
        zs.invalidate(p);
        if (p.asked && Math.abs(p.plot.clientWidth - 56 - p.asked) > 0.2 * p.asked) zs.rewatch();
      }
    }, 150);
  });

  function scan() {
    let changed = false;
    for (const [map, gone] of [[zs.panels, (p) => {
      seen.unobserve(p.el);
      sized.unobserve(p.plot);
    }], [zs.views, () => {}]]) {
      for (const [id, x] of map) {
        if (x.el.isConnected && document.getElementById(id) === x.el) continue;
        gone(x);
        map.delete(id);
        changed = true;
      }
    }
    for (const el of document.querySelectorAll(".zs-panel[data-panel]")) {
      if (!el.id || zs.panels.has(el.id) || !el.querySelector(".zs-plot")) continue;
      const p = new zs.Panel(el);
      zs.panels.set(el.id, p);
      seen.observe(el);
      sized.observe(p.plot);
      if (p.kind !== "spark") zs.listen(p);
      changed = true;
    }
    for (const el of document.querySelectorAll(".zs-view[data-view]")) {
      if (!el.id || zs.views.has(el.id)) continue;
      const v = { id: el.id, el, name: el.dataset.view, query: JSON.parse(el.dataset.query || "{}") };
      if (!el.hasChildNodes()) el.append((v.loading = zs.h("p", "zs-loading", "Loading …")));
      zs.views.set(el.id, v);
      changed = true;
    }
    const moved = zs.pageMoved();
    if (!changed && !moved) return;
    if (moved) zs.unhover();
    if (changed && !moved) zs.rereadState();
    if (zs.state.refused) {
      zs.say(`“${zs.state.refused}” is no time or zone; showing ${zs.rangeText()} ${zs.zone()}`);
      zs.state.refused = "";
      zs.saveState(false);
    }
    zs.findTop();
    if (zs.panels.size || zs.views.size || document.querySelector(".zs-badge")) {
      zs.connect();
      zs.rewatch();
    }
    zs.status();
  }
  let queued = false;
  const later = () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      scan();
    });
  };
  const start = () => {
    const theme = localStorage.getItem("mantine-color-scheme-value");
    if (theme === "dark" || theme === "light") document.documentElement.setAttribute("data-mantine-color-scheme", theme);
    new MutationObserver(later).observe(document.body, { childList: true, subtree: true });
    window.addEventListener("_dashprivate_pushstate", later);
    document.fonts.ready.then(() => {
      for (const p of zs.panels.values()) zs.invalidate(p);
    });
    scan();
  };
  // The server went while it laid this page: once it answers again, ask for all of it.
  const UNLAID_MS = 15000;
  setInterval(async () => {
    const page = document.getElementById("zs-page");
    if (document.hidden || performance.now() < UNLAID_MS || (page && page.hasChildNodes())) return;
    try {
      if ((await fetch(location.href, { cache: "no-store" })).ok) location.reload();
    } catch (e) {
      zs.link.how = "lost";
      zs.link.since = zs.link.since || zs.now();
      zs.status();
    }
  }, 4000);
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);

  // What tests and benchmarks read: the drawn data, as numbers.
  zs.debug = {
    panel: (id) => {
      const p = zs.panels.get(id);
      if (!p || !p.meta) return null;
      const times = Array.from({ length: p.n }, (_, i) => p.start + i * p.step);
      return {
        times, step: p.step, series: p.meta.series.map((s) => s.id),
        values: p.meta.series.map((_, r) => Array.from(p.values.subarray(r * p.cap, r * p.cap + p.n), (v) => (v === v ? v : null))),
        newest: p.newest(), drawn: p.win ? { from: p.win[0], to: p.win[1] } : null, y: p.yr || null, drawMs: p.drawMs,
        gaps: p.gapList || [], staleFrom: p.staleFrom === undefined ? null : p.staleFrom, seq: p.seq, geo: p.geo,
        selected: p.meta.series.filter((s) => p.selected(s)).map((s) => s.id),
      };
    },
    state: () => ({
      mode: zs.mode(), from: zs.state.from, to: zs.state.to, pin: zs.state.pin, held: Boolean(zs.state.hold), how: zs.link.how,
      stopped: zs.link.stopped, ticks: zs.link.ticks, fills: zs.link.fills, bytes: zs.link.bytes, newest: zs.link.newest, now: zs.now(), cost: { ...zs.cost },
    }),
  };
})();
