"""Panel functions: given these frames, these numbers. The same function serves fills and live columns."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import panels
from dashboard.buckets import bucketed
from dashboard.panels import arc, disks, pools, tools, zones
from dashboard.panels.data import Grid, PanelData
from frames.schemas import BOUNDS_QUANTIZE, SCHEMAS
from frames.store import Store, Writer
from tests.dashboard import scene

START = 1_795_400_000
panels.load()


def frames(name: str, seconds: list[int], step: float = 1.0, **how) -> dict[str, pd.DataFrame]:
    """What a panel gets for these seconds of the scene."""
    import pyarrow as pa

    out = {}
    for table in panels.PANELS[name].tables:
        rows = [scene.second_of(s, **how).get(table, SCHEMAS[table].table({})) for s in seconds]
        found = pa.concat_tables(rows)
        where = panels.PANELS[name].tables[table].where
        for column, values in where.items():
            found = found.filter(pa.compute.is_in(found[column], pa.array(values, pa.string())))
        out[table] = bucketed(found, SCHEMAS[table], step)
    return out


def build(name: str, n: int = 5, grid: Grid | None = None, known=(), **how) -> PanelData:
    grid = grid or Grid(START, 1.0, n)
    return panels.PANELS[name].build(frames(name, list(range(START, START + n)), grid.step, **how), {}, grid, known)


def rows(data: PanelData) -> dict[str, np.ndarray]:
    return {s.id: data.values[i] for i, s in enumerate(data.series)}


# -- percentiles ---------------------------------------------------------------------------------------------------


def test_a_percentile_is_interpolated_on_a_log_scale_inside_its_bucket() -> None:
    bounds = [1.0, 2.0, 4.0, 8.0]
    assert tools.percentile(np.array([0, 100, 0, 0]), bounds, 0.5) == pytest.approx(2 * 2**0.5)
    assert tools.percentile(np.array([50, 0, 50, 0]), bounds, 0.5) == pytest.approx(2.0)
    assert tools.percentile(np.array([0, 0, 0, 1]), bounds, 1.0) == pytest.approx(16.0)
    assert np.isnan(tools.percentile(np.zeros(4), bounds, 0.5))


@given(st.lists(st.integers(0, 1000), min_size=20, max_size=20).filter(any), st.floats(0.01, 1))
def test_a_percentile_lies_in_the_bucket_that_holds_it(counts: list[int], q: float) -> None:
    bounds = list(BOUNDS_QUANTIZE[1:21])
    value = float(tools.percentile(np.array(counts), bounds, q))
    running = np.cumsum(counts)
    k = int(np.argmax(running >= q * running[-1] - 1e-9))
    assert bounds[k] * 0.999999 <= value <= bounds[k] * 2.000001


@given(st.lists(st.lists(st.integers(0, 9), max_size=70), min_size=1, max_size=5))
def test_rebinning_loses_no_event(lists: list[list[int]]) -> None:
    counts = tools.histogram(pd.DataFrame({"counts": lists}))[:, :64]
    got = tools.rebin(counts, [b * 1e-9 for b in BOUNDS_QUANTIZE], tools.LATENCY)
    np.testing.assert_array_equal(got.sum(axis=1), counts.sum(axis=1))


# -- disks ---------------------------------------------------------------------------------------------------------


def test_the_heat_map_counts_every_io_of_every_disk() -> None:
    data = build("disk_latency")
    expected = sum(sum(c) for c in scene.second_of(START)["dtrace"]["counts"].to_pylist())
    assert data.heat is not None
    assert data.heat.counts[0].sum() == expected
    assert data.heat.counts.shape == (5, len(data.heat.bounds))


def test_the_slow_disk_stands_first_and_is_marked() -> None:
    data = build("disk_latency")
    table = [s for s in data.series if s.group == "table"]
    assert (table[0].id, table[0].state) == ("c3t7d0", "bad")
    assert [s.id for s in table if s.state] == ["c3t7d0"]
    assert len(table) == disks.DISKS + 1
    assert table[-1].label == "3 more"
    names = [s.id for s in table[1:-1]]
    assert names == sorted(names, key=lambda n: int(n[3:-2]))  # c3t10d0 comes after c3t9d0
    assert 0.2 < rows(data)["c3t7d0"][0] < 0.6
    assert rows(data)[names[0]][0] < 0.02


def test_equal_disks_are_none_of_them_slow() -> None:
    data = build("disk_latency", slow="")
    assert not [s.id for s in data.series if s.state]
    assert build("disk_worst", slow="").series[0].state == ""
    assert build("disk_worst").series[0].state == "bad"


def test_without_dtrace_mean_service_times_stand_in() -> None:
    grid = Grid(START, 1.0, 2)
    disk = SCHEMAS["disk_io"].table(
        {
            "time": [START * 10**6] * 2, "host": ["a"] * 2, "device": ["sd0", "sd1"],
            "read_ops": [30.0, 10.0], "write_ops": [10.0, None], "asvc_t": [0.004, 0.3],
        }
    )  # fmt: skip
    found = {t: bucketed(SCHEMAS[t].table({}), SCHEMAS[t], 1) for t in disks.TABLES}
    found["disk_io"] = bucketed(disk, SCHEMAS["disk_io"], 1)
    data = disks.disk_latency(found, {}, grid, ())
    assert data.heat is not None
    assert data.heat.counts[0].sum() == 50
    assert rows(data)["sd0"][0] == pytest.approx(0.004, rel=1)
    assert rows(data)["sd1"][0] == pytest.approx(0.3, rel=1)
    assert np.isnan(data.heat.counts[1]).all()  # no sample in the second second


def test_zfs_histograms_count_disks_and_not_their_parents() -> None:
    c = [0] * 64
    c[21] = 7
    table = SCHEMAS["zpool_histogram"].table(
        {
            "time": [START * 10**6] * 4, "host": ["a"] * 4, "pool": ["t"] * 4,
            "vdev": ["", "mirror-0", "mirror-0/sda", "mirror-0/sdb"], "measure": ["disk_wait_read"] * 4,
            "counts": [c] * 4,
        }
    )  # fmt: skip
    found = {t: bucketed(SCHEMAS[t].table({}), SCHEMAS[t], 1) for t in disks.TABLES}
    found["zpool_histogram"] = bucketed(table, SCHEMAS["zpool_histogram"], 1)
    ids, counts, _ = disks.disk_counts(found, Grid(START, 1.0, 1))
    assert ids == ["sda", "sdb"]
    assert counts.sum() == pytest.approx(14)


# -- pools, ARC, zones ---------------------------------------------------------------------------------------------


def test_reads_go_up_and_writes_down_per_top_level_vdev() -> None:
    data = build("pool_io")
    ids = [s.id for s in data.series]
    assert ids == [
        "raidz2-0/read", "raidz2-0/write", "raidz2-1/read", "raidz2-1/write",
        "c1t2d0/read", "c1t2d0/write", "rpool mirror-0/read", "rpool mirror-0/write",
    ]  # fmt: skip
    assert [s.side for s in data.series] == [1, -1] * 4
    assert rows(data)["raidz2-0/write"] == pytest.approx(1.4 * rows(data)["raidz2-0/read"])
    assert (data.values[np.isfinite(data.values)] >= 0).all()


def test_pools_are_summed_without_their_vdevs() -> None:
    grid = Grid(START, 1.0, 1)
    data = build("pool_read", 1)
    table = scene.second_of(START)["zpool_iostat"].to_pandas()
    assert data.values[0, 0] == pytest.approx(table[table["vdev"] == ""]["read_bytes"].sum())
    assert data.grid == grid


def test_hit_ratios_are_split_and_left_out_when_few_read() -> None:
    data = build("arc", 2)
    got = rows(data)
    assert got["demand_data"] == pytest.approx([0.964] * 2)
    assert got["demand_metadata"] == pytest.approx([0.991] * 2)
    assert np.isnan(got["prefetch"]).all()  # five reads a second
    assert [m.label for m in data.marks] == ["max 10", "min 6"]
    assert data.yrange is not None
    assert data.yrange[0] < 6 * scene.GIB < 10 * scene.GIB < data.yrange[1]


def test_the_arcs_target_is_not_mixed_up_with_its_bounds() -> None:
    data = build("arc", 2)  # columns c, c_min and c_max are the ARC's own
    assert rows(data)["c"] == pytest.approx([7.8 * scene.GIB] * 2)


def test_a_zone_is_amber_only_while_threads_wait() -> None:
    data = build("zones_cpu")
    got = rows(data)
    np.testing.assert_array_equal(got["mail3:warn"], got["mail3"])
    assert np.isnan(got["mail4:warn"]).all()
    assert data.series[0].id == "mail3"
    assert data.series[0].cap == 1.0
    assert len([s for s in data.series if not s.state]) == 9  # eight and the rest


def test_high_use_without_waiting_threads_is_just_busy() -> None:
    n = 2
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime([START, START + 1], unit="s", utc=True).as_unit("us"), "zone": ["z"] * n,
            "cpu": [1.0, 1.0], "cpu_cap": [1.0] * n, "cpu_waiting": [0.0, 2.0], "cpu_above_cap": [np.nan] * n,
            "rss": [1.0] * n,
        }
    )  # fmt: skip
    data = zones.zones_cpu({"zone_usage": frame}, {}, Grid(START, 1.0, 2), ())
    np.testing.assert_array_equal(rows(data)["z:warn"], np.array([np.nan, 1.0], np.float32))


def test_zones_that_a_page_draws_stay_when_others_grow() -> None:
    data = build("zones_cpu", known=["mail4", "mail4:warn", "rest"])
    assert [s.id for s in data.series] == ["mail4", "mail4:warn", "rest"]


# -- every panel -----------------------------------------------------------------------------------------------------


HOST = (
    *("disk_latency", "disk_worst", "disk_strip", "pool_io", "pool_read", "pool_write", "arc", "arc_size"),
    *("zones_cpu", "zones_memory", "cpu", "run_queue", "memory_free", "paging", "net_in"),
)


@pytest.mark.parametrize("name", HOST)
def test_history_and_ring_give_a_panel_the_same_columns(name: str, folder) -> None:
    store = Store(folder)
    p = panels.PANELS[name]
    query = {"host": "ms2"}
    for step in (1.0, 5.0):
        grid = Grid.over(START, START + 20, step)
        known: list[str] = []
        old = {}
        for t, n in p.tables.items():
            columns = list(n.columns) or None
            old[t] = store.window(t, grid.start, grid.end, points=grid.n, where=n.restrict(query), columns=columns)
        new = frames(name, list(range(START, START + 20)), step)
        a, b = p.build(old, query, grid, known), p.build(new, query, grid, known)
        by_a, by_b = rows(a), rows(b)
        assert set(by_a) == set(by_b)
        for id in by_a:
            np.testing.assert_allclose(by_a[id], by_b[id], rtol=1e-5, err_msg=f"{name} {id} at {step} s")
        if a.heat is not None and b.heat is not None:
            np.testing.assert_array_equal(a.heat.counts, b.heat.counts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("history")
    with Writer(path) as writer:
        for s in range(START, START + 20):
            writer.append(s, scene.second_of(s))
    return path


@pytest.mark.parametrize("name", sorted(n for n, p in panels.PANELS.items() if p.tables))
def test_empty_frames_give_an_empty_panel_and_not_an_error(name: str) -> None:
    p = panels.PANELS[name]
    grid = Grid(START, 1.0, 7)
    empty = {t: bucketed(SCHEMAS[t].table({}), SCHEMAS[t], 1.0, n.columns) for t, n in p.tables.items()}
    data = p.build(empty, {"host": "ms2"}, grid, ())
    assert not np.isfinite(data.values).any()
    assert data.grid.n == 7


def test_sections_and_members_are_no_top_level_vdevs() -> None:
    frame = pd.DataFrame(
        {
            "vdev": ["", "raidz2-0", "raidz2-0/c1d0", "logs", "logs/c2d0", "cache", "cache/c3d0", "c9d0"],
            "kind": ["pool", "raidz2", "disk", "section", "disk", "section", "disk", "disk"],
        }
    )
    assert list(pools.top_level(frame)["vdev"]) == ["raidz2-0", "logs/c2d0", "cache/c3d0", "c9d0"]


def test_the_ratio_of_few_reads_is_missing() -> None:
    few = arc.ratio(np.array([9.0, 95.0], np.float32), np.array([9.0, 100.0], np.float32))
    np.testing.assert_allclose(few, [np.nan, 0.95])


def test_a_read_under_way_is_an_access_where_the_system_counts_them() -> None:
    row = {f"a_{what}": np.array([n, n], np.float32) for what, n in (("hits", 60), ("misses", 20))}
    row["a_iohits"] = np.array([np.nan, 20], np.float32)
    np.testing.assert_allclose(arc.hit_ratio(row, ("a",)), [0.75, 0.6])
