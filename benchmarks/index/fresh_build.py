"""Build one index in a process of its own, and say on standard output what it took.

    python benchmarks/index/fresh_build.py ROWS.npy METRIC ram|mapped

The process that starts it watches its memory while it builds; see building.py.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

import numpy as np

import lookalike as la

THREADS = 2


def memory(name: str) -> int:
    """Return a figure of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def main() -> None:
    path, metric, where = sys.argv[1:]
    mapped = np.load(path, mmap_mode="r")
    mapped.sum()  # the page cache is warm: the disk is not what is measured
    little = np.random.default_rng(0).random((3000, 64), dtype=np.float32)
    warm = la.Index("euclidean")  # what the first build of a process loads is no index's memory
    warm.add(little)
    warm.build(n_threads=THREADS)
    del warm
    gc.collect()
    before = memory("RssAnon")
    print(before, flush=True)  # from here on we are watched

    started = time.perf_counter()
    index = la.Index(metric)  # type: ignore[arg-type]
    index.add(mapped, copy=where == "ram")
    index.build(n_threads=THREADS)
    seconds = time.perf_counter() - started
    gc.collect()
    found = {
        "seconds": seconds,
        "rows_bytes": mapped.nbytes,
        "index_bytes": memory("RssAnon") - before,
        "peak_with_mapped_pages": memory("VmHWM"),
        "explain": index.explain(),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
