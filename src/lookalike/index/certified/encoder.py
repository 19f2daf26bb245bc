"""Writing the codes of rotated values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.index.certified.memory import allocate
from lookalike.index.certified.planning import LINE_BYTES, LINE_CODES
from lookalike.index.certified.rotation import fixed_point, mixed
from lookalike.index.certified.survival import CLIP_SIGMAS, CODE_RANGE, code_error
from lookalike.kernels import _compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import Float32Array, Float64Array, Int64Array
    from lookalike.index.certified.planning import Layout
    from lookalike.index.certified.preparing import Preparation
    from lookalike.index.certified.rotation import Projection
    from lookalike.index.certified.survival import Sample

__all__ = ["ValueEncoder"]

_SEED = 0
_CHUNK_ROWS = 4096
_LEAST_EPSILON, _MOST_EPSILON = 1e-3, 0.25
_UNCLIPPED = 0.9999
#: What rounding a query to 16 bits takes from it, about.
_QUERY_LOSS = 2e-4


class ValueEncoder:
    """Writes the codes of all rows, some at a time.

    Parameters
    ----------
    prepared : Preparation
    mean : float32 array of shape (dim,)
    components : float64 array of shape (at least layout.dims, dim)
        Principal components, strongest first.
    layout : Layout
    sample : Sample
        In the coordinates of the layout, before the mixing within levels.
    n_threads : int
    """

    def __init__(
        self,
        prepared: Preparation,
        mean: Float32Array,
        components: Float64Array,
        layout: Layout,
        sample: Sample,
        n_threads: int,
    ) -> None:
        self._prepared = prepared
        self._mean = mean
        self._layout = layout
        self._n_threads = n_threads
        self._widths = (layout.head, *layout.lines)
        self._projection: Projection | None = None
        self._wide: Float64Array | None = None
        self._kappa = 0.0
        if layout.is_rotated:
            self._projection = fixed_point(mixed(components, self._widths, _SEED))
            self._wide = self._projection.wide(mean.size)
            self._kappa = self._projection.kappa
        self._steps = self._steps_of(sample)
        self._tail_epsilons = self._tail_epsilons_of(sample)
        typical = float(np.sqrt(np.maximum(np.median(sample.limits), 0.0)))
        error = code_error(sample, layout.dims)
        self._epsilon = float(
            np.clip(error / max(typical + error, 1e-300), _LEAST_EPSILON, _MOST_EPSILON)
        )

    def _steps_of(self, sample: Sample) -> list[float]:
        """Return the step of each level: all of its dimensions have about one variance."""
        steps, first = [], 0
        for width in self._widths:
            part = sample.rows[:, first : first + width]
            spread = CLIP_SIGMAS * float(np.sqrt(np.square(part).mean()))
            if not self._layout.is_rotated:  # not mixed: one dimension may be larger than others
                spread = max(spread, float(np.quantile(np.abs(part), _UNCLIPPED)))
            steps.append(max(spread / CODE_RANGE, 2.0**-60))
            first += width
        return steps

    def _tail_epsilons_of(self, sample: Sample) -> list[float]:
        """Return the epsilon of each level's tail: its error beside a usual difference.

        Where the difference is not the larger one, tails are left out of the bound.
        """
        epsilons, first = [], 0
        norms2, rest2 = sample.row_norms2, sample.row_norms2.copy()
        for width in self._widths:
            rest2 -= np.square(sample.rows[:, first : first + width]).sum(axis=1)
            first += width
            tails = np.sqrt(np.maximum(rest2, 0.0))
            lost2 = 2.0 * self._kappa * norms2
            # The lesser of the root of lost2 and lost2 / tails, and no overflow.
            lost = lost2 / np.maximum(np.maximum(tails, np.sqrt(lost2)), 1e-300)
            error = 2.0 * float(np.median(lost)) + _QUERY_LOSS * float(np.sqrt(norms2.mean()))
            usual = float(np.std(tails)) * 2.0**0.5
            ratio = error / max(usual, 1e-300)
            # Not below 4 kappa: what is paid for a tail stays of the size of the norms.
            least = max(_LEAST_EPSILON, 4.0 * self._kappa)
            if ratio <= _MOST_EPSILON:
                epsilons.append(max(ratio, least))
            else:  # the head keeps half: a query unlike all rows differs by its tail alone
                epsilons.append(1.0 if epsilons else 0.5)
        return epsilons

    def run(
        self, order: Int64Array, progress: ProgressCallback
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and plan, for rows in this order."""
        layout, n = self._layout, order.size
        targets = self._allocate(n)
        levels = self._levels(targets)
        largest = np.zeros(len(levels))
        largest_norm2 = 0.0
        for start in range(0, n, _CHUNK_ROWS):
            centred = self._prepared.scaled(order[start : start + _CHUNK_ROWS])
            centred -= self._mean
            norms2 = np.einsum("ij,ij->i", centred, centred)
            largest_norm2 = max(largest_norm2, float(norms2.max()))
            found = _compiled.encode_values(
                self._prepared.metric.code,
                centred if self._wide is None else centred @ self._wide.T,
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
            arrays["projection"] = self._projection.values
        plan = {
            "kind": "values",
            "n": n,
            "unit": self._prepared.unit,
            "largest_row": self._prepared.largest_row,
            "epsilon": self._epsilon,
            "kappa": self._kappa,
            "projection_scale": 0.0 if self._projection is None else self._projection.scale,
            "largest_norm": largest_norm2**0.5 * (1.0 + 2.0**-30),
            "mean_norm": float(np.linalg.norm(self._mean.astype(np.float64))) * (1.0 + 2.0**-30),
            "levels": [
                {
                    "width": width,
                    "first": first,
                    "dims": dims,
                    "row_bytes": 0 if number == 0 else LINE_BYTES,
                    "step": step,
                    "tail_epsilon": tail_epsilon,
                    "largest": float(size) * (1.0 + 2.0**-30),
                    "group_size": 0,
                }
                for number, ((_, width, first, dims, step, tail_epsilon), size) in enumerate(
                    zip(levels, largest, strict=True)
                )
            ],
            "is_rotated": layout.is_rotated,
            "expected_cost": layout.cost,
            "expected_shares": list(layout.shares),
            "expected_scanned": layout.scanned,
        }
        return arrays, plan

    def _allocate(self, n: int) -> dict[str, NDArray[Any]]:
        width = self._layout.width
        n_blocks = -(-n // _compiled.BLOCK_ROWS)
        n_chunks = -(-n // _compiled.CHUNK_ROWS)
        centre_blocks = -(-n_chunks // _compiled.BLOCK_ROWS)
        block_bytes = _compiled.BLOCK_ROWS * (width + 8)
        sizes = {"level0": n_blocks * block_bytes, "centres": centre_blocks * block_bytes}
        for number in range(1, len(self._layout.lines) + 1):
            sizes[f"level{number}"] = n * LINE_BYTES
        targets: dict[str, NDArray[Any]] = {**allocate(sizes)}
        for name in ("radii", "lowest_tails", "highest_tails"):
            targets[name] = np.zeros(n_chunks, dtype=np.float32)
        return targets

    def _levels(
        self, targets: dict[str, NDArray[Any]]
    ) -> list[tuple[Any, int, int, int, float, float]]:
        levels, first = [], 0
        for number, dims in enumerate((self._layout.head, *self._layout.lines)):
            width = LINE_CODES if number else self._layout.width
            step, tail_epsilon = self._steps[number], self._tail_epsilons[number]
            levels.append((targets[f"level{number}"], width, first, dims, step, tail_epsilon))
            first += dims
        return levels
