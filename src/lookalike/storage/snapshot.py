"""One state of a gallery, whole however long it is held."""

from __future__ import annotations

import io
import mmap
import threading
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import FormatError
from lookalike.storage.catalogue import REBUILD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lookalike.core.types import Float32Array
    from lookalike.storage.catalogue import Catalogue, CatalogueEntry, Segment

__all__ = ["MappedSegment", "Snapshot"]

_CHUNK_BYTES = 16 << 20


class MappedSegment:
    """A segment's file, open; it can be read to the end even after a writer removed it.

    Parameters
    ----------
    path : Path
    segment : Segment
        What the catalogue says of it.
    dim : int
        Of its embeddings.

    Raises
    ------
    FileNotFoundError
        It is gone.
    FormatError
        It cannot be read.
    """

    def __init__(self, path: Path, segment: Segment, dim: int) -> None:
        self._path, self._segment, self._dim = path, segment, dim
        try:
            with path.open("rb") as file:
                self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:  # ValueError: an empty file
            raise FormatError(f"{path} is damaged: {error}; {REBUILD}") from error
        self._rows: Float32Array | None = None

    @property
    def rows(self) -> Float32Array:
        """The embeddings, read-only; the file is verified at the first use.

        Raises
        ------
        FormatError
            The file is damaged, or is not what the catalogue says.
        """
        if self._rows is None:
            self._rows = self._verified()
        return self._rows

    def _verified(self) -> Float32Array:
        checksum = 0
        with memoryview(self._content) as content:
            for first in range(0, len(content), _CHUNK_BYTES):
                checksum = zlib.crc32(content[first : first + _CHUNK_BYTES], checksum)
        if checksum != self._segment.crc32:
            raise FormatError(f"{self._path} is damaged: its checksum does not match; {REBUILD}")
        try:
            shape, dtype, offset = _read_header(self._content[: 1 << 12])
        except ValueError as error:
            raise FormatError(f"{self._path} is no array of embeddings: {error}") from error
        if dtype != np.float32 or shape != (self._segment.rows, self._dim):
            raise FormatError(
                f"{self._path} holds {dtype} of shape {shape}, and the catalogue says "
                f"float32 of shape {(self._segment.rows, self._dim)}; {REBUILD}"
            )
        values = np.frombuffer(self._content, dtype, self._segment.rows * self._dim, offset)
        return values.reshape(shape)


class Snapshot:
    """A catalogue and its embeddings, as of one moment; no writer disturbs it.

    Parameters
    ----------
    catalogue : Catalogue
    segments : tuple of MappedSegment
        Those of the catalogue, in its order.
    """

    def __init__(self, catalogue: Catalogue, segments: tuple[MappedSegment, ...] = ()) -> None:
        self.catalogue = catalogue
        self._segments = segments
        self._lock = threading.Lock()
        self._embeddings: Float32Array | None = None

    @property
    def embeddings(self) -> Float32Array:
        """The embedding of each entry, read-only, in the order of ``catalogue.entries``.

        Memory-mapped where one segment holds just these rows in this order; gathered into
        memory otherwise.

        Raises
        ------
        FormatError
            A segment is damaged, or is not what the catalogue says.
        """
        with self._lock:
            if self._embeddings is None:
                self._embeddings = self._gathered()
            return self._embeddings

    def verify(self) -> None:
        """Read every segment against its checksum.

        Raises
        ------
        FormatError
            A segment is damaged, or is not what the catalogue says.
        """
        for segment in self._segments:
            _ = segment.rows

    def part(self, is_kept: Callable[[CatalogueEntry], bool]) -> Snapshot:
        """Return the snapshot of some of the entries, over the same files."""
        kept = tuple(entry for entry in self.catalogue.entries if is_kept(entry))
        return Snapshot(replace(self.catalogue, entries=kept), self._segments)

    def _gathered(self) -> Float32Array:
        catalogue = self.catalogue
        wanted = np.fromiter((entry.row for entry in catalogue.entries), dtype=np.int64)
        parts = [segment.rows for segment in self._segments]
        if len(parts) == 1 and np.array_equal(wanted, np.arange(len(parts[0]))):
            return parts[0]
        gathered = np.empty((wanted.size, catalogue.dim), dtype=np.float32)
        first = 0
        for part in parts:
            inside = np.flatnonzero((wanted >= first) & (wanted < first + len(part)))
            gathered[inside] = part[wanted[inside] - first]
            first += len(part)
        gathered.flags.writeable = False
        return gathered


def _read_header(beginning: bytes) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    """Return shape, dtype and the place of the first value of a C-ordered ``.npy`` file."""
    file = io.BytesIO(beginning)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"its header has version {version}")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if is_fortran:
        raise ValueError("its columns are stored one after the other")
    return shape, dtype, file.tell()
