"""Small frames for the tests of the store: numbered, so that a lost or doubled row shows."""

from __future__ import annotations

import pyarrow as pa

from frames.schemas import SCHEMAS


def numbered(number: int, second: int, host: str = "ms2") -> dict[str, pa.Table]:
    """One second of four tables in which `number` can be found again: as a gauge, in counters of 1 and in counts."""
    time = [second * 1_000_000]
    return {
        "arcstats": SCHEMAS["arcstats"].table({"time": time, "host": [host], "size": [float(number)], "hits": [1.0]}),
        "source_health": SCHEMAS["source_health"].table(
            {"time": time, "host": [host], "source": ["arcstats"], "state": ["ok"], "lines": [1.0]}
        ),
        "dtrace": SCHEMAS["dtrace"].table(
            {"time": time, "host": [host], "question": ["q"], "keys": [["sd0"]], "counts": [[0, 1, 2]]}
        ),
        "events": SCHEMAS["events"].table(
            {"time": time, "host": [host], "kind": ["marker"], "severity": ["info"], "text": [str(number)]}
        ),
    }
