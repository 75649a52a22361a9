"""SSH links: `make_link(options)` gives the one that can reach a host (see base.Link)."""

from collectors.links.backoff import Backoff
from collectors.links.base import Limits, Link, LinkError, LinkOptions, Running, Sink
from collectors.links.make import make_link

__all__ = ["Backoff", "Limits", "Link", "LinkError", "LinkOptions", "Running", "Sink", "make_link"]
