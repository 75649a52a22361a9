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
    cost: str = "low"
    """low: events of a disk or a connection. medium: thousands a second. high: every system call or dispatch."""

    @property
    def probes(self) -> tuple[str, ...]:
        return self.enter + self.fire


SUNOS: tuple[OS, ...] = ("solaris10", "solaris11", "illumos")
TCP: tuple[OS, ...] = ("solaris11", "illumos", "linux", "freebsd")

WHO = {"pid": "pid", "execname": "execname"}
"""The thread at the probe. Linux and FreeBSD know no zones."""
ZONE = {"zone": "zonename"}
CPU = {"cpu": "cpu"}
WHEN = {"subsecond": "((walltimestamp % 1000000000) / 1000000)"}
TOOK = {"latency": "(timestamp - {start})"}


def _each(make: Callable[[tuple[OS, ...], Mapping[str, str]], Iterable[Recipe]]) -> list[Recipe]:
    """`make(systems, who)` for systems with zones and for those without."""
    return [*make(SUNOS, {**ZONE, **WHO}), *make(("linux", "freebsd"), WHO)]


# -- disks -----------------------------------------------------------------------------------------------------


def _disk(systems: tuple[OS, ...], who: Mapping[str, str], fields: Mapping[str, str], size: str) -> Iterator[Recipe]:
    # Who asked is known where an I/O starts; asynchronous writes are the kernel's own.
    for metric in ("disk_io", "disk_bytes"):
        yield Recipe(
            metric,
            systems,
            fire=("io:::done",),
            enter=("io:::start",),
            key="arg0",
            saves={"start": "timestamp", **who},
            fields={**fields, "size": size, **{name: f"{{{name}}}" for name in who}, **TOOK, **WHEN},
            value=size if metric == "disk_bytes" else "",
        )


_BUF = {
    "device": "args[1]->dev_statname",
    "operation": '(args[0]->b_flags & B_READ ? "read" : "write")',
    "offset": "(args[0]->b_blkno / 2097152)",
}
_BIO = {
    "device": "strjoin(stringof(args[1]->device_name), lltostr(args[1]->unit_number))",
    "operation": '(args[0]->bio_cmd == BIO_READ ? "read" : "write")',
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
    slow = "(timestamp - {start}) >= 10000000"
    yield Recipe(
        "fs_ops",
        SUNOS,
        fire=("fsinfo:::",),
        fields={**ZONE, **WHO, "operation": "probename", "fstype": "args[0]->fi_fs", **WHEN},
        cost="medium",
    )
    for metric, only in (("fs_ops", ""), ("slow_ops", slow)):
        yield Recipe(
            metric,
            SUNOS,
            enter=_fbt("genunix", "entry", _FOPS),
            fire=_fbt("genunix", "return", _FOPS),
            # A lookup may call another file system's (lofs): the outer one counts.
            enter_if="{start} == 0",
            saves={"start": "timestamp", "fstype": "stringof(args[0]->v_op->vnop_name)", "func": "probefunc"},
            match="{func} == probefunc",
            fire_if=only,
            fields={**ZONE, **WHO, "operation": "substr(probefunc, 4)", "fstype": "{fstype}", **TOOK, **WHEN},
            cost="medium",
        )
        for os, enter, fire in (
            ("linux", _fbt("vmlinux", "entry", _LINUX_VFS), _fbt("vmlinux", "return", _LINUX_VFS)),
            (
                "freebsd",
                tuple(f"vfs:vop:{f}:entry" for f in _BSD_VFS),
                tuple(f"vfs:vop:{f}:return" for f in _BSD_VFS),
            ),
        ):
            yield Recipe(
                metric,
                (cast(OS, os),),
                enter=enter,
                fire=fire,
                enter_if="{start} == 0",
                saves={"start": "timestamp", "func": "probefunc"},
                match="{func} == probefunc",
                fire_if=only,
                fields={**WHO, "operation": "substr(probefunc, 4)", **TOOK, **WHEN},
                cost="medium",
            )


def _zfs() -> Iterator[Recipe]:
    yield Recipe(
        "zfs_io",
        SUNOS,
        enter=_fbt("zfs", "entry", _ZFS_RW),
        fire=_fbt("zfs", "return", _ZFS_RW),
        saves={
            "start": "timestamp",
            "size": "args[1]->uio_resid",
            "dataset": "stringof((char *)args[0]->v_vfsp->vfs_resource->rs_string)",
        },
        fields={**ZONE, **WHO, **_ZFS_OPERATION, "dataset": "{dataset}", **TOOK, "size": "{size}", **WHEN},
        cost="medium",
    )
    yield Recipe(
        "zfs_io",
        ("linux", "freebsd"),
        enter=_fbt("zfs", "entry", _ZFS_RW),
        fire=_fbt("zfs", "return", _ZFS_RW),
        fields={**WHO, **_ZFS_OPERATION, **TOOK, **WHEN},
        cost="medium",
    )
    yield Recipe(
        "zil_commits",
        ("illumos",),
        enter=("fbt:zfs:zil_commit:entry",),
        fire=("fbt:zfs:zil_commit:return",),
        saves={"start": "timestamp", "dataset": "stringof(args[0]->zl_os->os_dsl_dataset->ds_dir->dd_myname)"},
        fields={**ZONE, **WHO, "dataset": "{dataset}", **TOOK, **WHEN},
    )
    yield from _each(
        lambda systems, who: [
            Recipe(
                "zil_commits",
                systems,
                enter=("fbt:zfs:zil_commit:entry",),
                fire=("fbt:zfs:zil_commit:return",),
                fields={**who, **TOOK, **WHEN},
            )
        ]
    )
    header = "((arc_buf_hdr_t *)arg0)"
    for systems, who, prefetch, metadata in (
        (("solaris10", "solaris11"), {**ZONE, **WHO}, f"({header}->b_flags & 8)", f"({header}->b_type == 1)"),
        (
            ("illumos",),
            {**ZONE, **WHO},
            f"({header}->b_flags & ARC_FLAG_PREFETCH)",
            f"({header}->b_flags & ARC_FLAG_BUFC_METADATA)",
        ),
        (
            ("freebsd",),
            WHO,
            f"({header}->b_flags & ARC_FLAG_PREFETCH)",
            f"({header}->b_flags & ARC_FLAG_BUFC_METADATA)",
        ),
    ):
        yield Recipe(
            "arc_access",
            cast(tuple[OS, ...], systems),
            fire=("sdt:zfs::arc-hit", "sdt:zfs::arc-miss"),
            fields={
                **who,
                "result": '(probename == "arc-hit" ? "hit" : "miss")',
                "purpose": f'({prefetch} ? "prefetch" : "demand")',
                "contents": f'({metadata} ? "metadata" : "data")',
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
    for systems, who, reason in (
        (SUNOS, {**ZONE, **WHO}, {"leave_reason": _SUNOS_REASON}),
        (("linux",), WHO, {"leave_reason": _LINUX_REASON}),
        (("freebsd",), WHO, {}),
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
            key=("args[0]->pr_addr", "curlwpsinfo->pr_addr"),
            fire_if="pid != 0",
            fields={**who, **CPU, **TOOK, **WHEN},
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
        "tcp_retransmits", TCP, fire=("tcp:::send",), fire_if="args[3]->tcps_retransmit", fields=_PEER, cost="medium"
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
    *_disk(SUNOS, {**ZONE, **WHO}, _BUF, "args[0]->b_bcount"),
    *_disk(("linux",), WHO, _BUF, "args[0]->b_bcount"),
    *_disk(("freebsd",), WHO, _BIO, "args[0]->bio_bcount"),
    *_files(),
    *_zfs(),
    *_threads(),
    *_network(),
    *_each(_mail),
]
"""In order of preference."""
