"""D programs of every aggregating function, key and option, run by a real dtrace: the parser must find what was put in.

Each program aggregates values that are made up here, so what it should print is known without reading it. Names of
aggregations are printed between them, keys are compared whole.
"""

from __future__ import annotations

import bisect
import math
import random
import subprocess
from dataclasses import dataclass, field
from typing import Any

import pytest

from collectors.dtrace import layout
from frames.schemas import bounds
from tests.dtrace import printer, real

pytestmark = [pytest.mark.dtrace, real.needed]

WORDS = [
    *["imapd", "a b", "", "12", "1234567", "-5", "read/write", "x" * 49, "y z" * 20, "tab\there", "two\nlines", "é ü"],
    *["c:\\d", 'q"u', "genunix`read+0x1", "%d%s", "zs1 end 1 2", "@@ 3", "caf\u00e9\u4e2d", "|", "value"],
]
INTS = {"int8_t": (0, 255), "int16_t": (0, 65535), "int32_t": (-(2**31), 2**31 - 1), "int64_t": (-(2**62), 2**62)}
LINEAR = [(-50, 50, 10), (0, 100, 5), (-3, 4, 1), (1000, 100000, 1000)]
LOG = [(10, 0, 5, 10), (2, 0, 10, 2), (10, 2, 6, 20), (4, 1, 5, 8)]
SCALARS = ("count", "sum", "avg", "min", "max", "stddev")


def literal(text: str) -> str:
    """A D string literal of the text's bytes."""
    out = ""
    for byte in text.encode():
        char = chr(byte)
        out += f"\\{char}" if char in '"\\' else char if 32 <= byte < 127 else f"\\{byte:03o}"
    return f'"{out}"'


def one(kind: str, rng: random.Random) -> tuple[str, str]:
    """A key of `kind` as D and as it should be read."""
    if kind == "text":
        text = rng.choice(WORDS)
        return literal(text), text.strip(" ")
    low, high = INTS[kind]
    n = rng.choice([rng.randint(low, high), rng.randint(0, 200), low + 1, high])
    return f"({kind}){n}", str(n)


def expect(agg: str, args: tuple[int, ...], values: list[int]) -> Any:
    """What the function makes of `values`: a number, or {lower bound: count}."""
    n = len(values)
    if agg == "count":
        return n
    if agg in ("sum", "min", "max"):
        return {"sum": sum, "min": min, "max": max}[agg](values)
    mean = math.trunc(sum(values) / n) if abs(sum(values)) < 2**50 else int(sum(values) // n)
    if agg == "avg":
        return mean
    if agg == "stddev":
        return math.isqrt(sum(v * v for v in values) // n - mean * mean)
    if agg == "quantize":
        labels = [(1 << (abs(v).bit_length() - 1)) * (1 if v > 0 else -1) if v else 0 for v in values]
    elif agg == "lquantize":
        low, high, step = args
        top = low + (high - low) // step * step
        labels = [-math.inf if v < low else top if v >= top else low + (v - low) // step * step for v in values]  # type: ignore[misc]
    else:
        lows = printer.llquantize_lows(*args)
        middle = -lows[0] if args[1] else 0
        labels = [lows[bisect.bisect_right(lows, v) - 1] if v >= lows[0] else middle for v in values]
    return {label: labels.count(label) for label in set(labels)}


@dataclass
class Case:
    """One aggregation: D statements, and its rows as they should be read."""

    statements: list[str] = field(default_factory=list)
    rows: dict[tuple[str, ...], Any] = field(default_factory=dict)
    agg: str = ""


def case(name: str, rng: random.Random) -> Case:
    agg = rng.choice([*SCALARS, "quantize", "lquantize", "llquantize"])
    args = rng.choice(LINEAR) if agg == "lquantize" else rng.choice(LOG) if agg == "llquantize" else ()
    shape = [rng.choice(["text", "text", *INTS]) for _ in range(rng.randint(0, 4))]
    out = Case(agg=agg)
    for _ in range(rng.randint(1, 3) if shape else 1):
        d, keys = zip(*(one(kind, rng) for kind in shape), strict=True) if shape else ((), ())
        if keys in out.rows:
            continue
        low = 0 if agg == "llquantize" else -(2 ** rng.randint(1, 20))
        values = [rng.choice([0, rng.randint(low, 2 ** rng.randint(1, 20))]) for _ in range(rng.randint(1, 4))]
        for v in values:
            given = "" if agg == "count" else ", ".join(map(str, (v, *args)))
            by = f"[{', '.join(d)}]" if d else ""
            out.statements.append(f"@{name}{by} = {agg}({given});")
        out.rows[keys] = expect(agg, args, values)
    return out


def read(row: layout.Row) -> Any:
    if row.counts is None:
        return row.value
    assert row.bounds
    return {low: n for low, n in zip(bounds(row.bounds), row.counts, strict=True) if n}


def run(program: str, *options: str) -> str:
    command = [real.DTRACE, "-q", *options, "-s", "/dev/stdin"]
    done = subprocess.run(command, input=program.encode(), capture_output=True, timeout=150)
    assert done.returncode == 0, f"{done.stderr.decode()[-400:]}\n{program}"
    return done.stdout.decode("utf-8", "replace")


OPTIONS = [
    [],
    ["aggsortkey", "aggsortkeypos=1", "aggsortrev"],
    ["aggsortpos=1", "strsize=1024"],
]


@pytest.mark.parametrize("seed", range(3))
def test_what_was_aggregated_is_what_is_read(seed: int) -> None:
    rng = random.Random(seed)
    cases = {f"a{i}": case(f"a{i}", rng) for i in range(12)}
    options = [word for o in OPTIONS[seed % len(OPTIONS)] for word in ("-x", o)]
    program = "".join(f"BEGIN {{ {s} }}\n" for c in cases.values() for s in c.statements)
    for name in cases:
        program += f'BEGIN {{ printf("\\n@@@@ {name}\\n"); printa(@{name}); printf("\\n@@@@\\n"); }}\n'
    text = run(program + "BEGIN { exit(0); }\n", *options)
    for name, want in cases.items():
        part = text.partition(f"\n@@@@ {name}\n")[2].partition("\n@@@@\n")[0]
        answer = layout.parse(part)
        got = {tuple(row.keys): read(row) for row in answer.rows}
        assert got == want.rows, f"{want.agg}: {want.statements}\n{part}"
        assert not answer.complaints
    # And the whole at once, in which one aggregation follows the other.
    assert sum(len(c.rows) for c in cases.values()) == len(layout.parse(text).rows)


def marked(text: str, name: str) -> str:
    return text.partition(f"\n@@ {name}\n")[2].partition("\n@@ ")[0]


def test_several_in_one_printa_normalized_truncated_and_cleared() -> None:
    program = """
        BEGIN {
            @n["a b", 7] = count(); @n["a b", 7] = count(); @n["c", 8] = count();
            @s["a b", 7] = sum(-4000); @s["c", 8] = sum(500000); @s["only here", 1234567] = sum(9);
            @q["a b", 7] = quantize(5); @q["c", 8] = quantize(-300); @q["c", 8] = quantize(70);
            @l["c", 8] = lquantize(35, 0, 100, 10);
            @m["a b", 7] = min(3); @m["c", 8] = min(-3);
            @t[1] = count(); @t[2] = sum(5); @t[3] = sum(7);
        }
    """.replace("@t[1] = count(); @t[2]", "@t[1] = sum(1); @t[2]")
    sections = {
        "ns": ("printa(@n, @s);", 2),
        "nq": ("printa(@n, @q);", 2),
        "qn": ("printa(@q, @n);", 2),
        "nqs": ("printa(@n, @q, @s);", 3),
        "qlnm": ("printa(@q, @l, @n, @m);", 4),
        "normal": ("normalize(@s, 1000); printa(@s);", 1),
        "denormal": ("denormalize(@s); printa(@s);", 1),
        "trunc": ("trunc(@t, 2); printa(@t);", 1),
        "cleared": ("clear(@n); clear(@q); clear(@m); printa(@n); printa(@q); printa(@m);", 1),
        "none": ("trunc(@t); printa(@t);", 1),
    }
    for name, (statements, _) in sections.items():
        program += f'BEGIN {{ printf("\\n@@ {name}\\n"); {statements} }}\n'
    text = run(
        program + 'BEGIN { printf("\\n@@ end\\n"); trunc(@n); trunc(@s); trunc(@q); trunc(@l); trunc(@m); exit(0); }\n'
    )

    def rows(name: str) -> list[tuple[tuple[str, ...], Any]]:
        answer = layout.parse(marked(text, name), values=sections[name][1])
        assert not answer.complaints
        return sorted(((tuple(r.keys), read(r)) for r in answer.rows), key=lambda row: row[0])

    ab, c, only = ("a b", "7"), ("c", "8"), ("only here", "1234567")
    qab, qc = {4: 1}, {-256: 1, 64: 1}
    assert rows("ns") == [(ab, 2), (ab, -4000), (c, 1), (c, 500000), (only, 0), (only, 9)]
    assert rows("nq") == [(ab, 2), (ab, qab), (c, 1), (c, qc)]
    assert rows("qn") == [(ab, qab), (ab, 2), (c, qc), (c, 1)]
    assert rows("nqs") == [
        (ab, 2),
        (ab, qab),
        (ab, -4000),
        (c, 1),
        (c, qc),
        (c, 500000),
        (only, 0),
        (only, {}),
        (only, 9),
    ]
    assert rows("qlnm") == [(ab, qab), (ab, {}), (ab, 2), (ab, 3), (c, qc), (c, {30: 1}), (c, 1), (c, -3)]
    # A negative sum is divided as if it were unsigned: dtrace's own doing.
    assert rows("normal") == [(ab, (2**64 - 4000) // 1000), (c, 500), (only, 0)]
    assert rows("denormal") == [(ab, -4000), (c, 500000), (only, 9)]
    assert rows("trunc") == [(("2",), 5), (("3",), 7)]
    assert [(k, v or None) for k, v in rows("cleared")] == [(ab, None)] * 3 + [(c, None)] * 3
    assert rows("none") == []


def test_stacks_and_symbols_account_for_every_sample() -> None:
    by = {"deep": "execname, stack(3), pid", "user": 'ustack(2), cpu, "in"', "module": "mod(arg0), func(arg0)"}
    program = (
        "profile-29 { @n = count(); " + " ".join(f"@{name}[{keys}] = count();" for name, keys in by.items()) + " }\n"
    )
    program += "tick-1s { exit(0); }\n"
    for name in ["n", *by]:
        program += f'END {{ printf("\\n@@ {name}\\n"); printa(@{name}); trunc(@{name}); }}\n'
    with real.busy():
        text = run(program + 'END { printf("\\n@@ end\\n"); }\n')
    (total,) = layout.parse(marked(text, "n")).rows
    assert total.value
    for name, keys in by.items():
        part = marked(text, name)
        answer = layout.parse(part)
        assert sum(r.value or 0 for r in answer.rows) == total.value, part
        assert {len(r.keys) for r in answer.rows} == {keys.count(", ") + 1}, part
        assert not answer.text
        for mark in ("`", "0x"):
            assert sum(k.count(mark) for r in answer.rows for k in r.keys) == part.count(mark), part
