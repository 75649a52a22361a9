"""The history over time: pasts in bulk, maintenance, retention, schemas that grow, folders that move."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from frames import history, schemas
from frames.schemas import SCHEMAS, SchemaError
from frames.store import Store, StoreError, Writer
from tests.frames.samples import numbered

DAY = 86_400
T0 = 1_790_000_000 // DAY * DAY


def arc(start: int, seconds: int, size: float = 1.0) -> pd.DataFrame:
    """One host's ARC a second each, as a DataFrame."""
    at = pd.to_datetime(np.arange(start, start + seconds), unit="s", utc=True).as_unit("us")
    return pd.DataFrame({"time": at, "host": "a", "size": size + np.arange(seconds) % 60, "hits": 10.0})


def test_a_past_of_seconds_and_of_minutes_answers_at_every_width(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        minutes = arc(T0, 1440)  # a day before, one row a minute
        minutes["time"] = pd.to_datetime(T0 - DAY + np.arange(1440) * 60 + 59, unit="s", utc=True).as_unit("us")
        minutes["size_max"] = 99.0
        writer.write_past("arcstats", minutes, resolution="1m")
        writer.write_past("arcstats", arc(T0, 7200))
        writer.append(T0 + 7200, {"arcstats": arc(T0 + 7200, 1)})

        day = store.window("arcstats", T0 - DAY, T0 + 7260, points=1000, columns=["size"])
        assert day.attrs["step"] == 120
        assert day["n"].tolist() == [120] * 780 + [1]
        assert day["size_max"].max() == 99.0
        assert day["size_min"].iloc[0] == 1.0
        hours = store.window("arcstats", T0 - DAY, T0 + DAY, points=48, columns=["size"])
        assert hours["n"].tolist() == [3600] * 26 + [1]
        zoomed = store.window("arcstats", T0 - 600, T0 - 300, points=300, columns=["size"])
        assert (zoomed.attrs["step"], len(zoomed)) == (60, 5)  # no seconds there: the minutes answer
        assert store.window("arcstats", T0, T0 + 100, points=100).attrs["step"] == 1
        assert store.latest("arcstats", at=T0 - 1000)["hits"].tolist() == [10.0]
        assert store.span() == (T0 - DAY, T0 + 7200)
        with pytest.raises(SchemaError, match="a log has no minutes"):
            writer.write_past("events", SCHEMAS["events"].frame(), resolution="1m")


def test_minutes_reach_the_hours_once_however_often_it_is_maintained(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        writer.write_past("arcstats", arc(T0 - 3600, 3600))
        for i in range(6):
            writer.append(T0 + i * 1700, numbered(i, T0 + i * 1700))
            writer.append(T0 + 9, numbered(i, T0 + 9, host=f"late{i}"))
            writer.commit()
            if i % 2:
                writer.maintain()
            if i == 3:
                writer.maintain()
            hours = store.window("arcstats", T0 - DAY, T0 + DAY, points=48, columns=["hits"])
            assert hours["n"].sum() == 3600 + 2 * (i + 1)
            lines = store.window("source_health", T0, T0 + DAY, points=24, columns=["lines"])["lines"].sum()
            assert lines == 2 * (i + 1)
        assert len(writer.files("arcstats")) <= 2  # the past's day and this one: merged
        assert len(writer.files("arcstats_1m")) == 1


def test_retention_takes_whole_days_of_seconds_and_leaves_rollups(tmp_path: Path) -> None:
    today = int(time.time()) // DAY * DAY
    with Writer(tmp_path, commit_every=3600, keep_days=2) as writer, Store(tmp_path) as store:
        for days in (5, 3, 2, 1):
            writer.write_past("arcstats", arc(today - days * DAY, 120))
        writer.maintain()
        left = store.window("arcstats", today - 9 * DAY, today + DAY, columns=["size"])
        assert sorted(set(left["time"].dt.floor("D").astype("int64") // 10**6)) == [today - 2 * DAY, today - DAY]
        rolled = store.window("arcstats", today - 9 * DAY, today, points=9 * 1440, columns=["size"])
        assert rolled["n"].sum() == 4 * 120
        old = store.window("arcstats", today - 5 * DAY, today - 5 * DAY + 120, points=120, columns=["size"])
        assert (old.attrs["step"], len(old)) == (60, 2)


def test_a_disk_budget_takes_the_oldest_days_but_never_the_newest(tmp_path: Path) -> None:
    today = int(time.time()) // DAY * DAY
    with Writer(tmp_path, commit_every=3600, keep_bytes=1) as writer, Store(tmp_path) as store:
        for days in (3, 2, 1):
            writer.write_past("arcstats", arc(today - days * DAY, 120))
        writer.maintain()
        left = store.window("arcstats", today - 9 * DAY, today + DAY, columns=["size"])
        assert set(left["time"].dt.floor("D").astype("int64") // 10**6) == {today - DAY}
        before = sum(f.stat().st_size for f in tmp_path.rglob("*.parquet"))
        for _ in range(2):  # forgets the snapshots, then removes what only they used
            writer._open().clean(keep=0)
        assert sum(f.stat().st_size for f in tmp_path.rglob("*.parquet")) < before  # the space comes back


def test_old_marks_leave_the_catalog(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i in range(12):
            writer.append(T0 + i, numbered(i, T0 + i))
            writer.commit()
        writer._open().clean(keep=0)
        with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as db:
            for (name,) in db.execute("SELECT table_name FROM ducklake_inlined_data_tables").fetchall():
                assert db.execute(f"SELECT count(*) FROM {name} WHERE end_snapshot IS NOT NULL").fetchone() == (0,)
        writer.append(T0 + 12, numbered(12, T0 + 12))
        assert len(store.window("arcstats", T0, T0 + 60)) == 13
        writer.commit()
        assert len(store.window("arcstats", T0, T0 + 60)) == 13


def test_a_schema_that_gained_a_column_reads_old_rows_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SCHEMAS["arcstats"]
    smaller = schemas.Schema(full.name, full.meaning, tuple(c for c in full.columns if c.name != "misses"))
    monkeypatch.setitem(SCHEMAS, "arcstats", smaller)
    with Writer(tmp_path, commit_every=3600) as writer:
        writer.append(T0, numbered(1, T0))
        writer.commit()
    monkeypatch.setitem(SCHEMAS, "arcstats", full)
    with Store(tmp_path) as store:  # a new dashboard before the new collector has started
        for points in (None, 1440, 24):
            assert store.window("arcstats", T0, T0 + DAY, points=points)["misses"].isna().all()
        with Writer(tmp_path, commit_every=3600) as writer:
            frame = {"time": [(T0 + 1) * 1_000_000], "host": ["ms2"], "misses": [3.0]}
            writer.append(T0 + 1, {"arcstats": full.table(frame)})
            writer.commit()
            writer.maintain()
        store._columns.clear()
        assert store.window("arcstats", T0, T0 + 9)["misses"].tolist()[1:] == [3.0]
        hour = store.window("arcstats", T0, T0 + DAY, points=24, columns=["misses", "hits"])
        assert (hour["misses"].item(), hour["n"].item()) == (3.0, 2)


def test_a_folder_may_be_moved_and_its_files_are_plain_parquet(tmp_path: Path) -> None:
    with Writer(tmp_path / "here", commit_every=3600) as writer:
        for i in range(3):
            writer.append(T0 + i, numbered(i, T0 + i))
        writer.commit()
    shutil.move(tmp_path / "here", tmp_path / "there")
    with Store(tmp_path / "there") as store:
        assert store.window("arcstats", T0, T0 + 9)["size"].tolist() == [0.0, 1.0, 2.0]
    day = next((tmp_path / "there/data/main/arcstats").glob("year=*/month=*/day=*"))
    assert pd.read_parquet(day)["size"].tolist() == [0.0, 1.0, 2.0]
    assert duckdb.sql(f"SELECT sum(size) FROM '{day}/*.parquet'").fetchone() == (3.0,)


def test_nothing_is_fetched_to_load_the_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home: no installed extensions; a proxy that refuses: no way out."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Writer(tmp_path / "h", commit_every=3600) as writer:
        writer.append(T0, numbered(1, T0))
        writer.commit()
    assert not (tmp_path / "home").exists()


def test_a_truncated_file_fails_its_own_queries_and_no_others(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for day in (0, 1):
            writer.write_past("arcstats", arc(T0 + day * DAY, 100))
        writer.append(T0, numbered(1, T0))
        writer.commit()
        victim = next(p for p, _ in writer.files("arcstats") if f"day={pd.Timestamp(T0, unit='s').day}/" in p)
        Path(victim).write_bytes(Path(victim).read_bytes()[:-40])
        with pytest.raises(StoreError, match=Path(victim).name):
            store.window("arcstats", T0, T0 + 100)
        assert len(store.window("arcstats", T0 + DAY, T0 + DAY + 100)) == 100
        assert len(store.window("arcstats", T0, T0 + 7200, points=120)) > 0  # the minutes are whole
        assert len(store.window("source_health", T0, T0 + 100)) == 1


def many_keys(second: int, n: int = 400) -> pd.DataFrame:
    """One second's answer to a question that has `n` keys on one host."""
    counts = np.zeros((n, 150), int)
    counts[np.arange(n), 80 + (np.arange(n) + second) % 40] = 1
    return SCHEMAS["dtrace"].frame(
        {
            "time": [second * 1_000_000] * n, "host": ["ms2"] * n, "question": ["q"] * n,
            "keys": [[f"10.0.0.{i}"] for i in range(n)], "agg": ["quantize"] * n, "bounds": ["log2:4"] * n,
            "counts": counts.tolist(), "drops": [0.0] * n,
        }
    )  # fmt: skip


def test_a_question_of_very_many_keys_is_taken_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one piece 10,000 keys a second of one host were more than DuckDB may hold: no table was taken any more."""
    monkeypatch.setattr(history, "_ROLLUP_BYTES", 1 << 20)
    monkeypatch.setattr(history, "_INSERT_BYTES", 2 << 20)
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i in range(20):
            writer.append(T0 + i, {"dtrace": many_keys(T0 + i)})
        writer.commit()
        assert len(writer.files("dtrace")) > 2
        raw = store.window("dtrace", T0, T0 + 20)
        assert len(raw) == 20 * 400
        assert not raw.duplicated(["time"]).all()
        summed = store.window("dtrace", T0, T0 + 60, points=1)
        assert len(summed) == 400
        assert sum(map(sum, summed["counts"])) == 20 * 400
        writer.maintain()
        assert len(store.window("dtrace", T0, T0 + 20)) == 20 * 400


def test_a_backlog_is_taken_in_pieces_of_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Writer(tmp_path, commit_every=3600) as writer:
        for i in range(6):
            writer.append(T0 + i, {"dtrace": many_keys(T0 + i, 50)})
        _, size = writer.waiting()
        cut = writer._spool.cut
        assert [cut(None, size=n) for n in (1, size // 2, size)] == [1, 3, 6]
        assert cut(T0 + 2.0, size=size) == 2
        assert cut(None, limit=4) == 4
