"""The folder ``.lookalike/`` of a gallery: one catalogue and the segments that it names.

A change is published by replacing the catalogue, atomically. Segments are written before
the catalogue names them and never changed after, so a reader that holds a catalogue keeps a
whole gallery once its files are open, and a process that dies leaves at most a segment that
nobody names, which the next writer removes.
"""

from __future__ import annotations

import fcntl
import os
import uuid
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from lookalike.core.errors import FormatError, GalleryBusyError
from lookalike.storage.atomic import open_atomically, write_atomically
from lookalike.storage.catalogue import REBUILD, Catalogue, Segment
from lookalike.storage.snapshot import MappedSegment, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lookalike.core.types import Float32Array

__all__ = ["GalleryStore"]

_CATALOGUE = "gallery.json"


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

    def read_snapshot(self) -> Snapshot:
        """Return the catalogue with its files open; an empty one where there is none yet.

        Raises
        ------
        FormatError
            The catalogue is damaged, foreign or too new, or a segment is missing.
        """
        catalogue = self.read_catalogue()
        while True:
            try:
                return self.snapshot_of(catalogue)
            except FormatError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                # A writer may have published, and removed what this catalogue names.
                newer = self.read_catalogue()
                if newer.segments == catalogue.segments:
                    raise
                catalogue = newer

    def read_embeddings(self, catalogue: Catalogue) -> Float32Array:
        """Return the embedding of each entry, in the order of ``catalogue.entries``.

        Raises
        ------
        FormatError
            A segment is missing or damaged, or is not what the catalogue says.
        """
        return self.snapshot_of(catalogue).embeddings

    def read_verified_catalogue(self) -> Catalogue:
        """Return the catalogue once every segment that it names is found whole.

        Raises
        ------
        FormatError
            The catalogue or a segment is damaged or missing.
        """
        snapshot = self.read_snapshot()
        snapshot.verify()
        return snapshot.catalogue

    def snapshot_of(self, catalogue: Catalogue) -> Snapshot:
        """Return the snapshot of a catalogue that was read, or is about to be published.

        Raises
        ------
        FormatError
            A segment is missing or cannot be read.
        """
        try:
            segments = tuple(
                MappedSegment(self.folder / segment.file, segment, catalogue.dim)
                for segment in catalogue.segments
            )
        except FileNotFoundError as error:
            raise FormatError(f"{error.filename} is missing; {REBUILD}") from error
        return Snapshot(catalogue, segments)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gallery for writing.

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
            summing = _Summing(file)
            np.lib.format.write_array(
                summing, np.ascontiguousarray(embeddings, dtype=np.float32), version=(1, 0)
            )
        return Segment(name, len(embeddings), summing.crc32)

    def publish(self, catalogue: Catalogue) -> None:
        """Make ``catalogue`` the state of the gallery, and remove segments it lacks.

        Call it inside :meth:`writing`.

        Raises
        ------
        OSError
            The disk is full, or the folder cannot be written.
        """
        write_atomically(self.catalogue_path, catalogue.to_json())
        self.remove_leftovers(catalogue)

    def remove_leftovers(self, catalogue: Catalogue) -> None:
        """Remove what no catalogue names: an interrupted writer's, or the state before.

        Call it inside :meth:`writing`, with the catalogue that is published.
        """
        kept = {segment.file for segment in catalogue.segments}
        leftovers = [*self.folder.glob("embeddings-*.npy"), *self.folder.glob(".*.tmp")]
        for path in leftovers:
            if path.name not in kept:
                with suppress(FileNotFoundError):
                    path.unlink()


class _Summing:
    """Passes writes on to a file, and sums them up: reading back would trust the disk."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.crc32 = 0

    def write(self, content: bytes) -> int:
        self.crc32 = zlib.crc32(content, self.crc32)
        return self._file.write(content)
