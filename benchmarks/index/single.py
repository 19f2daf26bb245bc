"""One query, one thread: ours, FAISS flat, FAISS Panorama, hnswlib, and the memory's speed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.index.hnsw import SWEEP, graph_of
from benchmarks.index.peers import asks, check_ids, flat, panoramas
from benchmarks.index.streams import cold, streams
from benchmarks.index.workbench import (
    TIMED_QUERIES,
    WARM_BYTES,
    Figures,
    K,
    checked,
    ours,
    reads_by_number,
    threads,
    warm_read,
)
from benchmarks.report import Row

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.hnsw import Graph
    from benchmarks.index.sets import Set
    from benchmarks.index.workbench import Ask, Workbench

    from lookalike.core.types import IdArray

COLD_QUERIES = 100
OURS = "ours, k=10"
WARM = "a warm read of as many bytes as ours"
LEAST_OVER_FLAT = {"Fashion-MNIST": 40.0, "CNN": 20.0, "SIFT": 8.0}
LEAST_OVER_PANORAMA = {"Fashion-MNIST": 4.0, "CNN": 6.0, "SIFT": 3.0}
HNSWLIB_RECALL = {"Fashion-MNIST": 0.999, "CNN": 0.99}  # to be faster than


def single(bench: Workbench) -> Iterator[Row]:
    """Measure each set."""
    for name, data in bench.sets.items():
        with threads(1):
            yield from _one_set(name, data, bench)
        bench.forget()


def _one_set(name: str, data: Set, bench: Workbench) -> Iterator[Row]:
    index, graph = bench.index(data), graph_of(data, bench.cache)
    cost = checked(index, data)
    peers, queries = data.normalised() if data.metric == "cosine" else data, data.queries
    truth = la.nearest_batch(queries[:TIMED_QUERIES], data.rows, K, metric=data.metric).ids
    flat_name, flat_asks = _flat(peers, truth)
    panorama_asks = _panoramas(peers, truth)
    points = _points(graph)
    contenders = {
        OURS: ours(index, queries),
        flat_name: flat_asks,
        **panorama_asks,
        **{point: graph.asks(ef) for point, ef in points.items()},
    }
    reads = {**reads_by_number(data.rows), WARM: warm_read(cost.bytes_read)}
    times = streams({**reads, **contenders}, TIMED_QUERIES, bench.rounds)
    section = f"single query, k=10, one thread: {data.label}"
    figures = Figures(section, times, OURS, data.rows.nbytes)
    yield figures.read()
    yield figures.row(WARM, max(WARM_BYTES, cost.bytes_read))
    details = {**cost.as_details(), "ms_95th": times.high(OURS), "explain": index.explain()}
    yield figures.row(OURS, cost.bytes_read, details=details)
    yield figures.at_least(flat_name, LEAST_OVER_FLAT[name], data.rows.nbytes)
    best = times.fastest(*panorama_asks)
    yield figures.at_least(best, LEAST_OVER_PANORAMA[name])
    yield from (figures.row(other) for other in panorama_asks if other != best)
    yield from _hnswlib(figures, graph, points, HNSWLIB_RECALL.get(name))
    marks = [point for point, ef in points.items() if ef in graph.least_ef.values()]
    compared = {one: contenders[one] for one in (OURS, best, *marks)}
    yield from _cold(section, compared, cost.bytes_read, data)


def _hnswlib(
    figures: Figures, graph: Graph, points: dict[str, int], wanted: float | None
) -> Iterator[Row]:
    """Return the curve; its point at the wanted recall must be slower than ours."""
    for point, ef in points.items():
        decides = wanted is not None and ef == graph.least_ef.get(wanted)
        is_met = figures.times.ratio(point, OURS) > 1.0 if decides else None
        target = f"slower than ours at recall {wanted}" if decides else ""
        details: dict[str, object] = {
            "ef": ef,
            "recall": graph.recalls[ef],
            "build_seconds": graph.build_seconds,
        }
        yield figures.row(point, target=target, is_met=is_met, details=details)


def _cold(section: str, contenders: dict[str, Ask], n_bytes: float, data: Set) -> Iterator[Row]:
    """Measure again with nothing of any contender left in the caches: no target, but the truth."""
    (empty, *_) = reads_by_number(data.rows).values()
    times = cold(contenders, partial(empty, 0), COLD_QUERIES)
    for name in contenders:
        taken = times.median(name)
        rate = n_bytes / taken / 1e6 if name == OURS else None
        ratio = times.ratio(name, OURS)
        yield Row(f"caches emptied before each call; {section}", name, taken, rate, ratio=ratio)


def _flat(data: Set, truth: IdArray) -> tuple[str, Ask]:
    name, index = flat(data)
    check_ids(name, index.search(data.queries[:TIMED_QUERIES], K)[1], truth)
    return name, asks(index, data.queries, K)


def _panoramas(data: Set, truth: IdArray) -> dict[str, Ask]:
    found = {}
    for name, index in panoramas(data).items():
        check_ids(name, index.search(data.queries[:TIMED_QUERIES], K)[1], truth)
        found[name] = asks(index, data.queries, K)
    return found


def _points(graph: Graph) -> dict[str, int]:
    """Return what to call hnswlib's settings, and their ``ef``: the curve and its two marks."""
    return {
        f"hnswlib ef={ef}: recall {recall:.4f}": ef
        for ef, recall in sorted(graph.recalls.items())
        if ef in SWEEP or ef in graph.least_ef.values()
    }
