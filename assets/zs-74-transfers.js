/* Under each pair of the Migration page: what its zfs send and receive say of themselves. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const GIB = 1073741824, MIB = 1048576;
  const gib = (v) => zs.sig(v / GIB, "");
  const mib = (v) => (v === null ? "–" : zs.sig(v / MIB, ""));
  const percent = (v) => (v === null ? "–" : `${Math.round(100 * v)}\u2009%`);

  zs.view("transfers", (el, d) => {
    if (!el.zsParts) {
      el.zsParts = { empty: h("p", "zs-hint", ""), list: h("div", "zs-pipes") };
      el.append(el.zsParts.empty, el.zsParts.list);
    }
    el.hidden = !d.pipes.length && !d.empty;
    el.zsParts.empty.hidden = d.pipes.length > 0;
    zs.text(el.zsParts.empty, d.empty);
    zs.keyed(el.zsParts.list, d.pipes, (p) => p.name, make, fill);
  });

  function make() {
    const p = { name: h("b", "", ""), what: h("span", "", ""), icon: h("i"), word: h("span", "", ""), done: h("b", "", ""), total: h("span", "", ""), rate: h("b", "", ""), unit: h("span", "", ""), buffers: h("span", "", ""), verdict: h("b", "", ""), eta: h("b", "", ""), note: h("span", "", "") };
    const row = h("div", "zs-pipe", h("span", "zs-pipe-name", p.name, p.what), h("span", "zs-pipe-state", p.icon, p.word), h("span", "zs-pipe-size", p.done, p.total), h("span", "zs-pipe-rate", p.rate, p.unit), h("span", "zs-pipe-buffer", p.verdict, p.buffers), h("span", "zs-pipe-eta", p.eta, p.note));
    row.zsParts = p;
    return row;
  }

  function fill(row, s) {
    const p = row.zsParts;
    const rates = [s.out, s.in].filter((v) => v !== null);
    const eta = s.eta ? s.eta.map(zs.hm) : [];
    row.dataset.state = s.state;
    row.title = s.title;
    zs.text(p.name, s.name);
    zs.text(p.what, s.what);
    p.icon.className = `zs-i zs-i-${s.icon}`;
    zs.text(p.word, s.word);
    zs.text(p.done, s.done === null ? "" : gib(s.done));
    zs.text(p.total, s.done === null ? "bytes unknown" : s.total === null ? "\u2009GiB" : ` of ${gib(s.total)}\u2009GiB`);
    zs.text(p.rate, s.was !== null ? `was ${mib(s.was)}` : s.out !== null && s.in !== null ? `${mib(s.out)} to ${mib(s.in)}` : rates.length ? mib(rates[0]) : "");
    zs.text(p.unit, s.was !== null || rates.length ? "\u2009MiB/s" : "");
    zs.text(p.buffers, s.buffers.some((b) => b !== null) ? `buffers ${percent(s.buffers[0])} to ${percent(s.buffers[1])}` : "");
    zs.text(p.verdict, s.verdict);
    zs.text(p.eta, eta.length ? (eta[0] === eta[1] ? eta[0] : `${eta[0]} to ${eta[1]}`) : "");
    zs.text(p.note, s.note);
  }
})();
