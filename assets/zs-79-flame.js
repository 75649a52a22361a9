/* Flame graphs: width is share, siblings alphabetical, never time. Click zooms and keeps the ancestors, a search
   (regular expression) outlines what matches and says how much; both are in the URL (fz, fs), as are the direction
   (fi), the part of the window that is shown (fr) and the window that is compared with (base). Colour by name, the
   same in every graph. Arrow keys move between boxes, Enter zooms, Escape zooms out. What a box holds stands beside the
   pointer, or beside the box that has the focus. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const S = zs.dtrace;
  const THIN = "\u2009", LEAST = 0.1; // px; narrower boxes are not drawn
  const GAP = 4, CHAR = 5.7; // px of a box from which on one parts it from the next; of a letter
  const NAMED = 12, LONG = 40; // a zoom path names so many boxes in so many letters, the further and longer by a hash
  const FULL = 0.02; // a change by this share of the whole has the full colour, unless another is larger
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
  /** What a zoom path says of a box: its name, or where paths would outgrow an address, its hash. */
  const token = (name, depth) => (depth > NAMED || name.length > LONG ? `~${hash(name).toString(36)}` : name);
  /** A name as text that cannot turn its neighbours around or hide itself. */
  const clean = (name) => name.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`) || "(no name)";
  /** The function without its module. */
  const own = (name) => name.slice(name.indexOf("`") + 1) || name;
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
    const share = Math.round(100 * Math.sqrt(Math.min(1, Math.abs(d) / Math.max(most, FULL))));
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
      const next = top[3].find((c) => token(c[0], chain.length + 1) === name);
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
        if (cw > 0) walk(c, depth + 1, at, cw, [...path, token(c[0], depth + 1)]);
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
    return p && p < 0.05 ? `< 0.1${THIN}%` : `${p >= 9.95 || p === 0 ? Math.round(p) : p.toFixed(1)}${THIN}%`;
  };
  const points = (x) => `${x < 0 ? "\u2212" : "+"}${Math.abs(100 * x).toFixed(1)}${THIN}%`;
  /** A stretch of time, with its day where that is not today. */
  const stretch = (a, b) => `${zs.day(a) === zs.day(zs.now()) ? "" : `${zs.day(a, false)} `}${zs.hms(a)} to ${zs.hms(b)}`;
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
    const pair = (label, ...two) => {
      const x = h("span", "zs-segments", ...two);
      x.setAttribute("role", "group");
      x.setAttribute("aria-label", label);
      return x;
    };
    p.legend = h("span", "zs-flame-legend");
    const tools = h("div", "zs-flame-tools", p.legend, p.found, p.search,
      b("Aa", () => (F.ignore = !F.ignore), "cases"),
      pair("Root", b("Icicle", () => (F.icicle = true), "icicle"), b("Flame", () => (F.icicle = false), "flame")),
      b("Compare", (x) => compare(x), "compare"),
      b("Equal totals", () => (F.equal = !F.equal), "equal"),
      (p.widths = pair("Widths", b("Widths now", () => (F.before = false), "now"), b("before", () => (F.before = true), "then"))),
      b("Reset zoom", () => {
        F.zoom = [];
        write(true);
      }, "reset"));
    p.cases.title = "Upper and lower case differ (Ctrl+I)";
    p.search.title = "Ctrl+F or F3: regular expression; what matches is outlined, nested matches count once";
    p.icicle.title = "The root above";
    p.flame.title = "The root below";
    p.cases.setAttribute("aria-label", p.cases.title);
    p.compare.title = "Set another window beside this one: red grew, blue shrank";
    p.equal.title = "Both windows count as one whole, so that a busier one does not make every box grow";
    p.now.title = "Widths of this window";
    p.then.title = "Widths of the window that is compared with: there vanished stacks have one";
    p.reset.title = "All of the graph again (Escape)";
    el.append(h("div", "zs-panel-head zs-flame-head", title, p.sub, tools), p.graph, p.none);
    p.graph.addEventListener("click", (e) => {
      const box = e.target.closest(".zs-frame");
      if (!box) return;
      F.zoom = box.zsPath;
      write(true);
      draw();
    });
    p.graph.addEventListener("pointermove", (e) => e.pointerType !== "touch" && tell(e.target.closest(".zs-frame"), e.clientX, e.clientY));
    p.graph.addEventListener("pointerleave", () => tell(null));
    p.graph.addEventListener("focusin", (e) => {
      const r = e.target.getBoundingClientRect();
      if (e.target.zsBox && e.target.matches(":focus-visible")) tell(e.target, r.left, r.bottom);
    });
    p.graph.addEventListener("focusout", () => tell(null));
    p.graph.addEventListener("keydown", (e) => {
      const box = e.target;
      if (!box.zsPath) return;
      if (e.key === "Escape" && F.zoom.length) {
        F.zoom = [];
        write(true);
        draw();
      } else if (e.key === "Enter" || e.key === " ") box.click();
      else if (!step(p.graph, box, e.key)) return;
      e.preventDefault();
      e.stopPropagation();
    });
    new ResizeObserver(draw).observe(p.graph);
  }
  const tip = h("div", "zs-tip zs-flame-tip");
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  /** What a box holds, beside (x, y) of the window; null takes it away. */
  function tell(box, x, y) {
    tip.hidden = !box || !box.isConnected;
    if (tip.hidden) return;
    if (!tip.isConnected) document.body.append(tip);
    [tip.zsOf, tip.zsAt] = [box, [x, y]];
    tip.replaceChildren(h("div", "zs-tip-time", clean(box.zsBox[0][0])), ...facts(box.zsBox).map((s) => h("div", "", s)));
    const W = tip.offsetWidth, H = tip.offsetHeight;
    const top = y + 18 + H < innerHeight ? y + 18 : y - H - 12;
    tip.style.transform = `translate(${Math.round(zs.clamp(x + 14, 4, innerWidth - W - 4))}px,${Math.round(Math.max(4, top))}px)`;
  }
  function facts([f, depth]) {
    const d = F.data, root = d.tree;
    const out = [`${share(width(f), width(root))} of ${F.before ? "the window before" : "all"}, ${amount(width(f), d.unit)}`];
    const top = F.top;
    if (top && top !== root && top !== f && depth > F.zoom.length) out.push(`${share(width(f), width(top))} of ${own(clean(top[0])).slice(0, 60)}, to which the graph is zoomed`);
    const itself = width(f) - f[3].reduce((sum, c) => sum + width(c), 0);
    if (f[3].length && itself > 0) out.push(`${share(itself, width(root))} in itself`);
    if (compared(d)) out.push(F.before ? `now ${share(f[1], root[1])}, ${amount(f[1], d.unit)}` : `before ${share(f[2], root[2])}, ${amount(f[2], d.unit)}`, `changed by ${points(mix(f[1], f[2], root))} of all`);
    return out;
  }
  /** Whether there is something on both sides. */
  const compared = (d) => Boolean(d.base && d.before && d.total);

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
    const back = (s, text) => item(text, () => put([a - s, b - s]), stretch(a - s, b - s));
    zs.dialog("zs-menu", "Compare with", [
      h("h3", "", "This window against"), back(b - a, S.range ? "as long just before it" : "the window before"), back(3600, "an hour earlier"), back(86400, "a day earlier"), back(604800, "a week earlier"),
      item("keep this window, then choose another", () => put([a, b]), stretch(a, b)),
      S.base ? item("nothing", () => put(null)) : "",
    ].filter(Boolean), near);
  }

  /** Why there are no boxes, and what to do. */
  function said() {
    const d = F.data;
    if (d.error) return d.error;
    if (d.base && (d.total || d.before)) {
      const [empty, full] = F.before ? ["The window before", "now"] : ["This window", "before"];
      return `${empty} holds no stacks, so nothing has a width. The other one does: see “${full}”.`;
    }
    const note = S.head && S.head.note && F.data && S.head.id === F.data.id ? S.head.note : ["No stacks in this range.", ""];
    const part = S.range ? `Nothing was sampled from ${zs.hms(S.range[0])} to ${zs.hms(S.range[1])}. ` : "";
    return `${part}${note.filter(Boolean).join(" ")}`;
  }
  function draw() {
    const el = F.el, d = F.data;
    if (!el || !d || !el.zsParts) return;
    const p = el.zsParts;
    p.none.hidden = Boolean(d.tree && width(d.tree));
    zs.text(p.none, said());
    p.graph.hidden = !p.none.hidden;
    p.widths.hidden = !d.base;
    p.equal.hidden = !compared(d);
    const looks = compared(d) ? [["grew", "grew"], ["shrank", "shrank"]] : d.look === "wait" ? [["user-2", "program"], ["wait-2", "waits"]] : d.look === "user" ? [["user-2", "user"]] : [["user-2", "program"], ["kernel-2", "kernel"]];
    if (p.legend.dataset.of !== String(looks)) {
      p.legend.dataset.of = String(looks);
      p.legend.replaceChildren(...looks.map(([name, word]) => {
        const i = h("i");
        i.style.background = `var(--zs-flame-${name})`;
        return h("span", "", i, word);
      }));
    }
    p.equal.setAttribute("aria-pressed", String(F.equal));
    p.now.setAttribute("aria-pressed", String(!F.before));
    p.then.setAttribute("aria-pressed", String(F.before));
    p.icicle.setAttribute("aria-pressed", String(F.icicle));
    p.flame.setAttribute("aria-pressed", String(!F.icicle));
    p.cases.setAttribute("aria-pressed", String(!F.ignore));
    p.compare.setAttribute("aria-pressed", String(Boolean(d.base)));
    p.reset.hidden = !F.zoom.length;
    if (document.activeElement !== p.search && p.search.value !== F.search) p.search.value = F.search;
    if (!d.tree) return zs.text(p.sub, "");
    const re = pattern();
    const { boxes, deep, top } = layout(d.tree);
    F.top = top;
    let most = 0;
    if (compared(d)) for (const [f] of boxes) most = Math.max(most, f === d.tree ? 0 : Math.abs(mix(f[1], f[2], d.tree)));
    const against = !d.base ? "" : `, against ${stretch(...d.base)}, ${compared(d) ? `${amount(d.before, d.unit)}: red grew, blue shrank, at most ${share(most, 1)} of all` : d.before ? amount(d.before, d.unit) : "which holds no stacks: nothing to compare"}`;
    zs.text(p.sub, `${stretch(d.from, d.to)}, ${amount(d.total, d.unit)}; width is share, not time${against}`);
    p.sub.title = p.sub.textContent;
    const hit = re ? matched(d.tree, re, 0) : 0;
    zs.text(p.found, re === undefined ? "no regular expression" : re ? `matched ${share(hit, width(d.tree))}` : "");
    const W = p.graph.clientWidth;
    if (!W) return;
    const swap = F.before ? -1 : 1;
    const row = W > 2000 ? 22 : 18;
    p.graph.classList.toggle("zs-large", W > 2000);
    p.graph.style.height = `${(deep + 1) * row}px`;
    const shown = boxes.filter((x) => x[3] * W >= LEAST);
    zs.keyed(p.graph, shown, (x) => x[4].join(JOIN) || "all", () => {
      const box = h("div", "zs-frame", "");
      box.setAttribute("role", "button");
      box.tabIndex = -1;
      return box;
    }, (box, [f, depth, x, w, path, ancestor]) => {
      box.zsBox = [f, depth, x, w];
      box.zsPath = path;
      const name = clean(f[0]), px = w * W;
      const percent = share(width(f), width(d.tree));
      const room = (px - 8) / (CHAR * (row / 18));
      const fits = [`${name} ${percent}`, name].find((t) => t.length <= room);
      zs.text(box, px > 24 ? fits || (own(name).length < room + 4 || room < 12 ? own(name) : name).slice(0, 400) : "");
      const was = compared(d) ? `, before ${share(f[2], d.tree[2])}` : "";
      box.setAttribute("aria-label", `${name.slice(0, 400)}: ${amount(width(f), d.unit)}, ${percent}${was}`);
      const grey = depth === 0 || name === "-" || name === "--";
      box.className = `zs-frame${grey ? " zs-grey" : ""}${ancestor ? " zs-ancestor" : ""}${re && depth && re.test(f[0]) ? " zs-match" : ""}`;
      const y = F.icicle ? depth : deep - depth;
      const back = compared(d) && depth ? differs(swap * mix(f[1], f[2], d.tree), most) : color(f[0], depth, d.look);
      box.style.cssText = `left:${(x * 100).toFixed(4)}%;width:calc(${(w * 100).toFixed(4)}% - ${px < GAP ? 0 : 1}px);top:${y * row}px;background:${back}`;
    });
    if (!tip.hidden && tip.zsOf) tell(tip.zsOf, ...tip.zsAt);
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
