"""What one call of ``search`` costs beyond the compiled work."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from benchmarks.index.sets import Set
from benchmarks.index.workbench import K, checked, ours, threads
from benchmarks.report import Row

from lookalike.kernels import _compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.index.workbench import Ask, Workbench

    # What was called, and with what: made again, it does the same compiled work.
    Call = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

MOST_MS = 0.010
DIMS = (16, 784, 1280)
WHOLE, COMPILED = "the whole call", "the same compiled calls, made directly"
QUERIES = 50
TURNS = 15


def overhead(bench: Workbench) -> Iterator[Row]:
    """Measure single rows, where hardly any work is left, and the sets.

    The compiled calls that a search makes are recorded and made again on their own, with the
    same arguments; the overhead is what the whole call takes beyond them. Both are the least of
    several turns for each query, and the figures medians over the queries: what disturbs a scan
    of milliseconds is more than what is looked for.
    """
    for dim in DIMS:
        values = np.random.default_rng(dim).random((QUERIES + 1, dim), dtype=np.float32)
        yield from _one_set(Set("random", values[:1], values[1:], "euclidean"), bench)
    for data in bench.sets.values():
        yield from _one_set(data, bench)
    bench.forget()


def _one_set(data: Set, bench: Workbench) -> Iterator[Row]:
    index = bench.index(data)
    with threads(1):
        checked(index, data, n_queries=QUERIES)
        ask = ours(index, data.queries)
        compiled = _compiled_alone(ask, QUERIES)
        least = np.array([_least((ask, compiled), number) for number in range(QUERIES)])
    section = f"Python's share of one search, k={K}, one thread: {data.label}"
    for name, taken in zip((WHOLE, COMPILED), np.median(least, axis=0).tolist(), strict=True):
        yield Row(section, name, taken)
    beyond = float(np.median(least[:, 0] - least[:, 1]))
    said = f"under {1e3 * MOST_MS:.0f} us; is {1e3 * beyond:.1f}"
    yield Row(section, "the difference", beyond, target=said, is_met=beyond < MOST_MS)


def _least(calls: tuple[Ask, ...], number: int) -> list[float]:
    """Return the fewest milliseconds that each call took for a query, by turns.

    In either order: the second one finds in the caches what the first has read.
    """
    least = [math.inf] * len(calls)
    in_order = list(enumerate(calls))
    for turn in range(TURNS):
        for place, call in in_order if turn % 2 else reversed(in_order):
            started = time.perf_counter()
            call(number)
            least[place] = min(least[place], 1e3 * (time.perf_counter() - started))
    return least


def _compiled_alone(ask: Ask, n_queries: int) -> Ask:
    """Return a call that makes the compiled calls of a search and nothing else."""
    recorded = [_recorded(partial(ask, number)) for number in range(n_queries)]
    if not all(recorded):
        raise AssertionError("a search made no compiled call that could be recorded")

    def replay(number: int) -> None:
        for function, arguments, options in recorded[number]:
            function(*arguments, **options)

    return replay


def _recorded(search: Callable[[], object]) -> list[Call]:
    """Return the calls into the compiled module that a search makes."""
    calls: list[Call] = []
    classes = [member for member in vars(_compiled).values() if isinstance(member, type)]
    with ExitStack() as stack:
        for owner in (_compiled, *classes):
            for name, member in list(vars(owner).items()):
                if callable(member) and not isinstance(member, type) and name[0] != "_":
                    stack.enter_context(patch.object(owner, name, _recorder(member, calls)))
        search()
    return calls


def _recorder(function: Callable[..., object], calls: list[Call]) -> Callable[..., object]:
    def record(*arguments: Any, **options: Any) -> object:  # noqa: ANN401 - whatever it takes
        calls.append((function, arguments, options))
        return function(*arguments, **options)

    return record
