"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lookalike.core.types import Float32Array, IdArray

__all__ = ["Neighbors", "SearchStats"]


@dataclass(frozen=True, slots=True)
class SearchStats:
    """What a search cost.

    Attributes
    ----------
    rows_read : int
        Rows whose embedding was compared with a query, summed over the queries.
    rows_skipped : int
        Rows that a certain bound excluded before they were scored exactly, summed over
        the queries.
    seconds : float
        Wall-clock time of the search.
    bytes_read : int
        Bytes of embeddings and of codes that it read, summed over the queries; 0 where
        nobody counted.
    skipped_by_level : tuple of int
        ``rows_skipped`` by the bound that excluded them, cheapest bound first; empty
        where there is one kind of bound, or none.
    """

    rows_read: int
    rows_skipped: int
    seconds: float
    bytes_read: int = 0
    skipped_by_level: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """Members of a group, nearest first; unpacks as ``ids, distances = result``.

    Attributes
    ----------
    ids : int64 or object array of shape (k,) or (n_queries, k)
        Row numbers (bare arrays), or the ids of an index. A single answer is shorter
        than ``k`` where fewer members exist; a batch answer is padded with -1 (``None``
        for object ids).
    distances : float32 array of the same shape
        Smaller is nearer; never decreasing along the last axis; padding is ``inf``.
    certified : bool
        True when the answer is proved to be exactly that of brute force.
    plan : str
        Which plan ran, in words.
    stats : SearchStats
        What the search cost.
    version : int or None
        The version of the index that answered; None for bare arrays.
    """

    ids: IdArray
    distances: Float32Array
    certified: bool
    plan: str
    stats: SearchStats
    version: int | None = None

    def __iter__(self) -> Iterator[Any]:  # the two differ in type, which Iterator cannot say
        yield self.ids
        yield self.distances
