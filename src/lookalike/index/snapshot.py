"""Snapshots: an index as it was at one moment. They never change, so readers need no lock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from lookalike.core.arrays import check_rows
from lookalike.core.errors import RangeError, ShapeError, UnknownIdError
from lookalike.index.cost import NO_COST, BadRowError, Cost
from lookalike.index.id_tables import IdTable, no_ids, padding, table_of
from lookalike.index.ids import require_kind
from lookalike.index.merging import in_order, merged, widened
from lookalike.index.plain import score_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from lookalike.core.types import BoolArray, Float32Array, IdArray, Int64Array
    from lookalike.index.ids import IdKind
    from lookalike.index.searcher import Searcher
    from lookalike.index.segments import Segment
    from lookalike.metrics import Metric

__all__ = ["Snapshot"]

_FEW_UNBUILT = 2000
_UNBUILT_SHARE = 10


@dataclass(frozen=True, eq=False)
class Snapshot:
    """An index at one moment.

    Attributes
    ----------
    metric : Metric
    dim : int or None
        None until rows, or a dimension, were given.
    segments : tuple of Segment
        In the order of adding.
    table : IdTable
        The ids of every slot; those from ``n_slots`` on belong to later snapshots.
    id_kind : IdKind or None
        None until rows were added.
    next_id : int
        The next automatic id.
    version : int
        How many snapshots were published before.
    spare : float32 array of shape (capacity, dim), optional
        The memory that the last segment's rows are the beginning of. Only the writer
        touches it, behind the rows of every snapshot.
    """

    metric: Metric
    dim: int | None
    segments: tuple[Segment, ...] = ()
    table: IdTable = field(default_factory=lambda: table_of(None, no_ids(None)))
    id_kind: IdKind | None = None
    next_id: int = 0
    version: int = 0
    spare: Float32Array | None = None

    n_slots: int = field(init=False)
    n_live: int = field(init=False)
    n_built: int = field(init=False)
    is_stale: bool = field(init=False)
    _cache: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        n_live = sum(segment.n_live for segment in self.segments)
        n_built = sum(segment.n_live for segment in self.segments if segment.rows.is_built)
        limit = max(_FEW_UNBUILT, n_built // _UNBUILT_SHARE)
        derived = {
            "n_slots": self.segments[-1].stop if self.segments else 0,
            "n_live": n_live,
            "n_built": n_built,
            "is_stale": n_live - n_built > limit,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def changed(self, **changes: Any) -> Snapshot:  # noqa: ANN401 - fields of any type
        """Return the next version, with some fields replaced."""
        return replace(self, version=self.version + 1, **changes)

    # What is in it ------------------------------------------------------------------------

    def live_slots(self) -> Int64Array:
        """Return the slots of the live rows, in the order of adding."""
        if "live_slots" not in self._cache:
            slots = [segment.live_rows() + segment.start for segment in self.segments]
            self._cache["live_slots"] = np.concatenate([np.empty(0, dtype=np.int64), *slots])
        found: Int64Array = self._cache["live_slots"]
        return found

    def ids(self) -> IdArray:
        """Return the ids of the live rows, in the order of adding; read-only."""
        if "ids" not in self._cache:
            if self.n_live == 0:
                ids = no_ids(self.id_kind)
            elif self.n_live == self.n_slots:
                ids = self.table.head(self.n_slots).view()
            else:
                ids = self.table.take(self.live_slots()).view()
            ids.flags.writeable = False
            self._cache["ids"] = ids
        found: IdArray = self._cache["ids"]
        return found

    def find(self, ids: IdArray) -> Int64Array:
        """Return the live slot of each id, -1 where it has none."""
        if self.n_slots == 0:
            return np.full(ids.size, -1, dtype=np.int64)
        slots = self.table.find(ids, self.n_slots)
        for segment in self.segments:
            if segment.alive is not None:
                inside = (slots >= segment.start) & (slots < segment.stop)
                dead = ~segment.alive[slots[inside] - segment.start]
                slots[np.flatnonzero(inside)[dead]] = -1
        return slots

    def require(self, kind: IdKind | None, ids: IdArray) -> Int64Array:
        """Return the live slot of each id.

        Raises
        ------
        IdTypeError
            The ids are of another kind than the index holds.
        UnknownIdError
            One is not in the index.
        """
        require_kind(kind, self.id_kind)
        slots = self.find(ids) if ids.size else np.empty(0, dtype=np.int64)
        unknown = np.flatnonzero(slots < 0)
        if unknown.size:
            raise UnknownIdError(
                f"id {ids[unknown[0]]!s:.200} is not in the index"
                + (f", nor are {unknown.size - 1} others" if unknown.size > 1 else "")
            )
        return slots

    def read(self, slots: Int64Array) -> Float32Array:
        """Return a copy of the rows in these slots, as float32 of shape (m, dim)."""
        found = np.empty((slots.size, self.dim or 0), dtype=np.float32)
        for segment in self.segments:
            inside = np.flatnonzero((slots >= segment.start) & (slots < segment.stop))
            if inside.size:
                with np.errstate(all="ignore"):
                    found[inside] = segment.read(slots[inside] - segment.start)
        return found

    def require_dim(self, dim: int, name: str) -> None:
        """Raise ShapeError unless embeddings of this dimension fit."""
        if self.dim is not None and dim != self.dim:
            raise ShapeError(f"{name} has dim {dim} but the index has dim {self.dim}")

    # Searching ----------------------------------------------------------------------------

    def searchers(self) -> tuple[Searcher, ...]:
        """Return who answers for each segment."""
        found: tuple[Searcher, ...] | None = self._cache.get("searchers")
        if found is None:
            found = tuple(
                segment.rows.searcher(self.metric, self.table, segment.start)
                for segment in self.segments
            )
            self._cache["searchers"] = found
        return found

    def plan(self) -> str:
        """Return in words how it is searched."""
        text: str | None = self._cache.get("plan")
        if text is None:
            plans = dict.fromkeys(searcher.describe() for searcher in self.searchers())
            text = self._cache["plan"] = ", ".join(plans) or "no rows"
        return text

    def nearest(
        self,
        queries: Float32Array,
        k: int,
        allowed: Sequence[BoolArray | None] | None,
        n_threads: int,
    ) -> tuple[IdArray, Float32Array, Cost]:
        """Return ids and distances (m, k), padded with -1 or None and inf, and the cost.

        Parameters
        ----------
        queries : float32 array of shape (m, dim)
        k : int
            At most the number of live rows.
        allowed : sequence of bool arrays, optional
            Which rows of each segment may be returned; None is all those alive.
        n_threads : int
        """
        best: tuple[IdArray, Float32Array] | None = None
        cost = NO_COST
        for i, searcher in enumerate(self.searchers()):
            segment = self.segments[i]
            wanted = min(k, segment.n_live)
            if wanted == 0 or queries.shape[0] == 0:
                continue
            mask = segment.alive if allowed is None else allowed[i]
            limits = None if best is None else _limits(best[1], k)
            try:
                rows, near, its_cost = searcher.nearest(
                    queries, wanted, allowed=mask, limits=limits, n_threads=n_threads
                )
            except BadRowError as error:
                self._raise_for(segment, error.row)
            # Where nothing was left out there is no padding, and no need to look for it.
            is_full = allowed is None and limits is None
            its_ids = self._ids_of(rows, segment.start, is_full=is_full)
            if best is None:
                best, cost = (its_ids, near), its_cost
            else:
                best, cost = merged(*best, its_ids, near, k), cost.plus(its_cost)
        if best is None:
            shape = queries.shape[0], k
            return padding(shape, self.id_kind), np.full(shape, np.inf, np.float32), NO_COST
        ids, distances = best if best[1].shape[1] == k else widened(*best, k)
        return ids, distances, cost

    def within(
        self,
        queries: Float32Array,
        radius: float,
        allowed: Sequence[BoolArray | None] | None,
        n_threads: int,
    ) -> tuple[list[tuple[IdArray, Float32Array]], Cost]:
        """Return, for each query, ids and distances at most ``radius`` away, and the cost."""
        parts: list[list[tuple[IdArray, Float32Array]]] = [[] for _ in queries]
        cost = NO_COST
        for i, (segment, searcher) in enumerate(zip(self.segments, self.searchers(), strict=True)):
            if segment.n_live == 0 or not parts:
                continue
            mask = segment.alive if allowed is None else allowed[i]
            try:
                answers, its_cost = searcher.within(
                    queries, radius, allowed=mask, n_threads=n_threads
                )
            except BadRowError as error:
                self._raise_for(segment, error.row)
            cost = cost.plus(its_cost)
            for part, (rows, distances) in zip(parts, answers, strict=True):
                part.append((self._ids_of(rows, segment.start, is_full=True), distances))
        empty = no_ids(self.id_kind), np.empty(0, dtype=np.float32)
        return [in_order(part) if part else empty for part in parts], cost

    def distances(self, query: Float32Array, n_threads: int) -> Float32Array:
        """Return the distance to every live row, in the order of adding."""
        found = [np.empty(0, dtype=np.float32)]
        for segment in self.segments:
            if segment.rows.file is not None:
                segment.rows.file.check("rows")
            try:
                every = score_rows(query, segment.rows.array, self.metric, segment.alive, n_threads)
            except BadRowError as error:
                self._raise_for(segment, error.row)
            found.append(every if segment.alive is None else every[segment.alive])
        return np.concatenate(found)

    def _ids_of(self, rows: Int64Array, start: int, *, is_full: bool) -> IdArray:
        slots = rows + start if start else rows
        if is_full or not (missing := rows < 0).any():
            return self.table.take(slots)
        ids = padding(rows.shape, self.id_kind)
        ids[~missing] = self.table.take(slots[~missing])
        return ids

    def _raise_for(self, segment: Segment, row: int) -> NoReturn:
        (identity,) = self.table.take(np.array([segment.start + row])).tolist()
        check_rows(segment.rows.array[row : row + 1], f"the embedding of id {identity!r}")
        raise RangeError(
            f"the {self.metric.name} distance to id {identity!r} is beyond the range of float32; "
            "rescale the embeddings"
        )


def _limits(distances: Float32Array, k: int) -> Float32Array | None:
    return np.ascontiguousarray(distances[:, k - 1]) if distances.shape[1] >= k else None
