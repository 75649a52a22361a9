"""A stream's state, rates and time left from the target's used bytes, and the pairs of an inventory."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collectors.engine import pairs_fact
from collectors.inventory import load
from dashboard import panels
from dashboard.live import Fact, Host, Live
from dashboard.panels.host import heard
from dashboard.panels.migration import (
    Pair,
    checks,
    ends,
    migration_head,
    migration_plan,
    night,
    pair_view,
    pairs,
    progress,
    worst_first,
)
from frames.schemas import SCHEMAS
from frames.store import Store, Writer
from frames.tail import Second

GIB = float(1 << 30)
NOW = 1_795_000_000.0
PLAN = ("2026-11-18T10:00:00+00:00", "2026-11-18T12:00:00+00:00")
panels.load()


def series(minutes: int, rate: float, begin: float = 0.0, still: float = 0.0):
    """(times, used): a copy that grew by `rate` B/s for `minutes`, a sample each 10 s, then stood `still` seconds."""
    times = np.arange(NOW - minutes * 60 - still, NOW + 1, 10.0)
    used = begin + np.minimum(times - times[0], minutes * 60.0) * rate
    return times, used


def test_a_moving_stream_has_a_rate_and_an_end():
    times, used = series(60, 50e6)
    s = progress(times, used, 400e9, NOW, "mail3")
    assert s.state == "sending"
    assert s.rate == pytest.approx(50e6, rel=0.02)
    assert s.mean == pytest.approx(50e6, rel=0.02)
    left = (400e9 - 50e6 * 3600) / 50e6
    assert s.eta
    assert s.eta[0] - NOW == pytest.approx(left, rel=0.05)


def test_a_stream_that_slowed_down_ends_somewhere_between_both_rates():
    fast, slow = series(60, 80e6), 20e6
    times = np.concatenate([fast[0] - 600, np.arange(NOW - 590, NOW + 1, 10.0)])
    used = np.concatenate([fast[1], fast[1][-1] + (np.arange(NOW - 590, NOW + 1, 10.0) - (NOW - 600)) * slow])
    s = progress(times, used, 600e9, NOW)
    assert s.rate is not None
    assert s.mean is not None
    assert s.rate < s.mean
    left = 600e9 - used[-1]
    assert s.eta == pytest.approx((NOW + left / s.mean, NOW + left / s.rate))


def test_five_minutes_without_a_byte_are_a_stall_and_no_eta():
    s = progress(*series(30, 50e6, still=372.0), 400e9, NOW, "mail4")
    assert (s.state, s.rate, s.eta) == ("stalled", 0.0, None)
    assert s.still == pytest.approx(372, abs=11)


def test_a_target_as_large_as_its_source_that_rests_is_done():
    times, used = series(60, 50e6, still=120.0)
    assert progress(times, used, used[-1] * 1.01, NOW).state == "done"
    assert progress(times, used, used[-1] * 2, NOW).state == "sending"


def test_nothing_on_the_target_is_waiting_and_an_unknown_total_gives_no_eta():
    assert progress(np.array([]), np.array([]), 10 * GIB, NOW).state == "waiting"
    assert progress(np.arange(NOW - 100, NOW, 10), np.zeros(10), 10 * GIB, NOW).state == "waiting"
    s = progress(*series(30, 50e6), None, NOW)
    assert (s.state, s.eta) == ("sending", None)


def test_a_dataset_keeps_its_path_in_the_targets_pool():
    pair = Pair(0, "", "ma1", "ms1", "mail", "tank", ())
    assert pair.on_target("mail/a/b") == "tank/a/b"
    assert pair.on_target("mail") == "tank"


# -- the page's views ---------------------------------------------------------------------------------------------

COPIES = {
    # dataset: (total GiB, minutes that its copy has run, minutes that it stands still, share that is there)
    "mail1": (100, 90, 30, 1.02),
    "mail2": (200, 60, 0, 0.5),
    "mail3": (300, 60, 0, 0.4),
    "mail4": (300, 60, 8, 0.3),
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Two pairs as of NOW: mail1 (done) and mail2 from ma1 to ms1, mail3 and mail4 (stalled) from ma2 to ms2."""
    folder: Path = tmp_path_factory.mktemp("night")
    rows = []
    for name, (total, run, still, share) in COPIES.items():
        source, target = ("ma1", "ms1") if name in ("mail1", "mail2") else ("ma2", "ms2")
        for t in np.arange(NOW - 7200, NOW + 1, 30.0):
            done = np.clip((t - (NOW - (run + still) * 60)) / (run * 60), 0, 1) * share * total
            rows.append({"time": t, "host": source, "dataset": f"mail/{name}", "used": total * GIB})
            rows.append({"time": t, "host": target, "dataset": f"mail/{name}", "used": done * GIB})
    frame = pd.DataFrame(rows).sort_values("time")
    with Writer(folder, commit_every=3600) as writer:
        writer.append(int(NOW), {"dataset_usage": frame.assign(time=pd.to_datetime(frame["time"], unit="s", utc=True))})
    live = Live(Store(folder), clock=lambda: NOW)
    for i, (source, target, names) in enumerate((("ma1", "ms1", "12"), ("ma2", "ms2", "34"))):
        pair = {
            "name": "", "source": source, "target": target, "source_pool": "mail", "target_pool": "mail",
            "datasets": [f"mail/mail{n}" for n in names], "begin": PLAN[0], "end": PLAN[1],
        }  # fmt: skip
        for host in (source, target):
            live.hosts[host] = Host(host, link="up", newest=NOW)
        live.hosts[source].facts["pairs"] = Fact(json.dumps({i: pair}))
    return live


def test_a_pair_that_left_the_inventory_leaves_the_page(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.toml"
    pair = '[[pairs]]\nsource = "{}"\ntarget = "ms1"\n'
    hosts = "".join(f"[hosts.{h}]\n" for h in ("ma1", "ma2", "ms1"))
    live = Live(Store(tmp_path / "none"), clock=lambda: NOW)
    for seq, (sources, expected) in enumerate(
        ((["ma1", "ma2"], ["ma1", "ma2"]), (["ma2"], ["ma2"]), ([], [])), 1
    ):  # each time a collector that was started anew
        inventory.write_text(hosts + "".join(pair.format(s) for s in sources))
        facts = SCHEMAS["host_facts"].table(pairs_fact(load(inventory)))
        live.add(Second(seq, int(NOW), "collector", {"host_facts": facts}))
        assert [p.source for p in pairs(live)] == expected
        assert heard(live, {"of": "pairs"}, None) == {"ready": bool(expected)}


def test_the_pair_that_stops_the_night_is_on_top(live: Live) -> None:
    assert [p.source for p in pairs(live)] == ["ma1", "ma2"]
    assert [p.source for p in worst_first(live, pairs(live))] == ["ma2", "ma1"]
    assert pair_view(live, {"pair": 1}, None)["rank"] < pair_view(live, {"pair": 0}, None)["rank"]


def test_a_stream_is_told_in_times_that_the_page_puts_into_its_zone(live: Live) -> None:
    told = {s["name"]: s for i in (0, 1) for s in pair_view(live, {"pair": i}, None)["streams"]}
    assert {n: s["state"] for n, s in told.items()} == {
        "mail1": "done", "mail2": "sending", "mail3": "sending", "mail4": "stalled",
    }  # fmt: skip
    assert told["mail1"]["note"].startswith("source 100")  # the copy is larger than its source: no "102 of 100"
    assert told["mail1"]["since"] == pytest.approx(NOW - 30 * 60, abs=121)
    assert told["mail4"]["since"] == pytest.approx(NOW - 8 * 60, abs=61)
    assert told["mail4"]["eta"] is None
    early, late = told["mail2"]["eta"]
    assert NOW + 3300 < early <= late < NOW + 3900  # as much again, at the same rate


def test_bytes_over_time_beside_the_plan(live: Live) -> None:
    plan = migration_plan(live, {}, None)
    assert plan["total"] == 900 * GIB
    times, done = np.array(plan["done"]).T
    assert (np.diff(times) > 0).all()
    assert (np.diff(done) >= -1).all()
    assert times[-1] == NOW
    assert done[-1] / GIB == pytest.approx(100 + 100 + 120 + 90, rel=0.01)  # mail1 counts as its source, not 102
    assert done[np.searchsorted(times, NOW - 3600)] / GIB == pytest.approx(68 + 0.1 * 90, abs=16)
    assert (plan["eta"], plan["why"]) == (None, "no ETA while mail4 stalls")
    assert plan["plan"] == [pd.Timestamp(t).timestamp() for t in PLAN]
    row = {r["name"]: r for r in plan["rows"]}
    assert row["mail2"]["begin"] == pytest.approx(NOW - 3600, abs=181)  # buckets of two minutes
    assert row["mail2"]["end"] == NOW
    assert row["mail4"]["end"] == pytest.approx(NOW - 480, abs=61)
    assert plan["begin"] <= min(r["begin"] for r in plan["rows"])
    assert plan["end"] >= row["mail2"]["eta"][1]


def test_the_night_ends_with_its_last_stream_and_not_while_one_stands(live: Live) -> None:
    mine = night(live).streams
    assert ends(mine[1]) == (None, "no ETA while mail4 stalls")
    eta, why = ends(mine[0])
    assert why == ""
    assert eta == next(s.eta for s in mine[0] if s.name == "mail2")
    done = [s for s in mine[0] if s.state == "done"]
    assert ends(done) == (None, "all copied")
    assert ends([]) == (None, "")


def test_a_no_go_says_since_when(live: Live) -> None:
    failed = {c.what: c for c in checks(live) if c.state == "fail"}
    assert failed["All streams move"].since == pytest.approx(NOW - 480, abs=61)
    head = migration_head(live, {}, None)
    assert head["verdict"] == "NO-GO"
    assert head["since"] == failed["All streams move"].since
    assert head["done"] / GIB == pytest.approx(410, rel=0.01)


def test_bytes_before_the_first_sample_are_unknown_not_zero(live: Live) -> None:
    first = migration_plan(live, {}, None)["done"][0][0]
    assert first >= NOW - 7200 - 60


@pytest.mark.parametrize(("said", "expected"), [("running", "sending"), ("stalled", "sending"), ("done", "done")])
@pytest.mark.parametrize("at", [None, NOW], ids=["live", "past"])
@pytest.mark.parametrize(
    ("began", "dataset"),
    [("mail/mail3", "mail/mail3"), ("mail", "mail/mail3"), ("mail/mail3", "mail/mail3/spool"), ("mail/mail3", None)],
)
def test_a_copy_as_large_as_its_source_is_not_done_while_its_receive_runs(
    tmp_path: Path, said: str, expected: str, at: float | None, began: str, dataset: str | None
) -> None:
    times, used = series(60, 50e6, still=120.0)
    stamps = pd.to_datetime(times, unit="s", utc=True)
    usage = [
        pd.DataFrame({"time": stamps, "host": host, "dataset": "mail/mail3", "used": held})
        for host, held in (("ma2", used[-1]), ("ms2", used))
    ]
    stream = {"time": stamps[-1:], "host": "ms2", "stream": f"receive {began}", "kind": "zfs_receive"}
    frames = {
        "dataset_usage": pd.concat(usage),
        "transfers": pd.DataFrame({**stream, "dataset": dataset, "state": said}),
    }
    with Writer(tmp_path) as writer:
        writer.append(int(NOW), frames)
    live = Live(Store(tmp_path), clock=lambda: NOW)
    live.add(Second(1, int(NOW), "collector", {t: SCHEMAS[t].check(f) for t, f in frames.items()}))
    pair = {"name": "", "source": "ma2", "target": "ms2", "source_pool": "mail", "target_pool": "mail",
            "datasets": ["mail/mail3"]}  # fmt: skip
    live.hosts["ma2"].facts["pairs"] = Fact(json.dumps({0: pair}))
    (s,) = night(live, at).streams[0]
    assert s.state == expected
    assert ends([s]) == (
        (None, "no ETA while the receive of mail3 runs") if expected == "sending" else (None, "all copied")
    )
