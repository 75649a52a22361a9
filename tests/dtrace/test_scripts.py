"""Plain programs: their headers, their frames, and what a real compiler and a real run make of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psutil
import pytest

from collectors.base import Context
from collectors.dtrace import compose, scripts
from collectors.dtrace.framing import FrameParser
from tests.dtrace import real
from tests.dtrace.test_compose import DESTRUCTIVE

ALL = [(s, os) for s in scripts.load() for os in s.systems]
LINUX = [s for s, os in ALL if os == "linux" and not any(p.startswith("fbt") for p in s.probes)]


def test_what_is_there() -> None:
    assert {s.name for s in scripts.load()} == {"oncpu_kernel", "oncpu_user", "offcpu", "spa_sync"}
    assert len({(s.name, os) for s, os in ALL}) == len(ALL), "two variants for one system"
    assert scripts.choose("oncpu_kernel", "solaris10").probes == ("profile:::profile-97",)
    with pytest.raises(compose.NoRecipe, match="no script 'x'"):
        scripts.choose("x", "linux")


@pytest.mark.parametrize(("script", "os"), ALL, ids=lambda v: getattr(v, "name", v))
def test_programs(script: scripts.Script, os: str) -> None:
    program = script.program(os, interval=1, limit=30)  # type: ignore[arg-type]
    compose.command(program)
    assert not DESTRUCTIVE.search(program)
    assert program.startswith(f"/* zonescope {script.name} */\n")
    assert all(key in program for key in script.keys if key not in ("pool",))
    assert re.search(r"@q\[[^=]*\] = " + script.value, program)


@pytest.mark.parametrize("missing", ["meaning", "unit", "keys"])
def test_a_header_that_lacks_a_line(tmp_path: Path, missing: str) -> None:
    good = Path(scripts.__file__).parent / "scripts" / "offcpu.d"
    bad = tmp_path / "bad.d"
    bad.write_text(re.sub(rf"^ \* {missing}:.*\n", "", good.read_text(), flags=re.M))
    with pytest.raises(ValueError, match=f"bad.d: the header has no line '{missing}:'"):
        scripts.read(bad)


@pytest.mark.parametrize(
    "clause",
    [
        'BEGIN { system("id"); }',
        "BEGIN { stop (); }",
        "syscall:::entry { copyoutstr(execname, arg0, 4); }",
        'BEGIN { freopen("/etc/passwd"); }',
        "#pragma D option destructive",
        "BEGIN { /* a */ panic\n(); }",
        r'BEGIN { printf("\\"); chill(9); printf("\\"); }',
        "pid$target:::entry { }",
        "BEGIN { trace($$1); }",
    ],
)
def test_a_script_that_could_change_the_host_is_refused(tmp_path: Path, clause: str) -> None:
    good = (Path(scripts.__file__).parent / "scripts" / "offcpu.d").read_text()
    bad = tmp_path / "bad.d"
    bad.write_text(f"{good}\n{clause}\n")
    with pytest.raises(ValueError, match=r"bad\.d: a program must not contain"):
        scripts.read(bad)
    with pytest.raises(ValueError, match="must not contain"):
        compose.command(clause)
    bad.write_text(f'{good}\nBEGIN {{ printf("system(1) # $target \\" panic()"); trace($pid); /* stop() */ }}\n')
    assert scripts.read(bad)


@pytest.mark.dtrace
@real.needed
@pytest.mark.parametrize("script", LINUX, ids=lambda s: s.name)
def test_a_real_compiler_takes_them(script: scripts.Script) -> None:
    real.compiles(script.program("linux", limit=30))
    real.compiles(script.source)  # they run by themselves too


@pytest.mark.dtrace
@real.needed
def test_a_real_compiler_takes_the_others_with_stand_ins() -> None:
    """Of those that this kernel cannot run all but their probes and the kernel's types."""
    rest = [(s, os) for s, os in ALL if s not in LINUX]
    assert {s.name for s, _ in rest} == {"spa_sync", "oncpu_kernel", "offcpu"}
    for script in dict.fromkeys(s for s, _ in rest):
        program = script.program(script.systems[0], limit=30)
        for there, here in (
            ("fbt:zfs:spa_sync:", "syscall::sync:"),
            ("stringof(args[0]->spa_name)", "execname"),
            ("curthread->t_pri", "arg1"),
            ("curthread->td_flags", "arg1"),
        ):
            program = program.replace(there, here)
        real.compiles(program)


@pytest.mark.dtrace
@real.needed
def test_stacks_of_a_busy_program() -> None:
    script = scripts.choose("oncpu_kernel", "linux")
    command = compose.command(script.program("linux", limit=3)).replace("exec dtrace", f"exec {real.DTRACE}")
    with subprocess.Popen(["dd", "if=/dev/zero", "of=/dev/null", "bs=1M"], stderr=subprocess.DEVNULL) as busy:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
        spent = sum(psutil.Process(busy.pid).cpu_times()[:2])
        busy.kill()
    parser = FrameParser(Context("box", "linux", 1.0), script.expected)
    batches = [b for line in done.stdout.splitlines() for b in parser.feed(line, 0.0)]
    assert len(batches) == 3
    assert parser.pid
    rows = [(k, v) for b in batches for k, v in zip(b.columns["keys"], b.columns["value"], strict=True)]
    stacks = [keys[1] for keys, _ in rows if keys and keys[0] == "dd"]
    # Zeroes are written by the kernel, on behalf of a read.
    assert any("read" in stack and len(stack.split("\n")) > 3 for stack in stacks)
    # Of a busy machine it gets a share; it ran before the probes were there, too.
    assert 10 < sum(v for keys, v in rows if keys and keys[0] == "dd") <= 97 * (spent + 1)
