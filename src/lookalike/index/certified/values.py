"""Codes of rotated values: euclidean, sqeuclidean, cosine and inner product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lookalike.core.errors import RangeError
from lookalike.index.certified.chunks import chunk_shares
from lookalike.index.certified.encoder import ValueEncoder
from lookalike.index.certified.ordering import clustered_order
from lookalike.index.certified.planning import Costs, choose_layout
from lookalike.index.certified.rotation import principal_components
from lookalike.index.certified.survival import Sample, shares_left
from lookalike.scan import nearest_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import Float32Array, Float64Array, Int64Array, MetricName
    from lookalike.index.certified.planning import Layout
    from lookalike.index.certified.preparing import Preparation

__all__ = ["encode_values"]

_SEED = 0
_SAMPLE_ROWS = 8192
_SURVIVAL_ROWS = 2048
_SURVIVAL_QUERIES = 64
_PLANNED_K, _MOST_PLANNED_K, _FEW = 10, 100, 4
_MOST_ROTATED = 2048
_ORDER_DIMS = 32
_CHUNK_ROWS = 4096


def encode_values(
    prepared: Preparation, n_threads: int, progress: ProgressCallback, layout: Layout | None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return the arrays and the plan of the codes; None where they would not pay.

    ``layout`` is used where it is given, else chosen by measuring.
    """
    rng = np.random.default_rng(_SEED)
    size = min(prepared.coded.size, _SAMPLE_ROWS)
    chosen = rng.choice(prepared.coded, size, replace=False)
    scaled = prepared.scaled(chosen)
    mean = scaled.mean(axis=0).astype(np.float32)
    centred = scaled - mean
    components, _ = principal_components(centred)
    limits = _limits(prepared, chosen[:_SURVIVAL_QUERIES], mean, n_threads)
    rotated = _sample(prepared, centred, components[:_MOST_ROTATED], mean, limits)
    plain = _sample(prepared, centred, None, mean, limits)
    points, norms2 = _leading(prepared, mean, components[:_ORDER_DIMS])
    order = clustered_order(points, _SEED)
    if layout is None:
        is_product = prepared.metric.name == "inner_product"
        layout = choose_layout(
            Costs(order.size, mean.size, mean.size * prepared.rows.itemsize),
            shares_left(rotated, is_product=is_product),
            chunk_shares(points, norms2, order, rotated, is_product=is_product),
            shares_left(plain, is_product=is_product)[mean.size],
        )
    if layout is None:
        return None
    if not layout.is_rotated:
        order = np.arange(order.size)  # such heads are read whole: better as the rows lie
    sample = rotated if layout.is_rotated else plain
    encoder = ValueEncoder(prepared, mean, components, layout, sample, n_threads)
    return encoder.run(prepared.coded[order], progress)


def _leading(
    prepared: Preparation, mean: Float32Array, components: Float64Array
) -> tuple[Float32Array, Float64Array]:
    """Return the leading components of all coded rows, and |x~|^2."""
    n = prepared.coded.size
    points = np.empty((n, components.shape[0]), dtype=np.float32)
    norms2 = np.empty(n, dtype=np.float64)
    directions = np.ascontiguousarray(components.T, dtype=np.float32)
    for start in range(0, n, _CHUNK_ROWS):
        rows = prepared.coded[start : start + _CHUNK_ROWS]
        values = prepared.scaled(rows).astype(np.float32)
        values -= mean
        points[start : start + rows.size] = values @ directions
        norms2[start : start + rows.size] = np.einsum("ij,ij->i", values, values)
    return points, norms2


def _limits(
    prepared: Preparation, queries: Int64Array, mean: Float32Array, n_threads: int
) -> Float64Array:
    """Return what the bounds of each query are compared with, for its k-th neighbour.

    Every fourth k is 100, the others are 10: what is cheapest for k=10 alone would read too
    many rows for a larger one.
    """
    name = prepared.metric.name
    with np.errstate(all="ignore"):
        values = prepared.rows[queries].astype(np.float32)
    itself = int(name != "inner_product")  # a stored row is its own nearest
    k = min(_MOST_PLANNED_K + itself, prepared.rows.shape[0])
    try:
        found = nearest_batch(
            values, prepared.rows, k, metric=cast("MetricName", name), n_threads=n_threads
        )
    except RangeError:  # of rows as queries; what will be asked may be nearer
        return np.full(queries.size, np.inf)
    kth = found.distances[:, min(_PLANNED_K + itself, k) - 1].astype(np.float64)
    kth[::_FEW] = found.distances[::_FEW, k - 1]
    if name == "euclidean":
        return np.square(kth * prepared.unit)
    if name == "sqeuclidean":
        return kth * prepared.unit**2
    if name == "cosine":
        return 2.0 * kth
    norms = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    norms = np.maximum(norms, np.finfo(np.float64).tiny)
    shifts: Float64Array = (values / norms[:, np.newaxis]) @ mean
    limits: Float64Array = kth * prepared.unit / norms + shifts
    return limits


def _sample(
    prepared: Preparation,
    centred: Float64Array,
    components: Float64Array | None,
    mean: Float32Array,
    limits: Float64Array,
) -> Sample:
    """Return the first rows as queries, and others as rows where there are enough."""
    queries = centred[:_SURVIVAL_QUERIES]
    rows = centred[-_SURVIVAL_ROWS:]
    if prepared.metric.name == "inner_product":
        queries = queries + mean
        queries = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-300)
    norms2 = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", queries, queries)
    if components is not None:
        rows, queries = rows @ components.T, queries @ components.T
    return Sample(rows, norms2[0], queries, norms2[1], limits)
