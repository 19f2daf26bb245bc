"""``explain``: how an index is searched, and what that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lookalike.core.sizes import size_in_words

if TYPE_CHECKING:
    from lookalike.index.segments import Segment
    from lookalike.index.snapshot import Snapshot

__all__ = ["explained"]


def explained(snapshot: Snapshot, k: int, recall: float) -> str:
    """Return the plan of a search, the memory of each part, and the expected cost."""
    kind = snapshot.id_kind or "any"
    lines = [
        (
            f"{snapshot.n_live} rows, dim {snapshot.dim or 'not known yet'}, "
            f"{snapshot.metric.name}, {kind} ids, version {snapshot.version}"
        ),
        f"k={k}, recall={recall:g}: exact, certified",
    ]
    for number, segment in enumerate(snapshot.segments):
        searcher = snapshot.searchers()[number]
        lines.append(f"segment {number}: {_described(segment)}; {searcher.describe()}")
        lines.extend(f"  {line}" for line in searcher.explain())
    if snapshot.is_stale:
        lines.append("not prepared yet: the next search does it first, as build() would")
    n_bytes = sum(segment.n * _row_bytes(segment) for segment in snapshot.segments)
    lines += [
        f"ids: {size_in_words(snapshot.table.size_bytes())}",
        f"a query reads at most {size_in_words(n_bytes)} of rows",
    ]
    return "\n".join(lines)


def _described(segment: Segment) -> str:
    rows = segment.rows
    array = rows.array
    where = "copied" if rows.is_copied else "as given"
    if rows.file is not None:
        where = f"mapped from {rows.file.path}"
    dead = f" ({segment.n - segment.n_live} removed)" if segment.n_live < segment.n else ""
    codes = f", codes {size_in_words(rows.codes.size_bytes)}" if rows.codes is not None else ""
    return f"{segment.n} rows{dead} of {array.dtype}, {where}, {size_in_words(array.nbytes)}{codes}"


def _row_bytes(segment: Segment) -> int:
    array = segment.rows.array
    return int(array.shape[1]) * array.itemsize
