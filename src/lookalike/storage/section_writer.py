"""Writing a file of sections: all of it or nothing, in little memory."""

from __future__ import annotations

import errno
import os
import zlib
from dataclasses import dataclass
from importlib import metadata
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lookalike.core.errors import DtypeError, ShapeError
from lookalike.core.progress import Progress, as_progress
from lookalike.storage.leftovers import open_marked, remove_leftovers
from lookalike.storage.section_header import header_crc32
from lookalike.storage.section_layout import (
    BLOCK_BYTES,
    MAGIC,
    PREAMBLE,
    VERSION,
    Section,
    describe,
    lay_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

__all__ = ["CHUNK_BYTES", "ChunkedSection", "write_sections"]

#: About how much of a section is in memory at a time; whole blocks.
CHUNK_BYTES = 16 * BLOCK_BYTES


@dataclass(frozen=True)
class ChunkedSection:
    """A section that is made while it is written, e.g. because it is larger than memory.

    Attributes
    ----------
    dtype : dtype_like
    shape : sequence of int
        Of the whole section.
    chunks : iterable of ndarray
        Of that dtype; joined along the first axis they have that shape. Read once, each
        chunk written before the next is asked for.
    """

    dtype: DTypeLike
    shape: Sequence[int]
    chunks: Iterable[NDArray[Any]]


def write_sections(
    path: str | os.PathLike[str],
    kind: str,
    meta: Mapping[str, Any],
    sections: Mapping[str, NDArray[Any] | ChunkedSection],
    *,
    progress: Progress = False,
) -> None:
    """Write arrays to one self-describing file with checksums.

    The file takes the place of ``path`` when it is complete and on the disk. Until then,
    and after an exception, ``path`` is as it was; what a killed process leaves is removed
    by the next call for the same folder. Where ``path`` is a link, its target is replaced.

    Parameters
    ----------
    path : path_like
        In a folder that exists.
    kind : str
        What the file is for; :meth:`SectionFile.open` asks for it. A simple name.
    meta : mapping
        Anything JSON can hold, with strings as keys, e.g. versions and counts.
    sections : mapping of str to ndarray or ChunkedSection
        By simple names: up to 64 of ``a-z 0-9 . _ -``. Booleans, integers and floats of at
        most 8 bytes, and fixed bytes, in 1 to 8 axes; any strides and byte order.
    progress : bool or callable, default False
        Called with bytes written and bytes in total.

    Raises
    ------
    ParameterError
        A name is not simple, or ``meta`` is not JSON or is larger than 16 MiB.
    DtypeError
        A section's dtype is not among those, or a chunk has another one.
    ShapeError
        A section has no axis, or more than 8, or its chunks do not join to its shape.
    OSError
        The disk is full, or the folder cannot be written.

    Notes
    -----
    Memory: a few MiB, and 4 bytes for each 64 KiB of the sections.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():  # now rather than after everything was written
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    sources = {name: _as_chunked(section) for name, section in sections.items()}
    layout, header = lay_out(
        kind,
        _library(),
        dict(meta),
        [describe(name, np.dtype(s.dtype), [*map(index, s.shape)]) for name, s in sources.items()],
    )
    report = _Report(progress, sum(section.size_bytes for section in layout.sections))
    remove_leftovers(target.parent, MAGIC)
    with open_marked(target, MAGIC) as file:
        file.seek(PREAMBLE.size)
        file.write(header)
        sums = []
        for section, source in zip(layout.sections, sources.values(), strict=True):
            _pad_to(file, section.offset)
            sums.append(_write_section(file, section, source, report.add))
        _pad_to(file, layout.tables_offset)
        tables = b"".join(sums)
        file.write(tables)
        file.seek(0)  # last: no beginning is valid before everything is there
        fields = MAGIC, VERSION, len(header), layout.size_bytes, zlib.crc32(tables)
        file.write(PREAMBLE.pack(*fields, header_crc32(PREAMBLE.pack(*fields, 0), header)))


class _Report:
    """Adds up what was written."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._tell = as_progress(progress, "bytes written")
        self._done, self._total = 0, total

    def add(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._tell(self._done, self._total)


class _BlockSums:
    """The checksums of blocks, from pieces of any size."""

    def __init__(self, n_blocks: int) -> None:
        self.crc32 = np.zeros(n_blocks, dtype="<u4")
        self._seen = 0

    def add(self, content: memoryview) -> None:
        while content.nbytes:
            block, inside = divmod(self._seen, BLOCK_BYTES)
            piece = content[: BLOCK_BYTES - inside]
            self.crc32[block] = zlib.crc32(piece, int(self.crc32[block]))
            self._seen += piece.nbytes
            content = content[piece.nbytes :]


def _write_section(
    file: BinaryIO, section: Section, source: ChunkedSection, report: Callable[[int], None]
) -> bytes:
    """Write a section and return its table of checksums."""
    sums = _BlockSums(section.n_blocks)
    n_rows = 0
    for chunk in source.chunks:
        _check_chunk(chunk, section, n_rows)
        n_rows += len(chunk)
        for piece in _contiguous_pieces(chunk):
            content = piece.astype(section.dtype, copy=False).view(np.uint8).data
            sums.add(content)
            file.write(content)
            report(content.nbytes)
    if n_rows != section.shape[0]:
        raise ShapeError(
            f"the chunks of section {section.name!r} have {n_rows} rows together, "
            f"and its shape is {section.shape}"
        )
    return sums.crc32.tobytes()


def _check_chunk(chunk: NDArray[Any], section: Section, n_rows: int) -> None:
    if chunk.dtype.newbyteorder("<") != section.dtype:
        raise DtypeError(
            f"a chunk of section {section.name!r} has dtype {chunk.dtype}, "
            f"and the section {section.dtype}"
        )
    if chunk.shape[1:] != section.shape[1:] or n_rows + len(chunk) > section.shape[0]:
        raise ShapeError(
            f"a chunk of section {section.name!r} has shape {chunk.shape} after {n_rows} rows, "
            f"and the section {section.shape}"
        )


def _contiguous_pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield an array's values in C order as small 1-D arrays, without copying it whole."""
    if array.size == 0:
        return
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        step = max(1, CHUNK_BYTES // array.itemsize)
        for first in range(0, flat.size, step):
            yield flat[first : first + step]
        return
    row_bytes = array[0].nbytes
    if row_bytes > CHUNK_BYTES:
        for row in array:
            yield from _contiguous_pieces(row)
        return
    step = CHUNK_BYTES // row_bytes
    for first in range(0, len(array), step):
        yield np.ascontiguousarray(array[first : first + step]).reshape(-1)


def _as_chunked(section: NDArray[Any] | ChunkedSection) -> ChunkedSection:
    if isinstance(section, ChunkedSection):
        return section
    array = np.asarray(section)
    return ChunkedSection(array.dtype, array.shape, (array,))


def _pad_to(file: BinaryIO, offset: int) -> None:
    file.write(bytes(offset - file.tell()))


def _library() -> str:
    try:
        return f"lookalike {metadata.version('lookalike')}"
    except metadata.PackageNotFoundError:  # run from a folder that was not installed
        return "lookalike"
