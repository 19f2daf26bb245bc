"""``lookalike index``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli.failures import NOTHING_FOUND, reports_failures, say
from lookalike.cli.options import Folder, Json, Threads, as_count
from lookalike.cli.output import print_json, print_lines, printable
from lookalike.cli.progress import progress_bar
from lookalike.cli.sources import is_vectors
from lookalike.core.errors import ParameterError

__all__ = ["index", "refresh"]

_MOST_LISTED = 20


@reports_failures
def index(
    folder: Folder = Path(),
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget everything and encode all pictures again.")
    ] = False,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels",
            metavar="N",
            parser=as_count,
            help="Skip pictures with more pixels than this; 179 million unless given.",
        ),
    ] = None,
    threads: Threads = None,
    as_json: Json = False,
) -> int:
    """Make or refresh the gallery of a FOLDER of pictures, sub-folders included.

    Only what is new or changed is encoded; moved and renamed pictures are known by their
    content. Files that cannot be read are listed and skipped. The gallery is kept in
    FOLDER/.lookalike. Ctrl-C keeps what was done; run it again to go on.
    """
    if is_vectors(folder):
        raise ParameterError(f"{folder} holds vectors, which need no index: search it directly")
    return refresh(folder, rebuild=rebuild, max_pixels=max_pixels, threads=threads, as_json=as_json)


def refresh(
    folder: Path,
    *,
    rebuild: bool = False,
    max_pixels: int | None = None,
    threads: int | None = None,
    as_json: bool = False,
) -> int:
    """Bring a gallery up to date, and tell what was done."""
    from lookalike.images import Gallery  # noqa: PLC0415 - Pillow, only where pictures are
    from lookalike.images.decoding import MAX_PIXELS  # noqa: PLC0415

    gallery = Gallery.open(folder, max_pixels=max_pixels or MAX_PIXELS)
    try:
        with progress_bar("encoding pictures") as progress:
            summary = gallery.sync(progress=progress, rebuild=rebuild, n_threads=threads)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note("(what was done is kept; the same command goes on from there)")
        raise
    for path, reason in summary.unreadable[:_MOST_LISTED]:
        say(f"skipped {folder / path}: {reason}")
    if len(summary.unreadable) > _MOST_LISTED:
        say(f"... and {len(summary.unreadable) - _MOST_LISTED} more: lookalike info {folder}")
    if as_json:
        print_json({"folder": str(folder), "items": len(gallery), **asdict(summary)})
    else:
        counts = ("added", "updated", "moved", "removed", "unchanged")
        told = ", ".join(f"{getattr(summary, what)} {what}" for what in counts)
        pictures = f"{folder}: {len(gallery)} pictures ({told}"
        unreadable = f"{len(summary.unreadable)} unreadable"
        print_lines([printable(f"{pictures}, {unreadable}) in {summary.seconds:.1f} s")])
    return 0 if len(gallery) else NOTHING_FOUND
