"""A host as its collector would tell of it: frames of one second, a pure function of the second."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from frames.schemas import SCHEMAS
from frames.tail import Second

MIB, GIB = float(1 << 20), float(1 << 30)
DISKS = [f"c3t{i}d0" for i in range(12)]
ZONES = {
    "global": None, "mail3": 1.0, "mail4": 0.5, "mail9": 0.5, "mail10": 0.4,
    "spam2": 0.35, "imap2": 0.35, "web2": 0.3, "pop2": 0.3, "dns2": 0.2,
}  # fmt: skip
VDEVS = {"raidz2-0": "raidz2", "raidz2-1": "raidz2", "logs": "section", "logs/c1t2d0": "disk"}


def table(name: str, second: float, host: str, columns: dict[str, list[Any]]) -> pa.Table:
    n = len(next(iter(columns.values())))
    return SCHEMAS[name].table({"time": [round(second * 1e6)] * n, "host": [host] * n, **columns})


def second_of(
    second: int, host: str = "ms2", *, slow: str = "c3t7d0", capped: str = "mail3", state: str = "ONLINE"
) -> dict[str, pa.Table]:
    """All frames of `host` at `second`. `slow`: a disk with a band at 350 ms; `capped`: a zone with waiting threads."""
    rng = np.random.default_rng(second)
    wave = 1 + 0.3 * np.sin(second / 37)
    counts = []
    for disk in DISKS:
        c = np.zeros(64, int)
        c[20:25] = rng.poisson([2, 6, 12, 8, 2])  # 0.5 ms … 17 ms
        if disk == slow:
            c[28:30] = rng.poisson([4, 5])  # 134 ms … 537 ms
        counts.append(c.tolist())
    zones = list(ZONES)
    use = [min((cap or 1.0) * 0.5 * wave, cap or 9) if z != capped else cap for z, cap in ZONES.items()]
    io = [8.1 * MIB, 29.5 * MIB, None, 0.4 * MIB]
    pools = ["mail", *["mail"] * len(VDEVS), "rpool", "rpool"]
    vdevs = ["", *VDEVS, "", "mirror-0"]
    read = [38 * MIB, *io, 1 * MIB, 1 * MIB]
    reads = [None if r is None else float(r * wave * rng.uniform(0.9, 1.1)) for r in read]
    return {
        "dtrace": table("dtrace", second, host, {
            "question": ["disk_io/by=device,latency"] * 12, "keys": [[d] for d in DISKS], "agg": ["quantize"] * 12,
            "bounds": ["quantize"] * 12, "counts": counts,
        }),
        "zone_usage": table("zone_usage", second, host, {
            "zone": zones, "state": ["running"] * len(zones), "cpu": use, "cpu_cap": list(ZONES.values()),
            "cpu_waiting": [3.0 if z == capped else 0.0 for z in zones],
            "rss": [0.8 * (c or 1.0) * GIB for c in ZONES.values()],
            "rss_cap": [None if c is None else 2 * c * GIB for c in ZONES.values()],
        }),
        "zpool_iostat": table("zpool_iostat", second, host, {
            "pool": pools, "vdev": vdevs, "kind": ["pool", *VDEVS.values(), "pool", "mirror"],
            "read_bytes": reads, "write_bytes": [None if r is None else 1.4 * r for r in reads],
            "alloc": [620 * GIB, *[None] * 4, 30 * GIB, None], "size": [1000 * GIB, *[None] * 4, 100 * GIB, None],
        }),
        "zpool_status": table("zpool_status", second, host, {
            "pool": ["mail", "mail", "mail", "rpool"], "vdev": ["", "raidz2-0", "raidz2-0/c3t7d0", ""],
            "state": [state, state, state, "ONLINE"],
        }),
        "arcstats": table("arcstats", second, host, {
            "size": [7.6 * GIB * (0.98 + 0.02 * wave)], "c": [7.8 * GIB], "c_min": [6 * GIB], "c_max": [10 * GIB],
            "mru_ghost_hits": [float(rng.poisson(30))], "mfu_ghost_hits": [float(rng.poisson(14))],
            "demand_data_hits": [964.0], "demand_data_misses": [36.0],
            "demand_metadata_hits": [991.0], "demand_metadata_misses": [9.0],
            "prefetch_data_hits": [4.0], "prefetch_data_misses": [1.0],
            "prefetch_metadata_hits": [0.0], "prefetch_metadata_misses": [0.0],
        }),
        "host_load": table("host_load", second, host, {
            "ncpu": [4.0], "cpu_user": [1.9 * wave], "cpu_sys": [0.7], "run_queue": [5.0], "mem_total": [16 * GIB],
            "mem_free": [1.84 * GIB], "page_in": [0.0], "page_out": [0.0], "scan_rate": [0.0], "uptime": [43 * 86400.0],
        }),
        "net_io": table("net_io", second, host, {
            "nic": ["e1000g0", "lo0"], "rx_bytes": [39 * MIB * wave, 1e9], "tx_bytes": [5 * MIB, 1e9],
        }),
        "links": table("links", second, host, {"state": ["up"], "reason": [None]}),
    }  # fmt: skip


def facts(second: int, host: str = "ms2") -> dict[str, pa.Table]:
    known = {"os": "solaris10", "release": "Solaris 10 u8", "model": "X4100 M2 + J4200"}
    return {"host_facts": table("host_facts", second, host, {"fact": list(known), "value": list(known.values())})}


def seconds(start: int, n: int, *, gap: Iterable[int] = (), **how: Any) -> list[Second]:
    """`n` appends from `start` on, without those in `gap`."""
    out = [Second(1, start, "test", facts(start))]
    for i in range(n):
        if start + i not in set(gap):
            out.append(Second(i + 2, start + i, "test", second_of(start + i, **how)))
    return out
