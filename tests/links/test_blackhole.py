"""A network that loses every packet and says nothing: both ends notice by themselves, and nothing outlives that.

The host is a network namespace with a real sshd, at the other end of a pair of virtual Ethernet cards. A hole is dug by
giving each end a wrong Ethernet address for the other: frames leave, and nobody takes them. No carrier is lost, no
packet refused, no RST sent. The host's TCP is given seconds, not its usual minutes, to give up.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from collectors.dtrace import compose
from collectors.links import Limits, Link, LinkError, LinkOptions
from frames.metrics import question
from tests.collectors.test_engine import COUNT, Bench, newest, source
from tests.dtrace import real
from tests.links.heard import Heard
from tests.sshd import Sshd, wait_for

pytestmark = pytest.mark.sshd

Connect = Callable[[LinkOptions], Link]

FORBIDDEN = re.compile("not permitted|[Pp]ermission denied|not supported|Read-only|cannot create|Unknown device type")
"""What tools say where the kernel or a container does not allow a network of our own."""
LOUD = "trap '' 1 2 13 15; while :; do echo tick; sleep 1; done"
"""As dtrace and most sources: a line a second; and nobody listening is no reason to end."""


class Far:
    """A host behind a cable of its own. Raises CalledProcessError where the kernel or our rights do not allow it."""

    def __init__(self) -> None:
        pid = os.getpid()
        self.name = f"zs{pid}far"
        self.within = ["nsenter", f"--net=/run/netns/{self.name}", "--"]
        network = 4 * (pid % 2**15)  # of 198.18.0.0/15, which is for tests of networks (RFC 2544)
        start = f"198.{18 + network // 2**16}.{network // 256 % 256}"
        self._near, self.address = f"{start}.{network % 256 + 1}", f"{start}.{network % 256 + 2}"
        self._cards = f"zs{pid}n", f"zs{pid}f"
        near, far = self._cards
        _run("ip", "netns", "add", self.name)
        try:
            _run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
            _run("ip", "link", "set", far, "netns", self.name)
            for inside, card, address in (([], near, self._near), (self.within, far, self.address)):
                _run(*inside, "ip", "address", "add", f"{address}/30", "dev", card)
                _run(*inside, "ip", "link", "set", card, "up")
            self._hardware = _hardware(near), _hardware(far, self.within)
            self.patience(tcp_retries2=15)  # the system's own; a container may not let us
            self.mend()
        except BaseException:
            self.close()
            raise

    def patience(self, **sysctl: int) -> None:
        """Settings of the host's TCP: ``patience(tcp_retries2=3)``."""
        for name, value in sysctl.items():
            _run(*self.within, "sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{name}")

    def dig(self) -> None:
        """From now on every packet vanishes, both ways."""
        self._neighbours("02:00:00:00:00:01", "02:00:00:00:00:02")

    def mend(self) -> None:
        near, far = self._hardware
        self._neighbours(near, far)

    def _neighbours(self, near_hardware: str, far_hardware: str) -> None:
        near, far = self._cards
        permanent = ["ip", "neighbour", "replace", "nud", "permanent"]
        _run(*permanent, "to", self.address, "lladdr", far_hardware, "dev", near)
        _run(*self.within, *permanent, "to", self._near, "lladdr", near_hardware, "dev", far)

    def processes(self) -> set[int]:
        """Every process of the host."""
        return {int(pid) for pid in _run("ip", "netns", "pids", self.name).split()}

    def running(self) -> set[str]:
        """Their names; sshd for all that a release of OpenSSH calls its own."""
        names = set()
        for pid in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                names.add(psutil.Process(pid).name().partition("-")[0])
        return names

    def close(self) -> None:
        _remove(self.name)
        subprocess.run(["ip", "link", "delete", self._cards[0]], capture_output=True)


def _run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout


def _hardware(card: str, within: list[str] | None = None) -> str:
    found = re.search(r"link/ether (\S+)", _run(*(within or []), "ip", "-o", "link", "show", card))
    assert found
    return found[1]


def _remove(namespace: str) -> None:
    pids = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True).stdout
    for pid in pids.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
    subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)


def _sweep() -> None:
    """Removes the hosts of test runs that were killed; their cables go with them."""
    for line in _run("ip", "netns", "list").splitlines():
        found = re.match(r"zs([0-9]+)far\b", line)
        if found and not psutil.pid_exists(int(found[1])):
            _remove(found[0])


@pytest.fixture
def far() -> Iterator[Far]:
    if os.geteuid() != 0:
        pytest.skip("no network to break: that needs root")
    for tool in ("ip", "nsenter"):
        if not shutil.which(tool):
            pytest.skip(f"no network to break: there is no {tool} (apt-get install iproute2 util-linux)")
    try:
        _sweep()
        host = Far()
    except subprocess.CalledProcessError as e:
        if not FORBIDDEN.search(e.stderr):
            raise  # a fault of ours
        pytest.skip(f"no network to break: {' '.join(e.cmd)}: {e.stderr.strip()}")
    try:
        yield host
    finally:
        host.close()


def only_sshd(far: Far, server: Sshd) -> bool:
    """Whether nothing is left on the host but the sshd that listens."""
    assert server.process
    return far.processes() == {server.process.pid}


def test_our_end_notices_and_reaches_the_host_again(far: Far, tmp_path: Path, kind: str, connect: Connect) -> None:
    keepalive = 2.0
    with Sshd(tmp_path, address=far.address, within=far.within) as server:
        options = server.link_options(kind=kind, keepalive=keepalive, connect_timeout=2.0)
        link = connect(options)
        heard = Heard(link, LOUD)
        heard.wait_lines(2)
        far.dig()
        wait_for(lambda: not link.alive, "the link notices", 2 * keepalive + 5)
        assert heard.wait_end()[0] is None
        wait_for(lambda: link.broken, "the link says why")
        with pytest.raises(LinkError, match=r"did not answer|timed out") as caught:
            connect(options)
        assert not caught.value.final
        # The host's own TCP would repeat for a quarter of an hour, and its program go on ...
        assert not only_sshd(far, server)
        far.mend()
        again = connect(options)
        assert again.run("echo back") == (0, "back\n", "")
        again.close()
        # ... but the first packet that comes through is answered: that connection is no more.
        wait_for(lambda: only_sshd(far, server), "nothing is left on the host", 60)


@pytest.mark.parametrize(
    ("command", "sshd", "said"),
    [
        pytest.param(LOUD, {}, "Connection timed out", id="prints: its TCP repeats in vain"),
        pytest.param("sleep 100000", {}, "Connection timed out", id="silent: its TCP asks in vain"),
        pytest.param(
            LOUD, {"ClientAliveInterval": "1"}, "Timeout, client not responding", id="prints: its sshd asks in vain"
        ),
    ],
)
def test_nothing_is_left_when_the_host_gives_up(
    far: Far, tmp_path: Path, connect: Connect, command: str, sshd: dict[str, str], said: str
) -> None:
    if sshd:
        far.patience(tcp_retries2=15, tcp_keepalive_time=7200)
    else:
        far.patience(tcp_retries2=3, tcp_keepalive_time=2, tcp_keepalive_intvl=1, tcp_keepalive_probes=2)
    with Sshd(tmp_path, options=sshd, address=far.address, within=far.within) as server:
        link = connect(server.link_options(keepalive=2.0))
        heard = Heard(link, f"echo up; {command}")
        heard.wait_lines()
        assert not only_sshd(far, server)
        far.dig()
        wait_for(lambda: only_sshd(far, server), "nothing is left on the host", 60)
        assert said in server.log.read_text()
        assert heard.wait_end()[0] is None


def test_a_lease_ends_what_patient_tcp_would_keep(far: Far, tmp_path: Path, kind: str, connect: Connect) -> None:
    """The host's TCP would repeat for a quarter of an hour: its connection stays, what has a lease does not."""
    with Sshd(tmp_path, address=far.address, within=far.within) as server:
        link = connect(server.link_options(kind=kind, keepalive=2.0))
        leased = Heard(link, LOUD, limits=Limits(lease=5.0))
        leased.wait_lines(9)  # longer than its lease
        far.dig()
        wait_for(lambda: far.running() <= {"sshd"}, "nothing runs on the host but sshd", 60)
        assert not only_sshd(far, server), "it still holds the connection"
        assert leased.wait_end()[0] is None


@pytest.mark.dtrace
@real.needed
def test_no_real_dtrace_is_left_when_the_host_gives_up(far: Far, tmp_path: Path, connect: Connect) -> None:
    """Its lease ends it: the host's own TCP would repeat for a quarter of an hour."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "dtrace").symlink_to(real.DTRACE)
    env = {"PATH": f"{tools}:{os.environ['PATH']}"}
    with Sshd(tmp_path, env=env, address=far.address, within=far.within) as server:
        link = connect(server.link_options(keepalive=2.0))
        program = compose.program(question("syscalls/by=execname"), "linux", limit=170)
        heard = Heard(link, compose.command(program), limits=Limits(lease=10.0))
        wait_for(lambda: any("zs1 end" in line for line in heard.lines) or heard.end, "dtrace counts", 90)
        assert any(psutil.Process(pid).name() == "dtrace" for pid in far.processes()), heard.errors
        far.dig()
        wait_for(lambda: far.running() <= {"sshd"}, "nothing runs on the host but sshd", 60)


def test_a_host_behind_a_hole_is_down_and_stale_until_it_is_mended(far: Far, tmp_path: Path) -> None:
    far.patience(tcp_retries2=3)
    bench = Bench(tmp_path)
    server = bench.servers["ma1"] = Sshd(tmp_path / "far", address=far.address, within=far.within)
    try:
        bench.run({"count": source(COUNT.format(interval=1))})
        wait_for(lambda: newest(bench.store, "ma1") and newest(bench.store, "ms1"), "both hosts speak", 20)
        far.dig()
        wait_for(lambda: len(bench.store.rows("links", host="ma1", state="down")), "ma1 is down")
        assert bench.store.rows("links", host="ma1", state="down")["reason"].iloc[0]
        wait_for(lambda: len(bench.store.rows("source_health", host="ma1", state="stale")), "its source is stale")
        wait_for(lambda: only_sshd(far, server), "nothing is left on the host", 30)
        lost = newest(bench.store, "ma1")
        far.mend()
        wait_for(lambda: newest(bench.store, "ma1") > lost, "ma1 speaks again", 60)
        wait_for(lambda: bench.store.rows("links", host="ma1")["state"].iloc[-1] == "up", "it is up")
        times = bench.store.rows("host_load", host="ms1")["time"].map(lambda t: t.timestamp())
        assert times.diff().max() <= 2.0, "the other host had no gap"
    finally:
        bench.close()
    wait_for(lambda: not far.processes(), "nothing is left on the host")
