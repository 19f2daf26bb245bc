from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

import lookalike as la
from lookalike.groups import LINKAGES

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


@pytest.mark.parametrize("dtype", ["f2", "f8", "i2", "u1"])
@pytest.mark.parametrize("linkage", LINKAGES)
def test_a_group_of_any_dtype_has_the_distance_of_its_float32_copy(
    rng: np.random.Generator, dtype: str, linkage: Any
) -> None:
    group = rng.integers(0, 90, (23, 9)).astype(dtype)[::2]
    query = rng.standard_normal(9)
    k = 3 if linkage == "kth" else None
    found = la.group_distance(query, group, linkage=linkage, k=k)
    assert found == la.group_distance(query, group.astype(np.float32), linkage=linkage, k=k)


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("row", [0, 7])
def test_a_nan_is_told_of_the_group_and_by_row(
    rng: np.random.Generator, linkage: Any, row: int
) -> None:
    group = rng.standard_normal((9, 5))
    group[[row, 8], 2] = np.nan
    k = 3 if linkage == "kth" else None
    with pytest.raises(la.NonFiniteError, match=rf"^group .*row {row}, in 2 of 9 rows"):
        la.group_distance(np.ones(5), group, linkage=linkage, k=k)
    with pytest.raises(la.NonFiniteError, match=r"^query"):
        la.group_distance(group[8], np.ones((3, 5)), linkage=linkage, k=k)
    group[[row, 8], 2] = 1e300
    with pytest.raises(la.RangeError, match=rf"^group .*row {row}, in 2 of 9 rows"):
        la.group_distance(np.ones(5), group, linkage=linkage, k=k)


def test_medoid_ties_go_to_the_lowest_row() -> None:
    group = [[5.0], [1.0], [3.0], [3.0], [3.0]]
    assert la.group_distance([0.0], group, linkage="medoid", metric="euclidean") == 3.0
    pair = [[4.0], [1.0]]  # each is as far from the other
    assert la.group_distance([0.0], pair, linkage="medoid", metric="euclidean") == 4.0


def test_medoid_converts_a_row_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned = []

    def spy(probe: Any, members: Any, **options: Any) -> Any:
        scanned.append(members.dtype)
        return la.distances(probe, members, **options)

    monkeypatch.setattr("lookalike.groups.linkage.distances", spy)
    la.group_distance([1.0], np.arange(4, dtype=np.uint8)[:, np.newaxis], linkage="medoid")
    assert scanned == [np.dtype(np.uint8)] * 5


def test_kth_of_fewer_members_is_the_farthest() -> None:
    group = [[3.0], [1.0], [2.0]]
    found = [
        la.group_distance([0.0], group, linkage="kth", metric="euclidean", k=k)
        for k in (1, 2, 3, 4, 10**30)
    ]
    assert found == [1.0, 2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize("linkage", [name for name in LINKAGES if name != "mahalanobis"])
def test_a_group_of_one_is_as_far_as_its_member(linkage: Any) -> None:
    k = 5 if linkage == "kth" else None
    found = la.group_distance([0, 0], [[3, 4]], linkage=linkage, metric="euclidean", k=k)
    assert found == 5.0


def test_ranking_names_the_group_of_an_error_and_checks_options_of_no_groups() -> None:
    with pytest.raises(la.ShapeError) as caught:
        la.rank_groups([1, 2], {"cats": [[1, 2]], "dogs": [[1, 2, 3]]})
    assert caught.value.__notes__ == ["in group 'dogs'"]
    assert la.rank_groups([1, 2], {}) == []
    with pytest.raises(la.ParameterError, match="'closest' is not one of"):
        la.rank_groups([1, 2], {}, linkage="closest")  # type: ignore[arg-type]


@pytest.mark.parametrize("implementation", ["compiled", "numpy", "naive"])
def test_ranks_agree_between_implementations(rng: np.random.Generator, implementation: Any) -> None:
    groups = {f"group {i}": rng.standard_normal((i + 3, 12)) for i in range(6)}
    query = rng.standard_normal(12)
    for linkage in ("nearest", "mean", "centroid", "medoid"):
        ranked: list[Any] = [
            [name for name, _ in la.rank_groups(query, groups, linkage=linkage, implementation=i)]
            for i in ("compiled", implementation)
        ]
        assert ranked[0] == ranked[1]
