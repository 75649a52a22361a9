"""What a Solaris or illumos host says of its zones besides numbers: zoneadm(1M) list -cp and /etc/zones/*.xml.

zoneadm prints id:name:state:path:uuid:brand:ip-type[:debugid], `-` for the id of a zone that is not running;
Solaris 10's `list -p` may leave out fields at the end. Our loop closes each listing with "zones. N", N being its
lines: a listing of another length was cut, and says nothing of the zones that it lacks.

prctl(1) tells what was set since a zone booted: `zone: ID: NAME`, then per control a line `zone.cpu-cap` and
`privileged VALUE …` below it, or with -P all in one line `zone.cpu-cap privileged 150 - deny -`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import nan

from collectors import units
from collectors.base import Batch
from collectors.zones.states import State, States

NUMBER = re.compile(r"[0-9]{1,20}$")
STATES = frozenset(
    ["configured", "incomplete", "unavailable", "installed", "ready", "running", "shutting_down", "down", "mounted"],
)
ALIVE = {"ready", "running", "shutting_down", "mounted"}
FIELDS = re.compile(r"(?<!\\):")
"""A colon in a path is escaped."""
CLOSING = re.compile(r"zones\.(?: ([0-9]{1,6}))?$")
PRCTL_ZONE = re.compile(r"zone: ([0-9]{1,9}): (\S+)$")
PRCTL = re.compile(r"(?:(zone\.[a-z-]+)|(?:(zone\.[a-z-]+)\s+)?(usage|privileged|system|basic)\s+(\S+)(?:\s.*)?)$")
PRCTL_COUNT = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,3})?)([KMGTPE]?)(B?)$")
XML = re.compile(r"<(zone|rctl-value|rctl|mcap)(?=[ />])(.*)")
ATTRIBUTE = re.compile(r'(\w[\w-]*)="([^"]*)"')
RCTLS = {"zone.cpu-shares": ("shares", 1.0), "zone.cpu-cap": ("cpu_cap", 0.01), "zone.max-swap": ("swap_cap", 1.0)}
RCTLS["zone.max-physical-memory"] = "rss_cap", 1.0
"""SmartOS's kernel caps memory itself, and so has a control of it."""


def size(text: str) -> float:
    """Bytes of a size as Solaris prints it (K, M, G are powers of 1024); NaN for '-'. Raises ValueError."""
    if len(text) > 24:
        raise ValueError(f"not a size: {text[:24]!r}…")
    value, _ = units.size(text)
    return nan if value is None else value


@dataclass(slots=True)
class Config:
    """What /etc/zones says of one zone: shares, cap in cores, caps in bytes; NaN: none."""

    shares: float = nan
    cpu_cap: float = nan
    rss_cap: float = nan
    swap_cap: float = nan
    brand: str = ""


class Listing:
    """The newest listing: `zones` by name, `names` of kernel ids, `config` by name. `states` outlives a link."""

    def __init__(self) -> None:
        self.zones: dict[str, State] = {}
        self.names: dict[int, str] = {}
        self.config: dict[str, Config] = {}
        self.fresh = False
        """A listing has come that nobody has shown yet."""
        self.states = States()
        self.comment = False
        """Within a comment of a zone's XML."""
        self._next: dict[str, State] = {}
        self._zone = Config()
        self._rctl = ""

    def take(self, line: str, stamp: float | None) -> list[Batch] | None:
        """Read a line of a listing: None if it is none, else the events that it completes.

        Raises ValueError for a line of a listing that cannot be read.
        """
        if self.comment or line.lstrip().startswith("<"):
            self.comment = "-->" not in line and (self.comment or "<!--" in line)
            self._xml(line.strip())
            return []
        closing = CLOSING.match(line)
        if closing:
            found, self._next = self._next, {}
            if closing[1] is not None and int(closing[1]) != len(found):
                raise ValueError(f"zoneadm: {len(found)} zones of {closing[1]}: the listing is not believed")
            if not found:
                return []
            self.zones = found
            self.names = {s.id: name for name, s in self.zones.items() if s.id is not None}
            self.fresh = True
            return self.states.see(self.zones, stamp)
        text = line.strip()
        if text.startswith(("zone: ", "zone.", "NAME ")) or (self._rctl and PRCTL.match(text)):
            return self._prctl(text)
        if line.split()[:3] == ["ID", "NAME", "STATUS"]:
            return []
        if self._people(line.split()):
            return []
        words = [word.strip() for word in FIELDS.split(line)]
        if len(words) < 4 or words[2] not in STATES:
            return None
        if words[0] != "-" and not NUMBER.match(words[0]):
            raise ValueError("zoneadm: the first field is neither an id nor -")
        # SmartOS and OmniOS show an id for installed zones too: it is kept for their next boot.
        zone = int(words[0]) if words[0] != "-" and words[2] in ALIVE else None
        self._next[words[1]] = State(zone, words[2], words[5] if len(words) > 5 else "", words[3].replace("\\:", ":"))
        return []

    def close(self) -> None:
        """The end of a saved text, whose listing has no line of ours behind it."""
        if self._next:
            self.zones, self._next, self.fresh = self.zones | self._next, {}, True
            self.names.update({s.id: name for name, s in self.zones.items() if s.id is not None})

    def _people(self, words: list[str]) -> bool:
        """A row of `zoneadm list -cv`: ID NAME STATUS PATH BRAND IP. It is shown; what it lacks is not gone."""
        if not 4 <= len(words) <= 6 or words[2] not in STATES or not (words[0] == "-" or NUMBER.match(words[0])):
            return False
        zone = int(words[0]) if words[0] != "-" and words[2] in ALIVE else None
        self.zones[words[1]] = State(zone, words[2], words[4] if len(words) > 4 else "", words[3])
        if zone is not None:
            self.names[zone] = words[1]
        self.fresh = True
        return True

    def _prctl(self, line: str) -> list[Batch] | None:
        zone, control = PRCTL_ZONE.match(line), PRCTL.match(line)
        if zone:
            self._zone, self._rctl = self.config.setdefault(zone[2], Config()), ""
            self.names.setdefault(int(zone[1]), zone[2])
        elif control:
            self._rctl = control[1] or control[2] or self._rctl
            if control[3] == "privileged" and self._rctl in RCTLS:
                name, scale = RCTLS[self._rctl]
                setattr(self._zone, name, _value(control[4]) * scale)
        return [] if zone or control or line.startswith("NAME ") else None

    def _xml(self, line: str) -> None:
        match = XML.match(line)
        if not match:
            return
        element, attributes = match[1], dict(ATTRIBUTE.findall(match[2]))
        if element == "zone":
            self._zone = self.config[attributes.get("name", "")] = Config(brand=attributes.get("brand", ""))
        elif element == "rctl":
            self._rctl = attributes.get("name", "")
        elif element == "mcap":
            self._zone.rss_cap = _limit(attributes.get("physcap", ""))
        elif self._rctl in RCTLS:
            name, scale = RCTLS[self._rctl]
            setattr(self._zone, name, _limit(attributes.get("limit", "")) * scale)


def _value(text: str) -> float:
    """A value of prctl: bytes with a B ("2.00GB", binary multiples), else a count ("4.29G", decimal ones)."""
    match = PRCTL_COUNT.match(text)
    if not match:
        raise ValueError(f"prctl: not a value: {text[:40]!r}")
    return float(match[1]) * (1024.0 if match[3] else 1000.0) ** " KMGTPE".index(match[2] or " ")


def _limit(text: str) -> float:
    """A limit of the configuration; 2**64 - 1 stands for none."""
    if not NUMBER.match(text):
        raise ValueError(f"zone configuration: not a limit: {text[:40]!r}")
    value = int(text)
    return float(value) if value < 2**63 else nan
