"""The certified answer is the plain scan's, bit for bit, whatever the codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lookalike as la
from lookalike.index.certified import CertifiedSearcher, encode, values
from lookalike.index.cost import BadRowError, Cost
from lookalike.metrics import METRICS as METRICS_BY_NAME

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]
LEVELS = la.kernels.available()
KINDS = [
    *["gaussian", "clustered", "duplicates", "near ties", "zeros", "scales", "mixed", "denormal"],
    *["one-hot", "constant", "integers", "uint8", "float16", "far", "sparse", "cancelling", "huge"],
]
QUERIES = ["other", "rows", "beside rows", "zero", "mean", "farther", "tiny"]


def queries_of(rows: Any, other: Any, kinds: list[str], rng: np.random.Generator) -> Any:
    """Return a query of each kind, as float32."""
    wide = rows.astype(np.float32)
    picked = wide[rng.integers(0, rows.shape[0], len(kinds))]
    made = []
    with np.errstate(over="ignore"):
        for kind, row, fresh in zip(kinds, picked, other.astype(np.float32), strict=True):
            made.append(
                {
                    "other": fresh,
                    "rows": row,
                    "beside rows": np.nextafter(row, np.float32(0)),
                    "zero": np.zeros_like(row),
                    "mean": wide.mean(axis=0, dtype=np.float64).astype(np.float32),
                    "farther": np.clip(fresh * np.float32(1e6), -3e38, 3e38),
                    "tiny": fresh * np.float32(1e-20),
                }[kind]
            )
    return np.ascontiguousarray(made, dtype=np.float32)


class Plain:
    """What la.distances says of a group, put in order by NumPy."""

    def __init__(self, rows: Any, metric: Any, keys: Any, allowed: Any) -> None:
        self.rows, self.metric = rows, metric
        self.keys = np.arange(rows.shape[0]) if keys is None else keys
        self.allowed = np.ones(rows.shape[0], np.bool_) if allowed is None else allowed

    def in_order(self, query: Any) -> tuple[Any, Any]:
        """Return all allowed rows and their distances; RangeError as the scan has it."""
        chosen = np.flatnonzero(self.allowed)
        if chosen.size == 0:
            return chosen, np.empty(0, np.float32)
        with la.kernels.use("scalar"):
            every = la.distances(query, self.rows[chosen], metric=self.metric, n_threads=1)
        order = np.lexsort((self.keys[chosen], every))
        return chosen[order], every[order]

    def can_answer(self, queries: Any) -> bool:
        try:
            for query in queries:
                self.in_order(query)
        except la.RangeError:
            return False
        return True


def padded(values: Any, k: int, filling: Any) -> bytes:
    missing = max(0, k - values.size)
    whole: Any = np.concatenate([values[:k], np.full(missing, filling, values.dtype)])
    return bytes(whole.tobytes())


def check_cost(cost: Cost, group: Any, n_queries: int) -> None:
    """Check that every row was read or skipped, where one query went through the codes."""
    if n_queries == 1 and cost.rows_skipped_by_level:
        assert len(cost.rows_skipped_by_level) == group.n_levels + 1
        assert cost.rows_read + sum(cost.rows_skipped_by_level) == group.rows.shape[0]


def check_nearest(group: Any, plain: Plain, queries: Any, k: int, options: Any) -> None:
    rows, distances, cost = group.searcher.nearest(queries, k, limits=None, **options)
    check_cost(cost, group, len(queries))
    for query, its_rows, its_distances in zip(queries, rows, distances, strict=True):
        expected = plain.in_order(query)
        assert its_distances.tobytes() == padded(expected[1], k, np.inf)
        assert its_rows.tobytes() == padded(expected[0], k, -1)


def check_limits(group: Any, plain: Plain, query: Any, k: int, options: Any) -> None:
    """Check that rows within a limit are found, those at the limit included."""
    expected = plain.in_order(query)
    some = expected[1][[0, min(k, expected[1].size) // 3, -1]].tolist()
    for limit in {-np.inf, -1.0, 0.0, *some}:
        limits = np.array([limit], np.float32)
        rows, distances, _ = group.searcher.nearest(query[np.newaxis], k, limits=limits, **options)
        inside = expected[1][:k] <= limits[0]
        found = (distances[0] <= limits[0]) & (rows[0] >= 0)
        assert rows[0][found].tolist() == expected[0][:k][inside].tolist()


def check_within(group: Any, plain: Plain, queries: Any, options: Any) -> None:
    every = [plain.in_order(query) for query in queries]
    some = every[0][1]
    for radius in {-1.0, 0.0, 1.0, float(some[some.size // 5]), float(some[-1])}:
        answers, cost = group.searcher.within(queries, radius, **options)
        check_cost(cost, group, len(queries))
        for (rows, distances), expected in zip(answers, every, strict=True):
            inside = expected[1] <= np.float32(radius)
            assert rows.tolist() == expected[0][inside].tolist()
            assert distances.tobytes() == expected[1][inside].tobytes()


@settings(max_examples=400)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
    metric=st.sampled_from(METRICS),
    level=st.sampled_from(LEVELS),
    n=st.one_of(st.integers(1, 130), st.integers(130, 3000)),
    dim=st.one_of(st.integers(1, 9), st.integers(1, 140)),
    k=st.one_of(st.integers(1, 12), st.integers(1, 4000)),
    query_kinds=st.lists(st.sampled_from(QUERIES), min_size=1, max_size=9),
    n_threads=st.sampled_from([1, 2, 5]),
    masked=st.sampled_from([0.0, 0.0, 0.3, 0.95, 0.995]),
    is_keyed=st.booleans(),
)
def test_the_answer_is_the_plain_scans(
    *,
    embeddings: Any,
    coded: Any,
    seed: int,
    kind: str,
    metric: Any,
    level: str,
    n: int,
    dim: int,
    k: int,
    query_kinds: list[str],
    n_threads: int,
    masked: float,
    is_keyed: bool,
) -> None:
    rng = np.random.default_rng(seed)
    rows = embeddings(seed, n, dim, kind)
    keys = rng.permutation(n) * 7 - 11 if is_keyed else None
    group = coded(rows, metric, seed, keys)
    if group is None:  # nothing but zeros
        return
    queries = queries_of(rows, embeddings(seed + 1, len(query_kinds), dim, kind), query_kinds, rng)
    allowed = rng.random(n) >= masked if masked else None
    plain = Plain(rows, metric, keys, allowed)
    options: Any = {"allowed": allowed, "n_threads": n_threads}
    k = min(k, n + 2)
    with la.kernels.use(level):
        if not plain.can_answer(queries):
            with pytest.raises(BadRowError):
                group.searcher.nearest(queries, k, limits=None, **options)
            with pytest.raises(BadRowError):
                group.searcher.within(queries, 1.0, **options)
            return
        check_nearest(group, plain, queries, k, options)
        check_nearest(group, plain, queries[:1], k, options)
        if plain.allowed.any():
            check_limits(group, plain, queries[0], k, options)
            check_within(group, plain, queries, options)


@pytest.mark.parametrize(
    ("metric", "dim"),
    [("cosine", 768), ("inner_product", 1280), ("euclidean", 2000), ("manhattan", 2000)],
)
@pytest.mark.parametrize("level", LEVELS)
def test_the_answer_of_long_rows_is_the_plain_scans(
    monkeypatch: pytest.MonkeyPatch, embeddings: Any, coded: Any, level: str, metric: Any, dim: int
) -> None:
    # Any orthonormal rows do, and these take no time.
    monkeypatch.setattr(values, "principal_components", lambda rows: (np.eye(dim), rows[0]))
    rng = np.random.default_rng(dim)
    for kind in ("clustered", "near ties"):
        rows = embeddings(dim, 300, dim, kind)
        keys = rng.permutation(300)
        group = coded(rows, metric, dim, keys)
        plain = Plain(rows, metric, keys, None)
        queries = queries_of(rows, embeddings(1, 8, dim, kind), [*QUERIES, "other"], rng)
        for n_threads in (1, 2):
            options: Any = {"allowed": None, "n_threads": n_threads}
            with la.kernels.use(level):
                check_nearest(group, plain, queries, 10, options)
                check_nearest(group, plain, queries[:1], 3, options)
                check_within(group, plain, queries, options)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["clustered", "uint8", "zeros", "float16"])
def test_the_answer_from_codes_that_measuring_chose_is_the_plain_scans(
    embeddings: Any, metric: Any, kind: str
) -> None:
    rows = embeddings(2, 4000, 64, kind)
    made = encode(
        rows,
        METRICS_BY_NAME[metric],
        alive=None,
        n_threads=2,
        progress=lambda _done, _all: None,
    )
    arrays, plan = (None, None) if made is None else made
    searcher = CertifiedSearcher(rows, METRICS_BY_NAME[metric], None, arrays, plan, None)
    plain = Plain(rows, metric, None, None)
    queries = queries_of(rows, embeddings(3, 7, 64, kind), QUERIES, np.random.default_rng(1))
    for n_threads in (1, 3):
        options: Any = {"allowed": None, "limits": None, "n_threads": n_threads}
        found, distances, _ = searcher.nearest(queries, 20, **options)
        for query, its_rows, its_distances in zip(queries, found, distances, strict=True):
            expected = plain.in_order(query)
            assert its_rows.tolist() == expected[0][:20].tolist()
            assert its_distances.tobytes() == expected[1][:20].tobytes()
