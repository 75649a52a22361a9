/* The Capacity page: panel kind forecast (the past, its likely way on, the limits), the answer, the table of pools.
   The pool is ?pool=host/pool in the URL; choosing another asks for its panel and head without laying the page anew. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const THIN = "\u2009";
  const GIB = 1024 ** 3;
  const NARROW = 560; // px of a plot whose limits are named inside it

  // -- the plot ----------------------------------------------------------------------------------------------------

  const rowOf = (p, id) => p.meta.series.findIndex((s) => s.id === id);
  const head = () => {
    const v = [...zs.views.values()].find((x) => x.name === "capacity_head");
    return v && v.data && v.data.pool ? v.data : null;
  };
  /** Column edges to x: the value of a day stands in its middle. */
  const xOf = (p, i) => p.px(p.start + (i + 0.5) * p.step);

  /** [[x, y], ...] of a series over the shown columns. */
  function points(p, id) {
    const r = rowOf(p, id), out = [];
    if (r < 0) return out;
    let [i0, i1] = p.columns();
    i0 = Math.max(0, i0 - 1);
    i1 = Math.min(p.n, i1 + 1);
    const o = r * p.cap;
    for (let i = i0; i < i1; i++) if (p.values[o + i] === p.values[o + i]) out.push([xOf(p, i), p.py(p.values[o + i])]);
    return out;
  }
  /** The newest used column: [x, y], where the forecast begins. */
  function origin(p) {
    const r = rowOf(p, "used");
    for (let i = p.n - 1; i >= 0; i--) {
      const v = p.values[r * p.cap + i];
      if (v === v) return [xOf(p, i), p.py(v)];
    }
    return null;
  }
  const trace = (ctx, pts) => {
    ctx.beginPath();
    for (const [x, y] of pts) ctx.lineTo(x, y);
  };
  function band(p, ctx, low, high, alpha, from) {
    const a = points(p, low), b = points(p, high);
    if (!a.length) return;
    ctx.globalAlpha = alpha;
    ctx.beginPath();
    if (from) ctx.moveTo(...from);
    for (const q of b) ctx.lineTo(...q);
    for (const q of a.reverse()) ctx.lineTo(...q);
    ctx.fill();
    ctx.globalAlpha = 1;
  }

  /** Used bytes in runs of days that follow each other. */
  function past(p, ctx) {
    const r = rowOf(p, "used"), o = r * p.cap;
    const [i0, i1] = p.columns();
    ctx.beginPath();
    let last = -1;
    for (let i = Math.max(0, i0 - 1); i < Math.min(p.n, i1 + 1); i++) {
      const v = p.values[o + i];
      if (v !== v) continue;
      if (last >= 0 && i - last <= Math.max(1, Math.ceil(1.5 * p.cadence))) ctx.lineTo(xOf(p, i), p.py(v));
      else ctx.moveTo(xOf(p, i), p.py(v));
      last = i;
    }
    ctx.stroke();
  }

  function extent(p) {
    let hi = Math.max(0, ...(p.meta.marks || []).map((m) => m.value));
    for (let i = 0; i < p.values.length; i++) if (p.values[i] > hi) hi = p.values[i];
    return hi || GIB;
  }

  /** The plot up to `right` px before the edge, whatever margin plotly has: a phone has no room for names beside it. */
  function widen(p, right) {
    const x = p.geo.x, w = p.box.W - x - right;
    p.geo = { ...p.geo, w };
    const [a, b] = p.win;
    p.px = (t) => x + ((t - a) / (b - a)) * w;
    p.tx = (px) => a + ((px - x) / w) * (b - a);
  }

  const CLASS = { warn: "warn", bad: "bad", refused: "bad" };
  zs.kinds.forecast = (p, ctx) => {
    const c = zs.colors();
    const narrow = p.plot.clientWidth < NARROW;
    const right = narrow ? 8 : 128;
    const zoomed = zs.state.y[p.id];
    const [lo, hi] = zoomed || [0, extent(p) * 1.04];
    const sc = (p.yscaled = zs.scale("B", hi));
    const step = zs.niceStep((hi - lo) / sc.div, Math.max(3, Math.min(8, p.geo.h / 36)));
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const ticks = [];
    for (let k = Math.ceil(lo / sc.div / step); k * step <= (hi / sc.div) * 1.0001; k++) ticks.push([k * step * sc.div, (k * step).toFixed(digits)]);
    zs.axes(p, { range: [lo, hi], log: false, ticks, domain: [0, 1], nogrid: true });
    widen(p, right);
    const g = p.geo;
    zs.setY(p, lo, hi, false);
    ctx.fillStyle = c.grid;
    for (const [v] of ticks) ctx.fillRect(g.x, Math.round(p.py(v)), g.w, 1);
    p.bottom = g.y + g.h;
    ctx.font = zs.font(11);
    ctx.fillStyle = c.text3;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    ctx.fillText(sc.unit, g.x - 8, g.y - 12);

    zs.clip(ctx, g);
    const from = origin(p);
    ctx.fillStyle = c.fill;
    band(p, ctx, "low95", "high95", 0.25, from);
    band(p, ctx, "low80", "high80", 0.35, from);
    zs.paintGaps(p, ctx, g.y, p.bottom, true);
    for (const m of p.meta.marks || []) {
      const y = Math.round(p.py(m.value)) + 0.5;
      ctx.strokeStyle = m.style === "warn" ? c.warn_fill : c.bad;
      ctx.lineWidth = m.style === "refused" ? 2 : 1.5;
      ctx.setLineDash(m.style === "refused" ? [2, 3] : []);
      trace(ctx, [[g.x, y], [g.x + g.w, y]]);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    ctx.strokeStyle = c.series[0];
    ctx.lineWidth = 2;
    ctx.lineJoin = "round";
    past(p, ctx);
    const ahead = points(p, "middle");
    if (ahead.length && from) ahead.unshift(from);
    ctx.setLineDash([5, 3]);
    trace(ctx, ahead);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.restore();
    limits(p, ctx, c, g, narrow);
    today(p, ctx, c, g);
    reach(p, ctx, c, g, narrow);
    p.series = p.meta.series.map((s, r) => ({ r, s: r ? s : { ...s, slot: 1 }, y: (i) => p.py(p.values[r * p.cap + i]) }));
  };

  /** The limits' names beside the plot, pushed apart where they would touch; inside it where there is no room. */
  function limits(p, ctx, c, g, narrow) {
    const marks = [...(p.meta.marks || [])].filter((m) => p.py(m.value) >= g.y - 1 && p.py(m.value) <= p.bottom + 1).sort((a, b) => b.value - a.value);
    let free = -1e9;
    for (const m of marks) {
      const y = Math.max(p.py(m.value), free + 13);
      free = y;
      const text = `${m.label} = ${zs.fmtText(m.value, "B")}`;
      const color = c[CLASS[m.style]] || c.text2;
      if (narrow) zs.halo(ctx, text, g.x + 4, p.py(m.value) + (m.style === "warn" ? 9 : -8), color, 400);
      else zs.halo(ctx, text, g.x + g.w + 8, y, color, 400);
    }
  }

  function today(p, ctx, c, g) {
    const now = zs.now();
    if (now < p.win[0] || now > p.win[1]) return;
    const x = Math.round(p.px(now)) + 0.5;
    ctx.strokeStyle = c.text2;
    ctx.lineWidth = 1;
    trace(ctx, [[x, g.y - 22], [x, p.bottom]]);
    ctx.stroke();
    const r = rowOf(p, "used");
    let used = NaN;
    for (let i = p.n - 1; i >= 0 && used !== used; i--) used = p.values[r * p.cap + i];
    const d = head();
    // The newest sample, as in the table; the line is by day.
    const here = d && d.pool && d.pool.host === p.query.host && d.pool.pool === p.query.pool;
    const said = `now ${zs.fmtText(here ? d.pool.used : used, "B")}`;
    ctx.font = zs.font(11);
    if (x - ctx.measureText(said).width > g.x - 30) zs.halo(ctx, said, x - 6, g.y - 14, c.text, 400, 11, "right");
    const why = d && d.pool.why;
    if (p.win[1] < now + 86400 && !why) return;
    const words = why || "forecast; dark band 80\u2009%, pale band 95\u2009%";
    const short = why ? words.split(";")[0] : "bands 80 and 95\u2009%";
    const fits = (s) => x + 8 + ctx.measureText(s).width < p.plot.clientWidth;
    const text = fits(words) ? words : fits(short) ? short : "";
    if (text) zs.halo(ctx, text, x + 6, g.y - 14, why ? c.text : c.text2, 400);
  }

  /** The span in which the 80 % line is reached, as a bracket on it, with its dates. */
  function reach(p, ctx, c, g, narrow) {
    const d = head();
    if (!d || d.pool.host !== p.query.host || d.pool.pool !== p.query.pool) return;
    const { early, middle, late, early_text, late_text } = d.pool;
    const mark = (p.meta.marks || []).find((m) => m.style === "warn");
    if (!mark || early === null || d.pool.state || early > p.win[1]) return;
    const y = Math.round(p.py(mark.value)) + 0.5, end = g.x + g.w;
    const a = p.px(early), b = late === null ? end : Math.min(end, p.px(late));
    if (a < g.x || y < g.y || y > p.bottom) return;
    const open = late === null || p.px(late) > end;
    ctx.strokeStyle = ctx.fillStyle = c.text;
    ctx.lineWidth = 2.5;
    trace(ctx, [[a, y], [b, y]]);
    ctx.stroke();
    ctx.lineWidth = 2;
    for (const x of open ? [a] : [a, b]) {
      trace(ctx, [[x, y - 6], [x, y + 6]]);
      ctx.stroke();
    }
    if (open) {
      trace(ctx, [[b - 6, y - 5], [b, y], [b - 6, y + 5]]);
      ctx.stroke();
    }
    let x = a;
    if (middle !== null && p.px(middle) <= end) {
      x = p.px(middle);
      ctx.lineWidth = 1;
      ctx.strokeStyle = c.text3;
      ctx.setLineDash([2, 3]);
      trace(ctx, [[x, y + 6], [x, p.bottom]]);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.arc(x, y, 4, 0, 7);
      ctx.fillStyle = c.text;
      ctx.strokeStyle = c.panel;
      ctx.lineWidth = 1.5;
      ctx.fill();
      ctx.stroke();
    }
    const title = d.middle ? `80${THIN}% on ${d.middle}` : `80${THIN}% not before ${early_text}`;
    const span = late === null ? `${early_text} or later` : `${early_text} to ${late_text}`;
    ctx.font = zs.font(13, 600);
    const w = Math.max(ctx.measureText(title).width, 150);
    const left = x + 10 + w < p.plot.clientWidth - 4 ? x + 10 : x - 10;
    const align = left > x ? "left" : "right";
    zs.halo(ctx, title, left, p.bottom - 48, c.text, 600, narrow ? 12 : 13, align);
    zs.halo(ctx, span, left, p.bottom - 30, c.text2, 400, narrow ? 11 : 12, align);
  }

  // -- the answer --------------------------------------------------------------------------------------------------

  zs.view("capacity_head", (el, d) => {
    if (!el.zsParts) {
      const p = (el.zsParts = { detail: h("p", "zs-capacity-detail", "") });
      p.select = h("select", "");
      p.select.setAttribute("aria-label", "Pool");
      p.select.addEventListener("change", () => choose(p.select.value));
      p.csv = h("button", "zs-button zs-capacity-csv", zs.icon("download"), h("span", "", "CSV"));
      p.csv.type = "button";
      p.csv.title = "All pools as CSV";
      p.csv.addEventListener("click", save);
      el.append(p.detail, h("span", "zs-capacity-tools", h("label", "zs-button zs-pool-choice", h("span", "", "Pool"), p.select, zs.icon("down")), p.csv));
    }
    const h1 = el.parentElement && el.parentElement.querySelector("h1");
    if (h1) zs.text(h1, d.title);
    zs.text(el.zsParts.detail, d.detail);
    el.hidden = !d.pool;
    options(el.zsParts.select);
    if (d.pool) {
      el.zsParts.select.value = d.pool.key;
      for (const p of zs.panels.values()) if (p.name === "pool_growth") title(p, d);
    }
  });
  function title(p, d) {
    zs.text(p.el.querySelector(".zs-panel-title"), `Pool growth, ${d.pool.host} ${d.pool.pool}`);
    const sub = p.el.querySelector(".zs-panel-sub");
    sub.title = "A random walk with drift, fitted to the days of the past year; the bands hold 80 and 95 of 100 walks. It knows no plans.";
    zs.text(sub, `allocated of ${zs.fmtText(d.pool.size, "B")}, both with parity; ${d.trend}`);
    zs.invalidate(p);
  }
  const rows = () => {
    const v = [...zs.views.values()].find((x) => x.name === "capacity_pools");
    return (v && v.data && v.data.pools) || [];
  };
  function options(select) {
    const found = rows();
    const key = found.map((r) => r.key).join("\n");
    if (select.dataset.key === key) return;
    select.dataset.key = key;
    const value = select.value;
    select.replaceChildren(...[...found].sort((a, b) => a.key.localeCompare(b.key)).map((r) => {
      const o = h("option", "", `${r.host} ${r.pool}`);
      o.value = r.key;
      return o;
    }));
    if (value) select.value = value;
  }

  // -- which pool --------------------------------------------------------------------------------------------------

  const asked = () => new URLSearchParams(location.search).get("pool");
  /** Shows the pool of the URL, or the nearest to 80 %. */
  function apply() {
    const found = rows();
    const row = found.find((r) => r.key === asked()) || found[0];
    if (!row) return;
    let changed = false;
    for (const x of [...zs.panels.values(), ...zs.views.values()]) {
      if (x.name !== "pool_growth" && x.name !== "capacity_head" && x.name !== "capacity_retention") continue;
      if (x.query.host === row.query.host && x.query.pool === row.query.pool) continue;
      x.query = { ...row.query };
      x.el.dataset.query = JSON.stringify(x.query);
      delete zs.state.y[x.id];
      changed = true;
    }
    if (changed) zs.rewatch(true);
    mark();
  }
  function choose(key) {
    const q = new URLSearchParams(location.search);
    q.set("pool", key);
    history.pushState({ zs: true }, "", `${location.pathname}?${q.toString().replace(/%2F/g, "/")}`);
    apply();
  }
  zs.on("url", () => {
    if (rows().length) apply();
  });
  function mark() {
    const v = [...zs.views.values()].find((x) => x.name === "capacity_head");
    const key = v && v.query.host ? `${v.query.host}/${v.query.pool}` : "";
    for (const tr of document.querySelectorAll(".zs-view-capacity_pools tbody tr")) {
      if (tr.dataset.key === key) tr.setAttribute("aria-current", "true");
      else tr.removeAttribute("aria-current");
    }
  }

  // -- all pools ---------------------------------------------------------------------------------------------------

  const COLUMNS = [["pool", ""], ["used", "zs-n"], ["GiB a week", "zs-n"], [`80${THIN}% between`, "zs-n"], ["and", "zs-n"]];
  zs.view("capacity_pools", (el, d) => {
    if (!el.zsBody) {
      const table = h("table", "zs-table zs-pools-table", h("thead", "", h("tr", "", ...COLUMNS.map(([t, cls]) => h("th", cls, t)))));
      el.zsBody = h("tbody");
      table.append(el.zsBody);
      el.zsNone = h("p", "zs-hint", "No pool has a sample yet.");
      el.zsNote = h("p", "zs-hint zs-pools-note", "");
      el.append(table, el.zsNone, el.zsNote);
      el.zsBody.addEventListener("click", (e) => {
        const tr = e.target.closest("tr[data-key]");
        if (tr) choose(tr.dataset.key);
      });
      el.zsBody.addEventListener("keydown", (e) => {
        const tr = e.target.closest("tr[data-key]");
        if (!tr) return;
        const to = e.key === "ArrowDown" ? tr.nextSibling : e.key === "ArrowUp" ? tr.previousSibling : null;
        if (to) to.focus();
        else if (e.key === "Enter") choose(tr.dataset.key);
        else return;
        e.preventDefault();
        e.stopPropagation();
      });
    }
    el.zsNone.hidden = d.pools.length > 0;
    zs.text(el.zsNote, d.note || "");
    zs.keyed(el.zsBody, d.pools, (r) => r.key, makeRow, fillRow);
    const v = [...zs.views.values()].find((x) => x.name === "capacity_head");
    if (v && v.el.zsParts) {
      options(v.el.zsParts.select);
      if (v.data && v.data.pool) v.el.zsParts.select.value = v.data.pool.key;
    }
    apply();
  });
  function makeRow(r) {
    const p = { icon: h("span", "zs-row-state"), used: h("td", "zs-n", ""), weekly: h("td", "zs-n", ""), early: h("td", "zs-n", ""), late: h("td", "zs-n", "") };
    const tr = h("tr", "", Object.assign(h("td", "zs-name", p.icon, h("b", "", r.host), h("span", "", ` ${r.pool}`)), { title: `${r.host} ${r.pool}` }), p.used, p.weekly, p.early, p.late);
    tr.dataset.key = r.key;
    tr.tabIndex = 0;
    tr.zsParts = p;
    return tr;
  }
  function fillRow(tr, r) {
    const p = tr.zsParts;
    tr.classList.toggle("zs-bad", r.state === "bad");
    tr.classList.toggle("zs-warn", r.state === "warn");
    if (p.icon.dataset.state !== r.state) {
      p.icon.dataset.state = r.state;
      p.icon.replaceChildren(...(r.state ? [zs.icon(r.state === "bad" ? "trouble" : "warn")] : []));
    }
    zs.text(p.used, `${zs.sig(Math.round(100 * r.share), "")}${THIN}%`);
    zs.text(p.weekly, r.weekly === null ? "–" : zs.sig(r.weekly / GIB, ""));
    zs.text(p.early, r.early_text);
    zs.text(p.late, r.late_text || "–");
    tr.title = r.why;
  }

  /** The table as a file: bytes, UTC, nothing rounded. */
  function save() {
    const at = (t) => (t === null ? "" : new Date(t * 1000).toISOString());
    const lines = [["host", "pool", "used (B)", "size (B)", "growth (B/week)", "80 % earliest of 8 in 10 (UTC)", "80 % in half the cases (UTC)", "80 % latest of 8 in 10 (UTC)", "note"]];
    for (const r of rows()) lines.push([r.host, r.pool, r.used, r.size, r.weekly, at(r.early), at(r.middle), at(r.late), r.why || (r.early === null ? r.early_text : "")]);
    zs.saveCsv("zonescope-capacity.csv", lines);
  }

  // -- snapshot retention ------------------------------------------------------------------------------------------

  const keepOf = (d) => {
    const days = Number(new URLSearchParams(location.search).get("keep")) || 30;
    return (d.rows.find((r) => r.days === days) || d.rows[d.rows.length - 1] || {}).days;
  };
  const gib = (v) => zs.sig(v / GIB, "");
  zs.view("capacity_retention", (el, d) => {
    if (!el.zsParts) {
      const p = (el.zsParts = { rows: h("div", "zs-keep-rows"), say: h("p", "zs-keep-say", ""), note: h("p", "zs-hint", ""), head: h("p", "zs-keep-head zs-hint", "") });
      p.head.append(h("span", "", "keep"), h("span", "", "held by snapshots"), h("span", "", "GiB"), h("span", "", "span"), h("span", "", `80${THIN}% on`));
      p.bars = h("div", "zs-ages");
      p.barsHead = h("p", "zs-hint zs-ages-head", "");
      p.rows.setAttribute("role", "radiogroup");
      p.rows.setAttribute("aria-label", "snapshots kept");
      el.append(p.head, p.rows, p.say, p.barsHead, p.bars, p.note);
    }
    const p = el.zsParts;
    const chosen = keepOf(d);
    const most = Math.max(1, ...d.rows.map((r) => r.most));
    p.head.hidden = !d.rows.length;
    zs.keyed(p.rows, d.rows, (r) => r.text, () => keepRow(el), (row, r) => {
      const q = row.zsParts;
      row.dataset.days = r.days;
      row.setAttribute("aria-checked", String(r.days === chosen));
      zs.text(q.text, r.text);
      q.fill.style.width = `${(100 * r.bytes) / most}%`;
      q.err.hidden = r.most <= r.least;
      q.err.style.left = `${(100 * r.least) / most}%`;
      q.err.style.width = `${(100 * (r.most - r.least)) / most}%`;
      zs.text(q.bytes, gib(r.bytes));
      zs.text(q.span, r.now ? "measured" : r.most > r.least ? `${gib(r.least)} to ${gib(r.most)}` : "");
      zs.text(q.date, r.date);
    });
    zs.text(p.say, d.why || (d.rows.find((r) => r.days === chosen) || {}).sentence || "What is kept now.");
    zs.text(p.note, d.note || "");
    const top = Math.max(1, ...d.ages.map((a) => a[1]));
    zs.text(p.barsHead, d.ages.length ? `unique bytes per day of age, up to ${zs.fmtText(top, "B")}` : "");
    zs.keyed(p.bars, d.ages, (a) => a[0], () => h("span", "", h("i"), h("em", "", "")), (bar, a) => {
      bar.title = `${a[0]} d: ${zs.fmtText(a[1], "B")}`;
      bar.firstChild.style.height = `${Math.max(1, (48 * a[1]) / top)}px`;
      zs.text(bar.lastChild, d.ages.length <= 14 || a[0] % 7 === 0 ? `${a[0]}${THIN}d` : "");
    });
  });
  function keepRow(el) {
    const q = { text: h("b", "", ""), fill: h("i", "zs-keep-fill"), err: h("i", "zs-keep-err"), bytes: h("b", "", ""), span: h("span", "", ""), date: h("span", "", "") };
    const row = h("button", "zs-keep", h("i", "zs-radio"), q.text, h("span", "zs-keep-bar", q.fill, q.err), q.bytes, q.span, q.date);
    row.type = "button";
    row.setAttribute("role", "radio");
    row.zsParts = q;
    row.addEventListener("click", () => {
      const u = new URLSearchParams(location.search);
      u.set("keep", row.dataset.days);
      history.replaceState(history.state, "", `${location.pathname}?${u.toString().replace(/%2F/g, "/")}`);
      zs.showView(el.id, zs.views.get(el.id).data);
    });
    return row;
  }

  // -- ARC ---------------------------------------------------------------------------------------------------------

  const ARC = [["host", ""], ["ARC, GiB", "zs-n"], ["of at most", "zs-n"], ["misses/s", "zs-n"], ["ghost hits/s", "zs-n"], ["of misses", "zs-n"], ["", ""]];
  zs.view("capacity_arc", (el, d) => {
    if (!el.zsBody) {
      el.zsBody = h("tbody");
      el.zsNone = h("p", "zs-hint", "No host has told its arcstats within a day.");
      el.append(h("table", "zs-table zs-pools-table zs-arc-table", h("thead", "", h("tr", "", ...ARC.map(([t, cls]) => h("th", cls, t)))), el.zsBody), el.zsNone,
        h("p", "zs-hint zs-pools-note", `A ghost hit is a miss whose block had been evicted lately: up to twice the ARC would have kept it. Marked from 20${THIN}% of misses and 5 a second.`));
    }
    el.zsNone.hidden = d.hosts.length > 0;
    zs.keyed(el.zsBody, d.hosts, (r) => r.host, () => {
      const tr = h("tr", "", h("td", "zs-name", h("b", "", "")), ...Array.from({ length: 5 }, () => h("td", "zs-n", "")), h("td", "zs-arc-word", h("span", "zs-row-state"), h("span", "", "")));
      return tr;
    }, (tr, r) => {
      const cells = [r.host, gib(r.size), gib(r.max), zs.sig(r.misses, "/s"), zs.sig(r.ghosts, "/s"), r.share === null ? "–" : `${zs.sig(Math.round(100 * r.share), "")}${THIN}%`];
      cells.forEach((t, i) => zs.text(i ? tr.children[i] : tr.children[0].firstChild, t));
      const [mark, word] = tr.lastChild.children;
      tr.lastChild.className = `zs-arc-word${r.state ? " zs-warn" : ""}`;
      if (mark.dataset.state !== r.state) {
        mark.dataset.state = r.state;
        mark.replaceChildren(zs.icon(r.state ? "warn" : "check"));
      }
      zs.text(word, r.word);
    });
  });
})();
