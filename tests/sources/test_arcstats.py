"""ARC statistics of four systems: key figures read from the texts by eye."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.arcstats import SOURCE

RECORDED = Path(__file__).parents[1] / "recorded" / "arcstats"
VARIANTS = {v.name: v for v in SOURCE.variants}


def read(name: str) -> str:
    return (RECORDED / name).read_text()


def test_solaris10_over_its_own_snaptime() -> None:
    frame = parse_text(VARIANTS["kstat"], read("solaris10-kstat-p.txt"))["arcstats"]
    assert len(frame) == 3
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["size"] == 7301444403
    assert (first["c"], first["c_min"], first["p"]) == (7516192768, 6442450944, 3758096384)
    assert isnan(first["hits"]), "the first report has nothing to count from"
    assert second["hits"] == pytest.approx(5000 / 1.0004)
    assert second["l2_read_bytes"] == pytest.approx(19660800 / 1.0004), "4294960000 + … passes 2**32, no wrap"
    assert isnan(second["mru_size"]), "Solaris 10 has no list sizes"
    assert str(frame["time"].iloc[0]) == "2025-11-23 20:33:20+00:00"


def test_long_form_without_l2arc() -> None:
    frame = parse_text(VARIANTS["kstat-long"], read("solaris10-kstat-long.txt"))["arcstats"]
    assert list(frame["size"]) == [7301444403, 7302492979]
    assert frame["misses"].iloc[1] == 250 / 1.25
    assert isnan(frame["l2_size"].iloc[0])


def test_openzfs() -> None:
    frame = parse_text(VARIANTS["procfs"], read("linux-openzfs-2.4.4.txt"))["arcstats"]
    row = frame.iloc[0]
    assert row["size"] == 92246472
    assert row["c_min"] == 64688128
    assert row["mru_size"] == 32848896
    assert row["l2_size"] == 20774400
    assert row["meta_used"] == 5004744
    assert row["p"] == 153292800 / 2, "from pd and pm, both 2**31, since p is gone"


def test_openzfs_rates_over_the_headers_snaptime() -> None:
    text = read("linux-openzfs-2.4.4.txt")
    later = text.replace(" 135892833466", " 137892833466").replace("    42909\n", "    43009\n", 1)
    frame = parse_text(VARIANTS["procfs"], text + "\n" + later)["arcstats"]
    assert frame["hits"].iloc[1] == 50.0
    assert frame["misses"].iloc[1] == 0.0


def test_freebsd_sysctl() -> None:
    text = "".join(
        f"{1700000000 + i}\nkstat.zfs.misc.arcstats.size: {1000 + i}\nkstat.zfs.misc.arcstats.hits: {50 * i}\n\n"
        for i in range(2)
    )
    frame = parse_text(VARIANTS["sysctl"], text)["arcstats"]
    assert list(frame["size"]) == [1000, 1001]
    assert frame["hits"].iloc[1] == 50.0


def test_a_burst_that_rests_is_a_report_without_waiting_for_the_next() -> None:
    variant = VARIANTS["kstat"]
    parser = variant.parser(Context("h", "solaris10", 1.0))
    lines = read("solaris10-kstat-p.txt").splitlines()
    ends = [i for i, line in enumerate(lines) if not line]
    for line in lines[: ends[0]]:
        assert parser.feed(line, 0.0) == []
    assert parser.idle(0.1) == [], "how long a report is, is known from the second on"
    assert len(parser.feed("", 1.0)) == 1
    for line in lines[ends[0] + 1 : ends[1]]:
        assert parser.feed(line, 1.0) == []
    [batch] = parser.idle(1.1)
    assert batch.time == 1763930001
    assert parser.feed("", 2.0) == []


def test_a_torn_line_names_its_place_and_the_next_report_is_whole() -> None:
    lines = read("solaris10-kstat-p.txt").splitlines()
    at = lines.index("zfs:0:arcstats:hits\t30005000")
    lines[at] = "zfs:0:arcstats:hizfs:0:arc"
    parser = VARIANTS["kstat"].parser(Context("ms1", "solaris10", 1.0))
    rows, errors = [], []
    for line in [*lines, ""]:
        try:
            rows += parser.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
    assert [(e.host, e.line_no) for e in errors] == [("ms1", at + 1)]
    assert len(rows) == 2
    assert rows[1].columns["hits"][0] == pytest.approx(10000 / 2.0008)


@pytest.mark.parametrize(
    ("line", "column"),
    [("zfs:0:arcstats:hits\t3000x", 21), ("kstat: cannot allocate", 1), ("\thits    -", 10), ("hits   4   x", 8)],
)
def test_an_error_names_the_column(line: str, column: int) -> None:
    with pytest.raises(ParseError) as e:
        parse_text(VARIANTS["kstat"], f"zfs:0:arcstats:hits\t1\n{line}\n")
    assert (e.value.line_no, e.value.column) == (2, column)


def test_another_commands_output_is_refused() -> None:
    with pytest.raises(ParseError, match="line 1"):
        parse_text(VARIANTS["kstat"], "kstat: not found\n")


def kstat_p(second: int, **statistics: int) -> str:
    """A report as `kstat -T u -p zfs:0:arcstats 1` prints it, at `second` since boot."""
    found = {"size": 1000, "hits": 0, **statistics}
    lines = [f"zfs:0:arcstats:{name}\t{value}" for name, value in sorted(found.items())]
    return "\n".join([str(1_700_000_000 + second), *lines, f"zfs:0:arcstats:snaptime\t{second}.5", "", ""])


def rows(*reports: str, variant: str = "kstat") -> dict[str, Any]:
    return parse_text(VARIANTS[variant], "".join(reports))


def test_ratios_are_of_the_interval_and_absent_where_nothing_was_accessed() -> None:
    before = {
        "hits": 10**9,
        "misses": 10**8,
        "demand_data_hits": 500,
        "demand_data_misses": 100,
        "prefetch_data_hits": 7,
    }
    after = {**before, "hits": 10**9 + 90, "misses": 10**8 + 10, "demand_data_hits": 560, "demand_data_misses": 140}
    row = rows(kstat_p(1, **before), kstat_p(2, **after))["arcstats"].iloc[1]
    assert row["hit_ratio"] == 0.9
    assert row["demand_data_hit_ratio"] == 0.6
    assert isnan(row["prefetch_data_hit_ratio"]), "no misses told: no ratio"
    assert isnan(row["demand_metadata_hit_ratio"])
    still = rows(kstat_p(1, **before), kstat_p(2, **before))["arcstats"].iloc[1]
    assert (still["hits"], still["misses"]) == (0.0, 0.0)
    assert isnan(still["hit_ratio"]), "no access, no ratio"


def test_growth_eviction_ghost_hits_and_prefetch_efficiency() -> None:
    before = {
        "size": 4000,
        "misses": 100,
        "mru_ghost_hits": 10,
        "mfu_ghost_hits": 20,
        "evict_l2_cached": 1000,
        "evict_l2_eligible": 2000,
        "evict_l2_ineligible": 3000,
        "prefetch_data_misses": 50,
        "prefetch_metadata_misses": 5,
        "demand_hit_predictive_prefetch": 40,
    }
    after = {
        **before,
        "size": 3000,
        "misses": 300,
        "mru_ghost_hits": 40,
        "mfu_ghost_hits": 40,
        "evict_l2_cached": 1200,
        "evict_l2_ineligible": 3100,
        "prefetch_data_misses": 90,
        "demand_hit_predictive_prefetch": 50,
    }
    row = rows(kstat_p(1, **before), kstat_p(3, **after))["arcstats"].iloc[1]
    assert row["growth"] == -500.0, "1000 bytes fewer in two seconds"
    assert row["evicted"] == 150.0
    assert row["ghost_hit_ratio"] == 0.25, "50 ghost hits, 200 misses"
    assert (row["prefetches"], row["prefetches_used"], row["prefetch_efficiency"]) == (20.0, 5.0, 0.25)


def test_hits_on_reads_under_way_are_accesses_of_openzfs_2_2() -> None:
    names = ("hits", "iohits", "misses", "demand_data_hits", "demand_data_iohits", "demand_data_misses")

    def report(ns: int, *values: int) -> str:
        head = f"9 1 0x01 3 816 12740632418 {ns}\nname                            type data\n"
        return head + "".join(f"{n:<31} 4    {v}\n" for n, v in zip((*names, "size"), (*values, 9), strict=True)) + "\n"

    text = report(10**9, 100, 10, 20, 50, 5, 10) + report(3 * 10**9, 160, 20, 50, 90, 15, 20)
    row = rows(text, variant="procfs")["arcstats"].iloc[1]
    assert row["iohits"] == 5.0
    assert row["hit_ratio"] == 0.6
    assert row["demand_data_hit_ratio"] == pytest.approx(40 / 60)


def test_solaris11_names() -> None:
    """Solaris 11: meta_used without arc_, evict_mru and evict_mfu in bytes, the first release without evict_l2_*."""
    before = {"meta_used": 700, "meta_limit": 0, "data_size": 300, "evict_mru": 10, "evict_mfu": 20, "p": 5, "c": 9}
    row = rows(kstat_p(1, **before), kstat_p(2, **{**before, "evict_mru": 40}))["arcstats"].iloc[1]
    assert (row["meta_used"], row["data_size"], row["p"], row["evicted"]) == (700, 300, 5, 30.0)
    both = rows(kstat_p(1, arc_meta_used=1, meta_used=2))["arcstats"].iloc[0]
    assert both["meta_used"] == 1, "illumos's own name first"


KSTAT_J = """[{
	"module": "zfs",
	"instance": 0,
	"name": "arcstats",
	"class": "misc",
	"type": 1,
	"snaptime": %s,
	"data": {
		"c": 10150301696,
		"class": "misc",
		"crtime": 13.066910337,
		"hits": %d,
		"size": 964263584,
		"snaptime": %s
	}
}]
"""


def test_illumos_json() -> None:
    text = KSTAT_J % ("100.500000000", 50, "100.500000000") + KSTAT_J % ("102.500000000", 90, "102.500000000")
    frame = rows(text, variant="kstat-long")["arcstats"]
    assert list(frame["size"]) == [964263584, 964263584]
    assert frame["hits"].iloc[1] == 20.0
    squeezed = json.dumps(json.loads(KSTAT_J % ("1.5", 50, "1.5")))
    assert rows(squeezed)["arcstats"]["c"].iloc[0] == 10150301696


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('[{\n\t"name": "arcstats",\n\t"data": {\n\t\t"c": 1015', 4, 12),
        ("[" * 40_000, 1, 1),
        ('[{"name": "vdev_cache_stats", "data": {}}]', 1, 1),
    ],
)
def test_json_that_is_cut_or_of_something_else_names_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as e:
        rows(text)
    assert (e.value.line_no, e.value.column) == (line, column)


@pytest.mark.parametrize("variant", ["kstat", "kstat-long", "procfs", "sysctl"])
def test_every_variant_reads_every_form(variant: str) -> None:
    """A host may be upgraded under its inventory, and a recording says nothing of its variant."""
    for name in ("solaris10-kstat-p.txt", "solaris10-kstat-long.txt", "linux-openzfs-2.4.4.txt"):
        assert len(rows(read(name), variant=variant)["arcstats"])
    assert rows("kstat.zfs.misc.arcstats.hits=1\nkstat.zfs.misc.arcstats.size=2", variant=variant)["arcstats"].size


def test_what_else_was_asked_for_stands_beside() -> None:
    text = (
        "kstat.zfs.misc.arcstats.hits: 7\nkstat.zfs.misc.zfetchstats.hits: 9\nvfs.zfs.arc.max: 0\nvfs.zfs.arc_max: 5\n"
        "kstat.zfs.misc.arcstats.size: 8\n"
    )
    assert rows(text, variant="sysctl")["arcstats"]["size"].iloc[0] == 8
    text = "Sun Nov 23 20:33:20 2025\nzfs:0:arcstats:hits    1\nzfs:0:arcstats:size    2\nzfs:0:zil:zil_itx_count\t3\n"
    assert rows(text)["arcstats"]["size"].iloc[0] == 2
    assert rows("zfs:0:arcstats:hits:1\nzfs:0:arcstats:size:2\n")["arcstats"]["size"].iloc[0] == 2, "kstat -C"
    long = "module: zfs     instance: 0\nname:   zil     class:    misc\n\tzil_itx_count   3\n\n"
    assert len(rows(long, read("solaris10-kstat-long.txt"), variant="kstat-long")["arcstats"]) == 2


def test_the_target_of_the_mru_list_from_fractions() -> None:
    """arc_evict(): MRU metadata is c*meta*pm, MRU data c*(1-meta)*pd, each a fraction of 2**32."""
    found = rows(kstat_p(1, c=8000, meta=2**30, pd=2**31, pm=2**32))["arcstats"].iloc[0]
    assert found["p"] == 8000 * (0.25 * 1 + 0.75 * 0.5)


def test_counters_that_fall_are_an_event_and_a_gap_and_no_spike() -> None:
    """The module was loaded again: the host's time runs on."""
    out = rows(kstat_p(1, hits=10**9, misses=500), kstat_p(2, hits=10, misses=1), kstat_p(3, hits=15, misses=1))
    assert [isnan(v) for v in out["arcstats"]["hits"]] == [True, True, False]
    assert out["arcstats"]["hits"].iloc[2] == 5.0
    [event] = out["events"].to_dict("records")
    assert (event["kind"], event["object"], event["who"]) == ("counters", "the ARC", "arcstats")
    assert event["text"] == "counters of the ARC fell and count anew"
    assert str(event["time"]) == "2023-11-14 22:13:22+00:00"


def test_time_since_boot_that_falls_is_a_reboot() -> None:
    out = rows(kstat_p(100, hits=10**9), kstat_p(9, hits=10), kstat_p(10, hits=15))
    assert list(out["events"]["kind"]) == ["reboot"]
    assert [isnan(v) for v in out["arcstats"]["hits"]] == [True, True, False]
    assert isnan(out["arcstats"]["growth"].iloc[1])


def test_a_clock_stepped_back_is_an_event() -> None:
    report = "{}\nkstat.zfs.misc.arcstats.hits: {}\nkstat.zfs.misc.arcstats.size: 9\n\n"
    text = "".join(report.format(t, h) for t, h in ((1_700_000_100, 5), (1_700_000_040, 9), (1_700_000_041, 11)))
    out = rows(text, variant="sysctl")
    assert list(out["events"]["kind"]) == ["clock"]
    assert out["events"]["text"].iloc[0] == "clock ran back by 60 s: counters of the ARC count anew"
    assert list(out["arcstats"]["hits"].isna()) == [True, True, False]
    assert out["arcstats"]["hits"].iloc[2] == 2.0


def test_a_wrap_counts_through_without_an_event() -> None:
    top = 2**32
    reports = [kstat_p(i + 1, hits=(top - 2500 + 1000 * i) % top, misses=10 * i) for i in range(4)]
    out = rows(*reports)
    assert list(out["arcstats"]["hits"])[1:] == [1000.0, 1000.0, 1000.0]
    assert "events" not in out
