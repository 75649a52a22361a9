"""The pipes of a migration night: what processes and logs of both hosts say is what the model does."""

from __future__ import annotations

import numpy as np
import pytest

from collectors import probe
from collectors.base import Context
from collectors.sources import load
from tests.fleet.kit import START, Stepped, facts, machine, run

NOW = START + 0.25


def rows(host: str, scenario: str = "migration") -> tuple[dict[str, dict[str, object]], object]:
    """Rows of two reports five seconds apart by stream, by the variant that the probes choose; the machine."""
    clock = Stepped(NOW)
    m = machine(host, scenario, clock=clock)
    known, os = facts(m)
    source = load()["zfs_streams"]
    chosen = probe.choose(os, known, [source], probe.read(run(m, probe.probes([source], os))[1])).chosen
    variant = chosen["zfs_streams"]
    ctx = Context(host, os, 5.0, {**known, "option:zfs_streams_log": "/var/log/zsend/*.log"})
    once = variant.command(ctx).replace("while ", "", 1).rpartition("; do echo '== end'")[0] + "; echo '== end'"
    parser = variant.parser(ctx)
    found: dict[str, dict[str, object]] = {}
    for clock.t in (NOW, NOW + 5):
        for line in run(m, once)[1].splitlines():
            for batch in parser.feed(line, clock.t):
                for values in zip(*batch.columns.values(), strict=True):
                    row = dict(zip(batch.columns, values, strict=True))
                    found[str(row["stream"])] = row
    return found, m


@pytest.mark.parametrize(
    ("host", "side", "zones"), [("ma2", "send", "34"), ("ms2", "receive", "34"), ("ms1", "receive", "2")]
)
def test_streams_agree_with_the_model(host: str, side: str, zones: str) -> None:
    found, m = rows(host)
    running = {s: r for s, r in found.items() if r["state"] in ("running", "stalled")}
    assert set(running) == {f"{side} mail/mail{z}" for z in zones}
    model = m.live.model  # type: ignore[attr-defined]
    for stream in (*model.streams_out, *model.streams_in):
        row = found.get(f"{side} {stream.dataset}")
        if row and row["state"] == "running":
            done = float(stream.done(np.array([NOW + 5]))[0])
            assert float(str(row["done"])) == pytest.approx(done, rel=0.01)
            assert row["elapsed"] == pytest.approx(NOW + 5 - stream.began, abs=1)
    if host == "ms1":
        assert float(str(running["receive mail/mail2"]["buffer"])) < 0.1
    else:
        assert float(str(running[f"{side} mail/mail3"]["buffer"])) > 0.9
        assert running[f"{side} mail/mail4"]["rate"] == 0.0


def test_a_stream_that_has_arrived_left_its_log() -> None:
    found, _ = rows("ms1")
    row = found["mail1.log"]
    assert row["state"] == "done"
    assert float(str(row["done"])) == pytest.approx(413 * 2**30, rel=0.01)


def test_a_quiet_night_has_none() -> None:
    assert rows("ma2", "quiet")[0] == {}


def test_what_is_received_is_asked_for_its_growth() -> None:
    m = machine("ms2", "migration")
    status, out, _ = run(m, "zfs get -Hp -o name,value used mail/mail3")
    assert (status, out.count("\n")) == (0, 1)
