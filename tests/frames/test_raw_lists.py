"""Lists come back as they were sampled: histograms are summed in buckets only."""

from pathlib import Path

import pytest

from frames.store import Store, Writer
from tests.frames.samples import numbered


@pytest.mark.parametrize("committed", [False, True])
def test_raw_histograms_are_the_samples_own(tmp_path: Path, committed: bool) -> None:
    start = 1_795_400_000
    with Writer(tmp_path) as writer:
        for s in range(start, start + 3):
            writer.append(s, numbered(s - start, s))
        if committed:
            writer.commit()
        frame = Store(tmp_path).window("dtrace", start, start + 3)
        assert [list(c) for c in frame["counts"]] == [[0, 1, 2]] * 3
        assert [list(k) for k in frame["keys"]] == [["sd0"]] * 3
