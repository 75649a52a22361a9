/* What the page shows, kept in the URL: from, to, tz, at (pinned instant), sel.<panel> (legend), y.<panel> (zoom).
   A zoom is one history entry, so Back restores it; the rest replaces the entry. */
(() => {
  "use strict";
  const zs = window.zs;
  const UNIT = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2592000, Q: 7776000, y: 31536000 };
  const DEFAULT = { from: "now-15m", to: "now" };
  const state = (zs.state = { from: DEFAULT.from, to: DEFAULT.to, tz: "UTC", paused: null, hold: null, pin: null, sel: {}, y: {} });

  let clock = { now: Date.now() / 1000, at: performance.now() };
  /** The server's clock, epoch seconds. */
  zs.now = () => clock.now + (performance.now() - clock.at) / 1000;
  zs.setNow = (now) => (clock = { now, at: performance.now() });

  const zones = new Map();
  /** Seconds that the viewer's zone ("UTC", "browser" or an IANA name) is ahead of UTC at t. */
  zs.offset = (t) => {
    if (state.tz === "UTC") return 0;
    if (state.tz === "browser") return -new Date(t * 1000).getTimezoneOffset() * 60;
    const key = `${state.tz} ${Math.floor(t / 900)}`;
    if (!zones.has(key)) {
      if (zones.size > 5000) zones.clear();
      const f = new Intl.DateTimeFormat("en-GB", { timeZone: state.tz, timeZoneName: "longOffset" });
      const m = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(f.formatToParts(new Date(t * 1000)).find((x) => x.type === "timeZoneName").value);
      zones.set(key, m && m[1] ? (m[1] === "-" ? -1 : 1) * (m[2] * 3600 + m[3] * 60) : 0);
    }
    return zones.get(key);
  };
  zs.goodZone = (tz) => {
    if (tz === "UTC" || tz === "browser") return true;
    try {
      return Boolean(new Intl.DateTimeFormat("en-GB", { timeZone: tz }));
    } catch (e) {
      return false;
    }
  };

  /** The instant of a wall time of the viewer's zone, both in seconds: the first of two alike in autumn, and one that the
      clocks skip in spring as it would have been. */
  zs.ofWall = (wall) => {
    const before = zs.offset(wall - 86400), after = zs.offset(wall + 86400);
    const t = wall - before;
    return zs.offset(t) === before || zs.offset(wall - after) !== after ? t : wall - after;
  };
  const mod = (a, n) => ((a % n) + n) % n;
  /** As dashboard/ranges.py: seconds to hours are real time, days and longer the same wall time of another day. */
  function calendar(t, unit, add, floor) {
    if ("smh".includes(unit)) return t - mod(t + zs.offset(t), UNIT[unit]);
    const d = new Date((t + zs.offset(t)) * 1000);
    let [y, mo, day, at] = [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), mod(t + zs.offset(t), 86400)];
    if (floor) {
      at = 0;
      if (unit === "w") day -= (d.getUTCDay() + 6) % 7;
      if ("MQy".includes(unit)) day = 1;
      if (unit === "Q") mo -= mo % 3;
      if (unit === "y") mo = 0;
    }
    mo += add * ({ M: 1, Q: 3, y: 12 }[unit] || 0);
    // A month after 31 January is the end of February.
    if ("MQy".includes(unit)) day = Math.min(day, new Date(Date.UTC(y, mo + 1, 0)).getUTCDate());
    const days = unit === "d" ? add : unit === "w" ? 7 * add : 0;
    return zs.ofWall(Date.UTC(y, mo, day + days) / 1000 + at);
  }

  /** As the end of a range (`up`) rounding goes to the unit's end, as in dashboard/ranges.py.
      Epoch seconds of `now-6h`, `now/d+8h`, `2026-11-23 03:10[:00]` (viewer's zone) or epoch ms; null if it is none of these. */
  zs.resolve = (expr, now = zs.now(), up = false) => {
    expr = String(expr).trim();
    if (/^\d{11,}$/.test(expr)) return Number(expr) / 1000;
    const abs = /^(\d{4})-(\d\d?)-(\d\d?)(?:[ T](\d\d?):(\d\d)(?::(\d\d(?:\.\d+)?))?)?\s*Z?$/.exec(expr);
    if (abs) {
      const day = Date.UTC(abs[1], abs[2] - 1, abs[3]);
      if (new Date(day).getUTCDate() !== Number(abs[3]) || abs[4] > 23 || abs[5] > 59 || abs[6] >= 60) return null;
      const t = day / 1000 + Number(abs[4] || 0) * 3600 + Number(abs[5] || 0) * 60 + Number(abs[6] || 0);
      return expr.endsWith("Z") ? t : zs.ofWall(t);
    }
    if (!expr.startsWith("now")) return null;
    let t = now, rest = expr.slice(3);
    while (rest) {
      const m = /^(?:([+-])(\d+)|\/)([smhdwMQy])/.exec(rest);
      if (!m) return null;
      const add = m[1] ? Number(m[1] + m[2]) : 0;
      t = m[1] && UNIT[m[3]] < UNIT.d ? t + add * UNIT[m[3]] : calendar(t, m[3], add, !m[1]);
      if (!m[1] && up) t = calendar(t, m[3], 1, false) + ("smh".includes(m[3]) ? UNIT[m[3]] : 0);
      rest = rest.slice(m[0].length);
    }
    return t;
  };
  /** [from, to] of a typed range: "45m", "now-6h to now-1h", "2026-11-23 03:10 to now"; null if not understood. */
  zs.parseRange = (text) => {
    text = text.trim();
    if (/^\d+\s*[smhdwMQy]$/.test(text)) return [`now-${text.replace(/\s/g, "")}`, "now"];
    const [from, to] = text.split(/\s+to\s+|\s*,\s*/);
    if (zs.resolve(from) === null) return null;
    if (to !== undefined && zs.resolve(to) === null) return null;
    return zs.resolve(from) < zs.resolve(to || "now", zs.now(), true) ? [from, to || "now"] : null;
  };

  zs.range = (now = zs.now()) => [zs.resolve(state.from, now), zs.resolve(state.to, now, true)];
  zs.following = () => state.to === "now" && !state.paused;
  /** "live", "paused" or "history". */
  zs.mode = () => (state.to !== "now" ? "history" : state.paused ? "paused" : "live");
  /** What the server is asked for: what depends on the viewer's zone is resolved here, and a paused window is one of the
      past, so that what is asked of it later has all its columns. */
  zs.watchRange = () => {
    if (state.to === "now" && state.paused) {
      const [a, b] = zs.range(state.paused.now);
      return { from: String(Math.round(a * 1000)), to: String(Math.ceil(b) * 1000) };
    }
    const plain = (e, up) => (/^(now([+-]\d+[smhd])*|\d{11,})$/.test(e) ? e : String(Math.round(zs.resolve(e, zs.now(), up) * 1000)));
    return { from: plain(state.from, false), to: plain(state.to, true) };
  };

  /** [from, to] as a link to what is seen has them: a relative range stays relative, except where the picture stands still
      or something on it has its own time (what is pinned would not be on a later one). */
  zs.linkRange = () => {
    if (!state.paused && state.pin === null && !zs.linkFixed()) return [state.from, state.to];
    return zs.range(state.paused ? state.paused.now : undefined).map((t) => String(Math.round(t * 1000)));
  };
  /** Whether the page shows something of one instant alone; a page's own file says. */
  zs.linkFixed = () => false;

  // URL
  function read() {
    const q = new URLSearchParams(location.search);
    let from = q.get("from"), to = q.get("to");
    const centre = zs.resolve(q.get("time") || "");
    const width = Number(q.get("time.window"));
    if (centre !== null && width > 0) {
      from = String(Math.round(centre * 1000 - width / 2));
      to = String(Math.round(centre * 1000 + width / 2));
    }
    const home = zs.homeRange();
    // What is no time is said once and leaves the URL.
    state.refused = [from, to].find((e) => e && zs.resolve(e) === null) || (q.get("tz") && !zs.goodZone(q.get("tz")) ? q.get("tz") : "");
    state.from = from && zs.resolve(from) !== null ? from : home.from;
    state.to = to && zs.resolve(to) !== null ? to : from ? "now" : home.to;
    const [a, b] = zs.range();
    if (a >= b) [state.from, state.to] = [home.from, home.to];
    state.tz = zs.goodZone(q.get("tz") || "UTC") ? q.get("tz") || "UTC" : "UTC";
    state.pin = q.get("at") ? zs.resolve(q.get("at")) : null;
    state.sel = {};
    state.y = {};
    for (const [k, v] of q) {
      if (k.startsWith("sel.")) state.sel[k.slice(4)] = v.split("|");
      if (k.startsWith("y.") && /^[-\d.e]+,[-\d.e]+$/.test(v)) state.y[k.slice(2)] = v.split(",").map(Number);
    }
  }
  /** A paused page's address has the range that stands still, so that a reload shows it. */
  function url(range = state.paused ? zs.linkRange() : [state.from, state.to]) {
    const q = new URLSearchParams(location.search);
    for (const k of [...q.keys()]) if (/^(from|to|tz|at|time|time\.window)$|^(sel|y)\./.test(k)) q.delete(k);
    const home = zs.homeRange();
    const [from, to] = range;
    if (from !== home.from || to !== home.to) {
      q.set("from", from);
      q.set("to", to);
    }
    if (state.tz !== "UTC") q.set("tz", state.tz);
    if (state.pin !== null) q.set("at", String(Math.round(state.pin * 1000)));
    for (const [id, ids] of Object.entries(state.sel)) q.set(`sel.${id}`, ids.join("|"));
    for (const [id, r] of Object.entries(state.y)) q.set(`y.${id}`, r.map((v) => Number(v.toPrecision(6))).join(","));
    const s = q.toString().replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%3D/g, "=");
    return location.pathname + (s ? `?${s}` : "") + location.hash;
  }
  /** Address of what is seen, without the origin. */
  zs.linkPath = () => url(zs.linkRange());
  const current = () => location.pathname + location.search + location.hash;
  zs.saveState = (push) => {
    const u = url();
    if (u === current()) return;
    if (push) history.pushState({ zs: true }, "", u);
    else history.replaceState(history.state, "", u);
  };
  /** The range a page opens on: its own (data-range="now-1h,now" on any element) or 15 minutes. */
  zs.homeRange = () => {
    const own = document.querySelector("[data-range]");
    if (!own) return DEFAULT;
    const [from, to] = own.dataset.range.split(",");
    return zs.resolve(from) === null ? DEFAULT : { from, to: to || "now" };
  };

  /** Sets the page's range; numbers are epoch seconds. */
  zs.setRange = (from, to, push = true) => {
    const step = (t) => (typeof t === "number" ? String(Math.round(t * 1000)) : t);
    [state.from, state.to, state.paused, state.hold] = [step(from), step(to), null, null];
    zs.saveState(push);
    zs.emit("range");
  };
  zs.goLive = () => {
    const [a, b] = zs.range();
    const home = zs.homeRange();
    const span = state.to === "now" ? state.from : b - a <= 86400 ? `now-${Math.max(1, Math.round(b - a))}s` : home.from;
    if (state.to !== "now" || state.paused) {
      const from = zs.resolve(state.from) !== null && state.to === "now" ? state.from : span;
      zs.setRange(from, "now", state.to !== "now");
    }
  };
  zs.pause = (on = !state.paused) => {
    if (state.to !== "now") return zs.goLive();
    state.paused = on ? { now: zs.now() } : null;
    state.hold = null;
    zs.saveState(false);
    zs.emit("mode");
  };
  zs.zoomOut = () => {
    const [a, b] = zs.range();
    zs.setRange(a - (b - a) / 2, Math.min(b + (b - a) / 2, Math.max(b, zs.now())));
  };
  zs.zoomIn = () => {
    const [a, b] = zs.range();
    zs.setRange(a + (b - a) / 4, b - (b - a) / 4);
  };
  zs.shift = (dir) => {
    const [a, b] = zs.range();
    const d = (dir * (b - a)) / 2;
    zs.setRange(a + d, b + d);
  };

  read();
  let path = location.pathname;
  // Registered before Dash's own listener: a step between ranges of one page must not lay the page anew.
  window.addEventListener("popstate", (e) => {
    const same = location.pathname === path;
    path = location.pathname;
    const before = JSON.stringify([state.from, state.to]);
    state.paused = state.hold = null;
    read();
    if (same) e.stopImmediatePropagation();
    if (JSON.stringify([state.from, state.to]) !== before || !same) zs.emit("range", "back");
    zs.emit("url");
  });
  /** Dash moved to another page: its URL rules. */
  zs.pageMoved = () => {
    if (location.pathname === path) return false;
    path = location.pathname;
    state.paused = state.hold = null;
    read();
    zs.emit("url");
    return true;
  };
  zs.rereadState = read;
})();
