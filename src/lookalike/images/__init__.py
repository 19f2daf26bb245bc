"""Pictures: finding, decoding and encoding them, and galleries of them."""

from lookalike.images.default_encoder import default_encoder
from lookalike.images.encoders import CallableEncoder, Encoder, OnnxEncoder
from lookalike.images.finding import find_pictures
from lookalike.images.gallery import Gallery
from lookalike.images.preprocessing import Preprocessing
from lookalike.images.query import embed_picture
from lookalike.images.results import Matches, SyncSummary
from lookalike.images.samples import write_samples
from lookalike.images.sheet import write_contact_sheet
from lookalike.images.view import GalleryView

__all__ = [
    "CallableEncoder",
    "Encoder",
    "Gallery",
    "GalleryView",
    "Matches",
    "OnnxEncoder",
    "Preprocessing",
    "SyncSummary",
    "default_encoder",
    "embed_picture",
    "find_pictures",
    "write_contact_sheet",
    "write_samples",
]
