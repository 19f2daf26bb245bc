"""``group_distance`` and ``rank_groups``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from lookalike.core.arrays import as_group, as_query, check_rows
from lookalike.core.errors import EmptyGroupError, LookalikeError, ParameterError
from lookalike.core.options import as_k
from lookalike.groups.mahalanobis import mahalanobis_distance
from lookalike.metrics import resolve
from lookalike.scan import distances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from lookalike.core.types import (
        Float32Array,
        Float64Array,
        ImplementationName,
        MetricName,
        NumberArray,
    )

__all__ = ["LINKAGES", "LinkageName", "group_distance", "rank_groups"]

LinkageName: TypeAlias = Literal[
    "nearest", "farthest", "mean", "median", "kth", "centroid", "medoid", "mahalanobis"
]
LINKAGES: tuple[LinkageName, ...] = (
    "nearest",
    "farthest",
    "mean",
    "median",
    "kth",
    "centroid",
    "medoid",
    "mahalanobis",
)
_READ_BEFORE_THE_SCAN = ("centroid", "medoid", "mahalanobis")  # the scan checks for the others
_CHUNK_ROWS = 4096


def group_distance(
    query: ArrayLike,
    group: ArrayLike,
    /,
    *,
    linkage: LinkageName = "nearest",
    metric: MetricName | None = None,
    k: int | None = None,
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
) -> float:
    """Return one distance: from ``query`` to ``group`` as a whole.

    Parameters
    ----------
    query : array_like of shape (dim,)
        One embedding.
    group : array_like of shape (n, dim)
        At least one member.
    linkage : str, default "nearest"
        ``nearest``, ``farthest``, ``mean``, ``median`` of the members' distances; ``kth``,
        the distance of the k-th nearest member (the farthest where there are fewer);
        ``centroid``, the distance to the arithmetic mean of the members; ``medoid``, the
        distance to the member with the least summed distance to the others (ties: the
        lowest row); ``mahalanobis``, from the mean in units of the group's own spread,
        with a covariance shrunk after Ledoit and Wolf (2004).
    metric : str, optional
        As in :func:`lookalike.distances`; cosine unless given. ``mahalanobis`` brings its
        own and takes none.
    k : int, optional
        For ``kth`` only, and needed there.
    implementation, n_threads
        As in :func:`lookalike.distances`.

    Returns
    -------
    float
        Smaller is nearer.

    Raises
    ------
    EmptyGroupError
        The group has no members.
    DegenerateGroupError
        ``mahalanobis`` of a group without spread.
    ParameterError
        An unknown linkage, ``k`` without ``kth`` or the reverse, or a metric beside
        ``mahalanobis``.
    LookalikeError
        As in :func:`lookalike.distances`.

    Notes
    -----
    Cost: O(n * dim); ``medoid`` O(n**2 * dim) time and O(n) memory; ``mahalanobis``
    O(n * dim * min(n, dim)).
    """
    _check_options(linkage, metric, k)
    one = as_query(query, None)
    rows = as_group(group, one.shape[0])
    if not rows.shape[0]:
        raise EmptyGroupError("group has no members, so it has no distance; add some or skip it")

    def scan(probe: Float32Array, members: NumberArray) -> Float32Array:
        return distances(
            probe,
            members,
            metric=metric or "cosine",
            implementation=implementation,
            n_threads=n_threads,
        )

    if linkage in _READ_BEFORE_THE_SCAN:
        check_rows(rows, "group")
    if linkage == "mahalanobis":
        return mahalanobis_distance(one, rows)
    if linkage == "centroid":
        return float(scan(one, _centroid(rows))[0])
    if linkage == "medoid":
        sums = [float(scan(row, rows).sum(dtype=np.float64)) for row in rows]
        medoid = int(np.argmin(sums))
        return float(scan(one, rows[medoid : medoid + 1])[0])
    return _summary(scan(one, rows), linkage, k)


def rank_groups(
    query: ArrayLike,
    groups: Mapping[str, ArrayLike],
    /,
    *,
    linkage: LinkageName = "nearest",
    metric: MetricName | None = None,
    k: int | None = None,
    implementation: ImplementationName = "compiled",
    n_threads: int | None = None,
) -> list[tuple[str, float]]:
    """Return ``(name, distance)`` of each group, nearest first.

    Parameters
    ----------
    query : array_like of shape (dim,)
        One embedding.
    groups : mapping of str to array_like of shape (n, dim)
        Each with at least one member.
    linkage, metric, k, implementation, n_threads
        As in :func:`group_distance`.

    Returns
    -------
    list of (str, float)
        Equal distances keep the order of ``groups``.

    Raises
    ------
    LookalikeError
        As in :func:`group_distance`; a note names the group.
    """
    _check_options(linkage, metric, k)
    ranked = []
    for name, group in groups.items():
        try:
            distance = group_distance(
                query,
                group,
                linkage=linkage,
                metric=metric,
                k=k,
                implementation=implementation,
                n_threads=n_threads,
            )
        except EmptyGroupError:
            raise EmptyGroupError(f"group {name!r} has no members; add some or skip it") from None
        except LookalikeError as error:
            error.add_note(f"in group {name!r}")
            raise
        ranked.append((name, distance))
    return sorted(ranked, key=lambda pair: pair[1])


def _check_options(linkage: str, metric: str | None, k: int | None) -> None:
    if linkage not in LINKAGES:
        raise ParameterError(f"linkage {linkage!r} is not one of {', '.join(LINKAGES)}")
    if (linkage == "kth") != (k is not None):
        raise ParameterError(f"k goes with linkage='kth' and only there; linkage is {linkage!r}")
    if k is not None:
        as_k(k)
    if metric is not None:
        if linkage == "mahalanobis":
            raise ParameterError(f"mahalanobis has its own metric; leave out metric={metric!r}")
        resolve(metric)


def _summary(found: Float32Array, linkage: str, k: int | None) -> float:
    if linkage == "nearest":
        return float(found.min())
    if linkage == "farthest":
        return float(found.max())
    if linkage == "mean":
        return float(found.mean(dtype=np.float64))
    if linkage == "median":
        return float(np.median(found.astype(np.float64)))
    position = min(k or 1, found.size) - 1
    return float(np.partition(found, position)[position])


def _centroid(rows: NumberArray) -> Float64Array:
    total = np.zeros((1, rows.shape[1]))
    for start in range(0, rows.shape[0], _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS].astype(np.float32)
        total += chunk.sum(axis=0, dtype=np.float64)
    total /= rows.shape[0]
    return total
