"""What the zones' tools print besides the recordings: releases, options, languages, widths.

Composed after the tools' sources (illumos prstat.c, zonestat.c, kstat.c) and manual pages, figures by eye.
"""

from __future__ import annotations

from math import isnan, nan
from typing import Any

import pandas as pd
import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.zone_usage import SOURCE

VARIANTS = {v.name: v for v in SOURCE.variants}
FACTS = {"ncpu": "4"}
M, G = 2**20, 2**30
TOTAL = "Total: 155 processes, 836 lwps, load averages: 1.58, 1.59, 1.73"


def frame(text: str, variant: str = "prstat", table: str = "zone_usage") -> pd.DataFrame:
    return parse_text(VARIANTS[variant], text, facts=FACTS)[table]


def figures(text: str, zone: str, *columns: str, variant: str = "prstat") -> tuple[Any, ...]:
    found = frame(text, variant)
    row = found[found["zone"] == zone].iloc[-1]
    return tuple(row[c] for c in columns)


# -- prstat ------------------------------------------------------------------------------------------------


def test_prstat_of_releases_before_8_07_heads_swap_as_size() -> None:
    head = "ZONEID    NPROC  SIZE   RSS MEMORY      TIME  CPU ZONE"
    text = f"{head}\n     1       37  172M 9172K   0.1%   0:00:18 9.8% web\n{TOTAL}\n"
    assert figures(text, "web", "swap", "rss", "nproc", "cpu") == (172 * M, 9172 * 1024, 37, pytest.approx(0.392))


def test_prstat_with_threads_counts_threads() -> None:
    text = (
        "   PID USERNAME  SIZE   RSS STATE  PRI NICE      TIME  CPU PROCESS/LWPID      \n"
        " 18934 root     2098M 2086M cpu3    58    0 550:06:58 1.1% qemu-system-x86/6\n"
        "ZONEID     NLWP  SWAP   RSS MEMORY      TIME  CPU ZONE                        \n"
        f"     1       95  172M  175M   4.4%   0:00:18 100% web\n{TOTAL}\n"
    )
    nproc, nlwp, cpu = figures(text, "web", "nproc", "nlwp", "cpu")
    assert isnan(nproc)
    assert (nlwp, cpu) == (95, 4.0)


@pytest.mark.parametrize(
    ("share", "cores"), [("0.0%", 0.0), ("0%", 0.0), ("98%", 3.92), ("100%", 4.0), ("9,8%", 0.392)]
)
def test_percentages_as_three_characters_and_with_a_decimal_comma(share: str, cores: float) -> None:
    text = f"     1        5   92M   36M   100%   0:00:18 {share} web\n{TOTAL}\n"
    assert figures(text, "web", "cpu") == (pytest.approx(cores),)


def test_a_name_of_63_characters_and_one_cut_to_27() -> None:
    long = "z" * 63
    listing = f"0:global:running:/::native:shared\n5:{long}:running:/zones/z:u:native:shared\nzones. 2\n"
    text = f"{listing}     5        5   92M   36M   0.9%   0:00:18 6.7% {long[:27]}*\n{TOTAL}\n"
    assert figures(text, long, "zone_id", "rss") == (5, 36 * M)
    whole = f"     5        5   92M   36M   0.9%   0:00:18 6.7% {long}\n{TOTAL}\n"
    assert figures(whole, long, "rss") == (36 * M,), "illumos pushes the column and prints it whole"


CUT = "     5        5   92M   36M   0.9%   0:00:18 6.7% imap-proxy-for-the-old-camp*"
HOST = f"{CUT}\n     0 9 1G 1G 9% 1:0:1 1% global\n{TOTAL}\n"


def test_a_cut_name_waits_for_a_listing() -> None:
    whole = "imap-proxy-for-the-old-campus"
    found = frame(f"{HOST}5:{whole}:running:/zones/i:u:native:shared\nzones. 1\n{HOST}")
    assert sorted(found["zone"]) == ["global", whole]
    two = f"5:{whole}:running:/zones/i:u:native:shared\n6:{whole}-2:running:/z:u:native:shared\nzones. 2\n"
    assert sorted(frame(f"{two}{HOST}")["zone"]) == ["global", whole, f"{whole}-2"], "whole by its id"


def test_a_cut_name_that_nobody_makes_whole_is_a_name() -> None:
    cut = "imap-proxy-for-the-old-camp*"
    assert sorted(frame(HOST)["zone"]) == ["global", cut]
    assert len(frame(HOST * 5)) == 4, "no listing came with the first three reports"
    assert figures(HOST * 5, cut, "rss", "zone_id") == (36 * M, 5)
    two = HOST.replace(CUT, f"{CUT}\n{CUT.replace('5 ', '7 ', 1)}")
    assert sorted(frame(two)["zone"]) == ["global", f"{cut}5", f"{cut}7"], "never two rows of one name"


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        (
            "PROJID    NPROC  SWAP   RSS MEMORY      TIME  CPU PROJECT",
            "     3        4  172M  175M   4.4%   0:03:14 0.0% default",
        ),
        (
            "TASKID    NPROC  SWAP   RSS MEMORY      TIME  CPU PROJECT",
            "   103        4  172M  175M   4.4%   0:03:14 0.0% default",
        ),
        (" NPROC USERNAME  SWAP   RSS MEMORY      TIME  CPU", "    25 root      172M  175M   4.4%   0:03:14 0.0%"),
        ("  NLWP USERNAME  SWAP   RSS MEMORY      TIME  CPU", "    25 a b       172M  175M   4.4%   0:03:14 0.0%"),
        (
            "   PID USERNAME USR SYS TRP TFL DFL LCK SLP LAT VCX ICX SCL SIG PROCESS/NLWP",
            " 18934 cyrus    0.1 0.0 0.0 0.0 0.0 0.0 100 0.0  5   0  1K   0 imapd/1",
        ),
    ],
)
def test_tables_of_projects_tasks_users_and_processes_are_no_zones(heading: str, row: str) -> None:
    zones = "     0       58 1198M 1206M    30%  16:15:40 1.7% global"
    text = f"{heading}\n{row}\nZONEID    NPROC  SWAP   RSS MEMORY      TIME  CPU ZONE\n{zones}\n{TOTAL}\n"
    assert list(frame(text * 2)["zone"]) == ["global", "global"]


def test_prstat_in_other_words() -> None:
    last = "Gesamt: 155 Prozesse, 836 LWPs, Durchschnittliche Auslastung: 1,58, 1,59, 1,73"
    assert len(frame(f"     0       58 1198M 1206M    30%  16:15:40 1,7% global\n{last}\n")) == 1


def test_a_table_that_somebody_cut_out_is_a_report() -> None:
    text = "\n".join(
        [
            "ZONEID    NPROC  SWAP   RSS MEMORY      TIME  CPU ZONE",
            "     1       11   92M   36M   0.9%   0:00:18 6.7% zone1",
        ]
    )
    for variant in ("prstat", "prstat+caps", "kstats"):
        assert figures(text, "zone1", "rss", variant=variant) == (36 * M,)


def test_the_last_table_of_a_stream_that_broke_off_is_no_report() -> None:
    whole = f"     1       11   92M   36M   0.9%   0:00:18 6.7% zone1\n{TOTAL}\n"
    assert len(frame(f"{whole}     1       11   92M   36M   0.9%   0:00:18 6.7% zo\n")) == 1


def test_in_a_non_global_zone_there_is_one_row_and_its_own_caps() -> None:
    text = (
        "3:mail3:running:/:3126dc59-9a07-4829-cde9-a816e4c5040e:native:shared\nzones. 1\n"
        f"     3       41   1.9G 1612M    10%  88:12:09 9.8% mail3\n{TOTAL}\n"
        "1763930000\ncaps:3:cpucaps_zone_3:usage\t39\ncaps:3:cpucaps_zone_3:value\t150\n\n"
    )
    found = frame(text, "prstat+caps")
    assert list(found["zone"]) == ["mail3"]
    assert (found["cpu_cap"].iloc[0], found["swap"].iloc[0]) == (1.5, pytest.approx(1.9 * G))


def test_rows_go_on_without_kstat() -> None:
    """kstat died, prstat lives: after three reports its numbers are shown alone."""
    table = f"     1       11   92M   36M   0.9%   0:00:18 6.7% zone1\n{TOTAL}\n"
    assert len(frame(table * 5, "prstat+caps")) == 2


# -- kstat -------------------------------------------------------------------------------------------------


def kstats(*lines: str, between: str = "\t") -> str:
    return "\n".join(["1763930000", *(line.replace(" ", between, 1) for line in lines), "", ""])


@pytest.mark.parametrize("between", ["\t", "    ", " "])
def test_values_after_a_tab_or_blanks(between: str) -> None:
    text = kstats("caps:1:cpucaps_zone_1:value 200", "caps:1:cpucaps_zone_1:zonename web", between=between)
    assert figures(text, "web", "cpu_cap", variant="kstats") == (2.0,)


@pytest.mark.parametrize("none", ["0", "18446744073709551615", "18446744073709547520", "4294967295"])
def test_a_cap_that_is_none(none: str) -> None:
    lines = [f"caps:1:cpucaps_zone_1:value {none}", "caps:1:cpucaps_zone_1:zonename web"]
    lines += [f"memory_cap:1:web:{cap} {none}" for cap in ("physcap", "swapcap") if none != "4294967295"]
    cpu, rss, swap = figures(kstats(*lines), "web", "cpu_cap", "rss_cap", "swap_cap", variant="kstats")
    assert isnan(cpu)
    assert isnan(rss)
    assert isnan(swap)


def test_a_kstats_name_is_the_zones_unless_it_was_cut() -> None:
    cut = "a" * 30
    text = kstats(
        "memory_cap:1:web:rss 5",
        f"memory_cap:2:{cut}:rss 7",
        f"memory_cap:3:{cut}:rss 9",
        f"zones:3:{cut}:zonename {cut}xyz",
    )
    found = frame(text, "kstats")
    assert dict(zip(found["zone"], found["rss"], strict=True)) == {"web": 5, f"{cut}xyz": 9}


def test_zone_kstats_give_buckets_delays_and_mean_times() -> None:
    def report(n: int) -> str:
        vfs = {"reads": 100 * n, "writes": 10 * n, "nread": 4096 * n, "nwritten": 512 * n, "rlentime": 5 * 10**8 * n}
        vfs |= {"wlentime": 10**7 * n, "10ms_ops": 9 * n, "100ms_ops": 5 * n, "1s_ops": 2 * n, "10s_ops": n}
        vfs |= {"delay_cnt": 3 * n, "delay_time": 600_000 * n}
        lines = [f"zone_vfs:1:web:{k}\t{v}" for k, v in vfs.items()] + [f"zones:1:web:snaptime\t{100 + n}.5"]
        return "\n".join([*lines, "", ""])

    row = frame(report(1) + report(2), "kstats", "zone_io").iloc[1]
    assert (row["read_ops"], row["read_time"], row["write_time"]) == (100, 0.005, 0.001)
    assert (row["ops_10ms"], row["ops_100ms"], row["ops_1s"], row["ops_10s"]) == (9, 5, 2, 1)
    assert (row["delay_cnt"], row["delay_time"]) == (3, 0.6)
    assert isnan(row["zfs_read_ops"])


# -- rcapstat and prctl --------------------------------------------------------------------------------------


def test_rcapstat_beside_prstat_with_and_without_a_head() -> None:
    head = "    id zone            nproc    vm   rss   cap    at avgat    pg avgpg\n"
    row = "    22 imap-proxy-for-the-old-campus   -  526M  478M  512M    0K    0K  5120K    0K\n"
    tail = "physical memory utilization: 55%   cap enforcement threshold: 0%\n"
    listing = "22:imap-proxy-for-the-old-campus-network:running:/z:u:native:shared\nzones. 1\n"
    table = f"    22       11   92M   36M   0.9%   0:00:18 6.7% imap-proxy-for-the-old-camp*\n{TOTAL}\n"
    text = listing + head + row + tail + table
    zone = "imap-proxy-for-the-old-campus-network"
    assert figures(text, zone, "rss_cap", "pagedout", "rss") == (512 * M, M, 36 * M)
    kstat = kstats("caps:22:cpucaps_zone_22:value 100")
    assert figures(listing + head + row + kstat, zone, "rss", variant="prstat+caps") == (478 * M,)


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("id zone  cappd nproc vm rss cap at avgat pg avgpg", "5 web    yes     - 92M 36M  1G 8M   8M 5M   5M"),
        ("id cappd zone  nproc vm rss cap at avgat pg avgpg", "5 no     web     7 92M 36M  1G 0K   0K 5M   0K"),
    ],
)
def test_rcapstat_with_a_column_more(head: str, row: str) -> None:
    table = f"     5       11   92M   40M   0.9%   0:00:18 6.7% web\n{TOTAL}\n"
    assert figures(f"{head}\n {row}\n{table}", "web", "rss_cap", "pagedout") == (G, M)


def test_rcapstat_of_projects_is_no_zones() -> None:
    head = "    id project         nproc    vm   rss   cap    at avgat    pg avgpg\n"
    text = (
        head
        + "   112 rcap                1 1480K 1276K   10M    0K    0K    0K    0K\n"
        + f"     112 9 9M 9M 1% 0:0:1 1% web\n{TOTAL}"
    )
    assert isnan(figures(text, "web", "rss_cap")[0])


PRCTL_P = """zone: 3: mail3
zone.cpu-shares usage 20 - - -
zone.cpu-shares privileged 20 - none -
zone.cpu-shares system 65535 max none -
zone.cpu-cap privileged 150 - deny -
zone.max-swap privileged 4294967296 - deny -
"""


def test_prctl_in_lines_tells_what_was_set_since_boot() -> None:
    text = f"{PRCTL_P}     3       11   92M   36M   0.9%   0:00:18 6.7% mail3\n{TOTAL}\n"
    assert figures(text, "mail3", "cpu_cap", "cpu_shares", "swap_cap") == (1.5, 20, 4 * G)


def test_prctl_of_a_zone_with_a_long_name_and_indented() -> None:
    name = "5c1e7f3a-94d2-4a6b-8f10-7b2d90c6e3aa"
    text = (
        f"    zone: 9: {name}\n"
        "    NAME    PRIVILEGE       VALUE    FLAG   ACTION                    RECIPIENT\n"
        "    zone.cpu-cap\n"
        "            usage              12\n"
        "            privileged        250       -   deny                      -\n"
        "            system          4.29G     inf   deny                      -\n"
        f"     9       11   92M   36M   0.9%   0:00:18 6.7% {name[:27]}*\n{TOTAL}\n"
    )
    assert figures(text, name, "cpu_cap", "zone_id") == (2.5, 9)


def test_smartos_caps_memory_with_a_control() -> None:
    table = f"     9       11   92M   36M   0.9%   0:00:18 6.7% web\n{TOTAL}\n"
    told = "zone: 9: web\nzone.max-physical-memory usage 36MB\nzone.max-physical-memory privileged 512MB - deny -\n"
    assert figures(told + table, "web", "rss_cap") == (512 * M,)
    xml = (
        '<zone name="web" zonepath="/zones/web" autoboot="false" brand="joyent-minimal">\n'
        '<rctl name="zone.max-physical-memory">\n'
        '<rctl-value priv="privileged" limit="1073741824" action="deny"/>\n'
    )
    assert figures(xml + table, "web", "rss_cap") == (G,)


def test_zoneadm_escapes_colons_and_pads_a_field() -> None:
    listing = (
        "0:global:running:/::\tipkg:shared:0\n"
        r"3:web:running:/zones/a\:b\:c:5c1e7f3a-94d2-4a6b-8f10-7b2d90c6e3aa:lipkg:excl:7"
        "\n-:spare:installed:/zones/spare::solaris:excl:R::\nzones. 3\n"
    )
    found = frame(f"{listing}     3       11   92M   36M   0.9%   0:00:18 6.7% web\n{TOTAL}\n").set_index("zone")
    assert found["brand"].to_dict() == {"web": "lipkg", "global": "ipkg", "spare": "solaris"}


# -- zonestat ------------------------------------------------------------------------------------------------


def test_zonestat_of_illumos_with_an_iso_time() -> None:
    text = (
        "interval:summary:[resource]:4:4:16776556K:20970860K\n"
        "20251123T203321Z:interval:summary:[total]:0.05:5.45%:-:-:968M:47.30%:-:1251M:40.70%:-\n"
        "20251123T203321Z:interval:summary:zone1:0.75:18.75%:50.00%:12.00%:755712K:3.60%:72.07%:678912K:2.16%:-\n"
        "20251123T203321Z:interval:footer:20251123T203321Z5:5\n"
    )
    found = frame(text, "zonestat")
    assert list(found["zone"]) == ["zone1"]
    assert tuple(found.iloc[0][["cpu", "rss", "swap"]]) == (0.75, 738 * M, 663 * M)
    assert str(found["time"].iloc[0]) == "2025-11-23 20:33:21+00:00"


def test_zonestat_of_zones_only_has_neither_header_nor_footer() -> None:
    lines = [
        "interval:processor-set:default-pset:pset_default:a:0.50:12.50%:-:-:-:-:-:0-00-02.50",
        "interval:processor-set:dedicated-cpu:a:a:1.00:99.00%:2.00:50.00%:no-fss:-:-:0-00-05.00",
        "interval:processor-set:default-pset:pset_default:b:0.25:6.25%:0.50:50.00%:inf:-:-:0-00-01.25",
        "interval:locked-memory:mem_default:a:12M:1.00%:-:-",
    ]
    found = frame("\n".join(lines * 2), "zonestat")
    assert list(found["zone"]) == ["a", "b", "a", "b"]
    assert list(found["cpu"]) == [1.5, 0.25, 1.5, 0.25], "a zone in two processor sets uses both"
    assert list(found["cpu_cap"])[:2] == [2.0, 0.5]
    assert found["cpu_shares"].isna().all()


def test_zonestat_reports_over_many_intervals_are_passed_over() -> None:
    row = "{}:summary:zone1:{}:18.75%:-:-:738M:4.40%:-:663M:4.40%:-:0:0.00%"
    text = "\n".join(
        [row.format("interval", "0.75"), *(row.format(f"report-{r}", "9.99") for r in ("total", "average", "high"))]
    )
    assert list(frame(text, "zonestat")["cpu"]) == [0.75]


def test_zonestat_summary_of_the_older_form() -> None:
    text = (
        "Interval: 1, Duration: 0:00:05\n"
        "SUMMARY       Cpus/Online: 4/4   Physical: 16.0G    Virtual: 20.0G\n"
        "              ----------CPU---------- ----PHYSICAL----- -----VIRTUAL-----\n"
        "         ZONE  USED %PART  %CAP %SHRU  USED   PCT  %CAP  USED   PCT  %CAP\n"
        "      [total]  9.74   30%     -     - 7140M   21%     - 10.6G   22%     -\n"
        "        zoneA  0.32  1.0%     -     -  256M  0.7%     -  265M  0.5%     -\n\n"
    )
    assert figures(text, "zoneA", "cpu", "rss", "swap", variant="zonestat") == (0.32, 256 * M, 265 * M)


def test_a_line_of_zonestat_that_is_torn_names_its_column() -> None:
    parser = VARIANTS["zonestat"].parser(Context("s11", "solaris11", 1.0))
    line = "1763930201:interval:physical-memory:mem_default:zone1:7x8M:4.40%:1024M:72.07%"
    with pytest.raises(ParseError) as e:
        parser.feed(line, 0.0)
    assert (e.value.line_no, e.value.column) == (1, line.index("7x8M") + 1)


# -- jails ---------------------------------------------------------------------------------------------------


def test_rctl_in_human_numbers_and_rules_that_limit_nothing() -> None:
    text = (
        "jail 3 www\njails 1\njail:www:memoryuse:deny=1024M\njail:www:memoryuse:log=512M\njail:www:vmemoryuse:deny=8G\n"
        "jail:www:memoryuse:deny=64M/process\njail:www:pcpu:deny=150\njail:www:swapuse:deny=0\n"
        "usage www\ncputime=1000\nmemoryuse=800M\nmaxproc=31\nnthr=90\nswapuse=1536K\nreadbps=1.2K\n\n"
    )
    row = frame(text, "jails").iloc[0]
    assert (row["rss"], row["rss_cap"], row["swap"], row["cpu_cap"]) == (800 * M, G, 1536 * 1024, 1.5)
    assert isnan(row["swap_cap"])


def test_jls_as_it_prints_by_itself() -> None:
    text = (
        "   JID  IP Address      Hostname                      Path\n"
        "     3  10.0.0.3        www.example.org               /jails/www\n"
        "     4  -               db.example.org                /jails/my db\n"
    )
    found = frame(text, "jails")
    assert dict(zip(found["zone"], found["zone_id"], strict=True)) == {"www.example.org": 3, "db.example.org": 4}
    assert list(frame("devfs_ruleset=4 nodying jid=7 name=www path=/jails/www\n", "jails")["zone"]) == ["www"]


def test_what_is_no_line_of_jls_names_its_place() -> None:
    with pytest.raises(ParseError) as e:
        frame("jail 3 www\nrctl: failed to get rules", "jails")
    assert (e.value.line_no, e.value.column) == (2, 1)


# -- control groups ------------------------------------------------------------------------------------------


def cgroup(path: str, *lines: str) -> str:
    body = "\n".join(f"{path}/{line}" for line in lines)
    return f"/proc/uptime:1000.50 1.0\n{body}\n/proc/uptime:1000.50 1.0\n\n"


def test_limits_of_both_hierarchies_that_are_none() -> None:
    v2 = cgroup(
        "docker/" + "ab" * 32, "cpu.stat:usage_usec 5", "cpu.max:max 100000", "memory.max:max", "memory.swap.max:max"
    )
    v1 = cgroup("memory/docker/" + "ab" * 32, "memory.usage_in_bytes:9", "memory.limit_in_bytes:9223372036854771712")
    for text in (v2, v1):
        row = frame(text, "cgroups").iloc[0]
        assert all(isnan(row[c] if row[c] is not None else nan) for c in ("cpu_cap", "rss_cap", "swap_cap"))


def test_who_watches_over_a_container_is_none() -> None:
    text = cgroup(f"machine.slice/libpod-conmon-{'ab' * 32}.scope", "pids.current:1")
    assert "zone_usage" not in parse_text(VARIANTS["cgroups"], text)


def test_a_groups_name_may_hold_dots_and_colons() -> None:
    assert list(frame(cgroup("lxc/my.db:a", "pids.current:1"), "cgroups")["zone"]) == ["my.db:a"]
