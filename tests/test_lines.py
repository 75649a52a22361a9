"""Given bytes in any chunks, the same lines; and bounds that hold."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from collectors.lines import CUT, LineSplitter


def split(chunks: list[bytes], limit: int = 65_536) -> list[str]:
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.end()


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_chunks_give_the_same_lines(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert split(chunks) == split([data])


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20), max_size=9))
def test_lines_come_back_with_and_without_cr(lines: list[str]) -> None:
    for ending in ("\n", "\r\n"):
        assert split(["".join(line + ending for line in lines).encode()]) == lines


@given(st.integers(1, 50), st.lists(st.integers(0, 60), min_size=1, max_size=10), st.integers(1, 70))
def test_no_line_is_longer_than_the_limit(limit: int, lengths: list[int], chunk: int) -> None:
    data = b"".join(b"x" * n + b"\n" for n in lengths)
    splitter = LineSplitter(limit)
    lines = [line for i in range(0, len(data), chunk) for line in splitter.feed(data[i : i + chunk])]
    assert [line.removesuffix(CUT) for line in lines] == ["x" * min(n, limit) for n in lengths]
    assert splitter.cut == sum(n > limit for n in lengths)


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert split([b"caf\xe9\n", "caf\u00e9\n".encode()]) == ["caf\ufffd", "caf\u00e9"]


def test_a_last_line_without_newline_is_kept() -> None:
    assert split([b"a\nb"]) == ["a", "b"]
