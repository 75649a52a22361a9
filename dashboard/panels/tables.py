"""Tables of newest values: rows with a state, columns with a unit in their head; assets/zs-82-tables.js draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from dashboard.live import Live
from dashboard.panels.data import number
from frames.schemas import SCHEMAS

State = Literal["", "warn", "bad"]
ICONS: dict[State, str] = {"": "", "warn": "warn", "bad": "trouble"}
Cell = float | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """`unit` SI, as the browser scales it (one scale a column); "text" for words, "time" for epoch seconds, "count" for
    what has no unit, "bytes" for bytes that differ too much for one scale. `cap`: the id of the column whose value is
    this one's limit, written beside it. `phone`: also shown there."""

    id: str
    head: str
    unit: str = "text"
    meaning: str = ""
    cap: bool = False
    phone: bool = False

    def wire(self) -> dict[str, Any]:
        return {"id": self.id, "head": self.head, "unit": self.unit, "title": self.meaning, "cap": self.cap} | {
            "phone": self.phone
        }


@dataclass(frozen=True, slots=True)
class Row:
    """`cells` by column; `states`: columns whose value is a warning or bad; `href`: where its name leads."""

    id: str
    label: str
    cells: Mapping[str, Cell]
    states: Mapping[str, State] = field(default_factory=dict)
    href: str = ""
    note: str = ""
    quiet: bool = False

    @property
    def state(self) -> State:
        found = set(self.states.values())
        return "bad" if "bad" in found else "warn" if "warn" in found else ""


def column(table: str, name: str, head: str, unit: str = "", **more: Any) -> Column:
    """A column of a frame: its unit and meaning are those that the schema declares, unless what is counted is named."""
    declared = SCHEMAS[table].by_name[name]
    return Column(name, head, unit or declared.unit or "text", declared.meaning, **more)


def table(
    columns: Sequence[Column], rows: Sequence[Row], *, empty: str = "", hint: str = "", sort: str = ""
) -> dict[str, Any]:
    """The JSON of a table view. `sort`: the column it opens on, descending; '' for the order of `rows`."""
    return {
        "columns": [c.wire() for c in columns],
        "rows": [
            {
                "id": r.id,
                "label": r.label,
                "href": r.href,
                "note": r.note,
                "quiet": r.quiet,
                "state": r.state,
                "icon": ICONS[r.state],
                "cells": [_cell(r.cells.get(c.id)) for c in columns],
                "states": [r.states.get(c.id, "") for c in columns],
            }
            for r in rows
        ],
        "sort": sort,
        "empty": "" if rows else empty,
        "hint": "" if rows else hint,
    }


def _cell(value: Cell) -> Cell:
    if isinstance(value, str):
        return value
    return None if value is None or pd.isna(value) else number(float(value))


def newest(live: Live, name: str, at: float | None, within: float, host: str = "") -> pd.DataFrame:
    """The newest row of each series of table `name`, of now (`at` None) or as of `at`."""
    where = {"host": [host]} if host else None
    if at is None:
        return live.latest(name, within=within, where=where)
    return live.store.latest(name, at=at, within=max(within, 60.0), where=where)


def value(row: Row, column: str) -> float | None:
    """A number of a row, None where it is missing."""
    found = row.cells.get(column)
    return None if found is None or isinstance(found, str) or pd.isna(found) else float(found)
