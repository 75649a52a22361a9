"""What a host lacks is named with its fix; its own list of probes chooses the variant."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from collectors.base import OS, Context
from collectors.dtrace import compose, host, scripts
from collectors.dtrace.framing import FrameParser
from collectors.dtrace.recipes import RECIPES
from collectors.sources.dtrace import ALIASES, SOURCE, STANDING
from frames.metrics import METRICS, question
from tests.dtrace import real

LISTING = """\
   ID   PROVIDER            MODULE                          FUNCTION NAME
    1     dtrace                                                     BEGIN
   23         io           vmlinux                                   start
   24         io           vmlinux                                   done
 3953    syscall           vmlinux                           accept4 return
  812        mib                ip                  tcp_conn_request tcpPassiveOpens
dtrace: failed to match fbt::nosuch:entry: No probe matches description
"""


def test_listings() -> None:
    assert host.probes(LISTING) == [
        "dtrace:::BEGIN",
        "io:vmlinux::start",
        "io:vmlinux::done",
        "syscall:vmlinux:accept4:return",
        "mib:ip:tcp_conn_request:tcpPassiveOpens",
    ]
    have = host.probes(LISTING)
    assert compose.recipe(question("disk_io/by=latency"), "linux", have)
    assert compose.recipe(question("nginx_accepts"), "linux", have).fire == ("syscall::accept*:return",)
    assert compose.lacking(("syscall:::return", "io:::done", "fbt:::"), have) == ["fbt:::"]
    assert scripts.choose("offcpu", "linux", ["sched:vmlinux::on-cpu", "sched:vmlinux::off-cpu"]).name == "offcpu"
    with pytest.raises(compose.NoRecipe, match="the host has no probe sched:::off-cpu, sched:::on-cpu"):
        scripts.choose("offcpu", "linux", have)
    assert host.listing("tcp_accepts", "solaris10") == "dtrace -l -n 'mib:::tcpPassiveOpens' 2>/dev/null"
    for metric in METRICS:
        for r in (r for r in RECIPES if r.metric == metric):
            assert all(p in host.listing(metric, r.systems[0]) for p in r.probes)


@pytest.mark.parametrize(
    ("line", "os", "why", "fix"),
    [
        (
            "dtrace: failed to initialize dtrace: DTrace requires additional privileges",
            "solaris10",
            "more privileges",
            "usermod -K defaultpriv=basic,dtrace_kernel,dtrace_proc,dtrace_user USER",
        ),
        ("dtrace: run as root (use sudo?)", "linux", "more privileges", "root"),
        (
            'dtrace: invalid probe specifier BEGIN: ".../io.d", line 52: failed to resolve vmlinux`major_names',
            "linux",
            "no D program at all compiles here",
            "CONFIG_KALLSYMS_ALL",
        ),
        (
            "dtrace: failed to initialize dtrace: DTrace device not available on system",
            "freebsd",
            "not loaded",
            "kldload",
        ),
        ("/bin/sh: line 1: exec: dtrace: not found", "illumos", "no dtrace command", "pkg install"),
        (
            "dtrace: invalid probe specifier X: probe description fbt::no_such_fn:entry does not match any probes",
            "linux",
            "the host has no probe fbt::no_such_fn:entry",
            "",
        ),
    ],
)
def test_complaints(line: str, os: OS, why: str, fix: str) -> None:
    found = host.explain(["something else", line], os)
    assert found
    assert why in found[0]
    assert fix in found[1]
    assert host.explain(["dtrace: 3 drops on CPU 0"], os) is None


IOSTAT = """#!/bin/sh
if [ $1 = -x ]; then
cat <<X
                  extended device statistics
device    r/s    w/s   kr/s   kw/s wait actv  svc_t  %w  %b
sd0       0.0    0.4    0.2    2.5  0.0  0.0   10.2   0   0
sd3       0.0    0.4    0.2    2.5  0.0  0.0   10.2   0   0
X
else
cat <<X
                    extended device statistics
    r/s    w/s   kr/s   kw/s wait actv wsvc_t asvc_t  %w  %b device
    0.0    0.4    0.2    2.5  0.0  0.0    0.1   10.2   0   0 c0t0d0
    0.0    0.4    0.2    2.5  0.0  0.0    0.1   10.2   0   0 c3t0d0
X
fi
"""


def test_disks_get_the_names_that_people_use(tmp_path: Path) -> None:
    iostat = tmp_path / "iostat"
    iostat.write_text(IOSTAT)
    iostat.chmod(0o755)
    ctx = Context("ms2", "solaris10", 1.0)
    command = SOURCE.variants_for("solaris10")[0].command(ctx)
    assert command.startswith(ALIASES)
    said = subprocess.run(
        ["/bin/sh", "-c", ALIASES],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=True,
    ).stdout
    assert said == "zs1 alias sd0 c0t0d0\nzs1 alias sd3 c3t0d0\n"
    parser = FrameParser(ctx, STANDING)
    for line in [*said.splitlines(), "zs1 begin 1 0 10", "zs1 key 3:sd3 count=1", "zs1 key 3:sd9 count=1"]:
        parser.feed(line, 0.0)
    (batch,) = parser.feed("zs1 end 1 10 0", 0.0)
    assert batch.columns["keys"] == [["c3t0d0"], ["sd9"]]


@pytest.mark.dtrace
@real.needed
def test_a_real_listing(tmp_path: Path) -> None:
    (tmp_path / "dtrace").symlink_to(shutil.which(real.DTRACE) or real.DTRACE)
    said = subprocess.run(
        ["/bin/sh", "-c", host.listing("disk_io", "linux")],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin:/usr/sbin:/sbin"},
    ).stdout
    assert compose.recipe(question("disk_io/by=device,latency"), "linux", host.probes(said)).enter == ("io:::start",)
