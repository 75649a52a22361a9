"""zpool_histogram: how long I/O takes and how large it is, per pool and vdev: `zpool iostat -w` and -r.

With an interval these reports are scaled to a second and cut to whole numbers, which loses every lone event; asked
without one they give exact totals since import. So the command asks again and again, and the increments are taken
here. `zpool iostat -v` stands before them, for the tree: a histogram names its vdev and not its place.
Streams with an interval are read too (their first report is since import and is dropped): so is a saved text without
markers, unless commands stand between its reports. With one report it shows the totals. Words around are passed over.

A latency bucket is labelled by its upper end (1023 ns: 512 to 1023 ns), a size bucket by its lower end; both are
powers of two and become the buckets of BOUNDS['quantize'], in ns and in bytes.
Source: zpool-iostat(8) of OpenZFS and print_iostat_histo in its zpool_main.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.pasted import is_command
from collectors.polled import Polled, again
from collectors.sources.zpool_iostat import IostatParser
from collectors.tables import is_torn
from collectors.units import is_date, nanoseconds, nicenum
from collectors.vdevs import Tree, is_group
from frames.schemas import BOUNDS_QUANTIZE, ZPOOL_HISTOGRAM

_GROUPS = {
    "total_wait": "total_wait",
    "disk_wait": "disk_wait",
    "syncq_wait": "syncq_wait",
    "sync_queue": "syncq_wait",
    "asyncq_wait": "asyncq_wait",
    "async_queue": "asyncq_wait",
    "sync_read": "sync_read",
    "sync_write": "sync_write",
    "async_read": "async_read",
    "async_write": "async_write",
    "scrub": "scrub",
    "trim": "trim",
    "rebuild": "rebuild",
}
_WAITS = [f"{g}_{d}" for g in ("total_wait", "disk_wait", "syncq_wait", "asyncq_wait") for d in ("read", "write")]
_WAITS += ["scrub_wait", "trim_wait", "rebuild_wait"]
_SIZES = [f"{g}_{s}" for g in list(_GROUPS.values())[6:] for s in ("ind", "agg")]
N = len(BOUNDS_QUANTIZE)

_Counts = dict[str, list[int]]
"""Measure to its counts."""

_FIRST, _LATER, _ONCE = "first", "later", "once"
"""Reports of a stream, and the one of a command without an interval."""
_INTERVAL = re.compile(r"\s[0-9.]+(?:\s+[0-9]+)?\s*$")


class HistogramParser(Polled):
    """One row per pool or vdev and measure that ever counted anything.

    `cumulative`: each report holds totals, and what is given is their increase since the report before.
    """

    source = "zpool_histogram"

    def __init__(self, ctx: Context, *, cumulative: bool = True) -> None:
        super().__init__(ctx)
        self._cumulative = cumulative
        self._first_name: tuple[str, ...] | None = None
        self._next_name: tuple[str, ...] | None = None  # set by the line that opens another report
        self._before: dict[tuple[str, str], _Counts] | None = None
        self._alone = False  # one report was read so far
        self._asked = ""  # the command before this line
        self._kind, self._next_kind = _FIRST, _LATER  # of a text without marks of ours

    def opens(self, line: str) -> bool:
        if "zpool iostat" in line and is_command(line):
            self._asked = line
        name = _title(line)
        if name is None or line.split()[-1] == "bandwidth":
            return False
        if not self.strict and len(name) == 1 and (len(line.split()) > 3 or line.rstrip()[-1] in ".:,!?`"):
            return False  # words on a page
        kind = (_FIRST if _INTERVAL.search(self._asked) else _ONCE) if self._asked else ""
        if self._first_name is None:
            self._first_name, self._kind, self._asked = name, kind or self._kind, ""
            return False
        self._next_name = name if name == self._first_name else None
        if self._next_name:
            self._next_kind, self._asked = kind or _LATER, ""
        return self._next_name is not None

    def report(self, lines: list[str]) -> list[Batch]:
        self._first_name, self._next_name = self._next_name, None
        places, found = self._tables(lines)
        keys = _places(places, [name for name, _ in found])
        totals: dict[tuple[str, str], _Counts] = {}
        for key, (_, table) in zip(keys, found, strict=True):
            totals.setdefault(key, {}).update(table)
        before, self._before = self._before, totals
        kind, self._kind = self._kind, self._next_kind
        if before is None or (kind == _FIRST and not self.strict):
            self._alone = before is None
            self._found = self._found or bool(totals)
            return []
        self._alone = False
        cumulative = self._cumulative and (self.strict or kind == _ONCE)
        return self._batch({k: _increase(before.get(k, {}), m) if cumulative else m for k, m in totals.items()})

    def end(self, at: float) -> list[Batch]:
        out = super().end(at)
        if self.ctx.saved and self._alone and self._before:
            return self._batch({k: {m: c for m, c in t.items() if any(c)} for k, t in self._before.items()})
        return out

    def _batch(self, found: dict[tuple[str, str], _Counts]) -> list[Batch]:
        rows = [(*key, measure, counts) for key, measures in found.items() for measure, counts in measures.items()]
        columns = dict(zip(ZPOOL_HISTOGRAM.names[2:], map(list, zip(*rows, strict=True)), strict=False))
        return [Batch(ZPOOL_HISTOGRAM.name, columns, self.stamp)] if rows else []

    def _tables(self, lines: list[str]) -> tuple[list[tuple[str, str, str]], list[tuple[str, _Counts]]]:
        """(pool, vdev, device) of `zpool iostat -v` where it is there, and name and counts of each histogram."""
        places: list[tuple[str, str, str]] = []
        found: list[tuple[str, _Counts]] = []
        counts: _Counts = {}
        groups: tuple[str, ...] = ()
        measures: list[str] = []
        tree = IostatParser(self.ctx, first_is_interval=True)
        in_tree = False
        for i, line in enumerate(lines):
            title = None if "\t" in line else _title(line)
            if title and len(title) == 1 and "\t" not in "".join(lines[i + 1 : i + 2]):
                title = None
            if title and title[-1] == "bandwidth":
                in_tree = True
            elif title:
                if in_tree:
                    places += _rows(tree.end(0.0))
                in_tree, counts, measures = False, {}, []
                groups = title[1:]
                found.append((title[0], counts))
                continue
            if in_tree:
                try:
                    places += _rows(tree.feed(line, 0.0))
                except ParseError as e:
                    raise self.bad(i, line, e.why, e.column) from e
            elif not line.strip("- ") or not line.strip() or _is_stamp(line):
                continue
            elif groups and line.split()[0] in ("latency", "req_size") and not measures:
                measures = _measures(groups, line.split()[1:])
                if not measures:
                    raise self.bad(i, line, "headings that do not fit those above")
                counts.update({m: [0] * N for m in measures})
            elif not self.strict and not (is_torn(line) and found):
                self.around(self.bad(i, line, "no histogram"))
            elif not found:
                raise self.bad(i, line, "a bucket before any name")
            else:
                self._bucket(i, line, counts, measures)
        return places, [(name, counts) for name, counts in found if counts]

    def _bucket(self, i: int, line: str, counts: _Counts, measures: list[str]) -> None:
        label, *cells = line.split()
        if not cells:
            raise self.bad(i, line, "a bucket without counts", len(line))
        if not counts:
            names = _SIZES if label == "512" else _WAITS
            if len(cells) > len(names):
                raise self.bad(i, line, f"{len(cells)} columns, which no release prints", len(line))
            counts.update({m: [0] * N for m in names[: len(cells)]})
        names = measures or list(counts)
        if len(cells) != len(names):
            raise self.bad(i, line, f"{len(cells)} counts under {len(names)} headings", len(line))
        try:
            k = _index(label, size="_wait" not in names[0])
            values = [_count(c) for c in cells]
        except ValueError as e:
            raise self.bad(i, line, str(e)) from e
        for measure, value in zip(names, values, strict=True):
            counts[measure][k] = value


def _increase(old: _Counts, now: _Counts) -> _Counts:
    """What was added; nothing of a measure that is new, never counts, or began anew with an import."""
    out = {}
    for measure, counts in now.items():
        added = [a - b for a, b in zip(counts, old[measure], strict=True)] if measure in old else [-1]
        if min(added) >= 0 and any(counts):
            out[measure] = added
    return out


_STAMP = re.compile(r"[0-9]{9,11}")


def _is_stamp(line: str) -> bool:
    """The time of -T, or the command where a shell repeated it."""
    return _STAMP.fullmatch(line) is not None or is_date(line) or ("zpool" in line and is_command(line))


def _title(line: str) -> tuple[str, ...] | None:
    """(name, group, group, …) of the line above a histogram; of a table of -H, whose title is the name, (name,)."""
    tokens = line.split()
    if _is_stamp(line):
        return None
    if tokens[:2] == ["capacity", "operations"]:
        return ("", "bandwidth")
    if tokens[:2] in (["latency", "read"], ["req_size", "ind"]):
        return None
    at = len(tokens)
    while at > 1 and tokens[at - 1] in _GROUPS:
        at -= 1
    if at < len(tokens):
        return (" ".join(tokens[:at]), *tokens[at:])
    if tokens and not line[0].isspace() and "\t" not in line and len(line.split("  ")) == 1 and line.strip("- "):
        return (line.strip(),)
    return None


def _measures(groups: tuple[str, ...], tokens: list[str]) -> list[str]:
    """Names of the columns: pairs belong to a group, a lone `scrub` stands for itself."""
    out: list[str] = []
    rest = iter(groups)
    for i, token in enumerate(tokens):
        if token in ("read", "ind"):
            group = _GROUPS[next(rest, "scrub")]
            second = tokens[i + 1 : i + 2]
            if second not in (["write"], ["agg"]):
                return []
            out += [f"{group}_{token}", f"{group}_{second[0]}"]
        elif token in ("scrub", "trim", "rebuild"):
            out.append(f"{token}_wait")
        elif token not in ("write", "agg"):
            return []
    return out if len(out) == len(tokens) else []


def _index(label: str, *, size: bool) -> int:
    """The bucket of BOUNDS['quantize'] that a label names. Raises ValueError for no label."""
    value = nicenum(label)[0] if size else nanoseconds(label)[0]
    if value is None:
        raise ValueError("a bucket without a label")
    # a latency label is cut to a whole unit: the bucket's end is the next power of two less one
    k = round(value).bit_length() if size else (round(value * 1e9)).bit_length()
    if not 0 < k < N:
        raise ValueError(f"no bucket: {label!r}")
    return k


def _count(text: str) -> int:
    value = nicenum(text)[0] or 0.0
    if value > 2.0**53:
        raise ValueError(f"not a count: {text!r}")
    return round(value)


def _rows(batches: list[Batch]) -> Iterator[tuple[str, str, str]]:
    for b in batches:
        yield from zip(b.columns["pool"], b.columns["vdev"], b.columns["device"], strict=True)


def _places(places: list[tuple[str, str, str]], names: list[str]) -> list[tuple[str, str]]:
    """(pool, vdev) of each histogram: by order against the tree, else by the names alone.

    By the names alone (no tree was printed) one pool is assumed; a disk after a group is taken for its child.
    """
    tables = len(names) // len(places) if places else 0
    if tables and [device for _, _, device in places] * tables == names:
        return [(pool, vdev) for pool, vdev, _ in places] * tables
    out: list[tuple[str, str]] = []
    tree = Tree()
    in_group = False
    for name in names:
        if not out or name == names[0]:
            tree, in_group = Tree(), False
            vdev = tree.pool(name)
        else:
            vdev = tree.vdev(2 if in_group and not is_group(name) else 1, name)
            in_group = in_group or is_group(name)
        out.append((vdev.pool, vdev.path))
    return out


def _variant(name: str, flags: str, command: str) -> Variant:
    return Variant(
        name=name,
        systems=("linux", "freebsd", "illumos", "solaris11"),
        command=lambda ctx: again(command, ctx.interval),
        parser=HistogramParser,
        probe=f"zpool iostat {flags} && zpool iostat -v",
        fix="histograms came with OpenZFS 0.7; older releases have none (DTrace serves there)",
    )


SOURCE = Source(
    name="zpool_histogram",
    meaning="latencies and sizes of I/O per pool and vdev, as histograms",
    tables=("zpool_histogram",),
    interval=10.0,
    variants=(
        _variant("both", "-wvp && zpool iostat -rvp", "zpool iostat -v; zpool iostat -wvp; zpool iostat -rvp"),
        _variant("latency", "-wvp", "zpool iostat -v; zpool iostat -wvp"),
    ),
)
