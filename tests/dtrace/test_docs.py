"""docs/dtrace.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from collectors.dtrace import catalogue
from collectors.dtrace.door import Policy
from frames.metrics import question

DOCS = (Path(__file__).parents[2] / "docs" / "dtrace.md").read_text()


def test_the_table_is_the_librarys() -> None:
    assert DOCS.split("<!-- catalogue -->\n")[1].split("<!-- end -->")[0] == catalogue.markdown()


def test_the_examples_are_questions_and_read_so() -> None:
    shown = re.findall(r"^\| `(\w+/by=\S+)` \| (.+) \|$", DOCS, re.M)
    assert len(shown) == 3
    assert [question(asked).sentence for asked, _ in shown] == [sentence for _, sentence in shown]


def test_the_limits_are_the_doors() -> None:
    p = Policy()
    assert (p.default, p.limit, p.unwatched, p.at_once) == (600, 3600, 60, 4)
    assert (p.drops, p.drops_for, p.cpu, p.cpu_for) == (1000, 10, 0.25, 30)
    for words in (
        "600 s",
        "an hour",
        "a\n  minute after",
        "1000 records a second for 10 s",
        "a quarter of a CPU for 30 s",
    ):
        assert words in DOCS, words
