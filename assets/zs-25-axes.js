/* The plot's frame: where plotly put the axes, and telling plotly the ranges and ticks that we draw with.
   xaxis._offset, _length and yaxis likewise are undocumented: tests/browser hold them to the plotly in uv.lock. */
(() => {
  "use strict";
  const zs = window.zs;
  const FONT = '"IBM Plex Sans", system-ui, sans-serif';
  zs.font = (size = 11, weight = 400) => `${weight} ${size}px ${FONT}`;

  const fit = (canvas, ctx, w, h) => {
    const dpr = window.devicePixelRatio || 1;
    const [pw, ph] = [Math.round(w * dpr), Math.round(h * dpr)];
    if (canvas.width !== pw || canvas.height !== ph) {
      canvas.width = pw;
      canvas.height = ph;
      canvas.style.width = `${w}px`;
      canvas.style.height = `${h}px`;
    }
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
  };

  /** Where things are, read once per size: asking in the middle of a refresh makes the browser lay out the page anew. */
  function measure(p) {
    const W = p.plot.clientWidth, H = p.plot.clientHeight;
    if (!W || !H) return null;
    const gd = p.plot.querySelector(".js-plotly-plot");
    if (gd && !(gd._fullLayout && gd._fullLayout.xaxis && gd._fullLayout.xaxis._length)) return null;
    if (!gd && p.plot.querySelector(".zs-axes, .dash-graph")) return null;
    const a = gd ? gd.getBoundingClientRect() : null, b = gd ? p.plot.getBoundingClientRect() : null;
    return { W, H, gd, dx: gd ? a.left - b.left : 0, dy: gd ? a.top - b.top : 0 };
  }
  function place(p) {
    const { gd, dx, dy, W, H } = p.box;
    if (gd) {
      const { xaxis: xa, yaxis: ya } = gd._fullLayout;
      return { x: xa._offset + dx, y: ya._offset + dy, w: xa._length, h: ya._length };
    }
    const strip = p.kind === "strip";
    return { x: 0, y: strip ? 14 : 1, w: W, h: H - (strip ? 30 : 2) };
  }

  /** Sets p.geo {x, y, w, h} (px in the plot element), p.win, p.px(t) and p.tx(px); false while plotly is not there. */
  zs.layout = (p) => {
    p.box = p.box || measure(p);
    if (!p.box) return false;
    const { W, H, gd } = p.box;
    if (gd && gd._fullLayout.width !== p.box.plotly) {
      p.box = measure(p);
      p.box.plotly = gd._fullLayout.width;
    }
    p.gd = gd;
    fit(p.canvas, p.ctx, W, H);
    fit(p.over, p.octx, W, H);
    p.ctx.clearRect(0, 0, W, H);
    p.geo = place(p);
    p.words = [];
    p.win = p.window(p.geo.w);
    const { x, w } = p.geo;
    const [a, b] = p.win;
    p.px = (t) => x + ((t - a) / (b - a)) * w;
    p.tx = (px) => a + ((px - x) / w) * (b - a);
    return true;
  };

  /** Tells plotly y {range, log, ticks: [[value, label]], domain} where it changed, and, once the picture stands still,
      the x window: a relayout costs more than all lines of a panel, so a moving time axis is drawn by `paintTime`. */
  zs.axes = (p, y) => {
    const { gd } = p;
    if (!gd) return;
    const c = zs.colors();
    const update = {};
    if (!p.axis.bare) {
      p.axis.bare = true;
      update["xaxis.showticklabels"] = false;
      update["xaxis.ticks"] = "";
      if (p.kind === "strip") update["margin.t"] = 16;
    }
    const sx = p.win.join();
    if (!zs.following() && p.axis.x !== sx) {
      p.axis.x = sx;
      update["xaxis.autorange"] = false;
      update["xaxis.range"] = [p.win[0] * 1000, p.win[1] * 1000];
    }
    if (y) {
      const sy = JSON.stringify(y);
      if (p.axis.y !== sy) {
        p.axis.y = sy;
        update["yaxis.autorange"] = false;
        update["yaxis.type"] = y.log ? "log" : "linear";
        update["yaxis.range"] = y.log ? y.range.map(Math.log10) : y.range;
        update["yaxis.tickmode"] = "array";
        update["yaxis.tickvals"] = y.ticks.map((t) => t[0]);
        update["yaxis.ticktext"] = y.ticks.map((t) => t[1]);
        update["yaxis.domain"] = y.domain || [0, 1];
        update["yaxis.showgrid"] = !y.nogrid;
        update["yaxis.ticks"] = y.nogrid ? "outside" : "";
      }
    }
    const sc = c.text3 + c.grid;
    if (p.axis.c !== sc) {
      p.axis.c = sc;
      update["font.color"] = update["yaxis.tickfont.color"] = c.text3;
      update["yaxis.gridcolor"] = c.grid;
      update.paper_bgcolor = update.plot_bgcolor = "rgba(0,0,0,0)";
    }
    if (Object.keys(update).length) {
      window.Plotly.relayout(gd, update);
      p.geo = place(p);
    }
  };
  /** Ticks and labels of the time axis, in plotly's own place and type. */
  zs.paintTime = (p, ctx) => {
    const c = zs.colors();
    const y = Math.round(p.bottom || p.geo.y + p.geo.h);
    ctx.font = zs.font(11);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const most = Math.max(2, Math.floor(p.geo.w / (p.kind === "strip" ? 120 : 75)));
    for (const [t, label] of zs.timeTicks(p.win[0] - p.shift, p.win[1] - p.shift, most)) {
      const x = p.px(t + p.shift);
      ctx.fillStyle = c.line;
      ctx.fillRect(Math.round(x), y, 1, 4);
      ctx.fillStyle = c.text3;
      if (x + ctx.measureText(label).width / 2 <= p.box.W) ctx.fillText(label, x, y + 13);
    }
  };

  /** Sets p.py for a linear or log range over the plot's height. */
  zs.setY = (p, lo, hi, log) => {
    const { y, h } = p.geo;
    p.yr = [lo, hi, log];
    if (log) {
      const a = Math.log10(lo), b = Math.log10(hi);
      p.py = (v) => y + h - ((Math.log10(Math.max(v, 1e-30)) - a) / (b - a)) * h;
      p.vy = (py) => 10 ** (a + ((y + h - py) / h) * (b - a));
    } else {
      p.py = (v) => y + h - ((v - lo) / (hi - lo)) * h;
      p.vy = (py) => lo + ((y + h - py) / h) * (hi - lo);
    }
  };

  // Canvas helpers shared by the kinds.
  /** 45 degree hatch as a fill style. */
  zs.hatch = (ctx, color) => {
    const c = zs.colors();
    const dpr = window.devicePixelRatio || 1;
    const key = `${color || c.mark}${dpr}`;
    if (!c.hatch[key]) {
      const n = Math.round(6 * dpr);
      const t = document.createElement("canvas");
      t.width = t.height = n;
      const g = t.getContext("2d");
      g.strokeStyle = color || c.mark;
      g.lineWidth = 1.2 * dpr;
      for (const d of [-n, 0, n]) {
        g.beginPath();
        g.moveTo(d - 1, n + 1);
        g.lineTo(d + n + 1, -1);
        g.stroke();
      }
      const pattern = ctx.createPattern(t, "repeat");
      pattern.setTransform(new DOMMatrix().scale(1 / dpr));
      c.hatch[key] = pattern;
    }
    return c.hatch[key];
  };
  /** Text with a halo of the panel's colour. */
  zs.halo = (ctx, s, x, y, color, weight = 500, size = 11, align = "left") => {
    const c = zs.colors();
    ctx.font = zs.font(size, weight);
    ctx.textAlign = align;
    ctx.textBaseline = "middle";
    ctx.lineJoin = "round";
    ctx.lineWidth = 4;
    ctx.strokeStyle = c.panel;
    ctx.strokeText(s, x, y);
    ctx.fillStyle = color;
    ctx.fillText(s, x, y);
  };
  zs.clip = (ctx, g, pad = 1) => {
    ctx.save();
    ctx.beginPath();
    // Whole pixels: a clip between pixels makes every stroke under it several times dearer.
    const x = Math.floor(g.x), y = Math.floor(g.y - pad);
    ctx.rect(x, y, Math.ceil(g.x + g.w) - x, Math.ceil(g.y + g.h + pad) - y);
    ctx.clip();
  };
  /** Gaps and staleness as hatch from y0 to y1, with their words where they fit. */
  zs.paintGaps = (p, ctx, y0, y1, words = true) => {
    const c = zs.colors();
    const now = zs.state.to === "now" ? Math.min(zs.state.hold || zs.state.paused ? p.win[1] : zs.now(), p.win[1]) : Math.min(p.win[1], zs.now());
    const found = p.gaps(now);
    p.gapList = found.gaps;
    p.staleFrom = found.any ? found.staleFrom : null;
    const bands = found.gaps.map(([a, b]) => [a, b, `no samples ${zs.span(b - a)}`]);
    if (p.staleFrom !== null) bands.push([p.staleFrom, now, `stale ${zs.span(now - p.staleFrom)}`]);
    let taken = p.kind === "mirror" ? p.geo.x + 34 : p.geo.x; // the word read stands there
    bands.forEach(([a, b, text], k) => {
      const xa = Math.max(p.geo.x, p.px(a)), xb = Math.min(p.geo.x + p.geo.w, p.px(b));
      if (xb <= xa) return;
      ctx.fillStyle = zs.hatch(ctx);
      ctx.fillRect(xa, y0, Math.max(1, xb - xa), y1 - y0);
      if (!words || b - a < 5 || p.geo.h < 70) return;
      ctx.font = zs.font(11);
      const w = ctx.measureText(text).width;
      const left = xa - w - 8 > taken;
      const end = bands[k + 1] ? p.px(bands[k + 1][0]) : p.geo.x + p.geo.w;
      if (!left && (xb + w + 4 > end || xb < taken)) return;
      taken = left ? xa : xb + w + 4;
      const from = left ? xa - 4 - w : xb + 4;
      if (zs.claim(p, from, from + w, y0 + 8)) zs.halo(ctx, text, from, y0 + 8, c.text3, 400, 11);
    });
  };
  /** Says once, at the head, that a panel's values are old. */
  zs.paintOld = (p) => {
    const old = p.old();
    p.el.classList.toggle("zs-old", old !== null);
    if (p.kind === "spark" || p.kind === "strip") return;
    let said = p.el.querySelector(".zs-panel-old");
    if (old === null) return said && said.remove();
    if (!said) {
      said = zs.h("span", "zs-panel-old", zs.icon("stale"), zs.h("span"));
      p.el.querySelector(".zs-panel-head").insertBefore(said, p.el.querySelector(".zs-panel-source"));
    }
    zs.text(said.lastChild, `values are of ${zs.hms(old)}`);
  };
  const WEIGHT = { bad: 3, warn: 2, info: 1 };
  const weight = (e) => (WEIGHT[e.severity] || 1) - (e.kind === "collector" ? 0.5 : 0);
  /** Keeps a rectangle of words free: [x0, x1, y] of one line; false where it would touch one that is there. */
  zs.claim = (p, x0, x1, y) => {
    p.words = p.words || [];
    if (p.words.some((r) => x0 < r[1] + 6 && x1 > r[0] - 6 && Math.abs(y - r[2]) < 13)) return false;
    p.words.push([x0, x1, y]);
    return true;
  };
  /** Events as dashed accent lines; the topmost panel carries the flags, the weightiest first, none over another. */
  zs.paintEvents = (p, ctx, y0, y1) => {
    const c = zs.colors();
    const strip = p.kind === "strip";
    const seen = (p.events || []).filter((e) => e.time <= p.win[1] && (e.until || e.time) >= p.win[0]);
    for (const e of seen) {
      if (e.time < p.win[0]) continue;
      const x = Math.round(p.px(e.time)) + 0.5;
      ctx.strokeStyle = e.severity === "bad" ? c.bad : c.accent;
      ctx.lineWidth = 1;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(x, y0);
      ctx.lineTo(x, y1);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    if (!zs.isTop(p) && !strip) return;
    const y = strip ? 7 : Math.max(8, (p.kind === "heat" ? p.geo.y : y0) + 8); // never over a map's row of what overflows
    const end = p.geo.x + p.geo.w;
    ctx.font = zs.font(11);
    if (strip) zs.claim(p, 0, ctx.measureText(p.el.dataset.title || "").width + 8, y);
    for (const e of [...seen].sort((a, b) => weight(b) - weight(a) || b.time - a.time)) {
      const x = Math.round(p.px(e.time)) + 0.5;
      const text = zs.ellipsis(ctx, e.text, Math.min(260, p.geo.w * 0.6));
      const w = ctx.measureText(text).width;
      const sides = strip ? [x - w - 5] : [x + 4, x - w - 5];
      for (const left of sides) {
        if (left < p.geo.x || left + w > end || !zs.claim(p, left, left + w, y)) continue;
        zs.halo(ctx, text, left, y, e.severity === "bad" ? c.bad : c.accent, 400, 11);
        break;
      }
    }
  };
  zs.ellipsis = (ctx, s, w) => {
    if (ctx.measureText(s).width <= w) return s;
    while (s.length > 1 && ctx.measureText(`${s}…`).width > w) s = s.slice(0, -1);
    return `${s}…`;
  };
  /** Is this the topmost panel of its column? */
  zs.isTop = (p) => p.top === true;
  zs.findTop = () => {
    let best = null, y = Infinity, x = Infinity;
    for (const q of zs.panels.values()) {
      q.top = false;
      // A small chart has no room for words.
      if (q.kind === "strip" || q.kind === "spark" || q.plot.clientHeight < 110) continue;
      const r = q.el.getBoundingClientRect();
      if (r.top < y - 2 || (Math.abs(r.top - y) <= 2 && r.left < x)) [best, y, x] = [q, r.top, r.left];
    }
    if (best) best.top = true;
  };
})();
