"""As much of a Bourne shell as commands over SSH need, without a shell: text in, tools of the simulation called.

Parsed: lists, && and ||, pipelines, ( ), { }, while, until, for, if, case, redirections, variables, backquotes and
$( ), single and double quotes. What is not known is 'not found' with status 127, as on a host that lacks it.
"""

from __future__ import annotations

import asyncio
import fnmatch
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

Out = Callable[[str], None]


class ShellError(Exception):
    """Text that is no shell command: what stderr says."""


class Exit(Exception):
    """`exit`, with its status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


# Parsing


@dataclass
class Word:
    """Pieces: ('text', s) as is, ('var', name, quoted), ('sub', script, quoted). `glob`: unquoted pattern marks."""

    parts: list[tuple[str, str, bool]]
    quoted: bool = False

    @property
    def plain(self) -> str | None:
        """Its text when nothing is to be expanded, quoted or not."""
        return "".join(p[1] for p in self.parts) if all(p[0] == "text" for p in self.parts) else None

    @property
    def keyword(self) -> str | None:
        return None if self.quoted else self.plain


@dataclass
class Simple:
    assigns: list[tuple[str, Word]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirects: list[tuple[int, str, Word]] = field(default_factory=list)


@dataclass
class Compound:
    """kind: group, subshell, while, until, if, for, case."""

    kind: str
    parts: list[Node] = field(default_factory=list)
    name: str = ""
    words: list[Word] = field(default_factory=list)
    cases: list[tuple[list[Word], Node]] = field(default_factory=list)
    redirects: list[tuple[int, str, Word]] = field(default_factory=list)


@dataclass
class Pipeline:
    commands: list[Node]
    negate: bool = False


@dataclass
class AndOr:
    first: Node
    rest: list[tuple[str, Node]]


@dataclass
class Sequence:
    items: list[tuple[Node, bool]]
    """(command, in the background)."""


Node = Simple | Compound | Pipeline | AndOr | Sequence

_OPS = ("&&", "||", ";;", ";", "&", "|", "(", ")", "\n")
_STOP = {"then", "else", "elif", "fi", "do", "done", "}", "esac"}


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text, self.i = text, 0
        self.tokens: list[str | Word | tuple[int, str]] = []
        while self._next():
            pass

    def _next(self) -> bool:
        text = self.text
        while self.i < len(text):
            if text[self.i] in " \t\r":
                self.i += 1
            elif text.startswith("\\\n", self.i):
                self.i += 2
            elif text[self.i] == "#":
                while self.i < len(text) and text[self.i] != "\n":
                    self.i += 1
            else:
                break
        if self.i >= len(text):
            return False
        for op in _OPS:
            if text.startswith(op, self.i):
                self.tokens.append(op)
                self.i += len(op)
                return True
        m = re.compile(r"(\d?)(>>|>&|<&|>|<)").match(text, self.i)
        if m:
            fd = int(m[1]) if m[1] else (0 if m[2][0] == "<" else 1)
            self.tokens.append((fd, m[2]))
            self.i = m.end()
            return True
        self.tokens.append(self._word())
        return True

    def _word(self) -> Word:
        text, parts, quoted = self.text, [], False
        buffer: list[str] = []

        def flush() -> None:
            if buffer:
                parts.append(("text", "".join(buffer), False))
                buffer.clear()

        while self.i < len(text):
            c = text[self.i]
            if c in " \t\r\n;&|()<>":
                break
            if c == "'":
                end = text.find("'", self.i + 1)
                if end < 0:
                    raise ShellError("syntax error: unterminated quoted string")
                buffer.append(text[self.i + 1 : end])
                self.i, quoted = end + 1, True
            elif c == '"':
                quoted = True
                flush()
                parts += self._double()
                if not parts:
                    parts.append(("text", "", False))
            elif c == "\\":
                buffer.append(text[self.i + 1 : self.i + 2])
                self.i += 2
                quoted = True
            elif c in "$`":
                part = self._dollar(False)
                if part[0] == "text":
                    buffer.append(part[1])
                else:
                    flush()
                    parts.append(part)
            else:
                buffer.append(c)
                self.i += 1
        flush()
        return Word(parts, quoted)

    def _double(self) -> list[tuple[str, str, bool]]:
        text, parts = self.text, []
        buffer: list[str] = []
        self.i += 1
        while True:
            if self.i >= len(text):
                raise ShellError("syntax error: unterminated quoted string")
            c = text[self.i]
            if c == '"':
                self.i += 1
                break
            if c == "\\" and self.i + 1 < len(text) and text[self.i + 1] in '$`"\\\n':
                if text[self.i + 1] != "\n":
                    buffer.append(text[self.i + 1])
                self.i += 2
            elif c in "$`":
                part = self._dollar(True)
                if part[0] == "text":
                    buffer.append(part[1])
                else:
                    if buffer:
                        parts.append(("text", "".join(buffer), True))
                        buffer = []
                    parts.append(part)
            else:
                buffer.append(c)
                self.i += 1
        if buffer or not parts:
            parts.append(("text", "".join(buffer), True))
        return parts

    def _dollar(self, quoted: bool) -> tuple[str, str, bool]:
        text = self.text
        if text[self.i] == "`":
            end = self.i + 1
            body = []
            while end < len(text) and text[end] != "`":
                if text[end] == "\\" and end + 1 < len(text) and text[end + 1] in "`\\$":
                    body.append(text[end + 1])
                    end += 2
                else:
                    body.append(text[end])
                    end += 1
            if end >= len(text):
                raise ShellError("syntax error: unterminated backquote")
            self.i = end + 1
            return "sub", "".join(body), quoted
        if text.startswith("$((", self.i):
            end = text.find("))", self.i)
            if end < 0:
                raise ShellError("syntax error: unterminated arithmetic")
            body_text = text[self.i + 3 : end]
            self.i = end + 2
            return "math", body_text, quoted
        if text.startswith("$(", self.i):
            depth, end = 1, self.i + 2
            while end < len(text) and depth:
                if text[end] == "'":
                    end = text.find("'", end + 1)
                    if end < 0:
                        raise ShellError("syntax error: unterminated quoted string")
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            body_text = text[self.i + 2 : end - 1]
            self.i = end
            return "sub", body_text, quoted
        m = re.compile(r"\$(\{[^}]*\}|[A-Za-z_]\w*|[0-9@*#?$!-])").match(text, self.i)
        if not m:
            self.i += 1
            return "text", "$", quoted
        self.i = m.end()
        return "var", m[1].strip("{}"), quoted


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _Lexer(text).tokens
        self.i = 0

    def peek(self) -> str | Word | tuple[int, str] | None:
        return self.tokens[self.i] if self.i < len(self.tokens) else None

    def keyword(self) -> str | None:
        t = self.peek()
        return t.keyword if isinstance(t, Word) else None

    def expect(self, word: str) -> None:
        t = self.peek()
        if t != word and self.keyword() != word:
            raise ShellError(f"syntax error: `{t if isinstance(t, str) else self.keyword()}' unexpected")
        self.i += 1

    def skip(self) -> None:
        while self.peek() in (";", "\n"):
            self.i += 1

    def sequence(self, *ends: str) -> Sequence:
        items: list[tuple[Node, bool]] = []
        self.skip()
        while self.peek() is not None and self.peek() not in (")", ";;") and self.keyword() not in _STOP:
            node = self.and_or()
            background = self.peek() == "&"
            items.append((node, background))
            if self.peek() in (";", "&", "\n"):
                self.i += 1
            elif self.peek() is not None and self.peek() not in (")", ";;"):
                break
            self.skip()
        return Sequence(items)

    def and_or(self) -> Node:
        first: Node = self.pipeline()
        rest: list[tuple[str, Node]] = []
        while self.peek() in ("&&", "||"):
            op = str(self.peek())
            self.i += 1
            self.skip()
            rest.append((op, self.pipeline()))
        return AndOr(first, rest) if rest else first

    def pipeline(self) -> Node:
        negate = self.keyword() == "!"
        if negate:
            self.i += 1
        commands = [self.command()]
        while self.peek() == "|":
            self.i += 1
            self.skip()
            commands.append(self.command())
        return commands[0] if len(commands) == 1 and not negate else Pipeline(commands, negate)

    def command(self) -> Node:
        t, word = self.peek(), self.keyword()
        node: Compound | None = None
        if t == "(":
            self.i += 1
            node = Compound("subshell", [self.sequence()])
            self.expect(")")
        elif word == "{":
            self.i += 1
            node = Compound("group", [self.sequence()])
            self.expect("}")
        elif word in ("while", "until"):
            self.i += 1
            test = self.sequence()
            self.expect("do")
            node = Compound(word, [test, self.sequence()])
            self.expect("done")
        elif word == "if":
            node = self._if()
        elif word == "for":
            node = self._for()
        elif word == "case":
            node = self._case()
        if node is not None:
            while isinstance(self.peek(), tuple):
                node.redirects.append(self._redirect())
            return node
        return self._simple()

    def _if(self) -> Compound:
        self.i += 1
        test = self.sequence()
        self.expect("then")
        parts: list[Node] = [test, self.sequence()]
        if self.keyword() == "elif":
            parts.append(self._if())
            return Compound("if", parts)
        if self.keyword() == "else":
            self.i += 1
            parts.append(self.sequence())
        self.expect("fi")
        return Compound("if", parts)

    def _for(self) -> Compound:
        self.i += 1
        name = self.keyword() or ""
        self.i += 1
        words: list[Word] = []
        if self.keyword() == "in":
            self.i += 1
            while isinstance(self.peek(), Word):
                words.append(self.peek())  # type: ignore[arg-type]
                self.i += 1
        self.skip()
        self.expect("do")
        node = Compound("for", [self.sequence()], name=name, words=words)
        self.expect("done")
        return node

    def _case(self) -> Compound:
        self.i += 1
        subject = self.peek()
        if not isinstance(subject, Word):
            raise ShellError("syntax error: case without a word")
        self.i += 1
        self.skip()
        self.expect("in")
        self.skip()
        node = Compound("case", words=[subject])
        while self.keyword() != "esac":
            if self.peek() == "(":
                self.i += 1
            patterns: list[Word] = []
            while isinstance(self.peek(), Word) or self.peek() == "|":
                if isinstance(self.peek(), Word):
                    patterns.append(self.peek())  # type: ignore[arg-type]
                self.i += 1
            self.expect(")")
            node.cases.append((patterns, self.sequence()))
            if self.peek() == ";;":
                self.i += 1
            self.skip()
            if self.peek() is None:
                raise ShellError("syntax error: end of file unexpected (expecting esac)")
        self.i += 1
        return node

    def _redirect(self) -> tuple[int, str, Word]:
        mark = self.peek()
        assert isinstance(mark, tuple)
        fd, op = mark
        self.i += 1
        target = self.peek()
        if not isinstance(target, Word):
            raise ShellError("syntax error: redirection without a file")
        self.i += 1
        return fd, op, target

    def _simple(self) -> Simple:
        out = Simple()
        while True:
            t = self.peek()
            if isinstance(t, tuple):
                out.redirects.append(self._redirect())
            elif isinstance(t, Word):
                m = None
                if not out.words and t.parts and t.parts[0][0] == "text" and not t.parts[0][2]:
                    m = re.match(r"([A-Za-z_]\w*)=", t.parts[0][1])
                if m:
                    rest = Word([("text", t.parts[0][1][m.end() :], t.quoted), *t.parts[1:]], t.quoted)
                    out.assigns.append((m[1], rest))
                else:
                    out.words.append(t)
                self.i += 1
            else:
                break
        if not (out.words or out.assigns or out.redirects):
            raise ShellError(
                f"syntax error: `{t if isinstance(t, str) else 'end of file'}' unexpected".replace("\n", "newline")
            )
        return out


def parse(text: str) -> Sequence:
    """The commands of `text`. Raises ShellError."""
    parser = _Parser(text)
    out = parser.sequence()
    if parser.peek() is not None:
        t = parser.peek()
        raise ShellError(f"syntax error: `{t if isinstance(t, str) else parser.keyword()}' unexpected")
    return out


# Running


@dataclass
class IO:
    """Where a command reads and writes. `stdin`: text that is already there; None: an empty input."""

    out: Out
    err: Out
    stdin: str | None = None


Command = Callable[["Shell", list[str], IO], Awaitable[int]]


class Filter:
    """A program between two pipes: text in pieces, lines out as soon as they are whole."""

    status = 0
    done = False

    def __init__(self, out: Out) -> None:
        self.out = out
        self._rest = ""

    def feed(self, text: str) -> None:
        if self.done:
            return
        whole, nl, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if nl:
            out = [x for line in whole.split("\n") if not self.done for x in self.line(line)]
            if out:
                self.out("\n".join(out) + "\n")

    def end(self) -> int:
        if self._rest and not self.done:
            out = list(self.line(self._rest))
            if out:
                self.out("\n".join(out) + "\n")
        out = list(self.last())
        if out:
            self.out("\n".join(out) + "\n")
        return self.status

    def line(self, line: str) -> Iterator[str]:
        yield line

    def last(self) -> Iterator[str]:
        return iter(())


class Trimmed(Filter):
    """`while read l; do echo "$l"; done`: read takes the blanks off both ends."""

    def line(self, line: str) -> Iterator[str]:
        yield line.strip()


MakeFilter = Callable[[list[str], Out, Callable[[str], str | None]], "Filter | None"]


class Shell:
    """One running script. `lookup` finds a program by name; `read_file` the text of a file or None."""

    def __init__(
        self,
        lookup: Callable[[str], Command | None],
        filters: dict[str, MakeFilter],
        read_file: Callable[[str], str | None],
        paths: Callable[[], list[str]] = list,
        name: str = "sh",
    ) -> None:
        self.lookup, self.filters, self.read_file, self.paths, self.name = lookup, filters, read_file, paths, name
        self.vars: dict[str, str] = {"PATH": "/usr/bin:/bin"}
        self.status = 0
        self.jobs: dict[str, asyncio.Task[int]] = {}
        self._pid = 4000

    async def script(self, text: str, io: IO) -> int:
        """Run `text`; the exit status. Its background jobs end with it."""
        try:
            return await self.run(parse(text), io)
        except ShellError as e:
            io.err(f"{self.name}: {e}\n")
            return 2
        except Exit as e:
            return e.status
        finally:
            for job in self.jobs.values():
                job.cancel()

    async def run(self, node: Node, io: IO) -> int:
        if isinstance(node, Sequence):
            status = 0
            for item, background in node.items:
                if background:
                    self._pid += 1
                    self.vars["!"] = str(self._pid)
                    self.jobs[str(self._pid)] = asyncio.ensure_future(self._guard(item, io))
                    status = 0
                else:
                    status = await self.run(item, io)
                self.status = status
            return status
        if isinstance(node, AndOr):
            status = await self.run(node.first, io)
            for op, part in node.rest:
                self.status = status
                if (status == 0) == (op == "&&"):
                    status = await self.run(part, io)
            return status
        if isinstance(node, Pipeline):
            status = await self._pipeline(node.commands, io)
            return int(status == 0) if node.negate else status
        if isinstance(node, Compound):
            return await self._compound(node, io)
        return await self._simple(node, io)

    async def _guard(self, node: Node, io: IO) -> int:
        try:
            return await self.run(node, io)
        except Exit as e:
            return e.status

    async def _pipeline(self, commands: list[Node], io: IO) -> int:
        """Filters stream; anything else on the right of a pipe gets its input when the left has ended."""
        chain: list[Filter] = []
        out = io.out
        left = list(commands)
        while len(left) > 1:
            made = await self._filter(left[-1], out, io)
            if made is None:
                break
            chain.append(made)
            out = made.feed
            left.pop()
        stdin = io.stdin
        status = 0
        for k, command in enumerate(left):
            last = k == len(left) - 1
            pieces: list[str] = []
            try:
                status = await self.run(command, IO(out if last else pieces.append, io.err, stdin))
            except Exit as e:
                status = e.status
            stdin = "".join(pieces)
        for f in reversed(chain):
            status = f.end()
        return status

    async def _filter(self, node: Node, out: Out, io: IO) -> Filter | None:
        if _copies_lines(node):
            return Trimmed(out)
        if not isinstance(node, Simple) or not node.words:
            return None
        if any(op[0] == "<" or fd == 1 for fd, op, _ in node.redirects):
            return None
        words = await self.fields(node.words, io)
        make = self.filters.get(words[0].rpartition("/")[2]) if words else None
        return make(words[1:], out, self.read) if make else None

    async def _compound(self, node: Compound, io: IO) -> int:
        try:
            io = await self._redirected(node.redirects, io)
        except ShellError as e:
            io.err(f"{self.name}: {e}\n")
            return 1
        kind, parts = node.kind, node.parts
        if kind == "group":
            return await self.run(parts[0], io)
        if kind == "subshell":
            saved = dict(self.vars)
            try:
                return await self.run(parts[0], io)
            except Exit as e:
                return e.status
            finally:
                self.vars = saved
        if kind in ("while", "until"):
            status = 0
            while (await self.run(parts[0], io) == 0) == (kind == "while"):
                status = await self.run(parts[1], io)
                # A loop that never waits would starve every other host of the process.
                await asyncio.sleep(0)
            return status
        if kind == "if":
            if await self.run(parts[0], io) == 0:
                return await self.run(parts[1], io)
            return await self.run(parts[2], io) if len(parts) > 2 else 0
        if kind == "for":
            status = 0
            for value in await self.fields(node.words, io):
                self.vars[node.name] = value
                status = await self.run(parts[0], io)
            return status
        subject = "".join(await self.expand(node.words[0], io))
        for patterns, body in node.cases:
            for p in patterns:
                if fnmatch.fnmatchcase(subject, "".join(await self.expand(p, io, split=False))):
                    return await self.run(body, io)
        return 0

    async def _redirected(self, redirects: list[tuple[int, str, Word]], io: IO) -> IO:
        out, err, stdin = io.out, io.err, io.stdin
        for fd, op, word in redirects:
            target = "".join(await self.expand(word, io, split=False))
            if op in (">", ">>"):
                sink: Out = _nothing
                if fd == 1:
                    out = sink
                elif fd == 2:
                    err = sink
            elif op == ">&":
                if fd == 2 and target == "1":
                    err = out
                elif fd == 1 and target == "2":
                    out = err
            elif op == "<" and fd == 0:
                text = self.read(target)
                if text is None:
                    raise ShellError(f"{target}: cannot open")
                stdin = text
        return IO(out, err, stdin)

    async def _simple(self, node: Simple, io: IO) -> int:
        values = [(name, "".join(await self.expand(word, io, split=False))) for name, word in node.assigns]
        words = await self.fields(node.words, io)
        try:
            io = await self._redirected(node.redirects, io)
        except ShellError as e:
            io.err(f"{self.name}: {e}\n")
            return 1
        if not words:
            self.vars.update(values)
            return self.status if any(p[0] == "sub" for _, w in node.assigns for p in w.parts) else 0
        return await self.call(words, io)

    async def call(self, words: list[str], io: IO) -> int:
        """Run one command by its words."""
        name = words[0].rpartition("/")[2]
        if name in _BUILTINS:
            return await _BUILTINS[name](self, words, io)
        make = self.filters.get(name)
        if make is not None:
            made = make(words[1:], io.out, self.read)
            if made is not None:
                made.feed(io.stdin or "")
                return made.end()
        program = self.lookup(words[0]) or self.lookup(name)
        if program is None:
            io.err(f"{self.name}: {words[0]}: not found\n")
            return 127
        return await program(self, words, io)

    async def fields(self, words: list[Word], io: IO) -> list[str]:
        """Words as a command gets them: expanded, split, patterns replaced by the files that they fit."""
        out: list[str] = []
        for word in words:
            for w in await self.expand(word, io):
                found = [] if word.quoted or not any(c in w for c in "*?[") else self.glob(w)
                out += found or [w]
        return out

    def glob(self, pattern: str) -> list[str]:
        """Files and folders that fit `pattern`, sorted, as the pattern writes them."""
        cwd = self.vars.get("PWD", "/")
        whole = pattern if pattern.startswith("/") else f"{cwd.rstrip('/')}/{pattern}"
        depth = whole.count("/")
        shown = {"/".join(p.split("/")[: depth + 1]) for p in self.paths() if p.count("/") >= depth}
        parts = whole.split("/")
        hits = [p for p in shown if all(map(fnmatch.fnmatchcase, p.split("/"), parts))]
        skip = 0 if pattern.startswith("/") else len(cwd.rstrip("/")) + 1
        return sorted(p[skip:] for p in hits)

    def read(self, path: str) -> str | None:
        """The text of a file by its path, relative ones below the current folder."""
        if path == "/dev/null":
            return ""
        return self.read_file(path if path.startswith("/") else f"{self.vars.get('PWD', '/').rstrip('/')}/{path}")

    async def expand(self, word: Word, io: IO, split: bool = True) -> list[str]:
        """A word as fields; unquoted variables and substitutions split at blanks."""
        fields: list[str] = [""]
        any_text = word.quoted
        for kind, text, quoted in word.parts:
            if kind == "text":
                fields[-1] += text
                any_text = any_text or bool(text)
                continue
            if kind == "var" and text == "@" and quoted:
                args = self.vars.get("@", "").split("\n") if self.vars.get("@") else []
                for k, a in enumerate(args):
                    if k:
                        fields.append("")
                    fields[-1] += a
                continue
            if kind == "var":
                value = self._variable(text)
            elif kind == "math":
                value = _arithmetic(text, self.vars)
            else:
                pieces: list[str] = []
                try:
                    self.status = await self.run(parse(text), IO(pieces.append, io.err, None))
                except Exit as e:
                    self.status = e.status
                value = "".join(pieces).rstrip("\n")
            if quoted or not split:
                fields[-1] += value
                any_text = any_text or quoted or bool(value)
                continue
            parts = value.split()
            if value[:1].isspace() and fields[-1]:
                fields.append("")
            for k, p in enumerate(parts):
                if k:
                    fields.append("")
                fields[-1] += p
                any_text = True
            if parts and value[-1:].isspace():
                fields.append("")
        out = [f for k, f in enumerate(fields) if f or k == 0]
        return out if any_text or not split else [f for f in out if f]

    def _variable(self, name: str) -> str:
        m = re.fullmatch(r"(\w+):?([-+])(.*)", name)
        if m:
            value = self.vars.get(m[1], "")
            return (value or m[3]) if m[2] == "-" else (m[3] if value else "")
        if name == "?":
            return str(self.status)
        if name == "$":
            return "3999"
        return self.vars.get(name, "")


def _arithmetic(text: str, variables: dict[str, str]) -> str:
    names = re.sub(r"\$?([A-Za-z_]\w*)", lambda m: variables.get(m[1], "0") or "0", text)
    m = re.fullmatch(r"\s*(-?\d+)\s*(?:([-+*/%])\s*(-?\d+))?\s*", names)
    if not m:
        raise ShellError(f"arithmetic expression: {text}")
    a, b = int(m[1]), int(m[3] or 0)
    if m[2] in ("/", "%") and not b:
        raise ShellError("division by zero")
    table = {None: a, "+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0, "%": a % b if b else 0}
    return str(table[m[2]])


def _copies_lines(node: Node) -> bool:
    """`while read l; do echo "$l" …; done`: each line as it comes."""
    if not (isinstance(node, Compound) and node.kind == "while"):
        return False
    test, body = node.parts
    while isinstance(test, Sequence | AndOr):
        test = test.items[0][0] if isinstance(test, Sequence) else test.first
    while isinstance(body, Sequence | AndOr):
        body = body.items[0][0] if isinstance(body, Sequence) else body.first
    if not (isinstance(test, Simple) and isinstance(body, Simple) and len(test.words) == 2 and len(body.words) == 2):
        return False
    name = test.words[1].plain
    shown = body.words[1].parts
    return test.words[0].plain == "read" and body.words[0].plain == "echo" and shown == [("var", name or "", True)]


def _nothing(text: str) -> None:
    return None


async def _echo(shell: Shell, words: list[str], io: IO) -> int:
    args = words[1:]
    end = "\n"
    if args and args[0] == "-n":
        args, end = args[1:], ""
    io.out(" ".join(args) + end)
    return 0


async def _printf(shell: Shell, words: list[str], io: IO) -> int:
    if len(words) < 2:
        return 2
    fmt = words[1].replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
    args = words[2:]
    slots = len(re.findall(r"%[-0-9.]*[sdi]", fmt))
    out = []
    while True:
        given, args = args[:slots], args[slots:]
        out.append(_fill(fmt, iter(given)))
        if not args or not slots:
            break
    io.out("".join(out))
    return 0


def _fill(fmt: str, values: Iterator[str]) -> str:
    return re.sub(r"%([-0-9.]*)([sdi])", lambda m: f"%{m[1]}s" % next(values, ""), fmt).replace("%%", "%")


async def _test(shell: Shell, words: list[str], io: IO) -> int:
    args = words[1:]
    if words[0] == "[":
        if not args or args[-1] != "]":
            io.err("sh: test: ] missing\n")
            return 2
        args = args[:-1]
    return 0 if _condition(shell, args) else 1


def _condition(shell: Shell, args: list[str]) -> bool:
    for op, join in (("-o", any), ("-a", all)):
        if op in args:
            parts: list[list[str]] = [[]]
            for a in args:
                if a == op:
                    parts.append([])
                else:
                    parts[-1].append(a)
            return join(_condition(shell, p) for p in parts)
    if args[:1] == ["!"]:
        return not _condition(shell, args[1:])
    if len(args) == 1:
        return bool(args[0])
    if len(args) == 2:
        flag, value = args
        if flag in ("-r", "-e", "-f", "-s", "-d"):
            if flag != "-d" and shell.read(value) is not None:
                return True
            return flag in ("-d", "-e", "-r") and any(p.startswith(value.rstrip("/") + "/") for p in shell.paths())
        if flag in ("-x",):
            return shell.lookup(value.rpartition("/")[2]) is not None and value.startswith("/")
        return {"-n": bool(value), "-z": not value}.get(flag, False)
    if len(args) == 3:
        a, op, b = args
        if op in ("=", "==", "!="):
            return (a == b) == (op != "!=")
        try:
            x, y = int(a), int(b)
        except ValueError:
            return False
        return {"-eq": x == y, "-ne": x != y, "-lt": x < y, "-le": x <= y, "-gt": x > y, "-ge": x >= y}.get(op, False)
    return False


async def _true(shell: Shell, words: list[str], io: IO) -> int:
    return 0


async def _false(shell: Shell, words: list[str], io: IO) -> int:
    return 1


async def _exit(shell: Shell, words: list[str], io: IO) -> int:
    raise Exit(int(words[1]) if len(words) > 1 and words[1].isdigit() else shell.status)


async def _eval(shell: Shell, words: list[str], io: IO) -> int:
    return await shell.run(parse(" ".join(words[1:])), io)


async def _exec(shell: Shell, words: list[str], io: IO) -> int:
    if len(words) == 1:
        return 0
    raise Exit(await shell.call(words[1:], io))


async def _export(shell: Shell, words: list[str], io: IO) -> int:
    for w in words[1:]:
        name, eq, value = w.partition("=")
        if eq:
            shell.vars[name] = value
    return 0


async def _cd(shell: Shell, words: list[str], io: IO) -> int:
    target = words[1] if len(words) > 1 else "/"
    if target != "/" and not any(p.startswith(target.rstrip("/") + "/") for p in shell.paths()):
        io.err(f"{shell.name}: {target}: does not exist\n")
        return 1
    shell.vars["PWD"] = target
    return 0


async def _sleep(shell: Shell, words: list[str], io: IO) -> int:
    try:
        seconds = float(words[1].rstrip("s"))
    except (IndexError, ValueError):
        io.err("usage: sleep time\n")
        return 2
    await asyncio.sleep(seconds)
    return 0


async def _wait(shell: Shell, words: list[str], io: IO) -> int:
    jobs = [shell.jobs[w] for w in words[1:] if w in shell.jobs] or list(shell.jobs.values())
    results = await asyncio.gather(*jobs, return_exceptions=True)
    last = results[-1] if results else 0
    return last if isinstance(last, int) else 143


async def _kill(shell: Shell, words: list[str], io: IO) -> int:
    for w in words[1:]:
        if w in shell.jobs:
            shell.jobs[w].cancel()
    return 0


async def _command(shell: Shell, words: list[str], io: IO) -> int:
    names = [w for w in words[1:] if not w.startswith("-")]
    if words[0] == "command" and not any(w in ("-v", "-V") for w in words[1:]):
        return await shell.call(names, io) if names else 0
    status = 0
    for name in names:
        base = name.rpartition("/")[2]
        if base in _BUILTINS or base in shell.filters:
            io.out(f"/usr/bin/{base}\n")
        elif shell.lookup(base) is not None:
            io.out(f"/usr/sbin/{base}\n")
        else:
            if words[0] == "which":
                io.out(f"no {name} in /usr/bin /bin\n")
            status = 1
    return status


async def _read(shell: Shell, words: list[str], io: IO) -> int:
    names = [w for w in words[1:] if not w.startswith("-")] or ["REPLY"]
    if not io.stdin:
        return 1
    line, _, io.stdin = io.stdin.partition("\n")
    fields = line.split(None, len(names) - 1)
    for k, name in enumerate(names):
        shell.vars[name] = fields[k] if k < len(fields) else ""
    return 0


async def _expr(shell: Shell, words: list[str], io: IO) -> int:
    io.out(_arithmetic(" ".join(words[1:]), shell.vars) + "\n")
    return 0


_BUILTINS: dict[str, Command] = {
    "echo": _echo, "printf": _printf, "test": _test, "[": _test, ":": _true, "true": _true, "false": _false,
    "exit": _exit, "eval": _eval, "exec": _exec, "export": _export, "sleep": _sleep, "wait": _wait, "kill": _kill,
    "command": _command, "type": _command, "which": _command, "read": _read, "trap": _true, "cd": _cd,
    "set": _true, "umask": _true, "stty": _true, "ulimit": _true, "expr": _expr, "sync": _true,
}  # fmt: skip
