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
    const text = d.sentence ? `${d.word}${d.word ? ": " : ""}${d.sentence}` : d.word;
    if (say.dataset.text !== text || say.dataset.state !== d.state) {
      say.dataset.text = text;
      say.dataset.state = d.state;
      say.title = d.reasons.map((r) => `${zs.reasonWhat(r)}${zs.reasonDetail(r) ? `: ${zs.reasonDetail(r)}` : ""}`).join("\n");
      const calm = d.state === "well" || d.state === "scan";
      const rest = calm && d.reasons[0] ? `: ${d.reasons[0].what.toLowerCase()}, ${d.reasons[0].detail}` : "";
      say.replaceChildren(...(text ? [zs.icon(d.icon), zs.h("b", "", text), zs.h("span", "zs-host-short", d.word), rest] : []));
    }
    zs.keyed(
      reasons, d.reasons, (r) => `${r.what} ${r.state}`,
      (r) => {
        const li = zs.h("li", `zs-state-${r.state}`, zs.icon(r.icon), zs.h("b", "", r.what), zs.h("span", "", ""));
        return li;
      },
      (li, r) => {
        zs.text(li.children[1], zs.reasonWhat(r));
        zs.text(li.lastChild, zs.reasonDetail(r) ? `, ${zs.reasonDetail(r)}` : "");
      },
    );
    reasons.hidden = !d.reasons.some((r) => r.state !== "scan");
    reasons.dataset.state = d.state;
  });

  // A page that waits for a host or a pair is laid anew once there is one.
  zs.view("heard", (el, d) => {
    if (d.ready && !el.zsGone) {
      el.zsGone = true;
      setTimeout(() => location.reload(), 200);
    }
  });

  const fill = (el, words) => {
    el.hidden = !words;
    zs.text(el, words || "");
  };
  zs.view("host_lacks", (el, d) => {
    if (!el.zsLists) {
      const part = (cls, title) => {
        const list = zs.h("ul", "zs-lacks");
        const box = zs.h("section", cls, zs.h("h2", "zs-panel-title", title), list);
        el.append(box);
        return { box, list };
      };
      el.zsLists = { unread: part("zs-unread", "What cannot be read"), lacks: part("", "What this host does not give") };
    }
    const { unread, lacks } = el.zsLists;
    el.hidden = !d.lacks.length && !d.unread.length;
    unread.box.hidden = !d.unread.length;
    lacks.box.hidden = !d.lacks.length;
    const row = () => zs.h("li", "", zs.h("b"), zs.h("span"), zs.h("code"), zs.h("span"));
    zs.keyed(unread.list, d.unread, (x) => x.source, row, (li, x) => {
      const [name, why, command, fix] = li.children;
      zs.text(name, x.source);
      const since = x.since && !x.some ? `; its newest sample is of ${zs.sinceTime(x.since, true)}` : x.some ? "; other lines of it are read" : "";
      zs.text(why, x.why + since);
      fill(command, x.command ? `$ ${x.command}` : "");
      fill(fix, x.fix ? `Fix: ${x.fix}` : "");
    });
    zs.keyed(lacks.list, d.lacks, (x) => x.what, row, (li, x) => {
      const [name, why, command, fix] = li.children;
      zs.text(name, x.what);
      zs.text(why, x.why);
      fill(command, x.fix);
      fix.hidden = true;
    });
  });
})();
