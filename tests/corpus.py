"""Recordings of others, read in place: they are not ours to copy. ZONESCOPE_CORPUS names their folder.

    @pytest.mark.corpus
    @pytest.mark.parametrize("path", corpus("zpool-status"), ids=name)
    def test_…(path): …

Where the folder is absent the one parameter is a skip that says so.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from collectors.saved import Saved
from collectors.saved import read as read_saved
from collectors.sources import load

_BESIDE = next(iter(sorted(Path(__file__).parents[2].glob("*/corpus"))), Path("corpus"))
ROOT = Path(os.environ.get("ZONESCOPE_CORPUS") or _BESIDE)


def corpus(command: str) -> list[Any]:
    """The recordings of `command`, sorted; one skipped parameter where there is no corpus."""
    if not ROOT.is_dir():
        why = f"no recordings of others at {ROOT}: set ZONESCOPE_CORPUS to their folder"
        return [pytest.param(Path(command), marks=pytest.mark.skip(reason=why))]
    return sorted((ROOT / command).glob("*.txt"))


def name(path: Path) -> str:
    """'zpool-status/linux-7' for a test's id."""
    return f"{path.parent.name}/{path.stem}"


def read(path: Path) -> str:
    """Its text; a skip where the folder is another selection of recordings, without it."""
    if not path.is_file():
        pytest.skip(f"{name(path)} is not among the recordings at {ROOT}")
    return path.read_text(encoding="utf-8", errors="replace")


EMPTY = re.compile(r"no (?:pools|datasets) available|all pools are healthy|pool '.+' is healthy")
"""What a tool says where there is nothing to tell: why such a recording has no rows."""


def still_parses(source: str, path: Path) -> Saved:
    """A recording without figures here: rows come of it, and nothing is refused but a last line that was cut."""
    text = read(path)
    got = read_saved(load()[source], text)
    last = len(text.rstrip().splitlines())
    assert [why for why in got.complaints if f": line {last}, " not in why] == []
    assert got.rows or EMPTY.search(text), f"no row of {name(path)}"
    return got
