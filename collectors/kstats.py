"""kstat(1M) without -p: a block of lines for each kstat, read as -p prints them.

    module: unix                            instance: 0
    name:   system_pages                    class:    pages
            freemem                         641451

A statistic's name may hold blanks ("Hard Errors"), as may its value; two blanks or a tab stand between them.
"""

from __future__ import annotations

import re

HEAD = re.compile(r"\s*module:\s+(\S+)\s+instance:\s+([0-9]{1,9})\s*$")
NAME = re.compile(r"\s*name:\s+(\S.*?)\s+class:\s+\S+\s*$")
STATISTIC = re.compile(r"\s+(\S+(?: \S+)*)(?:\t|  )\s*(\S.*?)\s*$|\s+(\S+) (\S.*?)\s*$")


class Long:
    """The lines of a saved text, one after the other; `take` gives what -p prints for each.

    A kstat ends where the next begins, a report where one comes again.
    """

    def __init__(self) -> None:
        self._module = ""
        self._kstat = ""
        self._seen: set[str] = set()

    def take(self, line: str) -> list[str]:
        head = HEAD.match(line)
        if head:
            self._module, self._kstat = f"{head[1]}:{head[2]}", ""
            return []
        if not self._module:
            return [line]
        name = NAME.match(line)
        if name:
            self._kstat = f"{self._module}:{name[1]}"
            again = self._kstat in self._seen
            self._seen = {self._kstat} if again else self._seen | {self._kstat}
            return [""] if again else []
        if not line.strip():
            return []  # between two kstats, not two reports
        statistic = STATISTIC.match(line)
        if not statistic or not self._kstat:
            self._module = ""
            return [line]
        what, value = statistic[1] or statistic[3], statistic[2] or statistic[4]
        return [f"{self._kstat}:{what}\t{value}"]
