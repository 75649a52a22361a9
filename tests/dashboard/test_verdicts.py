"""What a host's verdict names, and since when: the rule of disks behind their peers, sources that cannot be read, the
beginning of what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard import onset
from dashboard.live import Live, NoHistory
from dashboard.onset import Onset, Onsets, Search, began
from dashboard.panels import load
from dashboard.panels.host import heard, host_lacks
from dashboard.verdicts import GOOD_STATES, LAG_TIMES, judge, lagging, siblings, unreadable
from frames.store import Store, Writer
from frames.tail import Second
from tests.dashboard import scene

NOW = 1_795_400_000 // 60 * 60.0 + 2
load()
MIRROR = {f"c3t{i}d0": "mail raidz2-0" for i in range(4)} | {f"c4t{i}d0": "mail raidz2-1" for i in range(3)}


def service(slow: dict[str, float], ops: float = 50.0, minutes: int = 3) -> pd.DataFrame:
    """Rows of disk_io of the last minutes: 10 ms in raidz2-0, 2 ms in raidz2-1, but for those of `slow`, s."""
    times = np.arange(NOW - 60 * minutes + 0.5, NOW, 1.0)
    rows = [
        {
            "time": t,
            "device": d,
            "read_ops": ops,
            "write_ops": np.nan,
            "asvc_t": slow.get(d, 0.01 if "c3" in d else 0.002),
        }
        for d in MIRROR
        for t in times
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(time=pd.to_datetime(frame["time"], unit="s", utc=True))


def test_a_disk_twice_as_slow_as_its_vdevs_others_for_minutes_is_named() -> None:
    found = lagging(service({"c3t2d0": 0.021}), MIRROR, NOW)
    assert list(found) == ["c3t2d0"]
    own, peers, group, others = found["c3t2d0"]
    assert (own, peers, group) == (pytest.approx(0.021), pytest.approx(0.01), "mail raidz2-0")
    assert others == ["c3t0d0", "c3t1d0", "c3t3d0"]


def test_less_than_twice_or_less_than_minutes_or_few_ios_is_not() -> None:
    assert lagging(service({"c3t2d0": 0.019}), MIRROR, NOW) == {}
    assert lagging(service({"c3t2d0": 0.05}, minutes=2), MIRROR, NOW) == {}
    assert lagging(service({"c3t2d0": 0.05}, ops=0.5), MIRROR, NOW) == {}
    quick = service({"c3t2d0": 0.05})
    lull = (quick["device"] == "c3t2d0") & (quick["time"] > pd.Timestamp(NOW - 60, unit="s", tz="UTC"))
    quick.loc[lull, "asvc_t"] = 0.01
    assert lagging(quick, MIRROR, NOW) == {}


def test_disks_of_another_vdev_are_no_peers() -> None:
    """Five times the median of the quick vdev, but like its own."""
    assert lagging(service({}), MIRROR, NOW) == {}
    assert list(lagging(service({}), dict.fromkeys(MIRROR, "one"), NOW)) == []  # 10 ms is the median of all seven
    assert lagging(service({"c4t0d0": 0.004}), MIRROR, NOW) == {}  # twice, but 4 ms are slow for nobody


def test_a_disk_belongs_to_its_top_level_vdev() -> None:
    status = pd.DataFrame(
        {
            "pool": ["mail"] * 5 + ["rpool"] * 3,
            "vdev": [
                *("", "raidz2-1", "raidz2-1/c3t6d0", "raidz2-1/replacing-3/c3t9d0", "raidz2-1/replacing-3/c3t9d0/old"),
                *("", "mirror-0/c1t0d0s0", "c1t4d0"),
            ],
        }
    )
    found = siblings(status)
    assert found["c3t6d0"] == found["c3t9d0"] == "mail raidz2-1"
    assert found["c1t0d0"] == "rpool mirror-0"
    assert found["c1t4d0"] == "rpool"


def fed_with(health: dict[str, list]) -> Live:
    live = Live(NoHistory(), clock=lambda: NOW)
    for second in range(int(NOW) - 20, int(NOW)):
        frames = scene.second_of(second, slow="", capped="")
        if second == int(NOW) - 3:
            frames["source_health"] = scene.table("source_health", second, "ms2", health)
        live.add(Second(second, second, "test", frames))
    return live


def test_a_source_that_cannot_be_read_is_told_with_host_command_line_and_fix() -> None:
    why = "disk_io on ms2: line 3, column 0: is no number: '0,5 1,2'"
    live = fed_with(
        {
            "source": ["disk_io", "zone_usage", "arcstats"], "state": ["ok", "ok", "ok"], "errors": [5.0, 1.0, 0.0],
            "rows": [0.0, 12.0, 1.0], "why": [why, "zone_usage on ms2: line 9: 'x'", ""],
            "fix": ["end ~/.profile with LC_ALL=C", "", ""], "command": ["iostat -xnz 1", "prstat -Z 1", ""],
        }
    )  # fmt: skip
    verdict = judge(live)["ms2"]
    assert [r.what for r in verdict.reasons] == ["1 source cannot be read", "Lines that cannot be read"]
    assert verdict.state == "warn"
    told = {u.source: u for u in unreadable(live, NOW)["ms2"]}
    assert told["disk_io"].why == why
    assert (told["disk_io"].some, told["zone_usage"].some) == (False, True)
    shown = {x["source"]: x for x in host_lacks(live, {"host": "ms2"}, None)["unread"]}
    assert shown["disk_io"]["command"] == "iostat -xnz 1"
    assert "LC_ALL" in shown["disk_io"]["fix"]
    assert "arcstats" not in shown


def test_a_page_waits_for_what_it_is_about() -> None:
    live = Live(NoHistory(), clock=lambda: NOW)
    asked = ({"of": "hosts"}, {"of": "host", "name": "ms2"}, {"of": "pairs"})
    assert [heard(live, q, None)["ready"] for q in asked] == [False, False, False]
    live.add(Second(1, int(NOW), "test", {k: v for k, v in scene.second_of(int(NOW)).items() if k == "arcstats"}))
    assert [heard(live, q, None)["ready"] for q in asked] == [True, True, False]


# -- since when -----------------------------------------------------------------------------------------------------


def pool_history(folder: Path, states: list[str], hole: slice = slice(0, 0)) -> Live:
    """A row of zpool_status per minute, the last at NOW."""
    times = NOW - 60.0 * np.arange(len(states) - 1, -1, -1)
    rows = pd.DataFrame(
        {
            "time": pd.to_datetime(times, unit="s", utc=True), "host": "ms2", "pool": "mail", "vdev": "",
            "state": states,
        }
    )  # fmt: skip
    with Writer(folder, commit_every=3600) as writer:
        writer.append(int(NOW), {"zpool_status": rows.drop(rows.index[hole])})
    return Live(Store(folder), clock=lambda: NOW)


def search() -> Search:
    return onset.pool("ms2", "mail", GOOD_STATES)


def test_the_beginning_of_a_run_that_reaches_the_present(tmp_path: Path) -> None:
    live = pool_history(tmp_path, ["ONLINE"] * 60 + ["DEGRADED"] * 5 + ["ONLINE"] * 10 + ["DEGRADED"] * 30)
    found = began(live, search(), NOW)
    assert found == Onset((NOW - 29 * 60) // 60 * 60)


def test_a_lull_and_a_gap_do_not_end_it(tmp_path: Path) -> None:
    states = ["ONLINE"] * 60 + ["DEGRADED"] * 10 + ["ONLINE"] + ["DEGRADED"] * 30
    found = began(pool_history(tmp_path, states, slice(75, 95)), search(), NOW)
    assert found == Onset((NOW - 40 * 60) // 60 * 60)


def test_what_was_so_from_the_first_row_is_older_than_known(tmp_path: Path) -> None:
    found = began(pool_history(tmp_path, ["DEGRADED"] * 30), search(), NOW)
    assert found is not None
    assert found.before


def test_what_is_well_now_has_no_beginning(tmp_path: Path) -> None:
    assert began(pool_history(tmp_path, ["DEGRADED"] * 30 + ["ONLINE"] * 3), search(), NOW) is None
    assert began(Live(NoHistory(), clock=lambda: NOW), search(), NOW) is None


def test_an_onset_is_looked_up_once_and_kept(tmp_path: Path) -> None:
    live, known = pool_history(tmp_path, ["ONLINE"] * 9 + ["DEGRADED"] * 5), Onsets()
    assert known.of(live, ("ms2", "pool", "mail"), search()) is None  # never waits
    onset._worker.submit(int).result()
    first = known.of(live, ("ms2", "pool", "mail"), search())
    assert first is not None
    assert known.of(live, ("ms2", "pool", "mail"), search()) is first


def test_a_disks_beginning_is_that_of_its_service_time(tmp_path: Path) -> None:
    rows = []
    for minute in range(40):
        for disk in ("a", "b", "c", "d"):
            late = disk == "b" and minute >= 25
            rows.append({"time": NOW - 60 * (39 - minute), "device": disk, "asvc_t": 0.05 if late else 0.01})
    frame = pd.DataFrame(rows).assign(host="ms2")
    with Writer(tmp_path, commit_every=3600) as writer:
        writer.append(int(NOW), {"disk_io": frame.assign(time=pd.to_datetime(frame["time"], unit="s", utc=True))})
    live = Live(Store(tmp_path), clock=lambda: NOW)
    found = began(live, onset.disk("ms2", "b", ["a", "c", "d"], LAG_TIMES), NOW)
    assert found == Onset((NOW - 14 * 60) // 60 * 60)
