"""The library of metrics: what can be asked of a host, with fields, types and units. Documented in docs/dtrace.md.

The D side of each (probes per system, expressions) is `collectors.dtrace.recipes`; a test holds the two together.
"""

from __future__ import annotations

from frames import questions
from frames.questions import Field, Metric, Question


def _text(name: str, meaning: str) -> Field:
    return Field(name, "discrete", meaning)


def _int(name: str, meaning: str) -> Field:
    return Field(name, "discrete", meaning, type="int")


def _number(name: str, unit: str, meaning: str, bounds: str = "log2:4") -> Field:
    return Field(name, "numeric", meaning, unit=unit, bounds=bounds)


ZONE = _text("zone", "zone, jail or container; global for what is in none")
PID = _int("pid", "process id")
EXECNAME = _text("execname", "name of the executable")
CPU = _int("cpu", "CPU number")
LATENCY = _number("latency", "ns", "from start to end")
SUBSECOND = _number("subsecond", "ms", "milliseconds into the second when it happened", "lquantize:0:1000:20")
DEVICE = _text("device", "disk, by the kernel's name or, where known, by c#t#d#")
_WHO = (ZONE, PID, EXECNAME)
_DISK = (
    DEVICE,
    _text("operation", "read or write"),
    *_WHO,
    LATENCY,
    _number("size", "B", "bytes asked for"),
    _number("offset", "GiB", "place on the device", "lquantize:0:8192:64"),
    SUBSECOND,
)
_FILE = (
    *_WHO,
    _text("operation", "read, write, lookup, getattr, …"),
    _text("fstype", "type of the file system: zfs, ufs, nfs4, …"),
    LATENCY,
    SUBSECOND,
)
_TCP = (
    _text("remote_address", "address of the peer"),
    _int("local_port", "port on this host"),
    _int("remote_port", "port of the peer"),
    SUBSECOND,
)
_DIRECTION = _text("direction", "sent or received")
REASON = _text("leave_reason", "why it left the CPU: preempted, or what it sleeps on")

_ALL = [
    Metric("disk_io", "disk I/O", "a disk I/O completes", _DISK),
    Metric("disk_bytes", "bytes of disk I/O", "a disk I/O completes, counted by its bytes", _DISK, unit="B"),
    Metric(
        "zfs_io",
        "ZFS reads and writes",
        "a read or write of a file on ZFS returns (logical: the ARC may have served it)",
        (
            *_WHO,
            _text("operation", "read or write"),
            _text("dataset", "dataset, as the file system is mounted from"),
            LATENCY,
            _number("size", "B", "bytes asked for"),
            SUBSECOND,
        ),
    ),
    Metric("fs_ops", "file-system operations", "an operation on a file system returns", _FILE),
    Metric("slow_ops", "file-system operations of 10 ms and more", "as fs_ops, the slow ones only", _FILE),
    Metric(
        "arc_access",
        "ARC accesses",
        "a block is looked for in the ARC",
        (
            *_WHO,
            _text("result", "hit or miss"),
            _text("purpose", "demand or prefetch"),
            _text("contents", "data or metadata"),
            SUBSECOND,
        ),
    ),
    Metric(
        "zil_commits",
        "ZIL commits",
        "a synchronous write has reached the log",
        (*_WHO, _text("dataset", "last part of the dataset's name"), LATENCY, SUBSECOND),
    ),
    Metric(
        "syscalls",
        "system calls",
        "a system call returns",
        (_text("syscall", "its name"), *_WHO, CPU, LATENCY, SUBSECOND),
    ),
    Metric(
        "thread_runs",
        "thread executions",
        "a thread leaves a CPU",
        (*_WHO, CPU, REASON, _number("runtime", "ns", "time on the CPU"), SUBSECOND),
    ),
    Metric(
        "thread_samples",
        "samples of running threads",
        "97 times a second on each CPU that does not idle: what runs there",
        (*_WHO, CPU, _text("mode", "kernel or user"), SUBSECOND),
    ),
    Metric(
        "run_queue",
        "waits for a CPU",
        "a runnable thread gets a CPU",
        (*_WHO, CPU, _number("latency", "ns", "time in the run queue"), SUBSECOND),
    ),
    Metric(
        "off_cpu",
        "times off CPU",
        "a thread gets a CPU again",
        (*_WHO, REASON, _number("latency", "ns", "time since it left"), SUBSECOND),
    ),
    Metric("process_starts", "process starts", "an exec succeeds", (*_WHO, _int("uid", "user id"), SUBSECOND)),
    Metric(
        "process_exits",
        "process exits",
        "a process ends",
        (
            *_WHO,
            _text("reason", "exited, killed or dumped"),
            _number("runtime", "ns", "time since its exec"),
            SUBSECOND,
        ),
    ),
    Metric("tcp_accepts", "TCP accepts", "a connection from a peer is established", _TCP),
    Metric("tcp_connects", "TCP connects", "a connection to a peer is established", _TCP),
    Metric(
        "tcp_segments",
        "TCP segments",
        "a segment is sent or received",
        (_DIRECTION, *_TCP, _number("size", "B", "bytes of the IP payload")),
    ),
    Metric("tcp_retransmits", "TCP retransmits", "a segment is sent again", _TCP),
    Metric("tcp_bytes", "bytes of TCP", "payload sent or received", (_DIRECTION, *_TCP), unit="B"),
    Metric(
        "nic_bytes",
        "bytes of network interfaces",
        "an IP packet is sent or received, counted by its payload",
        (_text("interface", "interface"), _DIRECTION, SUBSECOND),
        unit="B",
    ),
    Metric(
        "imap_commands",
        "IMAP commands",
        "Cyrus imapd answers a command that it read in clear",
        (ZONE, PID, _text("command", "FETCH, UID FETCH, …; other: none of IMAP's"), LATENCY, SUBSECOND),
    ),
    Metric(
        "lmtp_deliveries",
        "LMTP deliveries",
        "Cyrus lmtpd answers the end of a message",
        (ZONE, PID, _text("reply", "first reply code: 250, 452, 550, …"), LATENCY, SUBSECOND),
    ),
    Metric("nginx_accepts", "nginx accepts", "nginx accepts a client", (ZONE, PID, CPU, SUBSECOND)),
    Metric(
        "nginx_connects",
        "nginx backend connects",
        "nginx calls connect() towards a backend",
        (ZONE, PID, _int("remote_port", "port of the backend"), LATENCY, SUBSECOND),
    ),
]

METRICS: dict[str, Metric] = {m.name: m for m in _ALL}


def question(text: str) -> Question:
    """The question with the id `text`. Raises QuestionError."""
    return questions.parse(text, METRICS)
