"""What is searched: the measuring data, hostile data, and rows made from real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from lookalike.core.types import Float32Array, MetricName

FILES: dict[str, tuple[str, MetricName, tuple[int, int]]] = {
    # its file, its metric, and the shape of the random rows that stand in for it
    "Fashion-MNIST": ("fashion_mnist_784.npz", "euclidean", (60000, 784)),
    "CNN": ("cnn_lite0_1280.npz", "cosine", (30000, 1280)),
    "SIFT": ("sift_photos_128.npz", "euclidean", (300000, 128)),
}
NOISE = 0.1  # of the standard deviation of each dimension


@dataclass(frozen=True)
class Set:
    """Rows to search, queries that are none of them, and the metric they are compared by."""

    name: str
    rows: Float32Array
    queries: Float32Array
    metric: MetricName

    @property
    def label(self) -> str:
        """What it is called in a report."""
        count, dim = self.rows.shape
        rows = f"{count // 1000}k" if count >= 1000 else f"{count}"
        return f"{self.name} {rows} x {dim} {self.metric}"

    @property
    def dim(self) -> int:
        """The length of a row."""
        return int(self.rows.shape[1])

    def of_metric(self, metric: MetricName) -> Set:
        """Return the same rows, compared by another metric."""
        return Set(self.name, self.rows, self.queries, metric)

    def normalised(self) -> Set:
        """Return rows and queries of unit norm, for those who know no cosine."""
        return Set(self.name, unit(self.rows), unit(self.queries), self.metric)


def load(name: str, folder: Path, most_queries: int | None = 1000) -> Set:
    """Return one of the measuring sets, or random rows of its shape where it is absent."""
    file_name, metric, (count, dim) = FILES[name]
    path = folder / file_name
    if not path.exists():
        values = np.random.default_rng(0).random((count + 1000, dim), dtype=np.float32)
        return Set(f"random (no {file_name})", values[1000:], values[:1000], metric)
    with np.load(path) as file:
        rows, queries = file["base"], file["queries"][:most_queries]
    return Set(name, rows.astype(np.float32), queries.astype(np.float32), metric)


def hostile(kind: str, metric: MetricName, count: int = 100_000, dim: int = 512) -> Set:
    """Return rows without structure: ``"Gaussian"``, or ``"sphere"``: uniform on it."""
    values = np.random.default_rng(1).standard_normal((count + 100, dim), dtype=np.float32)
    if kind == "sphere":
        values = unit(values)
    return Set(kind, values[100:], values[:100], metric)


def to_dimensions(source: Set, dim: int, how: str) -> Set:
    """Return a set in fewer dimensions: its first principal components, or a random projection.

    The components keep the decay of a real spectrum; a random orthonormal projection flattens it.
    """
    if how == "components":
        some = source.rows[:: max(1, len(source.rows) // 10_000)].astype(np.float64)
        _, vectors = np.linalg.eigh(np.cov(some, rowvar=False))
        basis = vectors[:, ::-1][:, :dim]
    else:
        values = np.random.default_rng(2).standard_normal((source.dim, dim))
        basis = np.linalg.qr(values)[0]
    basis = basis.astype(np.float32)
    return Set(f"{source.name} {how}", source.rows @ basis, source.queries @ basis, source.metric)


def mixed(source: Set, count: int, seed: int = 3) -> Set:
    """Return ``count`` rows made from real ones, and 200 queries made alike from real queries.

    Each is ``w * a + (1 - w) * b`` of two rows drawn at random, ``w`` uniform in [0.5, 1], plus
    Gaussian noise of a tenth of each dimension's standard deviation: between the clusters of the
    real rows as well as in them, with no exact duplicates.
    """
    rng = np.random.default_rng(seed)
    noise = (NOISE * source.rows.std(axis=0)).astype(np.float32)
    rows = _mixtures(source.rows, count, noise, rng)
    queries = _mixtures(source.queries, 200, noise, rng)
    return Set(f"mixed {source.name}", rows, queries, source.metric)


def _mixtures(
    values: Float32Array, count: int, noise: Float32Array, rng: np.random.Generator
) -> Float32Array:
    made = np.empty((count, values.shape[1]), dtype=np.float32)
    for start in range(0, count, 50_000):
        part = made[start : start + 50_000]
        first, second = rng.integers(len(values), size=(2, len(part)))
        share = rng.uniform(0.5, 1.0, (len(part), 1)).astype(np.float32)
        rng.standard_normal(dtype=np.float32, out=part)
        part *= noise
        part += share * values[first] + (1 - share) * values[second]
    return made


def unit(values: Float32Array) -> Float32Array:
    """Return rows of norm one; zeros stay zeros."""
    norms = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1.0), dtype=np.float32)
