"""Mahalanobis distance with a shrunk covariance.

Source: O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
matrices", Journal of Multivariate Analysis 88 (2004) 365-411.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import DegenerateGroupError

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, Float64Array, NumberArray

__all__ = ["mahalanobis_distance"]

_LEAST_RIDGE = 1e-12  # of the mean variance: below it the estimate is singular in float64


def mahalanobis_distance(query: Float32Array, rows: NumberArray) -> float:
    """Return sqrt((q - m) C^-1 (q - m)) with m the mean and C the shrunk covariance.

    C = (1 - s) S + s t I, with S the covariance (divisor n), t = trace(S) / dim, and the
    shrinkage s in [0, 1] that minimises the expected squared error.

    Parameters
    ----------
    query : float32 array of shape (dim,)
    rows : array of shape (n, dim), finite

    Returns
    -------
    float
        0 for the mean itself.

    Raises
    ------
    DegenerateGroupError
        The members leave the covariance singular: all equal, or two in many dimensions.

    Notes
    -----
    Works in the smaller of the two spaces (n x n or dim x dim): O(n dim min(n, dim)).
    """
    values = rows.astype(np.float32).astype(np.float64)
    n, dim = values.shape
    mean = values.mean(axis=0)
    centred = values - mean
    if not np.ptp(values, axis=0).any():
        raise DegenerateGroupError(
            f"the {n} member(s) of the group are equal: mahalanobis needs at least two "
            "different ones; use linkage='centroid'"
        )
    difference = query.astype(np.float64) - mean
    shrinkage, target = _shrinkage(centred)
    ridge = shrinkage * target
    weight = (1.0 - shrinkage) / n
    if ridge <= _LEAST_RIDGE * target and n <= dim:
        raise DegenerateGroupError(
            f"the {n} members of the group leave its covariance singular even when shrunk: "
            "mahalanobis needs more different members; use linkage='centroid'"
        )
    if weight == 0.0:
        return float(np.sqrt(difference @ difference / ridge))
    if n >= dim:
        covariance = weight * (centred.T @ centred) + ridge * np.eye(dim)
        squared = float(difference @ np.linalg.solve(covariance, difference))
    else:  # Woodbury: invert an n x n matrix instead
        projected = centred @ difference
        inner = ridge / weight * np.eye(n) + centred @ centred.T
        correction = projected @ np.linalg.solve(inner, projected)
        squared = float((difference @ difference - correction) / ridge)
    return float(np.sqrt(max(squared, 0.0)))


def _shrinkage(centred: Float64Array) -> tuple[float, float]:
    """Return (s, t): sums of squares of S come from the smaller Gram matrix."""
    n, dim = centred.shape
    small = centred @ centred.T if n < dim else centred.T @ centred
    frobenius = float((small * small).sum()) / n**2  # of S, the same in both spaces
    trace = float(np.trace(small)) / n
    target = trace / dim
    fourth = float(((centred * centred).sum(axis=1) ** 2).sum()) / n
    spread = (fourth - frobenius) / n
    distance = frobenius - dim * target**2
    shrinkage = 1.0 if distance <= 0.0 else min(1.0, max(0.0, spread / distance))
    return shrinkage, target
