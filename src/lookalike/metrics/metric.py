"""What a metric is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lookalike.core.types import Float64Array

__all__ = ["Metric"]

Reference: TypeAlias = Callable[[Sequence[float], Sequence[float]], float]
Score: TypeAlias = Callable[[Float64Array, Float64Array], Float64Array]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name : str
        As users type it.
    code : int
        Its number in the compiled engine (cpp/engine/metric.hpp).
    reference : callable
        ``(query, member) -> float``: the naive loop over Python floats, the oracle.
    score : callable
        ``(query (dim,), rows (n, dim)) -> (n,)``, all float64: vectorised NumPy. Each
        row's sum depends on that row alone, so chunks do not show in the result.
    """

    name: str
    code: int
    reference: Reference
    score: Score
