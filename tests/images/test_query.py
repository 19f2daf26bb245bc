from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import lookalike as la
from lookalike.images import decoding, embed_picture

if TYPE_CHECKING:
    from tests.images.conftest import CountingEncoder


def write_turned(path: Path, picture: Image.Image, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_an_opened_picture_is_turned_as_its_file_is(
    tmp_path: Path,
    photograph: Image.Image,
    encoder: CountingEncoder,
    orientation: int,
    suffix: str,
) -> None:
    path = write_turned(tmp_path / f"turned{suffix}", photograph, orientation)
    of_file = embed_picture(path, encoder=encoder)
    with Image.open(path) as opened:
        assert np.array_equal(embed_picture(opened, encoder=encoder), of_file)
        opened.load()
        assert np.array_equal(embed_picture(opened, encoder=encoder), of_file)
    if orientation > 1:
        upright = embed_picture(photograph, encoder=encoder)
        assert not np.array_equal(upright, of_file)


def test_an_opened_picture_is_left_as_it_is(
    photograph: Image.Image, encoder: CountingEncoder
) -> None:
    opened = photograph.convert("RGBA")
    before = opened.tobytes()
    embed_picture(opened, encoder=encoder)
    assert (opened.mode, opened.tobytes()) == ("RGBA", before)


def test_an_opened_picture_is_reduced_as_its_file_is(
    tmp_path: Path, photograph: Image.Image, encoder: CountingEncoder
) -> None:
    encoder.min_side = 50
    path = tmp_path / "large.png"
    photograph.resize((900, 600)).save(path)
    with Image.open(path) as opened:
        assert np.array_equal(
            embed_picture(opened, encoder=encoder), embed_picture(path, encoder=encoder)
        )


def test_an_opened_picture_that_turns_out_broken_is_refused(
    tmp_path: Path, photograph: Image.Image, encoder: CountingEncoder
) -> None:
    path = tmp_path / "cut.png"
    photograph.save(path)
    os.truncate(path, 5000)
    with (
        Image.open(path) as opened,
        pytest.raises(la.PictureError, match="the picture cannot be read: it is broken"),
    ):
        embed_picture(opened, encoder=encoder)
    for empty in (Image.new("RGB", (0, 5)), Image.new("I", (0, 5))):
        with pytest.raises(la.PictureError, match="no pixels"):
            embed_picture(empty, encoder=encoder)
    with pytest.raises(la.PictureError, match="over the limit of 99"):
        embed_picture(photograph, encoder=encoder, max_pixels=99)


def test_every_form_of_one_picture_gives_one_embedding(
    tmp_path: Path, photograph: Image.Image, encoder: CountingEncoder
) -> None:
    path = tmp_path / "picture.png"
    photograph.save(path)
    expected = embed_picture(path, encoder=encoder)
    content = path.read_bytes()
    for form in (str(path), content, bytearray(content), memoryview(content), photograph):
        assert np.array_equal(embed_picture(form, encoder=encoder), expected)


@pytest.mark.parametrize("form", [[1, 2.5], (1, 2.5), np.array([1, 2.5]), np.array([1, 2.5], "f4")])
def test_an_embedding_may_be_any_array_of_numbers(form: Any, encoder: CountingEncoder) -> None:
    found = embed_picture(form, encoder=encoder)
    assert found.dtype == np.float32
    assert found.tolist() == [1, 2.5]
    assert encoder.count == 0


@pytest.mark.parametrize("form", [3.5, [], [[1, 2]], [np.nan], ["a"], object()])
def test_what_is_neither_picture_nor_embedding_is_refused(
    form: Any, encoder: CountingEncoder
) -> None:
    with pytest.raises(la.LookalikeError):
        embed_picture(form, encoder=encoder)


@pytest.mark.parametrize("name", ["nul\0byte.jpg", "x" * 5000, ""])
def test_a_name_that_no_file_can_have_is_refused(name: str, encoder: CountingEncoder) -> None:
    with pytest.raises(la.PictureError, match="cannot be read"):
        embed_picture(name, encoder=encoder)


def test_a_picture_may_come_through_a_pipe(
    tmp_path: Path, photograph: Image.Image, encoder: CountingEncoder
) -> None:
    path, pipe = tmp_path / "picture.png", tmp_path / "pipe"
    photograph.save(path)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    found = embed_picture(pipe, encoder=encoder)
    writer.join()
    assert np.array_equal(found, embed_picture(path, encoder=encoder))


def test_a_device_that_never_ends_is_read_to_the_limit(
    monkeypatch: pytest.MonkeyPatch, encoder: CountingEncoder
) -> None:
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(la.PictureError, match="over the limit of 1048576"):
        embed_picture(Path("/dev/zero"), encoder=encoder)
