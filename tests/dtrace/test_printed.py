"""What an independent printer prints (after libdtrace's source) comes back, whatever the keys and values."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collectors.dtrace import layout
from frames.schemas import bounds
from tests.dtrace import printer
from tests.dtrace.printer import Int, Key, Stack, Text

WORD = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
"""Keys are words with single blanks: what two blanks in a string mean is not decided by the layout."""
TEXT = st.one_of(
    st.lists(WORD, min_size=1, max_size=9).map(" ".join).filter(lambda s: len(s) <= 50),
    st.sampled_from(["", "12", "1234567", "-5", "a.out`operator new[](unsigned long)", "genunix`read+0x10", "0x0"]),
    st.integers(-(2**63), 2**63 - 1).map(str),
    # Longer than its column, which it pushes to the right; without digits, which might be columns themselves.
    st.text(st.sampled_from("abcxyz/._-"), min_size=51, max_size=120),
    st.lists(st.text(st.sampled_from("abcxyz/"), min_size=1), min_size=20, max_size=40).map(" ".join),
)
FRAME = st.one_of(
    st.builds("{}`{}+0x{:x}".format, WORD, WORD, st.integers(1, 2**32)),
    st.builds("{}`{}".format, WORD, st.lists(WORD, min_size=1, max_size=3).map(" ".join)),
    st.builds("0x{:x}".format, st.integers(0, 2**64 - 1)),
    st.sampled_from(
        [
            "libc.so.1`memcpy+0x10",
            "libfoo.so.2`std::map<int, char, std::less<int> >::find(int const&) const+0x1c",
            "java/lang/Thread.run()V",
            "imapd`0x8065a3c",
            "<interpreter>",
            '[ "index.php":12 ]',
            "vmlinux`finish_task_switch.isra.0+0x8e",
            "zfs.ko`zio_execute+0x9a",
        ]
    ),
)
BITS = {8: (0, 255), 16: (0, 65535), 32: (-(2**31), 2**31 - 1), 64: (-(2**63), 2**63 - 1)}


def keys_like(shape: list[str]) -> st.SearchStrategy[list[Key]]:
    kinds: dict[str, st.SearchStrategy[Key]] = {
        "text": TEXT.map(Text),
        "stack": st.lists(FRAME, min_size=1, max_size=5).map(lambda f: Stack(tuple(f))),
        **{f"int{b}": st.integers(*BITS[b]).map(lambda n, b=b: Int(n, b)) for b in BITS},  # type: ignore[misc]
    }
    return st.tuples(*(kinds[kind] for kind in shape)).map(list)


KIND = st.sampled_from(["text", "text", "int8", "int16", "int32", "int32", "int64"])
COUNT = st.one_of(st.just(0), st.integers(1, 10**6), st.integers(1, 2**40))
SCALAR = st.one_of(
    st.integers(-(10**6), 10**12), st.integers(-(2**63) + 1, 2**63 - 2), st.integers(0, 2**64 - 1)
).filter(lambda n: n != 2**63 - 1)


def plain(keys: list[Key]) -> list[str]:
    return ["\n".join(k.frames) if isinstance(k, Stack) else str(k.value) for k in keys]


def sections(shape: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[tuple[list[Key], int]]]:
    return shape.flatmap(lambda s: st.lists(st.tuples(keys_like(s), SCALAR), min_size=1, max_size=5))


@given(sections(st.lists(KIND, max_size=5)))
def test_scalars_by_any_keys(rows: list[tuple[list[Key], int]]) -> None:
    got = layout.parse(printer.printa([(keys, [value]) for keys, value in rows]))
    assert [(r.keys, r.value) for r in got.rows] == [(plain(keys), value) for keys, value in rows]
    assert (got.text, got.torn) == ([], "")


STACKED = st.sampled_from(
    [
        ["stack"],
        ["text", "stack"],
        ["stack", "text"],
        ["int32", "stack"],
        ["stack", "int32"],
        ["stack", "stack"],
        ["text", "stack", "int64"],
        ["text", "int32", "stack", "stack"],
        ["stack", "text", "stack"],
    ]
)


@given(st.lists(sections(STACKED), min_size=1, max_size=3))
def test_scalars_by_stacks(several: list[list[tuple[list[Key], int]]]) -> None:
    shapes = [[isinstance(k, Stack) for k in rows[0][0]] for rows in several]
    # One by a stack after one by two is read as one whose first stack is empty.
    assume(all(before != [True, *after] for before, after in itertools.pairwise(shapes)))
    text = "".join(printer.printa([(keys, [value]) for keys, value in rows]) for rows in several)
    got = layout.parse(text)
    rows = [row for rows in several for row in rows]
    assert [(r.keys, r.value) for r in got.rows] == [(plain(keys), value) for keys, value in rows]


# -- histograms -----------------------------------------------------------------------------------------------------

LOWS = [-(2**i) for i in range(61, -1, -1)] + [0] + [2**i for i in range(62)]
MAYBE = st.one_of(COUNT, st.integers(-(10**6), 10**6))
"""Counts may be negative: quantize(x, -1)."""


def filled(row: layout.Row) -> dict[float, int]:
    """{lower bound: count} of the buckets that are not empty."""
    assert row.bounds
    assert row.counts is not None
    return {low: n for low, n in zip(bounds(row.bounds), row.counts, strict=True) if n}


@given(
    sections(st.lists(KIND, max_size=3)).flatmap(
        lambda rows: st.tuples(
            st.just([keys for keys, _ in rows]),
            st.lists(st.dictionaries(st.sampled_from(LOWS), MAYBE, max_size=6), min_size=len(rows), max_size=len(rows)),
        )
    ),
    st.sampled_from([1, 1, 2, 10]),
    st.booleans(),
    st.booleans(),
)
def test_quantize(data: tuple[list[list[Key]], list[dict[int, int]]], normal: int, zoom: bool, utf8: bool) -> None:
    rows = list(zip(*data, strict=True))
    text = printer.printa([(keys, [printer.quantize(c, normal, zoom=zoom, utf8=utf8)]) for keys, c in rows])
    got = layout.parse(text).rows
    want = [(plain(k), {low: math.trunc(n / normal) for low, n in c.items()}) for k, c in rows]
    assert [(r.keys, filled(r)) for r in got] == [(k, {low: n for low, n in c.items() if n}) for k, c in want]
    assert {r.agg for r in got} == {"quantize"}


@given(
    st.integers(-1000, 1000),
    st.integers(1, 500),
    st.integers(1, 30).flatmap(lambda levels: st.lists(MAYBE, min_size=levels + 2, max_size=levels + 2)),
    st.lists(KIND, max_size=2).flatmap(keys_like),
)
def test_lquantize(base: int, step: int, counts: list[int], keys: list[Key]) -> None:
    levels = len(counts) - 2
    (row,) = layout.parse(printer.printa([(keys, [printer.lquantize(base, levels, step, counts)])])).rows
    lows = [-math.inf, *(base + i * step for i in range(levels + 1))]
    got, want = filled(row), {low: n for low, n in zip(lows, counts, strict=True) if n}
    # With nothing but the underflow the text does not say where it ends.
    assert (row.keys, got) == (plain(keys), want)


@given(
    st.sampled_from([(2, 0, 4, 2), (10, 0, 3, 10), (10, 0, 6, 20), (10, 2, 5, 100), (4, 1, 4, 8), (5, 0, 3, 5)]),
    st.data(),
    st.booleans(),
)
def test_llquantize(parameters: tuple[int, int, int, int], data: st.DataObject, linux: bool) -> None:
    lows = printer.llquantize_lows(*parameters)
    n = 2 * len(lows) + 1 if linux else len(lows) + 1
    counts = data.draw(st.lists(MAYBE, min_size=n, max_size=n) | st.integers(0, n - 1).map(lambda i: one(i, n)))
    print_ = printer.llquantize_linux if linux else printer.llquantize
    (row,) = layout.parse(printer.printa([([Text("all of it")], [print_(lows, counts)])])).rows
    if linux and row.agg != "llquantize":
        # Powers of two, or equal steps: read as what they look like, by their labels.
        starts = [-math.inf, *(-low for low in reversed(lows[:-1])), 0, *lows]
    elif linux:
        # Below zero a label is the end nearer to zero, so that a bucket begins where the one below it is named.
        starts = [-math.inf, *(-low for low in reversed(lows)), *lows]
        starts[len(lows)] *= lows[0] > 1  # nothing but 0 has no room on either side
    else:
        starts = [-math.inf, *lows]
    assert list(filled(row).values()) == [c for c in counts if c]
    for low, start in zip(filled(row), [s for s, c in zip(starts, counts, strict=True) if c], strict=True):
        assert low == start or (low == -math.inf and start < 0)  # nothing is printed below the lowest bucket


def one(at: int, n: int) -> list[int]:
    return [7 if i == at else 0 for i in range(n)]


# -- several aggregations in one printa -----------------------------------------------------------------------------

JOINED = st.lists(st.sampled_from(["n", "q", "l"]), min_size=2, max_size=5)


@given(st.lists(st.sampled_from(["text", "int32", "int64"]), max_size=3), JOINED, st.data())
def test_joined(shape: list[str], values: list[str], data: st.DataObject) -> None:
    rows: list[tuple[list[Key], list[int | str], list[Any]]] = []
    for _ in range(data.draw(st.integers(1, 4)) if shape else 1):
        printed: list[int | str] = []
        plain_: list[Any] = []
        for kind in values:
            if kind == "n":
                n = data.draw(SCALAR)
                printed.append(n)
                plain_.append(n)
            elif kind == "q":
                counts = data.draw(st.dictionaries(st.sampled_from(LOWS), COUNT, max_size=3))
                printed.append(printer.quantize(counts))
                plain_.append({low: n for low, n in counts.items() if n})
            else:
                linear = data.draw(st.lists(COUNT, min_size=6, max_size=6))
                printed.append(printer.lquantize(0, 4, 10, linear))
                lows = [-math.inf, 0.0, 10.0, 20.0, 30.0, 40.0]
                plain_.append({low: n for low, n in zip(lows, linear, strict=True) if n})
        rows.append((data.draw(keys_like(shape)), printed, plain_))
    got = layout.parse(printer.printa([(keys, printed) for keys, printed, _ in rows]), values=len(values)).rows
    want = [(plain(keys), v) for keys, _, many in rows for v in many]
    assert [(r.keys, r.value if r.counts is None else filled(r)) for r in got] == want


# -- agghist, aggpack -----------------------------------------------------------------------------------------------

SHORT = st.lists(WORD, min_size=1, max_size=3).map(" ".join).filter(lambda s: len(s) <= 16).map(Text)
PACKED = st.one_of(
    st.just([SHORT]),
    st.just([st.integers(-(2**31), 2**31 - 1).map(Int)]),
    st.just([SHORT, st.integers(0, 99999).map(Int), st.integers(0, 65535).map(lambda n: Int(n, 16))]),
    st.just([SHORT, SHORT]),
    st.just([]),
)


@given(PACKED, st.data(), st.booleans())
def test_agghist(shape: list[st.SearchStrategy[Key]], data: st.DataObject, zoom: bool) -> None:
    assume(shape)
    row = st.tuples(st.tuples(*shape).map(list), st.integers(-(10**6), 10**9))
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    got = layout.parse(printer.agghist(rows, zoom=zoom) + "\n").rows
    assert [r.value for r in got] == [n for _, n in rows]
    if len(shape) == 1:
        assert [r.keys for r in got] == [plain(keys) for keys, _ in rows]
    else:
        assert [" ".join(r.keys).split() for r in got] == [" ".join(plain(keys)).split() for keys, _ in rows]


@given(PACKED, st.data(), st.booleans())
def test_aggpack(shape: list[st.SearchStrategy[Key]], data: st.DataObject, linear: bool) -> None:
    labels = ["< -10", "-10", "0", "10", ">= 20"] if linear else ["0", "1", "2", "4", "8", "16", "32"]
    counts = st.lists(st.integers(0, 1000), min_size=len(labels), max_size=len(labels))
    rows = data.draw(st.lists(st.tuples(st.tuples(*shape).map(list), counts), min_size=1, max_size=6))
    got = layout.parse(printer.aggpack(rows, labels, linear=linear) + "\n").rows
    assert [r.value for r in got] == [sum(c) for _, c in rows]
    assert [" ".join(r.keys).split() for r in got] == [" ".join(plain(keys)).split() for keys, _ in rows]


# -- cuts -----------------------------------------------------------------------------------------------------------

MIXED = (
    printer.printa([([Text("a b"), Int(7)], [5]), ([Text("c"), Int(12345678)], [-1234567])])
    + "dtrace: 3 drops on CPU 0\n"
    + printer.printa([([Text("imapd")], [printer.quantize({-4: 1, 8: 70, 1024: 9})])])
    + printer.printa([([Stack(("genunix`read+0x1", "unix`sys_syscall+0x10e"))], [2]), ([Stack(("0x1",))], [3])])
    + printer.printa([([Int(1)], [printer.lquantize(0, 3, 10, [1, 2, 0, 4, 5])])])
)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_cut_text_gives_the_rows_before_the_cut(line_end: str) -> None:
    text = MIXED.replace("\n", line_end)
    whole = layout.parse(text)
    assert (len(whole.rows), whole.torn, whole.drops) == (6, "", 3)
    for cut in range(len(text)):
        part = layout.parse(text[:cut])
        same = [r for r, w in zip(part.rows, whole.rows, strict=False) if r == w]
        assert part.rows[: len(same)] == whole.rows[: len(same)]
        if len(same) < len(part.rows):
            assert len(part.rows) == len(same) + 1, "more than the row under way is not what it was"
            assert part.torn, f"a half-printed row is not told: {text[:cut][-80:]!r}"


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=2000), st.binary(max_size=60).map(lambda b: b * 40)))
def test_no_bytes_break_it(data: bytes) -> None:
    answer = layout.parse(data.decode("utf-8", "replace"))
    answer.frame("q", "h", 0.0)
    kept = sum(len(k) for r in answer.rows for k in r.keys) + sum(map(len, answer.text))
    assert kept <= 2 * len(data) + 100
