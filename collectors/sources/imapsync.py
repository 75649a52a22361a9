"""imapsync: how far each mailbox copy is, from imapsync's own log files.

The telling lines of each log of the last day: the newest of each kind, and how many errors there were so far.
Formats of imapsync 1.1 to 2.3, dates in any language:

    Host1: IMAP server [old.example.org] port [993] user [anna]
    Host1 Nb messages:           26581 messages
    Host1 Total size:       1728042983 bytes (1.609 GiB)
    msg INBOX/62414 {10311} copied to INBOX/6111 1.13 msgs/s 65.034 KiB/s 38.291 MiB copied
        ETA: … 20954 s 23772/26581 msgs left                             (one line)
    ETA: … 15166 s  5029/5061 msgs left                                  (after a folder)
    - msg INBOX/5 {9} could not append ( Subject:[…] ) to folder INBOX: …
    Messages transferred                    : 2809
    Messages skipped                        : 23772
    Total bytes transferred                 : 40151234 (38.291 MiB)
    Detected 0 errors
    Err 3/4: …                                                           (the third of four)
    Exiting with return value 0 (EX_OK: successful termination) 0/50 nb_errors/max_errors PID 7

Bytes are those that this run copied; messages are those that it is done with, also such as were there already. A
stream is an account; of several logs of one the newest counts. The text of logs, saved by hand, gives a row for each.

The inventory's option `imapsync_log` names the logs (a shell pattern); by default LOG_imapsync/*.txt, which is where
imapsync writes in the home of the user that runs it.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable
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
FORGET = 100
"""Reports in a row that do not name a copy, after which nothing is known of it."""
COLUMNS = TRANSFERS.names[2:]

FILE = re.compile(r"==> (.+?)( <==)?$")
BEGUN = re.compile(r"Here is imapsync |Transfer started at ")
ACCOUNT = re.compile(
    r"(?:Host([12]): IMAP|(From|To) +imap) server \[([^\]]{1,255})\] port \[[^\]]{0,9}\] user \[([^\]]{1,255})\]"
)
PID = re.compile(r"PID is ([0-9]{1,9})\b")
TOTAL = re.compile(r"(?:Host1 )?Nb messages *: +([0-9]{1,15})\b")
SIZE = re.compile(r"(?:Host1 )?Total size *: +([0-9]{1,18})\b")
COPIED = re.compile(r" ([0-9.]{1,20} ?(?:[KMGTP]i?)?B) copied\b")
RATE = re.compile(r" ([0-9.]{1,20} ?(?:[KMGTP]i?)?B)/s\b")
LEFT = re.compile(r"ETA: .{1,200}? ([0-9]{1,12}) s +([0-9]{1,12})/ *([0-9]{1,12}) msgs left")
ONE = re.compile(r"\+ Copying msg #[0-9]{1,12}:([0-9]{1,15}) |(Copied msg id )\[")
"""Up to 1.4, which tells of no sums before the end."""
STATISTIC = re.compile(
    r"(Messages|Total bytes|Transfer time|Time|Average|Reconnections)([^:]{0,60}): *([0-9.]{1,18})(.*)"
)
_FAULT = (
    "^(- msg .*could ?n.t (be )?(append|fetch)|Host[12]:? folder .*: could not (select|examine|fetch)"
    "|could not (create) folder|(Host[12]:? )?failure: (error login|can not open|lost connection))"
)
FAULT = re.compile(_FAULT, re.IGNORECASE)
"""Errors where they happen; the list of them at the end has other forms."""
SO_FAR = re.compile(r"\+ ([0-9]{1,9}) errors so far(?:: (.*))?$")
"""Our own: what the command counted."""
LISTED = re.compile(r"Err [0-9]{1,9}/([0-9]{1,9}):|\+\+\+\+ Listing ([0-9]{1,9}) errors")
DETECTED = re.compile(r"Detected ([0-9]{1,9}) errors?")
EXIT = re.compile(r"Exiting with return value ([0-9]{1,3})\b(?:.*?([0-9]{1,9})/[0-9]{1,9} nb_errors)?")
SIGNAL = re.compile(r"Got a (SIG[A-Z]{1,9})!")
"""Of 1.5, which then tells its statistics and ends; later ones say with which value they exit."""
NOTED = re.compile(r"found duplicate on host1|void \(noheader\) on host1|host1 not in host2|Reconnections|skipped")
"""Statistics that are told beside how it exited, where they are not 0."""
DRY = re.compile(r"could be ([0-9]{1,15}) without --dry")
LONGEST = 1000
"""Characters of a line's end in which its numbers stand; before them are names of folders, of any length."""
DATED = re.compile(r"^(?:[0-9]{2,4}_){6,7}")
"""The date that imapsync puts in front of the accounts: 2016_03_13_15_32_28_123_user1_user2.txt."""
SUFFIX = re.compile(r"\.(?:txt|log)$")
ALONE = "log"
"""The stream's name where neither a file nor an account is named."""


@dataclass(slots=True)
class Copy:
    """One log, as far as it has been read. `whole`: from its beginning, so that errors not told are none."""

    values: dict[str, float] = field(default_factory=dict)
    state: str = "running"
    text: str = ""
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    pid: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    mean: float = nan
    size: float = 0.0
    whole: bool = False
    over: bool = False
    signalled: bool = False

    def name(self) -> str:
        """The account, with its host where it does not name one, or both where they differ; '' where none is told."""
        user = {side: u if "@" in u else f"{u}@{host}" for side, (host, u) in self.accounts.items()}
        one, two = user.get("1", ""), user.get("2", "")
        same = self.accounts.get("1", ("", ""))[1] == self.accounts.get("2", ("", ""))[1]
        return one if same or not two else f"{one} → {two}" if one else two


class Imapsync(Reports):
    """A report holds, after each `==> FILE`, the telling lines of that log, oldest first."""

    source = "imapsync"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()
        self._news: dict[tuple[str, str], tuple[str, float, int]] = {}
        self._reports = 0
        self._at = 0.0
        self._saved: dict[str, Copy] = {}
        """Logs themselves, whole or in part, by file: a text that somebody saved."""

    def feed(self, line: str, at: float) -> list[Batch]:
        self._at = at
        match = FILE.match(line)
        if not self._saved and not self.line_no and line and not (match and not match[2]):
            self._saved[ALONE] = Copy()
        if not self._saved:
            return super().feed(line, at)
        self.line_no += 1
        if match and match[2]:  # of `tail LOG_imapsync/*`
            self._saved[match[1]] = Copy()
        elif match:
            self._saved.clear()  # it was the rest of a log: here the first whole one begins
            self.line_no -= 1
            return super().feed(line, at)
        else:
            _read(self._saved[next(reversed(self._saved))], line.lstrip(" \t>"))  # quoted, perhaps
        return []

    def end(self, at: float) -> list[Batch]:
        saved, self._saved = self._saved, {}
        if not saved:
            return super().end(at)
        named = _named(saved)
        for _, c in named.values():
            c.values.setdefault("rate", c.mean)  # of all of it, as it is one row for all of it
        return self._rows(named, None)

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        copies: dict[str, Copy] = {}
        copy = None
        for i, line in enumerate(lines):
            match = FILE.match(line)
            if match:
                copy = copies[match[1]] = Copy()
            elif copy is None:
                raise self.bad(i, line, "no ==> FILE before the first line of a log")
            else:
                _read(copy, line)
        return self._rows(_named(copies), stamp)

    def _rows(self, copies: dict[str, tuple[str, Copy]], stamp: float | None) -> list[Batch]:
        self._reports += 1
        moment = self._at or self._reports * self.ctx.interval
        columns: dict[str, list[object]] = {c: [] for c in COLUMNS}
        for name, (file, c) in copies.items():
            key = (name, file)
            if c.whole:
                c.values.setdefault("errors", 0.0)
            (rate,) = self._rates.step(key, moment, [c.values.get("done", nan)])
            before, since, _ = self._news.get(key, ("", moment, 0))
            fresh = before != c.text or key not in self._news
            self._news[key] = (c.text, moment if fresh else since, self._reports)
            if c.state == "running" and not fresh and moment - since >= STALLED_AFTER:
                c.state = "stalled"
            row = {
                "stream": name,
                "kind": "imapsync",
                "peer": c.accounts["2"][0] if "2" in c.accounts else None,
                "pid": c.pid or None,
                "state": c.state,
                "rate": rate if c.state in ("running", "stalled") else nan,
                "text": c.text[:500],
                **c.values,
            }
            for column, values in columns.items():
                values.append(row.get(column))
        self._news = {key: n for key, n in self._news.items() if self._reports - n[2] < FORGET}
        self._rates.keep(set(self._news))
        return [Batch("transfers", columns, stamp)] if copies else []


def _named(copies: dict[str, Copy]) -> dict[str, tuple[str, Copy]]:
    """Stream -> file and copy; of several of an account the newest, by the date in front or by their order."""
    out: dict[str, tuple[str, Copy]] = {}
    for path, copy in copies.items():
        if copy.state == "running" and "2" not in copy.accounts and not copy.values.keys() - {"errors"}:
            continue  # it has hardly begun, and does not say for whom
        file = path.rpartition("/")[2]
        name = copy.name() or SUFFIX.sub("", DATED.sub("", file)) or path
        other = out.get(name, ("", None))[0]
        if not (DATED.match(file) and DATED.match(other) and file < other):
            out[name] = (file, copy)
    return out


def _read(copy: Copy, line: str) -> None:
    values = copy.values
    if BEGUN.match(line):
        if copy.over:  # the next run, in one text
            copy.__init__()  # type: ignore[misc]
        copy.whole = True
        return
    fault = FAULT.match(line[:LONGEST])
    if fault:
        kind = next(g for g in reversed(fault.groups()) if g)
        copy.faults[kind.lower()] += 1
        values["errors"] = max(values.get("errors", 0.0), float(copy.faults.total()))
        copy.text = line.strip()[:LONGEST]
        if kind.lower() in ("error login", "can not open"):
            copy.state = "failed"  # the oldest say nothing more; others try again
        return
    if line.startswith(("msg ", "ETA: ")):
        _progress(copy, line[-LONGEST:])
    elif match := STATISTIC.match(line[:LONGEST]):
        _statistic(copy, match)
    else:
        _other(copy, line[:LONGEST])


def _progress(copy: Copy, line: str) -> None:
    values, left = copy.values, LEFT.search(line)
    if match := COPIED.search(line):
        try:
            values["done"] = units.size(match[1])[0] or 0.0
        except ValueError:  # two points in a number: a torn line
            return
    if match := RATE.search(line):
        try:
            copy.mean = units.size(match[1])[0] or 0.0
        except ValueError:
            return
    if left:
        eta, n, total = (float(g) for g in left.groups())
        values.update(eta=eta, items_done=max(total - n, 0.0), items_total=total)
    if copy.signalled:  # it went on
        copy.signalled = False
        copy.notes.pop("interrupted", None)
    if not copy.over:
        copy.state, copy.text = "running", line.strip()


def _statistic(copy: Copy, match: re.Match[str]) -> None:
    values, label = copy.values, f"{match[1]}{match[2]}".strip()
    try:
        n = float(match[3])
    except ValueError:
        return
    if label in ("Messages transferred", "Messages transfered"):
        values["items_done"] = copy.values["transferred"] = n
        if dry := DRY.search(match[4]):
            copy.notes["dry run"] = f"could be {dry[1]} messages"
    elif label == "Messages skipped" and "transferred" in values:
        values["items_done"] = values["transferred"] + n
    elif label in ("Total bytes transferred", "Total bytes transfered"):
        values["done"] = n
    elif label in ("Transfer time", "Time"):
        values["elapsed"] = n
    elif label.startswith("Average"):
        copy.mean = n * 1024
    if n and NOTED.search(label) and not label.startswith("Total"):
        copy.notes[label] = f"{n:.0f}"


def _other(copy: Copy, line: str) -> None:
    values = copy.values
    for pattern, name in ((TOTAL, "items_total"), (SIZE, "total")):
        if match := pattern.match(line):
            values.setdefault(name, float(match[1]))  # old releases name no host: the first is the source
            return
    if match := ONE.match(line):
        if match[1]:
            copy.size = float(match[1])
        elif copy.whole:
            values["items_done"] = values.get("items_done", 0.0) + 1
            values["done"] = values.get("done", 0.0) + copy.size
    elif match := ACCOUNT.match(line):
        copy.whole = True
        copy.accounts.setdefault(match[1] or ("1" if match[2] == "From" else "2"), (match[3], match[4]))
    elif match := PID.match(line):
        copy.pid = match[1]
    elif match := SO_FAR.match(line):
        copy.whole = True
        copy.faults = Counter()
        for told in (match[2] or "").split(", "):
            n, _, kind = told.partition(" ")
            if n.isdecimal() and len(n) < 10:
                copy.faults[kind] = int(n)
        values["errors"] = max(values.get("errors", 0.0), float(match[1]))
    elif match := LISTED.match(line):
        values["errors"] = max(values.get("errors", 0.0), float(match[1] or match[2]))
    elif match := DETECTED.match(line):
        # The last line of the oldest releases; others say afterwards how they exit.
        values["errors"] = float(match[1])
        _end(copy, line, not values["errors"] and not copy.signalled)
    elif match := EXIT.match(line):
        if match[2]:
            values["errors"] = max(values.get("errors", 0.0), float(match[2]))
        _end(copy, line, match[1] == "0")
    elif match := SIGNAL.match(line):
        copy.signalled, copy.notes["interrupted"] = True, match[1]
    elif line.startswith("The sync ") and "looks good" not in line and "strict" not in line:
        copy.notes[line.partition(",")[0].strip()] = line.partition(",")[2].strip()[:200]


def _end(copy: Copy, line: str, good: bool) -> None:
    copy.over, copy.state = True, "done" if good else "failed"
    copy.values.pop("eta", None)
    if not good and copy.faults:
        copy.notes["errors"] = ", ".join(f"{kind} {n}" for kind, n in copy.faults.most_common(5))
    copy.text = "; ".join([line.strip(), *(f"{what}: {n}" for what, n in copy.notes.items())])


FOLLOW = r"""
my ($every, $logs) = @ARGV;
$| = 1;
my (%at, %told, %faults, %over, %shown);
my ($n, $round) = (0, 0);
while (1) {
    my ($left, $now, %when) = (50_000_000, time);
    for my $f (glob $logs) {
        my @s = stat $f;
        $when{$f} = $s[9] if @s && -f _ && $s[9] > $now - 86400;
    }
    for my $f (grep { !exists $when{$_} } keys %at) { delete $_->{$f} for (\%at, \%told, \%faults, \%over, \%shown) }
    for my $f (sort { $when{$a} <=> $when{$b} || $a cmp $b } keys %when) {
        my $size = -s $f;
        if (!defined $at{$f} || $size < $at{$f}) { ($at{$f}, $told{$f}, $faults{$f}, $over{$f}) = (0, {}, {}, 0) }
        if ($size > $at{$f} && $left > 0) {
            open(my $h, "<", $f) or next;
            seek $h, $at{$f}, 0;
            while ($left > 0) {
                my $line = <$h>;
                last unless defined $line && ($line =~ /\n\z/ || length $line > 1_000_000);
                $at{$f} += length $line;
                $left -= length $line;
                my ($slot, $first);
                if ($line =~ m!FAULT!i) {
                    my ($kind) = grep { defined } $7, $5, $4, $3;
                    $faults{$f}{lc $kind}++;
                }
                elsif ($line =~ /^msg .* copied/) { $slot = "copied" }
                elsif ($line =~ /^(msg .*)?ETA: /) { $slot = "left" }
                elsif ($line =~ /^(Host1 )?(Nb messages|Total size) *:/) { ($slot, $first) = ($2, 1) }
                elsif ($line =~ /^(Host[12]: IMAP|From imap|To +imap) server/) { ($slot, $first) = ($1, 1) }
                elsif ($line =~ /^(PID is|Got a SIG|The sync is not finished|Err )/) { $slot = $1 }
                elsif ($line =~ /^((Messages|Total bytes|Transfer time|Time|Average|Reconnect)[^:]*):/) { $slot = $1 }
                elsif ($line =~ /^(Detected [0-9]|Exiting with)/) { $slot = $1; $over{$f} = 1 }
                next if !$slot || $first && $told{$f}{$slot};
                chomp $line;
                $line = substr($line, 0, 500) . " ... " . substr($line, -800) if length $line > 1500;
                $told{$f}{$slot} = [$n++, $line];
            }
            close $h;
            $shown{$f} = 0;
        }
        next if $size - $at{$f} > 1_000_000;
        next if $over{$f} && $shown{$f} > 2 && $round % 12;
        $shown{$f}++;
        my $sum = 0;
        $sum += $_ for values %{$faults{$f}};
        print "==> $f\n+ $sum errors so far: ", join(", ", map { "$faults{$f}{$_} $_" } sort keys %{$faults{$f}}), "\n";
        print "$_->[1]\n" for sort { $a->[0] <=> $b->[0] } values %{$told{$f}};
    }
    print "\n";
    $round++;
    select undef, undef, undef, $every;
}
""".replace("FAULT", _FAULT)
"""One process that reads what the logs have grown by: errors are counted, and hundreds of logs cost no forks. Logs that
are over are told once a minute. imapsync is a Perl script, so where it runs there is one."""
HEAD = [
    *("Host[12]: IMAP server", "From imap server", "To *imap server", "PID is"),
    *("Host1 Nb messages *:", "Host1 Total size *:", "Nb messages *:", "Total size *:"),
]
TAIL = (
    "^(Messages|Total bytes|Transfer time|Time|Average|Reconnections)[^:]*:"
    "|^(Detected|Exiting|The sync|Got a SIG|msg |ETA: |[+]+ Listing )"
)


def _logs(ctx: Context) -> str:
    return ctx.facts.get("option:imapsync_log") or "LOG_imapsync/*.txt"


def follow(ctx: Context) -> str:
    return f"exec perl -e {shlex.quote(FOLLOW.strip())} {ctx.interval:g} {shlex.quote(_logs(ctx))}"


def reread(ctx: Context) -> str:
    head = " ".join(f"-e '/^{line}/p'" for line in HEAD)
    one = (
        f"head -5000 \"$f\" | sed -n {head} -e '/^[+]* Looping/q' 2>/dev/null; "
        f"tail -400 \"$f\" | egrep '{TAIL}' 2>/dev/null | tail -40"
    )
    return (
        f"while :; do find {_logs(ctx)} -mtime -1 -print 2>/dev/null | sort | "
        f'while read f; do echo "==> $f"; {one}; done; '
        f"echo || exit; sleep {ctx.interval:g}; done"
    )


def variant(name: str, command: Callable[[Context], str], probe: str) -> Variant:
    return Variant(
        name=name,
        systems=("solaris10", "solaris11", "illumos", "linux", "freebsd"),
        command=command,
        parser=Imapsync,
        probe=probe,
        fix="set options.imapsync_log in hosts.toml to the path of imapsync's logs",
    )


SOURCE = Source(
    name="imapsync",
    meaning="messages and bytes done, rate, time left and errors of each imapsync run, from its log",
    tables=("transfers",),
    interval=EVERY,
    variants=(
        variant("log", follow, "perl -e 1"),
        variant("log-tail", reread, "type egrep && type find"),
    ),
)
