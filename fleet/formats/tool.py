"""What a printer is: a command's arguments and a host in, text out at each of its moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet.live import Live

Report = Callable[[float, float | None], str]
"""report(t, before): the text of one report at epoch time `t`; `before` is the last report's time, None the first
time (then a tool speaks of the time since boot)."""


@dataclass(frozen=True)
class Tool:
    """A running command: a report now and every `interval` seconds, `count` times (0: until killed)."""

    report: Report
    interval: float = 0.0
    count: int = 1


class UsageError(Exception):
    """The tool would refuse its arguments: text for stderr, exit status."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


Make = Callable[[Live, list[str]], Tool]


def once(text: Callable[[float], str]) -> Tool:
    """A command that prints and ends."""
    return Tool(lambda t, before: text(t))


def timing(words: list[str]) -> tuple[list[str], float, int]:
    """Split trailing `[interval [count]]` off the operands."""
    numbers: list[str] = []
    rest = list(words)
    while rest and len(numbers) < 2 and _number(rest[-1]):
        numbers.insert(0, rest.pop())
    if not numbers:
        return rest, 0.0, 1
    return rest, float(numbers[0]), int(float(numbers[1])) if len(numbers) > 1 else 0


def _number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def stamp(option: str, t: float) -> str:
    """The line of `-T u` or `-T d` ('' without one)."""
    import time

    if option == "u":
        return f"{int(t)}\n"
    if option == "d":
        return time.strftime("%A, %B %e, %Y %I:%M:%S %p UTC\n", time.gmtime(t))
    return ""


def words(text: str) -> list[str]:
    """Names written as one text."""
    return text.split()
