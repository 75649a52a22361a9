"""Zones of a pair behind two real sshds: a dead link is no halt, what it hid is told after it, a move is one event."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from collectors.base import Source, Variant
from collectors.zones.solaris import Zones
from tests.collectors.test_engine import Bench
from tests.sshd import wait_for

pytestmark = pytest.mark.sshd

PAIR = '[[pairs]]\nsource = "ma1"\ntarget = "ms1"\n'


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def listing(path: Path, *zones: str) -> None:
    """Replace a host's listing at once, so that it is never half a file."""
    rows = ["0:global:running:/::native:shared", *zones]
    new = path.with_suffix(".new")
    new.write_text("\n".join([*rows, f"zones. {len(rows)}", ""]))
    new.replace(path)


def test_a_halt_behind_a_dead_link_and_a_move_to_the_pairs_other_host(bench: Bench, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.zones" for name in ("ma1", "ms1")}
    table = "     0 9 9M 9M 1% 0:0:1 1% global\\nTotal: 9 processes, 9 lwps, load averages: 0"
    variant = Variant(
        "listing",
        ("linux",),
        lambda ctx: f"while cat {files[ctx.host]} && printf '%b\\n' '{table}'; do sleep 0.2; done",
        partial(Zones, kstats=False),
        "true",
        "",
    )
    source = Source("zone_usage", "", ("zone_usage", "events"), 0.2, (variant,))
    running = "3:mail3:running:/zones/mail3:u:native:shared"
    halted = "-:mail3:installed:/zones/mail3:u:native:shared"
    listing(files["ma1"], running)
    listing(files["ms1"], halted)
    bench.run({"zone_usage": source}, hosts=PAIR)

    def texts(kind: str) -> list[str]:
        return list(bench.store.rows("events", kind=kind)["text"])

    wait_for(lambda: len(set(bench.store.rows("zone_usage", zone="mail3")["host"])) == 2, "both hosts show the zone")
    bench.servers["ma1"].stop()
    wait_for(lambda: any(t.startswith("link down") for t in texts("link")), "ma1 is down")
    assert texts("zone") == [], "a dead link is no halt"
    listing(files["ma1"], halted)
    bench.servers["ma1"].start()
    wait_for(lambda: "zone mail3 stopped running: installed" in texts("zone"), "the halt is told")
    listing(files["ms1"], running)
    wait_for(lambda: any("moved" in t for t in texts("zone")), "the move is told")
    said = bench.store.rows("events", kind="zone")
    told = list(zip(said["host"], said["text"], strict=True))
    assert told[0] == ("ma1", "zone mail3 stopped running: installed")
    assert ("ms1", "zone mail3 is running") in told
    assert len(told) == 3
    [moved] = [(h, t) for h, t in told if "moved" in t]
    assert moved[0] == "ms1"
    assert moved[1].startswith("zone mail3 moved from ma1 to ms1 (")
