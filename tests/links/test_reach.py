"""Which hosts a link lets itself be led to, and what it says and advises where it does not."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from collectors.links import Link, LinkError, LinkOptions, make_link
from tests.sshd import Sshd, wait_for

pytestmark = pytest.mark.sshd

Connect = Callable[[LinkOptions], Link]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path) as running:
        yield running


def failure(options: LinkOptions) -> LinkError:
    link = make_link(options)
    with pytest.raises(LinkError) as caught:
        link.connect()
    assert not link.alive
    return caught.value


# -- host keys ---------------------------------------------------------------------------------------------


def test_an_unknown_host_key_is_refused_and_the_fix_lets_it_in(
    server: Sshd, kind: str, tmp_path: Path, connect: Connect
) -> None:
    known = tmp_path / "known"
    options = server.link_options(kind=kind, known_hosts=str(known))
    error = failure(options)
    assert error.final
    assert error.fix == f"ssh-keyscan -p {server.port} 127.0.0.1 >> {known}"
    subprocess.run(error.fix, shell=True, check=True, capture_output=True)
    assert connect(options).run("echo in")[0] == 0


def test_a_changed_host_key_is_refused_and_the_fixes_let_it_in(
    server: Sshd, kind: str, tmp_path: Path, connect: Connect
) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{server.port} {other.with_suffix('.pub').read_text()}")
    options = server.link_options(kind=kind, known_hosts=str(known))
    error = failure(options)
    assert error.final
    assert "is not the one in" in error.why
    assert error.fix == f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f {known}"
    for _ in range(2):  # the old one out, then the new one in
        subprocess.run(failure(options).fix, shell=True, check=True, capture_output=True)
    assert connect(options).run("echo in")[0] == 0


def test_a_revoked_host_key_is_refused(server: Sshd, kind: str) -> None:
    line = server.known_hosts.read_text()
    server.known_hosts.write_text(line + "@revoked * " + line.split(maxsplit=1)[1])
    error = failure(server.link_options(kind=kind))
    assert error.final
    assert "revoked" in error.why


def test_a_host_known_by_another_type_of_key_shows_that_one(tmp_path: Path, kind: str, connect: Connect) -> None:
    with Sshd(tmp_path, host_keys=("ed25519", "ecdsa", "rsa")) as server:
        lines = server.known_hosts.read_text().splitlines(keepends=True)
        for line in lines:
            server.known_hosts.write_text(line)
            assert connect(server.link_options(kind=kind)).run("true")[0] == 0
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(server.known_hosts)], check=True, capture_output=True)
        assert connect(server.link_options(kind=kind)).run("true")[0] == 0


# -- logins ------------------------------------------------------------------------------------------------


def key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)
    return path


def test_a_refused_login_names_user_and_key(server: Sshd, kind: str, tmp_path: Path) -> None:
    stranger = key(tmp_path / "stranger")
    error = failure(server.link_options(kind=kind, identity=str(stranger)))
    assert error.final
    assert error.fix == f"ssh-copy-id -i {stranger}.pub -p {server.port} {server.user}@127.0.0.1"


def test_a_key_file_that_is_not_there(server: Sshd, tmp_path: Path) -> None:
    error = failure(server.link_options(identity=str(tmp_path / "none")))
    assert error.final
    assert "there is no key file" in error.why


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not installed")
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        wait_for(path.exists, "the agent listens")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield
        process.terminate()


def test_a_locked_key_needs_the_agent(
    server: Sshd, kind: str, tmp_path: Path, agent: None, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("IdentitiesOnly yes\n")
    options = server.link_options(kind=kind, ssh_config=str(config))
    subprocess.run(["ssh-add", "-q", str(server.client_key)], check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(server.client_key)], check=True)
    assert connect(options).run("true")[0] == 0
    subprocess.run(["ssh-add", "-q", "-D"], check=True)
    error = failure(options)
    assert error.final
    if kind == "paramiko":
        assert error.fix == f"ssh-add {server.client_key}"


def test_the_agents_keys_are_tried_without_any_file(
    server: Sshd, kind: str, tmp_path: Path, agent: None, connect: Connect
) -> None:
    config = tmp_path / "config"
    config.write_text("")
    subprocess.run(["ssh-add", "-q", str(server.client_key)], check=True)
    assert connect(server.link_options(kind=kind, ssh_config=str(config), identity="")).run("true")[0] == 0


# -- hosts that do not answer ------------------------------------------------------------------------------


def test_nobody_listens(kind: str) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        error = failure(LinkOptions("box", address="127.0.0.1", port=s.getsockname()[1], kind=kind, ssh_config="none"))
    assert not error.final
    assert "refused" in error.why


def test_a_name_that_is_not_known(kind: str) -> None:
    error = failure(LinkOptions("box", address="box.invalid", kind=kind, ssh_config="none"))
    assert not error.final
    assert error.fix == 'in hosts.toml, under [hosts.box]: address = "…"'


def test_a_listener_that_says_nothing(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = failure(
            LinkOptions("box", address="127.0.0.1", port=port, kind=kind, ssh_config="none", connect_timeout=1.0)
        )
    assert not error.final


# -- the user's ssh_config ---------------------------------------------------------------------------------


def test_an_alias_of_ssh_config(server: Sshd, kind: str, tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "more").write_text(
        f"Host box\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n"
        f" IdentityFile {server.client_key}\n IdentitiesOnly yes\n IdentityAgent none\n"
        f" UserKnownHostsFile {server.known_hosts}\n"
    )
    config = tmp_path / "config"
    config.write_text(f"Include {tmp_path}/more\nHost *\n Port 1\n")
    assert connect(LinkOptions("box", kind=kind, ssh_config=str(config))).run("true")[0] == 0


def test_a_config_that_cannot_be_followed_says_where(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Match nonsense x\n User root\n")
    error = failure(LinkOptions("box", ssh_config=str(config)))
    assert error.final
    assert str(config) in error.why
    assert error.fix == 'in hosts.toml, under [hosts.box]: link = "openssh"'


def test_a_host_key_alias(server: Sshd, kind: str, tmp_path: Path, connect: Connect) -> None:
    known = tmp_path / "known"
    known.write_text("store7 " + server.known_hosts.read_text().split(maxsplit=1)[1])
    config = tmp_path / "config"
    config.write_text("HostKeyAlias store7\nIdentitiesOnly yes\nIdentityAgent none\n")
    options = server.link_options(kind=kind, known_hosts=str(known), ssh_config=str(config))
    assert connect(options).run("true")[0] == 0


# -- through other hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("hops", [1, 2])
def test_jump_hosts(server: Sshd, kind: str, hops: int, tmp_path: Path, connect: Connect) -> None:
    """The jump hosts let nothing but forwards to the next hop through, so that no shorter way can pass."""
    ways: list[Sshd] = []
    target = server
    try:
        for i in range(hops):  # from the target outwards
            options = {"PermitOpen": f"127.0.0.1:{target.port}", "ForceCommand": "/bin/false"}
            way = Sshd(tmp_path / str(i), options=options).start()
            ways.insert(0, way)
            target = way
            (way.folder / "client_key.pub").write_text((server.folder / "client_key.pub").read_text())
            with server.known_hosts.open("a") as known:
                known.write(way.known_hosts.read_text())
        jump = ",".join(f"{way.user}@127.0.0.1:{way.port}" for way in ways)
        link = connect(server.link_options(kind=kind, jump=jump))
        status, out, _ = link.run('echo "$SSH_CONNECTION"')
        assert status == 0
        assert out.split()[3] == str(server.port)
        assert all(way.sessions() for way in ways)
        link.close()
        wait_for(lambda: not any(way.sessions() for way in ways), "the jump hosts are left too")
    finally:
        for way in ways:
            way.stop()


def test_a_jump_host_that_cannot_reach_the_host(server: Sshd, kind: str) -> None:
    jump = f"{server.user}@127.0.0.1:{server.port}"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        error = failure(server.link_options(kind=kind, port=s.getsockname()[1], jump=jump))
    assert not error.final
    assert "the jump host" in error.why
    assert "cannot reach 127.0.0.1" in error.why


def test_a_circle_of_jump_hosts_ends(server: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n ProxyJump 127.0.0.1\n")
    assert "circle" in failure(server.link_options(ssh_config=str(config))).why


def test_a_proxy_command(server: Sshd, kind: str, tmp_path: Path, connect: Connect) -> None:
    through = ["ssh", "-F", "none", "-i", str(server.client_key), "-o", f"UserKnownHostsFile={server.known_hosts}"]
    through += ["-p", str(server.port), "-W", "%h:%p", "127.0.0.1"]
    config = tmp_path / "config"
    config.write_text(f"IdentitiesOnly yes\nIdentityAgent none\nProxyCommand {shlex.join(through)}\n")
    link = connect(server.link_options(kind=kind, ssh_config=str(config)))
    assert link.run("echo through") == (0, "through\n", "")

    def proxies() -> list[psutil.Process]:
        mine = psutil.Process(os.getpid()).children(recursive=True)
        return [p for p in mine if p.status() != "zombie" and "-W" in p.cmdline()]

    assert proxies()
    link.close()
    wait_for(lambda: not proxies(), "the proxy has ended")
