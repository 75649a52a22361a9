"""The library of metrics: what can be asked of a host, with fields, types and units. Documented in docs/dtrace.md.

The D side of each (probes per system, expressions) is `collectors.dtrace.recipes`; a test holds the two together.
"""

from __future__ import annotations

from frames import questions
from frames.questions import Field, Metric, Question


def _text(name: str, meaning: str) -> Field:
    return Field(name, "discrete", meaning)


def _int(name: str, meaning: str) -> Field:
    return Field(name, "discrete", meaning, type="int")


def _number(name: str, unit: str, meaning: str, bounds: str = "quantize") -> Field:
    return Field(name, "numeric", meaning, unit=unit, bounds=bounds)


ZONE = _text("zone", "zone name")
PID = _int("pid", "process id")
EXECNAME = _text("execname", "name of the executable")
CPU = _int("cpu", "CPU number")
LATENCY = _number("latency", "ns", "from start to end")
SUBSECOND = _number("subsecond", "ms", "milliseconds into the second when it happened", "lquantize:0:1000:20")
DEVICE = _text("device", "disk, by the kernel's name or, where known, by c#t#d#")
_WHO = (ZONE, PID, EXECNAME)

_ALL = [
    Metric(
        "disk_io",
        "disk I/O",
        "a disk I/O completes",
        (
            DEVICE,
            _text("operation", "read or write"),
            *_WHO,
            LATENCY,
            _number("size", "B", "bytes asked for"),
            _number("offset", "GiB", "place on the device", "lquantize:0:8192:64"),
            SUBSECOND,
        ),
    ),
]

METRICS: dict[str, Metric] = {m.name: m for m in _ALL}


def question(text: str) -> Question:
    """The question with the id `text`. Raises QuestionError."""
    return questions.parse(text, METRICS)
