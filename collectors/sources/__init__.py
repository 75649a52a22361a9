"""Every source, found by name: the modules of this package and the entry points "zonescope.sources".

A module has `SOURCE`, or `SOURCES` where one command yields several.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

import structlog

from collectors.base import Source

log = structlog.get_logger("sources")


@cache
def load() -> dict[str, Source]:
    """Source name -> Source. A user's own package brings one by an entry point that names its SOURCE.

    One that cannot be imported is told of and left out. Raises TypeError naming the entry point when it is not a
    Source, ValueError when two share a name.
    """
    found: dict[str, Source] = {}

    def add(source: object, where: str) -> None:
        if not isinstance(source, Source):
            raise TypeError(f"{where}: not a collectors.base.Source")
        if source.name in found:
            raise ValueError(f"{where}: a source named {source.name!r} exists already")
        found[source.name] = source

    for module in iter_modules(__path__):
        loaded = import_module(f"{__name__}.{module.name}")
        for source in loaded.SOURCES if hasattr(loaded, "SOURCES") else (loaded.SOURCE,):
            add(source, loaded.__name__)
    for point in entry_points(group="zonescope.sources"):
        try:
            source = point.load()
        except Exception as e:  # somebody's package must not stop the others
            log.error("a source cannot be loaded, left out", entry_point=point.value, why=f"{type(e).__name__}: {e}")
        else:
            add(source, f"entry point {point.value}")
    return found
