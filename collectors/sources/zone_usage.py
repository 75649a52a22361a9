"""zone_usage: what each zone, container or jail uses beside its caps, and what it does to its file systems.

The parsers are in `collectors/zones/`, a module per family of systems.
"""

from __future__ import annotations

from functools import partial

from collectors.base import Source, Variant
from collectors.zones import cgroups, jails, solaris, zonestat

SOURCE = Source(
    name="zone_usage",
    meaning="CPU, memory and swap of each zone beside its caps; file-system operations where the kernel counts them",
    tables=("zone_usage", "zone_io", "events"),
    interval=1.0,
    variants=(
        Variant(
            name="prstat+caps",
            systems=("solaris10",),
            command=solaris.solaris10,
            parser=solaris.Zones,
            probe="type prstat && kstat -p unix:0:system_misc:snaptime",
            fix="install SUNWcsu (prstat, kstat) and SUNWzoneu (zoneadm); every user may run them",
            tool="prstat, kstat",
        ),
        Variant(
            name="kstats",
            systems=("illumos",),
            command=solaris.illumos,
            parser=solaris.Zones,
            probe="type prstat && kstat -p zones:0::nsec_user | grep nsec",
            fix="run zonescope in the global zone; every user may run kstat and prstat there",
            tool="kstat, prstat",
        ),
        Variant(
            name="zonestat",
            systems=("solaris11",),
            command=zonestat.command(),
            parser=zonestat.Zonestat,
            probe="type zonestat && svcs -H -o state svc:/system/zones-monitoring:default | grep online",
            fix="svcadm enable svc:/system/zones-monitoring:default",
        ),
        Variant(
            name="prstat",
            systems=("solaris10", "solaris11", "illumos"),
            command=solaris.prstat,
            parser=partial(solaris.Zones, kstats=False),
            probe="type prstat",
            fix="install prstat (SUNWcsu or pkg:/system/core-os)",
        ),
        Variant(
            name="cgroups",
            systems=("linux",),
            command=cgroups.command(),
            parser=cgroups.Cgroups,
            probe="test -d /sys/fs/cgroup && test -r /proc/uptime",
            fix="mount the control groups: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        ),
        Variant(
            name="jails",
            systems=("freebsd",),
            command=jails.command,
            parser=jails.Jails,
            probe="jls && sysctl -n kern.racct.enable",
            fix="set kern.racct.enable=1 in /boot/loader.conf and reboot, for use and limits of jails",
            tool="jls, rctl",
        ),
    ),
)
