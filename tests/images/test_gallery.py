from __future__ import annotations

import copy
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import skimage
from PIL import Image

import lookalike as la
from lookalike.storage import GalleryStore

CountingEncoder: TypeAlias = Any  # of conftest.py
PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
OLD = 1_600_000_000  # a time long past, which proves that a file is unchanged


def paint(path: Path, seed: int, *, is_old: bool = True) -> Path:
    """Write a small picture that no other seed gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    if is_old:
        os.utime(path, (OLD, OLD))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures: four in each of two groups, four in none."""
    for seed in range(12):
        group = ("cats", "dogs", ".")[seed % 3]
        paint(tmp_path / "photos" / group / f"{seed:02}.png", seed)
    return tmp_path / "photos"


def counts(summary: Any) -> tuple[int, ...]:
    return (
        summary.added,
        summary.updated,
        summary.moved,
        summary.removed,
        summary.unchanged,
        len(summary.unreadable),
    )


def test_the_first_sync_encodes_everything_and_the_second_nothing(
    folder: Path, encoder: CountingEncoder
) -> None:
    gallery = la.Gallery.open(folder, encoder=encoder)
    assert len(gallery) == 0
    assert counts(gallery.sync()) == (12, 0, 0, 0, 0, 0)
    assert (len(gallery), encoder.count) == (12, 12)
    again = la.Gallery.open(folder, encoder=encoder)
    assert counts(again.sync()) == (0, 0, 0, 0, 12, 0)
    assert encoder.count == 12
    assert again.paths == tuple(sorted(gallery.paths))
    assert np.array_equal(again.embeddings, gallery.embeddings)


def test_each_embedding_is_that_of_its_picture(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    for path, embedding in zip(gallery.paths, gallery.embeddings, strict=True):
        picture = Image.open(folder / path).convert("RGB")
        assert np.array_equal(embedding, encoder.encode([picture])[0])


def test_a_moved_or_copied_picture_is_not_encoded_again(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    before = gallery.embed(folder / "cats/00.png")
    (folder / "cats/00.png").rename(folder / "dogs/moved.png")
    shutil.copy(folder / "dogs/01.png", folder / "copy.png")
    assert counts(gallery.sync()) == (0, 0, 2, 0, 11, 0)
    assert encoder.count == 0
    assert "cats/00.png" not in gallery.paths
    row = gallery.paths.index("dogs/moved.png")
    assert np.array_equal(gallery.embeddings[row], before)


def test_changed_content_is_encoded_again_and_a_touch_is_not(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    paint(folder / "cats/00.png", 100)
    os.utime(folder / "cats/00.png", (OLD + 1, OLD + 1))
    os.utime(folder / "dogs/01.png", (OLD + 1, OLD + 1))
    assert counts(gallery.sync()) == (0, 1, 0, 0, 11, 0)
    assert encoder.count == 1


def test_a_rewrite_within_one_tick_of_the_clock_is_noticed(
    folder: Path, encoder: CountingEncoder
) -> None:
    path = folder / "cats/00.png"
    Image.new("RGB", (16, 16), "red").save(path, "BMP")
    gallery = la.Gallery.open(folder, encoder=encoder)
    gallery.sync()
    times = path.stat()
    Image.new("RGB", (16, 16), "blue").save(path, "BMP")  # as many bytes
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert gallery.sync().updated == 1


def test_a_picture_that_is_gone_is_dropped(gallery: la.Gallery, folder: Path) -> None:
    (folder / "cats/00.png").unlink()
    assert counts(gallery.sync()) == (0, 0, 0, 1, 11, 0)
    assert "cats/00.png" not in gallery.paths
    shutil.rmtree(folder / "dogs")
    assert gallery.sync().removed == 4
    assert gallery.embeddings.shape == (7, 48)


def test_files_that_cannot_be_read_are_listed_and_tried_again(
    gallery: la.Gallery, folder: Path
) -> None:
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("I am no picture")
    (folder / "notes.txt").write_text("nor am I, and nobody asked")
    shutil.copy(folder / "cats/00.png", folder / "cut.png")
    os.truncate(folder / "cut.png", 200)
    summary = gallery.sync()
    assert counts(summary) == (0, 0, 0, 0, 12, 3)
    reasons = dict(summary.unreadable)
    assert list(reasons) == ["cut.png", "empty.jpg", "text.jpg"]
    assert reasons["empty.jpg"] == "the file is empty"
    assert la.Gallery.open(folder).unreadable == gallery.unreadable == summary.unreadable
    paint(folder / "empty.jpg", 200)
    assert counts(gallery.sync()) == (1, 0, 0, 0, 12, 2)


def test_a_picture_that_breaks_leaves_the_gallery(gallery: la.Gallery, folder: Path) -> None:
    (folder / "cats/00.png").write_bytes(b"broken now")
    assert counts(gallery.sync()) == (0, 0, 0, 1, 11, 1)
    assert len(gallery) == 11


def test_answers_are_those_of_an_exact_scan_in_float64(gallery: la.Gallery, folder: Path) -> None:
    query = gallery.embed(folder / "dogs/04.png").astype(np.float64)
    exact = np.abs(gallery.embeddings.astype(np.float64) - query).sum(axis=1)
    paths, distances = gallery.search(folder / "dogs/04.png", k=5, metric="manhattan")
    order = np.argsort(exact, kind="stable")[:5]
    assert list(paths) == [folder / gallery.paths[row] for row in order]
    assert np.allclose(distances, exact[order], rtol=1e-6)
    matches = gallery.within(folder / "dogs/04.png", exact[order[3]] + 0.5, metric="manhattan")
    assert matches.paths == tuple(paths[:4])
    assert matches.certified


def test_a_picture_of_the_gallery_is_its_own_first_answer(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    paths, distances = gallery.search(folder / "cats/03.png", k=3)
    assert paths[0] == folder / "cats/03.png"
    assert distances[0] == 0
    assert encoder.count == 0  # its embedding is known


def test_exclude_self_leaves_out_the_file_or_else_all_with_its_content(
    gallery: la.Gallery, folder: Path, tmp_path: Path
) -> None:
    own, copy = folder / "cats/03.png", folder / "copy.png"
    shutil.copy(own, copy)
    outside = shutil.copy(own, tmp_path / "outside.png")
    gallery.sync()
    assert gallery.search(own, k=13).paths[:2] == (own, copy)
    assert gallery.search(own, k=13, exclude_self=True).paths[0] == copy
    for query in (outside, own.read_bytes()):
        found = gallery.search(query, k=13, exclude_self=True)
        assert len(found) == 11
        assert not {own, copy} & set(found.paths)
    assert len(gallery.within(own, 1e9, exclude_self=True)) == 12


def test_excluding_self_never_shortens_an_answer(gallery: la.Gallery, folder: Path) -> None:
    assert len(gallery.search(folder / "cats/03.png", k=5, exclude_self=True)) == 5


def test_a_query_may_take_any_form(gallery: la.Gallery, folder: Path) -> None:
    path = folder / "cats/03.png"
    expected = gallery.search(path).paths
    for query in (str(path), path.read_bytes(), Image.open(path), gallery.embed(path)):
        paths, distances = gallery.search(query)
        assert paths == expected
        assert distances[0] == 0


def test_k_beyond_the_gallery_and_threads_do_not_matter(gallery: la.Gallery, folder: Path) -> None:
    one, many = (gallery.search(folder / "02.png", k=99, n_threads=n) for n in (1, 3))
    assert len(one) == 12
    assert one.paths == many.paths
    assert np.array_equal(one.distances, many.distances)


def test_sub_folders_are_groups(gallery: la.Gallery, folder: Path) -> None:
    groups = gallery.groups()
    assert {name: len(members) for name, members in groups.items()} == {"cats": 4, "dogs": 4}
    query = folder / "dogs/04.png"
    for linkage in ("nearest", "centroid"):
        expected = la.rank_groups(gallery.embed(query), groups, linkage=linkage)
        assert gallery.rank_groups(query, linkage=linkage) == expected
    assert gallery.rank_groups(query)[0] == ("dogs", 0.0)
    assert dict(gallery.rank_groups(query, exclude_self=True))["dogs"] > 0


def test_a_part_of_a_gallery_answers_for_its_sub_folder(gallery: la.Gallery, folder: Path) -> None:
    part = gallery.below("cats")
    assert len(part) == 4
    assert {path.parent for path in part.search(folder / "dogs/04.png").paths} == {folder / "cats"}
    assert part.groups() == {}
    assert len(gallery.below("cat")) == 0
    assert len(gallery.without(folder / "cats/00.png")) == 11
    assert not hasattr(part, "sync")  # only the whole is brought up to date


def test_an_empty_folder_gives_empty_answers(
    tmp_path: Path, encoder: CountingEncoder, folder: Path
) -> None:
    (tmp_path / "empty").mkdir()
    gallery = la.Gallery.open(tmp_path / "empty", encoder=encoder)
    with pytest.raises(la.GalleryNotFoundError, match="is not indexed yet"):
        gallery.search(folder / "02.png")
    gallery.sync()
    assert gallery.search(folder / "02.png").paths == ()
    assert gallery.within(folder / "02.png", 1).paths == ()
    assert gallery.rank_groups(folder / "02.png") == []


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(la.GalleryNotFoundError, match=name):
        la.Gallery.open(tmp_path / name)


def test_a_query_that_cannot_be_read_is_named(gallery: la.Gallery, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    for name in ("text.jpg", "missing.jpg"):
        with pytest.raises(la.PictureError, match=name):
            gallery.search(tmp_path / name)
    with pytest.raises(la.ShapeError, match="dim 3"):
        gallery.search(np.zeros(3))


def test_another_encoder_is_refused_until_the_gallery_is_rebuilt(
    folder: Path, tmp_path: Path, encoder: CountingEncoder
) -> None:
    la.Gallery.open(folder, encoder=encoder).sync()
    other = type(encoder)(version="2")
    changed = la.Gallery.open(folder, encoder=other)
    outside = paint(tmp_path / "outside.png", 99)
    with pytest.raises(la.EncoderMismatchError, match=r"grid 1.*grid 2"):
        changed.sync()
    with pytest.raises(la.EncoderMismatchError, match=r"grid 1.*grid 2"):
        changed.search(outside)
    changed.sync(rebuild=True)
    assert other.count == 12
    assert changed.encoder_identity == other.identity
    assert len(changed.search(outside)) == 10


def test_an_interrupt_keeps_what_was_done_and_the_next_sync_goes_on(
    tmp_path: Path, encoder: CountingEncoder
) -> None:
    for seed in range(64):
        paint(tmp_path / f"{seed:02}.png", seed)

    def interrupt(done: int, _total: int) -> None:
        if done >= 24:
            raise KeyboardInterrupt

    gallery = la.Gallery.open(tmp_path, encoder=encoder)
    with pytest.raises(KeyboardInterrupt):
        gallery.sync(progress=interrupt, n_threads=1)
    assert 24 <= len(gallery) < 64
    done, encoder.count = len(gallery), 0
    again = la.Gallery.open(tmp_path, encoder=encoder)
    assert counts(again.sync()) == (64 - done, 0, 0, 0, done, 0)
    assert encoder.count == 64 - done
    fresh = encoder.encode([Image.open(tmp_path / path).convert("RGB") for path in again.paths])
    assert np.array_equal(again.embeddings, fresh)


def test_an_interrupt_forgets_nothing_that_was_known(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder
) -> None:
    shutil.move(folder / "cats", folder / "kittens")  # known by content, not yet looked at
    for seed in range(100, 140):
        paint(folder / f"{seed}.png", seed)

    def interrupt(done: int, _total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gallery.sync(progress=interrupt, n_threads=1)
    encoder.count = 0
    done = len([path for path in gallery.paths if path[:1] == "1" and len(path) == 7])
    summary = gallery.sync()
    assert (summary.added, summary.moved, encoder.count) == (40 - done, 4, 40 - done)


def test_an_encoder_that_fails_leaves_a_whole_gallery(gallery: la.Gallery, folder: Path) -> None:
    def fail(_pictures: list[Image.Image]) -> Any:
        raise RuntimeError("out of order")

    gallery._encoder._function = fail  # type: ignore[union-attr]
    paint(folder / "new.png", 500)
    with pytest.raises(RuntimeError, match="out of order"):
        gallery.sync()
    assert len(la.Gallery.open(folder)) == 12


def test_a_second_writer_is_refused(gallery: la.Gallery, folder: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom lookalike.storage import GalleryStore\n"
        "with GalleryStore(Path(sys.argv[1])).writing():\n"
        "    print('writing', flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        with pytest.raises(la.GalleryBusyError, match="being indexed by another process"):
            gallery.sync()
        writer.communicate()
    gallery.sync()


def test_a_reader_beside_a_writer_always_sees_a_whole_gallery(
    folder: Path, encoder: CountingEncoder
) -> None:
    la.Gallery.open(folder, encoder=encoder).sync()
    failures: list[BaseException] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            try:
                gallery = la.Gallery.open(folder)
                assert len(gallery.search(np.ones(48), k=99)) == len(gallery)
            except BaseException as error:  # noqa: BLE001 - reported by the main thread
                failures.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for seed in range(60):
        paint(folder / f"new-{seed % 5}.png", 1000 + seed, is_old=False)
        la.Gallery.open(folder, encoder=encoder).sync()
    is_done.set()
    reader.join()
    assert not failures


_INDEX = """
import sys
import numpy as np
from lookalike import Gallery
from lookalike.images import CallableEncoder

def grids(pictures):
    return np.stack([np.asarray(p.resize((4, 4)), dtype=np.float32).ravel() for p in pictures])

encoder = CallableEncoder(grids, name="killed", version="1")
import lookalike.images.synchronising as synchronising
synchronising._CHECKPOINT_SECONDS = 0.0  # publish after every batch
gallery = Gallery.open(sys.argv[1], encoder=encoder)
gallery.sync(progress=lambda done, total: print(done, flush=True), n_threads=2)
print("ended", len(gallery), flush=True)
"""


def test_a_gallery_survives_being_killed_at_any_moment(tmp_path: Path) -> None:
    for seed in range(200):
        paint(tmp_path / f"{seed:03}.png", seed)
    kept = [0]
    for lines in (1, 3, 6, 10):
        command = [sys.executable, "-c", _INDEX, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as indexer:
            assert indexer.stdout is not None
            for _ in range(lines):
                indexer.stdout.readline()
            indexer.send_signal(signal.SIGKILL)
        gallery = la.Gallery.open(tmp_path)
        assert gallery.embeddings.shape[0] == len(gallery)
        kept.append(len(gallery))
    assert kept == sorted(kept)
    assert kept[-1] > 0
    ended = subprocess.run(
        [sys.executable, "-c", _INDEX, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == "ended 200"
    store = GalleryStore(tmp_path)
    named = {segment.file for segment in store.read_catalogue().segments}
    assert {path.name for path in store.folder.glob("embeddings-*")} == named
    assert not list(store.folder.glob(".*.tmp"))


_PEAK = """
import sys
from pathlib import Path
import numpy as np
from lookalike import Gallery
from lookalike.images import CallableEncoder

encoder = CallableEncoder(lambda pictures: np.ones((len(pictures), 4)), name="one", version="1")
Gallery.open(sys.argv[1], encoder=encoder).sync(n_threads=2)
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(peak.split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    large = Image.open(PHOTOGRAPHS / "astronaut.png").convert("RGB").resize((1200, 1200))
    peaks = []
    for n in (40, 200):
        folder = tmp_path / str(n)
        folder.mkdir()
        for number in range(n):
            large.putpixel((number, 0), (number, 0, 0))
            large.save(folder / f"{number}.jpg")
        shown = subprocess.run(
            [sys.executable, "-c", _PEAK, str(folder)], capture_output=True, text=True, check=True
        )
        peaks.append(int(shown.stdout) / 1024)
    decoded = 1200 * 1200 * 3 / 2**20
    assert peaks[1] - peaks[0] < 8 * decoded  # 160 more pictures, decoded 4 MiB each


def test_a_folder_that_cannot_be_written_is_said(folder: Path, encoder: CountingEncoder) -> None:
    (folder / ".lookalike").write_text("in the way")
    with pytest.raises(OSError, match="lookalike"):
        la.Gallery.open(folder, encoder=encoder).sync()


def test_real_photographs_find_their_likes_with_the_default_encoder(tmp_path: Path) -> None:
    for name in ("chelsea.png", "coffee.png", "brick.png", "astronaut.png"):
        shutil.copy(PHOTOGRAPHS / name, tmp_path / name)
    gallery = la.Gallery.open(tmp_path)
    gallery.sync()
    assert gallery.dim == 1280
    cat = Image.open(tmp_path / "chelsea.png").convert("RGB")
    turned = cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).crop((40, 20, 420, 280))
    paths, distances = gallery.search(turned)
    assert paths[0].name == "chelsea.png"
    assert distances[0] < 0.5 < distances[1]


def test_time_is_measured_and_told(folder: Path, encoder: CountingEncoder) -> None:
    started = time.perf_counter()
    summary = la.Gallery.open(folder, encoder=encoder).sync()
    assert 0 < summary.seconds <= time.perf_counter() - started


def test_copies_in_this_process_and_others_answer_alike(gallery: la.Gallery, folder: Path) -> None:
    assert len(gallery) == 12
    query, whole = folder / "dogs/04.png", la.Gallery.open(folder)  # a stored embedding serves
    for original in (whole, whole.below("dogs"), whole.without(folder / "dogs/01.png")):
        for copied in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
            assert copied.paths == original.paths
            assert copied.search(query).paths == original.search(query).paths
            assert copied.groups().keys() == original.groups().keys()


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_sync_notices_a_damaged_gallery_and_a_rebuild_repairs_it(
    gallery: la.Gallery, folder: Path, encoder: CountingEncoder, damage: str
) -> None:
    (segment,) = (folder / ".lookalike").glob("embeddings-*.npy")
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.unlink()
    if damage == "flipped":
        segment.write_bytes(content)
    opened = la.Gallery.open(folder, encoder=encoder)
    with pytest.raises(la.FormatError, match="rebuild the gallery"):
        opened.sync()
    opened.sync(rebuild=True)
    assert np.array_equal(opened.embeddings, gallery.embeddings)
