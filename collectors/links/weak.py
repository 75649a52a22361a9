"""The algorithms of SunSSH 1.1 and its age: what they are called, and how the system's ssh is told to speak them."""

from __future__ import annotations

import subprocess
from functools import cache

WEAK: dict[str, tuple[str, ...]] = {
    "kex": (
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group-exchange-sha1",
        "diffie-hellman-group1-sha1",
    ),
    "host key": ("ssh-rsa", "ssh-dss"),
    "cipher": ("aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc"),
    "mac": ("hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"),
}
"""Per kind, best first. SunSSH 1.1: gex-sha1 and group1-sha1; both host keys; aes128-ctr, -cbc, 3des; sha1, md5."""

_QUERY = {"kex": "kex", "host key": "key", "cipher": "cipher", "mac": "mac"}
_OPTION = {
    "kex": ("KexAlgorithms",),
    "host key": ("HostKeyAlgorithms", "PubkeyAcceptedAlgorithms"),
    "cipher": ("Ciphers",),
    "mac": ("MACs",),
}


def weak_of(offered: dict[str, list[str]]) -> dict[str, list[str]]:
    """The weak ones among what a server offered, by kind; kinds without any are left out."""
    found = {kind: [name for name in offered.get(kind, []) if name in names] for kind, names in WEAK.items()}
    return {kind: names for kind, names in found.items() if names}


def named(algorithms: dict[str, list[str]]) -> str:
    """For a sentence: "kex diffie-hellman-group1-sha1; cipher 3des-cbc"."""
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in algorithms.items())


@cache
def _spoken(kind: str) -> frozenset[str]:
    """What this machine's ssh still has (newer ones lack ssh-dss); it refuses to start over a name it lacks."""
    answer = subprocess.run(["ssh", "-Q", _QUERY[kind]], capture_output=True, text=True, check=False, timeout=10)
    return frozenset(answer.stdout.split())


def ssh_options() -> list[str]:
    """`-o` arguments that let the system's ssh speak the weak algorithms after all better ones."""
    out = []
    for kind, names in WEAK.items():
        spoken = [name for name in names if name in _spoken(kind)]
        for option in _OPTION[kind]:
            if spoken:
                out += ["-o", f"{option}=+{','.join(spoken)}"]
    return out
