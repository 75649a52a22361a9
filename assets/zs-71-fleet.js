/* The Fleet page: a row per host; zones as boxes on the shelf of their host, trouble first and in words. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const RESORT_MS = 10000;
  const GONE = 255;
  const USES = { cpu: "cores", memory: "B", io: "B/s" };

  let boxes = new URLSearchParams(location.search).get("boxes") || "cpu";
  if (!USES[boxes]) boxes = "cpu";
  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-boxes]");
    if (!b) return;
    boxes = b.dataset.boxes;
    const q = new URLSearchParams(location.search);
    if (boxes === "cpu") q.delete("boxes");
    else q.set("boxes", boxes);
    const s = q.toString();
    history.replaceState(history.state, "", location.pathname + (s ? `?${s}` : ""));
    pressed();
    for (const v of zs.views.values()) if (v.name === "fleet" && v.data) zs.showView(v.id, v.data);
  });
  const pressed = () => {
    for (const b of document.querySelectorAll("[data-boxes]")) b.setAttribute("aria-pressed", String(b.dataset.boxes === boxes));
  };

  const bytes = new Map();
  function curve(text) {
    if (!text) return null;
    let a = bytes.get(text);
    if (!a) {
      if (bytes.size > 500) bytes.clear();
      a = Array.from(atob(text), (c) => (c.charCodeAt(0) === GONE ? NaN : c.charCodeAt(0) / 254));
      bytes.set(text, a);
    }
    return a;
  }
  /** Hatches the tail without samples. */
  function tail(ctx, w, hgt, v) {
    let n = 0;
    while (n < v.length && v[v.length - 1 - n] !== v[v.length - 1 - n]) n += 1;
    if (!n) return;
    const x = Math.min(w - 5, (w * (v.length - n)) / Math.max(1, v.length - 1));
    ctx.fillStyle = zs.hatch(ctx);
    ctx.fillRect(x, 0, w - x, hgt);
  }
  function area(ctx, v, w, base, hgt, color) {
    ctx.fillStyle = color;
    ctx.globalAlpha = 0.72;
    ctx.beginPath();
    let open = false;
    const x = (i) => (i / Math.max(1, v.length - 1)) * w;
    v.forEach((n, i) => {
      if (n !== n) {
        if (open) ctx.lineTo(x(i - 1), base);
        open = false;
        return;
      }
      if (!open) ctx.moveTo(x(i), base);
      open = true;
      ctx.lineTo(x(i), base - n * hgt);
    });
    if (open) ctx.lineTo(w, base);
    ctx.fill();
    ctx.globalAlpha = 1;
  }

  const bar = () => {
    const fill = h("i", "zs-bar-fill"), mark = h("i", "zs-bar-mark");
    const el = h("span", "zs-bar", fill, mark);
    el.zs = { fill, mark };
    return el;
  };
  const pct = (x) => `${zs.clamp(100 * x, 0, 100).toFixed(2)}%`;

  function make(row) {
    const name = h("a", "zs-host-name");
    const link = `${zs.config().base || "/"}host/${encodeURIComponent(row.host)}`;
    name.href = link;
    name.addEventListener("click", (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
      e.preventDefault();
      zs.go(link + (location.search ? location.search.replace(/([?&])boxes=[^&]*&?/, "$1").replace(/[?&]$/, "") : ""));
    });
    const z = {
      name, state: h("span", "zs-host-state"), model: h("span", "zs-host-model"), boxes: h("div", "zs-boxes"), line: h("div", "zs-shelf-line"),
      free: h("span", "zs-free"), pools: h("div", "zs-host-pools"), ioCanvas: h("canvas", "zs-io-curve"), read: h("b"), write: h("b"),
      p99Canvas: h("canvas", "zs-p99-curve"), p99: h("b", "zs-p99-value"), arc: bar(), arcValue: h("b"), target: h("i", "zs-arc-target"),
      min: h("i", "zs-bar-mark"), age: h("span", "zs-age"), reasons: h("div", "zs-reasons"),
    };
    z.arc.append(z.min, z.target);
    const el = h("section", "zs-host",
      h("div", "zs-host-id", h("div", "zs-host-top", name, z.state), z.model),
      h("div", "zs-shelf", z.boxes, z.line, z.free),
      z.pools,
      h("div", "zs-host-io", z.ioCanvas, h("div", "zs-rw", h("span", "", "r"), z.read, h("span", "", "w"), z.write)),
      h("div", "zs-host-p99", z.p99Canvas, z.p99),
      h("div", "zs-host-arc", z.arc, z.arcValue),
      h("div", "zs-host-age", z.age),
      z.reasons);
    el.zs = z;
    return el;
  }

  function zones(z, row) {
    const unit = USES[boxes];
    const shelf = row.shelf[boxes];
    const cap = (x) => x[boxes][1];
    const want = (x) => cap(x) || Math.max(x[boxes][0] || 0, x[boxes][2] || 0) * 1.1 || (shelf || 1) * 0.03;
    const equal = boxes === "io";
    const sum = row.zones.reduce((a, x) => a + want(x), 0);
    const total = equal ? row.zones.length : Math.max(shelf || 0, sum);
    const most = Math.max(...row.zones.map((x) => x[boxes][0] || 0), 1e-9);
    const width = z.boxes.clientWidth || 500;
    zs.keyed(z.boxes, row.zones, (x) => x.zone, () => {
      const el = h("div", "zs-box", h("span", "zs-box-name"), h("span", "zs-box-value"), h("i", "zs-box-fill"), h("i", "zs-box-mark"));
      return el;
    }, (el, x) => {
      const [use, , p95] = x[boxes];
      const full = equal ? most : cap(x) || want(x);
      const share = (equal ? 1 : want(x)) / total;
      const capped = boxes === "cpu" && x.waiting > 0;
      const px = share * width;
      el.style.width = `calc(${pct(share)} - 3px)`;
      el.classList.toggle("zs-capped", capped);
      el.classList.toggle("zs-uncapped", !cap(x) && !equal);
      const [name, value, fill, mark] = el.children;
      zs.text(name, x.zone);
      const text = capped ? "at cap" : use === null ? "–" : unit === "cores" ? zs.sig(use, unit) : zs.fmt(use, unit).join("\u2009");
      zs.text(value, px > 6.3 * (x.zone.length + text.length) + 20 ? text : "");
      fill.style.width = use === null ? "0" : pct(use / full);
      mark.style.left = p95 === null || p95 === undefined ? "-9px" : pct(p95 / full);
      el.title = `${x.zone}: ${use === null ? "no sample" : zs.fmtText(use, unit)}${cap(x) ? ` of ${zs.fmtText(cap(x), unit)}` : ", no cap"}` +
        `${p95 !== null && p95 !== undefined ? `, p95 ${zs.fmtText(p95, unit)}` : ""}${x.waiting ? `, ${x.waiting} threads wait for the cap` : ""}`;
    });
    z.line.hidden = !shelf || equal;
    z.line.style.width = shelf ? pct(shelf / total) : "0";
    const caps = row.zones.reduce((a, x) => a + (cap(x) || 0), 0);
    const free = shelf && !equal ? shelf - caps : NaN;
    const one = (v) => (unit === "cores" ? v.toFixed(1) : zs.fmt(v, unit).join("\u2009"));
    const space = shelf ? (1 - sum / total) * width : 0;
    zs.text(z.free, Number.isFinite(free) ? (free >= 0 ? (space > 54 ? `${one(free)} free` : "") : `caps exceed the shelf by ${one(-free)}`) : "");
    z.free.classList.toggle("zs-below", free < 0);
  }

  function pools(z, row) {
    const items = [];
    for (const p of row.pools) {
      items.push({ key: p.pool, name: p.pool, value: p.fill, kind: "" });
      if (p.scan) items.push({ key: `${p.pool} scan`, name: p.scan.kind, value: p.scan.fraction, kind: p.scan.kind === "resilver" ? "bad" : "scan" });
    }
    zs.keyed(z.pools, items.slice(0, 6), (x) => x.key, () => {
      const b = bar();
      const el = h("div", "zs-pool", h("span", "zs-pool-name"), b, h("span", "zs-pool-value"));
      el.zs = b.zs;
      return el;
    }, (el, x) => {
      el.className = `zs-pool${x.kind ? ` zs-pool-${x.kind}` : ""}`;
      zs.text(el.children[0], x.name);
      el.zs.fill.style.width = x.value === null ? "0" : pct(x.value);
      el.zs.mark.style.left = "80%";
      el.zs.mark.hidden = Boolean(x.kind);
      zs.text(el.children[2], x.value === null ? "–" : `${Math.round(100 * x.value)}\u2009%`);
    });
  }

  function update(el, row) {
    const z = el.zs, c = zs.colors();
    el.dataset.state = row.state;
    zs.text(z.name, row.host);
    z.name.title = row.host;
    if (z.word !== row.icon + row.word) {
      z.word = row.icon + row.word;
      z.state.replaceChildren(zs.icon(row.icon), h("span", "", row.word));
    }
    z.said = row.word;
    zs.text(z.model, row.model || "");
    zones(z, row);
    pools(z, row);
    const rate = (v) => (v === null || v === undefined ? "–" : zs.sig(v / 1048576, ""));
    zs.text(z.read, rate(row.io.read));
    zs.text(z.write, rate(row.io.write));
    const curves = (row.io.curves || []).map(curve);
    const lat = curve(row.p99.curve);
    zs.text(z.p99, row.p99.value === null || row.p99.value === undefined ? "–" : zs.fmtText(row.p99.value, "s"));
    z.p99.classList.toggle("zs-bad", Boolean(row.p99.bad));
    const key = `${row.io.curves}${row.p99.curve}${row.p99.bad}${row.state}${c.bg}${z.ioCanvas.clientWidth}`;
    if (z.drawn !== key) {
      z.drawn = key;
      zs.miniCanvas(z.ioCanvas, (ctx, w, hgt) => {
        if (!curves[0]) return;
        area(ctx, curves[0], w, hgt / 2, hgt / 2 - 1, c.series[0]);
        area(ctx, curves[1], w, hgt / 2, -(hgt / 2 - 1), c.series[2]);
        if (row.state === "stale") tail(ctx, w, hgt, curves[0]);
      });
      zs.miniCanvas(z.p99Canvas, (ctx, w, hgt) => {
        if (!lat) return;
        ctx.strokeStyle = c.line;
        ctx.setLineDash([2, 3]);
        ctx.beginPath();
        const limit = Math.round(hgt - (2 / 3) * hgt) + 0.5; // 100 ms of 1 ms to 1 s
        ctx.moveTo(0, limit);
        ctx.lineTo(w, limit);
        ctx.stroke();
        ctx.setLineDash([]);
        zs.sparkline(ctx, 0, 0, w, hgt, lat, { color: row.p99.bad ? c.bad : c.text2, lo: 0, hi: 1 });
        if (row.state === "stale") tail(ctx, w, hgt, lat);
      });
    }
    const a = row.arc || {};
    const top = a.c_max ? a.c_max * 1.2 : 0;
    z.arc.style.visibility = top && a.size !== null && a.size !== undefined ? "visible" : "hidden";
    if (top) {
      z.arc.zs.fill.style.width = pct((a.size || 0) / top);
      z.arc.zs.mark.style.left = pct(a.c_max / top);
      z.min.style.left = a.c_min ? pct(a.c_min / top) : "-9px";
      z.target.style.left = a.c ? pct(a.c / top) : "-9px";
    }
    zs.text(z.arcValue, a.size === null || a.size === undefined ? "–" : zs.sig(a.size / 1024 ** 3, ""));
    z.newest = row.newest;
    age(z, row.state);
    const reasons = row.reasons.map((r, i) => ({ ...r, key: `${r.icon}${r.what}${i}` }));
    const of = row.state === "stale" && row.newest ? `values are of ${zs.hms(row.newest)}; ` : "";
    z.reasons.hidden = !reasons.length;
    zs.keyed(z.reasons, reasons, (r) => r.key, (r) => h("div", `zs-reason zs-is-${r.state}`, zs.icon(r.icon), h("b", "", r.what), h("span")), (node, r) => {
      zs.text(node.children[1], zs.reasonWhat(r));
      zs.text(node.lastChild, (r.state === "stale" ? of : "") + zs.reasonDetail(r));
    });
  }
  function age(z, state) {
    const s = z.newest === null || z.newest === undefined ? null : zs.now() - z.newest;
    zs.text(z.age, s === null ? "–" : zs.age(s));
    if (state === "stale" && s !== null && z.state.lastChild) zs.text(z.state.lastChild, `${z.said} ${zs.span(s)}`);
    if (z.aged !== state) {
      z.aged = state;
      z.age.parentNode.replaceChildren(...(state === "stale" ? [zs.icon("age")] : []), z.age);
    }
  }

  zs.view("fleet", (el, data) => {
    if (!el.zsList) {
      el.zsHead = h("div", "zs-fleet-head");
      el.zsList = h("div", "zs-fleet-list");
      el.append(el.zsHead, el.zsList);
      pressed();
    }
    const mark = { cpu: "mark = p95 of 15 min, cores", memory: "mark = p95 of 15 min", io: "fill = share of the busiest, MiB/s" }[boxes];
    const shelves = new Set(data.hosts.map((x) => x.shelf.cpu).filter(Boolean));
    const cores = shelves.size === 1 ? ` of ${[...shelves][0]} cores` : "";
    const shelf = boxes === "cpu" ? `zones on the shelf${cores}: box = cap, fill = use now, ${mark}`
      : boxes === "memory" ? `zones on the shelf of memory: box = cap, fill = resident now, ${mark}` : `zones, bytes read and written a second: ${mark}`;
    const heads = ["host, state", shelf, "pool fill, mark at 80\u2009%", "I/O, MiB/s", "disk p99, 1\u2009ms to 1\u2009s", "ARC, GiB; marks min, max; triangle target", "newest"];
    zs.keyed(el.zsHead, heads.map((text, i) => ({ text, i })), (x) => x.i, () => h("span"), (s, x) => zs.text(s, x.text));

    const ids = data.hosts.map((x) => x.host);
    const now = performance.now();
    const changed = !el.zsOrder || ids.length !== el.zsOrder.length || ids.some((id) => !el.zsOrder.includes(id));
    if (changed || (now - el.zsSorted > RESORT_MS && !el.zsList.matches(":hover"))) {
      el.zsOrder = ids;
      el.zsSorted = now;
    }
    const rows = new Map(data.hosts.map((x) => [x.host, x]));
    zs.keyed(el.zsList, el.zsOrder.map((id) => rows.get(id)), (x) => x.host, make, update);
    if (!ids.length && !el.zsNone) el.append((el.zsNone = h("p", "zs-nothing", "No host has been heard of yet. Start a collector: zonescope collect hosts.toml")));
    if (ids.length && el.zsNone) {
      el.zsNone.remove();
      el.zsNone = null;
    }
    el.zsData = data;
  });
  window.addEventListener("resize", () => {
    for (const v of zs.views.values()) if (v.name === "fleet" && v.data) zs.showView(v.id, v.data);
  });
  // Ages go on while nothing arrives.
  zs.on("status", () => {
    for (const v of zs.views.values()) {
      if (v.name !== "fleet" || !v.el.zsList) continue;
      for (const el of v.el.zsList.children) if (el.zs) age(el.zs, el.dataset.state);
    }
  });

  const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;
  zs.view("fleet_head", (el, d) => {
    const parts = [["count", "", plural(d.hosts, "host", "hosts")]];
    if (d.counts.bad) parts.push(["bad", "trouble", `${d.counts.bad} in trouble`]);
    if (d.counts.stale) parts.push(["stale", "stale", `${d.counts.stale} stale`]);
    if (d.counts.warn) parts.push(["warn", "warn", `${d.counts.warn} with a warning`]);
    if (d.counts.scan) parts.push(["scan", "scan", `${d.counts.scan} scanning`]);
    parts.push(["well", "check", `${d.counts.well || 0} well`]);
    parts.push(["zones", "", `${plural(d.zones, "zone", "zones")}${d.at_cap ? `, ${d.at_cap} at ${d.at_cap === 1 ? "its cap" : "their caps"}` : ""}`]);
    zs.keyed(el, parts, (x) => x[0], ([key, icon]) => h("span", `zs-count zs-is-${key}`, icon ? zs.icon(icon) : "", h("span")), (node, x) => zs.text(node.lastChild, x[2]));
    pressed();
  });
})();
