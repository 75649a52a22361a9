"""host_load: CPU by mode, run queue, memory, paging and swap of a host, and its network interfaces.

The parsers are in `collectors/load/`, a module per system.
"""

from __future__ import annotations

from collectors.base import Source, Variant
from collectors.load import freebsd, linux, solaris, vmstat
from collectors.sh import whole

SOURCE = Source(
    name="host_load",
    meaning="CPU by mode, run queue, memory, paging, swap and network interfaces of a host",
    tables=("host_load", "net_io", "events"),
    interval=1.0,
    variants=(
        Variant(
            name="kstat-drivers",
            systems=("solaris10",),
            command=solaris.command_drivers,
            parser=solaris.Kstats,
            probe="kstat -p cpu::sys:cpu_ticks_idle | grep cpu_ticks",
            fix="install SUNWcsu and perl (kstat); every user may run kstat",
        ),
        Variant(
            name="kstat-links",
            systems=("solaris11", "illumos"),
            command=solaris.command_links,
            parser=solaris.Kstats,
            probe="kstat -p cpu::sys:cpu_nsec_idle | grep cpu_nsec",
            fix="install kstat (pkg:/system/core-os); every user may run it",
        ),
        Variant(
            name="vmstat",
            systems=("solaris10", "solaris11", "illumos"),
            command=vmstat.command,
            parser=vmstat.Vmstat,
            probe="vmstat 1 1",
            fix="install SUNWcsu (pkg:/system/core-os); every user may run vmstat",
        ),
        Variant(
            name="mpstat",
            systems=("solaris10", "solaris11", "illumos"),
            command=lambda ctx: f"mpstat {whole(ctx)}",
            parser=vmstat.Mpstat,
            probe="mpstat 1 1",
            fix="install SUNWcsu (pkg:/system/core-os); every user may run mpstat",
        ),
        Variant(
            name="procfs",
            systems=("linux",),
            command=linux.command,
            parser=linux.Procfs,
            probe="test -r /proc/stat && test -r /proc/net/dev",
            fix="mount /proc",
        ),
        Variant(
            name="vmstat-linux",
            systems=("linux",),
            command=vmstat.command_linux,
            parser=vmstat.Vmstat,
            probe="vmstat -n 1 1",
            fix="mount /proc, or install procps",
        ),
        Variant(
            name="mpstat-linux",
            systems=("linux",),
            command=lambda ctx: f"mpstat -P ALL {whole(ctx)}",
            parser=vmstat.Mpstat,
            probe="mpstat -P ALL 1 1",
            fix="mount /proc, or install sysstat",
        ),
        Variant(
            name="sysctl",
            systems=("freebsd",),
            command=freebsd.command,
            parser=freebsd.Sysctl,
            probe="sysctl -n kern.cp_time",
            fix="install the base system's sysctl; every user may run it",
        ),
    ),
)
