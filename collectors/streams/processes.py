"""Processes of zfs send and receive and what is piped behind them, from `ps`.

    PID PPID PGID ELAPSED ZONE COMMAND
     4711 4700 4700 01:02:03 mail3 zfs send -i tank/a@1 tank/a@2
     4712 4700 4700 01:02:03 mail3 mbuffer -q -m 1G -l /var/log/a.log -O ms2:9090
     4713    1 4713 33 global zfs: sending tank/a@2 (12%: 1.20G/9.80G)           zfs send -V (OpenZFS 2.2; FreeBSD)

Solaris cuts a command at 80 characters; `pargs -l PID` has the whole one for those who may ask.
Source: ps(1), zfs-send(8), zfs_setproctitle in libzfs_sendrecv.c, mbuffer(1), pv(1), ssh(1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from collectors import units
from collectors.zones.cgroups import container

CUT = 79
"""From so many characters on, a command of Solaris may have lost its end."""

PS = re.compile(r"\s*([0-9]{1,10})\s+([0-9]{1,10})\s+([0-9]{1,10})\s+([0-9:-]{1,20})\s+(\S{1,4096})\s+(\S.*)$")
TITLE = re.compile(
    r"zfs: sending (.{1,512}@.{1,256}) \(([0-9]{1,4})%: ([0-9.]{1,20}[KMGTPE]?)/([0-9.]{1,20}[KMGTPE]?)\)"
)
ELAPSED = re.compile(r"(?:([0-9]{1,6})-)?(?:([0-9]{1,6}):)?([0-9]{1,6}):([0-9]{2})")
WORDS = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
VALUED = {"send": {"-i", "-I", "-t", "-X", "--redact", "-d"}, "receive": {"-o", "-x"}}
SSH_VALUED = set("BbcDEeFIiJLlmOoPpQRSWw")


@dataclass(slots=True)
class Process:
    """One line of ps. `side` is send or receive, '' for a pipe; sizes in bytes, `elapsed` in seconds."""

    pid: str
    parent: str
    group: str
    elapsed: float | None
    zone: str
    command: str
    side: str = ""
    dataset: str = ""
    to_snapshot: str = ""
    from_snapshot: str = ""
    recursive: bool = False
    cut: bool = False
    """The command may have lost its end, and with it the dataset."""
    title: tuple[float, float | None, float] | None = None
    """Bytes sent of this snapshot, the step of that number and the bytes expected, where `zfs send -V` says so."""
    peer: str = ""
    log: str = ""
    expected: float | None = None


@dataclass(slots=True)
class Running:
    """A send or receive with what is piped behind it."""

    process: Process
    pipes: list[Process] = field(default_factory=list)

    @property
    def peer(self) -> str:
        return next((p.peer for p in self.pipes if p.peer), "")

    @property
    def logs(self) -> list[str]:
        return [p.log for p in self.pipes if p.log]

    @property
    def expected(self) -> float | None:
        return next((p.expected for p in self.pipes if p.expected), None)


def process(line: str) -> Process | None:
    """A line of ps that concerns us; None for any other."""
    m = PS.match(line)
    if not m:
        return None
    pid, parent, group, elapsed, zone, command = m.groups()
    found = Process(pid, parent, group, _elapsed(elapsed), _zone(zone), command.rstrip())
    return found if understand(found) else None


def understand(p: Process) -> bool:
    """Fill in what `p.command` says; whether it is one of ours."""
    words = p.command.split()
    if not words:
        return False
    tool = words[0].rpartition("/")[2]
    if tool == "zfs:":
        return _title(p)
    if tool == "zfs" and len(words) > 1:
        side = {"send": "send", "receive": "receive", "recv": "receive"}.get(words[1], "")
        return bool(side) and _zfs(p, side, words[2:])
    if tool in ("mbuffer", "pv", "ssh"):
        return {"mbuffer": _mbuffer, "pv": _pv, "ssh": _ssh}[tool](p, words[1:])
    return False


def _title(p: Process) -> bool:
    m = TITLE.match(p.command)
    if not m:
        return False
    p.side = "send"
    p.dataset, _, p.to_snapshot = m[1].partition("@")
    done, step = _size(m[3])
    total, _ = _size(m[4])
    if done is not None and total is not None:
        p.title = (done, step, total)
    return True


def _zfs(p: Process, side: str, words: list[str]) -> bool:
    i = 0
    while i < len(words) and words[i].startswith("-") and len(words[i]) > 1:
        option = words[i]
        if option in ("-A", "-n") or (side == "receive" and "A" in option[1:] and not option.startswith("--")):
            return False  # gives up a partial receive, or only tells
        # Letters may stand together (-vRI @a); the last one takes the value.
        takes = option if option.startswith("--") else f"-{option[-1]}"
        if side == "send" and not option.startswith("--") and set(option) & {"R", "r"}:
            p.recursive = True
        if takes in VALUED[side] and i + 1 < len(words):
            i += 1
            if takes in ("-i", "-I"):
                p.from_snapshot = origin(words[i])
        i += 1
    p.side = side
    name = words[i:]
    p.dataset, at, p.to_snapshot = " ".join(name).partition("@")
    if side == "send" and not at and len(name) > 1:  # zfs ends the dataset's name where the @ was
        p.dataset, p.to_snapshot = " ".join(name[:-1]), name[-1]
    p.cut = len(p.command) >= CUT
    return True


def whole(p: Process, command: str) -> None:
    """The command that ps has cut, from pargs. It reads the words as zfs has changed them: the snapshot is gone."""
    before = p.to_snapshot if not p.cut else ""
    p.command = WORDS.sub(lambda m: m[1] or m[2] or "", command)
    understand(p)
    p.to_snapshot, p.cut = p.to_snapshot or before, False


def _mbuffer(p: Process, words: list[str]) -> bool:
    p.log = _value(words, "-l")
    out = _value(words, "-O")
    p.peer = out.rpartition(":")[0].strip("[]") or out
    return True


def _pv(p: Process, words: list[str]) -> bool:
    text = _value(words, "-s") or _value(words, "--size")
    p.expected = _size(text)[0] if text else None
    return True


def _ssh(p: Process, words: list[str]) -> bool:
    if not re.search(r"zfs['\"]? (?:recv|receive|send)\b", p.command):
        return False
    i = 0
    while i < len(words) and words[i].startswith("-"):
        i += 2 if len(words[i]) == 2 and words[i][1] in SSH_VALUED else 1
    if i < len(words):
        p.peer = words[i].rpartition("@")[2]
    return True


def _value(words: list[str], option: str) -> str:
    """What follows `option`, as its own word or in the same one."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[i + 1]
        if len(option) == 2 and word.startswith(option) and len(word) > 2:
            return word[2:]
        if word.startswith(f"{option}="):
            return word[len(option) + 1 :]
    return ""


def origin(text: str) -> str:
    """The snapshot's own name: '1' of '@1', '1' and 'tank/a@1'; '#mark' of 'tank/a#mark'."""
    if "@" in text:
        return text.partition("@")[2]
    return "#" + text.partition("#")[2] if "#" in text else text


def pipelines(found: list[Process]) -> list[Running]:
    """Each send and receive with the pipes of its own shell: same parent, else same process group."""
    pipes = [p for p in found if not p.side]
    out = []
    for p in (p for p in found if p.side):
        mine = [q for q in pipes if q.parent == p.parent and p.parent not in ("0", "1")]
        out.append(Running(p, mine or [q for q in pipes if q.group == p.group]))
    return out


def _elapsed(text: str) -> float | None:
    m = ELAPSED.fullmatch(text)
    if not m:
        return float(text) if text.isdecimal() else None
    days, hours, minutes, secs = (int(x or 0) for x in m.groups())
    return days * 86400.0 + hours * 3600 + minutes * 60 + secs


def _zone(text: str) -> str:
    """A zone or jail; on Linux the container of a control group."""
    if "/" not in text:
        return "global" if text in ("-", "0") else text
    for part in text.split("/"):
        if part.startswith(("lxc.payload.", "docker-", "libpod-", "machine-")):
            return container(part)[0]
    return "global"


def _size(text: str) -> tuple[float | None, float | None]:
    try:
        return units.size(text)
    except ValueError:
        return None, None
