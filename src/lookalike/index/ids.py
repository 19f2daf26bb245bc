"""From what users hold to ids: 64-bit integers, strings or UUIDs, all of one type."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from lookalike.core.errors import DuplicateIdError, IdTypeError, ShapeError

if TYPE_CHECKING:
    from lookalike.core.types import IdArray

__all__ = [
    "Id",
    "IdKind",
    "as_ids",
    "as_objects",
    "as_one_id",
    "as_sequence",
    "kind_of_type",
    "require_kind",
    "require_unique",
]

Id: TypeAlias = int | str | uuid.UUID
IdKind: TypeAlias = Literal["integer", "string", "uuid"]

_PLURAL: dict[IdKind, str] = {"integer": "integers", "string": "strings", "uuid": "UUIDs"}
_LARGEST = 2**63 - 1


def kind_of_type(of: type) -> IdKind | None:
    """Return which kind of id the instances of a type are; None for no kind."""
    if issubclass(of, (int, np.integer)) and of is not bool:
        return "integer"
    if issubclass(of, str):
        return "string"
    return "uuid" if issubclass(of, uuid.UUID) else None


def as_one_id(value: object) -> Id | None:
    """Return a single id as an int, str or UUID; None for anything else.

    Raises
    ------
    IdTypeError
        It is an integer of more than 64 bits.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    kind = kind_of_type(type(value))
    if kind is None:
        return None
    ids: list[Id] = _converted([value], kind).tolist()
    return ids[0]


def as_ids(ids: object) -> tuple[IdKind | None, IdArray]:
    """Return ids as an int64 or object array, and their kind (None when there are none).

    Parameters
    ----------
    ids : iterable
        Integers (Python's or NumPy's), strings or ``uuid.UUID``; lists, arrays, pandas
        columns, Arrow arrays, sets. Booleans and floats are no ids.

    Raises
    ------
    IdTypeError
        An item is no id, they are of several kinds, or one does not fit 64 bits.
    ShapeError
        It is an array that is not 1-D.
    """
    if isinstance(ids, np.ndarray) or hasattr(ids, "__array__"):
        array = np.asarray(ids)
        if array.ndim != 1:
            raise ShapeError(f"ids have shape {array.shape}; one id a row, of shape (n,), expected")
        if array.dtype.kind in "iu":
            return ("integer" if array.size else None), _as_int64(array)
        return _from_items(array.tolist())
    if isinstance(ids, (str, bytes, Mapping)) or not isinstance(ids, Iterable):
        raise IdTypeError(
            f"ids must be a list or an array of integers, strings or UUIDs, not {ids!r}"
        )
    return _from_items([item.as_py() if hasattr(item, "as_py") else item for item in ids])


def as_sequence(ids: object) -> tuple[IdKind | None, IdArray]:
    """Return :func:`as_ids` of ids that belong to rows one by one.

    Raises
    ------
    IdTypeError
        As :func:`as_ids`; or it is a set, which has no order.
    ShapeError
        As :func:`as_ids`.
    """
    if isinstance(ids, AbstractSet):
        raise IdTypeError("ids are a set, which has no order; pass a list, one id for each row")
    return as_ids(ids)


def _from_items(items: list[Any]) -> tuple[IdKind | None, IdArray]:
    kinds: dict[IdKind, type] = {}
    for of in dict.fromkeys(map(type, items)):
        kind = kind_of_type(of)
        if kind is None:
            bad = next(item for item in items if type(item) is of)
            raise IdTypeError(
                f"{bad!r} is no id (its type is {of.__name__}); "
                "ids are integers, strings or uuid.UUID"
            )
        kinds[kind] = of
    if len(kinds) > 1:
        first, second, *_ = (
            next(item for item in items if type(item) is of) for of in kinds.values()
        )
        raise IdTypeError(f"ids are of several types, {first!r} and {second!r}; use one type")
    if not kinds:
        return None, np.empty(0, dtype=np.int64)
    (only,) = kinds
    return only, _converted(items, only)


def _converted(items: list[Any], kind: IdKind) -> IdArray:
    if kind == "integer":
        try:
            return np.array([int(item) for item in items], dtype=np.int64)
        except OverflowError:
            bad = next(item for item in items if not -_LARGEST - 1 <= int(item) <= _LARGEST)
            raise IdTypeError(f"id {bad} does not fit 64 bits; use a string") from None
    if kind == "string":  # of a subclass (np.str_, an enum) its plain value
        items = [item if type(item) is str else str.__str__(item) for item in items]
    return as_objects(items)


def as_objects(items: list[Any]) -> IdArray:
    """Return a 1-D object array of just these items."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _as_int64(array: Any) -> IdArray:  # noqa: ANN401 - integers of any size
    if array.dtype.kind == "u" and array.itemsize == 8 and (array > _LARGEST).any():
        raise IdTypeError(f"id {array.max()} does not fit 64 bits with a sign; use a string")
    return np.array(array, dtype=np.int64)


def require_kind(given: IdKind | None, held: IdKind | None) -> None:
    """Raise unless ids of kind ``given`` fit an index that holds ``held``.

    Raises
    ------
    IdTypeError
        They are of another kind.
    """
    if given is not None and held is not None and given != held:
        raise IdTypeError(
            f"the ids given are {_PLURAL[given]}, but this index holds {_PLURAL[held]}"
        )


def require_unique(ids: IdArray) -> None:
    """Raise if an id occurs twice.

    Raises
    ------
    DuplicateIdError
        As above; it names one.
    """
    if ids.dtype == np.int64:
        if bool((ids[1:] > ids[:-1]).all()):
            return
        in_order = np.sort(ids)
        twice = in_order[1:][in_order[1:] == in_order[:-1]].tolist()
    else:
        counts = Counter(ids.tolist())
        twice = [item for item, count in counts.items() if count > 1]
    if twice:
        raise DuplicateIdError(f"id {twice[0]!r} is given twice; nothing was added")
