"""Inner product as a distance: -q.x, any finite value; smaller is nearer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lookalike.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lookalike.core.types import Float64Array

__all__ = ["INNER_PRODUCT"]


def _reference(query: Sequence[float], member: Sequence[float]) -> float:
    return 0.0 - math.fsum(q * x for q, x in zip(query, member, strict=True))


def _score(query: Float64Array, rows: Float64Array) -> Float64Array:
    sums: Float64Array = (rows * query).sum(axis=1)
    return 0.0 - sums


INNER_PRODUCT = Metric("inner_product", 4, _reference, _score)
