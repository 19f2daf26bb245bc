"""Make sections-1.lookalike: a file of sections of version 1, which must open for ever.

Made once, when version 1 was new::

    python tests/storage/golden/make_golden.py

It shares nothing with Lookalike: it follows docs/index-format.md with ``struct`` and
``zlib``, so that the page, this script and the library hold each other to their word.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "example"
LIBRARY = "lookalike 0.1.0"
META: dict[str, Any] = {"dim": 3, "names": ["caf\xe9", "\udce9", None], "ratio": 0.1, "is_it": True}
SECTIONS: dict[str, NDArray[Any]] = {
    "rows": np.arange(15, dtype="<f4").reshape(5, 3) / 4,
    "ids": np.array([-1, 0, 2**63 - 1, -(2**63)], dtype="<i8"),
    "empty": np.zeros((0, 7), dtype="<f8"),
    "names": np.array([b"a", b"b\x00c", b"\xff\xfe\xfd"], dtype="|S3"),
    "alive": np.array([True, False, True]),
    "codes": (np.arange(65536 + 300) % 251).astype("|i1").reshape(-1, 4, 1),
    "half": np.array([[[0.5]], [[-np.inf]]], dtype="<f2"),
    "words": np.arange(5, dtype="<u2"),
}

BLOCK = 65536
PAGE = 4096


def page_from(offset: int) -> int:
    return (offset + PAGE - 1) // PAGE * PAGE


def header_json(first_offset: int) -> bytes:
    offset, entries = first_offset, list[dict[str, Any]]()
    for name, array in SECTIONS.items():
        entries.append(
            {
                "name": name,
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "offset": offset,
                "size_bytes": array.nbytes,
            }
        )
        offset = page_from(offset + array.nbytes)
    for entry, array in zip(entries, SECTIONS.values(), strict=True):
        entry["checksums_offset"] = offset
        offset += 4 * ((array.nbytes + BLOCK - 1) // BLOCK)
    document: dict[str, Any] = {"kind": KIND, "library": LIBRARY, "meta": META, "sections": entries}
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def golden_bytes() -> bytes:
    header = header_json(PAGE)
    assert 40 + len(header) <= PAGE
    body, tables = bytearray(40) + header, b""
    for array in SECTIONS.values():
        body.extend(bytes(page_from(len(body)) - len(body)))
        content = array.tobytes()
        body.extend(content)
        blocks = [content[first : first + BLOCK] for first in range(0, len(content), BLOCK)]
        tables += b"".join(struct.pack("<I", zlib.crc32(block)) for block in blocks)
    body.extend(bytes(page_from(len(body)) - len(body)))
    body.extend(tables)
    preamble = struct.pack("<16sIIQ", b"\x93LOOKALIKE-IDX\r\n", 1, len(header), len(body))
    preamble += struct.pack("<I", zlib.crc32(tables))
    body[:40] = preamble + struct.pack("<I", zlib.crc32(preamble + header))
    return bytes(body)


if __name__ == "__main__":
    Path(__file__).with_name("sections-1.lookalike").write_bytes(golden_bytes())
