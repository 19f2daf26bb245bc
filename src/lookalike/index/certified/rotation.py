"""The rotation: principal components of a sample, mixed within each level.

Leading components hold most of what tells rows apart, so that few codes bound most
distances. Mixing the components of a level by a random rotation gives them one variance,
so that one step serves all of them and no single one needs to be clipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lookalike.core.types import Float32Array, Float64Array

__all__ = ["kappa_of", "mixed", "principal_components"]


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


def mixed(components: Float64Array, widths: Sequence[int], seed: int) -> Float32Array:
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
    return np.ascontiguousarray(np.concatenate(parts), dtype=np.float32)


def kappa_of(projection: Float32Array) -> float:
    """Return at least the spectral norm of P P' - I: how far P is from orthonormal rows."""
    wide = projection.astype(np.float64)
    excess = wide @ wide.T - np.eye(wide.shape[0])
    # A sum of dim products is within dim * 2^-53 of exact, and a matrix of so many such sums
    # within as many times that; the eigenvalues of one so small lose nothing beside it.
    margin = 1e-9 + wide.size * 2.0**-53
    return float(np.abs(np.linalg.eigvalsh(excess)).max(initial=0.0)) + margin
