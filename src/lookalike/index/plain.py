"""The plain scan of a segment: every row is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.index.cost import BadRowError, Cost
from lookalike.kernels import _compiled, active

if TYPE_CHECKING:
    from lookalike.core.types import BoolArray, Float32Array, Int64Array, NumberArray
    from lookalike.metrics import Metric
    from lookalike.storage.sections import SectionFile

__all__ = ["PlainSearcher", "score_rows"]

_CHUNK_BYTES = 8 << 20


class PlainSearcher:
    """Scores every row; see :class:`lookalike.index.searcher.Searcher`."""

    def __init__(
        self,
        rows: NumberArray,
        metric: Metric,
        keys: Int64Array | None,
        file: SectionFile | None,
    ) -> None:
        self._rows = rows
        self._metric = metric
        self._keys = keys
        self._file = file

    def nearest(
        self,
        queries: Float32Array,
        k: int,
        *,
        allowed: BoolArray | None,
        limits: Float32Array | None,  # noqa: ARG002 - it may leave rows out, and need not
        n_threads: int,
    ) -> tuple[Int64Array, Float32Array, Cost]:
        """Return the k nearest; every row is read."""
        self._verify()
        rows = np.full((queries.shape[0], k), -1, dtype=np.int64)
        distances = np.full((queries.shape[0], k), np.inf, dtype=np.float32)
        if allowed is None and self._keys is None:
            bad_row, _ = _compiled.find_nearest(
                active(), self._metric.code, queries, self._rows, rows, distances, n_threads
            )
            if bad_row >= 0:
                raise BadRowError(bad_row)
        else:
            for query, its_rows, its_distances in zip(queries, rows, distances, strict=True):
                every = score_rows(query, self._rows, self._metric, allowed, n_threads)
                found = self._first(every, k)
                its_rows[: found.size] = found
                its_distances[: found.size] = every[found]
        return rows, distances, self._cost(queries.shape[0])

    def within(
        self,
        queries: Float32Array,
        radius: float,
        *,
        allowed: BoolArray | None,
        n_threads: int,
    ) -> tuple[list[tuple[Int64Array, Float32Array]], Cost]:
        """Return the rows within the radius; every row is read."""
        self._verify()
        answers = []
        for query in queries:
            every = score_rows(query, self._rows, self._metric, allowed, n_threads)
            inside = (every <= radius) & (every < np.inf)
            found = self._in_order(np.flatnonzero(inside), every)
            answers.append((found, every[found]))
        return answers, self._cost(queries.shape[0])

    def describe(self) -> str:
        """Return its plan in a few words."""
        return "plain scan"

    def _verify(self) -> None:
        if self._file is not None:
            self._file.check("rows")

    def _cost(self, n_queries: int) -> Cost:
        n, dim = self._rows.shape
        return Cost(n_queries * n, (), n_queries * n * dim * self._rows.itemsize)

    def _first(self, distances: Float32Array, k: int) -> Int64Array:
        limit = np.partition(distances, k - 1)[k - 1]
        near = distances <= limit if limit < np.inf else distances < limit
        return self._in_order(np.flatnonzero(near), distances)[:k]

    def _in_order(self, rows: Int64Array, distances: Float32Array) -> Int64Array:
        keys = rows if self._keys is None else self._keys[rows]
        return rows[np.lexsort((keys, distances[rows]))]


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
