"""A stream's state, rates and time left from the target's used bytes, and the pairs of an inventory."""

import numpy as np
import pytest

from dashboard.panels.migration import Pair, progress

GIB = float(1 << 30)
NOW = 1_795_000_000.0


def series(minutes: int, rate: float, begin: float = 0.0, still: float = 0.0):
    """(times, used): a copy that grew by `rate` B/s for `minutes`, a sample each 10 s, then stood `still` seconds."""
    times = np.arange(NOW - minutes * 60 - still, NOW + 1, 10.0)
    used = begin + np.minimum(times - times[0], minutes * 60.0) * rate
    return times, used


def test_a_moving_stream_has_a_rate_and_an_end():
    times, used = series(60, 50e6)
    s = progress(times, used, 400e9, NOW, "mail3")
    assert s.state == "sending"
    assert s.rate == pytest.approx(50e6, rel=0.02)
    assert s.mean == pytest.approx(50e6, rel=0.02)
    left = (400e9 - 50e6 * 3600) / 50e6
    assert s.eta
    assert s.eta[0] - NOW == pytest.approx(left, rel=0.05)


def test_a_stream_that_slowed_down_ends_somewhere_between_both_rates():
    fast, slow = series(60, 80e6), 20e6
    times = np.concatenate([fast[0] - 600, np.arange(NOW - 590, NOW + 1, 10.0)])
    used = np.concatenate([fast[1], fast[1][-1] + (np.arange(NOW - 590, NOW + 1, 10.0) - (NOW - 600)) * slow])
    s = progress(times, used, 600e9, NOW)
    assert s.rate is not None
    assert s.mean is not None
    assert s.rate < s.mean
    left = 600e9 - used[-1]
    assert s.eta == pytest.approx((NOW + left / s.mean, NOW + left / s.rate))


def test_five_minutes_without_a_byte_are_a_stall_and_no_eta():
    s = progress(*series(30, 50e6, still=372.0), 400e9, NOW, "mail4")
    assert (s.state, s.rate, s.eta) == ("stalled", 0.0, None)
    assert s.still == pytest.approx(372, abs=11)


def test_a_target_as_large_as_its_source_that_rests_is_done():
    times, used = series(60, 50e6, still=120.0)
    assert progress(times, used, used[-1] * 1.01, NOW).state == "done"
    assert progress(times, used, used[-1] * 2, NOW).state == "sending"


def test_nothing_on_the_target_is_waiting_and_an_unknown_total_gives_no_eta():
    assert progress(np.array([]), np.array([]), 10 * GIB, NOW).state == "waiting"
    assert progress(np.arange(NOW - 100, NOW, 10), np.zeros(10), 10 * GIB, NOW).state == "waiting"
    s = progress(*series(30, 50e6), None, NOW)
    assert (s.state, s.eta) == ("sending", None)


def test_a_dataset_keeps_its_path_in_the_targets_pool():
    pair = Pair(0, "", "ma1", "ms1", "mail", "tank", ())
    assert pair.on_target("mail/a/b") == "tank/a/b"
    assert pair.on_target("mail") == "tank"
