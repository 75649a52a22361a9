"""zpool iostat -w and -r of the simulated OpenZFS host: what the source reads is what the model's disks did."""

import numpy as np
import pytest

from collectors import probe
from collectors.base import parse_text
from collectors.sources import load
from fleet.past import vdev_path
from frames.schemas import bounds
from tests.fleet.kit import START, Stepped, facts, machine, run

SOURCE = load()["zpool_histogram"]
SECONDS = 10


@pytest.fixture(scope="module")
def night():
    """A machine and the frame of ten seconds of it."""
    clock = Stepped(START)
    m = machine("bk1", clock=clock)
    known, os = facts(m)
    wanted = [SOURCE]
    chosen = probe.choose(os, known, wanted, probe.read(run(m, probe.probes(wanted, os))[1])).chosen
    assert chosen["zpool_histogram"].name == "both"
    command = "zpool iostat -v; zpool iostat -wvp; zpool iostat -rvp"
    text = ""
    for at in (START, START + SECONDS):
        clock.t = at
        status, out, err = run(m, command)
        assert (status, err) == (0, "")
        text += f"== begin {int(at)} 2026-11-23 16:00:00\n{out}== end\n"
    return m, parse_text(chosen["zpool_histogram"], text)["zpool_histogram"]


def counts(frame, vdev, measure):
    found = frame[(frame["vdev"] == vdev) & (frame["measure"] == measure)]
    return np.array(found.iloc[0]["counts"]) if len(found) else np.zeros(64, dtype=int)


def test_each_disk_has_the_operations_and_latencies_of_the_model(night):
    m, frame = night
    live, rows = m.live, m.live.model.rows
    block = live.model.block(int(START), SECONDS)
    ops = block.disk_ops.sum(axis=(0, 2))
    lower = np.array(bounds("quantize"))
    for i, row in enumerate(rows):
        if row.leaf < 0 or ops[row.leaf] < 500:
            continue
        vdev = vdev_path(rows, i)
        waited = counts(frame, vdev, "disk_wait_read") + counts(frame, vdev, "disk_wait_write")
        assert waited.sum() == pytest.approx(ops[row.leaf], rel=0.05)
        middle = lower[np.searchsorted(waited.cumsum(), waited.sum() / 2)] / 1e9
        assert middle == pytest.approx(float(np.median(block.disk_median[:, row.leaf])), rel=0.6)
        queued = [
            counts(frame, vdev, f"{q}_{d}").sum() for q in ("syncq_wait", "asyncq_wait") for d in ("read", "write")
        ]
        assert sum(queued) == pytest.approx(waited.sum(), rel=0.05)
        sizes = [
            counts(frame, vdev, f"{q}_{s}") for q in ("sync_read", "sync_write", "async_write") for s in ("ind", "agg")
        ]
        assert sum(s.sum() for s in sizes) == waited.sum()


def test_a_group_is_the_sum_of_its_disks(night):
    m, frame = night
    rows = m.live.model.rows
    pool = frame[frame["pool"] == m.live.host.pools[rows[0].pool].name]
    for i, row in enumerate(rows):
        if row.depth == 1 and row.leaf < 0:
            path = vdev_path(rows, i)
            inside = {v for v in pool["vdev"] if v.startswith(f"{path}/")}
            total = sum(counts(pool, v, "disk_wait_write") for v in inside)
            assert (counts(pool, path, "disk_wait_write") == total).all()


def test_what_the_tool_refuses():
    m = machine("bk1")
    assert "can't be used together" in run(m, "zpool iostat -wr")[2]
    assert "isn't allowed with" in run(m, "zpool iostat -wl")[2]
    assert run(machine("ms2"), "zpool iostat -w")[0] != 0, "Solaris 10 has no histograms"
