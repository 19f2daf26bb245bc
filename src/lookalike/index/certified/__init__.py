"""The certified engine: codes from which most rows are excluded with proof."""

from lookalike.index.certified.build import encode
from lookalike.index.certified.searcher import CertifiedSearcher

__all__ = ["CertifiedSearcher", "encode"]
