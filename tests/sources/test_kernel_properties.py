"""Whatever a host sends: every batch fits its schema, nothing but ParseError is raised, no rate is negative."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.base import Batch, Context, ParseError, Source, Variant
from collectors.sources import arcstats, disk_io, host_load, imapsync, mail_activity, zone_usage
from frames.schemas import SCHEMAS

RECORDED = Path(__file__).parents[1] / "recorded"
CASES = [
    (arcstats.SOURCE, "kstat", "solaris10-kstat-p.txt"),
    (arcstats.SOURCE, "kstat-long", "solaris10-kstat-long.txt"),
    (arcstats.SOURCE, "procfs", "linux-openzfs-2.4.4.txt"),
    (arcstats.SOURCE, "sysctl", ""),
    (zone_usage.SOURCE, "prstat+caps", "solaris10-mail.txt"),
    (zone_usage.SOURCE, "prstat", "solaris10-mail.txt"),
    (zone_usage.SOURCE, "kstats", "illumos-smartos.txt"),
    (zone_usage.SOURCE, "zonestat", "solaris11-zonestat.txt"),
    (zone_usage.SOURCE, "cgroups", "linux-containers.txt"),
    (zone_usage.SOURCE, "jails", "freebsd-jails.txt"),
    (disk_io.SOURCE, "iostat", "solaris10-J4200.txt"),
    (disk_io.SOURCE, "iostat-old", "solaris10-J4200.txt"),
    (disk_io.SOURCE, "iostat-bsd", "freebsd-ada.txt"),
    (disk_io.SOURCE, "sysstat", "linux-sysstat-12.6.txt"),
    (disk_io.SOURCE, "diskstats", "linux-diskstats.txt"),
    (host_load.SOURCE, "kstat-drivers", "solaris10-kstat.txt"),
    (host_load.SOURCE, "vmstat", ""),
    (host_load.SOURCE, "vmstat-linux", "linux-vmstat-4.0.txt"),
    (host_load.SOURCE, "mpstat", ""),
    (host_load.SOURCE, "mpstat-linux", "linux-mpstat-12.6.txt"),
    (host_load.SOURCE, "procfs", "linux-procfs.txt"),
    (host_load.SOURCE, "sysctl", "freebsd-sysctl.txt"),
    (arcstats.SOURCE, "procfs", "linux-arcstat.txt"),
    (disk_io.SOURCE, "iostat", "solaris10-iostat-D.txt"),
    (disk_io.SOURCE, "sysstat", "linux-sysstat-5-one-report.txt"),
    (disk_io.SOURCE, "diskstats", "linux-vmstat-d.txt"),
    (host_load.SOURCE, "kstat-links", "solaris11-dladm.txt"),
    (host_load.SOURCE, "kstat-drivers", "solaris10-kstat-long.txt"),
    (host_load.SOURCE, "vmstat", "solaris11-swap-lh.txt"),
    (host_load.SOURCE, "vmstat", "freebsd-vmstat-h.txt"),
    (host_load.SOURCE, "mpstat-linux", "linux-mpstat-8.txt"),
    (zone_usage.SOURCE, "kstats", "illumos-vfsstat.txt"),
    (zone_usage.SOURCE, "kstats", "illumos-zonememstat.txt"),
    (zone_usage.SOURCE, "kstats", "illumos-xml-and-prctl.txt"),
    (zone_usage.SOURCE, "kstats", "illumos-kstat-long.txt"),
    (zone_usage.SOURCE, "prstat", "solaris10-listing-and-rcapstat.txt"),
    (zone_usage.SOURCE, "zonestat", "solaris11-zonestat-people.txt"),
    (imapsync.SOURCE, "log", "linux-two-runs.txt"),
    (mail_activity.SOURCE, "ps-zone", "solaris10-cyrus.txt"),
    (mail_activity.SOURCE, "ps-cgroup", "linux-cyrus-3.6-nginx-1.22.txt"),
]
FAST = settings(max_examples=60, suppress_health_check=list(HealthCheck))
junk = st.one_of(
    st.text(max_size=30),
    st.text("0123456789.:-%KMG \t/=<>", max_size=40),
    st.integers(0, 2**70).map(str),
    st.sampled_from(["", "-", "nan", "inf", "1e999", "９", "²", "18446744073709551615", "9" * 400, "9" * 5000]),
)


def feed(variant: Variant, source: Source, lines: list[str], *, saved: bool = False) -> list[Batch]:
    """Every batch of `lines`, each checked against its schema; errors are of one type and name their line."""
    facts = {"ncpu": "4", "page_size": "4096"}
    parser = variant.parser(Context("h", variant.systems[0], 1.0, facts, saved=saved))
    batches: list[Batch] = []
    errors: list[tuple[int, ParseError]] = []
    for n, line in enumerate(lines, 1):
        try:
            batches += parser.feed(line, float(n))
            if n % 7 == 0:
                batches += parser.idle(float(n))
        except ParseError as e:
            errors.append((n, e))
            batches += e.rest
    try:
        batches += parser.end(0.0)
    except ParseError as e:
        errors.append((len(lines), e))
        batches += e.rest
    assert all(1 <= e.line_no <= n for n, e in errors)
    for batch in batches:
        schema = SCHEMAS[batch.table]
        assert batch.table in source.tables
        n = len(next(iter(batch.columns.values())))
        schema.check(schema.table({"time": [0] * n, "host": ["h"] * n, **batch.columns}))
        for column in schema.of_role("rate"):
            assert all(v is None or not v < 0 for v in batch.columns.get(column, []))
    return batches


def case(source: Source, name: str, file: str) -> tuple[Variant, list[str]]:
    variant = next(v for v in source.variants if v.name == name)
    text = (RECORDED / source.name / file).read_text() if file else ""
    return variant, text.split("\n")


@pytest.mark.parametrize(("source", "name", "file"), CASES, ids=[f"{s.name}-{n}-{f}" for s, n, f in CASES])
@FAST
@given(data=st.data())
def test_a_damaged_stream(source: Source, name: str, file: str, data: st.DataObject) -> None:
    variant, lines = case(source, name, file)
    for _ in range(data.draw(st.integers(1, 6))):
        i = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["drop", "insert", "tear", "swap", "twice", "field"]))
        if how == "drop" and len(lines) > 1:
            del lines[i]
        elif how == "insert":
            lines.insert(i, data.draw(junk))
        elif how == "tear":
            at = data.draw(st.integers(0, len(lines[i])))
            lines[i : i + 1] = [lines[i][:at], lines[i][at:]]
        elif how == "swap":
            j = data.draw(st.integers(0, len(lines) - 1))
            lines[i], lines[j] = lines[j], lines[i]
        elif how == "twice":
            lines[i:i] = lines[i : i + 30]
        else:
            words = lines[i].split(" ")
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(junk)
            lines[i] = " ".join(words)
    feed(variant, source, lines, saved=data.draw(st.booleans()))


@pytest.mark.parametrize(("source", "name", "file"), CASES, ids=[f"{s.name}-{n}-{f}" for s, n, f in CASES])
@FAST
@given(lines=st.lists(junk, max_size=40))
def test_nothing_but_junk(source: Source, name: str, file: str, lines: list[str]) -> None:
    variant, _ = case(source, name, file)
    for saved in (False, True):
        feed(variant, source, lines, saved=saved)


@pytest.mark.parametrize(
    ("source", "name", "file"), [c for c in CASES if c[2]], ids=[f"{s.name}-{n}-{f}" for s, n, f in CASES if f]
)
def test_the_whole_text_gives_rows(source: Source, name: str, file: str) -> None:
    variant, lines = case(source, name, file)
    assert feed(variant, source, lines, saved=True)
