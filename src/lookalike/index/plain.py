"""The distance to every row of a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.index.cost import BadRowError
from lookalike.kernels import _compiled, active

if TYPE_CHECKING:
    from lookalike.core.types import BoolArray, Float32Array, Int64Array, NumberArray
    from lookalike.metrics import Metric

__all__ = ["score_rows"]

_CHUNK_BYTES = 8 << 20


def score_rows(
    query: Float32Array,
    rows: NumberArray,
    metric: Metric,
    allowed: BoolArray | None,
    n_threads: int,
) -> Float32Array:
    """Return the distance to every row, inf for those that are not allowed.

    Parameters
    ----------
    query : float32 array of shape (dim,)
    rows : array of shape (n, dim)
    metric : Metric
    allowed : bool array of shape (n,), optional
    n_threads : int

    Raises
    ------
    BadRowError
        An allowed row has no finite distance in float32.
    """
    distances = np.empty(rows.shape[0], dtype=np.float32)
    if rows.shape[0] == 0:
        return distances
    bad_row = _score(query, rows, metric, distances, n_threads)
    if bad_row >= 0:
        if allowed is None or allowed[bad_row]:
            raise BadRowError(bad_row)
        # The row need not be scored, but may hide others: only those allowed count.
        _score_some(query, rows, metric, np.flatnonzero(allowed), distances, n_threads)
    if allowed is not None:
        distances[~allowed] = np.inf
    return distances


def _score_some(
    query: Float32Array,
    rows: NumberArray,
    metric: Metric,
    chosen: Int64Array,
    distances: Float32Array,
    n_threads: int,
) -> None:
    step = max(1, _CHUNK_BYTES // (rows.shape[1] * rows.itemsize))
    for start in range(0, chosen.size, step):
        some = chosen[start : start + step]
        found = np.empty(some.size, dtype=np.float32)
        bad = _score(query, rows[some], metric, found, n_threads)
        if bad >= 0:
            raise BadRowError(int(some[bad]))
        distances[some] = found


def _score(
    query: Float32Array, rows: NumberArray, metric: Metric, out: Float32Array, n_threads: int
) -> int:
    bad_row, _ = _compiled.score_all(
        active(), metric.code, query.reshape(1, -1), rows, out.reshape(1, -1), n_threads
    )
    return bad_row
