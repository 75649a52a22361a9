"""A host in the present: the model's rates summed up into the counters that tools print.

Every tool of a host reads the same counters at its own moments, as on a real one, so two tools agree about the
seconds they share whatever their phase.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleet import noise
from fleet.model import PAGE, Block, HostModel
from fleet.noise import Floats
from fleet.site import GIB

SPAN = 32
"""Seconds computed at once: a block costs about 3 ms whatever its length."""

SWAP = 8.0 * GIB
"""Swap space that every host of the site has."""


class Live:
    """Counters and levels of one host at any moment from its first use on. Not for several threads."""

    def __init__(self, model: HostModel) -> None:
        self.model, self.host = model, model.host
        self.zones = list(model.zone_names)
        """Zone names as printed; a fault may give one a hostile name."""
        self._shift = noise.seed("phase", model.host.name) % SPAN
        self._block: Block | None = None
        self._before: Block | None = None
        self._cum: Floats = np.zeros((0, 0))
        self._cum_before: Floats = self._cum
        self._base: Floats | None = None
        self._slices: dict[str, slice] = {}
        self._hist: dict[tuple[int, str], NDArray[np.int64]] = {}
        self.arc_counters: list[str] = []

    # Blocks.

    def _rates(self, b: Block) -> Floats:
        actv = b.disk_ops.sum(axis=2) * b.disk_time
        self.arc_counters = [k for k in b.arc if not k.startswith("_") and not _is_level(k)]
        parts = {
            "arc": np.stack([b.arc[k] for k in self.arc_counters], axis=1),
            "zone_user": b.zone_user,
            "zone_sys": b.zone_sys,
            "zone_wait": b.zone_wait.astype(np.float64),
            "zone_above": b.zone_above,
            "zone_reads": b.zone_reads,
            "zone_writes": b.zone_writes,
            "zone_read_bytes": b.zone_read_bytes,
            "zone_write_bytes": b.zone_write_bytes,
            "zone_read_time": b.zone_reads * b.zone_read_time,
            "zone_slow": b.zone_slow.reshape(b.n, -1),
            "row_ops": b.row_ops.reshape(b.n, -1),
            "row_bytes": b.row_bytes.reshape(b.n, -1),
            "disk_ops": b.disk_ops.reshape(b.n, -1),
            "disk_bytes": b.disk_bytes.reshape(b.n, -1),
            "disk_actv": actv,
            "disk_busy": b.disk_busy,
            "nic": b.nic_bytes.reshape(b.n, -1),
            "cpu": np.stack([b.cpu_user, b.cpu_sys], axis=1),
            "vm": np.stack([b.mem_free, b.zone_swap.sum(axis=1), b.mem_free + SWAP], axis=1) / PAGE,
            "queue": np.stack([b.run_queue, b.blocked], axis=1).astype(np.float64),
        }
        if not self._slices:
            at = 0
            for name, part in parts.items():
                self._slices[name] = slice(at, at + part.shape[1])
                at += part.shape[1]
        return np.concatenate(list(parts.values()), axis=1)

    def _advance(self, second: int) -> None:
        start = (second - self._shift) // SPAN * SPAN + self._shift
        if self._block is not None and start <= self._block.start:
            return
        if self._base is None or self._block is None:
            first = self.model.block(start, SPAN)
            # Since boot: as if the first seconds had always been so.
            self._base = np.floor(self._rates(first).mean(axis=0) * max(start - self.model.boot, 1) * 0.83)
            self._take(first)
            return
        while self._block.start < start:
            self._base = self._base + self._cum[-1]
            self._take(self.model.block(self._block.start + SPAN, SPAN))

    def _take(self, block: Block) -> None:
        self._before, self._cum_before = self._block, self._cum
        self._block = block
        rates = self._rates(block)
        self._cum = np.concatenate([np.zeros((1, rates.shape[1])), np.cumsum(rates, axis=0)])

    def at(self, t: float) -> tuple[Block, int]:
        """The block that holds the second before `t`, and that second's index in it."""
        second = int(np.ceil(t)) - 1
        self._advance(second)
        for block in (self._block, self._before):
            if block is not None and 0 <= second - block.start < block.n:
                return block, second - block.start
        # Long gone: a stream that was held up, or a moment before the first block.
        return self.model.block(second, 1), 0

    def counters(self, t: float) -> Counters:
        """All counters at `t`, from its boot on."""
        second = int(t)
        self._advance(second)
        assert self._block is not None
        assert self._base is not None
        i = second - self._block.start
        cum, base = self._cum, self._base
        if i < 0:
            if self._before is None or i < -SPAN:
                # A moment before the first block: its rates, backwards.
                return Counters(base + (cum[1] - cum[0]) * (t - self._block.start), self._slices, self.arc_counters)
            cum, i = self._cum_before, i + SPAN
            base = base - cum[-1]
        values = base + cum[i] + (cum[i + 1] - cum[i]) * (t - second)
        return Counters(values, self._slices, self.arc_counters)

    def histogram(self, t0: float, t1: float, buckets: str, bounds: Floats) -> NDArray[np.int64]:
        """[disks, buckets] disk operations completed in [t0, t1) by latency in ns over `bounds` (lower bounds).

        `buckets` names the bounds for the cache. Whole seconds are given to the interval that they end in.
        """
        first, last = int(t0), int(t1)
        if last <= first:
            return np.zeros((len(self.model.disks), len(bounds)), dtype=np.int64)
        out = np.zeros((len(self.model.disks), len(bounds)), dtype=np.int64)
        for second in range(max(first, last - SPAN), last):
            block, i = self.at(second + 1)
            key = (block.start, buckets)
            if key not in self._hist:
                if len(self._hist) > 6:
                    self._hist = {k: v for k, v in self._hist.items() if k[0] >= block.start - SPAN}
                self._hist[key] = self.model.histogram(block, bounds, scale=1e9)
            out += self._hist[key][i]
        return out


def _is_level(name: str) -> bool:
    return name in ("c", "p", "c_min", "c_max") or name.startswith("meta_") or name.endswith("size")


class Counters:
    """Values of all counters at a moment; `c["row_ops"]` is a flat array."""

    __slots__ = ("arc_names", "slices", "values")

    def __init__(self, values: Floats, slices: dict[str, slice], arc_names: list[str]) -> None:
        self.values, self.slices, self.arc_names = values, slices, arc_names

    def __getitem__(self, name: str) -> Floats:
        return self.values[self.slices[name]]

    @property
    def arc(self) -> dict[str, float]:
        return dict(zip(self.arc_names, self["arc"].tolist(), strict=True))


def disk_rates(live: Live, t: float, before: float | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Operations, bytes, requests under way and time busy of each disk between two moments; since boot without
    `before`, as the first report of an iostat."""
    now = live.counters(t)
    names = ("disk_ops", "disk_bytes", "disk_actv", "disk_busy")
    if before is None:
        ops, size, actv, busy = (now[name] / (t - live.model.boot) for name in names)
    else:
        then = live.counters(before)
        ops, size, actv, busy = (rates(then, now, name, t - before) for name in names)
    return ops, size, actv, busy


def rates(before: Counters, after: Counters, name: str, seconds: float) -> Floats:
    """What happened a second between two moments."""
    part = after.slices[name]
    return (after.values[part] - before.values[part]) / max(seconds, 1e-9)
