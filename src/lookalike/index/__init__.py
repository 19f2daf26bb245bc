"""An index: a group of embeddings with ids, prepared for many queries."""

from lookalike.index.index import Index, open_index, verify_index

__all__ = ["Index", "open_index", "verify_index"]
