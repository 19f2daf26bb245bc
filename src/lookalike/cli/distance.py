"""``lookalike distance``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from lookalike.cli.failures import NOTHING_FOUND, reports_failures, say
from lookalike.cli.options import ExcludeSelf, Json, MetricChoice, MetricOption, Query
from lookalike.cli.output import print_json, print_table
from lookalike.cli.sources import is_vectors, open_gallery, open_vectors, read_probe
from lookalike.groups import group_distance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lookalike.core.types import NumberArray

__all__ = ["distance", "print_ranking", "rank"]


class By(StrEnum):
    """The distances to a group that are shown, and can be ranked by."""

    nearest = "nearest"
    mean = "mean"
    centroid = "centroid"
    farthest = "farthest"


class GroupRow(NamedTuple):
    """A group with its distances."""

    name: str
    items: int
    distances: dict[str, float]


@reports_failures
def distance(
    image: Query,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER...",
            help="Each is a group; of a single folder, each sub-folder is. .npy files work too.",
        ),
    ] = None,
    *,
    metric: MetricOption = MetricChoice.cosine,
    by: Annotated[By, typer.Option("--by", help="Which distance ranks the groups.")] = By.nearest,
    exclude_self: ExcludeSelf = False,
    as_json: Json = False,
) -> int:
    """Rank groups of pictures by their distance to IMAGE, nearest group first.

    A group's distance is that of its nearest member, the mean over its members, that of its
    centroid, and that of its farthest member.
    """
    given = folders or [Path()]
    ranked = rank(image, given, metric, by, exclude_self=exclude_self)
    if as_json:
        groups = [{"group": row.name, "items": row.items, **row.distances} for row in ranked]
        print_json({"query": str(image), "metric": metric.value, "by": by.value, "groups": groups})
    else:
        print_ranking(ranked)
    return 0 if ranked else NOTHING_FOUND


def rank(
    image: Path, folders: list[Path], metric: MetricChoice, by: By, *, exclude_self: bool
) -> list[GroupRow]:
    """Return the groups of some folders, ranked."""
    probe = read_probe(image)
    ranked = [
        GroupRow(name, len(members), _distances(vector, members, metric))
        for name, vector, members in _groups(probe, folders, exclude_self=exclude_self)
        if len(members)
    ]
    return sorted(ranked, key=lambda row: row.distances[by.value])


def print_ranking(ranked: list[GroupRow]) -> None:
    """Print a table of groups, nearest first."""
    if not ranked:
        say("no groups found: a group is a folder with pictures")
        return
    kinds = [kind.value for kind in By]
    rows = [
        (
            str(place),
            *(f"{row.distances[kind]:.4f}" for kind in kinds),
            str(row.items),
            row.name,
        )
        for place, row in enumerate(ranked, 1)
    ]
    print_table(("rank", *kinds, "items", "group"), rows)


def _distances(vector: NumberArray, members: NumberArray, metric: MetricChoice) -> dict[str, float]:
    return {
        kind.value: group_distance(vector, members, linkage=kind.value, metric=metric.value)
        for kind in By
    }


def _groups(
    probe: Path | NumberArray, folders: list[Path], *, exclude_self: bool
) -> Iterable[tuple[str, NumberArray, NumberArray]]:
    """Yield name, query vector and members of each group."""
    for folder in folders:
        if is_vectors(folder):
            rows = open_vectors(folder)
            vector = _vector(probe)
            is_kept = ~(rows == vector).all(axis=1) if exclude_self else slice(None)
            yield str(folder), vector, rows[is_kept]
            continue
        gallery = open_gallery(folder)
        vector = gallery.embed(probe)
        others = gallery.without(probe) if exclude_self else gallery
        groups = others.groups() if len(folders) == 1 else {}
        if groups:
            for name, members in groups.items():
                yield name, vector, members
        else:
            yield str(folder), vector, others.embeddings


def _vector(probe: Path | NumberArray) -> NumberArray:
    if isinstance(probe, np.ndarray):
        return probe
    from lookalike.images import embed_picture  # noqa: PLC0415 - Pillow, only for pictures

    return embed_picture(probe)
