/* One instant across all panels: crosshair, values at its crossings, tooltip, pin. Hovering holds every panel still
   while data keep arriving behind; a minute without a move lets go. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;
  const LET_GO_MS = 60000;
  let cross = null; // {t, panel, x, y}
  let moved = 0, queued = false;
  const tip = zs.h("div", "zs-tip");
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  zs.cross = () => cross;

  zs.paintOver = (p) => {
    const ctx = p.octx;
    if (!p.geo || !p.win || !p.meta) return;
    // Nothing there, nothing to clear: a touched canvas is composited anew.
    const any = p.drag || cross || state.pin !== null;
    if (!any && !p.overDrawn) return;
    p.overDrawn = any;
    ctx.clearRect(0, 0, p.box.W, p.box.H);
    if (p.drag) paintDrag(p, ctx);
    const mode = p.kind === "spark" ? "none" : zs.crossMode || "values";
    const hover = cross && mode !== "off" ? cross.t : null;
    if (state.pin !== null && state.pin !== hover) line(p, ctx, state.pin, hover === null && mode !== "none", true);
    if (hover !== null && mode !== "none") line(p, ctx, hover, mode === "values", false);
  };

  /** A time of the page as the panel's own: that of another day has its day. */
  const own = (p, t) => (p.shift ? `${zs.day(t - p.shift, false)} ${zs.hms(t - p.shift)}` : zs.when(t, p.win[1] - p.win[0]));
  function line(p, ctx, t, values, pinned) {
    const c = zs.colors();
    const g = p.geo;
    if (t < p.win[0] || t > p.win[1]) return;
    const x = Math.round(p.px(t)) + 0.5;
    const top = p.kind === "heat" ? g.y - 18 : g.y, bottom = p.bottom || g.y + g.h;
    ctx.strokeStyle = pinned ? c.accent : c.text2;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, bottom);
    ctx.stroke();
    const here = cross && cross.panel === p && !pinned;
    if (here || (pinned && zs.isTop(p))) {
      const text = own(p, t);
      ctx.font = zs.font(11, 600);
      const w = ctx.measureText(text).width + 10;
      const left = zs.clamp(x - w / 2, 0, p.box.W - w);
      ctx.fillStyle = pinned ? c.accent : c.text;
      ctx.fillRect(left, bottom + 3, w, 16);
      ctx.fillStyle = c.panel;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(text, left + w / 2, bottom + 11.5);
    }
    if (!values || !p.series) return;
    const i = p.at(t);
    if (i < 0) return;
    const at = [];
    for (const d of p.series) {
      const v = p.values[d.r * p.cap + i];
      if (v !== v) continue;
      if (p.kind === "lanes" && d.s.state) continue;
      const y = d.y(i);
      if (!(y >= g.y - 1 && y <= bottom + 1)) continue;
      at.push({ y, v, s: d.s, named: d.named });
    }
    for (const d of at) {
      ctx.beginPath();
      ctx.arc(x, d.y, p.kind === "lanes" ? 2.5 : 3, 0, 7);
      ctx.fillStyle = p.kind === "lanes" || p.kind === "heat" || p.kind === "strip" ? c.text : zs.seriesColor(d.s, c);
      ctx.strokeStyle = c.panel;
      ctx.lineWidth = 1.5;
      ctx.fill();
      ctx.stroke();
    }
    // The hovered panel's tooltip names them all; the others say theirs at the line.
    if (p.kind === "strip" || (here && cross.pointer && p.kind !== "heat" && p.kind !== "lanes")) return;
    const fits = x < g.x + g.w - 60;
    const put = (d, y, other) => {
      const right = other && x > g.x + 50 ? !fits : fits;
      const u = d.s.unit || p.meta.unit;
      const sc = p.yscaled && u === p.meta.unit && p.kind !== "heat" ? p.yscaled : null;
      const text = d.named ? `${d.s.label} ${zs.fmtText(d.v, u)}` : sc ? zs.sig(d.v / sc.div, sc.unit) : u === "cores" ? zs.sig(d.v, u) : zs.fmtText(d.v, u);
      zs.halo(ctx, text, right ? x + 7 : x - 7, y, c.text, 600, 11, right ? "left" : "right");
    };
    if (p.kind === "lanes") {
      for (const d of at) {
        const lane = p.lanes.find((l) => l.key === (d.s.group || d.s.id));
        if (lane) put(d, lane.y1 - 7);
      }
      return;
    }
    const room = Math.floor((bottom - g.y) / 13);
    if (at.length > 2 * room) return;
    at.sort((a, b) => a.y - b.y);
    // Right and left of the line by turns, so that each stands near its dot.
    const sides = at.length > 2 && !at[0].named ? [at.filter((_, k) => k % 2 === 0), at.filter((_, k) => k % 2 === 1)] : [at];
    sides.forEach((some, side) => {
      let y = g.y - 4;
      const ys = some.map((d) => (y = Math.max(d.y, y + 13)));
      for (let k = some.length - 1, limit = bottom - 3; k >= 0; k--) limit = (ys[k] = Math.min(ys[k], limit)) - 13;
      some.forEach((d, k) => put(d, ys[k], side === 1));
    });
  }

  function paintDrag(p, ctx) {
    const c = zs.colors();
    const { x0, x1, y0, y1, axis } = p.drag;
    const g = p.geo;
    const r = axis === "y" ? [g.x, Math.min(y0, y1), g.w, Math.abs(y1 - y0)] : [Math.min(x0, x1), g.y, Math.abs(x1 - x0), (p.bottom || g.y + g.h) - g.y];
    ctx.fillStyle = c.accent;
    ctx.globalAlpha = 0.15;
    ctx.fillRect(...r);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = c.accent;
    ctx.strokeRect(...r.map((v) => Math.round(v) + 0.5));
  }

  // Tooltip: lines of [swatch colour, name, value].
  function content(p) {
    const rows = [];
    const t = cross.t, i = p.at(t);
    const c = zs.colors();
    const hms = (at) => zs.hms(at - p.shift);
    let title = own(p, t);
    const gap = (p.gapList || []).find(([a, b]) => t >= a && t < b);
    const late = p.staleFrom !== null && p.staleFrom !== undefined && t >= p.staleFrom;
    if (gap) rows.push(["", "", `no samples ${zs.span(gap[1] - gap[0])}, ${hms(gap[0])} to ${hms(gap[1])}`]);
    else if (late) rows.push(["", "", `no samples since ${hms(p.staleFrom)}`]);
    const cell = p.kind === "heat" && cross.y !== null ? zs.cellAt(p, t, cross.y) : null;
    if (cell && cell.has) {
      title = (p.shift ? own(p, cell.t0) : hms(cell.t0)) + (cell.t1 - cell.t0 > 1 ? ` to ${hms(cell.t1)}` : "");
      const lo = zs.fmt(cell.lo, cell.unit), hi = zs.fmt(cell.hi, cell.unit);
      const bounds = cell.hi === Infinity ? `over ${lo.join(" ")}` : lo[1] === hi[1] ? `${lo[0]} to ${hi[0]} ${hi[1]}` : `${lo.join(" ")} to ${hi.join(" ")}`;
      rows.push(["", bounds, `${zs.sig(cell.count, "")} ${p.el.dataset.count || "events"}`]);
    }
    if (i >= 0 && !gap) {
      if (p.step > 1.5 && !cell) title = `${own(p, p.start + i * p.step)} to ${own(p, p.start + (i + 1) * p.step)}`;
      for (const d of cell ? [] : p.series || []) {
        const v = p.values[d.r * p.cap + i];
        if (v !== v) continue;
        if (p.kind === "lanes") {
          const lane = p.lanes.find((l) => cross.y >= l.y0 && cross.y < l.y1 + 1);
          if (!lane || lane.key !== (d.s.group || d.s.id) || d.s.state) continue;
          rows.push(["", d.s.label, `${zs.fmtText(v, d.s.unit)}${lane.cap ? ` of ${zs.fmtText(lane.cap, d.s.unit)}` : ""}`]);
          continue;
        }
        const u = d.s.unit || p.meta.unit;
        let text = zs.fmtText(v, u);
        if (p.high && p.step > 1 && p.high[d.r * p.cap + i] > v * 1.001) text += `, max ${zs.fmtText(p.high[d.r * p.cap + i], u)}`;
        const name = p.kind === "mirror" && d.s.group && !d.s.label.includes(d.s.group) ? `${d.s.group} ${d.s.label}` : d.s.label;
        rows.push([p.kind === "heat" ? "" : zs.seriesColor(d.s, c), name, text]);
      }
    }
    for (const e of p.events || []) if (Math.abs(p.px(e.time) - p.px(t)) < 5) rows.push(["", hms(e.time), e.text]);
    for (const text of p.notes ? p.notes(t) : []) rows.push(["", "", text]);
    return { title, rows: rows.slice(0, 14), more: Math.max(0, rows.length - 14), cell };
  }
  function showTip() {
    const p = cross && cross.panel;
    if (!p || !cross.pointer || !p.meta || p.drag) {
      tip.hidden = true;
      return;
    }
    const { title, rows, more, cell } = content(p);
    if (!tip.isConnected) document.body.append(tip);
    tip.replaceChildren(
      zs.h("div", "zs-tip-time", title, zs.h("span", "", ` ${zs.zone()}`)),
      ...rows.map(([color, name, value]) => {
        const key = zs.h("i", `zs-tip-key${color ? "" : " zs-none"}`);
        if (color) key.style.background = color;
        return zs.h("div", "zs-tip-row", key, zs.h("span", "", name), zs.h("b", "", value));
      }),
      more ? zs.h("div", "zs-tip-row", `${more} more in the table`) : "",
    );
    tip.hidden = false;
    const w = tip.offsetWidth, h = tip.offsetHeight;
    const [px, py] = cross.pointer;
    const left = px + 72 + w < innerWidth ? px + 64 : px - w - 64;
    tip.style.transform = `translate(${Math.round(zs.clamp(left, 4, innerWidth - w - 4))}px,${Math.round(zs.clamp(py + 18, 4, innerHeight - h - 4))}px)`;
    if (cell) {
      const ctx = p.octx;
      ctx.strokeStyle = zs.colors().text;
      ctx.lineWidth = 1.5;
      const [x, y, bw, bh] = cell.box;
      ctx.strokeRect(x - 0.75, y - 0.75, Math.max(2, bw) + 1.5, Math.max(2, bh) + 1.5);
    }
  }

  const repaint = () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      for (const p of zs.panels.values()) if (p.visible && p.geo) zs.paintOver(p);
      showTip();
    });
  };
  zs.repaintOver = repaint;

  /** Moves the crosshair to a point of a panel; the pointer's page position places the tooltip. */
  zs.hover = (p, x, y, pointer) => {
    if (!p.geo || !p.tx || p.kind === "spark") return;
    const t = p.tx(zs.clamp(x, p.geo.x, p.geo.x + p.geo.w));
    moved = performance.now();
    if (zs.following() && !state.hold && p.kind !== "strip") {
      state.hold = { now: zs.now(), since: moved };
      zs.emit("mode");
    }
    cross = { t, panel: p, y, pointer };
    repaint();
  };
  zs.unhover = () => {
    if (!cross && !state.hold) return;
    cross = null;
    tip.hidden = true;
    letGo();
    repaint();
  };
  function letGo() {
    if (!state.hold) return;
    state.hold = null;
    zs.emit("mode");
  }
  setInterval(() => {
    if (state.hold && performance.now() - moved > LET_GO_MS) letGo();
  }, 5000);

  /** Pins the instant on all panels, or takes the pin away when it is clicked again. */
  zs.pin = (t, p) => {
    const near = p && state.pin !== null && Math.abs(p.px(t) - p.px(state.pin)) < 4;
    state.pin = t === null || near ? null : t;
    zs.saveState(false);
    repaint();
  };
  zs.on("url", repaint);
})();
