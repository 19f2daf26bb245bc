"""A thousand queries at once, both threads: ours, FAISS flat, hnswlib."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.bandwidth import reads
from benchmarks.index.hnsw import SWEEP, graph_of
from benchmarks.index.peers import check_ids, flat
from benchmarks.index.workbench import Figures, K, same_bits, threads
from benchmarks.timing import interleaved

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.sets import Set
    from benchmarks.index.workbench import Workbench
    from benchmarks.report import Row

OURS = "ours"
THREADS = 2
RECALL = 0.99  # of hnswlib's point
LEAST_OVER_FLAT = {"Fashion-MNIST": 10.0, "CNN": 6.0}


def batches(bench: Workbench) -> Iterator[Row]:
    """Measure each set."""
    for name, data in bench.sets.items():
        with threads(THREADS):
            yield from _one_set(name, data, bench)
        bench.forget()


def _one_set(name: str, data: Set, bench: Workbench) -> Iterator[Row]:
    index, graph = bench.index(data), graph_of(data, bench.cache)
    truth = la.nearest_batch(data.queries, data.rows, K, metric=data.metric)
    found = index.search_batch(data.queries, k=K, n_threads=THREADS)
    same_bits(found, truth.ids, truth.distances)
    peers = data.normalised() if data.metric == "cosine" else data
    flat_name, faiss_flat = flat(peers)
    check_ids(flat_name, faiss_flat.search(peers.queries, K)[1], truth.ids)
    ef = graph.least_ef.get(RECALL, max(SWEEP))
    hnswlib = f"hnswlib ef={ef}: recall {graph.recalls[ef]:.4f}"
    plain = "our plain scan (nearest_batch)"
    times = interleaved(
        {
            **reads(data.rows, THREADS),
            OURS: partial(index.search_batch, data.queries, k=K, n_threads=THREADS),
            plain: partial(
                la.nearest_batch,
                data.queries,
                data.rows,
                K,
                metric=data.metric,
                n_threads=THREADS,
            ),
            flat_name: partial(faiss_flat.search, peers.queries, K),
            hnswlib: graph.asks_all(ef, THREADS),
        },
        bench.rounds,
    )
    section = f"{len(data.queries)} queries at once, k={K}, {THREADS} threads: {data.label}"
    figures = Figures(section, times, OURS, data.rows.nbytes, THREADS)
    yield figures.read()
    yield figures.row(OURS, found.stats.bytes_read, details={"plan": found.plan})
    yield figures.row(plain)
    yield figures.at_least(flat_name, LEAST_OVER_FLAT.get(name))
    decides = name in LEAST_OVER_FLAT
    is_met = times.ratio(hnswlib, OURS) > 1.0 if decides else None
    target = "slower than ours" if decides else ""
    yield figures.row(hnswlib, target=target, is_met=is_met, details={"ef": ef})
