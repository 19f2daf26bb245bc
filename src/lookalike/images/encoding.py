"""Encoding many picture files: every core busy, memory bounded, no file fatal."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import MissingExtraError, PictureError
from lookalike.images.decoding import decode, read_file

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from PIL.Image import Image

    from lookalike.core.types import Float32Array
    from lookalike.images.encoders import Encoder

__all__ = ["EncodedBatch", "content_hash", "encode_files"]

# Larger batches gain nothing on a CPU and hold more decoded pictures in memory.
_BATCH = 8
_BATCHES_AHEAD = 2  # for each thread, so that none waits for the reader of the results


@dataclass(slots=True)
class EncodedBatch:
    """What became of some files.

    Attributes
    ----------
    embeddings : float32 array of shape (n, dim)
        Of the files whose content was new.
    encoded : list of (int, str)
        Position and content hash of each file that an embedding belongs to.
    known : list of (int, str)
        Position and content hash of each file whose embedding is there already.
    failures : list of (int, str)
        Position and reason of each file that could not be read.
    """

    embeddings: Float32Array = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    encoded: list[tuple[int, str]] = field(default_factory=list)
    known: list[tuple[int, str]] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.encoded) + len(self.known) + len(self.failures)


def content_hash(content: bytes) -> str:
    """Return the hexadecimal SHA-256 by which a picture is known."""
    return hashlib.sha256(content).hexdigest()


def encode_files(
    paths: Sequence[Path],
    encoder: Encoder,
    known: Container[str],
    *,
    n_threads: int,
    max_pixels: int,
) -> Generator[EncodedBatch]:
    """Decode and encode picture files, several at a time.

    Each thread decodes a few pictures and encodes them, so that all are busy whatever the
    balance of the two. Results come in order; an embedding does not depend on the threads.

    Parameters
    ----------
    paths : sequence of Path
    encoder : Encoder
    known : container of str
        Content hashes of pictures that need no embedding.
    n_threads : int
        At least 1.
    max_pixels : int
        Larger pictures are failures.

    Yields
    ------
    EncodedBatch
        Closing the generator early drops what has not begun and waits for the few batches
        in progress.
    """

    def work(first: int) -> EncodedBatch:
        return _encode_batch(paths[first : first + _BATCH], first, encoder, known, max_pixels)

    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="lookalike-encode")
    pending: deque[Future[EncodedBatch]] = deque()
    try:
        for first in range(0, len(paths), _BATCH):
            pending.append(pool.submit(work, first))
            if len(pending) >= n_threads * _BATCHES_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _encode_batch(
    paths: Sequence[Path], first: int, encoder: Encoder, known: Container[str], max_pixels: int
) -> EncodedBatch:
    batch = EncodedBatch()
    pictures: list[Image] = []
    for position, path in enumerate(paths, start=first):
        try:
            content = read_file(path)
            name = content_hash(content)
            if name in known:
                batch.known.append((position, name))
                continue
            pictures.append(decode(content, min_side=encoder.min_side, max_pixels=max_pixels))
        except (PictureError, MissingExtraError) as error:
            batch.failures.append((position, str(error)))
            continue
        batch.encoded.append((position, name))
    if pictures:
        batch.embeddings = encoder.encode(pictures)
    return batch
