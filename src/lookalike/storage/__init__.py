"""Bytes on disk: atomic files, embedding segments and the catalogue of a gallery."""

from lookalike.storage.atomic import write_atomically
from lookalike.storage.catalogue import Catalogue, CatalogueEntry, EncoderIdentity, Segment
from lookalike.storage.gallery_store import GalleryStore

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "EncoderIdentity",
    "GalleryStore",
    "Segment",
    "write_atomically",
]
