"""Zones on five systems: numbers, caps, whole names and events, read from the texts by eye."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collectors.base import Context, ParseError, parse_text
from collectors.sources.zone_usage import SOURCE
from collectors.zones.cgroups import Cgroups, command, container
from collectors.zones.states import State, States
from frames.schemas import SCHEMAS

RECORDED = Path(__file__).parents[1] / "recorded" / "zone_usage"
VARIANTS = {v.name: v for v in SOURCE.variants}
FACTS = {"ncpu": "4"}


def frames(variant: str, name: str) -> dict[str, Any]:
    return parse_text(VARIANTS[variant], (RECORDED / name).read_text(), facts=FACTS)


def zone(frame: pd.DataFrame, name: str, i: int) -> pd.Series:
    return frame[frame["zone"] == name].iloc[i]


def test_solaris10_usage_beside_its_caps() -> None:
    frame = frames("prstat+caps", "solaris10-mail.txt")["zone_usage"]
    mail = zone(frame, "mail3", 1)
    assert mail["cpu"] == pytest.approx(0.38 * 4)
    assert mail["cpu_cap"] == 1.5
    assert mail["cpu_waiting"] == 4
    assert mail["cpu_above_cap"] == 1.0
    assert mail["cpu_shares"] == 20
    assert (mail["rss"], mail["rss_cap"]) == (1700 * 2**20, 2048 * 2**20)
    assert (mail["swap"], mail["swap_cap"]) == (2199912448, 4294967296)
    assert mail["pagedout"] == 10 * 2**20, "50M in rcapstat's five seconds"
    assert (mail["nproc"], mail["zone_id"], mail["brand"]) == (430, 3, "native")
    assert str(mail["time"]) == "2025-11-23 20:33:21+00:00"


def test_a_cut_zone_name_is_made_whole_and_a_cap_of_all_ones_is_none() -> None:
    frame = frames("prstat+caps", "solaris10-mail.txt")["zone_usage"]
    proxy = zone(frame, "imap-proxy-for-the-old-campus-network", 0)
    assert proxy["cpu"] == pytest.approx(0.008)
    assert proxy["rss"] == 8175 * 1024
    assert proxy["swap"] == 9392128
    assert isnan(proxy["swap_cap"])
    assert isnan(proxy["cpu_cap"])


def test_an_installed_zone_is_shown_once_a_listing() -> None:
    frame = frames("prstat+caps", "solaris10-mail.txt")["zone_usage"]
    halted = frame[frame["zone"] == "mail9"]
    assert list(halted["state"]) == ["installed"]
    assert isnan(halted["cpu"].iloc[0])


def test_zones_that_halt_boot_and_reboot_are_events() -> None:
    events = frames("prstat+caps", "solaris10-mail.txt")["events"]
    assert list(zip(events["object"], events["severity"], events["text"], strict=True)) == [
        (
            "imap-proxy-for-the-old-campus-network",
            "warn",
            "zone imap-proxy-for-the-old-campus-network rebooted (id 5 to 7)",
        ),
        ("mail3", "warn", "zone mail3 stopped running: installed"),
        ("mail9", "info", "zone mail9 is running"),
    ]


def test_a_zone_that_migrates_away() -> None:
    states = States()
    assert states.see({"a": State(1, "running"), "b": State(2, "running")}, None) == []
    [batch] = states.see({"a": State(1, "running")}, 5.0)
    assert batch.columns["text"] == ["zone b is gone (was running)"]
    assert batch.time == 5.0


def test_illumos_kstats() -> None:
    out = frames("kstats", "illumos-smartos.txt")
    row = zone(out["zone_usage"], "487b08a7-13ae-44be-82f8-2fdf59516a2f", 1)
    assert row["cpu_user"] == pytest.approx(1.2)
    assert row["cpu_sys"] == pytest.approx(0.2)
    assert row["cpu"] == pytest.approx(1.4)
    assert row["cpu_wait_rq"] == pytest.approx(0.08)
    assert (row["cpu_cap"], row["cpu_waiting"], row["cpu_above_cap"]) == (2.0, 2, 1.0)
    assert (row["rss"], row["rss_cap"], row["swap"], row["swap_cap"]) == (550281216, 2**30, 690114560, 2**31)
    assert (row["pagedout"], row["anon_alloc_fail"]) == (8192, 3)
    assert row["brand"] == "joyent-minimal"
    assert isnan(zone(out["zone_usage"], "global", 1)["rss_cap"])
    first = zone(out["zone_usage"], "487b08a7-13ae-44be-82f8-2fdf59516a2f", 0)
    assert isnan(first["cpu_user"])


def test_illumos_file_system_operations_and_throttle() -> None:
    io = frames("kstats", "illumos-smartos.txt")["zone_io"].iloc[1]
    assert (io["read_ops"], io["write_ops"]) == (1000, 200)
    assert (io["read_bytes"], io["write_bytes"]) == (4096000, 819200)
    assert io["read_time"] == pytest.approx(0.00025)
    assert io["write_time"] == pytest.approx(0.0002)
    assert (io["ops_10ms"], io["ops_100ms"], io["ops_1s"]) == (10, 2, 0)
    assert io["delay_cnt"] == 90
    assert io["delay_time"] == pytest.approx(0.009)
    assert io["zfs_read_ops"] == 100


def test_solaris11_zonestat() -> None:
    frame = frames("zonestat", "solaris11-zonestat.txt")["zone_usage"]
    row = zone(frame, "zone1", 1)
    assert (row["cpu"], row["cpu_cap"], row["cpu_shares"]) == (0.75, 1.5, 60)
    assert (row["rss"], row["rss_cap"]) == (738 * 2**20, 1024 * 2**20)
    assert row["swap"] == 1663 * 1024
    assert isnan(row["swap_cap"])
    assert (row["nproc"], row["nlwp"], row["zone_id"]) == (31, 95, 2)
    assert set(frame["zone"]) == {"global", "zone1", "zone2"}
    assert str(row["time"]) == "2025-11-23 20:36:42+00:00"


def test_linux_containers_of_both_hierarchies() -> None:
    out = frames("cgroups", "linux-containers.txt")
    web = zone(out["zone_usage"], "web1", 1)
    assert (web["cpu"], web["cpu_user"], web["cpu_sys"]) == (0.5, 0.4, 0.1)
    assert (web["cpu_cap"], web["cpu_above_cap"]) == (1.5, 0.25)
    assert (web["rss"], web["rss_cap"]) == (402653184, 2**30)
    assert (web["anon_alloc_fail"], web["nproc"], web["brand"]) == (1.0, 31, "lxc")
    assert isnan(web["swap_cap"])
    old = zone(out["zone_usage"], "old1", 1)
    assert (old["cpu"], old["rss"], old["cpu_shares"]) == (0.5, 864256, 512)
    assert isnan(old["rss_cap"])
    assert isnan(old["cpu_cap"])
    io = zone(out["zone_io"], "web1", 1)
    assert (io["read_bytes"], io["write_bytes"], io["read_ops"], io["write_ops"]) == (204800, 4096, 10, 0)
    assert list(out["events"]["text"]) == ["container 3f4e5d6c7b8a is gone (was running)"]


@pytest.mark.parametrize(
    ("path", "name", "brand"),
    [
        ("lxc.payload.web1", "web1", "lxc"),
        ("lxc/old1", "old1", "lxc"),
        ("machine.slice/machine-qemu\\x2d3\\x2ddb\\x2dold.scope", "db-old", "kvm"),
        ("machine.slice/systemd-nspawn@build.service", "build", "nspawn"),
        ("user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + "ab" * 32 + ".scope", "ab" * 6, "podman"),
        ("docker/" + "0f" * 32, "0f" * 6, "docker"),
    ],
)
def test_what_a_control_group_is_called(path: str, name: str, brand: str) -> None:
    assert container(path) == (name, brand)


def test_freebsd_jails() -> None:
    frame = frames("jails", "freebsd-jails.txt")["zone_usage"]
    www = zone(frame, "www", 1)
    assert (www["cpu"], www["cpu_cap"]) == (0.8, 1.5)
    assert (www["rss"], www["rss_cap"], www["nlwp"]) == (838860800, 2**30, 90)
    assert isnan(zone(frame, "db", 1)["rss_cap"])


def test_a_line_of_nobody_names_its_place() -> None:
    parser = VARIANTS["prstat+caps"].parser(Context("ms1", "solaris10", 1.0))
    parser.feed("zones.", 0.0)
    with pytest.raises(ParseError, match="ms1: line 2"):
        parser.feed("prstat: failed to open /proc", 0.0)
    parser.feed("caps:3:cpucaps_zone_3:usage\t5", 0.0)
    parser.feed("torn\t", 0.0)
    with pytest.raises(ParseError, match="line 4"):
        parser.feed("", 0.0)


def test_every_column_fits_the_schema_of_every_variant() -> None:
    for variant, name in (("prstat+caps", "solaris10-mail.txt"), ("kstats", "illumos-smartos.txt")):
        out = frames(variant, name)
        assert len(SCHEMAS["zone_usage"].check(out["zone_usage"])) == len(out["zone_usage"])


def groups() -> list[Path]:
    """A control group of our own in each hierarchy this machine lets us write to."""
    roots = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpuacct")]
    made = []
    for root in roots:
        is_v2, is_v1 = (root / "cgroup.controllers").exists(), (root / "cpuacct.usage_user").exists()
        if is_v2 or is_v1:
            path = root / f"lxc.payload.zstest{os.getpid()}"
            try:
                path.mkdir()
            except OSError:
                continue
            made.append(path)
    return made


def test_a_real_control_group_of_this_machine() -> None:
    made = groups()
    if not made or not shutil.which("grep"):
        pytest.skip("this machine lets nobody make a control group")
    busy = subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"])
    ctx = Context("here", "linux", 0.5)
    stream = subprocess.Popen(
        ["/bin/sh", "-c", command()(ctx)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for path in made:
            (path / "cgroup.procs").write_text(str(busy.pid))
        parser, rows = Cgroups(ctx), []
        assert stream.stdout
        for line in stream.stdout:
            rows += [b for b in parser.feed(line.rstrip("\n"), time.time()) if b.table == "zone_usage"]
            if len(rows) >= 4:
                break
        name = made[0].name.removeprefix("lxc.payload.")
        last = rows[-1].columns
        cpu = last["cpu"][last["zone"].index(name)]
        assert 0.05 < cpu < 1.3, f"one busy loop on a shared machine, measured {cpu} cores"
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
        busy.kill()
        busy.wait()
        for path in made:
            for _ in range(50):
                try:
                    path.rmdir()
                    break
                except OSError:
                    time.sleep(0.02)


STUBS = {
    "prstat": 'while :; do printf "%s\\n" "ZONEID    NPROC  SWAP   RSS MEMORY      TIME  CPU ZONE" '
    '"     3       41 1980M 1612M    10%  88:12:09  10% mail3" '
    '"Total: 41 processes, 90 lwps, load averages: 1.58, 1.59, 1.73"; sleep 0.2; done',
    "kstat": 'while :; do date +%s; printf "unix:0:system_misc:snaptime\\t%s\\n" '
    "`cut -d' ' -f1 /proc/uptime`"
    '; printf "caps:3:cpucaps_zone_3:value\\t150\\n\\n"; sleep 0.2; done',
    "zoneadm": 'case "$2" in -cp) printf "%s\\n" 0:global:running:/::native:shared '
    '3:mail3:running:/zones/mail3:u-u-i-d:native:shared;; *) printf "%s\\n" global mail3;; esac',
    "prctl": 'for z in "$@"; do :; done; printf "%s\\n" "zone: 3: $z" "zone.cpu-shares privileged 20 - none -"',
    "rcapstat": 'while :; do printf "%s\\n" "id zone nproc vm rss cap at avgat pg avgpg" '
    '"3 mail3 - 26M 38M 1024M 0K 0K 0K 0K"; sleep 0.2; done',
}


@pytest.mark.skipif(not Path("/proc/uptime").exists(), reason="the stubs need /proc/uptime")
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_solaris10_command_runs_in_a_plain_shell_and_ends_with_it(tmp_path: Path, shell: str) -> None:
    for name, script in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    ctx = Context("ms1", "solaris10", 1.0, {**FACTS, "option:zone_prctl": "yes"})
    variant = VARIANTS["prstat+caps"]
    stream = subprocess.Popen(
        [shell, "-c", variant.command(ctx)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    try:
        parser, rows = variant.parser(ctx), []
        assert stream.stdout
        for line in stream.stdout:
            rows += [b for b in parser.feed(line.rstrip("\n"), time.time()) if b.table == "zone_usage"]
            if rows and "mail3" in rows[-1].columns["zone"]:
                columns = rows[-1].columns
                i = columns["zone"].index("mail3")
                whole = columns["brand"][i] and columns["rss_cap"][i] == columns["rss_cap"][i]
                if whole and columns["cpu"][i] == columns["cpu"][i] and columns["cpu_shares"][i] == 20:
                    break
        assert columns["cpu"][i] == pytest.approx(0.4)
        assert columns["cpu_cap"][i] == 1.5
        assert columns["rss_cap"][i] == 2**30
        assert columns["brand"][i] == "native"
    finally:
        os.killpg(stream.pid, 15)
        stream.wait()
        if stream.stdout:
            stream.stdout.close()


def test_the_illumos_command_names_the_zones_to_kstat(tmp_path: Path) -> None:
    long = "a-zone-whose-name-is-longer-than-thirty-characters"
    stubs = {
        "zoneadm": f'test "$2" = -cp || printf "%s\\n" global {long}',
        "kstat": f'printf "%s\\n" "$@" > {tmp_path}/asked; exit 1',
        "prstat": "sleep 5",
    }
    for name, script in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    command = VARIANTS["kstats"].command(Context("om1", "illumos", 1.0))
    stream = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    try:
        stream.wait(timeout=30)
    finally:
        os.killpg(stream.pid, 15)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert f"zones::/^(global|{long[:30]})$/:/^(zonename|snaptime|nsec_user|nsec_sys|nsec_waitrq)$/" in asked
    assert asked[-2:] == ["1", "60"]


def test_a_reports_moment_is_that_of_its_first_kstat() -> None:
    text = "".join(
        f"{1763930000 + t}\nzones:0:global:nsec_sys\t0\nzones:0:global:nsec_user\t{t * 500_000_000}\n"
        f"zones:0:global:nsec_waitrq\t0\nzones:0:global:snaptime\t{900 + t * 2}.5\nzones:0:global:zonename\tglobal\n\n"
        for t in range(2)
    )
    frame = parse_text(VARIANTS["kstats"], text)["zone_usage"]
    assert frame["cpu"].iloc[1] == 0.25, "half a second of CPU in two by snaptime"


def test_a_jails_share_of_a_cpu_is_read_rather_than_its_whole_seconds() -> None:
    report = "{at}\njail 3 www\njails 1\nusage www\ncputime={used}\npcpu=37\n\n"
    text = report.format(at=1763930300, used=1000) + report.format(at=1763930301, used=1001)
    variant = next(v for v in SOURCE.variants if v.name == "jails")
    assert parse_text(variant, text)["zone_usage"]["cpu"].tolist() == [0.37, 0.37]
