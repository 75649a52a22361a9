"""docs/adding-a-source.md and its template: what a newcomer copies works, and what the page says is there."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from collectors.base import Context, ParseError, parse_text
from frames.schemas import SCHEMAS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "adding-a-source.md").read_text()


@pytest.fixture
def template() -> Iterator[ModuleType]:
    loader = SourceFileLoader("open_files", str(DOCS / "template" / "open_files.py"))
    spec = spec_from_loader("open_files", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    yield module
    del SCHEMAS["open_files"]  # declared by the template, and no table of ours


def test_the_template_reads_its_recording(template: ModuleType) -> None:
    case = yaml.safe_load((DOCS / "template" / "linux-busy.yml").read_text())
    variant = next(v for v in template.SOURCE.variants if v.name == case["variant"])
    frame = parse_text(variant, (DOCS / "template" / "linux-busy.txt").read_text(), os=case["os"])["open_files"]
    assert len(frame) == case["rows"]["open_files"]
    assert frame["open"].tolist() == [1216, 1344]
    assert frame["limit"].tolist()[1] == 4096


def test_the_template_reads_kstat_and_names_what_it_cannot(template: ModuleType) -> None:
    kstat = template.SOURCE.variants[1]
    frame = parse_text(kstat, "1795467211\nunix:0:file_cache:buf_inuse\t1234\n")["open_files"]
    assert frame["open"].tolist() == [1234]
    parser = kstat.parser(Context("h", "solaris10", 5.0))
    parser.feed("what", 0.0)
    with pytest.raises(ParseError, match="line 1"):
        parser.end(0.0)


def test_a_package_of_ones_own_brings_it(tmp_path: Path) -> None:
    """Installed as pip leaves a package: a module and a dist-info with the entry point that the page shows."""
    shown = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    ((group, points),) = tomllib.loads(shown[1])["project"]["entry-points"].items()
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(DOCS / "template" / "open_files.py", package)
    told = tmp_path / "my_package-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    run = subprocess.run(
        [sys.executable, "-m", "zonescope", "parse", "open_files", str(DOCS / "template" / "linux-busy.txt")],
        capture_output=True,
        text=True,
        cwd=DOCS.parent,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=True,
    )
    assert [line.split(",")[1] for line in run.stdout.splitlines()[1:]] == ["open", "1216.0", "1344.0"]


def test_a_package_that_cannot_be_imported_stops_no_other(tmp_path: Path) -> None:
    told = tmp_path / "broken-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (told / "entry_points.txt").write_text("[zonescope.sources]\nx = no_such_module_of_mine:SOURCE\n")
    run = subprocess.run(
        [sys.executable, "-m", "zonescope", "parse", "host_load", "-"],
        input="",
        capture_output=True,
        text=True,
        cwd=DOCS.parent,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    said = run.stdout + run.stderr
    assert "no_such_module_of_mine:SOURCE" in said
    assert "Traceback" not in said
    assert "0 rows" in said


def test_the_page_shows_the_recordings_expectation() -> None:
    shown = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    case = yaml.safe_load((DOCS / "template" / "linux-busy.yml").read_text())
    assert yaml.safe_load(shown[1]).items() <= case.items()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", PAGE))
def test_links(link: str) -> None:
    assert (DOCS / link).exists()


@pytest.mark.parametrize("dotted", sorted(set(re.findall(r"`(collectors(?:\.\w+)+)`", PAGE))))
def test_names_of_code(dotted: str) -> None:
    try:
        importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
