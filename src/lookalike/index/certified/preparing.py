"""Rows on their way to codes: chosen, scaled, centred, in float64.

Codes describe x~ = unit * x - mean, for cosine x / |x| - mean. ``unit`` is a power of two
that brings usual norms near 1, so that float32 never overflows or underflows on the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lookalike.core.types import (
        BoolArray,
        Float64Array,
        Int64Array,
        NumberArray,
    )
    from lookalike.metrics import Metric

__all__ = ["Preparation", "prepare"]

_CHUNK_BYTES = 16 << 20
#: Rows this many times farther out than the median row get no codes: they would make the
#: steps of all others coarse. No more than this share of the rows.
_FAR_OUT = 16.0
_MOST_FAR_OUT = 0.01
#: No codes beyond this many units, where float32 would not carry the bounds.
_FARTHEST = 2.0**30


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """Which rows get codes, and how they are scaled.

    Attributes
    ----------
    rows : array of shape (n, dim)
    metric : Metric
    coded : int64 array
        Rows that get codes, ascending.
    uncoded : uint32 array
        Rows that are scored for every query.
    zeros : uint32 array
        All-zero rows (cosine): exactly 1 from everything.
    unit : float
        A power of two; 1 for cosine.
    largest_row : float
        At least the norm of every row, as it is.
    """

    rows: NumberArray
    metric: Metric
    coded: Int64Array
    uncoded: NumberArray
    zeros: NumberArray
    unit: float
    largest_row: float

    def scaled(self, rows: Int64Array) -> Float64Array:
        """Return some rows as unit * x, or x / |x| for cosine, in float64."""
        with np.errstate(all="ignore"):
            values = self.rows[rows].astype(np.float32).astype(np.float64)
        if self.metric.name == "cosine":
            values /= np.sqrt(np.einsum("ij,ij->i", values, values))[:, np.newaxis]
        else:
            values *= self.unit
        return values


def prepare(rows: NumberArray, metric: Metric, alive: BoolArray | None) -> Preparation:
    """Return which rows get codes, from one look at the norm of each.

    Parameters
    ----------
    rows : array of shape (n, dim)
        Finite, of any real dtype.
    metric : Metric
    alive : bool array of shape (n,), optional
        Dead rows get no codes: they are never asked for.
    """
    norms = _norms(rows)
    living = np.ones(norms.size, dtype=np.bool_) if alive is None else alive.copy()
    largest = float(norms[living].max(initial=0.0)) * (1.0 + 2.0**-20)
    zeros = np.zeros_like(living)
    uncoded = np.zeros_like(living)
    unit = 1.0
    if metric.name == "cosine":
        zeros = living & (norms == 0.0)
    else:
        positive = norms[living & (norms > 0.0)]
        middle = float(np.median(positive)) if positive.size else 1.0
        unit = 2.0 ** -round(math.log2(middle))
        far = living & (norms > _FAR_OUT * middle)
        if far.sum() <= _MOST_FAR_OUT * living.sum():
            uncoded |= far
        uncoded |= living & (norms * unit > _FARTHEST)
    coded = np.flatnonzero(living & ~zeros & ~uncoded)
    return Preparation(
        rows,
        metric,
        coded,
        np.flatnonzero(uncoded).astype(np.uint32),
        np.flatnonzero(zeros).astype(np.uint32),
        unit,
        largest,
    )


def _norms(rows: NumberArray) -> Float64Array:
    norms = np.empty(rows.shape[0], dtype=np.float64)
    step = max(1, _CHUNK_BYTES // (8 * rows.shape[1]))
    for start in range(0, rows.shape[0], step):
        values = rows[start : start + step].astype(np.float32).astype(np.float64)
        norms[start : start + step] = np.sqrt(np.einsum("ij,ij->i", values, values))
    return norms
