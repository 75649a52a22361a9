"""From a question to a D program and the sh command that runs it.

Everything that a person chose (values of the predicate) enters a program as an integer or as a string literal in
which every character but letters, digits and a few marks is an octal escape: it can neither end the literal nor
mean anything to a shell. A program has a clause a line; no line is longer than LINE, as old csh wants it. No
program contains a destructive action and no command passes -w.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from collectors.base import OS
from collectors.dtrace.recipes import RECIPES, Recipe
from frames.questions import All, Field, Is, Not, Predicate, Question, comparisons
from frames.schemas import log2_levels

OPTIONS = ("switchrate=10hz", "aggrate=10hz", "aggsize=4m", "bufsize=1m", "dynvarsize=16m", "cleanrate=101hz")
"""Ten looks a second keep an interval within 0.1 s of its tick; dynvarsize holds what is in flight."""

LINE = 900
_TOKEN = re.compile(r'(\s*)("(?:[^"\\]|\\.)*"|[^\s",]+,?|,)')
_PLAIN = re.compile(rb"[A-Za-z0-9_ .:/@,=+-]")


class NoRecipe(LookupError):
    """A question that a system cannot answer; says what it lacks."""


def literal(value: str | int) -> str:
    """`value` as a D literal. Raises ValueError for a NUL or an integer beyond 64 bits."""
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} does not fit 64 bits")
        return f"{value}" if value >= 0 else f"(-{-value})" if value > -(2**63) else "(-9223372036854775807-1)"
    data = value.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ValueError("a D string cannot hold a NUL")
    return '"' + "".join(chr(b) if _PLAIN.match(bytes([b])) else f"\\{b:03o}" for b in data) + '"'


def ways(question: Question, os: OS, probes: Iterable[str] | None = None) -> list[Recipe]:
    """The recipes of `os` that have all fields of `question`, the best first; at least one.

    `probes`: what `dtrace -l` shows there, as provider:module:function:name; None leaves them unchecked. Whether the
    kernel's types are those of a recipe the host's own compiler tells: where it refuses one, the next may do.
    Raises NoRecipe with what the host lacks.
    """
    mine = [r for r in RECIPES if r.metric == question.metric.name and os in r.systems]
    if not mine:
        raise NoRecipe(f"no way is known to ask for {question.metric.noun} on {os}")
    have = None if probes is None else list(probes)
    if have is not None:
        there = [r for r in mine if all(_listed(p, have) for p in r.probes)]
        if not there:
            lacking = ", ".join(dict.fromkeys(p for r in mine for p in r.probes if not _listed(p, have)))
            raise NoRecipe(f"the host has no probe {lacking}")
        mine = there
    wanted = _fields(question)
    if fit := [r for r in mine if wanted <= set(r.fields)]:
        return fit
    lacking = ", ".join(sorted(wanted - set().union(*(r.fields for r in mine))) or sorted(wanted))
    raise NoRecipe(f"{question.metric.noun} has no field {lacking} on {os}")


def recipe(question: Question, os: OS, probes: Iterable[str] | None = None) -> Recipe:
    """The best of `ways`. Raises NoRecipe."""
    return ways(question, os, probes)[0]


def lacking(needed: Iterable[str], have: Iterable[str]) -> list[str]:
    """Probes of `needed` that are not among `have` (as provider:module:function:name)."""
    there = list(have)
    return [p for p in needed if not _listed(p, there)]


def _listed(probe: str, have: list[str]) -> bool:
    pattern = re.compile(
        ":".join(re.escape(part).replace(r"\*", "[^:]*") or "[^:]*" for part in probe.split(":")), re.ASCII
    )
    return any(pattern.fullmatch(p) for p in have)


def _fields(question: Question) -> set[str]:
    return set(question.by) | {p.field for p in comparisons(question.where)}


def by_kernel_names(question: Question, names: Mapping[str, str]) -> Question:
    """`question` with the devices of its predicate called what the kernel calls them; `names`: that name to the one
    that people use (`framing.FrameParser.names`), which is what they click."""
    back = {people: kernel for kernel, people in names.items()}

    def told(p: Predicate) -> Predicate:
        if isinstance(p, Is):
            return Is(p.field, p.op, back.get(str(p.value), p.value)) if p.field == "device" else p
        if isinstance(p, Not):
            return Not(told(p.part))
        return type(p)(tuple(map(told, p.parts)))

    return question if question.where is None else Question(question.metric, question.by, told(question.where))


@dataclass(frozen=True)
class _Names:
    """Expressions of one program: what ``{name}`` in a recipe means."""

    recipe: Recipe
    end: int = 1
    """0 where it begins, 1 where it happens."""

    def saved(self, name: str) -> str:
        key = self.recipe.key if isinstance(self.recipe.key, str) else self.recipe.key[self.end]
        return f"zs_{name}[{key}]" if key else f"self->zs_{name}"

    def expand(self, code: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: self.saved(m[1]), code)

    def field(self, name: str) -> str:
        return self.expand(self.recipe.fields[name])


def _condition(p: Predicate, names: _Names) -> str:
    if isinstance(p, Is):
        op = {"=": "=="}.get(p.op, p.op)
        return f"({names.field(p.field)} {op} {literal(p.value)})"
    if isinstance(p, Not):
        return f"(({_condition(p.part, names)}) == 0)"
    return "(" + (" && " if isinstance(p, All) else " || ").join(_condition(q, names) for q in p.parts) + ")"


def _narrowed(r: Recipe, where: Predicate | None) -> Recipe:
    """`r` with the probes of one function only, where `where` holds of no other: hundreds of system calls take
    DTrace for Linux a minute to attach, one takes it no time, and what is not probed costs nothing."""
    parts = where.parts if isinstance(where, All) else (where,)
    fixed = [p.value for p in parts if isinstance(p, Is) and (p.field, p.op) == (r.function, "=")]
    if not fixed or not re.fullmatch(r"[A-Za-z_]\w*", str(fixed[0]), re.ASCII):
        return r

    def one(probes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(re.sub(r"^(\w+:\w*:):", rf"\g<1>{fixed[0]}:", p) for p in probes)

    return replace(r, fire=one(r.fire), enter=one(r.enter))


def quantized(f: Field, expression: str, weight: list[str]) -> tuple[list[str], str]:
    """(statements before it, aggregating function) that count `expression` over the bounds of `f`.

    quantize() has a bucket an octave, and only systems after Solaris 10 have llquantize(). 'log2:n' therefore is an
    lquantize() of the bucket's index, which needs no logarithm: this->t is the number of bits below the n steps of
    the value's octave, found by halving, and this->v >> this->t is n and the step.
    """
    kind, *args = f.bounds.split(":")
    if kind != "log2":
        return [], f"{kind}({', '.join([expression, *args, *weight])})"
    n = int(args[0])
    # Signed: where clocks of two CPUs are apart, an unsigned latency would be of 584 years.
    statements = [f"this->v = (int64_t)({expression});", f"this->t = (this->v >> 32) >= {n} ? 32 : 0;"]
    statements += [f"this->t += (this->v >> (this->t + {bits})) >= {n} ? {bits} : 0;" for bits in (16, 8, 4, 2, 1)]
    index = f"this->t * {n} + (this->v >> this->t)"
    return statements, f"lquantize({', '.join([index, '0', str(log2_levels(n)), '1', *weight])})"


def program(question: Question, os: OS, *, interval: int = 1, limit: int = 0, recipe_: Recipe | None = None) -> str:
    """The D program that answers `question` each `interval` seconds and ends after `limit` seconds (0: never).

    Its output is described in `collectors.dtrace.framing`. Raises NoRecipe.
    """
    r = _narrowed(recipe_ or recipe(question, os), question.where)
    names, early = _Names(r), _Names(r, 0)
    used = {name for f in _fields(question) for name in re.findall(r"\{(\w+)\}", r.fields[f])}
    used |= set(re.findall(r"\{(\w+)\}", " ".join((r.value, r.match, r.fire_if, *r.first))))
    if used:
        used.add("start")
    for later in reversed(list(r.saves)):  # what is saved may be made of what was saved before
        if later in used:
            used.update(re.findall(r"\{(\w+)\}", r.saves[later]))
    saves = [s for s in r.saves if s in used]

    clauses: list[str] = []
    if saves or not r.enter:
        clauses += map(early.expand, r.first)
    if saves:
        body = " ".join(f"{early.saved(s)} = {early.expand(r.saves[s])};" for s in saves)
        clauses.append(_clause(r.enter, [early.expand(r.enter_if)], body))
    matched = [names.saved("start"), names.expand(r.match)] if saves else [names.expand(r.match)]
    conditions = [*matched, names.expand(r.fire_if)]
    where = [_condition(question.where, names)] if question.where is not None else []
    assigned, tuple_, formats = [], [], []
    for i, f in enumerate(question.discrete):
        assigned.append(f"this->k{i} = {names.field(f.name)};")
        if f.type == "string":
            tuple_ += [f"strlen(this->k{i})", f"this->k{i}"]
            formats.append("%d:%s ")
        else:
            tuple_.append(f"this->k{i}")
            formats.append("#%d ")
    numeric = question.numeric
    if numeric:
        weight = [names.expand(r.value)] if r.value else []
        before, value = quantized(numeric, names.field(numeric.name), weight)
        assigned += before
        agg = numeric.bounds.replace(":", " ")
    elif r.value:
        value, agg = f"sum({names.expand(r.value)})", "sum"
    else:
        value, agg = "count()", "count"
    keys = f"[{', '.join(tuple_)}]" if tuple_ else ""
    clauses.append(_clause(r.fire, conditions + where, f"{' '.join(assigned)} @q{keys} = {value};".strip()))
    if saves:
        body = " ".join(f"{names.saved(s)} = 0;" for s in saves)
        clauses.append(_clause(r.fire, matched, body))

    answer = f"{''.join(formats)}{agg}%@dzs1 yek" if numeric else f"{''.join(formats)}{agg}=%@d"
    return fold([*begin(question.id, interval), *clauses, *frame(answer, os, interval, limit)])


def fold(clauses: Iterable[str]) -> str:
    """A clause a line, broken between words where it is longer than LINE. Raises ValueError for a longer word."""
    lines = []
    for clause in clauses:
        line = ""
        for m in _TOKEN.finditer(clause) if len(clause) > LINE else ():
            if len(m[2]) > LINE:
                raise ValueError(f"a word of {len(m[2])} characters")
            if len(line) + len(m[0]) > LINE:
                lines.append(line)
                line = m[2]
            else:
                line += m[0]
        lines.append(line or clause)
    return "\n".join(lines)


def _clause(probes: Iterable[str], conditions: Iterable[str], body: str) -> str:
    test = " && ".join(c for c in conditions if c)
    return f"{','.join(probes)} {f'/{test}/ ' if test else ''}{{ {body} }}"


def begin(title: str, interval: int) -> list[str]:
    """The clauses before a program's own: its title as a comment, its start, its faults."""
    return [
        f"/* zonescope {title[:600]} */",
        f"dtrace:::BEGIN {{ zs_from = walltimestamp; zs_due = timestamp + {interval * 10**9}; zs_n = 0; zs_faults = 0;"
        f' printf("zs1 start %d %s %d\\n", walltimestamp, {literal(title[:200])}, $pid); }}',
        "dtrace:::ERROR { zs_faults++; }",
    ]


def frame(answer: str, os: OS, interval: int, limit: int) -> list[str]:
    """The clauses that print an interval: `answer` is the printa format of one key of aggregation @q."""
    length = interval * 10**9
    if os == "linux":
        # A tick of DTrace for Linux does not fire on an idle CPU (seen with 2.0.7 on Linux 6.18), so that an idle
        # host would fall silent. dtrace's own wait between two looks at its buffers is a clock that does.
        tick = "syscall::epoll_*wait:entry"
        due = "pid == $pid && timestamp >= zs_due"
        # Late by half an interval, the next is a whole one all the same: two within a half would have one stamp.
        step = f"zs_due = (timestamp > zs_due + {length // 2} ? timestamp : zs_due) + {length}; "
    else:
        tick, due, step = f"profile:::tick-{interval}s", "", ""
    body = (
        f"{step}zs_n++; this->now = walltimestamp; "
        'printf("zs1 begin %d %d %d\\n", zs_n, zs_from, this->now); '
        f'printa("zs1 key {answer}\\n", @q); '
        'printf("zs1 end %d %d %d\\n", zs_n, this->now, zs_faults); '
        "trunc(@q); zs_from = this->now; zs_faults = 0;"
    )
    clauses = [_clause([tick], [due], body)]
    if limit:
        test = "pid == $pid" if os == "linux" else ""
        clauses.append(_clause([tick], [test, f"zs_n >= {max(1, limit // interval)}"], "exit(0);"))
    return clauses


_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/', re.S)
_FORBIDDEN = re.compile(
    r"\b(?:system|stop|raise|copyout|copyoutstr|breakpoint|panic|chill|freopen|ftruncate|setopt)\s*\("
    r"|#|\$(?!pid\b)"
)
"""Actions that change the host or what dtrace writes to; lines for the preprocessor and pragmas, which could allow
them (``#pragma D option destructive``); macros, which stand for what is no part of the program."""


def harmless(source: str) -> None:
    """Raises ValueError naming what a program must not contain."""
    found = _FORBIDDEN.search(_TEXT.sub(" ", source))
    if found:
        raise ValueError(f"a program must not contain {found[0].strip()!r}: it looks and changes nothing")


def command(source: str) -> str:
    """The sh command that runs the D program `source`; dtrace replaces the shell, so that its end is the end.

    Raises ValueError for a program that cannot be quoted or could change the host.
    """
    harmless(source)
    if "'" in source or any(len(line) > LINE for line in source.splitlines()):
        raise ValueError(f"a program for the command line has no ' and no line over {LINE} characters")
    options = " ".join(f"-x {o}" for o in OPTIONS)
    return f"exec dtrace -q {options} -n '{source}'"
