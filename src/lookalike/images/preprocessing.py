"""From a picture to the array that a network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from lookalike.core.errors import EncoderError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

    from lookalike.core.types import Float32Array

try:
    from PIL import Image as PillowImage
except ImportError as error:
    raise MissingExtraError("preparing pictures", "Pillow", "images") from error

__all__ = ["Layout", "Preprocessing"]

Layout: TypeAlias = Literal["NCHW", "NHWC"]

_LONGEST = 8  # times the short side


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Scale the short side, cut out the middle, normalise.

    Attributes
    ----------
    input_size : int
        Side of the square that the network takes, in pixels.
    resize_side : int
        The short side is scaled to this first (bicubic), in pixels; at least
        ``input_size``.
    mean, std : tuple of 3 floats
        Of red, green and blue, for pixels in [0, 1]: ``(pixel / 255 - mean) / std``.
    layout : {"NCHW", "NHWC"}
        Colours before the rows of pixels, or after.
    """

    input_size: int
    resize_side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    layout: Layout = "NCHW"

    def __post_init__(self) -> None:
        if self.input_size < 1 or self.resize_side < self.input_size:
            raise EncoderError(
                f"resize_side={self.resize_side} must be at least input_size={self.input_size}, "
                "and both at least 1"
            )
        if {len(self.mean), len(self.std)} != {3} or min(self.std) <= 0:
            raise EncoderError(
                f"mean={self.mean} and std={self.std} must be three numbers each, std above 0"
            )
        if not all(math.isfinite(number) for number in (*self.mean, *self.std)):
            raise EncoderError(f"mean={self.mean} and std={self.std} must be finite")
        if max(*self.mean, *self.std) > 1:
            raise EncoderError(
                f"mean={self.mean} and std={self.std} are for pixels in [0, 1]: divide by 255"
            )
        if self.layout not in {"NCHW", "NHWC"}:
            raise EncoderError(f"layout {self.layout!r} is not one of 'NCHW', 'NHWC'")

    def crop(self, picture: Image) -> Image:
        """Return the square of ``input_size`` from the middle of the scaled picture."""
        picture = _without_far_ends(picture)
        short = min(picture.size)
        width, height = (side * self.resize_side // short for side in picture.size)
        scaled = picture.resize((width, height), PillowImage.Resampling.BICUBIC)
        left, top = (round((side - self.input_size) / 2) for side in scaled.size)
        return scaled.crop((left, top, left + self.input_size, top + self.input_size))

    def __call__(self, pictures: list[Image]) -> Float32Array:
        """Return the array of shape (n, 3, size, size), or (n, size, size, 3) for NHWC."""
        side = self.input_size
        by_pixel = np.empty((len(pictures), side, side, 3), dtype=np.float32)
        for array, picture in zip(by_pixel, pictures, strict=True):
            array[:] = np.asarray(self.crop(picture))
        std = np.array(self.std, dtype=np.float64)
        by_pixel *= (1 / (255 * std)).astype(np.float32)
        by_pixel -= (np.array(self.mean, dtype=np.float64) / std).astype(np.float32)
        if self.layout == "NHWC":
            return by_pixel
        return np.ascontiguousarray(by_pixel.transpose(0, 3, 1, 2))


def _without_far_ends(picture: Image) -> Image:
    """Cut a very long picture to its middle: 1 x 10000 pixels must not be enlarged whole."""
    width, height = picture.size
    longest = _LONGEST * min(width, height)
    if max(width, height) <= longest:
        return picture
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return picture.crop((left, top, min(width, left + longest), min(height, top + longest)))
