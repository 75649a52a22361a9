/* The legend: an HTML table of numbers over the window. Click isolates, again shows all; Ctrl, Cmd or Shift toggles.
   Rows are kept by series, so selection, focus and scroll survive every refresh. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;
  const COLUMNS = ["last", "mean", "p95", "max"];
  const RESORT_MS = 10000;

  /** Isolate, toggle or show all; kept in the URL. */
  zs.select = (p, id, toggle) => {
    const all = p.meta.series.filter((s) => s.legend).map((s) => s.id);
    const now = state.sel[p.id];
    let next;
    if (toggle) {
      next = new Set(now || (p.kind === "heat" ? [] : all));
      if (next.has(id)) next.delete(id);
      else next.add(id);
      next = all.filter((x) => next.has(x));
    } else next = now && now.length === 1 && now[0] === id ? all : [id];
    if (next.length === 0 || (next.length === all.length && (p.kind !== "heat" || !toggle))) delete state.sel[p.id];
    else state.sel[p.id] = next;
    p.axis.held = null;
    zs.saveState(false);
    zs.invalidate(p);
  };

  function build(p) {
    const table = zs.h("table", "zs-table");
    const head = zs.h("tr");
    const name = zs.h("th", "zs-name");
    head.append(name);
    for (const col of [...COLUMNS, "cap"]) {
      const b = zs.h("button", "zs-sort", col);
      b.type = "button";
      b.addEventListener("click", () => {
        p.sort = p.sort && p.sort[0] === col ? (p.sort[1] === -1 ? [col, 1] : null) : [col, -1];
        p.sortedAt = 0;
        p.forceSort = true;
        zs.invalidate(p);
      });
      const th = zs.h("th", `zs-n zs-col-${col}`, b);
      th.dataset.col = col;
      head.append(th);
    }
    table.append(zs.h("thead", "", head), zs.h("tbody"));
    p.legend.replaceChildren(table);
    const body = table.tBodies[0];
    body.addEventListener("click", (e) => {
      const tr = e.target.closest("tr[data-id]");
      if (tr) zs.select(p, tr.dataset.id, e.ctrlKey || e.metaKey || e.shiftKey);
    });
    body.addEventListener("keydown", (e) => {
      const tr = e.target.closest("tr[data-id]");
      if (!tr) return;
      const to = e.key === "ArrowDown" ? tr.nextSibling : e.key === "ArrowUp" ? tr.previousSibling : null;
      if (to) to.focus();
      else if (e.key === "Enter") zs.select(p, tr.dataset.id, e.ctrlKey || e.metaKey || e.shiftKey);
      else return;
      e.preventDefault();
      e.stopPropagation();
    });
    return (p.table = { table, name, body, head });
  }

  function swatch(s, c) {
    const i = zs.h("i", "zs-swatch");
    i.setAttribute("aria-hidden", "true");
    return i;
  }

  function makeRow(p, row) {
    const tr = zs.h("tr");
    tr.dataset.id = row.s.id;
    tr.tabIndex = 0;
    const key = swatch();
    const mark = zs.h("span", "zs-row-state");
    const label = zs.h("span", "zs-label");
    tr.append(zs.h("td", "zs-name", key, mark, label));
    const cells = {};
    for (const col of [...COLUMNS, "cap"]) tr.append((cells[col] = zs.h("td", `zs-n zs-col-${col}`)));
    tr.zs = { key, mark, label, cells };
    return tr;
  }

  zs.paintLegend = (p) => {
    const rows = p.meta.series.map((s, r) => ({ s, r })).filter((x) => x.s.legend);
    if (!rows.length || p.kind === "strip" || p.kind === "spark") return;
    const t = p.table && p.table.table.isConnected ? p.table : build(p);
    const c = zs.colors();
    const stats = p.stats();
    const caps = rows.some((x) => x.s.cap);
    t.table.classList.toggle("zs-no-cap", !caps);
    // One scale per unit: of the largest, but of the middle one where times differ, so that one slow disk among
    // quick ones does not turn all their milliseconds into hundredths of a second.
    const sizes = {};
    for (const { s, r } of rows) {
      const m = Math.max(0, ...[stats[r].mean, stats[r].p95, s.cap].filter((v) => Number.isFinite(v)));
      (sizes[s.unit] = sizes[s.unit] || []).push(m);
    }
    const scales = {};
    for (const [u, all] of Object.entries(sizes)) {
      all.sort((a, b) => a - b);
      scales[u] = all[u === "s" ? Math.floor((all.length - 1) / 2) : all.length - 1];
    }
    const main = p.meta.unit && scales[p.meta.unit] !== undefined ? p.meta.unit : rows[0].s.unit;
    for (const u of Object.keys(scales)) scales[u] = zs.scale(u, scales[u]);
    zs.text(t.name, scales[main].unit);

    let order = rows;
    const old = p.old();
    // The slow disk is what the table is looked at for.
    if (p.sort === undefined) p.sort = p.name === "disk_latency" ? ["last", -1] : null;
    if (p.sort && p.kind !== "lanes") {
      const [col, dir] = p.sort;
      const v = (x) => {
        const n = col === "cap" ? x.s.cap : col === "last" && old ? stats[x.r].known : stats[x.r][col];
        return Number.isFinite(n) ? n : -Infinity;
      };
      const now = performance.now();
      if (!p.order || p.forceSort || (now - (p.sortedAt || 0) > RESORT_MS && !t.body.matches(":hover"))) {
        const rank = (x) => (x.s.state === "bad" ? 0 : x.s.state ? 1 : x.s.id === "+more" ? 3 : 2);
        p.order = [...rows].sort((a, b) => (dir < 0 && rank(a) - rank(b)) || dir * (v(a) - v(b))).map((x) => x.s.id);
        p.sortedAt = now;
        p.forceSort = false;
      }
      const place = new Map(p.order.map((id, i) => [id, i]));
      order = [...rows].sort((a, b) => (place.get(a.s.id) ?? 1e9) - (place.get(b.s.id) ?? 1e9));
    }
    for (const th of t.head.children) {
      if (!th.dataset.col) continue;
      th.setAttribute("aria-sort", p.sort && p.sort[0] === th.dataset.col ? (p.sort[1] < 0 ? "descending" : "ascending") : "none");
    }
    if (p.lanes && p.lanes.length) {
      t.table.style.setProperty("--zs-row", `${(p.geo.h / p.lanes.length).toFixed(2)}px`);
      t.table.style.setProperty("--zs-row-top", `${p.geo.y}px`);
    }
    let before = null;
    zs.keyed(t.body, order, (x) => x.s.id, (x) => makeRow(p, x), (tr, { s, r }) => {
      const on = p.selected(s);
      tr.classList.toggle("zs-off", !on);
      tr.setAttribute("aria-pressed", state.sel[p.id] ? String(on) : "false");
      const lane = p.kind === "lanes" && p.lanes ? p.lanes.find((l) => l.key === (s.group || s.id)) : null;
      const st = s.state || (lane && lane.now) || "";
      tr.classList.toggle("zs-bad", st === "bad");
      tr.classList.toggle("zs-warn", st === "warn");
      tr.hidden = p.kind === "lanes" && !on;
      const paired = p.kind === "mirror" && before && s.group && before.group === s.group && !p.sort;
      before = s;
      const unit = s.unit !== main && scales[s.unit].unit ? `, ${scales[s.unit].unit}` : "";
      zs.text(tr.zs.label, (paired ? s.label.split(" ").pop() : s.label) + unit);
      tr.title = s.label;
      const hide = !p.isDrawn(s) ? " zs-none" : paired ? " zs-blank" : "";
      tr.zs.key.className = `zs-swatch zs-dash-${s.fill && !s.slot ? "fill" : s.dash}${hide}`;
      tr.zs.key.style.color = zs.seriesColor(s, c);
      if ((tr.zs.mark.dataset.state || "") !== st) {
        tr.zs.mark.dataset.state = st;
        tr.zs.mark.replaceChildren(...(st && p.kind !== "lanes" ? [zs.icon(st === "bad" ? "trouble" : "warn")] : []));
      }
      const sc = scales[s.unit];
      for (const col of COLUMNS) {
        const v = col === "last" && old && zs.isLevel(s.unit) ? stats[r].known : stats[r][col];
        zs.text(tr.zs.cells[col], zs.sig(v / sc.div, sc.unit));
      }
      zs.text(tr.zs.cells.cap, s.cap ? zs.sig(s.cap / sc.div, sc.unit) : caps ? "none" : "");
    });
    if (p.kind === "heat") paintScale(p, c);
  };

  /** Under a heat map's table: what the colours count, with the counts; a click goes from rank to square root to linear. */
  function paintScale(p, c) {
    if (!p.scale) return;
    if (!p.scaleEl || !p.scaleEl.root.isConnected) {
      const how = zs.h("button", "zs-scale-how");
      how.type = "button";
      how.title = "Colour by rank, square root or count";
      how.addEventListener("click", () => {
        const next = { rank: "sqrt", sqrt: "linear", linear: "rank" }[p.scale.how];
        if (next === "rank") delete state.sel[`${p.id}.color`];
        else state.sel[`${p.id}.color`] = [next];
        zs.saveState(false);
        zs.invalidate(p);
      });
      const bar = zs.h("div", "zs-scale-bar");
      const nums = zs.h("div", "zs-scale-nums");
      const root = zs.h("div", "zs-scale", how, bar, nums);
      p.legend.append(root);
      p.scaleEl = { root, how, bar, nums };
    }
    const e = p.scaleEl;
    zs.text(e.how, `${p.el.dataset.count || "events"} per cell, colour by ${{ rank: "rank", sqrt: "square root", linear: "count" }[p.scale.how]}`);
    const steps = c.heat.join();
    if (e.steps !== steps) {
      e.steps = steps;
      e.bar.replaceChildren(...c.heat.map((color) => {
        const i = zs.h("i");
        i.style.background = color;
        return i;
      }));
    }
    zs.keyed(e.nums, p.scale.scale.map((v, i) => ({ v, i })), (x) => x.i, () => zs.h("span"), (el, x) => zs.text(el, zs.sig(x.v, "")));
  }
})();
