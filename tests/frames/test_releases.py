"""A store that another release writes: columns it does not know are missing, columns that only it knows do no harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from frames.schemas import SCHEMAS, Column, Schema, SchemaError
from frames.store import Store, Writer

T0 = 1_790_000_000
NOW = SCHEMAS["host_load"]
OLDER = replace(NOW, columns=tuple(c for c in NOW.columns if c.name != "page_out"))
NEWER = replace(NOW, columns=(*NOW.columns, Column("lunar_phase", "float", "1", "gauge", "of a later release")))


def load(schema: Schema, t: int) -> pa.Table:
    values = {"time": [t * 1_000_000], "host": ["ms2"], "cpu_user": [1.5], "page_out": [7.0], "lunar_phase": [0.5]}
    return schema.table({k: v for k, v in values.items() if k in schema.names})


@pytest.mark.parametrize("committed", [False, True], ids=["spooled", "committed"])
@pytest.mark.parametrize(("other", "page_out"), [(OLDER, []), (NEWER, [7.0])], ids=["older", "newer"])
def test_what_another_release_wrote_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Schema, page_out: list[float], committed: bool
) -> None:
    with monkeypatch.context() as as_it_was:
        as_it_was.setitem(SCHEMAS, "host_load", other)
        with Writer(tmp_path) as writer:
            writer.append(T0, {"host_load": load(other, T0)})
            if committed:
                writer.commit()
                writer.append(T0 + 1, {"host_load": load(other, T0 + 1)})
    with Store(tmp_path) as store:
        for points in (None, 10):
            found = store.window("host_load", T0 - 5, T0 + 5, points=points)
            assert found["cpu_user"].tolist() == [1.5] * (1 + committed)
            assert found["page_out"].dropna().tolist() == page_out * (1 + committed)
        newest = store.latest("host_load", at=T0 + 2)
        assert newest["cpu_user"].tolist() == [1.5]
        assert list(newest.columns) == NOW.names


def test_a_column_of_another_type_is_refused() -> None:
    other = pa.table({"time": [T0], "host": ["ms2"], "cpu_user": ["much"]})
    with pytest.raises(SchemaError, match="host_load"):
        NOW.fitted(other)
