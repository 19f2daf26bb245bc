from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from lookalike.images.decoding import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Encoded = Callable[..., bytes]

pillow_heif.register_heif_opener()


def pixels(picture: Image.Image) -> Any:
    return np.asarray(picture).astype(np.int64)


def wide_profile() -> bytes:
    """sRGB's curve over far wider primaries: every saturated colour moves."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * 20, 12)}
    for name, primary in {
        b"rXYZ": (0.7977, 0.2880, 0.0),  # ProPhoto's, relative to D50
        b"gXYZ": (0.1352, 0.7119, 0.0),
        b"bXYZ": (0.0313, 0.0001, 0.8249),
    }.items():
        (place,) = struct.unpack(">I", profile[tags[name] + 4 : tags[name] + 8])
        numbers = (round(number * 65536) for number in primary)
        profile[place + 8 : place + 20] = struct.pack(">3i", *numbers)
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))


def grey_profile(gamma: float) -> bytes:
    """The least ICC profile for grey: a white point and a power."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    table = struct.pack(">I", 2) + b"".join(
        name + struct.pack(">II", at, size)
        for name, at, size in ((b"wtpt", 156, len(white)), (b"kTRC", 156 + len(white), 14))
    )
    header = struct.pack(">I4sI4s4s4s", 0, b"\0\0\0\0", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header = header.ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    profile = header.ljust(128, b"\0") + table + white + curve
    return struct.pack(">I", len(profile)) + profile[4:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_a_wide_profile_moves_the_pixels_as_the_colour_engine_says(
    photograph: Image.Image, encoded: Encoded, kind: str
) -> None:
    profile = wide_profile()
    found = decode(encoded(photograph, kind, icc_profile=profile, quality=95))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    moved = ImageCms.profileToProfile(photograph, source, ImageCms.createProfile("sRGB"))
    assert moved is not None
    assert np.abs(pixels(moved) - pixels(photograph)).mean() > 10
    assert np.abs(pixels(found) - pixels(moved)).mean() < 5
    if kind in {"PNG", "TIFF"}:
        assert np.array_equal(pixels(found), pixels(moved))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_of_any_depth_has_its_profile(encoded: Encoded, mode: str, kind: str) -> None:
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16)
    if mode == "I;16":
        picture = Image.fromarray(ramp * 257)
    else:
        picture = Image.fromarray(ramp.astype(np.uint8)).convert(mode)
    found = pixels(decode(encoded(picture, kind, icc_profile=grey_profile(1.75))))[:, :, 1]
    linear = (ramp / 255) ** 1.75
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(255 * srgb - ramp).max() > 10
    assert np.abs(found - 255 * srgb).max() <= 2


def test_a_profile_for_grey_on_colours_is_left_out(
    photograph: Image.Image, encoded: Encoded
) -> None:
    found = decode(encoded(photograph, "PNG", icc_profile=grey_profile(1.0)))
    assert np.array_equal(pixels(found), pixels(photograph))


def test_the_profile_holds_for_reduced_pictures_too(
    photograph: Image.Image, encoded: Encoded
) -> None:
    large = photograph.resize((1804, 1200), Image.Resampling.BICUBIC)
    content = encoded(large, "JPEG", quality=95, icc_profile=wide_profile())
    full, reduced = decode(content), decode(content, min_side=300)
    assert min(reduced.size) < 1200
    assert np.abs(pixels(full.resize(reduced.size)) - pixels(reduced)).mean() < 4


def test_one_transparent_colour_is_laid_on_white_and_not_averaged(encoded: Encoded) -> None:
    values = np.full((64, 64, 3), (255, 0, 255), dtype=np.uint8)
    values[16:48, 15:49] = (0, 128, 0)
    content = encoded(Image.fromarray(values), "PNG", transparency=(255, 0, 255))
    for min_side in (None, 16):
        found = decode(content, min_side=min_side)
        assert {colour for _, colour in found.getcolors() or ()} == {(0, 128, 0), (255, 255, 255)}


def test_one_transparent_grey_of_sixteen_bits_is_laid_on_white(encoded: Encoded) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    found = pixels(decode(encoded(Image.fromarray(ramp), "PNG", transparency=0)))[:, :, 0]
    assert found[0, 0] == 255
    assert np.abs(found - ramp.astype(np.int64) / 257).ravel()[1:].max() <= 0.51


def test_half_transparency_is_half_white(encoded: Encoded) -> None:
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        content = encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 128)), kind, **options)
        found = pixels(decode(content))
        assert np.abs(found - [255, 127, 127]).max() <= 1
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    found = pixels(decode(encoded(palette, "PNG", transparency=b"\xff\x80")))
    assert np.abs(found - [255, 127, 127]).max() <= 1


def test_averaging_does_not_let_invisible_colours_through(encoded: Encoded) -> None:
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 33, 64))
    found = pixels(decode(encoded(picture, "PNG"), min_side=16))
    assert (found[:, :, 0] == found[:, :, 1]).all()  # between blue and white, never red


def written_png(header: bytes, rows: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def adam7(values: np.ndarray) -> Iterable[bytes]:
    for top, left, down, right in (
        *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4)),
        *((0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
    ):
        for row in values[top::down, left::right]:
            yield b"\0" + row.tobytes()


def test_interlaced_png_gives_its_pixels(photograph: Image.Image) -> None:
    small = photograph.resize((40, 24))
    header = struct.pack(">IIBBBBB", 40, 24, 8, 2, 0, 0, 1)
    found = decode(written_png(header, b"".join(adam7(np.asarray(small)))))
    assert np.array_equal(pixels(found), pixels(small))


def test_sixteen_bits_a_colour_keep_their_brightness() -> None:
    values = np.linspace(0, 65535, 16 * 16 * 3).reshape(16, 16, 3).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    found = pixels(decode(written_png(struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0), rows)))
    assert np.abs(found - values.astype(np.int64) / 257).max() <= 1
