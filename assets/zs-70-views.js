/* Views: what is no panel. zs.view(name, (el, data) => ...) registers what draws one; the server pushes its JSON.
   Renderers keep nodes by key and write text with textContent, so a refresh closes nothing and no host text is HTML. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;

  zs.view = (name, fn) => {
    zs.renderers = zs.renderers || {};
    zs.renderers[name] = fn;
    for (const v of zs.views ? zs.views.values() : []) if (v.name === name && v.data) zs.showView(v.id, v.data);
  };
  zs.showView = (id, data) => {
    const v = zs.views.get(id);
    if (!v) return;
    v.data = data;
    if (v.loading) {
      v.loading.remove();
      v.loading = null;
    }
    const fn = (zs.renderers || {})[v.name];
    if (!fn || !v.el.isConnected) return;
    if (data && data.error) {
      v.el.replaceChildren(zs.h("p", "zs-error", data.error));
      v.broken = true;
      return;
    }
    if (v.broken) {
      v.el.replaceChildren();
      v.broken = false;
    }
    fn(v.el, data);
  };
  zs.on("theme", () => {
    for (const v of zs.views.values()) if (v.data) zs.showView(v.id, v.data);
  });

  // The badge, the pause button, the range's words.
  const WORD = { connecting: "CONNECTING", live: "LIVE", paused: "PAUSED", history: "HISTORY", polling: "POLLING", lost: "LOST" };
  function status() {
    const link = zs.link;
    const mode = zs.mode();
    // Connected is not yet heard of: the first status says how old the newest sample of this page is.
    const away = link.how === "lost" ? "lost" : link.how === "connecting" || link.newest === undefined ? "connecting" : "";
    const how = away || (mode !== "live" ? mode : link.how);
    const now = zs.now();
    const age = away || link.newest === null ? null : Math.max(0, now - link.newest);
    for (const b of document.querySelectorAll(".zs-badge")) {
      const was = b.dataset.state;
      if (was !== how) b.dataset.state = how;
      b.classList.toggle("zs-stale", age !== null && age > 5);
      const put = (cls, s) => {
        const el = b.querySelector(cls);
        if (el) zs.text(el, s);
      };
      put(".zs-live-word", how === "history" && zs.range()[1] > now + 1 ? "FORECAST" : WORD[how]);
      const slow = zs.cost.every > 1 ? `, drawing every ${zs.cost.every} s` : "";
      put(".zs-live-time", how === "lost" ? `since ${zs.hms(link.since)}, connecting` : away ? "" : mode === "live" ? zs.hms(now) : "");
      put(".zs-live-age", away ? "" : age === null ? "no samples" : `newest ${zs.age(age)}${how === "polling" ? ", WebSocket blocked" : ""}${slow}`);
      b.title = away ? "The dashboard does not answer; the picture is of before" : mode === "live" ? `${WORD[how]}: the newest sample is ${age === null ? "–" : zs.age(age)} old` : "Back to live";
    }
    const words = zs.rangeText();
    for (const el of document.querySelectorAll(".zs-range-text")) zs.text(el, words);
    for (const el of document.querySelectorAll(".zs-tz")) zs.text(el, zs.zone());
    for (const b of document.querySelectorAll("[data-zs=pause]")) {
      const on = mode !== "live";
      if (b.dataset.on === (on ? "1" : "0")) continue;
      b.dataset.on = on ? "1" : "0";
      const i = b.querySelector("i");
      if (i) i.className = `zs-i zs-i-${on ? "play" : "pause"}`;
      const w = b.querySelector(".zs-pause-word");
      if (w) zs.text(w, on ? "Live" : "Pause");
    }
    document.body.dataset.zsMode = mode;
    for (const el of document.querySelectorAll("[data-clock]")) zs.text(el, zs.hms(now));
  }
  zs.status = status;
  for (const e of ["status", "mode", "range", "url"]) zs.on(e, status);

  /** An instant as a since: 02:29, with its date where that is not today. */
  zs.sinceTime = (t, exact) => (zs.day(t) === zs.day(zs.now()) ? "" : `${zs.day(t, false)} `) + (exact ? zs.hms(t) : zs.hm(t));
  zs.since = (r) => (r.since ? `since ${r.before ? "before " : ""}${zs.sinceTime(r.since, r.state === "stale")}` : "");
  /** A verdict's reason in words: what it is (a silence begins where its words begin) and the figures. */
  zs.reasonWhat = (r) => (r.state === "stale" && r.since ? `${r.what} ${zs.since(r)}` : r.what);
  zs.reasonDetail = (r) => [r.detail, r.state === "stale" ? "" : zs.since(r)].filter(Boolean).join(", ");

  /** A canvas that stays the size of its box; draw(ctx, w, h). */
  zs.miniCanvas = (canvas, draw) => {
    const w = canvas.clientWidth, h = canvas.clientHeight, dpr = window.devicePixelRatio || 1;
    if (!w || !h) return;
    if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
      canvas.width = Math.round(w * dpr);
      canvas.height = Math.round(h * dpr);
    }
    const ctx = canvas.getContext("2d");
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    ctx.clearRect(0, 0, w, h);
    draw(ctx, w, h);
  };
  state.ready = true;
})();
