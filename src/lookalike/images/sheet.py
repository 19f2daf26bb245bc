"""The contact sheet: a query and its answers on one picture, for people to look at."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lookalike.core.errors import MissingExtraError, ParameterError, PictureError
from lookalike.images.decoding import decode, read_file
from lookalike.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

    Font = FreeTypeFont | BitmapFont

try:
    from PIL import Image as PillowImage
    from PIL import ImageDraw as PillowDraw
    from PIL import ImageFont, ImageOps
except ImportError as error:
    raise MissingExtraError("drawing contact sheets", "Pillow", "images") from error

__all__ = ["write_contact_sheet"]

_TILE = 200
_GAP = 16
_CAPTION = 44
_TITLE = 40
_COLUMNS = 5
_PAPER, _INK, _FAINT, _EMPTY, _ACCENT = "#ffffff", "#1f2328", "#656d76", "#eaeef2", "#0969da"


def write_contact_sheet(
    path: Path, query: Path | None, answers: Sequence[tuple[Path, float]], *, title: str
) -> None:
    """Draw the query, then the answers with rank, distance and file name.

    Parameters
    ----------
    path : Path
        Of the sheet; its suffix says the format (``.png``, ``.jpg``, ``.webp``). Written
        atomically.
    query : Path or None
        None for a query that is not a picture.
    answers : sequence of (Path, float)
        Picture and distance, nearest first. One that cannot be read any more is drawn as
        an empty tile that says so.
    title : str
        Drawn above.

    Raises
    ------
    ParameterError
        Pillow cannot write the format that the suffix names, or not a sheet of this size.
    OSError
        The file cannot be written.
    """
    kind = PillowImage.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in PillowImage.SAVE:
        raise ParameterError(f"{path} has a suffix that no picture format has; try .png")
    content = io.BytesIO()
    sheet = _draw(query, answers, title)
    try:
        sheet.save(content, kind)
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"a sheet of {sheet.width} x {sheet.height} pixels cannot be written as {kind} "
            f"({error}); try .png"
        ) from error
    write_atomically(path, content.getvalue())


def _draw(query: Path | None, answers: Sequence[tuple[Path, float]], title: str) -> Image:
    columns = max(1, min(_COLUMNS, len(answers)))
    rows = max(1, -(-len(answers) // columns))
    step = _TILE + _GAP
    left = _GAP + step + _GAP  # the query stands apart
    size = (left + columns * step, _TITLE + rows * (step + _CAPTION) + _GAP)
    sheet = PillowImage.new("RGB", size, _PAPER)
    draw = PillowDraw.Draw(sheet)
    heading = _fitted(title, _font(16), sheet.width - 2 * _GAP)
    draw.text((_GAP, _GAP), heading, fill=_INK, font=_font(16))
    top = _TITLE + _GAP
    _tile(sheet, draw, (_GAP, top), query, ("query", query.name if query else "a vector"), _ACCENT)
    for place, (answer, distance) in enumerate(answers):
        corner = (left + place % columns * step, top + place // columns * (step + _CAPTION))
        caption = (f"{place + 1}.  {distance:.4f}", "/".join(answer.parts[-2:]))
        _tile(sheet, draw, corner, answer, caption, _EMPTY)
    return sheet


def _tile(
    sheet: Image,
    draw: ImageDraw,
    corner: tuple[int, int],
    path: Path | None,
    caption: tuple[str, str],
    frame: str,
) -> None:
    left, top = corner
    draw.rectangle((left - 2, top - 2, left + _TILE + 1, top + _TILE + 1), outline=frame, width=2)
    try:
        picture = _thumbnail(path) if path else None
    except (PictureError, MissingExtraError) as error:
        picture = None
        reason = _fitted(str(error), _font(12), _TILE - 16)
        draw.text((left + 8, top + 8), reason, fill=_FAINT, font=_font(12))
    if picture:
        inset = ((_TILE - picture.width) // 2, (_TILE - picture.height) // 2)
        sheet.paste(picture, (left + inset[0], top + inset[1]))
    below = top + _TILE + 6
    draw.text((left, below), caption[0], fill=_INK, font=_font(15))
    draw.text(
        (left, below + 19), _fitted(caption[1], _font(12), _TILE), fill=_FAINT, font=_font(12)
    )


def _thumbnail(path: Path) -> Image:
    picture = decode(read_file(path), min_side=_TILE)
    # Small scans are enlarged too: an 8 x 8 digit should fill its tile.
    return ImageOps.contain(picture, (_TILE, _TILE), PillowImage.Resampling.LANCZOS)


def _fitted(text: str, font: Font, width: int) -> str:
    """Return ``text`` on one line no wider than ``width``, by cutting out of its middle."""
    text = text.encode("utf-8", "replace").decode()  # names that are not UTF-8
    text = " ".join(text.splitlines())  # nor need names be of one line
    fitted, kept = text, len(text)
    while font.getlength(fitted) > width and kept > 1:
        kept -= 1
        head = kept // 2
        fitted = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
    return fitted


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
