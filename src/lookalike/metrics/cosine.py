"""Cosine distance: 1 - q.x / (|q||x|), in [0, 2]; 1.0 where either is all zeros."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lookalike.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lookalike.core.types import Float64Array

__all__ = ["COSINE"]


def _reference(query: Sequence[float], member: Sequence[float]) -> float:
    dot = math.fsum(q * x for q, x in zip(query, member, strict=True))
    query_norm = math.fsum(q * q for q in query)
    norm = math.fsum(x * x for x in member)
    if query_norm == 0.0 or norm == 0.0:
        return 1.0
    return min(2.0, max(0.0, 1.0 - dot / math.sqrt(query_norm * norm)))


def _score(query: Float64Array, rows: Float64Array) -> Float64Array:
    dots: Float64Array = (rows * query).sum(axis=1)
    norms: Float64Array = (rows * rows).sum(axis=1) * (query * query).sum()
    cosines = np.divide(dots, np.sqrt(norms), out=np.zeros_like(dots), where=norms > 0.0)
    return np.clip(1.0 - cosines, 0.0, 2.0)


COSINE = Metric("cosine", 0, _reference, _score)
