"""How time, bytes and building grow with the number of rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from benchmarks.index.peers import asks, flat
from benchmarks.index.sets import Set, mixed, to_dimensions
from benchmarks.index.streams import streams
from benchmarks.index.workbench import Figures, K, built, checked, ours, reads_by_number, threads
from benchmarks.report import Row

mpl.use("Agg")  # before pyplot: there may be no display
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.index.workbench import Workbench

OURS = "ours"
COUNTS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
DIM = 256
QUERIES = 50
MOST_OVER_LINEAR = 1.2  # build seconds a row at 1M over those at 100k


@dataclass(frozen=True)
class Point:
    """The figures at one number of rows."""

    count: int
    ours_ms: float
    flat_ms: float
    read_ms: float
    share_of_bytes: float
    build_seconds: float


def growth(bench: Workbench, plot: Path) -> Iterator[Row]:
    """Measure 10k to 1M rows of 256 dimensions: CNN rows in their first components, mixed."""
    source = to_dimensions(bench.sets["CNN"].of_metric("euclidean"), DIM, "components")
    whole = mixed(source, max(COUNTS))
    points = []
    for count in COUNTS:
        data = Set(whole.name, whole.rows[:count], whole.queries, whole.metric)
        with threads(1):
            point, rows = _measure(data, max(2, bench.rounds // 2))
        yield from rows
        points.append(point)
    yield from _building(points)
    draw(points, plot)


def _measure(data: Set, rounds: int) -> tuple[Point, list[Row]]:
    started = time.perf_counter()
    index = built(data)
    seconds = time.perf_counter() - started
    cost = checked(index, data, n_queries=QUERIES)
    flat_name, faiss_flat = flat(data)
    calls = {
        **reads_by_number(data.rows),
        OURS: ours(index, data.queries),
        flat_name: asks(faiss_flat, data.queries, K),
    }
    times = streams(calls, QUERIES, rounds)
    figures = Figures("growth, one thread: " + data.label, times, OURS, data.rows.nbytes)
    share = cost.bytes_read / data.rows.nbytes
    read = figures.read()
    point = Point(
        len(data.rows),
        times.median(OURS),
        times.median(flat_name),
        read.milliseconds or 0.0,
        share,
        seconds,
    )
    said = f"reads {share:.1%} of 4*n*dim; add and build took {seconds:.2f} s"
    details = {**cost.as_details(), "share_of_bytes": share, "build_seconds": seconds}
    return point, [
        read,
        figures.row(OURS, cost.bytes_read, target=said, details=details),
        figures.row(flat_name, data.rows.nbytes),
    ]


def _building(points: list[Point]) -> Iterator[Row]:
    """Compare the time a row at the end with that in the middle: linear, or not."""
    middle, last = points[len(points) // 2], points[-1]
    ratio = last.build_seconds / last.count / (middle.build_seconds / middle.count)
    yield Row(
        "growth: building",
        f"{last.count} rows, seconds a row over those at {middle.count}",
        1e3 * last.build_seconds,
        ratio=ratio,
        target=f"linear: at most {MOST_OVER_LINEAR}x",
        is_met=ratio <= MOST_OVER_LINEAR,
    )


def draw(points: list[Point], path: Path) -> None:
    """Write the plot: time a query, and bytes a query, against the number of rows."""
    counts = [point.count for point in points]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.loglog(counts, [point.flat_ms for point in points], "s--", label="FAISS IndexFlatL2")
    left.loglog(counts, [point.read_ms for point in points], ":", label="reading every row")
    left.loglog(counts, [point.ours_ms for point in points], "o-", label="Lookalike, certified")
    left.set(xlabel="rows", ylabel="ms a query", title=f"k={K}, {DIM} dimensions, one thread")
    left.legend()
    right.semilogx(counts, [100 * point.share_of_bytes for point in points], "o-")
    right.set(xlabel="rows", ylabel="% of 4·n·dim", title="bytes read for a query", ylim=(0, None))
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
