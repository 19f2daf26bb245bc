"""``lookalike distance``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from lookalike.cli.failures import NOTHING_FOUND, reports_failures, say
from lookalike.cli.options import ExcludeSelf, Json, MetricOption, Query
from lookalike.cli.output import print_json, print_table
from lookalike.cli.sources import (
    is_vectors,
    naming,
    open_gallery,
    open_vectors,
    read_probe,
    rows_equal_to,
    vector_of,
)
from lookalike.core.types import MetricName
from lookalike.groups import group_distance

if TYPE_CHECKING:
    from lookalike.core.types import NumberArray
    from lookalike.images import GalleryView
    from lookalike.storage import EncoderIdentity

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
            help=(
                "Each is a group, of pictures or a .npy file of vectors; of a single folder, each "
                "sub-folder is one. This folder unless given."
            ),
        ),
    ] = None,
    *,
    metric: MetricOption = "cosine",
    by: Annotated[
        By,
        typer.Option(
            "--by",
            metavar="NAME",
            help="Which distance ranks the groups: nearest, mean, centroid or farthest.",
        ),
    ] = By.nearest,
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
        print_json({"query": str(image), "metric": metric, "by": by.value, "groups": groups})
    else:
        print_ranking(ranked)
    return 0 if ranked else NOTHING_FOUND


def rank(
    image: Path, folders: list[Path], metric: MetricName, by: By, *, exclude_self: bool
) -> list[GroupRow]:
    """Return the groups of some folders, ranked; the sub-folders of a single one."""
    probe = _Probe(image)
    ranked = []
    for folder in folders:
        if is_vectors(folder):
            vector, rows = probe.beside_vectors(), open_vectors(folder)
            if exclude_self:
                rows = np.delete(rows, rows_equal_to(vector, rows), axis=0)
            groups = {str(folder): rows}
        else:
            gallery = open_gallery(folder)
            vector = probe.beside(gallery)
            others = gallery.without(probe.given) if exclude_self else gallery
            groups = others.groups() if len(folders) == 1 else {}
            groups = groups or {str(folder): others.embeddings}
        with naming(image, folder):
            ranked += [
                GroupRow(name, len(members), _distances(vector, members, metric))
                for name, members in groups.items()
                if len(members)
            ]
    return sorted(ranked, key=lambda row: row.distances[by.value])


def print_ranking(ranked: list[GroupRow]) -> None:
    """Print a table of groups, nearest first."""
    if not ranked:
        say("no groups found: a group is a folder with pictures, or a .npy file with rows")
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


def _distances(vector: NumberArray, members: NumberArray, metric: MetricName) -> dict[str, float]:
    return {
        kind.value: group_distance(vector, members, linkage=kind.value, metric=metric)
        for kind in By
    }


class _Probe:
    """The query, embedded once for each encoder that made a group."""

    def __init__(self, image: Path) -> None:
        self.given = read_probe(image)
        self._embedded: dict[EncoderIdentity | None, NumberArray] = {}

    def beside_vectors(self) -> NumberArray:
        """Return the query as a vector like those of a file, which may come from anywhere."""
        if None not in self._embedded:
            self._embedded[None] = vector_of(self.given)
        return self._embedded[None]

    def beside(self, gallery: GalleryView) -> NumberArray:
        """Return the query as a vector like those of a gallery."""
        encoder = gallery.encoder_identity
        if encoder not in self._embedded:
            self._embedded[encoder] = gallery.embed(self.given)
        return self._embedded[encoder]
