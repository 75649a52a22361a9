"""The text tools of a pipeline: grep, sed, awk, head, tail, wc, cut, tr, sort, uniq, cat; what commands here use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fleet.awk import Awk
from fleet.shell import Filter, MakeFilter, Out

Read = Callable[[str], str | None]


def bre(pattern: str) -> str:
    r"""A basic regular expression as Python's: \( \) \{ \} \+ \? swap their meaning with the plain marks."""
    out, i = [], 0
    while i < len(pattern):
        c = pattern[i]
        if c == "\\" and i + 1 < len(pattern):
            n = pattern[i + 1]
            out.append(n if n in "(){}+?|" else {"t": r"\t", "n": r"\n"}.get(n, "\\" + n))
            i += 2
            continue
        if c == "[":
            end = pattern.find("]", i + 2)
            inner = pattern[i + 1 : end].replace("\\", "\\\\")
            for name, chars in (
                ("digit", "0-9"),
                ("alpha", "A-Za-z"),
                ("alnum", "A-Za-z0-9"),
                ("space", r"\s"),
                ("blank", r" \t"),
            ):
                inner = inner.replace(f"[:{name}:", chars) if f"[:{name}:" in inner else inner
            if "[:" in pattern[i : end + 1] and pattern[end + 1 : end + 2] == "]":
                end += 1
            out.append(f"[{inner}]")
            i = end + 1
            continue
        if c in "(){}+?|" or (c == "*" and not out):
            out.append("\\" + c)
        else:
            out.append(c)
        i += 1
    return "".join(out)


def with_files(make: Callable[[list[str], list[str], Out], Filter | None]) -> MakeFilter:
    """A filter whose operands may be files: their text is fed at once and the pipe is not read."""

    def build(args: list[str], out: Out, read: Read) -> Filter | None:
        flags = [a for a in args if a.startswith("-") and len(a) > 1]
        operands = [a for a in args if not (a.startswith("-") and len(a) > 1)]
        return _from_files(make, flags, operands, out, read)

    return build


def _from_files(
    make: Callable[[list[str], list[str], Out], Filter | None],
    flags: list[str],
    operands: list[str],
    out: Out,
    read: Read,
) -> Filter | None:
    made = make(flags, operands, out)
    if made is None:
        return None
    files = operands[getattr(made, "operands", 0) :]
    if not files:
        return made
    closed = _Closed(out)
    missing = False
    named = isinstance(made, Grep) and "h" not in made.flags and (len(files) > 1 or "H" in made.flags)
    for name in files:
        text = read(name)
        if named and isinstance(made, Grep):
            made.file = name
        if text is None:
            missing = True
        else:
            made.feed(text if text.endswith("\n") or not text else text + "\n")
    closed.status = made.end()
    if missing:
        closed.status = 2
    return closed


class _Closed(Filter):
    """A filter that has read its files and takes nothing from a pipe."""

    done = True

    def end(self) -> int:
        return self.status


class Grep(Filter):
    operands = 1

    def __init__(self, out: Out, flags: str, pattern: str, extended: bool) -> None:
        super().__init__(out)
        text = re.escape(pattern) if "F" in flags else pattern if extended or "E" in flags else bre(pattern)
        self.match = re.compile(text, re.I if "i" in flags else 0).search
        self.flags, self.count, self.status = flags, 0, 1
        self.file = ""

    def line(self, line: str) -> Iterator[str]:
        if bool(self.match(line)) != ("v" in self.flags):
            self.count += 1
            self.status = 0
            if "q" in self.flags:
                self.done = True
            elif "c" not in self.flags:
                yield f"{self.file}:{line}" if self.file else line

    def last(self) -> Iterator[str]:
        if "c" in self.flags:
            yield str(self.count)


def _grep(extended: bool) -> MakeFilter:
    def make(flags: list[str], operands: list[str], out: Out) -> Filter | None:
        letters = "".join(f[1:] for f in flags)
        if not operands:
            return None
        return Grep(out, letters, operands[0], extended)

    return with_files(make)


class Sed(Filter):
    operands = 1

    def __init__(self, out: Out, script: str, quiet: bool) -> None:
        super().__init__(out)
        self.quiet, self.number = quiet, 0
        self.program = _sed_program(script)
        self.inside: dict[int, bool] = {}

    def line(self, line: str) -> Iterator[str]:
        self.number += 1
        printed, deleted = [], False
        for k, (first, last, negate, verb, arg) in enumerate(self.program):
            if self._selected(k, first, last, line) == negate:
                continue
            if verb == "s":
                regex, to, flags = arg
                new, n = regex.subn(to, line, count=0 if "g" in flags else 1)
                if n:
                    line = new
                    if "p" in flags:
                        printed.append(line)
            elif verb == "p":
                printed.append(line)
            elif verb == "d":
                deleted = True
                break
            elif verb == "q":
                self.done = True
                break
        yield from printed
        if not self.quiet and not deleted:
            yield line

    def _selected(self, k: int, first: object, last: object, line: str) -> bool:
        if first is None:
            return True
        if last is None:
            return self._hit(first, line)
        if self.inside.get(k):
            if self._hit(last, line):
                self.inside[k] = False
            return True
        if self._hit(first, line):
            self.inside[k] = not (isinstance(last, int) and last <= self.number)
            return True
        return False

    def _hit(self, address: object, line: str) -> bool:
        if isinstance(address, int):
            return self.number == address
        return isinstance(address, re.Pattern) and bool(address.search(line))


_SED = re.compile(r"(?P<verb>[pdq])|s(?P<delim>.)")


def _sed_program(script: str) -> list[tuple[object, object, bool, str, tuple]]:
    program: list[tuple[object, object, bool, str, tuple]] = []
    i = 0

    def address() -> object:
        nonlocal i
        if i < len(script) and script[i] == "/":
            end = i + 1
            while script[end] != "/" or script[end - 1] == "\\":
                end += 1
            found = re.compile(bre(script[i + 1 : end].replace("\\/", "/")))
            i = end + 1
            return found
        m = re.compile(r"\d+").match(script, i)
        if m:
            i = m.end()
            return int(m[0])
        if i < len(script) and script[i] == "$":
            i += 1
            return -1
        return None

    group: list[tuple[object, object, bool]] = []
    while i < len(script):
        if script[i] in " ;\n\t":
            i += 1
            continue
        if script[i] == "}":
            group.pop()
            i += 1
            continue
        first = address()
        last = None
        if i < len(script) and script[i] == ",":
            i += 1
            last = address()
        negate = i < len(script) and script[i] == "!"
        i += negate
        while i < len(script) and script[i] == " ":
            i += 1
        if script[i : i + 1] == "{":
            group.append((first, last, negate))
            i += 1
            continue
        if first is None and group:
            first, last, negate = group[-1]
        m = _SED.match(script, i)
        if not m:
            raise ValueError(f"sed: command garbled: {script}")
        if m["verb"]:
            program.append((first, last, bool(negate), m["verb"], ()))
            i = m.end()
            continue
        parts, i = _delimited(script, m.end(), m["delim"])
        flags = re.compile(r"[gp0-9]*").match(script, i)
        assert flags is not None
        i = flags.end()
        to = re.sub(r"(?<!\\)&", r"\\g<0>", parts[1]).replace("\\&", "&").replace("\\n", "\n").replace("\\t", "\t")
        program.append((first, last, bool(negate), "s", (re.compile(bre(parts[0])), to, flags[0])))
    return program


def _delimited(script: str, i: int, delim: str) -> tuple[list[str], int]:
    parts = [""]
    while i < len(script):
        if script[i] == "\\" and i + 1 < len(script):
            parts[-1] += delim if script[i + 1] == delim else script[i : i + 2]
            i += 2
        elif script[i] == delim:
            i += 1
            if len(parts) == 2:
                return parts, i
            parts.append("")
        else:
            parts[-1] += script[i]
            i += 1
    raise ValueError(f"sed: command garbled: {script}")


def _sed(flags: list[str], operands: list[str], out: Out) -> Filter | None:
    if not operands:
        return None
    return Sed(out, operands[0], any("n" in f for f in flags))


def _awk(args: list[str], out: Out, read: Read) -> Filter | None:
    separator, assigned = None, dict[str, str]()
    rest = list(args)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        flag = rest.pop(0)
        if flag.startswith("-F"):
            separator = flag[2:] or (rest.pop(0) if rest else None)
        elif flag.startswith("-v"):
            name, _, value = (flag[2:] or (rest.pop(0) if rest else "")).partition("=")
            assigned[name] = value
    if not rest:
        return None
    return _from_files(lambda flags, operands, o: Awk(o, operands[0], separator, assigned), [], rest, out, read)


class Head(Filter):
    def __init__(self, out: Out, n: int) -> None:
        super().__init__(out)
        self.n = n

    def line(self, line: str) -> Iterator[str]:
        if self.n > 0:
            self.n -= 1
            yield line
        if self.n <= 0:
            self.done = True


def _count_and_files(args: list[str]) -> tuple[int, list[str]]:
    n, files, rest = 10, [], list(args)
    while rest:
        a = rest.pop(0)
        if a == "-n" and rest:
            n = abs(int(rest.pop(0).lstrip("+")))
        elif re.fullmatch(r"-n?\d+", a):
            n = int(a.lstrip("-n"))
        else:
            files.append(a)
    return n, files


def _head(args: list[str], out: Out, read: Read) -> Filter | None:
    n, files = _count_and_files(args)
    return _from_files(lambda f, o, sink: Head(sink, n), [], files, out, read)


class Tail(Filter):
    def __init__(self, out: Out, n: int) -> None:
        super().__init__(out)
        self.n, self.kept = n, list[str]()

    def line(self, line: str) -> Iterator[str]:
        self.kept = [*self.kept[-(self.n - 1) :], line] if self.n > 1 else [line]
        return iter(())

    def last(self) -> Iterator[str]:
        return iter(self.kept)


def _tail(args: list[str], out: Out, read: Read) -> Filter | None:
    if args and (size := re.fullmatch(r"-(\d+)c", args[0])):
        n = int(size[1])
        return _from_files(
            lambda f, o, sink: Collect(sink, lambda lines: "\n".join(lines)[-n:].split("\n") if lines else []),
            [], args[1:], out, read,
        )  # fmt: skip
    n, files = _count_and_files(args)
    return _from_files(lambda f, o, sink: Tail(sink, n), [], files, out, read)


class Wc(Filter):
    def __init__(self, out: Out, flags: str) -> None:
        super().__init__(out)
        self.flags, self.lines, self.words, self.chars = flags, 0, 0, 0

    def line(self, line: str) -> Iterator[str]:
        self.lines += 1
        self.words += len(line.split())
        self.chars += len(line) + 1
        return iter(())

    def last(self) -> Iterator[str]:
        shown = [
            v for k, v in (("l", self.lines), ("w", self.words), ("c", self.chars)) if not self.flags or k in self.flags
        ]
        yield " ".join(f"{v:8d}" for v in shown)


class Each(Filter):
    """One line to one line."""

    def __init__(self, out: Out, to: Callable[[str], str]) -> None:
        super().__init__(out)
        self.to = to

    def line(self, line: str) -> Iterator[str]:
        yield self.to(line)


class Collect(Filter):
    """All lines, then what becomes of them."""

    def __init__(self, out: Out, to: Callable[[list[str]], list[str]]) -> None:
        super().__init__(out)
        self.to, self.lines = to, list[str]()

    def line(self, line: str) -> Iterator[str]:
        self.lines.append(line)
        return iter(())

    def last(self) -> Iterator[str]:
        return iter(self.to(self.lines))


def _cut(args: list[str], out: Out, read: Read) -> Filter | None:
    text = " ".join(args)
    delim = re.search(r"-d ?(\S| )", text)
    wanted = re.search(r"-f ?([0-9,-]+)", text)
    chars = re.search(r"-c ?(\d+)(?:(-)(\d*))?", text)
    if chars:
        first = int(chars[1])
        last = None if chars[2] and not chars[3] else int(chars[3] or first)
        return Each(out, lambda line: line[first - 1 : last])
    if not wanted:
        return None
    d = delim[1] if delim else "\t"
    numbers = [int(n) for n in re.findall(r"\d+", wanted[1])]
    if wanted[1].endswith("-"):
        return Each(out, lambda line: d.join(line.split(d)[numbers[0] - 1 :]))
    return Each(out, lambda line: d.join(x for k, x in enumerate(line.split(d), 1) if k in numbers))


def _tr(args: list[str], out: Out, read: Read) -> Filter | None:
    if args[:1] == ["-d"] and len(args) == 2:
        gone = args[1].replace("\\n", "\n")
        return Each(out, lambda line: "".join(c for c in line if c not in gone))
    args = [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), a) for a in args]
    if len(args) == 2 and len(args[0]) == len(args[1]):
        table = str.maketrans(args[0], args[1])
        return Each(out, lambda line: line.translate(table))
    return None


def _cat(args: list[str], out: Out, read: Read) -> Filter | None:
    files = [a for a in args if not a.startswith("-")]
    return _from_files(lambda f, o, sink: Filter(sink), [], files, out, read)


FILTERS: dict[str, MakeFilter] = {
    "grep": _grep(False),
    "egrep": _grep(True),
    "fgrep": with_files(lambda flags, ops, out: Grep(out, "F" + "".join(flags), ops[0], False) if ops else None),
    "sed": with_files(_sed),
    "awk": _awk,
    "nawk": _awk,
    "gawk": _awk,
    "head": _head,
    "tail": _tail,
    "wc": with_files(lambda flags, ops, out: Wc(out, "".join(f[1:] for f in flags))),
    "cut": _cut,
    "tr": _tr,
    "cat": _cat,
    "sort": with_files(
        lambda flags, ops, out: Collect(out, lambda ls: sorted(set(ls)) if "-u" in flags else sorted(ls))
    ),
    "uniq": with_files(
        lambda flags, ops, out: Collect(out, lambda ls: [x for k, x in enumerate(ls) if not k or ls[k - 1] != x])
    ),
}
