"""dtrace: answers of composed questions, framed as `zs1` lines, with dtrace's own layout of distributions.

A program says what it asks in its first comment, /* zonescope ID */, where ID is metric[/by=field,…][/where=…].
Everything comes from the same disks and zones as the other tools show. A program without that comment compiles
(-e) but is not run: the fleet has no D compiler.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from fleet import noise
from fleet.formats.dmodel import HAPPENINGS, SCRIPTS, Happening
from fleet.formats.tool import Tool, UsageError
from fleet.formats.zpool import options
from fleet.live import Live, rates
from fleet.noise import Floats

QUANTIZE = np.array([0.0, *(float(2**i) for i in range(63))])
LOG2_TOP = 48
"""Where 'log2 N', an lquantize of indices, ends: at 2**48."""
EXECNAMES = {"mail": "imapd", "imap": "imapproxyd", "pop": "pop3d", "spam": "spamd", "web": "nginx", "dns": "named",
             "backup": "zfs", "global": "zpool-mail"}  # fmt: skip
SPLIT = {"mail": (("imapd", 0.66), ("lmtpd", 0.22), ("pop3d", 0.05), ("cyr_expire", 0.07))}


@dataclass(frozen=True)
class Asked:
    """What a program asks: see the module's first lines. `agg`: 'log2 4', 'lquantize 0 1000 20', 'count' or 'sum'."""

    id: str
    metric: str
    by: tuple[str, ...]
    where: str
    agg: str
    interval: float
    limit: int


def asked(program: str) -> Asked | None:
    """The question of a composed program, None for any other."""
    m = re.search(r"/\* zonescope (\S+) \*/", program)
    if not m:
        return None
    metric, *parts = m[1].split("/")
    by: tuple[str, ...] = ()
    where = ""
    for p in parts:
        if p.startswith("by="):
            by = tuple(p[3:].split(","))
        elif p.startswith("where="):
            where = p[6:]
    agg = "count"
    found = re.search(r'zs1 key [^"]*?(log2 \d+|(?:ll|l)?quantize(?: -?\d+)*|sum|count)(?=%@|=%@)', program)
    if found:
        agg = found[1]
    every = re.search(r"profile:::tick-(\d+)s|zs_due = timestamp \+ (\d+)", program)
    interval = 1.0
    if every:
        interval = float(every[1]) if every[1] else float(every[2]) / 1e9
    limit = re.search(r"zs_n >= (\d+)", program)
    return Asked(m[1], metric, by, where, agg, interval, int(limit[1]) if limit else 0)


def bounds(agg: str) -> Floats:
    """Lower bounds of the buckets of an aggregation; the first of lquantize is -inf, of llquantize 0."""
    kind, *rest = agg.split()
    n = [int(x) for x in rest]
    if kind == "log2":
        steps = np.arange(n[0], 2 * n[0])
        octaves = [steps * 2.0**t for t in range(LOG2_TOP - n[0].bit_length() + 1)]
        return np.concatenate([np.arange(n[0]), *octaves, [2.0**LOG2_TOP]])
    if kind == "lquantize":
        return np.array([-np.inf, *range(n[0], n[1] + 1, n[2])], dtype=np.float64)
    if kind == "llquantize":
        out, value = [0.0], float(n[0] ** n[1])
        out.append(value)
        for magnitude in range(n[1], n[2] + 1):
            step = max(float(n[0] ** (magnitude + 1)) / n[3], 1.0)
            while value + step < n[0] ** (magnitude + 1):
                value += step
                out.append(value)
            value = float(n[0] ** (magnitude + 1))
            out.append(value)
        return np.array(out)
    return QUANTIZE


def distribution(counts: list[int], lower: Floats, agg: str) -> str:
    """A block as dt_print_quantize lays it out: one empty bucket on each side, bars of 40."""
    kind = agg.split()[0]
    filled = [i for i, c in enumerate(counts) if c]
    if not filled:
        return ""
    first, last = max(filled[0] - 1, 0), min(filled[-1] + 1, len(counts) - 1)
    total = sum(counts)
    out = [f"\n{'value':>16} {'------------- Distribution -------------':>41} {'count':<9}\n"]
    for i in range(first, last + 1):
        if kind == "log2":
            label = f">= {i}" if i == len(counts) - 1 else f"{i}"
        elif kind == "lquantize" and i == 0:
            label = f"< {int(lower[1])}"
        elif kind == "lquantize" and i == len(counts) - 1:
            label = f">= {int(lower[i])}"
        elif kind == "llquantize" and i == 0:
            label = f"< {int(lower[1])}"
        elif kind == "llquantize" and i == len(counts) - 1:
            label = f">= {int(lower[i])}"
        else:
            label = str(int(lower[i]))
        bar = "@" * round(40 * counts[i] / total)
        out.append(f"{label:>16} |{bar:<40} {counts[i]:<9}\n")
    return "".join(out)


def _key(values: tuple[str, ...]) -> str:
    return "".join(f"#{v} " if _number(v) else f"{len(v.encode())}:{v} " for v in values)


def _number(text: str) -> bool:
    return text.lstrip("-").isdigit()


class Answer:
    """Rows of one question over an interval: key values -> counts over the bounds (or one number)."""

    def __init__(self, live: Live, q: Asked) -> None:
        self.live, self.q = live, q
        self.lower = bounds(q.agg)
        self.numeric = next((f for f in q.by if f in NUMERIC), "")
        self.keys = tuple(f for f in q.by if f not in NUMERIC)
        self.test = _predicate(q.where)
        self.inside = _inside(q.where, self.numeric, self.lower)
        self.own = noise.seeds("dtrace", live.host.name, q.id, names=[str(i) for i in range(4096)])

    def rows(self, t0: float, t1: float) -> list[tuple[tuple[str, ...], list[int]]]:
        merged: dict[tuple[str, ...], NDArray[np.int64]] = {}
        for fields, every in self._pieces(t0, t1):
            counts = every * self.inside if self.numeric else every
            if not counts.any() or not self.test(fields):
                continue
            key = tuple(fields.get(k, "") for k in self.keys)
            merged[key] = merged[key] + counts if key in merged else counts
        out = [(k, v.tolist()) for k, v in merged.items()]
        out.sort(key=lambda e: sum(e[1]))
        return out

    def _pieces(self, t0: float, t1: float) -> Iterator[tuple[dict[str, str], NDArray[np.int64]]]:
        disk = self.q.metric in ("disk_io", "disk_bytes")
        yield from self._disk_pieces(t0, t1) if disk else self._zone_pieces(t0, t1)

    def _disk_pieces(self, t0: float, t1: float) -> Iterator[tuple[dict[str, str], NDArray[np.int64]]]:
        live = self.live
        plain = not (set(self.keys) - {"device"}) and not self.q.where
        if self.numeric == "latency":
            hist = live.histogram(t0, t1, self.q.agg, np.maximum(self.lower, 0.0))
        else:
            hist = live.histogram(t0, t1, "ops", np.array([0.0]))
        if self.q.metric == "disk_bytes":
            moved, done = (
                live.at(t1)[0].disk_bytes.sum(axis=2).mean(axis=0),
                live.at(t1)[0].disk_ops.sum(axis=2).mean(axis=0),
            )
            hist = (hist * (moved / np.maximum(done, 1e-3))[:, None]).astype(np.int64)
        if plain and self.numeric in ("latency", ""):
            for n, counts in enumerate(hist):
                yield {"device": device(live, n)}, counts
            return
        block, i = live.at(t1)
        who = _who(live, block.zone_reads[i])
        ops = block.disk_ops[i]
        second = np.array([int(t1)], dtype=np.int64)
        slot = 0
        for n, counts in enumerate(hist):
            reads = ops[n, 0] / max(float(ops[n].sum()), 1e-9)
            parts = [(z, e, p, "read", share * reads) for z, e, p, share in who]
            # Writes of file systems leave the pool's own threads, in the global zone.
            parts.append(("global", "zpool-mail", 3, "write", 1 - reads))
            total = int(counts.sum())
            if self.numeric in ("latency", ""):
                draws = noise.uniform(self.own[slot : slot + len(counts)], second)[0]
                for zone, execname, pid, op, share in parts:
                    part = np.floor(counts * share + (draws * 7.919 + share * 31) % 1.0).astype(np.int64)
                    yield _fields(live, n, zone, execname, pid, op), np.minimum(part, counts)
            else:
                for zone, execname, pid, op, share in parts:
                    yield (
                        _fields(live, n, zone, execname, pid, op),
                        self._spread(total * share, self.numeric, slot, second, op),
                    )
            slot = (slot + len(counts) + 7) % 3000

    def _spread(
        self, total: float, numeric: str, slot: int, second: NDArray[np.int64], op: str, what: Happening | None = None
    ) -> NDArray[np.int64]:
        lower = np.where(np.isfinite(self.lower), self.lower, -1.0)
        if numeric == "size" and what is None:
            centre, sigma = (np.log(24_000.0), 0.9) if op == "read" else (np.log(60_000.0), 0.8)
            weights = _log_weights(lower, centre, sigma)
        elif numeric == "subsecond":
            weights = np.where((lower >= 0) & (lower < 1000), 1.0, 0.0)
            weights += np.where((lower >= 120) & (lower < 200), 3.0, 0.0)
        elif numeric == "offset":
            weights = np.where((lower >= 0) & (lower < 940), 1.0, 0.0)
        else:
            weights = _log_weights(lower, np.log(what.median if what else 70_000.0), what.sigma if what else 1.0)
        weights = weights / max(float(weights.sum()), 1e-9)
        draws = noise.uniform(self.own[slot : slot + len(weights)], second)[0]
        return np.floor(total * weights + draws).astype(np.int64) * (weights * total > 2e-3)

    def _zone_pieces(self, t0: float, t1: float) -> Iterator[tuple[dict[str, str], NDArray[np.int64]]]:
        live = self.live
        what = HAPPENINGS.get(self.q.metric)
        if what is None:
            return
        seconds = max(t1 - t0, 1e-3)
        reads = rates(live.counters(t0), live.counters(t1), "zone_reads", seconds)
        kinds = {live.zones[k]: z.kind for k, z in enumerate(live.host.zones, 1)}
        asked_for = [f for f in (*self.keys, *_named(self.q.where)) if f in what.values]
        second = np.array([int(t1)], dtype=np.int64)
        slot = 0
        for zone, execname, pid, share in _who(live, reads):
            if kinds[zone] not in what.kinds:
                continue
            total = float(reads.sum()) * share * what.per_read * seconds
            base = {**_fields(live, 0, zone, execname, pid, "read"), "dataset": f"mail/{zone}", "uid": "60"}
            for extra, weight in _combinations(what.values, asked_for):
                slot = (slot + 71) % 3000
                if self.numeric:
                    counts = self._spread(total * weight, self.numeric, slot, second, "read", what)
                else:
                    draw = float(noise.uniform(self.own[slot : slot + 1], second)[0, 0])
                    counts = np.array([int(total * weight * (0.85 + 0.3 * draw) + draw)], dtype=np.int64)
                yield {**base, **extra}, counts


NUMERIC = {"latency", "size", "offset", "subsecond", "runtime"}


def _named(where: str) -> list[str]:
    return re.findall(r"(\w+)(?:<=|>=|!=|=|<|>)", where)


def _combinations(values: dict[str, dict[str, float]], names: list[str]) -> list[tuple[dict[str, str], float]]:
    """Every combination of the named fields' values with its share of the whole."""
    out: list[tuple[dict[str, str], float]] = [({}, 1.0)]
    for name in dict.fromkeys(names):
        out = [({**got, name: v}, share * w) for got, share in out for v, w in values[name].items()]
    return out


def _log_weights(lower: Floats, centre: float, sigma: float) -> Floats:
    mid = np.log(np.maximum(lower, 0.5) * 1.4)
    out: Floats = np.exp(-(((mid - centre) / sigma) ** 2) / 2)
    out[lower < 1] = 0.0
    return out


def device(live: Live, n: int) -> str:
    """The kernel's name of a disk: sd3 on Solaris, sdc on Linux."""
    return live.model.disks[n].name if live.host.openzfs else f"sd{n}"


def _who(live: Live, zone_rate: Floats) -> list[tuple[str, str, int, float]]:
    """(zone, execname, pid, share of all) by what the zones do now."""
    total = max(float(zone_rate.sum()), 1e-9)
    out: list[tuple[str, str, int, float]] = []
    for k, zone in enumerate(live.host.zones, 1):
        share = float(zone_rate[k]) / total
        for j, (execname, part) in enumerate(SPLIT.get(zone.kind, ((EXECNAMES.get(zone.kind, "sh"), 1.0),))):
            out.append((live.zones[k], execname, 1000 + 100 * k + j, share * part))
    return out


def _fields(live: Live, n: int, zone: str, execname: str, pid: int, op: str) -> dict[str, str]:
    return {
        "device": device(live, n), "zone": zone, "execname": execname, "pid": str(pid), "operation": op,
        "cpu": str(pid % live.host.ncpu), "name": execname, "fstype": "zfs", "type": "zfs", "call": "read",
    }  # fmt: skip


def _predicate(where: str) -> Callable[[dict[str, str]], bool]:
    """The test of a predicate's text over discrete fields; numeric comparisons hold."""
    where = where.strip()
    if not where:
        return lambda f: True
    m = re.fullmatch(r"(and|or|not)\((.*)\)", where)
    if m:
        parts = [_predicate(p) for p in _split(m[2])]
        if m[1] == "not":
            return lambda f: not parts[0](f)
        join = all if m[1] == "and" else any
        return lambda f: join(p(f) for p in parts)
    m = re.fullmatch(r"(\w+)(<=|>=|!=|=|<|>)(.*)", where)
    if not m or m[1] in NUMERIC:
        return lambda f: True
    name, op, value = m[1], m[2], unquote(m[3])
    if op in ("=", "!="):
        return lambda f: (f.get(name) == value) == (op == "=")
    return lambda f: True


def _inside(where: str, numeric: str, lower: NDArray[np.float64]) -> NDArray[np.int64]:
    """1 for each bucket of field `numeric` that the comparisons which must all hold leave, by its lower bound."""
    all_of = re.fullmatch(r"and\((.*)\)", where.strip())
    out = np.ones(len(lower), np.int64)
    for part in _split(all_of[1]) if all_of else [where.strip()]:
        if m := re.fullmatch(r"(\w+)(<=|>=|<|>)(-?\d+)", part):
            holds = lower >= int(m[3]) if m[2].startswith(">") else lower < int(m[3])
            out *= holds if m[1] == numeric else 1
    return out


def _split(text: str) -> list[str]:
    out, depth = [""], 0
    for c in text:
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and not depth:
            out.append("")
        else:
            out[-1] += c
    return out


def dtrace(live: Live, args: list[str]) -> Tool:
    """The `dtrace` command: -V, -l, -e (compile only), -n PROGRAM. Raises UsageError as the tool would refuse."""
    opts, _ = options(args, "xnsocpbLIDUX")
    if "V" in opts:
        version = {"linux": "2.0.3", "freebsd": "Sun D 1.13"}.get(live.host.system, "Sun D 1.6")
        return Tool(lambda t, before: f"dtrace: {version}\n", 0.0, 1)
    if live.host.openzfs:  # its user is not root
        raise UsageError("dtrace: failed to initialize dtrace: DTrace requires additional privileges\n", 1)
    if "l" in opts:
        probes = "".join(f"{n:5d} {p:>10} {m:>17} {f:>33} {e}\n" for n, (p, m, f, e) in enumerate(PROBES, 1))
        head = f"{'ID':>5} {'PROVIDER':>10} {'MODULE':>17} {'FUNCTION':>33} NAME\n"
        return Tool(lambda t, before: head + probes, 0.0, 1)
    program = opts.get("n", "")
    if "e" in opts:
        return Tool(lambda t, before: "", 0.0, 1)
    q = asked(program)
    if q is None:
        raise UsageError(f"dtrace: invalid probe specifier {program}: the simulation runs composed questions only\n", 1)
    answer = Answer(live, q)
    body = _script(live, q) if q.metric in SCRIPTS else _spa_sync(live) if q.metric == "spa_sync" else _rows(answer, q)
    pid = f" {pid_of(q.id)}" if '%s %d\\n", walltimestamp' in program else ""
    faults = " 0" if "zs_faults" in program else ""
    number = {"n": 0, "from": 0}

    def report(t: float, before: float | None) -> str:
        now = int(t * 1e9)
        if before is None:
            number["from"] = now
            return f"zs1 start {now} {q.id}{pid}\n"
        number["n"] += 1
        n, start = number["n"], number["from"]
        number["from"] = now
        return f"\nzs1 begin {n} {start} {now}\n{body(before, t)}zs1 end {n} {now}{faults}\n"

    return Tool(report, q.interval, q.limit + 1 if q.limit else 0)


PIDS = range(20_341, 29_973)


def pid_of(question: str) -> int:
    """Process id of the dtrace that answers `question`."""
    return PIDS[zlib.crc32(question.encode()) % len(PIDS)]


def cores(pid: int) -> float:
    """Cores that the dtrace `pid` uses, for `ps -o time=`."""
    return 0.004 + 0.003 * (pid % 5)


Body = Callable[[float, float], str]


def _rows(answer: Answer, q: Asked) -> Body:
    def body(before: float, t: float) -> str:
        out = []
        for key, counts in answer.rows(before, t):
            if q.agg not in ("count", "sum"):
                out.append(f"zs1 key {_key(key)}{q.agg}{distribution(counts, answer.lower, q.agg)}zs1 yek\n")
            else:
                out.append(f"zs1 key {_key(key)}{q.agg}={sum(counts)}\n")
        return "".join(out)

    return body


def _script(live: Live, q: Asked) -> Body:
    """Stacks, as many samples as the zones (or the kernel's threads) use CPU."""
    stacks = SCRIPTS[q.metric]
    own = noise.seeds("stacks", live.host.name, q.metric, names=[str(i) for i in range(len(stacks))])
    part = {"oncpu_kernel": "zone_sys", "oncpu_user": "zone_user"}.get(q.metric, "")

    def body(before: float, t: float) -> str:
        then, now = live.counters(before), live.counters(t)
        total = float((now[part] - then[part]).sum()) * 97 if part else 120000000000.0 * (t - before)
        draws = noise.uniform(own, np.array([int(t)], dtype=np.int64))[0]
        agg = "count" if part else "sum"
        out = []
        for (execname, frames, share), draw in zip(stacks, draws.tolist(), strict=True):
            n = int(total * share * (0.7 + 0.6 * draw) + draw)
            if n:
                lines = "".join(f"              {f}+0x{21 + 7 * len(f):x}\n" for f in frames.split())
                out.append(f"zs1 key {len(execname)}:{execname} stack\n{lines}zs1 yek {agg}={n}\n")
        return "".join(out)

    return body


def _spa_sync(live: Live) -> Body:
    """A transaction group every five seconds: how long it took, by pool."""

    def body(before: float, t: float) -> str:
        out = []
        for p, pool in enumerate(live.host.pools):
            groups = sum((s + p) % 5 == 0 for s in range(int(before), int(t)))
            if groups:
                block, i = live.at(t)
                top = next(k for k, r in enumerate(live.model.rows) if r.pool == p)
                took = 3e8 + float(block.row_bytes[i, top, 1]) * 12.0
                counts = [0] * len(QUANTIZE)
                counts[max(int(took).bit_length(), 1)] = groups
                out.append(f"zs1 key {_key((pool.name,))}quantize{distribution(counts, QUANTIZE, 'quantize')}zs1 yek\n")
        return "".join(out)

    return body


PROBES = [
    ("dtrace", "", "", "BEGIN"), ("dtrace", "", "", "END"), ("dtrace", "", "", "ERROR"), ("profile", "", "",
    "tick-1sec"),
    ("profile", "", "", "profile-99"), ("io", "genunix", "bdev_strategy", "start"), ("io", "genunix", "biodone",
    "done"),
    ("fbt", "zfs", "zfs_read", "entry"), ("fbt", "zfs", "zfs_read", "return"), ("fbt", "zfs", "zfs_write", "entry"),
    ("fbt", "zfs", "zfs_write", "return"), ("fbt", "zfs", "spa_sync", "entry"), ("fbt", "zfs", "spa_sync", "return"),
    ("fbt", "zfs", "arc_read", "entry"), ("fbt", "zfs", "arc_read", "return"), ("fbt", "zfs", "zil_commit", "entry"),
    ("fbt", "zfs", "zil_commit", "return"), ("syscall", "", "read", "entry"), ("syscall", "", "read", "return"),
    ("syscall", "", "write", "entry"), ("syscall", "", "write", "return"), ("sched", "genunix", "disp", "on-cpu"),
    ("sched", "genunix", "disp", "off-cpu"), ("proc", "genunix", "exec_common", "exec-success"),
    ("tcp", "ip", "tcp_accept", "accept-established"), ("vminfo", "genunix", "anon_getpage", "anonpgin"),
]  # fmt: skip
