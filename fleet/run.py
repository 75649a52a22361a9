"""A fleet in its own process(es): folder with keys, known_hosts and hosts.toml; started, faulted and stopped from here.

The starter keeps a pipe to each process; a fleet ends when its standard input does, so no fleet outlives it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from fleet import control
from fleet.formats.zsend import LOGS
from fleet.scenario import SCENARIOS, Scenario, scenario
from fleet.server import USER, Keys, keys
from fleet.site import ESTATE, Site, site_of

SOURCES = (
    "zpool_iostat", "zpool_status", "pool_capacity", "arcstats", "zone_usage", "disk_io", "host_load", "dataset_usage",
    "snapshots", "mail_activity", "zfs_streams", "dtrace",
)  # fmt: skip


HISTOGRAMS = ("zpool_histogram",)
"""What OpenZFS has besides; the others would be told that they lack it."""

STARTED = "fleet.json"
"""What a fleet's present goes on from: scenario, seed, start, offset, hosts. A past is written to fit it."""


class FleetError(RuntimeError):
    """A fleet did not start: what its process said."""


class Fleet:
    """A running fleet. `with Fleet(folder) as f: …`, or start() and stop().

    `start_time` (epoch seconds) is when the scenario's middle is; default now. `offset` seconds later (or
    earlier, negative) than its middle is where the fleet opens. `weak`: hosts that offer SunSSH's algorithms only.
    `options`: further keys of [defaults] in hosts.toml.
    """

    def __init__(
        self,
        folder: Path | str,
        scenario: str = "quiet",
        seed: int = 1,
        hosts: int | list[str] | None = None,
        *,
        processes: int = 1,
        offset: float = 0.0,
        start_time: float | None = None,
        weak: tuple[str, ...] = (),
        sources: tuple[str, ...] = SOURCES,
        options: dict[str, Any] | None = None,
    ) -> None:
        if scenario not in SCENARIOS:
            raise ValueError(f"no scenario {scenario!r}; known are {', '.join(SCENARIOS)}")
        if scenario == "estate" and hosts is None:
            hosts = [h.name for h in ESTATE.hosts]
        self.folder = Path(folder)
        self.scenario, self.seed, self.hosts, self.offset, self.weak = scenario, seed, hosts, offset, weak
        self.processes = max(1, processes)
        self.start_time = time.time() if start_time is None else start_time
        self.sources, self.options = sources, options or {}
        self.ports: dict[str, int] = {}
        self._children: list[subprocess.Popen[str]] = []

    @property
    def inventory(self) -> Path:
        return self.folder / "hosts.toml"

    def start(self, timeout: float = 60.0) -> Fleet:
        """Start the servers and write the folder's files; returns when every port answers. Raises FleetError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        site = site_of(self.hosts)
        told = {
            "scenario": self.scenario, "seed": self.seed, "start": self.start_time, "offset": self.offset,
            "hosts": self.hosts,
        }  # fmt: skip
        (self.folder / STARTED).write_text(json.dumps(told))
        names = [h.name for h in site.hosts]
        for h in self.weak:
            site.host(h)
        # Keys before processes, so that no two of them make the same one.
        made = {n: keys(self.folder, n, n in self.weak) for n in names}
        shares = [names[k :: self.processes] for k in range(self.processes)]
        for k, share in enumerate(s for s in shares if s):
            spec = {
                "folder": str(self.folder), "scenario": self.scenario, "seed": self.seed, "hosts": self.hosts,
                "offset": self.offset, "start": self.start_time, "own": share, "weak": list(self.weak), "number": k,
            }  # fmt: skip
            self._children.append(
                subprocess.Popen(
                    [sys.executable, "-m", "fleet.process", json.dumps(spec)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1],
                    env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                )
            )  # fmt: skip
        for child in self._children:
            line = _first_line(child, timeout)
            if not line:
                self.stop()
                raise FleetError(f"a fleet process ended with {child.poll()} before its ports were open")
            self.ports.update(json.loads(line))
        what = scenario(self.scenario, self.start_time, site, self.offset)
        write_files(self.folder, site, self.ports, made, self.weak, self.sources, self.options, what)
        return self

    def stop(self) -> None:
        """End every process; nothing is left running."""
        for child in self._children:
            if child.stdin is not None and not child.stdin.closed:
                child.stdin.close()
        for child in self._children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._children.clear()

    @property
    def pids(self) -> list[int]:
        return [c.pid for c in self._children]

    def fault(self, do: str, host: str = "", **more: Any) -> dict[str, Any]:
        """A fault of `fleet.control`, e.g. fault("freeze", "ms2")."""
        return control.ask(self.folder, do, host, **more)

    def __enter__(self) -> Fleet:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def _first_line(child: subprocess.Popen[str], timeout: float) -> str:
    assert child.stdout is not None
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        ready, _, _ = select.select([child.stdout], [], [], min(0.5, max(end - time.monotonic(), 0)))
        if ready:
            return child.stdout.readline()
        if child.poll() is not None:
            return ""
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value)


def planned(what: Scenario) -> dict[tuple[str, str], tuple[datetime, datetime]]:
    """(source, target) -> the plan of the night, which counted on quicker copies than there are."""
    out = {}
    for pair in {(s.source, s.target) for s in what.streams}:
        mine = [s for s in what.streams if (s.source, s.target) == pair]
        begin = min(s.began for s in mine) // 1800 * 1800
        end = begin + max(0.8 * s.total / s.rate for s in mine) // 900 * 900
        out[pair] = (datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC))
    return out


def write_files(
    folder: Path, site: Site, ports: dict[str, int], made: dict[str, Keys], weak: tuple[str, ...],
    sources: tuple[str, ...],
    options: dict[str, Any],
    what: Scenario,
) -> None:  # fmt: skip
    """known_hosts and hosts.toml of a fleet whose ports are known."""
    known = []
    for name, port in ports.items():
        public = made[name].host.export_public_key().decode().split()
        known.append(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    (folder / "known_hosts").write_text("".join(sorted(known)))
    lines = [
        "# A simulated mail site: hosts of `zonescope demo`. Written by fleet/run.py at every start.\n",
        "[defaults]",
        f"user = {_toml(USER)}",
        'address = "127.0.0.1"',
        f"identity = {_toml(str(folder / 'client_key'))}",
        f"known_hosts = {_toml(str(folder / 'known_hosts'))}",
        f"ssh_config = {_toml('/dev/null')}",
        f"sources = {_toml(sources)}",
        f"options = {{ zfs_streams_log = {_toml(LOGS + '/*.log')} }}",
        *(f"{k} = {_toml(v)}" for k, v in options.items()),
    ]
    for host in site.hosts:
        lines += ["", f"[hosts.{host.name}]", f"port = {ports[host.name]}", f"model = {_toml(host.model)}"]
        more = HISTOGRAMS if host.openzfs else ()
        if any(m.host == host.name for m in what.mailboxes):
            more = (*more, "imapsync")
        if more and sources == SOURCES:
            lines.append(f"sources = {_toml((*sources, *more))}")
        if not host.openzfs:
            lines.append('dtrace = ["*"]')
        if host.name in weak:
            lines.append("allow_weak = true")
    plans = planned(what)
    for p in site.pairs:
        lines += [
            "", "[[pairs]]", f"name = {_toml(p.name)}", f"source = {_toml(p.source)}", f"target = {_toml(p.target)}",
            f"source_pool = {_toml(p.source_pool)}", f"target_pool = {_toml(p.target_pool)}",
            f"datasets = {_toml(p.datasets)}",
        ]  # fmt: skip
        for key, at in zip(("begin", "end"), plans.get((p.source, p.target), ()), strict=False):
            lines.append(f"{key} = {at:%Y-%m-%dT%H:%M:%SZ}")
    (folder / "hosts.toml").write_text("\n".join(lines) + "\n")
