"""What is searched, and what it is searched with: galleries, pictures and .npy files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import FormatError, GalleryNotFoundError, ParameterError, ShapeError

if TYPE_CHECKING:
    from pathlib import Path

    from lookalike.core.types import NumberArray
    from lookalike.images import Gallery

__all__ = ["is_vectors", "open_gallery", "open_vectors", "read_probe"]


def is_vectors(path: Path) -> bool:
    """Return whether ``path`` names a file of vectors."""
    return path.suffix.lower() == ".npy"


def open_vectors(path: Path) -> NumberArray:
    """Return the rows of a .npy file, memory-mapped.

    Raises
    ------
    FormatError
        It is not a .npy file of numbers, or is damaged.
    ShapeError
        It does not hold rows.
    OSError
        It cannot be read.
    """
    rows = _load(path)
    if rows.ndim != 2:
        raise ShapeError(f"{path} holds an array of shape {rows.shape}; (n, dim) is needed")
    return rows


def read_probe(path: Path) -> Path | NumberArray:
    """Return the path of a picture, or the one vector of a .npy file.

    Raises
    ------
    FormatError, ShapeError, OSError
        As :func:`open_vectors`; a query is one vector, of shape (dim,) or (1, dim).
    """
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
    return np.array(vector)


def open_gallery(folder: Path) -> Gallery:
    """Return the gallery of a folder, or the part of a gallery that lies in it.

    Raises
    ------
    GalleryNotFoundError
        There is no such folder, or neither it nor a folder above it was indexed.
    """
    from lookalike.images import Gallery  # noqa: PLC0415 - Pillow, only where pictures are

    gallery = Gallery.open(folder)
    if gallery.is_indexed:
        return gallery
    inside = folder.resolve()
    for above in inside.parents:
        if Gallery.has_index(above):
            return Gallery.open(above).below(inside.relative_to(above).as_posix())
    raise GalleryNotFoundError(f"{folder} is not indexed yet: run lookalike index {folder}")


def _load(path: Path) -> NumberArray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path} is not a usable .npy file of numbers: {error}") from error
    if not isinstance(array, np.ndarray):
        raise ParameterError(f"{path} is an archive of several arrays; save one as .npy")
    return array
