from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lookalike as la

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Lookalike

DIM = 24


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Vectors, fit and unfit, in files."""
    rows = rng.integers(1, 100, size=(40, DIM)).astype(np.float32)
    rows[30] = rows[7]  # a duplicate
    nan = rows.copy()
    nan[5, 3] = np.nan
    arrays: dict[str, Any] = {
        "rows": rows,
        "query": rows[7],
        "one-row": rows[7:8],
        "other": rng.integers(1, 100, size=DIM).astype(np.float64),
        "no-rows": rows[:0],
        "wide": rng.standard_normal((5, DIM + 1)),
        "nan": nan,
        "nan-query": nan[5],
        "scalar": np.float32(3),
        "cube": rows[None],
        "strings": np.full((3, DIM), "a"),
        "string-query": np.full(DIM, "a"),
        "complex": rows.astype(np.complex64),
        "huge": rows.astype(np.float64) * 1e300,
        "no-dim": rows[:, :0],
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", rows)
    (tmp_path / "archive.npz").with_name("renamed.npy").write_bytes(
        (tmp_path / "archive.npz").read_bytes()
    )
    (tmp_path / "truncated.npy").write_bytes((tmp_path / "rows.npy").read_bytes()[:-50])
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").write_bytes(b"")
    return tmp_path


def cosine(query: Any, rows: Any) -> Any:
    """The oracle, in float64."""
    q, x = np.asarray(query, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    return 1 - x @ q / np.sqrt((x * x).sum(axis=1) * (q @ q))


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "u1", ">f4", "<i8"])
def test_rows_of_any_dtype_are_ranked_as_in_float64(
    here: Lookalike, folder: Path, dtype: str
) -> None:
    rows = np.load(folder / "rows.npy")
    np.save(folder / "typed.npy", np.asfortranarray(rows.astype(dtype)))
    found = here("search", folder / "other.npy", folder / "typed.npy", "-k5", "--json")
    results = json.loads(found.stdout)["results"]
    oracle = cosine(np.load(folder / "other.npy"), rows)
    order = np.lexsort((np.arange(len(oracle)), oracle.astype(np.float32)))[:5]
    assert [result["row"] for result in results] == order.tolist()
    assert [result["distance"] for result in results] == pytest.approx(oracle[order], rel=1e-6)


def test_rows_are_named_by_number(lookalike: Lookalike, folder: Path) -> None:
    for query in ("query.npy", "one-row.npy"):
        ask = ("search", query, "rows.npy", "-k2")
        shown = lookalike(*ask, cwd=folder)
        assert [line.split() for line in shown.stdout.splitlines()] == [
            ["rank", "distance", "row"],
            ["1", "0.0000", "7"],
            ["2", "0.0000", "30"],
        ]
        assert lookalike(*ask, "--paths", cwd=folder).stdout == "7\n30\n"


def test_exclude_self_leaves_equal_rows_out(lookalike: Lookalike, folder: Path) -> None:
    ask = ("search", "query.npy", "rows.npy", "--paths", "--exclude-self")
    assert len(lookalike(*ask, "-k3", cwd=folder).stdout.splitlines()) == 3
    everyone = lookalike(*ask, "-k100", cwd=folder).stdout.split()
    assert {int(row) for row in everyone} == set(range(40)) - {7, 30}
    none = lookalike("search", "query.npy", "one-row.npy", "--exclude-self", cwd=folder)
    assert (none.returncode, none.stdout) == (1, "")


def test_a_radius_selects_rows_as_the_library_does(lookalike: Lookalike, folder: Path) -> None:
    ids, distances = la.nearest(np.load(folder / "other.npy"), np.load(folder / "rows.npy"), k=6)
    ask = ("search", "other.npy", "rows.npy", "--within", repr(float(distances[5])), "--paths")
    assert lookalike(*ask, cwd=folder).stdout.split() == [str(row) for row in ids]
    assert lookalike(*ask, "-k1", cwd=folder).stdout.split() == [str(ids[0])]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("rows.npy", "save a single row"),
        ("scalar.npy", "save a single row"),
        ("no-rows.npy", "save a single row"),
        ("string-query.npy", "not real numbers"),
        ("objects.npy", "does not hold numbers"),
        ("nan-query.npy", "NaN"),
        ("text.npy", "not a .npy file"),
        ("empty.npy", "not a .npy file"),
        ("archive.npz", "not a .npy file"),
        ("missing.npy", "does not exist"),
    ],
)
def test_a_query_that_is_not_one_vector_is_refused_by_name(
    here: Lookalike, folder: Path, query: str, reason: str
) -> None:
    found = here("search", query, "rows.npy", cwd=folder)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert query in found.stderr
    assert reason in found.stderr


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ("wide.npy", f"dim {DIM} but group has dim {DIM + 1}"),
        ("query.npy", "one vector a row"),
        ("scalar.npy", "one vector a row"),
        ("cube.npy", "one vector a row"),
        ("nan.npy", "first in row 5, in 1 of 40 rows"),
        ("strings.npy", "not real numbers"),
        ("complex.npy", "not real numbers"),
        ("huge.npy", "beyond the range of float32"),
        ("no-dim.npy", "dim 0"),
        ("objects.npy", "does not hold numbers"),
        ("truncated.npy", "is damaged"),
        ("text.npy", "not a .npy file"),
        ("renamed.npy", "not a .npy file"),
        ("archive.npz", "not a .npy file"),
        ("missing.npy", "No such file"),
    ],
)
def test_a_file_that_does_not_hold_rows_is_refused_by_name(
    here: Lookalike, folder: Path, group: str, reason: str
) -> None:
    found = here("search", "--exclude-self", "query.npy", group, cwd=folder)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert group in found.stderr
    assert reason in found.stderr


def test_ranking_refuses_vectors_as_searching_does(here: Lookalike, folder: Path) -> None:
    for group in ("wide.npy", "nan.npy", "text.npy"):
        ranked = here("distance", "query.npy", "rows.npy", group, cwd=folder)
        searched = here("search", "query.npy", group, cwd=folder)
        assert (ranked.returncode, ranked.stdout) == (2, "")
        assert ranked.stderr == searched.stderr
    fitted = here("distance", "query.npy", "wide.npy", "--exclude-self", cwd=folder)
    assert (fitted.returncode, fitted.stdout, fitted.stderr.count("\n")) == (2, "", 1)


def test_nothing_is_ever_unpickled(lookalike: Lookalike, folder: Path) -> None:
    found = lookalike("search", "objects.npy", "objects.npy", cwd=folder)
    assert "allow_pickle" not in found.stderr


def test_a_file_without_rows_has_nothing_to_find(lookalike: Lookalike, folder: Path) -> None:
    found = lookalike("search", "query.npy", "no-rows.npy", "--json", cwd=folder)
    assert (found.returncode, json.loads(found.stdout)["results"]) == (1, [])
    ranked = lookalike("distance", "query.npy", "no-rows.npy", cwd=folder)
    assert (ranked.returncode, ranked.stdout) == (1, "")


def test_files_of_vectors_are_groups(lookalike: Lookalike, folder: Path) -> None:
    rows = np.load(folder / "rows.npy")
    np.save(folder / "some.npy", rows[:5])
    ask = ("distance", "other.npy", "rows.npy", "some.npy", "--json", "--by", "mean")
    facts = json.loads(lookalike(*ask, cwd=folder).stdout)
    query = np.load(folder / "other.npy")
    oracle = {}
    for name, members in (("rows.npy", rows), ("some.npy", rows[:5])):
        distances = cosine(query, members)
        centroid = cosine(query, members.astype(np.float64).mean(axis=0, keepdims=True))
        oracle[name] = {
            "nearest": distances.min(),
            "mean": distances.mean(),
            "centroid": centroid[0],
            "farthest": distances.max(),
        }
    wanted = sorted(oracle, key=lambda name: oracle[name]["mean"])
    assert [group["group"] for group in facts["groups"]] == wanted
    for group in facts["groups"]:
        found = {kind: group[kind] for kind in oracle[group["group"]]}
        assert found == pytest.approx(oracle[group["group"]], rel=1e-5)


def test_embeddings_of_a_gallery_answer_as_the_gallery_does(
    lookalike: Lookalike, gallery: Path, tmp_path: Path, outside: Path
) -> None:
    opened = la.Gallery.open(gallery)
    np.save(tmp_path / "rows.npy", opened.embeddings)
    np.save(tmp_path / "query.npy", opened.embeddings[2])
    by_picture = lookalike("search", outside, gallery, "--paths").stdout.splitlines()
    rows = lookalike("search", outside, tmp_path / "rows.npy", "--paths").stdout.split()
    assert [str(gallery / opened.paths[int(row)]) for row in rows] == by_picture
    by_vector = lookalike("search", tmp_path / "query.npy", gallery, "--paths", "-k1")
    assert by_vector.stdout == f"{gallery / opened.paths[2]}\n"


def test_a_vector_that_does_not_fit_a_gallery_is_told_both_dimensions(
    lookalike: Lookalike, gallery: Path, folder: Path
) -> None:
    for command in ("search", "distance"):
        found = lookalike(command, folder / "query.npy", gallery)
        assert found.returncode == 2
        assert f"query has dim {DIM} but group has dim 1280" in found.stderr
        assert str(folder / "query.npy") in found.stderr
    turned = lookalike("search", gallery / "moon.png", folder / "rows.npy")
    assert turned.returncode == 2
    assert f"query has dim 1280 but group has dim {DIM}" in turned.stderr


def test_vectors_are_described_and_need_no_index(lookalike: Lookalike, folder: Path) -> None:
    facts = json.loads(lookalike("info", "rows.npy", "--json", cwd=folder).stdout)
    size = (folder / "rows.npy").stat().st_size
    assert facts == {
        "file": "rows.npy",
        "items": 40,
        "dim": DIM,
        "dtype": "float32",
        "size_bytes": size,
    }
    refused = lookalike("index", "rows.npy", cwd=folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "search it directly" in refused.stderr


def test_vectors_cannot_be_drawn(lookalike: Lookalike, folder: Path) -> None:
    found = lookalike("search", "query.npy", "rows.npy", "--sheet", "out.png", cwd=folder)
    assert found.returncode == 2
    assert "--sheet" in found.stderr
    assert not (folder / "out.png").exists()
