"""Strict host keys: only what known_hosts says is let in; everything else is refused with the command that fixes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import paramiko
from paramiko.hostkeys import HostKeyEntry

from collectors.links.base import LinkError
from collectors.links.config import Route


@dataclass(frozen=True, slots=True)
class Known:
    """The keys that known_hosts has for one name, and the base64 of those marked @revoked."""

    keys: tuple[paramiko.PKey, ...]
    revoked: frozenset[str]

    def key_types(self, supported: Iterable[str]) -> list[str]:
        """`supported` signature algorithms with those of known keys first, so that the server shows such a key."""
        wanted = {t for key in self.keys for t in _signatures(key.get_name())}
        return sorted(supported, key=lambda t: t not in wanted)


def load(files: Iterable[Path], name: str, host: str) -> Known:
    """What `files` (missing ones are empty) say of `name`: "host", "[host]:port" or an alias.

    Plain and hashed names, patterns with * ? and ! as sshd(8) describes. Lines that paramiko cannot read, and
    @cert-authority lines, count for nothing. Raises LinkError where a file is there but cannot be read.
    """
    keys: list[paramiko.PKey] = []
    revoked: set[str] = set()
    for path in files:
        try:
            lines = path.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            continue
        except OSError as e:
            raise LinkError(host, f"{path} cannot be read: {e.strerror}", f"chmod u+r {path}", final=True) from e
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if len(fields) > 3 and fields[0] == "@revoked":
                revoked.add(fields[3])
            if len(fields) < 3 or fields[0][0] in "#@" or not _matches(fields[0].split(","), name):
                continue
            try:
                entry = HostKeyEntry.from_line(line, number)
            except paramiko.SSHException:
                continue
            if entry is not None and entry.key is not None:
                keys.append(entry.key)
    return Known(tuple(keys), frozenset(revoked))


def _matches(patterns: list[str], name: str) -> bool:
    found = False
    for pattern in patterns:
        if pattern.startswith("|1|"):
            found = found or paramiko.HostKeys.hash_host(name.lower(), pattern) == pattern
            continue
        text = re.escape(pattern.removeprefix("!").lower()).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(text, name.lower()):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _signatures(key_type: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)


class Strict(paramiko.MissingHostKeyPolicy):
    """Asked for every key that a server shows; raises LinkError unless it is known. `accepted`: it was."""

    def __init__(self, host: str, route: Route, jump: str, known: Known) -> None:
        self._host, self._route, self._jump, self._known = host, route, jump, known
        self.accepted = False

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if key.get_base64() in self._known.revoked:
            why = f"the host key of {self._route.known_as} is marked @revoked in known_hosts"
            raise LinkError(self._host, why, final=True)
        if key in self._known.keys:
            self.accepted = True
            return
        shown = f" (it showed {key.get_name()} {key.fingerprint})"
        if any(k.get_name() == key.get_name() for k in self._known.keys):
            raise changed(self._host, self._route, shown)
        raise unknown(self._host, self._route, self._jump, shown)


def unknown(host: str, route: Route, jump: str = "", said: str = "") -> LinkError:
    """No key of it is known: ssh-keyscan adds one, to be compared with the host's own."""
    if jump:
        fix = f"ssh -J {quote(jump)} -p {route.port} {route.login} true"
    else:
        fix = f"ssh-keyscan -p {route.port} {route.hostname} >> {route.known_hosts[0]}"
    return LinkError(host, f"the host key of {route.known_as} is not in {route.known_hosts[0]}{said}", fix, final=True)


def changed(host: str, route: Route, said: str = "") -> LinkError:
    """Another key than the one known: reinstalled, or not the host it says it is."""
    file = next((f for f in route.known_hosts if f.exists()), route.known_hosts[0])
    why = f"the host key of {route.known_as} is not the one in {file}{said}: reinstalled, or somebody in between"
    return LinkError(host, why, f"ssh-keygen -R {quote(route.known_as)} -f {file}", final=True)
