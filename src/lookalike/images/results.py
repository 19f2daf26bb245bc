"""What a gallery answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lookalike.core.results import SearchStats
    from lookalike.core.types import Float32Array

__all__ = ["Matches", "SyncSummary"]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pictures of a gallery, nearest first; unpacks as ``paths, distances = result``.

    Attributes
    ----------
    paths : tuple of Path
        The gallery's folder and the picture's path in it.
    distances : float32 array of shape (n,)
        Smaller is nearer; never decreasing. Equal distances are in the order of the paths.
    certified : bool
        True when the answer is proved to be exactly that of brute force.
    plan : str
        Which plan ran, in words.
    stats : SearchStats
        What the search cost, without reading and encoding the query.
    """

    paths: tuple[Path, ...]
    distances: Float32Array
    certified: bool
    plan: str
    stats: SearchStats

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Any]:  # the two differ in type, which Iterator cannot say
        yield self.paths
        yield self.distances


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What :meth:`lookalike.Gallery.sync` did.

    Attributes
    ----------
    added : int
        Pictures that were not there before.
    updated : int
        Pictures whose file has another content than before.
    moved : int
        Pictures known by their content, found under another path: nothing was encoded.
    removed : int
        Pictures that are gone.
    unchanged : int
        All others.
    unreadable : tuple of (str, str)
        Path and reason of each file that looks like a picture and cannot be read.
    seconds : float
        Wall-clock time.
    """

    added: int
    updated: int
    moved: int
    removed: int
    unchanged: int
    unreadable: tuple[tuple[str, str], ...]
    seconds: float
