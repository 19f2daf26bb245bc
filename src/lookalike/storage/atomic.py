"""Files that are either wholly there or not there at all."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["open_atomically", "write_atomically"]


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of ``path`` when the block succeeds.

    Until then ``path`` is untouched; after an exception nothing is left behind. Content
    and directory entry are flushed to the disk. Writers may race: the last one wins.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full.
    """
    # Not beside the name of the file: a long one would leave no room for more.
    temporary = path.parent / f".lookalike-{uuid.uuid4().hex}.tmp"
    try:
        # Not tempfile: it makes files for their owner alone, and a shared folder expects
        # the usual mode, which only the system can tell without changing it for everybody.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` as :func:`open_atomically` does.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full.
    """
    with open_atomically(path) as file:
        file.write(content)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
