"""What the benchmarks share: percentiles, and one way to print figures with their ratio to the peer of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile, by linear interpolation."""
    return float(np.percentile(np.asarray(values, dtype=float), q))


def ratio(ours: float, peer: float) -> str:
    """'0.42 x': ours over the peer's; below 1 is better than the peer where less is better."""
    return f"{ours / peer:.2f} x" if peer else "–"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints `rows` under `head`, the first column left, figures right."""
    cells = [list(map(str, head)), *([str(c) for c in r] for r in rows)]
    widths = [max(len(r[i]) for r in cells) for i in range(len(head))]
    for r in cells:
        print("  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True))))


def verdict(what: str, value: float, bar: float, unit: str) -> bool:
    """Prints whether `value` is within `bar`; True if it is."""
    good = value <= bar
    print(f"{what}: {value:.1f} {unit}, bar {bar:g} {unit}: {'within' if good else 'MISSED'}")
    return good
