"""What dtrace says on stderr about data that it lost.

Source: illumos lib/libdtrace/common/dt_work.c and dt_handle.c (dt_droptab); seen from DTrace for Linux 2.0.7.
"""

from __future__ import annotations

import re

_DROPS = re.compile(
    r"dtrace: (?:\[[A-Z_]+\] )?(\d+) (?:[a-z ]+ )?drops?\b.*"
    r"|dtrace: (\d+) failed speculations?\b.*"
)


def drops(line: str) -> int:
    """Number of records that `line` of stderr says were dropped; 0 for other lines."""
    m = _DROPS.fullmatch(line.strip())
    return int(m[1] or m[2]) if m else 0
