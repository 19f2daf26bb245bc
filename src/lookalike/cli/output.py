"""Printing results: aligned columns for people, JSON and bare paths for programs."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["prepare_streams", "print_json", "print_lines", "print_table", "printable"]

# As Python writes them: a file name must not break a line, or drive the terminal.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


def prepare_streams() -> None:
    """Make the standard streams take any file name, and be there at all.

    Names of files need not be valid in any encoding; results carry them as the bytes that
    they are. A stream that the caller has closed swallows what is written to it.
    """
    # Both stay open until the process ends.
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=sys.getfilesystemencoding(), errors="surrogateescape")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Return ``text`` with its control characters escaped."""
    return text.translate(_CONTROLS)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, numbers flush right; the last column is text and never cut or wrapped."""
    table = [headings, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(headings) - 1)]
    for row in table:
        cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, printable(row[-1])]))  # noqa: T201 - this is the output


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document, indented, in ASCII (any terminal and any file name)."""
    print(json.dumps(document, indent=2))  # noqa: T201 - this is the output


def print_lines(lines: Sequence[object]) -> None:
    """Print one thing a line, unwrapped and as it is."""
    for line in lines:
        print(line)  # noqa: T201 - this is the output
