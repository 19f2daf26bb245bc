from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lookalike as la
from lookalike.storage import Catalogue, CatalogueEntry, EncoderIdentity, GalleryStore, Segment

if TYPE_CHECKING:
    from pathlib import Path

CATALOGUE = Catalogue(
    encoder=EncoderIdentity("tower", "2", "ab" * 32),
    dim=3,
    entries=(
        CatalogueEntry("a/caf\udce9.jpg", "00" * 32, 1, 1234, -1),
        CatalogueEntry("b/日本.png", "11" * 32, 0, 99, 1_700_000_000_123_456_789),
    ),
    segments=(Segment("embeddings-1.npy", 2, 77),),
    unreadable=(("c.jpg", "it is broken: a reason"),),
)


def test_a_catalogue_comes_back_as_it_was_written() -> None:
    assert Catalogue.from_json(CATALOGUE.to_json(), "gallery.json") == CATALOGUE
    assert Catalogue.from_json(Catalogue().to_json(), "gallery.json") == Catalogue()


def test_every_flipped_byte_is_noticed_or_harmless() -> None:
    content = CATALOGUE.to_json()
    noticed = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 7
        try:
            assert Catalogue.from_json(bytes(damaged), "gallery.json") == CATALOGUE
        except la.FormatError:
            noticed += 1
    assert noticed > 0.99 * len(content)


def test_every_truncated_catalogue_is_refused() -> None:
    content = CATALOGUE.to_json()
    for length in range(len(content)):
        with pytest.raises(la.FormatError, match=r"gallery\.json"):
            Catalogue.from_json(content[:length], "gallery.json")


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b'{"format": "other"}', b"\xff\xfe", b"1" * 10_000]
)
def test_foreign_files_are_refused(content: bytes) -> None:
    with pytest.raises(la.FormatError, match=r"gallery\.json"):
        Catalogue.from_json(content, "gallery.json")


def test_a_newer_version_is_refused_and_says_so() -> None:
    document = json.loads(CATALOGUE.to_json())
    document["version"] = 2
    with pytest.raises(la.FormatError, match="has version 2, and this Lookalike reads version 1"):
        Catalogue.from_json(json.dumps(document).encode(), "gallery.json")


def test_names_that_lead_out_of_the_gallery_are_refused() -> None:
    for name in ("../secret.npy", "/etc/passwd", "sub/embeddings-1.npy", ""):
        hostile = replace(CATALOGUE, segments=(Segment(name, 2, 77),))
        with pytest.raises(la.FormatError, match="segment"):
            Catalogue.from_json(hostile.to_json(), "gallery.json")


def test_an_entry_without_an_embedding_is_refused() -> None:
    hostile = replace(CATALOGUE, segments=(Segment("embeddings-1.npy", 1, 77),))
    with pytest.raises(la.FormatError, match="no segment holds"):
        Catalogue.from_json(hostile.to_json(), "gallery.json")


@pytest.fixture
def written(tmp_path: Path) -> tuple[GalleryStore, Catalogue]:
    store = GalleryStore(tmp_path)
    with store.writing():
        rows = np.arange(6, dtype=np.float32).reshape(2, 3)
        catalogue = replace(CATALOGUE, segments=(store.write_segment(rows),))
        store.publish(catalogue)
    return store, catalogue


def test_embeddings_come_back_in_the_order_of_the_entries(
    written: tuple[GalleryStore, Catalogue],
) -> None:
    store, catalogue = written
    assert store.read_catalogue() == catalogue
    assert store.read_embeddings(catalogue).tolist() == [[3, 4, 5], [0, 1, 2]]
    in_order = replace(catalogue, entries=catalogue.entries[::-1])
    assert store.read_embeddings(in_order).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not store.read_embeddings(in_order).flags.writeable


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "foreign", "reshaped"])
def test_a_damaged_segment_is_named(written: tuple[GalleryStore, Catalogue], damage: str) -> None:
    store, catalogue = written
    path = store.folder / catalogue.segments[0].file
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[:-1])
    elif damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "foreign":
        path.write_bytes(b"hello")
    else:
        np.save(path, np.zeros((3, 2), dtype=np.float32))
    with pytest.raises(la.FormatError, match=path.name):
        store.read_embeddings(catalogue)


def test_every_flipped_bit_of_a_segment_is_found(
    written: tuple[GalleryStore, Catalogue],
) -> None:
    store, catalogue = written
    path = store.folder / catalogue.segments[0].file
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 5):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(la.FormatError):
            store.read_embeddings(catalogue)


def test_a_pickle_in_place_of_a_segment_is_never_unpickled(
    written: tuple[GalleryStore, Catalogue], capsys: pytest.CaptureFixture[str]
) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return print, ("code ran",)

    store, catalogue = written
    path = store.folder / catalogue.segments[0].file
    np.save(path, np.array([Harmful()], dtype=object), allow_pickle=True)
    with pytest.raises(la.FormatError):
        store.read_embeddings(catalogue)
    assert "code ran" not in capsys.readouterr().out


def test_leftovers_go_with_the_next_writer_and_not_before(
    written: tuple[GalleryStore, Catalogue],
) -> None:
    store, catalogue = written
    leftovers = [store.folder / "embeddings-dead.npy", store.folder / ".gallery.json.x.tmp"]
    for path in leftovers:
        path.write_bytes(b"left by a killed process")
    store.read_embeddings(store.read_catalogue())
    assert all(path.exists() for path in leftovers)
    with store.writing():
        store.publish(catalogue)
    assert not any(path.exists() for path in leftovers)
    assert store.read_embeddings(catalogue).shape == (2, 3)
