"""The ids of an index as sections of its file.

Integers that count up are two numbers of the header; others are int64. Strings are UTF-8
one after another (lone surrogates included) and where each begins; UUIDs are 16 bytes
each. Beside the latter two is their order, so that opening need not sort them.
"""

from __future__ import annotations

import uuid
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.index.id_tables import ContiguousIds, ObjectIds, table_of
from lookalike.index.ids import as_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lookalike.core.types import IdArray
    from lookalike.index.id_tables import IdTable
    from lookalike.index.ids import IdKind
    from lookalike.storage.section_writer import ChunkedSection
    from lookalike.storage.sections import SectionFile

__all__ = ["id_sections", "read_ids"]


def id_sections(
    table: IdTable,
    kind: IdKind | None,
    n: int,
    content: dict[str, NDArray[Any] | ChunkedSection],
) -> dict[str, int]:
    """Add the sections of the first ``n`` ids to ``content``; return more of the header."""
    if isinstance(table, ContiguousIds):
        return {"first_id": table.first}
    ids = table.head(n)
    if kind == "integer":
        content["ids"] = ids
        return {}
    if kind == "string":
        encoded = [item.encode("utf-8", "surrogatepass") for item in ids.tolist()]
        ends = np.cumsum([len(item) for item in encoded], dtype=np.int64)
        content["ids"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        content["id_ends"] = ends
    else:
        joined = b"".join(item.bytes for item in ids.tolist())
        content["ids"] = np.frombuffer(joined, dtype=np.uint8).reshape(n, 16)
    ranks = table.keys(0, n)
    if ranks is not None:
        content["id_ranks"] = ranks
    return {}


def read_ids(file: SectionFile, kind: IdKind | None, n: int) -> IdTable:
    """Return the ids of a file, verified.

    Raises
    ------
    FormatError
        A section of them is damaged or missing.
    ValueError, KeyError
        They are not what the header says.
    """
    if kind == "integer" and "ids" not in file.names:
        first = file.meta["first_id"]
        if type(first) is not int or not -(2**63) <= first <= 2**63 - n:
            raise ValueError(f"first_id is {first!r}")
        return ContiguousIds(first, n)
    for name in ("ids", "id_ends", "id_ranks"):
        if name in file.names:
            file.check(name)
    if kind == "integer":
        return table_of(kind, file.array("ids", dtype=np.int64, shape=(n,)))
    ids = _strings(file, n) if kind == "string" else _uuids(file, n)
    ranks = None
    if "id_ranks" in file.names:
        ranks = file.array("id_ranks", dtype=np.int64, shape=(n,))
    table = ObjectIds(ids, ranks)
    if table.n_distinct < n:
        raise ValueError("an id occurs twice")
    return table


def _strings(file: SectionFile, n: int) -> IdArray:
    ends = file.array("id_ends", dtype=np.int64, shape=(n,))
    content = file.array("ids", dtype=np.uint8, shape=(None,)).tobytes()
    places = [0, *ends.tolist()]
    if places[-1] != len(content) or any(start > stop for start, stop in pairwise(places)):
        raise ValueError("its strings do not end where they should")
    return as_objects(
        [content[start:stop].decode("utf-8", "surrogatepass") for start, stop in pairwise(places)]
    )


def _uuids(file: SectionFile, n: int) -> IdArray:
    content = file.array("ids", dtype=np.uint8, shape=(n, 16)).tobytes()
    return as_objects([uuid.UUID(bytes=content[16 * i : 16 * i + 16]) for i in range(n)])
