"""zpool list and zfs list: recordings of others, and what headings and old tools do to columns."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pytest

from collectors.base import Context, ParseError, Variant, parse_text
from collectors.engine import Engine
from collectors.inventory import Inventory
from collectors.polled import again
from collectors.sources import load, zfs_list, zpool_list
from tests.corpus import corpus, name, read, still_parses
from tests.sshd import Sshd, wait_for

K, M, G, T = 2**10, 2**20, 2**30, 2**40
POOLS = zpool_list.SOURCE.variants[1]
TELEGRAF = ("NAME", "HEALTH", "SIZE", "ALLOC", "FREE", "FRAG", "CAP", "DEDUP")  # what that recording asked for


def lists(columns: tuple[str, ...] = zfs_list.FULL) -> Variant:
    return Variant("", ("linux",), lambda c: "", lambda c: zfs_list.ListParser(c, columns), "", "")


def figures(frame: pd.DataFrame, key: str, expected: dict[str, dict[str, Any]]) -> None:
    assert frame[key].tolist() == list(expected)
    for row, (_, values) in zip(frame.to_dict("records"), expected.items(), strict=True):
        for column, value in values.items():
            assert pd.isna(row[column]) if value is None else row[column] == pytest.approx(value), (row, column)


CAPACITY: dict[str, dict[str, dict[str, Any]]] = {
    "zpool-list/linux-1": {
        "rpool": {"size": 21367462298, "alloc": 9051643576, "frag": 0.33, "dedup": 1},
        "zion": {"size": None, "frag": None},
    },
    "zpool-list/linux-3": {"data": {"size": 23.9 * G, "alloc": 14.6 * G, "frag": 0.48}},
    "zpool-list/omnios-1": {
        "big": {"size": 3.62 * T, "alloc": 2.69 * T, "frag": 0.02},
        "fast": {"frag": 0.25, "checkpoint": None},
        "rpool": {"alloc": 57.1 * G, "frag": 0.63},
    },
    "zpool-list/omnios-3": {"rpool": {"size": 15.5 * G, "alloc": 1.61 * G, "frag": 0}},
    "zpool-list/omnios-5": {"rpool": {"alloc": 43.8 * G}, "storage": {"alloc": 123 * K}},
    "zpool-list/smartos-2": {"zones": {"size": 832 * G, "alloc": 67.9 * G, "frag": None, "expandsz": None}},
    "zpool-list-Hp/freebsd-1": {
        "freenas-boot": {"size": 30601641984, "frag": None},
        "red1": {"alloc": 1126164848640, "frag": 0.08, "dedup": 1.83},
        "temp1": {"frag": 0.38, "dedup": 1.28},
        "temp2": {"size": 2989297238016},
    },
    "zpool-list-Hp/freebsd-3": {"temp2": {"size": None, "alloc": None, "dedup": None}},
    "zpool-list-Hp/linux-2": {"rpool": {"size": 3985729650688, "alloc": 1647130456064, "frag": 0.55}},
}


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus("zpool-list") + corpus("zpool-list-Hp"), ids=name)
def test_pools_of_others(path: Path) -> None:
    variant = POOLS
    if path.stem.startswith("freebsd"):
        variant = Variant("", ("freebsd",), lambda c: "", lambda c: zpool_list.CapacityParser(c, TELEGRAF), "", "")
    frame = parse_text(variant, read(path))["pool_capacity"]
    if name(path) in CAPACITY:
        figures(frame, "pool", CAPACITY[name(path)])
    if path.stem == "freebsd-3":
        assert frame["health"].tolist() == ["UNAVAIL"]


DATASETS: dict[str, dict[str, dict[str, Any]]] = {
    "omnios-2": {"tank1": {"refer": 24 * K, "used": 0}, "tank1/nfs": {"refer": 879 * M}, "tank1/vm-100-disk-0": {}},
    "omnios-4": {"tank2": {}, "tank2/nfs": {}, "tank2/vm-100-disk-0": {"refer": 734 * M}},
    "omnios-6": {"storage": {"used": 555 * K}, "storage/zrepl": {"avail": 9.2 * G}, "storage/zrepl/sink": {}},
    "omnios-8": {"data/omniosce/hdd-bloody": {"used": 538 * G, "avail": 7.08 * T, "refer": 275 * G}},
    "openindiana-1": {"storage": {"used": 498 * K, "avail": 899 * G, "refer": 19 * K}},
    "smartos-3": {"zones/54f1cc77-68f1-42ab-acac-5c4f64f5d6e0": {"used": 651 * K, "avail": 10 * G}},
    "smartos-5": {"zones": {"used": 60.9 * G, "avail": 485 * G}},
}


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus("zfs-list"), ids=name)
def test_datasets_of_others(path: Path) -> None:
    if path.stem == "smartos-1":  # copied from a narrow terminal: the ends of long lines stand on lines of their own
        frame = parse_text(lists(), read(path))["dataset_usage"]
        assert len(frame) == 10
        disk = frame[frame["dataset"].str.endswith("-disk0")].iloc[0]
        assert (disk["used"], disk["mountpoint"]) == (pytest.approx(1.64 * G), "-")
        assert frame["mountpoint"].tolist()[-1] == "legacy"
        return
    if path.stem not in DATASETS:
        still_parses("dataset_usage", path)
        return
    frames = parse_text(lists(), read(path))
    table = "snapshots" if path.stem in ("omnios-2", "omnios-4") else "dataset_usage"
    assert list(frames) == [table]
    figures(frames[table], "dataset", DATASETS[path.stem])


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus("zfs-list-Hp"), ids=name)
def test_bytes_of_others(path: Path) -> None:
    frame = parse_text(lists(("name", "avail", "used", "usedsnap", "usedds")), read(path))["dataset_usage"]
    expected: dict[str, dict[str, Any]] = {
        "zata": {"avail": 10741741326336, "used": 8564135526400, "used_by_snapshots": 0},
        "zata/home": {"used_by_snapshots": 212992, "used_by_dataset": 2285568},
        "zata/import": {"used": 196608},
        "zata/storage": {"used_by_snapshots": 3601138999296},
    }
    if path.stem == "freebsd-1":
        figures(frame, "dataset", expected)
    assert len(frame)


PASTED = {
    "words and a shell around it": """\
What is this?

    % zfs list -r t
    NAME    USED  AVAIL  REFER  MOUNTPOINT
    t/a    2.95G  7.47T  2.59G  /a b
    %

Thanks
""",
    "-H": "t/a\t2.95G\t7.47T\t2.59G\t/a b\n",
    "-H without its tabs": "t/a      2.95G   7.47T    2.59G      /a\n",
    "-H of columns that the command names": "% zfs list -Hro refer,name,avail,used t\n2.59G\tt/a\t7.47T\t2.95G\n",
    "words in the middle": """\
NAME  TYPE        COMPRESS   USED  AVAIL  REFER  MOUNTPOINT
t/a   filesystem  lz4       2,95G  7,47T  2,59G  /a b
""",
}


@pytest.mark.parametrize("how", PASTED)
def test_texts_that_people_paste(how: str) -> None:
    frames = parse_text(lists(), PASTED[how])
    assert list(frames) == ["dataset_usage"]
    figures(frames["dataset_usage"], "dataset", {"t/a": {"used": 2.95 * G, "avail": 7.47 * T, "refer": 2.59 * G}})


def test_what_an_agent_asks_for() -> None:
    """Five numbers are not the five columns of -H."""
    row = parse_text(lists(), "t/a\t7\t6\t5\t4\n")["dataset_usage"].iloc[0]
    assert row[["avail", "used", "used_by_snapshots", "used_by_dataset"]].tolist() == [7, 6, 5, 4]


def test_a_snapshot_of_zfs_get_with_headings() -> None:
    text = "# zfs get all t/a@1\nNAME   PROPERTY       VALUE                  SOURCE\n"
    text += "t/a@1  type           snapshot               -\nt/a@1  creation       1795449470             -\n"
    text += "t/a@1  used           16.0M                  -\nt/a@1  compressratio  1.00x                  -\n"
    text += "t/a@1  referenced     17M                    -\nt/a@1  mlslabel       none                   default\n"
    row = parse_text(GET, text)["snapshots"].iloc[0]
    assert (row["snapshot"], row["used"], row["refer"]) == ("1", 16 * M, 17 * M)


def test_no_quota_is_printed_in_three_ways() -> None:
    row = "t\tfilesystem\t1\t2\t3\t4\t5\t6\t{}\t/t\n"
    frame = parse_text(lists(), row.format("0") + row.format("none") + row.format("-") + row.format("7"))[
        "dataset_usage"
    ]
    assert frame["quota"].fillna(-1).tolist() == [-1, -1, -1, 7]


def test_creation_is_an_epoch() -> None:
    text = "t@a b\t1\t2\t1795449470\n"
    frame = parse_text(lists(zfs_list.OF_SNAPSHOTS), text)["snapshots"]
    assert str(frame["creation"][0]) == "2026-11-23 15:57:50+00:00"
    assert frame["snapshot"][0] == "a b"


def test_get_needs_nothing_in_order() -> None:
    text = "t\tused\t9\nt\treferenced\t8\nt@s\tcreation\t1795449470\nt@s\tused\t5\nt@s\treferenced\t6\n"
    frames = parse_text(GET, text)
    assert list(frames) == ["snapshots"]
    assert (frames["snapshots"]["used"][0], frames["snapshots"]["refer"][0]) == (5, 6)


@pytest.mark.parametrize("bad", ["t\tfilesystem\t1\n", "t\tfilesystem\tx\t2\t3\t4\t5\t6\t7\t/\n", "words\n"])
def test_errors_name_the_line(bad: str) -> None:
    good = "t\tfilesystem\t1\t2\t3\t4\t5\t6\t7\t/\n"
    parser = lists().parser(Context("h", "linux", 60.0))
    for line in (good + bad).splitlines():
        assert parser.feed(line, 0.0) == []
    with pytest.raises(ParseError) as e:
        parser.end(0.0)
    assert e.value.line_no == 2


def test_a_report_ends_at_its_marker() -> None:
    parser = zpool_list.CapacityParser(Context("h", "solaris10", 60.0))
    lines = ["== begin 1795449470 2026-11-23 15:57:50", "NAME  SIZE  ALLOC", "t  10G  5G"]
    assert [parser.feed(line, 0.0) for line in lines] == [[], [], []]
    (batch,) = parser.feed("== end", 0.0)
    assert (batch.time, batch.columns["size"]) == (1795449470, [10 * G])


def test_the_loop_is_plain_bourne_shell() -> None:
    command = again("zpool list", 60)
    assert "$(" not in command
    assert command.endswith("do echo '== end'; sleep 60; done")


GET = next(v for v in zfs_list.SOURCES[1].variants if v.name == "get")


def test_bookmarks_and_shares_are_no_datasets() -> None:
    rows = ["t", "t#mark", "t%share", "t/a%b", "t/%recv", "t@s"]
    frames = parse_text(lists(("name", "used")), "".join(f"{n}\t-\n" for n in rows))
    assert frames["dataset_usage"]["dataset"].tolist() == ["t", "t/%recv"]
    assert len(frames["snapshots"]) == 1


def test_get_with_the_source_of_each_value() -> None:
    text = "t@s\tused\t5\t-\nt@s\tcreation\t1795449470\t-\nt#mark\tcreation\t1795449471\t-\n"
    assert len(parse_text(GET, text)["snapshots"]) == 1
    with pytest.raises(ParseError, match="not a name, a property and a value"):
        parse_text(GET, "t@s\tused\n")


@pytest.mark.parametrize(
    ("begin", "created"),
    [
        ("== begin 1795449470 2026-11-23 16:57:51", "2026-11-03 02:05:00+00:00"),  # an hour east, a second on the way
        ("== begin 1795449470 2026-11-23 15:57:50", "2026-11-03 03:05:00+00:00"),
        ("== begin s 2026-11-23 15:57:50", "NaT"),  # Solaris 10's date knows no %s
    ],
)
def test_creation_is_a_local_date(begin: str, created: str) -> None:
    text = f"{begin}\nt@s\t0\t24K\tTue Nov  3  3:05 2026\n== end\n"
    frame = parse_text(lists(zfs_list.OF_SNAPSHOTS), text)["snapshots"]
    assert (str(frame["creation"][0]), frame["refer"][0]) == (created, 24 * K)


def test_a_report_that_lost_its_end_is_refused_and_the_next_one_is_read() -> None:
    parser = zfs_list.ListParser(Context("h", "linux", 600.0), zfs_list.OF_SNAPSHOTS)
    for line in ("== begin 1795449470 2026-11-23 15:57:50", "t@a\t1\t2\t3"):
        assert parser.feed(line, 0.0) == []
    with pytest.raises(ParseError, match="no end"):
        parser.feed("== begin 1795450070 2026-11-23 16:07:50", 0.0)
    parser.feed("t@b\t1\t2\t3", 0.0)
    (batch,) = parser.feed("== end", 0.0)
    assert (batch.time, batch.columns["snapshot"]) == (1795450070, ["b"])


MANY = 60_000
"""A month of snapshots every ten minutes, of fourteen datasets."""
ROWS = {
    "exact": "t/mail{d:02d}@auto-{i:05d}\t{i}\t{refer}\t{born}\n",
    "get": "{n}\tused\t{i}\n{n}\treferenced\t{refer}\n{n}\tcreation\t{born}\n",
}


@pytest.mark.sshd
@pytest.mark.parametrize("form", ROWS)
def test_a_host_with_very_many_snapshots(tmp_path: Path, form: str) -> None:
    """All of them, through a real sshd, though they come in one burst of more lines than a stream may have."""
    snapshot = "t/mail{d:02d}@auto-{i:05d}"
    (tmp_path / "rows").write_text(
        "".join(
            ROWS[form].format(n=snapshot.format(d=i % 14, i=i), d=i % 14, i=i, refer=i * 3, born=1795449470 + i)
            for i in range(MANY)
        )
    )
    tool = tmp_path / "zfs"  # the tool of Solaris 10 knows no -p for list
    old = 'case "$*" in *-Hp*list*|list*-Hp*) exit 2;; esac; ' if form == "get" else ""
    tool.write_text(f'#!/bin/sh\n{old}case "$*" in *-o*creation*) cat {tmp_path}/rows;; esac\n')
    tool.chmod(0o755)
    store, stop = Memory(), threading.Event()
    with Sshd(tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}) as server:
        o = server.link_options("box")
        host = {
            **{k: getattr(o, k) for k in ("address", "port", "user", "identity", "known_hosts", "ssh_config")},
            "sources": ["snapshots"],
        }
        engine = Engine(Inventory.model_validate({"hosts": {"box": host}}), store, load())
        loop = threading.Thread(target=engine.run, args=(stop,))
        loop.start()
        try:
            frame = wait_for(lambda: store.find("snapshots"), "the snapshots", 60)
        finally:
            stop.set()
            loop.join(20)
    assert engine.hosts["box"].streams["snapshots"].variant.name == form
    assert frame.num_rows == MANY
    assert pyarrow.compute.sum(frame["used"]).as_py() == MANY * (MANY - 1) / 2
    assert len(set(frame["snapshot"].to_pylist())) == MANY


class Memory:
    """A store that keeps what is appended."""

    def __init__(self) -> None:
        self.frames: list[Mapping[str, pa.Table]] = []

    def append(self, second: int, frames: Mapping[str, pa.Table]) -> int:
        self.frames.append(frames)
        return len(self.frames)

    def find(self, table: str) -> pa.Table | None:
        return next((f[table] for f in list(self.frames) if table in f), None)
