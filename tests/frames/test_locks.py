"""A reader at rest holds no lock on the catalog: a commit never waits for one that has its answer."""

import os
import subprocess
import sys
from pathlib import Path

from frames.history import CATALOG
from frames.store import Store, Writer
from tests.frames.samples import numbered

_EXCLUSIVE = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], timeout=1, isolation_level=None)
con.execute("BEGIN EXCLUSIVE")
con.execute("ROLLBACK")
"""


def test_every_question_leaves_the_catalog_free(tmp_path: Path) -> None:
    start = 1_795_400_000
    with Writer(tmp_path) as writer:
        for s in range(start, start + 5):
            writer.append(s, numbered(s - start, s))
        writer.commit()
    store = Store(tmp_path)
    questions = {
        "window": lambda: store.window("arcstats", start, start + 5, points=5),
        "latest": lambda: store.latest("arcstats", at=start + 5),
        "events": lambda: store.events(start, start + 5),
        "span": lambda: store.span(),
        "again": lambda: store.window("arcstats", start, start + 5),
    }
    for name, ask in questions.items():
        ask()
        # Another process: locks of one process never exclude each other.
        done = subprocess.run([sys.executable, "-c", _EXCLUSIVE, os.fspath(tmp_path / CATALOG)], capture_output=True)
        assert done.returncode == 0, f"after {name}: {done.stderr.decode()[-200:]}"
