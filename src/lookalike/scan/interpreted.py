"""The two implementations in Python: the naive loop and vectorised NumPy.

They differ only in how one query is scored against a chunk of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lookalike.core.arrays import check_rows
from lookalike.core.errors import RangeError
from lookalike.core.types import Float32Array, Float64Array

if TYPE_CHECKING:
    from lookalike.core.types import Int64Array, NumberArray
    from lookalike.metrics import Metric

__all__ = ["naive", "vectorised"]

_CHUNK_BYTES = 8 << 20
ScoreChunk: TypeAlias = Callable[[Float32Array, Float32Array, "Metric"], Float64Array]


def _loop(query: Float32Array, rows: Float32Array, metric: Metric) -> Float64Array:
    values = query.tolist()
    return np.array([metric.reference(values, row) for row in rows.tolist()], dtype=np.float64)


def _vectorise(query: Float32Array, rows: Float32Array, metric: Metric) -> Float64Array:
    return metric.score(query.astype(np.float64), rows.astype(np.float64))


def naive() -> _Interpreted:
    """Return the loop over Python floats in float64: the reference, slow and obvious."""
    return _Interpreted(_loop)


def vectorised() -> _Interpreted:
    """Return vectorised NumPy in float64, in chunks of bounded memory."""
    return _Interpreted(_vectorise)


class _Interpreted:
    def __init__(self, score_chunk: ScoreChunk) -> None:
        self._score_chunk = score_chunk

    def score_all(
        self, queries: Float32Array, group: NumberArray, metric: Metric, out: Float32Array
    ) -> None:
        """Write every distance to ``out``; see :class:`lookalike.scan.backends.Backend`."""
        check_rows(group, "group")
        step = max(1, _CHUNK_BYTES // (8 * group.shape[1]))
        for start in range(0, group.shape[0], step):
            rows = np.ascontiguousarray(group[start : start + step], dtype=np.float32)
            for query, distances in zip(queries, out, strict=True):
                scores = self._score_chunk(query, rows, metric)
                with np.errstate(over="ignore"):
                    finished = scores.astype(np.float32)
                if not np.isfinite(finished).all():
                    row = start + int(np.argmin(np.isfinite(finished)))
                    raise RangeError(
                        f"the {metric.name} distance to row {row} of group is beyond the range "
                        "of float32; rescale the embeddings"
                    )
                distances[start : start + step] = finished

    def nearest(
        self, queries: Float32Array, group: NumberArray, metric: Metric, k: int
    ) -> tuple[Int64Array, Float32Array]:
        """Return the k nearest; see :class:`lookalike.scan.backends.Backend`."""
        ids = np.full((queries.shape[0], k), -1, dtype=np.int64)
        distances = np.full((queries.shape[0], k), np.inf, dtype=np.float32)
        for q in range(queries.shape[0]):
            found = self._row_of_distances(queries[q : q + 1], group, metric)
            order = np.argsort(found, kind="stable")[:k]
            ids[q, : order.size] = order
            distances[q, : order.size] = found[order]
        return ids, distances

    def within(
        self, queries: Float32Array, group: NumberArray, metric: Metric, radius: float
    ) -> list[tuple[Int64Array, Float32Array]]:
        """Return the rows within the radius; see :class:`lookalike.scan.backends.Backend`."""
        answers = []
        for q in range(queries.shape[0]):
            found = self._row_of_distances(queries[q : q + 1], group, metric)
            order = np.argsort(found, kind="stable")
            inside = order[found[order] <= np.float32(radius)]
            answers.append((inside.astype(np.int64), found[inside]))
        return answers

    def _row_of_distances(
        self, query: Float32Array, group: NumberArray, metric: Metric
    ) -> Float32Array:
        out = np.empty((1, group.shape[0]), dtype=np.float32)
        self.score_all(query, group, metric, out)
        return out.reshape(-1)
