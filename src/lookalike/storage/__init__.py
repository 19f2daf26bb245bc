"""Bytes on disk: atomic files, a gallery's segments and catalogue, and files of sections."""

from lookalike.storage.atomic import write_atomically
from lookalike.storage.catalogue import Catalogue, CatalogueEntry, EncoderIdentity, Segment
from lookalike.storage.gallery_store import GalleryStore
from lookalike.storage.section_blocks import BlockChecks
from lookalike.storage.section_layout import BLOCK_BYTES
from lookalike.storage.section_writer import ChunkedSection, write_sections
from lookalike.storage.sections import SectionFile, verify
from lookalike.storage.snapshot import Snapshot

__all__ = [
    "BLOCK_BYTES",
    "BlockChecks",
    "Catalogue",
    "CatalogueEntry",
    "ChunkedSection",
    "EncoderIdentity",
    "GalleryStore",
    "SectionFile",
    "Segment",
    "Snapshot",
    "verify",
    "write_atomically",
    "write_sections",
]
