"""Distances side by side: ours, NumPy, FAISS, SciPy, scikit-learn and SimSIMD.

Run with ``make bench``. The group is Fashion-MNIST where the measuring data lies beside the
checkout, else as many random rows. Prints medians of milliseconds, the ratio to ours, and
our share of the read bandwidth measured in the same run.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import faiss
import numpy as np
import simsimd
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable

    from lookalike.core.types import Float32Array, MetricName

DATA = Path(__file__).parents[2] / "shared" / "data" / "fashion_mnist_784.npz"


def load() -> tuple[Float32Array, Float32Array]:
    if DATA.exists():
        with np.load(DATA) as file:
            return file["base"].astype(np.float32), file["queries"][:1000].astype(np.float32)
    rng = np.random.default_rng(0)
    rows = rng.random((61000, 784), dtype=np.float32)
    return rows[:60000], rows[60000:]


def median_ms(call: Callable[[], object], repeats: int = 9) -> float:
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:])) * 1e3


def time_ours(
    query: Float32Array, group: Float32Array, metric: MetricName, n_threads: int
) -> float:
    return median_ms(lambda: la.distances(query, group, metric=metric, n_threads=n_threads))


def main() -> None:
    group, queries = load()
    query, one = queries[0], queries[:1]
    faiss.omp_set_num_threads(1)
    read_ms = median_ms(lambda: group.view(np.uint64).max())
    print(f"kernel level {la.kernels.active()}; a read of all rows takes {read_ms:.2f} ms")

    peers: dict[MetricName, dict[str, Callable[[], object]]] = {
        "euclidean": {
            "numpy": lambda: np.linalg.norm(group - query, axis=1),
            "scipy": lambda: cdist(one, group),
            "sklearn": lambda: pairwise_distances(one, group),
            "faiss": lambda: faiss.pairwise_distances(one, group),
            "simsimd": lambda: simsimd.cdist(one, group, "sqeuclidean"),
        },
        "cosine": {
            "numpy": lambda: (
                1 - group @ query / (np.linalg.norm(group, axis=1) * np.linalg.norm(query))
            ),
            "scipy": lambda: cdist(one, group, "cosine"),
            "sklearn": lambda: pairwise_distances(one, group, metric="cosine"),
            "simsimd": lambda: simsimd.cdist(one, group, "cosine"),
        },
        "manhattan": {
            "numpy": lambda: np.abs(group - query).sum(axis=1),
            "scipy": lambda: cdist(one, group, "cityblock"),
            "sklearn": lambda: pairwise_distances(one, group, metric="manhattan"),
            "faiss": lambda: faiss.pairwise_distances(one, group, metric=faiss.METRIC_L1),
        },
    }
    for metric, others in peers.items():
        ours = [time_ours(query, group, metric, n_threads) for n_threads in (1, 2)]
        rate = group.nbytes / ours[0] / 1e6
        print(f"{metric:10} ours {ours[0]:8.2f} ms  {rate:.1f} GB/s  two threads {ours[1]:.2f} ms")
        for name, call in others.items():
            taken = median_ms(call, 5)
            print(f"{'':10} {name:8} {taken:8.2f} ms  {taken / ours[0]:.2f}x ours")

    faiss.omp_set_num_threads(2)
    flat = faiss.IndexFlatL2(group.shape[1])
    flat.add(group)
    ours_batch = median_ms(lambda: la.nearest_batch(queries, group, 10, metric="euclidean"), 5)
    theirs = median_ms(lambda: flat.search(queries, 10), 5)
    print(f"1000 queries, k=10: ours {ours_batch:.0f} ms, FAISS {theirs:.0f} ms")


if __name__ == "__main__":
    main()
