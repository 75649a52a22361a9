"""Which link reaches a host."""

from __future__ import annotations

from collectors.links.base import Link, LinkOptions
from collectors.links.by_paramiko import ParamikoLink


def make_link(options: LinkOptions) -> Link:
    """An unconnected link of `options.kind`."""
    return ParamikoLink(options)
