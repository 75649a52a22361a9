/* Tools of the DTrace page's graphs: zoom by list, crop of outliers, rainbow, least and most, saved questions, the D
   program, graphs that were drilled down from, and what the columns themselves do not say: asked or not, records
   lost, why there is nothing. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const dt = zs.dt;
  const { S, THIN, button, menu, item, root, heat, graph, slot } = dt;
  const SAVED = "zs-dtrace-saved";
  const CROPS = [null, 0, 0.001, 0.01, 0.05, 0.1]; // share of the events over the axis; null: the usual axis
  const SPANS = [["1 min", 60, "m"], ["1 h", 3600, "h"], ["1 d", 86400, "d"], ["1 w", 604800, "w"], ["1 M", 2592000, "M"]];
  const percent = (x) => `${Number((100 * x).toPrecision(2))}${THIN}%`;
  const repaint = () => {
    for (const p of zs.panels.values()) zs.invalidate(p);
  };

  /** A key's value: text whatever it holds, its own direction kept to itself, the whole of it as a tooltip. */
  function keyCell(v) {
    const td = h("td", "zs-name zs-mono", h("bdi", "", v === "" ? "–" : v.length > 200 ? `${v.slice(0, 200)}…` : v));
    td.title = v.slice(0, 2000);
    return td;
  }

  // -- saved questions ---------------------------------------------------------------------------------------------

  function saved() {
    try {
      const found = JSON.parse(localStorage.getItem(SAVED) || "[]");
      return Array.isArray(found) ? found.filter((x) => x && typeof x.search === "string" && typeof x.sentence === "string") : [];
    } catch (e) {
      return [];
    }
  }
  const here = () => new URL(zs.linkPath(), location.origin).search;
  function save() {
    const mine = { sentence: S.head.sentence, search: here() };
    const others = saved().filter((x) => x.search !== mine.search);
    const had = others.length < saved().length;
    localStorage.setItem(SAVED, JSON.stringify(had ? others : [mine, ...others].slice(0, 30)));
    zs.say(had ? "No longer saved" : "Saved in this browser: the first button of the sentence lists it");
    tools(true);
  }
  function open(search) {
    history.pushState({ zs: true }, "", location.pathname + search);
    zs.rereadState();
    zs.emit("range");
    zs.emit("url");
  }

  // -- the D program -----------------------------------------------------------------------------------------------

  async function programs() {
    let found = [];
    try {
      found = (await dt.post({ do: "program", question: S.q, hosts: dt.chosen() })).programs;
    } catch (e) {
      return zs.say(String(e.message || e));
    }
    // Hosts that got the same text share it.
    const texts = new Map();
    for (const x of found) texts.set(x.text, [...(texts.get(x.text) || []), `${x.host}, ${zs.stamp(x.time)}${x.who ? `, asked by ${x.who}` : ""}`]);
    const parts = [...texts].map(([text, hosts]) => {
      const copy = button("", () => zs.copy(text, "Program"), "Copy");
      return h("section", "", h("div", "zs-row", h("div", "", ...hosts.map((s) => h("h3", "", s))), copy), h("pre", "zs-dtrace-text zs-mono", text));
    });
    if (!parts.length) parts.push(h("p", "zs-hint", "It has not run on these hosts yet: the program is made for a host's own probes when it starts. Start it, and it stands here."));
    const close = button("", () => zs.closeDialog(), zs.icon("close"), h("span", "", "Close"));
    zs.dialog("zs-dtrace-programs", "D program", [h("div", "zs-row", h("h2", "", S.head.sentence), close), ...parts]);
  }

  // -- the axis ----------------------------------------------------------------------------------------------------

  /** Events of each row of the map over what is shown. */
  function sums(p) {
    const [i0, i1] = p.columns();
    const { rows, counts } = p.heat;
    const out = new Float64Array(rows);
    for (let i = i0; i < i1; i++) for (let r = 0; r < rows; r++) if (counts[i * rows + r] > 0) out[r] += counts[i * rows + r];
    return out;
  }
  const upper = (p, r) => (r + 1 < p.heat.rows ? p.heat.bounds[r + 1] : p.heat.bounds[r] * 2);
  function setAxis(p, ends) {
    if (ends && ends[1] > ends[0]) zs.state.y[p.id] = ends;
    else delete zs.state.y[p.id];
    p.axis.y = null;
    zs.saveState(true);
    zs.emit("mode");
  }
  /** Leaves `share` of the events over the axis, in the row on top; null: the axis as it comes. */
  function crop(share) {
    const p = heat();
    if (!p || !p.heat) return;
    if (share === null) return setAxis(p, null);
    const rows = sums(p);
    const all = rows.reduce((a, b) => a + b, 0);
    if (!all) return;
    let first = rows.findIndex((v) => v > 0), last = rows.length - 1, over = rows[last];
    while (last > first && over <= share * all) over += rows[--last];
    const log = p.meta.yscale !== "linear";
    const least = p.heat.bounds[first] > 0 ? p.heat.bounds[first] : p.heat.bounds.find((b) => b > 0) / 2;
    setAxis(p, [log ? least : Math.min(0, p.heat.bounds[first]), upper(p, last)]);
  }
  const cropped = () => {
    const p = heat();
    const at = (p && zs.state.y[p.id] && zs.state.sel[`${p.id}.crop`]) || null;
    return at ? CROPS.findIndex((x) => String(x) === at[0]) : 0;
  };
  function stepCrop(back) {
    const p = heat();
    const at = (cropped() + (back ? CROPS.length - 1 : 1)) % CROPS.length;
    if (CROPS[at] === null) delete zs.state.sel[`${p.id}.crop`];
    else zs.state.sel[`${p.id}.crop`] = [String(CROPS[at])];
    crop(CROPS[at]);
    tools(true);
  }
  /** The rows of the map as a list, the highest on top: click a low one, Shift+click a high one, crop. */
  function rowList(near) {
    const p = heat();
    if (!p || !p.heat) return;
    const rows = sums(p);
    const all = rows.reduce((a, b) => a + b, 0) || 1, most = Math.max(...rows);
    let low = null, high = null;
    const unit = p.meta.heat.unit;
    const list = h("div", "zs-dtrace-rows");
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-multiselectable", "true");
    const mark = () => {
      for (const b of list.children) {
        const r = Number(b.dataset.row);
        const on = low !== null && r >= low && r <= (high === null ? low : high);
        b.setAttribute("aria-selected", String(on));
      }
      go.disabled = low === null;
    };
    const go = button("zs-primary", () => {
      zs.closeDialog();
      setAxis(p, [p.heat.bounds[low] > 0 || p.meta.yscale === "linear" ? p.heat.bounds[low] : upper(p, low) / 2, upper(p, high === null ? low : high)]);
    }, "Crop to these");
    const whole = button("", () => {
      zs.closeDialog();
      setAxis(p, null);
    }, "Whole axis");
    for (let r = rows.length - 1; r >= 0; r--) {
      if (!rows[r] && !(r && rows[r - 1]) && !rows[r + 1]) continue;
      const bar = h("i");
      bar.style.width = `${((100 * rows[r]) / most).toFixed(1)}%`;
      const b = button("zs-item", null, h("span", "", dt.bounds(p.heat.bounds[r], r + 1 < rows.length ? upper(p, r) : null, unit)), h("span", "zs-dtrace-share", bar), h("span", "zs-n", dt.count(Math.round(rows[r]), "1")), h("span", "zs-n zs-hint", !rows[r] ? "" : rows[r] / all < 1e-4 ? `< 0.01${THIN}%` : percent(rows[r] / all)));
      b.dataset.row = r;
      b.setAttribute("role", "option");
      b.addEventListener("click", (e) => {
        if (e.shiftKey && low !== null) [low, high] = [Math.min(low, r), Math.max(low, r)];
        else [low, high] = [r, null];
        mark();
      });
      list.append(b);
    }
    menu("Rows", near, [h("p", "zs-hint", "Click a low row, Shift+click a high one."), list, h("div", "zs-row", go, whole)]);
    mark();
  }

  // -- least and most ----------------------------------------------------------------------------------------------

  const found = { key: "", at: [] };
  /** Pins the column with the least or most events; `next` goes on to the one after. */
  function extreme(sign, next) {
    const p = graph();
    if (!p || !p.meta) return;
    const [i0, i1] = p.columns();
    const all = [];
    for (let i = i0; i < i1; i++) {
      if (!p.has(i)) continue;
      let v = 0;
      if (p.heat) for (let r = 0; r < p.heat.rows; r++) v += p.heat.counts[i * p.heat.rows + r] || 0;
      else p.meta.series.forEach((s, r) => (v += s.group === "hidden" ? 0 : p.values[r * p.cap + i] || 0));
      all.push([v, p.start + (i + 0.5) * p.step]);
    }
    if (!all.length) return zs.say("Nothing is shown");
    const key = `${sign} ${S.q}`;
    if (!next || found.key !== key) Object.assign(found, { key, at: [] });
    const apart = 5 * p.step; // the columns beside one are the same peak
    const left = all.filter(([, t]) => found.at.every((u) => Math.abs(u - t) > apart));
    const [v, t] = (left.length ? left : all).reduce((a, b) => (sign * b[0] > sign * a[0] ? b : a));
    found.at.push(t);
    zs.state.pin = t;
    zs.saveState(false);
    zs.repaintOver();
    const unit = p.heat ? (p.step > 1 ? ` in ${zs.width(p.step)}` : " in a second") : " a second";
    zs.say(`${sign > 0 ? "Most" : "Least"}${found.at.length > 1 ? `, ${found.at.length} of them` : ""}: ${dt.count(Math.round(v), "1")}${unit} at ${zs.hms(t)}`);
  }

  // -- the toolbar -------------------------------------------------------------------------------------------------

  const tool = (label, title, fn, icon, pressed) => {
    const b = button(icon && !label ? "zs-icon-button" : "", fn, icon ? zs.icon(icon) : "", label ? h("span", "", label) : "");
    b.title = title;
    if (!label) b.setAttribute("aria-label", title);
    if (pressed !== undefined) b.setAttribute("aria-pressed", String(pressed));
    return b;
  };
  function rainbow(e) {
    if (!S.keys) return;
    const ids = S.keys.keys.slice(0, dt.LIT).map((k) => k.id);
    const on = ids.length && ids.every((k) => S.lit.includes(k));
    S.lit = on && !e.shiftKey ? [] : ids;
    dt.write(false);
    dt.apply();
    repaint();
  }
  function csv() {
    const d = S.keys;
    const lines = [[...d.fields, d.unit === "B" ? "bytes" : "events", "share", "p99_s"], ...d.keys.map((k) => [...k.values, k.count, k.share, k.p99 === null ? "" : k.p99])];
    zs.saveCsv("keys.csv", lines);
  }
  let laid = "";
  function tools(force) {
    const el = document.getElementById("zs-dtrace-tools");
    if (!el || !S.head) return;
    const map = root().dataset.mode === "heat";
    const rain = S.keys && S.keys.keys.length > 1 && S.keys.keys.slice(0, dt.LIT).every((k) => S.lit.includes(k.id));
    const kept = saved().some((x) => x.search === here());
    const key = JSON.stringify([map, root().dataset.mode, cropped(), S.draw, rain, kept]);
    if (!force && laid === key && el.firstChild) return;
    laid = key;
    const focus = el.contains(document.activeElement) ? [...el.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    const at = cropped(), now = CROPS[at], next = CROPS[(at + 1) % CROPS.length];
    const said = (x) => (x === null ? "the usual axis" : x ? `${percent(x)} cropped` : "nothing cropped");
    const group = (...children) => h("span", "zs-segments", ...children);
    el.replaceChildren(...[
      group(tool("", "Zoom in: half the range", zs.zoomIn, "zoom-in"), tool("", "Zoom out: twice the range", zs.zoomOut, "zoom-out")),
      group(...SPANS.map(([label, s, unit]) => {
        const b = tool(label.replace(" ", THIN), `The last ${label}; Shift+click: 2, 3, 4 of them`, null);
        b.addEventListener("click", (e) => {
          const [a, z] = zs.range();
          const n = e.shiftKey ? (zs.clamp(Math.round((z - a) / s), 1, 4) % 4) + 1 : 1;
          zs.setRange(...(zs.state.to === "now" ? [`now-${n}${unit}`, "now"] : [z - n * s, z]));
        });
        return b;
      })),
      root().dataset.mode === "stacks" ? null : group(...[["Min", -1, "Least"], ["Max", 1, "Most"]].map(([label, sign, word]) => {
        const b = tool(label, `${word} events: pins that column; Shift+click: the next`, null);
        b.addEventListener("click", (e) => extreme(sign, e.shiftKey));
        return b;
      })),
      map ? (() => {
        const b = tool(`Crop: ${now === null ? "usual" : now ? percent(now) : "none"}`, `Outliers: now ${said(now)}; click: ${said(next)}, Shift+click: back`, null);
        b.addEventListener("click", (e) => stepCrop(e.shiftKey));
        const rows = tool("Rows", "The rows as a list: choose which to show", () => rowList(rows), "list");
        return group(b, rows);
      })() : null,
      root().dataset.mode === "stacks" ? null : (() => {
        const b = tool("Rainbow", `Every key a hue (the ${dt.LIT} on top of the table); again: none`, null, "", Boolean(rain));
        b.addEventListener("click", rainbow);
        return b;
      })(),
      group(tool(kept ? "Saved" : "Save", kept ? "No longer save this picture" : "Save this picture in this browser, under the first button of the sentence", save, "save", kept),
        (() => {
          const b = tool("Export", "Data of the graph and of the keys", () => menu("Export", b, [
            item("graph as drawn (CSV)", () => zs.csv(graph())),
            S.keys && S.keys.keys.length ? item("keys of the table (CSV)", csv) : null,
            item("more …", () => zs.panelMenu(graph(), b)),
          ].filter(Boolean)), "download");
          return b;
        })()),
    ].filter(Boolean));
    if (focus >= 0) [...el.querySelectorAll("button")][Math.min(focus, el.querySelectorAll("button").length - 1)].focus();
  }

  // -- asked or not, lost, nothing ---------------------------------------------------------------------------------

  /** Stretches of [a, b) that nobody asked about: from an end of the question's run to its next start. */
  function unasked(p, a, b) {
    const id = p.query.question;
    const seen = (p.events || []).filter((e) => e.kind === "dtrace" && e.object === id).map((e) => [e.time, e.text]);
    const told = S.head && S.head.id === id ? (S.head.turns || []).map(([t, , text]) => [t, text]) : [];
    const turns = [...seen, ...told].sort((x, y) => x[0] - y[0]).filter(([t]) => t >= a - 5 && t < b + 5);
    const end = turns.find(([, text]) => text.includes("ended"));
    if (!end) return null;
    const start = turns.find(([t, text]) => t > end[0] && text.includes("started"));
    return [Math.max(a, end[0]), Math.min(b, start ? start[0] : b)];
  }
  function own(p) {
    p.events = (p.events || []).filter((e) => e.kind !== "dtrace" || e.object === p.query.question);
    if (p.zsOwn) return;
    p.zsOwn = true;
    const plain = zs.Panel.prototype;
    p.gaps = (until) => {
      const seen = plain.gaps.call(p, until);
      p.idle = [];
      seen.gaps = seen.gaps.flatMap(([a, b]) => {
        const idle = unasked(p, a, b);
        if (!idle || idle[1] <= idle[0]) return [[a, b]];
        // Probes take their time to attach, and an interval to end: so much around a rest is part of it.
        const rest = [idle[0] - a < 5 ? a : idle[0], b - idle[1] < 10 ? b : idle[1]];
        p.idle.push(rest);
        return [[a, rest[0]], [rest[1], b]].filter(([x, y]) => y > x);
      });
      const main = S.head && S.head.id === p.query.question;
      const runs = main ? S.head.running.length > 0 || S.q === dt.settings().standing : ((S.head && S.head.up) || []).some((u) => u.id === p.query.question && u.requests.length);
      if (!runs) seen.staleFrom = null;
      return seen;
    };
    p.setEmpty = (why, hint) => {
      const note = why && slot(p) < 0 && S.head && S.head.id === p.query.question ? S.head.note : null;
      p.zsEmpty = why && [why, hint];
      return plain.setEmpty.call(p, note ? note[0] : why, note ? note[1] : hint);
    };
    p.notes = (t) => {
      const rest = (p.idle || []).find(([a, b]) => t >= a && t < b);
      const first = p.meta ? Array.from({ length: p.n }, (_, i) => i).find((i) => p.has(i)) : undefined;
      if (first !== undefined && t < p.start + first * p.step) return ["nobody had asked yet"];
      const lost = dropsAt(p, t);
      return [...(rest ? [`not asked ${zs.span(rest[1] - rest[0])}`] : []), ...(lost ? [`${zs.sig(lost, "")} records lost: too few are counted`] : [])];
    };
    if (p.zsEmpty || p.empty) p.setEmpty(p.empty, "");
  }
  function dropsAt(p, t) {
    const r = p.meta ? p.meta.series.findIndex((s) => s.id === "drops") : -1;
    const i = Math.floor((t - p.start) / p.step);
    const v = r < 0 || i < 0 || i >= p.n ? NaN : p.values[r * p.cap + i];
    return v > 0 ? v : 0;
  }
  /** Over the columns: rest, records lost, and where nothing happened, that. */
  function over(p, ctx) {
    const c = zs.colors(), g = p.geo;
    for (const [a, b] of p.idle || []) {
      const x0 = Math.max(g.x, p.px(a)), x1 = Math.min(g.x + g.w, p.px(b));
      if (x1 <= x0) continue;
      ctx.globalCompositeOperation = "destination-over"; // under the words of events
      ctx.fillStyle = c.raise;
      ctx.fillRect(x0, g.y, x1 - x0, g.h);
      ctx.globalCompositeOperation = "source-over";
      ctx.font = zs.font(11);
      const text = [`not asked ${zs.span(b - a)}`, "not asked"].find((x) => ctx.measureText(x).width + 6 < x1 - x0);
      if (text) zs.halo(ctx, text, (x0 + x1) / 2, g.y + g.h - 10, c.text3, 400, 11, "center");
    }
    const r = p.meta.series.findIndex((s) => s.id === "drops");
    let lost = 0, first = null;
    if (r >= 0) {
      const [i0, i1] = p.columns();
      ctx.fillStyle = c.warn_fill;
      for (let i = i0; i < i1; i++) {
        const v = p.values[r * p.cap + i];
        if (!(v > 0)) continue;
        const x = p.px(p.start + i * p.step);
        ctx.fillRect(x, g.y + g.h - 3, Math.max(2, p.px(p.start + (i + 1) * p.step) - x), 3);
        lost += v;
        if (first === null) first = x;
      }
    }
    if (first !== null) {
      const text = `▲ ${zs.sig(lost, "")} records lost`;
      ctx.font = zs.font(11, 600);
      const w = ctx.measureText(text).width;
      zs.halo(ctx, text, zs.clamp(first, g.x + 4, g.x + g.w - w - 4), g.y + g.h - 12, c.warn, 600, 11);
    }
    if (p.heat && slot(p) < 0 && p.litScales && p.litScales[0] === 0 && !S.lit.length && p.newest() !== null) {
      zs.halo(ctx, `Asked, and nothing happened: 0 events in ${zs.span(p.win[1] - p.win[0])}.`, g.x + g.w / 2, g.y + g.h / 2 - 9, c.text2, 500, 13, "center");
      zs.halo(ctx, "Widen the filter or the range, or wait.", g.x + g.w / 2, g.y + g.h / 2 + 11, c.text3, 400, 12, "center");
    }
    picked(p, ctx);
    named(p, ctx);
  }
  /** Each percentile's name at the newest end of its line, where there is room. */
  function named(p, ctx) {
    if (!p.heat || slot(p) >= 0) return;
    const c = zs.colors(), g = p.geo;
    const [i0, i1] = p.columns();
    for (const { r, s } of p.series) {
      let i = i1 - 1;
      while (i >= i0 && !(p.values[r * p.cap + i] > 0)) i -= 1;
      if (i < i0) continue;
      const x = Math.min(p.px(p.start + (i + 1) * p.step), g.x + g.w) - 4;
      const y = zs.clamp(p.py(p.values[r * p.cap + i]) - 9, g.y + 7, g.y + g.h - 7);
      if (x - 30 > g.x && zs.claim(p, x - 26, x, y)) zs.halo(ctx, s.label, x, y, c.text, 600, 11, "right");
    }
  }
  /** What came with the head: reasons in empty panels, the cost on the badge, titles of the graphs above. */
  function headed(d) {
    for (const p of [heat(), zs.panels.get("p-dtrace-stack")]) {
      if (!p) continue;
      own(p);
      if (p.zsEmpty && p.empty) p.setEmpty(...p.zsEmpty);
      const costs = d.hosts.filter((x) => x.chosen && x.cpu !== null).sort((a, b) => b.cpu - a.cpu);
      const badge = p.el.querySelector(".zs-panel-source");
      if (!badge) continue;
      badge.classList.toggle("zs-cost-dtrace", !d.counted);
      badge.classList.toggle("zs-cost-kstat", d.counted);
      badge.title = d.counted ? "The kernel counts it anyway: nearly free" : "Costs CPU while it runs: dtrace's own share";
      zs.text(badge, d.counted ? "kstat, 1 s" : `DTrace, ${S.every} s${costs.length ? `: ${costs[0].cpu < costs[0].cpu_error ? "" : "up to "}${dt.cost(costs[0])} of a CPU` : ""}`);
    }
    above(d);
    tools();
  }

  // -- graphs that were drilled down from --------------------------------------------------------------------------

  function above(d) {
    for (const p of zs.panels.values()) {
      const i = slot(p);
      const u = S.up[i];
      if (i < 0 || !u) continue;
      own(p);
      const known = (d.up || [])[i];
      const head = p.el.querySelector(".zs-panel-head");
      if (!p.zsHead) {
        p.zsHead = { open: button("zs-dtrace-open", () => back(i), ""), stop: button("zs-stop", () => dt.stop(dt.above(i)), zs.icon("stop"), h("span", "", "Stop")), off: button("zs-icon-button", () => close(i), zs.icon("close")) };
        p.zsHead.stop.title = "End this question; its answer stays";
        p.zsHead.off.title = "Close this graph and end its question";
        p.zsHead.off.setAttribute("aria-label", p.zsHead.off.title);
        p.el.querySelector(".zs-panel-title").replaceChildren(p.zsHead.open);
        head.insertBefore(h("span", "zs-dtrace-upper", p.zsHead.stop, p.zsHead.off), p.el.querySelector(".zs-panel-menu"));
      }
      const key = u.lit.length ? u.lit[0].split(dt.SEP).join(" ") : "";
      zs.text(p.zsHead.open, known && known.id === u.q ? known.sentence : u.q);
      p.zsHead.open.title = `${p.zsHead.open.textContent}: back to this graph`;
      zs.text(p.el.querySelector(".zs-panel-source"), `DTrace, ${S.every} s`);
      zs.text(p.el.querySelector(".zs-panel-sub"), key ? `the graph below is its ${key}` : "");
      p.zsHead.stop.hidden = !(known && known.requests.length);
    }
  }
  function back(i) {
    const u = S.up[i];
    const off = [...((S.head && S.head.requests) || []), ...S.up.slice(i + 1).flatMap((_, k) => dt.above(i + 1 + k))];
    dt.go(u.q, u.hosts, S.up.slice(0, i));
    if (off.length) dt.stop(off);
  }
  function close(i) {
    const off = dt.above(i);
    S.up = S.up.filter((_, k) => k !== i);
    dt.write(true);
    dt.apply();
    if (off.length) dt.stop(off);
  }

  // -- height ------------------------------------------------------------------------------------------------------

  const HEIGHT = "zs-dtrace-height";
  const tall = (px) => {
    const v = px ? `${zs.clamp(Math.round(px), 160, 1600)}px` : "";
    const plots = document.querySelector(".zs-dtrace-plots");
    if (plots) v ? plots.style.setProperty("--zs-dtrace-height", v) : plots.style.removeProperty("--zs-dtrace-height");
    if (v) localStorage.setItem(HEIGHT, parseInt(v, 10));
    else localStorage.removeItem(HEIGHT);
  };
  function handle(p) {
    if (p.el.querySelector(".zs-dtrace-handle")) return;
    const bar = h("div", "zs-dtrace-handle");
    bar.tabIndex = 0;
    bar.title = "Drag: height of the graph; double click: as it was";
    bar.setAttribute("role", "separator");
    bar.setAttribute("aria-orientation", "horizontal");
    bar.setAttribute("aria-label", "Height of the graph");
    let from = null;
    bar.addEventListener("pointerdown", (e) => {
      from = [e.clientY, p.plot.clientHeight];
      bar.setPointerCapture(e.pointerId);
      e.preventDefault();
    });
    bar.addEventListener("pointermove", (e) => from && tall(from[1] + e.clientY - from[0]));
    bar.addEventListener("pointerup", () => (from = null));
    bar.addEventListener("dblclick", () => tall(0));
    bar.addEventListener("keydown", (e) => {
      const by = { ArrowUp: -20, ArrowDown: 20 }[e.key];
      if (!by) return;
      e.preventDefault();
      e.stopPropagation();
      tall(p.plot.clientHeight + by);
    });
    p.el.append(bar);
    tall(Number(localStorage.getItem(HEIGHT)) || 0);
  }

  // -- a range of seconds on the map over a flame graph ------------------------------------------------------------

  let begun = null;
  /** First click: one end; second: the other, in any order; third: begins anew. */
  function pick(p, t) {
    const at = Math.floor((t - p.start) / p.step) * p.step + p.start;
    if (begun === null || S.range) {
      begun = at;
      S.range = null;
    } else {
      S.range = [Math.min(begun, at), Math.max(begun, at) + p.step];
      begun = null;
    }
    dt.write(false);
    dt.apply();
    zs.invalidate(p);
  }
  /** What is chosen, to go back to it: the range and the one end of the next. */
  function picking(to) {
    if (to) {
      [S.range, begun] = to;
      dt.write(false);
      dt.apply();
      repaint();
    }
    return [S.range, begun];
  }
  document.addEventListener("click", (e) => {
    const off = root() && root().dataset.mode === "stacks" && (begun !== null || S.range);
    if (!off || !e.target.closest || e.target.closest(".zs-panel, .zs-head, .zs-top, .zs-bottom, .zs-dialog, .zs-dtrace-bar, .zs-dtrace-tools")) return;
    begun = S.range = null;
    dt.write(false);
    dt.apply();
    repaint();
  });
  zs.linkFixed = () => Boolean(root() && (S.cell || S.range));
  function picked(p, ctx) {
    if (p.id !== "p-dtrace-heat" || !root() || root().dataset.mode !== "stacks") return;
    const c = zs.colors(), g = p.geo;
    const ends = S.range || (begun === null ? null : [begun, begun + p.step]);
    for (const [span, color, word] of [[ends, c.accent, S.range ? "shown" : "from here …"], [S.base, c.text2, "compared with"]]) {
      if (!span) continue;
      const x0 = zs.clamp(p.px(span[0]), g.x, g.x + g.w), x1 = zs.clamp(p.px(span[1]), g.x, g.x + g.w);
      if (x1 <= x0) continue;
      for (const [stroke, width] of [[c.panel, 5], [color, 2]]) {
        ctx.strokeStyle = stroke;
        ctx.lineWidth = width;
        ctx.strokeRect(x0, g.y + 1, x1 - x0, g.h - 2);
      }
      ctx.font = zs.font(11, 600);
      if (ctx.measureText(word).width + 10 < x1 - x0) zs.halo(ctx, word, x0 + 5, g.y + g.h - 11, color, 600, 11);
    }
  }

  Object.assign(dt, {
    saved, open, programs, tools, keyCell, own, over, headed, pick, picking,
  });
  /** The graph reaches down to where the window ends, however many lines the sentence over it takes. */
  function reach() {
    const top = Math.round(root().getBoundingClientRect().top + scrollY);
    if (Math.abs(top - (root().zsTop || 0)) < 2) return;
    root().zsTop = top;
    root().style.setProperty("--zs-dtrace-top", `${top}px`);
  }
  window.addEventListener("resize", () => root() && reach());
  zs.on("status", () => {
    if (!root()) return;
    reach();
    for (const p of [heat(), zs.panels.get("p-dtrace-stack")]) if (p) handle(p);
  });
})();
