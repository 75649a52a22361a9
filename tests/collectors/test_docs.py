"""docs/hosts-file.md names every key that hosts.toml may have, and its example is valid."""

import re
from pathlib import Path

import pytest

from collectors.inventory import Host, Pair, load
from collectors.sources import load as sources

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hosts-file.md").read_text()


@pytest.mark.parametrize("key", [*Host.model_fields, *Pair.model_fields])
def test_every_key_is_documented(key):
    assert re.search(rf"^\| .*`{key}`", TEXT, re.MULTILINE)


def test_the_example_is_valid(tmp_path):
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert example
    path = tmp_path / "hosts.toml"
    path.write_text(example[1])
    assert set(load(path, sources()).hosts) == {"ms2", "ma2"}


def options_in_code():
    code = "".join(p.read_text() for p in sorted((ROOT / "collectors").rglob("*.py")))
    return sorted(set(re.findall(r'"option:(\w+)"', code)) - {"dtrace"})  # a key of its own


@pytest.mark.parametrize("option", options_in_code())
def test_every_option_of_a_source_is_documented(option):
    assert re.search(rf"^\| `{option}` \|", TEXT, re.MULTILINE)
