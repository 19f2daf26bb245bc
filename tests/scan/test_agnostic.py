"""One pair has one number: whatever the level, the threads, the chunks, the batch, the dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lookalike as la
from lookalike.kernels import _compiled

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]
DISTANCES: list[Any] = [name for name in METRICS if name != "inner_product"]
LEVELS = la.kernels.available()
IMPLEMENTATIONS: list[Any] = ["compiled", "numpy", "naive"]
DIMS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 769, 1536]
LARGEST = float(np.finfo(np.float32).max)
SMALLEST = 2.0**-149
SCALES = [1e-45, 1e-40, 1e-38, 1e-25, 1e-19, 1e-15, 1.0, 1e12, 1e18, 1e19, 1e30, 1e38]


def embeddings(seed: int, n: int, dim: int, kind: str) -> Any:
    """Return float32 rows of a kind that is hard in some way."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, dim))
    if kind == "ties":
        rows = rng.integers(-1, 2, (n, dim)).astype(np.float64)
    elif kind == "far":
        rows += 1e4
    elif kind == "duplicates":
        rows = rows[rng.integers(0, max(1, n // 3), n)] if n else rows
    elif kind == "scales":
        rows *= rng.choice(SCALES, (n, 1))
    elif kind == "mixed":
        rows *= rng.choice(SCALES, (n, dim))
    elif kind == "tiny":
        rows *= 1e-41
    if n > 3:
        rows[rng.integers(0, n)] = 0.0
    return np.clip(rows, -LARGEST, LARGEST).astype(np.float32)


KINDS = st.sampled_from(["normal", "ties", "far", "duplicates", "scales", "mixed", "tiny"])
SEEDS = st.integers(0, 2**32)


def exact(metric: str, query: Any, row: Any) -> tuple[float, float]:
    """Return the distance with exactly rounded sums, and how far a scan may be from it."""
    q, x = query.tolist(), row.tolist()
    pairs = list(zip(q, x, strict=True))
    gamma = _compiled.scan_gamma(len(q))
    dot = math.fsum(a * b for a, b in pairs)
    if metric == "inner_product":
        return -dot, gamma * math.fsum(abs(a * b) for a, b in pairs) + SMALLEST
    if metric == "cosine":
        squares = math.fsum(a * a for a in q) * math.fsum(b * b for b in x)
        return (1.0 - dot / math.sqrt(squares) if squares else 1.0), gamma
    if metric == "manhattan":
        total = math.fsum(abs(a - b) for a, b in pairs)
    else:
        total = math.fsum((a - b) ** 2 for a, b in pairs)
    value = math.sqrt(total) if metric == "euclidean" else total
    return value, gamma * value + SMALLEST


def answers(queries: Any, group: Any, metric: Any, k: int, radius: float, n_threads: int) -> Any:
    """Return every function's answer, as lists of ids and bytes of distances."""
    options: Any = {"metric": metric, "n_threads": n_threads}
    batch = la.nearest_batch(queries, group, k, **options)
    every = la.pairwise(queries, group, **options)
    inside = la.within_batch(queries, group, radius, **options)
    return [
        (
            every[q].tobytes(),
            batch.ids[q].tolist(),
            batch.distances[q].tobytes(),
            inside[q].ids.tolist(),
            inside[q].distances.tobytes(),
        )
        for q in range(len(queries))
    ]


def single_answers(query: Any, group: Any, metric: Any, k: int, radius: float, n: int) -> Any:
    """Return the same for one query by the functions for one query, padded as a batch is."""
    options: Any = {"metric": metric, "n_threads": n}
    nearest = la.nearest(query, group, k, **options)
    inside = la.within(query, group, radius, **options)
    missing = k - nearest.ids.size
    padding = np.full(missing, np.inf, dtype=np.float32)
    return (
        la.distances(query, group, **options).tobytes(),
        nearest.ids.tolist() + [-1] * missing,
        np.concatenate([nearest.distances, padding]).tobytes(),
        inside.ids.tolist(),
        inside.distances.tobytes(),
    )


def is_out_of_range(queries: Any, group: Any, metric: Any) -> bool:
    try:
        la.pairwise(queries, group, metric=metric, n_threads=1)
    except la.RangeError:
        return True
    return False


@given(
    seed=SEEDS,
    n=st.integers(0, 150),
    dim=st.integers(1, 100),
    n_queries=st.integers(1, 20),
    kinds=st.tuples(KINDS, KINDS),
    metric=st.sampled_from(METRICS),
    level=st.sampled_from(LEVELS),
    k=st.integers(1, 30),
)
def test_level_chunk_batch_and_function_do_not_show_in_the_bits(
    seed: int,
    n: int,
    dim: int,
    n_queries: int,
    kinds: tuple[str, str],
    metric: Any,
    level: str,
    k: int,
) -> None:
    group = embeddings(seed, n, dim, kinds[0])
    queries = embeddings(seed + 1, n_queries, dim, kinds[1])
    with la.kernels.use("scalar"):
        if is_out_of_range(queries, group, metric):
            for name in LEVELS:
                with la.kernels.use(name):
                    assert is_out_of_range(queries, group, metric)
                    with pytest.raises(la.RangeError):
                        la.nearest_batch(queries, group, k, metric=metric)
                    with pytest.raises(la.RangeError):
                        la.within_batch(queries, group, 1.0, metric=metric)
            return
        every = la.pairwise(queries, group, metric=metric, n_threads=1)
        radius = float(np.sort(every, axis=None)[every.size // 2]) if n else 0.0
        expected = answers(queries, group, metric, k, radius, 1)
    with la.kernels.use(level):
        assert answers(queries, group, metric, k, radius, 7) == expected
        for q in range(n_queries):
            assert single_answers(queries[q], group, metric, k, radius, 2) == expected[q]
        cut = seed % (n + 1)
        chunks = [la.pairwise(queries, part, metric=metric) for part in (group[:cut], group[cut:])]
        assert np.concatenate(chunks, axis=1).tobytes() == every.tobytes()


@given(
    seed=SEEDS,
    n=st.integers(1, 90),
    dim=st.integers(1, 70),
    metric=st.sampled_from(METRICS),
    level=st.sampled_from(LEVELS),
    dtype=st.sampled_from(["f2", "f8", "i1", "u2", "i4", "i8", ">f4"]),
)
def test_dtype_does_not_show_in_the_bits(
    seed: int, n: int, dim: int, metric: Any, level: str, dtype: str
) -> None:
    values = np.random.default_rng(seed).standard_normal((n, dim)) * 40
    group = np.abs(values).astype(dtype)
    plain = group.astype(np.float32)
    with la.kernels.use(level):
        expected = answers(plain[:9], plain, metric, 5, 60.0, 1)
        assert answers(group[:9], group, metric, 5, 60.0, 1) == expected


@pytest.fixture(scope="module")
def long_group() -> Any:
    """Return rows enough for seven threads, with ties, zeros and rows scored in float64."""
    rng = np.random.default_rng(7)
    group = rng.standard_normal((30_000, 65)).astype(np.float32)
    group[::1000] = 0.0
    group[rng.integers(0, 30_000, 3000)] = group[0] + 1
    group[::700] *= np.float32(1e-30)
    return group


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("level", LEVELS)
def test_threads_do_not_show_in_the_bits(long_group: Any, metric: Any, level: str) -> None:
    queries = long_group[[0, 1, 5, 700, 1000, 29_999, 17, 18]]
    radius = float(np.quantile(la.distances(queries[1], long_group, metric=metric), 0.01))
    with la.kernels.use(level):
        expected = answers(queries, long_group, metric, 40, radius, 1)
        for n_threads in (2, 3, 7):
            assert answers(queries, long_group, metric, 40, radius, n_threads) == expected
            for q in (0, 3):
                single = single_answers(queries[q], long_group, metric, 40, radius, n_threads)
                assert single == expected[q]


@pytest.mark.parametrize("metric", METRICS)
def test_more_queries_than_one_block_give_the_bits_of_each(metric: Any) -> None:
    queries = embeddings(3, 600, 24, "normal")
    group = embeddings(4, 700, 24, "ties")
    whole = answers(queries, group, metric, 5, 0.5, 2)
    parts = [answers(queries[i : i + 7], group, metric, 5, 0.5, 1) for i in range(0, 600, 7)]
    assert whole == [answer for part in parts for answer in part]


# What the numbers are --------------------------------------------------------------------


@given(
    seed=SEEDS,
    dim=st.integers(1, 130),
    kinds=st.tuples(KINDS, KINDS),
    metric=st.sampled_from(METRICS),
    level=st.sampled_from(LEVELS),
)
def test_distances_are_within_their_bound_of_exact_sums(
    seed: int, dim: int, kinds: tuple[str, str], metric: Any, level: str
) -> None:
    (query,) = embeddings(seed, 1, dim, kinds[0])
    for row in embeddings(seed + 1, 6, dim, kinds[1]):
        expected, bound = exact(metric, query, row)
        with la.kernels.use(level):
            if abs(expected) > LARGEST * (1 + 1e-4):
                with pytest.raises(la.RangeError, match=f"{metric} distance to row 0 of group"):
                    la.distances(query, [row], metric=metric)
            elif abs(expected) < LARGEST * (1 - 1e-4):
                (found,) = la.distances(query, [row], metric=metric).tolist()
                assert abs(found - expected) <= bound


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("metric", METRICS)
def test_every_level_and_implementation_is_within_the_bound(metric: Any, dim: int) -> None:
    group = embeddings(dim, 9, dim, "normal")
    query = embeddings(dim + 1, 1, dim, "normal")[0]
    found = []
    for level in LEVELS:
        with la.kernels.use(level):
            found.append(la.distances(query, group, metric=metric))
    assert len({distances.tobytes() for distances in found}) == 1
    found += [
        la.distances(query, group, metric=metric, implementation=name)
        for name in IMPLEMENTATIONS[1:]
    ]
    for r, row in enumerate(group):
        expected, bound = exact(metric, query, row)
        for distances in found:
            assert abs(float(distances[r]) - expected) <= bound


@given(
    seed=SEEDS,
    dim=st.integers(1, 100),
    kinds=st.tuples(KINDS, KINDS),
    metric=st.sampled_from(METRICS),
    implementation=st.sampled_from(IMPLEMENTATIONS),
)
def test_distance_is_symmetric_bit_for_bit(
    seed: int, dim: int, kinds: tuple[str, str], metric: Any, implementation: Any
) -> None:
    rows = np.concatenate(
        [embeddings(seed, 3, dim, kinds[0]), embeddings(~seed & 7, 3, dim, kinds[1])]
    )
    options: Any = {"metric": metric, "implementation": implementation}
    try:
        every = la.pairwise(rows, rows, **options)
    except la.RangeError:
        return
    assert every.tobytes() == every.T.tobytes()


@given(
    seed=SEEDS,
    dim=st.integers(1, 100),
    kind=KINDS,
    metric=st.sampled_from(DISTANCES),
    implementation=st.sampled_from(IMPLEMENTATIONS),
    level=st.sampled_from(LEVELS),
)
def test_no_distance_is_negative_and_only_zero_to_itself(
    seed: int, dim: int, kind: str, metric: Any, implementation: Any, level: str
) -> None:
    for row in embeddings(seed, 6, dim, kind):
        group = np.stack([row, -row / 2, row])
        with la.kernels.use(level):
            try:
                found = la.distances(row, group, metric=metric, implementation=implementation)
            except la.RangeError:
                continue
        itself = 1.0 if metric == "cosine" and not row.any() else 0.0
        assert found[[0, 2]].tolist() == [itself, itself]
        assert (found >= 0).all()
        assert not np.signbit(found).any()
        if metric == "cosine":
            assert (found <= 2).all()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_denormals_are_not_flushed_to_zero(metric: Any, implementation: Any) -> None:
    smallest = np.array([[SMALLEST], [3 * SMALLEST], [0.0]])
    options: Any = {"metric": metric, "implementation": implementation}
    assert la.distances([0.0], smallest, **options).tolist() == [SMALLEST, 3 * SMALLEST, 0.0]
    assert la.nearest([0.0], smallest, 1, **options).ids.tolist() == [2]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_cosine_of_denormals_has_a_direction(implementation: Any) -> None:
    s = SMALLEST
    group = np.array([[s, 0], [0, s], [-s, 0], [s, s], [0, 0]], dtype=np.float32)
    for scale in (1, 1e30):
        found = la.distances([s * scale, 0], group, implementation=implementation).tolist()
        assert found == [0.0, 1.0, 2.0, pytest.approx(1 - math.sqrt(0.5), abs=1e-7), 1.0]


@pytest.mark.parametrize("level", LEVELS)
def test_cosine_of_all_zeros_is_one_in_every_position(level: str) -> None:
    for dim in (1, 31, 32, 33, 100):
        group = np.zeros((40, dim), dtype=np.float32)
        group[::3] = 2.0
        with la.kernels.use(level):
            assert (la.pairwise(np.zeros((9, dim)), group) == 1.0).all()
            found = la.distances(np.ones(dim), group)
            assert (found[1::3] == 1.0).all()
            assert (found[::3] < 1e-6).all()
            batch = la.nearest_batch(np.zeros((9, dim)), group, 2)
            assert batch.ids.tolist() == [[0, 1]] * 9
            assert batch.distances.tolist() == [[1.0, 1.0]] * 9


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_distance_that_float32_cannot_hold_is_a_range_error(implementation: Any) -> None:
    query = np.array([3e38, 3e38])
    options: Any = {"implementation": implementation}
    group = np.array([query, query, -query])
    for metric in ("sqeuclidean", "manhattan", "inner_product"):
        bad = 0 if metric == "inner_product" else 2
        with pytest.raises(la.RangeError, match=f"{metric} distance to row {bad} of group"):
            la.distances(query, group, metric=metric, **options)
        with pytest.raises(la.RangeError, match=f"row {bad} of group"):
            la.nearest(query, group, 1, metric=metric, **options)
        with pytest.raises(la.RangeError, match=f"row {bad} of group"):
            la.within_batch([query] * 8, group, 1.0, metric=metric, **options)
    with pytest.raises(la.RangeError, match="euclidean distance to row 2"):
        la.distances(query, group, metric="euclidean", **options)
    assert la.distances(query, group, metric="cosine", **options).tolist() == [0.0, 0.0, 2.0]
    assert la.distances(query, group[:2], metric="sqeuclidean", **options).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("metric", "far"), [("sqeuclidean", 1e19), ("manhattan", 1.5e38)])
@pytest.mark.parametrize("n_queries", [2, 8])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_first_row_out_of_range_of_any_query_is_named_by_every_function(
    metric: Any, far: float, n_queries: int, n_threads: int
) -> None:
    group = np.zeros((300, 2), dtype=np.float32)
    group[40], group[250] = (far, -far), (-far, far)  # out of range of the odd, the even queries
    queries = np.tile([[far, 0], [0, far]], (n_queries // 2, 1))
    options: Any = {"metric": metric, "n_threads": n_threads}
    for query, row in zip(queries, (250, 40), strict=False):
        with pytest.raises(la.RangeError, match=f"row {row} of group"):
            la.nearest(query, group, 3, **options)
    for call in (
        lambda: la.pairwise(queries, group, **options),
        lambda: la.nearest_batch(queries, group, 3, **options),
        lambda: la.within_batch(queries, group, 1.0, **options),
    ):
        with pytest.raises(la.RangeError, match="row 40 of group"):
            call()


# Which rows are answered -----------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 33, 400])
@pytest.mark.parametrize("k", [1, 2, 33, 401])
@pytest.mark.parametrize("metric", METRICS)
def test_k_never_changes_who_is_nearest(n: int, k: int, metric: Any) -> None:
    group = embeddings(n, n, 16, "ties")
    queries = embeddings(k, 8, 16, "ties")
    everyone = la.nearest_batch(queries, group, max(n, 1), metric=metric)
    some = la.nearest_batch(queries, group, k, metric=metric)
    found = min(k, n)
    assert some.ids[:, :found].tolist() == everyone.ids[:, :found].tolist()
    assert (some.ids[:, found:] == -1).all()
    assert np.isposinf(some.distances[:, found:]).all()
    for q in range(8):
        single = la.nearest(queries[q], group, k, metric=metric)
        assert single.ids.tolist() == some.ids[q, :found].tolist()
        assert sorted(set(single.ids.tolist())) == sorted(single.ids.tolist())


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("metric", METRICS)
def test_rows_that_are_all_duplicates_come_in_ascending_order(
    metric: Any, implementation: Any
) -> None:
    group = np.tile(embeddings(1, 1, 9, "normal"), (300, 1))
    queries = np.concatenate([group[:4], embeddings(2, 4, 9, "normal")])
    options: Any = {"metric": metric, "implementation": implementation}
    for k in (1, 7, 300):
        assert la.nearest_batch(queries, group, k, **options).ids.tolist() == [list(range(k))] * 8
        assert la.nearest(queries[5], group, k, **options).ids.tolist() == list(range(k))
    inside = la.within(queries[5], group, float("inf"), **options)
    assert inside.ids.tolist() == list(range(300))


@pytest.mark.parametrize("n_queries", [1, 9])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("metric", METRICS)
def test_a_radius_is_inclusive_at_exactly_its_float32_value(
    metric: Any, implementation: Any, n_queries: int
) -> None:
    group = embeddings(5, 60, 21, "normal")
    queries = embeddings(6, n_queries, 21, "normal")
    options: Any = {"metric": metric, "implementation": implementation}
    every = la.pairwise(queries, group, **options)
    for rank in (1, 7, 30):
        radius = np.sort(every[0])[rank]
        below = np.nextafter(radius, np.float32(-np.inf))
        for limit, count in ((radius, rank + 1), (below, rank)):
            inside = la.within_batch(queries, group, float(limit), **options)
            assert inside[0].ids.size == count
            for q in range(n_queries):
                assert sorted(inside[q].ids.tolist()) == np.flatnonzero(every[q] <= limit).tolist()


def test_a_radius_is_rounded_to_float32_before_it_is_compared() -> None:
    group = [[np.float32(0.1)]]
    assert float(np.float32(0.1)) > 0.1
    assert la.within([0.0], group, 0.1, metric="euclidean").ids.tolist() == [0]
    assert la.within([0.0], [[1.0]], 1e300, metric="euclidean").ids.tolist() == [0]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("n_queries", [1, 8])
def test_radii_without_end_or_below_zero(n_queries: int, implementation: Any) -> None:
    group = embeddings(8, 50, 6, "ties")
    queries = embeddings(9, n_queries, 6, "normal")
    for metric in METRICS:
        options: Any = {"metric": metric, "implementation": implementation}
        for inside in la.within_batch(queries, group, float("inf"), **options):
            assert sorted(inside.ids.tolist()) == list(range(50))
        for inside in la.within_batch(queries, group, float("-inf"), **options):
            assert inside.ids.size == 0
        every = la.pairwise(queries, group, **options)
        for q, inside in enumerate(la.within_batch(queries, group, -0.5, **options)):
            assert sorted(inside.ids.tolist()) == np.flatnonzero(every[q] <= -0.5).tolist()
