"""The curves of the fleet's rows: continued, they are those that would be made anew."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.live import Live, NoHistory
from dashboard.panels import fleet
from tests.dashboard import scene

START = 1_795_400_000
HOSTS = ("ms2", "ma2")


class Fed:
    """A ring that is fed second after second, by the clock."""

    def __init__(self) -> None:
        self.now = START
        self.live = Live(NoHistory(), clock=lambda: self.now)
        self._seq = 0

    def feed(self, n: int, hosts: tuple[str, ...] = HOSTS) -> None:
        for _ in range(n):
            for host in hosts:
                self._seq += 1
                self.live.add(scene.Second(self._seq, self.now, "t", scene.second_of(self.now, host=host)))
            self.now += 1


@pytest.mark.parametrize("apart", [4, 89])
def test_continued_curves_are_those_made_anew(apart: int) -> None:
    fed = Fed()
    fed.feed(130)
    past = fleet._curves(fed.live, None)
    whole = past.whole
    for _ in range(3):
        fed.feed(apart)
        past = fleet._continued(fed.live, past, fed.now)
    anew = fleet._curves(fed.live, None)
    assert past.grid == anew.grid
    assert past.made == fed.now
    assert past.whole == whole
    assert past.io.keys() == past.p99.keys() == set(HOSTS) == anew.io.keys() == anew.p99.keys()
    for host in HOSTS:
        for found, expected in zip(
            (*past.io[host], past.p99[host][0]), (*anew.io[host], anew.p99[host][0]), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
            assert np.isfinite(expected).sum() >= 8
        assert past.p99[host][1] == anew.p99[host][1]
    assert past.p95 == anew.p95


def test_a_host_that_falls_silent_or_comes_has_a_gap_and_not_a_line() -> None:
    fed = Fed()
    fed.feed(120, ("ms2",))
    past = fleet._curves(fed.live, None)
    fed.feed(60, ("ma2",))
    past = fleet._continued(fed.live, past, fed.now)
    gone, come = past.io["ms2"][0], past.io["ma2"][0]
    assert np.isfinite(gone[:-4]).any()
    assert not np.isfinite(gone[-4:]).any()
    assert np.isfinite(come[-4:]).all()
    assert not np.isfinite(come[:-5]).any()
