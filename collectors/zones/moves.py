"""A zone that left one host of a pair and came up on the other has moved; one that runs on both is told as well.

Hosts tell of their zones one by one (`states`); what belongs together is seen here, where all of them pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from collectors.base import Batch

SHARED = frozenset(["global"])
"""Names that every host has."""
WITHIN = 24 * 3600.0
"""Seconds from a zone's end on one host to its start on the other within which it is one move."""


FRESH = 10.0
"""Seconds after which what a host said of its zones says nothing of now: its link may be down."""
SETTLED = 15.0
"""Seconds for which a zone must run on both before it is told: the last rows of one that ends come late."""


class Moves:
    """`pairs`: (source, target) hosts of a migration, in any direction."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._partners: dict[str, set[str]] = {}
        for a, b in pairs:
            self.join(a, b)
        self._left: dict[tuple[str, str], float] = {}
        self._running: dict[str, tuple[float, frozenset[str]]] = {}
        self._both: dict[tuple[str, frozenset[str]], float] = {}
        self._told: set[tuple[str, frozenset[str]]] = set()

    def join(self, a: str, b: str) -> None:
        """One more pair."""
        self._partners.setdefault(a, set()).add(b)
        self._partners.setdefault(b, set()).add(a)

    def see(self, host: str, batches: Iterable[Batch], at: float) -> list[tuple[str, str, str, str]]:
        """Events (host, zone, severity, text) that follow from what `host` said at `at` (epoch seconds)."""
        partners = self._partners.get(host)
        if not partners:
            return []
        out: list[tuple[str, str, str, str]] = []
        for batch in batches:
            if batch.table == "events":
                for zone, text in _zone_events(batch.columns):
                    out += self._event(host, zone, text, partners, at)
            elif batch.table == "zone_usage":
                out += self._rows(host, batch.columns, partners, at)
        return out

    def _event(self, host: str, zone: str, text: str, partners: set[str], at: float) -> list[tuple[str, str, str, str]]:
        if "stopped running" in text or "is gone (was running)" in text:
            self._left[host, zone] = at
            return []
        if not text.endswith("is running") and not text.endswith("appeared, running"):
            return []
        self._left.pop((host, zone), None)
        for other in sorted(partners):
            left = self._left.pop((other, zone), None)
            if left is not None and at - left <= WITHIN:
                return [(host, zone, "info", f"zone {zone} moved from {other} to {host} ({_span(at - left)} away)")]
        return []

    def _rows(
        self, host: str, columns: Mapping[str, Sequence[object]], partners: set[str], at: float
    ) -> list[tuple[str, str, str, str]]:
        states = columns["state"]
        mine = frozenset(
            str(z) for z, s in zip(columns["zone"], states, strict=True) if s == "running" and z not in SHARED
        )
        self._running[host] = at, mine
        out = []
        for other in sorted(partners):
            seen, theirs = self._running.get(other, (at, frozenset()))
            if at - seen > FRESH:
                continue
            pair = frozenset((host, other))
            both = {(zone, pair) for zone in mine & theirs}
            for key in [k for k in self._both if k[1] == pair and k not in both]:
                del self._both[key]
                self._told.discard(key)
            settled = {key for key in both if at - self._both.setdefault(key, at) >= SETTLED} - self._told
            if settled:
                self._told |= settled
                zones = sorted(zone for zone, _ in settled)
                who = f"zone {zones[0]} runs" if len(zones) == 1 else f"zones {', '.join(zones)} run"
                # Hosts that are built alike may well run the same names: a warning, and one for all of them.
                out.append((host, zones[0], "warn", f"{who} on {host} and on {other} at once"))
        return out


def _zone_events(columns: Mapping[str, Sequence[object]]) -> list[tuple[str, str]]:
    kinds, objects, texts = columns["kind"], columns["object"], columns["text"]
    return [(str(o), str(t)) for k, o, t in zip(kinds, objects, texts, strict=True) if k == "zone" and o not in SHARED]


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
