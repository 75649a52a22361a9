/* The Migration page: the verdict, a row of streams per pair, the checks, the log. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const GIB = 1073741824, MIB = 1048576;
  const gib = (v) => (v === null || v === undefined ? "–" : zs.sig(v / GIB, ""));
  const mib = (v) => (v === null || v === undefined ? "–" : zs.sig(v / MIB, ""));

  zs.view("migration_head", (el, d) => {
    if (!el.zsParts) {
      const p = (el.zsParts = { icon: h("i"), verdict: h("b", "", ""), detail: h("span", "", ""), sums: h("p", "zs-verdict-sums") });
      p.done = h("b", "", "");
      p.of = h("span", "", "");
      p.eta = h("span", "", "");
      p.sums.append(p.done, p.of, p.eta);
      p.line = h("p", "zs-verdict", p.icon, p.verdict, p.detail);
      el.append(p.line, p.sums);
    }
    const p = el.zsParts;
    p.line.dataset.state = d.state;
    p.line.hidden = !d.verdict;
    p.icon.className = `zs-i zs-i-${d.icon}`;
    zs.text(p.verdict, d.verdict);
    zs.text(p.detail, d.detail);
    p.sums.hidden = !d.total;
    zs.text(p.done, gib(d.done));
    zs.text(p.of, ` of ${gib(d.total)}\u2009GiB`);
    zs.text(p.eta, d.eta ? `, ${d.eta}` : "");
  });

  zs.view("pair", (el, d) => {
    if (!el.zsParts) {
      const p = (el.zsParts = { source: h("span", "", ""), target: h("span", "", ""), out: h("b", "", ""), in: h("b", "", "") });
      p.streams = h("div", "zs-streams");
      el.append(
        h("div", "zs-pair-who", h("h2", "", p.source, zs.icon("arrow"), p.target),
          h("p", "zs-out", h("i", "zs-key-out"), h("span", "", "out "), p.out, h("span", "", "\u2009MiB/s")),
          h("p", "zs-in", h("i", "zs-key-in"), h("span", "", "in "), p.in, h("span", "", "\u2009MiB/s"))),
        p.streams);
    }
    const p = el.zsParts;
    zs.text(p.source, d.source);
    zs.text(p.target, d.target);
    zs.text(p.out, mib(d.out));
    zs.text(p.in, mib(d.in));
    zs.keyed(p.streams, d.streams, (s) => s.name, stream, fill);
  });

  function stream() {
    const p = { name: h("b", "zs-stream-name", ""), icon: h("i"), word: h("span", "", ""), bar: h("i", ""), done: h("b", "", ""), total: h("span", "", ""), rate: h("b", "", ""), rateUnit: h("span", "", ""), eta: h("b", "", ""), note: h("span", "", "") };
    const row = h("div", "zs-stream", p.name, h("span", "zs-stream-state", p.icon, p.word), h("div", "zs-stream-bar", p.bar),
      h("span", "zs-stream-size", p.done, p.total), h("span", "zs-stream-rate", p.rate, p.rateUnit), h("span", "zs-stream-eta", p.eta, p.note));
    row.zsParts = p;
    return row;
  }
  function fill(row, s) {
    const p = row.zsParts;
    row.dataset.state = s.state;
    zs.text(p.name, s.name);
    p.icon.className = `zs-i zs-i-${s.icon}`;
    zs.text(p.word, s.word);
    p.bar.style.width = s.total && s.done !== null ? `${(100 * zs.clamp(s.done / s.total, 0, 1)).toFixed(2)}%` : "0";
    p.bar.className = s.state === "stale" ? "zs-hatched" : "";
    zs.text(p.done, gib(s.done));
    zs.text(p.total, s.total === null ? " GiB, total unknown" : ` of ${gib(s.total)}\u2009GiB`);
    zs.text(p.rate, s.was !== null ? `was ${mib(s.was)}` : s.rate === null ? "–" : mib(s.rate));
    zs.text(p.rateUnit, s.rate === null ? "" : "\u2009MiB/s");
    zs.text(p.eta, s.eta);
    zs.text(p.note, s.note);
  }

  zs.view("migration_checks", (el, d) => {
    zs.keyed(
      el, d.checks, (c) => c.what,
      (c) => {
        const p = { icon: h("i"), word: h("b", "", ""), what: h("b", "", c.what), detail: h("span", "", "") };
        const row = h("div", "zs-check", p.icon, p.word, h("p", "", p.what, p.detail));
        row.zsParts = p;
        return row;
      },
      (row, c) => {
        row.dataset.state = c.state;
        row.zsParts.icon.className = `zs-i zs-i-${c.icon}`;
        zs.text(row.zsParts.word, c.word);
        zs.text(row.zsParts.detail, c.detail);
      },
    );
  });

  const ICON = { bad: "trouble", warn: "warn", info: "flag" };
  zs.view("events_log", (el, d) => {
    if (!el.zsNone) el.append((el.zsNone = h("p", "zs-hint", "Nothing has happened yet.")), (el.zsList = h("ol", "zs-log")));
    el.zsNone.hidden = d.events.length > 0;
    zs.keyed(
      el.zsList, d.events, (e) => `${e.time} ${e.host} ${e.text}`,
      (e) => h("li", `zs-log-${e.severity}`, h("time", "", ""), zs.icon(e.kind === "link" && e.severity !== "info" ? "stale" : ICON[e.severity] || "flag"), h("span", "", e.host ? `${e.host}: ${e.text}` : e.text)),
      (li, e) => zs.text(li.firstChild, zs.hms(e.time)),
    );
  });
})();
