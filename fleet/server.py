"""Real SSH servers on loopback, one port a host, that run the simulation's commands. Built on asyncssh.

A session's command line is what the account's login shell would get. Where it is the wrapped form
`exec /bin/sh -c WRAPPER zonescope 'line' 'line' …` (marker line to both outputs, then the lines; standard input is
the command's watchdog, each line on it renewing a lease if there is one) the fleet does what WRAPPER would; anything
else is run as shell text. No program of the machine that the fleet runs on is ever started.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from fleet.commands import Machine, execute
from fleet.shell import IO

MARK = "zonescope:begin"
USER = "ops"

SUNSSH = {
    "kex_algs": ["diffie-hellman-group-exchange-sha1", "diffie-hellman-group1-sha1"],
    "encryption_algs": ["aes128-cbc", "3des-cbc"],
    "mac_algs": ["hmac-sha1", "hmac-md5"],
    "signature_algs": ["ssh-rsa"],
}
"""What SunSSH 1.1 of Solaris 10 offers; for a host with `weak`."""


LEASE = re.compile(r'until test "\$n" = (x+); do sleep ([0-9.]+); ')


def command_of(line: str) -> tuple[str, bool]:
    """The sh text within a session's command line, and whether it came wrapped (so that a marker is due)."""
    try:
        words = shlex.split(line)
    except ValueError:
        return line, False
    if len(words) > 5 and words[:1] == ["exec"] and words[2] == "-c" and words[4] == "zonescope":
        return "\n".join(words[5:]), True
    return line, False


class Session(asyncssh.SSHServerSession[bytes]):
    """One command. Output of one turn of the loop leaves as one packet."""

    def __init__(self, host: HostServer) -> None:
        self.host = host
        self.chan: asyncssh.SSHServerChannel[bytes] | None = None
        self.task: asyncio.Task[None] | None = None
        self.line = ""
        self._out: list[str] = []
        self._err: list[str] = []
        self._flushing = False
        self._watched = False
        self._lease = 0.0
        self._left: asyncio.TimerHandle | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.chan = chan

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self.line = command
        return True

    def shell_requested(self) -> bool:
        return False

    def session_started(self) -> None:
        self.host.sessions.add(self)
        self.task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._lease:
            self._renew()
        elif self._watched:
            self.end(143)

    def _renew(self) -> None:
        if self._left is not None:
            self._left.cancel()
        self._left = asyncio.get_running_loop().call_later(self._lease, self.end, 143)

    def eof_received(self) -> bool:
        if self._watched:
            self.end(143)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.host.sessions.discard(self)
        self.chan = None
        if self._left is not None:
            self._left.cancel()
        if self.task is not None:
            self.task.cancel()

    def end(self, status: int) -> None:
        """End the command, as its watchdog would."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
        self._exit(status)

    def out(self, text: str) -> None:
        self._out.append(text)
        self._soon()

    def err(self, text: str) -> None:
        self._err.append(text)
        self._soon()

    def _soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        chan, out, err = self.chan, self._out, self._err
        self._out, self._err = [], []
        if chan is None or self.host.frozen:
            return
        try:
            if out:
                chan.write("".join(out).encode())
            if err:
                chan.write_stderr("".join(err).encode())
        except (OSError, asyncssh.Error):
            self.end(141)

    async def _run(self) -> None:
        text, wrapped = command_of(self.line)
        self._watched = wrapped
        lease = LEASE.search(self.line) if wrapped else None
        if lease:
            self._lease = len(lease[1]) * float(lease[2])
            self._renew()
        machine = self.host.machine
        # What a login shell's start-up files do comes before the command, whatever it is.
        if machine.banner:
            self.out(machine.banner)
        if machine.delay:
            await asyncio.sleep(machine.delay)
        if wrapped:
            self.out(MARK + "\n")
            self.err(MARK + "\n")
        try:
            status = await execute(machine, text, IO(self.out, self.err))
        except asyncio.CancelledError:
            return
        except Exception as e:
            # A fault of the simulation must look like one, not like a host's.
            self.err(f"fleet: {type(e).__name__}: {e}\n")
            status = 70
        self._exit(status)

    def _exit(self, status: int) -> None:
        self._flush()
        if self.chan is not None:
            with contextlib.suppress(OSError, asyncssh.Error):
                self.chan.exit(status)


class Login(asyncssh.SSHServer):
    """Public keys only, one user name."""

    def __init__(self, host: HostServer) -> None:
        self.host = host
        self.conn: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.conn is not None:
            self.host.connections.discard(self.conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data == self.host.client_key.public_data

    def session_requested(self) -> Session:
        return Session(self.host)


@dataclass
class Keys:
    """A host's key (and another one for the fault `newkey`), and the client key that may log in."""

    host: asyncssh.SSHKey
    other: asyncssh.SSHKey
    client: asyncssh.SSHKey


def keys(folder: Path, name: str, weak: bool) -> Keys:
    """Read or make the keys of a host below `folder`/keys; each is made once."""
    algorithm = "ssh-rsa" if weak else "ssh-ed25519"
    return Keys(
        _key(folder / "keys" / f"{name}_{algorithm}", algorithm),
        _key(folder / "keys" / f"{name}_{algorithm}_new", algorithm),
        _key(folder / "client_key", "ssh-rsa" if weak and not (folder / "client_key").exists() else "ssh-ed25519"),
    )


def _key(path: Path, algorithm: str) -> asyncssh.SSHKey:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = asyncssh.generate_private_key(algorithm)
        path.touch(mode=0o600)
        made.write_private_key(str(path))
        made.write_public_key(str(path) + ".pub")
    return asyncssh.read_private_key(str(path))


class HostServer:
    """One host's port. `start` and `stop` may alternate; the port stays the same."""

    def __init__(self, machine: Machine, key: Keys, *, weak: bool = False) -> None:
        self.machine, self.key, self.weak = machine, key, weak
        self.client_key = key.client
        self.port = 0
        self.sessions: set[Session] = set()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.frozen = False
        self.new_key = False
        self._acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def name(self) -> str:
        return self.machine.live.host.name

    async def start(self) -> None:
        """Listen; the first time on a free port, then on that one."""
        extra: dict[str, Any] = (
            dict(SUNSSH)
            if self.weak
            else {"encryption_algs": ["aes128-ctr", "aes256-ctr", "chacha20-poly1305@openssh.com"]}
        )
        self._acceptor = await asyncssh.create_server(
            lambda: Login(self),
            "127.0.0.1",
            self.port,
            server_host_keys=[self.key.other if self.new_key else self.key.host],
            encoding=None,
            line_editor=False,
            compression_algs=None,
            keepalive_interval=0,
            login_timeout=30,
            server_version="Sun_SSH_1.1.3" if self.weak else "OpenSSH_9.9",
            gss_host=None,
            allow_scp=False,
            reuse_address=True,
            **extra,
        )
        self.port = self._acceptor.get_port()

    async def stop(self) -> None:
        """Close the port and every connection at once."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            self._acceptor = None
        for conn in list(self.connections):
            conn.abort()
        for session in list(self.sessions):
            session.end(129)
        self.sessions.clear()

    async def freeze(self) -> None:
        """Half open: TCP still answers, nothing is read or written any more."""
        self.frozen = True
        self._transports(lambda t: t.pause_reading())

    async def thaw(self) -> None:
        self.frozen = False
        self._transports(lambda t: t.resume_reading())

    def _transports(self, act: Callable[[Any], None]) -> None:
        for conn in list(self.connections):
            transport = getattr(conn, "_transport", None)
            if transport is not None:
                with contextlib.suppress(RuntimeError, NotImplementedError):
                    act(transport)
