"""What D questions other than those of disks are answered with: per metric, how often, which values its fields have,
and how long it takes; and the stacks that a mail store's CPUs are found in. All scaled by what the zones do."""

from __future__ import annotations

from dataclasses import dataclass, field

MAIL = ("mail",)
ANY = ("mail", "imap", "pop", "spam", "web", "dns", "backup")


@dataclass(frozen=True)
class Happening:
    """`per_read`: events per file-system read of a zone. `kinds`: zones where it happens. `values`: for each field
    its values with weights. `median`, `sigma`: of its latency in ns (or other numeric field), log-normal."""

    per_read: float
    kinds: tuple[str, ...] = ANY
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    median: float = 60_000.0
    sigma: float = 1.1


_OPS = {
    "operation": {"read": 0.52, "write": 0.09, "lookup": 0.22, "getattr": 0.14, "readdir": 0.03},
    "fstype": {"zfs": 1.0},
}
_CALLS = {
    "read": 0.24, "write": 0.1, "pollsys": 0.17, "stat64": 0.11, "fcntl": 0.12, "mmap64": 0.06, "munmap": 0.05,
    "open64": 0.06, "close": 0.06, "fdsync": 0.02, "lseek": 0.01,
}  # fmt: skip
_PEERS = {"10.1.4.21": 0.42, "10.1.4.22": 0.38, "10.1.7.9": 0.14, "10.1.9.130": 0.06}
_TCP = {
    "remote_address": _PEERS,
    "local_port": {"143": 0.62, "993": 0.2, "24": 0.12, "110": 0.06},
    "remote_port": {"51022": 0.5, "49811": 0.5},
    "direction": {"sent": 0.6, "received": 0.4},
}
_LEAVE = {"preempted": 0.18, "sleeping on cv": 0.6, "sleeping on I/O": 0.22}

HAPPENINGS: dict[str, Happening] = {
    "zfs_io": Happening(0.36, values={"operation": {"read": 0.85, "write": 0.15}}, median=38_000, sigma=1.5),
    "fs_ops": Happening(1.0, values=_OPS, median=21_000, sigma=1.4),
    "slow_ops": Happening(0.012, values=_OPS, median=16_000_000, sigma=0.6),
    "arc_access": Happening(
        1.02,
        values={
            "result": {"hit": 0.975, "miss": 0.025},
            "purpose": {"demand": 0.95, "prefetch": 0.05},
            "contents": {"metadata": 0.63, "data": 0.37},
        },
    ),
    "zil_commits": Happening(0.012, MAIL, median=700_000, sigma=0.6),
    "syscalls": Happening(5.2, values={"syscall": _CALLS}, median=9_000, sigma=1.8),
    "thread_runs": Happening(1.4, values={"leave_reason": _LEAVE}, median=120_000, sigma=1.2),
    "run_queue": Happening(1.4, median=14_000, sigma=1.4),
    "off_cpu": Happening(1.4, values={"leave_reason": _LEAVE}, median=2_400_000, sigma=1.7),
    "thread_samples": Happening(0.04, values={"mode": {"user": 0.66, "kernel": 0.34}}),
    "process_starts": Happening(0.0012),
    "process_exits": Happening(0.0012, values={"reason": {"exited": 0.98, "killed": 0.02}}, median=4e9, sigma=1.5),
    "tcp_accepts": Happening(0.004, values=_TCP),
    "tcp_connects": Happening(0.002, values=_TCP),
    "tcp_segments": Happening(1.6, values=_TCP, median=620, sigma=0.7),
    "tcp_retransmits": Happening(0.001, values=_TCP),
    "tcp_bytes": Happening(3_500.0, values=_TCP),
    "nic_bytes": Happening(
        3_600.0, values={"interface": {"e1000g0": 1.0}, "direction": {"sent": 0.8, "received": 0.2}}
    ),
    "imap_commands": Happening(
        0.03,
        MAIL,
        {
            "command": {
                "FETCH": 0.42,
                "UID": 0.21,
                "NOOP": 0.14,
                "SELECT": 0.09,
                "IDLE": 0.08,
                "SEARCH": 0.04,
                "STORE": 0.02,
            }
        },
        5_500_000,
        1.3,
    ),
    "lmtp_deliveries": Happening(0.002, MAIL, {"reply": {"250": 0.97, "452": 0.01, "550": 0.02}}, 42_000_000, 0.8),
    "nginx_accepts": Happening(0.03, ("web",)),
    "nginx_connects": Happening(0.03, ("web",), {"remote_port": {"143": 0.8, "993": 0.2}}, 480_000, 0.7),
}
"""Metrics that are counted in zones; disk I/O comes from the disks themselves."""

KERNEL_STACKS: tuple[tuple[str, str, float], ...] = (
    (
        "imapd",
        "unix`bcopy zfs`dmu_read zfs`zfs_getpage genunix`fop_getpage genunix`segvn_fault genunix`as_fault "
        "unix`pagefault unix`trap",
        0.15,
    ),
    (
        "imapd",
        "zfs`arc_read zfs`dbuf_read zfs`dmu_buf_hold_array_by_dnode zfs`dmu_read_uio zfs`zfs_read "
        "genunix`fop_read genunix`read unix`sys_syscall32",
        0.13,
    ),
    (
        "imapd",
        "ip`tcp_wput sockfs`sostream_direct sockfs`sotpi_sendmsg genunix`write unix`sys_syscall32",
        0.08,
    ),
    (
        "imapd",
        "unix`mutex_enter genunix`poll_common genunix`pollsys unix`sys_syscall32",
        0.07,
    ),
    (
        "imapd",
        "zfs`zap_lookup zfs`zfs_dirlook zfs`zfs_lookup genunix`fop_lookup genunix`lookuppnvp genunix`cstatat "
        "genunix`stat64_32 unix`sys_syscall32",
        0.06,
    ),
    (
        "lmtpd",
        "unix`bcopy zfs`zil_lwb_commit zfs`zil_commit zfs`zfs_fsync genunix`fop_fsync genunix`fdsync "
        "unix`sys_syscall32",
        0.11,
    ),
    (
        "lmtpd",
        "zfs`dmu_tx_assign zfs`zfs_write genunix`fop_write genunix`write unix`sys_syscall32",
        0.06,
    ),
    (
        "cyr_expire",
        "zfs`zfs_remove genunix`fop_remove genunix`unlink unix`sys_syscall32",
        0.05,
    ),
    (
        "pop3d",
        "zfs`zfs_read genunix`fop_read genunix`read unix`sys_syscall32",
        0.03,
    ),
    (
        "sched",
        "zfs`fletcher_4_native zfs`zio_checksum_compute zfs`zio_checksum_generate zfs`zio_execute "
        "genunix`taskq_thread unix`thread_start",
        0.09,
    ),
    (
        "sched",
        "zfs`vdev_raidz_generate_parity_pq zfs`vdev_raidz_io_start zfs`zio_vdev_io_start zfs`zio_execute "
        "genunix`taskq_thread unix`thread_start",
        0.11,
    ),
    (
        "sched",
        "sd`sdintr scsi_vhci`vhci_intr genunix`taskq_thread unix`thread_start",
        0.04,
    ),
    (
        "nginx",
        "ip`tcp_rput_data ip`squeue_enter sockfs`sorecvmsg genunix`read unix`sys_syscall32",
        0.02,
    ),
)
"""(executable, frames from the innermost outwards, share)."""

USER_STACKS: tuple[tuple[str, str, float], ...] = (
    (
        "imapd",
        "libz.so.1`deflate imapd`prot_write imapd`index_fetchreply imapd`index_fetch imapd`cmd_fetch "
        "imapd`cmdloop imapd`service_main imapd`main imapd`_start",
        0.14,
    ),
    (
        "imapd",
        "libc.so.1`memcpy imapd`mailbox_map_message imapd`index_fetchreply imapd`index_fetch imapd`cmd_fetch "
        "imapd`cmdloop imapd`service_main imapd`main imapd`_start",
        0.16,
    ),
    (
        "imapd",
        "libc.so.1`pollsys imapd`idle_poll imapd`cmd_idle imapd`cmdloop imapd`service_main imapd`main imapd`_start",
        0.09,
    ),
    (
        "imapd",
        "imapd`charset_search imapd`index_evaluate imapd`index_search imapd`cmd_search imapd`cmdloop "
        "imapd`service_main imapd`main imapd`_start",
        0.17,
    ),
    (
        "imapd",
        "imapd`seen_lockread imapd`index_check imapd`cmd_select imapd`cmdloop imapd`service_main imapd`main "
        "imapd`_start",
        0.06,
    ),
    (
        "lmtpd",
        "lmtpd`sieve_run lmtpd`deliver lmtpd`lmtpmode lmtpd`service_main lmtpd`main lmtpd`_start",
        0.09,
    ),
    (
        "lmtpd",
        "lmtpd`append_fromstage lmtpd`deliver_mailbox lmtpd`deliver lmtpd`lmtpmode lmtpd`service_main "
        "lmtpd`main lmtpd`_start",
        0.12,
    ),
    (
        "cyr_expire",
        "cyr_expire`mailbox_expunge cyr_expire`expire cyr_expire`main cyr_expire`_start",
        0.05,
    ),
    (
        "pop3d",
        "pop3d`retr pop3d`cmdloop pop3d`service_main pop3d`main pop3d`_start",
        0.05,
    ),
    (
        "nginx",
        "nginx`ngx_mail_proxy_handler nginx`ngx_process_events_and_timers nginx`main nginx`_start",
        0.04,
    ),
    (
        "spamd",
        "libperl.so`S_regmatch libperl.so`Perl_runops_standard libperl.so`perl_run spamd`main spamd`_start",
        0.03,
    ),
)

OFFCPU_STACKS: tuple[tuple[str, str, float], ...] = (
    (
        "imapd",
        "unix`swtch genunix`cv_timedwait_sig genunix`cv_waituntil_sig genunix`poll_common genunix`pollsys "
        "unix`sys_syscall32",
        0.55,
    ),
    (
        "imapd",
        "unix`swtch genunix`cv_wait zfs`zio_wait zfs`dbuf_read zfs`dmu_buf_hold_array_by_dnode zfs`zfs_read "
        "genunix`read unix`sys_syscall32",
        0.16,
    ),
    (
        "lmtpd",
        "unix`swtch genunix`cv_wait zfs`zil_commit zfs`zfs_fsync genunix`fop_fsync genunix`fdsync unix`sys_syscall32",
        0.09,
    ),
    (
        "sched",
        "unix`swtch genunix`cv_wait genunix`taskq_thread unix`thread_start",
        0.2,
    ),
)

SCRIPTS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "oncpu_kernel": KERNEL_STACKS,
    "oncpu_user": USER_STACKS,
    "offcpu": OFFCPU_STACKS,
}
