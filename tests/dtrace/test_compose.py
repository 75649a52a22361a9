"""Every question that can be asked becomes a well-formed program, and no value of a predicate ever becomes code."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from collectors.base import OS, SYSTEMS
from collectors.dtrace import compose
from collectors.dtrace.recipes import RECIPES, Recipe
from collectors.links import shell
from frames.metrics import METRICS, question
from frames.questions import MAX_DEPTH, All, Any, Is, Not, Predicate, Question, comparisons
from frames.schemas import bounds
from tests.dtrace import real

IDS = [f"{r.metric}-{r.systems[0]}-{i}" for i, r in enumerate(RECIPES)]
DESTRUCTIVE = re.compile(
    r"\b(system|copyout|copyoutstr|raise|panic|breakpoint|chill|stop|freopen|ftruncate|setopt)\s*\("
)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def decompositions(recipe: Recipe) -> Iterator[tuple[str, ...]]:
    """Every choice of at most one numeric and at most three discrete fields that the recipe has."""
    fields = [f for f in METRICS[recipe.metric].fields if f.name in recipe.fields]
    discrete = [f.name for f in fields if f.kind == "discrete"]
    numeric = [(f.name,) for f in fields if f.kind == "numeric"]
    for n in range(4):
        for some in itertools.combinations(discrete, n):
            for number in [(), *numeric]:
                yield (*some, *number)


def predicates(recipe: Recipe) -> list[Predicate | None]:
    """None, one that uses every field that the recipe has in every shape, and one as deep as may be."""
    fields = [f for f in METRICS[recipe.metric].fields if f.name in recipe.fields]
    parts: list[Predicate] = []
    for f in fields:
        if f.kind == "numeric":
            parts += [Is(f.name, ">=", 5), Not(Is(f.name, "<", -1))]
        else:
            value = 7 if f.type == "int" else 'a "b" \\'
            parts.append(Any((Is(f.name, "=", value), Is(f.name, "!=", value))))
    deep: Predicate = parts[0]
    for depth in range(2, MAX_DEPTH + 1 - (1 if isinstance(parts[0], Any) else 0)):
        more = parts[depth % len(parts)]
        leaf = more.parts[0] if isinstance(more, Any) else more
        deep = Not(deep) if depth % 3 == 0 else (All if depth % 2 else Any)((deep, leaf))
    return [None, All(tuple(parts)), deep]


def well_formed(program: str, q: Question, recipe: Recipe) -> None:
    assert program.isascii()
    assert max(map(len, program.splitlines())) <= compose.LINE
    assert "'" not in program
    assert program.startswith(f"/* zonescope {q.id[:600]} */\n")
    assert program.count("*/") == 1
    bare = " ".join(STRING.sub('""', program.split("*/", 1)[1]).split())
    assert '"' not in bare.replace('""', "")
    assert not DESTRUCTIVE.search(bare)
    depth = {"(": 0, "{": 0, "[": 0}
    for c in bare:
        if c in depth:
            depth[c] += 1
        elif c in ")}]":
            depth[{")": "(", "}": "{", "]": "["}[c]] -= 1
            assert min(depth.values()) >= 0
        if c == ";":
            assert (depth["{"], depth["("], depth["["]) == (1, 0, 0)
    assert set(depth.values()) == {0}
    assert not re.search(r"\{\w+\}", bare), "a saved name was not put in"
    # What is saved at the beginning is set to zero at the end, in the same place.
    saved = re.findall(r"((?:self->)?zs_(?!n\b|from\b|due\b|faults\b|buf\b)\w+)(?:\[.*?\])? = ([^;]+);", bare)
    kept = {name for name, value in saved if value != "0"}
    cleared = {name for name, value in saved if value == "0"}
    assert kept == cleared
    assert bool(kept) <= bool(recipe.enter or recipe.first)
    # As long as a predicate may be: what runs is a fraction of what a kernel takes, and of a command line.
    assert len(program) < 32_000
    (aggregation,) = re.findall(r"@q(?:\[(.*?)\])? = (\w+)\(", bare)
    keys = sum(2 if f.type == "string" else 1 for f in q.discrete)
    assert len([k for k in aggregation[0].split(", ") if k]) == keys
    if q.numeric:
        assert aggregation[1] == q.numeric.bounds.split(":")[0].replace("log2", "lquantize")
        bounds(q.numeric.bounds)
    else:
        assert aggregation[1] == ("sum" if recipe.value else "count")
    assert bare.count("printa(") == bare.count("trunc(@q)") == 1


@pytest.mark.parametrize("recipe", RECIPES, ids=IDS)
def test_every_decomposition_with_every_predicate(recipe: Recipe) -> None:
    metric = METRICS[recipe.metric]
    assert set(recipe.fields) <= {f.name for f in metric.fields}
    assert set(re.findall(r"\{(\w+)\}", " ".join((*recipe.fields.values(), recipe.match, recipe.fire_if)))) <= set(
        recipe.saves
    )
    for by in decompositions(recipe):
        for where in predicates(recipe):
            q = Question(metric, by, where)
            for os in {"linux" if "linux" in recipe.systems else recipe.systems[0]}:
                well_formed(compose.program(q, os, limit=600, recipe_=recipe), q, recipe)


def test_every_metric_has_a_way_and_every_field_too() -> None:
    for name, metric in METRICS.items():
        fields = set().union(*(r.fields for r in RECIPES if r.metric == name))
        assert fields == {f.name for f in metric.fields}


@pytest.mark.parametrize("os", SYSTEMS)
def test_every_system_answers_or_says_what_it_lacks(os: OS) -> None:
    for metric in METRICS.values():
        for f in metric.fields:
            q = Question(metric, (f.name,))
            known = [r for r in RECIPES if r.metric == metric.name and os in r.systems]
            if any(f.name in r.fields for r in known):
                assert f.name in compose.recipe(q, os).fields
            else:
                with pytest.raises(compose.NoRecipe, match=f.name if known else f"on {os}"):
                    compose.recipe(q, os)


def test_the_hosts_own_probes_decide() -> None:
    tcp = ["tcp:ip:tcp_input_data:accept-established", "mib:ip:tcp_input_listener:tcpPassiveOpens"]
    accepts = question("tcp_accepts/by=subsecond")
    assert compose.recipe(accepts, "solaris11", tcp).fire == ("tcp:::accept-established",)
    assert compose.recipe(accepts, "solaris11", tcp[1:]).fire == ("mib:::tcpPassiveOpens",)
    with pytest.raises(compose.NoRecipe, match="no probe tcp:::accept-established, mib:::tcpPassiveOpens"):
        compose.recipe(accepts, "illumos", ["io:genunix::start"])
    with pytest.raises(compose.NoRecipe, match="no field dataset on linux"):
        compose.recipe(question("zil_commits/by=dataset"), "linux")
    fop = question("fs_ops/by=operation,latency")
    assert compose.recipe(fop, "illumos").fire[0] == "fbt:genunix:fop_read:return"
    assert compose.recipe(question("fs_ops/by=operation"), "illumos").fire[0] == "fsinfo:::open"


def test_what_is_not_to_be_counted_is_not() -> None:
    """Of facts of the systems' sources that no compiler here can tell."""

    def asked(text: str, os: OS) -> str:
        return compose.program(question(text), os)

    # Each fires twice, and again for each of GEOM's providers, whose devstat has the unit -1.
    assert "io:::done /arg0 != 0 && args[1]->unit_number >= 0/" in asked("disk_io/by=device", "freebsd")
    # The tcp_offset of FreeBSD's tcp.d is none.
    assert "tcp_offset" not in asked("tcp_bytes", "freebsd")
    assert "tcp_offset" in asked("tcp_bytes", "illumos")
    # An idle CPU's thread is on it, too.
    for os, busy in (
        ("solaris10", "curthread->t_pri != -1"),
        ("freebsd", "(curthread->td_flags & 0x20) == 0"),
        ("linux", "pid != 0"),
    ):
        for text in ("thread_runs/by=runtime", "thread_samples"):
            assert busy in asked(text, os)  # type: ignore[arg-type]
    # A buffer of the ARC's says what it holds in another way in each of these.
    how = {os: asked("arc_access/by=contents,purpose", os) for os in SYSTEMS}
    assert "b_type == 1" in how["solaris10"]
    assert "h_flags & 1" in how["solaris11"]
    assert "b_type == 2" in how["illumos"]
    assert "b_type == 2" in how["freebsd"]
    assert "blk_prop" not in how["linux"]
    assert "fbt:zfs:arc_read:entry" in how["linux"]
    assert [r.fields["contents"].count("b_type == 1") for r in compose.ways(question("arc_access"), "illumos")] == [
        0,
        1,
    ]


def test_a_fixed_system_call_is_the_only_one_probed() -> None:
    one = compose.program(question("syscalls/by=latency/where=and(zone=a,syscall=fdsync)"), "illumos")
    assert "syscall::fdsync:entry /pid != $pid/" in one
    assert "syscall::fdsync:return /" in one
    assert "syscall:::" not in one
    for asked in (
        "syscalls/by=latency",
        "syscalls/by=latency/where=syscall!=read",
        "syscalls/by=latency/where=or(syscall=read,syscall=write)",
        "syscalls/by=latency/where=not(syscall=read)",
        "syscalls/by=latency/where=syscall=r%2Ad",
        "syscalls/by=latency/where=syscall=a%3Aentry%7Bx%7D",
    ):
        every = compose.program(question(asked), "illumos")
        assert "syscall:::entry" in every
        assert "syscall:::return" in every
    assert "rawtp:::sys_exit" in compose.program(question("syscalls/by=latency"), "linux")
    assert "syscall:::return" in compose.program(question("syscalls/by=syscall,latency"), "linux")


# -- values ------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
HOSTILE = [
    '"',
    '\\"',
    "'; rm -rf /",
    "*/ BEGIN { system(",
    "$1",
    "`id`",
    "!!",
    "\n",
    "a\\",
    "%s%n",
    "??/",
    "\r\n",
    "é∂",
]


def skeleton(program: str) -> str:
    """The program without its title and its string literals: its code, wherever its lines are folded."""
    return " ".join(STRING.sub('""', program.split("*/", 1)[1]).split())


def unescaped(literal: str) -> bytes:
    """What a D compiler makes of a string literal (its octal escapes are of three digits)."""
    assert literal[0] == literal[-1] == '"'
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), literal[1:-1].encode("ascii"))


@given(st.one_of(TEXT, st.sampled_from(HOSTILE)))
def test_text_is_a_literal_and_nothing_else(value: str) -> None:
    literal = compose.literal(value)
    assert unescaped(literal) == value.encode()
    assert not set(literal[1:-1]) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ .:/@,=+-\\")
    q = Question(METRICS["disk_io"], ("device", "latency"), Is("device", "=", value))
    plain = Question(METRICS["disk_io"], ("device", "latency"), Is("device", "=", "x"))
    program = compose.program(q, "solaris10")
    assert skeleton(program) == skeleton(compose.program(plain, "solaris10"))
    assert shlex.split(compose.command(program))[-1] == program
    assert shell.wrap(compose.command(program))  # every login shell can be given it


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_stay_numbers(value: int) -> None:
    text = compose.literal(value)
    assert eval(text) == value  # of digits, a sign and parentheses only, as the next line says
    assert not set(text) - set("-()0123456789")


def test_what_a_d_string_cannot_hold() -> None:
    with pytest.raises(ValueError, match="NUL"):
        compose.literal("a\0b")
    with pytest.raises(ValueError, match="64 bits"):
        compose.literal(2**63)


def test_a_command_never_allows_destructive_actions() -> None:
    words = shlex.split(compose.command(compose.program(question("disk_io"), "linux")))
    assert words[:2] == ["exec", "dtrace"]
    assert not any(re.fullmatch(r"-[A-Za-z]*w[A-Za-z]*|destructive", w) for w in words[2:-1])
    for bad in ("BEGIN { printf('x'); }", "x" * 1000):
        with pytest.raises(ValueError, match="no line over"):
            compose.command(bad)


ATTACKS = [
    *HOSTILE,
    '"); system("id"); trace("',
    "\\",
    "\\\\\\",
    '\\"; exit(1); "',
    "\n#pragma D option destructive\n",
    "$target",
    "$$1",
    "*/ } BEGIN { exit(7); } /*",
    "/* //",
    "%n%s%*d",
    "\x01\x7f\t\v\f\a\b\x1b[2J",
    "\x85\xa0\u2028\ud7ff\U0001f4a3",
    "\udcff\udc80",
    "a" * 200,
    '"' * 200,
    "\\0" * 60,
    "",
    " ",
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Whatever Question takes: up to 200 bytes without a NUL, bytes that are no UTF-8 among them."""
    raw = draw(st.lists(st.sampled_from([bytes([b]) for b in range(1, 256)] + [a.encode() for a in '"\\$#/*`'])))
    return b"".join(raw)[:200].decode("utf-8", "surrogateescape")


@pytest.mark.dtrace
@real.needed
@settings(max_examples=2, phases=[Phase.generate])
@given(st.lists(texts(), min_size=150, max_size=150))
def test_a_real_dtrace_reads_every_value_as_itself(values: list[str]) -> None:
    """Each value's literal in a program that runs: what dtrace prints of it is the value, and nothing else happens."""
    lengths = "".join(f'printf("%d ", strlen({compose.literal(v)})); ' for v in values)
    words = "".join(f'printf("\\n=%d:%s", strlen({compose.literal(v)}), {compose.literal(v)}); ' for v in ATTACKS)
    program = compose.fold([f"BEGIN {{ {lengths}{words} exit(0); }}"])
    done = subprocess.run([real.DTRACE, "-q", "-s", "/dev/stdin"], input=program.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr[-400:]
    first, _, rest = done.stdout.partition(b"\n=")
    assert [int(n) for n in first.split()] == [len(v.encode("utf-8", "surrogateescape")) for v in values]
    wanted = [v.encode("utf-8", "surrogateescape") for v in ATTACKS]
    assert b"\n=" + rest == b"".join(b"\n=%d:%s" % (len(w), w) for w in wanted) + b"\n"


@pytest.mark.dtrace
@real.needed
@settings(max_examples=3, phases=[Phase.generate])
@given(texts(), st.sampled_from(ATTACKS))
def test_a_real_compiler_takes_every_value_in_a_predicate(value: str, attack: str) -> None:
    where = Any((Is("execname", "=", value), Not(Is("device", "!=", attack)), Is("pid", "=", -(2**63))))
    q = Question(METRICS["disk_io"], ("device", "execname", "latency"), where)
    assert question(q.id) == q
    program = compose.program(q, "linux")
    compose.harmless(program)
    real.compiles(program)


# -- a real compiler -----------------------------------------------------------------------------------------------


def together(recipes: list[Recipe], os: OS) -> tuple[str, int]:
    """All decompositions of `recipes` with every predicate in one program, for compiling is quick and starting dtrace
    is not; and how many there are."""
    clauses: list[str] = []
    for i, recipe in enumerate(recipes):
        for by, where in itertools.product(decompositions(recipe), predicates(recipe)):
            n = len(clauses)
            q = Question(METRICS[recipe.metric], by, where)
            program = compose.program(q, os, limit=60, recipe_=recipe).split("*/", 1)[1]
            if n:
                program = program.split("zs_faults++; }", 1)[1]
            program = program.replace("this->k", f"this->k{n}_").replace("@q", f"@q{n}")
            clauses.append(re.sub(r"\bzs_(?!n\b|from\b|due\b|faults\b)\w+", rf"\g<0>_{i}", program))
    return "\n".join(clauses), len(clauses)


FOREIGN = (
    (r"stringof\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "execname"),
    (r"args\[\d\]->(?:dev_statname|fi_fs|tcps_raddr|if_name)\b", "execname"),
    (r"args\[\d\](?:->\w+)+|curthread(?:->\w+)+|\(\(arc_buf(?:_hdr)?_t \*\)arg0\)->[\w.]+", "arg1"),
    (r"\bzonename\b", "execname"),
    (r"curlwpsinfo->\w+", "arg1"),
    (r"\bSOBJ_\w+", "1"),
)
"""What Linux has not, and what stands in for it: a string for a string, an integer for an integer."""


def stood_in(recipe: Recipe) -> Recipe:
    """`recipe` for the compiler of Linux: other probes for those that this kernel has not, and if it is for another
    system stand-ins for its types. What is left is the program's own: clauses, variables, aggregations, quoting."""
    linux = "linux" in recipe.systems

    def probes(names: tuple[str, ...]) -> tuple[str, ...]:
        here = [n for n in names if n.startswith(("syscall:", "profile:")) or (linux and not n.startswith("fbt:"))]
        there = [f"syscall::write:{'return' if n.endswith(':return') else 'entry'}" for n in names if n not in here]
        return tuple(dict.fromkeys(here + there))

    def code(text: str) -> str:
        for pattern, instead in () if linux else FOREIGN:
            text = re.sub(pattern, instead, text)
        return text

    keys = (recipe.key,) if isinstance(recipe.key, str) else recipe.key
    return dataclasses.replace(
        recipe,
        first=tuple(re.sub(r"^fbt:\S+:(entry|return)", r"syscall::write:\1", clause) for clause in recipe.first),
        fire=probes(recipe.fire),
        enter=probes(recipe.enter),
        fields={name: code(text) for name, text in recipe.fields.items()},
        saves={name: code(text) for name, text in recipe.saves.items()},
        key=code(keys[0]) if len(keys) == 1 else (code(keys[0]), code(keys[1])),
        enter_if=code(recipe.enter_if),
        match=code(recipe.match),
        fire_if=code(recipe.fire_if),
        value=code(recipe.value),
    )


def compiled(recipes: list[Recipe], os: OS) -> int:
    program, n = together([stood_in(r) for r in recipes], os)
    real.compiles(program)
    return n


CASES = [(os, [r for r in RECIPES if os == r.systems[0]][i::4]) for os in SYSTEMS for i in range(4)]
"""Each recipe once: a program for another of its systems has the same clauses."""
CASES = [(os, some) for os, some in CASES if some]


@pytest.mark.dtrace
@real.needed
@pytest.mark.parametrize(
    ("os", "recipes"), CASES, ids=[f"{os}-{'+'.join(dict.fromkeys(r.metric for r in rs))}" for os, rs in CASES]
)
def test_a_real_compiler_takes_every_decomposition_with_every_predicate(os: OS, recipes: list[Recipe]) -> None:
    """Programs for Linux as they are but for functions' probes; of the others all but what Linux has not."""
    n = compiled(recipes, os)
    print(f"{n} programs for {os}")
    assert n > 2 * len(recipes)


def test_comparisons_reach_every_part() -> None:
    p = All((Is("pid", "=", 1), Not(Any((Is("zone", "=", "a"), Is("zone", "!=", "b"))))))
    assert [c.field for c in comparisons(p)] == ["pid", "zone", "zone"]
