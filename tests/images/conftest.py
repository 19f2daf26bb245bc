from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage
from PIL import Image

import lookalike as la
from lookalike.images import CallableEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of converted encoders."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LOOKALIKE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache that keeps the tests out of the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKALIKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def photograph() -> Image.Image:
    """A real photograph, 300 x 451, RGB."""
    return Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB")


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
        content = io.BytesIO()
        picture.save(content, kind, **options)
        return content.getvalue()

    return encode


class CountingEncoder(CallableEncoder):
    """Mean colours of a 4 x 4 grid, and how many pictures were asked for."""

    def __init__(self, version: str = "1") -> None:
        super().__init__(self._grids, name="grid", version=version)
        self.count = 0

    def _grids(self, pictures: list[Image.Image]) -> np.ndarray:
        self.count += len(pictures)
        grids = [picture.resize((4, 4), Image.Resampling.BOX) for picture in pictures]
        return np.stack([np.asarray(grid, dtype=np.float32).ravel() for grid in grids])


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def gallery(folder: Path, encoder: CountingEncoder) -> la.Gallery:
    """The gallery of the module's own ``folder``, synced; the encoder counts from here."""
    opened = la.Gallery.open(folder, encoder=encoder)
    opened.sync()
    encoder.count = 0
    return opened
