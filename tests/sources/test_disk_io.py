"""Disks: service times, %busy, errors, their place in a pool; nothing since boot ever shown as an interval."""

from __future__ import annotations

import os
import subprocess
import time
from math import isnan
from pathlib import Path

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
    assert pd.isna(rows.loc["c0t0d0", "pool"])


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
