"""The parsers of zpool and zfs: an error points into its line, a rest of the output changes nothing, endless junk is
forgotten; and all of it for saved texts too, around which there may be words."""

from __future__ import annotations

import time
import tracemalloc
from random import Random

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.base import Context, ParseError, Variant
from collectors.sources import zfs_list, zfs_streams, zpool_histogram, zpool_iostat, zpool_list, zpool_status
from frames.schemas import SCHEMAS
from tests.sources.test_properties import FAST, TEXTS, TOO_LONG, Reader

SOURCES = {
    "zpool_iostat": zpool_iostat.SOURCE,
    "zpool_status": zpool_status.SOURCE,
    "pool_capacity": zpool_list.SOURCE,
    "zpool_histogram": zpool_histogram.SOURCE,
}
ALL = SOURCES | {source.name: source for source in (*zfs_list.SOURCES, zfs_streams.SOURCE)}
THEIRS = [case for case in TEXTS if case.partition("/")[0] in ALL]
MINE = [case for case in TEXTS if case.partition("/")[0] in SOURCES]
VARIANTS = {f"{name}/{v.name}": v for name, source in SOURCES.items() for v in source.variants}
CHANGING = ("hot-changes", "spare-cache-export")
"""Recordings in which rows come and go: there a rest within a report may be taken for its end."""


def errors_of(variant: Variant, lines: list[str], *, saved: bool) -> list[ParseError]:
    """What is told of `lines`; every batch fits its schema."""
    parser = variant.parser(Context("h", variant.systems[0], 1.0, saved=saved))
    errors: list[ParseError] = []
    for line in [*lines, None]:
        try:
            batches = parser.end(0.0) if line is None else parser.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
            continue
        for b in batches:
            n = len(next(iter(b.columns.values())))
            SCHEMAS[b.table].check(SCHEMAS[b.table].table({"time": [0] * n, **b.columns, "host": ["h"] * n}))
    return errors


def points_into(error: ParseError, lines: list[str]) -> None:
    """The line is one that was fed, the column one that it has, or the one behind its end."""
    assert 1 <= error.line_no <= len(lines)
    assert 1 <= error.column <= len(lines[error.line_no - 1]) + 1
    assert error.host == "h"


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("case", THEIRS)
@FAST
@given(seed=st.integers(0, 2**32))
def test_an_error_points_into_its_line(case: str, saved: bool, seed: int) -> None:
    """Any damage."""
    variant, text = TEXTS[case]
    random = Random(seed)
    lines = text.split("\n")
    for _ in range(random.randint(1, 4)):
        i = random.randrange(len(lines))
        cut = random.randint(0, len(lines[i]))
        lines[i] = random.choice((lines[i][:cut], lines[i][cut:], lines[i] + " x", "x" + lines[i], lines[i][::-1], ""))
    for error in errors_of(variant, lines, saved=saved):
        points_into(error, lines)
        assert error.source in ALL


WORDS = st.sampled_from(
    (
        "```",
        "root@host:~# zpool status -v",
        "$ zfs list",
        "I see this:",
        "…",
        "[snip]",
        "Thanks, Ann",
        "# date",
        "",
        "> so",
    )
) | st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=60)


@pytest.mark.parametrize("case", THEIRS)
@FAST
@given(seed=st.integers(0, 2**32), words=st.lists(WORDS, min_size=1, max_size=6))
def test_words_in_a_saved_text(case: str, seed: int, words: list[str]) -> None:
    """Anywhere in it, line by line, and after any cut: rows that fit or an error with its place, and no other."""
    variant, text = TEXTS[case]
    random = Random(seed)
    lines = text[random.randint(0, len(text) // 2) : random.randint(len(text) // 2, len(text))].split("\n")
    for word in words:
        lines.insert(random.randint(0, len(lines)), word)
    for error in errors_of(variant, lines, saved=True):
        points_into(error, lines)


@pytest.mark.parametrize("name", [f"{name}/{v.name}" for name, source in ALL.items() for v in source.variants])
@FAST
@given(st.one_of(st.text(max_size=2000), st.binary(max_size=2000).map(lambda b: b.decode("latin-1"))))
@example("{" * 20_000)
@example('{"pools": ' * 5_000)
@example("> " * 20_000 + "\n" + "# " * 20_000)
@example(("a " * 500 + "\n") * 40)
def test_random_saved_text(name: str, text: str) -> None:
    source, _, variant = name.partition("/")
    lines = text.split("\n")
    begun = time.monotonic()
    for error in errors_of(next(v for v in ALL[source].variants if v.name == variant), lines, saved=True):
        points_into(error, lines)
    assert time.monotonic() - begun < TOO_LONG


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
