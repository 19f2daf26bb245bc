"""``save``, ``open`` and ``verify``: what comes back, and what is refused."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lookalike as la
from lookalike.index import compaction, persistence, segments
from lookalike.index.searcher import Codes, make_searcher
from lookalike.storage.section_writer import write_sections
from lookalike.storage.sections import SectionFile

if TYPE_CHECKING:
    from pathlib import Path

IDS: dict[str, Any] = {
    "automatic": None,
    "counting": list(range(-3, 57)),
    "increasing": list(range(0, 120, 2)),
    "any order": [(n * 37) % 61 - 2**62 for n in range(60)],
    "strings": [f"{n * 37 % 61} é\ud800\x00\U0001f600"[: n % 8] + f"_{n}" for n in range(59)]
    + [""],
    "sorted strings": [f"{n:03d}" for n in range(60)],
    "uuids": [uuid.UUID(int=(n * 37 % 61) << 121 | n) for n in range(60)],
}


def rows(dtype: Any = "f4", dim: int = 5) -> Any:
    return np.random.default_rng(4).integers(0, 3, (60, dim)).astype(dtype)


def everything(index: la.Index) -> Any:
    queries = rows()[:3]
    batch = index.search_batch(queries, 70)
    return (
        (index.metric, index.dim, index.ids.dtype, index.ids.tolist()),
        (batch.ids.tolist(), batch.distances.tobytes()),
        index.get(index.ids).tobytes(),
        index.distances(queries[0]).tobytes(),
        [found.ids.tolist() for found in index.within_batch(queries, 2.0)],
    )


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS.keys())
@pytest.mark.parametrize("how", ["whole", "in parts", "with holes"])
def test_what_was_saved_comes_back(tmp_path: Path, ids: Any, how: str) -> None:
    index = la.Index("euclidean")
    if how == "whole":
        index.add(rows(), ids)
    else:
        for start in (0, 20, 40):
            part = None if ids is None else ids[start : start + 20]
            index.add(rows()[start : start + 20], part, copy=start != 20)
    if how == "with holes":
        index.remove(index.ids[[0, 7, 21, 59]])
        index.upsert(np.zeros((2, 5)), index.ids[[3, 30]])
    before = everything(index)
    index.save(tmp_path / "index")
    la.verify(tmp_path / "index")
    opened = la.open(tmp_path / "index")
    assert everything(opened) == before
    assert all(identity in opened for identity in index.ids)
    assert opened._snapshot.next_id == index._snapshot.next_id
    if index.ids.dtype == np.int64:
        opened.add(rows()[:3])
    opened.upsert(np.ones((1, 5)), opened.ids[5:6])
    opened.remove(opened.ids[:2])
    opened.save(str(tmp_path / "again"))
    assert everything(la.open(tmp_path / "again")) == everything(opened)


@pytest.mark.parametrize("metric", ["cosine", "manhattan"])
@pytest.mark.parametrize("dim", [None, 3])
def test_an_empty_index_comes_back(tmp_path: Path, metric: Any, dim: Any) -> None:
    la.Index(metric, dim=dim).save(tmp_path / "index")
    opened = la.open(tmp_path / "index")
    assert (opened.metric, opened.dim, len(opened)) == (metric, dim, 0)
    assert opened.add(np.ones((1, 3))).tolist() == [0]


def test_an_emptied_index_keeps_its_type_of_id(tmp_path: Path) -> None:
    index = la.Index()
    index.add(np.ones((1, 3)), ["a"])
    index.remove("a")
    index.save(tmp_path / "index")
    opened = la.open(tmp_path / "index")
    assert opened.ids.dtype == object
    with pytest.raises(la.IdTypeError):
        opened.add(np.ones((1, 3)), [1])
    opened.add(np.ones((1, 3)), ["b"])
    opened.upsert(np.eye(3), ["c", "b", "a"])
    assert opened.ids.tolist() == ["c", "b", "a"]
    assert opened.search([0, 0, 1], 1).ids.tolist() == ["a"]


@pytest.mark.parametrize(
    ("dtype", "kept"), [("f4", "f4"), ("f2", "f2"), ("u1", "u1"), ("f8", "f4"), ("i8", "f4")]
)
def test_rows_that_were_not_copied_keep_a_small_dtype(
    tmp_path: Path, dtype: str, kept: str
) -> None:
    index = la.Index("manhattan")
    index.add(rows(dtype), copy=False)
    index.save(tmp_path / "index")
    opened = la.open(tmp_path / "index")
    assert SectionFile.open(tmp_path / "index", "index").array("rows").dtype == kept
    assert everything(opened) == everything(index)


@pytest.mark.parametrize("in_memory_bytes", [0, 1 << 20])
def test_many_segments_are_written_as_one(
    tmp_path: Path, in_memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "_IN_MEMORY_BYTES", in_memory_bytes)
    index = la.Index("euclidean")
    for dtype in ("f4", "u1", "f8"):
        index.add(rows(dtype), copy=False)
    index.remove([0, 100])
    index.save(tmp_path / "index")
    (segment,) = la.open(tmp_path / "index")._snapshot.segments
    assert (segment.n, segment.alive, segment.rows.is_built) == (178, None, True)
    assert everything(la.open(tmp_path / "index")) == everything(index)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_rows_stay_in_the_file_and_are_not_read_by_opening(tmp_path: Path) -> None:
    index = la.Index("euclidean")
    index.add(np.ones((20_000, 64)))
    index.save(tmp_path / "index")
    opened = la.open(tmp_path / "index")
    found = opened._snapshot.segments[0].rows
    assert found.file is not None
    verified = found.file.blocks("rows").verified
    assert verified.size == 79
    assert not verified.any()
    assert not found.array.flags.owndata
    assert not found.array.flags.writeable
    opened.get(10_000)
    assert 1 <= verified.sum() <= 2


def test_an_index_can_be_saved_over_the_file_that_it_is_mapped_from(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = la.Index("euclidean")
    index.add(rows(), IDS["strings"])
    index.save(path)
    for turn in range(3):
        opened, before = la.open(path), la.open(path)
        held = everything(before)
        opened.upsert(np.full((1, 5), turn), ["new"])
        opened.remove(opened.ids[0])
        opened.save(path)
        assert everything(la.open(path)) == everything(opened)
        assert everything(before) == held


def test_codes_are_saved_and_pickled_with_the_rows_that_they_belong_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_codes(some: Any, _metric: Any, *, alive: Any, **_: Any) -> Codes:
        assert alive is None
        return Codes({"sums": np.asarray(some).sum(axis=1)}, {"levels": [1, 2]})

    for module in (compaction, persistence):
        monkeypatch.setattr(module, "build_codes", build_codes)
    monkeypatch.setattr(  # nobody else could use these codes
        segments,
        "make_searcher",
        lambda some, metric, keys, _codes, file: make_searcher(some, metric, keys, None, file),
    )
    index = la.Index("euclidean")
    index.add(rows()[:50])
    index.save(tmp_path / "one")
    index.add(rows()[50:], copy=False)
    index.save(tmp_path / "two")
    for name, n in (("one", 50), ("two", 60)):
        (segment,) = la.open(tmp_path / name)._snapshot.segments
        assert segment.rows.is_built
        assert segment.rows.codes is not None
        assert segment.rows.codes.plan == {"levels": [1, 2]}
        assert segment.rows.codes.arrays["sums"].tolist() == rows()[:n].sum(axis=1).tolist()
        assert f"codes {4 * n} bytes" in la.open(tmp_path / name).explain()


def test_progress_counts_the_bytes(tmp_path: Path) -> None:
    index = la.Index()
    index.add(rows())
    told: list[Any] = []
    index.save(tmp_path / "index", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (1200, 1200)


# Damage -----------------------------------------------------------------------------------


def damage(path: Path, name: str, byte: int) -> None:
    offset = SectionFile.open(path, "index")._section(name).offset
    content = bytearray(path.read_bytes())
    content[offset + byte] ^= 4
    path.write_bytes(content)


def test_a_damaged_row_is_never_served(tmp_path: Path) -> None:
    path = tmp_path / "index"
    index = la.Index("euclidean")
    index.add(np.ones((3000, 64), dtype=np.float32))  # eleven full blocks, and one
    index.save(path)
    damage(path, "rows", 5 * 65536 + 17)
    query = np.ones(64)
    calls: list[Any] = [
        lambda opened: opened.search(query),
        lambda opened: opened.search_batch([query]),
        lambda opened: opened.within(query, 1.0),
        lambda opened: opened.distances(query),
        lambda opened: opened.get(1280),
        lambda opened: opened.save(tmp_path / "other"),
        lambda opened: opened.__getstate__(),
    ]
    for call in calls:
        opened = la.open(path)
        for _ in range(2):
            with pytest.raises(
                la.FormatError, match=r"index is damaged: block 5 of section 'rows'"
            ):
                call(opened)
        assert opened.get(0).tolist() == [1.0] * 64
        assert not (tmp_path / "other").exists()
    with pytest.raises(la.FormatError, match="block 5 of section 'rows'"):
        la.verify(path)
    opened = la.open(path)
    opened.remove(0)
    with pytest.raises(la.FormatError, match="block 5"):
        opened.save(path)


@pytest.mark.parametrize("ids", ["any order", "strings", "uuids"])
def test_damaged_ids_are_refused_when_opened(tmp_path: Path, ids: str) -> None:
    path = tmp_path / "index"
    index = la.Index()
    index.add(rows(), IDS[ids])
    index.save(path)
    names = [name for name in SectionFile.open(path, "index").names if name.startswith("id")]
    content = path.read_bytes()
    assert names
    for name in names:
        damage(path, name, 11)
        for call in (la.open, la.verify):
            with pytest.raises(la.FormatError, match=rf"index is damaged.* section '{name}'"):
                call(path)
        path.write_bytes(content)
    assert len(la.open(path)) == 60


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else", b"\x93LOOK"])
def test_what_is_not_an_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index").write_bytes(content)
    for call in (la.open, la.verify):
        with pytest.raises(la.FormatError, match="index"):
            call(tmp_path / "index")
    write_sections(tmp_path / "index", "other", {}, {})
    with pytest.raises(la.FormatError, match="'other'"):
        la.open(tmp_path / "index")
    with pytest.raises(FileNotFoundError):
        la.open(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        la.Index().save(tmp_path / "no folder" / "index")


GOOD = {
    "metric": "cosine",
    "dim": 5,
    "count": 60,
    "next_id": 60,
    "id_kind": "integer",
    "is_built": False,
    "plan": None,
    "first_id": 0,
}


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "other"},
        {"metric": ["cosine"]},
        {"dim": 6},
        {"dim": None},
        {"dim": "5"},
        {"dim": 0},
        {"count": -1},
        {"count": 61},
        {"count": 1.5},
        {"next_id": True},
        {"id_kind": "colour"},
        {"id_kind": None},
        {"id_kind": "string"},
        {"id_kind": "uuid"},
        {"first_id": 2**63},
        {"first_id": "0"},
        *[{name: ...} for name in GOOD if name != "plan"],
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "index"
    write_sections(path, "index", GOOD, {"rows": rows()})
    assert len(la.open(path)) == 60
    meta = {name: value for name, value in (GOOD | change).items() if value is not ...}
    write_sections(path, "index", meta, {"rows": rows()})
    with pytest.raises(la.FormatError, match="index is damaged"):
        la.open(path)


@pytest.mark.parametrize(
    ("kind", "sections"),
    [
        ("string", {"ids": np.zeros(3, np.uint8), "id_ends": np.array([1, 2])}),
        ("string", {"ids": np.zeros(3, np.uint8), "id_ends": np.array([1, 2, 4])}),
        ("string", {"ids": np.zeros(3, np.uint8), "id_ends": np.array([2, 1, 3])}),
        ("string", {"ids": np.zeros(3, np.uint8), "id_ends": np.array([-1, 1, 3])}),
        ("string", {"ids": np.zeros(3, np.uint8), "id_ends": np.array([1, 2, 3])}),
        ("string", {"ids": np.full(3, 255, np.uint8), "id_ends": np.array([0, 1, 3])}),
        ("uuid", {"ids": np.zeros((3, 16), np.uint8)}),
        ("uuid", {"ids": np.zeros((3, 15), np.uint8)}),
        ("integer", {"ids": np.zeros(2, np.int64)}),
        ("integer", {"ids": np.zeros(3, np.int32)}),
        ("integer", {"ids": np.zeros(3, np.int64), "rows": np.zeros((3, 5), np.float64)}),
        ("integer", {"ids": np.zeros(3, np.int64), "rows": np.zeros((3, 5), np.bool_)}),
    ],
)
def test_sections_that_hold_something_else_are_refused(
    tmp_path: Path, kind: str, sections: Any
) -> None:
    path = tmp_path / "index"
    meta = GOOD | {"count": 3, "id_kind": kind}
    write_sections(path, "index", meta, {"rows": rows()[:3]} | sections)
    with pytest.raises(la.FormatError, match="index is damaged"):
        la.open(path)
