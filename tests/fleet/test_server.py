"""Over real SSH: what a client sees of a host, its command's end, and the faults on demand."""

import asyncio
import signal
import socket
import subprocess
import sys
import time

import asyncssh
import paramiko
import psutil
import pytest

from collectors.inventory import load
from collectors.links.shell import wrap
from fleet import Fleet, FleetError


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("fleet"), "night", hosts=["ma2", "ms2", "om1"], weak=("ma2",)) as f:
        yield f


def client(fleet, host="ms2", **more):
    """A connected asyncssh client."""
    return asyncssh.connect(
        "127.0.0.1", fleet.ports[host], username="ops", client_keys=[str(fleet.folder / "client_key")],
        known_hosts=str(fleet.folder / "known_hosts"), config=None, **more,
    )  # fmt: skip


async def wait_until(test, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return True
        await asyncio.sleep(0.05)
    return False


def sessions(fleet, host="ms2"):
    return fleet.fault("status")["hosts"][host]["sessions"]


def test_the_inventory_it_writes_is_one(fleet):
    inventory = load(fleet.inventory)
    assert list(inventory.hosts) == ["ma2", "ms2", "om1"]
    assert inventory.hosts["ms2"].port == fleet.ports["ms2"]
    assert inventory.hosts["ma2"].allow_weak
    assert not inventory.hosts["ms2"].allow_weak
    assert [(p.source, p.target) for p in inventory.pairs] == [("ma2", "ms2")]


def test_paramiko_reads_a_stream(fleet):
    c = paramiko.SSHClient()
    c.load_host_keys(str(fleet.folder / "known_hosts"))
    c.connect(
        "127.0.0.1", fleet.ports["ms2"], "ops", key_filename=str(fleet.folder / "client_key"), look_for_keys=False
    )
    try:
        _, out, err = c.exec_command(wrap("zpool iostat mail 1"))
        lines = [out.readline().rstrip("\n") for _ in range(6)]
        assert lines[0] == "zonescope:begin"
        assert err.readline() == "zonescope:begin\n"
        assert [line.split()[0] for line in lines[2:]] == ["pool", "----------", "mail", "mail"]
    finally:
        c.close()


def test_reports_come_at_the_asked_interval_from_the_start(fleet):
    async def go() -> list[float]:
        at = []
        async with client(fleet) as c, c.create_process(wrap("zpool iostat mail 1")) as p:
            while len(at) < 4:
                line = await p.stdout.readline()
                if line.startswith("mail "):
                    at.append(time.monotonic())
        return at

    at = asyncio.run(go())
    for k in (1, 2, 3):
        assert at[k] - at[0] == pytest.approx(k, abs=0.5)


@pytest.mark.parametrize("how", ["closed input", "closed channel", "closed connection"])
def test_a_command_ends_with_its_client(fleet, how):
    async def go() -> bool:
        c = await client(fleet)
        p = await c.create_process(wrap("(while :; do echo x; sleep 1; done) & kstat -p zfs:0:arcstats 1"))
        while "arcstats" not in await p.stdout.readline():
            pass
        assert await wait_until(lambda: sessions(fleet) == 1), "those of the tests before have ended"
        if how == "closed input":
            p.stdin.write_eof()
        elif how == "closed channel":
            p.close()
        else:
            c.abort()
        gone = await wait_until(lambda: sessions(fleet) == 0)
        c.abort()
        return gone

    assert asyncio.run(go())


def test_a_lease_is_renewed_by_what_is_read_and_runs_out(fleet):
    async def go() -> tuple[int, bool]:
        ticks = 0
        async with client(fleet) as c:
            p = await c.create_process(wrap("while :; do echo tick; sleep 1; done", lease=3))
            while ticks < 6:
                ticks += "tick" in await p.stdout.readline()
                p.stdin.write("\n")
            while await p.stdout.readline():
                pass
            return (await p.wait()).exit_status, await wait_until(lambda: sessions(fleet) == 0)

    assert asyncio.run(asyncio.wait_for(go(), 60)) == (143, True)


def test_unknown_commands_and_exit_statuses(fleet):
    async def go():
        async with client(fleet, "om1") as c:
            return await c.run("foo -x"), await c.run(wrap("exit 3")), await c.run("zpool list -H -o name; false")

    foo, three, pools = asyncio.run(go())
    assert (foo.exit_status, foo.stderr) == (127, "sh: foo: not found\n")
    assert three.exit_status == 3
    assert (pools.stdout, pools.exit_status) == ("mail\nrpool\n", 1)


def test_only_the_client_key_and_its_user_may_log_in(fleet):
    async def go(user: str, key) -> None:
        await asyncssh.connect(
            "127.0.0.1", fleet.ports["ms2"], username=user, client_keys=[key], known_hosts=None, config=None
        )

    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(go("ops", asyncssh.generate_private_key("ssh-ed25519")))
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(go("root", asyncssh.read_private_key(str(fleet.folder / "client_key"))))


def test_a_weak_host_offers_sunssh_and_nothing_else(fleet):
    with socket.create_connection(("127.0.0.1", fleet.ports["ma2"]), 10) as s:
        assert s.recv(64).startswith(b"SSH-2.0-Sun_SSH_1.1")

    async def go() -> str:
        sun = {"kex_algs": ["diffie-hellman-group1-sha1"], "encryption_algs": ["3des-cbc"], "mac_algs": ["hmac-md5"],
               "server_host_key_algs": ["ssh-rsa"]}  # fmt: skip
        async with client(fleet, "ma2", **sun) as c:
            return str((await c.run("uname -r")).stdout)

    assert asyncio.run(go()) == "5.10\n"
    with pytest.raises(paramiko.SSHException, match=r"key exchange|kex|Incompatible"):
        paramiko.Transport(("127.0.0.1", fleet.ports["ma2"])).start_client(timeout=10)


def test_stopped_and_resumed_on_the_same_port(fleet):
    async def go() -> None:
        c = await client(fleet)
        fleet.fault("stop", "ms2")
        await asyncio.wait_for(c.wait_closed(), 10)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await client(fleet)
        fleet.fault("resume", "ms2")
        async with client(fleet) as again:
            assert (await again.run("uname -n")).stdout == "ms2\n"

    asyncio.run(go())


def test_frozen_hosts_are_silent_but_connected(fleet):
    async def go() -> None:
        async with client(fleet) as c, c.create_process(wrap("zpool iostat mail 1")) as p:
            while not (await p.stdout.readline()).startswith("mail "):
                pass
            fleet.fault("freeze", "ms2")
            try:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(p.stdout.read(), 2.5)
                assert not c.is_closed()
            finally:
                fleet.fault("thaw", "ms2")
            assert (await asyncio.wait_for(p.stdout.readline(), 10)).startswith("mail ")

    asyncio.run(go())


def test_noise_commas_cuts_and_hostile_names(fleet):
    async def say(command: str) -> str:
        async with client(fleet) as c:
            return str((await c.run(wrap(command))).stdout)

    fleet.fault("banner", "ms2", text="Last login: never\nYou have new mail.\n")
    assert asyncio.run(say("echo x")) == "Last login: never\nYou have new mail.\nzonescope:begin\nx\n"
    fleet.fault("banner", "ms2", text="")
    fleet.fault("comma", "ms2")
    assert "snaptime\t" in (text := asyncio.run(say("kstat -p unix:0:system_misc")))
    assert "," in text
    fleet.fault("comma", "ms2", on=False)
    whole = asyncio.run(say("zpool iostat -v 1 1"))
    fleet.fault("truncate", "ms2")
    assert min(map(len, asyncio.run(say("zpool iostat -v 1 1")).splitlines())) < min(map(len, whole.splitlines()[1:]))
    fleet.fault("zone", "ms2", zone="mail4", name="<b>x</b>")
    assert "<b>x</b>" in asyncio.run(say("zoneadm list -cp"))
    assert "<b>x</b>" in asyncio.run(say("prstat -Z -c -n 1,99 1 1"))
    fleet.fault("zone", "ms2", zone="mail4", name="mail4")


def test_a_slow_shell_and_another_host_key(fleet):
    async def go() -> float:
        begun = time.monotonic()
        async with client(fleet, "om1") as c:
            await c.run(wrap("true"))
        return time.monotonic() - begun

    fleet.fault("slow", "om1", seconds=1.0)
    assert asyncio.run(go()) >= 1.0
    fleet.fault("slow", "om1", seconds=0)
    fleet.fault("newkey", "om1")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        asyncio.run(go())
    fleet.fault("newkey", "om1", on=False)
    asyncio.run(go())


def test_what_cannot_be_done_says_so(fleet):
    with pytest.raises(RuntimeError, match="no fault 'explode'"):
        fleet.fault("explode", "ms2")
    with pytest.raises(RuntimeError, match="nohost"):
        fleet.fault("stop", "nohost")


def test_many_hosts_in_several_processes_end_with_their_starter(tmp_path):
    code = (
        "import sys, time; from fleet import Fleet\n"
        f"f = Fleet({str(tmp_path)!r}, hosts=5, processes=2).start()\n"
        "print(*f.pids, len(f.ports), flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert starter.stdout is not None
        *pids, hosts = map(int, starter.stdout.readline().split())
        assert (len(pids), hosts) == (2, 5)
        children = [psutil.Process(p) for p in pids]
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    _, alive = psutil.wait_procs(children, 10)
    assert not alive


def test_a_fleet_that_cannot_start_says_so(tmp_path):
    (tmp_path / "control.sock").mkdir()
    with pytest.raises(FleetError):
        Fleet(tmp_path, hosts=1).start(timeout=20)
