"""What a link is: one SSH connection to one host; start a command, get its lines with their arrival times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class LinkError(Exception):
    """A link cannot be made or has broken: `host`, `why` in a sentence, `fix` (a command or a line) if known.

    `final` says that trying again will not help until somebody acts (an unknown or changed host key, a refused
    login, weak algorithms that the inventory does not allow).
    """

    def __init__(self, host: str, why: str, fix: str = "", *, final: bool = False) -> None:
        self.host, self.why, self.fix, self.final = host, why, fix, final
        super().__init__(f"{host}: {why}" + (f" (fix: {fix})" if fix else ""))


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How to reach a host, from the inventory. Empty values fall to ~/.ssh/config, then to SSH's defaults."""

    host: str
    address: str = ""
    port: int = 0
    user: str = ""
    identity: str = ""
    jump: str = ""
    known_hosts: str = ""
    ssh_config: str = ""
    kind: str = "auto"
    """auto, paramiko or openssh."""
    allow_weak: bool = False
    """The inventory allows this host the algorithms of SunSSH 1.1, through the system's ssh."""
    connect_timeout: float = 10.0
    shell: str = "/bin/sh"
    keepalive: float = 5.0


@dataclass(slots=True)
class Sink:
    """Where a command's output goes. All are called from the link's own poller thread, never concurrently.

    `lines(at, lines)`: complete stdout lines, newline and CR removed, decoded as UTF-8 with replacement.
    `errors(at, lines)`: the same of stderr. `closed(status, why)`: once, when the command has ended (status None
    when the link broke or it was killed). `idle(at)`: no stdout line for 0.1 s since the last ones (once a burst).
    """

    lines: Callable[[float, list[str]], None]
    errors: Callable[[float, list[str]], None] = lambda at, lines: None
    closed: Callable[[int | None, str], None] = lambda status, why: None
    idle: Callable[[float], None] = lambda at: None


@dataclass(slots=True)
class Limits:
    """Bounds of one command: a longer line is cut and marked, more lines a second are dropped.

    `lease`: the host ends the command by itself when it has heard nothing from here for so many seconds. 0: only when
    its connection ends, which may take a quarter of an hour where the network loses every packet.
    """

    line: int = 65_536
    lines_per_second: int = 20_000
    lease: float = 0.0
    dropped: int = field(default=0)


class Running(Protocol):
    """A started command."""

    @property
    def dropped(self) -> int:
        """Lines dropped or cut by a bound so far."""
        ...

    def stop(self) -> None:
        """End it on the host (its standard input closes); returns at once; `closed` follows."""
        ...


class Link(Protocol):
    """One connection. `connect` blocks and raises LinkError; `start` is cheap; `close` ends all commands."""

    options: LinkOptions

    def connect(self) -> None: ...

    @property
    def alive(self) -> bool: ...

    @property
    def broken(self) -> str:
        """Why the connection is no more ("no answer for 10 s"); empty while it is, and after `close`."""
        ...

    @property
    def facts(self) -> dict[str, str]:
        """What was learnt on the way: login_shell_seconds, login_shell_noise (its lines), ssh_server, ssh_cipher."""
        ...

    def start(self, command: str, sink: Sink, *, limits: Limits | None = None, pty: bool = False) -> Running: ...

    def run(self, command: str, timeout: float = 20.0) -> tuple[int | None, str, str]:
        """Run to its end: exit status (None: timed out or cut off), stdout, stderr."""
        ...

    def close(self) -> None: ...
