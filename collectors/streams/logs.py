"""What send, receive and the pipes between them write to a log, a line at a time.

    full send of tank/a@1 estimated size is 1.20G             zfs send -v (illumos, FreeBSD, OpenZFS)
    send from @1 to tank/a@2 estimated size is 64.1M
    total estimated size is 1.26G
    TIME        SENT   SNAPSHOT tank/a@1
    13:05:22   1.20G   tank/a@1                               (-vv: the blocks stand between)
    full\ttank/a@1\t1288490188                                  zfs send -vP; incremental\tFROM\tTO\tBYTES; size\tBYTES
    13:05:22\t1288490188\ttank/a@1
    sending from @1 to tank/a@2                               the same of 2009 and zfs-fuse
    receiving full stream of tank/a@1 into mail/a@1           zfs receive -v
    received 1.20GB stream in 33 seconds (37.2MB/sec)
    in @ 59.8 MiB/s, out @ 59.8 MiB/s, 30.0 MiB total, buffer   0% full     mbuffer, also with -l and -q
    summary:  286 MiByte in  4.8sec - average of 60.0 MiB/s
    1.20GiB 0:00:33 [36.4MiB/s] [=>      ] 12% ETA 0:04:00    pv; `syncoid` is the two lines after it and pv
    INFO: Sending oldest full snapshot tank/a@1 to new target filesystem mail/a (~ 1.2 GB):
    INFO: Sending incremental tank/a@1 ... 2 to mail/a (~ 64.1 MB):

Estimates miss (openzfs#6462), and a percentage starts anew with each snapshot of a recursive send (openzfs#15577):
what counts is the bytes of all snapshots of one send.
Source: lib/libzfs/libzfs_sendrecv.c of illumos and OpenZFS, mbuffer.c, pv(1), syncoid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from collectors import units

TELLING = (
    "send |[Ss]ending |[Uu]pdating new|Resuming|estimated|SNAPSHOT|^full|^incremental|^size|recei"
    "|[0-9]:[0-9][0-9].*@|% full|/s]|summary:|cannot|ERROR|error:|fatal:"
)
"""For egrep: every line that `Log.read` can use."""
MOST = 10_000
"""Snapshots of one log that are remembered."""
LONGEST = 800
LEAST_SHARE = 5
"""Per cent: of fewer, whole percents tell no total."""

_SIZE = r"([0-9]{1,20}(?:[.,][0-9]{1,12})? ?[kKMGTPE]?i?[Bb]?)"
_TIME = r"(?:^|\s)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
_CLOCK = r"([0-9]{1,6}(?::[0-9]{2}){1,3})"

FULL = re.compile(rf"(?:^|\s)full send of (.{{1,512}}?)(?: estimated size is {_SIZE})?$")
INCREMENTAL = re.compile(rf"(?:^|\s)send from (.{{1,512}}?) to (.{{1,512}}?)(?: estimated size is {_SIZE})?$")
OLD = re.compile(r"(?:^|\s)sending (?:from @?(.{0,512}?)|full stream) to (.{1,512}@.{1,256})$")
PARSABLE = re.compile(r"(?:full|incremental\t([^\t]{1,512}))\t([^\t]{1,512})(?:\t([0-9]{1,20}))?$")
TOTAL = re.compile(rf"(?:(?:^|\s)total estimated size is |estimated stream size: |^size\t){_SIZE}$")
SENT = re.compile(
    rf"{_TIME}\s+([0-9]{{1,20}}(?:\.[0-9]{{1,12}})?[KMGTPE]?B?)(?:\s+[0-9]{{1,20}})?\s+"
    r"(\S.{0,510}@.{1,256})$"
)
HEADER = re.compile(r"(?:^|\s)TIME\s+(?:SENT|BYTES)\s.*SNAPSHOT (.{1,512})$")
RECEIVING = re.compile(r"(?:^|\s)receiving (?:corrective )?(full|incremental) stream of (.{1,512}) into (.{1,512})$")
RECEIVED = re.compile(rf"(?:^|\s)received {_SIZE} stream in [0-9.]{{1,20}} seconds")
MBUFFER = re.compile(
    rf"in @ +[^,]{{1,40}}/s, out @ +(?:{_SIZE}|\?\?\? +B?)/s,(?: [0-9]{{1,3}} x)? +{_SIZE} total, "
    r"buffer +([0-9]{1,3})% full(?:, +([0-9]{1,4})% done)?"
)
SUMMARY = re.compile(r"summary: +(?:[0-9]{1,3}x )?([0-9.]{1,20} [kKMGT]?i?B)yte in ")
PV = re.compile(rf"(?:^|[\s:]){_SIZE} +{_CLOCK} \[ *{_SIZE}/s\]")
PV_SHARE = re.compile(r"\] *([0-9]{1,4})%")
PV_ETA = re.compile(rf"% +ETA +{_CLOCK}")
PV_BUFFER = re.compile(r"\{ *([0-9]{1,3})%\}")
SYNCOID = re.compile(
    r"(?:[Ss]ending (?:oldest|newest) full snapshot (.{1,512}?@.{1,256}?)"
    r"|(?:Sending|Updating new target filesystem with) incremental (.{1,512}?@.{1,256}?) \.\.\. (.{1,256}?)"
    r"|Resuming interrupted zfs send/receive from (.{1,512}?))"
    rf"(?: to (?:new (?:clone )?target filesystem )?(?:.{{1,512}}?))? ?\(~ (?:{_SIZE}|[^)]{{1,40}}?)(?: remaining)?\)"
)
FAILED = re.compile(
    r"(?:^|\s)(?:(?:warning: )?cannot (?:send|receive|resume|open|mount)\b|CRITICAL ERROR|internal error:"
    r"|mbuffer: (?:error|fatal):|lzop: |broken pipe)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Snapshot:
    """One snapshot of a send: `origin` is what it is sent from ('' a full stream), bytes estimated and sent."""

    name: str
    origin: str = ""
    estimate: float | None = None
    sent: float | None = None
    send: list[str] = field(default_factory=list)
    """Names of all snapshots of the same send, in order; shared by them."""


@dataclass(slots=True)
class Log:
    """One log as far as it has been read; lines may come again, as heads and tails of a growing file do.

    `done` and `total` are bytes of the whole send, `step` what the last printed digit of `done` is worth, `rate`
    bytes a second and `buffer` a fraction, as the tool says. `state` is '' while it goes on, else done or failed.
    """

    side: str = ""
    target: str = ""
    now: Snapshot | None = None
    total: float | None = None
    done: float | None = None
    step: float | None = None
    rate: float | None = None
    buffer: float | None = None
    eta: float | None = None
    state: str = ""
    text: str = ""
    received: int = 0
    _known: dict[str, Snapshot] = field(default_factory=dict)
    _totals: dict[str, float] = field(default_factory=dict)
    _send: list[str] = field(default_factory=list)
    _begun: bool = False
    _shared: bool = False
    """`total` is made of a percentage."""

    @property
    def dataset(self) -> str:
        """What is sent or, on the receiving side, what it becomes."""
        return (self.target or (self.now.name if self.now else "")).partition("@")[0]

    @property
    def root(self) -> str:
        """The dataset that a recursive send begins with."""
        if self.side == "send" and self.now and self.now.send:
            return self.now.send[0].partition("@")[0]
        return self.dataset

    @property
    def to_snapshot(self) -> str:
        return self.now.name.partition("@")[2] if self.now else ""

    @property
    def from_snapshot(self) -> str:
        return _short(self.now.origin) if self.now else ""

    def again(self) -> None:
        """The same file is read anew: what was learnt of snapshots stays."""
        self.state, self.text, self.received = "", "", 0
        self.total = self.rate = self.buffer = self.eta = None
        self._sum()
        self.done = self.step = None

    def read(self, line: str) -> bool:
        """Take one line; whether it said anything. Never raises."""
        line = line.rstrip()
        if len(line) > LONGEST or not any(step(self, line) for step in _STEPS):
            return False
        self.text = line.strip()[:300]
        return True

    # -- announcements -------------------------------------------------------------------------------------

    def _announce(self, name: str, origin: str, estimate: float | None) -> bool:
        self.side, self.target, self.state = "send", "", ""
        if self._begun:
            self._send, self._begun = [], False
            self.done = self.step = None
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[name] = Snapshot(name)
        known.origin = origin
        known.estimate = estimate if estimate is not None else known.estimate
        known.send = self._send
        if name not in self._send[-MOST:]:
            self._send.append(name)
        self.now = self._known[self._send[0]]
        self._sum()
        return True

    def _sum(self) -> None:
        """`total` and `done` of the send that `now` is part of."""
        now = self.now
        if now is None:
            return
        parts = [self._known[n] for n in now.send if n in self._known] or [now]
        told = self._totals.get(parts[0].name)
        self._shared = False
        estimates = [s.estimate for s in parts]
        self.total = told if told is not None else None if None in estimates else sum(e or 0.0 for e in estimates)
        before = parts[: parts.index(now)] if now in parts else []
        if now.sent is not None:
            self.done = now.sent + sum(s.sent if s.sent is not None else s.estimate or 0.0 for s in before)


def _short(origin: str) -> str:
    """What follows the dataset's name: '1' of '@1' and 'tank/a@1', '#mark' of 'tank/a#mark'."""
    if "@" in origin:
        return origin.partition("@")[2]
    return "#" + origin.partition("#")[2] if "#" in origin else origin


def _bytes(text: str | None) -> tuple[float | None, float | None]:
    if not text:
        return None, None
    try:
        return units.size(text)
    except ValueError:  # a number torn by two writers
        return None, None


def seconds(clock: str) -> float:
    """'0:04:00', '1:02:03:04' (days first), '04:00' in seconds."""
    total = 0.0
    for part, scale in zip(reversed(clock.split(":")), (1, 60, 3600, 86400), strict=False):
        total += int(part) * scale
    return total


def _announced(log: Log, line: str) -> bool:
    if m := FULL.search(line):
        return log._announce(m[1], "", _bytes(m[2])[0])
    if m := INCREMENTAL.search(line):
        return log._announce(m[2], m[1], _bytes(m[3])[0])
    if m := PARSABLE.match(line):
        return log._announce(m[2], m[1] or "", _bytes(m[3])[0])
    if m := OLD.search(line):
        return log._announce(m[2], m[1] or "", None)
    return False


def _total(log: Log, line: str) -> bool:
    m = TOTAL.search(line)
    if not m:
        return False
    size, _ = _bytes(m[1])
    if size is not None and log._send:
        log._totals[log._send[0]] = size
        log._begun = True
        log._sum()
    return True


def _sent(log: Log, line: str) -> bool:
    if m := HEADER.search(line):
        name, size, step = m[1], None, None
    elif m := SENT.search(line):
        name = m[2]
        size, step = _bytes(m[1])
    else:
        return False
    log.side, log.state, log._begun = "send", "", True
    if name not in log._known:
        log._send = [name]
        log._known[name] = Snapshot(name, send=log._send)
    log.now = log._known[name]
    if size is not None:
        log.now.sent, log.step = size, step
    log._sum()
    return True


def _syncoid(log: Log, line: str) -> bool:
    m = SYNCOID.search(line)
    if not m:
        return False
    full, base, to, resumed, size = m.groups()
    source = base.partition("@")[0] if base else ""
    name = full or (f"{source}@{to}" if to else f"{resumed}@")
    log._begun = True  # each is a send of its own
    log._announce(name, base or "", _bytes(size)[0])
    log._begun = True
    return True


def _receive(log: Log, line: str) -> bool:
    if m := RECEIVING.search(line):
        log.side, log.state, log.target = "receive", "", m[3]
        log.now = Snapshot(m[3], "" if m[1] == "full" else "@")
        log.total = log.done = log.step = None
        return True
    if m := RECEIVED.search(line):
        log.side, log.state = "receive", "done"
        log.received += 1
        log.done, log.step = _bytes(m[1])
        return True
    return False


def _piped(log: Log, line: str) -> bool:
    if m := MBUFFER.search(line):
        log.rate = _bytes(m[1])[0]
        log.buffer = min(int(m[3]), 100) / 100
        _passed(log, m[2], m[4])
        return True
    if m := PV.search(line):
        log.rate = _bytes(m[3])[0]
        share, eta, fill = PV_SHARE.search(line), PV_ETA.search(line), PV_BUFFER.search(line)
        log.eta = seconds(eta[1]) if eta else None
        log.buffer = min(int(fill[1]), 100) / 100 if fill else log.buffer
        _passed(log, m[1], share[1] if share else None)
        return True
    if m := SUMMARY.search(line):
        log.done, log.step = _bytes(m[1])
        log.rate = log.buffer = None
        log.state = "done"
        return True
    return False


def _passed(log: Log, total: str, share: str | None) -> None:
    """Bytes that went through a pipe; its share tells the expected size where nothing better does."""
    size, step = _bytes(total)
    if size is None:
        return
    log.state = ""
    if log.now is None or log.now.sent is None:  # zfs itself counts better: a pipe is a buffer behind
        log.done, log.step = size, step
    if (log.total is None or log._shared) and share and LEAST_SHARE <= int(share) <= 100:
        log.total, log._shared = size / int(share) * 100, True


def _failed(log: Log, line: str) -> bool:
    if not FAILED.search(line):
        return False
    log.state = "failed"
    return True


_STEPS = (_announced, _total, _sent, _receive, _piped, _syncoid, _failed)
