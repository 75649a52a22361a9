"""What we send is parsed alike by every login shell, and ends with its standard input under every /bin/sh."""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import shutil
import subprocess
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.links.shell import MARK, WRAPPER, argv, quote, wrap, wrapper
from tests.sshd import processes, wait_for

LOGIN = ["sh", "bash", "csh", "tcsh", "fish", "zsh", "ksh93", "mksh"]
INNER = ["sh", "dash", "bash", "busybox", "ksh93", "mksh", "zsh"]

# Everything that some shell gives a meaning of its own, in a program of several lines.
PROGRAM = """\
echo 'a!b' "c\\d" `echo back` '~' '{x,y}' '*' '%1' "it's" '$HOME' # comment
printf '%s\\n' "!!" '^old^new' '\\n'
cat <<'END'
io:::done /args[0]->b_flags != 0/ { @["%d\\n", !x] = quantize(timestamp); }

END
exit 7"""
PRINTED = """\
a!b c\\d back ~ {x,y} * %1 it's $HOME
!!
^old^new
\\n
io:::done /args[0]->b_flags != 0/ { @["%d\\n", !x] = quantize(timestamp); }

"""


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.mark.parametrize("login", LOGIN)
def test_a_login_shell_parses_what_we_send(login: str) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [shell(login), "-c", wrap(PROGRAM)], stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as child:
        assert child.wait(30) == 7
        assert child.stdout
        assert child.stdout.read() == f"{MARK}\n{PRINTED}"


def in_session(leader: int) -> list[int]:
    """Processes of the session that `leader` began."""
    out = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                out.append(process.pid)
    return out


def start(inner: str, command: str, lease: float = 0) -> subprocess.Popen[str]:
    """As a login shell would: leader of its own process group, with `inner` as /bin/sh."""
    prefix = [shell(inner), "sh"] if inner == "busybox" else [shell(inner)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*prefix, *argv(command, lease)[1:]], stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


@pytest.mark.parametrize("inner", INNER)
def test_output_status_and_nothing_else(inner: str) -> None:
    with start(inner, PROGRAM) as child:
        assert child.wait(30) == 7
        assert child.stdout
        assert child.stdout.read() == f"{MARK}\n{PRINTED}"
        assert child.stderr
        assert child.stderr.read() == f"{MARK}\n"


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize(
    "command",
    [
        "env sleep {n}",
        "while :; do echo tick; env sleep {n}; done",
        "trap '' 1 2 15; env sleep {n} | cat",  # must be killed: TERM does nothing
    ],
)
def test_a_command_ends_with_its_standard_input(inner: str, command: str) -> None:
    n = str(random.randint(10**7, 10**8))
    with start(inner, command.format(n=n)) as child:
        wait_for(lambda: processes(n), "the command runs")
        assert child.stdin
        child.stdin.close()
        wait_for(lambda: not processes(n), "the command has ended")
        child.wait(30)


def test_with_a_lease_a_command_lives_as_long_as_it_hears_from_here() -> None:
    """Under every /bin/sh there is, all at once: it takes its time."""
    children = {}
    for inner in filter(shutil.which, INNER):
        n = str(random.randint(10**7, 10**8))
        children[n] = start(inner, f"trap '' 1 2 15; while :; do echo tick; env sleep {n}; done", lease=5)
    try:
        for n in children:
            wait_for(lambda n=n: processes(n), "the command runs")
        end = time.monotonic() + 8
        while time.monotonic() < end:
            for n, child in children.items():
                assert child.stdin
                assert processes(n), f"{child.args[0]} ended though it heard from here"
                child.stdin.write("\n")
                child.stdin.flush()
            time.sleep(0.5)
        for n, child in children.items():  # whose standard input stays open
            wait_for(lambda n=n: not processes(n), f"the command of {child.args[0]} has ended", 30)
            child.wait(30)
    finally:
        for child in children.values():
            child.kill()
            child.communicate()


@pytest.mark.parametrize("inner", INNER)
def test_with_a_lease_as_well_a_command_ends_with_its_input_and_leaves_nothing(inner: str) -> None:
    n = str(random.randint(10**7, 10**8))
    with start(inner, f"env sleep {n}", lease=300) as child:
        wait_for(lambda: processes(n), "the command runs")
        assert child.stdin
        child.stdin.close()
        wait_for(lambda: not processes(n), "the command has ended")
        child.wait(30)
        wait_for(lambda: not in_session(child.pid), "nothing is left")
    with start(inner, "echo all", lease=300) as child:
        assert child.wait(30) == 0
        wait_for(lambda: not in_session(child.pid), "nothing is left")


@pytest.mark.parametrize("inner", INNER)
def test_what_a_command_leaves_behind_ends_with_it(inner: str) -> None:
    n = str(random.randint(10**7, 10**8))
    with start(inner, f"env sleep {n} & echo started") as child:
        child.wait(30)
        wait_for(lambda: not processes(n), "what it left has ended")


def test_without_a_process_group_of_its_own_only_the_command_is_ended() -> None:
    child = subprocess.Popen(argv("exec sleep 98761234"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        wait_for(lambda: processes("98761234"), "the command runs")
        assert child.stdin
        child.stdin.close()
        assert child.wait(30) != 0  # and this process, which is in the same group, is still there to say so
    assert not processes("98761234")


@given(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), max_size=80))
def test_a_quoted_word_is_that_word(text: str) -> None:
    assert shlex.split(quote(text)) == [text]


@given(st.lists(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_a_reader_finds_the_command_in_what_we_send(lines: list[str]) -> None:
    command = "\n".join(["true", *lines, "true"])
    words = shlex.split(wrap(command))
    assert words[:5] == ["exec", "/bin/sh", "-c", WRAPPER, "zonescope"]
    assert "\n".join(words[5:]) == command


def test_the_wrapper_is_short_enough_for_old_csh() -> None:
    assert len(quote(WRAPPER)) < len(quote(wrapper(1.5))) < 1024


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        wrap("echo \0")
