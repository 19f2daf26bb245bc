"""One query on two threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from benchmarks.bandwidth import fastest_read
from benchmarks.index.streams import streams
from benchmarks.index.workbench import (
    TIMED_QUERIES,
    Figures,
    checked,
    ours,
    reads_by_number,
    same_bits,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.workbench import Workbench
    from benchmarks.report import Row

ONE, TWO = "ours, 1 thread", "ours, 2 threads"
LEAST_GAIN = {"SIFT": 1.5}


def two_threads(bench: Workbench) -> Iterator[Row]:
    """Measure each set with one and with two threads."""
    for name, data in bench.sets.items():
        index, queries = bench.index(data), data.queries
        cost = checked(index, data)
        for query in queries[:TIMED_QUERIES]:
            one, two = (index.search(query, n_threads=n) for n in (1, 2))
            same_bits(two, np.asarray(one.ids), one.distances)
        times = streams(
            {
                **reads_by_number(data.rows, 1),
                **reads_by_number(data.rows, 2),
                ONE: ours(index, queries, n_threads=1),
                TWO: ours(index, queries, n_threads=2),
            },
            TIMED_QUERIES,
            bench.rounds,
        )
        section = f"one query on two threads: {data.label}"
        by_one = Figures(section, times, ONE, data.rows.nbytes)
        by_two = Figures(section, times, ONE, data.rows.nbytes, n_threads=2)
        yield by_one.read()
        yield by_two.read()
        yield by_one.row(ONE, cost.bytes_read, details=cost.as_details())
        gain = times.ratio(ONE, TWO)
        memory = times.ratio(fastest_read(times, 1), fastest_read(times, 2))
        least = LEAST_GAIN.get(name)
        said = f"is {gain:.2f}x one thread (memory's own: {memory:.2f}x)"
        target = said if least is None else f"at least {least}x one thread; {said}"
        is_met = None if least is None else gain >= least
        yield by_two.row(TWO, cost.bytes_read, target=target, is_met=is_met)
        bench.forget()
