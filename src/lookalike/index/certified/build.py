"""From rows to codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lookalike.index.certified.preparing import prepare
from lookalike.index.certified.sums import encode_sums
from lookalike.index.certified.values import encode_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import BoolArray, NumberArray
    from lookalike.index.certified.planning import Layout, SumLayout
    from lookalike.metrics import Metric

__all__ = ["encode"]

#: Below either, a plain scan takes microseconds.
_FEWEST_ROWS = 256
_FEWEST_DIMS = 8


def encode(
    rows: NumberArray,
    metric: Metric,
    *,
    alive: BoolArray | None,
    n_threads: int,
    progress: ProgressCallback,
    layout: Layout | SumLayout | None = None,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return the arrays and the plan of the codes; None where plain scans are best.

    Parameters
    ----------
    rows : array of shape (n, dim)
        Finite, of any real dtype.
    metric : Metric
    alive : bool array of shape (n,), optional
        Rows that are not get no codes.
    n_threads : int
    progress : callable
        ``(rows done, rows)``.
    layout : Layout or SumLayout, optional
        To be used instead of the one that measuring the rows would choose.

    Notes
    -----
    Memory beside the codes: some 100 MB for 1000 dimensions, whatever the number of rows.
    Time: linear in the number of rows, after O(dim^3) for the rotation.
    """
    n, dim = rows.shape
    if layout is None and (n < _FEWEST_ROWS or dim < _FEWEST_DIMS):
        return None
    prepared = prepare(rows, metric, alive)
    if prepared.coded.size < (_FEWEST_ROWS if layout is None else 1):
        return None
    if metric.name == "manhattan":
        return encode_sums(prepared, n_threads, progress, cast("SumLayout | None", layout))
    return encode_values(prepared, n_threads, progress, cast("Layout | None", layout))
