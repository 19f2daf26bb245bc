"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from lookalike.core.errors import MetricError
from lookalike.core.types import MetricName
from lookalike.metrics import resolve

__all__ = [
    "ExcludeSelf",
    "Folder",
    "Json",
    "MetricOption",
    "Query",
    "Threads",
    "as_count",
]


def as_count(text: str | int) -> int:
    """Return a number of at least 1 that was typed; Typer's own refusal is hard to read."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise typer.BadParameter(f"{text} is not a whole number of at least 1")
    return number


def _as_metric(text: str) -> MetricName:
    try:
        return cast("MetricName", resolve(text).name)
    except MetricError as error:
        raise typer.BadParameter(str(error)) from error


Query = Annotated[
    Path,
    typer.Argument(metavar="IMAGE", help="A picture, or a .npy file with one vector."),
]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER",
        help="A folder of pictures, or a .npy file of vectors; this folder unless given.",
    ),
]
MetricOption = Annotated[
    MetricName,
    typer.Option(
        "--metric",
        "-m",
        metavar="NAME",
        parser=_as_metric,
        help="cosine, euclidean, sqeuclidean, manhattan or inner_product; smaller is nearer.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ExcludeSelf = Annotated[
    bool, typer.Option("--exclude-self", help="Leave the query itself out of the answer.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        parser=as_count,
        help="How many threads; every core unless given.",
    ),
]
