"""Recordings of others, read in place: they are not ours to copy. ZONESCOPE_CORPUS names their folder.

    @pytest.mark.corpus
    @pytest.mark.parametrize("path", corpus("zpool-status"), ids=name)
    def test_…(path): …

Where the folder is absent the one parameter is a skip that says so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

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
    return path.read_text(encoding="utf-8", errors="replace")
