/* The Pools page: each pool's state, space and scan in words; its vdevs as a tree; the one of the URL (?pool=, ?vdev=) in
   the panels beside it. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const THIN = "\u2009";
  const percent = (v, digits = 0) => (v === null ? "–" : `${(100 * v).toFixed(digits)}${THIN}%`);

  // -- the pools ---------------------------------------------------------------------------------------------------

  function makePool() {
    const p = {
      icon: h("span", "zs-row-state"), name: h("b", "zs-ph-name"), word: h("span", "zs-ph-word"), why: h("span", "zs-ph-why"),
      fill: h("i", "zs-bar-fill"), plan: h("i", "zs-bar-mark"), refused: h("i", "zs-bar-mark"),
      space: h("span", "zs-ph-space"), past: h("span", "zs-ph-past"), facts: h("span", "zs-ph-facts"),
      scan: h("b", ""), bar: h("span", "zs-bar zs-ph-scan", h("i", "zs-bar-fill")), told: h("span", "zs-ph-told"),
    };
    const bar = h("span", "zs-bar", p.fill, p.plan, p.refused);
    const el = h("div", "zs-ph",
      h("div", "zs-ph-line", p.icon, p.name, p.word, p.why),
      h("div", "zs-ph-line", bar, p.space, p.past),
      h("div", "zs-ph-line zs-ph-scanning", p.scan, p.bar, p.told),
      h("div", "zs-ph-line", p.facts));
    p.plan.title = "80 %: plan to here";
    p.refused.title = "from here on writes are refused";
    el.zsParts = p;
    return el;
  }
  const place = (i, share) => {
    i.hidden = share === null || share === undefined;
    if (!i.hidden) i.style.left = `${(100 * share).toFixed(2)}%`;
  };
  function space(p, d) {
    const share = d.alloc !== null && d.size ? d.alloc / d.size : null;
    p.fill.style.width = `${100 * Math.min(1, share || 0)}%`;
    place(p.plan, d.plan);
    place(p.refused, d.refused);
    zs.text(p.space, share === null ? "space –" : `${zs.fmtText(d.alloc, "B")} of ${zs.fmtText(d.size, "B")}, ${percent(share)}`);
    const full = d.refused !== null && share >= d.refused;
    const over = share !== null && share >= d.plan;
    zs.text(p.past, full ? "writes are refused" : over ? `past ${percent(d.plan)}` : d.refused !== null ? `refused from ${percent(d.refused, 1)}` : "");
    p.past.dataset.state = full ? "bad" : over ? "warn" : "";
    const facts = [];
    if (d.frag !== null) facts.push(`${percent(d.frag)} of the free space in small pieces (FRAG)`);
    if (d.dedup !== null) facts.push(`dedup ${d.dedup.toFixed(2)}×`);
    if (d.checkpoint) facts.push(`a checkpoint holds ${zs.fmtText(d.checkpoint, "B")}`);
    if (d.expandsz) facts.push(`${zs.fmtText(d.expandsz, "B")} of grown devices unclaimed`);
    zs.text(p.facts, facts.join(", "));
  }
  const found = (s) => [
    s.repaired !== null ? `${s.kind === "resilver" ? "resilvered" : "repaired"} ${zs.fmtText(s.repaired, "B")}` : "",
    s.errors !== null ? `${zs.sig(s.errors, "")} error${s.errors === 1 ? "" : "s"}` : "",
  ].filter(Boolean).join(", ");
  function ends(s) {
    if (!s.eta) return s.why ? `no ETA: ${s.why}` : "";
    const [a, b] = s.eta.map((t) => (zs.day(t) === zs.day(zs.now()) ? "" : `${zs.day(t, false)} `) + zs.hm(t));
    return a === b ? `ends about ${a}` : `ends ${a} to ${b}`;
  }
  /** What runs, in one line; what ran last, as its host prints it. */
  function scanning(p, s) {
    const runs = s && (s.state === "in_progress" || s.state === "paused");
    p.bar.hidden = !runs;
    p.told.dataset.state = s && s.errors > 0 ? "warn" : "";
    if (!s) return [p.scan, p.told].forEach((el) => zs.text(el, ""));
    if (!runs) {
      zs.text(p.scan, s.kind === "none" ? "" : `Last ${s.kind}`);
      const data = s.kind === "none" && s.errors > 0 ? `, ${zs.sig(s.errors, "")} data errors` : "";
      return zs.text(p.told, (s.kind === "none" ? "no scrub on record" : s.text || s.state) + data);
    }
    zs.text(p.scan, s.kind.charAt(0).toUpperCase() + s.kind.slice(1) + (s.state === "paused" ? ", paused" : ""));
    p.bar.firstChild.style.width = `${100 * Math.min(1, s.fraction || 0)}%`;
    const by = s.done !== null ? [s.done, "issued"] : s.scanned !== null ? [s.scanned, "scanned"] : null;
    zs.text(p.told, [
      s.fraction !== null ? `${percent(s.fraction, 1)}${s.done !== null ? " issued" : " done"}` : "",
      by ? `${zs.fmtText(by[0], "B")}${s.total !== null ? ` of ${zs.fmtText(s.total, "B")}` : ""} ${by[1]}` : "",
      s.recent !== null ? `${zs.fmtText(s.recent, "B/s")} in the last 15${THIN}min` : "",
      s.mean !== null ? `${zs.fmtText(s.mean, "B/s")} mean` : "",
      s.elapsed !== null ? `running ${zs.span(s.elapsed)}` : "",
      ends(s), found(s),
    ].filter(Boolean).join(", "));
  }
  zs.view("pools_head", (el, d) => {
    if (!el.zsNone) el.append((el.zsList = h("div", "zs-phs")), (el.zsNone = h("p", "zs-hint", "No pool of this host has been heard of yet.")));
    el.zsNone.hidden = d.pools.length > 0;
    zs.keyed(el.zsList, d.pools, (x) => x.pool, makePool, (row, x) => {
      const p = row.zsParts;
      row.dataset.state = x.state;
      if (p.icon.dataset.icon !== x.icon) {
        p.icon.dataset.icon = x.icon;
        p.icon.replaceChildren(...(x.icon ? [zs.icon(x.icon)] : []));
      }
      zs.text(p.name, x.pool);
      zs.text(p.word, x.word || "state –");
      zs.text(p.why, x.why);
      space(p, x);
      scanning(p, x.scan);
    });
  });

  // -- the tree, and which of it the panels show -------------------------------------------------------------------

  zs.tableView("vdev_tree");
  zs.tableView("scan_history");
  const draw = zs.renderers.vdev_tree;
  const tree = () => document.getElementById("v-vdev-tree");
  const asked = () => {
    const q = new URLSearchParams(location.search);
    return { pool: q.get("pool") || "", vdev: q.get("vdev") || "" };
  };
  const rowOf = (el, { pool, vdev }) => (pool && el.zsData ? el.zsData.rows.find((r) => r.pool === pool && r.path === vdev) : null) || null;

  zs.view("vdev_tree", (el, d) => {
    draw(el, d);
    if (!el.zsListening) {
      el.zsListening = true;
      el.zsOf = h("p", "zs-hint", "");
      el.append(el.zsOf);
      el.addEventListener("click", (e) => {
        const tr = e.target.closest("tbody tr[data-id]");
        if (tr) choose(el, tr.dataset.id);
      });
      el.addEventListener("keydown", (e) => {
        const tr = e.target.closest("tbody tr[data-id]");
        if (!tr) return;
        const to = e.key === "ArrowDown" ? tr.nextSibling : e.key === "ArrowUp" ? tr.previousSibling : null;
        if (to) to.focus();
        else if (e.key === "Enter") choose(el, tr.dataset.id);
        else return;
        e.preventDefault();
        e.stopPropagation();
      });
    }
    el.zsOf.hidden = d.of === null;
    zs.text(el.zsOf, d.of === null ? "" : `States as of ${zs.sinceTime(d.of, true)}`);
    mark(el);
  });
  function choose(el, id) {
    const row = el.zsData.rows.find((r) => r.id === id);
    if (!row || row.section) return;
    const q = new URLSearchParams(location.search);
    const was = rowOf(el, asked());
    for (const k of ["pool", "vdev"]) q.delete(k);
    if (!was || was.id !== id) {
      q.set("pool", row.pool);
      if (row.path) q.set("vdev", row.path);
    }
    go(el, q);
    const said = document.getElementById("zs-vdev-said");
    if (said && said.getBoundingClientRect().top > innerHeight) said.scrollIntoView({ block: "start" }); // below the tree
  }
  function go(el, q) {
    const s = q.toString().replace(/%2F/g, "/");
    history.pushState({ zs: true }, "", location.pathname + (s ? `?${s}` : ""));
    apply(el);
  }
  /** The panels ask for the vdev of the URL, or for all. */
  function apply(el) {
    const row = rowOf(el, asked());
    const part = row ? { pool: row.pool, vdev: row.path } : {};
    let changed = false;
    for (const p of zs.panels.values()) {
      if (!p.el.closest(".zs-vdev-panels")) continue;
      const next = { host: p.query.host, ...part };
      if ((p.query.pool || "") === (next.pool || "") && (p.query.vdev || "") === (next.vdev || "")) continue;
      p.query = next;
      p.el.dataset.query = JSON.stringify(next);
      delete zs.state.y[p.id];
      delete zs.state.sel[p.id];
      p.axis.held = null;
      changed = true;
    }
    if (changed) {
      zs.saveState(false);
      zs.rewatch(true);
    }
    mark(el);
  }
  zs.on("url", () => {
    const el = tree();
    if (el && el.zsData) apply(el);
  });
  function mark(el) {
    const row = rowOf(el, asked());
    for (const tr of el.querySelectorAll("tbody tr[data-id]")) {
      const r = el.zsData.rows.find((x) => x.id === tr.dataset.id);
      tr.classList.toggle("zs-section", Boolean(r && r.section));
      tr.classList.toggle("zs-root", Boolean(r && !r.depth));
      if (r && r.section) tr.removeAttribute("tabindex");
      else tr.tabIndex = 0;
      if (row && r === row) tr.setAttribute("aria-current", "true");
      else tr.removeAttribute("aria-current");
    }
    const said = document.getElementById("zs-vdev-said");
    if (!said) return;
    if (!said.zsParts) {
      const all = h("button", "zs-button", "all vdevs");
      all.type = "button";
      all.addEventListener("click", () => {
        const q = new URLSearchParams(location.search);
        for (const k of ["pool", "vdev"]) q.delete(k);
        go(tree(), q);
      });
      said.zsParts = { what: h("b"), note: h("span"), all };
      said.append(said.zsParts.what, said.zsParts.note, all);
    }
    const { what, note, all } = said.zsParts;
    all.hidden = !row;
    zs.text(what, row ? [row.pool, row.path].filter(Boolean).join(" ") : "All vdevs");
    zs.text(note, row ? (row.group && row.path ? "and what is in it" : "") : "top-level ones, and the disks of all");
  }
})();
