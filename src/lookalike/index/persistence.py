"""An index as one file: ``save``, ``open`` and ``verify``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.core.errors import LookalikeError
from lookalike.core.progress import as_progress
from lookalike.index.compaction import copy_live_rows
from lookalike.index.id_sections import id_sections, read_ids
from lookalike.index.searcher import build_codes, load_codes
from lookalike.index.segments import Rows, Segment
from lookalike.index.snapshot import Snapshot
from lookalike.metrics import METRICS
from lookalike.storage import sections
from lookalike.storage.section_header import damage_error
from lookalike.storage.section_writer import ChunkedSection, write_sections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lookalike.core.progress import Progress
    from lookalike.storage.sections import SectionFile

__all__ = ["KIND", "load", "save", "verify"]

KIND = "index"
_CODES = "codes."
_KEPT_DTYPES = tuple(map(np.dtype, ("float32", "float16", "uint8", "int8")))
_IN_MEMORY_BYTES = 256 << 20


def save(
    snapshot: Snapshot, path: str | os.PathLike[str], n_threads: int, progress: Progress
) -> None:
    """Write the live rows of a snapshot, as one segment, with their codes.

    Raises
    ------
    OSError
        The folder cannot be written, or the disk is full; ``path`` is as it was.
    FormatError
        Rows are mapped from a file that is damaged.
    """
    meta = {
        "metric": snapshot.metric.name,
        "dim": snapshot.dim,
        "count": snapshot.n_live,
        "next_id": snapshot.next_id,
        "id_kind": snapshot.id_kind,
        "is_built": False,
        "plan": None,
    }
    content: dict[str, NDArray[Any] | ChunkedSection] = {}
    if snapshot.n_live:
        rows = _as_one(snapshot, path, n_threads)
        meta["is_built"] = rows.is_built
        content["rows"] = _rows_section(rows)
        if rows.codes is not None:
            meta["plan"] = rows.codes.plan
            for name, array in rows.codes.arrays.items():
                content[_CODES + name] = _section(rows, _CODES + name, array)
        table = snapshot.table.kept(snapshot.live_slots())
        meta |= id_sections(table, snapshot.id_kind, snapshot.n_live, content)
    write_sections(path, KIND, meta, content, progress=progress)


def load(path: str | os.PathLike[str]) -> Snapshot:
    """Return the snapshot that was saved, its rows and codes mapped.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    FormatError
        The file is foreign, truncated, damaged or newer.
    """
    file = sections.SectionFile.open(path, KIND)
    try:
        return _loaded(file, file.meta)
    except KeyError as error:
        raise damage_error(file.path, f"its header lacks {error}") from error
    except LookalikeError:
        raise  # it names the file already
    except (TypeError, ValueError) as error:
        raise damage_error(file.path, str(error)) from error


def verify(path: str | os.PathLike[str]) -> None:
    """Check every bit of a file, as ``lookalike.verify``."""
    sections.verify(path, KIND)
    load(path)  # and that it says what an index can be


def _loaded(file: SectionFile, meta: Mapping[str, Any]) -> Snapshot:
    metric, dim, count = METRICS[meta["metric"]], meta["dim"], _whole(meta, "count")
    kind, next_id = meta["id_kind"], _whole(meta, "next_id")
    if kind not in (None, "integer", "string", "uuid"):
        raise ValueError(f"ids of kind {kind!r} are unknown")
    if count or dim is not None:
        dim = _whole(meta, "dim")
    if not count:
        return Snapshot(metric, dim, id_kind=kind, next_id=next_id)
    rows = file.array("rows", shape=(count, dim))
    if rows.dtype not in _KEPT_DTYPES:
        raise ValueError(f"its rows are {rows.dtype}")
    arrays = {
        name.removeprefix(_CODES): file.array(name)
        for name in file.names
        if name.startswith(_CODES)
    }
    codes = load_codes(arrays, meta["plan"]) if arrays else None
    is_built = meta["is_built"] is True
    ready = Rows(rows, is_copied=False, is_built=is_built, codes=codes, file=file)
    table = read_ids(file, kind, count)
    ready.searcher(metric, table, 0)  # now, so that codes that cannot be are refused here
    return Snapshot(metric, dim, (Segment.of(ready),), table, kind, next_id)


def _whole(meta: Mapping[str, Any], name: str) -> int:
    value = meta[name]
    if type(value) is not int or value < (name == "dim"):
        raise ValueError(f"{name} is {value!r}")
    return value


def _as_one(snapshot: Snapshot, path: str | os.PathLike[str], n_threads: int) -> Rows:
    """Return the live rows as they are written: of one segment its own, else a copy."""
    segments = [segment for segment in snapshot.segments if segment.n_live]
    if len(segments) == 1 and segments[0].n_live == segments[0].n:
        return segments[0].rows
    shape = snapshot.n_live, segments[0].rows.array.shape[1]
    if 4 * shape[0] * shape[1] <= _IN_MEMORY_BYTES:
        out = np.empty(shape, dtype=np.float32)
    else:
        folder = Path(os.path.realpath(path)).parent
        with tempfile.TemporaryFile(prefix=".lookalike-", dir=folder) as file:
            out = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
    copy_live_rows(segments, out)
    codes = build_codes(
        out, snapshot.metric, alive=None, n_threads=n_threads, progress=as_progress(False, "")
    )
    return Rows(out, is_copied=True, is_built=True, codes=codes)


def _rows_section(rows: Rows) -> NDArray[Any] | ChunkedSection:
    """Return the rows, as float32 where another dtype would only make the file larger."""
    if rows.array.dtype in _KEPT_DTYPES:
        return _section(rows, "rows", rows.array)
    chunks = Segment.of(rows).live_chunks()
    return ChunkedSection(
        np.float32,
        rows.array.shape,
        (chunk.astype(np.float32) for chunk in chunks),
    )


def _section(rows: Rows, name: str, array: NDArray[Any]) -> NDArray[Any] | ChunkedSection:
    """Return an array to be written; what is mapped is verified while it is read."""
    return array if rows.file is None else rows.file.chunked(name)
