"""An index as plain arrays, for pickle; and snapshots that two indexes can go on from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.index.id_tables import ContiguousIds, table_of
from lookalike.index.searcher import load_codes
from lookalike.index.segments import Rows, Segment
from lookalike.index.snapshot import Snapshot
from lookalike.metrics import resolve

if TYPE_CHECKING:
    from lookalike.core.types import IdArray

__all__ = ["from_state", "independent", "to_state"]


def independent(snapshot: Snapshot) -> Snapshot:
    """Return the same snapshot for another index, that may change on its own.

    Rows and codes never change, and are shared; what a writer goes on writing to is not.
    """
    table = snapshot.table.kept(np.arange(snapshot.n_slots))
    return replace(snapshot, table=table, spare=None)


def to_state(snapshot: Snapshot) -> dict[str, Any]:
    """Return everything as plain arrays, numbers and names; rows that are mapped too.

    Raises
    ------
    FormatError
        Rows are mapped from a file that is damaged.
    """
    table = snapshot.table.kept(np.arange(snapshot.n_slots))
    ids: tuple[int, int] | IdArray = table.head(snapshot.n_slots)
    if isinstance(table, ContiguousIds):
        ids = table.first, table.n
    return {
        "metric": snapshot.metric.name,
        "dim": snapshot.dim,
        "id_kind": snapshot.id_kind,
        "next_id": snapshot.next_id,
        "version": snapshot.version,
        "ids": ids,
        "segments": [_segment_state(segment) for segment in snapshot.segments],
    }


def from_state(state: dict[str, Any]) -> Snapshot:
    """Return the snapshot that :func:`to_state` described."""
    ids: tuple[int, int] | IdArray = state["ids"]
    kind = state["id_kind"]
    segments: list[Segment] = []
    for part in state["segments"]:
        start = segments[-1].stop if segments else 0
        segments.append(_segment(part, start))
    return Snapshot(
        metric=resolve(state["metric"]),
        dim=state["dim"],
        segments=tuple(segments),
        table=ContiguousIds(*ids) if isinstance(ids, tuple) else table_of(kind, ids),
        id_kind=kind,
        next_id=state["next_id"],
        version=state["version"],
    )


def _segment_state(segment: Segment) -> dict[str, Any]:
    rows = segment.rows
    rows.verify()
    codes = rows.codes
    return {
        "rows": np.asarray(rows.array),  # a memmap would be pickled as one without a file
        "alive": segment.alive,
        "is_built": rows.is_built,
        "codes": None if codes is None else (dict(codes.arrays), codes.plan),
    }


def _segment(state: dict[str, Any], start: int) -> Segment:
    array, alive, codes = state["rows"], state["alive"], state["codes"]
    rows = Rows(
        array,
        is_copied=array.dtype == np.float32 and array.flags.c_contiguous,
        is_built=state["is_built"],
        codes=None if codes is None else load_codes(*codes),
    )
    n_live = array.shape[0] if alive is None else int(np.count_nonzero(alive))
    return Segment(rows, start, alive, n_live)
