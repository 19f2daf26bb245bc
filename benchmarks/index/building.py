"""How long building takes, and how much memory the index and its building need."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.sets import Set
    from benchmarks.index.workbench import Workbench

    from lookalike.core.types import MetricName

SCRIPT = Path(__file__).with_name("fresh_build.py")
WATCH_SECONDS = 0.005
MOST_BUILDS = 5
MOST_SECONDS = {("Fashion-MNIST", "euclidean"): 3.0, ("CNN", "cosine"): 8.0}
MOST_MEMORY = {"ram": 1.4, "mapped": 0.4}
MOST_MEMORY_MANHATTAN = {"ram": 1.5, "mapped": 0.4}
CASES: tuple[tuple[str, MetricName], ...] = (
    ("Fashion-MNIST", "euclidean"),
    ("CNN", "cosine"),
    ("SIFT", "euclidean"),
    ("CNN", "inner_product"),
    ("Fashion-MNIST", "manhattan"),
    ("CNN", "manhattan"),
)
WHERE = {"ram": "rows in RAM", "mapped": "rows memory-mapped"}


def building(bench: Workbench) -> Iterator[Row]:
    """Measure each case in fresh processes: add and build, the index's memory, the peak."""
    for name, metric in CASES:
        data = bench.sets[name].of_metric(metric)
        path = _as_file(data, bench.cache)
        for where in WHERE:
            builds = [
                _fresh_build(path, metric, where) for _ in range(min(bench.rounds, MOST_BUILDS))
            ]
            yield from _rows(name, data, where, builds)


def _rows(name: str, data: Set, where: str, builds: list[dict[str, Any]]) -> Iterator[Row]:
    section = f"add and build, both threads, in a fresh process: {data.label}"
    seconds = statistics.median(one["seconds"] for one in builds)
    raw, size, peak = (
        max(one[what] for one in builds) for what in ("rows_bytes", "index_bytes", "peak_bytes")
    )
    most = MOST_SECONDS.get((name, data.metric)) if where == "ram" else None
    yield Row(
        section,
        f"{WHERE[where]}: time",
        1e3 * seconds,
        gigabytes_per_second=raw / seconds / 1e9,
        target=f"under {most:g} s" if most else "",
        is_met=seconds < most if most else None,
        details={"seconds": [one["seconds"] for one in builds], "explain": builds[0]["explain"]},
    )
    limits = MOST_MEMORY_MANHATTAN if data.metric == "manhattan" else MOST_MEMORY
    yield Row(
        section,
        f"{WHERE[where]}: memory over raw float32",
        None,
        ratio=size / raw,
        target=f"at most {limits[where]}x ({size / 1e6:.0f} MB)",
        is_met=size / raw <= limits[where],
    )
    said = f"{peak / 1e6:.0f} MB, mapped pages not counted"
    yield Row(
        section,
        f"{WHERE[where]}: peak over raw float32",
        None,
        ratio=peak / raw,
        target=said,
        details={"peak_with_mapped_pages": max(one["peak_with_mapped_pages"] for one in builds)},
    )


def _as_file(data: Set, folder: Path) -> Path:
    """Return where the rows lie as float32 in a file of their own."""
    path = folder / f"rows-{data.name}-{data.rows.shape[0]}-{data.dim}.npy".replace(" ", "-")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, data.rows)
    return path


def _fresh_build(path: Path, metric: str, where: str) -> dict[str, Any]:
    """Run one build, and watch its memory from outside: no lock of its own stands in the way."""
    command = [sys.executable, str(SCRIPT), str(path), metric, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise AssertionError("standard output was asked for")
        first = process.stdout.readline()
        is_over = threading.Event()
        peaks = [0]
        watcher = threading.Thread(target=_watch, args=(process.pid, is_over, peaks))
        watcher.start()
        last = process.stdout.readline()
        is_over.set()
        watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {**json.loads(last), "peak_bytes": max(peaks) - int(first)}


def _watch(pid: int, is_over: threading.Event, peaks: list[int]) -> None:
    status = Path(f"/proc/{pid}/status")
    while not is_over.wait(WATCH_SECONDS):
        try:
            text = status.read_text("utf-8")
        except OSError:  # it has ended
            return
        found = [line.split()[1] for line in text.splitlines() if line.startswith("RssAnon:")]
        peaks += [int(one) * 1024 for one in found]
