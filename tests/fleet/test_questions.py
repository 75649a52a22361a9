"""Answers of the simulated hosts' dtrace: what a predicate asks for and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.formats.dtrace import Answer, Asked, bounds
from tests.fleet.kit import START, machine


@pytest.mark.parametrize("metric", ["disk_io", "zfs_io"])
def test_a_question_of_some_latencies_has_no_others(metric: str) -> None:
    live = machine("ms2").live
    lower = bounds("log2 4")
    low, high = 2**20, 2**24

    def counts(where: str) -> np.ndarray:
        q = Asked("x", metric, ("zone", "latency"), where, "log2 4", 1.0, 0)
        return np.sum([c for _, c in Answer(live, q).rows(START, START + 20)], axis=0)

    every, some = counts(""), counts(f"and(latency>={low},latency<{high},zone!=nowhere)")
    inside = (lower >= low) & (lower < high)
    assert every[~inside].sum() > 0
    assert some[~inside].sum() == 0
    assert some[inside].sum() > 0
