"""When a scan will be done: from its newest pace and from its mean, and no number where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.scans import mean, progress

NAN = float("nan")


def row(fraction: float, **more: Any) -> dict[str, Any]:
    base = {
        "scan": "scrub",
        "state": "in_progress",
        "rate": NAN,
        "total": NAN,
        "issued": NAN,
        "elapsed": NAN,
        "eta": NAN,
    }
    return {**base, "fraction": fraction, **more}


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        # half in an hour, but a twentieth in the last quarter: 1 h at the mean, 2 h 30 min at the newest pace
        (row(0.5, elapsed=3600.0), row(0.45), "1 h to 2 h 30 min to go"),
        (row(0.5, elapsed=3600.0), None, "1 h to go"),
        (row(0.5, elapsed=3600.0), row(0.375), "1 h to go"),
        # a pass that went on after an import: its own rate counts, not the time since the start
        (row(0.8, elapsed=100.0, rate=1e8, total=1e12, issued=8e11), None, "33 min 20 s to go"),
        (row(0.5, elapsed=3600.0), row(0.5), "no progress for 15 min"),
        # the scan before was another one, or had come further: a new one
        (row(0.1, elapsed=600.0), row(0.9), "1 h 30 min to go"),
        (row(0.1, elapsed=600.0), row(0.05, scan="resilver"), "1 h 30 min to go"),
        (row(0.1, eta=540.0), None, "9 min to go"),
        (row(0.0, elapsed=0.0), None, "end unknown"),
        (row(1.02, elapsed=600.0), row(0.9), "done"),
    ],
)
def test_span_of_ends(now: dict[str, Any], before: dict[str, Any] | None, expected: str) -> None:
    assert progress(now, before).replace("\u2009", " ").endswith(expected)


def test_a_fraction_that_is_not_known_foretells_nothing() -> None:
    assert progress(row(NAN, elapsed=60.0)).endswith("done")
    assert mean(row(NAN, elapsed=60.0)) is None
