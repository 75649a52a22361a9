/* The ARC page's verdict: a sentence or two, from the numbers of the last ten minutes. */
(() => {
  "use strict";
  const zs = window.zs;
  zs.view("arc_verdict", (el, d) => {
    zs.keyed(el, d.said.map((s, i) => ({ ...s, i })), (s) => s.i, () => zs.h("p", "zs-arc-said", zs.h("span", "zs-row-state"), zs.h("span", "")), (p, s) => {
      const icon = p.firstChild;
      if (icon.dataset.icon !== s.icon) {
        icon.dataset.icon = s.icon;
        icon.replaceChildren(...(s.icon ? [zs.icon(s.icon)] : []));
      }
      p.dataset.state = s.state;
      zs.text(p.lastChild, s.text);
    });
  });
})();
