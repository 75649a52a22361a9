/* zonescope in the browser. window.zs holds everything; each file adds one subject to it.
   This one: small helpers, colours from the CSS variables, the loop that draws. */
(() => {
  "use strict";
  const zs = (window.zs = window.zs || {});
  zs.panels = new Map();
  zs.views = new Map();
  const listeners = {};

  zs.on = (name, fn) => (listeners[name] = listeners[name] || []).push(fn);
  zs.emit = (name, arg) => (listeners[name] || []).forEach((fn) => fn(arg));

  /** Element with class and children; strings become text nodes, never HTML. */
  zs.h = (tag, cls, ...children) => {
    const el = document.createElement(tag);
    if (cls) el.className = cls;
    for (const c of children) if (c !== null && c !== undefined && c !== "") el.append(c);
    return el;
  };
  zs.icon = (name) => {
    const i = zs.h("i", `zs-i zs-i-${name}`);
    i.setAttribute("aria-hidden", "true");
    return i;
  };
  zs.text = (el, s) => {
    if (el.textContent !== s) el.textContent = s;
  };
  zs.clamp = (v, lo, hi) => Math.max(lo, Math.min(hi, v));

  /** Children of `el` as keyed rows: `make(item)` once per key, `update(node, item)` each time, order as given. */
  zs.keyed = (el, items, key, make, update) => {
    const have = (el.zsKeyed = el.zsKeyed || new Map());
    const seen = new Set();
    let at = el.firstChild;
    for (const item of items) {
      const k = String(key(item));
      seen.add(k);
      let node = have.get(k);
      if (!node) have.set(k, (node = make(item)));
      update(node, item);
      if (node === at) at = at.nextSibling;
      else el.insertBefore(node, at);
    }
    for (const [k, node] of have) {
      if (!seen.has(k)) {
        node.remove();
        have.delete(k);
      }
    }
  };

  // Colours: read once per theme.
  let colors = null;
  const list = (style, name) => {
    const out = [];
    for (let i = 1; ; i++) {
      const v = style.getPropertyValue(`--zs-${name}-${i}`).trim();
      if (!v) return out;
      out.push(v);
    }
  };
  zs.colors = () => {
    if (colors) return colors;
    const style = getComputedStyle(document.documentElement);
    const one = (name) => style.getPropertyValue(`--zs-${name}`).trim() || "#888888";
    colors = { series: list(style, "series"), heat: list(style, "heat"), heat_rest: list(style, "heat-rest"), heat_key: list(style, "heat-key") };
    const names = ["bg", "panel", "raise", "text", "text2", "text3", "accent", "bad", "warn", "warn-fill", "fill",
      "fill-hi", "mark", "rest", "hairline", "line", "grid"];
    for (const n of names) colors[n.replace("-", "_")] = one(n);
    colors.hatch = {};
    return colors;
  };
  zs.rgb = (css) => {
    const m = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(css);
    return m ? [parseInt(m[1], 16), parseInt(m[2], 16), parseInt(m[3], 16)] : [128, 128, 128];
  };
  zs.theme = () => document.documentElement.getAttribute("data-mantine-color-scheme") || "dark";
  zs.setTheme = (theme) => {
    document.documentElement.setAttribute("data-mantine-color-scheme", theme);
    localStorage.setItem("mantine-color-scheme-value", theme);
  };
  new MutationObserver(() => {
    colors = null;
    zs.emit("theme");
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });

  // Drawing: dirty panels, a few per animation frame, until none is left.
  const BUDGET_MS = 8;
  const dirty = new Set();
  const cost = (zs.cost = { update: 0, every: 1, drawn: 0 });
  let frame = 0, spent = 0, after = [];

  zs.invalidate = (panel) => {
    dirty.add(panel);
    if (!frame && !document.hidden) frame = requestAnimationFrame(drawSome);
  };
  /** Calls fn once all that is dirty now has been drawn. */
  zs.whenDrawn = (fn) => {
    after.push(fn);
    if (!frame && !document.hidden) frame = requestAnimationFrame(drawSome);
  };
  function drawSome() {
    frame = 0;
    const t0 = performance.now();
    for (const p of dirty) {
      dirty.delete(p);
      if (!p.el.isConnected) continue;
      p.paint();
      if (performance.now() - t0 > BUDGET_MS) break;
    }
    spent += performance.now() - t0;
    if (dirty.size) {
      frame = requestAnimationFrame(drawSome);
      return;
    }
    const done = after;
    after = [];
    if (done.length) {
      cost.update = cost.update ? 0.8 * cost.update + 0.2 * spent : spent;
      cost.drawn += 1;
    }
    spent = 0;
    // Slower than a third of the second: draw every second, third, ... tick, and the badge says so.
    cost.every = zs.clamp(Math.ceil(cost.update / 333), 1, 10);
    for (const fn of done) fn();
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (dirty.size || after.length) && !frame) frame = requestAnimationFrame(drawSome);
    zs.emit("visibility");
  });
})();
