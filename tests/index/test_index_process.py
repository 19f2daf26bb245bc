"""An index as a citizen of a process: copies, pickles, forks, interruptions."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from typing import Any

import numpy as np
import pytest

import lookalike as la
from lookalike.index import changes
from lookalike.index.id_tables import ContiguousIds, IntegerIds, ObjectIds

AGAIN: dict[str, Any] = {
    "pickle": lambda index: pickle.loads(pickle.dumps(index)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def everything(index: la.Index) -> Any:
    query = np.ones(3)
    return (
        index.metric,
        index.dim,
        index.ids.tolist(),
        index.get(index.ids).tobytes(),
        index.search(query, 5).ids.tolist(),
        index.distances(query).tobytes(),
        len(index),
    )


@pytest.fixture(params=[None, "string"])
def index(request: Any, rng: np.random.Generator) -> la.Index:
    index = la.Index("cosine")
    rows = rng.integers(-2, 3, (30, 3)).astype(np.float32)
    ids = list("abcdefghijklmnopqrstuvwxyz0123") if request.param else None
    index.add(rows[:20], None if ids is None else ids[:20])
    index.add(rows[20:].astype(np.int8), None if ids is None else ids[20:], copy=False)
    index.remove(index.ids[[3, 25]])
    return index


@pytest.mark.parametrize("how", AGAIN)
def test_a_copy_answers_the_same_and_goes_its_own_way(index: la.Index, how: str) -> None:
    before = everything(index)
    other = AGAIN[how](index)
    assert everything(other) == before
    assert other.version == index.version
    kind = str if index.ids.dtype == object else int
    for changed, unchanged, number in ((other, index, 1), (index, other, 2)):
        held = everything(unchanged)
        new = f"new{number}" if kind is str else 100 + number
        changed.add(np.full((1, 3), number), [new])
        changed.remove(changed.ids[0])
        changed.upsert(np.full((1, 3), number), changed.ids[:1])
        assert everything(unchanged) == held
        assert changed.get(new).tolist() == [number] * 3


@pytest.mark.parametrize("how", AGAIN)
def test_two_copies_do_not_write_to_the_same_spare_memory(how: str) -> None:
    index = la.Index("euclidean")
    index.add(np.zeros((2, 3)))
    other = AGAIN[how](index)
    index.add(np.ones((2, 3)))
    other.add(np.full((2, 3), 7))
    assert index.get([2, 3]).tolist() == [[1] * 3] * 2
    assert other.get([2, 3]).tolist() == [[7] * 3] * 2


@pytest.mark.parametrize("how", ["copy", "deepcopy"])
def test_a_copy_shares_the_rows_and_takes_no_time_for_them(how: str) -> None:
    index = la.Index()
    index.add(np.ones((1000, 3)))
    other = AGAIN[how](index)
    rows = [i._snapshot.segments[0].rows.array for i in (index, other)]
    assert np.shares_memory(rows[0], rows[1])


def test_a_pickle_holds_no_more_than_the_rows(index: la.Index) -> None:
    small = la.Index()
    small.add(np.ones((2, 3)))  # its spare memory is a thousand times as large
    assert len(pickle.dumps(small)) < 2000
    assert len(pickle.dumps(index)) < 4000


def test_a_pickle_of_mapped_rows_needs_no_file(tmp_path: Any, index: la.Index) -> None:
    index.save(tmp_path / "index")
    np.save(tmp_path / "rows.npy", np.eye(3, dtype=np.float16))
    opened = la.open(tmp_path / "index")
    more = np.load(tmp_path / "rows.npy", mmap_mode="r")
    opened.add(more, ["X", "Y", "Z"] if index.ids.dtype == object else None, copy=False)
    before, pickled = everything(opened), pickle.dumps(opened)
    (tmp_path / "index").unlink()
    (tmp_path / "rows.npy").unlink()
    assert everything(pickle.loads(pickled)) == before
    assert everything(copy.deepcopy(opened)) == before


def run_script(script: str, tmp_path: Any) -> Any:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes_answers_the_same(method: str, tmp_path: Any) -> None:
    script = f"""
        import multiprocessing, warnings
        import numpy as np
        import lookalike as la

        if __name__ == "__main__":
            warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
            if {method!r} not in multiprocessing.get_all_start_methods():
                raise SystemExit(5)
            rows = np.random.default_rng(0).standard_normal((3000, 8), dtype=np.float32)
            index = la.Index()
            index.add(rows, [f"row {{n}}" for n in range(3000)])
            here = [index.search(query, 3) for query in rows[:4]]
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                there = pool.starmap(index.search, [(query, 3) for query in rows[:4]])
            for ours, theirs in zip(here, there, strict=True):
                assert ours.distances.tobytes() == theirs.distances.tobytes()
                assert ours.ids[:3].tolist() == theirs.ids.tolist()
            print("same")
    """
    ended = run_script(script, tmp_path)
    if ended.returncode == 5:
        pytest.skip(f"this platform has no start method {method}")
    assert ended.stdout == "same\n", ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_forked_while_another_thread_writes_can_read_and_write(tmp_path: Any) -> None:
    script = """
        import os, signal, threading, warnings
        import numpy as np
        import lookalike as la

        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        index = la.Index("euclidean")
        index.add(np.arange(20).reshape(10, 2))
        stop = threading.Event()
        writing = threading.Event()

        def keep_writing():
            with index._lock:  # as in the middle of a change
                writing.set()
                stop.wait()

        thread = threading.Thread(target=keep_writing)
        thread.start()
        writing.wait()
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            index.remove(3)
            ids = index.add([[6, 7]]).tolist()
            good = ids == [10] and index.search([6, 7], 1).ids.tolist() == [10]
            os._exit(0 if good else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        stop.set()
        thread.join()
        print(status, len(index), 3 in index)
    """
    ended = run_script(script, tmp_path)
    assert ended.stdout == "0 10 True\n", ended.stderr


@pytest.mark.parametrize(
    ("ids", "table"),
    [
        (None, ContiguousIds),
        ([2, 7, 9], IntegerIds),
        ([9, 2, 7], IntegerIds),
        (["a", "c", "b"], ObjectIds),
    ],
)
def test_a_change_that_was_interrupted_leaves_no_trace(
    ids: Any, table: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = la.Index("euclidean")
    index.add(np.arange(6).reshape(3, 2), ids)
    assert type(index._snapshot.table) is table
    before = index.ids.tolist()
    others: Any = None if ids is None else ([20, 30] if ids[0] != "a" else ["x", "y"])
    extended = table.extended

    def interrupted(self: Any, new: Any) -> Any:
        extended(self, new)  # it has its ids already
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "extended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.add([[9, 9], [8, 8]], others)
    monkeypatch.undo()
    assert index.ids.tolist() == before
    assert index.version == 1
    assert others is None or others[0] not in index
    after = None if ids is None else others[::-1]
    given = index.add([[5, 6], [7, 8]], after).tolist()
    assert index.get(given).tolist() == [[5, 6], [7, 8]]
    assert index.ids.tolist() == before + given
    assert not index._lock._lock.locked()


def test_ctrl_c_while_rows_are_copied_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    index = la.Index("euclidean")
    index.add([[1, 2]])
    filled = changes._filled

    def interrupted(*arguments: Any) -> Any:
        filled(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(changes, "_filled", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.upsert([[3, 4], [5, 6]], [0, 1])
    monkeypatch.undo()
    assert index.get([0]).tolist() == [[1, 2]]
    assert 1 not in index
    index.add([[7, 8]])
    assert index.get([0, 1]).tolist() == [[1, 2], [7, 8]]


def test_an_index_can_be_dropped_from_any_thread() -> None:
    for _ in range(20):
        index = la.Index()
        thread = threading.Thread(target=index.add, args=(np.ones((2, 2)),))
        thread.start()
        thread.join()
        del index
