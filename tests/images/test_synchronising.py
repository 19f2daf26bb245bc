from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import lookalike as la
from lookalike.images import synchronising
from lookalike.storage import GalleryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.images.conftest import CountingEncoder

OLD = 1_600_000_000  # a time long past, which proves that a file is unchanged


def paint(path: Path, seed: int) -> Path:
    """Write a small picture that no other seed gives, of a long past time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "BMP")
    os.utime(path, (OLD, OLD))
    return path


def expected(folder: Path, gallery: la.Gallery, encoder: CountingEncoder) -> np.ndarray:
    return encoder.encode([Image.open(folder / path).convert("RGB") for path in gallery.paths])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(8):
        paint(tmp_path / "photos" / f"{seed}.bmp", seed)
    return tmp_path / "photos"


def truncate_catalogue(store: GalleryStore) -> None:
    os.truncate(store.catalogue_path, 100)


def write_newer_catalogue(store: GalleryStore) -> None:
    content = store.catalogue_path.read_bytes()
    store.catalogue_path.write_bytes(content.replace(b'"version":1', b'"version":2', 1))


def remove_segment(store: GalleryStore) -> None:
    next(store.folder.glob("embeddings-*")).unlink()


def flip_segment(store: GalleryStore) -> None:
    path = next(store.folder.glob("embeddings-*"))
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))


@pytest.mark.parametrize(
    "damage", [truncate_catalogue, write_newer_catalogue, remove_segment, flip_segment]
)
def test_a_damaged_gallery_is_refused_until_it_is_rebuilt(
    gallery: la.Gallery,
    folder: Path,
    encoder: CountingEncoder,
    damage: Callable[[GalleryStore], None],
) -> None:
    sound = np.array(gallery.embeddings)
    damage(GalleryStore(folder))
    damaged = la.Gallery.open(folder, encoder=encoder)
    for _ in range(2):
        with pytest.raises(la.FormatError):
            damaged.search(folder / "0.bmp")
    assert "Gallery" in repr(damaged)
    assert damaged.sync(rebuild=True).added == 8
    assert np.array_equal(damaged.embeddings, sound)
    assert damaged.search(folder / "0.bmp").paths[0] == folder / "0.bmp"


def test_a_file_rewritten_just_after_a_slow_encoder_read_it_is_noticed(
    folder: Path, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that counts is when the file was read, not when its embedding came."""
    path = folder / "0.bmp"
    begun = path.stat().st_mtime_ns + 1_000_000  # a sync that begins right after a write

    def time_ns() -> int:
        return begun + 3_600_000_000_000 * bool(encoder.count)

    monkeypatch.setattr(time, "time_ns", time_ns)
    gallery = la.Gallery.open(folder, encoder=encoder)
    gallery.sync()
    paint(path, 100)  # as many bytes, at the same time
    assert gallery.sync().updated == 1
    assert np.array_equal(gallery.embeddings, expected(folder, gallery, encoder))


def test_files_of_a_past_time_are_not_read_again(gallery: la.Gallery, folder: Path) -> None:
    for path in folder.glob("*.bmp"):
        path.write_bytes(b"x" * path.stat().st_size)
        os.utime(path, (OLD, OLD))
    assert gallery.sync().unchanged == 8


def test_a_file_from_the_future_is_read_again(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    future = 4_000_000_000
    os.utime(folder / "0.bmp", (future, future))
    gallery.sync()
    paint(folder / "0.bmp", 100)
    os.utime(folder / "0.bmp", (future, future))
    assert gallery.sync().updated == 1
    assert encoder.count == 1


def test_leftovers_go_with_the_next_sync_though_nothing_changed(
    gallery: la.Gallery, folder: Path
) -> None:
    left = [folder / ".lookalike" / name for name in ("embeddings-dead.npy", ".lookalike-x.tmp")]
    for path in left:
        path.write_bytes(b"left by a killed process")
    assert len(la.Gallery.open(folder).search(folder / "0.bmp")) == 8
    assert all(path.exists() for path in left)
    gallery.sync()
    assert not any(path.exists() for path in left)
    assert len(la.Gallery.open(folder).search(folder / "0.bmp")) == 8


def test_a_sync_that_finds_nothing_new_leaves_the_files_as_they_are(
    gallery: la.Gallery, folder: Path
) -> None:
    before = {path: path.stat().st_ino for path in (folder / ".lookalike").iterdir()}
    gallery.sync()
    assert before == {path: path.stat().st_ino for path in (folder / ".lookalike").iterdir()}


def test_what_a_gallery_holds_does_not_change_under_it(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    held = la.Gallery.open(folder)
    for seed in range(8):
        (folder / f"{seed}.bmp").unlink()
    paint(folder / "new.bmp", 50)
    la.Gallery.open(folder, encoder=encoder).sync()
    assert len(held.search(np.ones(48), k=99)) == len(held.paths) == len(held.embeddings) == 8
    assert np.array_equal(held.embeddings, gallery.embeddings)
    assert len(la.Gallery.open(folder)) == 1


def test_searches_beside_a_sync_of_the_same_object_answer_for_one_state(
    tmp_path: Path, encoder: CountingEncoder
) -> None:
    """Each picture's own embedding finds it, or nothing is found at distance 0."""
    probe = paint(tmp_path / "m.bmp", 0)
    gallery = la.Gallery.open(tmp_path, encoder=encoder)
    gallery.sync()
    embedding = gallery.embed(probe)
    failures: list[BaseException] = []
    is_done = threading.Event()

    def read() -> None:
        try:
            while not is_done.is_set():
                paths, distances = gallery.search(embedding, k=1, metric="euclidean")
                assert paths == (probe,)
                assert distances[0] == 0
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for seed in range(1, 16):  # moves the picture to other rows, back and forth
        other = tmp_path / f"{'a' if seed % 2 else 'z'}{seed % 3}.bmp"
        paint(other, seed)
        gallery.sync()
        other.unlink()
    is_done.set()
    reader.join()
    assert not failures


def test_what_is_done_is_published_now_and_then(
    tmp_path: Path, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchronising, "_CHECKPOINT_SECONDS", -1.0)
    for seed in range(32):
        paint(tmp_path / f"{seed:02}.bmp", seed)
    sizes: list[int] = []

    def look(_done: int, _total: int) -> None:
        beside = la.Gallery.open(tmp_path)
        assert beside.embeddings.shape[0] == len(beside)
        sizes.append(len(beside))

    la.Gallery.open(tmp_path, encoder=encoder).sync(progress=look, n_threads=1)
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert sizes[-1] >= 16


def test_embeddings_stay_right_when_segments_are_kept_and_when_they_are_merged(
    tmp_path: Path, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchronising, "_REWRITE_BYTES", 0)  # as in a large gallery
    gallery = la.Gallery.open(tmp_path, encoder=encoder)
    most = 0
    for round_ in range(12):
        for seed in range(4):
            paint(tmp_path / f"{(round_ * 7 + seed) % 20:02}.bmp", 10 * round_ + seed)
            os.utime(tmp_path / f"{(round_ * 7 + seed) % 20:02}.bmp", (round_, round_))
        gallery.sync()
        n_segments = len(GalleryStore(tmp_path).read_catalogue().segments)
        most = max(most, n_segments)
        assert n_segments <= synchronising._MOST_SEGMENTS
        assert np.array_equal(gallery.embeddings, expected(tmp_path, gallery, encoder))
    assert most > 1


def test_the_space_of_removed_pictures_comes_back(
    tmp_path: Path, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchronising, "_REWRITE_BYTES", 0)
    for seed in range(30):
        paint(tmp_path / f"{seed:02}.bmp", seed)
    gallery = la.Gallery.open(tmp_path, encoder=encoder)
    gallery.sync()
    for seed in range(20):
        (tmp_path / f"{seed:02}.bmp").unlink()
    gallery.sync()
    assert GalleryStore(tmp_path).read_catalogue().rows == 10
    assert np.array_equal(gallery.embeddings, expected(tmp_path, gallery, encoder))


def test_files_of_one_content_all_answer_in_the_order_of_their_paths(
    tmp_path: Path, encoder: CountingEncoder
) -> None:
    first = paint(tmp_path / "m.bmp", 0)
    for name in ("z.bmp", "a.bmp", "b/c.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(first, tmp_path / name)
    gallery = la.Gallery.open(tmp_path, encoder=encoder)
    assert gallery.sync().added == 4
    paths, distances = gallery.search(first)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == sorted(gallery.paths)
    assert not distances.any()


def test_a_link_is_itself_and_not_what_it_leads_to(
    gallery: la.Gallery, folder: Path, tmp_path: Path
) -> None:
    link = folder / "link.bmp"
    link.symlink_to("0.bmp")
    outside = tmp_path / "outside.bmp"
    outside.symlink_to(folder / "0.bmp")
    (folder / "loop.bmp").symlink_to("loop.bmp")
    gallery.sync()
    assert len(gallery) == 9
    assert gallery.search(link, exclude_self=True).paths[0] == folder / "0.bmp"
    for query in (folder / "0.bmp", outside):
        assert gallery.search(query, exclude_self=True).paths[0] == link
    assert set(gallery.without(link).paths) == set(gallery.paths) - {"link.bmp"}


def test_a_decoder_that_is_not_installed_costs_its_files_and_no_others(
    gallery: la.Gallery,
    folder: Path,
    encoded: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    content = encoded(Image.new("RGB", (64, 64), "red"), "HEIF")
    (folder / "new.heic").write_bytes(content)
    paint(folder / "new.bmp", 60)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", None)
        summary = gallery.sync()
    assert summary.added == 1
    ((path, reason),) = summary.unreadable
    assert path == "new.heic"
    assert "pip install 'lookalike[images]'" in reason
    assert gallery.sync().added == 1


def test_an_encoder_that_changes_its_dimension_is_refused(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(folder / "new.bmp", 60)
    monkeypatch.setattr(encoder, "_function", lambda pictures: np.ones((len(pictures), 5)))
    with pytest.raises(la.EncoderError, match="dim 5 after dim 48"):
        gallery.sync()
    assert len(la.Gallery.open(folder)) == 8


def test_pictures_over_the_limit_are_listed(folder: Path, encoder: CountingEncoder) -> None:
    paint(folder / "big.bmp", 1)
    Image.new("RGB", (17, 16)).save(folder / "big.bmp")
    summary = la.Gallery.open(folder, encoder=encoder, max_pixels=256).sync()
    assert [path for path, _ in summary.unreadable] == ["big.bmp"]
    assert "17 x 16 = 272 pixels, over the limit of 256" in summary.unreadable[0][1]
    assert summary.added == 8


def test_the_answers_do_not_depend_on_the_threads_that_encoded(
    folder: Path, encoder: CountingEncoder
) -> None:
    gallery = la.Gallery.open(folder, encoder=encoder)
    gallery.sync(n_threads=1)
    one = np.array(gallery.embeddings)
    gallery.sync(rebuild=True, n_threads=5)
    assert np.array_equal(gallery.embeddings, one)


def test_below_nothing_is_the_whole_gallery(gallery: la.Gallery) -> None:
    assert gallery.below("").paths == gallery.below("/").paths == gallery.paths


_WRITE = """
import os
import sys
import numpy as np
from PIL import Image
from lookalike import Gallery
from lookalike.images import CallableEncoder

Image.open("0.bmp").load()
if os.getuid() == 0:
    os.setuid(65534)  # nobody: root may write anywhere
encoder = CallableEncoder(lambda pictures: np.ones((len(pictures), 4)), name="one", version="1")
gallery = Gallery.open(".", encoder=encoder)
assert len(gallery) == 0
try:
    gallery.sync()
except OSError as error:
    print(type(error).__name__, error.filename)
"""


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.chmod(0o555)
    try:
        shown = subprocess.run(
            [sys.executable, "-c", _WRITE], cwd=folder, capture_output=True, text=True, check=True
        )
    finally:
        folder.chmod(0o755)
    assert shown.stdout == "PermissionError .lookalike\n"
    assert not (folder / ".lookalike").exists()


def test_a_progress_callback_hears_of_every_file(folder: Path, encoder: CountingEncoder) -> None:
    heard: list[tuple[int, int]] = []
    (folder / "broken.bmp").write_bytes(b"BM")
    gallery = la.Gallery.open(folder, encoder=encoder)
    gallery.sync(progress=lambda done, total: heard.append((done, total)))
    assert heard[0] == (0, 9)
    assert heard[-1] == (9, 9)
    heard.clear()

    def refuse(*_: Any) -> None:
        heard.append((0, 0))

    (folder / "broken.bmp").unlink()
    gallery.sync(progress=refuse)
    assert not heard  # there was nothing to do
