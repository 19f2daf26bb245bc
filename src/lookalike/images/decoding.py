"""Reading picture files: any usual format in, upright RGB pixels out."""

from __future__ import annotations

import io
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lookalike.core.errors import MissingExtraError, PictureError
from lookalike.images.colour import to_srgb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.Image import Image

try:
    from PIL import Image as PillowImage
    from PIL import ImageFile
except ImportError as error:
    raise MissingExtraError("reading pictures", "Pillow", "images") from error

__all__ = ["MAX_FILE_BYTES", "MAX_PIXELS", "decode", "normalise", "read_file"]

#: The largest picture read by default, in pixels; Pillow refuses above it too.
MAX_PIXELS = 178_956_970
MAX_FILE_BYTES = 1 << 30
# Only these: Pillow can open many more kinds, some by running other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# JPEG averages blocks of pixels; other kinds may answer with a thumbnail instead.
_REDUCES_WELL = frozenset({"JPEG", "MPO"})
_MIN_REDUCTION = 2
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_270,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_90,
}


def read_file(path: Path) -> bytes:
    """Return the bytes of a picture file.

    Raises
    ------
    PictureError
        It cannot be read, is empty, or is larger than 1 GiB.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            _check_bytes(status.st_size)
            # A device may never end, and says nothing of its size.
            content = file.read(-1 if stat.S_ISREG(status.st_mode) else MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from error
    except ValueError as error:  # a name that no file can have
        raise PictureError(str(error)) from error
    _check_bytes(len(content))
    if not content:
        raise PictureError("the file is empty")
    return content


def _check_bytes(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise PictureError(f"the file has {size} bytes, over the limit of {MAX_FILE_BYTES}")


def decode(content: bytes, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Return a picture as it should be seen: upright, opaque, 8-bit sRGB.

    Parameters
    ----------
    content : bytes
        JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC/HEIF or AVIF; of several frames the first.
    min_side : int, optional
        Allow decoding at reduced scale (by 2, 4, 8 ...), as long as neither side falls
        below this. JPEG is decoded small in the first place, which saves most of the work.
    max_pixels : int
        Refuse larger pictures, before their pixels are decoded.

    Returns
    -------
    PIL.Image.Image
        Mode RGB. EXIF orientation is applied, transparency is laid on white, 16-bit and
        CMYK are converted, an embedded colour profile is converted to sRGB.

    Raises
    ------
    PictureError
        It is broken, truncated, too large or not a picture; the message says which, as
        the end of a sentence that begins with the name of the file.
    """
    with _telling():
        image = _open(content)
        _check_size(image, max_pixels)
        if min_side and image.format in _REDUCES_WELL:
            image.draft("RGB", (min_side, min_side))
        return _as_seen(image, min_side)


def normalise(image: Image, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Return a picture that Pillow opened as :func:`decode` returns its file.

    Parameters
    ----------
    image : PIL.Image.Image
        Left as it is, but that Pillow loads its pixels.
    min_side, max_pixels : int
        As for :func:`decode`.

    Raises
    ------
    PictureError
        As for :func:`decode`.
    """
    with _telling():
        _check_size(image, max_pixels)
        return _as_seen(image, min_side)


@contextmanager
def _telling() -> Iterator[None]:
    """Turn whatever Pillow raises into a reason."""
    try:
        yield
    except (PictureError, MissingExtraError):
        raise
    except MemoryError as error:
        raise PictureError("it does not fit in memory") from error
    except Exception as error:
        # Decoders meet broken bytes with every kind of exception; what they say is passed on.
        raise PictureError(f"it is broken: {_first_line(error)}") from error


def _as_seen(image: Image, min_side: int | None) -> Image:
    image.load()
    orientation = _orientation(image)
    profile = image.info.get("icc_profile")
    picture = to_srgb(_reduce(image, min_side) if min_side else image, profile)
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _open(content: bytes) -> ImageFile.ImageFile:
    """Open by content, whatever the file is called."""
    if _is_heif(content):
        return _open_heif(content)
    PillowImage.preinit()
    for name in _FORMATS:
        if name not in PillowImage.OPEN:
            PillowImage.init()
        # Not Image.open: its own size check warns process-wide at a fixed limit.
        factory, accept = PillowImage.OPEN[name]
        accepted = accept(content[:16]) if accept else True
        if isinstance(accepted, str):
            raise PictureError(f"this Pillow cannot read {name}: {accepted}")
        if accepted:
            return factory(io.BytesIO(content), "")
    raise PictureError("it is not a picture of a known format")


def _is_heif(content: bytes) -> bool:
    brand = content[8:12]
    return content[4:8] == b"ftyp" and brand in {
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
        *(b"mif1", b"mif2", b"msf1"),
    }


def _open_heif(content: bytes) -> ImageFile.ImageFile:
    try:
        from pillow_heif import HeifImageFile  # noqa: PLC0415 - slow to import, seldom needed
    except ImportError as error:
        raise MissingExtraError("reading HEIC pictures", "pillow-heif", "images") from error
    opened: ImageFile.ImageFile = HeifImageFile(io.BytesIO(content))
    return opened


def _check_size(image: Image, max_pixels: int) -> None:
    pixels = image.width * image.height
    if not pixels:
        raise PictureError("it has no pixels")
    if pixels > max_pixels:
        raise PictureError(
            f"it has {image.width} x {image.height} = {pixels} pixels, "
            f"over the limit of {max_pixels}; raise max_pixels to read it"
        )


def _orientation(image: Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - any parser error
        return 1  # broken metadata beside sound pixels: show them as every viewer does


def _reduce(image: Image, min_side: int) -> Image:
    """Average whole blocks of pixels where the picture is far larger than needed."""
    factor = min(image.size) // min_side
    # A colour that stands for transparency must not be mixed with its neighbours.
    is_averageable = (
        image.mode in {"RGB", "RGBA", "L", "LA", "CMYK"} and "transparency" not in image.info
    )
    if factor < _MIN_REDUCTION or not is_averageable:
        return image
    return image.reduce(factor)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
