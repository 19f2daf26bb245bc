"""What is an id, and which rows have it."""

from __future__ import annotations

import enum
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import lookalike as la
from lookalike.index.id_tables import ContiguousIds, IntegerIds, table_of
from lookalike.index.ids import as_objects


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    SEVEN = 7


UUIDS = [uuid.UUID(int=number) for number in (9, 3, 2**127)]


def rows(n: int) -> Any:
    return np.arange(2 * n, dtype=np.float32).reshape(n, 2)


def index_of(ids: Any) -> la.Index:
    index = la.Index("euclidean")
    index.add(rows(len(ids)), ids)
    return index


@pytest.mark.parametrize(
    "ids",
    [
        [5, -3, 2**63 - 1, -(2**63)],
        np.array([5, -3], dtype=np.int8),
        np.array([5, 2**63 - 1], dtype=np.uint64),
        [np.int32(5), np.uint8(3), 4],
        (5, 3),
        range(3, 9),
        pd.Series([5, 3]),
        pa.array([5, 3]),
        [Number.SEVEN, 3],
    ],
)
def test_integers_of_any_origin_are_ids(ids: Any) -> None:
    expected = [int(str(item)) for item in np.asarray(ids).tolist()]
    index = index_of(ids)
    assert index.ids.dtype == np.int64
    assert index.ids.tolist() == expected
    assert all(identity in index for identity in expected)
    assert index.get(expected).tolist() == rows(len(expected)).tolist()


@pytest.mark.parametrize(
    "ids",
    [
        ["b", "a", "", "é\ud800"],
        np.array(["b", "a"]),
        np.array(["b", "a"], dtype=object),
        [np.str_("b"), "a"],
        pd.Series(["b", "a"]),
        pa.array(["b", "a"]),
    ],
)
def test_strings_of_any_origin_are_ids(ids: Any) -> None:
    index = index_of(ids)
    assert index.ids.dtype == object
    assert {type(identity) for identity in index.ids} == {str}
    assert index.ids.tolist() == [str(identity) for identity in ids]
    assert "b" in index


def test_of_a_string_enumeration_the_value_is_the_id() -> None:
    index = index_of([Colour.RED, "blue"])
    assert index.ids.tolist() == ["red", "blue"]
    assert type(index.ids[0]) is str
    assert index.get(Colour.RED).tolist() == [0.0, 1.0]


def test_uuids_are_ids() -> None:
    index = index_of(UUIDS)
    assert index.ids.tolist() == UUIDS
    assert UUIDS[1] in index
    assert uuid.UUID(int=4) not in index
    assert index.get(UUIDS[2]).tolist() == [4.0, 5.0]


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ([True, False], "True"),
        (np.array([True, False]), "True"),
        ([np.True_, 1], "True"),
        ([1.0, 2.0], "1.0"),
        (np.array([1.0, 2.0]), "1.0"),
        ([None, None], "None"),
        ([b"a", b"b"], "b'a'"),
        ([(1,), (2,)], "(1,)"),
        ([1, "a"], "1 and 'a'"),
        (["a", UUIDS[0]], "several types"),
        ([2**63, 1], str(2**63)),
        (np.array([2**63, 1], dtype=np.uint64), str(2**63)),
        ("ab", "'ab'"),
        (5, "5"),
        ({1: 2, 3: 4}, "list"),
        ({1, 2}, "no order"),
    ],
)
def test_what_is_no_id_is_refused_and_named(ids: Any, says: str) -> None:
    index = la.Index("euclidean")
    for call in (index.add, index.upsert):
        with pytest.raises(la.IdTypeError) as caught:
            call(rows(2), ids)
        assert says in str(caught.value)
    assert len(index) == index.version == 0


@pytest.mark.parametrize("held", [[1, 2], ["a", "b"], UUIDS[:2]])
@pytest.mark.parametrize("given", [[7, 8], ["c", "d"], [uuid.UUID(int=77), uuid.UUID(int=78)]])
def test_one_index_holds_one_type_of_id(held: Any, given: Any) -> None:
    if type(held[0]) is type(given[0]):
        return
    index = index_of(held)
    calls: list[Any] = [
        lambda: index.add(rows(2), given),
        lambda: index.upsert(rows(2), given),
        lambda: index.remove(given),
        lambda: index.remove(given[0]),
        lambda: index.get(given),
        lambda: index.search([0, 0], where=given),
    ]
    for call in calls:
        with pytest.raises(la.IdTypeError, match="this index holds"):
            call()
    assert given[0] not in index
    assert index.ids.tolist() == held


def test_ids_in_an_array_of_two_axes_are_refused() -> None:
    with pytest.raises(la.ShapeError, match=r"\(2, 1\)"):
        la.Index().add(rows(2), np.array([[1], [2]]))


@pytest.mark.parametrize("n_ids", [1, 3])
def test_more_or_fewer_ids_than_rows_are_refused(n_ids: int) -> None:
    index = la.Index()
    for call in (index.add, index.upsert):
        with pytest.raises(la.ShapeError, match=rf"{n_ids} ids .* 2 vectors"):
            call(rows(2), list(range(n_ids)))


@pytest.mark.parametrize("other", [True, False, 1.0, None, b"1", "1", [1], UUIDS[0], 2**70, 3])
def test_in_is_false_for_what_is_not_there_whatever_it_is(other: Any) -> None:
    assert other not in index_of([0, 1, 2])
    assert other not in la.Index()


def test_numpy_integers_are_found_like_pythons() -> None:
    index = index_of([0, 1, 2])
    assert np.uint8(1) in index
    assert np.int64(1) in index
    assert np.array(1) in index
    assert index.get(np.array(1)).tolist() == [2.0, 3.0]
    assert index.get(np.int16(2)).tolist() == [4.0, 5.0]


def test_automatic_ids_are_never_used_again(tmp_path: Any) -> None:
    index = la.Index("euclidean")
    assert index.add(rows(3)).tolist() == [0, 1, 2]
    index.remove(2)
    assert index.add(rows(1)).tolist() == [3]
    index.remove(index.ids)
    index.build()
    index.save(tmp_path / "index")
    for again in (index, la.open(tmp_path / "index")):
        assert again.add(rows(1)).tolist() == [4]


def test_automatic_ids_go_on_from_the_largest_there_ever_was() -> None:
    index = la.Index("euclidean")
    index.add(rows(2), [-5, -9])
    assert index.add(rows(1)).tolist() == [0]
    index.upsert(rows(1), [40])
    index.remove(40)
    assert index.add(rows(2)).tolist() == [41, 42]
    index.add(rows(1), [2**63 - 1])
    with pytest.raises(la.ParameterError, match="used up"):
        index.add(rows(1))
    assert index.add(rows(0)).tolist() == []


def test_an_index_of_strings_has_no_automatic_ids() -> None:
    index = index_of(["a"])
    with pytest.raises(la.IdTypeError, match="must be given"):
        index.add(rows(1))


def test_ids_are_read_only_but_what_add_returns_is_the_callers() -> None:
    for ids in (None, [7, 3], ["a", "b"]):
        index = la.Index()
        given = index.add(rows(2), ids)
        before = index.ids.tolist()
        given[0] = given[1]
        assert index.ids.tolist() == before
        with pytest.raises(ValueError, match="read-only"):
            index.ids[0] = index.ids[1]


# Tables -----------------------------------------------------------------------------------


def found(table: Any, ids: Any, n: int) -> Any:
    return table.find(np.asarray(ids, dtype=np.int64), n).tolist()


def test_ids_that_count_up_take_no_memory() -> None:
    table = table_of("integer", np.arange(7, 1007))
    table = table.extended(np.arange(1007, 2007))
    assert isinstance(table, ContiguousIds)
    assert table.size_bytes() == 0
    assert found(table, [6, 7, 2006, 2007, -(2**63), 2**63 - 1], 2000) == [-1, 0, 1999, -1, -1, -1]
    assert found(table, [1007], 1000) == [-1]


def test_a_reader_does_not_see_what_was_appended_after_its_snapshot() -> None:
    for ids in ([3, 1, 2], [1, 2, 3], ["c", "a", "b"]):
        kind: Any = "string" if isinstance(ids[0], str) else "integer"
        as_array: Any = as_objects if kind == "string" else np.array
        tables = [table_of(kind, as_array(ids))]
        for _ in range(4):  # the same ids again: the last slot counts
            tables.append(tables[-1].extended(as_array(ids)))
        assert len(set(map(id, tables))) < 5  # most are extended in place
        for times, table in enumerate(tables):
            n = 3 * times
            assert table.find(as_array(ids), n + 3).tolist() == [n, n + 1, n + 2]


def test_increasing_ids_are_found_without_a_table_of_their_own() -> None:
    table = table_of("integer", np.arange(0, 3000, 3))
    assert isinstance(table, IntegerIds)
    for start in range(3000, 9000, 3):
        assert table.extended(np.array([start])) is table
    assert table.size_bytes() < 8 * 3000 * 1.6
    assert found(table, [0, 1, 8997], 3000) == [0, -1, 2999]
    assert found(table, [8997], 2999) == [-1]
    assert table.keys(0, 3000) is None


def test_many_recent_ids_are_taken_up_by_a_new_table_and_the_old_one_stays() -> None:
    rng = np.random.default_rng(3)
    ids = rng.permutation(20_000)
    table = first = table_of("integer", ids[:5000])
    for start in range(5000, 20_000, 500):
        table = table.extended(ids[start : start + 500])
    assert table is not first
    assert found(table, ids, 20_000) == list(range(20_000))
    assert found(first, ids[:5000], 5000) == list(range(5000))


@pytest.mark.parametrize("ids", [["b", "a", "c"], UUIDS, [5, -2, 3]])
def test_keys_order_slots_by_id(ids: Any) -> None:
    kind: Any = "integer" if isinstance(ids[0], int) else "string"
    table = table_of(kind, np.array(ids) if kind == "integer" else as_objects(ids))
    keys = table.keys(0, 3)
    assert keys is not None
    assert np.argsort(keys).tolist() == sorted(range(3), key=lambda i: ids[i])
