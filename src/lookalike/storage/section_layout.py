"""Where everything lies in a file of sections; ``docs/index-format.md`` specifies it.

The names, dtypes and shapes of the sections determine every offset. A reader computes the
offsets and compares: what a damaged or hostile header states is never followed.
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass, replace
from itertools import accumulate
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from lookalike.core.errors import DtypeError, ParameterError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "BLOCK_BYTES",
    "HEADER_LIMIT_BYTES",
    "MAGIC",
    "PREAMBLE",
    "VERSION",
    "Description",
    "Layout",
    "Section",
    "aligned",
    "describe",
    "lay_out",
    "layout_from_json",
]

#: A transfer as text changes the first byte, or the end of line.
MAGIC = b"\x93LOOKALIKE-IDX\r\n"
VERSION = 1
#: Magic, version, size of the JSON, size of the file, CRC-32 of the tables and of the header.
PREAMBLE = struct.Struct("<16sIIQII")
#: Each of these many bytes of a section has a checksum of its own.
BLOCK_BYTES = 1 << 16
#: No header is read, or written, that is larger: a hostile one costs little memory.
HEADER_LIMIT_BYTES = 16 << 20

_ALIGNMENT = 4096
_LARGEST_NDIM = 8
_LARGEST_SIZE_BYTES = (1 << 63) - 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
# No objects (they would be pickles), no structures, nothing whose size depends on the machine.
_NUMBERS = frozenset({"|b1", "|i1", "|u1", *(f"<{kind}{n}" for kind in "iuf" for n in (2, 4, 8))})
_FIXED_BYTES = re.compile(r"\|S[1-9][0-9]{0,4}", re.ASCII)


class Description(NamedTuple):
    """What a section holds, checked by :func:`describe`."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section and its place.

    Attributes
    ----------
    name : str
    dtype : dtype
        Little-endian.
    shape : tuple of int
    offset : int
        Of its first byte in the file.
    checksums_offset : int
        Of its table of CRC-32 in the file.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    checksums_offset: int

    @property
    def size_bytes(self) -> int:
        """How many bytes its values take."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def n_blocks(self) -> int:
        """How many checksums it has; the last block may be short."""
        return -(-self.size_bytes // BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything a header says, and the offsets that follow from it.

    Attributes
    ----------
    kind : str
        What the file is for, e.g. ``"index"``.
    library : str
        What wrote it, for people.
    meta : dict
        Whatever the writer wanted to keep, as JSON.
    sections : tuple of Section
        In the order of the file.
    header_end : int
        Where the JSON ends.
    tables_offset, size_bytes : int
        Where the tables of checksums begin, and where the file ends.
    """

    kind: str
    library: str
    meta: dict[str, Any]
    sections: tuple[Section, ...]
    header_end: int
    tables_offset: int
    size_bytes: int

    def to_json(self) -> bytes:
        """Return the header as JSON, in ASCII.

        Raises
        ------
        ParameterError
            ``meta`` holds what JSON cannot.
        """
        document = {
            "kind": self.kind,
            "library": self.library,
            "meta": self.meta,
            "sections": [
                {
                    "name": section.name,
                    "dtype": section.dtype.str,
                    "shape": section.shape,
                    "offset": section.offset,
                    "size_bytes": section.size_bytes,
                    "checksums_offset": section.checksums_offset,
                }
                for section in self.sections
            ],
        }
        try:
            return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")
        except (TypeError, ValueError, RecursionError) as error:
            raise ParameterError(f"meta cannot be written as JSON: {error}") from error


def aligned(offset: int) -> int:
    """Return the first offset from ``offset`` on where a section may begin."""
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def describe(name: object, dtype: np.dtype[Any], shape: Sequence[object]) -> Description:
    """Return the description of a section that can be stored.

    Raises
    ------
    ParameterError
        The name is not 1 to 64 characters of ``a-z 0-9 . _ -``, the first of them a letter
        or a digit.
    DtypeError
        Neither booleans, nor integers or floats of at most 8 bytes, nor fixed bytes.
    ShapeError
        Not 1 to 8 axes of whole lengths, or larger than a file can be.
    """
    _check_name(name, "section")
    dtype = dtype.newbyteorder("<")
    if dtype.str not in _NUMBERS and not _FIXED_BYTES.fullmatch(dtype.str):
        raise DtypeError(
            f"section {name!r} has dtype {dtype}; booleans, integers and floats of at most "
            "8 bytes and fixed bytes (S1 to S99999) can be stored"
        )
    # A length of 0 must not hide the others: NumPy multiplies them as if it were 1.
    lengths = [length for length in shape if type(length) is int and length >= 0]
    largest = math.prod(max(1, length) for length in lengths) * dtype.itemsize
    if len(lengths) < len(shape) or not 1 <= len(shape) <= _LARGEST_NDIM:
        raise ShapeError(
            f"section {name!r} has shape {shortened(tuple(shape))}; "
            f"1 to {_LARGEST_NDIM} lengths of at least 0 can be stored"
        )
    if largest > _LARGEST_SIZE_BYTES:
        raise ShapeError(f"section {name!r} has shape {shortened(tuple(shape))}: it is too large")
    return Description(str(name), dtype, tuple(lengths))


def lay_out(
    kind: str, library: str, meta: dict[str, Any], descriptions: Iterable[Description]
) -> tuple[Layout, bytes]:
    """Return the layout of a new file, and its header as JSON.

    Raises
    ------
    ParameterError
        ``kind`` is no simple name, ``meta`` holds what JSON cannot, two sections share a
        name, or the header is larger than 16 MiB.
    """
    _check_name(kind, "kind")
    descriptions = tuple(descriptions)
    header_end = PREAMBLE.size
    while True:  # the offsets are in the header, and its size moves them: upwards only
        layout = _placed(kind, library, meta, descriptions, header_end)
        content = layout.to_json()
        if len(content) > HEADER_LIMIT_BYTES:
            raise ParameterError(
                f"the header would have {len(content)} bytes, and {HEADER_LIMIT_BYTES} are "
                "the limit; put what is large in meta into sections"
            )
        previous_end, header_end = header_end, PREAMBLE.size + len(content)
        if aligned(previous_end) == aligned(header_end):
            return replace(layout, header_end=header_end), content


def layout_from_json(content: bytes) -> Layout:
    """Return the layout that a header describes.

    Raises
    ------
    ValueError, TypeError, KeyError, RecursionError
        It is no such header, or states other places than those that follow from its
        sections; the message continues ``"in its header, "``.
    """
    document = json.loads(content.decode("ascii"), parse_constant=_refuse_constant)
    kind, library, meta = document["kind"], document["library"], document["meta"]
    _check_name(kind, "kind")
    if not isinstance(library, str) or not isinstance(meta, dict):
        raise TypeError("library is no text or meta is no object")
    entries = document["sections"]
    if not isinstance(entries, list):
        raise TypeError("sections is no list")
    descriptions = tuple(
        describe(entry["name"], _dtype_from(entry["dtype"]), entry["shape"]) for entry in entries
    )
    layout = _placed(kind, library, meta, descriptions, PREAMBLE.size + len(content))
    for section, entry in zip(layout.sections, entries, strict=True):
        for key in ("offset", "size_bytes", "checksums_offset"):
            if entry[key] != getattr(section, key):
                raise ValueError(
                    f"section {section.name!r} has {key} {shortened(entry[key])} "
                    f"instead of {getattr(section, key)}"
                )
    return layout


def _placed(
    kind: str,
    library: str,
    meta: dict[str, Any],
    descriptions: tuple[Description, ...],
    header_end: int,
) -> Layout:
    seen: set[str] = set()
    for description in descriptions:
        if description.name in seen:
            raise ParameterError(f"several sections are called {description.name!r}")
        seen.add(description.name)
    unplaced = [Section(*description, 0, 0) for description in descriptions]
    ends = accumulate(unplaced, lambda end, s: aligned(end) + s.size_bytes, initial=header_end)
    *offsets, tables_offset = (aligned(end) for end in ends)
    *tables, size_bytes = accumulate(
        unplaced, lambda end, s: end + 4 * s.n_blocks, initial=tables_offset
    )
    sections = tuple(
        Section(*description, offset, table)
        for description, offset, table in zip(descriptions, offsets, tables, strict=True)
    )
    return Layout(kind, library, meta, sections, header_end, tables_offset, size_bytes)


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ParameterError(
            f"{shortened(name)} cannot name a {what}; up to 64 of a-z, 0-9, '.', '_' and '-' "
            "can, and the first is a letter or a digit"
        )


def _dtype_from(text: object) -> np.dtype[Any]:
    # Compared before NumPy sees it: dtype strings are a language of their own.
    if isinstance(text, str) and (text in _NUMBERS or _FIXED_BYTES.fullmatch(text)):
        return np.dtype(text)
    raise DtypeError(f"{shortened(text)} is no dtype that is stored")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
