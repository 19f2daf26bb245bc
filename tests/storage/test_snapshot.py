from __future__ import annotations

import os
import threading
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import lookalike as la
from lookalike.storage import (
    Catalogue,
    CatalogueEntry,
    EncoderIdentity,
    GalleryStore,
    Segment,
    write_atomically,
)

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = EncoderIdentity("tower", "1", "ab" * 32)


def publish(store: GalleryStore, *parts: np.ndarray) -> Catalogue:
    """Publish rows in one segment a part, with an entry for each row."""
    with store.writing():
        segments = tuple(store.write_segment(part.astype(np.float32)) for part in parts)
        rows = sum(len(part) for part in parts)
        entries = tuple(CatalogueEntry(f"{n:03}.png", f"{n:064x}", n, 1, 1) for n in range(rows))
        catalogue = Catalogue(IDENTITY, parts[0].shape[1], entries, segments)
        store.publish(catalogue)
    return catalogue


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    return GalleryStore(tmp_path)


def test_a_snapshot_stays_whole_when_its_files_are_removed(store: GalleryStore) -> None:
    first, second = np.arange(12).reshape(4, 3), np.ones((2, 3))
    publish(store, first[:1], first[1:])
    held = store.read_snapshot()
    publish(store, second)
    assert len(list(store.folder.glob("embeddings-*"))) == 1
    assert np.array_equal(held.embeddings, first)  # read only now
    assert len(held.catalogue.entries) == 4
    assert np.array_equal(store.read_snapshot().embeddings, second)


def test_a_reader_that_a_writer_overtook_reads_the_newer_catalogue(
    store: GalleryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish(store, np.zeros((3, 2)))
    new = publish(store, np.ones((5, 2)))
    answers = iter([old, new])
    monkeypatch.setattr(store, "read_catalogue", lambda: next(answers))
    snapshot = store.read_snapshot()
    assert snapshot.catalogue == new
    assert np.array_equal(snapshot.embeddings, np.ones((5, 2)))


def test_a_segment_that_is_missing_is_named_and_not_waited_for(store: GalleryStore) -> None:
    catalogue = publish(store, np.zeros((3, 2)))
    (store.folder / catalogue.segments[0].file).unlink()
    with pytest.raises(la.FormatError, match=rf"{catalogue.segments[0].file} is missing; rebuild"):
        store.read_snapshot()


def test_rows_are_gathered_from_segments_in_the_order_of_the_entries(
    store: GalleryStore, rng: np.random.Generator
) -> None:
    rows = rng.random((9, 4), dtype=np.float32)
    published = publish(store, rows[:2], rows[2:7], rows[7:])
    order = rng.permutation(9)[:6]
    entries = tuple(published.entries[row] for row in order)
    snapshot = store.snapshot_of(replace(published, entries=entries))
    assert np.array_equal(snapshot.embeddings, rows[order])
    assert not snapshot.embeddings.flags.writeable
    part = snapshot.part(lambda entry: entry.row % 2 == 0)
    assert np.array_equal(part.embeddings, rows[[row for row in order if row % 2 == 0]])
    assert store.snapshot_of(replace(published, entries=())).embeddings.shape == (0, 4)


def test_one_segment_in_order_is_read_in_place(store: GalleryStore) -> None:
    publish(store, np.zeros((3, 2)))
    embeddings = store.read_snapshot().embeddings
    assert not embeddings.flags.owndata
    assert not embeddings.flags.writeable


def test_the_checksum_is_that_of_the_file(store: GalleryStore) -> None:
    catalogue = publish(store, np.arange(6).reshape(2, 3))
    (segment,) = catalogue.segments
    assert zlib.crc32((store.folder / segment.file).read_bytes()) == segment.crc32
    assert np.array_equal(np.load(store.folder / segment.file), np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (np.zeros((2, 3), dtype=np.float64), "holds float64"),
        (np.zeros((3, 2), dtype=np.float32), r"of shape \(3, 2\)"),
        (np.zeros(6, dtype=np.float32), r"of shape \(6,\)"),
        (np.asfortranarray(np.zeros((2, 3), dtype=np.float32)), "no array of embeddings"),
    ],
)
def test_a_segment_of_another_shape_or_kind_is_refused_though_its_checksum_matches(
    store: GalleryStore, rows: np.ndarray, complaint: str
) -> None:
    catalogue = publish(store, np.zeros((2, 3)))
    path = store.folder / catalogue.segments[0].file
    np.save(path, rows)
    segment = Segment(path.name, 2, zlib.crc32(path.read_bytes()))
    with pytest.raises(la.FormatError, match=complaint):
        _ = store.snapshot_of(replace(catalogue, segments=(segment,))).embeddings


def test_an_empty_segment_file_is_refused(store: GalleryStore) -> None:
    catalogue = publish(store, np.zeros((2, 3)))
    (store.folder / catalogue.segments[0].file).write_bytes(b"")
    with pytest.raises(la.FormatError, match=r"embeddings-.* is damaged"):
        store.read_snapshot()


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.png", "a/../../b.png", ".."])
def test_pictures_outside_the_gallery_are_refused(path: str) -> None:
    entry = CatalogueEntry(path, "00" * 32, 0, 1, 1)
    hostile = Catalogue(IDENTITY, 3, (entry,), (Segment("embeddings-1.npy", 1, 7),))
    with pytest.raises(la.FormatError, match="lies outside the gallery"):
        Catalogue.from_json(hostile.to_json(), "gallery.json")


def test_dots_that_lead_nowhere_are_ordinary_names() -> None:
    names = ("..a.png", "a..b/c.png", "a/b..png")
    entries = tuple(CatalogueEntry(name, "00" * 32, 0, 1, 1) for name in names)
    catalogue = Catalogue(IDENTITY, 3, entries, (Segment("embeddings-1.npy", 1, 7),))
    assert Catalogue.from_json(catalogue.to_json(), "gallery.json") == catalogue


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"format":' * 50_000, b'{"format":"lookalike-gallery"}', b"NaN"]
)
def test_foreign_json_is_refused_however_deep(content: bytes) -> None:
    with pytest.raises(la.FormatError, match=r"gallery\.json"):
        Catalogue.from_json(content, "gallery.json")


def test_the_lock_goes_back_after_an_exception_and_holds_against_threads(
    store: GalleryStore,
) -> None:
    with pytest.raises(RuntimeError, match="half way"), store.writing():
        raise RuntimeError("half way")
    refused: list[bool] = []

    def write() -> None:
        try:
            with store.writing():
                refused.append(False)
        except la.GalleryBusyError:
            refused.append(True)

    with store.writing():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert refused == [True]
    write()
    assert refused == [True, False]


def test_the_umask_is_never_changed_not_even_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_mask: int) -> int:
        raise AssertionError("other threads make files too")

    monkeypatch.setattr(os, "umask", refuse)
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_name_of_full_length_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"content")
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "sheet.png"
    with pytest.raises(FileNotFoundError) as raised:
        write_atomically(path, b"content")
    assert raised.value.filename == str(path)
