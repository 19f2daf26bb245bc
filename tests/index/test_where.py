"""``where=``: a mask in the order of the ids, or ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lookalike as la


@pytest.fixture
def index() -> la.Index:
    """Rows 0 to 9 on a line, in three segments, with one removed and one moved to the end."""
    index = la.Index("euclidean")
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    index.add(rows[:4], [10, 11, 12, 13])
    index.add(rows[4:7], [14, 15, 16], copy=False)
    index.add(rows[7:], [17, 18, 19])
    index.remove(12)
    index.upsert(rows[:1], [10])
    assert index.ids.tolist() == [11, 13, 14, 15, 16, 17, 18, 19, 10]
    return index


def ids_of(index: la.Index, where: Any) -> Any:
    single = index.search([0, 1], 20, where=where).ids.tolist()
    batch = index.search_batch([[0, 1]], 20, where=where)
    assert batch.ids[0].tolist() == single + [-1] * (20 - len(single))
    assert np.isposinf(batch.distances[0, len(single) :]).all()
    assert index.within([0, 1], np.inf, where=where).ids.tolist() == single
    assert index.within_batch([[0, 1]], np.inf, where=where)[0].ids.tolist() == single
    return single


@pytest.mark.parametrize(
    "where",
    [
        [19, 10, 14],
        (10, 14, 19, 14),
        {10, 14, 19},
        {10: "a", 14: "b", 19: "c"}.keys(),
        np.array([10, 19, 14]),
        np.array([10, 19, 14], dtype=np.uint16),
        pd.Series([10, 19, 14]),
        frozenset([10, 14, 19]),
    ],
)
def test_ids_may_come_as_any_collection(index: la.Index, where: Any) -> None:
    assert ids_of(index, where) == [10, 14, 19]


@pytest.mark.parametrize("as_what", [np.array, list, tuple, pd.Series])
def test_a_mask_is_in_the_order_of_the_ids(index: la.Index, as_what: Any) -> None:
    mask = [identity in (10, 14, 19) for identity in index.ids.tolist()]
    assert ids_of(index, as_what(mask)) == [10, 14, 19]


@pytest.mark.parametrize("where", [[], (), set(), np.array([]), np.array([], dtype=np.int64)])
def test_nothing_is_allowed_by_an_empty_collection(index: la.Index, where: Any) -> None:
    if isinstance(where, np.ndarray) and where.dtype == np.float64:
        where = where.astype(object)
    assert ids_of(index, where) == []
    assert ids_of(index, np.zeros(9, dtype=np.bool_)) == []


@pytest.mark.parametrize("n", [0, 8, 10])
def test_a_mask_of_another_length_is_refused(index: la.Index, n: int) -> None:
    with pytest.raises(la.ShapeError, match=rf"\({n},\).* 9 rows"):
        index.search([0, 0], where=np.ones(n, dtype=np.bool_))
    with pytest.raises(la.ShapeError, match=r"\(9, 1\)"):
        index.search([0, 0], where=np.ones((9, 1), dtype=np.bool_))


def test_integers_of_the_length_of_a_mask_are_ids(index: la.Index) -> None:
    with pytest.raises(la.UnknownIdError, match="id 1 "):
        index.search([0, 0], where=np.ones(9, dtype=np.int64))
    assert ids_of(index, np.full(9, 13)) == [13]


@pytest.mark.parametrize("where", [12, "ab", b"ab", np.int64(13), 3.5, object()])
def test_what_is_no_collection_is_refused(index: la.Index, where: Any) -> None:
    with pytest.raises((la.ParameterError, la.ShapeError)):
        index.search([0, 0], where=where)


def test_unknown_and_removed_ids_are_refused_and_named(index: la.Index) -> None:
    for where in ([10, 12], [12], {12}):
        for call in (index.search, index.search_batch):
            query: Any = [0, 0] if call == index.search else [[0, 0]]
            with pytest.raises(la.UnknownIdError, match="id 12 is not in the index"):
                call(query, where=where)
        with pytest.raises(KeyError, match="id 12 is not in the index"):
            index.within([0, 0], 1.0, where=where)


@pytest.mark.parametrize("where", [[True, 10], [10.0], [None], ["a"]])
def test_what_is_neither_a_mask_nor_ids_is_refused(index: la.Index, where: Any) -> None:
    with pytest.raises(la.IdTypeError):
        index.search([0, 0], where=where)


def test_an_empty_index_takes_an_empty_mask() -> None:
    found = la.Index().search([1, 2], where=np.zeros(0, dtype=np.bool_))
    assert found.ids.tolist() == []
