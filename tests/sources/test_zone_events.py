"""Zones that boot, halt, reboot, arrive, leave and move are events; a link, a list or a line that is cut is none."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import pytest
import yaml

from collectors.base import Batch, Context, ParseError
from collectors.sources.zone_usage import SOURCE
from collectors.zones.moves import FRESH, SETTLED, WITHIN, Moves
from collectors.zones.states import State, States

VARIANTS = {v.name: v for v in SOURCE.variants}


def parser(variant: str, host: str = "ms1") -> Any:
    v = VARIANTS[variant]
    return v.parser(Context(host, v.systems[0], 1.0, {"ncpu": "4"}))


def feed(p: Any, text: str, *, end: bool = False) -> tuple[list[str], list[ParseError], list[Batch]]:
    """Texts of the events, errors, and all batches of `text`."""
    batches: list[Batch] = []
    errors: list[ParseError] = []
    for line in text.splitlines():
        try:
            batches += p.feed(line, 0.0)
        except ParseError as e:
            errors.append(e)
    if end:
        try:
            batches += p.end(0.0)
        except ParseError as e:
            errors.append(e)
    texts = [t for b in batches if b.table == "events" for t in b.columns["text"]]
    return texts, errors, batches


def listing(*zones: str, count: int | None = None) -> str:
    """A listing of `zones` ('id name state'), global first."""
    rows = ["0:global:running:/::native:shared"]
    for zone in zones:
        number, name, state = zone.split()
        rows.append(f"{number}:{name}:{state}:/zones/{name}:u-u-i-d:native:shared")
    return "\n".join([*rows, f"zones. {len(rows) if count is None else count}", ""])


@pytest.mark.parametrize(
    ("before", "after", "severity", "text"),
    [
        ("- mail3 installed", "3 mail3 running", "info", "zone mail3 is running"),
        ("- mail3 installed", "3 mail3 ready", "info", "zone mail3 went from installed to ready"),
        ("3 mail3 running", "- mail3 installed", "warn", "zone mail3 stopped running: installed"),
        ("3 mail3 running", "3 mail3 shutting_down", "warn", "zone mail3 stopped running: shutting_down"),
        ("3 mail3 running", "3 mail3 down", "warn", "zone mail3 stopped running: down"),
        ("3 mail3 running", "7 mail3 running", "warn", "zone mail3 rebooted (id 3 to 7)"),
        ("- mail3 installed", "- mail3 configured", "info", "zone mail3 was detached or uninstalled: configured"),
        ("", "3 mail3 running", "info", "zone mail3 appeared, running"),
        ("", "- mail3 configured", "info", "zone mail3 appeared, configured"),
        ("3 mail3 running", "", "warn", "zone mail3 is gone (was running)"),
    ],
)
@pytest.mark.parametrize("variant", ["prstat+caps", "kstats", "prstat", "zonestat"])
def test_each_change_between_two_listings(variant: str, before: str, after: str, severity: str, text: str) -> None:
    p = parser(variant)
    assert feed(p, listing(*filter(None, [before])))[0] == [], "the first listing is how it is"
    texts, errors, batches = feed(p, listing(*filter(None, [after])))
    assert (texts, errors) == ([text], [])
    assert batches[0].columns["severity"] == [severity]
    assert (batches[0].columns["kind"], batches[0].columns["object"]) == (["zone"], ["mail3"])
    assert feed(p, listing(*filter(None, [after])))[0] == [], "told once"


WHOLE = listing("3 mail3 running", "5 proxy running")


@pytest.mark.parametrize("variant", ["prstat+caps", "kstats", "prstat", "zonestat"])
def test_a_listing_that_was_cut_is_no_halt(variant: str) -> None:
    """At every character: the link broke, a bound dropped a line, or zoneadm died and the loop went on."""
    for cut in range(len(WHOLE)):
        p = parser(variant)
        feed(p, WHOLE)
        texts, _, _ = feed(p, WHOLE[:cut], end=True)
        assert texts == []
        texts, _, _ = feed(p, WHOLE)
        assert texts == [], f"the listing after one that was cut at {cut}"


def test_a_line_that_is_missing_or_torn_is_no_halt() -> None:
    lines = WHOLE.splitlines()
    for i in range(len(lines) - 1):
        for torn in ("", lines[i][: len(lines[i]) // 2], "3:mail3:running:/zo5:proxy:run"):
            p = parser("prstat")
            feed(p, WHOLE)
            texts, errors, _ = feed(p, "\n".join([*lines[:i], torn, *lines[i + 1 :]]))
            assert texts == []
            assert errors or torn.startswith(lines[i][:12]), "it is told, unless it names the zone that it stands for"
            assert feed(p, listing("5 proxy running"))[0] == ["zone mail3 is gone (was running)"]


def test_a_listing_of_nothing_is_no_listing() -> None:
    p = parser("prstat")
    feed(p, WHOLE)
    assert feed(p, "zones. 0\nzones.\n")[0] == []
    assert feed(p, WHOLE)[0] == []


def test_a_zone_is_not_gone_because_prstat_or_kstat_lack_it() -> None:
    p = parser("prstat+caps")
    feed(p, WHOLE)
    rows = "     3 9 9M 9M 1% 0:0:1 1% mail3\nTotal: 9 processes, 9 lwps, load averages: 0\n"
    texts, _, batches = feed(p, f"{rows}1763930000\ncaps:3:cpucaps_zone_3:value\t1\n\n")
    assert texts == []
    zones = dict(zip(batches[-1].columns["zone"], batches[-1].columns["state"], strict=True))
    assert zones["proxy"] == "running", "it has a row, without figures"


def test_what_happened_while_the_link_was_down_is_told_after_it() -> None:
    """The engine hands the states of the old link's parser to the new one's (`Engine._start`)."""
    before, after = parser("prstat"), parser("prstat")
    feed(before, WHOLE, end=True)
    after.states = before.states
    assert feed(after, listing("5 proxy running", "- mail3 installed"))[0] == ["zone mail3 stopped running: installed"]


RECORDED = Path(__file__).parents[1] / "recorded" / "zone_usage"
TEXTS = {p.stem: (yaml.safe_load(p.with_suffix(".yml").read_text())["variant"], p) for p in RECORDED.glob("*.txt")}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_cut_and_no_missing_line_of_a_recording_ends_a_zone(name: str) -> None:
    """A cut at every seventh character, and each line dropped: whatever is told as ended, the whole text tells too."""
    variant, path = TEXTS[name]
    text = path.read_text()
    lines = text.splitlines()

    def ended(of: str) -> set[str]:
        return {t for t in feed(parser(variant), of, end=True)[0] if "gone" in t or "stopped" in t or "restarted" in t}

    whole = ended(text)
    for cut in range(0, len(text), 7):
        assert ended(text[:cut]) <= whole, f"cut at {cut}"
    for i in range(len(lines)):
        assert ended("\n".join([*lines[:i], *lines[i + 1 :], ""])) <= whole, f"without line {i + 1}: {lines[i]}"


# -- containers and jails ------------------------------------------------------------------------------------


def groups(second: int, *names: str, cpu: int = 0, end: bool = True) -> str:
    up = f"/proc/uptime:{second}.50 1.0"
    body = [f"lxc.payload.{n}/cpu.stat:{k} {v}" for n in names for k, v in (("usage_usec", cpu), ("user_usec", cpu))]
    return "\n".join([up, *body, *([up] if end else []), "", ""])


def test_containers_appear_and_go() -> None:
    p = parser("cgroups")
    assert feed(p, groups(1, "web", "db"))[0] == []
    assert feed(p, groups(2, "web", "db", "new"))[0] == ["container new appeared, running"]
    assert feed(p, groups(3, "web", "new"))[0] == ["container db is gone (was running)"]


def test_a_container_that_restarts_within_a_tick() -> None:
    p = parser("cgroups")
    feed(p, groups(1, "web", cpu=5_000_000))
    texts, _, batches = feed(p, groups(2, "web", cpu=1000))
    assert texts == ["container web was restarted (its counters began anew)"]
    [usage] = [b for b in batches if b.table == "zone_usage"]
    assert isnan(usage.columns["cpu"][0])


def test_a_report_of_containers_that_was_cut_is_no_halt() -> None:
    whole = groups(2, "web", "db")
    for cut in range(len(whole) - 2):
        p = parser("cgroups")
        feed(p, groups(1, "web", "db"))
        assert feed(p, whole[:cut], end=True)[0] == []
    p = parser("cgroups")
    feed(p, groups(1, "web", "db"))
    assert feed(p, groups(2, "web", end=False))[0] == [], "grep was killed, the loop went on"
    assert feed(p, groups(3, "web"))[0] == ["container db is gone (was running)"]


def jails(second: int, *jails: str, count: int | None = None) -> str:
    n = len(jails) if count is None else count
    rows = [f"jail {j}" for j in jails]
    return "\n".join(
        [str(1_700_000_000 + second), *rows, f"jails {n}", *(f"usage {j.split()[1]}" for j in jails), "", ""]
    )


def test_jails_start_stop_and_restart() -> None:
    p = parser("jails")
    assert feed(p, jails(1, "3 www", "4 db"))[0] == []
    assert feed(p, jails(2, "5 www", "4 db"))[0] == ["jail www rebooted (id 3 to 5)"]
    assert feed(p, jails(3, "4 db", "6 new"))[0] == ["jail new appeared, running", "jail www is gone (was running)"]


def test_a_list_of_jails_that_was_cut_is_no_halt() -> None:
    whole = jails(2, "3 www", "4 db")
    for cut in range(len(whole)):
        p = parser("jails")
        feed(p, jails(1, "3 www", "4 db"))
        assert feed(p, whole[:cut], end=True)[0] == []
    p = parser("jails")
    feed(p, jails(1, "3 www", "4 db"))
    texts, errors, _ = feed(p, jails(2, "3 www", count=2))
    assert texts == []
    assert "not believed" in errors[0].why


def test_counters_of_a_zone_that_fall_are_an_event() -> None:
    p = parser("kstats")
    report = "zones:3:mail3:nsec_user\t{}\nzones:3:mail3:nsec_sys\t{}\nzones:3:mail3:snaptime\t{}.0\n\n"
    feed(p, report.format(10**12, 10**12, 100))
    texts, _, batches = feed(p, report.format(5, 5, 101))
    assert texts == ["counters of zone mail3 fell and count anew"]
    assert batches[0].columns["kind"] == ["counters"]
    assert feed(p, report.format(6, 6, 102))[0] == []


def test_a_clock_stepped_back_costs_jails_a_sample_and_is_told() -> None:
    p = parser("jails")
    text = jails(100, "3 www") + jails(40, "3 www") + jails(41, "3 www")
    texts, _, batches = feed(p, text)
    assert texts == ["clock ran back by 60 s: counters of jail www count anew"]
    assert len([b for b in batches if b.table == "zone_usage"]) == 3


# -- moves ---------------------------------------------------------------------------------------------------


def told(zone: str, *changes: tuple[State | None, State | None]) -> list[Batch]:
    """What States says of a zone that goes through `changes`."""
    out: list[Batch] = []
    for before, after in changes:
        states = States()
        states.see({zone: before} if before else {"other": State(1, "running")}, None)
        out += states.see({zone: after} if after else {"other": State(1, "running")}, None)
    return out


RUNNING, HALTED = State(3, "running"), State(None, "installed")


@pytest.mark.parametrize("leaves", [(RUNNING, HALTED), (RUNNING, None)])
@pytest.mark.parametrize("arrives", [(HALTED, RUNNING), (None, RUNNING)])
def test_a_zone_that_left_one_host_of_a_pair_and_came_up_on_the_other_has_moved(leaves: Any, arrives: Any) -> None:
    moves = Moves([("ma2", "ms2")])
    assert moves.see("ma2", told("mail3", leaves), 1000.0) == []
    assert moves.see("ms2", told("mail3", arrives), 1600.0) == [
        ("ms2", "mail3", "info", "zone mail3 moved from ma2 to ms2 (10 min away)")
    ]
    assert moves.see("ms2", told("mail3", arrives), 1700.0) == [], "told once"


def test_what_is_no_move() -> None:
    moves = Moves([("ma2", "ms2")])
    moves.see("bk1", told("mail3", (RUNNING, HALTED)), 0.0)
    assert moves.see("ms2", told("mail3", (HALTED, RUNNING)), 9.0) == [], "bk1 is of no pair"
    moves.see("ma2", told("mail3", (RUNNING, HALTED)), 10.0)
    assert moves.see("ma2", told("mail3", (HALTED, RUNNING)), 20.0) == [], "it came back"
    assert moves.see("ms2", told("mail3", (HALTED, RUNNING)), 30.0) == []
    moves.see("ma2", told("mail4", (RUNNING, HALTED)), 40.0)
    assert moves.see("ms2", told("mail4", (HALTED, RUNNING)), 50.0 + WITHIN) == [], "another day's"
    moves.see("ma2", told("global", (RUNNING, HALTED)), 60.0)
    assert moves.see("ms2", told("global", (HALTED, RUNNING)), 70.0) == []


def usage(*zones: str) -> list[Batch]:
    return [Batch("zone_usage", {"zone": list(zones), "state": ["running"] * len(zones)})]


def test_a_zone_that_runs_on_both_hosts_is_told_once_it_is_sure() -> None:
    moves = Moves([("ma2", "ms2")])
    said = []
    for t in range(40):
        said += moves.see("ma2", usage("global", "mail3", "web"), float(t))
        said += moves.see("ms2", usage("global", "mail3"), float(t))
    assert said == [("ma2", "mail3", "warn", "zone mail3 runs on ma2 and on ms2 at once")]


def test_several_such_zones_are_one_warning() -> None:
    moves = Moves([("ma2", "ms2")])
    said = []
    for t in range(40):
        said += moves.see("ma2", usage("mail3", "mail4"), float(t))
        said += moves.see("ms2", usage("mail4", "mail3"), float(t))
    assert said == [("ma2", "mail3", "warn", "zones mail3, mail4 run on ma2 and on ms2 at once")]


def test_rows_that_come_late_and_a_host_that_is_away_are_no_twins() -> None:
    moves = Moves([("ma2", "ms2")])
    said = []
    for t in range(int(SETTLED)):
        said += moves.see("ma2", usage("mail3"), float(t))
        said += moves.see("ms2", usage("mail3"), float(t))
    for t in range(int(SETTLED), int(SETTLED + FRESH + 90)):
        said += moves.see("ms2", usage("mail3"), float(t + FRESH))
    assert said == []
