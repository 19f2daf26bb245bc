"""Which rows a search may return: ``where=`` as a mask, or as ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.errors import ParameterError, ShapeError
from lookalike.index.ids import as_ids, as_one_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lookalike.core.types import BoolArray
    from lookalike.index.snapshot import Snapshot

__all__ = ["allowed_rows"]


def allowed_rows(snapshot: Snapshot, where: object) -> list[BoolArray]:
    """Return, for each segment, which of its rows may be returned.

    Parameters
    ----------
    snapshot : Snapshot
    where : array_like of bool of shape (n,), or collection of ids
        A mask in the order of ``index.ids``; or the ids themselves, in any order. Nothing
        is allowed by an empty collection.

    Raises
    ------
    ShapeError
        The mask is not as long as the index.
    ParameterError
        It is neither; a single id is no collection.
    IdTypeError, UnknownIdError
        The ids are not ids of the index.
    """
    if not isinstance(where, np.ndarray) and not hasattr(where, "__array__"):
        where = _items(where)
    is_mask = _is_mask(where)
    allowed = np.zeros(snapshot.n_slots, dtype=np.bool_)
    if is_mask:
        mask = np.asarray(where)
        if mask.shape != (snapshot.n_live,):
            raise ShapeError(
                f"where is a mask of shape {mask.shape}, but the index has {snapshot.n_live} rows: "
                "one boolean for each of index.ids is expected"
            )
        if snapshot.n_live == snapshot.n_slots:
            allowed = np.ascontiguousarray(mask)
        else:
            allowed[snapshot.live_slots()[mask]] = True
    else:
        allowed[snapshot.require(*as_ids(where))] = True
    return [allowed[segment.start : segment.stop] for segment in snapshot.segments]


def _items(where: object) -> list[object]:
    if as_one_id(where) is not None or isinstance(where, bytes):
        raise ParameterError(
            f"where={where!r} is one id; pass a list of ids, or a mask in the order of index.ids"
        )
    if not hasattr(where, "__iter__"):
        raise ParameterError(
            f"where must be a mask in the order of index.ids or a collection of ids, not {where!r}"
        )
    items: Iterable[object] = where
    return list(items)


def _is_mask(where: object) -> bool:
    if isinstance(where, list):
        return bool(where) and all(isinstance(item, (bool, np.bool_)) for item in where)
    return np.asarray(where).dtype == np.bool_
