"""Reading what a file of sections says of itself, trusting none of it."""

from __future__ import annotations

import os
import stat
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import numpy as np

from lookalike.core.errors import FormatError
from lookalike.storage.section_layout import (
    HEADER_LIMIT_BYTES,
    MAGIC,
    PREAMBLE,
    VERSION,
    Layout,
    aligned,
    layout_from_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Header", "damage_error", "header_crc32", "open_regular", "read_header"]

_RECOVER = "save it again, or restore it from a copy"
_CRC_BYTES = 4


class Header(NamedTuple):
    """A header that was checked.

    Attributes
    ----------
    layout : Layout
    crc32 : ndarray of uint32
        Of every block of every section, in the order of the file.
    preamble : bytes
        Tells two contents apart: it holds the checksums of everything.
    """

    layout: Layout
    crc32: NDArray[np.uint32]
    preamble: bytes


def damage_error(path: Path, what: str) -> FormatError:
    """Return the error that says what is wrong with a file, and what to do."""
    return FormatError(f"{path} is damaged: {what}; {_RECOVER}")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, if it is one.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        As ``open`` does.
    FormatError
        It is a pipe or a device.
    """

    def without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # opening a pipe would wait for a writer

    file = cast("BinaryIO", open(path, "rb", opener=without_waiting))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FormatError(f"{path} is a pipe or a device; copy what it gives into a file first")
    return file


def header_crc32(preamble: bytes, content: bytes) -> int:
    """Return the checksum of a header: the preamble but for this checksum, and the JSON."""
    return zlib.crc32(content, zlib.crc32(preamble[:-_CRC_BYTES]))


def read_header(file: BinaryIO, path: Path, kind: str | None) -> Header:
    """Read and check everything but the sections.

    Parameters
    ----------
    file : BinaryIO
        At its beginning; buffered.
    path : Path
        What to call it in an error message.
    kind : str or None
        What the file must be for; None for anything.

    Raises
    ------
    FormatError
        The file is empty, foreign, truncated, of another version or kind, or damaged.
    """
    actual_size = os.fstat(file.fileno()).st_size
    preamble = file.read(PREAMBLE.size)
    _check_beginning(preamble, path)
    _, _, header_size, size, tables_crc32, crc32 = PREAMBLE.unpack(preamble)
    if header_size > HEADER_LIMIT_BYTES:
        raise damage_error(path, f"its header would have {header_size} bytes")
    content = file.read(header_size)
    if len(content) < header_size:
        raise _truncated(path, f"it ends inside its header, after {actual_size} bytes")
    if header_crc32(preamble, content) != crc32:
        raise damage_error(path, "its header does not match its checksum")
    if actual_size < size:
        raise _truncated(path, f"it has {actual_size} of {size} bytes")
    if actual_size > size:
        raise damage_error(path, f"it has {actual_size} bytes instead of {size}")
    layout = _parsed(content, path)
    if layout.size_bytes != size:
        raise damage_error(path, f"its sections end at {layout.size_bytes} and not at {size}")
    if kind is not None and layout.kind != kind:
        raise FormatError(
            f"{path} holds {layout.kind!r} where {kind!r} is expected; give the path of another"
        )
    if any(file.read(aligned(layout.header_end) - layout.header_end)):
        raise damage_error(path, "the padding after its header is not zero")
    file.seek(layout.tables_offset)
    tables = file.read(layout.size_bytes - layout.tables_offset)
    if zlib.crc32(tables) != tables_crc32:
        raise damage_error(path, "its tables of checksums do not match their own checksum")
    return Header(layout, np.frombuffer(tables, dtype="<u4").astype(np.uint32), preamble)


def _check_beginning(preamble: bytes, path: Path) -> None:
    if not preamble:
        raise FormatError(f"{path} is empty; {_RECOVER}")
    beginning = preamble[: len(MAGIC)]
    if not MAGIC.startswith(beginning):
        if beginning.startswith(MAGIC.rstrip()):
            raise damage_error(path, "its ends of lines were changed, as by a transfer as text")
        raise FormatError(f"{path} is not a file that Lookalike saved; give the path of one")
    if len(preamble) < PREAMBLE.size:
        raise _truncated(path, f"it ends after {len(preamble)} bytes")
    version = PREAMBLE.unpack(preamble)[1]
    if version != VERSION:  # before any checksum: another version may have others
        raise FormatError(
            f"{path} has version {version}, and this Lookalike reads version {VERSION}: "
            "install the one that wrote it, or a newer one"
        )


def _parsed(content: bytes, path: Path) -> Layout:
    try:
        return layout_from_json(content)
    except KeyError as error:
        raise damage_error(path, f"its header lacks {error}") from error
    except RecursionError as error:
        raise damage_error(path, "its header is nested too deeply") from error
    except (ValueError, TypeError) as error:
        raise damage_error(path, f"in its header, {error}") from error


def _truncated(path: Path, how: str) -> FormatError:
    return FormatError(f"{path} is truncated: {how}; {_RECOVER}")
