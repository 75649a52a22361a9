/* Lines, mirrored lines (read up, write down) and the strip over the page. */
(() => {
  "use strict";
  const zs = window.zs;
  zs.kinds = zs.kinds || {};
  const DASH = { solid: [], dash: [6, 4], dot: [1.5, 3] };
  const BAND = 0.2; // height of the band under the plot

  zs.seriesColor = (s, c) => (s.slot ? c.series[(s.slot - 1) % c.series.length] : s.fill ? c.fill : c.rest);

  /** Series index -> Float32Array of what lies under it, for filled series of one group and side (a stack that breaks at gaps). */
  function stacks(p) {
    const groups = {};
    p.meta.series.forEach((s, r) => {
      if (!s.fill || !s.group || !p.isDrawn(s) || !p.selected(s)) return;
      const key = `${s.group}\n${s.side}\n${s.unit}`;
      (groups[key] = groups[key] || []).push(r);
    });
    const out = {};
    for (const rows of Object.values(groups)) {
      if (rows.length < 2) continue;
      const base = new Float32Array(p.n);
      for (const r of rows) {
        out[r] = base.slice();
        const o = r * p.cap;
        for (let i = 0; i < p.n; i++) base[i] += p.values[o + i];
      }
    }
    return out;
  }

  function extent(p, under, pick) {
    const [i0, i1] = p.columns();
    let lo = Infinity, hi = -Infinity;
    p.meta.series.forEach((s, r) => {
      if (!pick(s) || !p.selected(s)) return;
      const o = r * p.cap;
      const top = p.high || p.values, bottom = p.low || p.values;
      for (let i = i0; i < i1; i++) {
        const u = under[r] ? under[r][i] : 0;
        const a = (bottom[o + i] + u) * s.side, b = (top[o + i] + u) * s.side;
        if (a < lo) lo = a;
        if (b < lo) lo = b;
        if (b > hi) hi = b;
        if (a > hi) hi = a;
      }
    });
    return [lo, hi];
  }

  /** An extent with that of the panel that is compared with, which is drawn anew where its scale is no longer this one. */
  function shared(p, name, [lo, hi]) {
    p.extents = { ...p.extents, [name]: [lo, hi] };
    const mate = p.mate;
    const other = mate && mate.extents && mate.extents[name];
    if (!other) return [lo, hi];
    const both = [Math.min(lo, other[0]), Math.max(hi, other[1])];
    const seen = (mate.shared = mate.shared || {}), mine = (p.shared = p.shared || {});
    mine[name] = both.join();
    if (seen[name] !== mine[name]) {
      seen[name] = mine[name];
      zs.invalidate(mate);
    }
    return both;
  }
  zs.shared = shared;

  /** y range with room, in steps so that it does not breathe: grows at once, shrinks only when less than half is used. */
  function settle(p, [lo, hi]) {
    const mirror = p.kind === "mirror";
    const fixed = p.meta.yrange, mate = p.mate;
    if (!Number.isFinite(lo)) [lo, hi] = fixed || [0, 1];
    const marks = [...(p.meta.marks || []), ...((mate && mate.meta.marks) || [])].map((m) => m.value);
    [lo, hi] = [Math.min(lo, ...marks), Math.max(hi, ...marks)];
    // Two limits are a scale of their own (ARC between its min and max): no need to begin at zero.
    if (!fixed && marks.length > 1 && !mirror) return [lo - (hi - lo) * 0.04, hi + (hi - lo) * 0.04];
    if (fixed) return [Math.min(fixed[0], lo), hi > fixed[1] ? hi * 1.05 : fixed[1]];
    if (mirror) {
      hi = Math.max(Math.abs(lo), Math.abs(hi)) || 1;
      lo = 0;
    } else {
      lo = Math.min(0, lo);
      hi = hi > 0 ? hi : lo < 0 ? 1e-12 : 1; // nothing but zeros has a scale too
    }
    const held = p.axis.held;
    if (!held || hi > held || hi < held / 2.2) p.axis.held = hi * 1.12;
    if (mate) mate.axis.held = p.axis.held;
    return [mirror ? -p.axis.held : lo * 1.05, p.axis.held];
  }

  function yTicks(p, lo, hi, unit, log) {
    const sc = zs.scale(unit, Math.max(Math.abs(lo), Math.abs(hi)));
    p.yscaled = sc;
    if (log) return zs.logTicks(lo, hi, unit);
    let step = zs.niceStep((hi - lo) / sc.div, Math.max(2, Math.min(5, p.geo.h / (p.kind === "mirror" ? 26 : 34))));
    if (p.kind === "mirror" && step * sc.div > hi) step = zs.niceStep(hi / sc.div / 2.5, 1); // a label on either side
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const out = [];
    for (let k = Math.ceil(lo / sc.div / step); k * step <= (hi / sc.div) * 1.0001; k++) {
      const v = Math.abs(k * step);
      out.push([k * step * sc.div, v >= 10000 ? zs.sig(v, "") : v.toFixed(digits)]);
    }
    if (p.meta.marks) {
      const far = (v, m) => Math.abs(v - m) > (hi - lo) * (13 / Math.max(p.geo.h, 30));
      for (const m of p.meta.marks) {
        if (!m.label) continue;
        for (let i = out.length - 1; i >= 0; i--) if (!far(out[i][0], m.value)) out.splice(i, 1);
        out.push([m.value, /\d/.test(m.label) ? m.label : `${m.label} ${zs.sig(m.value / sc.div, sc.unit)}`]);
      }
    }
    return out;
  }
  zs.logTicks = (lo, hi, unit) => {
    const out = [];
    for (let e = Math.ceil(Math.log10(lo) - 1e-9); e <= Math.log10(hi) + 1e-9; e++) out.push([10 ** e, zs.fmtExact(10 ** e, unit).join("\u2009")]);
    return out;
  };

  /** One series as path pieces between gaps, [i0, i1] inclusive column runs. */
  function runs(p, r, i0, i1, fn) {
    const o = r * p.cap, v = p.values;
    const reach = Math.max(1, Math.ceil(1.5 * p.cadence));
    let from = -1, last = -1;
    for (let i = i0; i < i1; i++) {
      if (v[o + i] !== v[o + i]) continue;
      if (last < 0 || i - last > reach) {
        if (last >= 0) fn(from, last);
        from = i;
      }
      last = i;
    }
    if (last >= 0) fn(from, last);
  }

  function drawSeries(p, ctx, r, s, c, under, y) {
    let [i0, i1] = p.columns();
    i0 = Math.max(0, i0 - 1);
    i1 = Math.min(p.n, i1 + 1);
    const o = r * p.cap, v = p.values;
    const color = zs.seriesColor(s, c);
    const { x, w } = p.geo;
    const k = (w * p.step) / (p.win[1] - p.win[0]);
    const x0 = x + ((p.start + p.step / 2 - p.win[0]) / (p.win[1] - p.win[0])) * w;
    const up = under[r];
    const at = (a, i) => y((a[o + i] + (up ? up[i] : 0)) * s.side);
    ctx.lineJoin = "round";
    runs(p, r, i0, i1, (from, to) => {
      if (p.low && p.high && p.step > 1) {
        ctx.globalAlpha = 0.2;
        ctx.fillStyle = color;
        ctx.beginPath();
        for (let i = from; i <= to; i++) if (p.high[o + i] === p.high[o + i]) ctx.lineTo(x0 + i * k, at(p.high, i));
        for (let i = to; i >= from; i--) if (p.low[o + i] === p.low[o + i]) ctx.lineTo(x0 + i * k, at(p.low, i));
        ctx.fill();
        ctx.globalAlpha = 1;
      }
      if (s.fill) {
        ctx.fillStyle = color;
        ctx.globalAlpha = up || p.inBand(s) ? 0.85 : 0.45;
        ctx.beginPath();
        for (let i = from; i <= to; i++) if (v[o + i] === v[o + i]) ctx.lineTo(x0 + i * k, at(v, i));
        for (let i = to; i >= from; i--) if (v[o + i] === v[o + i]) ctx.lineTo(x0 + i * k, y((up ? up[i] : 0) * s.side));
        ctx.fill();
        ctx.globalAlpha = 1;
        if (up || p.inBand(s)) return;
      }
      ctx.strokeStyle = color;
      ctx.lineWidth = s.lead ? 2 : 1.5;
      ctx.setLineDash(DASH[s.dash] || []);
      ctx.beginPath();
      if (from === to) {
        ctx.moveTo(x0 + from * k - 1, at(v, from));
        ctx.lineTo(x0 + from * k + 1, at(v, from));
      }
      for (let i = from; i <= to; i++) if (v[o + i] === v[o + i]) ctx.lineTo(x0 + i * k, at(v, i));
      ctx.stroke();
      ctx.setLineDash([]);
    });
  }

  function lines(p, ctx) {
    const c = zs.colors();
    const mirror = p.kind === "mirror";
    const log = p.meta.yscale === "log";
    const bandRows = p.meta.series.map((s, r) => (p.inBand(s) ? r : -1)).filter((r) => r >= 0);
    const under = stacks(p);
    const main = (s) => p.isDrawn(s) && !p.inBand(s);
    let [lo, hi] = settle(p, shared(p, "main", extent(p, under, main)));
    const zoomed = zs.state.y[p.id];
    if (zoomed) [lo, hi] = zoomed;
    if (log) lo = Math.max(lo, hi / 1e6, 1e-9);
    const ticks = yTicks(p, lo, hi, p.meta.unit || (p.meta.series[0] || {}).unit || "", log);
    zs.axes(p, { range: [lo, hi], log, ticks, domain: bandRows.length ? [BAND + 0.08, 1] : [0, 1] });
    const g = p.geo;
    zs.setY(p, lo, hi, log);
    const bottom = bandRows.length ? g.y + g.h / (1 - BAND - 0.08) : g.y + g.h;

    for (const m of p.meta.marks || []) {
      const y = Math.round(p.py(m.value)) + 0.5;
      ctx.strokeStyle = m.style === "bad" ? c.bad : c.line;
      ctx.lineWidth = 1;
      ctx.setLineDash(m.style === "target" || m.style === "p95" ? [4, 3] : []);
      ctx.beginPath();
      ctx.moveTo(g.x, y);
      ctx.lineTo(g.x + g.w, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    if (mirror) {
      ctx.fillStyle = c.line;
      ctx.fillRect(g.x, Math.round(p.py(0)), g.w, 1);
    }
    p.series = [];
    zs.clip(ctx, { x: g.x, y: g.y, w: g.w, h: bottom - g.y });
    p.meta.series.forEach((s, r) => {
      if (!main(s) || !p.selected(s)) return;
      drawSeries(p, ctx, r, s, c, under, p.py);
      p.series.push({ r, s, y: (i) => p.py((p.values[r * p.cap + i] + (under[r] ? under[r][i] : 0)) * s.side) });
    });
    zs.paintGaps(p, ctx, g.y, bottom, true);
    ctx.restore();
    if (bandRows.length) {
      const h = bottom - g.y, top = bottom - h * BAND;
      const [, max] = shared(p, "band", extent(p, under, (s) => p.inBand(s)));
      const full = Number.isFinite(max) && max > 0 ? max * 1.1 : 1;
      const y = (v) => bottom - (v / full) * (bottom - top);
      zs.clip(ctx, { x: g.x, y: top, w: g.w, h: bottom - top });
      for (const r of bandRows) {
        const s = p.meta.series[r];
        if (!p.selected(s)) continue;
        drawSeries(p, ctx, r, s, c, under, y);
        p.series.push({ r, s, y: (i) => y(p.values[r * p.cap + i] + (under[r] ? under[r][i] : 0)) });
      }
      zs.paintGaps(p, ctx, top, bottom, false);
      ctx.restore();
      ctx.font = zs.font(11);
      ctx.fillStyle = c.text3;
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      ctx.fillText(zs.fmtText(full / 1.1, p.meta.series[bandRows[0]].unit), g.x - 6, top + 6);
      ctx.fillText("0", g.x - 6, bottom - 3);
    }
    p.bottom = bottom;
    if (mirror) {
      const label = (side) => {
        const words = new Set(p.meta.series.filter((s) => s.side === side).map((s) => s.label.split(" ").pop()));
        return words.size === 1 ? [...words][0] : "";
      };
      zs.halo(ctx, label(1), g.x + 4, g.y + 7, c.text3, 400);
      zs.halo(ctx, label(-1), g.x + 4, g.y + g.h - 7, c.text3, 400);
    }
    zs.paintEvents(p, ctx, g.y, bottom);
  }
  zs.kinds.lines = zs.kinds.mirror = lines;

  /** The strip: an overview with its own span; the page's range is a box that can be dragged. */
  zs.kinds.strip = (p, ctx) => {
    const c = zs.colors();
    zs.axes(p, null);
    const g = p.geo;
    let [lo, hi] = extent(p, {}, () => true);
    if (!Number.isFinite(hi)) [lo, hi] = [0, 1];
    const log = p.meta.yscale === "log" && lo > 0;
    zs.setY(p, log ? lo * 0.8 : Math.min(0, lo), hi * 1.1 || 1, log);
    p.series = [];
    zs.clip(ctx, g);
    p.meta.series.forEach((s, r) => {
      const bad = s.state === "bad";
      drawSeries(p, ctx, r, { ...s, fill: false }, { ...c, rest: bad ? c.bad : c.text2, series: bad ? [c.bad] : c.series }, {}, p.py);
      p.series.push({ r, s, y: (i) => p.py(p.values[r * p.cap + i]) });
    });
    ctx.restore();
    ctx.fillStyle = c.line;
    ctx.fillRect(g.x, g.y + g.h - 0.5, g.w, 1);
    zs.paintGaps(p, ctx, g.y, g.y + g.h, false);
    // Stretches of time (a resilver) as bars on the baseline.
    for (const e of p.events) {
      if (!e.until || e.until - e.time < p.step) continue;
      const a = Math.max(g.x, p.px(e.time)), b = Math.min(g.x + g.w, p.px(e.until));
      ctx.fillStyle = e.severity === "bad" ? c.bad : c.accent;
      if (b > a) ctx.fillRect(a, g.y + g.h - 4, b - a, 3);
    }
    zs.paintEvents(p, ctx, g.y - 14, g.y + g.h);
    const brush = p.brush || zs.range(zs.state.hold || zs.state.paused ? (zs.state.hold || zs.state.paused).now : undefined);
    const a = zs.clamp(p.px(brush[0]), g.x, g.x + g.w - 3), b = zs.clamp(p.px(brush[1]), a + 3, g.x + g.w);
    ctx.fillStyle = c.text;
    ctx.globalAlpha = 0.08;
    ctx.fillRect(a, g.y - 2, b - a, g.h + 4);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = c.text2;
    ctx.lineWidth = 1;
    ctx.strokeRect(Math.round(a) + 0.5, g.y - 1.5, Math.round(b - a) - 1, g.h + 3);
  };

  /** A word-sized line without axes; gaps break it. values: array-like with NaN or null. */
  zs.sparkline = (ctx, x, y, w, h, values, { color, lo, hi, width = 1.25 } = {}) => {
    const v = Array.from(values, (n) => (n === null || n === undefined ? NaN : n));
    const finite = v.filter((n) => n === n);
    // The shape of the last minutes, but never less than a fifth of the level stretched to the full height.
    let max = hi !== undefined ? hi : Math.max(...finite), min = lo !== undefined ? lo : Math.min(...finite);
    const room = Math.max(0, 0.2 * Math.abs(max) - (max - min)) / 2;
    [min, max] = [min - room, max + room];
    const py = (n) => y + h - 1 - ((n - min) / (max - min || 1)) * (h - 2);
    ctx.strokeStyle = color || zs.colors().text2;
    ctx.lineWidth = width;
    ctx.lineJoin = "round";
    ctx.beginPath();
    let pen = false;
    v.forEach((n, i) => {
      const px = x + (i / Math.max(1, v.length - 1)) * w;
      if (n !== n) pen = false;
      else if (pen) ctx.lineTo(px, py(n));
      else ctx.moveTo(px, py(n));
      pen = n === n;
    });
    ctx.stroke();
  };
  /** Panel kind spark: value in words above, its line below. */
  zs.kinds.spark = (p, ctx) => {
    const c = zs.colors();
    const [i0, i1] = p.columns(p.win);
    const s = p.meta.series[0];
    if (!s) return;
    const state = p.meta.series.map((x) => x.state).find(Boolean) || "";
    const o = 0;
    const v = p.values.subarray(o + i0, o + i1);
    const [lo, hi] = p.meta.yrange || [];
    zs.setY(p, 0, 1, false);
    p.series = [];
    const color = state === "bad" ? c.bad : state === "warn" ? c.warn : c.spark || c.text2;
    const w = (p.geo.w * (i1 - i0)) / Math.max(1, Math.round((p.win[1] - p.win[0]) / p.step));
    zs.sparkline(ctx, 0, 0, Math.min(w, p.geo.w), p.geo.h + 1, bridge(v, p.cadence), { color, lo, hi });
    if (p.old()) {
      ctx.fillStyle = zs.hatch(ctx);
      const x = Math.min(zs.clamp(p.px(p.old()), 0, p.geo.w), p.geo.w - 4);
      ctx.fillRect(x, 0, p.geo.w - x, p.geo.h + 1);
    }
    zs.paintValue(p, s, p.old() ? "" : state);
  };
  // A source slower than the grid: repeat nothing, but let the line pass over the columns between its samples.
  function bridge(v, cadence) {
    if (cadence <= 1) return v;
    const out = [];
    for (let i = 0; i < v.length; i += cadence) {
      let last = NaN;
      for (let j = i; j < Math.min(i + cadence, v.length); j++) if (v[j] === v[j]) last = v[j];
      out.push(last);
    }
    return out;
  }
  /** A level (bytes held) is still worth knowing when it is old; a rate is not. */
  zs.isLevel = (unit) => unit === "B";
  zs.paintValue = (p, s, state) => {
    const el = p.el.querySelector(".zs-value");
    if (!el) return;
    const { last, known } = p.stats()[0];
    const old = p.old();
    const [n, unit] = zs.fmt(old && zs.isLevel(s.unit) ? known : last, s.unit);
    if (!el.zsParts) {
      el.zsParts = [zs.h("b"), zs.h("span")];
      el.replaceChildren(...el.zsParts);
    }
    zs.text(el.zsParts[0], n);
    zs.text(el.zsParts[1], old ? `${zs.isLevel(s.unit) ? `${unit} at` : "since"} ${zs.hms(old)}` : s.cap ? `of ${zs.fmtExact(s.cap, s.unit).join(" ")}` : unit);
    const mark = p.el.querySelector(".zs-panel-state");
    if (mark && (mark.dataset.state || "") !== state) {
      mark.dataset.state = state;
      mark.replaceChildren(...(state ? [zs.icon(state === "bad" ? "trouble" : "warn")] : []));
    }
    p.el.classList.toggle("zs-bad", state === "bad");
    p.el.classList.toggle("zs-warn", state === "warn");
  };
})();
