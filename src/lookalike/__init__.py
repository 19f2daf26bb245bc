"""Exact distances from an embedding to a group of others, and the nearest of them."""

from lookalike import kernels, metrics
from lookalike.core.errors import (
    DegenerateGroupError,
    DtypeError,
    EmptyGroupError,
    FormatError,
    KernelLevelError,
    LookalikeError,
    MetricError,
    MissingExtraError,
    NonFiniteError,
    ParameterError,
    RangeError,
    ShapeError,
)
from lookalike.core.results import Neighbors, SearchStats
from lookalike.groups import group_distance, rank_groups
from lookalike.scan import distances, nearest, nearest_batch, pairwise, within, within_batch

__all__ = [
    "DegenerateGroupError",
    "DtypeError",
    "EmptyGroupError",
    "FormatError",
    "KernelLevelError",
    "LookalikeError",
    "MetricError",
    "MissingExtraError",
    "Neighbors",
    "NonFiniteError",
    "ParameterError",
    "RangeError",
    "SearchStats",
    "ShapeError",
    "distances",
    "group_distance",
    "kernels",
    "metrics",
    "nearest",
    "nearest_batch",
    "pairwise",
    "rank_groups",
    "within",
    "within_batch",
]

__version__ = "0.1.0"
