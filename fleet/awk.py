"""A small awk: patterns, actions, fields, variables, arrays, if, while, for, print, printf, the common functions.

Written because sources put awk behind a pipe and the fleet runs no programs of the machine it is on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from fleet.shell import Filter, Out, ShellError

Value = float | str

_TOKEN = re.compile(
    r"\s*(?:(?P<num>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<str>\"(?:\\.|[^\"\\])*\")"
    r"|(?P<op>\+\+|--|&&|\|\||==|!=|<=|>=|\+=|-=|\*=|/=|!~|[-+*/%^!<>=~?:,;(){}\[\]$|]))"
)
_WORDS = {"if", "else", "while", "for", "in", "print", "printf", "next", "exit", "delete", "BEGIN", "END", "getline"}


class _Next(Exception):
    pass


class _Exit(Exception):
    pass


def _tokens(text: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    i = 0
    while i < len(text):
        if text[i] == "\n":
            out.append(("op", "\n"))
            i += 1
            continue
        if text[i] in " \t\\":
            i += 1
            continue
        if text[i] == "#":
            i = text.find("\n", i) if "\n" in text[i:] else len(text)
            continue
        before = out[-1] if out else ("op", "\n")
        if text[i] == "/" and not (
            before[0] in ("num", "str") or before[1] in (")", "]") or (before[0] == "name" and before[1] not in _WORDS)
        ):
            end = i + 1
            while text[end] != "/":
                end += 2 if text[end] == "\\" else 1
            out.append(("re", text[i + 1 : end].replace("\\/", "/")))
            i = end + 1
            continue
        m = _TOKEN.match(text, i)
        if not m or m.end() == i:
            raise ShellError(f"awk: syntax error near {text[i : i + 20]!r}")
        kind = m.lastgroup or "op"
        out.append((kind, m[kind]))
        i = m.end()
    return out


def number(v: Value) -> float:
    """The leading number of a value, 0 without one."""
    if isinstance(v, float):
        return v
    m = re.match(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", v)
    return float(m[0]) if m else 0.0


def text_of(v: Value) -> str:
    if isinstance(v, str):
        return v
    return str(int(v)) if v == int(v) and abs(v) < 1e16 else f"{v:.6g}"


def _truth(v: Value) -> bool:
    return bool(v) if isinstance(v, str) else v != 0


def _compare(a: Value, b: Value) -> int:
    x, y = _numeric(a), _numeric(b)
    if x is not None and y is not None:
        return (x > y) - (x < y)
    p, q = text_of(a), text_of(b)
    return (p > q) - (p < q)


def _numeric(v: Value) -> float | None:
    if isinstance(v, float):
        return v
    if isinstance(v, _Field) and re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", v):
        return float(v)
    return None


class _Field(str):
    """Text that came from the input: it compares as a number where it looks like one."""


Expr = Callable[[], Value]


class Program:
    """A parsed program with its variables; `run(line)` gives the lines that it prints."""

    def __init__(self, text: str, separator: str | None, assigned: dict[str, str]) -> None:
        self.toks = _tokens(text)
        self.i = 0
        self.vars: dict[str, Value] = {
            "OFS": " ",
            "ORS": "\n",
            "NR": 0.0,
            "NF": 0.0,
            "FS": separator or " ",
            "SUBSEP": "\x1c",
        }
        self.vars.update({k: _Field(v) for k, v in assigned.items()})
        self.arrays: dict[str, dict[str, Value]] = {}
        self.fields: list[str] = [""]
        self.out: list[str] = []
        self.begin: list[Callable[[], None]] = []
        self.end: list[Callable[[], None]] = []
        self.rules: list[tuple[Expr | None, Callable[[], None]]] = []
        self.only_begin = False
        self._program()

    # Parsing: each method compiles what it reads into a function of no arguments.

    def peek(self) -> str:
        return self.toks[self.i][1] if self.i < len(self.toks) and self.toks[self.i][0] not in ("str", "re") else ""

    def kind(self) -> str:
        return self.toks[self.i][0] if self.i < len(self.toks) else ""

    def take(self, what: str | None = None) -> str:
        if self.i >= len(self.toks) or (what is not None and self.peek() != what):
            raise ShellError(f"awk: syntax error: {what or 'more'} expected")
        self.i += 1
        return self.toks[self.i - 1][1]

    def blank(self) -> None:
        while self.peek() in ("\n", ";") and self.i < len(self.toks):
            self.i += 1

    def newlines(self) -> None:
        while self.peek() == "\n":
            self.i += 1

    def _program(self) -> None:
        self.blank()
        while self.i < len(self.toks):
            if self.peek() in ("BEGIN", "END"):
                (self.begin if self.take() == "BEGIN" else self.end).append(self._block())
            else:
                test = None if self.peek() == "{" else self._expr()
                body = self._block() if self.peek() == "{" else lambda: self._emit([lambda: self.fields[0]])
                self.rules.append((test, body))
            self.blank()
        self.only_begin = not self.rules and not self.end

    def _block(self) -> Callable[[], None]:
        self.take("{")
        steps = []
        self.blank()
        while self.peek() != "}":
            steps.append(self._statement())
            self.blank()
        self.take("}")

        def run() -> None:
            for s in steps:
                s()

        return run

    def _statement(self) -> Callable[[], None]:
        word = self.peek()
        if word == "{":
            return self._block()
        if word == "if":
            self.take()
            self.take("(")
            test = self._expr()
            self.take(")")
            self.newlines()
            yes = self._statement()
            mark = self.i
            self.blank()
            no: Callable[[], None] | None = None
            if self.peek() == "else":
                self.take()
                self.newlines()
                no = self._statement()
            else:
                self.i = mark
            return lambda: yes() if _truth(test()) else (no() if no else None)
        if word == "while":
            self.take()
            self.take("(")
            test = self._expr()
            self.take(")")
            self.newlines()
            body = self._statement()
            return lambda: self._loop(test, body, None)
        if word == "for":
            return self._for()
        if word == "next":
            self.take()
            return lambda: _raise(_Next())
        if word == "exit":
            self.take()
            return lambda: _raise(_Exit())
        if word == "delete":
            self.take()
            name = self.take()
            if self.peek() == "[":
                key = self._subscript()
                return lambda: self._forget(name, key())
            return lambda: self.arrays.get(name, {}).clear()
        if word in ("print", "printf"):
            self.take()
            items: list[Expr] = []
            bracket = self.peek() == "("
            if self.peek() not in ("", ";", "}", "\n") or self.kind() in ("str", "re"):
                items.append(self._expr(no_gt=True))
                while self.peek() == ",":
                    self.take()
                    items.append(self._expr(no_gt=True))
            del bracket
            if word == "print":
                return lambda: self._emit(items or [lambda: self.fields[0]])
            return lambda: self.out.append(_sprintf([x() for x in items]))
        e = self._expr()
        return lambda: (e(), None)[1]

    def _for(self) -> Callable[[], None]:
        self.take()
        self.take("(")
        if self.i + 1 < len(self.toks) and self.toks[self.i + 1][1] == "in":
            name = self.take()
            self.take()
            array = self.take()
            self.take(")")
            self.newlines()
            body = self._statement()

            def each() -> None:
                for k in list(self.arrays.get(array, {})):
                    self.vars[name] = _Field(k)
                    body()

            return each
        first = self._expr() if self.peek() != ";" else None
        self.take(";")
        test = self._expr() if self.peek() != ";" else (lambda: 1.0)
        self.take(";")
        after = self._expr() if self.peek() != ")" else None
        self.take(")")
        self.newlines()
        body = self._statement()

        def count() -> None:
            if first:
                first()
            self._loop(test, body, after)

        return count

    def _loop(self, test: Expr, body: Callable[[], None], after: Expr | None) -> None:
        for _ in range(100_000):
            if not _truth(test()):
                return
            body()
            if after:
                after()
        raise ShellError("awk: a loop without an end")

    def _expr(self, no_gt: bool = False) -> Expr:
        left = self._or(no_gt)
        if self.peek() == "?":
            self.take()
            yes = self._expr()
            self.take(":")
            no = self._expr()
            return lambda: yes() if _truth(left()) else no()
        if self.peek() in ("=", "+=", "-=", "*=", "/="):
            op = self.take()
            target = getattr(left, "store", None)
            if target is None:
                raise ShellError("awk: assignment to what is no variable")
            right = self._expr(no_gt)
            if op == "=":
                return lambda: target(right())
            f = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}[
                op[0]
            ]
            return lambda: target(f(number(left()), number(right())))
        return left

    def _or(self, no_gt: bool) -> Expr:
        left = self._and(no_gt)
        while self.peek() == "||":
            self.take()
            self.newlines()
            a, b = left, self._and(no_gt)
            left = _pair(a, b, lambda a, b: float(_truth(a()) or _truth(b())))
        return left

    def _and(self, no_gt: bool) -> Expr:
        left = self._match(no_gt)
        while self.peek() == "&&":
            self.take()
            self.newlines()
            a, b = left, self._match(no_gt)
            left = _pair(a, b, lambda a, b: float(_truth(a()) and _truth(b())))
        return left

    def _match(self, no_gt: bool) -> Expr:
        left = self._relation(no_gt)
        while self.peek() in ("~", "!~"):
            negate = self.take() == "!~"
            if self.kind() == "re":
                pattern = re.compile(self.take())
                a = left
                left = _pair(a, a, lambda a, b, p=pattern, n=negate: float(bool(p.search(text_of(a()))) != n))
            else:
                a, b = left, self._relation(no_gt)
                left = _pair(a, b, lambda a, b, n=negate: float(bool(re.search(text_of(b()), text_of(a()))) != n))
        if self.peek() == "in":
            self.take()
            name, a = self.take(), left
            left = _pair(a, a, lambda a, b: float(text_of(a()) in self.arrays.get(name, {})))
        return left

    def _relation(self, no_gt: bool) -> Expr:
        left = self._join(no_gt)
        ops: dict[str, Callable[[int], bool]] = {
            "<": lambda c: c < 0, "<=": lambda c: c <= 0, "==": lambda c: c == 0, "!=": lambda c: c != 0,
            ">=": lambda c: c >= 0, ">": lambda c: c > 0,
        }  # fmt: skip
        if self.peek() in ops and not (no_gt and self.peek() == ">"):
            f = ops[self.take()]
            a, b = left, self._join(no_gt)
            return lambda: float(f(_compare(a(), b())))
        return left

    def _join(self, no_gt: bool) -> Expr:
        left = self._sum()
        while (self.kind() in ("num", "name", "str") and self.peek() not in _WORDS) or self.peek() in ("$", "("):
            a, b = left, self._sum()
            left = _pair(a, b, lambda a, b: text_of(a()) + text_of(b()))
        return left

    def _sum(self) -> Expr:
        left = self._product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            a, b = left, self._product()
            left = _pair(a, b, lambda a, b, s=sign: number(a()) + s * number(b()))
        return left

    def _product(self) -> Expr:
        left = self._unary()
        while self.peek() in ("*", "/", "%"):
            op = self.take()
            a, b = left, self._unary()
            if op == "*":
                left = _pair(a, b, lambda a, b: number(a()) * number(b()))
            elif op == "/":
                left = _pair(a, b, lambda a, b: number(a()) / (number(b()) or float("nan")))
            else:
                left = _pair(a, b, lambda a, b: float(int(number(a())) % int(number(b()) or 1)))
        return left

    def _unary(self) -> Expr:
        if self.peek() == "!":
            self.take()
            a = self._unary()
            return lambda: float(not _truth(a()))
        if self.peek() in ("-", "+"):
            sign = -1.0 if self.take() == "-" else 1.0
            a = self._unary()
            return lambda: sign * number(a())
        if self.peek() in ("++", "--"):
            step = 1 if self.take() == "++" else -1
            a = self._unary()
            store = a.store  # type: ignore[attr-defined]
            return lambda: store(number(a()) + step)
        e = self._primary()
        if self.peek() in ("++", "--") and hasattr(e, "store"):
            step = 1 if self.take() == "++" else -1
            store = e.store

            def post() -> Value:
                old = number(e())
                store(old + step)
                return old

            return post
        return e

    def _primary(self) -> Expr:
        kind = self.kind()
        if kind == "num":
            v = float(self.take())
            return lambda: v
        if kind == "str":
            raw = self.take()[1:-1]
            s = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), raw)
            return lambda: s
        if kind == "re":
            pattern = re.compile(self.take())
            return lambda: float(bool(pattern.search(self.fields[0])))
        if self.peek() == "(":
            self.take()
            e = self._expr()
            if self.peek() == ",":
                # print (a, b): the parenthesis of a list
                parts = [e]
                while self.peek() == ",":
                    self.take()
                    parts.append(self._expr())
                self.take(")")
                return lambda: text_of(self.vars["OFS"]).join(text_of(p()) for p in parts)
            self.take(")")
            return lambda: e()
        if self.peek() == "$":
            self.take()
            which = self._unary()
            return _Place(lambda: self._field(int(number(which()))), lambda v: self._set_field(int(number(which())), v))
        if kind == "name":
            name = self.take()
            if (name in _FUNCTIONS and self.peek() == "(") or name == "length":
                return self._call(name)
            if self.peek() == "[":
                key = self._subscript()
                array = self.arrays.setdefault(name, {})
                return _Place(lambda: array.get(key(), _Field("")), lambda v: array.__setitem__(key(), v))
            return _Place(lambda: self.vars.get(name, _Field("")), lambda v: self.vars.__setitem__(name, v))
        raise ShellError(f"awk: syntax error near {self.peek()!r}")

    def _subscript(self) -> Callable[[], str]:
        self.take("[")
        parts = [self._expr()]
        while self.peek() == ",":
            self.take()
            parts.append(self._expr())
        self.take("]")
        return lambda: "\x1c".join(text_of(p()) for p in parts)

    def _call(self, name: str) -> Expr:
        args: list[Expr] = []
        arrays: list[str] = []
        if self.peek() == "(":
            self.take()
            while self.peek() != ")":
                if self.kind() == "name":
                    arrays.append(self.peek())
                if self.kind() == "re":
                    text = self.take()
                    args.append(_constant(text))
                else:
                    args.append(self._expr())
                if self.peek() == ",":
                    self.take()
            self.take(")")
        if name == "length" and not args:
            return lambda: float(len(self.fields[0]))
        if name == "split":
            array = self.arrays.setdefault(arrays[-1], {})

            def split() -> Value:
                by = text_of(args[2]()) if len(args) > 2 else None
                parts = text_of(args[0]()).split(by if by != " " else None)
                array.clear()
                array.update({str(k): _Field(p) for k, p in enumerate(parts, 1)})
                return float(len(parts))

            return split
        if name in ("sub", "gsub"):
            target = args[2] if len(args) > 2 else _Place(lambda: self.fields[0], lambda v: self._set_field(0, v))
            store = target.store  # type: ignore[attr-defined]

            def substitute() -> Value:
                to = re.sub(r"(?<!\\)&", lambda m: r"\g<0>", text_of(args[1]()))
                new, n = re.subn(text_of(args[0]()), to, text_of(target()), count=0 if name == "gsub" else 1)
                if n:
                    store(new)
                return float(n)

            return substitute
        f = _FUNCTIONS[name]
        return lambda: f([a() for a in args])

    # Running.

    def _field(self, n: int) -> Value:
        return _Field(self.fields[n]) if 0 <= n < len(self.fields) else _Field("")

    def _set_field(self, n: int, v: Value) -> Value:
        if n == 0:
            self._load(text_of(v))
        else:
            while len(self.fields) <= n:
                self.fields.append("")
            self.fields[n] = text_of(v)
            self.fields[0] = text_of(self.vars["OFS"]).join(self.fields[1:])
            self.vars["NF"] = float(len(self.fields) - 1)
        return v

    def _forget(self, name: str, key: str) -> None:
        self.arrays.get(name, {}).pop(key, None)

    def _load(self, line: str) -> None:
        by = text_of(self.vars["FS"])
        if by == " ":
            parts = line.split()
        elif len(by) == 1:
            parts = line.split(by) if line else []
        else:
            parts = re.split(by, line) if line else []
        self.fields = [line, *parts]
        self.vars["NF"] = float(len(parts))

    def _emit(self, items: list[Expr]) -> None:
        self.out.append(text_of(self.vars["OFS"]).join(text_of(x()) for x in items) + text_of(self.vars["ORS"]))

    def run(self, line: str) -> None:
        self._load(line)
        self.vars["NR"] = number(self.vars["NR"]) + 1
        try:
            for test, body in self.rules:
                if test is None or _truth(test()):
                    body()
        except _Next:
            return

    def take_out(self) -> str:
        text = "".join(self.out)
        self.out.clear()
        return text


class _Place:
    """An expression that can be assigned to."""

    def __init__(self, get: Expr, put: Callable[[Value], Any]) -> None:
        self.get, self.put = get, put

    def __call__(self) -> Value:
        return self.get()

    def store(self, v: Value) -> Value:
        self.put(v)
        return v


def _pair(a: Expr, b: Expr, f: Callable[..., Value]) -> Expr:
    return lambda: f(a, b)


def _constant(text: str) -> Expr:
    return lambda: text


def _raise(e: Exception) -> None:
    raise e


def _sprintf(args: list[Value]) -> str:
    if not args:
        return ""
    it = iter(args[1:])

    def one(m: re.Match[str]) -> str:
        if m[2] == "%":
            return "%"
        v = next(it, "")
        if m[2] in "di":
            return f"%{m[1]}d" % int(number(v))
        if m[2] in "feg":
            return f"%{m[1]}{m[2]}" % number(v)
        return f"%{m[1]}s" % text_of(v)

    return re.sub(r"%([-+ 0-9.#]*)([diufegsc%])", one, text_of(args[0]))


_FUNCTIONS: dict[str, Callable[[list[Value]], Value]] = {
    "substr": lambda a: _Field(
        text_of(a[0])[
            max(int(number(a[1])) - 1, 0) : (int(number(a[1])) - 1 + int(number(a[2]))) if len(a) > 2 else None
        ]
    ),
    "index": lambda a: float(text_of(a[0]).find(text_of(a[1])) + 1),
    "match": lambda a: float(m.start() + 1) if (m := re.search(text_of(a[1]), text_of(a[0]))) else 0.0,
    "int": lambda a: float(int(number(a[0]))),
    "length": lambda a: float(len(text_of(a[0]))),
    "sprintf": lambda a: _sprintf(a),
    "toupper": lambda a: text_of(a[0]).upper(),
    "tolower": lambda a: text_of(a[0]).lower(),
    "srand": lambda a: float(int(time.time())),
    "rand": lambda a: 0.5,
    "fflush": lambda a: 0.0,
    "system": lambda a: 0.0,
    "split": lambda a: 0.0,
    "sub": lambda a: 0.0,
    "gsub": lambda a: 0.0,
}


class Awk(Filter):
    """awk in a pipeline: output leaves as soon as a line has been read."""

    operands = 1

    def __init__(self, out: Out, text: str, separator: str | None, assigned: dict[str, str]) -> None:
        super().__init__(out)
        self.program = Program(text, separator, assigned)
        self._run(lambda: [b() for b in self.program.begin])
        if self.program.only_begin:
            self.done = True

    def _run(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except _Exit:
            self.done = True
        except _Next:
            pass
        text = self.program.take_out()
        if text:
            self.out(text)

    def line(self, line: str) -> Iterator[str]:
        self._run(lambda: self.program.run(line))
        return iter(())

    def last(self) -> Iterator[str]:
        self._run(lambda: [e() for e in self.program.end])
        return iter(())
