"""What dtrace says on stderr about data that it lost, and about faults of the program.

Source: illumos lib/libdtrace/common/dt_handle.c (dt_droptab, dt_handle_err); seen from DTrace for Linux 2.0.7.
"""

from __future__ import annotations

import re

_DROPS = re.compile(
    r"dtrace: (?:\[[A-Z_]+\] )?(\d{1,20}) "
    r"(?:(?:[a-z]+ ){0,3}drops?|failed speculations?|errors? in ERROR probe enabling"
    r"|jstack\(\)/ustack\(\) string table overflows?)\b.*"
)
_FAULT = re.compile(r"dtrace: (?:error (?:on enabled probe ID|in) |processing aborted: ).*")


def drops(line: str) -> int:
    """Number of records that `line` of stderr says were dropped (or cut short); 0 for other lines."""
    m = _DROPS.fullmatch(line.strip())
    return int(m[1]) if m else 0


def fault(line: str) -> bool:
    """Whether `line` of stderr tells of an error that a probe's own clause made (an invalid address, say), or that the
    system ended the program."""
    return _FAULT.fullmatch(line.strip()) is not None
