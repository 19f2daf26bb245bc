"""Hold the certified index to the plain scan on all queries of the measuring sets, bit for bit.

    python benchmarks/index_agreement.py [--data FOLDER] [--all-metrics] [--only SET ...]

For k = 1, 10 and 100: every query alone, and all of them in one batch with two threads. Exits
with status 1 where an id or a bit of a distance differs, and says where.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder above, for a script

from benchmarks.index.sets import FILES, load

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.index.sets import Set

    from lookalike.core.types import Float32Array, IdArray, MetricName

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
METRICS: tuple[MetricName, ...] = (
    "cosine",
    "euclidean",
    "sqeuclidean",
    "manhattan",
    "inner_product",
)
KS = (1, 10, 100)
SHOWN = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the measuring data")
    parser.add_argument("--all-metrics", action="store_true", help="not each set's own alone")
    parser.add_argument("--only", nargs="+", choices=list(FILES), help="sets to check")
    options = parser.parse_args()
    wrong = 0
    for name in options.only or FILES:
        data = load(name, options.data, most_queries=None)
        for metric in METRICS if options.all_metrics else (data.metric,):
            wrong += sum(differences(data.of_metric(metric)))
    if wrong:
        sys.exit(f"{wrong} answers differ from the plain scan's")
    print("every answer is the plain scan's, bit for bit")


def differences(data: Set) -> Iterator[int]:
    """Yield how many answers differ, for each k and each way of asking."""
    index = la.Index(data.metric)
    index.add(data.rows)
    index.build()
    truth = la.nearest_batch(data.queries, data.rows, max(KS), metric=data.metric)
    for k in KS:
        ids, distances = truth.ids[:, :k], truth.distances[:, :k]
        started = time.perf_counter()
        alone = [index.search(query, k=k, n_threads=1) for query in data.queries]
        seconds = time.perf_counter() - started
        batch = index.search_batch(data.queries, k=k, n_threads=2)
        ways: dict[str, tuple[IdArray, Float32Array]] = {
            "one by one": (
                np.asarray([one.ids for one in alone]),
                np.stack([one.distances for one in alone]),
            ),
            "in a batch": (batch.ids, batch.distances),
        }
        read = np.mean([one.stats.rows_read for one in alone])
        print(f"{data.label}, k={k}: {len(alone)} queries, {1e3 * seconds / len(alone):.3f} ms")
        print(f"    each, which scores {read:.1f} rows in float32")
        for way, (found, at) in ways.items():
            wrong = _rows_that_differ(found, at, ids, distances)
            print(f"    {way}: {len(wrong)} differ", *[f"query {row}" for row in wrong[:SHOWN]])
            yield len(wrong)


def _rows_that_differ(
    ids: IdArray, distances: Float32Array, true_ids: IdArray, true_distances: Float32Array
) -> list[int]:
    bits, true_bits = (
        np.ascontiguousarray(values).view(np.uint32) for values in (distances, true_distances)
    )
    same = (ids == true_ids).all(axis=1) & (bits == true_bits).all(axis=1)
    return [int(row) for row in np.flatnonzero(~same)]


if __name__ == "__main__":
    main()
