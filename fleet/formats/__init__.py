"""Printers: the text of each tool on each system, from a host's counters and levels."""
