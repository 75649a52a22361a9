/* The head of a host's page: what it is and how it is, in words; and what it lacks, with the fix. */
(() => {
  "use strict";
  const zs = window.zs;

  zs.view("host_head", (el, d) => {
    const page = document.getElementById("zs-page");
    if (page) page.dataset.hostState = d.state;
    if (!el.zsHead) {
      el.zsHead = {
        facts: zs.h("p", "zs-host-facts"),
        say: zs.h("p", "zs-host-say"),
        reasons: zs.h("ul", "zs-host-reasons"),
      };
      el.append(el.zsHead.facts, el.zsHead.say, el.zsHead.reasons);
    }
    const { facts, say, reasons } = el.zsHead;
    zs.keyed(facts, d.facts, (f) => f, (f) => zs.h("span", "", f), () => {});
    const text = d.sentence ? `${d.word}: ${d.sentence}` : d.word;
    if (say.dataset.text !== text || say.dataset.state !== d.state) {
      say.dataset.text = text;
      say.dataset.state = d.state;
      const calm = d.state === "well" || d.state === "scan";
      const rest = calm && d.reasons[0] ? `: ${d.reasons[0].what.toLowerCase()}, ${d.reasons[0].detail}` : "";
      say.replaceChildren(...(d.word ? [zs.icon(d.icon), zs.h("b", "", text), zs.h("span", "zs-host-short", d.word), rest] : []));
    }
    zs.keyed(
      reasons, d.reasons, (r) => `${r.what} ${r.state}`,
      (r) => {
        const li = zs.h("li", `zs-state-${r.state}`, zs.icon(r.icon), zs.h("b", "", r.what), zs.h("span", "", ""));
        return li;
      },
      (li, r) => zs.text(li.lastChild, r.detail ? `, ${r.detail}` : ""),
    );
    reasons.hidden = !d.reasons.some((r) => r.state !== "scan");
    reasons.dataset.state = d.state;
  });

  zs.view("host_lacks", (el, d) => {
    if (!el.zsList) {
      el.zsList = zs.h("ul", "zs-lacks");
      el.zsHeadline = zs.h("h2", "zs-panel-title", "What this host does not give");
      el.append(el.zsHeadline, el.zsList);
    }
    el.hidden = !d.lacks.length;
    zs.keyed(
      el.zsList, d.lacks, (x) => x.what,
      (x) => zs.h("li", "", zs.h("b", "", x.what), zs.h("span", "", ""), zs.h("code", "", "")),
      (li, x) => {
        zs.text(li.children[1], ` ${x.why}`);
        zs.text(li.children[2], x.fix);
        li.children[2].hidden = !x.fix;
      },
    );
  });
})();
