"""A host's load on three systems, its interfaces, and a clock that was stepped."""

from __future__ import annotations

import os
import subprocess
import time
from math import isnan
from pathlib import Path

import pandas as pd
import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.host_load import SOURCE

RECORDED = Path(__file__).parents[1] / "recorded" / "host_load"
VARIANTS = {v.name: v for v in SOURCE.variants}
PAGES = {"page_size": "4096", "ncpu": "4"}


def frames(variant: str, name: str) -> dict[str, pd.DataFrame]:
    return parse_text(VARIANTS[variant], (RECORDED / name).read_text(), host="ms1", facts=PAGES)


def test_solaris_cpu_memory_and_queues() -> None:
    row = frames("kstat-drivers", "solaris10-kstat.txt")["host_load"].iloc[1]
    assert row["ncpu"] == 4
    assert (row["cpu_user"], row["cpu_sys"], row["cpu_idle"]) == pytest.approx((1.0, 0.2, 2.8))
    assert (row["run_queue"], row["blocked"]) == (3, 2)
    assert row["load_1"] == pytest.approx(404 / 256)
    assert (row["mem_total"], row["mem_free"]) == (1048463 * 4096, 51757 * 4096)
    assert (row["swap_total"], row["swap_free"]) == (2_500_000 * 4096, 2_000_000 * 4096)
    assert row["scan_rate"] == 100
    assert row["uptime"] == 864124.25


def test_a_clock_stepped_back_is_an_event_and_no_gap_in_the_rates() -> None:
    out = frames("kstat-drivers", "solaris10-kstat.txt")
    assert out["events"][["kind", "severity", "text"]].to_numpy().tolist() == [
        ["clock", "warn", "the clock of ms1 was stepped by -600 s"]
    ]
    assert out["host_load"]["cpu_user"].iloc[2] == pytest.approx(1.0)


def test_solaris_interfaces_once_each() -> None:
    net = frames("kstat-drivers", "solaris10-kstat.txt")["net_io"]
    assert set(net["nic"]) == {"e1000g0"}
    row = net.iloc[1]
    assert (row["rx_bytes"], row["tx_bytes"], row["rx_packets"], row["tx_packets"]) == (64000, 1250000, 800, 900)
    assert row["rx_errors"] == 0


def test_early_solaris10_has_ticks_only() -> None:
    text = "\n".join(
        line for line in (RECORDED / "solaris10-kstat.txt").read_text().split("\n") if "cpu_nsec" not in line
    )
    row = parse_text(VARIANTS["kstat-drivers"], text, facts=PAGES)["host_load"].iloc[1]
    assert (row["cpu_user"], row["cpu_sys"], row["cpu_idle"], row["cpu_wait"]) == pytest.approx((1.0, 0.2, 2.8, 0.0))


def test_vmstat_drops_the_line_since_boot_and_reads_past_the_disks() -> None:
    text = """ kthr      memory            page            disk          faults      cpu
 r b w   swap  free  re  mf pi po fr de sr cd s0 -- --   in   sy   cs us sy id
 0 0 43 907784 115324 29 124 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97
 2 1 38 750856 172304 1  40  8  0  0  0  9  0  0  0  0  230  224  130 25 25 50
"""
    rows = parse_text(VARIANTS["vmstat"], text, facts=PAGES)["host_load"]
    assert len(rows) == 1
    row = rows.iloc[0]
    assert (row["run_queue"], row["blocked"], row["scan_rate"]) == (2, 1, 9)
    assert (row["swap_free"], row["mem_free"], row["page_in"]) == (750856 * 1024, 172304 * 1024, 8192)
    assert (row["cpu_user"], row["cpu_sys"], row["cpu_idle"]) == (1.0, 1.0, 2.0)


def test_vmstat_columns_that_run_together_give_no_row() -> None:
    text = """ r b w   swap  free  re  mf pi po fr de sr cd s0 -- --   in   sy   cs us sy id
 0 0 43 90778411532429 124 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97
"""
    with pytest.raises(ParseError, match="line 2"):
        parse_text(VARIANTS["vmstat"], text)


def test_linux() -> None:
    out = frames("procfs", "linux-procfs.txt")
    row = out["host_load"].iloc[1]
    assert row["ncpu"] == 2
    assert (row["cpu_user"], row["cpu_sys"], row["cpu_idle"], row["cpu_wait"]) == pytest.approx((0.5, 0.2, 1.2, 0.1))
    assert (row["run_queue"], row["blocked"], row["load_1"]) == (3, 1, 3.83)
    assert (row["mem_total"], row["mem_free"]) == (24683656 * 1024, 23000000 * 1024)
    assert (row["scan_rate"], row["page_in"], row["page_out"]) == (150, 5 * 4096, 0)
    net = out["net_io"]
    assert set(net["nic"]) == {"lo", "eth0"}
    eth = net[net["nic"] == "eth0"].iloc[1]
    assert (eth["rx_bytes"], eth["tx_bytes"], eth["rx_packets"], eth["tx_errors"]) == (2000, 1000, 10, 1)
    assert out["events"]["text"].tolist() == ["the clock of ms1 was stepped by -3600 s"]


def test_freebsd() -> None:
    out = frames("sysctl", "freebsd-sysctl.txt")
    row = out["host_load"].iloc[1]
    assert (row["cpu_user"], row["cpu_sys"], row["cpu_idle"]) == pytest.approx((0.4, 0.24, 1.36))
    assert row["mem_free"] == 1500 * 4096
    assert (row["swap_total"], row["swap_free"]) == (4 * 2**30, (2097152 + 2096128) * 1024)
    assert (row["scan_rate"], row["page_in"], row["load_1"]) == (10, 4096, 0.2)
    assert row["uptime"] == 1763930002 - 1763065877
    net = out["net_io"]
    igb = net[net["nic"] == "igb0"].iloc[1]
    assert (igb["rx_bytes"], igb["tx_bytes"], igb["rx_packets"], igb["tx_packets"]) == (1500, 1000, 10, 5)
    assert set(net["nic"]) == {"igb0", "lo0"}


def test_the_first_report_has_levels_but_no_rates() -> None:
    row = frames("procfs", "linux-procfs.txt")["host_load"].iloc[0]
    assert row["mem_total"] > 0
    assert isnan(row["cpu_user"])
    assert isnan(row["page_in"])


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no procfs")
def test_this_machine_agrees_with_python() -> None:
    ctx = Context("here", "linux", 0.5)
    variant = VARIANTS["procfs"]
    stream = subprocess.Popen(
        ["/bin/sh", "-c", variant.command(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    parser, rows = variant.parser(ctx), []
    try:
        assert stream.stdout
        for line in stream.stdout:
            rows += [b.columns for b in parser.feed(line.rstrip("\n"), time.time()) if b.table == "host_load"]
            if len(rows) >= 3:
                break
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
    last = rows[-1]
    assert last["ncpu"] == [float(os.cpu_count() or 0)]
    assert last["mem_total"][0] == pytest.approx(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), rel=0.01)
    modes = sum(last[c][0] for c in ("cpu_user", "cpu_sys", "cpu_idle", "cpu_wait", "cpu_steal"))
    assert modes == pytest.approx(last["ncpu"][0])
    assert abs(last["uptime"][0] - time.clock_gettime(time.CLOCK_BOOTTIME)) < 30
