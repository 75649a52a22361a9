"""Zones that boot, halt, reboot, arrive or leave become events, told from one listing to the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from collectors.base import Batch


class State(NamedTuple):
    """A zone as a listing shows it: kernel id (None: not running), state, brand, path."""

    id: int | None
    state: str
    brand: str = ""
    path: str = ""


class States:
    """What changed between listings. `noun` is what the system calls them: zone, container or jail."""

    def __init__(self, noun: str = "zone") -> None:
        self._noun = noun
        self._last: Mapping[str, State] | None = None

    def see(self, now: Mapping[str, State], stamp: float | None, restarted: Collection[str] = ()) -> list[Batch]:
        """Events since the last listing, as one batch at `stamp`; none for the first listing.

        `now` must be whole: what it lacks is gone. `restarted`: those whose counters began anew, which tells of a
        restart between two listings where there is no id to tell it.
        """
        before, self._last = self._last, dict(now)
        if before is None:
            return []
        events: list[tuple[str, str, str]] = []
        for name in sorted(before.keys() | now.keys()):
            change = _change(before.get(name), now.get(name))
            if change is None and name in restarted:
                change = "warn", "was restarted (its counters began anew)"
            if change:
                severity, what = change
                events.append((name, severity, f"{self._noun} {name} {what}"))
        if not events:
            return []
        names, severities, texts = zip(*events, strict=True)
        columns = {
            "kind": ["zone"] * len(events),
            "object": list(names),
            "severity": list(severities),
            "text": list(texts),
            "who": ["zone_usage"] * len(events),
        }
        return [Batch("events", columns, stamp)]


def _change(before: State | None, now: State | None) -> tuple[str, str] | None:
    """(severity, what happened), or None for nothing worth a line."""
    if before is None:
        assert now is not None
        return "info", f"appeared, {now.state}"
    if now is None:
        return "warn", f"is gone (was {before.state})"
    if before.state == now.state:
        if now.state == "running" and before.id != now.id:
            return "warn", f"rebooted (id {before.id} to {now.id})"
        return None
    if now.state == "running":
        return "info", "is running"
    if before.state == "running":
        return "warn", f"stopped running: {now.state}"
    if before.state == "installed" and now.state == "configured":
        return "info", "was detached or uninstalled: configured"
    return "info", f"went from {before.state} to {now.state}"
