"""A link that drives the system's own `ssh`: for hosts whose algorithms, Kerberos or hardware keys paramiko lacks.

One master connection (`ssh -M -N`) with its control socket in a private folder, and one small ssh child per command
that hands its pipes to the master; the poller reads them. The master is run by the same wrapper as remote commands:
it ends with its standard input, so it cannot outlive this process whatever ends it, and with it end its children
and, on the host, the commands.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from shlex import join, quote
from typing import IO

from collectors.links import config, hostkeys, weak
from collectors.links.base import Limits, LinkError, LinkOptions, Sink
from collectors.links.by_paramiko import CONNECTS
from collectors.links.poller import END_GRACE, POLLER, Command, Commands
from collectors.links.shell import MARK, argv, wrap

READ = 131_072


_NUMBERS = itertools.count()


@cache
def _folder() -> Path:
    """Where the control sockets of this process are; not under a long TMPDIR, as their paths have 107 bytes.

    Removed at exit, and by the next process where this one was killed.
    """
    for old in Path("/tmp").glob("zonescope-ssh-*-*"):  # noqa: S108 (mkdtemp's, mode 0700)
        with contextlib.suppress(OSError):
            if old.lstat().st_uid == os.getuid() and not _runs(int(old.name.split("-")[2])):
                shutil.rmtree(old)
    folder = Path(tempfile.mkdtemp(prefix=f"zonescope-ssh-{os.getpid()}-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class OpensshLink(Commands):
    """See base.Link. Raises LinkError from `connect` with what ssh said."""

    def __init__(self, options: LinkOptions) -> None:
        super().__init__(options)
        self._socket = _folder() / f"{next(_NUMBERS)}"
        self._master: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._closed = False

    # -- life ----------------------------------------------------------------------------------------------

    def connect(self) -> None:
        host = self.options.host
        if shutil.which("ssh") is None:
            raise LinkError(host, "this machine has no ssh", "apt install openssh-client", final=True)
        with CONNECTS:
            master = join(["exec", "ssh", *self._arguments("INFO"), "-M", "-N", self.options.address or host])
            self._master = subprocess.Popen(
                argv(f"{master} 2>&1"),
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            # ssh bounds each step by ConnectTimeout itself; this bound is for a login that hangs.
            end = time.monotonic() + 3 * self.options.connect_timeout
            try:
                while not self._socket.exists():
                    if self._master.poll() is not None:
                        raise refusal(self.options, self._what_it_said())
                    if time.monotonic() > end:
                        raise LinkError(host, f"ssh did not log in within {3 * self.options.connect_timeout:g} s")
                    time.sleep(0.02)
            except BaseException:
                self.close()
                raise
        POLLER.watch(self)

    def _arguments(self, level: str, pty: bool = False) -> list[str]:
        """What every ssh of this link is given before the host's name; why a login fails is told at level INFO."""
        o = self.options
        settings = {
            "ControlPath": str(self._socket),
            "ControlPersist": "no",
            "ClearAllForwardings": "yes",
            "ForwardX11": "no",
            "ForwardAgent": "no",
            "PermitLocalCommand": "no",
            "RemoteCommand": "none",
            "RequestTTY": "force" if pty else "no",
            "LogLevel": level,
        }
        out = [*self._common(), *(x for k, v in settings.items() for x in ("-o", f"{k}={v}"))]
        if o.port:
            out += ["-p", str(o.port)]
        if o.user:
            out += ["-l", o.user]
        if o.jump:
            out += ["-o", f"ProxyCommand={self._proxy(o.jump.split(','))}"]
        return out

    def _common(self) -> list[str]:
        """What holds for the host and its jump hosts alike."""
        o = self.options
        settings = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UpdateHostKeys": "no",
            "ConnectTimeout": f"{max(1, round(o.connect_timeout))}",
            "ServerAliveInterval": f"{max(1, int(o.keepalive))}",
            "ServerAliveCountMax": "1",
        }
        if o.known_hosts:
            settings["UserKnownHostsFile"] = o.known_hosts
        out = [x for k, v in settings.items() for x in ("-o", f"{k}={v}")]
        if o.ssh_config:
            out += ["-F", o.ssh_config]
        if o.identity:
            out += ["-i", o.identity]
        if o.allow_weak:
            out += weak.ssh_options()
        return out

    def _proxy(self, hops: list[str]) -> str:
        """The ProxyCommand through `hops` (nearest first); ssh's own -J would not pass our options on."""
        *before, last = [hop.strip() for hop in hops]
        user, _, rest = last.rpartition("@")
        name, port = config.host_port(rest)
        out = ["ssh", *self._common(), "-W", "[%h]:%p"]
        if before:
            out += ["-o", "ProxyCommand=" + self._proxy(before).replace("%", "%%")]
        out += (["-l", user] if user else []) + (["-p", str(port)] if port else []) + [name]
        return join(out)

    def _what_it_said(self) -> str:
        # not seek and read: ssh writes at the same file offset
        text = os.pread(self._said.fileno(), 65_536, 0).decode("utf-8", "replace")
        return "\n".join(line for line in text.splitlines() if line.strip() and not line.endswith(MARK))

    @property
    def alive(self) -> bool:
        if self._closed or self._master is None:
            return False
        if self._master.poll() is not None:
            self._ended()  # who sees it first is told why
        return not self.broken

    def _ended(self) -> None:
        if not self.broken:
            said = self._what_it_said()
            self.broken = "the connection broke" + (f": {said.splitlines()[-1]}" if said else "")

    def look(self, now: float) -> None:
        if self._closed or self._master is None:
            POLLER.forget(self)
        elif self._master.poll() is not None:
            self._ended()
            POLLER.forget(self)
        self.tend(now)

    def close(self) -> None:
        """End the master, and with it every command."""
        if self._closed:
            return
        self._closed = True
        with self._lock:
            commands = list(self._commands)
        for command in commands:
            command.stop()
        if self._master and self._master.stdin:
            self._master.stdin.close()
            self._master.wait()
        self._said.close()

    # -- commands ------------------------------------------------------------------------------------------

    def start(self, command: str, sink: Sink, *, limits: Limits | None = None, pty: bool = False) -> Command:
        """Returns at once. Raises LinkError when not alive."""
        if not self.alive:
            raise LinkError(self.options.host, self.broken or "the link is not open")
        child = subprocess.Popen(
            [
                "ssh",
                *self._arguments("ERROR", pty),
                self.options.address or self.options.host,
                wrap(command, self.options.shell, limits.lease if limits else 0),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at our terminal is ours to answer
        )
        made = _Child(self, child, command, sink, limits, pty)
        self.add(made)
        made.watch()
        return made


class _Child(Command):
    """A command behind an ssh child, whose pipes the poller reads."""

    def __init__(
        self,
        link: OpensshLink,
        child: subprocess.Popen[bytes],
        text: str,
        sink: Sink,
        limits: Limits | None,
        pty: bool,
    ) -> None:
        super().__init__(link.options.host, text, sink, limits, merged=pty)
        assert child.stdin
        assert child.stdout
        assert child.stderr
        self._link, self._child, self._input = link, child, child.stdin
        self._outputs = {child.stdout: self.take_out, child.stderr: self.take_err}
        self._ended_at = 0.0  # when the child was first seen to have ended

    def watch(self) -> None:
        os.set_blocking(self._input.fileno(), False)
        for pipe in self._outputs:
            os.set_blocking(pipe.fileno(), False)
            POLLER.add_fd(pipe.fileno(), self)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = time.monotonic()
            with contextlib.suppress(BrokenPipeError):
                self._input.close()
            POLLER.mark(self)

    def beat(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the child has ended, or its input is closed just now
            os.write(self._input.fileno(), b"\n")

    # -- on the poller's thread ----------------------------------------------------------------------------

    def read(self, at: float) -> bool:
        for pipe, take in list(self._outputs.items()):
            try:
                data = os.read(pipe.fileno(), READ)
            except BlockingIOError:
                continue
            if data:
                take(at, data)
            else:
                self._drop(pipe)
        return False  # what is left is still readable in the next turn

    def _drop(self, pipe: IO[bytes]) -> None:
        del self._outputs[pipe]
        POLLER.drop_fd(pipe.fileno())
        pipe.close()

    def ending(self) -> bool:
        return bool(self.stopped) or not self._outputs or self._child.poll() is not None

    def over(self) -> bool:
        now = time.monotonic()
        if self.stopped and now - self.stopped > END_GRACE:
            return True
        if self._child.poll() is None:
            return False
        # A process left behind may hold the outputs open for ever: the child's end is the end, a second later.
        self._ended_at = self._ended_at or now
        return not self._outputs or now - self._ended_at > 1.0

    def release(self) -> int | None:
        self._link.gone(self)
        for pipe in list(self._outputs):
            self._drop(pipe)
        status = self._child.poll()
        if status is None:
            self._child.kill()
            threading.Thread(target=self._child.wait, name="reap ssh", daemon=True).start()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        if status is not None and 0 <= status < 255:  # ssh's own failures are 255
            return status
        if not self.why and not self.stopped:
            self.why = self._link.broken or ("a signal ended it" if self._link.alive else "the connection broke")
        return None


def refusal(options: LinkOptions, said: str) -> LinkError:
    """What ssh said on stderr as a LinkError with the fix."""
    host = options.host
    last = said.splitlines()[-1] if said else "ssh ended without a word"
    if "Unable to negotiate" in said:
        offer = re.search(r"no matching (.*?) found\. Their offer: (\S+)", said)
        names = [n for n in offer[2].split(",") if not n.startswith(("kex-strict-", "ext-info-"))] if offer else []
        what = f"it offers only {', '.join(names)} as {offer[1]}" if offer else last
        if options.allow_weak:
            return LinkError(host, f"no common algorithm, weak ones included: {what}", final=True)
        return not_allowed(host, what)
    if "HOST IDENTIFICATION HAS CHANGED" in said or "host key is known for" in said or "Host key verification" in said:
        try:
            route = config.route(options, config.read_config(options))
        except LinkError:  # ssh follows what paramiko cannot
            bare = replace(options, ssh_config=os.devnull)
            route = config.route(bare, config.read_config(bare))
        if "HAS CHANGED" in said:
            return hostkeys.changed(host, route)
        return hostkeys.unknown(host, route, options.jump)
    if "REVOKED HOST KEY" in said:
        return LinkError(host, f"its host key is marked @revoked: {last}", final=True)
    if "Permission denied" in said or "Too many authentication failures" in said:
        who = f"{options.user}@" if options.user else ""
        key = f"-i {quote(options.identity + '.pub')} " if options.identity else ""
        port = f"-p {options.port} " if options.port else ""
        return LinkError(host, last, f"ssh-copy-id {key}{port}{who}{options.address or host}", final=True)
    if "Bad configuration option" in said or "Bad owner or permissions" in said or "terminating," in said:
        return LinkError(host, said.splitlines()[0], f"mend {options.ssh_config or '~/.ssh/config'}", final=True)
    if "Could not resolve hostname" in said:
        return LinkError(host, last, f'in hosts.toml, under [hosts.{host}]: address = "…"')
    if forward := re.search(r"open failed: (.*)", said):
        return LinkError(host, f"the jump host cannot reach {options.address or host}: {forward[1]}")
    return LinkError(host, last)


def not_allowed(host: str, what: str) -> LinkError:
    """Weak algorithms that the inventory does not allow."""
    return LinkError(host, f"{what}; zonescope speaks these only where allowed", allow_line(host), final=True)


def allow_line(host: str) -> str:
    """The lines of hosts.toml that allow them."""
    return f"in hosts.toml, under [hosts.{host}]: allow_weak = true"
