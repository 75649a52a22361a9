"""The door lets in what the inventory allows, and ends what costs too much or nobody watches."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from collectors.dtrace.door import Door, Policy, Refused, Run
from frames.schemas import SCHEMAS

ALLOWED = ("disk_io", "oncpu_kernel", "syscalls")


@pytest.fixture
def door() -> Door:
    return Door(Policy(at_once=2, limit=900, default=300, unwatched=30, drops=100, drops_for=10, cpu=0.2, cpu_for=20))


def ask(door: Door, name: str = "disk_io/by=zone,latency", now: float = 0.0, host: str = "ms2", **more: Any) -> Run:
    return door.ask(host, name, "anna", now, **{"os": "illumos", "allowed": ALLOWED, **more})


def ended(door: Door, run: Run, now: float) -> str:
    """Why the door wants `run` stopped at `now`, '' if it does not."""
    return next((r.stopping for r in door.due(now) if r is run), "")


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("zfs_io/by=latency", {}, r'zfs_io is not allowed on ms2; .*dtrace = \["disk_io", .*"zfs_io"\]'),
        ("disk_io/by=latency", {"allowed": ()}, r'\[hosts.ms2\] dtrace = \["disk_io"\]'),
        ("zfs_io/by=latency", {"allowed": (), "lacking": "there is no dtrace on ms2"}, "^there is no dtrace on ms2$"),
        ("rm -rf /", {"allowed": ("*",)}, "no metric or script 'rm -rf '"),
        ("disk_io/by=colour", {}, "no field 'colour'"),
        ("zil_commits/by=dataset", {"os": "linux", "allowed": ("*",)}, "ZIL commits has no field dataset on linux"),
        ("disk_io", {"probes": ["syscall:::entry"]}, "the host has no probe io:::start, io:::done"),
        ("oncpu_kernel", {"probes": []}, "the host has no probe profile:::profile-97"),
        ("disk_io", {"duration": 901}, "at most 900 s"),
        ("disk_io", {"duration": 0.5}, "at most 900 s"),
        ("disk_io", {"interval": 61}, "1 to 60 s"),
    ],
)
def test_what_is_refused_is_an_event(door: Door, name: str, more: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        ask(door, name, **more)
    (event,) = door.events()
    assert event["text"].startswith("D question refused: ")
    assert (event["host"], event["object"], event["who"], event["severity"]) == ("ms2", name, "anna", "warn")
    assert set(event) <= set(SCHEMAS["events"].names)
    assert not door.runs


def test_a_command_has_its_limit_and_no_w(door: Door) -> None:
    for run in (ask(door, duration=120), ask(door, "oncpu_kernel", duration=120)):
        words = shlex.split(run.command)
        assert words[:3] == ["exec", "dtrace", "-q"]
        assert "-w" not in words
        assert "zs_n >= 120" in words[-1]


def test_at_most_so_many_at_once_on_a_host(door: Door) -> None:
    first = ask(door)
    ask(door, "syscalls")
    with pytest.raises(Refused, match=r"2 programs are running on ms2 already \(disk_io/by=zone,latency, syscalls\)"):
        ask(door, "oncpu_kernel")
    assert ask(door, host="ms1").host == "ms1"
    assert ask(door) is first  # the same question again is the same run
    door.ended(first)
    ask(door, "oncpu_kernel")


def test_it_ends_when_nobody_watches(door: Door) -> None:
    run = ask(door, now=0)
    door.attached(run, 2)
    for now in range(0, 100, 20):
        door.watch(run, "anna", now)
        assert not ended(door, run, now + 19)
    door.ask("ms2", run.name, "bert", 100, os="illumos", allowed=ALLOWED)
    assert run.watchers == {"anna", "bert"}
    assert not ended(door, run, 129)
    assert ended(door, run, 131) == "nobody has watched it for 30 s"
    door.ended(run)
    assert [e["text"] for e in door.events()] == [
        "D question started for 300 s",
        "D question ended: nobody has watched it for 30 s",
    ]


def test_it_ends_after_its_time_even_if_the_host_does_not_end_it(door: Door) -> None:
    run = ask(door, duration=60)
    door.attached(run, 10)
    door.watch(run, "anna", 74)
    assert not ended(door, run, 74)
    assert ended(door, run, 76) == "its time of 60 s is over"


def test_it_ends_if_its_probes_are_never_attached(door: Door) -> None:
    run = ask(door)
    assert not ended(door, run, 119)
    assert ended(door, run, 121) == "its probes were not attached within 120 s"


def test_it_ends_when_drops_pass_their_bound(door: Door) -> None:
    run = ask(door)
    door.attached(run, 0)
    for now in range(1, 8):
        door.dropped(run, now, 500.0)  # a burst, and then none
    assert not ended(door, run, 8)
    for now in range(8, 20):
        door.dropped(run, now, 500.0)
        assert not ended(door, run, now)
    for now in range(20, 29):
        door.dropped(run, now, 500.0 + (now - 19) * 150)
    assert ended(door, run, 29) == "it dropped 150 records a second (bound 100)"


def test_it_ends_when_dtrace_itself_uses_too_much_cpu(door: Door) -> None:
    run = ask(door)
    door.attached(run, 0, 4711)
    assert run.pid == 4711
    # Attaching costs seconds of CPU: not the rate before, but what comes after counts.
    for now, spent in ((5, 4.0), (15, 4.5), (25, 5.0)):
        door.spent(run, now, spent)
        door.watch(run, "anna", now)
        assert not ended(door, run, now)
    for now, spent in ((35, 8.0), (45, 11.0)):
        door.spent(run, now, spent)
        door.watch(run, "anna", now)
    assert ended(door, run, 45) == "dtrace used 30% of a CPU (bound 20%)"
    door.ended(run)
    assert door.events()[-1]["severity"] == "warn"


def test_who_stopped_it_is_told(door: Door) -> None:
    run = ask(door)
    door.attached(run, 1)
    door.stop(run, "bert")
    assert ended(door, run, 1) == "stopped by bert"
    door.ended(run, "Terminated")
    assert door.events()[-1]["text"] == "D question ended: stopped by bert"


def test_a_device_is_asked_for_by_the_kernels_name_and_told_by_the_one_that_was_clicked() -> None:
    door = Door()
    name = "disk_io/by=operation,latency/where=and(device=c3t8d0,zone=c3t8d0)"
    run = door.ask("ms2", name, "ops", 0.0, os="solaris10", allowed=["disk_io"], devices={"sd9": "c3t8d0"})
    assert '== "sd9")' in run.program
    assert 'zs_zone[arg0] == "c3t8d0")' in run.program, "a zone of that name is none of it"
    assert run.name == run.expected.id == name
