"""Composed output becomes rows: exact keys, whole intervals only, drops where they belong."""

from __future__ import annotations

import contextlib
import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Batch, Context, ParseError
from collectors.dtrace import framing
from frames.metrics import question
from frames.schemas import SCHEMAS, bounds

CTX = Context("ms2", "solaris10", 1.0)


def sample() -> list[str]:
    """The two intervals of the module's docstring."""
    doc = framing.__doc__ or ""
    block = doc[doc.index("    zs1 alias") : doc.index("``alias DEVICE")]
    return textwrap.dedent(block).rstrip().splitlines()


def read(lines: list[str], asked: str = "disk_io/by=device,latency") -> list[Batch]:
    parser = framing.FrameParser(CTX, question(asked))
    return [b for line in lines for b in parser.feed(line, 0.0)]


def test_the_documented_sample() -> None:
    first, second = read(sample())
    assert first.time == 1795466707.664415554
    assert first.columns["keys"] == [["c3t0d0"], ["c3t1d0"]]
    counts = first.columns["counts"][0]
    low = bounds("quantize")
    assert {low[i]: n for i, n in enumerate(counts) if n} == {131072: 14, 262144: 126}
    assert sum(first.columns["counts"][1]) == 1
    # Nothing happened in the second: that is a fact, not a gap.
    assert second.columns["keys"] == [[]]
    assert sum(second.columns["counts"][0]) == 0
    SCHEMAS["dtrace"].table({**first.columns, "time": [0, 0], "host": ["ms2"] * 2})


def test_a_cut_interval_is_never_shown() -> None:
    lines = sample()
    ends = [i for i, line in enumerate(lines) if line.startswith("zs1 end")]
    for cut in range(len(lines)):
        assert len(read(lines[:cut])) == sum(1 for e in ends if e < cut)


@pytest.mark.parametrize("lost", range(3, 15))  # every line of interval 1
def test_a_lost_line_costs_its_interval_or_is_harmless(lost: int) -> None:
    lines = sample()
    parser = framing.FrameParser(CTX, question("disk_io/by=device,latency"))
    batches: list[Batch] = []
    for line in lines[:lost] + lines[lost + 1 :]:
        with contextlib.suppress(ParseError):
            batches += parser.feed(line, 0.0)
    assert batches[-1].columns["keys"] == [[]]  # the interval after it is whole again
    whole = {"c3t0d0": 140, "c3t1d0": 1}
    for b in batches:
        for keys, counts in zip(b.columns["keys"], b.columns["counts"], strict=True):
            assert sum(counts) == (whole[keys[0]] if keys else 0)


def test_zeros_of_keys_that_clear_left_behind_are_dropped() -> None:
    lines = [re.sub(r"\b(14|126)$", "0", line) for line in sample()]
    assert read(lines)[0].columns["keys"] == [["c3t1d0"]]


def test_drops_and_faults_mark_their_interval() -> None:
    lines = sample()
    parser = framing.FrameParser(CTX, question("disk_io/by=device,latency"))
    batches: list[Batch] = []
    for line in lines:
        if line.startswith("zs1 end 1 "):
            parser.error("dtrace: 12 aggregation drops on CPU 0", 0.0)
            parser.error("dtrace: 3 dynamic variable drops with non-empty dirty list", 0.0)
            line += " 2"
        batches += parser.feed(line, 0.0)
    parser.error("dtrace: processing aborted: Abort due to systemic unresponsiveness", 0.0)
    assert [b.columns["drops"][0] for b in batches] == [17, 0]
    assert parser.complaints == ["dtrace: processing aborted: Abort due to systemic unresponsiveness"]


KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(rows=st.lists(st.tuples(KEYS, st.integers(-(2**63), 2**63 - 1), KEYS, st.integers(1, 2**62)), max_size=5))
def test_any_key_comes_back_as_it_was(rows: list[tuple[str, int, str, int]]) -> None:
    def printed(key: str) -> str:
        return f"{len(key.encode())}:{key}"

    text = "zs1 begin 1 0 10\n"
    for a, i, b, n in rows:
        text += f"zs1 key {printed(a)} #{i} {printed(b)} count={n}\n"
    text += "zs1 end 1 10 0\n"
    (batch,) = read(text.removesuffix("\n").split("\n"), "disk_io/by=device,pid,execname")
    got = list(zip(batch.columns["keys"], batch.columns["value"], strict=True))
    assert got == ([([a, str(i), b], float(n)) for a, i, b, n in rows] or [([], 0.0)])


@given(st.lists(st.binary(min_size=1, max_size=12).filter(lambda b: not set(b) & set(b"\0\r\n ")), min_size=1))
def test_keys_that_are_no_utf8_keep_the_frame_in_step(keys: list[bytes]) -> None:
    data = b"zs1 begin 1 0 10\n"
    data += b"".join(b"zs1 key %d:%s count=7\n" % (len(k), k) for k in keys) + b"zs1 end 1 10 0"
    (batch,) = read(data.decode("utf-8", "replace").split("\n"), "disk_io/by=device")
    assert batch.columns["keys"] == [[k.decode("utf-8", "replace")] for k in keys]


def test_stacks_come_last_and_span_lines() -> None:
    lines = """
        zs1 begin 1 0 10
        zs1 key 4:imap stack
        genunix`read+0x1c
                      unix`sys_syscall+0x10e

        zs1 yek count=3
        zs1 key 4:idle stack
        zs1 yek count=9
        zs1 end 1 10 0
    """
    (batch,) = read(textwrap.dedent(lines).strip().splitlines(), "disk_io/by=execname")
    assert batch.columns["keys"] == [["imap", "genunix`read+0x1c\nunix`sys_syscall+0x10e"], ["idle", ""]]
    assert batch.columns["value"] == [3.0, 9.0]


LINES = st.one_of(
    st.sampled_from(sample()),
    st.text(max_size=60),
    st.builds("zs1 {}".format, st.text(st.sampled_from("begin end key yek #:0123456789 quantize=count"), max_size=30)),
)


@given(st.lists(LINES, max_size=40))
def test_damage_is_told_and_ends_with_its_interval(damage: list[str]) -> None:
    parser = framing.FrameParser(CTX, question("disk_io/by=device,latency"))
    for line in [*damage, "zs1 yek", *(["zs1 end 0 0"] * 2)]:
        with contextlib.suppress(ParseError):
            for b in parser.feed(line, 0.0):
                n = len(b.columns["keys"])
                assert all(len(column) == n for column in b.columns.values())
    # A key without an end swallows what follows until it is plainly none: whole intervals come again after it.
    batches: list[Batch] = []
    for line in ["x" * 9000, *sample()]:
        with contextlib.suppress(ParseError):
            batches += parser.feed(line, 0.0)
    assert [b.columns["keys"] for b in batches] == [[["c3t0d0"], ["c3t1d0"]], [[]]]
