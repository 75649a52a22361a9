/* Numbers and times as LOOK.md has them: three significant figures, binary units, thin spaces. */
(() => {
  "use strict";
  const zs = window.zs;
  const THIN = "\u2009";
  const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

  /** {div, unit, cores?} that fits values up to `max` of an SI unit. */
  zs.scale = (unit, max) => {
    const m = Math.abs(max) || 0;
    if (unit === "B" || unit === "B/s") {
      const k = zs.clamp(Math.floor(Math.log2(Math.max(m, 1)) / 10), 0, 5);
      return { div: 1024 ** k, unit: BYTES[k] + unit.slice(1) };
    }
    if (unit === "s") {
      if (m && m < 1e-3) return { div: 1e-6, unit: "µs" };
      if (m && m < 1) return { div: 1e-3, unit: "ms" };
      if (m >= 86400 * 2) return { div: 86400, unit: "d" };
      if (m >= 7200) return { div: 3600, unit: "h" };
      return { div: 1, unit: "s" };
    }
    if (unit === "1") return { div: 0.01, unit: "%" };
    if (unit === "1/s") return { div: 1, unit: "/s" };
    return { div: 1, unit: unit || "" };
  };
  const SCALED = /B|^[mµ]?s$/; // never whole by nature
  const thin = (s) => (s.length > 4 && /^\d{5,}$/.test(s) ? s.replace(/\B(?=(\d{3})+$)/g, THIN) : s);
  /** Three significant figures of an already scaled number; – when missing. */
  zs.sig = (v, unit) => {
    if (v === null || v === undefined || !Number.isFinite(v)) return "–";
    v = Number(v.toPrecision(12)); // 0.29 / 0.01 is 29
    const a = Math.abs(v);
    if (unit === "cores") return v.toFixed(2);
    if (unit === "%") return a >= 99.95 || a === 0 || (Number.isInteger(v) && a >= 10) ? v.toFixed(0) : v.toFixed(1);
    if (a === 0) return "0";
    if (a >= 99.95) return (v < 0 ? "-" : "") + thin(a.toFixed(0));
    if (Number.isInteger(v) && !SCALED.test(unit || "")) return String(v);
    return a >= 9.995 ? v.toFixed(1) : a >= 0.00995 ? v.toFixed(2) : v.toPrecision(1);
  };
  /** [text, unit] of one value in an SI unit. */
  zs.fmt = (v, unit) => {
    if (v === null || v === undefined || !Number.isFinite(v)) return ["–", ""];
    const s = zs.scale(unit, v);
    return [zs.sig(v / s.div, s.unit), s.unit];
  };
  /** A limit, a bound or a tick: no zeros that say nothing. */
  zs.fmtExact = (v, unit) => {
    const s = zs.scale(unit, v * 1.0001);
    return [unit === "cores" ? zs.sig(v, unit) : thin(String(Number((v / s.div).toPrecision(3)))), s.unit];
  };
  zs.fmtText = (v, unit) => zs.fmt(v, unit).filter(Boolean).join(THIN);

  const two = (n) => String(n).padStart(2, "0");
  const MONTH = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const at = (t) => new Date((t + zs.offset(t)) * 1000);
  zs.hms = (t) => {
    const d = at(t);
    return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  };
  zs.hm = (t) => zs.hms(t).slice(0, 5);
  zs.day = (t, year = true) => {
    const d = at(t);
    return `${d.getUTCDate()} ${MONTH[d.getUTCMonth()]}${year ? ` ${d.getUTCFullYear()}` : ""}`;
  };
  zs.stamp = (t) => {
    const d = at(t);
    return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())} ${zs.hms(t)}`;
  };
  zs.zone = () => (zs.state.tz === "browser" ? "local" : zs.state.tz);
  /** A time as precisely as a span needs: 02:41:08, 23 Nov 02:41, 6 Aug 2027. */
  zs.when = (t, span) => (span <= 86400 ? zs.hms(t) : span <= 40 * 86400 ? `${zs.day(t, false)} ${zs.hm(t)}` : zs.day(t));
  /** "32 s", "1 h 52 min", "43 d". */
  zs.span = (s) => {
    s = Math.round(s);
    if (s < 120) return `${s}${THIN}s`;
    if (s < 7200) return s % 60 && s < 600 ? `${Math.floor(s / 60)}${THIN}min ${s % 60}${THIN}s` : `${Math.round(s / 60)}${THIN}min`;
    if (s < 2 * 86400) {
      const min = Math.round(s / 60);
      return `${Math.floor(min / 60)}${THIN}h${min % 60 ? ` ${min % 60}${THIN}min` : ""}`;
    }
    return `${Math.round(s / 86400)}${THIN}d`;
  };
  /** The width of a column: "1 s", "1 h", "90 min"; a whole unit is told as that one. */
  zs.width = (s) => {
    const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([n]) => s >= n && s % n === 0) || [1, "s"];
    return s < 1 ? zs.fmtText(s, "s") : `${Number((s / size).toPrecision(6))}${THIN}${unit}`;
  };
  zs.age = (s) => (s < 9.95 ? `${Math.max(0, s).toFixed(1)}${THIN}s` : zs.span(s));
  const WORDS = { s: "s", m: "min", h: "h", d: "d", w: "weeks", M: "months", Q: "quarters", y: "years" };
  /** The page's range in words: "Last 15 min" or "02:26:08 to 02:41:08". */
  zs.rangeText = () => {
    const { from, to } = zs.state;
    const last = /^now-(\d+)([smhdwMQy])$/.exec(from);
    if (last && to === "now" && !zs.state.paused) {
      return last[2] === "s" && last[1] >= 120 ? `Last ${zs.span(Number(last[1]))}` : `Last ${last[1]}${THIN}${last[1] === "1" ? WORDS[last[2]].replace(/s$/, "") || "s" : WORDS[last[2]]}`;
    }
    if (from.startsWith("now") && to.startsWith("now+")) return `${from} to ${to}`; // a forecast
    const [a, b] = zs.range(zs.state.paused ? zs.state.paused.now : undefined);
    if (b - a > 40 * 86400) return `${zs.day(a)} to ${to === "now" && !zs.state.paused ? "now" : zs.day(b)}`;
    const f = (t) => (b - a > 86400 || zs.day(a) !== zs.day(b) || Math.abs(zs.now() - t) > 86400
      ? `${zs.day(t, false)} ${zs.hms(t)}` : zs.hms(t));
    return `${f(a)} to ${to === "now" && !zs.state.paused ? "now" : f(b)}`;
  };

  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  /** Ticks of a time axis: [[epoch, label], ...], at most `most`. */
  zs.timeTicks = (a, b, most) => {
    const span = b - a;
    let step = STEPS.find((s) => span / s <= most);
    const out = [];
    if (!step || step >= 86400) {
      const days = span / 86400;
      if (days / most > 20) {
        const months = [1, 2, 3, 6, 12, 24].find((m) => days / (30.4 * m) <= most) || 60;
        const d = at(a);
        for (let m = Math.ceil((d.getUTCFullYear() * 12 + d.getUTCMonth() + 0.001) / months) * months; ; m += months) {
          const t0 = Date.UTC(Math.floor(m / 12), m % 12, 1) / 1000;
          const t = zs.ofWall(t0);
          if (t > b) return out;
          out.push([t, `${MONTH[m % 12]} ${Math.floor(m / 12)}`]);
        }
      }
      step = 86400 * Math.max(1, [1, 2, 7, 14].find((n) => days / n <= most) || 28);
    }
    // Wall time is counted, so that ticks stay on round hours where the clocks change.
    let wall = Math.ceil((a + zs.offset(a)) / step) * step;
    for (let t = zs.ofWall(wall); t <= b; t = zs.ofWall((wall += step))) {
      if (t < a || t + zs.offset(t) !== wall) continue;
      out.push([t, step >= 86400 || (wall % 86400 === 0 && span > 7200) ? zs.day(t, false) : step < 60 ? zs.hms(t) : zs.hm(t)]);
    }
    return out;
  };
  /** Rows as a CSV file to keep; what a spreadsheet would take for a formula is a text. */
  zs.saveCsv = (name, rows) => {
    const cell = (v) => {
      const s = v === null || v === undefined ? "" : typeof v === "string" ? v.replace(/^([=+\-@\t\r])/, "'$1") : String(v);
      return /[",\r\n]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s;
    };
    const a = zs.h("a");
    a.href = URL.createObjectURL(new Blob([rows.map((r) => r.map(cell).join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }));
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };

  /** Round ticks of a linear axis from lo to hi. */
  zs.niceStep = (range, most) => {
    const raw = range / Math.max(1, most);
    const p = 10 ** Math.floor(Math.log10(raw));
    return ([1, 2, 5, 10].find((m) => m * p >= raw * 0.999) || 10) * p;
  };
})();
