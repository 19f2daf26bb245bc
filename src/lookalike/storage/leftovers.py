"""Removing what killed writers left, without touching what others are writing.

:func:`~lookalike.storage.atomic.open_atomically` removes its temporary file after any
exception, but a killed process removes nothing, and an index may have gigabytes. So a
writer holds a lock on its temporary file for as long as it lives, which the system takes
back from the dead, and the next writer removes what carries the mark and is not locked.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from lookalike.core.errors import FormatError
from lookalike.storage.atomic import open_atomically
from lookalike.storage.section_header import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["open_marked", "remove_leftovers"]


@contextmanager
def open_marked(path: Path, mark: bytes) -> Iterator[BinaryIO]:
    """Open a file as ``open_atomically`` does, so that a leftover of it is recognised.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    mark : bytes
        Written at the beginning.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full.
    """
    with ExitStack() as stack, open_atomically(path) as file:
        # A handle of our own: the lock must outlive the file's, until it has its name.
        handle = os.dup(file.fileno())
        stack.callback(os.close, handle)
        with suppress(OSError):  # a file system without locks: then nobody gets the lock
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(mark)  # after the lock, and so seen only by those who see the lock
        file.flush()
        yield file


def remove_leftovers(folder: Path, mark: bytes) -> None:
    """Remove the temporary files that dead writers of files with this mark left.

    Parameters
    ----------
    folder : Path
        May be missing.
    mark : bytes
        As given to :func:`open_marked`.
    """
    for path in folder.glob(".lookalike-*.tmp"):
        # Alive (locked), gone by now, another user's, or a pipe: not ours to remove.
        with suppress(OSError, FormatError), open_regular(path) as file:
            if file.read(len(mark)) == mark:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
