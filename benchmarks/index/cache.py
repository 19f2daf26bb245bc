"""What takes long to make and never changes: hnswlib's graphs and the true neighbours."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import hnswlib
import numpy as np

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.index.sets import Set

    from lookalike.core.types import Float32Array, Int64Array

M = 32
EF_CONSTRUCTION = 200
BUILD_THREADS = 2


def true_neighbours(data: Set, k: int, folder: Path) -> tuple[Int64Array, Float32Array]:
    """Return ids and distances by brute force for all queries of a set."""
    path = folder / f"truth-{_key(data, k)}.npz"
    if not path.exists():
        found = la.nearest_batch(data.queries, data.rows, k, metric=data.metric)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, ids=found.ids, distances=found.distances)
    with np.load(path) as file:
        return file["ids"], file["distances"]


def hnswlib_graph(data: Set, folder: Path) -> tuple[Any, float]:
    """Return hnswlib's index of a set, and how many seconds building it took with two threads.

    Cosine is asked as the inner product of unit rows: hnswlib's fastest way to it.
    """
    space = "ip" if data.metric == "cosine" else "l2"
    rows = data.normalised().rows if data.metric == "cosine" else data.rows
    path = folder / f"hnswlib-{M}-{EF_CONSTRUCTION}-{_key(data, 0)}.bin"
    note = path.with_suffix(".json")
    index = hnswlib.Index(space=space, dim=data.dim)
    if not note.exists():
        print(f"building hnswlib's graph of {data.label} (once) ...", flush=True)
        index.init_index(len(rows), M=M, ef_construction=EF_CONSTRUCTION, random_seed=100)
        index.set_num_threads(BUILD_THREADS)
        started = time.perf_counter()
        index.add_items(rows)
        seconds = time.perf_counter() - started
        folder.mkdir(parents=True, exist_ok=True)
        index.save_index(str(path))
        note.write_text(json.dumps({"seconds": seconds, "threads": BUILD_THREADS}), "utf-8")
    else:
        index.load_index(str(path), max_elements=len(rows))
    return index, float(json.loads(note.read_text("utf-8"))["seconds"])


def remembered(name: str, data: Set, folder: Path, make: Callable[[], object]) -> Any:  # noqa: ANN401 - JSON
    """Return what ``make`` made of a set, now or in an earlier run."""
    path = folder / f"{name}-{_key(data, 0)}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()), "utf-8")
    return json.loads(path.read_text("utf-8"))


def _key(data: Set, k: int) -> str:
    """Return a name for a set's content."""
    digest = hashlib.blake2b(digest_size=8)
    for values in (data.rows, data.queries):
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values).data)
    return f"{data.metric}-{k}-{digest.hexdigest()}"
