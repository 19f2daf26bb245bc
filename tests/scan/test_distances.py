from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import lookalike as la
from lookalike.kernels import _compiled

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]
DIMS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 769, 1536]


def tolerance(metric: str, query: Any, group: Any, expected: Any) -> Any:
    gamma = _compiled.scan_gamma(group.shape[1])
    if metric == "cosine":
        return 3 * gamma
    if metric == "inner_product":
        norms = np.linalg.norm(group.astype(np.float64), axis=1)
        return gamma * norms * np.linalg.norm(query.astype(np.float64)) + 1e-44
    return gamma * expected


def expected_distances(metric: str, query: Any, group: Any) -> Any:
    q, x = query.astype(np.float64), group.astype(np.float64)
    if metric == "inner_product":
        return -(x @ q)
    return cdist(q[np.newaxis], x, "cityblock" if metric == "manhattan" else metric)[0]


@pytest.mark.parametrize("level", la.kernels.available())
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", DIMS)
def test_every_level_is_within_its_bound_and_gives_the_same_bits(
    rng: np.random.Generator, level: str, metric: Any, dim: int
) -> None:
    group = rng.standard_normal((53, dim)).astype(np.float32)
    query = rng.standard_normal(dim).astype(np.float32)
    with la.kernels.use(level):
        found = la.distances(query, group, metric=metric)
    with la.kernels.use("scalar"):
        assert found.tobytes() == la.distances(query, group, metric=metric).tobytes()
    expected = expected_distances(metric, query, group)
    assert (np.abs(found - expected) <= tolerance(metric, query, group, np.abs(expected))).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-40, 1e-25, 1e-18, 1.0, 1e17, 1e30])
def test_huge_and_tiny_embeddings_are_scored_in_float64(
    rng: np.random.Generator, metric: Any, scale: float
) -> None:
    group = (rng.standard_normal((9, 20)) * scale).astype(np.float32)
    reference = [
        la.metrics.resolve(metric).reference(group[0].tolist(), row) for row in group.tolist()
    ]
    if max(map(abs, reference)) > float(np.finfo(np.float32).max):
        with pytest.raises(la.RangeError, match=r"row [01] "):
            la.distances(group[0], group, metric=metric)
        return
    found = la.distances(group[0], group, metric=metric)
    rounded = np.array(reference, dtype=np.float32)  # what underflows is rounded, to zero too
    allowed = 4e-6 if metric == "cosine" else 2e-45
    np.testing.assert_allclose(found, rounded, rtol=4e-6, atol=allowed)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "sqeuclidean", "manhattan"])
@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1.0, 1e18])
def test_an_embedding_is_at_distance_zero_from_itself(
    rng: np.random.Generator, metric: Any, scale: float
) -> None:
    group = (rng.standard_normal((5, 77)) * scale).astype(np.float32)
    if scale == 1e18 and metric == "sqeuclidean":
        group = group[:1]
    assert la.distances(group[0], group, metric=metric)[0] == 0.0


@pytest.mark.parametrize("implementation", ["compiled", "numpy", "naive"])
def test_cosine_with_a_zero_embedding_is_one(implementation: Any) -> None:
    group = np.array([[0, 0], [3, 4]])
    assert la.distances([1, 0], group, implementation=implementation)[0] == 1.0
    assert la.distances([0, 0], group, implementation=implementation).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">f4", ">i2"]
)
@pytest.mark.parametrize("layout", ["C", "F", "reversed", "strided"])
def test_any_dtype_and_layout_gives_the_bits_of_its_float32_copy(
    rng: np.random.Generator, dtype: str, layout: str
) -> None:
    group = rng.integers(0, 2 if dtype == "?" else 100, (40, 66)).astype(dtype)
    arranged = {
        "C": group,
        "F": np.asfortranarray(group),
        "reversed": group[::-1, ::-1],
        "strided": group[::2, ::3],
    }[layout]
    query = rng.standard_normal(arranged.shape[1])
    expected = la.distances(query, np.ascontiguousarray(arranged, dtype=np.float32))
    assert la.distances(query, arranged).tobytes() == expected.tobytes()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(0, 300),
    dim=st.integers(1, 90),
    n_queries=st.integers(1, 30),
    k=st.integers(1, 40),
    metric=st.sampled_from(METRICS),
    level=st.sampled_from(la.kernels.available()),
    offset=st.sampled_from([0.0, 1e4]),
)
def test_batches_threads_and_panels_give_the_bits_of_single_queries(
    seed: int, n: int, dim: int, n_queries: int, k: int, metric: Any, level: str, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    # Small whole numbers make ties and duplicates; the offset makes panel products useless.
    group = (rng.integers(-2, 3, (n, dim)) + offset).astype(np.float32)
    queries = (rng.integers(-2, 3, (n_queries, dim)) + offset).astype(np.float32)
    with la.kernels.use(level):
        batch = la.nearest_batch(queries, group, k, metric=metric, n_threads=2)
        every = la.pairwise(queries, group, metric=metric)
        inside = la.within_batch(queries, group, 3.0, metric=metric)
    assert batch.ids.shape == (n_queries, k)
    for q in range(n_queries):
        single = la.distances(queries[q], group, metric=metric, n_threads=1)
        assert every[q].tobytes() == single.tobytes()
        order = np.lexsort((np.arange(n), single))
        wanted = order[:k]
        assert batch.ids[q, : wanted.size].tolist() == wanted.tolist()
        assert batch.distances[q, : wanted.size].tobytes() == single[wanted].tobytes()
        assert (batch.ids[q, wanted.size :] == -1).all()
        assert np.isinf(batch.distances[q, wanted.size :]).all()
        assert inside[q].ids.tolist() == order[single[order] <= 3.0].tolist()


@pytest.mark.parametrize("implementation", ["numpy", "naive"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_implementations_agree(
    rng: np.random.Generator, metric: Any, implementation: Any
) -> None:
    group = rng.standard_normal((60, 33)).astype(np.float32)
    query = group[7] + np.float32(0.25)
    ours = la.nearest(query, group, 60, metric=metric)
    theirs = la.nearest(query, group, 60, metric=metric, implementation=implementation)
    assert ours.ids.tolist() == theirs.ids.tolist()
    np.testing.assert_allclose(ours.distances, theirs.distances, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("implementation", ["compiled", "numpy", "naive"])
def test_a_nan_is_named_by_row_and_count(rng: np.random.Generator, implementation: Any) -> None:
    group = rng.standard_normal((500, 40)).astype(np.float32)
    group[[123, 321], [39, 0]] = np.nan, np.inf
    for call in (la.distances, la.nearest):
        with pytest.raises(la.NonFiniteError, match=r"row 123, in 2 of 500 rows"):
            call(group[0], group, implementation=implementation)
    with pytest.raises(la.NonFiniteError, match="row 123"):
        la.nearest_batch(group[:20], group, implementation=implementation)
    with pytest.raises(la.RangeError, match="row 1"):
        la.distances([1.0], np.array([[1.0], [1e300]]), implementation=implementation)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(la.ShapeError, match="nearest_batch"):
        la.nearest(np.zeros((2, 3)), np.zeros((4, 3)))
    with pytest.raises(la.ShapeError, match="query has dim 2 but group has dim 3"):
        la.distances([1, 2], np.zeros((4, 3)))
    with pytest.raises(la.ShapeError, match="ragged"):
        la.distances([1, 2], [[1, 2], [3]])
    with pytest.raises(la.DtypeError, match="complex"):
        la.distances([1j], [[1.0]])
    with pytest.raises(la.ParameterError, match="k must be at least 1"):
        la.nearest([1.0], [[1.0]], 0)
    with pytest.raises(la.ParameterError, match="NaN"):
        la.within([1.0], [[1.0]], float("nan"))


def test_an_empty_group_gives_an_empty_answer() -> None:
    assert la.distances([1, 2], []).shape == (0,)
    assert la.nearest([1, 2], np.empty((0, 2))).ids.shape == (0,)
    assert la.nearest_batch([[1, 2]], [], k=3).ids.tolist() == [[-1, -1, -1]]
    assert la.within([1, 2], [], 5.0).ids.shape == (0,)


def test_a_radius_is_inclusive_and_results_unpack() -> None:
    ids, distances = la.within([0.0], [[3.0], [1.0], [2.0]], 2.0, metric="euclidean")
    assert ids.tolist() == [1, 2]
    assert distances.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["l2", "ip", "dot", "angular"])
def test_names_with_two_meanings_are_refused(name: Any) -> None:
    with pytest.raises(la.MetricError, match="two things"):
        la.distances([1.0], [[1.0]], metric=name)


def test_aliases_with_one_meaning_are_accepted() -> None:
    for alias in ("cityblock", "l1"):
        assert la.distances([1.0], [[4.0]], metric=alias).tolist() == [3.0]
    with pytest.raises(la.MetricError, match="did you mean 'euclidean'"):
        la.distances([1.0], [[1.0]], metric="euclidian")  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [41, 63, 65, 97])
def test_the_padding_of_a_partial_panel_is_never_an_answer(n: int) -> None:
    group = np.eye(n, 7, dtype=np.float32) + 1
    batch = la.nearest_batch(group[:8], group, k=n // 4 - 1, metric="euclidean")
    assert batch.ids.max() < n
    assert (batch.ids[:, 0] == np.arange(8)).sum() >= 7


def test_a_metric_that_is_no_name_and_a_k_beyond_all_arrays_are_refused() -> None:
    for metric in (["cosine"], None, 3):
        with pytest.raises(la.MetricError, match="metric must be a name"):
            la.distances([1.0], [[4.0]], metric=metric)  # type: ignore[arg-type]
    with pytest.raises(la.ParameterError, match="at most 2147483647 for a batch"):
        la.nearest_batch([[1.0]], [[4.0]], k=2**70)
    assert la.nearest([1.0], [[4.0]], k=2**70).ids.tolist() == [0]


@pytest.mark.parametrize("level", la.kernels.available())
def test_a_sum_of_zero_is_told_from_an_underflow(level: str) -> None:
    dim = 70
    query = np.zeros(dim, dtype=np.float32)
    query[[3, 69]] = 1e-30
    group = np.zeros((5, dim), dtype=np.float32)
    group[1] = query  # the same
    group[2, 5] = 7.0  # no element in common
    group[3, 69] = 3e-30  # products and squares vanish in float32
    group[4, 3] = 1.0
    with la.kernels.use(level):
        euclidean = la.distances(query, group, metric="euclidean")
        cosine = la.distances(query, group, metric="cosine")
        products = la.distances(query * 1e15, group * 1e15, metric="inner_product")
    exact = np.linalg.norm(group.astype(np.float64) - query, axis=1)
    assert np.allclose(euclidean, exact, rtol=1e-6, atol=0)
    assert euclidean[1] == cosine[1] == 0
    assert cosine[[0, 2]].tolist() == [1, 1]
    assert cosine[3] == pytest.approx(1 - 0.5**0.5, rel=1e-6)
    assert products[[0, 2]].tolist() == [0, 0]
    assert products[[1, 3]].tolist() == pytest.approx([-2e-30, -3e-30])
    assert la.distances(query * 0, group, metric="cosine").tolist() == [1] * 5
