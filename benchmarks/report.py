"""The rows of a report: printed as a table, kept as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
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
    milliseconds : float
        The median.
    gigabytes_per_second, share_of_read : float, optional
        Bytes of rows per second, and that over the read bandwidth of the same run.
    ratio : float, optional
        Its time over ours, or what the target speaks of.
    target : str
        In words; empty where there is none.
    is_met : bool, optional
        None where there is no target.
    """

    section: str
    what: str
    milliseconds: float
    gigabytes_per_second: float | None = None
    share_of_read: float | None = None
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None

    def line(self) -> str:
        """Return the row as a line under HEADINGS."""
        rate = _padded(self.gigabytes_per_second, "6.1f", 6)
        share = _padded(self.share_of_read, "7.0%", 7)
        ratio = _padded(self.ratio, "7.2f", 7)
        verdict = {None: "", True: "met: ", False: "MISSED: "}[self.is_met]
        cells = f"{self.what:44} {self.milliseconds:9.2f} {rate} {share} {ratio}"
        return f"{cells}   {verdict}{self.target}".rstrip()


def _padded(value: float | None, form: str, width: int) -> str:
    return " " * width if value is None else format(value, form)


def print_section(rows: Iterable[Row]) -> None:
    for number, row in enumerate(rows):
        if not number:
            print(f"\n{row.section}\n{HEADINGS}")
        print(row.line(), flush=True)


def write(path: Path, machine: Mapping[str, object], rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
