from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lookalike.images import find_pictures

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_pictures_are_found_by_suffix_in_all_sub_folders_in_order(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "a/é.png", "a/Z.heic", "a/b/c.webp", "a.avif", "a/notes.txt", "jpg")
    found = find_pictures(tmp_path)
    assert found == ["a.avif", "a/Z.heic", "a/b/c.webp", "a/é.png", "b.JPG"] == sorted(found)


def test_hidden_files_and_the_gallery_itself_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, ".hidden.jpg", ".lookalike/thumbnail.png", ".git/x.gif", "seen.jpg")
    assert find_pictures(tmp_path) == ["seen.jpg"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    make(tmp_path, "real/a.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real" / "a.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "real" / "folder.jpg").symlink_to(tmp_path)
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    assert find_pictures(tmp_path) == ["link.jpg", "real/a.jpg"]


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert find_pictures(tmp_path) == []


def test_names_that_are_not_utf8_are_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    make(tmp_path, name)
    assert find_pictures(tmp_path) == [name]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_pictures(tmp_path / "missing")
