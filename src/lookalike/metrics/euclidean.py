"""Euclidean distance: sqrt(sum((q - x)**2)), a true root, in [0, inf)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lookalike.metrics.metric import Metric
from lookalike.metrics.sqeuclidean import SQEUCLIDEAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lookalike.core.types import Float64Array

__all__ = ["EUCLIDEAN"]


def _reference(query: Sequence[float], member: Sequence[float]) -> float:
    return math.sqrt(SQEUCLIDEAN.reference(query, member))


def _score(query: Float64Array, rows: Float64Array) -> Float64Array:
    roots: Float64Array = np.sqrt(SQEUCLIDEAN.score(query, rows))
    return roots


EUCLIDEAN = Metric("euclidean", 1, _reference, _score)
