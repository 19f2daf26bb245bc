"""The progress bar."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lookalike.core.progress import ProgressCallback

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[ProgressCallback]:
    """Draw a bar on standard error while the block runs.

    Parameters
    ----------
    what : str
        The work, e.g. ``"encoding pictures"``.

    Yields
    ------
    callable
        To be called with (done, total).
    """
    # Rich takes 40 ms to import: only where something is drawn.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, visible=False)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield advance
