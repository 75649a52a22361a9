/* Flame graphs: width is share, siblings alphabetical, never time. Click zooms and keeps the ancestors, a search
   (regular expression) outlines what matches and says how much; both are in the URL (fz, fs), as are the direction
   (fi), the part of the window that is shown (fr) and the window that is compared with (base). Colour by name, the
   same in every graph. Arrow keys move between boxes, Enter zooms, Escape zooms out. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const S = zs.dtrace;
  const THIN = "\u2009", ROW = 18, LEAST = 0.1; // px; narrower boxes are not drawn
  const JOIN = "\u001f";
  const F = { zoom: [], search: "", ignore: true, icicle: true, before: false, equal: true, data: null, el: null, shown: null, held: 0 };
  zs.flame = F;

  function read() {
    const q = new URLSearchParams(location.search);
    F.zoom = q.get("fz") ? q.get("fz").split(";").map((x) => x.replace(/%3B/g, ";")) : [];
    F.search = q.get("fs") || "";
    F.ignore = q.get("fc") !== "1";
    F.icicle = q.get("fi") !== "0";
    F.before = q.get("fb") === "1";
    F.equal = q.get("fe") !== "0";
  }
  function write(push) {
    const q = new URLSearchParams(location.search);
    const put = (k, v) => (v ? q.set(k, v) : q.delete(k));
    put("fz", F.zoom.map((x) => x.replace(/;/g, "%3B")).join(";"));
    put("fs", F.search);
    put("fc", F.ignore ? "" : "1");
    put("fi", F.icicle ? "" : "0");
    put("fb", F.before ? "1" : "");
    put("fe", F.equal ? "" : "0");
    const url = `${location.pathname}?${q.toString().replace(/%2F/g, "/").replace(/%2C/g, ",")}`;
    if (url === location.pathname + location.search) return;
    if (push) history.pushState({ zs: true }, "", url);
    else history.replaceState(history.state, "", url);
  }

  const hash = (s) => {
    let x = 2166136261;
    for (let i = 0; i < s.length; i++) x = Math.imul(x ^ s.charCodeAt(i), 16777619);
    return x >>> 0;
  };
  /** Module and function decide; the program at the bottom of a stack is user code. */
  function color(name, depth, look) {
    const shade = (hash(name) % 3) + 1;
    if (depth === 0) return "var(--zs-flame-root)";
    if (name === "-" || name === "--") return "var(--zs-flame-root)";
    if (look === "wait") return `var(--zs-flame-wait-${shade})`;
    return `var(--zs-flame-${depth === 1 || look === "user" ? "user" : "kernel"}-${shade})`;
  }
  /** How much a box grew, as a share of the whole; unless totals are equalised, a busier window grows everywhere. */
  const mix = (now, then, root) => {
    const one = Math.max(root[1], root[2]) || 1;
    return F.equal ? (root[1] ? now / root[1] : 0) - (root[2] ? then / root[2] : 0) : (now - then) / one;
  };
  function differs(d, most) {
    const c = getComputedStyle(document.documentElement);
    const ends = d > 0 ? c.getPropertyValue("--zs-flame-grew") : c.getPropertyValue("--zs-flame-shrank");
    const share = Math.round(100 * Math.sqrt(Math.min(1, Math.abs(d) / (most || 1))));
    return `color-mix(in srgb, ${ends.trim()} ${share}%, var(--zs-flame-same))`;
  }
  const width = (f) => (F.before ? f[2] : f[1]);

  /** Boxes of the zoomed tree: [frame, depth, x, w (shares), path, ancestor]. */
  function layout(tree) {
    const out = [];
    let deep = 0;
    let top = tree;
    const chain = [];
    for (const name of F.zoom) {
      const next = top[3].find((c) => c[0] === name);
      if (!next) break;
      chain.push(top);
      top = next;
    }
    const names = F.zoom.slice(0, chain.length);
    chain.forEach((f, depth) => out.push([f, depth, 0, 1, names.slice(0, depth), true]));
    const walk = (f, depth, x, w, path) => {
      out.push([f, depth, x, w, path, false]);
      deep = Math.max(deep, depth);
      let at = x;
      for (const c of f[3]) {
        const cw = width(f) ? (w * width(c)) / width(f) : 0;
        if (cw > 0) walk(c, depth + 1, at, cw, [...path, c[0]]);
        at += cw;
      }
    };
    walk(top, chain.length, 0, 1, names);
    return { boxes: out, deep: Math.max(deep, chain.length), top };
  }
  function pattern() {
    if (!F.search) return null;
    try {
      return new RegExp(F.search, F.ignore ? "i" : "");
    } catch (e) {
      return undefined;
    }
  }
  /** What matching boxes hold; one inside another counts once. */
  const matched = (f, re, depth) => (depth && re.test(f[0]) ? width(f) : f[3].reduce((sum, c) => sum + matched(c, re, depth + 1), 0));
  const share = (v, of) => {
    const p = of ? (100 * v) / of : 0;
    return `${p >= 10 || p === 0 ? Math.round(p) : p.toFixed(1)}${THIN}%`;
  };
  const amount = (v, unit) => (unit === "ns" ? zs.fmtText(v * 1e-9, "s") : `${zs.sig(v, "")} samples`);

  function build(el) {
    const p = (el.zsParts = { sub: h("span", "zs-panel-sub", ""), found: h("b", "zs-flame-found", ""), graph: h("div", "zs-flame"), none: h("p", "zs-hint", "") });
    const title = h("h2", "zs-panel-title", "Stacks");
    p.search = h("input", "zs-input zs-flame-search");
    p.search.type = "search";
    p.search.placeholder = "search: regular expression";
    p.search.setAttribute("aria-label", "Search frames");
    p.search.value = F.search;
    p.search.addEventListener("input", () => {
      F.search = p.search.value;
      write(false);
      draw();
    });
    const b = (label, fn, name) => {
      const x = h("button", "zs-button", label);
      x.type = "button";
      x.addEventListener("click", () => {
        fn(x);
        write(false);
        draw();
      });
      p[name] = x;
      return x;
    };
    p.legend = h("span", "zs-flame-legend");
    const tools = h("div", "zs-flame-tools", p.legend, p.found, p.search,
      b("Aa", () => (F.ignore = !F.ignore), "cases"),
      b("Icicle", () => (F.icicle = !F.icicle), "way"),
      b("Compare", (x) => compare(x), "compare"),
      b("Equal totals", () => (F.equal = !F.equal), "equal"),
      b("Widths: now", () => (F.before = !F.before), "widths"),
      b("Reset zoom", () => {
        F.zoom = [];
        write(true);
      }, "reset"));
    p.cases.title = "Upper and lower case differ (Ctrl+I)";
    p.search.title = "Ctrl+F or F3: regular expression; what matches is outlined, nested matches count once";
    p.way.title = "Root above or below";
    p.compare.title = "Set another window beside this one: red grew, blue shrank";
    p.equal.title = "Both windows count as one whole, so that a busier one does not make every box grow";
    p.widths.title = "Widths of this window, or of the one before: there vanished stacks have a width";
    p.reset.title = "All of the graph again (Escape)";
    el.append(h("div", "zs-panel-head zs-flame-head", title, p.sub, tools), p.graph, p.none);
    p.graph.addEventListener("click", (e) => {
      const box = e.target.closest(".zs-frame");
      if (!box) return;
      F.zoom = box.zsPath;
      write(true);
      draw();
    });
    p.graph.addEventListener("keydown", (e) => {
      const box = e.target;
      if (!box.zsPath) return;
      if (e.key === "Escape" && F.zoom.length) {
        F.zoom = [];
        write(true);
        draw();
      } else if (e.key === "Enter") box.click();
      else if (!step(p.graph, box, e.key)) return;
      e.preventDefault();
      e.stopPropagation();
    });
    new ResizeObserver(draw).observe(p.graph);
  }
  /** Focus moves to the box beside, under or over `box`; false for another key or at an edge. */
  function step(graph, box, key) {
    const down = { ArrowDown: F.icicle ? 1 : -1, ArrowUp: F.icicle ? -1 : 1 }[key], side = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (!down && !side) return false;
    const [, depth, x, w] = box.zsBox, mid = x + w / 2;
    const others = [...graph.children].filter((o) => o !== box && o.zsBox && o.zsBox[1] === depth + (down || 0));
    const able = side ? others.filter((o) => side * (o.zsBox[2] - x) > 0) : others.filter((o) => down > 0 ? o.zsBox[2] >= x - 1e-9 && o.zsBox[2] < x + w : o.zsBox[2] <= mid && o.zsBox[2] + o.zsBox[3] >= mid);
    if (!able.length) return true;
    const far = (o) => Math.abs(o.zsBox[2] - x);
    const next = down > 0 ? able.reduce((a, o) => (o.zsBox[3] > a.zsBox[3] ? o : a)) : able.reduce((a, o) => (far(o) < far(a) ? o : a));
    for (const o of graph.children) o.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    return true;
  }
  function compare(near) {
    const [a, b] = S.range || zs.range();
    const put = (base) => {
      S.base = base;
      F.before = false;
      zs.dtraceApply(true);
    };
    const item = (label, fn, hint) => {
      const x = h("button", "zs-button zs-item", h("span", "", label), h("span", "zs-hint", hint || ""));
      x.type = "button";
      x.addEventListener("click", () => {
        zs.closeDialog();
        fn();
      });
      return x;
    };
    const back = (s, text) => item(text, () => put([a - s, b - s]), `${zs.hms(a - s)} to ${zs.hms(b - s)}`);
    zs.dialog("zs-menu", "Compare with", [
      h("h3", "", "This window against"), back(b - a, S.range ? "as long just before it" : "the window before"), back(3600, "an hour earlier"), back(86400, "a day earlier"), back(604800, "a week earlier"),
      item("keep this window, then choose another", () => put([a, b]), `${zs.hms(a)} to ${zs.hms(b)}`),
      S.base ? item("nothing", () => put(null)) : "",
    ].filter(Boolean), near);
  }

  /** Why there are no boxes, and what to do. */
  function said() {
    const note = S.head && S.head.note && F.data && S.head.id === F.data.id ? S.head.note : ["No stacks in this range.", ""];
    const part = S.range ? `Nothing was sampled from ${zs.hms(S.range[0])} to ${zs.hms(S.range[1])}. ` : "";
    return `${part}${note.filter(Boolean).join(" ")}`;
  }
  function draw() {
    const el = F.el, d = F.data;
    if (!el || !d || !el.zsParts) return;
    const p = el.zsParts;
    p.none.hidden = Boolean(d.tree && (d.total || d.before));
    zs.text(p.none, said());
    p.graph.hidden = !p.none.hidden;
    p.widths.hidden = p.equal.hidden = !d.base;
    const looks = d.base ? [["grew", "grew"], ["shrank", "shrank"]] : d.look === "wait" ? [["user-2", "program"], ["wait-2", "waits"]] : d.look === "user" ? [["user-2", "user"]] : [["user-2", "program"], ["kernel-2", "kernel"]];
    if (p.legend.dataset.of !== String(looks)) {
      p.legend.dataset.of = String(looks);
      p.legend.replaceChildren(...looks.map(([name, word]) => {
        const i = h("i");
        i.style.background = `var(--zs-flame-${name})`;
        return h("span", "", i, word);
      }));
    }
    p.equal.setAttribute("aria-pressed", String(F.equal));
    zs.text(p.widths, F.before ? "Widths: before" : "Widths: now");
    zs.text(p.way, F.icicle ? "Icicle" : "Flame");
    p.cases.setAttribute("aria-pressed", String(!F.ignore));
    p.compare.setAttribute("aria-pressed", String(Boolean(d.base)));
    p.reset.hidden = !F.zoom.length;
    if (document.activeElement !== p.search && p.search.value !== F.search) p.search.value = F.search;
    const against = d.base ? `, against ${zs.hms(d.base[0])} to ${zs.hms(d.base[1])}: red grew, blue shrank` : "";
    zs.text(p.sub, d.tree ? `${zs.hms(d.from)} to ${zs.hms(d.to)}, ${amount(d.total, d.unit)}; width is share, not time${against}` : "");
    if (!d.tree) return;
    const re = pattern();
    const { boxes, deep, top } = layout(d.tree);
    const hit = re ? matched(d.tree, re, 0) : 0;
    zs.text(p.found, re === undefined ? "no regular expression" : re ? `matched ${share(hit, width(d.tree))}` : "");
    const W = p.graph.clientWidth;
    if (!W) return;
    let most = 0;
    if (d.base) for (const [f] of boxes) most = Math.max(most, f === d.tree ? 0 : Math.abs(mix(f[1], f[2], d.tree)));
    const swap = F.before ? -1 : 1;
    p.graph.style.height = `${(deep + 1) * ROW}px`;
    const shown = boxes.filter((x) => x[3] * W >= LEAST);
    zs.keyed(p.graph, shown, (x) => x[4].join(JOIN) || "all", () => {
      const box = h("div", "zs-frame", "");
      box.setAttribute("role", "button");
      box.tabIndex = -1;
      return box;
    }, (box, [f, depth, x, w, path, ancestor]) => {
      box.zsBox = [f, depth, x, w];
      const name = f[0];
      box.style.color = "";
      const percent = share(width(f), width(d.tree));
      box.zsPath = path;
      zs.text(box, w * W > 24 ? (w * W > 110 ? `${name} ${percent}` : name) : "");
      const was = d.base ? `, before ${share(f[2], d.tree[2])}` : "";
      box.title = `${name}: ${amount(width(f), d.unit)}, ${percent}${was}`;
      box.setAttribute("aria-label", box.title);
      box.className = `zs-frame${ancestor ? " zs-ancestor" : ""}${re && depth && re.test(name) ? " zs-match" : ""}`;
      const y = F.icicle ? depth : deep - depth;
      box.style.cssText = `left:${(x * 100).toFixed(4)}%;width:max(0px,calc(${(w * 100).toFixed(4)}% - 1px));top:${y * ROW}px;background:${d.base ? differs(swap * mix(f[1], f[2], d.tree), most) : color(name, depth, d.look)}`;
    });
    if (p.graph.firstChild && !p.graph.querySelector("[tabindex='0']")) p.graph.firstChild.tabIndex = 0;
    F.shown = { boxes: shown.length, top: top[0], matched: re ? hit / (width(d.tree) || 1) : null };
  }

  zs.view("dtrace_flame", (el, d) => {
    F.el = el;
    if (!el.zsParts) {
      read();
      build(el);
    }
    // A graph under the pointer stands still; another question or window is shown at once.
    const same = F.data && F.data.id === d.id && JSON.stringify([F.data.base, F.data.range]) === JSON.stringify([d.base, d.range]);
    if (same && el.matches(":hover") && zs.following() && F.data.total) return;
    F.data = d;
    draw();
  });
  zs.on("url", () => {
    if (!F.el || !F.el.isConnected) return;
    read();
    draw();
  });
  document.addEventListener("keydown", (e) => {
    if (!F.el || !F.el.isConnected || !F.el.offsetParent) return;
    const find = (e.ctrlKey && e.key === "f") || e.key === "F3";
    const cases = e.ctrlKey && e.key === "i";
    if (!find && !cases) return;
    e.preventDefault();
    if (find) return F.el.zsParts.search.focus();
    F.ignore = !F.ignore;
    write(false);
    draw();
  });
})();
