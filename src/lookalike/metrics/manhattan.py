"""Manhattan distance: sum(|q - x|), in [0, inf)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lookalike.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lookalike.core.types import Float64Array

__all__ = ["MANHATTAN"]


def _reference(query: Sequence[float], member: Sequence[float]) -> float:
    return math.fsum(abs(q - x) for q, x in zip(query, member, strict=True))


def _score(query: Float64Array, rows: Float64Array) -> Float64Array:
    sums: Float64Array = np.abs(rows - query).sum(axis=1)
    return sums


MANHATTAN = Metric("manhattan", 3, _reference, _score)
