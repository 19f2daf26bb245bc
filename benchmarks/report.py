"""The rows of a report: printed as a table, kept as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

HEADINGS = f"{'':44} {'ms':>9} {'GB/s':>6} {'of read':>7} {'to ours':>8}  target"


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes
    ----------
    section, what : str
        What was measured, on what.
    milliseconds : float, optional
        The median; None where the figure is no time.
    gigabytes_per_second, share_of_read : float, optional
        Bytes of rows per second, and that over the read bandwidth of the same run.
    ratio : float, optional
        Its time over ours, or what the target speaks of.
    target : str
        In words; empty where there is none.
    is_met : bool, optional
        None where there is no target.
    details : dict
        What else was measured; kept in the file, not printed.
    """

    section: str
    what: str
    milliseconds: float | None
    gigabytes_per_second: float | None = None
    share_of_read: float | None = None
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None
    details: dict[str, object] = field(default_factory=dict)

    def line(self) -> str:
        """Return the row as a line under HEADINGS."""
        taken = _padded(self.milliseconds, "9.3f", 9)
        rate = _padded(self.gigabytes_per_second, "6.1f", 6)
        share = _padded(self.share_of_read, "7.0%", 7)
        ratio = _padded(self.ratio, "7.2f", 7)
        verdict = {None: "", True: "met: ", False: "MISSED: "}[self.is_met]
        cells = f"{self.what:44} {taken} {rate} {share} {ratio}"
        return f"{cells}   {verdict}{self.target}".rstrip()


def _padded(value: float | None, form: str, width: int) -> str:
    return " " * width if value is None else format(value, form)


def print_section(rows: Iterable[Row]) -> None:
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            print(f"\n{section}\n{HEADINGS}")
        print(row.line(), flush=True)


def write(path: Path, machine: Mapping[str, object], rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
