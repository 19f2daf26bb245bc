"""``lookalike demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli.distance import By, print_ranking, rank
from lookalike.cli.failures import NOTHING_FOUND, reports_failures, say
from lookalike.cli.index import refresh
from lookalike.cli.options import as_count
from lookalike.cli.output import print_lines
from lookalike.cli.search import draw_sheet, found_in_gallery, print_found
from lookalike.cli.sources import read_probe
from lookalike.core.errors import GalleryNotFoundError

__all__ = ["demo"]

_FOLDER = Path("demo")


@reports_failures
def demo(
    *,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Your own pictures; real samples unless given."),
    ] = None,
    query: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="Your own query; one of the pictures unless given."),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", metavar="N", parser=as_count, help="How many answers.")
    ] = 10,
) -> int:
    """Show the main job on real pictures: index, search, rank groups, draw the answers.

    Without --photos it writes 1796 scanned digits in ten groups, and some photographs, to
    ./demo/pictures and asks for the digits nearest to one more. The last line is the path of
    the contact sheet, alone.
    """
    from lookalike.images import Gallery, write_samples  # noqa: PLC0415

    if query is not None:
        read_probe(query)  # a mistyped name is better known before the encoding
    if photos is None:
        photos = _FOLDER / "pictures"
        say(f"writing sample pictures to {photos}")
        sample = write_samples(photos, _FOLDER / "query.png")
        query = query or sample
    refresh(photos)
    gallery = Gallery.open(photos)
    if not len(gallery):
        raise GalleryNotFoundError(f"{photos} has no pictures that can be read; give another")
    query = query or photos / gallery.paths[0]
    found = found_in_gallery(gallery.search(read_probe(query), k))
    print_lines(["", f"The {len(found.names)} pictures nearest to {query}, by cosine distance:"])
    print_found(found)
    ranked = rank(query, [photos], "cosine", By.centroid, exclude_self=False)
    print_lines(["", "Sub-folders as groups, ranked by the distance of their centroid:"])
    print_ranking(ranked)
    _FOLDER.mkdir(exist_ok=True)
    sheet = _FOLDER / "contact-sheet.png"
    draw_sheet(sheet, query, found, title=f"The pictures nearest to {query.name}")
    print_lines(["", sheet])
    return 0 if found.names else NOTHING_FOUND
