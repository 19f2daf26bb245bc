from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

import lookalike as la
from lookalike.images import write_contact_sheet, write_samples

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    colours = ["red", "lime", "blue", "yellow", "magenta", "cyan"]
    paths = [tmp_path / f"{colour}.png" for colour in colours]
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", (60, 40), colour).save(path)
    return paths


def colours_of(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as sheet:
        found = sheet.convert("RGB").getcolors(1 << 20)
    assert found is not None
    return {colour for count, colour in found if count > 2000}  # type: ignore[misc]


def test_the_sheet_shows_the_query_and_every_answer(tmp_path: Path, pictures: list[Path]) -> None:
    sheet = tmp_path / "sheet.png"
    query, *answers = pictures
    write_contact_sheet(sheet, query, [(path, 0.25) for path in answers], title="five")
    shown = {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)}
    assert shown <= colours_of(sheet)
    with Image.open(sheet) as drawn:
        assert drawn.size == (1328, 316)


@pytest.mark.parametrize(("n", "height"), [(0, 316), (1, 316), (5, 316), (6, 576), (30, 1616)])
def test_the_sheet_grows_with_the_answers(
    tmp_path: Path, pictures: list[Path], n: int, height: int
) -> None:
    sheet = tmp_path / "sheet.png"
    write_contact_sheet(sheet, None, [(pictures[0], 1.0)] * n, title="a vector")
    with Image.open(sheet) as drawn:
        assert drawn.height == height


def test_a_picture_that_is_gone_leaves_an_empty_tile(tmp_path: Path, pictures: list[Path]) -> None:
    sheet = tmp_path / "sheet.png"
    gone = tmp_path / "gone.png"
    write_contact_sheet(sheet, gone, [(pictures[1], 0.1), (gone, 0.2)], title="gone")
    assert (0, 255, 0) in colours_of(sheet)


def test_long_unicode_and_broken_names_fit(tmp_path: Path, pictures: list[Path]) -> None:
    sheet = tmp_path / "sheet.png"
    names = ["x" * 200 + ".png", "日本語の名前" * 5 + ".png", "caf\udce9.png"]
    answers = [(tmp_path / name, 0.5) for name in names]
    write_contact_sheet(sheet, pictures[0], answers, title="names")
    assert (255, 0, 0) in colours_of(sheet)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".PNG"])
def test_the_suffix_says_the_format(tmp_path: Path, pictures: list[Path], suffix: str) -> None:
    sheet = tmp_path / f"sheet{suffix}"
    write_contact_sheet(sheet, pictures[0], [(pictures[1], 0.5)], title="format")
    with Image.open(sheet) as drawn:
        assert drawn.format == {".jpg": "JPEG", ".webp": "WEBP", ".PNG": "PNG"}[suffix]


@pytest.mark.parametrize("name", ["sheet", "sheet.txt", "sheet.psd"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, pictures: list[Path], name: str) -> None:
    with pytest.raises(la.ParameterError, match=r"try \.png"):
        write_contact_sheet(tmp_path / name, pictures[0], [], title="format")
    assert not (tmp_path / name).exists()


def test_the_thumbnails_lie_in_their_tiles(tmp_path: Path, pictures: list[Path]) -> None:
    sheet = tmp_path / "sheet.png"
    query, *answers = pictures
    write_contact_sheet(sheet, query, [(path, 0.0) for path in answers * 2], title="ten")
    with Image.open(sheet) as drawn:
        for place, answer in enumerate(answers * 2):
            middle = (248 + place % 5 * 216 + 100, 56 + place // 5 * 260 + 100)
            with Image.open(answer) as picture:
                assert drawn.getpixel(middle) == picture.getpixel((0, 0))
        assert drawn.getpixel((116, 156)) == (255, 0, 0)


def test_names_and_titles_of_several_lines_or_endless_length_fit(
    tmp_path: Path, pictures: list[Path]
) -> None:
    sheet = tmp_path / "sheet.png"
    odd = pictures[0].rename(tmp_path / "two\nlines\r.png")
    write_contact_sheet(sheet, odd, [(odd, 0.5)], title="three\nlines\udce9 " + "and more " * 99)
    with Image.open(sheet) as drawn:
        assert drawn.size == (464, 316)
        right = drawn.crop((449, 0, 464, 48)).getcolors()
    assert right == [(15 * 48, (255, 255, 255))]  # the margin stays free


def test_the_thinnest_pictures_have_a_tile(tmp_path: Path) -> None:
    thin = tmp_path / "thin.png"
    for size in ((1, 10_000), (10_000, 1)):
        Image.new("RGB", size, "red").save(thin)
        write_contact_sheet(tmp_path / "sheet.png", thin, [(thin, 0.5)], title="thin")


@pytest.mark.parametrize(("name", "n"), [("sheet.webp", 400), ("sheet.palm", 1), ("sheet.h5", 1)])
def test_a_sheet_that_cannot_be_written_is_refused_and_leaves_the_old_one(
    tmp_path: Path, pictures: list[Path], name: str, n: int
) -> None:
    sheet = tmp_path / name
    sheet.write_bytes(b"the old one")
    with pytest.raises(la.ParameterError, match=r"pixels cannot be written as .*; try \.png"):
        write_contact_sheet(sheet, None, [(pictures[0], 0.5)] * n, title="long")
    assert sheet.read_bytes() == b"the old one"
    assert not list(tmp_path.glob(".*"))


def test_the_samples_are_ten_groups_of_scans_and_photographs(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    query = write_samples(folder, tmp_path / "query.png")
    digits = [len(list((folder / str(label)).iterdir())) for label in range(10)]
    assert sum(digits) == 1796
    assert min(digits) > 170
    photographs = {path.name for path in (folder / "photographs").iterdir()}
    assert {"chelsea.png", "astronaut.png", "china.jpg"} <= photographs
    assert query.is_file()
    assert not list(tmp_path.rglob(".*"))  # nothing half-written
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_samples(folder, tmp_path / "query.png")
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
