"""What a printer prints parses, with the sources' own parsers, to the model's numbers within the tools' rounding."""

import numpy as np
import pytest

from fleet.formats.human import printed
from fleet.formats.zpool import datasets
from fleet.live import rates
from fleet.model import HostModel
from fleet.past import vdev_path
from fleet.site import GIB, MAIL_SITE
from frames.schemas import bounds
from tests.fleet.kit import START, Stepped, facts, machine, parsed, run

HOSTS = [h.name for h in MAIL_SITE.hosts]
SUN = [h.name for h in MAIL_SITE.hosts if h.system != "linux"]
FROM = START + 0.25


def column(batch, name):
    return np.array([np.nan if v is None else v for v in batch.columns[name]], dtype=float)


@pytest.mark.parametrize("host", HOSTS)
def test_zpool_iostat_says_what_the_vdevs_did(host):
    m = machine(host)
    batch = parsed(m, "zpool_iostat")["zpool_iostat"][0]
    live, rows = m.live, m.live.model.rows
    at = {(live.host.pools[r.pool].name, vdev_path(rows, i)): i for i, r in enumerate(rows)}
    assert len(batch.columns["vdev"]) == len(rows)
    then, now = live.counters(FROM), live.counters(FROM + 1)
    size = rates(then, now, "row_bytes", 1.0)
    ops = rates(then, now, "row_ops", 1.0)
    for k, key in enumerate(zip(batch.columns["pool"], batch.columns["vdev"], strict=True)):
        i = at[key]
        assert batch.columns["alloc_class"][k] == rows[i].role
        assert batch.columns["kind"][k] == rows[i].kind
        read, written = size[2 * i : 2 * i + 2]
        assert batch.columns["read_bytes"][k] == pytest.approx(read, rel=0.006, abs=1)
        assert batch.columns["write_bytes"][k] == pytest.approx(written, rel=0.006, abs=1)
        assert batch.columns["write_ops"][k] == pytest.approx(ops[2 * i + 1], rel=0.006, abs=1)
        if rows[i].depth < 2:
            block, n = live.at(FROM + 1)
            assert batch.columns["alloc"][k] == pytest.approx(block.row_alloc[n, i], rel=0.006)


@pytest.mark.parametrize("host", HOSTS)
def test_arcstats_are_the_models(host):
    m = machine(host)
    batch = parsed(m, "arcstats")["arcstats"][2]
    first = 2 if host != "bk1" else 0
    block, i = m.live.at(FROM + first)
    for name in ("size", "c", "c_min", "c_max"):
        assert batch.columns[name][0] == pytest.approx(float(block.arc[name][i]), rel=1e-3)
    if host != "bk1":
        then, now = m.live.counters(FROM + 1), m.live.counters(FROM + 2)
        for name in ("hits", "demand_data_misses", "mru_ghost_hits", "prefetch_metadata_hits"):
            assert batch.columns[name][0] == pytest.approx(now.arc[name] - then.arc[name], abs=1.01)
    # A second level: counted only where there is a cache device; early Solaris 10 has no word for it.
    l2 = column(batch, "l2_hits")[0]
    assert l2 > 0 if host in ("ms1", "ms2") else l2 == 0 if host == "om1" else np.isnan(l2)


@pytest.mark.parametrize("host", ["ms2", "ma1", "om1"])
def test_zone_usage_has_caps_and_waiters(host):
    m = machine(host, "incident")
    batch = parsed(m, "zone_usage", 6.0)["zone_usage"][-1]
    block, i = m.live.at(FROM + 5)
    zones = dict(zip(batch.columns["zone"], range(99), strict=False))
    assert set(zones) == set(m.live.zones)
    for k, zone in enumerate(m.live.zones):
        r = zones[zone]
        assert batch.columns["cpu"][r] == pytest.approx(block.zone_cpu[i, k], abs=0.12)
        assert batch.columns["rss"][r] == pytest.approx(block.zone_rss[i, k], rel=0.03)
        if k:
            assert batch.columns["cpu_cap"][r] == pytest.approx(m.live.host.zones[k - 1].cap)
            assert batch.columns["rss_cap"][r] == pytest.approx(m.live.host.zones[k - 1].rss_cap * GIB, rel=0.01)
            assert batch.columns["cpu_waiting"][r] == block.zone_wait[i, k]
    if host == "ms2":
        assert batch.columns["cpu_waiting"][zones["mail3"]] in (2, 3, 4)


def test_containers_come_from_control_groups():
    m = machine("bk1")
    tables = parsed(m, "zone_usage", 3.0)
    assert tables["zone_usage"][-1].columns["zone"] == ["recv", "restore"]
    assert tables["zone_usage"][-1].columns["cpu_cap"] == [1.0, 1.0]


@pytest.mark.parametrize("host", SUN)
def test_disk_service_times_and_latency_histograms_agree(host):
    m = machine(host, "night")
    iostat = parsed(m, "disk_io")["disk_io"]
    dtrace = parsed(m, "dtrace")["dtrace"]
    total: dict[str, np.ndarray] = {}
    for b in dtrace:
        for key, counts in zip(b.columns["keys"], b.columns["counts"], strict=True):
            total[key[0]] = total.get(key[0], 0) + np.r_[counts, [0] * (len(bounds("log2:4")) - len(counts))]
    assert set(total) == {d.whole for d in m.live.model.disks}
    lower = np.array(bounds("log2:4"))
    centres = np.r_[(lower[:-1] + lower[1:]) / 2, lower[-1]] / 1e9
    ops = sum(column(b, "read_ops") + column(b, "write_ops") for b in iostat)
    spent = sum((column(b, "read_ops") + column(b, "write_ops")) * column(b, "asvc_t") for b in iostat)
    for name, n, s in zip(iostat[0].columns["device"], ops, spent, strict=True):
        if n > 200 and s / n < 0.1:
            mean = (total[name] * centres).sum() / total[name].sum()
            assert mean == pytest.approx(s / n, rel=0.1, abs=1e-4)


def test_the_slow_disk_stands_out_in_every_tool():
    m = machine("ms2", "incident")
    iostat = parsed(m, "disk_io")["disk_io"][-1]
    asvc = dict(zip(iostat.columns["device"], iostat.columns["asvc_t"], strict=True))
    assert asvc["c3t7d0"] > 0.12
    assert max(v for k, v in asvc.items() if k != "c3t7d0") < 0.03


def test_zpool_status_says_how_far_the_resilver_is():
    m = machine("ms2", "migration")
    tables = parsed(m, "zpool_status", 3.0)
    states = tables["zpool_status"][-1].columns
    by_vdev = dict(zip(zip(states["pool"], states["vdev"], strict=True), states["state"], strict=True))
    assert by_vdev[("mail", "")] == "DEGRADED"
    assert by_vdev[("mail", "raidz2-1")] == "DEGRADED"
    assert by_vdev[("mail", "raidz2-0")] == by_vdev[("rpool", "")] == "ONLINE"
    scan = tables["pool_scan"][-1].columns
    row = scan["pool"].index("mail")
    true = float(m.live.model.scans[-1].fraction(np.array([FROM]))[0])
    assert scan["state"][row] == "in_progress"
    assert scan["fraction"][row] == pytest.approx(true, abs=0.002)


@pytest.mark.parametrize("host", HOSTS)
def test_data_sets_add_up_to_their_pool(host):
    m = machine(host, "migration")
    batch = parsed(m, "dataset_usage", 3.0)["dataset_usage"][-1]
    used = dict(zip(batch.columns["dataset"], batch.columns["used"], strict=True))
    for pool in m.live.host.pools:
        parts = sum(v for k, v in used.items() if k.count("/") == 1 and k.startswith(pool.name + "/"))
        assert parts == pytest.approx(used[pool.name], rel=0.02)
        level = float(m.live.model.allocated(np.array([FROM]))[0, list(m.live.host.pools).index(pool)])
        assert used[pool.name] * pool.overhead == pytest.approx(level, rel=0.006)


def test_a_received_data_set_grows_as_its_stream():
    m = machine("ms1", "migration")
    size = {t: {d.name: d.used for d in datasets(m.live, t)}["mail/mail2"] for t in (START, START + 60)}
    stream = next(s for s in m.live.model.streams_in if s.dataset == "mail/mail2")
    assert size[START + 60] - size[START] == pytest.approx(
        float(np.diff(stream.done(np.array([START, START + 60])))[0])
    )


def test_the_target_of_a_stalled_stream_has_no_new_snapshot():
    def newest(host: str, dataset: str) -> float:
        found = datasets(machine(host, "migration").live, START)
        return max(d.creation for d in found if d.name.startswith(f"mail/{dataset}@repl"))

    assert START - newest("ma2", "mail4") < 300
    assert START - newest("ms2", "mail4") > 372
    assert START - newest("ms2", "mail3") < 640


@pytest.mark.parametrize("host", HOSTS)
def test_host_load_and_nics(host):
    m = machine(host, "night")
    tables = parsed(m, "host_load", 3.5 if host == "bk1" else 6.0)
    if host == "bk1":
        assert tables["host_load"][-1].columns["ncpu"] == [4.0]
        return
    load, net = tables["host_load"][-1].columns, tables["net_io"][-1].columns
    then, now = m.live.counters(FROM + 4), m.live.counters(FROM + 5)
    user, kernel = rates(then, now, "cpu", 1.0)
    assert load["cpu_user"][0] == pytest.approx(user, abs=0.01)
    assert load["cpu_sys"][0] == pytest.approx(kernel, abs=0.01)
    assert load["mem_total"][0] == 16 * GIB
    nic = rates(then, now, "nic", 1.0)
    for n, name in enumerate(m.live.host.nics):
        assert net["tx_bytes"][net["nic"].index(name)] == pytest.approx(nic[2 * n + 1], rel=0.01, abs=2)


@pytest.mark.parametrize("host", HOSTS)
def test_every_source_of_the_inventory_works_or_is_missing_for_a_reason(host):
    from collectors import probe
    from collectors.sources import load
    from fleet.run import SOURCES

    m = machine(host)
    known, os = facts(m)
    wanted = [load()[s] for s in SOURCES]
    found = probe.choose(os, known, wanted, probe.read(run(m, probe.probes(wanted, os))[1]))
    assert [x.source for x in found.missing] == (["dtrace"] if host == "bk1" else [])


def test_what_each_system_says_of_itself():
    titles = {h: facts(machine(h)) for h in HOSTS}
    assert [titles[h][1] for h in HOSTS] == ["solaris10"] * 4 + ["illumos", "linux"]
    assert titles["ma1"][0]["etc_release"].startswith("Solaris 10 5/08")
    assert titles["ms2"][0]["etc_release"].startswith("Solaris 10 10/09")
    assert all(f["ncpu"] == "4" and f["memory"] == str(16 * GIB) for f, _ in titles.values())
    assert all(f["user"] == "ops" and f["boot_time"].isdigit() for f, _ in titles.values())


@pytest.mark.parametrize(
    ("host", "command", "status", "said"),
    [
        ("ms2", "zpool iostat -Hp 1", 2, "invalid option"),
        ("ms2", "zpool status nosuch", 1, "cannot open 'nosuch': no such pool"),
        ("ma1", "zfs list -Hp", 2, "invalid option 'p'"),
        ("ma1", "zfs list -H -o name,usedbysnapshots", 2, "invalid property 'usedbysnapshots'"),
        ("bk1", "kstat -p zfs:0:arcstats", 127, "sh: kstat: not found"),
        ("ms2", "cat /proc/stat; foo -x", 127, "sh: foo: not found"),
        ("bk1", "dtrace -q -e -n 'BEGIN { }'", 1, "additional privileges"),
    ],
)
def test_a_tool_refuses_what_its_release_does_not_know(host, command, status, said):
    got, _, err = run(machine(host), command)
    assert (got, said in err) == (status, True), err


def test_old_tools_print_old_words():
    _, old, _ = run(machine("ma1"), "zpool iostat -v 1 1")
    assert "used  avail" in old
    assert "  raidz1 " in old
    assert "raidz1-0" not in old
    _, new, _ = run(machine("ms2"), "zpool iostat -v 1 1")
    assert "alloc   free" in new
    assert "  raidz2-1 " in new
    assert "\nlogs " in new
    assert "\ncache " in new
    assert " scrub: none requested" in run(machine("ma1"), "zpool status")[1]
    assert "  scan: scrub repaired 0 in" in run(machine("om1"), "zpool status mail")[1]
    assert "l2_hits" not in run(machine("ma1"), "kstat -p zfs:0:arcstats")[1]
    assert "zfs:0:arcstats:l2_hits\t" in run(machine("ms2"), "kstat -p zfs:0:arcstats")[1]


def test_the_first_report_speaks_of_the_time_since_boot():
    m = machine("ms2", "migration")
    first, second = [
        line.split() for line in run(m, "zpool iostat mail 1 2")[1].splitlines() if line.startswith("mail")
    ]
    since = m.live.counters(FROM)["row_bytes"][1] / (FROM - m.live.model.boot)
    assert float(first[6].rstrip("M")) * 2**20 == pytest.approx(since, rel=0.01)
    assert first != second


def test_openzfs_tells_waits_and_queues():
    _, out, _ = run(machine("bk1"), "zpool iostat -vHplqy tank 1 2")
    rows = [line.split("\t") for line in out.splitlines() if line]
    assert {len(r) for r in rows} == {1 + 6 + 11 + 14}
    disk = next(r for r in rows if r[0] == "sdc")
    ops, wait, (pending, active) = float(disk[4]), float(disk[10]) / 1e9, map(int, disk[18 + 6 : 18 + 8])
    assert active == pytest.approx(ops * wait, abs=0.6)  # Little's law
    assert pending >= active
    assert len(run(machine("bk1"), "zpool iostat -vHply tank 1 2")[1].splitlines()[0].split("\t")) == 18


def test_a_long_zone_name_is_cut_as_prstat_cuts_it():
    m = machine("ms2")
    m.live.zones[1] = "mailstore-of-the-faculty-of-theology"
    out = run(m, "prstat -Z -c -n 1,99 1 1")[1]
    assert " mailstore-of-the-faculty-of*\n" in out
    assert "mailstore-of-the-faculty-of-theology" in run(m, "zoneadm list -cp")[1]


def test_d_questions_keep_their_keys_and_predicates():
    from collectors.base import Context
    from collectors.dtrace import compose, framing
    from frames.metrics import question

    m = machine("ms2")

    def ask(text: str):
        q = question(text)
        parser = framing.FrameParser(Context("ms2", "solaris10", 1.0, {}), q)
        out = run(m, compose.command(compose.program(q, "solaris10")))[1]
        return [b for line in out.splitlines() for b in parser.feed(line, 0.0)]

    by_zone = ask("fs_ops/by=zone")[-1].columns
    assert {k[0] for k in by_zone["keys"]} == {z.name for z in m.live.host.zones}
    one = ask("fs_ops/by=execname,latency/where=zone=mail3")[-1].columns
    assert {k[0] for k in one["keys"]} <= {"imapd", "lmtpd", "pop3d", "cyr_expire"}
    mail3 = by_zone["value"][by_zone["keys"].index(["mail3"])]
    assert sum(map(sum, one["counts"])) == pytest.approx(mail3, rel=0.25)
    offsets = ask("disk_io/by=offset")[-1].columns
    assert offsets["bounds"] == ["lquantize:0:8192:64"]


def test_a_model_is_needed_only_once_for_all_tools():
    m = machine("ms2")
    assert isinstance(m.live.model, HostModel)
    a = run(m, "kstat -p sd:0:sd0:nread")[1].split("\t")[1]
    b = run(m, "kstat -p sd:0:sd0:nread")[1].split("\t")[1]
    assert a == b


def test_what_is_printed_is_left() -> None:
    assert [printed(v) for v in (0, 1023, 1024, 171.6486 * 2**30, 1.37 * 2**20)] == [
        0, 1023, 1024, 172 * 2**30, 1.37 * 2**20
    ]  # fmt: skip


def test_the_counters_of_linux_disks_never_fall() -> None:
    clock = Stepped(START)
    m = machine("bk1", clock=clock)
    seen = []
    for _ in range(120):
        lines = run(m, "cat /proc/diskstats")[1].splitlines()
        seen.append([[int(v) for v in line.split()[3:11] + line.split()[12:]] for line in lines])
        clock.t += 5
    steps = np.diff(np.array(seen), axis=0)
    assert steps.min() == 0
    assert steps[:, :, 0].sum() > 0


def test_a_campaign_of_imapsync_goes_on_account_by_account() -> None:
    m = machine("bk1", "migration")
    seen = {}
    for batch in parsed(m, "imapsync", 12.0)["transfers"]:
        for i, user in enumerate(batch.columns["stream"]):
            seen.setdefault(user, []).append({c: v[i] for c, v in batch.columns.items()})
    boxes = {b.user: b for b in m.live.model.scenario.mailboxes}
    rows = {next(b for b in boxes if b in user): found for user, found in seen.items()}
    last = {user: found[-1] for user, found in rows.items()}
    states = {user: row["state"] for user, row in last.items()}
    assert states["carl"] == "failed"
    assert list(states.values()).count("running") == 3
    assert "done" in states.values()
    for user, row in last.items():
        assert row["items_total"] == boxes[user].messages or user == "carl"
        if row["state"] == "running":
            before = rows[user][0]
            spent = 5.0 * (len(rows[user]) - 1)
            assert (row["done"] - before["done"]) / spent == pytest.approx(boxes[user].rate, rel=0.5)
            assert 0 < row["items_done"] < row["items_total"]
    assert last["carl"]["errors"] == 1
    assert last["dora"]["errors"] == 6
