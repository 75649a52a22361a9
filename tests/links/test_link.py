"""Both links against a real sshd: what a command prints arrives, and nothing outlives anything."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from collectors.lines import CUT
from collectors.links import Limits, Link, LinkError, LinkOptions, Sink, by_openssh, by_paramiko, make_link
from collectors.links.config import Route
from tests.links.heard import Heard
from tests.sshd import Sshd, processes, wait_for

pytestmark = pytest.mark.sshd

Connect = Callable[[LinkOptions], Link]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path) as running:
        yield running


@pytest.fixture
def link(server: Sshd, kind: str, connect: Connect) -> Link:
    return connect(server.link_options(kind=kind))


# -- what arrives ------------------------------------------------------------------------------------------


def test_run_gives_status_and_both_outputs(link: Link) -> None:
    assert link.run("echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


def test_run_gives_large_outputs_whole(link: Link) -> None:
    status, out, _ = link.run("seq 1 100000")
    assert status == 0
    assert out == "".join(f"{i}\n" for i in range(1, 100001))


def test_run_that_does_not_end_is_ended(link: Link, number: str) -> None:
    status, out, err = link.run(f"echo first; sleep {number}", timeout=0.5)
    assert (status, out) == (None, "first\n")
    assert "did not end within 0.5 s" in err
    wait_for(lambda: not processes(number), "the command has ended")


def test_a_command_finds_the_tools_and_the_locale(link: Link) -> None:
    _, out, _ = link.run('echo "$LC_ALL"; echo "$PATH"')
    locale, path = out.splitlines()
    assert locale == "C"
    assert {"/usr/sbin", "/sbin", "/usr/gnu/bin", "/opt/ooce/bin"} <= set(path.split(":"))


def test_a_command_has_no_input(link: Link) -> None:
    assert link.run("cat; echo end") == (0, "end\n", "")


def test_lines_stream_with_arrival_times_on_one_thread(link: Link) -> None:
    before = time.time()
    heards = [Heard(link, "for i in 1 2 3; do echo tick $i; sleep 0.2; done") for _ in range(3)]
    for heard in heards:
        assert heard.wait_end() == (0, "it ended with status 0")
        assert heard.lines == ["tick 1", "tick 2", "tick 3"]
        assert before <= heard.times[0] < heard.times[1] < heard.times[2] <= time.time()
    assert {name for heard in heards for name in heard.threads} == {"links"}


def test_idle_follows_each_burst_once(link: Link) -> None:
    heard = Heard(link, "echo a; echo b; sleep 0.5; echo c; sleep 0.5; exit 4")
    heard.wait_end()
    assert heard.lines == ["a", "b", "c"]
    tidy = [call for i, call in enumerate(heard.calls) if i == 0 or call != heard.calls[i - 1]]
    assert tidy == ["lines", "idle", "lines", "idle", "closed"]
    assert heard.calls.count("idle") == 2


def test_a_pty_gives_clean_lines(link: Link) -> None:
    heard = Heard(link, "echo a; tty; echo b >&2", pty=True)
    assert heard.wait_end()[0] == 0
    assert heard.lines == ["a", "not a tty", "b"]  # the command's input is /dev/null here too


# -- bounds ------------------------------------------------------------------------------------------------


def test_a_long_line_is_cut_and_marked(link: Link) -> None:
    heard = Heard(link, "head -c 300000 /dev/zero | tr '\\0' x; echo; echo after", limits=Limits(line=1000))
    heard.wait_end()
    assert heard.lines == ["x" * 1000 + CUT, "after"]
    assert heard.running.dropped == 1


def test_a_flood_is_dropped_and_leaves_the_others_their_turn(link: Link) -> None:
    flood = Heard(link, "yes", limits=Limits(lines_per_second=100))
    wait_for(lambda: flood.running.dropped > 100_000, "the flood is dropped")
    assert link.run("echo hello") == (0, "hello\n", "")
    flood.running.stop()
    flood.wait_end()


def test_every_line_is_passed_on_or_counted(link: Link) -> None:
    heard = Heard(link, "seq 1 50000", limits=Limits(lines_per_second=1000))
    heard.wait_end()
    assert heard.running.dropped > 0
    assert len(heard.lines) + heard.running.dropped == 50_000


def test_a_failing_sink_stops_nothing_else(link: Link) -> None:
    ended = threading.Event()

    def fail(at: float, lines: list[str]) -> None:
        raise RuntimeError("the parser's fault")

    link.start("echo a", Sink(fail, closed=lambda status, why: ended.set()))
    assert link.run("echo b") == (0, "b\n", "")
    assert ended.wait(15)


# -- nothing is left running -------------------------------------------------------------------------------

SILENT = "sleep {n}"
LOUD = "while :; do echo tick; sleep 0.1; done; sleep {n}"
STUBBORN = "trap '' 1 2 13 15; while :; do sleep {n}; done"


@pytest.mark.parametrize("command", [SILENT, STUBBORN])
def test_a_stopped_command_is_gone(link: Link, number: str, command: str) -> None:
    heard = Heard(link, command.format(n=number))
    wait_for(lambda: processes(number), "it runs")
    heard.running.stop()
    assert heard.wait_end() == (None, "stopped")
    wait_for(lambda: not processes(number), "it is gone")
    assert link.alive


def test_a_command_may_be_stopped_by_its_own_sink_and_before_it_began(link: Link, number: str) -> None:
    box: list[Heard] = []
    ended = threading.Event()
    running = link.start(
        f"echo go; sleep {number}",
        Sink(lambda at, lines: box[0].running.stop(), closed=lambda status, why: ended.set()),
    )
    box.append(type("Box", (), {"running": running})())
    early = Heard(link, f"sleep {number}")
    early.running.stop()
    assert early.wait_end()[0] is None
    assert ended.wait(15)
    wait_for(lambda: not processes(number), "both are gone")


@pytest.mark.parametrize("command", [SILENT, STUBBORN])
def test_closing_the_link_ends_its_commands(link: Link, number: str, command: str) -> None:
    heard = Heard(link, command.format(n=number))
    wait_for(lambda: processes(number), "it runs")
    link.close()
    assert not link.alive
    assert heard.wait_end()[0] is None
    wait_for(lambda: not processes(number), "it is gone")
    with pytest.raises(LinkError):
        link.start("true", Sink(lambda at, lines: None))


def test_a_server_that_dies_ends_link_and_commands(server: Sshd, link: Link, number: str) -> None:
    heard = Heard(link, f"echo up; sleep {number}")
    heard.wait_lines()
    server.kill_sessions()
    status, why = heard.wait_end()
    assert status is None
    assert "the connection broke" in why
    wait_for(lambda: not link.alive, "the link knows")
    wait_for(lambda: not processes(number), "it is gone on the host")


def test_a_dropped_socket_ends_the_commands(server: Sshd, number: str, connect: Connect) -> None:
    link = connect(server.link_options(kind="paramiko"))
    heard = Heard(link, SILENT.format(n=number))
    wait_for(lambda: processes(number), "it runs")
    link._transport.sock.close()  # type: ignore[attr-defined]
    assert heard.wait_end()[0] is None
    wait_for(lambda: not processes(number), "it is gone")


CLIENT = """
import sys, threading
from collectors.links import LinkOptions, Sink, make_link
link = make_link(LinkOptions(**eval(sys.argv[1])))
link.connect()
link.start(sys.argv[2], Sink(lambda at, lines: None))
threading.Event().wait()
"""


@pytest.mark.parametrize("command", [SILENT, STUBBORN])
def test_a_client_killed_leaves_nothing_here_nor_there(server: Sshd, kind: str, number: str, command: str) -> None:
    options = server.link_options(kind=kind)
    fields = {name: getattr(options, name) for name in LinkOptions.__slots__}
    client = psutil.Popen([sys.executable, "-c", CLIENT, repr(fields), command.format(n=number)])
    wait_for(lambda: processes(number) or client.poll() is not None, "it runs")
    children = client.children(recursive=True)
    client.send_signal(signal.SIGKILL)
    client.wait(10)
    wait_for(lambda: not processes(number), "it is gone on the host")
    wait_for(lambda: not any(c.is_running() and c.status() != "zombie" for c in children), "its children are gone")


# -- half-open ---------------------------------------------------------------------------------------------


def test_a_half_open_connection_is_noticed(server: Sshd, kind: str, number: str, connect: Connect) -> None:
    keepalive = 2.0
    link = connect(server.link_options(kind=kind, keepalive=keepalive))
    heard = Heard(link, f"echo up; sleep {number}")
    heard.wait_lines()
    server.pause()
    wait_for(lambda: not link.alive, "the link notices", 2 * keepalive + 3)
    assert heard.wait_end()[0] is None
    server.kill_sessions()
    wait_for(lambda: not processes(number), "it is gone")


def test_a_silent_host_that_answers_is_not_taken_for_dead(server: Sshd, connect: Connect) -> None:
    link = connect(server.link_options(kind="paramiko", keepalive=0.5))
    heard = Heard(link, "echo up; sleep 3; echo still")
    assert heard.wait_end()[0] == 0
    assert heard.lines == ["up", "still"]


def test_a_server_stopped_and_started_is_reached_again(server: Sshd, kind: str, connect: Connect) -> None:
    link = connect(server.link_options(kind=kind))
    server.stop()
    wait_for(lambda: not link.alive, "the link knows")
    with pytest.raises(LinkError) as caught:
        connect(server.link_options(kind=kind))
    assert not caught.value.final
    assert "refused" in caught.value.why
    server.start()
    assert connect(server.link_options(kind=kind)).run("echo back") == (0, "back\n", "")


# -- login shells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["sh", "bash", "csh", "tcsh", "fish", "zsh"])
def test_login_shells(tmp_path: Path, shell: str, connect: Connect) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    program = "cat <<'END'\nBEGIN { printf(\"%d!\\n\", 1); }\nEND\nexit 5"
    with Sshd(tmp_path, shell=path) as server:
        assert connect(server.link_options()).run(program)[:2] == (5, 'BEGIN { printf("%d!\\n", 1); }\n')


def test_what_a_start_up_file_prints_is_cut_off_and_told(tmp_path: Path, kind: str, connect: Connect) -> None:
    with Sshd(tmp_path, shell="/bin/bash") as server:
        (server.home / ".bashrc").write_text("echo Welcome to ms1; echo grumble >&2; sleep 0.3; printf 'no newline'\n")
        link = connect(server.link_options(kind=kind))
        assert link.run("echo out; echo err >&2") == (0, "out\n", "err\n")
        noise = link.facts["login_shell_noise"].splitlines()
        assert set(noise) == {"Welcome to ms1", "grumble", "no newline"}
        assert float(link.facts["login_shell_seconds"]) >= 0.3


def test_an_account_without_a_shell_says_so(tmp_path: Path, kind: str, connect: Connect) -> None:
    nologin = tmp_path / "nologin"
    nologin.write_text("#!/bin/sh\necho This account is not available.\nexit 1\n")
    nologin.chmod(0o755)
    with Sshd(tmp_path, shell=str(nologin)) as server:
        heard = Heard(connect(server.link_options(kind=kind)), "true")
        status, why = heard.wait_end()
        assert status == 1
        assert "This account is not available" in why


# -- the server's bounds -----------------------------------------------------------------------------------


def test_more_sessions_than_the_server_allows(tmp_path: Path, connect: Connect) -> None:
    with Sshd(tmp_path, options={"MaxSessions": "2"}) as server:
        link = connect(server.link_options(kind="paramiko"))
        running = [Heard(link, "echo up; sleep 60") for _ in range(2)]
        for heard in running:
            heard.wait_lines()
        status, why = Heard(link, "true").wait_end()
        assert status is None
        assert "MaxSessions" in why
        assert link.alive
        for heard in running:
            heard.running.stop()
            heard.wait_end()


def test_who_first_sees_that_a_connection_is_gone_is_told_why(server: Sshd, connect: Connect, kind: str) -> None:
    link = connect(server.link_options(kind=kind))
    server.kill_sessions()
    wait_for(lambda: not link.alive, "the link is seen to be gone")
    assert link.broken.startswith("the connection broke")


def test_the_systems_ssh_opens_another_connection_for_them(tmp_path: Path, connect: Connect) -> None:
    with Sshd(tmp_path, options={"MaxSessions": "1"}) as server:
        link = connect(server.link_options(kind="openssh"))
        first = Heard(link, "echo up; sleep 60")
        first.wait_lines()
        assert link.run("echo too") == (0, "too\n", "")
        first.running.stop()
        first.wait_end()


def test_ten_log_in_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ten = threading.Barrier(10, timeout=15)
    inside: list[int] = []
    most: list[int] = []

    def log_in(self: object, options: LinkOptions, *_: object) -> None:
        inside.append(1)
        most.append(len(inside))
        ten.wait()  # broken unless ten are in here together
        most.append(len(inside))
        inside.pop()
        raise LinkError(options.host, "not really")

    monkeypatch.setattr(by_paramiko, "_dial", lambda options, route: socket.socket())
    monkeypatch.setattr(by_paramiko._Hop, "open", log_in)
    errors: list[LinkError] = []

    def attempt(name: str) -> None:
        try:
            make_link(LinkOptions(name, ssh_config="none")).connect()
        except LinkError as e:
            errors.append(e)

    threads = [threading.Thread(target=attempt, args=(f"h{i}",)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [e.why for e in errors] == ["not really"] * 30
    assert max(most) == 10


def test_hosts_that_do_not_answer_keep_no_place_from_those_that_do(
    server: Sshd, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    dial = by_paramiko._dial
    waiting = threading.Semaphore(0)
    over = threading.Event()

    def slow(options: LinkOptions, route: Route) -> socket.socket:
        if options.host.startswith("dead"):
            waiting.release()
            over.wait(30)
            raise LinkError(options.host, "did not answer")
        return dial(options, route)

    def attempt(name: str) -> None:
        with contextlib.suppress(LinkError):
            make_link(LinkOptions(name, ssh_config="none")).connect()

    monkeypatch.setattr(by_paramiko, "_dial", slow)
    threads = [threading.Thread(target=attempt, args=(f"dead{i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert waiting.acquire(timeout=15)
    assert connect(server.link_options()).run("echo alive") == (0, "alive\n", "")
    over.set()
    for thread in threads:
        thread.join(30)


def test_no_link_leaves_threads_or_files_open(server: Sshd, kind: str) -> None:
    def cycle() -> None:
        link = make_link(server.link_options(kind=kind))
        link.connect()
        assert link.run("echo hi") == (0, "hi\n", "")
        link.close()

    cycle()
    me = psutil.Process()
    threads = {t.name for t in threading.enumerate()}
    files = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        cycle()
    wait_for(lambda: {t.name for t in threading.enumerate()} <= threads, "no thread more")
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= files, "no file more")
    wait_for(lambda: not [c for c in me.children() if c.name() == "ssh"], "no child more")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(LinkError, match='no link "telnet"'):
        make_link(LinkOptions("box", kind="telnet"))


def test_processes_are_found_by_whole_arguments_only() -> None:
    with subprocess.Popen(["sleep", "77123.5"]) as child:
        assert [p.pid for p in processes("77123.5")] == [child.pid]
        assert processes("77123") == []
        child.kill()


def test_what_a_killed_process_left_in_tmp_is_removed(server: Sshd, connect: Connect) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    left = Path(f"/tmp/zonescope-ssh-{gone.pid}-test")
    left.mkdir()
    (left / "0").write_text("")
    by_openssh._folder.cache_clear()
    connect(server.link_options(kind="openssh"))
    assert not left.exists()
