"""The compiled implementation: the kernels over the group in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.arrays import check_rows
from lookalike.core.errors import RangeError
from lookalike.kernels import _compiled, active

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, Int64Array, NumberArray
    from lookalike.metrics import Metric

__all__ = ["Compiled"]


class Compiled:
    """Scans with the active kernel level.

    Parameters
    ----------
    n_threads : int
        The most threads to use; the answer does not depend on it.
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._level = active()

    def score_all(
        self, queries: Float32Array, group: NumberArray, metric: Metric, out: Float32Array
    ) -> None:
        """Write every distance to ``out``; see :class:`lookalike.scan.backends.Backend`."""
        if out.size == 0:
            return
        bad_row, _ = _compiled.score_all(
            self._level, metric.code, queries, _readable(group), out, self._n_threads
        )
        _raise_for(bad_row, group, metric)

    def nearest(
        self, queries: Float32Array, group: NumberArray, metric: Metric, k: int
    ) -> tuple[Int64Array, Float32Array]:
        """Return the k nearest; see :class:`lookalike.scan.backends.Backend`."""
        ids = np.full((queries.shape[0], k), -1, dtype=np.int64)
        distances = np.full((queries.shape[0], k), np.inf, dtype=np.float32)
        if queries.shape[0] and group.shape[0]:
            bad_row, _ = _compiled.find_nearest(
                self._level, metric.code, queries, _readable(group), ids, distances, self._n_threads
            )
            _raise_for(bad_row, group, metric)
        return ids, distances

    def within(
        self, queries: Float32Array, group: NumberArray, metric: Metric, radius: float
    ) -> list[tuple[Int64Array, Float32Array]]:
        """Return the rows within the radius; see :class:`lookalike.scan.backends.Backend`."""
        if not (queries.shape[0] and group.shape[0]):
            nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
            return [nothing for _ in range(queries.shape[0])]
        (bad_row, _), matches = _compiled.find_within(
            self._level, metric.code, queries, _readable(group), radius, self._n_threads
        )
        _raise_for(bad_row, group, metric)
        return [
            (np.frombuffer(ids, dtype=np.int64).copy(), np.frombuffer(found, np.float32).copy())
            for ids, found in matches
        ]


def _readable(group: NumberArray) -> NumberArray:
    return group.view(np.uint8) if group.dtype == np.bool_ else group


def _raise_for(bad_row: int, group: NumberArray, metric: Metric) -> None:
    if bad_row < 0:
        return
    check_rows(group, "group")  # names a NaN, an infinity or a value beyond float32
    raise RangeError(
        f"the {metric.name} distance to row {bad_row} of group is beyond the range of float32; "
        "rescale the embeddings"
    )
