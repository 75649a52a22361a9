"""ssh_config, known_hosts and the inventory's options as a route."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

import pytest

from collectors.links import Backoff, LinkError, LinkOptions
from collectors.links.config import config_text, host_port, read_config, route
from collectors.links.hostkeys import load


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_the_inventory_goes_before_the_config(tmp_path: Path) -> None:
    config = written(
        tmp_path / "config",
        "Host ms2\n HostName 10.0.0.2\n User ops\n Port 2222\n IdentityFile ~/.ssh/fleet\n ProxyJump gate,inner\n"
        "Host *\n User other\n ProxyCommand relay %h %p %r\n",
    )
    plain = LinkOptions("ms2", ssh_config=config)
    found = route(plain, read_config(plain))
    assert (found.hostname, found.port, found.user, found.known_as) == ("10.0.0.2", 2222, "ops", "[10.0.0.2]:2222")
    assert found.identities == (str(Path("~/.ssh/fleet").expanduser()),)
    assert found.jumps == ("gate", "inner")
    assert found.proxy_command == "relay 10.0.0.2 2222 ops"
    ours = LinkOptions("ms2", ssh_config=config, user="root", port=22, identity="/key", jump="none", known_hosts="/k")
    found = route(ours, read_config(ours))
    assert (found.port, found.user, found.known_as, found.jumps) == (22, "root", "10.0.0.2", ())
    assert found.identities[0] == "/key"
    assert found.known_hosts == (Path("/k"),)


def test_a_hop_has_its_own_lines(tmp_path: Path) -> None:
    config = written(tmp_path / "config", "Host gate\n HostName 10.0.0.1\n User keeper\n Port 2200\n")
    options = LinkOptions("ms2", ssh_config=config, user="root", port=99, jump="gate")
    hop = route(options, read_config(options), "gate")
    assert (hop.hostname, hop.port, hop.user) == ("10.0.0.1", 2200, "keeper")
    hop = route(options, read_config(options), "me@gate:22")
    assert (hop.hostname, hop.port, hop.user) == ("10.0.0.1", 22, "me")


def test_without_any_config_it_is_this_user_at_port_22(tmp_path: Path) -> None:
    options = LinkOptions("ms2", ssh_config=str(tmp_path / "none"))
    found = route(options, read_config(options))
    assert (found.hostname, found.port, found.user) == ("ms2", 22, getpass.getuser())
    assert not found.identities_only


def test_includes_stand_in_place_and_leave_their_block(tmp_path: Path) -> None:
    written(tmp_path / "a.conf", "Host b\n Port 2\n")
    config = written(tmp_path / "config", f"Host a\n Include {tmp_path}/*.conf\n Port 1\nHost *\n Port 3\n")
    for host, port in (("a", 1), ("b", 2), ("c", 3)):
        options = LinkOptions(host, ssh_config=config)
        assert route(options, read_config(options)).port == port


def test_an_include_of_itself_ends(tmp_path: Path) -> None:
    config = written(tmp_path / "config", f"Include {tmp_path}/config\nUser me\n")
    assert "User me" in config_text(Path(config))


@pytest.mark.parametrize("line", ["Match tagged x", "Match host a localnetwork 10.0.0.0/8", "Match !version x"])
def test_a_match_that_paramiko_would_pass_over_is_an_error(tmp_path: Path, line: str) -> None:
    config = written(tmp_path / "config", f"{line}\n User x\n")
    with pytest.raises(LinkError, match='link = "openssh"'):
        read_config(LinkOptions("a", ssh_config=config))


@pytest.mark.parametrize(
    ("line", "user"),
    [
        ("Match host ms2", "x"),
        ("Match originalhost ms2", "x"),
        ("Match host ms3", "y"),
        ("Match !host ms3", "x"),
        ("Match all", "x"),
    ],
)
def test_the_matches_that_it_knows_hold(tmp_path: Path, line: str, user: str) -> None:
    config = written(tmp_path / "config", f"{line}\n User x\nMatch all\n User y\n")
    options = LinkOptions("ms2", ssh_config=config)
    assert route(options, read_config(options)).user == user


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a", 0)),
        ("a:22", ("a", 22)),
        ("[::1]:22", ("::1", 22)),
        ("::1", ("::1", 0)),
        ("[::1]", ("::1", 0)),
    ],
)
def test_host_and_port(text: str, parts: tuple[str, int]) -> None:
    assert host_port(text) == parts


def test_known_hosts_patterns_hashes_and_marks(tmp_path: Path) -> None:
    keys = []
    for i in range(4):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / f"k{i}")], check=True)
        keys.append(" ".join((tmp_path / f"k{i}.pub").read_text().split()[:2]))
    file = tmp_path / "known"
    file.write_text(
        f"# comment\n\nms1,10.0.0.1 {keys[0]}\nms1 {keys[1]} a second one\n*.example.org,!bad.example.org {keys[2]}\n"
        f"@cert-authority * {keys[3]}\n@revoked * {keys[3]}\nms1 ssh-dss AAAA\nms1 nonsense\n"
    )

    def known(name: str) -> list[str]:
        return [f"{k.get_name()} {k.get_base64()}" for k in load([tmp_path / "none", file], name, "h").keys]

    assert known("ms1") == known("MS1") == [keys[0], keys[1]]
    assert known("10.0.0.1") == [keys[0]]
    assert known("a.example.org") == [keys[2]]
    assert known("bad.example.org") == known("ms2") == known("[ms1]:22") == []
    assert load([file], "ms1", "h").revoked == {keys[3].split()[1]}
    file.write_text(f"ms1,10.0.0.1 {keys[0]}\nms1 {keys[1]}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "ms1" not in file.read_text().split()
    assert known("ms1") == [keys[0], keys[1]]


def test_backoff_doubles_to_its_cap_with_jitter() -> None:
    backoff = Backoff(first=1, cap=60, jitter=0.25, seed=3)
    bases = [1, 2, 4, 8, 16, 32, 60, 60]
    waits = [backoff.next() for _ in bases]
    assert all(0.75 * base <= wait <= 1.25 * base for wait, base in zip(waits, bases, strict=True))
    assert len({wait / base for wait, base in zip(waits, bases, strict=True)}) == len(bases)
    backoff.reset()
    assert backoff.next() <= 1.25
    assert [Backoff(jitter=0).next() for _ in range(3)] == [1, 1, 1]
