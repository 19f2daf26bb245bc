"""The three implementations of a scan, behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lookalike.core.errors import ParameterError
from lookalike.scan.compiled import Compiled
from lookalike.scan.interpreted import naive, vectorised

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, Int64Array, NumberArray
    from lookalike.metrics import Metric

__all__ = ["Backend", "backend_named"]


class Backend(Protocol):
    """What an implementation provides; inputs are checked, ``queries`` is float32."""

    def score_all(
        self, queries: Float32Array, group: NumberArray, metric: Metric, out: Float32Array
    ) -> None:
        """Write every distance to ``out`` of shape (n_queries, n)."""

    def nearest(
        self, queries: Float32Array, group: NumberArray, metric: Metric, k: int
    ) -> tuple[Int64Array, Float32Array]:
        """Return ids and distances (n_queries, k), padded with -1 and inf."""

    def within(
        self, queries: Float32Array, group: NumberArray, metric: Metric, radius: float
    ) -> list[tuple[Int64Array, Float32Array]]:
        """Return, per query, ids and distances of the rows with distance <= radius."""


def backend_named(implementation: str, n_threads: int) -> Backend:
    """Return the implementation called ``compiled``, ``numpy`` or ``naive``.

    Raises
    ------
    ParameterError
        It is none of these.
    """
    if implementation == "compiled":
        return Compiled(n_threads)
    if implementation == "numpy":
        return vectorised()
    if implementation == "naive":
        return naive()
    raise ParameterError(
        f"implementation {implementation!r} is not one of 'compiled', 'numpy', 'naive'"
    )
