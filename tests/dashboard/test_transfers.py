"""The pipes of a pair from rows of `transfers`: states, spans of the end, buffers, what is stale."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from dashboard.panels.migration import Pair
from dashboard.panels.transfers import Pipe, pipes
from frames.schemas import TRANSFERS

NOW = 1_795_000_000.0
G = float(2**30)
PAIR = Pair(0, "2", "ma2", "ms2", "mail", "tank", ("mail/mail3", "mail/mail4"))


def rows(host: str, side: str, stream: str, *, ago: float = 0.0, n: int = 12, **values: Any) -> list[dict[str, Any]]:
    """`n` rows five seconds apart, the newest `ago` seconds old."""
    base = {"host": host, "kind": f"zfs_{side}", "stream": stream, "state": "running"}
    return [{**base, "time": pd.Timestamp(NOW - ago - 5 * (n - 1 - i), unit="s", tz="UTC"), **values} for i in range(n)]


def found(*parts: list[dict[str, Any]], **more: Any) -> dict[str, Pipe]:
    records = [r for part in parts for r in part]
    frame = TRANSFERS.frame({c: [r.get(c) for r in records] for c in TRANSFERS.names})
    return {p.name: p for p in pipes(frame, PAIR, NOW, **more)}


def sends(**values: Any) -> list[dict[str, Any]]:
    return rows("ma2", "send", "send mail/mail3", dataset="mail/mail3", **values)


def receives(**values: Any) -> list[dict[str, Any]]:
    return rows("ms2", "receive", "receive tank/mail3", dataset="tank/mail3", **values)


def test_both_ends_are_one_pipe_and_its_end_lies_between_two_rates() -> None:
    p = found(sends(done=60 * G, total=100 * G, rate=G / 10, elapsed=300.0), receives(rate=G / 10))["mail3"]
    assert (p.state, p.out is not None, p.into is not None) == ("running", True, True)
    assert p.eta == pytest.approx((NOW + 40 * G / (60 * G / 300), NOW + 400))  # 0.2 GiB/s so far, 0.1 now


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (1.0, 1.0, "receiver slow"),
        (1.0, None, "receiver slow"),
        (1.0, 0.02, "network slow"),
        (0.0, 0.0, "sender slow"),
        (0.0, None, "sender slow"),
        (None, 0.0, "sender slow"),
        (None, 0.97, "receiver slow"),
        (0.4, 0.5, "even"),
        (None, None, ""),
    ],
)
def test_a_full_buffer_waits_for_what_is_behind_it(a: float | None, b: float | None, verdict: str) -> None:
    assert found(sends(buffer=a), receives(buffer=b))["mail3"].verdict == verdict


def test_an_end_that_falls_silent_makes_the_pipe_stale() -> None:
    p = found(sends(ago=40, rate=1e6), receives(rate=1e6))["mail3"]
    assert (p.state, p.who, p.eta, p.verdict) == ("stale", "ma2", None, "")
    assert found(sends(ago=40, rate=1e6), every=20.0)["mail3"].state == "running", "asked every 20 s"
    assert found(sends(), receives(), gone={"ms2"})["mail3"].who == "ms2"
    assert found(sends(ago=100, state="done"))["mail3"].state == "done", "what is over cannot fall silent"


def test_the_worst_comes_first_and_the_receiver_has_the_last_word() -> None:
    every = found(
        sends(state="ended"),
        receives(state="done", done=G),
        rows("ma2", "send", "send mail/mail4", dataset="mail/mail4", state="stalled", rate=0.0),
    )
    assert [(p.name, p.state) for p in every.values()] == [("mail4", "stalled"), ("mail3", "done")]


def test_streams_are_found_by_dataset_child_root_and_log() -> None:
    every = found(
        rows("ma2", "send", "send mail/mail3", dataset="mail/mail3/spool"),  # a recursive one, at a child
        rows("ms2", "receive", "mail4.log", n=1),
        rows("ma2", "send", "send mail/mail33", dataset="mail/mail33"),
        rows("ms1", "send", "send mail/mail3", dataset="mail/mail3"),
        rows("ms2", "send", "send tank/mail4", dataset="tank/mail4"),  # the other way
    )
    assert set(every) == {"mail3", "mail4"}
    assert every["mail3"].into is None


def test_of_two_streams_of_a_dataset_the_one_that_runs_is_shown() -> None:
    p = found(
        sends(done=G), rows("ma2", "send", "send mail/mail3 (7)", dataset="mail/mail3", state="ended", done=2 * G)
    )["mail3"]
    assert p.out is not None
    assert p.out.done == G


def test_without_names_every_stream_below_the_pool_is_the_pairs() -> None:
    pair = Pair(0, "2", "ma2", "ms2", "mail", "tank", ())
    records = rows("ma2", "send", "send mail/a/b", dataset="mail/a/b") + rows(
        "ma2", "send", "send rpool", dataset="rpool"
    )
    frame = TRANSFERS.frame({c: [r.get(c) for r in records] for c in TRANSFERS.names})
    assert [p.name for p in pipes(frame, pair, NOW)] == ["b"]


def test_no_bytes_known_is_no_eta() -> None:
    p = found(receives(rate=1e6, total=G))["mail3"]
    assert (p.state, p.eta) == ("running", None)
    assert not found()
