"""One answer from those of several segments, in the order of (distance, id)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.index.id_tables import order_of, padding

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, IdArray

__all__ = ["in_order", "merged", "widened"]


def merged(
    ids: IdArray,
    distances: Float32Array,
    more_ids: IdArray,
    more_distances: Float32Array,
    k: int,
) -> tuple[IdArray, Float32Array]:
    """Return the first ``k`` columns of two answers; padding (inf) stays behind."""
    all_ids = np.concatenate([ids, more_ids], axis=1)
    all_distances = np.concatenate([distances, more_distances], axis=1)
    order = np.lexsort((order_of(all_ids), all_distances), axis=1)[:, :k]
    return np.take_along_axis(all_ids, order, 1), np.take_along_axis(all_distances, order, 1)


def in_order(parts: list[tuple[IdArray, Float32Array]]) -> tuple[IdArray, Float32Array]:
    """Return the answers of all segments to one query, each in order, as one."""
    if len(parts) == 1:
        return parts[0]
    ids = np.concatenate([part[0] for part in parts])
    distances = np.concatenate([part[1] for part in parts])
    order = np.lexsort((order_of(ids), distances))
    return ids[order], distances[order]


def widened(ids: IdArray, distances: Float32Array, k: int) -> tuple[IdArray, Float32Array]:
    """Return an answer with padding up to ``k`` columns."""
    n_queries, n_found = ids.shape
    is_integer = ids.dtype == np.int64
    wide_ids = padding((n_queries, k), "integer" if is_integer else "string")
    wide_distances = np.full((n_queries, k), np.inf, dtype=np.float32)
    wide_ids[:, :n_found] = ids
    wide_distances[:, :n_found] = distances
    return wide_ids, wide_distances
