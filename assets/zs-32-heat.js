/* Heat map: time across, buckets at their true bounds up, count as colour by rank (default), square root or linear.
   One image pixel per cell, stretched row by row without smoothing; where columns are narrower than a device pixel
   they are summed, so a lone outlier is never lost between pixels. */
(() => {
  "use strict";
  const zs = window.zs;
  const OVER = 8, SPACE = 10; // overflow row and the room under it, px: its label and the one of the axis do not touch
  const SHARES = 8, FAINT = 0.3; // steps of a lit key's share of a cell, and how strongly the least of them shows

  /** lut[count bin] -> step of the ramp; also the counts at the ends and thirds for the scale. */
  const BINS = 4096, HALF = 2048;
  const bin = (v) => (v < HALF ? v | 0 : Math.min(BINS - 1, HALF + Math.floor(Math.log2(v / HALF) * 64)));
  const unbin = (b) => (b < HALF ? b : Math.round(HALF * 2 ** ((b - HALF) / 64)));

  function histogram(cells) {
    const hist = new Uint32Array(BINS);
    let n = 0, max = 0;
    for (let i = 0; i < cells.length; i++) {
      const v = cells[i];
      if (!(v > 0)) continue;
      hist[bin(Math.max(1, v))] += 1;
      n += 1;
      if (v > max) max = v;
    }
    return { hist, n, max };
  }
  /** Of a map alone, or with the one that it is compared with: the same colour is the same count. */
  function coloring(seen, other, how, steps) {
    const hist = other ? seen.hist.map((v, b) => v + other.hist[b]) : seen.hist;
    const n = seen.n + (other ? other.n : 0), max = Math.max(seen.max, other ? other.max : 0);
    const lut = new Uint8Array(BINS);
    const at = [];
    let below = 0;
    for (let b = 0; b < BINS; b++) {
      if (how === "rank") {
        // A count's place: share of cells with less, its own half taken in; one event is always the first step.
        const place = n ? (below + hist[b] / 2) / n : 0;
        lut[b] = b <= 1 ? 0 : Math.min(steps - 1, Math.max(hist[b] && below === 0 ? 0 : 1, Math.floor(place * steps)));
      } else {
        const x = unbin(b) / (max || 1);
        lut[b] = Math.min(steps - 1, Math.floor((how === "sqrt" ? Math.sqrt(x) : x) * steps));
      }
      if (hist[b]) {
        while (at.length < 3 && below + hist[b] > (n * [0, 1 / 3, 2 / 3][at.length])) at.push(unbin(b));
        below += hist[b];
      }
    }
    const scale = how === "rank" ? [...at, Math.round(max)] : [0, 1 / 3, 2 / 3, 1].map((x) => Math.round(max * (how === "sqrt" ? x * x : x)));
    return { lut, scale: n ? scale : [], max };
  }

  const pack = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;
  /** Colours of a map by name: all events, the crowd beside lit keys, each lit key. */
  function ramp(c, name) {
    c.ramps = c.ramps || {};
    if (!c.ramps[name]) c.ramps[name] = Uint32Array.from(zs.ramp(name).map((css) => pack(zs.rgb(css))));
    return c.ramps[name];
  }
  // Each further lit key is 91 degrees on from the first one's orange; the second round falls between the first.
  const HUES = [21, 112, 203, 294, 66, 157, 248, 339];
  const light = (x) => 0.3 * x[0] + 0.59 * x[1] + 0.11 * x[2];
  function hsl(hue, s, l) {
    const k = (n) => (n + hue / 30) % 12;
    const a = s * Math.min(l, 1 - l);
    return [0, 8, 4].map((n) => 255 * (l - a * Math.max(-1, Math.min(k(n) - 3, 9 - k(n), 1))));
  }
  /** Steps of a ramp, low to high: 'heat', 'rest', or 'key1' … for lit keys, each its own hue. */
  zs.ramp = (name) => {
    const c = zs.colors();
    if (name === "heat") return c.heat;
    if (name === "rest") return c.heat_rest;
    if (name === "key1") return c.heat_key;
    c.keys = c.keys || {};
    if (c.keys[name]) return c.keys[name];
    // The first lit ramp's own lightness, step for step, in another hue.
    const hue = HUES[(Number(name.slice(3)) - 1) % HUES.length];
    return (c.keys[name] = c.heat_key.map((css) => {
      const aim = light(zs.rgb(css));
      let lo = 0, hi = 1;
      for (let i = 0; i < 20; i++) {
        const mid = (lo + hi) / 2;
        if (light(hsl(hue, 0.72, mid)) < aim) lo = mid;
        else hi = mid;
      }
      return `#${hsl(hue, 0.72, lo).map((v) => zs.clamp(Math.round(v), 0, 255).toString(16).padStart(2, "0")).join("")}`;
    }));
  };
  /** [share step][count step] of a lit key: the crowd's grey of that count, the more of the key's hue the larger its share. */
  function mixed(c, nth) {
    c.mixes = c.mixes || {};
    const name = `key${nth}`;
    return (c.mixes[name] = c.mixes[name] || zs.shares(name).map((steps) => Uint32Array.from(steps.map((css) => pack(zs.rgb(css))))));
  }
  zs.shares = (name) => {
    const key = zs.ramp(name).map(zs.rgb), rest = zs.ramp("rest").map(zs.rgb);
    return Array.from({ length: SHARES }, (_, k) => {
      const t = FAINT + ((1 - FAINT) * k) / (SHARES - 1);
      return key.map((x, i) => `#${x.map((v, j) => Math.round(v * t + rest[i][j] * (1 - t)).toString(16).padStart(2, "0")).join("")}`);
    });
  };
  const share = (own, of) => zs.clamp(Math.floor((own / of) * SHARES), 0, SHARES - 1);

  /** Bounds shown: [lo, hi] of the axis and the first row that overflows. */
  function shown(p) {
    const { bounds, rows } = p.heat;
    const unit = p.meta.heat.unit || p.meta.unit;
    const positive = bounds.filter((b) => b > 0 && Number.isFinite(b));
    let lo = positive[0], hi = Math.min(bounds[rows - 1], 1e300);
    if (!Number.isFinite(hi)) hi = positive[positive.length - 1];
    if (p.meta.yrange) [lo, hi] = p.meta.yrange;
    else if (unit === "s") [lo, hi] = [Math.max(lo, Math.min(1e-4, zs.shared(p, "lowest", [lowest(p) || 1e-4, 0])[0])), Math.min(hi, 1)];
    const zoomed = zs.state.y[p.id];
    if (zoomed) [lo, hi] = zoomed;
    let over = bounds.findIndex((b) => b >= hi * 0.999);
    if (over < 0) over = rows;
    return { lo, hi, over, unit };
  }
  function lowest(p) {
    // The lowest bucket that holds more than a thousandth of what is shown.
    const [i0, i1] = p.columns();
    const { rows, counts, bounds } = p.heat;
    const sums = new Float64Array(rows);
    let all = 0;
    for (let i = i0; i < i1; i++) for (let r = 0; r < rows; r++) {
      const v = counts[i * rows + r];
      if (v > 0) {
        sums[r] += v;
        all += v;
      }
    }
    let acc = 0;
    for (let r = 0; r < rows; r++) {
      acc += sums[r];
      if (acc > all / 1000) {
        const held = p.axis.lowest;
        const b = bounds[r] || bounds[1];
        if (!held || b < held || b > held * 8) p.axis.lowest = b;
        return p.axis.lowest;
      }
    }
    return 0;
  }

  /** Whether a shown column has events in row `over` or higher. */
  function above(p, over) {
    const [i0, i1] = p.columns();
    const { rows, counts } = p.heat;
    for (let i = i0; i < i1; i++) for (let r = over; r < rows; r++) if (counts[i * rows + r] > 0) return true;
    return false;
  }

  function powers(lo, hi) {
    const out = [];
    for (let v = 1; v <= hi * 1.001; v *= 8) if (v >= lo * 0.999) out.push([v, zs.fmtExact(v, "B").join("\u2009")]);
    return out;
  }
  function linearTicks(lo, hi, unit, height) {
    const sc = zs.scale(unit, hi), out = [];
    const step = zs.niceStep((hi - lo) / sc.div, Math.max(2, height / 50)) * sc.div;
    for (let k = Math.ceil(lo / step); k * step <= hi * 1.0001; k++) out.push([k * step, `${Number(((k * step) / sc.div).toPrecision(6))}\u2009${sc.unit}`]);
    return out;
  }
  /** Counts of the shown columns, those that share a device pixel summed. */
  function folded(counts, rows, i0, n, fold, cols) {
    const cells = new Float32Array(cols * rows);
    if (fold === 1) cells.set(counts.subarray(i0 * rows, (i0 + n) * rows));
    else {
      for (let i = 0; i < n; i++) for (let r = 0; r < rows; r++) {
        const v = counts[(i0 + i) * rows + r];
        if (v > 0) cells[Math.floor(i / fold) * rows + r] += v;
      }
    }
    return cells;
  }

  zs.kinds.heat = (p, ctx) => {
    if (!p.heat) return zs.kinds.lines(p, ctx);
    const c = zs.colors();
    const { bounds, rows, counts } = p.heat;
    const { lo, hi, over, unit } = shown(p);
    const { H } = p.box;
    const room = over < rows ? OVER + SPACE : 0;
    // A linear axis ends where its values do: its row of what is over it comes with the first of them.
    const band = room > 0 && (p.meta.yscale !== "linear" || above(p, over));
    const ph = p.gd ? p.gd._fullLayout._size.h : H;
    const log = p.meta.yscale !== "linear";
    const ticks = log ? (unit === "B" ? powers(lo, hi) : zs.logTicks(lo, hi, unit)) : linearTicks(lo, hi, unit, p.geo.h);
    zs.axes(p, { range: [lo, hi], log, ticks, domain: [0, 1 - room / ph], nogrid: true });
    const g = p.geo;
    zs.setY(p, lo, hi, log);
    const [i0, i1] = p.columns();
    const n = i1 - i0;
    const dpr = window.devicePixelRatio || 1;
    const x0 = p.px(p.start + i0 * p.step), x1 = p.px(p.start + i1 * p.step);
    // Sum columns that share a device pixel.
    const most = Math.max(1, Math.round((x1 - x0) * dpr));
    const fold = Math.max(1, Math.ceil(n / most));
    const cols = Math.ceil(n / fold);
    const cells = folded(counts, rows, i0, n, fold, cols);
    const how = (zs.state.sel[`${p.id}.color`] || ["rank"])[0];
    const lit = p.heat.lit.map((map) => folded(map, rows, i0, n, fold, cols));
    const show = lit.length ? (zs.state.sel[`${p.id}.show`] || ["all"])[0] : "all"; // or only lit keys, or all but them
    const drawn = show === "all" ? cells : cells.map((v, at) => {
      let own = 0;
      for (const x of lit) if (x[at] > 0) own += x[at];
      return show === "only" ? own : Math.max(0, v - own);
    });
    const pal = ramp(c, lit.length && show !== "but" ? "rest" : "heat");
    p.counted = histogram(drawn);
    const mate = p.mate;
    const alike = mate && mate.counted && mate.step === p.step; // of columns as wide as these
    const { lut, scale, max } = coloring(p.counted, alike && mate.counted, how, pal.length);
    if (alike && mate.scale && String(mate.scale.scale) !== String(scale)) zs.invalidate(mate);
    p.scale = { how, scale };
    p.litScales = [max, ...lit.map((x) => x.reduce((a, b) => (b > a ? b : a), 0))];
    const mixes = show === "but" ? [] : lit.map((_, l) => mixed(c, l + 1));
    /** Lightness says how many, the hue which lit key has most of them, its strength the lit keys' share. */
    const shade = (v, own) => {
      const step = lut[bin(v < 1 ? 1 : v)];
      let sum = 0, most = 0, key = -1;
      for (let l = 0; l < mixes.length; l++) {
        const o = own(l);
        if (!(o > 0)) continue;
        sum += o;
        if (o > most) [most, key] = [o, l];
      }
      return key < 0 ? pal[step] : mixes[key][show === "only" ? SHARES - 1 : share(sum, v)][step];
    };
    if (cols && rows) {
      if (!p.image || p.image.width !== cols || p.image.height !== rows + 1) {
        p.image = new OffscreenCanvas(cols, rows + 1);
        p.imageData = new ImageData(cols, rows + 1);
        p.pixels = new Uint32Array(p.imageData.data.buffer);
      }
      const px = p.pixels;
      px.fill(0);
      // Image row 0 is the lowest bucket; row `rows` gathers what overflows.
      for (let i = 0; i < cols; i++) {
        const o = i * rows;
        let sum = 0;
        for (let r = 0; r < rows; r++) {
          const v = drawn[o + r];
          if (!(v > 0)) continue;
          px[r * cols + i] = shade(v, (l) => lit[l][o + r]);
          if (r >= over) sum += v;
        }
        if (sum > 0) {
          px[rows * cols + i] = shade(sum, (l) => {
            let own = 0;
            for (let r = over; r < rows; r++) if (lit[l][o + r] > 0) own += lit[l][o + r];
            return own;
          });
        }
      }
      const ictx = p.image.getContext("2d");
      ictx.putImageData(p.imageData, 0, 0);
      ctx.imageSmoothingEnabled = false;
      const w = (cols * fold * (x1 - x0)) / n;
      zs.clip(ctx, g, 0);
      let first = 0;
      while (first < rows - 1 && bounds[first + 1] <= lo) first += 1;
      // Equal rows (a quantize's powers of two on a log axis) go in one call, others each at its true bounds.
      const edge = (r) => (r >= rows ? bounds[rows - 1] * (bounds[rows - 1] / (bounds[rows - 2] || 1) || 2) : Math.max(bounds[r], lo * 1e-3));
      const ys = [];
      for (let r = first; r <= over; r++) ys.push(Math.round(p.py(edge(r)) * dpr) / dpr);
      for (let r = first; r < over; r++) {
        const yTop = ys[r - first + 1], yBottom = ys[r - first];
        ctx.drawImage(p.image, 0, r, cols, 1, x0, yTop, w, yBottom - yTop);
      }
      ctx.restore();
      if (band) {
        const oy = g.y - SPACE - OVER;
        zs.clip(ctx, { x: g.x, y: oy, w: g.w, h: OVER }, 0);
        ctx.drawImage(p.image, 0, rows, cols, 1, x0, oy, w, OVER);
        ctx.restore();
        ctx.fillStyle = c.line;
        ctx.fillRect(g.x, Math.round(g.y - SPACE / 2), g.w, 1);
        ctx.font = zs.font(11);
        ctx.textAlign = "right";
        ctx.textBaseline = "middle";
        ctx.fillStyle = c.text3;
        const text = `> ${zs.fmtExact(hi, unit).join("\u2009")}`;
        const tight = ctx.measureText(text).width > g.x - 8; // the margin fits the ticks, which have no sign before them
        if (tight) ctx.font = zs.font(10);
        ctx.fillText(text, g.x - (tight ? 2 : 6), oy + OVER / 2);
      }
      p.cells = { first, over, edge, lo, hi, unit, fold, i0, band };
    }
    p.bottom = g.y + g.h;
    const top = g.y - room;
    overlays(p, ctx, c, i0, i1);
    zs.paintGaps(p, ctx, top, p.bottom, false);
    zs.paintEvents(p, ctx, top, p.bottom);
  };

  function overlays(p, ctx, c, i0, i1) {
    p.series = [];
    const g = p.geo;
    zs.clip(ctx, g, 0);
    let nth = 0;
    p.meta.series.forEach((s, r) => {
      const table = s.group === "table";
      if (!p.isDrawn(s) || (table && !p.selected(s))) return;
      const path = new Path2D();
      const o = r * p.cap;
      let pen = false;
      for (let i = i0; i < i1; i++) {
        const v = p.values[o + i];
        if (!(v > 0)) {
          pen = pen && v === 0;
          continue;
        }
        const x = p.px(p.start + (i + 0.5) * p.step), y = p.py(v);
        if (pen) path.lineTo(x, y);
        else path.moveTo(x, y);
        pen = true;
      }
      ctx.lineJoin = "round";
      ctx.setLineDash(s.dash === "solid" && nth === 0 ? [] : s.dash === "dot" ? [2, 3] : [6, 4]);
      ctx.strokeStyle = c.bg;
      ctx.lineWidth = 4;
      ctx.stroke(path);
      ctx.strokeStyle = s.state === "bad" ? c.bad : c.text;
      ctx.lineWidth = 1.75;
      ctx.stroke(path);
      ctx.setLineDash([]);
      nth += 1;
      p.series.push({ r, s, named: true, y: (i) => p.py(p.values[o + i]) });
    });
    ctx.restore();
    // Rows in trouble are named at their height, at the right edge.
    const bad = p.meta.series.map((s, r) => ({ s, r })).filter((x) => x.s.group === "table" && x.s.state === "bad");
    zs.panelState(p, bad.map((x) => ["bad", `${x.s.label} slow`]));
    for (const { s, r } of bad.slice(0, 2)) {
      const i = p.at(Math.min(p.win[1], p.start + p.n * p.step) - 1e-3);
      const v = i < 0 ? NaN : p.values[r * p.cap + i];
      if (v > 0) zs.halo(ctx, `${s.label} slow`, g.x + g.w - 6, zs.clamp(p.py(v) + 24, g.y + 8, g.y + g.h - 8), c.bad, 600, 11, "right");
    }
  }

  /** Cell under (t, py): {t0, t1, lo, hi, count, unit, box} or null. */
  zs.cellAt = (p, t, py) => {
    const k = p.cells;
    if (!k || !p.heat) return null;
    const i = Math.floor((t - p.start) / p.step);
    if (i < 0 || i >= p.n) return null;
    const inOver = k.band && py < p.geo.y - SPACE / 2;
    const v = p.vy(py);
    let r = inOver ? k.over : p.heat.bounds.findIndex((b, j) => v >= b && v < k.edge(j + 1));
    if (r < 0) return null;
    const from = Math.floor((i - k.i0) / k.fold) * k.fold + k.i0;
    let count = 0, has = false;
    for (let j = from; j < from + k.fold && j < p.n; j++) {
      for (let q = r; q < (inOver ? p.heat.rows : r + 1); q++) {
        const x = p.heat.counts[j * p.heat.rows + q];
        if (x === x) has = true;
        if (x > 0) count += x;
      }
    }
    const t0 = p.start + from * p.step, t1 = t0 + k.fold * p.step;
    const hi = inOver ? Infinity : k.edge(r + 1);
    const y0 = inOver ? p.geo.y - SPACE - OVER : p.py(hi), y1 = inOver ? y0 + OVER : p.py(Math.max(p.heat.bounds[r], k.lo));
    return { t0, t1, lo: p.heat.bounds[r], hi, count, has, unit: k.unit, row: r, col: from, box: [p.px(t0), y0, p.px(t1) - p.px(t0), y1 - y0] };
  };
})();
