"""The row of vital numbers over a host: the newest value with the range's curve."""

from __future__ import annotations

from dashboard.panels import Frames, Known, Need, Query, panel
from dashboard.panels.data import Floats, Grid, PanelData, Series
from dashboard.panels.pools import IO, pools_total
from dashboard.panels.tools import last, one

LOAD = {
    "host_load": Need(
        ("ncpu", "cpu_user", "cpu_sys", "run_queue", "mem_total", "mem_free", "page_in", "page_out", "scan_rate")
    )
}
POOLS = {"zpool_iostat": Need(IO, where={"vdev": [""]})}


def spark(grid: Grid, label: str, unit: str, values: Floats, cap: float | None = None, state: str = "") -> PanelData:
    """A single curve."""
    return PanelData(grid, [Series("v", label, unit, cap=cap, state=state)], values[None, :], unit=unit)  # type: ignore[arg-type]


@panel("cpu", kind="spark", title="CPU", tables=LOAD)
def cpu(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["host_load"]
    used = one(frame, "cpu_user", grid, "mean") + one(frame, "cpu_sys", grid, "mean")
    return spark(grid, "cores used", "cores", used, last(frame, "ncpu"))


@panel("run_queue", kind="spark", title="Run queue", tables=LOAD)
def run_queue(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return spark(grid, "runnable threads", "threads", one(frames["host_load"], "run_queue", grid, "mean"))


@panel("memory_free", kind="spark", title="Memory free", tables=LOAD)
def memory_free(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["host_load"]
    return spark(grid, "free memory", "B", one(frame, "mem_free", grid, "mean"), last(frame, "mem_total"))


@panel("paging", kind="spark", title="Paging", tables=LOAD)
def paging(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    """Bytes paged in and out; amber while the page daemon scans."""
    frame = frames["host_load"]
    moved = one(frame, "page_in", grid, "mean") + one(frame, "page_out", grid, "mean")
    scanning = (last(frame, "scan_rate") or 0) > 0
    return spark(grid, "paged in and out", "B/s", moved, state="warn" if scanning else "")


@panel("pool_read", kind="spark", title="Pool read", tables=POOLS)
def pool_read(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return spark(grid, "read by all pools", "B/s", pools_total(frames["zpool_iostat"], "read_bytes", grid))


@panel("pool_write", kind="spark", title="Pool write", tables=POOLS)
def pool_write(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    return spark(grid, "written by all pools", "B/s", pools_total(frames["zpool_iostat"], "write_bytes", grid))


@panel("net_in", kind="spark", title="Network in", tables={"net_io": Need(("rx_bytes",))})
def net_in(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["net_io"]
    outside = frame[~frame["nic"].isin(["lo", "lo0"])]
    return spark(grid, "received", "B/s", one(outside, "rx_bytes", grid))


@panel("arc_size", kind="spark", title="ARC", tables={"arcstats": Need(("size", "c"))})
def arc_size(frames: Frames, query: Query, grid: Grid, known: Known) -> PanelData:
    frame = frames["arcstats"]
    return spark(grid, "ARC size", "B", one(frame, "size", grid, "mean"), last(frame, "c"))
