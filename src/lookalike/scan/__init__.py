"""Exact distances and neighbours over bare arrays: no index, nothing approximated."""

from lookalike.scan.all_distances import distances, pairwise
from lookalike.scan.neighbors import nearest, nearest_batch
from lookalike.scan.radius import within, within_batch

__all__ = ["distances", "nearest", "nearest_batch", "pairwise", "within", "within_batch"]
