"""Codes of rotated values: euclidean, sqeuclidean, cosine and inner product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lookalike.index.certified.ordering import clustered_order
from lookalike.index.certified.planning import LINE_BYTES, LINE_CODES, Costs, choose_layout
from lookalike.index.certified.rotation import kappa_of, mixed, principal_components
from lookalike.index.certified.survival import (
    CLIP_SIGMAS,
    CODE_RANGE,
    Sample,
    code_error,
    shares_left,
)
from lookalike.kernels import _compiled
from lookalike.scan import nearest_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import Float32Array, Float64Array, Int64Array, MetricName
    from lookalike.index.certified.planning import Layout
    from lookalike.index.certified.preparing import Preparation

__all__ = ["encode_values"]

_SEED = 0
_SAMPLE_ROWS = 8192
_SURVIVAL_ROWS = 2048
_SURVIVAL_QUERIES = 64
_PLANNED_K = 10
_MOST_ROTATED = 1024
_ORDER_DIMS = 32
_CHUNK_ROWS = 4096
_LEAST_EPSILON, _MOST_EPSILON = 1e-3, 0.25


def encode_values(
    prepared: Preparation, n_threads: int, progress: ProgressCallback, layout: Layout | None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return the arrays and the plan of the codes; None where they would not pay.

    ``layout`` is used where it is given, else chosen by measuring.
    """
    rng = np.random.default_rng(_SEED)
    n = prepared.coded.size
    chosen = np.sort(rng.choice(prepared.coded, min(n, _SAMPLE_ROWS), replace=False))
    scaled = prepared.scaled(chosen)
    mean = scaled.mean(axis=0).astype(np.float32)
    centred = scaled - mean
    components, _ = principal_components(centred)
    most = min(components.shape[0], _MOST_ROTATED)
    asked = rng.permutation(chosen.size)[:_SURVIVAL_QUERIES]
    limits = _limits(prepared, chosen[asked], mean, n_threads)
    rotated = _sample(prepared, centred, components[:most], asked, mean, limits)
    plain = _sample(prepared, centred, None, asked, mean, limits)
    if layout is None:
        is_product = prepared.metric.name == "inner_product"
        layout = choose_layout(
            Costs(n, mean.size, mean.size * prepared.rows.itemsize),
            shares_left(rotated, is_product=is_product),
            shares_left(plain, is_product=is_product)[mean.size],
        )
    if layout is None:
        return None
    sample = rotated if layout.is_rotated else plain
    return _Encoder(prepared, mean, components, layout, sample, centred, n_threads).run(progress)


def _limits(
    prepared: Preparation, queries: Int64Array, mean: Float32Array, n_threads: int
) -> Float64Array:
    """Return what the bounds of each query are compared with, for its tenth neighbour."""
    name = prepared.metric.name
    with np.errstate(all="ignore"):
        values = prepared.rows[queries].astype(np.float32)
    k = _PLANNED_K + (name != "inner_product")  # a stored row is its own nearest
    found = nearest_batch(
        values, prepared.rows, k, metric=cast("MetricName", name), n_threads=n_threads
    )
    kth = found.distances[:, min(k, prepared.rows.shape[0]) - 1].astype(np.float64)
    if name == "euclidean":
        return np.square(kth * prepared.unit)
    if name == "sqeuclidean":
        return kth * prepared.unit**2
    if name == "cosine":
        return 2.0 * kth
    norms = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    norms = np.maximum(norms, np.finfo(np.float64).tiny)
    shifts: Float64Array = (values / norms[:, np.newaxis]) @ mean
    limits: Float64Array = kth * prepared.unit / norms + shifts
    return limits


def _sample(
    prepared: Preparation,
    centred: Float64Array,
    components: Float64Array | None,
    asked: Int64Array,
    mean: Float32Array,
    limits: Float64Array,
) -> Sample:
    rows = centred[:_SURVIVAL_ROWS]
    queries = centred[asked]
    if prepared.metric.name == "inner_product":
        queries = queries + mean
        queries = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-300)
    norms2 = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", queries, queries)
    if components is not None:
        rows, queries = rows @ components.T, queries @ components.T
    return Sample(rows, norms2[0], queries, norms2[1], limits)


class _Encoder:
    """Writes the codes of all rows, some at a time."""

    def __init__(
        self,
        prepared: Preparation,
        mean: Float32Array,
        components: Float64Array,
        layout: Layout,
        sample: Sample,
        centred: Float64Array,
        n_threads: int,
    ) -> None:
        self._prepared = prepared
        self._mean = mean
        self._layout = layout
        self._n_threads = n_threads
        widths = (layout.head, *layout.lines)
        self._projection = mixed(components, widths, _SEED) if layout.is_rotated else None
        self._wide = None if self._projection is None else self._projection.astype(np.float64)
        self._kappa = 0.0 if self._projection is None else kappa_of(self._projection)
        self._steps = self._steps_of(centred[:_SURVIVAL_ROWS], widths)
        typical = float(np.sqrt(np.maximum(np.median(sample.limits), 0.0)))
        error = code_error(sample, layout.dims)
        self._epsilon = float(
            np.clip(error / max(typical + error, 1e-300), _LEAST_EPSILON, _MOST_EPSILON)
        )

    def _rotated(self, centred: Float64Array) -> Float64Array:
        return centred if self._wide is None else centred @ self._wide.T

    def _steps_of(self, centred: Float64Array, widths: tuple[int, ...]) -> list[float]:
        values = self._rotated(centred)
        steps, first = [], 0
        for width in widths:
            part = values[:, first : first + width]
            spread = CLIP_SIGMAS * float(np.sqrt(np.square(part).mean()))
            largest = float(np.abs(part).max(initial=0.0))
            steps.append(max(min(spread, largest * 1.05) / CODE_RANGE, 2.0**-60))
            first += width
        return steps

    def _centred(self, rows: Int64Array) -> Float64Array:
        values = self._prepared.scaled(rows)
        values -= self._mean
        return values

    def _order(self) -> Int64Array:
        if self._projection is None:
            return self._prepared.coded  # no head of few dimensions to cluster by
        dims = min(_ORDER_DIMS, self._layout.head)
        n = self._prepared.coded.size
        points = np.empty((n, dims), dtype=np.float32)
        leading = self._projection[:dims].T
        for start in range(0, n, _CHUNK_ROWS):
            rows = self._prepared.coded[start : start + _CHUNK_ROWS]
            points[start : start + rows.size] = self._centred(rows).astype(np.float32) @ leading
        return self._prepared.coded[clustered_order(points, _SEED)]

    def run(self, progress: ProgressCallback) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and plan."""
        layout, n = self._layout, self._prepared.coded.size
        order = self._order()
        targets = self._allocate(n)
        levels = self._levels(targets)
        largest = np.zeros(len(levels))
        largest_norm2 = 0.0
        for start in range(0, n, _CHUNK_ROWS):
            centred = self._centred(order[start : start + _CHUNK_ROWS])
            norms2 = np.einsum("ij,ij->i", centred, centred)
            largest_norm2 = max(largest_norm2, float(norms2.max()))
            found = _compiled.encode_values(
                self._prepared.metric.code,
                np.ascontiguousarray(self._rotated(centred)),
                norms2,
                start,
                n,
                levels,
                targets["centres"],
                targets["radii"],
                targets["lowest_tails"],
                targets["highest_tails"],
                self._epsilon,
                self._kappa,
                self._n_threads,
            )
            largest = np.maximum(largest, found)
            progress(start + centred.shape[0], n)
        arrays: dict[str, NDArray[Any]] = {
            **targets,
            "order": order.astype(np.uint32),
            "uncoded": self._prepared.uncoded,
            "zeros": self._prepared.zeros,
            "mean": self._mean,
        }
        if self._projection is not None:
            arrays["projection"] = self._projection
        plan = {
            "kind": "values",
            "n": n,
            "unit": self._prepared.unit,
            "largest_row": self._prepared.largest_row,
            "epsilon": self._epsilon,
            "kappa": self._kappa,
            "largest_norm": largest_norm2**0.5 * (1.0 + 2.0**-30),
            "mean_norm": float(np.linalg.norm(self._mean.astype(np.float64))) * (1.0 + 2.0**-30),
            "levels": [
                {
                    "width": width,
                    "first": first,
                    "dims": dims,
                    "row_bytes": 0 if number == 0 else LINE_BYTES,
                    "step": step,
                    "largest": float(size) * (1.0 + 2.0**-30),
                    "group_size": 0,
                }
                for number, ((_, width, first, dims, step), size) in enumerate(
                    zip(levels, largest, strict=True)
                )
            ],
            "is_rotated": layout.is_rotated,
            "expected_cost": layout.cost,
            "expected_shares": list(layout.shares),
        }
        return arrays, plan

    def _allocate(self, n: int) -> dict[str, NDArray[Any]]:
        width = self._layout.width
        n_blocks = -(-n // _compiled.BLOCK_ROWS)
        n_chunks = -(-n // _compiled.CHUNK_ROWS)
        centre_blocks = -(-n_chunks // _compiled.BLOCK_ROWS)
        block_bytes = _compiled.BLOCK_ROWS * (width + 8)
        targets: dict[str, NDArray[Any]] = {
            "level0": np.zeros(n_blocks * block_bytes, dtype=np.uint8)
        }
        for number in range(1, len(self._layout.lines) + 1):
            targets[f"level{number}"] = np.zeros(n * LINE_BYTES, dtype=np.uint8)
        targets["centres"] = np.zeros(centre_blocks * block_bytes, dtype=np.uint8)
        for name in ("radii", "lowest_tails", "highest_tails"):
            targets[name] = np.zeros(n_chunks, dtype=np.float32)
        return targets

    def _levels(self, targets: dict[str, NDArray[Any]]) -> list[tuple[Any, int, int, int, float]]:
        levels, first = [], 0
        for number, dims in enumerate((self._layout.head, *self._layout.lines)):
            width = LINE_CODES if number else self._layout.width
            step = self._steps[number]
            levels.append((targets[f"level{number}"], width, first, dims, step))
            first += dims
        return levels
