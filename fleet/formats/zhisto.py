"""zpool iostat -w and -r: the histograms of an OpenZFS host, from the same latencies that its DTrace answers have.

Format: print_iostat_histos and print_iostat_labels of OpenZFS 2.3 (columns as wide as the largest number with -p).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from fleet.formats.human import nicenum
from fleet.live import Live

Ints = NDArray[np.int64]

LATENCY = 37
"""Buckets of -w: 1 ns to 137 s."""
SIZES = range(9, 25)
"""Buckets of -r that are printed: 512 B to 16 MiB."""
BOUNDS = np.array([float(1 << j) for j in range(LATENCY)])
BOUNDS[0] = 0.0
WAITS = ("total_wait", "disk_wait", "syncq_wait", "asyncq_wait")
LONE = ("scrub", "trim", "rebuild")
REQUESTS = ("sync_read", "sync_write", "async_read", "async_write", *LONE)
MOST = 900
"""Seconds that are summed up at once; of a longer silence the rest is left out."""
SYNC = 5
"""One write in this many is synchronous."""


@dataclass
class Totals:
    """Since import: [disks, 11, buckets] latencies in the order of -w, [disks, 14, buckets] sizes in that of -r."""

    second: int
    waits: Ints
    sizes: Ints


_totals: WeakKeyDictionary[Live, Totals] = WeakKeyDictionary()


def totals(live: Live, t: float) -> Totals:
    """The histograms of every disk at `t`; they only grow, as operations do."""
    second = int(t)
    known = _totals.get(live)
    if known is None:
        waits, sizes = _between(live, second - 1, 1)
        age = int((second - live.model.boot) * 0.83)
        known = _totals[live] = Totals(second, waits * age, sizes * age)
    elif second > known.second:
        n = min(second - known.second, MOST)
        waits, sizes = _between(live, second - n, n)
        known = _totals[live] = Totals(second, known.waits + waits, known.sizes + sizes)
    return known


def _between(live: Live, start: int, n: int) -> tuple[Ints, Ints]:
    block = live.model.block(start, n)
    disk = live.model.histogram(block, BOUNDS, scale=1e9).sum(axis=0)
    ops, size = block.disk_ops.sum(axis=0), block.disk_bytes.sum(axis=0)
    reads = np.rint(disk * (ops[:, :1] / np.maximum(ops.sum(axis=1, keepdims=True), 1e-9))).astype(np.int64)
    waits = np.zeros((len(disk), 11, LATENCY), dtype=np.int64)
    sizes = np.zeros((len(disk), 14, SIZES.stop), dtype=np.int64)
    for i, counts in enumerate((reads, disk - reads)):
        waits[:, i] = _later(counts)
        waits[:, 2 + i] = counts
    written = (disk - reads).sum(axis=1)
    synced = written // SYNC
    waits[:, 4, 13], waits[:, 5, 13] = reads.sum(axis=1), synced  # 8 to 16 µs
    spread = _sooner(disk - reads)
    waits[:, 7] = spread - spread // SYNC
    read_size, write_size = _bucket(size[:, 0], ops[:, 0]), _bucket(size[:, 1], ops[:, 1])
    rows = np.arange(len(disk))
    sizes[rows, 0, read_size] = reads.sum(axis=1)
    sizes[rows, 2, write_size] = synced
    rest = written - synced
    sizes[rows, 6, np.maximum(write_size - 1, SIZES.start)] = rest - rest // 3
    sizes[rows, 7, np.minimum(write_size + 1, SIZES.stop - 1)] = rest // 3
    return waits, sizes


def _later(counts: Ints) -> Ints:
    """Queue and disk: an eighth of each bucket ends in the next."""
    moved = counts // 8
    out = counts - moved
    out[:, 1:] += moved[:, :-1]
    out[:, -1] += moved[:, -1]
    return out


def _sooner(counts: Ints) -> Ints:
    """The wait in a queue: a quarter of the time on disk."""
    out = np.zeros_like(counts)
    out[:, :-2] = counts[:, 2:]
    out[:, 0] += counts[:, :2].sum(axis=1)
    return out


def _bucket(size: Any, ops: Any) -> Ints:
    """The bucket of the mean request."""
    mean = np.maximum(size / np.maximum(ops, 1e-9), 512.0)
    return np.clip(np.floor(np.log2(mean)).astype(np.int64), SIZES.start, SIZES.stop - 1)


def histograms(live: Live, plan: list[tuple[int, Any]], t: float, *, latency: bool, exact: bool, scripted: bool) -> str:
    """The table of each row of `plan`; a group is the sum of its disks, a pool that of its data and log disks."""
    known = totals(live, t)
    disks = known.waits if latency else known.sizes
    rows = live.model.rows
    width = max(10, *(2 * row.depth + len(row.name) for _, row in plan))
    return "".join(
        _table(row.name, disks[_disks(rows, r)].sum(axis=0), width, latency, exact, scripted) for r, row in plan
    )


def _disks(rows: list[Any], r: int) -> list[int]:
    """Indices of the disks in row r."""
    row = rows[r]
    if row.leaf >= 0:
        return [row.leaf]
    if row.depth == 0:
        return [x.leaf for x in rows if x.pool == row.pool and x.leaf >= 0 and x.role != "cache"]
    out = []
    for x in rows[r + 1 :]:
        if x.depth <= row.depth or x.pool != row.pool:
            break
        out.append(x.leaf)
    return out


def _table(name: str, counts: Ints, width: int, latency: bool, exact: bool, scripted: bool) -> str:
    number = str if exact else nicenum
    buckets = range(LATENCY) if latency else SIZES
    if scripted:
        ends = [(1 << (j + 1)) - 1 if latency else 1 << j for j in buckets]
        lines = [
            "\t".join([str(end), *map(number, counts[:, j].tolist())]) for end, j in zip(ends, buckets, strict=True)
        ]
        return f"\n{name}\n" + "\n".join(lines) + "\n"
    column = max(5, len(str(int(counts.max())))) if exact else 5
    tops = [(w, 2) for w in (WAITS if latency else REQUESTS)]
    bottoms = ("read", "write") * 4 + LONE if latency else ("ind", "agg") * len(REQUESTS)
    top = "".join("  " + _centred(word, column, n) for word, n in tops)
    head = f"{name:<{width}}{top}\n{'latency' if latency else 'req_size':<{width}}"
    head += "".join(f"  {word:>{column}}" for word in bottoms) + "\n"
    head += "-" * width + ("  " + "-" * column) * len(bottoms) + "\n"
    body = ""
    for j in buckets:
        label = _nicetime((1 << (j + 1)) - 1) if latency else nicenum(1 << j)
        body += f"{label:<{width}}" + "".join(f"  {number(n):>{column}}" for n in counts[:, j].tolist()) + "\n"
    return f"\n{head}{body}" + "-" * (width + (column + 2) * len(bottoms)) + "\n"


def _centred(word: str, column: int, n: int) -> str:
    """As print_iostat_labels centres a label over its columns."""
    wide = column * n + 2 * (n - 1)
    before = max(wide // n - len(word) // n, 0)
    return " " * before + word + " " * max(wide - before - len(word), 0)


def _nicetime(ns: int) -> str:
    """As zfs_nicetime: whole units, cut."""
    for unit in ("ns", "us", "ms"):
        if ns < 1000:
            return f"{ns}{unit}"
        ns //= 1000
    return f"{ns}s"
