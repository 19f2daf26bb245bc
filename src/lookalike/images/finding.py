"""Finding the pictures of a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PICTURE_SUFFIXES", "find_pictures"]

PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"),
    }
)


def find_pictures(folder: Path) -> list[str]:
    """Return the paths of the pictures below ``folder``, by the suffix of their names.

    Hidden files and folders (names that begin with a dot) are left out; links to files are
    followed, links to folders are not, so that no loop is possible.

    Parameters
    ----------
    folder : Path
        Searched with all its sub-folders.

    Returns
    -------
    list of str
        Relative to ``folder``, with ``/`` between the parts, in the order of code points.

    Raises
    ------
    OSError
        ``folder``, or a folder below it, cannot be read: pictures would go missing quietly.
    """
    return sorted(path.relative_to(folder).as_posix() for path in _walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    waiting = [folder]  # not by recursion: folders may be nested deeper than Python allows
    while waiting:
        with os.scandir(waiting.pop()) as items:
            for item in items:
                if item.name.startswith("."):
                    continue
                if item.is_dir(follow_symlinks=False):
                    waiting.append(Path(item.path))
                elif _suffix(item.name) in PICTURE_SUFFIXES and _is_file(item):
                    yield Path(item.path)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - a Path for each file is slow


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError as error:
        # A link to itself is as empty as one to nothing; what is out of reach is listed, so
        # that whoever reads it can say why it cannot.
        return error.errno != errno.ELOOP
