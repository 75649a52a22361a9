"""What a panel is made of between Python and the browser: plain numbers on a time grid, no drawing.

A panel function turns frames into a `PanelData`; `fill` and `column` headers and `encode` put it on the wire
(dashboard/push.py says when). The browser draws it over plotly's axes.

How each kind reads its series:

* lines, spark, strip: one line per series; `low` and `high` are the band of a bucket; `fill` fills to zero.
* mirror: `side` -1 draws downward from zero; both sides share one scale. Legend rows pair by `group`.
* lanes: one row per `group` (rows in order of first appearance), row height = `cap`, or the row's own maximum
  where there is none. A second series of the same group with a `state` is drawn over the first in that
  state's colour: NaN where the state does not hold (a zone is amber only while it is capped).
* heat: `heat` is the map. Series of group "overlay" are lines drawn over it (p50, p99) and not in the table;
  series of group "table" are rows of the table and are not drawn (p99 of each disk).
* stack: series one on the other, the first at the bottom.
* forecast: columns reach into the future. The series `used` is the past, `middle` what is likely, `low80` and
  `high80`, `low95` and `high95` are the edges of its bands; marks of style 'warn', 'bad' and 'refused' are limits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Kind = Literal["lines", "mirror", "lanes", "heat", "strip", "spark", "forecast", "stack"]
KINDS: tuple[Kind, ...] = ("lines", "mirror", "lanes", "heat", "strip", "spark", "forecast", "stack")


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns of time: column i covers [start + i * step, start + (i + 1) * step), epoch seconds."""

    start: float
    step: float
    n: int

    @property
    def end(self) -> float:
        return self.start + self.step * self.n

    @classmethod
    def over(cls, start: float, end: float, step: float) -> Grid:
        """The columns of `step` seconds, on multiples of it, that touch [start, end); at least one."""
        first = math.floor(start / step + 1e-9)
        last = max(math.ceil(end / step - 1e-9), first + 1)
        return cls(first * step, step, last - first)

    def columns(self, times: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Column of each time (epoch seconds); may lie outside 0 … n-1."""
        return np.floor((np.asarray(times, dtype=float) - self.start) / self.step + 1e-6).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Series:
    """One line, lane or table row. `unit` is SI as in frames.schemas; the browser formats it.

    `slot`: colour 1 … 8; None is the fill or rest colour. `cap`: the limit, in the same unit. `state`: '',
    'warn' or 'bad'. `group`: see the module. `legend`: has a row in the table.
    """

    id: str
    label: str
    unit: str = ""
    slot: int | None = None
    dash: Literal["solid", "dash", "dot"] = "solid"
    side: Literal[1, -1] = 1
    cap: float | None = None
    fill: bool = False
    state: Literal["", "warn", "bad"] = ""
    group: str = ""
    legend: bool = True


@dataclass(frozen=True, slots=True)
class Heat:
    """`counts` [n columns, n rows] of events per cell (NaN: no sample); `bounds`: lower bound of each row. More than
    n rows are layers: the events of each lit key after those of all."""

    bounds: tuple[float, ...]
    unit: str
    counts: Floats


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal line: style 'limit', 'target' or 'p95'."""

    value: float
    label: str
    style: str = "limit"


@dataclass(slots=True)
class PanelData:
    """`values`, `low`, `high`: float32 [n series, n columns], NaN where there is no sample.

    `empty`: why there is nothing to draw, in a sentence; `hint`: what to do about it. `gaps`: stretches
    (from, to) without a sample of any series. `events`: what happened meanwhile, as `Event.wire` gives it.
    """

    grid: Grid
    series: list[Series] = field(default_factory=list)
    values: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    low: Floats | None = None
    high: Floats | None = None
    heat: Heat | None = None
    marks: list[Mark] = field(default_factory=list)
    unit: str = ""
    yrange: tuple[float, float] | None = None
    yscale: Literal["linear", "log"] = "linear"
    empty: str = ""
    hint: str = ""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.series), self.grid.n) and (self.series or self.values.size):
            raise ValueError(f"values {self.values.shape} for {len(self.series)} series on {self.grid.n} columns")
        if not self.series:
            self.values = np.empty((0, self.grid.n), np.float32)

    def arrays(self) -> list[tuple[str, Floats]]:
        """Arrays in wire order; `low` and `high` only where they say more than `values`."""
        out: list[tuple[str, Floats]] = [("values", self.values)]
        if self.low is not None and self.high is not None:
            out += [("low", self.low), ("high", self.high)]
        if self.heat is not None:
            out.append(("heat", self.heat.counts))
        return out


def find_gaps(data: PanelData) -> list[tuple[float, float]]:
    """Runs of columns between the first and the last sample in which no series and no cell has a sample."""
    have = np.isfinite(data.values).any(axis=0) if data.values.size else np.zeros(data.grid.n, bool)
    if data.heat is not None and data.heat.counts.size:
        have |= np.isfinite(data.heat.counts).any(axis=1)
    at = np.flatnonzero(have)
    if len(at) < 2:
        return []
    holes = np.flatnonzero(np.diff(at) > 1)
    g = data.grid
    return [(g.start + g.step * float(at[i] + 1), g.start + g.step * float(at[i + 1])) for i in holes]


def number(value: float | None) -> float | None:
    """`value` for JSON: None where it is missing or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def fill_header(data: PanelData) -> dict[str, Any]:
    """The JSON part of a fill, without op, gen and id."""
    return {
        "grid": asdict(data.grid),
        "series": [asdict(s) | {"cap": number(s.cap)} for s in data.series],
        "marks": [asdict(m) for m in data.marks],
        "unit": data.unit,
        "yrange": list(data.yrange) if data.yrange else None,
        "yscale": data.yscale,
        "heat": {"bounds": [number(b) for b in data.heat.bounds], "unit": data.heat.unit} if data.heat else None,
        "empty": data.empty,
        "hint": data.hint,
        "gaps": [list(g) for g in data.gaps],
        "arrays": [[name, *a.shape] for name, a in data.arrays()],
    }


def array_bytes(data: PanelData) -> bytes:
    """The arrays of `data` in wire order as little-endian float32."""
    return b"".join(np.ascontiguousarray(a, "<f4").tobytes() for _, a in data.arrays())


def encode(header: Mapping[str, Any], arrays: bytes | Iterable[bytes] = b"") -> bytes:
    """One binary message: uint32 LE length of the header, the header as JSON padded with blanks so that the
    arrays start on a multiple of 4, then the arrays."""
    text = json.dumps(header, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    body = arrays if isinstance(arrays, bytes) else b"".join(arrays)
    return len(text).to_bytes(4, "little") + text + body


def decode(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the array bytes of what `encode` made. Raises ValueError for a cut message."""
    if len(message) < 4:
        raise ValueError("message shorter than its length")
    n = int.from_bytes(message[:4], "little")
    if len(message) < 4 + n:
        raise ValueError(f"header of {n} bytes in a message of {len(message)}")
    return json.loads(message[4 : 4 + n]), message[4 + n :]


def split_arrays(shapes: Sequence[Sequence[Any]], body: bytes, offset: int = 0) -> tuple[dict[str, Floats], int]:
    """Arrays named by a header's `arrays` from `body`, and the offset behind the last one."""
    out: dict[str, Floats] = {}
    for name, rows, columns in shapes:
        count = int(rows) * int(columns)
        out[name] = np.frombuffer(body, "<f4", count, offset).reshape(int(rows), int(columns))
        offset += 4 * count
    return out, offset
