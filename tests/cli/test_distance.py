from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

import lookalike as la
from lookalike.cli.distance import By
from lookalike.groups.linkage import LinkageName

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Lookalike

KINDS = ("nearest", "mean", "centroid", "farthest")


def groups_of(stdout: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = json.loads(stdout)["groups"]
    return groups


def test_the_kinds_shown_are_linkages_of_the_library() -> None:
    assert {kind.value for kind in By} == set(KINDS) < set(get_args(LinkageName))


@pytest.mark.parametrize(
    ("by", "metric"),
    [
        ("nearest", "cosine"),
        ("mean", "euclidean"),
        ("centroid", "manhattan"),
        ("farthest", "inner_product"),
    ],
)
def test_sub_folders_are_ranked_as_the_library_ranks_them(
    here: Lookalike, gallery: Path, by: Any, metric: Any
) -> None:
    query = gallery / "moon.png"
    opened = la.Gallery.open(gallery)
    vector, members = opened.embed(query), opened.groups()
    found = here("distance", query, gallery, "--by", by, "-m", metric, "--json")
    ranked = groups_of(found.stdout)
    wanted = la.rank_groups(vector, members, linkage=by, metric=metric)
    assert [(group["group"], group[by]) for group in ranked] == wanted
    for group in ranked:
        own = members[group["group"]]
        assert group["items"] == len(own)
        assert [group[kind] for kind in KINDS] == [
            la.group_distance(vector, own, linkage=kind, metric=metric)  # type: ignore[arg-type]
            for kind in KINDS
        ]


def test_the_table_is_aligned_and_ends_with_the_name(lookalike: Lookalike, gallery: Path) -> None:
    shown = lookalike("distance", gallery / "moon.png", gallery, COLUMNS="20")
    head, *lines = shown.stdout.splitlines()
    assert head.split() == ["rank", *KINDS, "items", "group"]
    assert {line.split(maxsplit=6)[-1] for line in lines} == {"textures", "people", "odd names"}
    place = head.index("group")
    assert all(line[place - 1] == " " != line[place] for line in lines)


def test_each_of_several_folders_is_one_group(lookalike: Lookalike, gallery: Path) -> None:
    folders = [str(gallery / name) for name in ("textures", "people")]
    found = lookalike("distance", gallery / "moon.png", *folders, "--json")
    assert sorted(group["group"] for group in groups_of(found.stdout)) == sorted(folders)
    one_without_sub_folders = lookalike("distance", "moon.png", "textures", "--json", cwd=gallery)
    (group,) = groups_of(one_without_sub_folders.stdout)
    assert (group["group"], group["items"]) == ("textures", 3)


def test_the_current_folder_is_ranked_unless_others_are_given(
    lookalike: Lookalike, gallery: Path
) -> None:
    ask = ("distance", gallery / "moon.png", "--json")
    assert groups_of(lookalike(*ask, cwd=gallery).stdout) == groups_of(
        lookalike(*ask, gallery).stdout
    )


def test_exclude_self_leaves_the_query_out_of_its_group(
    lookalike: Lookalike, gallery: Path
) -> None:
    query = gallery / "people" / "camera.png"
    ask = ("distance", query, gallery, "--json")
    before = {group["group"]: group for group in groups_of(lookalike(*ask).stdout)}
    after = {group["group"]: group for group in groups_of(lookalike(*ask, "--exclude-self").stdout)}
    assert before["people"]["nearest"] == 0.0
    assert (before["people"]["items"], after["people"]["items"]) == (2, 1)
    assert after["people"]["nearest"] == after["people"]["farthest"] > 0
    assert after["textures"] == before["textures"]


def test_another_kind_of_distance_is_refused(lookalike: Lookalike, gallery: Path) -> None:
    found = lookalike("distance", gallery / "moon.png", gallery, "--by", "median")
    assert (found.returncode, found.stdout) == (2, "")
    assert all(kind in found.stderr for kind in (*KINDS, "median"))
