"""Files that are either wholly there or not there at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            # mkstemp makes files for their owner alone; a shared folder expects the usual mode.
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
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


def _umask() -> int:
    # Python can read the mask only by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
