from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

import lookalike as la

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan"]


def oracle(query: Any, group: Any, linkage: str, metric: str, k: int | None) -> float:
    name = "cityblock" if metric == "manhattan" else metric
    found = np.sort(cdist(query[np.newaxis], group, name)[0])
    if linkage == "centroid":
        return float(cdist(query[np.newaxis], group.mean(axis=0, keepdims=True), name)[0, 0])
    if linkage == "medoid":
        medoid = int(np.argmin(cdist(group, group, name).sum(axis=0)))
        return float(cdist(query[np.newaxis], group[medoid : medoid + 1], name)[0, 0])
    if linkage == "kth":
        return float(found[min(k or 1, found.size) - 1])
    summaries: dict[str, Any] = {
        "nearest": np.min,
        "farthest": np.max,
        "mean": np.mean,
        "median": np.median,
    }
    return float(summaries[linkage](found))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("linkage", "k"),
    [
        ("nearest", None),
        ("farthest", None),
        ("mean", None),
        ("median", None),
        ("centroid", None),
        ("medoid", None),
        ("kth", 3),
        ("kth", 99),
    ],
)
def test_a_linkage_equals_its_float64_oracle(
    rng: np.random.Generator, metric: Any, linkage: Any, k: int | None
) -> None:
    group = rng.standard_normal((41, 19)).astype(np.float32)
    query = rng.standard_normal(19).astype(np.float32)
    expected = oracle(query.astype(np.float64), group.astype(np.float64), linkage, metric, k)
    found = la.group_distance(query, group, linkage=linkage, metric=metric, k=k)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("n", "dim"), [(200, 10), (12, 40), (3, 30), (40, 40)])
def test_mahalanobis_equals_scikit_learns_ledoit_wolf(
    rng: np.random.Generator, n: int, dim: int
) -> None:
    group = (rng.standard_normal((n, dim)) * np.linspace(0.1, 3, dim)).astype(np.float32)
    query = rng.standard_normal(dim).astype(np.float32)
    fitted = LedoitWolf().fit(group.astype(np.float64))
    expected = np.sqrt(fitted.mahalanobis(query[np.newaxis].astype(np.float64))[0])
    assert la.group_distance(query, group, linkage="mahalanobis") == pytest.approx(expected)


def test_a_group_without_spread_or_members_is_refused() -> None:
    with pytest.raises(la.DegenerateGroupError, match="3 member"):
        la.group_distance([1, 2], np.ones((3, 2)), linkage="mahalanobis")
    with pytest.raises(la.DegenerateGroupError, match="singular"):
        la.group_distance([1, 2, 3], [[1, 2, 3], [3, 5, 4]], linkage="mahalanobis")
    with pytest.raises(la.EmptyGroupError):
        la.group_distance([1, 2], np.empty((0, 2)))
    with pytest.raises(la.EmptyGroupError, match="'dogs'"):
        la.rank_groups([1, 2], {"cats": [[1, 2]], "dogs": []})


def test_options_that_do_not_go_together_are_refused() -> None:
    group = [[1.0, 2.0], [2.0, 1.0]]
    with pytest.raises(la.ParameterError, match="own metric"):
        la.group_distance([1, 2], group, linkage="mahalanobis", metric="cosine")
    with pytest.raises(la.ParameterError, match="kth"):
        la.group_distance([1, 2], group, linkage="kth")
    with pytest.raises(la.ParameterError, match="kth"):
        la.group_distance([1, 2], group, k=2)
    with pytest.raises(la.ParameterError, match="'closest' is not one of"):
        la.group_distance([1, 2], group, linkage="closest")  # type: ignore[arg-type]


def test_groups_are_ranked_nearest_first_and_ties_keep_their_order() -> None:
    groups = {"far": [[9.0]], "b": [[1.0]], "a": [[1.0]], "here": [[0.0]]}
    ranked = la.rank_groups([0.0], groups, metric="euclidean")
    assert ranked == [("here", 0.0), ("b", 1.0), ("a", 1.0), ("far", 9.0)]
