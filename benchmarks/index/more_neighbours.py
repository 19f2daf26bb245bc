"""What more neighbours cost, and what a radius costs instead of a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from benchmarks.index.streams import streams
from benchmarks.index.workbench import (
    TIMED_QUERIES,
    Figures,
    K,
    checked,
    ours,
    reads_by_number,
    same_bits,
    threads,
)

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.sets import Set
    from benchmarks.index.workbench import Workbench
    from benchmarks.report import Row

    from lookalike.core.types import Float32Array

TEN, WITHIN = "k=10", "within the tenth's distance"
KS = (1, 100)
MOST_AT_100 = 2.5
NOISE = 1.03  # two that do the same differ by chance


def more_neighbours(bench: Workbench) -> Iterator[Row]:
    """Measure k = 1, 10, 100 and a radius that holds ten rows, on each set."""
    for data in bench.sets.values():
        with threads(1):
            yield from _one_set(data, bench)
        bench.forget()


def _one_set(data: Set, bench: Workbench) -> Iterator[Row]:
    index, queries = bench.index(data), data.queries
    costs = {f"k={k}": checked(index, data, k) for k in (*KS, K)}
    truth = la.nearest_batch(queries[:TIMED_QUERIES], data.rows, K, metric=data.metric)
    radii: Float32Array = truth.distances[:, -1]
    within_bytes = _checked_within(index, data, radii)
    within = index.within

    def ask_within(number: int) -> object:
        return within(queries[number], radii[number], n_threads=1)

    calls = {
        **reads_by_number(data.rows),
        TEN: ours(index, queries),
        **{f"k={k}": ours(index, queries, k) for k in KS},
        WITHIN: ask_within,
    }
    times = streams(calls, TIMED_QUERIES, bench.rounds)
    figures = Figures(f"more neighbours, one thread: {data.label}", times, TEN, data.rows.nbytes)
    yield figures.read()
    for k in (KS[0], K, KS[1]):
        name = f"k={k}"
        details = costs[name].as_details()
        is_met = times.ratio(name, TEN) <= MOST_AT_100 if k == KS[1] else None
        target = f"at most {MOST_AT_100}x k=10" if k == KS[1] else ""
        read = costs[name].bytes_read
        yield figures.row(name, read, target=target, is_met=is_met, details=details)
    is_met = times.ratio(WITHIN, TEN) <= NOISE
    yield figures.row(WITHIN, within_bytes, target="no more than k=10", is_met=is_met)


def _checked_within(index: la.Index, data: Set, radii: Float32Array) -> float:
    """Fail unless our answers are the plain scan's; return the bytes read for one query."""
    read = []
    for query, radius in zip(data.queries, radii, strict=False):
        truth = la.within(query, data.rows, radius, metric=data.metric)
        found = index.within(query, radius, n_threads=1)
        same_bits(found, np.asarray(truth.ids), truth.distances)
        read.append(found.stats.bytes_read)
    return float(np.mean(read))
