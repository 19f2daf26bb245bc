"""``explain``: how an index is searched, and what that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lookalike.index.segments import Segment
    from lookalike.index.snapshot import Snapshot

__all__ = ["explained"]

_UNITS = ["bytes", "KB", "MB", "GB", "TB"]


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
        plan = snapshot.searchers()[number].describe()
        lines.append(f"segment {number}: {_described(segment)}; {plan}")
    if snapshot.is_stale:
        lines.append("not prepared yet: the next search does it first, as build() would")
    n_bytes = sum(segment.n * _row_bytes(segment) for segment in snapshot.segments)
    lines += [
        f"ids: {_size(snapshot.table.size_bytes())}",
        f"a query reads at most {_size(n_bytes)} of rows",
    ]
    return "\n".join(lines)


def _described(segment: Segment) -> str:
    rows = segment.rows
    array = rows.array
    where = "copied" if rows.is_copied else "as given"
    if rows.file is not None:
        where = f"mapped from {rows.file.path}"
    dead = f" ({segment.n - segment.n_live} removed)" if segment.n_live < segment.n else ""
    codes = f", codes {_size(rows.codes.size_bytes)}" if rows.codes is not None else ""
    return f"{segment.n} rows{dead} of {array.dtype}, {where}, {_size(array.nbytes)}{codes}"


def _row_bytes(segment: Segment) -> int:
    array = segment.rows.array
    return int(array.shape[1]) * array.itemsize


def _size(n_bytes: float) -> str:
    for unit in _UNITS:
        if n_bytes < 1000 or unit == _UNITS[-1]:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    raise AssertionError
