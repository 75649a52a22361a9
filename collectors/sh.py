"""Pieces of the Bourne shell that several sources' commands are made of (Solaris 10's /bin/sh understands them)."""

from __future__ import annotations

from collectors.base import Context


def whole(ctx: Context) -> int:
    """The interval as tools take it that know no fractions of a second."""
    return max(1, round(ctx.interval))


def lines(command: str) -> str:
    """`command` with every line written whole and at once, so that lines of several tools never tear each other."""
    return f'{command} | while read l; do echo "$l" || exit 1; done'


def beside(command: str, every: float) -> str:
    """A loop in the background that repeats `command` for as long as somebody reads its lines."""
    return f"(while ( {lines(command)} ); do sleep {every:g}; done) &"
