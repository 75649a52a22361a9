"""ARC statistics of four systems: key figures read from the texts by eye."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.arcstats import SOURCE

RECORDED = Path(__file__).parents[1] / "recorded" / "arcstats"
VARIANTS = {v.name: v for v in SOURCE.variants}


def read(name: str) -> str:
    return (RECORDED / name).read_text()


def test_solaris10_over_its_own_snaptime() -> None:
    frame = parse_text(VARIANTS["kstat"], read("solaris10-kstat-p.txt"))["arcstats"]
    assert len(frame) == 3
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["size"] == 7301444403
    assert (first["c"], first["c_min"], first["p"]) == (7516192768, 6442450944, 3758096384)
    assert isnan(first["hits"]), "the first report has nothing to count from"
    assert second["hits"] == pytest.approx(5000 / 1.0004)
    assert second["l2_read_bytes"] == pytest.approx(19660800 / 1.0004), "4294960000 + … passes 2**32, no wrap"
    assert isnan(second["mru_size"]), "Solaris 10 has no list sizes"
    assert str(frame["time"].iloc[0]) == "2025-11-23 20:33:20+00:00"


def test_long_form_without_l2arc() -> None:
    frame = parse_text(VARIANTS["kstat-long"], read("solaris10-kstat-long.txt"))["arcstats"]
    assert list(frame["size"]) == [7301444403, 7302492979]
    assert frame["misses"].iloc[1] == 250 / 1.25
    assert isnan(frame["l2_size"].iloc[0])


def test_openzfs() -> None:
    frame = parse_text(VARIANTS["procfs"], read("linux-openzfs-2.4.4.txt"))["arcstats"]
    row = frame.iloc[0]
    assert row["size"] == 92246472
    assert row["c_min"] == 64688128
    assert row["mru_size"] == 32848896
    assert row["l2_size"] == 20774400
    assert row["meta_used"] == 5004744
    assert isnan(row["p"]), "gone since OpenZFS 2.2"


def test_openzfs_rates_over_the_headers_snaptime() -> None:
    text = read("linux-openzfs-2.4.4.txt")
    later = text.replace(" 135892833466", " 137892833466").replace("    42909\n", "    43009\n", 1)
    frame = parse_text(VARIANTS["procfs"], text + "\n" + later)["arcstats"]
    assert frame["hits"].iloc[1] == 50.0
    assert frame["misses"].iloc[1] == 0.0


def test_freebsd_sysctl() -> None:
    text = "".join(
        f"{1700000000 + i}\nkstat.zfs.misc.arcstats.size: {1000 + i}\nkstat.zfs.misc.arcstats.hits: {50 * i}\n\n"
        for i in range(2)
    )
    frame = parse_text(VARIANTS["sysctl"], text)["arcstats"]
    assert list(frame["size"]) == [1000, 1001]
    assert frame["hits"].iloc[1] == 50.0


def test_a_burst_that_rests_is_a_report_without_waiting_for_the_next() -> None:
    variant = VARIANTS["kstat"]
    parser = variant.parser(Context("h", "solaris10", 1.0))
    lines = read("solaris10-kstat-p.txt").splitlines()
    ends = [i for i, line in enumerate(lines) if not line]
    for line in lines[: ends[0]]:
        assert parser.feed(line, 0.0) == []
    assert parser.idle(0.1) == [], "how long a report is, is known from the second on"
    assert len(parser.feed("", 1.0)) == 1
    for line in lines[ends[0] + 1 : ends[1]]:
        assert parser.feed(line, 1.0) == []
    [batch] = parser.idle(1.1)
    assert batch.time == 1763930001
    assert parser.feed("", 2.0) == []


def test_a_torn_line_names_its_place_and_the_next_report_is_whole() -> None:
    lines = read("solaris10-kstat-p.txt").splitlines()
    at = lines.index("zfs:0:arcstats:hits\t30005000")
    lines[at] = "zfs:0:arcstats:hizfs:0:arc"
    parser = VARIANTS["kstat"].parser(Context("ms1", "solaris10", 1.0))
    rows, errors = [], []
    for line in [*lines, ""]:
        try:
            rows += parser.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
    assert [(e.host, e.line_no) for e in errors] == [("ms1", at + 1)]
    assert len(rows) == 2
    assert rows[1].columns["hits"][0] == pytest.approx(10000 / 2.0008)


def test_another_commands_output_is_refused() -> None:
    with pytest.raises(ParseError, match="line 1"):
        parse_text(VARIANTS["kstat"], "kstat: not found\n")
