"""The nearest of many queries at once, beside FAISS's flat indexes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import faiss
from benchmarks.report import Row
from benchmarks.timing import interleaved

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from lookalike.core.types import Float32Array, MetricName

K = 10
THREADS = 2
LEAST_AGREEMENT = 0.99  # of ids; those at the same distance may differ


def batches(name: str, queries: Float32Array, group: Float32Array, rounds: int) -> Iterator[Row]:
    """Measure every metric that a flat index has."""
    faiss.omp_set_num_threads(THREADS)
    dim = group.shape[1]
    metrics: dict[MetricName, tuple[str, int]] = {
        "euclidean": ("IndexFlatL2", faiss.METRIC_L2),
        "cosine": ("IndexFlatIP, normalised before", faiss.METRIC_INNER_PRODUCT),
        "inner_product": ("IndexFlatIP", faiss.METRIC_INNER_PRODUCT),
        "manhattan": ("IndexFlat L1", faiss.METRIC_L1),
    }
    for metric, (index_name, number) in metrics.items():
        asked, rows = queries, group
        if metric == "cosine":
            asked, rows = queries.copy(), group.copy()
            faiss.normalize_L2(asked)
            faiss.normalize_L2(rows)
        flat = faiss.IndexFlat(dim, number)
        flat.add(rows)
        ours = partial(la.nearest_batch, queries, group, K, metric=metric, n_threads=THREADS)
        _check_answers(ours().ids, flat.search(asked, K)[1])
        times = interleaved({"ours": ours, "FAISS": partial(flat.search, asked, K)}, rounds)
        section = f"{len(queries)} queries, k={K}, {THREADS} threads, {name}"
        ratio = times.ratio("FAISS", "ours")
        is_target = metric == "euclidean"
        yield Row(section, f"{metric}, ours", times.median("ours"), ratio=1.0)
        yield Row(
            section,
            f"{metric}, FAISS {index_name}",
            times.median("FAISS"),
            ratio=ratio,
            target="not faster than ours" if is_target else "",
            is_met=ratio >= 1.0 if is_target else None,
        )


def _check_answers(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Fail unless both found the same neighbours."""
    both = zip(ours.tolist(), theirs.tolist(), strict=True)
    same = sum(len(set(a) & set(b)) for a, b in both) / ours.size
    if same < LEAST_AGREEMENT:
        raise AssertionError(f"only {same:.1%} of the neighbours are FAISS's")
