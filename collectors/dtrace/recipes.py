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
    events. `first`: clauses in plain D that come before the one of `enter`, wherever that is needed or there is none.
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
        return self.enter + self.fire + tuple(clause.partition(" ")[0] for clause in self.first)


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


BUSY: dict[str, str] = {
    "sunos": "curthread->t_pri != -1",
    "linux": "pid != 0",
    # TDF_IDLETD (sys/proc.h)
    "freebsd": "(curthread->td_flags & 0x20) == 0",
}
"""The thread is not one that runs while a CPU has nothing to do."""


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
# FreeBSD's probes have the kernel's own struct bio, and none at the first of the two times that each fires
# (sys/kern/subr_devstat.c). 1 is BIO_READ, 2 BIO_WRITE; there are DELETE and FLUSH too.
_BIO = {
    "device": "strjoin(stringof(args[1]->device_name), lltostr(args[1]->unit_number))",
    "operation": '(args[0]->bio_cmd == 1 ? "read" : args[0]->bio_cmd == 2 ? "write" : "other")',
    "offset": "(args[0]->bio_offset / 1073741824)",
}
_BIO_OF_A_DISK = "arg0 != 0 && args[1]->unit_number >= 0"
"""GEOM counts the same I/O again for each of its providers: a devstat without a name, of unit -1."""

# -- files -----------------------------------------------------------------------------------------------------


def _fbt(module: str, at: str, functions: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"fbt:{module}:{f}:{at}" for f in functions)


_ZFS_RW = ("zfs_read", "zfs_write")
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
    "((struct mount *)((char *)((struct kiocb *)arg0)->ki_filp->f_path.mnt - offsetof(struct mount, mnt)))->mnt_devname"
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
_BSD_FS = '(args[0]->v_mount == 0 ? "" : stringof(args[0]->v_mount->mnt_vfc->vfc_name))'
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
            _BSD_FS,
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
    # What enters ZFS as a file's read or write: on FreeBSD whatever its release calls its functions, on Linux from
    # every system call and from nfsd (module/os/linux/zfs/zpl_file.c), with the kernel's own types.
    bsd, zpl = ("vop_read", "vop_write"), ("zpl_iter_read", "zpl_iter_write")
    for os, systems, enter, fire, only, operation, more in (
        (
            "sunos",
            SUNOS,
            _fbt("zfs", "entry", _ZFS_RW),
            _fbt("zfs", "return", _ZFS_RW),
            "",
            "substr(probefunc, 4)",
            {
                "size": "args[1]->uio_resid",
                "dataset": "stringof((char *)args[0]->v_vfsp->vfs_resource->rs_string)",
            },
        ),
        (
            "linux",
            ("linux",),
            _fbt("zfs", "entry", zpl),
            _fbt("zfs", "return", zpl),
            "",
            "substr(probefunc, 9)",
            {"size": "((struct iov_iter *)arg1)->count", "dataset": f"stringof({_LINUX_DEVNAME})"},
        ),
        (
            "linux",
            ("linux",),
            _fbt("zfs", "entry", _ZFS_RW),
            _fbt("zfs", "return", _ZFS_RW),
            "",
            "substr(probefunc, 4)",
            {},
        ),
        (
            "freebsd",
            ("freebsd",),
            tuple(f"vfs:vop:{f}:entry" for f in bsd),
            tuple(f"vfs:vop:{f}:return" for f in bsd),
            f'{_BSD_FS} == "zfs"',
            "substr(probefunc, 4)",
            {
                "size": "args[1]->a_uio->uio_resid",
                "dataset": "stringof(args[0]->v_mount->mnt_stat.f_mntfromname)",
            },
        ),
    ):
        yield Recipe(
            "zfs_io",
            cast(tuple[OS, ...], systems),
            enter=enter,
            fire=fire,
            enter_if=only,
            saves={"start": "timestamp", **more},
            match="{start}" if only else "",
            fields={**_who(os), "operation": operation, **{name: f"{{{name}}}" for name in more}, **TOOK, **WHEN},
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
    yield from _arc()


def _arc() -> Iterator[Recipe]:
    # Of OpenZFS and of illumos since the end of 2014 (uts/common/fs/zfs/sys/arc.h; its header has a b_l1hdr, the one
    # before had not): 1 << 2 is a prefetch, type 2 is metadata. Before, as in Solaris 10: 1 << 3, type 1.
    header = "((arc_buf_hdr_t *)arg0)"
    who = {"sunos": _who("sunos"), "freebsd": _who("freebsd")}
    result = {"result": '(probename == "arc-miss" ? "miss" : "hit")'}
    new, old = f"(sizeof ({header}->b_l1hdr) > 0 && ({header}->b_flags & 4))", f"({header}->b_flags & 8)"
    new_type, old_type = f"(sizeof ({header}->b_l1hdr) > 0 && {header}->b_type == 2)", f"({header}->b_type == 1)"
    # Solaris 11 (2011): a hit is told of the buffer, with flags of its own, a miss of the block pointer; a read that
    # nobody is called back for is a prefetch.
    flags = "((arc_buf_t *)arg0)->b_id.h_flags"
    pointer = _metadata("*(uint64_t *)(arg0 + 48)")
    for os, systems, first, prefetch, metadata in (
        ("sunos", ("illumos",), (), new, new_type),
        ("freebsd", ("freebsd",), (), new, new_type),
        ("sunos", ("solaris10", "illumos"), (), old, old_type),
        (
            "sunos",
            ("solaris11",),
            ("fbt:zfs:arc_read:entry { self->zs_done = arg4; }", "fbt:zfs:arc_read:return { self->zs_done = 0; }"),
            f'(probename == "arc-miss" ? self->zs_done == 0 : ({flags} & 8) != 0)',
            f'(probename == "arc-miss" ? {pointer} : ({flags} & 1) != 0)',
        ),
    ):
        yield Recipe(
            "arc_access",
            cast(tuple[OS, ...], systems),
            # The module is empty on FreeBSD. A hit of what is being read is an arc-iohit since OpenZFS 2.2.
            fire=("sdt:::arc-*hit", "sdt:::arc-miss"),
            first=first,
            fields={
                **who[os],
                **result,
                "purpose": f'({prefetch} ? "prefetch" : "demand")',
                "contents": f'({metadata} ? "metadata" : "data")',
                **WHEN,
            },
            cost="medium",
        )
    # Linux has no such probes. What arc_read() (OpenZFS since 0.7) is given tells the rest: the block pointer, whose
    # layout is that on disk (embedded data, bit 39, is no access of the ARC's), and the caller's flags. It misses where
    # it begins to read. A hit may call another arc_read() from within: hence the depth.
    yield Recipe(
        "arc_access",
        ("linux",),
        first=(
            "fbt:zfs:arc_read:entry { self->zs_depth++; }",
            "fbt:zfs:arc_read:return /self->zs_depth > 0/ { self->zs_depth--; }",
            "fbt:zfs:zio_read:entry /self->zs_depth > 0/ { {missed} = 1; }",
        ),
        enter=("fbt:zfs:arc_read:entry",),
        fire=("fbt:zfs:arc_read:return",),
        key=("tid, self->zs_depth", "tid, self->zs_depth + 1"),
        saves={
            "start": "timestamp",
            "missed": "0",
            "prop": "*(uint64_t *)(arg2 + 48)",
            "flags": "*(uint32_t *)arg7",
        },
        fire_if="(({prop} >> 39) & 1) == 0",
        fields={
            **_who("linux"),
            "result": '({missed} ? "miss" : "hit")',
            "purpose": '(({flags} & 4) ? "prefetch" : "demand")',
            "contents": f'({_metadata("{prop}")} ? "metadata" : "data")',
            **WHEN,
        },
        cost="medium",
    )


def _metadata(prop: str) -> str:
    """Whether the block of a pointer with that blk_prop is metadata (spa.h): of a level above 0, or of no file (type
    19) nor volume (23)."""
    return f"(({prop} >> 56) & 31) != 0 || ((({prop} >> 48) & 255) != 19 && (({prop} >> 48) & 255) != 23)"


# -- threads and processes -------------------------------------------------------------------------------------

_SUNOS_REASON = (
    '(curlwpsinfo->pr_state != SSLEEP ? "preempted" : curlwpsinfo->pr_stype == SOBJ_MUTEX ? "mutex" : '
    'curlwpsinfo->pr_stype == SOBJ_RWLOCK ? "rwlock" : curlwpsinfo->pr_stype == SOBJ_CV ? "condition variable" : '
    'curlwpsinfo->pr_stype == SOBJ_SEMA ? "semaphore" : curlwpsinfo->pr_stype == SOBJ_USER ? "user lock" : '
    'curlwpsinfo->pr_stype == SOBJ_USER_PI ? "user lock" : curlwpsinfo->pr_stype == SOBJ_SHUTTLE ? "door" : "other")'
)
_LINUX_REASON = '(curlwpsinfo->pr_state == SRUN ? "preempted" : curlwpsinfo->pr_state == SSLEEP ? "sleeping" : "other")'


# td_wmesg is what it sleeps on, td_lockname the lock that it waits for; neither where it was made to leave.
_BSD_REASON = (
    "(curthread->td_wmesg != 0 ? stringof(curthread->td_wmesg) : curthread->td_lockname != 0 ? "
    'stringof(curthread->td_lockname) : "preempted")'
)


def _threads() -> Iterator[Recipe]:
    for systems, name, why, thread in (
        (SUNOS, "sunos", _SUNOS_REASON, ("args[0]->pr_addr", "curlwpsinfo->pr_addr")),
        (("linux",), "linux", _LINUX_REASON, ("args[0]->pr_addr", "curlwpsinfo->pr_addr")),
        # FreeBSD's probes have the thread itself.
        (("freebsd",), "freebsd", _BSD_REASON, ("arg0", "(int64_t)curthread")),
    ):
        os, who, reason = cast(tuple[OS, ...], systems), _who(name), {"leave_reason": why}
        yield Recipe(
            "thread_runs",
            os,
            fire=("sched:::off-cpu",),
            enter=("sched:::on-cpu",),
            fire_if=BUSY[name],
            fields={**who, **CPU, **reason, "runtime": "(timestamp - {start})", **WHEN},
            cost="high",
        )
        asleep = "pid != 0" if name != "freebsd" else f"pid != 0 && {BUSY[name]}"
        yield Recipe(
            "off_cpu",
            os,
            fire=("sched:::on-cpu",),
            enter=("sched:::off-cpu",),
            enter_if=asleep,
            saves={"start": "timestamp", **reason},
            fire_if=asleep,
            fields={**who, "leave_reason": "{leave_reason}", **TOOK, **WHEN},
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
            "thread_samples",
            os,
            fire=("profile:::profile-97",),
            fire_if=BUSY[name],
            fields={**who, **CPU, "mode": '(arg0 ? "kernel" : "user")', **WHEN},
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


def _peer(address: str = "args[3]->tcps_raddr") -> dict[str, str]:
    return {
        "remote_address": address,
        "local_port": "args[3]->tcps_lport",
        "remote_port": "args[3]->tcps_rport",
        **WHEN,
    }


_MAPPED = '(substr(args[3]->tcps_raddr, 0, 7) == "::ffff:" ? substr(args[3]->tcps_raddr, 7) : args[3]->tcps_raddr)'
"""Solaris and illumos print every address as one of IPv6."""
_DIRECTION = {"direction": '(probename == "send" ? "sent" : "received")'}


def _mib(metric: str, out: tuple[str, ...], in_: tuple[str, ...] = ()) -> Recipe:
    """Solaris 10 has no tcp provider: the kernel's own counters, each increment an event."""
    probes = tuple(f"mib:::{name}" for name in (*out, *in_))
    sent = " || ".join(f'probename == "{name}"' for name in out)
    direction = {"direction": f'({sent} ? "sent" : "received")'} if in_ else {}
    return Recipe(metric, SUNOS, fire=probes, fields={**direction, **WHEN}, value="arg0", cost="medium")


def _network() -> Iterator[Recipe]:
    plain = "args[4]->tcp_offset"
    # FreeBSD's tcp_offset is that of the header's words shifted the wrong way: the header's own byte.
    raw = "((*((uint8_t *)args[4]->tcp_hdr + 12) & 0xf0) >> 2)"
    for systems, peer, header in (
        (("solaris11", "illumos"), _peer(_MAPPED), plain),
        (("linux",), _peer(), plain),
        (("freebsd",), _peer(), raw),
    ):
        os = cast(tuple[OS, ...], systems)
        yield Recipe("tcp_accepts", os, fire=("tcp:::accept-established",), fields=peer)
        yield Recipe("tcp_connects", os, fire=("tcp:::connect-established",), fields=peer)
        yield Recipe(
            "tcp_segments",
            os,
            fire=("tcp:::send", "tcp:::receive"),
            fields={**_DIRECTION, **peer, "size": "args[2]->ip_plength"},
            cost="medium",
        )
        yield Recipe(
            # -1 on FreeBSD where there is no connection.
            "tcp_retransmits",
            os,
            fire=("tcp:::send",),
            fire_if="args[3]->tcps_retransmit > 0",
            fields=peer,
            cost="medium",
        )
        yield Recipe(
            "tcp_bytes",
            os,
            fire=("tcp:::send", "tcp:::receive"),
            fire_if=f"args[2]->ip_plength > {header}",
            fields={**_DIRECTION, **peer},
            value=f"(args[2]->ip_plength - {header})",
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


def _said(address: str, n: int) -> str:
    """The `n` characters at an address of the process: of as many as it is asked for copyinstr() gives one less under
    Linux, and all of them elsewhere."""
    return f"substr(copyinstr({address}, {n + 1}), 0, {n})"


def _mail(systems: tuple[OS, ...], who: Mapping[str, str]) -> Iterator[Recipe]:
    who = {name: code for name, code in who.items() if name != "execname"}
    # What no command is so long as is none of IMAP's, and may be somebody's mail.
    word = '(strlen({word}) > 16 ? "other" : {word})'
    of_uid = '({word} == "UID" || {word} == "uid")'
    # The last lines of what is written.
    tail = "copyinstr(arg1 + (arg2 > 200 ? arg2 - 200 : 0), (arg2 > 200 ? 200 : arg2) + 1)"
    for metric, daemon, enter_if, saves, match, fields in (
        (
            # From the command to the first answer that does not ask the client to go on with it.
            "imap_commands",
            "imapd",
            " && (int64_t)arg1 > 4 && {start} == 0",
            {
                # In two steps: a string of the process's may be in one call only, under Linux.
                "line": 'strjoin(copyinstr(self->zs_buf, arg1), " -")',
                "word": 'strtok(substr({line}, index({line}, " ") + 1), " \\r\\n")',
                "second": 'strtok(NULL, " \\r\\n")',
                "command": f'({of_uid} ? strjoin("UID ", {{second}}) : {word})',
            },
            f'{_said("arg1", 2)} != "+ "',
            {"command": "{command}"},
        ),
        (
            # From DATA, which clients send behind all recipients in one packet, to the first reply after that of DATA.
            "lmtp_deliveries",
            "lmtpd",
            f' && (int64_t)arg1 >= 6 && {_said("self->zs_buf + arg1 - 6", 4)} == "DATA"',
            {},
            f'strstr(strjoin("\\n", {tail}), "\\n354") == NULL',
            {"reply": _said("arg1", 3)},
        ),
    ):
        # The daemons of Cyrus talk to their client over descriptors 0 and 1.
        yield Recipe(
            metric,
            systems,
            first=(f'syscall::read:entry /execname == "{daemon}"/ {{ self->zs_buf = arg0 == 0 ? arg1 : 0; }}',),
            enter=("syscall::read:return",),
            enter_if=f"self->zs_buf{enter_if}",
            saves={"start": "timestamp", **saves},
            fire=("syscall::write:entry",),
            match=f'execname == "{daemon}" && arg0 == 1 && {{start}} && {match}',
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
    # The family is its first two bytes, on FreeBSD the second: 1 is a socket of this host, which has no port.
    family = f"{sockaddr}[1]" if "freebsd" in systems else f"({sockaddr}[0] + {sockaddr}[1])"
    yield Recipe(
        "nginx_connects",
        systems,
        fire=("syscall::connect:return",),
        enter=("syscall::connect:entry",),
        enter_if='execname == "nginx"',
        saves={"start": "timestamp", "port": f"({family} == 1 ? 0 : {sockaddr}[2] * 256 + {sockaddr}[3])"},
        match="{start}",
        fields={**who, "remote_port": "{port}", **TOOK, **WHEN},
    )


RECIPES: list[Recipe] = [
    *_disk(SUNOS, _who("sunos"), _BUF, "args[0]->b_bcount"),
    *_disk(("linux",), _who("linux"), _BUF, "args[0]->b_bcount"),
    *_disk(("freebsd",), _who("freebsd"), _BIO, "args[0]->bio_bcount", _BIO_OF_A_DISK),
    *_files(),
    *_zfs(),
    *_threads(),
    *_network(),
    *_each(_mail),
]
"""In order of preference."""
