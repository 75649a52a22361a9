"""zpool status: every style of the scan lines, and others' recordings."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.zpool_status import SOURCE, StatusParser, read_scan
from tests.corpus import corpus, name, read, still_parses

TEXT = next(v for v in SOURCE.variants if v.name == "text")
K, M, G, T = 2**10, 2**20, 2**30, 2**40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none requested", {"scan": "none", "state": "none", "fraction": None}),
        (
            "resilver in progress, 3.13% done, 0h15m to go",
            {"scan": "resilver", "state": "in_progress", "fraction": 0.0313, "eta": 900, "elapsed": None},
        ),
        (
            "resilver in progress for 0h51m, 58.65% done, 0h36m to go",
            {"fraction": 0.5865, "elapsed": 3060, "eta": 2160},
        ),
        (
            "scrub completed after 0h2m with 0 errors on Tue Feb  2 13:08:42 2010",
            {"scan": "scrub", "state": "finished", "elapsed": 120, "errors": 0, "fraction": 1, "repaired": None},
        ),
        ("scrub stopped after 1h5m with 2 errors on Tue Feb  2 13:08:42 2010", {"state": "canceled", "elapsed": 3900}),
        ("scrub canceled on Tue Feb 16 15:24:24 2021", {"scan": "scrub", "state": "canceled", "fraction": None}),
        (
            "scrub in progress since Sun Apr 26 12:55:40 2015 72.6M scanned out of 1.03T at 2.42M/s, 123h32m to go "
            "0 repaired, 0.01% done",
            {
                "scanned": 72.6 * M,
                "total": 1.03 * T,
                "rate": 2.42 * M,
                "eta": 444720,
                "repaired": 0,
                "fraction": 0.0001,
            },
        ),
        (
            "resilver in progress since Thu Dec 10 16:11:52 2020 2.85T scanned at 889M/s, 1.29T issued at 402M/s, "
            "12.3T total 320G resilvered, 10.49% done, 0 days 07:57:38 to go",
            {"scanned": 2.85 * T, "issued": 1.29 * T, "total": 12.3 * T, "rate": 402 * M, "eta": 28658},
        ),
        (
            "scrub in progress since Mon Nov 23 15:58:49 2026 910M / 1.00G scanned, 256K / 968M issued at 256K/s "
            "0B repaired, 0.03% done, no estimated completion time",
            {"scanned": 910 * M, "issued": 256 * K, "total": 968 * M, "rate": 256 * K, "eta": None, "repaired": 0},
        ),
        (
            "scrub paused since Mon Nov 23 15:58:49 2026 scrub started on Mon Nov 23 15:50:00 2026 "
            "1.2G / 2.0G scanned, 1.0G / 2.0G issued 0B repaired, 50.00% done",
            {"state": "paused", "fraction": 0.5, "issued": 1.0 * G, "rate": None, "eta": None},
        ),
        (
            "resilvered (mirror-0) 3.5G in 1 days 02:00:00 with 3 errors on Sun Apr 12 00:35:53 2020",
            {"scan": "resilver", "state": "finished", "repaired": 3.5 * G, "elapsed": 93600, "errors": 3},
        ),
        ("scrub repaired 1,5M in 0h11m with 0 errors on Sun Apr 12 00:35:53 2020", {"repaired": 1.5 * M}),
        # Solaris 10 5/08 and before
        ("resilver completed with 0 errors on Tue Sep  5 10:48:31 2006", {"scan": "resilver", "elapsed": None}),
        # Solaris 11
        (
            "resilver in progress since Wed Jun 20 14:39:35 2012 7.75G scanned 3.47G resilvered at 177M/s, 44.8% done, "
            "0h0m to go",
            {"scanned": 7.75 * G, "repaired": 3.47 * G, "rate": 177 * M, "fraction": 0.448, "eta": 0, "total": None},
        ),
        ("resilvered 945K in 1s with 0 errors on Mon Jun 11 10:00:00 2012", {"elapsed": 1, "repaired": 945 * K}),
        ("scrub repaired 0 in 6m15s with 0 errors on Mon Jun 11 10:00:00 2018", {"elapsed": 375, "errors": 0}),
        # ZFS on Linux 0.6
        (
            "resilver in progress since Thu Feb 19 20:20:24 2015 114G scanned out of 19.6T at 2.52M/s, (scan is slow, "
            "no estimated time) 13.7G resilvered, 0.57% done",
            {"scanned": 114 * G, "total": 19.6 * T, "rate": 2.52 * M, "eta": None, "fraction": 0.0057},
        ),
        (
            "resilver in progress since Tue Feb 26 14:08:38 2013 1 scanned out of 4.53T at 1/s, (scan is slow, no "
            "estimated time) 0 resilvered, 0.00% done",
            {"scanned": 1, "rate": 1, "fraction": 0, "eta": None},
        ),
        # OpenZFS: what is read ahead is no progress, and a rate that is not printed is none
        (
            "scrub in progress since Mon Nov 23 15:58:49 2026 910M / 1.00G scanned at 303M/s, 0B / 1.00G issued "
            "0B repaired, 0.00% done, no estimated completion time",
            {"scanned": 910 * M, "issued": 0, "rate": 0, "fraction": 0, "eta": None},
        ),
        (
            "resilver (draid1:4d:11c:1s-0) in progress since Tue Nov 24 14:34:25 2020 3.51T / 6.13T scanned at 13.4G/s,"
            " 1.59T / 6.13T issued 6.07G/s 326G resilvered, 57.17% done, 00:03:21 to go",
            {"scan": "resilver", "issued": 1.59 * T, "rate": 6.07 * G, "total": 6.13 * T, "eta": 201},
        ),
        (
            "error scrub in progress since Mon Nov 23 15:58:54 2026 50.00% done, issued I/O for 7 error blocks",
            {"scan": "scrub", "state": "in_progress", "fraction": 0.5, "issued": None, "rate": None},
        ),
        ("scrubbed 7 error blocks in 0 days 00:00:02 on Mon Nov 23 15:58:54 2026", {"scan": "scrub", "elapsed": 2}),
        ("error scrub canceled on Mon Nov 23 15:58:54 2026", {"scan": "scrub", "state": "canceled"}),
        (
            "expansion of raidz1-0 in progress since Mon Nov 23 16:00:00 2026 1.2G / 4.0G copied at 100M/s, 30.00% "
            "done, 00:00:28 to go",
            {"scan": "expansion", "scanned": 1.2 * G, "total": 4 * G, "rate": 100 * M, "fraction": 0.3, "eta": 28},
        ),
        (
            "expanded raidz1-0 copied 4.0G in 00:00:41, on Mon Nov 23 16:00:41 2026",
            {"scan": "expansion", "state": "finished", "elapsed": 41},
        ),
        (
            "Evacuation of /scrub/mirror-1 in progress since Mon Nov 23 16:00:00 2026 1.2G copied out of 4.0G at "
            "100M/s, 30.00% done, 0h0m to go",
            {"scan": "removal", "state": "in_progress", "scanned": 1.2 * G, "total": 4 * G, "eta": 0},
        ),
        (
            "scrub in progress since Mon Mar 23 09:07:04 2026 7.65T / 8.64T scanned, 6.50T issued at 0B/s 0B repaired, "
            "88.55% done, no estimated completion time",
            {"scanned": 7.65 * T, "issued": 6.5 * T, "total": 8.64 * T, "rate": 0},
        ),
        # some get beyond the end; what is left is negative then, and was printed unsigned
        (
            "scrub in progress since Tue Apr 16 00:00:02 2019 74.7T scanned at 1.24G/s, 75.7T issued at 1.25G/s, "
            "74.7T total 0B repaired, 101.32% done, 158831 days 07:42:27 to go",
            {"fraction": 1.0132, "eta": None, "issued": 75.7 * T},
        ),
        ("scrub in progress since Tue Apr 16 00:00:02 2019 99.99% done, 0 days 00:00:03 to go", {"eta": 3}),
        # of nothing done nothing can be foretold
        ("scrub in progress for 0h0m, 0.00% done, 582173h34m to go", {"fraction": 0, "eta": None, "elapsed": 0}),
    ],
)
def test_styles_of_the_scan_lines(text: str, expected: dict[str, Any]) -> None:
    got = read_scan(text)
    for column, value in expected.items():
        assert got[column] == (pytest.approx(value) if isinstance(value, (int, float)) else value), column


def test_elapsed_by_the_hosts_own_clock() -> None:
    scan = read_scan(
        "scrub in progress since Mon Nov 23 15:58:49 2026 1M / 1M scanned", datetime(2026, 11, 23, 16, 0, 49)
    )
    assert scan["elapsed"] == 120


# (rows, {vdev: {column: value}}, {column of pool_scan: value}), read from the files by eye
CORPUS: dict[str, tuple[int, dict[str, dict[str, Any]], dict[str, Any]]] = {
    "freebsd-1": (
        4,
        {"raidz2-0/replacing-0/gptid/4e377340-917d-11ea-a640-b42e99bf5e8f.eli": {"state": "OFFLINE"}},
        {"scan": "resilver", "fraction": 0.1049, "issued": 1.29 * T, "total": 12.3 * T, "eta": 28658},
    ),
    "freebsd8-1": (
        9,
        {
            "raidz2-0/replacing-3/10045559159691639333": {
                "state": "UNAVAIL",
                "write_errors": 1.49 * K,
                "note": "was /dev/gpt/disk3/old",
            },
            "raidz2-0/gpt/disk2": {"note": "4.59M resilvered"},
        },
        {"fraction": 0.9279, "elapsed": 240, "eta": 0, "errors": 0},
    ),
    "linux-1": (14, {"spares/sdf": {"state": "AVAIL", "alloc_class": "spare", "read_errors": None}}, {"repaired": 0}),
    "linux-11": (4, {"mirror-0/sdb": {"state": "FAULTED", "note": "corrupted data"}}, {"scan": "none"}),
    "linux-13": (3, {"sda": {"cksum_errors": 2}}, {"errors": 1}),
    "linux-15": (4, {"mirror-0/sda": {"cksum_errors": 2, "state": "ONLINE"}}, {"errors": 0}),
    "linux-17": (3, {"": {"write_errors": 13}, "sda": {"note": "experienced I/O failures"}}, {"errors": 1}),
    "linux-21": (7, {"mirror-1": {"kind": "mirror"}}, {"state": "none"}),
    "linux-23": (
        3,
        {"": {"device": "YOUR POOL NAME", "state": "DEGRADED"}},
        {"pool": "<YOUR POOL NAME>", "scanned": 374 * G, "issued": 16 * M, "rate": 2 * M, "eta": None, "fraction": 0},
    ),
    "linux-25": (
        4,
        {"mirror-0/disk1": {"note": "(resilvering)"}},
        {"scanned": 220 * M, "total": 1.28 * T, "rate": 36.7 * M, "eta": 36540, "repaired": 216 * M},
    ),
    "linux-3": (4, {"mirror-0/c1t1d0": {"state": "UNAVAIL", "note": "cannot open"}}, {"errors": 0}),
    "linux-5": (7, {"mirror-1/wwn-0x5000c500e3b3a41e": {"state": "ONLINE"}}, {"elapsed": 40563, "repaired": 0}),
    "linux-7": (
        16,
        {
            "draid1:4d:11c:1s-0": {"kind": "draid1"},
            "draid1:4d:11c:1s-0/spare-6/draid1-0-0": {"note": "(resilvering)"},
            "spares/draid1-0-0": {"state": "INUSE", "note": "currently in use"},
        },
        {"scan": "resilver", "issued": 1.59 * T, "rate": 6.07 * G, "total": 6.13 * T, "eta": 201, "fraction": 0.5717},
    ),
    "linux-9": (4, {"mirror-0/sdb": {"state": "FAULTED", "note": "cannot open"}}, {"state": "none"}),
    "omnios-10": (4, {}, {"scan": "resilver", "state": "finished", "repaired": 1.59 * G, "elapsed": 660}),
    "omnios-12": (4, {"mirror-0/c1t2d0": {"state": "ONLINE"}}, {"state": "none", "errors": None}),
    "omnios-14": (2, {"c2t0d0": {"note": "(100% initialized, completed at ...)"}}, {"elapsed": 5940}),
    "omnios-2": (4, {"mirror-0/c2t3d0s1": {"state": "ONLINE"}}, {"elapsed": 190, "errors": 0}),
    "omnios-4": (4, {}, {"scan": "scrub", "state": "canceled"}),
    "omnios-6": (
        3,
        {"": {"note": "insufficient replicas"}, "c1t1d0": {"read_errors": 4, "write_errors": 1}},
        {"state": "finished", "elapsed": 0, "errors": 0},
    ),
    "smartos-1": (4, {}, {"repaired": 1.36 * G, "elapsed": 0}),
    "solaris-illumos-1": (
        4,
        {"logs": {"kind": "section", "state": "FAULTED"}, "logs/c5t3d0": {"state": "UNAVAIL", "alloc_class": "log"}},
        {"state": "none"},
    ),
    "solaris-illumos-3": (4, {"logs": {"state": "DEGRADED"}}, {"errors": 0}),
    "solaris-illumos-5": (4, {"mirror-0/c3t4d0s0": {"state": "ONLINE"}}, {"repaired": 65.6 * G, "elapsed": 480}),
    "solaris10-2": (
        6,
        {
            "mirror-0/replacing-0/c0t0d0": {"cksum_errors": 3},
            "mirror-0/replacing-0/c0t0d2": {"note": "58.5K resilvered"},
        },
        {"scan": "resilver", "state": "in_progress", "fraction": 0.0014, "eta": 0},
    ),
    "unknown-2": (6, {"raidz1-0/vdev3": {"state": "ONLINE"}}, {"state": "none"}),
}


def check(frame: pd.Series, expected: dict[str, Any]) -> None:
    for column, value in expected.items():
        got = frame[column]
        if value is None:
            assert pd.isna(got), column
        else:
            assert got == (pytest.approx(value) if isinstance(value, (int, float)) else value), column


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus("zpool-status"), ids=name)
def test_recordings_of_others(path: Path) -> None:
    text = read(path)
    if path.stem == "linux-19":  # two outputs in a Ruby test, with its own lines between them
        assert len(still_parses("zpool_status", path).frames["zpool_status"]) == 19
        first, second = text[: text.index("      EOST")], text[text.index("  pool: rpool") :]
        frames = parse_text(TEXT, first)
        assert len(frames["zpool_status"]) == 15
        assert frames["pool_scan"].iloc[0]["repaired"] == 0
        assert parse_text(TEXT, second)["zpool_status"]["vdev"].tolist() == [
            "",
            "mirror-0",
            "mirror-0/xvda",
            "mirror-0/xvdb",
        ]
        return
    if path.stem == "omnios-8":  # two pools
        frames = parse_text(TEXT, text)
        assert frames["zpool_status"]["pool"].tolist() == ["tank1", "tank1", "tank2", "tank2"]
        assert frames["pool_scan"]["pool"].tolist() == ["tank1", "tank2"]
        return
    if path.stem not in CORPUS:
        still_parses("zpool_status", path)
        return
    rows, vdevs, scan = CORPUS[path.stem]
    frames = parse_text(TEXT, text)
    status = frames["zpool_status"]
    assert len(status) == rows
    for vdev, expected in vdevs.items():
        check(status[status["vdev"] == vdev].iloc[0], expected)
    assert len(frames["pool_scan"]) == 1
    check(frames["pool_scan"].iloc[0], scan)


def test_a_scrub_and_an_older_resilver() -> None:
    text = "  pool: t\n state: ONLINE\n"
    text += "  scan: scrub repaired 0B in 00:00:05 with 0 errors on Mon Nov 23 15:58:54 2026\n"
    text += "  scan: resilvered (mirror-0) 1G in 00:01:00 with 0 errors on Mon Nov 16 15:58:54 2026\n"
    assert parse_text(TEXT, text)["pool_scan"]["scan"].tolist() == ["scrub"]


def test_pools_named_like_keywords() -> None:
    text = "  pool: logs\n state: ONLINE\nconfig:\n\n\tNAME      STATE     READ WRITE CKSUM\n"
    text += "\tlogs      ONLINE       0     0     0\n\t  pool: x  ONLINE       0     0     0\n"
    text += "\tlogs\n\t  c1  ONLINE  0 0 0\n"
    frame = parse_text(TEXT, text)["zpool_status"]
    assert frame["vdev"].tolist() == ["", "pool: x", "logs/c1"]
    assert frame["pool"].unique().tolist() == ["logs"]


def test_frames_carry_the_hosts_clock() -> None:
    text = (
        "== begin 1795449530 2026-11-23 15:59:00\n  pool: t\n state: ONLINE\n== end\n== begin %s 2026-11-23 16:00:00\n"
    )
    parser = StatusParser(Context("h", "solaris10", 10.0))
    batches = [b for line in (text + "  pool: t\n== end\n").splitlines() for b in parser.feed(line, 0.0)]
    assert [b.time for b in batches] == [1795449530.0, None], "Solaris 10 prints %s itself"


ROWS = "config:\n\n\tNAME  STATE  READ WRITE CKSUM\n\t{0}  ONLINE  0  0  0\n\t  c0  ONLINE  0  0  0\n\n"


def test_names_of_damaged_files_are_only_counted() -> None:
    """Files may be called like fields, pools and rows; a line break within a name makes two lines of it."""
    text = "  pool: a\n state: ONLINE\n" + ROWS.format("a")
    text += "errors: Permanent errors have been detected in the following files:\n\n"
    text += "        /a/one file ONLINE 0 0 0\n        a/ghost:<0x1>\n        scan: resilver in progress\n"
    text += "        state: FAULTED\n  pool: b\n        <metadata>:<0x0>\n\n"
    text += "  pool: c\n state: ONLINE\n" + ROWS.format("c") + "errors: No known data errors\n"
    frames = parse_text(TEXT, text)
    assert frames["zpool_status"]["pool"].tolist() == ["a", "a", "c", "c"]
    assert frames["pool_scan"][["pool", "scan", "errors"]].to_numpy().tolist() == [["a", "none", 6], ["c", "none", 0]]


def test_the_table_of_deduplication_ends_the_list_of_files() -> None:
    text = "  pool: a\n state: ONLINE\n" + ROWS.format("a")
    text += "errors: Permanent errors have been detected in the following files:\n\n        /a/x\n\n"
    text += " dedup: DDT entries 5, size 1.2K on disk, 190B in core\n\nbucket   allocated   referenced\n"
    text += (
        "______   _________   __________\nrefcnt   blocks   LSIZE\n------   ------   -----\n     1        5    640K\n"
    )
    assert parse_text(TEXT, text)["pool_scan"]["errors"].tolist() == [1]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ("16385 data errors, use '-v' for a list", 16385),
        ("List of errors unavailable: pool I/O is currently suspended", None),
        ("List of errors unavailable (insufficient privileges)", None),
    ],
)
def test_counts_of_data_errors(errors: str, expected: int | None) -> None:
    scan = parse_text(TEXT, "  pool: a\n state: ONLINE\n" + ROWS.format("a") + f"errors: {errors}\n")["pool_scan"]
    assert scan["errors"].tolist() == [expected] if expected else scan["errors"].isna().all()


def test_a_suspended_pool_is_not_online() -> None:
    """Its I/O hangs, though its configuration says ONLINE."""
    frame = parse_text(TEXT, "  pool: a\n state: SUSPENDED\n" + ROWS.format("a"))["zpool_status"]
    assert frame["state"].tolist() == ["SUSPENDED", "ONLINE"]


def test_a_pool_without_a_configuration_has_a_state() -> None:
    text = "  pool: a\n state: UNAVAIL\nconfig: The configuration cannot be determined.\n"
    row = parse_text(TEXT, text)["zpool_status"].iloc[0]
    assert (row["pool"], row["vdev"], row["state"]) == ("a", "", "UNAVAIL")


def test_columns_before_and_behind_the_note() -> None:
    text = "  pool: t\n state: ONLINE\nconfig:\n\n"
    text += "\tNAME       STATE     READ WRITE CKSUM  SLOW POWER  vendor   size\n"
    text += "\tt          DEGRADED     0     0     0     -     -\n"
    text += "\t  mirror-0  DEGRADED     0     0     0     -     -  insufficient replicas\n"
    text += "\t    U1      ONLINE       1     2  1.5K     5    on  (resilvering)  SEAGATE  7.3T\n"
    text += "\t    My Disk ONLINE 1  FAULTED  3  4  5  6  off  too many errors  -  -\n"
    frame = parse_text(TEXT, text)["zpool_status"].set_index("vdev")
    assert frame["note"].tolist()[1:] == ["insufficient replicas", "(resilvering)", "too many errors"]
    assert frame.loc["mirror-0/U1", "cksum_errors"] == 1536
    assert frame.loc["mirror-0/My Disk ONLINE 1", "read_errors"] == 3


def test_details_of_devices_of_solaris_11() -> None:
    text = "  pool: t\n state: DEGRADED\n" + ROWS.format("t")
    text += "device details:\n\n\tc0    UNAVAIL          cannot open\n\tstatus: ZFS detected errors on this device.\n"
    text += "\t\tThe device was missing.\n\t   see: http://support.oracle.com/msg/ZFS-8000-LR for recovery\n\n"
    text += "errors: No known data errors\n"
    frames = parse_text(TEXT, text)
    assert len(frames["zpool_status"]) == 2
    assert frames["pool_scan"]["errors"].tolist() == [0]


def test_a_paste_without_indentation() -> None:
    text = (
        "pool: rpool\nstate: ONLINE\nconfig:\n\nNAME STATE READ WRITE CKSUM\nrpool ONLINE 0 0 0\nmirror ONLINE 0 0 0\n"
    )
    text += (
        "c8t0d0s0 ONLINE 0 0 0\nreplacing ONLINE 0 0 0\nc8t1d0s0 ONLINE 0 0 0\nc8t2d0s0 ONLINE 0 0 0 1M resilvered\n"
    )
    text += "logs\nc9t0d0 ONLINE 0 0 0\n\nerrors: No known data errors\n"
    assert parse_text(TEXT, text)["zpool_status"]["vdev"].tolist() == [
        "",
        "mirror-0",
        "mirror-0/c8t0d0s0",
        "mirror-0/replacing-1",
        "mirror-0/replacing-1/c8t1d0s0",
        "mirror-0/replacing-1/c8t2d0s0",
        "logs/c9t0d0",
    ]


HEAD = "  pool: tank\n state: DEGRADED\n  scan: scrub in progress since Sun Jul 13 04:00:00 2025\n"
HEAD += "\t1.00T scanned out of 4.00T at 100M/s, 8h44m to go\n\t0 repaired, 25.00% done\nconfig:\n\n"
TABLE = "\tNAME        STATE     READ WRITE CKSUM\n\ttank        DEGRADED     0     0     0\n"
TABLE += "\t  mirror-0  DEGRADED     0     0     0\n\t    c0        ONLINE       0     0     0\n"
TABLE += "\t    c1        FAULTED      3     0     0  too many errors\n"
GOOD = "\nerrors: No known data errors\n"
PASTED = {
    "on a page": f"What is this?\n\n```text\n# zpool status -v tank\n{HEAD}{TABLE}{GOOD}```\n\nIt **began** so.\n",
    "in an answered mail": "".join(f"> {line}\n" for line in (HEAD + TABLE + GOOD).splitlines()),
    "in the log of a test": "".join(f"07:18:29.34 {line}\n" for line in (HEAD + TABLE + GOOD).splitlines()),
    "with a margin, and a prompt behind it": "".join(
        f"    {line}\n" for line in ("host# zpool status\n" + HEAD + TABLE + GOOD + "host# uptime").splitlines()
    ),
    "with an empty line behind every line": (HEAD + TABLE + GOOD).replace("\n", "\n\n"),
    "with CR and blanks behind every line": (HEAD + TABLE + GOOD).replace("\n", "   \r\n"),
    "with hard blanks": (HEAD + TABLE + GOOD).replace("  ", " \u00a0"),
    "without its first lines": (HEAD + TABLE + GOOD).split("\n", 1)[1],
    "without its last lines": HEAD + TABLE,
    "with rows left out": HEAD + TABLE.replace("\t  mirror-0", "\t  <four mirrors>\n\t...\n\t  mirror-0") + GOOD,
    "with a prompt at once behind it": HEAD + TABLE + "root@host:~# zpool clear tank\n",
    "between other commands": (
        "$ zpool list\nNAME   SIZE  ALLOC   FREE  CAP  DEDUP    HEALTH  ALTROOT\n"
        "tank   5.5T  154G   5.3T   2%  1.00x  DEGRADED  -\n"
        f"$ zpool status\n{HEAD}{TABLE}{GOOD}\n$ zpool iostat\n               capacity     operations    bandwidth\n"
        "pool        alloc   free   read  write   read  write\ntank         100G  20.0G      1      2      3     4K\n"
    ),
}


@pytest.mark.parametrize("how", PASTED)
def test_texts_that_people_paste(how: str) -> None:
    frames = parse_text(TEXT, PASTED[how])
    status = frames["zpool_status"]
    assert status["vdev"].tolist() == ["", "mirror-0", "mirror-0/c0", "mirror-0/c1"]
    assert status["pool"].unique().tolist() == ["tank"]
    assert status["read_errors"].tolist() == [0, 0, 0, 3]
    assert status["note"].tolist()[3] == "too many errors"
    expected = {"scan": "scrub", "state": "in_progress", "scanned": T, "total": 4 * T, "fraction": 0.25, "eta": 31440}
    check(frames["pool_scan"].iloc[0], expected | {"rate": 100 * M, "repaired": 0})


def test_several_outputs_in_one_paste() -> None:
    """The same pool twice, a fragment of it, and another pool of which only the table was kept."""
    text = f"# zpool status\n{HEAD}{TABLE}{GOOD}# zpool clear tank\n# zpool status tank\n{HEAD}{TABLE}{GOOD}"
    text += (
        "# zpool status\n...\n  scan: scrub canceled on Sun Jul 13 05:00:00 2025\n...\n\t    c1  ONLINE  0  0  0\n\n"
    )
    text += "and the other one:\n\n" + TABLE.replace("tank", "pool")
    text += "\nand before:\n\nNAME  STATE  READ WRITE CKSUM\n   c1  ONLINE  0  0  0\n"
    frames = parse_text(TEXT, text)
    assert frames["zpool_status"]["pool"].tolist() == ["tank"] * 8 + ["pool"] * 4
    assert frames["pool_scan"]["state"].tolist() == ["in_progress", "in_progress", "none"]


def test_a_paste_of_words_alone_is_told() -> None:
    with pytest.raises(ParseError) as e:
        parse_text(TEXT, "# zpool status\nzpool: command not found\n")
    assert (e.value.line_no, e.value.column) == (2, 1)


def test_what_stands_around_damaged_files_is_none() -> None:
    text = HEAD + TABLE + "\nerrors: Permanent errors have been detected in the following files:\n\n        /tank/a\n"
    text += "        tank/b@1:<0x5>\n.....\n\nWhen I read it:\n# zpool iostat\n               capacity\n  pool: tank\n"
    assert parse_text(TEXT, text)["pool_scan"]["errors"].tolist()[0] == 2
    flat = HEAD + TABLE + "errors: Permanent errors have been detected in the following files: \n\n/tank/a\n/tank/b\n"
    assert parse_text(TEXT, flat + "\n")["pool_scan"]["errors"].tolist() == [2]
    both = flat + "  pool: b\n state: ONLINE\n" + GOOD
    assert parse_text(TEXT, both)["pool_scan"]["errors"].tolist() == [2, 0]


def test_stamps_of_reports() -> None:
    """-T d, as many reports as there are stamps; the date tells how long a scan has run."""
    text = "".join(f"Sun Jul 13 04:0{n}:00 UTC 2025\n{HEAD}{TABLE}{GOOD}\n" for n in (1, 2))
    scan = parse_text(TEXT, text)["pool_scan"]
    assert scan["elapsed"].tolist() == [60, 120]
    assert [str(t)[11:19] for t in scan["time"]] == ["04:01:00", "04:02:00"]


def test_json_laid_out_and_broken() -> None:
    pool = {"name": "t", "state": "ONLINE", "vdevs": {"t": {"state": "ONLINE", "vdevs": {"a": {"state": "ONLINE"}}}}}
    document = {"output_version": {"command": "zpool status"}, "pools": {"t": pool}}
    for text in (json.dumps(document, indent=2), json.dumps(document), json.dumps(document).replace(", ", "\n")):
        assert len(parse_text(TEXT, f"# zpool status -j\n{text}\n# \n")["zpool_status"]) == 2
    with pytest.raises(ParseError, match="not JSON") as e:
        parse_text(TEXT, json.dumps(document, indent=2).replace('"ONLINE"', "ONLINE", 1))
    assert (e.value.line_no, e.value.column) == (8, 16)


@pytest.mark.parametrize(
    "words", ["no pools available", "all pools are healthy", "pool 'tank' is healthy", "1795468643"]
)
def test_words_without_rows(words: str) -> None:
    assert parse_text(TEXT, words + "\n") == {}


def as_json(**pool: Any) -> dict[str, pd.DataFrame]:
    """Frames of a pool as the JSON of OpenZFS 2.3 tells of it, at epoch 2000."""
    text = json.dumps({"output_version": {}, "pools": {"17": {"name": "t", **pool}}})
    return parse_text(SOURCE.variants[0], f"== begin 1000002000 2001-09-09 02:20:00\n{text}\n== end\n")


def test_rates_of_json_are_those_of_this_pass() -> None:
    """A scrub that went on after an import: bytes of earlier passes are done, but not by this one."""
    scan = {"function": "SCRUB", "state": "SCANNING", "start_time": 999990000, "end_time": 0, "to_examine": 1000 * G}
    scan |= {"examined": 900 * G, "skipped": 0, "issued": 800 * G, "processed": 0, "errors": 0, "scrub_pause": 0}
    scan |= {"pass_start": 1000001800, "scrub_spent_paused": 100, "issued_bytes_per_scan": 10 * G}
    got = as_json(scan_stats=scan)["pool_scan"].iloc[0]
    assert (got["fraction"], got["rate"]) == (pytest.approx(0.8), pytest.approx(10 * G / 100))
    assert got["eta"] == pytest.approx(2000)


def test_a_finished_scan_of_json_in_epoch_seconds() -> None:
    scan = {"function": "RESILVER", "state": "FINISHED", "start_time": 1000000000, "end_time": 1000000060, "errors": 2}
    got = as_json(scan_stats=scan)["pool_scan"].iloc[0]
    assert (got["state"], got["elapsed"], got["errors"]) == ("finished", 60, 2)


def test_rebuilds_expansions_and_removals_of_json() -> None:
    rebuild = {"state": "ACTIVE", "start_time": 1000001000, "scanned": "50G", "issued": "40G", "to_scan": "100G"}
    rebuild |= {"rebuilt": "30G", "errors": "0", "pass_time": "100s", "pass_scanned": "50G"}
    got = as_json(scan_stats={"rebuild_stats": {"mirror-0": rebuild}})["pool_scan"].iloc[0]
    assert (got["scan"], got["state"], got["fraction"], got["eta"]) == ("resilver", "in_progress", 0.5, 100)
    expand = {"state": "SCANNING", "start_time": 1000001900, "to_reflow": 10 * G, "reflowed": 5 * G}
    got = as_json(raidz_expand_stats=expand)["pool_scan"].iloc[0]
    assert (got["scan"], got["fraction"], got["eta"]) == ("expansion", 0.5, 100)
    got = as_json(removal_stats={"state": "SCANNING", "to_copy": 8, "copied": 2})["pool_scan"].iloc[0]
    assert (got["scan"], got["fraction"]) == ("removal", 0.25)


def test_notes_and_states_of_json() -> None:
    leaf = {"vdev_type": "disk", "read_errors": "0", "write_errors": "0", "checksum_errors": "0"}
    leaves = {
        "a": {**leaf, "state": "ONLINE", "scan_processed": "1G"},
        "b": {**leaf, "state": "UNAVAIL", "was": "/dev/sdb1", "not_present": 1},
        "c": {**leaf, "state": "FAULTED", "aux": "ERR_EXCEEDED"},
        "d": {**leaf, "state": "ONLINE", "resilver_deferred": "1"},
    }
    scan = {"function": "RESILVER", "state": "SCANNING", "start_time": 1000001000}
    root = {**leaf, "state": "DEGRADED", "vdevs": {"mirror-0": {**leaf, "state": "DEGRADED", "vdevs": leaves}}}
    frame = as_json(state="SUSPENDED", scan_stats=scan, vdevs={"t": root})["zpool_status"]
    assert frame["state"].tolist() == ["SUSPENDED", "DEGRADED", "ONLINE", "UNAVAIL", "FAULTED", "ONLINE"]
    assert frame["note"].tolist()[2:] == ["(resilvering)", "was /dev/sdb1", "too many errors", "(awaiting resilver)"]
    assert frame["pool"].unique().tolist() == ["t"], "the key is a guid with --json-pool-key-guid"


def test_errors_name_the_line() -> None:
    text = "  pool: t\n state: ONLINE\nconfig:\n\n\tNAME  STATE  READ WRITE CKSUM\n"
    text += "\tt  ONLINE  0  0  0\n\t  c0  FINE  0  0  0\n"
    with pytest.raises(ParseError) as e:
        parse_text(TEXT, text)
    assert e.value.line_no == 7
    with pytest.raises(ParseError, match="not JSON") as e:
        parse_text(SOURCE.variants[0], '{"pools": {"t"\n:}}')
    assert e.value.line_no >= 1


def test_a_row_whose_counters_are_damaged_is_no_note() -> None:
    text = "  pool: tank\n state: ONLINE\n" + ROWS.format("tank").replace(
        "c0  ONLINE  0  0  0", "c0  ONLINE  0  zero  0"
    )
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if "zero" in line)
    with pytest.raises(ParseError, match="'zero' is no count of errors") as raised:
        parse_text(TEXT, text + GOOD, os="solaris10")
    assert (raised.value.line_no, raised.value.column) == (at + 1, lines[at].index("zero") + 1)
