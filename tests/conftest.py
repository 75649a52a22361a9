"""What tests of real things have in common."""

from __future__ import annotations

import pytest

REAL = ("sshd", "zpool", "dtrace")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real tools are run again once, since their own races with the machine are not ours; the summary names them (-rR).
    One worker runs every real dtrace: two that come and go at once can lose each other's probes under Linux."""
    for item in items:
        if any(item.get_closest_marker(name) for name in REAL) and not item.get_closest_marker("flaky"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if item.get_closest_marker("dtrace"):
            item.add_marker(pytest.mark.xdist_group("dtrace"))
