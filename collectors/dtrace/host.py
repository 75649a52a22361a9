"""What a host's dtrace can do: the probes that it has, and what its complaints mean and how to mend them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from collectors.base import OS
from collectors.dtrace import scripts
from collectors.dtrace.recipes import RECIPES

_PRIVILEGES = "usermod -K defaultpriv=basic,dtrace_kernel,dtrace_proc,dtrace_user USER; then log in anew"
_ROOT = "log in as root, or give the user a sudo rule for dtrace"

_COMPLAINTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        r"requires additional privileges|run as root|[Pp]ermission denied|Not permitted",
        "dtrace needs more privileges than this user has",
        {"": _PRIVILEGES, "linux": _ROOT, "freebsd": _ROOT},
    ),
    (
        r'invalid probe specifier .*"\S*/io\.d", line \d+',
        "this kernel hides what dtrace's own io.d names, so that no D program at all compiles here",
        {"": "", "linux": "a kernel with CONFIG_KALLSYMS_ALL, or a dtrace whose io.d fits this kernel"},
    ),
    (
        r"DTrace device not available|/dev/dtrace\S*: No such file",
        "the system's dtrace is not loaded",
        {"": "svcadm enable svc:/system/dtrace; modload dtrace", "freebsd": "kldload dtraceall"},
    ),
    (
        r"dtrace: (?:command )?not found|exec: dtrace|No such file or directory",
        "there is no dtrace command",
        {
            "": "pkg install system/dtrace (Solaris 10: package SUNWdtrp)",
            "linux": "install dtrace (Debian sid and Oracle Linux have it)",
            "freebsd": "install the base set with dtrace",
        },
    ),
    (r"probe description (?P<probe>\S+) does not match any probes", "the host has no probe {probe}", {"": ""}),
    (r"Destructive actions not allowed", "the program contains a destructive action", {"": ""}),
    (r"systemic unresponsiveness", "dtrace gave up: the host is too loaded to answer it", {"": "ask for less"}),
)


def explain(lines: Iterable[str], os: OS) -> tuple[str, str] | None:
    """What dtrace's words on stderr mean and how to mend it, None if they mean nothing that is known."""
    text = "\n".join(lines)
    for pattern, why, fixes in _COMPLAINTS:
        m = re.search(pattern, text)
        if m:
            return why.format(**m.groupdict()), fixes.get(os, fixes[""])
    return None


def listing(name: str, os: OS) -> str:
    """The sh command that lists those probes of the host that `name`, a metric or a script, may use on `os`."""
    wanted = [p for r in RECIPES if r.metric == name and os in r.systems for p in r.probes]
    wanted += [p for s in scripts.load() if s.name == name and os in s.systems for p in s.probes]
    return "dtrace -l " + " ".join(f"-n '{p}'" for p in dict.fromkeys(wanted)) + " 2>/dev/null"


def probes(text: str) -> list[str]:
    """provider:module:function:name of each line of `dtrace -l`; columns may be empty, none holds a blank."""
    out = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or not fields[0].isdigit():
            continue
        _, provider, *middle, probe = fields
        module, function = (*middle, "", "")[:2]
        out.append(f"{provider}:{module}:{function}:{probe}")
    return out
