/* Pointer on a plot: hover, click to pin, drag to zoom time (Shift or a vertical drag: the y axis), double click out.
   On the strip: drag the box, or draw a new one. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;
  const LEAST_DRAG = 5;

  const spot = (p, e) => {
    const r = p.plot.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  const inside = (p, x, y) => {
    const g = p.geo;
    return g && x >= g.x - 2 && x <= g.x + g.w + 2 && y >= g.y - 19 && y <= (p.bottom || g.y + g.h) + 2;
  };

  zs.listen = (p) => {
    const el = p.over;
    el.tabIndex = 0;
    el.setAttribute("role", "img");
    el.setAttribute("aria-label", `${p.el.dataset.title || p.name}: plot; arrow keys move the instant, Enter pins it`);
    let down = null, pinned = null; // the pin before the first click of a double click

    el.addEventListener("pointermove", (e) => {
      const [x, y] = spot(p, e);
      if (down) {
        const dx = x - down.x, dy = y - down.y;
        if (!down.moved && Math.hypot(dx, dy) < LEAST_DRAG) return;
        if (!down.moved) {
          down.moved = true;
          down.axis = p.kind !== "lanes" && p.kind !== "strip" && (e.shiftKey || Math.abs(dy) > 2 * Math.abs(dx)) ? "y" : "x";
        }
        if (p.kind === "strip") return brush(p, down, x);
        p.drag = { axis: down.axis, x0: down.x, x1: zs.clamp(x, p.geo.x, p.geo.x + p.geo.w), y0: down.y, y1: zs.clamp(y, p.geo.y, p.geo.y + p.geo.h) };
      }
      if (inside(p, x, y) || down) zs.hover(p, x, y, e.pointerType === "touch" ? [e.clientX, e.clientY - 60] : [e.clientX, e.clientY]);
      else zs.unhover();
    });
    el.addEventListener("pointerdown", (e) => {
      const [x, y] = spot(p, e);
      if (e.button !== 0 || !inside(p, x, y) || !p.meta) return;
      down = { x, y, moved: false, range: zs.range() };
      down.grab = p.kind === "strip" && p.tx(x) >= down.range[0] && p.tx(x) <= down.range[1];
      el.setPointerCapture(e.pointerId);
    });
    el.addEventListener("pointerup", (e) => {
      if (!down) return;
      const d = down;
      down = null;
      const [x] = spot(p, e);
      if (p.kind === "strip") {
        const r = p.brush || centred(p, d, x);
        p.brush = null;
        return zs.setRange(...r);
      }
      const drag = p.drag;
      p.drag = null;
      if (!d.moved) {
        if (!pinned || e.timeStamp - pinned.at > 500) pinned = { t: state.pin, at: e.timeStamp };
        if (zs.cross()) zs.pin(zs.cross().t, p);
        return;
      }
      if (!drag) return;
      if (drag.axis === "y") {
        const ends = [p.vy(drag.y0), p.vy(drag.y1)].sort((a, b) => a - b);
        for (const q of [p, p.mate]) if (q && ends[1] > ends[0]) state.y[q.id] = ends;
        zs.saveState(true);
        zs.emit("mode");
      } else {
        const ends = [p.tx(drag.x0), p.tx(drag.x1)].sort((a, b) => a - b);
        zs.unhover();
        zs.setRange(ends[0], Math.max(ends[1], ends[0] + 1));
      }
    });
    el.addEventListener("pointercancel", () => {
      down = p.drag = p.brush = null;
      zs.repaintOver();
    });
    el.addEventListener("pointerleave", () => {
      if (!down) zs.unhover();
    });
    el.addEventListener("dblclick", () => {
      if (pinned) zs.pin(pinned.t);
      if (state.y[p.id]) {
        for (const q of [p, p.mate]) if (q) delete state.y[q.id];
        zs.saveState(true);
        zs.emit("mode");
      } else zs.zoomOut();
    });
    el.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      const up = { ArrowUp: -1, ArrowDown: 1 }[e.key];
      const at = zs.cross();
      if (e.key === "Enter" && at) zs.pin(at.t, p);
      else if (step || (up && p.kind === "heat")) {
        const t = (at ? at.t : p.newest() || p.win[1]) + (step || 0) * Math.max(p.step, (p.win[1] - p.win[0]) / p.geo.w);
        const y = zs.clamp((at && at.y !== null && at.y !== undefined ? at.y : p.geo.y + p.geo.h / 2) + (up || 0) * 6, p.geo.y - 17, p.geo.y + p.geo.h - 1);
        const r = p.plot.getBoundingClientRect();
        zs.hover(p, p.px(t), y, [r.left + p.px(t), r.top + y]);
      } else return;
      e.preventDefault();
      e.stopPropagation();
    });
    el.addEventListener("blur", () => zs.unhover());
  };

  function brush(p, d, x) {
    const t = p.tx(zs.clamp(x, p.geo.x, p.geo.x + p.geo.w)), t0 = p.tx(d.x);
    p.brush = d.grab ? [d.range[0] + t - t0, d.range[1] + t - t0] : [Math.min(t, t0), Math.max(t, t0)];
    zs.invalidate(p);
  }
  function centred(p, d, x) {
    const half = (d.range[1] - d.range[0]) / 2, t = p.tx(x);
    return [t - half, t + half];
  }
})();
