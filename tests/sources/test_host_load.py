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


def kstats(at: int, cpus: dict[int, int], *more: str) -> str:
    """A report of kstat -p: each CPU has spent `n` ns in each mode and has paged in `n` pages, in 32 bits."""
    lines = [f"cpu:{cpu}:sys:cpu_nsec_{mode}\t{n}" for cpu, n in cpus.items() for mode in ("idle", "kernel", "user")]
    lines += [f"cpu:{cpu}:vm:pgpgin\t{n % 2**32}" for cpu, n in cpus.items()]
    return "\n".join([str(1763930000 + at), f"unix:0:system_misc:snaptime\t{1000 + at}.5", *lines, *more, "", ""])


def test_a_cpu_that_comes_or_goes_is_no_spike_and_no_counter_that_fell() -> None:
    s = 10**9
    text = kstats(0, {0: 5 * s, 1: 900 * s}) + kstats(1, {0: 6 * s, 1: 901 * s}) + kstats(2, {0: 7 * s})
    text += kstats(3, {0: 8 * s, 1: 905 * s}) + kstats(4, {0: 9 * s, 1: 906 * s})
    out = parse_text(VARIANTS["kstat-drivers"], text, facts=PAGES)
    assert out["host_load"]["cpu_user"].tolist()[1:] == [2, 1, 1, 2]
    assert "events" not in out


def test_a_counter_of_one_cpu_wraps_at_32_bits() -> None:
    before = {0: 5 * 2**32 - 3, 1: 2**33 + 9}
    text = "".join(kstats(i, {cpu: n + 10 * i for cpu, n in before.items()}) for i in range(3))
    row = parse_text(VARIANTS["kstat-drivers"], text, facts=PAGES)["host_load"].iloc[1]
    assert row["page_in"] == 20 * 4096


def test_counters_that_begin_anew_are_an_event_and_no_rate() -> None:
    nic = "bge:0:bge0:rbytes\t{}\nbge:0:bge0:obytes\t{}\nbge:0:mac:rbytes64\t7"
    steps = [(1000, 1000), (3000, 2000), (5, 5), (1005, 2005)]
    text = "".join(kstats(i, {0: i * 10**9}, nic.format(*n)) for i, n in enumerate(steps))
    out = parse_text(VARIANTS["kstat-drivers"], text, facts=PAGES)
    rates = out["net_io"]["rx_bytes"].tolist()
    assert (rates[1], rates[3]) == (2000, 1000), "a driver without 64 bit counters"
    assert isnan(rates[2])
    assert out["events"][["kind", "object"]].to_numpy().tolist() == [["counters", "bge0"]]


def test_a_nic_wraps_at_32_bits_goes_and_comes_back() -> None:
    def report(at: int, rx: int | None) -> str:
        nic = "" if rx is None else f"\nlink:0:net0:rbytes64\t{rx % 2**32}\nlink:0:net0:obytes64\t7"
        return kstats(at, {0: at * 10**9}, f"link:0:net1:rbytes64\t1{nic}")

    seen = [2**32 - 3000, 2**32 - 1000, 2**32 + 1000, None, 2**32 + 10**8, 2**32 + 10**8 + 500]
    out = parse_text(VARIANTS["kstat-links"], "".join(report(i, n) for i, n in enumerate(seen)), facts=PAGES)
    net = out["net_io"]
    rates = net[net["nic"] == "net0"]["rx_bytes"].tolist()
    assert [None if isnan(r) else r for r in rates] == [None, 2000, 2000, None, 500]
    assert "events" not in out


def test_values_with_blanks_and_kstats_that_nobody_asked_for_are_passed_over() -> None:
    text = (
        "cpu_info:0:cpu_info0:brand      Intel(r) Xeon(r) CPU  X5570  @ 2.93GHz\ncpu_info:0:cpu_info0:snaptime\t5.5\n"
    )
    assert parse_text(VARIANTS["kstat-drivers"], text) == {}


def procfs(uptime: int, cpu: str, *more: str) -> str:
    return "\n".join([f"{uptime}.00 1.00", f"cpu  {cpu}", "cpu0 1 1 1 1", *more, "", ""])


def test_linux_modes_that_run_back_a_little_are_no_reset() -> None:
    text = procfs(10, "100 0 100 800 50 0 0 0 0 0") + procfs(11, "150 0 110 840 45 0 0 0 9 0")
    text += (
        procfs(12, "200 0 120 880 45 0 0 0 9 0")
        + procfs(13, "5 0 1 9 0 0 0 0 0 0")
        + procfs(14, "6 0 1 10 0 0 0 0 0 0")
    )
    out = parse_text(VARIANTS["procfs"], text)
    rows = out["host_load"]
    assert rows["cpu_user"].iloc[1:3].tolist() == [0.5, 0.5], "guests are in user already"
    assert rows["cpu_wait"].iloc[1:3].tolist() == [0, 0]
    assert isnan(rows["cpu_user"].iloc[3])
    assert rows["cpu_idle"].iloc[4] == 0.5
    assert out["events"][["kind", "text"]].to_numpy().tolist() == [
        ["counters", "counters of CPUs and memory fell and count anew"]
    ]


def test_linux_steal_pressure_and_old_kernels() -> None:
    def at(i: int) -> str:
        some = [f"some avg10=0.00 avg60=0.00 avg300=0.00 total={n * i}" for n in (250_000, 0, 1_500_000)]
        old = ["MemTotal: 1000 kB", "MemFree: 100 kB", "Buffers: 20 kB", "Cached: 30 kB", "pswpin 0", "pswpout 0"]
        scans = [f"pgscan_kswapd_{z} {10 * i}" for z in ("dma", "normal")] + [f"pgscan_direct_normal {5 * i}"]
        return procfs(10 + i, f"{20 * i} 0 0 {40 * i} 0 0 0 {40 * i}", *old, *scans, *some)

    row = parse_text(VARIANTS["procfs"], at(0) + at(1))["host_load"].iloc[1]
    assert (row["cpu_user"], row["cpu_steal"]) == (0.2, 0.4)
    assert (row["cpu_pressure"], row["memory_pressure"], row["io_pressure"]) == (0.25, 0, 1)
    assert (row["scan_rate"], row["mem_free"]) == (25, 150 * 1024)


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Ipkts Ierrs Ibytes Opkts Oerrs Obytes Coll", "{0} 1 {1} {0} 2 {1} 0"),
        ("Ipkts Ierrs Idrop Ibytes Opkts Oerrs Obytes Coll", "{0} 1 0 {1} {0} 2 {1} 0"),
        ("Ipkts Ierrs Idrop Ibytes Opkts Oerrs Obytes Coll Drop", "{0} 1 0 {1} {0} 2 {1} 0 4"),
    ],
)
@pytest.mark.parametrize("address", ["00:25:90:aa:bb:cc", ""])
def test_freebsd_interfaces_of_every_release(heading: str, cells: str, address: str) -> None:
    text = "".join(
        f"{1763930000 + i}\nkern.cp_time: {i} 0 0 0 {i}\nProcesses:\t\t(RUNQ:  3 Disk Wait: 1 Page Wait: 2 Sleep: 61)\n"
        f"Name Mtu Network Address {heading}\nvlan1000* 1500 <Link#1> {address} {cells.format(10 * i, 1000 * i)}\n\n"
        for i in (1, 2)
    )
    out = parse_text(VARIANTS["sysctl"], text)
    row = out["net_io"].iloc[-1]
    assert (row["nic"], row["rx_packets"], row["tx_bytes"], row["tx_errors"]) == ("vlan1000", 10, 1000, 0)
    assert (out["host_load"]["run_queue"].iloc[0], out["host_load"]["blocked"].iloc[0]) == (3, 3)


def test_freebsd_names_that_a_release_does_not_know_cost_only_themselves(tmp_path: Path) -> None:
    stubs = {
        "sysctl": "case $1 in vm.vmtotal) exit 1;; esac; echo kern.cp_time: 1 0 1 0 8; echo unknown oid >&2; exit 1",
        "swapinfo": "echo 'Device          1K-blocks     Used    Avail Capacity'",
        "netstat": "exit 1",
    }
    for name, script in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    command = VARIANTS["sysctl"].command(Context("h", "freebsd", 0.1))
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True, env=env) as stream:
        assert stream.stdout
        lines = [stream.stdout.readline() for _ in range(8)]
        stream.stdout.close()  # and the loop ends
    assert lines.count("kern.cp_time: 1 0 1 0 8\n") == 2
    assert lines.count("\n") == 2


VMSTAT = " kthr      memory            page            disk          faults      cpu\n"


@pytest.mark.parametrize(
    ("heading", "row", "figures"),
    [
        (
            " r b w   swap  free  re  mf pi po fr de sr s0 s1 s2 --   in   sy   cs us sy id st",  # Solaris 11.4
            " 3 0 0 69302168 22126772 4 62 8 0 0  0  7  0 -0  0 33  0 2503 4393 50 25 20 5",
            {
                "run_queue": 3,
                "mem_free": 22126772 * 1024,
                "cpu_user": 2,
                "cpu_sys": 1,
                "cpu_idle": 0.8,
                "cpu_steal": 0.2,
            },
        ),
        (
            " r b w   swap  free  si  so pi po fr de sr cd s0 -- --   in   sy   cs us sy id",  # vmstat -S
            " 0 1 0 907784 115324  0   0 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97",
            {"blocked": 1, "page_in": 34 * 1024, "scan_rate": 4, "swap_free": 907784 * 1024},
        ),
        (
            "   swap  free  re  mf  fr  de  sr  epi  epo  epf  api  apo  apf  fpi  fpo  fpf",  # vmstat -p
            " 907784 115324  29 124   1   0   4   0    0    0    0    0    0    34    1    1",
            {"mem_free": 115324 * 1024, "scan_rate": 4},
        ),
        (
            " r b w     avm     fre  flt  re  pi  po    fr   sr ad0 da0   in    sy    cs us sy id",  # FreeBSD
            " 1 0 0  513024 1219164  210   0   1   0   209    9   0   0  227   410   360 25  0 75",
            {"run_queue": 1, "mem_free": 1219164 * 1024, "scan_rate": 9, "cpu_user": 1, "cpu_idle": 3},
        ),
    ],
)
def test_vmstat_of_other_systems_and_options(heading: str, row: str, figures: dict[str, float]) -> None:
    rows = parse_text(VARIANTS["vmstat"], f"{VMSTAT}{heading}\n{row}\n{row}\n", facts=PAGES)["host_load"]
    assert len(rows) == 1
    assert {name: rows[name].iloc[0] for name in figures} == pytest.approx(figures)


def test_vmstat_of_linux_in_every_form() -> None:
    forms = {
        " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st": (
            " 2  1    524 763388 147216 819640    4    0   288   108  195 2509 25 25 40  5  5"
        ),
        " r  b   swpd   free  inact active   si   so    bi    bo   in   cs us sy id wa st gu": (
            " 2  1      0 763388 295968 312736    4    0     1     3   29   57 25 25 40  5  5  0"
        ),
        " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa": (
            " 2  1      0 763388 295968 312736    4    0     1     3   29   57 25 25 40  5"
        ),
        " r  b   swpd   free  inact active   si   so    bi    bo   in   cs  us  sy  id  wa  st                 PDT": (
            " 2  1      0 763388 295968 312736    4    0     1     3   29   57  25  25  40  5  5 2021-09-16 20:31:30"
        ),
    }
    for heading, row in forms.items():
        text = f"procs -----------memory---------- ---swap--\n{heading}\n{row}\n{row}\n"
        rows = parse_text(VARIANTS["vmstat-linux"], text, facts=PAGES)["host_load"]
        assert len(rows) == 1
        got = rows.iloc[0]
        assert (got["run_queue"], got["blocked"], got["mem_free"], got["page_in"]) == (2, 1, 763388 * 1024, 4096), (
            heading
        )
        assert (got["cpu_user"], got["cpu_idle"], got["cpu_wait"]) == pytest.approx((1, 1.6, 0.2))


def test_swap_beside_vmstat_gives_its_total() -> None:
    swap = "total: 3213920k bytes allocated + 6107288k reserved = 9321208k used, 1459312k available\n"
    row = " 0 0 43 907784 115324  29 124 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97\n"
    head = " r b w   swap  free  re  mf pi po fr de sr cd s0 -- --   in   sy   cs us sy id\n"
    facts = {**PAGES, "memory": str(2**34)}
    got = parse_text(VARIANTS["vmstat"], f"Tue Nov 25 20:33:21 2025\n{head}{row}{swap}{row}", facts=facts)
    assert got["host_load"][["swap_free", "swap_total", "mem_total"]].to_numpy().tolist() == [
        [1459312 * 1024, (9321208 + 1459312) * 1024, 2**34]
    ]


@pytest.mark.parametrize(
    ("swap", "total", "free"),
    [
        (
            "total: 205.5M allocated + 28M reserved = 233.5M used, 1.5G available",
            233.5 * 2**20 + 1.5 * 2**30,
            1.5 * 2**30,
        ),
        ("total: 0k bytes allocated + 0k reserved = 0k used, 8k available", 8192, 8192),
    ],
)
def test_swap_in_human_numbers(swap: str, total: float, free: float) -> None:
    row = " 0 0 43 907784 115324  29 124 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97\n"
    head = " r b w   swap  free  re  mf pi po fr de sr cd s0 -- --   in   sy   cs us sy id\n"
    got = parse_text(VARIANTS["vmstat"], f"{head}{row}{swap}\n{row}", facts=PAGES)["host_load"].iloc[0]
    assert (got["swap_total"], got["swap_free"]) == (total, free)
    with pytest.raises(ParseError, match="not a size"):
        parse_text(VARIANTS["vmstat"], swap.replace(" used", "x used"), facts=PAGES)


MPSTAT = "CPU minf mjf xcal  intr ithr  csw icsw migr smtx  srw syscl  usr sys  wt idl"


def test_mpstat_of_solaris_sums_its_cpus() -> None:
    rows = [
        "  0    9   0   23  2663 1122 10297  94  497  913    0 22367    5  15   0  80",
        " 17  491   0   22  2128 1025 2642   10  144  780    0  7103   20  10   5  65",
    ]
    text = "\n".join([MPSTAT, *rows, "<<processor added: 18>>", f" {MPSTAT}", *rows, ""])
    got = parse_text(VARIANTS["mpstat"], text)["host_load"].iloc[-1]
    assert (got["ncpu"], got["cpu_user"], got["cpu_sys"], got["cpu_wait"], got["cpu_idle"]) == pytest.approx(
        (2, 0.25, 0.25, 0.05, 1.45)
    )
    sets = "SET minf mjf xcal  intr ithr  csw icsw migr smtx  srw syscl  usr sys  st idl sze\n"
    sets += "  0    9   0   23  2663 1122 10297  94  497  913    0 22367   25  25   0  50   4\n"
    got = parse_text(VARIANTS["mpstat"], sets * 2)["host_load"].iloc[-1]
    assert (got["ncpu"], got["cpu_user"], got["cpu_idle"]) == (4, 1, 2)


def test_mpstat_of_sysstat_with_and_without_single_cpus() -> None:
    head = "CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest  %gnice   %idle"
    row = "   20,00    5,00   10,00    5,00    0,00    0,00    0,00    0,00    0,00   60,00"
    banner = "Linux 6.1.0 (host) \t03/11/22 \t_x86_64_\t(4 CPU)\n\n"
    boot = f"03:16:15 PM  {head}\n03:16:15 PM  all {row}\n\n"
    whole = f"03:16:15 PM  {head}\n03:16:17 PM  all {row}\n\n"
    average = f"Average:     {head}\nAverage:     all{row}\n"
    got = parse_text(VARIANTS["mpstat-linux"], banner + boot + whole + average, facts=PAGES)
    assert got["host_load"]["cpu_user"].tolist() == pytest.approx([1.0])
    each = f"15:16:15     {head}\n15:16:17     all {row}\n15:16:17       0 {row}\n15:16:17       1 {row}\n\n"
    got = parse_text(VARIANTS["mpstat-linux"], banner + each, facts=PAGES)
    assert got["host_load"][["ncpu", "cpu_idle"]].to_numpy().tolist() == [[2, pytest.approx(1.2)]]


def test_intervals_under_one_heading_are_never_added_up() -> None:
    """mpstat repeats its headings once a screen, where each interval is one line."""
    head = "07:05:52 AM  CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest  %gnice   %idle"
    tail = "0.00    0.00    5.00    0.00    0.00    0.00    0.00    0.00    0.00"
    rows = [f"07:05:5{3 + i} AM  all   {10 * i}.00    {tail}" for i in range(3)]
    text = f"Linux 6.1.0 (host) \t03/11/22 \t_x86_64_\t(4 CPU)\n\n{head}\n" + "\n".join(
        [*rows, f"Average:     all 9.00 {tail}"]
    )
    got = parse_text(VARIANTS["mpstat-linux"], text)["host_load"]
    assert got["cpu_user"].tolist() == pytest.approx([0, 0.4, 0.8])
    one = [
        f"  0    1   0    0   315  113  110    0    0    2    0    15  {n:3}   0   0  {100 - n:3}" for n in (9, 20, 30)
    ]
    got = parse_text(VARIANTS["mpstat"], "\n".join([MPSTAT, *one]))["host_load"]
    assert got[["ncpu", "cpu_user"]].to_numpy().tolist() == [[1, 0.2], [1, 0.3]]


def test_what_linux_runs_prints_a_heading_for_each_interval() -> None:
    """Without -P a pipe would get one heading for the whole day, and no report would ever end."""
    assert VARIANTS["mpstat-linux"].command(Context("h", "linux", 1.0)) == "mpstat -P ALL 1"


def test_the_unit_of_linux_vmstat_is_in_its_command_only() -> None:
    head = " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st"
    row = " 2  0      0   2729     2    723    3    0     1     3   29   57  0  0 99  0  0"
    for command, unit in (("$ vmstat -S M 1", 2**20), ("# vmstat -w -Sm 1", 1e6), ("$ vmstat 1", 1024)):
        got = parse_text(VARIANTS["vmstat-linux"], "\n".join([command, head, row, row]))["host_load"].iloc[0]
        assert (got["mem_free"], got["page_in"]) == (2729 * unit, 3 * unit), command


def test_a_saved_texts_only_report_is_shown_and_a_streams_is_not() -> None:
    head = " r b w   swap  free  re  mf pi po fr de sr cd s0 -- --   in   sy   cs us sy id"
    row = " 0 0 43 907784 115324  29 124 34 1  1  0  4  2  0  0  0  277  470  210  1  2 97"
    assert len(parse_text(VARIANTS["vmstat"], f"{head}\n{row}\n")["host_load"]) == 1
    parser = VARIANTS["vmstat"].parser(Context("h", "solaris10", 1.0))
    assert not [b for line in (head, row) for b in parser.feed(line, 0.0)] + parser.end(0.0)


def test_memory_that_linux_counts_since_boot_and_paging_by_what_the_pages_are_of() -> None:
    told = "  3880776 K total memory\n   283492 K used memory\n  2794696 K free memory\n  2097148 K total swap\n"
    told += "  1097148 K free swap\n  12345 non-nice user cpu ticks\n 1631881957 boot time\n"
    got = parse_text(VARIANTS["vmstat-linux"], told)["host_load"].iloc[0]
    assert (got["mem_total"], got["mem_free"]) == (3880776 * 1024, 2794696 * 1024)
    assert (got["swap_total"], got["swap_free"]) == (2097148 * 1024, 1097148 * 1024)
    head = "   swap  free  re  mf  fr  de  sr  epi  epo  epf  api  apo  apf  fpi  fpo  fpf"
    row = " 907784 115324  29 124   1   0   4    8    0    0   16    4    0    24    1    1"
    got = parse_text(VARIANTS["vmstat"], f"{head}\n{row}\n{row}")["host_load"].iloc[0]
    assert (got["page_in"], got["page_out"]) == (48 * 1024, 5 * 1024)


def test_kstats_of_disks_and_cpus_are_no_interfaces() -> None:
    text = (
        "unix:0:system_misc:snaptime\t5.5\nsd:0:sd0:reads\t5\ncpu_info:0:cpu_info0:clock_MHz\t5\nbge:0:bge0:rbytes\t5\n"
    )
    assert parse_text(VARIANTS["kstat-drivers"], text)["net_io"]["nic"].tolist() == ["bge0"]


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
