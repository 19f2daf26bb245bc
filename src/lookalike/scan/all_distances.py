"""Every distance: ``distances`` and ``pairwise``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lookalike.core.arrays import as_group, as_out, as_queries, as_query
from lookalike.core.options import as_threads
from lookalike.metrics import resolve
from lookalike.scan.backends import backend_named

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lookalike.core.types import Float32Array, ImplementationName, MetricName

__all__ = ["distances", "pairwise"]


def distances(
    query: ArrayLike,
    group: ArrayLike,
    /,
    *,
    metric: MetricName = "cosine",
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
    out: Float32Array | None = None,
) -> Float32Array:
    """Return the distance from ``query`` to every member of ``group``.

    Every member is scored; nothing is approximated or pruned. Smaller is nearer.

    Parameters
    ----------
    query : array_like of shape (dim,)
        One embedding, converted to float32.
    group : array_like of shape (n, dim)
        One embedding a row; ``n`` may be 0. Contiguous float32 is read in place, other
        number types are converted block by block.
    metric : {"cosine", "euclidean", "inner_product", "manhattan", "sqeuclidean"}
        With ``q`` the query and ``x`` a member:

        =================  ===================  ==================
        name               value                range
        =================  ===================  ==================
        ``cosine``         1 - q.x / (|q||x|)   [0, 2]
        ``euclidean``      sqrt(sum((q-x)**2))  [0, inf)
        ``sqeuclidean``    sum((q - x)**2)      [0, inf)
        ``manhattan``      sum(|q - x|)         [0, inf)
        ``inner_product``  -q.x                 (-inf, inf)
        =================  ===================  ==================

        Cosine with an all-zero embedding is 1.0.
    implementation : {"compiled", "numpy", "naive"}
        The kernels; vectorised NumPy in float64; the Python loop in float64.
    n_threads : int, optional
        None is every core; the result does not depend on it.
    out : float32 array of shape (n,), optional
        Written and returned; C-contiguous, not overlapping the inputs.

    Returns
    -------
    float32 array of shape (n,)
        In the order of the group.

    Raises
    ------
    ShapeError, DtypeError
        The inputs do not fit, or are not real numbers.
    NonFiniteError
        An embedding holds a NaN or an infinity; the message names the first bad row.
    RangeError
        A value or a distance is beyond float32.
    MetricError, ParameterError
        An option is none of those above.

    Notes
    -----
    Cost: O(n * dim) time, O(n) memory. One pair has one number: the same bits for any
    batch, chunk, thread count or CPU level.

    Examples
    --------
    >>> distances([2, 0], [[1, 0], [0, 1], [-1, 0]]).tolist()
    [0.0, 1.0, 2.0]
    """
    chosen = resolve(metric)
    backend = backend_named(implementation, as_threads(n_threads))
    one = as_query(query, "pairwise")
    rows = as_group(group, one.shape[0])
    result = as_out(out, (rows.shape[0],), one, rows)
    backend.score_all(one.reshape(1, -1), rows, chosen, result.reshape(1, -1))
    return result


def pairwise(
    queries: ArrayLike,
    group: ArrayLike,
    /,
    *,
    metric: MetricName = "cosine",
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
    out: Float32Array | None = None,
) -> Float32Array:
    """Return the distance from each query to each member of ``group``.

    Parameters
    ----------
    queries : array_like of shape (n_queries, dim)
        One embedding a row.
    group, metric, implementation, n_threads
        As in :func:`distances`.
    out : float32 array of shape (n_queries, n), optional
        Written and returned.

    Returns
    -------
    float32 array of shape (n_queries, n)
        ``result[i]`` holds the same bits as ``distances(queries[i], group)``.

    Raises
    ------
    LookalikeError
        As in :func:`distances`.
    """
    chosen = resolve(metric)
    backend = backend_named(implementation, as_threads(n_threads))
    many = as_queries(queries)
    rows = as_group(group, many.shape[1])
    result = as_out(out, (many.shape[0], rows.shape[0]), many, rows)
    backend.score_all(many, rows, chosen, result)
    return result
