"""`python -m fleet --folder F --scenario migration`: a fleet until standard input ends or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path

from fleet.run import Fleet
from fleet.scenario import SCENARIOS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fleet", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="keys, known_hosts and hosts.toml go here")
    parser.add_argument("--scenario", choices=SCENARIOS, default="quiet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=None, help="so many hosts of one build instead of the mail site")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--offset", type=float, default=0.0, help="seconds after (before) the scenario's middle")
    parser.add_argument("--weak", action="append", default=[], help="a host that offers SunSSH's algorithms only")
    a = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Fleet(
        a.folder, a.scenario, a.seed, a.hosts, processes=a.processes, offset=a.offset, weak=tuple(a.weak)
    ) as fleet:
        print(f"{len(fleet.ports)} hosts, inventory {fleet.inventory}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
