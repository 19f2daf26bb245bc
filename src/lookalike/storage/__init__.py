"""Bytes on disk: atomic files, embedding segments and the catalogue of a gallery."""

from lookalike.storage.atomic import write_atomically
from lookalike.storage.catalogue import Catalogue, CatalogueEntry, EncoderIdentity, Segment
from lookalike.storage.gallery_store import GalleryStore
from lookalike.storage.snapshot import Snapshot

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "EncoderIdentity",
    "GalleryStore",
    "Segment",
    "Snapshot",
    "write_atomically",
]
