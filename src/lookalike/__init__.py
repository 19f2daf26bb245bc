"""Exact distances from an embedding to a group of others, and the nearest of them."""

from importlib import import_module
from typing import TYPE_CHECKING

from lookalike import kernels, metrics
from lookalike.core.errors import (
    DegenerateGroupError,
    DtypeError,
    DuplicateIdError,
    EmptyGroupError,
    EncoderError,
    EncoderMismatchError,
    FormatError,
    GalleryBusyError,
    GalleryNotFoundError,
    IdTypeError,
    KernelLevelError,
    LookalikeError,
    MetricError,
    MissingExtraError,
    NonFiniteError,
    ParameterError,
    PictureError,
    RangeError,
    ShapeError,
    UnknownIdError,
)
from lookalike.core.results import Neighbors, SearchStats
from lookalike.groups import group_distance, rank_groups
from lookalike.index import Index, open_index, verify_index
from lookalike.scan import distances, nearest, nearest_batch, pairwise, within, within_batch

if TYPE_CHECKING:
    from lookalike.images import Gallery

__all__ = [
    "DegenerateGroupError",
    "DtypeError",
    "DuplicateIdError",
    "EmptyGroupError",
    "EncoderError",
    "EncoderMismatchError",
    "FormatError",
    "Gallery",
    "GalleryBusyError",
    "GalleryNotFoundError",
    "IdTypeError",
    "Index",
    "KernelLevelError",
    "LookalikeError",
    "MetricError",
    "MissingExtraError",
    "Neighbors",
    "NonFiniteError",
    "ParameterError",
    "PictureError",
    "RangeError",
    "SearchStats",
    "ShapeError",
    "UnknownIdError",
    "distances",
    "group_distance",
    "kernels",
    "metrics",
    "nearest",
    "nearest_batch",
    "pairwise",
    "rank_groups",
    "verify",
    "within",
    "within_batch",
]

__version__ = "0.1.0"

verify = verify_index
open = open_index  # noqa: A001 - as la.open; not in __all__, where * would hide the builtin

# What needs optional packages is imported when it is first asked for.
_LAZY = {"Gallery": "lookalike.images"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
