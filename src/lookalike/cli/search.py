"""``lookalike search``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from lookalike.cli.failures import NOTHING_FOUND, reports_failures, say
from lookalike.cli.options import ExcludeSelf, Folder, Json, MetricChoice, MetricOption, Query
from lookalike.cli.output import print_json, print_lines, print_table
from lookalike.cli.sources import is_vectors, open_gallery, open_vectors, read_probe
from lookalike.core.errors import ParameterError
from lookalike.scan import nearest, within

if TYPE_CHECKING:
    from lookalike.core.results import Neighbors
    from lookalike.images import Gallery, Matches

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
        int | None, typer.Option("-k", min=1, help="How many answers; 10 unless given.")
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option("--within", metavar="R", help="All at most this far (-k limits them)."),
    ] = None,
    metric: MetricOption = MetricChoice.cosine,
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
    probe = read_probe(image)
    if is_vectors(folder):
        if sheet:
            raise ParameterError(f"{folder} holds vectors, not pictures: leave out --sheet")
        found = _search_vectors(probe, folder, k, radius, metric, exclude_self=exclude_self)
    else:
        gallery = open_gallery(folder)
        found = _search_gallery(probe, gallery, k, radius, metric, exclude_self=exclude_self)
    if as_json:
        print_json(_document(image, folder, metric, found))
    elif only_paths:
        print_lines(found.names)
    else:
        print_found(found)
    if sheet:
        draw_sheet(sheet, image, found, title=f"{image.name}: the nearest by {metric.value}")
        say(f"sheet: {sheet}")
    return 0 if found.names else NOTHING_FOUND


def print_found(found: Found) -> None:
    """Print a table of rank, distance and path."""
    if not found.names:
        say("nothing found")
        return
    rows = [
        (str(rank), f"{distance:.4f}", name)
        for rank, (name, distance) in enumerate(zip(found.names, found.distances, strict=True), 1)
    ]
    print_table(("rank", "distance", "path"), rows)


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
    probe: Path | np.ndarray,
    gallery: Gallery,
    k: int | None,
    radius: float | None,
    metric: MetricChoice,
    *,
    exclude_self: bool,
) -> Found:
    if radius is None:
        matches = gallery.search(
            probe, k or _DEFAULT_K, metric=metric.value, exclude_self=exclude_self
        )
    else:
        matches = gallery.within(probe, radius, metric=metric.value, exclude_self=exclude_self)
    return found_in_gallery(matches, k)


def _search_vectors(
    probe: Path | np.ndarray,
    file: Path,
    k: int | None,
    radius: float | None,
    metric: MetricChoice,
    *,
    exclude_self: bool,
) -> Found:
    rows = open_vectors(file)
    if isinstance(probe, np.ndarray):
        vector = probe
    else:
        from lookalike.images import embed_picture  # noqa: PLC0415 - Pillow, only for pictures

        vector = embed_picture(probe)
    itself = np.flatnonzero((rows == vector).all(axis=1)) if exclude_self else np.array([], int)
    answer: Neighbors
    if radius is None:
        k = k or _DEFAULT_K
        answer = nearest(vector, rows, k + itself.size, metric=metric.value)
    else:
        answer = within(vector, rows, radius, metric=metric.value)
    kept = np.flatnonzero(~np.isin(answer.ids, itself))[:k]
    return Found(
        names=[str(row) for row in answer.ids[kept]],
        distances=[float(distance) for distance in answer.distances[kept]],
        certified=answer.certified,
        plan=answer.plan,
        seconds=answer.stats.seconds,
    )


def _document(image: Path, folder: Path, metric: MetricChoice, found: Found) -> dict[str, object]:
    key = "row" if is_vectors(folder) else "path"
    return {
        "query": str(image),
        "folder": str(folder),
        "metric": metric.value,
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
