"""zpool_iostat: what every pool and vdev holds, reads and writes.

Forms, all by one parser: `zpool iostat -v N` with its headings (Solaris 10 `used avail`, later `alloc free`; old
releases print `raidz1`, later `raidz1-0`; -l, -q and -c add columns, which the heading names) and the tabs of -Hp.
Source: zpool(1M) of Solaris 10 and illumos, zpool-iostat(8) of OpenZFS, and their zpool_main.c.

What -Hp does not tell: it has no indentation, no heading, and an empty line where a section such as `logs` would
be named. So the variants that use it print one table with headings first, from which columns and tree are learnt.
Once the vdevs change in mid-stream, or without that table, the tree is rebuilt: only a top-level vdev has space of
its own (alloc + free > 0), whatever has none belongs to the group above it, a `replacing` or `spare` has two
children; a faulted top-level disk shows no space and is taken for a child of the group before it. A section that
was never named is called `section-1`, `section-2`, and its class is unknown. Old releases print log devices among
the others; those are data to us.

The first report of a stream is the mean since boot, never an interval: dropped, except under -y, which leaves it
out by itself. So is a pool's first report after its configuration changed (a device added, replaced, offlined): its
space is kept, its rates are not. It is known by other names, or by rates that are all like those of the newest mean
since boot (a young pool's mean moves on: there the report after a device went offline stands as it is).

An interval ends with the dashed line after rows that have the names of the interval before; else at the next
heading, stamp or repetition of a pool, or when the output rests.

A row that is shorter than the dashed line was cut, if nothing follows it; else it was edited (texts that people paste
are indented, squeezed to single blanks, or lose a column's padding) and is read. Columns that the schema does not
know are passed over. Under a heading `vdev` (the tool was asked for some vdevs) no pool is named: it is ''.

In a saved text, words around the output are passed over, a command that a shell repeated begins anew (with -y there,
its first report is an interval), and where nothing but means since boot is found they are shown. Rows that all lost
their indentation are placed by the dashed lines between pools: disks belong to the group before them.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.pasted import is_command, unquoted
from collectors.units import Memo, Number, is_date, nanoseconds, nicenum, utc
from collectors.vdevs import SECTIONS, Nest, Tree, Vdev, is_group
from frames.schemas import ZPOOL_IOSTAT

BASE = ["alloc", "free", "read_ops", "write_ops", "read_bytes", "write_bytes"]
_WAITS = [f"{q}_wait_{d}" for q in ("total", "disk", "syncq", "asyncq") for d in ("read", "write")]
_WAITS += ["scrub_wait", "trim_wait", "rebuild_wait"]
_QUEUES = [
    f"{q}_{s}"
    for q in (
        "syncq_read",
        "syncq_write",
        "asyncq_read",
        "asyncq_write",
        "scrubq_read",
        "trimq_write",
        "rebuildq_write",
    )
    for s in ("pend", "activ")
]
WIDTHS = {
    6 + waits + queues: BASE + _WAITS[:waits] + _QUEUES[:queues]
    for queues in (14, 12, 10, 0)
    for waits in (11, 10, 9, 0)
}
"""Columns of -Hp by their number, where no heading was seen: -l is 9, 10 or 11 (OpenZFS 0.7, 0.8, 2.1), -q is 10,
12 or 14. Ten more than the base is taken for the -l of 0.8, not for the -q of 0.7."""

HEADINGS = {
    "capacity alloc": "alloc",
    "capacity used": "alloc",
    "capacity free": "free",
    "capacity avail": "free",
    "operations read": "read_ops",
    "operations write": "write_ops",
    "bandwidth read": "read_bytes",
    "bandwidth write": "write_bytes",
    "scrub wait": "scrub_wait",
    "trim wait": "trim_wait",
    "rebuild wait": "rebuild_wait",
}
_PLAIN = set(ZPOOL_IOSTAT.by_name) - {"alloc"}
_CELLS = set(ZPOOL_IOSTAT.by_name) | set(BASE)
_NONE: Number = (None, None)
MOST_ROWS = 50_000
_STAMP = re.compile(r"[0-9]{9,11}")
_WORDS = re.compile(r"\t *[^\s0-9-]")
"""Behind a tab, in a saved text: no row of -H."""
_WITHOUT_FIRST = re.compile(r"zpool iostat (?:.*\s)?-[a-zA-Z]*y")
LIKE = 0.03
"""Rates within this share of the mean since boot are taken for it, if all of a pool's are and it is not idle."""


def _whatever(text: str) -> Number:
    """A cell of a column that we do not know."""
    return _NONE


_counts, _times, _others = Memo(nicenum), Memo(nanoseconds), Memo(_whatever)
_Cells = list[Number] | None
"""What a row holds; None for the heading of a section."""


class IostatParser:
    """Rows of one host's `zpool iostat -v`; see the module for forms and for what ends an interval.

    `first_is_interval`: the command has -y, so its first report is an interval like the others.
    `learn`: a table with headings stands before the rows of -H; it is read for columns and tree only.
    """

    def __init__(self, ctx: Context, *, first_is_interval: bool = False, learn: bool = False) -> None:
        self._host, self._saved = ctx.host, ctx.saved
        self._line_no = 0
        self._learn_first, self._drop_first = learn, not first_is_interval
        self._means: list[Batch] = []  # of a saved text
        self._given = False
        self._unread: ParseError | None = None
        self._table = True  # a saved text's lines may be rows: no words since the heading
        self._anew()

    def _anew(self) -> None:
        """Nothing is known of the stream."""
        self._learning, self._drop = self._learn_first, self._drop_first
        self._tabs = False
        self._headed = False  # headings come before every report
        self._groups: list[str] = []
        self._heading_line = ""
        self._extra = False  # columns of -c scripts stand behind those we know
        self._width = 0
        self._margin = ""  # blanks before every line of an indented paste
        self._pools_named = True  # the heading says `pool`, not `vdev`
        self._cut = ""  # the row before, if it was short
        self._set_columns(BASE)
        self._layout: list[Vdev] = []
        self._known: list[str] = []  # names of the report before, as printed; "" for a section of -H
        self._known_pools = 0
        self._flat = False  # no row is indented
        self._since_boot: dict[str, dict[str, list[float]]] = {}  # newest mean since boot: pool, path, rates
        self._first = ""  # the name that begins a report
        self._stamp: float | None = None
        self._bad = False
        self._begin()

    def _set_columns(self, columns: list[str]) -> None:
        self._columns = columns
        self._memos = [_others if c not in _CELLS else _times if "wait" in c else _counts for c in columns]
        self._rate_columns = [columns.index(c) for c in BASE[2:]]

    def _begin(self) -> None:
        self._names: list[str] = []
        self._cells: list[_Cells] = []
        self._pools: set[str] = set()
        self._breaks = {0}  # where a dashed line stood before a row
        self._taken = 0  # rows of this report that were emitted
        self._closed = False

    def feed(self, line: str, at: float) -> list[Batch]:
        self._line_no += 1
        if self._saved:
            line = unquoted(line)
        if self._cut:  # something follows it, so this text has rows of that length
            self._width, self._cut = len(self._cut), ""
        if "\t" in line:
            if not self._saved or not (line[0] == "\t" or _WORDS.search(line)):
                return self._row_of_tabs(line)
            line = line.expandtabs()
        if self._margin:
            line = line.removeprefix(self._margin)
        if line[:1] == "-" and not line.strip("- "):
            if not self._extra:
                self._width = len(line)
            self._closed = bool(self._names)
            self._breaks.add(len(self._names))
            return self._complete() if self._names == self._known else []
        n = len(self._columns)
        parts = (line[: self._width] if self._extra else line).rsplit(None, n)
        if len(parts) == n + 1 and self._table:
            try:
                cells = [memo[t] for memo, t in zip(self._memos, parts[1:], strict=True)]
            except ValueError:
                return self._other(line)
            if len(line) < self._width and not self._extra:
                self._cut = line
            return self._row(parts[0], cells)
        return self._other(line)

    def idle(self, at: float) -> list[Batch]:
        n = len(self._names)
        if self._cut:
            return []
        if self._known and (n == len(self._known) or (self._closed and len(self._pools) >= self._known_pools)):
            return self._complete()
        return []

    def end(self, at: float) -> list[Batch]:
        if self._cut:
            return self._refuse(self._cut, "the row is cut", len(self._cut))
        out: list[Batch] = []
        if self._closed or not self._known or self._names == self._known:
            out = self._complete()
        if self._given or not self._saved:
            return out
        if self._unread and not self._means:
            raise self._unread
        return self._means

    def _row(self, name: str, cells: list[Number]) -> list[Batch]:
        """A row of the form with headings; `name` keeps its indentation."""
        if self._tabs:
            return self._refuse(name, "a row without tabs among rows of -H")
        out: list[Batch] = []
        if name[0] == " ":
            if not self._names:
                return self._refuse(name, "a vdev before its pool")
            self._cells.append(cells)
        elif name in SECTIONS and self._names and all(v is None for v, _ in cells):
            self._cells.append(None)
        else:
            whole = 0 < self._taken == len(self._names)
            # no pool is called like a group, whose indentation may be lost
            again = name in self._pools and not (is_group(name) and len(self._names) > 1)
            if again or (whole and not self._headed) or (self._bad and name == self._first):
                out = self._next()
            if self._bad:
                return out
            self._pools.add(name)
            self._cells.append(cells)
        self._names.append(name)
        self._closed = False
        self._check_length()
        # without -v no line closes the rows of one pool
        done = self._flat and self._names == self._known and not self._cut
        return out + (self._complete() if done else [])

    def _row_of_tabs(self, line: str) -> list[Batch]:
        name, *texts = line.split("\t")
        if not self._tabs:
            self._learn()
        if len(texts) != len(self._columns):
            if len(texts) not in WIDTHS or self._names:
                return self._refuse(line, f"{len(texts)} columns, unlike any release or the rows before", len(line))
            self._set_columns(WIDTHS[len(texts)])
        cells: list[Number] = []
        column = len(name) + 2
        for memo, t in zip(self._memos, texts, strict=True):
            try:
                cells.append((float(t), None) if memo is _counts and t.isdecimal() and len(t) < 20 else memo[t])
            except ValueError as e:
                return self._refuse(line, str(e), column)
            column += len(t) + 1
        if not name.strip():
            return self._refuse(line, "a row without a name")
        self._first = self._first or name
        out: list[Batch] = []
        expected = self._known[len(self._names)] if len(self._names) < len(self._known) else None
        if name == self._first and name != expected and (self._names or self._bad):
            out = self._next()
        if self._bad:
            return out
        self._names.append(name)
        self._cells.append(cells)
        self._check_length()
        return out

    def _learn(self) -> None:
        """The first row of -H. What stood before it was the table of headings."""
        self._complete()
        self._known = ["" if v.kind == "section" else v.device for v in self._layout]
        self._first = self._known[0] if self._known else ""
        self._tabs, self._drop, self._bad = True, self._drop_first, False
        self._begin()

    def _other(self, line: str) -> list[Batch]:
        """A line that is not a row: heading, stamp, section of -H, or nothing that we know."""
        tokens = line.split()
        if not tokens:
            if self._tabs and self._names:
                self._names.append("")
                self._cells.append(None)
                self._check_length()
            return []
        if tokens[:2] == ["capacity", "operations"]:
            self._groups, self._table = tokens, True
            self._headed = self._headed or bool(self._known)
            return self._next()
        if tokens[0] in ("pool", "vdev") and tokens[1:2] in (["alloc"], ["used"]):
            self._margin += line[: len(line) - len(line.lstrip())]
            self._table = True
            self._pools_named = tokens[0] == "pool"
            return self._heading(tokens[1:], line.lstrip())
        if len(tokens) == 1 and _STAMP.fullmatch(tokens[0]):
            out = self._next()
            self._stamp = float(tokens[0])
            return out
        if is_date(line):
            out = self._next()
            self._stamp = utc(tokens)
            return out
        if line.strip() == "no pools available":
            return self._next()
        if is_command(line) and ("zpool iostat" in line or self._saved):
            out = self._next()
            if self._saved:
                self._table = not self._given and not self._means and not out
                self._drop_first = not _WITHOUT_FIRST.search(line) if "zpool iostat" in line else self._drop_first
                self._anew()
            return out
        if not self._saved or (self._table and self._is_torn(line, tokens)):
            return self._refuse(line, "neither a row nor a heading")
        self._unread = self._unread or self._error(line, "neither a row nor a heading", 1)
        if not any(c.isalnum() for c in line):
            return []
        self._table = self._table and not self._heading_line
        return self._next()

    def _is_torn(self, line: str, tokens: list[str]) -> bool:
        """Whether a line is what is left of a row: a name that stands in, or one with numbers behind it."""
        if len(tokens) == 1:
            return bool(self._names) and line[0] == " " and any(c.isalnum() for c in line)
        return sum(t[0].isdecimal() or t == "-" for t in tokens[1:]) * 2 > len(tokens) - 1

    def _heading(self, tokens: list[str], line: str) -> list[Batch]:
        if line == self._heading_line:
            return []
        columns = [] if self._groups else list(WIDTHS.get(len(tokens), []))  # the line above was left out
        for group in self._groups:
            at = len(columns)
            for token in tokens[at : at + (1 if tokens[at : at + 1] == ["wait"] else 2)]:
                columns.append(HEADINGS.get(f"{group} {token}", f"{group}_{token}"))
        if not set(BASE) <= set(columns) or self._names:
            return self._refuse(line, "a heading that lacks columns, or stands within a report")
        self._heading_line, self._extra = line, len(columns) < len(tokens)
        self._set_columns(columns)
        if self._extra:
            *_, last = islice(re.finditer(r"\S+", line), len(columns) + 1)
            self._width = last.end()
        return []

    def _refuse(self, line: str, why: str, column: int = 1) -> list[Batch]:
        """Drops this report and raises, unless it is being dropped already because of an earlier line."""
        if self._bad:
            return []
        self._first = self._first or (self._names[0] if self._names else "")
        self._begin()
        self._bad = True
        raise self._error(line, why, column)

    def _error(self, line: str, why: str, column: int) -> ParseError:
        return ParseError("zpool_iostat", self._host, self._line_no, line, why, column)

    def _check_length(self) -> None:
        if len(self._names) > MOST_ROWS:
            self._refuse(self._names[-1], f"no end of the report after {MOST_ROWS} rows")

    def _next(self) -> list[Batch]:
        """A report has ended and another one begins."""
        out = self._complete()
        self._drop = self._drop and not self._bad
        self._bad = False
        self._begin()
        return out

    def _complete(self) -> list[Batch]:
        """The rows that have not been emitted yet."""
        names, taken = self._names, self._taken
        if len(names) == taken or self._bad:
            return []
        unlike: set[str] = set()
        if names != self._known:
            before = self._layout
            self._flat = not any(name[:1] == " " for name in names)
            if self._tabs:
                self._layout = by_space(names, self._cells, before)
            elif self._flat and self._pools_named and any(map(is_group, names)):
                self._layout = by_dashes(names, self._cells, self._breaks)
            else:
                self._layout = by_indentation(names, self._cells, pools=self._pools_named)
            if self._known:
                unlike = _changed(before, self._layout)
            self._known, self._first = list(names), names[0]
            self._known_pools = len(self._pools)
        self._taken = len(names)
        rows = [(v, c) for v, c in zip(self._layout[taken:], self._cells[taken:], strict=True) if c is not None]
        if not rows:
            return []
        preface = self._learning and not self._tabs
        if preface or self._drop:
            self._drop = self._drop and preface
            self._remember(rows, {v.pool for v, _ in rows})
            if self._saved:
                self._learning = self._drop = False  # if another one with headings follows, it is a stream of them
                self._means.append(self._batch(rows, set()))
            return []
        self._given = True
        unlike |= self._pools_since_boot(rows, unlike)
        if unlike:
            self._remember(rows, unlike)
        return [self._batch(rows, unlike)]

    def _remember(self, rows: list[tuple[Vdev, list[Number]]], pools: set[str]) -> None:
        for pool in pools:
            self._since_boot[pool] = {v.path: self._rates(c) for v, c in rows if v.pool == pool}
        if len(self._since_boot) > len({v.pool for v, _ in rows}) + 100:  # pools that came and went
            self._since_boot = {pool: self._since_boot[pool] for pool in pools}

    def _rates(self, cells: list[Number]) -> list[float]:
        return [cells[i][0] or 0.0 for i in self._rate_columns]

    def _pools_since_boot(self, rows: list[tuple[Vdev, list[Number]]], known: set[str]) -> set[str]:
        """Further pools of which the tool has begun from boot again, though its names are the same."""
        out = set()
        for pool, cells in rows:
            boot = {} if pool.path or pool.pool in known else self._since_boot.get(pool.pool, {})
            if not any(boot.get("", [])) or not _like(self._rates(cells), boot[""]):
                continue
            pairs = [(self._rates(c), boot.get(v.path)) for v, c in rows if v.pool == pool.pool]
            busy = sum(1 for _, b in pairs if b for x in b if x)
            if busy >= 8 and all(b is not None and _like(r, b) for r, b in pairs):
                out.add(pool.pool)
        return out

    def _batch(self, rows: list[tuple[Vdev, list[Number]]], since_boot: set[str]) -> Batch:
        vdevs = [v for v, _ in rows]
        out: dict[str, list[Any]] = {
            "pool": [v.pool for v in vdevs],
            "vdev": [v.path for v in vdevs],
            "device": [v.device for v in vdevs],
            "kind": [v.kind for v in vdevs],
            "alloc_class": [v.alloc_class for v in vdevs],
        }
        columns = dict(zip(self._columns, zip(*(c for _, c in rows), strict=True), strict=False))
        # where a vdev has no space of its own, -p prints 0 and the other form "-"
        space = [
            (a, f) if a[0] or f[0] else (_NONE, _NONE) for a, f in zip(columns["alloc"], columns["free"], strict=True)
        ]
        out["alloc"] = [a[0] for a, _ in space]
        out["size"] = [None if a[0] is None or f[0] is None else a[0] + f[0] for a, f in space]
        out["alloc_step"] = [a[1] for a, _ in space]
        for name, cells in columns.items():
            if name in _PLAIN:
                out[name] = [v for v, _ in cells]
        out["bytes_step"] = [
            max(r, w, key=lambda n: (n[0] or 0, n[1] or 0))[1]  # 2T is exact, 2.00T is not
            for r, w in zip(columns["read_bytes"], columns["write_bytes"], strict=True)
        ]
        if since_boot:
            for name in out:
                if name in BASE[2:] or "wait" in name or name == "bytes_step":
                    out[name] = [None if v.pool in since_boot else x for v, x in zip(vdevs, out[name], strict=True)]
        return Batch("zpool_iostat", out, self._stamp)


def _changed(before: list[Vdev], now: list[Vdev]) -> set[str]:
    """Pools whose vdevs are others than before."""

    def pools(layout: list[Vdev]) -> dict[str, list[str]]:
        out: dict[str, list[str]] = {}
        for v in layout:
            out.setdefault(v.pool, []).append(v.path)
        return out

    old = pools(before)
    return {pool for pool, paths in pools(now).items() if old.get(pool) != paths}


def _like(rates: list[float], boot: list[float]) -> bool:
    return all(abs(r - b) <= LIKE * b + 1e-9 for r, b in zip(rates, boot, strict=True))


def by_indentation(names: list[str], cells: list[_Cells], *, pools: bool = True) -> list[Vdev]:
    """The tree of rows with headings: two more blanks for each level; without `pools`, only vdevs were asked for."""
    tree, out = Tree(), []
    for name, c in zip(names, cells, strict=True):
        own = name.lstrip()
        if own != name or not pools:
            out.append(tree.vdev(len(name) - len(own), own))
        else:
            out.append(tree.pool(own) if c is not None else tree.section(own, SECTIONS[own]))
    return out


def by_dashes(names: list[str], cells: list[_Cells], breaks: set[int]) -> list[Vdev]:
    """The tree of rows with headings that have lost their indentation: a pool is what follows a dashed line."""
    tree, nest, out = Tree(), Nest(), []
    for i, (name, c) in enumerate(zip(names, cells, strict=True)):
        if i in breaks or c is None:
            nest = Nest()
            out.append(tree.pool(name) if c is not None else tree.section(name, SECTIONS[name]))
        else:
            out.append(tree.vdev(nest.depth(name), name))
    return out


def by_space(names: list[str], cells: list[_Cells], before: list[Vdev]) -> list[Vdev]:
    """The tree of -H rows; what is known and what is guessed, the module's first lines say.

    A pool's space is the sum of its top-level vdevs (logs and cache apart): once that is reached, the next row
    with space is another pool, or a device of the section that was opened, if its own sum does not come out or it
    looks like the device before it.
    """
    sections = _sections(before)
    tree, out = Tree(), []
    pool, unnamed, in_section, in_group = "", 0, False, False
    last = (-1.0, -1.0)
    missing, nested = (0.0, 0.0), 0  # space not yet found in vdevs; children that a nested group waits for
    for i, (name, c) in enumerate(zip(names, cells, strict=True)):
        if c is None:
            known = sections.get((pool, names[i + 1])) if i + 1 < len(names) else None
            unnamed += known is None
            out.append(tree.section(*known) if known else tree.section(f"section-{unnamed}", None))
            in_section, in_group, last = True, False, (-1.0, -1.0)
            continue
        own = (c[0][0] or 0.0, c[1][0] or 0.0)
        whole = any(own) and missing == (0.0, 0.0)
        opened = in_section and (own == last or cells[i - 1] is None or not _sums_up(own, cells[i + 1 :]))
        if not out or (whole and not opened):
            out.append(tree.pool(name))
            pool, unnamed, in_section, in_group, missing = name, 0, False, False, own
        elif any(own) or not in_group:
            out.append(tree.vdev(1, name))
            last = own
            if own[0] <= missing[0] and own[1] <= missing[1]:
                missing = (missing[0] - own[0], missing[1] - own[1])
            in_group, nested = is_group(name), 0
        else:
            out.append(tree.vdev(3 if nested and not is_group(name) else 2, name))
            nested = 2 if is_group(name) else max(0, nested - 1)
    return out


def _sections(layout: list[Vdev]) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(pool, device) to the name and class of the section that it stood under."""
    out: dict[tuple[str, str], tuple[str, str | None]] = {}
    section: Vdev | None = None
    for v in layout:
        if v.kind in ("pool", "section"):
            section = v if v.kind == "section" else None
        elif section:
            out[v.pool, v.device] = (section.path, section.alloc_class)
    return out


def _sums_up(pool: tuple[float, float], cells: list[_Cells]) -> bool:
    """Whether the rows that follow begin with vdevs whose space adds up to that of `pool`."""
    alloc, free = pool
    for c in cells:
        if c is not None:
            alloc -= c[0][0] or 0.0
            free -= c[1][0] or 0.0
        if (alloc, free) == (0.0, 0.0):
            return True
        if alloc < 0 or free < 0:
            return False
    return False


def _seconds(ctx: Context) -> int:
    """The interval as old tools take it: whole seconds."""
    return max(1, round(ctx.interval))


def _exact(flags: str) -> Variant:
    return Variant(
        name=f"exact{flags and '-'}{flags}",
        systems=("linux", "freebsd", "illumos", "solaris11"),
        command=lambda ctx: f"zpool iostat -v{flags}; exec zpool iostat -vHp{flags}y -T u {_seconds(ctx)}",
        parser=lambda ctx: IostatParser(ctx, first_is_interval=True, learn=True),
        probe=f"zpool iostat -vHp{flags}y",
        fix="import a pool (zpool list), and let the user open /dev/zfs (as root: zfs allow, or sudo)",
    )


SOURCE = Source(
    name="zpool_iostat",
    meaning="space, operations and bandwidth of every pool and vdev",
    tables=("zpool_iostat",),
    interval=1.0,
    variants=(
        _exact("lq"),
        _exact(""),
        Variant(
            name="headings-stamped",
            systems=("solaris10", "solaris11", "illumos", "freebsd", "linux"),
            command=lambda ctx: f"exec zpool iostat -v -T u {_seconds(ctx)}",
            parser=IostatParser,
            probe="zpool iostat -v -T u",
            fix="put zpool on the PATH (/usr/sbin) and import a pool (zpool list)",
        ),
        Variant(
            name="headings",
            systems=("solaris10", "solaris11", "illumos", "freebsd", "linux"),
            command=lambda ctx: f"exec zpool iostat -v {_seconds(ctx)}",
            parser=IostatParser,
            probe="zpool iostat -v",
            fix="put zpool on the PATH (/usr/sbin) and import a pool (zpool list)",
        ),
    ),
)
