"""Ties, filters, zeros, rows far out, threads, surrender: where a certified search could slip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lookalike as la
from lookalike.index.certified.planning import Layout, SumLayout
from lookalike.index.cost import BadRowError

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]
LEVELS = la.kernels.available()
THREADS = [1, 2, 5]


def layout_for(metric: str, dim: int) -> Any:
    """Return a head and a line, so that every stage of the cascade has work."""
    if metric == "manhattan":
        return SumLayout((4, 1), (-(-dim // 32) * 8, dim), (0, -(-(dim + 4) // 64) * 64), 0.0, ())
    return Layout(True, dim // 2, (dim - dim // 2,), 0.0, ())


def first(rows: Any, metric: Any, query: Any, keys: Any, allowed: Any, k: int) -> tuple[Any, Any]:
    """Return the first k allowed rows by (distance, key), and their distances."""
    every = la.distances(query, rows, metric=metric)
    order = np.lexsort((keys, every))
    order = order[allowed[order]][:k]
    return order, every[order]


@pytest.mark.parametrize("metric", METRICS)
def test_ties_at_the_threshold_are_broken_by_key(coded: Any, metric: Any) -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(-1, 2, (3000, 12)).astype(np.float32)
    rows[rng.integers(0, 3000, 600)] = rows[0]
    keys = rng.permutation(3000)
    group = coded(rows, metric, 0, keys, layout=layout_for(metric, 12))
    every = np.ones(3000, np.bool_)
    for k in (1, 7, 150, 371):
        for n_threads in THREADS:
            options: Any = {"allowed": None, "limits": None, "n_threads": n_threads}
            found, distances, _ = group.searcher.nearest(rows[:9], k, **options)
            for q in range(9):
                expected = first(rows, metric, rows[q], keys, every, k)
                assert found[q].tolist() == expected[0].tolist()
                assert distances[q].tobytes() == expected[1].tobytes()


def test_zero_rows_are_as_far_as_anything_orthogonal_and_ordered_by_key(coded: Any) -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((1200, 8)).astype(np.float32)
    rows[:, 0] = -np.abs(rows[:, 0])
    rows[::3] = 0.0
    rows[1::6, 0] = 0.0  # exactly orthogonal to the query below
    query = np.eye(8, dtype=np.float32)[0]
    for keys in (np.arange(1200), np.arange(1200)[::-1].copy(), rng.permutation(1200)):
        allowed = rng.random(1200) < 0.8
        group = coded(rows, "cosine", 0, keys, layout=layout_for("cosine", 8))
        options: Any = {"allowed": allowed, "n_threads": 1}
        for k in (1, 5, 90):
            found, _, _ = group.searcher.nearest(query[np.newaxis], k, limits=None, **options)
            assert found[0].tolist() == first(rows, "cosine", query, keys, allowed, k)[0].tolist()
        every = first(rows, "cosine", query, keys, allowed, 1200)
        ((inside, _),), _ = group.searcher.within(query[np.newaxis], 1.0, **options)
        assert inside.tolist() == every[0][every[1] <= 1.0].tolist()
        nothing = np.array([0.999], np.float32)
        found, _, _ = group.searcher.nearest(query[np.newaxis], 5, limits=nothing, **options)
        assert found[0].tolist() == [-1] * 5


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.02, 0.5])
def test_only_allowed_rows_answer_for_any_share_of_them(
    embeddings: Any, coded: Any, metric: Any, share: float
) -> None:
    rows = embeddings(1, 4000, 16, "clustered")
    keys = np.arange(4000)
    group = coded(rows, metric, 0, layout=layout_for(metric, 16))
    allowed = np.random.default_rng(2).random(4000) < share
    queries = embeddings(2, 8, 16, "clustered")
    options: Any = {"allowed": allowed, "limits": None, "n_threads": 2}
    found, _, cost = group.searcher.nearest(queries, 3, **options)
    for q in range(8):
        expected, _ = first(rows, metric, queries[q], keys, allowed, 3)
        assert found[q][: expected.size].tolist() == expected.tolist()
        assert found[q][expected.size :].tolist() == [-1] * (3 - expected.size)
    if cost.rows_skipped_by_level:
        assert cost.rows_read + sum(cost.rows_skipped_by_level) == 4000 * 8


@pytest.mark.parametrize("metric", METRICS)
def test_dead_rows_and_rows_far_out_are_counted_and_found(
    embeddings: Any, coded: Any, metric: Any
) -> None:
    rows = embeddings(8, 3000, 16, "clustered")
    far = np.arange(5, 3000, 300)
    rows[far] *= 1e4  # no codes: they would make all others coarse
    alive = np.random.default_rng(8).random(3000) < 0.7
    group = coded(rows, metric, 0, None, alive, layout_for(metric, 16))
    queries = np.concatenate([rows[far[:3]], rows[:5]])
    for some in (queries, queries[-1:], queries[:1]):
        options: Any = {"allowed": alive, "limits": None, "n_threads": 1}
        found, _, cost = group.searcher.nearest(some, 4, **options)
        for query, its in zip(some, found, strict=True):
            expected, _ = first(rows, metric, query, np.arange(3000), alive, 4)
            assert its.tolist() == expected.tolist()
        if cost.rows_skipped_by_level and len(some) == 1:
            assert cost.rows_read + sum(cost.rows_skipped_by_level) == 3000


@pytest.mark.parametrize("metric", ["cosine", "manhattan"])
def test_threads_that_share_a_query_do_not_show_in_the_answer(
    embeddings: Any, coded: Any, metric: Any
) -> None:
    n, dim = 60_000, 160
    rows = embeddings(4, n, dim, "integers")  # ties, and no chunk that could be passed over
    layout: Any = Layout(False, dim, (), 0.0, ())
    if metric == "manhattan":
        layout = SumLayout((1,), (dim,), (0,), 0.0, ())
    keys = np.random.default_rng(4).permutation(n)
    group = coded(rows, metric, 0, keys, layout=layout)
    (query,) = embeddings(5, 1, dim, "integers")
    expected, _ = first(rows, metric, query, keys, np.ones(n, np.bool_), 30)
    for level in LEVELS:
        for n_threads in THREADS:
            with la.kernels.use(level):
                found, _, cost = group.searcher.nearest(
                    query[np.newaxis], 30, allowed=None, limits=None, n_threads=n_threads
                )
            assert found[0].tolist() == expected.tolist()
            assert cost.rows_read + sum(cost.rows_skipped_by_level) == n


@pytest.mark.parametrize("n_queries", [1, 9])
def test_where_bounds_exclude_too_little_every_row_is_read(
    embeddings: Any, coded: Any, n_queries: int
) -> None:
    rows = embeddings(6, 40_000, 32, "gaussian")
    group = coded(rows, "euclidean", 0, layout=Layout(True, 4, (4, 4), 0.0, ()))
    queries = embeddings(7, n_queries, 32, "gaussian")
    options: Any = {"allowed": None, "n_threads": 1}
    found, distances, cost = group.searcher.nearest(queries, 10, limits=None, **options)
    plain = la.nearest_batch(queries, rows, 10, metric="euclidean")
    assert found.tolist() == plain.ids.tolist()
    assert distances.tobytes() == plain.distances.tobytes()
    assert sum(cost.rows_skipped_by_level) == 0
    assert cost.bytes_read > 40_000 * 32 * 4


@pytest.mark.parametrize(
    ("metric", "far_row", "far_query"),
    [
        *[("euclidean", 3e38, -3e38), ("sqeuclidean", 1e20, 0.0)],
        *[("manhattan", 3e38, -3e38), ("inner_product", 1e20, -1e20)],
    ],
)
@pytest.mark.parametrize("n_queries", [1, 9])
def test_a_distance_beyond_float32_is_refused_where_its_row_is_allowed(
    embeddings: Any, coded: Any, metric: Any, far_row: float, far_query: float, n_queries: int
) -> None:
    rows = embeddings(9, 900, 8, "gaussian")
    rows[[40, 250], 0] = far_row
    queries = embeddings(10, n_queries, 8, "gaussian")
    queries[-1, 0] = far_query
    group = coded(rows, metric, 0, layout=layout_for(metric, 8))
    options: Any = {"limits": None, "n_threads": 2}
    allowed = np.ones(900, np.bool_)
    for some, named in ((None, 40), (allowed & (np.arange(900) != 40), 250)):
        with pytest.raises(BadRowError) as caught:
            group.searcher.nearest(queries, 3, allowed=some, **options)
        assert caught.value.row == named
    few = np.arange(900) == 250  # which are scored without a look at the codes
    with pytest.raises(BadRowError, match="250"):
        group.searcher.nearest(queries, 3, allowed=few, **options)
    allowed[[40, 250]] = False
    found, _, _ = group.searcher.nearest(queries, 3, allowed=allowed, **options)
    for query, its in zip(queries, found, strict=True):
        plain = la.nearest(query, rows[allowed], 3, metric=metric)
        assert its.tolist() == np.flatnonzero(allowed)[plain.ids].tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_rows_beyond_each_others_range_get_codes_or_none_but_no_error(
    embeddings: Any, coded: Any, metric: Any
) -> None:
    rows = embeddings(11, 600, 8, "huge")
    query = np.zeros((1, 8), np.float32)
    group = coded(rows, metric, 0, layout=layout_for(metric, 8))
    if metric == "sqeuclidean":
        return
    found, _, _ = group.searcher.nearest(query, 3, allowed=None, limits=None, n_threads=1)
    assert found[0].tolist() == la.nearest(query[0], rows, 3, metric=metric).ids.tolist()
