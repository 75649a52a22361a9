"""zonescope parse: saved outputs, read without a host."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collectors.saved import read
from collectors.sources import load
from zonescope import app

RECORDED = Path(__file__).parents[1] / "recorded"
STATUS = """\
  pool: tank
 state: ONLINE
 scrub: resilver in progress for 0h51m, 58.65% done, 0h36m to go
config:

        NAME        STATE     READ WRITE CKSUM
        tank        ONLINE       0     0     0
          c0t1d0    ONLINE       0     0 1.49K

errors: No known data errors
"""


def test_the_variant_that_reads_it_is_found() -> None:
    jails = (RECORDED / "zone_usage" / "freebsd-jails.txt").read_text()
    saved = read(load()["zone_usage"], jails)
    assert (saved.variant, saved.os, saved.complaints) == ("jails", "freebsd", [])
    assert len(saved.frames["zone_usage"]) == 4


def test_a_variant_that_a_system_has_not_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"procfs \(linux\)"):
        read(load()["arcstats"], "", os="solaris10", variant="procfs")


def test_reading_goes_on_after_a_line_that_cannot_be_read() -> None:
    text = (RECORDED / "zpool_iostat" / "solaris10-hot-changes.txt").read_text()
    whole = read(load()["zpool_iostat"], text)
    lines = text.splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("  ") and i > 40)
    cut = "\n".join([*lines[:row], lines[row][:-3], *lines[row + 1 :]])
    saved = read(load()["zpool_iostat"], cut, variant=whole.variant, os=whole.os)
    assert [f"line {row + 1}," in why for why in saved.complaints] == [True]
    assert 0 < saved.rows < whole.rows


def test_dtrace_in_its_default_layout() -> None:
    saved = read(load()["dtrace"], f"\n\n  {'bash':<50}{12:>17}\n")
    assert saved.variant == "default layout"
    row = saved.frames["dtrace"].iloc[0]
    assert (list(row["keys"]), row["value"]) == (["bash"], 12)


def test_what_dtrace_says_of_its_probes_is_no_damage() -> None:
    said = "dtrace: description 'io:::start ' matched 4 probes\n"
    saved = read(load()["dtrace"], f"{said}^C\n\n  {'bash':<50}{12:>17}\n")
    assert (saved.rows, saved.complaints) == (1, [])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("\x9c\x01 q\ufffd\n\x7f1\n", "line 1, column 1"),
        ("\n\n   no such thing\n", "line 3, column 4"),
        ("\ndtrace: error on enabled probe ID 2 (ID 7: io:::start): invalid address\n", "line 2, column 1"),
        ('{"dtrace": {"probes": [', "line 1, column 24"),
        (
            '{"dtrace": {"probes": [{"output": [{"aggregation-data": [\n {"keys": [], "buckets": [7]}]}]}]}}',
            "line 2, column 15",
        ),
        ("  value  ------------- Distribution ------------- count\n 8 | 1\n 2 | 1\n", "line 1, column 1"),
    ],
)
def test_dtrace_that_cannot_be_read_is_told_with_its_place(text: str, place: str) -> None:
    saved = read(load()["dtrace"], text)
    assert saved.rows == 0
    (why,) = saved.complaints
    assert place in why


def test_the_command_prints_csv_and_says_what_it_took_it_for() -> None:
    run = CliRunner().invoke(app, ["parse", "zpool_status", "-", "--table", "zpool_status"], input=STATUS)
    assert run.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(run.stdout.split("# zpool_status\n")[1])))
    assert [(r["vdev"], r["cksum_errors"]) for r in rows] == [("", "0.0"), ("c0t1d0", "1525.76")]
    assert "read as zpool_status/" in run.stderr


def test_the_command_is_told_the_formats_and_values_of_a_printa() -> None:
    def rows(text: str, *options: str) -> list[tuple[str, str]]:
        run = CliRunner().invoke(app, ["parse", "dtrace", "-", *options], input=text)
        assert run.exit_code == 0, run.output
        return [(r["keys"], r["value"]) for r in csv.DictReader(io.StringIO(run.stdout.split("# dtrace\n")[1]))]

    printed = "PROGRAM   CALLS\nimapd       117\nlmtpd         9\nin all 126\n"
    formats = ["--format", r"%-9s %5@d\n", "--format", r"in all %@d\n"]
    assert rows(printed, *formats) == [('["imapd"]', "117.0"), ('["lmtpd"]', "9.0"), ("[]", "126.0")]
    joined = f"\n  {'imapd':<50}{3:>17}{7:>17}\n"
    assert rows(joined, "--values", "2") == [('["imapd"]', "3.0"), ('["imapd"]', "7.0")]
    for source, form in (("dtrace", "no value"), ("arcstats", "%@d")):
        assert CliRunner().invoke(app, ["parse", source, "-", "--format", form], input="").exit_code == 2


def test_the_command_fails_where_nothing_was_read() -> None:
    assert CliRunner().invoke(app, ["parse", "arcstats", "-"], input="no such thing\n").exit_code == 1
    assert CliRunner().invoke(app, ["parse", "nothing", "-"], input="").exit_code == 2


def test_cpu_in_percent_of_all_cpus_needs_to_know_how_many_there_are() -> None:
    text = (RECORDED / "host_load" / "freebsd-vmstat-h.txt").read_text()
    run = CliRunner().invoke(app, ["parse", "host_load", "-", "--fact", "ncpu=4"], input=text)
    row = next(csv.DictReader(io.StringIO(run.stdout.split("# host_load\n")[1])))
    assert (run.exit_code, float(row["cpu_user"]), float(row["cpu_idle"])) == (0, 1.0, 2.0)
    assert "cpu_user" not in CliRunner().invoke(app, ["parse", "host_load", "-"], input=text).stdout
