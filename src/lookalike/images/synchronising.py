"""Bringing a gallery up to date with its folder."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import EncoderError, EncoderMismatchError
from lookalike.images.encoding import encode_files
from lookalike.images.finding import find_pictures
from lookalike.images.results import SyncSummary
from lookalike.storage import Catalogue, CatalogueEntry, GalleryStore

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import Float32Array
    from lookalike.images.encoders import Encoder
    from lookalike.images.encoding import EncodedBatch
    from lookalike.storage import Segment

__all__ = ["synchronise"]

# What a killed process loses at most.
_CHECKPOINT_SECONDS = 10.0
# A file changed twice within one tick of the file system's clock keeps its time: times
# this fresh when the file is read prove nothing.
_FRESH_NS = 2_000_000_000
# Rewriting fewer embeddings than this costs less than keeping account of them.
_REWRITE_BYTES = 64 << 20
_MOST_SEGMENTS = 8


def synchronise(
    store: GalleryStore,
    folder: Path,
    encoder: Encoder,
    *,
    is_rebuild: bool,
    progress: ProgressCallback,
    n_threads: int,
    max_pixels: int,
) -> SyncSummary:
    """Encode what is new or changed, forget what is gone, publish the catalogue.

    An exception, an interrupt included, leaves the pictures done so far published.

    Raises
    ------
    EncoderMismatchError
        The gallery was made with another encoder, and this is no rebuild.
    FormatError
        The gallery is damaged, and this is no rebuild.
    """
    started = time.perf_counter()
    with store.writing():
        before = Catalogue() if is_rebuild else store.read_verified_catalogue()
        if before.encoder not in {None, encoder.identity}:
            raise EncoderMismatchError(
                f"{folder} was indexed with {before.encoder}, not with {encoder.identity}: "
                "rebuild it (sync(rebuild=True), or lookalike index --rebuild), or use that encoder"
            )
        pass_ = _Pass(store, folder, before, encoder)
        try:
            pass_.encode(progress, n_threads, max_pixels)
        except BaseException:
            if pass_.has_news:
                pass_.checkpoint()
            raise
        return pass_.finish(started)


class _Pass:
    """One walk over the folder: what is known so far, and what is to be done."""

    def __init__(
        self, store: GalleryStore, folder: Path, before: Catalogue, encoder: Encoder
    ) -> None:
        self._store, self._folder, self._encoder = store, folder, encoder
        self._before = before
        self._old = {entry.path: entry for entry in before.entries}
        self._rows = {entry.content: entry.row for entry in before.entries}
        self._dim = before.dim
        self._segments: list[Segment] = list(before.segments)
        self._unwritten: list[Float32Array] = []
        self._n_rows = before.rows
        self._entries: dict[str, CatalogueEntry] = {}
        self._unreadable: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()
        self._todo: list[tuple[str, os.stat_result]] = []
        self._began_ns = time.time_ns()  # no file is read earlier
        self._saved_at = time.monotonic()
        for path in find_pictures(folder):
            self._look_at(path)

    def _look_at(self, path: str) -> None:
        try:
            status = (self._folder / path).stat()
        except OSError as error:  # gone since the folder was listed, or a dangling link
            self._unreadable.append((path, error.strerror or str(error)))
            return
        entry = self._old.get(path)
        if entry and (entry.size_bytes, entry.mtime_ns) == (status.st_size, status.st_mtime_ns):
            self._entries[path] = entry
            self._counts["unchanged"] += 1
        else:
            self._todo.append((path, status))

    @property
    def has_news(self) -> bool:
        """Whether anything was read that the published catalogue does not know."""
        return bool(self._entries.keys() - self._old.keys() or self._n_rows > self._before.rows)

    def encode(self, progress: ProgressCallback, n_threads: int, max_pixels: int) -> None:
        """Read every file that may have changed; encode what was never seen."""
        paths = [self._folder / path for path, _ in self._todo]
        batches = encode_files(
            paths, self._encoder, frozenset(self._rows), n_threads=n_threads, max_pixels=max_pixels
        )
        done = 0
        if paths:
            progress(0, len(paths))
        try:
            for batch in batches:
                self._take(batch)
                done += len(batch)
                progress(done, len(paths))
                if time.monotonic() - self._saved_at > _CHECKPOINT_SECONDS:
                    self.checkpoint()
        finally:
            batches.close()

    def checkpoint(self) -> None:
        """Publish what is done; pictures that are not may still stand as they were."""
        self._write_rows()
        entries = {**self._old, **self._entries}
        self._publish(entries)
        self._saved_at = time.monotonic()

    def finish(self, started: float) -> SyncSummary:
        """Publish the final state and tell what changed."""
        self._write_rows()
        self._tidy()
        gone = self._old.keys() - self._entries.keys()
        contents = {entry.content for entry in self._entries.values()}
        removed = sum(self._old[path].content not in contents for path in gone)
        self._unreadable.sort()
        if self._has_changed():
            self._publish(self._entries)
        else:
            self._store.remove_leftovers(self._before)
        return SyncSummary(
            added=self._counts["added"],
            updated=self._counts["updated"],
            moved=self._counts["moved"],
            removed=removed,
            unchanged=self._counts["unchanged"],
            unreadable=tuple(self._unreadable),
            seconds=time.perf_counter() - started,
        )

    def _take(self, batch: EncodedBatch) -> None:
        if batch.encoded:
            self._check_dim(batch.embeddings)
            self._unwritten.append(batch.embeddings)
        for position, content in batch.encoded:
            # Of two files with one content both may have been encoded; the first counts.
            self._enter(position, self._rows.setdefault(content, self._n_rows), content)
            self._n_rows += 1
        for position, content in batch.known:
            self._enter(position, self._rows[content], content)
        for position, reason in batch.failures:
            self._unreadable.append((self._todo[position][0], reason))

    def _check_dim(self, embeddings: Float32Array) -> None:
        self._dim = self._dim or embeddings.shape[1]
        if embeddings.shape[1] != self._dim:
            raise EncoderError(
                f"{self._encoder.identity} answered with dim {embeddings.shape[1]} "
                f"after dim {self._dim}"
            )

    def _enter(self, position: int, row: int, content: str) -> None:
        path, status = self._todo[position]
        entry = self._old.get(path)
        if entry and entry.content == content:
            self._counts["unchanged"] += 1
        elif row < self._before.rows:
            self._counts["moved"] += 1
        else:
            self._counts["updated" if entry else "added"] += 1
        is_fresh = self._began_ns - status.st_mtime_ns < _FRESH_NS
        modified = -1 if is_fresh else status.st_mtime_ns
        self._entries[path] = CatalogueEntry(path, content, row, status.st_size, modified)

    def _write_rows(self) -> None:
        if self._unwritten:
            segment = self._store.write_segment(np.concatenate(self._unwritten))
            # In one statement: an interrupt between the two would count the rows twice.
            self._segments, self._unwritten = [*self._segments, segment], []

    def _tidy(self) -> None:
        """Rewrite the embeddings in the order of the paths where that is cheap, or due."""
        entries = self._sorted(self._entries)
        used = {entry.row for entry in entries}
        is_in_order = [entry.row for entry in entries] == list(range(self._n_rows))
        if is_in_order and len(self._segments) <= 1:
            return
        is_small = self._n_rows * self._dim * 4 <= _REWRITE_BYTES
        is_due = len(self._segments) > _MOST_SEGMENTS or self._n_rows > 2 * len(used)
        if not (is_small or is_due):
            return
        catalogue = Catalogue(self._encoder.identity, self._dim, entries, tuple(self._segments))
        embeddings = self._store.read_embeddings(catalogue)
        self._segments = [self._store.write_segment(embeddings)] if entries else []
        self._entries = {entry.path: replace(entry, row=row) for row, entry in enumerate(entries)}
        self._n_rows = len(entries)

    def _publish(self, entries: dict[str, CatalogueEntry]) -> None:
        self._store.publish(self._catalogue(entries))

    def _has_changed(self) -> bool:
        return not self._store.exists() or self._catalogue(self._entries) != self._before

    def _catalogue(self, entries: dict[str, CatalogueEntry]) -> Catalogue:
        return Catalogue(
            encoder=self._encoder.identity if entries else None,
            dim=self._dim if entries else 0,
            entries=self._sorted(entries),
            segments=tuple(self._segments) if entries else (),
            unreadable=tuple(self._unreadable),
        )

    @staticmethod
    def _sorted(entries: dict[str, CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
        return tuple(entries[path] for path in sorted(entries))
