"""Reading a file of sections: mapped into memory, checked block by block when touched."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lookalike.core.errors import FormatError, ParameterError
from lookalike.storage.section_blocks import BlockChecks, is_sound, listed
from lookalike.storage.section_header import damage_error, open_regular, read_header
from lookalike.storage.section_layout import BLOCK_BYTES, aligned
from lookalike.storage.section_writer import CHUNK_BYTES, ChunkedSection

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

    from lookalike.storage.section_header import Header
    from lookalike.storage.section_layout import Section

__all__ = ["SectionFile", "verify"]


class SectionFile:
    """A file that :func:`write_sections` wrote, mapped; make one with :meth:`open`.

    Nothing of a section is read before it is used. Arrays look into the map, which stays
    while any of them does, whatever becomes of the path: there is no ``close`` that could
    pull it from under them. Threads may share it. Copies are the same object. A pickle
    names the file, and loads where the path still leads to the same content.

    Attributes
    ----------
    path : Path
        As given.
    kind, library : str
        What the file is for, and what wrote it.
    meta : dict
        As it was written, after a passage through JSON.
    names : tuple of str
        Of the sections, in the order of the file.
    size_bytes : int
        Of the file.
    """

    def __init__(self, path: Path, header: Header, content: mmap.mmap) -> None:
        layout = header.layout
        self.path = path
        self.kind, self.library, self.meta = layout.kind, layout.library, layout.meta
        self.names = tuple(section.name for section in layout.sections)
        self.size_bytes = layout.size_bytes
        self._sections = {section.name: section for section in layout.sections}
        self._content = content
        self._preamble = header.preamble
        self._absolute_path = path.absolute()  # the working folder may change before a pickle
        self._checks = self._all_checks(header)

    @classmethod
    def open(cls, path: str | os.PathLike[str], kind: str) -> SectionFile:
        """Open a file and check its header and its tables of checksums.

        Parameters
        ----------
        path : path_like
        kind : str
            What the file must be for.

        Raises
        ------
        FileNotFoundError, IsADirectoryError, PermissionError
            As ``open`` does.
        FormatError
            The file is empty, foreign, truncated, damaged, newer than this Lookalike, or
            for something else.

        Notes
        -----
        Cost: that of reading the header and 4 bytes for each 64 KiB of the file.
        """
        path = Path(path)
        with open_regular(path) as file:
            header = read_header(file, path, kind)
            try:
                size = header.layout.size_bytes
                content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            except ValueError as error:  # it has shrunk since its size was asked
                raise damage_error(path, str(error)) from error
        return cls(path, header, content)

    def array(
        self,
        name: str,
        *,
        dtype: DTypeLike | None = None,
        shape: Sequence[int | None] | None = None,
    ) -> NDArray[Any]:
        """Return a section as a read-only array on the map, not yet verified.

        Parameters
        ----------
        name : str
        dtype : dtype_like, optional
            What it must hold.
        shape : sequence of int or None, optional
            What shape it must have; None for a length that may be anything.

        Raises
        ------
        FormatError
            There is no such section, or it holds something else.
        """
        section = self._section(name)
        if dtype is not None and section.dtype != np.dtype(dtype):
            raise damage_error(
                self.path, f"section {name!r} holds {section.dtype}, not {np.dtype(dtype)}"
            )
        if shape is not None and not _fits(section.shape, shape):
            raise damage_error(
                self.path, f"section {name!r} has shape {section.shape}, not {shape}"
            )
        return np.ndarray(section.shape, section.dtype, self._content, section.offset)

    def blocks(self, name: str) -> BlockChecks:
        """Return what it takes to verify a section block by block.

        Raises
        ------
        FormatError
            There is no such section.
        """
        return self._checks[self._section(name).name]

    def check(self, name: str) -> None:
        """Verify the blocks of a section that were not yet.

        Raises
        ------
        FormatError
            Blocks are damaged; the message names them.
        """
        self._check_blocks(name, 0, self._section(name).n_blocks)

    def check_rows(self, name: str, first: int, count: int) -> None:
        """Verify the blocks that some rows of a section lie in, and that were not yet.

        Parameters
        ----------
        name : str
        first, count : int
            Rows along the first axis; all of them must exist.

        Raises
        ------
        FormatError
            Blocks are damaged; the message names them.
        ParameterError
            There are no such rows.
        """
        section = self._section(name)
        n_rows = section.shape[0]
        if not 0 <= first <= first + count <= n_rows:
            raise ParameterError(
                f"rows {first} to {first + count} do not exist: "
                f"section {name!r} of {self.path} has {n_rows}"
            )
        if count and section.size_bytes:
            row_bytes = section.size_bytes // n_rows
            stop = -(-(first + count) * row_bytes // BLOCK_BYTES)
            self._check_blocks(name, first * row_bytes // BLOCK_BYTES, stop)

    def chunked(self, name: str) -> ChunkedSection:
        """Return a section to be written to another file, verified while it is read.

        Writing ``array(name)`` instead would give damaged values checksums that fit.

        Raises
        ------
        FormatError
            There is no such section; or, while it is read, a block is damaged.
        """
        section = self._section(name)
        return ChunkedSection(section.dtype, section.shape, self._checked_chunks(section))

    def damaged(self, name: str, blocks: Iterable[int]) -> FormatError:
        """Return the error that names damaged blocks of a section, ascending."""
        return damage_error(self.path, f"{listed(blocks)} of section {name!r}")

    def __repr__(self) -> str:
        return f"<SectionFile {str(self.path)!r}: {self.kind}, {len(self.names)} sections>"

    def __copy__(self) -> SectionFile:
        return self

    def __deepcopy__(self, _memo: object) -> SectionFile:
        return self  # nothing of it changes, and the path may lead elsewhere by now

    def __reduce__(self) -> tuple[object, tuple[Path, str, bytes]]:
        return _reopened, (self._absolute_path, self.kind, self._preamble)

    def _all_checks(self, header: Header) -> dict[str, BlockChecks]:
        checks = {}
        first = 0
        for section in header.layout.sections:
            data = np.ndarray((section.size_bytes,), np.uint8, self._content, section.offset)
            crc32 = header.crc32[first : first + section.n_blocks]
            verified = np.zeros(section.n_blocks, dtype=np.uint8)
            checks[section.name] = BlockChecks(data, crc32, verified)
            first += section.n_blocks
        return checks

    def _section(self, name: str) -> Section:
        try:
            return self._sections[name]
        except KeyError:
            raise damage_error(self.path, f"it has no section {name!r}") from None

    def _check_blocks(self, name: str, first: int, stop: int) -> None:
        checks, is_bool = self._checks[name], self._sections[name].dtype == np.bool_
        bad = []
        for block in (first + np.flatnonzero(checks.verified[first:stop] == 0)).tolist():
            content = checks.data[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES].data
            if is_sound(content, int(checks.crc32[block]), is_bool=is_bool):
                checks.verified[block] = 1
            else:
                bad.append(block)
        if bad:
            raise self.damaged(name, bad)

    def _checked_chunks(self, section: Section) -> Iterator[NDArray[Any]]:
        array = self.array(section.name)
        n_rows = len(array)
        step = max(1, CHUNK_BYTES * n_rows // section.size_bytes) if array.size else n_rows
        for first in range(0, n_rows, max(1, step)):
            chunk = array[first : first + step]
            self.check_rows(section.name, first, len(chunk))
            yield chunk


def verify(path: str | os.PathLike[str], kind: str | None = None) -> None:
    """Read a file of sections to its end and check every bit of it.

    Parameters
    ----------
    path : path_like
    kind : str, optional
        What the file must be for; anything by default.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        As ``open`` does.
    OSError
        The disk cannot read it.
    FormatError
        As :meth:`SectionFile.open`, or blocks are damaged: the message names each.
    """
    path = Path(path)
    # Read rather than mapped: from a failing disk a map would kill the process.
    with open_regular(path) as file:
        header = read_header(file, path, kind)
        damage = list(_damage(file, header))
    if damage:
        raise damage_error(path, ", ".join(damage))


def _damage(file: BinaryIO, header: Header) -> Iterator[str]:
    """Yield what is damaged, reading from the first section to the tables."""
    file.seek(aligned(header.layout.header_end))
    expected = map(int, header.crc32)
    for section in header.layout.sections:
        bad, is_bool = [], section.dtype == np.bool_
        for block in range(section.n_blocks):
            content = file.read(min(BLOCK_BYTES, section.size_bytes - block * BLOCK_BYTES))
            if not is_sound(content, next(expected), is_bool=is_bool):
                bad.append(block)
        if bad:
            yield f"{listed(bad)} of section {section.name!r}"
        end = section.offset + section.size_bytes
        if any(file.read(aligned(end) - end)):
            yield f"the padding after section {section.name!r}"


def _fits(shape: tuple[int, ...], expected: Sequence[int | None]) -> bool:
    return len(shape) == len(expected) and all(
        wanted in (None, length) for length, wanted in zip(shape, expected, strict=True)
    )


def _reopened(path: Path, kind: str, preamble: bytes) -> SectionFile:
    file = SectionFile.open(path, kind)
    if file._preamble != preamble:  # noqa: SLF001 - the other half of __reduce__
        raise FormatError(f"{path} was saved anew since it was pickled; open and pickle it again")
    return file
