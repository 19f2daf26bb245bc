"""From any pixel mode to opaque 8-bit sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

from lookalike.core.errors import MissingExtraError, PictureError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform


try:
    from PIL import Image as PillowImage
except ImportError as error:
    raise MissingExtraError("reading pictures", "Pillow", "images") from error

__all__ = ["to_srgb"]

_PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(image: Image, profile: bytes | None) -> Image:
    """Return ``image`` in mode RGB as a colour-managed viewer on white shows it.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode. 16-bit grey is scaled by 1/257; 32-bit integers and floats are
        stretched from their least to their greatest value, unless they lie in the range
        of 16 bits, or of 0 to 1.
    profile : bytes or None
        An ICC profile. One that is damaged, or of another colour model than the pixels, is
        left out of account, as viewers do.

    Raises
    ------
    PictureError
        A mode that has no colours, or floats that are not finite.
    """
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode[0] in "IF":
        image = _from_deep(image)
    elif image.has_transparency_data:
        image = _on_white(image)
    if profile:
        image = _managed(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image) -> Image:
    layered = image.convert("RGBA")
    white = PillowImage.new("RGBA", layered.size, "white")
    # Grey stays grey, as its profile is one for grey.
    mode = "L" if image.mode in {"L", "LA"} else "RGB"
    return PillowImage.alpha_composite(white, layered).convert(mode)


def _from_deep(image: Image) -> Image:
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise PictureError("its pixels hold a NaN or an infinity")
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and high <= 0xFFFF):
        low, high = 0.0, 65535.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    grey = (values - low) * (255.0 / ((high - low) or 1.0))
    clear = image.info.get("transparency")  # the one grey value that a PNG shows nothing for
    if isinstance(clear, int):
        grey[values == clear] = 255
    return PillowImage.fromarray(np.rint(grey).astype(np.uint8))


def _from_lab(image: Image) -> Image:
    from PIL import ImageCms  # noqa: PLC0415 - seldom needed

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    return cast("Image", converted)


def _managed(image: Image, profile: bytes) -> Image:
    mode, transform = _transform(profile)
    if transform is None:
        return image
    if mode == "RGB" and image.mode not in {"L", "CMYK"}:
        image = image.convert("RGB")
    return transform.apply(image) if image.mode == mode else image


@lru_cache(maxsize=32)
def _transform(profile: bytes) -> tuple[str, ImageCmsTransform | None]:
    """Return the pixel mode that a profile is for, and the way from there to sRGB.

    The way is None where the colours are sRGB already, or the profile cannot be used.
    """
    from PIL import ImageCms  # noqa: PLC0415 - seldom needed

    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        mode = _PROFILE_MODES.get(source.profile.xcolor_space, "")
        if not mode or "sRGB" in ImageCms.getProfileDescription(source):
            return mode, None
        return mode, ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return "", None
