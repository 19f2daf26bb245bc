"""An index against a dictionary: whatever happened to it, it answers as brute force would."""

from __future__ import annotations

import copy
import pickle
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import lookalike as la
from lookalike.index import changes, compaction, id_tables, snapshot

METRICS: list[Any] = ["cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product"]
DIM = 3
#: Limits so small that a few steps pass all of them.
SMALL_LIMITS = [
    (changes, "_SPARE_ROWS", 4),
    (compaction, "_MOST_DEAD", 4),
    (id_tables, "_MOST_RECENT", 2),
    (snapshot, "_FEW_UNBUILT", 9),
]
IDS: dict[str, Any] = {
    "integer": st.one_of(st.integers(-4, 12), st.sampled_from([-(2**63), 2**40])),
    "string": st.one_of(st.text("ab\ud800é", max_size=2), st.integers(0, 9).map(str)),
    "uuid": st.integers(0, 12).map(lambda number: uuid.UUID(int=number << 90)),
}
# Few values, so that many rows are equally far.
VECTORS = st.lists(st.tuples(*[st.integers(-1, 1)] * DIM), max_size=6)
QUERIES = st.tuples(*[st.integers(-1, 1)] * DIM)
SEEDS = st.integers(0, 2**32)


def brute_force(
    model: dict[Any, Any], metric: Any, query: Any, allowed: Any = None
) -> list[tuple[float, Any]]:
    """Return (distance, id) of all rows, in order; distances as the plain scan's."""
    ids = [identity for identity in model if allowed is None or identity in allowed]
    rows = np.array([model[identity] for identity in ids], dtype=np.float32).reshape(-1, DIM)
    return sorted(zip(la.distances(query, rows, metric=metric).tolist(), ids, strict=True))


def pairs(found: Any) -> list[tuple[float, Any]]:
    return list(zip(found.distances.tolist(), found.ids.tolist(), strict=True))


class AgainstADictionary(RuleBasedStateMachine):
    """The model: ids and vectors in the order of adding, and the next automatic id."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for module, name, value in SMALL_LIMITS:
            self.patch.setattr(module, name, value)
        self.folder = tempfile.TemporaryDirectory()
        self.model: dict[Any, Any] = {}
        self.next_id = 0
        self.others: list[tuple[Any, dict[Any, Any], int]] = []

    def teardown(self) -> None:
        self.patch.undo()
        self.folder.cleanup()

    @initialize(metric=st.sampled_from(METRICS), kind=st.sampled_from(list(IDS)))
    def start(self, metric: Any, kind: str) -> None:
        self.metric, self.kind = metric, kind
        self.index = la.Index(metric)

    def remember(self, ids: list[Any], vectors: Any) -> None:
        for identity, vector in zip(ids, vectors, strict=True):
            self.model.pop(identity, None)
            self.model[identity] = vector
            if self.kind == "integer":
                self.next_id = max(self.next_id, identity + 1)

    def some_ids(self, seed: int) -> list[Any]:
        rng = np.random.default_rng(seed)
        known = list(self.model)
        return [known[i] for i in np.flatnonzero(rng.random(len(known)) < rng.random())]

    @rule(vectors=VECTORS)
    def add_with_automatic_ids(self, vectors: Any) -> None:
        if self.kind != "integer":
            return
        ids = self.index.add(vectors)
        assert ids.tolist() == list(range(self.next_id, self.next_id + len(vectors)))
        self.remember(ids.tolist(), vectors)

    @rule(data=st.data(), vectors=VECTORS, dtype=st.sampled_from(["f4", "f2", "f8", "i1", None]))
    def add_with_ids(self, data: Any, vectors: Any, dtype: Any) -> None:
        rows = np.array(vectors, dtype=dtype or "f4").reshape(-1, DIM)
        ids = data.draw(st.lists(IDS[self.kind], min_size=len(rows), max_size=len(rows)))
        before = self.index.version
        if len(set(ids)) < len(ids) or not self.model.keys().isdisjoint(ids):
            with pytest.raises(la.DuplicateIdError):
                self.index.add(rows, ids, copy=dtype is None)
            assert self.index.version == before
        else:
            assert self.index.add(rows, ids, copy=dtype is None).tolist() == ids
            self.remember(ids, vectors)

    @rule(data=st.data(), vectors=VECTORS, seed=SEEDS)
    def upsert(self, data: Any, vectors: Any, seed: int) -> None:
        known = self.some_ids(seed)
        ids = data.draw(
            st.lists(
                st.one_of(IDS[self.kind], *[st.sampled_from(known)] * bool(known)),
                min_size=len(vectors),
                max_size=len(vectors),
            )
        )
        self.index.upsert(np.array(vectors, dtype=np.float64).reshape(-1, DIM), ids)
        self.remember(ids, vectors)

    @rule(seed=SEEDS)
    def remove(self, seed: int) -> None:
        ids = self.some_ids(seed)
        self.index.remove(ids)
        for identity in ids:
            del self.model[identity]

    @rule(seed=SEEDS, data=st.data())
    def removing_an_unknown_id_removes_nothing(self, seed: int, data: Any) -> None:
        unknown = data.draw(IDS[self.kind])
        if unknown not in self.model and self.model:
            before = self.index.version
            with pytest.raises(la.UnknownIdError):
                self.index.remove([*self.some_ids(seed), unknown])
            assert self.index.version == before

    @rule()
    def build(self) -> None:
        version = self.index.build().version
        assert self.index.build().version == version

    @rule()
    def save_and_open(self) -> None:
        path = Path(self.folder.name) / "index"  # the same file, while it is mapped
        self.index.save(path)
        self.others.append((self.index, dict(self.model), self.next_id))
        self.index = la.open(path)

    @rule(how=st.sampled_from(["pickle", "deepcopy", "copy"]))
    def go_on_with_a_copy(self, how: str) -> None:
        self.others.append((self.index, dict(self.model), self.next_id))
        if how == "pickle":
            self.index = pickle.loads(pickle.dumps(self.index))
        else:
            self.index = getattr(copy, how)(self.index)

    @rule()
    def go_on_with_what_was_copied_from(self) -> None:
        if self.others:
            now = self.index, dict(self.model), self.next_id
            self.index, self.model, self.next_id = self.others.pop()
            self.others.append(now)

    @rule(query=QUERIES, k=st.integers(1, 12))
    def search(self, query: Any, k: int) -> None:
        expected = brute_force(self.model, self.metric, query)[:k]
        found = self.index.search(query, k)
        assert pairs(found) == expected
        assert found.certified
        assert found.version == self.index.version
        self.check_batch(query, k, None, expected)

    @rule(query=QUERIES, k=st.integers(1, 12), seed=SEEDS, as_mask=st.booleans())
    def search_some(self, query: Any, k: int, seed: int, as_mask: bool) -> None:  # noqa: FBT001
        allowed = self.some_ids(seed)
        where: Any = allowed
        if as_mask:
            where = np.array([identity in allowed for identity in self.model], dtype=np.bool_)
        everything = brute_force(self.model, self.metric, query, allowed)
        assert pairs(self.index.search(query, k, where=where)) == everything[:k]
        assert pairs(self.index.within(query, np.inf, where=where)) == everything
        self.check_batch(query, k, where, everything[:k])

    def check_batch(self, query: Any, k: int, where: Any, expected: list[Any]) -> None:
        batch = self.index.search_batch([query, query], k, where=where)
        missing = k - len(expected)
        nobody = -1 if self.kind == "integer" or not self.index.ids.dtype.hasobject else None
        for ids, distances in zip(*batch, strict=True):
            assert ids.tolist() == [identity for _, identity in expected] + [nobody] * missing
            assert distances.tolist() == [far for far, _ in expected] + [np.inf] * missing

    @rule(query=QUERIES, place=st.integers(0, 9))
    def within(self, query: Any, place: int) -> None:
        everything = brute_force(self.model, self.metric, query)
        radius = everything[place % len(everything)][0] if everything else 0.0
        expected = [pair for pair in everything if pair[0] <= radius]
        assert pairs(self.index.within(query, radius)) == expected
        (again, _) = self.index.within_batch([query, query], radius)
        assert pairs(again) == expected

    @rule(query=QUERIES)
    def distances(self, query: Any) -> None:
        rows = np.array(list(self.model.values()), dtype=np.float32).reshape(-1, DIM)
        expected = la.distances(query, rows, metric=self.metric)
        assert self.index.distances(query).tobytes() == expected.tobytes()

    @rule(seed=SEEDS)
    def get(self, seed: int) -> None:
        ids = self.some_ids(seed)
        found = self.index.get(ids)
        assert found.tolist() == [list(map(float, self.model[identity])) for identity in ids]
        for identity in ids[:1]:
            assert self.index.get(identity).tolist() == list(self.model[identity])

    @invariant()
    def holds_what_the_dictionary_holds(self) -> None:
        if hasattr(self, "index"):
            assert len(self.index) == len(self.model)
            assert self.index.ids.tolist() == list(self.model)
            assert all(identity in self.index for identity in self.model)

    @invariant()
    def what_was_copied_from_does_not_change(self) -> None:
        for index, model, _ in self.others[-2:]:
            assert index.ids.tolist() == list(model)
            if model:
                found = index.get(list(model)).tolist()
                assert found == [list(map(float, vector)) for vector in model.values()]


AgainstADictionary.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, derandomize=True
)
TestAgainstADictionary = AgainstADictionary.TestCase
