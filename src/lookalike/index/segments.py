"""Segments: rows that never change, and which of them are alive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lookalike.index.searcher import make_searcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lookalike.core.types import BoolArray, Int64Array, NumberArray
    from lookalike.index.id_tables import IdTable
    from lookalike.index.searcher import Codes, Searcher
    from lookalike.metrics import Metric
    from lookalike.storage.sections import SectionFile

__all__ = ["Rows", "Segment"]

_CHUNK_BYTES = 8 << 20


class Rows:
    """Rows that never change, and what is prepared for searching them.

    Parameters
    ----------
    array : array of shape (n, dim)
        Copied rows are C-contiguous float32; the caller's own are as they are.
    is_copied : bool
        Whether the index may merge them with others: they are in memory of its own.
    is_built : bool, default False
        Whether codes were made, or found not to be worth making.
    codes : Codes, optional
    file : SectionFile, optional
        Where they are mapped from.
    """

    def __init__(
        self,
        array: NumberArray,
        *,
        is_copied: bool,
        is_built: bool = False,
        codes: Codes | None = None,
        file: SectionFile | None = None,
    ) -> None:
        self.array = array
        self.is_copied = is_copied
        self.is_built = is_built
        self.codes = codes
        self.file = file
        self._searcher: Searcher | None = None

    def searcher(self, metric: Metric, table: IdTable, start: int) -> Searcher:
        """Return who answers for these rows, whose ids the table has from ``start`` on."""
        if self._searcher is None:  # two threads may both make one: they are the same
            keys = table.keys(start, start + self.array.shape[0])
            self._searcher = make_searcher(self.array, metric, keys, self.codes, self.file)
        return self._searcher

    def verify(self) -> None:
        """Raise FormatError where the file they are mapped from is damaged."""
        if self.file is not None:
            for name in self.file.names:
                if name == "rows" or name.startswith("codes."):
                    self.file.check(name)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Rows of an index, in a snapshot.

    Attributes
    ----------
    rows : Rows
        Shared with other snapshots.
    start : int
        The slot of the first row.
    alive : bool array of shape (n,), optional
        False for rows that were removed or replaced; None where all are alive. A
        snapshot's mask is never written to.
    n_live : int
        How many are alive.
    """

    rows: Rows
    start: int
    alive: BoolArray | None
    n_live: int

    @classmethod
    def of(cls, rows: Rows, start: int = 0) -> Segment:
        """Return a segment whose rows are all alive."""
        return cls(rows, start, None, rows.array.shape[0])

    @property
    def n(self) -> int:
        """How many rows there are, dead or alive."""
        return int(self.rows.array.shape[0])

    @property
    def stop(self) -> int:
        """The slot behind the last row."""
        return self.start + self.n

    def at(self, start: int) -> Segment:
        """Return the same segment from another slot on."""
        return self if start == self.start else replace(self, start=start)

    def without(self, rows: Int64Array) -> Segment:
        """Return the segment with these rows, alive until now, dead."""
        alive = np.ones(self.n, dtype=np.bool_) if self.alive is None else self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive, n_live=self.n_live - rows.size)

    def live_rows(self) -> Int64Array:
        """Return the numbers of the rows that are alive."""
        return np.arange(self.n) if self.alive is None else np.flatnonzero(self.alive)

    def read(self, rows: Int64Array) -> NumberArray:
        """Return a copy of some rows, verified where they are mapped.

        Raises
        ------
        FormatError
            A block that they lie in is damaged.
        """
        if self.rows.file is not None:
            for row in rows.tolist():
                self.rows.file.check_rows("rows", row, 1)
        return self.rows.array[rows]

    def live_chunks(self) -> Iterator[NumberArray]:
        """Yield the live rows in order, some at a time, verified where they are mapped."""
        rows, file = self.rows.array, self.rows.file
        step = max(1, _CHUNK_BYTES // (rows.shape[1] * rows.itemsize))
        for start in range(0, self.n, step):
            chunk = rows[start : start + step]
            if file is not None:
                file.check_rows("rows", start, chunk.shape[0])
            yield chunk if self.alive is None else chunk[self.alive[start : start + step]]
