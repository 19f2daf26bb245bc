"""Real pictures that ordinary Python packages carry, for the demo."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from lookalike.core.errors import MissingExtraError, PictureError
from lookalike.images.decoding import decode, read_file
from lookalike.images.finding import PICTURE_SUFFIXES
from lookalike.storage import write_atomically

__all__ = ["write_samples"]

_SIDE = 80
_INK, _PAPER = 16, 255
_QUERY = -1  # the last scan is held out
_SMALLEST_PHOTOGRAPH = 100  # pixels on the short side; smaller ones are test patterns


def write_samples(folder: Path, query: Path) -> Path:
    """Write scikit-learn's scanned digits, and photographs, into sub-folders.

    Parameters
    ----------
    folder : Path
        Gets ``0`` to ``9``, with 1796 scans in all (E. Alpaydin and C. Kaynak, 1998), and
        ``photographs`` from scikit-learn and scikit-image. Files that are there already
        are left alone.
    query : Path
        Gets the one scan that is held out.

    Returns
    -------
    Path
        ``query``.

    Raises
    ------
    MissingExtraError
        scikit-learn or scikit-image is not installed.
    OSError
        The folder cannot be written.
    """
    for package, distribution in (("sklearn", "scikit-learn"), ("skimage", "scikit-image")):
        if find_spec(package) is None:
            raise MissingExtraError("the demo's sample pictures", distribution, "demo")
    _write_digits(folder, query)
    _copy_photographs(folder / "photographs")
    return query


def _write_digits(folder: Path, query: Path) -> None:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - only for the demo

    scans, labels = load_digits(return_X_y=True)
    for label in range(10):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
    for number, (scan, label) in enumerate(zip(scans[:_QUERY], labels[:_QUERY], strict=True)):
        _write_digit(folder / str(label) / f"digit-{number:04}.png", scan)
    _write_digit(query, scans[_QUERY])


def _write_digit(path: Path, scan: np.ndarray) -> None:
    if path.exists():
        return
    ink = np.pad(scan.reshape(8, 8), 1)
    grey = np.rint(_PAPER * (1 - ink / _INK)).astype(np.uint8)
    # Dark on light with a margin, as on the form that was scanned, and enlarged from 8 x 8 so
    # that people can see them in any viewer.
    large = PillowImage.fromarray(grey).resize((_SIDE, _SIDE), PillowImage.Resampling.BICUBIC)
    content = io.BytesIO()
    large.save(content, "PNG")
    # As write_atomically, but for the disk: to wait for it so often would take a minute.
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content.getvalue())
    temporary.replace(path)


def _copy_photographs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for source in (*_files_of("sklearn", "datasets/images"), *_files_of("skimage", "data")):
        target = folder / source.name
        if target.exists():
            continue
        content = read_file(source)
        try:
            is_photograph = min(decode(content).size) >= _SMALLEST_PHOTOGRAPH
        except PictureError:  # scikit-image carries some for its own tests
            continue
        if is_photograph:
            write_atomically(target, content)


def _files_of(package: str, below: str) -> list[Path]:
    found = find_spec(package)
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent / below
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
