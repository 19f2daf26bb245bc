"""Files that mean harm, or look like it: what they cost, and what they leave behind."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
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
from PIL import Image

import lookalike as la
from lookalike.images import find_pictures
from lookalike.images.decoding import decode

if TYPE_CHECKING:
    from tests.images.conftest import CountingEncoder

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
pillow_heif.register_heif_opener()


def small_files() -> dict[str, bytes]:
    """Real files of every kind and mode, with EXIF, for flipping bytes."""
    picture = Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB").resize((24, 20))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        *((kind, "RGB", {"exif": exif}) for kind in ("JPEG", "PNG", "WEBP", "HEIF", "AVIF")),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "L", {}),
        ("MPO", "RGB", {"save_all": True, "append_images": [picture]}),
        *(("PNG", mode, {}) for mode in ("L", "LA", "P", "1", "RGBA", "I;16")),
        ("PNG", "RGB", {"save_all": True, "append_images": [picture.rotate(90)]}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGB", {"save_all": True, "append_images": [picture.rotate(90)]}),
        ("GIF", "P", {"save_all": True, "append_images": [picture.rotate(90)]}),
        *(("BMP", mode, {}) for mode in ("RGB", "L", "1")),
        *(("TIFF", mode, {}) for mode in ("RGB", "CMYK", "LAB", "I;16", "F")),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ]
    files = {}
    for number, (kind, mode, options) in enumerate(kinds):
        content = io.BytesIO()
        if mode == "I;16":
            made = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
        elif mode == "LAB":
            made = Image.frombytes("LAB", picture.size, picture.tobytes())
        else:
            made = picture.convert(mode)
        made.save(content, kind, **options)
        files[f"{number} {kind} {mode}"] = content.getvalue()
    return files


FILES = small_files()


@pytest.mark.parametrize("name", FILES)
def test_the_files_to_be_damaged_are_sound(name: str) -> None:
    assert decode(FILES[name]).mode == "RGB"


@settings(max_examples=600)
@given(
    name=st.sampled_from(sorted(FILES)),
    # Most of what parsers believe stands at the beginning.
    changes=st.lists(
        st.tuples(st.integers(0, 200) | st.integers(0, 10**5), st.sampled_from([0, 1, 127, 255])),
        min_size=1,
        max_size=6,
    ),
    missing=st.just(0) | st.integers(0, 1000),
    min_side=st.sampled_from([None, 4, 256]),
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow's own words about odd metadata
def test_damaged_files_of_every_mode_give_a_picture_or_a_reason(
    name: str, changes: list[tuple[int, int]], missing: int, min_side: int | None
) -> None:
    content = bytearray(FILES[name])
    for place, value in changes:
        content[place % len(content)] = value
    try:
        picture = decode(
            bytes(content[: len(content) - missing]), min_side=min_side, max_pixels=1_000_000
        )
    except la.PictureError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert picture.mode == "RGB"


@pytest.mark.parametrize("name", FILES)
def test_cut_anywhere_a_file_gives_a_picture_or_a_reason(name: str) -> None:
    content = FILES[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        for length in range(0, len(content), max(1, len(content) // 40)):
            try:
                assert decode(content[:length]).mode == "RGB"
            except la.PictureError as error:
                assert str(error)  # noqa: PT017 - either outcome is right


def claimed_png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100)
    every = ((b"IHDR", header), *chunks, (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in every
    )


def bombs() -> dict[str, bytes]:
    """Small files that claim, or unpack to, gigabytes."""
    zeros = zlib.compressobj(9)
    packed = b"".join(zeros.compress(b"\0" * (1 << 20)) for _ in range(1000)) + zeros.flush()
    tiff = io.BytesIO()
    Image.new("RGB", (8, 8)).save(tiff, "TIFF")
    claims = bytearray(tiff.getvalue())
    (first,) = struct.unpack("<I", claims[4:8])
    for entry in range(first + 2, first + 26, 12):
        assert struct.unpack("<H", claims[entry : entry + 2])[0] in {256, 257}  # width, height
        claims[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 100_000)
    header = struct.pack("<IiiHHIIiiII", 40, 100_000, 100_000, 1, 24, 0, 0, 0, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + header + b"\0" * 900
    return {
        "png": claimed_png(100_000, 100_000),
        "bmp": bmp,
        "tiff": bytes(claims),
        "gif": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + b"\0" * 50,
        "text": claimed_png(8, 8, (b"zTXt", b"Comment\0\0" + packed)),
        "unicode": claimed_png(8, 8, (b"iTXt", b"Comment\0\1\0\0\0" + packed)),
        "profile": claimed_png(8, 8, (b"iCCP", b"icc\0\0" + packed)),
    }


_DECODE = """
import sys
from pathlib import Path
from lookalike import PictureError
from lookalike.images.decoding import decode

for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        print(path.name, decode(path.read_bytes()).size)
    except PictureError as error:
        print(path.name, error)
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(peak.split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_bombs_are_refused_or_read_in_little_memory(tmp_path: Path) -> None:
    for name, content in bombs().items():
        (tmp_path / name).write_bytes(content)
    shown = subprocess.run(
        [sys.executable, "-c", _DECODE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    *told, peak = shown.stdout.splitlines()
    reasons = dict(line.split(" ", 1) for line in told)
    for name in ("png", "bmp", "tiff"):
        assert "100000 x 100000 = 10000000000 pixels, over the limit" in reasons[name]
    assert "over the limit" in reasons["gif"]
    assert len(reasons) == 7
    assert int(peak) < 300 * 1024  # a bomb alone would take ten times that


def test_decoding_changes_no_setting_of_the_process() -> None:
    import PIL.ImageFile  # noqa: PLC0415 - what it may have changed

    with warnings.catch_warnings(record=True):
        filters = list(warnings.filters)
        before = (Image.MAX_IMAGE_PIXELS, PIL.ImageFile.LOAD_TRUNCATED_IMAGES, filters)
        for content in (*FILES.values(), b"nonsense", claimed_png(20_000, 20_000)):
            try:
                decode(content, min_side=8)
            except la.PictureError:
                continue
        now = list(warnings.filters)
        assert before == (Image.MAX_IMAGE_PIXELS, PIL.ImageFile.LOAD_TRUNCATED_IMAGES, now)


def test_sound_files_are_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in FILES.values():
            decode(content)


def test_odd_things_named_like_pictures_do_not_stop_a_gallery(
    tmp_path: Path, photograph: Image.Image, encoder: CountingEncoder
) -> None:
    (tmp_path / "folder.jpg").mkdir()
    photograph.save(tmp_path / "folder.jpg" / "inside.png")
    os.mkfifo(tmp_path / "pipe.jpg")  # nobody will ever write to it
    (tmp_path / "dangling.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "random.webp").write_bytes(np.random.default_rng(0).bytes(5000))
    photograph.save(tmp_path / "new\nline.PNG")
    gallery = la.Gallery.open(tmp_path, encoder=encoder)
    summary = gallery.sync()
    assert gallery.paths == ("folder.jpg/inside.png", "new\nline.PNG")
    assert [path for path, _ in summary.unreadable] == ["random.webp"]


def test_folders_nested_deeper_than_python_calls_are_searched(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    depth = sys.getrecursionlimit() + 100
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("x.png", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        assert find_pictures(tmp_path) == ["d/" * depth + "x.png"]
    finally:
        os.close(here)
        # pytest removes its folders by recursion.
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)
