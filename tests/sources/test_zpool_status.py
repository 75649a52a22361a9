"""zpool status: every style of the scan lines, and others' recordings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.zpool_status import SOURCE, StatusParser, read_scan
from tests.corpus import corpus, name, read

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


def test_errors_name_the_line() -> None:
    text = "  pool: t\n state: ONLINE\nconfig:\n\n\tNAME  STATE  READ WRITE CKSUM\n"
    text += "\tt  ONLINE  0  0  0\n\t  c0  FINE  0  0  0\n"
    with pytest.raises(ParseError) as e:
        parse_text(TEXT, text)
    assert e.value.line_no == 7
    with pytest.raises(ParseError, match="not JSON") as e:
        parse_text(SOURCE.variants[0], '{"pools": {"t"\n:}}')
    assert e.value.line_no >= 1
