"""The progress bar."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lookalike.core.progress import ProgressCallback

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[ProgressCallback]:
    """Draw a bar on standard error while the block runs, once there is something to tell.

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
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(what, total=None)
    with ExitStack() as drawn:

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            if not bar.live.is_started:
                drawn.enter_context(bar)

        yield advance
