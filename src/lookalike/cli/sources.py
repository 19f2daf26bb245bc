"""What is searched, and what it is searched with: galleries, pictures and .npy files."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.arrays import as_query
from lookalike.core.errors import (
    DtypeError,
    GalleryNotFoundError,
    NonFiniteError,
    ParameterError,
    RangeError,
    ShapeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lookalike.core.types import Int64Array, NumberArray
    from lookalike.images import GalleryView

__all__ = [
    "is_vectors",
    "naming",
    "open_gallery",
    "open_vectors",
    "read_probe",
    "rows_equal_to",
    "vector_of",
]

_MAGIC = b"\x93NUMPY"


def is_vectors(path: Path) -> bool:
    """Return whether ``path`` names a file of vectors."""
    return path.suffix.lower() in {".npy", ".npz"} and not path.is_dir()


def open_vectors(path: Path) -> NumberArray:
    """Return the rows of a .npy file, memory-mapped.

    Raises
    ------
    ParameterError
        It is not a .npy file of numbers, or is damaged.
    ShapeError
        It does not hold rows.
    OSError
        It cannot be read.
    """
    rows = _load(path)
    if rows.ndim != 2:
        raise ShapeError(
            f"{path} holds an array of shape {rows.shape}; save one of shape (n, dim), "
            "one vector a row"
        )
    return rows


def read_probe(path: Path) -> Path | NumberArray:
    """Return the path of a picture, or the one vector of a .npy file.

    Raises
    ------
    ParameterError
        There is no such file, or it is a folder, or no .npy file of numbers.
    DtypeError, NonFiniteError, RangeError, ShapeError
        It does not hold one vector, of shape (dim,) or (1, dim).
    OSError
        It cannot be read.
    """
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; IMAGE must be one picture (IMAGE, then FOLDER)")
    if not path.exists():
        raise ParameterError(f"{path} does not exist; give a picture, or a .npy file")
    if not is_vectors(path):
        return path
    vector = _load(path)
    if vector.ndim == 2 and vector.shape[0] == 1:
        vector = vector[0]
    if vector.ndim != 1:
        raise ShapeError(
            f"{path} holds an array of shape {vector.shape}, and a query is one vector of "
            "shape (dim,) or (1, dim); save a single row"
        )
    with naming(path):
        return as_query(vector, None)


def vector_of(probe: Path | NumberArray) -> NumberArray:
    """Return the embedding of a picture, by the default encoder, or the vector itself.

    Raises
    ------
    PictureError
        It cannot be read.
    """
    if isinstance(probe, np.ndarray):
        return probe
    from lookalike.images import embed_picture  # noqa: PLC0415 - Pillow, only for pictures

    return embed_picture(probe)


def rows_equal_to(vector: NumberArray, rows: NumberArray) -> Int64Array:
    """Return the numbers of the rows that are ``vector``; none where they cannot be."""
    if rows.shape[1:] != vector.shape:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero((rows == vector).all(axis=1))


def open_gallery(folder: Path) -> GalleryView:
    """Return the gallery of a folder, or the part of a gallery that lies in it.

    Raises
    ------
    GalleryNotFoundError
        There is no such folder, or neither it nor a folder above it was indexed.
    FormatError
        The gallery is damaged.
    """
    from lookalike.images import Gallery  # noqa: PLC0415 - Pillow, only where pictures are

    gallery = Gallery.open(folder)
    if gallery.is_indexed:
        return gallery
    inside = folder.resolve()
    for above in inside.parents:
        if Gallery.has_index(above):
            return Gallery.open(above).below(inside.relative_to(above).as_posix())
    command = shlex.join(["lookalike", "index", str(folder)])
    raise GalleryNotFoundError(f"{folder} is not indexed yet: run {command}")


@contextmanager
def naming(query: Path, group: Path | None = None) -> Iterator[None]:
    """Add to errors about arrays which files those came from."""
    try:
        yield
    except (DtypeError, NonFiniteError, RangeError, ShapeError) as error:
        error.add_note(f"(query {query}, group {group})" if group else f"(query {query})")
        raise


def _load(path: Path) -> NumberArray:
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start != _MAGIC:
        raise ParameterError(f"{path} is not a .npy file; save one array with numpy.save")
    try:
        array: NumberArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ParameterError(
            f"{path} is damaged, or does not hold numbers ({error}); save it again"
        ) from error
    return array
