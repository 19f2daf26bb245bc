"""Sizes in words."""

from __future__ import annotations

__all__ = ["size_in_words"]

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def size_in_words(n_bytes: float) -> str:
    """Return a size with the unit that fits it, in powers of 1000: ``"188.2 MB"``."""
    value, unit = float(n_bytes), _UNITS[0]
    for larger in _UNITS[1:]:
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
