"""A saved output of a command, read by a source's parser without a host: `zonescope parse`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from collectors.base import OS, ParseError, Source, Variant, parse_text
from collectors.dtrace import layout

HOST = "saved"
"""What stands for the host, which a saved text does not name."""
MOST_PASSES = 20
"""A text of which so many lines must be left out is none."""
_MATCHED = re.compile(r"dtrace: (?:description|script) .* matched \d{1,10} probes?")


@dataclass(slots=True)
class Saved:
    """What a text holds: frames by table, the variant and system it was read as, and the lines nobody could read."""

    variant: str
    os: OS
    frames: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    """Numbers of those lines."""

    @property
    def rows(self) -> int:
        return sum(map(len, self.frames.values()))


def read(
    source: Source,
    text: str,
    *,
    os: OS | None = None,
    variant: str | None = None,
    interval: float = 1.0,
    at: float = 0.0,
    formats: Sequence[str] = (),
    values: int = 1,
    facts: Mapping[str, str] | None = None,
) -> Saved:
    """`text` as the rows that its variant's parser makes of it; stamps and `facts` as in `parse_text`.

    Where `os` or `variant` is not told, each that fits is tried: the one that leaves the fewest lines unread wins,
    then the one with the most rows, then the source's own order. Output of `dtrace` in its default layout, which has
    no marks of our own, is read by the parser of that layout, told the `formats` and `values` of its printa().

    Raises ValueError when the source has no such variant, or none for that system, for a format that prints no
    aggregation, and for formats of a source that has none.
    """
    told = bool(formats) or values != 1
    if told and source.name != "dtrace":
        raise ValueError(f"{source.name} has no formats: they are of dtrace's printa()")
    tries: list[tuple[Variant, OS]] = [
        (v, system)
        for v in source.variants
        for system in ((os,) if os else v.systems[:1])
        if system in v.systems and variant in (None, v.name)
    ]
    if not tries:
        names = ", ".join(f"{v.name} ({', '.join(v.systems)})" for v in source.variants)
        raise ValueError(f"{source.name} has {names}")
    found = [_try(v, system, text, interval, at, facts) for v, system in tries]
    best = min(found, key=lambda s: (not s.rows, len(s.complaints), -s.rows))
    if source.name == "dtrace" and (told or not best.rows):
        answer = layout.parse(text, formats=formats, values=values)
        frames = {"dtrace": answer.frame("saved", HOST, at)}
        return Saved("default layout", best.os, frames, _complaints(text, answer))
    return best


def _complaints(text: str, answer: layout.Answer) -> list[str]:
    """What could not be read of `text`, and what dtrace itself complained of in it, each with its place."""
    out, lines = [], text.splitlines()
    for why in answer.complaints:
        if why in lines:
            if _MATCHED.fullmatch(why):
                continue
            why = f"line {lines.index(why) + 1}, column 1: {why}"
        out.append(f"dtrace on {HOST}: {why}")
    n, line = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (0, ""))
    if n and not answer.rows and not out:
        column = len(line) - len(line.lstrip()) + 1
        out.append(str(ParseError("dtrace", HOST, n, line, "no aggregation from here on", column)))
    return out


def _try(
    variant: Variant, os: OS, text: str, interval: float, at: float, facts: Mapping[str, str] | None = None
) -> Saved:
    """Where nothing but refusals comes of a text, the refused lines are left out: the rest is read then."""
    first = out = _read(variant, os, text, interval, at, facts)
    lines = text.splitlines()
    told: list[str] = []
    for _ in range(MOST_PASSES):
        told += out.complaints
        if out.rows or not out.complaints or any(lines[n - 1].startswith("== ") for n in out.refused):
            break
        lines = ["" if n in out.refused else line for n, line in enumerate(lines, 1)]
        out = _read(variant, os, "\n".join(lines), interval, at, facts)
    out.complaints = told
    return out if out.rows else first


def _read(variant: Variant, os: OS, text: str, interval: float, at: float, facts: Mapping[str, str] | None) -> Saved:
    out = Saved(variant.name, os)

    def complain(e: ParseError) -> None:
        out.complaints.append(str(e))
        out.refused.add(e.line_no)

    out.frames = parse_text(variant, text, os=os, host=HOST, interval=interval, at=at, facts=facts, complain=complain)
    return out


def csv(frame: pd.DataFrame) -> str:
    """`frame` as CSV without the columns that hold nothing; lists as JSON."""
    shown = frame.drop(columns="host").dropna(axis="columns", how="all")
    for name, dtype in shown.dtypes.items():
        if isinstance(dtype, pd.ArrowDtype):
            shown[name] = [None if v is None else json.dumps(v) for v in pa.array(shown[name]).to_pylist()]
    return str(shown.to_csv(index=False))
