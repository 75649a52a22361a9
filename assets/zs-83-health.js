/* The head of the Health page: the history's size and span, the spool, the disk; what is wrong with them. */
(() => {
  "use strict";
  const zs = window.zs;
  zs.view("health_head", (el, d) => {
    if (!el.zsFacts) el.append((el.zsFacts = zs.h("p", "zs-host-facts")), (el.zsWarn = zs.h("p", "zs-host-say")));
    zs.keyed(el.zsFacts, d.facts, (f) => f, (f) => zs.h("span", "", f), () => {});
    el.zsWarn.dataset.state = d.warn.length ? "warn" : "";
    zs.keyed(el.zsWarn, d.warn, (w) => w, (w) => zs.h("span", "", zs.icon("warn"), ` ${w}`), () => {});
  });
})();
