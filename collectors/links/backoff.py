"""When to try again: doubled each time up to a cap, with jitter so that a fleet does not come back as one."""

from __future__ import annotations

import random


class Backoff:
    """`next()` is the seconds to wait before the next try: first, 2·first, 4·first … cap, times 1 ± jitter."""

    def __init__(self, first: float = 1.0, cap: float = 60.0, jitter: float = 0.25, seed: int | None = None) -> None:
        self.first, self.cap, self.jitter = first, cap, jitter
        self.tries = 0
        self._random = random.Random(seed)  # noqa: S311 (spreads load, hides nothing)

    def next(self) -> float:
        base = min(self.cap, self.first * 2.0 ** min(self.tries, 32))
        self.tries += 1
        return base * self._random.uniform(1 - self.jitter, 1 + self.jitter)

    def reset(self) -> None:
        self.tries = 0
