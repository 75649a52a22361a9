"""What a live page costs: `python -m benchmarks.draw` (about two minutes; `--seconds`).

A page of 8 line panels of 8 traces, 2 stacked areas and a 900 x 40 heat map, one new column a second. Printed: bytes
per second on the wire, the server's CPU with 1 and with 10 pages, the browser's CPU per update. Peer: uPlot 1.6.32
(fetched by npm) drawing the same numbers off the same wire at the same size in the same run, in turns with ours.
Ours draws legends with mean, p95 and max, and plotly's axes; uPlot its axes only. Bar: within twice uPlot.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.common import ratio, table, verdict
from tests.browser.conftest import ARGS, CHROMIUM

UPLOT = "uplot@1.6.32"
SIZE = {"width": 1600, "height": 2300}
BAR = 2.0


def fetch_uplot(folder: Path) -> Path:
    """uPlot's dist, unpacked under `folder`. Raises CalledProcessError where npm cannot fetch it."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", UPLOT], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    with tarfile.open(folder / packed) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package" / "dist"


@contextmanager
def serving(uplot: Path) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "benchmarks.draw_server", "--uplot", str(uplot)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            for _ in range(200):
                with suppress(OSError), socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)):
                    break
                time.sleep(0.05)
            yield url, psutil.Process(process.pid)
        finally:
            process.terminate()


def cpu(*processes: psutil.Process) -> float:
    """CPU seconds of `processes` so far."""
    return sum(sum(p.cpu_times()[:2]) for p in processes if p.is_running())


class Shown:
    """A page in a browser of its own, so that its processes can be told apart."""

    def __init__(self, playwright: Any, url: str, ready: str, ticks: str) -> None:
        before = set(psutil.Process().children(recursive=True))
        self.browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = self.browser.new_page(viewport=SIZE)
        page.goto(url)
        page.wait_for_function(ready, timeout=60000)
        self.page, self.ticks = page, ticks
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable")
        time.sleep(5)  # first drawing, fonts, just-in-time compilation
        self.processes = [p for p in psutil.Process().children(recursive=True) if p not in before]

    def sample(self) -> dict[str, float]:
        found = {m["name"]: m["value"] for m in self.session.send("Performance.getMetrics")["metrics"]}
        ticks, bytes_ = self.page.evaluate(self.ticks)
        return {
            "ticks": ticks,
            "bytes": bytes_,
            "script": found["ScriptDuration"],
            "all": cpu(*self.processes),
            "at": time.monotonic(),
        }

    def over(self, seconds: float) -> dict[str, float]:
        """Per update: ms of main thread, of script, of all the browser's processes; bytes per second."""
        a = self.sample()
        time.sleep(seconds)
        b = self.sample()
        d = {k: b[k] - a[k] for k in a}
        n = max(1.0, d["ticks"])
        return {
            "updates": d["ticks"],
            "bytes": d["bytes"] / d["at"],
            **{k: 1000 * d[k] / n for k in ("script", "all")},
        }


def ours(playwright: Any, url: str) -> Shown:
    ready = """() => window.zs && zs.panels.size === 11
      && [...zs.panels.values()].every((p) => p.meta && p.geo && p.n >= 890)"""
    return Shown(playwright, url, ready, "() => [zs.cost.drawn, zs.link.bytes]")


def peer(playwright: Any, url: str) -> Shown:
    return Shown(
        playwright, url + "bench/", "() => window.bench && bench.ticks > 1", "() => [bench.ticks, bench.bytes]"
    )


def clients(url: str, watch: str, n: int, stop: float) -> None:
    """`n` pages without a browser: they watch, and ack each tick, until `stop` (monotonic)."""
    import asyncio

    import websockets

    async def one() -> None:
        async with websockets.connect(url.replace("http", "ws") + "live", max_size=None) as ws:
            await ws.send(watch)
            while (left := stop - time.monotonic()) > 0:
                try:
                    data = await asyncio.wait_for(ws.recv(), left)
                except TimeoutError:
                    return
                if isinstance(data, bytes):
                    head = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
                    if head["op"] == "tick":
                        await ws.send(json.dumps({"op": "ack", "seq": head["seq"]}))

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(n)))

    asyncio.run(all_of_them())


def server_cpu(url: str, server: psutil.Process, n: int, seconds: float) -> float:
    """ms of the server's CPU per second with `n` pages."""
    from threading import Thread

    panels = [{"id": f"l{i}", "panel": "bench_lines", "query": {"seed": i}, "points": 1200} for i in range(8)]
    panels += [{"id": f"a{i}", "panel": "bench_area", "query": {"seed": 20 + i}, "points": 1200} for i in range(2)]
    panels += [{"id": "h", "panel": "bench_heat", "query": {}, "points": 1200}]
    watch = json.dumps(
        {"op": "watch", "gen": 1, "range": {"from": "now-15m", "to": "now"}, "panels": panels, "views": []}
    )
    stop = time.monotonic() + seconds + 4
    thread = Thread(target=clients, args=(url, watch, n, stop))
    thread.start()
    time.sleep(3)
    before = cpu(server)
    time.sleep(seconds)
    used = cpu(server) - before
    thread.join()
    return 1000 * used / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="of each of the measurements")
    args = parser.parse_args()
    if CHROMIUM is None or shutil.which("npm") is None:
        print("needs chromium and npm: apt-get install chromium npm")
        return 2
    from playwright.sync_api import sync_playwright

    with ExitStack() as stack:
        uplot = fetch_uplot(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        playwright = stack.enter_context(sync_playwright())
        url, server = stack.enter_context(serving(uplot))
        server_cpu(url, server, 1, 2)  # warm
        load = {n: server_cpu(url, server, n, args.seconds) for n in (1, 10)}
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "uPlot": []}
        for _ in range(2):
            for name, start in (("ours", ours), ("uPlot", peer)):
                shown = start(playwright, url)
                runs[name].append(shown.over(args.seconds))
                shown.browser.close()
    best = {name: {k: min(r[k] for r in rs) for k in rs[0]} for name, rs in runs.items()}
    a, b = best["ours"], best["uPlot"]
    print(f"wire: {a['bytes'] / 1000:.1f} kB/s for a page of 11 panels")
    table(
        ["server, ms of CPU a second", "1 page", "10 pages", "10 to 1"],
        [["", f"{load[1]:.0f}", f"{load[10]:.0f}", ratio(load[10], load[1])]],
    )
    rows = [
        [what, f"{a[k]:.1f}", f"{b[k]:.1f}", ratio(a[k], b[k])]
        for k, what in (("all", "all its processes"), ("script", "of it script"))
    ]
    table(["browser, ms of CPU an update", "zonescope", "uPlot", "ratio"], rows)
    counted = {n: [round(r["updates"]) for r in rs] for n, rs in runs.items()}
    print(f"updates measured: {counted}")
    good = verdict("browser CPU an update beside uPlot", a["all"] / b["all"], BAR, "x")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
