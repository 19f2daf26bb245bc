"""What a writer does: from one snapshot to the next. Nothing is published here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lookalike.core.arrays import as_rows, check_rows
from lookalike.core.errors import DuplicateIdError, IdTypeError, ParameterError, ShapeError
from lookalike.index.compaction import compacted
from lookalike.index.id_tables import no_ids, table_of
from lookalike.index.ids import as_sequence, require_kind, require_unique
from lookalike.index.segments import Rows, Segment

if TYPE_CHECKING:
    from lookalike.core.types import Float32Array, IdArray, Int64Array, NumberArray
    from lookalike.index.id_tables import IdTable
    from lookalike.index.ids import IdKind
    from lookalike.index.snapshot import Snapshot

__all__ = ["added", "removed", "upserted"]

_SPARE_ROWS = 2048
_SPARE_BYTES = 16 << 20
_GROWTH_BYTES = 64 << 20
_LARGEST_ID = 2**63 - 1


def added(
    before: Snapshot, vectors: object, ids: object, *, is_copied: bool
) -> tuple[Snapshot, IdArray]:
    """Return the snapshot with these rows added, and their ids; see ``Index.add``."""
    rows = _checked_rows(before, vectors)
    if not is_copied:
        rows = _as_they_are(rows, vectors)
    n, dim = rows.shape
    kind, its_ids = _automatic(before, n) if ids is None else as_sequence(ids)
    _require_one_each(its_ids, n)
    require_kind(kind, before.id_kind)
    if n == 0:
        says_dim = before.dim is None and dim > 0
        return before.changed(dim=dim) if says_dim else before, no_ids(before.id_kind)
    if ids is not None:
        require_unique(its_ids)
        present = np.flatnonzero(before.find(its_ids) >= 0)
        if present.size:
            raise DuplicateIdError(
                f"id {its_ids.tolist()[present[0]]!r} is in the index already ({present.size} of "
                f"{n} are); nothing was added; upsert replaces"
            )
    after = _appended(before, before.segments, rows, kind, its_ids, is_copied=is_copied)
    return after, its_ids.copy()


def upserted(before: Snapshot, vectors: object, ids: object) -> Snapshot:
    """Return the snapshot with these rows added or replaced; see ``Index.upsert``."""
    rows = _checked_rows(before, vectors)
    kind, its_ids = as_sequence(ids)
    _require_one_each(its_ids, rows.shape[0])
    require_kind(kind, before.id_kind)
    if its_ids.size == 0:
        return before
    last = _last_occurrences(its_ids)
    if last.size < its_ids.size:
        rows, its_ids = rows[last], its_ids[last]
    slots = before.find(its_ids)
    segments = _without(before, slots[slots >= 0])
    return compacted(_appended(before, segments, rows, kind, its_ids, is_copied=True))


def removed(before: Snapshot, kind: IdKind | None, ids: IdArray) -> Snapshot:
    """Return the snapshot without these rows; see ``Index.remove``."""
    slots = np.unique(before.require(kind, ids))
    if slots.size == 0:
        return before
    return compacted(before.changed(segments=_without(before, slots)))


def _checked_rows(before: Snapshot, vectors: object) -> NumberArray:
    rows = as_rows(vectors, "vectors", empty_dim=before.dim or 0)
    if rows.shape != (0, 0):
        before.require_dim(rows.shape[1], "vectors")
        check_rows(rows, "vectors")
    return rows


def _as_they_are(rows: NumberArray, vectors: object) -> NumberArray:
    """Return the caller's own memory as rows that the scans read."""
    is_view = rows is vectors or rows.base is not None
    fits = rows.flags.aligned and not any(stride % rows.itemsize for stride in rows.strides)
    if not (is_view and fits and rows.itemsize <= 8):
        raise ParameterError(
            "copy=False needs an aligned array of numbers in native byte order, of at most 8 "
            f"bytes each; {type(vectors).__name__} would have to be converted: pass copy=True"
        )
    return rows.view(np.uint8) if rows.dtype == np.bool_ else rows


def _automatic(before: Snapshot, n: int) -> tuple[IdKind | None, IdArray]:
    if before.id_kind not in (None, "integer"):
        raise IdTypeError(f"this index has ids of type {before.id_kind}: ids must be given")
    if n == 0:
        return None, no_ids(before.id_kind)
    if before.next_id + n - 1 > _LARGEST_ID:
        raise ParameterError(f"automatic ids are used up at {before.next_id}; give ids")
    return "integer", np.arange(n, dtype=np.int64) + before.next_id


def _require_one_each(ids: IdArray, n: int) -> None:
    if ids.size != n:
        raise ShapeError(f"{ids.size} ids were given for {n} vectors; one for each is expected")


def _last_occurrences(ids: IdArray) -> Int64Array:
    """Return, ascending, where each distinct id occurs last."""
    if ids.dtype == np.int64:
        _, first = np.unique(ids[::-1], return_index=True)
        return np.sort(ids.size - 1 - first)
    last = {item: place for place, item in enumerate(ids.tolist())}
    return np.array(sorted(last.values()), dtype=np.int64)


def _without(snapshot: Snapshot, slots: Int64Array) -> tuple[Segment, ...]:
    segments = []
    for segment in snapshot.segments:
        inside = (slots >= segment.start) & (slots < segment.stop)
        rows = slots[inside] - segment.start
        segments.append(segment.without(rows) if rows.size else segment)
    return tuple(segments)


def _appended(
    before: Snapshot,
    segments: tuple[Segment, ...],
    rows: NumberArray,
    kind: IdKind | None,
    ids: IdArray,
    *,
    is_copied: bool,
) -> Snapshot:
    """Return the next version: these segments, of the same slots, and new rows."""
    if is_copied:
        segments, spare = _grown(before, segments, rows)
    else:
        segments = (*segments, Segment.of(Rows(rows, is_copied=False), before.n_slots))
        spare = None
    next_id = max(before.next_id, int(ids.max()) + 1) if kind == "integer" else before.next_id
    return before.changed(
        segments=segments,
        spare=spare,
        table=_extended(before, kind, ids),
        dim=rows.shape[1],
        id_kind=kind,
        next_id=next_id,
    )


def _extended(before: Snapshot, kind: IdKind | None, ids: IdArray) -> IdTable:
    if before.n_slots == 0:
        return table_of(kind, ids)
    table = before.table
    if table.n != before.n_slots:  # a write was interrupted, and left ids nobody has seen
        table = table.kept(np.arange(before.n_slots))
    return table.extended(ids)


def _grown(
    before: Snapshot, segments: tuple[Segment, ...], rows: NumberArray
) -> tuple[tuple[Segment, ...], Float32Array]:
    """Copy rows behind the last segment's, and the rest into a new segment."""
    n, dim = rows.shape
    spare, done = before.spare, 0
    if spare is not None:
        last = segments[-1]
        done = min(n, spare.shape[0] - last.n)
        if done:
            segments = (*segments[:-1], _filled(last, spare, rows[:done]))
    if spare is None or done < n:
        n_unbuilt = before.n_live - before.n_built
        grown = min(n_unbuilt, _GROWTH_BYTES // (4 * dim))
        least = min(_SPARE_ROWS, _SPARE_BYTES // (4 * dim))
        spare = np.empty((max(n - done, grown, least), dim), dtype=np.float32)
        empty = Segment.of(Rows(spare[:0], is_copied=True), before.n_slots + done)
        segments = (*segments, _filled(empty, spare, rows[done:]))
    return segments, spare


def _filled(last: Segment, spare: Float32Array, rows: NumberArray) -> Segment:
    total, n = last.n + rows.shape[0], rows.shape[0]
    with np.errstate(all="ignore"):  # the rows were checked; denormals are as they are
        spare[last.n : total] = rows
    alive = None if last.alive is None else np.append(last.alive, np.ones(n, dtype=np.bool_))
    return Segment(Rows(spare[:total], is_copied=True), last.start, alive, last.n_live + n)
