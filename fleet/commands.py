"""The programs of a host: which there are on its system, and how a shell of the simulation runs them."""

from __future__ import annotations

import time
from collections.abc import Callable

from fleet.clock import Clock
from fleet.files import files
from fleet.filters import FILTERS
from fleet.formats import dtrace as dtrace_
from fleet.formats import freebsd, imapsync, kstat, solaris11, stat, zpool, zsend
from fleet.formats.tool import Make, Tool, UsageError, once
from fleet.live import Live
from fleet.shell import IO, Command, Exit, Shell

Text = Callable[[str], str]

_COMMON: dict[str, Make] = {"zpool": zpool.zpool, "zfs": zpool.zfs, "dtrace": dtrace_.dtrace, "find": zsend.find,
                           "pgrep": zsend.pgrep}  # fmt: skip
_SUNOS: dict[str, Make] = {
    "kstat": kstat.kstat, "prstat": stat.prstat, "zoneadm": stat.zoneadm, "iostat": stat.iostat, "vmstat": stat.vmstat,
    "rcapstat": stat.rcapstat, "swap": stat.swap, "psrinfo": stat.psrinfo, "prtconf": stat.prtconf,
    "prtdiag": stat.prtdiag, "pargs": zsend.pargs,
    "zonename": lambda live, args: once(lambda t: "global\n"), "pagesize": lambda live, args: once(lambda t: "4096\n"),
}  # fmt: skip
_LINUX: dict[str, Make] = {
    "perl": imapsync.perl,
    "nproc": lambda live, args: once(lambda t: f"{live.host.ncpu}\n"),
    "getconf": lambda live, args: once(lambda t: f"{live.host.ncpu if 'NPROC' in ' '.join(args) else 4096}\n"),
}


_OF = {"linux": _LINUX, "freebsd": freebsd.PROGRAMS, "solaris11": _SUNOS | solaris11.PROGRAMS}


def _uname(live: Live, args: list[str]) -> Tool:
    host = live.host
    words = {
        "u5": ("SunOS", host.name, "5.10", "Generic_127128-11", "i86pc", "i386", "i86pc"),
        "u8": ("SunOS", host.name, "5.10", "Generic_142910-17", "i86pc", "i386", "i86pc"),
        "s11": ("SunOS", host.name, "5.11", "11.4.42.111.0", "i86pc", "i386", "i86pc"),
        "fbsd": (
            "FreeBSD",
            host.name,
            "14.2-RELEASE",
            "FreeBSD 14.2-RELEASE releng/14.2-n269506 GENERIC",
            "amd64",
            "amd64",
            "FreeBSD",
        ),
        "omnios": ("SunOS", host.name, "5.11", "omnios-r151046-0d278a3e27", "i86pc", "i386", "i86pc"),
        "linux": (
            "Linux",
            host.name,
            "6.12.12-amd64",
            "#1 SMP PREEMPT_DYNAMIC Debian 6.12.12-1",
            "x86_64",
            "x86_64",
            "GNU/Linux",
        ),
    }[host.release]
    letters = "".join(a[1:] for a in args if a.startswith("-")) or "s"
    order = "snrvmpo" if host.openzfs else "snrvmpi"
    shown = [w for k, w in zip(order, words, strict=True) if k in letters or "a" in letters]
    return once(lambda t: " ".join(shown) + "\n")


def _date(live: Live, args: list[str]) -> Tool:
    # Solaris 10's date knows no %s; it prints the letter.
    epoch = "%s" if live.host.release in ("u5", "u8") else None

    def text(t: float) -> str:
        form = next((a[1:] for a in args if a.startswith("+")), "%a %b %e %H:%M:%S %Z %Y")
        form = form.replace("%s", "s" if epoch else str(int(t))).replace("%N", f"{int(t % 1 * 1e9):09d}")
        return time.strftime(form.replace("%Z", "UTC").replace("%z", "+0000"), time.gmtime(t)) + "\n"

    return once(text)


def _ps(live: Live, args: list[str]) -> Tool:
    """`ps -o pid= -o time= -p PIDS` of dtraces, and `ps -e -o comm -o zone` (or cgroup; FreeBSD: ps -ax, jail).

    With process groups it is of the streams of a migration.
    """
    if "pgid" in " ".join(args):
        return zsend.ps(live, args)
    if not {"-e", "-ax"} & set(args):
        pids = [int(p) for p in args[-1].split(",") if p.isdecimal() and int(p) in dtrace_.PIDS]
        if not pids:
            raise UsageError("", 1)
        return once(lambda t: "".join(_spent(p, t - live.model.scenario.start) for p in pids))
    columns = [args[i + 1] for i, a in enumerate(args[:-1]) if a == "-o"]
    names = [c.rstrip("=") for c in columns]
    head = "" if all(c.endswith("=") for c in columns) else " ".join(f"{c.upper():<8}" for c in names) + "\n"

    def text(t: float) -> str:
        block, i = live.at(t)
        out = [head]
        for k, zone in enumerate(live.zones):
            kind = "global" if not k else live.host.zones[k - 1].kind
            for comm, share in dtrace_.SPLIT.get(kind, ((dtrace_.EXECNAMES.get(kind, "sh"), 0.9),)):
                path = "lxc.payload." + zone if k else "system.slice"
                cells = {"comm": f"{_DAEMONS.get(comm, comm):<16}", "zone": zone, "cgroup": f"0::/{path}"}
                cells["jail"] = zone if k else "-"
                line = " ".join(cells.get(c, "-") for c in names) + "\n"
                out += [line] * max(int(int(block.zone_nproc[i, k]) * share), 1)
        return "".join(out)

    return once(text)


_DAEMONS = {"nginx": "/usr/local/sbin/nginx", "imapd": "/usr/cyrus/bin/imapd", "lmtpd": "/usr/cyrus/bin/lmtpd"}


def _spent(pid: int, since: float) -> str:
    s = int(max(since, 0.0) * dtrace_.cores(pid)) + 1
    return f"{pid:5d}    {s // 60:02d}:{s % 60:02d}\n"


def _id(live: Live, args: list[str]) -> Tool:
    return once(lambda t: "ops\n" if "-un" in args or "-n" in args else "uid=1001(ops) gid=10(staff)\n")


def _old_id(live: Live, args: list[str]) -> Tool:
    # Solaris 10's /usr/bin/id has only -a; the one in /usr/xpg4/bin knows -un.
    if args not in ([], ["-a"]):
        raise UsageError("usage: id [-a] [user]\n", 2)
    return _id(live, [])


class Machine:
    """A host that commands run on: its live numbers, its programs, its files and its faults."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self.live, self.clock = live, clock
        self.files = files(live)
        self.programs: dict[str, Make] = {
            "uname": _uname, "date": _date, "ps": _ps, "/usr/xpg4/bin/id": _id, "hostname": lambda live,
            a: once(lambda t: live.host.name + "\n"),
            "uptime": lambda live, a: once(lambda t: f" up {int((t - live.model.boot) / 86400)} day(s)\n"),
            "id": _old_id if live.host.system == "solaris10" else _id,
            **_COMMON, **_OF.get(live.host.system, _SUNOS),
        }  # fmt: skip
        self.banner = ""
        self.comma = False
        self.truncate = False
        self.delay = 0.0

    def read(self, path: str) -> str | None:
        make = self.files.get(path)
        return make(self.clock.now()) if make else None

    def shell(self) -> Shell:
        return Shell(self._lookup, FILTERS, self.read, lambda: list(self.files))

    def _lookup(self, name: str) -> Command | None:
        make = self.programs.get(name)
        return _command(self, make) if make else None

    def mangle(self, text: str) -> str:
        """What the faults of a host do to a tool's text."""
        if self.comma:
            text = _commas(text)
        if self.truncate:
            lines = text.split("\n")
            if len(lines) > 3:
                self.truncate = False
                lines[len(lines) // 2] = lines[len(lines) // 2][:11]
                text = "\n".join(lines)
        return text


def _commas(text: str) -> str:
    out = list(text)
    for i in range(1, len(out) - 1):
        if out[i] == "." and out[i - 1].isdigit() and out[i + 1].isdigit():
            out[i] = ","
    return "".join(out)


def _command(machine: Machine, make: Make) -> Command:
    async def run(shell: Shell, words: list[str], io: IO) -> int:
        try:
            tool = make(machine.live, words[1:])
        except UsageError as e:
            io.err(str(e))
            return e.status
        mangle = machine.mangle
        if not tool.interval:
            text = tool.report(machine.clock.now(), None)
            if text:
                io.out(mangle(text))
            return 0 if text or words[0].rpartition("/")[2] != "kstat" else 1
        await machine.clock.stream(tool, lambda text: io.out(mangle(text)))
        return 0

    return run


async def execute(machine: Machine, text: str, io: IO) -> int:
    """Run the sh text of a session on a machine; its exit status."""
    return await machine.shell().script(text, io)


__all__ = ["Exit", "Machine", "execute"]
