/* A panel: its columns of numbers on a time grid, the window it shows, what the legend says of it.
   Columns lie in rings of twice the window; nothing grows. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;

  class Panel {
    /** Seconds that its values are before the page's range: the same hours of another day. */
    get shift() {
      return Number(this.query.shift) || 0;
    }
    /** The panel that it is compared with, once that one has something; both are drawn on the same scales. */
    get mate() {
      if (!this.el.classList.contains("zs-compared")) return null;
      const q = zs.panels.get(this.id.replace(/-([ab])$/, (_, x) => (x === "a" ? "-b" : "-a")));
      return q && q !== this && q.meta && q.win && q.el.isConnected ? q : null;
    }
    constructor(el) {
      this.el = el;
      this.id = el.id;
      this.kind = el.dataset.kind || "lines";
      this.name = el.dataset.panel;
      this.query = JSON.parse(el.dataset.query || "{}");
      this.plot = el.querySelector(".zs-plot");
      this.legend = el.querySelector(".zs-legend");
      this.canvas = el.querySelector("canvas.zs-canvas");
      if (!this.canvas) this.plot.append((this.canvas = zs.h("canvas", "zs-canvas")));
      this.over = zs.h("canvas", "zs-over");
      this.plot.append(this.over);
      this.ctx = this.canvas.getContext("2d");
      this.octx = this.over.getContext("2d");
      this.meta = null;
      this.visible = true;
      this.drawMs = 0;
      this.seq = 0;
      this.axis = {};
      this.geo = null;
    }

    fill(h, arrays) {
      const { start, step, n } = h.grid;
      const old = this.meta;
      this.el.classList.add("zs-filled");
      Object.assign(this, { meta: h, start, step, n, first: start, width: n });
      this.cap = Math.max(64, 2 * n + 16);
      const rows = h.series.length;
      const ring = (a) => {
        if (!a) return null;
        const out = new Float32Array(rows * this.cap).fill(NaN);
        for (let r = 0; r < rows; r++) out.set(a.subarray(r * n, (r + 1) * n), r * this.cap);
        return out;
      };
      this.values = ring(arrays.values) || new Float32Array(0);
      this.low = ring(arrays.low);
      this.high = ring(arrays.high);
      this.heat = null;
      if (h.heat) {
        const k = h.heat.bounds.length;
        const shape = (h.arrays || []).find((a) => a[0] === "heat");
        const layers = shape && k ? Math.max(1, Math.round(shape[2] / k)) : 1;
        const map = () => new Float32Array(this.cap * k).fill(NaN);
        this.heat = { rows: k, bounds: h.heat.bounds.map((b) => (b === null ? 0 : b)), counts: map(), lit: Array.from({ length: layers - 1 }, map) };
        if (arrays.heat) for (let i = 0; i < n; i++) this.putHeat(i, arrays.heat, i);
      }
      this.events = h.events || [];
      if (!old || old.unit !== h.unit || old.yscale !== h.yscale) this.axis = {};
      this.axis.y = null;
      this.measureCadence();
      this.setEmpty(h.empty, h.hint);
    }

    /** Column `k` of what was sent (all events, then each lit key's) becomes column `i`. */
    putHeat(i, sent, k) {
      const { rows, counts, lit } = this.heat;
      const from = k * rows * (1 + lit.length);
      counts.set(sent.subarray(from, from + rows), i * rows);
      lit.forEach((one, l) => one.set(sent.subarray(from + (l + 1) * rows, from + (l + 2) * rows), i * rows));
    }
    /** Appends or replaces columns from epoch `at`; a hole stays NaN. False when only a refill can help. */
    tick(at, n, arrays) {
      if (!this.meta) return true;
      for (let k = 0; k < n; k++) {
        let i = Math.round((at + k * this.step - this.start) / this.step);
        if (i < 0) continue;
        if (i - this.n > this.cap / 2) return false;
        if (i >= this.cap) {
          this.drop(Math.max(i - this.cap + 1, this.n - this.width - 8));
          i = Math.round((at + k * this.step - this.start) / this.step);
        }
        if (i >= this.n) this.n = i + 1;
        const put = (ring, a) => {
          if (ring && a) for (let r = 0; r < this.meta.series.length; r++) ring[r * this.cap + i] = a[r * n + k];
        };
        put(this.values, arrays.values);
        put(this.low, arrays.low || arrays.values);
        put(this.high, arrays.high || arrays.values);
        if (this.heat && arrays.heat) {
          this.putHeat(i, arrays.heat, k);
        }
        if (this.empty && this.has(i)) this.setEmpty("");
      }
      return true;
    }
    drop(k) {
      k = Math.min(k, this.n);
      for (const ring of [this.values, this.low, this.high]) {
        if (!ring) continue;
        for (let r = 0; r < this.meta.series.length; r++) {
          const o = r * this.cap;
          ring.copyWithin(o, o + k, o + this.n);
          ring.fill(NaN, o + this.n - k, o + this.cap);
        }
      }
      if (this.heat) {
        const w = this.heat.rows;
        for (const map of [this.heat.counts, ...this.heat.lit]) {
          map.copyWithin(0, k * w, this.n * w);
          map.fill(NaN, (this.n - k) * w);
        }
      }
      this.start += k * this.step;
      this.n -= k;
    }

    /** Shows why the panel is empty, or, without a text, the plot. The picture before stays until then. */
    setEmpty(why, hint) {
      this.empty = why;
      let box = this.plot.querySelector(".zs-empty");
      if (this.kind === "spark" || this.kind === "strip") {
        this.el.title = why || "";
        return null;
      }
      this.el.classList.toggle("zs-is-empty", Boolean(why));
      if (!why) return box && box.remove();
      if (!box) this.plot.append((box = zs.h("div", "zs-empty")));
      box.replaceChildren(zs.h("p", "", why), zs.h("p", "zs-hint", hint || ""));
      return box;
    }

    has(i) {
      for (let r = 0; r < this.meta.series.length; r++) if (this.values[r * this.cap + i] === this.values[r * this.cap + i]) return true;
      const k = this.heat;
      return Boolean(k) && k.counts[i * k.rows] === k.counts[i * k.rows];
    }
    /** Columns between samples of a source slower than the grid (rcapstat every 5 s) are no gap. */
    measureCadence() {
      const steps = [];
      for (let i = this.n - 1, last = -1; i >= 0 && steps.length < 40; i--) {
        if (!this.has(i)) continue;
        if (last >= 0) steps.push(last - i);
        last = i;
      }
      steps.sort((a, b) => a - b);
      this.cadence = steps.length ? steps[steps.length >> 1] : 1;
    }

    /** Shown columns [i0, i1) for the window [x0, x1]. */
    columns(win = this.win) {
      const i0 = zs.clamp(Math.floor((win[0] - this.start) / this.step), 0, this.n);
      return [i0, zs.clamp(Math.ceil((win[1] - this.start) / this.step), i0, this.n)];
    }
    /** Runs without a sample of any series, [[from, to], ...] in epoch seconds; the last may reach to `until`. */
    gaps(until) {
      const [i0, i1] = this.columns();
      const out = [];
      let last = null;
      for (let i = i0; i < i1; i++) {
        if (!this.has(i)) continue;
        if (last !== null && i - last > Math.max(1, Math.ceil(1.5 * this.cadence))) {
          out.push([this.start + (last + 1) * this.step, this.start + i * this.step]);
        }
        last = i;
      }
      const end = last === null ? this.win[0] : this.start + (last + 1) * this.step;
      const stale = until - end > this.patience();
      return { gaps: out, staleFrom: stale ? Math.max(end, this.win[0]) : null, any: last !== null };
    }
    newest() {
      for (let i = this.n - 1; i >= 0; i--) if (this.has(i)) return this.start + (i + 1) * this.step;
      return null;
    }

    /** [x0, x1] epoch seconds: of the page's range, held still while hovered or paused. Live windows move by whole pixels. */
    window(px) {
      if (this.kind === "strip" || this.kind === "spark") {
        // Where samples stay away the strip ends early: its right edge goes on with the time.
        let end = this.start + this.n * this.step;
        if (this.old() && zs.following()) end = Math.ceil(zs.now() / this.step) * this.step;
        return [end - this.width * this.step, end];
      }
      const hold = state.hold || state.paused;
      let [a, b] = zs.range(hold ? hold.now : undefined);
      if (state.to === "now") {
        const q = Math.max(this.step || 1, (b - a) / Math.max(px, 1));
        const end = Math.ceil(b / q) * q;
        [a, b] = [end - (b - a), end];
      }
      return [a, b];
    }

    selected(s) {
      const sel = state.sel[this.id];
      return !sel || sel.includes(s.id);
    }
    /** What is drawn as a line: not the table-only rows of a heat map, not what has another unit than the panel. */
    isDrawn(s) {
      if (this.kind === "heat") return s.group === "overlay" || (s.group === "table" && Boolean(state.sel[this.id]));
      return this.inBand(s) || !this.meta.unit || !s.unit || s.unit === this.meta.unit;
    }
    /** A filled series of another unit than the panel's gets a band of its own under the plot (ghost hits under the ARC). */
    inBand(s) {
      return this.kind === "lines" && s.fill && Boolean(this.meta.unit) && Boolean(s.unit) && s.unit !== this.meta.unit;
    }

    /** Seconds without a sample after which a value is no longer that of now. */
    patience() {
      return Math.max(5, 3 * this.step * this.cadence);
    }
    /** End of the newest column, epoch seconds, where a page that follows the present has outlived it; else null. */
    old() {
      if (state.to !== "now" || !this.n) return null;
      const last = this.newest();
      const now = state.hold ? state.hold.now : state.paused ? state.paused.now : zs.now();
      return last !== null && now - last > this.patience() ? last : null;
    }
    /** Per series over the window: last, mean, p95, max, total, of what is drawn; `known` is the last there was. */
    stats() {
      const [i0, i1] = this.columns();
      const out = [];
      const now = state.hold ? state.hold.now : state.paused ? state.paused.now : zs.now();
      const least = (now - this.patience() - this.start) / this.step - 1;
      const tmp = new Float32Array(i1 - i0);
      for (let r = 0; r < this.meta.series.length; r++) {
        const o = r * this.cap;
        let n = 0, sum = 0, max = -Infinity, last = NaN, at = NaN;
        for (let i = i0; i < i1; i++) {
          const v = this.values[o + i];
          if (v !== v) continue;
          tmp[n++] = v;
          sum += v;
          const top = this.high ? this.high[o + i] : v;
          if (top > max) max = top;
          last = v;
          at = i;
        }
        const sorted = tmp.subarray(0, n).slice().sort();
        out.push({
          last: state.to !== "now" || at >= least ? last : NaN, known: last,
          mean: n ? sum / n : NaN, p95: n ? sorted[Math.min(n - 1, Math.floor(0.95 * n))] : NaN,
          max: n ? max : NaN, total: sum * this.step,
        });
      }
      return out;
    }
    /** Column index nearest to epoch t that has a sample within the cadence, or -1. */
    at(t) {
      const i = Math.floor((t - this.start) / this.step);
      for (let d = 0; d < Math.max(1, this.cadence); d++) if (i - d >= 0 && i - d < this.n && this.has(i - d)) return i - d;
      return -1;
    }

    /** The head of what is of another day says which: "a day earlier, 23 Nov". */
    sayDay() {
      const sub = this.el.querySelector(".zs-panel-sub");
      if (this.word === undefined) this.word = sub.textContent;
      const [a, b] = this.win.map((t) => zs.day(t - this.shift, false));
      zs.text(sub, `${this.word}, ${a}${a === b ? "" : ` to ${b}`}`);
    }
    paint() {
      if (!this.meta || !this.visible || document.hidden) return;
      const t0 = performance.now();
      if (!zs.layout(this)) {
        // plotly is not there yet
        setTimeout(() => zs.invalidate(this), 100);
        return;
      }
      this.el.classList.add("zs-drawn");
      const kind = zs.kinds[this.kind] || zs.kinds.lines;
      kind(this, this.ctx);
      if (this.shift) this.sayDay();
      if (this.kind !== "spark") zs.paintTime(this, this.ctx);
      zs.paintOld(this);
      zs.paintOver(this);
      if (this.legend) zs.paintLegend(this);
      this.drawMs = performance.now() - t0;
    }
  }
  zs.Panel = Panel;
})();
