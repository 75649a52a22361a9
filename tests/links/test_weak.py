"""Servers that speak only what SunSSH 1.1 spoke: refused by name, reached where the inventory allows it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from structlog.testing import capture_logs

from collectors.links import Link, LinkError, LinkOptions, make_link
from collectors.links.weak import WEAK, named, weak_of
from tests.links.heard import Heard
from tests.sshd import Sshd, processes, wait_for

Connect = Callable[[LinkOptions], Link]

KEX = "diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1"
SUNSSH = {
    "KexAlgorithms": KEX,
    "HostKeyAlgorithms": "ssh-rsa",
    "PubkeyAcceptedAlgorithms": "+ssh-rsa",
    "Ciphers": "aes128-cbc,3des-cbc,aes128-ctr",
    "MACs": "hmac-sha1,hmac-md5",
}
HARDER = {"KexAlgorithms": "diffie-hellman-group1-sha1", "Ciphers": "3des-cbc", "MACs": "hmac-md5"}


def has_dss() -> bool:
    return "ssh-dss" in subprocess.run(["ssh", "-Q", "key"], capture_output=True, text=True, check=False).stdout


@pytest.mark.sshd
@pytest.mark.parametrize("kind", ["auto", "openssh"])
def test_refused_by_name_with_the_line_that_allows_it(tmp_path: Path, kind: str) -> None:
    with Sshd(tmp_path, options=SUNSSH, host_keys=("rsa",)) as server, pytest.raises(LinkError) as caught:
        make_link(server.link_options("ms1", kind=kind)).connect()
    error = caught.value
    assert error.final
    assert error.fix == "in hosts.toml, under [hosts.ms1]: allow_weak = true"
    assert "diffie-hellman-group-exchange-sha1, diffie-hellman-group1-sha1" in error.why
    if kind == "auto":
        assert "cipher aes128-cbc, 3des-cbc; mac hmac-sha1, hmac-md5" in error.why
        assert "host key ssh-rsa" in error.why


@pytest.mark.sshd
@pytest.mark.parametrize("harder", [False, True], ids=["sunssh", "only-the-weakest"])
def test_reached_where_allowed_with_a_warning(tmp_path: Path, harder: bool, connect: Connect, number: str) -> None:
    with Sshd(tmp_path, options=SUNSSH | (HARDER if harder else {}), host_keys=("rsa",)) as server:
        with capture_logs() as logs:
            link = connect(server.link_options("ms1", allow_weak=True))
        [warning] = [entry for entry in logs if entry["log_level"] == "warning"]
        assert warning["host"] == "ms1"
        assert "diffie-hellman-group1-sha1" in warning["kex"]
        assert warning["host_key"] == "ssh-rsa"
        assert warning["mac"] == ("hmac-md5" if harder else "hmac-sha1,hmac-md5")
        assert link.run("echo out; exit 3") == (3, "out\n", "")
        heard = Heard(link, f"echo up; sleep {number}")
        heard.wait_lines()
        link.close()
        wait_for(lambda: not processes(number), "nothing is left")


@pytest.mark.sshd
@pytest.mark.skipif(not has_dss(), reason="this OpenSSH has no DSA any more")
def test_a_dss_host_key(tmp_path: Path, connect: Connect) -> None:
    options = SUNSSH | {"HostKeyAlgorithms": "ssh-dss"}
    with Sshd(tmp_path, options=options, host_keys=("dsa",)) as server:
        assert connect(server.link_options("ms1", allow_weak=True)).run("echo in") == (0, "in\n", "")


@pytest.mark.sshd
def test_strong_servers_are_not_given_weak_ones(tmp_path: Path, connect: Connect) -> None:
    with Sshd(tmp_path) as server, capture_logs() as logs:
        link = connect(server.link_options(allow_weak=True))
        assert link.facts["ssh_server"].startswith("SSH-2.0-OpenSSH")
        assert not [entry for entry in logs if entry["log_level"] == "warning"]


@pytest.mark.sshd
def test_strict_host_keys_hold_for_weak_servers_too(tmp_path: Path) -> None:
    with Sshd(tmp_path, options=SUNSSH, host_keys=("rsa",)) as server:
        server.known_hosts.write_text("")
        with pytest.raises(LinkError) as caught:
            make_link(server.link_options("ms1", allow_weak=True)).connect()
    assert "ssh-keyscan" in caught.value.fix


# -- a server that does not tell which signatures it takes, as SunSSH does not ----------------------------------


@contextlib.contextmanager
def sunssh(folder: Path) -> Iterator[LinkOptions]:
    """asyncssh with SunSSH's algorithms and greeting, and without server-sig-algs."""
    keys = {}
    for name in ("host", "client"):
        keys[name] = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        keys[name].write_private_key(folder / name)
        keys[name].write_public_key(folder / f"{name}.pub")
        (folder / name).chmod(0o600)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        child = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", process.command or "", stdin=-1, stdout=-1, stderr=-1, start_new_session=True
        )
        await process.redirect(stdin=child.stdin)
        # To their ends before the exit is told: a redirected output would be cut by it.
        await asyncio.gather(pump(child.stdout, process.stdout), pump(child.stderr, process.stderr))
        process.exit(await child.wait())

    async def pump(source: asyncio.StreamReader | None, to: asyncssh.SSHWriter[bytes]) -> None:
        assert source
        with contextlib.suppress(OSError):  # the client has gone
            while data := await source.read(65536):
                to.write(data)

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[str(folder / "host")],
            authorized_client_keys=str(folder / "client.pub"),
            server_version="Sun_SSH_1.1",
            kex_algs=KEX.split(","),
            encryption_algs=["aes128-cbc", "3des-cbc"],
            mac_algs=["hmac-sha1", "hmac-md5"],
            signature_algs=["ssh-rsa"],
            process_factory=handle,
            encoding=None,
        )

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    port = server.get_port()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "config").write_text("IdentitiesOnly yes\nIdentityAgent none\n")
    try:
        yield LinkOptions(
            "ma1",
            address="127.0.0.1",
            port=port,
            user="ops",
            identity=str(folder / "client"),
            known_hosts=str(folder / "known"),
            ssh_config=str(folder / "config"),
        )
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def test_a_server_without_server_sig_algs(
    tmp_path: Path, connect: Connect, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncssh.connection.SSHConnection, "_send_ext_info", lambda self: None)
    with sunssh(tmp_path) as options:
        with pytest.raises(LinkError) as caught:
            make_link(options).connect()
        assert caught.value.fix == "in hosts.toml, under [hosts.ma1]: allow_weak = true"
        link = connect(dataclasses.replace(options, allow_weak=True))
        assert link.run("echo out; exit 3") == (3, "out\n", "")
        heard = Heard(link, f"echo up; sleep {number}")
        heard.wait_lines()
        heard.running.stop()
        heard.wait_end()
        wait_for(lambda: not processes(number), "nothing is left")
        link.close()


# -- names -------------------------------------------------------------------------------------------------


def test_only_weak_ones_are_named() -> None:
    offered = {"kex": ["curve25519-sha256", "diffie-hellman-group1-sha1"], "cipher": ["aes128-ctr"], "mac": []}
    assert weak_of(offered) == {"kex": ["diffie-hellman-group1-sha1"]}
    assert named(weak_of(offered)) == "kex diffie-hellman-group1-sha1"


def test_every_algorithm_of_sunssh_is_known_as_weak_or_strong() -> None:
    weak = [KEX, "ssh-rsa,ssh-dss", "aes128-cbc,3des-cbc", "hmac-sha1,hmac-md5"]
    assert set(",".join(weak).split(",")) <= {name for names in WEAK.values() for name in names}
