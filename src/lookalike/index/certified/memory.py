"""Memory for codes: lines must not straddle cache lines, and large pages spare look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["aligned", "allocate"]

_CACHE_LINE = 64
_LARGE_PAGE = 2 << 20


def allocate(sizes: Mapping[str, int]) -> dict[str, NDArray[np.uint8]]:
    """Return zeroed uint8 arrays of these sizes, at cache lines, in one piece of memory.

    NumPy asks the system for large pages where it allocates 4 MiB or more, hence the one
    piece: random access to many small pages costs more than the memory itself.
    """
    places, end = {}, 0
    for name, size in sizes.items():
        places[name] = end
        end += -(-size // _CACHE_LINE) * _CACHE_LINE
    boundary = _LARGE_PAGE if end >= 2 * _LARGE_PAGE else _CACHE_LINE
    whole = np.zeros(end + boundary, dtype=np.uint8)
    start = -whole.ctypes.data % boundary
    return {
        name: whole[start + place : start + place + sizes[name]] for name, place in places.items()
    }


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """Return a uint8 array that begins at a cache line: itself, or a copy."""
    if array.ctypes.data % _CACHE_LINE == 0:
        return array
    copy = allocate({"": array.nbytes})[""]
    copy[:] = array
    return copy
