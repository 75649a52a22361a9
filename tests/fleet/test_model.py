"""The site's behaviour: repeatable, of one cloth, and with panels that agree."""

import numpy as np
import pytest

from fleet.live import Live, rates
from fleet.model import HostModel
from fleet.scenario import SCENARIOS, last_night, scenario
from fleet.site import GIB, MAIL_SITE, generated
from tests.fleet.kit import START, model

HOSTS = [h.name for h in MAIL_SITE.hosts]


@pytest.mark.parametrize("host", HOSTS)
def test_a_block_is_the_same_however_it_is_cut(host):
    whole = model(host, "night").block(int(START) - 700, 90)
    m = model(host, "night")
    late, early = m.block(int(START) - 660, 50), m.block(int(START) - 700, 40)
    for name in ("zone_cpu", "row_bytes", "row_alloc", "disk_ops", "disk_time", "nic_bytes", "mem_free"):
        joined = np.concatenate([getattr(early, name), getattr(late, name)])
        np.testing.assert_allclose(joined, getattr(whole, name), rtol=1e-12, err_msg=name)
    np.testing.assert_array_equal(m.histogram(late, BOUNDS, scale=1e9), m.histogram(whole, BOUNDS, scale=1e9)[40:])


BOUNDS = np.array([0.0, *(2.0**i for i in range(63))])


def test_another_seed_is_another_evening():
    a, b = model("ms2", seed=1).block(int(START), 20), model("ms2", seed=2).block(int(START), 20)
    assert np.abs(a.zone_cpu - b.zone_cpu).mean() > 0.005


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("host", HOSTS)
def test_panels_of_a_host_agree(host, name):
    m = model(host, name)
    b = m.block(int(START) - 900, 1800)
    assert (b.zone_cpu[:, 1:] <= b.zone_cap[:, 1:] + 1e-9).all()
    np.testing.assert_allclose(b.cpu_user + b.cpu_sys, b.zone_cpu.sum(axis=1))
    assert (b.cpu_user + b.cpu_sys < m.host.ncpu).all()
    used = b.arc["size"] + b.zone_rss.sum(axis=1) + b.mem_free
    assert (used <= m.host.memory).all()
    assert (b.arc["size"] >= b.arc["c_min"]).all()
    assert (b.arc["c"] <= b.arc["c_max"]).all()
    assert 6.4 * GIB < b.arc["size"].mean() < 8.6 * GIB
    hits = sum(b.arc[f"{k}_hits"] for k in ("demand_data", "demand_metadata", "prefetch_data", "prefetch_metadata"))
    np.testing.assert_allclose(hits, b.arc["hits"])
    for p, pool in enumerate(m.host.pools):
        mine = [i for i, r in enumerate(m.rows) if r.pool == p]
        below = [i for i in mine if m.rows[i].depth == 1 and m.rows[i].role != "cache"]
        np.testing.assert_allclose(b.row_bytes[:, mine[0]], b.row_bytes[:, below].sum(axis=1))
        np.testing.assert_allclose(b.row_alloc[:, mine[0]] + b.row_free[:, mine[0]], pool.size)
    counted = m.histogram(b, BOUNDS, scale=1e9).sum(axis=(0, 2))
    np.testing.assert_allclose(counted, b.disk_ops.sum(axis=(0, 2)), rtol=0.08, atol=60)


def test_load_follows_the_day():
    m = model("ms2")
    noon = m.block(int(START) - 5 * 3600, 600).zone_cpu[:, 1:].sum(axis=1).mean()
    dawn = m.block(int(START) - 11 * 3600, 600).zone_cpu[:, 1:].sum(axis=1).mean()
    assert noon > 1.3 * dawn


def test_incident_one_slow_disk_one_zone_at_its_cap():
    m = model("ms2", "incident")
    b = m.block(int(START), 60)
    slow = [d.name for d in m.disks].index("c3t7d0")
    peers = [i for i, d in enumerate(m.disks) if d.role == "data" and i != slow]
    counts = m.histogram(b, BOUNDS, scale=1e9)[:, slow].sum(axis=0)
    share = np.cumsum(counts) / counts.sum()
    p99 = BOUNDS[np.searchsorted(share, 0.99)] / 1e6
    assert 250 <= p99 <= 600
    assert b.disk_time[:, slow].min() > 8 * b.disk_time[:, peers].max()
    zone = m.zone_names.index("mail3")
    np.testing.assert_allclose(b.zone_cpu[:, zone], 1.0)
    assert np.median(b.zone_wait[:, zone]) == 3
    before = m.block(int(START) - 900, 60)
    assert before.disk_time[:, slow].max() < 0.03
    assert before.zone_wait.sum() == 0


def test_the_bad_night_was_last_night_and_only_last_night():
    m = model("ms2")
    bad = int(last_night(START, 2 + 10 / 60)) + 600
    slow = [d.name for d in m.disks].index("c3t7d0")
    assert m.block(bad, 30).disk_time[:, slow].mean() > 0.15
    assert m.block(bad - 86_400, 30).disk_time[:, slow].mean() < 0.02
    assert bad < START - 3 * 3600


def test_migration_bytes_leave_the_source_and_reach_the_target():
    source, target = model("ma1", "migration"), model("ms1", "migration")
    stream = next(s for s in target.streams_in if s.dataset == "mail/mail2")
    t = np.array([START, START + 60.0])
    sent = float(np.diff(stream.done(t))[0])
    assert 60 * 2**20 < sent / 60 < 105 * 2**20
    out = source.block(int(START), 60).nic_bytes[:, -1, 1].sum()
    came = target.block(int(START), 60).nic_bytes[:, -1, 0].sum()
    assert sent < out < sent * 1.4
    np.testing.assert_allclose(came, sent * 1.03, rtol=0.02)
    read = source.block(int(START), 60).row_bytes[:, 0, 0].sum()
    assert read > sent
    grown = np.diff(target.allocated(t)[:, 0])[0]
    np.testing.assert_allclose(grown, sent * 1.5, rtol=0.02)


def test_the_second_pair_stalls_and_goes_on():
    stalled = next(s for s in model("ms2", "migration").streams_in if s.dataset == "mail/mail4")
    t = START + np.arange(-600, 1200, 10.0)
    steps = np.diff(stalled.done(t))
    quiet = t[:-1][steps == 0]
    assert quiet[0] == pytest.approx(START - 372, abs=10)
    assert len(quiet) * 10 == pytest.approx(372 + 900, abs=20)
    assert steps[-1] > 0


def test_resilver_advances_and_ends():
    m = model("ms2", "migration")
    scan = next(s for s in m.scans if s.disk)
    f = scan.fraction(START + np.arange(0, 6000, 60.0))
    assert 0.55 < f[0] < 0.68
    assert (np.diff(f) >= 0).all()
    assert f[-1] == 1.0


def test_a_pool_grows_over_the_year_as_much_as_a_week_says():
    m = model("ms2")
    weeks = m.allocated(START - np.arange(52, -1, -1) * 7 * 86_400.0)[:, 0] / 1.5 / GIB
    slope = np.polyfit(np.arange(53), weeks, 1)[0]
    assert slope == pytest.approx(36, rel=0.1)
    assert weeks[-1] * 1.5 * GIB == pytest.approx(0.62 * m.host.pools[0].size, rel=0.001)


def test_counters_are_the_sum_of_the_rates():
    m = model("ms2", "night")
    live = Live(m)
    first = live.counters(START + 0.4)
    then = live.counters(START + 90.4)
    b = m.block(int(START), 91)
    whole = b.row_bytes[1:90].sum(axis=0) + 0.6 * b.row_bytes[0] + 0.4 * b.row_bytes[90]
    np.testing.assert_allclose(rates(first, then, "row_bytes", 1.0), whole.reshape(-1), rtol=1e-6)


def test_generated_hosts_are_alike_but_not_the_same():
    site = generated(200)
    assert len({h.name for h in site.hosts}) == 200
    what = scenario("quiet", START, site)
    a, b = (HostModel(h, what).block(int(START), 5) for h in site.hosts[:2])
    assert len([r for r in HostModel(site.hosts[0], what).rows if r.depth]) == 14
    assert len(site.hosts[0].zones) == 8
    assert not np.allclose(a.zone_cpu, b.zone_cpu)


def test_an_unknown_scenario_is_refused():
    with pytest.raises(ValueError, match="no scenario 'noisy'; known are quiet"):
        scenario("noisy", START, MAIL_SITE)
