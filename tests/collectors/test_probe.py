"""The probe: real answers of this machine, the systems told apart, variants chosen and lacks named."""

import subprocess
from pathlib import Path

import pytest

from collectors import probe
from collectors.base import Source, Variant


def variant(name, systems, test, fix=""):
    return Variant(name, systems, lambda ctx: "true", lambda ctx: None, test, fix)  # type: ignore[arg-type, return-value]


def test_this_machine_answers_in_a_plain_posix_shell():
    out = subprocess.run(["sh", "-c", probe.FACTS], capture_output=True, text=True, check=False).stdout
    facts = probe.normalise(probe.read(out))
    assert facts["sysname"] == "Linux"
    assert probe.system(facts) == "linux"
    assert int(facts["memory"]) > 100_000_000
    assert int(facts["ncpu"]) >= 1
    assert int(facts["boot_time"]) > 1_000_000_000
    groups = Path("/sys/fs/cgroup")
    version = "v2" if (groups / "cgroup.controllers").exists() else "v1"
    assert facts.get("cgroup") == (version if groups.is_dir() else None)


@pytest.mark.parametrize(
    ("said", "os"),
    [
        ("sysname=SunOS\nrelease=5.10\nversion=Generic_141445-09", "solaris10"),
        ("sysname=SunOS\nrelease=5.11\nversion=11.4.42.111.0\netc_release=Oracle Solaris 11.4 X86", "solaris11"),
        ("sysname=SunOS\nrelease=5.11\nversion=omnios-r151050-1\netc_release=OmniOS v11 r151050", "illumos"),
        ("sysname=SunOS\nrelease=5.11\nversion=joyent_20230101T000000Z", "illumos"),
        ("sysname=FreeBSD\nrelease=14.1-RELEASE", "freebsd"),
    ],
)
def test_systems_are_told_apart(said, os):
    assert probe.system(probe.read(said)) == os


def test_an_unknown_system_is_named():
    with pytest.raises(probe.UnknownSystem, match="AIX"):
        probe.system({"sysname": "AIX", "release": "7.2"})


def test_the_first_variant_that_works_is_chosen_and_a_lack_names_its_fix():
    iostat = Source("iostat", "", (), 1.0, (variant("new", ("linux",), "false"), variant("old", ("linux",), "true")))
    dtrace = Source("dtrace", "", (), 1.0, (variant("d", ("linux",), "exit 126", "usermod -K …"),))
    other = Source("prstat", "", (), 1.0, (variant("p", ("solaris10",), "true"),))
    wanted = [iostat, dtrace, other]
    out = subprocess.run(["sh", "-c", probe.probes(wanted, "linux")], capture_output=True, text=True, check=True)
    facts = probe.choose("linux", {}, wanted, probe.read(out.stdout))
    assert {name: v.name for name, v in facts.chosen.items()} == {"iostat": "old"}
    assert [(m.source, m.fix) for m in facts.missing] == [("dtrace", "usermod -K …"), ("prstat", "")]
    assert "solaris10" in facts.missing[1].why


def test_text_that_a_login_shell_prints_is_no_fact():
    assert probe.read("Last login: today = now\nsysname=SunOS\nLoading <b>x</b>=1\n") == {"sysname": "SunOS"}
