"""Questions: the sentence a person reads, the id that a URL carries, and both ways between them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames.metrics import METRICS, question
from frames.questions import All, Any, Is, Not, Predicate, Question, QuestionError


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("disk_io", "disk I/O"),
        ("disk_io/by=device,latency", "disk I/O broken down by device and latency"),
        ("disk_io/by=latency/where=zone=mail3", "disk I/O of zone mail3 broken down by latency"),
        (
            "fs_ops/by=zone,operation,latency/where=and(zone!=global,latency>=1000000)",
            "file-system operations of any zone but global and with latency at least 1 ms "
            "broken down by zone, operation and latency",
        ),
        (
            "syscalls/by=syscall/where=or(execname=imapd,execname=cyr%20expire)",
            'system calls of execname imapd or of execname "cyr expire" broken down by syscall',
        ),
        ("disk_io/where=not(size<131072)", "disk I/O not (with size under 128 KiB)"),
        ("disk_bytes/by=device", "bytes of disk I/O broken down by device"),
    ],
)
def test_sentences(asked: str, sentence: str) -> None:
    q = question(asked)
    assert q.sentence == sentence
    assert q.id == asked


def test_drilling_down_fixes_the_clicked_value() -> None:
    q = question("disk_io/by=device,latency").drill("device", "sd3", ("zone", "latency"))
    assert q.id == "disk_io/by=zone,latency/where=device=sd3"
    q = q.drill("zone", "mail3", ("execname",))
    assert q.id == "disk_io/by=execname/where=and(device=sd3,zone=mail3)"
    assert q.sentence == "disk I/O of device sd3 and of zone mail3 broken down by execname"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("nothing", "no metric 'nothing'"),
        ("disk_io/by=colour", "has no field 'colour'; it has device"),
        ("disk_io/by=latency,size", "one numeric field at most"),
        ("disk_io/by=device,device", "named twice"),
        ("disk_io/by=device,operation,zone,pid", "3 discrete fields at most"),
        ("disk_io/where=device>sd3", "device is discrete"),
        ("disk_io/where=latency>fast", "character 1: latency is an integer, not 'fast'"),
        ("disk_io/where=pid=99999999999999999999", "64-bit"),
        ("disk_io/where=and(pid=1", r"a \) is missing"),
        ("disk_io/where=pid=1)", "something after"),
        ("disk_io/where=zone=a%00b", "without NUL"),
        ("disk_io/where=" + "not(" * 20 + "pid=1" + ")" * 20, "deeper than 8"),
        ("disk_io/where=or(" + ",".join(["pid=1"] * 40) + ")", "1 to 32 comparisons"),
        ("disk_io/", "cannot read"),
        ("disk_io/by=", "no field ''"),
        ("disk_io/by=device/every=1", "cannot read 'every=1'"),
        ("disk_io/where=system(1)", "character 1: not a comparison"),
    ],
)
def test_what_cannot_be_asked(asked: str, why: str) -> None:
    with pytest.raises(QuestionError, match=why):
        question(asked)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    metric = draw(st.sampled_from(list(METRICS.values())))
    discrete = [f.name for f in metric.fields if f.kind == "discrete"]
    numeric = [f.name for f in metric.fields if f.kind == "numeric"]
    by = draw(st.lists(st.sampled_from(discrete), max_size=3, unique=True)) if discrete else []
    by += draw(st.lists(st.sampled_from(numeric), max_size=1)) if numeric else []

    def comparison(d: st.DrawFn) -> Is:
        f = d(st.sampled_from(metric.fields))
        if f.kind == "numeric":
            return Is(
                f.name, d(st.sampled_from(["=", "!=", "<", "<=", ">", ">="])), d(st.integers(-(2**63), 2**63 - 1))
            )
        text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
        value = d(st.integers(0, 10**6)) if f.type == "int" else d(text)
        return Is(f.name, d(st.sampled_from(["=", "!="])), value)

    leaf = st.composite(comparison)()
    tree: st.SearchStrategy[Predicate] = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda p: All(tuple(p))),
            st.lists(inner, min_size=1, max_size=3).map(lambda p: Any(tuple(p))),
            inner.map(Not),
        ),
        max_leaves=5,
    )
    where = draw(st.none() | tree)
    try:
        return Question(metric, tuple(by), where)
    except QuestionError:
        return Question(metric, tuple(by))


@given(questions())
def test_an_id_names_its_question_through_any_url(q: Question) -> None:
    carried = parse_qs(urlencode({"q": q.id}))["q"][0]
    assert question(carried) == q
    assert question(q.id).sentence == q.sentence
    assert not set(q.id) & set("*'\"\\ \n\t;$`{}#&")
