"""A campaign of imapsync: accounts copied three at a time, and what a reader of their logs prints of them."""

from __future__ import annotations

import time

import numpy as np

from fleet.formats.tool import Tool, UsageError, once
from fleet.live import Live
from fleet.scenario import Mailbox
from fleet.site import GIB, KIB, MIB


def perl(live: Live, args: list[str]) -> Tool:
    """`perl -e PROGRAM EVERY LOGS`: the program that follows imapsync's logs, known by what it looks for."""
    if args == ["-e", "1"]:
        return once(lambda t: "")
    if len(args) != 4 or args[0] != "-e" or "copied" not in args[1]:
        raise UsageError("perl: only a follower of imapsync's logs runs here\n", 2)
    return Tool(lambda t, before: report(live, t), float(args[2]), 0)


def report(live: Live, t: float) -> str:
    """The telling lines of each log, and an empty line."""
    mine = [m for m in live.model.scenario.mailboxes if m.host == live.host.name and m.began <= t]
    return "".join(f"==> {path(m)}\n{told(m, t)}" for m in mine) + "\n"


def path(m: Mailbox) -> str:
    return f"LOG_imapsync/{time.strftime('%Y_%m_%d_%H_%M_%S', time.gmtime(m.began))}_417_{m.user}_{m.user}.txt"


def told(m: Mailbox, t: float) -> str:
    pid = 30_000 + sum(map(ord, m.user))
    errors = m.errors_by(t)
    lines = [
        f"+ {sum(errors.values())} errors so far: {', '.join(f'{n} {kind}' for kind, n in errors.items())}",
        f"Host1: IMAP server [imap.old.example] port [993] user [{m.user}]",
        f"Host2: IMAP server [imap2.example.org] port [993] user [{m.user}]",
        f"PID is {pid}",
    ]
    if m.refused:
        lines.append(_exit(161, "EXIT_AUTHENTICATION_FAILURE_USER1", 1, pid))
        return "\n".join(lines) + "\n"
    done = m.done(np.array([t]))[0]
    messages = round(m.messages * done / m.bytes)
    spent = max(t - m.began, 1.0)
    lines += [
        f"Host1 Nb messages: {m.messages:15d} messages",
        f"Host1 Total size: {m.bytes:16d} bytes ({_size(m.bytes)})",
    ]
    if done < m.bytes:
        left = (m.bytes - done) * spent / max(done, 1.0)
        end = time.strftime("%A %d %B %Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(t + left))
        lines.append(
            f"msg INBOX/{messages} {{{m.bytes // m.messages}}}       copied to INBOX/{messages}  "
            f"{messages / spent:6.2f} msgs/s  {_size(done / spent)}/s {_size(done)} copied "
            f"ETA: {end}  {left:.0f} s  {m.messages - messages}/{m.messages} msgs left"
        )
    else:
        lines += [
            f"Messages transferred                    : {m.messages - sum(errors.values())}",
            "Messages skipped                        : 0",
            f"Total bytes transferred                 : {m.bytes} ({_size(m.bytes)})",
            f"Detected {sum(errors.values())} errors",
            _exit(11, "EXIT_ERR_APPEND", sum(errors.values()), pid)
            if errors
            else _exit(0, "EX_OK: successful termination", 0, pid),
        ]
    return "\n".join(lines) + "\n"


def _exit(value: int, name: str, errors: int, pid: int) -> str:
    return f"Exiting with return value {value} ({name}) {errors}/50 nb_errors/max_errors PID {pid}"


def _size(n: float) -> str:
    for unit, size in (("GiB", GIB), ("MiB", MIB)):
        if n >= size:
            return f"{n / size:.3f} {unit}"
    return f"{n / KIB:.3f} KiB"
