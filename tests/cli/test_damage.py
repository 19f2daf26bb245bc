from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Lookalike


def segment_of(folder: Path) -> Path:
    (segment,) = (folder / ".lookalike").glob("*.npy")
    return segment


def flip_a_bit(folder: Path) -> Path:
    segment = segment_of(folder)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    return segment


def cut_the_end(folder: Path) -> Path:
    segment = segment_of(folder)
    segment.write_bytes(segment.read_bytes()[:-100])
    return segment


def remove(folder: Path) -> Path:
    segment = segment_of(folder)
    segment.unlink()
    return segment


def catalogue_of(folder: Path, content: Callable[[bytes], bytes]) -> Path:
    catalogue = folder / ".lookalike" / "gallery.json"
    catalogue.write_bytes(content(catalogue.read_bytes()))
    return catalogue


def empty_catalogue(folder: Path) -> Path:
    return catalogue_of(folder, lambda _: b"")


def foreign_catalogue(folder: Path) -> Path:
    return catalogue_of(folder, lambda _: b'{"name": "package.json"}')


def edited_catalogue(folder: Path) -> Path:
    return catalogue_of(folder, lambda old: old.replace(b"moon.png", b"noon.png"))


def newer_catalogue(folder: Path) -> Path:
    return catalogue_of(folder, lambda old: old.replace(b'"version":1', b'"version":999', 1))


@pytest.mark.parametrize(
    "damage",
    [
        *(flip_a_bit, cut_the_end, remove),
        *(empty_catalogue, foreign_catalogue, edited_catalogue, newer_catalogue),
    ],
)
def test_a_damaged_gallery_is_status_3_for_every_command(
    here: Lookalike, own_gallery: Path, damage: Callable[[Path], Path]
) -> None:
    damaged = damage(own_gallery)
    query = own_gallery / "moon.png"
    for arguments in (("search", query), ("distance", query), ("info",)):
        found = here(*arguments, own_gallery)
        assert (found.returncode, found.stdout, found.stderr.count("\n")) == (3, "", 1)
        assert str(damaged) in found.stderr
        assert "rebuild" in found.stderr or "newer" in found.stderr


@pytest.mark.parametrize("damage", [flip_a_bit, empty_catalogue, newer_catalogue])
def test_rebuilding_heals_a_damaged_gallery(
    lookalike: Lookalike, own_gallery: Path, damage: Callable[[Path], Path]
) -> None:
    damaged = damage(own_gallery)
    query = own_gallery / "moon.png"
    ask = ("search", query, own_gallery, "--paths", "-k1")
    assert lookalike(*ask).returncode == 3
    assert str(damaged) in lookalike(*ask).stderr
    rebuilt = lookalike("index", own_gallery, "--rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert lookalike(*ask).stdout == f"{query}\n"


@pytest.mark.parametrize("damage", [empty_catalogue, foreign_catalogue, newer_catalogue])
def test_a_damaged_catalogue_is_not_overwritten_unasked(
    here: Lookalike, own_gallery: Path, damage: Callable[[Path], Path]
) -> None:
    damaged = damage(own_gallery)
    before = damaged.read_bytes()
    assert here("index", own_gallery).returncode == 3
    assert damaged.read_bytes() == before
