"""What the sections share: sets and indexes made once, and answers held to brute force."""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeAlias

import faiss
import numpy as np
from benchmarks.bandwidth import fastest_read, reads
from benchmarks.index.sets import FILES, load
from benchmarks.report import Row
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.index.sets import Set
    from benchmarks.timing import Times

    from lookalike.core.types import Float32Array, MetricName

Ask: TypeAlias = "Callable[[int], object]"  # is given the number of a query

K = 10
TIMED_QUERIES = 200
WARM_BYTES = 1 << 20  # the least that a warm read is timed on


@dataclass
class Workbench:
    """Where the data are, where slow things are kept, how often to measure.

    Indexes and sets are made when first asked for, and kept.
    """

    data: Path
    cache: Path
    rounds: int
    _indexes: dict[tuple[str, MetricName], la.Index] = field(default_factory=dict)

    @cached_property
    def sets(self) -> dict[str, Set]:
        """The measuring sets by name, with at most 1000 queries each."""
        return {name: load(name, self.data) for name in FILES}

    def index(self, data: Set) -> la.Index:
        """Return our index of a set, built."""
        key = data.label, data.metric
        if key not in self._indexes:
            self._indexes[key] = built(data)
        return self._indexes[key]

    def forget(self) -> None:
        """Let go of the indexes: the next section measures other data."""
        self._indexes.clear()


@dataclass(frozen=True)
class Cost:
    """What a query costs us: means over the queries."""

    bytes_read: float
    rows_read: float
    skipped_by_level: list[float]
    seconds_within: float

    def as_details(self) -> dict[str, object]:
        """Return it for the JSON file."""
        return {
            "bytes_read": self.bytes_read,
            "rows_read": self.rows_read,
            "skipped_by_level": self.skipped_by_level,
            "median_ms_in_stats": 1e3 * self.seconds_within,
        }


def built(data: Set, n_threads: int = 2) -> la.Index:
    """Return our index of a set."""
    index = la.Index(data.metric)
    index.add(data.rows)
    return index.build(n_threads=n_threads)


def ours(index: la.Index, queries: Float32Array, k: int = K, n_threads: int = 1) -> Ask:
    """Return a call that asks our index a query by its number."""
    search = index.search
    return lambda number: search(queries[number], k=k, n_threads=n_threads)


def plain(data: Set, k: int = K, n_threads: int = 1) -> Ask:
    """Return a call that scans all rows for a query by its number."""
    ask = partial(la.nearest, metric=data.metric, n_threads=n_threads)
    return lambda number: ask(data.queries[number], data.rows, k)


def checked(index: la.Index, data: Set, k: int = K, n_queries: int = TIMED_QUERIES) -> Cost:
    """Fail unless our answers are brute force's, bit for bit; return what they cost."""
    queries = data.queries[:n_queries]
    truth = la.nearest_batch(queries, data.rows, min(k, len(data.rows)), metric=data.metric)
    stats = []
    for number, query in enumerate(queries):
        found = index.search(query, k=k, n_threads=1)
        same_bits(found, truth.ids[number], truth.distances[number])
        stats.append(found.stats)
    n_levels = max(len(one.skipped_by_level) for one in stats)
    levels = [[*one.skipped_by_level, *[0] * n_levels][:n_levels] for one in stats]
    return Cost(
        statistics.fmean(one.bytes_read for one in stats),
        statistics.fmean(one.rows_read for one in stats),
        np.mean(levels, axis=0).tolist() if n_levels else [],
        statistics.median(one.seconds for one in stats),
    )


def same_bits(found: la.Neighbors, ids: np.ndarray, distances: np.ndarray) -> None:
    """Fail unless an answer has these ids and these very distances."""
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_array_equal(
        np.asarray(found.distances).view(np.uint32), np.asarray(distances).view(np.uint32)
    )


def reads_by_number(rows: Float32Array, n_threads: int = 1) -> dict[str, Ask]:
    """Return reads of all rows, to be timed among the queries: the ceiling of a flat scan."""
    return {name: _ignoring(read) for name, read in reads(rows, n_threads).items()}


def warm_read(n_bytes: float) -> Ask:
    """Return a read of as many bytes as a query of ours, again and again: from the caches."""
    values = np.ones(max(WARM_BYTES, int(n_bytes)) // 4, dtype=np.float32)
    *_, read = reads(values, 1).values()  # which holds the address of the values alone

    return lambda _: (read(), values)


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    """Hold FAISS, OpenMP and BLAS to so many threads."""
    before = faiss.omp_get_max_threads()
    with threadpool_limits(limits=n_threads):
        faiss.omp_set_num_threads(n_threads)
        try:
            yield
        finally:
            faiss.omp_set_num_threads(before)


@dataclass(frozen=True)
class Figures:
    """Makes the rows of a section: each time beside ours and the memory's own speed."""

    section: str
    times: Times
    ours: str
    read_bytes: float
    n_threads: int = 1

    def row(
        self,
        name: str,
        n_bytes: float | None = None,
        *,
        target: str = "",
        is_met: bool | None = None,
        details: dict[str, object] | None = None,
    ) -> Row:
        """Return a contender's figures; ``n_bytes`` are those it reads for one query."""
        taken = self.times.median(name)
        rate = None if n_bytes is None else n_bytes / taken / 1e6
        share = None if rate is None else rate / self.bandwidth
        ratio = self.times.ratio(name, self.ours)
        return Row(self.section, name, taken, rate, share, ratio, target, is_met, details or {})

    def at_least(self, name: str, least: float | None, n_bytes: float | None = None) -> Row:
        """Return a contender that must take so many times as long as ours, or need not."""
        if least is None:
            return self.row(name, n_bytes)
        is_met = self.times.ratio(name, self.ours) >= least
        return self.row(name, n_bytes, target=f"at least {least:g}x our time", is_met=is_met)

    def read(self) -> Row:
        """Return the read of all rows: the ceiling of a flat scan."""
        return self.row(fastest_read(self.times, self.n_threads), self.read_bytes)

    @property
    def bandwidth(self) -> float:
        """Gigabytes that the machine reads from memory in a second, measured in this run."""
        read = fastest_read(self.times, self.n_threads)
        return self.read_bytes / self.times.median(read) / 1e6


def _ignoring(call: Callable[[], object]) -> Ask:
    return lambda _: call()
