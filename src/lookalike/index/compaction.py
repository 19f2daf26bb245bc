"""Giving back the memory of dead rows, and preparing rows to be searched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lookalike.index.searcher import build_codes
from lookalike.index.segments import Rows, Segment

if TYPE_CHECKING:
    from lookalike.core.progress import ProgressCallback
    from lookalike.core.types import Float32Array, Int64Array
    from lookalike.index.snapshot import Snapshot

__all__ = ["built", "compacted", "copy_live_rows"]

_MOST_DEAD = 4096
#: Built rows are built again to be one with the rows behind them, if those are this part.
_WORTH_MERGING = 8

#: Neighbouring segments, and whether their live rows are to be copied into a new one.
_Run: TypeAlias = tuple[list[Segment], bool]


def compacted(snapshot: Snapshot) -> Snapshot:
    """Return the same version with the memory of many dead rows given back.

    Cost: nothing while dead rows are fewer than live ones, so that the copying is spread
    over the calls that made rows dead.
    """
    n_dead = snapshot.n_slots - snapshot.n_live
    if n_dead <= max(_MOST_DEAD, snapshot.n_live):
        return snapshot
    runs: list[_Run] = [([part], _is_mostly_dead(part)) for part in snapshot.segments]
    return _rewritten(snapshot, runs)


def built(snapshot: Snapshot, n_threads: int, progress: ProgressCallback) -> Snapshot:
    """Return the next version, prepared for searching; the same one where it is already.

    Neighbouring segments of copied rows become one, unless one that was built is many
    times larger than what is behind it; mapped rows stay where they are.
    """
    runs = _runs(snapshot)
    is_ready = all(
        not is_copied and segment.rows.is_built for run, is_copied in runs for segment in run
    )
    if is_ready:
        return snapshot
    joined = _rewritten(snapshot, runs)
    segments, done = [], 0
    for segment in joined.segments:
        before = done

        def tell(rows_done: int, _total: int, before: int = before) -> None:
            progress(before + rows_done, joined.n_slots)

        segments.append(_built(segment, joined, n_threads, tell))
        done += segment.n
    return joined.changed(segments=tuple(segments), spare=None)


def _built(
    segment: Segment, snapshot: Snapshot, n_threads: int, progress: ProgressCallback
) -> Segment:
    rows = segment.rows
    if rows.is_built:
        progress(segment.n, segment.n)
        return segment
    rows.verify()
    codes = build_codes(
        rows.array,
        snapshot.metric,
        alive=segment.alive,
        n_threads=n_threads,
        progress=progress,
    )
    ready = Rows(rows.array, is_copied=rows.is_copied, is_built=True, codes=codes, file=rows.file)
    return replace(segment, rows=ready)


def _runs(snapshot: Snapshot) -> list[_Run]:
    # Those without a live row go first of all: they must not keep their neighbours apart.
    runs: list[_Run] = [([part], True) for part in snapshot.segments if part.n_live == 0]
    n_dead = len(runs)
    run: list[Segment] = []  # from the last to the first
    for segment in reversed([part for part in snapshot.segments if part.n_live]):
        weight = sum(later.n_live for later in run)
        rows = segment.rows
        joins = not rows.is_built or segment.n_live <= _WORTH_MERGING * weight
        if run and not (rows.is_copied and joins):
            runs.append(_run_of(run))
            run = []
        run.append(segment)
        if not rows.is_copied:
            runs.append(_run_of(run))
            run = []
    if run:
        runs.append(_run_of(run))
    return runs[:n_dead] + runs[n_dead:][::-1]


def _run_of(run: list[Segment]) -> _Run:
    return run[::-1], len(run) > 1 or _is_mostly_dead(run[0])


def _is_mostly_dead(segment: Segment) -> bool:
    """Tell whether rows should go: mapped ones cost no memory, and stay while one is alive."""
    if segment.rows.is_copied:
        return 2 * segment.n_live < segment.n
    return segment.n_live == 0


def _rewritten(snapshot: Snapshot, runs: list[_Run]) -> Snapshot:
    """Return the same version and rows in fewer segments, without the dead of some."""
    segments: list[Segment] = []
    kept: list[Int64Array] = []
    start = 0
    for run, is_copied in runs:
        if not is_copied:
            (segment,) = run
            kept.append(np.arange(segment.start, segment.stop))
        else:
            kept.extend(part.start + part.live_rows() for part in run)
            segment = _copy_of(run)
        if segment.n:
            segments.append(segment.at(start))
            start += segment.n
    is_last_kept = bool(segments) and segments[-1].rows is snapshot.segments[-1].rows
    spare = snapshot.spare if is_last_kept else None
    table = snapshot.table
    if start < snapshot.n_slots:
        table = table.kept(np.concatenate(kept))
    return replace(snapshot, segments=tuple(segments), table=table, spare=spare)


def _copy_of(run: list[Segment]) -> Segment:
    shape = sum(segment.n_live for segment in run), run[0].rows.array.shape[1]
    rows = np.empty(shape, dtype=np.float32)
    copy_live_rows(run, rows)
    return Segment.of(Rows(rows, is_copied=True))


def copy_live_rows(segments: list[Segment], out: Float32Array) -> None:
    """Write the live rows of segments, in order, to ``out``, which has room for just them.

    Raises
    ------
    FormatError
        They are mapped from a file that is damaged.
    """
    done = 0
    for segment in segments:
        for chunk in segment.live_chunks():
            with np.errstate(all="ignore"):  # they were checked when they were added
                out[done : done + chunk.shape[0]] = chunk
            done += chunk.shape[0]
