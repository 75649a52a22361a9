"""The head of a host's page: what it is, how it is, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dashboard.live import Host, Live
from dashboard.panels import Query, view
from dashboard.panels.capacity import pools
from dashboard.verdicts import ICONS, unreadable, verdicts
from frames import units
from frames.units import THIN


@view("host_head")
def host_head(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{host, state, word, icon, sentence, facts: [..], reasons: [{state, icon, what, detail, object, since}]}; for
    the past only what does not change."""
    name = str(query.get("host", ""))
    verdict = verdicts(live).get(name) if at is None else None
    return {
        "host": name,
        "state": verdict.state if verdict else "",
        "word": verdict.word if verdict else "",
        "icon": ICONS[verdict.state] if verdict else "",
        "sentence": verdict.sentence if verdict else "",
        "reasons": [r.wire() for r in verdict.reasons] if verdict else [],
        "facts": facts(live, name),
    }


@view("heard")
def heard(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{ready}: whether what a page waits for is there: `of` hosts, pairs, pools or the host `name`; it is laid anew
    then."""
    of = query.get("of")
    if of == "host":
        return {"ready": str(query.get("name")) in live.hosts}
    if of == "pairs":
        return {"ready": any(h.fact("pairs") not in ("", "{}") for h in list(live.hosts.values()))}
    if of == "pools":
        return {"ready": bool(pools(live))}
    return {"ready": bool(live.hosts)}


@view("host_lacks")
def host_lacks(live: Live, query: Query, at: float | None) -> dict[str, Any]:
    """{lacks: [{what, why, fix}], unread: [{source, why, command, fix, some, since}]}: sources that the host does not
    give, once, each with its exact fix; and those whose output cannot be read, with the line."""
    name = str(query.get("host", ""))
    host = live.host(name)
    known = sorted(host.facts.items()) if host else []
    unread = live.shared("unreadable", lambda: unreadable(live, live.clock())) if at is None else {}
    return {
        "unread": [asdict(u) for u in unread.get(name, [])],
        "lacks": [
            {"what": fact.removeprefix("missing:"), "why": f.value, "fix": f.fix}
            for fact, f in known
            if fact.startswith("missing:") and f.value
        ],
    }


SYSTEMS = {"solaris10": "Solaris 10", "solaris11": "Solaris 11", "freebsd": "FreeBSD", "linux": "Linux"}


def system(host: Host) -> str:
    """'Solaris 10 u8', 'illumos, OmniOS r151046', 'Linux 6.12': the system's name, and its release where that says
    more than the kernel's 5.10 or 5.11."""
    name, release = SYSTEMS.get(host.fact("os"), host.fact("os")), host.fact("release")
    if not release or release in ("5.10", "5.11"):
        return name
    if not name or release.lower().startswith(name.lower().split()[0]):
        return release
    return f"{name} {release}"


def facts(live: Live, name: str) -> list[str]:
    """'Solaris 10 u8', 'X4100 M2 + J4200', '9 zones', 'up 43 d' as far as they are known."""
    host = live.host(name)
    if host is None:
        return []
    out = [x for x in (system(host), host.fact("model")) if x]
    zones = live.latest("zone_usage", within=30, where={"host": [name]})
    n = int(((zones["zone"] != "global") & (zones["state"].fillna("running") == "running")).sum())
    if n:
        out.append(f"{n}{THIN}zone" + ("s" if n > 1 else ""))
    load = live.latest("host_load", within=30, where={"host": [name]})
    if len(load) and load["uptime"].notna().any():
        up = float(load["uptime"].dropna().iloc[-1])
        out.append("up " + (f"{up // 86400:.0f}{THIN}d" if up >= 2 * 86400 else units.span(up)))
    return out
