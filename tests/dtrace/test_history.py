"""Histograms in the history: summed over equal bounds and no others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from collectors.base import Context
from collectors.dtrace.framing import FrameParser
from dashboard.buckets import bucketed
from frames.metrics import question
from frames.schemas import SCHEMAS, bounds
from frames.store import Store, Writer

DTRACE = SCHEMAS["dtrace"]
START = 1_795_480_800
FINE = "llquantize:10:3:11:20"


def row(second: int, name: str, bucket: int, n: int) -> pa.Table:
    counts = [0] * len(bounds(name))
    counts[bucket] = n
    return DTRACE.table(
        {
            "time": [second * 1_000_000],
            "host": ["ms2"],
            "question": ["disk_io/by=device,latency"],
            "keys": [["sd3"]],
            "agg": [name.partition(":")[0]],
            "bounds": [name],
            "counts": [counts],
            "drops": [0.0],
        }
    )


@pytest.mark.parametrize("points", [2000, 20, 1])
def test_counts_over_other_bounds_are_not_added(tmp_path: Path, points: int) -> None:
    """As when a host's dtrace, or this program, is of another release from some minute on."""
    rows = [row(START + s, "quantize" if s < 30 else FINE, 20, 1 + s) for s in range(60)]
    with Writer(tmp_path, commit_every=3600.0) as writer:
        for s, table in enumerate(rows):
            writer.append(START + s, {"dtrace": table})
        for stored in ("spool", "history"):
            if stored == "history":
                writer.commit()
                writer.maintain()
            with Store(tmp_path) as store:
                frame = store.window("dtrace", START - 3600, START + 3600, points=points)
            check(frame, stored)
    check(bucketed(pa.concat_tables(rows), DTRACE, 60.0), "live")


def check(frame: object, where: str) -> None:
    got = dict.fromkeys(("quantize", FINE), 0)
    for name, counts in zip(frame["bounds"], frame["counts"], strict=True):  # type: ignore[index]
        assert len(counts) == len(bounds(name)), where
        assert sum(counts) == counts[20], where
        got[name] += counts[20]
    assert got == {"quantize": sum(range(1, 31)), FINE: sum(range(31, 61))}, where


def test_columns_without_bounds_are_apart_all_the_same(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600.0) as writer:
        writer.append(START, {"dtrace": row(START, "quantize", 3, 1)})
        writer.append(START + 1, {"dtrace": row(START + 1, FINE, 3, 1)})
        with Store(tmp_path) as store:
            frame = store.window("dtrace", START - 60, START + 60, points=1, columns=["counts"])
    assert sorted(map(len, frame["counts"])) == sorted([len(bounds("quantize")), len(bounds(FINE))])


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    """quantize() then prints buckets below zero, which no other interval has."""
    parser = FrameParser(Context("box", "linux", 1.0), question("disk_io/by=latency"))
    said = """\
zs1 begin 1 0 1000000000
zs1 key quantize
           value  ------------- Distribution ------------- count
              -4 |                                         0
              -2 |@@@@@@@@@@@@@@@@@@@@                     2
              -1 |                                         0
               0 |@@@@@@@@@@                               1
               1 |@@@@@@@@@@                               1
               2 |                                         0
zs1 yek
"""
    for line in said.splitlines():
        parser.feed(line, 0.0)
    (batch,) = parser.feed("zs1 end 1 1000000000 0", 0.0)
    assert batch.columns["bounds"] == ["quantize"]
    assert batch.columns["counts"][0][:3] == [3, 1, 0]
    assert len(batch.columns["counts"][0]) == len(bounds("quantize"))
