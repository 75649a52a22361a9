"""SIGKILL at any moment: what was acknowledged is there once, in the rows and in every rollup."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from frames.store import Store, Writer
from tests.frames.appender import START

ROOT = Path(__file__).parents[2]
DAY = 86_400


def appender(folder: Path, *args: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.frames.appender", str(folder), *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.timeout(600)
def test_killed_fifty_times_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    rounds = 50
    with appender(tmp_path, rounds, 20261123) as child:
        assert child.stdout is not None
        acknowledged = Counter(int(line.split()[1]) for line in child.stdout)
    assert child.returncode == 0
    assert len(acknowledged) >= rounds // 2  # it did append

    with Store(tmp_path) as store:  # as the last kill left it, spool and history joined
        seen = Counter(store.window("arcstats", START - DAY, START + DAY, columns=["size"])["size"].astype(int))
        assert set(acknowledged) <= set(seen)
        assert max(seen.values()) == 1
        unacknowledged = Counter(n // 1_000_000 for n in set(seen) - set(acknowledged))
        assert max(unacknowledged.values(), default=0) <= 1  # at most the second that the kill interrupted

    with Writer(tmp_path, commit_every=3600) as writer:
        writer.commit()
        assert writer.waiting() == (0, 0)
        _check_every_level(tmp_path, len(seen))
        writer.maintain()
        _check_every_level(tmp_path, len(seen))


def _check_every_level(folder: Path, count: int) -> None:
    with Store(folder) as store:
        raw = store.window("arcstats", START - DAY, START + DAY, columns=["size"])
        assert len(raw) == raw["size"].nunique() == count
        assert len(store.events(START - DAY, START + DAY)) == count
        for points, step in ((2 * DAY, 1), (2880, 60), (48, 3600)):
            lines = store.window("source_health", START - DAY, START + DAY, points=points, columns=["lines"])
            assert lines.attrs["step"] == step
            assert lines["lines"].sum() == count
            assert lines["n"].sum() == count
            counts = store.window("dtrace", START - DAY, START + DAY, points=points, columns=["counts"])["counts"]
            assert [sum(c[i] for c in counts) for i in range(3)] == [0, count, 2 * count]
            arc = store.window("arcstats", START - DAY, START + DAY, points=points, columns=["size"])
            assert (arc["size"] * arc["n"]).sum() == pytest.approx(raw["size"].sum(), rel=1e-9)
            assert arc["size_max"].max() == raw["size"].max()


@pytest.mark.timeout(300)
def test_a_reader_sees_every_second_once_while_another_process_commits(tmp_path: Path) -> None:
    looks = 0
    with appender(tmp_path, 0, 400) as child, Store(tmp_path) as store:
        assert child.stdout is not None
        for line in child.stdout:
            last = int(line.split()[1])
            if last % 7:
                continue
            looks += 1
            seen = sorted(store.window("arcstats", START - DAY, START + DAY, columns=["size"])["size"].astype(int))
            assert seen == list(range(len(seen)))
            assert len(seen) > last
            lines = store.window("source_health", START - DAY, START + DAY, points=2880, columns=["lines"])[
                "lines"
            ].sum()
            assert lines >= len(seen)
    assert child.returncode == 0
    assert looks > 50
