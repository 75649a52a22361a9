"""What collecting costs: `python -m benchmarks.collect` (about three minutes).

10, 50 and 200 simulated hosts (14 vdev rows, 8 zones, the ARC and one histogram a second each), the fleet in
processes of its own. Printed per size: the collector's CPU per host and second, its memory, the p99 lag from a line's
arrival to the durable spool, and dropped lines. Beside it, as the baseline of the same run, the same streams only
read (links and line splitting, nothing parsed or stored), so the ratio says what parsing and storing add.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

SOURCES = ("zpool_iostat", "zone_usage", "arcstats", "dtrace")
WARM_UP = 20.0
"""Seconds before measuring, beyond the time until all hosts are up: the sources' first intervals are over."""


def child(hosts: Path, store: Path, seconds: float, read_only: bool) -> None:
    """Collect `hosts` and print one JSON line of what it cost. Runs in a process of its own."""
    from collectors.base import Source, Variant
    from collectors.engine import Engine
    from collectors.inventory import load
    from collectors.memory import few_arenas
    from collectors.sources import load as load_sources
    from frames.store import Writer

    few_arenas()

    class Deaf:
        """A parser that reads nothing: what remains is the link."""

        def feed(self, line: str, at: float) -> list:
            return []

        idle = end = lambda self, *_: []

    sources = {name: load_sources()[name] for name in SOURCES}
    if read_only:
        sources = {
            name: Source(
                s.name,
                s.meaning,
                s.tables,
                s.interval,
                tuple(Variant(v.name, v.systems, v.command, lambda ctx: Deaf(), v.probe, v.fix) for v in s.variants),
            )
            for name, s in sources.items()
        }
    inventory = load(hosts)
    stop = threading.Event()
    with Writer(store) as writer:
        engine = Engine(inventory, writer, sources)
        loop = threading.Thread(target=engine.run, args=(stop,))
        loop.start()
        deadline = time.monotonic() + 120
        while any(h.state != "up" for h in engine.hosts.values()) and time.monotonic() < deadline:
            time.sleep(0.2)
        up = sum(h.state == "up" for h in engine.hosts.values())
        time.sleep(WARM_UP)
        engine.lags.clear()
        me = psutil.Process()
        before, began = time.process_time(), time.monotonic()
        time.sleep(seconds)
        cpu, took = time.process_time() - before, time.monotonic() - began
        lags = sorted(engine.lags)
        streams = [s for h in engine.hosts.values() for s in h.streams.values()]
        out = {
            "up": up,
            "cpu": cpu / took,
            "rss": me.memory_info().rss,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "p99": lags[int(len(lags) * 0.99)] if lags else None,
            "arrivals": len(lags) / took,
            "dropped": sum(s.running.dropped if s.running else 0 for s in streams),
            "lines": sum(s.lines for s in streams),
            "failed": sorted({f"{s.source}: {s.why}" for s in streams if s.why})[:3],
        }
        stop.set()
        loop.join()
    print(json.dumps(out), flush=True)


def measure(hosts: int, seconds: float, read_only: bool) -> dict:
    """One size: a fleet, a collector, both in processes of their own."""
    with tempfile.TemporaryDirectory(prefix="zs-bench-") as folder:
        home = Path(folder)
        fleet = subprocess.Popen(
            [sys.executable, "-m", "fleet", "--folder", folder, "--hosts", str(hosts)], stdin=subprocess.PIPE
        )
        try:
            deadline = time.monotonic() + 60
            while not (home / "hosts.toml").exists():
                if fleet.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the fleet did not start")
                time.sleep(0.1)
            collector = subprocess.run(
                [
                    sys.executable, "-m", "benchmarks.collect", "--child", str(home / "hosts.toml"),
                    "--store", str(home / "store"), "--seconds", str(seconds),
                    *(["--read-only"] if read_only else []),
                ],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )  # fmt: skip
            return json.loads(collector.stdout.splitlines()[-1])
        finally:
            fleet.stdin.close()  # type: ignore[union-attr]
            try:
                fleet.wait(5)
            except subprocess.TimeoutExpired:
                fleet.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", default="10,50,200", help="sizes to measure")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to measure each")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--read-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.store, options.seconds, options.read_only)
        return
    first: float | None = None
    print(f"{'hosts':>6} {'up':>4} {'core %':>7} {'ms/host/s':>10} {'x 10 hosts':>10} {'x read only':>11} "
          f"{'p99 lag s':>9} {'MB':>6} {'dropped':>8}")  # fmt: skip
    for n in map(int, options.hosts.split(",")):
        baseline = measure(n, options.seconds, read_only=True)
        full = measure(n, options.seconds, read_only=False)
        per_host = full["cpu"] * 1000 / n
        first = first or per_host
        print(f"{n:>6} {full['up']:>4} {full['cpu'] * 100:>7.1f} {per_host:>10.2f} {per_host / first:>10.2f} "
              f"{full['cpu'] / baseline['cpu']:>11.2f} {full['p99'] or float('nan'):>9.2f} "
              f"{full['peak'] / 1e6:>6.0f} {full['dropped']:>8}", flush=True)  # fmt: skip
        if full["failed"]:
            print("       failing:", "; ".join(full["failed"]))
    print("bars: 200 hosts within 100 % of a core and 600 MB, p99 lag under 1.5 s, ms/host/s flat")


if __name__ == "__main__":
    main()
