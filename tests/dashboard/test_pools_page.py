"""The Pools page: its panels of one vdev or of all, the tree of vdevs, what is said of a pool and of its scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dashboard import panels
from dashboard.buckets import bucketed
from dashboard.live import Live, NoHistory
from dashboard.pages import Url, pools
from dashboard.panels import disks, vdev_tree, vdevs
from dashboard.panels.data import Grid, PanelData
from dashboard.panels.pools import parents, top_level
from dashboard.verdicts import Reason
from frames.schemas import SCHEMAS
from frames.tail import Second

START = 1_795_400_000
TIB = float(1 << 40)
GRID = Grid(START, 1.0, 3)
EVIL = "<img src=x onerror=alert(1)>"
panels.load()


def table(name: str, columns: dict[str, list[Any]], at: float = START) -> pa.Table:
    n = len(next(iter(columns.values())))
    return SCHEMAS[name].table({"time": [round(at * 1e6)] * n, "host": ["a"] * n, **columns})


def frames(name: str, tables: dict[str, pa.Table]) -> dict[str, pd.DataFrame]:
    """What panel `name` gets; a table that is not given has no row."""
    needs = panels.PANELS[name].tables
    return {t: bucketed(tables.get(t, SCHEMAS[t].table({})), SCHEMAS[t], 1.0, needs[t].columns) for t in needs}


def build(name: str, tables: dict[str, pa.Table], known: tuple[str, ...] = (), **query: str) -> PanelData:
    return panels.PANELS[name].build(frames(name, tables), query, GRID, known)


def first(data: PanelData) -> dict[str, float]:
    """The first column of each series."""
    return {s.id: float(data.values[i, 0]) for i, s in enumerate(data.series)}


VDEVS = ["", "raidz2-0", "raidz2-0/c3t0d0", "raidz2-0/c3t1d0", "logs/c1t2d0"]
IOSTAT = table(
    "zpool_iostat",
    {
        "pool": ["mail"] * 5, "vdev": VDEVS, "device": ["mail", "raidz2-0", "c3t0d0", "c3t1d0", "c1t2d0"],
        "kind": ["pool", "raidz2", "disk", "disk", "disk"],
        "alloc": [6 * TIB, 6 * TIB, None, None, 1e6], "size": [10 * TIB, 10 * TIB, None, None, 3e10],
        "read_ops": [30.0, 30.0, 10.0, 20.0, 0.0], "write_ops": [70.0, 30.0, 10.0, 20.0, 40.0],
        "read_bytes": [3e6, 3e6, 1e6, 2e6, 0.0], "write_bytes": [7e6, 3e6, 1e6, 2e6, 4e6],
        "total_wait_read": [0.006, 0.006, 0.004, 0.009, None], "total_wait_write": [None, 0.002, 0.002, 0.003, 0.0002],
        "disk_wait_read": [0.005, 0.004, None, None, None], "syncq_wait_write": [0.001, None, None, None, None],
        "syncq_read_pend": [3.0, 2.0, None, None, None], "syncq_read_activ": [1.0, 1.0, None, None, None],
    },
)  # fmt: skip
DISKS = table(
    "disk_io",
    {
        "device": ["c3t0d0", "c3t1d0", "c1t2d0", "c9t9d9"],
        "pool": ["mail", "mail", "mail", None], "vdev": [*VDEVS[2:], None],
        "read_ops": [10.0, 20.0, 0.0, 5.0], "write_ops": [10.0, 20.0, 40.0, 5.0],
        "asvc_t": [0.004, 0.4, 0.0002, 0.1], "busy": [0.2, 0.99, 0.01, 0.5],
    },
)  # fmt: skip
STATUS = table(
    "zpool_status",
    {
        "pool": ["mail"] * 5, "vdev": VDEVS, "device": ["mail", "raidz2-0", "c3t0d0", "c3t1d0", "c1t2d0"],
        "kind": ["pool", "raidz2", "disk", "disk", "disk"],
        "state": ["DEGRADED", "DEGRADED", "ONLINE", "FAULTED", "ONLINE"],
        "read_errors": [0.0, 0.0, 0.0, 14.0, 0.0], "write_errors": [0.0] * 5,
        "cksum_errors": [0.0, 0.0, 2.0, 0.0, None],
        "note": [None, None, None, "too many errors", None],
    },
)  # fmt: skip


# -- where a vdev is ------------------------------------------------------------------------------------------------


def test_a_name_may_hold_slashes_and_a_section_need_not_be_a_row() -> None:
    found = parents(["mirror-0", "mirror-0//tmp/zfs/d1", "/dev/dsk/c1d0", "logs/mirror-1", "logs/mirror-1/c1t2d0"])
    assert found == {
        "mirror-0": "", "mirror-0//tmp/zfs/d1": "mirror-0", "/dev/dsk/c1d0": "", "logs": "",
        "logs/mirror-1": "logs", "logs/mirror-1/c1t2d0": "logs/mirror-1",
    }  # fmt: skip


def test_the_top_level_vdevs_are_those_that_do_io_of_their_own() -> None:
    paths = ["", "/f/d1", "mirror-0", "mirror-0/a", "logs", "logs/b", "cache/c", "spares/e", "mirror-0/spare-1"]
    paths.append("section-1/x")  # whose heading -H leaves out
    kinds = ["pool", "disk", "mirror", "disk", "section", "disk", "disk", "disk", "spare", "disk"]
    frame = pd.DataFrame({"vdev": paths, "kind": kinds})
    assert top_level(frame)["vdev"].tolist() == ["/f/d1", "mirror-0", "logs/b", "cache/c", "section-1/x"]
    assert len(top_level(frame[:0])) == 0


def test_the_tree_is_in_the_order_that_people_read() -> None:
    paths = ["logs/c1t2d0", "mirror-10", "mirror-2", "mirror-2/c3t10d0", "mirror-2/c3t9d0", "cache/c1t4d0"]
    paths += ["spares/c8t0d0", "special/mirror-3", "mirror-2/replacing-0", "mirror-2/replacing-0/c3t1d0"]
    nodes = vdev_tree.nested("mail", paths)
    assert [(n.depth, n.name) for n in nodes] == [
        (0, "mail"), (1, "mirror-2"), (2, "c3t9d0"), (2, "c3t10d0"), (2, "replacing-0"), (3, "c3t1d0"),
        (1, "mirror-10"), (1, "special"), (2, "mirror-3"), (1, "logs"), (2, "c1t2d0"), (1, "cache"), (2, "c1t4d0"),
        (1, "spares"), (2, "c8t0d0"),
    ]  # fmt: skip
    assert [n.name for n in nodes if n.section] == ["special", "logs", "cache", "spares"]


@pytest.mark.parametrize(
    "names",
    [["sda", "sdc", "sdi"], ["c3t9d0", "c3t10d0"], ["da2", "da11p3"], ["a", "a1", "b"], ["raidz2-1", "raidz2-10"]],
)
def test_names_sort_as_people_count(names: list[str]) -> None:
    keys = [disks.natural(n) for n in names]
    assert keys == sorted(keys)
    assert len(set(map(str, keys))) == len(names)


def test_a_disk_that_is_replaced_in_its_place_stands_beside_its_heir() -> None:
    paths = ["raidz2-1", "raidz2-1/replacing-3", "raidz2-1/replacing-3/c3t9d0", "raidz2-1/replacing-3/c3t9d0/old"]
    nodes = vdev_tree.nested("mail", paths)
    assert [(n.depth, n.name) for n in nodes[2:]] == [(2, "replacing-3"), (3, "c3t9d0"), (3, "c3t9d0/old")]
    assert not nodes[3].group


def test_what_iostat_tells_of_a_replaced_disk_is_put_where_status_has_it() -> None:
    vdevs_ = ["", "raidz2-0", "raidz2-0/replacing-0", "raidz2-0/replacing-0/c3t0d0", "raidz2-0/replacing-0/c3t0d0/old"]
    status = table("zpool_status", {"pool": ["mail"] * 5, "vdev": vdevs_, "state": ["ONLINE"] * 4 + ["FAULTED"]})
    given = {"zpool_status": newest(status), "zpool_iostat": newest(IOSTAT), "disk_io": newest(DISKS)}
    data = tree(frames=given)
    paths = [r["path"] for r in data["rows"]]
    assert "raidz2-0/c3t0d0" not in paths
    heir = cells(data, "raidz2-0/replacing-0/c3t0d0")
    assert (heir["read_ops"], heir["busy"]) == (10, 0.2)
    assert cells(data, "raidz2-0/replacing-0/c3t0d0/old")["read_ops"] is None
    assert "raidz2-0/c3t1d0" in paths  # which status does not know at all


# -- panels ---------------------------------------------------------------------------------------------------------


def test_without_a_choice_the_top_level_vdevs_are_drawn() -> None:
    got = first(build("vdev_ops", {"zpool_iostat": IOSTAT}))
    assert got == {"raidz2-0/read": 30, "raidz2-0/write": 30, "c1t2d0/read": 0, "c1t2d0/write": 40}
    assert {s.unit for s in build("vdev_ops", {"zpool_iostat": IOSTAT}).series} == {"1/s"}


def test_a_chosen_vdev_is_drawn_first_with_what_is_in_it() -> None:
    data = build("pool_io", {"zpool_iostat": IOSTAT}, pool="mail", vdev="raidz2-0")
    assert first(data) == {
        "raidz2-0/read": 3e6, "raidz2-0/write": 3e6, "c3t0d0/read": 1e6, "c3t0d0/write": 1e6,
        "c3t1d0/read": 2e6, "c3t1d0/write": 2e6,
    }  # fmt: skip
    assert [s.id for s in data.series][:2] == ["raidz2-0/read", "raidz2-0/write"]
    alone = build("pool_io", {"zpool_iostat": IOSTAT}, pool="mail", vdev="logs/c1t2d0")
    assert first(alone) == {"c1t2d0/read": 0, "c1t2d0/write": 4e6}
    member = build("pool_io", {"zpool_iostat": IOSTAT}, pool="mail", vdev="raidz2-0/c3t1d0")
    assert first(member) == {"c3t1d0/read": 2e6, "c3t1d0/write": 2e6}


def test_the_chosen_vdev_leads_even_if_its_members_wait_longer() -> None:
    n = 8
    waits = table(
        "zpool_iostat",
        {
            "pool": ["t"] * n, "vdev": ["", "m", *(f"m/d{i}" for i in range(6))],
            "kind": ["pool", "mirror", *["disk"] * 6], "total_wait_read": [0.1, 0.001, *[0.5] * 6],
            "total_wait_write": [0.1, 0.001, *[0.5] * 6],
        },
    )  # fmt: skip
    data = build("vdev_wait", {"zpool_iostat": waits}, pool="t", vdev="m")
    assert [s.group for s in data.series][::2] == ["m", "d0", "d1", "d2"]  # and no sum of the other waits
    assert {s.unit for s in data.series} == {"s"}


def test_a_second_without_a_sample_stays_missing() -> None:
    data = build("vdev_ops", {"zpool_iostat": IOSTAT})
    assert np.isnan(data.values[:, 1:]).all()
    wait = build("vdev_wait", {"zpool_iostat": IOSTAT})
    got = first(wait)
    assert got["raidz2-0/read"] == pytest.approx(0.006)
    assert np.isnan(got["c1t2d0/read"])  # nothing was read: no wait, which is not a wait of 0


def test_where_a_wait_is_spent_and_queues_are_those_of_one_vdev() -> None:
    parts = first(build("vdev_parts", {"zpool_iostat": IOSTAT}))
    assert parts == {"disk_wait/read": pytest.approx(0.005), "syncq_wait/write": pytest.approx(0.001)}
    chosen = first(build("vdev_parts", {"zpool_iostat": IOSTAT}, pool="mail", vdev="raidz2-0"))
    assert chosen == {"disk_wait/read": pytest.approx(0.004)}
    queues = build("vdev_queues", {"zpool_iostat": IOSTAT}, pool="mail", vdev="raidz2-0")
    assert first(queues) == {"syncq_read/pend": 2, "syncq_read/activ": 1}
    assert [s.side for s in queues.series] == [1, -1]
    assert not build("vdev_queues", {}).series


def test_disks_are_those_of_the_chosen_vdev_or_of_any_pool() -> None:
    assert sorted(first(build("vdev_busy", {"disk_io": DISKS}))) == ["c1t2d0", "c3t0d0", "c3t1d0"]
    chosen = build("vdev_busy", {"disk_io": DISKS}, pool="mail", vdev="raidz2-0")
    assert sorted(first(chosen)) == ["c3t0d0", "c3t1d0"]
    assert chosen.yrange == (0.0, 1.0)
    assert sorted(first(build("vdev_service", {"disk_io": DISKS}, pool="mail", vdev="logs/c1t2d0"))) == ["c1t2d0"]
    nobody = build("vdev_busy", {"disk_io": DISKS}, pool="other", vdev="raidz1-0")
    assert "not known" in nobody.empty
    assert not build("vdev_busy", {}, pool="other").empty  # nothing at all: the page says why


def test_disks_of_a_host_that_joins_none_are_all_drawn() -> None:
    alone = DISKS.set_column(DISKS.schema.get_field_index("pool"), "pool", pa.nulls(4, pa.string()))
    assert len(first(build("vdev_busy", {"disk_io": alone}))) == 4


@pytest.mark.parametrize("way", ["disk_io", "zpool_histogram", "dtrace"])
def test_the_heat_map_holds_the_chosen_vdevs_disks_alone(way: str) -> None:
    counts = [0] * 64
    counts[22] = 5
    histogram = table(
        "zpool_histogram",
        {"pool": ["mail"] * 5, "vdev": VDEVS, "measure": ["disk_wait_read"] * 5, "counts": [counts] * 5},
    )
    asked = table(
        "dtrace",
        {
            "question": [disks.STANDING] * 3, "keys": [["c3t0d0"], ["c3t1d0"], ["c1t2d0"]], "agg": ["quantize"] * 3,
            "bounds": ["quantize"] * 3, "counts": [counts] * 3,
        },
    )  # fmt: skip
    given = {"disk_io": DISKS} | (
        {way: {"zpool_histogram": histogram, "dtrace": asked}[way]} if way != "disk_io" else {}
    )
    everything = build("vdev_latency", given)
    data = build("vdev_latency", given, pool="mail", vdev="raidz2-0")
    assert sorted(s.id for s in data.series if s.group == "table") == ["c3t0d0", "c3t1d0"]
    assert data.heat is not None
    assert everything.heat is not None
    expected = {"disk_io": 60, "zpool_histogram": 10, "dtrace": 10}[way]
    assert data.heat.counts[0].sum() == pytest.approx(expected)
    assert everything.heat.counts[0].sum() > expected


# -- scans ----------------------------------------------------------------------------------------------------------


BEGAN = START // 60 * 60


def scan_rows(n: int, step: float, **columns: list[Any]) -> pd.DataFrame:
    times = [round((BEGAN + i * step) * 1e6) for i in range(n)]
    base = {"host": ["a"] * n, "pool": ["mail"] * n, "scan": ["scrub"] * n, "state": ["in_progress"] * n}
    return bucketed(SCHEMAS["pool_scan"].table({"time": times, **base, **columns}), SCHEMAS["pool_scan"], step)


def pace(frame: pd.DataFrame, n: int, step: float, known: tuple[str, ...] = ()) -> PanelData:
    return vdevs.scan_pace({"pool_scan": frame}, {}, Grid(BEGAN, step, n), known)


def test_a_scans_pace_is_over_a_quarter_of_an_hour_and_of_bytes_issued() -> None:
    n = 60
    issued = [i * 60e6 for i in range(20)] + [20 * 60e6 + i * 180e6 for i in range(40)]
    data = pace(scan_rows(n, 60.0, issued=issued, total=[1e12] * n, rate=[2e6] * n), n, 60.0)
    assert [s.id for s in data.series] == ["mail/pace", "mail/mean"]
    assert data.unit == "B/s"
    values = data.values[0]
    assert np.isnan(values[:4]).all()  # too short to tell
    assert values[10] == pytest.approx(1e6)
    assert values[-1] == pytest.approx(3e6)
    assert 1e6 < values[25] < 3e6


def test_a_scan_begun_anew_has_no_pace_across_the_two() -> None:
    times = np.arange(10) * 60.0
    done = np.array([50, 60, 70, 80, 90, 5, 15, 25, 35, 45.0])
    got = vdevs.recent_pace(times, done, np.array(["scrub"] * 10, object))
    assert got[4] == pytest.approx(10 / 60)
    assert np.isnan(got[5:9]).all()
    assert got[9] == pytest.approx(10 / 60)
    other = vdevs.recent_pace(times, np.arange(10.0), np.array(["scrub"] * 5 + ["resilver"] * 5, object))
    assert np.isnan(other[5:9]).all()


def test_without_bytes_a_pace_is_in_per_cent_an_hour() -> None:
    n = 20
    data = pace(scan_rows(n, 60.0, fraction=[0.1 + i * 0.01 for i in range(n)]), n, 60.0)
    assert [(s.id, s.unit) for s in data.series] == [("mail/share", "%/h")]
    assert data.values[0, -1] == pytest.approx(60.0, rel=1e-4)


def test_a_pace_is_in_what_the_host_tells_now() -> None:
    n = 20
    issued = [float(i) for i in range(10)] + [None] * 10
    rows = scan_rows(n, 60.0, fraction=[0.1 + i * 0.01 for i in range(n)], issued=issued)
    assert pace(rows, n, 60.0).unit == "%/h"
    assert np.isfinite(pace(rows, n, 60.0).values[0, -1])


def test_nothing_that_runs_is_said() -> None:
    done = scan_rows(3, 60.0)
    done["state"] = "finished"
    assert pace(done, 3, 60.0).empty == "No scan ran in this range."
    drawn = pace(done, 3, 60.0, known=("mail/share",))
    assert (drawn.empty, [(s.id, s.unit) for s in drawn.series]) == ("", [("mail/share", "%/h")])


def row(**more: Any) -> dict[str, Any]:
    base = dict.fromkeys(
        ("fraction", "scanned", "issued", "total", "rate", "elapsed", "eta", "repaired", "errors"), np.nan
    )
    at = pd.Timestamp(START, unit="s", tz="UTC")
    return {**base, "time": at, "pool": "mail", "scan": "scrub", "state": "in_progress", "text": None, **more}


def test_a_running_scan_has_a_span_of_ends_or_a_reason() -> None:
    now = row(fraction=0.5, issued=5e11, total=1e12, rate=1e8, elapsed=5000.0, repaired=0.0, errors=0.0)
    then = row(fraction=0.41, issued=4.1e11, total=1e12, time=pd.Timestamp(START - 900, unit="s", tz="UTC"))
    got = vdev_tree.scan(now, {("a", "mail"): then}, "a")
    assert got is not None
    assert got["recent"] == pytest.approx(1e8)
    assert got["done"] == 5e11
    assert got["eta"] == [pytest.approx(START + 5000), pytest.approx(START + 5000)]
    slower = vdev_tree.scan(now, {("a", "mail"): then | {"fraction": 0.455}}, "a")
    assert slower is not None
    assert slower["eta"] == [pytest.approx(START + 5000), pytest.approx(START + 10000)]
    assert slower["errors"] == 0.0


@pytest.mark.parametrize(
    ("scan", "before", "why"),
    [
        (row(state="paused", fraction=0.5, rate=1e8, total=1e12, issued=5e11), {}, "it is paused"),
        (row(fraction=0.0), {}, "nothing is done yet"),
        (row(fraction=0.3), {}, "the host tells neither pace nor time"),
        (row(fraction=0.3), {"fraction": 0.3}, "no progress for 15\u2009min"),
    ],
)
def test_no_eta_has_its_reason(scan: dict[str, Any], before: dict[str, Any], why: str) -> None:
    then = {("a", "mail"): row(**before, time=pd.Timestamp(START - 900, unit="s", tz="UTC"))} if before else {}
    got = vdev_tree.scan(scan, then, "a")
    assert got is not None
    assert (got["eta"], got["why"]) == (None, why)


def test_a_finished_scan_has_neither_end_nor_pace() -> None:
    got = vdev_tree.scan(row(state="finished", fraction=1.0, text="scrub repaired 0 in 2h12m", errors=0.0), {}, "a")
    assert got is not None
    assert (got["eta"], got["why"], got["recent"], got["text"]) == (None, "", None, "scrub repaired 0 in 2h12m")
    assert vdev_tree.scan(None, {}, "a") is None


def test_scans_that_ended_are_told_once_each_newest_first() -> None:
    def bucket(hours: float, text: str, **more: Any) -> dict[str, Any]:
        return row(time=pd.Timestamp(START + hours * 3600, unit="s", tz="UTC"), text=text, state="finished", **more)

    old = "scrub repaired 0 in 2h12m with 0 errors on Sun Nov  1 03:12:00 2026"
    new = "scrub repaired 4K in 2h30m with 3 errors on Sun Nov  8 03:30:00 2026"
    frame = pd.DataFrame(
        [
            bucket(0, old, elapsed=4000.0, elapsed_max=7920.0, repaired_max=0.0, errors_max=0.0),
            bucket(2, old, elapsed=7920.0, elapsed_max=7920.0, repaired_max=0.0, errors_max=0.0),
            row(time=pd.Timestamp(START + 3 * 3600, unit="s", tz="UTC"), text="scrub in progress"),
            bucket(168, new, elapsed=9000.0, elapsed_max=9000.0, repaired_max=4096.0, errors_max=3.0),
            row(time=pd.Timestamp(START, unit="s", tz="UTC"), scan="none", state="none", text="none requested"),
        ]
    )
    live_row = row(
        time=pd.Timestamp(START + 169 * 3600, unit="s", tz="UTC"), text=new, state="finished", elapsed=9000.0
    )
    frame = pd.concat([frame, pd.DataFrame([live_row | {"repaired": 4096.0, "errors": 3.0}])], ignore_index=True)
    got = vdev_tree.ended(frame)
    assert [r.cells["end"] for r in got] == ["Sun Nov  8 03:30:00 2026", "Sun Nov  1 03:12:00 2026"]
    assert [r.cells["elapsed"] for r in got] == [9000.0, 7920.0]
    assert (got[0].cells["repaired"], got[0].states) == (4096.0, {"errors": "warn"})
    assert got[1].states == {}


# -- the tree's table and the pools' heads --------------------------------------------------------------------------


def newest(t: pa.Table) -> pd.DataFrame:
    return t.to_pandas()


def tree(**how: Any) -> dict[str, Any]:
    none = {t: newest(SCHEMAS[t].table({})) for t in ("zpool_status", "zpool_iostat", "disk_io", "pool_capacity")}
    given = {"zpool_status": newest(STATUS), "zpool_iostat": newest(IOSTAT), "disk_io": newest(DISKS)}
    f = none | (how.pop("frames", None) or given)
    return vdev_tree.tree(f["zpool_status"], f["zpool_iostat"], f["disk_io"], f["pool_capacity"], **how)


def cells(data: dict[str, Any], path: str) -> dict[str, Any]:
    found = next(r for r in data["rows"] if r["path"] == path)
    return dict(zip([c["id"] for c in data["columns"]], found["cells"], strict=True))


def states(data: dict[str, Any], path: str) -> dict[str, str]:
    found = next(r for r in data["rows"] if r["path"] == path)
    return {c["id"]: s for c, s in zip(data["columns"], found["states"], strict=True) if s}


def test_the_tree_joins_status_iostat_and_disks() -> None:
    data = tree()
    assert [(r["path"], r["depth"]) for r in data["rows"]] == [
        ("", 0), ("raidz2-0", 1), ("raidz2-0/c3t0d0", 2), ("raidz2-0/c3t1d0", 2), ("logs", 1), ("logs/c1t2d0", 2),
    ]  # fmt: skip
    disk = cells(data, "raidz2-0/c3t1d0")
    assert disk["state"] == "faulted"
    assert (disk["read_errors"], disk["busy"], disk["asvc_t"]) == (14, 0.99, 0.4)
    assert disk["note"] == "too many errors"
    assert disk["alloc"] is None  # not told of a member: missing, not 0
    assert cells(data, "logs/c1t2d0")["cksum_errors"] is None
    assert disk["wait"] == pytest.approx((20 * 0.009 + 20 * 0.003) / 40)
    assert cells(data, "logs/c1t2d0")["wait"] == pytest.approx(0.0002)
    assert cells(data, "raidz2-0")["busy"] == ""  # a group has no disk of its own


def test_only_what_is_not_well_has_a_state() -> None:
    data = tree()
    assert states(data, "raidz2-0/c3t1d0") == {"state": "bad", "read_errors": "warn"}
    assert states(data, "raidz2-0/c3t0d0") == {"cksum_errors": "warn"}
    assert states(data, "") == {"state": "bad"}
    assert states(data, "logs/c1t2d0") == {}
    assert cells(data, "logs/c1t2d0")["state"] == "online"


def test_a_slow_disk_is_marked_in_the_tree() -> None:
    slow = {"c3t0d0": Reason("bad", "Disk c3t0d0 slow", "p99 412 ms against 14 ms in its 11 peers", "c3t0d0")}
    data = tree(slow=slow)
    assert states(data, "raidz2-0/c3t0d0")["asvc_t"] == "bad"
    assert cells(data, "raidz2-0/c3t0d0")["note"].startswith("slow: p99 412 ms")


def test_columns_that_nobody_tells_are_left_out_and_a_status_alone_is_a_tree() -> None:
    data = tree(frames={"zpool_status": newest(STATUS)})
    assert [c["id"] for c in data["columns"]] == ["state", "read_errors", "write_errors", "cksum_errors", "note"]
    assert len(data["rows"]) == 6
    empty = tree(frames={"disk_io": newest(DISKS)})
    assert empty["rows"] == []
    assert empty["empty"]


def test_a_pool_that_only_zpool_list_tells_has_a_row() -> None:
    capacity = table("pool_capacity", {"pool": ["old"], "size": [TIB], "alloc": [0.5 * TIB], "health": ["UNAVAIL"]})
    data = tree(frames={"pool_capacity": newest(capacity)})
    assert cells(data, "")["alloc"] == 0.5 * TIB


def test_a_disk_that_its_pool_calls_otherwise_is_named() -> None:
    disk = table("disk_io", {"device": ["sdq"], "pool": ["mail"], "vdev": ["raidz2-0/c3t0d0"], "busy": [0.5]})
    data = tree(frames={"zpool_iostat": newest(IOSTAT), "disk_io": newest(disk)})
    assert cells(data, "raidz2-0/c3t0d0")["note"] == "disk sdq"
    assert cells(data, "raidz2-0/c3t1d0")["busy"] is None


def test_text_of_a_host_stays_text() -> None:
    status = table("zpool_status", {"pool": ["t", "t"], "vdev": ["", EVIL], "state": ["ONLINE", "ONLINE"]})
    data = tree(frames={"zpool_status": newest(status)})
    assert [r["label"] for r in data["rows"]] == ["t", EVIL]


def head(status: pa.Table, system: str = "solaris10", **space: Any) -> dict[str, Any]:
    return vdev_tree.head("mail", newest(status), space or None, system)


def test_a_pools_head_says_its_state_in_words_and_why() -> None:
    got = head(STATUS, alloc=8.5 * TIB, size=10 * TIB, frag=0.97, dedup=1.0)
    assert (got["state"], got["word"], got["icon"]) == ("bad", "Degraded", "degraded")
    assert "raidz2-0/c3t1d0 faulted" in got["why"]
    assert "raidz2-0/c3t0d0 2" in got["why"]
    assert got["refused"] == pytest.approx(63 / 64)
    assert got["frag"] == 0.97  # told, and no alarm of its own


def test_a_faulted_log_is_told_though_the_pool_says_online() -> None:
    status = table("zpool_status", {"pool": ["mail"] * 2, "vdev": ["", "logs/c1t2d0"], "state": ["ONLINE", "FAULTED"]})
    got = head(status)
    assert (got["state"], got["word"]) == ("bad", "Online")
    assert got["why"] == "logs/c1t2d0 faulted"


def test_what_is_not_known_of_a_pool_is_missing() -> None:
    none = SCHEMAS["zpool_status"].table({})
    got = head(none, "")
    assert (got["state"], got["word"], got["alloc"], got["refused"], got["frag"]) == ("", "", None, None, None)
    assert head(none, "linux", health="SUSPENDED", size=TIB)["state"] == "bad"
    assert head(table("zpool_status", {"pool": ["mail"], "vdev": [""], "state": ["ONLINE"]}))["state"] == "well"


# -- the views over the ring ----------------------------------------------------------------------------------------


def live(now: float, *seconds: Second) -> Live:
    made = Live(NoHistory(), clock=lambda: now)
    for s in seconds:
        made.add(s)
    return made


def test_old_rates_are_missing_and_old_states_have_their_time() -> None:
    told = Second(1, START, "t", {"zpool_status": STATUS, "zpool_iostat": IOSTAT, "disk_io": DISKS})
    fresh = vdev_tree.vdev_tree(live(START + 5, told), {"host": "a"}, None)
    assert cells(fresh, "raidz2-0")["read_ops"] == 30
    assert fresh["of"] is None
    late = vdev_tree.vdev_tree(live(START + 100, told), {"host": "a"}, None)
    assert "read_ops" not in cells(late, "raidz2-0")  # nobody tells it any more
    assert cells(late, "raidz2-0")["alloc"] == 6 * TIB
    assert late["of"] == START


def test_a_device_that_was_taken_away_leaves_the_tree() -> None:
    two = table("zpool_status", {"pool": ["t"] * 2, "vdev": ["", "sdb"], "state": ["ONLINE"] * 2})
    one = table("zpool_status", {"pool": ["t"], "vdev": [""], "state": ["ONLINE"]}, START + 120)
    found = live(
        START + 121, Second(1, START, "t", {"zpool_status": two}), Second(2, START + 120, "t", {"zpool_status": one})
    )
    assert [r["path"] for r in vdev_tree.vdev_tree(found, {"host": "a"}, None)["rows"]] == [""]


def test_the_pools_view_of_a_host_that_says_nothing_is_empty() -> None:
    nobody = live(START)
    assert vdev_tree.pools_head(nobody, {"host": "x"}, None) == {"pools": []}
    assert vdev_tree.vdev_tree(nobody, {"host": "x"}, None)["rows"] == []
    assert vdev_tree.scan_history(nobody, {"host": "x"}, None)["rows"] == []


def test_the_vdev_of_an_address_is_taken_where_the_host_has_it() -> None:
    known = live(START + 5, Second(1, START, "t", {"zpool_status": STATUS}))

    def asked(**query: str) -> dict[str, str]:
        return pools.selected(Url("/pools/a", {"host": "a"}, query, known), "a")

    assert asked(pool="mail", vdev="raidz2-0/c3t1d0") == {"pool": "mail", "vdev": "raidz2-0/c3t1d0"}
    assert asked(pool="mail") == {"pool": "mail", "vdev": ""}
    assert asked(pool="mail", vdev="raidz9-9") == {"pool": "mail", "vdev": ""}
    assert asked(pool="tank", vdev="raidz2-0") == {}
    assert asked() == {}


def test_panels_that_the_host_cannot_fill_are_left_out() -> None:
    def laid(*frames: pa.Table) -> str:
        given = dict(zip(("zpool_status", "zpool_iostat"), frames, strict=False))
        made = live(START + 5, Second(1, START, "t", given))
        return str(pools.pools(Url("/pools/a", {"host": "a"}, {}, made)).body)

    waits = laid(STATUS, IOSTAT)
    assert all(f"'{p}'" in waits for p in ("vdev_wait", "vdev_parts", "vdev_queues"))
    assert "'vdev_service'" not in waits
    plain = laid(STATUS, IOSTAT.select(["time", "host", "pool", "vdev", "kind", "read_ops", "write_ops"]))
    assert "'vdev_service'" in plain
    assert not any(f"'{p}'" in plain for p in ("vdev_wait", "vdev_parts", "vdev_queues"))
