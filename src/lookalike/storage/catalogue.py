"""The catalogue of a gallery: which picture has which embedding, made by which encoder.

One JSON file, written whole. It names the segments that hold the embeddings; whatever it
does not name does not exist.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

from lookalike.core.errors import FormatError

__all__ = ["REBUILD", "Catalogue", "CatalogueEntry", "EncoderIdentity", "Segment"]

#: What to do about a damaged gallery, as the end of a message.
REBUILD = "rebuild the gallery (lookalike index --rebuild)"

_FORMAT = "lookalike-gallery"
_VERSION = 1
# Names alone, so that no catalogue can make a reader open a file elsewhere.
_SEGMENT_NAME = re.compile(r"embeddings-[0-9a-f]+\.npy")


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """What made the embeddings; two embeddings compare only when these are equal.

    Attributes
    ----------
    name, version : str
        For people.
    hash : str
        Hexadecimal SHA-256 of the model and its preprocessing.
    """

    name: str
    version: str
    hash: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.hash[:12]})"


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of embeddings.

    Attributes
    ----------
    file : str
        Its name beside the catalogue.
    rows : int
        How many embeddings it holds.
    crc32 : int
        Of the whole file.
    """

    file: str
    rows: int
    crc32: int


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A picture.

    Attributes
    ----------
    path : str
        Relative to the gallery's folder, with ``/`` between its parts.
    content : str
        Hexadecimal SHA-256 of the file.
    row : int
        Of its embedding, counted through all segments in order.
    size_bytes, mtime_ns : int
        Of the file when it was read; -1 as time where the file was too fresh for a later
        change to be sure to show in it.
    """

    path: str
    content: str
    row: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All there is to know about a gallery but the embeddings themselves.

    Attributes
    ----------
    encoder : EncoderIdentity or None
        None before the first picture.
    dim : int
        Of every embedding; 0 before the first picture.
    entries : tuple of CatalogueEntry
        By path, in the order of code points.
    segments : tuple of Segment
    unreadable : tuple of (path, reason)
        Files that look like pictures and could not be read when last tried.
    """

    encoder: EncoderIdentity | None = None
    dim: int = 0
    entries: tuple[CatalogueEntry, ...] = ()
    segments: tuple[Segment, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = field(default=())

    @property
    def rows(self) -> int:
        """How many embeddings the segments hold, those of no picture included."""
        return sum(segment.rows for segment in self.segments)

    def to_json(self) -> bytes:
        """Return the catalogue as JSON; a checksum covers everything else in it."""
        # Compact, and in ASCII: file names that are not UTF-8 survive as escaped surrogates.
        body = {
            "encoder": asdict(self.encoder) if self.encoder else None,
            "dim": self.dim,
            "segments": [asdict(segment) for segment in self.segments],
            "entries": [[e.path, e.content, e.row, e.size_bytes, e.mtime_ns] for e in self.entries],
            "unreadable": self.unreadable,
        }
        document = {"format": _FORMAT, "version": _VERSION, "crc32": _checksum(body), "body": body}
        return json.dumps(document, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_json(cls, content: bytes, name: str) -> Catalogue:
        """Return the catalogue that :meth:`to_json` wrote.

        Parameters
        ----------
        content : bytes
        name : str
            What to call the file in an error message.

        Raises
        ------
        FormatError
            It is damaged, of another program, or of a newer version.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{name} is damaged: {error}; {REBUILD}") from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise FormatError(f"{name} is not the catalogue of a gallery; {REBUILD}")
        if document.get("version") != _VERSION:
            raise FormatError(
                f"{name} has version {document.get('version')!r}, and this Lookalike reads "
                f"version {_VERSION}: install the one that wrote it, or a newer one"
            )
        body = document.get("body")
        if _checksum(body) != document.get("crc32"):
            raise FormatError(f"{name} is damaged: its checksum does not match; {REBUILD}")
        try:
            return cls._from_body(body)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FormatError(f"{name} is damaged: {error!r}; {REBUILD}") from error

    @classmethod
    def _from_body(cls, body: Any) -> Catalogue:  # noqa: ANN401 - parsed JSON
        encoder = body["encoder"]
        catalogue = cls(
            encoder=EncoderIdentity(**encoder) if encoder else None,
            dim=int(body["dim"]),
            entries=tuple(CatalogueEntry(*entry) for entry in body["entries"]),
            segments=tuple(Segment(**segment) for segment in body["segments"]),
            unreadable=tuple((path, reason) for path, reason in body["unreadable"]),
        )
        for segment in catalogue.segments:
            if not _SEGMENT_NAME.fullmatch(segment.file) or segment.rows < 1:
                raise ValueError(f"{segment.file!r} of {segment.rows} rows cannot be a segment")
        rows = catalogue.rows
        for entry in catalogue.entries:
            if not 0 <= entry.row < rows:
                raise ValueError(f"{entry.path!r} has an embedding that no segment holds")
            if entry.path.startswith("/") or "/../" in f"/{entry.path}/":
                raise ValueError(f"{entry.path!r} lies outside the gallery")
        return catalogue


def _checksum(body: Any) -> int:  # noqa: ANN401 - parsed JSON
    return zlib.crc32(json.dumps(body, separators=(",", ":")).encode("ascii"))
