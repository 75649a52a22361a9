"""Five systems over real SSH, each by its own tools: every source's rows agree with the one model behind them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from collectors.engine import Engine
from collectors.inventory import load as inventory
from collectors.sources import load
from fleet import Fleet
from fleet.model import HostModel
from fleet.scenario import scenario
from fleet.site import ESTATE
from frames.schemas import SCHEMAS, to_pandas
from tests.sshd import wait_for

HOSTS = ["ms2", "so1", "om1", "bk1", "fb1"]
TABLES = [
    "zpool_iostat", "zpool_status", "pool_scan", "pool_capacity", "arcstats", "zone_usage", "disk_io", "host_load",
    "net_io", "dataset_usage", "snapshots", "mail_activity",
]  # fmt: skip


class Memory:
    """A store that keeps what is appended."""

    def __init__(self) -> None:
        self.frames: list[dict[str, pa.Table]] = []

    def append(self, second: int, frames: dict[str, pa.Table]) -> int:
        self.frames.append(frames)
        return len(self.frames)

    def rows(self, table: str, host: str) -> pd.DataFrame:
        found = [f[table] for f in list(self.frames) if table in f]
        frame = to_pandas(pa.concat_tables(found)) if found else SCHEMAS[table].frame()
        return frame[frame["host"] == host]


@dataclass
class Seen:
    store: Memory
    models: dict[str, HostModel]

    def both(self, table: str, host: str, truth: str, column: str) -> tuple[pd.Series, np.ndarray]:
        """Means per second of a column, and of the model's array over the same seconds, summed over objects."""
        rows = self.store.rows(table, host)
        by_second = rows.groupby("time")[column].sum(min_count=1).dropna()
        first = int(by_second.index[0].timestamp())
        block = self.models[host].block(first - 1, int(by_second.index[-1].timestamp()) - first + 1)
        array = np.asarray(getattr(block, truth))
        return by_second, array.reshape(block.n, -1).sum(axis=1)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder: Path = tmp_path_factory.mktemp("estate")
    with Fleet(folder, "estate", hosts=HOSTS) as fleet:
        told = scenario("estate", fleet.start_time, ESTATE)
        store, stop = Memory(), threading.Event()
        engine = Engine(inventory(fleet.inventory, load()), store, load())
        thread = threading.Thread(target=engine.run, args=(stop,))
        thread.start()
        try:
            enough = {"zpool_iostat", "arcstats", "zone_usage", "disk_io", "host_load", "net_io"}
            wait_for(
                lambda: all(
                    store.rows(t, h)["time"].nunique() >= (8 if t in enough else 1) for t in TABLES for h in HOSTS
                ),
                60,
            )
        finally:
            stop.set()
            thread.join(20)
        yield Seen(store, {h: HostModel(ESTATE.host(h), told) for h in HOSTS})


@pytest.mark.parametrize("host", HOSTS)
class TestAHost:
    def test_holds_what_its_pools_hold(self, seen: Seen, host: str) -> None:
        rows = seen.store.rows("zpool_iostat", host)
        got = rows[rows["vdev"] == ""].groupby("pool")["alloc"].last()
        model = seen.models[host]
        expected = model.allocated(np.array([rows["time"].max().timestamp()]))[0]
        pools = [p.name for p in model.host.pools]
        assert got[pools].tolist() == pytest.approx(expected, rel=0.006)  # three digits are printed

    def test_names_every_vdev_and_disk_alike_in_every_table(self, seen: Seen, host: str) -> None:
        named = {t: seen.store.rows(t, host) for t in ("zpool_iostat", "zpool_status", "disk_io")}
        paths = {t: {(p, v) for p, v in zip(f["pool"], f["vdev"], strict=True) if v} for t, f in named.items()}
        disks = {d.name for d in seen.models[host].disks}
        sections = {(p, v) for p, v in paths["zpool_status"] if v in ("logs", "cache")}
        assert paths["zpool_iostat"] >= paths["zpool_status"] - sections
        placed = {(p, v) for p, v in paths["disk_io"] if isinstance(v, str)}  # the first rows come before the pools
        assert {v.rpartition("/")[2] for _, v in placed} == disks
        assert placed <= paths["zpool_iostat"]

    def test_counts_the_operations_of_its_disks(self, seen: Seen, host: str) -> None:
        # Reads, which flow; writes come in bursts, on either side of the window's ends.
        rows = seen.store.rows("disk_io", host)
        got = rows.groupby("time")["read_ops"].sum()
        first, last = (int(t.timestamp()) for t in (got.index[0], got.index[-1]))
        truth = seen.models[host].block(first - 1, last - first + 1).disk_ops[:, :, 0].sum(axis=1)
        assert got.mean() == pytest.approx(truth.mean(), rel=0.15)
        assert rows["write_ops"].sum() > 0

    def test_counts_the_cores_of_its_zones(self, seen: Seen, host: str) -> None:
        rows = seen.store.rows("zone_usage", host)
        zones = rows[rows["zone"] != "global"].groupby(["zone", "time"])["cpu"].last().groupby("zone").mean()
        times = rows["time"].astype("int64") // 1_000_000
        block = seen.models[host].block(int(times.min()) - 1, int(times.max() - times.min()) + 1)
        expected = dict(zip([z.name for z in ESTATE.host(host).zones], block.zone_cpu[:, 1:].mean(axis=0), strict=True))
        assert set(zones.index) == set(expected)
        for zone, cores in expected.items():
            assert zones[zone] == pytest.approx(cores, rel=0.25, abs=0.05), zone

    def test_shows_usage_beside_its_cap(self, seen: Seen, host: str) -> None:
        rows = seen.store.rows("zone_usage", host)
        newest = rows[rows["zone"] != "global"].groupby("zone").last()
        for zone in ESTATE.host(host).zones:
            assert newest["cpu_cap"][zone.name] == pytest.approx(zone.cap)
            assert newest["rss_cap"][zone.name] == pytest.approx(zone.rss_cap * 2**30, rel=0.01)

    def test_weighs_its_arc(self, seen: Seen, host: str) -> None:
        rows = seen.store.rows("arcstats", host)
        at = int(rows["time"].max().timestamp())
        expected = seen.models[host].block(at - 1, 1).arc["size"][0]
        assert rows["size"].iloc[-1] == pytest.approx(expected, rel=0.01)
        assert rows["hit_ratio"].dropna().between(0.5, 1).all()

    def test_counts_its_cpu_and_its_network(self, seen: Seen, host: str) -> None:
        user, truth = seen.both("host_load", host, "cpu_user", "cpu_user")
        assert user.mean() == pytest.approx(truth.mean(), rel=0.2, abs=0.05)
        received, truth = seen.both("net_io", host, "nic_bytes", "rx_bytes")
        sent, _ = seen.both("net_io", host, "nic_bytes", "tx_bytes")
        assert received.mean() + sent.mean() == pytest.approx(truth.mean(), rel=0.2)


def test_no_line_of_any_system_was_refused(seen: Seen) -> None:
    health = pd.concat([seen.store.rows("source_health", h) for h in HOSTS])
    assert health["errors"].sum() == 0, health[health["errors"] > 0][["host", "source", "why"]].to_string()


def test_every_host_says_what_its_rows_come_from(seen: Seen) -> None:
    told = pd.concat([seen.store.rows("host_facts", h) for h in HOSTS])
    zones = told[told["fact"] == "tool:zone_usage"].set_index("host")["value"].to_dict()
    assert zones == {
        "ms2": "prstat, kstat", "so1": "zonestat", "om1": "kstat, prstat", "bk1": "cgroups", "fb1": "jls, rctl"
    }  # fmt: skip
