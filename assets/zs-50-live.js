/* The wire: one WebSocket to /live, refilled on every reconnect; polling where WebSockets are blocked, and saying so. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;
  const SILENT_MS = 5000; // the server says something every second
  const POLL_MS = 2000, RETRY_WS_MS = 30000;
  const link = (zs.link = { how: "connecting", newest: undefined, hosts: null, ticks: 0, fills: 0, bytes: 0, drops: 0, stopped: false, error: "" });
  let ws = null, gen = 0, tries = 0, heard = 0, wanted = 0, polling = false, timer = 0, again = 0, last = "";

  const base = () => zs.config().base || "/";
  let config = null;
  /** #zs-config of the page: presets, zones, hosts. */
  zs.config = () => {
    if (config) return config;
    const el = document.getElementById("zs-config");
    if (!el || !el.textContent.trim()) return {};
    try {
      config = JSON.parse(el.textContent);
    } catch (e) {
      config = {};
    }
    return config;
  };

  /** One column per pixel. */
  const points = (p) => Math.max(60, p.plot.clientWidth - (p.kind === "spark" || p.kind === "strip" ? 0 : 56));
  function watchBody() {
    const panels = [], views = [];
    if (!link.stopped) {
      for (const p of zs.panels.values()) {
        p.asked = points(p);
        panels.push({ id: p.id, panel: p.name, query: p.query, points: p.asked });
      }
      for (const v of zs.views.values()) views.push({ id: v.id, view: v.name, query: v.query });
    }
    return { op: "watch", gen, range: zs.watchRange(), panels, views };
  }
  const watch = () => {
    wanted = 0;
    const body = watchBody();
    const key = JSON.stringify([body.range, body.panels, body.views]);
    if (key === last && ws && ws.readyState === 1) return;
    last = key;
    gen += 1;
    body.gen = gen;
    if (ws && ws.readyState === 1) ws.send(JSON.stringify(body));
    else if (polling) poll();
  };
  /** Asks the server for what the page shows now; several calls in one moment are one. */
  zs.rewatch = (force) => {
    if (force) last = "";
    if (!wanted) wanted = setTimeout(watch, 40);
  };

  function decode(buffer) {
    const view = new DataView(buffer);
    const n = view.getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, n)));
    let at = 4 + n;
    const take = (arrays) => {
      const out = {};
      for (const [name, rows, cols] of arrays || []) {
        out[name] = new Float32Array(buffer, at, rows * cols);
        at += rows * cols * 4;
      }
      return out;
    };
    return [head, take];
  }

  function onFill(h, take) {
    if (h.gen !== gen) return;
    const p = zs.panels.get(h.id);
    const arrays = take(h.arrays);
    link.fills += 1;
    if (!p) return;
    p.fill(h, arrays);
    if (p.el.isConnected) zs.invalidate(p);
  }
  function onTick(h, take) {
    if (h.gen !== gen) return ack(h.seq);
    link.ticks += 1;
    link.seq = h.seq;
    onStatus(h);
    for (const part of h.panels || []) {
      const p = zs.panels.get(part.id);
      const arrays = take(part.arrays);
      if (p && p.meta && part.series && part.series.length === p.meta.series.length) p.meta.series = part.series;
      if (p && !p.tick(part.at, part.n, arrays)) zs.rewatch(true);
      if (p) p.seq = h.seq;
    }
    if (h.events && h.events.length) for (const p of zs.panels.values()) if (!p.shift) mergeEvents(p, h.events);
    for (const v of h.views || []) zs.showView(v.id, v.data);
    if (zs.following() && !state.hold && link.ticks % zs.cost.every === 0) for (const p of zs.panels.values()) zs.invalidate(p);
    zs.whenDrawn(() => ack(h.seq));
  }
  /** Of what comes with a tick, what concerns the panel's own hosts, as a fill has it. */
  zs.mergeEvents = mergeEvents;
  function mergeEvents(p, all) {
    const hosts = [].concat(p.query.host || p.query.hosts || []);
    const events = all.filter((e) => !hosts.length || !e.host || hosts.includes(e.host));
    const key = (e) => `${e.time} ${e.text}`;
    const have = new Map((p.events || []).map((e) => [key(e), e]));
    for (const e of events) have.set(key(e), e);
    p.events = [...have.values()].sort((a, b) => a.time - b.time).slice(-200);
  }
  function ack(seq) {
    if (ws && ws.readyState === 1) ws.send(JSON.stringify({ op: "ack", seq }));
  }
  function onStatus(h) {
    if (typeof h.now === "number") zs.setNow(h.now);
    if (h.newest !== undefined) link.newest = h.newest;
    if (h.hosts) link.hosts = h.hosts;
    zs.emit("status");
  }
  function handle(data) {
    heard = performance.now();
    if (typeof data === "string") {
      link.bytes += data.length;
      const h = JSON.parse(data);
      if (h.op === "status") onStatus(h);
      else if (h.op === "error") {
        link.error = h.text;
        // A panel that could not be filled is asked for again; the picture before stays.
        if (h.id && !again) again = setTimeout(() => {
          again = 0;
          zs.rewatch(true);
        }, 3000);
        console.warn("zonescope:", h.text);
      }
      return;
    }
    link.bytes += data.byteLength;
    const [h, take] = decode(data);
    if (h.op === "fill") onFill(h, take);
    else if (h.op === "tick") onTick(h, take);
    else if (h.op === "status") onStatus(h);
  }

  function setHow(how) {
    if (link.how === how) return;
    link.how = how;
    link.since = zs.now();
    zs.emit("status");
  }
  function connect() {
    timer = 0;
    if (link.stopped) return;
    const url = new URL("live", new URL(base(), location.href));
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    let opened = false;
    try {
      ws = new WebSocket(url);
    } catch (e) {
      return failed(false);
    }
    const own = ws;
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      opened = true;
      tries = 0;
      heard = performance.now();
      polling = false;
      setHow("live");
      zs.learn();
      last = "";
      watch();
    };
    ws.onmessage = (e) => handle(e.data);
    ws.onclose = () => {
      if (ws === own) {
        ws = null;
        failed(opened);
      }
    };
  }
  function failed(opened) {
    tries += 1;
    if (link.stopped) return;
    if (!opened && tries >= 2 && !polling) {
      polling = true;
      gen += 1;
      poll();
    }
    if (!polling) setHow("lost");
    if (!timer) timer = setTimeout(connect, polling ? RETRY_WS_MS : Math.min(8000, 250 * 2 ** tries) * (0.7 + 0.6 * Math.random()));
  }

  let inPoll = false;
  async function poll() {
    if (!polling || inPoll || link.stopped || document.hidden) return;
    inPoll = true;
    try {
      const url = new URL("poll", new URL(base(), location.href));
      url.searchParams.set("watch", JSON.stringify({ ...watchBody(), gen }));
      const r = await fetch(url, { cache: "no-store" });
      if (!r.ok) throw new Error(r.statusText);
      const all = await r.arrayBuffer();
      const view = new DataView(all);
      for (let at = 0; at + 4 <= all.byteLength; ) {
        const n = view.getUint32(at, true);
        handle(all.slice(at + 4, at + 4 + n));
        at += 4 + n;
      }
      if (!polling) return;
      // The server is back: it may take WebSockets again, too.
      const back = link.how === "lost";
      setHow("polling");
      if (back) {
        clearTimeout(timer);
        connect();
      }
    } catch (e) {
      setHow("lost");
    }
    finally {
      inPoll = false;
      if (polling) setTimeout(poll, POLL_MS);
    }
  }

  setInterval(() => {
    if (ws && ws.readyState === 1 && performance.now() - heard > SILENT_MS && !document.hidden) ws.close(4000, "silent");
    zs.emit("status");
    // A server that has fallen silent still lets time pass: stale panels are hatched up to now.
    if (performance.now() - heard > 1500 && zs.following() && !state.hold) for (const p of zs.panels.values()) zs.invalidate(p);
  }, 1000);

  /** Starts, once the page has something to watch. */
  zs.connect = () => {
    if (!ws && !timer && !polling) connect();
  };
  zs.on("visibility", () => {
    if (document.hidden === link.stopped) return;
    link.stopped = document.hidden;
    if (document.hidden) {
      if (ws && ws.readyState === 1) watch();
      zs.emit("status");
      return;
    }
    tries = 0;
    heard = performance.now();
    if (ws && ws.readyState === 1) zs.rewatch(true);
    else if (polling) poll();
    else if (!timer) connect();
  });
  const SETTLED_MS = 3000; // by then the newest samples of a window are in
  let still = null, settling = 0;
  const settle = () => {
    if (still === state.paused) return;
    still = state.paused;
    clearTimeout(settling);
    if (still) settling = setTimeout(() => zs.rewatch(true), SETTLED_MS);
    else zs.rewatch();
  };
  zs.on("url", settle);
  zs.on("range", () => {
    settle();
    zs.rewatch();
    for (const p of zs.panels.values()) zs.invalidate(p);
  });
  zs.on("mode", () => {
    settle();
    for (const p of zs.panels.values()) zs.invalidate(p);
  });
  zs.on("theme", () => {
    for (const p of zs.panels.values()) zs.invalidate(p);
  });
})();
