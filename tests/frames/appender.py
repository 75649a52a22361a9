"""A collector to be killed: appends numbered seconds and acknowledges each on stdout, as ``round number``.

``appender.py FOLDER ROUNDS SEED``: forks a child per round and sends it SIGKILL after a random time, in which it
appends, commits every 50 ms and now and then maintains. In every other round that time begins with the first append, so
that there is one however slow the machine is. Numbers of round r begin at r * 1,000,000.
``appender.py FOLDER 0 N``: one writer that appends N seconds, never killed, for a reader to watch.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import structlog

from frames.store import Writer
from tests.frames.samples import numbered

START = 1_790_000_000


def append(folder: Path, round_: int, count: int, maintain: int, begun: int = -1) -> None:
    """`begun`: a pipe's end that is closed after the first append."""
    with Writer(folder, commit_every=0.05) as writer:
        for i in range(count):
            writer.append(
                START + round_ * 40 + i % 100, numbered(round_ * 1_000_000 + i, START + round_ * 40 + i % 100)
            )
            os.write(1, f"{round_} {round_ * 1_000_000 + i}\n".encode())
            if begun >= 0 and not i:
                os.close(begun)
            if maintain and i % maintain == maintain - 1:
                writer.maintain()


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if not rounds:
        append(folder, 0, seed, 0)
        return
    dice = random.Random(seed)
    for r in range(rounds):
        life, maintain = dice.uniform(0.02, 1.2), dice.choice((0, 0, 15))
        heard, begun = os.pipe()
        child = os.fork()
        if not child:
            append(folder, r, 1_000_000, maintain, begun)
        os.close(begun)
        if r % 2:
            os.read(heard, 1)
        os.close(heard)
        time.sleep(life)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
