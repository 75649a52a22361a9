"""Requests: what a page asks of a collector (start or stop a D question, place a marker), in a small SQLite file.

The dashboard writes, the collector reads; no other way leads from a page to a host. Several processes may use one
folder. A request that no collector takes within its life lapses, so that nothing starts an hour later by surprise.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "requests.sqlite"
ACTIONS = ("dtrace_start", "dtrace_stop", "keep_alive", "marker")
STATES = ("asked", "taken", "running", "refused", "ended")
_OVER = ("refused", "ended")
KEEP = 7 * 86400.0
"""Seconds that a request which is over is kept here; the history keeps it as long as its tables. One that only said
that somebody looks, each ten seconds of every page in sight, is kept for as long as it may live."""


class RequestError(ValueError):
    """A request that cannot be made, found or moved to a state; says which and why."""


@dataclass(frozen=True, slots=True)
class Request:
    """`body`: the action's arguments. `time`, `updated`: epoch seconds. `why`: why it was refused or ended."""

    id: str
    time: float
    action: str
    body: dict[str, Any]
    who: str
    state: str
    why: str
    updated: float


class Requests:
    """The requests of a folder; made on first use. Any process and thread."""

    def __init__(self, folder: Path, *, life: float = 60.0) -> None:
        """life: seconds after which a request that nobody took ends."""
        self.path = Path(folder) / FILE
        self._life = life
        self._lock = threading.Lock()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        db.execute(
            "CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, time REAL NOT NULL, action TEXT NOT NULL, "
            "body TEXT NOT NULL, who TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, updated REAL NOT NULL)"
        )
        return db

    def ask(self, action: str, body: Mapping[str, Any], who: str) -> str:
        """Records a request; its id. Raises RequestError for an unknown action or a body that is no JSON."""
        if action not in ACTIONS:
            raise RequestError(f"no action {action!r}; there are {', '.join(ACTIONS)}")
        try:
            text = json.dumps(dict(body), allow_nan=False)
        except (TypeError, ValueError) as e:
            raise RequestError(f"{action}: the body is no JSON: {e}") from e
        id_, now = uuid.uuid4().hex, time.time()
        with self._lock, closing(self._connect()) as db:
            db.execute(
                "DELETE FROM requests WHERE state IN (?, ?) "
                "AND updated < CASE action WHEN 'keep_alive' THEN ? ELSE ? END",
                (*_OVER, now - self._life, now - KEEP),
            )
            db.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, 'asked', '', ?)", (id_, now, action, text, who, now)
            )
        return id_

    def pending(self) -> list[Request]:
        """Requests that nobody has taken, oldest first; those past their life end here."""
        now = time.time()
        with self._lock, closing(self._connect()) as db:
            if db.execute("SELECT 1 FROM requests WHERE state = 'asked' AND time < ?", (now - self._life,)).fetchone():
                db.execute(
                    "UPDATE requests SET state = 'ended', why = 'no collector took it in time', updated = ? "
                    "WHERE state = 'asked' AND time < ?",
                    (now, now - self._life),
                )
            rows = db.execute("SELECT * FROM requests WHERE state = 'asked' ORDER BY time, id").fetchall()
        return [_request(r) for r in rows]

    def open(self) -> list[Request]:
        """Requests that are neither refused nor ended, oldest first."""
        with self._lock, closing(self._connect()) as db:
            rows = db.execute("SELECT * FROM requests WHERE state NOT IN (?, ?) ORDER BY time, id", _OVER).fetchall()
        return [_request(r) for r in rows]

    def update(self, id_: str, state: str, why: str = "") -> None:
        """Moves a request to `state`. Raises RequestError for an unknown id or state, or one that is over."""
        if state not in STATES:
            raise RequestError(f"no state {state!r}; there are {', '.join(STATES)}")
        with self._lock, closing(self._connect()) as db:
            done = db.execute(
                "UPDATE requests SET state = ?, why = ?, updated = ? WHERE id = ? AND state NOT IN (?, ?)",
                (state, why, time.time(), id_, *_OVER),
            ).rowcount
        if not done:
            now = self.get(id_)
            raise RequestError(f"no request {id_!r}" if now is None else f"request {id_} is {now.state} already")

    def get(self, id_: str) -> Request | None:
        """The request, None when there is none of that id."""
        with self._lock, closing(self._connect()) as db:
            row = db.execute("SELECT * FROM requests WHERE id = ?", (id_,)).fetchone()
        return _request(row) if row else None


def _request(row: tuple[Any, ...]) -> Request:
    id_, at, action, body, who, state, why, updated = row
    return Request(id_, at, action, json.loads(body), who, state, why, updated)
