"""Parser of what dtrace prints with ``-x oformat=json`` (``--libxo json``): FreeBSD 14 and later.

One object ``{"dtrace": {"probes": [{…, "output": [{"aggregation-data": [{"keys": [{"value": 1}, …], "count": 5}],
"aggregation-name": "a"}]}]}}``. Quantizing functions have ``"buckets": [{"value": 32, "count": 0}, …]`` instead of
their name; drops are probes named DROP. Nothing is ambiguous here: the function's name is `agg`, buckets have
labels of the text layout. Source: FreeBSD cddl/contrib/opensolaris/cmd/dtrace/dtrace.1, STRUCTURED OUTPUT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from collectors.dtrace import blocks

if TYPE_CHECKING:
    from collectors.dtrace.layout import Answer

_SCALARS = ("count", "sum", "avg", "min", "max", "stddev")
_KEYS = ("value", "sym", "usym", "uaddr", "mod", "umod", "func", "symbol")
_DEEP = 64


def looks(text: str) -> bool:
    """Whether `text` is structured output."""
    return re.match(r"\s{0,64}\{\s{0,64}\"dtrace\"\s{0,64}:", text) is not None


def parse(text: str) -> Answer:
    """Rows, drops and complaints of structured output; what follows a damage is lost and complained of."""
    from collectors.dtrace.layout import Answer, Row

    answer = Answer()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as e:
        where = f"line {e.lineno}, column {e.colno}" if isinstance(e, json.JSONDecodeError) else "line 1, column 1"
        answer.torn = f"{where}: not whole"
        answer.complaints.append(f"{where}: not JSON")
        return answer
    histograms = 0
    for probe in _objects(found, "probes"):
        if probe.get("name") == "DROP" and _number(probe.get("count")) is not None:
            answer.drops += _number(probe.get("count")) or 0
            continue
        for output in _objects(probe, "output"):
            if isinstance(message := output.get("message"), str):
                answer.text += message.splitlines()
        for data in _objects(probe, "aggregation-data"):
            keys = [_key(k) for k in data["keys"]] if isinstance(data.get("keys"), list) else []
            if isinstance(data.get("buckets"), list):
                histograms += 1
                try:
                    h = blocks.guess([_bucket(b) for b in data["buckets"]])
                except ValueError as e:
                    answer.complaints.append(f"{_place(text, histograms)}: not a histogram: {e}")
                else:
                    answer.rows.append(Row(keys, h.agg, bounds=h.bounds, counts=h.counts))
                continue
            for agg in _SCALARS:
                if (value := _number(data.get(agg))) is not None:
                    empty = value in (2**63 - 1, -(2**63))
                    answer.rows.append(Row(keys, agg, value=None if empty else value))
    return answer


def _place(text: str, n: int) -> str:
    """Where the `n`-th list of buckets stands; quotes within a string of JSON have a backslash before them."""
    at = [m.start() for m in re.finditer(r'(?<!\\)"buckets"\s{0,64}:\s{0,64}\[', text)][n - 1]
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def _objects(found: Any, name: str, deep: int = 0) -> Iterator[dict[str, Any]]:
    """The objects of every list called `name` within `found`, in their order."""
    if deep > _DEEP:
        return
    if isinstance(found, dict):
        for key, value in found.items():
            if key == name and isinstance(value, list):
                yield from (v for v in value if isinstance(v, dict))
            else:
                yield from _objects(value, name, deep + 1)
    elif isinstance(found, list):
        for value in found:
            yield from _objects(value, name, deep + 1)


def _number(value: Any) -> int | None:
    """An integer of at most 64 bits, also one that is printed as text."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch(r"-?\d{1,20}", text, re.A) else None


def _key(key: Any) -> str:
    if not isinstance(key, dict):
        return str(key)
    for name in ("stack-frames", "ustack-frames"):
        if isinstance(frames := key.get(name), list):
            return "\n".join(str(f.get("symbol", "")) for f in frames if isinstance(f, dict))
    for name in _KEYS:
        if name in key:
            return str(key[name])
    return str(next(iter(key.values()), ""))


def _bucket(bucket: Any) -> blocks.Bucket:
    """A bucket as a row of text: its value is the row's label, a number or such as ``< 0``."""
    label, count = (bucket.get("value"), bucket.get("count")) if isinstance(bucket, dict) else (None, None)
    if isinstance(label, int | str) and isinstance(count, int | str):
        found = blocks.row(f"{label} | {count}")
        if found:
            return found
    raise ValueError(f"not a bucket: {str(bucket)[:80]}")
