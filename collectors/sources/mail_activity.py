"""mail_activity: processes, connections and logins of Cyrus and the nginx mail proxy, by zone.

Three inputs in one stream: `ps` every few seconds (one imapd, pop3d or lmtpd serves one connection in Cyrus), the
mail log as it grows (`login:` and `badlogin:` lines of cyrus-imapd), and nginx's stub_status page where the
inventory names it. Options: `mail_log` (a shell pattern; a log below /zones/NAME/root belongs to that zone) and
`nginx_status` (URL of the page, read with curl or wget).
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
CYRUS = frozenset(["imapd", "pop3d", "lmtpd", "timsieved", "master", "idled", "notifyd", "nntpd", "httpd", "proxyd"])
SERVICES = CYRUS | {"nginx", "imapproxyd", "perdition", "dovecot", "imap-login", "pop3-login", "imap", "pop3"}
"""Commands that count as mail services."""
CONNECTED = frozenset(["imapd", "pop3d", "lmtpd", "timsieved"])

LOGIN = re.compile(
    r"log (\S+) .*?\b(imaps?|pop3s?|sieve|lmtp(?:unix)?|nntp)\[[0-9]+\]: (?:\[ID [0-9]+ \S+\] )?(bad)?login: "
)
ZONE = re.compile(r"/zones?/([^/]+)/root/")
DAEMONS = {"imap": "imapd", "imaps": "imapd", "pop3": "pop3d", "pop3s": "pop3d", "sieve": "timsieved"}
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
                self._processes[_zone(words[-1]), service] += 1
        elif words[0] == "log":
            match = LOGIN.match(line)
            if match:
                zone = ZONE.search(match[1])
                key = (zone[1] if zone else "global", DAEMONS.get(match[2], "lmtpd"))
                (self._bad if match[3] else self._logins)[key] += 1
        elif words[0] == "end":
            return self._round(at)
        elif not self._status(line):
            raise ParseError(self.source, self.ctx.host, self.line_no, line, "not a line of ps, a mail log or nginx")
        return []

    def idle(self, at: float) -> list[Batch]:
        return []

    def end(self, at: float) -> list[Batch]:
        return []

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
        rows: dict[tuple[str, str], dict[str, float]] = {
            key: {"processes": float(n), "connections": float(n) if key[1] in CONNECTED else nan}
            for key, n in self._processes.items()
        }
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
            row.update(connections=self._active, accepts=rates[0], errors=rates[1], requests=rates[2])
        self._processes, self._logins, self._bad = Counter(), Counter(), Counter()
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


def command(ps: str) -> Callable[[Context], str]:
    """The stream's command; `ps` prints a command and its zone, a process a line."""
    wanted = "|".join(sorted(SERVICES))

    def make(ctx: Context) -> str:
        log, url = ctx.facts.get("option:mail_log"), shlex.quote(ctx.facts.get("option:nginx_status", ""))
        parts = []
        if log:
            logins = 'while read l; do case "$l" in *login:*) echo "log $f $l" || exit;; esac; done'
            parts.append(f'for f in {log}; do (tail -0f "$f" 2>/dev/null | {logins}) & done;')
        page = f"(curl -s {url} || wget -q -O - {url}) 2>/dev/null; " if url != "''" else ""
        every = f"{ctx.interval:g}"
        parts.append(
            f"while :; do {ps} | egrep '{wanted}' | sed 's/^/ps /'; {page}echo end || exit; sleep {every}; done"
        )
        return " ".join(parts)

    return make


def variant(name: str, systems: tuple[OS, ...], ps: str) -> Variant:
    return Variant(
        name=name,
        systems=systems,
        command=command(ps),
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
    ),
)
