/* The DTrace page: the question as a sentence of buttons, start and stop, what runs where, the keys of the window or
   of one cell, keys lit in the heat map, drilling down. The URL holds the question (q, hosts, every, for, lit, lines,
   yscale, draw, cell, sort) and those it was drilled down from (up: question|key|hosts, oldest first); changing it asks for
   other data without laying the page anew. zs-78a-graphs.js has the graphs' own tools, zs-79-flame.js the stacks. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const THIN = "\u2009", SEP = "\x1f";
  const KEEP_MS = 10000;
  const NAMES = ["dtrace_heat", "dtrace_stack", "dtrace_head", "dtrace_keys", "dtrace_flame"];
  const LINES = ["p50", "p90", "p99", "max"];
  const LIT = 8, UP = 3; // keys lit at once; graphs over the one that was drilled down from them
  const S = (zs.dtrace = { q: "", hosts: null, every: 1, for: 600, lit: [], lines: ["p50", "p99"], yscale: "log", draw: "mountain", extra: [], cell: null, sort: "", base: null, range: null, up: [], head: null, keys: null, busy: "" });

  const root = () => document.getElementById("zs-dtrace");
  const settings = () => {
    const el = root();
    if (!el) return {};
    if (!el.zsSettings) el.zsSettings = JSON.parse(el.dataset.settings || "{}");
    return el.zsSettings;
  };
  const mine = () => [...zs.panels.values(), ...zs.views.values()].filter((x) => NAMES.includes(x.name) && slot(x) < 0);
  const heat = () => zs.panels.get("p-dtrace-heat");
  const graph = () => (root() && root().dataset.mode === "counts" ? zs.panels.get("p-dtrace-stack") : heat());
  /** Place of a panel among those over the graph, -1 for the graph itself. */
  const slot = (x) => (x.id.startsWith("p-dtrace-up-") ? Number(x.id.slice(12)) - 1 : -1);
  const metric = (name) => (settings().catalogue || []).find((m) => m.name === name);
  const chosen = () => (S.hosts && S.hosts.length ? S.hosts : settings().able || []);
  /** Of the hosts in the address those that there are. */
  const there = () => chosen().filter((n) => !S.head || S.head.hosts.some((x) => x.name === n && !x.unknown));
  const button = (cls, fn, ...children) => {
    const b = h("button", `zs-button ${cls}`, ...children);
    b.type = "button";
    if (fn) b.addEventListener("click", fn);
    return b;
  };
  const menu = (title, near, children) => zs.dialog("zs-menu zs-dtrace-menu", title, children, near);
  const item = (label, fn, hint, on) => {
    const b = button(`zs-item${on ? " zs-on" : ""}`, () => {
      zs.closeDialog();
      fn();
    }, h("span", "", label));
    if (hint) b.append(h("span", "zs-hint", hint));
    return b;
  };

  async function post(body) {
    const base = zs.config().base || "/";
    let r, said;
    try {
      r = await fetch(`${base}api/ask`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      said = await r.json();
    } catch (e) {
      throw new Error(`The dashboard ${r ? `answers ${r.status} ${r.statusText}`.trim() : "cannot be reached"}: try again`);
    }
    if (!r.ok) throw new Error(said.error || r.statusText);
    return said;
  }
  const tried = (promise) => promise.catch((e) => zs.say(String(e.message || e)));

  // -- the URL -----------------------------------------------------------------------------------------------------

  /** A value as `encodeURIComponent` gave it; of what it never gave, the text. */
  function plainly(x) {
    try {
      return decodeURIComponent(x);
    } catch (e) {
      return x;
    }
  }
  function read() {
    const q = new URLSearchParams(location.search);
    const list = (k, by) => (q.get(k) ? q.get(k).split(by) : null);
    S.q = q.get("q") || settings().standing || "";
    S.hosts = list("hosts", ",");
    S.every = Number(q.get("every")) || 1;
    S.for = Number(q.get("for")) || 600;
    S.lit = (list("lit", "|") || []).map(plainly).slice(0, LIT);
    if (!S.lit.every(drawn)) S.extra = S.lit.filter((k) => !drawn(k) || S.extra.includes(k));
    S.lines = list("lines", ",") || (q.has("lines") ? [] : ["p50", "p99"]);
    S.yscale = q.get("yscale") === "linear" ? "linear" : "log";
    S.draw = q.get("draw") === "line" ? "line" : "mountain";
    S.sort = q.get("sort") === "p99" ? "p99" : "";
    const span = (k) => (list(k, ",") || []).map(Number);
    const pair = (k) => (span(k).length === 2 && span(k).every((x) => x > 0) ? span(k) : null);
    S.base = pair("base");
    S.range = pair("fr");
    const cell = (list("cell", ",") || []).map((x) => (x === "" ? null : Number(x)));
    S.cell = cell.length === 4 && cell[0] < cell[1] ? cell : null;
    S.up = q.getAll("up").slice(-UP).map((x) => {
      const [id, key, hosts] = x.split("|").map(plainly);
      return { q: id, lit: key ? [key] : [], hosts: hosts ? hosts.split(",") : null };
    });
    if (settings().problem) {
      // The URL asks what is no question: the page shows the standing one, and says so until it is read.
      const why = settings().problem;
      settings().problem = "";
      const box = h("div", "zs-dtrace-problem", zs.icon("warn"), h("bdi", "", `The address asks no question: ${why.length > 300 ? `${why.slice(0, 300)}…` : why}.`), h("span", "", "Here is what always runs."), button("zs-icon-button", () => box.remove(), zs.icon("close")));
      box.lastChild.setAttribute("aria-label", "Close");
      box.setAttribute("role", "alert");
      document.getElementById("zs-dtrace-bar").before(box);
      [S.q, S.lit, S.cell, S.up] = [settings().standing, [], null, []];
      write(false);
    }
  }
  function write(push) {
    const q = new URLSearchParams(location.search);
    const put = (k, v, usual) => (v === usual ? q.delete(k) : q.set(k, v));
    q.set("q", S.q);
    put("hosts", (S.hosts || []).join(","), "");
    put("every", String(S.every), "1");
    put("for", String(S.for), "600");
    put("lit", S.lit.map(encodeURIComponent).join("|"), "");
    put("lines", S.lines.join(","), "p50,p99");
    put("yscale", S.yscale, "log");
    put("draw", S.draw, "mountain");
    put("sort", S.sort, "");
    put("base", S.base ? S.base.map((v) => Math.round(v)).join(",") : "", "");
    put("fr", S.range ? S.range.map((v) => Math.round(v)).join(",") : "", "");
    put("cell", S.cell ? S.cell.map((v) => (v === null ? "" : Number(v.toPrecision(13)))).join(",") : "", "");
    q.delete("up");
    for (const u of S.up) q.append("up", [u.q, u.lit[0] || "", (u.hosts || []).join(",")].map(encodeURIComponent).join("|"));
    const url = `${location.pathname}?${q.toString().replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%3D/g, "=")}`;
    if (url === location.pathname + location.search) return;
    if (push) history.pushState({ zs: true }, "", url);
    else history.replaceState(history.state, "", url);
  }
  function queryOf(x) {
    const common = { question: S.q, host: chosen() };
    const [a, b] = zs.range();
    const span = Math.max(1, Math.round(b - a));
    if (x.name === "dtrace_heat") return { ...common, question: mode(S.q) === "stacks" ? scope(S.q) : S.q, lit: S.lit, lines: mode(S.q) === "stacks" ? [] : S.lines, scale: S.yscale };
    if (x.name === "dtrace_stack") return { ...common, interval: S.every, ...(S.extra.length ? { lit: S.extra } : {}) };
    if (x.name === "dtrace_keys") return { ...common, span, ...(S.cell ? { cell: S.cell } : {}), ...(S.sort && mode(S.q) === "heat" ? { sort: S.sort } : {}) };
    if (x.name === "dtrace_flame") return { ...common, span, ...(S.range ? { range: S.range } : {}), ...(S.base ? { base: S.base } : {}) };
    if (x.name === "dtrace_head") return { ...common, span, up: S.up.map((u) => u.q) };
    return common;
  }
  /** heat, counts or stacks: what a question is answered with. */
  function mode(id) {
    const [name, by] = id.split("/by=");
    const m = metric(name);
    if (m && m.mode) return m.mode;
    const fields = (by || "").split("/")[0].split(",");
    return m && m.fields.some((f) => f.kind === "numeric" && fields.includes(f.name)) ? "heat" : "counts";
  }
  /** The question whose map has a column a second and 50 rows of 20 ms, to choose stacks by. */
  const scope = (id) => (id === "offcpu" ? "off_cpu/by=subsecond" : "thread_samples/by=subsecond");
  /** The panels over the graph: what was drilled down from, with the key that was fixed lit. */
  function ancestors() {
    let changed = false;
    for (const p of zs.panels.values()) {
      const i = slot(p);
      if (i < 0) continue;
      const u = S.up[i];
      p.el.classList.toggle("zs-shown", Boolean(u));
      if (!u) continue;
      const kind = mode(u.q) === "counts" ? "stack" : "heat";
      const next = { question: u.q, host: u.hosts || chosen(), ...(kind === "heat" ? { lit: u.lit, lines: [], scale: S.yscale } : { interval: S.every, lit: u.lit }) };
      if (p.kind !== kind) [p.kind, p.name, p.meta] = [kind, `dtrace_${kind}`, null];
      if (JSON.stringify(next) === JSON.stringify(p.query)) continue;
      p.query = next;
      p.axis.y = null;
      changed = true;
    }
    root().dataset.up = String(S.up.length);
    return changed;
  }
  function apply() {
    if (!root()) return;
    let changed = ancestors();
    for (const x of mine()) {
      const next = queryOf(x);
      if (JSON.stringify(next) === JSON.stringify(x.query)) continue;
      if (next.question !== x.query.question) delete zs.state.y[x.id];
      x.query = next;
      x.el.dataset.query = JSON.stringify(next);
      if (x.axis) x.axis.y = null;
      changed = true;
    }
    if (changed) zs.rewatch(true);
    bar();
  }
  zs.dtraceApply = (push) => {
    write(push);
    apply();
  };
  /** Another question: a new entry in the history of the browser. */
  function go(id, hosts, up) {
    S.q = id;
    if (hosts) S.hosts = hosts;
    if (up) S.up = up;
    S.lit = [];
    S.extra = [];
    S.cell = S.range = S.base = null;
    write(true);
    apply();
  }
  zs.on("url", () => {
    if (!root()) return;
    read();
    apply();
  });
  zs.on("range", (how) => {
    // What Back restores comes whole from its own address (url).
    if (!root() || how === "back") return;
    S.cell = S.range = null;
    write(false);
    apply();
  });

  /** The same question broken down otherwise; `fix` is [[field, op, value], ...]. */
  const changed = (by, fix) => post({ do: "question", question: S.q, by, fix: fix || [] });

  // -- start, stop, keep -------------------------------------------------------------------------------------------

  /** Requests for the question that are under way; what was asked a moment ago is one before the head tells of it. */
  function requests() {
    const found = (S.head && S.head.id === S.q && S.head.requests) || [], mine = S.asked;
    const young = mine && mine.q === S.q && performance.now() - mine.at < 5000 && !found.some((r) => r.id === mine.id);
    return young ? [...found, { id: mine.id, hosts: [] }] : found;
  }
  const above = (i) => ((S.head && S.head.id === S.q && S.head.up) || []).filter((u, k) => i === undefined || k === i).flatMap((u) => u.requests);
  async function start() {
    S.busy = "asking";
    paintHead();
    try {
      const { request } = await post({ do: "start", question: S.q, hosts: there(), interval: S.every, duration: S.for });
      S.asked = { id: request, q: S.q, at: performance.now() };
      if (mode(S.q) === "stacks") {
        // The map to choose stacks by is a question of its own; a host that does not allow it has just the stacks.
        const beside = await post({ do: "start", question: scope(S.q), hosts: there(), interval: 1, duration: S.for }).catch(() => null);
        if (beside) S.beside = [...(S.beside || []), { id: beside.request }].slice(-8);
      }
      if (zs.state.to !== "now" || zs.state.paused) zs.setRange("now-300s", "now");
    } catch (e) {
      zs.say(String(e.message || e));
    }
    S.busy = "";
    paintHead();
  }
  const stop = (some = [...requests(), ...above()]) => {
    const beside = S.beside || [];
    S.beside = [];
    if (S.asked && some.some((r) => r.id === S.asked.id)) S.asked = null;
    return Promise.all([...some, ...beside].map((r) => tried(post({ do: "stop", request: r.id }))));
  };
  const keep = () => {
    if (document.hidden || !root()) return;
    for (const r of [...requests(), ...above(), ...(S.beside || [])]) post({ do: "keep", request: r.id }).catch(() => {}); // the badge says it
  };
  setInterval(keep, KEEP_MS);
  zs.on("visibility", keep);

  /** Goes on to another question: what ran for this one is stopped, and the new one started where it ran. */
  async function follow(id, hosts) {
    const running = requests();
    const standing = S.q === settings().standing && !running.length;
    go(id, hosts);
    if (running.length || standing) {
      stop(running);
      if (id !== settings().standing) await start();
    }
  }
  const drill = (by, fix, hosts) => tried(changed(by, fix).then((x) => follow(x.question, hosts)));
  /** A new graph of `key` alone; the one it comes from stays over it and goes on, with that key lit. */
  async function deeper(by, fix, hosts, key) {
    const live = requests().length > 0 || (S.q === settings().standing && S.head.running.length > 0);
    const { question } = await changed(by, fix);
    const up = [...S.up, { q: S.q, lit: [key.id], hosts: S.hosts }];
    const off = up.length > UP ? above(0) : [];
    go(question, hosts, up.slice(-UP));
    if (off.length) stop(off);
    if (live && question !== settings().standing) await start();
  }

  // -- the sentence as buttons -------------------------------------------------------------------------------------

  const UNIT_STEP = { ns: [["µs", 1e3], ["ms", 1e6], ["s", 1e9]], B: [["B", 1], ["KiB", 1024], ["MiB", 1048576]] };
  function metricMenu(near) {
    const past = (S.head && S.head.lately) || [];
    const before = past.length ? [h("h3", "", "Asked lately"), ...past.map((x) => item(x.sentence, () => go(x.id), "", x.id === S.q)), h("h3", "", "Ask")] : [];
    const kept = zs.dt.saved();
    const saved = kept.length ? [h("h3", "", "Saved"), ...kept.map((x) => item(x.sentence, () => zs.dt.open(x.search), "", false))] : [];
    if (saved.length && !before.length) saved.push(h("h3", "", "Ask"));
    menu("What happens", near, [...saved, ...before, ...(settings().catalogue || []).map((m) => item(m.noun, () => {
      const has = (f) => m.fields.some((x) => x.name === f);
      const d = S.head;
      const by = d ? d.by.filter(has) : [];
      const numeric = m.fields.filter((f) => f.kind === "numeric").map((f) => f.name);
      if (!by.some((f) => numeric.includes(f)) && numeric.includes("latency")) by.push("latency");
      if (!by.length && m.fields.length) by.push(m.fields[0].name);
      follow(m.fields.length ? `${m.name}/by=${by.join(",")}` : m.name);
    }, m.meaning, S.head && S.head.metric === m.name))]);
  }
  function fieldMenu(near, replace) {
    const d = S.head, m = metric(d.metric);
    const rest = d.by.filter((f) => f !== replace);
    const hasNumeric = rest.some((f) => (m.fields.find((x) => x.name === f) || {}).kind === "numeric");
    const discrete = rest.filter((f) => (m.fields.find((x) => x.name === f) || {}).kind === "discrete").length;
    const open = m.fields.filter((f) => !rest.includes(f.name) && (f.kind === "numeric" ? !hasNumeric : discrete < 3));
    menu("Broken down by", near, [
      ...open.map((f) => item(f.name.replace("_", " "), () => drill([...rest, f.name], []), f.meaning, f.name === replace)),
      replace && rest.length ? item(`not by ${replace.replace("_", " ")}`, () => drill(rest, [])) : null,
    ].filter(Boolean));
  }
  function filterMenu(near) {
    const d = S.head, m = metric(d.metric);
    const field = h("select", "zs-input"), op = h("select", "zs-input"), value = h("input", "zs-input"), unit = h("select", "zs-input");
    const known = h("datalist");
    known.id = "zs-dtrace-values";
    value.setAttribute("list", known.id);
    value.setAttribute("aria-label", "value");
    const fill = (el, pairs) => el.replaceChildren(...pairs.map(([v, t]) => {
      const o = h("option", "", t);
      o.value = v;
      return o;
    }));
    fill(field, m.fields.map((f) => [f.name, f.name.replace("_", " ")]));
    const of = () => m.fields.find((f) => f.name === field.value);
    const set = () => {
      const f = of(), numeric = f.kind === "numeric";
      fill(op, numeric ? [[">=", "at least"], ["<", "under"]] : [["=", "is"], ["!=", "is not"]]);
      fill(unit, (UNIT_STEP[f.unit] || [[f.unit, 1]]).map(([name, k]) => [String(k), name]));
      unit.hidden = !numeric;
      const at = S.keys ? S.keys.fields.indexOf(f.name) : -1;
      fill(known, at < 0 ? [] : [...new Set(S.keys.keys.map((k) => k.values[at]))].map((v) => [v, v]));
    };
    field.addEventListener("change", set);
    set();
    const done = () => {
      const f = of();
      const bad = f.kind === "numeric" ? value.value.trim() === "" || !Number.isFinite(Number(value.value)) : f.type === "int" && !/^\s*-?\d+\s*$/.test(value.value);
      if (bad) {
        zs.text(wrong, `${f.name.replace("_", " ")} is a ${f.kind === "numeric" ? "number" : "whole number"}`);
        return value.select();
      }
      const v = f.kind === "numeric" ? String(Math.round(Number(value.value) * Number(unit.value))) : value.value;
      zs.closeDialog();
      drill(d.by, [[f.name, op.value, v]]);
    };
    value.addEventListener("keydown", (e) => {
      if (e.key === "Enter") {
        e.preventDefault();
        done();
      }
    });
    for (const [el, name] of [[field, "field"], [op, "comparison"], [unit, "unit"]]) el.setAttribute("aria-label", name);
    const wrong = h("p", "zs-hint zs-warn", "");
    wrong.setAttribute("role", "status");
    zs.dialog("zs-dtrace-filter", "Filter", [h("h2", "", "Only where"), h("div", "zs-row", field, op, value, unit, known), h("div", "zs-row", button("zs-primary", done, "Add"), wrong)], near);
    value.focus();
  }
  function hostMenu(near) {
    const d = S.head;
    const now = new Set(chosen());
    const done = () => {
      S.hosts = d.hosts.filter((x) => !x.unknown && now.has(x.name)).map((x) => x.name);
      S.cell = null;
      zs.dtraceApply(true);
    };
    const rows = d.hosts.filter((x) => !x.unknown).map((x) => {
      const box = h("input");
      box.type = "checkbox";
      box.checked = now.has(x.name);
      box.addEventListener("change", () => (box.checked ? now.add(x.name) : now.delete(x.name)));
      const why = !x.up ? "not up" : !x.knows ? "no dtrace" : !x.allowed ? "not allowed in hosts.toml" : x.state;
      return h("label", "zs-item zs-dtrace-pick", box, h("span", "", x.name), h("span", "zs-hint", why));
    });
    menu("Hosts", near, [...rows, item("Use these", done)]);
  }
  const chooser = (label, options, now, put) => {
    const b = button("", () => menu(label, b, options.map(([v, t]) => item(t, () => {
      put(v);
      zs.dtraceApply(false);
    }, "", v === now))), h("b", "", (options.find((o) => o[0] === now) || [now, `${now}${THIN}s`])[1]), zs.icon("down"));
    b.setAttribute("aria-label", label);
    return b;
  };
  const word = (s) => h("span", "zs-dtrace-word", s);
  const segments = (label, options, on, put) => {
    const el = h("div", "zs-segments");
    el.setAttribute("role", "group");
    el.setAttribute("aria-label", label);
    for (const [v, t] of options) {
      const b = button("", () => {
        put(v);
        zs.dtraceApply(false);
        for (const p of zs.panels.values()) zs.invalidate(p);
        bar(true);
      }, t);
      b.setAttribute("aria-pressed", String(on(v)));
      el.append(b);
    }
    return el;
  };
  function colouring(v) {
    const p = heat();
    if (!p) return "rank";
    const key = `${p.id}.color`;
    if (v) {
      if (v === "rank") delete zs.state.sel[key];
      else zs.state.sel[key] = [v];
      zs.saveState(false);
    }
    return (zs.state.sel[key] || ["rank"])[0];
  }

  /** What a map with lit keys shows: everything, only them, everything else. */
  function showing(v) {
    const p = heat();
    if (!p) return "all";
    const key = `${p.id}.show`;
    if (v) {
      if (v === "all") delete zs.state.sel[key];
      else zs.state.sel[key] = [v];
      zs.saveState(false);
    }
    return (zs.state.sel[key] || ["all"])[0];
  }

  let painted = "";
  function bar(force) {
    const el = document.getElementById("zs-dtrace-bar"), d = S.head;
    if (!el || !d || d.id !== S.q) return;
    const key = JSON.stringify([d.id, d.where, d.by, chosen(), S.every, S.for, S.lines, S.yscale, S.draw, S.up, colouring(), S.lit.length > 0 && showing(), d.hosts.map((x) => x.name)]);
    if (el.firstChild && key === painted && !force) return;
    painted = key;
    root().dataset.mode = d.mode;
    const m = metric(d.metric);
    root().dataset.counted = d.counted ? "1" : "0";
    const first = [];
    const what = button("zs-dtrace-metric", () => metricMenu(what), h("b", "", m ? m.noun : d.metric), zs.icon("down"));
    first.push(what);
    if (m && m.fields.length) {
      d.where.forEach((p, i) => {
        const off = button("zs-icon-button zs-dtrace-off", () => follow(p.without), zs.icon("close"));
        off.title = `without ${p.field} ${p.value}`;
        off.setAttribute("aria-label", off.title);
        first.push(word(i ? "and" : "of"), h("span", "zs-dtrace-chip", p.field ? `${p.field.replace("_", " ")} ${p.word} ` : "", h("b", "", h("bdi", "", p.value || "“”")), off));
      });
      const add = button("zs-dtrace-add", () => filterMenu(add), zs.icon("plus"), h("span", "", "filter"));
      first.push(add, word("broken down by"));
      d.by.forEach((f, i) => {
        const b = button("zs-dtrace-by", () => fieldMenu(b, f), h("b", "", f.replace("_", " ")), zs.icon("down"));
        if (i) first.push(word("and"));
        first.push(b);
      });
      const more = button("zs-dtrace-add", () => fieldMenu(more, null), zs.icon("plus"));
      more.title = "Break down by one more field";
      more.setAttribute("aria-label", more.title);
      if (d.by.length < 4) first.push(more);
    }
    const names = chosen();
    const on = button("zs-dtrace-on", () => hostMenu(on), h("b", "", names.length > 4 ? `${names.length} hosts` : names.join(", ") || "no host"), zs.icon("down"));
    first.push(word("on"), on);
    if (!d.counted) first.push(word("every"), chooser("Interval", [[1, `1${THIN}s`], [5, `5${THIN}s`], [10, `10${THIN}s`], [60, `60${THIN}s`]], S.every, (v) => (S.every = v)),
      word("for"), chooser("Duration", [[60, `1${THIN}min`], [600, `10${THIN}min`], [1800, `30${THIN}min`], [3600, `1${THIN}h`]], S.for, (v) => (S.for = v)));
    if (!d.counted) {
      const program = button("zs-dtrace-program", () => zs.dt.programs(), zs.icon("code"), h("span", "", "D program"));
      program.title = "The D program as each host's compiler got it";
      first.push(program);
    }
    const second = d.mode === "counts" ? [
      segments("Drawn as", [["mountain", "Stacked"], ["line", "Lines"]], (v) => S.draw === v, (v) => (S.draw = v)),
    ] : d.mode !== "heat" ? [] : [
      ...(S.lit.length ? [segments("Keys", [["all", "All"], ["only", "Lit only"], ["but", "All but lit"]], (v) => showing() === v, showing)] : []),
      segments("Percentiles", LINES.map((x) => [x, x]), (v) => S.lines.includes(v), (v) => (S.lines = LINES.filter((x) => (x === v) !== S.lines.includes(x)))),
      d.log && segments("Axis", [["log", "Log"], ["linear", "Linear"]], (v) => S.yscale === v, (v) => (S.yscale = v)),
      segments("Colour", [["rank", "Rank"], ["sqrt", "Square root"], ["linear", "Linear"]], (v) => colouring() === v, colouring),
    ].filter(Boolean);
    el.replaceChildren(h("div", "zs-dtrace-sentence", ...first));
    const how = document.getElementById("zs-dtrace-how");
    const at = how.contains(document.activeElement) ? [...how.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    how.replaceChildren(...second);
    if (at >= 0) [...how.querySelectorAll("button")].slice(at, at + 1).forEach((b) => b.focus());
    const p = heat();
    if (p) {
      const t = d.mode === "stacks" ? "Where in each second" : d.numeric ? d.numeric[0].toUpperCase() + d.numeric.slice(1) : "Latency";
      zs.text(p.el.querySelector(".zs-panel-title"), t);
    }
    zs.dt.tools();
  }

  // -- the head: state, start and stop -----------------------------------------------------------------------------

  const plural = (n, s) => `${count(n, "1")} ${s}${n === 1 ? "" : "s"}`;
  function paintHead() {
    const v = [...zs.views.values()].find((x) => x.name === "dtrace_head");
    if (v && v.el.zsParts && S.head) paint(v.el, S.head);
  }
  zs.view("dtrace_head", (el, d) => {
    if (!el.zsParts) {
      const p = (el.zsParts = { state: h("b", "", ""), detail: h("span", "", ""), dot: zs.icon("dot") });
      p.go = button("zs-dtrace-go", () => (p.go.dataset.do === "stop" ? stop() : start()), (p.icon = zs.icon("run")), (p.word = h("span", "", "Start")));
      p.link = button("zs-dtrace-link", () => zs.copy(zs.linkHere(), "Link"), zs.icon("link"), h("span", "", "Copy link"));
      p.line = h("span", "zs-dtrace-state", p.dot, p.state, p.detail);
      el.append(p.link, h("span", "zs-dtrace-run", p.line, p.go));
      read();
      painted = "";
      apply();
    }
    S.head = d;
    if (d.problem) {
      zs.text(el.zsParts.state, d.problem);
      return;
    }
    paint(el, d);
    zs.dt.headed(d);
  });
  function paint(el, d) {
    const p = el.zsParts;
    const h1 = el.parentElement && el.parentElement.querySelector("h1");
    if (h1) zs.text(h1, d.sentence);
    const current = d.id === S.q;
    const under = current ? d.requests : [];
    const past = zs.state.to !== "now";
    const fresh = S.asked && S.asked.q === S.q && performance.now() - S.asked.at < 5000;
    const refused = d.hosts.filter((x) => x.chosen && x.state === "refused").length;
    let state = "", detail = "";
    if (d.counted) state = "Counted all the time, nearly free";
    else if (current && d.running.length) {
      state = under.length || d.id !== settings().standing ? `Running on ${plural(d.running.length, "host")}` : `Always running on ${plural(d.running.length, "host")}`;
      if (d.ends) detail = `, ends in ${zs.span(Math.max(0, d.ends - zs.now()))}`;
    } else if (current && d.untaken) state = "No collector has taken it yet";
    else if (under.length && d.hosts.some((x) => x.chosen && x.state === "lost")) state = "Nothing is heard of it";
    else if (under.length || S.busy || (fresh && !refused)) state = "Starting";
    else if (refused && !d.hosts.some((x) => x.chosen && x.state === "ended")) state = `Refused by ${plural(refused, "host")}`;
    else state = "Not running";
    p.line.dataset.state = d.running.length && current ? "running" : under.length ? "asked" : "";
    zs.text(p.state, state);
    zs.text(p.detail, detail);
    const stops = under.length > 0 || (current && requests().length > 0 && !refused);
    p.go.dataset.do = stops ? "stop" : "start";
    p.go.className = `zs-button zs-dtrace-go ${stops ? "zs-stop" : "zs-primary"}`;
    p.icon.className = `zs-i zs-i-${stops ? "stop" : "run"}`;
    zs.text(p.word, stops ? "Stop" : past ? "Ask now" : "Start");
    p.go.title = stops ? "End it on every host, and the graphs over this one" : past ? "Ask it of these hosts now; the page goes back to live" : "Ask it of these hosts";
    p.go.hidden = d.counted || (d.id === settings().standing && !stops && d.running.length === there().length);
    bar();
    hosts(d);
  }
  /** What dtrace uses of a CPU, no finer than the host tells. */
  const cost = (x) => (x.cpu < x.cpu_error ? `< ${Math.round(100 * x.cpu_error)}${THIN}%` : `${zs.sig(100 * x.cpu, "%")}${THIN}%`);
  function hosts(d) {
    const el = document.getElementById("zs-dtrace-hosts");
    if (!el) return;
    if (!el.zsList) {
      el.zsList = h("div", "zs-dtrace-list");
      el.append(h("h2", "zs-panel-title", "Running on"), el.zsList, (el.zsEnds = h("p", "zs-hint zs-dtrace-ends", "")));
    }
    const always = d.id === settings().standing && !d.requests.length;
    zs.text(el.zsEnds, always ? "Leaves a host alone for ten minutes if it uses over 25\u2009% of a CPU there or drops over 1000 records a second." : "Ends by itself after its time, over 25\u2009% of a CPU or 1000 drops a second, and a minute after nobody looks.");
    const WORD = { running: "running", asked: "attaching probes", refused: "refused", ended: "ended", lost: "nothing is heard" };
    zs.keyed(el.zsList, d.hosts.filter((x) => x.chosen), (x) => x.name, (x) => {
      const parts = { name: h("b", "", x.name), what: h("span", "", ""), rate: h("span", "zs-n", ""), cpu: h("span", "zs-n", ""), drops: h("span", "zs-n", "") };
      const row = h("div", "zs-dtrace-host", parts.name, parts.what, parts.rate, parts.cpu, parts.drops);
      row.zsParts = parts;
      return row;
    }, (row, x) => {
      const p = row.zsParts, runs = x.state === "running";
      row.dataset.state = x.state;
      const silent = x.unknown ? "no host is called so" : !x.up ? `not up${x.lacks ? `: ${x.lacks}` : ""}` : d.counted ? "counted" : !x.knows ? `no dtrace${x.lacks ? `: ${x.lacks}` : ""}` : !x.allowed ? "not allowed in hosts.toml" : "not running";
      const by = x.who && x.who !== "zonescope" ? `, asked by ${x.who}` : x.who ? ", all the time" : "";
      const left = runs && x.ends !== null ? `, ${zs.span(Math.max(0, x.ends - zs.now()))} left` : "";
      zs.text(p.what, (x.state && !d.counted ? (d.untaken && x.state === "asked" ? "no collector has taken it" : WORD[x.state]) + (x.why ? `: ${x.why}` : "") : silent) + (runs ? by + left : ""));
      p.what.title = p.what.textContent;
      zs.text(p.rate, x.rate === null || !runs ? "" : d.counted ? `${x.rate} disks` : `${d.unit === "1" ? zs.sig(x.rate, "") : amount(x.rate, d.unit)}/s`);
      zs.text(p.cpu, !runs || d.counted ? "" : x.cpu === null ? `–${THIN}CPU` : `${cost(x)} CPU`);
      p.cpu.title = x.cpu === null ? "What dtrace itself uses is asked every few seconds" : "CPU time of dtrace itself; what its probes cost the probed comes on top";
      const lost = Math.max(x.drops || 0, x.lost || 0);
      zs.text(p.drops, x.drops === null || !runs || d.counted ? "" : `${zs.sig(lost, "")} drops`);
      p.drops.classList.toggle("zs-warn", lost > 0);
    });
  }

  // -- keys of the window, or of one cell --------------------------------------------------------------------------

  /** Whether a key has a colour of its own in the stack already: what is lit has to, and the others keep theirs. */
  function drawn(id) {
    const p = zs.panels.get("p-dtrace-stack");
    return Boolean(p && p.meta && p.meta.series.some((s) => s.id === id)) || S.extra.includes(id);
  }
  function light(id, add) {
    if (add) S.lit = S.lit.includes(id) ? S.lit.filter((x) => x !== id) : [...S.lit, id].slice(-LIT);
    else S.lit = S.lit.length === 1 && S.lit[0] === id ? [] : [id];
    if (!drawn(id)) S.extra = [...S.extra, id].slice(-LIT);
    zs.dtraceApply(false);
    if (S.keys) keys(S.keysEl, S.keys);
    for (const p of zs.panels.values()) zs.invalidate(p);
  }
  zs.dtraceLight = light;
  /** The bounds of the chosen bucket become a filter of the question, in the field's own whole numbers. */
  const PER = { ns: 1e-9, us: 1e-6, ms: 1e-3, "ms-of-second": 1e-3, B: 1, KiB: 1024, GiB: 1024 ** 3 };
  function narrowed() {
    const d = S.head, f = metric(d.metric).fields.find((x) => x.name === d.numeric), [, , lo, hi] = S.cell;
    const whole = (v) => String(Math.round(v / (PER[f.unit] || 1)));
    drill(d.by, [...(lo > 0 ? [[f.name, ">=", whole(lo)]] : []), ...(hi === null ? [] : [[f.name, "<", whole(hi)]])]);
  }
  function drillMenu(near, key) {
    const d = S.head, m = metric(d.metric);
    if (!m || !m.fields.length) return;
    const fix = [], only = [];
    S.keys.fields.forEach((f, i) => (f === "host" ? only.push(key.values[i]) : fix.push([f, "=", key.values[i]])));
    const kind = (f) => (m.fields.find((x) => x.name === f) || {}).kind;
    const numeric = d.by.filter((f) => kind(f) === "numeric");
    const fixed = new Set([...d.where.map((p) => p.field), ...fix.map((f) => f[0])]);
    const next = m.fields.filter((f) => f.kind === "discrete" && !fixed.has(f.name));
    const others = m.fields.filter((f) => f.kind === "numeric" && !numeric.includes(f.name));
    const hosts = only.length ? only : null;
    menu("Drill down", near, [
      h("h3", "", `Of ${key.values.join(" ")}, by`),
      ...next.map((f) => item(f.name.replace("_", " "), () => tried(deeper([f.name, ...numeric], fix, hosts, key)), f.meaning)),
      ...others.map((f) => item(f.name, () => tried(deeper([f.name], fix, hosts, key)), f.meaning)),
      numeric.length ? item("nothing else", () => tried(deeper(numeric, fix, hosts, key)), numeric[0]) : null,
      fix.length === 1 && !only.length ? item("all but it", () => drill(d.by, [[fix[0][0], "!=", fix[0][2]]]), "the same question without it") : null,
    ].filter(Boolean));
  }
  const amount = (n, unit) => (unit === "ns" ? zs.fmtText(n * 1e-9, "s") : unit === "B" ? zs.fmtText(n, "B") : zs.sig(n, "").replace(/\B(?=(\d{3})+(?!\d))/g, n >= 10000 ? THIN : ""));
  const count = (n, unit) => (unit === "B" ? zs.fmtText(n, "B") : n >= 10000 ? String(n).replace(/\B(?=(\d{3})+(?!\d))/g, THIN) : String(n));
  const bounds = (lo, hi, unit) => {
    const a = zs.fmt(lo, unit), b = hi === null ? null : zs.fmt(hi, unit);
    if (!b) return `over ${a.join(THIN)}`;
    if (hi === lo) return a.join(THIN);
    return a[1] === b[1] ? `${a[0]} to ${b.join(THIN)}` : `${a.join(THIN)} to ${b.join(THIN)}`;
  };

  zs.view("dtrace_keys", (el, d) => {
    S.keys = d;
    S.keysEl = el;
    keys(el, d);
  });
  function keys(el, d) {
    if (!el.zsParts) {
      const p = (el.zsParts = { title: h("h2", "zs-panel-title", ""), sub: h("p", "zs-dtrace-sub", ""), head: h("tr"), body: h("tbody"), foot: h("tr"), more: h("p", "zs-hint", "") });
      p.whole = button("zs-dtrace-whole", () => cell(null), "Whole window");
      p.only = button("zs-dtrace-whole", () => narrowed(), "Only these");
      p.percentiles = h("dl", "zs-dtrace-percentiles");
      p.table = h("table", "zs-table zs-dtrace-keys", h("thead", "", p.head), p.body, h("tfoot", "", p.foot));
      p.hint = h("p", "zs-hint", "Click a key to light it, Shift+click to add one, right-click (or the glass) to fix it in a new graph. With a row in focus: ↑ ↓ or j k move, Enter drills down.");
      el.append(h("div", "zs-panel-head", p.title, h("span", "", p.only, p.whole)), p.sub, p.percentiles, (p.scroll = h("div", "zs-dtrace-scroll", p.table)), p.more, p.hint);
      p.body.addEventListener("click", (e) => {
        const tr = e.target.closest("tr[data-id]");
        if (!tr) return;
        const b = e.target.closest(".zs-dtrace-drill");
        if (b) drillMenu(b, tr.zsKey);
        else light(tr.dataset.id, e.shiftKey || e.ctrlKey || e.metaKey);
      });
      // Shift+click lights one more key; it marks no text.
      p.body.addEventListener("mousedown", (e) => e.shiftKey && e.preventDefault());
      p.body.addEventListener("contextmenu", (e) => {
        const tr = e.target.closest("tr[data-id]");
        if (!tr) return;
        e.preventDefault();
        drillMenu(tr.querySelector(".zs-dtrace-drill"), tr.zsKey);
      });
      p.body.addEventListener("keydown", (e) => {
        const tr = e.target.closest("tr[data-id]");
        if (!tr || e.target !== tr) return;
        const to = e.key === "ArrowDown" || e.key === "j" ? tr.nextSibling : e.key === "ArrowUp" || e.key === "k" ? tr.previousSibling : null;
        if (to) {
          to.focus();
          light(to.dataset.id, false);
        } else if (e.key === " ") light(tr.dataset.id, e.shiftKey);
        else if (e.key === "Enter") drillMenu(tr.querySelector(".zs-dtrace-drill"), tr.zsKey);
        else return;
        e.preventDefault();
        e.stopPropagation();
      });
    }
    const p = el.zsParts;
    const fields = d.fields.length ? d.fields : [""];
    const timed = d.mode === "heat";
    const unit = d.unit === "B" ? "bytes" : S.head && S.head.counted ? "samples" : "events";
    p.hint.hidden = !d.keys.length;
    zs.text(p.title, d.cell ? "One bucket" : "Keys");
    p.whole.hidden = !d.cell;
    p.only.hidden = !d.cell || !S.head || !S.head.by.includes(S.head.numeric);
    if (!p.only.hidden) p.only.title = `A question of its own: ${S.head.numeric.replace("_", " ")} ${bounds(d.cell[2], d.cell[3], d.span)} as its filter`;
    p.scroll.hidden = !d.sampled;
    zs.text(p.sub, !d.sampled ? "No samples in this window" : d.cell ? `${zs.hms(d.from)} to ${zs.hms(d.to)}, ${bounds(d.cell[2], d.cell[3], d.span)}, ${count(d.sum, d.unit)} ${d.unit === "B" ? "" : unit}` : `${plural(d.keys.length + d.more, "key")}, ${count(d.sum, d.unit)}${d.unit === "B" ? "" : ` ${unit}`} in ${zs.span(d.to - d.from)}`);
    p.percentiles.hidden = !d.percentiles.length || Boolean(d.cell);
    zs.keyed(p.percentiles, d.percentiles, (x) => x.name, (x) => {
      const node = h("div", "", h("dt", "", x.name), h("dd", "", ""), h("dd", "zs-dtrace-width", ""));
      return node;
    }, (node, x) => {
      zs.text(node.children[1], x.name === "max" && x.high > x.low ? `< ${zs.fmtText(x.high, x.unit)}` : zs.fmtText(x.value, x.unit));
      zs.text(node.lastChild, bounds(x.low, x.high, x.unit));
      node.title = "The truth is somewhere in this bucket.";
    });
    const headKey = fields.join() + timed + unit + S.sort;
    if (p.headKey !== headKey) {
      p.headKey = headKey;
      const wide = fields.map((f) => h("th", "zs-name", f.replace("_", " ") || "all"));
      const sorting = (word, by, title) => {
        const b = button("zs-dtrace-sort", () => {
          S.sort = by;
          zs.dtraceApply(false);
          keys(el, S.keys);
        }, word);
        b.title = title;
        const th = h("th", "zs-n", b);
        if (S.sort === by) th.setAttribute("aria-sort", "descending");
        return th;
      };
      const counts = timed ? sorting(unit, "", "The largest keys first") : h("th", "zs-n", unit);
      p.head.replaceChildren(h("th"), ...wide, counts, h("th", "", ""), h("th", "zs-n", "share"), ...(timed ? [sorting("p99", "p99", "The slowest keys first")] : []), h("th"));
      p.body.replaceChildren();
      p.body.zsKeyed = new Map();
    }
    const top = Math.max(...d.keys.map((k) => k.share), 1e-9);
    zs.keyed(p.body, d.keys, (k) => k.id, (k) => {
      const tr = h("tr");
      tr.dataset.id = k.id;
      tr.tabIndex = 0;
      const parts = { box: h("i", "zs-dtrace-box"), n: h("td", "zs-n", ""), bar: h("i"), share: h("td", "zs-n", ""), p99: h("td", "zs-n", "") };
      const deeper = button("zs-icon-button zs-dtrace-drill", null, zs.icon("zoom-in"));
      deeper.title = "Of these, by …";
      deeper.setAttribute("aria-label", `Drill down into ${k.values.join(" ")}`);
      tr.append(h("td", "", parts.box), ...(k.values.length ? k.values : ["all"]).map((v) => zs.dt.keyCell(v)), parts.n, h("td", "zs-dtrace-share", parts.bar), parts.share, ...(timed ? [parts.p99] : []), h("td", "", deeper));
      tr.zsParts = parts;
      return tr;
    }, (tr, k) => {
      const q = tr.zsParts;
      tr.zsKey = k;
      const at = S.lit.indexOf(k.id);
      tr.classList.toggle("zs-lit", at >= 0);
      tr.setAttribute("aria-selected", String(at >= 0));
      const color = d.mode === "counts" ? stacked(k.id, at) : at >= 0 ? zs.ramp(`key${at + 1}`)[3] : "";
      q.box.style.background = q.bar.style.background = color;
      zs.text(q.n, count(k.count, d.unit));
      q.bar.style.width = `${Math.max(1, (100 * k.share) / top).toFixed(1)}%`;
      zs.text(q.share, k.share < 0.01 ? `< 1${THIN}%` : `${Math.round(100 * k.share)}${THIN}%`);
      zs.text(q.p99, k.p99 === null ? "–" : zs.fmtText(k.p99, d.span));
    });
    const cells = [h("td"), ...fields.map((_, i) => h("td", "", i ? "" : "sum")), h("td", "zs-n", count(d.sum, d.unit)), h("td"), h("td", "zs-n", d.sum ? `100${THIN}%` : ""), ...(timed ? [h("td")] : []), h("td")];
    p.foot.replaceChildren(...cells);
    zs.text(p.more, d.more ? `and ${d.more} more keys with ${amount(d.rest, d.unit)}` : "");
    p.more.hidden = !d.more;
  }

  /** Colour of a key in the stack; the lit ones keep theirs. */
  function stacked(id, at) {
    const p = [...zs.panels.values()].find((x) => x.name === "dtrace_stack");
    const series = p && p.meta ? p.meta.series.find((x) => x.id === id) || { slot: null } : { slot: null };
    return S.lit.length && at < 0 ? "" : zs.seriesColor(series, zs.colors());
  }

  // -- a cell of the map -------------------------------------------------------------------------------------------

  function cell(found) {
    S.cell = found ? [found.t0, found.t1, found.lo, Number.isFinite(found.hi) ? found.hi : null] : null;
    write(false);
    apply();
    for (const p of zs.panels.values()) if (p.name === "dtrace_heat") zs.invalidate(p);
  }
  let pressed = null, was = null;
  const plot = (e) => e.target.closest && e.target.closest("#p-dtrace-heat .zs-over");
  document.addEventListener("pointerdown", (e) => {
    pressed = plot(e) ? [e.clientX, e.clientY] : null;
  }, true);
  document.addEventListener("click", (e) => {
    const p = plot(e) && heat();
    if (!p || !p.geo || !pressed || Math.hypot(e.clientX - pressed[0], e.clientY - pressed[1]) >= 5) return;
    zs.pin(null, p);
    // The second click of a double click, which zooms: what the first one chose is as it was.
    if (e.detail > 1) return was && was();
    const [kept, picked] = [S.cell, zs.dt.picking()];
    was = () => {
      was = null;
      if (root().dataset.mode === "stacks") return zs.dt.picking(picked);
      S.cell = kept;
      write(false);
      apply();
      for (const x of zs.panels.values()) zs.invalidate(x);
    };
    const r = p.plot.getBoundingClientRect();
    const found = zs.cellAt(p, p.tx(e.clientX - r.left), e.clientY - r.top);
    if (root().dataset.mode === "stacks") zs.dt.pick(p, p.tx(e.clientX - r.left));
    else cell(found && found.count > 0 ? found : null);
  });

  // The same by keys: the arrows move between cells, Enter says who was in one.
  document.addEventListener("keydown", (e) => {
    const p = e.key === "Enter" && plot(e) && heat(), at = zs.cross();
    if (!p || !at || at.panel !== p) return;
    e.preventDefault();
    e.stopPropagation();
    const found = zs.cellAt(p, at.t, at.y);
    if (root().dataset.mode === "stacks") zs.dt.pick(p, at.t);
    else cell(found && found.count > 0 ? found : null);
  }, true);

  const plain = zs.kinds.heat;
  zs.kinds.heat = (p, ctx) => {
    if (p.name === "dtrace_heat") zs.dt.own(p);
    plain(p, ctx);
    if (p.name !== "dtrace_heat" || !p.heat || !p.cells) return;
    legend(p);
    zs.dt.over(p, ctx);
    if (!S.cell || !p.py || slot(p) >= 0) return;
    const [t0, t1, lo, hi] = S.cell;
    const x0 = p.px(t0), x1 = Math.max(p.px(t1), x0 + 3);
    if (x1 < p.geo.x || x0 > p.geo.x + p.geo.w) return;
    const y0 = hi === null ? p.geo.y - 18 : p.py(hi), y1 = hi === null ? p.geo.y - 10 : p.py(Math.max(lo, p.cells.lo));
    ctx.strokeStyle = zs.colors().text;
    ctx.lineWidth = 2;
    ctx.strokeRect(x0 - 1, y0 - 1, x1 - x0 + 2, y1 - y0 + 2);
  };
  /** Scales in the panel's head: the crowd, then each lit key, from one event to the fullest cell. */
  function legend(p) {
    const lit = p.heat.lit.length;
    const scales = p.litScales || [];
    const key = `${lit} ${scales.join()} ${(p.query.lit || []).join("|")} ${zs.state.sel[`${p.id}.show`]} ${zs.theme()}`;
    const state = p.el.querySelector(".zs-panel-state");
    if (!state || state.dataset.key === key) return;
    state.dataset.key = key;
    const ids = p.query.lit || [];
    const steps = (colors) => h("span", "zs-dtrace-ramp", ...colors.map((color) => {
      const i = h("i");
      i.style.background = color;
      return i;
    }));
    const show = lit ? (zs.state.sel[`${p.id}.show`] || ["all"])[0] : "all";
    const crowd = !scales[0] || (lit && slot(p) >= 0) ? "" : h("span", "zs-dtrace-scale", h("span", "", lit && show !== "but" ? "cells with" : S.head && S.head.counted ? "disks" : "events"), " 1 ", steps(zs.ramp(lit && show !== "but" ? "rest" : "heat")), ` ${count(Math.round(scales[0] || 0), "1")}`);
    // A lit key's ramp goes from a small share of a cell to all of it.
    const named = lit < 3;
    const keys = show === "but" ? [] : ids.slice(0, lit).map((id, i) => {
      const colors = zs.shares(`key${i + 1}`).map((x) => x[3]);
      if (!named) return steps(colors.slice(-1));
      return h("span", "zs-dtrace-scale", h("span", "zs-dtrace-litname", id.split(SEP).join(" ") || "all"), "few ", steps(colors), " all of a cell");
    });
    if (!named && keys.length) keys.splice(0, keys.length, h("span", "zs-dtrace-scale zs-dtrace-hues", `${lit} keys, paler: fewer of a cell `, ...keys));
    state.replaceChildren(crowd, ...keys);
    const width = `one column is ${zs.width(p.step)}`;
    if (slot(p) < 0) zs.text(p.el.querySelector(".zs-panel-sub"), width);
  }

  // -- keys stacked over time --------------------------------------------------------------------------------------

  zs.kinds.stack = (p, ctx) => {
    zs.dt.own(p);
    const c = zs.colors();
    const [i0, i1] = p.columns();
    const line = S.draw === "line" && slot(p) < 0;
    const lit = slot(p) < 0 ? S.lit : (S.up[slot(p)] || { lit: [] }).lit;
    const rows = p.meta.series.length;
    const picked = p.meta.series.map((s) => s.group !== "hidden" && p.selected(s));
    let hi = 0;
    for (let i = i0; i < i1; i++) {
      let sum = 0;
      for (let r = 0; r < rows; r++) if (picked[r]) sum = line ? Math.max(sum, p.values[r * p.cap + i] || 0) : sum + (p.values[r * p.cap + i] || 0);
      if (sum > hi) hi = sum;
    }
    const none = !hi && p.newest() === null; // an axis of nothing would be made up
    hi = hi * 1.05 || 1;
    const zoomed = zs.state.y[p.id];
    const [lo, top] = zoomed || [0, hi];
    const sc = (p.yscaled = zs.scale(p.meta.unit, top));
    const step = zs.niceStep((top - lo) / sc.div, Math.max(2, p.geo.h / 40));
    const ticks = [];
    for (let k = Math.ceil(lo / sc.div / step); !none && k * step * sc.div <= top; k++) ticks.push([k * step * sc.div, count(Number((k * step).toPrecision(4)), "1")]);
    const sub = p.el.querySelector(".zs-panel-sub"), per = sc.unit === "/s" ? "events/s" : sc.unit;
    if (slot(p) < 0) zs.text(sub, `${per} by key, ${line ? "lines" : "stacked"}, one column is ${zs.width(p.step)}`);
    zs.axes(p, { range: [lo, top], log: false, ticks, domain: [0, 1] });
    const g = p.geo;
    zs.setY(p, lo, top, false);
    p.bottom = g.y + g.h;
    zs.clip(ctx, g);
    const base = new Float64Array(i1 - i0);
    const reach = Math.max(1, p.cadence || 1), dpr = window.devicePixelRatio || 1;
    const edge = (i) => Math.round(p.px(p.start + i * p.step) * dpr) / dpr; // whole pixels: no seams
    p.series = [];
    for (let r = 0; r < rows; r++) {
      if (!picked[r]) continue;
      const tops = new Float32Array(i1 - i0).fill(NaN);
      const own = p.meta.series[r];
      ctx.fillStyle = ctx.strokeStyle = lit.length && !lit.includes(own.id) ? c.heat_rest[1] : zs.seriesColor(own, c);
      if (line) {
        let pen = false;
        ctx.lineWidth = 1.5;
        ctx.beginPath();
        for (let i = i0; i < i1; i++) {
          const v = p.values[r * p.cap + i];
          pen = pen && v === v;
          if (v !== v) continue;
          tops[i - i0] = p.py(v);
          ctx[pen ? "lineTo" : "moveTo"](p.px(p.start + (i + 0.5) * p.step), tops[i - i0]);
          pen = true;
        }
        ctx.stroke();
        p.series.push({ r, s: own, y: (i) => tops[i - i0] });
        continue;
      }
      for (let i = i0; i < i1; i++) {
        const v = p.values[r * p.cap + i];
        if (v !== v) continue;
        const y0 = p.py(base[i - i0]), y1 = p.py((base[i - i0] += v));
        const x0 = edge(i - reach + 1), x1 = edge(i + 1);
        ctx.fillRect(x0, y1, x1 - x0, y0 - y1);
        tops[i - i0] = y1;
      }
      p.series.push({ r, s: p.meta.series[r], y: (i) => tops[i - i0] });
    }
    ctx.restore();
    zs.paintGaps(p, ctx, g.y, p.bottom);
    zs.paintEvents(p, ctx, g.y, p.bottom);
    zs.dt.over(p, ctx);
  };

  const KEYS = [
    ["Keys of a heat map", [["↑  ↓", "light the next key"], ["j  k", "the same"], ["Space", "light or not; Shift adds"], ["Enter", "fix it and break it down"], ["Shift+click", "light one more"]]],
    ["Heat map", [["Enter", "who was in the cell"], ["Shift+drag", "zoom the latency"], ["Shift+click", "on a tool: its other way"]]],
    ["Flame graph", [["Ctrl+F  F3", "search, a regular expression"], ["Ctrl+I", "upper and lower case"], ["← → ↑ ↓", "move between boxes"], ["Enter", "zoom"], ["Esc", "all of it"]]],
  ];
  const general = zs.pageKeys;
  zs.pageKeys = () => (!root() ? general() : KEYS.filter(([name]) => (name === "Flame graph") === (root().dataset.mode === "stacks")));

  // What the graphs' own tools (zs-78a-graphs.js) work with.
  zs.dt = { S, THIN, SEP, LIT, root, settings, heat, graph, slot, mode, chosen, button, menu, item, post, tried, go, stop, cost, above, light, write, apply, bounds, count, plural };
})();
