"""Searches beside changes: each answer is right for the version that it names."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lookalike as la
from lookalike.index import compaction, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


class Recorded(la.Index):
    """An index that remembers every version that it published."""

    def __init__(self, metric: Any) -> None:
        self.history: dict[int, Any] = {}
        super().__init__(metric)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_snapshot":  # before anybody can see it
            assert value.version not in self.history or value is self.history[value.version]
            self.history[value.version] = value
        super().__setattr__(name, value)


@pytest.fixture(autouse=True)
def _switching_often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(snapshot, "_FEW_UNBUILT", 60)
    monkeypatch.setattr(compaction, "_MOST_DEAD", 50)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


QUERY = np.zeros(4, dtype=np.float32)
RADIUS = 1.5


def keep_changing(index: la.Index, name: Any, stop: threading.Event) -> None:
    rng = np.random.default_rng(11)
    alive: list[int] = []
    for turn in range(250):
        fresh = rng.permutation(40)[:12] + 40 * turn
        index.add(rng.integers(-2, 3, (12, 4)), [name(n) for n in fresh])
        alive += fresh.tolist()
        rng.shuffle(alive)
        index.upsert(rng.integers(-2, 3, (5, 4)), [name(n) for n in alive[:5]])
        if turn > 5:
            index.remove([name(n) for n in alive[:10]])
            del alive[:10]
        if turn % 40 == 0:
            index.build()
    stop.set()


def keep_searching(index: la.Index, seed: int, stop: threading.Event) -> list[Any]:
    """Return (was it ``within``, version, [(distance, id), ...]) of many answers."""
    rng = np.random.default_rng(seed)
    answers = []
    while not stop.is_set():
        which = rng.integers(3)
        if which == 0:
            found = index.search(QUERY, 7)
        elif which == 1:
            found = index.within(QUERY, RADIUS)
        else:
            found = index.search_batch([QUERY, QUERY], 7)
        for ids, distances in zip(*map(np.atleast_2d, found), strict=True):
            pairs = zip(distances.tolist(), ids.tolist(), strict=True)
            near = [pair for pair in pairs if pair[0] < np.inf]
            answers.append((which == 1, found.version, near))
    return answers


def brute_force(of: Any) -> list[tuple[float, Any]]:
    ids = of.ids()
    rows = of.read(of.find(ids)).reshape(-1, 4)
    distances = la.distances(QUERY, rows, metric="euclidean")
    return sorted(zip(distances.tolist(), ids.tolist(), strict=True))


@pytest.mark.parametrize("name", [int, "{:04d}".format], ids=["integers", "strings"])
def test_each_answer_is_that_of_one_version(name: Any) -> None:
    index = Recorded("euclidean")
    stop = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(keep_searching, index, seed, stop) for seed in range(3)]
        try:
            pool.submit(keep_changing, index, name, stop).result()
        finally:
            stop.set()
        answers = [answer for reader in readers for answer in reader.result()]
    versions = {version for _, version, _ in answers}
    assert len(versions) > 10
    expected = {version: brute_force(index.history[version]) for version in versions}
    for is_within, version, near in answers:
        inside = [pair for pair in expected[version] if pair[0] <= RADIUS]
        assert near == (inside if is_within else expected[version][:7])


def test_ids_and_rows_belong_together_while_others_write() -> None:
    # Row and id are the same number: a reader that mixes two versions is found out.
    index = la.Index("manhattan")
    stop = threading.Event()

    def change() -> None:
        for turn in range(300):
            numbers = np.arange(turn * 10, turn * 10 + 10)
            index.add(np.repeat(numbers, 2).reshape(-1, 2), numbers)
            if turn >= 20:
                index.remove(numbers - 200)
            if turn % 3 == 0:
                index.upsert(np.repeat(numbers[:4], 2).reshape(-1, 2), numbers[:4])
        stop.set()

    def read() -> int:
        rounds = 0
        while not stop.is_set():
            ids = index.ids
            for identity in ids[-40::7].tolist():
                if identity in index:
                    try:
                        row = index.get(identity)
                    except la.UnknownIdError:
                        continue  # removed since
                    assert row.tolist() == [identity, identity]
            found = index.search([0, 0], 5)
            assert (found.distances == 2 * found.ids).all()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            pool.submit(change).result()
        finally:
            stop.set()
        assert all(reader.result() for reader in readers)


def test_writers_take_turns() -> None:
    index = la.Index("euclidean")

    def add(number: int) -> Any:
        return [index.add(np.full((3, 2), number)).tolist() for _ in range(40)]

    with ThreadPoolExecutor(4) as pool:
        given = [ids for thread in pool.map(add, range(4)) for ids in thread]
    assert sorted(identity for ids in given for identity in ids) == list(range(480))
    assert index.version == 160
    assert index.ids.tolist() == list(range(480))


def test_a_search_does_not_wait_for_a_writer() -> None:
    index = la.Index("euclidean")
    index.add(np.arange(400).reshape(-1, 2))  # so many that a search would prepare them
    with index._lock:
        found = index.search([0, 1], 2)
        assert (index.version, found.version) == (1, 1)
    assert found.ids.tolist() == [0, 1]
    assert index.search([0, 1], 2).version == 2
