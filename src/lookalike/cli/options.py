"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ExcludeSelf",
    "Folder",
    "Json",
    "MetricChoice",
    "MetricOption",
    "Query",
    "Threads",
]


class MetricChoice(StrEnum):
    """The metrics, as Typer wants choices."""

    cosine = "cosine"
    euclidean = "euclidean"
    sqeuclidean = "sqeuclidean"
    manhattan = "manhattan"
    inner_product = "inner_product"


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
    MetricChoice,
    typer.Option(
        "--metric",
        "-m",
        metavar="NAME",
        help="cosine, euclidean, sqeuclidean, manhattan or inner_product; smaller is nearer.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ExcludeSelf = Annotated[
    bool, typer.Option("--exclude-self", help="Leave the query itself out of the answer.")
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="How many threads; every core unless given."),
]
