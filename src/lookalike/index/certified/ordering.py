"""An order that puts near rows side by side, so that whole chunks can be excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, Int64Array

__all__ = ["clustered_order"]

_COARSE_ROWS = 4096  # rows a coarse cluster, at first
_MOST_COARSE = 128
_FINE_ROWS = 64  # rows a fine one: a chunk
_ROUNDS = 6
_SAMPLE_A_CENTRE = 32
_ASSIGN_ROWS = 8192


def clustered_order(points: Float32Array, seed: int) -> Int64Array:
    """Return a permutation of the points by k-means in two steps, coarse then fine.

    Parameters
    ----------
    points : float32 array of shape (n, dims)
        Leading components.
    seed : int

    Notes
    -----
    Within a coarse cluster, fine ones follow each other by how near their centres are to
    the coarse centre. Cost: O(n (n / 4096 + 64) dims), and O(256 n dims) from half a
    million points on.
    """
    rng = np.random.default_rng(seed)
    n = points.shape[0]
    if n <= _FINE_ROWS:
        return np.arange(n, dtype=np.int64)
    n_coarse = min(_MOST_COARSE, -(-n // _COARSE_ROWS))
    labels = _clusters(points, n_coarse, rng)[0] if n_coarse > 1 else np.zeros(n, dtype=np.int64)
    by_label = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[by_label], np.arange(n_coarse), side="right")
    parts, start = [], 0
    for end in ends:
        members = by_label[start:end]
        start = end
        if members.size:
            parts.append(members[_fine_order(points[members], rng)])
    return np.concatenate(parts)


def _fine_order(points: Float32Array, rng: np.random.Generator) -> Int64Array:
    n_fine = -(-points.shape[0] // _FINE_ROWS)
    if n_fine == 1:
        return np.arange(points.shape[0], dtype=np.int64)
    labels, centres = _clusters(points, n_fine, rng)
    # Chunks cut across clusters where sizes do not fit: near clusters should be neighbours.
    rank = np.argsort(np.argsort(_chain(centres), kind="stable"), kind="stable")
    return np.argsort(rank[labels], kind="stable")


def _chain(centres: Float32Array) -> Float32Array:
    """Return a number for each centre: its place along their main direction."""
    centred = centres - centres.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    place: Float32Array = centred @ directions[0]
    return place


def _clusters(
    points: Float32Array, count: int, rng: np.random.Generator
) -> tuple[Int64Array, Float32Array]:
    """Return the label of each point and the centres, after some rounds of k-means."""
    n = points.shape[0]
    size = min(n, count * _SAMPLE_A_CENTRE)
    sample = points[np.sort(rng.choice(n, size, replace=False))] if size < n else points
    centres = sample[rng.choice(size, min(count, size), replace=False)].copy()
    for _ in range(_ROUNDS):
        labels = _nearest(sample, centres)
        counts = np.bincount(labels, minlength=centres.shape[0])
        sums = np.zeros_like(centres)
        order = np.argsort(labels, kind="stable")
        filled = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[filled]
        sums[filled] = np.add.reduceat(sample[order], starts, axis=0)
        centres[filled] = sums[filled] / counts[filled, np.newaxis]
    return _nearest(points, centres), centres


def _nearest(points: Float32Array, centres: Float32Array) -> Int64Array:
    halves = np.einsum("ij,ij->i", centres, centres) / 2
    labels = np.empty(points.shape[0], dtype=np.int64)
    for start in range(0, points.shape[0], _ASSIGN_ROWS):
        some = points[start : start + _ASSIGN_ROWS]
        labels[start : start + _ASSIGN_ROWS] = np.argmin(halves - some @ centres.T, axis=1)
    return labels
