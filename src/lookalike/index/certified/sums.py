"""Codes of sums over neighbouring dimensions: Manhattan.

No rotation keeps Manhattan distances, but sums do bound them: the absolute difference of two
sums is at most the sum of the absolute differences. So the head codes coarse sums, and
lines code ever finer ones, down to the single dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.core.errors import RangeError
from lookalike.index.certified.memory import allocate
from lookalike.index.certified.ordering import clustered_order
from lookalike.index.certified.planning import MOST_WIDTH, choose_sums
from lookalike.kernels import _compiled
from lookalike.scan import nearest_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import Float32Array, Float64Array, Int64Array
    from lookalike.index.certified.planning import SumLayout
    from lookalike.index.certified.preparing import Preparation

__all__ = ["encode_sums"]

_SEED = 0
_SAMPLE_ROWS = 4096
_SURVIVAL_ROWS = 1024
_SURVIVAL_QUERIES = 32
_PLANNED_K, _MOST_PLANNED_K, _FEW = 10, 100, 4
_GROUP_SIZES = (64, 32, 16, 8, 4, 2, 1)
_CODE_RANGE = 127
_LEAST_STEP = 2.0**-60  # kSmallestStep of cpp/engine/error_bounds.hpp
#: The part of the sampled values that fits the codes; others are clipped.
_UNCLIPPED = 0.9995
_ORDER_POINTS = 32
_CHUNK_ROWS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """How sums of one size are coded.

    Attributes
    ----------
    size : int
        Dimensions a sum.
    offsets : float32 array of shape (n_sums,)
    step : float
    """

    size: int
    offsets: Float32Array
    step: float


def encode_sums(
    prepared: Preparation, n_threads: int, progress: ProgressCallback, layout: SumLayout | None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return the arrays and the plan of the codes; None where they would not pay.

    ``layout`` is used where it is given, else chosen by measuring.
    """
    rng = np.random.default_rng(_SEED)
    size = min(prepared.coded.size, _SAMPLE_ROWS)
    chosen = np.sort(rng.choice(prepared.coded, size, replace=False))
    values = prepared.scaled(chosen)
    if layout is None:
        asked = rng.permutation(chosen.size)[:_SURVIVAL_QUERIES]
        limits = _limits(prepared, chosen[asked], n_threads)
        layout = _chosen_layout(prepared, values, values[asked], limits)
    if layout is None:
        return None
    levels = [_sums_of(values, size, prepared.unit) for size in layout.sizes]
    return _write(prepared, levels, layout, n_threads, progress)


def _chosen_layout(
    prepared: Preparation, values: Float64Array, queries: Float64Array, limits: Float64Array
) -> SumLayout | None:
    dim = values.shape[1]
    sums = {size: _sums_of(values, size, prepared.unit) for size in _usable_sizes(dim)}
    shares = {
        size: _share_left(values[:_SURVIVAL_ROWS], queries, limits, some)
        for size, some in sums.items()
    }
    widths = {size: some.offsets.size for size, some in sums.items()}
    return choose_sums(widths, shares, dim * prepared.rows.itemsize, dim)


def _usable_sizes(dim: int) -> list[int]:
    return [size for size in _GROUP_SIZES if -(-dim // size) <= MOST_WIDTH and size * 4 <= dim]


def _grouped(values: Float64Array, size: int) -> Float64Array:
    """Return the sums over each ``size`` neighbouring columns; the last may be shorter."""
    starts = np.arange(0, values.shape[1], size)
    sums: Float64Array = np.add.reduceat(values, starts, axis=1)
    return sums


def _sums_of(values: Float64Array, size: int, unit: float) -> _Sums:
    sums = _grouped(values, size)
    low, high = float(sums.min()), float(sums.max())
    is_integral = bool((np.rint(sums / unit) * unit == sums).all())
    if is_integral and high - low <= 255 * unit and unit >= _LEAST_STEP:
        # Bytes, such as pixels: with a step of 1 their codes lose nothing.
        offsets = np.full(sums.shape[1], low + 128 * unit, dtype=np.float32)
        return _Sums(size, offsets, unit)
    offsets = np.median(sums, axis=0).astype(np.float32)
    spread = np.quantile(np.abs(sums - offsets), _UNCLIPPED)
    return _Sums(size, offsets, max(float(spread) / _CODE_RANGE, _LEAST_STEP))


def _limits(prepared: Preparation, queries: Int64Array, n_threads: int) -> Float64Array:
    with np.errstate(all="ignore"):
        values = prepared.rows[queries].astype(np.float32)
    k = min(_MOST_PLANNED_K + 1, prepared.rows.shape[0])  # a stored row is its own nearest
    try:
        found = nearest_batch(values, prepared.rows, k, metric="manhattan", n_threads=n_threads)
    except RangeError:  # of rows as queries; what will be asked may be nearer
        return np.full(queries.size, np.inf)
    # As for the other metrics (values.py): most for k=10, some for k=100.
    limits: Float64Array = found.distances[:, min(_PLANNED_K + 1, k) - 1].astype(np.float64)
    limits[::_FEW] = found.distances[::_FEW, k - 1]
    return limits * prepared.unit


def _share_left(
    rows: Float64Array, queries: Float64Array, limits: Float64Array, sums: _Sums
) -> float:
    coded, coded_queries = _grouped(rows, sums.size), _grouped(queries, sums.size)
    steps = np.clip(np.rint((coded - sums.offsets) / sums.step), -128, 127)
    lost = np.abs(coded - sums.offsets - steps * sums.step).sum(axis=1)
    narrow = coded.astype(np.float32)
    left = 0
    for query, limit in zip(coded_queries.astype(np.float32), limits, strict=True):
        bounds = np.abs(narrow - query).sum(axis=1) - 2.0 * lost
        left += int(np.count_nonzero(bounds <= limit))
    return left / float(rows.shape[0] * queries.shape[0])


def _order(prepared: Preparation) -> Int64Array:
    size = -(-prepared.rows.shape[1] // _ORDER_POINTS)
    n = prepared.coded.size
    points = np.empty((n, -(-prepared.rows.shape[1] // size)), dtype=np.float32)
    for start in range(0, n, _CHUNK_ROWS):
        some = prepared.coded[start : start + _CHUNK_ROWS]
        points[start : start + some.size] = _grouped(prepared.scaled(some), size)
    return prepared.coded[clustered_order(points, _SEED)]


def _write(
    prepared: Preparation,
    levels: list[_Sums],
    layout: SumLayout,
    n_threads: int,
    progress: ProgressCallback,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    n = prepared.coded.size
    order = _order(prepared)
    n_chunks = -(-n // _compiled.CHUNK_ROWS)
    block_bytes = _compiled.BLOCK_ROWS * (layout.widths[0] + 4)
    sizes = {
        "level0": -(-n // _compiled.BLOCK_ROWS) * block_bytes,
        "centres": -(-n_chunks // _compiled.BLOCK_ROWS) * block_bytes,
    }
    for number, row_bytes in enumerate(layout.row_bytes[1:], start=1):
        sizes[f"level{number}"] = n * row_bytes
    arrays: dict[str, NDArray[Any]] = {
        **allocate(sizes),
        "radii": np.zeros(n_chunks, dtype=np.float32),
        "order": order.astype(np.uint32),
        "uncoded": prepared.uncoded,
        "zeros": prepared.zeros,
    }
    described, targets = [], []
    for number, (sums, width, row_bytes) in enumerate(
        zip(levels, layout.widths, layout.row_bytes, strict=True)
    ):
        arrays[f"offsets{number}"] = sums.offsets
        dims = sums.offsets.size
        codes = arrays[f"level{number}"]
        targets.append((codes, width, dims, row_bytes, sums.size, sums.step, sums.offsets))
        described.append(
            {
                "width": width,
                "first": 0,
                "dims": dims,
                "row_bytes": row_bytes,
                "step": sums.step,
                "tail_epsilon": 1.0,
                "largest": 0.0,
                "group_size": sums.size,
            }
        )
    for start in range(0, n, _CHUNK_ROWS):
        rows = order[start : start + _CHUNK_ROWS]
        with np.errstate(all="ignore"):
            values = np.ascontiguousarray(prepared.rows[rows], dtype=np.float32)
        _compiled.encode_sums(
            values, start, n, prepared.unit, targets, arrays["centres"], arrays["radii"], n_threads
        )
        progress(start + rows.size, n)
    plan = {
        "kind": "sums",
        "n": n,
        "unit": prepared.unit,
        "largest_row": prepared.largest_row,
        "levels": described,
        "expected_cost": layout.cost,
        "expected_shares": list(layout.shares),
        "expected_scanned": 1.0,
    }
    return arrays, plan
