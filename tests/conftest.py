"""What tests of real things have in common."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says how busy the machine is.
settings.register_profile("zonescope", deadline=None)
settings.load_profile("zonescope")

REAL = ("sshd", "zpool", "dtrace")
WAITING = {"asyncio", "subprocess", "threading", "time"}
"""Modules that a test file imports when it waits for something."""
TOGETHER = {
    "tests/browser/": "browser",
    "tests/dashboard/test_push.py": "browser",
    "tests/dtrace/test_compared.py": "dtrace",
    "tests/dtrace/test_compose.py": "dtrace",
    "tests/dtrace/test_engine_real.py": "dtrace",
    "tests/dtrace/test_host.py": "dtrace",
    "tests/dtrace/test_real.py": "dtrace",
    "tests/dtrace/test_scripts.py": "dtrace",
    "tests/links/test_blackhole.py": "dtrace",
    "tests/sources/test_real_pools.py": "zpool",
    "tests/sources/test_zfs_streams.py": "zpool",
    "tests/spine/": "zpool",
}
"""Tests that one worker runs one after the other: two browsers at once on two cores time out, two dtraces that come
and go can lose each other's probes under Linux, and pools have one daemon."""


class ByPath(LoadScopeScheduling):
    """By TOGETHER, not by marks: pytest-xdist 3.8 cannot put a mark's group into the ids of pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for path, group in TOGETHER.items() if nodeid.startswith(path)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPath:
    return ByPath(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for real tools, processes, threads or the clock are run once more where they fail: on a busy
    machine some race is lost that is not ours. The summary names each (-rR); a fault of ours fails twice."""
    for item in items:
        waits = any(item.get_closest_marker(name) for name in REAL) or not WAITING.isdisjoint(
            vars(getattr(item, "module", item))
        )
        if waits and not item.get_closest_marker("flaky"):
            item.add_marker(pytest.mark.flaky(reruns=1))
