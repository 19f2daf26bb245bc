"""Other people's indexes, each asked in the fastest way it offers."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import faiss

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from benchmarks.index.sets import Set

    from lookalike.core.types import Float32Array

LEVELS = (8, 16, 32, 64)
BATCH_SIZES = (128, 512, 1024)  # 512 is FAISS's default
PCA_ROWS = 50_000
QUICK_QUERIES = 40
KEPT = 4
LEAST_AGREEMENT = 0.99  # of neighbours; those at the same distance may differ


def flat(data: Set) -> tuple[str, Any]:
    """Return FAISS's flat index of a set, and its name; cosine asks for unit rows."""
    if data.metric == "cosine":
        index, name = faiss.IndexFlatIP(data.dim), "FAISS IndexFlatIP"
    else:
        index, name = faiss.IndexFlatL2(data.dim), "FAISS IndexFlatL2"
    index.add(data.rows)
    return name, index


def panoramas(data: Set) -> dict[str, Any]:
    """Return the fastest of FAISS's Panorama indexes after a PCA, by name.

    All levels and batch sizes are tried on a few queries. Unit rows may be compared by euclidean
    distance or by inner product, and both are tried. The rotation of the query is part of the
    index.
    """
    pca = faiss.PCAMatrix(data.dim, data.dim)
    pca.train(data.rows[:: max(1, len(data.rows) // PCA_ROWS)])
    kinds = [(faiss.IndexFlatL2Panorama, pca)]
    if data.metric == "cosine":
        kinds.append((faiss.IndexFlatIPPanorama, _rotation_only(pca)))
    quick: dict[str, float] = {}
    kept: dict[str, Any] = {}
    for kind, transform in kinds:
        rotated = transform.apply(data.rows)
        for levels, batch_size in ((a, b) for a in LEVELS for b in BATCH_SIZES):
            inner = kind(data.dim, levels, batch_size)
            inner.add(rotated)
            index = faiss.IndexPreTransform(transform, inner)
            name = f"FAISS {kind.__name__} {levels} levels of {batch_size}"
            kept[name], quick[name] = index, _quick(index, data.queries)
            for slow in sorted(kept, key=quick.__getitem__)[KEPT:]:
                del kept[slow]
    return {name: kept[name] for name in sorted(kept, key=quick.__getitem__)}


def asks(index: Any, queries: Float32Array, k: int) -> Callable[[int], object]:  # noqa: ANN401 - untyped
    """Return a call that asks a FAISS index a query by its number."""
    ones = [query.reshape(1, -1) for query in queries]
    search = index.search
    return lambda number: search(ones[number], k)


def check_ids(name: str, theirs: np.ndarray, truth: np.ndarray) -> None:
    """Fail unless an exact peer found the true neighbours."""
    both = zip(theirs.tolist(), truth.tolist(), strict=True)
    same = sum(len(set(a) & set(b)) for a, b in both) / truth.size
    if same < LEAST_AGREEMENT:
        raise AssertionError(f"{name}: only {same:.1%} of the neighbours are the true ones")


def _rotation_only(pca: Any) -> Any:  # noqa: ANN401 - untyped
    """Return the rotation of a PCA without its centring, which would change inner products."""
    rotation = faiss.LinearTransform(pca.d_in, pca.d_out, False)
    faiss.copy_array_to_vector(faiss.vector_to_array(pca.A), rotation.A)
    rotation.is_trained = True
    return rotation


def _quick(index: Any, queries: Float32Array) -> float:  # noqa: ANN401 - untyped
    ask = asks(index, queries, 10)
    taken = []
    for number in range(QUICK_QUERIES):
        started = time.perf_counter()
        ask(number)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
