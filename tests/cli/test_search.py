from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import lookalike as la

if TYPE_CHECKING:
    from tests.cli.conftest import Lookalike, Outcome

METRICS = ("cosine", "euclidean", "sqeuclidean", "manhattan", "inner_product")


def document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def answers(outcome: Outcome) -> list[tuple[str, float]]:
    return [(found["path"], found["distance"]) for found in document(outcome)["results"]]


def expected(matches: Any) -> list[tuple[str, float]]:
    paths, distances = matches
    return [(str(path), float(far)) for path, far in zip(paths, distances, strict=True)]


def test_the_table_shows_what_the_library_answers(lookalike: Lookalike, gallery: Path) -> None:
    query = gallery / "people" / "camera.png"
    shown = lookalike("search", query, gallery, "-k", "4")
    head, *lines = shown.stdout.splitlines()
    assert (shown.returncode, shown.stderr, head.split()) == (0, "", ["rank", "distance", "path"])
    wanted = expected(la.Gallery.open(gallery).search(query, 4))
    rows = [line.split(maxsplit=2) for line in lines]
    assert rows == [
        [str(rank), f"{far:.4f}", path] for rank, (path, far) in enumerate(wanted, start=1)
    ]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_answers_as_the_library_does(
    here: Lookalike, gallery: Path, metric: Any
) -> None:
    query = gallery / "textures" / "grass.png"
    found = here("search", query, gallery, "--metric", metric, "--json")
    assert answers(found) == expected(la.Gallery.open(gallery).search(query, metric=metric))
    facts = document(found)
    assert (facts["metric"], facts["certified"], facts["query"]) == (metric, True, str(query))


def test_an_alias_of_a_metric_is_told_by_its_name(lookalike: Lookalike, gallery: Path) -> None:
    found = lookalike("search", gallery / "moon.png", gallery, "-m", "cityblock", "--json")
    assert document(found)["metric"] == "manhattan"


@pytest.mark.usefixtures("same_cache")
def test_a_picture_from_elsewhere_finds_what_the_library_finds(
    lookalike: Lookalike, gallery: Path, outside: Path
) -> None:
    found = lookalike("search", outside, gallery, "--json")
    assert answers(found) == expected(la.Gallery.open(gallery).search(outside))


def test_ten_answers_are_given_unless_k_says_otherwise(lookalike: Lookalike, gallery: Path) -> None:
    query = gallery / "moon.png"
    assert len(lookalike("search", query, gallery, "--paths").stdout.splitlines()) == 10
    assert len(lookalike("search", query, gallery, "--paths", "-k2").stdout.splitlines()) == 2
    huge = lookalike("search", query, gallery, "--paths", "-k", "9" * 30)
    assert len(huge.stdout.splitlines()) == len(la.Gallery.open(gallery))


def test_a_picture_of_the_gallery_is_its_own_first_answer_unless_excluded(
    lookalike: Lookalike, gallery: Path
) -> None:
    query = gallery / "people" / "astronaut.png"
    (first, far), *others = answers(lookalike("search", query, gallery, "--json"))
    assert (first, far) == (str(query), 0.0)
    without = lookalike("search", query, gallery, "--json", "--exclude-self", "-k", "9")
    assert answers(without) == others


def test_paths_are_printed_alone_and_in_order(lookalike: Lookalike, gallery: Path) -> None:
    query = gallery / "moon.png"
    found = lookalike("search", query, gallery, "--paths")
    wanted = expected(la.Gallery.open(gallery).search(query))
    assert found.stdout.splitlines() == [path for path, _ in wanted]
    assert found.stderr == ""


def test_a_radius_is_inclusive_and_k_limits_it(lookalike: Lookalike, gallery: Path) -> None:
    query = gallery / "moon.png"
    wanted = expected(la.Gallery.open(gallery).search(query, 4))
    radius = repr(wanted[-1][1])
    found = lookalike("search", query, gallery, "--within", radius, "--json")
    assert answers(found) == wanted
    limited = lookalike("search", query, gallery, "--within", radius, "-k", "2", "--json")
    assert answers(limited) == wanted[:2]
    everyone = lookalike("search", query, gallery, "--within", "inf", "--paths")
    assert len(everyone.stdout.splitlines()) == len(la.Gallery.open(gallery))


@pytest.mark.parametrize("radius", ["0", "-1"])
def test_nothing_found_is_status_1_and_json_is_whole(
    here: Lookalike, gallery: Path, radius: str
) -> None:
    ask = ("search", gallery / "moon.png", gallery, "--exclude-self", "--within", radius)
    table, paths, whole = here(*ask), here(*ask, "--paths"), here(*ask, "--json")
    assert [found.returncode for found in (table, paths, whole)] == [1, 1, 1]
    assert (table.stdout, table.stderr, paths.stdout) == ("", "nothing found\n", "")
    assert document(whole)["results"] == []


@pytest.mark.parametrize("radius", ["nan", "far"])
def test_a_radius_that_is_no_number_is_refused(
    lookalike: Lookalike, gallery: Path, radius: str
) -> None:
    found = lookalike("search", gallery / "moon.png", gallery, "--within", radius)
    assert (found.returncode, found.stdout) == (2, "")
    assert radius in found.stderr.lower()


def test_the_current_folder_is_searched_unless_one_is_given(
    lookalike: Lookalike, gallery: Path
) -> None:
    found = lookalike("search", "moon.png", "--paths", "-k1", cwd=gallery)
    assert found.stdout == "moon.png\n"


def test_a_folder_inside_a_gallery_is_searched_alone(lookalike: Lookalike, gallery: Path) -> None:
    found = lookalike("search", gallery / "moon.png", "textures", "--paths", cwd=gallery)
    names = {Path(line).name for line in found.stdout.splitlines()}
    assert names == {"brick.png", "grass.png", "gravel.png"}


def test_names_come_out_as_the_bytes_that_they_are(lookalike: Lookalike, gallery: Path) -> None:
    odd = gallery / "odd names"
    names = {os.fsencode(path) for path in odd.iterdir()}
    for option, encoding in (("--paths", "ascii"), ("-k100", "latin-1")):
        found = lookalike("search", gallery / "moon.png", odd, option, PYTHONIOENCODING=encoding)
        shown = found.stdout.encode("utf-8", "surrogateescape").splitlines()
        assert found.returncode == 0
        assert {line[line.find(bytes(odd)) :] for line in shown if bytes(odd) in line} == names


def test_a_query_may_have_any_name(here: Lookalike, gallery: Path) -> None:
    for query in (gallery / "odd names").iterdir():
        ((first, far),) = answers(here("search", query, gallery, "--json", "-k1"))
        assert (first, far) == (str(query), 0.0)


def test_a_name_cannot_break_a_line_or_drive_the_terminal(
    lookalike: Lookalike, own_gallery: Path
) -> None:
    name = "new\nline\x1b[31m\x9b.png"
    (own_gallery / "moon.png").rename(own_gallery / name)
    shown = lookalike("index", own_gallery)
    assert "1 moved" in shown.stdout
    ask = ("search", own_gallery / name, own_gallery, "-k1")
    assert lookalike(*ask).stdout.splitlines()[1].endswith(r"new\nline\x1b[31m\x9b.png")
    assert answers(lookalike(*ask, "--json")) == [(str(own_gallery / name), 0.0)]
    assert lookalike(*ask, "--paths").stdout == f"{own_gallery / name}\n"
    missing = lookalike("search", f"no\n{name}", own_gallery)
    assert missing.stderr.count("\n") == 1
    assert r"no\nnew\nline\x1b" in missing.stderr


def test_a_narrow_terminal_neither_wraps_nor_cuts(lookalike: Lookalike, gallery: Path) -> None:
    ask = ("search", gallery / "moon.png", gallery)
    assert lookalike(*ask, COLUMNS="20").stdout == lookalike(*ask, COLUMNS="500").stdout


@pytest.mark.parametrize("name", ["sheet.png", "a sheet.JPG", "blatt ü.webp"])
def test_the_sheet_is_a_picture_where_it_was_asked_for(
    lookalike: Lookalike, gallery: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    found = lookalike(
        "search", gallery / "moon.png", gallery, "-k3", "--paths", "--sheet", folder / name
    )
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 3
    assert found.stderr == f"sheet: {folder / name}\n"
    with Image.open(folder / name) as sheet:
        assert min(sheet.size) > 200
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("name", ["sheet", "sheet.xyz", "missing/sheet.png"])
def test_a_sheet_that_cannot_be_written_is_refused_before_any_answer(
    lookalike: Lookalike, gallery: Path, tmp_path: Path, name: str
) -> None:
    found = lookalike("search", gallery / "moon.png", gallery, "--sheet", tmp_path / name)
    assert (found.returncode, found.stdout) == (2, "")
    assert name in found.stderr
    assert list(tmp_path.iterdir()) == []


def test_json_and_paths_exclude_each_other(lookalike: Lookalike, gallery: Path) -> None:
    found = lookalike("search", gallery / "moon.png", gallery, "--json", "--paths")
    assert (found.returncode, found.stdout) == (2, "")
    assert "--json and --paths" in found.stderr


def test_queries_that_are_no_pictures_are_named(
    here: Lookalike, gallery: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    reasons = {
        gallery / "text.jpg": "not a picture",
        gallery / "truncated.jpg": "cannot be read",
        tmp_path / "empty.jpg": "empty",
        tmp_path / "missing.jpg": "does not exist",
        tmp_path: "is a folder",
    }
    for query, reason in reasons.items():
        found = here("search", query, gallery)
        assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
        assert str(query) in found.stderr
        assert reason in found.stderr


def test_folders_that_cannot_be_searched_are_named(
    here: Lookalike, gallery: Path, tmp_path: Path
) -> None:
    unknown = tmp_path / "not indexed"
    unknown.mkdir()
    reasons = {
        unknown: f"run lookalike index '{unknown}'",
        tmp_path / "missing": "does not exist",
        gallery / "moon.png": "is not a folder",
    }
    for folder, reason in reasons.items():
        for command in ("search", "distance"):
            found = here(command, gallery / "moon.png", folder)
            assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
            assert reason in found.stderr


def test_a_gallery_without_pictures_has_nothing_to_find(
    lookalike: Lookalike, gallery: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_text("hello")
    assert lookalike("index", tmp_path).returncode == 1
    found = lookalike("search", gallery / "moon.png", tmp_path, "--json")
    assert found.returncode == 1, found.stderr
    assert document(found)["results"] == []
    ranked = lookalike("distance", gallery / "moon.png", tmp_path, "--json")
    assert (ranked.returncode, document(ranked)["groups"]) == (1, [])


def modules_loaded(environment: dict[str, str], *arguments: str | Path) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lookalike", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env=environment,
        check=True,
    )
    lines = re.findall(r"^import time: .*\| *(\S+)$", shown.stderr, flags=re.MULTILINE)
    return {line.partition(".")[0] for line in lines}


def test_a_picture_of_the_gallery_is_found_without_loading_a_network(
    environment: dict[str, str], gallery: Path, outside: Path
) -> None:
    known = modules_loaded(environment, "search", gallery / "people" / "camera.png", gallery)
    assert known.isdisjoint({"onnxruntime", "onnx", "pillow_heif", "platformdirs", "rich"})
    assert known.isdisjoint({"scipy", "pydantic", "sklearn", "skimage", "torch"})
    new = modules_loaded(environment, "search", outside, gallery)
    assert "onnxruntime" in new
    assert new.isdisjoint({"onnx", "rich", "scipy", "pydantic", "sklearn", "skimage", "torch"})


def test_distances_keep_every_bit_in_json(lookalike: Lookalike, gallery: Path) -> None:
    found = answers(lookalike("search", gallery / "moon.png", gallery, "--json"))
    distances = np.array([far for _, far in found])
    assert np.array_equal(distances.astype(np.float32).astype(np.float64), distances)
