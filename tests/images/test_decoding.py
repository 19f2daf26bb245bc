from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pillow_heif
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import lookalike as la
from lookalike.images.decoding import MAX_PIXELS, decode, read_file

if TYPE_CHECKING:
    from collections.abc import Callable

    Encoded = Callable[..., bytes]

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
pillow_heif.register_heif_opener()

LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]
LOSSY: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"quality": 95}),
    ("JPEG", {"quality": 95, "progressive": True}),
    ("WEBP", {"quality": 95}),
    ("HEIF", {"quality": 95}),
    ("AVIF", {"quality": 95}),
    ("TIFF", {"compression": "jpeg", "quality": 95}),
    ("GIF", {}),
]
EVERY_KIND = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"]


def pixels(picture: Image.Image) -> Any:
    return np.asarray(picture).astype(np.int64)


def mean_error(found: Image.Image, expected: Image.Image) -> float:
    assert found.mode == "RGB"
    assert found.size == expected.size
    return float(np.abs(pixels(found) - pixels(expected.convert("RGB"))).mean())


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_files_give_their_pixels(
    photograph: Image.Image, encoded: Encoded, kind: str, options: dict[str, Any]
) -> None:
    assert mean_error(decode(encoded(photograph, kind, **options)), photograph) == 0


@pytest.mark.parametrize(("kind", "options"), LOSSY)
def test_lossy_files_give_nearly_their_pixels(
    photograph: Image.Image, encoded: Encoded, kind: str, options: dict[str, Any]
) -> None:
    assert 0 < mean_error(decode(encoded(photograph, kind, **options)), photograph) < 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(
    photograph: Image.Image, encoded: Encoded, kind: str, orientation: int
) -> None:
    methods = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # the stored pixels are turned the other way
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    method = methods.get(orientation)
    stored = photograph.transpose(method) if method is not None else photograph
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored, kind, exif=exif.tobytes(), quality=95)
    assert mean_error(decode(content), photograph) < 6


def test_a_heif_file_is_turned_by_its_own_box_and_not_again_by_exif(
    photograph: Image.Image, encoded: Encoded
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(photograph, "HEIF", exif=exif)  # writes the tag without the box
    assert b"irot" not in content
    assert decode(content).size == photograph.size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's own, passed on
def test_broken_exif_does_not_refuse_sound_pixels(
    photograph: Image.Image, encoded: Encoded
) -> None:
    content = encoded(photograph, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense")
    assert decode(content).size == photograph.size


def test_transparency_is_laid_on_white(encoded: Encoded) -> None:
    for mode, clear, solid in (
        ("RGBA", (10, 20, 30, 0), (10, 20, 30, 255)),
        ("LA", (10, 0), (10, 255)),
    ):
        picture = Image.new(mode, (8, 8), solid)
        picture.paste(clear, (0, 0, 4, 8))
        for kind in ("PNG", "TIFF") if mode == "LA" else ("PNG", "WEBP", "TIFF"):
            options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
            found = decode(encoded(picture, kind, **options))
            assert found.getpixel((0, 0)) == (255, 255, 255)
            assert found.getpixel((7, 7)) == ((10, 20, 30) if mode == "RGBA" else (10, 10, 10))


def test_palettes_with_and_without_transparency_are_read(encoded: Encoded) -> None:
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([255, 0, 0, 0, 128, 0])
    picture.paste(0, (0, 0, 4, 8))
    for kind in ("PNG", "GIF"):
        assert decode(encoded(picture, kind)).getpixel((0, 0)) == (255, 0, 0)
        found = decode(encoded(picture, kind, transparency=0))
        assert found.getpixel((0, 0)) == (255, 255, 255)
        assert found.getpixel((7, 7)) == (0, 128, 0)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_several_frames_the_first_counts(encoded: Encoded, kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert Image.open(io.BytesIO(content)).n_frames == 3  # type: ignore[attr-defined]
    red, green, blue = decode(content).getpixel((8, 8))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


def test_sixteen_bits_keep_their_brightness(encoded: Encoded) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    deep = Image.fromarray(ramp)
    for kind in ("PNG", "TIFF"):
        found = pixels(decode(encoded(deep, kind)))[:, :, 0]
        assert np.abs(found - ramp.astype(np.int64) / 257).max() <= 0.51


def test_floats_and_wide_integers_are_stretched_and_nan_is_refused(encoded: Encoded) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    for scale, offset in ((1, 0), (1000, -300)):
        found = pixels(decode(encoded(Image.fromarray(ramp * scale + offset), "TIFF")))[:, :, 0]
        assert np.abs(found - ramp * 255).max() <= 0.51
    wide = Image.fromarray((ramp * 1e9).astype(np.int32))
    assert np.abs(pixels(decode(encoded(wide, "TIFF")))[:, :, 0] - ramp * 255).max() <= 0.51
    flat = decode(encoded(Image.fromarray(np.full((4, 4), 7e9, np.float32)), "TIFF"))
    assert np.ptp(pixels(flat)) == 0
    ramp[3, 3] = np.nan
    with pytest.raises(la.PictureError, match="NaN"):
        decode(encoded(Image.fromarray(ramp), "TIFF"))


def test_cmyk_grey_one_bit_and_lab_are_converted(photograph: Image.Image, encoded: Encoded) -> None:
    cmyk = photograph.convert("CMYK")
    for kind, options in (("TIFF", {}), ("JPEG", {"quality": 95})):
        assert mean_error(decode(encoded(cmyk, kind, **options)), cmyk.convert("RGB")) < 3
    grey = photograph.convert("L")
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        assert mean_error(decode(encoded(grey, kind)), grey) == 0
    assert mean_error(decode(encoded(grey, "JPEG", quality=95)), grey) < 3
    one_bit = photograph.convert("1")
    for kind in ("PNG", "TIFF", "BMP"):
        assert mean_error(decode(encoded(one_bit, kind)), one_bit) == 0
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(photograph, to_lab)
    assert lab is not None
    assert mean_error(decode(encoded(lab, "TIFF")), photograph) < 2


def test_two_pictures_in_one_jpeg_give_the_first(photograph: Image.Image, encoded: Encoded) -> None:
    second = photograph.rotate(180)
    content = encoded(photograph, "MPO", save_all=True, append_images=[second], quality=95)
    assert mean_error(decode(content), photograph) < 6


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    n_tags = struct.unpack(">I", profile[128:132])[0]
    at = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(n_tags)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def test_a_colour_profile_is_converted_to_srgb(encoded: Encoded) -> None:
    red = Image.new("RGB", (16, 16), (250, 5, 5))
    for kind in ("PNG", "TIFF"):
        found = decode(encoded(red, kind, icc_profile=swapped_profile()))
        assert np.abs(pixels(found)[0, 0] - [5, 5, 250]).max() <= 3
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(encoded(red, "PNG", icc_profile=srgb)).getpixel((0, 0)) == (250, 5, 5)


def test_a_colour_profile_that_cannot_be_used_is_left_out(
    photograph: Image.Image, encoded: Encoded
) -> None:
    for profile in (b"nonsense", swapped_profile()[:200]):
        assert mean_error(decode(encoded(photograph, "PNG", icc_profile=profile)), photograph) == 0
    grey = photograph.convert("L")
    assert mean_error(decode(encoded(grey, "PNG", icc_profile=swapped_profile())), grey) < 60


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_reduced_decoding_keeps_the_least_side_and_the_picture(
    photograph: Image.Image, encoded: Encoded, kind: str
) -> None:
    large = photograph.resize((1804, 1200), Image.Resampling.LANCZOS)
    content = encoded(large, kind)
    for min_side in (1, 100, 256, 599, 600, 601, 1200, 5000):
        found = decode(content, min_side=min_side)
        assert min(found.size) >= min(min_side, 1200)
        assert found.size == large.size or min(found.size) < 1200
        again = found.resize((451, 300), Image.Resampling.BICUBIC)
        if min_side >= 256:
            assert mean_error(again, photograph) < 6


def test_a_picture_is_read_by_content_whatever_its_name(
    tmp_path: Path, photograph: Image.Image, encoded: Encoded
) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encoded(photograph, "PNG"))
    assert mean_error(decode(read_file(path)), photograph) == 0


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_truncated_files_are_refused_with_a_reason(
    photograph: Image.Image, encoded: Encoded, kind: str
) -> None:
    content = encoded(photograph.resize((64, 64)), kind)
    for length in (1, 4, 12, 30, len(content) // 4, len(content) // 2):
        with pytest.raises(la.PictureError):
            decode(content[:length])


@pytest.mark.parametrize("content", [b"hello, I am no picture", b"\0" * 100, b"\xff\xd8\xff" * 9])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(la.PictureError, match="it is"):
        decode(content)


def claimed_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def test_too_many_pixels_are_refused_by_name_before_they_are_decoded() -> None:
    with pytest.raises(la.PictureError, match="100000 x 100000 = 10000000000 pixels"):
        decode(claimed_png(100_000, 100_000))
    assert MAX_PIXELS < 100_000**2


def test_the_pixel_limit_is_exact_and_no_warning_comes_before_it(
    photograph: Image.Image, encoded: Encoded
) -> None:
    content = encoded(photograph, "PNG")
    area = photograph.width * photograph.height
    assert decode(content, max_pixels=area).size == photograph.size
    with pytest.raises(la.PictureError, match=f"limit of {area - 1}"):
        decode(content, max_pixels=area - 1)
    # Pillow itself would warn of 100 megapixels, for the whole process to see.
    with (
        warnings.catch_warnings(record=True) as told,
        pytest.raises(la.PictureError, match="trunc"),
    ):
        decode(claimed_png(10_000, 10_000))
    assert not told


def test_the_smallest_and_the_longest_pictures_are_read(encoded: Encoded) -> None:
    for size in ((1, 1), (1, 10_000), (10_000, 1)):
        assert decode(encoded(Image.new("RGB", size, "red"), "PNG"), min_side=512).size == size


@pytest.mark.parametrize("name", ["chelsea.png", "retina.jpg", "no_time_for_that_tiny.gif"])
def test_files_made_by_others_are_read(name: str) -> None:
    assert decode(read_file(PHOTOGRAPHS / name)).mode == "RGB"


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in (
        ("empty.jpg", "the file is empty"),
        ("folder.jpg", "Is a directory"),
        ("missing.jpg", "No such file"),
    ):
        with pytest.raises(la.PictureError, match=reason):
            read_file(tmp_path / name)


def test_a_hostile_file_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(la.PictureError, match="over the limit"):
        read_file(path)


SMALL = Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB").resize((24, 20))
CONTENTS: dict[str, bytes] = {}
for _kind in EVERY_KIND:
    _content = io.BytesIO()
    SMALL.save(_content, _kind)
    CONTENTS[_kind] = _content.getvalue()


@settings(max_examples=400)
@given(
    kind=st.sampled_from(EVERY_KIND),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    kept=st.floats(0, 1),
)
def test_damaged_files_give_a_picture_or_a_reason(
    kind: str, changes: list[tuple[int, int]], kept: float
) -> None:
    content = bytearray(CONTENTS[kind])
    for place, value in changes:
        content[place % len(content)] = value
    length = len(content) if kept > 0.5 else int(2 * kept * len(content))
    try:
        picture = decode(bytes(content[:length]), max_pixels=1_000_000)
    except la.PictureError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert picture.mode == "RGB"
