"""zpool iostat: the forms that recordings do not have, written after the tools' own manual pages and sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collectors.base import Batch, Context, ParseError, Variant, parse_text
from collectors.sources.zpool_iostat import SOURCE, IostatParser
from tests.corpus import corpus, name, read, still_parses

HEADING = """\
               capacity     operations    bandwidth
pool         used  avail   read  write   read  write
----------  -----  -----  -----  -----  -----  -----
"""
RULE = "----------  -----  -----  -----  -----  -----  -----\n"
VARIANTS = {v.name: v for v in SOURCE.variants}
CONTEXT = Context("h", "solaris10", 1.0)


def as_printed(text: str) -> str:
    """Rows in the tool's own columns: the tests write them with single blanks."""
    lines = []
    for line in text.splitlines():
        name, *cells = line.rsplit(None, 6) if line.strip() else [""]
        row = len(cells) == 6 and "\t" not in line and cells[0] not in ("used", "alloc") and "-----" not in line
        lines.append(f"{name:<10}" + "".join(f"  {c:>5}" for c in cells) if row else line)
    return "\n".join(lines) + "\n"


def keeping_the_first(**options: bool) -> Variant:
    """A variant whose parser takes the first report for an interval, as people paste them."""
    return Variant("", ("linux",), lambda c: "", lambda c: IostatParser(c, first_is_interval=True, **options), "", "")


def frame(text: str, variant: Variant | None = None) -> pd.DataFrame:
    return parse_text(variant or keeping_the_first(), as_printed(text))["zpool_iostat"]


def at(frame: pd.DataFrame, vdev: str, pool: str | None = None, second: int = 1) -> pd.Series:
    found = frame[(frame["vdev"] == vdev) & (frame["time"].astype("int64") == second * 1_000_000)]
    found = found if pool is None else found[found["pool"] == pool]
    assert len(found) == 1
    return found.iloc[0]


# figures read from the files by eye: (vdev, column) of a pool in the one report that each file holds
CORPUS: dict[str, tuple[int, dict[tuple[str, str, str], Any]]] = {
    "linux-1": (
        6,
        {
            ("zhgstera6", "", "alloc"): 2.89 * 2**40,
            ("zint500", "ST3500418AS-5VMSTSSX:5", "write_bytes"): 318 * 1024,
            ("zsam53", "Portable_SSD_T5-S49WNP0N120517B:8", "read_bytes"): 14.7 * 1024,
        },
    ),
    "linux-3": (2, {("rpool", "", "write_ops"): 55, ("rpool", "sda1", "write_bytes"): 2.69 * 2**20}),
    "linux-5": (
        5,
        {
            ("mypool", "", "total_wait_write"): 6e-6,
            ("mypool", "A1", "scrub_wait"): 67e-9,
            ("mypool", "logs/A3", "alloc_class"): "log",
            ("mypool", "logs/A3", "disk_wait_write"): 147e-9,
            ("mypool", "cache/A4", "asyncq_wait_write"): 96e-9,
        },
    ),
    "solaris10-1": (
        6,
        {
            ("data", "", "alloc"): 602 * 2**20,
            ("data", "raidz1-0", "write_ops"): 51,
            ("data", "raidz1-0/c8t0d0", "write_bytes"): 2.23 * 2**20,
        },
    ),
    "solaris10-3": (2, {("terrorbyte", "", "read_bytes"): 275 * 1024, ("rpool", "", "read_bytes"): 472}),
    "solaris10-5": (2, {("rpool", "", "alloc"): 6.05 * 2**30, ("tank", "", "write_bytes"): 86.1 * 1024}),
    "zfs-fuse-1": (8, {("vol0", "sdg", "size"): 37.2 * 2**30 + 75 * 2**20, ("multimedia", "sdf1", "read_ops"): 6}),
}


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus("zpool-iostat"), ids=name)
def test_recordings_of_others(path: Path) -> None:
    if path.stem not in CORPUS:
        still_parses("zpool_iostat", path)
        return
    rows, figures = CORPUS[path.stem]
    got = parse_text(keeping_the_first(), read(path))["zpool_iostat"]
    assert len(got) == rows
    for (pool, vdev, column), expected in figures.items():
        value = at(got, vdev, pool)[column]
        assert value == expected if isinstance(expected, str) else value == pytest.approx(expected)


def test_the_first_report_is_no_interval() -> None:
    report = HEADING + "data         602M  3.16G      0     51      0  6.43M\n" + RULE
    assert frame(report + report, VARIANTS["headings"])["write_ops"].tolist() == [51]
    parser = IostatParser(CONTEXT)
    assert [b for line in as_printed(report).splitlines() for b in parser.feed(line, 0.0)] + parser.end(0.0) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_text_without_intervals_shows_its_means(variant: str) -> None:
    """People paste one report; several commands one after the other are several of them."""
    report = HEADING + "data         602M  3.16G      0     51      0  6.43M\n" + RULE
    prompt = "# zpool iostat -v data\n"
    assert frame(report, VARIANTS[variant])["write_ops"].tolist() == [51]
    assert frame(prompt + report + prompt + report, VARIANTS[variant])["write_ops"].tolist() == [51, 51]
    asked = prompt.replace("-v data", "-vy data 5")
    assert frame(asked + report + prompt + report, VARIANTS["headings"])["write_ops"].tolist() == [51]


def test_rounding_travels_with_the_value() -> None:
    row = at(frame(HEADING + "data         602M  3.16G      0     51     70  12K\n" + RULE), "")
    assert row["alloc_step"] == 2**20, "602M: to a whole MiB"
    assert pd.isna(row["bytes_step"]), "12K is printed for an even multiple only: exact"


def test_the_coarser_of_two_equal_bandwidths_tells_the_step() -> None:
    rows = "data  1G  2G  1  2  2T  2.00T\nmore  1G  2G  1  2  2.00T  2T\n"
    assert frame(HEADING + rows + RULE)["bytes_step"].tolist() == [2**40 / 100, 2**40 / 100]


def test_pools_named_like_keywords() -> None:
    text = HEADING
    for pool in ("logs", "mirror", "pool", "cache"):
        text += f"{pool}  1G  2G  1  2  3  4\n  mirror  1G  2G  1  2  3  4\n    c0  -  -  5  6  7  8\n"
        text += "logs  -  -  -  -  -  -\n  c1  1M  2M  1  0  1  0\n" + RULE
    got = frame(text)
    assert got[got["kind"] == "pool"]["pool"].tolist() == ["logs", "mirror", "pool", "cache"]
    assert at(got, "logs/c1", "pool")["alloc_class"] == "log"
    assert at(got, "mirror-0/c0", "cache")["read_ops"] == 5


def test_names_with_blanks_and_slashes_push_the_columns() -> None:
    text = HEADING + "data         1G  2G  1  2  3  4\n"
    text += "  gptid/4e377340-917d-11ea-a640-b42e99bf5e8f.eli  1G  2G  1  2  3  4\n"
    text += "  Backup Disk 2 (USB)  1G  2G  9  2  3  4\n" + RULE
    got = frame(text)
    assert at(got, "Backup Disk 2 (USB)")["read_ops"] == 9
    assert at(got, "gptid/4e377340-917d-11ea-a640-b42e99bf5e8f.eli")["write_bytes"] == 4


def test_old_names_get_the_index_among_their_siblings() -> None:
    text = HEADING + "data  9G  9G  0  0  0  0\n"
    for top in ("raidz1", "raidz1"):
        text += f"  {top}  1G  1G  0  0  0  0\n    replacing  -  -  0  0  0  0\n      c1  -  -  0  0  0  0\n"
        text += "      c2  -  -  0  0  0  0\n    c3  -  -  0  0  0  0\n"
    text += "logs  -  -  -  -  -  -\n  mirror  1G  1G  0  0  0  0\n    c4  -  -  0  0  0  0\n"
    text += "cache  -  -  -  -  -  -\n  c5  1G  1G  0  0  0  0\n" + RULE
    vdevs = frame(text)["vdev"].tolist()
    assert "raidz1-1/replacing-0/c2" in vdevs
    assert "raidz1-0/c3" in vdevs
    assert "logs/mirror-2/c4" in vdevs, "a log is a top-level vdev of the pool and counts with them"
    assert "cache/c5" in vdevs


def test_stamps_in_both_forms() -> None:
    row = "data         1G  2G  1  2  3  4\n"
    text = "1795468643\n" + HEADING + row + RULE + "\n1795468644\n" + HEADING + row + RULE
    assert frame(text, VARIANTS["headings-stamped"])["time"].astype("int64").tolist() == [1795468644 * 1_000_000]
    text = (
        "Mon Nov 23 21:17:23 UTC 2026\n"
        + HEADING
        + row
        + RULE
        + "Mon Nov 23 21:17:24 UTC 2026\n"
        + HEADING
        + row
        + RULE
    )
    assert str(frame(text, VARIANTS["headings"])["time"][0]) == "2026-11-23 21:17:24+00:00"


def test_an_interval_is_given_at_its_closing_line() -> None:
    """Not only when the next one begins: a second would be lost."""
    parser = IostatParser(CONTEXT)
    report = as_printed(HEADING + "data  1G  2G  1  2  3  4\n  c0  1G  2G  1  2  3  4\n" + RULE).splitlines()
    for line in report + report[:-1]:
        assert parser.feed(line, 0.0) == []
    assert [len(b.columns["vdev"]) for b in parser.feed(report[-1], 0.0)] == [2]
    assert parser.idle(0.1) == parser.end(0.2) == []


def test_rest_of_the_output_ends_an_interval_of_tabs() -> None:
    parser = IostatParser(CONTEXT, first_is_interval=True, learn=True)
    table = HEADING + "data  1G  2G  0  0  0  0\n  c0  1G  2G  0  0  0  0\n" + RULE
    for line in as_printed(table).splitlines():
        parser.feed(line, 0.0)
    for line in ("1795468643", "data\t1\t2\t3\t4\t5\t6", "c0\t1\t2\t3\t4\t5\t6"):
        assert parser.feed(line, 0.0) == []
    (batch,) = parser.idle(0.1)
    assert batch.time == 1795468643
    assert batch.columns["vdev"] == ["", "c0"]


def test_a_device_that_is_added_or_lost_starts_from_boot() -> None:
    """The tool begins anew when the configuration changed; those rates are means since boot and are left out."""
    base = HEADING + "data  1G  2G  100  200  3M  4M\n  c0  1G  2G  10  20  30  40\n"
    text = (
        base.replace("100  200", "1  2")
        + RULE
        + base
        + RULE
        + base
        + "  c1  1G  2G  99  99  99M  99M\n"
        + RULE
        + base
        + RULE
    )
    got = frame(text, VARIANTS["headings"])
    assert got["vdev"].tolist() == ["", "c0", "", "c0", "c1", "", "c0"]
    assert got["read_ops"].isna().tolist() == [False, False, True, True, True, True, True]
    assert got["alloc"].notna().all()


def test_the_mean_since_boot_is_recognised_when_no_name_changed() -> None:
    boot = (
        HEADING
        + "data  1G  2G  100  200  3.00M  4.00M\n  c0  1G  2G  50  100  1.5M  2M\n  c1  1G  2G  50  100  1.5M  2M\n"
    )
    busy = boot.replace("100  200", "300  400")
    got = frame(boot + RULE + busy + RULE + boot + RULE, VARIANTS["headings"])
    assert got[got["vdev"] == ""]["read_ops"].isna().tolist() == [False, True]


def test_a_bad_line_costs_its_own_interval_only() -> None:
    report = HEADING + "data  1G  2G  1  2  3  4\n  c0  1G  2G  1  2  3  4\n" + RULE
    bad = report.replace("  c0  1G  2G  1  2  3  4", "  c0  1G  2G  1  what")
    parser = IostatParser(CONTEXT)
    batches: list[Batch] = []
    errors: list[ParseError] = []
    for line in as_printed(report + bad + report).splitlines():
        try:
            batches += parser.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
    assert len(batches) == 1
    assert [(e.source, e.host, e.line_no) for e in errors] == [("zpool_iostat", "h", 11)]


def test_bad_cell_of_tabs_is_named_by_its_column() -> None:
    parser = IostatParser(CONTEXT)
    with pytest.raises(ParseError) as e:
        parser.feed("tank\t345702400\t2607087616\t5\tx1\t390314\t3281081", 0.0)
    assert (e.value.line_no, e.value.column) == (1, 29)


def test_rows_of_different_width_are_not_one_report() -> None:
    parser = IostatParser(CONTEXT)
    parser.feed("tank\t" + "\t".join("1" * 17), 0.0)
    with pytest.raises(ParseError, match="6 columns"):
        parser.feed("vdb\t1\t2\t3\t4\t5\t6", 0.0)
    assert parser.end(0.0) == []


EXACT = """\
tank\t300\t700\t1\t2\t3\t4
mirror-0\t100\t300\t1\t2\t3\t4
a1\t0\t0\t1\t2\t3\t4
replacing-1\t0\t0\t1\t2\t3\t4
a2\t0\t0\t1\t2\t3\t4
a3\t0\t0\t1\t2\t3\t4
a4\t0\t0\t1\t2\t3\t4
mirror-1\t150\t250\t1\t2\t3\t4
b1\t0\t0\t1\t2\t3\t4

s1\t50\t150\t1\t2\t3\t4

l1\t7\t8\t1\t2\t3\t4
l2\t7\t8\t1\t2\t3\t4
other\t10\t20\t1\t2\t3\t4
d1\t4\t6\t1\t2\t3\t4
d2\t6\t14\t1\t2\t3\t4
"""


def test_the_tree_from_tabs_alone() -> None:
    """Space tells top-level vdevs, their sum tells where a pool ends; sections stay without a name."""
    got = frame(EXACT)
    assert list(zip(got["pool"], got["vdev"], strict=True)) == [
        ("tank", ""),
        ("tank", "mirror-0"),
        ("tank", "mirror-0/a1"),
        ("tank", "mirror-0/replacing-1"),
        ("tank", "mirror-0/replacing-1/a2"),
        ("tank", "mirror-0/replacing-1/a3"),
        ("tank", "mirror-0/a4"),
        ("tank", "mirror-1"),
        ("tank", "mirror-1/b1"),
        ("tank", "section-1/s1"),
        ("tank", "section-2/l1"),
        ("tank", "section-2/l2"),
        ("other", ""),
        ("other", "d1"),
        ("other", "d2"),
    ]
    assert got[got["vdev"] == "section-1/s1"]["alloc_class"].isna().all()


def test_the_table_before_the_tabs_names_the_sections() -> None:
    """And a device that is replaced in mid-stream keeps them."""
    table = HEADING + "tank  300  700  0  0  0  0\n  a1  300  700  0  0  0  0\n"
    table += (
        "special  -  -  -  -  -  -\n  s1  5  5  0  0  0  0\nlogs  -  -  -  -  -  -\n  l1  5  5  0  0  0  0\n" + RULE
    )
    rows = "tank\t300\t700\t1\t2\t3\t4\na1\t300\t700\t1\t2\t3\t4\n\ns1\t5\t5\t1\t2\t3\t4\n\nl1\t5\t5\t1\t2\t3\t4\n"
    text = table + "1795468643\n" + rows + "1795468644\n" + rows.replace("a1", "a9") + "1795468645\n"
    got = frame(text, keeping_the_first(learn=True))
    assert got["vdev"].tolist() == ["", "a1", "special/s1", "logs/l1", "", "a9", "special/s1", "logs/l1"]
    assert got["alloc_class"].tolist() == ["data", "data", "special", "log"] * 2


def test_columns_of_tabs_follow_the_heading() -> None:
    """-q of OpenZFS 2.4 has seven queues; the heading of the table before says so."""
    heading = (
        "              capacity     operations     bandwidth    syncq_read    scrubq_read   newq_write\n"
        "pool        alloc   free   read  write   read  write   pend  activ   pend  activ   pend  activ\n"
    )
    text = heading + "tank  1G  1G  0  0  0  0  0  0  0  0  0  0\n" + RULE
    text += "tank\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\n"
    row = frame(text, keeping_the_first(learn=True)).iloc[0]
    assert (row["syncq_read_activ"], row["scrubq_read_pend"]) == (8, 9)
    assert pd.isna(row["asyncq_read_pend"])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (15, "scrub_wait"),
        (16, "trim_wait"),
        (17, "rebuild_wait"),
        (18, "trimq_write_activ"),
        (20, "rebuildq_write_activ"),
    ],
)
def test_columns_of_tabs_by_their_number(columns: int, expected: str) -> None:
    row = frame("tank\t" + "\t".join(["5"] * columns) + "\n").iloc[0]
    assert row[expected] == pytest.approx(5e-9 if "wait" in expected else 5)


PASTED = {
    "squeezed to single blanks": """\
capacity operations bandwidth
pool used avail read write read write
---------- ----- ----- ----- ----- ----- -----
tank 100G 20.0G 1 2 3 4K
dozer 12.3G 67.7G 1 2 3 1.20K
""",
    "a column too short": HEADING
    + """\
tank       100G  20.0G      1      2      3     4K
dozer     12.3G  67.7G      1      2      3  1.20K
""",
    "indented, with its prompt": """\
    [root@host ~]# zpool iostat
                   capacity     operations    bandwidth
    pool         used  avail   read  write   read  write
    ----------  -----  -----  -----  -----  -----  -----
    tank         100G  20.0G      1      2      3     4K
    dozer       12.3G  67.7G      1      2      3  1.20K
    ----------  -----  -----  -----  -----  -----  -----
""",
    "with its prompt, words and another command behind it": f"""\
Look:
```
root@host:~# zpool iostat
{HEADING}\
tank         100G  20.0G      1      2      3     4K
dozer       12.3G  67.7G      1      2      3  1.20K
root@host:~# df -k /tank
Filesystem   kbytes    used   avail capacity  Mounted on
tank         64M        18K     63M       1%  /tank
```
What does 20.0G mean?
""",
    "in a comment": "".join(
        f"\t\t#{line}\n"
        for line in f"{HEADING}tank         100G  20.0G      1      2      3     4K\n"
        "dozer       12.3G  67.7G      1      2      3  1.20K\n*/".splitlines()
    ),
    "below a heading that was cut": HEADING.split("\n", 1)[1]
    + """\
tank         100G  20.0G      1      2      3     4K
dozer       12.3G  67.7G      1      2      3  1.20K
""",
    "decimal commas": HEADING
    + """\
tank         100G  20,0G      1      2      3     4K
dozer       12,3G  67,7G      1      2      3  1,20K
""",
}


@pytest.mark.parametrize("how", PASTED)
def test_texts_that_people_edited(how: str) -> None:
    got = parse_text(keeping_the_first(), PASTED[how])["zpool_iostat"]
    assert got["pool"].tolist() == ["tank", "dozer"]
    assert got["size"].tolist() == pytest.approx([120 * 2**30, 80 * 2**30])
    assert got["write_bytes"].tolist() == pytest.approx([4096, 1228.8])


def test_rows_that_lost_their_indentation() -> None:
    """A dashed line tells where a pool begins; a disk belongs to the group before it."""
    text = HEADING + "tank  1T  2T  1  2  3  4\nraidz1-0  1T  2T  1  2  3  4\nada0  -  -  1  2  3  4\n"
    text += "replacing-1  -  -  1  2  3  4\nada1  -  -  1  2  3  4\nada2  -  -  1  2  3  4\nada3  -  -  1  2  3  4\n"
    text += "logs  -  -  -  -  -  -\nada4  1G  1G  1  2  3  4\n" + RULE
    text += "root  1T  2T  1  2  3  4\nmirror-0  1T  2T  1  2  3  4\nada5  -  -  1  2  3  4\n" + RULE
    got = frame(text)
    assert got["pool"].tolist() == ["tank"] * 8 + ["root"] * 3
    assert got["vdev"].tolist() == [
        "",
        "raidz1-0",
        "raidz1-0/ada0",
        "raidz1-0/replacing-1",
        "raidz1-0/replacing-1/ada1",
        "raidz1-0/replacing-1/ada2",
        "raidz1-0/ada3",
        "logs/ada4",
        "",
        "mirror-0",
        "mirror-0/ada5",
    ]


def test_a_row_that_ends_the_output_too_early_was_cut() -> None:
    text = as_printed(HEADING + "data  1G  2G  1  2  3  4\n  c0  1G  2G  1  2  3  4.5K\n")
    with pytest.raises(ParseError, match="the row is cut") as e:
        parse_text(keeping_the_first(), text[: text.rindex("K")])
    assert (e.value.line_no, e.value.column) == (5, 51)
    parser = IostatParser(CONTEXT, first_is_interval=True)
    for line in text[: text.rindex("K")].splitlines():
        parser.feed(line, 0.0)
    assert parser.idle(0.1) == [], "a pause does not make it whole"


def test_columns_that_nobody_knows_are_passed_over() -> None:
    text = "              capacity     operations     bandwidth      latency\n"
    text += "pool        alloc   free   read  write   read  write   read  write\n"
    text += "data           1G     1G      7      0      0      0  1.2ms  oddly\n"
    assert parse_text(keeping_the_first(), text)["zpool_iostat"]["read_ops"].tolist() == [7]


def test_vdevs_that_were_asked_for_have_no_pool() -> None:
    text = HEADING.replace("pool", "vdev") + "mirror-0  1G  2G  1  2  3  4\n  c0  -  -  1  2  3  4\n" + RULE
    got = frame(text)
    assert got["pool"].tolist() == ["", ""]
    assert got["vdev"].tolist() == ["mirror-0", "mirror-0/c0"]
    assert got["kind"].tolist() == ["mirror", "disk"]


@pytest.mark.parametrize(
    "stamp",
    [
        "mardi 24 novembre 2026 à 00:12:03 (UTC+0100)",
        "Di 24. Nov 00:12:04 CET 2026",
        "2026年11月24日 00時12分05秒 JST",
        "Tuesday, November 24, 2026 12:12:06 AM CET",
        "24 November 2026 00:12:07 GMT",
    ],
)
def test_dates_of_other_places(stamp: str) -> None:
    """They end a report; what they say cannot be told, so the arrival is the time."""
    report = HEADING + "data  1G  2G  1  2  3  4\n" + RULE
    got = frame(f"{stamp}\n{report}{stamp}\n{report}", VARIANTS["headings"])
    assert got["write_ops"].tolist() == [2]


def test_classes_of_openzfs_and_a_vdev_that_was_removed() -> None:
    text = "pool  9G  9G  1  2  3  4\n  mirror-0  9G  9G  1  2  3  4\n    a  -  -  1  2  3  4\n"
    text += "    spare-1  -  -  1  2  3  4\n      b  -  -  1  2  3  4\n      draid2-0-1  -  -  1  2  3  4\n"
    text += "  indirect-1  -  -  0  0  0  0\n  draid2:8d:24c:2s-2  9G  9G  1  2  3  4\n    c  -  -  1  2  3  4\n"
    for section in ("dedup", "special", "logs", "cache"):
        text += f"{section}  -  -  -  -  -  -\n  {section}0  1G  1G  1  2  3  4\n"
    got = frame(HEADING + text + RULE).set_index("vdev")
    assert got["kind"]["mirror-0/spare-1/draid2-0-1"] == "disk"
    assert got["kind"][["indirect-1", "draid2:8d:24c:2s-2"]].tolist() == ["indirect", "draid2"]
    classes = got["alloc_class"][["dedup/dedup0", "special/special0", "logs/logs0", "cache/cache0"]]
    assert classes.tolist() == ["dedup", "special", "log", "cache"]


def test_commands() -> None:
    ctx = Context("h", "linux", 1.0)
    assert [v.command(ctx) for v in SOURCE.variants_for("linux")] == [
        "zpool iostat -vlq; exec zpool iostat -vHplqy -T u 1",
        "zpool iostat -v; exec zpool iostat -vHpy -T u 1",
        "exec zpool iostat -v -T u 1",
        "exec zpool iostat -v 1",
    ]
    assert [v.name for v in SOURCE.variants_for("solaris10")] == ["headings-stamped", "headings"]
