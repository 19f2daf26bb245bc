"""What a searcher reports beside its answer: its cost, or the row that has no distance."""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

__all__ = ["NO_COST", "BadQueryError", "BadRowError", "Cost"]


class Cost(NamedTuple):
    """What a search cost, summed over its queries.

    Attributes
    ----------
    rows_read : int
        Rows that were scored in float32.
    rows_skipped_by_level : tuple of int
        Rows that each bound excluded, cheapest bound first.
    bytes_read : int
        Bytes of rows and codes.
    """

    rows_read: int = 0
    rows_skipped_by_level: tuple[int, ...] = ()
    bytes_read: int = 0

    def plus(self, other: Cost) -> Cost:
        """Return the cost of both."""
        levels = zip_longest(self.rows_skipped_by_level, other.rows_skipped_by_level, fillvalue=0)
        return Cost(
            self.rows_read + other.rows_read,
            tuple(mine + theirs for mine, theirs in levels),
            self.bytes_read + other.bytes_read,
        )


NO_COST = Cost()


class BadRowError(Exception):
    """A row without a finite distance; whoever knows its id says more.

    Attributes
    ----------
    row : int
        Its number in the segment.
    """

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


class BadQueryError(Exception):
    """A query that holds a NaN or an infinity; whoever was given it says more."""
