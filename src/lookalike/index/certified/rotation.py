"""The rotation: principal components of a sample, mixed within each level.

Leading components hold most of what tells rows apart, so that few codes bound most
distances. Mixing the components of a level by a random rotation gives them one variance,
so that one step serves all of them and no single one needs to be clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lookalike.kernels import _compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lookalike.core.types import Float64Array

__all__ = ["Projection", "fixed_point", "mixed", "principal_components"]

_BITS = 13  # beside the sign


def principal_components(centred: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return all components as rows, strongest first, and their variances.

    Parameters
    ----------
    centred : float64 array of shape (m, dim)
        A sample, less its mean.

    Notes
    -----
    The covariance is summed in float32, twice as fast: any rotation is valid, this one
    only has to be good. Cost: O(m dim^2 + dim^3).
    """
    narrow = centred.astype(np.float32)
    covariance = (narrow.T @ narrow).astype(np.float64) / max(1, centred.shape[0])
    variances, vectors = np.linalg.eigh(covariance)
    return np.ascontiguousarray(vectors[:, ::-1].T), np.maximum(variances[::-1], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A projection in 16-bit fixed point, with rows that are nearly orthonormal.

    Fixed point makes products with a query, rounded to 16 bits too, exact integers, at half
    the memory and twice the speed of float32. What the rounding takes from orthonormality,
    ``kappa`` says, and every bound allows for it.

    Attributes
    ----------
    values : int16 array of shape (n_values, width)
        Padded with zeros from dim to a multiple of 64.
    scale : float
        A power of two: the rows of the projection are ``scale * values``.
    kappa : float
        At least the spectral norm of P P' - I.
    """

    values: NDArray[np.int16]
    scale: float
    kappa: float

    def wide(self, dim: int) -> Float64Array:
        """Return it in float64, exactly, of shape (n_values, dim)."""
        return self.values[:, :dim].astype(np.float64) * self.scale


def fixed_point(rows: Float64Array) -> Projection:
    """Return orthonormal rows as a projection of 14 bits and sign."""
    largest = float(np.abs(rows).max())
    scale = 2.0 ** (math.ceil(math.log2(largest)) - _BITS)
    width = -(-rows.shape[1] // _compiled.PROJECT_STEP) * _compiled.PROJECT_STEP
    values = np.zeros((rows.shape[0], width), dtype=np.int16)
    values[:, : rows.shape[1]] = np.rint(rows / scale)
    exact = Projection(values, scale, 0.0).wide(rows.shape[1])
    return Projection(values, scale, kappa_of(exact))


def mixed(components: Float64Array, widths: Sequence[int], seed: int) -> Float64Array:
    """Return the components with those of each level rotated among themselves.

    Parameters
    ----------
    components : float64 array of shape (at least sum(widths), dim)
    widths : sequence of int
        Components a level.
    seed : int
    """
    rng = np.random.default_rng(seed)
    parts, first = [], 0
    for width in widths:
        rotation, _ = np.linalg.qr(rng.standard_normal((width, width)))
        parts.append(rotation @ components[first : first + width])
        first += width
    return np.concatenate(parts)


def kappa_of(wide: Float64Array) -> float:
    """Return at least the spectral norm of P P' - I: how far P is from orthonormal rows."""
    excess = wide @ wide.T - np.eye(wide.shape[0])
    # A sum of dim products is within dim * 2^-53 of exact, and a matrix of so many such sums
    # within as many times that; the eigenvalues of one so small lose nothing beside it.
    margin = 1e-9 + wide.size * 2.0**-53
    return float(np.abs(np.linalg.eigvalsh(excess)).max(initial=0.0)) + margin
