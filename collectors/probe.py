"""What a host is and which sources work there: one short command, answered in lines of name=value.

The command is plain Bourne shell (Solaris 10's /bin/sh has no $(…)); every line of it stands alone, so that a
host that lacks a tool loses one fact and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from collectors.base import OS, SYSTEMS, Context, Source, Variant

FACTS = r"""
: zonescope facts
echo "sysname=`uname -s`"
echo "release=`uname -r`"
echo "version=`uname -v`"
echo "machine=`uname -m`"
echo "nodename=`uname -n`"
echo "now=`date +%s 2>/dev/null | grep '^[0-9]*$' || nawk 'BEGIN{srand();print srand()}' 2>/dev/null`"
test -r /etc/release && echo "etc_release=`sed -n '/[^ ]/{p;q;}' /etc/release`"
test -r /etc/os-release && echo "os_release=`sed -n 's/^PRETTY_NAME=//p' /etc/os-release`"
echo "ncpu=`psrinfo 2>/dev/null | egrep -vc 'off-line|faulted|spare|powered-off|disabled'`"
test -r /proc/cpuinfo && echo "ncpu=`grep -c '^processor' /proc/cpuinfo`"
test -x /sbin/sysctl && echo "ncpu=`sysctl -n hw.ncpu 2>/dev/null`"
echo "memory_mb=`prtconf 2>/dev/null | sed -n 's/^Memory size: *\([0-9]*\).*/\1/p'`"
test -r /proc/meminfo && echo "memory_kb=`sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo`"
test -x /sbin/sysctl && echo "memory=`sysctl -n hw.physmem 2>/dev/null`"
echo "boot_time=`kstat -p unix:0:system_misc:boot_time 2>/dev/null | awk '{print $2}'`"
test -r /proc/stat && echo "boot_time=`sed -n 's/^btime //p' /proc/stat`"
test -x /sbin/sysctl && echo "boot_time=`sysctl -n kern.boottime 2>/dev/null | sed 's/.* sec = \([0-9]*\).*/\1/'`"
echo "page_size=`pagesize 2>/dev/null || getconf PAGESIZE 2>/dev/null`"
test -d /sys/fs/cgroup && echo "cgroup=`test -r /sys/fs/cgroup/cgroup.controllers && echo v2 || echo v1`"
echo "zonename=`zonename 2>/dev/null`"
test -r /sys/class/dmi/id/product_name && echo "model=`cat /sys/class/dmi/id/product_name 2>/dev/null`"
echo "dtrace_at=`(IFS=:; for d in $PATH; do test -x $d/dtrace && echo $d/dtrace; done; echo none) | sed 1q`"
echo "user=`(id -un || /usr/xpg4/bin/id -un) 2>/dev/null`"
"""


def probe_line(source: Source, variant: Variant) -> str:
    """One line of sh that says whether `variant` works: 'probe:<source>:<variant>=<exit status>'."""
    return f'( {variant.probe} ) >/dev/null 2>&1 </dev/null; echo "probe:{source.name}:{variant.name}=$?"'


def probes(sources: Iterable[Source], os: OS) -> str:
    """The sh text that probes every variant of `sources` that claims to work on `os`."""
    return "\n".join(
        [
            ": zonescope probes",
            *(probe_line(source, variant) for source in sources for variant in source.variants_for(os)),
        ]
    )


def read(text: str) -> dict[str, str]:
    """name=value lines as a dict; empty values never replace one that is there."""
    out: dict[str, str] = {}
    for line in text.splitlines():
        name, sep, value = line.strip().partition("=")
        value = value.strip().strip('"')
        if sep and value and re.fullmatch(r"[\w:+.-]+", name):
            out[name] = value
    return out


class UnknownSystem(ValueError):
    """uname says something that no source knows."""


def system(facts: dict[str, str]) -> OS:
    """The system of a host from its facts.

    SunOS 5.10 is Solaris 10; 5.11 is Solaris 11 where uname -v starts with "11." (or the release file names
    Oracle Solaris), else illumos. Raises UnknownSystem naming what uname said.
    """
    name, release = facts.get("sysname", ""), facts.get("release", "")
    if name == "SunOS" and release == "5.10":
        return "solaris10"
    if name == "SunOS" and release == "5.11":
        oracle = "Oracle Solaris" in facts.get("etc_release", "") or facts.get("version", "").startswith("11.")
        return "solaris11" if oracle else "illumos"
    if name == "Linux":
        return "linux"
    if name == "FreeBSD":
        return "freebsd"
    raise UnknownSystem(f"uname says {name or 'nothing'} {release}; known are {', '.join(SYSTEMS)}")


def title(facts: dict[str, str]) -> str:
    """The system in a few words: 'Oracle Solaris 10 8/11 s10x_u10', 'Debian GNU/Linux 12', 'OmniOS …'."""
    text = facts.get("etc_release") or facts.get("os_release")
    return text or f"{facts.get('sysname', '?')} {facts.get('release', '')}".strip()


def normalise(facts: dict[str, str]) -> dict[str, str]:
    """Facts in SI: memory in bytes; helper keys removed."""
    out = {k: v for k, v in facts.items() if not k.startswith("probe:") and k not in ("memory_mb", "memory_kb")}
    for name, unit in (("memory_mb", 1024 * 1024), ("memory_kb", 1024)):
        if facts.get(name, "").isdigit():
            out["memory"] = str(int(facts[name]) * unit)
    return out


@dataclass(frozen=True, slots=True)
class Missing:
    """A source that does not work on a host: why, and the exact fix."""

    source: str
    why: str
    fix: str


@dataclass(slots=True)
class HostFacts:
    """What the probe learnt: system, facts, the variant of each wanted source, what is missing."""

    os: OS
    facts: dict[str, str]
    chosen: dict[str, Variant] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)


def choose(os: OS, facts: dict[str, str], wanted: Iterable[Source], answers: dict[str, str]) -> HostFacts:
    """Pick each wanted source's first variant whose probe said 0; say what is missing and how to mend it."""
    out = HostFacts(os, facts)
    for source in wanted:
        variants = source.variants_for(os)
        if not variants:
            systems = sorted({s for v in source.variants for s in v.systems})
            out.missing.append(
                Missing(source.name, f"{source.name} has no form for {os} (only {', '.join(systems)})", "")
            )
            continue
        for variant in variants:
            if answers.get(f"probe:{source.name}:{variant.name}") == "0":
                out.chosen[source.name] = variant
                break
        else:
            said = answers.get(f"probe:{source.name}:{variants[-1].name}", "no answer")
            why = f"its probe `{variants[-1].probe}` said {said}"
            out.missing.append(Missing(source.name, why, variants[-1].fix))
    return out


def context(host: str, facts: HostFacts, interval: float, options: dict[str, str]) -> Context:
    """The context of a command: facts of the host, inventory options as 'option:<name>'."""
    return Context(host, facts.os, interval, {**facts.facts, **{f"option:{k}": v for k, v in options.items()}})
