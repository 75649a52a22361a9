"""Recorded outputs and what they must parse to: tests/recorded/<source>/<os>-<what>.txt beside a .yml.

    variant: headings             # the source's variant whose parser reads it
    os: solaris10
    interval: 1                   # seconds, default 1
    facts: {page_size: "4096"}    # optional
    note: where the text is from
    rows: {zpool_iostat: 28}      # rows of each table; a table that is not named must be empty
    figures:
      zpool_iostat:
        - match: {vdev: raidz1-0, time: 2}     # columns of exactly one row; time is epoch seconds, 2 = 2nd interval
          expect: {read_ops: 43, alloc: null}  # null: nothing was printed

Adding a case is adding two files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from collectors.base import parse_text
from collectors.sources import load

RECORDED = Path(__file__).parents[1] / "recorded"
CASES = [
    (source, path)
    for source in load()
    for path in sorted((RECORDED / source).glob("*.yml"))
    if isinstance(yaml.safe_load(path.read_text()), dict)
]


def same(got: Any, expected: Any) -> bool:
    """Numbers to nine digits; null for what is missing; lists element by element."""
    if isinstance(expected, list):
        return list(got) == expected
    if expected is None:
        return got is None or bool(pd.isna(got))
    if isinstance(expected, (int, float)):
        return got == pytest.approx(expected, rel=1e-9)
    return bool(got == expected)


def row(frame: pd.DataFrame, match: dict[str, Any]) -> pd.Series:
    """The one row of `frame` that `match` describes."""
    found = frame
    for column, value in match.items():
        values = found["time"].astype("int64") // 1_000_000 if column == "time" else found[column]
        found = found[values == value]
    assert len(found) == 1, f"{match} is {len(found)} rows of\n{frame.to_string(max_rows=40)}"
    return found.iloc[0]


@pytest.mark.parametrize(("source", "path"), CASES, ids=[f"{s}/{p.stem}" for s, p in CASES])
def test_recording(source: str, path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    variant = next(v for v in load()[source].variants if v.name == case["variant"])
    assert case["os"] in variant.systems
    text = path.with_suffix(".txt").read_text(encoding="utf-8", errors="replace")
    interval = float(case.get("interval", 1))
    frames = parse_text(variant, text, os=case["os"], interval=interval, facts=case.get("facts"))
    assert {t: len(f) for t, f in frames.items()} == case["rows"]
    for table, figures in case.get("figures", {}).items():
        for figure in figures:
            got = row(frames[table], figure["match"])
            for column, expected in figure["expect"].items():
                assert same(got[column], expected), f"{table} {figure['match']} {column}: {got[column]!r}"


def test_every_expectation_has_its_recording() -> None:
    assert CASES
    alone = [str(p) for _, p in CASES if not p.with_suffix(".txt").exists()]
    assert not alone
