"""Zones, containers and jails: the parsers behind the source zone_usage, one module per family of systems."""
