"""Everyone within a radius: ``within`` and ``within_batch``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.arrays import as_group, as_queries, as_query
from lookalike.core.options import as_radius, as_threads
from lookalike.core.results import Neighbors, SearchStats
from lookalike.metrics import resolve
from lookalike.scan.backends import backend_named

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lookalike.core.types import ImplementationName, MetricName

__all__ = ["within", "within_batch"]


def within(
    query: ArrayLike,
    group: ArrayLike,
    /,
    radius: float,
    *,
    metric: MetricName = "cosine",
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
) -> Neighbors:
    """Return every member at most ``radius`` from ``query``, nearest first.

    Parameters
    ----------
    query, group, metric, implementation, n_threads
        As in :func:`lookalike.distances`.
    radius : float
        Rounded to float32; inclusive.

    Returns
    -------
    Neighbors
        As long as there are such members, possibly empty.

    Raises
    ------
    LookalikeError
        As in :func:`lookalike.distances`; ParameterError for a NaN radius.
    """
    one = as_query(query, "within_batch")
    (answer,) = within_batch(
        one.reshape(1, -1),
        group,
        radius,
        metric=metric,
        implementation=implementation,
        n_threads=n_threads,
    )
    return answer


def within_batch(
    queries: ArrayLike,
    group: ArrayLike,
    /,
    radius: float,
    *,
    metric: MetricName = "cosine",
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
) -> list[Neighbors]:
    """Return :func:`within` for each query, as a list.

    Parameters
    ----------
    queries : array_like of shape (n_queries, dim)
        One embedding a row.
    group, radius, metric, implementation, n_threads
        As in :func:`within`.

    Returns
    -------
    list of Neighbors
        One a query, in their order.

    Raises
    ------
    LookalikeError
        As in :func:`within`.
    """
    with np.errstate(over="ignore"):
        limit = float(np.float32(as_radius(radius)))
    chosen = resolve(metric)
    backend = backend_named(implementation, as_threads(n_threads))
    many = as_queries(queries)
    rows = as_group(group, many.shape[1])
    started = time.perf_counter()
    answers = backend.within(many, rows, chosen, limit)
    stats = SearchStats(rows.shape[0], 0, time.perf_counter() - started)
    plan = f"{implementation} scan"
    return [Neighbors(ids, found, True, plan, stats) for ids, found in answers]
