"""From rows to codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lookalike.index.certified.preparing import prepare
from lookalike.index.certified.sums import encode_sums
from lookalike.index.certified.values import encode_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import BoolArray, NumberArray
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

    Notes
    -----
    Memory beside the codes: some 100 MB for 1000 dimensions, whatever the number of rows.
    Time: linear in the number of rows, after O(dim^3) for the rotation.
    """
    n, dim = rows.shape
    if n < _FEWEST_ROWS or dim < _FEWEST_DIMS:
        return None
    prepared = prepare(rows, metric, alive)
    if prepared.coded.size < _FEWEST_ROWS:
        return None
    if metric.name == "manhattan":
        return encode_sums(prepared, n_threads, progress)
    return encode_values(prepared, n_threads, progress)
