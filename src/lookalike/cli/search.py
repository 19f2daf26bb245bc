"""``lookalike search``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from lookalike.cli.failures import NOTHING_FOUND, reports_failures, say
from lookalike.cli.options import ExcludeSelf, Folder, Json, MetricOption, Query, as_count
from lookalike.cli.output import print_json, print_lines, print_table
from lookalike.cli.sources import (
    is_vectors,
    naming,
    open_gallery,
    open_vectors,
    read_probe,
    rows_equal_to,
    vector_of,
)
from lookalike.core.errors import ParameterError
from lookalike.core.types import MetricName
from lookalike.scan import nearest, within

if TYPE_CHECKING:
    from lookalike.core.results import Neighbors
    from lookalike.core.types import NumberArray
    from lookalike.images import GalleryView, Matches

__all__ = ["Found", "draw_sheet", "print_found", "search"]

_DEFAULT_K = 10


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, ready to be printed: what each item is called, and how far it is."""

    names: list[str]
    distances: list[float]
    certified: bool
    plan: str
    seconds: float


@reports_failures
def search(  # noqa: PLR0913 - each is an option of the command
    image: Query,
    folder: Folder = Path(),
    *,
    k: Annotated[
        int | None,
        typer.Option("-k", metavar="N", parser=as_count, help="How many answers; 10 unless given."),
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option("--within", metavar="R", help="All at most this far (-k limits them)."),
    ] = None,
    metric: MetricOption = "cosine",
    exclude_self: ExcludeSelf = False,
    as_json: Json = False,
    only_paths: Annotated[
        bool, typer.Option("--paths", help="Print the paths alone, one a line.")
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="OUT.png", help="Also draw the answers on a picture."),
    ] = None,
) -> int:
    """Find the pictures of FOLDER that are nearest to IMAGE, exactly.

    A picture that is in the folder is its own first answer; --exclude-self leaves it out.
    FOLDER must have been indexed (lookalike index FOLDER), or lie in a folder that was; a
    .npy file of vectors is searched as it is, and rows are named by their number.
    """
    if as_json and only_paths:
        raise ParameterError("--json and --paths exclude each other; choose one")
    if sheet and is_vectors(folder):
        raise ParameterError(f"{folder} holds vectors, not pictures: leave out --sheet")
    if sheet and not sheet.parent.is_dir():
        raise ParameterError(f"--sheet {sheet} lies in no folder: make {sheet.parent} first")
    probe = read_probe(image)
    if is_vectors(folder):
        vector, rows = vector_of(probe), open_vectors(folder)
        with naming(image, folder):
            found = _search_vectors(vector, rows, k, radius, metric, exclude_self=exclude_self)
    else:
        gallery = open_gallery(folder)
        with naming(image, folder):
            found = _search_gallery(probe, gallery, k, radius, metric, exclude_self=exclude_self)
    if sheet:
        draw_sheet(sheet, image, found, title=f"{image.name}: the nearest by {metric}")
        say(f"sheet: {sheet}")
    if as_json:
        print_json(_document(image, folder, metric, found))
    elif only_paths:
        print_lines(found.names)
    else:
        print_found(found, "row" if is_vectors(folder) else "path")
    return 0 if found.names else NOTHING_FOUND


def print_found(found: Found, what: str = "path") -> None:
    """Print a table of rank, distance and path, or row."""
    if not found.names:
        say("nothing found")
        return
    rows = [
        (str(rank), f"{distance:.4f}", name)
        for rank, (name, distance) in enumerate(zip(found.names, found.distances, strict=True), 1)
    ]
    print_table(("rank", "distance", what), rows)


def draw_sheet(sheet: Path, image: Path, found: Found, *, title: str) -> None:
    """Draw the contact sheet of an answer."""
    from lookalike.images import write_contact_sheet  # noqa: PLC0415 - Pillow, when asked for

    answers = [(Path(name), far) for name, far in zip(found.names, found.distances, strict=True)]
    write_contact_sheet(sheet, None if is_vectors(image) else image, answers, title=title)


def found_in_gallery(matches: Matches, k: int | None = None) -> Found:
    """Return the answer of a gallery, at most ``k`` of it."""
    return Found(
        names=[str(path) for path in matches.paths[:k]],
        distances=[float(distance) for distance in matches.distances[:k]],
        certified=matches.certified,
        plan=matches.plan,
        seconds=matches.stats.seconds,
    )


def _search_gallery(
    probe: Path | NumberArray,
    gallery: GalleryView,
    k: int | None,
    radius: float | None,
    metric: MetricName,
    *,
    exclude_self: bool,
) -> Found:
    if radius is None:
        matches = gallery.search(probe, k or _DEFAULT_K, metric=metric, exclude_self=exclude_self)
    else:
        matches = gallery.within(probe, radius, metric=metric, exclude_self=exclude_self)
    return found_in_gallery(matches, k)


def _search_vectors(
    vector: NumberArray,
    rows: NumberArray,
    k: int | None,
    radius: float | None,
    metric: MetricName,
    *,
    exclude_self: bool,
) -> Found:
    itself = rows_equal_to(vector, rows) if exclude_self else np.empty(0, dtype=np.int64)
    answer: Neighbors
    if radius is None:
        k = k or _DEFAULT_K
        answer = nearest(vector, rows, k + itself.size, metric=metric)
    else:
        answer = within(vector, rows, radius, metric=metric)
    kept = np.flatnonzero(~np.isin(answer.ids, itself))[:k]
    return Found(
        names=[str(row) for row in answer.ids[kept]],
        distances=[float(distance) for distance in answer.distances[kept]],
        certified=answer.certified,
        plan=answer.plan,
        seconds=answer.stats.seconds,
    )


def _document(image: Path, folder: Path, metric: MetricName, found: Found) -> dict[str, object]:
    key = "row" if is_vectors(folder) else "path"
    return {
        "query": str(image),
        "folder": str(folder),
        "metric": metric,
        "certified": found.certified,
        "plan": found.plan,
        "seconds": found.seconds,
        "results": [
            {"rank": rank, "distance": distance, key: int(name) if key == "row" else name}
            for rank, (name, distance) in enumerate(
                zip(found.names, found.distances, strict=True), 1
            )
        ],
    }
