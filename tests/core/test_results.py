from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

import lookalike as la

GROUP = [[3.0], [1.0], [2.0]]


def test_a_result_unpacks_as_ids_then_distances() -> None:
    found = la.nearest([0.0], GROUP, 2, metric="euclidean")
    ids, distances = found
    assert ids is found.ids
    assert distances is found.distances
    assert ids.tolist() == [1, 2]
    assert distances.tolist() == [1.0, 2.0]
    assert ids.dtype == np.int64
    assert distances.dtype == np.float32


@pytest.mark.parametrize("name", ["ids", "distances", "certified", "plan", "stats", "version"])
def test_a_result_is_frozen(name: str) -> None:
    found = la.nearest([0.0], GROUP, metric="euclidean")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(found, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.stats.rows_read = 0  # type: ignore[misc]


@pytest.mark.parametrize("implementation", ["compiled", "numpy", "naive"])
def test_a_scan_says_that_it_is_certified_and_what_it_cost(implementation: Any) -> None:
    found = la.nearest([0.0], GROUP, metric="euclidean", implementation=implementation)
    assert found.certified is True
    assert found.plan == f"{implementation} scan"
    assert (found.stats.rows_read, found.stats.rows_skipped) == (3, 0)
    assert found.stats.seconds >= 0.0
    assert found.version is None
    batch = la.nearest_batch([[0.0], [1.0]], GROUP, implementation=implementation)
    assert batch.stats.rows_read == 6


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_a_result_survives_pickle_and_copy(again: Any) -> None:
    for ids in (np.array([4, -1]), np.array(["a", None], dtype=object)):
        found = la.Neighbors(
            ids,
            np.array([1, np.inf], dtype=np.float32),
            False,
            "graph",
            la.SearchStats(9, 3, 0.5),
            8,
        )
        same = again(found)
        assert type(same) is la.Neighbors
        assert same.ids.tolist() == ids.tolist()
        assert same.ids.dtype == ids.dtype
        assert same.distances.tobytes() == found.distances.tobytes()
        assert (same.certified, same.plan, same.stats, same.version) == (
            False,
            "graph",
            la.SearchStats(9, 3, 0.5),
            8,
        )


def test_a_deep_copy_shares_no_memory() -> None:
    found = la.nearest([0.0], GROUP, metric="euclidean")
    same = copy.deepcopy(found)
    assert not np.shares_memory(found.ids, same.ids)
    assert not np.shares_memory(found.distances, same.distances)


def test_answers_are_the_callers_to_write_to() -> None:
    for found in (
        la.nearest([0.0], GROUP, metric="euclidean"),
        la.within([0.0], GROUP, 9.0, metric="euclidean"),
        la.nearest_batch([[0.0]], GROUP, metric="euclidean"),
    ):
        assert found.ids.flags.writeable
        assert found.distances.flags.writeable


@pytest.mark.parametrize("implementation", ["compiled", "numpy", "naive"])
def test_empty_answers_keep_their_types(implementation: Any) -> None:
    answers = la.within_batch([[0.0], [1.0]], [], 1.0, implementation=implementation)
    assert len(answers) == 2
    for answer in answers:
        assert answer.ids.dtype == np.int64
        assert answer.distances.dtype == np.float32
        assert answer.ids.shape == answer.distances.shape == (0,)


@pytest.mark.parametrize("implementation", ["compiled", "numpy", "naive"])
def test_shapes_do_not_depend_on_the_data(implementation: Any) -> None:
    for n in (0, 1, 5):
        group = np.ones((n, 2))
        single = la.nearest([1, 2], group, 3, implementation=implementation)
        assert single.ids.shape == single.distances.shape == (min(n, 3),)
        for n_queries in (0, 1, 2):
            batch = la.nearest_batch(
                np.ones((n_queries, 2)), group, 3, implementation=implementation
            )
            assert batch.ids.shape == batch.distances.shape == (n_queries, 3)
            assert (batch.ids[:, n:] == -1).all()
            assert np.isposinf(batch.distances[:, n:]).all()
            many = la.within_batch(np.ones((n_queries, 2)), group, 3, implementation=implementation)
            assert len(many) == n_queries
            all_distances = la.pairwise(
                np.ones((n_queries, 2)), group, implementation=implementation
            )
            assert all_distances.shape == (n_queries, n)
