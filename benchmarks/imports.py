"""How long ``import lookalike`` takes in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.report import Row
from benchmarks.timing import interleaved

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MS = 150.0


def import_times(rounds: int) -> Iterator[Row]:
    """Measure the import beside NumPy's, less an interpreter's start and end."""
    statements = {
        "the interpreter alone": "pass",
        "import numpy": "import numpy",
        "import lookalike": "import lookalike",
    }
    times = interleaved(
        {
            name: partial(subprocess.run, [sys.executable, "-c", statement], check=True)
            for name, statement in statements.items()
        },
        rounds,
    )
    bare, numpy, ours = (times.median(name) for name in statements)
    section = "imports in a fresh process, less the interpreter's own time"
    yield Row(section, "the interpreter alone", bare)
    yield Row(section, "import numpy", numpy - bare)
    is_met = ours - bare < MOST_MS
    target = f"under {MOST_MS:.0f} ms"
    yield Row(section, "import lookalike", ours - bare, target=target, is_met=is_met)
