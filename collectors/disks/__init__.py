"""Disks: the parsers behind the source disk_io, a module per family of tools."""
