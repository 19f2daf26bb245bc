"""How many rows the bounds leave, measured on a sample, for any number of dimensions read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lookalike.core.types import Float64Array

__all__ = ["CLIP_SIGMAS", "CODE_RANGE", "GRID", "Sample", "code_error", "shares_left"]

CODE_RANGE = 127
#: Values beyond this many standard deviations are clipped: about one in 15000 of a Gaussian.
CLIP_SIGMAS = 4.0
#: Shares are known for multiples of this many dimensions.
GRID = 8


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows and queries as the bounds see them.

    Attributes
    ----------
    rows : float64 array of shape (m, d)
        x' of some rows.
    row_norms2 : float64 array of shape (m,)
        |x~|^2.
    queries : float64 array of shape (n_queries, d)
        The queries' own x'.
    query_norms2 : float64 array of shape (n_queries,)
    limits : float64 array of shape (n_queries,)
        What a bound is compared with: |q-x|^2 of the k-th neighbour, or -q.x of it less
        q.mean.
    """

    rows: Float64Array
    row_norms2: Float64Array
    queries: Float64Array
    query_norms2: Float64Array
    limits: Float64Array


def code_error(sample: Sample, dims: int) -> float:
    """Return about how much of a row the codes of its first ``dims`` dimensions lose."""
    return _lost(float(np.square(sample.rows[:, :dims]).sum(axis=1).mean()))


def _lost(norm2: float) -> float:
    """Return the rounding error of values with this mean sum of squares, at their own step."""
    return CLIP_SIGMAS / CODE_RANGE * float(np.sqrt(norm2 / 12.0))


def shares_left(sample: Sample, *, is_product: bool) -> dict[int, float]:
    """Return the share of rows left by the bound from so many leading dimensions.

    Parameters
    ----------
    sample : Sample
    is_product : bool
        Whether bounds are those of the inner product.

    Returns
    -------
    dict of int to float
        For every multiple of GRID up to all dimensions, and for all of them.
    """
    n_dims = sample.rows.shape[1]
    rows = sample.rows.T.astype(np.float32)  # of a sample: shares need no more digits
    queries = sample.queries.T.astype(np.float32)
    products = np.zeros((queries.shape[1], rows.shape[1]), dtype=np.float32)
    rows2 = np.zeros(rows.shape[1], dtype=np.float32)
    queries2 = np.zeros(queries.shape[1], dtype=np.float32)
    shares = {}
    for first in range(0, n_dims, GRID):
        part, asked = rows[first : first + GRID], queries[first : first + GRID]
        products += asked.T @ part
        rows2 += np.square(part).sum(axis=0)
        queries2 += np.square(asked).sum(axis=0)
        dims = min(first + GRID, n_dims)
        error = _lost(float(rows2.mean()))
        bounds = _products if is_product else _distances
        left = bounds(sample, products, rows2, queries2, error) <= sample.limits[:, np.newaxis]
        shares[dims] = float(left.mean())
    return shares


def _tails(norms2: Float64Array, held2: np.ndarray) -> np.ndarray:
    tails: np.ndarray = np.sqrt(np.maximum(norms2 - held2, 0.0)).astype(np.float32)
    return tails


def _distances(
    sample: Sample, products: np.ndarray, rows2: np.ndarray, queries2: np.ndarray, error: float
) -> np.ndarray:
    between2 = queries2[:, np.newaxis] + rows2 - 2.0 * products
    between = np.maximum(np.sqrt(np.maximum(between2, 0.0)) - error, 0.0)
    query_tails = _tails(sample.query_norms2, queries2)
    gaps = query_tails[:, np.newaxis] - _tails(sample.row_norms2, rows2)
    bounds: np.ndarray = between * between + gaps * gaps
    return bounds


def _products(
    sample: Sample, products: np.ndarray, rows2: np.ndarray, queries2: np.ndarray, error: float
) -> np.ndarray:
    lost = np.sqrt(queries2) * np.float32(error)
    query_tails = _tails(sample.query_norms2, queries2)
    tails = query_tails[:, np.newaxis] * _tails(sample.row_norms2, rows2)
    bounds: np.ndarray = -products - lost[:, np.newaxis] - tails
    return bounds
