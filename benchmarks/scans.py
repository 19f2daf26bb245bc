"""Distances side by side: the memory's read bandwidth, ours, and everybody else's.

Run with ``make bench``, or directly::

    python benchmarks/scans.py [--data FOLDER] [--output FILE] [--rounds N]

Prints every figure with its target, and writes them with the machine, the versions and the
commit to a JSON file. Medians over interleaved rounds, each call once a round; ratios are
the medians of the rounds' own ratios. Needs a C compiler for the read bandwidth.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder above, for a script

from benchmarks.bandwidth import FLAGS
from benchmarks.imports import import_times
from benchmarks.machine import describe
from benchmarks.many_queries import batches
from benchmarks.report import Row, print_section, write
from benchmarks.single_query import METRICS, against_peers, odd_dimensions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lookalike.core.types import Float32Array

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
OUTPUT = ROOT / "benchmarks" / "results" / "local" / "scans.json"
SETS = {  # file, and the shape of the random rows that stand in for it
    "Fashion-MNIST": ("fashion_mnist_784.npz", (60000, 784)),
    "CNN embeddings": ("cnn_lite0_1280.npz", (30000, 1280)),
}
QUERIES = 1000


def load(name: str, folder: Path) -> tuple[str, Float32Array, Float32Array]:
    """Return what the set is to be called, its rows, and its queries."""
    file_name, (count, dim) = SETS[name]
    path = folder / file_name
    if path.exists():
        with np.load(path) as file:
            rows, queries = file["base"], file["queries"][:QUERIES]
            return name, rows.astype(np.float32), queries.astype(np.float32)
    values = np.random.default_rng(0).random((count + QUERIES, dim), dtype=np.float32)
    return f"random rows (no {file_name})", values[QUERIES:], values[:QUERIES]


def sections(folder: Path, rounds: int) -> Iterator[Iterable[Row]]:
    """Measure one section after the other."""
    for set_name in SETS:
        name, group, queries = load(set_name, folder)
        for metric in METRICS:
            yield against_peers(name, metric, queries[0], group, rounds)
        yield batches(name, queries, group, max(3, rounds // 4))
    yield odd_dimensions(rounds)
    yield import_times(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the measuring data")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=21, help="medians are of so many")
    options = parser.parse_args()

    machine = {**describe(), "rounds": options.rounds, "read_flags": " ".join(FLAGS)}
    for key, value in machine.items():
        print(f"{key}: {value}")
    rows: list[Row] = []
    for section in sections(options.data, options.rounds):
        measured = list(section)
        print_section(measured)
        rows += measured
    machine["load_at_end"] = round(os.getloadavg()[0], 2)
    write(options.output, machine, rows)
    missed = [row for row in rows if row.is_met is False]
    wanted = sum(row.is_met is not None for row in rows)
    print(f"\n{wanted - len(missed)} of {wanted} targets met; figures in {options.output}")
    for row in missed:
        print(f"MISSED {row.section}: {row.what}: {row.target}")


if __name__ == "__main__":
    main()
