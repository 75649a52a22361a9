"""The pool parsers: an error points into its line, a rest of the output changes nothing, endless junk is forgotten."""

from __future__ import annotations

import tracemalloc
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Context, ParseError, Variant
from collectors.sources import zpool_histogram, zpool_iostat, zpool_list, zpool_status
from tests.sources.test_properties import FAST, TEXTS, Reader

SOURCES = {
    "zpool_iostat": zpool_iostat.SOURCE,
    "zpool_status": zpool_status.SOURCE,
    "pool_capacity": zpool_list.SOURCE,
    "zpool_histogram": zpool_histogram.SOURCE,
}
MINE = [case for case in TEXTS if case.partition("/")[0] in SOURCES]
VARIANTS = {f"{name}/{v.name}": v for name, source in SOURCES.items() for v in source.variants}
CHANGING = ("hot-changes", "spare-cache-export")
"""Recordings in which rows come and go: there a rest within a report may be taken for its end."""


@pytest.mark.parametrize("case", MINE)
@FAST
@given(seed=st.integers(0, 2**32))
def test_an_error_points_into_its_line(case: str, seed: int) -> None:
    """Any damage: the line is one that was fed, the column one that it has, or the one behind its end."""
    variant, text = TEXTS[case]
    random = Random(seed)
    lines = text.split("\n")
    for _ in range(random.randint(1, 4)):
        i = random.randrange(len(lines))
        cut = random.randint(0, len(lines[i]))
        lines[i] = random.choice((lines[i][:cut], lines[i][cut:], lines[i] + " x", "x" + lines[i], lines[i][::-1], ""))
    parser = variant.parser(Context("h", variant.systems[0], 1.0))
    errors: list[ParseError] = []
    for line in [*lines, None]:
        try:
            parser.end(0.0) if line is None else parser.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
    for error in errors:
        assert 1 <= error.line_no <= len(lines)
        assert 1 <= error.column <= len(lines[error.line_no - 1]) + 1
        assert error.host == "h"
        assert error.source == case.partition("/")[0]


@pytest.mark.parametrize("case", [c for c in MINE if not c.endswith(CHANGING)])
@FAST
@given(rests=st.lists(st.integers(0, 400), max_size=60))
def test_a_rest_changes_nothing(case: str, rests: list[int]) -> None:
    """The output may pause between any two lines."""
    variant, text = TEXTS[case]
    lines = text.splitlines()
    through, resting = Reader(variant), Reader(variant)
    through.feed(lines)
    through.end()
    for i, line in enumerate(lines):
        resting.feed([line])
        if i in rests:
            resting.batches += resting.parser.idle(0.0)
    resting.end()
    assert resting.errors == through.errors
    assert sorted_rows(resting.frames()) == sorted_rows(through.frames())


def sorted_rows(frames: dict[str, pa.Table]) -> dict[str, list[str]]:
    return {t: [str(row) for row in f.to_pylist()] for t, f in frames.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_what_never_ends_is_not_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines without an end of a report are refused at a bound and forgotten; so are cells that were remembered."""
    monkeypatch.setattr("collectors.polled.Polled.most", 2_000)
    monkeypatch.setattr("collectors.sources.zpool_iostat.MOST_ROWS", 2_000)
    kinds = (lambda i: f"disk{i}  1G  1G  7  2  3  4", lambda i: f"d{i}\t1\t2\t3\t4\t5\t6", lambda i: f"\t  x{i}")
    for junk in kinds:
        parser = VARIANTS[name].parser(Context("h", VARIANTS[name].systems[0], 1.0))
        errors = kept = 0
        tracemalloc.start()
        for i in range(9_000):
            try:
                parser.feed(junk(i), 0.0)
            except ParseError:
                errors += 1
            if i == 3_000:
                kept = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - kept
        tracemalloc.stop()
        assert errors
        assert grown < 2 << 20, "6,000 lines later there is no more of them"


def test_damage_in_one_pool_is_found_where_it_is() -> None:
    variant: Variant = VARIANTS["zpool_status/text"]
    text = (
        "  pool: a\n state: ONLINE\nconfig:\n\n\tNAME  STATE READ WRITE CKSUM\n\ta  ONLINE  0 0 0\n\t  d  ONLINE  0 0\n"
    )
    parser = variant.parser(Context("h", "linux", 1.0))
    for line in text.splitlines():
        parser.feed(line, 0.0)
    with pytest.raises(ParseError, match="the row is cut") as e:
        parser.end(0.0)
    assert (e.value.line_no, e.value.column) == (7, 17)
