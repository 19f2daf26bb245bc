"""Calls that answer another query every time, timed side by side."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.timing import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BLOCK = 25  # queries one contender answers before the next has its turn
WARM_UP = 3  # untimed calls before them: each finds its own data in the caches, as in a service


class StreamTimes(Times):
    """The milliseconds of each contender: of every call, and the median of every block."""

    def __init__(self, blocks: Mapping[str, list[list[float]]]) -> None:
        super().__init__(
            {name: [statistics.median(one) for one in blocks[name]] for name in blocks}
        )
        self._calls = {name: [taken for one in blocks[name] for taken in one] for name in blocks}

    def median(self, name: str) -> float:
        """Return the median of all calls; ratios are those of the blocks."""
        return statistics.median(self._calls[name])

    def high(self, name: str) -> float:
        """Return the 95th percentile of all calls."""
        return statistics.quantiles(self._calls[name], n=20)[-1]


def streams(
    calls: Mapping[str, Callable[[int], object]], n_queries: int, rounds: int
) -> StreamTimes:
    """Let every contender answer every query once a round, a block of queries at a time.

    A call is given the number of its query. All contenders answer a block, in a new order each
    time, before the next block comes; the order of the queries is new in each round.
    """
    shuffle = random.Random(0).shuffle
    queries, contenders = list(range(n_queries)), list(calls)
    blocks: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        shuffle(queries)
        for start in range(0, n_queries, BLOCK):
            block = queries[start : start + BLOCK]
            shuffle(contenders)
            for name in contenders:
                blocks[name].append(_timed(calls[name], queries[start - WARM_UP : start], block))
    return StreamTimes(blocks)


def cold(
    calls: Mapping[str, Callable[[int], object]], empty: Callable[[], object], n_queries: int
) -> StreamTimes:
    """Let every contender answer every query once, each after ``empty`` has filled the caches."""
    taken: dict[str, list[list[float]]] = {name: [] for name in calls}
    for query in range(n_queries):
        for name, call in calls.items():
            empty()
            started = time.perf_counter()
            call(query)
            taken[name].append([1e3 * (time.perf_counter() - started)])
    return StreamTimes(taken)


def _timed(call: Callable[[int], object], before: list[int], block: list[int]) -> list[float]:
    for query in before or block[-WARM_UP:]:
        call(query)
    taken = []
    for query in block:
        started = time.perf_counter()
        call(query)
        taken.append(1e3 * (time.perf_counter() - started))
    return taken
