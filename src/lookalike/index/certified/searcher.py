"""Asking the compiled engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.index.certified.describing import described
from lookalike.index.certified.memory import aligned
from lookalike.index.cost import BadQueryError, BadRowError, Cost
from lookalike.kernels import _compiled, active

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from lookalike.core.types import BoolArray, Float32Array, Int64Array, NumberArray
    from lookalike.metrics import Metric
    from lookalike.storage.sections import SectionFile

    _Guard: TypeAlias = tuple[NDArray[np.uint32], NDArray[np.uint8]]

__all__ = ["CertifiedSearcher"]

_CODES = "codes."
_BAD_QUERY = -2  # as a bad row


class CertifiedSearcher:
    """Searches rows through their codes, or row by row where there are none.

    Parameters
    ----------
    rows : array of shape (n, dim)
    metric : Metric
    keys : int64 array of shape (n,), optional
    arrays : dict of str to ndarray, optional
        Of the codes.
    plan : dict, optional
        Of the codes.
    file : SectionFile, optional
        Where rows and codes are mapped from.
    """

    def __init__(
        self,
        rows: NumberArray,
        metric: Metric,
        keys: Int64Array | None,
        arrays: dict[str, NDArray[Any]] | None,
        plan: dict[str, Any] | None,
        file: SectionFile | None,
    ) -> None:
        self._plan = plan
        self._arrays = arrays
        self._row_bytes = rows.shape[1] * rows.itemsize
        self._file = file
        codes = None if arrays is None or plan is None else _as_stored(arrays, plan)
        rows_guard = level_guards = None
        if file is not None:
            rows_guard = _guard(file, "rows")
            if plan is not None and _CODES + "level0" in file.names:
                level_guards = self._guard_codes(file, plan)
        self._segment = _compiled.Segment(rows, metric.code, keys, codes, rows_guard, level_guards)

    @staticmethod
    def _guard_codes(file: SectionFile, plan: dict[str, Any]) -> list[_Guard]:
        """Verify what every search reads whole; return the guards of what it reads in parts."""
        levels = [f"{_CODES}level{number}" for number in range(len(plan["levels"]))]
        for name in file.names:
            if name.startswith(_CODES) and name not in levels:
                file.check(name)
        return [_guard(file, name) for name in levels]

    def nearest(
        self,
        queries: Float32Array,
        k: int,
        *,
        allowed: BoolArray | None,
        limits: Float32Array | None,
        n_threads: int,
    ) -> tuple[Int64Array, Float32Array, Cost]:
        """Return the k nearest; see :class:`lookalike.index.searcher.Searcher`."""
        shape = (queries.shape[0], k)
        rows = np.empty(shape, dtype=np.int64)
        distances = np.empty(shape, dtype=np.float32)
        mask = None if allowed is None else allowed.view(np.uint8)
        report = self._segment.nearest(active(), queries, rows, distances, mask, limits, n_threads)
        return rows, distances, self._cost(report)

    def within(
        self,
        queries: Float32Array,
        radius: float,
        *,
        allowed: BoolArray | None,
        n_threads: int,
    ) -> tuple[list[tuple[Int64Array, Float32Array]], Cost]:
        """Return the rows within; see :class:`lookalike.index.searcher.Searcher`."""
        mask = None if allowed is None else allowed.view(np.uint8)
        report, answers = self._segment.within(active(), queries, radius, mask, n_threads)
        cost = self._cost(report)
        return [
            (np.frombuffer(rows, np.int64).copy(), np.frombuffer(distances, np.float32).copy())
            for rows, distances in answers
        ], cost

    def describe(self) -> str:
        """Return its plan in a few words."""
        if self._plan is None:
            return "plain scan"
        return (
            f"certified codes: {' + '.join(str(level['dims']) for level in self._plan['levels'])}"
        )

    def explain(self) -> list[str]:
        """Return its plan in lines; none for a plain scan."""
        if self._plan is None or self._arrays is None:
            return []
        return described(self._arrays, self._plan, self._row_bytes)

    def _cost(self, report: tuple[int, bool, int, int, list[int]]) -> Cost:
        bad_row, is_damaged, rows_read, bytes_read, skipped = report
        if is_damaged:
            self._raise_damage()
        if bad_row >= 0:
            raise BadRowError(bad_row)
        if bad_row == _BAD_QUERY:
            raise BadQueryError
        return Cost(rows_read, tuple(skipped), bytes_read)

    def _raise_damage(self) -> None:
        if self._file is None:
            raise AssertionError("a segment in memory has no checksums")
        for name in self._file.names:
            if name == "rows" or name.startswith(_CODES):
                self._file.check(name)  # raises, naming the block


def _guard(file: SectionFile, name: str) -> _Guard:
    blocks = file.blocks(name)
    return blocks.crc32, blocks.verified


def _as_stored(arrays: dict[str, NDArray[Any]], plan: dict[str, Any]) -> dict[str, Any]:
    """Return the codes as the compiled engine reads them."""
    levels = [
        {
            **level,
            "codes": aligned(arrays[f"level{number}"]),
            "offsets": arrays.get(f"offsets{number}"),
        }
        for number, level in enumerate(plan["levels"])
    ]
    return {**plan, **arrays, "projection": arrays.get("projection"), "levels": levels}
