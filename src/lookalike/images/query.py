"""What people ask with: a file, its bytes, an opened picture, or an embedding."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image as PillowImage

from lookalike.core.arrays import as_query
from lookalike.core.errors import PictureError
from lookalike.images.decoding import MAX_PIXELS, decode, normalise, read_file
from lookalike.images.default_encoder import default_encoder
from lookalike.images.encoding import content_hash

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from PIL.Image import Image

    from lookalike.core.types import Float32Array
    from lookalike.images.encoders import Encoder

__all__ = ["Picture", "Query", "embed_picture", "read_query"]

#: A file, its bytes, an opened picture, or an embedding of shape (dim,).
Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image | ArrayLike"


@dataclass(frozen=True, slots=True)
class Query:
    """A query as given, read from its file but not yet decoded.

    Attributes
    ----------
    name : str
        What to call it in an error message.
    path : Path or None
        Of its file.
    content : bytes or None
        Of its file; ``content_hash`` is its hash.
    image : PIL.Image.Image or None
        Of an opened picture.
    embedding : float32 array or None
        Of shape (dim,), where that is what was given.
    """

    name: str
    path: Path | None = None
    content: bytes | None = None
    content_hash: str | None = None
    image: Image | None = None
    embedding: Float32Array | None = None

    def pixels(self, min_side: int | None, max_pixels: int) -> Image:
        """Return the picture, decoded; see :func:`lookalike.images.decoding.decode`.

        Raises
        ------
        PictureError
            It cannot be read; the message begins with its name.
        """
        try:
            if self.content is not None:
                return decode(self.content, min_side=min_side, max_pixels=max_pixels)
            if self.image is not None:
                return normalise(self.image, min_side=min_side, max_pixels=max_pixels)
        except PictureError as error:
            raise PictureError(f"{self.name} cannot be read: {error}") from error
        raise PictureError(f"{self.name} is not a picture")


def read_query(picture: Picture) -> Query:
    """Return the query that a user gave, whatever its form.

    Raises
    ------
    PictureError
        Its file cannot be read.
    LookalikeError
        As :func:`lookalike.distances`, for an embedding.
    """
    if isinstance(picture, PillowImage.Image):
        return Query("the picture", image=picture)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        picture = bytes(picture)
        return Query("the picture", content=picture, content_hash=content_hash(picture))
    if not isinstance(picture, (str, os.PathLike)):
        return Query("the embedding", embedding=as_query(picture, None))
    path = Path(picture)
    try:
        content = read_file(path)
    except PictureError as error:
        raise PictureError(f"{path} cannot be read: {error}") from error
    return Query(str(path), path, content, content_hash(content))


def embed_picture(
    picture: Picture, /, *, encoder: Encoder | None = None, max_pixels: int = MAX_PIXELS
) -> Float32Array:
    """Return the embedding of one picture, shape (dim,).

    Parameters
    ----------
    picture : path, bytes, PIL.Image.Image, or array of shape (dim,)
        An array is returned as float32.
    encoder : Encoder, optional
        :func:`default_encoder` unless given.
    max_pixels : int, optional
        Larger pictures are refused.

    Raises
    ------
    PictureError
        It cannot be read.
    """
    query = read_query(picture)
    if query.embedding is not None:
        return query.embedding
    chosen = encoder or default_encoder()
    return chosen.encode([query.pixels(chosen.min_side, max_pixels)]).reshape(-1)
