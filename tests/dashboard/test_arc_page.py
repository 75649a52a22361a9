"""The ARC page: what its panels make of arcstats, and the verdict in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard import panels
from dashboard.buckets import bucketed
from dashboard.live import Live, NoHistory
from dashboard.pages import Url, arc
from dashboard.panels.arc import JUDGED, Said, judge
from dashboard.panels.arc import arc_verdict as verdict
from dashboard.panels.data import Grid, PanelData
from frames.schemas import SCHEMAS
from frames.tail import Second

START = 1_795_400_000
GIB = float(1 << 30)
GRID = Grid(START, 1.0, 3)
ARC = {"size": 7.6 * GIB, "c": 7.8 * GIB, "c_min": 6 * GIB, "c_max": 10 * GIB}
READS = {
    "demand_data_hits": 960.0, "demand_data_misses": 40.0, "demand_metadata_hits": 3.0, "demand_metadata_misses": 1.0,
    "prefetch_data_hits": 4.0, "prefetch_data_misses": 16.0, "prefetch_metadata_hits": 0.0,
    "prefetch_metadata_misses": 0.0,
}  # fmt: skip
panels.load()


def rows(*samples: dict[str, float]) -> Any:
    """arcstats of host a, a sample a second."""
    n = len(samples)
    columns = {c: [s.get(c) for s in samples] for c in sorted({c for s in samples for c in s})}
    times = [round((START + i) * 1e6) for i in range(n)]
    return SCHEMAS["arcstats"].table({"time": times, "host": ["a"] * n, **columns})


def build(name: str, *samples: dict[str, float], known: tuple[str, ...] = ()) -> PanelData:
    need = panels.PANELS[name].tables["arcstats"].columns
    frame = bucketed(rows(*samples) if samples else SCHEMAS["arcstats"].table({}), SCHEMAS["arcstats"], 1.0, need)
    return panels.PANELS[name].build({"arcstats": frame}, {}, GRID, known)


def first(data: PanelData) -> dict[str, float]:
    return {s.id: float(data.values[i, 0]) for i, s in enumerate(data.series)}


# -- panels ---------------------------------------------------------------------------------------------------------


def test_lists_stand_on_each_other_and_ghosts_beside_them() -> None:
    lists = {"mru_size": 3 * GIB, "mfu_size": 4 * GIB, "mru_ghost_size": 2 * GIB, "mfu_ghost_size": GIB, "p": 3.5 * GIB}
    data = build("arc_lists", ARC | lists)
    assert first(data) == lists
    assert {s.id for s in data.series if s.fill} == {"mru_size", "mfu_size"}
    assert len({s.group for s in data.series if s.fill}) == 1
    assert {s.unit for s in data.series} == {"B"}
    assert np.isnan(data.values[:, 1:]).all()


def test_a_release_without_lists_tells_their_target_or_says_so() -> None:
    assert first(build("arc_lists", ARC | {"p": 3.5 * GIB})) == {"p": 3.5 * GIB, "c": pytest.approx(7.8 * GIB)}
    assert "does not tell the sizes of its lists" in build("arc_lists", {"size": GIB}).empty
    assert build("arc_lists").empty == ""  # no sample at all: the page says why


def test_content_adds_up_to_the_size() -> None:
    held = {"data_size": 5 * GIB, "metadata_size": 2 * GIB, "l2_hdr_size": 0.25 * GIB}
    data = build("arc_content", ARC | held | {"meta_limit": 2.5 * GIB})
    assert first(data) == held | {"rest": pytest.approx(0.35 * GIB, rel=1e-5)}
    assert data.values[:, 0].sum() == pytest.approx(ARC["size"], rel=1e-6)
    assert [s.cap for s in data.series if s.cap] == [2.5 * GIB]


def test_metadata_is_what_counts_against_its_limit_where_nothing_else_is_told() -> None:
    got = first(build("arc_content", ARC | {"data_size": 5 * GIB, "meta_used": 2 * GIB, "l2_hdr_size": 0.0}))
    assert got["metadata_size"] == 2 * GIB
    assert "l2_hdr_size" not in got
    assert build("arc_content", ARC | {"l2_hdr_size": GIB}).empty
    exact = first(build("arc_content", {"size": 7 * GIB, "data_size": 5 * GIB, "metadata_size": 2 * GIB - 4096}))
    assert "rest" not in exact  # rounding is nothing else


def test_reads_are_split_as_arcstat_splits_them() -> None:
    data = build("arc_reads", READS | {"demand_data_iohits": 10.0})
    assert first(data) == {
        "demand_data": 1010, "demand_data_misses": 40, "demand_metadata": 4, "demand_metadata_misses": 1,
        "prefetch": 20, "prefetch_misses": 16,
    }  # fmt: skip
    assert {s.unit for s in data.series} == {"1/s"}


def test_a_ratio_of_few_reads_is_left_out() -> None:
    data = build("arc_ratios", READS | {"prefetches": 100.0, "prefetches_used": 25.0})
    got = first(data)
    assert got == {"demand_data": pytest.approx(0.96), "prefetch": pytest.approx(0.2), "used": pytest.approx(0.25)}
    assert data.yrange == (pytest.approx(0.1), 1.0)
    idle = build("arc_ratios", dict.fromkeys(READS, 1.0))
    assert "often enough" in idle.empty
    # live columns of a page that draws it stay a line with a hole
    later = build("arc_ratios", dict.fromkeys(READS, 1.0), known=("demand_data",))
    assert np.isnan(later.values).all()


def test_ghost_hits_and_their_share_of_misses() -> None:
    data = build("arc_ghosts", {"mru_ghost_hits": 6.0, "mfu_ghost_hits": 4.0, "misses": 40.0})
    assert first(data) == {"misses": 40, "mru_ghost_hits": 6, "mfu_ghost_hits": 4, "share": pytest.approx(0.25)}
    assert [s.id for s in data.series if s.unit == "1"] == ["share"]
    assert "share" not in first(build("arc_ghosts", {"mru_ghost_hits": 1.0, "mfu_ghost_hits": 1.0, "misses": 4.0}))


def test_a_throttle_is_a_band_only_once_there_was_one() -> None:
    calm = build("arc_pressure", {"evicted": 1e6, "growth": -2e6, "memory_throttle": 0.0})
    assert first(calm) == {"evicted": 1e6, "growth": -2e6, "memory_throttle": 0}
    assert [(s.fill, s.state) for s in calm.series if s.id == "memory_throttle"] == [(False, "")]
    short = build("arc_pressure", {"evicted": 1e6, "memory_throttle": 3.0})
    assert [(s.fill, s.state, s.unit) for s in short.series if s.id == "memory_throttle"] == [(True, "warn", "1/s")]
    assert [s.id for s in build("arc_pressure", {"growth": 1.0}).series] == ["growth"]
    assert [build("arc_pressure", x).unit for x in ({"deleted": 5.0}, {"growth": 1.0})] == ["1/s", "B/s"]


def test_prefetch_has_an_efficiency_where_uses_are_told() -> None:
    assert first(build("arc_prefetch", {"prefetches": 50.0})) == {"prefetches": 50}
    got = first(build("arc_prefetch", {"prefetches": 50.0, "prefetches_used": 40.0}))
    assert got["efficiency"] == pytest.approx(0.8)


def test_the_l2arc_and_what_its_index_costs() -> None:
    sizes = {"size": 8 * GIB, "l2_size": 60 * GIB, "l2_asize": 50 * GIB, "l2_hdr_size": 0.2 * GIB}
    assert first(build("arc_l2_size", sizes))["cost"] == pytest.approx(0.025)
    io = build("arc_l2_io", {"l2_read_bytes": 1e6, "l2_write_bytes": 2e6})
    assert [(s.id, s.side, s.unit) for s in io.series] == [("read", 1, "B/s"), ("write", -1, "B/s")]
    hits = first(build("arc_l2_hits", {"l2_hits": 10.0, "l2_misses": 30.0}))
    assert hits["ratio"] == pytest.approx(0.25)
    assert build("arc_l2_size", {"size": GIB}).empty == "This host has no L2ARC."


@pytest.mark.parametrize("name", sorted(p for p in panels.PANELS if p.startswith("arc_") and p != "arc_size"))
def test_a_panel_without_a_sample_leaves_it_to_the_page_to_say_why(name: str) -> None:
    data = build(name)
    assert not data.series
    assert data.empty == ""


# -- the verdict ----------------------------------------------------------------------------------------------------


def said(**more: float | None) -> list[Said]:
    sample = ARC | {"hits": 960.0, "misses": 40.0, "mru_ghost_hits": 1.0, "mfu_ghost_hits": 0.2, "memory_throttle": 0.0}
    frame = pd.DataFrame([{**sample, **more}] * 10).astype(float)
    return judge(frame)


def words(found: list[Said]) -> list[tuple[str, str]]:
    return [(s.state, s.text.replace("\u2009", " ")) for s in found]


def test_an_arc_that_serves_what_it_can_is_well() -> None:
    assert words(said()) == [
        ("well", "ARC at its target, 7.60 of 7.80 GiB; 3 % of 40.0 misses a second would have hit a larger ARC.")
    ]


def test_a_starved_arc_says_what_keeps_it_small() -> None:
    ((state, text),) = words(said(mru_ghost_hits=10.0, mfu_ghost_hits=2.4))
    assert state == "warn"
    assert text.startswith("Starved, memory is short: 31 % of 40.0 misses a second")
    ((_, low),) = words(said(mru_ghost_hits=10.0, c=10 * GIB, size=9.9 * GIB))
    assert low.startswith("Starved, its limit is low: ")
    assert low.endswith("ARC at its limit, 9.90 of 10.0 GiB.")
    ((_, open_end),) = words(said(mru_ghost_hits=10.0, c_max=None))
    assert open_end.startswith("Starved: ")


def test_few_ghost_hits_are_no_hunger() -> None:
    assert words(said(misses=4.0, mru_ghost_hits=2.0))[0][0] == "well"  # half of next to nothing


def test_a_throttle_within_ten_minutes_is_said_first() -> None:
    found = words(said(memory_throttle=1.2))
    assert found[0] == ("warn", "Memory was short: 12 writes were held back by the ARC within ten minutes.")
    assert len(found) == 2
    assert words(said(memory_throttle=0.1))[0][1].startswith("Memory was short: 1 write was held back")


@pytest.mark.parametrize(
    ("more", "begin"),
    [
        ({"size": 3 * GIB}, "ARC below its target, 3.00 of 7.80 GiB"),
        ({"c": 6 * GIB, "size": 6 * GIB}, "ARC pressed to its least, 6.00 of 6.00 GiB"),
        ({"c": 9.9 * GIB, "size": 9.8 * GIB}, "ARC at its limit, 9.80 of 9.90 GiB"),
        ({"c": None}, "ARC of 7.60 GiB"),
    ],
)
def test_how_its_size_stands(more: dict[str, float | None], begin: str) -> None:
    assert words(said(**more))[0][1].startswith(begin)


def test_what_is_not_told_is_not_judged() -> None:
    assert words(said(mru_ghost_hits=None, mfu_ghost_hits=None))[0][1].endswith(
        "this release does not tell what a larger ARC would have served."
    )
    assert "too few to judge" in words(said(hits=3.0, misses=1.0))[0][1]
    assert words(said(misses=0.0, mru_ghost_hits=0.0))[0][1].endswith("nothing was missed.")
    assert judge(pd.DataFrame(columns=["size"])) == [Said("", "No sample of the ARC in these ten minutes.")]
    assert judge(pd.DataFrame({c: [np.nan] for c in ("size", "c", "c_min", "c_max", "hits", "misses", "mru_ghost_hits",
                                                     "mfu_ghost_hits", "memory_throttle")}))[0].state == ""  # fmt: skip


def test_the_view_speaks_of_the_ring_and_of_the_past() -> None:
    class Past(NoHistory):
        def window(self, table: str, start: float, end: float, **_: Any) -> pd.DataFrame:
            assert (start, end) == (START - 1000 - JUDGED, START - 1000 + 1)
            return rows(ARC | {"hits": 90.0, "misses": 10.0, "mru_ghost_hits": 9.0, "mfu_ghost_hits": 0.0}).to_pandas()

    live = Live(Past(), clock=lambda: START + JUDGED + 1)
    sample = ARC | {"hits": 90.0, "misses": 10.0, "mru_ghost_hits": 0.0, "mfu_ghost_hits": 0.0, "memory_throttle": 0.0}
    live.add(Second(1, START, "t", {"arcstats": rows(sample)}))
    live.add(Second(2, START + 2, "t", {"arcstats": rows(sample, sample, sample)}))
    (now,) = verdict(live, {"host": "a"}, None)["said"]
    assert (now["state"], now["icon"]) == ("well", "check")
    (then,) = verdict(live, {"host": "a"}, START - 1000)["said"]
    assert (then["state"], then["icon"]) == ("warn", "warn")
    assert "90" in then["text"]


def test_the_l2arcs_panels_are_there_where_it_is() -> None:
    def laid(sample: dict[str, float]) -> str:
        live = Live(NoHistory(), clock=lambda: START + 1)
        live.add(Second(1, START, "t", {"arcstats": rows(sample)}))
        return str(arc.arc(Url("/arc/a", {"host": "a"}, {}, live)).body)

    assert "arc_l2_io" in laid(ARC | {"l2_size": GIB})
    assert "arc_l2_io" not in laid(ARC | {"l2_size": 0.0, "l2_hdr_size": 0.0})
    assert "arc_l2_io" not in laid(ARC)
