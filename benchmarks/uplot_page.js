/* The peer of benchmarks/draw.py: the same panels off the same wire, drawn with uPlot as its own demos do. */
(() => {
  "use strict";
  const W = 1240, LEFT = 48;
  const COLORS = ["#b6ebea", "#9887f2", "#d07f1a", "#d4eb66", "#67a1af", "#deb0fc", "#f2afb1", "#889e6d"];
  const HEAT = ["#2a4683", "#40507c", "#5c6376", "#7a7b78", "#979176", "#b7a970", "#d3c061", "#efdb63"];
  const panels = [];
  for (let i = 0; i < 8; i++) panels.push({ id: `lines-${i}`, panel: "bench_lines", query: { seed: i }, kind: "lines" });
  for (let i = 0; i < 2; i++) panels.push({ id: `area-${i}`, panel: "bench_area", query: { seed: 20 + i }, kind: "area" });
  panels.push({ id: "heat", panel: "bench_heat", query: {}, kind: "heat" });
  const byId = new Map(panels.map((p) => [p.id, p]));
  window.bench = { ticks: 0, bytes: 0 };

  const axes = [{ stroke: "#87919c", grid: { show: false }, size: 24 }, { stroke: "#87919c", grid: { stroke: "#20262d" }, size: LEFT }];
  function heatPaths(u, p) {
    // as in uPlot's latency heat map demo: a path per colour, a rectangle per cell
    const { rows, counts, start, n, bounds } = p;
    let max = 0;
    for (let i = 0; i < n * rows; i++) if (counts[i] > max) max = counts[i];
    const paths = HEAT.map(() => new Path2D());
    const x0 = u.valToPos(start, "x", true), dx = u.valToPos(start + 1, "x", true) - x0;
    const ys = bounds.map((b) => u.valToPos(b, "y", true));
    ys.push(u.valToPos(bounds[rows - 1] * (bounds[rows - 1] / bounds[rows - 2]), "y", true));
    for (let i = 0; i < n; i++) {
      for (let r = 0; r < rows; r++) {
        const v = counts[i * rows + r];
        if (!(v > 0)) continue;
        paths[Math.min(7, Math.floor(Math.sqrt(v / max) * 8))].rect(x0 + i * dx, ys[r + 1], dx, ys[r] - ys[r + 1]);
      }
    }
    u.ctx.save();
    u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    u.ctx.clip();
    paths.forEach((path, k) => {
      u.ctx.fillStyle = HEAT[k];
      u.ctx.fill(path);
    });
    u.ctx.restore();
  }
  function make(p) {
    const el = document.createElement("div");
    document.body.append(el);
    const height = p.kind === "heat" ? 200 : 120;
    const series = [{}];
    if (p.kind === "heat") series.push({ paths: () => null, points: { show: false } });
    else for (const c of COLORS) series.push({ stroke: c, width: 1.5, points: { show: false }, fill: p.kind === "area" ? c + "cc" : undefined });
    p.u = new uPlot({
      width: W + LEFT, height, axes, series, legend: { show: false }, cursor: { show: true },
      scales: { x: { time: true }, y: p.kind === "heat" ? { distr: 3, range: [p.bounds[0], p.bounds[p.rows - 1] * 1.33] } : {} },
      hooks: p.kind === "heat" ? { draw: [(u) => heatPaths(u, p)] } : {},
    }, data(p), el);
  }
  function data(p) {
    const x = Array.from({ length: p.n }, (_, i) => p.start + i);
    if (p.kind === "heat") return [x, x.map(() => p.bounds[0])];
    if (p.kind === "lines") return [x, ...p.values];
    const out = [];
    let sum = null;
    for (const v of p.values) {
      sum = sum ? v.map((y, i) => y + sum[i]) : v;
      out.unshift(sum);
    }
    return [x, ...out];
  }
  function decode(buffer) {
    const n = new DataView(buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, n)));
    let at = 4 + n;
    return [head, (arrays) => Object.fromEntries((arrays || []).map(([name, r, c]) => {
      const a = new Float32Array(buffer, at, r * c);
      at += 4 * r * c;
      return [name, a];
    }))];
  }
  const ws = new WebSocket(`ws://${location.host}/live`);
  ws.binaryType = "arraybuffer";
  ws.onopen = () => ws.send(JSON.stringify({ op: "watch", gen: 1, range: { from: "now-15m", to: "now" }, views: [],
    panels: panels.map(({ id, panel, query }) => ({ id, panel, query, points: W })) }));
  ws.onmessage = (e) => {
    if (typeof e.data === "string") return;
    bench.bytes += e.data.byteLength;
    const [h, take] = decode(e.data);
    if (h.op === "fill") {
      const p = byId.get(h.id), a = take(h.arrays);
      Object.assign(p, { start: h.grid.start, n: h.grid.n, width: h.grid.n });
      if (p.kind === "heat") Object.assign(p, { bounds: h.heat.bounds, rows: h.heat.bounds.length, counts: Array.from(a.heat) });
      else p.values = Array.from({ length: h.series.length }, (_, r) => Array.from(a.values.subarray(r * p.n, (r + 1) * p.n)));
      if (!p.u) make(p);
      return;
    }
    if (h.op !== "tick") return;
    for (const part of h.panels) {
      const p = byId.get(part.id), a = take(part.arrays);
      if (!p.u) continue;
      for (let k = 0; k < part.n; k++) {
        let i = Math.round(part.at + k - p.start);
        if (i < 0) continue;
        while (i >= p.width) {
          p.start += 1;
          i -= 1;
          if (p.kind === "heat") p.counts.splice(0, p.rows);
          else for (const v of p.values) v.shift();
        }
        p.n = Math.max(p.width, i + 1);
        if (p.kind === "heat") for (let r = 0; r < p.rows; r++) p.counts[i * p.rows + r] = a.heat[k * p.rows + r];
        else p.values.forEach((v, r) => (v[i] = a.values[r * part.n + k]));
      }
      p.u.setData(data(p));
    }
    requestAnimationFrame(() => {
      bench.ticks += 1;
      ws.send(JSON.stringify({ op: "ack", seq: h.seq }));
    });
  };
})();
