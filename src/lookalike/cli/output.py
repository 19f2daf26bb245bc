"""Printing results: aligned columns for people, JSON and bare paths for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["print_json", "print_lines", "print_table"]


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, numbers flush right; the last column is text and never cut or wrapped."""
    table = [headings, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(headings) - 1)]
    for row in table:
        cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]))  # noqa: T201 - this is the output


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document, indented, in ASCII (any terminal and any file name)."""
    print(json.dumps(document, indent=2))  # noqa: T201 - this is the output


def print_lines(lines: Sequence[object]) -> None:
    """Print one thing a line, unwrapped."""
    for line in lines:
        print(line)  # noqa: T201 - this is the output
