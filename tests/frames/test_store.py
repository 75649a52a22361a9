"""The store against a plain reading of the same rows: whatever was committed, spooled, late or rolled up."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from frames.schemas import SCHEMAS, SchemaError
from frames.store import Prefix, Store, StoreError, Writer
from tests.frames.samples import numbered

T0 = 1_790_000_000 // 3600 * 3600


def observations(dice: random.Random, seconds: int) -> list[dict[str, object]]:
    """Rows of two hosts' vdevs with holes, missing values and late ones, as (second of arrival, row)."""
    out = []
    for i in range(seconds):
        for host in ("ma1", "ms2"):
            for vdev in ("", "raidz2-0/c3t7d0"):
                if dice.random() < 0.1:
                    continue
                out.append(
                    {
                        "time": (T0 + i * 21) * 1_000_000,
                        "host": host,
                        "pool": "mail",
                        "vdev": vdev,
                        "kind": dice.choice(["disk", "spare"]),
                        "alloc": None if dice.random() < 0.3 else float(dice.randrange(1000)),
                        "read_ops": float(dice.randrange(50)),
                        "arrived": i + (dice.randrange(50, 300) if dice.random() < 0.05 else 0),
                    }
                )
    return out


def reference(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    """The bucket table by pandas alone."""
    at = rows.assign(bucket=rows["time"] // (step * 1_000_000) * step).sort_values("time")
    groups = at.groupby(["host", "pool", "vdev", "bucket"], sort=True)
    return groups.agg(
        alloc=("alloc", "mean"), alloc_min=("alloc", "min"), alloc_max=("alloc", "max"),
        read_ops=("read_ops", "mean"), n=("read_ops", "size"), kind=("kind", "last"), kinds=("kind", set),
    ).reset_index()  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_windows_of_every_width_agree_with_pandas(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    rows = observations(dice, 500)
    by_arrival: dict[int, list[dict[str, object]]] = {}
    for r in rows:
        by_arrival.setdefault(int(str(r["arrived"])), []).append(r)
    names = ["time", "host", "pool", "vdev", "kind", "alloc", "read_ops"]
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i, (_, batch) in enumerate(sorted(by_arrival.items())):
            table = SCHEMAS["zpool_iostat"].table({n: [r[n] for r in batch] for n in names})
            writer.append(T0 + i, {"zpool_iostat": table})
            if dice.random() < 0.012:
                writer.commit()
            if dice.random() < 0.004:
                writer.maintain()
        whole = pd.DataFrame(rows)
        end = T0 + 500 * 21
        for points, step in ((11_000, 1), (1100, 10), (200, 60), (25, 420), (4, 3600), (1, 10_800)):
            want = reference(whole, step)
            got = store.window("zpool_iostat", T0, end, points=points)
            assert got.attrs["step"] == step
            got["bucket"] = got["time"].astype("int64") // 1_000_000
            assert len(got) == len(want)
            for c in ("host", "vdev", "bucket", "n"):
                assert got[c].tolist() == want[c].tolist(), (step, c)
            if step < 60:  # a rollup keeps the last label of each commit; which of them came last it cannot say
                assert got["kind"].tolist() == want["kind"].tolist()
            assert all(k in kinds for k, kinds in zip(got["kind"], want["kinds"], strict=True))
            for c in ("alloc", "alloc_min", "alloc_max", "read_ops"):
                np.testing.assert_allclose(got[c], want[c], rtol=1e-9)
        raw = store.window("zpool_iostat", T0, end)
        assert len(raw) == len(rows)


def test_filters_columns_and_gaps(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i in (0, 1, 2, 50, 51):
            frame = {"time": [(T0 + i) * 1_000_000] * 3, "host": ["a"] * 3, "question": ["q"] * 3}
            frame["keys"] = [["sd0"], ["sd1", "x"], []]
            frame["value"] = [1.0, 2.0, 3.0]
            frame["agg"] = ["count", None, "sum"]
            writer.append(T0 + i, {"dtrace": SCHEMAS["dtrace"].table(frame)})
            if i == 1:
                writer.commit()

        def values(**where: list[object]) -> list[float]:
            return sorted(store.window("dtrace", T0, T0 + 1, where=where, columns=["value"])["value"])

        assert values(keys=[["sd0"]]) == [1.0]
        assert values(keys=[["sd1"]]) == []
        assert values(keys=["x"]) == [2.0]
        assert values(keys=[[]]) == [3.0]
        assert values(agg=[None, "sum"]) == [2.0, 3.0]
        assert values(question=[Prefix("q")], agg=["count"]) == [1.0]
        assert values(host=[]) == []
        assert values(host=["a'; DROP TABLE lake.dtrace; --"]) == []
        with pytest.raises(SchemaError, match="cannot filter by 'value'"):
            values(value=[1.0])
        window = store.window("dtrace", T0, T0 + 60, points=6, where={"keys": [["sd0"]]}, columns=["value"])
        assert ((window["time"].astype("int64") // 10**6) - T0).tolist() == [0, 50]  # 10 to 49: no row
        assert list(window.columns) == ["time", "host", "question", "keys", "value", "value_min", "value_max", "n"]


def test_histograms_of_unequal_length_add_up(tmp_path: Path) -> None:
    lists = [[1, 2], [1, 2, 3], None, [], [0, 0, 0, 4]]
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i, counts in enumerate(lists):
            frame = {"time": [(T0 + i) * 1_000_000], "host": ["a"], "question": ["q"], "keys": [["k"]]}
            writer.append(T0 + i, {"dtrace": SCHEMAS["dtrace"].table(frame | {"counts": [counts]})})
            if i % 2:
                writer.commit()
        for points in (1, 3600):
            window = store.window("dtrace", T0, T0 + 3600, points=points, columns=["counts"])
            total = np.zeros(4, dtype=int)
            for counts in window["counts"]:
                if isinstance(counts, list | np.ndarray):
                    total[: len(counts)] += np.asarray(counts, dtype=int)
            assert total.tolist() == [2, 4, 3, 4]


def test_the_arc_target_keeps_its_own_limits(tmp_path: Path) -> None:
    """The schema's c_min and c_max are gauges of their own, not the extremes of c."""
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        for i, c in enumerate((5.0, 7.0)):
            frame = {"time": [(T0 + i) * 1_000_000], "host": ["a"], "c": [c], "c_min": [1.0], "c_max": [9.0]}
            writer.append(T0 + i, {"arcstats": SCHEMAS["arcstats"].table(frame)})
        writer.commit()
        row = store.window("arcstats", T0, T0 + 60, points=1, columns=["c", "c_min", "c_max"]).iloc[0]
        assert (row["c"], row["c_lowest"], row["c_highest"]) == (6.0, 5.0, 7.0)
        assert (row["c_min"], row["c_max"], row["c_min_min"]) == (1.0, 9.0, 1.0)


def test_an_empty_folder_answers_and_becomes_a_history(tmp_path: Path) -> None:
    with Store(tmp_path / "none") as store:
        for name, schema in SCHEMAS.items():
            assert store.window(name, T0, T0 + 9).empty
            assert list(store.latest(name).columns) == schema.names
            assert set(schema.keys) <= set(store.window(name, T0, T0 + 9, points=3).columns)
        assert store.span() is None
        assert store.events(T0, T0 + 9).empty
        with Writer(tmp_path / "none", commit_every=3600) as writer:
            writer.append(T0, numbered(1, T0))
            assert len(store.window("arcstats", T0, T0 + 9)) == 1
            writer.commit()
            assert len(store.window("arcstats", T0, T0 + 9)) == 1
            writer.append(T0 + 1, numbered(2, T0 + 1))
            assert store.latest("arcstats", at=T0 + 1)["size"].tolist() == [2.0]
            assert store.latest("arcstats", at=T0)["size"].tolist() == [1.0]
            assert store.latest("arcstats", at=T0 + 90).empty
            assert store.span() == (T0, T0 + 1)
    with pytest.raises(SchemaError, match="no table 'nonsense'"):
        store.window("nonsense", 0, 1)


@pytest.mark.parametrize("moment", ["after the spool was read", "before the tables are looked for"])
@pytest.mark.parametrize("ask", ["rows", "minutes", "hours", "latest", "events"])
def test_a_first_commit_in_the_middle_of_an_answer_doubles_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: str, moment: str
) -> None:
    """The history comes into being while the first question is being answered: the spool was read, then it was made
    and took what was spooled."""
    answers = {
        "rows": lambda store: store.window("arcstats", T0, T0 + 9)["size"].sum(),
        "minutes": lambda store: store.window("source_health", T0, T0 + 60, points=1)["lines"].sum() + 1,
        "hours": lambda store: store.window("source_health", T0, T0 + 48 * 3600, points=48)["lines"].sum() + 1,
        "latest": lambda store: store.latest("arcstats", at=T0 + 1)["size"].sum() + 1,
        "events": lambda store: store.events(T0, T0 + 9)["text"].astype(float).sum(),
    }
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        writer.append(T0, numbered(1, T0))
        writer.append(T0 + 1, numbered(2, T0 + 1))
        place, name = (store._spool, "frames") if moment.startswith("after") else (store, "_parts")
        asked = getattr(place, name)

        def then_committed(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.undo()
            found = asked(*args, **kwargs) if place is store._spool else None
            writer.commit()
            writer.maintain()
            return asked(*args, **kwargs) if found is None else found

        monkeypatch.setattr(place, name, then_committed)
        assert answers[ask](store) == 3.0
        assert answers[ask](store) == 3.0


def test_events_that_last_are_found_in_their_middle(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer, Store(tmp_path) as store:
        frame = {"time": [T0 * 1_000_000], "host": ["a"], "kind": ["phase"], "until": [(T0 + 600) * 1_000_000]}
        writer.append(T0, {"events": SCHEMAS["events"].table(frame)})
        for commit in (False, True):
            if commit:
                writer.commit()
            assert len(store.events(T0 + 300, T0 + 310)) == 1
            assert len(store.events(T0 + 300, T0 + 310, kind=["link"])) == 0
            assert store.events(T0 + 601, T0 + 610).empty
            assert store.events(T0 - 10, T0).empty


def test_one_writer_and_frames_that_do_not_fit(tmp_path: Path) -> None:
    with Writer(tmp_path, commit_every=3600) as writer:
        with pytest.raises(StoreError, match=r"another collector \(pid \d+\) writes here"):
            Writer(tmp_path)
        with pytest.raises(SchemaError, match="unknown column 'colour'"):
            writer.append(T0, {"arcstats": pa.table({"time": [T0], "host": ["a"], "colour": ["red"]})})
        assert writer.waiting() == (0, 0)
        first = writer.append(T0, {})
    with Writer(tmp_path, commit_every=3600) as writer:
        assert writer.append(T0, numbered(1, T0)) == first + 1
        writer.commit()
        (tmp_path / "spool.sqlite").unlink()
    with Writer(tmp_path, commit_every=3600) as writer:  # the mark alone keeps the numbers from repeating
        assert writer.append(T0, numbered(1, T0)) > first + 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/history: cannot be written: Not a directory"):
        Writer(tmp_path / "file" / "history")
