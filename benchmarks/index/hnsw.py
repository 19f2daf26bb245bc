"""hnswlib's recall and speed, and the cheapest setting that reaches a recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.index.cache import hnswlib_graph, remembered, true_neighbours
from benchmarks.index.sets import unit

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.index.sets import Set

K = 10
SWEEP = (10, 20, 40, 80, 160, 320, 640, 1280)
RECALLS = (0.99, 0.999)


@dataclass(frozen=True)
class Graph:
    """hnswlib's index of a set.

    Attributes
    ----------
    index : hnswlib.Index
        Asked with queries of unit norm where the metric is cosine.
    build_seconds : float
        With two threads, when it was built.
    recalls : dict
        ``ef`` -> recall of ten over all queries of the set.
    least_ef : dict
        Recall -> the least ``ef`` that reaches it; a recall that none reaches is absent.
    """

    index: Any
    data: Set
    build_seconds: float
    recalls: dict[int, float]
    least_ef: dict[float, int]

    def asks(self, ef: int) -> Callable[[int], object]:
        """Return a call that asks a query by its number, with one thread."""
        ones = [query.reshape(1, -1) for query in self._queries]
        set_ef, query = self.index.set_ef, self.index.knn_query

        def ask(number: int) -> object:
            set_ef(ef)
            return query(ones[number], K, num_threads=1)

        return ask

    def asks_all(self, ef: int, n_threads: int) -> Callable[[], object]:
        """Return a call that asks all queries at once."""
        queries = np.ascontiguousarray(self._queries)

        def ask() -> object:
            self.index.set_ef(ef)
            return self.index.knn_query(queries, K, num_threads=n_threads)

        return ask

    @property
    def _queries(self) -> np.ndarray:
        queries = self.data.queries
        return unit(queries) if self.data.metric == "cosine" else queries


def graph_of(data: Set, folder: Path) -> Graph:
    """Return hnswlib's index and its recalls, from the cache where they are there."""
    index, seconds = hnswlib_graph(data, folder)
    bare = Graph(index, data, seconds, {}, {})
    known = remembered("recalls", data, folder, lambda: _measure(bare, folder))
    recalls = {int(ef): float(recall) for ef, recall in known.items()}
    least = {
        wanted: min(ef for ef in recalls if recalls[ef] >= wanted)
        for wanted in RECALLS
        if max(recalls.values()) >= wanted
    }
    return Graph(index, data, seconds, recalls, least)


def _measure(graph: Graph, folder: Path) -> dict[int, float]:
    """Return recalls at the sweep's ``ef`` and around those that reach what is wanted."""
    _, truth = true_neighbours(graph.data, K, folder)
    recalls = {ef: _recall(graph, ef, truth[:, -1]) for ef in SWEEP}
    for wanted in RECALLS:
        enough = [ef for ef in SWEEP if recalls[ef] >= wanted]
        high = min(enough, default=SWEEP[0])
        low = max((ef for ef in SWEEP if ef < high), default=high)
        while high - low > 1:
            middle = (low + high) // 2
            recalls[middle] = _recall(graph, middle, truth[:, -1])
            low, high = (low, middle) if recalls[middle] >= wanted else (middle, high)
    return recalls


def _recall(graph: Graph, ef: int, furthest: np.ndarray) -> float:
    """Return the share of answers that are no further than the true tenth: ties count."""
    data = graph.data
    graph.index.set_ef(ef)
    found = np.asarray(graph.asks_all(ef, 1)()[0]).astype(np.int64)  # type: ignore[index]
    right = 0
    for query, ids, most in zip(data.queries, found, furthest, strict=True):
        right += int((la.distances(query, data.rows[ids], metric=data.metric) <= most).sum())
    return right / found.size
