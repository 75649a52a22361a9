"""imapsync: how far each mailbox copy is, from imapsync's own log files.

Every few seconds the telling lines of each log of the last day: totals from its head, progress from its tail.
Formats of imapsync 1.2 to 2.x, dates in any language:

    Host1 Nb messages:           26581 messages
    Host1 Total size:       1728042983 bytes (1.609 GiB)
    msg INBOX/62414 {10311} copied to INBOX/6111 1.13 msgs/s 65.034 KiB/s 38.291 MiB copied
        ETA: … 20954 s 23772/26581 msgs left                             (one line)
    ETA: … 15166 s  5029/5061 msgs left                                  (after a folder)
    Err 3/50: …
    Messages transferred                    : 2809
    Messages skipped                        : 23772
    Total bytes transferred                 : 40151234 (38.291 MiB)
    Detected 0 errors
    Exiting with return value 0 (EX_OK: successful termination) …

Bytes are those that this run copied; messages are those that it is done with, also such as were there already. Of
several logs of one account the newest counts. A log alone, without the names that the command prints, gives one row.

The inventory's option `imapsync_log` names the logs (a shell pattern); by default LOG_imapsync/*.txt, which is where
imapsync writes in the home of the user that runs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import nan

from collectors import units
from collectors.base import Batch, Context, Source, Variant
from collectors.rates import Rates
from collectors.reports import Reports
from frames.schemas import TRANSFERS

EVERY = 5.0
STALLED_AFTER = 60.0
"""A copy whose log has said nothing new for this long, seconds, is stalled."""
HEAD = "^(Host1 )?(Nb messages|Total size) *:"
TAIL = "^(Messages|Total bytes) transferred|^Messages skipped|^Detected |^Exiting |^Err [0-9]|^msg |^ETA: |^The sync "
COLUMNS = TRANSFERS.names[2:]

FILE = re.compile(r"==> (.+)$")
TOTAL = re.compile(r"(?:Host1 )?Nb messages *: +([0-9]{1,15})\b")
SIZE = re.compile(r"(?:Host1 )?Total size *: +([0-9]{1,18})\b")
COPIED = re.compile(r" ([0-9.]{1,20} ?(?:[KMGTP]i?)?B) copied\b")
LEFT = re.compile(r"ETA: .{1,200}? ([0-9]{1,12}) s +([0-9]{1,12})/ *([0-9]{1,12}) msgs left")
MESSAGES = re.compile(r"Messages transferred *: *([0-9]{1,15})")
SKIPPED = re.compile(r"Messages skipped *: *([0-9]{1,15})")
BYTES = re.compile(r"Total bytes transferred *: *([0-9]{1,18})")
ERROR = re.compile(r"Err ([0-9]{1,9})/")
ERRORS = re.compile(r"Detected ([0-9]{1,9}) errors?")
EXIT = re.compile(r"Exiting with return value ([0-9]{1,3})\b")
LONGEST = 1000
"""Characters of a line's end in which its numbers stand; before them are names of folders, of any length."""
STAMPED = re.compile(r"^(?:[0-9]{2,4}_){6,7}|\.txt$|\.log$")
"""The date that imapsync puts in front of the accounts: 2016_03_13_15_32_28_123_user1_user2.txt."""
ALONE = "log"
"""The stream's name where no file is named."""


@dataclass(slots=True)
class Copy:
    """One log, as far as it has been read."""

    values: dict[str, float] = field(default_factory=dict)
    state: str = "running"
    text: str = ""
    transferred: float = nan


class Imapsync(Reports):
    """A report holds, after each `==> FILE`, the telling lines of that log, oldest first."""

    source = "imapsync"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()
        self._news: dict[str, tuple[str, float]] = {}
        self._errors: dict[str, tuple[str, float]] = {}
        self._reports = 0
        self._at = 0.0
        self._alone: Copy | None = None

    def feed(self, line: str, at: float) -> list[Batch]:
        self._at = at
        if self._alone is None and not self.line_no and line and not FILE.match(line):
            self._alone = Copy()
        if self._alone is None:
            return super().feed(line, at)
        self.line_no += 1
        if FILE.match(line):
            self._alone = None  # it was the rest of a log: here the first whole one begins
            self.line_no -= 1
            return super().feed(line, at)
        _read(self._alone, line)
        return []

    def end(self, at: float) -> list[Batch]:
        alone, self._alone = self._alone, None
        if alone is None:
            return super().end(at)
        return self._rows({ALONE: alone}, {}, None) if alone.values or alone.state != "running" else []

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        copies: dict[str, Copy] = {}
        files: dict[str, str] = {}
        copy = None
        for i, line in enumerate(lines):
            match = FILE.match(line)
            if match:
                file = match[1].rpartition("/")[2]
                name = STAMPED.sub("", STAMPED.sub("", file)) or match[1]
                copy = Copy()
                if file >= files.get(name, ""):  # a date stands in front
                    copies[name], files[name] = copy, file
            elif copy is None:
                raise self.bad(i, line, "no ==> FILE before the first line of a log")
            else:
                _read(copy, line)
        return self._rows(copies, files, stamp)

    def _rows(self, copies: dict[str, Copy], files: dict[str, str], stamp: float | None) -> list[Batch]:
        self._reports += 1
        moment = self._at or self._reports * self.ctx.interval
        columns: dict[str, list[object]] = {c: [] for c in COLUMNS}
        for name, c in copies.items():
            file, done = files.get(name, ""), c.values.get("done", nan)
            # An Err line scrolls out of the log's tail; what it counted stays, until another run of the account.
            told, errors = self._errors.get(name, ("", 0.0))
            c.values["errors"] = max(c.values.get("errors", 0.0), errors if told == file else 0.0)
            self._errors[name] = (file, c.values["errors"])
            (rate,) = self._rates.step((name, file), moment, [done])
            before, since = self._news.get(name, ("", moment))
            if before != c.text or name not in self._news:
                self._news[name] = (c.text, moment)
            elif c.state == "running" and moment - since >= STALLED_AFTER:
                c.state = "stalled"
            row = {
                "stream": name,
                "kind": "imapsync",
                "state": c.state,
                "rate": rate if c.state in ("running", "stalled") else nan,
                "text": c.text[:500],
                **c.values,
            }
            for column, values in columns.items():
                values.append(row.get(column))
        self._rates.keep({(name, files.get(name, "")) for name in copies})
        self._errors = {name: n for name, n in self._errors.items() if name in copies}
        self._news = {name: seen for name, seen in self._news.items() if name in copies}
        return [Batch("transfers", columns, stamp)] if copies else []


def _read(copy: Copy, line: str) -> None:
    values = copy.values
    line = line[-LONGEST:] if line.startswith(("msg ", "ETA: ")) else line[:LONGEST]
    telling = False
    for pattern, name in ((TOTAL, "items_total"), (SIZE, "total")):
        match = pattern.match(line)
        if match:
            values.setdefault(name, float(match[1]))  # old releases name no host: the first is the source
            return
    for pattern, name in ((BYTES, "done"), (MESSAGES, "items_done")):
        match = pattern.match(line)
        if match:
            values[name] = float(match[1])
            telling = True
            if pattern is MESSAGES:
                copy.transferred = values[name]
    match = COPIED.search(line)
    if match:
        try:
            size, _ = units.size(match[1])
        except ValueError:  # two points in a number: a torn line
            return
        if size is not None:
            values["done"], telling = size, True
    match = LEFT.search(line)
    if match:
        eta, left, total = (float(g) for g in match.groups())
        values.update(eta=eta, items_done=max(total - left, 0.0), items_total=total)
        telling = True
    match = SKIPPED.match(line)
    if match and copy.transferred == copy.transferred:
        values["items_done"] = copy.transferred + float(match[1])
    match = ERROR.match(line) or ERRORS.match(line)
    if match:
        values["errors"] = float(match[1])
        telling = True
    if ERRORS.match(line):
        # The last line of the oldest releases; others say afterwards how they exit.
        copy.state = "failed" if values["errors"] else "done"
        values.pop("eta", None)
    match = EXIT.match(line)
    if match:
        copy.state = "done" if match[1] == "0" else "failed"
        values.pop("eta", None)
        telling = True
    if telling or line.startswith(("msg ", "The sync ")):
        copy.text = line.strip()


def command(ctx: Context) -> str:
    logs = ctx.facts.get("option:imapsync_log") or "LOG_imapsync/*.txt"
    telling = (
        f"head -5000 \"$f\" | egrep '{HEAD}' 2>/dev/null; tail -300 \"$f\" | egrep '{TAIL}' 2>/dev/null | tail -20"
    )
    return (
        f"while :; do find {logs} -mtime -1 -print 2>/dev/null | sort | "
        f'while read f; do echo "==> $f"; {telling}; done; '
        f"echo || exit; sleep {ctx.interval:g}; done"
    )


SOURCE = Source(
    name="imapsync",
    meaning="messages and bytes done, rate, time left and errors of each imapsync run, from its log",
    tables=("transfers",),
    interval=EVERY,
    variants=(
        Variant(
            name="log",
            systems=("solaris10", "solaris11", "illumos", "linux", "freebsd"),
            command=command,
            parser=Imapsync,
            probe="type egrep && type find",
            fix="set options.imapsync_log in hosts.toml to the path of imapsync's logs",
        ),
    ),
)
