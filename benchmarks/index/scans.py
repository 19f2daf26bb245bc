"""One query beside the plain scans: Manhattan, hostile data, small and low-dimensional groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from benchmarks.index.peers import asks, check_ids, flat
from benchmarks.index.sets import Set, hostile, mixed, to_dimensions
from benchmarks.index.streams import streams
from benchmarks.index.workbench import (
    Figures,
    K,
    built,
    checked,
    ours,
    plain,
    reads_by_number,
    threads,
)
from scipy.spatial.distance import cdist

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.workbench import Ask, Workbench
    from benchmarks.report import Row

    from lookalike.core.types import MetricName

OURS, PLAIN, CDIST = "ours", "our plain scan (nearest)", "SciPy cdist cityblock, float64 rows"
QUERIES = 100
LEAST_OVER_PLAIN = {"Fashion-MNIST": 8.0, "CNN": 4.0}  # Manhattan
LEAST_OVER_CDIST = 40.0
MOST_OVER_PLAIN = 1.1  # on hostile data
HOSTILE_METRICS: tuple[MetricName, ...] = ("euclidean", "cosine", "inner_product", "manhattan")
SMALL_ROWS, LEAST_SMALL = 3000, 6.0
LOW_ROWS, LOW_DIM, LEAST_LOW = 400_000, 50, 2.0


def manhattan(bench: Workbench) -> Iterator[Row]:
    """Measure certified Manhattan beside the plain scan, and SciPy's on Fashion-MNIST."""
    for name, least in LEAST_OVER_PLAIN.items():
        data = bench.sets[name].of_metric("manhattan")
        with threads(1):
            others = {PLAIN: plain(data)}
            if name == "Fashion-MNIST":
                others[CDIST] = _cdist(data)
            figures, cost_rows = _beside("Manhattan, one thread", data, others, bench.rounds)
            yield from cost_rows
            yield figures.at_least(PLAIN, least, data.rows.nbytes)
            if CDIST in others:
                yield figures.at_least(CDIST, LEAST_OVER_CDIST)


def hostile_data(bench: Workbench) -> Iterator[Row]:
    """Measure rows on which no bound can help, beside the plain scan."""
    for kind in ("Gaussian", "sphere"):
        for metric in HOSTILE_METRICS:
            data = hostile(kind, metric)
            with threads(1):
                section = "hostile data, one thread"
                others = {PLAIN: plain(data)}
                figures, cost_rows = _beside(section, data, others, bench.rounds)
            yield from cost_rows
            slower = figures.times.ratio(OURS, PLAIN)
            target = f"ours at most {MOST_OVER_PLAIN}x its time; is {slower:.2f}x"
            is_met = slower <= MOST_OVER_PLAIN
            yield figures.row(PLAIN, data.rows.nbytes, target=target, is_met=is_met)


def small_groups(bench: Workbench) -> Iterator[Row]:
    """Measure a small group, and stand-ins for 400k word vectors: real rows, mixed and reduced."""
    cnn = bench.sets["CNN"]
    few = Set("CNN, the first rows", cnn.rows[:SMALL_ROWS], cnn.queries, cnn.metric)
    yield from _beside_flat(few, LEAST_SMALL, bench.rounds)
    for how in ("components", "projection"):
        reduced = to_dimensions(cnn.of_metric("euclidean"), LOW_DIM, how)
        yield from _beside_flat(mixed(reduced, LOW_ROWS), LEAST_LOW, bench.rounds)


def _beside_flat(data: Set, least: float, rounds: int) -> Iterator[Row]:
    peers = data.normalised() if data.metric == "cosine" else data
    name, index = flat(peers)
    truth = la.nearest_batch(data.queries[:QUERIES], data.rows, K, metric=data.metric).ids
    with threads(1):
        check_ids(name, index.search(peers.queries[:QUERIES], K)[1], truth)
        others = {name: asks(index, peers.queries, K)}
        section = "small and low-dimensional groups, one thread, call included"
        figures, cost_rows = _beside(section, data, others, rounds)
    yield from cost_rows
    yield figures.at_least(name, least, data.rows.nbytes)


def _beside(
    section: str, data: Set, others: dict[str, Ask], rounds: int
) -> tuple[Figures, list[Row]]:
    """Time ours beside others; return what makes their rows, and the rows of the read and ours."""
    index = built(data)
    cost = checked(index, data, n_queries=QUERIES)
    calls = {**reads_by_number(data.rows), OURS: ours(index, data.queries), **others}
    times = streams(calls, QUERIES, rounds)
    figures = Figures(f"{section}: {data.label}", times, OURS, data.rows.nbytes)
    details = {**cost.as_details(), "explain": index.explain()}
    return figures, [figures.read(), figures.row(OURS, cost.bytes_read, details=details)]


def _cdist(data: Set) -> Ask:
    """Return SciPy's distances to all rows, which are in its own float64 already."""
    rows, queries = data.rows.astype(np.float64), data.queries.astype(np.float64)
    return lambda number: cdist(queries[number : number + 1], rows, "cityblock")
