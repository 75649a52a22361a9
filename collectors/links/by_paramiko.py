"""The default link: one paramiko connection, one channel a command, read by the one poller of the process.

Threads: paramiko's own transport thread per connection marks a channel that has something; the poller reads it.
What may wait for the host (opening a channel, ending one, asking a silent host whether it is there) runs in a
thread that lives only while there is such work.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from collectors.links import config, hostkeys
from collectors.links.base import Limits, LinkError, LinkOptions, Sink
from collectors.links.config import Route
from collectors.links.poller import END_GRACE, POLLER, Command, Commands
from collectors.links.shell import wrap

# What paramiko logs comes back as LinkError; without a handler Python would print it to stderr besides.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECTS = threading.BoundedSemaphore(10)
"""Connects under way at a time in this process: sshd drops connections over MaxStartups (10:30:100)."""

READ = 131_072
"""Bytes taken from one channel in one turn of the poller, so that a flood leaves the others their turn."""

MAX_HOPS = 8


class Incompatible(LinkError):
    """No common algorithm with `offered`: kind ("kex", "host key", "cipher", "mac") -> the server's names."""

    def __init__(self, host: str, why: str, offered: dict[str, list[str]]) -> None:
        super().__init__(host, why, final=True)
        self.offered = offered


class _Transport(paramiko.Transport):
    """Keeps what the server offered, which paramiko forgets when nothing of it fits."""

    offered: dict[str, list[str]] | None = None

    def _really_parse_kex_init(self, m: Any, ignore_first_byte: bool = False) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if self.offered is None:
            self.offered = {
                "kex": list(parsed["kex_algo_list"]),
                "host key": list(parsed["server_key_algo_list"]),
                "cipher": list(parsed["server_encrypt_algo_list"]),
                "mac": list(parsed["server_mac_algo_list"]),
            }
        return parsed


class ParamikoLink(Commands):
    """See base.Link."""

    def __init__(self, options: LinkOptions) -> None:
        super().__init__(options)
        self.heard = time.monotonic()  # when the server last said anything
        self._closed = False
        self._hops: list[_Hop] = []
        self._transport: paramiko.Transport | None = None
        self._chores: deque[Callable[[], None]] = deque()
        self._working = False
        self._probing = False
        self._looked = time.monotonic()

    # -- life ----------------------------------------------------------------------------------------------

    def connect(self) -> None:
        settings = config.read_config(self.options)
        ways = list(reversed(self._ways(settings)))  # the nearest first
        first = ways[0][0]
        try:
            with _turn(first.hostname, first.port):
                # Before the slot, so that hosts that do not answer at all keep none from those that do.
                link: Any = _proxy(first.proxy_command) if first.proxy_command else _dial(self.options, first)
                with CONNECTS:
                    for route, jump in ways:
                        if self._hops:
                            link = self._hops[-1].forward(route, self.options)
                        self._hops.append(_Hop(link))
                        self._hops[-1].open(self.options, route, jump)
            transport = self._hops[-1].transport
        except BaseException:
            self._shut()
            raise
        # A host that dies during a key exchange must not hold up the poller for paramiko's 30 s.
        transport.clear_to_send_timeout = self.options.keepalive
        self._transport = transport
        self.heard = self._looked = time.monotonic()
        POLLER.watch(self)

    def _ways(self, settings: str) -> list[tuple[Route, str]]:
        """The hops from the host (first) to the nearest jump host, each with the jumps before it in ssh's words."""
        out: list[tuple[Route, str]] = []
        hop, before = "", None
        while True:
            route = config.route(self.options, settings, hop)
            jumps = before or route.jumps  # a chain's own order goes before what a hop's lines say
            out.append((route, ",".join(jumps)))
            if not jumps:
                return out
            if len(out) > MAX_HOPS:
                raise LinkError(
                    self.options.host, f"more than {MAX_HOPS} jump hosts: a circle in ProxyJump?", final=True
                )
            hop, before = jumps[-1], jumps[:-1]

    @property
    def alive(self) -> bool:
        transport = self._transport
        if self._closed or transport is None:
            return False
        if not transport.is_active():
            self._ended(transport)  # who sees it first is told why
            return False
        return not self.broken

    def _ended(self, transport: paramiko.Transport) -> None:
        if not self.broken:
            error = transport.get_exception()
            self.broken = "the connection broke" + (f": {error}" if error else "")

    @property
    def facts(self) -> dict[str, str]:
        """As `Commands.facts`, and ssh_server, ssh_cipher."""
        found = super().facts
        if self._transport is not None:
            found["ssh_server"] = self._transport.remote_version
            found["ssh_cipher"] = getattr(self._transport, "remote_cipher", "")
        return found

    def close(self) -> None:
        """End every command (their standard inputs close with the connection) and the connection."""
        if self._closed:
            return
        self._closed = True
        self._shut()

    def _shut(self) -> None:
        for hop in reversed(self._hops):
            hop.close()

    # -- commands ------------------------------------------------------------------------------------------

    def start(self, command: str, sink: Sink, *, limits: Limits | None = None, pty: bool = False) -> Command:
        """Returns at once; where the channel cannot be opened, `closed` says why. Raises LinkError when not alive."""
        if not self.alive:
            raise LinkError(self.options.host, self.broken or "the link is not open")
        channel = _Channel(self, command, sink, limits, pty)
        self.add(channel)
        self.chore(channel.open)
        return channel

    # -- what may wait for the host ------------------------------------------------------------------------

    def chore(self, work: Callable[[], None]) -> None:
        """Do `work` in order, off the caller's thread."""
        with self._lock:
            self._chores.append(work)
            if self._working:
                return
            self._working = True
        threading.Thread(target=self._work, name=f"link {self.options.host}", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._chores:
                    self._working = False
                    return
                work = self._chores.popleft()
            work()

    # -- the watchdog, on the poller's thread --------------------------------------------------------------

    def look(self, now: float) -> None:
        transport = self._transport
        assert transport is not None
        gap = now - self._looked
        self._looked = now
        if gap > self.options.keepalive / 2:
            self.heard += gap  # this process stood still, not the host
        if not transport.is_active():
            if not self._closed:
                self._ended(transport)
            POLLER.forget(self)
        elif now - self.heard > 1.9 * self.options.keepalive:
            self.broken = f"no answer for {now - self.heard:.0f} s"
            POLLER.forget(self)
            threading.Thread(target=self._shut, name=f"close {self.options.host}", daemon=True).start()
        elif now - self.heard > 0.9 * self.options.keepalive and not self._probing:
            self._probing = True
            threading.Thread(target=self._probe, name=f"probe {self.options.host}", daemon=True).start()
        self.tend(now)

    def _probe(self) -> None:
        """Any answer will do; every server must give one (RFC 4254, 4). Without one this ends with the transport."""
        transport = self._transport
        assert transport is not None
        try:
            transport.global_request("keepalive@openssh.com", wait=True)
            if transport.is_active():
                self.heard = time.monotonic()
        except (paramiko.SSHException, OSError, EOFError):
            pass  # the next look sees a transport that is not active
        finally:
            self._probing = False


_TURNS: dict[tuple[str, int], threading.BoundedSemaphore] = {}
_TURNS_LOCK = threading.Lock()


def _turn(hostname: str, port: int) -> threading.BoundedSemaphore:
    """Ten at a time for each server too: a jump host of many counts connections from their first packet."""
    with _TURNS_LOCK:
        return _TURNS.setdefault((hostname, port), threading.BoundedSemaphore(10))


def _dial(options: LinkOptions, route: Route) -> socket.socket:
    """The TCP connection; raises LinkError."""
    where = f"{route.hostname} port {route.port}"
    try:
        return socket.create_connection((route.hostname, route.port), options.connect_timeout)
    except socket.gaierror as e:
        fix = f'in hosts.toml, under [hosts.{options.host}]: address = "…"'
        raise LinkError(options.host, f"the name {route.hostname} cannot be resolved: {e.strerror}", fix) from e
    except TimeoutError as e:
        raise LinkError(options.host, f"{where} did not answer within {options.connect_timeout:g} s") from e
    except OSError as e:
        raise LinkError(options.host, f"{where}: {_reason(e)}") from e


class _Hop:
    """One connection of the chain, over `link`: a socket, a proxy command or a channel of the hop before."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.client: paramiko.SSHClient | None = None

    @property
    def transport(self) -> paramiko.Transport:
        transport = self.client.get_transport() if self.client else None
        assert transport is not None
        return transport

    def open(self, options: LinkOptions, route: Route, jump: str) -> None:
        """Connect and log in, or raise LinkError."""
        host, timeout = options.host, options.connect_timeout
        known = hostkeys.load(route.known_hosts, route.known_as, host)
        missing = [p for p in (options.identity,) if p and not _is_file(p)]
        if missing:
            raise LinkError(host, f"there is no key file {missing[0]}", f"ssh-keygen -f {missing[0]}", final=True)
        identities = [p for p in route.identities if _is_file(p)]
        client = self.client = paramiko.SSHClient()
        strict = hostkeys.Strict(host, route, jump, known)
        client.set_missing_host_key_policy(strict)

        def transport_factory(sock: Any, **more: Any) -> paramiko.Transport:
            transport = _Transport(sock, **more)
            algorithms = transport.get_security_options()
            algorithms.key_types = known.key_types(algorithms.key_types)
            return transport

        where = f"{route.hostname} port {route.port}"
        try:
            client.connect(
                route.hostname,
                route.port,
                route.user,
                key_filename=identities,  # type: ignore[arg-type]  # a list is documented
                pkey=_from_agent(identities) if route.identities_only and route.agent else None,
                allow_agent=route.agent and not route.identities_only,
                look_for_keys=not route.identities_only and not options.identity,
                sock=self.link,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
                channel_timeout=timeout,
                transport_factory=transport_factory,
            )
        except LinkError:
            raise
        except IncompatiblePeer as e:
            offered = getattr(client.get_transport(), "offered", None) or {}
            raise Incompatible(host, f"{where}: {e}", offered) from e
        except paramiko.PasswordRequiredException as e:
            locked = next(iter(identities), "KEY")
            raise LinkError(host, f"{locked} has a passphrase", f"ssh-add {locked}", final=True) from e
        except TimeoutError as e:
            raise LinkError(host, f"{where} did not answer within {timeout:g} s") from e
        except (OSError, EOFError) as e:
            raise LinkError(host, f"{where}: {_reason(e)}") from e
        except paramiko.SSHException as e:
            if strict.accepted:  # the key exchange is over, so it is the login that failed
                raise _refused(host, route, identities, e) from e
            why = str(e)
            if "No existing session" in why:
                why = f"no key exchange within {timeout:g} s"
            elif "banner" in why:
                why = "it is no SSH server, or one with too many logins under way (MaxStartups in its sshd_config)"
            raise LinkError(host, f"{where}: {why}") from e

    def forward(self, route: Route, options: LinkOptions) -> paramiko.Channel:
        """A channel through this hop to the next one."""
        try:
            return self.transport.open_channel(
                "direct-tcpip", (route.hostname, route.port), ("127.0.0.1", 0), timeout=options.connect_timeout
            )
        except paramiko.SSHException as e:
            said = e.text if isinstance(e, paramiko.ChannelException) else e
            via = self.transport.getpeername()[0]
            why = f"the jump host {via} cannot reach {route.hostname} port {route.port}: {said}"
            raise LinkError(options.host, why) from e

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        self.link.close()


def _refused(host: str, route: Route, identities: list[str], e: Exception) -> LinkError:
    keys = ", ".join(identities) or "no key file"
    if route.agent and not route.identities_only:
        keys += " and the agent's keys"
    public = f"-i {identities[0]}.pub " if identities else ""
    fix = f"ssh-copy-id {public}-p {route.port} {route.login}"
    return LinkError(host, f"{route.hostname} refuses to log {route.user} in with {keys}: {e}", fix, final=True)


def _reason(e: BaseException) -> str:
    return (getattr(e, "strerror", None) or str(e) or type(e).__name__).strip()


def _is_file(path: str) -> bool:
    return Path(path).expanduser().is_file()


def _from_agent(identities: list[str]) -> paramiko.PKey | None:
    """The agent's key that is one of `identities` (ssh's IdentitiesOnly uses the agent for just those)."""
    wanted = set()
    for path in identities:
        try:
            with open(f"{path}.pub") as public:
                wanted.add(public.read().split()[1])
        except (OSError, IndexError):
            continue
    try:
        keys = paramiko.Agent().get_keys() if wanted else ()
    except paramiko.SSHException:
        return None
    return next((key for key in keys if key.get_base64() in wanted), None)


class _Proxy(socket.socket):
    """The user's ProxyCommand as a socket; the command ends with it."""

    child: subprocess.Popen[bytes]

    def close(self) -> None:
        super().close()
        self.child.terminate()
        try:
            self.child.wait(2)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def _proxy(command: str) -> _Proxy:
    ours, its = socket.socketpair()
    proxy = _Proxy(fileno=ours.detach())
    with its:
        line = ["/bin/sh", "-c", f"exec {command}"]
        proxy.child = subprocess.Popen(line, stdin=its.fileno(), stdout=its.fileno(), start_new_session=True)
    return proxy


class _Channel(Command):
    """A command on a channel of its own."""

    def __init__(self, link: ParamikoLink, text: str, sink: Sink, limits: Limits | None, pty: bool) -> None:
        super().__init__(link.options.host, text, sink, limits, merged=pty)
        self._link, self._pty = link, pty
        self._channel: paramiko.Channel | None = None
        self._failed = False
        self._status_at = 0.0  # when the exit status was first seen

    def open(self) -> None:
        """As a chore of the link."""
        transport = self._link._transport
        assert transport is not None
        try:
            if self.stopped:
                raise paramiko.SSHException("stopped before it began")
            channel = self._channel = transport.open_session(timeout=self._link.options.connect_timeout)
            channel.setblocking(False)
            if self._pty:
                channel.get_pty(term="dumb", width=1024)
            mark = _Mark(self, self._link)
            channel.in_buffer.set_event(mark)
            channel.in_stderr_buffer.set_event(mark)
            self.began = time.monotonic()
            channel.exec_command(wrap(self.text, self._link.options.shell, self.limits.lease))
        except paramiko.ChannelException as e:
            self.why = f"the server refuses another session ({e.text}): raise MaxSessions in its sshd_config"
            self._failed = True
        except (paramiko.SSHException, OSError, EOFError) as e:
            self.why = self._link.broken or f"its channel cannot be opened: {e}"
            self._failed = True
        POLLER.mark(self)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = time.monotonic()
            self._link.chore(self._end_input)

    def _end_input(self) -> None:
        try:
            if self._channel is not None:
                self._channel.shutdown_write()
        except (paramiko.SSHException, OSError, EOFError):
            pass  # closed already, which ends it as well
        POLLER.mark(self)

    def beat(self) -> None:
        self._link.chore(self._send_beat)

    def _send_beat(self) -> None:
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError):  # the link, or the next beat, tells
            if self._channel is not None and not self.stopped:
                self._channel.send(b"\n")

    # -- on the poller's thread ----------------------------------------------------------------------------

    def read(self, at: float) -> bool:
        channel = self._channel
        if channel is None:
            return False
        if channel.recv_ready():
            self.take_out(at, channel.recv(READ))
        if channel.recv_stderr_ready():
            self.take_err(at, channel.recv_stderr(READ))
        return channel.recv_ready() or channel.recv_stderr_ready()

    def ending(self) -> bool:
        channel = self._channel
        if self._failed or self.stopped:
            return True
        return channel is not None and bool(channel.closed or channel.eof_received or channel.exit_status_ready())

    def over(self) -> bool:
        channel = self._channel
        if self._failed:
            return True
        now = time.monotonic()
        if self.stopped and now - self.stopped > END_GRACE:
            return True
        if channel is None:
            return bool(self.stopped) and not self._link.alive
        if channel.recv_ready() or channel.recv_stderr_ready():
            return False
        if channel.closed:
            return True
        if not channel.exit_status_ready():
            return False
        # A process left behind may hold the outputs open for ever: the status is the end, a second later.
        self._status_at = self._status_at or now
        return bool(channel.eof_received) or now - self._status_at > 1.0

    def release(self) -> int | None:
        self._link.gone(self)
        channel = self._channel
        if channel is None:
            return None
        status = channel.recv_exit_status() if channel.exit_status_ready() else -1
        if not channel.closed:
            self._link.chore(channel.close)
        if status < 0 and not self.why and not self.stopped:
            self.why = self._link.broken or ("a signal ended it" if self._link.alive else "the connection broke")
        return None if status < 0 else status


class _Mark(threading.Event):
    """What paramiko's buffers set when something has come: it tells the poller."""

    def __init__(self, command: _Channel, link: ParamikoLink) -> None:
        super().__init__()
        self._command, self._link = command, link

    def set(self) -> None:
        self._link.heard = time.monotonic()
        POLLER.mark(self._command)

    def clear(self) -> None:
        """The poller looks at the buffers themselves."""
