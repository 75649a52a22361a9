"""A real OpenSSH server on loopback for tests: own host key, client key, known_hosts and port.

    with Sshd(tmp_path) as server:                  # skips aloud where sshd is not installed
        link = make_link(server.link_options("box"))

It serves the user who runs the tests. The account's own login shell and start-up files stay out of it: `HOME`
is an empty folder under `tmp_path`, and every command is run as ``SHELL -c COMMAND`` by the `shell` asked for
(sshd's own way, by way of ForceCommand), so that any shell can be tried as a login shell without an account.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from collectors.links.base import LinkOptions

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
    """The first true value of `condition`, looked at 50 times a second; fails by name when none came in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


def processes(mark: str) -> list[psutil.Process]:
    """Running processes with `mark` as one whole argument; use an odd number of seconds as a sleep's argument."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if mark in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


class Sshd:
    """A running sshd. `options`: lines of sshd_config; `env`: the session's environment; `shell`: the login shell.

    `host_keys`: key types as ssh-keygen names them. `within`: a command that runs it (in another network, say),
    where it listens on `address`. The folder holds `client_key`, `known_hosts`, `home/`, `log`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        options: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        shell: str = "/bin/sh",
        host_keys: Sequence[str] = ("ed25519",),
        address: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        if SSHD is None:
            pytest.skip("sshd is not installed (Debian: apt install openssh-server)")
        self.folder = folder / "sshd"
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.user = getpass.getuser()
        self.client_key = self.folder / "client_key"
        self.known_hosts = self.folder / "known_hosts"
        self.log = self.folder / "log"
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._host_keys = [self._key(f"host_{kind}", kind) for kind in host_keys]
        self._key("client_key", "rsa" if set(host_keys) <= {"rsa", "dsa"} else "ed25519")
        self.shell, self.options = shell, dict(options or {})
        self.address, self._within = address, within
        # bash reads ~/.bashrc when it is started by sshd at shell level 1, and at no deeper one.
        self.env = {"HOME": str(self.home), "SHLVL": "5", **(env or {})}

    def _key(self, name: str, kind: str) -> Path:
        path = self.folder / name
        bits = ["-b", "2048"] if kind == "rsa" else []
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-f", str(path)], check=True)
        return path

    def _configure(self) -> Path:
        forced = self.folder / "login"
        forced.write_text(f'SHLVL=0; export SHLVL\nexec {self.shell} -c "$SSH_ORIGINAL_COMMAND"\n')
        lines = {
            "Port": str(self.port),
            "ListenAddress": self.address,
            "AuthorizedKeysFile": str(self.folder / "client_key.pub"),
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "MaxStartups": "100",
            "MaxSessions": "20",
            "LogLevel": "VERBOSE",
            "SetEnv": " ".join(f"{k}={v}" for k, v in self.env.items()),
            "ForceCommand": f"exec /bin/sh {forced}",
            **self.options,
        }
        config = self.folder / "sshd_config"
        keys = "".join(f"HostKey {key}\n" for key in self._host_keys)
        config.write_text(keys + "".join(f"{k} {v}\n" for k, v in lines.items()))
        self.known_hosts.write_text(
            "".join(f"[{self.address}]:{self.port} {k.with_suffix('.pub').read_text()}" for k in self._host_keys)
        )
        return config

    def start(self) -> Sshd:
        """Start (again, on the same port); returns once it listens."""
        assert SSHD is not None
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # the folder it gives its privileges up in
        self.log.write_bytes(b"")
        config = self._configure()
        process = self.process = subprocess.Popen([*self._within, SSHD, "-D", "-f", str(config), "-E", str(self.log)])
        listening = f"Server listening on {self.address} port {self.port}".encode()
        try:
            wait_for(lambda: listening in self.log.read_bytes() or process.poll() is not None, "sshd listens")
            assert process.poll() is None, self.log.read_text()
        except BaseException:
            self.stop()
            raise
        return self

    def sessions(self) -> list[psutil.Process]:
        """The server's processes of its connections (not the commands under them)."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [p for p in children if _is_sshd(p)]
        return []

    def kill_sessions(self) -> None:
        """Every connection dies at once (SIGKILL); the server goes on listening."""
        for process in self.sessions():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def pause(self) -> None:
        """Half-open: the connections' processes stand still while the kernel still acknowledges what is sent."""
        for process in self.sessions():
            process.suspend()

    def resume(self) -> None:
        for process in self.sessions():
            process.resume()

    def stop(self) -> None:
        """End the server and every connection."""
        if self.process is not None:
            self.kill_sessions()
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def link_options(self, host: str = "box", **more: Any) -> LinkOptions:
        """What reaches this server and nothing of the user's own: no agent, no ~/.ssh."""
        config = self.folder / "ssh_config"
        if not config.exists():
            config.write_text("IdentitiesOnly yes\nIdentityAgent none\n")
        base: dict[str, Any] = {
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "identity": str(self.client_key),
            "known_hosts": str(self.known_hosts),
            "ssh_config": str(config),
        }
        return LinkOptions(host, **(base | more))

    def __enter__(self) -> Sshd:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _is_sshd(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("sshd")
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
