/* Dialogs and menus: time range, panel menu, data table, keys, find. Native <dialog> keeps focus and Esc right. */
(() => {
  "use strict";
  const zs = window.zs;
  const state = zs.state;
  const h = zs.h;

  const button = (cls, label, fn, icon) => {
    const b = h("button", `zs-button ${cls}`, icon ? zs.icon(icon) : "", h("span", "", label));
    b.type = "button";
    b.addEventListener("click", fn);
    return b;
  };
  let open = null;
  /** Shows a dialog; `near` an element places it as a menu under it. */
  zs.dialog = (cls, title, children, near) => {
    zs.closeDialog();
    const d = h("dialog", `zs-dialog ${cls}`);
    d.setAttribute("aria-label", title);
    d.append(...children);
    document.body.append(d);
    d.addEventListener("close", () => {
      d.remove();
      if (open === d) open = null;
    });
    d.addEventListener("click", (e) => {
      if (e.target === d) d.close();
    });
    d.showModal();
    open = d;
    if (near) {
      const r = near.getBoundingClientRect();
      const left = zs.clamp(r.right - d.offsetWidth, 8, innerWidth - d.offsetWidth - 8);
      const below = r.bottom + 4 + d.offsetHeight < innerHeight;
      d.classList.add("zs-near");
      d.style.left = `${Math.max(8, left)}px`;
      d.style.top = `${below ? r.bottom + 4 : Math.max(8, r.top - 4 - d.offsetHeight)}px`;
    }
    return d;
  };
  zs.closeDialog = () => open && open.close();
  zs.dialogOpen = () => Boolean(open);

  zs.say = (text) => {
    const box = h("div", "zs-said", text);
    box.setAttribute("role", "status");
    document.body.append(box);
    setTimeout(() => box.remove(), Math.max(2500, 60 * text.length));
  };
  zs.copy = (text, what) => {
    const done = () => zs.say(`${what} copied`);
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => zs.say(text));
    else zs.say(text);
  };
  /** A link to what is on screen (zs.linkRange). */
  zs.linkHere = (p) => {
    zs.saveState(false);
    return location.origin + zs.linkPath().split("#")[0] + (p ? `#${p.id}` : "");
  };

  // What menus offer of hosts; asked for whenever the page is connected anew.
  let known = { hosts: [], zones: [] };
  zs.learn = async () => {
    try {
      const r = await fetch(`${zs.config().base || "/"}api/known`, { cache: "no-store" });
      if (r.ok) known = await r.json();
    } catch (e) {
      // the badge says that the server is away
    }
  };

  const PRESETS = [["Last 5 min", "now-5m", "now"], ["Last 15 min", "now-15m", "now"], ["Last 30 min", "now-30m", "now"],
    ["Last 1 h", "now-1h", "now"], ["Last 2 h", "now-2h", "now"], ["Last 6 h", "now-6h", "now"], ["Last 12 h", "now-12h", "now"],
    ["Last 1 d", "now-1d", "now"], ["Last 2 d", "now-2d", "now"], ["Last 7 d", "now-7d", "now"],
    ["Today so far", "now/d", "now"], ["Yesterday", "now-1d/d", "now-1d/d"], ["This day last week", "now-7d/d", "now-7d/d"]];
  zs.rangeMenu = (near) => {
    const cfg = zs.config();
    const presets = cfg.presets || PRESETS;
    const input = h("input", "zs-input");
    input.type = "text";
    input.spellcheck = false;
    input.value = state.to === "now" ? state.from : `${state.from} to ${state.to}`;
    const show = (e) => (/^\d{11,}$/.test(e) ? zs.stamp(Number(e) / 1000) : e);
    input.value = `${show(state.from)} to ${show(state.to)}`;
    input.setAttribute("aria-label", "Time range");
    const note = h("p", "zs-hint", "45m, now-6h, now/d+8h to now, 2026-11-23 03:10 to now");
    const apply = () => {
      const r = zs.parseRange(input.value);
      if (!r) {
        note.textContent = `“${input.value}” is no range. Try 45m, now-6h to now-1h or 2026-11-23 03:10 to now.`;
        note.classList.add("zs-bad");
        return;
      }
      zs.closeDialog();
      zs.setRange(...r);
    };
    input.addEventListener("keydown", (e) => {
      if (e.key !== "Enter") return;
      e.preventDefault();
      apply();
    });
    const every = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const zones = [["UTC", "UTC"], ["browser", `This browser, ${here}`], ...[...known.zones, state.tz, ...every].map((z) => [z, z])]
      .filter(([z], i, a) => a.findIndex((x) => x[0] === z) === i);
    const select = h("select", "zs-input");
    for (const [value, label] of zones) {
      const o = h("option", "", label);
      o.value = value;
      o.selected = value === state.tz;
      select.append(o);
    }
    select.addEventListener("change", () => {
      state.tz = select.value;
      zs.saveState(false);
      zs.emit("range");
    });
    const list = h("div", "zs-presets");
    for (const [label, from, to] of presets.map((x) => (Array.isArray(x) ? x : [x.label, x.from, x.to]))) {
      const b = button(from === state.from && to === state.to ? "zs-on" : "", label, () => {
        zs.closeDialog();
        zs.setRange(from, to);
      });
      list.append(b);
    }
    const home = zs.homeRange();
    zs.dialog("zs-range-menu", "Time range", [
      h("label", "zs-field", h("span", "", "Range"), input),
      note,
      h("div", "zs-row", button("zs-primary", "Apply", apply), button("", "Default range", () => {
        zs.closeDialog();
        zs.setRange(home.from, home.to);
      })),
      list,
      h("label", "zs-field", h("span", "", "Zone of time"), select),
    ], near);
    input.select();
  };

  // Panel menu
  const params = (p) => {
    const [a, b] = p.win || zs.range();
    const q = new URLSearchParams({ panel: p.name, query: JSON.stringify(p.query), from: String(Math.round(a * 1000)), to: String(Math.round(b * 1000)), points: String(p.asked || 500), tz: state.tz === "browser" ? Intl.DateTimeFormat().resolvedOptions().timeZone : state.tz });
    return q;
  };
  zs.csv = (p, what = "panel.csv") => {
    const a = h("a");
    a.href = `${(zs.config().base || "/")}api/${what}?${params(p)}`;
    a.download = `${p.name}.${what.split(".")[1]}`;
    document.body.append(a);
    a.click();
    a.remove();
  };
  /** What a panel is made of, and how long its data and its drawing take: it is asked for once more, by the clock. */
  zs.panelStats = async (p) => {
    if (!p.meta) return;
    const [i0, i1] = p.columns();
    let cells = 0;
    for (let i = i0; i < i1; i++) cells += p.has(i);
    const began = performance.now();
    let said = "no answer";
    try {
      const r = await fetch(`${zs.config().base || "/"}api/panel.json?${params(p)}`, { cache: "no-store" });
      const bytes = (await r.arrayBuffer()).byteLength;
      said = r.ok ? `${zs.fmtText((performance.now() - began) / 1000, "s")}, ${zs.fmtText(bytes, "B")} of JSON` : `${r.status} ${r.statusText}`;
    } catch (e) {
      // the badge says that the server is away
    }
    const shown = p.meta.series.filter((s) => s.group !== "hidden").length;
    const rows = [["data", said], ["drawing", zs.fmtText(p.drawMs / 1000, "s")], ["columns", `${cells} of ${i1 - i0} with samples, one is ${zs.width(p.step)}`],
      ["series", String(shown)], ...(p.heat ? [["buckets", `${p.heat.rows}, ${p.heat.lit.length} keys lit`]] : []), ["source", p.el.dataset.source || (p.el.querySelector(".zs-panel-source") || {}).textContent || ""]];
    zs.dialog("zs-stats", "Statistics", [
      h("div", "zs-row", h("h2", "", p.el.dataset.title || p.name), button("", "Close", () => zs.closeDialog(), "close")),
      h("table", "zs-table zs-data", h("tbody", "", ...rows.map(([k, v]) => h("tr", "", h("td", "", k), h("td", "", v))))),
    ]);
  };
  zs.viewFull = (p) => {
    const on = !p.el.classList.contains("zs-full");
    for (const q of zs.panels.values()) q.el.classList.remove("zs-full");
    p.el.classList.toggle("zs-full", on);
    document.body.classList.toggle("zs-has-full", on);
    window.dispatchEvent(new Event("resize"));
  };
  zs.leaveFull = () => {
    const p = [...zs.panels.values()].find((q) => q.el.classList.contains("zs-full"));
    if (p) zs.viewFull(p);
    return Boolean(p);
  };
  zs.legendToggle = (p) => {
    p.el.classList.toggle("zs-no-legend");
    window.dispatchEvent(new Event("resize"));
  };
  zs.dataTable = (p) => {
    if (!p.meta) return;
    const MOST = 1000;
    const [i0, i1] = p.columns();
    const some = (r) => p.values.subarray(r * p.cap + i0, r * p.cap + i1).some((v) => v === v);
    const series = p.meta.series.map((s, r) => ({ s, r })).filter((x) => p.selected(x.s) && (x.s.group !== "hidden" || some(x.r)));
    const table = h("table", "zs-table zs-data");
    const head = h("tr", "", h("th", "", `time, ${zs.zone()}`));
    const sc = series.map(({ s, r }) => {
      let m = 0;
      for (let i = i0; i < i1; i++) m = Math.max(m, Math.abs(p.values[r * p.cap + i]) || 0);
      return zs.scale(s.unit || (s.group === "hidden" ? "" : p.meta.unit), m);
    });
    series.forEach(({ s }, k) => head.append(h("th", "zs-n", sc[k].unit ? `${s.label}, ${sc[k].unit}` : s.label)));
    const body = h("tbody");
    for (let i = i1 - 1; i >= i0 && body.rows.length < MOST; i--) {
      if (!p.has(i)) continue;
      const tr = h("tr", "", h("td", "", zs.stamp(p.start + i * p.step - p.shift)));
      series.forEach(({ r }, k) => tr.append(h("td", "zs-n", zs.sig(p.values[r * p.cap + i] / sc[k].div, sc[k].unit))));
      body.append(tr);
    }
    table.append(h("thead", "", head), body);
    zs.dialog("zs-data-dialog", "Data", [
      h("div", "zs-row", h("h2", "", p.el.dataset.title || p.name), h("span", "zs-hint", `one row per ${zs.width(p.step)}, newest first`),
        button("", "CSV", () => zs.csv(p), "download"), button("", "Close", () => zs.closeDialog(), "close")),
      h("div", "zs-scroll", table),
    ]);
  };
  zs.panelMenu = (p, near) => {
    const item = (label, key, icon, fn) => {
      const b = button("zs-item", label, () => {
        zs.closeDialog();
        fn(p);
      }, icon);
      b.append(h("kbd", "", key));
      return b;
    };
    const explore = `${zs.config().base || "/"}investigate`;
    zs.dialog("zs-menu", "Panel menu", [
      item(p.el.classList.contains("zs-full") ? "Leave full view" : "View full", "v", "full", zs.viewFull),
      item("Data table", "i", "table", zs.dataTable),
      item("CSV of what is drawn", "", "download", zs.csv),
      item("CSV of the rows behind it", "", "download", (q) => zs.csv(q, "raw.csv")),
      item("JSON of what is drawn", "", "code", (q) => zs.csv(q, "panel.json")),
      item("Statistics", "", "list", zs.panelStats),
      item("Show or hide the legend", "p l", "list", zs.legendToggle),
      item("Copy link", "p u", "link", (q) => zs.copy(zs.linkHere(q), "Link")),
      item("Investigate this range", "p x", "search", () => zs.explore(p, explore)),
    ], near);
  };
  zs.explore = (p) => {
    const [a, b] = (p.win || zs.range()).map((t) => t - p.shift);
    const q = new URLSearchParams({ from: String(Math.round(a * 1000)), to: String(Math.round(b * 1000)) });
    if (p.query.host) q.set("host", p.query.host);
    zs.go(`${zs.config().base || "/"}investigate?${q}`);
  };
  /** Goes to a page as Dash's own links do. */
  zs.go = (href) => {
    history.pushState({}, "", href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  };

  const KEYS = [
    ["Time", [["t ←  t →", "shift by half the range"], ["t −  t z  Ctrl+Z", "zoom out"], ["t +  t =", "zoom in by half"], ["t a", "make the range absolute"],
      ["t c  t v", "copy, paste the range"], ["Space", "pause, go on"], ["d r", "refresh"], ["Esc", "unpin, leave"]]],
    ["Page", [["Ctrl+K", "find"], ["?", "this list"], ["g h", "home"], ["d k", "kiosk"], ["d l", "all legends"], ["c t", "dark or light"], ["Ctrl+O", "crosshair: values, line, off"]]],
    ["Panel under the mouse", [["v", "view full"], ["i", "its data"], ["p l", "legend"], ["p u", "copy link"], ["p x", "investigate"]]],
    ["Plot with focus", [["← →", "move the instant"], ["↑ ↓", "move between buckets"], ["Enter", "pin"]]],
  ];
  /** Keys that only this page has: [[title, [[keys, what], …]], …]; a page's own file says. */
  zs.pageKeys = () => [];
  zs.keysDialog = () => zs.dialog("zs-keys", "Keys", [
    h("div", "zs-row", h("h2", "", "Keys"), button("", "Close", () => zs.closeDialog(), "close")),
    h("div", "zs-keys-grid", ...[...KEYS, ...zs.pageKeys()].map(([title, rows]) => h("section", "", h("h3", "", title),
      ...rows.map(([k, what]) => h("div", "zs-key", h("span", "zs-kbds", ...k.split("  ").map((x) => h("kbd", "", x))), h("span", "", what)))))),
  ]);

  zs.find = () => {
    const cfg = zs.config();
    const targets = [];
    for (const a of document.querySelectorAll(".zs-nav a")) targets.push(["page", a.textContent, () => zs.go(a.getAttribute("href"))]);
    for (const name of known.hosts) targets.push(["host", name, () => zs.go(`${cfg.base || "/"}host/${encodeURIComponent(name)}`)]);
    for (const p of zs.panels.values()) {
      targets.push(["panel", p.el.dataset.title || p.name, () => {
        p.el.scrollIntoView({ block: "center" });
        p.over.focus();
      }]);
    }
    const input = h("input", "zs-input");
    input.placeholder = "page, host or panel";
    input.setAttribute("aria-label", "Find");
    const list = h("div", "zs-found");
    let shown = [], at = 0;
    const paint = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = targets.filter(([kind, name]) => words.every((w) => `${kind} ${name}`.toLowerCase().includes(w))).slice(0, 12);
      at = zs.clamp(at, 0, Math.max(0, shown.length - 1));
      list.replaceChildren(...shown.map(([kind, name, go], i) => {
        const b = button(i === at ? "zs-item zs-on" : "zs-item", name, () => {
          zs.closeDialog();
          go();
        });
        b.append(h("span", "zs-hint", kind));
        return b;
      }));
      if (!shown.length) list.append(h("p", "zs-hint", "Nothing is called that."));
    };
    input.addEventListener("input", paint);
    input.addEventListener("keydown", (e) => {
      if (e.key === "ArrowDown" || e.key === "ArrowUp") at += e.key === "ArrowDown" ? 1 : -1;
      else if (e.key === "Enter" && shown[at]) {
        const go = shown[at][2];
        e.preventDefault();
        zs.closeDialog();
        return go();
      } else return;
      e.preventDefault();
      paint();
    });
    paint();
    zs.dialog("zs-find", "Find", [input, list]);
    input.focus();
  };
})();
