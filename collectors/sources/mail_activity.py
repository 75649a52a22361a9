"""mail_activity: processes, connections and logins of Cyrus and the nginx mail proxy, by zone.

Inputs in one stream, every few seconds: `ps`; mail logs as they grow, also over their rotation (`login:` and
`badlogin:` lines of cyrus-imapd, logins and errors of nginx's mail proxy); Cyrus's proc folder, which has a file for
each process that serves a client; nginx's stub_status page. Options: `mail_log` and `cyrus_proc` (shell patterns; what
lies below /zones/NAME/root belongs to that zone) and `nginx_status` (URL of the page, read with curl or wget).

Without `cyrus_proc` every imapd, pop3d or lmtpd counts as one connection, those that wait for one too (prefork).
nginx counts its own mail sessions, HTTP clients and questions to auth_http alike.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable
from math import nan

from collectors.base import OS, Batch, Context, ParseError, Source, Variant
from collectors.rates import Rates
from collectors.zones.cgroups import container
from frames.schemas import MAIL_ACTIVITY

EVERY = 5.0
COLUMNS = MAIL_ACTIVITY.names[2:]
CYRUS = frozenset(
    ["imapd", "pop3d", "lmtpd", "timsieved", "master", "cyrmaster", "idled", "notifyd", "nntpd", "proxyd"]
)
SERVICES = CYRUS | {"nginx", "imapproxyd", "perdition", "dovecot", "imap-login", "pop3-login", "imap", "pop3"}
"""Commands that count as mail services."""
CONNECTED = frozenset(["imapd", "pop3d", "lmtpd", "timsieved"])

LOGIN = re.compile(
    r"log (\S+) .*?\b(imap|pop3|timsieved|sieve|lmtp|nntp)[\w-]{0,20}\[[0-9]{1,10}\]: "
    r"(?:\[ID [0-9]+ \S+\] )?(bad)?login: "
)
NGINX = re.compile(r"log (\S+) \d{4}/\d\d/\d\d [\d:]{8} \[(\w{1,10})\] \d{1,10}#\d{1,20}: (?:\*\d{1,20} )?(.*)")
"""nginx's error log, in which `error_log … info` has the logins of its mail proxy."""
PROC = re.compile(r"proc (\S+) +([0-9]{1,9}) +(\S+)$")
JAIL = re.compile(r"jail ([0-9]{1,9}) (\S+)$")
ZONE = re.compile(r"/zones?/([^/]+)/root/")
DAEMONS = {"imap": "imapd", "pop3": "pop3d", "sieve": "timsieved", "timsieved": "timsieved", "lmtp": "lmtpd"}
"""A service's name in Cyrus's configuration begins with one of these; its daemon."""
NAMED = re.compile(r"timsieved|imap|pop3|sieve|lmtp")
ACTIVE = re.compile(r"Active connections: ([0-9]{1,12})")
ACCEPTS = re.compile(r" *([0-9]{1,18}) +([0-9]{1,18}) +([0-9]{1,18}) *$")
READING = re.compile(r"Reading: [0-9]+ Writing: [0-9]+ Waiting: [0-9]+")


class Activity:
    """Rows of a round, made at its `end` line: one per zone and service."""

    source = "mail_activity"

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.line_no = 0
        self._rates = Rates()
        self._rounds = 0
        self._processes: Counter[tuple[str, str]] = Counter()
        self._logins: Counter[tuple[str, str]] = Counter()
        self._bad: Counter[tuple[str, str]] = Counter()
        self._logged: set[tuple[str, str]] = set()
        self._serving: Counter[tuple[str, str]] = Counter()
        self._told: set[str] = set()
        self._jails: dict[str, str] = {}
        self._active = nan
        self._accepted: tuple[int, int, int] | None = None
        self._since = 0.0

    def feed(self, line: str, at: float) -> list[Batch]:
        self.line_no += 1
        words = line.split()
        if not words:
            return []
        if words[0] == "ps":
            service = words[1].rpartition("/")[2].rstrip(":") if len(words) > 1 else ""
            if service in SERVICES:
                zone = _zone(words[-1])
                self._processes[self._jails.get(zone, zone), service] += 1
        elif words[0] == "log":
            if match := LOGIN.match(line):
                key = (_zone_of(match[1]), DAEMONS.get(match[2], "nntpd"))
                (self._bad if match[3] else self._logins)[key] += 1
            elif match := NGINX.match(line):
                if match[3].startswith("client logged in,"):
                    self._logins[_zone_of(match[1]), "nginx"] += 1
                elif match[2] in ("error", "crit", "alert", "emerg"):
                    self._bad[_zone_of(match[1]), "nginx"] += 1
        elif words[0] == "proc":
            self._proc(line)
        elif words[0] == "jail":
            jail = JAIL.match(line)
            if jail and len(self._jails) < 10_000:
                self._jails[jail[1]] = jail[2]
        elif words[0] == "end":
            return self._round(at)
        elif not self._status(line):
            raise ParseError(self.source, self.ctx.host, self.line_no, line, "not a line of ps, a mail log or nginx")
        return []

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return []

    def _proc(self, line: str) -> None:
        """`proc FOLDER N SERVICE`: so many processes serve clients; `proc FOLDER 0 -` of a folder without any."""
        match = PROC.match(line)
        if not match:
            raise ParseError(self.source, self.ctx.host, self.line_no, line, "not a count of Cyrus's proc folder")
        zone, named = _zone_of(match[1]), NAMED.match(match[3])
        self._told.add(zone)
        if named:
            self._serving[zone, DAEMONS[named[0]]] += int(match[2])

    def _status(self, line: str) -> bool:
        """A line of stub_status: connections now, then accepted, handled and requests since the start."""
        active, accepts = ACTIVE.match(line), ACCEPTS.match(line)
        if active:
            self._active = float(active[1])
        elif accepts:
            self._accepted = (int(accepts[1]), int(accepts[2]), int(accepts[3]))
        else:
            return line.startswith("server accepts") or READING.match(line) is not None
        return True

    def _round(self, at: float) -> list[Batch]:
        self._rounds += 1
        moment = at or self._rounds * self.ctx.interval
        span, self._since = moment - self._since if self._since else nan, moment
        rows: dict[tuple[str, str], dict[str, float]] = {}
        for key, n in self._processes.items():
            connections = float(self._serving[key] if key[0] in self._told else n) if key[1] in CONNECTED else nan
            rows[key] = {"processes": float(n), "connections": connections}
        # From a service's first login on, none in a round is a rate of 0 and not an unknown one.
        self._logged |= self._logins.keys() | self._bad.keys()
        for key in self._logged:
            row = rows.setdefault(key, {})
            row["requests"] = self._logins[key] / span if span > 0 else nan
            row["errors"] = self._bad[key] / span if span > 0 else nan
        if self._accepted or self._active == self._active:
            accepted, handled, requests = self._accepted or (nan, nan, nan)
            rates = self._rates.step("nginx", moment, [accepted, accepted - handled, requests])
            zone = next((z for z, service in rows if service == "nginx"), "global")
            row = rows.setdefault((zone, "nginx"), {})
            row.update(connections=self._active, accepts=rates[0])
            if (zone, "nginx") not in self._logged:  # its logins say more than its requests
                row.update(errors=rates[1], requests=rates[2])
        self._processes, self._logins, self._bad, self._serving = Counter(), Counter(), Counter(), Counter()
        self._told = set()
        self._active, self._accepted = nan, None
        if not rows:
            return []
        columns: dict[str, list[object]] = {c: [] for c in COLUMNS}
        for (zone, service), values in rows.items():
            for name, column in columns.items():
                column.append({"zone": zone, "service": service}.get(name, values.get(name)))
        return [Batch("mail_activity", columns)]


def _zone(text: str) -> str:
    """The zone that ps names: a zone or jail, or the container in a control group's path (Linux)."""
    if "/" not in text:
        return "global" if text in ("-", "0") else text
    for part in text.split("/"):
        if part.startswith(("lxc.payload.", "docker-", "libpod-", "machine-")):
            return container(part)[0]
    return "global"


def _zone_of(path: str) -> str:
    """The zone that a path of the global zone leads into."""
    zone = ZONE.search(f"{path}/")
    return zone[1] if zone else "global"


FOLLOW = """
follow() {
    (n=0; while :; do
        i=`ls -i "$1" 2>/dev/null`
        p=`tail -${n}f "$1" >&3 2>/dev/null & echo $!`
        while test "`ls -i "$1" 2>/dev/null`" = "$i"; do echo beat >&3 || { kill $p; exit; }; sleep %s; done
        kill $p; n=1000
    done) 3>&1 | while read l; do
        case "$l" in beat) echo "log $1" || exit;; *login:*|*"[error] "*|*"[crit] "*) echo "log $1 $l" || exit;; esac
    done
}
"""
"""Follows a log by its name: Solaris's tail has no -F. After a rotation the new file is read from its beginning."""
SERVING = """
for d in %s; do
    test -d "$d" && (cd "$d" && cat [0-9]* 2>/dev/null | awk -F'\t' '{ s = "imap"; if (NF > 3) s = $1; n[s]++ }
        END { for (s in n) print n[s], s; print 0, "-" }' | sed "s|^|proc $d |")
done
"""
"""A line a client: service, client, user, mailbox; old releases leave out the service."""


def command(ps: str, first: str) -> Callable[[Context], str]:
    """The stream's command; `ps` prints a command and its zone, a process a line, `first` runs before it."""
    wanted = "|".join(sorted(SERVICES))

    def make(ctx: Context) -> str:
        log, folder = ctx.facts.get("option:mail_log"), ctx.facts.get("option:cyrus_proc")
        url, every = shlex.quote(ctx.facts.get("option:nginx_status", "")), f"{ctx.interval:g}"
        parts = []
        if log:
            parts.append(f'{FOLLOW % every}for f in {log}; do follow "$f" & done')
        page = f"(curl -s -m 5 {url} || wget -q -T 5 -t 1 -O - {url}) 2>/dev/null\n" if url != "''" else ""
        serving = SERVING % folder if folder else ""
        services = f"{ps} | egrep '{wanted}' 2>/dev/null | sed 's/^/ps /'"
        parts.append(f"while :; do\n{first}{services}\n{serving}{page}echo end || exit\nsleep {every}; done")
        return "\n".join(parts)

    return make


def variant(name: str, systems: tuple[OS, ...], ps: str, first: str = "") -> Variant:
    return Variant(
        name=name,
        systems=systems,
        command=command(ps, first),
        parser=Activity,
        probe=f"{ps} | grep .",
        fix="let the user see all processes (Solaris: usermod -K defaultpriv=basic,proc_owner USER; Linux: no hidepid)",
    )


SOURCE = Source(
    name="mail_activity",
    meaning="processes, connections, logins and errors of Cyrus and the nginx mail proxy, by zone",
    tables=("mail_activity",),
    interval=EVERY,
    variants=(
        variant("ps-zone", ("solaris10", "solaris11", "illumos"), "ps -e -o comm -o zone"),
        variant("ps-cgroup", ("linux",), "ps -e -o comm= -o cgroup="),
        variant("ps-jail", ("freebsd",), "ps -ax -o comm= -o jail="),
        variant("ps-jid", ("freebsd",), "ps -ax -o comm= -o jid=", "jls jid name 2>/dev/null | sed 's/^/jail /'\n"),
    ),
)
