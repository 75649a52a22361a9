"""What stands around the output of zpool and zfs in texts that people copied from a terminal, a page or a mail."""

from __future__ import annotations

import re

_SUBCOMMANDS = (
    "status|list|iostat|get|set|import|export|create|destroy|add|remove|attach|detach|replace|offline|online|clear|scrub|"
    "resilver|trim|initialize|split|upgrade|history|events|labelclear|checkpoint|wait|send|receive|recv|snapshot|mount"
)
_COMMAND = re.compile(
    r"\s*(?:.{0,200}[#$%>»❯;&]\s?)?(?:(?:sudo|pfexec|doas|time|watch)\s(?:-\S{1,20}\s)?)?(?:/\S{0,80}/)?"
    rf"z(?:pool|fs) (?:{_SUBCOMMANDS})(?:\s.{{0,300}})?"
)
_PROMPT = re.compile(
    r"\s*(?:\[[^\]]{1,80}\]|[^\s<>|#$%»❯]{0,80})(?: [^\s#$%]{1,40})? ?(?:[#$>»❯]|(?<![0-9 ])%)(?: .{0,300})?"
)
LONGEST = 600
"""Longer lines are no command; they would only cost time to match."""


def is_command(line: str) -> bool:
    """Whether a line is a shell's prompt, with or without a command, or a command of zpool or zfs alone."""
    if len(line) > LONGEST:
        return False
    return _COMMAND.fullmatch(line) is not None or _PROMPT.fullmatch(line) is not None


_MARKS = re.compile(r"(?:> ?){1,9}|\s{0,80}#(?=[^\s#]|\s\s)|[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{2} ")


def unquoted(line: str) -> str:
    """A line without the marks of an answered mail, of a comment, or the clock of a test's log, before it."""
    m = _MARKS.match(line)
    return line[m.end() :] if m else line


def unwrapped(lines: list[str]) -> list[str]:
    """Lines that a narrow terminal broke, whole again: full to the last column, and a single word follows each.

    What was joined leaves an empty line, so that the others keep their numbers.
    """
    width = max(map(len, lines), default=0)
    full = [i for i, line in enumerate(lines[:-1]) if len(line) == width and len(lines[i + 1].split()) == 1]
    out = list(lines)
    for i in full if len(full) > 1 else ():
        out[i], out[i + 1] = lines[i] + lines[i + 1], ""
    return out


_COLUMNS = re.compile(r"\s-[a-zA-Z]*o\s?([a-z@:_,]{1,300})(?:\s|$)")


def columns(command: str) -> tuple[str, ...]:
    """What a command asks for with -o; () where it does not, or leaves the names out."""
    m = _COLUMNS.search(command)
    asked = tuple(m[1].split(",")) if m else ()
    return asked if "name" in asked or asked == ("space",) else ()
