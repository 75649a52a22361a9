"""Whatever counters do in whatever variant: no spike, no negative rate, the right rate after it, and an event."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

import pytest

from collectors.base import parse_text
from collectors.sources import arcstats, disk_io, host_load, zone_usage

EPOCH = 1763930000
STEP = 1000
"""What every counter grows by in a second."""

Report = Callable[[int, int], str]
"""The text of one report: seconds of the host's own time, value of its counters."""


def kstat_p(at: int, n: int) -> str:
    values = {"hits": n, "misses": n, "size": 9, "snaptime": f"{at}.5"}
    return "\n".join([*(f"zfs:0:arcstats:{k}\t{v}" for k, v in values.items()), "", ""])


def kstat_long(at: int, n: int) -> str:
    head = "module: zfs                instance: 0     \nname:   arcstats           class:    misc\n"
    values = {"hits": n, "misses": n, "size": 9, "snaptime": f"{at}.5"}
    return head + "\n".join([*(f"\t{k:<31} {v}" for k, v in values.items()), "", ""])


def procfs(at: int, n: int) -> str:
    return f"13 1 0x01 3 144 5 {at}000000000\nname type data\nhits 4 {n}\nmisses 4 {n}\nsize 4 9\n\n"


def sysctl(at: int, n: int) -> str:
    names = {"hits": n, "misses": n, "size": 9}
    return "\n".join([str(EPOCH + at), *(f"kstat.zfs.misc.arcstats.{k}: {v}" for k, v in names.items()), "", ""])


def zones(at: int, n: int) -> str:
    lines = [f"zone_vfs:1:web:{s}\t{n}" for s in ("reads", "writes", "nread", "nwritten", "rlentime", "wlentime")]
    lines += [f"zones:1:web:nsec_user\t{n}", f"zones:1:web:nsec_sys\t{n}", f"zones:1:web:snaptime\t{at}.5"]
    return "\n".join([*lines, "", ""])


def cgroups(at: int, n: int) -> str:
    up, group = f"/proc/uptime:{at}.50 1.0", "lxc.payload.web"
    stat = [f"{group}/cpu.stat:{k} {n}" for k in ("usage_usec", "user_usec", "system_usec")]
    io = f"{group}/io.stat:8:0 rbytes={n} wbytes={n} rios={n} wios={n} dbytes=0 dios=0"
    return "\n".join([up, *stat, io, up, "", ""])


def jails(at: int, n: int) -> str:
    return f"{EPOCH + at}\njail 3 web\njails 1\nusage web\ncputime={n}\n\n"


def diskstats(at: int, n: int) -> str:
    return f"{at}.50 1.0\n   8       0 sda {n} 0 {n} {n} {n} 0 {n} {n} 0 {n} {n}\n\n"


def kstat_load(at: int, n: int) -> str:
    lines = [f"cpu:0:sys:cpu_nsec_{m}\t{n}" for m in ("idle", "kernel", "user")]
    lines += [f"cpu:0:vm:{s}\t{n}" for s in ("scan", "pgpgin", "pgpgout")]
    lines += [f"link:0:net0:{s}\t{n}" for s in ("rbytes64", "obytes64", "ipackets64", "opackets64")]
    return "\n".join([f"unix:0:system_misc:snaptime\t{at}.5", *lines, "", ""])


def proc_load(at: int, n: int) -> str:
    nic = f"  eth0: {n} {n} 0 0 0 0 0 0 {n} {n} 0 0 0 0 0 0"
    return f"{at}.50 1.0\ncpu  {n} 0 {n} {n} 0 0 0 0\ncpu0 1 1 1 1\npswpin {n}\npswpout {n}\n{nic}\n\n"


def bsd_load(at: int, n: int) -> str:
    counters = [f"vm.stats.vm.{c}: {n}" for c in ("v_pdpages", "v_swappgsin", "v_swappgsout")]
    nic = f"Name Mtu Network Address Ipkts Ierrs Ibytes Opkts Oerrs Obytes\nigb0 1500 <Link#1> 0:0 {n} 0 {n} {n} 0 {n}"
    return "\n".join([str(EPOCH + at), f"kern.cp_time: {n} 0 {n} 0 {n}", *counters, nic, "", ""])


CASES: dict[str, tuple[Report, str]] = {
    "arcstats/kstat": (kstat_p, "reboot"),
    "arcstats/kstat-long": (kstat_long, "reboot"),
    "arcstats/procfs": (procfs, "reboot"),
    "arcstats/sysctl": (sysctl, "clock"),
    "zone_usage/kstats": (zones, "reboot"),
    "zone_usage/prstat+caps": (zones, "reboot"),
    "zone_usage/cgroups": (cgroups, "reboot"),
    "zone_usage/jails": (jails, "clock"),
    "disk_io/diskstats": (diskstats, "reboot"),
    "host_load/kstat-drivers": (kstat_load, "reboot"),
    "host_load/kstat-links": (kstat_load, "reboot"),
    "host_load/procfs": (proc_load, "reboot"),
    "host_load/sysctl": (bsd_load, "clock"),
}
"""Variant: its report, and what it is when its time runs back."""
SOURCES = (arcstats.SOURCE, disk_io.SOURCE, host_load.SOURCE, zone_usage.SOURCE)
VARIANTS = {f"{s.name}/{v.name}": v for s in SOURCES for v in s.variants}
RATES = {
    "arcstats": ("hits", "misses"),
    "zone_usage": ("cpu",),
    "zone_io": ("read_ops", "write_ops", "read_bytes"),
    "disk_io": ("read_ops", "read_bytes"),
    "host_load": ("page_in", "scan_rate"),
    "net_io": ("rx_bytes", "tx_packets"),
}


def run(variant: str, steps: list[tuple[int, int]]) -> tuple[dict[str, list[float]], list[str]]:
    """Rates by table and column, one a report, and the kinds of the events."""
    report, _ = CASES[variant]
    facts = {"page_size": "4096", "ncpu": "1"}
    frames = parse_text(VARIANTS[variant], "".join(report(at, n) for at, n in steps), facts=facts)
    rates = {
        f"{table}.{column}": [float(x) for x in frames[table][column]]
        for table, columns in RATES.items()
        if table in frames
        for column in columns
        if frames[table][column].notna().any()
    }
    assert rates
    return rates, list(frames["events"]["kind"]) if "events" in frames else []


def near(rates: list[float], usual: float, *, unknown: int) -> None:
    """All as usual but the first and the one that nobody can know."""
    for i, rate in enumerate(rates):
        if i in (0, unknown):
            assert isnan(rate), f"{rates}: {i}"
        else:
            assert rate == pytest.approx(usual), f"{rates}: {i}"


@pytest.mark.parametrize("variant", CASES)
def test_counters_that_fall_begin_anew(variant: str) -> None:
    steps = [(100 + i, 50_000_000 + STEP * i) for i in range(3)] + [(103 + i, 7 + STEP * i) for i in range(3)]
    usual, _ = run(variant, [(100 + i, 50_000_000 + STEP * i) for i in range(2)])
    rates, kinds = run(variant, steps)
    for column, values in rates.items():
        near(values, usual[column][1], unknown=3)
    assert set(kinds) <= {"counters", "zone"}
    assert kinds


@pytest.mark.parametrize("variant", CASES)
@pytest.mark.parametrize("back", [50, 3600])
def test_time_that_runs_back_is_told_once(variant: str, back: int) -> None:
    """A clock stepped back, or by uptime a reboot, with counters that go on or begin anew."""
    usual, _ = run(variant, [(10_000 + i, 50_000_000 + STEP * i) for i in range(2)])
    for anew in (False, True):
        after = [(10_003 - back + i, (9 if anew else 50_003_000) + STEP * i) for i in range(3)]
        rates, kinds = run(variant, [(10_000 + i, 50_000_000 + STEP * i) for i in range(3)] + after)
        for column, values in rates.items():
            near(values, usual[column][1], unknown=3)
        assert kinds.count(CASES[variant][1]) == 1, kinds


NEVER_NEAR_64 = ("zone_usage/kstats", "zone_usage/prstat+caps", "zone_usage/jails")
"""2**63 and more stand for no cap there; their counters begin with the zone."""


@pytest.mark.parametrize(
    ("variant", "bits"), [(v, b) for v in CASES for b in (32, 64) if b == 32 or v not in NEVER_NEAR_64]
)
def test_counters_that_wrap_make_no_spike(variant: str, bits: int) -> None:
    top = 2**bits
    values = [(100 + i, (top - 2 * STEP - 500 + STEP * i) % top) for i in range(6)]
    usual, _ = run(variant, [(100 + i, 50_000_000 + STEP * i) for i in range(2)])
    rates, _ = run(variant, values)
    for column, found in rates.items():
        known = [x for x in found if not isnan(x)]
        assert len(known) >= len(found) - 2, column
        assert known == pytest.approx([usual[column][1]] * len(known)), column
