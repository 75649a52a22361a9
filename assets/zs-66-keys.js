/* Keys of the page; none fires while typing. Two-key chords wait a second and a half. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;
  let first = "", timer = 0;
  let under = null;
  document.addEventListener("pointerover", (e) => {
    const el = e.target.closest ? e.target.closest(".zs-panel") : null;
    under = el ? zs.panels.get(el.id) || null : null;
  });

  const panel = (fn) => () => under && fn(under);
  const kiosk = () => {
    const on = document.body.classList.toggle("zs-kiosk");
    if (on && document.documentElement.requestFullscreen) document.documentElement.requestFullscreen().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
    window.dispatchEvent(new Event("resize"));
  };
  zs.kiosk = kiosk;
  const absolute = () => {
    const [a, b] = zs.range();
    zs.setRange(a, b);
  };
  const paste = async () => {
    const r = zs.parseRange(await navigator.clipboard.readText());
    if (r) zs.setRange(...r);
  };
  const legends = () => {
    const off = document.body.classList.toggle("zs-no-legends");
    zs.say(off ? "Legends hidden" : "Legends shown");
    window.dispatchEvent(new Event("resize"));
  };
  const crosshair = () => {
    zs.crossMode = { values: "line", line: "off", off: "values" }[zs.crossMode || "values"];
    zs.say(`Crosshair: ${zs.crossMode}`);
    zs.repaintOver();
  };
  const CHORDS = {
    "t ArrowLeft": () => zs.shift(-1), "t ArrowRight": () => zs.shift(1), "t -": zs.zoomOut, "t z": zs.zoomOut,
    "t +": zs.zoomIn, "t =": zs.zoomIn, "t a": absolute, "t v": paste,
    "t c": () => zs.copy(zs.linkRange().join(" to "), "Range"),
    "d r": () => zs.rewatch(true), "d k": kiosk, "d l": legends,
    "c t": () => zs.setTheme(zs.theme() === "dark" ? "light" : "dark"),
    "g h": () => zs.go(zs.config().base || "/"),
    "p l": panel((p) => zs.legendToggle(p)), "p u": panel((p) => zs.copy(zs.linkHere(p), "Link")), "p x": panel((p) => zs.explore(p)),
  };
  const PLAIN = {
    "?": () => zs.keysDialog(), " ": () => zs.pause(), v: panel((p) => zs.viewFull(p)), i: panel((p) => zs.dataTable(p)),
    ArrowLeft: () => zs.shift(-1), ArrowRight: () => zs.shift(1),
  };

  const typing = (el) => el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));
  document.addEventListener("keydown", (e) => {
    const mod = e.ctrlKey || e.metaKey;
    if (mod && !e.altKey && !e.shiftKey && e.key.toLowerCase() === "k") {
      e.preventDefault();
      return zs.find();
    }
    if (typing(e.target) || zs.dialogOpen() || e.altKey) return;
    if (mod) {
      if (e.key === "z") zs.zoomOut();
      else if (e.key === "o") crosshair();
      else return;
      return e.preventDefault();
    }
    if (e.key === "Escape") {
      first = "";
      if (zs.leaveFull()) return;
      if (document.body.classList.contains("zs-kiosk")) return kiosk();
      if (state.pin !== null) return zs.pin(null);
      return zs.unhover();
    }
    if (e.target.closest && e.target.closest("button, a, [role=menu]") && (e.key === " " || e.key === "Enter")) return;
    const chord = first && CHORDS[`${first} ${e.key}`];
    const fn = chord || (!first && PLAIN[e.key]);
    first = "";
    clearTimeout(timer);
    if (fn) {
      e.preventDefault();
      return fn();
    }
    if ("tdcgp".includes(e.key) && e.key.length === 1) {
      first = e.key;
      timer = setTimeout(() => (first = ""), 1500);
    }
  });

  // Whatever carries data-zs acts.
  const ACTIONS = {
    find: () => zs.find(), keys: () => zs.keysDialog(), theme: CHORDS["c t"], range: (b) => zs.rangeMenu(b),
    prev: () => zs.shift(-1), next: () => zs.shift(1), "zoom-out": zs.zoomOut, "zoom-in": zs.zoomIn, pause: () => zs.pause(), live: () => zs.goLive(),
    menu: () => document.body.classList.toggle("zs-nav-open"),
    kiosk,
    "panel-menu": (b) => {
      const p = zs.panels.get(b.closest(".zs-panel").id);
      if (p) zs.panelMenu(p, b);
    },
  };
  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-zs]");
    if (b && ACTIONS[b.dataset.zs]) ACTIONS[b.dataset.zs](b);
    else if (e.target.closest(".zs-nav a")) document.body.classList.remove("zs-nav-open");
  });
})();
