"""Composed output becomes rows: exact keys, whole intervals only, drops where they belong."""

from __future__ import annotations

import contextlib
import re
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Batch, Context, ParseError
from collectors.dtrace import framing
from frames.metrics import question
from frames.schemas import SCHEMAS, bounds
from tests.dtrace import printer

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
    assert first.columns["bounds"] == ["log2:4"] * 2
    low = bounds("log2:4")
    assert {low[i]: n for i, n in enumerate(counts) if n} == {1.5 * 2**17: 14, 1.75 * 2**17: 126}
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


# -- attacks --------------------------------------------------------------------------------------------------------


def frame(number: int, *rows: str, start: int = 0, to: int | None = None, faults: str = " 0") -> list[str]:
    end = number * 10 if to is None else to
    return [
        f"zs1 begin {number} {start} {end}",
        *(r for row in rows for r in row.split("\n")),
        f"zs1 end {number} {end}{faults}",
    ]


def fed(parser: framing.FrameParser, lines: list[str]) -> tuple[list[list[tuple[list[str], float]]], list[ParseError]]:
    """Rows of each interval that came, and what was complained of."""
    shown: list[list[tuple[list[str], float]]] = []
    wrong: list[ParseError] = []
    for line in lines:
        try:
            for b in parser.feed(line, 0.0):
                shown.append(list(zip(b.columns["keys"], b.columns["value"], strict=True)))
        except ParseError as e:
            wrong.append(e)
    return shown, wrong


def counting() -> framing.FrameParser:
    return framing.FrameParser(CTX, question("disk_io/by=execname"))


@pytest.mark.parametrize(
    "name",
    ["zs1 end 1 10 0", "a\nzs1 end 1 10 0", "zs1 begin 2 0 20\nzs1 key 1:a count=9\nzs1 end 2 20 0", "\n\n", "zs1 yek"],
)
def test_a_key_that_holds_the_marks_is_a_key(name: str) -> None:
    row = f"zs1 key {len(name.encode())}:{name} count=3"
    assert fed(counting(), frame(1, row, "zs1 key 1:b count=4")) == ([[([name], 3.0), (["b"], 4.0)]], [])


def test_a_key_that_never_ends_is_not_waited_for_long() -> None:
    parser = counting()
    began = time.process_time()
    for n in range(1, 400):
        shown, wrong = fed(parser, [f"zs1 begin {n} 0 {n}", "zs1 key 1000:\ufffd", *["\ufffd"] * 50, "zs1 key 99999:a"])
        assert not shown
    assert time.process_time() - began < 10.0
    shown, wrong = fed(counting(), ["zs1 begin 1 0 10", "zs1 key 1025:" + "a" * 1025 + " count=1", "zs1 end 1 10 0"])
    assert not shown
    assert [(e.line_no, e.column, e.why) for e in wrong] == [(2, 9, "longer than a string may be")]


def test_an_interval_without_an_end_is_not_shown_and_does_not_bleed() -> None:
    parser = counting()
    cut = frame(1, "zs1 key 1:a count=1")[:-1]
    shown, wrong = fed(parser, [*cut, *frame(2, "zs1 key 1:b count=2")])
    assert (shown, wrong, parser.complaints) == ([[(["b"], 2.0)]], [], ["interval 1 has no end"])


def test_two_ends_and_an_interval_twice() -> None:
    one, two = frame(1, "zs1 key 1:a count=1"), frame(2, "zs1 key 1:b count=2")
    shown, wrong = fed(counting(), [*one, one[-1], *one, *two, two[-1]])
    assert shown == [[(["a"], 1.0)], [(["b"], 2.0)]]
    assert [(e.line_no, e.column, e.why) for e in wrong] == [(5, 11, "interval 1 after 1")]


def test_numbers_begin_again_with_another_start() -> None:
    lines = [*frame(7, "zs1 key 1:a count=1"), "zs1 start 5 disk_io/by=execname 77", *frame(1, "zs1 key 1:b count=2")]
    parser = counting()
    assert fed(parser, lines) == ([[(["a"], 1.0)], [(["b"], 2.0)]], [])
    assert parser.pid == 77


def test_a_clock_that_is_set_back_moves_the_stamp_and_nothing_else() -> None:
    lines = [*frame(1, "zs1 key 1:a count=1", to=9_000_000_000), *frame(2, "zs1 key 1:a count=2", to=4_000_000_000)]
    parser = counting()
    assert [(b.time, b.columns["value"]) for line in lines for b in parser.feed(line, 0.0)] == [
        (9.0, [1.0]),
        (4.0, [2.0]),
    ]


def test_stderr_on_the_same_channel() -> None:
    row = "zs1 key 1:a quantize\n           value  ------------- Distribution ------------- count    \n"
    row += "               1 |                                         0        \ndtrace: 3 drops on CPU 0\n"
    row += "               2 |@@@@                                     5        \nzs1 yek"
    parser = framing.FrameParser(CTX, question("disk_io/by=device,latency"))
    (batch,) = [b for line in frame(1, row) for b in parser.feed(line, 0.0)]
    assert batch.columns["drops"] == [3.0]
    assert sum(batch.columns["counts"][0]) == 5


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ("zs1 key 3:abcd count=1", 14, "a key is longer than its length says"),
        ("zs1 key #5 what", 12, "no key where one should stand"),
        ("zs1 key 1:a quantize\n   nonsense", 4, "not a bucket"),
        ("zs1 key 1:a quantize\nzs1 key 1:b count=1", 1, "a quantize without end"),
        ("zs1 key 1:a stack\n  f`g+0x1\nzs1 end 1 10 0", 1, "a stack without end"),
        ("zs1 key stack\n  f`g+0x1\nzs1 yek five", 9, "a stack without its value"),
        ("zs1 key lquantize 0 999999999 1\nzs1 yek", 1, "no lquantize(0, 999999999, 1)"),
        ("zs1 key lquantize 0 9 0\nzs1 yek", 1, "no lquantize(0, 9, 0)"),
        ("zs1 key quantize\n  2 |@ 99999999999999999999\nzs1 yek", 1, "not of 64 bits: 2, 99999999999999999999"),
    ],
)
def test_damage_names_its_line_and_column(row: str, column: int, why: str) -> None:
    lines = [*frame(1, row), *frame(2, "zs1 key 1:z count=2")]
    shown, wrong = fed(counting(), lines)
    assert shown == [[(["z"], 2.0)]]
    assert (wrong[0].line_no, wrong[0].column, wrong[0].why) == (1 + len(row.split("\n")), column, why)


def test_a_block_without_end_ends_where_the_next_interval_begins() -> None:
    cut = frame(1, "zs1 key 1:a quantize\n               1 |@ 5")[:-1]
    shown, wrong = fed(counting(), [*cut, *frame(2, "zs1 key 1:b count=2")])
    assert shown == [[(["b"], 2.0)]]
    assert [e.why for e in wrong] == ["a quantize without end"]


def test_fifty_thousand_keys_are_cut_and_counted() -> None:
    rows = [f"zs1 key #{i} count=1" for i in range(50_000)]
    parser = counting()
    (batch,) = [b for line in frame(1, *rows) for b in parser.feed(line, 0.0)]
    assert len(batch.columns["keys"]) == 10_000
    assert batch.columns["drops"][0] == 40_000


def test_a_flood_of_lines_is_not_kept() -> None:
    parser = counting()
    for opened in ("zs1 key 1:a stack", "zs1 key 9000:", "zs1 key 1:a quantize"):
        lines = ["zs1 start 0 x 1", "zs1 begin 1 0 10", opened, *["  f`g+0x1"] * 20_000]
        _, wrong = fed(parser, lines)
        assert len(wrong) == 1
        assert (parser._block, parser._key) == ([], None)


@given(st.data())
def test_any_border_of_chunks_and_any_cut(data: st.DataObject) -> None:
    """Lines are put together by the link; whatever the borders were, whole intervals before the cut are shown."""
    name = data.draw(KEYS)
    lines = [*frame(1, f"zs1 key {len(name.encode())}:{name} count=3"), *frame(2, "zs1 key #-1 count=4"), *frame(3)]
    text = ("\n".join(lines) + "\n").encode()
    cut = data.draw(st.integers(0, len(text)))
    borders = sorted(data.draw(st.lists(st.integers(0, cut), max_size=8)))
    kept, whole = b"", []
    for a, b in zip([0, *borders], [*borders, cut], strict=True):
        *ready, kept = (kept + text[a:b]).split(b"\n")
        whole += [line.decode("utf-8", "replace") for line in ready]
    shown, wrong = fed(counting(), whole)
    ends = [text.index(f"zs1 end {n} {n}0 0\n".encode(), 0) for n in (2, 3)]
    assert not wrong
    want = [[([name], 3.0)], [(["-1"], 4.0)], [([], 0.0)]]
    assert shown == want[: len(shown)]
    assert len(shown) >= sum(cut > end + 13 for end in ends)


@given(st.lists(st.binary(max_size=80).map(lambda b: b.decode("utf-8", "replace")), max_size=60))
def test_no_bytes_break_the_frame(lines: list[str]) -> None:
    parser = counting()
    fed(parser, ["zs1 begin 1 0 10", *lines])
    shown, _ = fed(parser, ["x" * 9000, "zs1 start 0 x 1", *frame(1, "zs1 key 1:z count=2")])
    assert shown[-1] == [(["z"], 2.0)]


LOWS = printer.llquantize_lows(10, 0, 2, 10)


@pytest.mark.parametrize(
    ("agg", "printed", "name", "counts"),
    [
        ("llquantize 10 0 2 10", printer.llquantize(LOWS, [3, 1, *[0] * 25, 4, 9]), "", [3, 1, *[0] * 25, 4, 9]),
        ("llquantize 10 0 2 10", printer.llquantize_linux(LOWS, [1] * 57), "", [29, *[1] * 28]),
        (
            "lquantize -10 10 5",
            printer.lquantize(-10, 4, 5, [1, 2, 3, 4, 5, 6]),
            "lquantize:-10:10:5",
            [1, 2, 3, 4, 5, 6],
        ),
        ("log2 4", printer.lquantize(0, 188, 1, [0] * 6 + [7, 0, 2] + [0] * 181), "log2:4", [0] * 5 + [7, 0, 2]),
        ("log2 4", printer.lquantize(0, 188, 1, [5, 1] + [0] * 187 + [3]), "log2:4", [6] + [0] * 187 + [3]),
    ],
)
def test_histograms_of_each_kind(agg: str, printed: str, name: str, counts: list[int]) -> None:
    parser = counting()
    lines = frame(1, f"zs1 key 1:a {agg}{printed}zs1 yek")
    (batch,) = [b for line in lines for b in parser.feed(line, 0.0)]
    assert batch.columns["bounds"] == [name or "llquantize:10:0:2:10"]
    assert batch.columns["counts"] == [counts]
    assert len(bounds(batch.columns["bounds"][0])) >= len(counts)


@pytest.mark.parametrize("at", range(1, 7))
def test_lines_that_the_link_dropped_cost_their_interval(at: int) -> None:
    """Rows that are lost between a begin and its end leave no trace in the text."""
    quantized = "zs1 key 1:b quantize\n               1 |@@ 5\nzs1 yek"
    lines = [*frame(1, "zs1 key 1:a count=1", quantized, "zs1 key 1:c count=2"), *frame(2, "zs1 key 1:z count=3")]
    parser = counting()
    before, _ = fed(parser, lines[:at])
    parser.cut()
    after, wrong = fed(parser, lines[at + 1 :])
    assert (before, after, wrong) == ([], [[(["z"], 3.0)]], [])
    assert parser.complaints == ["interval 1: the link dropped lines of it"]
