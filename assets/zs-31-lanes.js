/* Lanes: one row per group, each as high as its own cap, so that touching the row's top means capped.
   A second series of a group, with a state, is drawn over the first in that state's colour. */
(() => {
  "use strict";
  const zs = window.zs;

  zs.kinds.lanes = (p, ctx) => {
    const c = zs.colors();
    const rows = new Map();
    p.meta.series.forEach((s, r) => {
      if (!p.selected(s) && !(s.state && p.selected({ id: s.group }))) return;
      const key = s.group || s.id;
      if (!rows.has(key)) rows.set(key, []);
      rows.get(key).push({ r, s });
    });
    zs.axes(p, { range: [Math.max(1, rows.size), 0], ticks: [], nogrid: true });
    const g = p.geo;
    const rowH = g.h / Math.max(1, rows.size);
    zs.setY(p, rows.size || 1, 0, false);
    const [i0, i1] = p.columns();
    const k = (g.w * p.step) / (p.win[1] - p.win[0]);
    p.series = [];
    p.lanes = [];
    let row = 0;
    for (const [key, parts] of rows) {
      const first = parts[0];
      const top = g.y + row * rowH + Math.min(6, rowH * 0.15), base = g.y + (row + 1) * rowH - 1;
      let cap = first.s.cap, max = 0;
      for (const { r } of parts) {
        for (let i = i0; i < i1; i++) {
          const v = p.values[r * p.cap + i];
          if (v > max) max = v;
        }
      }
      const full = cap || zs.shared(p, `lane ${key}`, [0, max])[1] * 1.15 || 1;
      const y = (v) => base - Math.min(1.02, v / full) * (base - top);
      let now = "";
      zs.clip(ctx, { x: g.x, y: top, w: g.w, h: base - top });
      for (const { r, s } of parts) {
        const o = r * p.cap;
        ctx.fillStyle = s.state === "bad" ? c.bad : s.state === "warn" ? c.warn_fill : c.fill;
        const reach = Math.max(1, Math.ceil(1.5 * p.cadence));
        ctx.beginPath();
        let run = -1;
        const close = (i) => {
          ctx.lineTo(p.px(p.start + i * p.step), base);
          ctx.closePath();
        };
        let last = -1;
        for (let i = Math.max(0, i0 - 1); i < Math.min(p.n, i1 + 1); i++) {
          const v = p.values[o + i];
          if (v !== v) continue;
          const x = p.px(p.start + i * p.step);
          if (run < 0 || i - last > reach) {
            if (run >= 0) close(last + 1);
            ctx.moveTo(x, base);
            run = i;
          }
          ctx.lineTo(x, y(v));
          ctx.lineTo(x + k * Math.max(1, p.cadence), y(v));
          last = i;
          if (s.state && i >= i1 - 1 - reach) now = s.state;
        }
        if (run >= 0) close(last + 1);
        ctx.fill();
        p.series.push({ r, s, y: (i) => y(p.values[o + i]) });
      }
      ctx.restore();
      ctx.fillStyle = c.line;
      ctx.fillRect(g.x, Math.round(top) - 1, g.w, cap ? 1 : 0);
      ctx.fillStyle = c.hairline;
      ctx.fillRect(g.x, Math.round(base), g.w, 1);
      ctx.font = zs.font(11, now ? 600 : 400);
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      ctx.fillStyle = now ? c.text : c.text2;
      const name = first.s.label || key;
      ctx.fillText(zs.ellipsis(ctx, name, g.x - 10), g.x - 8, (top + base) / 2);
      p.lanes.push({ key, y0: g.y + row * rowH, y1: base, now, cap });
      row += 1;
    }
    p.bottom = g.y + g.h;
    zs.panelState(p, p.lanes.filter((l) => l.now).map((l) => [l.now, `${l.key} at cap`]));
    zs.paintGaps(p, ctx, g.y, g.y + g.h, false);
    zs.paintEvents(p, ctx, g.y, g.y + g.h);
  };

  /** Words at the right of a panel's head: [[state, text], ...]; beyond three they are counted. */
  zs.panelState = (p, said) => {
    const el = p.el.querySelector(".zs-panel-state");
    if (!el) return;
    const more = said.length > 3 ? [["", `${said.length - 3} more`]] : [];
    zs.keyed(el, [...said.slice(0, 3), ...more], (x) => x.join(), ([state, text]) => zs.h("span", state ? `zs-${state}` : "", state ? zs.icon(state === "bad" ? "trouble" : "warn") : "", ` ${text}`), () => {});
  };
})();
