"""docs/adding-a-source.md and its template: what a newcomer copies works, and what the page says is there."""

from __future__ import annotations

import importlib
import re
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
