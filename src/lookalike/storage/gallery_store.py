"""The folder ``.lookalike/`` of a gallery: one catalogue and the segments that it names.

A change is published by replacing the catalogue, atomically. Segments are written before
the catalogue names them and never changed after, so a reader that holds a catalogue keeps a
whole gallery, and a process that dies leaves at most a segment that nobody names, which
the next writer removes.
"""

from __future__ import annotations

import fcntl
import os
import uuid
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import FormatError, GalleryBusyError
from lookalike.storage.atomic import open_atomically, write_atomically
from lookalike.storage.catalogue import Catalogue, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lookalike.core.types import Float32Array

__all__ = ["GalleryStore"]

_CATALOGUE = "gallery.json"
_CHUNK_BYTES = 16 << 20
_ADVICE = "rebuild the gallery (lookalike index --rebuild)"


class GalleryStore:
    """Reads and writes the files of one gallery.

    Parameters
    ----------
    folder : Path
        The folder of pictures; the files live in ``.lookalike/`` inside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".lookalike"
        self.catalogue_path = self.folder / _CATALOGUE

    def exists(self) -> bool:
        """Return whether a catalogue has ever been written."""
        return self.catalogue_path.is_file()

    def read_catalogue(self) -> Catalogue:
        """Return the catalogue; an empty one where there is none yet.

        Raises
        ------
        FormatError
            It is damaged, foreign or too new.
        """
        try:
            content = self.catalogue_path.read_bytes()
        except FileNotFoundError:
            return Catalogue()
        return Catalogue.from_json(content, str(self.catalogue_path))

    def read_embeddings(self, catalogue: Catalogue) -> Float32Array:
        """Return the embedding of each entry, in the order of ``catalogue.entries``.

        Memory-mapped where one segment holds just these rows in this order; gathered into
        memory otherwise.

        Raises
        ------
        FormatError
            A segment is missing, has another shape, or its checksum does not match.
        """
        wanted = np.fromiter((entry.row for entry in catalogue.entries), dtype=np.int64)
        parts = [self._map_segment(segment, catalogue.dim) for segment in catalogue.segments]
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

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gallery for writing; remove what an interrupted writer left.

        Raises
        ------
        GalleryBusyError
            Another process is writing.
        """
        self.folder.mkdir(exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise GalleryBusyError(
                    f"{self.folder.parent} is being indexed by another process; "
                    "wait for it, or stop it"
                ) from None
            yield
        finally:
            os.close(handle)  # which also gives the lock back

    def write_segment(self, embeddings: Float32Array) -> Segment:
        """Write embeddings to a new segment; it counts once a catalogue names it.

        Raises
        ------
        OSError
            The disk is full, or the folder cannot be written.
        """
        name = f"embeddings-{uuid.uuid4().hex}.npy"
        with open_atomically(self.folder / name) as file:
            np.save(file, embeddings, allow_pickle=False)
        return Segment(name, len(embeddings), _file_crc32(self.folder / name))

    def publish(self, catalogue: Catalogue) -> None:
        """Make ``catalogue`` the state of the gallery, and remove segments it lacks.

        Call it inside :meth:`writing`.

        Raises
        ------
        OSError
            The disk is full, or the folder cannot be written.
        """
        write_atomically(self.catalogue_path, catalogue.to_json())
        kept = {segment.file for segment in catalogue.segments}
        leftovers = [*self.folder.glob("embeddings-*.npy"), *self.folder.glob(".*.tmp")]
        for path in leftovers:
            if path.name not in kept:
                with suppress(FileNotFoundError):
                    path.unlink()

    def _map_segment(self, segment: Segment, dim: int) -> Float32Array:
        path = self.folder / segment.file
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise FormatError(
                f"{path} is missing or damaged ({error}); rebuild the gallery"
            ) from error
        if rows.dtype != np.float32 or rows.shape != (segment.rows, dim):
            raise FormatError(
                f"{path} holds {rows.dtype} of shape {rows.shape}, and the catalogue says "
                f"float32 of shape {(segment.rows, dim)}; {_ADVICE}"
            )
        if _file_crc32(path) != segment.crc32:
            raise FormatError(
                f"{path} is damaged: its checksum does not match; rebuild the gallery"
            )
        # A plain array over the same memory: np.memmap slows every later view down.
        return np.asarray(rows)


def _file_crc32(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
