"""What the tests of the certified engine share: hard embeddings, and codes with any layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pytest

from lookalike.index.certified import CertifiedSearcher, encode
from lookalike.index.certified.planning import Layout, SumLayout
from lookalike.metrics import METRICS

LARGEST = float(np.finfo(np.float32).max)

MakeEmbeddings: TypeAlias = Callable[[int, int, int, str], Any]


def _few_distinct(rng: np.random.Generator, n: int, dim: int, kind: str) -> Any:
    if kind == "one-hot":
        return np.eye(dim)[rng.integers(0, dim, n)]
    if kind == "constant":
        return np.full((n, dim), 0.1) * rng.choice([1.0, 1.0, 1.0, -2.0], (n, 1))
    if kind == "integers":
        return rng.integers(-1, 2, (n, dim)).astype(np.float64)
    few = rng.standard_normal((max(1, n // 20), dim))
    rows = few[rng.integers(0, few.shape[0], n)]
    if kind == "near ties":
        rows = rows.astype(np.float32)
        beside = np.nextafter(rows, np.float32(np.inf))
        return np.where(rng.random((n, dim)) < 0.1, beside, rows)
    return rows


def _scaled(rng: np.random.Generator, rows: Any, kind: str) -> Any:
    n, dim = rows.shape
    if kind == "scales":
        rows = rows * 10.0 ** rng.uniform(-44, 18, (n, 1))
    elif kind == "mixed":
        rows = rows * 10.0 ** rng.uniform(-44, 18, (n, dim))
    elif kind == "denormal":
        rows = rows * 1e-41
    elif kind == "huge":
        rows = rows * 1e37
    elif kind == "far":
        rows = rows * 1e-3 + 10.0 * rng.standard_normal(dim)
    elif kind == "cancelling":
        rows = np.rint(rows * 40) + 2.0**60 * np.resize([1.0, 0.0, -1.0], dim)
    elif kind == "sparse":
        rows = rows * (rng.random((n, dim)) < 0.05)
    elif kind == "zeros":
        rows = rows * (rng.random((n, 1)) < 0.2)
    return rows


def _embeddings(seed: int, n: int, dim: int, kind: str) -> Any:
    """Return rows of a kind that is hard in some way; float32 but for uint8 and float16."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, dim))
    if kind in {"one-hot", "constant", "integers", "duplicates", "near ties"}:
        return _few_distinct(rng, n, dim, kind).astype(np.float32)
    if kind == "clustered":
        rows = 0.1 * rows + rng.standard_normal((9, dim))[rng.integers(0, 9, n)]
    if kind == "uint8":
        return np.clip(rows * 40 + 90, 0, 255).astype(np.uint8)
    if kind == "float16":
        return rows.astype(np.float16)
    return np.clip(_scaled(rng, rows, kind), -LARGEST, LARGEST).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Coded:
    """Rows with codes."""

    rows: Any
    searcher: CertifiedSearcher
    plan: dict[str, Any]
    order: Any

    @property
    def n_levels(self) -> int:
        return len(self.plan["levels"])

    def lower_bounds(self, level: str, query: Any, code_level: int) -> Any:
        """Return the bound of each coded row, in ``order``; none where codes cannot serve."""
        return np.array(self.searcher._segment.lower_bounds(level, query, code_level))


def _layout(rng: np.random.Generator, metric: str, dim: int) -> Layout | SumLayout:
    """Return any layout that a row of this dimension can have."""
    if metric == "manhattan":
        drawn = rng.choice([1, 2, 3, 4, 8, 16, 64], rng.integers(1, 4), replace=False)
        sizes = sorted((int(size) for size in drawn), reverse=True)
        widths = [-(-dim // size) for size in sizes]
        lines = [-(-(width + 4) // 64) * 64 for width in widths[1:]]
        head = -(-widths[0] // 8) * 8
        return SumLayout(tuple(sizes), (head, *widths[1:]), (0, *lines), 0.0, ())
    if rng.random() < 0.2:
        return Layout(False, dim, (), 0.0, ())
    most = min(dim, 300)
    head = int(rng.integers(1, most + 1)) if rng.random() < 0.5 else min(most, 4)
    lines_of_dims: list[int] = []
    for _ in range(int(rng.integers(0, 6))):
        left = most - head - sum(lines_of_dims)
        if left > 0:
            lines_of_dims.append(int(rng.integers(1, min(left, 56) + 1)))
    return Layout(bool(rng.random() < 0.8), head, tuple(lines_of_dims), 0.0, ())


def _coded(
    rows: Any, metric: str, seed: int, keys: Any = None, alive: Any = None, layout: Any = None
) -> Coded | None:
    """Return rows with codes of some layout, or of that given; None where none can be coded."""
    if layout is None:
        layout = _layout(np.random.default_rng(seed), metric, rows.shape[1])
    made = encode(
        rows,
        METRICS[metric],
        alive=alive,
        n_threads=1,
        progress=lambda _done, _all: None,
        layout=layout,
    )
    if made is None:
        return None
    arrays, plan = made
    searcher = CertifiedSearcher(rows, METRICS[metric], keys, arrays, plan, None)
    return Coded(rows, searcher, plan, arrays["order"])


@pytest.fixture(scope="session")
def embeddings() -> MakeEmbeddings:
    return _embeddings


@pytest.fixture(scope="session")
def coded() -> Callable[..., Coded | None]:
    return _coded
