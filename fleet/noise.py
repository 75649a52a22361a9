"""Noise that is a pure function of (seed, time), so that a past and the present are cut from one cloth.

Random generators carry state: a value would depend on what was asked before it. Here every value is a hash of
its series' seed and its place in time, computed for whole arrays at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Seeds = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(n) for n in (30, 27, 31, 11))


def seed(*parts: object) -> int:
    """A 64 bit seed that depends on every part's text."""
    return int.from_bytes(hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest(), "little")


def seeds(*parts: object, names: Sequence[str]) -> Seeds:
    """One seed per name."""
    return np.array([seed(*parts, name) for name in names], dtype=np.uint64)


def uniform(series: Seeds, index: NDArray[np.int64]) -> Floats:
    """[T, N] in [0, 1): splitmix64 of each series' seed and each index."""
    with np.errstate(over="ignore"):
        z = series[None, :] + index.astype(np.uint64)[:, None] * _GOLDEN
        z = (z ^ (z >> _S30)) * _M1
        z = (z ^ (z >> _S27)) * _M2
        z ^= z >> _S31
    return (z >> _S11).astype(np.float64) * (1.0 / (1 << 53))


def smooth(series: Seeds, t: Floats, period: float) -> Floats:
    """[T, N] in [-1, 1]: a random value every `period` seconds with a smooth way between them."""
    x = t / period
    k = np.floor(x)
    f = x - k
    u = (f * f * (3.0 - 2.0 * f))[:, None]
    first = k.astype(np.int64)
    # Neighbouring samples share their lattice points; hash each point once.
    points, inverse = np.unique(np.concatenate([first, first + 1]), return_inverse=True)
    values = uniform(series, points)
    a, b = values[inverse[: len(t)]], values[inverse[len(t) :]]
    return 2.0 * (a + (b - a) * u) - 1.0


def wander(series: Seeds, t: Floats, step: float = 1.0) -> Floats:
    """[T, N], about -1..1: seconds of jitter on minutes of drift on hours of mood.

    `step` is the distance of samples in seconds: what varies faster would alias and is left out, as a mean over
    the step would leave it out.
    """
    out = np.zeros((len(t), len(series)))
    for period, weight in ((7200.0, 0.22), (900.0, 0.26), (140.0, 0.24), (24.0, 0.22), (4.0, 0.16), (1.0, 0.12)):
        if period >= step:
            out += weight * smooth(series, t, period)
    return out * 1.25


def counts(expected: Floats, series: Seeds, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """[T, N] whole numbers whose mean is `expected` [T, N]."""
    return np.floor(expected + uniform(series, index)).astype(np.int64)
