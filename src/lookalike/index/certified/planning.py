"""Choosing a plan: how wide the head is, how many lines follow, whether to rotate at all.

Each candidate's cost a row and query is added up from the shares of rows that its bounds
leave, measured on a sample of the collection (:mod:`lookalike.index.certified.survival`), in
bytes of streamed codes: a byte met at random costs more than one that is streamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from lookalike.kernels import _compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Costs", "Layout", "SumLayout", "choose_layout", "choose_sums"]

LINE_CODES, LINE_BYTES = _compiled.LINE_CODES, _compiled.LINE_BYTES
MOST_WIDTH = 2048
_WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024, 1536, 2048)
_TERM_BYTES = 8  # of a row in a block
#: What a byte costs that is not streamed, and a row that is scored beside its bytes. The
#: search itself weighs with rounder figures (cpp/engine/cascade.cpp).
_LINE_EFFORT = 6.0
_SUM_LINE_EFFORT = 2.0  # several lines side by side
_ROW_EFFORT = 3.0
_ROW_OVERHEAD = 6000.0
_ROTATION_EFFORT = 0.5  # streamed from a cache
#: Codes must be this much cheaper than reading every row.
_LEAST_GAIN = 0.8
#: Codes and projection, as a share of the rows as float32.
_MOST_MEMORY = 0.38
_MOST_SUM_MEMORY = 0.47


@dataclass(frozen=True, slots=True)
class Layout:
    """How many dimensions each level codes.

    Attributes
    ----------
    is_rotated : bool
    head : int
        Dimensions of the head.
    lines : tuple of int
        Dimensions of each line, at most 56.
    cost : float
        Expected, in bytes of streamed codes a row and query.
    shares : tuple of float
        The share of rows expected to be left after each level.
    scanned : float, default 1.0
        The share of rows expected in chunks whose heads are read.
    """

    is_rotated: bool
    head: int
    lines: tuple[int, ...]
    cost: float
    shares: tuple[float, ...]
    scanned: float = 1.0

    @property
    def dims(self) -> int:
        """Dimensions coded in all."""
        return self.head + sum(self.lines)

    @property
    def width(self) -> int:
        """Codes of the head, padded."""
        return -(-self.head // 4) * 4


@dataclass(frozen=True, slots=True)
class Costs:
    """What the collection makes of the costs.

    Attributes
    ----------
    n, dim : int
    row_bytes : int
        Of a row as it is stored.
    """

    n: int
    dim: int
    row_bytes: int

    @property
    def plain(self) -> float:
        """The cost of reading the row itself."""
        return float(self.row_bytes)

    def of_row(self) -> float:
        """Return the cost of a row met at random, and scored."""
        return _ROW_EFFORT * self.row_bytes + _ROW_OVERHEAD

    def of_rotation(self, dims: int) -> float:
        """Return the cost of rotating the query, spread over the rows."""
        return _ROTATION_EFFORT * 2.0 * dims * self.dim / self.n

    def fits(self, layout: Layout) -> bool:
        """Tell whether the codes take little enough memory."""
        projection = 2.0 * layout.dims * self.dim / self.n if layout.is_rotated else 0.0
        codes = layout.width + _TERM_BYTES + LINE_BYTES * len(layout.lines) + 4
        return codes + projection <= _MOST_MEMORY * 4 * self.dim


def choose_layout(
    costs: Costs,
    rotated_shares: Mapping[int, float],
    chunk_shares: Mapping[int, float],
    plain_share: float,
) -> Layout | None:
    """Return the cheapest layout; None where reading the rows is about as cheap.

    Parameters
    ----------
    costs : Costs
    rotated_shares : mapping of int to float
        Rotated dimensions read -> share of rows left: :func:`survival.shares_left`.
    chunk_shares : mapping of int to float
        Dimensions of a head -> share of rows in chunks that are left:
        :func:`chunks.chunk_shares`; for other heads, that of the next narrower one.
    plain_share : float
        The share that is left where all dimensions are coded as they are.
    """
    chunk_shares = {0: 1.0, **chunk_shares}
    candidates = [_unrotated(costs, plain_share)]
    for width in {*_WIDTHS, max(rotated_shares)}:
        if width in rotated_shares and width <= MOST_WIDTH:
            candidates.extend(_with_head(costs, rotated_shares, chunk_shares, width))
    fitting = [layout for layout in candidates if layout is not None and costs.fits(layout)]
    if not fitting:
        return None
    best = min(fitting, key=lambda layout: layout.cost)
    return best if best.cost <= _LEAST_GAIN * costs.plain else None


def _unrotated(costs: Costs, left: float) -> Layout | None:
    if costs.dim > MOST_WIDTH:
        return None
    cost = costs.dim + _TERM_BYTES + left * costs.of_row()
    return Layout(False, costs.dim, (), cost, (left,))


def _with_head(
    costs: Costs, shares: Mapping[int, float], chunk_shares: Mapping[int, float], head: int
) -> list[Layout]:
    """Return the layouts with this head and ever more lines."""
    most_dims = max(shares)
    left = shares[head]
    scanned = chunk_shares[max((dims for dims in chunk_shares if dims <= head), default=0)]
    row = -(-head // 4) * 4 + _TERM_BYTES
    cost = scanned * row + row / _compiled.CHUNK_ROWS + costs.of_rotation(head)
    lines: tuple[int, ...] = ()
    expected: tuple[float, ...] = (left,)
    layouts = [Layout(True, head, lines, cost + left * costs.of_row(), expected, scanned)]
    while head + sum(lines) < most_dims:
        dims = min(LINE_CODES, most_dims - head - sum(lines))
        cost += left * LINE_BYTES * _LINE_EFFORT + costs.of_rotation(dims)
        lines = (*lines, dims)
        left = shares[head + sum(lines)]
        expected = (*expected, left)
        layouts.append(Layout(True, head, lines, cost + left * costs.of_row(), expected, scanned))
    return layouts


@dataclass(frozen=True, slots=True)
class SumLayout:
    """Which sums each level codes, coarsest first (Manhattan).

    Attributes
    ----------
    sizes : tuple of int
        Dimensions a sum.
    widths : tuple of int
        Codes a row, padded for the head.
    row_bytes : tuple of int
        Of a line; 0 for the head.
    cost : float
    shares : tuple of float
        As in :class:`Layout`.
    """

    sizes: tuple[int, ...]
    widths: tuple[int, ...]
    row_bytes: tuple[int, ...]
    cost: float
    shares: tuple[float, ...]


def choose_sums(
    widths: Mapping[int, int], shares: Mapping[int, float], row_bytes: int, dim: int
) -> SumLayout | None:
    """Return the cheapest layout of sums; None where reading the rows is about as cheap.

    Parameters
    ----------
    widths : mapping of int to int
        Size of sums -> how many a row has.
    shares : mapping of int to float
        Size of sums -> share of rows that they leave.
    row_bytes : int
        Of a row as it is stored.
    dim : int
    """
    sizes = sorted(widths, reverse=True)
    chains = [
        chain
        for length in (1, 2, 3)
        for chain in combinations(sizes, length)
        if _sum_bytes(chain, widths) <= _MOST_SUM_MEMORY * 4 * dim
    ]
    layouts = [_sum_layout(chain, widths, shares, row_bytes) for chain in chains]
    if not layouts:
        return None
    best = min(layouts, key=lambda layout: layout.cost)
    return best if best.cost <= _LEAST_GAIN * row_bytes else None


def _line_bytes(width: int) -> int:
    return -(-(width + 4) // LINE_BYTES) * LINE_BYTES


def _sum_bytes(chain: tuple[int, ...], widths: Mapping[int, int]) -> int:
    return widths[chain[0]] + 12 + sum(_line_bytes(widths[size]) for size in chain[1:])


def _sum_layout(
    chain: tuple[int, ...],
    widths: Mapping[int, int],
    shares: Mapping[int, float],
    row_bytes: int,
) -> SumLayout:
    head = -(-widths[chain[0]] // 8) * 8
    cost, left, expected = head + 4.0, shares[chain[0]], [shares[chain[0]]]
    padded, lines = [head], [0]
    for size in chain[1:]:
        line = _line_bytes(widths[size])
        cost += left * line * _SUM_LINE_EFFORT
        left = shares[size]
        expected.append(left)
        padded.append(widths[size])
        lines.append(line)
    cost += left * (_ROW_EFFORT * row_bytes + _ROW_OVERHEAD)
    return SumLayout(chain, tuple(padded), tuple(lines), cost, tuple(expected))
