"""The live ring: what it keeps, what it knows of hosts, how it follows collectors that come and go."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.live import Live, NoHistory
from dashboard.panels.data import Grid
from dashboard.verdicts import judge
from frames.schemas import SCHEMAS, to_pandas
from frames.store import Store, Writer
from frames.tail import Second
from tests.dashboard import scene

START = 1_795_400_000


def live_at(now: float, **kwargs) -> Live:
    return Live(NoHistory(), clock=lambda: now, **kwargs)


def fed(n: int = 30, now: float | None = None, **how) -> Live:
    live = live_at(START + n if now is None else now)
    for second in scene.seconds(START, n, **how):
        live.add(second)
    return live


def test_rows_are_found_by_time_and_host() -> None:
    live = fed()
    found = live.rows("zone_usage", START + 10, START + 12, {"zone": ["mail3", "mail4"]})
    assert len(found) == 4
    assert live.newest(["zone_usage"], ["ms2"]) == START + 29
    assert live.newest(["zone_usage"], ["other"]) is None
    assert len(live.rows("net_io", START, START + 100, {"host": ["other"]})) == 0


def test_the_ring_is_bounded_in_time_and_bytes() -> None:
    live = live_at(START, keep=10)
    for second in scene.seconds(START, 40):
        live.add(second)
    assert live.rows("arcstats", 0, START + 99)["time"][0].as_py().timestamp() == START + 29
    assert live.holds(START + 29)
    assert not live.holds(START + 28)
    small = live_at(START, keep_bytes=200_000)
    for second in scene.seconds(START, 60):
        small.add(second)
    assert small._bytes <= 200_000
    assert small.newest(["arcstats"]) == START + 59


def test_many_small_appends_become_few_tables_of_the_same_rows() -> None:
    """Twenty minutes of single appends held 1.1 GB for 57 MB of samples."""
    live = fed(200)
    assert len(live._ring["arcstats"]) < 60
    times = live.rows("arcstats", START + 7, START + 190)["time"].to_pylist()
    assert [t.timestamp() for t in times] == list(range(START + 7, START + 190))
    assert live._bytes == sum(t.nbytes for ring in live._ring.values() for _, t in ring)


def test_a_slow_sources_appends_stay_apart_so_that_they_are_dropped_in_time() -> None:
    live = live_at(START, keep=1200)
    for i in range(100):
        second = START + 60 * i
        live.add(
            Second(i, second, "t", {"pool_capacity": scene.table("pool_capacity", second, "ms2", {"pool": ["mail"]})})
        )
    first = live.rows("pool_capacity", 0, START + 10**6)["time"][0].as_py().timestamp()
    assert first == START + 60 * 99 - 1200


def test_late_rows_fall_into_their_own_bucket() -> None:
    live = fed(5)
    late = scene.second_of(START + 2, host="bk1")["arcstats"]
    live.add(Second(99, START + 6, "test", {"arcstats": late}))
    frame = live.recent("arcstats", Grid(START, 1.0, 10), {"host": ["bk1"]})
    assert [t.timestamp() for t in frame["time"]] == [START + 2]


def test_the_interval_is_what_is_seen_and_not_a_hole() -> None:
    live = live_at(START)
    assert live.interval("zpool_status") == 10  # as its schema says, before anything came
    for i, s in enumerate(range(START, START + 50, 5)):
        live.add(Second(i + 1, s, "test", {"zone_usage": scene.second_of(s)["zone_usage"]}))
    assert live.interval("zone_usage", ["ms2"]) == 5
    live.add(Second(99, START + 200, "test", {"zone_usage": scene.second_of(START + 200)["zone_usage"]}))
    assert live.interval("zone_usage", ["ms2"]) <= 6


def test_a_well_host_is_well_and_a_silent_one_is_stale() -> None:
    well = fed(slow="", capped="")
    assert judge(well)["ms2"].state == "well"
    assert judge(well)["ms2"].sentence == ""
    silent = fed(slow="", capped="", now=START + 30 + 40)
    verdict = judge(silent)["ms2"]
    assert verdict.state == "stale"
    assert silent.counts() == {"up": 0, "down": 1}


def test_trouble_is_told_in_words_worst_first() -> None:
    verdict = judge(fed(70, state="DEGRADED"))["ms2"]
    assert verdict.state == "bad"
    assert verdict.word == "Trouble"
    assert verdict.sentence == "pool mail degraded, disk c3t7d0 slow, zone mail3 at CPU cap"
    detail = {r.what: r.detail for r in verdict.reasons}
    assert detail["Zone mail3 at CPU cap"].startswith("3 threads wait for the cap of 1.00")
    assert "in its 11 peers" in detail["Disk c3t7d0 slow"]


def test_a_link_that_is_down_says_since_when_and_why() -> None:
    live = fed(now=START + 60, slow="", capped="")
    down = SCHEMAS["links"].table(
        {
            "time": [(START + 50) * 10**6], "host": ["ms2"], "state": ["down"], "reason": ["SSH timed out"],
            "since": [(START + 40) * 10**6], "attempt": [4.0], "next_try": [8.0],
        }
    )  # fmt: skip
    live.add(Second(999, START + 50, "test", {"links": down}))
    verdict = judge(live)["ms2"]
    assert verdict.state == "stale"
    assert verdict.reasons[0].what == "Link down"
    assert verdict.reasons[0].since == START + 40  # the page says it in the viewer's zone of time
    assert "SSH timed out" in verdict.reasons[0].detail
    assert "attempt 4" in verdict.reasons[0].detail


def test_what_many_ask_is_computed_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    live = fed(3)
    clock = [100.0]
    monkeypatch.setattr("dashboard.live.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))

    def slow() -> float:
        clock[0] += 0.02
        return clock[0]

    first = live.shared("x", slow)
    live.add(Second(99, START + 9, "test", scene.second_of(START + 9)))
    assert live.shared("x", slow) == first
    clock[0] += 0.2  # nine times as long as it took
    assert live.shared("x", slow) > first


def test_events_are_kept_in_bounds_and_found_by_time() -> None:
    live = live_at(START)
    for i in range(2500):
        event = SCHEMAS["events"].table(
            {
                "time": [(START + i) * 10**6],
                "host": ["ms2"],
                "kind": ["marker"],
                "severity": ["info"],
                "text": [f"e{i}"],
            }
        )
        live.add(Second(i + 1, START + i, "test", {"events": event}))
    assert len(live.events) == 2000
    assert [e.text for e in live.span_events(START + 2400, START + 2402)] == ["e2400", "e2401"]
    assert live.span_events(START, START + 3000, ["other"]) == []


def test_appends_that_never_came_are_counted() -> None:
    live = live_at(START)
    for seq in (1, 2, 5):
        live.add(Second(seq, START + seq, "test", {"arcstats": scene.second_of(START + seq)["arcstats"]}))
    assert live.lost == 2
    assert live.holds(START + 6)
    assert not live.holds(START + 5)


def test_it_follows_a_collector_that_comes_late_and_comes_again(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    live = Live(Store(folder))

    async def scenario() -> None:
        task = asyncio.create_task(live.follow(folder))
        await asyncio.sleep(0.1)
        for start in (START, START + 100):
            with Writer(folder) as writer:
                async with asyncio.timeout(20):
                    # What is published before the follower is back comes with the next second, from the backlog.
                    for s in itertools.count(start):
                        writer.append(s, scene.second_of(s))
                        await asyncio.sleep(0.1)
                        if (live.newest() or 0) > start + 2:
                            break
        assert {round(t.timestamp()) for t in live.rows("arcstats", START, START + 200)["time"].to_pylist()} >= {
            *range(START + 100, START + 102)
        }
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert live.hosts["ms2"].link == "up"


def test_what_the_history_knows_is_there_before_anything_comes(tmp_path: Path) -> None:
    now = int(time.time())
    with Writer(tmp_path) as writer:
        writer.append(now, scene.facts(now) | {"links": scene.second_of(now)["links"]})
    live = Live(Store(tmp_path))
    live.load()
    assert live.hosts["ms2"].fact("model") == "X4100 M2 + J4200"


def test_the_newest_rows_are_those_a_search_of_the_whole_ring_finds() -> None:
    """Asked each second, after late rows, after a long silence and by host."""
    now = [float(START)]
    live = Live(NoHistory(), clock=lambda: now[0], keep=400)
    late = scene.second_of(START + 2, host="bk1")
    for i, second in enumerate(scene.seconds(START, 420)):
        now[0] = START + i + 1.0
        live.add(second)
        if i == 30:
            live.add(Second(seq=1, second=START + 2, owner="other", frames=late))
        if i > 60 and i < 415:
            continue
        for within in (5.0, 400.0):
            for where in (None, {"host": ["ms2"]}, {"host": ["bk1"]}):
                rows = to_pandas(live.rows("zone_usage", now[0] - within, now[0] + 1, where))
                searched = rows.sort_values("time").drop_duplicates(["host", "zone"], keep="last")
                found = live.latest("zone_usage", within=within, where=where)
                assert found.dtypes.equals(rows.dtypes)
                assert dict(zip(found["host"] + found["zone"], found["time"], strict=True)) == dict(
                    zip(searched["host"] + searched["zone"], searched["time"], strict=True)
                )
