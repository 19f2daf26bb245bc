"""What an index promises, one claim at a time; test_model.py takes them all together."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest

import lookalike as la
from lookalike.index import changes
from lookalike.index.cost import Cost
from lookalike.index.segments import Rows

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]


def tied_rows(rng: np.random.Generator, n: int, dim: int = 6) -> Any:
    return rng.integers(-1, 2, (n, dim)).astype(np.float32)


def brute_force(query: Any, rows: Any, ids: Any, metric: Any, k: int) -> Any:
    """Return the k nearest in the order of (distance, id), from the plain scan's bits."""
    distances = la.distances(query, rows, metric=metric)
    ranks = np.argsort(np.argsort(np.asarray(ids)))
    order = np.lexsort((ranks, distances))[:k]
    return [ids[i] for i in order], distances[order].tobytes()


def answer(found: Any) -> Any:
    return found.ids.tolist(), found.distances.tobytes()


# Adding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["integer", "string", "uuid"])
def test_the_order_of_adding_and_the_segments_do_not_show_in_an_answer(
    rng: np.random.Generator, metric: Any, kind: str
) -> None:
    rows = tied_rows(rng, 300)
    numbers = rng.permutation(3000)[:300].tolist()
    ids: Any = {
        "integer": numbers,
        "string": [f"\U0001f600{n}" if n % 2 else f"\uffff{n}" for n in numbers],
        "uuid": [uuid.UUID(int=n << 100 | 3000 - n) for n in numbers],
    }[kind]
    expected = [brute_force(query, rows, ids, metric, 40) for query in rows[:5]]
    for cuts in ([300], [1, 300], [100, 101, 250, 300]):
        index = la.Index(metric)
        order = rng.permutation(300)
        start = 0
        for number, stop in enumerate(cuts):
            part = order[start:stop]
            index.add(rows[part], [ids[i] for i in part], copy=number % 2 == 0)
            start = stop
        for again in (index, index.build()):
            assert [answer(again.search(query, 40)) for query in rows[:5]] == expected
            batch = again.search_batch(rows[:5], 40)
            assert [ids.tolist() for ids in batch.ids] == [ids for ids, _ in expected]
            assert batch.distances.tobytes() == b"".join(bits for _, bits in expected)


def test_the_dimension_is_learned_from_the_first_rows() -> None:
    index = la.Index()
    dims: list[Any] = [index.dim]
    for vectors in (np.array([]), np.empty((0, 3))):
        index.add(vectors)
        dims.append(index.dim)
    assert dims == [None, None, 3]
    with pytest.raises(la.ShapeError, match=r"vectors has dim 4 but the index has dim 3"):
        index.add(np.ones((2, 4)))
    with pytest.raises(la.ShapeError, match=r"dim 4 .* dim 3"):
        index.upsert(np.ones((2, 4)), [1, 2])
    assert len(index) == 0


@pytest.mark.parametrize("dim", [0, -1, 2.5, "3"])
def test_a_dimension_that_is_none_is_refused(dim: Any) -> None:
    with pytest.raises(la.ParameterError, match=r"dim must be"):
        la.Index(dim=dim)


def test_a_metric_that_is_none_is_refused() -> None:
    with pytest.raises(la.MetricError, match="l2"):
        la.Index("l2")  # type: ignore[arg-type]


def test_rows_must_be_rows() -> None:
    index = la.Index()
    with pytest.raises(la.ShapeError, match=r"vectors\[np.newaxis\]"):
        index.add([1.0, 2.0])
    with pytest.raises(la.DtypeError, match="vectors"):
        index.add([["a", "b"]])


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (np.nan, la.NonFiniteError, "row 2, in 1 of 4 rows"),
        (np.inf, la.NonFiniteError, "row 2"),
        (1e39, la.RangeError, "row 2"),
    ],
)
def test_after_a_bad_row_nothing_was_added(copy: bool, bad: float, error: Any, says: str) -> None:  # noqa: FBT001
    index = la.Index("euclidean")
    index.add(np.ones((2, 3)))
    rows = np.ones((4, 3))
    rows[2, 1] = bad
    for call in (
        lambda: index.add(rows, copy=copy),
        lambda: index.upsert(rows, [0, 1, 7, 8]),
    ):
        with pytest.raises(error, match=says):
            call()
    assert index.ids.tolist() == [0, 1]
    assert index.version == 1
    assert index.add(np.ones((1, 3))).tolist() == [2]


def test_after_a_duplicate_nothing_was_added() -> None:
    index = la.Index("euclidean")
    index.add(np.ones((2, 3)), ["a", "b"])
    with pytest.raises(la.DuplicateIdError, match=r"'b' is in the index already .1 of 3"):
        index.add(np.ones((3, 3)), ["c", "b", "d"])
    with pytest.raises(la.DuplicateIdError, match="'c' is given twice"):
        index.add(np.ones((3, 3)), ["c", "d", "c"])
    with pytest.raises(ValueError, match="'b'"):
        index.add(np.ones((1, 3)), ["b"])
    assert index.ids.tolist() == ["a", "b"]
    assert index.version == 1


def test_a_copy_does_not_follow_the_callers_array() -> None:
    rows = np.eye(3, dtype=np.float32)
    index = la.Index("euclidean")
    index.add(rows)
    index.upsert(rows[:1], [7])
    rows[:] = 9
    assert index.get([0, 1, 2, 7]).tolist() == np.eye(3)[[0, 1, 2, 0]].tolist()
    index.get(1)[:] = 5
    assert index.get(1).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("dtype", ["f4", "f2", "u1", "f8", "?", "i8"])
def test_without_a_copy_the_callers_memory_is_searched(tmp_path: Any, dtype: str) -> None:
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 2, (50, 7)).astype(dtype)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for given in (mapped, rows, rows[::2]):
        index = la.Index("manhattan")
        index.add(given, copy=False)
        index.build()
        (segment,) = index._snapshot.segments
        assert np.shares_memory(segment.rows.array, given)
        assert segment.rows.array.itemsize == given.itemsize
        expected = la.nearest(rows[3].astype("f4"), given, 9, metric="manhattan")
        assert answer(index.search(rows[3].astype("f4"), 9)) == answer(expected)
        assert index.get([3]).tolist() == given[[3]].astype("f4").tolist()


@pytest.mark.parametrize(
    "rows", [[[1.0, 2.0]], np.ones((2, 2), dtype=">f4"), np.ones((2, 2), dtype=np.longdouble)]
)
def test_what_has_to_be_converted_cannot_stay_where_it_is(rows: Any) -> None:
    index = la.Index()
    with pytest.raises(la.ParameterError, match="copy=True"):
        index.add(rows, copy=False)
    index.add(rows)
    assert len(index) == len(rows)


def test_adding_one_by_one_copies_little_and_makes_few_segments() -> None:
    index = la.Index("euclidean")
    for number in range(5000):
        index.add([[number, 0.0]])
    assert len(index._snapshot.segments) <= 5
    assert index.search([4321.4, 0], 2).ids.tolist() == [4321, 4322]
    assert len(index._snapshot.segments) == 1  # the search has prepared it


def test_rows_beyond_the_spare_memory_go_into_two_segments(monkeypatch: Any) -> None:
    monkeypatch.setattr(changes, "_SPARE_ROWS", 4)
    index = la.Index("euclidean")
    index.add(np.ones((3, 2)))
    index.remove(1)
    index.add(np.arange(12).reshape(6, 2))
    assert [segment.n for segment in index._snapshot.segments] == [4, 5]
    assert index.ids.tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert index.get([3, 4, 8]).tolist() == [[0, 1], [2, 3], [10, 11]]


# Replacing and removing -------------------------------------------------------------------


def test_upsert_replaces_adds_and_moves_to_the_end() -> None:
    index = la.Index("euclidean")
    index.add(np.zeros((3, 1)), ["a", "b", "c"])
    index.upsert([[1], [2]], ["b", "d"])
    assert index.ids.tolist() == ["a", "c", "b", "d"]
    assert index.get(["b", "d", "a"]).tolist() == [[1], [2], [0]]
    assert index.distances([0]).tolist() == [0, 0, 1, 2]
    assert index.search([1], 1).ids.tolist() == ["b"]


@pytest.mark.parametrize("ids", [[5, 7, 5], ["a", "b", "a"]])
def test_of_an_id_given_twice_to_upsert_the_last_row_counts(ids: Any) -> None:
    index = la.Index("euclidean")
    index.upsert([[1], [2], [3]], ids)
    assert index.ids.tolist() == [ids[1], ids[0]]
    assert index.get(ids[0]).tolist() == [3]


def test_upserting_for_ever_takes_no_more_memory() -> None:
    index = la.Index("euclidean")
    for turn in range(400):
        index.upsert(np.full((50, 2), turn), range(50))
    assert index._snapshot.n_slots < 9000
    assert index.get(7).tolist() == [399, 399]
    assert len(index) == 50


def test_with_one_unknown_id_among_many_nothing_is_removed() -> None:
    index = la.Index()
    index.add(np.ones((3, 2)))
    with pytest.raises(la.UnknownIdError, match="id 9 is not in the index, nor are 1 others"):
        index.remove([0, 9, 1, 10])
    with pytest.raises(KeyError):
        index.remove(9)
    assert index.ids.tolist() == [0, 1, 2]
    index.remove([1, 1])
    with pytest.raises(la.UnknownIdError, match="id 1 "):
        index.get([0, 1])
    with pytest.raises(la.UnknownIdError, match="id 1 "):
        index.remove(1)
    assert 1 not in index


@pytest.mark.parametrize("ids", [None, ["a", "b", "c"]])
def test_an_index_can_be_emptied_and_filled_again(ids: Any) -> None:
    index = la.Index("euclidean")
    index.add(np.eye(3), ids)
    index.remove(index.ids)
    for again in (index, index.build()):
        assert len(again) == 0
        assert again.search([1, 0, 0]).ids.tolist() == []
        assert again.search_batch([[1, 0, 0]], 2).ids.tolist() == [[None if ids else -1] * 2]
        assert again.distances([1, 0, 0]).tolist() == []
        assert again.within([1, 0, 0], 9).ids.tolist() == []
    given = index.add(np.eye(3), ids)
    assert given.tolist() == (ids or [3, 4, 5])
    assert index.search([0, 1, 0], 1).ids.tolist() == [given[1]]


def test_a_removed_row_beyond_float32_harms_nobody() -> None:
    index = la.Index("sqeuclidean")
    index.add([[1e30, 0.0], [1.0, 2.0], [3.0, 4.0]])
    for call in (index.search, index.distances):
        with pytest.raises(la.RangeError, match="sqeuclidean distance to id 0"):
            call([0, 0])
    with pytest.raises(la.RangeError, match="id 0"):
        index.within([0, 0], 1.0)
    assert index.search([0, 0], where=[1, 2]).ids.tolist() == [1, 2]
    index.remove(0)
    assert index.search([0, 0]).distances.tolist() == [5, 25]
    assert index.distances([0, 0]).tolist() == [5, 25]
    assert index.within([0, 0], 9.0).ids.tolist() == [1]


def test_a_callers_array_that_became_nan_is_refused_by_id() -> None:
    rows = np.ones((3, 2), dtype=np.float32)
    index = la.Index("euclidean")
    index.add(rows, ["a", "b", "c"], copy=False)
    rows[1] = np.nan
    with pytest.raises(la.NonFiniteError, match="id 'b'"):
        index.search([0, 0])


# Searching --------------------------------------------------------------------------------


def test_k_beyond_the_rows_gives_a_shorter_answer_or_padding() -> None:
    for ids, nobody in ((None, -1), (["a", "b"], None), ([uuid.UUID(int=1)] * 1, None)):
        index = la.Index("euclidean")
        n = 2 if ids is None else len(ids)
        index.add(np.ones((n, 2)), ids)
        found = index.search([1, 1], 5)
        assert found.ids.shape == found.distances.shape == (n,)
        batch = index.search_batch([[1, 1], [2, 2]], 5)
        assert batch.ids[:, n:].tolist() == [[nobody] * (5 - n)] * 2
        assert np.isposinf(batch.distances[:, n:]).all()
        assert batch.ids.dtype == found.ids.dtype
        assert batch.distances.dtype == np.float32


def test_an_index_without_rows_answers_any_query() -> None:
    for index in (la.Index(), la.Index(dim=3)):
        found = index.search([1, 2, 3], 4)
        assert found.ids.dtype == np.int64
        assert found.distances.dtype == np.float32
        assert found.ids.shape == (0,)
        assert index.search_batch(np.ones((2, 3)), 4).ids.tolist() == [[-1] * 4] * 2
        assert index.search_batch(np.ones((0, 3)), 4).ids.shape == (0, 4)
        assert index.within([1, 2, 3], 1).ids.tolist() == []
        assert len(index.within_batch(np.ones((2, 3)), 1)) == 2
        assert index.distances([1, 2, 3]).shape == (0,)
        assert index.ids.tolist() == []
        assert index.build() is index
        with pytest.raises(la.NonFiniteError):
            index.search([1, np.nan, 3])
        with pytest.raises(la.UnknownIdError):
            index.get(0)
    with pytest.raises(la.ShapeError, match="query has dim 2 but the index has dim 3"):
        la.Index(dim=3).search([1, 2])


def test_a_query_that_does_not_fit_is_refused_with_both_dimensions() -> None:
    index = la.Index()
    index.add(np.ones((2, 3)))
    for call in (index.search, index.distances, lambda query: index.within(query, 1.0)):
        with pytest.raises(la.ShapeError, match="query has dim 2 but the index has dim 3"):
            call([1, 2])
    for batch in (index.search_batch, lambda queries: index.within_batch(queries, 1.0)):
        with pytest.raises(la.ShapeError, match="queries has dim 2 but the index has dim 3"):
            batch([[1, 2]])
    with pytest.raises(la.ShapeError, match=r"search_batch\(\)"):
        index.search([[1, 2, 3]])


@pytest.mark.parametrize("recall", [0.0, -1, 1.0001, np.nan, "1", None])
def test_a_recall_outside_its_range_is_refused(recall: Any) -> None:
    index = la.Index()
    index.add(np.ones((2, 3)))
    calls: list[Any] = [index.search, index.explain]
    for call in calls:
        with pytest.raises(la.ParameterError, match="recall"):
            call([1, 2, 3], recall=recall) if call == index.search else call(recall=recall)
    with pytest.raises(la.ParameterError, match="recall"):
        index.search_batch([[1, 2, 3]], recall=recall)


def test_any_recall_is_answered_exactly(rng: np.random.Generator) -> None:
    index = la.Index()
    rows = tied_rows(rng, 200)
    index.add(rows)
    exact = answer(index.search(rows[0]))
    for recall in (1, 0.95, 1e-9, np.float32(0.5)):
        assert answer(index.search(rows[0], recall=recall)) == exact


def test_an_answer_says_what_it_cost_and_is_the_callers(rng: np.random.Generator) -> None:
    index = la.Index("euclidean")
    rows = tied_rows(rng, 40)
    index.add(rows[:30])
    index.add(rows[30:], copy=False)
    found = index.search(rows[0])
    assert found.certified
    assert found.plan == "plain scan"
    assert found.version == index.version == 2
    assert (found.stats.rows_read, found.stats.rows_skipped) == (40, 0)
    assert found.stats.bytes_read == 40 * 6 * 4
    assert found.stats.skipped_by_level == ()
    assert index.search_batch(rows[:3]).stats.rows_read == 120
    for result in (found, index.within(rows[0], 9), index.search_batch(rows[:2], 3)):
        assert result.ids.flags.writeable
        assert result.distances.flags.writeable
        before = index.ids.tolist()
        result.ids[:] = 0
        assert index.ids.tolist() == before


def test_later_segments_may_leave_out_what_is_beyond_the_limit(monkeypatch: Any) -> None:
    # The first has its k; the second is told how near is near enough, and returns just that.
    index = la.Index("euclidean")
    index.add([[1.0], [5.0]])
    index.add(np.array([[3.0], [5.0], [0.5], [9.0]]), copy=False)
    asked: list[Any] = []

    class Strict:
        def __init__(self, rows: Any) -> None:
            self.rows = rows

        def nearest(self, queries: Any, k: int, **options: Any) -> Any:
            distances = np.abs(self.rows[:, 0] - queries[:, :1]).astype(np.float32)
            limits = options["limits"]
            asked.append(None if limits is None else limits.tolist())
            distances[distances > (np.inf if limits is None else limits[:, None])] = np.inf
            rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
            distances = np.take_along_axis(distances, rows, 1)
            return np.where(distances < np.inf, rows, -1), distances, Cost(1, (2, 3), 4)

        def describe(self) -> str:
            return "strict"

    monkeypatch.setattr(Rows, "searcher", lambda self, *_: Strict(self.array))
    found = index.search_batch([[0.0], [5.0]], 2)
    assert asked == [None, [5.0, 4.0]]
    assert found.ids.tolist() == [[4, 0], [1, 3]]
    assert found.distances.tolist() == [[0.5, 1.0], [0.0, 0.0]]
    assert found.stats.skipped_by_level == (4, 6)
    assert (found.stats.rows_read, found.stats.rows_skipped, found.stats.bytes_read) == (2, 10, 8)


def test_radius_is_inclusive_after_rounding_to_float32() -> None:
    index = la.Index("manhattan")
    index.add(np.array([[0.1], [1.0]], dtype=np.float32))
    assert index.within([0], 0.1).ids.tolist() == [0]
    assert index.within([0], np.inf).ids.tolist() == [0, 1]
    assert index.within([0], 1e300).ids.tolist() == [0, 1]
    assert index.within([0], -1).ids.tolist() == []
    with pytest.raises(la.ParameterError, match="NaN"):
        index.within([0], np.nan)


def test_a_batch_as_wide_as_no_array_is_refused() -> None:
    index = la.Index()
    with pytest.raises(la.ParameterError, match="k must be at most"):
        index.search_batch([[1.0]], 2**31)
    assert index.search([1.0], 2**70).ids.tolist() == []


# Preparing and describing -----------------------------------------------------------------
