"""The Capacity page's numbers from a history with a known past."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard import fill, panels
from dashboard.forecast import DAY
from dashboard.live import Fact, Host, Live
from dashboard.panels import capacity
from dashboard.panels.capacity import GIB, SLOP_MAX, Held, answer, held, pools, refused, standing
from frames.schemas import SCHEMAS
from frames.store import Store, Writer
from frames.tail import Second

NOW = 1_795_400_000 // DAY * DAY + 43200
TIB = 1024 * GIB
SIZE = 10 * TIB
panels.load()

PAST = {
    # host, pool: share used a year ago, now, days of history
    ("ms1", "mail"): (0.30, 0.60, 365),
    ("ms1", "rpool"): (0.30, 0.30, 365),
    ("ms2", "mail"): (0.50, 0.78, 365),
    ("old", "full"): (0.70, 0.85, 365),
    ("young", "tank"): (0.58, 0.59, 4),
    ("bk1", "shrinks"): (0.60, 0.40, 365),
}


def history(folder: Path, table: str = "pool_capacity") -> None:
    rows = []
    for (host, pool), (was, now, days) in PAST.items():
        hours = np.arange(NOW - days * DAY, NOW, 6 * 3600.0)
        share = np.linspace(was, now, len(hours))
        for t, s in zip(hours, share, strict=True):
            row = {"time": pd.Timestamp(t, unit="s", tz="UTC"), "host": host, "pool": pool, "alloc": s * SIZE}
            rows.append(row | {"size": SIZE} | ({"vdev": ""} if table == "zpool_iostat" else {}))
    with Writer(folder, commit_every=3600) as writer:
        writer.write_past(table, pd.DataFrame(rows), resolution="1m")


@pytest.fixture(scope="module", params=["pool_capacity", "zpool_iostat"])
def live(request, tmp_path_factory) -> Live:
    folder = tmp_path_factory.mktemp(request.param)
    history(folder, request.param)
    live = Live(Store(folder), clock=lambda: NOW)
    for host in {h for h, _ in PAST}:
        live.hosts[host] = Host(host, facts={"os": Fact("linux" if host == "bk1" else "solaris10")})
    return live


def test_pools_stand_by_what_is_full_first(live: Live) -> None:
    assert [p.key for p in pools(live)] == [
        "old/full", "ms2/mail", "ms1/mail", "bk1/shrinks", "ms1/rpool", "young/tank",
    ]  # fmt: skip


def test_the_answer_is_a_span(live: Live) -> None:
    said = {p.key: answer(p).replace("\u2009", " ") for p in pools(live)}
    # 0.28 of the pool a year: 0.02 are 26 days, 19 Dec; the day's mean and weekly steps move it by a day at most
    assert said["ms2/mail"].startswith("ms2 mail reaches 80 % ")
    assert said["ms2/mail"].endswith("2026")
    assert said["old/full"] == "old full is over 80 %"
    assert said["ms1/rpool"] == "ms1 rpool does not reach 80 % within 2 years"
    assert said["bk1/shrinks"] == "bk1 shrinks does not reach 80 % within 2 years"
    assert said["young/tank"] == "young tank: no forecast yet"
    ms2 = capacity.chosen(live, "ms2/mail")
    assert ms2 is not None
    assert ms2.plan.middle == pytest.approx(NOW + 0.02 / 0.28 * 365 * DAY, abs=2 * DAY)


def test_views_are_json_and_say_the_same(live: Live) -> None:
    table = capacity.capacity_pools(live, {}, None)
    assert [r["state"] for r in table["pools"]][:2] == ["warn", ""]
    row = next(r for r in table["pools"] if r["key"] == "young/tank")
    assert row["early_text"] == "4 days of history"
    assert row["early"] is None
    head = capacity.capacity_head(live, {"host": "ms1", "pool": "mail"}, NOW + 365 * DAY)
    assert head["pool"]["weekly"] == pytest.approx(0.30 * SIZE / 365 * 7, rel=0.01)
    assert capacity.capacity_head(live, {}, None)["pool"]["key"] == "old/full"
    assert capacity.capacity_head(live, {"host": "gone", "pool": "x"}, None)["pool"]["key"] == "old/full"


def growth(live: Live, start: float, end: float, host: str = "ms1", pool: str = "mail"):
    query = {"host": host, "pool": pool, "system": "solaris10"}
    panel = panels.PANELS["pool_growth"]
    step = fill.step_for(live, panel, query, start, end, 520)
    data = fill.fill(live, panel, query, start, end, step)
    return data, {s.id: data.values[i] for i, s in enumerate(data.series)}


def test_the_plot_reaches_into_the_future_without_a_gap(live: Live) -> None:
    data, row = growth(live, NOW - 365 * DAY, NOW + 365 * DAY)
    assert data.grid.step == DAY
    assert data.gaps == []
    assert not data.empty
    now = int(data.grid.columns(NOW))
    assert np.isfinite(row["used"][1:now]).all()
    assert np.isnan(row["used"][now + 1 :]).all()
    assert np.isfinite(row["middle"][now + 1 :]).all()
    assert np.isnan(row["middle"][: now - 1]).all()
    at = now + 182
    assert row["low95"][at] <= row["low80"][at] <= row["middle"][at] <= row["high80"][at] <= row["high95"][at]
    assert [m.label for m in data.marks] == ["80 %", "90 %", "refused"]


def test_the_forecast_is_the_same_whatever_part_of_it_is_shown(live: Live) -> None:
    whole, a = growth(live, NOW - 365 * DAY, NOW + 365 * DAY)
    part, b = growth(live, NOW + 30 * DAY, NOW + 60 * DAY)
    i = int(whole.grid.columns(part.grid.start))
    for name in ("low80", "middle", "high95"):
        np.testing.assert_array_equal(a[name][i : i + part.grid.n], b[name])


def test_too_short_a_past_has_a_line_and_no_forecast(live: Live) -> None:
    data, row = growth(live, NOW - 10 * DAY, NOW + 10 * DAY, "young", "tank")
    assert np.isfinite(row["used"]).sum() >= 4
    assert np.isnan(row["middle"]).all()
    assert not data.empty


def test_a_pool_nobody_knows_says_why(live: Live) -> None:
    data, _ = growth(live, NOW - 10 * DAY, NOW + 10 * DAY, "ms1", "nothing")
    assert data.empty


def test_what_is_refused_differs_by_system() -> None:
    assert refused(TIB, "solaris10") == TIB * 63 / 64
    assert refused(TIB, "illumos") == TIB * 31 / 32
    assert refused(TIB, "linux") == TIB * 31 / 32
    assert refused(100 * TIB, "linux") == 100 * TIB - SLOP_MAX
    assert refused(100 * TIB, "illumos") == 100 * TIB * 31 / 32


def test_an_empty_history_is_no_error(tmp_path: Path) -> None:
    live = Live(Store(tmp_path), clock=lambda: NOW)
    assert capacity.capacity_pools(live, {}, None)["pools"] == []
    assert capacity.capacity_head(live, {}, None)["pool"] is None


def test_held_bytes_are_rate_times_retention() -> None:
    h = Held(days=7, bytes=70.0, oldest=16.0, exact=True)
    assert h.keep(3.5) == (35.0, 35.0, 35.0)
    assert h.keep(7) == (70.0, 70.0, 70.0)
    assert h.keep(14) == (140.0, 140.0, 70.0 + 7 * 16.0)
    assert Held(7, 70.0, 4.0, True).keep(14) == (140.0, 70.0 + 7 * 4.0, 140.0)


def snapshots(ages: dict[str, list[tuple[float, float]]]) -> pd.DataFrame:
    rows = [(d, pd.Timestamp(NOW - a * DAY, unit="s", tz="UTC"), u) for d, each in ages.items() for a, u in each]
    return pd.DataFrame(rows, columns=["dataset", "creation", "used"])


def test_held_takes_the_hosts_own_sum_where_there_is_one() -> None:
    taken = {
        "mail/a": [(6.5, 5.0), (5.5, 3.0), (0.5, 1.0)],
        "mail/b": [(1.5, 2.0), (0.5, 1.0)],
        "mail/sent": [(0.1, 9.0)],
    }
    usage = pd.DataFrame({"dataset": ["mail/a", "mail/b"], "used_by_snapshots": [20.0, np.nan]})
    found = held(snapshots(taken), usage, NOW)
    assert found == {"mail/a": Held(7.0, 20.0, 5.0, True), "mail/b": Held(2.0, 3.0, 2.0, False)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Live:
    """ms2 mail with a week of daily snapshots, and arcstats of two hosts."""
    folder = tmp_path_factory.mktemp("kept")
    history(folder)
    stamp = pd.Timestamp(NOW, unit="s", tz="UTC")
    usage = [
        {"dataset": "mail", "used": 0.75 * SIZE, "avail": 0.05 * SIZE, "used_by_snapshots": 0.0},
        {"dataset": "mail/m1", "used": 0.7 * SIZE, "avail": 0.05 * SIZE, "used_by_snapshots": 0.007 * SIZE},
    ]
    taken = snapshots({"mail/m1": [(a + 0.5, 0.001 * SIZE) for a in range(7)]})
    taken["snapshot"] = [f"daily-{i}" for i in range(len(taken))]
    minutes = pd.date_range(end=stamp, periods=60, freq="min")
    arc = pd.concat(
        pd.DataFrame(
            {"time": minutes, "host": h, "size": c, "c": c, "c_max": 10 * GIB, "misses": 100.0,
             "mru_ghost_hits": g, "mfu_ghost_hits": g}
        )
        for h, c, g in (("calm", 8 * GIB, 1.0), ("full", 10 * GIB, 20.0), ("short", 7 * GIB, 15.0))
    )  # fmt: skip
    with Writer(folder, commit_every=3600) as writer:
        writer.write_past("dataset_usage", pd.DataFrame(usage).assign(time=stamp, host="ms2"))
        writer.write_past("snapshots", taken.assign(time=stamp, host="ms2"))
        writer.write_past("arcstats", arc, resolution="1m")
    return Live(Store(folder), clock=lambda: NOW)


def test_retention_says_what_a_month_costs(kept: Live) -> None:
    told = capacity.capacity_retention(kept, {"host": "ms2", "pool": "mail"}, None)
    assert [(r["days"], r["now"]) for r in told["rows"]] == [(7, True), (14, False), (30, False), (60, False)]
    assert told["ages"] == [[d, pytest.approx(0.001 * SIZE)] for d in range(1, 8)]
    week, _, month, two = told["rows"]
    assert week["bytes"] == pytest.approx(0.007 * SIZE)
    assert month["bytes"] == month["least"] == month["most"] == pytest.approx(0.030 * SIZE)
    # 23 thousandths with parity (usable is 0.8 of the pool) are more than the 0.02 that are left to 80 %
    assert month["date"] == two["date"] == "at once"
    assert month["sentence"].replace("\u2009", " ").startswith("30 days instead of 7 cost 236 GiB, 2.9 % of the pool")
    assert "usedbysnapshots" not in told["note"]


def test_a_pool_without_snapshots_says_so(kept: Live) -> None:
    told = capacity.capacity_retention(kept, {"host": "ms1", "pool": "mail"}, None)
    assert told["rows"] == []
    assert told["why"] == "ms1 mail has no snapshot older than a day."


def test_a_starved_arc_is_told_from_a_low_limit(kept: Live) -> None:
    hosts = capacity.capacity_arc(kept, {}, None)["hosts"]
    assert [(r["host"], r["word"]) for r in hosts] == [
        ("full", "limit is low"),
        ("short", "memory is short"),
        ("calm", "enough"),
    ]
    assert hosts[0]["share"] == pytest.approx(0.4)


# -- the present ----------------------------------------------------------------------------------------------------


def test_used_is_the_newest_sample_as_on_every_other_page(tmp_path: Path) -> None:
    history(tmp_path)
    live = Live(Store(tmp_path), clock=lambda: NOW)
    row = {"time": [int(NOW - 5) * 10**6], "host": ["ms1"], "pool": ["mail"], "vdev": [""]}
    fresh = SCHEMAS["zpool_iostat"].table({**row, "alloc": [0.66 * SIZE], "size": [SIZE]})
    live.add(Second(1, int(NOW) - 5, "test", {"zpool_iostat": fresh}))
    used = {p.key: p.used / SIZE for p in pools(live)}
    assert used["ms1/mail"] == pytest.approx(0.66)
    assert used["ms2/mail"] == pytest.approx(0.78, abs=0.001)  # of which the ring has none


def test_the_newest_day_counts_as_where_it_stands() -> None:
    days = pd.to_datetime(NOW + DAY * np.arange(3), unit="s", utc=True)
    grows = pd.DataFrame({"time": days, "alloc": [10.0, 11, 15], "alloc_min": [9, 10, 11], "alloc_max": [10, 11, 19]})
    assert list(standing(grows)[1]) == [10, 11, 19]
    shrinks = pd.DataFrame({"time": days, "alloc": [20.0, 19, 15], "alloc_min": [20, 18, 9], "alloc_max": [20, 19, 19]})
    assert list(standing(shrinks)[1]) == [20, 19, 9]
    assert list(standing(grows[["time", "alloc"]])[1]) == [10, 11, 15]
