"""Others' recordings of kernel statistics, zones, disks, load and mail: key figures, written by reading the files.

A file that no parser claims is in `UNCLAIMED` with the reason.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from collectors import probe
from collectors.base import Batch, Context, ParseError, Variant, parse_text
from collectors.saved import read as read_saved
from collectors.sources import arcstats, disk_io, host_load, imapsync, mail_activity, zone_usage
from tests.corpus import ROOT, corpus, name, read

SOURCES = (arcstats.SOURCE, disk_io.SOURCE, host_load.SOURCE, imapsync.SOURCE, mail_activity.SOURCE, zone_usage.SOURCE)
BY_NAME = {s.name: s for s in SOURCES}
VARIANTS: dict[str, Variant] = {f"{s.name}/{v.name}": v for s in SOURCES for v in s.variants}
FACTS = {"ncpu": "8", "page_size": "4096"}
M, G = 2**20, 2**30

Figures = dict[str, Any]


def as_is(text: str) -> str:
    return text


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
    "kstat-p/illumos-1": (
        "arcstats/kstat",
        "arcstats",
        as_is,  # the index cut this one before size
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
        as_is,
        [({}, {"mem_total": 1048463 * 4096, "mem_free": 334973 * 4096})],
    ),
    "iostat/solaris10-1": (
        "disk_io/iostat",
        "disk_io",
        as_is,
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
        as_is,
        [({"device": "c0t18d0"}, {"write_ops": 356.0, "write_bytes": 5038.1 * 1024, "actv": 2.3, "busy": 0.57})],
    ),
    "iostat/smartos-4": (
        "disk_io/iostat",
        "disk_io",
        as_is,
        [({"device": "c0t1d0"}, {"write_ops": 33.9, "read_bytes": 146.0 * 1024, "hard_errors": 0, "asvc_t": 0.0012})],
    ),
    "iostat/linux-1": (
        "disk_io/sysstat",
        "disk_io",
        as_is,
        [({"device": "dm-0", "time": "1970-01-01 00:00:02+00:00"}, {"read_bytes": 0, "write_bytes": 0})],
    ),
    "iostat/linux-3": (
        "disk_io/sysstat",
        "disk_io",
        as_is,
        [({"device": "sda"}, {"read_ops": 0.13, "read_bytes": 0.01 * M, "asvc_t": 0.00088, "busy": 0.0001})],
    ),
    "iostat/linux-5": (
        "disk_io/sysstat",
        "disk_io",
        as_is,
        [({"device": "sda"}, {"read_bytes": 5.28 * 1024, "write_bytes": 1.10 * 1024})],
    ),
    "iostat/linux-7": (
        "disk_io/sysstat",
        "disk_io",
        as_is,
        [({"device": "sda"}, {"read_bytes": 2.19 * M, "write_bytes": 3.88 * M})],
    ),
    "iostat/linux-9": (
        "disk_io/sysstat",
        "disk_io",
        as_is,
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
        as_is,
        [({"device": "dm-0"}, {"read_bytes": 0.10 * M, "write_bytes": 0.13 * M})],
    ),
    "iostat/linux-13": (
        "disk_io/sysstat",
        "disk_io",
        as_is,
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
        as_is,
        [({"zone": "zone1"}, {"rss": 44 * M, "rss_cap": G, "pagedout": 0})],
    ),
    "prctl/solaris11-1": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
        [({"zone": "zone1"}, {"cpu_shares": 60, "zone_id": 3})],
    ),
    "zoneadm-list-cv/solaris11-2": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
        [
            ({"zone": "zone1"}, {"brand": "solaris", "state": "running", "zone_id": 1}),
            ({"zone": "zone2"}, {"brand": "solaris", "state": "configured"}),
        ],
    ),
    "zoneadm-list-cv/solaris10-3": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
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
        as_is,
        [({}, {"run_queue": 2, "blocked": 0, "mem_free": 2794696 * 1024, "cpu_user": 0, "cpu_idle": 0.99 * 8})],
    ),
    "vmstat/linux-3": (
        "host_load/vmstat-linux",
        "host_load",
        as_is,
        [({}, {"run_queue": 2, "mem_free": 2794864 * 1024, "cpu_idle": 0.99 * 8})],
    ),
    "vmstat/linux-7": (
        "host_load/vmstat-linux",
        "host_load",
        as_is,
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
        as_is,
        [({}, {"ncpu": 4, "cpu_user": 0.02, "cpu_sys": 0.03, "cpu_wait": 0, "cpu_idle": 3.95})],
    ),
    "mpstat/smartos-2": (
        "host_load/mpstat",
        "host_load",
        as_is,
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
        as_is,
        [({}, {"cpu_user": 0.0023, "cpu_sys": 0.0037, "cpu_idle": 0.9939})],
    ),
    "swapinfo/freebsd-1": (
        "host_load/sysctl",
        "host_load",
        as_is,
        [({}, {"swap_free": 2 * 2097152 * 1024, "swap_total": 2 * 2097152 * 1024})],
    ),
    "arcstat/linux-1": ("arcstats/kstat", "arcstats", as_is, [({}, {"size": 10 * G, "c": 10 * G, "misses": 0})]),
    "arcstat/smartos-1": (
        "arcstats/kstat",
        "arcstats",
        as_is,
        [({}, {"size": 13 * G, "c": 13 * G, "hits": 673, "misses": 4, "hit_ratio": 673 / 677})],
    ),
    "kstat-p/solaris-1": ("host_load/kstat-links", "host_load", as_is, [({}, {"ncpu": 8})]),
    "kstat/solaris-1": ("host_load/kstat-links", "host_load", as_is, [({}, {"ncpu": 2})]),
    "kstat/solaris-3": (
        "host_load/kstat-drivers",
        "host_load",
        as_is,
        [({}, {"mem_total": 1568638 * 4096, "mem_free": 641451 * 4096})],
    ),
    "vmstat/linux-5": ("disk_io/diskstats", "disk_io", as_is, [({"device": "sda"}, {}), ({"device": "dm-1"}, {})]),
    "swap/solaris-1": (
        "host_load/vmstat",
        "host_load",
        as_is,
        [({}, {"swap_total": (2097144 + 1433592) * 512, "swap_free": (2097144 + 1433592) * 512})],
    ),
    "swap-s/solaris-2": (
        "host_load/vmstat",
        "host_load",
        as_is,
        [({}, {"swap_total": (9321208 + 1459312) * 1024, "swap_free": 1459312 * 1024})],
    ),
    "swap-s/solaris10-1": (
        "host_load/vmstat",
        "host_load",
        as_is,
        [({}, {"swap_total": (91784 + 33816648) * 1024, "swap_free": 33816648 * 1024})],
    ),
    "vfsstat/smartos-1": (
        "zone_usage/kstats",
        "zone_io",
        as_is,
        [
            ({"zone": "global"}, {"read_ops": 542.3, "read_bytes": 0.8 * M, "write_ops": 4.2, "write_time": 0.7e-6}),
            ({"zone": "a07ba0ca"}, {"delay_cnt": 90, "delay_time": 0.009}),
        ],
    ),
    "ziostat/smartos-1": (
        "zone_usage/kstats",
        "zone_io",
        as_is,
        [({"zone": "633df8db"}, {"zfs_read_ops": 2.8}), ({"zone": "fifo"}, {"zfs_read_ops": 0})],
    ),
    "zonememstat/smartos-1": (
        "zone_usage/kstats",
        "zone_usage",
        as_is,
        [({"zone": "17510b88-b8fe-44fc-ad72-4a6f011d3ee4"}, {"rss": 2555 * M, "rss_cap": 3 * G})],
    ),
    "zonememstat/smartos-3": (
        "zone_usage/kstats",
        "zone_usage",
        as_is,
        [({"zone": "global"}, {"rss": 164 * M}), ({"rss_cap": 3800.0 * M}, {"rss": 27 * M})],
    ),
    "zone-xml/omnios-1": ("zone_usage/kstats", "zone_usage", as_is, [({"zone": "cube-media"}, {"brand": "lipkg"})]),
    "zoneadm-list-cv/solaris10-1": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,
        [({"zone": "zoneA"}, {"state": "installed", "brand": "native"})],
    ),
    "zoneadm-list-cv/omnios-1": (
        "zone_usage/prstat",
        "zone_usage",
        as_is,  # with a packaging session behind it
        [({"zone": "lipkg0"}, {"state": "running", "brand": "lipkg", "zone_id": 5})],
    ),
    "swap-l/solaris-illumos-1": (
        "host_load/vmstat",
        "host_load",
        as_is,  # with a program behind it, and headings in French
        [({}, {"swap_total": 2425800 * 512, "swap_free": 2425800 * 512})],
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
WITH_MORE = {"zoneadm-list-cv/omnios-1", "swap-l/solaris-illumos-1"}
"""Files with something else behind the output."""


KINDS: dict[str, tuple[str, ...]] = {
    "arcstat": ("arcstats",),
    "arcstats-proc": ("arcstats",),
    "arcstats-sysctl": ("arcstats",),
    "dladm": ("host_load",),
    "imapsync-log": ("imapsync",),
    "iostat": ("disk_io",),
    "iostat-En": ("disk_io",),
    "kstat": ("host_load", "zone_usage", "arcstats"),
    "kstat-p": ("host_load", "zone_usage", "arcstats"),
    "mpstat": ("host_load",),
    "nginx-stub-status": ("mail_activity",),
    "prctl": ("zone_usage",),
    "prstat": ("zone_usage",),
    "rcapstat": ("zone_usage",),
    "swap": ("host_load",),
    "swap-l": ("host_load",),
    "swap-s": ("host_load",),
    "swapinfo": ("host_load",),
    "vfsstat": ("zone_usage",),
    "vmstat": ("host_load", "disk_io"),
    "ziostat": ("zone_usage",),
    "zone-xml": ("zone_usage",),
    "zoneadm-list-cp": ("zone_usage",),
    "zoneadm-list-cv": ("zone_usage",),
    "zonememstat": ("zone_usage",),
    "zonestat": ("zone_usage",),
}
"""Folder: the sources of which one has rows of each file in it."""

WITHOUT: dict[str, tuple[str, str]] = {
    "arcstats-sysctl": (r"arcstats", "none of the ARC's statistics: vdev_cache_stats, zfetchstats"),
    "dladm": (r"RBYTES", "links, their kind, speed and properties: no frame has them, net_io only counts"),
    "iostat": (
        r"[rw]/[si]\b|B_read|Blk_read|sec/s|\b[rw]ps\b|\bserv\b|aqu-sz|Soft Errors",
        "no disk, or reads and writes in one",
    ),
    "mpstat": (r"\bidl\b|%idle", "interrupts by CPU"),
    "prctl": (r"(?m)^\s*zone: ", "controls of processes, tasks or projects"),
    "prstat": (r"ZONEID", "a table of processes, users or projects without -Z: no zone in it"),
    "rcapstat": (r"\bzone\b", "caps of projects"),
    "vmstat": (r"\bfree\b|\bfre\b|total merged", "interrupts, slabs or partitions: no frame has them"),
}
"""A text of such a folder without this holds nothing that a frame has a place for: the reason."""
READ_KSTATS = re.compile(
    r"\b(?:unix(?::|\s.*\s*name:\s+)\S*(?:system_pages|system_misc|sysinfo|vminfo)|cpu:\d+:|module:\s+cpu\s|state\b|caps\b"
    r"|zones:|memory_cap|zone_vfs|zone_zfs|arcstats|link:\d+:|[ro]bytes|[io]packets)"
)
"""Kstats that a source reads: the others are clocks and models of CPUs, speeds of links and the like."""

ELSEWHERE = {"prtconf", "psrinfo"}
"""Read by the probe, tested below."""
UNCLAIMED = {
    "etc-release": "the probe takes the system's name from its first line",
    "uname": "the probe asks for release and version, each by itself",
    "fmadm-faulty": "what the fault manager thinks of hardware, in prose: the pools' part is in zpool_status",
    "fmadm-faulty-s": "the same, a line each",
    "fmdump": "the fault manager's log, in prose",
    "fmstat": "how busy the fault manager's modules are",
    "pkg-list": "installed packages",
    "showrev": "the release and its patches",
    "svcs": "services and their states",
    "solaris_exporter": "what another exporter makes of kstats and commands that are read themselves",
    "df": "file systems as mounted: dataset_usage has the pools' with what snapshots hold",
    "prtdiag": "the machine's parts, asked of firmware: seconds of its time, and no statistic",
    "psrinfo-v": "clock and kind of each CPU, no statistic of theirs: the probe counts psrinfo's lines",
    "psrinfo-vp": "sockets and cores, no statistic of theirs: the probe counts psrinfo's lines",
    "spl-kstat": "other modules' statistics (abd, dmu_tx, fm, zfetch, vdev_mirror): no frame has a place for them",
    "spl-kstat-pool": "a pool's and its datasets' counters, which do not say whose they are: zpool iostat does",
}
"""Folders of which no source reads anything, with the reason."""


def nothing_in(folder: str, text: str) -> str:
    """Why no row can come of `text`; '' where one must."""
    if folder in ("kstat", "kstat-p"):
        return "" if READ_KSTATS.search(text) else "no statistic that a source reads"
    telling, reason = WITHOUT.get(folder, ("", ""))
    return "" if re.search(telling, text) else reason


pytestmark = pytest.mark.corpus
needs_corpus = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no recordings of others at {ROOT}")


@needs_corpus
@pytest.mark.parametrize("file", CASES)
def test_key_figures(file: str) -> None:
    variant, table, feed, rows = CASES[file]
    told: list[ParseError] = []
    frame = parse_text(VARIANTS[variant], feed(read(ROOT / f"{file}.txt")), facts=FACTS, complain=told.append)[table]
    assert not told or file in WITH_MORE, told[0]
    for match, figures in rows:
        found = frame
        for column, value in match.items():
            found = found[found[column] == value]
        assert len(found), f"{match} is not in\n{frame.to_string(max_rows=20)}"
        got = found.iloc[-1]
        for column, value in figures.items():
            assert got[column] == (value if isinstance(value, str) else pytest.approx(value)), column


FILES = [path for folder in KINDS for path in corpus(folder)] if ROOT.is_dir() else []


@needs_corpus
@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_file_has_rows_or_nothing_that_a_frame_has_a_place_for(path: Path) -> None:
    folder, text = path.parent.name, read(path)
    feed = then("end") if folder == "nginx-stub-status" else as_is  # the loop that asks it ends a report
    found = {source: read_saved(BY_NAME[source], feed(text)) for source in KINDS[folder]}
    rows = {source: saved.rows for source, saved in found.items()}
    if nothing_in(folder, text):
        assert not any(rows.values()), f"{rows} rows, in spite of: {nothing_in(folder, text)}"
    else:
        assert any(rows.values()), [saved.complaints[:3] for saved in found.values()]


def test_every_folder_stands_in_one_list() -> None:
    lists = [set(KINDS), set(UNCLAIMED), ELSEWHERE]
    assert sum(map(len, lists)) == len(set().union(*lists))
    assert {file.partition("/")[0] for file in CASES} <= set(KINDS)


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
@pytest.mark.parametrize("path", [p for t in sorted(ELSEWHERE) for p in corpus(t)] if ROOT.is_dir() else [], ids=name)
def test_the_probe_reads_memory_and_cpus(tmp_path: Path, path: Path) -> None:
    tool = path.parent.name
    (tmp_path / tool).write_text(f"#!/bin/sh\ncat {path}\n")
    (tmp_path / tool).chmod(0o755)
    line = next(line for line in probe.FACTS.splitlines() if tool in line)
    said = subprocess.run(
        ["/bin/sh", "-c", line],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
    )
    found = probe.read(said.stdout)
    if tool == "prtconf" and "Memory size: " not in read(path):
        assert not found
        return
    (value,) = found.values()
    if name(path) in PROBED:
        assert value == PROBED[name(path)]
    else:
        assert int(value) > 0


PROBED = {"prtconf/solaris-1": "16384", "prtconf/solaris-3": "4096", "psrinfo/smartos-1": "2"}
