"""Others' recordings of kernel statistics, zones, disks, load and mail: key figures, written by reading the files.

A file that no parser claims is in `UNCLAIMED` with the reason.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from collectors import probe
from collectors.base import Batch, Context, ParseError, Variant, parse_text
from collectors.sources import arcstats, disk_io, host_load, imapsync, mail_activity, zone_usage
from tests.corpus import ROOT, corpus, name, read

SOURCES = (arcstats.SOURCE, disk_io.SOURCE, host_load.SOURCE, imapsync.SOURCE, mail_activity.SOURCE, zone_usage.SOURCE)
VARIANTS: dict[str, Variant] = {f"{s.name}/{v.name}": v for s in SOURCES for v in s.variants}
FACTS = {"ncpu": "8", "page_size": "4096"}
M, G = 2**20, 2**30

Figures = dict[str, Any]


def as_is(text: str) -> str:
    return text


def twice(text: str) -> str:
    """iostat's first report is since boot: the same text again stands for the interval after it."""
    return f"{text}\n{text}"


def before(head: str) -> Callable[[str], str]:
    return lambda text: f"{head}\n{text}"


def then(tail: str) -> Callable[[str], str]:
    return lambda text: f"{text.rstrip()}\n{tail}\n"


ARC = "arcstats/procfs"
CASES: dict[str, tuple[str, str, Callable[[str], str], list[tuple[Figures, Figures]]]] = {
    "arcstats-proc/linux-1": (
        ARC,
        "arcstats",
        as_is,
        [({}, {"size": 14960038920, "c": 15590628496, "c_max": 32458756096, "mru_size": 3633208320, "l2_size": 0})],
    ),
    "arcstats-proc/linux-3": (
        ARC,
        "arcstats",
        as_is,
        [({}, {"size": 41321273080, "c": 60312499360, "l2_size": 3095654400, "meta_used": 9027157752})],
    ),
    # The index cut this one before size: completed here with the two statistics that a report must have.
    "kstat-p/illumos-1": (
        "arcstats/kstat",
        "arcstats",
        then("zfs:0:arcstats:hits\t1\nzfs:0:arcstats:size\t2"),
        [({}, {"c": 10150301696, "c_min": 1268787712, "meta_limit": 2537575424, "data_size": 732880384})],
    ),
    "kstat-p/smartos-2": (
        "zone_usage/kstats",
        "zone_usage",
        as_is,
        [
            ({"zone": "487b08a7-13ae-44be-82f8-2fdf59516a2f"}, {"cpu_cap": 2.0, "cpu": 0.0, "cpu_waiting": 0}),
            ({"zone": "47b85581-25fd-4464-be95-ff9bfd2321fc"}, {"cpu_cap": 4.0, "zone_id": 2}),
        ],
    ),
    "kstat-p/solaris-3": (
        "host_load/kstat-drivers",
        "host_load",
        as_is,
        [({}, {"mem_total": 1048463 * 4096, "mem_free": 51757 * 4096, "uptime": 15173.890295243})],
    ),
    "kstat-p/solaris-5": (
        "host_load/kstat-drivers",
        "host_load",
        before("1700000000"),
        [({}, {"mem_total": 1048463 * 4096, "mem_free": 334973 * 4096})],
    ),
    "iostat/solaris10-1": (
        "disk_io/iostat",
        "disk_io",
        twice,
        [
            (
                {"device": "d1 (/)"},
                {"read_ops": 0.6, "wsvc_t": 0.0017, "asvc_t": 0.0147, "busy": 0.18, "waiting": 0.04},
            ),
            ({"device": "c0t6d0"}, {"write_bytes": 0}),
        ],
    ),
    "iostat/smartos-2": (
        "disk_io/iostat",
        "disk_io",
        twice,
        [({"device": "c0t18d0"}, {"write_ops": 356.0, "write_bytes": 5038.1 * 1024, "actv": 2.3, "busy": 0.57})],
    ),
    "iostat/smartos-4": (
        "disk_io/iostat",
        "disk_io",
        twice,
        [({"device": "c0t1d0"}, {"write_ops": 33.9, "read_bytes": 146.0 * 1024, "hard_errors": 0, "asvc_t": 0.0012})],
    ),
    "iostat/linux-1": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [({"device": "dm-0", "time": "1970-01-01 00:00:03+00:00"}, {"read_bytes": 4.39 * 1024})],
    ),
    "iostat/linux-3": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [({"device": "sda"}, {"read_ops": 0.13, "read_bytes": 0.01 * M, "asvc_t": 0.00088, "busy": 0.0001})],
    ),
    "iostat/linux-5": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [({"device": "sda"}, {"read_bytes": 5.28 * 1024, "write_bytes": 1.10 * 1024})],
    ),
    "iostat/linux-7": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [({"device": "sda"}, {"read_bytes": 2.19 * M, "write_bytes": 3.88 * M})],
    ),
    "iostat/linux-9": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [
            (
                {"device": "sda"},
                {
                    "write_ops": 67.15,
                    "read_bytes": 8595.16 * 1024,
                    "actv": 0.79,
                    "asvc_t": (127.92 * 0.00257 + 67.15 * 0.00693) / (127.92 + 67.15),
                    "busy": 0.1514,
                },
            )
        ],
    ),
    "iostat/linux-11": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [({"device": "dm-0"}, {"read_bytes": 0.10 * M, "write_bytes": 0.13 * M})],
    ),
    "iostat/linux-13": (
        "disk_io/sysstat",
        "disk_io",
        twice,
        [({"device": "sda"}, {"read_ops": 2.67, "write_bytes": 129.44 * 1024, "busy": 0.0041})],
    ),
    "iostat-En/openindiana-1": (
        "disk_io/iostat",
        "disk_io",
        as_is,
        [({"device": "c5t1d0"}, {"hard_errors": 7, "soft_errors": 0}), ({"device": "c5t0d0"}, {"hard_errors": 0})],
    ),
    "iostat-En/solaris-2": (
        "disk_io/iostat",
        "disk_io",
        as_is,
        [({"device": "sd0"}, {"hard_errors": 0, "transport_errors": 0})],
    ),
    "iostat-En/solaris-4": (
        "disk_io/iostat",
        "disk_io",
        as_is,
        [({"device": "c0t3d0"}, {"soft_errors": 0, "hard_errors": 0})],
    ),
    "prstat/opensolaris-1": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
        [
            ({"zone": "cl-build"}, {"zone_id": 6, "nproc": 25, "swap": 172 * M, "rss": 175 * M, "cpu": 0}),
            ({"zone": "global"}, {"cpu": 0.017 * 8}),
        ],
    ),
    "prstat/smartos-1": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
        [({"zone": "633df8db-46ab-47b0-8c7a-b38f8b90e2d5"}, {"zone_id": 11, "rss": 8276 * M, "cpu": 0.006 * 8})],
    ),
    "prstat/smartos-5": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
        [({"zone": "global"}, {"nproc": 88, "rss": 326 * M})],
    ),
    "prstat/solaris11-2": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,  # the book left out the last line
        [({"zone": "zone2"}, {"rss": 6668 * 1024, "swap": 18 * M, "cpu": 0.002 * 8})],
    ),
    "rcapstat/solaris11-1": (
        "zone_usage/prstat",
        "zone_usage",
        then("     3       11   31M   44M   0.9%   0:00:18 6.7% zone1\nTotal: 11 processes, 20 lwps, load averages: 0"),
        [({"zone": "zone1"}, {"rss_cap": G, "pagedout": 0})],
    ),
    "prctl/solaris11-1": (
        "zone_usage/prstat",
        "zone_usage",
        then("     3       11   31M   44M   0.9%   0:00:18 6.7% zone1\nTotal: 11 processes, 20 lwps, load averages: 0"),
        [({"zone": "zone1"}, {"cpu_shares": 60, "zone_id": 3})],
    ),
    "zoneadm-list-cv/solaris11-2": (
        "zone_usage/prstat",
        "zone_usage",
        then("     1       11   31M   44M   0.9%   0:00:18 6.7% zo*\nTotal: 11 processes, 20 lwps, load averages: 0"),
        [
            ({"zone": "zone1"}, {"brand": "solaris", "state": "running", "zone_id": 1}),
            ({"zone": "zone2"}, {"brand": "solaris", "state": "configured"}),
        ],
    ),
    "zoneadm-list-cv/solaris10-3": (
        "zone_usage/prstat",
        "zone_usage",
        then("     0       11   31M   44M   0.9%   0:00:18 6.7% global\nTotal: 9 processes, 20 lwps, load averages: 0"),
        [({"zone": "wwwzone"}, {"brand": "native", "state": "configured"}), ({"zone": "global"}, {"brand": "native"})],
    ),
    "zonestat/solaris11-1": (
        "zone_usage/zonestat",
        "zone_usage",
        as_is,
        [
            ({"zone": "zone1"}, {"cpu": 0.0, "rss": 73.8 * M, "swap": 66.3 * M}),
            ({"zone": "zone2"}, {"rss": 73.9 * M}),
        ],
    ),
    "vmstat/solaris-1": (
        "host_load/vmstat",
        "host_load",
        as_is,
        [({}, {"run_queue": 1, "swap_free": 68852484 * 1024, "mem_free": 24149452 * 1024, "cpu_idle": 0.99 * 8})],
    ),
    "vmstat/linux-1": (
        "host_load/vmstat-linux",
        "host_load",
        then(" 3  1      0 2794696 295968 312736    0    0     1     3   29   57  25  0 75  0  0"),
        [({}, {"run_queue": 3, "blocked": 1, "mem_free": 2794696 * 1024, "cpu_user": 2, "cpu_idle": 6})],
    ),
    "vmstat/linux-3": (
        "host_load/vmstat-linux",
        "host_load",
        then(
            " 2  0            0      2794864       295968       312724    0    0     1     3   29   57   0   0  99   0"
            "   0 2021-09-16 20:31:30"
        ),
        [({}, {"run_queue": 2, "mem_free": 2794864 * 1024, "cpu_idle": 0.99 * 8})],
    ),
    "vmstat/linux-7": (
        "host_load/vmstat-linux",
        "host_load",
        then(" 2  0      0 2794468   2108 741208    0    0     1     3   29   57  0  0 99  0  0"),
        [({}, {"run_queue": 2, "mem_free": 2794468 * 1024})],
    ),
    "vmstat/linux-9": (
        "host_load/vmstat-linux",
        "host_load",
        as_is,
        [({}, {"run_queue": 0, "mem_free": 763388 * 1024, "page_in": 0})],
    ),
    "mpstat/illumos-1": (
        "host_load/mpstat",
        "host_load",
        twice,
        [({}, {"ncpu": 4, "cpu_user": 0.02, "cpu_sys": 0.03, "cpu_wait": 0, "cpu_idle": 3.95})],
    ),
    "mpstat/smartos-2": (
        "host_load/mpstat",
        "host_load",
        twice,
        [({}, {"ncpu": 4, "cpu_user": 0.14, "cpu_sys": 0.48, "cpu_idle": 3.38})],
    ),
    "mpstat/solaris-1": (
        "host_load/mpstat",
        "host_load",
        as_is,
        [({}, {"cpu_user": 0.01, "cpu_sys": 0.02, "cpu_idle": 0.97})],
    ),
    "mpstat/linux-1": (
        "host_load/mpstat-linux",
        "host_load",
        as_is,
        [({}, {"ncpu": 1})],
    ),
    "mpstat/linux-3": (
        "host_load/mpstat-linux",
        "host_load",
        lambda text: text.replace("03:14:20 PM  all", "03:14:21 PM  all"),  # it was run without an interval
        [({}, {"cpu_user": 0.0023, "cpu_sys": 0.0037, "cpu_idle": 0.9939})],
    ),
    "swapinfo/freebsd-1": (
        "host_load/sysctl",
        "host_load",
        before("1700000000\nkern.cp_time: 10 0 10 0 80\nhw.ncpu: 2"),
        [({}, {"swap_free": 2 * 2097152 * 1024, "ncpu": 2})],
    ),
    "imapsync-log/any-1": (
        "imapsync/log",
        "transfers",
        before("==> LOG_imapsync/any.txt"),
        [({"stream": "any"}, {"done": 38.291 * M, "items_total": 26581, "items_done": 26581 - 23772, "eta": 20954})],
    ),
    "imapsync-log/any-3": (
        "imapsync/log",
        "transfers",
        before("==> LOG_imapsync/any.txt"),
        [({"stream": "any"}, {"items_total": 0, "total": 0, "state": "running"})],
    ),
    "nginx-stub-status/any-1": (
        "mail_activity/ps-zone",
        "mail_activity",
        then("end"),
        [({"service": "nginx"}, {"connections": 43})],
    ),
    "nginx-stub-status/any-3": (
        "mail_activity/ps-zone",
        "mail_activity",
        then("end"),
        [({"service": "nginx"}, {"connections": 145})],
    ),
}
"""File: variant, table, how the text is fed, and rows (columns that find one, figures that it must have)."""

SAME_STATISTICS = "a tool's rounded view of statistics that are read from the kernel directly"
UNCLAIMED = {
    "arcstat/": f"{SAME_STATISTICS} (arcstats)",
    "arcstats-sysctl/freebsd-1": "holds vdev_cache_stats and zfetchstats, none of the ARC's statistics",
    "kstat/": "the long form of cpu_info, system_pages and link speeds: host_load asks for -p",
    "kstat-p/solaris-1": "cpu_info only: clock and model of CPUs, no statistic of theirs",
    "vmstat/linux-5": "vmstat -d, totals since boot: /proc/diskstats gives them to disk_io",
    "swap/": f"{SAME_STATISTICS} (unix:0:vminfo)",
    "swap-l/": f"{SAME_STATISTICS} (unix:0:vminfo), and source code behind it",
    "prstat/smartos-3": "a table of processes without -Z: no zone in it",
    "zoneadm-list-cv/omnios-1": "a listing for people with a packaging session behind it; the others are read",
    "zoneadm-list-cv/solaris10-1": "as solaris10-3, which is read",
    "zonememstat/": f"{SAME_STATISTICS} (memory_cap)",
    "vfsstat/": f"{SAME_STATISTICS} (zone_vfs), names cut to eight characters",
    "ziostat/": f"{SAME_STATISTICS} (zone_zfs), names cut to eight characters",
    "spl-kstat/": "other modules' statistics (abd, dmu_tx, fm, zfetch, vdev_mirror): no source reads them",
    "spl-kstat-pool/": "per-pool and per-dataset statistics: zpool iostat gives the pool's",
    "df/": "file systems as mounted: dataset_usage has the pools' with what snapshots hold",
    "prtdiag/": "the machine's parts, asked of firmware: seconds of its time, and no statistic",
    "psrinfo-v/": "clock and kind of each CPU, no statistic of theirs: the probe counts psrinfo's lines",
    "psrinfo-vp/": "sockets and cores, no statistic of theirs: the probe counts psrinfo's lines",
    "dladm/": "links and their speed: net_io counts from kstats and needs neither",
}
ELSEWHERE = {"zoneadm-list-cp", "zone-xml", "vmstat/solaris10-11-1", "swap-s", "prtconf", "psrinfo"}
"""Read by a test of their own below."""

FOLDERS = sorted({key.partition("/")[0] for key in (*CASES, *UNCLAIMED)} | {f.partition("/")[0] for f in ELSEWHERE})

pytestmark = pytest.mark.corpus
needs_corpus = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no recordings of others at {ROOT}")


@needs_corpus
@pytest.mark.parametrize("file", CASES)
def test_key_figures(file: str) -> None:
    variant, table, feed, rows = CASES[file]
    frame = parse_text(VARIANTS[variant], feed(read(ROOT / f"{file}.txt")), facts=FACTS)[table]
    for match, figures in rows:
        found = frame
        for column, value in match.items():
            found = found[found[column] == value]
        assert len(found), f"{match} is not in\n{frame.to_string(max_rows=20)}"
        got = found.iloc[-1]
        for column, value in figures.items():
            assert got[column] == (value if isinstance(value, str) else pytest.approx(value)), column


@needs_corpus
def test_every_file_is_claimed_or_has_a_reason() -> None:
    files = [name(path) for folder in FOLDERS for path in corpus(folder)]
    assert files
    unknown = [
        f
        for f in files
        if f not in CASES
        and not f.startswith(tuple(UNCLAIMED))
        and f not in ELSEWHERE
        and f.partition("/")[0] not in ELSEWHERE
    ]
    assert not unknown
    idle = [reason for reason in UNCLAIMED if not any(f.startswith(reason) for f in files)]
    assert not idle, "a reason for files that are not there"


def feed_all(variant: str, text: str) -> tuple[list[Batch], list[ParseError]]:
    parser = VARIANTS[variant].parser(Context("h", "solaris10", 1.0, FACTS))
    batches: list[Batch] = []
    errors: list[ParseError] = []
    for line in text.splitlines():
        try:
            batches += parser.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
    return batches, errors


@needs_corpus
def test_zoneadm_tells_brands_states_and_what_changed() -> None:
    prstat = "    42 9 9M 9M 0.1% 0:00:01 0.1% cube-*\nTotal: 9 processes, 9 lwps, load averages: 0\n"
    text = f"{read(ROOT / 'zoneadm-list-cp/omnios-1.txt').rstrip()}\nzones.\n{prstat}"
    batches, errors = feed_all("zone_usage/prstat", text)
    assert not errors
    columns = batches[-1].columns
    rows = dict(zip(columns["zone"], zip(columns["state"], columns["brand"], strict=True), strict=True))
    assert rows["cube-media"] == ("running", "lipkg"), "a cut name made whole by its id"
    assert rows["cube-ws"] == ("installed", "pkgsrc"), "an id in front of an installed zone is no running zone's"
    assert rows["gold-lipkg-b"] == ("installed", "lipkg")


@needs_corpus
def test_zoneadm_of_solaris10_has_fewer_fields_and_a_stray_line_is_named() -> None:
    prstat = "     1 9 9M 9M 0.1% 0:00:01 0.1% work\nTotal: 9 processes, 9 lwps, load averages: 0\n"
    batches, errors = feed_all(
        "zone_usage/prstat", f"{read(ROOT / 'zoneadm-list-cp/solaris10-1.txt').rstrip()}\nzones.\n{prstat}"
    )
    assert not errors
    assert (batches[-1].columns["zone"], batches[-1].columns["brand"]) == (["work"], ["native"])
    _, errors = feed_all("zone_usage/prstat", read(ROOT / "zoneadm-list-cp/omnios-3.txt"))
    assert [(e.line_no, e.line) for e in errors] == [(4, "`")]


@needs_corpus
def test_a_zone_configured_without_caps() -> None:
    wanted = [line.strip() for line in read(ROOT / "zone-xml/omnios-1.txt").splitlines() if "<zone " in line]
    prstat = "42 9 9M 9M 0.1% 0:00:01 0.1% cube-media\nTotal: 9 processes, 9 lwps, load averages: 0\n"
    batches, errors = feed_all("zone_usage/prstat", "\n".join([*wanted, prstat]))
    assert len(wanted) == 1
    assert not errors
    assert isnan(batches[-1].columns["rss_cap"][0])
    assert isnan(batches[-1].columns["cpu_shares"][0])


@needs_corpus
def test_vmstat_line_after_line() -> None:
    frame = parse_text(VARIANTS["host_load/vmstat"], read(ROOT / "vmstat/solaris10-11-1.txt"), facts=FACTS)["host_load"]
    assert len(frame) == 5, "eight lines, less two of headings and the one since boot"
    assert set(frame["mem_free"]) == {172304 * 1024}
    assert frame["cpu_idle"].iloc[2] == pytest.approx(8.0)


@needs_corpus
def test_swap_s_fills_what_vmstat_lacks() -> None:
    row = " 0 0 43 907784 115324  29 124 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97"
    head = " r b w   swap  free  re  mf pi po fr de sr cd s0 -- --   in   sy   cs us sy id"
    for file, total in (("solaris-2", 9321208 + 1459312), ("solaris10-1", 91784 + 33816648)):
        text = "\n".join([head, row, read(ROOT / f"swap-s/{file}.txt").splitlines()[0], row, ""])
        frame = parse_text(VARIANTS["host_load/vmstat"], text, facts=FACTS)["host_load"]
        assert frame["swap_total"].tolist() == [total * 1024]


@needs_corpus
@pytest.mark.parametrize(
    ("tool", "file", "fact", "value"),
    [
        ("prtconf", "prtconf/solaris-1", "memory_mb", "16384"),
        ("prtconf", "prtconf/solaris-3", "memory_mb", "4096"),
        ("psrinfo", "psrinfo/smartos-1", "ncpu", "2"),
    ],
)
def test_the_probe_reads_memory_and_cpus(tmp_path: Path, tool: str, file: str, fact: str, value: str) -> None:
    (tmp_path / tool).write_text(f"#!/bin/sh\ncat {ROOT / file}.txt\n")
    (tmp_path / tool).chmod(0o755)
    line = next(line for line in probe.FACTS.splitlines() if tool in line)
    said = subprocess.run(
        ["/bin/sh", "-c", line],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
    )
    assert probe.read(said.stdout) == {fact: value}
