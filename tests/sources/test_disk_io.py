"""Disks: service times, %busy, errors, their place in a pool; nothing since boot ever shown as an interval."""

from __future__ import annotations

import os
import subprocess
import time
from math import isnan, nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.members import Members
from collectors.sources.disk_io import SOURCE

RECORDED = Path(__file__).parents[1] / "recorded" / "disk_io"
VARIANTS = {v.name: v for v in SOURCE.variants}


def frame(variant: str, name: str) -> pd.DataFrame:
    return parse_text(VARIANTS[variant], (RECORDED / name).read_text())["disk_io"]


def test_solaris_units_errors_and_stamp() -> None:
    rows = frame("iostat", "solaris10-J4200.txt")
    first = rows.iloc[0]
    assert (first["device"], first["read_ops"], first["write_ops"]) == ("c3t0d0", 212.2, 13.0)
    assert first["read_bytes"] == pytest.approx(3609.6 * 1024)
    assert first["asvc_t"] == pytest.approx(0.0084)
    assert (first["wait"], first["actv"], first["busy"], first["waiting"]) == (0.1, 1.9, 0.86, 0.03)
    assert str(first["time"]) == "2025-11-23 20:33:21+00:00"
    second = rows.iloc[1]
    assert (second["soft_errors"], second["hard_errors"], second["transport_errors"]) == (1, 0, 2)
    log = rows.iloc[2]
    assert log["write_ops"] == 1512, "a value wider than its column"


def test_reports_since_boot_are_dropped_at_the_start_and_after_a_state_change() -> None:
    rows = frame("iostat", "solaris10-J4200.txt")
    assert list(rows[rows["device"] == "c3t0d0"]["read_ops"]) == [212.2, 210.0]
    assert rows["time"].dt.second.drop_duplicates().tolist() == [21, 23]


def test_each_disk_has_its_place_in_a_pool() -> None:
    rows = frame("iostat", "solaris10-J4200.txt").drop_duplicates("device").set_index("device")
    assert rows.loc["c3t1d0", "vdev"] == "raidz2-0/c3t1d0"
    assert rows.loc["c1t2d0", "vdev"] == "logs/c1t2d0s0", "the pool uses a slice of it"
    assert rows.loc["c3t0d0", "pool"] == "mail"
    assert rows["pool"].isna()["c0t0d0"]


def test_a_name_with_a_blank() -> None:
    text = (
        "                    extended device statistics\n"
        "    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
        "    0.6   23.8   15.0  199.0  0.0  0.4    1.7   14.7   4  18 d1 (/)\n"
    )
    rows = parse_text(VARIANTS["iostat"], text * 2)["disk_io"]
    assert rows["device"].tolist() == ["d1 (/)"]
    assert rows["wsvc_t"].tolist() == [0.0017]


def test_freebsd() -> None:
    rows = frame("iostat-bsd", "freebsd-ada.txt")
    assert rows["device"].tolist() == ["ada0", "ada1"]
    assert (rows["write_ops"][0], rows["asvc_t"][0], rows["actv"][0], rows["busy"][0]) == (120, 0.006, 3, 0.61)


def test_linux_over_the_hosts_uptime_and_a_32_bit_wrap() -> None:
    rows = frame("diskstats", "linux-diskstats.txt")
    assert rows["device"].unique().tolist() == ["sda", "nvme0n1"], "no loops, partitions or idle disks"
    sda = rows[rows["device"] == "sda"].iloc[1]
    assert (sda["read_ops"], sda["write_ops"]) == (100, 100)
    assert (sda["read_bytes"], sda["write_bytes"]) == (16000 / 2 * 512, 16000 / 2 * 512)
    assert sda["actv"] == 1.5
    assert sda["busy"] == 0.75
    # 4294967000 ms + 400 = 104 past 2**32; with 1600 ms of writes, over 400 operations
    assert sda["asvc_t"] == pytest.approx((400 + 1600) / 1000 / 400)
    assert sda["vdev"] == "mirror-0/sda1"
    assert rows[rows["device"] == "nvme0n1"]["vdev"].iloc[1] == "mirror-0/nvme0n1p1"
    assert isnan(rows["busy"].iloc[0])


def test_members_of_two_pools_and_a_slash() -> None:
    members = Members()
    for line in ("zpool= a", "zpool:a  ONLINE", "zpool:  gpt/disk0 ONLINE", "zpool= b", "zpool:b  ONLINE"):
        assert members.take(line)
    assert members.take("zpool:  da0p3  ONLINE")
    assert members.of("da0") == (None, None), "only a whole listing counts"
    members.take("zpool.")
    assert members.of("da0") == ("b", "da0p3")
    assert members.of("disk0") == ("a", "gpt/disk0")
    assert not members.take("c0t0d0")


def test_fields_that_do_not_fit_the_headings() -> None:
    text = (RECORDED / "solaris10-J4200.txt").read_text().replace("  1512.0    0.0 12096.0", "  1512.0", 1)
    with pytest.raises(ParseError, match="line 22"):
        parse_text(VARIANTS["iostat"], text.replace("0.0 1512.0    0.0 12096.0", "0.0 1512.0    0.0"))


def test_status_and_action_of_a_pool_are_no_disks() -> None:
    members = Members()
    for line in ("zpool= a", "zpool:action here now", "zpool:NAME STATE", "zpool:a DEGRADED", "zpool:  c0t0d0 ONLINE"):
        assert members.take(line)
    members.take("zpool.")
    assert members.of("c0t0d0") == ("a", "c0t0d0")
    assert members.of("action") == (None, None)


TITLE = "                    extended device statistics              \n"


def second(text: str, variant: str = "iostat", os_: Any = None) -> pd.DataFrame:
    """The rows of the second of two equal reports: the first is since boot."""
    frames = parse_text(VARIANTS[variant], text + text, os=os_)
    assert set(frames["disk_io"]["time"].dt.second) == {1}
    return frames["disk_io"].set_index("device")


def cells(rows: pd.DataFrame, device: str, columns: list[str]) -> list[Any]:
    return [rows[c][device] for c in columns]


def test_errors_alone() -> None:
    rows = second(
        "   ---- errors --- \n  s/w h/w trn tot device\n    0   2   1   3 c0t0d0\n    0   0   0   0 mail3:/export\n"
    )
    assert cells(rows, "c0t0d0", ["soft_errors", "hard_errors", "transport_errors"]) == [0, 2, 1]
    assert isnan(*cells(rows, "mail3:/export", ["read_ops"]))


def test_error_counts_that_somebody_filtered() -> None:
    lines = (f"    c0t{i}d0           Soft Errors: {i} Hard Errors: 2 Transport Errors: 0" for i in range(2))
    frame = parse_text(VARIANTS["iostat"], "\n".join(lines))["disk_io"]
    assert frame[["device", "soft_errors", "hard_errors"]].values.tolist() == [["c0t0d0", 0, 2], ["c0t1d0", 1, 2]]


def test_names_first_with_errors_terminals_and_cpu_behind_the_first_device() -> None:
    rows = second(
        "                  extended device statistics                    ---- errors ---     tty         cpu\n"
        "device    r/s    w/s   kr/s   kw/s wait actv  svc_t  %w  %b s/w h/w trn tot  tin tout  us sy wt id\n"
        "sd0       0.5   12.0    4.0   96.0  0.0  0.3   22.5   0  11   0   1   0   1    0   12   3  2  0 95\n"
        "nfs1      1.0    0.0   32.0    0.0  0.0  0.0    3.1   0   0   0   0   0   0 \n"
    )
    assert cells(rows, "sd0", ["write_ops", "asvc_t", "busy", "hard_errors"]) == [12, 0.0225, 0.11, 1]
    assert cells(rows, "nfs1", ["read_bytes", "asvc_t"]) == pytest.approx([32768, 0.0031])


def test_cpu_and_dates_in_lines_of_their_own() -> None:
    for date in ("Tue Nov 25 20:33:21 2025", "Tue Nov 25 20:33:21 GMT 2025", "November 25, 2025 at 08:33:21 PM GMT"):
        rows = second(
            f"{date}\n   tty         cpu\n tin tout  us sy wt id\n   0    7   1  2  0 97\n{TITLE}"
            "    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
            "    1.0    2.0    3.0    4.0  0.0  0.1    0.0    5.0   0   6 c3t0d0\n"
        )
        assert rows["busy"].tolist() == [0.06]


def test_commas_megabytes_and_counts_in_the_interval() -> None:
    rows = second(
        "extended device statistics,errors\n"
        "r/s,w/s,Mr/s,Mw/s,wait,actv,wsvc_t,asvc_t,%w,%b,s/w,h/w,trn,totdevice\n"
        "1.5,2.5,0.5,1.5,0.0,0.1,0.0,5.0,0,101,0,3,0,3,c3t0d0(/var/my mail)\n"
    )
    row = rows.loc["c3t0d0(/var/my mail)"]
    assert [row[c] for c in ("write_ops", "write_bytes", "busy", "hard_errors")] == [2.5, 1.5 * 2**20, 1.0, 3]
    text = f"{TITLE}    r/i    w/i   kr/i   kw/i wait actv wsvc_t asvc_t  %w  %b device\n"
    text += "   50.0   20.0  500.0  200.0  0.0  0.1    0.0    5.0   0   6 c3t0d0\n"
    rows = parse_text(VARIANTS["iostat"], text * 2, interval=5.0)["disk_io"]
    assert rows[["read_ops", "read_bytes"]].to_numpy().tolist() == [[10.0, 100 * 1024]]


def test_partitions_controllers_paths_nfs_and_the_automounter() -> None:
    names = [
        "c3",
        "c3t9d0",
        "c3t9d0s0",
        "c3t9d0s7",
        "c0t60Ad0.t5000Cd1.fp0",
        "mail:vold(pid123)",
        "nas:/vol/a b",
        "st4",
    ]
    lines = [f"   10.0 1000.0  100.0 123456.7  0.0  0.1    0.0    5.0   0   6 {name}\n" for name in names]
    status = "zpool= mail\nzpool:NAME STATE\nzpool:mail ONLINE\nzpool:  c3t9d0 ONLINE\nzpool.\n"
    text = f"{status}{TITLE}    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n{''.join(lines)}"
    rows = second(text)
    assert rows.index.tolist() == names
    assert rows.loc[["c3t9d0", "c3t9d0s0"], "vdev"].tolist() == ["c3t9d0"] * 2, "ZFS puts its data on slice 0"
    assert rows.loc[["c3", "c3t9d0s7", "nas:/vol/a b"], "vdev"].isna().all()


def test_numbers_that_touch_are_told_apart_or_refused() -> None:
    head = f"{TITLE}    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
    rows = second(head + "  100.0123.4 3609.612288.8  0.0  0.1    0.0    5.0   0   6 c3t0d0\n")
    assert cells(rows, "c3t0d0", ["read_ops", "write_ops"]) == [100.0, 123.4]
    assert cells(rows, "c3t0d0", ["read_bytes", "write_bytes"]) == [3609.6 * 1024, 12288.8 * 1024]
    with pytest.raises(ParseError, match="line 3, column 0: iostat: 9 fields under 11 headings"):
        second(head + "  1001234 3609.6 1228.8  0.0  0.1    0.0    5.0   6 c3t0d0\n")


def test_a_number_below_zero_or_none_at_all_costs_itself_only() -> None:
    rows = second(
        "                        extended device statistics  \n"
        "device       r/s     w/s     kr/s     kw/s  ms/r  ms/w  ms/o  ms/t qlen  %b  \n"
        "da0           40     120   1280.0   4096.0 -2147483648  7     9 -2147483648    3 nan\n",
        "iostat-bsd",
    )
    assert cells(rows, "da0", ["read_ops", "write_bytes"]) == [40, 4096 * 1024]
    assert all(map(isnan, cells(rows, "da0", ["asvc_t", "busy"])))


def test_freebsd_of_three_generations() -> None:
    old = second(
        "                        extended device statistics             \n"
        "device     r/s   w/s    kr/s    kw/s qlen svc_t  %b  \n"
        "ad4        0.1   9.6     2.1   192.0    1   4.4   2 \n",
        "iostat-bsd",
    )
    assert cells(old, "ad4", ["write_ops", "actv", "asvc_t", "busy"]) == [9.6, 1, 0.0044, 0.02]
    behind = second(
        "                        extended device statistics             tty             cpu\n"
        "device     r/s   w/s    kr/s    kw/s qlen svc_t  %b  tin  tout us ni sy in id \n"
        "ad4        0.1   9.6     2.1   192.0    1   4.4   2    0    54  1  0  2  0 97\n"
        "ad6        0.0   1.0     0.0    16.0    0   0.4   0 \n",
        "iostat-bsd",
    )
    assert behind["write_ops"].tolist() == [9.6, 1.0]
    new = second(
        "      cpu\n us ni sy in id\n  1  0  1  0 98\n                        extended device statistics  \n"
        "device       r/s     w/s     kr/s     kw/s  ms/r  ms/w  ms/o  ms/t qlen  %b  \n"
        "nvd0           0      31      0.0    520.3     0     0     0     0    0   1 \n",
        "iostat-bsd",
    )
    assert cells(new, "nvd0", ["write_ops", "busy"]) == [31, 0.01]


LINUX = "1000.00 900.00\n{}\n\n1002.00 901.00\n{}\n\n"


def test_diskstats_of_every_kernel() -> None:
    def lines(n: int) -> str:
        return "\n".join(
            [
                f"   8       0 sda {100 + n} 0 {800 + 8 * n} 50 10 0 80 5 0 {60 + n} 55",
                "   8       1 sda1 100 800 10 80",  # 2.6.24: a partition has four numbers
                f" 259       0 nvme0n1 {100 + n} 0 800 50 10 0 80 5 0 {60 + n} 55 0 0 0 0",
                f" 259       1 nvme0c1n1 {100 + n} 0 800 50 10 0 80 5 0 60 55 0 0 0 0",
                f" 253       3 dm-3 {100 + n} 0 800 50 10 0 80 5 0 60 55 0 0 0 0 7 3",
                f"   9     127 md127 {100 + n} 0 800 0 10 0 80 0 0 0 0 0 0 0 0 0 0",
                f" 202       1 xvda1 {100 + n} 0 800 50 10 0 80 5 0 60 55 0 0 0 0 7 3",  # a guest's only "disk"
                f" 230      16 zd16p1 {100 + n} 0 800 50 10 0 80 5 0 60 55 0 0 0 0 7 3",
                f"   7       0 loop0 {100 + n} 0 800 50 10 0 80 5 0 60 55 0 0 0 0 7 3",
            ]
        )

    rows = parse_text(VARIANTS["diskstats"], LINUX.format(lines(0), lines(20)))["disk_io"].iloc[5:]
    assert rows["device"].tolist() == ["sda", "nvme0n1", "dm-3", "md127", "xvda1"]
    assert rows["read_ops"].tolist() == [10.0] * 5
    assert rows["busy"].tolist()[:2] == [0.01, 0.01]


def test_a_disk_that_goes_comes_back_or_counts_anew_makes_no_spike() -> None:
    def report(uptime: int, *rows: str) -> str:
        return "\n".join([f"{uptime}.00 1.00", *rows, "", ""])

    def sda(n: int) -> str:
        return f"   8 0 sda {n} 0 {8 * n} {n} {n} 0 {8 * n} {n} 0 {n} {n}"

    sdb = "   8 16 sdb 5 0 40 5 5 0 40 5 0 5 5"
    text = "".join(
        [
            report(10, sda(1000), sdb),
            report(11, sda(1010), sdb),
            report(12, sdb),
            report(13, sda(90000), sdb),  # back, and it went on counting
            report(14, sda(90010), sdb),
            report(15, sda(3), sdb),  # another disk under the same name
            report(16, sda(13), sdb),
        ]
    )
    frames = parse_text(VARIANTS["diskstats"], text)
    rows = frames["disk_io"]
    assert frames["events"]["text"].tolist() == ["counters of sda fell and count anew"]
    got = rows[rows["device"] == "sda"]["read_ops"].tolist()
    assert [None if isnan(x) else x for x in got] == [None, 10, None, 10, None, 10]


@pytest.mark.parametrize(
    ("status", "device", "vdev"),
    [
        ("mail ONLINE|  c3t9d0 ONLINE", "c3t9d0", "c3t9d0"),
        ("mail ONLINE|  raidz2 ONLINE|    c3t9d0s0 ONLINE", "c3t9d0", "raidz2-0/c3t9d0s0"),
        ("mail ONLINE|  c3t10d0 ONLINE", "c3t1d0", None),
        ("mail ONLINE|  c3t7d0 ONLINE", "c3t7d1", None),
        ("mail ONLINE|  /dev/dsk/c3t9d0s0 ONLINE", "c3t9d0", "/dev/dsk/c3t9d0s0"),
        ("mail ONLINE|  c0t5000C5001234ABCDd0 ONLINE", "c0t5000C5001234ABCDd0", "c0t5000C5001234ABCDd0"),
        ("mail ONLINE|  c0t5000C5001234ABCDd0 ONLINE", "c0t5000C5001234ABCDd0s0", "c0t5000C5001234ABCDd0"),
        ("mail ONLINE|  emcpower12c ONLINE", "emcpower12", "emcpower12c"),
        ("mail ONLINE|  spare ONLINE|    c1t1d0 FAULTED|    c1t2d0 ONLINE", "c1t2d0", "spare-0/c1t2d0"),
        ("mail ONLINE|logs|  c1t2d0s3 ONLINE|cache|  c1t2d0s4 ONLINE", "c1t2d0", "logs/c1t2d0s3"),
        ("mail ONLINE|spares|  c1t9d0 AVAIL", "c1t9d0", "spares/c1t9d0"),
        ("mail ONLINE|  mirror-0 ONLINE|    sda1 ONLINE|    sdb1 ONLINE", "sdb", "mirror-0/sdb1"),
        ("mail ONLINE|  nvme0n1p3 ONLINE", "nvme0n1", "nvme0n1p3"),
        ("mail ONLINE|  nvme0n1 ONLINE", "nvme0n1p1", "nvme0n1"),
        ("mail ONLINE|  dm-3 ONLINE", "dm-3", "dm-3"),
        ("mail ONLINE|  wwn-0x5000c500 ONLINE|zlink= wwn-0x5000c500 sdq", "sdq", "wwn-0x5000c500"),
        ("mail ONLINE|  ata-WDC_1-part3 ONLINE|zlink= ata-WDC_1-part3 sdc3", "sdc", "ata-WDC_1-part3"),
        ("mail ONLINE|  gpt/disk0 ONLINE|zlink= gpt/disk0 da0p3", "da0", "gpt/disk0"),
        ("mail ONLINE|  gptid/aa-bb.eli ONLINE|zlink= gptid/aa-bb ada1p2", "ada1", "gptid/aa-bb.eli"),
        ("mail ONLINE|  da0p3.eli ONLINE", "da0", "da0p3.eli"),
        ("mail ONLINE|  123456789 UNAVAIL 0 0 0 was /dev/sdb1", "sdb", None),
    ],
)
def test_a_disk_is_found_in_the_pool_by_any_of_its_names(status: str, device: str, vdev: str | None) -> None:
    members = Members()
    for line in ["zpool= mail", *(x if x[:5] == "zlink" else f"zpool:{x}" for x in status.split("|")), "zpool."]:
        assert members.take(line)
    assert members.of(device) == (("mail", vdev) if vdev else (None, None))


def listing(media: int, hard: int, unready: int = 0, transport: int = 0, predicted: int = 0) -> str:
    return (
        f"En:c3t9d0           Soft Errors: 4 Hard Errors: {hard} Transport Errors: {transport} \n"
        "En:Vendor: SEAGATE  Product: ST3750630NS      Revision: 3AZQ Serial No:  \n"
        "En:Size: 750.16GB <750156374016 bytes>\n"
        f"En:Media Error: {media} Device Not Ready: {unready} No Device: 0 Recoverable: 0 \n"
        f"En:Illegal Request: 3 Predictive Failure Analysis: {predicted} \nEn.\n"
    )


def test_errors_of_a_disk_that_grow_are_an_event() -> None:
    looks = [
        listing(2, 2),
        listing(2, 2),
        listing(5, 4, 1, 1),
        listing(5, 9, 6, 1),
        listing(5, 9, 6, 1, 1),
        listing(0, 0),
    ]
    frames = parse_text(VARIANTS["iostat"], "".join(looks))
    assert frames["events"][["kind", "object", "severity", "text"]].to_numpy().tolist() == [
        ["disk", "c3t9d0", "warn", "c3t9d0: 3 more media errors, 2 more hard errors, 1 more transport error"],
        ["disk", "c3t9d0", "warn", "c3t9d0: 1 more prediction of its failure"],
    ], "a drive that is not ready is no event, nor is a counter that starts anew"


def test_error_counts_of_old_solaris_and_of_linux_come_from_beside() -> None:
    text = f"{TITLE}    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
    text += "    1.0    2.0    3.0    4.0  0.0  0.1    0.0    5.0   0   6 c3t9d0\n"
    rows = parse_text(VARIANTS["iostat-old"], listing(1, 2) + text * 2)["disk_io"]
    assert rows[["soft_errors", "hard_errors"]].to_numpy().tolist() == [[4, 2]]
    sda = "   8 0 sda 5 0 40 5 5 0 40 5 0 5 5"
    text = f"err= sda 0x1f 0x2\nEn.\n10.0 1.0\n{sda}\n\nerr= sda 0x20\nEn.\n11.0 1.0\n{sda}\n\n"
    frames = parse_text(VARIANTS["diskstats"], text)
    assert frames["disk_io"]["hard_errors"].tolist() == [31, 32]
    assert frames["events"]["text"].tolist() == ["sda: 1 more hard error"]


def test_sysstat_of_every_release() -> None:
    banner = "Linux 5.8.0 (ubuntu) \t12/02/2021 \t_x86_64_\t(2 CPU)\n\n"
    cpu = "avg-cpu:  %user   %nice %system %iowait  %steal   %idle\n  0,39    0,04    0,44    0,04    0,00   99,09\n\n"
    forms = {
        "Device:         rrqm/s   wrqm/s     r/s     w/s   rsec/s   wsec/s avgrq-sz avgqu-sz   await  svctm  %util": (
            "0,00 0,02 3,00 1,00 16,0 32,0 12,0 0,5 8,0 0,5 12,5"
        ),
        "Device         r/s     w/s     rkB/s     wkB/s   rrqm/s   wrqm/s  %rrqm  %wrqm r_await w_await aqu-sz rareq-sz"
        " wareq-sz  svctm  %util": "3.00 1.00 8.00 16.00 0 0 0 0 6.00 14.00 0.50 0 0 0 12.50",
        "Device r/s rMB/s rrqm/s %rrqm r_await rareq-sz w/s wMB/s wrqm/s %wrqm w_await wareq-sz d/s dMB/s drqm/s %drqm"
        " d_await dareq-sz f/s f_await aqu-sz %util": (
            "3.00 0.0078125 0 0 6.00 0 1.00 0.015625 0 0 14.00 0 0 0 0 0 0 0 0 0 0.50 12.50"
        ),
    }
    for heading, cells in forms.items():
        table = f"12/02/2021 03:14:20 PM\n{cpu}{heading}\nsda {cells}\nloop0 {cells}\n\n"
        frame = parse_text(VARIANTS["sysstat"], banner + table * 2)["disk_io"]
        assert frame["device"].tolist() == ["sda"]
        row = frame.iloc[0]
        wanted = [3.0, 1.0, 8192.0, 16384.0, 0.5, 0.008, 0.125]
        got = [row[c] for c in ("read_ops", "write_ops", "read_bytes", "write_bytes", "actv", "asvc_t", "busy")]
        assert got == pytest.approx(wanted), heading


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_solaris_command_runs_in_a_plain_shell(tmp_path: Path, shell: str) -> None:
    report = r"""printf '    extended device statistics\nr/s w/s kr/s kw/s wait actv wsvc_t asvc_t %%w %%b device\n'
printf '1.0 2.0 3.0 4.0 0.0 0.1 0.0 5.0 0 6 c3t0d0\n'"""
    stubs = {
        "iostat": f"while :; do date +%s; {report}; sleep 0.2; done",
        "zpool": r"printf '  pool: mail\nstatus: x\n\taction\n\tNAME STATE\n\tmail ONLINE\n\t  raidz2 ONLINE\n'"
        r"; printf '\t    c3t0d0 ONLINE 0 0 0\n'",
    }
    for name, script in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    ctx = Context("ms1", "solaris10", 1.0)
    stream = subprocess.Popen(
        [shell, "-c", VARIANTS["iostat"].command(ctx)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    parser, rows = VARIANTS["iostat"].parser(ctx), []
    try:
        assert stream.stdout
        for line in stream.stdout:
            rows += parser.feed(line.rstrip("\n"), time.time())
            if rows and rows[-1].columns["vdev"] != [None]:
                break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    assert rows[-1].columns["vdev"] == ["raidz2-0/c3t0d0"]
    assert rows[-1].columns["busy"] == [0.06]


@pytest.mark.skipif(not Path("/proc/diskstats").exists(), reason="no /proc/diskstats")
def test_writing_to_this_machines_disk_shows(tmp_path: Path) -> None:
    ctx = Context("here", "linux", 0.5)
    variant = VARIANTS["diskstats"]
    stream = subprocess.Popen(
        ["/bin/sh", "-c", variant.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser, written = variant.parser(ctx), 0.0
    try:
        assert stream.stdout
        reports = 0
        for line in stream.stdout:
            for batch in parser.feed(line.rstrip("\n"), time.time()):
                reports += 1
                written += sum(x * 0.5 for x in batch.columns["write_bytes"] if x == x)
                if reports == 1:
                    with (tmp_path / "f").open("wb") as f:
                        f.write(os.urandom(1 << 24))
                        os.fsync(f.fileno())
            if reports >= 4:
                break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    if not reports:
        pytest.skip("this machine has no disk in /proc/diskstats")
    if os.stat(tmp_path).st_dev >> 8 == 0:
        pytest.skip("the temporary folder is on no disk")
    assert written > 0.5 * (1 << 24)


def test_a_saved_texts_only_report_is_shown_and_counts_over_an_unknown_time_are_not() -> None:
    head = f"{TITLE}    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
    row = "    1.0    2.0    3.0    4.0  0.0  0.1    0.0    5.0   0   6 c3t0d0\n"
    assert parse_text(VARIANTS["iostat"], head + row)["disk_io"]["busy"].tolist() == [0.06]
    parser = VARIANTS["iostat"].parser(Context("h", "solaris10", 1.0))
    assert not [b for line in (head + row).split("\n") for b in parser.feed(line, 0.0)] + parser.end(0.0)
    idle = parse_text(VARIANTS["iostat"], head + row + head)  # -z, and nothing was done in the interval
    assert "disk_io" not in idle
    counts = "device           r/i         w/i         kr/i         kw/i qlen   tsvc_t/i      sb/i\n"
    counts += "ada0             9.0         8.0          7.0          6.0    2        5.0       4.0\n"
    got = parse_text(VARIANTS["iostat-bsd"], TITLE + counts)["disk_io"].iloc[0]
    assert (got["actv"], isnan(got["read_ops"])) == (2, True)


def test_words_around_a_saved_table_cost_themselves_only() -> None:
    head = "    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
    rows = [f"    {n}.0    2.0    3.0    4.0  0.0  0.1    0.0    5.0   0   6 c3t{n}d0\n" for n in range(3)]
    text = f"root@ms2:~# iostat -xn 5\n{TITLE}{head}{rows[0]}\t\t{TITLE}{head}{rows[1]}(and so on)\n{rows[2]}"
    text += "^C\nroot@ms2:~# \n"
    told: list[ParseError] = []
    got = parse_text(VARIANTS["iostat"], text, complain=told.append)["disk_io"]
    assert got["device"].tolist() == ["c3t1d0", "c3t2d0"]
    assert [(e.line_no, e.line) for e in told] == [(8, "(and so on)")]


def test_reports_whose_titles_somebody_filtered_out_stay_apart() -> None:
    head = "    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device\n"
    rows = [f"    {n}.0    2.0    3.0    4.0  0.0  0.1    0.0    5.0   0   6 c3t0d0\n" for n in range(3)]
    assert parse_text(VARIANTS["iostat"], "".join(head + row for row in rows))["disk_io"]["read_ops"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("heading", "row", "figures"),
    [
        (
            "Device:rrqm/s wrqm/s   r/s  w/s  rsec/s wsec/s await  %util",
            "sda 0.0 9.0 1.5 18.0 8.0 16.0 2.5 0.2",
            (8 * 512, 0.0025),
        ),
        ("Device tps kB/s rqm/s await areq-sz aqu-sz %util", "sda 5.1 20.4 0.1 1.5 4.0 0.01 0.9", (None, 0.0015)),
        ("      tps    kB_read/s    kB_wrtn/s    kB_read Device", " 5.2 1.5M 0.5k 1.0G sda", (1.5 * 2**20, None)),
        ("Device r/s w/s rkB/s wkB/s await %util", "sda 1,5 2,5 1,25 0 3,5 12,5", (1280, 0.0035)),
    ],
)
def test_sysstat_in_every_dress(heading: str, row: str, figures: tuple[float | None, float | None]) -> None:
    got = second(f"{heading}\n{row}\n\n", "sysstat")
    for column, value in zip(("read_bytes", "asvc_t"), figures, strict=True):
        assert (
            None if isnan(got[column]["sda"] if got[column]["sda"] is not None else nan) else got[column]["sda"]
        ) == value
