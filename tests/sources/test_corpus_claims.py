"""Every recording of others about ZFS has a parser, or a reason why none reads it."""

from __future__ import annotations

import pytest

from tests.corpus import ROOT

CLAIMED = {
    "zpool-iostat": "test_zpool_iostat",
    "zpool-iostat-wrq": "test_zpool_histogram",
    "zpool-status": "test_zpool_status",
    "zpool-list": "test_zfs_list",
    "zpool-list-Hp": "test_zfs_list",
    "zfs-list": "test_zfs_list",
    "zfs-list-Hp": "test_zfs_list",
}
UNCLAIMED = {
    "ziostat": "SmartOS prints it from the zone_zfs kstats, which zone_usage reads themselves, with whole zone names",
    "zpool-import": "lists pools that are not in use, by scanning every disk: nothing to watch from second to second",
    "zpool-upgrade-v": "a table of versions in the tool, no state of the host",
    "zfs-upgrade-v": "a table of versions in the tool, no state of the host",
}


@pytest.mark.corpus
@pytest.mark.skipif(not ROOT.is_dir(), reason=f"no recordings of others at {ROOT}")
def test_every_command_is_claimed_or_has_a_reason() -> None:
    there = {p.name for p in ROOT.iterdir() if p.name.startswith(("zpool", "zfs", "zio"))}
    assert there <= set(CLAIMED) | set(UNCLAIMED)
