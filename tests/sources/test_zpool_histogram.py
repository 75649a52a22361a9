"""Histograms of zpool iostat -w and -r: buckets, totals and their increase, headings of several releases."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from collectors.base import ParseError, Variant, parse_text
from collectors.sources.zpool_histogram import SOURCE, HistogramParser
from frames.schemas import BOUNDS_QUANTIZE
from tests.corpus import corpus, name, read, still_parses

STREAM = Variant("", ("linux",), lambda c: "", lambda c: HistogramParser(c, cumulative=False), "", "")
TOTALS = SOURCE.variants[0]


def counts(frame: pd.DataFrame, measure: str, vdev: str = "") -> dict[int, int]:
    """Lower bound to count, of the buckets that counted."""
    found = frame[(frame["measure"] == measure) & (frame["vdev"] == vdev)]
    assert len(found) == 1
    return {int(BOUNDS_QUANTIZE[i]): n for i, n in enumerate(found.iloc[0]["counts"]) if n}


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus("zpool-iostat-wrq"), ids=name)
def test_recordings_of_others(path: Path) -> None:
    if path.stem not in ("linux-1", "linux-3"):
        still_parses("zpool_histogram", path)
        return
    text = read(path)
    frame = parse_text(STREAM, text + text)["zpool_histogram"]  # the first report would be dropped
    if path.stem == "linux-1":  # -p: exact; a label is a bucket's end, 1us means 512 to 1023 ns
        assert counts(frame, "syncq_wait_read") == {512: 28, 1024: 91, 2048: 47}
        assert counts(frame, "asyncq_wait_write") == {256: 3, 512: 321, 1024: 1800, 2048: 1113}
        assert counts(frame, "scrub_wait") == {512: 4518, 1024: 2697, 2048: 158}
    else:
        assert counts(frame, "syncq_wait_read") == {
            512: 109 * 1024,
            1024: round(2.04 * 2**20),
            2048: 552 * 1024,
            4096: round(28.1 * 1024),
            8192: round(6.3 * 1024),
        }
        assert counts(frame, "scrub_wait") == {1024: 4}


def table(*rows: str, pool: str = "tank") -> str:
    return "\n" + pool + "\n" + "".join(row.replace(" ", "\t") + "\n" for row in rows)


def asked(*tables: str) -> str:
    """Reports of a command that was asked again and again."""
    return "".join(f"== begin {1795449500 + i} 2026-11-23 15:58:{20 + i}\n{t}== end\n" for i, t in enumerate(tables))


def test_totals_become_increments() -> None:
    first = table("1023 1 0 0 0 0 0 0 0 0", "2047 7 0 0 0 0 0 0 0 0")
    second = table("1023 1 0 0 0 0 0 0 0 0", "2047 9 3 0 0 0 0 0 0 0")
    frame = parse_text(TOTALS, asked(first, second))["zpool_histogram"]
    assert counts(frame, "total_wait_read") == {1024: 2}
    assert counts(frame, "total_wait_write") == {1024: 3}
    assert set(frame["measure"]) == {"total_wait_read", "total_wait_write"}, "what never counted is no row"


def test_a_pool_imported_anew_is_no_negative_count() -> None:
    first, second = table("1023 5 0 0 0 0 0 0 0 0"), table("1023 2 0 0 0 0 0 0 0 0")
    assert parse_text(TOTALS, asked(first, second)) == {}
    frame = parse_text(TOTALS, asked(first, second, table("1023 3 0 0 0 0 0 0 0 0")))["zpool_histogram"]
    assert counts(frame, "total_wait_read") == {512: 1}


def test_request_sizes_by_their_lower_end() -> None:
    one = table("512 0 0 0 0 0 0 0 0 0 0", "1024 4 0 0 0 0 0 0 0 0 0")
    frame = parse_text(STREAM, one + one)["zpool_histogram"]
    assert counts(frame, "sync_read_ind") == {1024: 4}


@pytest.mark.parametrize("stamp", ["1795468643", "Mon Nov 23 21:17:23 UTC 2026", "# zpool iostat -wHp -T u 1"])
def test_a_stamp_is_no_name(stamp: str) -> None:
    text = asked(*(f"{stamp}\n" + table(f"1023 {n} 0 0 0 0 0 0 0 0") for n in (1, 4)))
    frame = parse_text(TOTALS, text)["zpool_histogram"]
    assert frame["pool"].unique().tolist() == ["tank"]
    assert counts(frame, "total_wait_read") == {512: 3}


@pytest.mark.parametrize(
    ("before", "between", "expected"),
    [
        ("", "", [7]),  # a stream: what came within the second
        ("$ zpool iostat -wHp 1 2\n", "1795468644\n", [7]),
        ("$ zpool iostat -wHp\n", "Again, a minute later:\n$ zpool iostat -wHp\n", [6]),  # totals, twice
        ("$ zpool iostat -wHp 1 1\n", "$ zpool iostat -wHp 1 1\n", None),  # nothing but means since import
    ],
)
def test_reports_of_a_saved_text(before: str, between: str, expected: list[int] | None) -> None:
    first, second = (table(f"1023 {n} 0 0 0 0 0 0 0 0") for n in (1, 7))
    frames = parse_text(TOTALS, before + first + between + second)
    assert [sum(c) for c in frames["zpool_histogram"]["counts"] if any(c)] == expected if expected else frames == {}


def test_one_report_of_a_saved_text_is_its_totals() -> None:
    text = "It is slow:\n```\n$ zpool iostat -w tank\n\ntank         total_wait     disk_wait  scrub\n"
    text += "latency      read  write   read  write   wait\n----------  -----  -----  -----  -----  -----\n"
    text = text.replace("scrub\n", "\n").replace("   wait", "  scrub")
    text += "511ns           0      0      0      0      0\n1us          109K      3      0      0      4\n```\nWhy?\n"
    frame = parse_text(TOTALS, text)["zpool_histogram"]
    assert frame["pool"].unique().tolist() == ["tank"]
    assert counts(frame, "total_wait_read") == {512: 109 * 1024}
    assert counts(frame, "scrub_wait") == {512: 4}


def test_errors_name_the_line() -> None:
    with pytest.raises(ParseError) as e:
        parse_text(TOTALS, table("1023 1 0 0 0 0 0 0 0 0", "2047 1 0 x 0 0 0 0 0 0"))
    assert e.value.line_no == 4
