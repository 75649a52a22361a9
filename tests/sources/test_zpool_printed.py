"""Any pool, printed by the tool of any era, gives a frame with just the numbers and the tree that were printed."""

from __future__ import annotations

from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collectors.base import Variant, parse_text
from collectors.sources import zpool_histogram, zpool_iostat, zpool_status
from collectors.sources.zpool_iostat import IostatParser
from frames.schemas import BOUNDS_QUANTIZE
from tests import printed
from tests.printed import S, V

FEW = settings(max_examples=25, suppress_health_check=list(HealthCheck))


HEADINGS = next(v for v in zpool_iostat.SOURCE.variants if v.name == "headings")


def keeping_the_first(learn: bool = False) -> Variant:
    return Variant("", ("linux",), lambda c: "", lambda c: IostatParser(c, first_is_interval=True, learn=learn), "", "")


def rows(found: list[V]) -> list[V]:
    return [v for pool in found for _, v in pool.walk()]


def check_tree(frame: pd.DataFrame, found: list[V]) -> None:
    pools = [pool.name for pool in found for _ in pool.walk()]
    vdevs = rows(found)
    assert frame["pool"].tolist() == pools
    assert frame["vdev"].tolist() == [v.path for v in vdevs]
    assert frame["device"].tolist() == [v.name for v in vdevs]
    assert frame["kind"].tolist() == [v.kind for v in vdevs]
    assert frame["alloc_class"].tolist() == [printed.SECTIONS.get(v.section, "data") for v in vdevs]


def check_numbers(frame: pd.DataFrame, found: list[V], *, exact: bool = False) -> None:
    for got, v in zip(frame.to_dict("records"), rows(found), strict=True):
        if v.space and any(v.space):
            near(got["alloc"], v.space[0], 0 if exact else got["alloc_step"])
            assert got["size"] == pytest.approx(sum(v.space), rel=1e-9 if exact else 0.02)
        else:
            assert pd.isna(got["alloc"])
            assert pd.isna(got["size"])
        for name, rate in zip(("read_ops", "write_ops", "read_bytes", "write_bytes"), v.rates, strict=True):
            assert got[name] == pytest.approx(rate, rel=1e-9 if exact else 0.006)
        larger = max(v.rates[2:])
        near(max(got["read_bytes"], got["write_bytes"]), larger, 0 if exact else got["bytes_step"])


def near(got: float, true: int, step: float) -> None:
    """Within half of the last printed digit; without a step it is the number itself (a float has 53 bits)."""
    slack = 0.0 if pd.isna(step) else step / 2
    assert abs(got - true) <= slack * 1.001 + true * 2e-16


ERAS: dict[str, dict[str, Any]] = {
    "solaris10-5/08": {"used": True},
    "illumos": {},
    "openzfs": {"centred": True},
    "openzfs-narrow": {"centred": True, "width": 10},
}


@pytest.mark.parametrize("era", ERAS)
@FEW
@given(data=st.data())
def test_iostat(era: str, data: st.DataObject) -> None:
    found = data.draw(printed.pools(indexed=era != "solaris10-5/08"))
    frame = parse_text(keeping_the_first(), printed.iostat(found, **ERAS[era]))["zpool_iostat"]
    check_tree(frame, found)
    check_numbers(frame, found)


def busier(found: list[V]) -> None:
    """Rates unlike those since boot, which the parser would take for them."""
    for v in rows(found):
        v.rates = tuple(2 * min(r, 2**52) + 1 for r in v.rates)  # type: ignore[assignment]


@FEW
@given(found=printed.pools())
def test_iostat_stream(found: list[V]) -> None:
    """The first report is dropped; every later one is whole, at its stamp."""
    text = f"1795468643\n{printed.iostat(found)}"
    busier(found)
    text += f"1795468644\n{printed.iostat(found)}1795468645\n{printed.iostat(found)}"
    frame = parse_text(HEADINGS, text)["zpool_iostat"]
    seconds = frame["time"].astype("int64") // 1_000_000
    assert sorted(set(seconds)) == [1795468644, 1795468645]
    for second in (1795468644, 1795468645):
        check_tree(frame[seconds == second], found)
        check_numbers(frame[seconds == second], found)


@FEW
@given(found=printed.pools())
def test_iostat_exact(found: list[V]) -> None:
    """-vHp after the table that names the sections."""
    text = printed.iostat(found, centred=True)
    busier(found)
    text += "1795468644\n" + printed.iostat_exact(found)
    frame = parse_text(keeping_the_first(learn=True), text)["zpool_iostat"]
    check_tree(frame, found)
    check_numbers(frame, found, exact=True)


FORMS = [
    (latency, exact, scripted) for latency in (True, False) for exact in (True, False) for scripted in (True, False)
]


@pytest.mark.parametrize(("latency", "exact", "scripted"), FORMS)
@settings(FEW, max_examples=8, phases=[Phase.reuse, Phase.generate])
@given(found=printed.pools(), seed=st.integers(0, 2**32))
def test_histograms(latency: bool, exact: bool, scripted: bool, found: list[V], seed: int) -> None:
    """Two reports of totals behind the tree: the frame holds what came between them."""
    measures = printed.LATENCY_MEASURES if latency else printed.REQUEST_MEASURES
    buckets = 37 if latency else 25
    random = Random(seed)
    expected: dict[tuple[str, str, str], dict[int, int]] = {}
    texts = ["", ""]
    names = [pool.name for pool in found for _ in pool.walk()]
    for pool, v in zip(names, rows(found), strict=True):
        # totals below 1024 are printed to the last digit
        v.histogram = [[random.choice((0, 0, 1, 400)) for _ in range(buckets)] for _ in measures]
        texts[0] += printed.histogram(v, latency=latency, exact=exact, scripted=scripted)
        for measure, counts in zip(measures, v.histogram, strict=True):
            for j in random.sample(range(10, buckets), random.choice((0, 1, 3))):
                n = random.randint(1, 600)
                counts[j] += n
                expected.setdefault((pool, v.path, measure), {})[BOUNDS_QUANTIZE.index(float(1 << j))] = n
        texts[1] += printed.histogram(v, latency=latency, exact=exact, scripted=scripted)
    tree = printed.iostat(found, centred=True)
    text = "".join(f"== begin {1795468643 + i} 2026-11-23 21:17:2{i}\n{tree}{t}== end\n" for i, t in enumerate(texts))
    frames = parse_text(zpool_histogram.SOURCE.variants[0], text)
    got = {
        (r["pool"], r["vdev"], r["measure"]): {i: n for i, n in enumerate(r["counts"]) if n}
        for r in (frames["zpool_histogram"].to_dict("records") if frames else [])
    }
    assert {key: counts for key, counts in got.items() if counts} == expected


TEXT = next(v for v in zpool_status.SOURCE.variants if v.name == "text")
SAID = st.builds(
    S,
    st.sampled_from(printed.STATES),
    st.tuples(*[st.integers(0, 5000)] * 3),
    st.sampled_from(printed.NOTES),
)


@pytest.mark.parametrize(
    "form",
    [
        {"margin": " " * 8, "label": "scrub"},
        {},
        {"exact": True},
        {"slow": True},
    ],
    ids=["solaris10", "openzfs", "openzfs -p", "openzfs -s"],
)
@FEW
@given(data=st.data())
def test_status(form: dict[str, Any], data: st.DataObject) -> None:
    found = data.draw(printed.pools())
    said = [data.draw(st.lists(SAID, min_size=(n := len(rows([pool]))), max_size=n)) for pool in found]
    text = "\n".join(printed.status(pool, s, **form) for pool, s in zip(found, said, strict=True))
    frame = parse_text(TEXT, text)["zpool_status"]
    check_tree(frame, found)
    for got, s in zip(frame.to_dict("records"), (s for each in said for s in each), strict=True):
        assert got["state"] == s.state
        for column, n in zip(("read_errors", "write_errors", "cksum_errors"), s.errors, strict=True):
            assert got[column] == pytest.approx(n, rel=0 if form.get("exact") else 0.006)
        assert (got["note"] or "") == s.note if s.note else pd.isna(got["note"])
