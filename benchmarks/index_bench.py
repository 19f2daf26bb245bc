"""The certified index side by side with FAISS, hnswlib, SciPy, our plain scans and the memory.

Run with ``make bench-index``, or directly::

    python benchmarks/index_bench.py [--data FOLDER] [--only SECTION ...] [--rounds N]
                                     [--output FILE] [--cache FOLDER] [--plot FILE]

Prints every figure with its target, and writes them with the machine, the versions and the
commit to a JSON file. Every call answers another query, the same for everybody; the answers of
ours that are timed are first held to brute force's, bit for bit. hnswlib's graphs are built
once and kept in the cache. Needs a C compiler for the read bandwidth.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder above, for a script

from benchmarks.bandwidth import FLAGS
from benchmarks.index.batches import batches
from benchmarks.index.building import building
from benchmarks.index.growth import growth
from benchmarks.index.more_neighbours import more_neighbours
from benchmarks.index.overhead import overhead
from benchmarks.index.scans import hostile_data, manhattan, small_groups
from benchmarks.index.single import single
from benchmarks.index.threads import two_threads
from benchmarks.index.workbench import Workbench
from benchmarks.machine import describe
from benchmarks.report import Row, print_section, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results" / "local"


def sections(plot: Path) -> dict[str, Callable[[Workbench], Iterable[Row]]]:
    """Return what can be measured, by the names that ``--only`` takes."""
    return {
        "single": single,
        "threads": two_threads,
        "batch": batches,
        "manhattan": manhattan,
        "hostile": hostile_data,
        "small": small_groups,
        "k": more_neighbours,
        "growth": partial(growth, plot=plot),
        "build": building,
        "overhead": overhead,
    }


def main() -> None:
    options = _options()
    machine = {**describe(), "rounds": options.rounds, "read_flags": " ".join(FLAGS)}
    for key, value in machine.items():
        print(f"{key}: {value}")
    bench = Workbench(options.data, options.cache, options.rounds)
    rows: list[Row] = []
    for name, measure in sections(options.plot).items():
        if name in (options.only or [name]):
            print_section(_kept(measure(bench), rows))
    machine["load_at_end"] = round(os.getloadavg()[0], 2)
    write(options.output, machine, rows)
    missed = [row for row in rows if row.is_met is False]
    wanted = sum(row.is_met is not None for row in rows)
    print(f"\n{wanted - len(missed)} of {wanted} targets met; figures in {options.output}")
    for row in missed:
        ratio = "" if row.ratio is None else f" (is {row.ratio:.2f})"
        print(f"MISSED {row.section}: {row.what}: {row.target}{ratio}")


def _kept(measured: Iterable[Row], rows: list[Row]) -> Iterable[Row]:
    for row in measured:
        rows.append(row)
        yield row


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = list(sections(Path()))
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the measuring data")
    parser.add_argument("--only", nargs="+", choices=names, help="sections to measure")
    parser.add_argument("--rounds", type=int, default=5, help="turns at all queries")
    parser.add_argument("--output", type=Path, default=RESULTS / "index.json", help="JSON file")
    parser.add_argument("--cache", type=Path, default=RESULTS / "cache", help="graphs and truths")
    parser.add_argument("--plot", type=Path, default=RESULTS / "index_growth.png", help="PNG file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
