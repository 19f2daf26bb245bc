"""``lookalike info``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lookalike.cli.failures import reports_failures
from lookalike.cli.options import Folder, Json
from lookalike.cli.output import print_json, print_lines, printable
from lookalike.cli.sources import is_vectors, open_gallery, open_vectors

__all__ = ["info"]


@reports_failures
def info(folder: Folder = Path(), *, as_json: Json = False) -> int:
    """Tell what a gallery holds: pictures, groups, encoder, size, and unreadable files."""
    facts = _about_vectors(folder) if is_vectors(folder) else _about_gallery(folder)
    if as_json:
        print_json(facts)
    else:
        print_lines([f"{key + ':':<12}{_shown(value)}" for key, value in facts.items()])
    return 0


def _about_vectors(file: Path) -> dict[str, Any]:
    rows = open_vectors(file)
    return {
        "file": str(file),
        "items": rows.shape[0],
        "dim": rows.shape[1],
        "dtype": str(rows.dtype),
        "size_bytes": file.stat().st_size,
    }


def _about_gallery(folder: Path) -> dict[str, Any]:
    gallery = open_gallery(folder)
    encoder = gallery.encoder_identity
    return {
        "folder": str(folder),
        "items": len(gallery),
        "dim": gallery.dim,
        "encoder": asdict(encoder) if encoder else None,
        "groups": {name: len(members) for name, members in gallery.groups().items()},
        "size_bytes": gallery.embeddings.nbytes,
        "unreadable": [{"path": path, "reason": why} for path, why in gallery.unreadable],
    }


def _shown(value: Any) -> str:  # noqa: ANN401 - any fact
    if isinstance(value, dict):
        return printable(", ".join(f"{key} {shown}" for key, shown in value.items())) or "none"
    if isinstance(value, list):
        lines = [printable(f"{item['path']}: {item['reason']}") for item in value]
        return "".join(f"\n  {line}" for line in lines) or "none"
    return "none" if value is None else printable(str(value))
