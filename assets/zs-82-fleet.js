/* The fleet: a row per host. Nodes are made once per host and only written to, so a refresh moves nothing. */
(() => {
  "use strict";
  const zs = window.zs;
  const RESORT_MS = 10000;
  const GONE = 255;

  const boxes = () => new URLSearchParams(location.search).get("boxes") || "cpu";
  let order = [], sorted = 0, over = false, last = null;

  const HEADS = {
    cpu: "zones on the shelf of the host's cores: box = cap, fill = use now, mark = p95 of 15 min, cores",
    memory: "zones on the shelf of the host's memory: box = cap, fill = resident, mark = p95 of 15 min, GiB",
    io: "zones by what they read and write now: box = share, MiB/s",
  };

  zs.view("fleet_head", (el, d) => {
    if (!el.zsParts) {
      el.zsParts = zs.h("p", "zs-fleet-counts");
      el.append(el.zsParts);
    }
    const c = d.counts;
    const parts = [];
    const say = (n, word, icon, cls) => n && parts.push([`${n} ${word}`, icon, cls]);
    say(c.bad, "in trouble", "trouble", "zs-state-bad");
    say(c.warn, c.warn === 1 ? "warning" : "warnings", "warn", "zs-state-warn");
    say(c.stale, "stale", "stale", "zs-state-stale");
    say(c.well + c.scan, "well", "check", "zs-state-well");
    zs.keyed(
      el.zsParts, parts, (x) => x[2],
      (x) => zs.h("span", x[2], zs.icon(x[1]), zs.h("b", "", "")),
      (n, x) => zs.text(n.lastChild, x[0]),
    );
    if (!el.zsZones) el.append((el.zsZones = zs.h("p", "zs-fleet-zones")));
    zs.text(el.zsZones, d.zones ? `${d.zones} zones, ${d.at_cap ? d.at_cap : "none"} at ${d.at_cap === 1 ? "its" : "their"} cap` : "");
    const title = document.querySelector("#zs-title h1");
    if (title) zs.text(title, d.hosts ? `${d.hosts} host${d.hosts === 1 ? "" : "s"}` : "Fleet");
  });

  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-boxes]");
    if (b) {
      const u = new URL(location.href);
      if (b.dataset.boxes === "cpu") u.searchParams.delete("boxes");
      else u.searchParams.set("boxes", b.dataset.boxes);
      history.replaceState(history.state, "", u);
      if (last) draw(last.el, last.data);
      return;
    }
    const a = e.target.closest("a.zs-fleet-host");
    if (a && !e.ctrlKey && !e.metaKey && !e.shiftKey && e.button === 0) {
      e.preventDefault();
      zs.go(a.getAttribute("href"));
    }
  });

  zs.view("fleet", (el, d) => {
    last = { el, data: d };
    draw(el, d);
  });
  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => last && last.el.isConnected && draw(last.el, last.data));
  });

  function draw(el, d) {
    if (!el.zsRows) {
      const head = zs.h("div", "zs-fleet-row zs-fleet-heads", ...["host, state", "", "pool fill, mark at 80 %", "I/O, MiB/s",
        "disk p99, 1 ms to 1 s", "ARC, GiB; marks min, max; triangle target", "newest"].map((t) => zs.h("span", "", t)));
      el.zsHeads = head;
      el.zsRows = zs.h("div", "zs-fleet-rows");
      el.zsNone = zs.h("div", "zs-nothing", zs.h("h2", "", "No host has been heard of yet"),
        zs.h("p", "", "Start a collector: zonescope collect hosts.toml"));
      el.append(head, el.zsRows, el.zsNone);
      el.zsRows.addEventListener("pointerenter", () => (over = true));
      el.zsRows.addEventListener("pointerleave", () => (over = false));
    }
    const what = boxes();
    for (const b of document.querySelectorAll("[data-boxes]")) b.setAttribute("aria-pressed", String(b.dataset.boxes === what));
    zs.text(el.zsHeads.children[1], HEADS[what] || HEADS.cpu);
    el.zsNone.hidden = d.hosts.length > 0;
    el.zsHeads.hidden = !d.hosts.length;
    zs.keyed(el.zsRows, arranged(d.hosts), (h) => h.host, makeRow, (n, h) => fillRow(n, h, what));
  }

  /* Rows move at most every ten seconds and never under the pointer; a new host goes to the end until then. */
  function arranged(hosts) {
    const now = performance.now();
    const names = hosts.map((h) => h.host);
    const known = new Set(order);
    if (!order.length || (!over && now - sorted > RESORT_MS)) {
      order = names;
      sorted = now;
    } else order = order.filter((n) => names.includes(n)).concat(names.filter((n) => !known.has(n)));
    const by = new Map(hosts.map((h) => [h.host, h]));
    return order.map((n) => by.get(n));
  }

  function makeRow(h) {
    const p = {};
    p.name = zs.h("a", "zs-fleet-host", h.host);
    p.name.href = `${zs.config().base || "/"}host/${encodeURIComponent(h.host)}`;
    p.stateIcon = zs.icon("check");
    p.stateWord = zs.h("span", "", "");
    p.state = zs.h("span", "zs-fleet-state", p.stateIcon, p.stateWord);
    p.model = zs.h("span", "zs-fleet-model", "");
    p.shelf = zs.h("div", "zs-shelf");
    p.zones = zs.h("div", "zs-shelf-zones");
    p.free = zs.h("span", "zs-shelf-free", "");
    p.line = zs.h("div", "zs-shelf-line");
    p.shelf.append(p.zones, p.free, p.line);
    p.pools = zs.h("div", "zs-fleet-pools");
    p.io = zs.h("canvas", "zs-fleet-curve");
    p.read = zs.h("b", "", "");
    p.write = zs.h("b", "", "");
    p.ioBox = zs.h("div", "zs-fleet-io", p.io, zs.h("span", "", "r"), p.read, zs.h("span", "", "w"), p.write);
    p.lat = zs.h("canvas", "zs-fleet-curve");
    p.p99 = zs.h("b", "", "");
    p.latBox = zs.h("div", "zs-fleet-lat", p.lat, p.p99);
    p.arcBar = zs.h("div", "zs-fleet-arcbar", (p.arcFill = zs.h("i", "")), (p.arcMin = zs.h("s", "")), (p.arcMax = zs.h("s", "")), (p.arcC = zs.h("u", "")));
    p.arcSize = zs.h("b", "", "");
    p.arc = zs.h("div", "zs-fleet-arc", p.arcBar, p.arcSize);
    p.age = zs.h("div", "zs-fleet-age", "");
    p.reasons = zs.h("ul", "zs-fleet-reasons");
    const row = zs.h("article", "zs-fleet-row",
      zs.h("div", "zs-fleet-who", p.name, p.state, p.model), p.shelf, p.pools, p.ioBox, p.latBox, p.arc, p.age, p.reasons);
    row.zsParts = p;
    return row;
  }

  const pct = (v) => `${(100 * v).toFixed(2)}%`;

  function fillRow(row, h, what) {
    const p = row.zsParts;
    const stale = h.state === "stale";
    row.dataset.state = h.state;
    row.setAttribute("aria-label", `${h.host}: ${h.word}`);
    p.stateIcon.className = `zs-i zs-i-${h.icon}`;
    zs.text(p.stateWord, h.word);
    p.state.className = `zs-fleet-state zs-state-${h.state}`;
    zs.text(p.model, h.model);
    zones(p, h, what, stale);
    pools(p, h, stale);
    const MIB = 1048576;
    zs.text(p.read, h.io.read === null ? "–" : zs.sig(h.io.read / MIB, ""));
    zs.text(p.write, h.io.write === null ? "–" : zs.sig(h.io.write / MIB, ""));
    if (h.io.curves) zs.miniCanvas(p.io, (ctx, w, hh) => mirror(ctx, w, hh, h.io.curves.map(bytes)));
    p.io.setAttribute("role", "img");
    p.io.setAttribute("aria-label", "read and write of 15 minutes");
    zs.text(p.p99, h.p99.value === null ? "–" : zs.fmtText(h.p99.value, "s"));
    p.p99.className = h.p99.bad ? "zs-bad" : "";
    if (h.p99.curve) zs.miniCanvas(p.lat, (ctx, w, hh) => line(ctx, w, hh, bytes(h.p99.curve), h.p99.bad));
    arc(p, h.arc, stale);
    const age = h.newest === null ? null : Math.max(0, zs.now() - h.newest);
    zs.text(p.age, age === null ? "–" : zs.age(age));
    p.age.classList.toggle("zs-old", age !== null && age > 5);
    const reasons = h.reasons.map((r) => ({ ...r, detail: stale && h.values_of ? `values are of ${h.values_of}${r.detail ? `; ${r.detail}` : ""}` : r.detail }));
    p.reasons.hidden = !reasons.length;
    zs.keyed(
      p.reasons, reasons, (r) => `${r.what} ${r.icon}`,
      (r) => zs.h("li", `zs-state-${r.state}`, zs.icon(r.icon), zs.h("b", "", r.what), zs.h("span", "", "")),
      (li, r) => zs.text(li.lastChild, r.detail),
    );
  }

  /* Boxes stand on the shelf in proportion to their caps; a zone without a cap is as wide as its use, open at the end. */
  function zones(p, h, what, stale) {
    const GIB = 1073741824, MIB = 1048576;
    const items = h.zones.map((z) => {
      const [use, cap, p95] = z[what] || z.cpu;
      return { zone: z.zone, use, cap, p95, waiting: z.waiting, width: cap !== null ? cap : Math.max(use || 0, p95 || 0) };
    });
    const sum = items.reduce((a, z) => a + z.width, 0);
    const room = what === "io" ? sum : h.shelf[what];
    const full = Math.max(sum, room || 0) || 1;
    const px = p.zones.clientWidth || 300;
    const number = (v) => (v === null ? "–" : what === "cpu" ? v.toFixed(2) : zs.sig(v / (what === "memory" ? GIB : MIB), ""));
    const MIN = 34;
    const shown = items.filter((z) => z.width > 0 || what !== "io");
    // Small caps still get a box that can be pointed at; the wide ones give up the room.
    let widths = shown.map((z) => Math.max(MIN, (z.width / full) * px));
    const want = ((sum / full) * px), over = widths.reduce((a, b) => a + b, 0) - Math.max(want, MIN * shown.length);
    if (over > 0) {
      const spare = widths.reduce((a, w) => a + Math.max(0, w - MIN), 0) || 1;
      widths = widths.map((w) => w - (Math.max(0, w - MIN) / spare) * over);
    }
    shown.forEach((z, i) => (z.px = widths[i]));
    zs.keyed(p.zones, shown, (z) => z.zone, makeBox, (n, z) => {
      const b = n.zsParts;
      const capped = what === "cpu" && z.waiting > 0 && !stale;
      n.className = `zs-box${capped ? " zs-at-cap" : ""}${z.cap === null ? " zs-uncapped" : ""}`;
      n.style.width = `${Math.max(0, z.px - 2).toFixed(1)}px`;
      const value = capped ? "at cap" : number(z.use);
      n.title = `${z.zone}: ${number(z.use)} of ${z.cap === null ? "no cap" : number(z.cap)}, p95 ${number(z.p95)}${z.waiting ? `, ${z.waiting} threads wait` : ""}`;
      zs.text(b.value, z.px - 14 > 7 * (z.zone.length + value.length) ? value : "");
      const scale = z.cap !== null ? z.cap : z.width;
      b.fill.style.width = z.use === null || !scale ? "0" : pct(Math.min(1, z.use / scale));
      b.fill.className = stale ? "zs-hatched" : "";
      b.mark.hidden = z.p95 === null || !scale || capped;
      b.mark.style.left = z.p95 === null || !scale ? "0" : pct(Math.min(1, z.p95 / scale));
    });
    p.line.style.width = room && sum > room ? pct(room / full) : "100%";
    const free = room === null || room === undefined ? null : room - sum;
    const none = !h.zones.length ? "no zones" : what === "io" && !shown.length ? "no per-zone I/O on this system" : "";
    zs.text(p.free, none || (what === "io" || free === null ? "" : free >= 0
      ? `${what === "cpu" ? free.toFixed(1) : zs.sig(free / GIB, "")} free`
      : `${what === "cpu" ? (-free).toFixed(1) : zs.sig(-free / GIB, "")} over`));
    p.shelf.classList.toggle("zs-bare", Boolean(none));
  }
  function makeBox(z) {
    const b = { value: zs.h("span", "", ""), fill: zs.h("i", ""), mark: zs.h("s", "") };
    const n = zs.h("div", "zs-box", zs.h("p", "", zs.h("b", "", z.zone), b.value), zs.h("div", "", b.fill, b.mark));
    n.zsParts = b;
    return n;
  }

  function pools(p, h, stale) {
    const rows = [];
    for (const x of h.pools) {
      rows.push({ key: x.pool, name: x.pool, v: x.fill, cls: "", digits: 0 });
      if (x.scan) rows.push({ key: `${x.pool} scan`, name: x.scan.kind, v: x.scan.fraction, cls: x.scan.kind === "resilver" ? "zs-resilver" : "zs-scrub", digits: 0 });
    }
    zs.keyed(
      p.pools, rows, (r) => r.key,
      (r) => {
        const fill = zs.h("i", ""), text = zs.h("b", "", "");
        const n = zs.h("div", "zs-poolrow", zs.h("span", "", r.name), zs.h("div", "zs-poolbar", fill, zs.h("s", "")), text);
        n.zsParts = { fill, text };
        return n;
      },
      (n, r) => {
        n.className = `zs-poolrow ${r.cls}`;
        n.zsParts.fill.style.width = r.v === null ? "0" : pct(zs.clamp(r.v, 0, 1));
        n.zsParts.fill.className = stale ? "zs-hatched" : "";
        zs.text(n.zsParts.text, r.v === null ? "–" : `${Math.round(100 * r.v)}\u2009%`);
      },
    );
  }

  function arc(p, a, stale) {
    const has = a && a.size !== undefined && a.size !== null;
    p.arcBar.hidden = !has;
    zs.text(p.arcSize, has ? zs.sig(a.size / 1073741824, "") : "–");
    if (!has) return;
    const top = 1.1 * Math.max(a.c_max || 0, a.size);
    p.arcFill.style.width = pct(a.size / top);
    p.arcFill.className = stale ? "zs-hatched" : "";
    for (const [el, v] of [[p.arcMin, a.c_min], [p.arcMax, a.c_max], [p.arcC, a.c]]) {
      el.hidden = v === null || v === undefined;
      if (!el.hidden) el.style.left = pct(v / top);
    }
  }

  const decoded = new Map();
  function bytes(text) {
    let out = decoded.get(text);
    if (!out) {
      if (decoded.size > 2000) decoded.clear();
      decoded.set(text, (out = Uint8Array.from(atob(text), (ch) => ch.charCodeAt(0))));
    }
    return out;
  }
  /** Calls fn(from, to) for each run of columns that have samples. */
  function runs(v, fn) {
    for (let i = 0; i < v.length; i++) {
      if (v[i] === GONE) continue;
      const from = i;
      while (i + 1 < v.length && v[i + 1] !== GONE) i++;
      fn(from, i);
    }
  }
  function hatchEnd(ctx, w, h, v) {
    let n = 0;
    while (n < v.length && v[v.length - 1 - n] === GONE) n++;
    if (n < 2 || n === v.length) return;
    ctx.fillStyle = zs.hatch(ctx);
    ctx.fillRect(w * (1 - n / v.length), 0, (w * n) / v.length, h);
  }
  function mirror(ctx, w, h, [up, down]) {
    const c = zs.colors();
    const half = h / 2, k = w / up.length;
    for (const [v, side, color] of [[up, -1, c.series[0]], [down, 1, c.series[2]]]) {
      ctx.fillStyle = color;
      ctx.globalAlpha = 0.6;
      runs(v, (a, b) => {
        ctx.beginPath();
        ctx.moveTo(a * k, half);
        for (let i = a; i <= b; i++) {
          const y = half + side * (v[i] / 254) * (half - 0.5);
          ctx.lineTo(i * k, y);
          ctx.lineTo((i + 1) * k, y);
        }
        ctx.lineTo((b + 1) * k, half);
        ctx.fill();
      });
      ctx.globalAlpha = 1;
    }
    ctx.fillStyle = c.line;
    ctx.fillRect(0, half - 0.5, w, 1);
    hatchEnd(ctx, w, h, up);
  }
  function line(ctx, w, h, v, bad) {
    const c = zs.colors();
    const k = w / v.length;
    ctx.strokeStyle = c.line;
    ctx.setLineDash([2, 3]);
    ctx.beginPath();
    ctx.moveTo(0, h / 3);
    ctx.lineTo(w, h / 3);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.strokeStyle = bad ? c.bad : c.text2;
    ctx.lineWidth = 1.25;
    ctx.lineJoin = "round";
    runs(v, (a, b) => {
      ctx.beginPath();
      for (let i = a; i <= b; i++) ctx.lineTo((i + 0.5) * k, h - 1 - (v[i] / 254) * (h - 2));
      ctx.stroke();
    });
    hatchEnd(ctx, w, h, v);
  }
})();
