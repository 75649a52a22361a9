"""Panels: pure functions from frames to `PanelData`, each registered by name.

To add a panel (half an hour):

1. Write a function in a module of this package (or of dashboard/pages) and decorate it:

       @panel("pool_frag", kind="lines", title="Fragmentation", subtitle="% of free space",
              source="zpool list, 60 s", tables={"pool_capacity": Need(("frag",), by=("host",))})
       def pool_frag(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
           return lines(frames["pool_capacity"], "pool", "frag", grid, known, unit="1")

   `frames` holds each table named in `tables` as `frames.store.Store.window` gives it, already bucketed to
   `grid`: `time` is the bucket's start, a gauge or rate `c` has `c` (mean), `c_min` and `c_max`, `n` samples.
   `by` are the columns that the query restricts: {"host": "ms2"} becomes where host is ms2.
   `known` are the ids of the series that a page already draws (empty for a fill): whoever picks "the top eight
   and the rest" keeps them, so that live columns go on in the same lines. The same function serves fills of
   history, live columns, CSV and tests: no SQL, no clock, no socket in it.

2. Import its module in `load()` below, if it is a new one.

3. Put `panel_shell("pool_frag", {"host": name})` (dashboard/shell.py) on a page.

A view is what is no panel: `@view("host_head")` on a function (live, query, at) -> JSON-able dict, pushed every
second and drawn by `zs.view("host_head", (el, data) => …)` in assets. `at` is epoch seconds of the range's end
for the past, None for live. Put `view_shell("host_head", {"host": name})` on the page.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from dashboard.panels.data import Grid, Kind, PanelData

if TYPE_CHECKING:
    from dashboard.live import Live

Query = Mapping[str, Any]
Frames = Mapping[str, pd.DataFrame]
Known = Sequence[str]
Build = Callable[[Frames, Query, Grid, Known], PanelData]
ViewFunction = Callable[["Live", Query, float | None], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Need:
    """What a panel reads of a table: its columns (() for all) and the keys that the query restricts."""

    columns: tuple[str, ...] = ()
    by: tuple[str, ...] = ("host",)
    where: Mapping[str, list[str]] = field(default_factory=dict)
    """Restrictions that do not come from the query."""

    def restrict(self, query: Query) -> dict[str, list[str]]:
        """`where` for Store.window: values of the query, one or a list each; an absent key does not restrict."""
        out = {k: list(v) for k, v in self.where.items()}
        for k in self.by:
            if (v := query.get(k)) not in (None, "", []):
                out[k] = [str(x) for x in v] if isinstance(v, list) else [str(v)]
        return out


@dataclass(frozen=True, slots=True)
class Panel:
    """A registered panel. `cost`: 'kstat' is nearly free, 'dtrace' is not; told apart on sight."""

    name: str
    kind: Kind
    title: str
    build: Build
    tables: Mapping[str, Need]
    subtitle: str = ""
    source: str = ""
    cost: Literal["kstat", "dtrace"] = "kstat"
    least_step: float = 1.0
    """Never ask for columns shorter than this, seconds."""
    span: float = 0.0
    """A panel with a time of its own (the strip over a page): seconds back from the range's end."""
    context: float = 0.0
    """Seconds before the newest column that the function needs for live columns too, to judge a state."""
    step: float = 0.0
    """Width of a column in seconds whatever the range; 0: what the range and the plot's width ask for."""
    lookback: float = 0.0
    """A fill's frames begin at least this many seconds before now, whatever the range: what a forecast is made of."""


PANELS: dict[str, Panel] = {}
VIEWS: dict[str, ViewFunction] = {}


def panel(
    name: str,
    *,
    kind: Kind,
    title: str,
    tables: Mapping[str, Need],
    subtitle: str = "",
    source: str = "",
    cost: Literal["kstat", "dtrace"] = "kstat",
    least_step: float = 1.0,
    span: float = 0.0,
    context: float = 0.0,
    step: float = 0.0,
    lookback: float = 0.0,
) -> Callable[[Build], Build]:
    """Registers a panel function. Raises ValueError if the name is taken by another function."""

    def register(build: Build) -> Build:
        old = PANELS.get(name)
        if old is not None and old.build.__module__ != build.__module__:
            raise ValueError(f"panel {name!r} exists in {old.build.__module__}")
        PANELS[name] = Panel(
            name, kind, title, build, tables, subtitle, source, cost, least_step, span, context, step, lookback
        )
        return build

    return register


def view(name: str) -> Callable[[ViewFunction], ViewFunction]:
    """Registers a view function. Raises ValueError if the name is taken by another module."""

    def register(function: ViewFunction) -> ViewFunction:
        old = VIEWS.get(name)
        if old is not None and old.__module__ != function.__module__:
            raise ValueError(f"view {name!r} exists in {old.__module__}")
        VIEWS[name] = function
        return function

    return register


MODULES = (
    "dashboard.panels.accounts",
    "dashboard.panels.arc",
    "dashboard.panels.capacity",
    "dashboard.panels.disks",
    "dashboard.panels.dtrace",
    "dashboard.panels.fleet",
    "dashboard.panels.health",
    "dashboard.panels.host",
    "dashboard.panels.mail",
    "dashboard.panels.migration",
    "dashboard.panels.own",
    "dashboard.panels.transfers",
    "dashboard.panels.pools",
    "dashboard.panels.vdevs",
    "dashboard.panels.vdev_tree",
    "dashboard.panels.vitals",
    "dashboard.panels.zones",
)
"""Modules of panels and views."""


def load() -> dict[str, Panel]:
    """Every panel there is, by name."""
    for name in MODULES:
        importlib.import_module(name)
    return PANELS
