/* The Migration page: the verdict, a row of streams per pair, the checks, the log. */
(() => {
  "use strict";
  const zs = window.zs;
  const h = zs.h;
  const RESORT_MS = 10000;
  const GIB = 1073741824, MIB = 1048576;
  const gib = (v) => (v === null || v === undefined ? "–" : zs.sig(v / GIB, ""));
  const mib = (v) => (v === null || v === undefined ? "–" : zs.sig(v / MIB, ""));

  /** "03:31 to 03:51", with the days to come. */
  const span = ([a, b]) => {
    const [early, late] = [zs.hm(a), zs.hm(b)];
    const days = Math.floor((b - zs.now()) / 86400);
    return early === late && !days ? early : `${early} to ${late}${days > 0 ? ` (+${days}\u2009d)` : ""}`;
  };

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
    zs.text(p.detail, d.detail + (d.since ? `, since ${zs.sinceTime(d.since)}` : ""));
    p.sums.hidden = !d.total;
    zs.text(p.done, gib(d.done));
    zs.text(p.of, ` of ${gib(d.total)}\u2009GiB`);
    zs.text(p.eta, d.eta ? `, ${span(d.eta)}` : d.why ? `, ${d.why}` : "");
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
    for (const end of ["source", "target"]) {
      zs.text(p[end], d[end]);
      p[end].title = d[end];
    }
    zs.text(p.out, mib(d.out));
    zs.text(p.in, mib(d.in));
    zs.keyed(p.streams, d.streams, (s) => s.name, stream, fill);
    order(el, d.rank);
  });
  /** The pair that stops the night on top; rows move at most every 10 s and not under the pointer. */
  function order(el, rank) {
    const row = el.closest(".zs-pair"), all = row && row.parentElement;
    if (!all) return;
    row.dataset.rank = rank;
    const now = performance.now();
    const rows = [...all.children];
    if (all.zsSorted && (now - all.zsSorted < RESORT_MS || all.matches(":hover"))) return;
    if (rows.some((x) => x.dataset.rank === undefined)) return;
    all.zsSorted = now;
    [...rows].sort((a, b) => a.dataset.rank - b.dataset.rank || rows.indexOf(a) - rows.indexOf(b)).forEach((x, i) => (x.style.order = i));
  }

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
    // What is there is there: RAID-Z and compression make a copy larger or smaller than its source.
    zs.text(p.total, s.state === "done" ? "\u2009GiB" : s.total === null ? "\u2009GiB, total unknown" : ` of ${gib(s.total)}\u2009GiB`);
    zs.text(p.rate, s.was !== null ? `was ${mib(s.was)}` : s.rate === null ? "–" : mib(s.rate));
    zs.text(p.rateUnit, s.rate === null ? "" : "\u2009MiB/s");
    const at = s.since ? zs.sinceTime(s.since) : "";
    zs.text(p.eta, s.eta ? span(s.eta) : s.state === "done" ? at : s.state === "waiting" ? "–" : "no ETA");
    zs.text(p.note, s.note + (s.state === "stalled" && at ? `, since ${at}` : ""));
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
        zs.text(row.zsParts.detail, c.detail + (c.since ? `, since ${zs.sinceTime(c.since)}` : ""));
      },
    );
  });

  // -- plan and actual ---------------------------------------------------------------------------------------------

  const ROW = 26, CHART = 168, AXIS = 20, LEFT = 132;

  zs.view("migration_plan", (el, d) => {
    if (!el.zsCanvas) {
      el.zsCanvas = h("canvas", "zs-plan");
      el.zsCanvas.setAttribute("role", "img");
      el.zsSaid = h("p", "zs-hint zs-plan-said");
      el.append(el.zsCanvas, el.zsSaid);
      new ResizeObserver(() => el.zsPlan && draw(el, el.zsPlan)).observe(el.zsCanvas);
    }
    el.zsPlan = d;
    const done = d.done.length ? d.done[d.done.length - 1][1] : 0;
    const when = d.eta ? `all copied between ${zs.hm(d.eta[0])} and ${zs.hm(d.eta[1])}` : d.why;
    const late = d.plan && d.eta ? (d.eta[0] > d.plan[1] ? `, ${zs.span(d.eta[0] - d.plan[1])} after the plan at the earliest` : d.eta[1] <= d.plan[1] ? ", within the plan" : ", the plan may hold") : "";
    const said = `${gib(done)} of ${gib(d.total)}\u2009GiB${when ? `; ${when}` : ""}${late}`;
    zs.text(el.zsSaid, said);
    el.zsCanvas.setAttribute("aria-label", said);
    draw(el, d);
  });

  function draw(el, d) {
    const rows = d.rows.length + (d.phases.length ? 1 : 0);
    el.zsCanvas.style.height = `${AXIS + CHART + rows * ROW + 10}px`;
    zs.miniCanvas(el.zsCanvas, (ctx, w, hgt) => {
      const c = zs.colors();
      const left = w < 520 ? 84 : LEFT;
      const pad = (d.end - d.begin) * 0.03;
      const [t0, t1] = [d.begin - pad, d.end + pad * (w < 520 ? 10 : 5)]; // room for the words behind a bar
      const x = (t) => left + ((t - t0) / (t1 - t0)) * (w - left - 8);
      const X = (t) => zs.clamp(x(t), left, w - 8);
      const top = AXIS + 8, base = AXIS + CHART - 8;
      const full = Math.max(d.total || 0, 1) * 1.04;
      const y = (v) => base - (v / full) * (base - top);
      const words = [];
      const nowX = x(d.now);
      const free = (a, b, yy) => !words.some((r) => a < r[1] + 6 && b > r[0] - 6 && Math.abs(yy - r[2]) < 13) && words.push([a, b, yy]);

      ctx.font = zs.font(11);
      ctx.textBaseline = "middle";
      for (const [t, label] of zs.timeTicks(t0, t1, Math.max(2, Math.floor((w - left) / 80)))) {
        ctx.fillStyle = c.grid;
        ctx.fillRect(Math.round(x(t)), AXIS, 1, hgt - AXIS);
        if (Math.abs(x(t) - nowX) < 52) continue;
        ctx.fillStyle = c.text3;
        ctx.textAlign = "center";
        ctx.fillText(label, zs.clamp(x(t), left + 14, w - 22), 8);
      }

      ctx.fillStyle = c.text;
      ctx.fillRect(Math.round(x(d.now)), AXIS - 2, 1.5, hgt - AXIS + 2);

      // Bytes over time: the level to reach, the plan, what is there, what is likely.
      const line = (pts, { color, width = 1.5, dash = [] }) => {
        ctx.strokeStyle = color;
        ctx.lineWidth = width;
        ctx.setLineDash(dash);
        ctx.beginPath();
        pts.forEach(([a, b]) => ctx.lineTo(x(a), y(b)));
        ctx.stroke();
        ctx.setLineDash([]);
      };
      ctx.textAlign = "right";
      ctx.fillStyle = c.text3;
      ctx.fillText(`${gib(d.total)}\u2009GiB`, left - 8, y(d.total || 0));
      ctx.fillText("0", left - 8, base);
      ctx.fillStyle = c.line;
      ctx.fillRect(left, Math.round(base), w - left - 8, 1);
      line([[t0, d.total], [t1, d.total]], { color: c.line, width: 1 });
      const name = (text, tx, ty, color, align, weight) => {
        ctx.font = zs.font(11, weight || 400);
        const tw = ctx.measureText(text).width;
        const a = zs.clamp(align === "right" ? tx - tw : tx, left + 2, w - 10 - tw);
        if (free(a, a + tw, ty)) zs.halo(ctx, text, a, ty, color, weight || 400);
      };
      const last = d.done[d.done.length - 1];
      if (d.eta && last) {
        const [early, late] = d.eta;
        ctx.save();
        ctx.beginPath();
        ctx.rect(left, AXIS, w - left - 8, hgt);
        ctx.clip();
        ctx.beginPath();
        ctx.moveTo(x(last[0]), y(last[1]));
        ctx.lineTo(x(early), y(d.total));
        ctx.lineTo(x(late), y(d.total));
        ctx.closePath();
        ctx.fillStyle = zs.hatch(ctx);
        ctx.fill();
        for (const end of [early, late]) line([last, [end, d.total]], { color: c.fill_hi, dash: [5, 3] });
        ctx.fillStyle = c.text;
        ctx.fillRect(X(early), y(d.total) - 2, Math.max(3, X(late) - X(early)), 3);
        ctx.restore();
        ctx.font = zs.font(11, 600);
        const beside = X(late) + 8 + ctx.measureText(`ends ${span(d.eta)}`).width < w - 10;
        name(`ends ${span(d.eta)}`, X(late) + (beside ? 8 : 0), y(d.total) + 13, c.text, beside ? "left" : "right", 600);
      } else if (d.why && last) {
        // Right of the line of now, or where there is no room left of it: never across.
        ctx.font = zs.font(11, 600);
        const right = Math.max(x(last[0]), nowX) + 8;
        const fits = right + ctx.measureText(d.why).width < w - 10;
        name(d.why, fits ? right : nowX - 8, y(last[1]), d.why === "all copied" ? c.text2 : c.bad, fits ? "left" : "right", 600);
      }
      if (d.plan) {
        line([[d.plan[0], 0], [d.plan[1], d.total]], { color: c.mark, width: 1, dash: [2, 3] });
        name("plan", x(d.plan[0] + (d.plan[1] - d.plan[0]) * 0.3) - 6, y(d.total * 0.3) - 6, c.text3, "right");
      }
      if (d.done.length > 1) {
        ctx.beginPath();
        ctx.moveTo(X(d.done[0][0]), base);
        for (const [t, v] of d.done) ctx.lineTo(X(t), y(v));
        ctx.lineTo(X(last[0]), base);
        ctx.closePath();
        ctx.globalAlpha = 0.28;
        ctx.fillStyle = c.fill_hi;
        ctx.fill();
        ctx.globalAlpha = 1;
        line(d.done.map(([t, v]) => [Math.max(t, t0), v]), { color: c.fill_hi, width: 2 });
      }

      // A row per stream: hollow the plan, solid what was, hatched when it will end.
      let at = AXIS + CHART;
      for (const r of d.rows) {
        const y0 = at + 5, y1 = at + 14;
        ctx.font = zs.font(12);
        ctx.textAlign = "left";
        ctx.fillStyle = r.state === "stalled" ? c.bad : r.state === "sending" ? c.text : c.text2;
        ctx.fillText(zs.ellipsis(ctx, r.name, left - 12), 0, at + ROW / 2);
        if (r.plan) {
          ctx.strokeStyle = c.mark;
          ctx.lineWidth = 1;
          ctx.strokeRect(Math.round(X(r.plan[0])) + 0.5, y0 + 0.5, Math.max(2, Math.round(X(r.plan[1]) - X(r.plan[0]))), 6);
        }
        let end = left;
        if (r.begin && r.end) {
          const a = X(r.begin), b = Math.max(a + 3, X(r.end));
          ctx.fillStyle = r.state === "stalled" ? c.bad : r.state === "stale" ? zs.hatch(ctx) : r.state === "done" ? c.fill : c.fill_hi;
          ctx.fillRect(a, y1, b - a, 8);
          end = b;
          if (r.eta) {
            ctx.strokeStyle = c.fill_hi;
            ctx.setLineDash([4, 3]);
            ctx.strokeRect(b, y1 + 0.5, Math.max(0, X(r.eta[0]) - b), 7);
            ctx.setLineDash([]);
            ctx.fillStyle = zs.hatch(ctx);
            ctx.fillRect(X(r.eta[0]), y1, Math.max(3, X(r.eta[1]) - X(r.eta[0])), 8);
            ctx.strokeRect(X(r.eta[0]), y1 + 0.5, Math.max(3, X(r.eta[1]) - X(r.eta[0])), 7);
            end = X(r.eta[1]);
          }
        }
        const say = r.state === "stalled" ? `stalled since ${zs.hm(r.end)}` : r.state === "sending" ? (r.eta ? span(r.eta) : "no ETA") : r.state === "done" && r.end ? `done ${zs.hm(r.end)}` : r.word.toLowerCase();
        ctx.font = zs.font(11, r.state === "stalled" ? 600 : 400);
        const tw = ctx.measureText(say).width;
        const across = end + 6 <= nowX + 2 && end + 6 + tw > nowX - 4; // the line of now would go through the words
        const from = across ? nowX + 8 : end + 6;
        const tx = from + tw < w - 8 ? from : across ? nowX - 8 - tw : w - 8 - tw;
        zs.halo(ctx, say, tx, y1 + 3, r.state === "stalled" ? c.bad : c.text2, r.state === "stalled" ? 600 : 400);
        at += ROW;
      }
      if (d.phases.length) {
        ctx.font = zs.font(12);
        ctx.textAlign = "left";
        ctx.fillStyle = c.text2;
        ctx.fillText("steps", 0, at + ROW / 2);
        for (const e of [...d.phases].reverse()) {
          const px = x(e.time), yy = at + ROW / 2;
          if (px < left || px > w - 8) continue;
          ctx.fillStyle = c.accent;
          if (e.until) ctx.fillRect(px, yy - 3, Math.max(3, X(e.until) - px), 6);
          else {
            ctx.beginPath();
            for (const [dx, dy] of [[0, -5], [4, 0], [0, 5], [-4, 0]]) ctx.lineTo(px + dx, yy + dy);
            ctx.closePath();
            ctx.fill();
          }
          ctx.font = zs.font(11);
          const text = zs.ellipsis(ctx, e.text, 150), tw = ctx.measureText(text).width;
          const from = (e.until ? X(e.until) : px) + 7;
          const clear = d.phases.every((o) => x(o.time) < from - 8 || x(o.time) > from + tw + 8);
          if (clear && from + tw < w - 8 && free(px - 6, from + tw, yy)) zs.halo(ctx, text, from, yy, c.accent, 400);
        }
      }
      ctx.fillStyle = c.text;
      ctx.font = zs.font(12, 600);
      ctx.textAlign = "center";
      ctx.fillRect(x(d.now) - 24, 0, 48, 17);
      ctx.fillStyle = c.panel;
      ctx.fillText(zs.hm(d.now), x(d.now), 9);
    });
  }

  const today = (t) => zs.day(t) === zs.day(zs.now());
  /** A time that shows itself: the page's range moves to it, where it is not on it already, and pins it. */
  function time(t) {
    const b = h("button", "zs-log-time", "");
    b.type = "button";
    b.title = "Show this instant";
    b.addEventListener("click", () => {
      const [from, to] = zs.range();
      zs.state.pin = t;
      const panel = document.querySelector("#zs-page .zs-panel");
      if (panel && panel.getBoundingClientRect().bottom < 0) panel.scrollIntoView({ block: "start" });
      if (t >= from && t <= to) return zs.saveState(false), zs.repaintOver();
      const half = Math.min(to - from, 86400) / 2;
      zs.setRange(t - half, Math.min(t + half, Math.max(t + 1, zs.now())));
    });
    return b;
  }
  const ICON = { bad: "trouble", warn: "warn", info: "flag" };
  zs.view("events_log", (el, d) => {
    if (!el.zsNone) el.append((el.zsNone = h("p", "zs-hint", "No event on record.")), (el.zsList = h("ol", "zs-log")));
    el.zsNone.hidden = d.events.length > 0;
    zs.keyed(
      el.zsList, d.events, (e) => `${e.time} ${e.host} ${e.text}`,
      (e) => h("li", `zs-log-${e.severity}`, time(e.time), zs.icon(e.kind === "link" && e.severity !== "info" ? "stale" : ICON[e.severity] || "flag"), h("span", "", e.host ? `${e.host}: ${e.text}` : e.text)),
      (li, e) => zs.text(li.firstChild, today(e.time) ? zs.hms(e.time) : `${zs.day(e.time, false)} ${zs.hms(e.time)}`),
    );
    el.zsList.classList.toggle("zs-dated", d.events.some((e) => !today(e.time)));
  });
})();
