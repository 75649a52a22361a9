"""Which link reaches a host: paramiko, or the system's ssh where the inventory says so or allows weak algorithms."""

from __future__ import annotations

import structlog

from collectors.links import weak
from collectors.links.base import Limits, Link, LinkError, LinkOptions, Running, Sink
from collectors.links.by_openssh import OpensshLink, not_allowed
from collectors.links.by_paramiko import Incompatible, ParamikoLink

log = structlog.get_logger(__name__)


def make_link(options: LinkOptions) -> Link:
    """An unconnected link of `options.kind`; raises LinkError on a kind that there is not."""
    match options.kind:
        case "auto":
            return AutoLink(options)
        case "paramiko":
            return ParamikoLink(options)
        case "openssh":
            return OpensshLink(options)
    why = f'there is no link "{options.kind}"'
    raise LinkError(options.host, why, f'[hosts.{options.host}] link = "auto", "paramiko" or "openssh"', final=True)


class AutoLink:
    """paramiko; the system's ssh instead where a server speaks only weak algorithms and the inventory allows them."""

    def __init__(self, options: LinkOptions) -> None:
        self.options = options
        self._link: ParamikoLink | OpensshLink = ParamikoLink(options)

    def connect(self) -> None:
        """Raises LinkError; with the line that allows it where weak algorithms are refused."""
        try:
            self._link.connect()
        except Incompatible as e:
            found = weak.weak_of(e.offered)
            if not found:
                raise
            if not self.options.allow_weak:
                raise not_allowed(self.options.host, f"it offers {weak.named(found)}") from e
            log.warning("weak SSH algorithms, allowed by the inventory", host=self.options.host, **_keys(found))
            self._link = OpensshLink(self.options)
            self._link.connect()

    @property
    def alive(self) -> bool:
        return self._link.alive

    @property
    def broken(self) -> str:
        """Why the connection is no more; empty while it is, and after `close`."""
        return self._link.broken

    @property
    def facts(self) -> dict[str, str]:
        return self._link.facts

    def start(self, command: str, sink: Sink, *, limits: Limits | None = None, pty: bool = False) -> Running:
        return self._link.start(command, sink, limits=limits, pty=pty)

    def run(self, command: str, timeout: float = 20.0) -> tuple[int | None, str, str]:
        return self._link.run(command, timeout)

    def close(self) -> None:
        self._link.close()


def _keys(algorithms: dict[str, list[str]]) -> dict[str, str]:
    return {kind.replace(" ", "_"): ",".join(names) for kind, names in algorithms.items()}
