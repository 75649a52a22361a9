"""Whatever arrives: the same frame however it is chunked, ParseError with line and column, never anything else.

Every source that is found is held to this, over its own recordings.
"""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectors.base import Batch, Context, ParseError, Parser, Variant
from collectors.lines import LineSplitter
from collectors.sources import load
from frames.schemas import SCHEMAS

RECORDED = Path(__file__).parents[1] / "recorded"
FACTS = {"ncpu": "4", "page_size": "4096"}
MOST = 40_000  # characters of a recording; the rest repeats
TOO_LONG = 20.0  # seconds for one text; a hang, not a slow machine

VARIANTS = {f"{name}/{v.name}": v for name, source in load().items() for v in source.variants}


def recordings() -> dict[str, tuple[Variant, str]]:
    out = {}
    for name, source in load().items():
        for path in sorted((RECORDED / name).glob("*.yml")):
            case = yaml.safe_load(path.read_text())
            if isinstance(case, dict):
                variant = next(v for v in source.variants if v.name == case["variant"])
                text = path.with_suffix(".txt").read_text(encoding="utf-8", errors="replace")
                out[f"{name}/{path.stem}"] = (variant, text[:MOST])
    return out


TEXTS = recordings()
FAST = settings(max_examples=25, suppress_health_check=list(HealthCheck))


class Reader:
    """Feeds a parser and keeps what it gives; every error must name a line that was fed and a column in it."""

    def __init__(self, variant: Variant) -> None:
        self.parser: Parser = variant.parser(Context("h", variant.systems[0], 1.0, FACTS))
        self.batches: list[Batch] = []
        self.errors: list[tuple[int, int]] = []
        self.lines: list[str] = []

    def feed(self, lines: list[str]) -> None:
        for line in lines:
            self.lines.append(line)
            try:
                self.batches += self.parser.feed(line, 0.0)
            except ParseError as e:
                self._note(e)

    def end(self) -> None:
        try:
            self.batches += self.parser.end(0.0)
        except ParseError as e:
            self._note(e)

    def _note(self, e: ParseError) -> None:
        assert 1 <= e.line_no <= len(self.lines)
        assert e.column >= 0
        assert e.why
        self.errors.append((e.line_no, e.column))

    def frames(self) -> dict[str, pa.Table]:
        """All batches of a table behind each other; each has fitted its schema."""
        parts: dict[str, list[pa.Table]] = {}
        for b in self.batches:
            n = len(next(iter(b.columns.values())))
            stamped = b.columns if "time" in b.columns else {**b.columns, "time": [0] * n}
            parts.setdefault(b.table, []).append(
                SCHEMAS[b.table].check(SCHEMAS[b.table].table({**stamped, "host": ["h"] * n}))
            )
        return {t: pa.concat_tables(p).combine_chunks() for t, p in parts.items()}


def read(variant: Variant, text: str) -> Reader:
    r = Reader(variant)
    r.feed(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"))
    r.end()
    return r


@pytest.mark.parametrize("case", TEXTS)
@FAST
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_chunks_do_not_matter(case: str, sizes: list[int]) -> None:
    variant, text = TEXTS[case]
    data = text.encode()
    splitter, chunked = LineSplitter(), Reader(variant)
    at = i = 0
    while at < len(data):
        chunked.feed(splitter.feed(data[at : at + sizes[i % len(sizes)]]))
        at += sizes[i % len(sizes)]
        i += 1
    chunked.feed(splitter.end())
    chunked.end()
    whole = read(variant, text)
    assert chunked.errors == whole.errors
    assert chunked.frames() == whole.frames()


@pytest.mark.parametrize("case", TEXTS)
@FAST
@given(data=st.data())
def test_a_cut_text_makes_nothing_up(case: str, data: st.DataObject) -> None:
    """Cut between lines: only series that the whole text has. Cut within a line: a frame that fits, or an error."""
    variant, text = TEXTS[case]
    cut = data.draw(st.integers(0, len(text)))
    part = read(variant, text[: text.rfind("\n", 0, cut) + 1])
    whole = read(variant, text)
    if not part.errors and not whole.errors:
        for table, frame in part.frames().items():
            if SCHEMAS[table].kind == "series":  # an event may be what the cut made: a zone that is gone
                assert series(table, frame) <= series(table, whole.frames()[table])
    read(variant, text[:cut]).frames()


def series(table: str, frame: pa.Table) -> set[tuple[str, ...]]:
    """The keys of every row, lists as text."""
    return set(zip(*(map(str, frame[k].to_pylist()) for k in SCHEMAS[table].keys), strict=True))


@pytest.mark.parametrize("case", TEXTS)
@FAST
@given(data=st.data())
def test_damage_is_named_and_passes(case: str, data: st.DataObject) -> None:
    """Any slice replaced by anything: no other error, a frame that fits, and the parser reads on afterwards."""
    variant, text = TEXTS[case]
    a = data.draw(st.integers(0, len(text)))
    b = data.draw(st.integers(a, min(len(text), a + 400)))
    junk = data.draw(st.one_of(st.text(max_size=60), st.text("0123456789.:-%KMG \t\n/=", max_size=120)))
    begun = time.monotonic()
    read(variant, text[:a] + junk + text[b:]).frames()
    assert time.monotonic() - begun < TOO_LONG


@pytest.mark.parametrize("name", VARIANTS)
@FAST
@given(st.one_of(st.text(max_size=2000), st.binary(max_size=2000).map(lambda b: b.decode("latin-1"))))
@example("0\n\r0")
@example("9" * 400 + "\n")
@example("\t" * 50 + "\n" + "0 " * 50)
@example(" " * 3000 + "\n" + "a" + " " * 3000)
@example("1" * 60_000)
@example("a " * 30_000)
def test_random_text(name: str, text: str) -> None:
    begun = time.monotonic()
    reader = read(VARIANTS[name], text)
    reader.frames()
    rows = sum(len(next(iter(b.columns.values()))) for b in reader.batches)
    assert rows <= len(text) + 64, "no more rows than characters: nothing is made up"
    assert time.monotonic() - begun < TOO_LONG
