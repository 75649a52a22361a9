"""Every metric and script asked of the simulated hosts over SSH: what they print is what the parser expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors import inventory
from collectors.base import OS, Batch, Context
from collectors.dtrace import compose, scripts
from collectors.dtrace.framing import Expected, FrameParser
from collectors.links import Running, Sink, make_link
from fleet import Fleet
from frames.metrics import METRICS
from frames.questions import Question
from frames.schemas import SCHEMAS
from tests.sshd import wait_for


def everything(os: OS) -> dict[str, tuple[Expected, str]]:
    """id -> what to expect and the program: each metric by what it has most, each script."""
    asked: dict[str, tuple[Expected, str]] = {}
    for metric in METRICS.values():
        names = [f.name for f in metric.fields if f.kind == "discrete"][:2]
        numeric = [f.name for f in metric.fields if f.kind == "numeric"][:1]
        for by in ((*names, *numeric), tuple(names[:1]), ()):
            q = Question(metric, by)
            try:
                asked[q.id] = Expected.of(q), compose.program(q, os)
            except compose.NoRecipe:
                continue
    for script in (s for s in scripts.load() if os in s.systems):
        asked[script.name] = script.expected, script.program(os)
    return asked


@pytest.mark.parametrize(("host", "os"), [("om1", "illumos"), ("ms2", "solaris10")])
def test_every_question_is_answered(tmp_path: Path, host: str, os: OS) -> None:
    asked = everything(os)
    got: dict[str, list[Batch]] = {name: [] for name in asked}
    wrong: list[str] = []
    with Fleet(tmp_path) as fleet:
        hosts = inventory.load(fleet.inventory)
        link = make_link(hosts.hosts[host].link_options(host))
        link.connect()

        def start(name: str, expected: Expected, program: str) -> Running:
            parser = FrameParser(Context(host, os, 1.0), expected)

            def lines(at: float, new: list[str]) -> None:
                for line in new:
                    try:
                        got[name] += parser.feed(line, at)
                    except ValueError as e:
                        wrong.append(f"{name}: {e}")

            return link.start(compose.command(program), Sink(lines=lines, errors=lambda at, new: wrong.extend(new)))

        try:
            running = [start(name, expected, program) for name, (expected, program) in asked.items()]
            wait_for(lambda: wrong or all(len(b) >= 2 for b in got.values()), "two intervals of each", 60)
            for r in running:
                r.stop()
        finally:
            link.close()
    assert not wrong
    seen = 0
    for name, batches in got.items():
        for b in batches:
            n = len(b.columns["keys"])
            SCHEMAS["dtrace"].check(SCHEMAS["dtrace"].table({**b.columns, "time": [0] * n, "host": [host] * n}))
            assert set(b.columns["agg"]) <= {asked[name][0].agg, "count", "sum"}
            seen += any(b.columns["keys"])
    assert seen > len(asked)
