"""What happens on the site, and when: streams of a migration, a resilver, slow disks. Times are epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fleet import noise
from fleet.noise import Floats
from fleet.site import GIB, KIB, MIB, Site

SCENARIOS = ("quiet", "migration", "incident", "night", "estate")
"""estate: quiet, with a Solaris 11 and a FreeBSD host beside the others.
night: the migration and the incident at once, as on the worst of the pages' mocks."""

DAY = 86_400


@dataclass(frozen=True)
class Stream:
    """One `zfs send | zfs recv`. `stalls`: (from, until) without a byte. `rate` in bytes a second while it runs."""

    source: str
    target: str
    dataset: str
    total: float
    rate: float
    began: float
    stalls: tuple[tuple[float, float], ...] = ()

    def running(self, t: Floats) -> Floats:
        """Seconds that it has run by `t`, stalls taken out."""
        out = np.maximum(t - self.began, 0.0)
        for a, b in self.stalls:
            out = out - (np.clip(t, max(a, self.began), b) - max(a, self.began))
        return out

    def done(self, t: Floats) -> Floats:
        """Bytes received by `t` [T]: never falls, never passes `total`."""
        run = self.running(t)
        key = noise.seeds("stream", self.source, self.dataset, names=["a"])
        # Noise on the distance, not on the speed: its difference is the rate, and no integral is needed.
        wobble = 34.0 * noise.smooth(key, run, 95.0) + 2.3 * noise.smooth(key + np.uint64(1), run, 9.0)
        wobble += 0.16 * noise.smooth(key + np.uint64(2), run, 1.0)
        start = 34.0 * noise.smooth(key, np.zeros(1), 95.0) + 2.3 * noise.smooth(key + np.uint64(1), np.zeros(1), 9.0)
        start += 0.16 * noise.smooth(key + np.uint64(2), np.zeros(1), 1.0)
        ramp = np.minimum(run / 60.0, 1.0)
        distance = run + (wobble - start)[:, 0] * 0.35 * ramp
        return np.clip(self.rate * distance, 0.0, self.total)


@dataclass(frozen=True)
class SlowDisk:
    """A disk whose reads and writes take some 40 times as long, and the zone that suffers."""

    host: str
    disk: str
    zone: str
    began: float
    until: float
    median: float = 205.0
    """ms."""

    def level(self, t: Floats) -> Floats:
        """0 before, 1 while it lasts [T]; rises over half a minute."""
        return np.clip((t - self.began) / 28.0, 0.0, 1.0) * np.clip((self.until - t) / 12.0, 0.0, 1.0)


@dataclass(frozen=True)
class Resilver:
    """`fraction` done at `at`; ends `span` seconds after it began. `scrub`: reads only, no disk replaced."""

    host: str
    pool: str
    vdev: str
    disk: str
    began: float
    span: float
    bytes: float
    scrub: bool = False

    def fraction(self, t: Floats) -> Floats:
        """0..1 [T]."""
        x = np.clip((t - self.began) / self.span, 0.0, 1.0)
        return x + 0.02 * np.sin(np.pi * x) * np.sin(x * 21.0)

    def running(self, t: Floats) -> Floats:
        return ((t >= self.began) & (t < self.began + self.span)).astype(np.float64)


@dataclass(frozen=True)
class Mailbox:
    """One account that imapsync copies, run on `host`: `messages` of `bytes` in all, at `rate` bytes a second from
    `began` on. `failing`: messages that could not be appended. `refused`: its password is wrong."""

    host: str
    user: str
    messages: int
    bytes: int
    rate: float
    began: float
    failing: int = 0
    refused: bool = False

    def done(self, t: Floats) -> Floats:
        """Bytes copied by `t` [T]: never falls, never passes `bytes`."""
        run = np.maximum(t - self.began, 0.0)
        key = noise.seeds("mailbox", self.host, self.user, names=["a"])
        return np.clip(
            self.rate * (run + 5.0 * noise.smooth(key, run, 60.0)[:, 0] * np.minimum(run / 60, 1)), 0, self.bytes
        )

    def errors_by(self, t: float) -> dict[str, int]:
        """Errors so far by kind."""
        if self.refused:
            return {"error login": 1}
        n = int(self.failing * float(self.done(np.array([t]))[0]) / self.bytes)
        return {"append": n} if n else {}

    @property
    def ends(self) -> float:
        return self.began + (5.0 if self.refused else self.bytes / self.rate)


@dataclass(frozen=True)
class Marker:
    """Something that people did: for the log of the night."""

    time: float
    host: str
    kind: str
    object: str
    severity: str
    text: str
    who: str = "bryan"
    until: float | None = None


@dataclass(frozen=True)
class Scenario:
    """All that happens around `start` (epoch seconds), before it too."""

    name: str
    start: float
    streams: tuple[Stream, ...] = ()
    slow: tuple[SlowDisk, ...] = ()
    scans: tuple[Resilver, ...] = ()
    markers: tuple[Marker, ...] = field(default=())
    mailboxes: tuple[Mailbox, ...] = ()


def last_night(start: float, hour: float) -> float:
    """The newest time of day `hour` (UTC) that lies at least three hours before `start`."""
    t = (start // DAY) * DAY + hour * 3600
    while t > start - 3 * 3600:
        t -= DAY
    return t


def scenario(name: str, start: float, site: Site, offset: float = 0.0) -> Scenario:
    """The scenario `name` with its middle (where a demo should open) at `start` - `offset`.

    Raises ValueError for an unknown name.
    """
    if name not in SCENARIOS:
        raise ValueError(f"no scenario {name!r}; known are {', '.join(SCENARIOS)}")
    middle = start - offset
    names = {h.name for h in site.hosts}
    bad = last_night(start, 2 + 10 / 60)
    victim = "ms2" if "ms2" in names else site.hosts[0].name
    slow = [SlowDisk(victim, "c3t7d0", "mail3", bad, bad + 1800)]
    markers = [Marker(bad + 2400, victim, "note", "c3t7d0", "info", "c3t7d0 reseated, latency is back to normal")]
    streams: list[Stream] = []
    scans: list[Resilver] = []
    mailboxes: list[Mailbox] = []
    scrub_host = "om1" if "om1" in names else ""
    if scrub_host:
        sunday = last_night(start, 1.0)
        scans.append(Resilver(scrub_host, "mail", "raidz2-0", "", sunday, 2.2 * 3600, 3.0 * 1024 * GIB, scrub=True))
    if name in ("incident", "night"):
        slow.append(SlowDisk(victim, "c3t7d0", "mail3", middle - 720, middle + 6 * 3600))
    if name in ("migration", "night"):
        stalled = middle - 372
        streams = [
            _stream("ma1", "ms1", "mail1", 413, 78, done=413, at=middle - 1348),
            _stream("ma1", "ms1", "mail2", 388, 82, done=301, at=middle),
            _stream("ma2", "ms2", "mail3", 512, 35, done=498, at=middle),
            _stream("ma2", "ms2", "mail4", 366, 34, done=171, at=stalled, stalls=((stalled, middle + 900),)),
        ]
        scans.append(Resilver("ms2", "mail", "raidz2-1", "c3t9d0", middle - 6720, 6720 / 0.614, 3.4 * 1024 * GIB))
        markers += [
            Marker(middle - 15360, "ms2", "phase", "Preflight", "info", "Preflight", "bryan", middle - 14880),
            Marker(middle - 14880, "ms2", "phase", "Bulk send", "info", "Bulk send", "bryan"),
            Marker(middle - 8520, "ms1", "phase", "cutover step 1", "info", "Cutover step 1: mail1 locked"),
            Marker(middle - 4440, "ms1", "phase", "cutover step 2", "info", "Cutover step 2: mail1 open on ms1"),
            Marker(middle - 728, "ms2", "phase", "cutover step 3", "info", "Cutover step 3: mail3 locked"),
            Marker(middle - 1348, "ms1", "phase", "mail1", "info", "mail1: 413 GiB done, 78 MiB/s mean", "fleet"),
        ]
        mailboxes = campaign("bk1", middle - 4000)
    # A part of the site sees what happens to it.
    streams = [s for s in streams if {s.source, s.target} <= names]
    scans = [s for s in scans if s.host in names]
    markers = sorted((m for m in markers if m.host in names), key=lambda m: m.time)
    mailboxes = [m for m in mailboxes if m.host in names]
    return Scenario(name, start, tuple(streams), tuple(slow), tuple(scans), tuple(markers), tuple(mailboxes))


USERS = ("anna", "bert", "carl", "dora", "emil", "fritz", "gerda", "hans", "ida", "jan", "klara", "lena", "mia", "nils")
AT_ONCE = 3


def campaign(host: str, began: float) -> list[Mailbox]:
    """The accounts of a provider that is left, copied three at a time from `began` on, the next when one ends."""
    free = [began] * AT_ONCE
    out = []
    for k, user in enumerate(USERS):
        at = min(free)
        size = int((0.12 + 0.9 * ((k * 37) % 11) / 11) * GIB)
        box = Mailbox(
            host,
            user,
            messages=size // (48 * KIB + 3000 * (k % 5)),
            bytes=size,
            rate=(300 + 40 * (k % 4)) * KIB,
            began=at,
            failing=6 if user == "dora" else 0,
            refused=user == "carl",
        )
        free[free.index(at)] = box.ends + 20
        out.append(box)
    return out


def _stream(
    source: str,
    target: str,
    zone: str,
    total: float,
    rate: float,
    *,
    done: float,
    at: float,
    stalls: tuple[tuple[float, float], ...] = (),
) -> Stream:
    """A stream that has `done` GiB at time `at`, at `rate` MiB a second."""
    began = at - done * GIB / (rate * MIB)
    return Stream(source, target, f"mail/{zone}", total * GIB, rate * MIB, began, stalls)
