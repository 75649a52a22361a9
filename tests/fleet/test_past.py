"""A past written straight into a history, read back as pages read it."""

import re
import time

import numpy as np
import pytest

from fleet import past
from fleet.scenario import last_night, scenario
from fleet.site import MAIL_SITE
from frames.schemas import bounds
from frames.store import Store
from tests.fleet.kit import START, machine, parsed

END = int(START)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past") / "history"
    past.write(
        folder,
        until=END,
        start=START,
        scenario_name="night",
        hosts=["ma2", "ms2"],
        seconds=240,
        days=0.1,
        capacity_days=400,
    )
    return Store(folder)


def test_the_newest_minutes_are_there_by_seconds(store):
    for name in past.SECONDS:
        frame = store.window(name, END - 120, END)
        if name == "zone_io":
            assert frame.empty
            continue
        assert sorted(frame["host"].unique()) == ["ma2", "ms2"], name
        assert frame["time"].nunique() in (120, 121), name


def test_a_past_joins_the_present_without_a_step(store):
    """The last row of the past is what the model says of that second, and the live counters agree with it."""
    m = machine("ms2", "night").live.model
    frame = store.window("zpool_iostat", END - 30, END + 1, where={"host": ["ms2"]})
    top = frame[(frame.pool == "mail") & (frame.vdev == "")].sort_values("time")
    b = m.block(END - 1, 1)
    assert top["write_bytes"].iloc[-1] == pytest.approx(b.row_bytes[0, 0, 1])
    assert top["time"].iloc[-1].timestamp() == END


def test_keys_are_those_that_the_collector_makes(store):
    for host in ("ma2", "ms2"):
        live = parsed(machine(host, "night"), "zpool_iostat")["zpool_iostat"][-1].columns
        made = set(zip(*(live[c] for c in ("pool", "vdev", "device", "kind", "alloc_class")), strict=True))
        frame = store.window("zpool_iostat", END - 5, END, where={"host": [host]})
        written = set(frame[["pool", "vdev", "device", "kind", "alloc_class"]].itertuples(index=False, name=None))
        assert written == made
        live = parsed(machine(host, "night"), "disk_io")["disk_io"][-1].columns
        frame = store.window("disk_io", END - 5, END, where={"host": [host]})
        written = set(frame[["device", "pool", "vdev"]].itertuples(index=False, name=None))
        paths = [re.sub(r"replacing-\d+/", "", path) for path in live["vdev"]]  # a resilver is under way
        assert written == set(zip(live["device"], live["pool"], paths, strict=True))
    live = parsed(machine("ms2", "night"), "dtrace")["dtrace"][-1].columns
    frame = store.window("dtrace", END - 5, END, where={"host": ["ms2"]})
    assert {tuple(k) for k in frame["keys"]} == {tuple(k) for k in live["keys"]}
    assert set(frame["bounds"]) == set(live["bounds"]) == {"log2:4"}
    assert max(len(c) for c in frame["counts"]) <= len(bounds("log2:4"))


def test_last_night_was_bad_and_the_night_before_was_not(store):
    bad = last_night(START, 2 + 10 / 60) + 600
    assert bad == scenario("quiet", START, MAIL_SITE).slow[0].began + 600
    worst = {}
    for name, at in (("bad", bad), ("good", bad - 86_400)):
        frame = store.window("disk_io", at, at + 600, points=10, where={"host": ["ms2"], "device": ["c3t7d0"]})
        worst[name] = frame["asvc_t"].max()
    assert worst["bad"] > 0.15
    assert worst["good"] < 0.03


def test_a_year_of_growth(store):
    frame = store.window(
        "pool_capacity", END - 365 * 86_400, END, points=365, where={"host": ["ms2"], "pool": ["mail"]}
    )
    assert len(frame) > 355
    days = frame["time"].astype("int64") / 1e6 / 86_400
    slope = np.polyfit(days, frame["alloc"] / 1.5 / 2**30, 1)[0] * 7
    assert slope == pytest.approx(36, rel=0.15)


def test_the_log_of_the_night(store):
    events = store.events(END - 86_400, END)
    assert {"Preflight", "Cutover step 3: mail3 locked"} <= set(events["text"])


def test_it_goes_on_where_a_running_fleet_said_it_began(tmp_path):
    (tmp_path / "fleet.json").write_text('{"scenario": "night", "start": 12.0, "seed": 4, "offset": 0, "hosts": null}')
    assert past.started(tmp_path, 0.0)["seed"] == 4
    begun = time.monotonic()
    assert past.started(tmp_path / "nowhere", 0.2) == {}
    assert time.monotonic() - begun >= 0.2
