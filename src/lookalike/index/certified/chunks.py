"""How many chunks their bounds leave, measured for some queries over the whole collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.kernels import _compiled

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, Float64Array, Int64Array
    from lookalike.index.certified.survival import Sample

__all__ = ["chunk_shares"]

_DIMS = (8, 16, 32)


def chunk_shares(
    points: Float32Array,
    norms2: Float64Array,
    order: Int64Array,
    sample: Sample,
    *,
    is_product: bool,
) -> dict[int, float]:
    """Return, for some numbers of dimensions, the share of rows in chunks that are left.

    Parameters
    ----------
    points : float32 array of shape (n, d)
        Leading components of all coded rows.
    norms2 : float64 array of shape (n,)
        |x~|^2 of them.
    order : int64 array of shape (n,)
        Which point comes at which position.
    sample : Sample
        Whose queries and limits are used.
    is_product : bool
        Whether bounds are those of the inner product.
    """
    starts = np.arange(0, order.size, _compiled.CHUNK_ROWS)
    sizes = np.diff(np.append(starts, order.size))
    ordered = points[order]
    shares = {}
    for dims in _DIMS:
        if dims > points.shape[1]:
            break
        head = ordered[:, :dims]
        centres = np.add.reduceat(head, starts, axis=0) / sizes[:, np.newaxis]
        apart = np.linalg.norm(head - np.repeat(centres, sizes, axis=0), axis=1)
        radii = np.maximum.reduceat(apart, starts)
        tails = np.sqrt(np.maximum(norms2[order] - np.square(head).sum(axis=1), 0.0))
        low, high = np.minimum.reduceat(tails, starts), np.maximum.reduceat(tails, starts)
        queries = sample.queries[:, :dims]
        rest = sample.query_norms2 - np.square(queries).sum(axis=1)
        query_tails = np.sqrt(np.maximum(rest, 0.0))[:, np.newaxis]
        products = queries @ centres.T
        if is_product:
            norms = np.linalg.norm(queries, axis=1)[:, np.newaxis]
            bounds = -products - norms * radii - query_tails * high
        else:
            between2 = np.square(queries).sum(axis=1)[:, np.newaxis] - 2.0 * products
            between = np.sqrt(np.maximum(between2 + np.square(centres).sum(axis=1), 0.0))
            gaps = np.maximum(np.maximum(query_tails - high, low - query_tails), 0.0)
            bounds = np.square(np.maximum(between - radii, 0.0)) + np.square(gaps)
        left = bounds <= sample.limits[:, np.newaxis]
        shares[dims] = float((left * sizes).sum(axis=1).mean() / order.size)
    return shares
