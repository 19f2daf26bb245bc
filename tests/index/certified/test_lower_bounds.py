"""No bound is above the true distance, and bounds are near enough to it to be of use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lookalike as la
from lookalike.index.certified import encoder, values
from lookalike.index.certified.planning import Layout, SumLayout
from lookalike.index.certified.rotation import mixed
from lookalike.kernels import _compiled

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]
LEVELS = la.kernels.available()
KINDS = [
    *["gaussian", "clustered", "duplicates", "near ties", "zeros", "scales", "mixed", "denormal"],
    *["one-hot", "constant", "integers", "uint8", "float16", "far", "sparse", "cancelling", "huge"],
]
QUERIES = ["other", "row", "beside", "zero", "mean", "farther", "near mean", "opposite"]
#: Of the widest float that NumPy has here: 2^-64 where that has 80 bits.
EPSILON = float(np.finfo(np.longdouble).eps)


def a_query(kind: str, rows: Any, other: Any, rng: np.random.Generator) -> Any:
    wide = rows.astype(np.float32)
    row = wide[rng.integers(0, rows.shape[0])]
    mean = wide.mean(axis=0, dtype=np.float64)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore", under="ignore"):
        query = {
            "other": other,
            "row": row,
            "beside": np.nextafter(row, np.float32(0)),
            "zero": 0 * row,
            "mean": mean,
            "farther": other * 10.0 ** rng.integers(1, 20),
            "near mean": mean + other * 10.0 ** -rng.integers(3, 40),
            "opposite": -row,
        }[kind]
    return np.clip(query, -largest, largest).astype(np.float32)


def measures(metric: str, query: Any, rows: Any) -> tuple[Any, Any]:
    """Return what the bounds bound, and how far from it this sum of wide floats may be."""
    q, x = query.astype(np.longdouble), rows.astype(np.float32).astype(np.longdouble)
    loss = 2 * (query.size + 4) * EPSILON
    if metric == "inner_product":
        terms = q * x
        return -terms.sum(axis=1), loss * np.abs(terms).sum(axis=1)
    if metric == "manhattan":
        value = np.abs(q - x).sum(axis=1)
        return value, loss * value
    if metric == "cosine":  # half of |q - x|^2 of the directions: no cancellation near 0
        apart = q / np.sqrt((q * q).sum()) - x / np.sqrt((x * x).sum(axis=1))[:, np.newaxis]
        value = (apart * apart).sum(axis=1) / 2
        return value, loss * (value + 4 * np.sqrt(value) + loss)
    value = ((q - x) ** 2).sum(axis=1)
    return value, loss * value


def check_bounds(group: Any, metric: str, level: str, query: Any) -> None:
    """Check every bound of every level of codes; the query itself may be out of proportion."""
    if group.lower_bounds(level, query, 0).size == 0:
        return
    truth, loss = measures(metric, query, group.rows[group.order])
    for code_level in range(group.n_levels + 1):
        bounds = group.lower_bounds(level, query, code_level)
        assert bounds.size == group.order.size
        assert (bounds <= truth + loss).all(), (code_level, (bounds - truth).max())


@settings(max_examples=400)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
    query_kind=st.sampled_from(QUERIES),
    metric=st.sampled_from(METRICS),
    level=st.sampled_from(LEVELS),
    n=st.one_of(st.integers(1, 130), st.integers(130, 900)),
    dim=st.one_of(st.integers(1, 9), st.integers(1, 140)),
)
def test_no_bound_of_any_row_is_above_its_true_distance(
    *,
    embeddings: Any,
    coded: Any,
    seed: int,
    kind: str,
    query_kind: str,
    metric: str,
    level: str,
    n: int,
    dim: int,
) -> None:
    rows = embeddings(seed, n, dim, kind)
    (other,) = embeddings(seed + 1, 1, dim, kind)
    query = a_query(query_kind, rows, other.astype(np.float32), np.random.default_rng(seed))
    group = coded(rows, metric, seed)
    if group is not None:
        check_bounds(group, metric, level, query)


def some_rotation(centred: Any) -> tuple[Any, Any]:
    """Return a rotation of pairs of dimensions, which is made in no time for any of them."""
    dim = centred.shape[1]
    turned = np.eye(dim)
    for i in range(0, dim - 1, 2):
        turned[i : i + 2, i : i + 2] = [[0.6, 0.8], [-0.8, 0.6]]
    return turned, np.ones(dim)


@pytest.mark.parametrize(
    ("metric", "dim"),
    [("cosine", 768), ("inner_product", 1280), ("euclidean", 2000), ("manhattan", 2000)],
)
@pytest.mark.parametrize("kind", ["clustered", "mixed"])
def test_no_bound_of_a_long_row_is_above_its_true_distance(
    monkeypatch: pytest.MonkeyPatch, embeddings: Any, coded: Any, metric: str, dim: int, kind: str
) -> None:
    monkeypatch.setattr(values, "principal_components", some_rotation)
    rows = embeddings(dim, 150, dim, kind)
    (other,) = embeddings(1, 1, dim, kind)
    whole: Any = Layout(False, dim, (), 0.0, ())  # the most codes that a head can have, or nearly
    if metric == "manhattan":
        whole = SumLayout((1,), (dim,), (0,), 0.0, ())
    for layout in (None, whole):
        group = coded(rows, metric, dim, layout=layout)
        for level in LEVELS:
            check_bounds(group, metric, level, rows[7])
            check_bounds(group, metric, level, other)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "manhattan"])
@pytest.mark.parametrize("epsilon", [1e-3, 0.25])
@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.1])
def test_bounds_hold_for_any_epsilon_and_a_rotation_that_is_none(
    monkeypatch: pytest.MonkeyPatch,
    embeddings: Any,
    coded: Any,
    metric: Any,
    epsilon: float,
    noise: float,
) -> None:
    rng = np.random.default_rng(5)

    def spoiled(components: Any, widths: Any, seed: int) -> Any:
        rotation = mixed(components, widths, seed)
        return rotation + np.float32(noise) * rng.standard_normal(rotation.shape, np.float32)

    monkeypatch.setattr(encoder, "mixed", spoiled)
    monkeypatch.setattr(encoder, "_LEAST_EPSILON", epsilon)
    monkeypatch.setattr(encoder, "_MOST_EPSILON", epsilon)
    for kind in ("gaussian", "clustered", "far", "scales", "near ties"):
        rows = embeddings(3, 200, 24, kind)
        queries = [rows[3], embeddings(4, 1, 24, kind)[0], rows.mean(axis=0), 30 * rows[5]]
        group = coded(rows, metric, 0, layout=Layout(True, 8, (8, 8), 0.0, ()))
        assert group.plan["epsilon"] == epsilon
        assert group.plan["kappa"] >= noise / 2
        for query in queries:
            check_bounds(group, metric, LEVELS[-1], query)
            radius = float(np.median(la.distances(query, rows, metric=metric)))
            options: Any = {"allowed": None, "n_threads": 1}
            ((found, _),), _ = group.searcher.within(query[np.newaxis], radius, **options)
            assert found.tolist() == la.within(query, rows, radius, metric=metric).ids.tolist()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_the_slack_covers_what_float32_loses_where_codes_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, coded: Any, metric: str, level: str
) -> None:
    # Neighbours one step apart, each 3000 steps long, and as much again in the tail: what
    # tells them apart is the last bit of the sums.
    head, n = 1024, 400
    rng = np.random.default_rng(1)
    whole = np.concatenate([rng.integers(-99, 100, head), np.full(4, 1500)])
    whole[:2] = 100  # 8100 codes: each value is 81 of them
    rows = np.tile(whole, (n, 1)).astype(np.float32)
    rows[np.arange(n), rng.integers(2, head, n)] += 1
    rows = np.concatenate([rows, -rows])  # so that the mean is zero
    unit = 2.0 ** -round(np.log2(np.linalg.norm(rows[0])))
    monkeypatch.setattr(encoder.ValueEncoder, "_steps_of", lambda *_: [unit])
    monkeypatch.setattr(values, "principal_components", lambda rows: (rows[:1], rows[0]))
    group = coded(rows, metric, 0, layout=Layout(False, head, (), 0.0, ()))
    assert group.plan["unit"] == unit
    query = whole.astype(np.float32)
    check_bounds(group, metric, level, query)
    beside = group.order < n
    bounds = group.lower_bounds(level, query, 1)[beside]
    slack = 2 * _compiled.BOUND_SLACK * float(np.square(whole).sum())
    assert -2 * slack < bounds.min()
    assert bounds.max() < 0 < (bounds + slack).max()


@pytest.mark.parametrize("level", LEVELS)
def test_sums_of_values_that_cancel_are_bounds_too(coded: Any, level: str) -> None:
    # In float64, 2^60 + 129 - 2^60 is 256 and 2^60 + 127 - 2^60 is 0.
    rows = np.zeros((300, 8), np.float32)
    rows[:, :3] = 2.0**60, 127, -(2.0**60)
    rows[5:, 4] = 1024 * np.random.default_rng(0).integers(0, 50, 295)
    query = rows[0].copy()
    query[1] = 129
    group = coded(rows, "manhattan", 0, layout=SumLayout((4, 1), (8, 8), (0, 64), 0.0, ()))
    check_bounds(group, "manhattan", level, query)
    for asked in (query, rows[7]):
        options: Any = {"allowed": None, "limits": None, "n_threads": 1}
        found, _, _ = group.searcher.nearest(asked[np.newaxis], 20, **options)
        assert found[0].tolist() == la.nearest(asked, rows, 20, metric="manhattan").ids.tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_every_level_excludes_rows_and_none_all_of_them(
    embeddings: Any, coded: Any, metric: str
) -> None:
    n, dim, k = 6000, 96, 10
    rows = embeddings(5, n, dim, "clustered") + 0.2 * embeddings(6, n, dim, "gaussian")
    queries = rows[::400] + 0.1 * embeddings(7, 15, dim, "gaussian")
    layout: Any = Layout(True, 32, (32, 32), 0.0, ())
    if metric == "manhattan":
        layout = SumLayout((8, 2, 1), (16, 48, 96), (0, 64, 128), 0.0, ())
    group = coded(rows, metric, 0, layout=layout)
    pairs = n * len(queries)
    for some in (queries, *queries[:, np.newaxis]):
        _, _, cost = group.searcher.nearest(some, k, allowed=None, limits=None, n_threads=1)
        assert cost.rows_read + sum(cost.rows_skipped_by_level) == n * len(some)
        assert k * len(some) <= cost.rows_read <= 0.1 * n * len(some)
        if len(some) == len(queries):
            shares = [skipped / pairs for skipped in cost.rows_skipped_by_level]
            assert 0.5 < shares[0] < 0.95
            assert min(shares) > 0.002


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "sqeuclidean", "manhattan"])
def test_bounds_from_all_codes_come_near_the_distance(
    embeddings: Any, coded: Any, metric: str
) -> None:
    rows = embeddings(8, 2000, 96, "gaussian")
    (query,) = embeddings(9, 1, 96, "gaussian")
    layout: Any = Layout(True, 48, (48,), 0.0, ())
    if metric == "manhattan":
        layout = SumLayout((1,), (96,), (0,), 0.0, ())
    group = coded(rows, metric, 0, layout=layout)
    truth, _ = measures(metric, query, rows[group.order])
    shares = group.lower_bounds(LEVELS[-1], query, group.n_levels) / truth.astype(np.float64)
    assert np.quantile(shares, 0.01) > 0.9
    assert shares.max() < 1.0
