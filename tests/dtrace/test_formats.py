"""Rows in a format of the program's own, and structured output: what was printed is what is read."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.dtrace import layout
from frames.schemas import bounds
from tests.dtrace import printer

RECORDED = Path(__file__).parent.parent / "recorded" / "dtrace"


def plain(answer: layout.Answer) -> list[Any]:
    out: list[Any] = []
    for row in answer.rows:
        if row.counts is None:
            out.append((row.keys, row.value))
        else:
            assert row.bounds
            low = bounds(row.bounds)
            out.append((row.keys, {low[i]: n for i, n in enumerate(row.counts) if n}))
    return out


def test_a_recording_told_its_formats() -> None:
    text = (RECORDED / "dt_printa_fmt.txt").read_text()
    formats = [r"A|%s|%d|%@d|\n", r"J|%s|%d|%@d|%@d|\n", r"Q|%s|%@d|\n"]
    assert plain(layout.parse(text, formats=formats))[:7] == [
        (["a b", "1"], 1),
        (["c", "2"], 1),
        (["a b", "1"], 1),
        (["a b", "1"], 2**64 - 5),
        (["c", "2"], 1),
        (["c", "2"], 0),
        (["z"], {2: 1}),
    ]


@pytest.mark.parametrize(
    ("form", "text", "rows"),
    [
        (r"%4d %-12s %8@d\n", "1234 imapd master        17\n", [(["1234", "imapd master"], 17)]),
        (r"   %-20s %@12d\n", "   read                           120\n", [(["read"], 120)]),
        (r"%@lu %@d %@u\n", "1 -2 3\n", [([], 1), ([], -2), ([], 3)]),
        (r"-->%-*@d<--\n", "-->100       <--\n", [([], 100)]),
        (r"%Y %s %@x\n", "2026 Nov  4 19:15:09 a b ff\n", [(["2026 Nov  4 19:15:09", "a b"], 255)]),
        (r"%a %@d%%\n", "genunix`read+0x1 7%\n", [(["genunix`read+0x1"], 7)]),
        (r"%s:%d;%@d", "a:1;2b:3;4\n", []),
        (r"%s%k%@d\n", "x\n              a`b+0x1\n              0x1\n5\n", [(["x", "a`b+0x1\n0x1"], 5)]),
        (r"%@d,", "1,2,3,\n", []),
        (r"  pid=%d, %s %@d\n", f"  pid=7, a key{printer.quantize({8: 2})}\n", [(["7", "a key"], {8: 2})]),
        (r"%s: %@d  \n", "a key: 7\n", [(["a key"], 7)]),
        (r"%-16s%@d", f"{'a key':<16}{printer.quantize({8: 2})}", [(["a key"], {8: 2})]),
    ],
)
def test_forms(form: str, text: str, rows: list[Any]) -> None:
    answer = layout.parse("A HEADING   COUNT\n" + text + "the end\n", formats=[form])
    assert plain(answer) == rows
    assert answer.text[0] == "A HEADING   COUNT"
    assert answer.text[-1] == "the end"


def test_the_first_row_stands_after_the_columns_of_its_probe() -> None:
    text = "CPU     ID                    FUNCTION:NAME\n"
    for second in (1, 2):
        text += f"  0  64091                        :tick-1s imapd {second}\nlmtpd {second + 5}\n\n"
    text += "  1      2                             :END in all 3\n"
    answer = layout.parse(text, formats=[r"%s %@d\n"])
    assert plain(answer) == [(["imapd"], 1), (["lmtpd"], 6), (["imapd"], 2), (["lmtpd"], 7), (["in all"], 3)]


@pytest.mark.parametrize("form", ["", "%s %d\n", "no value", "%@d" * 200])
def test_a_format_without_a_value_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="no aggregation"):
        layout.parse("1\n", formats=[form])


@pytest.mark.parametrize("form", [r"%s %s %s %@d\n", r"%s%k%@d\n", "%@d", r"%-20s %8@d\n"])
@pytest.mark.parametrize("text", [" " * 50_000, "x\n" + "  a`b\n" * 3_000, "a " * 25_000])
def test_texts_that_fit_a_format_nowhere_take_no_time(form: str, text: str) -> None:
    began = time.process_time()
    assert not layout.parse(text, formats=[form]).rows
    assert time.process_time() - began < 10


WORD = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="|"), max_size=30)


@given(st.lists(st.tuples(WORD, st.integers(-(2**31), 2**31), WORD, st.integers(-(2**63), 2**63 - 2)), max_size=5))
def test_delimited_rows_come_back(rows: list[tuple[str, int, str, int]]) -> None:
    text = "".join(f"|{a:<20}|{n:8d}|{b:>9}|{v:d}|\n" for a, n, b, v in rows)
    got = layout.parse(text, formats=[r"|%-20s|%8d|%9s|%@d|\n"])
    assert plain(got) == [([a, str(n), b], None if v == -(2**63) else v) for a, n, b, v in rows]


@given(st.text(max_size=200), st.text(st.sampled_from("%@dsk-8 |\n\\"), max_size=20))
def test_no_format_and_no_text_break_it(text: str, form: str) -> None:
    layout.parse(text * 5, formats=["%@d" + form])


# -- structured ------------------------------------------------------------------------------------------------------


def structured(*outputs: dict[str, Any]) -> str:
    probe = {"timestamp": 1, "cpu": 0, "id": 1, "provider": "dtrace", "module": "", "function": "", "name": "END"}
    drop = {"cpu": -1, "id": -1, "name": "DROP", "count": 7, "total": 7, "kind": 2, "msg": "7 dynamic variable drops\n"}
    return json.dumps({"dtrace": {"probes": [{**probe, "output": list(outputs)}, drop]}}, indent=2)


FREEBSD = structured(
    {"message": "hello\n"},
    {"aggregation-data": [{"keys": [{"value": "a  b"}, {"value": -3}], "count": 5}], "aggregation-name": "a"},
    {
        "aggregation-data": [
            {
                "keys": [{"stack-frames": [{"symbol": "kernel`read+0x1"}, {"symbol": "kernel`syscall"}]}],
                "buckets": [{"value": 16, "count": 0}, {"value": 32, "count": 17}, {"value": 64, "count": 0}],
            },
            {"keys": [{"sym": "zfs.ko`zio_execute", "object": "zfs.ko"}], "stddev": "18446744073709551615"},
            {"keys": [], "min": 2**63 - 1},
            {
                "keys": [],
                "buckets": [{"value": "< 0", "count": 1}, {"value": "0", "count": 2}, {"value": ">= 5", "count": 3}],
            },
        ],
        "aggregation-name": "q",
    },
)


def test_structured_output_of_freebsd() -> None:
    answer = layout.parse(FREEBSD)
    assert plain(answer) == [
        (["a  b", "-3"], 5),
        (["kernel`read+0x1\nkernel`syscall"], {32: 17}),
        (["zfs.ko`zio_execute"], 2**64 - 1),
        ([], None),
        ([], {float("-inf"): 1, 0: 2, 5: 3}),
    ]
    assert [r.agg for r in answer.rows] == ["count", "quantize", "stddev", "min", "lquantize"]
    assert (answer.drops, answer.text, answer.torn) == (7, ["hello"], "")


def test_structured_output_that_was_cut_says_where() -> None:
    for cut in range(20, len(FREEBSD)):
        answer = layout.parse(FREEBSD[:cut])
        assert not answer.rows
        assert "column" in answer.torn


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(
                    ["probes", "output", "aggregation-data", "keys", "buckets", "value", "count", "name", "sum"]
                ),
                s,
            )
        ),
        max_leaves=30,
    )
)
def test_no_structure_breaks_it(found: Any) -> None:
    layout.parse(json.dumps({"dtrace": found})).frame("q", "h", 0.0)
