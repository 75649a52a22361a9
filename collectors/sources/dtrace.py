"""The one standing D question: latency of each disk I/O as a histogram per device (docs/dtrace.md).

Other questions are asked from a page and pass `collectors.dtrace.door`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from collectors.base import OS, Context, Parser, Source, Variant
from collectors.dtrace import compose, framing, scripts
from frames.metrics import question

STANDING = question("disk_io/by=device,latency")

ALIASES = (
    r"(iostat -x; echo zs1; iostat -xn) 2>/dev/null </dev/null | "
    r"""awk '/^zs1/ { second = 1; next } NF < 6 || $1 == "device" || $NF == "device" { next } """
    r"""second { if (n && name[++i] != "") print "zs1 alias", name[i], $NF; next } { name[++n] = $1 }'; """
)
"""`iostat -x` names disks as the kernel does and `iostat -xn` as people do, in the same order."""


def standing_program(ctx: Context) -> str:
    """The D program of the standing question."""
    return compose.program(STANDING, ctx.os, interval=max(1, round(ctx.interval)))


def _command(ctx: Context) -> str:
    run = compose.command(standing_program(ctx))
    return (ALIASES if ctx.os in ("solaris10", "solaris11", "illumos") else "") + run


_QUESTION, _NAMES = "option:dtrace question", "option:dtrace names"


def recorded_as(facts: Mapping[str, str], name: str, names: Mapping[str, str]) -> dict[str, str]:
    """`facts` of a host with what `_parser` must know of a question or script that a page asked."""
    return {**facts, _QUESTION: name, _NAMES: json.dumps(dict(names))}


def _parser(ctx: Context) -> Parser:
    """Of the standing question, or of what a recording says was asked. Raises QuestionError for what is neither."""
    name = ctx.facts.get(_QUESTION, STANDING.id)
    script = next((s for s in scripts.load() if s.name == name), None)
    names = {str(k): str(v) for k, v in dict(json.loads(ctx.facts.get(_NAMES, "{}"))).items()}
    return framing.FrameParser(ctx, script.expected if script else question(name), names)


LEASE = 60.0
"""Seconds that a D program goes on where its host hears nothing from here."""

FIX: dict[OS, str] = {
    "solaris10": "usermod -K defaultpriv=basic,dtrace_kernel,dtrace_proc,dtrace_user USER; then log in anew",
    "solaris11": "usermod -K defaultpriv=basic,dtrace_kernel,dtrace_proc,dtrace_user USER; then log in anew",
    "illumos": "usermod -K defaultpriv=basic,dtrace_kernel,dtrace_proc,dtrace_user USER; then log in anew",
    "freebsd": "kldload dtraceall, and log in as root (FreeBSD's dtrace needs it)",
    "linux": "install dtrace (Debian sid, Oracle Linux) and log in as root, or give the user a sudo rule for it; "
    "`dtrace -e -n 'io:::done { @ = count(); }'` says what is wrong",
}

SOURCE = Source(
    name="dtrace",
    meaning="latency of disk I/O by device, as histograms (dtrace)",
    tables=("dtrace",),
    interval=1.0,
    variants=tuple(
        Variant(
            name=os,
            systems=(os,),
            command=_command,
            parser=_parser,
            probe="dtrace -q -e -n 'io:::done { @[args[1]->dev_statname] = count(); }'",
            fix=fix,
        )
        for os, fix in FIX.items()
    ),
    privilege="dtrace_kernel (Solaris, illumos); root elsewhere",
    lease=LEASE,
)
