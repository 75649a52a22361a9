"""The user's ssh_config, known_hosts and the inventory's options, as what one connection needs."""

from __future__ import annotations

import getpass
import glob
import re
from dataclasses import dataclass
from pathlib import Path

import paramiko

from collectors.links.base import LinkError, LinkOptions

USER_CONFIG = Path("~/.ssh/config")
SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_LINE = re.compile(r"^\s*(?P<key>[A-Za-z]+)(?:\s*=\s*|\s+)(?P<value>.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Route:
    """One hop: where to, as whom, with what. `known_as` is the name its key has in `known_hosts`."""

    hostname: str
    port: int
    user: str
    known_as: str
    identities: tuple[str, ...]
    identities_only: bool
    agent: bool
    known_hosts: tuple[Path, ...]
    jumps: tuple[str, ...]
    """ProxyJump's hops, nearest first, each "[user@]host[:port]"."""
    proxy_command: str

    @property
    def login(self) -> str:
        return f"{self.user}@{self.hostname}"


def config_text(path: Path, depth: int = 0) -> str:
    """An ssh_config with its `Include`s in place, which paramiko does not follow itself.

    After an included file the block that it stood in is opened again. Files that are missing are empty.
    """
    try:
        text = path.expanduser().read_text(errors="replace")
    except OSError:
        return ""
    out: list[str] = []
    block = "Host *"
    for line in text.splitlines():
        match = _LINE.match(line)
        key = match["key"].lower() if match else ""
        if key in ("host", "match"):
            block = line
        if match and key == "include" and depth < 16:
            for pattern in match["value"].split():
                place = Path(pattern.strip('"')).expanduser()
                if not place.is_absolute():
                    place = (path.parent if path == SYSTEM_CONFIG else USER_CONFIG.expanduser().parent) / place
                for name in sorted(glob.glob(str(place))):
                    out += [config_text(Path(name), depth + 1), block]
            continue
        out.append(line)
    return "\n".join(out)


def read_config(options: LinkOptions) -> str:
    """`options.ssh_config` alone, else the user's and then the system's, as one text.

    Raises LinkError on a Match that paramiko would pass over in silence.
    """
    if options.ssh_config:
        text = config_text(Path(options.ssh_config))
    else:
        text = config_text(USER_CONFIG) + "\nHost *\n" + config_text(SYSTEM_CONFIG)
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and match["key"].lower() == "match" and (word := _unknown_criterion(match["value"])):
            raise _unreadable(options, f"{line.strip()!r} (Match {word})")
    return text


def _unknown_criterion(criteria: str) -> str:
    words = iter(criteria.replace("=", " ").replace('"', " ").split())
    for word in words:
        name = word.removeprefix("!").lower()
        if name in ("host", "originalhost", "user", "localuser"):
            next(words, None)
        elif name == "exec":
            return ""  # the rest is a command; paramiko says so if it cannot run it
        elif name not in ("all", "canonical", "final"):
            return name
    return ""


def _unreadable(options: LinkOptions, what: object) -> LinkError:
    where = options.ssh_config or f"{USER_CONFIG} or {SYSTEM_CONFIG}"
    why = f"{where} has something that the paramiko link cannot follow: {what}"
    return LinkError(options.host, why, f'in hosts.toml, under [hosts.{options.host}]: link = "openssh"', final=True)


def route(options: LinkOptions, text: str, hop: str = "") -> Route:
    """The route to `options`' host, or to one `hop` of its jump chain (which has its own lines in the config)."""
    user, port, target = options.user, options.port, options.address or options.host
    if hop:
        user, _, rest = hop.rpartition("@")
        target, port = host_port(rest)
    # First value wins, as with ssh's own options; so a ProxyCommand's %p and %r are ours too.
    ours = "Host *\n" + (f"Port {port}\n" if port else "") + (f"User {user}\n" if user else "")
    try:
        found = paramiko.SSHConfig.from_text(f"{ours}Host *\n{text}").lookup(target)
    except Exception as e:  # paramiko raises bare Exceptions here too: a Match exec that needs a package, …
        raise _unreadable(options, e) from e
    identities = ([options.identity] if options.identity else []) + list(found.get("identityfile", []))
    if options.known_hosts:
        known = [options.known_hosts]
    else:
        known = found.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
        known += found.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2").split()
    jump = ("" if hop else options.jump) or found.get("proxyjump", "")
    command = found.get("proxycommand", "")
    number = int(found.get("port", 22))
    hostname = found.get("hostname", target)
    alias = found.get("hostkeyalias", "")
    return Route(
        hostname=hostname,
        port=number,
        user=found.get("user", "") or getpass.getuser(),
        known_as=alias or (hostname if number == 22 else f"[{hostname}]:{number}"),
        identities=tuple(str(Path(p).expanduser()) for p in identities),
        identities_only=found.get("identitiesonly", "no").lower() == "yes",
        agent=found.get("identityagent", "").lower() != "none",
        known_hosts=tuple(Path(p).expanduser() for p in known),
        jumps=() if jump.lower() in ("", "none") else tuple(j.strip() for j in jump.split(",")),
        # the inventory's jump goes before the config's command
        proxy_command="" if command.lower() == "none" or (options.jump and not hop) else command,
    )


def host_port(text: str) -> tuple[str, int]:
    """ "host", "host:22", "[::1]:22", "::1" as (host, port or 0)."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host, int(port) if port.isdigit() else 0
