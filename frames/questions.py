"""D questions as both sides know them: a metric, a predicate and a decomposition; their sentence and their id.

The id is the question's name in the history and in URLs, the sentence is its panel's title:
``disk_io/by=zone,latency/where=device=sd3`` is "disk I/O of device sd3 broken down by zone and latency".
What a metric needs of a host (probes, D expressions) is the collectors' affair (`collectors.dtrace.recipes`).

Grammar of an id, values percent-encoded except for letters, digits and ``_.-``::

    id        = metric [ "/by=" field *( "," field ) ] [ "/where=" predicate ]
    predicate = field op value | ( "and" | "or" ) "(" predicate *( "," predicate ) ")" | "not(" predicate ")"
    op        = "=" | "!=" | "<" | "<=" | ">" | ">="
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

MAX_DISCRETE = 3
MAX_DEPTH = 8
MAX_COMPARISONS = 32
Op = Literal["=", "!=", "<", "<=", ">", ">="]
OPS: tuple[Op, ...] = ("<=", ">=", "!=", "=", "<", ">")


class QuestionError(ValueError):
    """A question that cannot be asked: says which part and why."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a metric. Discrete ones become keys, at most one numeric one becomes a histogram."""

    name: str
    kind: Literal["discrete", "numeric"]
    meaning: str
    type: Literal["string", "int"] = "string"
    """Of a discrete field's values; numeric ones are integers in `unit`."""
    unit: str = ""
    """ns, us, ms, B, KiB, GiB or ms-of-second for numeric fields."""
    bounds: str = "quantize"
    """Bounds of a numeric field's buckets, by their name in `frames.schemas.bounds`."""


@dataclass(frozen=True)
class Metric:
    """What happens: `noun` reads in a sentence ("disk I/O"); `unit` of what is counted ("1": events; "B": bytes,
    in histograms too: each event weighs as many as it moved)."""

    name: str
    noun: str
    meaning: str
    fields: tuple[Field, ...]
    unit: str = "1"

    def field(self, name: str) -> Field:
        """Raises QuestionError for a field that this metric does not have."""
        for f in self.fields:
            if f.name == name:
                return f
        have = ", ".join(f.name for f in self.fields)
        raise QuestionError(f"{self.name} has no field {name!r}; it has {have}")


@dataclass(frozen=True, slots=True)
class Is:
    """`field op value`; numeric fields and discrete integers take an int, other discrete ones a string."""

    field: str
    op: Op
    value: str | int


@dataclass(frozen=True, slots=True)
class All:
    """All of `parts` hold."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of `parts` holds."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`part` does not hold."""

    part: Predicate


Predicate = Is | All | Any | Not


def comparisons(p: Predicate | None) -> Iterator[Is]:
    """Every comparison in `p`, left to right."""
    if isinstance(p, Is):
        yield p
    elif isinstance(p, Not):
        yield from comparisons(p.part)
    elif p is not None:
        for part in p.parts:
            yield from comparisons(part)


def _depth(p: Predicate) -> int:
    if isinstance(p, Is):
        return 1
    return 1 + max(map(_depth, (p.part,) if isinstance(p, Not) else p.parts), default=0)


@dataclass(frozen=True)
class Question:
    """A checked question. `by`: at most three discrete fields and one numeric one, which is moved to the end.

    Raises QuestionError for unknown or repeated fields, too many of them, values of the wrong type, strings with
    a NUL (D strings end there), and predicates deeper than MAX_DEPTH or with more than MAX_COMPARISONS parts.
    """

    metric: Metric
    by: tuple[str, ...] = ()
    where: Predicate | None = None

    def __post_init__(self) -> None:
        fields = [self.metric.field(name) for name in self.by]
        if len(set(self.by)) < len(self.by):
            raise QuestionError("a field is named twice in the decomposition")
        numeric = [f.name for f in fields if f.kind == "numeric"]
        discrete = [f.name for f in fields if f.kind == "discrete"]
        if len(numeric) > 1:
            raise QuestionError(f"one numeric field at most, not {' and '.join(numeric)}")
        if len(discrete) > MAX_DISCRETE:
            raise QuestionError(f"{MAX_DISCRETE} discrete fields at most, not {len(discrete)}")
        object.__setattr__(self, "by", (*discrete, *numeric))
        if self.where is not None:
            self._check_where(self.where)

    def _check_where(self, where: Predicate) -> None:
        if _depth(where) > MAX_DEPTH:
            raise QuestionError(f"the predicate is deeper than {MAX_DEPTH}")
        parts = list(comparisons(where))
        if not 0 < len(parts) <= MAX_COMPARISONS:
            raise QuestionError(f"the predicate must have 1 to {MAX_COMPARISONS} comparisons, not {len(parts)}")
        for p in parts:
            f = self.metric.field(p.field)
            if f.kind == "discrete" and p.op not in ("=", "!="):
                raise QuestionError(f"{p.field} is discrete: = or !=, not {p.op}")
            if f.kind == "numeric" or f.type == "int":
                if not isinstance(p.value, int) or not -(2**63) <= p.value < 2**63:
                    raise QuestionError(f"{p.field} is a 64-bit integer, not {p.value!r}")
            elif not isinstance(p.value, str):
                raise QuestionError(f"{p.field} is text, not {p.value!r}")
            elif "\0" in p.value or len(p.value.encode("utf-8", "surrogateescape")) > 200:
                raise QuestionError(f"{p.field}: a value is at most 200 bytes without NUL")

    @property
    def discrete(self) -> tuple[Field, ...]:
        return tuple(f for f in map(self.metric.field, self.by) if f.kind == "discrete")

    @property
    def numeric(self) -> Field | None:
        return next((f for f in map(self.metric.field, self.by) if f.kind == "numeric"), None)

    @property
    def id(self) -> str:
        by = f"/by={','.join(self.by)}" if self.by else ""
        where = f"/where={_text(self.where)}" if self.where is not None else ""
        return self.metric.name + by + where

    @property
    def sentence(self) -> str:
        """The question in words: the panel's title."""
        of = f" {_words(self.metric, self.where, top=True)}" if self.where is not None else ""
        names = [_name(self.metric.field(n)) for n in self.by]
        return self.metric.noun + of + (f" broken down by {_list(names, 'and')}" if names else "")

    def drill(self, field: str, value: str | int, by: tuple[str, ...]) -> Question:
        """The next question: the same events with `field` fixed to `value`, broken down `by`."""
        fixed = Is(field, "=", value)
        where = fixed if self.where is None else All((*_parts(self.where), fixed))
        return Question(self.metric, by, where)


def _parts(p: Predicate) -> tuple[Predicate, ...]:
    return p.parts if isinstance(p, All) else (p,)


def _text(p: Predicate) -> str:
    if isinstance(p, Is):
        return f"{p.field}{p.op}{quote(str(p.value), '', errors='surrogateescape').replace('~', '%7E')}"
    if isinstance(p, Not):
        return f"not({_text(p.part)})"
    return f"{'and' if isinstance(p, All) else 'or'}({','.join(map(_text, p.parts))})"


_COMPARISON = re.compile(r"([a-z_]+)(<=|>=|!=|=|<|>)([A-Za-z0-9_.%-]*)")


class _Reader:
    def __init__(self, metric: Metric, text: str) -> None:
        self.metric, self.text, self.at = metric, text, 0

    def fail(self, why: str) -> QuestionError:
        return QuestionError(f"predicate {self.text!r}, character {self.at + 1}: {why}")

    def predicate(self, depth: int = 1) -> Predicate:
        if depth > MAX_DEPTH:
            raise self.fail(f"deeper than {MAX_DEPTH}")
        for word in ("and(", "or(", "not("):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                parts = [self.predicate(depth + 1)]
                while word != "not(" and self.text.startswith(",", self.at):
                    self.at += 1
                    parts.append(self.predicate(depth + 1))
                if not self.text.startswith(")", self.at):
                    raise self.fail("a ) is missing")
                self.at += 1
                if word == "not(":
                    return Not(parts[0])
                return All(tuple(parts)) if word == "and(" else Any(tuple(parts))
        m = _COMPARISON.match(self.text, self.at)
        if not m:
            raise self.fail("not a comparison")
        f = self.metric.field(m[1])
        value: str | int = unquote(m[3], errors="surrogateescape")
        if f.kind == "numeric" or f.type == "int":
            try:
                value = int(value)
            except ValueError:
                raise self.fail(f"{f.name} is an integer, not {value!r}") from None
        self.at = m.end()
        return Is(f.name, m[2], value)  # type: ignore[arg-type]


def parse(text: str, metrics: Mapping[str, Metric]) -> Question:
    """The question about one of `metrics` that `text` (an id) names. Raises QuestionError with what is wrong."""
    name, _, rest = text.partition("/")
    metric = metrics.get(name)
    if metric is None:
        raise QuestionError(f"no metric {name!r}")
    by: tuple[str, ...] = ()
    where: Predicate | None = None
    if rest.startswith("by="):
        head, _, rest = rest.partition("/")
        by = tuple(head[3:].split(","))
    if rest.startswith("where="):
        reader = _Reader(metric, rest[6:])
        where = reader.predicate()
        if reader.at < len(reader.text):
            raise reader.fail("there is something after the predicate")
    elif rest or text.endswith("/"):
        raise QuestionError(f"cannot read {rest!r} in {text!r}")
    return Question(metric, by, where)


# -- words ---------------------------------------------------------------------------------------------------


def _name(f: Field) -> str:
    return f.name.replace("_", " ")


def _list(names: list[str], word: str) -> str:
    return f" {word} ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def value_text(f: Field, value: str | int) -> str:
    """A value of `f` as people write it: 1 ms for 1000000 in ns, quotes around text that is empty or has blanks."""
    if f.kind == "discrete":
        text = str(value)
        return text if text and not re.search(r"[\s\"]", text) else f'"{text}"'
    scale = {
        "ns": (("s", 10**9), ("ms", 10**6), ("µs", 10**3)),
        "B": (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)),
    }.get(f.unit, ())
    for unit, size in scale:
        if abs(int(value)) >= size:
            return f"{int(value) / size:.4g} {unit}"
    return f"{value} {f.unit}".rstrip()


_OP_WORDS: dict[str, str] = {
    "=": "of",
    "!=": "other than",
    "<": "under",
    "<=": "at most",
    ">": "over",
    ">=": "at least",
}


def _words(metric: Metric, p: Predicate, *, top: bool = False) -> str:
    if isinstance(p, Is):
        f = metric.field(p.field)
        value = value_text(f, p.value)
        if f.kind == "discrete":
            return f"of {_name(f)} {value}" if p.op == "=" else f"of any {_name(f)} but {value}"
        return f"with {_name(f)} {_OP_WORDS[p.op]} {value}"
    if isinstance(p, Not):
        return f"not ({_words(metric, p.part)})"
    text = (" and " if isinstance(p, All) else " or ").join(_words(metric, part) for part in p.parts)
    return text if top or len(p.parts) == 1 else f"({text})"
