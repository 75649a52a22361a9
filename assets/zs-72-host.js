/* The head of a Host page: what it is, how it is, in words; on a phone the reasons stand under it. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;

  zs.reasons = (el, reasons) => {
    zs.keyed(el, reasons.map((r, i) => ({ ...r, key: `${r.icon}${r.what}${i}` })), (r) => r.key,
      (r) => h("div", `zs-reason zs-is-${r.state}`, zs.icon(r.icon), h("b", "", r.what), h("span")), (node, r) => zs.text(node.lastChild, r.detail || ""));
  };

  zs.view("host_head", (el, d) => {
    if (!el.zsParts) {
      const facts = h("span", "zs-facts"), word = h("span", "zs-host-word"), reasons = h("div", "zs-reasons zs-phone-reasons");
      el.append(facts, word, reasons);
      el.zsParts = { facts, word, reasons };
    }
    const { facts, word, reasons } = el.zsParts;
    zs.keyed(facts, d.facts.map((text, i) => ({ text, i })), (x) => x.i, () => h("span"), (node, x) => zs.text(node, x.text));
    const said = d.sentence || d.word;
    const key = d.icon + said + d.state;
    if (el.zsSaid !== key) {
      el.zsSaid = key;
      word.className = `zs-host-word zs-is-${d.state}`;
      word.replaceChildren(...(d.word ? [zs.icon(d.icon), h("span", "zs-long", said.startsWith(d.word) || !d.sentence ? said : `${d.word}: ${said}`), h("span", "zs-short", d.word)] : []));
    }
    const bad = d.reasons.filter((r) => r.state !== "well");
    reasons.hidden = !bad.length;
    reasons.dataset.state = d.state;
    zs.reasons(reasons, bad);
  });

  zs.view("host_lacks", (el, d) => {
    zs.keyed(el, d.lacks, (x) => x.what, (x) => h("div", "zs-lack", h("b", "", x.what), h("span"), h("code")), (node, x) => {
      zs.text(node.children[1], x.why);
      zs.text(node.children[2], x.fix || "");
    });
  });
})();
