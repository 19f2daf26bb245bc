"""Squared euclidean distance: sum((q - x)**2), in [0, inf)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lookalike.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lookalike.core.types import Float64Array

__all__ = ["SQEUCLIDEAN"]


def _reference(query: Sequence[float], member: Sequence[float]) -> float:
    return math.fsum((q - x) * (q - x) for q, x in zip(query, member, strict=True))


def _score(query: Float64Array, rows: Float64Array) -> Float64Array:
    differences = rows - query
    sums: Float64Array = (differences * differences).sum(axis=1)
    return sums


SQEUCLIDEAN = Metric("sqeuclidean", 2, _reference, _score)
