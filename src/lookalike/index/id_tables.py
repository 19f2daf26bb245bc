"""Which id each row of an index has, and which row an id.

Rows are numbered by *slot*: the order in which they came. A slot keeps its id for as long
as the row exists, dead or alive; an id that was replaced has several slots, of which the
last one counts.

One writer extends a table while readers use it. A reader passes the number of slots of
its snapshot and never sees beyond it: what the writer appends later does not show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from lookalike.core.types import IdArray, Int64Array
    from lookalike.index.ids import IdKind

__all__ = [
    "ContiguousIds",
    "IdTable",
    "IntegerIds",
    "ObjectIds",
    "no_ids",
    "order_of",
    "padding",
    "table_of",
]

#: The slot of an id, or (slot, what was here before) where the id was replaced.
_Entry: TypeAlias = "int | tuple[int, _Entry] | None"
_MOST_RECENT = 4096


class IdTable(Protocol):
    """What every table does; ``n`` bounds are those of the reader's snapshot.

    Attributes
    ----------
    n : int
        Slots that the writer has filled; more than the snapshot's after a write that was
        interrupted, and then the table must not be extended any more.
    """

    n: int

    def take(self, slots: Int64Array) -> IdArray:
        """Return the ids of slots, as an array of the same shape."""

    def head(self, n: int) -> IdArray:
        """Return the ids of the first ``n`` slots; not to be written to."""

    def find(self, ids: IdArray, n: int) -> Int64Array:
        """Return the last slot below ``n`` of each id, -1 where it has none."""

    def extended(self, ids: IdArray) -> IdTable:
        """Return a table with these ids in the next slots; this one, where it can be."""

    def kept(self, slots: Int64Array) -> IdTable:
        """Return a new table of these slots (ascending) alone, numbered from 0."""

    def keys(self, start: int, stop: int) -> Int64Array | None:
        """Return numbers that order these slots by id; None where the slots do."""

    def size_bytes(self) -> int:
        """Return about how much memory it takes."""


def table_of(kind: IdKind | None, ids: IdArray) -> IdTable:
    """Return a table whose slots have these ids, which it keeps."""
    if kind in ("string", "uuid"):
        return ObjectIds(ids)
    n = ids.size
    if n == 0 or _is_contiguous(ids):
        return ContiguousIds(int(ids[0]) if n else 0, n)
    return IntegerIds(ids)


class ContiguousIds:
    """Ids that count up from the first one: they take no memory."""

    def __init__(self, first: int, n: int) -> None:
        self.first = first
        self.n = n

    def take(self, slots: Int64Array) -> Int64Array:
        """Return the ids of slots."""
        return slots + self.first if self.first else slots

    def head(self, n: int) -> Int64Array:
        """Return the ids of the first slots."""
        return np.arange(self.first, self.first + n, dtype=np.int64)

    def find(self, ids: IdArray, n: int) -> Int64Array:
        """Return the last slot of each id, -1 where it has none."""
        slots: Int64Array = ids - self.first  # may wrap around, and then matches nothing
        slots[(slots < 0) | (slots >= n)] = -1
        return slots

    def extended(self, ids: IdArray) -> IdTable:
        """Return a table with these ids in the next slots."""
        if ids.size == 0:
            return self
        if self.n == 0 or not (_is_contiguous(ids) and ids[0] == self.first + self.n):
            return table_of("integer", np.concatenate([self.head(self.n), ids]))
        self.n += ids.size
        return self

    def kept(self, slots: Int64Array) -> IdTable:
        """Return a new table of these slots alone."""
        return table_of("integer", slots + self.first)

    def keys(self, _start: int, _stop: int) -> Int64Array | None:
        """Return what orders these slots by id."""
        return None

    def size_bytes(self) -> int:
        """Return about how much memory it takes."""
        return 0


class IntegerIds:
    """Integers in any order.

    The first slots are found through sorted ids: the slots themselves, where ids only
    ever increase, else a table that is sorted when it is first needed. Later ones are in
    a dictionary until they are many, when a new table takes them up.
    """

    def __init__(self, ids: IdArray) -> None:
        self.n = self._n_sorted = ids.size
        self._ids: Any = ids
        self._is_increasing = _is_increasing(ids)
        self._sorted: tuple[Int64Array, Int64Array] | None = None
        self._recent: dict[int, _Entry] = {}

    def take(self, slots: Int64Array) -> Int64Array:
        """Return the ids of slots."""
        ids: Int64Array = self._ids[slots]
        return ids

    def head(self, n: int) -> Int64Array:
        """Return the ids of the first slots."""
        ids: Int64Array = self._ids[:n]
        return ids

    def find(self, ids: IdArray, n: int) -> Int64Array:
        """Return the last slot of each id, -1 where it has none."""
        if self._is_increasing:
            slots = _positions(self._ids[: min(n, self._n_sorted)], ids)
        else:
            in_order, slots_in_order = self._in_order()
            slots = _positions(in_order, ids)
            slots = np.where(slots >= 0, slots_in_order[slots], -1)
        if self._recent:
            for i, entry in enumerate(map(self._recent.get, ids.tolist())):
                slot = _latest(entry, n)
                if slot >= 0:
                    slots[i] = slot
        return slots

    def _in_order(self) -> tuple[Int64Array, Int64Array]:
        if self._sorted is None:  # two readers may both do it, with the same result
            ids = self._ids[: self._n_sorted]
            order = np.argsort(ids, kind="stable")
            in_order = ids[order]
            is_last = np.append(in_order[1:] != in_order[:-1], values=True)
            self._sorted = in_order[is_last], order[is_last]
        return self._sorted

    def extended(self, ids: IdArray) -> IdTable:
        """Return a table with these ids in the next slots."""
        n, total = self.n, self.n + ids.size
        follows = bool(ids.size) and _is_increasing(ids) and ids[0] > self._ids[n - 1]
        is_append = self._is_increasing and self._n_sorted == n and follows
        if not is_append and len(self._recent) + ids.size > max(_MOST_RECENT, n // 4):
            return IntegerIds(np.concatenate([self._ids[:n], ids]))
        self.n = total
        self._ids = _with_room(self._ids, n, total)
        self._ids[n:total] = ids
        if is_append:
            self._n_sorted = total
        else:
            _record(self._recent, ids.tolist(), n)
        return self

    def kept(self, slots: Int64Array) -> IdTable:
        """Return a new table of these slots alone."""
        return table_of("integer", self._ids[slots])

    def keys(self, start: int, stop: int) -> Int64Array | None:
        """Return what orders these slots by id."""
        ids: Int64Array = self._ids[start:stop]
        return None if _is_increasing(ids) else ids

    def size_bytes(self) -> int:
        """Return about how much memory it takes."""
        in_order = 0 if self._sorted is None else sum(part.nbytes for part in self._sorted)
        return int(self._ids.nbytes) + in_order + 100 * len(self._recent)


class ObjectIds:
    """Strings, ordered by code point, or UUIDs, ordered by their value as an integer."""

    def __init__(self, ids: IdArray, ranks: Int64Array | None = None) -> None:
        self.n = ids.size
        self._ids: Any = ids
        self._ranks = ranks  # of these ids, where somebody has sorted them before
        self._slots: dict[Any, _Entry] = dict(zip(ids.tolist(), range(ids.size), strict=True))

    @property
    def n_distinct(self) -> int:
        """How many different ids there are."""
        return len(self._slots)

    def take(self, slots: Int64Array) -> IdArray:
        """Return the ids of slots."""
        ids: IdArray = self._ids[slots]
        return ids

    def head(self, n: int) -> IdArray:
        """Return the ids of the first slots."""
        ids: IdArray = self._ids[:n]
        return ids

    def find(self, ids: IdArray, n: int) -> Int64Array:
        """Return the last slot of each id, -1 where it has none."""
        entries = map(self._slots.get, ids.tolist())
        return np.fromiter((_latest(entry, n) for entry in entries), np.int64, ids.size)

    def extended(self, ids: IdArray) -> IdTable:
        """Return a table with these ids in the next slots."""
        n, total = self.n, self.n + ids.size
        self.n = total
        self._ids = _with_room(self._ids, n, total)
        self._ids[n:total] = ids
        _record(self._slots, ids.tolist(), n)
        return self

    def kept(self, slots: Int64Array) -> IdTable:
        """Return a new table of these slots alone."""
        return ObjectIds(self._ids[slots])

    def keys(self, start: int, stop: int) -> Int64Array | None:
        """Return what orders these slots by id."""
        if self._ranks is not None and (start, stop) == (0, self._ranks.size):
            return self._ranks
        ids = self._ids[start:stop].tolist()
        order = sorted(range(len(ids)), key=ids.__getitem__)
        ranks = np.empty(len(ids), dtype=np.int64)
        ranks[order] = np.arange(len(ids))
        return None if _is_increasing(ranks) else ranks

    def size_bytes(self) -> int:
        """Return about how much memory it takes."""
        return int(self._ids.nbytes) + 160 * len(self._slots)


def order_of(ids: IdArray) -> Int64Array:
    """Return numbers that order ids of any shape; padding (None) comes first."""
    if ids.dtype != np.object_:
        return ids.astype(np.int64, copy=False)
    flat = ids.reshape(-1).tolist()
    ranks = {item: rank for rank, item in enumerate(sorted(set(flat) - {None}))}
    return np.array([ranks.get(item, -1) for item in flat], dtype=np.int64).reshape(ids.shape)


def no_ids(kind: IdKind | None) -> IdArray:
    """Return an empty array as ids of this kind are returned."""
    return padding((0,), kind)


def padding(shape: tuple[int, ...], kind: IdKind | None) -> IdArray:
    """Return what stands for "no row" in an answer: -1, or None for objects."""
    if kind in ("string", "uuid"):
        return np.full(shape, None, dtype=np.object_)
    return np.full(shape, -1, dtype=np.int64)


def _record(slots: dict[Any, _Entry], ids: list[Any], start: int) -> None:
    for slot, item in enumerate(ids, start):
        older = slots.get(item)
        slots[item] = slot if older is None else (slot, older)


def _latest(entry: _Entry, n: int) -> int:
    while entry is not None:
        slot, entry = entry if isinstance(entry, tuple) else (entry, None)
        if slot < n:
            return slot
    return -1


def _positions(in_order: Int64Array, ids: IdArray) -> Int64Array:
    """Return where in ``in_order`` each id is, -1 where it is not."""
    if in_order.size == 0:
        return np.full(ids.size, -1, dtype=np.int64)
    places = np.minimum(np.searchsorted(in_order, ids), in_order.size - 1)
    return np.where(in_order[places] == ids, places, -1)


def _with_room(buffer: Any, n: int, total: int) -> Any:  # noqa: ANN401 - ids of either dtype
    """Return a buffer with the same first ``n`` items and room for ``total``."""
    if total <= buffer.size:
        return buffer
    larger = np.empty(max(total, n + n // 2), dtype=buffer.dtype)
    larger[:n] = buffer[:n]
    return larger


def _is_increasing(ids: IdArray) -> bool:
    return bool((ids[1:] > ids[:-1]).all())


def _is_contiguous(ids: IdArray) -> bool:
    return bool(ids.size) and int(ids[-1]) - int(ids[0]) == ids.size - 1 and _is_increasing(ids)
