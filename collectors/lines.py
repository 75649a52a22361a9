"""Bytes to lines, bounded: what a host sends must never grow memory or time here without end."""

from __future__ import annotations

CUT = " …[cut]"


class LineSplitter:
    """Splits a byte stream into decoded lines; a line longer than `limit` bytes is cut and marked with `CUT`.

    Lines end with LF; one CR before it (a pty's) goes too. Bytes that are not UTF-8 become U+FFFD.
    `cut` counts the lines that were cut.
    """

    __slots__ = ("_rest", "_skipping", "cut", "limit")

    def __init__(self, limit: int = 65_536) -> None:
        self.limit = limit
        self.cut = 0
        self._rest = b""
        self._skipping = False  # inside a line that was cut already

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        if self._skipping:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return []
            self._skipping = False
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._rest += tail
            return self._cut_rest() if len(self._rest) > self.limit else []
        head = self._rest + head
        self._rest = tail
        lines = head.decode("utf-8", "replace").split("\n")
        if b"\r" in head:
            lines = [line.removesuffix("\r") for line in lines]
        if len(head) > self.limit:
            for i, line in enumerate(lines):
                if len(line) > self.limit:
                    self.cut += 1
                    lines[i] = line[: self.limit] + CUT
        if len(tail) > self.limit:
            lines += self._cut_rest()
        return lines

    def _cut_rest(self) -> list[str]:
        line = self._rest[: self.limit].decode("utf-8", "replace") + CUT
        self._rest, self._skipping = b"", True
        self.cut += 1
        return [line]

    def end(self) -> list[str]:
        """The last line, where the stream ended without a newline."""
        rest, self._rest = self._rest, b""
        return [rest.decode("utf-8", "replace").removesuffix("\r")] if rest else []
