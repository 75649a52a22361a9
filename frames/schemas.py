"""The contract between rooms: every frame's columns with dtype, unit, role and meaning, declared once.

Axis labels, tooltips, CSV headers, docs, the history's tables and its rollups are all derived from here.
A frame is a pandas DataFrame (or the same as a pyarrow Table) that `Schema.check` accepts.

Rules that hold for every frame:

* ``time`` is UTC, microseconds, and is the *end* of the interval a row speaks of, on a whole multiple of the
  source's interval (see `collectors.stamp.Ticks`), so that rows of several hosts share a time axis.
* ``host`` is the inventory's name.
* A missing number is NaN in pandas and null in Arrow, never 0.
* All numbers are float64 (bytes are exact to 2**53); counts of histograms are int64 lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pandas as pd
import pyarrow as pa

Dtype = Literal["time", "str", "float", "list[str]", "list[int]"]
Role = Literal["key", "label", "gauge", "rate", "counter", "histogram"]
"""key: identifies the series. label: text that goes with it. gauge: a level (rolled up as min, mean, max).
rate: per second over the interval (the same rollup). counter: increment within the interval (rolled up by
sum). histogram: counts over bounds (rolled up by sum)."""

ARROW: dict[str, pa.DataType] = {
    "time": pa.timestamp("us", tz="UTC"),
    "str": pa.string(),
    "float": pa.float64(),
    "list[str]": pa.list_(pa.string()),
    "list[int]": pa.list_(pa.int64()),
}


class SchemaError(ValueError):
    """A frame does not fit its schema; names the table and the column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `unit` is SI ("B", "s", "1/s", "B/s", "cores", "1" for a fraction, "" for text)."""

    name: str
    dtype: Dtype
    unit: str
    role: Role
    meaning: str


@dataclass(frozen=True)
class Schema:
    """A table's columns. `keys` identify a series within it (time excluded, host included)."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    every: float = 1.0
    """Usual interval between samples of one series, seconds; a longer silence than twice this is a gap."""
    kind: Literal["series", "log"] = "series"
    """series: sampled and rolled up. log: rows that happen (events, facts), kept as they are."""
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.columns]

    @property
    def keys(self) -> list[str]:
        return [c.name for c in self.columns if c.role == "key" and c.name != "time"]

    def of_role(self, *roles: Role) -> list[str]:
        return [c.name for c in self.columns if c.role in roles]

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema([(c.name, ARROW[c.dtype]) for c in self.columns])

    def table(self, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
        """Arrow table from column lists; absent columns are null. NaN and None become null.

        Raises SchemaError on an unknown column, unequal lengths or a value of another type.
        """
        unknown = set(columns) - set(self.by_name)
        if unknown:
            raise SchemaError(f"{self.name}: unknown column {sorted(unknown)[0]!r}")
        lengths = {len(v) for v in columns.values()}
        if len(lengths) > 1:
            raise SchemaError(f"{self.name}: columns of unequal length { {k: len(v) for k, v in columns.items()} }")
        n = lengths.pop() if lengths else 0
        arrays = []
        for c in self.columns:
            values = columns.get(c.name)
            if values is None:
                arrays.append(pa.nulls(n, ARROW[c.dtype]))
                continue
            try:
                arrays.append(pa.array(values, type=ARROW[c.dtype], from_pandas=True))
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as e:
                raise SchemaError(f"{self.name}.{c.name}: {e}") from e
        return pa.Table.from_arrays(arrays, schema=self.arrow)

    def frame(self, columns: Mapping[str, Sequence[Any]] | None = None) -> pd.DataFrame:
        """The same as a DataFrame; without columns, an empty one with the right dtypes."""
        return to_pandas(self.table(columns or {}))

    def fitted(self, table: pa.Table) -> pa.Table:
        """`table`, written by an older or newer zonescope, in these columns: absent ones are null, further ones go.

        Raises SchemaError for a column of another type.
        """
        if table.schema == self.arrow:
            return table
        try:
            return pa.Table.from_arrays(
                [
                    table[c.name].cast(ARROW[c.dtype])
                    if c.name in table.column_names
                    else pa.nulls(len(table), ARROW[c.dtype])
                    for c in self.columns
                ],
                schema=self.arrow,
            )
        except (pa.ArrowException, TypeError, ValueError) as e:
            raise SchemaError(f"{self.name}: {e}") from e

    def check(self, frame: pd.DataFrame | pa.Table) -> pa.Table:
        """`frame` as an Arrow table of exactly this schema, columns in order.

        Raises SchemaError for a missing key, an unknown column, a wrong type or a key that is null.
        """
        if isinstance(frame, pd.DataFrame):
            unknown = set(map(str, frame.columns)) - set(self.by_name)
            if unknown:
                raise SchemaError(f"{self.name}: unknown column {sorted(unknown)[0]!r}")
            table = self.table({str(c): cast(Any, frame[c]) for c in frame.columns})
        else:
            unknown = set(frame.column_names) - set(self.by_name)
            if unknown:
                raise SchemaError(f"{self.name}: unknown column {sorted(unknown)[0]!r}")
            table = self.fitted(frame)
        for key in ("time", *self.keys):
            if table[key].null_count:
                raise SchemaError(f"{self.name}.{key}: a key is missing in {table[key].null_count} rows")
        return table


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """DataFrame of `table`: lists stay Arrow-backed, null numbers become NaN."""

    def mapper(t: pa.DataType) -> Any:
        return pd.ArrowDtype(t) if pa.types.is_list(t) else None

    return table.to_pandas(types_mapper=mapper)


TIME = Column("time", "time", "UTC", "key", "end of the interval")
HOST = Column("host", "str", "", "key", "the inventory's name of the host")


def key(name: str, meaning: str) -> Column:
    return Column(name, "str", "", "key", meaning)


def label(name: str, meaning: str) -> Column:
    return Column(name, "str", "", "label", meaning)


def gauge(name: str, unit: str, meaning: str) -> Column:
    return Column(name, "float", unit, "gauge", meaning)


def rate(name: str, unit: str, meaning: str) -> Column:
    return Column(name, "float", unit, "rate", meaning)


def counter(name: str, unit: str, meaning: str) -> Column:
    return Column(name, "float", unit, "counter", meaning)


SCHEMAS: dict[str, Schema] = {}


def declare(
    name: str,
    meaning: str,
    *columns: Column,
    every: float = 1.0,
    kind: Literal["series", "log"] = "series",
) -> Schema:
    schema = Schema(name, meaning, (TIME, HOST, *columns), every, kind)
    SCHEMAS[name] = schema
    return schema


ZPOOL_IOSTAT = declare(
    "zpool_iostat",
    "capacity, operations and bandwidth per pool and vdev (zpool iostat -v)",
    key("pool", "pool"),
    key(
        "vdev",
        "path of the vdev below its pool, '' for the pool itself: 'raidz2-0', 'raidz2-0/c3t7d0', 'logs/c1t2d0'",
    ),
    label("device", "the vdev's own name as printed"),
    label(
        "kind",
        "pool, disk, mirror, raidz1, raidz2, raidz3, draid, spare, replacing, or section (logs, cache)",
    ),
    label("alloc_class", "data, log, cache, special, dedup or spare"),
    gauge("alloc", "B", "allocated"),
    gauge("size", "B", "allocated + free"),
    gauge("alloc_step", "B", "step of the last printed digit of alloc (NA: exact)"),
    rate("read_ops", "1/s", "read operations"),
    rate("write_ops", "1/s", "write operations"),
    rate("read_bytes", "B/s", "read bandwidth"),
    rate("write_bytes", "B/s", "write bandwidth"),
    gauge("bytes_step", "B/s", "step of the last printed digit of the larger bandwidth (NA: exact)"),
    gauge("total_wait_read", "s", "mean time of a read, queue and disk (-l)"),
    gauge("total_wait_write", "s", "mean time of a write, queue and disk (-l)"),
    gauge("disk_wait_read", "s", "mean disk time of a read (-l)"),
    gauge("disk_wait_write", "s", "mean disk time of a write (-l)"),
    gauge("syncq_wait_read", "s", "mean time in the synchronous read queue (-l)"),
    gauge("syncq_wait_write", "s", "mean time in the synchronous write queue (-l)"),
    gauge("asyncq_wait_read", "s", "mean time in the asynchronous read queue (-l)"),
    gauge("asyncq_wait_write", "s", "mean time in the asynchronous write queue (-l)"),
    gauge("scrub_wait", "s", "mean time in the scrub queue (-l)"),
    gauge("trim_wait", "s", "mean time in the trim queue (-l)"),
    gauge("rebuild_wait", "s", "mean time in the rebuild queue (-l)"),
    gauge("syncq_read_pend", "1", "synchronous reads pending (-q)"),
    gauge("syncq_read_activ", "1", "synchronous reads issued to disk (-q)"),
    gauge("syncq_write_pend", "1", "synchronous writes pending (-q)"),
    gauge("syncq_write_activ", "1", "synchronous writes issued to disk (-q)"),
    gauge("asyncq_read_pend", "1", "asynchronous reads pending (-q)"),
    gauge("asyncq_read_activ", "1", "asynchronous reads issued to disk (-q)"),
    gauge("asyncq_write_pend", "1", "asynchronous writes pending (-q)"),
    gauge("asyncq_write_activ", "1", "asynchronous writes issued to disk (-q)"),
    gauge("scrubq_read_pend", "1", "scrub reads pending (-q)"),
    gauge("scrubq_read_activ", "1", "scrub reads issued to disk (-q)"),
    gauge("trimq_write_pend", "1", "trims pending (-q)"),
    gauge("trimq_write_activ", "1", "trims issued to disk (-q)"),
    gauge("rebuildq_write_pend", "1", "rebuild writes pending (-q)"),
    gauge("rebuildq_write_activ", "1", "rebuild writes issued to disk (-q)"),
)

ZPOOL_HISTOGRAM = declare(
    "zpool_histogram",
    "latency and request-size histograms per pool and vdev (zpool iostat -w, -r)",
    key("pool", "pool"),
    key("vdev", "path of the vdev below its pool, '' for the pool itself"),
    key("measure", "column of the report: total_wait_read, disk_wait_write, sync_read_ind, …"),
    Column(
        "counts",
        "list[int]",
        "1",
        "histogram",
        "events per bucket within the interval, over BOUNDS['quantize']",
    ),
)

ZPOOL_STATUS = declare(
    "zpool_status",
    "state and error counters of every pool and vdev (zpool status)",
    key("pool", "pool"),
    key("vdev", "path of the vdev below its pool, '' for the pool itself"),
    label("device", "the vdev's own name as printed"),
    label("kind", "as in zpool_iostat"),
    label("alloc_class", "as in zpool_iostat"),
    label("state", "ONLINE, DEGRADED, FAULTED, OFFLINE, REMOVED, UNAVAIL, SUSPENDED (pools), AVAIL or INUSE"),
    gauge("read_errors", "1", "read errors since the last clear"),
    gauge("write_errors", "1", "write errors since the last clear"),
    gauge("cksum_errors", "1", "checksum errors since the last clear"),
    label("note", "what stands behind the counters: '(resilvering)', 'was /dev/…', 'cannot open'"),
    every=10.0,
)

POOL_SCAN = declare(
    "pool_scan",
    "scrub, resilver, expansion or removal of a pool as numbers (the scan:, scrub:, expand: or remove: lines)",
    key("pool", "pool"),
    label("scan", "scrub, resilver, expansion, removal or none"),
    label("state", "none, in_progress, paused, finished or canceled"),
    gauge("fraction", "1", "done, by issued bytes where printed, else as printed"),
    gauge("scanned", "B", "bytes scanned"),
    gauge("issued", "B", "bytes issued"),
    gauge("total", "B", "bytes to scan"),
    gauge("rate", "B/s", "rate as printed (mean since the pass began)"),
    gauge("elapsed", "s", "duration so far, or of the finished scan"),
    gauge("eta", "s", "time to go as printed; NA where the tool gives none, or of nothing done"),
    gauge("repaired", "B", "bytes repaired or resilvered"),
    gauge("errors", "1", "errors found by the scan; of the pool's data where no scan ran"),
    label("text", "the scan lines as printed, joined by a blank"),
    every=10.0,
)

POOL_CAPACITY = declare(
    "pool_capacity",
    "size, fragmentation and deduplication per pool (zpool list)",
    key("pool", "pool"),
    gauge("size", "B", "raw size"),
    gauge("alloc", "B", "allocated"),
    gauge("frag", "1", "free space in small pieces (FRAG), a fraction; not fragmented files"),
    gauge("dedup", "1", "deduplication ratio"),
    gauge("expandsz", "B", "unclaimed space of grown devices"),
    gauge("checkpoint", "B", "space held by a checkpoint"),
    label("health", "ONLINE, DEGRADED, FAULTED, …"),
    every=60.0,
)

DATASET_USAGE = declare(
    "dataset_usage",
    "space per file system and volume (zfs list)",
    key("dataset", "dataset"),
    label("type", "filesystem or volume"),
    gauge("used", "B", "used with descendants and snapshots"),
    gauge("avail", "B", "available"),
    gauge("refer", "B", "referenced"),
    gauge("used_by_snapshots", "B", "freed if all snapshots were destroyed"),
    gauge("used_by_dataset", "B", "used by the dataset itself"),
    gauge("used_by_children", "B", "used by descendants"),
    gauge("quota", "B", "quota; NA: none"),
    label("mountpoint", "mount point as printed"),
    every=60.0,
)

SNAPSHOTS = declare(
    "snapshots",
    "snapshots with creation and unique space (zfs list -t snapshot)",
    key("dataset", "dataset"),
    key("snapshot", "name after @"),
    Column("creation", "time", "UTC", "label", "when it was taken, by the host's clock"),
    gauge("used", "B", "bytes unique to this snapshot"),
    gauge("refer", "B", "bytes it references"),
    every=600.0,
)

_ARC_LEVELS = [
    gauge("size", "B", "ARC size"),
    gauge("c", "B", "target size"),
    gauge("c_min", "B", "least target"),
    gauge("c_max", "B", "largest target"),
    gauge("p", "B", "target of the MRU list (since OpenZFS 2.2 from its fractions meta, pd and pm)"),
    gauge("mru_size", "B", "MRU list"),
    gauge("mfu_size", "B", "MFU list"),
    gauge("mru_ghost_size", "B", "MRU ghost list (bytes whose headers are kept)"),
    gauge("mfu_ghost_size", "B", "MFU ghost list"),
    gauge("data_size", "B", "file data held"),
    gauge("metadata_size", "B", "metadata held"),
    gauge("meta_used", "B", "metadata counted against its limit"),
    gauge("meta_limit", "B", "limit of metadata"),
    gauge("l2_size", "B", "L2ARC data, uncompressed"),
    gauge("l2_asize", "B", "L2ARC data on its devices"),
    gauge("l2_hdr_size", "B", "ARC bytes spent on the index of the L2ARC"),
    gauge("growth", "B/s", "growth of size over the interval, negative where it shrank"),
    gauge("hit_ratio", "1", "hits over all accesses of the interval; NA: no access"),
    gauge("demand_data_hit_ratio", "1", "hits over accesses, demand data"),
    gauge("demand_metadata_hit_ratio", "1", "hits over accesses, demand metadata"),
    gauge("prefetch_data_hit_ratio", "1", "hits over accesses, prefetch data: what was held already"),
    gauge("prefetch_metadata_hit_ratio", "1", "hits over accesses, prefetch metadata"),
    gauge("prefetch_efficiency", "1", "demand accesses that a prefetch had served, over prefetches issued"),
    gauge("ghost_hit_ratio", "1", "ghost hits over misses: what a larger ARC would have served"),
]
_ARC_RATES = [
    rate("hits", "1/s", "hits"),
    rate("misses", "1/s", "misses"),
    rate("demand_data_hits", "1/s", "demand data hits"),
    rate("demand_data_misses", "1/s", "demand data misses"),
    rate("demand_metadata_hits", "1/s", "demand metadata hits"),
    rate("demand_metadata_misses", "1/s", "demand metadata misses"),
    rate("prefetch_data_hits", "1/s", "prefetch data hits"),
    rate("prefetch_data_misses", "1/s", "prefetch data misses"),
    rate("prefetch_metadata_hits", "1/s", "prefetch metadata hits"),
    rate("prefetch_metadata_misses", "1/s", "prefetch metadata misses"),
    rate("mru_hits", "1/s", "hits in the MRU list"),
    rate("mfu_hits", "1/s", "hits in the MFU list"),
    rate("mru_ghost_hits", "1/s", "misses that a larger MRU list would have served"),
    rate("mfu_ghost_hits", "1/s", "misses that a larger MFU list would have served"),
    rate("iohits", "1/s", "accesses that found their read under way (OpenZFS 2.2 on)"),
    rate("demand_data_iohits", "1/s", "the same, demand data"),
    rate("demand_metadata_iohits", "1/s", "the same, demand metadata"),
    rate("prefetch_data_iohits", "1/s", "the same, prefetch data"),
    rate("prefetch_metadata_iohits", "1/s", "the same, prefetch metadata"),
    rate("prefetches", "1/s", "predictive prefetches issued (before OpenZFS 0.8: prefetch misses)"),
    rate("prefetches_used", "1/s", "demand accesses that a predictive prefetch had served"),
    rate("deleted", "1/s", "buffers evicted"),
    rate("evicted", "B/s", "bytes evicted, to the L2ARC or for good"),
    rate("evict_skip", "1/s", "buffers that eviction skipped"),
    rate("memory_throttle", "1/s", "writes delayed because memory was short"),
    rate("l2_hits", "1/s", "L2ARC hits"),
    rate("l2_misses", "1/s", "L2ARC misses"),
    rate("l2_read_bytes", "B/s", "read from the L2ARC"),
    rate("l2_write_bytes", "B/s", "written to the L2ARC"),
]
ARCSTATS = declare("arcstats", "the ARC's sizes and what it serves (kstat zfs:0:arcstats)", *_ARC_LEVELS, *_ARC_RATES)

ZONE_USAGE = declare(
    "zone_usage",
    "what each zone, container or jail uses, beside its caps",
    key("zone", "zone name"),
    label("brand", "brand: native, lx, bhyve, lxc, jail, …"),
    label("state", "running, ready, installed, shutting_down, …"),
    gauge("zone_id", "1", "kernel zone id; NA when not running"),
    gauge("cpu", "cores", "CPU used"),
    gauge("cpu_user", "cores", "CPU used in user mode"),
    gauge("cpu_sys", "cores", "CPU used in the kernel"),
    gauge("cpu_cap", "cores", "CPU cap; NA: none"),
    gauge("cpu_waiting", "1", "threads parked by the cap (nwait)"),
    rate("cpu_above_cap", "1", "share of the interval spent at or above the cap (above_sec)"),
    gauge("cpu_wait_rq", "cores", "threads waiting for a CPU (nsec_waitrq)"),
    gauge("cpu_shares", "1", "fair-share-scheduler shares (zone.cpu-shares)"),
    gauge("rss", "B", "resident memory"),
    gauge("rss_cap", "B", "cap of resident memory; NA: none"),
    gauge("swap", "B", "swap reserved (or virtual size where that is what is printed)"),
    gauge("swap_cap", "B", "cap of swap; NA: none"),
    rate("pagedout", "B/s", "paged out by rcapd or the memory cap"),
    rate("anon_alloc_fail", "1/s", "allocations that failed at the swap cap"),
    gauge("nproc", "1", "processes"),
    gauge("nlwp", "1", "threads"),
)

ZONE_IO = declare(
    "zone_io",
    "file-system operations and latency per zone (kstat zone_vfs, zone_zfs)",
    key("zone", "zone name"),
    rate("read_ops", "1/s", "reads"),
    rate("write_ops", "1/s", "writes"),
    rate("read_bytes", "B/s", "bytes read"),
    rate("write_bytes", "B/s", "bytes written"),
    gauge("read_time", "s", "mean time of a read (rlentime over reads)"),
    gauge("write_time", "s", "mean time of a write"),
    rate("ops_10ms", "1/s", "operations of at least 10 ms"),
    rate("ops_100ms", "1/s", "operations of at least 100 ms"),
    rate("ops_1s", "1/s", "operations of at least 1 s"),
    rate("ops_10s", "1/s", "operations of at least 10 s"),
    rate("delay_cnt", "1/s", "operations delayed by the I/O throttle"),
    rate("delay_time", "s/s", "time spent delayed by the I/O throttle"),
    rate("zfs_read_ops", "1/s", "ZFS logical reads (zone_zfs)"),
    rate("zfs_write_ops", "1/s", "ZFS logical writes (zone_zfs)"),
)

DISK_IO = declare(
    "disk_io",
    "operations, service time and use of each disk (iostat -xn, /proc/diskstats)",
    key("device", "device as the host prints it"),
    label("pool", "pool that holds it, where known"),
    label("vdev", "vdev path in that pool, where known"),
    rate("read_ops", "1/s", "reads (r/s)"),
    rate("write_ops", "1/s", "writes (w/s)"),
    rate("read_bytes", "B/s", "bytes read"),
    rate("write_bytes", "B/s", "bytes written"),
    gauge("wait", "1", "requests waiting in the queue"),
    gauge("actv", "1", "requests being served"),
    gauge("wsvc_t", "s", "mean time in the wait queue"),
    gauge("asvc_t", "s", "mean service time"),
    gauge("busy", "1", "share of time with a request being served (%b)"),
    gauge("waiting", "1", "share of time with a request waiting (%w)"),
    gauge("soft_errors", "1", "soft errors since boot"),
    gauge("hard_errors", "1", "hard errors since boot"),
    gauge("transport_errors", "1", "transport errors since boot"),
)

HOST_LOAD = declare(
    "host_load",
    "CPU by mode, run queue, memory, paging and swap of a host",
    gauge("ncpu", "cores", "CPUs online"),
    gauge("cpu_user", "cores", "CPU in user mode"),
    gauge("cpu_sys", "cores", "CPU in the kernel"),
    gauge("cpu_wait", "cores", "CPU idle with I/O outstanding, where the system tells"),
    gauge("cpu_idle", "cores", "CPU idle"),
    gauge("cpu_steal", "cores", "CPU taken by the hypervisor"),
    gauge("run_queue", "1", "runnable threads waiting for a CPU"),
    gauge("blocked", "1", "threads blocked on I/O or paging"),
    gauge("load_1", "1", "load average over one minute"),
    gauge("mem_total", "B", "physical memory"),
    gauge("mem_free", "B", "free memory"),
    gauge("swap_total", "B", "swap configured"),
    gauge("swap_free", "B", "swap free"),
    rate("scan_rate", "1/s", "pages scanned by the page daemon"),
    rate("page_in", "B/s", "paged in"),
    rate("page_out", "B/s", "paged out"),
    gauge("cpu_pressure", "1", "share of time in which a task waited for a CPU (PSI some)"),
    gauge("memory_pressure", "1", "share of time in which a task waited for memory (PSI some)"),
    gauge("io_pressure", "1", "share of time in which a task waited for I/O (PSI some)"),
    gauge("uptime", "s", "time since boot"),
)

NET_IO = declare(
    "net_io",
    "bytes, packets and errors of each network interface",
    key("nic", "interface or link"),
    rate("rx_bytes", "B/s", "bytes received"),
    rate("tx_bytes", "B/s", "bytes sent"),
    rate("rx_packets", "1/s", "packets received"),
    rate("tx_packets", "1/s", "packets sent"),
    rate("rx_errors", "1/s", "receive errors"),
    rate("tx_errors", "1/s", "transmit errors"),
)

DTRACE = declare(
    "dtrace",
    "answers of D questions: one row per key and interval",
    key("question", "the question's id, e.g. 'disk_io/by=device,latency'"),
    Column(
        "keys",
        "list[str]",
        "",
        "key",
        "the aggregation's keys in order; a stack key is its frames joined by newlines",
    ),
    gauge("value", "", "value of count, sum, avg, min, max or stddev; NA for a histogram"),
    label("agg", "count, sum, avg, min, max, stddev, quantize, lquantize or llquantize"),
    label(
        "bounds",
        "name of the bounds of `counts`: 'quantize', 'log2:n', 'lquantize:low:high:step', 'llquantize:f:m:M:n'",
    ),
    Column("counts", "list[int]", "1", "histogram", "events per bucket of `bounds`"),
    gauge("drops", "1", "records that dtrace said it dropped in this interval"),
)

DTRACE_RUNS = declare(
    "dtrace_runs",
    "D programs under way and what they cost their host: a row a second for each, the standing question too",
    key("question", "the question's id or the script's name, as in table dtrace"),
    label("state", "starting (probes are being attached), running or ended (its last row)"),
    label("who", "who asked first; zonescope for the standing question"),
    label("requests", "ids of the requests that it answers, joined by commas"),
    gauge(
        "cpu", "cores", "CPU time of dtrace itself lately, without what its probes cost the probed; NA: not known yet"
    ),
    gauge("drops", "1", "records lost since it started, faults of the program included"),
    gauge("rows", "1", "rows received since it started (NA for the standing question)"),
    gauge("left", "s", "time to its limit (NA for the standing question, and while it starts)"),
)

DTRACE_PROGRAMS = declare(
    "dtrace_programs",
    "D programs that were started: the text as the host's compiler got it",
    key("question", "the question's id or the script's name, as in table dtrace"),
    label("who", "who asked"),
    label("program", "the D program"),
    kind="log",
)

TRANSFERS = declare(
    "transfers",
    "progress of copies: zfs send and receive, imapsync",
    key("stream", "what is copied: side and dataset, account or job"),
    label("kind", "zfs_send, zfs_receive or imapsync"),
    label("peer", "the host at the other end, where known"),
    label("dataset", "dataset that is sent or received now"),
    label("from_snapshot", "snapshot that an increment starts from; empty for a full stream"),
    label("to_snapshot", "snapshot that is sent now"),
    label("zone", "zone, jail or container of its process"),
    label("pid", "its process"),
    label("state", "waiting, running, stalled, done, failed, or ended: gone, and nobody said how"),
    gauge("done", "B", "bytes done"),
    gauge("total", "B", "bytes expected; NA when nobody knows"),
    rate("rate", "B/s", "bytes per second, over the interval or as long as rounded counts need"),
    gauge("buffer", "1", "how full the buffer between sender and receiver is"),
    gauge("items_done", "1", "messages or datasets done"),
    gauge("items_total", "1", "messages or datasets in all"),
    gauge("errors", "1", "errors so far"),
    gauge("elapsed", "s", "time since its process began"),
    gauge("eta", "s", "time to go as the tool prints it"),
    label("text", "the tool's own last line"),
    every=5.0,
)

MAIL_ACTIVITY = declare(
    "mail_activity",
    "connections and processes of mail services by zone (Cyrus, nginx)",
    key("zone", "zone name"),
    key("service", "imapd, pop3d, lmtpd, nginx, …"),
    gauge("processes", "1", "processes"),
    gauge("connections", "1", "connections open"),
    rate("accepts", "1/s", "connections accepted"),
    rate("requests", "1/s", "requests or logins"),
    rate("errors", "1/s", "errors logged"),
    every=5.0,
)

LINKS = declare(
    "links",
    "state of each host's SSH link, once a second",
    label("state", "up, connecting, down or refused"),
    label("reason", "why it is not up, in a sentence"),
    Column("since", "time", "UTC", "label", "when this state began"),
    gauge("attempt", "1", "connection attempts since the last success"),
    gauge("next_try", "s", "seconds to the next attempt"),
    gauge("clock_offset", "s", "host clock minus collector clock, where measured"),
)

SOURCE_HEALTH = declare(
    "source_health",
    "how each source of each host does: lag, errors, newest sample",
    key("source", "source name"),
    label("state", "ok, starting, stale, failed, missing or off"),
    Column("newest", "time", "UTC", "label", "time of the newest sample"),
    gauge("lag", "s", "from the line's arrival to the spool"),
    counter("lines", "1", "lines read in this interval"),
    counter("rows", "1", "rows made in this interval"),
    counter("dropped", "1", "lines dropped by a bound, samples of an interval that had one"),
    counter("errors", "1", "parse errors"),
    label("why", "last error or what is missing"),
    label("fix", "the exact fix, where there is one"),
    label("command", "what runs on the host, told with an error"),
)

EVENTS = declare(
    "events",
    "what happened: markers, alerts, links up and down, reboots, notes, phases of a migration",
    key(
        "kind", "marker, link, reboot, clock, counters, zone, pool, disk, scan, dtrace, phase, note, alert or collector"
    ),
    label("object", "what it concerns: pool, zone, disk, stream; '' for the host"),
    label("severity", "info, warn or bad"),
    label("text", "one sentence"),
    label("who", "who or what made the event"),
    Column("until", "time", "UTC", "label", "its end, for one that lasts"),
    kind="log",
)

HOST_FACTS = declare(
    "host_facts",
    "what a host is and what it lacks; a row when a fact is learnt or changes",
    key("fact", "os, release, model, ncpu, memory, boot_time, timezone, shell, missing:<source>, pair, …"),
    label("value", "its value, or what is missing"),
    label("fix", "the exact fix of a lack"),
    kind="log",
)

REQUESTS = declare(
    "requests",
    "what a page asks of a collector: start or stop a D question, place a marker",
    key("request", "id of the request"),
    label("action", "dtrace_start, dtrace_stop, keep_alive or marker"),
    label("body", "its arguments as JSON"),
    label("who", "who asked"),
    label("state", "asked, taken, running, refused or ended"),
    label("why", "why it was refused or ended"),
    kind="log",
)

BUILT_IN = frozenset(SCHEMAS)
"""Tables that zonescope declares itself; what comes later is of a user's own package."""


BOUNDS_QUANTIZE: tuple[float, ...] = (0.0, *(float(2**i) for i in range(63)))
"""Lower bounds of the 64 buckets of a quantize() over values >= 0: [0,1), [1,2), [2,4), … in the unit of the
value. Negative values are counted in the first bucket of 'quantize_signed' only (see `bounds`)."""

LOG2_TOP = 48
"""'log2:n' tells values below 2**48 apart: three days in nanoseconds, 256 TiB in bytes."""


def log2_levels(steps: int) -> int:
    """Buckets of 'log2:steps' below 2**LOG2_TOP. Raises SchemaError unless `steps` is 2, 4, 8 or 16."""
    if steps not in (2, 4, 8, 16):
        raise SchemaError(f"unknown bounds 'log2:{steps}'")
    return steps * (LOG2_TOP - steps.bit_length() + 2)


def bounds(name: str) -> list[float]:
    """Lower bounds of the buckets that `name` stands for; the last bucket is open above.

    'quantize': 64 buckets from 0. 'quantize_signed': 127 buckets -2**62 … -1, 0, 1 … 2**62.
    'lquantize:low:high:step': an underflow bucket (-inf), then each step, then the overflow bucket.
    'llquantize:factor:low_magnitude:high_magnitude:nsteps': underflow (0), then nsteps per magnitude, overflow.
    'log2:n': whole numbers up to n, from there each power of two in n equal steps, overflow from 2**LOG2_TOP.
    'list:-inf,0,5,10': as spelled out.
    Source: Solaris Dynamic Tracing Guide, "Aggregations"; illumos dtrace(1M) llquantize.
    Raises SchemaError for an unknown name.
    """
    kind, *args = name.split(":")
    try:
        if kind == "list" and len(args) == 1:
            return [float(a) for a in args[0].split(",")]
        numbers = [int(a) for a in args]
        if kind == "quantize" and not args:
            return list(BOUNDS_QUANTIZE)
        if kind == "quantize_signed" and not args:
            return [-b for b in reversed(BOUNDS_QUANTIZE[1:])] + list(BOUNDS_QUANTIZE)
        if kind == "log2" and len(args) == 1:
            n = numbers[0]
            shifts = [max(i // n - 1, 0) for i in range(log2_levels(n) + 1)]
            return [float((i - shift * n) << shift) for i, shift in enumerate(shifts)]
        if kind == "lquantize" and len(args) == 3:
            low, high, step = numbers
            if step > 0 and high > low:
                levels = (high - low) // step
                return [float("-inf"), *(float(low + i * step) for i in range(levels + 1))]
        if kind == "llquantize" and len(args) == 4:
            factor, low_mag, high_mag, nsteps = numbers
            if factor > 1 and nsteps >= factor and 0 <= low_mag <= high_mag:
                return _llquantize(factor, low_mag, high_mag, nsteps)
    except ValueError:
        pass
    raise SchemaError(f"unknown bounds {name!r}")


def _llquantize(factor: int, low_mag: int, high_mag: int, nsteps: int) -> list[float]:
    """As dt_print_llquantize of illumos walks them: steps are merged while a magnitude has fewer than nsteps."""
    out = [0.0]
    value = 1
    for _ in range(low_mag):
        value *= factor
    out.append(float(value))
    order = low_mag
    next_ = value * factor
    step = max(next_ // nsteps, 1)
    while order <= high_mag:
        value += step
        if value >= next_:
            value = next_
            next_ *= factor
            step = max(next_ // nsteps, 1)
            order += 1
        out.append(float(value))
    return out
