"""Containers on Linux: what each control group uses, beside its limits, from files alone.

One grep a tick prints `path:line` of every file that matters; the shell's patterns find containers that came and
went. Both hierarchies are read, v2 and v1 (cgroups(7), Documentation/admin-guide/cgroup-v2.rst): a group is known
by its path below the hierarchy's mount and, in v1, below its controller.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf, nan

from collectors.base import Batch, Context
from collectors.rates import Rates, events
from collectors.reports import Reports
from collectors.zones.states import State, States
from frames.schemas import ZONE_IO, ZONE_USAGE

GROUPS = (
    "lxc.payload.*",
    "lxc.payload/*",
    "lxc/*",
    "lxc/*/ns",
    "docker/*",
    "machine.slice/*.scope",
    "machine.slice/*.service",
    "system.slice/docker-*.scope",
    "system.slice/nerdctl-*.scope",
    "user.slice/*/*/*/libpod-*.scope",
    "user.slice/*/*/*/*/libpod-*.scope",
    "kubepods.slice/*/*.scope",
    "kubepods.slice/*/*/*.scope",
    "qemu.slice/*.scope",
)
"""Where LXC, Docker, Podman, libvirt, systemd-nspawn, Kubernetes and Proxmox put their containers and guests."""
NO_CONTAINER = re.compile(r"libpod-conmon-|crio-conmon-")
"""Groups of the processes that watch over a container."""
V2 = (
    "cpu.stat",
    "cpu.max",
    "cpu.weight",
    "memory.current",
    "memory.max",
    "memory.stat",
    "memory.events",
    "memory.swap.current",
    "memory.swap.max",
    "pids.current",
    "io.stat",
)
V1 = (
    "cpuacct.usage_user",
    "cpuacct.usage_sys",
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "cpu.shares",
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.memsw.usage_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.failcnt",
    "blkio.throttle.io_service_bytes",
    "blkio.throttle.io_serviced",
)
WANTED = (
    r"^[0-9]+$|^max|^-1$|^[0-9]+ [0-9]+$|^[0-9]+\.[0-9]+ |^usage_usec|^user_usec|^system_usec|^nr_periods|^nr_throttled"
    r"|^inactive_file|^total_inactive_file|^oom |^[0-9]+:[0-9]+ |^Total"
)
UPTIME = re.compile(r"[0-9]{1,12}\.[0-9]{1,9} ")
CONTROLLERS = frozenset(["cpu", "cpuacct", "cpu,cpuacct", "memory", "blkio", "pids", "unified", "systemd"])
FILES = "|".join(re.escape(f) for f in (*V2, *V1, "uptime"))
LINE = re.compile(rf"^(.*?)/({FILES}):(.*)$")
ID = re.compile(r"(docker|libpod|crio|cri-containerd|nerdctl)-([0-9a-f]{12})[0-9a-f]*$")
ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
NONE = 2**62
"""v1 writes 9223372036854771712 (the largest multiple of a page) for no limit."""


def command(root: str = "/sys/fs/cgroup") -> Callable[[Context], str]:
    """A loop of one grep and one sleep a tick."""
    files = [f"$g/{f}" for f in V2] + [f"unified/$g/{f}" for f in ("cpu.stat", "io.stat")]
    files += [f"*/$g/{f}" for f in V1] + ["cpu/$g/cpu.stat", "pids/$g/pids.current", "memory/$g/memory.stat"]

    def make(ctx: Context) -> str:
        return (
            f'cd {root} && while f=/proc/uptime; for g in {" ".join(GROUPS)}; do f="$f {" ".join(files)}"; done; '
            f"grep -sHE '{WANTED}' $f /proc/uptime; echo; do sleep {ctx.interval:g}; done"
        )

    return make


def container(path: str) -> tuple[str, str]:
    """(name, brand) of a group's path: 'lxc.payload.web1' -> ('web1', 'lxc')."""
    *above, last = path.strip("/").split("/")
    if last == "ns" and above:
        last = above.pop()
    last = ESCAPED.sub(lambda m: chr(int(m[1], 16)), last.removesuffix(".scope").removesuffix(".service"))
    if last.startswith("lxc.payload."):
        return last.removeprefix("lxc.payload."), "lxc"
    match = ID.match(last)
    if match:
        return match[2], {"libpod": "podman", "docker": "docker"}.get(match[1], "cri")
    if "docker" in above and len(last) == 64:
        return last[:12], "docker"
    if last.startswith("systemd-nspawn@"):
        return last.removeprefix("systemd-nspawn@"), "nspawn"
    if last.startswith("machine-"):
        # libvirt: machine-qemu-3-name and machine-lxc-3-name
        kind, _, rest = last.removeprefix("machine-").partition("-")
        name = rest.partition("-")[2]
        return (name, {"qemu": "kvm"}.get(kind, kind)) if name and rest[:1].isdigit() else (last[8:], "machine")
    if "qemu.slice" in above:
        return last, "kvm"
    return last, "lxc" if any(a.startswith("lxc") for a in above) else "container"


class Cgroups(Reports):
    """One report a tick: a row of zone_usage and, where I/O is counted, one of zone_io per container."""

    source = "zone_usage"

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._rates = Rates()
        self.states = States("container")
        self._reports = 0

    def report(self, lines: list[str], stamp: float | None) -> list[Batch]:
        groups: dict[str, dict[str, list[str]]] = {}
        moment, ends = nan, 0
        for i, line in enumerate(lines):
            match = LINE.match(line)
            if not match:
                raise self.bad(i, line, "not path/file:value", 1)
            path, name, value = match.groups()
            if name == "uptime":
                if not UPTIME.match(value):
                    raise self.bad(i, line, "not an uptime", line.find(":") + 2)
                moment, ends = float(value.split()[0]), ends + 1
                continue
            head, _, rest = path.partition("/")
            groups.setdefault(rest if head in CONTROLLERS else path, {}).setdefault(name, []).append(value)
        self._reports += 1
        if moment != moment:
            moment = self._reports * self.ctx.interval
        usage: dict[str, list[object]] = {c: [] for c in ZONE_USAGE.names[2:]}
        io: dict[str, list[object]] = {c: [] for c in ZONE_IO.names[2:]}
        seen: dict[str, State] = {}
        for path, files in groups.items():
            name, brand = container(path)
            if not name or name in seen or NO_CONTAINER.match(path.rpartition("/")[2]):
                continue
            seen[name] = State(0, "running", brand)
            _add(usage, {"zone": name, "brand": brand, "state": "running", **self._usage(name, files, moment)})
            if "io.stat" in files or "blkio.throttle.io_serviced" in files:
                _add(io, {"zone": name, **self._io(name, files, moment)})
        self._rates.keep({(kind, name) for kind in ("cpu", "io") for name in seen})
        anew = self._rates.anew()
        out = events([a for a in anew if a.back], "zone_usage", lambda _: "containers", stamp, uptime=True)
        if ends >= 2 and "/uptime:" in lines[-1]:
            out += self.states.see(seen, stamp, {str(a.key[1]) for a in anew if isinstance(a.key, tuple)})
        if usage["zone"]:
            out.append(Batch("zone_usage", usage, stamp))
        if io["zone"]:
            out.append(Batch("zone_io", io, stamp))
        return out

    def _usage(self, name: str, files: dict[str, list[str]], moment: float) -> dict[str, float]:
        stat = dict(w for w in (v.split() for v in files.get("cpu.stat", ())) if len(w) == 2)
        if "cpuacct.usage_user" in files:  # v1, nanoseconds
            user, system = _one(files, "cpuacct.usage_user"), _one(files, "cpuacct.usage_sys")
            total, scale = user + system, 1e9
        else:
            total, user, system = (_number(stat.get(k, "")) for k in ("usage_usec", "user_usec", "system_usec"))
            scale = 1e6
        told = dict(w for w in (v.split() for v in files.get("memory.events", ())) if len(w) == 2)
        failed = _number(told.get("oom", "")) if told else _one(files, "memory.failcnt")
        throttled = [_number(stat.get(k, "")) for k in ("nr_periods", "nr_throttled")]
        rates = self._rates.step(("cpu", name), moment, [total, user, system, failed, *throttled])
        memory = {w[0]: w[1] for w in (v.split() for v in files.get("memory.stat", ())) if len(w) == 2}
        cache = _number(memory.get("total_inactive_file", memory.get("inactive_file", "")))
        used = _first(_one(files, "memory.current"), _one(files, "memory.usage_in_bytes"))
        memsw, memsw_cap = _one(files, "memory.memsw.usage_in_bytes"), _limit(files, "memory.memsw.limit_in_bytes")
        return {
            "cpu": rates[0] / scale,
            "cpu_user": rates[1] / scale,
            "cpu_sys": rates[2] / scale,
            "cpu_cap": _quota(files),
            "cpu_above_cap": rates[5] / rates[4] if rates[4] > 0 else nan,
            "cpu_shares": _first(_one(files, "cpu.weight"), _one(files, "cpu.shares")),
            "rss": used - (cache if cache == cache else 0.0),
            "rss_cap": _first(_limit(files, "memory.max"), _limit(files, "memory.limit_in_bytes")),
            "swap": _first(_one(files, "memory.swap.current"), memsw),
            "swap_cap": _first(_limit(files, "memory.swap.max"), memsw_cap),
            "anon_alloc_fail": rates[3],
            "nproc": _one(files, "pids.current"),
        }

    def _io(self, name: str, files: dict[str, list[str]], moment: float) -> dict[str, float]:
        sums: dict[str, float] = {"rios": 0, "wios": 0, "rbytes": 0, "wbytes": 0}
        for line in files.get("io.stat", ()):
            for word in line.split()[1:]:
                key, _, value = word.partition("=")
                if key in sums:
                    sums[key] += _number(value)
        for file, kind in (("blkio.throttle.io_serviced", "ios"), ("blkio.throttle.io_service_bytes", "bytes")):
            for line in files.get(file, ()):
                words = line.split()
                if len(words) == 3 and words[1] in ("Read", "Write"):
                    sums[words[1][0].lower() + kind] += _number(words[2])
        reads, writes, read_bytes, write_bytes = self._rates.step(("io", name), moment, list(sums.values()))
        return {"read_ops": reads, "write_ops": writes, "read_bytes": read_bytes, "write_bytes": write_bytes}


def _number(text: str) -> float:
    return int(text) if text.isdecimal() and len(text) <= 20 else nan


def _one(files: dict[str, list[str]], name: str) -> float:
    values = files.get(name)
    return _number(values[0].strip()) if values else nan


def _limit(files: dict[str, list[str]], name: str) -> float:
    value = _one(files, name)
    return value if 0 < value < NONE else nan


def _quota(files: dict[str, list[str]]) -> float:
    """CPU cap in cores: `cpu.max` is 'quota period' in microseconds or 'max period'."""
    words = files.get("cpu.max", [""])[0].split()
    if len(words) == 2:
        quota, period = _number(words[0]), _number(words[1])
    else:
        quota, period = _one(files, "cpu.cfs_quota_us"), _one(files, "cpu.cfs_period_us")
    cap = quota / period if period > 0 else nan
    return cap if 0 < cap < inf else nan


def _first(*values: float) -> float:
    return next((v for v in values if v == v), nan)


def _add(columns: dict[str, list[object]], row: dict[str, object]) -> None:
    for name, values in columns.items():
        values.append(row.get(name))
