"""Side by side: every call once a round, so that all of them meet the same disturbances."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Times:
    """The milliseconds of each call in each round."""

    def __init__(self, taken: Mapping[str, list[float]]) -> None:
        self._taken = taken

    def median(self, name: str) -> float:
        """Return a call's median."""
        return statistics.median(self._taken[name])

    def ratio(self, name: str, to: str) -> float:
        """Return how many times as long ``name`` takes: the median of the rounds' ratios.

        What slows a whole round down, a neighbour on the memory bus say, cancels out.
        """
        pairs = zip(self._taken[name], self._taken[to], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def fastest(self, *names: str) -> str:
        """Return the name with the smallest median."""
        return min(names, key=self.median)


def interleaved(calls: Mapping[str, Callable[[], object]], rounds: int) -> Times:
    """Time every call once in each of so many rounds, after one round to warm up.

    Each round has an order of its own: what a call finds in the caches is not always what the
    same other one left there.
    """
    order = list(calls)
    taken: dict[str, list[float]] = {name: [] for name in order}
    shuffle = random.Random(0).shuffle
    for turn in range(rounds + 1):
        shuffle(order)
        for name in order:
            started = time.perf_counter()
            calls[name]()
            if turn:
                taken[name].append(1e3 * (time.perf_counter() - started))
    return Times(taken)
