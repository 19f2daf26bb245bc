"""The blocks of a section: what each must be, and how damaged ones are named."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["BlockChecks", "is_sound", "listed"]

_LISTED_RANGES = 20


@dataclass(frozen=True, slots=True)
class BlockChecks:
    """What it takes to verify a section block by block, for Python and for C++.

    Attributes
    ----------
    data : ndarray of uint8
        The bytes of the section, read-only, on the map.
    crc32 : ndarray of uint32, one a block
        What ``zlib.crc32`` of each 64 KiB of ``data`` must be; the last block may be short.
    verified : ndarray of uint8, one a block
        0 for not yet, 1 for good; shared by everyone who asks. Any thread may write a 1
        after it verified the block itself.
    """

    data: NDArray[np.uint8]
    crc32: NDArray[np.uint32]
    verified: NDArray[np.uint8]


def is_sound(content: bytes | memoryview, crc32: int, *, is_bool: bool) -> bool:
    """Return whether a block is what was written, and its booleans are booleans."""
    if zlib.crc32(content) != crc32:
        return False
    # NumPy counts on booleans being 0 or 1 when it sizes what a mask selects.
    return not is_bool or bool(np.frombuffer(content, dtype=np.uint8).max(initial=0) <= 1)


def listed(blocks: Iterable[int]) -> str:
    """Return ``"block 3"``, or ``"blocks 3, 7-9"``; many ranges are cut short."""
    numbers = sorted(blocks)
    steps = [-1, *(i for i, (a, b) in enumerate(pairwise(numbers)) if b > a + 1), len(numbers) - 1]
    ranges = [(numbers[before + 1], numbers[last]) for before, last in pairwise(steps)]
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in ranges[:_LISTED_RANGES]]
    more = ["and more"] if len(ranges) > _LISTED_RANGES else []
    return f"block{'s' if len(numbers) > 1 else ''} {', '.join(texts + more)}"
