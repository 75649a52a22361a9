"""The list of mailboxes that imapsync copies: worst first, silent ones as such, all of them in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import panels
from dashboard.live import Live, NoHistory
from dashboard.panels import PANELS, VIEWS
from dashboard.panels.data import Grid
from dashboard.panels.migration import checks
from frames.store import Store, Writer
from frames.tail import Second
from tests.dashboard.scene import table

START = 1_795_400_000
PAIR = {"name": "", "source": "ma1", "target": "ms1", "source_pool": "mail", "target_pool": "", "datasets": []}
PAIRS = json.dumps({"0": PAIR})


@pytest.fixture(autouse=True)
def _loaded() -> None:
    panels.load()


def transfers(second: int) -> Any:
    return table("transfers", second, "ms1", {
        "stream": ["anna", "<b>bert</b>", "carl", "mail/mail1"],
        "kind": ["imapsync", "imapsync", "imapsync", "zfs_send"],
        "state": ["running", "failed", "done", "running"],
        "done": [10e6, 0.0, 50e6, 1e9], "total": [40e6, None, 50e6, 2e9], "rate": [2e5, None, 0.0, 1e6],
        "items_done": [250.0, None, 900.0, None], "items_total": [1000.0, None, 900.0, None],
        "errors": [3.0, 1.0, 0.0, None], "eta": [7500.0, None, None, None], "text": ["msg …", "EXIT 161", "", ""],
    })  # fmt: skip


def live(now: float) -> Live:
    out = Live(NoHistory(), clock=lambda: now)
    out.add(Second(1, START, "test", {"transfers": transfers(START)}))
    return out


def shown(state: Live, at: float | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    table = VIEWS["imapsync_accounts"](state, {}, at)
    ids = [c["id"] for c in table["columns"]]
    return table, {r["label"]: dict(zip(ids, r["cells"], strict=True)) for r in table["rows"]}


def test_the_account_that_failed_stands_first_and_what_is_done_last() -> None:
    table, cells = shown(live(START + 5.0))
    assert list(cells) == ["<b>bert</b>", "anna", "carl"]
    assert cells["anna"]["share"] == 0.25
    assert (cells["anna"]["rate"], cells["anna"]["eta"], cells["anna"]["errors"]) == (2e5, 7500.0, 3.0)
    assert cells["<b>bert</b>"]["share"] is None
    assert cells["carl"]["rate"] is None  # it copies nothing any more
    assert [r["state"] for r in table["rows"]] == ["bad", "warn", ""]
    assert [r["quiet"] for r in table["rows"]] == [False, False, True]


def test_all_accounts_are_a_sentence() -> None:
    table, _ = shown(live(START + 5.0))
    assert table["said"] == (
        "3 accounts: 1 failed, 1 running, 1 done; 1150 of 1900 messages; 4 errors; "
        "those under way end in 2\u2009h 5\u2009min at imapsync's own reckoning"
    )


def test_a_copy_that_nobody_tells_of_any_more_is_silent_and_has_no_rate() -> None:
    _, cells = shown(live(START + 90.0))
    assert cells["anna"]["state"] == "silent"
    assert cells["anna"]["rate"] is None
    assert "eta" not in cells["anna"]  # nobody's is known
    assert cells["carl"]["state"] == "done"


def test_a_cutover_waits_for_the_mailboxes() -> None:
    state = live(START + 5.0)
    fact = table("host_facts", START, "ms1", {"fact": ["pairs"], "value": [PAIRS]})
    state.add(Second(2, START + 1, "test", {"host_facts": fact}))
    found = {c.what: c for c in checks(state)}
    assert (found["Mailboxes copied"].state, found["Mailboxes copied"].detail) == ("fail", "not <b>bert</b>")


def test_without_a_log_it_says_so() -> None:
    table = VIEWS["imapsync_accounts"](Live(NoHistory(), clock=lambda: START), {}, None)
    assert table["rows"] == []
    assert table["empty"]
    assert table["said"] == ""


def test_the_past_and_the_curve_come_from_the_history(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.append(START, {"transfers": transfers(START)})
    store = Store(tmp_path)
    _, cells = shown(Live(store, clock=lambda: START + 90_000.0), at=START + 3.0)
    assert cells["anna"]["state"] == "running"
    need = PANELS["imapsync_rate"].tables["transfers"]
    frame = store.window("transfers", START - 5, START + 5, points=2, where=need.restrict({}), columns=["rate"])
    data = PANELS["imapsync_rate"].build({"transfers": frame}, {}, Grid(START - 5, 5.0, 2), [])
    assert [s.id for s in data.series if np.isfinite(data.values[data.series.index(s)]).any()] == ["anna", "carl"]
