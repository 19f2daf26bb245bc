"""The k nearest: ``nearest`` and ``nearest_batch``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lookalike.core.arrays import as_group, as_queries, as_query
from lookalike.core.errors import ParameterError
from lookalike.core.options import as_k, as_threads
from lookalike.core.results import Neighbors, SearchStats
from lookalike.metrics import resolve
from lookalike.scan.backends import backend_named

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lookalike.core.types import ImplementationName, MetricName

__all__ = ["nearest", "nearest_batch"]

_MOST_COLUMNS = 2**31 - 1


def nearest(
    query: ArrayLike,
    group: ArrayLike,
    /,
    k: int = 10,
    *,
    metric: MetricName = "cosine",
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
) -> Neighbors:
    """Return the ``k`` members of ``group`` nearest to ``query``, exactly.

    Parameters
    ----------
    query, group, metric, implementation, n_threads
        As in :func:`lookalike.distances`.
    k : int, default 10
        At least 1. Where the group is smaller the answer is shorter.

    Returns
    -------
    Neighbors
        ``ids`` are row numbers; ties are broken by row number.

    Raises
    ------
    LookalikeError
        As in :func:`lookalike.distances`; ParameterError for ``k``.
    """
    wanted, chosen = as_k(k), resolve(metric)
    backend = backend_named(implementation, as_threads(n_threads))
    one = as_query(query, "nearest_batch")
    rows = as_group(group, one.shape[0])
    started = time.perf_counter()
    found = min(wanted, rows.shape[0])
    ids, distances = backend.nearest(one.reshape(1, -1), rows, chosen, found)
    stats = SearchStats(rows.shape[0], 0, time.perf_counter() - started)
    return Neighbors(ids.reshape(-1), distances.reshape(-1), True, f"{implementation} scan", stats)


def nearest_batch(
    queries: ArrayLike,
    group: ArrayLike,
    /,
    k: int = 10,
    *,
    metric: MetricName = "cosine",
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
) -> Neighbors:
    """Return the ``k`` nearest members for each query; the bits equal :func:`nearest`'s.

    Parameters
    ----------
    queries : array_like of shape (n_queries, dim)
        One embedding a row.
    group, k, metric, implementation, n_threads
        As in :func:`nearest`.

    Returns
    -------
    Neighbors
        ``ids`` and ``distances`` of shape (n_queries, k), padded with -1 and inf.

    Raises
    ------
    LookalikeError
        As in :func:`nearest`.
    """
    wanted, chosen = as_k(k), resolve(metric)
    if wanted > _MOST_COLUMNS:  # a batch answer is k columns wide, however small the group
        raise ParameterError(f"k must be at most {_MOST_COLUMNS} for a batch, not {wanted}")
    backend = backend_named(implementation, as_threads(n_threads))
    many = as_queries(queries)
    rows = as_group(group, many.shape[1])
    started = time.perf_counter()
    ids, distances = backend.nearest(many, rows, chosen, wanted)
    stats = SearchStats(many.shape[0] * rows.shape[0], 0, time.perf_counter() - started)
    return Neighbors(ids, distances, True, f"{implementation} scan", stats)
