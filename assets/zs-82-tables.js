/* Tables of newest values, as dashboard/panels/tables.py sends them: one scale a column, its unit in the head once;
   a click on a head sorts, and the address keeps it. Rows move when the pointer has left, at most every ten seconds. A tree
   (`d.tree`, rows with a depth) keeps its order; values of unit "bytes" have each its own scale. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const RESORT_MS = 10000;

  const numeric = (c) => c.unit !== "text";
  const worth = (v) => (typeof v === "number" ? v : null);

  /** What the address says of a table's order: [column, 1 or -1]. */
  function order(el, d) {
    if (d.tree) return ["", 0];
    const said = new URLSearchParams(location.search).get(`sort.${el.id}`);
    if (said) {
      const id = said.replace(/^-/, "");
      if (id === "name" || d.columns.some((c) => c.id === id)) return [id, said.startsWith("-") ? -1 : 1];
    }
    return d.sort ? [d.sort, -1] : ["", 0];
  }
  function choose(el, id, first) {
    if (el.zsData.tree) return;
    const [was, dir] = order(el, el.zsData);
    const q = new URLSearchParams(location.search);
    const next = was === id ? -dir : first;
    q.set(`sort.${el.id}`, `${next < 0 ? "-" : ""}${id}`);
    history.replaceState(history.state, "", `${location.pathname}?${q}`);
    el.zsSorted = 0;
    draw(el);
  }
  function sorted(el, d) {
    const [id, dir] = order(el, d);
    const rows = [...d.rows];
    if (!id) return rows;
    const at = d.columns.findIndex((c) => c.id === id);
    const of = (r) => (id === "name" ? r.label : r.cells[at]);
    // What is missing stays below, whichever way.
    rows.sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      const by = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
      return dir * by || a.label.localeCompare(b.label, "en", { numeric: true });
    });
    return rows;
  }
  /** Rows in the order that is shown, until it may change. */
  function arranged(el, d) {
    if (d.tree) return d.rows;
    const now = performance.now();
    const held = el.matches(":hover") || el.contains(document.activeElement);
    const due = !el.zsSorted || (!held && now - el.zsSorted >= RESORT_MS);
    if (due) {
      el.zsSorted = now;
      const rows = sorted(el, d);
      el.zsOrder = new Map(rows.map((r, i) => [r.id, i]));
      return rows;
    }
    const place = (r) => (el.zsOrder.has(r.id) ? el.zsOrder.get(r.id) : Infinity);
    return [...d.rows].sort((a, b) => place(a) - place(b));
  }

  function scaleOf(c, d, i) {
    let most = 0;
    for (const r of d.rows) {
      const v = worth(r.cells[i]);
      if (v !== null) most = Math.max(most, Math.abs(v));
    }
    // A limit is read in the unit of what it limits.
    const before = c.cap && i ? d.columns[i - 1] : null;
    if (before) for (const r of d.rows) most = Math.max(most, Math.abs(worth(r.cells[i - 1]) || 0));
    return zs.scale(c.unit, most);
  }
  function words(c, v, scale) {
    if (v === null || v === "") return "–";
    if (typeof v === "string") return v;
    if (c.unit === "time") return `${zs.day(v) === zs.day(zs.now()) ? "" : `${zs.day(v, false)} `}${zs.hms(v)}`;
    if (c.unit === "age") return zs.age(v);
    if (c.unit === "span") return zs.span(v);
    if (c.unit === "bytes") return zs.fmtText(v, "B");
    if (c.unit === "count") return zs.sig(v, "");
    return zs.sig(v / scale.div, scale.unit);
  }

  function head(el, d) {
    const key = JSON.stringify(d.columns);
    if (el.zsKey === key) return;
    el.zsKey = key;
    const make = (id, text, unit, cls, first) => {
      const b = h("button", "zs-sort", text);
      b.type = "button";
      b.addEventListener("click", () => choose(el, id, first));
      const u = h("span", "zs-unit", "");
      const th = h("th", cls, b, u);
      th.zsUnit = u;
      th.dataset.id = id;
      return th;
    };
    el.zsHeads = [make("name", el.dataset.rows || "name", "", "zs-name", 1)];
    for (const c of d.columns) {
      const th = make(c.id, c.head, c.unit, `${numeric(c) ? "zs-n" : ""}${c.cap ? " zs-cap" : ""}${c.phone ? "" : " zs-not-phone"}`.trim(), numeric(c) ? -1 : 1);
      th.title = c.title || "";
      el.zsHeads.push(th);
    }
    el.zsHead.replaceChildren(...el.zsHeads);
    el.zsBody.replaceChildren();
    el.zsBody.zsKeyed = new Map();
  }
  function makeRow(el, d, r) {
    const link = r.href ? h("a", "", r.label) : h("b", "", r.label);
    if (r.href) {
      link.href = r.href;
      link.addEventListener("click", (e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
        e.preventDefault();
        zs.go(r.href);
      });
    }
    const icon = h("span", "zs-row-state"), note = h("span", "zs-row-note", "");
    const tr = h("tr", "", h("td", "zs-name", icon, link, note));
    tr.zsCells = d.columns.map((c) => h("td", `${numeric(c) ? "zs-n" : ""}${c.cap ? " zs-cap" : ""}${c.phone ? "" : " zs-not-phone"}`.trim()));
    tr.append(...tr.zsCells);
    tr.dataset.id = r.id;
    if (r.depth) tr.firstChild.style.paddingLeft = `${r.depth * 14}px`;
    tr.zsParts = { icon, note };
    return tr;
  }
  function fillRow(tr, d, r, scales) {
    const { icon, note } = tr.zsParts;
    tr.classList.toggle("zs-quiet", r.quiet);
    if (icon.dataset.state !== r.state) {
      icon.dataset.state = r.state;
      icon.replaceChildren(...(r.icon ? [zs.icon(r.icon)] : []));
    }
    zs.text(note, r.note ? ` ${r.note}` : "");
    tr.zsCells.forEach((td, i) => {
      const c = d.columns[i], v = r.cells[i];
      zs.text(td, d.tree && v === "" ? "" : words(c, v, scales[i])); // what a row of a tree cannot have is no lack
      const state = r.states[i];
      if ((td.dataset.state || "") !== state) {
        if (state) td.dataset.state = state;
        else delete td.dataset.state;
      }
      if (typeof v === "string" && v.length > 40) td.title = v;
    });
  }

  function draw(el) {
    const d = el.zsData;
    if (!el.zsTable) {
      el.zsHead = h("tr");
      el.zsBody = h("tbody");
      el.zsTable = h("table", "zs-table zs-now", h("thead", "", el.zsHead), el.zsBody);
      el.zsNone = h("p", "zs-hint", "");
      el.zsSaid = h("p", "zs-table-said", "");
      el.append(el.zsSaid, h("div", "zs-table-scroll", el.zsTable), el.zsNone);
    }
    el.zsTable.hidden = !d.rows.length;
    el.zsNone.hidden = Boolean(d.rows.length);
    el.zsSaid.hidden = !d.said;
    zs.text(el.zsSaid, d.said || "");
    zs.text(el.zsNone, [d.empty, d.hint].filter(Boolean).join(" "));
    head(el, d);
    const scales = d.columns.map((c, i) => scaleOf(c, d, i));
    const [by, dir] = order(el, d);
    el.zsHeads.forEach((th, i) => {
      const c = i ? d.columns[i - 1] : null;
      const unit = c && !["text", "count", "time", "age", "bytes"].includes(c.unit) && !c.cap ? scales[i - 1].unit : "";
      zs.text(th.zsUnit, unit ? `, ${unit}` : "");
      if (th.dataset.id === by) th.setAttribute("aria-sort", dir < 0 ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    zs.keyed(el.zsBody, arranged(el, d), (r) => r.id, (r) => makeRow(el, d, r), (tr, r) => fillRow(tr, d, r, scales));
  }
  /** A view whose data is a table of `dashboard.panels.tables`. */
  zs.tableView = (name) => zs.view(name, (el, d) => {
    el.zsData = d;
    draw(el);
  });

  /** The table as a file: SI units in the head, nothing rounded, times in UTC. */
  zs.saveTable = (el, name) => {
    const d = el.zsData;
    if (!d) return;
    const heads = d.columns.map((c) => (["text", "count", "time"].includes(c.unit) ? c.id : `${c.id} (${c.unit === "age" || c.unit === "span" ? "s" : c.unit})`));
    const lines = [[el.dataset.rows || "name", ...heads]];
    for (const r of sorted(el, d)) lines.push([r.label, ...r.cells.map((v, i) => (d.columns[i].unit === "time" && v !== null ? new Date(v * 1000).toISOString() : v))]);
    zs.saveCsv(`zonescope-${name}.csv`, lines);
  };
  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-save-table]");
    const el = b && document.getElementById(b.dataset.saveTable);
    if (el) zs.saveTable(el, b.dataset.name || "table");
  });

  for (const name of ["imapsync_accounts", "zones_table", "mail_table", "health_hosts", "health_sources", "health_store"]) zs.tableView(name);
})();
