"""When an index prepares its rows, what it joins and leaves, and what it says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lookalike as la
from lookalike.index import snapshot


def test_the_first_search_prepares_what_is_worth_it_and_only_once(
    monkeypatch: Any, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(snapshot, "_FEW_UNBUILT", 100)
    index = la.Index("euclidean")
    rows = rng.standard_normal((2000, 6), dtype=np.float32)
    index.add(rows[:100])
    assert index.search(rows[0]).version == 1
    index.add(rows[100:1500])
    assert index.search(rows[0]).version == index.version == 3
    index.add(rows[1500:1649])  # a tenth of what is prepared is scanned
    assert index.search(rows[0]).version == index.version == 4
    index.add(rows[1649:])
    assert index.search(rows[0]).version == index.version == 6
    assert index._snapshot.n_built == 2000


def test_build_reports_its_progress_and_does_nothing_twice() -> None:
    index = la.Index("euclidean")
    index.add(np.ones((5, 2)))
    index.add(np.ones((4, 2)), copy=False)
    told: list[Any] = []
    assert index.build(progress=lambda done, total: told.append((done, total))) is index
    assert told[-1] == (9, 9)
    version = index.version
    assert index.build(n_threads=1).version == version
    with pytest.raises(la.ParameterError, match="n_threads"):
        index.build(n_threads=0)


def test_build_merges_copied_rows_and_leaves_those_of_the_caller(rng: np.random.Generator) -> None:
    index = la.Index("euclidean")
    given = rng.standard_normal((10, 6), dtype=np.float32)
    index.add(rng.standard_normal((3000, 6), dtype=np.float32))
    index.add(given, copy=False)
    index.add(rng.standard_normal((5, 6), dtype=np.float32))
    index.add(rng.standard_normal((3000, 6), dtype=np.float32))
    ids = index.ids.tolist()
    index.remove(list(range(0, 3000, 2)) + list(range(1, 3000, 4)))
    index.build()
    assert [segment.n for segment in index._snapshot.segments] == [750, 10, 3005]
    assert np.shares_memory(index._snapshot.segments[1].rows.array, given)
    assert index.ids.tolist() == [i for i in ids if i >= 3000 or i % 4 == 3]
    assert index.get(3000).tolist() == given[0].tolist()


def test_rows_that_are_all_removed_do_not_keep_others_apart() -> None:
    index = la.Index("euclidean")
    index.add(np.ones((5, 2)))
    index.add(np.ones((3, 2)), copy=False)
    index.add(np.ones((5, 2)))
    index.remove([5, 6, 7])
    version = index.build().version
    assert [segment.n for segment in index._snapshot.segments] == [10]
    assert index.build().version == version
    index.remove(range(10, 13))
    assert index.ids.tolist() == [0, 1, 2, 3, 4, 8, 9]


def test_spare_memory_goes_with_the_segment_that_it_belongs_to() -> None:
    index = la.Index("euclidean")
    index.add(np.ones((3, 2)), copy=False)
    index.add(np.ones((2, 2)))
    index.remove([3, 4])
    index.build()
    index.add([[7, 8]])
    assert index.get([0, 5]).tolist() == [[1, 1], [7, 8]]


def test_a_large_prepared_segment_is_not_prepared_again_for_a_few_rows() -> None:
    index = la.Index("euclidean")
    index.add(np.ones((1000, 2)))
    first = index.build()._snapshot.segments[0].rows
    index.add(np.ones((10, 2)))
    assert index.build()._snapshot.segments[0].rows is first
    assert len(index._snapshot.segments) == 2
    index.add(np.ones((200, 2)))
    assert [segment.n for segment in index.build()._snapshot.segments] == [1210]


def test_repr_and_explain_say_what_there_is(tmp_path: Any) -> None:
    index = la.Index("manhattan")
    assert repr(index) == ("<Index of 0 rows: manhattan, dim not known yet, any ids, version 0>")
    index.add(np.ones((5, 3)), list("abcde"))
    index.remove("b")
    assert repr(index) == ("<Index of 4 rows (1 removed): manhattan, dim 3, string ids, version 2>")
    index.add(np.ones((6, 3), dtype=np.uint8), list("fghijk"), copy=False)
    text = index.explain(k=7, recall=0.9)
    for part in (
        "10 rows, dim 3, manhattan, string ids",
        "k=7, recall=0.9: exact",
        "segment 0: 5 rows (1 removed) of float32, copied, 60 bytes; plain scan",
        "segment 1: 6 rows of uint8, as given, 18 bytes; plain scan",
        "a query reads at most 78 bytes",
    ):
        assert part in text
    index.save(tmp_path / "saved")
    assert f"mapped from {tmp_path / 'saved'}" in la.open(tmp_path / "saved").explain()
    with pytest.raises(la.ParameterError, match="k must be"):
        index.explain(k=0)
