"""How each metric of `frames.metrics` is had from a system: probes, D expressions, what is saved at entry.

A recipe is data. In its expressions ``{name}`` stands for what was saved at entry under that name; `start` is
always saved where there is an entry. Its program is composed by `collectors.dtrace.compose`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from collectors.base import OS


@dataclass(frozen=True)
class Recipe:
    """One way to answer questions about `metric`.

    `fire`: probes at which it happens. `fields`: D expression of each field that this way can give, evaluated
    there. `enter`: probes at which it begins, `saves`: what is kept from there on, under `key` (an expression, or
    one for each end; '' keeps it in the thread). `enter_if`: what a beginning must fulfil; `match`: what makes a
    `fire` the end of what began (only then is what was saved forgotten); `fire_if`: which ends count. A condition
    that names a saved value holds only where a beginning was seen. `value`: what an event weighs; '' counts
    events. `first`: clauses in plain D that come before the one of `enter`.
    """

    metric: str
    systems: tuple[OS, ...]
    fire: tuple[str, ...]
    fields: Mapping[str, str]
    enter: tuple[str, ...] = ()
    saves: Mapping[str, str] = field(default_factory=lambda: {"start": "timestamp"})
    key: str | tuple[str, str] = ""
    enter_if: str = ""
    match: str = ""
    fire_if: str = ""
    value: str = ""
    first: tuple[str, ...] = ()
    function: str = ""
    """The field that is the probes' function: where a question fixes it, no other probe is enabled."""
    cost: str = "low"
    """low: events of a disk or a connection. medium: thousands a second. high: every system call or dispatch."""

    @property
    def probes(self) -> tuple[str, ...]:
        return self.enter + self.fire


SUNOS: tuple[OS, ...] = ("solaris10", "solaris11", "illumos")
TCP: tuple[OS, ...] = ("solaris11", "illumos", "linux", "freebsd")

_UTS = "curthread->nsproxy->uts_ns"
_PRISON = "curthread->td_ucred->cr_prison"
ZONE: dict[str, str] = {
    "sunos": "zonename",
    # A container has a host name of its own (LXC: its name, Docker: its short id). 0xEFFFFFFE is PROC_UTS_INIT_INO,
    # the machine's own namespace; a thread that is ending has none.
    "linux": f'(curthread->nsproxy == 0 ? "" : {_UTS}->ns.inum == 4026531838 ? "global" : '
    f"stringof({_UTS}->name.nodename))",
    "freebsd": f'({_PRISON}->pr_id == 0 ? "global" : stringof({_PRISON}->pr_name))',
}
"""The thread's zone, container or jail; what is in none is "global" everywhere."""


def _who(os: str) -> dict[str, str]:
    """The thread at the probe."""
    return {"zone": ZONE[os], "pid": "pid", "execname": "execname"}


CPU = {"cpu": "cpu"}
WHEN = {"subsecond": "((walltimestamp % 1000000000) / 1000000)"}
TOOK = {"latency": "(timestamp - {start})"}


def _each(make: Callable[[tuple[OS, ...], Mapping[str, str]], Iterable[Recipe]]) -> list[Recipe]:
    """`make(systems, who)` for each kind of system."""
    return [*make(SUNOS, _who("sunos")), *make(("linux",), _who("linux")), *make(("freebsd",), _who("freebsd"))]


# -- disks -----------------------------------------------------------------------------------------------------


def _disk(
    systems: tuple[OS, ...], who: Mapping[str, str], fields: Mapping[str, str], size: str, only: str = ""
) -> Iterator[Recipe]:
    # Who asked is known where an I/O starts; asynchronous writes are the kernel's own.
    for metric in ("disk_io", "disk_bytes"):
        yield Recipe(
            metric,
            systems,
            fire=("io:::done",),
            enter=("io:::start",),
            key="arg0",
            enter_if=only,
            match=only,
            saves={"start": "timestamp", **who},
            fields={**fields, "size": size, **{name: f"{{{name}}}" for name in who}, **TOOK, **WHEN},
            value=size if metric == "disk_bytes" else "",
        )


_BUF = {
    "device": "args[1]->dev_statname",
    "operation": '(args[0]->b_flags & B_READ ? "read" : "write")',
    "offset": "(args[0]->b_blkno / 2097152)",
}
# FreeBSD's probes have the kernel's own struct bio; those of a devstat that counts something else have none
# (sys/kern/subr_devstat.c: every bio fires twice). 1 is BIO_READ, 2 BIO_WRITE; there are DELETE and FLUSH too.
_BIO = {
    "device": "strjoin(stringof(args[1]->device_name), lltostr(args[1]->unit_number))",
    "operation": '(args[0]->bio_cmd == 1 ? "read" : args[0]->bio_cmd == 2 ? "write" : "other")',
    "offset": "(args[0]->bio_offset / 1073741824)",
}

# -- files -----------------------------------------------------------------------------------------------------


def _fbt(module: str, at: str, functions: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"fbt:{module}:{f}:{at}" for f in functions)


_ZFS_RW = ("zfs_read", "zfs_write")
_ZFS_OPERATION = {"operation": '(probefunc == "zfs_read" ? "read" : "write")'}
_FOPS = (
    "fop_read",
    "fop_write",
    "fop_close",
    "fop_create",
    "fop_remove",
    "fop_rename",
    "fop_lookup",
    "fop_getattr",
    "fop_setattr",
    "fop_readdir",
    "fop_fsync",
)
"""Not fop_open: its first argument is no vnode_t *."""
_FSINFO = (
    "open",
    "close",
    "read",
    "write",
    "create",
    "remove",
    "rename",
    "lookup",
    "getattr",
    "setattr",
    "access",
    "readdir",
    "readlink",
    "mkdir",
    "rmdir",
    "link",
    "symlink",
    "fsync",
    "map",
    "ioctl",
)
"""By name, not ``fsinfo:::``: args[] of a wildcard over names is refused; and rwlock or seek are no operations."""
_LINUX_FILE = ("vfs_read", "vfs_write", "vfs_fsync_range")
"""Those whose first argument is a struct file *."""
_LINUX_FS = "((struct file *)arg0)->f_inode->i_sb->s_type->name"
_LINUX_DEVNAME = (
    "((struct mount *)((char *)((struct file *)arg0)->f_path.mnt - offsetof(struct mount, mnt)))->mnt_devname"
)
"""What is mounted: of ZFS the dataset."""
_LINUX_VFS = (
    "vfs_read",
    "vfs_write",
    "vfs_open",
    "vfs_create",
    "vfs_unlink",
    "vfs_rename",
    "vfs_getattr",
    "vfs_fsync_range",
)
_BSD_VFS = ("vop_read", "vop_write", "vop_open", "vop_lookup", "vop_getattr", "vop_readdir", "vop_fsync", "vop_remove")


def _files() -> Iterator[Recipe]:
    yield Recipe(
        "fs_ops",
        SUNOS,
        fire=tuple(f"fsinfo:::{name}" for name in _FSINFO),
        fields={
            **_who("sunos"),
            "operation": "probename",
            "fstype": '(arg0 == 0 ? "" : args[0]->fi_fs)',
            **WHEN,
        },
        cost="medium",
    )
    ways: tuple[tuple[str, tuple[OS, ...], tuple[str, ...], tuple[str, ...], str], ...] = (
        (
            "sunos",
            SUNOS,
            _fbt("genunix", "entry", _FOPS),
            _fbt("genunix", "return", _FOPS),
            "stringof(args[0]->v_op->vnop_name)",
        ),
        ("linux", ("linux",), _fbt("vmlinux", "entry", _LINUX_VFS), _fbt("vmlinux", "return", _LINUX_VFS), ""),
        (
            "linux",
            ("linux",),
            _fbt("vmlinux", "entry", _LINUX_FILE),
            _fbt("vmlinux", "return", _LINUX_FILE),
            f"stringof({_LINUX_FS})",
        ),
        (
            "freebsd",
            ("freebsd",),
            tuple(f"vfs:vop:{f}:entry" for f in _BSD_VFS),
            tuple(f"vfs:vop:{f}:return" for f in _BSD_VFS),
            '(args[0]->v_mount == 0 ? "" : stringof(args[0]->v_mount->mnt_vfc->vfc_name))',
        ),
    )
    for metric, only in (("fs_ops", ""), ("slow_ops", "(timestamp - {start}) >= 10000000")):
        for os, systems, enter, fire, fstype in ways:
            yield Recipe(
                metric,
                systems,
                enter=enter,
                fire=fire,
                # A lookup may call another file system's (lofs): the outer one counts.
                enter_if="{start} == 0",
                saves={"start": "timestamp", "func": "probefunc", **({"fstype": fstype} if fstype else {})},
                match="{func} == probefunc",
                fire_if=only,
                fields={
                    **_who(os),
                    "operation": "substr(probefunc, 4)",
                    **({"fstype": "{fstype}"} if fstype else {}),
                    **TOOK,
                    **WHEN,
                },
                cost="medium",
            )


def _zfs() -> Iterator[Recipe]:
    enter, fire = _fbt("zfs", "entry", _ZFS_RW), _fbt("zfs", "return", _ZFS_RW)
    for os, systems, size, dataset in (
        (
            "sunos",
            SUNOS,
            "args[1]->uio_resid",
            "stringof((char *)args[0]->v_vfsp->vfs_resource->rs_string)",
        ),
        ("linux", ("linux",), "", ""),
        ("freebsd", ("freebsd",), "", ""),
        # Of OpenZFS from 2.0 (FreeBSD 13): what its module tells of its types decides whether this compiles.
        (
            "freebsd",
            ("freebsd",),
            "args[1]->uio->uio_resid",
            "stringof(args[0]->z_zfsvfs->z_vfs->mnt_stat.f_mntfromname)",
        ),
    ):
        more = {"size": size, "dataset": dataset} if size else {}
        yield Recipe(
            "zfs_io",
            cast(tuple[OS, ...], systems),
            enter=enter,
            fire=fire,
            saves={"start": "timestamp", **more},
            fields={**_who(os), **_ZFS_OPERATION, **{name: f"{{{name}}}" for name in more}, **TOOK, **WHEN},
            cost="medium",
        )
    yield Recipe(
        # The types of a module are not known on Linux, those of the kernel are: what enters ZFS by read or write.
        "zfs_io",
        ("linux",),
        enter=_fbt("vmlinux", "entry", ("vfs_read", "vfs_write")),
        fire=_fbt("vmlinux", "return", ("vfs_read", "vfs_write")),
        enter_if=f'stringof({_LINUX_FS}) == "zfs"',
        saves={"start": "timestamp", "size": "arg2", "dataset": f"stringof({_LINUX_DEVNAME})"},
        match="{start}",
        fields={
            **_who("linux"),
            "operation": "substr(probefunc, 4)",
            "dataset": "{dataset}",
            "size": "{size}",
            **TOOK,
            **WHEN,
        },
        cost="medium",
    )
    commit = ("fbt:zfs:zil_commit:entry",), ("fbt:zfs:zil_commit:return",)
    yield from _each(
        lambda systems, who: [
            Recipe("zil_commits", systems, enter=commit[0], fire=commit[1], fields={**who, **TOOK, **WHEN})
        ]
    )
    for os in ("illumos", "freebsd"):
        yield Recipe(
            "zil_commits",
            (cast(OS, os),),
            enter=commit[0],
            fire=commit[1],
            saves={"start": "timestamp", "dataset": "stringof(args[0]->zl_os->os_dsl_dataset->ds_dir->dd_myname)"},
            fields={**_who("sunos" if os == "illumos" else os), "dataset": "{dataset}", **TOOK, **WHEN},
        )
    # ARC_PREFETCH was 1 << 3; since arc_flags_t (illumos 5163, 2014) ARC_FLAG_PREFETCH is 1 << 2. Type 1 is metadata.
    header = "((arc_buf_hdr_t *)arg0)"
    for os, arc_systems, prefetch in (
        ("sunos", ("solaris10", "solaris11"), 8),
        ("sunos", ("illumos",), 4),
        ("freebsd", ("freebsd",), 4),
    ):
        yield Recipe(
            "arc_access",
            cast(tuple[OS, ...], arc_systems),
            fire=("sdt:zfs::arc-hit", "sdt:zfs::arc-miss"),
            fields={
                **_who(os),
                "result": '(probename == "arc-hit" ? "hit" : "miss")',
                "purpose": f'(({header}->b_flags & {prefetch}) ? "prefetch" : "demand")',
                "contents": f'({header}->b_type == 1 ? "metadata" : "data")',
                **WHEN,
            },
            cost="medium",
        )


# -- threads and processes -------------------------------------------------------------------------------------

_SUNOS_REASON = (
    '(curlwpsinfo->pr_state != SSLEEP ? "preempted" : curlwpsinfo->pr_stype == SOBJ_MUTEX ? "mutex" : '
    'curlwpsinfo->pr_stype == SOBJ_RWLOCK ? "rwlock" : curlwpsinfo->pr_stype == SOBJ_CV ? "condition variable" : '
    'curlwpsinfo->pr_stype == SOBJ_SEMA ? "semaphore" : curlwpsinfo->pr_stype == SOBJ_USER ? "user lock" : '
    'curlwpsinfo->pr_stype == SOBJ_USER_PI ? "user lock" : curlwpsinfo->pr_stype == SOBJ_SHUTTLE ? "door" : "other")'
)
_LINUX_REASON = '(curlwpsinfo->pr_state == SRUN ? "preempted" : curlwpsinfo->pr_state == SSLEEP ? "sleeping" : "other")'


def _threads() -> Iterator[Recipe]:
    for systems, who, reason, thread in (
        (SUNOS, _who("sunos"), {"leave_reason": _SUNOS_REASON}, ("args[0]->pr_addr", "curlwpsinfo->pr_addr")),
        (("linux",), _who("linux"), {"leave_reason": _LINUX_REASON}, ("args[0]->pr_addr", "curlwpsinfo->pr_addr")),
        # FreeBSD's probes have the thread itself.
        (("freebsd",), _who("freebsd"), {}, ("arg0", "(int64_t)curthread")),
    ):
        os = cast(tuple[OS, ...], systems)
        yield Recipe(
            "thread_runs",
            os,
            fire=("sched:::off-cpu",),
            enter=("sched:::on-cpu",),
            fields={**who, **CPU, **reason, "runtime": "(timestamp - {start})", **WHEN},
            cost="high",
        )
        yield Recipe(
            "off_cpu",
            os,
            fire=("sched:::on-cpu",),
            enter=("sched:::off-cpu",),
            enter_if="pid != 0",
            saves={"start": "timestamp", **reason},
            fire_if="pid != 0",
            fields={**who, **{name: f"{{{name}}}" for name in reason}, **TOOK, **WHEN},
            cost="high",
        )
        yield Recipe(
            "run_queue",
            os,
            fire=("sched:::on-cpu",),
            enter=("sched:::enqueue",),
            key=thread,
            fire_if="pid != 0",
            fields={**who, **CPU, **TOOK, **WHEN},
            cost="high",
        )
    yield Recipe(
        # Two probes instead of seven hundred, which DTrace for Linux takes a minute to attach; they know no name.
        "syscalls",
        ("linux",),
        enter=("rawtp:::sys_enter",),
        fire=("rawtp:::sys_exit",),
        enter_if="pid != $pid",
        fire_if="pid != $pid",
        fields={**_who("linux"), **CPU, **TOOK, **WHEN},
        cost="high",
    )
    yield from _each(
        lambda systems, who: [
            Recipe(
                "syscalls",
                systems,
                fire=("syscall:::return",),
                enter=("syscall:::entry",),
                enter_if="pid != $pid",
                fire_if="pid != $pid",
                fields={"syscall": "probefunc", **who, **CPU, **TOOK, **WHEN},
                function="syscall",
                cost="high",
            ),
            Recipe(
                "thread_samples",
                systems,
                fire=("profile:::profile-97",),
                fields={**who, **CPU, "mode": '(arg0 ? "kernel" : "user")', **WHEN},
            ),
            Recipe(
                "process_starts",
                systems,
                fire=("proc:::exec-success",),
                fields={**who, "uid": "uid", **WHEN},
            ),
            Recipe(
                "process_exits",
                systems,
                fire=("proc:::exit",),
                enter=("proc:::exec-success",),
                key="pid",
                fields={
                    **who,
                    "reason": '(args[0] == 1 ? "exited" : args[0] == 2 ? "killed" : "dumped")',
                    "runtime": "(timestamp - {start})",
                    **WHEN,
                },
            ),
        ]
    )


# -- network ---------------------------------------------------------------------------------------------------

_PEER = {
    "remote_address": "args[3]->tcps_raddr",
    "local_port": "args[3]->tcps_lport",
    "remote_port": "args[3]->tcps_rport",
    **WHEN,
}
_DIRECTION = {"direction": '(probename == "send" ? "sent" : "received")'}


def _mib(metric: str, out: tuple[str, ...], in_: tuple[str, ...] = ()) -> Recipe:
    """Solaris 10 has no tcp provider: the kernel's own counters, each increment an event."""
    probes = tuple(f"mib:::{name}" for name in (*out, *in_))
    sent = " || ".join(f'probename == "{name}"' for name in out)
    direction = {"direction": f'({sent} ? "sent" : "received")'} if in_ else {}
    return Recipe(metric, SUNOS, fire=probes, fields={**direction, **WHEN}, value="arg0", cost="medium")


def _network() -> Iterator[Recipe]:
    yield Recipe("tcp_accepts", TCP, fire=("tcp:::accept-established",), fields=_PEER)
    yield Recipe("tcp_connects", TCP, fire=("tcp:::connect-established",), fields=_PEER)
    yield Recipe(
        "tcp_segments",
        TCP,
        fire=("tcp:::send", "tcp:::receive"),
        fields={**_DIRECTION, **_PEER, "size": "args[2]->ip_plength"},
        cost="medium",
    )
    yield Recipe(
        # -1 on FreeBSD where there is no connection.
        "tcp_retransmits",
        TCP,
        fire=("tcp:::send",),
        fire_if="args[3]->tcps_retransmit > 0",
        fields=_PEER,
        cost="medium",
    )
    yield Recipe(
        "tcp_bytes",
        TCP,
        fire=("tcp:::send", "tcp:::receive"),
        fields={**_DIRECTION, **_PEER},
        value="(args[2]->ip_plength - args[4]->tcp_offset)",
        cost="medium",
    )
    yield Recipe(
        "nic_bytes",
        TCP,
        fire=("ip:::send", "ip:::receive"),
        fields={"interface": "args[3]->if_name", **_DIRECTION, **WHEN},
        value="args[2]->ip_plength",
        cost="medium",
    )
    yield _mib("tcp_accepts", ("tcpPassiveOpens",))
    yield _mib("tcp_connects", ("tcpActiveOpens",))
    yield _mib("tcp_segments", ("tcpOutDataSegs",), ("tcpInDataInorderSegs",))
    yield _mib("tcp_retransmits", ("tcpRetransSegs",))
    yield _mib("tcp_bytes", ("tcpOutDataBytes",), ("tcpInDataInorderBytes",))
    yield _mib("nic_bytes", ("ipIfStatsHCOutOctets",), ("ipIfStatsHCInOctets",))


# -- mail ------------------------------------------------------------------------------------------------------


def _mail(systems: tuple[OS, ...], who: Mapping[str, str]) -> Iterator[Recipe]:
    who = {name: code for name, code in who.items() if name != "execname"}
    for metric, daemon, enter_if, match, fields in (
        (
            "imap_commands",
            "imapd",
            "",
            "",
            {"command": 'strtok(substr({line}, index({line}, " ") + 1), " \\r\\n")'},
        ),
        (
            "lmtp_deliveries",
            "lmtpd",
            ' && substr(copyinstr(self->zs_buf, 4), 0, 4) == "DATA"',
            ' && copyinstr(arg1, 3) != "354"',
            {"reply": "copyinstr(arg1, 3)"},
        ),
    ):
        # The daemons of Cyrus talk to their client over descriptors 0 and 1.
        yield Recipe(
            metric,
            systems,
            first=(f'syscall::read:entry /execname == "{daemon}"/ {{ self->zs_buf = arg0 == 0 ? arg1 : 0; }}',),
            enter=("syscall::read:return",),
            enter_if=f"self->zs_buf && (int64_t)arg1 > 4{enter_if}",
            saves={"start": "timestamp", "line": "copyinstr(self->zs_buf, arg1)"},
            fire=("syscall::write:entry",),
            match=f'execname == "{daemon}" && arg0 == 1 && {{start}}{match}',
            fields={**who, **fields, **TOOK, **WHEN},
            cost="medium",
        )
    yield Recipe(
        "nginx_accepts",
        systems,
        fire=("syscall::accept*:return",),
        fire_if='execname == "nginx" && (int64_t)arg1 >= 0',
        fields={**who, **CPU, **WHEN},
    )
    sockaddr = "((unsigned char *)copyin(arg1, 4))"
    yield Recipe(
        "nginx_connects",
        systems,
        fire=("syscall::connect:return",),
        enter=("syscall::connect:entry",),
        enter_if='execname == "nginx"',
        saves={"start": "timestamp", "port": f"({sockaddr}[2] * 256 + {sockaddr}[3])"},
        match="{start}",
        fields={**who, "remote_port": "{port}", **TOOK, **WHEN},
    )


RECIPES: list[Recipe] = [
    *_disk(SUNOS, _who("sunos"), _BUF, "args[0]->b_bcount"),
    *_disk(("linux",), _who("linux"), _BUF, "args[0]->b_bcount"),
    *_disk(("freebsd",), _who("freebsd"), _BIO, "args[0]->bio_bcount", "arg0 != 0"),
    *_files(),
    *_zfs(),
    *_threads(),
    *_network(),
    *_each(_mail),
]
"""In order of preference."""
