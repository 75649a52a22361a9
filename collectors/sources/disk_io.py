"""disk_io: operations, service time, use and errors of each disk, joined to the pools' vdevs.

The parsers are in `collectors/disks/`, a module per family of tools.
"""

from __future__ import annotations

from collectors.base import Source, Variant
from collectors.disks import errors
from collectors.disks.iostat import Iostat
from collectors.disks.linux import Diskstats, Sysstat
from collectors.members import beside
from collectors.sh import whole

SOLARIS_FIX = "install SUNWcsu (pkg:/system/core-os); every user may run iostat"

SOURCE = Source(
    name="disk_io",
    meaning="operations, bandwidth, queue, service time, %busy and errors of each disk",
    tables=("disk_io", "events"),
    interval=1.0,
    variants=(
        Variant(
            name="iostat",
            systems=("solaris10", "solaris11", "illumos"),
            command=lambda ctx: f"{beside(ctx.os)} {errors.SOLARIS} iostat -xne -T u {whole(ctx)}",
            parser=Iostat,
            probe="iostat -xne -T u 1 1",
            fix=SOLARIS_FIX,
        ),
        Variant(
            name="iostat-old",
            systems=("solaris10",),
            command=lambda ctx: f"{beside(ctx.os)} {errors.SOLARIS} iostat -xn {whole(ctx)}",
            parser=Iostat,
            probe="iostat -xn 1 1",
            fix=SOLARIS_FIX,
            tool="iostat",
        ),
        Variant(
            name="diskstats",
            systems=("linux",),
            command=lambda ctx: (
                f"{beside(ctx.os)} {errors.LINUX} "
                f"while cat /proc/uptime /proc/diskstats && echo; do sleep {ctx.interval:g}; done"
            ),
            parser=Diskstats,
            probe="test -r /proc/diskstats",
            fix="mount /proc",
            tool="/proc/diskstats",
        ),
        Variant(
            name="sysstat",
            systems=("linux",),
            command=lambda ctx: f"{beside(ctx.os)} iostat -dxk {whole(ctx)}",
            parser=Sysstat,
            probe="iostat -dxk 1 1",
            fix="mount /proc, or install sysstat",
            tool="iostat",
        ),
        Variant(
            name="iostat-bsd",
            systems=("freebsd",),
            command=lambda ctx: f"{beside(ctx.os)} iostat -x -d -w {whole(ctx)}",
            parser=Iostat,
            probe="iostat -x -d -c 1",
            fix="install the base system's iostat; every user may run it",
            tool="iostat",
        ),
    ),
)
