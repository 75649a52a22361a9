"""Numbers as the tools write them."""

from __future__ import annotations

_UNITS = " KMGTPE"


def nicenum(value: float) -> str:
    """As zfs_nicenum of libzfs: at most five characters, powers of 1024, '1.37M', '24.0G', '349K', '1T'."""
    n = int(value)
    if n < 1024:
        return str(n)
    index = (n.bit_length() - 1) // 10
    if n & ((1 << (10 * index)) - 1) == 0:
        return f"{n >> (10 * index)}{_UNITS[index]}"
    scaled = n / (1 << (10 * index))
    if scaled < 9.995:
        return f"{scaled:.2f}{_UNITS[index]}"
    if scaled < 99.95:
        return f"{scaled:.1f}{_UNITS[index]}"
    return f"{scaled:.0f}{_UNITS[index]}"


def printed(value: float) -> float:
    """What is left of a number once `nicenum` has printed it."""
    text = nicenum(value)
    unit = _UNITS.find(text[-1])
    return float(text[:-1]) * 1024**unit if unit > 0 else float(text)


def prstat_size(value: float) -> str:
    """As prstat's Format_size: K up to 9999, then M, then G."""
    k = value / 1024
    if k < 9999:
        return f"{k:.0f}K"
    m = k / 1024
    if m < 9999:
        return f"{m:.0f}M"
    return f"{m / 1024:.0f}G"


def prstat_time(seconds: float) -> str:
    """As prstat: h:mm:ss with hours as long as they must be."""
    s = int(seconds)
    return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}"


def percent(share: float) -> str:
    """As prstat's three characters: '1.7%', ' 30%'."""
    p = share * 100
    return f"{p:.1f}%" if p < 10 else f"{p:.0f}%"
